/*
 * Copyright (C) the IMS portal authors
 *
 * Tokens that were verified.  A signature costs 20 to 90 us, its digest 1 us,
 * and a Gm-style client sends its token with each request.
 *
 * No timers: what has expired goes when its place is wanted.
 */


#include "ngx_ims_token.h"

#include <openssl/evp.h>


typedef struct {
    ngx_queue_t               chain;          /* of a bucket */
    ngx_queue_t               used;           /* the last one first */
    u_char                    digest[NGX_IMS_TOKEN_DIGEST];
    ngx_ims_jwt_t            *jwt;
    ngx_ims_jwks_t           *jwks;
    ngx_uint_t                generation;     /* of its keys */
} ngx_ims_token_entry_t;


struct ngx_ims_token_cache_s {
    ngx_uint_t                max;
    ngx_uint_t                n;
    ngx_queue_t               used;
    ngx_uint_t                mask;
    ngx_queue_t              *buckets;
    EVP_MD                   *sha256;
    EVP_MD_CTX               *ctx;
};


static ngx_queue_t *ngx_ims_token_bucket(ngx_ims_token_cache_t *cache,
    u_char *digest);
static void ngx_ims_token_forget(ngx_ims_token_cache_t *cache,
    ngx_ims_token_entry_t *e);
static void ngx_ims_token_cache_free(void *data);


ngx_ims_token_cache_t *
ngx_ims_token_cache(ngx_uint_t max, ngx_pool_t *pool)
{
    ngx_uint_t              i, n;
    ngx_pool_cleanup_t     *cln;
    ngx_ims_token_cache_t  *cache;

    for (n = 16; n < max; n *= 2) { /* void */ }

    cache = ngx_pcalloc(pool, sizeof(ngx_ims_token_cache_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (cache == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_ims_token_cache_free;
    cln->data = cache;

    ngx_queue_init(&cache->used);

    cache->max = max;
    cache->mask = n - 1;
    cache->buckets = ngx_palloc(pool, n * sizeof(ngx_queue_t));

    /* found once: that takes longer than the digest */

    cache->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    cache->ctx = EVP_MD_CTX_new();

    if (cache->buckets == NULL || cache->sha256 == NULL || cache->ctx == NULL)
    {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        ngx_queue_init(&cache->buckets[i]);
    }

    return cache;
}


static void
ngx_ims_token_cache_free(void *data)
{
    ngx_queue_t            *q;
    ngx_ims_token_cache_t  *cache;

    cache = data;

    while (!ngx_queue_empty(&cache->used)) {
        q = ngx_queue_head(&cache->used);
        ngx_ims_token_forget(cache,
                             ngx_queue_data(q, ngx_ims_token_entry_t, used));
    }

    EVP_MD_CTX_free(cache->ctx);
    EVP_MD_free(cache->sha256);
}


ngx_int_t
ngx_ims_token_digest(ngx_ims_token_cache_t *cache, uint32_t rules,
    ngx_ims_str_t *text, u_char *digest)
{
    if (EVP_DigestInit_ex2(cache->ctx, cache->sha256, NULL) != 1
        || EVP_DigestUpdate(cache->ctx, &rules, sizeof(rules)) != 1
        || EVP_DigestUpdate(cache->ctx, text->data, text->len) != 1
        || EVP_DigestFinal_ex(cache->ctx, digest, NULL) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_queue_t *
ngx_ims_token_bucket(ngx_ims_token_cache_t *cache, u_char *digest)
{
    uint32_t  h;

    ngx_memcpy(&h, digest, sizeof(h));

    return &cache->buckets[h & cache->mask];
}


ngx_ims_jwt_t *
ngx_ims_token_find(ngx_ims_token_cache_t *cache, u_char *digest,
    ngx_ims_jwks_t **jwks)
{
    ngx_queue_t            *q, *bucket;
    ngx_ims_token_entry_t  *e;

    bucket = ngx_ims_token_bucket(cache, digest);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_ims_token_entry_t, chain);

        if (ngx_memcmp(e->digest, digest, NGX_IMS_TOKEN_DIGEST) != 0) {
            continue;
        }

        /* that may bring other keys */

        if (ngx_ims_jwks_get(e->jwks, NULL) != NGX_OK
            || e->jwks->generation != e->generation)
        {
            ngx_ims_token_forget(cache, e);
            return NULL;
        }

        ngx_queue_remove(&e->used);
        ngx_queue_insert_head(&cache->used, &e->used);

        *jwks = e->jwks;

        return ngx_ims_jwt_keep(e->jwt);
    }

    return NULL;
}


void
ngx_ims_token_remember(ngx_ims_token_cache_t *cache, u_char *digest,
    ngx_ims_jwt_t *jwt, ngx_ims_jwks_t *jwks, ngx_log_t *log)
{
    ngx_queue_t            *q;
    ngx_ims_token_entry_t  *e;

    if (cache->n == cache->max) {
        q = ngx_queue_last(&cache->used);
        ngx_ims_token_forget(cache,
                             ngx_queue_data(q, ngx_ims_token_entry_t, used));
    }

    e = ngx_alloc(sizeof(ngx_ims_token_entry_t), log);
    if (e == NULL) {
        return;
    }

    ngx_memcpy(e->digest, digest, NGX_IMS_TOKEN_DIGEST);

    e->jwt = ngx_ims_jwt_keep(jwt);
    e->jwks = jwks;
    e->generation = jwks->generation;

    ngx_queue_insert_head(ngx_ims_token_bucket(cache, digest), &e->chain);
    ngx_queue_insert_head(&cache->used, &e->used);

    cache->n++;
}


static void
ngx_ims_token_forget(ngx_ims_token_cache_t *cache, ngx_ims_token_entry_t *e)
{
    ngx_queue_remove(&e->chain);
    ngx_queue_remove(&e->used);

    ngx_ims_jwt_free(e->jwt);
    ngx_free(e);

    cache->n--;
}
