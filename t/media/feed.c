/*
 * Copyright (C) the IMS portal authors
 *
 * Video, RTCP and calls with both; see feed.h.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "feed.h"
#include "result.h"


struct rtcp  got;


void
put32(uint8_t *p, uint32_t v)
{
    v = htonl(v);
    memcpy(p, &v, 4);
}


uint32_t
get32(const uint8_t *p)
{
    uint32_t  v;

    memcpy(&v, p, 4);

    return ntohl(v);
}


long
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* ----- RTP ----- */

size_t
frame(uint8_t *p, uint32_t ssrc, uint16_t seq, uint8_t nal)
{
    memset(p, (int) seq, 200);
    p[0] = 0x80;
    p[1] = 97;
    p[2] = (uint8_t) (seq >> 8);
    p[3] = (uint8_t) seq;
    put32(p + 4, seq * 3000u);
    put32(p + 8, ssrc);
    p[12] = nal;

    return 200;
}


size_t
ims_get(struct ims *ims, unsigned rtcp, uint8_t *p, int ms)
{
    ssize_t        n;
    struct pollfd  pfd;

    pfd.fd = ims->fd[rtcp];
    pfd.events = POLLIN;

    if (poll(&pfd, 1, ms) != 1) {
        return 0;
    }

    n = recv(pfd.fd, p, BROWSER_PACKET, 0);

    return (n > 0) ? (size_t) n : 0;
}


void
ims_put(struct ims *ims, unsigned rtcp, const uint8_t *p, size_t len)
{
    (void) sendto(ims->fd[rtcp], p, len, 0,
                  (struct sockaddr *) &ims->peer[rtcp], ims->len);
}


/* @return 1 if a frame of the browser's comes out as it went in */

int
up(struct call *c, uint32_t ssrc, uint16_t seq, uint8_t nal)
{
    size_t   n;
    uint8_t  p[256], q[BROWSER_PACKET];

    n = frame(p, ssrc, seq, nal);
    (void) browser_send(&c->web, p, n);

    return ims_get(&c->video, 0, q, WAIT_MS) == n && memcmp(p, q, n) == 0;
}


int
down(struct call *c, uint32_t ssrc, uint16_t seq, uint8_t nal)
{
    size_t   n;
    uint8_t  p[256], q[BROWSER_PACKET];

    n = frame(p, ssrc, seq, nal);
    ims_put(&c->video, 0, p, n);

    return browser_recv(&c->web, q, 0, WAIT_MS) == n
           && memcmp(p, q, n) == 0;
}


/* ----- RTCP ----- */

void
add(struct rtcp *r, unsigned kind, uint32_t sender, uint32_t media,
    const void *more, size_t len)
{
    uint8_t  *p;

    p = r->p + r->len;
    p[0] = (uint8_t) (0x80 | (kind > 255 ? kind & 0x1f : 0));
    p[1] = (uint8_t) (kind > 255 ? kind >> 8 : kind);
    p[2] = 0;
    put32(p + 4, sender);
    r->len += 8;

    if (kind > 255 || kind == APP) {
        put32(p + 8, media);
        r->len += 4;
    }

    if (len) {
        memcpy(r->p + r->len, more, len);
        r->len += len;
    }

    p[3] = (uint8_t) ((size_t) (r->p + r->len - p) / 4 - 1);
}


/* a report block or more about sources */

void
report(struct rtcp *r, unsigned type, uint32_t sender, uint32_t a, uint32_t b)
{
    size_t   n;
    uint8_t  more[68] = { 0 };

    n = 0;

    if (type == SR) {
        put32(more, 0xe0000000 + (uint32_t) now_ms());
        put32(more + 4, 0x80000000);
        n = 20;
    }

    if (a) {
        put32(more + n, a);
        put32(more + n + 8, 100);
        n += 24;
    }

    if (b) {
        put32(more + n, b);
        put32(more + n + 8, 200);
        n += 24;
    }

    add(r, type, sender, 0, more, n);
    r->p[r->len - n - 8] = (uint8_t) (0x80 + (a != 0) + (b != 0));
}


/* where in the packet that came last one of that kind is, or NULL */

const uint8_t *
find(unsigned kind)
{
    size_t          off, n;
    unsigned        this;
    const uint8_t  *p;

    if (got.len < 8 || (got.p[1] != SR && got.p[1] != RR)) {
        return NULL;
    }

    for (off = 0; off + 4 <= got.len; off += n) {
        p = got.p + off;
        n = 4 * (((size_t) p[2] << 8 | p[3]) + 1);

        if (p[0] >> 6 != 2 || off + n > got.len) {
            return NULL;
        }

        this = (kind > 255) ? (unsigned) p[1] << 8 | (p[0] & 0x1f) : p[1];

        if (this == kind) {
            return p;
        }
    }

    return NULL;
}


void
up_rtcp(struct call *c, const struct rtcp *r)
{
    (void) browser_send_rtcp(&c->web, r->p, r->len);
}


/* the next packet at that end goes to got; @return 1, or 0 without */

int
web_next(struct call *c)
{
    got.len = browser_recv(&c->web, got.p, 1, WAIT_MS);

    return got.len != 0;
}


int
ims_next(struct ims *ims)
{
    got.len = ims_get(ims, 1, got.p, WAIT_MS);

    return got.len != 0;
}


/* waits for one with that kind in it */

const uint8_t *
web_find(struct call *c, unsigned kind)
{
    const uint8_t  *p;

    do {
        if (!web_next(c)) {
            return NULL;
        }

        p = find(kind);
    } while (p == NULL);

    return p;
}


const uint8_t *
ims_find(struct ims *ims, unsigned kind)
{
    const uint8_t  *p;

    do {
        if (!ims_next(ims)) {
            return NULL;
        }

        p = find(kind);
    } while (p == NULL);

    return p;
}


/*
 * Sends a report that must come out, and counts packets of that kind that
 * come before it.  @return how many, or -1 if the report does not come
 */

int
web_count(struct call *c, struct ims *ims, unsigned kind)
{
    int              n;
    const uint8_t   *p;
    struct rtcp      r;
    static uint32_t  mark = 0x5000;

    mark++;
    r.len = 0;
    report(&r, RR, mark, 0, 0);
    add(&r, APP, mark, 0x6d61726b, NULL, 0);
    ims_put(ims, 1, r.p, r.len);

    for (n = 0; web_next(c); /* void */ ) {
        p = find(APP);

        if (p != NULL && get32(p + 4) == mark) {
            return n;
        }

        n += find(kind) != NULL;
    }

    return -1;
}


/* ----- calls ----- */

int
begin(struct call *c, struct ng *ng, int offers, const char *web,
    const char *ims)
{
    call_init(c, ng, "127.0.0.1", offers, ALL_PROFILES);
    c->web.video = 1;
    c->web.video_fb = web;
    c->video_fb = ims;

    return ok(call_setup(c, offers == BROWSER_OFFERS ? "actpass" : "active",
                         "passive") == 1
              && browser_connect(&c->web, WAIT_MS), "connected");
}


void
end(struct call *c)
{
    call_delete(c);
    call_close(c);
}


/* a key frame of each side ends all requests for one; sources are known */

int
settle(struct call *c)
{
    return up(c, MARY, 100, SLICE) && web_find(c, PLI) != NULL
           && up(c, MARY, 101, IDR) && down(c, BOB, 200, IDR)
           && down(c, BOB, 201, IDR);
}
