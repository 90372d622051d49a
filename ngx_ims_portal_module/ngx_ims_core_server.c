/*
 * Copyright (C) the IMS portal authors
 *
 * The operator's servers: which one is next, which one is down, and where a
 * route URI leads.  State is a worker's own view.  No timers: a server that
 * failed is tried again by the first request after fail_timeout.
 */


#include "ngx_ims_core.h"


enum {
    NGX_IMS_CORE_SIP_PORT = 5060
};


static ngx_ims_core_server_t *ngx_ims_core_server(ngx_ims_core_t *core,
    uint64_t skip);
static ngx_ims_core_server_t *ngx_ims_core_balance(ngx_ims_core_t *core,
    uint64_t skip, ngx_uint_t backup, time_t now);
static ngx_uint_t ngx_ims_core_down(ngx_ims_core_server_t *s, time_t now);
static ngx_int_t ngx_ims_core_literal(ngx_ims_str_t *host, in_port_t port,
    ngx_sockaddr_t *sa, socklen_t *socklen);


ngx_int_t
ngx_ims_core_next(ngx_ims_core_t *core, uint64_t *tried, ngx_ims_flow_t *flow)
{
    ngx_ims_core_server_t  *s;

    s = ngx_ims_core_server(core, *tried);

    if (s == NULL) {
        return NGX_DECLINED;
    }

    *tried |= (uint64_t) 1 << (s - (ngx_ims_core_server_t *)
                                   core->servers.elts);

    return ngx_ims_core_flow(core, s->transport, s->addr.sockaddr,
                             s->addr.socklen, flow);
}


static ngx_ims_core_server_t *
ngx_ims_core_server(ngx_ims_core_t *core, uint64_t skip)
{
    time_t                  now;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s, *best;

    now = ngx_time();

    best = ngx_ims_core_balance(core, skip, 0, now);

    if (best == NULL) {
        best = ngx_ims_core_balance(core, skip, 1, now);
    }

    if (best != NULL) {

        if (best->max_fails && best->fails >= best->max_fails) {

            /* one request tries it again, the next after fail_timeout */
            best->checked = now;
        }

        return best;
    }

    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {

        if (i < 64 && (skip & ((uint64_t) 1 << i))) {
            continue;
        }

        if (best == NULL || s[i].checked < best->checked) {
            best = &s[i];
        }
    }

    return best;
}


/* smooth weighted round robin, as ngx_http_upstream_round_robin.c does it */

static ngx_ims_core_server_t *
ngx_ims_core_balance(ngx_ims_core_t *core, uint64_t skip, ngx_uint_t backup,
    time_t now)
{
    ngx_int_t               weight, total;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s, *best;

    s = core->servers.elts;
    best = NULL;
    total = 0;

    for (i = 0; i < core->servers.nelts; i++) {

        if (s[i].backup != backup
            || (i < 64 && (skip & ((uint64_t) 1 << i)))
            || ngx_ims_core_down(&s[i], now))
        {
            continue;
        }

        weight = s[i].weight ? (ngx_int_t) s[i].weight : 1;

        s[i].current += weight;
        total += weight;

        if (best == NULL || s[i].current > best->current) {
            best = &s[i];
        }
    }

    if (best != NULL) {
        best->current -= total;
    }

    return best;
}


static ngx_uint_t
ngx_ims_core_down(ngx_ims_core_server_t *s, time_t now)
{
    return s->max_fails
           && s->fails >= s->max_fails
           && now - s->checked <= s->fail_timeout;
}


void
ngx_ims_core_result(ngx_ims_core_t *core, ngx_ims_flow_t *flow, ngx_uint_t ok)
{
    ngx_uint_t              i, was;
    ngx_ims_core_server_t  *s;

    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {

        if (ngx_cmp_sockaddr(&flow->sockaddr.sockaddr, flow->socklen,
                             s[i].addr.sockaddr, s[i].addr.socklen, 1)
            != NGX_OK)
        {
            continue;
        }

        was = s[i].max_fails && s[i].fails >= s[i].max_fails;

        if (ok) {
            s[i].fails = 0;

            if (was) {
                ngx_log_error(NGX_LOG_NOTICE, core->log, 0,
                              "server \"%V\" of ims core \"%V\" is back",
                              &s[i].addr.name, &core->name);
            }

            continue;
        }

        s[i].fails++;
        s[i].checked = ngx_time();

        if (!was && s[i].max_fails && s[i].fails >= s[i].max_fails) {
            ngx_log_error(NGX_LOG_ERR, core->log, 0,
                          "server \"%V\" of ims core \"%V\" does not answer",
                          &s[i].addr.name, &core->name);
        }
    }
}


ngx_int_t
ngx_ims_core_next_hop(ngx_ims_core_t *core, ngx_ims_str_t *uri,
    ngx_ims_flow_t *flow)
{
    socklen_t          socklen;
    in_port_t          port;
    ngx_ims_str_t      value;
    ngx_sockaddr_t     sa;
    ngx_ims_sip_uri_t  u;

    if (ngx_ims_sip_parse_uri(uri, &u) != NGX_IMS_OK
        || u.scheme.len != 3
        || ngx_strncasecmp(u.scheme.data, (u_char *) "sip", 3) != 0)
    {
        return NGX_DECLINED;
    }

    if (ngx_ims_sip_param(&u.params, "maddr", NULL)) {
        return NGX_DECLINED;
    }

    if (ngx_ims_sip_param(&u.params, "transport", &value)
        && (value.len != 3
            || ngx_strncasecmp(value.data, (u_char *) "udp", 3) != 0))
    {
        return NGX_DECLINED;
    }

    port = u.port ? u.port : NGX_IMS_CORE_SIP_PORT;

    if (ngx_ims_core_literal(&u.host, port, &sa, &socklen) != NGX_OK
        || !ngx_ims_core_allowed(core, &sa.sockaddr))
    {
        return NGX_DECLINED;
    }

    return ngx_ims_core_flow(core, NGX_IMS_UDP, &sa.sockaddr, socklen, flow);
}


static ngx_int_t
ngx_ims_core_literal(ngx_ims_str_t *host, in_port_t port, ngx_sockaddr_t *sa,
    socklen_t *socklen)
{
    in_addr_t  addr;

    ngx_memzero(sa, sizeof(ngx_sockaddr_t));

#if (NGX_HAVE_INET6)

    if (host->len > 2 && host->data[0] == '[') {

        if (ngx_inet6_addr(host->data + 1, host->len - 2,
                           sa->sockaddr_in6.sin6_addr.s6_addr)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        sa->sockaddr_in6.sin6_family = AF_INET6;
        sa->sockaddr_in6.sin6_port = htons(port);
        *socklen = sizeof(struct sockaddr_in6);

        return NGX_OK;
    }

#endif

    addr = ngx_inet_addr(host->data, host->len);

    if (addr == INADDR_NONE) {
        return NGX_DECLINED;
    }

    sa->sockaddr_in.sin_family = AF_INET;
    sa->sockaddr_in.sin_port = htons(port);
    sa->sockaddr_in.sin_addr.s_addr = addr;
    *socklen = sizeof(struct sockaddr_in);

    return NGX_OK;
}
