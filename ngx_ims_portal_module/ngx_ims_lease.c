/*
 * Copyright (C) the IMS portal authors
 *
 * Whoever is known here goes on from the zone; the server hears of it in the
 * background.  Whoever is not waits for its word.
 *
 * Timers: one in each worker and shared pool, once a second, cancelable: a sign
 * of life, which also shows that the server lives, and whether it is another
 * one.
 */


#include "ngx_ims_lease_claim.h"


#define NGX_IMS_LEASE_AGAIN  5                /* s */


static ngx_int_t ngx_ims_lease_live(ngx_cycle_t *cycle, ngx_ims_pool_t *pool,
    ngx_ims_leader_t *leader, ngx_log_t *log);
static void ngx_ims_lease_state(void *data, ngx_uint_t up);
static void ngx_ims_lease_tick(ngx_event_t *ev);
static void ngx_ims_lease_greeted(void *data, ngx_ims_redis_reply_t *reply);
static void ngx_ims_lease_conflict(ngx_ims_lease_live_t *live,
    ngx_str_t *text);
static ngx_int_t ngx_ims_lease_known(ngx_ims_lease_live_t *live,
    ngx_ims_want_t *want, ngx_uint_t look, uint32_t *lease);
static ngx_int_t ngx_ims_lease_ask(ngx_ims_lease_live_t *live,
    ngx_ims_want_t *want, ngx_uint_t look, ngx_ims_waiter_t *waiter,
    uint32_t *lease, ngx_uint_t *fresh);


ngx_int_t
ngx_ims_lease_get(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_waiter_t *waiter, uint32_t *lease, ngx_uint_t *fresh,
    ngx_log_t *log)
{
    ngx_int_t              rc;
    ngx_ims_lease_live_t  *live;

    /* this host is taken out of service: who has nothing here goes elsewhere */

    if (!ngx_ims_order_admits(pool, want->user, 0)) {
        return NGX_ERROR;
    }

    if (pool->share == NULL) {
        return ngx_ims_pool_lease(pool, want, lease, fresh, log);
    }

    live = pool->share->live;

    if (live == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_ims_lease_ask(live, want, 0, waiter, lease, fresh);

    if (rc == NGX_OK) {
        ngx_ims_pool_share_use(pool, *lease, want);
    }

    return rc;
}


ngx_int_t
ngx_ims_lease_find(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_waiter_t *waiter, uint32_t *lease, ngx_log_t *log)
{
    ngx_uint_t             fresh;
    ngx_ims_lease_live_t  *live;

    if (pool->share == NULL) {
        return ngx_ims_pool_find(pool, want->user, lease);
    }

    live = pool->share->live;

    return live != NULL
           ? ngx_ims_lease_ask(live, want, 1, waiter, lease, &fresh)
           : NGX_ERROR;
}


static ngx_int_t
ngx_ims_lease_ask(ngx_ims_lease_live_t *live, ngx_ims_want_t *want,
    ngx_uint_t look, ngx_ims_waiter_t *waiter, uint32_t *lease,
    ngx_uint_t *fresh)
{
    ngx_int_t               rc;
    ngx_ims_lease_claim_t  *claim;

    claim = ngx_ims_lease_claim_find(live, want->user, look);

    if (claim != NULL && claim->done) {
        return ngx_ims_lease_claim_fetch(claim, lease, fresh);
    }

    *fresh = 0;

    rc = ngx_ims_lease_known(live, want, look, lease);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (claim != NULL) {
        return ngx_ims_waiter_add(&claim->waiters, waiter);
    }

    if (ngx_ims_redis_state(live->redis) == NGX_IMS_REDIS_DOWN) {
        (void) ngx_atomic_fetch_add(&live->pool->zone.sh->share.failed, 1);
        return NGX_ERROR;
    }

    return ngx_ims_lease_claim_start(live, want, look, waiter) != NULL
           ? NGX_AGAIN : NGX_ERROR;
}


/*
 * NGX_OK from the zone; NGX_DECLINED: the server is to be asked.  It is asked,
 * too, when a user without browsers comes: they may be at another host.
 */

static ngx_int_t
ngx_ims_lease_known(ngx_ims_lease_live_t *live, ngx_ims_want_t *want,
    ngx_uint_t look, uint32_t *lease)
{
    time_t                now, asked;
    ngx_ims_pool_t       *pool;
    ngx_ims_pool_held_t   held;

    pool = live->pool;

    if (ngx_ims_pool_share_find(pool, want->user, &held) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!look && !ngx_ims_pool_share_right(pool, want, &held)) {
        return NGX_DECLINED;
    }

    now = ngx_time();
    asked = held.confirmed - held.time;

    if (held.bindings == 0 && live->usable
        && now - asked > NGX_IMS_LEASE_RECENT)
    {
        return NGX_DECLINED;
    }

    if (held.bindings && live->usable
        && held.confirmed - now < (held.time + 1) / 2)
    {
        ngx_ims_lease_tell(live, &held, 0);
    }

    *lease = held.lease;

    return NGX_OK;
}


ngx_int_t
ngx_ims_lease_release(ngx_ims_pool_t *pool, uint32_t lease, uint32_t seq,
    ngx_uint_t now)
{
    u_char                text[NGX_IMS_MAX_IMPU];
    time_t                rest;
    ngx_int_t             rc;
    ngx_str_t             identity;
    ngx_ims_pool_held_t   held;

    if (pool->share == NULL
        || ngx_ims_pool_share_held(pool, lease, &held) != NGX_OK)
    {
        return ngx_ims_pool_release(pool, lease, seq, now);
    }

    identity.data = text;
    identity.len = ngx_ims_pool_share_text(pool, lease, text);

    rc = ngx_ims_pool_release(pool, lease, seq, now);

    if (rc == NGX_DECLINED || pool->share->live == NULL) {
        return rc;
    }

    ngx_ims_pool_share_forget(pool, lease);

    /* its browsers need a moment to leave the core */

    rest = now ? 0 : pool->quarantine;

    if (rc == NGX_AGAIN) {
        rest = ngx_max(rest, 60);
    }

    ngx_ims_lease_owe(pool->share->live, held.user, &identity,
                      held.generation, NULL, rest);

    return rc;
}


void
ngx_ims_lease_here(ngx_ims_pool_t *pool, uint32_t lease)
{
    ngx_ims_lease_live_t  *live;
    ngx_ims_pool_held_t    held;

    if (pool->share == NULL) {
        return;
    }

    live = pool->share->live;

    if (live != NULL && live->usable
        && ngx_ims_pool_share_held(pool, lease, &held) == NGX_OK
        && held.bindings && !held.here)
    {
        ngx_ims_lease_tell(live, &held, 0);
    }
}


void
ngx_ims_lease_websocket(ngx_ims_pool_t *pool, uint32_t lease, ngx_str_t *url,
    u_char *out)
{
    url->data = out;
    url->len = pool->share != NULL
               ? ngx_ims_pool_share_away(pool, lease, out) : 0;
}


time_t
ngx_ims_lease_retry_after(ngx_ims_pool_t *pool, ngx_int_t rc)
{
    time_t                 after;
    ngx_ims_lease_live_t  *live;

    if (ngx_ims_order_drained(pool, NULL)) {
        return NGX_IMS_ORDER_RETRY;
    }

    if (rc != NGX_BUSY) {
        return NGX_IMS_LEASE_AGAIN;
    }

    after = ngx_ims_pool_retry_after(pool);
    live = pool->share != NULL ? pool->share->live : NULL;

    if (live != NULL && live->busy_until > ngx_time()) {
        after = ngx_min(after, live->busy_until - ngx_time());
    }

    return after;
}


ngx_uint_t
ngx_ims_lease_connected(ngx_ims_pool_t *pool)
{
    return pool->share != NULL && pool->share->live != NULL
           && pool->share->live->usable;
}


/* the worker's part */

ngx_int_t
ngx_ims_lease_init(ngx_cycle_t *cycle, ngx_array_t *pools,
    ngx_ims_leader_t *leader, ngx_log_t *log)
{
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;

    pool = pools->elts;

    for (i = 0; i < pools->nelts; i++) {

        if (pool[i]->share != NULL
            && ngx_ims_lease_live(cycle, pool[i], leader, log) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_lease_live(ngx_cycle_t *cycle, ngx_ims_pool_t *pool,
    ngx_ims_leader_t *leader, ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_ims_lease_live_t   *live;
    ngx_ims_lease_share_t  *share;

    share = pool->share;

    live = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_lease_live_t));
    if (live == NULL) {
        return NGX_ERROR;
    }

    live->pool = pool;
    live->share = share;
    live->leader = leader;
    live->log = log;

    ngx_queue_init(&live->owed);

    for (i = 0; i < NGX_IMS_LEASE_BUCKETS; i++) {
        ngx_queue_init(&live->claims[i]);
    }

    live->mark.data = live->mark_key;
    live->mark.len = ngx_sprintf(live->mark_key, "%Vm", &share->prefix)
                     - live->mark_key;

    live->host.data = live->host_id;
    live->host.len = ngx_sprintf(live->host_id, "%08xD%08xD",
                                 ngx_crc32_long(cycle->hostname.data,
                                                cycle->hostname.len),
                                 pool->zone.sh->instance)
                     - live->host_id;

    live->tick.handler = ngx_ims_lease_tick;
    live->tick.data = live;
    live->tick.log = log;
    live->tick.cancelable = 1;

    live->pump.handler = ngx_ims_lease_pump;
    live->pump.data = live;
    live->pump.log = log;
    live->pump.cancelable = 1;

    live->redis = ngx_ims_redis_create(cycle->pool, &share->redis,
                                       ngx_ims_lease_state, live, log);
    if (live->redis == NULL) {
        return NGX_ERROR;
    }

    share->live = live;

    ngx_add_timer(&live->tick, NGX_IMS_LEASE_TICK);

    return NGX_OK;
}


void
ngx_ims_lease_close(ngx_array_t *pools)
{
    ngx_uint_t             i;
    ngx_ims_pool_t       **pool;
    ngx_ims_lease_live_t  *live;

    pool = pools->elts;

    for (i = 0; i < pools->nelts; i++) {

        live = pool[i]->share != NULL ? pool[i]->share->live : NULL;

        if (live == NULL) {
            continue;
        }

        if (live->tick.timer_set) {
            ngx_del_timer(&live->tick);
        }

        if (live->pump.timer_set) {
            ngx_del_timer(&live->pump);
        }

        live->usable = 0;
        ngx_ims_redis_close(live->redis);
    }
}


static void
ngx_ims_lease_state(void *data, ngx_uint_t up)
{
    ngx_ims_lease_live_t  *live;

    live = data;

    live->usable = 0;
    live->greeting = 0;
    live->asserted = 0;

    if (up) {
        ngx_ims_lease_hello(live);
        return;
    }

    ngx_ims_lease_claims_fail(live);
}


static void
ngx_ims_lease_tick(ngx_event_t *ev)
{
    ngx_uint_t             leads;
    ngx_ims_lease_live_t  *live;

    live = ev->data;

    ngx_add_timer(ev, NGX_IMS_LEASE_TICK);

    if (ngx_ims_redis_state(live->redis) != NGX_IMS_REDIS_UP) {

        if (ngx_ims_redis_state(live->redis) == NGX_IMS_REDIS_DOWN) {
            ngx_ims_lease_claims_fail(live);
        }

        return;
    }

    ngx_ims_lease_hello(live);

    if (!live->usable) {
        return;
    }

    ngx_ims_lease_pay(live);

    leads = ngx_ims_leader_is(live->leader);

    if (leads && live->asserted != live->epoch) {
        ngx_ims_lease_assert(live);

    } else if (leads) {
        ngx_ims_lease_due(live);
    }
}


void
ngx_ims_lease_hello(ngx_ims_lease_live_t *live)
{
    u_char                 buf[256];
    ngx_str_t             *run, args[12];
    ngx_ims_lease_args_t   a;

    if (live->greeting) {
        return;
    }

    run = ngx_ims_redis_run(live->redis);

    ngx_ims_lease_args(live, &a, args, 12, buf, sizeof(buf));
    ngx_ims_lease_arg(&a, run->data, run->len);
    ngx_ims_lease_arg_number(&a, live->share->hold);
    ngx_ims_lease_arg(&a, live->share->url.data, live->share->url.len);
    ngx_ims_lease_arg_number(&a, NGX_IMS_LEASE_ALIVE);
    ngx_ims_lease_arg(&a, live->seen, live->nseen);

    live->greeting = ngx_ims_lease_eval(live, NGX_IMS_LEASE_HELLO, &a,
                                        ngx_ims_lease_greeted, live)
                     == NGX_OK;
}


static void
ngx_ims_lease_greeted(void *data, ngx_ims_redis_reply_t *reply)
{
    uint64_t               epoch;
    ngx_str_t              part;
    ngx_uint_t             i, n, fresh;
    ngx_ims_lease_live_t  *live;

    live = data;
    live->greeting = 0;

    if (reply == NULL || !ngx_ims_lease_is(reply, 0, "ok")) {
        return;
    }

    live->ahead = (int64_t) ngx_ims_lease_number(reply, 1)
                  - ngx_ims_lease_now();

    epoch = ngx_ims_lease_number(reply, 3);

    if (live->epoch && epoch != live->epoch) {
        ngx_log_error(NGX_LOG_NOTICE, live->log, 0,
                      "redis \"%V\" of pool \"%V\" is another one than "
                      "before, or forgot", &live->share->redis.name,
                      &live->pool->name);
    }

    live->epoch = epoch;

    part = ngx_ims_redis_part(reply, 4);

    if (part.len <= sizeof(live->seen)) {
        ngx_memcpy(live->seen, part.data, part.len);
        live->nseen = part.len;
    }

    n = ngx_ims_redis_parts(reply);

    for (i = 5; i < n; i++) {
        part = ngx_ims_redis_part(reply, i);
        ngx_ims_lease_conflict(live, &part);
    }

    fresh = !live->usable;
    live->usable = 1;

    if (live->asserted != epoch && ngx_ims_leader_is(live->leader)) {
        ngx_ims_lease_assert(live);
    }

    if (fresh) {
        ngx_ims_lease_claims_go(live);
    }
}


/* "IDENTITY DIGEST GENERATION" was taken away from its user */

static void
ngx_ims_lease_conflict(ngx_ims_lease_live_t *live, ngx_str_t *text)
{
    u_char      user[NGX_IMS_DIGEST_LEN], *p, *last, *digest;
    uint32_t    lease;
    uint64_t    generation;
    ngx_int_t   n;
    ngx_str_t   identity;
    ngx_uint_t  i;

    last = text->data + text->len;
    p = ngx_strlchr(text->data, last, ' ');

    if (p == NULL || last - p < 2 * NGX_IMS_DIGEST_LEN + 3) {
        return;
    }

    identity.data = text->data;
    identity.len = p - text->data;
    digest = p + 1;

    for (i = 0; i < NGX_IMS_DIGEST_LEN; i++) {
        n = ngx_hextoi(digest + 2 * i, 2);

        if (n == NGX_ERROR) {
            return;
        }

        user[i] = n;
    }

    generation = 0;

    for (p = digest + 2 * NGX_IMS_DIGEST_LEN + 1;
         p < last && *p >= '0' && *p <= '9';
         p++)
    {
        generation = generation * 10 + (*p - '0');
    }

    if (identity.len <= NGX_IMS_MAX_IMPU && generation
        && ngx_ims_pool_identity(live->pool, &identity, &lease) == NGX_OK)
    {
        ngx_ims_lease_lost(live, lease, user, generation);
    }
}
