/*
 * Copyright (C) the IMS portal authors
 *
 * SRTP on OpenSSL's EVP: key derivation (RFC 3711 4.3), AES-CM with
 * HMAC-SHA1 (4.1, 4.2) and AES-GCM (RFC 7714).  Called by mh_srtp.c, which
 * has checked the packet.
 *
 * What makes it flat and fast: ciphers are fetched and keyed once per
 * object, a packet only sets the IV; the HMAC starts from two SHA-1 states
 * that have taken the padded key already.  These states need SHA_CTX, which
 * can be copied by assignment: EVP_MD_CTX_copy_ex() allocates, and a reused
 * EVP_MAC_CTX costs half as much again as the whole packet.
 */

#define OPENSSL_API_COMPAT  0x10100000L

#include <errno.h>
#include <string.h>
#include <stdint.h>
#include <re.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "mh_srtp_backend.h"
#include "mh_srtp_stream.h"


enum {
    RTCP_HEADER = 8,
    SRTCP_INDEX = 4,
    SHA1_KEY = 20,              /* RFC 3711 8.2: n_a = 160 bits */
    LABEL_RTP = 0,              /* RFC 3711 4.3.1 */
    LABEL_RTCP = 3
};


#define RTCP_INDEX_MAX  ((uint64_t) 0x7fffffff)


/* the session keys of RTP or of RTCP */

struct session {
    EVP_CIPHER_CTX  *cipher;
    uint8_t          salt[16];
    SHA_CTX          inner;
    SHA_CTX          outer;
};


struct evp {
    const struct mh_srtp_suite  *suite;
    int                          protect;
    struct session               rtp;
    struct session               rtcp;
    struct mh_srtp_table         streams;
    uint64_t                     rtcp_index;  /* last one sent */
};


static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static void
put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 24);
    p[1] = (uint8_t) (v >> 16);
    p[2] = (uint8_t) (v >> 8);
    p[3] = (uint8_t) v;
}


/* RFC 2104: H(K ^ opad, H(K ^ ipad, text)), the text's tail given apart */

static void
hmac(const struct session *ses, const uint8_t *buf, size_t len,
    const uint8_t *tail, uint8_t *mac)
{
    SHA_CTX  c;

    c = ses->inner;
    SHA1_Update(&c, buf, len);

    if (tail != NULL) {
        SHA1_Update(&c, tail, 4);
    }

    SHA1_Final(mac, &c);

    c = ses->outer;
    SHA1_Update(&c, mac, SHA_DIGEST_LENGTH);
    SHA1_Final(mac, &c);
}


/* RFC 3711 4.1.1: IV = (salt << 16) ^ (SSRC << 64) ^ (index << 16) */

static int
cm_crypt(const struct session *ses, uint32_t ssrc, uint64_t index,
    uint8_t *buf, size_t len)
{
    int      n;
    uint8_t  iv[16], x[12];
    size_t   i;

    put32(x, ssrc);
    put32(x + 4, (uint32_t) (index >> 16));
    x[8] = (uint8_t) (index >> 8);
    x[9] = (uint8_t) index;

    memcpy(iv, ses->salt, sizeof(iv));

    for (i = 0; i < 10; i++) {
        iv[4 + i] ^= x[i];
    }

    if (EVP_CipherInit_ex2(ses->cipher, NULL, NULL, iv, -1, NULL) != 1
        || EVP_CipherUpdate(ses->cipher, buf, &n, buf, (int) len) != 1)
    {
        return ENOMEM;
    }

    return 0;
}


/*
 * One AEAD run over buf: [aad][plain or cipher text][tag].  extra is
 * associated data that is elsewhere in the packet, NULL for none.
 */

static int
gcm_crypt(const struct session *ses, int protect, const uint8_t *iv,
    uint8_t *buf, size_t aad, size_t text, const uint8_t *extra)
{
    int              n;
    uint8_t         *tag;
    EVP_CIPHER_CTX  *c;

    c = ses->cipher;
    tag = buf + aad + text;

    if (EVP_CipherInit_ex2(c, NULL, NULL, iv, -1, NULL) != 1) {
        return ENOMEM;
    }

    if (!protect
        && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, tag) != 1)
    {
        return ENOMEM;
    }

    if (EVP_CipherUpdate(c, NULL, &n, buf, (int) aad) != 1
        || (extra != NULL
            && EVP_CipherUpdate(c, NULL, &n, extra, SRTCP_INDEX) != 1)
        || (text != 0
            && EVP_CipherUpdate(c, buf + aad, &n, buf + aad, (int) text)
               != 1))
    {
        return ENOMEM;
    }

    if (EVP_CipherFinal_ex(c, tag, &n) != 1) {
        return protect ? ENOMEM : EACCES;
    }

    if (protect
        && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, tag) != 1)
    {
        return ENOMEM;
    }

    return 0;
}


static int
rtp_cm(struct evp *e, uint8_t *buf, size_t hdr, size_t *len, uint32_t ssrc,
    uint64_t index)
{
    int      err;
    uint8_t  roc[4], mac[SHA_DIGEST_LENGTH];
    size_t   n, tag;

    tag = e->suite->rtp_tag;
    put32(roc, (uint32_t) (index >> 16));

    if (e->protect) {
        n = *len;

        err = cm_crypt(&e->rtp, ssrc, index, buf + hdr, n - hdr);
        if (err) {
            return err;
        }

        hmac(&e->rtp, buf, n, roc, mac);
        memcpy(buf + n, mac, tag);
        *len = n + tag;

        return 0;
    }

    n = *len - tag;
    hmac(&e->rtp, buf, n, roc, mac);

    if (CRYPTO_memcmp(buf + n, mac, tag) != 0) {
        return EACCES;
    }

    err = cm_crypt(&e->rtp, ssrc, index, buf + hdr, n - hdr);
    if (err == 0) {
        *len = n;
    }

    return err;
}


/* RFC 7714 8.1: IV = (00 00 || SSRC || ROC || SEQ) ^ salt */

static int
rtp_gcm(struct evp *e, uint8_t *buf, size_t hdr, size_t *len, uint32_t ssrc,
    uint64_t index)
{
    int      err;
    size_t   i, n;
    uint8_t  iv[12];

    iv[0] = iv[1] = 0;
    put32(iv + 2, ssrc);
    put32(iv + 6, (uint32_t) (index >> 16));
    iv[10] = (uint8_t) (index >> 8);
    iv[11] = (uint8_t) index;

    for (i = 0; i < sizeof(iv); i++) {
        iv[i] ^= e->rtp.salt[i];
    }

    n = e->protect ? *len : *len - e->suite->rtp_tag;

    err = gcm_crypt(&e->rtp, e->protect, iv, buf, hdr, n - hdr, NULL);
    if (err == 0) {
        *len = e->protect ? n + e->suite->rtp_tag : n;
    }

    return err;
}


static int
evp_rtp(void *arg, uint8_t *buf, size_t hdr, size_t *len)
{
    int                     err;
    uint16_t                seq;
    uint32_t                ssrc;
    uint64_t                index;
    struct evp             *e = arg;
    struct mh_srtp_stream  *st;

    seq = (uint16_t) (buf[2] << 8 | buf[3]);
    ssrc = get32(buf + 8);
    index = seq;

    st = mh_srtp_stream_find(&e->streams, ssrc);

    if (st != NULL) {
        err = mh_srtp_index_estimate(&st->rtp, seq, &index);
        if (err) {
            return err;
        }

        err = mh_srtp_window_check(&st->rtp, index);
        if (err) {
            return err;
        }

    } else if (e->protect) {
        err = mh_srtp_stream_reserve(&e->streams);
        if (err) {
            return err;
        }
    }

    err = e->suite->aead ? rtp_gcm(e, buf, hdr, len, ssrc, index)
                         : rtp_cm(e, buf, hdr, len, ssrc, index);
    if (err) {
        return err;
    }

    if (st == NULL) {
        err = mh_srtp_stream_add(&e->streams, ssrc, &st);
        if (err) {
            return err;
        }
    }

    mh_srtp_window_take(&st->rtp, index);

    return 0;
}


/* RFC 3711 3.4: packet || E and index || tag, the tag over all before it */

static int
rtcp_cm(struct evp *e, uint8_t *buf, size_t *len, uint32_t ssrc,
    uint32_t index)
{
    int      err;
    uint8_t  mac[SHA_DIGEST_LENGTH];
    size_t   n, tag;

    tag = e->suite->rtcp_tag;

    if (e->protect) {
        n = *len;

        err = cm_crypt(&e->rtcp, ssrc, index, buf + RTCP_HEADER,
                       n - RTCP_HEADER);
        if (err) {
            return err;
        }

        put32(buf + n, index | 0x80000000);
        hmac(&e->rtcp, buf, n + SRTCP_INDEX, NULL, mac);
        memcpy(buf + n + SRTCP_INDEX, mac, tag);
        *len = n + SRTCP_INDEX + tag;

        return 0;
    }

    n = *len - tag - SRTCP_INDEX;
    hmac(&e->rtcp, buf, n + SRTCP_INDEX, NULL, mac);

    if (CRYPTO_memcmp(buf + n + SRTCP_INDEX, mac, tag) != 0) {
        return EACCES;
    }

    err = cm_crypt(&e->rtcp, ssrc, index, buf + RTCP_HEADER,
                   n - RTCP_HEADER);
    if (err == 0) {
        *len = n;
    }

    return err;
}


/*
 * RFC 7714 9: packet || tag || E and index; the associated data are the
 * first eight octets and the word with the index; IV = (00 00 || SSRC ||
 * 00 00 || index) ^ salt
 */

static int
rtcp_gcm(struct evp *e, uint8_t *buf, size_t *len, uint32_t ssrc,
    uint32_t index)
{
    int      err;
    size_t   i, n, tag;
    uint8_t  iv[12], word[SRTCP_INDEX];

    memset(iv, 0, sizeof(iv));
    put32(iv + 2, ssrc);
    put32(iv + 8, index);

    for (i = 0; i < sizeof(iv); i++) {
        iv[i] ^= e->rtcp.salt[i];
    }

    put32(word, index | 0x80000000);

    tag = e->suite->rtcp_tag;
    n = e->protect ? *len : *len - tag - SRTCP_INDEX;

    err = gcm_crypt(&e->rtcp, e->protect, iv, buf, RTCP_HEADER,
                    n - RTCP_HEADER, word);
    if (err) {
        return err;
    }

    if (e->protect) {
        memcpy(buf + n + tag, word, SRTCP_INDEX);
        n += tag + SRTCP_INDEX;
    }

    *len = n;

    return 0;
}


static int
evp_rtcp(void *arg, uint8_t *buf, size_t *len)
{
    int                     err;
    size_t                  word;
    uint32_t                ssrc;
    uint64_t                index;
    struct evp             *e = arg;
    struct mh_srtp_stream  *st;

    ssrc = get32(buf + 4);
    st = mh_srtp_stream_find(&e->streams, ssrc);

    if (e->protect) {

        /* one counter for all SSRCs */

        index = e->rtcp_index + 1;
        if (index > RTCP_INDEX_MAX) {
            return EOVERFLOW;
        }

        err = (st == NULL) ? mh_srtp_stream_reserve(&e->streams) : 0;

    } else {
        word = *len - SRTCP_INDEX - (e->suite->aead ? 0 : e->suite->rtcp_tag);
        index = get32(buf + word) & RTCP_INDEX_MAX;

        err = (st != NULL) ? mh_srtp_window_check(&st->rtcp, index) : 0;
    }

    if (err) {
        return err;
    }

    err = e->suite->aead ? rtcp_gcm(e, buf, len, ssrc, (uint32_t) index)
                         : rtcp_cm(e, buf, len, ssrc, (uint32_t) index);
    if (err) {
        return err;
    }

    if (e->protect) {
        e->rtcp_index = index;
    }

    if (st == NULL) {
        err = mh_srtp_stream_add(&e->streams, ssrc, &st);
        if (err) {
            return err;
        }
    }

    mh_srtp_window_take(&st->rtcp, index);

    return 0;
}


/*
 * RFC 3711 4.3.3: AES-CM key stream of the master key at
 * (master_salt ^ label << 48) << 16; a 96-bit salt is padded on the right
 * (RFC 7714 11).
 */

static int
kdf(EVP_CIPHER_CTX *c, const uint8_t *salt, uint8_t label, uint8_t *out,
    size_t len)
{
    int      n;
    uint8_t  iv[16];

    memset(iv, 0, sizeof(iv));
    memcpy(iv, salt, MH_SRTP_SALT_MAX);
    iv[7] ^= label;

    memset(out, 0, len);

    if (EVP_CipherInit_ex2(c, NULL, NULL, iv, 1, NULL) != 1
        || EVP_CipherUpdate(c, out, &n, out, (int) len) != 1)
    {
        return ENOMEM;
    }

    return 0;
}


static void
hmac_key(struct session *ses, const uint8_t *key)
{
    size_t   i;
    uint8_t  pad[SHA_CBLOCK];

    memset(pad, 0x36, sizeof(pad));

    for (i = 0; i < SHA1_KEY; i++) {
        pad[i] ^= key[i];
    }

    SHA1_Init(&ses->inner);
    SHA1_Update(&ses->inner, pad, sizeof(pad));

    for (i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }

    SHA1_Init(&ses->outer);
    SHA1_Update(&ses->outer, pad, sizeof(pad));

    OPENSSL_cleanse(pad, sizeof(pad));
}


/* keys a session: the key, and the salt of 14 or 12 octets, are its own */

static int
session_key(struct session *ses, const struct mh_srtp_suite *suite,
    int protect, const uint8_t *key)
{
    int          ok;
    const char  *name;
    EVP_CIPHER  *cipher;

    if (suite->aead) {
        name = (suite->key_len == 32) ? "AES-256-GCM" : "AES-128-GCM";

    } else {
        name = (suite->key_len == 32) ? "AES-256-CTR" : "AES-128-CTR";
    }

    ses->cipher = EVP_CIPHER_CTX_new();
    cipher = EVP_CIPHER_fetch(NULL, name, NULL);

    ok = ses->cipher != NULL && cipher != NULL
         && EVP_CipherInit_ex2(ses->cipher, cipher, key, NULL, protect, NULL)
            == 1;

    EVP_CIPHER_free(cipher);

    return ok ? 0 : ENOMEM;
}


static int
session_derive(struct session *ses, const struct mh_srtp_suite *suite,
    int protect, EVP_CIPHER_CTX *master, const uint8_t *salt, uint8_t label)
{
    int      err;
    uint8_t  key[MH_SRTP_KEY_MAX], auth[SHA1_KEY];

    err = kdf(master, salt, label, key, suite->key_len)
          || kdf(master, salt, label + 1, auth, sizeof(auth))
          || kdf(master, salt, label + 2, ses->salt, suite->salt_len);

    if (err) {
        err = ENOMEM;
        goto out;
    }

    if (!suite->aead) {
        hmac_key(ses, auth);
    }

    err = session_key(ses, suite, protect, key);

out:

    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(auth, sizeof(auth));

    return err;
}


static void
evp_destructor(void *arg)
{
    struct evp  *e = arg;

    /* the key schedules are cleansed by OpenSSL itself */

    EVP_CIPHER_CTX_free(e->rtp.cipher);
    EVP_CIPHER_CTX_free(e->rtcp.cipher);
    mh_srtp_table_close(&e->streams);

    OPENSSL_cleanse(&e->rtp, sizeof(e->rtp));
    OPENSSL_cleanse(&e->rtcp, sizeof(e->rtcp));
}


static int
evp_alloc(void **bp, enum mh_srtp_direction direction,
    const struct mh_srtp_suite *suite, const uint8_t *key,
    const uint8_t *salt)
{
    int              err;
    uint8_t          pad[MH_SRTP_SALT_MAX];
    struct evp      *e;
    EVP_CIPHER      *cipher;
    EVP_CIPHER_CTX  *master;

    e = mem_zalloc(sizeof(*e), evp_destructor);
    if (e == NULL) {
        return ENOMEM;
    }

    err = ENOMEM;

    cipher = EVP_CIPHER_fetch(NULL, (suite->key_len == 32) ? "AES-256-CTR"
                                                           : "AES-128-CTR",
                              NULL);
    master = EVP_CIPHER_CTX_new();

    e->suite = suite;
    e->protect = (direction == MH_SRTP_PROTECT);

    if (mh_srtp_table_init(&e->streams) != 0
        || master == NULL || cipher == NULL
        || EVP_CipherInit_ex2(master, cipher, key, NULL, 1, NULL) != 1)
    {
        goto out;
    }

    memset(pad, 0, sizeof(pad));
    memcpy(pad, salt, suite->salt_len);

    err = session_derive(&e->rtp, suite, e->protect, master, pad, LABEL_RTP);
    if (err) {
        goto out;
    }

    err = session_derive(&e->rtcp, suite, e->protect, master, pad,
                         LABEL_RTCP);

out:

    EVP_CIPHER_CTX_free(master);
    EVP_CIPHER_free(cipher);

    if (err) {
        mem_deref(e);

    } else {
        *bp = e;
    }

    return err;
}


static unsigned
evp_streams(const void *arg)
{
    const struct evp  *e = arg;

    return e->streams.n;
}


const struct mh_srtp_backend  mh_srtp_evp = {
    "evp", evp_alloc, evp_rtp, evp_rtcp, evp_streams
};
