/*
 * Copyright (C) the IMS portal authors
 *
 * What is odd in RTP and has to pass, or not: tones, comfort noise, lists of
 * sources, padding, header extensions, very many sources; see feed.h.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feed.h"
#include "result.h"


enum {
    PCMU = 0,
    PCMA = 8,
    NOISE = 13,
    TONE = 126
};


/* header, n bytes of payload; @return the length */

static size_t
voice(uint8_t *p, unsigned pt, int marker, uint16_t seq, uint32_t timestamp,
    size_t n)
{
    memset(p, 0x55, 12 + n);
    p[0] = 0x80;
    p[1] = (uint8_t) ((marker ? 0x80 : 0) | pt);
    p[2] = (uint8_t) (seq >> 8);
    p[3] = (uint8_t) seq;
    put32(p + 4, timestamp);
    put32(p + 8, VOICE);

    return 12 + n;
}


/* @return 1 if it comes out as it went in */

static int
through(struct call *c, int direction, const uint8_t *p, size_t len)
{
    size_t   n;
    uint8_t  q[BROWSER_PACKET];

    if (direction == UP) {
        (void) browser_send(&c->web, p, len);
        n = ims_get(&c->ims, 0, q, WAIT_MS);

    } else {
        ims_put(&c->ims, 0, p, len);
        n = browser_recv(&c->web, q, 0, WAIT_MS);
    }

    return n == len && memcmp(p, q, n) == 0;
}


/* ME-13, RFC 4733: one timestamp, a marker at first, three ends */

static int
tone(struct call *c, int direction, uint16_t seq)
{
    int       good;
    size_t    n;
    uint8_t   p[64];
    unsigned  i;

    good = 1;

    for (i = 0; i < 8; i++) {
        n = voice(p, TONE, i == 0, (uint16_t) (seq + i), 77777, 4);
        p[12] = 5;
        p[13] = (i >= 5) ? 0x8a : 0x0a;
        p[14] = (uint8_t) (i >= 5 ? 8 : i + 1);
        p[15] = 0xa0;
        good = good && through(c, direction, p, n);
    }

    return good;
}


void
test_tones(struct ng *ng)
{
    int          good;
    size_t       n;
    uint8_t      p[256];
    struct call  c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (ok(call_offer(&c, "actpass", "sendrecv") == 1
           && call_remote(&c, IMS) == 0
           && call_answer(&c, "8 13 126", "sendrecv", "passive") == 1
           && call_remote(&c, WEB) == 0
           && browser_connect(&c.web, WAIT_MS), "connected"))
    {
        n = voice(p, PCMA, 1, 1, 160, 160);
        ok(through(&c, UP, p, n), "speech with a marker");
        ok(tone(&c, UP, 2), "a tone goes up");
        ok(tone(&c, DOWN, 2), "and comes down");
        n = voice(p, PCMA, 1, 10, 1760, 160);
        ok(through(&c, UP, p, n), "speech goes on");
        n = voice(p, NOISE, 0, 11, 1920, 1);
        ok(through(&c, UP, p, n) && through(&c, DOWN, p, n),
           "comfort noise, both ways");
    }

    end(&c);

    /* another codec in the middle of the stream, clock and marker go on */

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (ok(call_offer(&c, "actpass", "sendrecv") == 1
           && call_remote(&c, IMS) == 0
           && call_answer(&c, "8 0", "sendrecv", "passive") == 1
           && call_remote(&c, WEB) == 0
           && browser_connect(&c.web, WAIT_MS), "connected with two codecs"))
    {
        n = voice(p, PCMA, 0, 1, 160, 160);
        good = through(&c, UP, p, n) && through(&c, DOWN, p, n);
        n = voice(p, PCMU, 1, 2, 320, 160);
        good = good && through(&c, UP, p, n) && through(&c, DOWN, p, n);
        n = voice(p, PCMA, 1, 3, 480, 160);
        good = good && through(&c, UP, p, n) && through(&c, DOWN, p, n);
        ok(good, "from one to the other and back");
    }

    end(&c);

    call_init(&c, ng, "127.0.0.1", IMS_OFFERS, ALL_PROFILES);

    if (ok(call_setup(&c, "active", "passive") == 1
           && browser_connect(&c.web, WAIT_MS), "connected"))
    {
        /* what nobody has offered */

        n = voice(p, NOISE, 0, 20, 3200, 1);
        ims_put(&c.ims, 0, p, n);
        (void) browser_send(&c.web, p, n);
        n = voice(p, PCMA, 0, 21, 3360, 160);
        ok(through(&c, UP, p, n) && through(&c, DOWN, p, n),
           "an unknown number is dropped, the next packet passes");
    }

    end(&c);
}


static int
extension(struct call *c, int direction, uint16_t seq, int two)
{
    size_t   n, m;
    uint8_t  p[BROWSER_PACKET], want[BROWSER_PACKET], q[BROWSER_PACKET];

    n = voice(want, PCMA, 0, seq, seq * 160u, 160);
    memcpy(p, want, 12);
    p[0] |= 0x10;
    memcpy(p + 12, two ? "\x10\0\0\2\1\0\2\3abc\0"
                       : "\xbe\xde\0\2\x10\x7f\x32xyz\0\0", 12);
    memcpy(p + 24, want + 12, 160);

    if (direction == UP) {
        (void) browser_send(&c->web, p, n + 12);
        m = ims_get(&c->ims, 0, q, WAIT_MS);

    } else {
        ims_put(&c->ims, 0, p, n + 12);
        m = browser_recv(&c->web, q, 0, WAIT_MS);
    }

    return m == n && memcmp(q, want, n) == 0;
}


void
test_headers(struct ng *ng)
{
    int          i;
    size_t       n;
    uint8_t      p[256];
    unsigned     pad;
    struct call  c;

    static const char *const  way[] = { "up", "down" };
    static const unsigned  bad[] = { 0, 161, 255 };

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (!ok(call_setup(&c, "actpass", "passive") == 1
            && browser_connect(&c.web, WAIT_MS), "connected"))
    {
        end(&c);
        return;
    }

    for (i = UP; i <= DOWN; i++) {
        ok(extension(&c, i, 1, 0) && extension(&c, i, 2, 1),
           "%s: header extensions of both kinds are taken out", way[i]);

        n = voice(p, PCMA, 0, 3, 480, 160);
        p[0] |= 2;
        ok(through(&c, i, p, n), "%s: contributing sources", way[i]);

        n = voice(p, PCMA, 0, 4, 640, 160);
        p[0] |= 0x20;
        p[n - 1] = 8;
        ok(through(&c, i, p, n), "%s: padding", way[i]);

        /* longer than there is, or none: that is no RTP */

        for (pad = 0; pad < 3; pad++) {
            n = voice(p, PCMA, 0, (uint16_t) (5 + pad), 800, 160);
            p[0] |= 0x20;
            p[n - 1] = (uint8_t) bad[pad];

            if (i == UP) {
                (void) browser_send(&c.web, p, n);

            } else {
                ims_put(&c.ims, 0, p, n);
            }
        }

        n = voice(p, PCMA, 0, 9, 1440, 160);
        ok(through(&c, i, p, n), "%s: but not if it is wrong", way[i]);
    }

    /* an extension or a list that is longer than the packet */

    for (i = 0; i < 3; i++) {
        n = voice(p, PCMA, 0, (uint16_t) (20 + i), 0, 16);
        p[0] |= (i == 0) ? 0x0f : 0x10;
        memcpy(p + 12, "\xbe\xde\xff\xff", 4);
        ims_put(&c.ims, 0, p, (i == 2) ? 14 : n);
    }

    n = voice(p, PCMA, 0, 30, 1440, 160);
    ok(through(&c, DOWN, p, n), "headers that are cut do not pass");

    end(&c);
}


/* more than any table has room for, each with a report of its own */

void
test_sources(struct ng *ng)
{
    int            good;
    unsigned       i;
    struct call    c;
    struct rtcp    r;
    const uint8_t *p;

    if (begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack pli\r\n", NULL)) {
        good = 1;

        for (i = 0; i < 150; i++) {
            good = good && up(&c, 0x7000 + i, 65535, IDR)
                   && up(&c, 0x7000 + i, 0, IDR)
                   && down(&c, 0x8000 + i, 65535, IDR)
                   && down(&c, 0x8000 + i, 0, IDR);
        }

        ok(good, "150 sources on video, both ways, each over a wrap");

        r.len = 0;
        report(&r, SR, 0x7000 + 149, 0x8000 + 149, 0);
        up_rtcp(&c, &r);
        p = ims_find(&c.video, SR);
        ok(p != NULL && got.len == r.len && memcmp(p, r.p, r.len) == 0,
           "the last one's report goes up");

        r.len = 0;
        report(&r, SR, 0x8000 + 149, 0x7000 + 149, 0);
        ims_put(&c.video, 1, r.p, r.len);
        p = web_find(&c, SR);
        ok(p != NULL && got.len == r.len && memcmp(p, r.p, r.len) == 0,
           "and comes down");

        ok(up(&c, 0x7000, 1, IDR) && down(&c, 0x8000, 1, IDR),
           "the first one comes back");
    }

    end(&c);
}


/*
 * Six of sixty packets get lost, and a report of the browser's says that it
 * kept an SR for 0.1 s, which it did for 0.2 s: what the query tells of that.
 */

void
test_quality(struct ng *ng)
{
    int          good;
    long         rtt;
    size_t       n;
    uint8_t      p[256];
    unsigned     i;
    const char  *q;
    struct call  c;
    struct rtcp  r;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    if (!ok(call_setup(&c, "actpass", "passive") == 1
            && browser_connect(&c.web, WAIT_MS), "connected"))
    {
        end(&c);
        return;
    }

    good = 1;

    for (i = 0; i < 60; i++) {
        n = voice(p, PCMA, 0, (uint16_t) (65500 + i), i * 160, 160);

        if (i % 10 != 5) {
            good = good && through(&c, UP, p, n);
        }

        usleep(20000);
    }

    r.len = 0;
    report(&r, SR, BOBS_VOICE, VOICE, 0);
    put32(r.p + 8, 0x00001234);
    put32(r.p + 12, 0x56780000);
    ims_put(&c.ims, 1, r.p, r.len);
    good = good && web_find(&c, SR) != NULL;
    usleep(200000);

    r.len = 0;
    report(&r, RR, VOICE, BOBS_VOICE, 0);
    put32(r.p + 24, 0x12345678);
    put32(r.p + 28, 6554);
    up_rtcp(&c, &r);
    ok(good && ims_find(&c.ims, RR) != NULL, "packets and reports pass");

    ng_begin(ng, "query");
    ng_str(ng, "call-id", c.id);
    good = ng_send(ng);
    q = strstr(ng_get(ng, "SSRC"), "9:858980353d");
    ok(good == 1 && q != NULL
       && strstr(q, "7:packetsi54e15:cumulative lossi6e") != NULL,
       "query tells what got lost");

    q = (q == NULL) ? NULL : strstr(q, "19:round-trip time legi");
    rtt = (q == NULL) ? 0 : strtol(q + 23, NULL, 10);
    ok(rtt >= 100000 && rtt <= 10000000, "the browser is %ld us away", rtt);

    q = (q == NULL) ? NULL : strstr(q, "11:average MOSd3:MOSi");
    i = (q == NULL) ? 0 : (unsigned) strtoul(q + 21, NULL, 10);
    ok(i >= 10 && i <= 42, "and a score that shows it: %u", i);

    end(&c);
}
