/*
 * Copyright (C) the IMS portal authors
 *
 * What a worker does about orders (ngx_ims_order.h), and about a pool that is
 * taken out of service: its browsers without a call are sent away over the
 * drain time of their location.
 *
 * The tick of ngx_ims_revoke.c calls it: numbers are compared, and sessions
 * looked at only when they differ, or while a pool is emptied.
 */


#include "ngx_ims_revoke.h"
#include "ngx_ims_register.h"


struct ngx_ims_revoke_orders_s {
    ngx_ims_worker_t         *worker;
    uint32_t                 *seen;           /* of each pool */
};


static void ngx_ims_revoke_obey(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    uint32_t seen);
static void ngx_ims_revoke_end(ngx_ims_session_t *s, uint32_t how);
static void ngx_ims_revoke_empty(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    time_t since);
static ngx_uint_t ngx_ims_revoke_idle(ngx_ims_session_t *s,
    ngx_ims_pool_t *pool);


ngx_ims_revoke_orders_t *
ngx_ims_revoke_orders_create(ngx_ims_worker_t *w)
{
    ngx_uint_t                 i;
    ngx_ims_pool_t           **pool;
    ngx_ims_revoke_orders_t   *orders;

    orders = ngx_pcalloc(w->cycle->pool, sizeof(ngx_ims_revoke_orders_t));
    if (orders == NULL) {
        return NULL;
    }

    orders->seen = ngx_palloc(w->cycle->pool,
                              w->pools->nelts * sizeof(uint32_t));
    if (orders->seen == NULL) {
        return NULL;
    }

    orders->worker = w;
    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {
        orders->seen[i] = ngx_ims_order_now(pool[i]);
    }

    return orders;
}


void
ngx_ims_revoke_orders(ngx_ims_revoke_orders_t *orders)
{
    time_t             since;
    uint32_t           now, seen;
    ngx_uint_t         i;
    ngx_ims_pool_t   **pool;
    ngx_ims_worker_t  *w;

    w = orders->worker;
    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {
        now = ngx_ims_order_now(pool[i]);
        seen = orders->seen[i];

        if (now != seen) {
            orders->seen[i] = now;

            ngx_memory_barrier();
            ngx_ims_revoke_obey(w, pool[i], seen);
        }

        if (ngx_ims_order_drained(pool[i], &since) == NGX_IMS_DRAIN_CLOSE) {
            ngx_ims_revoke_empty(w, pool[i], since);
        }
    }
}


static void
ngx_ims_revoke_obey(ngx_ims_worker_t *w, ngx_ims_pool_t *pool, uint32_t seen)
{
    uint32_t            how;
    ngx_queue_t        *q, *next;
    ngx_ims_session_t  *s;

    for (q = ngx_queue_head(&w->sessions);
         q != ngx_queue_sentinel(&w->sessions);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_ims_session_t, queue);

        if (s->pool != pool || s->closing || s->ended) {
            continue;
        }

        how = ngx_ims_order_check(pool, seen, s->opened_after, s->bound_after,
                                  s->known ? s->grant->ids.user : NULL,
                                  s->bound ? s->binding.index : NGX_IMS_NONE,
                                  s->binding.seq);

        if (how) {
            ngx_ims_revoke_end(s, how);
        }
    }
}


static void
ngx_ims_revoke_end(ngx_ims_session_t *s, uint32_t how)
{
    ngx_uint_t   code;
    const char  *reason;

    code = how & NGX_IMS_ORDER_CODE;
    reason = ngx_ims_order_reason(how);

    ngx_log_error(NGX_LOG_NOTICE, s->connection->log, 0,
                  "the session of \"%V\" is ended with %ui: %s",
                  &s->user, code, reason);

    if ((how & NGX_IMS_ORDER_FINISH)
        && (s->ncalls || s->nrequests || s->registering != NULL))
    {
        /* ngx_ims_session_settle() closes it */

        s->leave = code;
        s->leave_reason = reason;
        return;
    }

    ngx_ims_register_expire(s);
    ngx_ims_session_close(s, code, reason, NGX_IMS_END_EXPIRED);
}


/* 1: it can be sent away now */

static ngx_uint_t
ngx_ims_revoke_idle(ngx_ims_session_t *s, ngx_ims_pool_t *pool)
{
    return s->pool == pool && !s->closing && !s->ended && s->ncalls == 0
           && s->nrequests == 0 && s->registering == NULL;
}


/* so many with each tick that the last one goes when its time is over */

static void
ngx_ims_revoke_empty(ngx_ims_worker_t *w, ngx_ims_pool_t *pool, time_t since)
{
    ngx_uint_t          n, ticks;
    ngx_msec_t          passed, drain;
    ngx_queue_t        *q, *next;
    ngx_ims_session_t  *s;

    n = 0;
    drain = 0;

    for (q = ngx_queue_head(&w->sessions);
         q != ngx_queue_sentinel(&w->sessions);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_ims_session_t, queue);

        if (ngx_ims_revoke_idle(s, pool)) {
            n++;
            drain = ngx_max(drain, s->policy->drain);
        }
    }

    passed = ngx_max(ngx_time() - since, 0) * 1000;
    ticks = passed < drain ? (drain - passed) / NGX_IMS_REVOKE_TICK + 1 : 1;
    n = (n + ticks - 1) / ticks;

    for (q = ngx_queue_head(&w->sessions);
         q != ngx_queue_sentinel(&w->sessions) && n;
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_ims_session_t, queue);

        if (ngx_ims_revoke_idle(s, pool)) {
            n--;
            ngx_ims_session_close(s, NGX_IMS_WS_SERVICE_RESTART,
                                  "out of service", NGX_IMS_END_LOST);
        }
    }
}
