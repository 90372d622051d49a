/*
 * Copyright (C) the IMS portal authors
 *
 * The "identity" lines of a pool: a URI with a range of numbers in it, or where
 * else its identities are, and the template of the private ones.
 */


#include "ngx_ims_pool_int.h"


/* the parameters of a line */
typedef struct {
    ngx_str_t                 impi;
    ngx_str_t                 alias;
    ngx_str_t                 file;
    ngx_str_t                 claim;
    ngx_str_t                 domain;
    ngx_uint_t                subdomains;
} ngx_ims_pool_line_t;


static ngx_int_t ngx_ims_pool_params(ngx_conf_t *cf, ngx_str_t *args,
    ngx_uint_t n, ngx_ims_pool_line_t *line);
static char *ngx_ims_pool_add_range(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_ims_block_t *block, ngx_str_t *value);
static ngx_int_t ngx_ims_pool_parse_range(ngx_str_t *value,
    ngx_ims_block_t *block);
static ngx_int_t ngx_ims_pool_range_key(ngx_pool_t *mem,
    ngx_ims_block_t *block);
static size_t ngx_ims_pool_range_sample(ngx_ims_block_t *block, u_char digit,
    u_char *out);


char *
ngx_ims_pool_add_block(ngx_conf_t *cf, ngx_ims_pool_t *pool, ngx_str_t *args,
    ngx_uint_t n)
{
    char                 *rv;
    ngx_ims_block_t      *block;
    ngx_ims_pool_line_t   line;

    if (ngx_ims_pool_params(cf, args, n, &line) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    block = ngx_array_push(&pool->blocks);
    if (block == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(block, sizeof(ngx_ims_block_t));

    block->impi = line.impi;
    block->alias = line.alias;
    block->subdomains = line.subdomains;
    block->before = pool->total;

    if (line.file.len) {
        rv = ngx_ims_pool_add_list(cf, pool, block, &line.file);

    } else if (line.claim.len) {
        rv = ngx_ims_pool_add_domain(cf, pool, block, &line.claim,
                                     &line.domain);

    } else if (ngx_strlchr(args[0].data, args[0].data + args[0].len, '!')) {
        rv = ngx_ims_pool_add_wildcard(cf, block, &args[0]);

    } else {
        rv = ngx_ims_pool_add_range(cf, pool, block, &args[0]);
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    /* $number is of a range */

    if (block->width == 0
        && ngx_strnstr(block->impi.data, "$number", block->impi.len) != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity\" \"%V\" has no range, so \"impi\" "
                           "cannot have \"$number\"", &args[0]);
        return NGX_CONF_ERROR;
    }

    if (pool->total > NGX_IMS_MAX_IDENTITIES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d identities in \"ims_portal_pool\"",
                           NGX_IMS_MAX_IDENTITIES);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* 1 when an argument is "name=value" */

static ngx_uint_t
ngx_ims_pool_param(ngx_str_t *arg, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len <= len + 1 || ngx_strncmp(arg->data, name, len) != 0
        || arg->data[len] != '=')
    {
        return 0;
    }

    value->data = arg->data + len + 1;
    value->len = arg->len - len - 1;

    return 1;
}


static ngx_int_t
ngx_ims_pool_params(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t n,
    ngx_ims_pool_line_t *line)
{
    ngx_uint_t  i, ok;

    ngx_memzero(line, sizeof(ngx_ims_pool_line_t));
    ngx_str_set(&line->impi, "$user@$host");

    for (i = 0; i < n; i++) {

        ok = ngx_ims_pool_param(&args[i], "impi", &line->impi);

        if (i == 0) {
            ok = 1;

            if (!ngx_ims_pool_param(&args[i], "file", &line->file)) {
                (void) ngx_ims_pool_param(&args[i], "claim", &line->claim);
            }

        } else if (line->claim.len) {
            ok |= ngx_ims_pool_param(&args[i], "domain", &line->domain);

            if (ngx_strcmp(args[i].data, "subdomains") == 0) {
                line->subdomains = 1;
                ok = 1;
            }

        } else {
            ok |= ngx_ims_pool_param(&args[i], "alias", &line->alias);
        }

        if (!ok) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"identity\"",
                               &args[i]);
            return NGX_ERROR;
        }
    }

    if (!ngx_ims_pool_impi_safe(&line->impi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid impi \"%V\" in \"identity\": "
                           "it has the form \"user@realm\"", &line->impi);
        return NGX_ERROR;
    }

    if (line->alias.len && !ngx_ims_pool_domain_safe(&line->alias)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid alias \"%V\" in \"identity\": "
                           "it is a domain", &line->alias);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_ims_pool_add_range(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_ims_block_t *block, ngx_str_t *value)
{
    u_char              text[NGX_IMS_MAX_IMPU];
    ngx_str_t           first;
    ngx_ims_str_t       uri;
    ngx_ims_sip_uri_t   u;

    if (ngx_ims_pool_parse_range(value, block) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid range in \"identity\" \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (block->prefix.len + block->width + block->suffix.len
        > NGX_IMS_MAX_IMPU)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity\" \"%V\" is too long", value);
        return NGX_CONF_ERROR;
    }

    pool->total += block->count;

    first.data = text;
    first.len = ngx_ims_pool_text(pool, block->before, text);

    if (!ngx_ims_pool_impu_safe(&first)
        || ngx_ims_pool_range_key(cf->pool, block) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI in \"identity\" \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    uri.data = text;
    uri.len = first.len;

    (void) ngx_ims_sip_parse_uri(&uri, &u);

    if (u.host.len == 0
        && ngx_strnstr(block->impi.data, "$host", block->impi.len) != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity\" \"%V\" has no host, it needs "
                           "\"impi\" without \"$host\"", value);
        return NGX_CONF_ERROR;
    }

    if (block->alias.len && ngx_strncmp(text, "tel:+", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"alias\" of \"identity\" \"%V\", which is no "
                           "global number \"tel:+\"", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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


/* the key with one digit in place of all of the range */

static size_t
ngx_ims_pool_range_sample(ngx_ims_block_t *block, u_char digit, u_char *out)
{
    u_char         text[NGX_IMS_MAX_IMPU], *p;
    ngx_ims_str_t  uri;

    p = ngx_cpymem(text, block->prefix.data, block->prefix.len);

    ngx_memset(p, digit, block->width);
    p += block->width;

    if (block->suffix.len) {
        p = ngx_cpymem(p, block->suffix.data, block->suffix.len);
    }

    uri.data = text;
    uri.len = p - text;

    return ngx_ims_pool_key(&uri, out);
}


/* what two keys with other digits have in common is what is around them */

static ngx_int_t
ngx_ims_pool_range_key(ngx_pool_t *mem, ngx_ims_block_t *block)
{
    u_char  *p, zeros[NGX_IMS_MAX_IMPU], nines[NGX_IMS_MAX_IMPU];
    size_t   len, i, n;

    len = ngx_ims_pool_range_sample(block, '0', zeros);
    n = ngx_ims_pool_range_sample(block, '9', nines);

    if (len == 0 || len != n || len < block->width) {
        return NGX_ERROR;
    }

    for (i = 0; i < len && zeros[i] == nines[i]; i++) { /* void */ }

    if (block->width == 0) {
        i = len;
    }

    for (n = i; n < len && zeros[n] == '0' && nines[n] == '9'; n++) {
        /* void */
    }

    if (n - i != block->width
        || ngx_memcmp(zeros + n, nines + n, len - n) != 0)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(mem, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, zeros, len);

    block->key_prefix.data = p;
    block->key_prefix.len = i;
    block->key_suffix.data = p + n;
    block->key_suffix.len = len - n;

    return NGX_OK;
}
