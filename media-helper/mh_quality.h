
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * How well the media of one leg arrives: loss and jitter of the RTP that we
 * receive from it (RFC 3550 6.4.1, A.3, A.8), the round-trip time between it
 * and us from the reports that pass (LSR and DLSR), and for speech a mean
 * opinion score by the simplified E-model that other ng servers use.
 *
 * Pure: no allocation, no clock, no socket.  Per packet a few additions; a
 * score is made once in MH_QUALITY_PERIOD, by the packet that ends it.
 */


#ifndef MH_QUALITY_H
#define MH_QUALITY_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


enum mh_quality_limits {
    MH_QUALITY_PERIOD = 5000,   /* ms of a sample, as long as RTCP's */
    MH_QUALITY_SHORT = 1000,    /* shortest one, when asked for earlier */
    MH_QUALITY_REPORTS = 4,     /* SRs that are remembered */
    MH_QUALITY_VIDEO = 90       /* kHz: what has that clock is no speech */
};


/* one sample, or an average */

struct mh_quality_figure {
    uint64_t  at;               /* ms of mh_clock(); 0 = there is none */
    uint32_t  mos;              /* times 10: 10 to 44; 0 = no speech */
    uint32_t  jitter;           /* ms */
    uint32_t  rtt;              /* ms, end to end: both legs; 0 = unknown */
    uint32_t  rtt_leg;          /* ms, of this leg; 0 = unknown */
    uint32_t  loss;             /* percent of the packets of that time */
};


/* an SR that went to this leg: its receiver's report block names it */

struct mh_quality_sr {
    uint32_t  lsr;              /* middle 32 bits of its NTP timestamp */
    uint64_t  at;               /* ms; 0 = none */
};


struct mh_quality {
    /* for readers */

    uint64_t                  packets;  /* received, without duplicates
                                           known as such */
    uint64_t                  lost;     /* RFC 3550 6.4.1, over all sources;
                                           current after
                                           mh_quality_update() */
    uint32_t                  jitter;   /* ms; the latest source's */
    uint32_t                  rtt;      /* ms, of this leg; 0 = unknown */
    uint32_t                  samples;  /* with a score */
    struct mh_quality_figure  last;
    struct mh_quality_figure  lowest;   /* by mos */
    struct mh_quality_figure  highest;

    /* private from here on */

    uint32_t                  ssrc;
    uint32_t                  first;    /* extended sequence numbers */
    uint32_t                  top;
    uint32_t                  received; /* of this source */
    uint64_t                  gone;     /* lost of former sources */
    uint64_t                  expected_before;  /* of former sources */
    uint32_t                  timestamp;
    uint32_t                  transit;
    uint32_t                  scaled;   /* jitter in clock units times 16 */
    uint8_t                   clock;    /* kHz; 0 = nothing to compare to */
    bool                      any;
    bool                      speech;

    uint64_t                  since;    /* ms; start of the sample */
    uint64_t                  had_expected;
    uint64_t                  had_lost;

    uint64_t                  sum_mos;
    uint64_t                  sum_jitter;
    uint64_t                  sum_rtt;
    uint64_t                  sum_rtt_leg;
    uint64_t                  sum_loss;

    unsigned                  next;     /* of srs */
    struct mh_quality_sr      srs[MH_QUALITY_REPORTS];
};


/*
 * Takes note of an RTP packet of this leg's.
 *
 * @param q      all zero before the first
 * @param p      the packet, at least 12 bytes
 * @param clock  of its payload number in kHz; 0 = its timestamps tell
 *               nothing (telephone-event, comfort noise)
 * @param rtt    ms, of the other leg; 0 = unknown
 * @param now    ms
 */
void mh_quality_rtp(struct mh_quality *q, const uint8_t *p, unsigned clock,
    uint32_t rtt, uint64_t now);

/*
 * Takes note of a compound packet that comes from the other leg and goes to
 * this one: of its SRs.
 *
 * @param p  mh_rtcp_check() accepted it
 */
void mh_quality_sent(struct mh_quality *q, const uint8_t *p, size_t len,
    uint64_t now);

/*
 * Takes note of a compound packet of this leg's: of its report blocks, which
 * give the round-trip time.
 */
void mh_quality_heard(struct mh_quality *q, const uint8_t *p, size_t len,
    uint64_t now);

/*
 * Brings "lost" and "jitter" up to date, and ends a sample that is due, or,
 * if there was none so far, one of at least MH_QUALITY_SHORT.
 */
void mh_quality_update(struct mh_quality *q, uint32_t rtt, uint64_t now);

/* the average over all samples; all zero if there are none */
void mh_quality_average(const struct mh_quality *q,
    struct mh_quality_figure *f);

/*
 * The score: E-model without codec's and echo's share (ITU-T G.107), its
 * delay as round-trip time plus twice the jitter plus 10 ms.
 *
 * @param rtt     ms, end to end
 * @param jitter  ms
 * @param loss    tenths of a percent
 *
 * @return 10 to 44
 */
uint32_t mh_quality_mos(uint32_t rtt, uint32_t jitter, uint32_t loss);


#endif /* MH_QUALITY_H */
