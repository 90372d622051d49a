/*
 * Copyright (C) the IMS portal authors
 *
 * What the tests of transactions share: a clock that the test moves, "wire",
 * which is what was sent, and "user", which is what a handler was told.
 * Included by one file per program.
 */


#ifndef _TXN_BENCH_H_INCLUDED_
#define _TXN_BENCH_H_INCLUDED_


#include "tap.h"

#include "ngx_ims_txn.h"


#define MAX_SENT  64


typedef struct {
    u_char                text[2048];
    size_t                len;
    ngx_msec_t            at;           /* ms since start() */
} sent_t;


typedef enum {
    ACT_NONE = 0,
    ACT_DETACH,
    ACT_CANCEL,
    ACT_REPLY_487,
    ACT_REPLY_200,
    ACT_START
} act_e;


static struct {
    sent_t                sent[MAX_SENT];
    unsigned              n;
    int                   fail;         /* what send() returns */
} wire;

static struct {
    unsigned              ok;
    unsigned              busy;
    unsigned              error;
    unsigned              done;
    unsigned              late;         /* calls behind NGX_DONE */
    unsigned              status;
    ngx_msec_t            done_at;
    act_e                 on_ok;
    act_e                 on_busy;
    act_e                 on_done;
} user;

static ngx_pool_t        pool;
static ngx_log_t         log_standin;
static ngx_ims_txns_t   *txns;
static ngx_ims_owner_t   self = { 0x0badcafe, 0x00001234 };
static ngx_msec_t        zero;          /* the clock at start() */

static u_char            text[4096];
static ngx_ims_sip_hdr_t hdrs[NGX_IMS_SIP_MAX_HEADERS];
static ngx_ims_sip_msg_t msg;
static u_char            branch[NGX_IMS_BRANCH_LEN];


static __attribute__((unused)) ngx_int_t
wire_send(ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    sent_t  *s;

    if (wire.fail) {
        return NGX_ERROR;
    }

    if (wire.n < MAX_SENT && len < sizeof(s->text)) {
        s = &wire.sent[wire.n];
        memcpy(s->text, p, len);
        s->text[len] = '\0';
        s->len = len;
        s->at = ngx_current_msec - zero;
    }

    wire.n++;

    return NGX_OK;
}


static __attribute__((unused)) void
flow_init(ngx_ims_flow_t *flow, int reliable)
{
    memset(flow, 0, sizeof(ngx_ims_flow_t));
    flow->send = wire_send;
    flow->reliable = reliable;
}


/* parses text[] */

static __attribute__((unused)) ngx_ims_sip_msg_t *
parsed(void)
{
    if (ngx_ims_sip_parse(&msg, text, strlen((char *) text), hdrs,
                          NGX_IMS_SIP_MAX_HEADERS, 1)
        != NGX_IMS_OK)
    {
        diag("bad test message: %s", msg.error);
        exit(2);
    }

    return &msg;
}


static __attribute__((unused)) ngx_ims_sip_msg_t *
request(const char *method, const char *via)
{
    (void) snprintf((char *) text, sizeof(text),
        "%s sip:bob@b.example SIP/2.0\r\n"
        "Via: SIP/2.0/UDP %s\r\n"
        "Via: SIP/2.0/UDP farther.example;branch=z9hG4bKfar\r\n"
        "Max-Forwards: 69\r\n"
        "Route: <sip:one.example;lr>,\r\n <sip:two.example;lr>\r\n"
        "Route: <sip:three.example;lr>\r\n"
        "From: <sip:alice@a.example>;tag=al\r\n"
        "To: <sip:bob@b.example>\r\n"
        "Call-ID: call-1\r\n"
        "CSeq: 17 %s\r\n"
        "Content-Type: text/plain\r\n"
        "Content-Length: 2\r\n"
        "\r\nhi", method, via, method);

    return parsed();
}


static __attribute__((unused)) ngx_ims_sip_msg_t *
response(unsigned status, const char *method, u_char *b)
{
    (void) snprintf((char *) text, sizeof(text),
        "SIP/2.0 %u Whatever\r\n"
        "Via: SIP/2.0/UDP we.example;branch=%.*s\r\n"
        "From: <sip:alice@a.example>;tag=al\r\n"
        "To: <sip:bob@b.example>;tag=bo\r\n"
        "Call-ID: call-1\r\n"
        "CSeq: 17 %s\r\n"
        "Content-Length: 0\r\n"
        "\r\n", status, (int) NGX_IMS_BRANCH_LEN, b, method);

    return parsed();
}


static __attribute__((unused)) void
reply(ngx_ims_txn_t *t, unsigned status, ngx_int_t expected,
    const char *name)
{
    int   len;
    char  buf[512];

    len = snprintf(buf, sizeof(buf),
        "SIP/2.0 %u Whatever\r\n"
        "Via: SIP/2.0/UDP them.example;branch=z9hG4bKserver\r\n"
        "From: <sip:alice@a.example>;tag=al\r\n"
        "To: <sip:bob@b.example>;tag=ours\r\n"
        "Call-ID: call-1\r\n"
        "CSeq: 17 INVITE\r\n"
        "Content-Length: 0\r\n"
        "\r\n", status);

    if (name == NULL) {
        (void) ngx_ims_txn_reply(t, status, (u_char *) buf, len);
        return;
    }

    is_int(ngx_ims_txn_reply(t, status, (u_char *) buf, len), expected, name);
}


static void handler(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m);


static __attribute__((unused)) ngx_ims_txn_t *
client(ngx_uint_t method, const char *name, int reliable)
{
    char            via[128];
    ngx_ims_flow_t  flow;

    flow_init(&flow, reliable);

    ngx_ims_txn_branch(txns, branch);

    (void) snprintf(via, sizeof(via), "we.example;branch=%.*s",
                    (int) NGX_IMS_BRANCH_LEN, branch);
    (void) request(name, via);

    return ngx_ims_txn_client(txns, &flow, method, branch, text,
                              strlen((char *) text), handler, &user);
}


static __attribute__((unused)) ngx_ims_txn_t *
server(const char *name, int reliable)
{
    ngx_ims_flow_t  flow;

    flow_init(&flow, reliable);

    return ngx_ims_txn_server(txns,
                              request(name, "them.example;branch=z9hG4bKs"),
                              &flow, 7, handler, &user);
}


/* what comes again, or belongs to that server transaction */

static __attribute__((unused)) ngx_int_t
arrives(const char *name, const char *via, uintptr_t scope)
{
    ngx_ims_flow_t  flow;

    flow_init(&flow, 0);

    return ngx_ims_txn_request(txns, request(name, via), &flow, scope);
}

#define again(name)  arrives(name, "them.example;branch=z9hG4bKs", 7)


static __attribute__((unused)) void
act(ngx_ims_txn_t *t, act_e what)
{
    switch (what) {

    case ACT_DETACH:
        ngx_ims_txn_detach(t);
        break;

    case ACT_CANCEL:
        ngx_ims_txn_cancel(t, NULL);
        break;

    case ACT_REPLY_487:
        reply(t, 487, NGX_OK, NULL);
        break;

    case ACT_REPLY_200:
        reply(t, 200, NGX_OK, NULL);
        break;

    case ACT_START:
        (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 1);
        break;

    default:
        break;
    }
}


static __attribute__((unused)) void
handler(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    act_e  what;

    if (user.done) {
        user.late++;
    }

    switch (rc) {

    case NGX_OK:
        user.ok++;
        user.status = m->status;
        what = user.on_ok;
        break;

    case NGX_BUSY:
        user.busy++;
        what = user.on_busy;
        break;

    case NGX_ERROR:
        user.error++;
        what = user.on_busy;
        break;

    default:
        user.done++;
        user.done_at = ngx_current_msec - zero;
        what = user.on_done;
        user.on_done = ACT_NONE;
    }

    act(t, what);
}


static __attribute__((unused)) void
start(const char *name)
{
    diag("%s", name);

    standin_run(200000);

    memset(&wire, 0, sizeof(wire));
    memset(&user, 0, sizeof(user));

    zero = ngx_current_msec;
}


/* the times at which something was sent, "0 500 1500" */

static __attribute__((unused)) void
sent_at(const char *expected, const char *name)
{
    unsigned  i;
    size_t    len;
    char      buf[512];

    buf[0] = '\0';
    len = 0;

    for (i = 0; i < wire.n && i < MAX_SENT; i++) {
        len += snprintf(buf + len, sizeof(buf) - len, "%s%lu", i ? " " : "",
                        (unsigned long) wire.sent[i].at);
    }

    is_str(buf, len, expected, name);
}


static __attribute__((unused)) void
over(unsigned busy, unsigned error, ngx_msec_t at, const char *name)
{
    ok(user.done == 1 && user.late == 0 && user.busy == busy
       && user.error == error && user.done_at == at
       && ngx_ims_txns_count(txns) == 0 && standin_timers() == 0,
       "%s: over once", name);

    if (user.done != 1 || user.late || user.done_at != at) {
        diag("done %u, late %u, at %lu, busy %u, error %u, alive %lu, "
             "timers %lu", user.done, user.late, (unsigned long) user.done_at,
             user.busy, user.error, (unsigned long) ngx_ims_txns_count(txns),
             (unsigned long) standin_timers());
    }
}


static __attribute__((unused)) int
starts(unsigned i, const char *what)
{
    return i < wire.n
           && strncmp((char *) wire.sent[i].text, what, strlen(what)) == 0;
}


/* the table of the program; 0, or -1 without memory */

static int
begin(void)
{
    ngx_ims_txn_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.max = 100000;

    txns = ngx_ims_txns_create(&pool, &log_standin, &self, &conf);

    return txns == NULL ? -1 : 0;
}


/* the end of a worker, with transactions alive */

static int
finish(void)
{
    diag("the end");

    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) server("INVITE", 0);
    ngx_destroy_pool(&pool);

    is_int(standin_blocks, 0, "nothing is left");
    is_int(standin_timers(), 0, "no timer either");
    is_int(log_standin.alerts, 0, "no alert");

    return done_testing();
}


#endif /* _TXN_BENCH_H_INCLUDED_ */
