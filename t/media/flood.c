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
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "check.h"
#include "result.h"


enum {
    BURST = 50,
    CONNECT_MS = 20000,
    CONSENT_S = 4,              /* RFC 7675 5.1: browsers ask this often */
    NG_LIFE = 25,               /* messages on one control connection */
    KNOWN = 1,                  /* SSRC that the flooded call has */
    TAG = 16
};


typedef size_t (make_h)(uint8_t *buf);


struct flood {
    const char  *name;
    make_h      *make;
    int          ims;           /* 1: RTP port, 2: RTCP port, 0: browsers' */
    int          stranger;      /* from a socket of nobody's */
};


static uint32_t      seed = 4711;
static struct call  *target;
static struct call  *flooded;


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


/* SRTP as good as the browser's, but for its tag */

static size_t
make_srtp(uint8_t *buf)
{
    size_t  i, len;

    len = rtp_make(buf, KNOWN, 8, (uint16_t) number(), 160);

    for (i = 12; i < len + TAG; i++) {
        buf[i] = (uint8_t) number();
    }

    return len + TAG;
}


static size_t
make_srtcp(uint8_t *buf)
{
    size_t  i, len;

    len = rtcp_make(buf, 200 + number() % 2, KNOWN, 2);

    for (i = 8; i < len + TAG + 4; i++) {
        buf[i] = (uint8_t) number();
    }

    buf[len + (number() % 2 ? TAG : 0)] |= 0x80;

    return len + TAG + 4;
}


/* a check of who has seen the SDP, but for the password */

static size_t
make_check(uint8_t *buf)
{
    char  username[520];

    (void) snprintf(username, sizeof(username), "%s:%s",
                    target->web.peer_ufrag, target->web.ufrag);

    return check_request(buf, number(), username,
                         "wrongwrongwrongwrongwrong", CHECK_NOMINATE);
}


/*
 * Handshake messages with good headers: fragments, messages of up to 16 MiB,
 * and records of epoch 1.
 */

static size_t
make_handshake(uint8_t *buf)
{
    size_t    len, body;
    uint32_t  total, offset;

    static const uint8_t  types[] = { 1, 2, 3, 11, 12, 13, 14, 15, 16, 20 };

    len = make_random(buf) + 25;
    body = len - 25;

    buf[0] = (number() % 16) ? 22 : 20;
    buf[1] = 0xfe;
    buf[2] = 0xfd;
    buf[3] = 0;
    buf[4] = (number() % 4 == 0);
    buf[11] = (uint8_t) ((len - 13) >> 8);
    buf[12] = (uint8_t) (len - 13);

    total = (number() % 4) ? (uint32_t) body + number() % 3000
                           : number() % 0x1000000;
    offset = (total > body) ? number() % (total - (uint32_t) body + 1) : 0;

    buf[13] = types[number() % sizeof(types)];
    buf[14] = (uint8_t) (total >> 16);
    buf[15] = (uint8_t) (total >> 8);
    buf[16] = (uint8_t) total;
    buf[17] = 0;
    buf[18] = (uint8_t) (number() % 12);
    buf[19] = (uint8_t) (offset >> 16);
    buf[20] = (uint8_t) (offset >> 8);
    buf[21] = (uint8_t) offset;
    buf[22] = 0;
    buf[23] = (uint8_t) (body >> 8);
    buf[24] = (uint8_t) body;

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
    { "random bytes to its RTCP port", make_random, 2, 0 },
    { "SRTP with a bad tag, from a stranger", make_srtp, 0, 1 },
    { "SRTP with a bad tag, from the browser's address", make_srtp, 0, 0 },
    { "SRTCP with a bad tag, from a stranger", make_srtcp, 0, 1 },
    { "SRTCP with a bad tag, from the browser's address", make_srtcp, 0, 0 },
    { "checks with a wrong key, from a stranger", make_check, 0, 1 },
    { "checks with a wrong key, browser's address", make_check, 0, 0 },
    { "handshake messages from a stranger", make_handshake, 0, 1 },
    { "handshake messages from the browser's address", make_handshake, 0, 0 }
};

static const struct flood  half = {
    "handshake messages into a handshake", make_handshake, 0, 0
};


/*
 * Without consent nothing would come down after 30 seconds, and without a
 * packet the call would end at some time.
 */

static void
keep(struct call *c)
{
    int      i;
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    static uint16_t  seq;

    for (i = 0; i < 20 && browser_check(&c->web, NULL) != 200; i++) {
        /* void */
    }

    if (c != flooded) {
        return;
    }

    len = rtp_make(buf, 0x5000, 8, ++seq, 160);
    (void) browser_send(&c->web, buf, len);
    ims_raw(c, 0, buf, len);
    (void) count_ims(c, 0);
    drain_web(c, 0);
}


static int
victim_passes(struct call *v)
{
    time_t           now;

    static time_t    asked;
    static uint16_t  seq;

    seq++;
    now = time(NULL);

    if (now - asked >= CONSENT_S || now < asked) {
        asked = now;
        keep(v);

        if (flooded != NULL) {
            keep(flooded);
        }
    }

    return pass_up(v, 0x1000, 8, seq, 160)
           && pass_down(v, 0x2000, 8, seq, 160);
}


/* a handshake that is not to go on is not read, only emptied */

static void
drain(struct call *f)
{
    uint8_t  buf[BROWSER_PACKET];

    if (f->web.connected == 1) {
        drain_web(f, 0);
        return;
    }

    while (recv(f->web.fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
        /* void */
    }
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
    target = f;

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
            drain(f);
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


/* a call whose browser has passed ICE, and then only somebody else writes */

static void
flood_half(struct call *v, struct ng *ng, unsigned n)
{
    struct call  c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_check(&c.web, NULL) == 200, "a call half up"))
    {
        flood(&c, v, &half, n);
    }

    call_delete(&c);
    call_close(&c);
}


int
main(int argc, char **argv)
{
    int          opt;
    size_t       i;
    unsigned     n;
    struct ng    ng;
    struct call  victim, other;

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

    if (begin(&victim, &ng) && begin(&other, &ng)) {
        flooded = &other;

        for (i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
            flood(&other, &victim, &floods[i], n);
        }

        flood_half(&victim, &ng, n);
        flood_ng(&victim, n);
        (void) count_ims(&other, 100);
        drain_web(&other, 100);
        ok(pass_up(&other, KNOWN, 8, 2, 160)
           && pass_down(&other, 2, 8, 2, 160),
           "the flooded call goes on, too, with the streams it had");
    }

    call_delete(&victim);
    call_delete(&other);
    call_close(&victim);
    call_close(&other);

    ng_close(&ng);

    return done_testing();
}
