/*
 * Copyright (C) the IMS portal authors
 *
 * Answers in JSON, and problem details (RFC 9457).
 */


#include "ngx_http_ims_portal_module.h"


typedef struct {
    ngx_uint_t                status;
    const char               *title;
} ngx_http_ims_title_t;


static const char *ngx_http_ims_title(ngx_uint_t status);


static ngx_http_ims_title_t  ngx_http_ims_titles[] = {
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 409, "Conflict" },
    { 411, "Length Required" },
    { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" },
    { 429, "Too Many Requests" },
    { 503, "Service Unavailable" },
    { 0, NULL }
};


/* a JSON string (RFC 8259 7) */

u_char *
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


static const char *
ngx_http_ims_title(ngx_uint_t status)
{
    ngx_http_ims_title_t  *t;

    for (t = ngx_http_ims_titles; t->status; t++) {
        if (t->status == status) {
            return t->title;
        }
    }

    return "Error";
}


ngx_int_t
ngx_http_ims_problem_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *detail, ngx_str_t *text)
{
    u_char      *p, *last;
    size_t       size;
    const char  *title;

    title = ngx_http_ims_title(status);

    size = 256 + (detail ? detail->len * 6 : 0);

    text->data = ngx_pnalloc(r->pool, size);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    last = text->data + size;

    p = ngx_slprintf(text->data, last, "{\"type\":\"about:blank\","
                     "\"title\":\"%s\",\"status\":%ui", title, status);

    if (detail != NULL && detail->len) {
        p = ngx_slprintf(p, last, ",\"detail\":");
        p = ngx_http_ims_json(p, last, detail);
    }

    p = ngx_slprintf(p, last, "}\n");

    text->len = p - text->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_problem(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *detail)
{
    ngx_str_t            text;
    ngx_http_ims_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ims_portal_module);

    if (ngx_http_ims_problem_text(r, status, detail, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx != NULL) {
        ctx->problem = 1;
    }

    return ngx_http_ims_send(r, status, "application/problem+json", text.data,
                             text.len);
}


ngx_int_t
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


ngx_int_t
ngx_http_ims_no_content(ngx_http_request_t *r)
{
    ngx_str_t  value;

    ngx_str_set(&value, "no-store");

    if (ngx_http_ims_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_ims_retry_after(ngx_http_request_t *r, time_t after)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%T", after) - p;

    return ngx_http_ims_header(r, "Retry-After", &value);
}
