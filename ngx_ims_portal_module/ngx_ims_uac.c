/*
 * Copyright (C) the IMS portal authors
 *
 * One REGISTER of the portal at the core, with its second tries.
 *
 * Timers: the transaction's own, and one second before a 500 is tried again.
 */


#include "ngx_ims_uac_int.h"


#define NGX_IMS_UAC_RETRY      1000           /* ms before a 500 is repeated */
#define NGX_IMS_UAC_MAX_TRIES  8


static ngx_ims_register_t *ngx_ims_uac_served(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, uint32_t lease,
    time_t expires, ngx_ims_uac_handler_pt handler, void *data);
static void ngx_ims_uac_response(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_uac_answer(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m);
static ngx_uint_t ngx_ims_uac_retry(ngx_ims_register_t *reg,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_uac_timer(ngx_event_t *ev);
static void ngx_ims_uac_watch(ngx_ims_register_t *reg);
static void ngx_ims_uac_done(ngx_ims_register_t *reg, ngx_uint_t status,
    time_t granted);
static void ngx_ims_uac_free(ngx_ims_register_t *reg);


ngx_ims_register_t *
ngx_ims_uac_register(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, uint32_t lease, time_t expires,
    ngx_ims_uac_handler_pt handler, void *data)
{
    ngx_ims_session_t    *s;
    ngx_ims_register_t   *reg;
    ngx_ims_uac_state_t  *state;

    if (pool->block.impu.len && lease != NGX_IMS_LEASE_BLOCK) {
        return ngx_ims_uac_served(w, pool, binding, lease, expires, handler,
                                  data);
    }

    reg = ngx_calloc(sizeof(ngx_ims_register_t), w->log);
    if (reg == NULL) {
        return NULL;
    }

    reg->worker = w;
    reg->pool = pool;
    reg->binding = *binding;
    reg->lease = lease;
    reg->expires = expires;
    reg->handler = handler;
    reg->data = data;

    reg->timer.handler = ngx_ims_uac_timer;
    reg->timer.data = reg;
    reg->timer.log = w->log;

    /* a nonce that served once may do so again */

    s = ngx_ims_session_find(w, pool, binding);
    state = s ? s->registration : NULL;

    if (state != NULL && state->digest != NULL && pool->core->secrets) {
        ngx_memcpy(&reg->digest, state->digest,
                   ngx_ims_digest_size(state->digest));
    }

    if (ngx_ims_uac_send(reg, ngx_ims_uac_response) != NGX_OK) {
        ngx_free(reg);
        return NULL;
    }

    return reg;
}


/*
 * An identity that the pool's own registration serves has none of its own: the
 * answer is known at once (profile B, spec RG-19, RG-20).
 */

static ngx_ims_register_t *
ngx_ims_uac_served(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, uint32_t lease, time_t expires,
    ngx_ims_uac_handler_pt handler, void *data)
{
    u_char                impu[NGX_IMS_MAX_IMPU], *p, *last;
    ngx_str_t             associated, wildcard, granted;
    ngx_ims_ref_t         ref;
    ngx_ims_binding_t     b;
    ngx_ims_uac_result_t  result;

    static ngx_ims_register_t  done;

    ngx_memzero(&result, sizeof(ngx_ims_uac_result_t));

    if (expires == 0) {
        result.status = 200;

    } else if (ngx_ims_binding_block(pool, &ref) == NGX_OK
               && ngx_ims_binding_load(pool, &ref, &b, w->record) == NGX_OK
               && b.state == NGX_IMS_BINDING_REGISTERED
               && b.expires > ngx_time())
    {
        ngx_ims_call_wildcard(&b.associated, &wildcard);

        p = w->record + 3 * NGX_IMS_MAX_BLOB;
        last = p + NGX_IMS_MAX_BLOB;
        associated.data = p;

        p = ngx_slprintf(p, last, "<%*s>",
                         ngx_ims_pool_impu(pool, lease, impu), impu);

        if (wildcard.len) {
            p = ngx_slprintf(p, last, ", <%V>", &wildcard);
        }

        associated.len = p - associated.data;

        ngx_str_null(&granted);

        if (ngx_ims_binding_registered(pool, binding, b.expires,
                                       &b.service_route, &associated,
                                       &granted)
            == NGX_OK)
        {
            result.status = 200;
            result.granted = ngx_min(b.expires - ngx_time(), expires);
        }
    }

    if (handler != NULL) {
        handler(data, &result);
    }

    return &done;
}


void
ngx_ims_uac_forget(ngx_ims_register_t *reg)
{
    reg->handler = NULL;
}


static void
ngx_ims_uac_response(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_core_t      *core;
    ngx_ims_register_t  *reg;

    reg = t->data;
    core = reg->pool->core;

    if (rc == NGX_DONE) {

        /* an earlier attempt may end after a later one has begun */

        if (reg->client == t) {
            reg->client = NULL;
        }

        reg->refs--;
        ngx_ims_uac_free(reg);
        return;
    }

    if (rc == NGX_OK) {
        ngx_ims_core_answered(core, &t->flow, m);
    }

    if (reg->done || reg->client != t || (rc == NGX_OK && m->status < 200)) {
        return;
    }

    reg->waiting = 0;

    if (reg->timer.timer_set) {
        ngx_del_timer(&reg->timer);
    }

    if (rc == NGX_OK) {
        reg->status = m->status;

        if (m->status != 503) {
            ngx_ims_uac_answer(reg, m);
            return;
        }

    } else {
        reg->status = 0;

        ngx_ims_core_result(core, &t->flow, 0);
        ngx_log_error(NGX_LOG_ERR, reg->worker->log,
                      rc == NGX_BUSY ? NGX_ETIMEDOUT : 0,
                      "core \"%V\" did not answer REGISTER", &core->name);
    }

    if (reg->tries < NGX_IMS_UAC_MAX_TRIES
        && (reg->status != 503 || ngx_ims_core_others(core, reg->tried)))
    {
        ngx_add_timer(&reg->timer, 1);
        return;
    }

    ngx_ims_uac_done(reg, reg->status, 0);
}


static void
ngx_ims_uac_answer(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m)
{
    time_t             granted;
    ngx_int_t          rc;
    ngx_ims_worker_t  *w;

    w = reg->worker;

    if (m->status >= 300) {

        if (ngx_ims_uac_retry(reg, m)) {
            return;
        }

        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core \"%V\" answered REGISTER with %ui \"%V\"",
                      &reg->pool->core->name, (ngx_uint_t) m->status,
                      &m->reason);

        /* a registration outlives a refresh that failed for the moment */

        if (reg->expires && (m->status == 401 || m->status == 403
                             || m->status == 404 || m->status == 407))
        {
            ngx_ims_binding_idle(reg->pool, &reg->binding);
        }

        ngx_ims_uac_done(reg, m->status, 0);
        return;
    }

    rc = ngx_ims_uac_accepted(reg, m, &granted);

    if (rc == NGX_DECLINED) {

        /* the browser left for good meanwhile: no dead contact at the core */

        reg->expires = 0;
        reg->tried = 0;
        reg->same = 1;
        reg->fresh = 0;
        ngx_add_timer(&reg->timer, 1);
        return;
    }

    ngx_ims_uac_done(reg, rc == NGX_OK ? 200 : 500, granted);
}


/* 1 when there is another try after this refusal */

static ngx_uint_t
ngx_ims_uac_retry(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m)
{
    uint64_t            min;
    ngx_ims_sip_hdr_t  *h;

    switch (m->status) {

    case 401:
    case 403:
    case 407:
        return ngx_ims_uac_challenged(reg, m);

    case 423:
        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_MIN_EXPIRES);

        if (reg->expires == 0 || h == NULL
            || ngx_ims_sip_number(&h->value, 86400, &min) != 0
            || (time_t) min <= reg->expires
            || reg->tries >= NGX_IMS_UAC_MAX_TRIES)
        {
            return 0;
        }

        reg->expires = min;
        reg->same = 1;
        reg->fresh = 0;
        ngx_add_timer(&reg->timer, 1);

        return 1;

    case 500:

        if (reg->repeated) {
            return 0;
        }

        reg->repeated = 1;
        reg->tried = 0;
        reg->fresh = 0;
        ngx_add_timer(&reg->timer, NGX_IMS_UAC_RETRY);

        return 1;

    default:
        return 0;
    }
}


static void
ngx_ims_uac_timer(ngx_event_t *ev)
{
    ngx_ims_binding_t    b;
    ngx_ims_register_t  *reg;

    reg = ev->data;

    if (reg->waiting) {
        ngx_ims_uac_watch(reg);
        return;
    }

    /* a browser that is back has registered since: that must stand */

    if (reg->expires == 0
        && ngx_ims_binding_load(reg->pool, &reg->binding, &b,
                                reg->worker->record)
           == NGX_OK
        && b.cseq != reg->cseq)
    {
        ngx_ims_uac_done(reg, 200, 0);
        ngx_ims_uac_free(reg);
        return;
    }

    if (ngx_ims_uac_send(reg, ngx_ims_uac_response) != NGX_OK) {
        ngx_ims_uac_done(reg, reg->status == 503 ? 503 : 0, 0);
        ngx_ims_uac_free(reg);
    }
}


/* the server has said nothing yet: is it time for the next one? */

static void
ngx_ims_uac_watch(ngx_ims_register_t *reg)
{
    ngx_msec_t       wait, sent;
    ngx_ims_txn_t   *old;
    ngx_ims_core_t  *core;
    ngx_ims_flow_t   flow;

    core = reg->pool->core;
    old = reg->client;

    if (reg->done || old == NULL || old->status) {
        reg->waiting = 0;
        return;
    }

    flow = old->flow;
    sent = reg->sent;

    wait = ngx_ims_core_patience(core, &flow, reg->tried, 1, sent);

    if (wait || reg->tries >= NGX_IMS_UAC_MAX_TRIES
        || !ngx_ims_core_left(core, reg->tried))
    {
        ngx_add_timer(&reg->timer, wait ? wait : 1000);
        return;
    }

    /* late answers of the first are of no interest: the CSeq tells (16.7) */

    if (ngx_ims_uac_send(reg, ngx_ims_uac_response) != NGX_OK) {
        reg->client = old;
        ngx_add_timer(&reg->timer, 1000);
        return;
    }

    if (!ngx_ims_core_heard(core, &flow, sent)) {
        ngx_ims_core_result(core, &flow, 0);
    }

    ngx_ims_txn_detach(old);
}


static void
ngx_ims_uac_done(ngx_ims_register_t *reg, ngx_uint_t status, time_t granted)
{
    ngx_ims_uac_result_t     result;
    ngx_ims_uac_handler_pt   handler;

    reg->done = 1;

    handler = reg->handler;
    reg->handler = NULL;

    if (handler != NULL) {
        ngx_memzero(&result, sizeof(ngx_ims_uac_result_t));
        result.status = status;
        result.granted = granted;
        handler(reg->data, &result);
    }
}


/* frees it when it is done and no transaction can call back */

static void
ngx_ims_uac_free(ngx_ims_register_t *reg)
{
    if (!reg->done || reg->refs) {
        return;
    }

    if (reg->timer.timer_set) {
        ngx_del_timer(&reg->timer);
    }

    ngx_free(reg);
}
