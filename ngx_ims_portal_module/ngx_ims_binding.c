/*
 * Copyright (C) the IMS portal authors
 *
 * Bindings in the zone, and the flow tokens that name them.
 */


#include "ngx_ims_binding_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


static void ngx_ims_binding_mac(ngx_ims_pool_t *pool, u_char *token,
    u_char *out);
static uint32_t ngx_ims_binding_new(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *instance);


ngx_int_t
ngx_ims_binding_get(ngx_ims_pool_t *pool, uint32_t lease, u_char *instance,
    uint32_t devices, uint32_t rights, ngx_ims_owner_t *owner,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *before)
{
    uint32_t               i;
    ngx_int_t              rc;
    ngx_ims_zone_t        *zone;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;

    ngx_ims_zone_lock(zone);

    l = &zone->leases[lease];

    /* given back by another worker since the caller leased it */

    if (l->state != NGX_IMS_LEASE_LEASED) {
        rc = NGX_ERROR;
        goto done;
    }

    l->devices = devices;
    l->rights = rights;

    for (i = l->bindings; i != NGX_IMS_NONE; i = zone->bindings[i].next) {
        if (ngx_memcmp(zone->bindings[i].instance, instance,
                       NGX_IMS_DIGEST_LEN)
            == 0)
        {
            break;
        }
    }

    rc = NGX_OK;

    if (i == NGX_IMS_NONE) {

        if (l->nbindings >= (devices ? devices : pool->devices)) {
            rc = NGX_BUSY;
            goto done;
        }

        i = ngx_ims_binding_new(pool, lease, instance);
        if (i == NGX_IMS_NONE) {
            rc = NGX_ERROR;
            goto done;
        }
    }

    b = &zone->bindings[i];

    if (!ngx_ims_owner_equal(&b->owner, owner)) {
        b->calling = 0;
    }

    *before = b->owner;
    b->owner = *owner;
    b->lost = 0;
    b->reap = 0;

    ref->index = i;
    ref->seq = b->seq;

done:

    ngx_ims_zone_unlock(zone);

    return rc;
}


/* one more record of a lease, or NGX_IMS_NONE; the zone is locked */

static uint32_t
ngx_ims_binding_new(ngx_ims_pool_t *pool, uint32_t lease, u_char *instance)
{
    uint32_t               i;
    ngx_ims_zone_t        *zone;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    l = &zone->leases[lease];

    i = ngx_ims_zone_take_binding(zone);
    if (i == NGX_IMS_NONE) {
        return NGX_IMS_NONE;
    }

    b = &zone->bindings[i];
    b->lease = lease;
    b->dialogs = NGX_IMS_NONE;
    b->since = ngx_time();
    ngx_memcpy(b->instance, instance, NGX_IMS_DIGEST_LEN);

    if (ngx_ims_pool_keep(pool, lease, &b->identity) != NGX_OK) {
        ngx_ims_zone_free_binding(zone, i);
        return NGX_IMS_NONE;
    }

    b->next = l->bindings;

    ngx_memory_barrier();
    b->state = NGX_IMS_BINDING_IDLE;

    l->bindings = i;
    l->nbindings++;

    return i;
}


uint32_t
ngx_ims_binding_rights(ngx_ims_pool_t *pool, uint32_t lease)
{
    return pool->zone.leases[lease].rights;
}


ngx_int_t
ngx_ims_binding_block(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref)
{
    uint32_t               i;
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;

    ngx_ims_zone_lock(zone);

    i = zone->sh->block;

    if (i == NGX_IMS_NONE) {
        i = ngx_ims_zone_take_binding(zone);

        if (i == NGX_IMS_NONE) {
            ngx_ims_zone_unlock(zone);
            return NGX_ERROR;
        }

        b = &zone->bindings[i];
        b->lease = NGX_IMS_LEASE_BLOCK;
        b->next = NGX_IMS_NONE;
        b->dialogs = NGX_IMS_NONE;

        ngx_memory_barrier();
        b->state = NGX_IMS_BINDING_IDLE;

        zone->sh->block = i;
    }

    ref->index = i;
    ref->seq = zone->bindings[i].seq;

    ngx_ims_zone_unlock(zone);

    return NGX_OK;
}


ngx_ims_binding_sh_t *
ngx_ims_binding_sh(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref)
{
    ngx_ims_binding_sh_t  *b;

    if (ref->index >= pool->zone.sh->nbindings) {
        return NULL;
    }

    b = &pool->zone.bindings[ref->index];

    if (b->state == NGX_IMS_BINDING_FREE || b->seq != ref->seq) {
        return NULL;
    }

    return b;
}


static u_char *
ngx_ims_binding_copy(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob,
    ngx_str_t *s, u_char *p)
{
    s->data = p;
    s->len = blob->len;

    return ngx_ims_zone_get(zone, blob, p);
}


ngx_int_t
ngx_ims_binding_load(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_binding_t *b, u_char *buf)
{
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *sh;

    zone = &pool->zone;

    ngx_ims_zone_lock(zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh == NULL) {
        ngx_ims_zone_unlock(zone);
        return NGX_DECLINED;
    }

    b->ref = *ref;
    b->state = sh->state;
    b->lease = sh->lease;
    b->cseq = sh->cseq;
    b->ndialogs = sh->ndialogs;
    b->owner = sh->owner;
    b->expires = sh->expires;
    b->registered = sh->registered;
    b->lost = sh->lost;

    buf = ngx_ims_binding_copy(zone, &sh->contact, &b->contact, buf);
    buf = ngx_ims_binding_copy(zone, &sh->service_route, &b->service_route,
                               buf);
    (void) ngx_ims_binding_copy(zone, &sh->associated, &b->associated, buf);

    ngx_ims_zone_unlock(zone);

    return NGX_OK;
}


ngx_int_t
ngx_ims_binding_owner(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL) {
        *owner = sh->owner;
        rc = NGX_OK;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


uint32_t
ngx_ims_binding_cseq(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref)
{
    uint32_t               cseq;
    ngx_ims_binding_sh_t  *sh;

    cseq = 0;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL) {
        cseq = ++sh->cseq;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return cseq;
}


ngx_int_t
ngx_ims_binding_contact(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_str_t *contact)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *sh;

    rc = NGX_ERROR;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL) {
        rc = ngx_ims_zone_put(&pool->zone, &sh->contact, contact);
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


size_t
ngx_ims_binding_associated(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    size_t                 len;
    uint32_t               i;
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    len = 0;

    ngx_ims_zone_lock(zone);

    for (i = zone->leases[lease].bindings; i != NGX_IMS_NONE; i = b->next) {
        b = &zone->bindings[i];

        if (b->state == NGX_IMS_BINDING_REGISTERED && b->associated.len) {
            len = ngx_ims_zone_get(zone, &b->associated, out) - out;
            break;
        }
    }

    ngx_ims_zone_unlock(zone);

    return len;
}


ngx_int_t
ngx_ims_binding_registered(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    time_t expires, ngx_str_t *service_route, ngx_str_t *associated,
    ngx_str_t *granted)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *sh;

    rc = NGX_DECLINED;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL) {
        rc = ngx_ims_zone_put(&pool->zone, &sh->service_route, service_route);

        if (rc == NGX_OK) {
            rc = ngx_ims_zone_put(&pool->zone, &sh->associated, associated);
        }

        if (rc == NGX_OK) {
            rc = ngx_ims_zone_put(&pool->zone, &sh->granted, granted);
        }

        if (rc == NGX_OK) {
            sh->expires = expires;
            sh->registered = ngx_time();
            sh->state = NGX_IMS_BINDING_REGISTERED;
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


ngx_int_t
ngx_ims_binding_features(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_str_t *features)
{
    ngx_int_t              rc;
    ngx_ims_binding_sh_t  *sh;

    rc = NGX_ERROR;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL) {

        if (ngx_ims_zone_equal(&pool->zone, &sh->features, features)) {
            rc = NGX_DECLINED;

        } else {
            rc = ngx_ims_zone_put(&pool->zone, &sh->features, features);
        }
    }

    ngx_ims_zone_unlock(&pool->zone);

    return rc;
}


void
ngx_ims_binding_abilities(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_str_t *features, ngx_str_t *granted, u_char *buf)
{
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *sh;

    ngx_str_null(features);
    ngx_str_null(granted);

    zone = &pool->zone;

    ngx_ims_zone_lock(zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL) {
        buf = ngx_ims_binding_copy(zone, &sh->features, features, buf);
        (void) ngx_ims_binding_copy(zone, &sh->granted, granted, buf);
    }

    ngx_ims_zone_unlock(zone);
}


void
ngx_ims_binding_idle(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref)
{
    ngx_ims_binding_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL) {
        sh->state = NGX_IMS_BINDING_IDLE;
        sh->expires = 0;
    }

    ngx_ims_zone_unlock(&pool->zone);
}


void
ngx_ims_binding_calling(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, ngx_uint_t n)
{
    ngx_ims_binding_sh_t  *sh;

    ngx_ims_zone_lock(&pool->zone);

    sh = ngx_ims_binding_sh(pool, ref);

    if (sh != NULL && ngx_ims_owner_equal(&sh->owner, owner)) {
        sh->calling = n;
    }

    ngx_ims_zone_unlock(&pool->zone);
}


/* what the MAC covers is the whole token before it */

static void
ngx_ims_binding_mac(ngx_ims_pool_t *pool, u_char *token, u_char *out)
{
    u_char        md[EVP_MAX_MD_SIZE];
    unsigned int  len;

    len = 0;

    (void) HMAC(EVP_sha256(), pool->zone.sh->secret,
                sizeof(pool->zone.sh->secret), token,
                NGX_IMS_TOKEN_LEN - 16, md, &len);

    (void) ngx_hex_dump(out, md, 8);
}


void
ngx_ims_binding_token(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref, u_char *out)
{
    (void) ngx_sprintf(out, "b%08xD%08xD%08xD", pool->crc, ref->index,
                       ref->seq);

    ngx_ims_binding_mac(pool, out, out + NGX_IMS_TOKEN_LEN - 16);
}


static ngx_int_t
ngx_ims_binding_hex(u_char *p, uint32_t *n)
{
    ngx_int_t  value;

    value = ngx_hextoi(p, 8);

    if (value == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *n = (uint32_t) value;

    return NGX_OK;
}


ngx_int_t
ngx_ims_binding_token_pool(ngx_ims_str_t *token, uint32_t *crc)
{
    if (token->len != NGX_IMS_TOKEN_LEN
        || (token->data[0] != 'b' && token->data[0] != 'l'))
    {
        return NGX_DECLINED;
    }

    return ngx_ims_binding_hex(token->data + 1, crc);
}


void
ngx_ims_binding_lease_token(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    (void) ngx_sprintf(out, "l%08xD%08xD%08xD", pool->crc, lease, (uint32_t) 0);

    ngx_ims_binding_mac(pool, out, out + NGX_IMS_TOKEN_LEN - 16);
}


ngx_int_t
ngx_ims_binding_lease_check(ngx_ims_pool_t *pool, ngx_ims_str_t *token,
    uint32_t *lease)
{
    u_char  mac[16];

    if (token->len != NGX_IMS_TOKEN_LEN || token->data[0] != 'l') {
        return NGX_DECLINED;
    }

    ngx_ims_binding_mac(pool, token->data, mac);

    if (CRYPTO_memcmp(mac, token->data + NGX_IMS_TOKEN_LEN - 16, 16) != 0
        || ngx_ims_binding_hex(token->data + 9, lease) != NGX_OK
        || *lease >= pool->zone.sh->nleases)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_ims_binding_list(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_ref_t *refs, ngx_uint_t max)
{
    uint32_t               i;
    ngx_uint_t             n, k, away;
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *b;

    zone = &pool->zone;
    n = 0;
    away = 0;

    ngx_ims_zone_lock(zone);

again:

    for (i = zone->leases[lease].bindings; i != NGX_IMS_NONE; i = b->next) {
        b = &zone->bindings[i];

        if (b->state != NGX_IMS_BINDING_REGISTERED
            || (b->owner.pid == 0) != away
            || b->expires <= ngx_time() || n == max)
        {
            continue;
        }

        for (k = n++; k > 0 && refs[k - 1].index > i; k--) {
            refs[k] = refs[k - 1];
        }

        refs[k].index = i;
        refs[k].seq = b->seq;
    }

    if (n == 0 && !away) {
        away = 1;
        goto again;
    }

    ngx_ims_zone_unlock(zone);

    return n;
}


ngx_int_t
ngx_ims_binding_token_ref(ngx_ims_str_t *token, ngx_ims_ref_t *ref)
{
    return token->len == NGX_IMS_TOKEN_LEN && token->data[0] == 'b'
           && ngx_ims_binding_hex(token->data + 9, &ref->index) == NGX_OK
           && ngx_ims_binding_hex(token->data + 17, &ref->seq) == NGX_OK
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_ims_binding_token_check(ngx_ims_pool_t *pool, ngx_ims_str_t *token,
    ngx_ims_ref_t *ref)
{
    u_char  mac[16];

    if (ngx_ims_binding_token_ref(token, ref) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_ims_binding_mac(pool, token->data, mac);

    if (CRYPTO_memcmp(mac, token->data + NGX_IMS_TOKEN_LEN - 16, 16) != 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
