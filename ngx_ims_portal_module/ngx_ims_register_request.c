/*
 * Copyright (C) the IMS portal authors
 *
 * A browser's REGISTER: whose it is, for which identity, from which browser,
 * and whether the record answers it or the core has to.
 *
 * No timers.
 */


#include "ngx_ims_register_int.h"
#include "ngx_ims_bearer.h"
#include "ngx_ims_clock.h"
#include "ngx_ims_lease.h"
#include "ngx_ims_linger.h"
#include "ngx_ims_park.h"
#include "ngx_ims_regevent.h"
#include "ngx_ims_register_answer.h"
#include "ngx_ims_screen.h"


#define NGX_IMS_REGISTER_DEFAULT  600         /* s, when none is asked */
#define NGX_IMS_REGISTER_LEAST    2           /* s that are worth a REGISTER */


static void ngx_ims_register_known(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_register_wake(void *data);
static ngx_int_t ngx_ims_register_lease(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_register_identity(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_register_contact(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact, time_t *expires);
static ngx_int_t ngx_ims_register_bind(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact);
static void ngx_ims_register_no_binding(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_int_t rc);
static ngx_int_t ngx_ims_register_take(ngx_ims_session_t *s,
    u_char *instance, ngx_ims_ref_t *ref, ngx_ims_owner_t *before);
static ngx_uint_t ngx_ims_register_forgotten(ngx_ims_session_t *s,
    ngx_ims_binding_t *b);
static ngx_uint_t ngx_ims_register_features(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact);


ngx_int_t
ngx_ims_register_request(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_int_t  rc;

    rc = ngx_ims_bearer_check(s, m);

    if (rc == NGX_OK) {
        rc = ngx_ims_register_lease(s, m);
    }

    if (rc == NGX_OK && ngx_ims_register_identity(s, m) == NGX_OK) {
        ngx_ims_register_known(s, m);
    }

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static void
ngx_ims_register_known(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    time_t              expires, now;
    ngx_uint_t          changed;
    ngx_ims_binding_t   b;
    ngx_ims_sip_addr_t  contact;

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

        if (ngx_ims_screen_register(s, m) != NGX_OK) {
            return;
        }

        s->registered = 0;
        ngx_ims_regevent_end(s);
        ngx_ims_register_start(s, m, 0, 0);
        return;
    }

    if (ngx_ims_register_cap(s, NGX_IMS_REGISTER_LEAST)
        < NGX_IMS_REGISTER_LEAST)
    {
        ngx_ims_bearer_challenge(s, m, 401, "invalid_token");
        return;
    }

    expires = ngx_ims_register_cap(s, expires);
    changed = ngx_ims_register_features(s, m, &contact);

    if (!changed
        && ngx_ims_binding_load(s->pool, &s->binding, &b, s->worker->record)
           == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED
        && b.expires > now + NGX_IMS_REGISTER_MARGIN
        && !ngx_ims_register_forgotten(s, &b))
    {
        s->registered = 1;
        s->expires = now + expires;
        s->leave = 0;
        ngx_ims_register_clock(s, b.expires - now);
        ngx_ims_regevent_start(s);
        ngx_ims_call_recount(s);
        ngx_ims_register_answer(s, m, NULL, 200, expires);
        return;
    }

    if (ngx_ims_screen_register(s, m) != NGX_OK) {
        return;
    }

    ngx_ims_register_start(s, m, expires,
                           ngx_ims_register_cap(s,
                                                s->policy->register_expires));
}


/* 1 when the core was down since, and may have lost what it had */

static ngx_uint_t
ngx_ims_register_forgotten(ngx_ims_session_t *s, ngx_ims_binding_t *b)
{
    ngx_ims_core_t  *core;

    core = s->pool->core;

    return core->reregister && b->registered < ngx_ims_core_back(core);
}


static ngx_int_t
ngx_ims_register_lease(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    u_char            extra[128];
    ngx_int_t         rc;
    ngx_uint_t        fresh;
    ngx_ims_want_t    want;
    ngx_ims_waiter_t  waiter;

    ngx_ims_grant_want(s->grant, &want);

    waiter.handler = ngx_ims_register_wake;
    waiter.data = s;
    waiter.slot = &s->waiting;
    waiter.log = s->connection->log;

    rc = ngx_ims_lease_get(s->pool, &want, &waiter, &s->lease, &fresh,
                           s->connection->log);

    switch (rc) {

    case NGX_OK:
        s->leased = 1;
        return NGX_OK;

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_DECLINED:
        ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                            "Warning: 399 portal \"identity not allowed\""
                            CRLF);
        return NGX_DECLINED;

    case NGX_ABORT:
        ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                            "Warning: 399 portal \"identity is taken\"" CRLF);
        return NGX_DECLINED;

    case NGX_BUSY:
        ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                      "IMPU pool \"%V\" is exhausted", &s->pool->name);
        break;
    }

    *ngx_sprintf(extra, "Retry-After: %T" CRLF,
                 ngx_ims_lease_retry_after(s->pool, rc)) = '\0';

    ngx_ims_call_refuse(s->worker, &s->flow, m, 503, (char *) extra);

    return NGX_DECLINED;
}


static void
ngx_ims_register_wake(void *data)
{
    ngx_ims_session_t  *s;

    s = data;
    s->worker->wake(s);
}


/* RG-5: To and From are the assigned identity, or the request is refused */

static ngx_int_t
ngx_ims_register_identity(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    u_char         text[NGX_IMS_MAX_IMPU];
    ngx_ims_str_t  impu;

    impu.data = text;
    impu.len = ngx_ims_pool_impu(s->pool, s->lease, text);

    if (ngx_ims_pool_owns(s->pool, s->lease, &m->to.uri)
        && ngx_ims_pool_owns(s->pool, s->lease, &m->from.uri))
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

    rc = ngx_ims_register_take(s, instance, &ref, &before);

    if (rc != NGX_OK) {
        ngx_ims_register_no_binding(s, m, rc);
        return NGX_DECLINED;
    }

    if (!s->bound || s->binding.index != ref.index
        || s->binding.seq != ref.seq)
    {
        other = ngx_ims_session_find(s->worker, s->pool, &ref);

        if (other != NULL && other != s) {
            ngx_ims_forward_move(other, s);
            ngx_ims_session_close(other, NGX_IMS_WS_REPLACED, "replaced",
                                  NGX_IMS_END_MOVED);

        } else if (before.pid
                   && !ngx_ims_owner_equal(&before, &s->worker->self))
        {
            if (ngx_ims_ipc_alive(&before, s->connection->log)) {
                ngx_ims_register_moved(s->worker, s->pool, &ref, &before);

            } else {
                ngx_ims_call_forget_early(s->worker, s->pool, &ref);
            }
        }

        if (s->bound) {

            /* another browser on the same socket: the one before is gone */

            ngx_ims_regevent_end(s);
            ngx_ims_linger_start(s->worker, s->pool, &s->binding,
                                 &s->worker->self, 0);
            s->registered = 0;
        }

        ngx_ims_session_bind(s, &ref);
        ngx_ims_lease_here(s->pool, s->lease);
        ngx_ims_forward_back(s);
        ngx_ims_forward_calling(s);
        ngx_ims_park_soon();
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


static void
ngx_ims_register_no_binding(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_int_t rc)
{
    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "user \"%V\" has too many browsers", &s->user);
        ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                            "Warning: 399 portal \"too many browsers\"" CRLF);
        return;
    }

    if (ngx_ims_limit_pool_full(s->worker->limit)) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "zone of pool \"%V\" has no room for a binding",
                      &s->pool->name);
    }

    ngx_ims_call_refuse(s->worker, &s->flow, m, 503, "Retry-After: 5" CRLF);
}


/* its record, as far as the pool and the token allow him another one */

static ngx_int_t
ngx_ims_register_take(ngx_ims_session_t *s, u_char *instance,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *before)
{
    uint32_t  devices;

    devices = s->grant->devices;

    if (devices == 0) {
        return NGX_BUSY;
    }

    if (devices == NGX_IMS_GRANT_ANY) {
        devices = 0;

    } else if (s->pool->devices_given) {
        devices = ngx_min(devices, s->pool->devices);
    }

    return ngx_ims_binding_get(s->pool, s->lease, instance, devices,
                               s->grant->no_video ? NGX_IMS_RIGHT_NO_VIDEO
                                                  : 0,
                               &s->worker->self, ref, before);
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
