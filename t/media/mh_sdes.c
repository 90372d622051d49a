/*
 * Copyright (C) the IMS portal authors
 *
 * SDES-SRTP between the media server and the IMS (TS 33.328, RFC 4568):
 * plays the proxy, a browser and an SRTP end, and prints TAP.
 *
 *     mh_sdes -c SOCKET [-4 ADDR] [-r]
 *
 *     -r  the server is rtpengine: what it does in another way is left out
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "result.h"
#include "sdes.h"


static int  reference;          /* -r */

static const char *const  suites[] = {
    "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32",
    "AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32"
};


static unsigned
count(const char *text, const char *word)
{
    unsigned  n;

    for (n = 0; (text = strstr(text, word)) != NULL; n++) {
        text++;
    }

    return n;
}


/* all is set up, media flows, nothing tells a key that is not the peer's */

static int
media(struct call *c, uint32_t ssrc, uint16_t seq)
{
    int       good;
    unsigned  i;

    good = 1;

    for (i = 0; good && i < 6; i++) {
        good = pass_up(c, ssrc, 8, (uint16_t) (seq + i), 160)
               && pass_down(c, ssrc + 1, 8, (uint16_t) (seq + i), 160);
    }

    return good;
}


/* either profile of DTLS-SRTP, with whatever the suite is */

static void
begin(struct call *c, struct sdes *s, struct ng *ng, const char *addr,
    int offers, const char *suite)
{
    static unsigned  serial;

    call_init(c, ng, addr, offers, serial++ / 2 % 2 ? CM_PROFILE
                                                    : ALL_PROFILES);
    sdes_open(s, suite);
    c->sdes = s;
}


static void
end(struct call *c, struct sdes *s)
{
    (void) call_delete(c);
    sdes_close(s);
    call_close(c);
}


static void
test_suite(struct ng *ng, const char *addr, int offers, const char *suite)
{
    char          words[128];
    const char   *who;
    struct call   c;
    struct sdes   s;

    who = (offers == BROWSER_OFFERS) ? "browser" : "IMS";
    begin(&c, &s, ng, addr, offers, suite);

    /* the two with 32 bits have to be named */

    (void) snprintf(words, sizeof(words), "only-%s", suite);
    s.words = strstr(suite, "_32") ? words : NULL;

    if (!reference) {
        s.before = "a=crypto:1 F8_128_HMAC_SHA1_80 "
                   "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
                   "a=crypto:2 AES_CM_128_HMAC_SHA1_80 "
                   "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj "
                   "UNENCRYPTED_SRTP\r\n";
    }

    ok(call_setup(&c, offers == BROWSER_OFFERS ? "actpass" : "active",
                  "passive") == 1, "%s, %s offers: setup", suite, who);

    /* rtpengine offers SDES to browsers as well, unless told not to */

    ok(strstr(c.to_ims.sdp, " RTP/SAVP ") != NULL
       && (offers == BROWSER_OFFERS || s.tag == 7)
       && (reference
           || (count(c.to_ims.sdp, "a=crypto:")
               == (offers == IMS_OFFERS || s.words ? 1 : 4)
               && strstr(c.to_web.sdp, "a=crypto") == NULL)),
       "%s: SAVP and lines for the IMS, none for the browser", suite);

    ok(browser_connect(&c.web, 5000) && media(&c, 0x1000, 65533),
       "%s, %s offers: media over the wrap, both ways", suite, who);
    ok(rtcp_up(&c, 200, 0x1000, 0x1001) && rtcp_up(&c, 201, 0x1000, 0x1001)
       && rtcp_down(&c, 200, 0x1001, 0x1000),
       "%s, %s offers: RTCP, both ways", suite, who);

    ng_begin(ng, "query");
    ng_str(ng, "call-id", c.id);
    ok(ng_send(ng) == 1 && strstr(ng->in, suite) != NULL
       && (reference || (strstr(ng->in, s.key) == NULL
                         && strstr(ng->in, s.peer) == NULL)),
       "%s: query tells the suite and no key", suite);

    end(&c, &s);
}


/* each m-line has keys of its own */

static void
test_video(struct ng *ng, const char *addr, int offers)
{
    unsigned      i;
    struct call   c;
    struct sdes   s, video;

    begin(&c, &s, ng, addr, offers, suites[0]);
    sdes_open(&video, suites[3]);
    c.sdes_video = &video;
    c.web.video = 1;

    ok(call_setup(&c, offers == BROWSER_OFFERS ? "actpass" : "active",
                  "passive") == 1
       && count(c.to_ims.sdp, " RTP/SAVP") == 2
       && strcmp(s.peer, video.peer) != 0
       && browser_connect(&c.web, 5000), "audio and video, both SRTP");

    for (i = 1; i < 4; i++) {
        ok(media(&c, 1, (uint16_t) (10 * i))
           && pass_video(&c, UP, 97, 97, (uint16_t) i)
           && pass_video(&c, DOWN, 97, 97, (uint16_t) i),
           "each with its own keys, %u", i);
    }

    sdes_close(&video);
    end(&c, &s);
}


/* strangers, and what is not as it was agreed on */

static void
test_strict(struct ng *ng, const char *addr)
{
    size_t        len;
    uint8_t       buf[BROWSER_PACKET], old[BROWSER_PACKET];
    struct call   c;
    struct sdes   s;

    begin(&c, &s, ng, addr, IMS_OFFERS, suites[0]);
    ok(call_setup(&c, "active", "passive") == 1
       && browser_connect(&c.web, 5000) && media(&c, 1, 1), "SRTP flows");

    /* in the clear, broken, twice; then one that is good */

    c.sdes = NULL;
    ok(!pass_down(&c, 2, 8, 100, 160), "nothing passes in the clear");
    c.sdes = &s;

    memset(buf, 0, sizeof(buf));
    buf[0] = 0x80;
    buf[1] = 8;
    buf[3] = 101;
    buf[11] = 2;
    len = sdes_protect(&s, buf, 172, 0);
    memcpy(old, buf, len);
    buf[60] ^= 1;
    ims_sealed(&c, 0, buf, len);
    ok(browser_recv(&c.web, buf, 0, 100) == 0, "nor what was changed");

    ims_sealed(&c, 0, old, len);
    ims_sealed(&c, 0, old, len);
    ok(browser_recv(&c.web, buf, 0, 3000) == 172
       && browser_recv(&c.web, buf, 0, 100) == 0, "nor anything twice");

    ok(media(&c, 1, 200), "and what is good still does");

    end(&c, &s);
}


static void
test_again(struct ng *ng, const char *addr, int offers)
{
    char          key[80];
    struct call   c;
    struct sdes   s;

    begin(&c, &s, ng, addr, offers, suites[0]);
    ok(call_setup(&c, offers == BROWSER_OFFERS ? "actpass" : "active",
                  "passive") == 1
       && browser_connect(&c.web, 5000) && media(&c, 1, 65533)
       && media(&c, 1, 10), "a call");
    (void) snprintf(key, sizeof(key), "%s", s.peer);

    ok(call_setup_again(&c, offers == BROWSER_OFFERS ? "actpass" : "active",
                        "sendonly", "passive") == 1
       && strcmp(key, s.peer) == 0 && media(&c, 1, 20),
       "hold: the server's key and the rollover stay");

    ok(call_reverse(&c) == 1 && strcmp(key, s.peer) == 0
       && media(&c, 1, 30) && media(&c, 0x5000, 1),
       "an offer of the other side: the same, and another SSRC");

    /* a proxy that says RTP/AVP does not make it worse */

    s.transport = "RTP/AVP";
    s.words = "off";
    ok(call_setup_again(&c, offers == BROWSER_OFFERS ? "actpass" : "active",
                        "sendrecv", "passive") == 1
       && strcmp(key, s.peer) == 0 && media(&c, 1, 40),
       "what is SRTP once stays so");

    sdes_renew(&s);

    ok(call_setup_again(&c, offers == BROWSER_OFFERS ? "actpass" : "active",
                        "sendrecv", "passive") == 1, "a new key of the IMS");
    ok((strcmp(key, s.peer) == 0) == (offers == BROWSER_OFFERS)
       && media(&c, 0x6000, 1),
       "the server answers it with a new one, media goes on");

    end(&c, &s);
}


/* each branch has its own keys; the server's are the same for all */

static void
test_forks(struct ng *ng, const char *addr)
{
    struct ims    first;
    struct call   c;
    struct sdes   one, two;

    begin(&c, &one, ng, addr, BROWSER_OFFERS, suites[2]);
    c.ims_tag = "early";
    ok(call_setup(&c, "actpass", "passive") == 1
       && browser_connect(&c.web, 5000) && media(&c, 1, 1), "early media");

    first = c.ims;
    call_new_ims(&c);
    sdes_open(&two, suites[0]);
    c.sdes = &two;
    ok(call_remote(&c, IMS) == 0, "the other branch has the offer, too");
    c.ims_tag = "final";
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 1
       && media(&c, 1, 100), "it answers with another suite");

    sdes_close(&two);
    close(c.ims.fd[0]);
    close(c.ims.fd[1]);
    c.ims = first;
    c.sdes = &one;
    c.ims_tag = "early";
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 1
       && media(&c, 1, 200), "the first one again");

    end(&c, &one);
}


static void
test_refused(struct ng *ng, const char *addr)
{
    struct call   c;
    struct sdes   s;

    begin(&c, &s, ng, addr, BROWSER_OFFERS, suites[0]);
    ok(call_offer(&c, "actpass", "sendrecv") == 1
       && call_remote(&c, IMS) == 0, "offered as RTP/SAVP");

    s.profile = "RTP/AVP";
    s.none = 1;
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 0
       && strstr(ng_get(ng, "error-reason"), "does not match") != NULL,
       "an answer with RTP/AVP is refused");

    s.profile = "RTP/SAVP";
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 0
       && strstr(ng_get(ng, "error-reason"), "a=crypto") != NULL,
       "and one without a=crypto");

    s.none = 0;
    s.wrong_tag = 1;
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 0,
       "and one with a tag that was not offered");

    s.wrong_tag = 0;
    s.after = " UNENCRYPTED_SRTP";
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 0,
       "and one that would not encrypt");

    s.after = NULL;
    ok(call_answer(&c, "8 126", "sendrecv", "passive") == 1
       && call_remote(&c, WEB) == 0 && browser_connect(&c.web, 5000)
       && media(&c, 1, 1), "a right one then is taken");
    end(&c, &s);

    begin(&c, &s, ng, addr, IMS_OFFERS, suites[0]);
    s.none = 1;
    ok(call_offer(&c, "active", "sendrecv") == 0
       && strcmp(ng_get(ng, "error-reason"), "No usable media") == 0,
       "an offer of RTP/SAVP without a key is refused");

    s.none = 0;
    s.after = "|2^20|1:4;inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
              "|2^20|2:4";
    ok(call_offer(&c, "active", "sendrecv") == 0,
       "and one with several keys");
    end(&c, &s);

    begin(&c, &s, ng, addr, BROWSER_OFFERS, suites[0]);
    s.words = "off";
    ok(call_offer(&c, "actpass", "sendrecv") == 1
       && strstr(c.to_ims.sdp, " RTP/AVP ") != NULL
       && strstr(c.to_ims.sdp, "a=crypto") == NULL,
       "SDES=off offers none");
    end(&c, &s);
}


/* RFC 8643, and the profile with feedback */

static void
test_profiles(struct ng *ng, const char *addr)
{
    struct call   c;
    struct sdes   s;

    begin(&c, &s, ng, addr, IMS_OFFERS, suites[3]);
    s.profile = "RTP/AVP";
    s.after = "|2^31";
    ok(call_setup(&c, "active", "passive") == 1
       && strstr(c.to_ims.sdp, " RTP/AVP ") != NULL
       && browser_connect(&c.web, 5000) && media(&c, 1, 1),
       "RTP/AVP with a=crypto is SRTP, too");
    end(&c, &s);

    begin(&c, &s, ng, addr, IMS_OFFERS, suites[0]);
    s.profile = "RTP/AVP";
    s.suite = "F8_128_HMAC_SHA1_80";
    ok(call_offer(&c, "active", "sendrecv") == 1
       && call_answer(&c, "8 101", "sendrecv", "active") == 1
       && strstr(c.to_ims.sdp, "a=crypto") == NULL,
       "with a suite that nobody has it is not");
    end(&c, &s);

    begin(&c, &s, ng, addr, BROWSER_OFFERS, suites[0]);
    s.profile = s.transport = "RTP/SAVPF";
    s.words = "no-AEAD_AES_128_GCM no-AEAD_AES_256_GCM pad";
    ok(call_setup(&c, "actpass", "passive") == 1
       && strstr(c.to_ims.sdp, " RTP/SAVPF ") != NULL
       && strstr(c.to_ims.sdp, "AEAD") == NULL
       && strstr(c.to_ims.sdp, "==\r\n") != NULL
       && browser_connect(&c.web, 5000) && media(&c, 1, 1),
       "RTP/SAVPF, without two suites, padded");
    end(&c, &s);
}


/* SRTP that is offered under RTP/AVP and may be declined (RFC 8643) */

static void
test_osrtp(struct ng *ng, const char *addr)
{
    struct call   c;
    struct sdes   s;

    begin(&c, &s, ng, addr, BROWSER_OFFERS, suites[0]);
    s.profile = s.transport = "RTP/AVP";
    s.osrtp = "offer";
    c.video_fb = NULL;
    ok(call_setup(&c, "actpass", "passive") == 1
       && strstr(c.to_ims.sdp, " RTP/AVP ") != NULL
       && browser_connect(&c.web, 20000) && media(&c, 1, 1),
       "OSRTP offered, and taken");

    if (!reference) {
        ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
           && strstr(c.to_ims.sdp, " RTP/AVP ") != NULL && media(&c, 1, 20),
           "the next offer is as the first one");

        s.none = 1;
        ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 0
           && strstr(ng_get(ng, "error-reason"), "a=crypto") != NULL,
           "but cannot be declined any more");

        c.up_flags = "reset";
        s.words = "off";
        c.sdes = NULL;
        ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
           && strstr(c.to_ims.sdp, "a=crypto") == NULL && media(&c, 1, 40),
           "reset: somebody without SRTP is there now");
        c.sdes = &s;
    }

    end(&c, &s);

    begin(&c, &s, ng, addr, BROWSER_OFFERS, suites[0]);
    s.profile = s.transport = "RTP/AVP";
    s.osrtp = "offer";
    s.none = 1;
    c.video_fb = NULL;
    ok(call_offer(&c, "actpass", "sendrecv") == 1
       && strstr(c.to_ims.sdp, "a=crypto") != NULL
       && call_remote(&c, IMS) == 0
       && call_answer(&c, "8 126", "sendrecv", "passive") == 1
       && call_remote(&c, WEB) == 0, "OSRTP offered, and declined");
    c.sdes = NULL;
    ok(browser_connect(&c.web, 20000) && media(&c, 1, 1),
       "media in the clear");
    c.sdes = &s;
    end(&c, &s);

    if (reference) {
        return;
    }

    begin(&c, &s, ng, addr, BROWSER_OFFERS, suites[0]);
    s.profile = s.transport = "RTP/AVP";
    s.osrtp = "offer";
    s.wrong_tag = 1;
    ok(call_offer(&c, "actpass", "sendrecv") == 1
       && call_remote(&c, IMS) == 0
       && call_answer(&c, "8 126", "sendrecv", "passive") == 0,
       "OSRTP answered with what was not offered");
    end(&c, &s);
}


int
main(int argc, char **argv)
{
    int          opt;
    unsigned     i, n;
    const char  *v4;
    struct ng    ng;

    v4 = "127.0.0.1";

    while ((opt = getopt(argc, argv, "c:4:r")) != -1) {
        switch (opt) {

        case 'c':
            ng_spec = optarg;
            break;

        case '4':
            v4 = optarg;
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
        fprintf(stderr, "mh_sdes: no control socket\n");
        return 2;
    }

    n = sizeof(suites) / sizeof(suites[0]);

    for (i = 0; i < n; i++) {
        test_suite(&ng, v4, BROWSER_OFFERS, suites[i]);
        test_suite(&ng, v4, IMS_OFFERS, suites[i]);
    }

    test_osrtp(&ng, v4);

    if (!reference) {
        test_video(&ng, v4, BROWSER_OFFERS);
        test_video(&ng, v4, IMS_OFFERS);
        test_strict(&ng, v4);
        test_again(&ng, v4, BROWSER_OFFERS);
        test_again(&ng, v4, IMS_OFFERS);
        test_forks(&ng, v4);
        test_refused(&ng, v4);
        test_profiles(&ng, v4);
    }

    ng_close(&ng);

    return done_testing();
}
