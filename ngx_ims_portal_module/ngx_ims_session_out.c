/*
 * Copyright (C) the IMS portal authors
 *
 * What goes to a browser: at once, or behind what its socket has not taken yet,
 * up to a limit.
 */


#include "ngx_ims_session_priv.h"


ngx_int_t
ngx_ims_session_flow_send(ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    return ngx_ims_session_send(flow->data, p, len);
}


ngx_int_t
ngx_ims_session_send(ngx_ims_session_t *s, u_char *p, size_t len)
{
    size_t      n;
    u_char     *out;
    ngx_int_t   rc;

    if (s->closing || s->ended) {
        return NGX_ERROR;
    }

    out = ngx_alloc(NGX_IMS_WS_MAX_SERVER_HEADER + len, s->connection->log);
    if (out == NULL) {
        return NGX_ERROR;
    }

    n = ngx_ims_ws_header(out, ngx_ims_utf8(p, len) ? NGX_IMS_WS_TEXT
                                                    : NGX_IMS_WS_BINARY, len);
    ngx_memcpy(out + n, p, len);

    rc = ngx_ims_session_raw(s, out, n + len);

    ngx_free(out);

    return rc;
}


/*
 * Bytes to the socket, or behind those that wait for it.  It never closes the
 * session itself, because its callers are in the midst of using it: a broken
 * connection is left to the read event.
 */

ngx_int_t
ngx_ims_session_raw(ngx_ims_session_t *s, u_char *p, size_t len)
{
    ssize_t            n;
    ngx_ims_out_t     *out;
    ngx_connection_t  *c;

    c = s->connection;

    if (s->out == NULL) {
        n = c->send(c, p, len);

        if (n == NGX_ERROR) {
            c->read->eof = 1;
            ngx_post_event(c->read, &ngx_posted_events);
            return NGX_ERROR;
        }

        if (n > 0) {
            p += n;
            len -= n;
        }

        if (len == 0) {
            return NGX_OK;
        }
    }

    if (s->out_bytes + len > s->policy->limits.send_buffer) {

        if (!s->slow) {
            s->slow = 1;
            ngx_log_error(NGX_LOG_INFO, c->log, 0, "client reads too slowly");
            ngx_ims_session_limited(s, NGX_IMS_LIMITED_SEND_BUFFER);
            ngx_add_timer(c->write, 1);
        }

        return NGX_ERROR;
    }

    out = ngx_alloc(sizeof(ngx_ims_out_t) + len, c->log);
    if (out == NULL) {
        return NGX_ERROR;
    }

    out->next = NULL;
    out->pos = (u_char *) out + sizeof(ngx_ims_out_t);
    out->last = ngx_cpymem(out->pos, p, len);

    *s->out_last = out;
    s->out_last = &out->next;
    s->out_bytes += len;

    if (!c->write->timer_set) {
        ngx_add_timer(c->write, s->policy->limits.send_timeout);
    }

    return ngx_handle_write_event(c->write, 0);
}


ngx_int_t
ngx_ims_session_flush(ngx_ims_session_t *s)
{
    ssize_t            n;
    ngx_ims_out_t     *out;
    ngx_connection_t  *c;

    c = s->connection;

    while (s->out != NULL) {
        out = s->out;

        n = c->send(c, out->pos, out->last - out->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {
            return NGX_OK;
        }

        out->pos += n;
        s->out_bytes -= n;

        if (out->pos < out->last) {
            continue;
        }

        s->out = out->next;

        if (s->out == NULL) {
            s->out_last = &s->out;
        }

        ngx_free(out);
    }

    return NGX_OK;
}


void
ngx_ims_session_discard(ngx_ims_session_t *s)
{
    ngx_ims_out_t  *out, *next;

    for (out = s->out; out != NULL; out = next) {
        next = out->next;
        ngx_free(out);
    }

    s->out = NULL;
    s->out_last = &s->out;
    s->out_bytes = 0;
}
