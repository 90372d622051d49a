/*
 * Copyright (C) the IMS portal authors
 *
 * Views of the pool, and moving a user to another identity.  No timers.
 */


#include "ngx_ims_pool_admin.h"
#include "ngx_ims_pool_reserve.h"


static void ngx_ims_pool_view_state(ngx_ims_pool_t *pool,
    ngx_ims_lease_sh_t *l, ngx_ims_pool_view_t *view);
static void ngx_ims_pool_view_holder(ngx_ims_zone_t *zone,
    ngx_ims_lease_sh_t *l, ngx_str_t *subject, ngx_str_t *issuer, u_char *buf);
static ngx_uint_t ngx_ims_pool_view_calls(ngx_ims_zone_t *zone,
    ngx_ims_binding_sh_t *b);
static uint32_t *ngx_ims_pool_chain(ngx_ims_zone_t *zone, u_char *user);
static uint32_t ngx_ims_pool_holds(ngx_ims_zone_t *zone, u_char *user);
static ngx_int_t ngx_ims_pool_move_taken(ngx_ims_pool_t *pool,
    uint32_t lease, u_char *user, ngx_str_t *holder);
static void ngx_ims_pool_move_to(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *user, ngx_str_t *holder, ngx_ims_lease_sh_t *former);
static void ngx_ims_pool_move_leave(ngx_ims_pool_t *pool, uint32_t i);


ngx_int_t
ngx_ims_pool_view(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_pool_view_t *view, u_char *buf)
{
    uint32_t               i;
    ngx_int_t              rc;
    ngx_ims_zone_t        *zone;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_binding_sh_t  *b;

    ngx_memzero(view, sizeof(ngx_ims_pool_view_t));

    zone = &pool->zone;

    if (lease >= zone->sh->nleases) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;
    l = &zone->leases[lease];
    view->index = lease;

    ngx_ims_zone_lock(zone);

    if (l->state != NGX_IMS_LEASE_UNUSED) {
        ngx_ims_pool_view_state(pool, l, view);

        if (view->state != NGX_IMS_LEASE_FREE) {
            ngx_memcpy(view->user, l->user, NGX_IMS_DIGEST_LEN);
            ngx_ims_pool_view_holder(zone, l, &view->subject, &view->issuer,
                                     buf);
        }

        for (i = l->bindings; i != NGX_IMS_NONE; i = b->next) {
            b = &zone->bindings[i];

            view->sessions++;
            view->away += (b->owner.pid == 0);
            view->calls += ngx_ims_pool_view_calls(zone, b);
        }

        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


/* entries whose time is over are swept when somebody needs one */

static void
ngx_ims_pool_view_state(ngx_ims_pool_t *pool, ngx_ims_lease_sh_t *l,
    ngx_ims_pool_view_t *view)
{
    time_t  now;

    now = ngx_time();

    view->seq = l->seq;
    view->state = l->state;
    view->since = l->since;
    view->expires = l->expires;
    view->leaving = (l->release != NGX_IMS_RELEASE_NONE);

    if (view->state == NGX_IMS_LEASE_LEASED && l->nbindings == 0
        && l->expires <= now)
    {
        view->state = NGX_IMS_LEASE_RESTING;
        view->expires += pool->quarantine;
    }

    if (view->state == NGX_IMS_LEASE_RESTING && view->expires <= now) {
        view->state = NGX_IMS_LEASE_FREE;
    }

    if (view->state == NGX_IMS_LEASE_FREE) {
        view->since = 0;
        view->expires = 0;
    }
}


/* subject, NUL, issuer */

static void
ngx_ims_pool_view_holder(ngx_ims_zone_t *zone, ngx_ims_lease_sh_t *l,
    ngx_str_t *subject, ngx_str_t *issuer, u_char *buf)
{
    u_char  *p, *last;

    if (l->holder.len == 0 || l->holder.len > NGX_IMS_POOL_VIEW) {
        return;
    }

    last = ngx_ims_zone_get(zone, &l->holder, buf);
    p = ngx_strlchr(buf, last, '\0');

    if (p == NULL) {
        return;
    }

    subject->data = buf;
    subject->len = p - buf;
    issuer->data = p + 1;
    issuer->len = last - (p + 1);
}


static ngx_uint_t
ngx_ims_pool_view_calls(ngx_ims_zone_t *zone, ngx_ims_binding_sh_t *b)
{
    uint32_t    i;
    ngx_uint_t  n;

    n = 0;

    for (i = b->dialogs; i != NGX_IMS_NONE; i = zone->dialogs[i].sibling) {
        n += !zone->dialogs[i].events;
    }

    return n;
}


ngx_int_t
ngx_ims_pool_see(ngx_ims_pool_t *pool, uint32_t binding,
    ngx_ims_pool_seen_t *seen, u_char *buf)
{
    ngx_int_t              rc;
    ngx_ims_zone_t        *zone;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_binding_sh_t  *b;

    ngx_memzero(seen, sizeof(ngx_ims_pool_seen_t));

    zone = &pool->zone;

    if (binding >= zone->sh->nbindings) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;
    b = &zone->bindings[binding];
    seen->index = binding;

    ngx_ims_zone_lock(zone);

    if (b->state != NGX_IMS_BINDING_FREE && b->lease < zone->sh->nleases) {
        l = &zone->leases[b->lease];

        seen->seq = b->seq;
        seen->state = b->state;
        seen->lease = b->lease;
        seen->owner = b->owner;
        seen->since = b->since;
        seen->until = b->owner.pid ? 0 : b->reap;
        seen->calls = ngx_ims_pool_view_calls(zone, b);

        if (b->state == NGX_IMS_BINDING_REGISTERED) {
            seen->expires = b->expires;
        }

        ngx_memcpy(seen->user, l->user, NGX_IMS_DIGEST_LEN);
        ngx_ims_pool_view_holder(zone, l, &seen->subject, &seen->issuer, buf);

        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


static uint32_t *
ngx_ims_pool_chain(ngx_ims_zone_t *zone, u_char *user)
{
    uint32_t  h;

    ngx_memcpy(&h, user, sizeof(h));

    return &zone->user_buckets[h & (zone->sh->nbuckets - 1)];
}


/* the entry that is leased to a user; the lock is held */

static uint32_t
ngx_ims_pool_holds(ngx_ims_zone_t *zone, u_char *user)
{
    uint32_t             i;
    ngx_ims_lease_sh_t  *l;

    for (i = *ngx_ims_pool_chain(zone, user);
         i != NGX_IMS_NONE;
         i = zone->leases[i].user_next)
    {
        l = &zone->leases[i];

        if (l->state == NGX_IMS_LEASE_LEASED
            && (l->nbindings || l->expires > ngx_time())
            && ngx_memcmp(l->user, user, NGX_IMS_DIGEST_LEN) == 0)
        {
            break;
        }
    }

    return i;
}


ngx_int_t
ngx_ims_pool_whose(ngx_ims_pool_t *pool, u_char *user, uint32_t *lease)
{
    ngx_ims_zone_lock(&pool->zone);

    *lease = ngx_ims_pool_holds(&pool->zone, user);

    ngx_ims_zone_unlock(&pool->zone);

    return *lease == NGX_IMS_NONE ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_ims_pool_move(ngx_ims_pool_t *pool, u_char *user, uint32_t lease)
{
    u_char               text[NGX_IMS_POOL_VIEW];
    uint32_t             i;
    ngx_int_t            rc;
    ngx_str_t            holder;
    ngx_ims_zone_t      *zone;
    ngx_ims_lease_sh_t   former;

    zone = &pool->zone;

    ngx_ims_zone_lock(zone);

    i = ngx_ims_pool_holds(zone, user);

    if (i == NGX_IMS_NONE || lease >= zone->sh->nleases || i == lease) {
        ngx_ims_zone_unlock(zone);
        return i == lease && i != NGX_IMS_NONE ? NGX_OK : NGX_DECLINED;
    }

    former = zone->leases[i];

    holder.data = text;
    holder.len = 0;

    if (former.holder.len <= NGX_IMS_POOL_VIEW) {
        holder.len = ngx_ims_zone_get(zone, &former.holder, text) - text;
    }

    rc = ngx_ims_pool_move_taken(pool, lease, user, &holder);

    if (rc == NGX_OK) {
        ngx_ims_order_lease_locked(pool, i, NGX_IMS_ORDER_ENDED);
        ngx_ims_pool_move_leave(pool, i);
        ngx_ims_pool_move_to(pool, lease, user, &holder, &former);
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


/* he is who he was: a guest, and with what he has called */

static void
ngx_ims_pool_move_to(ngx_ims_pool_t *pool, uint32_t lease, u_char *user,
    ngx_str_t *holder, ngx_ims_lease_sh_t *former)
{
    uint32_t            *bucket;
    ngx_ims_zone_t      *zone;
    ngx_ims_lease_sh_t  *l;

    zone = &pool->zone;
    l = &zone->leases[lease];

    ngx_ims_pool_forget(pool, lease);

    ngx_memcpy(l->user, user, NGX_IMS_DIGEST_LEN);
    bucket = ngx_ims_pool_chain(zone, user);
    l->user_next = *bucket;
    *bucket = lease;

    (void) ngx_ims_zone_put(zone, &l->holder, holder);

    l->seq++;
    l->calls = former->calls;
    l->premium = former->premium;
    l->since = ngx_time();
    l->expires = l->since + (former->guest ? pool->guest_lease : pool->lease);
    l->guest = former->guest;
    l->release = NGX_IMS_RELEASE_NONE;

    ngx_ims_pool_state(pool, lease, NGX_IMS_LEASE_LEASED);
}


/* NGX_OK when he can have it */

static ngx_int_t
ngx_ims_pool_move_taken(ngx_ims_pool_t *pool, uint32_t lease, u_char *user,
    ngx_str_t *holder)
{
    u_char               *p;
    uint32_t              number;
    ngx_ims_want_t        want;
    ngx_ims_lease_sh_t   *l;
    ngx_ims_pool_view_t   view;

    l = &pool->zone.leases[lease];

    ngx_ims_pool_view_state(pool, l, &view);

    number = ngx_ims_pool_number_of(pool, lease);

    if (number == NGX_IMS_NONE) {
        return NGX_ABORT;
    }

    /* what is kept for somebody is for nobody else */

    ngx_memzero(&want, sizeof(ngx_ims_want_t));

    p = ngx_strlchr(holder->data, holder->data + holder->len, '\0');

    want.user = user;
    want.subject.data = holder->data;
    want.subject.len = p ? (size_t) (p - holder->data) : 0;

    if (ngx_ims_pool_is_reserved(pool, number)
        && ngx_ims_pool_reserved(pool, &want) != number)
    {
        return NGX_ABORT;
    }

    if (view.state == NGX_IMS_LEASE_LEASED) {
        return NGX_BUSY;
    }

    /* his own quarantine does not keep him away */

    return view.state == NGX_IMS_LEASE_FREE
           || ngx_memcmp(l->user, user, NGX_IMS_DIGEST_LEN) == 0
           ? NGX_OK : NGX_ABORT;
}


/* what he had rests once its last binding is gone; it is nobody's until then */

static void
ngx_ims_pool_move_leave(ngx_ims_pool_t *pool, uint32_t i)
{
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    l->release = NGX_IMS_RELEASE_REST;
    ngx_memory_barrier();

    /* one guest is counted once */

    if (l->guest) {
        ngx_ims_zone_list_del(&pool->zone, i);
        l->guest = 0;
        pool->zone.sh->guests--;
        ngx_ims_zone_list_add(&pool->zone, i);
    }

    ngx_ims_pool_forget(pool, i);
    ngx_ims_pool_left(pool, i);
}
