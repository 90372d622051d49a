/*
 * Copyright (C) the IMS portal authors
 *
 * The lines of ims_portal_core about its servers: server, timeout, probe; and
 * what names among them need of the rest of the configuration.
 */


#include "ngx_http_ims_block.h"


static char *ngx_http_ims_core_servers(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *text, ngx_uint_t transport, ngx_ims_core_server_t *line);
static ngx_uint_t ngx_http_ims_core_is_name(ngx_str_t *host);


/* what follows from all of the configuration: postconfiguration */

ngx_int_t
ngx_http_ims_core_finish(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_ims_core_t            **core;
    ngx_ims_health_t           *health;
    ngx_http_ims_main_conf_t   *imcf;
    ngx_http_core_loc_conf_t   *clcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ims_portal_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    core = imcf->cores.elts;

    if (imcf->cores.nelts == 0) {
        return NGX_OK;
    }

    health = ngx_ims_health_add(cf, &ngx_http_ims_portal_module);
    if (health == NULL) {
        return NGX_ERROR;
    }

    imcf->health = health;

    for (i = 0; i < imcf->cores.nelts; i++) {
        core[i]->health = health;

        if (clcf->resolver != NULL && clcf->resolver->connections.nelts) {
            core[i]->resolver = clcf->resolver;
            core[i]->resolver_timeout =
                clcf->resolver_timeout == NGX_CONF_UNSET_MSEC
                ? 30000 : clcf->resolver_timeout;

        } else if (core[i]->names.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "a name in \"server\" of \"ims_portal_core\" "
                          "\"%V\" needs a \"resolver\" in \"http\"",
                          &core[i]->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* server address:port [transport=] [weight=] [max_fails=] ... [backup] */

char *
ngx_http_ims_core_server(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    time_t                  fail_timeout;
    ngx_int_t               weight, max_fails;
    ngx_str_t              *arg, s;
    ngx_uint_t              i, backup, transport;
    ngx_ims_core_server_t   line;

    weight = 1;
    max_fails = 1;
    fail_timeout = 10;
    backup = 0;
    transport = NGX_IMS_ANY;

    for (i = 1; i < n; i++) {
        arg = &args[i];

        if (ngx_strncmp(arg->data, "weight=", 7) == 0) {
            weight = ngx_atoi(arg->data + 7, arg->len - 7);

            if (weight == NGX_ERROR || weight == 0) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(arg->data, "max_fails=", 10) == 0) {
            max_fails = ngx_atoi(arg->data + 10, arg->len - 10);

            if (max_fails == NGX_ERROR) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(arg->data, "fail_timeout=", 13) == 0) {
            s.data = arg->data + 13;
            s.len = arg->len - 13;
            fail_timeout = ngx_parse_time(&s, 1);

            if (fail_timeout == (time_t) NGX_ERROR) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strcmp(arg->data, "backup") == 0) {
            backup = 1;
            continue;
        }

        if (ngx_strcmp(arg->data, "transport=udp") == 0) {
            transport = NGX_IMS_UDP;
            continue;
        }

        if (ngx_strcmp(arg->data, "transport=tcp") == 0) {
            transport = NGX_IMS_TCP;
            continue;
        }

        if (ngx_strcmp(arg->data, "transport=tls") == 0) {
            transport = NGX_IMS_TLS;
            continue;
        }

        goto invalid;
    }

    ngx_memzero(&line, sizeof(ngx_ims_core_server_t));

    line.weight = weight;
    line.max_fails = max_fails;
    line.fail_timeout = fail_timeout;
    line.backup = backup;

    return ngx_http_ims_core_servers(cf, object, &args[0], transport, &line);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"server\" "
                       "of \"ims_portal_core\"", &args[i]);

    return NGX_CONF_ERROR;
}


/* an address is a server; a name will be some, once a worker runs */

static char *
ngx_http_ims_core_servers(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *text, ngx_uint_t transport, ngx_ims_core_server_t *line)
{
    ngx_url_t               u;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *server;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *text;
    u.default_port = transport == NGX_IMS_TLS ? 5061 : 5060;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.family == AF_UNIX
        || u.uri.len
        || (u.naddrs == 0 && !ngx_http_ims_core_is_name(&u.host)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"server\" \"%V\" of \"ims_portal_core\"",
                           u.err ? u.err : "invalid address", text);
        return NGX_CONF_ERROR;
    }

    if (u.naddrs == 0) {

        if (ngx_ims_core_add_name(cf, core, &u.host, u.no_port ? 0 : u.port,
                                  transport, line)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    for (i = 0; i < u.naddrs; i++) {
        server = ngx_array_push(&core->servers);
        if (server == NULL) {
            return NGX_CONF_ERROR;
        }

        *server = *line;

        server->addr = u.addrs[i];
        server->transport = transport == NGX_IMS_ANY ? NGX_IMS_UDP
                                                     : transport;
    }

    return NGX_CONF_OK;
}


/* letters, digits, "-", "_" in labels, of which the last is no number */

static ngx_uint_t
ngx_http_ims_core_is_name(ngx_str_t *host)
{
    u_char      ch;
    ngx_uint_t  i, number;

    number = 1;

    for (i = 0; i < host->len; i++) {
        ch = ngx_tolower(host->data[i]);

        if (ch == '.') {
            number = 1;
            continue;
        }

        if (ch < '0' || ch > '9') {
            number = 0;

            if ((ch < 'a' || ch > 'z') && ch != '-' && ch != '_') {
                return 0;
            }
        }
    }

    return !number && host->len <= 255;
}


/* timeout time */

char *
ngx_http_ims_core_timeout(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_core_t  *core;

    core = object;

    if (core->timeout != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    core->timeout = ngx_parse_time(&args[0], 0);

    if (core->timeout == (ngx_msec_t) NGX_ERROR || core->timeout < 50) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"timeout\" "
                           "of \"ims_portal_core\"", &args[0]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* probe interval [fails=] [timeout=] | off */

char *
ngx_http_ims_core_probe(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_str_t        s;
    ngx_int_t        fails;
    ngx_uint_t       i;
    ngx_ims_core_t  *core;

    core = object;
    i = 0;

    if (core->probe != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_strcmp(args[0].data, "off") == 0 && n == 1) {
        core->probe = 0;
        return NGX_CONF_OK;
    }

    core->probe = ngx_parse_time(&args[0], 0);

    if (core->probe == (ngx_msec_t) NGX_ERROR || core->probe < 100) {
        goto invalid;
    }

    for (i = 1; i < n; i++) {

        if (ngx_strncmp(args[i].data, "fails=", 6) == 0) {
            fails = ngx_atoi(args[i].data + 6, args[i].len - 6);

            if (fails <= 0) {
                goto invalid;
            }

            core->probe_fails = fails;
            continue;
        }

        if (ngx_strncmp(args[i].data, "timeout=", 8) == 0) {
            s.data = args[i].data + 8;
            s.len = args[i].len - 8;
            core->probe_timeout = ngx_parse_time(&s, 0);

            if (core->probe_timeout == (ngx_msec_t) NGX_ERROR
                || core->probe_timeout < 50)
            {
                goto invalid;
            }

            continue;
        }

        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"probe\" "
                       "of \"ims_portal_core\"", &args[i]);

    return NGX_CONF_ERROR;
}
