/*
 * Copyright (C) the IMS portal authors
 *
 * The bytes of a connection with the core: messages are framed by their
 * Content-Length (RFC 3261 18.3), between them are keep-alives (RFC 5626
 * 4.4.1); what a slow reader leaves is queued up to a limit.  No timers: see
 * ngx_ims_core_stream.c.
 */


#include "ngx_ims_core_priv.h"


enum {
    NGX_IMS_CORE_IN = 16384,             /* bytes, at first */
    NGX_IMS_CORE_MAX_IN = 2 * 65536,
    NGX_IMS_CORE_READS = 16              /* a turn */
};


static ngx_int_t ngx_ims_core_stream_room(ngx_ims_core_conn_t *conn);
static ngx_int_t ngx_ims_core_stream_messages(ngx_ims_core_conn_t *conn);
static size_t ngx_ims_core_stream_newlines(ngx_ims_core_conn_t *conn,
    u_char *p, size_t len);
static void ngx_ims_core_stream_message(ngx_ims_core_conn_t *conn, u_char *p,
    size_t len);
static void ngx_ims_core_stream_garbage(ngx_ims_core_conn_t *conn, u_char *p,
    size_t len);
static ngx_int_t ngx_ims_core_stream_queue(ngx_ims_core_conn_t *conn,
    ngx_str_t *parts, ngx_uint_t n, size_t skip, size_t len);


void
ngx_ims_core_stream_reader(ngx_event_t *ev)
{
    ssize_t               n;
    ngx_uint_t            i;
    ngx_connection_t     *c;
    ngx_ims_core_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close) {
        c->close = 0;
        ngx_ims_core_stream_drain(conn->core);
        return;
    }

    if (conn->state == NGX_IMS_CORE_CLOSING) {
        return;
    }

    for (i = 0; i < NGX_IMS_CORE_READS; i++) {

        if (ngx_ims_core_stream_room(conn) != NGX_OK) {
            ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0,
                                     "has too long a message");
            return;
        }

        n = c->recv(c, conn->in + conn->in_len, conn->in_size - conn->in_len);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0) {
            ngx_ims_core_stream_fail(conn, NGX_LOG_INFO, 0, "was closed");
            return;
        }

        if (n == NGX_ERROR) {
            ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "was reset");
            return;
        }

        conn->in_len += n;

        if (ngx_ims_core_stream_messages(conn) != NGX_OK) {
            return;
        }

        /* whatever it is, somebody is there */

        conn->pinged = 0;
    }

    if (conn->in_len == 0) {
        ngx_free(conn->in);
        conn->in = NULL;
        conn->in_size = 0;
    }

    if (i == NGX_IMS_CORE_READS) {

        /* others want their turn, too */

        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0,
                                 "cannot be waited for");
    }
}


static ngx_int_t
ngx_ims_core_stream_room(ngx_ims_core_conn_t *conn)
{
    u_char  *p;
    size_t   size;

    if (conn->in_len < conn->in_size) {
        return NGX_OK;
    }

    size = conn->in_size ? conn->in_size * 2 : NGX_IMS_CORE_IN;

    if (size > NGX_IMS_CORE_MAX_IN) {
        return NGX_ERROR;
    }

    p = ngx_alloc(size, &conn->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (conn->in != NULL) {
        ngx_memcpy(p, conn->in, conn->in_len);
        ngx_free(conn->in);
    }

    conn->in = p;
    conn->in_size = size;

    return NGX_OK;
}


/* NGX_OK, or NGX_ERROR: nothing more is to be read from it */

static ngx_int_t
ngx_ims_core_stream_messages(ngx_ims_core_conn_t *conn)
{
    int      rc;
    size_t   left, size;
    u_char  *p;

    p = conn->in;
    left = conn->in_len;

    while (left) {
        size = ngx_ims_core_stream_newlines(conn, p, left);

        if (size == 0) {
            rc = ngx_ims_sip_frame(p, left, NGX_IMS_SIP_MAX_MESSAGE, &size);

            if (rc == NGX_IMS_MORE) {
                break;
            }

            if (rc != NGX_IMS_OK) {
                ngx_ims_core_stream_garbage(conn, p, left);
                return NGX_ERROR;
            }

            conn->newlines = 0;
            ngx_ims_core_stream_message(conn, p, size);
        }

        /* an answer may have found that the other end is gone */

        if (conn->state == NGX_IMS_CORE_FAILED) {
            return NGX_ERROR;
        }

        p += size;
        left -= size;
    }

    if (left && p != conn->in) {
        ngx_memmove(conn->in, p, left);
    }

    conn->in_len = left;

    return NGX_OK;
}


/* two line ends are a ping, one is its answer; how many bytes they are */

static size_t
ngx_ims_core_stream_newlines(ngx_ims_core_conn_t *conn, u_char *p, size_t len)
{
    size_t     i;
    ngx_str_t  pong;

    for (i = 0; i < len && (p[i] == CR || p[i] == LF); i++) {

        conn->ponged |= conn->pinged;

        if (p[i] == LF && ++conn->newlines == 2) {
            conn->newlines = 0;

            if (conn->state != NGX_IMS_CORE_OPEN) {
                continue;
            }

            ngx_str_set(&pong, CRLF);

            if (ngx_ims_core_stream_write(conn, &pong, 1) != NGX_OK
                && conn->state == NGX_IMS_CORE_FAILED)
            {
                return len;
            }
        }
    }

    return i;
}


static void
ngx_ims_core_stream_message(ngx_ims_core_conn_t *conn, u_char *p, size_t len)
{
    ngx_ims_core_t  *core;
    ngx_ims_flow_t   flow;

    core = conn->core;
    conn->active = ngx_current_msec;

    if (ngx_ims_core_flow(core, conn->transport, &conn->sockaddr.sockaddr,
                          conn->socklen, &flow)
        == NGX_OK)
    {
        flow.connection = conn->id;
        ngx_ims_core_deliver(core, &flow, p, len);
    }
}


/*
 * Where the next message would begin is not known any more.  The one that is
 * bad gets an answer when it can be read that far.
 */

static void
ngx_ims_core_stream_garbage(ngx_ims_core_conn_t *conn, u_char *p, size_t len)
{
    u_char             *buf, tag[8];
    size_t              size;
    ngx_str_t           text;
    ngx_ims_str_t       to_tag;
    ngx_ims_sip_msg_t   m;
    ngx_ims_sip_hdr_t   hdrs[NGX_IMS_SIP_MAX_HEADERS];

    ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                  "connection has a message without a valid length");

    conn->in_len = 0;
    ngx_ims_core_stream_state(conn, NGX_IMS_CORE_CLOSING);

    (void) ngx_ims_sip_parse(&m, p, ngx_min(len, NGX_IMS_SIP_MAX_MESSAGE),
                             hdrs, NGX_IMS_SIP_MAX_HEADERS, 1);

    if (m.status == 0 && m.method != NGX_IMS_SIP_ACK && m.via.value.len
        && m.call_id.len)
    {
        size = NGX_IMS_SIP_MAX_MESSAGE;
        buf = ngx_alloc(size, &conn->log);

        (void) ngx_sprintf(tag, "%08xD", (uint32_t) ngx_random());
        to_tag.data = tag;
        to_tag.len = sizeof(tag);

        if (buf != NULL) {

            if (ngx_ims_sip_reply(&m, 400, NULL, &to_tag,
                                  "Warning: 399 portal \"no valid "
                                  "Content-Length\"" CRLF
                                  "Connection: close" CRLF, NULL, buf, size,
                                  &text.len)
                == NGX_IMS_OK)
            {
                text.data = buf;
                (void) ngx_ims_core_stream_write(conn, &text, 1);
            }

            ngx_free(buf);
        }
    }

    if (conn->state == NGX_IMS_CORE_CLOSING && conn->out == NULL) {
        ngx_ims_core_stream_fail(conn, 0, 0, NULL);
    }
}


ngx_int_t
ngx_ims_core_stream_write(ngx_ims_core_conn_t *conn, ngx_str_t *parts,
    ngx_uint_t n)
{
    size_t             len;
    ssize_t            sent;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    for (len = 0, i = 0; i < n; i++) {
        len += parts[i].len;
    }

    if (len > 4) {
        conn->active = ngx_current_msec;
    }

    c = conn->connection;
    sent = 0;

    if (n == 1 && conn->out == NULL
        && (conn->state == NGX_IMS_CORE_OPEN
            || conn->state == NGX_IMS_CORE_CLOSING))
    {
        sent = c->send(c, parts[0].data, len);

        if (sent == (ssize_t) len) {
            return NGX_OK;
        }

        if (sent == NGX_ERROR) {
            ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "was reset");
            return NGX_ERROR;
        }

        if (sent == NGX_AGAIN) {
            sent = 0;
        }

        /* what has begun must be ended, whatever the limit */

        if (sent) {
            conn->progress = ngx_current_msec;
        }
    }

    if (sent == 0 && conn->out_bytes + len > conn->core->stream.buffer) {

        (void) ngx_atomic_fetch_add(&conn->core->counts->overflows, 1);

        if (ngx_ims_core_log_now(&conn->core->overflow_time)) {
            ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                          "connection has %uz bytes unsent, "
                          "a message was dropped", conn->out_bytes);
        }

        return NGX_ERROR;
    }

    return ngx_ims_core_stream_queue(conn, parts, n, sent, len);
}


static ngx_int_t
ngx_ims_core_stream_queue(ngx_ims_core_conn_t *conn, ngx_str_t *parts,
    ngx_uint_t n, size_t skip, size_t len)
{
    ngx_uint_t           i;
    ngx_ims_core_out_t  *out;

    out = ngx_alloc(sizeof(ngx_ims_core_out_t) + len, &conn->log);

    if (out == NULL) {

        if (skip) {
            ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0,
                                     "cannot go on");
        }

        return NGX_ERROR;
    }

    out->next = NULL;
    out->pos = (u_char *) out + sizeof(ngx_ims_core_out_t);
    out->last = out->pos;

    for (i = 0; i < n; i++) {
        out->last = ngx_cpymem(out->last, parts[i].data, parts[i].len);
    }

    out->pos += skip;

    if (conn->out == NULL) {
        conn->progress = ngx_current_msec;
    }

    *conn->out_last = out;
    conn->out_last = &out->next;
    conn->out_bytes += len - skip;

    if (conn->state != NGX_IMS_CORE_OPEN
        && conn->state != NGX_IMS_CORE_CLOSING)
    {
        return NGX_OK;
    }

    if (ngx_ims_core_stream_flush(conn) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (conn->out != NULL && conn->state == NGX_IMS_CORE_OPEN) {
        ngx_ims_core_stream_timer(conn);
    }

    return NGX_OK;
}


ngx_int_t
ngx_ims_core_stream_flush(ngx_ims_core_conn_t *conn)
{
    ssize_t              n;
    ngx_connection_t    *c;
    ngx_ims_core_out_t  *out;

    c = conn->connection;

    while (conn->out != NULL) {
        out = conn->out;

        n = c->send(c, out->pos, out->last - out->pos);

        if (n == NGX_AGAIN) {

            if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
                ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0,
                                         "cannot be waited for");
                return NGX_ERROR;
            }

            return NGX_AGAIN;
        }

        if (n == NGX_ERROR) {
            ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "was reset");
            return NGX_ERROR;
        }

        conn->progress = ngx_current_msec;
        conn->out_bytes -= n;
        out->pos += n;

        if (out->pos == out->last) {
            conn->out = out->next;

            if (conn->out == NULL) {
                conn->out_last = &conn->out;
            }

            ngx_free(out);
        }
    }

    return NGX_OK;
}


void
ngx_ims_core_stream_writer(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_ims_core_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (ngx_ims_core_stream_flush(conn) != NGX_OK) {
        return;
    }

    if (conn->state == NGX_IMS_CORE_CLOSING) {
        ngx_ims_core_stream_fail(conn, 0, 0, NULL);

    } else if (conn->state == NGX_IMS_CORE_OPEN) {

        /* from now on it may be idle */

        ngx_ims_core_stream_timer(conn);
    }
}


void
ngx_ims_core_stream_buffers(ngx_ims_core_conn_t *conn)
{
    ngx_ims_core_out_t  *out;

    while (conn->out != NULL) {
        out = conn->out;
        conn->out = out->next;
        ngx_free(out);
    }

    if (conn->in != NULL) {
        ngx_free(conn->in);
    }
}
