/*
 * Copyright (C) the IMS portal authors
 *
 * What the session API tells a page: who it is, where it connects, and with
 * what (docs/session-api.md).
 */


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_lease.h"


static u_char *ngx_http_ims_ice(u_char *p, u_char *last,
    ngx_http_ims_loc_conf_t *ilcf);
static u_char *ngx_http_ims_aliases(u_char *p, u_char *last,
    ngx_str_t *associated, ngx_str_t *impu, ngx_str_t *alias);
static ngx_uint_t ngx_http_ims_same(ngx_str_t *a, ngx_str_t *b);
static u_char *ngx_http_ims_websocket(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, uint32_t lease, u_char *p, u_char *last);


ngx_int_t
ngx_http_ims_api_session(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, uint32_t lease, ngx_uint_t status)
{
    u_char      *p, *last, *start, *impu;
    size_t       size;
    time_t       expires, leased;
    u_char       sip[NGX_IMS_MAX_IMPU];
    ngx_str_t   *url, associated, alias, ticket;
    ngx_uint_t   i;

    url = ilcf->ice_servers ? ilcf->ice_servers->elts : NULL;

    associated.data = ngx_pnalloc(r->pool, NGX_IMS_MAX_BLOB);
    if (associated.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    associated.len = ngx_ims_binding_associated(ilcf->session_pool, lease,
                                                associated.data);

    alias.data = sip;
    alias.len = ngx_ims_pool_alias(ilcf->session_pool, lease, sip);

    size = 1024 + NGX_IMS_MAX_IMPU * 18 + ctx->user.len * 6
           + associated.len * 6
           + ilcf->session_pool->core->home_domain.len * 6
           + ilcf->websocket.len * 6
           + (r->headers_in.host ? r->headers_in.host->value.len * 6 : 0);

    for (i = 0; ilcf->ice_servers && i < ilcf->ice_servers->nelts; i++) {
        size += url[i].len * 6 + 4;
    }

    size += ngx_http_ims_turn_size(ilcf);

    start = ngx_pnalloc(r->pool, size);
    impu = ngx_pnalloc(r->pool, NGX_IMS_MAX_IMPU);

    if (start == NULL || impu == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_ims_ticket_give(r, ilcf, ctx, &ticket) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = start + size;

    ctx->impu.data = impu;
    ctx->impu.len = ngx_ims_pool_impu(ilcf->session_pool, lease, impu);

    expires = ctx->token.grant.expires;
    leased = ilcf->session_pool->zone.leases[lease].expires;

    p = ngx_slprintf(start, last, "{\"identity\":");
    p = ngx_http_ims_json(p, last, &ctx->impu);
    p = ngx_slprintf(p, last, ",\"aliases\":");
    p = ngx_http_ims_aliases(p, last, &associated, &ctx->impu, &alias);
    p = ngx_slprintf(p, last, ",\"domain\":");
    p = ngx_http_ims_json(p, last, &ilcf->session_pool->core->home_domain);
    p = ngx_slprintf(p, last, ",\"user\":");
    p = ngx_http_ims_json(p, last, &ctx->user);
    p = ngx_slprintf(p, last, ",\"websocket\":");
    p = ngx_http_ims_websocket(r, ilcf, lease, p, last);
    p = ngx_slprintf(p, last, ",\"expires\":%T,\"expires_in\":%T,"
                     "\"lease_expires\":%T,\"ice_servers\":[", expires,
                     ngx_max(expires - ngx_time(), 0), leased);

    p = ngx_http_ims_ice(p, last, ilcf);
    p = ngx_http_ims_turn_write(r, ilcf, ctx, p, last);

    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_slprintf(p, last, "]");

    if (ticket.len) {
        p = ngx_slprintf(p, last, ",\"ticket\":\"%V\","
                         "\"ticket_expires_in\":%T", &ticket, ilcf->ticket);
    }

    p = ngx_slprintf(p, last, "}\n");

    return ngx_http_ims_send(r, status, "application/json", start, p - start);
}


/* servers that need no credentials: one entry */

static u_char *
ngx_http_ims_ice(u_char *p, u_char *last, ngx_http_ims_loc_conf_t *ilcf)
{
    ngx_str_t   *url;
    ngx_uint_t   i;

    if (ilcf->ice_servers == NULL) {
        return p;
    }

    url = ilcf->ice_servers->elts;

    for (i = 0; i < ilcf->ice_servers->nelts; i++) {
        p = ngx_slprintf(p, last, i == 0 ? "{\"urls\":[" : ",");
        p = ngx_http_ims_json(p, last, &url[i]);
    }

    return ngx_slprintf(p, last, "]}");
}


/*
 * What else the user is: as configured, and what the core said, which is known
 * while she is registered.
 */

static u_char *
ngx_http_ims_aliases(u_char *p, u_char *last, ngx_str_t *associated,
    ngx_str_t *impu, ngx_str_t *alias)
{
    u_char      *pos, *end, *start;
    ngx_str_t    uri;
    ngx_uint_t   n;

    n = 0;
    end = associated->data + associated->len;

    p = ngx_slprintf(p, last, "[");

    if (alias->len) {
        p = ngx_http_ims_json(p, last, alias);
        n++;
    }

    for (pos = associated->data; pos < end; pos = uri.data + uri.len) {

        start = ngx_strlchr(pos, end, '<');
        pos = start ? ngx_strlchr(start, end, '>') : NULL;

        if (pos == NULL) {
            break;
        }

        uri.data = start + 1;
        uri.len = pos - uri.data;

        if (ngx_http_ims_same(&uri, impu) || ngx_http_ims_same(&uri, alias)) {
            continue;
        }

        if (n++) {
            p = ngx_slprintf(p, last, ",");
        }

        p = ngx_http_ims_json(p, last, &uri);
    }

    return ngx_slprintf(p, last, "]");
}


static ngx_uint_t
ngx_http_ims_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}


/* of the host that has the user's calls; else of this one */

static u_char *
ngx_http_ims_websocket(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    uint32_t lease, u_char *p, u_char *last)
{
    u_char     *start, there[255];
    ngx_str_t   url;
    ngx_uint_t  tls;

    ngx_ims_lease_websocket(ilcf->session_pool, lease, &url, there);

    if (url.len) {
        return ngx_http_ims_json(p, last, &url);
    }

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
