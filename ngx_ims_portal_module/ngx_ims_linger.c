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
    uint32_t                  lease;
} ngx_ims_linger_t;


static void ngx_ims_linger_timer(ngx_event_t *ev);
static void ngx_ims_linger_gone(void *data, ngx_ims_uac_result_t *result);


void
ngx_ims_linger_start(ngx_ims_session_t *s, ngx_msec_t grace)
{
    ngx_ims_linger_t  *linger;

    if (ngx_ims_binding_lose(s->pool, &s->binding, &s->worker->self)
        != NGX_OK)
    {
        return;
    }

    linger = ngx_calloc(sizeof(ngx_ims_linger_t), s->worker->log);
    if (linger == NULL) {
        return;
    }

    linger->worker = s->worker;
    linger->pool = s->pool;
    linger->binding = s->binding;
    linger->lease = s->lease;

    linger->timer.handler = ngx_ims_linger_timer;
    linger->timer.data = linger;
    linger->timer.log = s->worker->log;

    ngx_add_timer(&linger->timer, ngx_max(grace, 1));
}


static void
ngx_ims_linger_timer(ngx_event_t *ev)
{
    ngx_ims_binding_t   b;
    ngx_ims_worker_t   *w;
    ngx_ims_linger_t   *linger;

    linger = ev->data;
    w = linger->worker;

    if (!ngx_ims_binding_orphan(linger->pool, &linger->binding)) {
        ngx_free(linger);
        return;
    }

    ngx_ims_call_end_all(w, NULL, linger->pool, &linger->binding,
                         "SIP;cause=480;text=\"browser is gone\"");

    if (ngx_ims_binding_load(linger->pool, &linger->binding, &b, w->record)
        == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED)
    {
        ngx_ims_binding_idle(linger->pool, &linger->binding);

        if (ngx_ims_uac_register(w, linger->pool, &linger->binding,
                                 linger->lease, 0, ngx_ims_linger_gone,
                                 linger)
            != NULL)
        {
            return;
        }
    }

    ngx_ims_linger_gone(linger, NULL);
}


static void
ngx_ims_linger_gone(void *data, ngx_ims_uac_result_t *result)
{
    ngx_ims_linger_t  *linger;

    linger = data;

    if (ngx_ims_binding_orphan(linger->pool, &linger->binding)) {
        ngx_ims_binding_free(linger->pool, &linger->binding);
    }

    ngx_free(linger);
}
