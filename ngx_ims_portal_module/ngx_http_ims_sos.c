/*
 * Copyright (C) the IMS portal authors
 *
 * The line "emergency": which numbers, and where such requests go.
 *
 * No timers.
 */


#include "ngx_http_ims_dial.h"


static char *ngx_http_ims_sos_numbers(ngx_conf_t *cf, ngx_ims_dial_plan_t *plan,
    ngx_str_t *value);
static char *ngx_http_ims_sos_route(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *value);
static char *ngx_http_ims_sos_location(ngx_ims_core_sos_t *sos,
    ngx_str_t *value);


/* emergency [numbers=112,110:police] reject|route=sip:... [location=...] */

char *
ngx_http_ims_sos(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    char                *rv;
    ngx_str_t            value;
    ngx_uint_t           i, reject;
    ngx_ims_core_t      *core;
    ngx_ims_core_sos_t  *sos;

    core = object;
    sos = &core->sos;

    if (sos->set) {
        return "is duplicate";
    }

    sos->set = 1;
    reject = 0;

    for (i = 0; i < n; i++) {
        rv = "is invalid";

        if (ngx_strcmp(args[i].data, "reject") == 0) {
            reject = 1;
            rv = NGX_CONF_OK;

        } else if (ngx_strncmp(args[i].data, "numbers=", 8) == 0) {
            value.data = args[i].data + 8;
            value.len = args[i].len - 8;
            rv = ngx_http_ims_sos_numbers(cf, &core->dial, &value);

        } else if (ngx_strncmp(args[i].data, "route=", 6) == 0) {
            value.data = args[i].data + 6;
            value.len = args[i].len - 6;
            rv = ngx_http_ims_sos_route(cf, core, &value);

        } else if (ngx_strncmp(args[i].data, "location=", 9) == 0) {
            value.data = args[i].data + 9;
            value.len = args[i].len - 9;
            rv = ngx_http_ims_sos_location(sos, &value);
        }

        if (rv != NGX_CONF_OK) {

            if (rv != NGX_CONF_ERROR) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "parameter \"%V\" of \"emergency\" %s",
                                   &args[i], rv);
            }

            return NGX_CONF_ERROR;
        }
    }

    if (reject == (sos->route.len != 0)) {
        return "must have either \"reject\" or \"route\"";
    }

    if (reject && sos->no_location) {
        return "has a location, but no route";
    }

    return NGX_CONF_OK;
}


/* numbers, each with the service of its URN (RFC 5031) or without */

static char *
ngx_http_ims_sos_numbers(ngx_conf_t *cf, ngx_ims_dial_plan_t *plan,
    ngx_str_t *value)
{
    u_char              *p;
    size_t               i;
    ngx_str_t            s, service;
    ngx_ims_dial_sos_t  *list;

    while (ngx_http_ims_dial_next(value, &s)) {
        ngx_str_null(&service);
        p = ngx_strlchr(s.data, s.data + s.len, ':');

        if (p != NULL) {
            service.data = p + 1;
            service.len = s.data + s.len - service.data;
            s.len = p - s.data;

            if (service.len == 0 || service.len > NGX_IMS_DIAL_NAME / 2) {
                return "has an invalid service";
            }
        }

        for (i = 0; i < service.len; i++) {
            if (!((service.data[i] >= 'a' && service.data[i] <= 'z')
                  || (i && (service.data[i] == '-'
                            || service.data[i] == '.'))))
            {
                return "has an invalid service";
            }
        }

        if (!ngx_ims_dial_digits(&s, 0)) {
            return "has what is not a number";
        }

        list = ngx_http_ims_dial_push(cf, plan->sos, &plan->nsos,
                                      sizeof(ngx_ims_dial_sos_t));
        if (list == NULL) {
            return NGX_CONF_ERROR;
        }

        plan->sos = list;
        list[plan->nsos - 1].number = s;
        list[plan->nsos - 1].service = service;
    }

    return plan->nsos ? NGX_CONF_OK : "is empty";
}


/* a SIP URI, with "<>" or without; it routes loosely, said or not */

static char *
ngx_http_ims_sos_route(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *value)
{
    u_char              *p;
    ngx_url_t            u;
    ngx_str_t            s, transport;
    ngx_ims_core_sos_t  *sos;
    ngx_ims_sip_uri_t    uri;

    sos = &core->sos;

    if (sos->route.len) {
        return "is duplicate";
    }

    s = *value;

    if (s.len > 2 && s.data[0] == '<' && s.data[s.len - 1] == '>') {
        s.data++;
        s.len -= 2;
    }

    if (ngx_ims_sip_parse_uri(&s, &uri) != NGX_IMS_OK || uri.host.len == 0
        || uri.headers.len)
    {
        return "is not a SIP URI";
    }

    sos->transport = uri.scheme.len == 4 ? NGX_IMS_TLS : NGX_IMS_UDP;

    if (ngx_ims_sip_param(&uri.params, "transport", &transport)) {

        if (transport.len == 3
            && ngx_strncasecmp(transport.data, (u_char *) "tcp", 3) == 0)
        {
            sos->transport = ngx_max(sos->transport, NGX_IMS_TCP);

        } else if (transport.len == 3
                   && ngx_strncasecmp(transport.data, (u_char *) "tls", 3)
                      == 0)
        {
            sos->transport = NGX_IMS_TLS;

        } else if (transport.len != 3
                   || ngx_strncasecmp(transport.data, (u_char *) "udp", 3)
                      != 0)
        {
            return "has an unknown transport";
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = uri.host;
    u.default_port = uri.port ? uri.port
                              : sos->transport == NGX_IMS_TLS ? 5061 : 5060;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0
        || u.family == AF_UNIX)
    {
        return u.err ? u.err : "has an invalid address";
    }

    sos->addr = u.addrs[0];

    p = ngx_pnalloc(cf->pool, s.len + sizeof("<;lr>"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    sos->route.data = p;
    sos->route.len = ngx_sprintf(p, "<%V%s>", &s,
                                 ngx_ims_sip_param(&uri.params, "lr", NULL)
                                 ? "" : ";lr")
                     - p;

    return NGX_CONF_OK;
}


/* keep, none, or a URI that names the place (RFC 6442) */

static char *
ngx_http_ims_sos_location(ngx_ims_core_sos_t *sos, ngx_str_t *value)
{
    size_t             i;
    ngx_ims_sip_uri_t  uri;

    if (ngx_strcmp(value->data, "keep") == 0) {
        return NGX_CONF_OK;
    }

    sos->no_location = 1;

    if (ngx_strcmp(value->data, "none") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f
            || ngx_strchr("\"\\<>", value->data[i]) != NULL)
        {
            return "has an invalid character";
        }
    }

    if (ngx_ims_sip_parse_uri(value, &uri) != NGX_IMS_OK) {
        return "is invalid, it may be \"keep\", \"none\" or a URI";
    }

    sos->location = *value;

    return NGX_CONF_OK;
}


char *
ngx_http_ims_sos_check(ngx_conf_t *cf, ngx_ims_core_t *core)
{
    ngx_str_t             numbers;
    ngx_cidr_t           *cidr;
    ngx_ims_core_sos_t   *sos;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sos = &core->sos;

    if (core->dial.nsos == 0) {
        ngx_str_set(&numbers, "112,911");

        if (ngx_http_ims_sos_numbers(cf, &core->dial, &numbers)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (sos->route.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_ims_core_local(core, sos->transport, sos->addr.sockaddr->sa_family)
        == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"listen\" of the address family of the route "
                           "of \"emergency\" in \"ims_portal_core\" \"%V\"",
                           &core->name);
        return NGX_CONF_ERROR;
    }

    /* it is heard, too */

    cidr = ngx_array_push(&core->allow);
    if (cidr == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(cidr, sizeof(ngx_cidr_t));
    cidr->family = sos->addr.sockaddr->sa_family;

#if (NGX_HAVE_INET6)

    if (cidr->family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) sos->addr.sockaddr;
        cidr->u.in6.addr = sin6->sin6_addr;
        ngx_memset(&cidr->u.in6.mask, 0xff, sizeof(cidr->u.in6.mask));

        return NGX_CONF_OK;
    }

#endif

    sin = (struct sockaddr_in *) sos->addr.sockaddr;
    cidr->u.in.addr = sin->sin_addr.s_addr;
    cidr->u.in.mask = 0xffffffff;

    return NGX_CONF_OK;
}
