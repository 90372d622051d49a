/*
 * Copyright (C) the IMS portal authors
 *
 * The "identity" lines of a pool: a URI with a range of numbers in it, and the
 * template of its private identities.
 */


#include "ngx_ims_pool.h"


static ngx_int_t ngx_ims_pool_parse_range(ngx_str_t *value,
    ngx_ims_block_t *block);


char *
ngx_ims_pool_add_block(ngx_conf_t *cf, ngx_ims_pool_t *pool, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_str_t           impi;
    ngx_uint_t          i;
    ngx_ims_str_t       uri;
    ngx_ims_block_t    *block;
    ngx_ims_sip_uri_t   u;
    u_char              text[NGX_IMS_MAX_IMPU];

    ngx_str_set(&impi, "$user@$host");

    for (i = 1; i < n; i++) {

        if (args[i].len > 5 && ngx_strncmp(args[i].data, "impi=", 5) == 0) {
            impi.data = args[i].data + 5;
            impi.len = args[i].len - 5;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"identity\"",
                           &args[i]);
        return NGX_CONF_ERROR;
    }

    if (!ngx_ims_pool_impi_safe(&impi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid impi \"%V\" in \"identity\": "
                           "it has the form \"user@realm\"", &impi);
        return NGX_CONF_ERROR;
    }

    block = ngx_array_push(&pool->blocks);
    if (block == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(block, sizeof(ngx_ims_block_t));

    block->impi = impi;

    if (ngx_ims_pool_parse_range(&args[0], block) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid range in \"identity\" \"%V\"", &args[0]);
        return NGX_CONF_ERROR;
    }

    if (block->prefix.len + block->width + block->suffix.len
        > NGX_IMS_MAX_IMPU)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity\" \"%V\" is too long", &args[0]);
        return NGX_CONF_ERROR;
    }

    i = pool->total;
    block->before = i;
    pool->total += block->count;

    if (pool->total > NGX_IMS_MAX_IDENTITIES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d identities in \"ims_portal_pool\"",
                           NGX_IMS_MAX_IDENTITIES);
        return NGX_CONF_ERROR;
    }

    uri.data = text;
    uri.len = ngx_ims_pool_text(pool, i, text);

    if (!ngx_ims_sip_uri_safe(&uri)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI in \"identity\" \"%V\"", &args[0]);
        return NGX_CONF_ERROR;
    }

    if (ngx_ims_sip_parse_uri(&uri, &u) == NGX_IMS_OK && u.host.len == 0
        && ngx_strnstr(impi.data, "$host", impi.len) != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity\" \"%V\" has no host, it needs "
                           "\"impi\" without \"$host\"", &args[0]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_ims_pool_impi_safe(ngx_str_t *impi)
{
    size_t  i;

    if (ngx_strlchr(impi->data, impi->data + impi->len, '@') == NULL
        || (impi->len > 4
            && ngx_strncasecmp(impi->data, (u_char *) "sip:", 4) == 0))
    {
        return 0;
    }

    for (i = 0; i < impi->len; i++) {
        if (impi->data[i] <= ' ' || impi->data[i] >= 0x7f
            || ngx_strchr("\"\\<>,;", impi->data[i]) != NULL)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_ims_pool_parse_range(ngx_str_t *value, ngx_ims_block_t *block)
{
    u_char     *p, *dash, *end, *last;
    ngx_int_t   first, count;

    last = value->data + value->len;

    p = ngx_strlchr(value->data, last, '[');

    if (p == NULL) {
        block->prefix = *value;
        block->count = 1;
        return NGX_OK;
    }

    dash = ngx_strlchr(p, last, '-');
    end = ngx_strlchr(p, last, ']');

    if (dash == NULL || end == NULL || dash > end
        || ngx_strlchr(end, last, '[') != NULL)
    {
        return NGX_ERROR;
    }

    first = ngx_atoi(p + 1, dash - p - 1);
    count = ngx_atoi(dash + 1, end - dash - 1);

    if (first == NGX_ERROR || count == NGX_ERROR || count < first
        || count - first >= NGX_IMS_MAX_IDENTITIES
        || dash - p != end - dash)
    {
        return NGX_ERROR;
    }

    block->prefix.data = value->data;
    block->prefix.len = p - value->data;
    block->suffix.data = end + 1;
    block->suffix.len = last - end - 1;
    block->first = first;
    block->count = count - first + 1;
    block->width = dash - p - 1;

    return NGX_OK;
}
