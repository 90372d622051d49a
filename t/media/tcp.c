/*
 * Copyright (C) the IMS portal authors
 *
 * ICE over TCP, for browsers in networks that let no UDP out (RFC 6544, RFC
 * 4571); see cases.h.
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"
#include "check.h"
#include "result.h"


enum {
    GIVEN_MS = 20000,           /* for what takes the server some seconds */
    STRANGERS = 300
};


static void
init(struct call *c, struct ng *ng, const char *addr, int offers)
{
    call_init(c, ng, addr, offers, ALL_PROFILES);
    close(browser_tcp(&c->web));
}


static void
end(struct call *c)
{
    call_delete(c);
    call_close(c);
}


/* @return 1 if the server has closed the stream, or does within ms */

static int
closed(int fd, int ms)
{
    char           buf[4096];
    ssize_t        n;
    struct pollfd  pfd;

    pfd.fd = fd;
    pfd.events = POLLIN;

    while (poll(&pfd, 1, ms) == 1) {
        n = recv(fd, buf, sizeof(buf), 0);

        if (n <= 0) {
            return 1;
        }
    }

    return 0;
}


/* an integer of the last reply, whatever dictionary it is in; -1: none */

static long
figure(const struct ng *ng, const char *key)
{
    char         text[64];
    const char  *p;

    (void) snprintf(text, sizeof(text), "%zu:%si", strlen(key), key);
    p = strstr(ng->in, text);

    return p ? strtol(p + strlen(text), NULL, 10) : -1;
}


static unsigned
priority(const char *sdp, const char *proto)
{
    char         name[8];
    unsigned     value;
    const char  *p;

    for (p = strstr(sdp, "a=candidate:"); p != NULL;
         p = strstr(p + 1, "a=candidate:"))
    {
        if (sscanf(p, "a=candidate:%*s 1 %7s %u", name, &value) == 2
            && strcmp(name, proto) == 0)
        {
            return value;
        }
    }

    return 0;
}


static int
pass_all(struct call *c, uint16_t seq)
{
    return pass_up(c, 1, 8, seq, 160) && pass_down(c, 2, 8, seq, 160);
}


/* a whole call, in both DTLS roles, the stream cut in any way */

void
test_tcp(struct ng *ng, const char *addr)
{
    int          i;
    struct call  c;

    for (i = 0; i < 4; i++) {
        init(&c, ng, addr, i % 2 ? IMS_OFFERS : BROWSER_OFFERS);
        c.web.pieces = i / 2;

        ok(call_setup(&c, i % 2 ? "passive" : "actpass", "passive") == 1
           && strstr(c.to_web.sdp, " typ host tcptype passive\r\n") != NULL
           && priority(c.to_web.sdp, "tcp") > 0
           && priority(c.to_web.sdp, "tcp") < priority(c.to_web.sdp, "udp"),
           "a passive TCP candidate, below UDP");
        ok(browser_connect(&c.web, 5000) && pass_all(&c, 1)
           && pass_up(&c, 1, 8, 2, 1400) && pass_down(&c, 2, 8, 2, 1400)
           && rtcp_up(&c, 200, 1, 0) && rtcp_down(&c, 200, 2, 0),
           "%s: ICE, DTLS, SRTP and SRTCP over TCP%s, %s offers", addr,
           i / 2 ? ", octet by octet" : "", i % 2 ? "the IMS" : "the browser");

        ok(call_delete(&c) == 1 && closed(c.web.fd, GIVEN_MS),
           "the end of the call is that of the connection");
        call_close(&c);
    }
}


/* from UDP to TCP and back, with the same keys */

void
test_tcp_moves(struct ng *ng, const char *addr)
{
    int          udp, tcp;
    struct call  c, d;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    ok(call_setup(&c, "actpass", "passive") == 1
       && browser_connect(&c.web, 5000) && pass_all(&c, 1), "over UDP");

    udp = browser_tcp(&c.web);
    ok(call_remote(&c, WEB) == 0 && browser_check(&c.web, NULL) == 200
       && pass_all(&c, 2), "a check over TCP takes the call there");

    tcp = c.web.fd;
    c.web.tcp = 0;
    c.web.fd = udp;
    ok(call_remote(&c, WEB) == 0 && browser_check(&c.web, NULL) == 200
       && pass_all(&c, 3), "and one over UDP back");

    /* a connection has one call all its life */

    init(&d, ng, addr, BROWSER_OFFERS);
    ok(call_setup(&d, "actpass", "passive") == 1
       && browser_connect(&d.web, 5000), "another call over TCP");
    close(d.web.fd);
    d.web.fd = tcp;
    ok(browser_check(&d.web, NULL) == 0,
       "whose check on the first one's connection gets no answer");

    end(&d);
    end(&c);
}


/* a lost connection is a lost pair: the next check makes it good */

void
test_tcp_lost(struct ng *ng, const char *addr)
{
    struct call  c;

    init(&c, ng, addr, BROWSER_OFFERS);
    ok(call_setup(&c, "actpass", "passive") == 1
       && browser_connect(&c.web, 5000) && pass_all(&c, 1), "over TCP");

    close(browser_tcp(&c.web));
    ok(call_remote(&c, WEB) == 0 && browser_check(&c.web, NULL) == 200
       && pass_all(&c, 2), "a new connection goes on where the old one was");

    end(&c);
}


/* a browser that does not read: what is too much is dropped, whole frames */

void
test_tcp_slow(struct ng *ng, const char *addr)
{
    int          i, good;
    uint8_t      pkt[1212];
    struct call  c, d;

    memset(pkt, 0, sizeof(pkt));
    pkt[0] = 0x80;
    pkt[1] = 8;
    pkt[11] = 2;

    init(&c, ng, addr, BROWSER_OFFERS);
    good = call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, 5000) && pass_all(&c, 1);
    call_init(&d, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    good = good && call_setup(&d, "actpass", "passive") == 1
           && browser_connect(&d.web, 5000);
    ok(good, "a call over TCP and one beside it");

    for (i = 0; i < 12000; i++) {
        pkt[2] = (uint8_t) ((i + 2) >> 8);
        pkt[3] = (uint8_t) (i + 2);
        ims_raw(&c, 0, pkt, sizeof(pkt));

        if (i % 20 == 19) {
            usleep(1000);
        }
    }

    ok(pass_all(&d, 1), "12000 packets that are not read do not hurt others");

    ng_begin(ng, "statistics");
    ok(ng_send(ng) == 1 && figure(ng, "tcp dropped") > 0,
       "what does not fit is dropped");

    drain_web(&c, 500);
    ok(pass_up(&c, 1, 8, 2, 160) && pass_down(&c, 2, 8, 20000, 160)
       && c.web.ignored == 0 && browser_check(&c.web, NULL) == 200,
       "the stream is whole when it is read on");

    end(&c);
    end(&d);
}


/* who has shown nothing yet */

void
test_tcp_strangers(struct ng *ng, const char *addr)
{
    int          i, fd, good;
    struct call  c;
    static int   fds[STRANGERS];

    static const uint8_t  rtp[12] = { 0x80, 8 };
    static const uint8_t  huge[2] = { 0xff, 0xff };

    init(&c, ng, addr, BROWSER_OFFERS);
    ok(call_setup(&c, "actpass", "passive") == 1, "a call is to come");

    fd = stream_open(&c.web.peer, c.web.len);
    ok(stream_send(fd, rtp, sizeof(rtp), 0) && closed(fd, GIVEN_MS),
       "RTP before a check ends the connection");
    close(fd);

    fd = stream_open(&c.web.peer, c.web.len);
    ok(send(fd, huge, 2, MSG_NOSIGNAL) == 2 && closed(fd, GIVEN_MS),
       "and so does a frame longer than any datagram");
    close(fd);

    ok(browser_check(&c.web, "wrong") == 401, "a wrong password gets its 401");

    for (i = 0, good = 1; i < STRANGERS; i++) {
        fds[i] = stream_open(&c.web.peer, c.web.len);
        good = good && fds[i] != -1;
    }

    ok(good && closed(fds[0], GIVEN_MS), "of 300 that say nothing the first "
       "must make room");

    close(c.web.fd);
    c.web.fd = -1;
    ok(call_remote(&c, WEB) == 0 && browser_connect(&c.web, 5000)
       && pass_all(&c, 1), "a browser gets in beside them");
    ok(closed(fds[STRANGERS - 1], GIVEN_MS), "they end of themselves");
    ok(pass_all(&c, 2), "and the browser stays");

    ng_begin(ng, "statistics");
    ok(ng_send(ng) == 1 && figure(ng, "tcp strangers") == 0
       && figure(ng, "tcp refused") >= STRANGERS, "as statistics tell");

    for (i = 0; i < STRANGERS; i++) {
        close(fds[i]);
    }

    end(&c);
}
