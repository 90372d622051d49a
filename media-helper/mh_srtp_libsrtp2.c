/*
 * Copyright (C) the IMS portal authors
 *
 * SRTP on libsrtp2, the only file that knows it (its next version has
 * another srtp_protect()).  Called by mh_srtp.c, which has checked the
 * packet.
 *
 * The library's wildcard streams already make state only for what
 * authenticated, but without a limit; the table here remembers which SSRCs
 * there are, so that no more than MH_SRTP_SSRC_MAX are taken.  None is
 * removed: one that came back would begin again at index 0.
 */

#include <errno.h>
#include <string.h>
#include <stdint.h>
#include <re.h>
#include <openssl/crypto.h>
#include <srtp2/srtp.h>

#include "mh_srtp_backend.h"


enum {
    KNOWN_FIRST = 4
};


struct lib {
    srtp_t      session;
    int         protect;
    uint32_t   *known;
    unsigned    nknown;
    unsigned    room;
    unsigned    last;           /* the one found last */
};


static int
lib_error(srtp_err_status_t st)
{
    switch (st) {

    case srtp_err_status_ok:
        return 0;

    case srtp_err_status_auth_fail:
    case srtp_err_status_cant_check:
        return EACCES;

    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_pkt_idx_old:
        return EALREADY;

    case srtp_err_status_key_expired:
        return EOVERFLOW;

    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err:
        return EBADMSG;

    default:
        return ENOMEM;
    }
}


/* room for the SSRC at p, should the packet be good; *is_new: unknown yet */

static int
lib_reserve(struct lib *l, const uint8_t *p, uint32_t *ssrc, int *is_new)
{
    unsigned   i, room;
    uint32_t  *known;

    *ssrc = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
            | (uint32_t) p[2] << 8 | p[3];
    *is_new = 0;

    if (l->last < l->nknown && l->known[l->last] == *ssrc) {
        return 0;
    }

    for (i = 0; i < l->nknown; i++) {
        if (l->known[i] == *ssrc) {
            l->last = i;
            return 0;
        }
    }

    *is_new = 1;

    if (l->nknown < l->room) {
        return 0;
    }

    if (l->room == MH_SRTP_SSRC_MAX) {
        return ENOSPC;
    }

    room = l->room ? l->room * 2 : KNOWN_FIRST;

    known = (l->known == NULL)
            ? mem_alloc(room * sizeof(*known), NULL)
            : mem_realloc(l->known, room * sizeof(*known));

    if (known == NULL) {
        return ENOMEM;
    }

    l->known = known;
    l->room = room;

    return 0;
}


static void
lib_take(struct lib *l, uint32_t ssrc, int is_new)
{
    if (is_new) {
        l->last = l->nknown;
        l->known[l->nknown++] = ssrc;
    }
}


static int
lib_rtp(void *arg, uint8_t *buf, size_t hdr, size_t *len)
{
    int                 n, err, is_new;
    uint32_t            ssrc;
    struct lib         *l = arg;
    srtp_err_status_t   st;

    (void) hdr;

    err = lib_reserve(l, buf + 8, &ssrc, &is_new);
    if (err) {
        return err;
    }

    n = (int) *len;

    st = l->protect ? srtp_protect(l->session, buf, &n)
                    : srtp_unprotect(l->session, buf, &n);

    if (st == srtp_err_status_ok) {
        *len = (size_t) n;
        lib_take(l, ssrc, is_new);
    }

    return lib_error(st);
}


static int
lib_rtcp(void *arg, uint8_t *buf, size_t *len)
{
    int                 n, err, is_new;
    uint32_t            ssrc;
    struct lib         *l = arg;
    srtp_err_status_t   st;

    err = lib_reserve(l, buf + 4, &ssrc, &is_new);
    if (err) {
        return err;
    }

    n = (int) *len;

    st = l->protect ? srtp_protect_rtcp(l->session, buf, &n)
                    : srtp_unprotect_rtcp(l->session, buf, &n);

    if (st == srtp_err_status_ok) {
        *len = (size_t) n;
        lib_take(l, ssrc, is_new);
    }

    return lib_error(st);
}


static int
lib_policy(const struct mh_srtp_suite *suite, srtp_policy_t *policy)
{
    switch (suite->profile) {

    case MH_SRTP_AES_CM_128_HMAC_SHA1_80:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        return 0;

    case MH_SRTP_AES_CM_128_HMAC_SHA1_32:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        return 0;

    case MH_SRTP_AEAD_AES_128_GCM:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
        return 0;

    case MH_SRTP_AEAD_AES_256_GCM:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtcp);
        return 0;

    case MH_SRTP_AES_CM_256_HMAC_SHA1_80:
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy->rtcp);
        return 0;

    case MH_SRTP_AES_CM_256_HMAC_SHA1_32:
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy->rtcp);
        return 0;

    default:
        return ENOTSUP;
    }
}


static void
lib_destructor(void *arg)
{
    struct lib  *l = arg;

    if (l->session != NULL) {
        srtp_dealloc(l->session);
    }

    mem_deref(l->known);
}


static int
lib_alloc(void **bp, enum mh_srtp_direction direction,
    const struct mh_srtp_suite *suite, const uint8_t *key,
    const uint8_t *salt)
{
    int                err;
    uint8_t            both[MH_SRTP_KEY_MAX + MH_SRTP_SALT_MAX];
    struct lib        *l;
    srtp_policy_t      policy;
    static int         started;

    if (!started) {
        if (srtp_init() != srtp_err_status_ok) {
            return ENOMEM;
        }

        started = 1;
    }

    l = mem_zalloc(sizeof(*l), lib_destructor);
    if (l == NULL) {
        return ENOMEM;
    }

    l->protect = (direction == MH_SRTP_PROTECT);

    memset(&policy, 0, sizeof(policy));
    memcpy(both, key, suite->key_len);
    memcpy(both + suite->key_len, salt, suite->salt_len);

    policy.key = both;
    policy.window_size = MH_SRTP_WINDOW;
    policy.ssrc.type = l->protect ? ssrc_any_outbound : ssrc_any_inbound;

    err = lib_policy(suite, &policy);
    if (err) {
        goto out;
    }

    err = lib_error(srtp_create(&l->session, &policy));

out:

    OPENSSL_cleanse(both, sizeof(both));

    if (err) {
        mem_deref(l);

    } else {
        *bp = l;
    }

    return err;
}


static unsigned
lib_streams(const void *arg)
{
    const struct lib  *l = arg;

    return l->nknown;
}


const struct mh_srtp_backend  mh_srtp_libsrtp2 = {
    "libsrtp2", lib_alloc, lib_rtp, lib_rtcp, lib_streams
};
