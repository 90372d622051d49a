/*
 * Copyright (C) the IMS portal authors
 *
 * CORS for the session API (Fetch standard 3.2): pages of other origins that
 * the site names may call it.  The answer's headers are set before anything can
 * refuse the request, so that such a page can read errors, too.
 */


#include "ngx_http_ims_portal_module.h"


#define NGX_HTTP_IMS_CORS_AGE  600            /* s */


typedef struct {
    ngx_array_t               origins;        /* ngx_str_t; empty: any */
    ngx_str_t                 age;            /* s */
    unsigned                  credentials:1;
} ngx_http_ims_cors_t;


static ngx_int_t ngx_http_ims_cors_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_ims_cors_listed(ngx_http_ims_cors_t *cors,
    ngx_str_t *origin);
static ngx_int_t ngx_http_ims_cors_answer(ngx_http_request_t *r,
    ngx_http_ims_cors_t *cors, ngx_str_t *origin);
static ngx_int_t ngx_http_ims_cors_preflight(ngx_http_request_t *r,
    ngx_http_ims_cors_t *cors);
static char *ngx_http_ims_cors_age(ngx_str_t *value, time_t *age);
static char *ngx_http_ims_cors_origin(ngx_conf_t *cf,
    ngx_http_ims_cors_t *cors, ngx_str_t *value);


/* ims_portal_cors origin ... [credentials] [max_age=time] */

char *
ngx_http_ims_set_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    char                 *rv;
    time_t                age;
    ngx_str_t            *value;
    ngx_uint_t            i, any;
    ngx_http_ims_cors_t  *cors;

    if (ilcf->cors != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        ilcf->cors = NULL;
        return NGX_CONF_OK;
    }

    cors = ngx_pcalloc(cf->pool, sizeof(ngx_http_ims_cors_t));

    if (cors == NULL
        || ngx_array_init(&cors->origins, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    any = 0;
    age = NGX_HTTP_IMS_CORS_AGE;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "credentials") == 0) {
            cors->credentials = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "any") == 0) {
            any = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "max_age=", 8) == 0) {
            rv = ngx_http_ims_cors_age(&value[i], &age);

        } else {
            rv = ngx_http_ims_cors_origin(cf, cors, &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (any == (cors->origins.nelts != 0)) {
        return "needs origins, or \"any\" and none";
    }

    if (any && cors->credentials) {
        return "must name the origins that get \"credentials\"";
    }

    cors->age.data = ngx_pnalloc(cf->pool, NGX_TIME_T_LEN);
    if (cors->age.data == NULL) {
        return NGX_CONF_ERROR;
    }

    cors->age.len = ngx_sprintf(cors->age.data, "%T", age) - cors->age.data;

    ilcf->cors = cors;

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_cors_age(ngx_str_t *value, time_t *age)
{
    ngx_str_t  text;

    text.data = value->data + 8;
    text.len = value->len - 8;
    *age = ngx_parse_time(&text, 1);

    if (*age == (time_t) NGX_ERROR || *age > 86400) {
        return "has a \"max_age\" that is not between 0 and 1d";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_cors_origin(ngx_conf_t *cf, ngx_http_ims_cors_t *cors,
    ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t  *origin;

    p = (u_char *) ngx_strstr(value->data, "://");

    if (p == NULL || p == value->data || p[3] == '\0'
        || ngx_strchr(p + 3, '/') != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid origin \"%V\" in \"ims_portal_cors\", "
                           "it has the form scheme://host[:port]",
                           value);
        return NGX_CONF_ERROR;
    }

    origin = ngx_array_push(&cors->origins);
    if (origin == NULL) {
        return NGX_CONF_ERROR;
    }

    *origin = *value;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_ims_cors_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ims_cors_handler;

    return NGX_OK;
}


/*
 * A preflight has no credentials: it is answered here, before those who would
 * ask for some (auth_basic, auth_request).
 */

static ngx_int_t
ngx_http_ims_cors_handler(ngx_http_request_t *r)
{
    ngx_str_t                 vary;
    ngx_uint_t                preflight;
    ngx_table_elt_t          *origin;
    ngx_http_ims_ctx_t       *ctx;
    ngx_http_ims_cors_t      *cors;
    ngx_http_ims_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ims_portal_module);
    cors = ilcf->cors;

    if (ilcf->session_pool == NULL || cors == NULL || r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_ims_ctx(r, &ngx_http_ims_portal_module);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->shared) {
        return NGX_DECLINED;
    }

    ctx->shared = 1;

    /* a cache must not show one origin what another one got */

    ngx_str_set(&vary, "Origin");

    if (ngx_http_ims_header(r, "Vary", &vary) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    origin = ngx_http_ims_request_header(r, "Origin");

    preflight = r->method == NGX_HTTP_OPTIONS && origin != NULL
                && ngx_http_ims_request_header(r,
                                               "Access-Control-Request-Method")
                   != NULL;

    if (origin == NULL || !ngx_http_ims_cors_listed(cors, &origin->value)) {

        if (preflight) {
            ngx_str_set(&ctx->error, "foreign origin");
            return ngx_http_ims_problem(r, 403, &ctx->error);
        }

        return NGX_DECLINED;
    }

    if (ngx_http_ims_cors_answer(r, cors, &origin->value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return preflight ? ngx_http_ims_cors_preflight(r, cors) : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_ims_cors_listed(ngx_http_ims_cors_t *cors, ngx_str_t *origin)
{
    ngx_str_t   *listed;
    ngx_uint_t   i;

    listed = cors->origins.elts;

    for (i = 0; i < cors->origins.nelts; i++) {
        if (listed[i].len == origin->len
            && ngx_strncasecmp(listed[i].data, origin->data, origin->len)
               == 0)
        {
            return 1;
        }
    }

    return cors->origins.nelts == 0;
}


static ngx_int_t
ngx_http_ims_cors_answer(ngx_http_request_t *r, ngx_http_ims_cors_t *cors,
    ngx_str_t *origin)
{
    ngx_str_t  value;

    if (cors->origins.nelts == 0) {
        ngx_str_set(&value, "*");

    } else {
        value = *origin;
    }

    if (ngx_http_ims_header(r, "Access-Control-Allow-Origin", &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "Retry-After, WWW-Authenticate, Allow, "
                "Preference-Applied");

    if (ngx_http_ims_header(r, "Access-Control-Expose-Headers", &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!cors->credentials) {
        return NGX_OK;
    }

    ngx_str_set(&value, "true");

    return ngx_http_ims_header(r, "Access-Control-Allow-Credentials", &value);
}


static ngx_int_t
ngx_http_ims_cors_preflight(ngx_http_request_t *r, ngx_http_ims_cors_t *cors)
{
    ngx_str_t  methods, headers;

    ngx_str_set(&methods, NGX_HTTP_IMS_API_METHODS);
    ngx_str_set(&headers, "Authorization, Content-Type, Prefer");

    if (ngx_http_ims_header(r, "Access-Control-Allow-Methods", &methods)
        != NGX_OK
        || ngx_http_ims_header(r, "Access-Control-Allow-Headers", &headers)
           != NGX_OK
        || ngx_http_ims_header(r, "Access-Control-Max-Age", &cors->age)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ims_no_content(r);
}


/*
 * A page of an origin that is listed may call the API.  Cookies are sent by the
 * browser whether or not they are wanted: without "credentials" such a request
 * is not from the user.
 */

ngx_uint_t
ngx_http_ims_cors_allows(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_str_t *origin)
{
    ngx_http_ims_cors_t  *cors;

    cors = ilcf->cors;

    return ilcf->session_pool != NULL && cors != NULL
           && ngx_http_ims_cors_listed(cors, origin)
           && (cors->credentials
               || ngx_http_ims_request_header(r, "Cookie") == NULL);
}
