/*
 * Copyright (C) the IMS portal authors
 *
 * The session API (docs/session-api.md): POST leases an identity, GET reads it.
 * Answers are JSON, errors problem details (RFC 9457).
 */


#include "ngx_http_ims_portal_module.h"


static ngx_int_t ngx_http_ims_api_session(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, uint32_t lease,
    ngx_uint_t status);
static u_char *ngx_http_ims_json(u_char *p, u_char *last, ngx_str_t *s);
static u_char *ngx_http_ims_aliases(u_char *p, u_char *last,
    ngx_str_t *associated, ngx_str_t *impu);
static u_char *ngx_http_ims_websocket(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, u_char *p, u_char *last);
static ngx_int_t ngx_http_ims_problem(ngx_http_request_t *r,
    ngx_uint_t status, const char *title, ngx_str_t *detail);
static ngx_int_t ngx_http_ims_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, u_char *p, size_t len);


ngx_int_t
ngx_http_ims_api(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    u_char          user[NGX_IMS_DIGEST_LEN], *p;
    uint32_t        lease;
    ngx_int_t       rc;
    ngx_str_t       value;
    ngx_uint_t      fresh;
    ngx_ims_str_t   issuer, subject;
    ngx_ims_pool_t *pool;

    pool = ilcf->session_pool;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        ngx_str_set(&value, "GET, HEAD, POST");

        if (ngx_http_ims_header(r, "Allow", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_ims_problem(r, 405, "Method Not Allowed", NULL);
    }

    /* a cookie goes along with a form of a foreign page: it must not lease */

    if (ngx_http_ims_origin(r, ilcf) != NGX_OK) {
        ngx_str_set(&ctx->error, "foreign origin");
        return ngx_http_ims_problem(r, 403, "Forbidden", &ctx->error);
    }

    rc = ngx_http_ims_verify(r, ilcf, ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        if (ngx_http_ims_challenge(r, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_ims_problem(r, 401, "Unauthorized", &ctx->error);
    }

    issuer = ngx_ims_jwt_issuer(ctx->jwt);
    subject = ngx_ims_jwt_subject(ctx->jwt);
    ngx_ims_pool_user(&issuer, &subject, user);

    if (r->method != NGX_HTTP_POST) {

        if (ngx_ims_pool_find(pool, user, &lease) != NGX_OK) {
            ngx_str_set(&ctx->error, "no identity is leased");
            return ngx_http_ims_problem(r, 404, "Not Found", &ctx->error);
        }

        return ngx_http_ims_api_session(r, ilcf, ctx, lease, 200);
    }

    rc = ngx_ims_pool_lease(pool, user, &lease, &fresh, r->connection->log);

    if (rc == NGX_OK) {
        return ngx_http_ims_api_session(r, ilcf, ctx, lease,
                                        fresh ? 201 : 200);
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "IMPU pool \"%V\" is exhausted", &pool->name);

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%T", ngx_ims_pool_retry_after(pool)) - p;

    if (ngx_http_ims_header(r, "Retry-After", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&ctx->error, "all identities are taken");

    return ngx_http_ims_problem(r, 503, "Service Unavailable", &ctx->error);
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

    expires = ngx_ims_jwt_expires(ctx->jwt);

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


/* a JSON string (RFC 8259 7) */

static u_char *
ngx_http_ims_json(u_char *p, u_char *last, ngx_str_t *s)
{
    size_t  n;

    n = ngx_escape_json(NULL, s->data, s->len) + s->len;

    if ((size_t) (last - p) < n + 2) {
        return p;
    }

    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, s->data, s->len);
    *p++ = '"';

    return p;
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


static ngx_int_t
ngx_http_ims_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *title, ngx_str_t *detail)
{
    u_char  *p, *start, *last;
    size_t   size;

    size = 256 + (detail ? detail->len * 6 : 0);

    start = ngx_pnalloc(r->pool, size);
    if (start == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = start + size;

    p = ngx_slprintf(start, last, "{\"type\":\"about:blank\","
                     "\"title\":\"%s\",\"status\":%ui", title, status);

    if (detail != NULL && detail->len) {
        p = ngx_slprintf(p, last, ",\"detail\":");
        p = ngx_http_ims_json(p, last, detail);
    }

    p = ngx_slprintf(p, last, "}\n");

    return ngx_http_ims_send(r, status, "application/problem+json", start,
                             p - start);
}


static ngx_int_t
ngx_http_ims_send(ngx_http_request_t *r, ngx_uint_t status, const char *type,
    u_char *p, size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_str_t     value;
    ngx_chain_t   out;

    ngx_str_set(&value, "no-store");

    if (ngx_http_ims_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = p;
    b->last = p + len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
