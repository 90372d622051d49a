/*
 * Copyright (C) the IMS portal authors
 *
 * Leases.  An entry of the zone belongs to one identity for as long as that
 *          stays in the configuration; it is in one list by its state: free
 *          (oldest first), leased (longest not renewed first), resting.  A free
 *          entry remembers its last user, who gets it back while nobody else
 *          needed it.  There is no timer: each new lease moves at most a few
 *          entries whose time is over.
 */


#include "ngx_ims_pool_int.h"

#include <openssl/sha.h>


/* entries that one call moves between lists */
#define NGX_IMS_POOL_SWEEP  4


static ngx_ims_block_t *ngx_ims_pool_block(ngx_ims_pool_t *pool,
    ngx_uint_t identity, ngx_uint_t *number);
static void ngx_ims_pool_rest(ngx_ims_pool_t *pool, uint32_t i,
    time_t expires);


static ngx_ims_block_t *
ngx_ims_pool_block(ngx_ims_pool_t *pool, ngx_uint_t identity,
    ngx_uint_t *number)
{
    ngx_uint_t        low, high, mid;
    ngx_ims_block_t  *block;

    if (identity >= pool->total) {
        return NULL;
    }

    block = pool->blocks.elts;

    /* the last one that does not begin behind it */

    for (low = 0, high = pool->blocks.nelts; high - low > 1; /* void */ ) {
        mid = (low + high) / 2;

        if (block[mid].before <= identity) {
            low = mid;

        } else {
            high = mid;
        }
    }

    *number = block[low].first + identity - block[low].before;

    return &block[low];
}


static u_char *
ngx_ims_pool_number(u_char *p, ngx_ims_block_t *block, ngx_uint_t number)
{
    ngx_uint_t  i;

    for (i = block->width; i > 0; i--) {
        p[i - 1] = '0' + number % 10;
        number /= 10;
    }

    return p + block->width;
}


size_t
ngx_ims_pool_text(ngx_ims_pool_t *pool, ngx_uint_t identity, u_char *out)
{
    u_char           *p;
    ngx_uint_t        number;
    ngx_ims_block_t  *block;

    block = ngx_ims_pool_block(pool, identity, &number);
    if (block == NULL) {
        return 0;
    }

    p = ngx_cpymem(out, block->prefix.data, block->prefix.len);
    p = ngx_ims_pool_number(p, block, number);

    if (block->suffix.len) {
        p = ngx_cpymem(p, block->suffix.data, block->suffix.len);
    }

    return p - out;
}


size_t
ngx_ims_pool_impu(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    if (lease == NGX_IMS_LEASE_BLOCK) {
        ngx_memcpy(out, pool->block.impu.data, pool->block.impu.len);
        return pool->block.impu.len;
    }

    if (lease >= pool->zone.sh->nleases) {
        return 0;
    }

    if (pool->identity_of[lease] == NGX_IMS_NONE) {
        return ngx_ims_pool_kept(pool, lease, 0, out);
    }

    return ngx_ims_pool_text(pool, pool->identity_of[lease], out);
}


size_t
ngx_ims_pool_impi(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    u_char             *p, *s, *end, text[NGX_IMS_MAX_IMPU];
    size_t              n;
    ngx_uint_t          number;
    ngx_ims_str_t       impu;
    ngx_ims_block_t    *block;
    ngx_ims_sip_uri_t   uri;

    if (lease == NGX_IMS_LEASE_BLOCK) {
        ngx_memcpy(out, pool->block.impi.data, pool->block.impi.len);
        return pool->block.impi.len;
    }

    if (lease < pool->zone.sh->nleases
        && pool->identity_of[lease] == NGX_IMS_NONE)
    {
        return ngx_ims_pool_kept(pool, lease, 1, out);
    }

    impu.data = text;
    impu.len = ngx_ims_pool_impu(pool, lease, text);

    if (impu.len == 0 || ngx_ims_sip_parse_uri(&impu, &uri) != NGX_IMS_OK) {
        return 0;
    }

    number = 0;
    block = ngx_ims_pool_block(pool, pool->identity_of[lease], &number);

    if (block == NULL) {
        return 0;
    }

    s = block->impi.data;
    end = s + block->impi.len;

    for (p = out; s < end; /* void */ ) {

        n = end - s;

        if (p - out + n + uri.user.len + uri.host.len + block->width
            > NGX_IMS_MAX_IMPU)
        {
            return 0;
        }

        if (n >= 5 && ngx_strncmp(s, "$user", 5) == 0) {
            p = ngx_cpymem(p, uri.user.data, uri.user.len);
            s += 5;

        } else if (n >= 5 && ngx_strncmp(s, "$host", 5) == 0) {
            p = ngx_cpymem(p, uri.host.data, uri.host.len);
            s += 5;

        } else if (n >= 7 && ngx_strncmp(s, "$number", 7) == 0) {
            p = ngx_ims_pool_number(p, block, number);
            s += 7;

        } else {
            *p++ = *s++;
        }
    }

    return p - out;
}


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
ngx_ims_pool_forget(ngx_ims_pool_t *pool, uint32_t i)
{
    uint32_t            *link;
    ngx_str_t            nobody;
    ngx_ims_lease_sh_t  *lease;

    ngx_str_null(&nobody);

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
    lease->token_expires = 0;
    ngx_memzero(lease->user, NGX_IMS_DIGEST_LEN);

    (void) ngx_ims_zone_put(&pool->zone, &lease->holder, &nobody);
    (void) ngx_ims_zone_put(&pool->zone, &lease->away, &nobody);
}


ngx_int_t
ngx_ims_pool_lease(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    uint32_t *lease, ngx_uint_t *fresh, ngx_log_t *log)
{
    time_t               now;
    u_char              *user;
    uint32_t             i, *bucket;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    sh = pool->zone.sh;
    now = ngx_time();
    user = want->user;

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_pool_sweep(pool, now);

    i = ngx_ims_pool_lookup(pool, user);

    /* an identity that this worker's configuration lacks cannot be used */

    if (i != NGX_IMS_NONE && pool->identity_of[i] == NGX_IMS_NONE
        && pool->zone.leases[i].nbindings == 0)
    {
        ngx_ims_pool_forget(pool, i);
        i = NGX_IMS_NONE;
    }

    if (i == NGX_IMS_NONE) {

        for (i = sh->free_head;
             i != NGX_IMS_NONE && pool->identity_of[i] == NGX_IMS_NONE;
             i = pool->zone.leases[i].next)
        {
            /* void */
        }

        if (i == NGX_IMS_NONE) {
            ngx_ims_zone_unlock(&pool->zone);
            (void) ngx_atomic_fetch_add(&sh->counters.exhausted, 1);
            return NGX_BUSY;
        }

        ngx_ims_pool_forget(pool, i);

        l = &pool->zone.leases[i];
        ngx_memcpy(l->user, user, NGX_IMS_DIGEST_LEN);
        l->calls = 0;
        l->premium = 0;

        bucket = ngx_ims_pool_bucket(pool, user);
        l->user_next = *bucket;
        *bucket = i;
    }

    l = &pool->zone.leases[i];

    *fresh = (l->state != NGX_IMS_LEASE_LEASED);

    ngx_ims_pool_list_del(pool, i);

    if (*fresh) {
        sh->leased++;
        l->seq++;
        l->since = now;
    }

    ngx_ims_pool_holder(pool, l, want);

    l->expires = now + pool->lease;
    l->release = NGX_IMS_RELEASE_NONE;

    ngx_memory_barrier();
    l->state = NGX_IMS_LEASE_LEASED;

    ngx_ims_pool_list_add(pool, &sh->leased_head, &sh->leased_tail, i);

    ngx_ims_zone_unlock(&pool->zone);

    *lease = i;

    if (!*fresh || sh->leased * 10 < pool->total * 9) {
        return NGX_OK;
    }

    if (!pool->warned) {
        pool->warned = 1;
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "IMPU pool \"%V\" is 90%% full: %uD of %ui leased",
                      &pool->name, sh->leased, pool->total);
    }

    return NGX_OK;
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
    p = ngx_cpymem(p, want->issuer.data, ngx_min(want->issuer.len, 255));

    holder.data = text;
    holder.len = p - text;

    if (!ngx_ims_zone_equal(&pool->zone, &l->holder, &holder)) {
        (void) ngx_ims_zone_put(&pool->zone, &l->holder, &holder);
    }
}


ngx_int_t
ngx_ims_pool_find(ngx_ims_pool_t *pool, u_char *user, uint32_t *lease)
{
    uint32_t  i;

    ngx_ims_zone_lock(&pool->zone);

    ngx_ims_pool_sweep(pool, ngx_time());

    i = ngx_ims_pool_lookup(pool, user);

    if (i != NGX_IMS_NONE
        && (pool->zone.leases[i].state != NGX_IMS_LEASE_LEASED
            || pool->zone.leases[i].release
            || (pool->identity_of[i] == NGX_IMS_NONE
                && pool->zone.leases[i].nbindings == 0)))
    {
        i = NGX_IMS_NONE;
    }

    ngx_ims_zone_unlock(&pool->zone);

    *lease = i;

    return i == NGX_IMS_NONE ? NGX_DECLINED : NGX_OK;
}


time_t
ngx_ims_pool_retry_after(ngx_ims_pool_t *pool)
{
    time_t    expires, now;
    uint32_t  i;

    now = ngx_time();
    expires = now + 3600;

    ngx_ims_zone_lock(&pool->zone);

    i = pool->zone.sh->rest_head;

    if (i != NGX_IMS_NONE) {
        expires = ngx_min(expires, pool->zone.leases[i].expires);
    }

    i = pool->zone.sh->leased_head;

    if (i != NGX_IMS_NONE) {
        expires = ngx_min(expires, pool->zone.leases[i].expires
                                   + pool->quarantine);
    }

    ngx_ims_zone_unlock(&pool->zone);

    return ngx_max(expires - now, 1);
}


void
ngx_ims_pool_sweep(ngx_ims_pool_t *pool, time_t now)
{
    uint32_t             i;
    ngx_uint_t           n;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    sh = pool->zone.sh;

    for (n = 0; n < NGX_IMS_POOL_SWEEP; n++) {
        i = sh->leased_head;

        if (i == NGX_IMS_NONE || pool->zone.leases[i].expires > now) {
            break;
        }

        l = &pool->zone.leases[i];

        if (l->nbindings) {
            ngx_ims_pool_list_del(pool, i);
            l->expires = now + pool->lease;
            ngx_ims_pool_list_add(pool, &sh->leased_head, &sh->leased_tail, i);
            continue;
        }

        ngx_ims_pool_rest(pool, i, l->expires + pool->quarantine);
    }

    if (sh->leased * 10 < pool->total * 9) {
        pool->warned = 0;
    }

    for (n = 0; n < NGX_IMS_POOL_SWEEP; n++) {
        i = sh->rest_head;

        if (i == NGX_IMS_NONE || pool->zone.leases[i].expires > now) {
            break;
        }

        l = &pool->zone.leases[i];
        ngx_ims_pool_list_del(pool, i);

        if (l->removed) {
            ngx_ims_pool_forget(pool, i);
            l->state = NGX_IMS_LEASE_UNUSED;
            l->removed = 0;
            sh->leases_used--;
            continue;
        }

        l->state = NGX_IMS_LEASE_FREE;
        ngx_ims_pool_list_add(pool, &sh->free_head, &sh->free_tail, i);
    }
}


/* a lease ends, and its quarantine begins; it has no bindings */

static void
ngx_ims_pool_rest(ngx_ims_pool_t *pool, uint32_t i, time_t expires)
{
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    sh = pool->zone.sh;
    l = &pool->zone.leases[i];

    ngx_ims_pool_list_del(pool, i);

    l->expires = expires;
    l->release = NGX_IMS_RELEASE_NONE;
    l->state = NGX_IMS_LEASE_RESTING;
    sh->leased--;

    ngx_ims_pool_list_add(pool, &sh->rest_head, &sh->rest_tail, i);
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
        break;
    }
}


/* adds an entry at the tail of a list */

void
ngx_ims_pool_list_add(ngx_ims_pool_t *pool, uint32_t *head, uint32_t *tail,
    uint32_t i)
{
    ngx_ims_lease_sh_t  *leases;

    leases = pool->zone.leases;

    leases[i].next = NGX_IMS_NONE;
    leases[i].prev = *tail;

    if (*tail != NGX_IMS_NONE) {
        leases[*tail].next = i;

    } else {
        *head = i;
    }

    *tail = i;
}


/* takes an entry out of the list of its state */

void
ngx_ims_pool_list_del(ngx_ims_pool_t *pool, uint32_t i)
{
    uint32_t            *head, *tail;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *leases, *l;

    sh = pool->zone.sh;
    leases = pool->zone.leases;
    l = &leases[i];

    switch (l->state) {

    case NGX_IMS_LEASE_FREE:
        head = &sh->free_head;
        tail = &sh->free_tail;
        break;

    case NGX_IMS_LEASE_LEASED:
        head = &sh->leased_head;
        tail = &sh->leased_tail;
        break;

    case NGX_IMS_LEASE_RESTING:
        head = &sh->rest_head;
        tail = &sh->rest_tail;
        break;

    default:
        return;
    }

    if (l->prev != NGX_IMS_NONE) {
        leases[l->prev].next = l->next;

    } else {
        *head = l->next;
    }

    if (l->next != NGX_IMS_NONE) {
        leases[l->next].prev = l->prev;

    } else {
        *tail = l->prev;
    }

    l->prev = l->next = NGX_IMS_NONE;
}
