
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns what is learned about SSRCs of a bundle; a call embeds it.  Only
 * authenticated packets get here, so a stranger cannot fill the table.
 * No timer.
 */


#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_bundle.h"
#include "mh_rtcp.h"


static struct mh_stream *mh_bundle_rtp(struct mh_bundle *b,
    const uint8_t *buf, size_t len);
static struct mh_stream *mh_bundle_rtcp(struct mh_bundle *b,
    const uint8_t *buf, size_t len);
static struct mh_stream *mh_bundle_only(const struct mh_bundle *b);
static int mh_bundle_by_mid(const struct mh_bundle *b, const uint8_t *buf,
    size_t len);
static int mh_bundle_by_ssrc(const struct mh_bundle *b, uint32_t ssrc);
static int mh_bundle_by_source(const struct mh_bundle *b, uint32_t ssrc);
static void mh_bundle_learn(struct mh_bundle *b, uint32_t ssrc, unsigned i);
static uint32_t mh_bundle_u32(const uint8_t *p);


void
mh_bundle_set(struct mh_bundle *b, unsigned i, struct mh_stream *stream,
    const struct pl *mid)
{
    size_t  n;

    b->streams[i] = stream;

    n = (mid->l > MH_BUNDLE_MID) ? MH_BUNDLE_MID : mid->l;

    if (n) {
        memcpy(b->mids[i], mid->p, n);
    }

    b->mids[i][n] = '\0';

    if (b->n <= i) {
        b->n = i + 1;
    }

    b->known = 0;
    b->next = 0;
}


void
mh_bundle_recv_h(uint8_t *buf, size_t len, bool rtcp, void *arg)
{
    struct mh_bundle  *b = arg;
    struct mh_stream  *s;

    s = mh_bundle_only(b);

    if (s == NULL) {
        s = rtcp ? mh_bundle_rtcp(b, buf, len) : mh_bundle_rtp(b, buf, len);
    }

    if (s == NULL) {
        b->lost++;
        return;
    }

    if (rtcp) {
        mh_stream_web_rtcp(s, buf, len);

    } else {
        mh_stream_web_rtp(s, buf, len);
    }
}


/* the usual call has one m-line: nothing to look up */

static struct mh_stream *
mh_bundle_only(const struct mh_bundle *b)
{
    unsigned           i;
    struct mh_stream  *s;

    s = NULL;

    for (i = 0; i < b->n; i++) {

        if (b->streams[i] == NULL) {
            continue;
        }

        if (s != NULL) {
            return NULL;
        }

        s = b->streams[i];
    }

    return s;
}


static struct mh_stream *
mh_bundle_rtp(struct mh_bundle *b, const uint8_t *buf, size_t len)
{
    int       i;
    uint32_t  ssrc;

    if (len < 12) {
        return NULL;
    }

    ssrc = mh_bundle_u32(buf + 8);

    i = mh_bundle_by_mid(b, buf, len);

    if (i == -1) {
        i = mh_bundle_by_ssrc(b, ssrc);

    } else if (mh_bundle_by_ssrc(b, ssrc) != i) {
        mh_bundle_learn(b, ssrc, i);
    }

    if (i != -1) {
        return b->streams[i];
    }

    for (i = 0; i < (int) b->n; i++) {

        if (b->streams[i] != NULL
            && mh_stream_has_pt(b->streams[i], buf[1] & 0x7f))
        {
            mh_bundle_learn(b, ssrc, i);
            return b->streams[i];
        }
    }

    return NULL;
}


/*
 * A compound packet goes as a whole: browsers write one per m-line, at least
 * one per sender.
 */

static struct mh_stream *
mh_bundle_rtcp(struct mh_bundle *b, const uint8_t *buf, size_t len)
{
    int                 i;
    size_t              pos;
    struct mh_rtcp_pkt  pkt;

    pos = 0;

    while (mh_rtcp_next(buf, len, &pos, &pkt) == 0) {

        i = mh_bundle_by_ssrc(b, pkt.ssrc);

        if (i == -1 && pkt.media) {
            i = mh_bundle_by_source(b, pkt.media);
        }

        if (i == -1 && pkt.type == MH_RTCP_RR && pkt.len >= 12) {
            i = mh_bundle_by_source(b, mh_bundle_u32(pkt.p + 8));
        }

        if (i != -1) {
            return b->streams[i];
        }
    }

    return NULL;
}


/* RFC 8285 one-byte and two-byte header extensions */

static int
mh_bundle_by_mid(const struct mh_bundle *b, const uint8_t *buf, size_t len)
{
    bool            two;
    size_t          head, n;
    uint8_t         id;
    unsigned        i;
    const uint8_t  *p, *end;

    head = 12 + 4 * (size_t) (buf[0] & 0x0f);

    if (b->mid_ext == 0 || (buf[0] & 0x10) == 0 || len < head + 4) {
        return -1;
    }

    p = buf + head;
    n = 4 * ((size_t) p[2] << 8 | p[3]);
    two = ((p[0] << 8 | p[1]) & 0xfff0) == 0x1000;

    if (!two && (p[0] != 0xbe || p[1] != 0xde)) {
        return -1;
    }

    if (len - head - 4 < n) {
        return -1;
    }

    p += 4;
    end = p + n;

    while (end - p >= 2) {

        if (*p == 0) {
            p++;
            continue;
        }

        if (two) {
            id = p[0];
            n = p[1];
            p += 2;

        } else {
            id = p[0] >> 4;
            n = (p[0] & 0x0f) + 1;
            p++;
        }

        if (n > (size_t) (end - p)) {
            return -1;
        }

        if (id == b->mid_ext) {

            for (i = 0; i < b->n; i++) {
                if (b->streams[i] != NULL && strlen(b->mids[i]) == n
                    && memcmp(b->mids[i], p, n) == 0)
                {
                    return i;
                }
            }

            return -1;
        }

        p += n;
    }

    return -1;
}


static int
mh_bundle_by_ssrc(const struct mh_bundle *b, uint32_t ssrc)
{
    unsigned  i;

    for (i = 0; i < b->known; i++) {
        if (b->ssrcs[i] == ssrc && b->streams[b->owners[i]] != NULL) {
            return b->owners[i];
        }
    }

    return -1;
}


/* the m-line that this source of the IMS side is sent on */

static int
mh_bundle_by_source(const struct mh_bundle *b, uint32_t ssrc)
{
    unsigned  i;

    for (i = 0; i < b->n; i++) {
        if (b->streams[i] != NULL
            && mh_stream_stat(b->streams[i])->ssrc[MH_STREAM_IMS] == ssrc)
        {
            return i;
        }
    }

    return -1;
}


static void
mh_bundle_learn(struct mh_bundle *b, uint32_t ssrc, unsigned i)
{
    unsigned  k;

    for (k = 0; k < b->known; k++) {
        if (b->ssrcs[k] == ssrc) {
            b->owners[k] = (uint8_t) i;
            return;
        }
    }

    b->ssrcs[b->next] = ssrc;
    b->owners[b->next] = (uint8_t) i;
    b->next = (b->next + 1) % MH_BUNDLE_SSRCS;

    if (b->known < MH_BUNDLE_SSRCS) {
        b->known++;
    }
}


static uint32_t
mh_bundle_u32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}
