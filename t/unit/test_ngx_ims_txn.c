/*
 * Copyright (C) the IMS portal authors
 *
 * Transactions against a clock that the test moves: each timer of RFC 3261 17
 * at its very millisecond, what is absorbed and what is repeated, CANCEL, and
 * what users may do inside their handlers.  "wire" is what was sent, "user"
 * what a handler was told.
 */


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


static ngx_int_t
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


static void
flow_init(ngx_ims_flow_t *flow, int reliable)
{
    memset(flow, 0, sizeof(ngx_ims_flow_t));
    flow->send = wire_send;
    flow->reliable = reliable;
}


/* parses text[] */

static ngx_ims_sip_msg_t *
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


static ngx_ims_sip_msg_t *
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


static ngx_ims_sip_msg_t *
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


static void
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


static ngx_ims_txn_t *
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


static ngx_ims_txn_t *
server(const char *name, int reliable)
{
    ngx_ims_flow_t  flow;

    flow_init(&flow, reliable);

    return ngx_ims_txn_server(txns,
                              request(name, "them.example;branch=z9hG4bKs"),
                              &flow, 7, handler, &user);
}


/* what comes again, or belongs to that server transaction */

static ngx_int_t
arrives(const char *name, const char *via, uintptr_t scope)
{
    ngx_ims_flow_t  flow;

    flow_init(&flow, 0);

    return ngx_ims_txn_request(txns, request(name, via), &flow, scope);
}

#define again(name)  arrives(name, "them.example;branch=z9hG4bKs", 7)


static void
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


static void
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


static void
start(const char *name)
{
    diag("%s", name);

    standin_run(200000);

    memset(&wire, 0, sizeof(wire));
    memset(&user, 0, sizeof(user));

    zero = ngx_current_msec;
}


/* the times at which something was sent, "0 500 1500" */

static void
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


static void
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


static int
starts(unsigned i, const char *what)
{
    return i < wire.n
           && strncmp((char *) wire.sent[i].text, what, strlen(what)) == 0;
}


static void
test_client_timeouts(void)
{
    start("timers A and B");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    standin_run(31999);
    is_int(user.busy, 0, "B is not before 64*T1");
    standin_run(100000);
    sent_at("0 500 1500 3500 7500 15500 31500", "A doubles");
    over(1, 0, 32000, "B");

    start("timers E and F");
    (void) client(NGX_IMS_SIP_OPTIONS, "OPTIONS", 0);
    standin_run(100000);
    sent_at("0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500",
            "E doubles up to T2");
    over(1, 0, 32000, "F");

    start("timer E in Proceeding");
    (void) client(NGX_IMS_SIP_OPTIONS, "OPTIONS", 0);
    standin_run(100);
    is_int(ngx_ims_txn_response(txns, response(183, "OPTIONS", branch)),
           NGX_OK, "provisional is taken");
    is_int(user.ok, 1, "and told");
    standin_run(100000);
    sent_at("0 500 4500 8500 12500 16500 20500 24500 28500", "E is T2");
    over(1, 0, 32000, "F in Proceeding");

    start("reliable flows repeat nothing");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 1);
    standin_run(100000);
    sent_at("0", "INVITE");
    over(1, 0, 32000, "B");

    start("reliable flows repeat nothing");
    (void) client(NGX_IMS_SIP_OPTIONS, "OPTIONS", 1);
    (void) ngx_ims_txn_response(txns, response(100, "OPTIONS", branch));
    standin_run(100000);
    sent_at("0", "OPTIONS");
    over(1, 0, 32000, "F");
}


static void
test_client_answers(void)
{
    start("INVITE, 100, 180, 180, 200, 200");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) ngx_ims_txn_response(txns, response(100, "INVITE", branch));
    is_int(user.ok, 0, "100 is not told");
    standin_run(90000);
    sent_at("0", "a provisional ends A and B");
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    is_int(user.ok, 2, "each 180 is told");
    (void) ngx_ims_txn_response(txns, response(200, "INVITE", branch));
    (void) ngx_ims_txn_response(txns, response(200, "INVITE", branch));
    is_int(user.ok, 4, "each 200 is told");
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    (void) ngx_ims_txn_response(txns, response(486, "INVITE", branch));
    is_int(user.ok, 4, "nothing else in Accepted");
    sent_at("0", "no ACK of ours for a 2xx");
    standin_run(31999);
    is_int(user.done, 0, "M lasts");
    standin_run(100000);
    over(0, 0, 122000, "M");
    is_int(ngx_ims_txn_response(txns, response(200, "INVITE", branch)),
           NGX_DECLINED, "a 200 afterwards is nobody's");

    start("MESSAGE, 200, 200");
    (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 0);
    standin_run(700);
    is_int(ngx_ims_txn_response(txns, response(200, "MESSAGE", branch)),
           NGX_OK, "200");
    is_int(ngx_ims_txn_response(txns, response(200, "MESSAGE", branch)),
           NGX_OK, "200 again is absorbed");
    is_int(user.ok, 1, "and told once");
    standin_run(100000);
    sent_at("0 500", "not repeated any more");
    over(0, 0, 5700, "K");

    start("MESSAGE, 200, reliable");
    (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 1);
    (void) ngx_ims_txn_response(txns, response(200, "MESSAGE", branch));
    over(0, 0, 0, "K is 0");

    start("answers that match nothing");
    (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 0);
    is_int(ngx_ims_txn_response(txns, response(200, "INFO", branch)),
           NGX_DECLINED, "another method");
    branch[NGX_IMS_BRANCH_LEN - 1] ^= 1;
    is_int(ngx_ims_txn_response(txns, response(200, "MESSAGE", branch)),
           NGX_DECLINED, "another branch");
}


static void
test_client_ack(void)
{
    ngx_ims_sip_msg_t   ack;
    ngx_ims_sip_iter_t  it;
    ngx_ims_str_t       value;
    unsigned            n;

    start("INVITE, 486");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    (void) ngx_ims_txn_response(txns, response(486, "INVITE", branch));
    is_int(user.status, 486, "is told");
    is_int(wire.n, 2, "ACK is sent");

    if (ok(ngx_ims_sip_parse(&ack, wire.sent[1].text, wire.sent[1].len, hdrs,
                             NGX_IMS_SIP_MAX_HEADERS, 0)
           == NGX_IMS_OK, "it is well formed"))
    {
        is_int(ack.method, NGX_IMS_SIP_ACK, "method");
        is_str(ack.uri.data, ack.uri.len, "sip:bob@b.example",
               "Request-URI is the INVITE's");
        is_str(ack.to.tag.data, ack.to.tag.len, "bo", "To is the answer's");
        is_str(ack.from.tag.data, ack.from.tag.len, "al", "From");
        is_int(ack.cseq, 17, "CSeq");
        is_mem(ack.via.branch.data, ack.via.branch.len, branch,
               NGX_IMS_BRANCH_LEN, "branch");
        is_int(ack.body.len, 0, "no body");

        memset(&it, 0, sizeof(it));
        for (n = 0; ngx_ims_sip_next(&ack, NGX_IMS_HDR_VIA, &it, &value); n++)
        {
            /* void */
        }
        is_int(n, 1, "one Via");

        memset(&it, 0, sizeof(it));
        for (n = 0; ngx_ims_sip_next(&ack, NGX_IMS_HDR_ROUTE, &it, &value);
             n++)
        {
            /* void */
        }
        is_int(n, 3, "all Routes");
    }

    (void) ngx_ims_txn_response(txns, response(486, "INVITE", branch));
    is_int(user.ok, 2, "a repeated 486 is not told");
    is_int(wire.n, 3, "but acknowledged");
    is_mem(wire.sent[2].text, wire.sent[2].len, wire.sent[1].text,
           wire.sent[1].len, "with the same ACK");
    (void) ngx_ims_txn_response(txns, response(200, "INVITE", branch));
    is_int(user.ok, 2, "a 200 in Completed is not told");
    standin_run(100000);
    over(0, 0, 32000, "D");

    start("INVITE, 486, reliable");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 1);
    (void) ngx_ims_txn_response(txns, response(486, "INVITE", branch));
    ok(starts(1, "ACK sip:bob@b.example SIP/2.0\r\n"), "ACK is sent");
    over(0, 0, 0, "D is 0");
}


static void
test_client_cancel(void)
{
    ngx_ims_txn_t      *t;
    ngx_str_t           reason = ngx_string("Reason: SIP;cause=480\r\n");
    ngx_ims_sip_msg_t   m;
    u_char              saved[NGX_IMS_BRANCH_LEN];

    start("CANCEL before a provisional");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    ngx_ims_txn_cancel(t, &reason);
    ngx_ims_txn_cancel(t, NULL);
    is_int(wire.n, 1, "waits");
    standin_run(600);
    (void) ngx_ims_txn_response(txns, response(100, "INVITE", branch));
    is_int(wire.n, 3, "goes out behind the 100");

    if (ok(ngx_ims_sip_parse(&m, wire.sent[2].text, wire.sent[2].len, hdrs,
                             NGX_IMS_SIP_MAX_HEADERS, 0)
           == NGX_IMS_OK, "it is well formed"))
    {
        is_int(m.method, NGX_IMS_SIP_CANCEL, "method");
        is_int(m.cseq, 17, "CSeq");
        is_int(m.to.tag.len, 0, "To is the INVITE's");
        is_mem(m.via.branch.data, m.via.branch.len, branch,
               NGX_IMS_BRANCH_LEN, "branch");
        ok(ngx_ims_sip_hdr(&m, NGX_IMS_HDR_REASON) != NULL, "Reason");
        ok(ngx_ims_sip_hdr(&m, NGX_IMS_HDR_ROUTE) != NULL, "Route");
    }

    standin_run(500);
    is_int(wire.n, 4, "is repeated");
    is_int(ngx_ims_txn_response(txns, response(200, "CANCEL", branch)),
           NGX_OK, "its 200 is taken");
    is_int(user.ok, 0, "and not told");
    (void) ngx_ims_txn_response(txns, response(487, "INVITE", branch));
    is_int(user.status, 487, "487 is told");
    ok(starts(4, "ACK "), "and acknowledged");
    standin_run(100000);
    is_int(wire.n, 5, "no more");
    over(0, 0, 33100, "CANCEL");

    start("CANCEL that nobody heeds");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    standin_run(1000);
    ngx_ims_txn_cancel(t, NULL);
    ok(starts(1, "CANCEL "), "goes out at once");
    (void) ngx_ims_txn_response(txns, response(200, "CANCEL", branch));
    standin_run(100000);
    over(1, 0, 33000, "64*T1 behind CANCEL");

    start("CANCEL crossed by a 200");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    ngx_ims_txn_cancel(t, NULL);
    (void) ngx_ims_txn_response(txns, response(200, "INVITE", branch));
    is_int(user.status, 200, "the 200 is told");
    ok(t->canceled, "and the user can see what it meant to do");
    (void) ngx_ims_txn_response(txns, response(481, "CANCEL", branch));
    standin_run(100000);
    over(0, 0, 32000, "M");

    start("CANCEL too late");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) ngx_ims_txn_response(txns, response(200, "INVITE", branch));
    ngx_ims_txn_cancel(t, NULL);
    is_int(wire.n, 1, "is not sent");
    is_int(t->canceled, 0, "and not noted");

    start("CANCEL of what is none");
    t = client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 0);
    memcpy(saved, branch, NGX_IMS_BRANCH_LEN);
    ngx_ims_txn_cancel(t, NULL);
    (void) ngx_ims_txn_response(txns, response(100, "MESSAGE", saved));
    is_int(wire.n, 1, "is not sent");
}


static void
test_client_flow(void)
{
    ngx_ims_txn_t  *t;

    start("a flow that fails at once");
    wire.fail = 1;
    ok(client(NGX_IMS_SIP_INVITE, "INVITE", 0) == NULL, "no transaction");
    standin_run(100000);
    is_int(user.done + user.error, 0, "and nobody is told");

    start("a flow that fails later");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    wire.fail = 1;
    standin_run(100000);
    over(0, 1, 500, "NGX_ERROR");

    start("detach");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    ngx_ims_txn_detach(t);
    is_int(user.error + user.done, 0, "tells nothing inside the call");
    is_int(ngx_ims_txn_response(txns, response(180, "INVITE", branch)),
           NGX_OK, "an answer in between is absorbed");
    is_int(user.ok, 0, "and not told");
    standin_run(0);
    over(0, 1, 0, "detach");

    start("detach in Accepted");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) ngx_ims_txn_response(txns, response(200, "INVITE", branch));
    ngx_ims_txn_detach(t);
    standin_run(0);
    over(0, 0, 0, "nothing to lose");

    start("detach in Completed");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) ngx_ims_txn_response(txns, response(486, "INVITE", branch));
    ngx_ims_txn_detach(t);
    ngx_ims_txn_detach(t);
    (void) ngx_ims_txn_response(txns, response(486, "INVITE", branch));
    is_int(wire.n, 2, "no ACK on what is gone");
    standin_run(0);
    over(0, 0, 0, "nothing to lose");
}


static void
test_server_invite(void)
{
    ngx_ims_txn_t  *t;

    start("server INVITE, refused, never acknowledged");
    t = server("INVITE", 0);
    is_int(again("INVITE"), NGX_OK, "absorbed before any answer");
    is_int(wire.n, 0, "in silence");
    reply(t, 180, NGX_OK, "180");
    is_int(again("INVITE"), NGX_OK, "absorbed");
    is_int(wire.n, 2, "180 is repeated");
    ok(starts(1, "SIP/2.0 180 "), "it is");
    is_int(again("ACK"), NGX_OK, "an ACK too early is dropped");
    reply(t, 486, NGX_OK, "486");
    reply(t, 487, NGX_ERROR, "a second final answer is refused");
    standin_run(100);
    is_int(again("INVITE"), NGX_OK, "absorbed");
    standin_run(100000);
    sent_at("0 0 0 100 500 1500 3500 7500 11500 15500 19500 23500 27500 "
            "31500", "G doubles up to T2");
    over(1, 0, 32000, "H");

    start("server INVITE, refused, acknowledged");
    t = server("INVITE", 0);
    reply(t, 486, NGX_OK, "486");
    standin_run(600);
    is_int(again("ACK"), NGX_OK, "ACK");
    is_int(again("ACK"), NGX_OK, "ACK again");
    is_int(again("INVITE"), NGX_OK, "INVITE again");
    standin_run(100000);
    sent_at("0 500", "no G any more");
    over(0, 0, 5600, "I");
    is_int(again("ACK"), NGX_DECLINED, "an ACK afterwards is nobody's");

    start("server INVITE, accepted");
    t = server("INVITE", 0);
    reply(t, 180, NGX_OK, "180");
    reply(t, 200, NGX_OK, "200");
    is_int(again("INVITE"), NGX_OK, "absorbed");
    is_int(wire.n, 2, "in silence (RFC 6026)");
    is_int(again("ACK"), NGX_DECLINED, "the ACK is the user's");
    standin_run(1000);
    reply(t, 200, NGX_OK, "200 again goes out");
    reply(t, 180, NGX_ERROR, "180 does not");
    reply(t, 486, NGX_ERROR, "486 does not");
    is_int(wire.n, 3, "three in all");
    standin_run(100000);
    is_int(wire.n, 3, "none by itself");
    over(0, 0, 32000, "L");

    start("server INVITE, refused, reliable");
    t = server("INVITE", 1);
    reply(t, 486, NGX_OK, "486");
    standin_run(5000);
    is_int(again("ACK"), NGX_OK, "ACK");
    sent_at("0", "no G");
    over(0, 0, 5000, "I is 0");

    start("server INVITE, refused, reliable, never acknowledged");
    t = server("INVITE", 1);
    reply(t, 486, NGX_OK, "486");
    standin_run(100000);
    over(1, 0, 32000, "H");
}


static void
test_server_plain(void)
{
    ngx_ims_txn_t   *t;
    ngx_ims_flow_t   flow;

    start("server MESSAGE");
    t = server("MESSAGE", 0);
    is_int(again("MESSAGE"), NGX_OK, "absorbed");
    is_int(again("INFO"), NGX_DECLINED, "another method is new");
    is_int(arrives("MESSAGE", "them.example;branch=z9hG4bKs", 8),
           NGX_DECLINED, "another browser's is new");
    is_int(arrives("MESSAGE", "these.example;branch=z9hG4bKs", 7),
           NGX_DECLINED, "another sender's is new");
    is_int(arrives("MESSAGE", "them.example:5070;branch=z9hG4bKs", 7),
           NGX_DECLINED, "another port's is new");
    is_int(arrives("MESSAGE", "THEM.example;branch=z9hG4bKs", 7), NGX_OK,
           "hosts have no case");
    is_int(wire.n, 0, "in silence");
    reply(t, 200, NGX_OK, "200");
    standin_run(1000);
    is_int(again("MESSAGE"), NGX_OK, "absorbed");
    sent_at("0 1000", "200 is repeated when asked for");
    standin_run(100000);
    over(0, 0, 32000, "J");

    start("server MESSAGE, reliable");
    t = server("MESSAGE", 1);
    reply(t, 200, NGX_OK, "200");
    is_int(user.done, 0, "tells nothing inside the call");
    standin_run(0);
    over(0, 0, 0, "J is 0");

    start("a branch of RFC 2543");
    flow_init(&flow, 0);
    t = ngx_ims_txn_server(txns, request("OPTIONS", "old.example;branch=1"),
                           &flow, 0, handler, &user);
    is_int(arrives("OPTIONS", "old.example;branch=1", 0), NGX_OK, "absorbed");
    reply(t, 200, NGX_OK, "200");
    standin_run(100000);
    over(0, 0, 32000, "J");
}


static void
test_server_cancel(void)
{
    ngx_ims_txn_t      *t;
    ngx_ims_sip_msg_t   m;

    start("server INVITE, canceled");
    is_int(again("CANCEL"), NGX_DECLINED, "no INVITE yet");
    t = server("INVITE", 0);
    reply(t, 180, NGX_OK, "180");
    user.on_ok = ACT_REPLY_487;
    is_int(again("CANCEL"), NGX_OK, "CANCEL");
    is_int(user.ok, 1, "is told");
    ok(t->canceled, "and noted");
    ok(starts(1, "SIP/2.0 200 "), "200 first");
    ok(starts(2, "SIP/2.0 487 "), "then what the user answers in its handler");

    if (ok(ngx_ims_sip_parse(&m, wire.sent[1].text, wire.sent[1].len, hdrs,
                             NGX_IMS_SIP_MAX_HEADERS, 0)
           == NGX_IMS_OK, "the 200 is well formed"))
    {
        is_int(m.method, NGX_IMS_SIP_CANCEL, "for the CANCEL");
        is_str(m.to.tag.data, m.to.tag.len, "ours",
               "with the INVITE's To tag");
    }

    is_int(again("CANCEL"), NGX_OK, "CANCEL again");
    is_int(user.ok, 1, "is not told again");
    ok(starts(3, "SIP/2.0 200 "), "but answered");
    is_int(again("ACK"), NGX_OK, "ACK");
    standin_run(100000);
    over(0, 0, 5000, "canceled");

    start("server INVITE, canceled too late");
    t = server("INVITE", 0);
    reply(t, 200, NGX_OK, "200");
    is_int(again("CANCEL"), NGX_OK, "CANCEL");
    is_int(user.ok, 0, "is not told");
    is_int(wire.n, 2, "but answered");

    start("server INVITE, canceled before any answer");
    t = server("INVITE", 0);
    is_int(again("CANCEL"), NGX_OK, "CANCEL");
    ok(wire.n == 1 && strstr((char *) wire.sent[0].text, ";tag="),
       "200 has a To tag");
    reply(t, 487, NGX_OK, "487");
}


static void
test_server_flow(void)
{
    ngx_ims_txn_t   *t;
    ngx_ims_flow_t   flow;

    start("server, detached");
    t = server("INVITE", 1);
    ngx_ims_txn_detach(t);
    standin_run(100000);
    is_int(user.done, 0, "lives until it is answered");
    reply(t, 180, NGX_ERROR, "180 goes nowhere");
    reply(t, 200, NGX_ERROR, "200 goes nowhere");
    is_int(user.done, 0, "tells nothing inside the call");
    standin_run(0);
    over(0, 0, 100000, "answered");
    is_int(wire.n, 0, "nothing was sent");

    start("server, detached and attached again");
    t = server("INVITE", 1);
    ngx_ims_txn_detach(t);
    flow_init(&flow, 1);
    ngx_ims_txn_reattach(t, &flow);
    reply(t, 200, NGX_OK, "200 goes out");
    is_int(wire.n, 1, "it does");
    standin_run(100000);
    over(0, 0, 32000, "L");

    start("server, answered and then detached");
    t = server("INVITE", 1);
    reply(t, 200, NGX_OK, "200");
    ngx_ims_txn_detach(t);
    standin_run(0);
    over(0, 0, 0, "nothing to lose");

    start("server, a reliable flow fails");
    t = server("INVITE", 1);
    wire.fail = 1;
    reply(t, 200, NGX_ERROR, "200");
    standin_run(0);
    over(0, 0, 0, "over");

    start("server, a datagram flow fails for a while");
    t = server("INVITE", 0);
    wire.fail = 1;
    reply(t, 486, NGX_ERROR, "486");
    wire.fail = 0;
    standin_run(600);
    sent_at("500", "G sends it");
    is_int(again("ACK"), NGX_OK, "ACK");
    standin_run(100000);
    over(0, 0, 5600, "I");
}


static void
test_reentrancy(void)
{
    ngx_ims_txn_t  *t;

    start("detach inside an answer's handler");
    (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 0);
    user.on_ok = ACT_DETACH;
    (void) ngx_ims_txn_response(txns, response(200, "MESSAGE", branch));
    standin_run(0);
    over(0, 0, 0, "detach");

    start("the same on a reliable flow");
    (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 1);
    user.on_ok = ACT_DETACH;
    (void) ngx_ims_txn_response(txns, response(200, "MESSAGE", branch));
    over(0, 0, 0, "detach");
    standin_run(0);

    start("detach inside a provisional's handler");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    user.on_ok = ACT_DETACH;
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    standin_run(0);
    over(0, 1, 0, "detach");

    start("CANCEL inside a provisional's handler");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    user.on_ok = ACT_CANCEL;
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    ok(starts(1, "CANCEL "), "goes out");
    (void) ngx_ims_txn_response(txns, response(200, "CANCEL", branch));
    (void) ngx_ims_txn_response(txns, response(487, "INVITE", branch));
    standin_run(100000);
    over(0, 0, 32000, "CANCEL");

    start("detach and CANCEL when all is over");
    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    user.on_busy = ACT_CANCEL;
    user.on_done = ACT_DETACH;
    standin_run(100000);
    over(1, 0, 32000, "B");

    start("a new transaction from NGX_DONE");
    (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 1);
    user.on_done = ACT_START;
    (void) ngx_ims_txn_response(txns, response(200, "MESSAGE", branch));
    is_int(ngx_ims_txns_count(txns), 1, "is alive");
    user.done = 0;
    (void) ngx_ims_txn_response(txns, response(200, "MESSAGE", branch));
    is_int(ngx_ims_txns_count(txns), 0, "and ends");

    start("final answer inside CANCEL's handler, reliable");
    t = server("INVITE", 1);
    user.on_ok = ACT_REPLY_200;
    is_int(again("CANCEL"), NGX_OK, "CANCEL");
    ngx_ims_txn_detach(t);
    standin_run(0);
    over(0, 0, 0, "over");
}


static void
test_limits(void)
{
    ngx_uint_t      i, n;
    ngx_ims_txn_t  *t;

    start("as many as there may be");

    for (n = 0; client(NGX_IMS_SIP_INVITE, "INVITE", 1) != NULL; n++) {
        if (n > 100000) {
            break;
        }
    }

    is_int(n, 100000, "max");
    is_int(ngx_ims_txns_count(txns), 100000, "all alive");
    ok(server("INVITE", 0) == NULL, "nor one from outside");

    start("CANCEL is for free");

    for (i = 0; i < 99999; i++) {
        (void) client(NGX_IMS_SIP_MESSAGE, "MESSAGE", 1);
    }

    t = client(NGX_IMS_SIP_INVITE, "INVITE", 1);
    ok(t != NULL, "the last one");
    (void) ngx_ims_txn_response(txns, response(180, "INVITE", branch));
    wire.n = 0;
    ngx_ims_txn_cancel(t, NULL);
    ok(starts(0, "CANCEL "), "is sent");
    is_int(ngx_ims_txns_count(txns), 100001, "one more than max");
    standin_run(100000);
    is_int(ngx_ims_txns_count(txns), 0, "all over");
    is_int(user.done, 100000, "and told");
}


/* each allocation fails once: nothing leaks, nothing hangs, all are told */

static void
test_memory(void)
{
    long            fail, base, leaks, hangs;
    ngx_ims_txn_t  *t;

    start("no memory");

    base = standin_blocks;
    leaks = 0;
    hangs = 0;

    for (fail = 0; fail < 16; fail++) {
        memset(&user, 0, sizeof(user));
        standin_fail_after = fail;

        t = client(NGX_IMS_SIP_INVITE, "INVITE", 0);

        if (t) {
            (void) ngx_ims_txn_response(txns, response(180, "INVITE",
                                                       branch));
            ngx_ims_txn_cancel(t, NULL);
            (void) ngx_ims_txn_response(txns, response(487, "INVITE",
                                                       branch));
        }

        hangs += (t != NULL);

        t = server("INVITE", 0);

        if (t) {
            reply(t, 180, 0, NULL);
            (void) again("CANCEL");
            reply(t, 487, 0, NULL);
        }

        hangs += (t != NULL);

        standin_run(100000);
        standin_fail_after = -1;

        hangs -= user.done;
        leaks += standin_blocks - base;
    }

    is_int(leaks, 0, "nothing leaks");
    is_int(hangs, 0, "every transaction ends");
}


static void
test_branch(void)
{
    ngx_uint_t       i, bad;
    ngx_ims_str_t    s;
    ngx_ims_owner_t  owner;
    u_char           a[NGX_IMS_BRANCH_LEN], b[NGX_IMS_BRANCH_LEN];

    diag("branches");

    ngx_ims_txn_branch(txns, a);
    ngx_ims_txn_branch(txns, b);

    is_str(a, 23, "z9hG4bK0badcafe00001234", "cookie and owner");
    ok(memcmp(a, b, NGX_IMS_BRANCH_LEN) != 0, "the rest differs");

    s.data = a;
    s.len = NGX_IMS_BRANCH_LEN;

    is_int(ngx_ims_txn_branch_owner(&s, &owner), NGX_OK, "is ours");
    ok(ngx_ims_owner_equal(&owner, &self), "and names us");

    bad = 0;

    for (i = 0; i < NGX_IMS_BRANCH_LEN; i++) {
        memcpy(b, a, NGX_IMS_BRANCH_LEN);
        b[i] = 'G' + (a[i] == 'G');
        s.data = b;
        bad += (ngx_ims_txn_branch_owner(&s, &owner) == NGX_OK);
    }

    s.data = a;
    s.len--;
    bad += (ngx_ims_txn_branch_owner(&s, &owner) == NGX_OK);

    is_int(bad, 0, "a damaged one is not");
}


int
main(void)
{
    ngx_ims_txn_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.max = 100000;

    txns = ngx_ims_txns_create(&pool, &log_standin, &self, &conf);

    if (txns == NULL) {
        return 2;
    }

    test_client_timeouts();
    test_client_answers();
    test_client_ack();
    test_client_cancel();
    test_client_flow();
    test_server_invite();
    test_server_plain();
    test_server_cancel();
    test_server_flow();
    test_reentrancy();
    test_limits();
    test_memory();
    test_branch();

    diag("the end");

    (void) client(NGX_IMS_SIP_INVITE, "INVITE", 0);
    (void) server("INVITE", 0);
    ngx_destroy_pool(&pool);

    is_int(standin_blocks, 0, "nothing is left");
    is_int(standin_timers(), 0, "no timer either");
    is_int(log_standin.alerts, 0, "no alert");

    return done_testing();
}
