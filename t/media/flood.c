/*
 * Copyright (C) the IMS portal authors
 *
 * Floods of what is no good, -n of each kind, into the sockets of one call,
 * while another call has to go on: every so many datagrams one of its own
 * has to come through, each way.  That also paces the flood, so that nothing
 * is lost in a full socket buffer.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "call.h"
#include "result.h"


enum {
    BURST = 50,
    CONNECT_MS = 20000,
    NG_LIFE = 25                /* messages on one control connection */
};


typedef size_t (make_h)(uint8_t *buf);


struct flood {
    const char  *name;
    make_h      *make;
    int          ims;           /* 1: RTP port, 2: RTCP port, 0: browsers' */
    int          stranger;      /* from a socket of nobody's */
};


static uint32_t  seed = 4711;


/* xorshift: the same flood each time */

static uint32_t
number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;

    return seed;
}


static size_t
make_random(uint8_t *buf)
{
    size_t  i, len;

    len = number() % 400 + (number() % 50 == 0 ? 1000 : 0);

    for (i = 0; i < len; i++) {
        buf[i] = (uint8_t) number();
    }

    return len;
}


static size_t
make_stun(uint8_t *buf)
{
    size_t  len, room;

    len = (make_random(buf) & ~(size_t) 3) + 20;
    room = len - 20 + (number() % 8 == 0 ? number() % 9 : 0);

    buf[0] = 0;
    buf[1] = (number() % 4) ? 1 : (uint8_t) number();
    buf[2] = (uint8_t) (room >> 8);
    buf[3] = (uint8_t) room;
    memcpy(buf + 4, "\x21\x12\xa4\x42", 4);

    /* attributes that are almost some */

    if (len >= 32 && number() % 2) {
        memcpy(buf + 20, "\0\x06\0\x05" "ab:cd\0\0\0", 12);
    }

    return len;
}


static size_t
make_dtls(uint8_t *buf)
{
    size_t  len, n;

    len = make_random(buf) + 13;
    n = len - 13 + (number() % 8 == 0);

    buf[0] = (uint8_t) (20 + number() % 5);
    buf[1] = 0xfe;
    buf[2] = (number() % 4) ? 0xfd : 0xff;
    buf[3] = 0;
    buf[4] = (uint8_t) (number() % 3);
    buf[11] = (uint8_t) (n >> 8);
    buf[12] = (uint8_t) n;

    return len;
}


static size_t
make_rtp(uint8_t *buf)
{
    size_t  len;

    len = make_random(buf);
    buf[0] = (uint8_t) (0x80 | (buf[0] & 0x3f));

    if (number() % 2) {
        buf[1] = 8;
        buf[0] |= 0x1f & (uint8_t) number();
        buf[0] |= 0x10;
    }

    return len;
}


static size_t
make_rtcp(uint8_t *buf)
{
    size_t  len;

    len = (make_random(buf) & ~(size_t) 3) + 8;
    buf[0] = (uint8_t) (0x80 | (buf[0] & 0x3f));
    buf[1] = (uint8_t) (200 + number() % 8);
    buf[2] = 0;
    buf[3] = (uint8_t) (number() % (len / 2));

    return len;
}


static const struct flood  floods[] = {
    { "STUN from a stranger", make_stun, 0, 1 },
    { "STUN from the browser's address", make_stun, 0, 0 },
    { "DTLS from a stranger", make_dtls, 0, 1 },
    { "DTLS records from the browser's address", make_dtls, 0, 0 },
    { "RTP to the browsers' port", make_rtp, 0, 0 },
    { "RTCP to the browsers' port", make_rtcp, 0, 0 },
    { "random bytes to the browsers' port", make_random, 0, 0 },
    { "RTP to the IMS port, from a stranger", make_rtp, 1, 1 },
    { "RTP from the IMS", make_rtp, 1, 0 },
    { "RTCP from the IMS", make_rtcp, 2, 0 },
    { "random bytes from the IMS", make_random, 1, 0 },
    { "random bytes to its RTCP port", make_random, 2, 0 }
};


static int
victim_passes(struct call *v)
{
    static uint16_t  seq;

    seq++;

    return pass_up(v, 0x1000, 8, seq, 160)
           && pass_down(v, 0x2000, 8, seq, 160);
}


static void
flood(struct call *f, struct call *v, const struct flood *what, unsigned n)
{
    int       fd;
    size_t    len;
    uint8_t   buf[BROWSER_PACKET];
    unsigned  i, lost;

    fd = what->stranger ? socket(AF_INET, SOCK_DGRAM, 0) : -1;
    lost = 0;

    for (i = 0; i < n; i++) {
        len = what->make(buf);

        if (what->ims == 0) {
            browser_raw(&f->web, fd, buf, len);

        } else if (fd == -1) {
            ims_raw(f, (unsigned) what->ims - 1, buf, len);

        } else {
            (void) sendto(fd, buf, len, 0,
                          (struct sockaddr *) &f->ims.peer[what->ims - 1],
                          f->ims.len);
        }

        if (i % BURST == BURST - 1) {
            lost += !victim_passes(v);

            /* what did come out of the flooded call is not looked at */

            (void) count_ims(f, 0);
            drain_web(f, 0);
        }
    }

    if (fd != -1) {
        close(fd);
    }

    is_int(lost, 0, what->name);
}


static int
ng_connection(void)
{
    int                 fd;
    struct timeval      tv;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s",
                    strchr(ng_spec, ':') + 1);

    fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0) {
        close(fd);
        return -1;
    }

    tv.tv_sec = 5;
    tv.tv_usec = 0;
    (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));

    return fd;
}


/* random, truncated, or a good command with some bytes changed */

static size_t
make_ng(uint8_t *buf, const uint8_t *good, size_t len)
{
    size_t    n;
    unsigned  i;

    switch (number() % 4) {

    case 0:
        return make_random(buf);

    case 1:
        n = number() % len;
        memcpy(buf, good, n);
        return n;

    default:
        memcpy(buf, good, len);

        for (i = number() % 6; i > 0; i--) {
            buf[number() % len] = (uint8_t) number();
        }

        return len;
    }
}


static void
flood_ng(struct call *v, unsigned n)
{
    int             fd;
    size_t          len, good_len;
    uint8_t         buf[NG_MAX], good[NG_MAX];
    unsigned        i, lost, closed;
    struct call     c;
    const uint8_t  *p;

    call_init(&c, v->ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);
    (void) call_offer(&c, "actpass", "sendrecv");

    /* without the cookie, so that no reply is kept */

    p = memchr(c.ng->out, ' ', c.ng->out_len);
    p = (p != NULL) ? p + 1 : (const uint8_t *) c.ng->out;
    good_len = c.ng->out_len - (size_t) (p - (const uint8_t *) c.ng->out);
    memcpy(good, p, good_len);
    call_delete(&c);

    fd = -1;
    lost = 0;
    closed = 0;

    for (i = 0; i < n; i++) {

        if (fd == -1 || i % NG_LIFE == 0) {
            if (fd != -1) {
                close(fd);
            }

            fd = ng_connection();
            closed += (fd == -1);
        }

        len = make_ng(buf, good, good_len);

        if (fd != -1
            && send(fd, buf, len, MSG_NOSIGNAL) == -1)
        {
            close(fd);
            fd = -1;
        }

        while (fd != -1 && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
            /* void */
        }

        if (i % BURST == BURST - 1) {
            lost += !victim_passes(v);
        }
    }

    if (fd != -1) {
        close(fd);
    }

    call_close(&c);

    is_int(lost, 0, "commands of ng");
    is_int(closed, 0, "and it always took connections");
}


static int
begin(struct call *c, struct ng *ng)
{
    call_init(c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    return ok(call_setup(c, "actpass", "passive") == 1
              && browser_connect(&c->web, CONNECT_MS)
              && pass_up(c, 1, 8, 1, 160) && pass_down(c, 2, 8, 1, 160),
              "a call");
}


int
main(int argc, char **argv)
{
    int          opt;
    size_t       i;
    unsigned     n;
    struct ng    ng;
    struct call  victim, flooded;

    n = 20000;

    while ((opt = getopt(argc, argv, "c:n:")) != -1) {
        switch (opt) {

        case 'c':
            ng_spec = optarg;
            break;

        case 'n':
            n = (unsigned) strtoul(optarg, NULL, 10);
            break;

        default:
            return 2;
        }
    }

    pass_wait_ms = 10000;

    if (ng_spec == NULL || srtp_init() != srtp_err_status_ok
        || ng_open(&ng, ng_spec) != 0)
    {
        fprintf(stderr, "mh_flood: no control socket\n");
        return 2;
    }

    if (begin(&victim, &ng) && begin(&flooded, &ng)) {

        for (i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
            flood(&flooded, &victim, &floods[i], n);
        }

        flood_ng(&victim, n);

        (void) count_ims(&flooded, 100);
        drain_web(&flooded, 100);
        ok(pass_up(&flooded, 0x3000, 8, 1, 160)
           && pass_down(&flooded, 0x4000, 8, 1, 160),
           "the flooded call goes on, too");
    }

    call_delete(&victim);
    call_delete(&flooded);
    call_close(&victim);
    call_close(&flooded);

    ng_close(&ng);

    return done_testing();
}
