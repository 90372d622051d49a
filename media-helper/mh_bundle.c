
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


/* what one m-line gets of a compound packet */

struct mh_bundle_part {
    uint8_t   *p;
    size_t     len;
    int        line;
    uint32_t   sender;          /* of the last report in it */
};


static void mh_bundle_forget(struct mh_bundle *b, unsigned i);
static struct mh_stream *mh_bundle_rtp(struct mh_bundle *b,
    const uint8_t *buf, size_t len);
static void mh_bundle_rtcp(struct mh_bundle *b, const uint8_t *buf,
    size_t len);
static void mh_bundle_packet(const struct mh_bundle *b,
    struct mh_bundle_part *part, const struct mh_rtcp_pkt *pkt);
static void mh_bundle_report(const struct mh_bundle *b,
    struct mh_bundle_part *part, const struct mh_rtcp_pkt *pkt);
static void mh_bundle_sdes(const struct mh_bundle *b,
    struct mh_bundle_part *part, const struct mh_rtcp_pkt *pkt);
static void mh_bundle_bye(const struct mh_bundle *b,
    struct mh_bundle_part *part, const struct mh_rtcp_pkt *pkt);
static bool mh_bundle_speaks(const struct mh_bundle *b,
    const struct mh_bundle_part *part, uint32_t ssrc);
static void mh_bundle_put(struct mh_bundle_part *part, const uint8_t *p,
    size_t len);
static struct mh_stream *mh_bundle_only(const struct mh_bundle *b);
static int mh_bundle_by_mid(const struct mh_bundle *b, const uint8_t *buf,
    size_t len);
static int mh_bundle_named(const struct mh_bundle *b, const uint8_t *mid,
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

    n = (mid->l > MH_BUNDLE_MID) ? MH_BUNDLE_MID : mid->l;

    if (i < b->n && b->streams[i] == stream && strlen(b->mids[i]) == n
        && (n == 0 || memcmp(b->mids[i], mid->p, n) == 0))
    {
        return;
    }

    mh_bundle_forget(b, i);

    b->streams[i] = stream;

    if (n) {
        memcpy(b->mids[i], mid->p, n);
    }

    b->mids[i][n] = '\0';

    if (b->n <= i) {
        b->n = i + 1;
    }
}


/* what is left stays in its order, the oldest first */

static void
mh_bundle_forget(struct mh_bundle *b, unsigned i)
{
    unsigned  j, k, first, n;
    uint8_t   owners[MH_BUNDLE_SSRCS];
    uint32_t  ssrcs[MH_BUNDLE_SSRCS];

    first = (b->known == MH_BUNDLE_SSRCS) ? b->next : 0;
    n = 0;

    for (j = 0; j < b->known; j++) {
        k = (first + j) % MH_BUNDLE_SSRCS;

        if (b->owners[k] != i) {
            ssrcs[n] = b->ssrcs[k];
            owners[n++] = b->owners[k];
        }
    }

    memcpy(b->ssrcs, ssrcs, n * sizeof(ssrcs[0]));
    memcpy(b->owners, owners, n * sizeof(owners[0]));

    b->known = n;
    b->next = n % MH_BUNDLE_SSRCS;
}


void
mh_bundle_recv_h(uint8_t *buf, size_t len, bool rtcp, void *arg)
{
    struct mh_bundle  *b = arg;
    struct mh_stream  *s;

    s = mh_bundle_only(b);

    if (s == NULL && rtcp) {
        mh_bundle_rtcp(b, buf, len);
        return;
    }

    if (s == NULL) {
        s = mh_bundle_rtp(b, buf, len);
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
 * A compound packet may speak of several m-lines: each gets its part of it,
 * down to report blocks and chunks.
 */

static void
mh_bundle_rtcp(struct mh_bundle *b, const uint8_t *buf, size_t len)
{
    bool                   any;
    size_t                 pos;
    uint8_t                out[MH_IO_ROOM];
    unsigned               i;
    struct mh_rtcp_pkt     pkt;
    struct mh_bundle_part  part;

    if (len > MH_IO_RECV || mh_rtcp_check(buf, len, true) != 0) {
        b->lost++;
        return;
    }

    any = false;

    for (i = 0; i < b->n; i++) {

        if (b->streams[i] == NULL) {
            continue;
        }

        part.p = out;
        part.len = 0;
        part.line = (int) i;
        part.sender = 0;
        pos = 0;

        while (mh_rtcp_next(buf, len, &pos, &pkt) == 0) {
            mh_bundle_packet(b, &part, &pkt);
        }

        if (part.len) {
            any = true;
            mh_stream_web_rtcp(b->streams[i], out, part.len);
        }
    }

    if (!any) {
        b->lost++;
    }
}


static void
mh_bundle_packet(const struct mh_bundle *b, struct mh_bundle_part *part,
    const struct mh_rtcp_pkt *pkt)
{
    int  i;

    switch (pkt->type) {

    case MH_RTCP_SR:
    case MH_RTCP_RR:
        mh_bundle_report(b, part, pkt);
        return;

    case MH_RTCP_SDES:
        mh_bundle_sdes(b, part, pkt);
        return;

    case MH_RTCP_BYE:
        mh_bundle_bye(b, part, pkt);
        return;

    case MH_RTCP_RTPFB:
    case MH_RTCP_PSFB:

        /* FIR names its source in its entry (RFC 5104 4.3.1.2) */

        i = mh_bundle_by_source(b, (pkt->media == 0 && pkt->len >= 16)
                                   ? mh_bundle_u32(pkt->p + 12)
                                   : pkt->media);
        if (i == -1) {
            i = mh_bundle_by_ssrc(b, pkt->ssrc);
        }

        if (i == part->line) {
            mh_bundle_put(part, pkt->p, pkt->len);
        }

        return;

    case MH_RTCP_APP:

        if (mh_bundle_speaks(b, part, pkt->ssrc)) {
            mh_bundle_put(part, pkt->p, pkt->len);
        }

        return;
    }
}


/*
 * A report with those blocks that are about the m-line.  An SR belongs to
 * the m-line of its sender; what it says of others goes there in an RR.
 */

static void
mh_bundle_report(const struct mh_bundle *b, struct mh_bundle_part *part,
    const struct mh_rtcp_pkt *pkt)
{
    int       owner, about;
    size_t    head, from, n;
    uint8_t  *p;
    unsigned  i, count;

    owner = mh_bundle_by_ssrc(b, pkt->ssrc);
    from = (pkt->type == MH_RTCP_SR) ? 28 : 8;
    head = (owner == part->line) ? from : 8;

    p = part->p + part->len;
    n = head;
    count = 0;

    for (i = 0; i < pkt->count; i++, from += 24) {
        about = mh_bundle_by_source(b, mh_bundle_u32(pkt->p + from));

        if (about == part->line || (about == -1 && owner == part->line)) {
            memcpy(p + n, pkt->p + from, 24);
            n += 24;
            count++;
        }
    }

    if (count == 0 && owner != part->line) {
        return;
    }

    memcpy(p, pkt->p, head);
    p[0] = (uint8_t) (0x80 | count);
    p[1] = (head == 28) ? MH_RTCP_SR : MH_RTCP_RR;
    p[2] = 0;
    p[3] = (uint8_t) (n / 4 - 1);

    part->len += n;
    part->sender = pkt->ssrc;
}


static void
mh_bundle_sdes(const struct mh_bundle *b, struct mh_bundle_part *part,
    const struct mh_rtcp_pkt *pkt)
{
    size_t    off, end, last, n;
    uint8_t  *p;
    unsigned  i, count;

    p = part->p + part->len;
    last = pkt->len - ((pkt->p[0] & 0x20) ? pkt->p[pkt->len - 1] : 0);
    n = 4;
    count = 0;

    for (i = 0, off = 4; i < pkt->count && off + 8 <= last; i++, off = end) {
        end = off + 4;

        while (end + 2 <= last && pkt->p[end] != 0) {
            end += 2 + (size_t) pkt->p[end + 1];
        }

        end = (end + 4) & ~(size_t) 3;

        if (end > last) {
            break;
        }

        if (mh_bundle_speaks(b, part, mh_bundle_u32(pkt->p + off))) {
            memcpy(p + n, pkt->p + off, end - off);
            n += end - off;
            count++;
        }
    }

    if (count) {
        p[0] = (uint8_t) (0x80 | count);
        p[1] = MH_RTCP_SDES;
        p[2] = (uint8_t) ((n / 4 - 1) >> 8);
        p[3] = (uint8_t) (n / 4 - 1);
        part->len += n;
    }
}


/* the reason stays behind */

static void
mh_bundle_bye(const struct mh_bundle *b, struct mh_bundle_part *part,
    const struct mh_rtcp_pkt *pkt)
{
    size_t    n;
    uint8_t  *p;
    unsigned  i;

    p = part->p + part->len;
    n = 4;

    for (i = 0; i < pkt->count; i++) {

        if (mh_bundle_speaks(b, part, mh_bundle_u32(pkt->p + 4 + 4 * i))) {
            memcpy(p + n, pkt->p + 4 + 4 * i, 4);
            n += 4;
        }
    }

    if (n > 4) {
        p[0] = (uint8_t) (0x80 | (n / 4 - 1));
        p[1] = MH_RTCP_BYE;
        p[2] = 0;
        p[3] = (uint8_t) (n / 4 - 1);
        part->len += n;
    }
}


/*
 * Whether a source of the browser's is one of this m-line's; one that sends
 * no media, only reports, is where its reports are.
 */

static bool
mh_bundle_speaks(const struct mh_bundle *b,
    const struct mh_bundle_part *part, uint32_t ssrc)
{
    int  i;

    i = mh_bundle_by_ssrc(b, ssrc);

    return i == part->line
           || (i == -1 && part->len && ssrc == part->sender);
}


/* a part is never longer than the whole */

static void
mh_bundle_put(struct mh_bundle_part *part, const uint8_t *p, size_t len)
{
    memcpy(part->p + part->len, p, len);
    part->len += len;
}


/* RFC 8285 one-byte and two-byte header extensions */

static int
mh_bundle_by_mid(const struct mh_bundle *b, const uint8_t *buf, size_t len)
{
    bool            two;
    size_t          head, n;
    uint8_t         id;
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
            return mh_bundle_named(b, p, n);
        }

        p += n;
    }

    return -1;
}


static int
mh_bundle_named(const struct mh_bundle *b, const uint8_t *mid, size_t len)
{
    unsigned  i;

    for (i = 0; i < b->n; i++) {
        if (b->streams[i] != NULL && strlen(b->mids[i]) == len
            && memcmp(b->mids[i], mid, len) == 0)
        {
            return i;
        }
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
