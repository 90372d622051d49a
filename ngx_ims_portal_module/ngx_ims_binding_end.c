/*
 * Copyright (C) the IMS portal authors
 *
 * How a binding ends: it is lost, claimed by who ends it, and freed, unless its
 * browser takes it back before.  No timers.
 */


#include "ngx_ims_binding_int.h"


static void ngx_ims_binding_unlink(ngx_ims_zone_t *zone,
    ngx_ims_binding_sh_t *sh, uint32_t index);
static ngx_uint_t ngx_ims_binding_is_claimed(ngx_ims_binding_sh_t *sh,
    ngx_ims_owner_t *owner);


/* whole seconds, never early */

time_t
ngx_ims_binding_after(ngx_msec_t grace)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return tp->sec + (tp->msec + grace + 999) / 1000;
}


ngx_int_t
ngx_ims_binding_lose(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, ngx_msec_t grace)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL && ngx_ims_owner_equal(&sh->owner, owner)) {

        /* one that died while it ended the binding had waited already */

        if (sh->reap == 0) {
            sh->reap = ngx_ims_binding_after(grace);
            sh->lost = ngx_time();
        }

        sh->calling = 0;
        ngx_memzero(&sh->owner, sizeof(ngx_ims_owner_t));

        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


ngx_int_t
ngx_ims_binding_claim(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, time_t now, uint32_t *lease)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL && sh->owner.pid == 0 && sh->reap && sh->reap <= now) {

        if (sh->state == NGX_IMS_BINDING_REGISTERED) {
            sh->state = NGX_IMS_BINDING_LEAVING;
            sh->expires = 0;
        }

        sh->owner = *owner;
        *lease = sh->lease;

        rc = (sh->state == NGX_IMS_BINDING_LEAVING) ? NGX_AGAIN : NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


static ngx_uint_t
ngx_ims_binding_is_claimed(ngx_ims_binding_sh_t *sh, ngx_ims_owner_t *owner)
{
    return sh != NULL && sh->reap && ngx_ims_owner_equal(&sh->owner, owner);
}


ngx_uint_t
ngx_ims_binding_claimed(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner)
{
    ngx_uint_t  claimed;

    ngx_ims_zone_lock(&pool->zone);

    claimed = ngx_ims_binding_is_claimed(ngx_ims_binding_sh(pool, ref),
                                         owner);

    ngx_ims_zone_unlock(&pool->zone);

    return claimed;
}


void
ngx_ims_binding_free(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner)
{
    uint32_t               lease;
    ngx_ims_binding_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (ngx_ims_binding_is_claimed(sh, owner)) {
        lease = sh->lease;

        ngx_ims_binding_unlink(&pool->zone, sh, ref->index);
        ngx_ims_zone_free_binding(&pool->zone, ref->index);
        ngx_ims_pool_left(pool, lease);
    }

    ngx_ims_zone_unlock(&pool->zone);
}


static void
ngx_ims_binding_unlink(ngx_ims_zone_t *zone, ngx_ims_binding_sh_t *sh,
    uint32_t index)
{
    uint32_t            *link;
    ngx_ims_lease_sh_t  *l;

    l = &zone->leases[sh->lease];

    for (link = &l->bindings;
         *link != NGX_IMS_NONE;
         link = &zone->bindings[*link].next)
    {
        if (*link == index) {
            *link = sh->next;
            l->nbindings--;
            return;
        }
    }
}
