/*
 * Copyright (C) the IMS portal authors
 *
 * Identities of the configuration and entries of the zone, brought together at
 * the start and at each reload.  Nothing in the zone is changed before all is
 * known to fit, and what left the configuration is taken away only when that is
 * about to be used: a reload that fails leaves the running pool as it was.
 *
 * With a million identities it takes a third of a second, in which all workers
 * would wait for the lock; so it is made without, and put into the zone a
 * little at a time.  Who does this excludes others by a lock of its own;
 * workers may meanwhile give an unused entry to an identity that a token names,
 * or free one that had been retired.
 */


#include "ngx_ims_pool_int.h"


/* entries that are changed without letting go of the lock */
#define NGX_IMS_POOL_BATCH  1024


/* where an identity is, by its hash, open addressing */
typedef struct {
    uint32_t                 *slots;          /* entry, or NONE */
    uint64_t                 *hashes;         /* of the identity of an entry */
    uint32_t                  mask;
    uint32_t                  spare;          /* unused entries are from here */
} ngx_ims_pool_map_t;


static ngx_int_t ngx_ims_pool_map_alloc(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map, ngx_pool_t *mem, ngx_log_t *log);
static ngx_int_t ngx_ims_pool_map_make(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map, ngx_log_t *log);
static uint32_t *ngx_ims_pool_map_slot(ngx_ims_pool_map_t *map,
    uint64_t hash);
static void ngx_ims_pool_map_index(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map);
static ngx_int_t ngx_ims_pool_map_match(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map, ngx_log_t *log);
static ngx_int_t ngx_ims_pool_map_apply(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map, ngx_log_t *log);
static ngx_int_t ngx_ims_pool_map_entry(ngx_ims_pool_t *pool, ngx_uint_t k,
    uint64_t hash);
static void ngx_ims_pool_map_full(ngx_ims_pool_t *pool, ngx_log_t *log);


ngx_int_t
ngx_ims_pool_map(ngx_ims_pool_t *pool, ngx_pool_t *mem, ngx_log_t *log)
{
    ngx_int_t           rc;
    ngx_ims_pool_map_t  map;

    (void) ngx_ims_shared_lock(&pool->zone.sh->mapping);

    rc = ngx_ims_pool_map_alloc(pool, &map, mem, log);

    if (rc == NGX_OK) {
        rc = ngx_ims_pool_map_make(pool, &map, log);
    }

    if (rc == NGX_OK) {
        rc = ngx_ims_pool_map_apply(pool, &map, log);
    }

    ngx_ims_shared_unlock(&pool->zone.sh->mapping);

    if (map.slots != NULL) {
        ngx_free(map.slots);
    }

    if (map.hashes != NULL) {
        ngx_free(map.hashes);
    }

    return rc;
}


static ngx_int_t
ngx_ims_pool_map_alloc(ngx_ims_pool_t *pool, ngx_ims_pool_map_t *map,
    ngx_pool_t *mem, ngx_log_t *log)
{
    uint32_t  n, nleases;

    nleases = pool->zone.sh->nleases;

    for (n = 16; n < 2 * nleases; n *= 2) { /* void */ }

    map->mask = n - 1;
    map->slots = ngx_alloc(n * sizeof(uint32_t), log);
    map->hashes = ngx_alloc(nleases * sizeof(uint64_t), log);

    pool->identity_of = ngx_palloc(mem, nleases * sizeof(uint32_t));
    pool->lease_of = ngx_palloc(mem, (pool->total + 1) * sizeof(uint32_t));

    if (map->slots == NULL || map->hashes == NULL
        || pool->identity_of == NULL || pool->lease_of == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_pool_map_make(ngx_ims_pool_t *pool, ngx_ims_pool_map_t *map,
    ngx_log_t *log)
{
    uint32_t  nleases;

    nleases = pool->zone.sh->nleases;

    map->spare = 0;

    ngx_memset(map->slots, 0xff, ((size_t) map->mask + 1) * sizeof(uint32_t));
    ngx_memzero(map->hashes, nleases * sizeof(uint64_t));
    ngx_memset(pool->identity_of, 0xff, nleases * sizeof(uint32_t));

    ngx_ims_pool_map_index(pool, map);

    return ngx_ims_pool_map_match(pool, map, log);
}


/* the slot of a hash: its entry, or NONE where it would stand */

static uint32_t *
ngx_ims_pool_map_slot(ngx_ims_pool_map_t *map, uint64_t hash)
{
    uint32_t  i;

    for (i = hash & map->mask;
         map->slots[i] != NGX_IMS_NONE && map->hashes[map->slots[i]] != hash;
         i = (i + 1) & map->mask)
    {
        /* void */
    }

    return &map->slots[i];
}


/* what the zone has */

static void
ngx_ims_pool_map_index(ngx_ims_pool_t *pool, ngx_ims_pool_map_t *map)
{
    uint32_t             i;
    ngx_ims_lease_sh_t  *lease;

    for (i = 0; i < pool->zone.sh->nleases; i++) {
        lease = &pool->zone.leases[i];

        if (lease->state != NGX_IMS_LEASE_UNUSED
            && lease->kind == NGX_IMS_LEASE_CONFIGURED)
        {
            map->hashes[i] = lease->identity;
            *ngx_ims_pool_map_slot(map, lease->identity) = i;
        }
    }
}


/* an entry for each identity: the one it had, or an unused one */

static ngx_int_t
ngx_ims_pool_map_match(ngx_ims_pool_t *pool, ngx_ims_pool_map_t *map,
    ngx_log_t *log)
{
    u_char      text[NGX_IMS_MAX_IMPU];
    size_t      len;
    uint32_t   *slot;
    uint64_t    hash;
    ngx_uint_t  k;

    for (k = 0; k < pool->total; k++) {
        len = ngx_ims_pool_text_key(pool, k, text);
        hash = ngx_ims_pool_hash(text, len);
        slot = ngx_ims_pool_map_slot(map, hash);

        if (*slot == NGX_IMS_NONE) {

            while (map->spare < pool->zone.sh->nleases
                   && pool->zone.leases[map->spare].state
                      != NGX_IMS_LEASE_UNUSED)
            {
                map->spare++;
            }

            if (map->spare == pool->zone.sh->nleases) {
                ngx_ims_pool_map_full(pool, log);
                return NGX_ERROR;
            }

            *slot = map->spare++;
            map->hashes[*slot] = hash;
        }

        if (pool->identity_of[*slot] != NGX_IMS_NONE) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "identity \"%*s\" is twice in "
                          "\"ims_portal_pool\" \"%V\"",
                          len, text, &pool->name);
            return NGX_ERROR;
        }

        pool->identity_of[*slot] = k;
        pool->lease_of[k] = *slot;
    }

    return NGX_OK;
}


static void
ngx_ims_pool_map_full(ngx_ims_pool_t *pool, ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "\"ims_portal_pool\" zone \"%V\" has no room for new "
                  "identities", &pool->name);
}


/* in the order of the configuration: that is how they are given out */

static ngx_int_t
ngx_ims_pool_map_apply(ngx_ims_pool_t *pool, ngx_ims_pool_map_t *map,
    ngx_log_t *log)
{
    ngx_int_t   rc;
    ngx_uint_t  k, last;

    rc = NGX_OK;

    for (k = 0; rc == NGX_OK && k < pool->total; /* void */ ) {
        last = ngx_min(k + NGX_IMS_POOL_BATCH, pool->total);

        ngx_ims_zone_lock(&pool->zone);

        for ( /* void */ ; rc == NGX_OK && k < last; k++) {
            rc = ngx_ims_pool_map_entry(pool, k,
                                        map->hashes[pool->lease_of[k]]);
        }

        ngx_ims_zone_unlock(&pool->zone);
    }

    if (rc != NGX_OK) {
        ngx_ims_pool_map_full(pool, log);
    }

    return rc;
}


/* one that is new is not given out before its configuration is in use */

static ngx_int_t
ngx_ims_pool_map_entry(ngx_ims_pool_t *pool, ngx_uint_t k, uint64_t hash)
{
    uint32_t             i;
    ngx_ims_lease_sh_t  *lease;

    i = pool->lease_of[k];
    lease = &pool->zone.leases[i];

    if (lease->state != NGX_IMS_LEASE_UNUSED) {

        if (lease->kind == NGX_IMS_LEASE_CONFIGURED
            && lease->identity == hash)
        {
            if (lease->state != NGX_IMS_LEASE_FREE) {
                lease->removed = 0;
            }

            return NGX_OK;
        }

        /* a token was faster */

        pool->identity_of[i] = NGX_IMS_NONE;

        i = pool->zone.sh->unused_head;

        while (i != NGX_IMS_NONE && pool->identity_of[i] != NGX_IMS_NONE) {
            i = pool->zone.leases[i].next;
        }

        if (i == NGX_IMS_NONE) {
            return NGX_ERROR;
        }

        pool->identity_of[i] = k;
        pool->lease_of[k] = i;

        lease = &pool->zone.leases[i];
    }

    ngx_ims_zone_list_del(&pool->zone, i);

    lease->identity = hash;
    lease->bindings = NGX_IMS_NONE;
    lease->user_next = NGX_IMS_NONE;
    lease->kind = NGX_IMS_LEASE_CONFIGURED;
    lease->removed = 1;
    lease->reserved = 0;
    lease->expires = 0;
    ngx_memzero(lease->user, NGX_IMS_DIGEST_LEN);

    ngx_memory_barrier();
    lease->state = NGX_IMS_LEASE_FREE;

    ngx_ims_zone_list_add(&pool->zone, i);
    pool->zone.sh->leases_used++;

    return NGX_OK;
}
