/*
 * Copyright (C) the IMS portal authors
 *
 * The places of workers, in the zone of health, and what pools count by them.
 * No timers.
 */


#include "ngx_ims_workers.h"


enum {
    NGX_IMS_WORKERS_COMING = 10          /* s that new ones take to start */
};


enum {
    NGX_IMS_WORKERS_LEAVING = 1,
    NGX_IMS_WORKERS_DONE
};


struct ngx_ims_workers_s {
    ngx_ims_health_sh_t      *sh;
    ngx_array_t              *pools;
    ngx_log_t                *log;
    ngx_ims_owner_t           self;
    ngx_uint_t                place;          /* or NGX_IMS_MAX_WORKERS */
    time_t                    asked;
    ngx_uint_t                alone;          /* then */
};


static ngx_uint_t ngx_ims_workers_place(ngx_ims_health_sh_t *sh,
    ngx_ims_owner_t *self);
static void ngx_ims_workers_clear(ngx_ims_workers_t *ws, ngx_uint_t place);
static ngx_uint_t ngx_ims_workers_alive(ngx_ims_workers_t *ws,
    ngx_ims_health_worker_t *other);
static ngx_uint_t ngx_ims_workers_others(ngx_ims_workers_t *ws);
static ngx_atomic_uint_t ngx_ims_workers_pool_key(uint32_t crc);
static ngx_atomic_uint_t ngx_ims_workers_listen_key(ngx_ims_core_t *core,
    ngx_ims_core_listen_t *lst);
static ngx_ims_health_part_t *ngx_ims_workers_part_of(ngx_ims_health_sh_t *sh,
    ngx_atomic_uint_t key, ngx_uint_t make);
static void ngx_ims_workers_has(ngx_ims_health_sh_t *sh,
    ngx_atomic_uint_t key);
static ngx_uint_t ngx_ims_workers_went(ngx_ims_workers_t *ws,
    ngx_atomic_uint_t key);


/* of the master; its workers inherit the one that they are started in */

static ngx_atomic_uint_t  ngx_ims_workers_generation;


void
ngx_ims_workers_announce(ngx_ims_health_t *health, ngx_array_t *pools,
    ngx_array_t *cores)
{
    ngx_uint_t              i, n;
    ngx_ims_core_t        **core;
    ngx_ims_pool_t        **pool;
    ngx_ims_core_listen_t  *lst;

    /* first, so that nobody misses them in the generation that is announced */

    pool = pools->elts;

    for (i = 0; i < pools->nelts; i++) {
        ngx_ims_workers_has(health->sh,
                            ngx_ims_workers_pool_key(pool[i]->crc));
    }

    core = cores->elts;

    for (i = 0; i < cores->nelts; i++) {
        lst = core[i]->listens.elts;

        for (n = 0; n < core[i]->listens.nelts; n++) {
            ngx_ims_workers_has(health->sh,
                                ngx_ims_workers_listen_key(core[i], &lst[n]));
        }
    }

    health->sh->announced = ngx_time();

    ngx_ims_workers_generation =
        ngx_atomic_fetch_add(&health->sh->generation, 1) + 1;
}


ngx_ims_workers_t *
ngx_ims_workers_join(ngx_cycle_t *cycle, ngx_ims_health_t *health,
    ngx_array_t *pools, ngx_ims_owner_t *self)
{
    ngx_ims_workers_t        *ws;
    ngx_ims_health_worker_t  *own;

    ws = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_workers_t));
    if (ws == NULL) {
        return NULL;
    }

    ws->sh = health->sh;
    ws->pools = pools;
    ws->log = cycle->log;
    ws->self = *self;
    ws->place = ngx_ims_workers_place(health->sh, self);

    if (ws->place == NGX_IMS_MAX_WORKERS) {
        ngx_log_error(NGX_LOG_WARN, ws->log, 0,
                      "more than %d workers, the sockets of this one are not "
                      "counted", NGX_IMS_MAX_WORKERS);
        return ws;
    }

    ngx_ims_workers_clear(ws, ws->place);

    own = &ws->sh->workers[ws->place];

    own->generation = ngx_ims_workers_generation;
    own->leaving = 0;
    own->instance = self->instance;

    return ws;
}


/* a free one, or that of a dead worker who had the same name */

static ngx_uint_t
ngx_ims_workers_place(ngx_ims_health_sh_t *sh, ngx_ims_owner_t *self)
{
    ngx_uint_t                i;
    ngx_ims_health_worker_t  *other;

    for (i = 0; i < NGX_IMS_MAX_WORKERS; i++) {
        other = &sh->workers[i];

        if (other->pid == self->pid && other->instance == self->instance) {
            return i;
        }
    }

    for (i = 0; i < NGX_IMS_MAX_WORKERS; i++) {

        if (ngx_atomic_cmp_set(&sh->workers[i].pid, 0, self->pid)) {
            return i;
        }
    }

    return NGX_IMS_MAX_WORKERS;
}


static void
ngx_ims_workers_clear(ngx_ims_workers_t *ws, ngx_uint_t place)
{
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;

    pool = ws->pools->elts;

    for (i = 0; i < ws->pools->nelts; i++) {
        pool[i]->zone.sh->sockets[place] = 0;
    }
}


void
ngx_ims_workers_part(ngx_ims_workers_t *ws)
{
    if (ws->place == NGX_IMS_MAX_WORKERS) {
        return;
    }

    ngx_ims_workers_clear(ws, ws->place);

    ws->sh->workers[ws->place].instance = 0;
    ws->sh->workers[ws->place].pid = 0;

    ws->place = NGX_IMS_MAX_WORKERS;
}


void
ngx_ims_workers_tick(void *data, ngx_uint_t became)
{
    ngx_uint_t                i;
    ngx_atomic_uint_t         pid;
    ngx_ims_workers_t        *ws;
    ngx_ims_health_worker_t  *other;

    ws = data;

    for (i = 0; i < NGX_IMS_MAX_WORKERS; i++) {
        other = &ws->sh->workers[i];
        pid = other->pid;

        if (i == ws->place || pid == 0 || ngx_ims_workers_alive(ws, other)) {
            continue;
        }

        ngx_ims_workers_clear(ws, i);

        other->instance = 0;
        (void) ngx_atomic_cmp_set(&other->pid, pid, 0);
    }
}


static ngx_uint_t
ngx_ims_workers_alive(ngx_ims_workers_t *ws, ngx_ims_health_worker_t *other)
{
    ngx_ims_owner_t  owner;

    owner.instance = other->instance;
    owner.pid = other->pid;

    if (owner.instance == 0) {

        /* it has just come, or is about to go */

        return kill((ngx_pid_t) owner.pid, 0) == 0 || ngx_errno != ESRCH;
    }

    return ngx_ims_ipc_alive(&owner, ws->log);
}


void
ngx_ims_workers_count(ngx_ims_workers_t *ws, ngx_ims_pool_t *pool,
    ngx_int_t n)
{
    if (ws->place != NGX_IMS_MAX_WORKERS) {
        (void) ngx_atomic_fetch_add(&pool->zone.sh->sockets[ws->place], n);
    }
}


ngx_uint_t
ngx_ims_workers_sockets(ngx_ims_pool_t *pool)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_IMS_MAX_WORKERS; i++) {
        n += pool->zone.sh->sockets[i];
    }

    return n;
}


void
ngx_ims_workers_leave(ngx_ims_workers_t *ws)
{
    if (ws->place != NGX_IMS_MAX_WORKERS) {
        ws->sh->workers[ws->place].leaving = NGX_IMS_WORKERS_LEAVING;
    }
}


ngx_uint_t
ngx_ims_workers_alone(ngx_ims_workers_t *ws)
{
    if (!ngx_exiting) {
        return 0;
    }

    if (ws->asked != ngx_time()) {
        ws->asked = ngx_time();
        ws->alone = !ngx_ims_workers_others(ws);
    }

    return ws->alone;
}


static ngx_uint_t
ngx_ims_workers_others(ngx_ims_workers_t *ws)
{
    time_t                    since;
    ngx_uint_t                i;
    ngx_ims_health_worker_t  *other;

    since = ngx_time() - (time_t) ws->sh->announced;

    if (ws->sh->generation != ngx_ims_workers_generation
        && since < NGX_IMS_WORKERS_COMING)
    {
        return 1;
    }

    for (i = 0; i < NGX_IMS_MAX_WORKERS; i++) {
        other = &ws->sh->workers[i];

        if (other->pid && !other->leaving
            && other->generation != ngx_ims_workers_generation
            && ngx_ims_workers_alive(ws, other))
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_ims_workers_last(ngx_ims_workers_t *ws)
{
    ngx_uint_t                i;
    ngx_ims_health_worker_t  *other;

    if (ws->place != NGX_IMS_MAX_WORKERS) {
        ws->sh->workers[ws->place].leaving = NGX_IMS_WORKERS_DONE;
    }

    for (i = 0; i < NGX_IMS_MAX_WORKERS; i++) {
        other = &ws->sh->workers[i];

        if (i != ws->place && other->pid
            && other->leaving != NGX_IMS_WORKERS_DONE
            && ngx_ims_workers_alive(ws, other))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_ims_workers_orphan(ngx_ims_workers_t *ws, ngx_ims_pool_t *pool)
{
    return ngx_ims_workers_alone(ws)
           || ngx_ims_workers_went(ws, ngx_ims_workers_pool_key(pool->crc));
}


ngx_uint_t
ngx_ims_workers_unheard(ngx_ims_workers_t *ws, ngx_ims_core_t *core,
    ngx_ims_core_listen_t *lst)
{
    return ngx_ims_workers_alone(ws)
           || ngx_ims_workers_went(ws, ngx_ims_workers_listen_key(core, lst));
}


ngx_int_t
ngx_ims_workers_knows(ngx_ims_workers_t *ws, uint32_t pool,
    ngx_ims_owner_t *owner)
{
    ngx_uint_t                i;
    ngx_atomic_uint_t         best;
    ngx_ims_health_part_t    *part;
    ngx_ims_health_worker_t  *other;

    part = ngx_ims_workers_part_of(ws->sh, ngx_ims_workers_pool_key(pool), 0);

    if (part == NULL) {
        return NGX_DECLINED;
    }

    best = 0;

    for (i = 0; i < NGX_IMS_MAX_WORKERS; i++) {
        other = &ws->sh->workers[i];

        if (other->pid && other->leaving == NGX_IMS_WORKERS_LEAVING
            && other->generation > best
            && other->generation <= part->generation
            && ngx_ims_workers_alive(ws, other))
        {
            best = other->generation;
            owner->instance = other->instance;
            owner->pid = other->pid;
        }
    }

    return best ? NGX_OK : NGX_DECLINED;
}


static ngx_atomic_uint_t
ngx_ims_workers_pool_key(uint32_t crc)
{
    uint32_t  key;

    ngx_crc32_init(key);
    ngx_crc32_update(&key, (u_char *) "pool", 4);
    ngx_crc32_update(&key, (u_char *) &crc, sizeof(uint32_t));
    ngx_crc32_final(key);

    return ngx_max(key, 1);
}


static ngx_atomic_uint_t
ngx_ims_workers_listen_key(ngx_ims_core_t *core, ngx_ims_core_listen_t *lst)
{
    u_char    text[NGX_SOCKADDR_STRLEN];
    size_t    len;
    uint32_t  key;

    /* the length of the address is of no account but for Unix sockets */

    len = ngx_sock_ntop(lst->sockaddr, 0, text, NGX_SOCKADDR_STRLEN, 1);

    ngx_crc32_init(key);
    ngx_crc32_update(&key, core->name.data, core->name.len);
    ngx_crc32_update(&key, (u_char *) &lst->transport, sizeof(ngx_uint_t));
    ngx_crc32_update(&key, text, len);
    ngx_crc32_final(key);

    return ngx_max(key, 1);
}


/* places are taken in order and never given back */

static ngx_ims_health_part_t *
ngx_ims_workers_part_of(ngx_ims_health_sh_t *sh, ngx_atomic_uint_t key,
    ngx_uint_t make)
{
    ngx_uint_t              i;
    ngx_ims_health_part_t  *part;

    for (i = 0; i < NGX_IMS_HEALTH_PARTS; i++) {
        part = &sh->parts[i];

        if (part->key == 0 && make) {
            (void) ngx_atomic_cmp_set(&part->key, 0, key);
        }

        if (part->key == key) {
            return part;
        }

        if (part->key == 0) {
            break;
        }
    }

    return NULL;
}


/* the generation that is about to be announced has it */

static void
ngx_ims_workers_has(ngx_ims_health_sh_t *sh, ngx_atomic_uint_t key)
{
    ngx_ims_health_part_t  *part;

    part = ngx_ims_workers_part_of(sh, key, 1);

    if (part != NULL) {
        part->generation = sh->generation + 1;
    }
}


/* the newest one has not; what has no place counts as there */

static ngx_uint_t
ngx_ims_workers_went(ngx_ims_workers_t *ws, ngx_atomic_uint_t key)
{
    ngx_ims_health_part_t  *part;

    if (!ngx_exiting) {
        return 0;
    }

    part = ngx_ims_workers_part_of(ws->sh, key, 0);

    return part != NULL && part->generation < ws->sh->generation;
}
