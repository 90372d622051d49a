/*
 * Copyright (C) the IMS portal authors
 *
 * What this host tells the server of its leases: all of them when the server
 * may have lost some, those with browsers first; then each when half of its
 * time is over, and when browsers come or go.  And what it owes: leases that
 * ended while it was away.
 *
 * Timers: one in each worker and pool, while there is more to tell than may be
 * under way, cancelable.
 */


#include "ngx_ims_lease_int.h"


enum {
    NGX_IMS_LEASE_IDLE = 0,              /* phases of asserting */
    NGX_IMS_LEASE_BOUND,
    NGX_IMS_LEASE_UNBOUND
};


typedef struct {
    ngx_ims_lease_live_t     *live;
    ngx_ims_pool_held_t       held;
    time_t                    until;          /* s, that it was told for */
    ngx_uint_t                again;          /* it may have been lost */
} ngx_ims_lease_told_t;


typedef struct {
    ngx_queue_t               queue;
    u_char                    user[NGX_IMS_DIGEST_LEN];
    uint64_t                  generation;
    time_t                    rest;
    time_t                    after;          /* s, when it is asked for */
    size_t                    nidentity;
    size_t                    nclaim;
    u_char                    text[1];        /* identity, name of a claim */
} ngx_ims_lease_owed_t;


static void ngx_ims_lease_told(void *data, ngx_ims_redis_reply_t *reply);
static ngx_int_t ngx_ims_lease_pay_one(ngx_ims_lease_live_t *live,
    ngx_ims_lease_owed_t *owed);
static void ngx_ims_lease_paid(void *data, ngx_ims_redis_reply_t *reply);


void
ngx_ims_lease_assert(ngx_ims_lease_live_t *live)
{
    live->asserted = live->epoch;
    live->phase = NGX_IMS_LEASE_BOUND;
    live->cursor = 0;
    live->told = 0;

    ngx_ims_lease_pump(&live->pump);
}


void
ngx_ims_lease_pump(ngx_event_t *ev)
{
    ngx_uint_t             i, n;
    ngx_ims_pool_held_t    held[NGX_IMS_LEASE_FLYING];
    ngx_ims_lease_live_t  *live;

    live = ev->data;

    if (!live->usable || live->phase == NGX_IMS_LEASE_IDLE) {
        return;
    }

    if (live->flying < NGX_IMS_LEASE_FLYING) {
        n = ngx_ims_pool_share_walk(live->pool,
                                    live->phase == NGX_IMS_LEASE_BOUND
                                    ? NGX_IMS_POOL_WALK_BOUND
                                    : NGX_IMS_POOL_WALK_UNBOUND,
                                    &live->cursor, NGX_IMS_LEASE_WALK, held,
                                    NGX_IMS_LEASE_FLYING - live->flying);

        for (i = 0; i < n; i++) {
            ngx_ims_lease_tell(live, &held[i], 1);
        }
    }

    if (live->cursor >= live->pool->zone.sh->nleases) {

        live->cursor = 0;

        if (live->phase == NGX_IMS_LEASE_BOUND) {
            live->phase = NGX_IMS_LEASE_UNBOUND;

        } else {
            live->phase = NGX_IMS_LEASE_IDLE;

            ngx_log_error(NGX_LOG_INFO, live->log, 0,
                          "%ui leases of pool \"%V\" were told to redis",
                          live->told, &live->pool->name);
            return;
        }
    }

    if (!ev->timer_set) {
        ngx_add_timer(ev, 1);
    }
}


/* all entries within an eighth of the lease, or a minute */

void
ngx_ims_lease_due(ngx_ims_lease_live_t *live)
{
    time_t                pass;
    ngx_uint_t            i, n, look;
    ngx_ims_pool_held_t   held[NGX_IMS_LEASE_FLYING];

    if (live->phase != NGX_IMS_LEASE_IDLE
        || live->flying >= NGX_IMS_LEASE_FLYING)
    {
        return;
    }

    pass = ngx_max(ngx_min(live->pool->lease / 8, 60), 1);
    look = live->pool->zone.sh->nleases / pass + 1;

    n = ngx_ims_pool_share_walk(live->pool, NGX_IMS_POOL_WALK_DUE,
                                &live->due, ngx_max(look, 1024), held,
                                NGX_IMS_LEASE_FLYING - live->flying);

    if (live->due >= live->pool->zone.sh->nleases) {
        live->due = 0;
    }

    for (i = 0; i < n; i++) {
        ngx_ims_lease_tell(live, &held[i], 0);
    }
}


void
ngx_ims_lease_tell(ngx_ims_lease_live_t *live, ngx_ims_pool_held_t *held,
    ngx_uint_t again)
{
    u_char                 buf[512];
    time_t                 now, left;
    ngx_str_t              args[12];
    ngx_ims_pool_t        *pool;
    ngx_ims_lease_args_t   a;
    ngx_ims_lease_told_t  *told;

    now = ngx_time();
    pool = live->pool;

    /* without browsers it lasts as long as it would have */

    left = held->bindings ? held->time : held->confirmed - now;

    if (left <= 0) {
        return;
    }

    told = ngx_alloc(sizeof(ngx_ims_lease_told_t), live->log);
    if (told == NULL) {
        return;
    }

    told->live = live;
    told->held = *held;
    told->until = now + left;
    told->again = again;

    ngx_ims_lease_args(live, &a, args, 12, buf, sizeof(buf));
    ngx_ims_lease_arg_user(&a, held->user);
    ngx_ims_lease_arg_identity(&a, pool, held->lease);
    ngx_ims_lease_arg_number(&a, held->generation);
    ngx_ims_lease_arg_number(&a, (int64_t) left * 1000);
    ngx_ims_lease_arg_number(&a, (int64_t) pool->quarantine * 1000);
    ngx_ims_lease_arg_number(&a, held->confirmed + pool->quarantine > now);
    ngx_ims_lease_arg_number(&a, held->bindings != 0);

    if (ngx_ims_lease_eval(live, NGX_IMS_LEASE_ASSERT, &a,
                           ngx_ims_lease_told, told)
        != NGX_OK)
    {
        ngx_free(told);
        return;
    }

    live->flying++;
}


static void
ngx_ims_lease_told(void *data, ngx_ims_redis_reply_t *reply)
{
    ngx_ims_pool_t        *pool;
    ngx_ims_share_sh_t    *share;
    ngx_ims_lease_live_t  *live;
    ngx_ims_lease_told_t  *told;

    told = data;
    live = told->live;
    pool = live->pool;
    share = &pool->zone.sh->share;

    live->flying--;

    if (reply == NULL) {
        (void) ngx_atomic_fetch_add(&share->failed, 1);

        /* its connection will tell all of them again */

    } else if (ngx_ims_lease_is(reply, 0, "ok")) {

        ngx_ims_pool_share_confirm(pool, &told->held,
                                   ngx_ims_lease_number(reply, 1),
                                   told->until);

        if (told->again) {
            live->told++;
            (void) ngx_atomic_fetch_add(&share->asserted, 1);
        }

        if (ngx_ims_lease_is(reply, 2, "1")) {
            (void) ngx_atomic_fetch_add(&share->won, 1);
            ngx_log_error(NGX_LOG_WARN, live->log, 0,
                          "pool \"%V\": two hosts had given one identity "
                          "away, ours was older", &pool->name);
        }

    } else if (ngx_ims_lease_is(reply, 0, "lost")) {
        ngx_ims_lease_lost(live, told->held.lease, told->held.user, 0);

    } else if (ngx_ims_lease_is(reply, 0, "new")) {
        live->usable = 0;
        live->asserted = 0;
        ngx_ims_lease_hello(live);
    }

    ngx_free(told);
}


void
ngx_ims_lease_lost(ngx_ims_lease_live_t *live, uint32_t lease, u_char *user,
    uint64_t generation)
{
    ngx_int_t        rc;
    ngx_ims_pool_t  *pool;

    pool = live->pool;

    rc = ngx_ims_pool_share_lose(pool, lease, user, generation);

    if (rc == NGX_DECLINED) {
        return;
    }

    (void) ngx_atomic_fetch_add(&pool->zone.sh->share.lost, 1);

    ngx_log_error(NGX_LOG_WARN, live->log, 0,
                  "pool \"%V\": a lease of this host was ended by another",
                  &pool->name);

    if (rc == NGX_AGAIN) {
        ngx_ims_order_lease(pool, lease, NGX_IMS_ORDER_LOST);
    }
}


/*
 * A claim may still be done until it is too late for it; then its name says
 * whether it was.
 */

void
ngx_ims_lease_owe(ngx_ims_lease_live_t *live, u_char *user,
    ngx_str_t *identity, uint64_t generation, ngx_str_t *claim, time_t rest)
{
    size_t                 size;
    ngx_ims_lease_owed_t  *owed;

    if (live->nowed >= NGX_IMS_LEASE_OWED) {
        return;
    }

    size = (identity ? identity->len : 0) + (claim ? claim->len : 0);

    owed = ngx_calloc(sizeof(ngx_ims_lease_owed_t) + size, live->log);
    if (owed == NULL) {
        return;
    }

    ngx_memcpy(owed->user, user, NGX_IMS_DIGEST_LEN);
    owed->generation = generation;
    owed->rest = rest;

    if (identity != NULL) {
        owed->nidentity = identity->len;
        ngx_memcpy(owed->text, identity->data, identity->len);
    }

    if (claim != NULL) {
        owed->nclaim = claim->len;
        owed->after = ngx_time() + 1 + live->share->redis.timeout / 1000;
        ngx_memcpy(owed->text + owed->nidentity, claim->data, claim->len);
    }

    ngx_queue_insert_tail(&live->owed, &owed->queue);
    live->nowed++;

    ngx_ims_lease_pay(live);
}


void
ngx_ims_lease_pay(ngx_ims_lease_live_t *live)
{
    ngx_queue_t           *q, *next;
    ngx_ims_lease_owed_t  *owed;

    for (q = ngx_queue_head(&live->owed);
         live->usable && q != ngx_queue_sentinel(&live->owed);
         q = next)
    {
        next = ngx_queue_next(q);
        owed = ngx_queue_data(q, ngx_ims_lease_owed_t, queue);

        if (owed->after > ngx_time()) {
            continue;
        }

        if (ngx_ims_lease_pay_one(live, owed) != NGX_OK) {
            return;
        }

        ngx_queue_remove(q);
        live->nowed--;
        ngx_free(owed);
    }
}


static ngx_int_t
ngx_ims_lease_pay_one(ngx_ims_lease_live_t *live, ngx_ims_lease_owed_t *owed)
{
    u_char                 buf[256];
    ngx_str_t              args[12];
    ngx_ims_lease_args_t   a;

    ngx_ims_lease_args(live, &a, args, 12, buf, sizeof(buf));
    ngx_ims_lease_arg_user(&a, owed->user);
    ngx_ims_lease_arg(&a, owed->text, owed->nidentity);

    if (owed->generation) {
        ngx_ims_lease_arg_number(&a, owed->generation);

    } else {
        ngx_ims_lease_arg(&a, owed->text, 0);
    }

    ngx_ims_lease_arg_number(&a, (int64_t) owed->rest * 1000);
    ngx_ims_lease_arg(&a, owed->text + owed->nidentity, owed->nclaim);

    return ngx_ims_lease_eval(live, NGX_IMS_LEASE_RELEASE, &a,
                              ngx_ims_lease_paid, live);
}


/* what got lost here ends by its own time */

static void
ngx_ims_lease_paid(void *data, ngx_ims_redis_reply_t *reply)
{
    ngx_ims_lease_live_t  *live;

    live = data;

    if (reply == NULL) {
        (void) ngx_atomic_fetch_add(&live->pool->zone.sh->share.failed, 1);
    }
}
