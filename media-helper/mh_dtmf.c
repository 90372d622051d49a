
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the tones that wait to be played and the one that is.  Time is what
 * the timestamps of the replaced packets say; no timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_dtmf.h"


enum {
    MH_DTMF_ENDS = 3,           /* last packets, RFC 4733 2.5.1.4 */
    MH_DTMF_STEP_MS = 20,       /* of a packet, before two in a row came */
    MH_DTMF_STEP_MAX = 200,     /* more is a silence */
    MH_DTMF_SEGMENT = 0xffff,   /* longest duration, 2.5.1.3 */
    MH_DTMF_NONE = 0xff
};


struct mh_dtmf_slot {
    struct mh_dtmf_event  event;
    uint64_t              until;        /* ms; begins before, or never */
};


struct mh_dtmf {
    struct mh_dtmf_slot  queue[MH_DTMF_QUEUE];
    unsigned             head;
    unsigned             n;
    uint8_t              pt[MH_DTMF_CLOCKS];

    bool                 on;            /* the first one is being played */
    bool                 rest;          /* a pause, up to resume */
    unsigned             khz;
    uint8_t              number;
    uint32_t             ssrc;
    uint32_t             start;         /* timestamps: of the tone, */
    uint32_t             base;          /* of its segment */
    uint32_t             resume;
    unsigned             ends;          /* last packets that were sent */

    uint16_t             seq;           /* of the last packet, */
    uint32_t             ts;            /* its time, */
    unsigned             pace;          /* and its clock, kHz */
    uint32_t             step;          /* a packet's, in units of the clock;
                                           0 = not known */
};


static bool mh_dtmf_begin(struct mh_dtmf *d, uint32_t ts, uint32_t ssrc,
    unsigned khz, uint64_t now);
static uint8_t mh_dtmf_number(const struct mh_dtmf *d, unsigned khz);
static void mh_dtmf_pop(struct mh_dtmf *d);
static void mh_dtmf_pace(struct mh_dtmf *d, const uint8_t *p, unsigned khz);
static void mh_dtmf_write(struct mh_dtmf *d, uint8_t *p, uint32_t ts,
    bool first);
static void mh_dtmf_put_event(const struct mh_dtmf *d, uint8_t *p,
    uint32_t base, uint32_t duration);
static uint32_t mh_dtmf_get(const uint8_t *p);
static void mh_dtmf_put(uint8_t *p, uint32_t v);


int
mh_dtmf_alloc(struct mh_dtmf **dp)
{
    *dp = mem_zalloc(sizeof(**dp), NULL);

    if (*dp == NULL) {
        return ENOMEM;
    }

    memset((*dp)->pt, MH_DTMF_NONE, sizeof((*dp)->pt));

    return 0;
}


void
mh_dtmf_numbers(struct mh_dtmf *d, const uint8_t pt[MH_DTMF_CLOCKS])
{
    memcpy(d->pt, pt, sizeof(d->pt));
}


bool
mh_dtmf_full(const struct mh_dtmf *d)
{
    return d->n == MH_DTMF_QUEUE;
}


int
mh_dtmf_add(struct mh_dtmf *d, const struct mh_dtmf_event *event,
    uint64_t now)
{
    struct mh_dtmf_slot  *slot, *last;

    if (d->n == MH_DTMF_QUEUE) {
        return ENOSPC;
    }

    slot = &d->queue[(d->head + d->n) % MH_DTMF_QUEUE];
    slot->event = *event;
    slot->until = now + MH_DTMF_WAIT_MS;

    /* those before it take their time */

    if (d->n) {
        last = &d->queue[(d->head + d->n - 1) % MH_DTMF_QUEUE];
        slot->until = (last->until > now ? last->until : slot->until)
                      + last->event.duration + last->event.pause;
    }

    d->n++;

    return 0;
}


void
mh_dtmf_packet(struct mh_dtmf *d, uint8_t *p, size_t *len, unsigned khz,
    uint64_t now)
{
    bool      first;
    uint32_t  ts, ssrc;

    mh_dtmf_pace(d, p, khz);

    if (d->n == 0) {
        return;
    }

    ts = mh_dtmf_get(p + 4);
    ssrc = mh_dtmf_get(p + 8);
    first = false;

    /* another source, or another clock: from the beginning */

    if (d->on && (ssrc != d->ssrc || (khz && khz != d->khz))) {
        d->on = false;
    }

    if (!d->on) {

        if (khz == 0 || !mh_dtmf_begin(d, ts, ssrc, khz, now)) {
            return;
        }

        first = true;
    }

    /* speech from before the tone, late */

    if ((int32_t) (ts - d->start) < 0) {
        return;
    }

    mh_dtmf_write(d, p, ts, first);
    *len = MH_DTMF_PACKET;

    if (d->ends == MH_DTMF_ENDS) {
        mh_dtmf_pop(d);
    }
}


static bool
mh_dtmf_begin(struct mh_dtmf *d, uint32_t ts, uint32_t ssrc, unsigned khz,
    uint64_t now)
{
    while (d->n && now > d->queue[d->head].until) {
        d->head = (d->head + 1) % MH_DTMF_QUEUE;
        d->n--;
    }

    if (d->n == 0
        || (d->rest && ssrc == d->ssrc && khz == d->khz
            && (int32_t) (ts - d->resume) < 0))
    {
        return false;
    }

    d->number = mh_dtmf_number(d, khz);

    if (d->number == MH_DTMF_NONE) {
        return false;
    }

    d->on = true;
    d->rest = false;
    d->khz = khz;
    d->ssrc = ssrc;
    d->start = ts;
    d->base = ts;
    d->ends = 0;

    return true;
}


static uint8_t
mh_dtmf_number(const struct mh_dtmf *d, unsigned khz)
{
    switch (khz) {

    case 8:
        return d->pt[MH_DTMF_8];

    case 16:
        return d->pt[MH_DTMF_16];

    case 48:
        return d->pt[MH_DTMF_48];

    default:
        return MH_DTMF_NONE;
    }
}


static void
mh_dtmf_pop(struct mh_dtmf *d)
{
    const struct mh_dtmf_event  *event;

    event = &d->queue[d->head].event;

    d->on = false;
    d->rest = true;
    d->resume = d->start + (event->duration + event->pause) * d->khz;
    d->head = (d->head + 1) % MH_DTMF_QUEUE;
    d->n--;
}


static void
mh_dtmf_pace(struct mh_dtmf *d, const uint8_t *p, unsigned khz)
{
    uint16_t  seq;
    uint32_t  ts;

    if (khz == 0) {
        return;
    }

    seq = (uint16_t) (p[2] << 8 | p[3]);
    ts = mh_dtmf_get(p + 4);

    if (khz != d->pace) {
        d->step = 0;

    } else if (seq == (uint16_t) (d->seq + 1) && ts != d->ts
               && ts - d->ts <= MH_DTMF_STEP_MAX * khz)
    {
        d->step = ts - d->ts;
    }

    d->seq = seq;
    d->ts = ts;
    d->pace = khz;
}


static void
mh_dtmf_write(struct mh_dtmf *d, uint8_t *p, uint32_t ts, bool first)
{
    uint32_t                     base, left, so_far;
    const struct mh_dtmf_event  *event;

    event = &d->queue[d->head].event;
    base = d->base;

    /* of a segment that is complete: packets got shorter, or this is late */

    if ((int32_t) (ts - base) < 0) {
        mh_dtmf_put_event(d, p, base - MH_DTMF_SEGMENT, MH_DTMF_SEGMENT);
        return;
    }

    left = event->duration * d->khz - (base - d->start);
    so_far = ts - base + (d->step ? d->step : MH_DTMF_STEP_MS * d->khz);

    if (d->ends || (so_far >= left && left <= MH_DTMF_SEGMENT)) {
        d->ends++;
        so_far = left;

    } else if (so_far >= MH_DTMF_SEGMENT) {
        so_far = MH_DTMF_SEGMENT;
        d->base += MH_DTMF_SEGMENT;
    }

    mh_dtmf_put_event(d, p, base, so_far);

    p[1] |= first ? 0x80 : 0;
    p[13] |= d->ends ? 0x80 : 0;
}


/* the header stays but for contributing sources, padding, time and number */

static void
mh_dtmf_put_event(const struct mh_dtmf *d, uint8_t *p, uint32_t base,
    uint32_t duration)
{
    const struct mh_dtmf_event  *event;

    event = &d->queue[d->head].event;

    p[0] = 0x80;
    p[1] = d->number;
    mh_dtmf_put(p + 4, base);

    p[12] = event->code;
    p[13] = event->volume;
    p[14] = (uint8_t) (duration >> 8);
    p[15] = (uint8_t) duration;
}


static uint32_t
mh_dtmf_get(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static void
mh_dtmf_put(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 24);
    p[1] = (uint8_t) (v >> 16);
    p[2] = (uint8_t) (v >> 8);
    p[3] = (uint8_t) v;
}
