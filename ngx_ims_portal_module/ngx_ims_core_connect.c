/*
 * Copyright (C) the IMS portal authors
 *
 * How a connection with the core comes about: accepted on a listening socket,
 * or opened by us from the address that the core knows us by.  No timers: see
 * ngx_ims_core_stream.c.
 */


#include "ngx_ims_core_priv.h"


static void ngx_ims_core_stream_attach(ngx_ims_core_conn_t *conn,
    ngx_connection_t *c);
static void ngx_ims_core_stream_dial(ngx_ims_core_conn_t *conn);
static void ngx_ims_core_stream_connecting(ngx_event_t *ev);
static void ngx_ims_core_stream_connected(ngx_ims_core_conn_t *conn);
static void ngx_ims_core_stream_full(ngx_ims_core_t *core, const char *what);


static void
ngx_ims_core_stream_attach(ngx_ims_core_conn_t *conn, ngx_connection_t *c)
{
    conn->connection = c;

    c->data = conn;
    c->log = &conn->log;
    c->read->log = &conn->log;
    c->write->log = &conn->log;
    c->idle = 1;
    c->read->channel = 1;
    c->write->channel = 1;

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, &conn->log, 0,
                      "small messages may wait for others");
    }
}


void
ngx_ims_core_stream_accept(ngx_connection_t *c)
{
    ngx_uint_t              i;
    ngx_ims_core_t         *core;
    ngx_ims_core_conn_t    *conn;
    ngx_ims_core_listen_t  *lst;

    core = c->listening->servers;
    lst = core->listens.elts;

    for (i = 0; i + 1 < core->listens.nelts; i++) {
        if (lst[i].listening == c->listening) {
            break;
        }
    }

    if (!ngx_ims_core_allowed(core, c->sockaddr)) {
        ngx_ims_core_refuse(core, c->sockaddr, c->socklen);
        goto refused;
    }

    if (core->nin >= core->stream.max) {
        ngx_ims_core_stream_full(core, "accepted");
        goto refused;
    }

    conn = ngx_ims_core_stream_create(core, lst[i].transport, c->sockaddr,
                                      c->socklen, 1);
    if (conn == NULL) {
        goto refused;
    }

    ngx_ims_core_stream_attach(conn, c);
    ngx_ims_core_stream_connected(conn);

    return;

refused:

    ngx_ims_core_close_accepted(c);
}


void
ngx_ims_core_close_accepted(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    pool = c->pool;

    ngx_close_connection(c);
    ngx_destroy_pool(pool);

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif
}


/*
 * A connection to where the flow leads.  A response goes to the port that its
 * Via says, because the one it came from was another's.
 */

ngx_ims_core_conn_t *
ngx_ims_core_stream_connect(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_str_t *text)
{
    ngx_int_t             port;
    ngx_ims_core_conn_t  *conn;

    port = ngx_ims_core_via_port(text->data, text->len);

    if (port != -1) {

        if (port == 0) {
            port = (flow->transport == NGX_IMS_TLS) ? 5061 : 5060;
        }

        ngx_inet_set_port(&flow->sockaddr.sockaddr, port);
        flow->connection = 0;

        conn = ngx_ims_core_stream_find(core, flow);

        if (conn != NULL) {
            return conn;
        }
    }

    if (core->nout >= core->stream.max) {
        ngx_ims_core_stream_full(core, "opened");
        return NULL;
    }

    conn = ngx_ims_core_stream_create(core, flow->transport,
                                      &flow->sockaddr.sockaddr,
                                      flow->socklen, 0);
    if (conn != NULL) {
        ngx_ims_core_stream_dial(conn);
    }

    return conn;
}


/* what fails at once fails as if it had taken a moment */

static void
ngx_ims_core_stream_dial(ngx_ims_core_conn_t *conn)
{
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_addr_t               local;
    ngx_sockaddr_t           sa;
    ngx_connection_t        *c;
    ngx_ims_core_listen_t   *lst;
    ngx_peer_connection_t    pc;
    u_char                   buf[NGX_SOCKADDR_STRLEN];

    name.data = buf;
    name.len = ngx_sock_ntop(&conn->sockaddr.sockaddr, conn->socklen, buf,
                             NGX_SOCKADDR_STRLEN, 1);

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = &conn->sockaddr.sockaddr;
    pc.socklen = conn->socklen;
    pc.name = &name;
    pc.get = ngx_event_get_peer;
    pc.type = SOCK_STREAM;
    pc.log = &conn->log;
    pc.log_error = NGX_ERROR_ERR;

    lst = ngx_ims_core_local(conn->core, conn->transport,
                             conn->sockaddr.sockaddr.sa_family);

    if (lst != NULL && !ngx_inet_wildcard(lst->sockaddr)) {

        /* the core knows us by this address */

        ngx_memcpy(&sa, lst->sockaddr, conn->socklen);
        ngx_inet_set_port(&sa.sockaddr, 0);

        ngx_memzero(&local, sizeof(ngx_addr_t));
        local.sockaddr = &sa.sockaddr;
        local.socklen = conn->socklen;
        pc.local = &local;
    }

    rc = ngx_event_connect_peer(&pc);
    c = pc.connection;

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "could not be made");
        return;
    }

    ngx_ims_core_stream_attach(conn, c);

    c->pool = ngx_create_pool(512, &conn->log);

    if (c->pool == NULL) {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "could not be made");
        return;
    }

    c->read->handler = ngx_ims_core_stream_connecting;
    c->write->handler = ngx_ims_core_stream_connecting;

    ngx_ims_core_stream_state(conn, NGX_IMS_CORE_CONNECTING);

    if (rc == NGX_OK) {
        ngx_ims_core_stream_connected(conn);
    }
}


static void
ngx_ims_core_stream_connecting(ngx_event_t *ev)
{
    int                   err;
    socklen_t             len;
    ngx_connection_t     *c;
    ngx_ims_core_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close) {
        c->close = 0;
        ngx_ims_core_stream_drain(conn->core);
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, err,
                                 "could not be made");
        return;
    }

    if (ev->write) {
        ngx_ims_core_stream_connected(conn);
    }
}


static void
ngx_ims_core_stream_connected(ngx_ims_core_conn_t *conn)
{
    if (conn->transport == NGX_IMS_TLS) {
        ngx_ims_core_stream_state(conn, NGX_IMS_CORE_HANDSHAKE);
        ngx_ims_core_tls_start(conn);
        return;
    }

    ngx_ims_core_stream_opened(conn);
}


static void
ngx_ims_core_stream_full(ngx_ims_core_t *core, const char *what)
{
    if (ngx_ims_core_log_now(&core->full_time)) {
        ngx_log_error(NGX_LOG_WARN, core->log, 0,
                      "%ui \"stream_connections\" %s are not enough "
                      "for ims core \"%V\"", core->stream.max, what,
                      &core->name);
    }
}
