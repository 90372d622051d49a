/*
 * Copyright (C) the IMS portal authors
 *
 * The lines of ims_portal_core about calls.
 */


#include "ngx_http_ims_block.h"


/* prack on | off */

char *
ngx_http_ims_core_prack(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_core_t  *core;

    core = object;

    if (ngx_strcmp(args[0].data, "on") == 0) {
        core->no_prack = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(args[0].data, "off") == 0) {
        core->no_prack = 1;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"prack\" "
                       "of \"ims_portal_core\", it must be \"on\" or \"off\"",
                       &args[0]);

    return NGX_CONF_ERROR;
}


/* timer_c time */

char *
ngx_http_ims_core_timer_c(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_core_t  *core;

    core = object;

    core->timer_c = ngx_parse_time(&args[0], 0);

    if (core->timer_c == (ngx_msec_t) NGX_ERROR || core->timer_c < 100) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"timer_c\" "
                           "of \"ims_portal_core\"", &args[0]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
