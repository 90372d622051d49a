/*
 * Copyright (C) the IMS portal authors
 *
 * The line "share" of a pool.
 */


#include "ngx_ims_lease_int.h"


static char *ngx_ims_lease_param(ngx_conf_t *cf, ngx_ims_lease_share_t *share,
    ngx_str_t *arg);
static char *ngx_ims_lease_prefix(ngx_conf_t *cf,
    ngx_ims_lease_share_t *share, ngx_str_t *name);
static ngx_uint_t ngx_ims_lease_url(ngx_str_t *url);


char *
ngx_ims_lease_share(ngx_conf_t *cf, ngx_ims_pool_t *pool, ngx_str_t *args,
    ngx_uint_t n)
{
    char                   *rv;
    ngx_str_t               name;
    ngx_uint_t              i;
    ngx_ims_lease_share_t  *share;

    if (pool->share != NULL) {
        return "is duplicate";
    }

    share = ngx_pcalloc(cf->pool, sizeof(ngx_ims_lease_share_t));

    if (share == NULL
        || ngx_array_init(&share->redis.addrs, cf->pool, 2,
                          sizeof(ngx_addr_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    pool->share = share;

    share->redis.timeout = 1000;
    share->hold = 2000;

    for (i = 0; i < n; i++) {

        rv = (ngx_strlchr(args[i].data, args[i].data + args[i].len, '=')
              == NULL
              || ngx_strncmp(args[i].data, "redis", 5) == 0
              || ngx_strncmp(args[i].data, "unix:", 5) == 0)
             ? ngx_ims_redis_url(cf, &share->redis, &args[i])
             : ngx_ims_lease_param(cf, share, &args[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (share->redis.addrs.nelts == 0 && share->redis.path.len == 0) {
        return "needs \"redis://host\" or \"unix:path\"";
    }

    if (share->redis.user.len && share->redis.password.len == 0) {
        return "has a user without a password";
    }

    if (share->prefix.len == 0) {
        name.len = 4 + pool->name.len;
        name.data = ngx_pnalloc(cf->pool, name.len);

        if (name.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_sprintf(name.data, "ims:%V", &pool->name);

        return ngx_ims_lease_prefix(cf, share, &name);
    }

    return NGX_CONF_OK;
}


static char *
ngx_ims_lease_param(ngx_conf_t *cf, ngx_ims_lease_share_t *share,
    ngx_str_t *arg)
{
    u_char      *p;
    ngx_int_t    n;
    ngx_str_t    name, value;
    ngx_msec_t   ms;

    p = ngx_strlchr(arg->data, arg->data + arg->len, '=');

    name.data = arg->data;
    name.len = p - arg->data;
    value.data = p + 1;
    value.len = arg->data + arg->len - value.data;

#define ngx_ims_lease_named(text)                                             \
    (name.len == sizeof(text) - 1                                             \
     && ngx_strncmp(name.data, text, sizeof(text) - 1) == 0)

    if (ngx_ims_lease_named("password_file")) {
        return ngx_ims_redis_password(cf, &share->redis, &value) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_ims_lease_named("prefix")) {
        return ngx_ims_lease_prefix(cf, share, &value);
    }

    if (ngx_ims_lease_named("user") && value.len
        && value.len < NGX_IMS_REDIS_SECRET)
    {
        share->redis.user = value;
        return NGX_CONF_OK;
    }

    if (ngx_ims_lease_named("db")) {
        n = ngx_atoi(value.data, value.len);

        if (n == NGX_ERROR || n > 65535) {
            return "has an invalid number of a database";
        }

        share->redis.db = n;
        return NGX_CONF_OK;
    }

    if (ngx_ims_lease_named("host")) {

        if (!ngx_ims_lease_url(&value)) {
            return "has an invalid \"host\", it is a URL of a WebSocket: "
                   "\"wss://host/path\"";
        }

        share->url = value;
        return NGX_CONF_OK;
    }

    if (ngx_ims_lease_named("timeout") || ngx_ims_lease_named("hold")) {
        ms = ngx_parse_time(&value, 0);

        if (ms == (ngx_msec_t) NGX_ERROR || ms > 60000
            || (name.data[0] == 't' && ms < 10))
        {
            return "has an invalid time, it may be at most 60s";
        }

        if (name.data[0] == 't') {
            share->redis.timeout = ms;

        } else {
            share->hold = ms;
        }

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"share\"", &name);

    return NGX_CONF_ERROR;
}


/* in braces: a cluster puts all keys of the pool into one slot */

static char *
ngx_ims_lease_prefix(ngx_conf_t *cf, ngx_ims_lease_share_t *share,
    ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= ' ' || name->data[i] >= 0x7f
            || name->data[i] == '{' || name->data[i] == '}')
        {
            return "has an invalid \"prefix\"";
        }
    }

    if (name->len == 0 || name->len + 3 > NGX_IMS_LEASE_PREFIX) {
        return "has an invalid \"prefix\"";
    }

    share->prefix.data = ngx_pnalloc(cf->pool, name->len + 3);
    if (share->prefix.data == NULL) {
        return NGX_CONF_ERROR;
    }

    share->prefix.len = ngx_sprintf(share->prefix.data, "{%V}:", name)
                        - share->prefix.data;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_ims_lease_url(ngx_str_t *url)
{
    size_t  i, n;

    n = ngx_strncmp(url->data, "wss://", 6) == 0 ? 6
        : ngx_strncmp(url->data, "ws://", 5) == 0 ? 5 : 0;

    if (n == 0 || url->len <= n || url->len > NGX_IMS_LEASE_URL) {
        return 0;
    }

    for (i = 0; i < url->len; i++) {
        if (url->data[i] <= ' ' || url->data[i] >= 0x7f
            || ngx_strchr("<>\"\\^`{|}", url->data[i]) != NULL)
        {
            return 0;
        }
    }

    return 1;
}
