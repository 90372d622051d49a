/*
 * Copyright (C) the IMS portal authors
 *
 * What nginx itself, or another module, says on a location of the session API
 * (deny, limit_req, auth_basic, a shutdown) becomes a problem in JSON as well:
 * a program that reads answers there need not know HTML.
 */


#include "ngx_http_ims_portal_module.h"


static ngx_int_t ngx_http_ims_filter_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_ims_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_http_module_t  ngx_http_ims_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_ims_filter_init,              /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_ims_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_ims_filter_module_ctx,       /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_ims_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_ims_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_ims_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_header_filter(ngx_http_request_t *r)
{
    ngx_http_ims_ctx_t       *ctx;
    ngx_http_ims_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ims_portal_module);

    if (ilcf->session_pool == NULL || r != r->main
        || r->headers_out.status < NGX_HTTP_BAD_REQUEST)
    {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_ims_ctx(r, &ngx_http_ims_portal_module);

    if (ctx == NULL || ctx->problem) {
        return ngx_http_next_header_filter(r);
    }

    if (ngx_http_ims_problem_text(r, r->headers_out.status, NULL,
                                  &ctx->answer)
        != NGX_OK)
    {
        return ngx_http_next_header_filter(r);
    }

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);

    r->headers_out.content_length_n = ctx->answer.len;
    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.charset.len = 0;

    if (r->headers_out.content_length) {
        r->headers_out.content_length->hash = 0;
        r->headers_out.content_length = NULL;
    }

    return ngx_http_next_header_filter(r);
}


/* the whole answer in the place of the first part of the former one */

static ngx_int_t
ngx_http_ims_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_ims_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ims_portal_module);

    if (ctx == NULL || ctx->answer.len == 0 || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for (/* void */; in != NULL; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }

    if (ctx->answered) {
        return NGX_OK;
    }

    ctx->answered = 1;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ctx->answer.data;
    b->last = b->pos + ctx->answer.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}
