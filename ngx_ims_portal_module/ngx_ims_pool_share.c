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
static void ngx_ims_pool_share_more(ngx_ims_pool_t *pool, uint32_t own,
    ngx_uint_t round, ngx_ims_pool_offer_t *offer);
static uint32_t ngx_ims_pool_share_entry(ngx_ims_pool_t *pool,
    ngx_str_t *identity, u_char *user);
static ngx_uint_t ngx_ims_pool_share_free(ngx_ims_pool_t *pool, uint32_t i,
    time_t now);
static ngx_uint_t ngx_ims_pool_share_oldest(ngx_ims_pool_t *pool,
    uint32_t not, uint32_t *offers, ngx_uint_t max);
static ngx_uint_t ngx_ims_pool_share_some(ngx_ims_pool_t *pool,
    uint32_t *offers, ngx_uint_t max);
static uint32_t ngx_ims_pool_share_leave(ngx_ims_pool_t *pool, uint32_t i);


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
            && (l->nbindings || l->kind == NGX_IMS_LEASE_CLAIMED
                || pool->identity_of[i] != NGX_IMS_NONE))
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
    held->time = l->guest ? pool->guest_lease : pool->lease;

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
        ngx_ims_pool_take(pool, lease, want);
    }

    ngx_ims_zone_unlock(&pool->zone);
}


ngx_int_t
ngx_ims_pool_share_offer(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_uint_t round, ngx_ims_pool_offer_t *offer)
{
    uint32_t               own;
    ngx_int_t              rc;
    ngx_ims_pool_target_t  t;

    offer->n = 0;
    offer->len = 0;
    offer->only = 0;

    rc = ngx_ims_pool_target(pool, want, &t);

    if (rc != NGX_OK) {
        return rc;
    }

    offer->only = t.named;

    if (t.claim) {
        ngx_memcpy(offer->text, t.kept, t.key);
        offer->len = t.key;
    }

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_pool_sweep(pool, ngx_time());

    own = ngx_ims_pool_lookup(pool, want->user);

    if (want->guest && pool->guest_max
        && pool->zone.sh->guests >= pool->guest_max
        && (own == NGX_IMS_NONE
            || pool->zone.leases[own].state != NGX_IMS_LEASE_LEASED))
    {
        rc = NGX_BUSY;

    } else if (t.number != NGX_IMS_NONE && (t.named || round == 0)) {
        offer->entries[offer->n++] = pool->lease_of[t.number];
    }

    if (rc == NGX_OK && !t.named) {
        ngx_ims_pool_share_more(pool, own, round, offer);

        if (offer->n == 0) {
            rc = NGX_BUSY;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


static void
ngx_ims_pool_share_more(ngx_ims_pool_t *pool, uint32_t own, ngx_uint_t round,
    ngx_ims_pool_offer_t *offer)
{
    switch (round) {

    case 0:
        if (own != NGX_IMS_NONE
            && ngx_ims_pool_number_of(pool, own) != NGX_IMS_NONE
            && !pool->zone.leases[own].reserved
            && (offer->n == 0 || offer->entries[0] != own))
        {
            offer->entries[offer->n++] = own;
        }

        offer->n += ngx_ims_pool_share_oldest(pool, own,
                                              &offer->entries[offer->n],
                                              NGX_IMS_POOL_OFFER_FIRST);
        break;

    case 1:
    case 2:

        /* others have taken ours in the same order: look elsewhere */

        offer->n += ngx_ims_pool_share_some(pool, &offer->entries[offer->n],
                                            round == 1 ? 64 : 256);
        if (offer->n) {
            break;
        }

        /* fall through */

    default:
        offer->n += ngx_ims_pool_share_oldest(pool, NGX_IMS_NONE,
                                              &offer->entries[offer->n],
                                              NGX_IMS_POOL_OFFERS);
    }
}


size_t
ngx_ims_pool_share_text(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    u_char         text[NGX_IMS_MAX_IMPU];
    ngx_ims_str_t  uri;

    uri.data = text;
    uri.len = ngx_ims_pool_impu(pool, lease, text);

    return uri.len ? ngx_ims_pool_key(&uri, out) : 0;
}


ngx_uint_t
ngx_ims_pool_share_right(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_pool_held_t *held)
{
    u_char                 text[NGX_IMS_MAX_IMPU];
    size_t                 len;
    ngx_ims_pool_target_t  t;

    /* who has browsers with another one keeps that until they are gone */

    if (held->bindings) {
        return 1;
    }

    if (ngx_ims_pool_target(pool, want, &t) != NGX_OK) {
        return 0;
    }

    if (t.claim) {
        len = ngx_ims_pool_share_text(pool, held->lease, text);

        return len == t.key && ngx_memcmp(text, t.kept, len) == 0;
    }

    return t.number == NGX_IMS_NONE
           || pool->lease_of[t.number] == held->lease;
}


/* as far as this host knows */

static ngx_uint_t
ngx_ims_pool_share_free(ngx_ims_pool_t *pool, uint32_t i, time_t now)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    return l->state == NGX_IMS_LEASE_FREE && l->expires <= now
           && !l->reserved
           && ngx_ims_pool_known(pool, i);
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


/* its entry, made when only tokens name it; NONE: not of this pool, no room */

static uint32_t
ngx_ims_pool_share_entry(ngx_ims_pool_t *pool, ngx_str_t *identity,
    u_char *user)
{
    uint32_t               i;
    ngx_ims_pool_target_t  t;

    t.number = ngx_ims_pool_number(pool, identity->data, identity->len);

    if (t.number != NGX_IMS_NONE) {
        ngx_ims_zone_lock(&pool->zone);
        return pool->lease_of[t.number];
    }

    if (ngx_ims_pool_claim_target(pool, identity, &t) != NGX_OK) {
        ngx_ims_zone_lock(&pool->zone);
        return NGX_IMS_NONE;
    }

    ngx_ims_zone_lock(&pool->zone);

    i = ngx_ims_pool_claim_find(pool, t.hash, t.kept, t.key);

    if (i == NGX_IMS_NONE
        && !ngx_ims_pool_lingers(pool, t.kept, t.key, user))
    {
        i = ngx_ims_pool_claim_add(pool, &t);
    }

    return i;
}


ngx_int_t
ngx_ims_pool_share_adopt(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_str_t *identity, uint64_t generation, time_t confirmed,
    ngx_str_t *away, uint32_t *lease, ngx_uint_t *fresh, uint32_t *ended)
{
    uint32_t             i, other;
    ngx_int_t            rc;
    ngx_ims_lease_sh_t  *l;

    *ended = NGX_IMS_NONE;
    rc = NGX_DECLINED;

    i = ngx_ims_pool_share_entry(pool, identity, want->user);

    if (i == NGX_IMS_NONE) {
        goto done;
    }

    l = &pool->zone.leases[i];

    if (!ngx_ims_pool_is(l, want->user) && l->state == NGX_IMS_LEASE_LEASED) {

        *ended = ngx_ims_pool_share_leave(pool, i);

        if (*ended != NGX_IMS_NONE) {
            rc = NGX_BUSY;
            goto done;
        }
    }

    other = ngx_ims_pool_lookup(pool, want->user);

    if (other != NGX_IMS_NONE && other != i) {
        *ended = ngx_ims_pool_share_leave(pool, other);
    }

    *fresh = (l->state != NGX_IMS_LEASE_LEASED || l->release
              || !ngx_ims_pool_is(l, want->user));

    if (l->state != NGX_IMS_LEASE_LEASED) {
        l->here = 0;
    }

    ngx_ims_pool_take(pool, i, want);

    (void) ngx_ims_zone_put(&pool->zone, &l->away, away);

    l->generation = generation;
    l->confirmed = confirmed;

    *lease = i;
    rc = NGX_OK;

done:

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_pool_share_confirm(ngx_ims_pool_t *pool, ngx_ims_pool_held_t *held,
    uint64_t generation, time_t confirmed)
{
    ngx_str_t            none;
    ngx_ims_lease_sh_t  *l;

    ngx_str_null(&none);
    l = &pool->zone.leases[held->lease];

    ngx_ims_zone_lock(&pool->zone);

    if (l->state == NGX_IMS_LEASE_LEASED && l->seq == held->seq
        && l->release == 0 && ngx_ims_pool_is(l, held->user))
    {
        l->generation = generation;
        l->confirmed = ngx_max(confirmed, l->confirmed);
        l->here = (held->bindings != 0);

        if (held->bindings) {
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
                     && l->confirmed - now
                        < ((l->guest ? pool->guest_lease : pool->lease) + 1)
                          / 2)
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
