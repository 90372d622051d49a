/*
 * Copyright (C) the IMS portal authors
 *
 * The socket of one browser.  Frames come in through the worker's scratch buffer;
 * only a partial frame or message is kept with the session, so that an idle
 * browser costs little.
 *
 * Timers: the read event's is the ping clock and, as it is not cancelable, keeps
 * an old worker alive; after our close frame it bounds the wait for the browser's.
 * The write event's bounds a slow reader.  token_event fires at the token's exp,
 * refresh_event when the registration at the core is to be refreshed.
 */


#include "ngx_ims_session.h"

#include <ngx_http.h>


#define NGX_IMS_SESSION_WRITE_WAIT  10000     /* ms for a slow reader */


static ngx_int_t ngx_ims_session_flow_send(ngx_ims_flow_t *flow, u_char *p,
    size_t len);
static void ngx_ims_session_read(ngx_event_t *rev);
static void ngx_ims_session_write(ngx_event_t *wev);
static void ngx_ims_session_token(ngx_event_t *ev);
static void ngx_ims_session_refresh(ngx_event_t *ev);
static void ngx_ims_session_tick(ngx_ims_session_t *s);
static void ngx_ims_session_drain(ngx_ims_session_t *s);
static ngx_int_t ngx_ims_session_input(ngx_ims_session_t *s, u_char *p,
    size_t len);
static ngx_int_t ngx_ims_session_keep(ngx_ims_session_t *s, u_char *p,
    size_t len);
static ngx_int_t ngx_ims_session_frame(ngx_ims_session_t *s,
    ngx_ims_ws_frame_t *f, u_char *p);
static ngx_int_t ngx_ims_session_data(ngx_ims_session_t *s,
    ngx_ims_ws_frame_t *f, u_char *p);
static ngx_int_t ngx_ims_session_message(ngx_ims_session_t *s, u_char *p,
    size_t len, ngx_uint_t text);
static ngx_int_t ngx_ims_session_control(ngx_ims_session_t *s,
    ngx_ims_ws_frame_t *f, u_char *p);
static ngx_int_t ngx_ims_session_raw(ngx_ims_session_t *s, u_char *p,
    size_t len);
static void ngx_ims_session_end(ngx_ims_session_t *s, ngx_ims_end_e how);
static void ngx_ims_session_free(ngx_ims_session_t *s);


ngx_int_t
ngx_ims_worker_scratch(ngx_ims_worker_t *w, ngx_pool_t *pool)
{
    ngx_uint_t  i;

    w->in_size = 2 * NGX_IMS_MAX_DATAGRAM;
    w->out_size = 2 * NGX_IMS_MAX_DATAGRAM;
    w->text_size = 2 * NGX_IMS_MAX_DATAGRAM;
    w->nedits = 2 * NGX_IMS_SIP_MAX_HEADERS;

    w->in = ngx_palloc(pool, w->in_size);
    w->out = ngx_palloc(pool, w->out_size);
    w->text = ngx_palloc(pool, w->text_size);
    w->edits = ngx_palloc(pool, w->nedits * sizeof(ngx_ims_sip_edit_t));
    w->record = ngx_palloc(pool, NGX_IMS_DIALOG_BUFFER);
    w->record2 = ngx_palloc(pool, NGX_IMS_DIALOG_BUFFER);
    w->parsed = ngx_palloc(pool, sizeof(ngx_ims_parsed_t));
    w->saved = ngx_palloc(pool, sizeof(ngx_ims_parsed_t));

    if (w->in == NULL || w->out == NULL || w->text == NULL
        || w->edits == NULL || w->record == NULL || w->record2 == NULL
        || w->parsed == NULL || w->saved == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_IMS_SESSION_BUCKETS; i++) {
        ngx_queue_init(&w->buckets[i]);
    }

    ngx_queue_init(&w->sessions);

    return NGX_OK;
}


ngx_ims_session_t *
ngx_ims_session_create(ngx_connection_t *c, ngx_ims_worker_t *worker,
    ngx_ims_policy_t *policy)
{
    ngx_ims_session_t  *s;

    s = ngx_pcalloc(c->pool, sizeof(ngx_ims_session_t));
    if (s == NULL) {
        return NULL;
    }

    s->connection = c;
    s->worker = worker;
    s->policy = policy;
    s->pool = policy->pool;
    s->out_last = &s->out;

#if (NGX_HTTP_SSL)
    s->tls = (c->ssl != NULL);
#endif

    s->flow.send = ngx_ims_session_flow_send;
    s->flow.data = s;
    s->flow.reliable = 1;

    ngx_queue_init(&s->requests);
    ngx_queue_init(&s->up);
    ngx_queue_init(&s->down);

    s->token_event.handler = ngx_ims_session_token;
    s->token_event.data = s;
    s->token_event.log = c->log;
    s->token_event.cancelable = 1;

    s->refresh_event.handler = ngx_ims_session_refresh;
    s->refresh_event.data = s;
    s->refresh_event.log = c->log;
    s->refresh_event.cancelable = 1;

    ngx_queue_insert_tail(&worker->sessions, &s->queue);
    worker->nsessions++;

    (void) ngx_atomic_fetch_add(&s->pool->zone.sh->counters.sockets, 1);

    return s;
}


void
ngx_ims_session_start(ngx_ims_session_t *s, ngx_str_t *left)
{
    ngx_connection_t  *c;

    c = s->connection;

    c->data = s;
    c->read->handler = ngx_ims_session_read;
    c->write->handler = ngx_ims_session_write;
    c->log->action = "serving a browser";
    c->idle = 1;

    ngx_add_timer(c->read, s->known ? s->policy->ping : s->policy->handshake);

    if (left->len) {
        s->heard = 1;

        if (ngx_ims_session_input(s, left->data, left->len) != NGX_OK) {
            return;
        }
    }

    ngx_ims_session_read(c->read);
}


ngx_int_t
ngx_ims_session_identify(ngx_ims_session_t *s, ngx_ims_jwt_t *jwt)
{
    u_char         digest[NGX_IMS_DIGEST_LEN];
    time_t         now;
    ngx_msec_t     wait;
    ngx_ims_str_t  issuer, subject;

    issuer = ngx_ims_jwt_issuer(jwt);
    subject = ngx_ims_jwt_subject(jwt);

    ngx_ims_pool_user(&issuer, &subject, digest);

    if (s->known) {
        if (ngx_memcmp(digest, s->digest, NGX_IMS_DIGEST_LEN) != 0) {
            return NGX_DECLINED;
        }

    } else {
        s->user.data = ngx_pnalloc(s->connection->pool, subject.len);
        if (s->user.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(s->user.data, subject.data, subject.len);
        s->user.len = subject.len;

        ngx_memcpy(s->digest, digest, NGX_IMS_DIGEST_LEN);
        s->known = 1;
    }

    /* an older token does not shorten the life that a newer one gave */

    if (ngx_ims_jwt_expires(jwt) + s->policy->leeway > s->token_expires) {
        s->token_expires = ngx_ims_jwt_expires(jwt) + s->policy->leeway;
        s->expired = 0;

        now = ngx_time();
        wait = s->token_expires > now ? (s->token_expires - now) : 0;
        wait = ngx_min(wait, 86400 * 7) * 1000 + 1;

        ngx_add_timer(&s->token_event, wait);
    }

    return NGX_OK;
}


static void
ngx_ims_session_token(ngx_event_t *ev)
{
    time_t              left;
    ngx_ims_session_t  *s;

    s = ev->data;

    left = s->token_expires - ngx_time();

    if (left > 0) {
        ngx_add_timer(ev, ngx_min(left, 86400 * 7) * 1000 + 1);
        return;
    }

    s->expired = 1;
    s->worker->token_end(s);
}


static void
ngx_ims_session_refresh(ngx_event_t *ev)
{
    ngx_ims_session_t  *s;

    s = ev->data;
    s->worker->refresh(s);
}


/* the bucket of a binding */

static ngx_queue_t *
ngx_ims_session_bucket(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref)
{
    return &w->buckets[(ref->index ^ pool->crc) % NGX_IMS_SESSION_BUCKETS];
}


ngx_ims_session_t *
ngx_ims_session_find(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref)
{
    ngx_queue_t        *q, *head;
    ngx_ims_session_t  *s;

    head = ngx_ims_session_bucket(w, pool, ref);

    for (q = ngx_queue_head(head);
         q != ngx_queue_sentinel(head);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_ims_session_t, bucket);

        if (s->pool == pool && s->binding.index == ref->index
            && s->binding.seq == ref->seq && !s->ended)
        {
            return s;
        }
    }

    return NULL;
}


void
ngx_ims_session_bind(ngx_ims_session_t *s, ngx_ims_ref_t *ref)
{
    if (s->bound) {
        ngx_queue_remove(&s->bucket);
    }

    s->binding = *ref;
    s->bound = 1;

    ngx_queue_insert_head(ngx_ims_session_bucket(s->worker, s->pool, ref),
                          &s->bucket);
}


static void
ngx_ims_session_read(ngx_event_t *rev)
{
    size_t              size;
    u_char             *buf;
    ssize_t             n;
    ngx_connection_t   *c;
    ngx_ims_session_t  *s;

    c = rev->data;
    s = c->data;

    if (c->close && !s->closing) {
        ngx_ims_session_drain(s);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;

        if (s->closing) {
            ngx_ims_session_free(s);
            return;
        }

        ngx_ims_session_tick(s);
        return;
    }

    for ( ;; ) {

        if (s->in != NULL) {
            buf = s->in + s->in_len;
            size = s->in_size - s->in_len;

        } else {
            buf = s->worker->in;
            size = s->worker->in_size;
        }

        n = c->recv(c, buf, size);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {

            if (s->closing) {
                ngx_ims_session_free(s);
                return;
            }

            ngx_ims_session_end(s, NGX_IMS_END_LOST);
            ngx_ims_session_free(s);
            return;
        }

        s->heard = 1;

        if (s->in != NULL) {
            s->in_len += n;

            if (ngx_ims_session_keep(s, NULL, 0) != NGX_OK) {
                return;
            }

            continue;
        }

        if (ngx_ims_session_input(s, buf, n) != NGX_OK) {
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_ims_session_end(s, NGX_IMS_END_LOST);
        ngx_ims_session_free(s);
    }
}


/*
 * Frames out of a buffer; what is left of the last one is kept.  NGX_OK, or
 * NGX_ERROR: the session is gone or must not be read any further.
 */

static ngx_int_t
ngx_ims_session_input(ngx_ims_session_t *s, u_char *p, size_t len)
{
    u_char              *last;
    ngx_int_t            rc;
    unsigned             code;
    ngx_ims_ws_frame_t   f;

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

    if (p == NULL) {
        p = s->in;
        len = s->in_len;
    }

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
    if (f->opcode >= NGX_IMS_WS_CLOSE) {
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
        ngx_ims_session_close(s, NGX_IMS_WS_TOO_BIG, NULL, NGX_IMS_END_LOST);
        return NGX_ERROR;
    }

    message = ngx_alloc(size + f->length, s->connection->log);
    if (message == NULL) {
        ngx_ims_session_close(s, NGX_IMS_WS_INTERNAL, NULL, NGX_IMS_END_LOST);
        return NGX_ERROR;
    }

    if (s->fragmented) {
        ngx_memcpy(message, s->message, size);
        ngx_free(s->message);

    } else {
        message[0] = f->opcode;
        s->fragmented = 1;
    }

    ngx_memcpy(message + size, p, f->length);

    s->message = message;
    s->message_len = size + f->length;

    if (!f->fin) {
        return NGX_OK;
    }

    len = s->message_len - 1;
    text = (message[0] == NGX_IMS_WS_TEXT);

    s->message = NULL;
    s->message_len = 0;
    s->fragmented = 0;

    rc = ngx_ims_session_message(s, message + 1, len, text);

    ngx_free(message);

    return rc;
}


static ngx_int_t
ngx_ims_session_message(ngx_ims_session_t *s, u_char *p, size_t len,
    ngx_uint_t text)
{
    static u_char  pong[] = "\x81\x02\r\n";

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
                              rc == NGX_IMS_OK ? NGX_IMS_END_LEFT
                                               : NGX_IMS_END_LOST);

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


/* the ping clock */

static void
ngx_ims_session_tick(ngx_ims_session_t *s)
{
    ngx_connection_t  *c;

    static u_char  ping[] = { 0x80 | NGX_IMS_WS_PING, 0 };

    c = s->connection;

    if (!s->known) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client did not register in time");
        ngx_ims_session_close(s, NGX_IMS_WS_POLICY, "no registration",
                              NGX_IMS_END_LEFT);
        return;
    }

    if (s->draining && c->idle) {
        ngx_ims_session_close(s, NGX_IMS_WS_SERVICE_RESTART, "reload",
                              NGX_IMS_END_LOST);
        return;
    }

    if (s->heard) {
        s->misses = 0;
        s->heard = 0;

    } else if (++s->misses > s->policy->ping_misses) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client does not answer pings");
        ngx_ims_session_end(s, NGX_IMS_END_LOST);
        ngx_ims_session_free(s);
        return;
    }

    ngx_add_timer(c->read, s->policy->ping);

    (void) ngx_ims_session_raw(s, ping, sizeof(ping));
}


/*
 * This worker goes away: an idle browser is closed after a random part of the
 * drain time, one in a call stays until that ends.  When worker_shutdown_timeout
 * has struck (c->error), it is told at once, and its dialogs go on elsewhere.
 */

static void
ngx_ims_session_drain(ngx_ims_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c->error) {
        c->error = 0;
        ngx_ims_session_close(s, NGX_IMS_WS_SERVICE_RESTART, "shutdown",
                              NGX_IMS_END_LOST);
        return;
    }

    c->close = 0;

    if (s->draining) {
        return;
    }

    s->draining = 1;

    ngx_add_timer(c->read, ngx_random() % (s->policy->drain + 1) + 1);
}


void
ngx_ims_session_settle(ngx_ims_session_t *s)
{
    ngx_uint_t         busy;
    ngx_connection_t  *c;

    c = s->connection;

    if (s->closing || s->ended) {
        return;
    }

    busy = s->ncalls || s->nrequests || s->registering != NULL;

    c->idle = !busy;

    if (busy) {
        return;
    }

    if (s->expired) {
        s->worker->token_end(s);
        return;
    }

    if (ngx_exiting && !s->draining) {
        ngx_ims_session_drain(s);
    }
}


static ngx_int_t
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

static ngx_int_t
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

    if (s->out_bytes + len > NGX_IMS_SESSION_MAX_OUT) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "client reads too slowly");
        ngx_add_timer(c->write, 1);
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
        ngx_add_timer(c->write, NGX_IMS_SESSION_WRITE_WAIT);
    }

    return ngx_handle_write_event(c->write, 0);
}


static void
ngx_ims_session_write(ngx_event_t *wev)
{
    ssize_t             n;
    ngx_ims_out_t      *out;
    ngx_connection_t   *c;
    ngx_ims_session_t  *s;

    c = wev->data;
    s = c->data;

    if (wev->timedout) {

        if (!s->closing) {
            ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                          "client timed out while reading from us");
            ngx_ims_session_end(s, NGX_IMS_END_LOST);
        }

        ngx_ims_session_free(s);
        return;
    }

    while (s->out != NULL) {
        out = s->out;

        n = c->send(c, out->pos, out->last - out->pos);

        if (n == NGX_ERROR) {

            if (!s->closing) {
                ngx_ims_session_end(s, NGX_IMS_END_LOST);
            }

            ngx_ims_session_free(s);
            return;
        }

        if (n == NGX_AGAIN || n == 0) {
            break;
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

    if (s->out == NULL) {

        if (s->closed) {
            ngx_ims_session_free(s);
            return;
        }

        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

    } else {
        ngx_add_timer(wev, NGX_IMS_SESSION_WRITE_WAIT);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {

        if (!s->closing) {
            ngx_ims_session_end(s, NGX_IMS_END_LOST);
        }

        ngx_ims_session_free(s);
    }
}


void
ngx_ims_session_close(ngx_ims_session_t *s, ngx_uint_t code,
    const char *reason, ngx_ims_end_e how)
{
    size_t             n;
    u_char             frame[2 + NGX_IMS_WS_MAX_CONTROL];
    ngx_connection_t  *c;

    if (s->closing) {
        return;
    }

    c = s->connection;

    ngx_ims_session_end(s, how);

    n = ngx_ims_ws_close(frame, code, reason);
    (void) ngx_ims_session_raw(s, frame, n);

    s->closing = 1;
    c->idle = 0;
    c->close = 0;

    ngx_add_timer(c->read, NGX_IMS_SESSION_CLOSE_WAIT);

    /* the browser's close frame may have been received already */

    ngx_post_event(c->read, &ngx_posted_events);
}


static void
ngx_ims_session_end(ngx_ims_session_t *s, ngx_ims_end_e how)
{
    if (s->ended) {
        return;
    }

    if (s->token_event.timer_set) {
        ngx_del_timer(&s->token_event);
    }

    if (s->refresh_event.timer_set) {
        ngx_del_timer(&s->refresh_event);
    }

    /* first, so that nothing that ends with it can close it again */

    s->ended = 1;

    s->worker->end(s, how);

    if (s->bound) {
        ngx_queue_remove(&s->bucket);
        s->bound = 0;
    }
}


void
ngx_ims_session_abort(ngx_ims_session_t *s)
{
    if (s->token_event.timer_set) {
        ngx_del_timer(&s->token_event);
    }

    ngx_queue_remove(&s->queue);
    s->worker->nsessions--;
    (void) ngx_atomic_fetch_add(&s->pool->zone.sh->counters.sockets, -1);
}


static void
ngx_ims_session_free(ngx_ims_session_t *s)
{
    ngx_ims_out_t     *out, *next;
    ngx_connection_t  *c;

    c = s->connection;

    ngx_ims_session_abort(s);

    for (out = s->out; out != NULL; out = next) {
        next = out->next;
        ngx_free(out);
    }

    if (s->in != NULL) {
        ngx_free(s->in);
    }

    if (s->message != NULL) {
        ngx_free(s->message);
    }

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
    }
#endif

    ngx_http_close_connection(c);
}
