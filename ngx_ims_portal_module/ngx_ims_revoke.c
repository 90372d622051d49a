/*
 * Copyright (C) the IMS portal authors
 *
 * Timers: one in each worker, twice a second, cancelable: it compares a number
 * per pool and the time of a file, and looks at the sessions only when a list
 * has changed.
 */


#include "ngx_ims_revoke.h"
#include "ngx_ims_deny_file.h"
#include "ngx_ims_register.h"


typedef struct {
    ngx_event_t               event;
    ngx_ims_worker_t         *worker;
    ngx_atomic_uint_t        *seen;           /* of each pool's list */
    ngx_ims_revoke_orders_t  *orders;
} ngx_ims_revoke_t;


static void ngx_ims_revoke_tick(ngx_event_t *ev);
static ngx_uint_t ngx_ims_revoke_changed(ngx_ims_revoke_t *revoke);
static void ngx_ims_revoke_sessions(ngx_ims_worker_t *w);


static ngx_ims_revoke_t  *ngx_ims_revoke;


ngx_int_t
ngx_ims_revoke_init(ngx_ims_worker_t *w)
{
    ngx_ims_revoke_t  *revoke;

    revoke = ngx_pcalloc(w->cycle->pool, sizeof(ngx_ims_revoke_t));
    if (revoke == NULL) {
        return NGX_ERROR;
    }

    revoke->seen = ngx_pcalloc(w->cycle->pool,
                               w->pools->nelts * sizeof(ngx_atomic_uint_t));
    if (revoke->seen == NULL) {
        return NGX_ERROR;
    }

    revoke->orders = ngx_ims_revoke_orders_create(w);
    if (revoke->orders == NULL) {
        return NGX_ERROR;
    }

    revoke->worker = w;
    revoke->event.handler = ngx_ims_revoke_tick;
    revoke->event.data = revoke;
    revoke->event.log = w->log;
    revoke->event.cancelable = 1;

    ngx_ims_revoke = revoke;

    (void) ngx_ims_revoke_changed(revoke);

    ngx_add_timer(&revoke->event, NGX_IMS_REVOKE_TICK);

    return NGX_OK;
}


static void
ngx_ims_revoke_tick(ngx_event_t *ev)
{
    ngx_uint_t           i, changed;
    ngx_ims_pool_t     **pool;
    ngx_ims_revoke_t    *revoke;

    revoke = ev->data;
    pool = revoke->worker->pools->elts;
    changed = ngx_ims_revoke_changed(revoke);

    for (i = 0; i < revoke->worker->pools->nelts; i++) {

        if (pool[i]->revoked != NULL) {
            changed |= ngx_ims_deny_file_changed(pool[i]->revoked, ev->log);
        }
    }

    if (changed) {
        ngx_ims_revoke_sessions(revoke->worker);
    }

    ngx_ims_revoke_orders(revoke->orders);

    ngx_add_timer(ev, NGX_IMS_REVOKE_TICK);
}


/* 1: the list of a pool's zone is another than it was */

static ngx_uint_t
ngx_ims_revoke_changed(ngx_ims_revoke_t *revoke)
{
    ngx_uint_t           i, changed;
    ngx_ims_pool_t     **pool;
    ngx_atomic_uint_t    now;

    pool = revoke->worker->pools->elts;
    changed = 0;

    for (i = 0; i < revoke->worker->pools->nelts; i++) {
        now = pool[i]->zone.sh->deny_changed;

        if (now != revoke->seen[i]) {
            revoke->seen[i] = now;
            changed = 1;
        }
    }

    return changed;
}


ngx_int_t
ngx_ims_revoke_check(ngx_ims_session_t *s)
{
    if (ngx_ims_revoke_changed(ngx_ims_revoke)) {
        ngx_ims_revoke_sessions(s->worker);
    }

    return s->closing ? NGX_DECLINED : NGX_OK;
}


static void
ngx_ims_revoke_sessions(ngx_ims_worker_t *w)
{
    ngx_queue_t        *q, *next;
    ngx_ims_session_t  *s;

    for (q = ngx_queue_head(&w->sessions);
         q != ngx_queue_sentinel(&w->sessions);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_ims_session_t, queue);

        if (!s->known || s->closing) {
            continue;
        }

        /* the last token that its user showed is what counts */

        (void) ngx_ims_session_renew(s);

        if (!ngx_ims_deny_check(s->pool, &s->grant->ids)) {
            continue;
        }

        ngx_log_error(NGX_LOG_NOTICE, s->connection->log, 0,
                      "the token of \"%V\" is revoked", &s->user);

        /* running calls end, too: whoever revokes means now */

        ngx_ims_register_expire(s);
        ngx_ims_session_close(s, NGX_IMS_WS_FORBIDDEN, "revoked",
                              NGX_IMS_END_EXPIRED);
    }
}
