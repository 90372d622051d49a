/*
 * Copyright (C) the IMS portal authors
 *
 * Names: those of server lines are kept resolved, those of routes are looked up
 * when they are seen and kept in a small cache of each worker.  Nothing ever
 * waits for DNS; old addresses serve until there are new ones.
 *
 * Timers: one for each name of a server line, at the end of its TTL or, after a
 * failure, 1 to 30 s later; cancelable.
 */


#include "ngx_ims_core_resolve.h"


enum {
    NGX_IMS_CORE_MAX_HOST = 255,
    NGX_IMS_CORE_MAX_TTL = 86400,        /* s */
    NGX_IMS_CORE_MAX_PAUSE = 30          /* s after failures in a row */
};


typedef struct {
    ngx_uint_t                n;
    ngx_ims_core_name_t      *names[NGX_IMS_CORE_NAMES];
} ngx_ims_core_cache_t;


/* RFC 3263 4.1 and 4.2, in this order; the last is A and AAAA */

typedef struct {
    ngx_str_t                 service;
    ngx_uint_t                transport;
} ngx_ims_core_step_t;


static ngx_ims_core_step_t  ngx_ims_core_steps[] = {
    { ngx_string("_sip._udp"), NGX_IMS_UDP },
    { ngx_string("_sip._tcp"), NGX_IMS_TCP },
    { ngx_string("_sips._tcp"), NGX_IMS_TLS },
    { ngx_null_string, NGX_IMS_ANY }
};

enum {
    NGX_IMS_CORE_LAST = 3
};


static void ngx_ims_core_timer(ngx_event_t *ev);
static void ngx_ims_core_resolve(ngx_ims_core_name_t *name, ngx_uint_t step);
static ngx_uint_t ngx_ims_core_step(ngx_ims_core_name_t *name,
    ngx_uint_t step);
static void ngx_ims_core_resolved(ngx_resolver_ctx_t *ctx);
static ngx_uint_t ngx_ims_core_take(ngx_ims_core_name_t *name,
    ngx_resolver_ctx_t *ctx);
static ngx_uint_t ngx_ims_core_take_transport(ngx_ims_core_name_t *name,
    struct sockaddr *sa, socklen_t socklen);
static void ngx_ims_core_touch(ngx_ims_core_name_t *name);
static void ngx_ims_core_failed(ngx_ims_core_name_t *name, ngx_int_t state);
static void ngx_ims_core_again(ngx_ims_core_name_t *name, time_t seconds);
static ngx_ims_core_name_t *ngx_ims_core_cached(ngx_ims_core_cache_t *cache,
    ngx_ims_str_t *host, in_port_t port, ngx_uint_t transport);
static ngx_ims_core_name_t *ngx_ims_core_remember(ngx_ims_core_t *core,
    ngx_ims_str_t *host, in_port_t port, ngx_uint_t transport);
static ngx_uint_t ngx_ims_core_hostname(ngx_ims_str_t *host);


ngx_int_t
ngx_ims_core_add_name(ngx_conf_t *cf, ngx_ims_core_t *core, ngx_str_t *host,
    in_port_t port, ngx_uint_t transport, ngx_ims_core_server_t *line)
{
    ngx_ims_core_name_t  *name, **slot;

    name = ngx_pcalloc(cf->pool, sizeof(ngx_ims_core_name_t));
    slot = ngx_array_push(&core->names);

    if (name == NULL || slot == NULL) {
        return NGX_ERROR;
    }

    *slot = name;

    name->line = ngx_palloc(cf->pool, sizeof(ngx_ims_core_server_t));
    if (name->line == NULL) {
        return NGX_ERROR;
    }

    *name->line = *line;

    name->core = core;
    name->host = *host;
    name->port = port;
    name->transport = transport;

    return NGX_OK;
}


ngx_int_t
ngx_ims_core_resolve_init(ngx_cycle_t *cycle, ngx_ims_core_t *core)
{
    ngx_uint_t              i;
    ngx_ims_core_name_t   **name;
    ngx_ims_core_server_t  *s;

    core->crc = ngx_crc32_short(core->name.data, core->name.len);

    core->counts = ngx_ims_health_core(core->health, core->crc);

    if (core->counts == NULL) {
        core->counts = &core->own;
    }

    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {
        s[i].health = ngx_ims_health_hop(core->health, core->crc,
                                         s[i].transport, s[i].addr.sockaddr);
    }

    if (core->resolver == NULL) {
        return NGX_OK;
    }

    core->cache = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_core_cache_t));
    if (core->cache == NULL) {
        return NGX_ERROR;
    }

    name = core->names.elts;

    for (i = 0; i < core->names.nelts; i++) {
        name[i]->event.handler = ngx_ims_core_timer;
        name[i]->event.data = name[i];
        name[i]->event.log = cycle->log;
        name[i]->event.cancelable = 1;

        /* the resolver's sockets are opened from within the event loop */

        ngx_add_timer(&name[i]->event, 1);
    }

    return NGX_OK;
}


static void
ngx_ims_core_timer(ngx_event_t *ev)
{
    ngx_ims_core_resolve(ev->data, 0);
}


/* looks a name up, beginning with some step */

static void
ngx_ims_core_resolve(ngx_ims_core_name_t *name, ngx_uint_t step)
{
    ngx_resolver_ctx_t  *ctx;

    step = ngx_ims_core_step(name, step);

    ctx = ngx_resolve_start(name->core->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_ims_core_failed(name, NGX_RESOLVE_SERVFAIL);
        return;
    }

    ctx->name = name->host;
    ctx->service = ngx_ims_core_steps[step].service;
    ctx->handler = ngx_ims_core_resolved;
    ctx->data = name;
    ctx->timeout = name->core->resolver_timeout;
    ctx->cancelable = 1;

    name->ctx = ctx;
    name->step = step;

    /* what is cached there is told at once; after an error ctx is gone */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        name->ctx = NULL;
        ngx_ims_core_failed(name, NGX_RESOLVE_SERVFAIL);
    }
}


/* the first step from this one on that makes sense */

static ngx_uint_t
ngx_ims_core_step(ngx_ims_core_name_t *name, ngx_uint_t step)
{
    ngx_uint_t       transport;
    ngx_ims_core_t  *core;

    core = name->core;

    if (name->port) {
        return NGX_IMS_CORE_LAST;
    }

    for ( /* void */ ; step < NGX_IMS_CORE_LAST; step++) {
        transport = ngx_ims_core_steps[step].transport;

        if (name->transport != NGX_IMS_ANY && name->transport != transport) {
            continue;
        }

        /* "sip:" asks for no TLS, a server line takes what there is */

        if (transport == NGX_IMS_TLS && name->transport == NGX_IMS_ANY
            && name->line == NULL)
        {
            continue;
        }

        if (ngx_ims_core_sends(core, transport, AF_INET)
            || ngx_ims_core_sends(core, transport, AF_INET6))
        {
            break;
        }
    }

    return step;
}


static void
ngx_ims_core_resolved(ngx_resolver_ctx_t *ctx)
{
    time_t                valid;
    ngx_int_t             state;
    ngx_uint_t            found;
    ngx_ims_core_name_t  *name;

    name = ctx->data;
    name->ctx = NULL;

    found = 0;
    state = ctx->state;
    valid = ctx->valid;

    if (state == NGX_OK) {
        found = ngx_ims_core_take(name, ctx);
    }

    ngx_resolve_name_done(ctx);

    if (!found) {

        /*
         * no such records, or none of use: the next step; a failure of DNS
         * itself says nothing, and old addresses are better than guesses
         */

        if (name->step < NGX_IMS_CORE_LAST
            && (state == NGX_OK || state == NGX_RESOLVE_NXDOMAIN
                || name->naddrs == 0))
        {
            ngx_ims_core_resolve(name, name->step + 1);
            return;
        }

        ngx_ims_core_failed(name, state == NGX_OK ? NGX_RESOLVE_NXDOMAIN
                                                  : state);
        return;
    }

    if (name->failed) {
        ngx_log_error(NGX_LOG_NOTICE, name->core->log, 0,
                      "\"%V\" of ims core \"%V\" is resolved again",
                      &name->host, &name->core->name);
    }

    name->failed = 0;
    name->pause = 0;
    name->valid = ngx_min(valid, ngx_time() + NGX_IMS_CORE_MAX_TTL);

    if (name->line != NULL) {
        ngx_ims_core_update(name);
    }

    ngx_ims_core_again(name, name->valid - ngx_time() + 1);
}


/* the addresses that are of use; the old ones stay when there are none */

static ngx_uint_t
ngx_ims_core_take(ngx_ims_core_name_t *name, ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t            i, n, transport;
    ngx_ims_core_t       *core;
    ngx_ims_core_addr_t   addrs[NGX_IMS_CORE_ADDRS], *a;

    core = name->core;
    n = 0;

    for (i = 0; i < ctx->naddrs && n < NGX_IMS_CORE_ADDRS; i++) {
        a = &addrs[n];

        if (ctx->addrs[i].socklen > sizeof(ngx_sockaddr_t)) {
            continue;
        }

        ngx_memzero(a, sizeof(ngx_ims_core_addr_t));
        ngx_memcpy(&a->sockaddr, ctx->addrs[i].sockaddr,
                   ctx->addrs[i].socklen);
        a->socklen = ctx->addrs[i].socklen;

        transport = ngx_ims_core_steps[name->step].transport;

        if (name->step == NGX_IMS_CORE_LAST) {
            transport = ngx_ims_core_take_transport(name,
                                                    &a->sockaddr.sockaddr,
                                                    a->socklen);
        } else {
            a->priority = ctx->addrs[i].priority;
            a->share = ctx->addrs[i].weight;
        }

        if (!ngx_ims_core_sends(core, transport,
                                a->sockaddr.sockaddr.sa_family))
        {
            continue;
        }

        a->transport = transport;
        n++;
    }

    if (n) {
        name->naddrs = n;
        ngx_memcpy(name->addrs, addrs, n * sizeof(ngx_ims_core_addr_t));
        ngx_ims_core_touch(name);
    }

    return n;
}


/* a place in the zone is another's when nobody has looked it up for long */

static void
ngx_ims_core_touch(ngx_ims_core_name_t *name)
{
    ngx_uint_t            i;
    ngx_ims_core_t       *core;
    ngx_ims_core_addr_t  *a;

    core = name->core;
    name->touched = ngx_time();

    for (i = 0; i < name->naddrs; i++) {
        a = &name->addrs[i];
        a->health = ngx_ims_health_hop(core->health, core->crc, a->transport,
                                       &a->sockaddr.sockaddr);
    }
}


/* the transport and port of an address that came without */

static ngx_uint_t
ngx_ims_core_take_transport(ngx_ims_core_name_t *name, struct sockaddr *sa,
    socklen_t socklen)
{
    ngx_uint_t  transport;

    transport = name->transport;

    ngx_inet_set_port(sa, name->port ? name->port
                          : transport == NGX_IMS_TLS ? NGX_IMS_CORE_SIPS_PORT
                                                     : NGX_IMS_CORE_SIP_PORT);

    if (transport != NGX_IMS_ANY) {
        return transport;
    }

    for (transport = NGX_IMS_UDP; transport <= NGX_IMS_TLS; transport++) {

        if (name->line == NULL
            && ngx_ims_core_server(name->core, transport, sa, socklen))
        {
            return transport;
        }
    }

    return NGX_IMS_UDP;
}


static void
ngx_ims_core_failed(ngx_ims_core_name_t *name, ngx_int_t state)
{
    if (!name->failed) {
        name->failed = 1;

        ngx_log_error(NGX_LOG_ERR, name->core->log, 0,
                      "\"%V\" of ims core \"%V\" could not be resolved "
                      "(%i: %s)%s", &name->host, &name->core->name, state,
                      ngx_resolver_strerror(state),
                      name->naddrs ? ", its old addresses stay" : "");
    }

    name->pause = name->pause ? ngx_min(name->pause * 2,
                                        NGX_IMS_CORE_MAX_PAUSE)
                              : 1;
    name->valid = ngx_time() + name->pause - 1;

    ngx_ims_core_again(name, name->pause);
}


/* a route's name waits until somebody asks for it */

static void
ngx_ims_core_again(ngx_ims_core_name_t *name, time_t seconds)
{
    if (name->line != NULL) {
        ngx_add_timer(&name->event,
                      (ngx_msec_t) ngx_max(seconds, 1) * 1000);
    }
}


ngx_ims_core_name_t *
ngx_ims_core_lookup(ngx_ims_core_t *core, ngx_ims_str_t *host, in_port_t port,
    ngx_uint_t transport)
{
    ngx_ims_core_name_t  *name;

    if (core->cache == NULL || !ngx_ims_core_hostname(host)) {
        return NULL;
    }

    name = ngx_ims_core_cached(core->cache, host, port, transport);

    if (name == NULL) {
        name = ngx_ims_core_remember(core, host, port, transport);
        if (name == NULL) {
            return NULL;
        }
    }

    name->used = ngx_time();

    if (name->used - name->touched >= NGX_IMS_HEALTH_REST / 4) {
        ngx_ims_core_touch(name);
    }

    if (name->ctx == NULL && ngx_time() > name->valid) {
        ngx_ims_core_resolve(name, 0);
    }

    return name->naddrs ? name : NULL;
}


static ngx_ims_core_name_t *
ngx_ims_core_cached(ngx_ims_core_cache_t *cache, ngx_ims_str_t *host,
    in_port_t port, ngx_uint_t transport)
{
    ngx_uint_t            i;
    ngx_ims_core_name_t  *name;

    for (i = 0; i < cache->n; i++) {
        name = cache->names[i];

        if (name->port == port && name->transport == transport
            && name->host.len == host->len
            && ngx_strncasecmp(name->host.data, host->data, host->len) == 0)
        {
            if (i) {

                /* what is asked for often moves to the front */

                cache->names[i] = cache->names[i - 1];
                cache->names[i - 1] = name;
            }

            return name;
        }
    }

    return NULL;
}


static ngx_ims_core_name_t *
ngx_ims_core_remember(ngx_ims_core_t *core, ngx_ims_str_t *host,
    in_port_t port, ngx_uint_t transport)
{
    ngx_uint_t             i, old;
    ngx_ims_core_name_t   *name;
    ngx_ims_core_cache_t  *cache;

    cache = core->cache;
    old = cache->n;

    if (old == NGX_IMS_CORE_NAMES) {

        /* the one that nobody asked for longest, unless it is looked up */

        for (i = 0; i < NGX_IMS_CORE_NAMES; i++) {

            if (cache->names[i]->ctx == NULL
                && (old == NGX_IMS_CORE_NAMES
                    || cache->names[i]->used < cache->names[old]->used))
            {
                old = i;
            }
        }

        if (old == NGX_IMS_CORE_NAMES) {
            return NULL;
        }
    }

    name = ngx_calloc(sizeof(ngx_ims_core_name_t) + host->len, core->log);
    if (name == NULL) {
        return NULL;
    }

    name->core = core;
    name->port = port;
    name->transport = transport;
    name->host.data = (u_char *) name + sizeof(ngx_ims_core_name_t);
    name->host.len = host->len;
    ngx_memcpy(name->host.data, host->data, host->len);

    if (old == cache->n) {
        cache->n++;

    } else {
        ngx_free(cache->names[old]);
    }

    cache->names[old] = name;

    return name;
}


static ngx_uint_t
ngx_ims_core_hostname(ngx_ims_str_t *host)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < host->len; i++) {
        ch = host->data[i];

        if ((ch < '0' || ch > '9') && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
            && ch != '-' && ch != '.' && ch != '_')
        {
            return 0;
        }
    }

    return host->len > 0 && host->len <= NGX_IMS_CORE_MAX_HOST;
}


ngx_ims_health_hop_t *
ngx_ims_core_route_health(ngx_ims_core_t *core, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen)
{
    ngx_uint_t             i, k;
    ngx_ims_core_addr_t   *a;
    ngx_ims_core_cache_t  *cache;

    cache = core->cache;

    if (cache == NULL) {
        return NULL;
    }

    for (i = 0; i < cache->n; i++) {

        /* it would have been looked up again if it were in use */

        if (ngx_time() - cache->names[i]->touched >= NGX_IMS_HEALTH_REST) {
            continue;
        }

        for (k = 0; k < cache->names[i]->naddrs; k++) {
            a = &cache->names[i]->addrs[k];

            if (a->transport == transport
                && ngx_cmp_sockaddr(sa, socklen, &a->sockaddr.sockaddr,
                                    a->socklen, 1)
                   == NGX_OK)
            {
                return a->health;
            }
        }
    }

    return NULL;
}
