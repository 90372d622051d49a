/*
 * Copyright (C) the IMS portal authors
 *
 * The "identity" lines whose identities tokens name: a domain, and wildcarded
 * ones (spec ID-5), with a POSIX extended regular expression between two "!".
 */


#include "ngx_ims_pool_int.h"

#include <regex.h>


enum {
    NGX_IMS_POOL_MAX_REGEX = 128         /* bytes */
};


static const char *ngx_ims_pool_wildcard(ngx_conf_t *cf,
    ngx_ims_block_t *block, ngx_str_t *uri);
static const char *ngx_ims_pool_wildcard_key(ngx_conf_t *cf,
    ngx_ims_block_t *block);
static const char *ngx_ims_pool_regex(ngx_conf_t *cf, ngx_ims_block_t *block,
    u_char *data, size_t len);
static void ngx_ims_pool_regex_free(void *data);


char *
ngx_ims_pool_add_domain(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_ims_block_t *block, ngx_str_t *claim, ngx_str_t *domain)
{
    u_char  *p;

    if (domain->len == 0 || !ngx_ims_pool_domain_safe(domain)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity\" with \"claim\" needs a valid "
                           "\"domain\"");
        return NGX_CONF_ERROR;
    }

    if (pool->identity_claim.len
        && (pool->identity_claim.len != claim->len
            || ngx_strncmp(pool->identity_claim.data, claim->data, claim->len)
               != 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity\" with claim \"%V\", another line has "
                           "\"%V\"", claim, &pool->identity_claim);
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, domain->len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_strlow(p, domain->data, domain->len);

    pool->identity_claim = *claim;

    block->kind = NGX_IMS_BLOCK_DOMAIN;
    block->key_suffix.data = p;
    block->key_suffix.len = domain->len;

    return NGX_CONF_OK;
}


char *
ngx_ims_pool_add_wildcard(ngx_conf_t *cf, ngx_ims_block_t *block,
    ngx_str_t *uri)
{
    const char  *why;

    block->kind = NGX_IMS_BLOCK_WILDCARD;

    why = ngx_ims_pool_wildcard(cf, block, uri);

    if (why == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid wildcarded \"identity\" \"%V\": %s", uri,
                       why);

    return NGX_CONF_ERROR;
}


static const char *
ngx_ims_pool_wildcard(ngx_conf_t *cf, ngx_ims_block_t *block, ngx_str_t *uri)
{
    u_char      *first, *end, *last;
    const char  *why;

    last = uri->data + uri->len;
    first = ngx_strlchr(uri->data, last, '!');
    end = ngx_strlchr(first + 1, last, '!');

    if (end == NULL || ngx_strlchr(end + 1, last, '!') != NULL) {
        return "it has two \"!\"";
    }

    block->prefix.data = uri->data;
    block->prefix.len = first - uri->data;
    block->suffix.data = end + 1;
    block->suffix.len = last - end - 1;

    why = ngx_ims_pool_wildcard_key(cf, block);

    if (why != NULL) {
        return why;
    }

    return ngx_ims_pool_regex(cf, block, first + 1, end - first - 1);
}


/* the fixed parts, as all identities within have them in their keys */

static const char *
ngx_ims_pool_wildcard_key(ngx_conf_t *cf, ngx_ims_block_t *block)
{
    u_char         text[NGX_IMS_MAX_IMPU], key[NGX_IMS_MAX_IMPU], *p;
    size_t         len;
    ngx_uint_t     tel;
    ngx_str_t      sample;
    ngx_ims_str_t  uri;

    if (block->prefix.len + 1 + block->suffix.len > 200) {
        return "it is too long";
    }

    tel = block->prefix.len >= 5
          && ngx_strncasecmp(block->prefix.data, (u_char *) "tel:+", 5) == 0;

    if (tel ? block->suffix.len != 0
            : block->suffix.len == 0 || block->suffix.data[0] != '@')
    {
        return "the expression ends the user part";
    }

    /* a digit is a sample for both */

    p = ngx_cpymem(text, block->prefix.data, block->prefix.len);
    *p++ = '0';

    if (block->suffix.len) {
        p = ngx_cpymem(p, block->suffix.data, block->suffix.len);
    }

    sample.data = text;
    sample.len = p - text;

    uri.data = text;
    uri.len = sample.len;

    len = ngx_ims_pool_key(&uri, key);

    if (len == 0 || !ngx_ims_pool_impu_safe(&sample)
        || ngx_strlchr(text, p, ';') != NULL)
    {
        return "its fixed parts are not of a SIP or tel URI";
    }

    if (tel && ngx_strnstr(block->impi.data, "$host", block->impi.len)) {
        return "it has no host, it needs \"impi\" without \"$host\"";
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return "no memory";
    }

    ngx_memcpy(p, key, len);

    block->key_suffix.len = block->suffix.len;
    block->key_suffix.data = p + len - block->suffix.len;
    block->key_prefix.data = p;
    block->key_prefix.len = len - block->suffix.len - 1;

    return NULL;
}


/*
 * Texts are short, and without back-references the time that one takes is not
 * more than its length times that of the expression.
 */

static const char *
ngx_ims_pool_regex(ngx_conf_t *cf, ngx_ims_block_t *block, u_char *data,
    size_t len)
{
    char                 text[NGX_IMS_POOL_MAX_REGEX + 1];
    size_t               i;
    ngx_pool_cleanup_t  *cln;

    if (len == 0 || len > NGX_IMS_POOL_MAX_REGEX) {
        return "the expression has 1 to 128 characters";
    }

    for (i = 0; i < len; i++) {

        if (data[i] == '{') {
            return "the expression may not have \"{\"";
        }

        if (data[i] == '\\') {
            i++;

            if (i == len || ngx_strchr("^.[$()|*+?{\\]}-/", data[i]) == NULL) {
                return "a \"\\\" in the expression stands before a character "
                       "that is special";
            }
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(regex_t));
    if (cln == NULL) {
        return "no memory";
    }

    block->regex = cln->data;

    ngx_memcpy(text, data, len);
    text[len] = '\0';

    if (regcomp(block->regex, text, REG_EXTENDED) != 0) {
        return "the expression is not a POSIX extended one";
    }

    cln->handler = ngx_ims_pool_regex_free;

    return NULL;
}


static void
ngx_ims_pool_regex_free(void *data)
{
    regfree(data);
}
