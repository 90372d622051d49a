/*
 * Copyright (C) the IMS portal authors
 *
 * The door to SRTP: checks headers, lengths and room once for every
 * backend, so that none of them ever sees a malformed packet, and hands the
 * rest to the library that was chosen.  Called by the packet path.
 */

#include <errno.h>
#include <string.h>
#include <stdint.h>
#include <re.h>

#include "mh_srtp_backend.h"


enum {
    RTP_HEADER = 12,
    RTCP_HEADER = 8,
    SRTCP_INDEX = 4
};


struct mh_srtp {
    const struct mh_srtp_backend  *backend;
    const struct mh_srtp_suite    *suite;
    enum mh_srtp_direction         direction;
    void                          *ctx;
};


static const struct mh_srtp_suite  suites[] = {
    { MH_SRTP_AES_CM_128_HMAC_SHA1_80, 16, 14, 10, 10, 0 },
    { MH_SRTP_AES_CM_128_HMAC_SHA1_32, 16, 14, 4, 10, 0 },
    { MH_SRTP_AEAD_AES_128_GCM, 16, 12, 16, 16, 1 },
    { MH_SRTP_AEAD_AES_256_GCM, 32, 12, 16, 16, 1 },
    { MH_SRTP_AES_CM_256_HMAC_SHA1_80, 32, 14, 10, 10, 0 },
    { MH_SRTP_AES_CM_256_HMAC_SHA1_32, 32, 14, 4, 10, 0 }
};


static const struct mh_srtp_backend *const  backends[] = {
#ifdef MH_SRTP_LIBSRTP2
    &mh_srtp_libsrtp2,
#endif
    &mh_srtp_evp
};


static const struct mh_srtp_backend  *chosen;


static const struct mh_srtp_suite *
suite_find(unsigned profile)
{
    size_t  i;

    for (i = 0; i < ARRAY_SIZE(suites); i++) {
        if (suites[i].profile == profile) {
            return &suites[i];
        }
    }

    return NULL;
}


int
mh_srtp_backend_set(const char *name)
{
    size_t  i;

    for (i = 0; i < ARRAY_SIZE(backends); i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            chosen = backends[i];
            return 0;
        }
    }

    return ENOENT;
}


const char *
mh_srtp_backends(void)
{
#ifdef MH_SRTP_LIBSRTP2
    return "libsrtp2 evp";
#else
    return "evp";
#endif
}


int
mh_srtp_profile_lengths(unsigned profile, size_t *key_len, size_t *salt_len)
{
    const struct mh_srtp_suite  *suite;

    suite = suite_find(profile);
    if (suite == NULL) {
        return ENOTSUP;
    }

    *key_len = suite->key_len;
    *salt_len = suite->salt_len;

    return 0;
}


static void
srtp_destructor(void *arg)
{
    struct mh_srtp  *s = arg;

    mem_deref(s->ctx);
}


int
mh_srtp_alloc(struct mh_srtp **sp, enum mh_srtp_direction direction,
    unsigned profile, const uint8_t *key, const uint8_t *salt)
{
    int                          err;
    struct mh_srtp              *s;
    const struct mh_srtp_suite  *suite;

    suite = suite_find(profile);
    if (suite == NULL) {
        return ENOTSUP;
    }

    s = mem_zalloc(sizeof(*s), srtp_destructor);
    if (s == NULL) {
        return ENOMEM;
    }

    s->backend = (chosen != NULL) ? chosen : backends[0];
    s->suite = suite;
    s->direction = direction;

    err = s->backend->alloc(&s->ctx, direction, suite, key, salt);

    if (err) {
        mem_deref(s);

    } else {
        *sp = s;
    }

    return err;
}


/*
 * RFC 3550 5.1, 5.3.1: the length of the header with CSRCs and extension,
 * which stays in the clear; 0 if it is not RTP or does not fit in len.
 */

static size_t
rtp_header(const uint8_t *buf, size_t len)
{
    size_t  hdr;

    if (len < RTP_HEADER || (buf[0] & 0xc0) != 0x80) {
        return 0;
    }

    hdr = RTP_HEADER + (size_t) (buf[0] & 0x0f) * 4;

    if (buf[0] & 0x10) {
        if (len < hdr + 4) {
            return 0;
        }

        hdr += 4 + ((size_t) buf[hdr + 2] << 8 | buf[hdr + 3]) * 4;
    }

    return (hdr <= len) ? hdr : 0;
}


int
mh_srtp_protect(struct mh_srtp *s, uint8_t *buf, size_t *len, size_t size)
{
    size_t  hdr;

    hdr = rtp_header(buf, *len);
    if (hdr == 0 || s->direction != MH_SRTP_PROTECT) {
        return EBADMSG;
    }

    if (size < *len || size - *len < s->suite->rtp_tag) {
        return EMSGSIZE;
    }

    return s->backend->rtp(s->ctx, buf, hdr, len);
}


int
mh_srtp_unprotect(struct mh_srtp *s, uint8_t *buf, size_t *len)
{
    size_t  hdr;

    if (*len < s->suite->rtp_tag || s->direction != MH_SRTP_UNPROTECT) {
        return EBADMSG;
    }

    hdr = rtp_header(buf, *len - s->suite->rtp_tag);
    if (hdr == 0) {
        return EBADMSG;
    }

    return s->backend->rtp(s->ctx, buf, hdr, len);
}


int
mh_srtp_protect_rtcp(struct mh_srtp *s, uint8_t *buf, size_t *len,
    size_t size)
{
    if (*len < RTCP_HEADER || (buf[0] & 0xc0) != 0x80
        || s->direction != MH_SRTP_PROTECT)
    {
        return EBADMSG;
    }

    if (size < *len || size - *len < s->suite->rtcp_tag + SRTCP_INDEX) {
        return EMSGSIZE;
    }

    return s->backend->rtcp(s->ctx, buf, len);
}


int
mh_srtp_unprotect_rtcp(struct mh_srtp *s, uint8_t *buf, size_t *len)
{
    size_t  word;

    if (*len < RTCP_HEADER + s->suite->rtcp_tag + SRTCP_INDEX
        || (buf[0] & 0xc0) != 0x80 || s->direction != MH_SRTP_UNPROTECT)
    {
        return EBADMSG;
    }

    /* the word with the E bit: last in RFC 7714 9.2, before the tag else */

    word = *len - SRTCP_INDEX;
    if (!s->suite->aead) {
        word -= s->suite->rtcp_tag;
    }

    if ((buf[word] & 0x80) == 0) {
        return EACCES;
    }

    return s->backend->rtcp(s->ctx, buf, len);
}


unsigned
mh_srtp_streams(const struct mh_srtp *s)
{
    return s->backend->streams(s->ctx);
}
