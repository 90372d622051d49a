/*
 * Copyright (C) the IMS portal authors
 *
 * Orders in the zone.  The word of an order is its number above what is to be
 * done; one store writes it.  No timers.
 */


#include "ngx_ims_order.h"


#define NGX_IMS_ORDER_YOUNG  2                /* s, it may not be obeyed yet */

/* numbers wrap */
#define ngx_ims_order_after(a, b)  ((int32_t) ((a) - (b)) > 0)


static uint64_t ngx_ims_order_word(ngx_ims_pool_t *pool, uint32_t how);
static void ngx_ims_order_away(ngx_ims_binding_sh_t *b, time_t now);
static uint32_t ngx_ims_order_how(uint64_t word, uint32_t since);


/*
 * The number is given out when the word stands: who sees the number sees the
 * word, too.
 */

static uint64_t
ngx_ims_order_word(ngx_ims_pool_t *pool, uint32_t how)
{
    return ((uint64_t) (ngx_ims_order_now(pool) + 1) << 32) | how;
}


/* nobody has to wait for a browser that is away: the leader ends it */

static void
ngx_ims_order_away(ngx_ims_binding_sh_t *b, time_t now)
{
    if (b->owner.pid == 0) {
        b->reap = now;
    }
}


void
ngx_ims_order_lease_locked(ngx_ims_pool_t *pool, uint32_t lease, uint32_t how)
{
    time_t               now;
    uint32_t             i;
    ngx_ims_lease_sh_t  *l;

    now = ngx_time();
    l = &pool->zone.leases[lease];

    l->order = ngx_ims_order_word(pool, how);

    for (i = l->bindings; i != NGX_IMS_NONE; i = pool->zone.bindings[i].next) {
        ngx_ims_order_away(&pool->zone.bindings[i], now);
    }

    ngx_memory_barrier();
    pool->zone.sh->orders++;
}


void
ngx_ims_order_lease(ngx_ims_pool_t *pool, uint32_t lease, uint32_t how)
{
    if (lease >= pool->zone.sh->nleases) {
        return;
    }

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_order_lease_locked(pool, lease, how);

    ngx_ims_zone_unlock(&pool->zone);
}


ngx_int_t
ngx_ims_order_binding(ngx_ims_pool_t *pool, uint32_t index, uint32_t seq,
    uint32_t how)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *b;

    if (index >= pool->zone.sh->nbindings) {
        return NGX_DECLINED;
    }

    b = &pool->zone.bindings[index];
    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    if (b->state != NGX_IMS_BINDING_FREE && b->seq == seq
        && b->lease != NGX_IMS_LEASE_BLOCK)
    {
        b->order = ngx_ims_order_word(pool, how);
        ngx_ims_order_away(b, ngx_time());

        ngx_memory_barrier();
        pool->zone.sh->orders++;

        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


ngx_int_t
ngx_ims_order_user(ngx_ims_pool_t *pool, u_char *user, uint32_t how)
{
    time_t               now;
    uint32_t             i, h;
    ngx_int_t            rc;
    ngx_ims_zone_t      *zone;
    ngx_ims_order_sh_t  *o;

    zone = &pool->zone;
    now = ngx_time();
    rc = NGX_BUSY;

    ngx_ims_zone_lock(zone);

    o = &zone->sh->users[(ngx_ims_order_now(pool) + 1) % NGX_IMS_ORDERS];

    if (o->at + NGX_IMS_ORDER_YOUNG <= now || o->at > now) {

        ngx_memcpy(&h, user, sizeof(h));

        for (i = zone->user_buckets[h & (zone->sh->nbuckets - 1)];
             i != NGX_IMS_NONE;
             i = zone->leases[i].user_next)
        {
            if (zone->leases[i].state == NGX_IMS_LEASE_LEASED
                && ngx_memcmp(zone->leases[i].user, user, NGX_IMS_DIGEST_LEN)
                   == 0)
            {
                ngx_ims_order_lease_locked(pool, i, how);
                break;
            }
        }

        /* the number may be the next one now, and the place with it */

        o = &zone->sh->users[(ngx_ims_order_now(pool) + 1) % NGX_IMS_ORDERS];

        o->at = now;
        o->order = 0;
        ngx_memory_barrier();
        ngx_memcpy(o->user, user, NGX_IMS_DIGEST_LEN);
        ngx_memory_barrier();
        o->order = ngx_ims_order_word(pool, how);
        ngx_memory_barrier();
        zone->sh->orders++;

        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


static uint32_t
ngx_ims_order_how(uint64_t word, uint32_t since)
{
    return word && ngx_ims_order_after((uint32_t) (word >> 32), since)
           ? (uint32_t) word : 0;
}


uint32_t
ngx_ims_order_check(ngx_ims_pool_t *pool, uint32_t seen, uint32_t opened,
    uint32_t bound, u_char *user, uint32_t binding, uint32_t seq)
{
    uint64_t               word;
    uint32_t               how, lease;
    ngx_uint_t             i;
    ngx_ims_order_sh_t    *o;
    ngx_ims_binding_sh_t  *b;

    how = 0;

    b = binding < pool->zone.sh->nbindings ? &pool->zone.bindings[binding]
                                           : NULL;

    if (b != NULL && b->seq == seq) {
        how = ngx_ims_order_how(b->order, bound);
        lease = b->lease;

        if (how == 0 && lease < pool->zone.sh->nleases) {
            how = ngx_ims_order_how(pool->zone.leases[lease].order, bound);
        }
    }

    if (user == NULL) {
        return how;
    }

    if (ngx_ims_order_after(opened, seen)) {
        seen = opened;
    }

    for (i = 0; i < NGX_IMS_ORDERS && how == 0; i++) {
        o = &pool->zone.sh->users[i];
        word = o->order;

        if (ngx_ims_order_how(word, seen)
            && ngx_memcmp(o->user, user, NGX_IMS_DIGEST_LEN) == 0
            && o->order == word)
        {
            how = (uint32_t) word;
        }
    }

    return how;
}


const char *
ngx_ims_order_reason(uint32_t how)
{
    switch (how & NGX_IMS_ORDER_CODE) {

    case NGX_IMS_ORDER_BLOCKED:
        return "blocked";

    case NGX_IMS_ORDER_LOST:
        return "identity lost";

    case NGX_IMS_ORDER_ENDED:
        return "ended by an administrator";

    case NGX_IMS_ORDER_RELEASED:
        return "identity released";

    default:
        return "ended";
    }
}


void
ngx_ims_order_drain(ngx_ims_pool_t *pool, ngx_ims_drain_e drain)
{
    ngx_ims_zone_lock(&pool->zone);

    if (pool->zone.sh->drain != (uint32_t) drain) {
        pool->zone.sh->drain_since = ngx_time();

        ngx_memory_barrier();
        pool->zone.sh->drain = drain;
    }

    ngx_ims_zone_unlock(&pool->zone);
}


ngx_ims_drain_e
ngx_ims_order_drained(ngx_ims_pool_t *pool, time_t *since)
{
    if (since != NULL) {
        *since = pool->zone.sh->drain_since;
    }

    return pool->zone.sh->drain;
}


ngx_uint_t
ngx_ims_order_admits(ngx_ims_pool_t *pool, u_char *user, ngx_uint_t socket)
{
    uint32_t          i, k;
    ngx_uint_t        calls;
    ngx_ims_zone_t   *zone;
    ngx_ims_drain_e   drain;

    drain = ngx_ims_order_drained(pool, NULL);

    if (drain == NGX_IMS_DRAIN_OFF) {
        return 1;
    }

    if (ngx_ims_pool_find(pool, user, &i) != NGX_OK) {
        return 0;
    }

    if (drain != NGX_IMS_DRAIN_CLOSE || !socket) {
        return 1;
    }

    zone = &pool->zone;
    calls = 0;

    ngx_ims_zone_lock(zone);

    for (k = zone->leases[i].bindings;
         k != NGX_IMS_NONE;
         k = zone->bindings[k].next)
    {
        calls += zone->bindings[k].ndialogs;
    }

    ngx_ims_zone_unlock(zone);

    return calls > 0;
}
