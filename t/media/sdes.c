/*
 * Copyright (C) the IMS portal authors
 *
 * a=crypto and SRTP of the IMS end; see sdes.h.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "sdes.h"


enum {
    KEY_MAX = 46
};


static void
policy_cm_32(srtp_crypto_policy_t *p)
{
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(p);
}


static void
policy_cm_80(srtp_crypto_policy_t *p)
{
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(p);
}


static const struct {
    const char  *name;
    size_t       len;           /* key and salt */
    void       (*rtp)(srtp_crypto_policy_t *p);
    void       (*rtcp)(srtp_crypto_policy_t *p);
} suites[] = {
    { "AES_CM_128_HMAC_SHA1_80", 30, policy_cm_80, policy_cm_80 },
    { "AES_CM_128_HMAC_SHA1_32", 30, policy_cm_32, policy_cm_80 },
    { "AEAD_AES_128_GCM", 28, srtp_crypto_policy_set_aes_gcm_128_16_auth,
      srtp_crypto_policy_set_aes_gcm_128_16_auth },
    { "AEAD_AES_256_GCM", 44, srtp_crypto_policy_set_aes_gcm_256_16_auth,
      srtp_crypto_policy_set_aes_gcm_256_16_auth },
    { "AES_256_CM_HMAC_SHA1_80", 46,
      srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80,
      srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
    { "AES_256_CM_HMAC_SHA1_32", 46,
      srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32,
      srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
};


static unsigned
suite_of(const char *name)
{
    unsigned  i;

    for (i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        if (strcmp(suites[i].name, name) == 0) {
            return i;
        }
    }

    fprintf(stderr, "no suite %s\n", name);
    exit(2);
}


void
sdes_renew(struct sdes *s)
{
    uint8_t  key[KEY_MAX];

    if (RAND_bytes(key, sizeof(key)) != 1) {
        exit(2);
    }

    (void) EVP_EncodeBlock((unsigned char *) s->key, key,
                           (int) suites[suite_of(s->suite)].len);
    s->peer[0] = '\0';
}


void
sdes_open(struct sdes *s, const char *suite)
{
    memset(s, 0, sizeof(*s));
    s->profile = "RTP/SAVP";
    s->transport = "RTP/SAVP";
    s->suite = suite;
    s->tag = 7;
    sdes_renew(s);
}


void
sdes_close(struct sdes *s)
{
    if (s->tx != NULL) {
        srtp_dealloc(s->tx);
    }

    if (s->rx != NULL) {
        srtp_dealloc(s->rx);
    }

    s->tx = s->rx = NULL;
}


size_t
sdes_line(const struct sdes *s, int answer, char *buf, size_t size)
{
    buf[0] = '\0';

    if (s->none) {
        return 0;
    }

    return (size_t) snprintf(buf, size, "%sa=crypto:%u %s inline:%s%s\r\n",
                             !answer && s->before ? s->before : "",
                             s->tag + (s->wrong_tag ? 10 : 0), s->suite,
                             s->key, s->after ? s->after : "");
}


static int
session(srtp_t *t, const struct sdes *s, const char *text,
    srtp_ssrc_type_t type)
{
    char            full[80];
    size_t          n;
    uint8_t         key[64];
    unsigned        i;
    srtp_policy_t   policy;

    /* "=" at the end may have been left out */

    n = (size_t) snprintf(full, sizeof(full) - 4, "%s", text);

    while (n % 4) {
        full[n++] = '=';
        full[n] = '\0';
    }

    i = suite_of(s->suite);

    if (EVP_DecodeBlock(key, (unsigned char *) full, (int) n)
        < (int) suites[i].len)
    {
        return -1;
    }

    if (*t != NULL) {
        srtp_dealloc(*t);
        *t = NULL;
    }

    memset(&policy, 0, sizeof(policy));
    suites[i].rtp(&policy.rtp);
    suites[i].rtcp(&policy.rtcp);
    policy.key = key;
    policy.ssrc.type = type;
    policy.window_size = 128;

    return srtp_create(t, &policy) == srtp_err_status_ok ? 0 : -1;
}


int
sdes_remote(struct sdes *s, const char *sdp)
{
    int          n;
    char         suite[64], key[80];
    unsigned     tag;
    const char  *p;

    for (p = strstr(sdp, "a=crypto:"); p != NULL;
         p = strstr(p + 1, "a=crypto:"))
    {
        n = sscanf(p, "a=crypto:%u %63s inline:%79[A-Za-z0-9+/=]", &tag,
                   suite, key);

        if (n == 3 && strcmp(suite, s->suite) == 0) {
            break;
        }
    }

    if (p == NULL) {
        return -1;
    }

    s->tag = tag;

    /* the same keys again: the sessions and their rollover stay */

    if (strcmp(key, s->peer) == 0) {
        return 0;
    }

    (void) snprintf(s->peer, sizeof(s->peer), "%s", key);

    if (session(&s->tx, s, s->key, ssrc_any_outbound) != 0) {
        return -1;
    }

    return session(&s->rx, s, s->peer, ssrc_any_inbound);
}


size_t
sdes_protect(struct sdes *s, uint8_t *buf, size_t len, int rtcp)
{
    int                n;
    srtp_err_status_t  st;

    n = (int) len;
    st = rtcp ? srtp_protect_rtcp(s->tx, buf, &n)
              : srtp_protect(s->tx, buf, &n);

    return (st == srtp_err_status_ok) ? (size_t) n : 0;
}


size_t
sdes_unprotect(struct sdes *s, uint8_t *buf, size_t len, int rtcp)
{
    int                n;
    srtp_err_status_t  st;

    n = (int) len;
    st = rtcp ? srtp_unprotect_rtcp(s->rx, buf, &n)
              : srtp_unprotect(s->rx, buf, &n);

    return (st == srtp_err_status_ok) ? (size_t) n : 0;
}
