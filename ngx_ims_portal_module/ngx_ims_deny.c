/*
 * Copyright (C) the IMS portal authors
 *
 * The list of revoked tokens.  It is short, so it is looked through; an empty
 * one costs nothing.  No timers: an entry whose time is over is free.
 */


#include "ngx_ims_deny.h"
#include "ngx_ims_deny_file.h"

#include <openssl/sha.h>


static ngx_ims_deny_sh_t *ngx_ims_deny_slot(ngx_ims_zone_t *zone,
    ngx_ims_deny_e kind, u_char *key, time_t now);
static void ngx_ims_deny_reap(ngx_ims_pool_t *pool, u_char *user, time_t now);
static ngx_uint_t ngx_ims_deny_match(ngx_ims_deny_sh_t *d,
    ngx_ims_deny_token_t *token);


void
ngx_ims_deny_key(ngx_ims_str_t *text, u_char *out)
{
    u_char  digest[SHA256_DIGEST_LENGTH];

    SHA256(text->data, text->len, digest);

    ngx_memcpy(out, digest, NGX_IMS_DIGEST_LEN);
}


void
ngx_ims_deny_token(ngx_ims_jwt_t *jwt, ngx_ims_deny_token_t *token)
{
    ngx_ims_str_t  issuer, value;

    ngx_memzero(token, sizeof(ngx_ims_deny_token_t));

    issuer = ngx_ims_jwt_issuer(jwt);
    value = ngx_ims_jwt_subject(jwt);
    ngx_ims_pool_user(&issuer, &value, token->user);
    ngx_ims_deny_key(&value, token->subject);

    if (ngx_ims_jwt_claim(jwt, "jti", &value)) {
        ngx_ims_deny_key(&value, token->jti);
    }

    value = ngx_ims_jwt_kid(jwt);

    if (value.len) {
        ngx_ims_deny_key(&value, token->kid);
    }

    token->issued = ngx_ims_jwt_issued(jwt);
}


ngx_int_t
ngx_ims_deny_add(ngx_ims_pool_t *pool, ngx_ims_deny_e kind, u_char *key,
    time_t before, time_t until)
{
    time_t              now;
    ngx_int_t           rc;
    ngx_str_t           none;
    ngx_ims_zone_t     *zone;
    ngx_ims_deny_sh_t  *d;

    static u_char  nobody[NGX_IMS_DIGEST_LEN];

    zone = &pool->zone;
    now = ngx_time();

    if (kind == NGX_IMS_DENY_ALL) {
        key = nobody;
    }

    ngx_ims_zone_lock(zone);

    d = ngx_ims_deny_slot(zone, kind, key, now);
    rc = NGX_BUSY;

    if (d != NULL && d->kind == kind && d->until > now && until > now) {

        /* a second revocation does not take a part of the first one back */

        d->before = ngx_max(d->before, before);
        d->until = ngx_max(d->until, until);

    } else if (d != NULL) {
        d->kind = NGX_IMS_DENY_FREE;

        ngx_memory_barrier();

        ngx_str_null(&none);
        (void) ngx_ims_zone_put(zone, &d->text, &none);

        ngx_memcpy(d->key, key, NGX_IMS_DIGEST_LEN);
        d->before = before;
        d->until = until;

        ngx_memory_barrier();

        if (until > now) {
            d->kind = kind;
        }
    }

    if (d != NULL) {

        if (until > now && kind == NGX_IMS_DENY_USER) {
            ngx_ims_deny_reap(pool, key, now);
        }

        zone->sh->deny_changed++;
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


/* the entry that it has, else a free one */

static ngx_ims_deny_sh_t *
ngx_ims_deny_slot(ngx_ims_zone_t *zone, ngx_ims_deny_e kind, u_char *key,
    time_t now)
{
    uint32_t            i;
    ngx_ims_deny_sh_t  *d, *spare;

    spare = NULL;

    for (i = 0; i < zone->sh->ndeny; i++) {
        d = &zone->deny[i];

        if (d->kind == kind
            && ngx_memcmp(d->key, key, NGX_IMS_DIGEST_LEN) == 0)
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


static void
ngx_ims_deny_reap(ngx_ims_pool_t *pool, u_char *user, time_t now)
{
    uint32_t               h, i, k;
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;

    ngx_memcpy(&h, user, sizeof(h));

    for (i = zone->user_buckets[h & (zone->sh->nbuckets - 1)];
         i != NGX_IMS_NONE;
         i = zone->leases[i].user_next)
    {
        if (zone->leases[i].state != NGX_IMS_LEASE_LEASED
            || ngx_memcmp(zone->leases[i].user, user, NGX_IMS_DIGEST_LEN)
               != 0)
        {
            continue;
        }

        for (k = zone->leases[i].bindings; k != NGX_IMS_NONE; k = b->next) {
            b = &zone->bindings[k];

            if (b->owner.pid == 0) {
                b->reap = now;
            }
        }
    }
}


ngx_uint_t
ngx_ims_deny_check(ngx_ims_pool_t *pool, ngx_ims_deny_token_t *token)
{
    time_t              now;
    uint32_t            i;
    ngx_uint_t          denied;
    ngx_ims_zone_t     *zone;
    ngx_ims_deny_sh_t  *d;

    zone = &pool->zone;

    if (pool->revoked != NULL
        && ngx_ims_deny_file_check(pool->revoked, token))
    {
        return 1;
    }

    /* nothing was ever revoked here */

    if (zone->sh->deny_changed == 0) {
        return 0;
    }

    now = ngx_time();
    denied = 0;

    ngx_ims_zone_lock(zone);

    for (i = 0; i < zone->sh->ndeny && !denied; i++) {
        d = &zone->deny[i];

        denied = d->kind != NGX_IMS_DENY_FREE && d->until > now
                 && ngx_ims_deny_match(d, token);
    }

    ngx_ims_zone_unlock(zone);

    return denied;
}


/* a token that does not say when it was issued is as old as can be */

static ngx_uint_t
ngx_ims_deny_match(ngx_ims_deny_sh_t *d, ngx_ims_deny_token_t *token)
{
    switch (d->kind) {

    case NGX_IMS_DENY_USER:
        return token->issued <= d->before
               && ngx_memcmp(d->key, token->user, NGX_IMS_DIGEST_LEN) == 0;

    case NGX_IMS_DENY_JTI:
        return ngx_memcmp(d->key, token->jti, NGX_IMS_DIGEST_LEN) == 0;

    case NGX_IMS_DENY_KID:
        return ngx_memcmp(d->key, token->kid, NGX_IMS_DIGEST_LEN) == 0;

    case NGX_IMS_DENY_ALL:
        return token->issued <= d->before;

    default:
        return 0;
    }
}


ngx_uint_t
ngx_ims_deny_count(ngx_ims_pool_t *pool)
{
    time_t      now;
    uint32_t    i;
    ngx_uint_t  n;

    now = ngx_time();
    n = 0;

    ngx_ims_zone_lock(&pool->zone);

    for (i = 0; i < pool->zone.sh->ndeny; i++) {
        n += pool->zone.deny[i].kind != NGX_IMS_DENY_FREE
             && pool->zone.deny[i].kind != NGX_IMS_DENY_BLOCKED
             && pool->zone.deny[i].until > now;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return n;
}
