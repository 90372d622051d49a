/*
 * Copyright (C) the IMS portal authors
 *
 * The zone's part of a pool that several hosts share.  No timers.
 *
 * A free entry that another host's user has stays in the list of free ones, at
 * its end, with the time until when: to look for one that is free passes it by.
 */


#include "ngx_ims_pool_int.h"
#include "ngx_ims_pool_share.h"


enum {
    NGX_IMS_POOL_OFFER_FIRST = 16,
    NGX_IMS_POOL_OFFER_PASS = 65536      /* entries that are passed by */
};


static u_char  ngx_ims_pool_nobody[NGX_IMS_DIGEST_LEN];


static void ngx_ims_pool_share_copy(ngx_ims_pool_t *pool, uint32_t i,
    ngx_ims_pool_held_t *held);
static ngx_uint_t ngx_ims_pool_share_free(ngx_ims_pool_t *pool, uint32_t i,
    time_t now);
static ngx_uint_t ngx_ims_pool_share_oldest(ngx_ims_pool_t *pool,
    uint32_t not, uint32_t *offers, ngx_uint_t max);
static ngx_uint_t ngx_ims_pool_share_some(ngx_ims_pool_t *pool,
    uint32_t *offers, ngx_uint_t max);
static uint32_t ngx_ims_pool_share_leave(ngx_ims_pool_t *pool, uint32_t i);
static void ngx_ims_pool_share_enter(ngx_ims_pool_t *pool, uint32_t i,
    u_char *user);


#define ngx_ims_pool_is(l, digest)                                            \
    (ngx_memcmp((l)->user, digest, NGX_IMS_DIGEST_LEN) == 0)


ngx_int_t
ngx_ims_pool_share_find(ngx_ims_pool_t *pool, u_char *user,
    ngx_ims_pool_held_t *held)
{
    time_t               now;
    uint32_t             i;
    ngx_int_t            rc;
    ngx_ims_lease_sh_t  *l;

    rc = NGX_DECLINED;
    now = ngx_time();

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_pool_sweep(pool, now);

    i = ngx_ims_pool_lookup(pool, user);

    if (i != NGX_IMS_NONE) {
        l = &pool->zone.leases[i];

        if (l->state == NGX_IMS_LEASE_LEASED && l->release == 0
            && l->generation && l->expires > now && l->confirmed > now
            && (pool->identity_of[i] != NGX_IMS_NONE || l->nbindings
                || l->kind == NGX_IMS_LEASE_CLAIMED))
        {
            ngx_ims_pool_share_copy(pool, i, held);
            rc = NGX_OK;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


ngx_int_t
ngx_ims_pool_share_held(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_pool_held_t *held)
{
    ngx_int_t  rc;

    if (lease >= pool->zone.sh->nleases) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    if (pool->zone.leases[lease].state == NGX_IMS_LEASE_LEASED
        && !ngx_ims_pool_is(&pool->zone.leases[lease], ngx_ims_pool_nobody))
    {
        ngx_ims_pool_share_copy(pool, lease, held);
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


static void
ngx_ims_pool_share_copy(ngx_ims_pool_t *pool, uint32_t i,
    ngx_ims_pool_held_t *held)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    held->lease = i;
    held->seq = l->seq;
    held->confirmed = l->confirmed;
    held->bindings = l->nbindings;
    held->here = l->here;

    ngx_memcpy(held->user, l->user, NGX_IMS_DIGEST_LEN);

    /* one of before hosts shared the pool is as old as it is */

    held->generation = l->generation ? l->generation
                                     : (uint64_t) l->since * 1000000;

    if (l->generation == 0) {
        held->confirmed = l->expires;
    }
}


void
ngx_ims_pool_share_use(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_want_t *want)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[lease];

    ngx_ims_zone_lock(&pool->zone);

    if (l->state == NGX_IMS_LEASE_LEASED && ngx_ims_pool_is(l, want->user)) {
        ngx_ims_zone_list_del(&pool->zone, lease);
        ngx_ims_pool_holder(pool, l, want);
        l->expires = ngx_time() + pool->lease;
        ngx_ims_zone_list_add(&pool->zone, lease);
    }

    ngx_ims_zone_unlock(&pool->zone);
}


ngx_uint_t
ngx_ims_pool_share_offer(ngx_ims_pool_t *pool, u_char *user,
    ngx_uint_t round, uint32_t *offers)
{
    uint32_t    i;
    ngx_uint_t  n;

    n = 0;

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_pool_sweep(pool, ngx_time());

    switch (round) {

    case 0:
        i = ngx_ims_pool_lookup(pool, user);

        if (i != NGX_IMS_NONE && pool->identity_of[i] != NGX_IMS_NONE) {
            offers[n++] = i;
        }

        n += ngx_ims_pool_share_oldest(pool, i, &offers[n],
                                       NGX_IMS_POOL_OFFER_FIRST);
        break;

    case 1:
    case 2:

        /* others have taken ours in the same order: look elsewhere */

        n = ngx_ims_pool_share_some(pool, offers, round == 1 ? 64 : 256);

        if (n) {
            break;
        }

        /* fall through */

    default:
        n = ngx_ims_pool_share_oldest(pool, NGX_IMS_NONE, offers,
                                      NGX_IMS_POOL_OFFERS);
    }

    ngx_ims_zone_unlock(&pool->zone);

    return n;
}


/* as far as this host knows */

static ngx_uint_t
ngx_ims_pool_share_free(ngx_ims_pool_t *pool, uint32_t i, time_t now)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    return l->state == NGX_IMS_LEASE_FREE && l->expires <= now
           && !l->reserved && pool->identity_of[i] != NGX_IMS_NONE;
}


static ngx_uint_t
ngx_ims_pool_share_oldest(ngx_ims_pool_t *pool, uint32_t not,
    uint32_t *offers, ngx_uint_t max)
{
    time_t              now;
    uint32_t            i, next, last;
    ngx_uint_t          n, pass;
    ngx_ims_zone_sh_t  *sh;

    sh = pool->zone.sh;
    now = ngx_time();
    last = sh->free_tail;
    pass = 0;

    for (n = 0, i = sh->free_head;
         i != NGX_IMS_NONE && n < max && pass < NGX_IMS_POOL_OFFER_PASS;
         i = next)
    {
        next = (i == last) ? NGX_IMS_NONE : pool->zone.leases[i].next;

        if (i == not) {
            continue;
        }

        if (ngx_ims_pool_share_free(pool, i, now)) {
            offers[n++] = i;
            continue;
        }

        pass++;

        if (pool->zone.leases[i].expires > now) {
            ngx_ims_zone_list_del(&pool->zone, i);
            ngx_ims_zone_list_add(&pool->zone, i);
        }
    }

    return n;
}


static ngx_uint_t
ngx_ims_pool_share_some(ngx_ims_pool_t *pool, uint32_t *offers,
    ngx_uint_t max)
{
    time_t      now;
    uint32_t    i;
    ngx_uint_t  n, k, tries;

    now = ngx_time();
    n = 0;

    for (tries = 8 * max; tries > 0 && n < max; tries--) {
        i = ngx_random() % pool->zone.sh->nleases;

        if (!ngx_ims_pool_share_free(pool, i, now)) {
            continue;
        }

        for (k = 0; k < n && offers[k] != i; k++) { /* void */ }

        if (k == n) {
            offers[n++] = i;
        }
    }

    return n;
}


/*
 * The user of an entry loses it: at once, or with its browsers, which the
 * caller ends.  The entry, when it has some, or NONE.
 */

static uint32_t
ngx_ims_pool_share_leave(ngx_ims_pool_t *pool, uint32_t i)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    ngx_ims_pool_forget(pool, i);

    l->generation = 0;
    l->confirmed = 0;
    l->here = 0;

    if (l->state != NGX_IMS_LEASE_LEASED) {
        return NGX_IMS_NONE;
    }

    l->release = NGX_IMS_RELEASE_REST;
    ngx_ims_pool_left(pool, i);

    return l->nbindings ? i : NGX_IMS_NONE;
}


static void
ngx_ims_pool_share_enter(ngx_ims_pool_t *pool, uint32_t i, u_char *user)
{
    uint32_t            *bucket;
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    ngx_ims_pool_forget(pool, i);

    ngx_memcpy(l->user, user, NGX_IMS_DIGEST_LEN);
    l->calls = 0;
    l->premium = 0;

    bucket = ngx_ims_pool_bucket(pool, user);
    l->user_next = *bucket;
    *bucket = i;
}


ngx_int_t
ngx_ims_pool_share_adopt(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    uint32_t lease, uint64_t generation, time_t confirmed, ngx_str_t *away,
    ngx_uint_t *fresh, uint32_t *ended)
{
    time_t               now;
    uint32_t             other;
    ngx_int_t            rc;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    sh = pool->zone.sh;
    l = &pool->zone.leases[lease];
    now = ngx_time();
    *ended = NGX_IMS_NONE;

    ngx_ims_zone_lock(&pool->zone);

    rc = NGX_BUSY;

    if (l->state == NGX_IMS_LEASE_UNUSED) {
        goto done;
    }

    if (!ngx_ims_pool_is(l, want->user) && l->state == NGX_IMS_LEASE_LEASED) {

        *ended = ngx_ims_pool_share_leave(pool, lease);

        if (*ended != NGX_IMS_NONE) {
            goto done;
        }
    }

    other = ngx_ims_pool_lookup(pool, want->user);

    if (other != NGX_IMS_NONE && other != lease) {
        *ended = ngx_ims_pool_share_leave(pool, other);
    }

    *fresh = (l->state != NGX_IMS_LEASE_LEASED || l->release);

    if (!ngx_ims_pool_is(l, want->user)) {
        ngx_ims_pool_share_enter(pool, lease, want->user);
        *fresh = 1;
    }

    ngx_ims_zone_list_del(&pool->zone, lease);

    if (l->state != NGX_IMS_LEASE_LEASED) {
        sh->leased++;
        l->seq++;
        l->since = now;
        l->here = 0;
    }

    ngx_ims_pool_holder(pool, l, want);
    (void) ngx_ims_zone_put(&pool->zone, &l->away, away);

    l->generation = generation;
    l->confirmed = confirmed;
    l->expires = now + pool->lease;
    l->release = NGX_IMS_RELEASE_NONE;

    ngx_memory_barrier();
    l->state = NGX_IMS_LEASE_LEASED;

    ngx_ims_zone_list_add(&pool->zone, lease);

    rc = NGX_OK;

done:

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_pool_share_confirm(ngx_ims_pool_t *pool, ngx_ims_pool_held_t *held,
    uint64_t generation, time_t confirmed)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[held->lease];

    ngx_ims_zone_lock(&pool->zone);

    if (l->state == NGX_IMS_LEASE_LEASED && l->seq == held->seq
        && l->release == 0 && ngx_ims_pool_is(l, held->user))
    {
        l->generation = generation;
        l->confirmed = ngx_max(confirmed, l->confirmed);
        l->here = (held->bindings != 0);

        if (held->bindings) {
            ngx_str_t  none;

            ngx_str_null(&none);
            (void) ngx_ims_zone_put(&pool->zone, &l->away, &none);
        }
    }

    ngx_ims_zone_unlock(&pool->zone);
}


void
ngx_ims_pool_share_taken(ngx_ims_pool_t *pool, uint32_t lease, time_t until)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[lease];

    ngx_ims_zone_lock(&pool->zone);

    if (l->state == NGX_IMS_LEASE_FREE) {

        /* who had it here last will not get it back */

        ngx_ims_pool_forget(pool, lease);

        ngx_ims_zone_list_del(&pool->zone, lease);
        l->expires = until;
        ngx_ims_zone_list_add(&pool->zone, lease);
    }

    ngx_ims_zone_unlock(&pool->zone);
}


ngx_int_t
ngx_ims_pool_share_lose(ngx_ims_pool_t *pool, uint32_t lease, u_char *user,
    uint64_t generation)
{
    ngx_int_t            rc;
    ngx_ims_lease_sh_t  *l;

    if (lease >= pool->zone.sh->nleases) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;
    l = &pool->zone.leases[lease];

    ngx_ims_zone_lock(&pool->zone);

    if (l->state == NGX_IMS_LEASE_LEASED && ngx_ims_pool_is(l, user)
        && (generation == 0 || l->generation == generation))
    {
        rc = ngx_ims_pool_share_leave(pool, lease) == NGX_IMS_NONE
             ? NGX_OK : NGX_AGAIN;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_pool_share_forget(ngx_ims_pool_t *pool, uint32_t lease)
{
    ngx_ims_zone_lock(&pool->zone);

    pool->zone.leases[lease].generation = 0;
    pool->zone.leases[lease].confirmed = 0;
    pool->zone.leases[lease].here = 0;

    ngx_ims_zone_unlock(&pool->zone);
}


size_t
ngx_ims_pool_share_away(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    size_t               len;
    ngx_ims_lease_sh_t  *l;

    if (lease >= pool->zone.sh->nleases) {
        return 0;
    }

    len = 0;
    l = &pool->zone.leases[lease];

    ngx_ims_zone_lock(&pool->zone);

    if (l->state == NGX_IMS_LEASE_LEASED && l->nbindings == 0) {
        len = ngx_ims_zone_get(&pool->zone, &l->away, out) - out;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return len;
}


ngx_uint_t
ngx_ims_pool_share_walk(ngx_ims_pool_t *pool, ngx_ims_pool_walk_e which,
    uint32_t *cursor, ngx_uint_t n, ngx_ims_pool_held_t *out, ngx_uint_t max)
{
    time_t               now;
    ngx_uint_t           found, meant;
    ngx_ims_lease_sh_t  *l;

    now = ngx_time();
    found = 0;

    ngx_ims_zone_lock(&pool->zone);

    for ( /* void */ ;
         n > 0 && found < max && *cursor < pool->zone.sh->nleases;
         n--, (*cursor)++)
    {
        l = &pool->zone.leases[*cursor];

        if (l->state != NGX_IMS_LEASE_LEASED || l->release
            || ngx_ims_pool_is(l, ngx_ims_pool_nobody))
        {
            continue;
        }

        switch (which) {

        case NGX_IMS_POOL_WALK_BOUND:
            meant = (l->nbindings != 0);
            break;

        case NGX_IMS_POOL_WALK_UNBOUND:
            meant = (l->nbindings == 0
                     && (l->generation ? l->confirmed : l->expires) > now);
            break;

        default:
            meant = (l->nbindings
                     && l->confirmed - now < (pool->lease + 1) / 2)
                    || (l->nbindings != 0) != (l->here != 0);
            break;
        }

        if (meant) {
            ngx_ims_pool_share_copy(pool, *cursor, &out[found++]);
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return found;
}
