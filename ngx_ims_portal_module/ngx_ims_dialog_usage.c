/*
 * Copyright (C) the IMS portal authors
 *
 * What a dialog is used for beside a call: subscriptions (RFC 6665, RFC 5057),
 * and how long either lasts.  Nothing here has a timer; the session's clock
 * asks.
 */


#include "ngx_ims_dialog_int.h"


static ngx_ims_usage_sh_t *ngx_ims_dialog_usage(ngx_ims_usage_sh_t *usages,
    ngx_ims_event_t *event);
static ngx_uint_t ngx_ims_dialog_usages(ngx_ims_dialog_sh_t *sh);
static uint32_t ngx_ims_dialog_siblings(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding);
static void ngx_ims_dialog_reap(ngx_ims_pool_t *pool, uint32_t i);


ngx_int_t
ngx_ims_dialog_pending(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_dialog_t *d,
    u_char *buf)
{
    uint32_t              i, hash;
    ngx_int_t             rc;
    ngx_ims_zone_t       *zone;
    ngx_ims_dialog_sh_t  *sh;

    zone = &pool->zone;
    rc = NGX_DECLINED;

    hash = ngx_ims_dialog_hash(call_id, web_tag);

    ngx_ims_zone_lock(zone);

    for (i = zone->dialog_buckets[hash & (zone->sh->nbuckets - 1)];
         i != NGX_IMS_NONE;
         i = sh->next)
    {
        sh = &zone->dialogs[i];

        if (sh->web_hash == hash
            && sh->events
            && sh->state == NGX_IMS_DIALOG_EARLY
            && sh->binding == binding->index
            && zone->bindings[sh->binding].seq == binding->seq
            && ngx_ims_zone_equal(zone, &sh->call_id, call_id))
        {
            ngx_ims_dialog_copy(pool, i, d, buf);
            rc = NGX_OK;
            break;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_ims_dialog_first_early(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_dialog_t *d, u_char *buf)
{
    uint32_t              i, first;
    ngx_int_t             rc;
    ngx_ims_zone_t       *zone;
    ngx_ims_dialog_sh_t  *sh;

    zone = &pool->zone;
    rc = NGX_DECLINED;

    ngx_ims_zone_lock(zone);

    first = ngx_ims_dialog_siblings(pool, binding);

    for (i = first; i != NGX_IMS_NONE; i = zone->dialogs[i].sibling) {
        sh = &zone->dialogs[i];

        if (sh->state == NGX_IMS_DIALOG_EARLY && !sh->events) {
            ngx_ims_dialog_copy(pool, i, d, buf);
            rc = NGX_OK;
            break;
        }
    }

    for (i = first;
         rc == NGX_OK && i != NGX_IMS_NONE;
         i = zone->dialogs[i].sibling)
    {
        sh = &zone->dialogs[i];

        if (sh->state == NGX_IMS_DIALOG_CONFIRMED && !sh->events
            && sh->originated == d->originated
            && ngx_ims_zone_equal(zone, &sh->call_id, &d->call_id))
        {
            rc = NGX_AGAIN;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_ims_dialog_call(ngx_ims_pool_t *pool, uint32_t index,
    ngx_ims_str_t *call_id, ngx_uint_t originated, ngx_ims_dialog_t *d,
    u_char *buf)
{
    uint32_t              i;
    ngx_int_t             rc;
    ngx_ims_ref_t         binding;
    ngx_ims_zone_t       *zone;
    ngx_ims_dialog_sh_t  *sh;

    zone = &pool->zone;
    rc = NGX_DECLINED;

    if (index >= zone->sh->nbindings) {
        return NGX_DECLINED;
    }

    ngx_ims_zone_lock(zone);

    binding.index = index;
    binding.seq = zone->bindings[index].seq;

    for (i = ngx_ims_dialog_siblings(pool, &binding);
         i != NGX_IMS_NONE;
         i = sh->sibling)
    {
        sh = &zone->dialogs[i];

        if (sh->state == NGX_IMS_DIALOG_CONFIRMED && !sh->events
            && (ngx_uint_t) sh->originated == originated
            && ngx_ims_zone_equal(zone, &sh->call_id, call_id))
        {
            ngx_ims_dialog_copy(pool, i, d, buf);
            rc = NGX_OK;
            break;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


ngx_uint_t
ngx_ims_dialog_has(ngx_ims_dialog_t *d, ngx_ims_event_t *event)
{
    return ngx_ims_dialog_usage(d->usages, event) != NULL;
}


ngx_int_t
ngx_ims_dialog_subscribed(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_ims_event_t *event, time_t until)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_ims_usage_sh_t   *usage;
    ngx_ims_dialog_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL) {
        usage = ngx_ims_dialog_usage(sh->usages, event);

        for (i = 0; usage == NULL && i < NGX_IMS_USAGES; i++) {
            if (sh->usages[i].until == 0) {
                usage = &sh->usages[i];
                usage->package = event->package;
                usage->id = event->id;
            }
        }

        rc = NGX_BUSY;

        if (usage != NULL) {
            usage->until = (uint32_t) until;
            rc = NGX_OK;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_dialog_unsubscribed(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_ims_event_t *event)
{
    ngx_ims_usage_sh_t   *usage;
    ngx_ims_dialog_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL) {
        usage = ngx_ims_dialog_usage(sh->usages, event);

        if (usage != NULL) {
            ngx_memzero(usage, sizeof(ngx_ims_usage_sh_t));
        }

        if (sh->events && !ngx_ims_dialog_usages(sh)) {
            ngx_ims_dialog_reap(pool, d->ref.index);
        }
    }

    ngx_ims_zone_unlock(&pool->zone);
}


ngx_int_t
ngx_ims_dialog_uncall(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d)
{
    ngx_int_t             rc;
    ngx_ims_dialog_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL && !sh->events && ngx_ims_dialog_usages(sh)) {
        sh->events = 1;
        sh->media = 0;
        sh->due = 0;
        sh->refresh = 0;
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_dialog_session(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    uint32_t interval, time_t due, time_t refresh)
{
    ngx_ims_dialog_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL) {
        sh->interval = interval;
        sh->due = (uint32_t) due;
        sh->refresh = (uint32_t) refresh;
    }

    ngx_ims_zone_unlock(&pool->zone);
}


time_t
ngx_ims_dialog_expire(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    time_t now)
{
    time_t                first;
    uint32_t              i, next, t;
    ngx_uint_t            n;
    ngx_ims_dialog_sh_t  *sh;

    first = 0;

    ngx_ims_zone_lock(&pool->zone);

    for (i = ngx_ims_dialog_siblings(pool, binding);
         i != NGX_IMS_NONE;
         i = next)
    {
        sh = &pool->zone.dialogs[i];
        next = sh->sibling;

        for (n = 0; n < NGX_IMS_USAGES; n++) {
            t = sh->usages[n].until;

            if (t && t <= (uint32_t) now) {
                ngx_memzero(&sh->usages[n], sizeof(ngx_ims_usage_sh_t));

            } else if (t && (first == 0 || (time_t) t < first)) {
                first = t;
            }
        }

        if (sh->events && !ngx_ims_dialog_usages(sh)) {
            ngx_ims_dialog_reap(pool, i);
            continue;
        }

        t = sh->refresh ? ngx_min(sh->due, sh->refresh) : sh->due;

        if (t && (first == 0 || (time_t) t < first)) {
            first = t;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return first;
}


ngx_int_t
ngx_ims_dialog_due(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, time_t now,
    ngx_ims_dialog_t *d, u_char *buf)
{
    uint32_t              i;
    ngx_int_t             rc;
    ngx_ims_dialog_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    for (i = ngx_ims_dialog_siblings(pool, binding);
         i != NGX_IMS_NONE;
         i = sh->sibling)
    {
        sh = &pool->zone.dialogs[i];

        if ((sh->due && sh->due <= (uint32_t) now)
            || (sh->refresh && sh->refresh <= (uint32_t) now))
        {
            ngx_ims_dialog_copy(pool, i, d, buf);
            rc = NGX_OK;
            break;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


/* the one of an event; an id is only compared when both have one (RFC 3515) */

static ngx_ims_usage_sh_t *
ngx_ims_dialog_usage(ngx_ims_usage_sh_t *usages, ngx_ims_event_t *event)
{
    ngx_uint_t           i;
    ngx_ims_usage_sh_t  *usage;

    for (i = 0; i < NGX_IMS_USAGES; i++) {
        usage = &usages[i];

        if (usage->until && usage->package == event->package
            && (usage->id == event->id || usage->id == 0 || event->id == 0))
        {
            return usage;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_ims_dialog_usages(ngx_ims_dialog_sh_t *sh)
{
    ngx_uint_t  i, n;

    for (n = 0, i = 0; i < NGX_IMS_USAGES; i++) {
        n += (sh->usages[i].until != 0);
    }

    return n;
}


static uint32_t
ngx_ims_dialog_siblings(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding)
{
    ngx_ims_binding_sh_t  *b;

    if (binding->index >= pool->zone.sh->nbindings) {
        return NGX_IMS_NONE;
    }

    b = &pool->zone.bindings[binding->index];

    return b->state != NGX_IMS_BINDING_FREE && b->seq == binding->seq
           ? b->dialogs : NGX_IMS_NONE;
}


static void
ngx_ims_dialog_reap(ngx_ims_pool_t *pool, uint32_t i)
{
    ngx_ims_dialog_unlink(pool, i);
    ngx_ims_zone_free_dialog(&pool->zone, i);
}
