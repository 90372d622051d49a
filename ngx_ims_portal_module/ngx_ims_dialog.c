/*
 * Copyright (C) the IMS portal authors
 *
 * Dialog records in the zone: by hash of Call-ID and the browser's tag, and in
 * the list of their binding.
 */


#include "ngx_ims_dialog_int.h"


static ngx_int_t ngx_ims_dialog_seek(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag,
    ngx_ims_str_t *tag, ngx_uint_t shown, ngx_ims_dialog_t *d, u_char *buf);
static uint32_t ngx_ims_dialog_tag(ngx_str_t *id, ngx_ims_str_t *tag);
static void ngx_ims_dialog_fill(ngx_ims_dialog_sh_t *sh, ngx_ims_dialog_t *d);
static ngx_int_t ngx_ims_dialog_text(ngx_ims_zone_t *zone,
    ngx_ims_dialog_sh_t *sh, ngx_ims_dialog_t *d);


ngx_int_t
ngx_ims_dialog_create(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d)
{
    uint32_t               i, *bucket;
    ngx_int_t              rc;
    ngx_ims_zone_t        *zone;
    ngx_ims_dialog_sh_t   *sh;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    rc = NGX_ERROR;

    ngx_ims_zone_lock(zone);

    b = d->binding.index < zone->sh->nbindings
        ? &zone->bindings[d->binding.index] : NULL;

    /* one that is claimed is about to be freed: nobody would end this call */

    if (b == NULL || b->state == NGX_IMS_BINDING_FREE
        || b->seq != d->binding.seq
        || (b->reap && b->owner.pid))
    {
        rc = NGX_DECLINED;
        goto done;
    }

    if (b->ndialogs >= NGX_IMS_DIALOG_MAX) {
        rc = NGX_BUSY;
        goto done;
    }

    i = ngx_ims_zone_take_dialog(zone);
    if (i == NGX_IMS_NONE) {
        goto done;
    }

    sh = &zone->dialogs[i];

    ngx_ims_dialog_fill(sh, d);

    if (ngx_ims_dialog_text(zone, sh, d) != NGX_OK) {
        ngx_ims_zone_free_dialog(zone, i);
        goto done;
    }

    bucket = &zone->dialog_buckets[sh->web_hash & (zone->sh->nbuckets - 1)];
    sh->next = *bucket;
    *bucket = i;

    sh->sibling = b->dialogs;
    b->dialogs = i;
    b->ndialogs++;

    ngx_memory_barrier();
    sh->state = d->state;

    d->ref.index = i;
    d->ref.seq = sh->seq;

    rc = NGX_OK;

done:

    ngx_ims_zone_unlock(zone);

    return rc;
}


/* all but the state, which makes it valid, and the texts */

static void
ngx_ims_dialog_fill(ngx_ims_dialog_sh_t *sh, ngx_ims_dialog_t *d)
{
    ngx_ims_str_t  tag;

    sh->binding = d->binding.index;
    sh->originated = d->originated;
    sh->cseq_up = d->cseq_up;
    sh->cseq_down = d->cseq_down;
    sh->offset_up = d->offset_up;
    sh->offset_down = d->offset_down;
    sh->invite_up = d->invite_up;
    sh->invite_down = d->invite_down;
    sh->helper = d->helper;
    sh->media = d->media;
    sh->created = ngx_time();
    sh->events = d->events;
    ngx_memcpy(sh->usages, d->usages, sizeof(d->usages));
    sh->interval = d->interval;
    sh->due = d->due;
    sh->refresh = d->refresh;
    sh->emergency = d->emergency;
    sh->plain = d->plain;

    sh->far_hash = ngx_ims_dialog_tag(&d->far_id, &tag);
    sh->shown_hash = d->shown_id.len
                     ? ngx_ims_dialog_tag(&d->shown_id, &tag) : sh->far_hash;
    (void) ngx_ims_dialog_tag(&d->web_id, &tag);
    sh->web_hash = ngx_ims_dialog_hash(&d->call_id, &tag);
}


static ngx_int_t
ngx_ims_dialog_text(ngx_ims_zone_t *zone, ngx_ims_dialog_sh_t *sh,
    ngx_ims_dialog_t *d)
{
    if (ngx_ims_zone_put(zone, &sh->call_id, &d->call_id) != NGX_OK
        || ngx_ims_zone_put(zone, &sh->web_id, &d->web_id) != NGX_OK
        || ngx_ims_zone_put(zone, &sh->core_id, &d->core_id) != NGX_OK
        || ngx_ims_zone_put(zone, &sh->far_id, &d->far_id) != NGX_OK
        || ngx_ims_zone_put(zone, &sh->shown_id, &d->shown_id) != NGX_OK
        || ngx_ims_zone_put(zone, &sh->routes, &d->routes) != NGX_OK
        || ngx_ims_zone_put(zone, &sh->web_target, &d->web_target) != NGX_OK
        || ngx_ims_zone_put(zone, &sh->far_target, &d->far_target) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_ims_dialog_find(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_str_t *far_tag,
    ngx_ims_dialog_t *d, u_char *buf)
{
    return ngx_ims_dialog_seek(pool, binding, call_id, web_tag, far_tag, 0, d,
                               buf);
}


ngx_int_t
ngx_ims_dialog_find_shown(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_str_t *shown_tag,
    ngx_ims_dialog_t *d, u_char *buf)
{
    return ngx_ims_dialog_seek(pool, binding, call_id, web_tag, shown_tag, 1,
                               d, buf);
}


ngx_int_t
ngx_ims_dialog_match(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_sip_msg_t *m, ngx_uint_t up, ngx_ims_dialog_t *d, u_char *buf)
{
    return up ? ngx_ims_dialog_find_shown(pool, binding, &m->call_id,
                                          &m->from.tag, &m->to.tag, d, buf)
              : ngx_ims_dialog_find(pool, binding, &m->call_id, &m->to.tag,
                                    &m->from.tag, d, buf);
}


ngx_int_t
ngx_ims_dialog_load(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_dialog_t *d, u_char *buf)
{
    ngx_int_t             rc;
    ngx_ims_dialog_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, ref);

    if (sh != NULL) {
        ngx_ims_dialog_copy(pool, ref->index, d, buf);
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


/* a bucket has the newest first */

static ngx_int_t
ngx_ims_dialog_seek(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_str_t *tag,
    ngx_uint_t shown, ngx_ims_dialog_t *d, u_char *buf)
{
    uint32_t              i, hash, far;
    ngx_int_t             rc;
    ngx_ims_zone_t       *zone;
    ngx_ims_dialog_sh_t  *sh;

    zone = &pool->zone;
    rc = NGX_DECLINED;

    hash = ngx_ims_dialog_hash(call_id, web_tag);
    far = ngx_crc32_short(tag->data, tag->len);

    ngx_ims_zone_lock(zone);

    for (i = zone->dialog_buckets[hash & (zone->sh->nbuckets - 1)];
         i != NGX_IMS_NONE;
         i = sh->next)
    {
        sh = &zone->dialogs[i];

        if (sh->web_hash == hash
            && sh->binding == binding->index
            && zone->bindings[sh->binding].seq == binding->seq
            && (tag->len == 0
                || (shown ? sh->shown_hash : sh->far_hash) == far)
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
ngx_ims_dialog_first(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_dialog_t *d, u_char *buf)
{
    ngx_int_t              rc;
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    rc = NGX_DECLINED;

    ngx_ims_zone_lock(zone);

    if (binding->index < zone->sh->nbindings) {
        b = &zone->bindings[binding->index];

        if (b->state != NGX_IMS_BINDING_FREE && b->seq == binding->seq
            && b->dialogs != NGX_IMS_NONE)
        {
            ngx_ims_dialog_copy(pool, b->dialogs, d, buf);
            rc = NGX_OK;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_ims_dialog_first_ordinary(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_dialog_t *d, u_char *buf)
{
    uint32_t               i;
    ngx_int_t              rc;
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    rc = NGX_DECLINED;

    ngx_ims_zone_lock(zone);

    b = binding->index < zone->sh->nbindings
        ? &zone->bindings[binding->index] : NULL;

    if (b != NULL && b->state != NGX_IMS_BINDING_FREE
        && b->seq == binding->seq)
    {
        for (i = b->dialogs; i != NGX_IMS_NONE; i = zone->dialogs[i].sibling) {

            if (!zone->dialogs[i].emergency) {
                ngx_ims_dialog_copy(pool, i, d, buf);
                rc = NGX_OK;
                break;
            }
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


void
ngx_ims_dialog_copy(ngx_ims_pool_t *pool, uint32_t i, ngx_ims_dialog_t *d,
    u_char *buf)
{
    ngx_uint_t            n;
    ngx_str_t            *text[8];
    ngx_ims_blob_t       *blob[8];
    ngx_ims_zone_t       *zone;
    ngx_ims_dialog_sh_t  *sh;

    zone = &pool->zone;
    sh = &zone->dialogs[i];

    d->ref.index = i;
    d->ref.seq = sh->seq;
    d->binding.index = sh->binding;
    d->binding.seq = zone->bindings[sh->binding].seq;
    d->state = sh->state;
    d->originated = sh->originated;
    d->cseq_up = sh->cseq_up;
    d->cseq_down = sh->cseq_down;
    d->offset_up = sh->offset_up;
    d->offset_down = sh->offset_down;
    d->invite_up = sh->invite_up;
    d->invite_down = sh->invite_down;
    d->helper = sh->helper;
    d->media = sh->media;
    d->events = sh->events;
    ngx_memcpy(d->usages, sh->usages, sizeof(d->usages));
    d->interval = sh->interval;
    d->due = sh->due;
    d->refresh = sh->refresh;
    d->emergency = sh->emergency;
    d->plain = sh->plain;

    text[0] = &d->call_id;       blob[0] = &sh->call_id;
    text[1] = &d->web_id;        blob[1] = &sh->web_id;
    text[2] = &d->core_id;       blob[2] = &sh->core_id;
    text[3] = &d->far_id;        blob[3] = &sh->far_id;
    text[4] = &d->routes;        blob[4] = &sh->routes;
    text[5] = &d->web_target;    blob[5] = &sh->web_target;
    text[6] = &d->far_target;    blob[6] = &sh->far_target;
    text[7] = &d->shown_id;      blob[7] = &sh->shown_id;

    for (n = 0; n < 8; n++) {
        text[n]->data = buf;
        text[n]->len = blob[n]->len;
        buf = ngx_ims_zone_get(zone, blob[n], buf);
    }

    d->merged = (d->shown_id.len != 0);

    if (!d->merged) {
        d->shown_id = d->far_id;
    }
}


ngx_int_t
ngx_ims_dialog_confirm(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d)
{
    ngx_int_t             rc;
    ngx_ims_zone_t       *zone;
    ngx_ims_dialog_sh_t  *sh;

    zone = &pool->zone;
    rc = NGX_ERROR;

    ngx_ims_zone_lock(zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL
        && ngx_ims_zone_put(zone, &sh->routes, &d->routes) == NGX_OK
        && (d->web_target.len == 0
            || ngx_ims_zone_put(zone, &sh->web_target, &d->web_target)
               == NGX_OK)
        && (d->far_target.len == 0
            || ngx_ims_zone_put(zone, &sh->far_target, &d->far_target)
               == NGX_OK))
    {
        if (d->media) {
            sh->helper = d->helper;
            sh->media = 1;
        }

        sh->state = NGX_IMS_DIALOG_CONFIRMED;
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


void
ngx_ims_dialog_target(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t web, ngx_str_t *target)
{
    ngx_ims_dialog_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL) {
        (void) ngx_ims_zone_put(&pool->zone,
                                web ? &sh->web_target : &sh->far_target,
                                target);
    }

    ngx_ims_zone_unlock(&pool->zone);
}


ngx_int_t
ngx_ims_dialog_media(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_int_t helper, ngx_uint_t held)
{
    ngx_int_t             rc;
    ngx_ims_dialog_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, ref);

    if (sh != NULL && !sh->events) {
        rc = NGX_OK;

        if (held) {
            sh->media = 1;
            sh->helper = helper;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


ngx_uint_t
ngx_ims_dialog_plain(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref)
{
    ngx_uint_t            plain;
    ngx_ims_dialog_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, ref);
    plain = (sh == NULL || sh->plain);

    ngx_ims_zone_unlock(&pool->zone);

    return plain;
}


ngx_int_t
ngx_ims_dialog_free(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d)
{
    ngx_int_t             rc;
    ngx_ims_dialog_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL) {
        ngx_ims_dialog_unlink(pool, d->ref.index);
        ngx_ims_zone_free_dialog(&pool->zone, d->ref.index);
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_dialog_unlink(ngx_ims_pool_t *pool, uint32_t i)
{
    uint32_t              *link;
    ngx_ims_zone_t        *zone;
    ngx_ims_dialog_sh_t   *sh;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    sh = &zone->dialogs[i];

    for (link = &zone->dialog_buckets[sh->web_hash
                                      & (zone->sh->nbuckets - 1)];
         *link != NGX_IMS_NONE;
         link = &zone->dialogs[*link].next)
    {
        if (*link == i) {
            *link = sh->next;
            break;
        }
    }

    b = &zone->bindings[sh->binding];

    for (link = &b->dialogs;
         *link != NGX_IMS_NONE;
         link = &zone->dialogs[*link].sibling)
    {
        if (*link == i) {
            *link = sh->sibling;
            b->ndialogs--;
            break;
        }
    }
}


void
ngx_ims_dialog_forget_early(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_uint_t originated)
{
    uint32_t               i, next, heard;
    ngx_ims_zone_t        *zone;
    ngx_ims_dialog_sh_t   *sh, *winner;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    winner = NULL;
    heard = 0;

    if (binding->index >= zone->sh->nbindings) {
        return;
    }

    ngx_ims_zone_lock(zone);

    b = &zone->bindings[binding->index];

    i = (b->state != NGX_IMS_BINDING_FREE && b->seq == binding->seq)
        ? b->dialogs : NGX_IMS_NONE;

    for ( /* void */ ; i != NGX_IMS_NONE; i = next) {
        sh = &zone->dialogs[i];
        next = sh->sibling;

        if (sh->events || sh->originated != originated
            || !ngx_ims_zone_equal(zone, &sh->call_id, call_id))
        {
            continue;
        }

        if (sh->state == NGX_IMS_DIALOG_CONFIRMED) {
            winner = sh;
            continue;
        }

        heard = ngx_max(heard, sh->cseq_down);

        ngx_ims_dialog_unlink(pool, i);
        ngx_ims_zone_free_dialog(zone, i);
    }

    if (winner != NULL && heard > winner->cseq_down) {
        winner->offset_down += heard - winner->cseq_down;
        winner->cseq_down = heard;
    }

    ngx_ims_zone_unlock(zone);
}


ngx_uint_t
ngx_ims_dialog_count(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding)
{
    uint32_t               i;
    ngx_uint_t             n;
    ngx_ims_binding_sh_t  *b;

    n = 0;

    ngx_ims_zone_lock(&pool->zone);

    if (binding->index < pool->zone.sh->nbindings) {
        b = &pool->zone.bindings[binding->index];

        if (b->state != NGX_IMS_BINDING_FREE && b->seq == binding->seq) {
            for (i = b->dialogs;
                 i != NGX_IMS_NONE;
                 i = pool->zone.dialogs[i].sibling)
            {
                n += !pool->zone.dialogs[i].events;
            }
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return n;
}


ngx_ims_dialog_sh_t *
ngx_ims_dialog_sh(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref)
{
    ngx_ims_dialog_sh_t  *sh;

    if (ref->index >= pool->zone.sh->ndialogs) {
        return NULL;
    }

    sh = &pool->zone.dialogs[ref->index];

    if (sh->state == NGX_IMS_DIALOG_FREE || sh->seq != ref->seq) {
        return NULL;
    }

    return sh;
}


uint32_t
ngx_ims_dialog_hash(ngx_ims_str_t *call_id, ngx_ims_str_t *tag)
{
    uint32_t  crc;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, call_id->data, call_id->len);
    ngx_crc32_update(&crc, tag->data, tag->len);
    ngx_crc32_final(crc);

    return crc;
}


/* the tag inside a From or To value, and its hash */

static uint32_t
ngx_ims_dialog_tag(ngx_str_t *id, ngx_ims_str_t *tag)
{
    ngx_ims_sip_addr_t  addr;

    ngx_memzero(tag, sizeof(ngx_ims_str_t));

    if (ngx_ims_sip_parse_addr(id, &addr) == NGX_IMS_OK) {
        *tag = addr.tag;
    }

    return ngx_crc32_short(tag->data, tag->len);
}


void
ngx_ims_dialog_far_tag(ngx_ims_dialog_t *d, ngx_ims_str_t *tag)
{
    (void) ngx_ims_dialog_tag(&d->far_id, tag);
}
