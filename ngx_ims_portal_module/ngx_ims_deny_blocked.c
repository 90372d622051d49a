/*
 * Copyright (C) the IMS portal authors
 *
 * Blocked users.  An entry's text is "subject NUL issuer NUL reason NUL by".
 * No timers: an entry whose time is over is free.
 */


#include "ngx_ims_deny_blocked.h"


static ngx_ims_deny_sh_t *ngx_ims_deny_block_slot(ngx_ims_zone_t *zone,
    u_char *user, time_t now);
static u_char *ngx_ims_deny_block_text(u_char *p, ngx_str_t *text);


ngx_int_t
ngx_ims_deny_block(ngx_ims_pool_t *pool, ngx_ims_blocked_t *b)
{
    u_char              buf[NGX_IMS_BLOCKED_BUFFER], *p;
    ngx_int_t           rc;
    ngx_str_t           text;
    ngx_ims_zone_t     *zone;
    ngx_ims_deny_sh_t  *d;

    zone = &pool->zone;

    p = ngx_ims_deny_block_text(buf, &b->subject);
    p = ngx_ims_deny_block_text(p, &b->issuer);
    p = ngx_ims_deny_block_text(p, &b->reason);
    p = ngx_ims_deny_block_text(p, &b->by);

    text.data = buf;
    text.len = p - 1 - buf;

    b->since = ngx_time();
    rc = NGX_BUSY;

    ngx_ims_zone_lock(zone);

    d = ngx_ims_deny_block_slot(zone, b->user, b->since);

    if (d != NULL) {

        d->kind = NGX_IMS_DENY_FREE;
        ngx_memory_barrier();

        if (ngx_ims_zone_put(zone, &d->text, &text) == NGX_OK) {
            ngx_memcpy(d->key, b->user, NGX_IMS_DIGEST_LEN);
            d->before = b->since;
            d->until = b->until;

            ngx_memory_barrier();
            d->kind = NGX_IMS_DENY_BLOCKED;

            zone->sh->blocked++;
            zone->sh->deny_changed++;
            rc = NGX_OK;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


static u_char *
ngx_ims_deny_block_text(u_char *p, ngx_str_t *text)
{
    if (text->len) {
        p = ngx_cpymem(p, text->data,
                       ngx_min(text->len, NGX_IMS_BLOCKED_TEXT));
    }

    *p++ = '\0';

    return p;
}


/* the entry that he has, else a free one */

static ngx_ims_deny_sh_t *
ngx_ims_deny_block_slot(ngx_ims_zone_t *zone, u_char *user, time_t now)
{
    uint32_t            i;
    ngx_ims_deny_sh_t  *d, *spare;

    spare = NULL;

    for (i = 0; i < zone->sh->ndeny; i++) {
        d = &zone->deny[i];

        if (d->kind == NGX_IMS_DENY_BLOCKED
            && ngx_memcmp(d->key, user, NGX_IMS_DIGEST_LEN) == 0)
        {
            return d;
        }

        if (spare == NULL
            && (d->kind == NGX_IMS_DENY_FREE || d->until <= now))
        {
            spare = d;
        }
    }

    return spare;
}


ngx_int_t
ngx_ims_deny_unblock(ngx_ims_pool_t *pool, u_char *user)
{
    uint32_t            i;
    ngx_int_t           rc;
    ngx_str_t           nobody;
    ngx_ims_zone_t     *zone;
    ngx_ims_deny_sh_t  *d;

    zone = &pool->zone;
    rc = NGX_DECLINED;
    ngx_str_null(&nobody);

    ngx_ims_zone_lock(zone);

    for (i = 0; i < zone->sh->ndeny; i++) {
        d = &zone->deny[i];

        if (d->kind == NGX_IMS_DENY_BLOCKED
            && ngx_memcmp(d->key, user, NGX_IMS_DIGEST_LEN) == 0)
        {
            rc = d->until > ngx_time() ? NGX_OK : NGX_DECLINED;

            d->kind = NGX_IMS_DENY_FREE;
            ngx_memory_barrier();
            (void) ngx_ims_zone_put(zone, &d->text, &nobody);
            break;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


time_t
ngx_ims_deny_blocked(ngx_ims_pool_t *pool, u_char *user)
{
    time_t              until;
    uint32_t            i;
    ngx_ims_zone_t     *zone;
    ngx_ims_deny_sh_t  *d;

    zone = &pool->zone;

    /* nobody was ever blocked here */

    if (zone->sh->blocked == 0) {
        return 0;
    }

    until = 0;

    ngx_ims_zone_lock(zone);

    for (i = 0; i < zone->sh->ndeny; i++) {
        d = &zone->deny[i];

        if (d->kind == NGX_IMS_DENY_BLOCKED
            && ngx_memcmp(d->key, user, NGX_IMS_DIGEST_LEN) == 0)
        {
            until = d->until > ngx_time() ? d->until : 0;
            break;
        }
    }

    ngx_ims_zone_unlock(zone);

    return until;
}


ngx_int_t
ngx_ims_deny_next_block(ngx_ims_pool_t *pool, uint32_t *i,
    ngx_ims_blocked_t *b, u_char *buf)
{
    u_char             *p, *end, *last;
    time_t              now;
    ngx_uint_t          k, found;
    ngx_str_t          *text[4];
    ngx_ims_zone_t     *zone;
    ngx_ims_deny_sh_t  *d;

    zone = &pool->zone;
    now = ngx_time();
    found = 0;
    last = buf;

    if (zone->sh->blocked == 0) {
        return NGX_DONE;
    }

    ngx_ims_zone_lock(zone);

    for (/* void */; *i < zone->sh->ndeny; (*i)++) {
        d = &zone->deny[*i];

        if (d->kind == NGX_IMS_DENY_BLOCKED && d->until > now
            && d->text.len < NGX_IMS_BLOCKED_BUFFER)
        {
            ngx_memcpy(b->user, d->key, NGX_IMS_DIGEST_LEN);
            b->since = d->before;
            b->until = d->until;
            last = ngx_ims_zone_get(zone, &d->text, buf);
            found = 1;
            break;
        }
    }

    ngx_ims_zone_unlock(zone);

    if (!found) {
        return NGX_DONE;
    }

    *last = '\0';

    text[0] = &b->subject;
    text[1] = &b->issuer;
    text[2] = &b->reason;
    text[3] = &b->by;

    for (k = 0, p = buf; k < 4; k++) {
        end = p < last ? ngx_strlchr(p, last, '\0') : NULL;

        if (end == NULL) {
            end = last;
        }

        text[k]->data = p;
        text[k]->len = end - p;

        p = ngx_min(end + 1, last);
    }

    return NGX_OK;
}
