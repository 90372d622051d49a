/*
 * Copyright (C) the IMS portal authors
 *
 * From the text of an identity to its entry, without a table: the blocks are
 * few, and a number in one is an index.
 */


#include "ngx_ims_pool.h"


static size_t ngx_ims_pool_normal(ngx_ims_str_t *uri, u_char *out);
static ngx_int_t ngx_ims_pool_member(ngx_ims_block_t *block, u_char *text,
    size_t len, ngx_uint_t *number);


ngx_int_t
ngx_ims_pool_identity(ngx_ims_pool_t *pool, ngx_ims_str_t *uri,
    uint32_t *lease)
{
    u_char            text[NGX_IMS_MAX_IMPU], own[NGX_IMS_MAX_IMPU];
    size_t            len;
    ngx_uint_t        i, first, number;
    ngx_ims_str_t     a, b;
    ngx_ims_block_t  *block;

    len = ngx_ims_pool_normal(uri, text);
    if (len == 0) {
        return NGX_DECLINED;
    }

    block = pool->blocks.elts;
    first = 0;

    for (i = 0; i < pool->blocks.nelts; first += block[i++].count) {

        if (ngx_ims_pool_member(&block[i], text, len, &number) != NGX_OK) {
            continue;
        }

        a.data = text;
        a.len = len;
        b.data = own;
        b.len = ngx_ims_pool_text(pool, first + number, own);

        if (ngx_ims_sip_uri_equal(&a, &b)) {
            *lease = pool->lease_of[first + number];
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * "tel:+number" without visual separators, or "sip:user@host" without port and
 * parameters, as identities are written; the length, 0: it is neither.
 */

static size_t
ngx_ims_pool_normal(ngx_ims_str_t *uri, u_char *out)
{
    u_char             *p;
    size_t              i;
    ngx_uint_t          phone;
    ngx_ims_str_t       value;
    ngx_ims_sip_uri_t   u;

    if (ngx_ims_sip_parse_uri(uri, &u) != NGX_IMS_OK || u.user.len == 0
        || u.user.len + u.host.len + 5 > NGX_IMS_MAX_IMPU)
    {
        return 0;
    }

    phone = (u.host.len == 0);

    if (!phone && u.user.data[0] == '+'
        && ngx_ims_sip_param(&u.params, "user", &value)
        && value.len == 5
        && ngx_strncasecmp(value.data, (u_char *) "phone", 5) == 0)
    {
        phone = 1;
    }

    if (!phone) {
        p = ngx_cpymem(out, "sip:", 4);
        p = ngx_cpymem(p, u.user.data, u.user.len);
        *p++ = '@';
        ngx_strlow(p, u.host.data, u.host.len);

        return p + u.host.len - out;
    }

    p = ngx_cpymem(out, "tel:", 4);

    for (i = 0; i < u.user.len; i++) {

        if (ngx_strchr("-.()", u.user.data[i]) == NULL) {
            *p++ = u.user.data[i];
        }
    }

    return p - out;
}


/* the number that text has in a block, from 0, if it can be one of it */

static ngx_int_t
ngx_ims_pool_member(ngx_ims_block_t *block, u_char *text, size_t len,
    ngx_uint_t *number)
{
    ngx_int_t  n;

    if (len != block->prefix.len + block->width + block->suffix.len
        || ngx_strncasecmp(text, block->prefix.data, block->prefix.len) != 0)
    {
        return NGX_DECLINED;
    }

    *number = 0;

    if (block->width == 0) {
        return NGX_OK;
    }

    n = ngx_atoi(text + block->prefix.len, block->width);

    if (n == NGX_ERROR || n < (ngx_int_t) block->first
        || n - block->first >= block->count)
    {
        return NGX_DECLINED;
    }

    *number = n - block->first;

    return NGX_OK;
}
