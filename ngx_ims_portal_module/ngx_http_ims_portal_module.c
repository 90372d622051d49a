/*
 * Copyright (C) the IMS portal authors
 *
 * The defaults of the directives, and what they inherit.
 */


#include "ngx_http_ims_portal_module.h"


static ngx_int_t ngx_http_ims_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_ims_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_ims_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_ims_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_ims_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_ims_merge_values(ngx_conf_t *cf,
    ngx_http_ims_loc_conf_t *prev, ngx_http_ims_loc_conf_t *conf);
static char *ngx_http_ims_check_loc_conf(ngx_conf_t *cf,
    ngx_http_ims_loc_conf_t *conf);
static void ngx_http_ims_set_policy(ngx_http_ims_loc_conf_t *conf);


static ngx_http_module_t  ngx_http_ims_portal_module_ctx = {
    ngx_http_ims_add_variables,            /* preconfiguration */
    ngx_http_ims_postconfiguration,        /* postconfiguration */

    ngx_http_ims_create_main_conf,         /* create main configuration */
    ngx_http_ims_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_ims_create_loc_conf,          /* create location configuration */
    ngx_http_ims_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_ims_portal_module = {
    NGX_MODULE_V1,
    &ngx_http_ims_portal_module_ctx,       /* module context */
    ngx_http_ims_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_ims_jwt_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_ims_postconfiguration(ngx_conf_t *cf)
{
    /* of a phase the last handler is the first: tokens are hidden, then CORS */

    if (ngx_http_ims_cors_init(cf) != NGX_OK
        || ngx_http_ims_query_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ims_core_finish(cf);
}


static void *
ngx_http_ims_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_ims_main_conf_t  *imcf;

    imcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ims_main_conf_t));
    if (imcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     imcf->worker = NULL;
     */

    if (ngx_array_init(&imcf->cores, cf->pool, 2, sizeof(ngx_ims_core_t *))
        != NGX_OK
        || ngx_array_init(&imcf->pools, cf->pool, 2, sizeof(ngx_ims_pool_t *))
           != NGX_OK
        || ngx_array_init(&imcf->jwks, cf->pool, 2, sizeof(ngx_ims_jwks_t *))
           != NGX_OK
        || ngx_array_init(&imcf->policies, cf->pool, 4,
                          sizeof(ngx_ims_token_policy_t *))
           != NGX_OK
        || ngx_http_ims_media_create(cf, &imcf->media) != NGX_OK)
    {
        return NULL;
    }

    imcf->txn.t1 = NGX_CONF_UNSET_MSEC;
    imcf->txn.t2 = 4000;
    imcf->txn.t4 = 5000;
    imcf->txn.max = NGX_CONF_UNSET_UINT;
    imcf->limit_size = NGX_CONF_UNSET_SIZE;
    imcf->jwt_cache = NGX_CONF_UNSET_UINT;
    imcf->ticket_size = NGX_CONF_UNSET_SIZE;

    return imcf;
}


static char *
ngx_http_ims_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_ims_main_conf_t *imcf = conf;

    ngx_conf_init_msec_value(imcf->txn.t1, 500);
    ngx_conf_init_uint_value(imcf->txn.max, 100000);
    ngx_conf_init_uint_value(imcf->jwt_cache, 1000);

    if (imcf->txn.t1 < 10 || imcf->txn.t1 > 4000) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_timer_t1\" must be between 10ms and 4s");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ims_media_init(cf, &imcf->media) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* a shorter T1 shortens what is derived from the network's behaviour */

    imcf->txn.t2 = 8 * imcf->txn.t1;
    imcf->txn.t4 = 10 * imcf->txn.t1;

    if (ngx_http_ims_ticket_zone(cf, imcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return imcf->pools.nelts ? ngx_http_ims_limit_zone(cf, imcf)
                             : NGX_CONF_OK;
}


static void *
ngx_http_ims_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_ims_loc_conf_t  *ilcf;

    ilcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ims_loc_conf_t));
    if (ilcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     ilcf->policy = { 0 };
     *     ilcf->pool = NULL;
     *     ilcf->session_pool = NULL;
     *     ilcf->websocket = { 0, NULL };
     *     ilcf->issuer = { 0, NULL };
     *     ilcf->typ = { 0, NULL };
     *     ilcf->authz_server = { 0, NULL };
     */

    ilcf->auth = NGX_CONF_UNSET_UINT;
    ilcf->origins = NGX_CONF_UNSET_PTR;
    ilcf->plain_ws = NGX_CONF_UNSET;
    ilcf->ping = NGX_CONF_UNSET_MSEC;
    ilcf->ping_misses = NGX_CONF_UNSET_UINT;
    ilcf->message_size = NGX_CONF_UNSET_SIZE;
    ilcf->grace = NGX_CONF_UNSET_MSEC;
    ilcf->drain = NGX_CONF_UNSET_MSEC;
    ilcf->handshake = NGX_CONF_UNSET_MSEC;
    ilcf->expires = NGX_CONF_UNSET;
    ilcf->ice_servers = NGX_CONF_UNSET_PTR;
    ilcf->turns = NGX_CONF_UNSET_PTR;
    ilcf->ticket = NGX_CONF_UNSET;
    ilcf->cors = NGX_CONF_UNSET_PTR;
    ilcf->policy.refer = NGX_CONF_UNSET_UINT;
    ilcf->policy.session_timer = NGX_CONF_UNSET;
    ilcf->policy.session_min = NGX_CONF_UNSET;
    ilcf->policy.token_finish = NGX_CONF_UNSET;
    ilcf->policy.token_grace = NGX_CONF_UNSET;
    ngx_http_ims_jwt_unset(ilcf);
    ngx_http_ims_limit_unset(&ilcf->policy.limits);

    return ilcf;
}


static char *
ngx_http_ims_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ims_loc_conf_t *prev = parent;
    ngx_http_ims_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_http_ims_merge_values(cf, prev, conf);

    if (ngx_http_ims_limit_merge(cf, &prev->policy.limits,
                                 &conf->policy.limits)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ims_claim_merge(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->pool == NULL && conf->session_pool == NULL) {
        return NGX_CONF_OK;
    }

    /*
     * bodies are refused here, and not before a token in the query was hidden
     * from the log
     */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->client_max_body_size = 0;

    if (ngx_http_ims_check_loc_conf(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_ims_set_policy(conf);

    return ngx_http_ims_jwt_policy(cf,
                     ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_ims_portal_module),
                     conf);
}


static void
ngx_http_ims_merge_values(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *prev,
    ngx_http_ims_loc_conf_t *conf)
{
    ngx_conf_merge_uint_value(conf->auth, prev->auth, NGX_IMS_AUTH_HANDSHAKE);
    ngx_conf_merge_uint_value(conf->policy.refer, prev->policy.refer,
                              NGX_IMS_REFER_DIALOG);
    ngx_conf_merge_value(conf->policy.session_timer,
                         prev->policy.session_timer, 1800);
    ngx_conf_merge_value(conf->policy.session_min, prev->policy.session_min,
                         NGX_IMS_SESSION_MIN);
    ngx_http_ims_life_merge(&prev->policy, &conf->policy);

    if (conf->tokens == NGX_CONF_UNSET_PTR) {
        conf->queries = prev->queries;
    }

    ngx_http_ims_jwt_merge(cf, prev, conf);
    ngx_conf_merge_str_value(conf->authz_server, prev->authz_server, "");
    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_value(conf->plain_ws, prev->plain_ws, 0);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, 25000);
    ngx_conf_merge_uint_value(conf->ping_misses, prev->ping_misses, 2);
    ngx_conf_merge_size_value(conf->message_size, prev->message_size,
                              NGX_IMS_SIP_MAX_MESSAGE);
    ngx_conf_merge_msec_value(conf->grace, prev->grace, 30000);
    ngx_conf_merge_msec_value(conf->drain, prev->drain, 30000);
    ngx_conf_merge_msec_value(conf->handshake, prev->handshake, 10000);
    ngx_conf_merge_sec_value(conf->expires, prev->expires, 3600);
    ngx_conf_merge_ptr_value(conf->ice_servers, prev->ice_servers, NULL);
    ngx_conf_merge_ptr_value(conf->turns, prev->turns, NULL);
    ngx_conf_merge_sec_value(conf->ticket, prev->ticket, 0);
    ngx_conf_merge_ptr_value(conf->cors, prev->cors, NULL);
}


/* what a location of browsers or of "ims_portal_session" must have */

static char *
ngx_http_ims_check_loc_conf(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *conf)
{
    if (conf->keys == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"ims_portal_jwt_key\" for \"%s\"",
                      conf->pool ? "ims_portal" : "ims_portal_session");
        return NGX_CONF_ERROR;
    }

    if (conf->tokens == NULL && (conf->auth & NGX_IMS_AUTH_HANDSHAKE
                                 || conf->session_pool != NULL))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"ims_portal_jwt\" for \"%s\"",
                      conf->pool ? "ims_portal" : "ims_portal_session");
        return NGX_CONF_ERROR;
    }

    if (conf->message_size < 1024
        || conf->message_size > NGX_IMS_SIP_MAX_MESSAGE)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_message_size\" must be between 1k and %d",
                      NGX_IMS_SIP_MAX_MESSAGE);
        return NGX_CONF_ERROR;
    }

    if (conf->ping < 100 || conf->handshake < 100) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" must be at least 100ms",
                      conf->ping < 100 ? "ims_portal_ping"
                                       : "ims_portal_handshake_timeout");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* what sessions know of their location */

static void
ngx_http_ims_set_policy(ngx_http_ims_loc_conf_t *conf)
{
    ngx_ims_policy_t  *policy;

    policy = &conf->policy;

    policy->pool = conf->pool ? conf->pool : conf->session_pool;
    policy->pool->grace = ngx_max(policy->pool->grace, conf->grace);
    policy->auth = conf->auth;
    policy->ping = conf->ping;
    policy->ping_misses = conf->ping_misses;
    policy->message_size = conf->message_size;
    policy->grace = conf->grace;
    policy->drain = conf->drain;
    policy->handshake = conf->handshake;
    policy->register_expires = conf->expires;
    policy->authz_server = conf->authz_server;
}
