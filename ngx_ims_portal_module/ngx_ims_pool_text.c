/*
 * Copyright (C) the IMS portal authors
 *
 * The texts of identities: public and private ones, and the SIP form of
 * numbers.  No timers.
 */


#include "ngx_ims_pool_int.h"
#include "ngx_ims_pool_list.h"


static u_char *ngx_ims_pool_digits(u_char *p, ngx_ims_block_t *block,
    ngx_uint_t number);
static ngx_ims_block_t *ngx_ims_pool_line(ngx_ims_pool_t *pool,
    uint32_t lease, u_char *impu, size_t len);


ngx_ims_block_t *
ngx_ims_pool_block(ngx_ims_pool_t *pool, ngx_uint_t identity,
    ngx_uint_t *number)
{
    ngx_uint_t        low, high, mid;
    ngx_ims_block_t  *block;

    if (identity >= pool->total) {
        return NULL;
    }

    block = pool->blocks.elts;

    /* the last one that does not begin behind it */

    for (low = 0, high = pool->blocks.nelts; high - low > 1; /* void */ ) {
        mid = (low + high) / 2;

        if (block[mid].before <= identity) {
            low = mid;

        } else {
            high = mid;
        }
    }

    *number = block[low].first + identity - block[low].before;

    return &block[low];
}


static u_char *
ngx_ims_pool_digits(u_char *p, ngx_ims_block_t *block, ngx_uint_t number)
{
    ngx_uint_t  i;

    for (i = block->width; i > 0; i--) {
        p[i - 1] = '0' + number % 10;
        number /= 10;
    }

    return p + block->width;
}


size_t
ngx_ims_pool_text(ngx_ims_pool_t *pool, ngx_uint_t identity, u_char *out)
{
    u_char           *p;
    ngx_str_t         impu, impi;
    ngx_uint_t        number;
    ngx_ims_block_t  *block;

    block = ngx_ims_pool_block(pool, identity, &number);
    if (block == NULL) {
        return 0;
    }

    if (block->list) {
        ngx_ims_pool_list_get(block->list, number, &impu, &impi);
        ngx_memcpy(out, impu.data, impu.len);
        return impu.len;
    }

    p = ngx_cpymem(out, block->prefix.data, block->prefix.len);
    p = ngx_ims_pool_digits(p, block, number);

    if (block->suffix.len) {
        p = ngx_cpymem(p, block->suffix.data, block->suffix.len);
    }

    return p - out;
}


size_t
ngx_ims_pool_text_key(ngx_ims_pool_t *pool, ngx_uint_t identity, u_char *out)
{
    u_char           *p;
    ngx_str_t         impu, impi;
    ngx_uint_t        number;
    ngx_ims_block_t  *block;

    block = ngx_ims_pool_block(pool, identity, &number);
    if (block == NULL) {
        return 0;
    }

    if (block->list) {
        ngx_ims_pool_list_get(block->list, number, &impu, &impi);
        return ngx_ims_pool_key(&impu, out);
    }

    p = ngx_cpymem(out, block->key_prefix.data, block->key_prefix.len);
    p = ngx_ims_pool_digits(p, block, number);

    if (block->key_suffix.len) {
        p = ngx_cpymem(p, block->key_suffix.data, block->key_suffix.len);
    }

    return p - out;
}


size_t
ngx_ims_pool_impu(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    uint32_t  number;

    if (lease == NGX_IMS_LEASE_BLOCK) {
        ngx_memcpy(out, pool->block.impu.data, pool->block.impu.len);
        return pool->block.impu.len;
    }

    if (lease >= pool->zone.sh->nleases) {
        return 0;
    }

    number = ngx_ims_pool_number_of(pool, lease);

    if (number == NGX_IMS_NONE) {
        return ngx_ims_pool_kept(pool, lease, 0, out);
    }

    return ngx_ims_pool_text(pool, number, out);
}


size_t
ngx_ims_pool_impi(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    u_char            text[NGX_IMS_MAX_IMPU];
    uint32_t          identity;
    ngx_str_t         own, impi;
    ngx_uint_t        number;
    ngx_ims_str_t     impu;
    ngx_ims_block_t  *block;

    if (lease == NGX_IMS_LEASE_BLOCK) {
        ngx_memcpy(out, pool->block.impi.data, pool->block.impi.len);
        return pool->block.impi.len;
    }

    if (lease >= pool->zone.sh->nleases) {
        return 0;
    }

    identity = ngx_ims_pool_number_of(pool, lease);

    if (identity == NGX_IMS_NONE) {
        return ngx_ims_pool_kept(pool, lease, 1, out);
    }

    number = 0;
    block = ngx_ims_pool_block(pool, identity, &number);

    if (block == NULL) {
        return 0;
    }

    if (block->list) {
        ngx_ims_pool_list_get(block->list, number, &own, &impi);

        if (impi.len) {
            ngx_memcpy(out, impi.data, impi.len);
            return impi.len;
        }
    }

    impu.data = text;
    impu.len = ngx_ims_pool_text(pool, identity, text);

    return ngx_ims_pool_template(block, &impu, number, out);
}


size_t
ngx_ims_pool_template(ngx_ims_block_t *block, ngx_ims_str_t *impu,
    ngx_uint_t number, u_char *out)
{
    u_char             *p, *s, *end;
    size_t              n;
    ngx_ims_sip_uri_t   uri;

    if (impu->len == 0 || ngx_ims_sip_parse_uri(impu, &uri) != NGX_IMS_OK) {
        return 0;
    }

    s = block->impi.data;
    end = s + block->impi.len;

    for (p = out; s < end; /* void */ ) {

        n = end - s;

        if (p - out + n + uri.user.len + uri.host.len + block->width
            > NGX_IMS_MAX_IMPU)
        {
            return 0;
        }

        if (n >= 5 && ngx_strncmp(s, "$user", 5) == 0) {
            p = ngx_cpymem(p, uri.user.data, uri.user.len);
            s += 5;

        } else if (n >= 5 && ngx_strncmp(s, "$host", 5) == 0) {
            p = ngx_cpymem(p, uri.host.data, uri.host.len);
            s += 5;

        } else if (n >= 7 && ngx_strncmp(s, "$number", 7) == 0) {
            p = ngx_ims_pool_digits(p, block, number);
            s += 7;

        } else {
            *p++ = *s++;
        }
    }

    return p - out;
}


/* the line that an identity is of */

static ngx_ims_block_t *
ngx_ims_pool_line(ngx_ims_pool_t *pool, uint32_t lease, u_char *impu,
    size_t len)
{
    u_char         key[NGX_IMS_MAX_IMPU];
    uint32_t       identity;
    ngx_uint_t     number;
    ngx_ims_str_t  uri;

    identity = ngx_ims_pool_number_of(pool, lease);

    if (identity != NGX_IMS_NONE) {
        return ngx_ims_pool_block(pool, identity, &number);
    }

    uri.data = impu;
    uri.len = len;

    return ngx_ims_pool_claim_block(pool, key, ngx_ims_pool_key(&uri, key));
}


size_t
ngx_ims_pool_alias(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    u_char           *p, impu[NGX_IMS_MAX_IMPU], key[NGX_IMS_MAX_IMPU];
    size_t            len, n;
    ngx_ims_str_t     uri;
    ngx_ims_block_t  *block;

    if (lease >= pool->zone.sh->nleases) {
        return 0;
    }

    len = ngx_ims_pool_impu(pool, lease, impu);

    if (len < 5 || ngx_strncasecmp(impu, (u_char *) "tel:+", 5) != 0) {
        return 0;
    }

    block = ngx_ims_pool_line(pool, lease, impu, len);

    if (block == NULL || block->alias.len == 0) {
        return 0;
    }

    uri.data = impu;
    uri.len = len;
    n = ngx_ims_pool_key(&uri, key);

    if (n < 5 || n + block->alias.len + sizeof("@;user=phone")
                 > NGX_IMS_MAX_IMPU)
    {
        return 0;
    }

    p = ngx_cpymem(out, "sip:", 4);
    p = ngx_cpymem(p, key + 4, n - 4);
    *p++ = '@';
    p = ngx_cpymem(p, block->alias.data, block->alias.len);
    p = ngx_cpymem(p, ";user=phone", 11);

    return p - out;
}


ngx_uint_t
ngx_ims_pool_owns(ngx_ims_pool_t *pool, uint32_t lease, ngx_ims_str_t *uri)
{
    u_char         text[NGX_IMS_MAX_IMPU];
    ngx_ims_str_t  own;

    own.data = text;
    own.len = ngx_ims_pool_impu(pool, lease, text);

    if (own.len && ngx_ims_sip_uri_equal(uri, &own)) {
        return 1;
    }

    own.len = ngx_ims_pool_alias(pool, lease, text);

    return own.len && ngx_ims_sip_uri_equal(uri, &own);
}
