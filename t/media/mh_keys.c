/*
 * Copyright (C) the IMS portal authors
 *
 * What keys and commands of ng do to packets, and what queries tell of these:
 * plays the proxy, a browser and an RTP end, and prints TAP.
 *
 *     mh_keys -c SOCKET
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "result.h"


enum {
    MARY = 0x11111111,
    BOB = 0x22222222
};


static int
command(struct call *c, const char *name, const char *tag)
{
    ng_begin(c->ng, name);
    ng_str(c->ng, "call-id", c->id);

    if (tag != NULL) {
        ng_str(c->ng, "from-tag", tag);
    }

    return ng_send(c->ng);
}


/* what must not pass, and behind it what must */

static int
only_second(struct call *c, unsigned pt, uint16_t seq)
{
    size_t   len;
    uint8_t  buf[NG_MAX];

    len = rtp_make(buf, MARY, pt, seq, 160);

    (void) browser_send(&c->web, buf, len);

    return count_ims(c, 300) == 0;
}


static void
test_block(struct ng *ng)
{
    struct call  c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 20000), "a call"))
    {
        ok(pass_up(&c, MARY, 8, 1, 160) && pass_down(&c, BOB, 8, 1, 160),
           "media");

        ok(command(&c, "block media", "web") == 1
           && only_second(&c, 8, 2) && pass_down(&c, BOB, 8, 2, 160),
           "block media: one side is not heard, the other one is");

        ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
           && only_second(&c, 8, 3), "nor after another offer and answer");

        ok(command(&c, "unblock media", "web") == 1
           && pass_up(&c, MARY, 8, 4, 160), "unblock media");

        ok(command(&c, "block DTMF", NULL) == 1
           && only_second(&c, 126, 5) && pass_up(&c, MARY, 8, 6, 160),
           "block DTMF: tones are not heard, speech is");
        ok(command(&c, "unblock DTMF", NULL) == 1
           && pass_up(&c, MARY, 126, 7, 4), "unblock DTMF");

        ok(command(&c, "silence media", NULL) == 1
           && only_second(&c, 8, 8)
           && command(&c, "unsilence media", NULL) == 1
           && pass_up(&c, MARY, 8, 9, 160), "silence media");
    }

    (void) call_delete(&c);
    call_close(&c);
}


/* the IMS has one port; so have we */

static void
test_mux(struct ng *ng)
{
    struct call  c;

    call_init(&c, ng, "127.0.0.1", IMS_OFFERS, ALL_PROFILES);

    if (ok(call_offer(&c, "actpass", "sendrecv\r\na=rtcp-mux") == 1
           && call_remote(&c, WEB) == 0
           && call_answer(&c, "8 101", "sendrecv", "active") == 1
           && strstr(c.to_ims.sdp, "\r\na=rtcp-mux\r\n") != NULL
           && call_remote(&c, IMS) == 0
           && browser_connect(&c.web, 20000), "a peer that muxes"))
    {
        (void) dup2(c.ims.fd[0], c.ims.fd[1]);
        c.ims.peer[1] = c.ims.peer[0];

        ok(pass_up(&c, MARY, 8, 1, 160) && pass_down(&c, BOB, 8, 1, 160),
           "RTP");
        ok(rtcp_up(&c, 200, MARY, BOB), "RTCP comes on the same port");
        ok(rtcp_down(&c, 200, BOB, MARY), "and may go there");
    }

    (void) call_delete(&c);
    call_close(&c);
}


static double
seconds(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


/* sends from a socket of the IMS's; @return 1 if that packet comes down */

static int
heard(struct call *c, int fd, uint16_t seq, double wait)
{
    size_t   len;
    double   end;
    uint8_t  buf[NG_MAX];

    len = rtp_make(buf, BOB, 8, seq, 160);
    (void) sendto(fd, buf, len, 0, (struct sockaddr *) &c->ims.peer[0],
                  c->ims.len);

    for (end = seconds() + wait; seconds() < end; /* void */ ) {

        if (browser_recv(&c->web, buf, 0, 100) != 0
            && buf[2] == seq >> 8 && buf[3] == (seq & 0xff))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Both speak, one right after the other; @return 1 if the second was not
 * heard.  On a machine so slow that a second has gone by meanwhile it may be:
 * then once more.
 */

static int
keeps_out(struct call *c, const struct call *who, uint16_t *seq)
{
    int     tries;
    double  since;

    for (tries = 0; tries < 50; tries++) {
        since = seconds();

        if (!heard(c, c->ims.fd[0], (*seq)++, 10)) {
            return 0;
        }

        if (!heard(c, who->ims.fd[0], (*seq)++, 0.3)) {
            return 1;
        }

        if (seconds() < since + 1) {
            return 0;
        }

        /* now the second one is the peer, until he is silent */

        usleep(1200000);
    }

    return 0;
}


/* the IMS's phone moves by itself, or is not allowed to */

static void
test_handover(struct ng *ng, const char *flags)
{
    int          end;
    uint16_t     seq;
    struct call  c, old;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);
    c.flags = flags;
    seq = 1;
    pass_wait_ms = 10000;

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 20000)
           && pass_down(&c, BOB, 8, seq++, 160), "a phone"))
    {
        old = c;
        call_new_ims(&c);

        for (end = 0; end < (flags ? 100 : 10); end++) {
            if (heard(&c, c.ims.fd[0], seq++, 0.2)) {
                break;
            }
        }

        if (flags == NULL) {
            ok(end == 10, "is not heard from another address");

        } else {
            ok(end < 100, "media-handover: is heard from another address");
            ok(keeps_out(&c, &old, &seq), "not from two at once");
            ok(pass_up(&c, MARY, 8, 1, 160), "and hears there");
            ok(rtcp_down(&c, 200, BOB, MARY), "with RTCP");
            ok(rtcp_up(&c, 200, MARY, BOB), "both ways");
        }

        close(old.ims.fd[0]);
        close(old.ims.fd[1]);
    }

    pass_wait_ms = 500;
    (void) call_delete(&c);
    call_close(&c);
}


/* the next packet of a side, or what it has become at the other one */

static size_t
through(struct call *c, int direction, uint16_t seq, uint8_t *buf)
{
    size_t         len;
    ssize_t        n;
    struct pollfd  pfd;

    len = rtp_make(buf, direction == UP ? MARY : BOB, 8, seq, 160);

    if (direction == DOWN) {
        ims_raw(c, 0, buf, len);
        return browser_recv(&c->web, buf, 0, 10000);
    }

    (void) browser_send(&c->web, buf, len);

    pfd.fd = c->ims.fd[0];
    pfd.events = POLLIN;
    n = poll(&pfd, 1, 10000) == 1 ? recv(pfd.fd, buf, NG_MAX, 0) : 0;

    return n > 0 ? (size_t) n : 0;
}


/* "play DTMF" of one side comes out at the other one, as telephone-event */

static void
test_play(struct ng *ng, int direction)
{
    size_t       len;
    uint8_t      buf[NG_MAX];
    unsigned     i, tones, ends, marks, gaps;
    struct call  c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 20000), "a call"))
    {
        ng_begin(ng, "play DTMF");
        ng_str(ng, "call-id", c.id);
        ng_str(ng, "from-tag", direction == UP ? "web" : c.ims_tag);
        ng_str(ng, "code", "#");
        ng_str(ng, "duration", "100");
        ng_str(ng, "volume", "-12");
        ok(ng_send(ng) == 1, "play DTMF");

        tones = ends = marks = gaps = 0;

        for (i = 1; i <= 10; i++) {
            len = through(&c, direction, (uint16_t) i, buf);
            gaps += (len < 12 || buf[3] != i);

            if (len == 16 && (buf[1] & 0x7f) == 126 && buf[12] == 11
                && (buf[13] & 0x3f) == 12)
            {
                tones++;
                ends += (buf[13] & 0x80) && buf[14] == 3 && buf[15] == 32;
                marks += buf[1] >> 7;
            }
        }

        ok(tones == 7 && ends == 3 && marks == 1,
           "comes as telephone-event, %s (%u, %u, %u)",
           direction == UP ? "up" : "down", tones, ends, marks);
        ok(gaps == 0, "in the place of speech");
    }

    (void) call_delete(&c);
    call_close(&c);
}


static void
own_tls_id(const struct call *c, char tls_id[64])
{
    const char  *p;

    p = strstr(c->to_web.sdp, "a=tls-id:");
    tls_id[0] = '\0';

    if (p != NULL) {
        (void) sscanf(p, "a=tls-id:%63[^\r\n]", tls_id);
    }
}


/* one certificate, but two associations (RFC 8842) */

static void
test_tls_id(struct ng *ng)
{
    char         first[64], second[64];
    struct call  c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);
    c.web.tls_id = "abcdefghijklmnopqrstuvwxyz";
    pass_wait_ms = 10000;

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 20000)
           && pass_up(&c, MARY, 8, 1, 160), "a browser with a tls-id"))
    {
        own_tls_id(&c, first);
        ok(strlen(first) >= 20, "gets one");

        ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
           && pass_up(&c, MARY, 8, 2, 160), "and keeps its keys with it");
        own_tls_id(&c, second);
        ok(strcmp(first, second) == 0, "the same one");

        c.web.tls_id = "zyxwvutsrqponmlkjihgfedcba";
        browser_again(&c.web);
        ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
           && browser_connect(&c.web, 20000)
           && pass_up(&c, MARY, 8, 3, 160) && pass_down(&c, BOB, 8, 3, 160),
           "another tls-id, the same certificate: new keys");
        own_tls_id(&c, second);
        ok(second[0] != '\0' && strcmp(first, second) != 0,
           "and another one of ours");
    }

    pass_wait_ms = 500;
    (void) call_delete(&c);
    call_close(&c);
}


static void
test_figures(struct ng *ng)
{
    uint16_t     seq;
    time_t       end;
    const char  *p;
    struct call  c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 20000), "a call to measure"))
    {
        end = time(NULL) + 60;
        p = NULL;

        for (seq = 1; p == NULL && time(NULL) < end; seq++) {
            (void) pass_up(&c, MARY, 8, seq, 160);
            (void) pass_down(&c, BOB, 8, seq, 160);
            usleep(20000);

            if (seq % 50 == 0 && command(&c, "query", NULL) == 1) {
                p = strstr(ng_get(ng, "SSRC"), "11:average MOSd3:MOSi");
            }
        }

        ok(p != NULL, "query tells an average MOS");
        ok(strstr(ng_get(ng, "SSRC"), "9:286331153d") != NULL
           && strstr(ng_get(ng, "SSRC"), "9:572662306d") != NULL,
           "of both sources");
        ok(strstr(ng_get(ng, "SSRC"), "10:lowest MOSd") != NULL
           && strstr(ng_get(ng, "SSRC"), "11:highest MOSd") != NULL
           && strstr(ng_get(ng, "SSRC"), "11:reported at") != NULL
           && strstr(ng_get(ng, "SSRC"), "7:samplesi") != NULL,
           "with the lowest and the highest");
        ok(strstr(ng_get(ng, "tags"), "5:codec4:PCMA") != NULL
           && strstr(ng_get(ng, "tags"), "9:confirmed") != NULL
           && strstr(ng_get(ng, "tags"), "13:subscriptionsl") != NULL
           && strstr(ng_get(ng, "tags"), "19:advertised endpointd") != NULL,
           "and codec, flags, subscriptions, endpoints");

        ok(command(&c, "delete", "web") == 1
           && strstr(ng_get(ng, "SSRC"), "average MOS") != NULL,
           "delete tells it, too");

        ok(command(&c, "statistics", NULL) == 1
           && strstr(ng_get(ng, "statistics"), "15:ims rtp packetsi0e") == NULL
           && strstr(ng_get(ng, "statistics"), "15:ims rtp packetsi") != NULL,
           "statistics keep the packets of calls that ended");
    }

    call_close(&c);
}


int
main(int argc, char **argv)
{
    struct ng  ng;

    if (argc != 3 || strcmp(argv[1], "-c") != 0
        || srtp_init() != srtp_err_status_ok || ng_open(&ng, argv[2]) != 0)
    {
        fprintf(stderr, "usage: mh_keys -c SOCKET\n");
        return 2;
    }

    ng_spec = argv[2];

    test_block(&ng);
    test_mux(&ng);
    test_handover(&ng, NULL);
    test_handover(&ng, "media-handover");
    test_tls_id(&ng);
    test_play(&ng, UP);
    test_play(&ng, DOWN);
    test_figures(&ng);

    ng_close(&ng);

    return done_testing();
}
