/*
 * Copyright (C) the IMS portal authors
 *
 * Who a request is from: its token and its Origin.
 */


#include "ngx_http_ims_portal_module.h"


#define NGX_HTTP_IMS_RETRY  5                 /* s */


static void ngx_http_ims_unwait(void *data);
static ngx_int_t ngx_http_ims_check(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx);
static void ngx_http_ims_free_token(void *data);
static ngx_int_t ngx_http_ims_refused(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx);
static ngx_int_t ngx_http_ims_site(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_challenge(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, const char *code, const char *error);


ngx_http_ims_ctx_t *
ngx_http_ims_ctx(ngx_http_request_t *r, ngx_module_t *module)
{
    ngx_http_ims_ctx_t  *ctx;
    ngx_pool_cleanup_t  *cln;

    ctx = r->ctx[module->ctx_index];

    if (ctx != NULL) {
        return ctx;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ims_ctx_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (ctx == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_ims_unwait;
    cln->data = ctx;

    r->ctx[module->ctx_index] = ctx;

    return ctx;
}


/* a request that ends does not wait any more */

static void
ngx_http_ims_unwait(void *data)
{
    ngx_http_ims_ctx_t  *ctx;

    ctx = data;

    ngx_ims_waiter_cancel(&ctx->waiting);
}


ngx_int_t
ngx_http_ims_verify(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t         rc;
    ngx_ims_token_t  *t;

    /* what a ticket stands for was judged where it was given */

    if (ctx->known && (ctx->judge == NULL
                       || ctx->judge == &ilcf->policy.token))
    {
        return NGX_OK;
    }

    ctx->known = 0;
    t = &ctx->token;

    rc = ngx_http_ims_ticket_take(r, ilcf, ctx);

    if (rc == NGX_OK) {
        ctx->known = 1;
        return NGX_OK;
    }

    if (rc == NGX_DONE) {
        rc = ngx_http_ims_check(r, ilcf, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_ims_required(r, ilcf, &t->status);
        ctx->known = (rc == NGX_OK);

        if (rc == NGX_DECLINED) {
            t->code = (t->status == NGX_HTTP_UNAUTHORIZED)
                      ? "invalid_token" : "insufficient_scope";
            t->error = "token lacks what is required";
        }
    }

    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        return rc;

    case NGX_DONE:
        ngx_str_set(&ctx->error, "no token");

        return ngx_http_ims_challenge(r, ilcf, NULL, NULL) == NGX_OK
               ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;

    case NGX_DECLINED:
        return ngx_http_ims_refused(r, ilcf, ctx);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


ngx_http_ims_ctx_t *
ngx_http_ims_peek(ngx_http_request_t *r, ngx_module_t *module)
{
    ngx_http_ims_ctx_t       *ctx;
    ngx_http_ims_loc_conf_t  *ilcf;

    ilcf = r->loc_conf[module->ctx_index];

    if (ilcf->policy.pool == NULL || ilcf->tokens == NULL) {
        return NULL;
    }

    ctx = ngx_http_ims_ctx(r, module);

    if (ctx == NULL) {
        return NULL;
    }

    if (ctx->token.jwt != NULL && ctx->judge == &ilcf->policy.token) {
        return ctx;
    }

    /* also when the variable that holds the token asks for a claim */

    if (ctx->peeked) {
        return NULL;
    }

    ctx->peeked = 1;

    switch (ngx_http_ims_check(r, ilcf, ctx)) {

    case NGX_OK:
        return ctx;

    case NGX_AGAIN:
        ngx_ims_waiter_cancel(&ctx->waiting);
        return NULL;

    default:
        return NULL;
    }
}


/*
 * The token of a request, once for a location.  NGX_OK, NGX_DONE: there is
 * none; NGX_DECLINED: ctx->token says why; NGX_AGAIN, NGX_ERROR
 */

static ngx_int_t
ngx_http_ims_check(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_ims_waiter_t     waiter;
    ngx_pool_cleanup_t  *cln;

    if (ctx->token.jwt != NULL) {

        if (ctx->judge == &ilcf->policy.token) {
            return NGX_OK;
        }

        ngx_ims_token_free(&ctx->token);
        ngx_str_null(&ctx->user);
    }

    if (ngx_http_ims_token(r, ilcf, ctx, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_DONE;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ims_waiter(r, ctx, &waiter);

    rc = ngx_ims_token_check(&ilcf->policy.token, &value, &waiter,
                             &ctx->token);

    if (rc == NGX_OK) {
        cln->handler = ngx_http_ims_free_token;
        cln->data = &ctx->token;
        ctx->user = ctx->token.grant.subject;
        ctx->judge = &ilcf->policy.token;
    }

    return rc;
}


/*
 * The first that is there; empty: none.  What a page puts among subprotocols is
 * meant for this very socket, while a cookie goes along by itself.
 */

ngx_int_t
ngx_http_ims_token(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, ngx_str_t *value)
{
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    ngx_str_null(value);

    if (ilcf->pool != NULL
        && ngx_http_ims_header_item(r, "Sec-WebSocket-Protocol", "ims-jwt.",
                                    value))
    {
        return NGX_OK;
    }

    cv = ilcf->tokens->elts;

    for (i = 0; i < ilcf->tokens->nelts; i++) {

        if (ngx_http_ims_query_value(r, ctx, &cv[i], value) != NGX_OK) {
            return NGX_ERROR;
        }

        /* "Authorization: Bearer", and not another scheme (RFC 6750 2.1) */

        if (value->len > 7
            && ngx_strncasecmp(value->data, (u_char *) "Bearer ", 7) == 0)
        {
            value->data += 7;
            value->len -= 7;

            while (value->len && *value->data == ' ') {
                value->data++;
                value->len--;
            }
        }

        /* credentials of another scheme are none for us */

        if (value->len
            && ngx_strlchr(value->data, value->data + value->len, ' ')
               == NULL)
        {
            break;
        }

        value->len = 0;
    }

    return NGX_OK;
}


static void
ngx_http_ims_free_token(void *data)
{
    ngx_ims_token_free(data);
}


static ngx_int_t
ngx_http_ims_refused(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t         rc;
    ngx_ims_token_t  *t;

    t = &ctx->token;

    ctx->error.data = (u_char *) t->error;
    ctx->error.len = ngx_strlen(t->error);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent a token that is refused: %s", t->error);

    if (t->status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        rc = ngx_http_ims_retry_after(r, NGX_HTTP_IMS_RETRY);

    } else if (t->status == NGX_HTTP_FORBIDDEN && t->code == NULL) {
        rc = NGX_OK;

    } else {
        rc = ngx_http_ims_challenge(r, ilcf, t->code, t->error);
    }

    return rc == NGX_OK ? (ngx_int_t) t->status
                        : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* RFC 6750 3.1: no error code when there were no credentials at all */

static ngx_int_t
ngx_http_ims_challenge(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    const char *code, const char *error)
{
    u_char     *p;
    ngx_str_t   value, *scope;

    if (code == NULL) {
        ngx_str_set(&value, "Bearer realm=\"ims-portal\"");

    } else {
        scope = &ilcf->claims.scope;

        p = ngx_pnalloc(r->pool, 128 + ngx_strlen(code) + ngx_strlen(error)
                                 + scope->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        value.data = p;
        value.len = ngx_sprintf(p, "Bearer realm=\"ims-portal\", "
                                "error=\"%s\", error_description=\"%s\"",
                                code, error) - p;

        if (scope->len && ngx_strcmp(code, "insufficient_scope") == 0) {
            value.len = ngx_sprintf(p + value.len, ", scope=\"%V\"", scope)
                        - p;
        }
    }

    return ngx_http_ims_header(r, "WWW-Authenticate", &value);
}


/* a browser or a tool left Origin out, but says whose page it is */

static ngx_int_t
ngx_http_ims_site(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS)) {
        return NGX_OK;
    }

    h = ngx_http_ims_request_header(r, "Sec-Fetch-Site");

    if (h == NULL
        || ngx_strcasecmp(h->value.data, (u_char *) "same-origin") == 0
        || ngx_strcasecmp(h->value.data, (u_char *) "none") == 0)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent a request of a foreign page without an origin");

    return NGX_HTTP_FORBIDDEN;
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
        return ngx_http_ims_site(r);
    }

    if (ngx_http_ims_cors_allows(r, ilcf, &h->value)) {
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
