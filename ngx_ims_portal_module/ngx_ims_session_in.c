/*
 * Copyright (C) the IMS portal authors
 *
 * What comes from a browser: frames to messages (RFC 6455 5).  Only a partial
 * frame or message is kept, in a buffer of just its size.
 */


#include "ngx_ims_session_priv.h"


static ngx_int_t ngx_ims_session_keep(ngx_ims_session_t *s, u_char *p,
    size_t len);
static ngx_int_t ngx_ims_session_frame(ngx_ims_session_t *s,
    ngx_ims_ws_frame_t *f, u_char *p);
static ngx_int_t ngx_ims_session_data(ngx_ims_session_t *s,
    ngx_ims_ws_frame_t *f, u_char *p);
static ngx_int_t ngx_ims_session_room(ngx_ims_session_t *s, size_t used,
    size_t size);
static ngx_int_t ngx_ims_session_message(ngx_ims_session_t *s, u_char *p,
    size_t len, ngx_uint_t text);
static ngx_int_t ngx_ims_session_control(ngx_ims_session_t *s,
    ngx_ims_ws_frame_t *f, u_char *p);


ngx_int_t
ngx_ims_session_input(ngx_ims_session_t *s, u_char *p, size_t len)
{
    u_char              *last;
    ngx_int_t            rc;
    unsigned             code;
    ngx_ims_ws_frame_t   f;

    if (p == NULL) {
        return ngx_ims_session_keep(s, s->in, s->in_len);
    }

    last = p + len;

    while (p < last) {

        rc = ngx_ims_ws_read(p, last - p, s->policy->message_size, &f, &code);

        if (rc == NGX_IMS_MORE) {
            break;
        }

        if (rc != NGX_IMS_OK) {

            if (s->closing) {
                ngx_ims_session_free(s);
                return NGX_ERROR;
            }

            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "client sent invalid WebSocket frame");

            if (code == NGX_IMS_WS_TOO_BIG) {
                ngx_ims_session_limited(s, NGX_IMS_LIMITED_MESSAGE_SIZE);
            }

            ngx_ims_session_close(s, code, NULL, NGX_IMS_END_LOST);
            return NGX_ERROR;
        }

        if ((uint64_t) (last - p) < f.header + f.length) {
            break;
        }

        ngx_ims_ws_unmask(p + f.header, f.length, f.mask, 0);

        if (ngx_ims_session_frame(s, &f, p + f.header) != NGX_OK) {
            return NGX_ERROR;
        }

        p += f.header + f.length;
    }

    if (p == last) {
        return NGX_OK;
    }

    return ngx_ims_session_keep(s, p, last - p);
}


/*
 * Keeps a partial frame in a buffer of just its size; called again, without new
 * bytes, when more of it has been received.
 */

static ngx_int_t
ngx_ims_session_keep(ngx_ims_session_t *s, u_char *p, size_t len)
{
    size_t               size;
    u_char              *in;
    ngx_int_t            rc;
    unsigned             code;
    ngx_ims_ws_frame_t   f;

    rc = ngx_ims_ws_read(p, len, s->policy->message_size, &f, &code);

    if (rc != NGX_IMS_OK && rc != NGX_IMS_MORE) {
        size = len;

    } else if (rc == NGX_IMS_OK) {
        size = f.header + f.length;

    } else {
        size = NGX_IMS_WS_MAX_HEADER;
    }

    if (len >= size) {

        /* complete, or beyond hope: input() says what to do with it */

        in = s->in;
        s->in = NULL;

        rc = ngx_ims_session_input(s, in, len);

        ngx_free(in);

        return rc;
    }

    if (s->in != NULL && s->in_size >= size) {
        return NGX_OK;
    }

    in = ngx_alloc(size, s->connection->log);
    if (in == NULL) {
        ngx_ims_session_close(s, NGX_IMS_WS_INTERNAL, NULL, NGX_IMS_END_LOST);
        return NGX_ERROR;
    }

    ngx_memcpy(in, p, len);

    if (s->in != NULL) {
        ngx_free(s->in);
    }

    s->in = in;
    s->in_len = len;
    s->in_size = size;

    return NGX_OK;
}


static ngx_int_t
ngx_ims_session_frame(ngx_ims_session_t *s, ngx_ims_ws_frame_t *f, u_char *p)
{
    if (!s->closing && f->opcode != NGX_IMS_WS_CLOSE
        && ngx_ims_limit_take(&s->frames, &s->policy->limits.frames))
    {
        ngx_ims_session_flooded(s, NGX_IMS_LIMITED_FRAMES);
        return NGX_ERROR;
    }

    if (f->opcode >= NGX_IMS_WS_CLOSE) {

        if (!s->fragmented) {
            s->begun = 0;
        }

        return ngx_ims_session_control(s, f, p);
    }

    if (s->closing) {
        return NGX_OK;
    }

    return ngx_ims_session_data(s, f, p);
}


static ngx_int_t
ngx_ims_session_data(ngx_ims_session_t *s, ngx_ims_ws_frame_t *f, u_char *p)
{
    size_t      size, len;
    u_char     *message;
    ngx_int_t   rc;
    ngx_uint_t  text;

    /* RFC 6455 5.4: a continuation, and nothing else, continues */

    if ((f->opcode == NGX_IMS_WS_CONTINUATION) != s->fragmented) {
        ngx_ims_session_close(s, NGX_IMS_WS_PROTOCOL_ERROR, NULL,
                              NGX_IMS_END_LOST);
        return NGX_ERROR;
    }

    if (f->fin && !s->fragmented) {
        return ngx_ims_session_message(s, p, f->length,
                                       f->opcode == NGX_IMS_WS_TEXT);
    }

    /* the first byte of the buffer keeps the opcode of the first fragment */

    size = s->fragmented ? s->message_len : 1;

    if (f->length > s->policy->message_size - (size - 1)) {
        ngx_ims_session_limited(s, NGX_IMS_LIMITED_MESSAGE_SIZE);
        ngx_ims_session_close(s, NGX_IMS_WS_TOO_BIG, NULL, NGX_IMS_END_LOST);
        return NGX_ERROR;
    }

    if (ngx_ims_session_room(s, size, size + f->length) != NGX_OK) {
        ngx_ims_session_close(s, NGX_IMS_WS_INTERNAL, NULL, NGX_IMS_END_LOST);
        return NGX_ERROR;
    }

    message = s->message;

    if (!s->fragmented) {
        message[0] = f->opcode;
        s->fragmented = 1;
    }

    ngx_memcpy(message + size, p, f->length);

    s->message_len = size + f->length;

    if (!f->fin) {
        return NGX_OK;
    }

    len = s->message_len - 1;
    text = (message[0] == NGX_IMS_WS_TEXT);

    s->message = NULL;
    s->message_len = 0;
    s->message_size = 0;
    s->fragmented = 0;

    rc = ngx_ims_session_message(s, message + 1, len, text);

    ngx_free(message);

    return rc;
}


/*
 * Room for fragments, of which used bytes are there: it grows by halves, so
 * that many small ones are not copied again and again.
 */

static ngx_int_t
ngx_ims_session_room(ngx_ims_session_t *s, size_t used, size_t size)
{
    u_char  *message;

    if (s->message != NULL && size <= s->message_size) {
        return NGX_OK;
    }

    if (s->message != NULL) {
        size = ngx_max(size, ngx_min(used + used / 2,
                                     s->policy->message_size + 1));
    }

    message = ngx_alloc(size, s->connection->log);
    if (message == NULL) {
        return NGX_ERROR;
    }

    if (s->message != NULL) {
        ngx_memcpy(message, s->message, used);
        ngx_free(s->message);
    }

    s->message = message;
    s->message_size = size;

    return NGX_OK;
}


static ngx_int_t
ngx_ims_session_message(ngx_ims_session_t *s, u_char *p, size_t len,
    ngx_uint_t text)
{
    static u_char  pong[] = "\x81\x02\r\n";

    s->begun = 0;

    if (text && !ngx_ims_utf8(p, len)) {
        ngx_ims_session_close(s, NGX_IMS_WS_BAD_DATA, NULL, NGX_IMS_END_LOST);
        return NGX_ERROR;
    }

    /* keep-alives of RFC 5626 4.4.1: a double CRLF is answered by a single */

    if (len == 4 && ngx_memcmp(p, CRLF CRLF, 4) == 0) {
        return ngx_ims_session_raw(s, pong, sizeof(pong) - 1);
    }

    if (len == 2 && ngx_memcmp(p, CRLF, 2) == 0) {
        return NGX_OK;
    }

    s->worker->message(s, p, len);

    /* the handler may have closed the session, but never frees it */

    return s->closing ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_ims_session_control(ngx_ims_session_t *s, ngx_ims_ws_frame_t *f,
    u_char *p)
{
    size_t     n;
    u_char     frame[NGX_IMS_WS_MAX_SERVER_HEADER + NGX_IMS_WS_MAX_CONTROL];
    unsigned   code;
    ngx_int_t  rc;

    switch (f->opcode) {

    case NGX_IMS_WS_PING:

        if (s->closing) {
            return NGX_OK;
        }

        n = ngx_ims_ws_header(frame, NGX_IMS_WS_PONG, f->length);
        ngx_memcpy(frame + n, p, f->length);

        return ngx_ims_session_raw(s, frame, n + f->length);

    case NGX_IMS_WS_CLOSE:

        if (s->closing) {
            ngx_ims_session_free(s);
            return NGX_ERROR;
        }

        rc = ngx_ims_ws_close_code(p, f->length, &code);

        /* the code comes back; an empty one is answered by 1000 */

        ngx_ims_session_close(s, code == 1005 ? NGX_IMS_WS_NORMAL : code, NULL,
                              rc == NGX_IMS_OK && code != NGX_IMS_WS_AGAIN
                              ? NGX_IMS_END_LEFT : NGX_IMS_END_LOST);

        /* both have said it: the server closes TCP first (RFC 6455 7.1.1) */

        if (s->out == NULL) {
            ngx_ims_session_free(s);

        } else {
            s->closed = 1;
        }

        return NGX_ERROR;

    default: /* NGX_IMS_WS_PONG */
        return NGX_OK;
    }
}
