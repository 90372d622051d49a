/*
 * Copyright (C) the IMS portal authors
 *
 * The socket of one browser.  Frames come in through the worker's scratch
 * buffer; only a partial frame or message is kept with the session, so that an
 * idle browser costs little.
 *
 * Timers: the read event's is the ping clock and, as it is not cancelable,
 * keeps an old worker alive; after our close frame it bounds the wait for the
 * browser's.  It strikes early for a message that takes too long.  The write
 * event's bounds a slow reader.  token_event is that of
 * ngx_ims_session_token.c, refresh_event strikes when the registration at the
 * core is to be refreshed.
 */


#include "ngx_ims_session_priv.h"


static void ngx_ims_session_read(ngx_event_t *rev);
static void ngx_ims_session_write(ngx_event_t *wev);
static void ngx_ims_session_refresh(ngx_event_t *ev);
static void ngx_ims_session_timeout(ngx_ims_session_t *s);
static void ngx_ims_session_tick(ngx_ims_session_t *s);
static void ngx_ims_session_drain(ngx_ims_session_t *s);
static void ngx_ims_session_shut(ngx_ims_session_t *s);
static void ngx_ims_session_end(ngx_ims_session_t *s, ngx_ims_end_e how);


ngx_ims_session_t *
ngx_ims_session_create(ngx_connection_t *c, ngx_ims_worker_t *worker,
    ngx_ims_policy_t *policy, ngx_str_t *host, uint32_t row)
{
    ngx_ims_session_t  *s;

    /*
     * not from c->pool: one more text there, and the pool takes a block as
     * large as the session
     */

    s = ngx_calloc(sizeof(ngx_ims_session_t) + host->len, c->log);
    if (s == NULL) {
        return NULL;
    }

    s->host.data = (u_char *) s + sizeof(ngx_ims_session_t);
    s->host.len = host->len;
    ngx_memcpy(s->host.data, host->data, host->len);

    s->connection = c;
    s->worker = worker;
    s->policy = policy;
    s->pool = policy->pool;
    s->out_last = &s->out;
    s->row = row;
    s->scope = (uintptr_t) s;

#if (NGX_SSL)
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

    s->opened_after = ngx_ims_order_now(s->pool);
    s->bound_after = s->opened_after;

    ngx_queue_insert_tail(&worker->sessions, &s->queue);
    worker->nsessions++;

    ngx_ims_workers_count(worker->workers, s->pool, 1);

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


static void
ngx_ims_session_refresh(ngx_event_t *ev)
{
    ngx_ims_session_t  *s;

    s = ev->data;
    s->worker->refresh(s);
}


static void
ngx_ims_session_read(ngx_event_t *rev)
{
    size_t              size, total;
    u_char             *buf;
    ssize_t             n;
    ngx_connection_t   *c;
    ngx_ims_session_t  *s;

    c = rev->data;
    s = c->data;
    total = 0;

    if (c->close && !s->closing) {
        ngx_ims_session_drain(s);
        return;
    }

    if (c->close && c->error) {
        c->close = 0;
        c->error = 0;
        ngx_add_timer(rev, NGX_IMS_SESSION_HURRY);
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_ims_session_timeout(s);
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
        total += n;

        if (s->in != NULL) {
            s->in_len += n;
            buf = NULL;
        }

        if (ngx_ims_session_input(s, buf, n) != NGX_OK
            || ngx_ims_session_pace(s) != NGX_OK)
        {
            return;
        }

        if (total >= NGX_IMS_SESSION_TURN && rev->ready) {

            /* others have their turn */

            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_ims_session_end(s, NGX_IMS_END_LOST);
        ngx_ims_session_free(s);
    }
}


static void
ngx_ims_session_timeout(ngx_ims_session_t *s)
{
    if (s->closing) {
        ngx_ims_session_free(s);
        return;
    }

    if (ngx_ims_session_pace_tick(s) == NGX_OK) {
        ngx_ims_session_tick(s);
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
        ngx_ims_session_shut(s);
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
 * drain time, or at once when nobody is there that it could come back to; one
 * in a call stays until that ends.  When worker_shutdown_timeout has struck
 * (c->error), it is told at once, and its dialogs go on elsewhere.
 */

static void
ngx_ims_session_drain(ngx_ims_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c->error) {
        c->error = 0;
        s->worker->struck = 1;
        ngx_ims_session_shut(s);
        return;
    }

    c->close = 0;

    if (s->draining) {
        return;
    }

    s->draining = 1;
    s->ping_due = 0;

    if (ngx_ims_workers_orphan(s->worker->workers, s->pool)) {
        ngx_ims_session_shut(s);
        return;
    }

    ngx_add_timer(c->read, ngx_random() % (s->policy->drain + 1) + 1);
}


static void
ngx_ims_session_shut(ngx_ims_session_t *s)
{
    ngx_uint_t  alone;

    alone = ngx_ims_workers_orphan(s->worker->workers, s->pool);

    ngx_ims_session_close(s, alone ? NGX_IMS_WS_GOING_AWAY
                                   : NGX_IMS_WS_SERVICE_RESTART,
                          alone ? "shutdown" : "restart", NGX_IMS_END_LOST);
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

    /*
     * Behind its token, nothing keeps it that has been answered and may only
     * be repeated, nor a core that is silent.  Its callers may be in the midst
     * of such a request, so a timer does it.
     */

    if (s->expired && s->ncalls == 0 && s->npending == 0) {
        ngx_ims_session_until(s, 0);
    }

    if (busy || s->expired) {
        return;
    }

    if (s->leave) {
        ngx_ims_session_close(s, s->leave,
                              s->leave_reason ? s->leave_reason
                                              : "registration lost",
                              NGX_IMS_END_LEFT);
        return;
    }

    if (ngx_exiting && !s->draining) {
        ngx_ims_session_drain(s);
    }
}


static void
ngx_ims_session_write(ngx_event_t *wev)
{
    ngx_connection_t   *c;
    ngx_ims_session_t  *s;

    c = wev->data;
    s = c->data;

    if (wev->timedout) {

        if (!s->closing) {
            if (!s->slow) {
                ngx_ims_session_limited(s, NGX_IMS_LIMITED_SEND_TIMEOUT);
            }

            ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                          "client timed out while reading from us");
            ngx_ims_session_end(s, NGX_IMS_END_LOST);
        }

        ngx_ims_session_free(s);
        return;
    }

    if (ngx_ims_session_flush(s) != NGX_OK) {

        if (!s->closing) {
            ngx_ims_session_end(s, NGX_IMS_END_LOST);
        }

        ngx_ims_session_free(s);
        return;
    }

    if (s->out == NULL) {

        if (s->closed) {
            ngx_ims_session_free(s);
            return;
        }

        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

    } else if (!s->slow) {
        ngx_add_timer(wev, s->policy->limits.send_timeout);
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

    ngx_add_timer(c->read, s->worker->struck ? NGX_IMS_SESSION_HURRY
                                             : NGX_IMS_SESSION_CLOSE_WAIT);

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

    ngx_ims_waiter_cancel(&s->waiting);

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
    ngx_ims_workers_count(s->worker->workers, s->pool, -1);

    ngx_ims_limit_close(s->worker->limit, s->row, &s->worker->self);

    if (s->grant != NULL) {
        ngx_free(s->grant);
    }

    ngx_free(s);
}


void
ngx_ims_session_free(ngx_ims_session_t *s)
{
    ngx_connection_t  *c;
    ngx_ims_close_pt   close;

    c = s->connection;
    close = s->worker->close;

    ngx_ims_session_discard(s);

    if (s->in != NULL) {
        ngx_free(s->in);
    }

    if (s->message != NULL) {
        ngx_free(s->message);
    }

    if (s->challenge != NULL) {
        ngx_free(s->challenge);
    }

#if (NGX_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
    }
#endif

    ngx_ims_session_abort(s);

    close(c);
}
