/*
 * Copyright (C) the IMS portal authors
 *
 * What makes a location one of the portal's, and the variables that its
 * requests have.
 */


#include "ngx_http_ims_portal_module.h"


static ngx_int_t ngx_http_ims_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ims_content(ngx_http_request_t *r,
    ngx_http_ims_content_pt handler);
static void ngx_http_ims_wake(void *data);
static ngx_int_t ngx_http_ims_upgrade_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_api_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_status_handler(ngx_http_request_t *r);
static char *ngx_http_ims_location(ngx_conf_t *cf, ngx_ims_pool_t **slot,
    ngx_http_handler_pt handler);


enum {
    NGX_HTTP_IMS_USER = 0,
    NGX_HTTP_IMS_IMPU,
    NGX_HTTP_IMS_POOL,
    NGX_HTTP_IMS_ERROR
};


static ngx_http_variable_t  ngx_http_ims_vars[] = {

    { ngx_string("ims_portal_user"), NULL, ngx_http_ims_variable,
      NGX_HTTP_IMS_USER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ims_portal_impu"), NULL, ngx_http_ims_variable,
      NGX_HTTP_IMS_IMPU, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ims_portal_pool"), NULL, ngx_http_ims_variable,
      NGX_HTTP_IMS_POOL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ims_portal_error"), NULL, ngx_http_ims_variable,
      NGX_HTTP_IMS_ERROR, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* a content handler gets its configuration and context as arguments */

static ngx_int_t
ngx_http_ims_content(ngx_http_request_t *r, ngx_http_ims_content_pt handler)
{
    ngx_int_t                  rc;
    ngx_http_ims_ctx_t        *ctx;
    ngx_http_ims_loc_conf_t   *ilcf;
    ngx_http_ims_main_conf_t  *imcf;

    ctx = ngx_http_ims_ctx(r, &ngx_http_ims_portal_module);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ims_portal_module);
    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ims_portal_module);

    ctx->content = handler;

    rc = handler(r, imcf, ilcf, ctx);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    /* a client that leaves meanwhile is noticed */

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    r->main->count++;

    return NGX_DONE;
}


void
ngx_http_ims_waiter(ngx_http_request_t *r, ngx_http_ims_ctx_t *ctx,
    ngx_ims_waiter_t *waiter)
{
    waiter->handler = ngx_http_ims_wake;
    waiter->data = r;
    waiter->slot = &ctx->waiting;
    waiter->log = r->connection->log;
}


/* the content handler begins anew */

static void
ngx_http_ims_wake(void *data)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_ims_ctx_t        *ctx;
    ngx_http_request_t        *r;
    ngx_http_ims_loc_conf_t   *ilcf;
    ngx_http_ims_main_conf_t  *imcf;

    r = data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_ims_portal_module);
    imcf = ngx_http_get_module_main_conf(r, ngx_http_ims_portal_module);
    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ims_portal_module);

    rc = ctx->content(r, imcf, ilcf, ctx);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_ims_upgrade_handler(ngx_http_request_t *r)
{
    return ngx_http_ims_content(r, ngx_http_ims_upgrade);
}


static ngx_int_t
ngx_http_ims_api_handler(ngx_http_request_t *r)
{
    return ngx_http_ims_content(r, ngx_http_ims_api);
}


static ngx_int_t
ngx_http_ims_revocation_handler(ngx_http_request_t *r)
{
    return ngx_http_ims_content(r, ngx_http_ims_revocation);
}


static ngx_int_t
ngx_http_ims_admin_handler(ngx_http_request_t *r)
{
    return ngx_http_ims_content(r, ngx_http_ims_admin);
}


static ngx_int_t
ngx_http_ims_status_handler(ngx_http_request_t *r)
{
    return ngx_http_ims_status(r,
                     ngx_http_get_module_main_conf(r,
                                                  ngx_http_ims_portal_module));
}


ngx_int_t
ngx_http_ims_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_ims_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return ngx_http_ims_claim_variables(cf);
}


static ngx_int_t
ngx_http_ims_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t                *s;
    ngx_ims_pool_t           *pool;
    ngx_http_ims_ctx_t       *ctx;
    ngx_http_ims_loc_conf_t  *ilcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ims_portal_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ims_portal_module);

    switch (data) {

    case NGX_HTTP_IMS_USER:
        s = &ctx->user;
        break;

    case NGX_HTTP_IMS_IMPU:
        s = &ctx->impu;
        break;

    case NGX_HTTP_IMS_ERROR:
        s = &ctx->error;
        break;

    default: /* NGX_HTTP_IMS_POOL */
        pool = ilcf->policy.pool ? ilcf->policy.pool
               : ilcf->revocation_pool ? ilcf->revocation_pool
                                       : ilcf->admin_pool;
        s = pool ? &pool->name : NULL;
        break;
    }

    if (s == NULL || s->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = s->data;
    v->len = s->len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


/* the pool that a location names; the content handler with it */

static char *
ngx_http_ims_location(ngx_conf_t *cf, ngx_ims_pool_t **slot,
    ngx_http_handler_pt handler)
{
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_ims_main_conf_t  *imcf;

    if (*slot != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ims_portal_module);

    *slot = ngx_http_ims_find_pool(imcf, &value[1]);

    if (*slot == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown ims_portal_pool \"%V\" in \"%V\"",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = handler;

    return NGX_CONF_OK;
}


char *
ngx_http_ims_portal(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    return ngx_http_ims_location(cf, &ilcf->pool,
                                 ngx_http_ims_upgrade_handler);
}


char *
ngx_http_ims_session(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_ims_location(cf, &ilcf->session_pool,
                               ngx_http_ims_api_handler);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_str_set(&ilcf->websocket, "/ims/sip");

    if (cf->args->nelts < 3) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    if (value[2].len <= 10
        || ngx_strncmp(value[2].data, "websocket=", 10) != 0
        || !(value[2].data[10] == '/'
             || ngx_strncmp(value[2].data + 10, "ws://", 5) == 0
             || ngx_strncmp(value[2].data + 10, "wss://", 6) == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in "
                           "\"ims_portal_session\", it has the form "
                           "websocket=/path or websocket=wss://host/path",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    ilcf->websocket.data = value[2].data + 10;
    ilcf->websocket.len = value[2].len - 10;

    return NGX_CONF_OK;
}


char *
ngx_http_ims_set_revocation(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    return ngx_http_ims_location(cf, &ilcf->revocation_pool,
                                 ngx_http_ims_revocation_handler);
}


/* everything below the location is the API's, so it has a plain prefix */

char *
ngx_http_ims_set_admin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->admin) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->named || clcf->noname || clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "needs a location with a prefix, as \"/ims/admin/\"";
    }

    value = cf->args->elts;
    ilcf->admin = 1;

    if (value[1].len == 1 && value[1].data[0] == '*') {
        clcf->handler = ngx_http_ims_admin_handler;
        return NGX_CONF_OK;
    }

    return ngx_http_ims_location(cf, &ilcf->admin_pool,
                                 ngx_http_ims_admin_handler);
}


char *
ngx_http_ims_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_ims_status_handler;

    return NGX_CONF_OK;
}
