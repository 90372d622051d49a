/*
 * Copyright (C) the IMS portal authors
 *
 * The moment at which a configuration is about to be used: identities that are
 * new can be had, those that left are retired.  A little at a time, so that
 * workers of the former one do not wait.  No timers.
 */


#include "ngx_ims_pool_reserve.h"


/* entries that are looked at without letting go of the lock */
#define NGX_IMS_POOL_BATCH  1024


/* a configured identity that went while somebody had it */
typedef struct ngx_ims_pool_linger_s {
    uint64_t                  identity;       /* hash, as its entry has it */
    uint32_t                  lease;
} ngx_ims_pool_linger_t;


static ngx_int_t ngx_ims_pool_retire_note(ngx_ims_pool_t *pool, uint32_t i,
    ngx_pool_t *mem);
static int ngx_ims_pool_linger_order(const void *one,
    const void *two);
static void ngx_ims_pool_retire_come(ngx_ims_pool_t *pool, ngx_uint_t k);
static void ngx_ims_pool_retire_go(ngx_ims_pool_t *pool, uint32_t i);
static void ngx_ims_pool_retire_claimed(ngx_ims_pool_t *pool, uint32_t i);


ngx_int_t
ngx_ims_pool_retire(ngx_ims_pool_t *pool, ngx_pool_t *mem)
{
    uint32_t    i, end;
    ngx_int_t   rc;
    ngx_uint_t  k, last;

    rc = NGX_OK;
    pool->nlingers = 0;

    (void) ngx_ims_shared_lock(&pool->zone.sh->mapping);

    for (k = 0; k < pool->total; /* void */ ) {
        last = ngx_min(k + NGX_IMS_POOL_BATCH, pool->total);

        ngx_ims_zone_lock(&pool->zone);

        for ( /* void */ ; k < last; k++) {
            ngx_ims_pool_retire_come(pool, k);
        }

        ngx_ims_zone_unlock(&pool->zone);
    }

    for (i = 0; i < pool->zone.sh->nleases; /* void */ ) {
        end = ngx_min(i + NGX_IMS_POOL_BATCH, pool->zone.sh->nleases);

        ngx_ims_zone_lock(&pool->zone);

        for ( /* void */ ; i < end; i++) {
            ngx_ims_pool_retire_go(pool, i);

            if (rc == NGX_OK) {
                rc = ngx_ims_pool_retire_note(pool, i, mem);
            }
        }

        ngx_ims_zone_unlock(&pool->zone);
    }

    ngx_ims_shared_unlock(&pool->zone.sh->mapping);

    if (pool->nlingers > 1) {
        qsort(pool->lingers, pool->nlingers, sizeof(ngx_ims_pool_linger_t),
              ngx_ims_pool_linger_order);
    }

    return rc;
}


/* nobody else may have a token name it meanwhile */

static ngx_int_t
ngx_ims_pool_retire_note(ngx_ims_pool_t *pool, uint32_t i, ngx_pool_t *mem)
{
    ngx_uint_t              n;
    ngx_ims_lease_sh_t     *lease;
    ngx_ims_pool_linger_t  *linger;

    lease = &pool->zone.leases[i];

    if (lease->kind == NGX_IMS_LEASE_CLAIMED || !lease->removed
        || lease->state == NGX_IMS_LEASE_UNUSED
        || !ngx_ims_pool_claims(pool))
    {
        return NGX_OK;
    }

    n = pool->nlingers;

    /* twice as many whenever it is full: it has room for a power of two */

    if ((n & (n - 1)) == 0) {
        linger = ngx_palloc(mem, ngx_max(2 * n, 1)
                                 * sizeof(ngx_ims_pool_linger_t));
        if (linger == NULL) {
            return NGX_ERROR;
        }

        if (n) {
            ngx_memcpy(linger, pool->lingers,
                       n * sizeof(ngx_ims_pool_linger_t));
        }

        pool->lingers = linger;
    }

    pool->lingers[n].identity = lease->identity;
    pool->lingers[n].lease = i;
    pool->nlingers++;

    return NGX_OK;
}


static int
ngx_ims_pool_linger_order(const void *one, const void *two)
{
    const ngx_ims_pool_linger_t  *a, *b;

    a = one;
    b = two;

    return (a->identity > b->identity) - (a->identity < b->identity);
}


ngx_uint_t
ngx_ims_pool_lingers(ngx_ims_pool_t *pool, u_char *key, size_t len,
    u_char *user)
{
    uint64_t                hash;
    ngx_uint_t              low, high, mid;
    ngx_ims_lease_sh_t     *l;
    ngx_ims_pool_linger_t  *linger;

    linger = pool->lingers;
    high = pool->nlingers;

    if (high == 0) {
        return 0;
    }

    hash = ngx_ims_pool_hash(key, len);

    for (low = 0; low < high; /* void */ ) {
        mid = (low + high) / 2;

        if (linger[mid].identity < hash) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    if (low == pool->nlingers || linger[low].identity != hash) {
        return 0;
    }

    l = &pool->zone.leases[linger[low].lease];

    return l->identity == hash && l->removed
           && l->kind == NGX_IMS_LEASE_CONFIGURED
           && (l->state == NGX_IMS_LEASE_LEASED
               || l->state == NGX_IMS_LEASE_RESTING)
           && (l->nbindings || l->expires > ngx_time())
           && ngx_memcmp(l->user, user, NGX_IMS_DIGEST_LEN) != 0;
}


/* one of the configuration */

static void
ngx_ims_pool_retire_come(ngx_ims_pool_t *pool, ngx_uint_t k)
{
    uint32_t             i, reserved;
    ngx_ims_lease_sh_t  *lease;

    i = pool->lease_of[k];
    lease = &pool->zone.leases[i];
    reserved = ngx_ims_pool_is_reserved(pool, k);

    if (lease->removed || lease->reserved != reserved) {
        ngx_ims_zone_list_del(&pool->zone, i);

        lease->removed = 0;
        lease->reserved = reserved;

        ngx_ims_zone_list_add(&pool->zone, i);
    }
}


/* a free identity that left the configuration is forgotten at once */

static void
ngx_ims_pool_retire_go(ngx_ims_pool_t *pool, uint32_t i)
{
    ngx_ims_lease_sh_t  *lease;

    lease = &pool->zone.leases[i];

    if (lease->state == NGX_IMS_LEASE_UNUSED) {
        return;
    }

    if (lease->kind == NGX_IMS_LEASE_CLAIMED) {
        ngx_ims_pool_retire_claimed(pool, i);
        return;
    }

    if (pool->identity_of[i] != NGX_IMS_NONE) {
        return;
    }

    if (lease->state == NGX_IMS_LEASE_FREE) {
        ngx_ims_zone_list_del(&pool->zone, i);
        lease->removed = 1;
        ngx_ims_zone_list_add(&pool->zone, i);

        ngx_ims_pool_vacate(pool, i);
        return;
    }

    lease->removed = 1;
}


/* one that a token named: it may be configured now, or not be allowed */

static void
ngx_ims_pool_retire_claimed(ngx_ims_pool_t *pool, uint32_t i)
{
    u_char               text[NGX_IMS_POOL_KEPT], *p;
    size_t               len;
    uint32_t             k, other;
    ngx_str_t            none;
    ngx_ims_lease_sh_t  *lease;

    lease = &pool->zone.leases[i];

    len = ngx_ims_pool_kept_text(pool, i, text);
    p = ngx_strlchr(text, text + len, ' ');
    len = p ? (size_t) (p - text) : 0;

    k = ngx_ims_pool_number(pool, text, len);

    if (k == NGX_IMS_NONE) {
        lease->removed = ngx_ims_pool_claim_block(pool, text, len) == NULL;
        return;
    }

    other = pool->lease_of[k];

    if (pool->zone.leases[other].state != NGX_IMS_LEASE_FREE) {
        lease->removed = 1;
        return;
    }

    /* who has it goes on with it: it takes the place of the new one */

    ngx_ims_zone_list_del(&pool->zone, other);
    pool->zone.leases[other].removed = 1;
    ngx_ims_zone_list_add(&pool->zone, other);

    ngx_ims_pool_vacate(pool, other);

    pool->identity_of[other] = NGX_IMS_NONE;
    pool->identity_of[i] = k;
    pool->lease_of[k] = i;

    ngx_ims_pool_claim_del(pool, i);

    lease->kind = NGX_IMS_LEASE_CONFIGURED;
    lease->identity = ngx_ims_pool_hash(text, len);
    lease->removed = 0;
    lease->reserved = ngx_ims_pool_is_reserved(pool, k);

    ngx_str_null(&none);
    (void) ngx_ims_zone_put(&pool->zone, &lease->text, &none);
}


void
ngx_ims_pool_resume(ngx_ims_pool_t *pool)
{
    time_t                 now;
    uint32_t               i;
    ngx_ims_binding_sh_t  *b;

    now = ngx_time();

    ngx_ims_zone_lock(&pool->zone);

    for (i = 0; i < pool->zone.sh->nbindings; i++) {
        b = &pool->zone.bindings[i];

        if (b->state == NGX_IMS_BINDING_FREE
            || b->lease == NGX_IMS_LEASE_BLOCK)
        {
            continue;
        }

        ngx_memzero(&b->owner, sizeof(ngx_ims_owner_t));
        b->calling = 0;
        b->lost = now;
        b->reap = now + (pool->grace + 999) / 1000;
    }

    ngx_ims_zone_unlock(&pool->zone);
}
