
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Splitting a bundle: MID, then SSRC, then payload number (ME-10, RFC 9143
 * 9.2).
 * The streams are stand-ins that note what they get.
 */


#include <stdbool.h>
#include <stdint.h>

#include <re.h>

#include "mh_bundle.h"
#include "mh_rtcp.h"
#include "tap.h"


struct mh_stream {
    uint8_t                pt;
    unsigned               rtp;
    unsigned               rtcp;
    uint8_t                last[512];       /* RTCP */
    size_t                 len;
    struct mh_stream_stat  stat;
};


static struct mh_stream  audio, video;
static struct mh_bundle  bundle;


bool
mh_stream_has_pt(const struct mh_stream *s, uint8_t pt)
{
    return s->pt == pt;
}


void
mh_stream_web_rtp(struct mh_stream *s, uint8_t *buf, size_t len)
{
    (void) buf;
    (void) len;

    s->rtp++;
}


void
mh_stream_web_rtcp(struct mh_stream *s, uint8_t *buf, size_t len)
{
    s->rtcp++;
    s->len = (len > sizeof(s->last)) ? sizeof(s->last) : len;
    memcpy(s->last, buf, s->len);
}


const struct mh_stream_stat *
mh_stream_stat(const struct mh_stream *s)
{
    return &s->stat;
}


static void
begin(struct mh_stream *second)
{
    struct pl  mid;

    memset(&audio, 0, sizeof(audio));
    memset(&video, 0, sizeof(video));
    memset(&bundle, 0, sizeof(bundle));

    audio.pt = 8;
    audio.stat.ssrc[MH_STREAM_IMS] = 0xa0a0;
    video.pt = 102;
    video.stat.ssrc[MH_STREAM_IMS] = 0xb0b0;

    pl_set_str(&mid, "0");
    mh_bundle_set(&bundle, 0, &audio, &mid);
    pl_set_str(&mid, "video");
    mh_bundle_set(&bundle, 1, second, &mid);
    bundle.mid_ext = 4;
}


/* a packet; mid is put in as a one-byte or a two-byte extension */

static void
rtp(uint8_t pt, uint32_t ssrc, const char *mid, bool two, size_t cut)
{
    size_t    n, len;
    uint8_t  *p, *g;

    static uint8_t  buf[64];

    memset(buf, 0, sizeof(buf));

    buf[0] = 0x80;
    buf[1] = pt;
    buf[8] = ssrc >> 24;
    buf[9] = (ssrc >> 16) & 0xff;
    buf[10] = (ssrc >> 8) & 0xff;
    buf[11] = ssrc & 0xff;
    len = 16;

    if (mid != NULL) {
        buf[0] |= 0x10;
        n = strlen(mid);
        p = buf + 12;
        p[0] = two ? 0x10 : 0xbe;
        p[1] = two ? 0x00 : 0xde;
        p[3] = 3;
        p += 4;

        if (two) {
            *p++ = 4;
            *p++ = (uint8_t) n;

        } else {
            *p++ = (uint8_t) (4 << 4 | (n - 1));
        }

        memcpy(p, mid, n);
        len = 12 + 4 + 12 + 4;
    }

    if (cut && cut < len) {
        len = cut;
    }

    g = guarded_copy(buf, len);
    mh_bundle_recv_h(g, len, false, &bundle);
    guarded_free(g, len);
}


static void
rtcp(uint8_t type, uint8_t count, uint32_t sender, uint32_t source)
{
    uint8_t  buf[32];

    memset(buf, 0, sizeof(buf));

    buf[0] = 0x80 | count;
    buf[1] = type;
    buf[3] = 7;
    buf[6] = (sender >> 8) & 0xff;
    buf[7] = sender & 0xff;
    buf[10] = (source >> 8) & 0xff;
    buf[11] = source & 0xff;

    mh_bundle_recv_h(buf, sizeof(buf), true, &bundle);
}


static void
test_one(void)
{
    begin(NULL);

    rtp(77, 1, NULL, false, 0);
    rtcp(201, 1, 5, 6);

    is_int(audio.rtp, 1, "one m-line: RTP needs no look-up");
    is_int(audio.rtcp, 1, "nor does RTCP");
}


static void
test_rtp(void)
{
    begin(&video);

    rtp(8, 1, "video", false, 0);
    is_int(video.rtp, 1, "the MID goes before the payload number");

    rtp(8, 1, NULL, false, 0);
    is_int(video.rtp, 2, "then its SSRC is known without it");

    rtp(102, 2, NULL, false, 0);
    is_int(video.rtp, 3, "an unknown SSRC goes by its number");

    rtp(8, 3, "0", true, 0);
    is_int(audio.rtp, 1, "two-byte extensions are read");

    rtp(8, 1, "0", false, 0);
    is_int(audio.rtp, 2, "a MID moves an SSRC");

    rtp(8, 1, NULL, false, 0);
    is_int(audio.rtp, 3, "for good");

    rtp(99, 4, NULL, false, 0);
    is_int(bundle.lost, 1, "what fits nowhere is lost");

    rtp(99, 4, "other", false, 0);
    is_int(bundle.lost, 2, "and so is a foreign MID");
}


static void
test_rtcp(void)
{
    begin(&video);

    rtp(8, 0x11, NULL, false, 0);
    rtp(102, 0x22, NULL, false, 0);

    rtcp(200, 0, 0x22, 0);
    is_int(video.rtcp, 1, "a sender report by its sender");

    rtcp(201, 1, 0x99, 0xa0a0);
    is_int(audio.rtcp, 1, "a receiver report by what it is about");

    rtcp(206, 1, 0x99, 0xb0b0);
    is_int(video.rtcp, 2, "feedback by its media source");

    rtcp(201, 0, 0x99, 0);
    is_int(bundle.lost, 1, "else it is lost");
}


/* the words that follow a header of two bytes */

static size_t
words(uint8_t *p, unsigned first, unsigned type, unsigned n,
    const uint32_t *w)
{
    unsigned  i;

    p[0] = (uint8_t) first;
    p[1] = (uint8_t) type;
    p[2] = 0;
    p[3] = (uint8_t) n;

    for (i = 0; i < n; i++) {
        p[4 + 4 * i] = (uint8_t) (w[i] >> 24);
        p[5 + 4 * i] = (uint8_t) (w[i] >> 16);
        p[6 + 4 * i] = (uint8_t) (w[i] >> 8);
        p[7 + 4 * i] = (uint8_t) w[i];
    }

    return 4 + 4 * (size_t) n;
}


/*
 * The audio's SR with blocks about both m-lines, an RR of a source that only
 * reports, all their names, a PLI, and the end of both.
 */

static void
test_split(void)
{
    size_t    n, len, cut;
    uint8_t   buf[512], want[512], whole[512];
    unsigned  round;

    static const uint32_t  sr[18] = {
        0x11, 1, 2, 3, 4, 5,
        0xa0a0, 6, 7, 8, 9, 10, 0xb0b0, 16, 17, 18, 19, 20
    };
    static const uint32_t  rr[7] = { 0x33, 0xb0b0, 26, 27, 28, 29, 30 };
    static const uint32_t  names[9] = {
        0x11, 0x01026d61, 0, 0x22, 0x01026d62, 0, 0x33, 0x01026d63, 0
    };
    static const uint32_t  pli[2] = { 0x33, 0xb0b0 };
    static const uint32_t  bye[2] = { 0x11, 0x22 };
    static const uint32_t  video_rr[7] = {
        0x11, 0xb0b0, 16, 17, 18, 19, 20
    };

    n = words(buf, 0x82, 200, 18, sr);
    n += words(buf + n, 0x81, 201, 7, rr);
    n += words(buf + n, 0x83, 202, 9, names);
    n += words(buf + n, 0x81, 206, 2, pli);
    n += words(buf + n, 0x82, 203, 2, bye);
    memcpy(whole, buf, n);

    for (round = 0; round < 2; round++) {
        begin(&video);
        rtp(8, 0x11, NULL, false, 0);
        rtp(102, 0x22, NULL, false, 0);
        mh_bundle_recv_h(buf, n, true, &bundle);

        len = words(want, 0x81, 200, 12, sr);
        len += words(want + len, 0x81, 202, 3, names);
        len += words(want + len, 0x81, 203, 1, bye);
        ok(audio.len == len && memcmp(audio.last, want, len) == 0,
           "the audio's part");

        len = words(want, 0x81, 201, 7, video_rr);
        len += words(want + len, 0x81, 201, 7, rr);
        len += words(want + len, 0x82, 202, 6, names + 3);
        len += words(want + len, 0x81, 206, 2, pli);
        len += words(want + len, 0x81, 203, 1, bye + 1);
        ok(video.len == len && memcmp(video.last, want, len) == 0,
           "the video's part");
        is_int(audio.rtcp + video.rtcp + bundle.lost, 2, "one each");
    }

    for (cut = 1; cut < n; cut++) {
        memcpy(buf, whole, n);
        audio.rtcp = video.rtcp = 0;
        mh_bundle_recv_h(buf, cut, true, &bundle);

        if (mh_rtcp_check(whole, cut, true) != 0
            && audio.rtcp + video.rtcp != 0)
        {
            break;
        }
    }

    is_int(cut, n, "cut anywhere, nothing malformed passes");

    buf[0] = 0x9f;
    audio.rtcp = video.rtcp = 0;
    mh_bundle_recv_h(buf, n, true, &bundle);
    is_int(audio.rtcp + video.rtcp, 0, "nor with more blocks than there are");
}


static void
test_bounds(void)
{
    size_t    i;
    unsigned  n;

    begin(&video);

    for (i = 1; i <= 32; i++) {
        rtp(8, 7, "video", i % 2, i);
    }

    ok(1, "cut at every octet");

    begin(&video);

    for (n = 1; n <= 10 * MH_BUNDLE_SSRCS; n++) {
        rtp(102, n, NULL, false, 0);
    }

    is_int(video.rtp, 10 * MH_BUNDLE_SSRCS, "many SSRCs all get through");
    ok(bundle.known == MH_BUNDLE_SSRCS, "and few are remembered");
}


/*
 * After another answer: browsers no longer send the MID by then, and two
 * m-lines may have the same payload number (RFC 9143 9.2).
 */

static void
test_again(void)
{
    unsigned   n;
    struct pl  mid, none = PL_INIT;

    begin(&video);
    video.pt = 8;

    rtp(8, 1, "0", false, 0);
    rtp(8, 2, "video", false, 0);

    pl_set_str(&mid, "0");
    mh_bundle_set(&bundle, 0, &audio, &mid);
    pl_set_str(&mid, "video");
    mh_bundle_set(&bundle, 1, &video, &mid);

    rtp(8, 1, NULL, false, 0);
    rtp(8, 2, NULL, false, 0);
    is_int(audio.rtp, 2, "the same again: the first SSRC is still its own");
    is_int(video.rtp, 2, "and so is the second");

    pl_set_str(&mid, "other");
    mh_bundle_set(&bundle, 1, &video, &mid);

    rtp(8, 2, NULL, false, 0);
    is_int(audio.rtp, 3, "another MID: what its m-line had is forgotten");
    rtp(8, 2, "other", false, 0);
    rtp(8, 2, NULL, false, 0);
    is_int(video.rtp, 4, "until it is named anew");

    mh_bundle_set(&bundle, 1, NULL, &none);
    mh_bundle_set(&bundle, 1, &video, &mid);
    rtp(8, 2, NULL, false, 0);
    is_int(video.rtp, 4, "out and in again: forgotten, too");

    /* the oldest goes first, also after some were taken out */

    begin(&video);
    video.pt = 8;

    for (n = 1; n <= MH_BUNDLE_SSRCS + 8; n++) {
        rtp(8, n, n % 2 ? "0" : "video", false, 0);
    }

    pl_set_str(&mid, "other");
    mh_bundle_set(&bundle, 0, &audio, &mid);
    is_int(bundle.known, MH_BUNDLE_SSRCS / 2, "half of them are left");

    for (n = 0; n < MH_BUNDLE_SSRCS / 2 + 1; n++) {
        rtp(8, 1000 + n, "other", false, 0);
    }

    is_int(bundle.known, MH_BUNDLE_SSRCS, "and there is room again");
    audio.rtp = video.rtp = 0;
    rtp(8, 10, NULL, false, 0);
    is_int(audio.rtp, 1, "the oldest is gone");
    audio.rtp = video.rtp = 0;
    rtp(8, 14, NULL, false, 0);
    is_int(video.rtp, 1, "the others are not");
}


int
main(void)
{
    test_again();
    test_one();
    test_rtp();
    test_rtcp();
    test_split();
    test_bounds();

    return done_testing();
}
