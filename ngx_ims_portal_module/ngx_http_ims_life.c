/*
 * Copyright (C) the IMS portal authors
 *
 * Directives about the end of a token: of its socket, of running calls, and
 * before its time.
 */


#include "ngx_http_ims_portal_module.h"


#define NGX_HTTP_IMS_FINISH      3600         /* s, by default */
#define NGX_HTTP_IMS_FINISH_MAX  86400        /* s */


/* ims_portal_token_end finish [time] | end */

char *
ngx_http_ims_token_end(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t  *value;

    if (ilcf->policy.token_finish != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "end") == 0 && cf->args->nelts == 2) {
        ilcf->policy.token_finish = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "finish") != 0) {
        return "must be \"finish\", with or without a time, or \"end\"";
    }

    ilcf->policy.token_finish = NGX_HTTP_IMS_FINISH;

    if (cf->args->nelts == 3) {
        ilcf->policy.token_finish = ngx_parse_time(&value[2], 1);
    }

    if (ilcf->policy.token_finish < 1
        || ilcf->policy.token_finish > NGX_HTTP_IMS_FINISH_MAX)
    {
        return "must have a time from 1s to 1d";
    }

    return NGX_CONF_OK;
}


/* ims_portal_token_grace time */

char *
ngx_http_ims_token_grace(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t  *value;

    if (ilcf->policy.token_grace != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->policy.token_grace = ngx_parse_time(&value[1], 1);

    if (ilcf->policy.token_grace < 0 || ilcf->policy.token_grace > 60) {
        return "must be a time up to 60s";
    }

    return NGX_CONF_OK;
}


void
ngx_http_ims_life_merge(ngx_ims_policy_t *prev, ngx_ims_policy_t *conf)
{
    ngx_conf_merge_value(conf->token_finish, prev->token_finish,
                         NGX_HTTP_IMS_FINISH);
    ngx_conf_merge_value(conf->token_grace, prev->token_grace, 5);
}
