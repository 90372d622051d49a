/*
 * Copyright (C) the IMS portal authors
 *
 * Client transactions, and what both kinds have in common: each timer of
 * RFC 3261 17.1 at its very millisecond, what is absorbed and what is repeated,
 * CANCEL, and what users may do inside their handlers.
 */


#include "txn_bench.h"


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


/* the connection that a request was sent on is gone */

static void
test_connection(void)
{
    ngx_ims_txn_t   *t;
    ngx_ims_flow_t   flow;

    flow_init(&flow, 1);
    flow.transport = NGX_IMS_TCP;
    flow.connection = 7;

    start("a connection is lost");
    t = client(NGX_IMS_SIP_OPTIONS, "OPTIONS", 1);
    t->flow.transport = NGX_IMS_TCP;
    t->flow.connection = 8;
    is_int(ngx_ims_txns_waiting(txns), 1, "it waits");
    ngx_ims_txns_flow_failed(txns, &flow, 0);
    standin_run(10);
    is_int(user.error, 0, "another one concerns nobody");
    t->flow.connection = 7;
    ngx_ims_txns_flow_failed(txns, &flow, 0);
    standin_run(10);
    over(0, 1, 10, "its own ends it");

    start("a connection is lost behind the answer");
    t = client(NGX_IMS_SIP_INVITE, "INVITE", 1);
    t->flow.transport = NGX_IMS_TCP;
    t->flow.connection = 7;
    (void) ngx_ims_txn_response(txns, response(200, "INVITE", branch));
    is_int(ngx_ims_txns_waiting(txns), 0, "it does not wait");
    ngx_ims_txns_flow_failed(txns, &flow, 0);
    standin_run(10);
    is_int(user.error, 0, "what has its answer lives on");
    standin_run(40000);

    start("a connection for a long request is refused");
    t = client(NGX_IMS_SIP_OPTIONS, "OPTIONS", 1);
    t->flow.transport = NGX_IMS_TCP;
    t->flow.connection = 7;
    t->flow.grown = 1;
    standin_run(100);
    ngx_ims_txns_flow_failed(txns, &flow, 1);
    standin_run(1000);
    sent_at("0 100 600", "it goes on as a datagram");
    is_int(t->flow.transport, NGX_IMS_UDP, "by UDP");
    standin_run(40000);
    over(1, 0, 32100, "F");

    start("a connection for a long request is lost");
    t = client(NGX_IMS_SIP_OPTIONS, "OPTIONS", 1);
    t->flow.transport = NGX_IMS_TCP;
    t->flow.connection = 7;
    t->flow.grown = 1;
    ngx_ims_txns_flow_failed(txns, &flow, 0);
    standin_run(10);
    is_int(user.error, 1, "no datagram then");
}


int
main(void)
{
    if (begin() != 0) {
        return 2;
    }

    test_client_timeouts();
    test_client_answers();
    test_client_ack();
    test_client_cancel();
    test_client_flow();
    test_reentrancy();
    test_limits();
    test_memory();
    test_branch();
    test_connection();

    return finish();
}
