
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Tones in the place of speech: what becomes of each packet of a stream, by
 * RFC 4733 2.
 */


#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <re.h>

#include "tap.h"
#include "mh_dtmf.h"


static uint8_t   p[64];
static size_t    len;
static uint32_t  ts;
static uint16_t  seq = 0x1234;
static unsigned  ms = 20;


/* a packet of speech; true if it became one of a tone */

static int
speech(struct mh_dtmf *d, unsigned khz, uint32_t ssrc)
{
    memset(p, 0x55, sizeof(p));

    p[0] = 0x80;
    p[1] = 8;
    p[2] = (uint8_t) (++seq >> 8);
    p[3] = (uint8_t) seq;
    p[4] = (uint8_t) (ts >> 24);
    p[5] = (uint8_t) (ts >> 16);
    p[6] = (uint8_t) (ts >> 8);
    p[7] = (uint8_t) ts;
    p[8] = p[9] = p[10] = 0;
    p[11] = (uint8_t) ssrc;
    len = 60;

    mh_dtmf_packet(d, p, &len, khz, 1000);
    ts += ms * khz;

    return len == MH_DTMF_PACKET && (p[1] & 0x7f) >= 101;
}


static int
tone(unsigned marker, unsigned pt, uint32_t start, unsigned code,
    unsigned end, unsigned volume, unsigned duration)
{
    uint32_t  got;

    got = (uint32_t) p[4] << 24 | (uint32_t) p[5] << 16
          | (uint32_t) p[6] << 8 | p[7];

    return p[0] == 0x80 && p[1] == (marker << 7 | pt)
           && (p[2] << 8 | p[3]) == seq && got == start && p[12] == code
           && p[13] == (end << 7 | volume)
           && (unsigned) (p[14] << 8 | p[15]) == duration;
}


static struct mh_dtmf *
queue(void)
{
    struct mh_dtmf  *d;

    static const uint8_t  pt[MH_DTMF_CLOCKS] = { 101, 0xff, 110 };

    if (mh_dtmf_alloc(&d) != 0) {
        return NULL;
    }

    mh_dtmf_numbers(d, pt);

    return d;
}


static void
test_one(void)
{
    unsigned         i;
    uint32_t         start;
    struct mh_dtmf  *d;

    static const struct mh_dtmf_event  event = { 11, 10, 100, 100 };

    d = queue();
    ts = 0xffffff00;

    ok(!speech(d, 8, 1) && len == 60 && p[1] == 8, "nothing to play");
    is_int(mh_dtmf_add(d, &event, 1000), 0, "a tone");
    ok(!speech(d, 0, 1), "it waits for speech");
    ok(!speech(d, 16, 1), "of a clock that has a number");

    start = ts;
    ok(speech(d, 8, 1) && tone(1, 101, start, 11, 0, 10, 160),
       "the first packet has the marker");

    for (i = 2; i < 5; i++) {
        ok(speech(d, 8, 1) && tone(0, 101, start, 11, 0, 10, i * 160),
           "it grows, over the wrap of the timestamps");
    }

    for (i = 0; i < 3; i++) {
        ok(speech(d, 8, 1) && tone(0, 101, start, 11, 1, 10, 800),
           "the last packet, three times");
    }

    ok(!speech(d, 8, 1) && len == 60, "then speech");

    mem_deref(d);
}


static void
test_two(void)
{
    unsigned         i;
    uint32_t         start;
    struct mh_dtmf  *d;

    static const struct mh_dtmf_event  event = { 1, 8, 100, 200 };

    d = queue();
    ts = 8000;
    start = ts;

    ok(mh_dtmf_add(d, &event, 1000) == 0 && mh_dtmf_add(d, &event, 1000) == 0,
       "two tones");

    for (i = 0; speech(d, 8, 1) && i < 100; i++) {
        /* void */
    }

    is_int(i, 7, "the first one");

    for (i = 1; !speech(d, 8, 1) && i < 100; i++) {
        /* void */
    }

    ok(tone(1, 101, start + 2400, 1, 0, 8, 160),
       "the second one begins 200 ms after its end");
    is_int(i, 8, "and there was speech meanwhile");

    ok(speech(d, 8, 2) && tone(1, 101, ts - 160, 1, 0, 8, 160),
       "another source: it begins again");

    ts -= 320;
    ok(!speech(d, 8, 2), "what was said before the tone passes");

    mem_deref(d);
}


/* longer than 16 bits of a clock of 48 kHz (2.5.1.3) */

static void
test_long(unsigned ptime, unsigned packets)
{
    unsigned         i, segments, ends, short_of;
    uint32_t         start, total;
    struct mh_dtmf  *d;

    static const struct mh_dtmf_event  event = { 15, 0, 5000, 0 };

    d = queue();
    ms = ptime;
    ts = 48000;
    (void) speech(d, 48, 1);
    (void) speech(d, 48, 1);
    start = ts;
    (void) mh_dtmf_add(d, &event, 1000);
    segments = ends = short_of = total = 0;

    for (i = 0; speech(d, 48, 1) && i < 2000; i++) {
        segments += (p[14] == 0xff && p[15] == 0xff);
        ends += (p[13] >> 7);
        total = ((uint32_t) p[4] << 24 | (uint32_t) p[5] << 16
                 | (uint32_t) p[6] << 8 | p[7])
                + (uint32_t) (p[14] << 8 | p[15]) - start;

        /* it tells the time up to the end of the packet, or of a segment */

        short_of += (total < (i + 1) * ms * 48 && total < 240000
                     && !(p[14] == 0xff && p[15] == 0xff));
    }

    printf("# packets of %u ms\n", ptime);
    is_int(i, packets, "5 seconds and two repeats");
    is_int(short_of, 0, "each tells how long it was so far");
    is_int(segments, 3, "in segments");
    is_int(ends, 3, "one end");
    is_int(total, 240000, "and the length is right");

    mem_deref(d);
    ms = 20;
}


/* what comes twice, or too late, is of the tone all the same */

static void
test_late(void)
{
    unsigned         i;
    uint32_t         start;
    struct mh_dtmf  *d;

    static const struct mh_dtmf_event  event = { 15, 0, 5000, 0 };

    d = queue();
    ts = 48000;
    start = ts;
    (void) mh_dtmf_add(d, &event, 1000);

    for (i = 0; speech(d, 48, 1) && !(p[14] == 0xff && p[15] == 0xff)
                && i < 500; i++)
    {
        /* void */
    }

    ok(tone(0, 110, start, 15, 0, 0, 0xffff), "a segment is complete");

    ts -= 20 * 48;
    seq--;
    ok(speech(d, 48, 1) && tone(0, 110, start, 15, 0, 0, 0xffff),
       "its last packet once more tells that once more");
    ok(speech(d, 48, 1) && tone(0, 110, start + 0xffff, 15, 0, 0,
                                ts - start - 0xffff),
       "then the next one goes on");

    mem_deref(d);
}


static void
test_limits(void)
{
    unsigned         i;
    struct mh_dtmf  *d;

    static const struct mh_dtmf_event  event = { 1, 8, 100, 100 };

    d = queue();

    for (i = 0; i < MH_DTMF_QUEUE; i++) {
        if (mh_dtmf_add(d, &event, 1000 + i) != 0) {
            break;
        }
    }

    is_int(i, MH_DTMF_QUEUE, "as many as there is room for");
    is_int(mh_dtmf_add(d, &event, 1000), ENOSPC, "no more");

    ts = 1;
    len = 60;
    memset(p, 0, sizeof(p));
    mh_dtmf_packet(d, p, &len, 8, 1000 + MH_DTMF_WAIT_MS * 10);
    is_int(len, 60, "what could not begin in time is not played");
    is_int(mh_dtmf_add(d, &event, 1000), 0, "and makes room");

    mem_deref(d);
}


int
main(void)
{
    test_one();
    test_two();
    test_long(20, 252);
    test_long(10, 502);
    test_long(5, 1002);
    test_long(40, 127);
    test_long(60, 86);
    test_late();
    test_limits();

    return done_testing();
}
