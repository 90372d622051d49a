/*
 * Copyright (C) the IMS portal authors
 *
 * Which server of the operator is next, which one counts as down and for how
 * long, and where a route URI leads.
 */


#include "tap.h"

#include "ngx_ims_core_resolve.h"


#define N  4
#define SLOTS  8


static ngx_log_t              log_standin;
static ngx_ims_core_t         core, core2;
static ngx_ims_core_server_t  servers[SLOTS], servers2[N];
static ngx_ims_health_hop_t   hops[N];
static struct sockaddr_in     addrs[N];
static ngx_uint_t             listed = 1;
static ngx_uint_t             glances;        /* until another worker says that
                                                 nobody is up any more */
static ngx_uint_t             tcp;
static ngx_ims_core_name_t    name, *names = &name;
static ngx_ims_core_server_t  line;

static ngx_ims_core_name_t   *cached;         /* what a look-up finds */
static char                   asked[128];     /* ... and what for */


/* what belongs to ngx_ims_core.c */

ngx_uint_t
ngx_ims_core_allowed(ngx_ims_core_t *c, struct sockaddr *sa)
{
    return listed;
}


ngx_int_t
ngx_ims_core_flow(ngx_ims_core_t *c, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen, ngx_ims_flow_t *flow)
{
    flow->transport = transport;
    memcpy(&flow->sockaddr, sa, socklen);
    flow->socklen = socklen;

    return NGX_OK;
}


ngx_uint_t
ngx_ims_core_sends(ngx_ims_core_t *c, ngx_uint_t transport, int family)
{
    return transport == NGX_IMS_UDP || tcp;
}


/* what belongs to ngx_ims_core_resolve.c */

ngx_ims_core_name_t *
ngx_ims_core_lookup(ngx_ims_core_t *c, ngx_ims_str_t *host, in_port_t port,
    ngx_uint_t transport)
{
    snprintf(asked, sizeof(asked), "%.*s:%d %d", (int) host->len, host->data,
             (int) port, (int) transport);

    return cached;
}


ngx_ims_health_hop_t *
ngx_ims_core_route_health(ngx_ims_core_t *c, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen)
{
    unsigned  i;

    if (glances && --glances == 0) {
        for (i = 0; i < N; i++) {
            hops[i].fails = 1;
            hops[i].checked = ngx_time();
        }
    }

    for (i = 0; cached != NULL && i < cached->naddrs; i++) {
        if (ngx_cmp_sockaddr(sa, socklen,
                             &cached->addrs[i].sockaddr.sockaddr, socklen, 1)
            == NGX_OK)
        {
            return cached->addrs[i].health;
        }
    }

    return NULL;
}


static void
setup(unsigned n)
{
    unsigned  i;

    memset(servers, 0, sizeof(servers));

    for (i = 0; i < N; i++) {
        addrs[i].sin_family = AF_INET;
        addrs[i].sin_addr.s_addr = htonl(0x0a000001 + i);
        addrs[i].sin_port = htons(5060);

        servers[i].addr.sockaddr = (struct sockaddr *) &addrs[i];
        servers[i].addr.socklen = sizeof(struct sockaddr_in);
        servers[i].weight = 1;
        servers[i].max_fails = 2;
        servers[i].fail_timeout = 10;
    }

    memset(&core, 0, sizeof(core));
    memset(&name, 0, sizeof(name));
    memset(hops, 0, sizeof(hops));

    core.log = &log_standin;
    core.servers.elts = servers;
    core.servers.nelts = n;
    core.nslots = SLOTS;
    core.timeout = 4000;
    core.names.elts = &names;

    name.core = &core;
    name.line = &line;
    name.host.data = (u_char *) "core.example";
    name.host.len = 12;

    line.weight = 1;
    line.max_fails = 1;
    line.fail_timeout = 10;

    cached = NULL;
    tcp = 0;
}


/* the name leads to one more address: 10.0.0.(1 + i) */

static void
leads(unsigned i, unsigned priority, unsigned share)
{
    ngx_ims_core_addr_t  *a;

    core.names.nelts = 1;
    a = &name.addrs[name.naddrs++];

    memset(a, 0, sizeof(*a));
    a->sockaddr.sockaddr_in = addrs[i];
    a->socklen = sizeof(struct sockaddr_in);
    a->priority = priority;
    a->share = share;
    a->health = &hops[i];
}


/* the index of the next server, -1: none is left */

static int
next(uint64_t skip)
{
    ngx_ims_flow_t  flow;

    if (ngx_ims_core_next(&core, &skip, &flow) != NGX_OK) {
        return -1;
    }

    return ntohl(flow.sockaddr.sockaddr_in.sin_addr.s_addr) - 0x0a000001;
}


/* the next n choices, "0120" */

static void
order(unsigned n, uint64_t skip, const char *expected, const char *name)
{
    char      buf[64];
    unsigned  i;

    for (i = 0; i < n; i++) {
        buf[i] = '0' + next(skip);
    }

    is_str(buf, n, expected, name);
}


static void
result(unsigned i, ngx_uint_t good)
{
    ngx_ims_flow_t  flow;

    memset(&flow, 0, sizeof(flow));
    flow.socklen = sizeof(struct sockaddr_in);
    flow.sockaddr.sockaddr_in = addrs[i];

    ngx_ims_core_result(&core, &flow, good);
}


static void
fails(unsigned i, unsigned n)
{
    while (n--) {
        result(i, 0);
    }
}


static void
test_balance(void)
{
    setup(3);
    order(6, 0, "012012", "equal weights take turns");

    setup(3);
    servers[0].weight = 3;
    order(5, 0, "01020", "weights count, smoothly");

    setup(3);
    servers[0].backup = 1;
    order(4, 0, "1212", "a backup waits");

    setup(3);
    order(3, 1, "121", "what was tried is skipped");
    order(3, 5, "111", "two of them");
    is_int(next(7), -1, "all: none is left");

    setup(1);
    order(3, 0, "000", "one server");
}


static void
test_down(void)
{
    setup(3);
    servers[2].backup = 1;

    fails(0, 1);
    order(2, 0, "01", "one failure is none");

    fails(0, 1);
    order(3, 0, "111", "two are");

    fails(1, 2);
    order(3, 0, "222", "the backup's turn");

    standin_run(5000);
    fails(2, 2);
    ok(next(0) != -1, "all down: still one");
    ok(next(0) != 2, "which was down longest");
    is_int(next(3), 2, "the last resort");
    is_int(next(7), -1, "then none");

    setup(2);
    fails(0, 2);
    standin_run(11000);
    order(3, 0, "011", "one request tries it after fail_timeout");
    standin_run(11000);
    (void) next(0);
    result(0, 1);
    is_int(servers[0].own.fails, 0, "an answer makes it good");

    setup(2);
    servers[0].max_fails = 0;
    fails(0, 100);
    order(2, 0, "01", "max_fails 0 is never down");

    setup(2);
    addrs[0].sin_port = htons(5070);
    fails(0, 2);
    addrs[0].sin_port = htons(5060);
    is_int(servers[0].own.fails, 2, "by address and port");
    addrs[3].sin_port = htons(9);
    fails(3, 1);
    is_int(servers[1].own.fails, 0, "and no other");
}


/* what SRV says: RFC 2782 */

static void
test_names(void)
{
    setup(0);
    order(1, 0, "/", "a name without an address");

    setup(0);
    leads(0, 10, 3);
    leads(1, 10, 1);
    leads(2, 20, 1);
    ngx_ims_core_update(&name);

    is_int(core.servers.nelts, 3, "three servers");
    is_str((char *) servers[1].addr.name.data, servers[1].addr.name.len,
           "10.0.0.2:5060", "their texts");
    order(8, 0, "00100010", "the best priority, by weight");
    order(2, 1, "11", "what was tried is skipped");
    order(2, 3, "22", "the next priority");

    fails(0, 1);
    order(2, 0, "11", "one is down");
    fails(1, 1);
    order(2, 0, "22", "both of the first priority are");
    result(0, 1);
    order(2, 0, "00", "one is back");

    setup(1);
    leads(1, 0, 0);
    leads(2, 0, 0);
    ngx_ims_core_update(&name);
    order(6, 0, "012012", "addresses beside a server");

    name.naddrs = 0;
    leads(2, 0, 0);
    leads(3, 0, 0);
    ngx_ims_core_update(&name);
    is_int(servers[1].off, 1, "an address is gone");
    order(4, 0, "0230", "a new one has its turn");

    setup(0);
    leads(0, 10, 0);
    leads(1, 10, 1000);
    ngx_ims_core_update(&name);
    order(4, 0, "1111", "weight 0 hardly ever");

    setup(0);
    line.backup = 1;
    leads(0, 10, 1);
    ngx_ims_core_update(&name);
    line.backup = 0;
    order(2, 0, "00", "a name as backup");
}


/* two workers: each has its own view of whose turn it is, but not of health */

static void
test_shared(void)
{
    unsigned         i;
    uint64_t         tried;
    ngx_ims_flow_t   flow;

    setup(2);
    core2 = core;
    memcpy(servers2, servers, sizeof(servers2));
    core2.servers.elts = servers2;

    for (i = 0; i < 2; i++) {
        servers[i].health = &hops[i];
        servers2[i].health = &hops[i];
        servers[i].max_fails = 1;
        servers2[i].max_fails = 1;
    }

    fails(0, 1);

    for (i = 0; i < 3; i++) {
        tried = 0;
        (void) ngx_ims_core_next(&core2, &tried, &flow);
        is_int(tried, 2, "the other worker leaves it, too");
    }

    memset(&flow, 0, sizeof(flow));
    flow.socklen = sizeof(struct sockaddr_in);
    flow.sockaddr.sockaddr_in = addrs[0];

    ok(ngx_ims_core_known_down(&core2, &flow), "known down");
    ngx_ims_core_result(&core2, &flow, 1);
    is_int(hops[0].fails, 0, "the other worker has heard it");
    ok(!ngx_ims_core_known_down(&core, &flow), "known up");
    order(2, 0, "01", "back for both");

    ok(ngx_ims_core_heard(&core, &flow, ngx_current_msec - 1), "heard");
    ok(!ngx_ims_core_heard(&core, &flow, ngx_current_msec + 1), "not since");

    ngx_ims_core_busy(&core2, &flow, 20);
    order(2, 0, "11", "it asked for a rest");
    standin_run(19000);
    order(2, 0, "11", "still");
    standin_run(2000);
    order(2, 0, "01", "until then");

    ngx_ims_core_busy(&core2, &flow, 100000);
    standin_run(301000);
    order(2, 0, "01", "five minutes at most");

    servers[0].max_fails = 3;
    ngx_ims_core_dead(&core, &flow);
    is_int(hops[0].fails, 3, "dead is down at once");
    order(2, 0, "11", "and left");

    core.probe = 60000;
    core.probe_timeout = 2000;
    standin_run(30000);
    order(2, 0, "11", "the next probe says when it is back");
    standin_run(60000);
    ok(next(2) == 0, "unless there is none");
}


static void
hop(const char *uri, const char *expected)
{
    char            buf[INET6_ADDRSTRLEN + 16], ip[INET6_ADDRSTRLEN];
    ngx_int_t       rc;
    ngx_ims_str_t   s;
    ngx_ims_flow_t  flow;

    s.data = (u_char *) uri;
    s.len = strlen(uri);

    memset(&flow, 0, sizeof(flow));
    buf[0] = '\0';

    rc = ngx_ims_core_next_hop(&core, &s, &flow);

    if (rc == NGX_OK && flow.sockaddr.sockaddr.sa_family == AF_INET) {
        inet_ntop(AF_INET, &flow.sockaddr.sockaddr_in.sin_addr, ip,
                  sizeof(ip));
        snprintf(buf, sizeof(buf), "%s:%d", ip,
                 ntohs(flow.sockaddr.sockaddr_in.sin_port));

    } else if (rc == NGX_OK) {
        inet_ntop(AF_INET6, &flow.sockaddr.sockaddr_in6.sin6_addr, ip,
                  sizeof(ip));
        snprintf(buf, sizeof(buf), "[%s]:%d", ip,
                 ntohs(flow.sockaddr.sockaddr_in6.sin6_port));

    } else {
        is_int(rc, NGX_DECLINED, "declined");
    }

    is_str(buf, strlen(buf), expected, uri);
}


static void
test_next_hop(void)
{
    setup(1);

    hop("sip:10.0.0.1;lr", "10.0.0.1:5060");
    hop("sip:orig@10.0.0.1:6060;lr", "10.0.0.1:6060");
    hop("SIP:10.0.0.1:6060;transport=UDP;lr", "10.0.0.1:6060");
    hop("sip:[2001:db8::1]:6060;lr", "[2001:db8::1]:6060");
    hop("sip:[2001:db8::1]", "[2001:db8::1]:5060");

    hop("sip:scscf.ims.example;lr", "");
    hop("sip:10.0.0.1;transport=tcp;lr", "");
    hop("sips:10.0.0.1;lr", "");
    hop("sip:10.0.0.1;maddr=10.0.0.9;lr", "");
    hop("tel:+15550100", "");
    hop("sip:", "");
    hop("sip:10.0.0.256", "");

    listed = 0;
    hop("sip:10.0.0.1;lr", "");
    listed = 1;

    tcp = 1;
    hop("sip:10.0.0.1;transport=tcp;lr", "10.0.0.1:5060");
    hop("sips:10.0.0.1;lr", "10.0.0.1:5061");
    hop("sips:10.0.0.1;transport=udp;lr", "");
    hop("sip:10.0.0.1;transport=sctp", "");
}


/* names in routes, and servers that stand in for others */

static void
test_routes(void)
{
    uint64_t        tried;
    ngx_ims_str_t   uri = ngx_string("sip:orig@10.0.0.1;lr");
    ngx_ims_str_t   other = ngx_string("sip:10.9.9.9;lr");
    ngx_ims_str_t   host = ngx_string("sip:scscf.ims.example:6060;lr");
    ngx_ims_flow_t  flow;

    setup(2);
    hop("sip:scscf.ims.example;lr", "");
    is_str(asked, strlen(asked), "scscf.ims.example:0 -1", "asked for");
    hop("sips:scscf.ims.example:5071;lr", "");
    is_str(asked, strlen(asked), "scscf.ims.example:5071 2", "TLS");

    cached = &name;
    leads(2, 10, 0);
    leads(3, 20, 0);
    hop("sip:scscf.ims.example:6060;lr", "10.0.0.3:5060");
    hops[2].fails = 1;
    hops[2].checked = ngx_time();
    hop("sip:scscf.ims.example:6060;lr", "10.0.0.4:5060");
    hops[3].fails = 1;
    hops[3].checked = ngx_time();
    hop("sip:scscf.ims.example:6060;lr", "10.0.0.3:5060");

    hops[2].fails = 0;
    hops[3].fails = 0;
    tried = 0;
    is_int(ngx_ims_core_hop(&core, &host, &tried, &flow), NGX_OK, "first");
    is_int(ngx_ims_core_hop(&core, &host, &tried, &flow), NGX_OK, "second");
    is_int(ngx_ims_core_hop(&core, &host, &tried, &flow), NGX_DECLINED,
           "no third");

    listed = 0;
    hop("sip:scscf.ims.example:6060;lr", "");
    listed = 1;

    /* all workers write to what is known of them, at any moment */

    glances = 2;
    hop("sip:scscf.ims.example:6060;lr", "10.0.0.3:5060");

    setup(2);
    hop("sip:10.0.0.1;lr", "10.0.0.1:5060");
    fails(0, 2);
    hop("sip:10.0.0.1;lr", "");

    tried = 0;
    is_int(ngx_ims_core_hop(&core, &uri, &tried, &flow), NGX_OK, "stands in");
    is_int(ntohl(flow.sockaddr.sockaddr_in.sin_addr.s_addr), 0x0a000002,
           "the other one");
    fails(1, 2);
    hop("sip:10.0.0.1;lr", "10.0.0.1:5060");

    setup(2);
    tried = 0;
    is_int(ngx_ims_core_hop(&core, &uri, &tried, &flow), NGX_OK, "itself");
    is_int(tried, 1, "is the first");
    is_int(ngx_ims_core_hop(&core, &uri, &tried, &flow), NGX_OK, "then");
    is_int(tried, 3, "the other");
    is_int(ngx_ims_core_hop(&core, &uri, &tried, &flow), NGX_DECLINED,
           "then nobody");

    tried = 0;
    is_int(ngx_ims_core_hop(&core, &other, &tried, &flow), NGX_OK,
           "no server, but allowed");
    is_int(ngx_ims_core_hop(&core, &other, &tried, &flow), NGX_DECLINED,
           "nobody stands in for it");

    uri.len = 0;
    tried = 0;
    is_int(ngx_ims_core_hop(&core, &uri, &tried, &flow), NGX_OK, "no route");
}


int
main(void)
{
    test_balance();
    test_down();
    test_names();
    test_shared();
    test_next_hop();
    test_routes();

    return done_testing();
}
