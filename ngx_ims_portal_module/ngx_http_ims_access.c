/*
 * Copyright (C) the IMS portal authors
 *
 * Who a request is from: its token and its Origin.
 */


#include "ngx_http_ims_portal_module.h"


static void ngx_http_ims_free_token(void *data);


ngx_http_ims_ctx_t *
ngx_http_ims_ctx(ngx_http_request_t *r, ngx_module_t *module)
{
    ngx_http_ims_ctx_t  *ctx;

    ctx = r->ctx[module->ctx_index];

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ims_ctx_t));
        r->ctx[module->ctx_index] = ctx;
    }

    return ctx;
}


ngx_int_t
ngx_http_ims_verify(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_ims_str_t              token, user;
    ngx_ims_jwt_check_t        check;
    ngx_ims_deny_token_t       ids;
    ngx_pool_cleanup_t        *cln;
    ngx_ims_jwt_result_e       result;
    ngx_http_complex_value_t  *cv;

    ngx_str_null(&value);
    cv = ilcf->tokens->elts;

    for (i = 0; i < ilcf->tokens->nelts; i++) {

        if (ngx_http_complex_value(r, &cv[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        /* "Authorization: Bearer", and not another scheme (RFC 6750 2.1) */

        if (value.len > 7
            && ngx_strncasecmp(value.data, (u_char *) "Bearer ", 7) == 0)
        {
            value.data += 7;
            value.len -= 7;

            while (value.len && *value.data == ' ') {
                value.data++;
                value.len--;
            }
        }

        /* credentials of another scheme are none for us */

        if (value.len
            && ngx_strlchr(value.data, value.data + value.len, ' ') == NULL)
        {
            break;
        }

        value.len = 0;
    }

    if (value.len == 0) {
        ngx_str_set(&ctx->error, "no token");
        return NGX_DECLINED;
    }

    token.data = value.data;
    token.len = value.len;

    ngx_memzero(&check, sizeof(ngx_ims_jwt_check_t));
    check.keys = ilcf->policy.keys;
    check.issuer = ilcf->policy.issuer;
    check.audience = ilcf->policy.audience;
    check.now = ngx_time();
    check.leeway = ilcf->policy.leeway;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    result = ngx_ims_jwt_verify(&token, &check, &ctx->jwt);

    if (result == NGX_IMS_JWT_NO_MEMORY) {
        return NGX_ERROR;
    }

    if (result != NGX_IMS_JWT_OK) {
        ctx->error.data = (u_char *) ngx_ims_jwt_error(result);
        ctx->error.len = ngx_strlen(ctx->error.data);

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent a token that is refused: %V", &ctx->error);

        return NGX_HTTP_UNAUTHORIZED;
    }

    cln->handler = ngx_http_ims_free_token;
    cln->data = ctx->jwt;

    ngx_ims_deny_token(ctx->jwt, &ids);

    if (ngx_ims_deny_check(ilcf->policy.pool, &ids)) {
        ngx_str_set(&ctx->error, "token is revoked");

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent a token that is refused: %V", &ctx->error);

        return NGX_HTTP_UNAUTHORIZED;
    }

    user = ngx_ims_jwt_subject(ctx->jwt);
    ctx->user = user;

    return NGX_OK;
}


static void
ngx_http_ims_free_token(void *data)
{
    ngx_ims_jwt_free(data);
}


ngx_int_t
ngx_http_ims_challenge(ngx_http_request_t *r, ngx_http_ims_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t   value;

    /* RFC 6750 3.1: no error code when there were no credentials at all */

    if (ngx_strcmp(ctx->error.data, "no token") == 0) {
        ngx_str_set(&value, "Bearer realm=\"ims-portal\"");

    } else {
        p = ngx_pnalloc(r->pool, 128 + ctx->error.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        value.data = p;
        value.len = ngx_sprintf(p, "Bearer realm=\"ims-portal\", "
                                "error=\"invalid_token\", "
                                "error_description=\"%V\"", &ctx->error) - p;
    }

    return ngx_http_ims_header(r, "WWW-Authenticate", &value);
}


ngx_int_t
ngx_http_ims_header(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_origin(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf)
{
    ngx_str_t        *origin, host, scheme;
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    if (ilcf->origins != NULL && ilcf->origins->nelts == 0) {
        return NGX_OK;
    }

    h = ngx_http_ims_request_header(r, "Origin");

    /* not a browser; a browser always sends one with a handshake */

    if (h == NULL) {
        return NGX_OK;
    }

    if (ilcf->origins != NULL) {
        origin = ilcf->origins->elts;

        for (i = 0; i < ilcf->origins->nelts; i++) {
            if (origin[i].len == h->value.len
                && ngx_strncasecmp(origin[i].data, h->value.data,
                                   h->value.len)
                   == 0)
            {
                return NGX_OK;
            }
        }

        goto foreign;
    }

    /* by default the page's own site: what Host says */

    if (r->headers_in.host == NULL) {
        goto foreign;
    }

    host = r->headers_in.host->value;

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https://");

    } else
#endif
    {
        ngx_str_set(&scheme, "http://");
    }

    if (h->value.len == scheme.len + host.len
        && ngx_strncasecmp(h->value.data, scheme.data, scheme.len) == 0
        && ngx_strncasecmp(h->value.data + scheme.len, host.data, host.len)
           == 0)
    {
        return NGX_OK;
    }

foreign:

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent foreign origin \"%V\"", &h->value);

    return NGX_HTTP_FORBIDDEN;
}


ngx_table_elt_t *
ngx_http_ims_request_header(ngx_http_request_t *r, const char *name)
{
    ngx_http_ims_walk_t  walk;

    ngx_memzero(&walk, sizeof(ngx_http_ims_walk_t));

    return ngx_http_ims_next_header(r, name, &walk);
}


ngx_table_elt_t *
ngx_http_ims_next_header(ngx_http_request_t *r, const char *name,
    ngx_http_ims_walk_t *walk)
{
    size_t            len;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    if (walk->part == NULL) {
        walk->part = &r->headers_in.headers.part;
    }

    for ( ;; ) {

        if (walk->i >= walk->part->nelts) {
            if (walk->part->next == NULL) {
                return NULL;
            }

            walk->part = walk->part->next;
            walk->i = 0;
            continue;
        }

        h = walk->part->elts;
        h = &h[walk->i++];

        if (h->key.len == len
            && ngx_strncasecmp(h->key.data, (u_char *) name, len) == 0)
        {
            return h;
        }
    }
}
