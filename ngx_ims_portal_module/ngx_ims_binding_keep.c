/*
 * Copyright (C) the IMS portal authors
 *
 * Who keeps the requests for a browser that is away: one worker for each
 * binding, so that repetitions, CANCEL and what comes behind them find them.
 *
 * No timers.
 */


#include "ngx_ims_binding_int.h"


ngx_int_t
ngx_ims_binding_where(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, ngx_ims_owner_t *keeper)
{
    ngx_ims_binding_sh_t  *b;

    ngx_ims_zone_lock(&pool->zone);

    b = ngx_ims_binding_sh(pool, ref);

    if (b != NULL) {
        *owner = b->owner;
        *keeper = b->keeper;

        /* who ends it has no browser */

        if (b->reap) {
            ngx_memzero(owner, sizeof(ngx_ims_owner_t));
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return b ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_ims_binding_keep(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *keeper, ngx_ims_owner_t *before)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *b;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    b = ngx_ims_binding_sh(pool, ref);

    if (b != NULL && ngx_ims_owner_equal(&b->keeper, before)) {
        b->keeper = *keeper;
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}
