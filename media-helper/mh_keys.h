
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The keys of one stream towards the IMS: what RFC 4568 exchanges, and the
 * SRTP made of it.
 *
 * Our side has one key per suite, made when it is needed and kept as long as
 * the stream: the same in every offer, with one SRTP object that goes on
 * where it was, so that no key is ever used from its beginning twice.  When
 * a peer offers another key than before, ours are made anew, too: it may be
 * another device, which knows nothing of our rollover.
 *
 * The peer's keys come and go with its descriptions.  The one before stays
 * good until the new one has been seen in a packet; those of up to four are
 * remembered with their replay windows, for branches of a fork that come
 * back.
 *
 * Keys leave this file as text of a=crypto only.  All are wiped.
 */


#ifndef MH_KEYS_H
#define MH_KEYS_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_sdes.h"


enum {
    MH_KEYS_ROOM = 20,          /* bytes behind a packet to be protected:
                                   MH_SRTP_OVERHEAD_MAX */
    MH_KEYS_TEXT = MH_SDES_SUITES * MH_SDES_TEXT
};


struct mh_keys;


struct mh_keys_stat {
    uint64_t  auth_errors;      /* a wrong tag or MKI */
    uint64_t  replays;
    uint64_t  bad;              /* no RTP, or before the peer's key */
    uint64_t  send_errors;      /* before ours, or SRTP refused */
    uint64_t  ssrcs_refused;    /* beyond MH_SRTP_SSRC_MAX, either way */
};


/*
 * @param kp  set on success; nothing passes before mh_keys_accept() or
 *            mh_keys_answered(); free it with mem_deref()
 *
 * @return 0 or ENOMEM
 */
int mh_keys_alloc(struct mh_keys **kp);

/*
 * Looks at a peer's offer: chooses its first line that we can do.  Nothing
 * is in use yet.
 *
 * @param values  of a=crypto, n of them
 * @param suites  mask of those that may be chosen
 *
 * @return 0, ENOTSUP (none), or an errno of getrandom(2)
 */
int mh_keys_offered(struct mh_keys *k, const struct pl *values, unsigned n,
    uint32_t suites);

/*
 * Writes the line for our answer to what mh_keys_offered() chose.
 *
 * @param buf  room for MH_SDES_TEXT
 *
 * @return bytes written
 */
size_t mh_keys_answer_text(const struct mh_keys *k, bool pad, char *buf);

/* Takes what was chosen into use; @return 0, ENOMEM, EINVAL (nothing was) */
int mh_keys_accept(struct mh_keys *k);

/*
 * Writes the lines for our offer; tags are 1 to n.
 *
 * @param suites  mask of what may be offered; that in use is always there,
 *                and an empty mask stands for MH_SDES_OFFER
 * @param buf     room for MH_KEYS_TEXT
 * @param len     out: bytes written
 *
 * @return 0 or an errno of getrandom(2)
 */
int mh_keys_offer_text(struct mh_keys *k, uint32_t suites, bool pad,
    char *buf, size_t *len);

/* Whether an answer to that offer fits it; 0 or EPROTO */
int mh_keys_fits(const struct mh_keys *k, const struct pl *values,
    unsigned n);

/*
 * Takes the peer's answer to that offer into use; again and again when
 * branches of a fork answer.
 *
 * @return 0, EPROTO (no line that fits), ENOMEM
 */
int mh_keys_answered(struct mh_keys *k, const struct pl *values, unsigned n);

/*
 * Makes SRTP or SRTCP of a packet for the peer, in place.
 *
 * @param buf   the packet, with MH_KEYS_ROOM behind it
 * @param len   in and out: its length
 * @param rtcp  which of the two it is
 *
 * @return 0, ENOTCONN (no keys yet), or an errno of mh_srtp.h
 */
int mh_keys_protect(struct mh_keys *k, uint8_t *buf, size_t *len, bool rtcp);

/* The reverse, for a packet of at most MH_IO_RECV bytes */
int mh_keys_unprotect(struct mh_keys *k, uint8_t *buf, size_t *len,
    bool rtcp);

/* @return the name of the suite in use, "" if there is none */
const char *mh_keys_suite(const struct mh_keys *k);

const struct mh_keys_stat *mh_keys_stat(const struct mh_keys *k);


#endif /* MH_KEYS_H */
