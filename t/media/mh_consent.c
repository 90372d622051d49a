/*
 * Copyright (C) the IMS portal authors
 *
 * A browser that asks for consent no more (RFC 7675), towards a helper whose
 * consent lasts for two seconds; consent.t runs it.
 *
 *     mh_consent -c CONTROL
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"
#include "feed.h"
#include "result.h"


enum {
    TRIES = 200,                /* of 100 ms and more */
    LASTS_MS = 3000
};


/* packets of its own do not make up for checks */

static int
silenced(struct call *c, uint16_t *seq)
{
    int  i;

    for (i = 0; i < TRIES; i++) {
        ++*seq;
        (void) pass_up(c, 1, 8, *seq, 160);

        if (!pass_down(c, 2, 8, *seq, 160)) {
            return 1;
        }

        usleep(100000);
    }

    return 0;
}


/* a slow machine may be late for one of them */

static int
passes(struct call *c, uint16_t *seq)
{
    int  i;

    for (i = 0; i < 5; i++) {
        ++*seq;

        if (browser_check(&c->web, NULL) == 200
            && pass_up(c, 1, 8, *seq, 160) && pass_down(c, 2, 8, *seq, 160))
        {
            return 1;
        }

        drain_web(c, 100);
        (void) count_ims(c, 100);
    }

    return 0;
}


static int
lasting(struct call *c, uint16_t *seq)
{
    int  i, good;

    for (i = 0, good = 1; i < LASTS_MS / 500; i++) {
        good = good && passes(c, seq);
        usleep(500000);
    }

    return good;
}


/* @return the number of the next packet of video, 0 after two seconds */

static int
video(struct call *c, uint8_t *p)
{
    ssize_t        n;
    struct pollfd  pfd;

    pfd.fd = c->web.fd;
    pfd.events = POLLIN;

    while (poll(&pfd, 1, 2000) == 1) {
        n = recv(pfd.fd, p, BROWSER_PACKET, 0);

        if (n > 12 && (p[1] & 0x7f) == 97) {
            return p[2] << 8 | p[3];
        }
    }

    return 0;
}


/*
 * Packets that a NACK asks for are sent anew, but not without consent either.
 */

static void
test_resent(struct ng *ng)
{
    int          i, again;
    size_t       n;
    uint8_t      p[256], q[BROWSER_PACKET];
    uint16_t     seq;
    struct call  c;
    struct rtcp  r;

    static const uint8_t  fci[4] = { 0, 200, 0xff, 0xff };

    (void) begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack\r\n", NULL);

    for (i = 0, n = 0; i < 5 && n == 0; i++) {
        (void) browser_check(&c.web, NULL);
        ims_put(&c.video, 0, p, frame(p, BOB, 200, SLICE));
        n = browser_recv(&c.web, q, 0, 2000);
    }

    ok(n != 0, "video reaches the browser");

    for (i = 0, seq = 201; i < TRIES && n != 0; i++, seq++) {
        ims_put(&c.video, 0, p, frame(p, BOB, seq, SLICE));
        n = browser_recv(&c.web, q, 0, 100);
        usleep(50000);
    }

    ok(n == 0, "without checks it ends");

    r.len = 0;
    report(&r, RR, MARY, 0, 0);
    add(&r, NACK, MARY, BOB, fci, 4);
    up_rtcp(&c, &r);

    /* SRTP would not show a packet twice */

    again = video(&c, q);

    for (i = 0; i < 5 && n == 0; i++) {
        (void) browser_check(&c.web, NULL);
        ims_put(&c.video, 0, p, frame(p, BOB, 1000, SLICE));
        n = browser_recv(&c.web, q, 0, 2000);
    }

    ok(n != 0 && !again, "nothing is sent again without consent");

    end(&c);
}


int
main(int argc, char **argv)
{
    int          tcp;
    uint16_t     seq;
    struct ng    ng;
    struct call  c;

    if (argc != 3 || strcmp(argv[1], "-c") != 0
        || srtp_init() != srtp_err_status_ok || ng_open(&ng, argv[2]) != 0)
    {
        fprintf(stderr, "usage: mh_consent -c CONTROL\n");
        return 2;
    }

    ng_spec = argv[2];

    for (tcp = 0; tcp < 2; tcp++) {
        call_init(&c, &ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

        if (tcp) {
            close(browser_tcp(&c.web));
        }

        seq = 1;
        ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 5000) && pass_up(&c, 1, 8, seq, 160)
           && pass_down(&c, 2, 8, seq, 160), "connected over %s",
           tcp ? "TCP" : "UDP");
        ok(lasting(&c, &seq), "checks keep media going");
        ok(silenced(&c, &seq), "without them nothing is sent any more");
        ok(passes(&c, &seq), "the next one brings it back");

        call_delete(&c);
        call_close(&c);
    }

    test_resent(&ng);
    ng_close(&ng);

    return done_testing();
}
