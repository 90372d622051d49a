/*
 * Copyright (C) the IMS portal authors
 *
 * Identities that tokens name: within a domain, or by a wildcarded identity
 * (spec ID-5).  Their texts are in the zone, in a hash table of keys; since
 * texts come from outside, they are compared, and the hash has a secret.
 */


#include "ngx_ims_pool_int.h"

#include <openssl/sha.h>

#include <regex.h>


static ngx_uint_t ngx_ims_pool_in_domain(ngx_ims_block_t *block, u_char *key,
    size_t len);
static ngx_uint_t ngx_ims_pool_in_wildcard(ngx_ims_block_t *block,
    u_char *key, size_t len);


ngx_uint_t
ngx_ims_pool_claims(ngx_ims_pool_t *pool)
{
    ngx_uint_t        i;
    ngx_ims_block_t  *block;

    block = pool->blocks.elts;

    for (i = 0; i < pool->blocks.nelts; i++) {
        if (block[i].kind >= NGX_IMS_BLOCK_DOMAIN) {
            return 1;
        }
    }

    return 0;
}


ngx_ims_block_t *
ngx_ims_pool_claim_block(ngx_ims_pool_t *pool, u_char *key, size_t len)
{
    ngx_uint_t        i;
    ngx_ims_block_t  *block;

    block = pool->blocks.elts;

    for (i = 0; len && i < pool->blocks.nelts; i++) {

        switch (block[i].kind) {

        case NGX_IMS_BLOCK_DOMAIN:
            if (ngx_ims_pool_in_domain(&block[i], key, len)) {
                return &block[i];
            }

            break;

        case NGX_IMS_BLOCK_WILDCARD:
            if (ngx_ims_pool_in_wildcard(&block[i], key, len)) {
                return &block[i];
            }

            break;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_ims_pool_in_domain(ngx_ims_block_t *block, u_char *key, size_t len)
{
    size_t      n;
    u_char     *host;
    ngx_str_t  *domain;

    host = ngx_strlchr(key, key + len, '@');

    if (host == NULL) {
        return 0;
    }

    host++;
    n = key + len - host;
    domain = &block->key_suffix;

    if (n < domain->len
        || ngx_memcmp(key + len - domain->len, domain->data, domain->len)
           != 0)
    {
        return 0;
    }

    return n == domain->len
           || (block->subdomains && n > domain->len + 1
               && host[n - domain->len - 1] == '.' && host[0] != '.');
}


/* what is between the fixed parts, as a whole */

static ngx_uint_t
ngx_ims_pool_in_wildcard(ngx_ims_block_t *block, u_char *key, size_t len)
{
    size_t       n;
    u_char       text[NGX_IMS_MAX_IMPU + 1];
    ngx_str_t   *prefix, *suffix;
    regmatch_t   m;

    prefix = &block->key_prefix;
    suffix = &block->key_suffix;

    if (len < prefix->len + suffix->len
        || ngx_memcmp(key, prefix->data, prefix->len) != 0
        || ngx_memcmp(key + len - suffix->len, suffix->data, suffix->len)
           != 0)
    {
        return 0;
    }

    n = len - prefix->len - suffix->len;

    ngx_memcpy(text, key + prefix->len, n);
    text[n] = '\0';

    /* the longest match that begins first: all of it, if it can be */

    return ngx_strlchr(text, text + n, '@') == NULL
           && regexec(block->regex, (char *) text, 1, &m, 0) == 0
           && m.rm_so == 0 && (size_t) m.rm_eo == n;
}


ngx_int_t
ngx_ims_pool_claim_target(ngx_ims_pool_t *pool, ngx_str_t *impu,
    ngx_ims_pool_target_t *t)
{
    size_t            n;
    ngx_str_t         impi;
    ngx_ims_str_t     uri;
    ngx_ims_block_t  *block;

    uri.data = impu->data;
    uri.len = impu->len;

    if (!ngx_ims_sip_uri_safe(&uri) || !ngx_ims_pool_impu_safe(impu)) {
        return NGX_DECLINED;
    }

    t->key = ngx_ims_pool_key(&uri, t->kept);
    block = ngx_ims_pool_claim_block(pool, t->kept, t->key);

    if (block == NULL) {
        return NGX_DECLINED;
    }

    /* the key is a URI, too, and goes to the core as the identity */

    uri.data = t->kept;
    uri.len = t->key;

    t->kept[t->key] = ' ';

    impi.data = t->kept + t->key + 1;
    n = ngx_ims_pool_template(block, &uri, 0, impi.data);
    impi.len = n;

    /* nothing but ASCII, and nothing that a header would not take */

    if (n == 0 || !ngx_ims_pool_impi_safe(&impi)) {
        return NGX_DECLINED;
    }

    for (n = 0; n < t->key; n++) {
        if (t->kept[n] <= ' ' || t->kept[n] >= 0x7f) {
            return NGX_DECLINED;
        }
    }

    t->len = t->key + 1 + impi.len;
    t->hash = ngx_ims_pool_claim_hash(pool, t->kept, t->key);
    t->claim = 1;

    return NGX_OK;
}


uint64_t
ngx_ims_pool_claim_hash(ngx_ims_pool_t *pool, u_char *key, size_t len)
{
    u_char    text[32 + NGX_IMS_MAX_IMPU], digest[SHA256_DIGEST_LENGTH];
    uint64_t  hash;

    ngx_memcpy(text, pool->zone.sh->secret, 32);
    ngx_memcpy(text + 32, key, len);

    SHA256(text, 32 + len, digest);

    ngx_memcpy(&hash, digest, sizeof(uint64_t));

    return hash;
}


uint32_t
ngx_ims_pool_claim_find(ngx_ims_pool_t *pool, uint64_t hash, u_char *key,
    size_t len)
{
    u_char               text[NGX_IMS_POOL_KEPT];
    uint32_t             i;
    ngx_ims_zone_t      *zone;
    ngx_ims_lease_sh_t  *l;

    zone = &pool->zone;

    for (i = zone->claim_buckets[hash & (zone->sh->nbuckets - 1)];
         i != NGX_IMS_NONE;
         i = l->claim_next)
    {
        l = &zone->leases[i];

        if (l->identity != hash || l->text.len <= len
            || l->text.len > NGX_IMS_POOL_KEPT)
        {
            continue;
        }

        (void) ngx_ims_zone_get(zone, &l->text, text);

        if (text[len] == ' ' && ngx_memcmp(text, key, len) == 0) {
            return i;
        }
    }

    return NGX_IMS_NONE;
}


uint32_t
ngx_ims_pool_claim_add(ngx_ims_pool_t *pool, ngx_ims_pool_target_t *t)
{
    uint32_t             i, *bucket;
    ngx_str_t            text;
    ngx_ims_lease_sh_t  *l;

    i = pool->zone.sh->unused_head;

    if (i == NGX_IMS_NONE) {
        return i;
    }

    l = &pool->zone.leases[i];

    text.data = t->kept;
    text.len = t->len;

    if (ngx_ims_zone_put(&pool->zone, &l->text, &text) != NGX_OK) {
        return NGX_IMS_NONE;
    }

    l->identity = t->hash;
    l->kind = NGX_IMS_LEASE_CLAIMED;
    l->bindings = NGX_IMS_NONE;
    l->user_next = NGX_IMS_NONE;
    l->removed = 0;
    l->reserved = 0;

    bucket = &pool->zone.claim_buckets[t->hash
                                       & (pool->zone.sh->nbuckets - 1)];
    l->claim_next = *bucket;
    *bucket = i;

    pool->zone.sh->claimed++;

    return i;
}


void
ngx_ims_pool_claim_del(ngx_ims_pool_t *pool, uint32_t i)
{
    uint32_t            *link;
    ngx_ims_lease_sh_t  *l;

    l = &pool->zone.leases[i];

    for (link = &pool->zone.claim_buckets[l->identity
                                          & (pool->zone.sh->nbuckets - 1)];
         *link != NGX_IMS_NONE;
         link = &pool->zone.leases[*link].claim_next)
    {
        if (*link == i) {
            *link = l->claim_next;
            pool->zone.sh->claimed--;
            break;
        }
    }

    l->claim_next = NGX_IMS_NONE;
}
