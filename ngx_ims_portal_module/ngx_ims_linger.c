/*
 * Copyright (C) the IMS portal authors
 *
 * Timers: the grace time of a lost binding, one ngx_ims_linger_t each, not
 * cancelable, so that an old worker stays until it has cleaned up.
 */


#include "ngx_ims_linger.h"


typedef struct {
    ngx_event_t               timer;
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    time_t                    lost;           /* s; a later loss has its own */
} ngx_ims_linger_t;


static void ngx_ims_linger_wait(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, time_t lost, ngx_msec_t grace);
static ngx_uint_t ngx_ims_linger_dead(ngx_ims_owner_t *owner);
static void ngx_ims_linger_timer(ngx_event_t *ev);
static ngx_int_t ngx_ims_linger_orphan(ngx_ims_linger_t *linger,
    ngx_ims_binding_t *b);
static void ngx_ims_linger_gone(void *data, ngx_ims_uac_result_t *result);


void
ngx_ims_linger_start(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_owner_t *owner, ngx_msec_t grace)
{
    if (ngx_ims_binding_lose(pool, binding, owner) == NGX_OK) {
        ngx_ims_linger_wait(w, pool, binding, ngx_time(), grace);
    }
}


static void
ngx_ims_linger_wait(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, time_t lost, ngx_msec_t grace)
{
    ngx_ims_linger_t  *linger;

    linger = ngx_calloc(sizeof(ngx_ims_linger_t), w->log);
    if (linger == NULL) {
        return;
    }

    linger->worker = w;
    linger->pool = pool;
    linger->binding = *binding;
    linger->lost = lost;

    linger->timer.handler = ngx_ims_linger_timer;
    linger->timer.data = linger;
    linger->timer.log = w->log;

    ngx_add_timer(&linger->timer, ngx_max(grace, 1));
}


void
ngx_ims_linger_adopt(ngx_ims_worker_t *w)
{
    time_t                  lost;
    uint32_t                k;
    ngx_uint_t              i;
    ngx_ims_ref_t           ref;
    ngx_ims_pool_t        **pool;
    ngx_ims_owner_t         owner;
    ngx_ims_binding_sh_t   *b;

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        for (k = 0; k < pool[i]->zone.sh->nbindings; k++) {
            b = &pool[i]->zone.bindings[k];

            /* a glance without the lock: what is done about it has it */

            if (b->state == NGX_IMS_BINDING_FREE) {
                continue;
            }

            ref.index = k;
            ref.seq = b->seq;
            owner = b->owner;
            lost = b->lost;

            if (owner.pid == 0 && lost) {

                /* who has waited for it before, if there is one, comes first */

                ngx_ims_linger_wait(w, pool[i], &ref, lost,
                                    pool[i]->grace + 1000
                                    + ngx_random() % 1000);

            } else if (owner.pid && ngx_ims_linger_dead(&owner)) {
                ngx_ims_linger_start(w, pool[i], &ref, &owner,
                                     pool[i]->grace);
            }
        }
    }
}


/* who had our pid before us is dead, too */

static ngx_uint_t
ngx_ims_linger_dead(ngx_ims_owner_t *owner)
{
    return owner->pid == (uint32_t) ngx_pid
           || (kill((ngx_pid_t) owner->pid, 0) == -1 && ngx_errno == ESRCH);
}


static void
ngx_ims_linger_timer(ngx_event_t *ev)
{
    ngx_ims_binding_t   b;
    ngx_ims_worker_t   *w;
    ngx_ims_linger_t   *linger;

    linger = ev->data;
    w = linger->worker;

    if (ngx_ims_linger_orphan(linger, &b) != NGX_OK) {
        ngx_free(linger);
        return;
    }

    ngx_ims_call_end_all(w, NULL, linger->pool, &linger->binding,
                         "SIP;cause=480;text=\"browser is gone\"");

    if (b.state == NGX_IMS_BINDING_REGISTERED) {
        ngx_ims_binding_idle(linger->pool, &linger->binding);

        if (ngx_ims_uac_register(w, linger->pool, &linger->binding, b.lease,
                                 0, ngx_ims_linger_gone, linger)
            != NULL)
        {
            return;
        }
    }

    ngx_ims_linger_gone(linger, NULL);
}


/* nobody came back since that very loss; the texts of b are not to be used */

static ngx_int_t
ngx_ims_linger_orphan(ngx_ims_linger_t *linger, ngx_ims_binding_t *b)
{
    if (ngx_ims_binding_load(linger->pool, &linger->binding, b,
                             linger->worker->record)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return b->lost == linger->lost ? NGX_OK : NGX_DECLINED;
}


static void
ngx_ims_linger_gone(void *data, ngx_ims_uac_result_t *result)
{
    ngx_ims_binding_t   b;
    ngx_ims_linger_t   *linger;

    linger = data;

    if (ngx_ims_linger_orphan(linger, &b) == NGX_OK) {
        ngx_ims_binding_free(linger->pool, &linger->binding);
    }

    ngx_free(linger);
}
