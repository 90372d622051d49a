/*
 * Copyright (C) the IMS portal authors
 *
 * The directives about tokens: where a request has its token, and what tokens
 * have to be.
 */


#include "ngx_http_ims_portal_module.h"


static void ngx_http_ims_free_keys(void *data);


char *
ngx_http_ims_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    if (ilcf->tokens != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->tokens = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                    sizeof(ngx_http_complex_value_t));
    if (ilcf->tokens == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        cv = ngx_array_push(ilcf->tokens);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* ims_portal_jwt_key file=path */

char *
ngx_http_ims_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    char                 err[256];
    ssize_t              n;
    ngx_fd_t             fd;
    ngx_str_t           *value, name;
    ngx_ims_str_t        text;
    ngx_pool_cleanup_t  *cln;

    if (ilcf->keys != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len <= 5 || ngx_strncmp(value[1].data, "file=", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in "
                           "\"ims_portal_jwt_key\", it has the form "
                           "file=path", &value[1]);
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data + 5;
    name.len = value[1].len - 5;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" of "
                           "\"ims_portal_jwt_key\" failed", &name);
        return NGX_CONF_ERROR;
    }

    text.len = 0;
    text.data = ngx_palloc(cf->temp_pool, 262144);

    n = text.data ? ngx_read_fd(fd, text.data, 262144) : -1;

    (void) ngx_close_file(fd);

    if (n <= 0 || n == 262144) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n < 0 ? ngx_errno : 0,
                           "cannot read \"%V\" of \"ims_portal_jwt_key\": "
                           "it is empty or larger than 256k", &name);
        return NGX_CONF_ERROR;
    }

    text.len = n;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ilcf->keys = ngx_ims_jwt_keys_parse(&text, err, sizeof(err));

    ngx_explicit_memzero(text.data, text.len);

    if (ilcf->keys == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no usable key in \"%V\" of "
                           "\"ims_portal_jwt_key\": %s", &name, err);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_ims_free_keys;
    cln->data = ilcf->keys;

    return NGX_CONF_OK;
}


static void
ngx_http_ims_free_keys(void *data)
{
    ngx_ims_jwt_keys_free(data);
}
