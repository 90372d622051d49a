/*
 * Copyright (C) the IMS portal authors
 *
 * SRTP and SRTCP, RFC 3711 and RFC 7714.
 *
 * A struct mh_srtp is one direction of one media transport: it either
 * protects what goes to the browser or unprotects what comes from it, with
 * one master key and any number of SSRCs.  State for an SSRC is made only
 * after a packet of it authenticated (or was protected here), so forged
 * packets leave nothing behind.
 *
 * Not for sharing between threads.  No call allocates, except when a new
 * SSRC is accepted.  The packet path is
 *
 *     protect:    RTP  in buf[0..len)  ->  SRTP in buf[0..len + overhead)
 *     unprotect:  SRTP in buf[0..len)  ->  RTP  in buf[0..len - overhead)
 *
 * always in place.  Which bytes are RTP and which RTCP is the caller's
 * choice (RFC 5761): there is a function for each.
 *
 * Errors of all four packet functions:
 *
 *     EBADMSG    not RTP or RTCP by its header, or too short
 *     EACCES     the authentication tag is wrong (also an SRTCP packet whose
 *                E bit is clear: the profiles here always encrypt)
 *     EALREADY   a replay, or older than the replay window
 *     EMSGSIZE   protect: no room for the tag within size
 *     ENOSPC     a new SSRC after MH_SRTP_SSRC_MAX others
 *     EOVERFLOW  the key has been used 2^48 (SRTP) or 2^31 (SRTCP) times
 *     ENOMEM     no memory for a new SSRC, or the library failed
 *
 * On an error the content of buf is undefined and *len is unchanged.  No
 * error needs a reaction other than dropping the packet and counting it.
 */

#ifndef MH_SRTP_H
#define MH_SRTP_H

#include <stddef.h>
#include <stdint.h>


enum mh_srtp_limits {
    MH_SRTP_KEY_MAX = 32,       /* octets of a master key */
    MH_SRTP_SALT_MAX = 14,      /* octets of a master salt */
    MH_SRTP_OVERHEAD_MAX = 20,  /* largest tag, and the SRTCP index */
    MH_SRTP_SSRC_MAX = 1024,    /* SSRCs in the life of an object: none
                                   is forgotten, more are refused */
    MH_SRTP_WINDOW = 128        /* replay window in packets */
};


/*
 * The numbers are IANA's "DTLS-SRTP Protection Profiles"; beyond 16 bits
 * ours, for what only RFC 4568 has a name for (RFC 6188).
 */

enum mh_srtp_profile {
    MH_SRTP_AES_CM_128_HMAC_SHA1_80 = 0x0001,
    MH_SRTP_AES_CM_128_HMAC_SHA1_32 = 0x0002,
    MH_SRTP_AEAD_AES_128_GCM = 0x0007,
    MH_SRTP_AEAD_AES_256_GCM = 0x0008,
    MH_SRTP_AES_CM_256_HMAC_SHA1_80 = 0x10001,
    MH_SRTP_AES_CM_256_HMAC_SHA1_32 = 0x10002
};


enum mh_srtp_direction {
    MH_SRTP_PROTECT = 0,
    MH_SRTP_UNPROTECT
};


struct mh_srtp;


/*
 * Chooses the library for all objects that are allocated from then on.
 * Without a call it is the first name that mh_srtp_backends() gives.
 *
 * @param name  "evp" (OpenSSL, always there) or "libsrtp2" (when built with
 *              make SRTP=libsrtp2)
 *
 * @return 0, or ENOENT when this build has no such backend
 */
int mh_srtp_backend_set(const char *name);


/* @return the names of the backends of this build, separated by a space */
const char *mh_srtp_backends(void);


/*
 * Master key and salt lengths of a profile.
 *
 * @param profile   IANA's number
 * @param key_len   set to 16 or 32
 * @param salt_len  set to 14 (AES_CM) or 12 (GCM)
 *
 * @return 0, or ENOTSUP for an unknown profile
 */
int mh_srtp_profile_lengths(unsigned profile, size_t *key_len,
    size_t *salt_len);


/*
 * Allocates one direction.  The master key is not kept: session keys are
 * derived at once (RFC 3711 4.3, key derivation rate 0) and are cleansed by
 * the destructor.  Free it with mem_deref().
 *
 * @param sp         set to the object on success
 * @param direction  what this object will be used for
 * @param profile    IANA's number of the profile
 * @param key        master key, as long as mh_srtp_profile_lengths() says
 * @param salt       master salt, the same
 *
 * @return 0, ENOTSUP (profile), ENOMEM
 */
int mh_srtp_alloc(struct mh_srtp **sp, enum mh_srtp_direction direction,
    unsigned profile, const uint8_t *key, const uint8_t *salt);


/*
 * Protects one RTP packet in place.  The rollover counter of its SSRC is
 * found as a receiver would (RFC 3711 3.3.1), so packets may come a little
 * out of order; the same sequence number twice is refused (EALREADY),
 * because it would use a key stream twice.
 *
 * @param s     an object of direction MH_SRTP_PROTECT
 * @param buf   the packet
 * @param len   in: its length; out: the length with the tag
 * @param size  room in buf, at least *len + MH_SRTP_OVERHEAD_MAX to be safe
 *
 * @return 0 or an error as above
 */
int mh_srtp_protect(struct mh_srtp *s, uint8_t *buf, size_t *len,
    size_t size);


/*
 * Authenticates and decrypts one SRTP packet in place.
 *
 * @param s    an object of direction MH_SRTP_UNPROTECT
 * @param buf  the packet
 * @param len  in: its length; out: the length without the tag
 *
 * @return 0 or an error as above
 */
int mh_srtp_unprotect(struct mh_srtp *s, uint8_t *buf, size_t *len);


/*
 * Protects one compound RTCP packet in place.  Its SRTCP index counts from 1
 * for each SSRC, or over all SSRCs of the object (backend evp).  Arguments
 * and errors as mh_srtp_protect().
 */
int mh_srtp_protect_rtcp(struct mh_srtp *s, uint8_t *buf, size_t *len,
    size_t size);


/*
 * Authenticates and decrypts one SRTCP packet in place.  Arguments and
 * errors as mh_srtp_unprotect().
 */
int mh_srtp_unprotect_rtcp(struct mh_srtp *s, uint8_t *buf, size_t *len);


/* @return the number of SSRCs that the object has state for */
unsigned mh_srtp_streams(const struct mh_srtp *s);


#endif /* MH_SRTP_H */
