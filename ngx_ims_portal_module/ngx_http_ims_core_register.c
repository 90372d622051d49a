/*
 * Copyright (C) the IMS portal authors
 *
 * The lines of ims_portal_core that say how the portal registers identities.
 */


#include "ngx_http_ims_block.h"
#include "ngx_ims_secret.h"


static char *ngx_http_ims_core_trusted(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_core_digest(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *args, ngx_uint_t n);
static ngx_int_t ngx_http_ims_core_secret(ngx_conf_t *cf,
    ngx_ims_core_t *core, ngx_str_t *arg);
static ngx_uint_t ngx_http_ims_core_is(ngx_str_t *arg, const char *name,
    ngx_str_t *value);
static ngx_uint_t ngx_http_ims_core_quotable(ngx_str_t *value);
static ngx_ims_secrets_t *ngx_http_ims_core_old(ngx_conf_t *cf,
    ngx_str_t *name);


/* register trusted [...] | digest ... */

char *
ngx_http_ims_core_register(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_core_t  *core;

    core = object;

    if (core->register_set) {
        return "is duplicate";
    }

    core->register_set = 1;

    if (ngx_strcmp(args[0].data, "trusted") == 0) {
        return ngx_http_ims_core_trusted(cf, core, args, n);
    }

    if (ngx_strcmp(args[0].data, "digest") == 0) {
        core->digest = 1;
        return ngx_http_ims_core_digest(cf, core, args, n);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid mode \"%V\" in \"register\" "
                       "of \"ims_portal_core\", it may be \"trusted\" "
                       "or \"digest\"", &args[0]);

    return NGX_CONF_ERROR;
}


/* trusted [flag=value] [waf=name parameter=name] [secrets=file] [...] */

static char *
ngx_http_ims_core_trusted(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *args, ngx_uint_t n)
{
    size_t       i;
    ngx_str_t    value, waf, param;
    ngx_uint_t   k;

    ngx_str_null(&waf);
    ngx_str_null(&param);

    for (k = 1; k < n; k++) {

        if (ngx_http_ims_core_is(&args[k], "flag=", &value)
            && ngx_http_ims_core_quotable(&value))
        {
            core->flag = value;

            if (value.len == 4 && ngx_strncmp(value.data, "none", 4) == 0) {
                core->flag.len = 0;
            }

        } else if (ngx_http_ims_core_is(&args[k], "waf=", &value)
                   && ngx_http_ims_core_quotable(&value))
        {
            waf = value;

        } else if (ngx_http_ims_core_is(&args[k], "parameter=", &value)) {
            param = value;

        } else if (ngx_http_ims_core_secret(cf, core, &args[k]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (waf.len == 0 && param.len == 0) {
        return NGX_CONF_OK;
    }

    if (waf.len == 0 || param.len == 0) {
        return "needs both \"waf\" and \"parameter\"";
    }

    for (i = 0; i < param.len; i++) {
        if (!((param.data[i] >= 'a' && param.data[i] <= 'z')
              || (param.data[i] >= 'A' && param.data[i] <= 'Z')
              || (param.data[i] >= '0' && param.data[i] <= '9')
              || param.data[i] == '-'))
        {
            return "has an invalid name in \"parameter\"";
        }
    }

    /* the name of the parameter is not settled (spec ID-8) */

    core->waf.data = ngx_pnalloc(cf->pool, param.len + waf.len + 5);
    if (core->waf.data == NULL) {
        return NGX_CONF_ERROR;
    }

    core->waf.len = ngx_sprintf(core->waf.data, ", %V=\"%V\"", &param, &waf)
                    - core->waf.data;

    return NGX_CONF_OK;
}


/* digest secrets=file [realm=name] */

static char *
ngx_http_ims_core_digest(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *args, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 1; i < n; i++) {
        if (ngx_http_ims_core_secret(cf, core, &args[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return core->secrets == NULL ? "needs \"secrets\"" : NGX_CONF_OK;
}


/* secrets=file or realm=name; NGX_OK, or NGX_ERROR (logged) */

static ngx_int_t
ngx_http_ims_core_secret(ngx_conf_t *cf, ngx_ims_core_t *core, ngx_str_t *arg)
{
    ngx_str_t  value;

    if (ngx_http_ims_core_is(arg, "realm=", &value)
        && ngx_http_ims_core_quotable(&value))
    {
        core->realm = value;
        return NGX_OK;
    }

    if (core->secrets == NULL && ngx_http_ims_core_is(arg, "secrets=", &value))
    {
        if (ngx_conf_full_name(cf->cycle, &value, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        core->secrets = ngx_ims_secret_read(cf, &value,
                                            ngx_http_ims_core_old(cf,
                                                              &core->name));

        return core->secrets == NULL ? NGX_ERROR : NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"register\" "
                       "of \"ims_portal_core\"", arg);

    return NGX_ERROR;
}


/* what is behind "name=", not empty */

static ngx_uint_t
ngx_http_ims_core_is(ngx_str_t *arg, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len <= len || ngx_strncmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->data = arg->data + len;
    value->len = arg->len - len;

    return 1;
}


/* may stand in a header between quotes */

static ngx_uint_t
ngx_http_ims_core_quotable(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f
            || ngx_strchr("\"\\<>;,?", value->data[i]) != NULL)
        {
            return 0;
        }
    }

    return 1;
}


/* the secrets of the core of the same name before a reload, or NULL */

static ngx_ims_secrets_t *
ngx_http_ims_core_old(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_cycle_t               *cycle;
    ngx_ims_core_t            *core;
    ngx_http_ims_main_conf_t  *imcf;

    cycle = cf->cycle->old_cycle;

    if (cycle == NULL || cycle->conf_ctx == NULL
        || ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL)
    {
        return NULL;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ims_portal_module);
    if (imcf == NULL) {
        return NULL;
    }

    core = ngx_http_ims_find_core(imcf, name);

    return core ? core->secrets : NULL;
}


/* reg_event on | off */

char *
ngx_http_ims_core_reg_event(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_core_t  *core;

    core = object;

    if (core->reg_event_set) {
        return "is duplicate";
    }

    core->reg_event_set = 1;

    if (ngx_strcmp(args[0].data, "on") == 0) {
        core->reg_event = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(args[0].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"reg_event\" "
                       "of \"ims_portal_core\", it may be \"on\" or \"off\"",
                       &args[0]);

    return NGX_CONF_ERROR;
}
