/*
 * Copyright (C) the IMS portal authors
 *
 * The directives that need more than a stock slot.
 */


#include "ngx_http_ims_portal_module.h"


/* ims_portal_auth handshake | sip | both: a stock slot would not name it */

char *
ngx_http_ims_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t  *value;

    if (ilcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "handshake") == 0) {
        ilcf->auth = NGX_IMS_AUTH_HANDSHAKE;

    } else if (ngx_strcmp(value[1].data, "sip") == 0) {
        ilcf->auth = NGX_IMS_AUTH_SIP;

    } else if (ngx_strcmp(value[1].data, "both") == 0) {
        ilcf->auth = NGX_IMS_AUTH_HANDSHAKE|NGX_IMS_AUTH_SIP;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"ims_portal_auth\", "
                           "it may be \"handshake\", \"sip\" or \"both\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* ims_portal_origin any | scheme://host[:port] ... */

char *
ngx_http_ims_set_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    u_char      *p;
    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    if (ilcf->origins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->origins = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                     sizeof(ngx_str_t));
    if (ilcf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "any") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        p = (u_char *) ngx_strstr(value[i].data, "://");

        if (p == NULL || p == value[i].data || p[3] == '\0'
            || ngx_strchr(p + 3, '/') != NULL)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\" in "
                               "\"ims_portal_origin\", it has the form "
                               "scheme://host[:port]", &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(ilcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}


/* ims_portal_ping time [misses=number] */

ngx_conf_enum_t  ngx_http_ims_media_srtp[] = {
    { ngx_string("off"), NGX_IMS_MEDIA_PLAIN },
    { ngx_string("on"), NGX_IMS_MEDIA_SRTP },
    { ngx_string("prefer"), NGX_IMS_MEDIA_PREFER },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_http_ims_refer[] = {
    { ngx_string("off"), NGX_IMS_REFER_OFF },
    { ngx_string("dialog"), NGX_IMS_REFER_DIALOG },
    { ngx_string("on"), NGX_IMS_REFER_ON },
    { ngx_null_string, 0 }
};


char *
ngx_http_ims_session_timer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t          *value, text;
    ngx_ims_policy_t   *policy;

    policy = &ilcf->policy;

    if (policy->session_timer != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;
    policy->session_min = NGX_IMS_SESSION_MIN;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        policy->session_timer = 0;
        return NGX_CONF_OK;
    }

    policy->session_timer = ngx_parse_time(&value[1], 1);

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "min=", 4) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ims_portal_session_timer\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        text.data = value[2].data + 4;
        text.len = value[2].len - 4;

        policy->session_min = ngx_parse_time(&text, 1);
    }

    if (policy->session_min < 1
        || policy->session_timer < policy->session_min
        || policy->session_timer > 86400)
    {
        return "must be \"off\" or a time from \"min\" to 1d";
    }

    if (policy->session_min < NGX_IMS_SESSION_MIN) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"ims_portal_session_timer\" has a \"min\" below "
                           "the 90s of RFC 4028");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ims_ping(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t  *value;
    ngx_int_t   n;

    if (ilcf->ping != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->ping = ngx_parse_time(&value[1], 0);

    if (ilcf->ping == (ngx_msec_t) NGX_ERROR) {
        return "has an invalid time";
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    n = ngx_strncmp(value[2].data, "misses=", 7) == 0
        ? ngx_atoi(value[2].data + 7, value[2].len - 7) : NGX_ERROR;

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"ims_portal_ping\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    ilcf->ping_misses = n;

    return NGX_CONF_OK;
}


char *
ngx_http_ims_ice_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t   *value, *url;
    ngx_uint_t   i;

    if (ilcf->ice_servers == NGX_CONF_UNSET_PTR) {
        ilcf->ice_servers = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
        if (ilcf->ice_servers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        /* TURN needs credentials: "ims_portal_turn" */

        if (ngx_strncmp(value[i].data, "stun:", 5) != 0
            && ngx_strncmp(value[i].data, "stuns:", 6) != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid URL \"%V\" in "
                               "\"ims_portal_ice_server\", it begins with "
                               "\"stun:\" or \"stuns:\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        url = ngx_array_push(ilcf->ice_servers);
        if (url == NULL) {
            return NGX_CONF_ERROR;
        }

        *url = value[i];
    }

    return NGX_CONF_OK;
}
