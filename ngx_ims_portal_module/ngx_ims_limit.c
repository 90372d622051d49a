/*
 * Copyright (C) the IMS portal authors
 *
 * What sockets, handshakes and messages ask of the table.  No timers.
 */


#include "ngx_ims_limit_int.h"


typedef struct {
    ngx_ims_limit_entry_t    *address;
    ngx_ims_limit_entry_t    *user;
    ngx_ims_limit_entry_t    *pool;
} ngx_ims_limit_found_t;


static ngx_int_t ngx_ims_limit_check(ngx_ims_limit_t *limit,
    ngx_ims_limit_socket_t *socket, ngx_ims_limit_found_t *found);
static void ngx_ims_limit_entries(ngx_ims_limit_t *limit,
    ngx_ims_limit_socket_t *socket, ngx_ims_limit_key_t *pool,
    ngx_ims_limit_found_t *found);
static uint32_t ngx_ims_limit_row(ngx_ims_limit_t *limit);
static ngx_uint_t ngx_ims_limit_say(ngx_atomic_t *said);


ngx_msec_t
ngx_ims_limit_arrive(ngx_ims_limit_t *limit, ngx_ims_limit_key_t *key,
    ngx_ims_rate_t *rate, ngx_uint_t which, ngx_uint_t what, ngx_uint_t *say)
{
    ngx_msec_t              wait;
    ngx_ims_limit_entry_t  *e;

    wait = 0;

    if (rate->interval == 0) {
        return 0;
    }

    ngx_ims_limit_lock(limit);

    e = ngx_ims_limit_find(limit, key, 1);

    if (e != NULL) {
        wait = ngx_ims_limit_take(&e->rates[which], rate);

        if (wait) {
            *say = ngx_ims_limit_say(&e->said[NGX_IMS_SAID_LIMIT]);
        }
    }

    ngx_ims_limit_unlock(limit);

    if (wait) {
        ngx_ims_limit_count(limit, what);
    }

    return wait;
}


ngx_int_t
ngx_ims_limit_open(ngx_ims_limit_t *limit, ngx_ims_limit_socket_t *socket)
{
    ngx_int_t               rc;
    ngx_ims_limit_key_t     pool;
    ngx_ims_limit_row_t    *row;
    ngx_ims_limit_found_t   f;

    ngx_memzero(&f, sizeof(ngx_ims_limit_found_t));
    ngx_memzero(&pool, sizeof(ngx_ims_limit_key_t));
    pool.kind = NGX_IMS_LIMIT_POOL;
    pool.pool = socket->pool;

    socket->row = NGX_IMS_LIMIT_NONE;
    socket->say = 0;
    socket->wait = 0;

    ngx_ims_limit_lock(limit);

    ngx_ims_limit_entries(limit, socket, &pool, &f);

    rc = ngx_ims_limit_check(limit, socket, &f);

    if (rc == NGX_OK) {
        socket->row = ngx_ims_limit_row(limit);
    }

    if (socket->row != NGX_IMS_LIMIT_NONE) {
        row = &limit->rows[socket->row];

        row->address = NGX_IMS_LIMIT_NONE;
        row->user = NGX_IMS_LIMIT_NONE;
        row->pool = NGX_IMS_LIMIT_NONE;

        if (f.address != NULL) {
            row->address = f.address - limit->entries;
            f.address->sockets++;
            f.address->unverified += (f.user == NULL);
        }

        if (f.user != NULL) {
            row->user = f.user - limit->entries;
            f.user->sockets++;
        }

        if (f.pool != NULL) {
            row->pool = f.pool - limit->entries;
            f.pool->sockets++;
        }

        row->owner.instance = socket->owner->instance;
        ngx_memory_barrier();
        row->owner.pid = socket->owner->pid;
    }

    ngx_ims_limit_unlock(limit);

    if (rc != NGX_OK) {
        ngx_ims_limit_count(limit, socket->what);
    }

    return rc;
}


/*
 * One that is looked for does not take the place of another one, as none of
 * them may have a socket yet; locked.
 */

static void
ngx_ims_limit_entries(ngx_ims_limit_t *limit, ngx_ims_limit_socket_t *socket,
    ngx_ims_limit_key_t *pool, ngx_ims_limit_found_t *f)
{
    f->pool = ngx_ims_limit_find(limit, pool, 1);

    if (f->pool != NULL) {
        f->pool->sockets++;
    }

    if (socket->address) {
        f->address = ngx_ims_limit_find(limit, socket->address, 1);
    }

    if (f->address != NULL) {
        f->address->sockets++;
    }

    if (socket->user) {
        f->user = ngx_ims_limit_find(limit, socket->user, 1);
    }

    if (f->address != NULL) {
        f->address->sockets--;
    }

    if (f->pool != NULL) {
        f->pool->sockets--;
    }
}


/* locked */

static ngx_int_t
ngx_ims_limit_check(ngx_ims_limit_t *limit, ngx_ims_limit_socket_t *socket,
    ngx_ims_limit_found_t *f)
{
    ngx_ims_limits_t       *limits;
    ngx_ims_limit_entry_t  *e;

    limits = socket->limits;

    if ((e = f->user) != NULL) {
        socket->wait = ngx_ims_limit_take(&e->rates[NGX_IMS_RATE_HANDSHAKES],
                                       &limits->user[NGX_IMS_RATE_HANDSHAKES]);

        if (socket->wait) {
            socket->what = NGX_IMS_LIMITED_USER_HANDSHAKES;
            goto full;
        }

        if (limits->user_sockets && e->sockets >= limits->user_sockets) {
            socket->what = NGX_IMS_LIMITED_USER_SOCKETS;
            goto full;
        }
    }

    if ((e = f->address) != NULL) {

        if (limits->sockets && e->sockets >= limits->sockets) {
            socket->what = NGX_IMS_LIMITED_ADDRESS_SOCKETS;
            goto full;
        }

        if (socket->user == NULL && limits->unverified
            && e->unverified >= limits->unverified)
        {
            socket->what = NGX_IMS_LIMITED_ADDRESS_UNVERIFIED;
            goto full;
        }
    }

    if ((e = f->pool) != NULL && socket->pool_sockets
        && e->sockets >= socket->pool_sockets)
    {
        socket->what = NGX_IMS_LIMITED_POOL_SOCKETS;
        goto full;
    }

    return NGX_OK;

full:

    socket->say = ngx_ims_limit_say(&e->said[NGX_IMS_SAID_LIMIT]);

    return NGX_BUSY;
}


/* a free row, or NONE; locked */

static uint32_t
ngx_ims_limit_row(ngx_ims_limit_t *limit)
{
    uint32_t             i;
    ngx_ims_limit_sh_t  *sh;

    sh = limit->sh;
    i = sh->free;

    if (i != NGX_IMS_LIMIT_NONE) {
        sh->free = limit->rows[i].next;
        return i;
    }

    if (sh->used < sh->nrows) {
        return sh->used++;
    }

    ngx_ims_limit_count(limit, NGX_IMS_LIMITED_ZONE);

    if (ngx_ims_limit_say(&sh->said)) {
        ngx_ims_limit_full(limit);
    }

    return NGX_IMS_LIMIT_NONE;
}


ngx_int_t
ngx_ims_limit_verified(ngx_ims_limit_t *limit, uint32_t row,
    ngx_ims_limit_key_t *user, ngx_uint_t sockets)
{
    ngx_int_t               rc;
    ngx_ims_limit_row_t    *r;
    ngx_ims_limit_entry_t  *e, *address;

    if (row == NGX_IMS_LIMIT_NONE) {
        return NGX_OK;
    }

    r = &limit->rows[row];

    if (r->user != NGX_IMS_LIMIT_NONE) {
        return NGX_OK;
    }

    rc = NGX_OK;

    ngx_ims_limit_lock(limit);

    e = ngx_ims_limit_find(limit, user, 1);

    if (e != NULL && sockets && e->sockets >= sockets) {
        rc = NGX_BUSY;

    } else if (e != NULL) {
        e->sockets++;
        r->user = e - limit->entries;

        address = ngx_ims_limit_entry(limit, r->address);

        if (address != NULL && address->unverified) {
            address->unverified--;
        }
    }

    ngx_ims_limit_unlock(limit);

    return rc;
}


void
ngx_ims_limit_close(ngx_ims_limit_t *limit, uint32_t row,
    ngx_ims_owner_t *owner)
{
    if (row == NGX_IMS_LIMIT_NONE) {
        return;
    }

    ngx_ims_limit_lock(limit);

    if (ngx_ims_owner_equal(&limit->rows[row].owner, owner)) {
        ngx_ims_limit_free(limit, row);
    }

    ngx_ims_limit_unlock(limit);
}


ngx_msec_t
ngx_ims_limit_user(ngx_ims_limit_t *limit, uint32_t row, ngx_uint_t which,
    ngx_ims_rate_t *rate)
{
    uint32_t  user;

    if (row == NGX_IMS_LIMIT_NONE) {
        return 0;
    }

    /* the row is ours, and an entry that has a socket stays in its place */

    user = limit->rows[row].user;

    if (user == NGX_IMS_LIMIT_NONE) {
        return 0;
    }

    return ngx_ims_limit_take(&limit->entries[user].rates[which], rate);
}


void
ngx_ims_limit_count(ngx_ims_limit_t *limit, ngx_uint_t what)
{
    (void) ngx_atomic_fetch_add(&limit->sh->counters[what], 1);
}


ngx_uint_t
ngx_ims_limit_reached(ngx_ims_limit_t *limit, uint32_t row, ngx_uint_t what)
{
    ngx_ims_limit_count(limit, what);

    return ngx_ims_limit_due(limit, row, NGX_IMS_SAID_LIMIT);
}


ngx_uint_t
ngx_ims_limit_due(ngx_ims_limit_t *limit, uint32_t row, ngx_uint_t said)
{
    ngx_ims_limit_row_t    *r;
    ngx_ims_limit_entry_t  *e;

    if (row == NGX_IMS_LIMIT_NONE) {
        return ngx_ims_limit_say(&limit->sh->said);
    }

    r = &limit->rows[row];

    e = ngx_ims_limit_entry(limit, r->user);

    if (e == NULL) {
        e = ngx_ims_limit_entry(limit, r->address);
    }

    return ngx_ims_limit_say(e ? &e->said[said] : &limit->sh->said);
}


ngx_uint_t
ngx_ims_limit_pool_full(ngx_ims_limit_t *limit)
{
    ngx_ims_limit_count(limit, NGX_IMS_LIMITED_POOL_ZONE);

    return ngx_ims_limit_say(&limit->sh->pool_said);
}


static ngx_uint_t
ngx_ims_limit_say(ngx_atomic_t *said)
{
    ngx_atomic_uint_t  now, before;

    now = ngx_time();
    before = *said;

    if (before && now - before < NGX_IMS_LIMIT_SAY) {
        return 0;
    }

    return ngx_atomic_cmp_set(said, before, now);
}
