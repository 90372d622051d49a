/*
 * Copyright (C) the IMS portal authors
 *
 * The session API (docs/session-api.md): POST leases an identity, GET reads it.
 * Answers are JSON, errors problem details (RFC 9457).
 */


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_lease.h"
#include "ngx_ims_renew.h"


static ngx_int_t ngx_http_ims_api_lease(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx);
static ngx_int_t ngx_http_ims_api_session(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, uint32_t lease,
    ngx_uint_t status);
static u_char *ngx_http_ims_aliases(u_char *p, u_char *last,
    ngx_str_t *associated, ngx_str_t *impu);
static u_char *ngx_http_ims_websocket(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, u_char *p, u_char *last);


ngx_int_t
ngx_http_ims_api(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    uint32_t    lease;
    ngx_int_t   rc;
    ngx_str_t   value;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        ngx_str_set(&value, "GET, HEAD, POST");

        if (ngx_http_ims_header(r, "Allow", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_ims_problem(r, 405, NULL);
    }

    /* a cookie goes along with a form of a foreign page: it must not lease */

    if (ngx_http_ims_origin(r, ilcf) != NGX_OK) {
        ngx_str_set(&ctx->error, "foreign origin");
        return ngx_http_ims_problem(r, 403, &ctx->error);
    }

    rc = ngx_http_ims_verify(r, ilcf, ctx);

    if (rc == NGX_AGAIN || rc == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    if (rc != NGX_OK) {
        return ngx_http_ims_problem(r, rc == NGX_DECLINED ? 401 : rc,
                                    &ctx->error);
    }

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_ims_api_lease(r, ilcf, ctx);
    }

    if (ngx_ims_pool_find(ilcf->session_pool, ctx->token.grant.ids.user,
                          &lease)
        != NGX_OK)
    {
        ngx_str_set(&ctx->error, "no identity is leased");
        return ngx_http_ims_problem(r, 404, &ctx->error);
    }

    return ngx_http_ims_api_session(r, ilcf, ctx, lease, 200);
}


static ngx_int_t
ngx_http_ims_api_lease(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    uint32_t           lease;
    ngx_int_t          rc;
    ngx_uint_t         fresh;
    ngx_ims_pool_t    *pool;
    ngx_ims_want_t     want;
    ngx_ims_waiter_t   waiter;

    pool = ilcf->session_pool;

    ngx_ims_grant_want(&ctx->token.grant, &want);
    ngx_http_ims_waiter(r, ctx, &waiter);

    rc = ngx_ims_lease_get(pool, &want, &waiter, &lease, &fresh,
                           r->connection->log);

    switch (rc) {

    case NGX_OK:
        (void) ngx_ims_renew_user(pool, &ctx->token.grant);

        return ngx_http_ims_api_session(r, ilcf, ctx, lease,
                                        fresh ? 201 : 200);

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_DECLINED:
        ngx_str_set(&ctx->error, "the identity is not allowed");
        return ngx_http_ims_problem(r, 403, &ctx->error);

    case NGX_ABORT:
        ngx_str_set(&ctx->error, "the identity is taken");
        return ngx_http_ims_problem(r, 409, &ctx->error);

    case NGX_BUSY:
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "IMPU pool \"%V\" is exhausted", &pool->name);

        ngx_str_set(&ctx->error, "all identities are taken");
        break;

    default:
        ngx_str_set(&ctx->error, "identities cannot be leased now");
        break;
    }

    if (ngx_http_ims_retry_after(r, ngx_ims_lease_retry_after(pool, rc))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ims_problem(r, 503, &ctx->error);
}


static ngx_int_t
ngx_http_ims_api_session(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, uint32_t lease, ngx_uint_t status)
{
    u_char      *p, *last, *start, *impu;
    size_t       size;
    time_t       expires;
    ngx_str_t   *url, associated;
    ngx_uint_t   i;

    url = ilcf->ice_servers ? ilcf->ice_servers->elts : NULL;

    associated.data = ngx_pnalloc(r->pool, NGX_IMS_MAX_BLOB);
    if (associated.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    associated.len = ngx_ims_binding_associated(ilcf->session_pool, lease,
                                                associated.data);

    size = 1024 + NGX_IMS_MAX_IMPU * 6 + ctx->user.len * 6
           + associated.len * 6
           + ilcf->session_pool->core->home_domain.len * 6
           + ilcf->websocket.len * 6
           + (r->headers_in.host ? r->headers_in.host->value.len * 6 : 0);

    for (i = 0; ilcf->ice_servers && i < ilcf->ice_servers->nelts; i++) {
        size += url[i].len * 6 + 4;
    }

    start = ngx_pnalloc(r->pool, size);
    impu = ngx_pnalloc(r->pool, NGX_IMS_MAX_IMPU);

    if (start == NULL || impu == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = start + size;

    ctx->impu.data = impu;
    ctx->impu.len = ngx_ims_pool_impu(ilcf->session_pool, lease, impu);

    expires = ctx->token.grant.expires;

    p = ngx_slprintf(start, last, "{\"identity\":");
    p = ngx_http_ims_json(p, last, &ctx->impu);
    p = ngx_slprintf(p, last, ",\"aliases\":");
    p = ngx_http_ims_aliases(p, last, &associated, &ctx->impu);
    p = ngx_slprintf(p, last, ",\"domain\":");
    p = ngx_http_ims_json(p, last, &ilcf->session_pool->core->home_domain);
    p = ngx_slprintf(p, last, ",\"user\":");
    p = ngx_http_ims_json(p, last, &ctx->user);
    p = ngx_slprintf(p, last, ",\"websocket\":");
    p = ngx_http_ims_websocket(r, ilcf, p, last);
    p = ngx_slprintf(p, last, ",\"expires\":%T,\"expires_in\":%T,"
                     "\"ice_servers\":[", expires,
                     ngx_max(expires - ngx_time(), 0));

    for (i = 0; ilcf->ice_servers && i < ilcf->ice_servers->nelts; i++) {
        p = ngx_slprintf(p, last, i == 0 ? "{\"urls\":[" : ",");
        p = ngx_http_ims_json(p, last, &url[i]);
    }

    p = ngx_slprintf(p, last, i ? "]}]}" "\n" : "]}" "\n");

    return ngx_http_ims_send(r, status, "application/json", start, p - start);
}


/* what the core said the user is, too; known while she is registered */

static u_char *
ngx_http_ims_aliases(u_char *p, u_char *last, ngx_str_t *associated,
    ngx_str_t *impu)
{
    u_char      *pos, *end, *start;
    ngx_str_t    uri;
    ngx_uint_t   n;

    n = 0;
    end = associated->data + associated->len;

    p = ngx_slprintf(p, last, "[");

    for (pos = associated->data; pos < end; pos = uri.data + uri.len) {

        start = ngx_strlchr(pos, end, '<');
        pos = start ? ngx_strlchr(start, end, '>') : NULL;

        if (pos == NULL) {
            break;
        }

        uri.data = start + 1;
        uri.len = pos - uri.data;

        if (uri.len == impu->len
            && ngx_strncmp(uri.data, impu->data, uri.len) == 0)
        {
            continue;
        }

        if (n++) {
            p = ngx_slprintf(p, last, ",");
        }

        p = ngx_http_ims_json(p, last, &uri);
    }

    return ngx_slprintf(p, last, "]");
}


static u_char *
ngx_http_ims_websocket(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    u_char *p, u_char *last)
{
    u_char     *start;
    ngx_str_t   url;
    ngx_uint_t  tls;

    if (ilcf->websocket.data[0] != '/') {
        return ngx_http_ims_json(p, last, &ilcf->websocket);
    }

    tls = 0;

#if (NGX_HTTP_SSL)
    tls = (r->connection->ssl != NULL);
#endif

    start = ngx_pnalloc(r->pool, 8 + ilcf->websocket.len
                                 + (r->headers_in.host
                                    ? r->headers_in.host->value.len : 0));
    if (start == NULL) {
        return p;
    }

    url.data = start;
    url.len = ngx_sprintf(start, "%s://%V%V", tls ? "wss" : "ws",
                          r->headers_in.host ? &r->headers_in.host->value
                                             : &r->headers_in.server,
                          &ilcf->websocket)
              - start;

    return ngx_http_ims_json(p, last, &url);
}
