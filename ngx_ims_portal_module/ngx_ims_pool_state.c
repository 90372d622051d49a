/*
 * Copyright (C) the IMS portal authors
 *
 * What becomes of a lease.  Unused entries have no identity.  Others are in a
 *         list by their state: free (oldest first; those for one user alone
 *         apart), leased (longest not renewed first, guests apart), resting.
 *         There is no timer: each new lease moves at most a few entries whose
 *         time is over.
 */


#include "ngx_ims_pool_int.h"


/* entries that one call moves between lists, of each */
#define NGX_IMS_POOL_SWEEP  4


static void ngx_ims_pool_expire(ngx_ims_pool_t *pool, uint32_t i, time_t now);
static void ngx_ims_pool_ended(ngx_ims_pool_t *pool, uint32_t *head,
    time_t now);


/*
 * The state is stored last.  A process that is killed on the way leaves an
 * entry that is in no list, or counted wrong, and the lock: all is made anew
 * then.
 */

void
ngx_ims_pool_state(ngx_ims_pool_t *pool, uint32_t i,
    ngx_ims_lease_state_e state)
{
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    sh = pool->zone.sh;
    l = &pool->zone.leases[i];

    ngx_ims_zone_list_del(&pool->zone, i);

    if (l->state == NGX_IMS_LEASE_LEASED) {
        sh->leased--;
        sh->guests -= (l->guest != 0);
    }

    sh->leases_used -= (l->state != NGX_IMS_LEASE_UNUSED);

    ngx_memory_barrier();
    l->state = state;
    ngx_memory_barrier();

    sh->leases_used += (state != NGX_IMS_LEASE_UNUSED);

    if (state == NGX_IMS_LEASE_LEASED) {
        sh->leased++;
        sh->guests += (l->guest != 0);
    }

    ngx_ims_zone_list_add(&pool->zone, i);
}


void
ngx_ims_pool_rest(ngx_ims_pool_t *pool, uint32_t i, time_t expires)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    l->expires = expires;

    ngx_ims_pool_state(pool, i, NGX_IMS_LEASE_RESTING);

    l->release = NGX_IMS_RELEASE_NONE;

    /* a guest is nobody to be known again */

    if (l->guest) {
        l->guest = 0;
        ngx_ims_pool_forget(pool, i);
    }
}


void
ngx_ims_pool_vacate(ngx_ims_pool_t *pool, uint32_t i)
{
    ngx_str_t            none;
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    if (!l->removed && l->kind != NGX_IMS_LEASE_CLAIMED) {
        ngx_ims_pool_state(pool, i, NGX_IMS_LEASE_FREE);
        return;
    }

    ngx_ims_pool_forget(pool, i);

    if (l->kind == NGX_IMS_LEASE_CLAIMED) {
        ngx_ims_pool_claim_del(pool, i);
    }

    ngx_ims_pool_state(pool, i, NGX_IMS_LEASE_UNUSED);

    ngx_str_null(&none);
    (void) ngx_ims_zone_put(&pool->zone, &l->text, &none);

    l->kind = NGX_IMS_LEASE_CONFIGURED;
    l->removed = 0;
    l->reserved = 0;
    l->expires = 0;
}


/* of a lease without bindings, or of a quarantine */

static void
ngx_ims_pool_expire(ngx_ims_pool_t *pool, uint32_t i, time_t now)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    if (l->state == NGX_IMS_LEASE_LEASED) {
        ngx_ims_pool_rest(pool, i, l->expires + pool->quarantine);
    }

    if (l->expires <= now) {
        ngx_ims_pool_vacate(pool, i);
    }
}


void
ngx_ims_pool_settle(ngx_ims_pool_t *pool, uint32_t i, time_t now)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    if ((l->state == NGX_IMS_LEASE_LEASED
         || l->state == NGX_IMS_LEASE_RESTING)
        && l->nbindings == 0 && l->expires <= now)
    {
        ngx_ims_pool_expire(pool, i, now);
    }
}


void
ngx_ims_pool_sweep(ngx_ims_pool_t *pool, time_t now)
{
    ngx_ims_zone_sh_t  *sh;

    sh = pool->zone.sh;

    ngx_ims_pool_ended(pool, &sh->leased_head, now);
    ngx_ims_pool_ended(pool, &sh->guest_head, now);
    ngx_ims_pool_ended(pool, &sh->rest_head, now);

    if (sh->leased * 10 < pool->total * 9) {
        pool->warned = 0;
    }
}


static void
ngx_ims_pool_ended(ngx_ims_pool_t *pool, uint32_t *head, time_t now)
{
    uint32_t             i;
    ngx_uint_t           n;
    ngx_ims_lease_sh_t  *l;

    for (n = 0; n < NGX_IMS_POOL_SWEEP; n++) {
        i = *head;

        if (i == NGX_IMS_NONE || pool->zone.leases[i].expires > now) {
            return;
        }

        l = &pool->zone.leases[i];

        if (l->nbindings == 0) {
            ngx_ims_pool_expire(pool, i, now);
            continue;
        }

        /* it does not end while somebody has a browser there */

        ngx_ims_zone_list_del(&pool->zone, i);
        l->expires = now + (l->guest ? pool->guest_lease : pool->lease);
        ngx_ims_zone_list_add(&pool->zone, i);
    }
}


ngx_int_t
ngx_ims_pool_release(ngx_ims_pool_t *pool, uint32_t lease, uint32_t seq,
    ngx_uint_t now)
{
    ngx_int_t            rc;
    ngx_ims_lease_sh_t  *l;

    if (lease >= pool->zone.sh->nleases) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;
    l = &pool->zone.leases[lease];

    ngx_ims_zone_lock(&pool->zone);

    if (l->state == NGX_IMS_LEASE_LEASED && (seq == 0 || l->seq == seq)) {
        rc = l->nbindings ? NGX_AGAIN : NGX_OK;
        l->release = now ? NGX_IMS_RELEASE_NOW : NGX_IMS_RELEASE_REST;

        ngx_ims_pool_left(pool, lease);
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_pool_left(ngx_ims_pool_t *pool, uint32_t lease)
{
    time_t               now;
    ngx_ims_lease_sh_t  *l;

    if (lease >= pool->zone.sh->nleases) {
        return;
    }

    l = &pool->zone.leases[lease];

    if (l->state != NGX_IMS_LEASE_LEASED || l->nbindings) {
        return;
    }

    now = ngx_time();

    switch (l->release) {

    case NGX_IMS_RELEASE_REST:
        ngx_ims_pool_rest(pool, lease, now + pool->quarantine);
        break;

    case NGX_IMS_RELEASE_NOW:
        ngx_ims_pool_rest(pool, lease, now);
        ngx_ims_pool_vacate(pool, lease);
        break;
    }
}


time_t
ngx_ims_pool_retry_after(ngx_ims_pool_t *pool)
{
    time_t              expires, now;
    uint32_t            i;
    ngx_ims_zone_sh_t  *sh;

    sh = pool->zone.sh;
    now = ngx_time();
    expires = now + 3600;

    ngx_ims_zone_lock(&pool->zone);

    i = sh->rest_head;

    if (i != NGX_IMS_NONE) {
        expires = ngx_min(expires, pool->zone.leases[i].expires);
    }

    i = sh->leased_head;

    if (i != NGX_IMS_NONE) {
        expires = ngx_min(expires, pool->zone.leases[i].expires
                                   + pool->quarantine);
    }

    i = sh->guest_head;

    if (i != NGX_IMS_NONE) {
        expires = ngx_min(expires, pool->zone.leases[i].expires
                                   + pool->quarantine);
    }

    ngx_ims_zone_unlock(&pool->zone);

    return ngx_max(expires - now, 1);
}
