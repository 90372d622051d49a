/*
 * Copyright (C) the IMS portal authors
 *
 * The block ims_portal_core: the operator's IMS as seen from here.
 */


#include "ngx_http_ims_dial.h"


static char *ngx_http_ims_core_check(ngx_conf_t *cf, ngx_ims_core_t *core);
static char *ngx_http_ims_core_listen(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_core_allow(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_core_home_domain(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_core_visited_network(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_core_text(ngx_str_t *slot, ngx_str_t *value);
static char *ngx_http_ims_core_access(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);


static ngx_http_ims_line_t  ngx_http_ims_core_lines[] = {
    { ngx_string("listen"), 1, 3, ngx_http_ims_core_listen },
    { ngx_string("server"), 1, 6, ngx_http_ims_core_server },
    { ngx_string("timeout"), 1, 1, ngx_http_ims_core_timeout },
    { ngx_string("udp_max"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("stream_buffer"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("stream_connections"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("stream_idle"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("stream_keepalive"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_certificate"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_certificate_key"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_trusted_certificate"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_crl"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_ciphers"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_name"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_protocols"), 1, 8, ngx_http_ims_core_link },
    { ngx_string("ssl_verify"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("ssl_verify_depth"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("probe"), 1, 3, ngx_http_ims_core_probe },
    { ngx_string("reregister"), 1, 1, ngx_http_ims_core_link },
    { ngx_string("max_requests"), 1, 1, ngx_http_ims_limit_max_requests },
    { ngx_string("prack"), 1, 1, ngx_http_ims_core_prack },
    { ngx_string("timer_c"), 1, 1, ngx_http_ims_core_timer_c },
    { ngx_string("allow"), 1, 64, ngx_http_ims_core_allow },
    { ngx_string("home_domain"), 1, 1, ngx_http_ims_core_home_domain },
    { ngx_string("visited_network"), 1, 1, ngx_http_ims_core_visited_network },
    { ngx_string("access_network_info"), 1, 1, ngx_http_ims_core_access },
    { ngx_string("register"), 1, 6, ngx_http_ims_core_register },
    { ngx_string("reg_event"), 1, 1, ngx_http_ims_core_reg_event },
    { ngx_string("dial_plan"), 1, 12, ngx_http_ims_dial_plan },
    { ngx_string("barred"), 1, 1024, ngx_http_ims_dial_barred },
    { ngx_string("allowed"), 1, 1024, ngx_http_ims_dial_allowed },
    { ngx_string("premium"), 1, 1024, ngx_http_ims_dial_premium },
    { ngx_string("emergency"), 1, 3, ngx_http_ims_sos },
    { ngx_null_string, 0, 0, NULL }
};


char *
ngx_http_ims_core_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_ims_core_t            *core, **slot;
    ngx_http_ims_main_conf_t  *imcf;

    imcf = conf;
    value = cf->args->elts;

    if (ngx_http_ims_find_core(imcf, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"ims_portal_core\" \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    core = ngx_pcalloc(cf->pool, sizeof(ngx_ims_core_t));
    slot = ngx_array_push(&imcf->cores);

    if (core == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = core;

    core->name = value[1];
    core->file = cf->conf_file->file.name.data;
    core->line = cf->conf_file->line;
    core->nslots = 64;
    core->timeout = NGX_CONF_UNSET_MSEC;
    core->max_requests = NGX_CONF_UNSET_UINT;
    core->timer_c = 185000;
    core->probe = NGX_CONF_UNSET_MSEC;
    core->probe_timeout = 2000;
    core->probe_fails = 2;
    ngx_str_set(&core->flag, "auth-done");
    ngx_http_ims_core_link_defaults(core);

    if (ngx_array_init(&core->listens, cf->pool, 2,
                       sizeof(ngx_ims_core_listen_t))
        != NGX_OK
        || ngx_array_init(&core->servers, cf->pool, 64,
                          sizeof(ngx_ims_core_server_t))
           != NGX_OK
        || ngx_array_init(&core->names, cf->pool, 2,
                          sizeof(ngx_ims_core_name_t *))
           != NGX_OK
        || ngx_array_init(&core->allow, cf->pool, 4, sizeof(ngx_cidr_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_ims_run_block(cf, core, ngx_http_ims_core_lines);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_ims_core_check(cf, core);
}


static char *
ngx_http_ims_core_check(ngx_conf_t *cf, ngx_ims_core_t *core)
{
    ngx_uint_t              i;
    ngx_ims_core_server_t  *server;
    ngx_ims_core_listen_t  *listen;

    if (core->listens.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"listen\" in \"ims_portal_core\" \"%V\"",
                           &core->name);
        return NGX_CONF_ERROR;
    }

    if (core->servers.nelts == 0 && core->names.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"server\" in \"ims_portal_core\" \"%V\"",
                           &core->name);
        return NGX_CONF_ERROR;
    }

    if (core->servers.nelts + core->names.nelts > 64) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than 64 \"server\" in \"ims_portal_core\" "
                           "\"%V\"", &core->name);
        return NGX_CONF_ERROR;
    }

    if (core->home_domain.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"home_domain\" in \"ims_portal_core\" \"%V\"",
                           &core->name);
        return NGX_CONF_ERROR;
    }

    /* who is behind the core may challenge, too, and must learn nothing */

    if (core->realm.len == 0) {
        core->realm = core->home_domain;
    }

    listen = core->listens.elts;
    server = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {
        if (!ngx_ims_core_sends(core, server[i].transport,
                                server[i].addr.sockaddr->sa_family))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no \"listen\" of the address family and "
                               "transport of \"server\" %V in "
                               "\"ims_portal_core\" \"%V\"",
                               &server[i].addr.name, &core->name);
            return NGX_CONF_ERROR;
        }
    }

    /* one for all, so that a browser's Contact is the same by any way */

    core->edge = ngx_ims_core_local(core, listen[0].transport,
                                    core->servers.nelts
                                    ? server[0].addr.sockaddr->sa_family
                                    : listen[0].family);

    ngx_conf_init_msec_value(core->timeout, 4000);
    ngx_conf_init_uint_value(core->max_requests, 10000);

    if (core->probe == NGX_CONF_UNSET_MSEC) {
        core->probe = core->servers.nelts > 1 || core->names.nelts ? 10000
                                                                   : 0;
    }

    if (core->visited_network.len == 0) {
        core->visited_network = listen[0].host;
    }

    if (ngx_ims_core_tls_init(cf, core) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ims_dial_check(cf, core);
}


ngx_ims_core_t *
ngx_http_ims_find_core(ngx_http_ims_main_conf_t *imcf, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_ims_core_t  **core;

    core = imcf->cores.elts;

    for (i = 0; i < imcf->cores.nelts; i++) {
        if (core[i]->name.len == name->len
            && ngx_strncmp(core[i]->name.data, name->data, name->len) == 0)
        {
            return core[i];
        }
    }

    return NULL;
}


/* listen address:port [udp | tcp | ssl] [host=name] */

static char *
ngx_http_ims_core_listen(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_str_t        host, value;
    ngx_url_t        u;
    ngx_uint_t       i, transport;
    ngx_ims_core_t  *core;

    core = object;
    transport = NGX_IMS_UDP;
    ngx_str_null(&host);

    for (i = 1; i < n; i++) {

        if (ngx_strcmp(args[i].data, "udp") == 0) {
            transport = NGX_IMS_UDP;
            continue;
        }

        if (ngx_strcmp(args[i].data, "tcp") == 0) {
            transport = NGX_IMS_TCP;
            continue;
        }

#if (NGX_SSL)
        if (ngx_strcmp(args[i].data, "ssl") == 0) {
            transport = NGX_IMS_TLS;
            continue;
        }
#endif

        if (args[i].len > 5 && ngx_strncmp(args[i].data, "host=", 5) == 0) {
            value.data = args[i].data + 5;
            value.len = args[i].len - 5;
            ngx_str_null(&host);

            if (ngx_http_ims_core_text(&host, &value) != NGX_CONF_OK
                || host.len > 255)
            {
                return "has an invalid \"host\"";
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"listen\" "
                           "of \"ims_portal_core\"", &args[i]);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = args[0];
    u.listen = 1;
    u.default_port = transport == NGX_IMS_TLS ? 5061 : 5060;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0
        || u.family == AF_UNIX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"listen\" \"%V\" of \"ims_portal_core\"",
                           u.err ? u.err : "invalid address", &args[0]);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {
        if (ngx_ims_core_add_listen(cf, core, &u.addrs[i], transport, &host)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_core_allow(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_int_t        rc;
    ngx_uint_t       i;
    ngx_cidr_t      *cidr;
    ngx_ims_core_t  *core;

    core = object;

    for (i = 0; i < n; i++) {
        cidr = ngx_array_push(&core->allow);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_ptocidr(&args[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\" in \"allow\" "
                               "of \"ims_portal_core\"", &args[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of %V are meaningless",
                               &args[i]);
        }
    }

    return NGX_CONF_OK;
}


/* a text that will stand in a header between quotes or in a URI */

static char *
ngx_http_ims_core_text(ngx_str_t *slot, ngx_str_t *value)
{
    size_t  i;

    if (slot->data != NULL) {
        return "is duplicate";
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f
            || ngx_strchr("\"\\<>@;,?", value->data[i]) != NULL)
        {
            return "has an invalid character";
        }
    }

    *slot = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_core_home_domain(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    return ngx_http_ims_core_text(&((ngx_ims_core_t *) object)->home_domain,
                                  &args[0]);
}


static char *
ngx_http_ims_core_visited_network(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n)
{
    return ngx_http_ims_core_text(
                               &((ngx_ims_core_t *) object)->visited_network,
                               &args[0]);
}


/* P-Access-Network-Info as the network gives it: type and parameters */

static char *
ngx_http_ims_core_access(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    u_char          *p, *last;
    ngx_ims_core_t  *core;

    core = object;

    if (core->access.len) {
        return "is duplicate";
    }

    last = args[0].data + args[0].len;

    for (p = args[0].data; p < last; p++) {
        if (*p < 0x20 || *p > 0x7e || *p == ',' || *p == '<' || *p == '>') {
            return "has an invalid value";
        }
    }

    if (args[0].len == 0 || args[0].len > 512
        || ngx_strlcasestrn(args[0].data, last, (u_char *) ";np", 3 - 1))
    {
        return "must be an access type with its parameters, without \";np\"";
    }

    core->access = args[0];

    return NGX_CONF_OK;
}
