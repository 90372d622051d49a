/*
 * Copyright (C) the IMS portal authors
 *
 * The end of bindings that nobody came back for.
 *
 * What is found by a glance at the records, without the lock, is done under
 * it.  Who ends a binding owns it meanwhile, so nobody does it twice; when he
 * dies it is an orphan again, and when the browser comes back first it is the
 * browser's.
 *
 * No timers: the leader's beat of one second drives it.
 */


#include "ngx_ims_linger.h"


enum {
    NGX_IMS_LINGER_WINDOW = 65536,       /* records looked at a beat and pool */
    NGX_IMS_LINGER_PACE = 50,            /* ... of them ended */
    NGX_IMS_LINGER_QUICK = 10,           /* ended at a time by who shuts down */
    NGX_IMS_LINGER_KNOWN = 256           /* workers asked in one beat */
};


typedef struct {
    ngx_ims_owner_t           owner;
    ngx_uint_t                beat;
    ngx_uint_t                alive;
} ngx_ims_linger_known_t;


/* a de-registration under way */
typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
} ngx_ims_linger_t;


static void ngx_ims_linger_pool(ngx_ims_worker_t *w, ngx_uint_t n);
static ngx_uint_t ngx_ims_linger_left(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool);
static ngx_uint_t ngx_ims_linger_look(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *ref, ngx_ims_binding_sh_t *b);
static ngx_uint_t ngx_ims_linger_dead(ngx_ims_worker_t *w,
    ngx_ims_owner_t *owner);
static ngx_uint_t ngx_ims_linger_end(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *ref, time_t now);
static void ngx_ims_linger_gone(void *data, ngx_ims_uac_result_t *result);


static ngx_uint_t               ngx_ims_linger_under_way;

/* of the worker that leads, or is the last */

static uint32_t                *ngx_ims_linger_next;    /* record, by pool */
static ngx_uint_t               ngx_ims_linger_beat;
static ngx_ims_linger_known_t   ngx_ims_linger_known[NGX_IMS_LINGER_KNOWN];


void
ngx_ims_linger_start(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_owner_t *owner, ngx_msec_t grace)
{
    if (!ngx_ims_owner_equal(owner, &w->self)) {
        ngx_ims_call_forget_early(w, pool, binding);
    }

    if (ngx_ims_workers_orphan(w->workers, pool)) {

        /* who finds it in the store sees that its owner is dead */

        if (pool->store.len && ngx_ims_workers_alone(w->workers)) {
            return;
        }

        /* ngx_ims_linger_quit() ends it, in its turn */

        grace = 1;
    }

    if (ngx_ims_binding_lose(pool, binding, owner, grace) == NGX_OK
        && grace == 0)
    {
        (void) ngx_ims_linger_end(w, pool, binding, ngx_ims_binding_after(0));
    }
}


void
ngx_ims_linger_init(ngx_ims_worker_t *w)
{
    uint32_t                k;
    ngx_uint_t              i;
    ngx_ims_ref_t           ref;
    ngx_ims_pool_t        **pool;
    ngx_ims_binding_sh_t   *b;

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        for (k = 0; k < pool[i]->zone.sh->nbindings; k++) {
            b = &pool[i]->zone.bindings[k];

            if (b->state != NGX_IMS_BINDING_FREE
                && ngx_ims_owner_equal(&b->owner, &w->self))
            {
                ref.index = k;
                ref.seq = b->seq;

                ngx_ims_call_forget_early(w, pool[i], &ref);
                ngx_ims_linger_start(w, pool[i], &ref, &w->self,
                                     pool[i]->grace);
            }
        }
    }
}


void
ngx_ims_linger_tick(void *data, ngx_uint_t became)
{
    ngx_uint_t         i;
    ngx_ims_worker_t  *w;

    w = data;

    if (ngx_ims_linger_next == NULL) {
        ngx_ims_linger_next = ngx_pcalloc(w->cycle->pool,
                                          w->pools->nelts * sizeof(uint32_t));
        if (ngx_ims_linger_next == NULL) {
            return;
        }
    }

    ngx_ims_linger_beat++;

    for (i = 0; i < w->pools->nelts; i++) {
        ngx_ims_linger_pool(w, i);
    }
}


static void
ngx_ims_linger_pool(ngx_ims_worker_t *w, ngx_uint_t n)
{
    uint32_t                i, k, size, used, window;
    ngx_uint_t              ended;
    ngx_ims_ref_t           ref;
    ngx_ims_pool_t        **pool;
    ngx_ims_zone_t         *zone;
    ngx_ims_binding_sh_t   *b;

    pool = w->pools->elts;
    zone = &pool[n]->zone;

    size = zone->sh->nbindings;
    window = ngx_min(size, NGX_IMS_LINGER_WINDOW);

    if (window == size) {
        ngx_ims_linger_next[n] = 0;
    }

    k = ngx_ims_linger_next[n];
    used = 0;
    ended = 0;

    for (i = 0; i < window && used < zone->sh->bindings_used; i++) {
        b = &zone->bindings[k];

        if (b->state != NGX_IMS_BINDING_FREE) {
            used++;

            ref.index = k;
            ref.seq = b->seq;

            ended += ngx_ims_linger_look(w, pool[n], &ref, b);

            if (ended == NGX_IMS_LINGER_PACE) {
                break;
            }
        }

        if (++k == size) {
            k = 0;
        }
    }

    ngx_ims_linger_next[n] = k;
}


ngx_uint_t
ngx_ims_linger_quit(ngx_ims_worker_t *w)
{
    ngx_uint_t        i, left;
    ngx_ims_pool_t  **pool;

    pool = w->pools->elts;
    left = 0;

    ngx_ims_linger_beat++;

    for (i = 0; i < w->pools->nelts; i++) {

        if (ngx_ims_workers_orphan(w->workers, pool[i])
            && (pool[i]->store.len == 0
                || !ngx_ims_workers_alone(w->workers)))
        {
            left += ngx_ims_linger_left(w, pool[i]);
        }
    }

    return left || ngx_ims_linger_under_way;
}


static ngx_uint_t
ngx_ims_linger_left(ngx_ims_worker_t *w, ngx_ims_pool_t *pool)
{
    uint32_t               k;
    ngx_uint_t             used, ended;
    ngx_ims_ref_t          ref;
    ngx_ims_zone_t        *zone;
    ngx_ims_owner_t        owner;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    used = 0;
    ended = 0;

    for (k = 0;
         k < zone->sh->nbindings && used < zone->sh->bindings_used
         && ended < NGX_IMS_LINGER_QUICK;
         k++)
    {
        b = &zone->bindings[k];

        if (b->state == NGX_IMS_BINDING_FREE) {
            continue;
        }

        used++;

        ref.index = k;
        ref.seq = b->seq;
        owner = b->owner;

        if (owner.pid && ngx_ims_linger_dead(w, &owner)) {
            (void) ngx_ims_binding_lose(pool, &ref, &owner, 0);
        }

        if (b->owner.pid == 0 && b->reap) {
            ended += ngx_ims_linger_end(w, pool, &ref, b->reap);
        }
    }

    return ended;
}


/* 1 when it is being ended */

static ngx_uint_t
ngx_ims_linger_look(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_binding_sh_t *b)
{
    ngx_ims_owner_t  owner;

    owner = b->owner;

    if (owner.pid) {

        if (ngx_ims_linger_dead(w, &owner)) {
            ngx_ims_linger_start(w, pool, ref, &owner, pool->grace);
        }

        return 0;
    }

    if (b->reap == 0) {

        /* the registration of the pool itself */

        return 0;
    }

    return b->reap <= ngx_time()
           && ngx_ims_linger_end(w, pool, ref, ngx_time());
}


/* each is asked once a beat */

static ngx_uint_t
ngx_ims_linger_dead(ngx_ims_worker_t *w, ngx_ims_owner_t *owner)
{
    ngx_ims_linger_known_t  *known;

    if (ngx_ims_owner_equal(owner, &w->self)) {
        return 0;
    }

    known = &ngx_ims_linger_known[owner->pid % NGX_IMS_LINGER_KNOWN];

    if (known->beat != ngx_ims_linger_beat
        || !ngx_ims_owner_equal(&known->owner, owner))
    {
        known->owner = *owner;
        known->beat = ngx_ims_linger_beat;
        known->alive = ngx_ims_ipc_alive(owner, w->log);
    }

    return !known->alive;
}


/* 1 when nobody else was faster */

static ngx_uint_t
ngx_ims_linger_end(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, time_t now)
{
    uint32_t           lease;
    ngx_int_t          rc;
    ngx_ims_linger_t  *linger;

    rc = ngx_ims_binding_claim(pool, ref, &w->self, now, &lease);

    if (rc == NGX_DECLINED) {
        return 0;
    }

    while (ngx_ims_binding_claimed(pool, ref, &w->self)
           && ngx_ims_call_end_one(w, NULL, pool, ref,
                                   "SIP;cause=480;text=\"browser is gone\""))
    {
        /* void */
    }

    if (rc == NGX_OK) {
        ngx_ims_binding_free(pool, ref, &w->self);
        return 1;
    }

    linger = ngx_alloc(sizeof(ngx_ims_linger_t), w->log);
    if (linger == NULL) {
        (void) ngx_ims_binding_lose(pool, ref, &w->self, 0);
        return 1;
    }

    linger->worker = w;
    linger->pool = pool;
    linger->binding = *ref;

    ngx_ims_linger_under_way++;

    if (ngx_ims_uac_register(w, pool, ref, lease, 0, ngx_ims_linger_gone,
                             linger)
        == NULL)
    {
        ngx_ims_linger_gone(linger, NULL);
    }

    return 1;
}


/* whatever the core said: what it did not hear of ends there in its own time */

static void
ngx_ims_linger_gone(void *data, ngx_ims_uac_result_t *result)
{
    ngx_ims_linger_t  *linger;

    linger = data;

    ngx_ims_linger_under_way--;

    ngx_ims_binding_free(linger->pool, &linger->binding,
                         &linger->worker->self);
    ngx_free(linger);
}
