/*
 * Copyright (C) the IMS portal authors
 *
 * The directives of the portal and their defaults.
 */


#include "ngx_http_ims_portal_module.h"


static void *ngx_http_ims_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_ims_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_ims_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_ims_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


#define NGX_HTTP_IMS_ALL  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_command_t  ngx_http_ims_commands[] = {

    { ngx_string("ims_portal_core"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_ims_core_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_1MORE,
      ngx_http_ims_pool_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_media"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_ims_media,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_media_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_ims_main_conf_t, media.timeout),
      NULL },

    { ngx_string("ims_portal_media_lost"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_ims_main_conf_t, media.lost),
      NULL },

    { ngx_string("ims_portal_timer_t1"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_ims_main_conf_t, txn.t1),
      NULL },

    { ngx_string("ims_portal_transactions"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_ims_main_conf_t, txn.max),
      NULL },

    { ngx_string("ims_portal"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ims_portal,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_session"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_ims_session,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_revocation"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ims_set_revocation,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ims_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_auth"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_http_ims_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_jwt"),
      NGX_HTTP_IMS_ALL|NGX_CONF_1MORE,
      ngx_http_ims_jwt,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_jwt_key"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_http_ims_jwt_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_jwt_issuer"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, issuer),
      NULL },

    { ngx_string("ims_portal_jwt_audience"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, audience),
      NULL },

    { ngx_string("ims_portal_jwt_leeway"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, leeway),
      NULL },

    { ngx_string("ims_portal_authz_server"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, authz_server),
      NULL },

    { ngx_string("ims_portal_origin"),
      NGX_HTTP_IMS_ALL|NGX_CONF_1MORE,
      ngx_http_ims_set_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_plain_ws"),
      NGX_HTTP_IMS_ALL|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, plain_ws),
      NULL },

    { ngx_string("ims_portal_ping"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE12,
      ngx_http_ims_ping,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_message_size"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, message_size),
      NULL },

    { ngx_string("ims_portal_message_timeout"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, policy.limits.message_timeout),
      NULL },

    { ngx_string("ims_portal_send_buffer"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, policy.limits.send_buffer),
      NULL },

    { ngx_string("ims_portal_send_timeout"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, policy.limits.send_timeout),
      NULL },

    { ngx_string("ims_portal_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_ims_main_conf_t, limit_size),
      NULL },

    { ngx_string("ims_portal_limit_sockets"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE123,
      ngx_http_ims_limit_sockets,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_limit_handshakes"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE23,
      ngx_http_ims_limit_handshakes,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_limit_messages"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE12,
      ngx_http_ims_limit_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t,
               policy.limits.user[NGX_IMS_RATE_MESSAGES]),
      NULL },

    { ngx_string("ims_portal_limit_registers"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE12,
      ngx_http_ims_limit_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t,
               policy.limits.user[NGX_IMS_RATE_REGISTERS]),
      NULL },

    { ngx_string("ims_portal_limit_invites"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE12,
      ngx_http_ims_limit_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t,
               policy.limits.user[NGX_IMS_RATE_INVITES]),
      NULL },

    { ngx_string("ims_portal_limit_frames"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE12,
      ngx_http_ims_limit_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, policy.limits.frames),
      NULL },

    { ngx_string("ims_portal_limit_requests"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, policy.limits.requests),
      NULL },

    { ngx_string("ims_portal_limit_waiting"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, policy.limits.waiting),
      NULL },

    { ngx_string("ims_portal_grace"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, grace),
      NULL },

    { ngx_string("ims_portal_drain"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, drain),
      NULL },

    { ngx_string("ims_portal_handshake_timeout"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, handshake),
      NULL },

    { ngx_string("ims_portal_register_expires"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, expires),
      NULL },

    { ngx_string("ims_portal_refer"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ims_loc_conf_t, policy.refer),
      ngx_http_ims_refer },

    { ngx_string("ims_portal_session_timer"),
      NGX_HTTP_IMS_ALL|NGX_CONF_TAKE12,
      ngx_http_ims_session_timer,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ims_portal_ice_server"),
      NGX_HTTP_IMS_ALL|NGX_CONF_1MORE,
      ngx_http_ims_ice_server,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ims_portal_module_ctx = {
    ngx_http_ims_add_variables,            /* preconfiguration */
    ngx_http_ims_core_finish,              /* postconfiguration */

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
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


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
        || ngx_http_ims_media_create(cf, &imcf->media) != NGX_OK)
    {
        return NULL;
    }

    imcf->txn.t1 = NGX_CONF_UNSET_MSEC;
    imcf->txn.t2 = 4000;
    imcf->txn.t4 = 5000;
    imcf->txn.max = NGX_CONF_UNSET_UINT;
    imcf->limit_size = NGX_CONF_UNSET_SIZE;

    return imcf;
}


static char *
ngx_http_ims_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_ims_main_conf_t *imcf = conf;

    ngx_conf_init_msec_value(imcf->txn.t1, 500);
    ngx_conf_init_uint_value(imcf->txn.max, 100000);

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
     *     ilcf->audience = { 0, NULL };
     *     ilcf->authz_server = { 0, NULL };
     */

    ilcf->auth = NGX_CONF_UNSET_UINT;
    ilcf->tokens = NGX_CONF_UNSET_PTR;
    ilcf->keys = NGX_CONF_UNSET_PTR;
    ilcf->leeway = NGX_CONF_UNSET;
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
    ilcf->policy.refer = NGX_CONF_UNSET_UINT;
    ilcf->policy.session_timer = NGX_CONF_UNSET;
    ilcf->policy.session_min = NGX_CONF_UNSET;
    ngx_http_ims_limit_unset(&ilcf->policy.limits);

    return ilcf;
}


static char *
ngx_http_ims_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ims_loc_conf_t *prev = parent;
    ngx_http_ims_loc_conf_t *conf = child;

    ngx_ims_policy_t  *policy;

    ngx_conf_merge_uint_value(conf->auth, prev->auth, NGX_IMS_AUTH_HANDSHAKE);
    ngx_conf_merge_uint_value(conf->policy.refer, prev->policy.refer,
                              NGX_IMS_REFER_DIALOG);
    ngx_conf_merge_value(conf->policy.session_timer,
                         prev->policy.session_timer, 1800);
    ngx_conf_merge_value(conf->policy.session_min, prev->policy.session_min,
                         NGX_IMS_SESSION_MIN);
    ngx_conf_merge_ptr_value(conf->tokens, prev->tokens, NULL);
    ngx_conf_merge_ptr_value(conf->keys, prev->keys, NULL);
    ngx_conf_merge_str_value(conf->issuer, prev->issuer, "");
    ngx_conf_merge_str_value(conf->audience, prev->audience, "");
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 30);
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

    if (ngx_http_ims_limit_merge(cf, &prev->policy.limits,
                                 &conf->policy.limits)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->pool == NULL && conf->session_pool == NULL) {
        return NGX_CONF_OK;
    }

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

    policy = &conf->policy;

    policy->pool = conf->pool ? conf->pool : conf->session_pool;
    policy->pool->grace = ngx_max(policy->pool->grace, conf->grace);
    policy->keys = conf->keys;
    policy->issuer = conf->issuer;
    policy->audience = conf->audience;
    policy->leeway = conf->leeway;
    policy->auth = conf->auth;
    policy->ping = conf->ping;
    policy->ping_misses = conf->ping_misses;
    policy->message_size = conf->message_size;
    policy->grace = conf->grace;
    policy->drain = conf->drain;
    policy->handshake = conf->handshake;
    policy->register_expires = conf->expires;
    policy->authz_server = conf->authz_server;

    return NGX_CONF_OK;
}
