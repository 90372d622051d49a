/*
 * Copyright (C) the IMS portal authors
 *
 * The order of things goes wrong: media before the answer, several answers,
 * an ICE restart, a browser that moves, odd framing of ng; see cases.h.
 */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"
#include "check.h"
#include "result.h"


/* ME-3, RFC 8445 7.3.1.1, 8.2: we are lite and controlled */

void
test_roles(struct ng *ng, const char *addr)
{
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");

    c.web.check = CHECK_CONTROLLED;
    ok(browser_check(&c.web, NULL) == 487, "a controlled browser gets 487");

    c.web.check = CHECK_PLAIN;
    ok(browser_check(&c.web, NULL) == 200, "a check alone is answered");

    c.web.check = CHECK_NOMINATE;
    ok(browser_connect(&c.web, 3000), "a nomination connects");
    ok(pass_up(&c, 1, 8, 1, 160) && pass_down(&c, 2, 8, 1, 160), "media");

    call_delete(&c);
    call_close(&c);
}


/* RFC 8122: weak hashes do not count */

void
test_hash(struct ng *ng, const char *addr)
{
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    c.web.hash = "sha-1";
    ok(call_offer(&c, "actpass", "sendrecv") == 0
       && strstr(ng_get(ng, "error-reason"), "fingerprint") != NULL,
       "an offer with a sha-1 fingerprint alone is refused");

    c.web.hash = "sha-256";
    c.web.fingerprint[4] = '\0';
    ok(call_offer(&c, "actpass", "sendrecv") == 0,
       "and one with a fingerprint cut short");

    call_delete(&c);
    call_close(&c);
}


/*
 * The IMS calls; the browser has its answer ready and begins with ICE and
 * DTLS before the proxy has told the server of it.
 */

void
test_early(struct ng *ng, const char *addr)
{
    int          i, good;
    struct call  c;

    for (i = 0; i < 2; i++) {
        call_init(&c, ng, addr, IMS_OFFERS, ALL_PROFILES);

        good = call_offer(&c, "active", "sendrecv") == 1
               && call_remote(&c, WEB) == 0;
        c.web.active = 1;

        if (ok(good && browser_check(&c.web, NULL) == 200,
               "a check before the answer"))
        {
            (void) browser_connect(&c.web, 1000);
            browser_send_if(&c.web);
            ok(count_ims(&c, 100) == 0, "no media before the answer");

            if (i == 1) {
                c.web.fingerprint[0] = (c.web.fingerprint[0] == 'A') ? 'B'
                                                                     : 'A';
            }

            ok(call_answer(&c, "8 101", "sendrecv", "active") == 1
               && call_remote(&c, IMS) == 0, "the answer");
            good = browser_connect(&c.web, 2000)
                   && pass_up(&c, 1, 8, 1, 160)
                   && pass_down(&c, 2, 8, 1, 160);
            ok(good == (i == 0), "%s", i == 0
               ? "DTLS that began before the answer gives media"
               : "but not with another fingerprint");
        }

        call_delete(&c);
        call_close(&c);
    }
}


/* a forking proxy: 183 of one phone, then 200 of another (SE-16) */

void
test_forks(struct ng *ng, const char *addr)
{
    char         first[NG_MAX];
    unsigned     port;
    struct ims   one, two;
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    ok(call_offer(&c, "actpass", "sendrecv") == 1
       && call_remote(&c, IMS) == 0, "offer");
    port = c.ims.port;

    c.ims_tag = "early";
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 1
       && call_remote(&c, WEB) == 0, "an early answer");
    ok(browser_connect(&c.web, 3000) && pass_up(&c, 1, 8, 1, 160)
       && pass_down(&c, 2, 8, 1, 160), "early media, both ways");
    (void) snprintf(first, sizeof(first), "%s", c.web.peer_ufrag);

    /* the other phone, at another address */

    one = c.ims;
    call_new_ims(&c);
    c.ims_tag = "final";
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 1
       && call_remote(&c, WEB) == 0, "the final answer, of another phone");
    two = c.ims;
    ok(strcmp(first, c.web.peer_ufrag) == 0
       && strstr(c.to_web.sdp, "a=setup:passive") != NULL,
       "the browser sees no difference");
    ok(c.ims.port == port && pass_up(&c, 1, 8, 2, 160)
       && pass_down(&c, 3, 8, 1, 160), "media with the final one");

    c.ims = one;
    ok(!pass_down(&c, 2, 8, 2, 160), "the early one is not heard any more");
    c.ims = two;

    call_delete(&c);
    call_close(&c);
    close(one.fd[0]);
    close(one.fd[1]);
}


/* RFC 8839 4.4.1.1.1; a new ufrag (P19), the keys stay (P18) */

void
test_ice_restart(struct ng *ng, const char *addr)
{
    char         fp[128], fp2[128], ufrag[260], own[9];
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");
    ok(browser_connect(&c.web, 3000) && pass_up(&c, 1, 8, 1, 160),
       "connected");

    (void) snprintf(ufrag, sizeof(ufrag), "%s", c.web.peer_ufrag);
    (void) snprintf(own, sizeof(own), "%s", c.web.ufrag);
    call_fingerprint(&c, fp);
    browser_restart(&c.web);

    ok(strcmp(own, c.web.ufrag) != 0
       && call_setup_again(&c, "actpass", "sendrecv", "passive") == 1,
       "an offer with a new ufrag");
    call_fingerprint(&c, fp2);
    ok(strcmp(ufrag, c.web.peer_ufrag) != 0 && strcmp(fp, fp2) == 0
       && strstr(c.to_web.sdp, "a=setup:passive") != NULL,
       "gets a new ufrag, the old fingerprint and role");
    ok(pass_up(&c, 1, 8, 2, 160) && pass_down(&c, 2, 8, 2, 160),
       "media does not wait for the new check");
    ok(browser_check(&c.web, NULL) == 200 && pass_up(&c, 1, 8, 3, 160)
       && pass_down(&c, 2, 8, 3, 160), "and goes on after it");

    call_delete(&c);
    call_close(&c);
}


/*
 * The IMS rejects an offer with a new ufrag: the browser goes back to the
 * old one, whose checks have to be answered, and offers that again.
 */

void
test_ice_rejected(struct ng *ng, const char *addr)
{
    char         ufrag[260], own[9], pwd[25], peer_pwd[260];
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");
    ok(browser_connect(&c.web, 3000) && pass_up(&c, 1, 8, 1, 160),
       "connected");

    (void) snprintf(ufrag, sizeof(ufrag), "%s", c.web.peer_ufrag);
    (void) snprintf(peer_pwd, sizeof(peer_pwd), "%s", c.web.peer_pwd);
    (void) snprintf(own, sizeof(own), "%s", c.web.ufrag);
    (void) snprintf(pwd, sizeof(pwd), "%s", c.web.pwd);
    browser_restart(&c.web);

    ok(call_offer(&c, "actpass", "sendrecv") == 1,
       "an offer with a new ufrag, never answered");

    (void) snprintf(c.web.ufrag, sizeof(c.web.ufrag), "%s", own);
    (void) snprintf(c.web.pwd, sizeof(c.web.pwd), "%s", pwd);
    ok(browser_check(&c.web, NULL) == 200 && pass_up(&c, 1, 8, 2, 160)
       && pass_down(&c, 2, 8, 2, 160), "the old one is still good");

    ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
       && strcmp(ufrag, c.web.peer_ufrag) == 0
       && strcmp(peer_pwd, c.web.peer_pwd) == 0,
       "and an offer with it gets what it got before");
    ok(browser_check(&c.web, NULL) == 200 && pass_up(&c, 1, 8, 3, 160)
       && pass_down(&c, 2, 8, 3, 160), "media goes on");

    call_delete(&c);
    call_close(&c);
}


/* the browser rejects an offer that names another phone: the first one stays */

void
test_move_rejected(struct ng *ng, const char *addr)
{
    struct ims   one, two;
    struct call  c;

    call_init(&c, ng, addr, IMS_OFFERS, ALL_PROFILES);
    call_setup(&c, "active", "passive");
    ok(browser_connect(&c.web, 3000) && pass_up(&c, 1, 8, 1, 160)
       && pass_down(&c, 2, 8, 1, 160), "connected");

    one = c.ims;
    call_new_ims(&c);
    two = c.ims;
    ok(call_offer(&c, "actpass", "sendrecv") == 1,
       "an offer of another address, never answered");

    c.ims = one;
    ok(pass_up(&c, 1, 8, 2, 160) && pass_down(&c, 2, 8, 2, 160),
       "media stays where it was");

    call_delete(&c);
    call_close(&c);
    close(two.fd[0]);
    close(two.fd[1]);
}


/* who has a call of his own cannot take over a pair of another's */

void
test_takeover(struct ng *ng, const char *addr)
{
    int                      fd;
    struct call              mary, eve;
    struct sockaddr_storage  self;

    call_init(&mary, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&mary, "actpass", "passive");
    ok(browser_connect(&mary.web, 3000) && pass_up(&mary, 1, 8, 1, 160),
       "connected");

    call_init(&eve, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&eve, "actpass", "passive");

    /* as with a forged source */

    fd = eve.web.fd;
    self = eve.web.self;
    eve.web.fd = mary.web.fd;
    eve.web.self = mary.web.self;
    ok(browser_check(&eve.web, NULL) == 0,
       "a good check of another call gets no answer");
    eve.web.fd = fd;
    eve.web.self = self;

    ok(pass_up(&mary, 1, 8, 2, 160) && pass_down(&mary, 2, 8, 2, 160),
       "media stays with its call");
    ok(browser_connect(&eve.web, 3000) && pass_up(&eve, 1, 8, 1, 160),
       "and the other one works from its own address");

    call_delete(&mary);
    call_delete(&eve);
    call_close(&mary);
    call_close(&eve);
}


/* the browser nominates another pair of its own accord (ME-4) */

void
test_ice_moves(struct ng *ng, const char *addr)
{
    int          old;
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");
    ok(browser_connect(&c.web, 3000) && pass_up(&c, 1, 8, 1, 160)
       && pass_down(&c, 2, 8, 1, 160), "connected");

    old = browser_move(&c.web, addr);
    ok(old != -1 && browser_check(&c.web, NULL) == 200,
       "a check from a new port");
    ok(pass_up(&c, 1, 8, 2, 160), "media may come from it");
    ok(pass_down(&c, 2, 8, 2, 160), "and then comes to it");

    close(old);
    call_delete(&c);
    call_close(&c);
}


/* ng over a stream comes in any pieces; over seqpacket and UDP it does not */

void
test_framing(struct ng *ng, const char *addr)
{
    int          type, i, good;
    char         two[128];
    socklen_t    len;

    (void) addr;

    len = sizeof(type);

    if (getsockopt(ng->fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0
        || type != SOCK_STREAM)
    {
        return;
    }

    good = 1;

    for (i = 0; i < 3; i++) {
        ng_begin(ng, "ping");
        good = good && ng_send_pieces(ng) == 1;
    }

    ok(good, "a command octet by octet");

    (void) snprintf(two, sizeof(two), "a_1 d7:command4:pinge"
                                      "a_2 d7:command4:pinge");
    ng_raw(ng, two, strlen(two));
    ok(strstr(ng->in, "pong") != NULL, "two commands at once: the first");

    if (strstr(ng->in, "a_2 ") == NULL) {
        ng_raw(ng, "", 0);
        ok(strstr(ng->in, "pong") != NULL, "two commands at once: the other");

    } else {
        ok(1, "two commands at once: the other came with it");
    }
}


void
test_sizes(struct ng *ng, const char *addr)
{
    int          good;
    size_t       n;
    struct call  c;

    static const size_t  sizes[] = { 0, 1, 33, 500, 1200, 1400 };

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    call_setup(&c, "actpass", "passive");
    good = browser_connect(&c.web, 3000);

    for (n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        good = good && pass_up(&c, 1, 8, (uint16_t) n, sizes[n])
               && pass_down(&c, 2, 8, (uint16_t) n, sizes[n]);
    }

    ok(good, "payloads from nothing to 1400 octets");

    call_delete(&c);
    call_close(&c);
}


/* each of the first datagrams of DTLS gets lost once, in both roles */

void
test_dtls_loss(struct ng *ng, const char *addr)
{
    int          good;
    unsigned     i;
    uint16_t     seq;
    struct call  c;

    good = 1;

    for (i = 0; i < 10; i++) {
        call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
        c.web.lose = (i < 6) ? 1u << (i / 2) : 0;
        c.web.lose_sent = (i < 6) ? 0 : 1u << ((i - 6) / 2);
        good = good && call_setup(&c, "actpass", i % 2 ? "active" : "passive")
                       == 1
               && browser_connect(&c.web, 5000);

        /* it may be connected before the server is */

        for (seq = 1; good && !pass_up(&c, 1, 8, seq, 160) && seq < 40;
             seq++)
        {
            drain_web(&c, 50);
        }

        good = good && seq < 40 && pass_down(&c, 2, 8, 1, 160);
        call_delete(&c);
        call_close(&c);
    }

    ok(good, "any one flight of DTLS may get lost, either way");
}


/* audio and video in one bundle at the browser, two lines at the IMS */

void
test_video(struct ng *ng, const char *addr)
{
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    c.web.video = 1;

    ok(call_setup(&c, "actpass", "passive") == 1
       && c.video.port != c.ims.port && c.video.port % 2 == 0,
       "audio and video, each with its port at the IMS");
    ok(strstr(c.to_ims.sdp, "a=group") == NULL
       && strstr(c.to_ims.sdp, "VP8") == NULL
       && strstr(c.to_ims.sdp, "rtx") == NULL
       && strstr(c.to_ims.sdp, "H264/90000") != NULL,
       "the IMS sees H.264 and no bundle");
    ok(strstr(c.to_web.sdp, "a=group:BUNDLE 0 1") != NULL,
       "the browser sees its bundle");

    if (ok(browser_connect(&c.web, 3000), "connected")) {
        ok(pass_up(&c, 1, 8, 1, 160) && pass_video(&c, UP, 97, 97, 2)
           && pass_up(&c, 1, 8, 3, 160), "each goes up to its port");
        ok(pass_down(&c, 2, 8, 1, 160) && pass_video(&c, DOWN, 97, 97, 2)
           && pass_down(&c, 2, 8, 3, 160), "both come down the one pair");
    }

    call_delete(&c);
    ok(port_free(addr, c.video.port) && port_free(addr, c.video.port + 1),
       "the ports of the video are free");
    call_close(&c);
}


/* many calls at once, each with its own media */

void
test_many(struct ng *ng, const char *addr)
{
    int          good;
    unsigned     i, round;

    static struct call  calls[40];

    good = 1;

    for (i = 0; i < 40; i++) {
        call_init(&calls[i], ng, addr, i % 2, ALL_PROFILES);
        good = good && call_setup(&calls[i], i % 2 ? "active" : "actpass",
                                  "passive") == 1
               && browser_connect(&calls[i].web, 3000);
    }

    ok(good, "40 calls at once");

    for (round = 0; round < 5; round++) {
        for (i = 0; i < 40; i++) {
            good = good && pass_up(&calls[i], i, 8, (uint16_t) round, 160)
                   && pass_down(&calls[i], i, 8, (uint16_t) round, 160);
        }
    }

    ok(good, "each with its own media");

    for (i = 0; i < 40; i++) {
        good = good && call_delete(&calls[i]) == 1;
        call_close(&calls[i]);
    }

    ok(good, "and all deleted");
}


/* IPv6 on one side and IPv4 on the other */

void
test_mixed(struct ng *ng, const char *v4, const char *v6)
{
    int          i;
    struct call  c;

    for (i = 0; i < 2; i++) {
        call_init_mixed(&c, ng, i ? v4 : v6, i ? v6 : v4, BROWSER_OFFERS);
        ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 3000) && pass_up(&c, 1, 8, 1, 160)
           && pass_down(&c, 2, 8, 1, 160), "browser %s, IMS %s", c.web_af,
           c.af);
        call_delete(&c);
        call_close(&c);
    }
}


void
test_control(const char *spec, const char *addr)
{
    struct ng    ng;
    struct call  c;

    if (!ok(ng_open(&ng, spec) == 0, "control socket %s", spec)) {
        return;
    }

    call_init(&c, &ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    ok(call_setup(&c, "actpass", "passive") == 1
       && browser_connect(&c.web, 3000) && pass_up(&c, 1, 8, 1, 160)
       && call_delete(&c) == 1, "a whole call over it");
    call_close(&c);
    ng_close(&ng);
}
