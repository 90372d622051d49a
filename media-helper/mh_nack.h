
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What was last sent to a browser, so that a packet that got lost between us
 * and it can be sent once more (RFC 4585 6.2.1) without asking the IMS.
 *
 * Kept as it went out, protected: the same SRTP index must never encrypt
 * anything else (RFC 3711 9.1), and the browser drops it as a replay if the
 * first one arrives after all.  Bounded in packets and bytes, allocated once;
 * what comes out is bounded, too, so that a flood of NACKs gains nothing.
 */


#ifndef MH_NACK_H
#define MH_NACK_H


#include <stddef.h>
#include <stdint.h>


enum mh_nack_limits {
    MH_NACK_PACKETS = 256,      /* power of two; by sequence number */
    MH_NACK_BYTES = 131072,     /* a second at 1 Mbit/s */
    MH_NACK_LONGEST = 2048,
    MH_NACK_AGE = 10000,        /* ms; older ones are of no use */
    MH_NACK_TIMES = 4,          /* a packet is sent again at most */
    MH_NACK_PAUSE = 10,         /* ms between two of these, at least */
    MH_NACK_CREDIT = 65536      /* bytes that may be sent at once; half of
                                   what is put in comes on top */
};


enum mh_nack_result {
    MH_NACK_GONE = 0,           /* not here: somebody else may have it */
    MH_NACK_HELD,               /* here, but over a limit */
    MH_NACK_GIVEN
};


struct mh_nack;


/* free it with mem_deref(); @return NULL without memory */
struct mh_nack *mh_nack_alloc(void);

/* bytes that one takes */
size_t mh_nack_size(void);

/*
 * Keeps a packet.
 *
 * @param n     the buffer
 * @param p     what is sent: its first 12 bytes are an RTP header
 * @param len   12 to MH_NACK_LONGEST; others are not kept
 * @param keys  which keys it is protected with
 * @param now   ms
 */
void mh_nack_put(struct mh_nack *n, const uint8_t *p, size_t len,
    unsigned keys, uint64_t now);

/*
 * Finds a packet to be sent again, and counts it as sent.
 *
 * @param p     out: valid until the next mh_nack_put()
 * @param len   out
 */
enum mh_nack_result mh_nack_get(struct mh_nack *n, uint32_t ssrc,
    uint16_t seq, unsigned keys, uint64_t now, const uint8_t **p,
    size_t *len);


#endif /* MH_NACK_H */
