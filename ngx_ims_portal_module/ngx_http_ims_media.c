/*
 * Copyright (C) the IMS portal authors
 *
 * The directives of the media helpers.
 */


#include "ngx_http_ims_portal_module.h"


static ngx_ims_media_conf_t *ngx_http_ims_media_before(ngx_conf_t *cf);


ngx_int_t
ngx_http_ims_media_create(ngx_conf_t *cf, ngx_ims_media_conf_t *media)
{
    if (ngx_array_init(&media->addrs, cf->pool, 2, sizeof(ngx_addr_t))
        != NGX_OK
        || ngx_array_init(&media->drain, cf->pool, 1, sizeof(ngx_addr_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    media->timeout = NGX_CONF_UNSET_MSEC;
    media->lost = NGX_CONF_UNSET_MSEC;
    media->consent = NGX_CONF_UNSET_MSEC;
    media->srtp = NGX_CONF_UNSET_UINT;
    media->max_fails = 3;

    return NGX_OK;
}


/* behind the directives: defaults, limits, and what the last reload left */

ngx_int_t
ngx_http_ims_media_init(ngx_conf_t *cf, ngx_ims_media_conf_t *media)
{
    ngx_conf_init_msec_value(media->timeout, 2000);
    ngx_conf_init_msec_value(media->lost, 3000);
    ngx_conf_init_msec_value(media->consent, 5000);
    ngx_conf_init_uint_value(media->srtp, NGX_IMS_MEDIA_PLAIN);

    if (media->lost < 100 || media->lost > 60000) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_media_lost\" must be between 100ms and "
                      "60s");
        return NGX_ERROR;
    }

    return ngx_ims_media_inherit(cf, media, ngx_http_ims_media_before(cf));
}


/* of the configuration that a reload replaces, or NULL */

static ngx_ims_media_conf_t *
ngx_http_ims_media_before(ngx_conf_t *cf)
{
    ngx_cycle_t               *cycle;
    ngx_http_ims_main_conf_t  *imcf;

    cycle = cf->cycle->old_cycle;

    if (cycle == NULL || cycle->conf_ctx == NULL
        || ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL)
    {
        return NULL;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ims_portal_module);

    return imcf ? &imcf->media : NULL;
}


/* ims_portal_media unix:path | udp:address:port | tcp:address:port ... */

char *
ngx_http_ims_media(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_main_conf_t *imcf = conf;

    ngx_str_t   *value;
    ngx_url_t    u;
    ngx_uint_t   i, tcp, net;
    ngx_addr_t  *addr;

    if (imcf->media.addrs.nelts) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        tcp = (ngx_strncmp(value[i].data, "tcp:", 4) == 0);
        net = tcp || (ngx_strncmp(value[i].data, "udp:", 4) == 0);

        if (!net && ngx_strncmp(value[i].data, "unix:", 5) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\" in "
                               "\"ims_portal_media\", it begins with "
                               "\"unix:\", \"udp:\" or \"tcp:\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&u, sizeof(ngx_url_t));
        u.url = value[i];

        if (net) {
            u.url.data += 4;
            u.url.len -= 4;
            u.default_port = 2223;
        }

        if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0
            || (u.family == AF_UNIX) == net)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in \"ims_portal_media\" \"%V\"",
                               u.err ? u.err : "invalid address", &value[i]);
            return NGX_CONF_ERROR;
        }

        addr = ngx_array_push(&imcf->media.addrs);
        if (addr == NULL) {
            return NGX_CONF_ERROR;
        }

        *addr = u.addrs[0];

        if (!tcp) {
            continue;
        }

        addr->name.data = ngx_pnalloc(cf->pool, u.addrs[0].name.len + 4);
        if (addr->name.data == NULL) {
            return NGX_CONF_ERROR;
        }

        addr->name.len = ngx_sprintf(addr->name.data, "tcp:%V",
                                     &u.addrs[0].name)
                         - addr->name.data;
    }

    return NGX_CONF_OK;
}


/* ims_portal_media_consent time | off */

char *
ngx_http_ims_media_consent(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_main_conf_t *imcf = conf;

    ngx_str_t   *value;
    ngx_msec_t   wait;

    value = cf->args->elts;

    if (imcf->media.consent != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        imcf->media.consent = 0;
        imcf->media.keep = 1;
        return NGX_CONF_OK;
    }

    wait = ngx_parse_time(&value[1], 0);

    if (wait == (ngx_msec_t) NGX_ERROR || wait > 600000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ims_portal_media_consent\" must be \"off\" or "
                           "not more than 10m");
        return NGX_CONF_ERROR;
    }

    imcf->media.consent = wait;

    return NGX_CONF_OK;
}
