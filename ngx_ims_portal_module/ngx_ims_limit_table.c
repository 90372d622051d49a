/*
 * Copyright (C) the IMS portal authors
 *
 * The table itself: places in it, and how it heals.  A bucket that is full of
 * entries in use does not count who comes next, so nobody is refused because
 * others are many.  No timers; the leader heals.
 */


#include "ngx_ims_limit_int.h"


#define NGX_IMS_LIMIT_OWNERS  64


/* workers that were asked for in one walk */

typedef struct {
    ngx_ims_owner_t           owners[NGX_IMS_LIMIT_OWNERS];
    u_char                    dead[NGX_IMS_LIMIT_OWNERS];
    ngx_uint_t                n;
} ngx_ims_limit_owners_t;


static ngx_uint_t ngx_ims_limit_dead(ngx_ims_limit_owners_t *owners,
    ngx_ims_owner_t *owner, ngx_ims_limit_alive_pt alive, void *data);


void
ngx_ims_limit_layout(ngx_ims_limit_t *limit, size_t size)
{
    ngx_ims_limit_sh_t  *sh;

    sh = limit->sh;
    size -= sizeof(ngx_ims_limit_sh_t);

    /* for each socket a row, and an entry and a half */

    sh->nbuckets = size / (NGX_IMS_LIMIT_WAYS
                           * (sizeof(ngx_ims_limit_entry_t)
                              + sizeof(ngx_ims_limit_row_t) * 2 / 3));
    sh->nrows = (size - sh->nbuckets * NGX_IMS_LIMIT_WAYS
                        * sizeof(ngx_ims_limit_entry_t))
                / sizeof(ngx_ims_limit_row_t);
    sh->free = NGX_IMS_LIMIT_NONE;

    ngx_ims_limit_map(limit);
}


void
ngx_ims_limit_map(ngx_ims_limit_t *limit)
{
    limit->entries = (ngx_ims_limit_entry_t *) (limit->sh + 1);
    limit->rows = (ngx_ims_limit_row_t *)
                  (limit->entries + limit->sh->nbuckets * NGX_IMS_LIMIT_WAYS);
}


void
ngx_ims_limit_recount(ngx_ims_limit_t *limit)
{
    uint32_t                i;
    ngx_ims_limit_sh_t     *sh;
    ngx_ims_limit_row_t    *row;
    ngx_ims_limit_entry_t  *e;

    sh = limit->sh;

    for (i = 0; i < sh->nbuckets * NGX_IMS_LIMIT_WAYS; i++) {
        e = &limit->entries[i];

        if (e->key.kind != NGX_IMS_LIMIT_FREE) {
            e->sockets = 0;
            e->unverified = 0;
        }
    }

    sh->free = NGX_IMS_LIMIT_NONE;

    for (i = sh->used; i--; /* void */ ) {
        row = &limit->rows[i];

        if (row->owner.pid == 0) {
            row->next = sh->free;
            sh->free = i;
            continue;
        }

        if ((e = ngx_ims_limit_entry(limit, row->address)) != NULL) {
            e->sockets++;
            e->unverified += (row->user == NGX_IMS_LIMIT_NONE);
        }

        if ((e = ngx_ims_limit_entry(limit, row->user)) != NULL) {
            e->sockets++;
        }

        if ((e = ngx_ims_limit_entry(limit, row->pool)) != NULL) {
            e->sockets++;
        }
    }
}


ngx_ims_limit_entry_t *
ngx_ims_limit_entry(ngx_ims_limit_t *limit, uint32_t index)
{
    return index == NGX_IMS_LIMIT_NONE ? NULL : &limit->entries[index];
}


ngx_ims_limit_entry_t *
ngx_ims_limit_find(ngx_ims_limit_t *limit, ngx_ims_limit_key_t *key,
    ngx_uint_t create)
{
    uint32_t                hash;
    ngx_uint_t              i;
    ngx_ims_limit_sh_t     *sh;
    ngx_ims_limit_entry_t  *e, *place;

    sh = limit->sh;
    hash = ngx_murmur_hash2((u_char *) key, sizeof(ngx_ims_limit_key_t));
    hash = (hash ^ sh->salt) * 2654435761u;

    e = &limit->entries[(hash % sh->nbuckets) * NGX_IMS_LIMIT_WAYS];
    place = NULL;

    for (i = 0; i < NGX_IMS_LIMIT_WAYS; i++, e++) {

        if (ngx_memcmp(&e->key, key, sizeof(ngx_ims_limit_key_t)) == 0) {
            e->touched = ngx_time();
            return e;
        }

        /* a free one, else who was away longest */

        if (e->key.kind == NGX_IMS_LIMIT_FREE) {
            if (place == NULL || place->key.kind != NGX_IMS_LIMIT_FREE) {
                place = e;
            }

        } else if (e->sockets == 0
                   && (place == NULL
                       || (place->key.kind != NGX_IMS_LIMIT_FREE
                           && e->touched < place->touched)))
        {
            place = e;
        }
    }

    if (!create) {
        return NULL;
    }

    if (place == NULL) {
        ngx_ims_limit_count(limit, NGX_IMS_LIMITED_ZONE);
        return NULL;
    }

    place->key.kind = NGX_IMS_LIMIT_FREE;
    ngx_memory_barrier();

    ngx_memzero(place, sizeof(ngx_ims_limit_entry_t));
    place->touched = ngx_time();
    place->key.pool = key->pool;
    ngx_memcpy(place->key.data, key->data, NGX_IMS_LIMIT_KEY);

    ngx_memory_barrier();
    place->key.kind = key->kind;

    return place;
}


void
ngx_ims_limit_free(ngx_ims_limit_t *limit, uint32_t row)
{
    ngx_ims_limit_row_t    *r;
    ngx_ims_limit_entry_t  *e;

    r = &limit->rows[row];

    r->owner.pid = 0;
    ngx_memory_barrier();

    if ((e = ngx_ims_limit_entry(limit, r->address)) != NULL) {
        e->sockets--;
        e->unverified -= (r->user == NGX_IMS_LIMIT_NONE);
    }

    if ((e = ngx_ims_limit_entry(limit, r->user)) != NULL) {
        e->sockets--;
    }

    if ((e = ngx_ims_limit_entry(limit, r->pool)) != NULL) {
        e->sockets--;
    }

    r->next = limit->sh->free;
    limit->sh->free = row;
}


ngx_uint_t
ngx_ims_limit_heal(ngx_ims_limit_t *limit, ngx_ims_limit_alive_pt alive,
    void *data)
{
    uint32_t                 i, used;
    ngx_uint_t               n;
    ngx_ims_owner_t          owner;
    ngx_ims_limit_owners_t   owners;

    n = 0;
    owners.n = 0;

    used = limit->sh->used;

    for (i = 0; i < used; i++) {
        owner = limit->rows[i].owner;

        if (owner.pid == 0
            || !ngx_ims_limit_dead(&owners, &owner, alive, data))
        {
            continue;
        }

        ngx_ims_limit_lock(limit);

        if (ngx_ims_owner_equal(&limit->rows[i].owner, &owner)) {
            ngx_ims_limit_free(limit, i);
            n++;
        }

        ngx_ims_limit_unlock(limit);
    }

    if (n) {
        (void) ngx_atomic_fetch_add(&limit->sh->healed, n);
    }

    return n;
}


/* rows of many workers are mixed: each is asked for once */

static ngx_uint_t
ngx_ims_limit_dead(ngx_ims_limit_owners_t *owners, ngx_ims_owner_t *owner,
    ngx_ims_limit_alive_pt alive, void *data)
{
    ngx_uint_t  i, dead;

    for (i = 0; i < owners->n; i++) {
        if (ngx_ims_owner_equal(&owners->owners[i], owner)) {
            return owners->dead[i];
        }
    }

    dead = !alive(data, owner);

    if (i < NGX_IMS_LIMIT_OWNERS) {
        owners->owners[i] = *owner;
        owners->dead[i] = dead;
        owners->n++;
    }

    return dead;
}
