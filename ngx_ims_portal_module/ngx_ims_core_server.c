/*
 * Copyright (C) the IMS portal authors
 *
 * The operator's servers: which one is next, and which one is down.  What is
 * known of a server is shared by all workers (ngx_ims_health.h), whose turn it
 * is is a worker's own.  No timers: a server that failed is tried again by the
 * first request after fail_timeout, or found to be back by a probe.
 */


#include "ngx_ims_core_resolve.h"


enum {
    NGX_IMS_CORE_SCALE = 1000,           /* of weights, for shares of SRV */
    NGX_IMS_CORE_MAX_BUSY = 300,         /* s that a server may rest at most */
    NGX_IMS_CORE_FAIL_TIMEOUT = 10       /* s, of a hop that is no server */
};


#define ngx_ims_core_health(s)  ((s)->health ? (s)->health : &(s)->own)

#define ngx_ims_core_tried(core, s, tried)                                    \
    (((tried) >> ((s) - (ngx_ims_core_server_t *) (core)->servers.elts)) & 1)


static ngx_ims_core_server_t *ngx_ims_core_balance(ngx_ims_core_t *core,
    uint64_t skip, ngx_uint_t backup, time_t now);
static void ngx_ims_core_shares(ngx_ims_core_t *core, uint64_t skip,
    ngx_uint_t backup, time_t now);
static ngx_uint_t ngx_ims_core_usable(ngx_ims_core_t *core,
    ngx_ims_core_server_t *s, uint64_t skip, ngx_uint_t backup, time_t now);
static ngx_int_t ngx_ims_core_weight(ngx_ims_core_server_t *s);
static ngx_ims_core_server_t *ngx_ims_core_oldest(ngx_ims_core_t *core,
    uint64_t skip, time_t now);
static ngx_ims_health_hop_t *ngx_ims_core_flow_health(ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_core_server_t **server);
static ngx_ims_core_server_t *ngx_ims_core_slot(ngx_ims_core_name_t *name,
    ngx_ims_core_addr_t *addr);


ngx_int_t
ngx_ims_core_next(ngx_ims_core_t *core, uint64_t *tried, ngx_ims_flow_t *flow)
{
    time_t                  now;
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    now = ngx_time();

    s = ngx_ims_core_balance(core, *tried, 0, now);

    if (s == NULL) {
        s = ngx_ims_core_balance(core, *tried, 1, now);
    }

    if (s == NULL) {

        /* all are down, or so it seems: better one of them than none */

        s = ngx_ims_core_oldest(core, *tried, now);
    }

    if (s == NULL) {
        return NGX_DECLINED;
    }

    h = ngx_ims_core_health(s);

    if (s->max_fails && h->fails >= s->max_fails) {

        /* one request tries it again, the next after fail_timeout */

        h->checked = now;
    }

    *tried |= (uint64_t) 1 << (s - (ngx_ims_core_server_t *)
                                   core->servers.elts);

    return ngx_ims_core_flow(core, s->transport, s->addr.sockaddr,
                             s->addr.socklen, flow);
}


/* smooth weighted round robin, as ngx_http_upstream_round_robin.c does it */

static ngx_ims_core_server_t *
ngx_ims_core_balance(ngx_ims_core_t *core, uint64_t skip, ngx_uint_t backup,
    time_t now)
{
    ngx_int_t               weight, total;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s, *best;

    ngx_ims_core_shares(core, skip, backup, now);

    s = core->servers.elts;
    best = NULL;
    total = 0;

    for (i = 0; i < core->servers.nelts && i < 64; i++) {

        if (!ngx_ims_core_usable(core, &s[i], skip, backup, now)) {
            continue;
        }

        if (s[i].name != NULL && s[i].priority != s[i].name->best) {
            continue;
        }

        weight = ngx_ims_core_weight(&s[i]);

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


/* RFC 2782: of each name the lowest priority of those that are left */

static void
ngx_ims_core_shares(ngx_ims_core_t *core, uint64_t skip, ngx_uint_t backup,
    time_t now)
{
    ngx_uint_t              i;
    ngx_ims_core_name_t    *name;
    ngx_ims_core_server_t  *s;

    if (core->names.nelts == 0) {
        return;
    }

    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {
        if (s[i].name != NULL) {
            s[i].name->best = (ngx_uint_t) -1;
        }
    }

    for (i = 0; i < core->servers.nelts && i < 64; i++) {
        name = s[i].name;

        if (name == NULL || s[i].priority > name->best
            || !ngx_ims_core_usable(core, &s[i], skip, backup, now))
        {
            continue;
        }

        if (s[i].priority < name->best) {
            name->best = s[i].priority;
            name->total = 0;
            name->count = 0;
        }

        name->total += s[i].share;
        name->count++;
    }
}


static ngx_uint_t
ngx_ims_core_usable(ngx_ims_core_t *core, ngx_ims_core_server_t *s,
    uint64_t skip, ngx_uint_t backup, time_t now)
{
    return !s->off && s->backup == backup
           && !ngx_ims_core_tried(core, s, skip)
           && !ngx_ims_core_down(core, s, now);
}


/*
 * Each address has the weight of its line, as in an upstream; those of one SRV
 * priority divide their sum among them by the weights of the records.
 */

static ngx_int_t
ngx_ims_core_weight(ngx_ims_core_server_t *s)
{
    ngx_int_t             weight;
    ngx_ims_core_name_t  *name;

    weight = (s->weight ? s->weight : 1) * NGX_IMS_CORE_SCALE;
    name = s->name;

    if (name == NULL || name->total == 0) {
        return weight;
    }

    weight = weight * (ngx_int_t) name->count * (ngx_int_t) s->share
             / (ngx_int_t) name->total;

    return weight ? weight : 1;
}


/*
 * The one that was not tried for longest.  One that asked for a rest gets it,
 * unless it is the only hope.
 */

static ngx_ims_core_server_t *
ngx_ims_core_oldest(ngx_ims_core_t *core, uint64_t skip, time_t now)
{
    ngx_uint_t              i;
    ngx_ims_health_hop_t   *h, *oldest;
    ngx_ims_core_server_t  *s, *best;

    s = core->servers.elts;
    best = NULL;
    oldest = NULL;

    for (i = 0; i < core->servers.nelts && i < 64; i++) {
        h = ngx_ims_core_health(&s[i]);

        if (s[i].off || ngx_ims_core_tried(core, &s[i], skip)
            || (skip && (time_t) h->until > now))
        {
            continue;
        }

        if (best == NULL || h->checked < oldest->checked) {
            best = &s[i];
            oldest = h;
        }
    }

    return best;
}


ngx_uint_t
ngx_ims_core_left(ngx_ims_core_t *core, uint64_t tried)
{
    return ngx_ims_core_oldest(core, tried, ngx_time()) != NULL;
}


ngx_uint_t
ngx_ims_core_down(ngx_ims_core_t *core, ngx_ims_core_server_t *s, time_t now)
{
    time_t                 wait;
    ngx_ims_health_hop_t  *h;

    h = ngx_ims_core_health(s);

    if ((time_t) h->until > now) {
        return 1;
    }

    if (s->max_fails == 0 || h->fails < s->max_fails) {
        return 0;
    }

    wait = s->fail_timeout;

    if (core->probe) {

        /* a probe says so before a request has to try */

        wait = ngx_max(wait, (time_t) ((core->probe + core->probe_timeout)
                                       / 1000 + 3));
    }

    return now - (time_t) h->checked <= wait;
}


ngx_uint_t
ngx_ims_core_others(ngx_ims_core_t *core, uint64_t tried)
{
    time_t                  now;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s;

    if (tried & NGX_IMS_CORE_ITSELF) {
        return 1;
    }

    now = ngx_time();
    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts && i < 64; i++) {

        if (ngx_ims_core_usable(core, &s[i], tried, 0, now)
            || ngx_ims_core_usable(core, &s[i], tried, 1, now))
        {
            return 1;
        }
    }

    return 0;
}


ngx_ims_core_server_t *
ngx_ims_core_server(ngx_ims_core_t *core, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen)
{
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s;

    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {

        if (!s[i].off
            && s[i].transport == transport
            && ngx_cmp_sockaddr(sa, socklen, s[i].addr.sockaddr,
                                s[i].addr.socklen, 1)
               == NGX_OK)
        {
            return &s[i];
        }
    }

    return NULL;
}


static ngx_ims_health_hop_t *
ngx_ims_core_flow_health(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_ims_core_server_t **server)
{
    ngx_uint_t              transport;
    ngx_ims_core_server_t  *s;

    /* a long request to a server of datagrams is that server's */

    transport = flow->grown ? NGX_IMS_UDP : flow->transport;

    s = ngx_ims_core_server(core, transport, &flow->sockaddr.sockaddr,
                            flow->socklen);
    *server = s;

    if (s != NULL) {
        return ngx_ims_core_health(s);
    }

    return ngx_ims_core_route_health(core, transport,
                                     &flow->sockaddr.sockaddr, flow->socklen);
}


void
ngx_ims_core_result(ngx_ims_core_t *core, ngx_ims_flow_t *flow, ngx_uint_t ok)
{
    ngx_atomic_uint_t       fails, max;
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    h = ngx_ims_core_flow_health(core, flow, &s);

    if (h == NULL) {
        return;
    }

    max = s ? s->max_fails : 1;

    if (ok) {
        h->answered = ngx_current_msec;
        h->until = 0;
        fails = h->fails;

        if (fails && ngx_atomic_cmp_set(&h->fails, fails, 0)
            && max && fails >= max)
        {
            h->since = 0;
            h->back = ngx_time();

            if (s != NULL) {
                ngx_log_error(NGX_LOG_NOTICE, core->log, 0,
                              "server \"%V\" of ims core \"%V\" is back",
                              &s->addr.name, &core->name);
            }
        }

        return;
    }

    h->checked = ngx_time();
    h->failed = ngx_current_msec;
    fails = ngx_atomic_fetch_add(&h->fails, 1) + 1;

    if (max && fails == max) {
        h->since = ngx_time();

        if (s != NULL) {
            ngx_log_error(NGX_LOG_ERR, core->log, 0,
                          "server \"%V\" of ims core \"%V\" does not answer",
                          &s->addr.name, &core->name);
        }
    }
}


void
ngx_ims_core_dead(ngx_ims_core_t *core, ngx_ims_flow_t *flow)
{
    ngx_atomic_uint_t       n;
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    h = ngx_ims_core_flow_health(core, flow, &s);

    if (h == NULL || (s != NULL && s->max_fails == 0)) {
        return;
    }

    n = h->fails;

    if (s != NULL && n + 1 < s->max_fails) {
        (void) ngx_atomic_cmp_set(&h->fails, n, s->max_fails - 1);
    }

    ngx_ims_core_result(core, flow, 0);
}


void
ngx_ims_core_busy(ngx_ims_core_t *core, ngx_ims_flow_t *flow, time_t seconds)
{
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    h = ngx_ims_core_flow_health(core, flow, &s);

    if (h == NULL) {
        return;
    }

    seconds = ngx_min(ngx_max(seconds, 1), NGX_IMS_CORE_MAX_BUSY);

    h->answered = ngx_current_msec;

    if (s != NULL && (time_t) h->until <= ngx_time()) {
        ngx_log_error(NGX_LOG_WARN, core->log, 0,
                      "server \"%V\" of ims core \"%V\" asks for a rest of "
                      "%T seconds", &s->addr.name, &core->name, seconds);
    }

    h->until = ngx_time() + seconds;
}


ngx_uint_t
ngx_ims_core_heard(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_msec_t since)
{
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    h = ngx_ims_core_flow_health(core, flow, &s);

    return h != NULL && h->answered
           && (ngx_msec_int_t) ((ngx_msec_t) h->answered - since) > 0;
}


ngx_uint_t
ngx_ims_core_known_down(ngx_ims_core_t *core, ngx_ims_flow_t *flow)
{
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    h = ngx_ims_core_flow_health(core, flow, &s);

    if (h == NULL) {
        return 0;
    }

    if (s != NULL) {
        return ngx_ims_core_down(core, s, ngx_time());
    }

    return h->fails
           && ngx_time() - (time_t) h->checked <= NGX_IMS_CORE_FAIL_TIMEOUT;
}


void
ngx_ims_core_update(ngx_ims_core_name_t *name)
{
    ngx_uint_t              i, k;
    ngx_ims_core_t         *core;
    ngx_ims_core_addr_t    *addr;
    ngx_ims_core_server_t  *s;

    core = name->core;
    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {

        if (s[i].name != name || s[i].off) {
            continue;
        }

        for (k = 0; k < name->naddrs; k++) {
            addr = &name->addrs[k];

            if (addr->transport == s[i].transport
                && ngx_cmp_sockaddr(s[i].addr.sockaddr, s[i].addr.socklen,
                                    &addr->sockaddr.sockaddr, addr->socklen,
                                    1)
                   == NGX_OK)
            {
                break;
            }
        }

        if (k == name->naddrs) {
            s[i].off = 1;
            s[i].gone = ngx_time();

            ngx_log_error(NGX_LOG_NOTICE, core->log, 0,
                          "server \"%V\" of ims core \"%V\" is %V no more",
                          &s[i].addr.name, &core->name, &name->host);
        }
    }

    for (k = 0; k < name->naddrs; k++) {
        addr = &name->addrs[k];
        s = ngx_ims_core_slot(name, addr);

        if (s == NULL) {
            ngx_log_error(NGX_LOG_ERR, core->log, 0,
                          "ims core \"%V\" has more than 64 servers, some of "
                          "\"%V\" are not used", &core->name, &name->host);
            return;
        }

        s->priority = addr->priority;
        s->share = addr->share;
        s->health = addr->health;
    }
}


/* the server with this address, old or new; NULL: there is no room */

static ngx_ims_core_server_t *
ngx_ims_core_slot(ngx_ims_core_name_t *name, ngx_ims_core_addr_t *addr)
{
    ngx_uint_t              i;
    ngx_ims_core_t         *core;
    ngx_ims_core_server_t  *s, *slot;

    core = name->core;
    s = core->servers.elts;
    slot = NULL;

    for (i = 0; i < core->servers.nelts; i++) {

        if (s[i].name == name && !s[i].off
            && s[i].transport == addr->transport
            && ngx_cmp_sockaddr(s[i].addr.sockaddr, s[i].addr.socklen,
                                &addr->sockaddr.sockaddr, addr->socklen, 1)
               == NGX_OK)
        {
            return &s[i];
        }

        if (s[i].off && (slot == NULL || s[i].gone < slot->gone)) {
            slot = &s[i];
        }
    }

    if (core->servers.nelts < core->nslots) {
        slot = &s[core->servers.nelts++];
    }

    if (slot == NULL) {
        return NULL;
    }

    ngx_memzero(slot, sizeof(ngx_ims_core_server_t));

    slot->name = name;
    slot->transport = addr->transport;
    slot->weight = name->line->weight;
    slot->max_fails = name->line->max_fails;
    slot->fail_timeout = name->line->fail_timeout;
    slot->backup = name->line->backup;

    slot->sockaddr = addr->sockaddr;
    slot->addr.sockaddr = &slot->sockaddr.sockaddr;
    slot->addr.socklen = addr->socklen;
    slot->addr.name.data = slot->text;
    slot->addr.name.len = ngx_sock_ntop(slot->addr.sockaddr, addr->socklen,
                                        slot->text, NGX_SOCKADDR_STRLEN, 1);

    ngx_log_error(NGX_LOG_NOTICE, core->log, 0,
                  "server \"%V\" of ims core \"%V\" is %V",
                  &slot->addr.name, &core->name, &name->host);

    return slot;
}
