/*
 * Copyright (C) the IMS portal authors
 *
 * Blocks inside http{} with lines of their own: each is looked up in its
 * block's table; one that is wrong fails nginx -t with its name.
 */


#include "ngx_http_ims_block.h"


typedef struct {
    void                     *object;
    ngx_http_ims_line_t      *lines;
} ngx_http_ims_block_ctx_t;


static char *ngx_http_ims_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);


char *
ngx_http_ims_run_block(ngx_conf_t *cf, void *object,
    ngx_http_ims_line_t *lines)
{
    char                      *rv;
    ngx_conf_t                 save;
    ngx_http_ims_block_ctx_t   ctx;

    ctx.object = object;
    ctx.lines = lines;

    save = *cf;
    cf->handler = ngx_http_ims_line;
    cf->handler_conf = (char *) &ctx;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_ims_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_uint_t                 n;
    ngx_http_ims_line_t       *line;
    ngx_http_ims_block_ctx_t  *ctx;

    ctx = conf;
    value = cf->args->elts;
    n = cf->args->nelts - 1;

    for (line = ctx->lines; line->name.len; line++) {

        if (value[0].len != line->name.len
            || ngx_strcmp(value[0].data, line->name.data) != 0)
        {
            continue;
        }

        if (n < line->min || n > line->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in "
                               "\"%V\" directive", &value[0]);
            return NGX_CONF_ERROR;
        }

        rv = line->handler(cf, ctx->object, value + 1, n);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                           &value[0], rv);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown directive \"%V\"",
                       &value[0]);

    return NGX_CONF_ERROR;
}
