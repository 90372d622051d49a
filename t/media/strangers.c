/*
 * Copyright (C) the IMS portal authors
 *
 * Strangers.  Each case is a call of its own, and somebody who is no part of
 * it sends something at one moment of its life.  Nothing of his may come out
 * at either end, and afterwards the call has to be where it was (ME-9).
 *
 * With -r the server is rtpengine: then nothing is judged but the client, by
 * what is known to get through there, and a table is printed of what does.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"
#include "check.h"
#include "result.h"


enum {
    QUIET_MS = 60,
    SOON_MS = 3000,
    MARK = 0x66601,             /* SSRC of whatever a stranger makes */
    SEQ = 20
};


enum moment {
    OFFERED = 0,
    ANSWERED,
    CONNECTED,
    TALKING,
    MOMENTS
};


struct stranger {
    const char  *name;
    int          first;         /* enum moment */
    int        (*run)(struct call *c, int moment);  /* how many came out */
    const char  *counter;       /* of "statistics", or NULL */
};


static int  reference;

static const char *const  moments[MOMENTS] = {
    "before the answer", "after the answer", "before media", "during media"
};


/* a socket at another address and a given port, 0 = any */

static int
elsewhere(const struct call *c, const char *host, unsigned port)
{
    int                  fd;
    struct sockaddr_in   sin;

    (void) c;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((unsigned short) port);
    (void) inet_pton(AF_INET, host, &sin.sin_addr);

    fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0) {
        perror("bind");
        exit(2);
    }

    return fd;
}


static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static int
his(const uint8_t *p, size_t len)
{
    int  rtcp;

    rtcp = (p[1] >= 192 && p[1] <= 223);

    return len >= 12 && get32(p + (rtcp ? 4 : 8)) == MARK;
}


/* how many packets of the stranger's came out at both ends */

static int
came_out(struct call *c, int ms)
{
    int            n, i;
    size_t         len;
    uint8_t        buf[BROWSER_PACKET];
    struct pollfd  pfd;

    n = 0;

    if (c->web.connected == 1) {
        while ((len = browser_recv(&c->web, buf, -1, ms)) != 0) {
            n += his(buf, len);
        }
    }

    for (i = 0; i < 2; i++) {
        pfd.fd = c->ims.fd[i];
        pfd.events = POLLIN;

        while (poll(&pfd, 1, ms) == 1) {
            len = (size_t) recv(pfd.fd, buf, sizeof(buf), 0);
            n += his(buf, len);
        }
    }

    return n;
}


static int
advance(struct call *c, int from, int to)
{
    int  good;

    good = 1;

    if (from < OFFERED && to >= OFFERED) {
        good = call_offer(c, "actpass", "sendrecv") == 1
               && call_remote(c, IMS) == 0;
    }

    if (from < ANSWERED && to >= ANSWERED) {
        good = good && call_answer(c, "8 126", "sendrecv", "passive") == 1
               && call_remote(c, WEB) == 0;
    }

    if (from < CONNECTED && to >= CONNECTED) {
        good = good && browser_connect(&c->web, SOON_MS);
    }

    if (from < TALKING && to >= TALKING) {
        good = good && pass_up(c, 1, 8, 1, 160) && pass_down(c, 2, 8, 1, 160)
               && rtcp_up(c, 201, 1, 2) && rtcp_down(c, 201, 2, 1);
    }

    return good;
}


/* to one of the two ports at the IMS, some packets from fd, which is closed */

static int
to_ims_port(struct call *c, unsigned rtcp, int fd)
{
    int      i;
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    for (i = 0; i < 3; i++) {
        len = rtcp ? rtcp_make(buf, 201, MARK, 1)
                   : rtp_make(buf, MARK, 8, (uint16_t) (SEQ + i), 160);
        (void) sendto(fd, buf, len, 0, (struct sockaddr *) &c->ims.peer[rtcp],
                      c->ims.len);
    }

    close(fd);

    return came_out(c, QUIET_MS);
}


static int
rtp_wrong_port(struct call *c, int moment)
{
    (void) moment;

    return to_ims_port(c, 0, elsewhere(c, "127.0.0.1", 0));
}


static int
rtp_wrong_address(struct call *c, int moment)
{
    (void) moment;

    return to_ims_port(c, 0, elsewhere(c, "127.0.0.66", c->ims.own));
}


static int
rtcp_wrong_port(struct call *c, int moment)
{
    (void) moment;

    return to_ims_port(c, 1, elsewhere(c, "127.0.0.1", 0));
}


static int
rtcp_wrong_address(struct call *c, int moment)
{
    (void) moment;

    return to_ims_port(c, 1, elsewhere(c, "127.0.0.66", c->ims.own + 1));
}


/* RTCP to the RTP port, as a peer that muxes would */

static int
rtcp_at_rtp(struct call *c, int moment)
{
    int      fd;
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    (void) moment;

    fd = elsewhere(c, "127.0.0.66", c->ims.own);
    len = rtcp_make(buf, 201, MARK, 1);
    (void) sendto(fd, buf, len, 0, (struct sockaddr *) &c->ims.peer[0],
                  c->ims.len);
    close(fd);

    return came_out(c, QUIET_MS);
}


/*
 * What the browser sent, captured: before it arrives from its own address
 * (first = 0) or after it; from another address or the same one.
 */

static int
captured(struct call *c, int rtcp, int same, int first)
{
    int      fd, n;
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtcp ? rtcp_make(buf, 201, MARK, 2)
               : rtp_make(buf, MARK, 8, SEQ, 160);
    n = (int) len;

    if ((rtcp ? srtp_protect_rtcp(c->web.tx, buf, &n)
              : srtp_protect(c->web.tx, buf, &n)) != srtp_err_status_ok)
    {
        return 1;
    }

    len = (size_t) n;

    if (first) {
        browser_raw(&c->web, -1, buf, len);
    }

    fd = same ? -1 : elsewhere(c, "127.0.0.66", 0);
    browser_raw(&c->web, fd, buf, len);

    if (fd != -1) {
        close(fd);
    }

    return came_out(c, QUIET_MS) - first;
}


static int
srtp_readdressed(struct call *c, int moment)
{
    (void) moment;

    return captured(c, 0, 0, 0);
}


static int
srtp_replayed(struct call *c, int moment)
{
    (void) moment;

    return captured(c, 0, 1, 1);
}


static int
srtp_replayed_elsewhere(struct call *c, int moment)
{
    (void) moment;

    return captured(c, 0, 0, 1);
}


static int
srtcp_readdressed(struct call *c, int moment)
{
    (void) moment;

    return captured(c, 1, 0, 0);
}


static int
srtcp_replayed(struct call *c, int moment)
{
    (void) moment;

    return captured(c, 1, 1, 1);
}


static int
srtcp_replayed_elsewhere(struct call *c, int moment)
{
    (void) moment;

    return captured(c, 1, 0, 1);
}


static int
clear_to_web(struct call *c, int fd)
{
    int      i;
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    for (i = 0; i < 2; i++) {
        len = rtp_make(buf, MARK, 8, (uint16_t) (SEQ + i), 160);
        browser_raw(&c->web, fd, buf, len);
        len = rtcp_make(buf, 201, MARK, 2);
        browser_raw(&c->web, fd, buf, len);
    }

    if (fd != -1) {
        close(fd);
    }

    return came_out(c, QUIET_MS);
}


static int
clear_same(struct call *c, int moment)
{
    (void) moment;

    return clear_to_web(c, -1);
}


static int
clear_elsewhere(struct call *c, int moment)
{
    (void) moment;

    return clear_to_web(c, elsewhere(c, "127.0.0.66", 0));
}


/* a check from elsewhere; an answer to it other than an error is a leak */

static int
check(struct call *c, const uint8_t *buf, size_t len)
{
    int            fd, n;
    ssize_t        got;
    uint8_t        in[BROWSER_PACKET];
    struct pollfd  pfd;

    fd = elsewhere(c, "127.0.0.66", 0);
    browser_raw(&c->web, fd, buf, len);
    pfd.fd = fd;
    pfd.events = POLLIN;
    n = 0;

    while (poll(&pfd, 1, QUIET_MS) == 1) {
        got = recv(fd, in, sizeof(in), 0);
        n += !(got >= 20 && in[0] == 0x01 && in[1] == 0x11);
    }

    /* does media come to him now? */

    if (c->web.connected == 1) {
        got = (ssize_t) rtp_make(in, 2, 8, SEQ + 5, 160);
        ims_raw(c, 0, in, (size_t) got);

        while (poll(&pfd, 1, QUIET_MS) == 1) {
            (void) recv(fd, in, sizeof(in), 0);
            n += (in[0] >= 128);
        }
    }

    close(fd);

    return n;
}


static size_t
check_make(struct call *c, uint8_t *buf, unsigned tid, const char *pwd)
{
    char  username[520];

    (void) snprintf(username, sizeof(username), "%s:%s", c->web.peer_ufrag,
                    c->web.ufrag);

    return check_request(buf, tid, username, pwd, CHECK_NOMINATE);
}


static int
stun_wrong_key(struct call *c, int moment)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    (void) moment;

    len = check_make(c, buf, 7777, "wrongwrongwrongwrongwrong");

    return check(c, buf, len);
}


/* USERNAME and USE-CANDIDATE alone, RFC 8489 14.3 */

static int
stun_no_integrity(struct call *c, int moment)
{
    size_t    len, n;
    uint8_t   buf[BROWSER_PACKET];

    (void) moment;

    len = check_make(c, buf, 7778, "wrongwrongwrongwrongwrong");

    /* cut off MESSAGE-INTEGRITY (24 octets) and FINGERPRINT (8) */

    n = (len > 52) ? len - 32 : 20;
    buf[2] = (uint8_t) ((n - 20) >> 8);
    buf[3] = (uint8_t) (n - 20);

    return check(c, buf, n);
}


/* a check of the browser's, captured and sent again from elsewhere */

static int
stun_replayed(struct call *c, int moment)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    (void) moment;

    if (browser_check(&c->web, NULL) != 200) {
        return 1;
    }

    len = check_make(c, buf, c->web.tid, c->web.peer_pwd);

    return check(c, buf, len);
}


static int
dtls_elsewhere(struct call *c, int moment)
{
    int  fd, n;

    (void) moment;

    fd = c->web.fd;
    c->web.fd = elsewhere(c, "127.0.0.66", 0);
    n = call_dtls_answers(c);
    close(c->web.fd);
    c->web.fd = fd;

    return n;
}


/* a fatal alert that anybody who can forge an address can write */

static int
dtls_alert(struct call *c, int moment)
{
    static const uint8_t  alert[] = { 0x15, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0,
                                      99, 0, 2, 2, 40 };

    (void) moment;

    browser_raw(&c->web, -1, alert, sizeof(alert));

    return came_out(c, QUIET_MS);
}


static const struct stranger  strangers[] = {
    { "RTP, right address, wrong port", OFFERED, rtp_wrong_port, NULL },
    { "RTP, right port, wrong address", OFFERED, rtp_wrong_address, NULL },
    { "RTCP, right address, wrong port", OFFERED, rtcp_wrong_port, NULL },
    { "RTCP, right port, wrong address", OFFERED, rtcp_wrong_address, NULL },
    { "RTCP to the RTP port, wrong address", OFFERED, rtcp_at_rtp, NULL },
    { "the browser's SRTP, from elsewhere", CONNECTED, srtp_readdressed,
      "foreign" },
    { "its SRTP once more", CONNECTED, srtp_replayed, "srtp" },
    { "its SRTP once more, from elsewhere", CONNECTED,
      srtp_replayed_elsewhere, "foreign" },
    { "the browser's SRTCP, from elsewhere", CONNECTED, srtcp_readdressed,
      "foreign" },
    { "its SRTCP once more", CONNECTED, srtcp_replayed, "srtp" },
    { "its SRTCP once more, from elsewhere", CONNECTED,
      srtcp_replayed_elsewhere, "foreign" },
    { "RTP and RTCP in the clear, browser's address", ANSWERED, clear_same,
      NULL },
    { "RTP and RTCP in the clear, from elsewhere", ANSWERED, clear_elsewhere,
      "foreign" },
    { "a check with a wrong key", ANSWERED, stun_wrong_key, "stun refused" },
    { "a check without integrity", ANSWERED, stun_no_integrity,
      "stun refused" },
    { "the browser's check once more, from elsewhere", ANSWERED,
      stun_replayed, "stun refused" },
    { "DTLS without a check", ANSWERED, dtls_elsewhere, "foreign" },
    { "a fatal alert in the clear", CONNECTED, dtls_alert, "dtls" }
};


static long
statistic(struct ng *ng, const char *name)
{
    char         key[64];
    const char  *p;

    ng_begin(ng, "statistics");

    if (ng_send(ng) != 1) {
        return -1;
    }

    (void) snprintf(key, sizeof(key), "%zu:%si", strlen(name), name);
    p = strstr(ng_get(ng, "statistics"), key);

    return (p != NULL) ? strtol(p + strlen(key), NULL, 10) : -1;
}


/* @return what came out, or -1 if there was no call to begin with */

static int
run(struct ng *ng, const struct stranger *s, int moment, int *moved)
{
    int          n;
    long         before, after;
    struct call  c;

    before = after = 0;
    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (!advance(&c, -1, moment)) {
        call_delete(&c);
        call_close(&c);
        return -1;
    }

    if (!reference && s->counter != NULL) {
        before = statistic(ng, s->counter);
    }

    n = s->run(&c, moment);

    if (!reference && s->counter != NULL) {
        after = statistic(ng, s->counter);
        ok(after > before, "%s, %s: counted", s->name, moments[moment]);
    }

    /* what waited in a socket until there was somebody to send it to */

    if (moment < CONNECTED) {
        if (advance(&c, moment, CONNECTED)) {
            n += came_out(&c, QUIET_MS);
        }
    }

    drain_web(&c, 0);
    *moved = !(c.web.connected == 1 && pass_up(&c, 1, 8, 900, 160)
               && pass_down(&c, 2, 8, 900, 160)
               && rtcp_up(&c, 201, 1, 2) && rtcp_down(&c, 201, 2, 1));

    call_delete(&c);
    call_close(&c);

    return n;
}


static void
all(struct ng *ng, unsigned *leaks)
{
    int       n, moved, moment;
    size_t    i;

    for (i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        leaks[i] = 0;

        for (moment = strangers[i].first; moment < MOMENTS; moment++) {
            moved = 0;
            n = run(ng, &strangers[i], moment, &moved);

            if (reference) {
                printf("# %-46s %-18s %s%s\n", strangers[i].name,
                       moments[moment], n > 0 ? "through" : "-",
                       moved ? ", call moved" : "");
                leaks[i] += (n > 0);
                continue;
            }

            ok(n == 0, "%s, %s: nothing comes out (%d)", strangers[i].name,
               moments[moment], n);
            ok(!moved, "%s, %s: and the call is where it was",
               strangers[i].name, moments[moment]);
        }
    }
}


int
main(int argc, char **argv)
{
    int       opt;
    unsigned  leaks[sizeof(strangers) / sizeof(strangers[0])];
    struct ng ng;

    while ((opt = getopt(argc, argv, "c:r")) != -1) {
        switch (opt) {

        case 'c':
            ng_spec = optarg;
            break;

        case 'r':
            reference = 1;
            break;

        default:
            return 2;
        }
    }

    pass_wait_ms = reference ? 500 : 10000;

    if (ng_spec == NULL || srtp_init() != srtp_err_status_ok
        || ng_open(&ng, ng_spec) != 0)
    {
        fprintf(stderr, "mh_strangers: no control socket\n");
        return 2;
    }

    all(&ng, leaks);

    if (reference) {
        ok(leaks[0] + leaks[1] > 0, "RTP of a stranger is seen, if it is let "
           "through");
        ok(leaks[2] + leaks[3] > 0, "and his RTCP");
        ok(leaks[5] > 0, "and SRTP from elsewhere");
    }

    ng_close(&ng);

    return done_testing();
}
