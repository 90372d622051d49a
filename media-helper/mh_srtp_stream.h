/*
 * Copyright (C) the IMS portal authors
 *
 * What is remembered of each SSRC.  Private to mh_srtp_evp.c.
 */

#ifndef MH_SRTP_STREAM_H
#define MH_SRTP_STREAM_H

#include <stdint.h>


/* the highest index seen, and which of the 128 up to it were: bit 0 is top */

struct mh_srtp_window {
    uint64_t  top;
    uint64_t  low;
    uint64_t  high;
    int       any;
};


struct mh_srtp_stream {
    uint32_t               ssrc;
    struct mh_srtp_window  rtp;
    struct mh_srtp_window  rtcp;
};


struct mh_srtp_table {
    struct mh_srtp_stream  *v;
    unsigned                n;
    unsigned                room;
    unsigned                last;    /* the one found last */
};


/* @return 0 or ENOMEM */
int mh_srtp_table_init(struct mh_srtp_table *t);
void mh_srtp_table_close(struct mh_srtp_table *t);


/* @return the state of ssrc, or NULL; valid until the next _add() */
struct mh_srtp_stream *mh_srtp_stream_find(struct mh_srtp_table *t,
    uint32_t ssrc);


/*
 * Makes sure that the next _add() cannot fail.
 *
 * @return 0, ENOSPC (there are MH_SRTP_SSRC_MAX) or ENOMEM
 */
int mh_srtp_stream_reserve(struct mh_srtp_table *t);


/*
 * Adds ssrc, which is not there yet; it stays as long as the table.
 *
 * @return as mh_srtp_stream_reserve()
 */
int mh_srtp_stream_add(struct mh_srtp_table *t, uint32_t ssrc,
    struct mh_srtp_stream **stp);


/*
 * The index nearest to the highest one so far, RFC 3711 3.3.1.
 *
 * @param w      what was seen of this SSRC
 * @param seq    sequence number of the packet
 * @param index  set to ROC << 16 | seq
 *
 * @return 0, or EOVERFLOW when 2^48 is reached
 */
int mh_srtp_index_estimate(const struct mh_srtp_window *w, uint16_t seq,
    uint64_t *index);


/* @return 0, or EALREADY when seen before or too old, RFC 3711 3.3.2 */
int mh_srtp_window_check(const struct mh_srtp_window *w, uint64_t index);


/* notes an index that mh_srtp_window_check() found to be new */
void mh_srtp_window_take(struct mh_srtp_window *w, uint64_t index);


#endif /* MH_SRTP_STREAM_H */
