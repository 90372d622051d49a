/*
 * Copyright (C) the IMS portal authors
 *
 * A datagram of the core may come to any worker (design D2).  A response names
 * the owner of its transaction in the top Via's branch; a request names a
 * binding by the token in its Route or Request-URI, and the binding's record
 * names the owner. Whoever is not the owner hands the datagram over once, whole
 * (design D5).
 */


#include "ngx_ims_edge.h"
#include "ngx_ims_edge_int.h"
#include "ngx_ims_answer.h"
#include "ngx_ims_bearer.h"
#include "ngx_ims_fork.h"
#include "ngx_ims_handover.h"
#include "ngx_ims_linger.h"
#include "ngx_ims_proxy.h"
#include "ngx_ims_regevent.h"
#include "ngx_ims_register.h"
#include "ngx_ims_revoke.h"
#include "ngx_ims_screen.h"
#include "ngx_ims_trunk.h"
#include "ngx_ims_turn.h"

#include <openssl/crypto.h>


#define NGX_IMS_EDGE_ALLOW                                                    \
    "Allow: INVITE, ACK, BYE, CANCEL, REGISTER, OPTIONS, MESSAGE, INFO, "     \
    "PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY, PUBLISH" CRLF


static void ngx_ims_edge_message(ngx_ims_session_t *s, u_char *p, size_t len);
static void ngx_ims_edge_request_up(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_edge_unsupported(ngx_ims_worker_t *w,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id);
static void ngx_ims_edge_resume_up(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    u_char *p, size_t len);
static void ngx_ims_edge_resume_down(ngx_ims_session_t *s,
    ngx_ims_flow_t *flow, u_char *p, size_t len);
static void ngx_ims_edge_receive(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len, ngx_uint_t handed);
static void ngx_ims_edge_request_down(ngx_ims_worker_t *w,
    ngx_ims_core_t *core, ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m,
    ngx_uint_t handed);
static void ngx_ims_edge_owned(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_uint_t handed);
static void ngx_ims_edge_deliver(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_edge_in_turn(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_edge_pass(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *owner, ngx_uint_t keeper);
static ngx_ims_pool_t *ngx_ims_edge_token(ngx_ims_worker_t *w,
    ngx_ims_core_t *core, ngx_ims_sip_msg_t *m, ngx_ims_str_t *token);
static ngx_int_t ngx_ims_edge_check(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_str_t *token, ngx_ims_ref_t *ref);
static ngx_uint_t ngx_ims_edge_user(ngx_ims_str_t *uri, ngx_ims_str_t *token);
static void ngx_ims_edge_handed(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len);
static void ngx_ims_edge_waited(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len);


void
ngx_ims_edge_init(ngx_ims_worker_t *w)
{
    w->message = ngx_ims_edge_message;
    w->end = ngx_ims_edge_end;
    w->token_end = ngx_ims_edge_token_end;
    w->refresh = ngx_ims_register_refresh;
    w->wake = ngx_ims_forward_wake;

    ngx_ims_handover_init(ngx_ims_edge_handed);
    ngx_ims_turn_init(w, ngx_ims_edge_waited);
    ngx_ims_register_init(ngx_ims_handover_moved);
    ngx_ims_forward_init(ngx_ims_edge_resume_up, ngx_ims_edge_resume_down,
                         ngx_ims_answer_response);
}


/* a whole message from a browser */

static void
ngx_ims_edge_message(ngx_ims_session_t *s, u_char *p, size_t len)
{
    ngx_ims_worker_t   *w;
    ngx_ims_sip_msg_t  *m;

    w = s->worker;
    m = &w->parsed->msg;

    if (ngx_ims_sip_parse(m, p, len, w->parsed->hdrs, NGX_IMS_SIP_MAX_HEADERS,
                          0)
        != NGX_IMS_OK)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client sent invalid SIP message: %s at %uD",
                      m->error, m->error_pos);

        if (ngx_ims_screen_rate(s, NULL) != NGX_OK) {
            return;
        }

        /* an invalid response is dropped (RFC 3261 16.7, RFC 4475) */

        ngx_ims_call_refuse(w, &s->flow, m, m->code, NULL);
        return;
    }

    (void) ngx_atomic_fetch_add(&s->pool->zone.sh->counters.messages, 1);

    if (ngx_ims_screen_rate(s, m) != NGX_OK) {
        return;
    }

    if (m->status == 0
        && ngx_ims_txn_request(w->txns, m, &s->flow, s->scope) == NGX_OK)
    {
        return;
    }

    if (s->up_busy || !ngx_queue_empty(&s->up)) {
        if (ngx_ims_forward_hold(s, 1, NULL, &s->flow, p, len,
                                 ngx_ims_screen_kept(s, m))
            != NGX_OK)
        {
            ngx_ims_call_refuse(w, &s->flow, m, 503, "Retry-After: 5" CRLF);
        }

        return;
    }

    if (m->status) {
        ngx_ims_edge_answer(s, m);
        return;
    }

    ngx_ims_edge_request_up(s, m);
}


static void
ngx_ims_edge_resume_up(ngx_ims_session_t *s, ngx_ims_flow_t *flow, u_char *p,
    size_t len)
{
    ngx_ims_worker_t   *w;
    ngx_ims_sip_msg_t  *m;

    w = s->worker;
    m = &w->parsed->msg;

    if (ngx_ims_sip_parse(m, p, len, w->parsed->hdrs, NGX_IMS_SIP_MAX_HEADERS,
                          0)
        != NGX_IMS_OK)
    {
        return;
    }

    if (m->status) {
        ngx_ims_edge_answer(s, m);
        return;
    }

    if (ngx_ims_txn_request(w->txns, m, &s->flow, s->scope) != NGX_OK) {
        ngx_ims_edge_request_up(s, m);
    }
}


static void
ngx_ims_edge_request_up(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_int_t          rc;
    ngx_uint_t         status;
    ngx_ims_worker_t  *w;

    w = s->worker;
    rc = NGX_OK;

    if (m->to.tag.len == 0 && ngx_ims_revoke_check(s) != NGX_OK) {
        return;
    }

    if (m->method == NGX_IMS_SIP_REGISTER) {
        rc = ngx_ims_register_request(s, m);

        if (rc == NGX_OK) {
            return;
        }

    } else if (m->method != NGX_IMS_SIP_ACK && m->method != NGX_IMS_SIP_CANCEL
               && !ngx_ims_screen_emergency(s, m))
    {
        rc = ngx_ims_bearer_check(s, m);
    }

    if (rc == NGX_AGAIN && ngx_ims_forward_pause(s, m) != NGX_OK) {
        ngx_ims_waiter_cancel(&s->waiting);
        ngx_ims_call_refuse(w, &s->flow, m, 503, "Retry-After: 5" CRLF);
    }

    if (rc != NGX_OK) {
        return;
    }

    status = ngx_ims_route_check_up(m);

    if (status == 0) {
        ngx_ims_proxy_up(s, m);
        return;
    }

    if (status == 420) {
        ngx_ims_edge_unsupported(w, &s->flow, m, NGX_IMS_HDR_PROXY_REQUIRE);
        return;
    }

    ngx_ims_call_refuse(w, &s->flow, m, status,
                        (status == 405) ? NGX_IMS_EDGE_ALLOW : NULL);
}


/* 420 names what is asked for in vain (RFC 3261 8.2.2.3, 16.3) */

static void
ngx_ims_edge_unsupported(ngx_ims_worker_t *w, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id)
{
    u_char              extra[512];
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, id);
    extra[0] = '\0';

    if (h->value.len < sizeof(extra) - sizeof("Unsupported: " CRLF)) {
        *ngx_sprintf(extra, "Unsupported: %V" CRLF, &h->value) = '\0';
    }

    ngx_ims_call_refuse(w, flow, m, 420, (char *) extra);
}


void
ngx_ims_edge_lost(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_uint_t refused)
{
    ngx_ims_worker_t  *w;

    w = core->data;

    if (refused) {
        ngx_ims_core_dead(core, flow);
    }

    ngx_ims_txns_flow_failed(w->txns, flow, refused);
}


ngx_uint_t
ngx_ims_edge_busy(ngx_ims_core_t *core)
{
    ngx_ims_worker_t  *w;

    w = core->data;

    return !w->struck
           && (w->nsessions || w->tidying || ngx_ims_park_count()
               || ngx_ims_txns_waiting(w->txns));
}


void
ngx_ims_edge_core(ngx_ims_core_t *core, ngx_ims_flow_t *flow, u_char *p,
    size_t len)
{
    ngx_ims_edge_receive(core->data, core, flow, p, len, 0);
}


static void
ngx_ims_edge_receive(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len, ngx_uint_t handed)
{
    ngx_ims_owner_t     owner;
    ngx_ims_sip_msg_t  *m;

    if (len <= 4) {
        /* keep-alives of a NAT between the core and us */
        return;
    }

    m = &w->parsed->msg;

    if (ngx_ims_sip_parse(m, p, len, w->parsed->hdrs, NGX_IMS_SIP_MAX_HEADERS,
                          1)
        != NGX_IMS_OK)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core \"%V\" sent invalid SIP message: %s at %uD",
                      &core->name, m->error, m->error_pos);
        ngx_ims_call_refuse(w, flow, m, m->code, NULL);
        return;
    }

    if (m->status == 0) {
        ngx_ims_edge_request_down(w, core, flow, m, handed);
        return;
    }

    if (ngx_ims_txn_branch_owner(&m->via.branch, &owner) != NGX_OK) {
        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, w->log, 0,
                       "ims edge: response to nothing of ours");
        return;
    }

    if (ngx_ims_owner_equal(&owner, &w->self)) {
        (void) ngx_ims_txn_response(w->txns, m);

    } else if (!handed) {
        (void) ngx_ims_handover_send(w, core, &owner, flow, &m->text);
    }
}


static void
ngx_ims_edge_request_down(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_uint_t handed)
{
    uint32_t          lease, crc;
    ngx_ims_ref_t     ref;
    ngx_ims_str_t     token;
    ngx_ims_pool_t   *pool;
    ngx_ims_owner_t   owner;

    pool = ngx_ims_edge_token(w, core, m, &token);

    if (token.len == 0) {

        /* a core looks whether we are alive */

        if (m->method == NGX_IMS_SIP_OPTIONS) {

            if (m->first[NGX_IMS_HDR_REQUIRE]) {
                ngx_ims_edge_unsupported(w, flow, m, NGX_IMS_HDR_REQUIRE);
                return;
            }

            ngx_ims_call_refuse(w, flow, m, 200, NGX_IMS_EDGE_ALLOW);
            return;
        }

        ngx_ims_call_refuse(w, flow, m, m->to.tag.len ? 481 : 404, NULL);
        return;
    }

    if (pool != NULL && flow->transport == NGX_IMS_LOCAL
        && ngx_ims_binding_lease_check(pool, &token, &lease) == NGX_OK)
    {
        if (ngx_ims_fork_called(w, core, flow, m, pool, lease, handed, &ref)
            != NGX_OK)
        {
            return;
        }

    } else if (pool == NULL && !handed
               && ngx_ims_binding_token_pool(&token, &crc) == NGX_OK
               && ngx_ims_workers_knows(w->workers, crc, &owner) == NGX_OK)
    {
        /* the pool left the configuration, a call in it goes on */

        (void) ngx_ims_handover_send(w, core, &owner, flow, &m->text);
        return;

    } else if (pool == NULL
               || ngx_ims_edge_check(w, pool, &token, &ref) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core \"%V\" sent a request with an altered flow token",
                      &core->name);
        ngx_ims_call_refuse(w, flow, m, 403, NULL);
        return;
    }

    if (m->max_forwards == 0) {
        ngx_ims_call_refuse(w, flow, m, 483, NULL);
        return;
    }

    if (pool->block.impu.len
        && ngx_ims_trunk_called(w, core, flow, m, pool, handed, &ref)
           != NGX_OK)
    {
        return;
    }

    if (m->first[NGX_IMS_HDR_PROXY_REQUIRE] && m->method != NGX_IMS_SIP_ACK
        && m->method != NGX_IMS_SIP_CANCEL)
    {
        ngx_ims_edge_unsupported(w, flow, m, NGX_IMS_HDR_PROXY_REQUIRE);
        return;
    }

    ngx_ims_edge_owned(w, core, flow, m, pool, &ref, handed);
}


/* a request for a browser, wherever it is */

static void
ngx_ims_edge_owned(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_uint_t handed)
{
    ngx_uint_t          behind;
    ngx_ims_owner_t     owner, keeper;
    ngx_ims_session_t  *s;

    if (ngx_ims_binding_where(pool, ref, &owner, &keeper) != NGX_OK) {

        /* RFC 5626 5.3: the flow is gone for good */

        ngx_ims_call_refuse(w, flow, m, m->to.tag.len ? 481 : 430, NULL);
        return;
    }

    /* what this worker has begun it goes on with, whoever is the owner now */

    if (ngx_ims_txn_request(w->txns, m, flow, 0) == NGX_OK) {
        return;
    }

    behind = ngx_ims_owner_equal(&keeper, &w->self)
             && !ngx_ims_park_delivers();

    if (keeper.pid && !handed && !ngx_ims_owner_equal(&keeper, &w->self)
        && ngx_ims_edge_pass(w, core, flow, m, pool, ref, &keeper, 1)
           == NGX_OK)
    {
        return;
    }

    if (!behind && owner.pid && !ngx_ims_owner_equal(&owner, &w->self)) {

        if (ngx_ims_edge_pass(w, core, flow, m, pool, ref, &owner, 0)
            == NGX_OK)
        {
            return;
        }

    } else if (owner.pid) {
        s = ngx_ims_session_find(w, pool, ref);

        if (s != NULL && !behind
            && (m->to.tag.len || s->registered || s->registering == NULL))
        {
            if (!ngx_ims_regevent_notify(w, pool, ref, s, flow, m)) {
                ngx_ims_edge_deliver(s, flow, m);
            }

            return;
        }
    }

    if (behind && ngx_ims_park_ready(w, pool, ref) == NGX_OK) {

        /* in its turn */

        ngx_ims_edge_park(w, core, flow, m, pool, ref, NGX_IMS_PARK_WAIT);
        ngx_ims_park_soon();
        return;
    }

    if (ngx_ims_regevent_notify(w, pool, ref, NULL, flow, m)) {
        return;
    }

    ngx_ims_edge_stranded(w, core, flow, m, pool, ref);
}


/*
 * Another worker has the browser, or keeps what waits for it.  NGX_OK: that is
 * done, or refused; NGX_DECLINED: it is dead
 */

static ngx_int_t
ngx_ims_edge_pass(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *owner, ngx_uint_t keeper)
{
    ngx_int_t        rc;
    ngx_ims_owner_t  none;

    rc = ngx_ims_handover_send(w, core, owner, flow, &m->text);

    if (rc == NGX_OK) {
        (void) ngx_atomic_fetch_add(&pool->zone.sh->counters.handed_over, 1);
        return NGX_OK;
    }

    if (rc != NGX_DECLINED) {
        (void) ngx_atomic_fetch_add(&pool->zone.sh->counters.not_handed, 1);
        ngx_ims_call_refuse(w, flow, m, 503, "Retry-After: 1" CRLF);
        return NGX_OK;
    }

    if (keeper) {
        ngx_memzero(&none, sizeof(ngx_ims_owner_t));
        (void) ngx_ims_binding_keep(pool, ref, &none, owner);

    } else {
        ngx_ims_linger_start(w, pool, ref, owner, pool->grace);
    }

    return NGX_DECLINED;
}


static void
ngx_ims_edge_deliver(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    if (!s->down_busy && ngx_queue_empty(&s->down)) {

        ngx_ims_edge_in_turn(s, flow, m);
        return;
    }

    if (ngx_ims_forward_hold(s, 0, NULL, flow, m->text.data, m->text.len, 0)
        != NGX_OK)
    {
        ngx_ims_call_refuse(s->worker, flow, m, 503, "Retry-After: 5" CRLF);
    }
}


static void
ngx_ims_edge_resume_down(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    u_char *p, size_t len)
{
    ngx_ims_worker_t   *w;
    ngx_ims_sip_msg_t  *m;

    w = s->worker;
    m = &w->parsed->msg;

    if (ngx_ims_sip_parse(m, p, len, w->parsed->hdrs, NGX_IMS_SIP_MAX_HEADERS,
                          1)
        == NGX_IMS_OK
        && ngx_ims_txn_request(w->txns, m, flow, 0) != NGX_OK)
    {
        ngx_ims_edge_in_turn(s, flow, m);
    }
}


/* several workers read: what overtook another on its way here waits for it */

static void
ngx_ims_edge_in_turn(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    /* what was sent before, and is sent again, had its turn then */

    if (s->worker->again != NULL) {
        ngx_ims_proxy_down(s, flow, m);
        ngx_ims_turn_passed();
        return;
    }

    switch (ngx_ims_turn_hold(s, flow, m)) {

    case NGX_OK:
        return;

    case NGX_BUSY:
        ngx_ims_call_refuse(s->worker, flow, m, 503, "Retry-After: 1" CRLF);
        return;

    default: /* NGX_DECLINED */
        ngx_ims_proxy_down(s, flow, m);
        ngx_ims_turn_passed();
    }
}


/* the flow token of a request, in its top Route or in its Request-URI */

static ngx_ims_pool_t *
ngx_ims_edge_token(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_sip_msg_t *m, ngx_ims_str_t *token)
{
    uint32_t             crc;
    ngx_uint_t           i;
    ngx_ims_str_t        value;
    ngx_ims_pool_t     **pool;
    ngx_ims_sip_addr_t   addr;
    ngx_ims_sip_iter_t   it;

    ngx_memzero(token, sizeof(ngx_ims_str_t));
    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    if (!(ngx_ims_sip_next(m, NGX_IMS_HDR_ROUTE, &it, &value)
          && ngx_ims_sip_parse_addr(&value, &addr) == NGX_IMS_OK
          && ngx_ims_edge_user(&addr.uri, token)
          && ngx_ims_binding_token_pool(token, &crc) == NGX_OK)
        && !(ngx_ims_edge_user(&m->uri, token)
             && ngx_ims_binding_token_pool(token, &crc) == NGX_OK))
    {
        return NULL;
    }

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {
        if (pool[i]->crc == crc && pool[i]->core == core) {
            return pool[i];
        }
    }

    return NULL;
}


/* the token of a browser that is here is known; any other is computed */

static ngx_int_t
ngx_ims_edge_check(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_str_t *token, ngx_ims_ref_t *ref)
{
    ngx_ims_session_t  *s;

    if (ngx_ims_binding_token_ref(token, ref) != NGX_OK) {
        return NGX_DECLINED;
    }

    s = ngx_ims_session_find(w, pool, ref);

    if (s == NULL) {
        return ngx_ims_binding_token_check(pool, token, ref);
    }

    return CRYPTO_memcmp(token->data, s->token, NGX_IMS_TOKEN_LEN) == 0
           ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_ims_edge_user(ngx_ims_str_t *uri, ngx_ims_str_t *token)
{
    ngx_ims_sip_uri_t  u;

    if (ngx_ims_sip_parse_uri(uri, &u) != NGX_IMS_OK || u.user.len < 32) {
        return 0;
    }

    *token = u.user;

    return 1;
}


/* a message that another worker got for us */

static void
ngx_ims_edge_handed(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    ngx_ims_turn_handed();
    ngx_ims_edge_receive(w, core, flow, p, len, 1);
}


/* a request whose turn it is now */

static void
ngx_ims_edge_waited(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    ngx_ims_edge_receive(w, core, flow, p, len, 0);
}
