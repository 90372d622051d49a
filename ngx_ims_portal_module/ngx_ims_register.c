/*
 * Copyright (C) the IMS portal authors
 *
 * A browser's REGISTER is answered at once from the record when the core's
 * registration is good; else it waits for the portal's own.
 */


#include "ngx_ims_register_int.h"
#include "ngx_ims_linger.h"
#include "ngx_ims_park.h"
#include "ngx_ims_regevent.h"
#include "ngx_ims_register_answer.h"


#define NGX_IMS_REGISTER_PACE     10          /* s between what it asks for */
#define NGX_IMS_REGISTER_AFTER    3600        /* s, longest that it may ask */


/* the browser's REGISTER that waits for the core; session->registering */

typedef struct {
    ngx_ims_txn_t            *server;         /* NULL: a refresh of ours */
    ngx_ims_session_t        *session;        /* NULL: the socket is gone */
    ngx_ims_core_t           *core;           /* that it counts for */
    time_t                    asked;          /* s, by the browser */
    ngx_uint_t                refs;           /* transaction, upstream */
} ngx_ims_wait_t;


static void ngx_ims_register_done(void *data, ngx_ims_uac_result_t *result);
static void ngx_ims_register_restored(ngx_ims_session_t *s);
static void ngx_ims_register_unref(ngx_ims_wait_t *wait);
static ngx_uint_t ngx_ims_register_lasts(ngx_ims_session_t *s, time_t until);
static ngx_uint_t ngx_ims_register_status(ngx_uint_t status);
static void ngx_ims_register_failed(ngx_ims_session_t *s);
static void ngx_ims_register_tell(ngx_ims_session_t *s, ngx_uint_t code);
static void ngx_ims_register_network(ngx_ims_session_t *s,
    ngx_ims_regevent_e how, time_t after);
static void ngx_ims_register_server(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);


ngx_ims_register_moved_pt  ngx_ims_register_moved;


void
ngx_ims_register_init(ngx_ims_register_moved_pt moved)
{
    ngx_ims_register_moved = moved;
    ngx_ims_regevent_init(ngx_ims_register_network);
}


/* RG-13: nothing outlives the token */

time_t
ngx_ims_register_cap(ngx_ims_session_t *s, time_t expires)
{
    time_t  left;

    (void) ngx_ims_session_renew(s);

    left = s->token_expires - s->policy->token.leeway - ngx_time();

    return ngx_min(expires, left);
}


/* asks the core; m is the browser's REGISTER, NULL for a refresh */

void
ngx_ims_register_start(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    time_t asked, time_t upstream)
{
    ngx_ims_wait_t        *wait;
    ngx_ims_worker_t      *w;
    ngx_ims_uac_result_t   result;

    w = s->worker;

    wait = ngx_calloc(sizeof(ngx_ims_wait_t), s->connection->log);
    if (wait == NULL) {
        if (m != NULL) {
            ngx_ims_call_refuse(w, &s->flow, m, 503, "Retry-After: 5" CRLF);
        }

        return;
    }

    wait->session = s;
    wait->core = s->pool->core;
    wait->asked = asked;

    if (m != NULL) {
        wait->server = ngx_ims_txn_server(w->txns, m, &s->flow, s->scope,
                                          ngx_ims_register_server, wait);
        if (wait->server == NULL) {
            ngx_free(wait);
            ngx_ims_call_refuse(w, &s->flow, m, 503, "Retry-After: 5" CRLF);
            return;
        }
    }

    wait->refs = (m != NULL) + 1;

    s->registering = wait;
    s->connection->idle = 0;
    wait->core->requests++;

    if (ngx_ims_uac_register(w, s->pool, &s->binding, s->lease, upstream,
                             ngx_ims_register_done, wait)
        == NULL)
    {
        ngx_memzero(&result, sizeof(ngx_ims_uac_result_t));
        ngx_ims_register_done(wait, &result);
    }
}


static void
ngx_ims_register_unref(ngx_ims_wait_t *wait)
{
    if (--wait->refs == 0) {
        ngx_free(wait);
    }
}


static void
ngx_ims_register_server(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_wait_t  *wait;

    wait = t->data;

    if (rc == NGX_DONE) {
        wait->server = NULL;
        ngx_ims_register_unref(wait);
    }
}


/* the core's word on a registration */

static void
ngx_ims_register_done(void *data, ngx_ims_uac_result_t *result)
{
    time_t              expires;
    ngx_str_t           text;
    ngx_uint_t          status;
    ngx_ims_wait_t     *wait;
    ngx_ims_worker_t   *w;
    ngx_ims_session_t  *s;

    wait = data;
    s = wait->session;
    wait->core->requests--;

    if (s == NULL) {
        ngx_ims_register_unref(wait);
        return;
    }

    w = s->worker;
    s->registering = NULL;
    expires = 0;

    if (wait->asked == 0 && wait->server != NULL) {

        /* whatever the core said, this browser is not registered any more */

        ngx_ims_binding_idle(s->pool, &s->binding);
        status = 200;

    } else if (result->status == 200) {
        s->registered = 1;
        s->leave = 0;
        ngx_ims_register_clock(s, result->granted);
        ngx_ims_regevent_start(s);
        ngx_ims_register_restored(s);

        expires = ngx_ims_register_cap(s, wait->asked);
        status = expires > 0 ? 200 : 403;

        if (wait->server != NULL) {
            s->expires = ngx_time() + expires;
        }

    } else {
        status = ngx_ims_register_status(result->status);
        ngx_ims_register_failed(s);
    }

    if (wait->server != NULL) {
        text = wait->server->request;

        if (ngx_ims_sip_parse(&w->saved->msg, text.data, text.len,
                              w->saved->hdrs, NGX_IMS_SIP_MAX_HEADERS, 1)
            == NGX_IMS_OK)
        {
            ngx_ims_register_answer(s, &w->saved->msg, wait->server, status,
                                    expires);
        }
    }

    if (wait->server == NULL && !s->registered) {
        ngx_ims_register_tell(s, ngx_ims_register_status(result->status) == 403
                                 ? NGX_IMS_WS_FORBIDDEN
                                 : NGX_IMS_WS_TRY_AGAIN);
    }

    ngx_ims_register_unref(wait);

    ngx_ims_park_soon();
    ngx_ims_call_recount(s);
}


/* a core that had forgotten the registration has no subscription, either */

static void
ngx_ims_register_restored(ngx_ims_session_t *s)
{
    ngx_ims_uac_state_t  *state;

    state = s->registration;

    if (state != NULL && state->restoring) {
        state->restoring = 0;
        ngx_ims_regevent_renew(s);
    }
}


/*
 * SIP has no way to tell a registered client that it is not any more, but the
 * socket has: the page learns it at once, and whether to try again.
 */

static void
ngx_ims_register_tell(ngx_ims_session_t *s, ngx_uint_t code)
{
    ngx_ims_regevent_end(s);

    if (s->ncalls) {

        /* its calls go on; ngx_ims_session_settle() closes it behind them */

        s->leave = code;
        return;
    }

    ngx_ims_session_close(s, code, "registration lost", NGX_IMS_END_LEFT);
}


/*
 * The network ended a registration (RFC 3680 5.1).  Many may be told at once,
 * so those that are to come back do so in turns.
 */

static void
ngx_ims_register_network(ngx_ims_session_t *s, ngx_ims_regevent_e how,
    time_t after)
{
    time_t                paced;
    ngx_ims_uac_state_t  *state;

    ngx_ims_binding_idle(s->pool, &s->binding);

    if (how == NGX_IMS_REGEVENT_AGAIN) {

        if (s->registering != NULL) {
            return;
        }

        state = s->registration;
        paced = state->asked + NGX_IMS_REGISTER_PACE - ngx_time();

        after = ngx_max(after, paced);
        after = ngx_max(after, 0);
        after = ngx_min(after, NGX_IMS_REGISTER_AFTER);

        state->asked = ngx_time() + after;

        ngx_add_timer(&s->refresh_event, (ngx_msec_t) after * 1000 + 100
                                         + ngx_random() % 1000);
        return;
    }

    s->registered = 0;

    ngx_ims_register_tell(s, how == NGX_IMS_REGEVENT_REFUSED
                             ? NGX_IMS_WS_FORBIDDEN : NGX_IMS_WS_TRY_AGAIN);
}


/* what the browser hears of the core's answer (spec section 5, table) */

static ngx_uint_t
ngx_ims_register_status(ngx_uint_t status)
{
    switch (status) {

    case 403:
    case 404:
        return 403;

    case 480:
    case 500:
        return status;

    case 0:
    case 408:
    case 503:
    case 504:
        return 503;

    case 401:
    case 407:

        /* a trusted node was challenged: nothing that a browser can mend */

        return 403;

    default:
        return 500;
    }
}


/*
 * A refresh that failed is tried again while the core's registration lasts;
 * after that the browser is not registered.
 */

static void
ngx_ims_register_failed(ngx_ims_session_t *s)
{
    ngx_msec_t            wait;
    ngx_ims_binding_t     b;
    ngx_ims_uac_state_t  *state;

    if (ngx_ims_binding_load(s->pool, &s->binding, &b, s->worker->record)
        == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED
        && b.expires > ngx_time() + NGX_IMS_REGISTER_MARGIN)
    {
        wait = NGX_IMS_REGISTER_AGAIN;
        state = s->registration;

        if (state != NULL && state->restoring) {
            wait = ngx_min(state->restoring, wait);
            state->restoring = 2 * wait;
        }

        ngx_add_timer(&s->refresh_event, wait + ngx_random() % (wait / 4));
        return;
    }

    ngx_ims_binding_idle(s->pool, &s->binding);
    s->registered = 0;
}


/* when the portal refreshes: half of a short life, else 600 s before its end */

void
ngx_ims_register_clock(ngx_ims_session_t *s, time_t granted)
{
    time_t  wait;

    wait = granted < 1200 ? granted / 2 : granted - 600;

    ngx_add_timer(&s->refresh_event, (ngx_msec_t) ngx_max(wait, 1) * 1000);
}


void
ngx_ims_register_refresh(ngx_ims_session_t *s)
{
    time_t  upstream;

    if (s->registering != NULL || !s->registered || !s->bound) {
        return;
    }

    if (s->expires <= ngx_time()) {

        /* the browser did not come back for its own refresh */

        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client let its registration expire");
        ngx_ims_register_expire(s);
        return;
    }

    upstream = ngx_ims_register_cap(s, s->policy->register_expires);

    if (upstream <= 0) {
        return;
    }

    if (!s->refresh_now && ngx_ims_register_lasts(s, ngx_time() + upstream)) {
        ngx_add_timer(&s->refresh_event,
                      (ngx_msec_t) (s->expires - ngx_time()) * 1000 + 1);
        return;
    }

    s->refresh_now = 0;

    ngx_ims_register_start(s, NULL, 1, upstream);
}


/*
 * 1 when the core's registration lasts until then, which is the end of the
 * token: asking for less and less would gain nothing, and most cores refuse it.
 * A fresh token brings a REGISTER of the browser, and a longer time.
 */

static ngx_uint_t
ngx_ims_register_lasts(ngx_ims_session_t *s, time_t until)
{
    ngx_ims_core_t       *core;
    ngx_ims_binding_t     b;
    ngx_ims_uac_state_t  *state;

    core = s->pool->core;
    state = s->registration;

    return (state == NULL || !state->restoring)
           && ngx_ims_binding_load(s->pool, &s->binding, &b,
                                   s->worker->record)
              == NGX_OK
           && b.state == NGX_IMS_BINDING_REGISTERED
           && b.expires >= until
           && !(core->reregister && b.registered < ngx_ims_core_back(core));
}


void
ngx_ims_register_expire(ngx_ims_session_t *s)
{
    if (!s->bound || !s->registered) {
        return;
    }

    s->registered = 0;

    ngx_ims_regevent_end(s);
    ngx_ims_binding_idle(s->pool, &s->binding);

    (void) ngx_ims_uac_register(s->worker, s->pool, &s->binding, s->lease, 0,
                                NULL, NULL);
}


void
ngx_ims_register_lost(ngx_ims_session_t *s, ngx_msec_t grace,
    ngx_uint_t moved)
{
    ngx_ims_wait_t  *wait;

    wait = s->registering;

    if (wait != NULL) {
        wait->session = NULL;
        s->registering = NULL;

        if (wait->server != NULL) {
            ngx_ims_txn_detach(wait->server);

            /* nothing is sent any more: this only lets it end */

            (void) ngx_ims_txn_reply(wait->server, 480, (u_char *) "", 0);
        }
    }

    ngx_ims_regevent_end(s);
    ngx_ims_uac_state_free(s);

    if (s->bound && !moved) {
        ngx_ims_linger_start(s->worker, s->pool, &s->binding,
                             &s->worker->self, grace);
    }
}
