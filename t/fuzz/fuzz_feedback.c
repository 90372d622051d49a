/* Copyright (C) the IMS portal authors */


/*
 * Feeds what looks at RTCP and video on its way: the rewriting of feedback,
 * the splitting of a bundled compound, the figures of quality, and the look
 * for key frames.  What comes out of a good compound must be a good one.
 */

/* FUZZ_CFLAGS: -D_GNU_SOURCE -DHAVE_INET6 -I/usr/include/re */
/* FUZZ_LIBS: -lre */


#include <stdlib.h>

#include "../../media-helper/mh_rtcp.c"
#include "../../media-helper/mh_quality.c"
#include "../../media-helper/mh_feedback.c"
#include "../../media-helper/mh_bundle.c"


struct mh_stream {
    uint8_t                pt;
    struct mh_stream_stat  stat;
};


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static struct mh_stream  lines[2];


bool
mh_stream_has_pt(const struct mh_stream *s, uint8_t pt)
{
    return s->pt == pt;
}


void
mh_stream_web_rtp(struct mh_stream *s, uint8_t *buf, size_t len)
{
    (void) s;
    (void) buf;

    if (len < 12) {
        abort();
    }
}


void
mh_stream_web_rtcp(struct mh_stream *s, uint8_t *buf, size_t len)
{
    (void) s;

    if (len > MH_IO_RECV || mh_rtcp_check(buf, len, true) != 0) {
        abort();
    }
}


const struct mh_stream_stat *
mh_stream_stat(const struct mh_stream *s)
{
    return &s->stat;
}


static bool
resend(uint32_t ssrc, uint16_t seq, void *arg)
{
    (void) ssrc;
    (void) arg;

    return seq & 1;
}


static void
split(uint8_t *buf, size_t size, bool rtcp)
{
    struct pl         mid;
    struct mh_bundle  b;

    memset(&b, 0, sizeof(b));
    pl_set_str(&mid, "0");
    lines[0].stat.ssrc[MH_STREAM_IMS] = 0x30303030;
    lines[1].stat.ssrc[MH_STREAM_IMS] = 0x31313131;
    lines[0].pt = 8;
    mh_bundle_set(&b, 0, &lines[0], &mid);
    mh_bundle_set(&b, 1, &lines[1], &mid);
    mh_bundle_learn(&b, 0x41414141, 0);
    mh_bundle_learn(&b, 0x42424242, 1);
    b.mid_ext = 4;
    mh_bundle_recv_h(buf, size, rtcp, &b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 err;
    size_t              len;
    uint8_t            *buf;
    unsigned            can[2], to;
    struct mh_quality   q;
    struct mh_feedback  fb;

    static uint8_t  codecs[2][128];

    if (size < 4 || size > MH_IO_RECV) {
        return 0;
    }

    memset(codecs[0], data[0] % 3, 128);
    memset(codecs[1], data[1] % 3, 128);
    can[0] = data[0] >> 3;
    can[1] = data[1] >> 3;
    data += 2;
    size -= 2;

    memset(&fb, 0, sizeof(fb));
    memset(&q, 0, sizeof(q));
    mh_feedback_set(&fb, can, codecs, data[0], 1000);
    mh_quality_sent(&q, data, size, 1000);

    buf = malloc(MH_IO_ROOM);

    for (to = 0; to < 2; to++) {
        memcpy(buf, data, size);
        len = size;

        if (mh_rtcp_check(buf, len, true) == 0) {
            err = mh_feedback_pass(&fb, to, buf, &len, MH_IO_RECV, 2000,
                                   resend, NULL);

            if (err == 0 && len
                && (len > MH_IO_RECV || mh_rtcp_check(buf, len, false) != 0))
            {
                abort();
            }

            if (err && err != EOVERFLOW) {
                abort();
            }

            mh_quality_heard(&q, data, size, 2000);
        }
    }

    memcpy(buf, data, size);
    split(buf, size, true);

    if (size >= 12) {
        memcpy(buf, data, size);
        split(buf, size, false);

        mh_quality_rtp(&q, data, data[0] & 0x7f, 0, 3000);

        if (mh_feedback_rtp(&fb, 1, data, size, 3000)) {
            len = mh_feedback_write(&fb, 1, 1, 2, 3000, buf);

            if (len && mh_rtcp_check(buf, len, false) != 0) {
                abort();
            }
        }

        (void) mh_feedback_rtp(&fb, 0, data, size, 3000);
    }

    free(buf);

    return 0;
}
