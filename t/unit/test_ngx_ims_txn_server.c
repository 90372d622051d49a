/*
 * Copyright (C) the IMS portal authors
 *
 * Server transactions: each timer of RFC 3261 17.2 at its very millisecond,
 * what is absorbed and what is repeated, CANCEL, a flow that fails.
 */


#include "txn_bench.h"


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


/* a browser's socket goes and another one takes its place */

static void
test_server_moved(void)
{
    ngx_ims_txn_t   *t;
    ngx_ims_flow_t   flow;

    start("server, suspended, answered and resumed");
    t = server("MESSAGE", 1);
    ngx_ims_txn_suspend(t);
    reply(t, 200, NGX_ERROR, "200 goes nowhere");
    is_int(wire.n, 0, "nothing was sent");
    standin_run(1000);
    is_int(user.done, 0, "it is kept");
    flow_init(&flow, 1);
    ngx_ims_txn_resume(t, &flow);
    is_int(wire.n, 1, "and goes out when the socket is there");
    is_int(again("MESSAGE"), NGX_OK, "absorbed");
    is_int(wire.n, 2, "answered again");
    standin_run(100000);
    over(0, 0, 32000, "J");

    start("server, suspended, resumed and answered");
    t = server("MESSAGE", 1);
    ngx_ims_txn_suspend(t);
    ngx_ims_txn_resume(t, &flow);
    is_int(wire.n, 0, "no answer yet");
    reply(t, 200, NGX_OK, "200");
    standin_run(0);
    over(0, 0, 0, "as on any reliable flow");

    start("server, suspended, repeated on another socket");
    t = server("MESSAGE", 1);
    ngx_ims_txn_suspend(t);
    is_int(again("MESSAGE"), NGX_OK, "absorbed");
    reply(t, 200, NGX_ERROR, "that socket is not kept");
    is_int(again("MESSAGE"), NGX_OK, "absorbed");
    is_int(wire.n, 1, "answered there");
    standin_run(100000);
    is_int(user.done, 1, "over");

    start("server, suspended, not resumed");
    t = server("MESSAGE", 1);
    ngx_ims_txn_suspend(t);
    reply(t, 200, NGX_ERROR, "200");
    standin_run(100000);
    over(0, 0, 32000, "J");

    start("server, abandoned");
    t = server("INVITE", 0);
    reply(t, 100, NGX_OK, "100");
    ngx_ims_txn_abandon(t);
    is_int(user.done, 0, "nobody is told");
    is_int(ngx_ims_txns_count(txns), 0, "it is gone");
    is_int(standin_timers(), 0, "with its timer");
    is_int(again("INVITE"), NGX_DECLINED, "the request is new");
}


int
main(void)
{
    if (begin() != 0) {
        return 2;
    }

    test_server_invite();
    test_server_plain();
    test_server_cancel();
    test_server_flow();
    test_server_moved();

    return finish();
}
