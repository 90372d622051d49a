/*
 * Copyright (C) the IMS portal authors
 *
 * The packets of a call, and what is to become of them; see call.h.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"


int  pass_wait_ms = 500;


enum {
    NOTHING_MS = 100,
    HEADER = 12
};


static void
put32(uint8_t *p, uint32_t v)
{
    v = htonl(v);
    memcpy(p, &v, 4);
}


size_t
rtp_make(uint8_t *buf, uint32_t ssrc, unsigned pt, uint16_t seq,
    size_t payload)
{
    size_t  i;

    buf[0] = 0x80;
    buf[1] = (uint8_t) pt;
    buf[2] = (uint8_t) (seq >> 8);
    buf[3] = (uint8_t) seq;
    put32(buf + 4, (uint32_t) seq * 160);
    put32(buf + 8, ssrc);

    for (i = 0; i < payload; i++) {
        buf[HEADER + i] = (uint8_t) (seq * 31 + i * 7 + ssrc);
    }

    return HEADER + payload;
}


static size_t
ims_recv(struct call *c, unsigned rtcp, uint8_t *buf, int ms)
{
    ssize_t        n;
    struct pollfd  pfd;

    pfd.fd = c->ims.fd[rtcp];
    pfd.events = POLLIN;

    if (poll(&pfd, 1, ms) != 1) {
        return 0;
    }

    n = recv(pfd.fd, buf, BROWSER_PACKET, 0);

    if (n > 0 && c->sdes != NULL) {
        return sdes_unprotect(c->sdes, buf, (size_t) n, (int) rtcp);
    }

    return (n > 0) ? (size_t) n : 0;
}


void
ims_raw(struct call *c, unsigned rtcp, const void *data, size_t len)
{
    uint8_t  buf[BROWSER_PACKET + SRTP_MAX_TRAILER_LEN + 4];

    if (c->sdes == NULL) {
        ims_sealed(c, rtcp, data, len);
        return;
    }

    memcpy(buf, data, len);
    len = sdes_protect(c->sdes, buf, len, (int) rtcp);
    ims_sealed(c, rtcp, buf, len);
}


void
ims_sealed(struct call *c, unsigned rtcp, const void *data, size_t len)
{
    (void) sendto(c->ims.fd[rtcp], data, len, 0,
                  (struct sockaddr *) &c->ims.peer[rtcp], c->ims.len);
}


/* @return 1 if want comes next at that end, within ms */

static int
expect(struct call *c, int direction, const uint8_t *want, size_t len)
{
    size_t   n;
    uint8_t  buf[BROWSER_PACKET];

    n = (direction == UP) ? ims_recv(c, 0, buf, pass_wait_ms)
                          : browser_recv(&c->web, buf, 0, pass_wait_ms);

    return n == len && memcmp(buf, want, len) == 0;
}


int
pass_up(struct call *c, uint32_t ssrc, unsigned pt, uint16_t seq,
    size_t payload)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, ssrc, pt, seq, payload);
    (void) browser_send(&c->web, buf, len);

    return expect(c, UP, buf, len);
}


int
pass_down(struct call *c, uint32_t ssrc, unsigned pt, uint16_t seq,
    size_t payload)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, ssrc, pt, seq, payload);
    ims_raw(c, 0, buf, len);

    return expect(c, DOWN, buf, len);
}


int
pass_pt(struct call *c, int direction, unsigned in, unsigned out,
    uint16_t seq)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, 0x7000, in | 0x80, seq, 40);

    if (direction == UP) {
        (void) browser_send(&c->web, buf, len);

    } else {
        ims_raw(c, 0, buf, len);
    }

    buf[1] = (uint8_t) (out | 0x80);

    return expect(c, direction, buf, len);
}


int
pass_video(struct call *c, int direction, unsigned in, unsigned out,
    uint16_t seq)
{
    int           same;
    struct ims    audio;
    struct sdes  *sdes;

    audio = c->ims;
    sdes = c->sdes;
    c->ims = c->video;
    c->sdes = c->sdes_video;
    same = pass_pt(c, direction, in, out, seq);
    c->ims = audio;
    c->sdes = sdes;

    return same;
}


int
pass_extension(struct call *c, uint16_t seq)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, 0x7000, 8, seq, 160);

    memmove(buf + HEADER + 8, buf + HEADER, len - HEADER);
    memcpy(buf + HEADER, "\xbe\xde\0\1\x10\x7f\x40\x30", 8);
    buf[0] |= 0x10;
    (void) browser_send(&c->web, buf, len + 8);

    len = rtp_make(buf, 0x7000, 8, seq, 160);

    return expect(c, UP, buf, len);
}


void
skip_up(struct call *c, uint32_t ssrc, uint16_t seq)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, ssrc, 8, seq, 20);
    (void) browser_protect(&c->web, buf, len);
}


void
forge_up(struct call *c, uint32_t ssrc, uint16_t seq)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, ssrc, 8, seq, 170);
    browser_raw(&c->web, -1, buf, len);
}


unsigned
count_ims(struct call *c, int ms)
{
    uint8_t   buf[BROWSER_PACKET];
    unsigned  n;

    for (n = 0; ims_recv(c, 0, buf, ms) != 0; n++) {
        /* void */
    }

    while (ims_recv(c, 1, buf, 0) != 0) {
        /* void */
    }

    return n;
}


void
drain_web(struct call *c, int ms)
{
    uint8_t  buf[BROWSER_PACKET];

    while (browser_recv(&c->web, buf, 0, ms) != 0) {
        /* void */
    }
}


unsigned
replay_up(struct call *c, uint32_t ssrc, uint16_t seq)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, ssrc, 8, seq, 160);
    len = browser_protect(&c->web, buf, len);

    browser_raw(&c->web, -1, buf, len);
    browser_raw(&c->web, -1, buf, len);

    return count_ims(c, NOTHING_MS);
}


unsigned
readdress_up(struct call *c, uint32_t ssrc, uint16_t seq)
{
    int      fd;
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, ssrc, 8, seq, 160);
    len = browser_protect(&c->web, buf, len);

    fd = socket(c->web.self.ss_family, SOCK_DGRAM, 0);
    browser_raw(&c->web, fd, buf, len);
    close(fd);

    return count_ims(c, NOTHING_MS);
}


/* a report with one block and the SDES that goes with it (RFC 3550 6.1) */

size_t
rtcp_make(uint8_t *buf, unsigned type, uint32_t from, uint32_t about)
{
    size_t  n;

    memset(buf, 0, 128);
    buf[0] = 0x81;
    buf[1] = (uint8_t) type;
    put32(buf + 4, from);
    n = 8;

    if (type == 200) {
        put32(buf + 8, 0xe0000001);
        put32(buf + 12, 0x80000000);
        put32(buf + 16, 16000);
        put32(buf + 20, 100);
        put32(buf + 24, 16000);
        n = 28;
    }

    put32(buf + n, about);
    put32(buf + n + 4, 0x10000003);
    put32(buf + n + 8, 101);
    put32(buf + n + 12, 5);
    n += 24;
    buf[3] = (uint8_t) (n / 4 - 1);

    memcpy(buf + n, "\x81\xca\0\3", 4);
    put32(buf + n + 4, from);
    memcpy(buf + n + 8, "\1\4mary", 6);

    return n + 16;
}


/* sends from a socket that nobody has signalled; counts what comes down */

static unsigned
stranger(struct call *c, unsigned rtcp, const uint8_t *pkt, size_t len)
{
    int       fd;
    uint8_t   buf[BROWSER_PACKET];
    unsigned  n;

    fd = socket(c->ims.peer[rtcp].ss_family, SOCK_DGRAM, 0);
    (void) sendto(fd, pkt, len, 0, (struct sockaddr *) &c->ims.peer[rtcp],
                  c->ims.len);
    close(fd);

    for (n = 0; browser_recv(&c->web, buf, (int) rtcp, NOTHING_MS) != 0; n++)
    {
        /* void */
    }

    return n;
}


unsigned
stranger_rtcp(struct call *c, uint32_t ssrc)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtcp_make(buf, 200, ssrc, 1);

    return stranger(c, 1, buf, len);
}


unsigned
stranger_down(struct call *c, uint32_t ssrc)
{
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];

    len = rtp_make(buf, ssrc, 8, 1, 160);

    return stranger(c, 0, buf, len);
}


/* the report itself; what is compounded with it is the server's affair */

static int
rtcp_same(const uint8_t *got, size_t n, const uint8_t *sent)
{
    size_t  len;

    len = ((size_t) sent[3] + 1) * 4;

    return n >= len && memcmp(got, sent, len) == 0;
}


int
rtcp_up(struct call *c, unsigned type, uint32_t from, uint32_t about)
{
    int      tries;
    size_t   n;
    uint8_t  sent[BROWSER_PACKET], buf[BROWSER_PACKET];

    n = rtcp_make(sent, type, from, about);
    (void) browser_send_rtcp(&c->web, sent, n);

    for (tries = 0; tries < 5; tries++) {
        n = ims_recv(c, 1, buf, pass_wait_ms);

        if (n == 0 || rtcp_same(buf, n, sent)) {
            break;
        }
    }

    return n != 0;
}


int
rtcp_down(struct call *c, unsigned type, uint32_t from, uint32_t about)
{
    int      tries;
    size_t   n;
    uint8_t  sent[BROWSER_PACKET], buf[BROWSER_PACKET];

    n = rtcp_make(sent, type, from, about);
    ims_raw(c, 1, sent, n);

    for (tries = 0; tries < 5; tries++) {
        n = browser_recv(&c->web, buf, 1, pass_wait_ms);

        if (n == 0 || rtcp_same(buf, n, sent)) {
            break;
        }
    }

    return n != 0;
}
