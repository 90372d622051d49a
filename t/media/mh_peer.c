/*
 * Copyright (C) the IMS portal authors
 *
 * The black-box suite of a media server that speaks ng: it plays the proxy,
 * a browser and a plain RTP end, and prints TAP.
 *
 *     mh_peer -c SOCKET [-c SOCKET ...] [-4 ADDR] [-6 ADDR]
 *             [-p MIN-MAX] [-r]
 *
 *     -c      control socket: unix:PATH, seqpacket:PATH, udp:ADDR:PORT; all
 *             is run over the first, one call over each other one
 *     -p      the server's port range, none of which may be open at the end
 *     -4, -6  addresses of both ends; default 127.0.0.1 and no IPv6
 *     -r      the server is rtpengine: what it is known to do in another
 *             way is left out, so that the suite itself can be trusted
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "cases.h"
#include "result.h"


static int  reference;          /* -r */


/* requests without a call */

static void
test_commands(struct ng *ng)
{
    ng_begin(ng, "ping");
    ok(ng_send(ng) == 1 && strcmp(ng_get(ng, "result"), "pong") == 0, "ping");

    ng_begin(ng, "offer");
    ng_str(ng, "call-id", "x");
    ok(ng_send(ng) == 0 && ng_get(ng, "error-reason")[0] != '\0',
       "an offer without SDP is an error");

    ng_begin(ng, "answer");
    ng_str(ng, "call-id", "nobody");
    ng_str(ng, "from-tag", "a");
    ng_str(ng, "to-tag", "b");
    ng_str(ng, "sdp", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
           "c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n");
    ok(ng_send(ng) == 0
       && strcmp(ng_get(ng, "error-reason"), "Unknown call-id") == 0,
       "an answer to nothing is \"Unknown call-id\"");

    ng_begin(ng, "no such thing");
    ok(ng_send(ng) == 0
       && strcmp(ng_get(ng, "error-reason"), "Unrecognized command") == 0,
       "an unknown command is \"Unrecognized command\"");
}


/* what each side reads of the other; leaves a call */

static void
test_descriptions(struct ng *ng, const char *addr, struct call *c)
{
    char  first[NG_MAX];

    call_init(c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);

    ok(call_offer(c, "actpass", "sendrecv") == 1, "offer of a browser");
    ok(strstr(c->to_ims.sdp, " RTP/AVP ") != NULL
       && strstr(c->to_ims.sdp, "a=ice-") == NULL
       && strstr(c->to_ims.sdp, "a=candidate") == NULL
       && strstr(c->to_ims.sdp, "a=fingerprint") == NULL
       && strstr(c->to_ims.sdp, "a=setup") == NULL
       && strstr(c->to_ims.sdp, "a=rtcp-mux") == NULL,
       "the IMS sees plain RTP/AVP");

    if (!reference) {
        ok(strstr(c->to_ims.sdp, "a=group") == NULL
           && strstr(c->to_ims.sdp, "extmap") == NULL
           && strstr(c->to_ims.sdp, "msid") == NULL
           && strstr(c->to_ims.sdp, "b=AS:") != NULL,
           "and nothing of WebRTC's, but a bandwidth");
    }

    ok(call_remote(c, IMS) == 0 && c->ims.port % 2 == 0,
       "on an even port (%u)", c->ims.port);

    (void) snprintf(first, sizeof(first), "%s", ng->in);
    ok(ng_again(ng) == 1 && strcmp(first, ng->in) == 0,
       "the same cookie gets the same reply");

    ok(call_answer(c, "8 126", "sendrecv", "passive") == 1
       && call_remote(c, WEB) == 0, "answer of the IMS");
    ok(strstr(c->to_web.sdp, "UDP/TLS/RTP/SAVPF") != NULL
       && strstr(c->to_web.sdp, "a=rtcp-mux") != NULL
       && strstr(c->to_web.sdp, "a=fingerprint:sha-256 ") != NULL
       && strstr(c->to_web.sdp, "a=setup:passive") != NULL
       && strstr(c->to_web.sdp, "a=mid:0") != NULL,
       "the browser sees WebRTC, its mid, and a passive end");
}


/* a call is known and has its ports until it is deleted */

static void
test_life(struct ng *ng, const char *addr, struct call *c)
{
    ng_begin(ng, "query");
    ng_str(ng, "call-id", c->id);
    ok(ng_send(ng) == 1 && ng_get(ng, "totals")[0] == 'd'
       && ng_get(ng, "tags")[0] == 'd', "query tells totals and tags");

    ng_begin(ng, "list");
    ok(ng_send(ng) == 1 && strstr(ng_get(ng, "calls"), c->id) != NULL,
       "list has it");

    ok(!port_free(addr, c->ims.port) && !port_free(addr, c->ims.port + 1),
       "its ports are taken");
    ok(call_delete(c) == 1, "delete");

    /* rtpengine closes them from a timer */

    if (reference) {
        usleep(300000);
    }

    ok(port_free(addr, c->ims.port) && port_free(addr, c->ims.port + 1),
       "its ports are free");

    ng_begin(ng, "query");
    ng_str(ng, "call-id", c->id);
    ok(ng_send(ng) == 0, "query knows it no more");
    ok(call_delete(c) == 1 && ng_get(ng, "warning")[0] != '\0',
       "another delete is ok with a warning");

    call_close(c);
}


static void
test_signaling(struct ng *ng, const char *addr)
{
    struct call  c;

    test_commands(ng);
    test_descriptions(ng, addr, &c);
    test_life(ng, addr, &c);
}


/* what only a helper with ICE-lite must do: nothing before a valid check */

static void
test_ice(struct ng *ng, const char *addr)
{
    char         right;
    int          code;
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");

    code = browser_check(&c.web, "wrongwrongwrongwrongwrong");
    ok(reference ? code != 200 : code == 401, "bad integrity is 401 (%d)",
       code);

    right = c.web.peer_ufrag[0];
    c.web.peer_ufrag[0] = (right == 'x') ? 'y' : 'x';
    code = browser_check(&c.web, NULL);
    ok(code != 200, "an unknown ufrag is no success (%d)", code);
    c.web.peer_ufrag[0] = right;

    if (!reference) {
        ok(!call_dtls_answers(&c), "no DTLS before a check");
    }

    ok(browser_check(&c.web, NULL) == 200, "a good check is answered");
    ok(browser_connect(&c.web, 3000), "DTLS after it");
    ok(browser_check(&c.web, NULL) == 200, "consent is answered");

    call_delete(&c);
    call_close(&c);
}


static void
test_both_ways(struct call *c, const char *name)
{
    int       good;
    unsigned  i;

    good = 1;

    for (i = 0; i < 10; i++) {
        good = good && pass_up(c, 0x1000, 8, (uint16_t) (100 + i), 160)
               && pass_down(c, 0x2000, 8, (uint16_t) (700 + i), 160);
    }

    ok(good, "%s: payload, sequence and SSRC to the bit, both ways", name);
}


static void
test_matrix(struct ng *ng, const char *addr)
{
    char         name[128];
    unsigned     i;
    struct call  c;

    static const struct {
        int          offers;
        const char  *setup;         /* in the browser's SDP */
        const char  *dtls;          /* the flag */
        const char  *profiles;
        unsigned     profile;
    } cases[] = {
        { BROWSER_OFFERS, "actpass", "passive", ALL_PROFILES, 7 },
        { BROWSER_OFFERS, "actpass", "active", ALL_PROFILES, 7 },
        { BROWSER_OFFERS, "active", "passive", CM_PROFILE, 1 },
        { BROWSER_OFFERS, "passive", "active", CM_PROFILE, 1 },
        { IMS_OFFERS, "active", "passive", ALL_PROFILES, 7 },
        { IMS_OFFERS, "passive", "passive", CM_PROFILE, 1 },
        { IMS_OFFERS, "active", "passive", CM_PROFILE, 1 },
        { IMS_OFFERS, "passive", "passive", ALL_PROFILES, 7 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        (void) snprintf(name, sizeof(name), "%s offers, %s, profile %u",
                        cases[i].offers == BROWSER_OFFERS ? "browser" : "IMS",
                        cases[i].setup, cases[i].profile);

        call_init(&c, ng, addr, cases[i].offers, cases[i].profiles);

        if (ok(call_setup(&c, cases[i].setup, cases[i].dtls) == 1
               && browser_connect(&c.web, 5000), "%s: connected", name))
        {
            /* rtpengine has an order of its own */

            if (!reference) {
                is_int(c.web.profile, cases[i].profile, name);
            }

            test_both_ways(&c, name);
        }

        call_delete(&c);
        call_close(&c);
    }
}


static void
test_streams(struct ng *ng, const char *addr)
{
    int          good;
    unsigned     i, n;
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");

    if (!ok(browser_connect(&c.web, 5000), "connected")) {
        call_close(&c);
        return;
    }

    good = 1;

    for (i = 0; i < 20; i++) {
        good = good && pass_up(&c, 0x3000 + i, 8, (uint16_t) (i * 3000), 160)
               && pass_down(&c, 0x4000 + i, 8, (uint16_t) (i * 3000), 160);
    }

    ok(good, "20 changes of the SSRC, both ways");

    for (i = 0, n = 0; i < 100; i++) {
        forge_up(&c, 0xff000000 + i, (uint16_t) i);

        if (i % 20 == 19) {
            usleep(2000);
        }
    }

    ok(pass_up(&c, 0x3013, 8, 19 * 3000 + 1, 160) && count_ims(&c, 50) == 0,
       "100 forged SSRCs do not come out and hurt nothing");

    good = 1;

    /* 65400..65535, 0..163 with every seventh lost before it is sent */

    for (i = 0; i < 300; i++) {
        if (i % 7 == 3) {
            skip_up(&c, 0x5000, (uint16_t) (65400 + i));
            continue;
        }

        good = good && pass_up(&c, 0x5000, 8, (uint16_t) (65400 + i), 20);
    }

    ok(good, "up over the sequence wrap with loss");

    good = 1;

    for (i = 0; i < 300; i++) {
        if (i % 7 == 3) {
            continue;
        }

        good = good && pass_down(&c, 0x6000, 8, (uint16_t) (65400 + i), 20);
    }

    ok(good, "down over the sequence wrap with loss");

    if (!reference) {
        n = replay_up(&c, 0x5000, 500);
        is_int(n, 1, "a replayed packet comes out once");

        n = readdress_up(&c, 0x5000, 501);
        is_int(n, 0, "SRTP from an address without a check is dropped");

        n = stranger_down(&c, 0x6666);
        is_int(n, 0, "RTP from a stranger on the IMS port is dropped");

        n = stranger_rtcp(&c, 0x6666);
        is_int(n, 0, "and his RTCP");
    }

    ok(pass_up(&c, 0x5000, 8, 502, 160) && pass_down(&c, 0x6000, 8, 502, 160),
       "and the call goes on");

    call_delete(&c);
    call_close(&c);
}


static void
test_rtcp(struct ng *ng, const char *addr)
{
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");

    if (ok(browser_connect(&c.web, 5000), "connected")) {
        (void) pass_up(&c, 0x1000, 8, 1, 160);
        (void) pass_down(&c, 0x2000, 8, 1, 160);

        ok(rtcp_up(&c, 200, 0x1000, 0x2000), "a sender report goes up");
        ok(rtcp_up(&c, 201, 0x1000, 0x2000), "a receiver report goes up");
        ok(rtcp_down(&c, 200, 0x2000, 0x1000), "a sender report comes down");
        ok(rtcp_down(&c, 201, 0x2000, 0x1000),
           "a receiver report comes down");
    }

    call_delete(&c);
    call_close(&c);
}


static void
test_payload_types(struct ng *ng, const char *addr)
{
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    (void) call_offer(&c, "actpass", "sendrecv");
    (void) call_remote(&c, IMS);

    /* the IMS has its own number for telephone-event */

    ok(call_answer(&c, "8 101", "sendrecv", "passive") == 1
       && call_remote(&c, WEB) == 0
       && strstr(c.to_web.sdp, "a=rtpmap:126 telephone-event") != NULL,
       "the browser keeps its number for telephone-event");

    if (ok(browser_connect(&c.web, 5000), "connected")) {
        ok(pass_pt(&c, UP, 126, 101, 10), "126 goes up as 101");
        ok(pass_pt(&c, DOWN, 101, 126, 11), "101 comes down as 126");
        ok(pass_pt(&c, UP, 8, 8, 12), "8 stays 8");
        ok(pass_extension(&c, 13), "header extensions stay behind");
    }

    call_delete(&c);
    call_close(&c);
}


static void
test_reoffer(struct ng *ng, const char *addr)
{
    char         fp[128], ufrag[260], fp2[128];
    unsigned     port, web_port;
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");
    ok(browser_connect(&c.web, 5000), "connected");

    port = c.ims.port;
    web_port = call_web_port(&c);
    (void) snprintf(ufrag, sizeof(ufrag), "%s", c.web.peer_ufrag);
    call_fingerprint(&c, fp);

    ok(call_setup_again(&c, "actpass", "inactive", "passive") == 1
       && c.ims.port == port, "hold: the same port at the IMS");
    ok(strstr(c.to_ims.sdp, "a=inactive") != NULL
       && strstr(c.to_web.sdp, "a=inactive") != NULL,
       "hold: the direction passes");
    call_fingerprint(&c, fp2);
    ok(call_web_port(&c) == web_port && strcmp(ufrag, c.web.peer_ufrag) == 0
       && strcmp(fp, fp2) == 0 && strstr(c.to_web.sdp, "a=setup:passive"),
       "hold: port, ufrag, fingerprint and role stay at the browser");

    ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
       && c.ims.port == port, "and back");
    ok(pass_up(&c, 0x1000, 8, 900, 160) && pass_down(&c, 0x2000, 8, 900, 160),
       "media goes on with the old keys");

    /* a re-INVITE of the IMS */

    ok(call_reverse(&c) == 1 && c.ims.port == port
       && strcmp(ufrag, c.web.peer_ufrag) == 0,
       "re-offer of the IMS: nothing changes");
    ok(pass_up(&c, 0x1000, 8, 901, 160) && pass_down(&c, 0x2000, 8, 901, 160),
       "media goes on");

    call_delete(&c);
    call_close(&c);
}


static void
test_fingerprint(struct ng *ng, const char *addr)
{
    char         *fp;
    struct call   c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    fp = c.web.fingerprint;
    fp[0] = (fp[0] == 'A') ? 'B' : 'A';
    call_setup(&c, "actpass", "passive");

    (void) browser_connect(&c.web, 1500);

    ok(!(c.web.connected == 1 && c.web.tx != NULL
         && pass_up(&c, 0x1000, 8, 1, 160)),
       "a wrong fingerprint: nothing goes up");
    ok(!pass_down(&c, 0x2000, 8, 1, 160), "and nothing comes down");

    call_delete(&c);
    call_close(&c);
}


/* no bytes at all may end the server or the call */

static void
test_malformed(struct ng *ng, const char *addr)
{
    size_t       len;
    uint8_t      buf[1500];
    unsigned     i;
    struct call  c;

    static const char *const  bad[] = {
        "", "x", "1_1 ", "1_2 d", "1_3 d7:command", "1_4 de", "1_5 le",
        "1_6 i1e", "1_7 d7:command4:pinge5:trash", "1_8 99999999999:x",
        "1_9 d7:commandi5ee", "1_10 {\"command\":\"ping\"}",
        "1_11 d7:command5:offer3:sdp0:e", "1_12 llllllllllllllllllllllllll"
    };

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");
    ok(browser_connect(&c.web, 5000), "connected");

    srand(4711);

    for (i = 0; i < 400; i++) {
        len = (size_t) rand() % sizeof(buf);

        for (size_t k = 0; k < len; k++) {
            buf[k] = (uint8_t) rand();
        }

        /* one third looks like STUN, DTLS, RTP each */

        if (len > 20) {
            if (i % 3 == 0) {
                memcpy(buf, "\0\1", 2);
                buf[2] = (uint8_t) ((len - 20) >> 8);
                buf[3] = (uint8_t) ((len - 20) & 0xfc);
                memcpy(buf + 4, "\x21\x12\xa4\x42", 4);

            } else if (i % 3 == 1) {
                memcpy(buf, "\x16\xfe\xfd\0", 4);

            } else {
                buf[0] = (uint8_t) (0x80 | (buf[0] & 0x3f));
            }
        }

        browser_raw(&c.web, -1, buf, len);
        ims_raw(&c, i % 2, buf, len);

        if (i % 20 == 19) {
            usleep(2000);
        }
    }

    (void) count_ims(&c, 50);
    drain_web(&c, 50);
    ok(pass_up(&c, 0x1000, 8, 5, 160) && pass_down(&c, 0x2000, 8, 5, 160),
       "800 malformed datagrams later the call goes on");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ng  other;

        if (ng_open(&other, ng_spec) == 0) {
            ng_raw(&other, bad[i], strlen(bad[i]));
            ng_close(&other);
        }
    }

    ng_begin(ng, "ping");
    ok(ng_send(ng) == 1, "malformed commands later the control socket too");

    call_delete(&c);
    call_close(&c);
}


static void
test_ipv6(struct ng *ng, const char *addr)
{
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && strstr(c.to_ims.sdp, "IN IP6") != NULL
           && browser_connect(&c.web, 5000), "IPv6 on both sides: connected"))
    {
        test_both_ways(&c, "IPv6");
    }

    call_delete(&c);
    call_close(&c);
}


static void
test_all(struct ng *ng, const char *v4, const char *v6)
{
    test_signaling(ng, v4);
    test_ice(ng, v4);
    test_matrix(ng, v4);
    test_streams(ng, v4);
    test_rtcp(ng, v4);

    if (!reference) {
        test_payload_types(ng, v4);
        test_roles(ng, v4);
        test_hash(ng, v4);
        test_early(ng, v4);
        test_forks(ng, v4);
        test_ice_restart(ng, v4);
        test_ice_rejected(ng, v4);
        test_takeover(ng, v4);
        test_move_rejected(ng, v4);
        test_ice_moves(ng, v4);
        test_framing(ng, v4);
        test_sizes(ng, v4);
        test_dtls_loss(ng, v4);
        test_video(ng, v4);
        test_bundle_none(ng, v4);
        test_bundle_taken_out(ng, v4);
        test_bundle_answered(ng, v4);
        test_bundle_tag(ng, v4);
        test_bundle_left(ng, v4);
        test_ice_replayed(ng, v4);
        test_dtls_alerts(ng, v4);
        test_dtls_roles(ng, v4);
        test_ice_late(ng, v4);
        test_ice_receives(ng, v4);
        test_interfaces(ng, v4);
        test_tcp(ng, v4);
        test_tcp_moves(ng, v4);
        test_tcp_lost(ng, v4);
        test_tcp_slow(ng, v4);
        test_tcp_strangers(ng, v4);
        test_many(ng, v4);
    }

    test_reoffer(ng, v4);
    test_fingerprint(ng, v4);
    test_malformed(ng, v4);

    if (v6 != NULL) {
        test_ipv6(ng, v6);
        test_mixed(ng, v4, v6);

        if (!reference) {
            test_tcp(ng, v6);
        }
    }
}


int
main(int argc, char **argv)
{
    int          opt;
    unsigned     i, nmore, min, max;
    const char  *v4, *v6, *more[8];
    struct ng    ng;

    nmore = 0;
    min = max = 0;
    v4 = "127.0.0.1";
    v6 = NULL;

    while ((opt = getopt(argc, argv, "c:4:6:p:r")) != -1) {
        switch (opt) {

        case 'c':
            if (ng_spec == NULL) {
                ng_spec = optarg;

            } else if (nmore < 8) {
                more[nmore++] = optarg;
            }

            break;

        case 'p':
            if (sscanf(optarg, "%u-%u", &min, &max) != 2) {
                return 2;
            }

            break;

        case '4':
            v4 = optarg;
            break;

        case '6':
            v6 = optarg;
            break;

        case 'r':
            reference = 1;
            break;

        default:
            return 2;
        }
    }

    if (ng_spec == NULL || srtp_init() != srtp_err_status_ok
        || ng_open(&ng, ng_spec) != 0)
    {
        fprintf(stderr, "mh_peer: no control socket\n");
        return 2;
    }

    test_all(&ng, v4, v6);

    for (i = 0; i < nmore; i++) {
        test_control(more[i], v4);
    }

    if (max != 0) {
        is_int(ports_open(min, max), 0, "no port of the range is left open");
    }

    ng_close(&ng);

    return done_testing();
}
