/*
 * Copyright (C) the IMS portal authors
 *
 * Which server of the operator is next, which one counts as down and for how
 * long, and where a route URI leads.
 */


#include "tap.h"

#include "ngx_ims_core.h"


#define N  4


static ngx_log_t              log_standin;
static ngx_ims_core_t         core;
static ngx_ims_core_server_t  servers[N];
static struct sockaddr_in     addrs[N];
static ngx_uint_t             listed = 1;


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

    core.log = &log_standin;
    core.servers.elts = servers;
    core.servers.nelts = n;
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

    setup(2);
    fails(0, 2);
    standin_run(11000);
    order(3, 0, "011", "one request tries it after fail_timeout");
    standin_run(11000);
    (void) next(0);
    result(0, 1);
    is_int(servers[0].fails, 0, "an answer makes it good");

    setup(2);
    servers[0].max_fails = 0;
    fails(0, 100);
    order(2, 0, "01", "max_fails 0 is never down");

    setup(2);
    addrs[0].sin_port = htons(5070);
    fails(0, 2);
    addrs[0].sin_port = htons(5060);
    is_int(servers[0].fails, 2, "by address and port");
    addrs[3].sin_port = htons(9);
    fails(3, 1);
    is_int(servers[1].fails, 0, "and no other");
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
}


int
main(void)
{
    test_balance();
    test_down();
    test_next_hop();

    return done_testing();
}
