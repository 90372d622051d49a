/*
 * Copyright (C) the IMS portal authors
 *
 * Leases: who gets which identity.  A user keeps his own, and gets it back
 *         after his lease while nobody else needed it.  See
 *         ngx_ims_pool_state.c for what time makes of leases.  No timers.
 */


#include "ngx_ims_pool_reserve.h"

#include <openssl/sha.h>


/* entries that one look for a free one passes over at most */
#define NGX_IMS_POOL_SKIP  256

/* ... and looks at when none is free */
#define NGX_IMS_POOL_SCAN  1024


static uint32_t ngx_ims_pool_own(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    time_t now);
static uint32_t ngx_ims_pool_choose(ngx_ims_pool_t *pool,
    ngx_ims_want_t *want, ngx_ims_pool_target_t *t, ngx_int_t *rc);
static uint32_t ngx_ims_pool_free(ngx_ims_pool_t *pool, time_t now);
static uint32_t ngx_ims_pool_overdue(ngx_ims_pool_t *pool, time_t now);
static ngx_int_t ngx_ims_pool_others(ngx_ims_pool_t *pool, uint32_t i,
    u_char *user);
static void ngx_ims_pool_warn(ngx_ims_pool_t *pool, ngx_log_t *log);


void
ngx_ims_pool_user(ngx_ims_str_t *issuer, ngx_ims_str_t *subject, u_char *out)
{
    u_char   digest[SHA256_DIGEST_LENGTH];
    u_char   text[512 + 1], *p;

    /*
     * NUL cannot stand in either: both were JSON strings that passed
     * the verifier, which limits them, too
     */

    p = text;

    if (issuer->len) {
        p = ngx_cpymem(p, issuer->data, ngx_min(issuer->len, 256));
    }

    *p++ = '\0';
    p = ngx_cpymem(p, subject->data, ngx_min(subject->len, 256));

    SHA256(text, p - text, digest);

    ngx_memcpy(out, digest, NGX_IMS_DIGEST_LEN);
}


uint32_t *
ngx_ims_pool_bucket(ngx_ims_pool_t *pool, u_char *user)
{
    uint32_t  h;

    ngx_memcpy(&h, user, sizeof(h));

    return &pool->zone.user_buckets[h & (pool->zone.sh->nbuckets - 1)];
}


uint32_t
ngx_ims_pool_lookup(ngx_ims_pool_t *pool, u_char *user)
{
    uint32_t  i;

    for (i = *ngx_ims_pool_bucket(pool, user);
         i != NGX_IMS_NONE;
         i = pool->zone.leases[i].user_next)
    {
        if (ngx_memcmp(pool->zone.leases[i].user, user, NGX_IMS_DIGEST_LEN)
            == 0)
        {
            return i;
        }
    }

    return NGX_IMS_NONE;
}


/* takes the entry out of the chain of its last user */

void
ngx_ims_pool_unlink(ngx_ims_pool_t *pool, uint32_t i)
{
    uint32_t            *link;
    ngx_ims_lease_sh_t  *lease;

    lease = &pool->zone.leases[i];

    for (link = ngx_ims_pool_bucket(pool, lease->user);
         *link != NGX_IMS_NONE;
         link = &pool->zone.leases[*link].user_next)
    {
        if (*link == i) {
            *link = lease->user_next;
            break;
        }
    }

    lease->user_next = NGX_IMS_NONE;
}


void
ngx_ims_pool_forget(ngx_ims_pool_t *pool, uint32_t i)
{
    ngx_str_t            nobody;
    ngx_ims_lease_sh_t  *lease;

    ngx_str_null(&nobody);

    lease = &pool->zone.leases[i];

    ngx_ims_pool_unlink(pool, i);

    lease->token_expires = 0;
    ngx_memzero(lease->user, NGX_IMS_DIGEST_LEN);

    (void) ngx_ims_zone_put(&pool->zone, &lease->holder, &nobody);
    (void) ngx_ims_zone_put(&pool->zone, &lease->away, &nobody);
}


ngx_int_t
ngx_ims_pool_lease(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    uint32_t *lease, ngx_uint_t *fresh, ngx_log_t *log)
{
    uint32_t               i;
    ngx_int_t              rc;
    ngx_ims_zone_sh_t     *sh;
    ngx_ims_pool_target_t  t;

    rc = ngx_ims_pool_target(pool, want, &t);

    if (rc != NGX_OK) {
        return rc;
    }

    sh = pool->zone.sh;

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_pool_sweep(pool, ngx_time());

    i = ngx_ims_pool_choose(pool, want, &t, &rc);

    if (i == NGX_IMS_NONE) {
        ngx_ims_zone_unlock(&pool->zone);

        if (rc == NGX_BUSY) {
            (void) ngx_atomic_fetch_add(&sh->counters.exhausted, 1);
        }

        return rc;
    }

    *fresh = (pool->zone.leases[i].state != NGX_IMS_LEASE_LEASED);

    ngx_ims_pool_take(pool, i, want);

    ngx_ims_zone_unlock(&pool->zone);

    *lease = i;

    if (*fresh) {
        ngx_ims_pool_warn(pool, log);
    }

    return NGX_OK;
}


/* what his token or the configuration says */

ngx_int_t
ngx_ims_pool_target(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_pool_target_t *t)
{
    uint32_t       mine;
    ngx_ims_str_t  uri;

    if (want->guest && !pool->guests) {
        return NGX_DECLINED;
    }

    mine = ngx_ims_pool_reserved(pool, want);

    t->number = mine;
    t->named = 0;
    t->claim = 0;

    if (want->identity.len == 0) {
        return NGX_OK;
    }

    uri.data = want->identity.data;
    uri.len = want->identity.len;

    t->named = 1;
    t->key = ngx_ims_pool_key(&uri, t->kept);
    t->number = ngx_ims_pool_number(pool, t->kept, t->key);

    if (t->number == NGX_IMS_NONE) {
        return ngx_ims_pool_claim_target(pool, &want->identity, t);
    }

    return t->number == mine || !ngx_ims_pool_is_reserved(pool, t->number)
           ? NGX_OK : NGX_DECLINED;
}


/*
 * The entry that he has, or had last; NONE: he has none, or it is none for him
 * any more, and he has no browser there.
 */

static uint32_t
ngx_ims_pool_own(ngx_ims_pool_t *pool, ngx_ims_want_t *want, time_t now)
{
    uint32_t             i, number;
    ngx_ims_lease_sh_t  *l;

    i = ngx_ims_pool_lookup(pool, want->user);

    if (i == NGX_IMS_NONE) {
        return i;
    }

    l = &pool->zone.leases[i];

    if (l->nbindings) {
        return i;
    }

    number = ngx_ims_pool_number_of(pool, i);

    if (l->kind == NGX_IMS_LEASE_CLAIMED) {
        if (!l->removed) {
            return i;
        }

    } else if (number != NGX_IMS_NONE
               && (!ngx_ims_pool_is_reserved(pool, number)
                   || ngx_ims_pool_reserved(pool, want) == number))
    {
        return i;
    }

    if (l->state == NGX_IMS_LEASE_LEASED) {
        ngx_ims_pool_rest(pool, i, now + pool->quarantine);
    }

    ngx_ims_pool_forget(pool, i);

    return NGX_IMS_NONE;
}


static uint32_t
ngx_ims_pool_choose(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_pool_target_t *t, ngx_int_t *rc)
{
    time_t               now;
    uint32_t             i, own;
    ngx_uint_t           lingers;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *leases;

    sh = pool->zone.sh;
    leases = pool->zone.leases;
    now = ngx_time();

    /* he may have it himself, for a moment still */

    lingers = t->claim
              && ngx_ims_pool_lingers(pool, t->kept, t->key, want->user);

    own = ngx_ims_pool_own(pool, want, now);
    i = NGX_IMS_NONE;

    if (t->number != NGX_IMS_NONE) {
        i = pool->lease_of[t->number];

    } else if (t->claim) {
        i = ngx_ims_pool_claim_find(pool, t->hash, t->kept, t->key);
    }

    if (own != NGX_IMS_NONE && (own == i || leases[own].nbindings)) {
        return own;
    }

    if (i != NGX_IMS_NONE) {
        ngx_ims_pool_settle(pool, i, now);

        if (t->claim && leases[i].state == NGX_IMS_LEASE_UNUSED) {
            i = NGX_IMS_NONE;

        } else if ((!t->claim && !ngx_ims_pool_known(pool, i))
                   || ngx_ims_pool_others(pool, i, want->user))
        {

            if (t->named) {
                *rc = NGX_ABORT;
                return NGX_IMS_NONE;
            }

            i = NGX_IMS_NONE;
        }
    }

    if (i == NGX_IMS_NONE && lingers) {
        *rc = NGX_ABORT;
        return NGX_IMS_NONE;
    }

    if (i == NGX_IMS_NONE && !t->claim && own != NGX_IMS_NONE) {
        return own;
    }

    *rc = NGX_BUSY;

    if (want->guest && pool->guest_max && sh->guests >= pool->guest_max
        && (own == NGX_IMS_NONE || leases[own].state != NGX_IMS_LEASE_LEASED))
    {
        return NGX_IMS_NONE;
    }

    if (i == NGX_IMS_NONE) {
        i = t->claim ? ngx_ims_pool_claim_add(pool, t)
                     : ngx_ims_pool_free(pool, now);
    }

    /* he moves */

    if (i != NGX_IMS_NONE && own != NGX_IMS_NONE
        && leases[own].state == NGX_IMS_LEASE_LEASED)
    {
        ngx_ims_pool_rest(pool, own, now + pool->quarantine);
    }

    return i;
}


/* free for longest; one that this worker's configuration lacks is of no use */

static uint32_t
ngx_ims_pool_free(ngx_ims_pool_t *pool, time_t now)
{
    uint32_t    i;
    ngx_uint_t  n;

    i = pool->zone.sh->free_head;

    for (n = 0; i != NGX_IMS_NONE && n < NGX_IMS_POOL_SKIP; n++) {

        if (ngx_ims_pool_known(pool, i)) {
            return i;
        }

        i = pool->zone.leases[i].next;
    }

    return ngx_ims_pool_overdue(pool, now);
}


/*
 * Lists are in the order of time while that of leases and quarantines is one.
 * When a reload made it less, the first in a list keeps others from being seen.
 */

static uint32_t
ngx_ims_pool_overdue(ngx_ims_pool_t *pool, time_t now)
{
    uint32_t             i, nleases;
    ngx_uint_t           n;
    ngx_ims_lease_sh_t  *l;

    nleases = pool->zone.sh->nleases;

    for (n = ngx_min(nleases, NGX_IMS_POOL_SCAN); n > 0; n--) {

        i = pool->scan < nleases ? pool->scan : 0;
        pool->scan = i + 1;

        ngx_ims_pool_settle(pool, i, now);

        l = &pool->zone.leases[i];

        if (l->state == NGX_IMS_LEASE_FREE && !l->removed && !l->reserved
            && ngx_ims_pool_known(pool, i))
        {
            return i;
        }
    }

    return NGX_IMS_NONE;
}


ngx_uint_t
ngx_ims_pool_known(ngx_ims_pool_t *pool, uint32_t i)
{
    u_char    text[NGX_IMS_MAX_IMPU];
    size_t    len;
    uint32_t  number;

    number = ngx_ims_pool_number_of(pool, i);

    if (number == NGX_IMS_NONE) {
        return 0;
    }

    len = ngx_ims_pool_text_key(pool, number, text);

    return pool->zone.leases[i].identity == ngx_ims_pool_hash(text, len);
}


/* somebody else has it, or had it a while ago; or it is not there yet */

static ngx_int_t
ngx_ims_pool_others(ngx_ims_pool_t *pool, uint32_t i, u_char *user)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    switch (l->state) {

    case NGX_IMS_LEASE_FREE:
        return 0;

    case NGX_IMS_LEASE_UNUSED:
        return 1;

    default:
        return ngx_memcmp(l->user, user, NGX_IMS_DIGEST_LEN) != 0;
    }
}


/* leases an entry to a user who may have it, or renews his lease */

void
ngx_ims_pool_take(ngx_ims_pool_t *pool, uint32_t i, ngx_ims_want_t *want)
{
    time_t               now;
    uint32_t            *bucket;
    ngx_ims_lease_sh_t  *l;

    now = ngx_time();
    l = &pool->zone.leases[i];

    if (ngx_memcmp(l->user, want->user, NGX_IMS_DIGEST_LEN) != 0) {
        ngx_ims_pool_forget(pool, i);

        ngx_memcpy(l->user, want->user, NGX_IMS_DIGEST_LEN);
        l->calls = 0;
        l->premium = 0;

    } else {
        ngx_ims_pool_unlink(pool, i);
    }

    /* the first in the chain is the one that is found */

    bucket = ngx_ims_pool_bucket(pool, want->user);
    l->user_next = *bucket;
    *bucket = i;

    ngx_ims_pool_holder(pool, l, want);

    if (l->state == NGX_IMS_LEASE_LEASED) {
        pool->zone.sh->guests -= (l->guest != 0);
        ngx_ims_zone_list_del(&pool->zone, i);

        l->guest = want->guest;

        ngx_ims_zone_list_add(&pool->zone, i);
        pool->zone.sh->guests += (l->guest != 0);

    } else {
        l->seq++;
        l->since = now;
        l->guest = want->guest;

        ngx_ims_pool_state(pool, i, NGX_IMS_LEASE_LEASED);
    }

    l->expires = now + (want->guest ? pool->guest_lease : pool->lease);
    l->release = NGX_IMS_RELEASE_NONE;
}


static void
ngx_ims_pool_warn(ngx_ims_pool_t *pool, ngx_log_t *log)
{
    uint32_t            leased;
    ngx_ims_zone_sh_t  *sh;

    sh = pool->zone.sh;
    leased = sh->leased - ngx_min(sh->claimed, sh->leased);

    if (pool->warned || pool->total == 0 || leased * 10 < pool->total * 9) {
        return;
    }

    pool->warned = 1;

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "IMPU pool \"%V\" is 90%% full: %uD of %ui leased",
                  &pool->name, leased, pool->total);
}


/*
 * Who has it, for administrators: subject, NUL, issuer.  A zone without room
 * for that still leases.
 */

void
ngx_ims_pool_holder(ngx_ims_pool_t *pool, ngx_ims_lease_sh_t *l,
    ngx_ims_want_t *want)
{
    u_char     text[2 * 256], *p;
    ngx_str_t  holder;

    p = ngx_cpymem(text, want->subject.data, ngx_min(want->subject.len, 255));
    *p++ = '\0';

    if (want->issuer.len) {
        p = ngx_cpymem(p, want->issuer.data, ngx_min(want->issuer.len, 255));
    }

    holder.data = text;
    holder.len = p - text;

    if (!ngx_ims_zone_equal(&pool->zone, &l->holder, &holder)) {
        (void) ngx_ims_zone_put(&pool->zone, &l->holder, &holder);
    }
}


ngx_int_t
ngx_ims_pool_find(ngx_ims_pool_t *pool, u_char *user, uint32_t *lease)
{
    uint32_t             i;
    ngx_ims_lease_sh_t  *l;

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_pool_sweep(pool, ngx_time());

    i = ngx_ims_pool_lookup(pool, user);

    if (i != NGX_IMS_NONE) {
        l = &pool->zone.leases[i];

        if (l->state != NGX_IMS_LEASE_LEASED || l->release
            || (l->nbindings == 0 && l->kind != NGX_IMS_LEASE_CLAIMED
                && pool->identity_of[i] == NGX_IMS_NONE))
        {
            i = NGX_IMS_NONE;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    *lease = i;

    return i == NGX_IMS_NONE ? NGX_DECLINED : NGX_OK;
}
