/*
 * Copyright (C) the IMS portal authors
 *
 * From the text of an identity to its entry.  The blocks are few, and a number
 * in one is an index; lists of files and what tokens name have tables.
 */


#include "ngx_ims_pool_int.h"
#include "ngx_ims_pool_list.h"


static ngx_int_t ngx_ims_pool_member(ngx_ims_block_t *block, u_char *key,
    size_t len, uint32_t *number);


uint32_t
ngx_ims_pool_number(ngx_ims_pool_t *pool, u_char *key, size_t len)
{
    uint32_t          number;
    ngx_uint_t        i;
    ngx_ims_block_t  *block;

    block = pool->blocks.elts;

    for (i = 0; len && i < pool->blocks.nelts; i++) {

        switch (block[i].kind) {

        case NGX_IMS_BLOCK_RANGE:
            if (ngx_ims_pool_member(&block[i], key, len, &number) == NGX_OK) {
                return block[i].before + number;
            }

            break;

        case NGX_IMS_BLOCK_LIST:
            number = ngx_ims_pool_list_find(block[i].list, key, len);

            if (number != NGX_IMS_NONE) {
                return block[i].before + number;
            }

            break;
        }
    }

    return NGX_IMS_NONE;
}


ngx_int_t
ngx_ims_pool_identity(ngx_ims_pool_t *pool, ngx_ims_str_t *uri,
    uint32_t *lease)
{
    u_char    key[NGX_IMS_MAX_IMPU];
    size_t    len;
    uint32_t  number, i;
    uint64_t  hash;

    len = ngx_ims_pool_key(uri, key);

    number = ngx_ims_pool_number(pool, key, len);

    if (number != NGX_IMS_NONE) {
        *lease = pool->lease_of[number];
        return NGX_OK;
    }

    if (ngx_ims_pool_claim_block(pool, key, len) == NULL) {
        return NGX_DECLINED;
    }

    hash = ngx_ims_pool_claim_hash(pool, key, len);

    ngx_ims_zone_lock(&pool->zone);

    i = ngx_ims_pool_claim_find(pool, hash, key, len);

    if (i != NGX_IMS_NONE
        && pool->zone.leases[i].state != NGX_IMS_LEASE_LEASED)
    {
        i = NGX_IMS_NONE;
    }

    ngx_ims_zone_unlock(&pool->zone);

    *lease = i;

    return i == NGX_IMS_NONE ? NGX_DECLINED : NGX_OK;
}


/* the number that a key has in a block, from 0 */

static ngx_int_t
ngx_ims_pool_member(ngx_ims_block_t *block, u_char *key, size_t len,
    uint32_t *number)
{
    u_char     *p, *last;
    ngx_uint_t  n;

    if (len != block->key_prefix.len + block->width + block->key_suffix.len
        || ngx_memcmp(key, block->key_prefix.data, block->key_prefix.len) != 0
        || ngx_memcmp(key + len - block->key_suffix.len,
                      block->key_suffix.data, block->key_suffix.len)
           != 0)
    {
        return NGX_DECLINED;
    }

    p = key + block->key_prefix.len;
    last = p + block->width;

    for (n = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_DECLINED;
        }

        n = n * 10 + (*p - '0');
    }

    if (n < block->first || n - block->first >= block->count) {
        return NGX_DECLINED;
    }

    *number = (uint32_t) (n - block->first);

    return NGX_OK;
}
