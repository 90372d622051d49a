/*
 * Copyright (C) the IMS portal authors
 *
 * A token in the query.  It is used where "ims_portal_jwt" names $arg_NAME, and
 * before anything else looks at the request it is taken out of all that nginx
 * logs: the request line, the URI, the arguments, the referrer.
 */


#include "ngx_http_ims_portal_module.h"


/* what is left of a value */
#define NGX_HTTP_IMS_SCRUBBED  "***"


static ngx_int_t ngx_http_ims_query_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_query_log(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_query_scrub(ngx_http_request_t *r,
    ngx_array_t *names);
static ngx_int_t ngx_http_ims_scrub(ngx_http_request_t *r, ngx_str_t *text,
    ngx_str_t *name);
static u_char *ngx_http_ims_scrub_find(u_char *p, ngx_str_t *text,
    ngx_str_t *name);


/* the names of all "$arg_NAME" and "${arg_NAME}" in a string */

ngx_int_t
ngx_http_ims_query_names(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_str_t *text)
{
    u_char                    *p, *last;
    ngx_str_t                 *name, *any;
    ngx_http_ims_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ims_portal_module);

    if (ilcf->queries == NULL) {
        ilcf->queries = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));

        if (ilcf->queries == NULL) {
            return NGX_ERROR;
        }
    }

    last = text->data + text->len;

    for (p = text->data; p < last; /* void */) {

        if (*p++ != '$') {
            continue;
        }

        if (p < last && *p == '{') {
            p++;
        }

        if (last - p <= 4 || ngx_strncasecmp(p, (u_char *) "arg_", 4) != 0) {
            continue;
        }

        name = ngx_array_push(ilcf->queries);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->data = p + 4;

        for (p += 4; p < last && (*p == '_' || (*p >= '0' && *p <= '9')
                                  || ((*p | 0x20) >= 'a'
                                      && (*p | 0x20) <= 'z')); p++)
        {
            /* void */
        }

        name->len = p - name->data;

        /* those of all locations, for requests that do not get to theirs */

        if (imcf->queries == NULL) {
            imcf->queries = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));

            if (imcf->queries == NULL) {
                return NGX_ERROR;
            }
        }

        any = ngx_array_push(imcf->queries);
        if (any == NULL) {
            return NGX_ERROR;
        }

        *any = *name;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_query_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_array_t                *log;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* the last that is entered in this phase is the first that runs */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ims_query_handler;

    /* in this one the first is, and it has to be before those that log */

    log = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    if (ngx_array_push(log) == NULL) {
        return NGX_ERROR;
    }

    h = log->elts;

    for (i = log->nelts - 1; i > 0; i--) {
        h[i] = h[i - 1];
    }

    h[0] = ngx_http_ims_query_log;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_query_handler(ngx_http_request_t *r)
{
    ngx_http_ims_ctx_t       *ctx;
    ngx_http_ims_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ims_portal_module);

    if ((ilcf->pool == NULL && ilcf->session_pool == NULL)
        || ilcf->queries == NULL || ilcf->queries->nelts == 0
        || (r->args.len == 0 && r->headers_in.referer == NULL)
        || r != r->main)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_ims_ctx(r, &ngx_http_ims_portal_module);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->query.data != NULL) {
        return NGX_DECLINED;
    }

    ctx->query.data = ngx_pnalloc(r->pool, r->args.len + 1);
    if (ctx->query.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->args.len) {
        ngx_memcpy(ctx->query.data, r->args.data, r->args.len);
    }

    ctx->query.len = r->args.len;

    return ngx_http_ims_query_scrub(r, ilcf->queries) == NGX_OK
           ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * A request that was answered before its location was known: refused because of
 * its headers, or by what its server says for all; also when that led to an
 * error page, which is a location of its own.
 */

static ngx_int_t
ngx_http_ims_query_log(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_ims_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ims_portal_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if ((clcf->name.len == 0 || r->internal) && r == r->main
        && imcf->queries != NULL)
    {
        (void) ngx_http_ims_query_scrub(r, imcf->queries);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_query_value(ngx_http_request_t *r, ngx_http_ims_ctx_t *ctx,
    ngx_http_complex_value_t *cv, ngx_str_t *value)
{
    ngx_int_t  rc;
    ngx_str_t  args;

    /* for a moment the arguments are as they came */

    args = r->args;

    if (ctx->query.data != NULL) {
        r->args = ctx->query;
    }

    rc = ngx_http_complex_value(r, cv, value);

    r->args = args;

    return rc;
}


static ngx_int_t
ngx_http_ims_query_scrub(ngx_http_request_t *r, ngx_array_t *names)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {

        if (ngx_http_ims_scrub(r, &r->request_line, &name[i]) != NGX_OK
            || ngx_http_ims_scrub(r, &r->unparsed_uri, &name[i]) != NGX_OK
            || ngx_http_ims_scrub(r, &r->args, &name[i]) != NGX_OK
            || (r->headers_in.referer
                && ngx_http_ims_scrub(r, &r->headers_in.referer->value,
                                      &name[i])
                   != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The text without the values of an argument.  What it was is overwritten, too:
 * the four share their bytes, and a variable may have kept a pointer to them.
 */

static ngx_int_t
ngx_http_ims_scrub(ngx_http_request_t *r, ngx_str_t *text, ngx_str_t *name)
{
    u_char      *p, *end, *last, *dst, *start, *from;
    ngx_uint_t   n;

    if (text->data == NULL) {
        return NGX_OK;
    }

    n = 0;

    for (p = text->data;
         (p = ngx_http_ims_scrub_find(p, text, name)) != NULL;
         /* void */)
    {
        n++;
    }

    if (n == 0) {
        return NGX_OK;
    }

    start = ngx_pnalloc(r->pool, text->len
                                 + n * (sizeof(NGX_HTTP_IMS_SCRUBBED) - 1));
    if (start == NULL) {
        return NGX_ERROR;
    }

    dst = start;
    from = text->data;
    last = text->data + text->len;

    for (p = text->data;
         (p = ngx_http_ims_scrub_find(p, text, name)) != NULL;
         p = end)
    {
        dst = ngx_cpymem(dst, from, p - from);

        for (end = p; end < last && *end != '&' && *end != ' ' && *end != '#';
             end++)
        {
            *end = '*';
        }

        if (end > p) {
            dst = ngx_cpymem(dst, NGX_HTTP_IMS_SCRUBBED,
                             sizeof(NGX_HTTP_IMS_SCRUBBED) - 1);
        }

        from = end;
    }

    dst = ngx_cpymem(dst, from, last - from);

    text->data = start;
    text->len = dst - start;

    return NGX_OK;
}


/* where the next value begins; any case, as $arg_NAME reads it */

static u_char *
ngx_http_ims_scrub_find(u_char *p, ngx_str_t *text, ngx_str_t *name)
{
    u_char  *last;

    last = text->data + text->len;

    for (/* void */; last - p > (ssize_t) name->len; p++) {

        if ((p == text->data || p[-1] == '?' || p[-1] == '&')
            && p[name->len] == '='
            && ngx_strncasecmp(p, name->data, name->len) == 0)
        {
            return p + name->len + 1;
        }
    }

    return NULL;
}
