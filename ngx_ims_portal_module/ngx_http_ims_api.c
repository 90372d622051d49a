/*
 * Copyright (C) the IMS portal authors
 *
 * The session API (docs/session-api.md): POST leases an identity, PUT renews
 * it, DELETE gives it back, GET reads it.  Errors are problems (RFC 9457).
 */


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_lease.h"
#include "ngx_ims_renew.h"


#define NGX_HTTP_IMS_API_BODY  4096           /* bytes that are read away */


static ngx_int_t ngx_http_ims_api_check(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
static ngx_int_t ngx_http_ims_api_allow(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_api_user(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
static ngx_int_t ngx_http_ims_api_lease(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx);
static ngx_int_t ngx_http_ims_api_fail(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, ngx_int_t rc);


ngx_int_t
ngx_http_ims_api(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    uint32_t           lease;
    ngx_int_t          rc;
    ngx_ims_want_t     want;
    ngx_ims_waiter_t   waiter;

    rc = ngx_http_ims_api_check(r, imcf, ilcf, ctx);

    if (rc != NGX_OK) {
        return rc > NGX_OK && rc != NGX_HTTP_INTERNAL_SERVER_ERROR
               ? ngx_http_ims_problem(r, rc, &ctx->error) : rc;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_ims_api_allow(r);
    }

    rc = ngx_http_ims_api_user(r, imcf, ilcf, ctx);

    if (rc != NGX_OK) {
        return rc > NGX_OK && rc != NGX_HTTP_INTERNAL_SERVER_ERROR
               ? ngx_http_ims_problem(r, rc, &ctx->error) : rc;
    }

    /* POST leases; what else there is needs a lease */

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_ims_api_lease(r, ilcf, ctx);
    }

    ngx_ims_grant_want(&ctx->token.grant, &want);
    ngx_http_ims_waiter(r, ctx, &waiter);

    rc = ngx_ims_lease_find(ilcf->session_pool, &want, &waiter, &lease,
                            r->connection->log);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ngx_str_set(&ctx->error, "no identity is leased");
        return ngx_http_ims_problem(r, 404, &ctx->error);
    }

    if (rc != NGX_OK) {
        return ngx_http_ims_api_fail(r, ilcf, ctx, rc);
    }

    if (r->method == NGX_HTTP_PUT) {
        return ngx_http_ims_api_lease(r, ilcf, ctx);
    }

    if (r->method == NGX_HTTP_DELETE) {
        return ngx_http_ims_api_release(r, ilcf, ctx, lease);
    }

    return ngx_http_ims_api_session(r, ilcf, ctx, lease, 200);
}


/* what is looked at before the token is; NGX_OK, or a status */

static ngx_int_t
ngx_http_ims_api_check(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  allow;

    /* nothing is asked for in a body; a page may send a small one */

    if (r->headers_in.content_length_n > NGX_HTTP_IMS_API_BODY) {
        ngx_str_set(&ctx->error, "a body of more than 4096 bytes");
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (r->headers_in.chunked) {
        ngx_str_set(&ctx->error, "a body without Content-Length");
        return NGX_HTTP_LENGTH_REQUIRED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST|NGX_HTTP_PUT
                       |NGX_HTTP_DELETE|NGX_HTTP_OPTIONS)))
    {
        ngx_str_set(&allow, NGX_HTTP_IMS_API_METHODS);

        return ngx_http_ims_header(r, "Allow", &allow) == NGX_OK
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a request that waited for something is counted once */

    if (!ctx->arrived) {
        rc = ngx_http_ims_limit_arrive(r, imcf, ilcf, ctx);

        if (rc != NGX_OK) {
            return rc;
        }

        ctx->arrived = 1;
    }

    /* a cookie goes along with a form of a foreign page: it must not lease */

    if (ngx_http_ims_origin(r, ilcf) != NGX_OK) {
        ngx_str_set(&ctx->error, "foreign origin");
        return NGX_HTTP_FORBIDDEN;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_api_allow(ngx_http_request_t *r)
{
    ngx_str_t  allow;

    ngx_str_set(&allow, NGX_HTTP_IMS_API_METHODS);

    if (ngx_http_ims_header(r, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ims_no_content(r);
}


/* who it is; NGX_OK, NGX_AGAIN, or a status */

static ngx_int_t
ngx_http_ims_api_user(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_ims_verify(r, ilcf, ctx);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_HTTP_UNAUTHORIZED : rc;
    }

    if (!ctx->counted) {
        rc = ngx_http_ims_limit_session(r, imcf, ilcf, ctx);

        if (rc != NGX_OK) {
            return rc;
        }

        ctx->counted = 1;
    }

    return NGX_OK;
}


/* leases or renews; sockets of the user live as long as the token, too */

static ngx_int_t
ngx_http_ims_api_lease(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    uint32_t           lease;
    ngx_int_t          rc;
    ngx_uint_t         fresh;
    ngx_ims_want_t     want;
    ngx_ims_waiter_t   waiter;

    ngx_ims_grant_want(&ctx->token.grant, &want);
    ngx_http_ims_waiter(r, ctx, &waiter);

    rc = ngx_ims_lease_get(ilcf->session_pool, &want, &waiter, &lease, &fresh,
                           r->connection->log);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_ims_api_fail(r, ilcf, ctx, rc);
    }

    (void) ngx_ims_renew_user(ilcf->session_pool, ilcf->policy.token.wants,
                              &ctx->token.grant);

    return ngx_http_ims_api_session(r, ilcf, ctx, lease, fresh ? 201 : 200);
}


static ngx_int_t
ngx_http_ims_api_fail(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, ngx_int_t rc)
{
    ngx_ims_pool_t  *pool;

    pool = ilcf->session_pool;

    switch (rc) {

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
