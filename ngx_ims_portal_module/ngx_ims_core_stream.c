/*
 * Copyright (C) the IMS portal authors
 *
 * Connections to and from the core, by TCP and TLS: each worker has its own.
 * One leads to an address and is used for all messages there (RFC 5923 habit);
 * requests of the core may come on it, too.  Those of the core are accepted
 * from listed addresses only.
 *
 * Timers: one of each connection, cancelable: the connect time-out, a reader
 * that does not read, the keep-alive (RFC 5626 4.4.1), the idle time; that of
 * the core which drains its connections before a graceful exit.
 *
 * The sockets count as channels: what needs them keeps the worker with timers
 * of its own, and a graceful exit neither waits for them nor complains.
 */


#include "ngx_ims_core_priv.h"


enum {
    NGX_IMS_CORE_STALL = 10000,          /* ms without a byte taken */
    NGX_IMS_CORE_CLOSE_WAIT = 1000,      /* ms to send what is left */
    NGX_IMS_CORE_DRAIN_STEP = 100,       /* ms */
    NGX_IMS_CORE_DRAIN_WAIT = 500        /* ms for the core to hear of it */
};


static ngx_uint_t ngx_ims_core_stream_usable(ngx_ims_core_conn_t *conn);
static void ngx_ims_core_stream_gone(ngx_event_t *ev);
static void ngx_ims_core_stream_timeout(ngx_event_t *ev);
static void ngx_ims_core_stream_keepalive(ngx_ims_core_conn_t *conn);
static void ngx_ims_core_stream_draining(ngx_event_t *ev);
static u_char *ngx_ims_core_stream_log(ngx_log_t *log, u_char *buf,
    size_t len);


static uint64_t  ngx_ims_core_stream_serial;


void
ngx_ims_core_stream_init(ngx_ims_core_t *core)
{
    ngx_queue_init(&core->conns);
    ngx_queue_init(&core->peers);

    core->drain.handler = ngx_ims_core_stream_draining;
    core->drain.data = core;
    core->drain.log = core->log;
}


void
ngx_ims_core_stream_exit(ngx_ims_core_t *core)
{
    ngx_queue_t          *q;
    ngx_ims_core_conn_t  *conn;

    core->lost = NULL;

    while (!ngx_queue_empty(&core->conns)) {
        q = ngx_queue_head(&core->conns);
        conn = ngx_queue_data(q, ngx_ims_core_conn_t, queue);

        ngx_ims_core_stream_fail(conn, 0, 0, NULL);
        ngx_delete_posted_event(&conn->gone);
        ngx_ims_core_stream_gone(&conn->gone);
    }

    ngx_ims_core_peers_free(core);

    if (core->drain.timer_set) {
        ngx_del_timer(&core->drain);
    }
}


ngx_int_t
ngx_ims_core_stream_send(ngx_ims_flow_t *flow, ngx_str_t *parts, ngx_uint_t n)
{
    ngx_int_t             rc;
    ngx_ims_core_t       *core;
    ngx_ims_core_conn_t  *conn;

    core = flow->data;

    if (flow->connection && flow->owner.pid) {

        rc = (core->relay != NULL && n == 1)
             ? core->relay(core, flow, parts[0].data, parts[0].len)
             : NGX_ERROR;

        if (rc != NGX_DECLINED) {
            return rc == NGX_OK ? NGX_OK : NGX_ERROR;
        }

        /* its worker is dead, and so is the connection */

        flow->connection = 0;
        ngx_memzero(&flow->owner, sizeof(ngx_ims_owner_t));
    }

    conn = ngx_ims_core_stream_find(core, flow);

    if (conn == NULL) {
        conn = ngx_ims_core_stream_connect(core, flow, &parts[0]);

        if (conn == NULL) {
            return NGX_ERROR;
        }
    }

    flow->connection = conn->id;

    return ngx_ims_core_stream_write(conn, parts, n);
}


/* the flow's own, else one of ours that leads there */

ngx_ims_core_conn_t *
ngx_ims_core_stream_find(ngx_ims_core_t *core, ngx_ims_flow_t *flow)
{
    ngx_queue_t          *q;
    ngx_ims_core_conn_t  *conn, *found;

    found = NULL;

    for (q = ngx_queue_head(&core->conns);
         q != ngx_queue_sentinel(&core->conns);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_ims_core_conn_t, queue);

        if (!ngx_ims_core_stream_usable(conn)) {
            continue;
        }

        if (flow->connection && conn->id == flow->connection) {
            return conn;
        }

        if (!conn->inbound && conn->transport == flow->transport
            && ngx_cmp_sockaddr(&conn->sockaddr.sockaddr, conn->socklen,
                                &flow->sockaddr.sockaddr, flow->socklen, 1)
               == NGX_OK)
        {
            found = conn;

            if (flow->connection == 0) {
                return conn;
            }
        }
    }

    return found;
}


static ngx_uint_t
ngx_ims_core_stream_usable(ngx_ims_core_conn_t *conn)
{
    return conn->state == NGX_IMS_CORE_CONNECTING
           || conn->state == NGX_IMS_CORE_HANDSHAKE
           || conn->state == NGX_IMS_CORE_OPEN;
}


ngx_ims_core_conn_t *
ngx_ims_core_stream_create(ngx_ims_core_t *core, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen, ngx_uint_t inbound)
{
    ngx_ims_core_conn_t  *conn;

    conn = ngx_calloc(sizeof(ngx_ims_core_conn_t), core->log);
    if (conn == NULL) {
        return NULL;
    }

    conn->core = core;
    conn->id = ++ngx_ims_core_stream_serial;
    conn->transport = transport;
    conn->inbound = inbound;
    conn->out_last = &conn->out;
    conn->began = ngx_current_msec;
    conn->active = ngx_current_msec;

    ngx_memcpy(&conn->sockaddr, sa, socklen);
    conn->socklen = socklen;

    conn->log = *core->log;
    conn->log.handler = ngx_ims_core_stream_log;
    conn->log.data = conn;
    conn->log.action = NULL;

    conn->timer.handler = ngx_ims_core_stream_timeout;
    conn->timer.data = conn;
    conn->timer.log = core->log;
    conn->timer.cancelable = 1;

    conn->gone.handler = ngx_ims_core_stream_gone;
    conn->gone.data = conn;
    conn->gone.log = core->log;

    ngx_queue_insert_head(&core->conns, &conn->queue);

    if (inbound) {
        core->nin++;

    } else {
        core->nout++;
    }

    return conn;
}


void
ngx_ims_core_stream_opened(ngx_ims_core_conn_t *conn)
{
    ngx_connection_t     *c;
    ngx_ims_core_peer_t  *peer;

    c = conn->connection;

    conn->was_open = 1;
    conn->active = ngx_current_msec;
    conn->ping = ngx_current_msec;
    conn->progress = ngx_current_msec;

    c->read->handler = ngx_ims_core_stream_reader;
    c->write->handler = ngx_ims_core_stream_writer;

    ngx_ims_core_stream_state(conn, NGX_IMS_CORE_OPEN);

    if (!conn->inbound) {
        peer = ngx_ims_core_peer(conn->core, conn->transport,
                                        &conn->sockaddr.sockaddr,
                                        conn->socklen, 0);
        if (peer != NULL) {
            peer->refused = 0;
        }
    }

    if (ngx_ims_core_stream_flush(conn) == NGX_ERROR) {
        return;
    }

    /* it may have been edge-triggered while the handshake read, too */

    ngx_post_event(c->read, &ngx_posted_events);
}


void
ngx_ims_core_stream_fail(ngx_ims_core_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *what)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    if (conn->state == NGX_IMS_CORE_FAILED) {
        return;
    }

    if (what != NULL) {
        ngx_log_error(level, &conn->log, err, "connection %s", what);
    }

    conn->state = NGX_IMS_CORE_FAILED;

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    c = conn->connection;
    conn->connection = NULL;

    if (c != NULL) {
        pool = c->pool;

#if (NGX_SSL)
        if (c->ssl != NULL) {
            ngx_ims_core_tls_close(c);
        }
#endif

        if (conn->inbound) {
            ngx_ims_core_close_accepted(c);

        } else {
            ngx_close_connection(c);

            if (pool != NULL) {
                ngx_destroy_pool(pool);
            }
        }
    }

    ngx_post_event(&conn->gone, &ngx_posted_events);
}


static void
ngx_ims_core_stream_gone(ngx_event_t *ev)
{
    ngx_uint_t            refused;
    ngx_ims_flow_t        flow;
    ngx_ims_core_t       *core;
    ngx_ims_core_conn_t  *conn;
    ngx_ims_core_peer_t  *peer;

    conn = ev->data;
    core = conn->core;
    refused = !conn->was_open;

    /* on one of the core's nothing of ours waits, and it says nothing of it */

    if (conn->inbound) {
        core->nin--;
        goto done;
    }

    core->nout--;

    if (refused) {
        peer = ngx_ims_core_peer(core, conn->transport,
                                        &conn->sockaddr.sockaddr,
                                        conn->socklen, 1);
        if (peer != NULL) {
            peer->refused = ngx_time();
        }
    }

    if (core->lost != NULL
        && ngx_ims_core_flow(core, conn->transport, &conn->sockaddr.sockaddr,
                             conn->socklen, &flow)
           == NGX_OK)
    {
        flow.connection = conn->id;
        core->lost(core, &flow, refused);
    }

done:

    ngx_queue_remove(&conn->queue);
    ngx_ims_core_stream_buffers(conn);
    ngx_free(conn);
}


void
ngx_ims_core_stream_state(ngx_ims_core_conn_t *conn, ngx_uint_t state)
{
    conn->state = state;
    conn->began = ngx_current_msec;

    ngx_ims_core_stream_timer(conn);
}


void
ngx_ims_core_stream_timer(ngx_ims_core_conn_t *conn)
{
    ngx_msec_t       at;
    ngx_ims_core_t  *core;
    ngx_msec_int_t   left;

    core = conn->core;

    switch (conn->state) {

    case NGX_IMS_CORE_CONNECTING:
    case NGX_IMS_CORE_HANDSHAKE:
        at = conn->began + core->timeout;
        break;

    case NGX_IMS_CORE_OPEN:

        /* what is written to is not idle, however slowly it is read */

        at = conn->out != NULL ? conn->progress + NGX_IMS_CORE_STALL
                               : conn->active + core->stream.idle;

        if (core->stream.keepalive && !conn->inbound
            && (ngx_msec_int_t) (conn->ping + core->stream.keepalive - at) < 0)
        {
            at = conn->ping + core->stream.keepalive;
        }

        break;

    default: /* NGX_IMS_CORE_SHUT, NGX_IMS_CORE_CLOSING */
        at = conn->began + NGX_IMS_CORE_CLOSE_WAIT;
    }

    left = (ngx_msec_int_t) (at - ngx_current_msec);

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    ngx_add_timer(&conn->timer, (ngx_msec_t) ngx_max(left, 1));
}


static void
ngx_ims_core_stream_timeout(ngx_event_t *ev)
{
    ngx_ims_core_t       *core;
    ngx_ims_core_conn_t  *conn;

    conn = ev->data;
    core = conn->core;

    ev->timedout = 0;

    switch (conn->state) {

    case NGX_IMS_CORE_CONNECTING:
    case NGX_IMS_CORE_HANDSHAKE:
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                 "could not be made");
        return;

    case NGX_IMS_CORE_OPEN:
        break;

    default:
        ngx_ims_core_stream_fail(conn, 0, 0, NULL);
        return;
    }

    if (conn->out != NULL
        && ngx_current_msec - conn->progress >= NGX_IMS_CORE_STALL)
    {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                 "is not read from");
        return;
    }

    if (conn->out == NULL
        && ngx_current_msec - conn->active >= core->stream.idle)
    {
        ngx_ims_core_stream_fail(conn, NGX_LOG_INFO, 0, "is not used");
        return;
    }

    ngx_ims_core_stream_keepalive(conn);
}


/* who has answered a ping once and then does not is gone */

static void
ngx_ims_core_stream_keepalive(ngx_ims_core_conn_t *conn)
{
    ngx_str_t        ping;
    ngx_ims_core_t  *core;

    core = conn->core;

    if (core->stream.keepalive && !conn->inbound
        && ngx_current_msec - conn->ping >= core->stream.keepalive)
    {
        if (conn->pinged && conn->ponged) {
            ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                     "does not answer keep-alives");
            return;
        }

        conn->pinged = 1;
        conn->ping = ngx_current_msec;

        ngx_str_set(&ping, CRLF CRLF);

        /* without room for it the connection goes on, and so does its timer */

        if (ngx_ims_core_stream_write(conn, &ping, 1) != NGX_OK
            && conn->state == NGX_IMS_CORE_FAILED)
        {
            return;
        }
    }

    ngx_ims_core_stream_timer(conn);
}


void
ngx_ims_core_stream_drain(ngx_ims_core_t *core)
{
    if (!core->drain.timer_set) {
        ngx_add_timer(&core->drain, NGX_IMS_CORE_DRAIN_STEP);
    }
}


/*
 * A worker that goes away tells the core so before it does: a request that is
 * on its way by TCP when the connection is closed would be lost, and nobody
 * would repeat it.
 */

static void
ngx_ims_core_stream_draining(ngx_event_t *ev)
{
    ngx_uint_t            left;
    ngx_queue_t          *q;
    ngx_ims_core_t       *core;
    ngx_ims_core_conn_t  *conn;

    core = ev->data;
    ev->timedout = 0;

    if (core->busy != NULL && core->busy(core)) {
        ngx_add_timer(ev, NGX_IMS_CORE_DRAIN_STEP);
        return;
    }

    left = 0;

    for (q = ngx_queue_head(&core->conns);
         q != ngx_queue_sentinel(&core->conns);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_ims_core_conn_t, queue);

        if (conn->state == NGX_IMS_CORE_OPEN && conn->out != NULL) {

            /* the core reads it, or the connection's timer ends it */

            left++;
            continue;
        }

        if (conn->state == NGX_IMS_CORE_OPEN) {

#if (NGX_SSL)
            if (conn->connection->ssl != NULL) {
                ngx_ims_core_tls_shut(conn->connection);
            }
#endif

            if (shutdown(conn->connection->fd, SHUT_WR) == 0) {
                ngx_ims_core_stream_state(conn, NGX_IMS_CORE_SHUT);
            }
        }

        if (conn->state == NGX_IMS_CORE_SHUT
            && ngx_current_msec - conn->began < NGX_IMS_CORE_DRAIN_WAIT)
        {
            left++;
        }
    }

    if (left) {
        ngx_add_timer(ev, NGX_IMS_CORE_DRAIN_STEP);
    }
}


static u_char *
ngx_ims_core_stream_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char               *p;
    ngx_str_t             text;
    ngx_ims_core_conn_t  *conn;
    u_char                addr[NGX_SOCKADDR_STRLEN];

    conn = log->data;
    p = buf;

    if (log->action != NULL) {
        p = ngx_snprintf(p, len, " while %s", log->action);
    }

    text.data = addr;
    text.len = ngx_sock_ntop(&conn->sockaddr.sockaddr, conn->socklen, addr,
                             NGX_SOCKADDR_STRLEN, 1);

    return ngx_snprintf(p, len - (p - buf), ", ims core \"%V\" %s %V by %V",
                        &conn->core->name, conn->inbound ? "from" : "to",
                        &text, ngx_ims_core_transport(conn->transport));
}
