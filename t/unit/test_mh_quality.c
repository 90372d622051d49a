
/*
 * Copyright (C) the IMS portal authors
 *
 * Loss, jitter, round-trip time and scores, on a clock of the test's own.
 */


#include <time.h>

#include "mh_quality.h"
#include "tap.h"


static void
put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 24);
    p[1] = (uint8_t) (v >> 16);
    p[2] = (uint8_t) (v >> 8);
    p[3] = (uint8_t) v;
}


static void
rtp(struct mh_quality *q, uint32_t ssrc, uint16_t seq, uint32_t timestamp,
    unsigned clock, uint64_t now)
{
    uint8_t  p[12] = { 0x80, 8 };

    p[2] = (uint8_t) (seq >> 8);
    p[3] = (uint8_t) seq;
    put32(p + 4, timestamp);
    put32(p + 8, ssrc);
    mh_quality_rtp(q, p, clock, 0, now);
}


static void
test_loss(void)
{
    unsigned           i;
    struct mh_quality  q;

    memset(&q, 0, sizeof(q));

    for (i = 0; i < 400; i++) {
        if (i % 10 != 3) {
            rtp(&q, 1, (uint16_t) (65300 + i), i * 160, 8, 1000 + i * 20);
        }
    }

    mh_quality_update(&q, 0, 9000);
    is_int(q.packets, 360, "packets");
    is_int(q.lost, 40, "lost, over the wrap");
    is_int(q.jitter, 0, "no jitter");
    is_int(q.samples, 1, "a sample after five seconds");
    is_int(q.last.loss, 10, "ten percent lost");

    rtp(&q, 1, (uint16_t) (65300 + 393), 0, 0, 9001);
    mh_quality_update(&q, 0, 9001);
    is_int(q.lost, 39, "a late one is not lost");

    rtp(&q, 1, (uint16_t) (65300 + 399), 0, 0, 9001);
    rtp(&q, 1, (uint16_t) (65300 + 398), 0, 0, 9001);
    mh_quality_update(&q, 0, 9001);
    is_int(q.lost, 37, "duplicates count as received, RFC 3550 A.3");

    rtp(&q, 2, 7, 0, 8, 9020);
    rtp(&q, 2, 9, 0, 8, 9040);
    mh_quality_update(&q, 0, 9050);
    is_int(q.lost, 38, "a new source: what was lost before stays");

    rtp(&q, 2, 30000, 0, 8, 9060);
    mh_quality_update(&q, 0, 9061);
    is_int(q.lost, 38, "a jump is a new beginning, not a loss");
}


static void
test_jitter(void)
{
    unsigned           i;
    struct mh_quality  q;

    memset(&q, 0, sizeof(q));

    for (i = 0; i < 400; i++) {
        rtp(&q, 1, (uint16_t) i, i * 160, 8, 1000 + i * 20 + i % 2 * 10);
    }

    mh_quality_update(&q, 0, 9000);
    ok(q.jitter >= 9 && q.jitter <= 10, "10 ms back and forth: %u ms",
       q.jitter);

    memset(&q, 0, sizeof(q));

    for (i = 0; i < 400; i++) {
        rtp(&q, 1, (uint16_t) i, i / 4 * 3000, 90, 1000 + i / 4 * 33);
    }

    mh_quality_update(&q, 0, 9000);
    ok(q.jitter <= 1, "four packets a frame: %u ms", q.jitter);
    is_int(q.samples, 0, "video has no score");

    memset(&q, 0, sizeof(q));

    for (i = 0; i < 100; i++) {
        rtp(&q, 1, (uint16_t) i, i * 160, 8, 1000 + i * 20);
    }

    for (i = 100; i < 120; i++) {
        rtp(&q, 1, (uint16_t) i, 16000, 0, 1000 + i * 20);
    }

    for (i = 120; i < 200; i++) {
        rtp(&q, 1, (uint16_t) i, i * 160, 8, 1000 + i * 20);
    }

    for (i = 200; i < 300; i++) {
        rtp(&q, 1, (uint16_t) i, i * 960 + 77, 48, 1000 + i * 20);
    }

    mh_quality_update(&q, 0, 7000);
    is_int(q.jitter, 0, "an event and another clock are no jitter");

    rtp(&q, 1, 300, 0xfffff000, 48, 7020);
    rtp(&q, 1, 301, 0xfffff000 + 960, 48, 7040);
    mh_quality_update(&q, 0, 7040);
    is_int(q.jitter, 0, "nor is a new beginning of the sender's clock");
}


static void
test_round_trip(void)
{
    uint8_t            sr[28] = { 0x80, 200, 0, 6 };
    uint8_t            rr[32] = { 0x81, 201, 0, 7 };
    struct mh_quality  q;

    memset(&q, 0, sizeof(q));

    put32(sr + 8, 0x11112222);
    put32(sr + 12, 0x33334444);
    mh_quality_sent(&q, sr, sizeof(sr), 1000);

    put32(rr + 24, 0x22223333);
    put32(rr + 28, 65536);
    mh_quality_heard(&q, rr, sizeof(rr), 2080);
    is_int(q.rtt, 80, "80 ms");

    put32(rr + 24, 0x22223334);
    mh_quality_heard(&q, rr, sizeof(rr), 2500);
    is_int(q.rtt, 80, "a report of an SR that never was");

    put32(rr + 24, 0x22223333);
    put32(rr + 28, 65536 * 5);
    mh_quality_heard(&q, rr, sizeof(rr), 2500);
    is_int(q.rtt, 80, "a delay that cannot be");

    put32(rr + 28, 65536);
    mh_quality_heard(&q, rr, sizeof(rr), 2000);
    is_int(q.rtt, 1, "less than a millisecond is not unknown");

    put32(rr + 24, 0);
    mh_quality_heard(&q, rr, sizeof(rr), 5000);
    is_int(q.rtt, 1, "no LSR");
}


static void
test_scores(void)
{
    unsigned                  i;
    struct mh_quality         q;
    struct mh_quality_figure  f;

    is_int(mh_quality_mos(0, 0, 0), 44, "at its best");
    is_int(mh_quality_mos(100, 10, 10), 42, "a good line");
    is_int(mh_quality_mos(300, 20, 50), 29, "a bad line");
    is_int(mh_quality_mos(1000, 0, 0), 10, "a second");
    is_int(mh_quality_mos(0, 0, 1000), 10, "nothing arrives");
    is_int(mh_quality_mos(0xffffffff, 0xffffffff, 0xffffffff), 10, "nonsense");

    memset(&q, 0, sizeof(q));
    mh_quality_update(&q, 0, 5);
    mh_quality_average(&q, &f);
    ok(f.mos == 0 && f.at == 0, "no packets, no score");

    for (i = 0; i < 60; i++) {
        rtp(&q, 1, (uint16_t) i, i * 160, 8, 1000 + i * 20);
    }

    mh_quality_update(&q, 0, 2200);
    mh_quality_average(&q, &f);
    ok(q.samples == 1 && f.mos == 44, "asked early: one after a second");

    q.rtt = 20;

    for ( /* void */ ; i < 300; i++) {
        rtp(&q, 1, (uint16_t) i, i * 160, 8, 1000 + i * 20);
    }

    for ( /* void */ ; i < 600; i++) {
        if (i % 5) {
            rtp(&q, 1, (uint16_t) i, i * 160, 8, 1000 + i * 20);
        }
    }

    mh_quality_update(&q, 30, 13000);
    mh_quality_average(&q, &f);
    ok(q.samples == 3, "then every five (%u)", q.samples);
    ok(q.highest.mos == 44 && q.highest.loss == 0, "the best");
    ok(q.lowest.mos < 30 && q.lowest.loss > 10 && q.lowest.at > q.highest.at,
       "the worst: %u", q.lowest.mos);
    ok(f.mos > q.lowest.mos && f.mos < q.highest.mos, "between: %u", f.mos);

    mh_quality_update(&q, 0, 20000);
    i = q.samples;
    mh_quality_update(&q, 0, 60000);
    is_int(q.samples, i, "on hold there is nothing to score");
}


static void
test_cost(void)
{
    double             ns;
    unsigned           i;
    struct timespec    a, b;
    struct mh_quality  q;

    memset(&q, 0, sizeof(q));

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    for (i = 0; i < 2000000; i++) {
        rtp(&q, 1, (uint16_t) i, i * 160, 8, 1000 + i * 20ull);
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    ns = ((double) (b.tv_sec - a.tv_sec) * 1e9 + (double) b.tv_nsec
          - (double) a.tv_nsec) / 2000000;
    ok(q.packets == 2000000, "%.1f ns a packet", ns);
}


int
main(void)
{
    test_loss();
    test_jitter();
    test_round_trip();
    test_scores();
    test_cost();

    return done_testing();
}
