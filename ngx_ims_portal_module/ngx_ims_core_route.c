/*
 * Copyright (C) the IMS portal authors
 *
 * Where a route URI leads (RFC 3263 4, RFC 3261 8.1.2): its host when that is
 * an address, or a name that was resolved, of those that are allowed; one of
 * the servers otherwise.  No timers.
 */


#include "ngx_ims_core_resolve.h"


typedef struct {
    ngx_ims_str_t             host;
    in_port_t                 port;           /* 0: none is said */
    ngx_uint_t                transport;      /* NGX_IMS_ANY: none is said */
} ngx_ims_core_target_t;


static ngx_int_t ngx_ims_core_target(ngx_ims_str_t *uri,
    ngx_ims_core_target_t *t);
static ngx_uint_t ngx_ims_core_is(ngx_ims_str_t *s, const char *word);
static ngx_int_t ngx_ims_core_literal(ngx_ims_str_t *host, in_port_t port,
    ngx_sockaddr_t *sa, socklen_t *socklen);
static ngx_int_t ngx_ims_core_to_addr(ngx_ims_core_t *core,
    ngx_ims_core_target_t *t, ngx_sockaddr_t *sa, socklen_t socklen,
    uint64_t *tried, ngx_ims_flow_t *flow);
static ngx_int_t ngx_ims_core_to_name(ngx_ims_core_t *core,
    ngx_ims_core_target_t *t, uint64_t *tried, ngx_ims_flow_t *flow);
static ngx_uint_t ngx_ims_core_name_usable(ngx_ims_core_t *core,
    ngx_ims_core_addr_t *addr, ngx_uint_t any);


ngx_int_t
ngx_ims_core_hop(ngx_ims_core_t *core, ngx_ims_str_t *uri, uint64_t *tried,
    ngx_ims_flow_t *flow)
{
    ngx_int_t              rc;
    socklen_t              socklen;
    ngx_sockaddr_t         sa;
    ngx_ims_core_target_t  t;

    if (uri->len && ngx_ims_core_target(uri, &t) == NGX_OK) {

        if (ngx_ims_core_literal(&t.host, t.port, &sa, &socklen) == NGX_OK) {
            rc = ngx_ims_core_to_addr(core, &t, &sa, socklen, tried, flow);

        } else {
            rc = ngx_ims_core_to_name(core, &t, tried, flow);
        }

        if (rc != NGX_DECLINED) {
            return rc == NGX_OK ? NGX_OK : NGX_DECLINED;
        }
    }

    return ngx_ims_core_next(core, tried, flow);
}


ngx_int_t
ngx_ims_core_next_hop(ngx_ims_core_t *core, ngx_ims_str_t *uri,
    ngx_ims_flow_t *flow)
{
    ngx_int_t              rc;
    uint64_t               tried;
    socklen_t              socklen;
    ngx_sockaddr_t         sa;
    ngx_ims_core_target_t  t;

    if (ngx_ims_core_target(uri, &t) != NGX_OK) {
        return NGX_DECLINED;
    }

    tried = 0;

    if (ngx_ims_core_literal(&t.host, t.port, &sa, &socklen) == NGX_OK) {
        rc = ngx_ims_core_to_addr(core, &t, &sa, socklen, &tried, flow);

    } else {
        rc = ngx_ims_core_to_name(core, &t, &tried, flow);
    }

    return rc == NGX_OK ? NGX_OK : NGX_DECLINED;
}


void
ngx_ims_core_prefetch(ngx_ims_core_t *core, ngx_ims_str_t *uri)
{
    socklen_t              socklen;
    ngx_sockaddr_t         sa;
    ngx_ims_core_target_t  t;

    if (ngx_ims_core_target(uri, &t) == NGX_OK
        && ngx_ims_core_literal(&t.host, t.port, &sa, &socklen) != NGX_OK)
    {
        (void) ngx_ims_core_lookup(core, &t.host, t.port, t.transport);
    }
}


static ngx_int_t
ngx_ims_core_target(ngx_ims_str_t *uri, ngx_ims_core_target_t *t)
{
    ngx_uint_t         sips;
    ngx_ims_str_t      value;
    ngx_ims_sip_uri_t  u;

    if (ngx_ims_sip_parse_uri(uri, &u) != NGX_IMS_OK || u.host.len == 0) {
        return NGX_DECLINED;
    }

    sips = ngx_ims_core_is(&u.scheme, "sips");

    if (!sips && !ngx_ims_core_is(&u.scheme, "sip")) {
        return NGX_DECLINED;
    }

    if (ngx_ims_sip_param(&u.params, "maddr", NULL)) {
        return NGX_DECLINED;
    }

    t->host = u.host;
    t->port = u.port;
    t->transport = sips ? NGX_IMS_TLS : NGX_IMS_ANY;

    if (!ngx_ims_sip_param(&u.params, "transport", &value)) {
        return NGX_OK;
    }

    if (ngx_ims_core_is(&value, "tls")
        || (sips && ngx_ims_core_is(&value, "tcp")))
    {
        t->transport = NGX_IMS_TLS;
        return NGX_OK;
    }

    if (!sips && ngx_ims_core_is(&value, "tcp")) {
        t->transport = NGX_IMS_TCP;
        return NGX_OK;
    }

    if (!sips && ngx_ims_core_is(&value, "udp")) {
        t->transport = NGX_IMS_UDP;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_ims_core_is(ngx_ims_str_t *s, const char *word)
{
    return s->len == strlen(word)
           && ngx_strncasecmp(s->data, (u_char *) word, s->len) == 0;
}


/*
 * An address: itself, unless it is a server that is down, or was tried, and
 * others can do its work.  NGX_DECLINED: one of those; NGX_ERROR: nobody.
 */

static ngx_int_t
ngx_ims_core_to_addr(ngx_ims_core_t *core, ngx_ims_core_target_t *t,
    ngx_sockaddr_t *sa, socklen_t socklen, uint64_t *tried,
    ngx_ims_flow_t *flow)
{
    uint64_t                bit;
    ngx_uint_t              transport;
    ngx_ims_core_server_t  *s;

    transport = t->transport;

    if (t->port == 0) {
        ngx_inet_set_port(&sa->sockaddr, transport == NGX_IMS_TLS
                                         ? NGX_IMS_CORE_SIPS_PORT
                                         : NGX_IMS_CORE_SIP_PORT);
    }

    if (transport == NGX_IMS_ANY) {

        /* what is configured for it, else UDP (RFC 3263 4.1) */

        for (transport = NGX_IMS_UDP; transport <= NGX_IMS_TLS; transport++) {
            if (ngx_ims_core_server(core, transport, &sa->sockaddr, socklen)) {
                break;
            }
        }

        if (transport > NGX_IMS_TLS) {
            transport = NGX_IMS_UDP;
        }
    }

    if (!ngx_ims_core_allowed(core, &sa->sockaddr)
        || !ngx_ims_core_sends(core, transport, sa->sockaddr.sa_family))
    {
        return NGX_DECLINED;
    }

    s = ngx_ims_core_server(core, transport, &sa->sockaddr, socklen);

    if (s == NULL) {

        if (*tried & NGX_IMS_CORE_ITSELF) {
            return NGX_ERROR;
        }

        *tried |= NGX_IMS_CORE_ITSELF;

        return ngx_ims_core_flow(core, transport, &sa->sockaddr, socklen,
                                 flow);
    }

    bit = (uint64_t) 1 << (s - (ngx_ims_core_server_t *) core->servers.elts);

    if (*tried & bit) {
        return NGX_DECLINED;
    }

    if (ngx_ims_core_down(core, s, ngx_time())
        && (*tried || ngx_ims_core_others(core, bit)))
    {
        return NGX_DECLINED;
    }

    *tried |= bit;

    return ngx_ims_core_flow(core, transport, &sa->sockaddr, socklen, flow);
}


/*
 * A name: one of its addresses by priority and share (RFC 2782).  NGX_DECLINED:
 * it is not known; NGX_ERROR: all of them were tried.  What is known of them
 * may change at any moment, so each is looked at once.
 */

static ngx_int_t
ngx_ims_core_to_name(ngx_ims_core_t *core, ngx_ims_core_target_t *t,
    uint64_t *tried, ngx_ims_flow_t *flow)
{
    uint64_t              usable;
    ngx_uint_t            i, any, best, total, n;
    ngx_ims_core_addr_t  *addr;
    ngx_ims_core_name_t  *name;

    name = ngx_ims_core_lookup(core, &t->host, t->port, t->transport);

    if (name == NULL) {
        return NGX_DECLINED;
    }

    addr = name->addrs;

    for (any = 0; any < 2; any++) {
        best = (ngx_uint_t) -1;
        total = 0;
        usable = 0;

        for (i = 0; i < name->naddrs; i++) {

            if ((*tried >> i) & 1
                || addr[i].priority > best
                || !ngx_ims_core_name_usable(core, &addr[i], any))
            {
                continue;
            }

            if (addr[i].priority < best) {
                best = addr[i].priority;
                total = 0;
                usable = 0;
            }

            usable |= (uint64_t) 1 << i;
            total += addr[i].share + 1;
        }

        if (total) {
            break;
        }
    }

    if (total == 0) {
        return *tried & NGX_IMS_CORE_ITSELF ? NGX_ERROR : NGX_DECLINED;
    }

    n = name->turn++ % total;

    for (i = 0; i < name->naddrs; i++) {

        if (!((usable >> i) & 1)) {
            continue;
        }

        if (n <= addr[i].share) {
            break;
        }

        n -= addr[i].share + 1;
    }

    *tried |= NGX_IMS_CORE_ITSELF | ((uint64_t) 1 << i);

    return ngx_ims_core_flow(core, addr[i].transport,
                             &addr[i].sockaddr.sockaddr, addr[i].socklen,
                             flow);
}


/* allowed, and not known to be down unless any will do */

static ngx_uint_t
ngx_ims_core_name_usable(ngx_ims_core_t *core, ngx_ims_core_addr_t *addr,
    ngx_uint_t any)
{
    ngx_ims_flow_t  flow;

    if (!ngx_ims_core_allowed(core, &addr->sockaddr.sockaddr)) {
        return 0;
    }

    if (any) {
        return 1;
    }

    flow.grown = 0;
    flow.transport = addr->transport;
    flow.sockaddr = addr->sockaddr;
    flow.socklen = addr->socklen;

    return !ngx_ims_core_known_down(core, &flow);
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
