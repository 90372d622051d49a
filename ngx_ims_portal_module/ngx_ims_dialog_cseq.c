/*
 * Copyright (C) the IMS portal authors
 *
 * How each side of a dialog counts its requests (RFC 3261 12.2.1.1): what the
 * portal says for one side, and what branches count that the browser takes for
 * one dialog, moves the numbers of the other.
 */


#include "ngx_ims_dialog_int.h"


static uint32_t ngx_ims_dialog_heard(ngx_ims_zone_t *zone,
    ngx_ims_dialog_sh_t *sh);


uint32_t
ngx_ims_dialog_speak(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d, ngx_uint_t up)
{
    uint32_t              cseq;
    ngx_ims_dialog_sh_t  *sh;

    cseq = 0;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh == NULL) {

        /* void */

    } else if (up) {
        cseq = ++sh->cseq_up;
        d->offset_up = ++sh->offset_up;

    } else {
        cseq = ngx_ims_dialog_heard(&pool->zone, sh) + 1;
        sh->offset_down += cseq - sh->cseq_down;
        sh->cseq_down = cseq;
        d->offset_down = sh->offset_down;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return cseq;
}


void
ngx_ims_dialog_invited(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t up, uint32_t offset)
{
    ngx_ims_dialog_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL) {
        if (up) {
            sh->invite_up = offset;

        } else {
            sh->invite_down = offset;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);
}


uint32_t
ngx_ims_dialog_below(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d, uint32_t cseq)
{
    uint32_t              heard, offset;
    ngx_ims_dialog_sh_t  *sh;

    offset = d->offset_down;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL && cseq + sh->offset_down > sh->cseq_down) {

        /* what is old in its own dialog stays old */

        heard = ngx_ims_dialog_heard(&pool->zone, sh);

        if (cseq + sh->offset_down <= heard) {
            sh->offset_down = heard + 1 - cseq;
        }
    }

    if (sh != NULL) {
        offset = sh->offset_down;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return offset;
}


/* the highest CSeq that the browser has seen in what it takes for one dialog */

static uint32_t
ngx_ims_dialog_heard(ngx_ims_zone_t *zone, ngx_ims_dialog_sh_t *sh)
{
    uint32_t              i, cseq;
    ngx_ims_dialog_sh_t  *other;

    cseq = sh->cseq_down;

    for (i = zone->dialog_buckets[sh->web_hash & (zone->sh->nbuckets - 1)];
         i != NGX_IMS_NONE;
         i = other->next)
    {
        other = &zone->dialogs[i];

        if (other->web_hash == sh->web_hash && other->binding == sh->binding
            && other->shown_hash == sh->shown_hash)
        {
            cseq = ngx_max(cseq, other->cseq_down);
        }
    }

    return cseq;
}


ngx_int_t
ngx_ims_dialog_last(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_str_t *far_tag,
    uint32_t *last, ngx_uint_t *up, ngx_uint_t *early)
{
    uint32_t              i, hash, far;
    ngx_int_t             rc;
    ngx_ims_zone_t       *zone;
    ngx_ims_dialog_sh_t  *sh;

    zone = &pool->zone;
    rc = NGX_DECLINED;

    hash = ngx_ims_dialog_hash(call_id, web_tag);
    far = ngx_crc32_short(far_tag->data, far_tag->len);

    ngx_ims_zone_lock(zone);

    for (i = zone->dialog_buckets[hash & (zone->sh->nbuckets - 1)];
         i != NGX_IMS_NONE;
         i = sh->next)
    {
        sh = &zone->dialogs[i];

        if (sh->web_hash == hash && sh->far_hash == far
            && sh->binding == binding->index
            && zone->bindings[sh->binding].seq == binding->seq
            && ngx_ims_zone_equal(zone, &sh->call_id, call_id))
        {
            *last = sh->cseq_down ? sh->cseq_down - sh->offset_down : 0;
            *up = sh->originated;
            *early = (sh->state == NGX_IMS_DIALOG_EARLY);
            rc = NGX_OK;
            break;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


void
ngx_ims_dialog_passed(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t up, uint32_t cseq)
{
    ngx_ims_dialog_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_dialog_sh(pool, &d->ref);

    if (sh != NULL) {
        if (up) {
            sh->cseq_up = ngx_max(sh->cseq_up, cseq);

        } else {
            sh->cseq_down = ngx_max(sh->cseq_down, cseq);
        }
    }

    ngx_ims_zone_unlock(&pool->zone);
}
