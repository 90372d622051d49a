
/*
 * Copyright (C) the IMS portal authors
 *
 * Feedback between two legs and the buffer of sent packets, on a clock of
 * the test's own.
 */


#include <errno.h>
#include <stdint.h>

#include <re.h>

#include "mh_feedback.h"
#include "mh_nack.h"
#include "mh_rtcp.h"
#include "tap.h"


enum {
    IMS = 0,
    WEB = 1,
    MARY = 0x11110000,          /* sources */
    BOB = 0x22220000
};


static uint8_t   codecs[2][128];
static uint16_t  asked[64];
static unsigned  askedc;
static uint16_t  kept;          /* the only number that is not kept */


static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static void
init(struct mh_feedback *fb, unsigned ims, unsigned web, uint32_t cap)
{
    unsigned  can[2];

    can[IMS] = ims;
    can[WEB] = web;
    memset(fb, 0, sizeof(*fb));
    memset(codecs, 0, sizeof(codecs));
    codecs[IMS][97] = codecs[WEB][97] = MH_FEEDBACK_H264;
    mh_feedback_set(fb, can, codecs, cap, 1000);
}


/* @return whether something is due */

static bool
video(struct mh_feedback *fb, unsigned from, uint32_t ssrc, uint16_t seq,
    uint8_t nal, uint64_t now)
{
    uint8_t  p[20] = { 0x80, 97 };

    p[2] = (uint8_t) (seq >> 8);
    p[3] = (uint8_t) seq;
    p[8] = (uint8_t) (ssrc >> 24);
    p[9] = (uint8_t) (ssrc >> 16);
    p[12] = nal;

    return mh_feedback_rtp(fb, from, p, sizeof(p), now);
}


/* the type of what is due behind the RR, or 0 */

static unsigned
due(struct mh_feedback *fb, unsigned to, uint64_t now, uint8_t *buf)
{
    size_t  n;

    n = mh_feedback_write(fb, to, BOB, MARY, now, buf);

    if (n == 0) {
        return 0;
    }

    if (mh_rtcp_check(buf, n, false) != 0 || get32(buf + 4) != BOB) {
        return 1;
    }

    return (unsigned) buf[9] << 8 | (buf[8] & 0x1f);
}


static bool
resend(uint32_t ssrc, uint16_t seq, void *arg)
{
    (void) arg;

    if (ssrc == BOB && askedc < 64) {
        asked[askedc++] = seq;
    }

    return seq != kept;
}


/* passes one feedback packet behind an RR; @return what comes out behind */

static unsigned
pass(struct mh_feedback *fb, unsigned to, unsigned fmt, const uint8_t *fci,
    size_t fcilen, uint64_t now, uint8_t *buf, size_t *len)
{
    size_t   n;
    uint8_t  fb_type;

    fb_type = (uint8_t) (fmt >> 8);
    n = mh_rtcp_rr_write(buf, 64, MARY);
    memset(buf + n, 0, 12);
    buf[n] = (uint8_t) (0x80 | (fmt & 0x1f));
    buf[n + 1] = fb_type;
    buf[n + 3] = (uint8_t) (2 + fcilen / 4);
    buf[n + 4] = MARY >> 24;
    buf[n + 5] = (MARY >> 16) & 0xff;
    buf[n + 8] = (uint8_t) (BOB >> 24);
    buf[n + 9] = (BOB >> 16) & 0xff;

    if (fcilen) {
        memcpy(buf + n + 12, fci, fcilen);
    }

    *len = n + 12 + fcilen;

    if (mh_feedback_pass(fb, to, buf, len, 512, now, resend, NULL) != 0
        || mh_rtcp_check(buf, *len, false) != 0)
    {
        return 1;
    }

    return (*len > 8) ? (unsigned) buf[9] << 8 | (buf[8] & 0x1f) : 0;
}


enum {
    NACK = 205 << 8 | 1,
    TMMBR = 205 << 8 | 3,
    TWCC = 205 << 8 | 15,
    PLI = 206 << 8 | 1,
    FIR = 206 << 8 | 4,
    REMB = 206 << 8 | 15
};


static void
test_translation(void)
{
    size_t              len;
    uint8_t             buf[512];
    struct mh_feedback  fb;

    static const uint8_t  fir[8] = { 0x22, 0x22, 0, 0, 9 };

    init(&fb, MH_FEEDBACK_FIR, MH_FEEDBACK_PLI, 0);
    is_int(pass(&fb, IMS, PLI, NULL, 0, 5000, buf, &len), FIR,
           "PLI to a peer that knows FIR");
    ok(len == 28 && get32(buf + 12) == MARY && get32(buf + 20) == BOB
       && buf[24] == 1, "with its source, and a number of its own");
    is_int(pass(&fb, IMS, PLI, NULL, 0, 5400, buf, &len), 0,
           "not another one at once");
    is_int(pass(&fb, IMS, PLI, NULL, 0, 5500, buf, &len), FIR, "but later");
    is_int(buf[24], 2, "with the next number");
    is_int(pass(&fb, IMS, FIR, fir, 8, 6000, buf, &len), FIR, "FIR stays");
    is_int(buf[24], 9, "with its own number");
    is_int(pass(&fb, WEB, FIR, fir, 8, 6000, buf, &len), PLI,
           "FIR to a browser that knows PLI");
    ok(len == 20 && get32(buf + 12) == MARY && get32(buf + 16) == BOB,
       "with its source");
    is_int(pass(&fb, WEB, PLI, NULL, 0, 6000, buf, &len), PLI, "PLI stays");

    init(&fb, 0, MH_FEEDBACK_PLI, 0);
    is_int(pass(&fb, IMS, PLI, NULL, 0, 5000, buf, &len), 0, "AVP: no PLI");
    is_int(len, 8, "the rest passes");
    is_int(pass(&fb, IMS, FIR, fir, 8, 5000, buf, &len), 0, "nor FIR");
    is_int(pass(&fb, IMS, REMB, (const uint8_t *) "REMB\0\0\0\0", 8, 5000,
                buf, &len), 0, "nor REMB");
    is_int(pass(&fb, IMS, TWCC, fir, 8, 5000, buf, &len), 0, "nor twcc");
    is_int(fb.stat.absorbed, 4, "all counted");

    mh_rtcp_pli_write(buf, sizeof(buf), MARY, BOB);
    len = 12;
    ok(mh_feedback_pass(&fb, WEB, buf, &len, 512, 9000, NULL, NULL) == 0
       && len == 20 && mh_rtcp_check(buf, len, false) == 0
       && get32(buf + 4) == MARY, "reduced size gets an RR before it");

    mh_rtcp_pli_write(buf, sizeof(buf), MARY, BOB);
    len = 12;
    ok(mh_feedback_pass(&fb, IMS, buf, &len, 512, 9000, NULL, NULL) == 0
       && len == 0, "nothing is left: nothing is sent");

    mh_rtcp_pli_write(buf, sizeof(buf), MARY, BOB);
    len = 12;
    init(&fb, MH_FEEDBACK_FIR, 0, 0);
    is_int(mh_feedback_pass(&fb, IMS, buf, &len, 20, 9000, NULL, NULL),
           EOVERFLOW, "no room");
}


static void
test_nacks(void)
{
    size_t              len;
    uint8_t             buf[512];
    struct mh_feedback  fb;

    static const uint8_t  fci[8] = { 0xff, 0xfe, 0, 3, 0, 50, 0x80, 0 };

    init(&fb, MH_FEEDBACK_NACK, MH_FEEDBACK_NACK, 0);
    askedc = 0;
    kept = 1;
    is_int(pass(&fb, IMS, NACK, fci, 8, 5000, buf, &len), 0,
           "all is answered");
    ok(askedc == 5 && asked[0] == 65534 && asked[1] == 65535
       && asked[2] == 0 && asked[3] == 50 && asked[4] == 66,
       "what was asked for, over the wrap");

    kept = 66;
    is_int(pass(&fb, IMS, NACK, fci, 8, 5000, buf, &len), NACK,
           "what is not here goes on");
    ok(len == 24 && get32(buf + 20) == 66 << 16, "that and no more");

    fb.can[IMS] = 0;
    is_int(pass(&fb, IMS, NACK, fci, 8, 5000, buf, &len), 0,
           "not to a peer without NACK");
}


static void
test_keys(void)
{
    uint8_t             buf[MH_FEEDBACK_SIZE];
    struct mh_feedback  fb;

    init(&fb, 0, MH_FEEDBACK_PLI, 0);
    ok(video(&fb, WEB, MARY, 1, 1, 1000), "the first packet: due");
    is_int(due(&fb, WEB, 1000, buf), PLI, "a PLI");
    ok(!video(&fb, WEB, MARY, 2, 1, 1010), "then not at once");
    ok(video(&fb, WEB, MARY, 3, 1, 1500), "no key frame: again");
    is_int(due(&fb, WEB, 1500, buf), PLI, "a PLI");
    ok(!video(&fb, WEB, MARY, 4, 7, 1600), "a parameter set comes");
    ok(!video(&fb, WEB, MARY, 5, 1, 9000), "it is done");

    ok(video(&fb, WEB, BOB, 5, 1, 9100), "another source");
    is_int(due(&fb, WEB, 9100, buf), PLI, "another PLI");
    ok(!video(&fb, WEB, BOB, 6, 5, 9110), "an IDR");

    mh_feedback_want(&fb, WEB, 9200);
    ok(!video(&fb, WEB, BOB, 7, 1, 9300), "limited");
    ok(video(&fb, WEB, BOB, 8, 1, 9600), "until later");
    is_int(due(&fb, WEB, 9600, buf), PLI, "then it is sent");

    ok(video(&fb, WEB, BOB, 9, 1, 10100) && due(&fb, WEB, 10100, buf) == PLI
       && video(&fb, WEB, BOB, 10, 1, 10600)
       && due(&fb, WEB, 10600, buf) == PLI
       && !video(&fb, WEB, BOB, 11, 1, 99000), "three times in all");

    init(&fb, MH_FEEDBACK_FIR, 0, 0);
    ok(!video(&fb, WEB, MARY, 1, 1, 1000), "a browser without words");
    ok(video(&fb, IMS, BOB, 1, 1, 1000), "the IMS with FIR");
    is_int(due(&fb, IMS, 1000, buf), FIR, "is asked by FIR");

    init(&fb, 0, 0, 0);
    ok(!video(&fb, IMS, BOB, 1, 1, 1000), "the IMS without words");
}


static void
test_gaps(void)
{
    unsigned            i;
    uint8_t             buf[MH_FEEDBACK_SIZE];
    struct mh_feedback  fb;

    init(&fb, 0, MH_FEEDBACK_NACK | MH_FEEDBACK_PLI, 0);
    (void) video(&fb, WEB, MARY, 65533, 7, 1000);
    (void) due(&fb, WEB, 1000, buf);
    (void) video(&fb, WEB, MARY, 65534, 7, 1001);

    ok(video(&fb, WEB, MARY, 2, 1, 2010), "a gap: due at once");
    is_int(due(&fb, WEB, 2010, buf), NACK, "a NACK");
    ok(get32(buf + 20) == 0xffff0003, "for 65535, 0 and 1");
    ok(!video(&fb, WEB, MARY, 65535, 1, 2015)
       && !video(&fb, WEB, MARY, 3, 1, 2020)
       && !video(&fb, WEB, MARY, 0, 1, 2050), "two come");
    ok(video(&fb, WEB, MARY, 4, 1, 2070), "the other does not");
    is_int(due(&fb, WEB, 2070, buf), NACK, "again");
    ok(get32(buf + 20) == 0x00010000, "for 1");
    (void) due(&fb, WEB, 2130, buf);
    ok(video(&fb, WEB, MARY, 5, 1, 2190), "three times");
    is_int(due(&fb, WEB, 2190, buf), 0, "then no more");
    ok(!video(&fb, WEB, MARY, 6, 1, 2900), "not yet");
    ok(video(&fb, WEB, MARY, 7, 1, 3000), "the peer cannot ask");
    is_int(due(&fb, WEB, 3000, buf), PLI, "we do");
    is_int(fb.stat.nacked, 5, "counted");

    init(&fb, MH_FEEDBACK_NACK, MH_FEEDBACK_NACK, 0);
    (void) video(&fb, WEB, MARY, 1, 7, 1000);
    (void) video(&fb, WEB, MARY, 4, 1, 1010);
    ok(!video(&fb, WEB, MARY, 5, 1, 1050), "a peer that can NACK does so");

    /* a flood of gaps is bounded */

    init(&fb, 0, MH_FEEDBACK_NACK | MH_FEEDBACK_PLI, 0);

    for (i = 0; i < 60000; i++) {
        if (video(&fb, WEB, MARY, (uint16_t) (i * 31), 1, 1000 + i)) {
            (void) due(&fb, WEB, 1000 + i, buf);
        }
    }

    ok(fb.gapc <= MH_FEEDBACK_GAPS && fb.stat.keys <= 60000 / 500 + 1,
       "loss all the time: %u key frames, %u packets asked for",
       (unsigned) fb.stat.keys, (unsigned) fb.stat.nacked);
}


static void
test_rate(void)
{
    uint8_t             buf[MH_FEEDBACK_SIZE];
    struct mh_feedback  fb;

    init(&fb, 0, MH_FEEDBACK_REMB | MH_FEEDBACK_TMMBR, 1000000);
    ok(video(&fb, WEB, MARY, 1, 1, 1000), "due with the first packet");
    is_int(due(&fb, WEB, 1000, buf), REMB, "REMB");
    ok(memcmp(buf + 20, "REMB", 4) == 0 && get32(buf + 28) == MARY
       && ((get32(buf + 24) & 0x3ffff) << (buf[25] >> 2)) == 1000000,
       "of 1 Mbit/s");
    ok(!video(&fb, WEB, MARY, 2, 1, 1900), "once a second");
    ok(video(&fb, WEB, MARY, 3, 1, 2000), "that is, now");

    init(&fb, 0, MH_FEEDBACK_TMMBR, 4000000000u);
    is_int(due(&fb, WEB, 1000, buf), TMMBR, "TMMBR");
    ok(get32(buf + 20) == MARY && (get32(buf + 24) & 0x1ff) == 40,
       "its source and overhead");
    ok(((get32(buf + 24) >> 9 & 0x1ffffull) << (buf[24] >> 2)) > 3999900000u,
       "and rate");

    init(&fb, 0, MH_FEEDBACK_TMMBR, 0);
    is_int(due(&fb, WEB, 1000, buf), 0, "no limit");
    init(&fb, 0, 0, 1000000);
    is_int(due(&fb, WEB, 1000, buf), 0, "no words for it");
}


static void
test_frames(void)
{
    unsigned  i;

    static const struct {
        unsigned  codec;
        uint8_t   p[24];
        size_t    len;
        int       key;
    } c[] = {
        { MH_FEEDBACK_H264, { 0x80, [12] = 0x65 }, 16, 1 },
        { MH_FEEDBACK_H264, { 0x80, [12] = 0x41 }, 16, 0 },
        { MH_FEEDBACK_H264, { 0x80, [12] = 0x78, 0, 2, 0x67 }, 18, 1 },
        { MH_FEEDBACK_H264, { 0x80, [12] = 0x78, 0, 2, 0x41 }, 18, 0 },
        { MH_FEEDBACK_H264, { 0x80, [12] = 0x7c, 0x85 }, 18, 1 },
        { MH_FEEDBACK_H264, { 0x80, [12] = 0x7c, 0x05 }, 18, 0 },
        { MH_FEEDBACK_H264, { 0x90, [12] = 0xbe, 0xde, 0, 1, 0, 0, 0, 0,
                              0x65 }, 24, 1 },
        { MH_FEEDBACK_H264, { 0x90, [12] = 0xbe, 0xde, 0xff, 0xff, 0, 0, 0,
                              0, 0x65 }, 24, 0 },
        { MH_FEEDBACK_H264, { 0x8f, [12] = 0x65 }, 16, 0 },
        { MH_FEEDBACK_H264, { 0x80 }, 12, 0 },
        { MH_FEEDBACK_VP8, { 0x80, [12] = 0x10, 0x00 }, 16, 1 },
        { MH_FEEDBACK_VP8, { 0x80, [12] = 0x10, 0x01 }, 16, 0 },
        { MH_FEEDBACK_VP8, { 0x80, [12] = 0x00, 0x00 }, 16, 0 },
        { MH_FEEDBACK_VP8, { 0x80, [12] = 0x90, 0xf0, 0x80, 1, 2, 3, 0 },
          20, 1 },
        { MH_FEEDBACK_VP8, { 0x80, [12] = 0x90, 0xf0, 0x80, 1, 2, 3, 1 },
          20, 0 },
        { MH_FEEDBACK_VP8, { 0x80, [12] = 0x90, 0xf0, 0x80, 1 }, 16, 0 },
        { MH_FEEDBACK_UNKNOWN, { 0x80, [12] = 0x65 }, 16, 0 }
    };

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        ok(mh_feedback_is_key(c[i].codec, c[i].p, c[i].len) == c[i].key,
           "frame %u", i);
    }
}


static void
test_buffer(void)
{
    size_t           len;
    unsigned         i, n;
    uint8_t          p[1200];
    const uint8_t   *q;
    struct mh_nack  *b;

    b = mh_nack_alloc();
    ok(b != NULL, "a buffer of %u KiB", (unsigned) (mh_nack_size() / 1024));

    memset(p, 0, sizeof(p));
    memcpy(p + 8, "\x22\x22\0\0", 4);

    ok(mh_nack_get(b, 0, 0, 0, 1000, &q, &len) == MH_NACK_GONE,
       "empty at first");

    for (i = 0; i < 400; i++) {
        p[2] = (uint8_t) (i >> 8);
        p[3] = (uint8_t) i;
        memset(p + 12, (int) i, sizeof(p) - 12);
        mh_nack_put(b, p, 1100 + i % 100, 1, 1000 + i);
    }

    for (i = 300, n = 0; i < 400; i++) {
        n += mh_nack_get(b, BOB, (uint16_t) i, 1, 1500, &q, &len)
             == MH_NACK_GIVEN && len == 1100 + i % 100
             && q[3] == (uint8_t) i && q[len - 1] == (uint8_t) i
             && q[12] == (uint8_t) i;
    }

    ok(n > 40 && n < 70, "the last hundred: %u until the credit is spent", n);
    ok(mh_nack_get(b, BOB, 399, 1, 1500, &q, &len) == MH_NACK_HELD,
       "a flood gains nothing");
    ok(mh_nack_get(b, BOB, 20, 1, 1500, &q, &len) == MH_NACK_GONE,
       "old ones are overwritten");

    for (i = 400; i < 500; i++) {
        p[2] = (uint8_t) (i >> 8);
        p[3] = (uint8_t) i;
        mh_nack_put(b, p, sizeof(p), 2, 1600);
    }

    ok(mh_nack_get(b, BOB, 499, 1, 1700, &q, &len) == MH_NACK_GONE,
       "of other keys");
    ok(mh_nack_get(b, MARY, 499, 2, 1700, &q, &len) == MH_NACK_GONE,
       "of another source");
    ok(mh_nack_get(b, BOB, 499, 2, 19000, &q, &len) == MH_NACK_GONE,
       "too late");
    ok(mh_nack_get(b, BOB, 499, 2, 1700, &q, &len) == MH_NACK_GIVEN, "one");
    ok(mh_nack_get(b, BOB, 499, 2, 1705, &q, &len) == MH_NACK_HELD,
       "not at once again");

    for (i = 1; i < MH_NACK_TIMES; i++) {
        ok(mh_nack_get(b, BOB, 499, 2, 1700 + i * 20, &q, &len)
           == MH_NACK_GIVEN, "later");
    }

    ok(mh_nack_get(b, BOB, 499, 2, 1900, &q, &len) == MH_NACK_HELD,
       "but not for ever");

    mh_nack_put(b, p, 11, 1, 1);
    mh_nack_put(b, p, MH_NACK_LONGEST + 1, 1, 1);
    mem_deref(b);
}


int
main(void)
{
    test_translation();
    test_nacks();
    test_keys();
    test_gaps();
    test_rate();
    test_frames();
    test_buffer();

    return done_testing();
}
