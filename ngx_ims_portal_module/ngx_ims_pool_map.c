/*
 * Copyright (C) the IMS portal authors
 *
 * Identities of the configuration and entries of the zone, brought together at
 * the start and at each reload.  Nothing in the zone is changed before all is
 * known to fit, and what left the configuration is taken away only when that is
 * about to be used: a reload that fails leaves the running pool as it was.
 *
 * With a million identities it takes a third of a second, in which all workers
 * would wait for the lock; so it is made without, and only looked at again when
 * we have it: entries change their identity once in a day, if ever.
 */


#include "ngx_ims_pool_int.h"


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
static ngx_uint_t ngx_ims_pool_map_holds(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map);
static uint32_t *ngx_ims_pool_map_slot(ngx_ims_pool_map_t *map,
    uint64_t hash);
static void ngx_ims_pool_map_index(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map);
static ngx_int_t ngx_ims_pool_map_match(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map, ngx_log_t *log);
static void ngx_ims_pool_map_apply(ngx_ims_pool_t *pool,
    ngx_ims_pool_map_t *map);
static uint64_t ngx_ims_pool_hash(u_char *p, size_t len);


ngx_int_t
ngx_ims_pool_map(ngx_ims_pool_t *pool, ngx_pool_t *mem, ngx_log_t *log)
{
    ngx_int_t           rc;
    ngx_ims_pool_map_t  map;

    rc = ngx_ims_pool_map_alloc(pool, &map, mem, log);

    if (rc == NGX_OK) {
        rc = ngx_ims_pool_map_make(pool, &map, log);
    }

    if (rc == NGX_OK) {
        ngx_ims_zone_lock(&pool->zone);

        if (!ngx_ims_pool_map_holds(pool, &map)) {
            rc = ngx_ims_pool_map_make(pool, &map, log);
        }

        if (rc == NGX_OK) {
            ngx_ims_pool_map_apply(pool, &map);
        }

        ngx_ims_zone_unlock(&pool->zone);
    }

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
    pool->lease_of = ngx_palloc(mem, pool->total * sizeof(uint32_t));

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


/* what is used has the identity that was seen, or is to get; locked */

static ngx_uint_t
ngx_ims_pool_map_holds(ngx_ims_pool_t *pool, ngx_ims_pool_map_t *map)
{
    uint32_t             i;
    ngx_ims_lease_sh_t  *lease;

    for (i = 0; i < pool->zone.sh->nleases; i++) {
        lease = &pool->zone.leases[i];

        if (lease->state != NGX_IMS_LEASE_UNUSED
            && lease->identity != map->hashes[i])
        {
            return 0;
        }
    }

    return 1;
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

        if (lease->state != NGX_IMS_LEASE_UNUSED) {
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
        len = ngx_ims_pool_text(pool, k, text);
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
                ngx_log_error(NGX_LOG_EMERG, log, 0,
                              "\"ims_portal_pool\" zone \"%V\" has no room "
                              "for new identities", &pool->name);
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
ngx_ims_pool_map_apply(ngx_ims_pool_t *pool, ngx_ims_pool_map_t *map)
{
    uint32_t             i;
    ngx_uint_t           k;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *lease;

    sh = pool->zone.sh;

    /* in the order of the configuration: that is how they are given out */

    for (k = 0; k < pool->total; k++) {
        i = pool->lease_of[k];
        lease = &pool->zone.leases[i];

        if (lease->state != NGX_IMS_LEASE_UNUSED) {
            continue;
        }

        lease->identity = map->hashes[i];
        lease->bindings = NGX_IMS_NONE;
        lease->user_next = NGX_IMS_NONE;
        lease->state = NGX_IMS_LEASE_FREE;

        ngx_ims_pool_list_add(pool, &sh->free_head, &sh->free_tail, i);
        sh->leases_used++;
    }
}


void
ngx_ims_pool_retire(ngx_ims_pool_t *pool)
{
    uint32_t             i;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *lease;

    sh = pool->zone.sh;

    ngx_ims_zone_lock(&pool->zone);

    /* a free identity that left the configuration is forgotten at once */

    for (i = 0; i < sh->nleases; i++) {
        lease = &pool->zone.leases[i];
        lease->removed = lease->state != NGX_IMS_LEASE_UNUSED
                         && pool->identity_of[i] == NGX_IMS_NONE;

        if (lease->removed && lease->state == NGX_IMS_LEASE_FREE) {
            ngx_ims_pool_list_del(pool, i);
            ngx_ims_pool_forget(pool, i);
            lease->state = NGX_IMS_LEASE_UNUSED;
            lease->removed = 0;
            sh->leases_used--;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);
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


/* FNV-1a of 64 bits: the text never comes from outside the configuration */

static uint64_t
ngx_ims_pool_hash(u_char *p, size_t len)
{
    uint64_t  h;

    for (h = 14695981039346656037ULL; len > 0; len--) {
        h = (h ^ *p++) * 1099511628211ULL;
    }

    return h;
}
