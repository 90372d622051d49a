/*
 * Copyright (C) the IMS portal authors
 *
 * A browser's REGISTER is answered at once from the record when the core's
 * registration is good; else it waits for the portal's own.
 */


#include "ngx_ims_register.h"
#include "ngx_ims_bearer.h"
#include "ngx_ims_clock.h"
#include "ngx_ims_linger.h"
#include "ngx_ims_register_answer.h"


#define NGX_IMS_REGISTER_DEFAULT  600         /* s, when none is asked */
#define NGX_IMS_REGISTER_MARGIN   5           /* s before the core's expiry */


/* the browser's REGISTER that waits for the core; session->registering */

typedef struct {
    ngx_ims_txn_t            *server;         /* NULL: a refresh of ours */
    ngx_ims_session_t        *session;        /* NULL: the socket is gone */
    time_t                    asked;          /* s, by the browser */
    ngx_uint_t                refs;           /* transaction, upstream */
} ngx_ims_wait_t;


static ngx_int_t ngx_ims_register_lease(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_register_identity(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_register_bind(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact);
static ngx_int_t ngx_ims_register_contact(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact, time_t *expires);
static ngx_uint_t ngx_ims_register_features(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact);
static void ngx_ims_register_start(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, time_t asked, time_t upstream);
static void ngx_ims_register_done(void *data, ngx_ims_uac_result_t *result);
static void ngx_ims_register_unref(ngx_ims_wait_t *wait);
static ngx_uint_t ngx_ims_register_status(ngx_uint_t status);
static void ngx_ims_register_failed(ngx_ims_session_t *s);
static void ngx_ims_register_tell(ngx_ims_session_t *s, ngx_uint_t status);
static void ngx_ims_register_server(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_register_clock(ngx_ims_session_t *s, time_t granted);
static time_t ngx_ims_register_cap(ngx_ims_session_t *s, time_t expires);


static ngx_ims_register_moved_pt  ngx_ims_register_moved;


void
ngx_ims_register_init(ngx_ims_register_moved_pt moved)
{
    ngx_ims_register_moved = moved;
}


void
ngx_ims_register_request(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    time_t              expires, now;
    ngx_uint_t          changed;
    ngx_ims_binding_t   b;
    ngx_ims_sip_addr_t  contact;

    if (ngx_ims_bearer_check(s, m) != NGX_OK
        || ngx_ims_register_lease(s, m) != NGX_OK
        || ngx_ims_register_identity(s, m) != NGX_OK)
    {
        return;
    }

    now = ngx_time();

    if (!ngx_ims_sip_hdr(m, NGX_IMS_HDR_CONTACT)) {

        /* a fetch (RFC 3261 10.2.3) */

        expires = s->registered ? s->expires - now : 0;
        ngx_ims_register_answer(s, m, NULL, 200, ngx_max(expires, 0));
        return;
    }

    if (ngx_ims_register_contact(s, m, &contact, &expires) != NGX_OK) {
        ngx_ims_register_answer(s, m, NULL, 400, 0);
        return;
    }

    if (expires == 0 && !s->bound) {
        ngx_ims_register_answer(s, m, NULL, 200, 0);
        return;
    }

    if (s->registering != NULL) {

        /* one at a time: its result belongs to the binding of now */

        ngx_ims_register_answer(s, m, NULL, 500, 0);
        return;
    }

    if (expires && ngx_ims_register_bind(s, m, &contact) != NGX_OK) {
        return;
    }

    if (expires == 0) {
        s->registered = 0;
        ngx_ims_register_start(s, m, 0, 0);
        return;
    }

    expires = ngx_ims_register_cap(s, expires);

    if (expires <= 0) {
        ngx_ims_bearer_challenge(s, m, 401, "invalid_token");
        return;
    }

    changed = ngx_ims_register_features(s, m, &contact);

    if (!changed
        && ngx_ims_binding_load(s->pool, &s->binding, &b, s->worker->record)
           == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED
        && b.expires > now + NGX_IMS_REGISTER_MARGIN)
    {
        s->registered = 1;
        s->expires = now + expires;
        ngx_ims_register_clock(s, b.expires - now);
        ngx_ims_call_recount(s);
        ngx_ims_register_answer(s, m, NULL, 200, expires);
        return;
    }

    ngx_ims_register_start(s, m, expires,
                           ngx_ims_register_cap(s,
                                                s->policy->register_expires));
}


/* RG-13: nothing outlives the token */

static time_t
ngx_ims_register_cap(ngx_ims_session_t *s, time_t expires)
{
    time_t  left;

    left = s->token_expires - s->policy->leeway - ngx_time();

    return ngx_min(expires, left);
}


static ngx_int_t
ngx_ims_register_lease(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    u_char      retry[64];
    ngx_int_t   rc;
    ngx_uint_t  fresh;

    rc = ngx_ims_pool_lease(s->pool, s->digest, &s->lease, &fresh,
                            s->connection->log);

    if (rc == NGX_OK) {
        s->leased = 1;
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                  "IMPU pool \"%V\" is exhausted", &s->pool->name);

    *ngx_sprintf(retry, "Retry-After: %T" CRLF,
                 ngx_ims_pool_retry_after(s->pool)) = '\0';

    ngx_ims_call_refuse(s->worker, &s->flow, m, 503, (char *) retry);

    return NGX_DECLINED;
}


/* RG-5: To and From are the assigned identity, or the request is refused */

static ngx_int_t
ngx_ims_register_identity(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    u_char         text[NGX_IMS_MAX_IMPU];
    ngx_ims_str_t  impu;

    impu.data = text;
    impu.len = ngx_ims_pool_impu(s->pool, s->lease, text);

    if (impu.len
        && ngx_ims_sip_uri_equal(&m->to.uri, &impu)
        && ngx_ims_sip_uri_equal(&m->from.uri, &impu))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "client registers \"%V\", its identity is \"%V\"",
                  &m->to.uri, &impu);

    ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                         "Warning: 399 portal \"not your identity\"" CRLF);

    return NGX_DECLINED;
}


/* the first Contact and the life it asks for; "*" and none are as 0 */

static ngx_int_t
ngx_ims_register_contact(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_addr_t *contact, time_t *expires)
{
    uint64_t            n;
    ngx_ims_str_t       value, param;
    ngx_ims_sip_iter_t  it;

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));
    ngx_memzero(contact, sizeof(ngx_ims_sip_addr_t));

    if (!ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)) {
        return NGX_ERROR;
    }

    if (value.len == 1 && value.data[0] == '*') {
        *expires = 0;
        return m->expires == 0 ? NGX_OK : NGX_ERROR;
    }

    if (ngx_ims_sip_parse_addr(&value, contact) != NGX_IMS_OK
        || contact->uri.len > 1024)
    {
        return NGX_ERROR;
    }

    *expires = m->expires >= 0 ? m->expires : NGX_IMS_REGISTER_DEFAULT;

    if (ngx_ims_sip_param(&contact->params, "expires", &param)) {
        if (ngx_ims_sip_number(&param, 0xffffffff, &n) != 0) {
            return NGX_ERROR;
        }

        *expires = n;
    }

    return NGX_OK;
}


/*
 * The binding of this browser: by its +sip.instance (RFC 5626 4.1), or by its
 * Contact when it has none.  A former socket of the same browser is let go.
 */

static ngx_int_t
ngx_ims_register_bind(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_addr_t *contact)
{
    u_char              instance[NGX_IMS_DIGEST_LEN];
    ngx_int_t           rc;
    ngx_str_t           uri;
    ngx_ims_ref_t       ref;
    ngx_ims_str_t       id, none;
    ngx_ims_owner_t     before;
    ngx_ims_session_t  *other;

    if (!ngx_ims_sip_param(&contact->params, "+sip.instance", &id)) {
        id = contact->uri;
    }

    none.len = 0;
    none.data = NULL;
    ngx_ims_pool_user(&none, &id, instance);

    rc = ngx_ims_binding_get(s->pool, s->lease, instance, &s->worker->self,
                             &ref, &before);

    if (rc != NGX_OK) {

        if (rc == NGX_BUSY) {
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "user \"%V\" has too many browsers", &s->user);
            ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                                "Warning: 399 portal \"too many browsers\""
                                CRLF);

        } else {
            ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                          "zone of pool \"%V\" has no room for a binding",
                          &s->pool->name);
            ngx_ims_call_refuse(s->worker, &s->flow, m, 503,
                                "Retry-After: 5" CRLF);
        }

        return NGX_DECLINED;
    }

    if (!s->bound || s->binding.index != ref.index
        || s->binding.seq != ref.seq)
    {
        other = ngx_ims_session_find(s->worker, s->pool, &ref);

        if (other != NULL && other != s) {
            ngx_ims_session_close(other, NGX_IMS_WS_REPLACED, "replaced",
                                  NGX_IMS_END_MOVED);

        } else if (before.pid
                   && !ngx_ims_owner_equal(&before, &s->worker->self))
        {
            ngx_ims_register_moved(s->worker, s->pool, &ref, &before);
        }

        if (s->bound) {

            /* another browser on the same socket: the one before is gone */

            ngx_ims_linger_start(s->worker, s->pool, &s->binding,
                                 &s->worker->self, 1);
            s->registered = 0;
        }

        ngx_ims_session_bind(s, &ref);
        ngx_ims_clock_arm(s);
    }

    uri = contact->uri;

    if (ngx_ims_binding_contact(s->pool, &ref, &uri) != NGX_OK) {
        ngx_ims_call_refuse(s->worker, &s->flow, m, 503,
                             "Retry-After: 5" CRLF);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* 1: the core has to hear of something that this browser can do (RG-18) */

static ngx_uint_t
ngx_ims_register_features(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_addr_t *contact)
{
    u_char     buf[NGX_IMS_UAC_MAX_FEATURES];
    ngx_str_t  features;

    features.data = buf;
    features.len = ngx_ims_uac_features(m, &contact->params, buf);

    return ngx_ims_binding_features(s->pool, &s->binding, &features)
           == NGX_OK;
}


/* asks the core; m is the browser's REGISTER, NULL for a refresh */

static void
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
    wait->asked = asked;

    if (m != NULL) {
        wait->server = ngx_ims_txn_server(w->txns, m, &s->flow, (uintptr_t) s,
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
        ngx_ims_register_clock(s, result->granted);

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

    if (wait->server == NULL && !s->registered && s->ncalls == 0) {
        ngx_ims_register_tell(s, result->status);
    }

    ngx_ims_register_unref(wait);

    ngx_ims_call_recount(s);
}


/*
 * SIP has no way to tell a registered client that it is not any more, but the
 * socket has: the page learns it at once, and whether to try again.
 */

static void
ngx_ims_register_tell(ngx_ims_session_t *s, ngx_uint_t status)
{
    ngx_uint_t  refused;

    refused = (ngx_ims_register_status(status) == 403);

    ngx_ims_session_close(s, refused ? NGX_IMS_WS_FORBIDDEN
                                     : NGX_IMS_WS_TRY_AGAIN,
                          "registration lost", NGX_IMS_END_LEFT);
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
    ngx_ims_binding_t  b;

    if (ngx_ims_binding_load(s->pool, &s->binding, &b, s->worker->record)
        == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED
        && b.expires > ngx_time() + NGX_IMS_REGISTER_MARGIN)
    {
        ngx_add_timer(&s->refresh_event, NGX_IMS_REGISTER_AGAIN);
        return;
    }

    ngx_ims_binding_idle(s->pool, &s->binding);
    s->registered = 0;
}


/* when the portal refreshes: half of a short life, else 600 s before its end */

static void
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

    if (upstream > 0) {
        ngx_ims_register_start(s, NULL, 1, upstream);
    }
}


void
ngx_ims_register_expire(ngx_ims_session_t *s)
{
    if (!s->bound || !s->registered) {
        return;
    }

    s->registered = 0;

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

    ngx_ims_uac_state_free(s);

    if (s->bound && !moved) {
        ngx_ims_linger_start(s->worker, s->pool, &s->binding,
                             &s->worker->self, grace);
    }
}
