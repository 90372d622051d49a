
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns what was asked of each leg, and when.  No timer.
 */


#include <errno.h>
#include <string.h>

#include "mh_feedback.h"
#include "mh_rtcp.h"


enum {
    MH_FEEDBACK_IMS = 0,        /* as enum mh_stream_leg */
    MH_FEEDBACK_WEB = 1,
    MH_FEEDBACK_ROOM = 2048,    /* a compound packet on its way */
    MH_FEEDBACK_STEP = 3000     /* a larger jump is no loss */
};


/* a compound packet that is being written */

struct mh_feedback_out {
    uint8_t  *p;
    size_t    len;
    size_t    size;
};


static void mh_feedback_schedule(struct mh_feedback *fb);
static void mh_feedback_gap_note(struct mh_feedback *fb, uint16_t seq,
    uint64_t now);
static void mh_feedback_gap_fill(struct mh_feedback *fb, uint16_t seq);
static void mh_feedback_gap_lost(struct mh_feedback *fb, uint64_t now);
static size_t mh_feedback_write_key(struct mh_feedback *fb, unsigned to,
    uint32_t sender, uint32_t media, uint64_t now, uint8_t *buf, size_t size);
static size_t mh_feedback_write_gaps(struct mh_feedback *fb, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf, size_t size);
static size_t mh_feedback_write_rate(struct mh_feedback *fb, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf, size_t size);
static int mh_feedback_packet(struct mh_feedback *fb, unsigned to,
    const struct mh_rtcp_pkt *pkt, struct mh_feedback_out *out,
    uint64_t now, mh_feedback_resend_h *resend, void *arg);
static int mh_feedback_put(struct mh_feedback_out *out, const uint8_t *p,
    size_t len);
static int mh_feedback_key(struct mh_feedback *fb, unsigned to,
    const struct mh_rtcp_pkt *pkt, struct mh_feedback_out *out,
    uint64_t now);
static int mh_feedback_nack(struct mh_feedback *fb, unsigned to,
    const struct mh_rtcp_pkt *pkt, struct mh_feedback_out *out,
    mh_feedback_resend_h *resend, void *arg);
static bool mh_feedback_h264(const uint8_t *p, size_t len);
static bool mh_feedback_vp8(const uint8_t *p, size_t len);
static uint32_t mh_feedback_u32(const uint8_t *p);


void
mh_feedback_set(struct mh_feedback *fb, const unsigned can[2],
    const uint8_t codecs[2][128], uint32_t cap, uint64_t now)
{
    fb->can[0] = can[0];
    fb->can[1] = can[1];
    fb->cap = cap;
    fb->gapc = 0;
    fb->rate_due = cap ? now : 0;

    memcpy(fb->codecs, codecs, sizeof(fb->codecs));

    mh_feedback_want(fb, MH_FEEDBACK_IMS, now);
    mh_feedback_want(fb, MH_FEEDBACK_WEB, now);
}


void
mh_feedback_want(struct mh_feedback *fb, unsigned from, uint64_t now)
{
    struct mh_feedback_key  *key;

    key = &fb->key[from];

    if (fb->can[from] & (MH_FEEDBACK_PLI | MH_FEEDBACK_FIR)) {
        key->tries = MH_FEEDBACK_TRIES;

        if (key->due == 0) {
            key->due = (key->asked && now < key->asked + MH_FEEDBACK_PAUSE)
                       ? key->asked + MH_FEEDBACK_PAUSE : now;
        }

    } else {
        key->due = 0;
    }

    mh_feedback_schedule(fb);
}


bool
mh_feedback_rtp(struct mh_feedback *fb, unsigned from, const uint8_t *p,
    size_t len, uint64_t now)
{
    uint16_t                 seq, step;
    uint32_t                 ssrc;
    struct mh_feedback_key  *key;

    key = &fb->key[from];

    /* before the first request a key frame may have met nobody */

    if (key->due && key->tries < MH_FEEDBACK_TRIES
        && mh_feedback_is_key(fb->codecs[from][p[1] & 0x7f], p, len))
    {
        key->due = 0;
        mh_feedback_schedule(fb);
    }

    if (from == MH_FEEDBACK_IMS) {
        return key->due && now >= key->due;
    }

    ssrc = mh_feedback_u32(p + 8);
    seq = (uint16_t) (p[2] << 8 | p[3]);

    if (!fb->any || ssrc != fb->ssrc) {

        if (fb->any) {
            mh_feedback_want(fb, from, now);
        }

        fb->any = true;
        fb->ssrc = ssrc;
        fb->top = seq;
        fb->gapc = 0;

        return now >= fb->next;
    }

    step = (uint16_t) (seq - fb->top);

    if (step == 1) {
        fb->top = seq;

    } else if (step != 0 && step < MH_FEEDBACK_STEP) {
        mh_feedback_gap_note(fb, seq, now);
        fb->top = seq;

    } else if (step > (uint16_t) -MH_FEEDBACK_STEP) {
        mh_feedback_gap_fill(fb, seq);

    } else if (step != 0) {
        fb->top = seq;
        fb->gapc = 0;
    }

    return now >= fb->next;
}


/* fb->next, for the one comparison that most packets cost */

static void
mh_feedback_schedule(struct mh_feedback *fb)
{
    unsigned  i;

    fb->next = UINT64_MAX;

    if (fb->key[MH_FEEDBACK_WEB].due) {
        fb->next = fb->key[MH_FEEDBACK_WEB].due;
    }

    if (fb->rate_due && fb->rate_due < fb->next) {
        fb->next = fb->rate_due;
    }

    for (i = 0; i < fb->gapc; i++) {
        if (fb->gaps[i].due < fb->next) {
            fb->next = fb->gaps[i].due;
        }
    }
}


/*
 * Packets between the highest and this one are missing.  They are asked for
 * at once: if they were only late, they come twice, and SRTP drops that.  An
 * IMS peer that can NACK asks itself.
 */

static void
mh_feedback_gap_note(struct mh_feedback *fb, uint16_t seq, uint64_t now)
{
    uint16_t                 lost;
    struct mh_feedback_gap  *gap;

    if (fb->can[MH_FEEDBACK_IMS] & MH_FEEDBACK_NACK) {
        return;
    }

    if ((fb->can[MH_FEEDBACK_WEB] & MH_FEEDBACK_NACK) == 0
        || fb->gapc + (uint16_t) (seq - fb->top - 1) > MH_FEEDBACK_GAPS)
    {
        mh_feedback_gap_lost(fb, now);
        return;
    }

    for (lost = (uint16_t) (fb->top + 1); lost != seq; lost++) {
        gap = &fb->gaps[fb->gapc++];

        gap->seq = lost;
        gap->tries = MH_FEEDBACK_GAP_TRIES;
        gap->due = now;
    }

    fb->next = now;
}


static void
mh_feedback_gap_fill(struct mh_feedback *fb, uint16_t seq)
{
    unsigned  i;

    for (i = 0; i < fb->gapc; i++) {

        if (fb->gaps[i].seq == seq) {
            fb->gapc--;
            memmove(&fb->gaps[i], &fb->gaps[i + 1],
                    (fb->gapc - i) * sizeof(fb->gaps[0]));
            mh_feedback_schedule(fb);
            return;
        }
    }
}


/* the picture stays broken: who cannot ask for a new one is helped */

static void
mh_feedback_gap_lost(struct mh_feedback *fb, uint64_t now)
{
    bool                     due;
    struct mh_feedback_key  *key;

    fb->gapc = 0;
    key = &fb->key[MH_FEEDBACK_WEB];
    due = (key->due != 0);

    if ((fb->can[MH_FEEDBACK_IMS] & (MH_FEEDBACK_PLI | MH_FEEDBACK_FIR))
        == 0)
    {
        mh_feedback_want(fb, MH_FEEDBACK_WEB, now);

        /* key frames are large: where packets get lost, not too many */

        if (!due && key->due && key->asked
            && key->due < key->asked + MH_FEEDBACK_LOSS_PAUSE)
        {
            key->due = key->asked + MH_FEEDBACK_LOSS_PAUSE;
        }
    }

    mh_feedback_schedule(fb);
}


size_t
mh_feedback_write(struct mh_feedback *fb, unsigned to, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf)
{
    size_t  n, empty;

    empty = mh_rtcp_rr_write(buf, MH_FEEDBACK_SIZE, sender);
    n = empty;

    n += mh_feedback_write_key(fb, to, sender, media, now, buf + n,
                               MH_FEEDBACK_SIZE - n);

    if (to == MH_FEEDBACK_WEB) {
        n += mh_feedback_write_gaps(fb, sender, media, now, buf + n,
                                    MH_FEEDBACK_SIZE - n);
        n += mh_feedback_write_rate(fb, sender, media, now, buf + n,
                                    MH_FEEDBACK_SIZE - n);
    }

    mh_feedback_schedule(fb);

    return (n == empty) ? 0 : n;
}


static size_t
mh_feedback_write_key(struct mh_feedback *fb, unsigned to, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf, size_t size)
{
    struct mh_feedback_key  *key;

    key = &fb->key[to];

    if (key->due == 0 || now < key->due) {
        return 0;
    }

    key->tries--;
    key->asked = now;
    key->due = key->tries ? now + MH_FEEDBACK_PAUSE : 0;
    fb->stat.keys++;

    return (fb->can[to] & MH_FEEDBACK_PLI)
           ? mh_rtcp_pli_write(buf, size, sender, media)
           : mh_rtcp_fir_write(buf, size, sender, media, ++key->seq);
}


/* those that are due, in order; an entry covers 17 numbers */

static size_t
mh_feedback_write_gaps(struct mh_feedback *fb, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf, size_t size)
{
    bool                     lost;
    size_t                   n;
    unsigned                 i;
    struct mh_feedback_gap  *gap;
    struct mh_rtcp_nack      nack;

    mh_rtcp_nack_init(&nack, buf, size, sender, media);
    lost = false;

    for (i = 0; i < fb->gapc; i++) {
        gap = &fb->gaps[i];

        if (now < gap->due) {
            continue;
        }

        if (gap->tries == 0) {
            lost = true;
            continue;
        }

        gap->tries--;
        gap->due = now + MH_FEEDBACK_GAP_PAUSE;
        mh_rtcp_nack_add(&nack, gap->seq);
        fb->stat.nacked++;
    }

    n = mh_rtcp_nack_end(&nack);

    if (lost) {
        mh_feedback_gap_lost(fb, now);
    }

    return n;
}


static size_t
mh_feedback_write_rate(struct mh_feedback *fb, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf, size_t size)
{
    if (fb->rate_due == 0 || now < fb->rate_due) {
        return 0;
    }

    if (fb->can[MH_FEEDBACK_WEB] & MH_FEEDBACK_REMB) {
        fb->rate_due = now + MH_FEEDBACK_RATE_PERIOD;
        return mh_rtcp_remb_write(buf, size, sender, media, fb->cap);
    }

    if (fb->can[MH_FEEDBACK_WEB] & MH_FEEDBACK_TMMBR) {
        fb->rate_due = now + MH_FEEDBACK_RATE_PERIOD;
        return mh_rtcp_tmmbr_write(buf, size, sender, media, fb->cap);
    }

    fb->rate_due = 0;

    return 0;
}


int
mh_feedback_pass(struct mh_feedback *fb, unsigned to, uint8_t *p,
    size_t *len, size_t size, uint64_t now, mh_feedback_resend_h *resend,
    void *arg)
{
    int                     err;
    size_t                  pos;
    uint8_t                 buf[MH_FEEDBACK_ROOM];
    uint32_t                sender;
    struct mh_rtcp_pkt      pkt;
    struct mh_feedback_out  out;

    /* room for an RR, should feedback come first (RFC 4585 3.1) */

    out.p = buf + MH_RTCP_RR_SIZE;
    out.len = 0;
    out.size = (size < sizeof(buf) ? size : sizeof(buf)) - MH_RTCP_RR_SIZE;

    sender = 0;
    pos = 0;

    while ((err = mh_rtcp_next(p, *len, &pos, &pkt)) == 0) {

        if (pkt.p == p) {
            sender = pkt.ssrc;
        }

        err = mh_feedback_packet(fb, to, &pkt, &out, now, resend, arg);
        if (err) {
            return err;
        }
    }

    if (err != ENOENT) {
        return err;
    }

    if (out.len && out.p[1] != MH_RTCP_SR && out.p[1] != MH_RTCP_RR) {
        out.p = buf;
        out.len += mh_rtcp_rr_write(buf, MH_RTCP_RR_SIZE, sender);
    }

    memcpy(p, out.p, out.len);
    *len = out.len;

    return 0;
}


static int
mh_feedback_packet(struct mh_feedback *fb, unsigned to,
    const struct mh_rtcp_pkt *pkt, struct mh_feedback_out *out,
    uint64_t now, mh_feedback_resend_h *resend, void *arg)
{
    switch (pkt->type) {

    case MH_RTCP_SR:
    case MH_RTCP_RR:
    case MH_RTCP_SDES:
    case MH_RTCP_BYE:
    case MH_RTCP_APP:
        return mh_feedback_put(out, pkt->p, pkt->len);

    case MH_RTCP_RTPFB:

        if (pkt->count == MH_RTCP_FMT_NACK) {
            return mh_feedback_nack(fb, to, pkt, out, resend, arg);
        }

        break;

    case MH_RTCP_PSFB:

        if (pkt->count == MH_RTCP_FMT_PLI
            || (pkt->count == MH_RTCP_FMT_FIR
                && pkt->len >= MH_RTCP_FIR_SIZE))
        {
            return mh_feedback_key(fb, to, pkt, out, now);
        }
    }

    fb->stat.absorbed++;

    return 0;
}


static int
mh_feedback_put(struct mh_feedback_out *out, const uint8_t *p, size_t len)
{
    if (len > out->size - out->len) {
        return EOVERFLOW;
    }

    memcpy(out->p + out->len, p, len);
    out->len += len;

    return 0;
}


/* a request for a key frame, in the words of the leg (RFC 5104 4.3.1) */

static int
mh_feedback_key(struct mh_feedback *fb, unsigned to,
    const struct mh_rtcp_pkt *pkt, struct mh_feedback_out *out,
    uint64_t now)
{
    size_t                   n;
    uint8_t                  buf[MH_RTCP_FIR_SIZE];
    uint32_t                 media;
    unsigned                 same;
    struct mh_feedback_key  *key;

    key = &fb->key[to];
    same = (pkt->count == MH_RTCP_FMT_PLI) ? MH_FEEDBACK_PLI
                                           : MH_FEEDBACK_FIR;

    if (fb->can[to] & same) {
        key->asked = now;
        return mh_feedback_put(out, pkt->p, pkt->len);
    }

    if ((fb->can[to] & (MH_FEEDBACK_PLI | MH_FEEDBACK_FIR)) == 0
        || (key->asked && now < key->asked + MH_FEEDBACK_PAUSE))
    {
        fb->stat.absorbed++;
        return 0;
    }

    key->asked = now;
    fb->stat.translated++;

    media = (same == MH_FEEDBACK_PLI) ? pkt->media
                                      : mh_feedback_u32(pkt->p + 12);

    n = (same == MH_FEEDBACK_PLI)
        ? mh_rtcp_fir_write(buf, sizeof(buf), pkt->ssrc, media, ++key->seq)
        : mh_rtcp_pli_write(buf, sizeof(buf), pkt->ssrc, media);

    return mh_feedback_put(out, buf, n);
}


static int
mh_feedback_nack(struct mh_feedback *fb, unsigned to,
    const struct mh_rtcp_pkt *pkt, struct mh_feedback_out *out,
    mh_feedback_resend_h *resend, void *arg)
{
    size_t               off, n, end;
    uint16_t             pid, blp, seq;
    unsigned             i;
    struct mh_rtcp_nack  nack;

    end = pkt->len - ((pkt->p[0] & 0x20) ? pkt->p[pkt->len - 1] : 0);

    mh_rtcp_nack_init(&nack, out->p + out->len, out->size - out->len,
                      pkt->ssrc, pkt->media);

    for (off = 12; off + 4 <= end; off += 4) {
        pid = (uint16_t) (pkt->p[off] << 8 | pkt->p[off + 1]);
        blp = (uint16_t) (pkt->p[off + 2] << 8 | pkt->p[off + 3]);

        for (i = 0; i <= 16; i++) {

            if (i && (blp & 1 << (i - 1)) == 0) {
                continue;
            }

            seq = (uint16_t) (pid + i);

            if (resend == NULL || !resend(pkt->media, seq, arg)) {
                mh_rtcp_nack_add(&nack, seq);
            }
        }
    }

    n = mh_rtcp_nack_end(&nack);

    if (n == 0) {
        return 0;
    }

    if ((fb->can[to] & MH_FEEDBACK_NACK) == 0) {
        fb->stat.absorbed++;
        return 0;
    }

    out->len += n;

    return 0;
}


bool
mh_feedback_is_key(enum mh_feedback_codec codec, const uint8_t *p,
    size_t len)
{
    size_t  head;

    head = 12 + 4 * (size_t) (p[0] & 0x0f);

    if (len < head + 4) {
        return false;
    }

    if (p[0] & 0x10) {
        head += 4 + 4 * ((size_t) p[head + 2] << 8 | p[head + 3]);
    }

    if (len <= head) {
        return false;
    }

    switch (codec) {

    case MH_FEEDBACK_H264:
        return mh_feedback_h264(p + head, len - head);

    case MH_FEEDBACK_VP8:
        return mh_feedback_vp8(p + head, len - head);

    default:
        return false;
    }
}


/* an IDR slice or a parameter set: alone, aggregated, or a first fragment */

static bool
mh_feedback_h264(const uint8_t *p, size_t len)
{
    uint8_t  type;

    type = p[0] & 0x1f;

    if (type == 24 && len > 3) {            /* STAP-A */
        type = p[3] & 0x1f;

    } else if (type == 28 && len > 1) {     /* FU-A */
        type = (p[1] & 0x80) ? p[1] & 0x1f : 0;
    }

    return type == 5 || type == 7;
}


/* RFC 7741 4.2 and 4.3: S is set, PID is 0, and P of the frame is clear */

static bool
mh_feedback_vp8(const uint8_t *p, size_t len)
{
    size_t  n;

    if ((p[0] & 0x17) != 0x10) {
        return false;
    }

    n = 1;

    if (p[0] & 0x80) {

        if (len < 2) {
            return false;
        }

        n = 2;

        if (p[1] & 0x80) {
            n += (len > 2 && (p[2] & 0x80)) ? 2 : 1;
        }

        n += (p[1] & 0x40) ? 1 : 0;
        n += (p[1] & 0x30) ? 1 : 0;
    }

    return len > n && (p[n] & 0x01) == 0;
}


static uint32_t
mh_feedback_u32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}
