/*
 * Copyright (C) the IMS portal authors
 *
 * What an SRTP library has to offer to mh_srtp.c.  Private to mh_srtp*.c.
 */

#ifndef MH_SRTP_BACKEND_H
#define MH_SRTP_BACKEND_H

#include "mh_srtp.h"


/* tags follow RFC 5764 4.1.2 and RFC 7714 12 */

struct mh_srtp_suite {
    unsigned  profile;
    size_t    key_len;
    size_t    salt_len;
    size_t    rtp_tag;
    size_t    rtcp_tag;
    int       aead;
};


/*
 * The packet functions work in the direction that alloc() was given.  The
 * caller has checked the header, the lengths and the room:
 *
 *     rtp()   hdr is the length of the RTP header with CSRCs and extension;
 *             *len >= hdr, plus the tag when unprotecting
 *     rtcp()  *len >= 8, plus tag and index when unprotecting; the E bit is
 *             set
 *
 * They set *len and return as mh_srtp.h says.
 */

struct mh_srtp_backend {
    const char  *name;
    int        (*alloc)(void **bp, enum mh_srtp_direction direction,
                        const struct mh_srtp_suite *suite,
                        const uint8_t *key, const uint8_t *salt);
    int        (*rtp)(void *b, uint8_t *buf, size_t hdr, size_t *len);
    int        (*rtcp)(void *b, uint8_t *buf, size_t *len);
    unsigned   (*streams)(const void *b);
};


extern const struct mh_srtp_backend  mh_srtp_evp;
extern const struct mh_srtp_backend  mh_srtp_libsrtp2;


#endif /* MH_SRTP_BACKEND_H */
