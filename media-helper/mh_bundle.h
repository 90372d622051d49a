
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Splits what comes over one browser's transport into its m-lines: by MID,
 * then by SSRC, then by payload number (RFC 9143 9.2).
 */


#ifndef MH_BUNDLE_H
#define MH_BUNDLE_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_stream.h"


enum mh_bundle_limits {
    MH_BUNDLE_STREAMS = 16,
    MH_BUNDLE_MID = 32,         /* bytes of a mid that we compare */
    MH_BUNDLE_SSRCS = 64        /* remembered; the oldest is forgotten */
};


struct mh_bundle {
    struct mh_stream  *streams[MH_BUNDLE_STREAMS];  /* not referenced; NULL:
                                                       a refused m-line */
    char               mids[MH_BUNDLE_STREAMS][MH_BUNDLE_MID + 1];
    unsigned           n;           /* m-lines */
    uint8_t            mid_ext;     /* id of the header extension, 0 = none */
    uint32_t           ssrcs[MH_BUNDLE_SSRCS];
    uint8_t            owners[MH_BUNDLE_SSRCS];     /* m-line of that SSRC */
    unsigned           next;
    unsigned           known;
    uint64_t           lost;        /* packets of no m-line */
};


/*
 * Puts an m-line in.  If it is another one than before, what was learned of
 * its SSRCs is forgotten; else it stays: a browser whose MID has arrived sends
 * it no more, whatever is negotiated later.
 *
 * @param b       the bundle
 * @param i       0 to MH_BUNDLE_STREAMS - 1
 * @param stream  or NULL
 * @param mid     may be empty
 */
void mh_bundle_set(struct mh_bundle *b, unsigned i, struct mh_stream *stream,
    const struct pl *mid);

/*
 * Hands a decrypted packet to its stream: mh_transport_media_h, with a
 * struct mh_bundle as arg.
 */
void mh_bundle_recv_h(uint8_t *buf, size_t len, bool rtcp, void *arg);


#endif /* MH_BUNDLE_H */
