
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Tones played into a side's audio as telephone-event (RFC 4733), by ng's
 * "play DTMF".  Packets of tones take the place of that side's packets of
 * speech, one for one: SSRC and sequence numbers stay, no timer is needed,
 * and nothing is sent where the side sends nothing.
 *
 * Per packet: no allocation, no lock, no log.
 */


#ifndef MH_DTMF_H
#define MH_DTMF_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


enum {
    MH_DTMF_QUEUE = 32,         /* tones that wait, with the one that plays */
    MH_DTMF_WAIT_MS = 10000,    /* then one that has not begun is dropped */
    MH_DTMF_PACKET = 16         /* bytes */
};


/* clocks that telephone-event is agreed on with: 8, 16 and 48 kHz */

enum mh_dtmf_clock {
    MH_DTMF_8 = 0,
    MH_DTMF_16,
    MH_DTMF_48,
    MH_DTMF_CLOCKS
};


struct mh_dtmf;


struct mh_dtmf_event {
    uint8_t   code;             /* 0 to 15 */
    uint8_t   volume;           /* 0 to 63, dB below the loudest */
    uint16_t  duration;         /* ms, 1 to 5000 */
    uint16_t  pause;            /* ms behind it, 0 to 5000 */
};


/* Makes an empty queue.  Returns 0 or ENOMEM; free it with mem_deref() */
int mh_dtmf_alloc(struct mh_dtmf **dp);

/*
 * The payload numbers of telephone-event, by enum mh_dtmf_clock; 0xff: none.
 * A packet whose clock has none passes.
 */
void mh_dtmf_numbers(struct mh_dtmf *d, const uint8_t pt[MH_DTMF_CLOCKS]);

/* Whether as many tones wait as can */
bool mh_dtmf_full(const struct mh_dtmf *d);

/*
 * Appends a tone.
 *
 * @param now  ms
 *
 * @return 0, or ENOSPC
 */
int mh_dtmf_add(struct mh_dtmf *d, const struct mh_dtmf_event *event,
    uint64_t now);

/*
 * Takes a packet of RTP on its way, at least 12 bytes in room for
 * MH_DTMF_PACKET, and maybe makes it one of a tone.  How much a packet lasts
 * is what lies between the timestamps of two in a row.
 *
 * @param khz  its clock; 0: not known, or it is no speech
 */
void mh_dtmf_packet(struct mh_dtmf *d, uint8_t *p, size_t *len, unsigned khz,
    uint64_t now);


#endif /* MH_DTMF_H */
