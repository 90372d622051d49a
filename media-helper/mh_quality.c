
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the arithmetic of reception reports.  The time of a packet is that of
 * the pass it came in: good enough for milliseconds.  No timer.
 */


#include <string.h>

#include "mh_quality.h"
#include "mh_rtcp.h"


enum {
    MH_QUALITY_DROPOUT = 3000,  /* RFC 3550 A.1: a larger step is a restart */
    MH_QUALITY_RTT_MAX = 10000, /* ms; longer ones are a clock's mistake */
    MH_QUALITY_FEW = 10         /* packets of a sample at least */
};


static void mh_quality_restart(struct mh_quality *q, uint32_t ssrc,
    uint16_t seq);
static void mh_quality_sequence(struct mh_quality *q, uint16_t seq);
static void mh_quality_jitter(struct mh_quality *q, uint32_t timestamp,
    unsigned clock, uint64_t now);
static uint64_t mh_quality_expected(const struct mh_quality *q);
static uint64_t mh_quality_missing(const struct mh_quality *q);
static void mh_quality_sample(struct mh_quality *q, uint32_t rtt,
    uint64_t now);
static void mh_quality_block(struct mh_quality *q, const uint8_t *p,
    uint64_t now);
static uint32_t mh_quality_u32(const uint8_t *p);


void
mh_quality_rtp(struct mh_quality *q, const uint8_t *p, unsigned clock,
    uint32_t rtt, uint64_t now)
{
    uint16_t  seq;
    uint32_t  ssrc;

    seq = (uint16_t) (p[2] << 8 | p[3]);
    ssrc = mh_quality_u32(p + 8);

    q->packets++;

    if (!q->any || ssrc != q->ssrc) {
        mh_quality_restart(q, ssrc, seq);

    } else {
        mh_quality_sequence(q, seq);
    }

    if (clock) {
        mh_quality_jitter(q, mh_quality_u32(p + 4), clock, now);
    }

    if (q->since == 0) {
        q->since = now;

    } else if (now >= q->since + MH_QUALITY_PERIOD) {
        mh_quality_sample(q, rtt, now);
    }
}


static void
mh_quality_restart(struct mh_quality *q, uint32_t ssrc, uint16_t seq)
{
    if (q->any) {
        q->gone = mh_quality_missing(q);
        q->expected_before = mh_quality_expected(q);
    }

    q->any = true;
    q->ssrc = ssrc;
    q->first = 0x10000u + seq;
    q->top = q->first;
    q->received = 1;
    q->clock = 0;
    q->scaled = 0;
}


static void
mh_quality_sequence(struct mh_quality *q, uint16_t seq)
{
    uint16_t  step;

    step = (uint16_t) (seq - (uint16_t) q->top);

    if (step < MH_QUALITY_DROPOUT) {
        q->top += step;
        q->received++;

    } else if (step > (uint16_t) -MH_QUALITY_DROPOUT) {

        /* late; before the first one it was not expected */

        if (q->top + step - 0x10000u >= q->first) {
            q->received++;
        }

    } else {
        mh_quality_restart(q, q->ssrc, seq);
    }
}


/* RFC 3550 A.8; packets of one frame share a timestamp and tell it once */

static void
mh_quality_jitter(struct mh_quality *q, uint32_t timestamp, unsigned clock,
    uint64_t now)
{
    int32_t   d;
    uint32_t  transit;

    if (q->clock == clock && q->timestamp == timestamp) {
        return;
    }

    transit = (uint32_t) (now * clock) - timestamp;

    if (q->clock == clock) {
        d = (int32_t) (transit - q->transit);
        d = (d < 0) ? -d : d;

        /* a new beginning of the sender's clock is no delay */

        if (d >= 0 && (uint32_t) d < clock * 1000u) {
            q->scaled += (uint32_t) d - ((q->scaled + 8) >> 4);
        }
    }

    q->clock = (uint8_t) clock;
    q->speech = (clock != MH_QUALITY_VIDEO);
    q->timestamp = timestamp;
    q->transit = transit;
}


void
mh_quality_sent(struct mh_quality *q, const uint8_t *p, size_t len,
    uint64_t now)
{
    size_t              pos;
    struct mh_rtcp_pkt  pkt;

    pos = 0;

    while (mh_rtcp_next(p, len, &pos, &pkt) == 0) {

        if (pkt.type != MH_RTCP_SR || pkt.len < 28) {
            continue;
        }

        q->srs[q->next].lsr = mh_quality_u32(pkt.p + 10);
        q->srs[q->next].at = now;
        q->next = (q->next + 1) % MH_QUALITY_REPORTS;
    }
}


void
mh_quality_heard(struct mh_quality *q, const uint8_t *p, size_t len,
    uint64_t now)
{
    size_t              pos, off;
    unsigned            i;
    struct mh_rtcp_pkt  pkt;

    pos = 0;

    while (mh_rtcp_next(p, len, &pos, &pkt) == 0) {

        if (pkt.type != MH_RTCP_SR && pkt.type != MH_RTCP_RR) {
            continue;
        }

        off = (pkt.type == MH_RTCP_SR) ? 28 : 8;

        for (i = 0; i < pkt.count && off + 24 <= pkt.len; i++, off += 24) {
            mh_quality_block(q, pkt.p + off, now);
        }
    }
}


static void
mh_quality_block(struct mh_quality *q, const uint8_t *p, uint64_t now)
{
    int64_t   rtt;
    uint32_t  lsr;
    unsigned  i;

    lsr = mh_quality_u32(p + 16);

    if (lsr == 0) {
        return;
    }

    for (i = 0; i < MH_QUALITY_REPORTS; i++) {

        if (q->srs[i].at == 0 || q->srs[i].lsr != lsr) {
            continue;
        }

        rtt = (int64_t) (now - q->srs[i].at)
              - (int64_t) ((uint64_t) mh_quality_u32(p + 20) * 1000 / 65536);

        if (rtt >= -1 && rtt <= MH_QUALITY_RTT_MAX) {

            /* less than one is not "unknown" */

            q->rtt = (rtt < 1) ? 1 : (uint32_t) rtt;
        }

        return;
    }
}


void
mh_quality_update(struct mh_quality *q, uint32_t rtt, uint64_t now)
{
    q->lost = mh_quality_missing(q);

    if (q->clock) {
        q->jitter = ((q->scaled >> 4) + q->clock / 2) / q->clock;
    }

    if (q->since == 0) {
        return;
    }

    if (now >= q->since + MH_QUALITY_PERIOD
        || (q->last.at == 0 && now >= q->since + MH_QUALITY_SHORT))
    {
        mh_quality_sample(q, rtt, now);
    }
}


static uint64_t
mh_quality_expected(const struct mh_quality *q)
{
    return q->any ? q->expected_before + (q->top - q->first) + 1 : 0;
}


static uint64_t
mh_quality_missing(const struct mh_quality *q)
{
    uint32_t  expected;

    if (!q->any) {
        return 0;
    }

    expected = q->top - q->first + 1;

    return q->gone + (expected > q->received ? expected - q->received : 0);
}


static void
mh_quality_sample(struct mh_quality *q, uint32_t rtt, uint64_t now)
{
    uint32_t                   tenths;
    uint64_t                   expected, lost;
    struct mh_quality_figure  *f;

    q->lost = mh_quality_missing(q);

    if (q->clock) {
        q->jitter = ((q->scaled >> 4) + q->clock / 2) / q->clock;
    }

    expected = mh_quality_expected(q) - q->had_expected;
    lost = (q->lost > q->had_lost) ? q->lost - q->had_lost : 0;

    q->since = now;
    q->had_expected += expected;
    q->had_lost = q->lost;

    /* what was on hold, or has just begun, has no quality */

    if (expected < MH_QUALITY_FEW) {
        return;
    }

    tenths = (lost >= expected) ? 1000 : (uint32_t) (lost * 1000 / expected);

    f = &q->last;
    f->at = now;
    f->jitter = q->jitter;
    f->rtt_leg = q->rtt;
    f->rtt = q->rtt + rtt;
    f->loss = (tenths + 5) / 10;
    f->mos = q->speech ? mh_quality_mos(f->rtt, f->jitter, tenths) : 0;

    if (f->mos == 0) {
        return;
    }

    q->samples++;
    q->sum_mos += f->mos;
    q->sum_jitter += f->jitter;
    q->sum_rtt += f->rtt;
    q->sum_rtt_leg += f->rtt_leg;
    q->sum_loss += f->loss;

    if (q->lowest.at == 0 || f->mos < q->lowest.mos) {
        q->lowest = *f;
    }

    if (f->mos > q->highest.mos) {
        q->highest = *f;
    }
}


void
mh_quality_average(const struct mh_quality *q, struct mh_quality_figure *f)
{
    memset(f, 0, sizeof(*f));

    if (q->samples == 0) {
        return;
    }

    f->at = q->last.at;
    f->mos = (uint32_t) (q->sum_mos / q->samples);
    f->jitter = (uint32_t) (q->sum_jitter / q->samples);
    f->rtt = (uint32_t) (q->sum_rtt / q->samples);
    f->rtt_leg = (uint32_t) (q->sum_rtt_leg / q->samples);
    f->loss = (uint32_t) (q->sum_loss / q->samples);
}


uint32_t
mh_quality_mos(uint32_t rtt, uint32_t jitter, uint32_t loss)
{
    double  delay, r, mos;

    delay = (double) rtt + 2.0 * jitter + 10.0;

    r = 93.2 - ((delay < 160.0) ? delay / 40.0 : (delay - 120.0) / 10.0)
        - 0.25 * loss;

    if (r <= 0.0) {
        return 10;
    }

    mos = 1.0 + 0.035 * r + 0.000007 * r * (r - 60.0) * (100.0 - r);

    return (mos < 1.0) ? 10 : (uint32_t) (mos * 10.0);
}


static uint32_t
mh_quality_u32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}
