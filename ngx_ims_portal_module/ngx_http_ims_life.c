/*
 * Copyright (C) the IMS portal authors
 *
 * Directives about the end of a token: of its socket, of running calls, and
 * before its time.
 */


#include "ngx_http_ims_block.h"
#include "ngx_ims_deny_file.h"


#define NGX_HTTP_IMS_FINISH      3600         /* s, by default */
#define NGX_HTTP_IMS_FINISH_MAX  86400        /* s */
#define NGX_HTTP_IMS_WATCH       500          /* ms, and the least */


static void ngx_http_ims_revoked_free(void *data);


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


/* in a pool: revoked file=path [watch=time|off] */

char *
ngx_http_ims_pool_revoked(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_pool_t *pool = object;

    ngx_int_t             watch;
    ngx_str_t             s;
    ngx_pool_cleanup_t   *cln;
    ngx_ims_deny_file_t  *f;

    if (pool->revoked != NULL) {
        return "is duplicate";
    }

    f = ngx_pcalloc(cf->pool, sizeof(ngx_ims_deny_file_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (f == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    if (args[0].len <= 5 || ngx_strncmp(args[0].data, "file=", 5) != 0) {
        return "has the form: revoked file=path [watch=time|off]";
    }

    f->name.data = args[0].data + 5;
    f->name.len = args[0].len - 5;
    f->watch = NGX_HTTP_IMS_WATCH;

    if (ngx_conf_full_name(cf->cycle, &f->name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (n == 2) {
        s.data = args[1].data + 6;
        s.len = args[1].len - 6;

        if (args[1].len <= 6 || ngx_strncmp(args[1].data, "watch=", 6) != 0) {
            return "has the form: revoked file=path [watch=time|off]";
        }

        watch = ngx_strcmp(s.data, "off") == 0 ? 0 : ngx_parse_time(&s, 0);

        if (watch && watch < NGX_HTTP_IMS_WATCH) {
            return "has a \"watch\" that is no time from 500ms on";
        }

        f->watch = watch;
    }

    cln->handler = ngx_http_ims_revoked_free;
    cln->data = f;

    if (ngx_ims_deny_file_load(f, NGX_LOG_EMERG, cf->log) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    pool->revoked = f;

    return NGX_CONF_OK;
}


static void
ngx_http_ims_revoked_free(void *data)
{
    ngx_ims_deny_file_t *f = data;

    if (f->list != NULL) {
        ngx_free(f->list);
    }
}
