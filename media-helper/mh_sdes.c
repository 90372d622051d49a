
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Reads and writes a=crypto (RFC 4568 9.1):
 *
 *     <tag> <suite> inline:<key||salt>["|"<lifetime>]["|"<MKI>:<length>]
 *         [<session parameters>]
 *
 * No state, no timer.
 */


#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mh_sdes.h"
#include "mh_sdp_text.h"
#include "mh_srtp.h"


/* the order of our offers: what every peer has comes first */

static const struct {
    const char  *name;
    unsigned     profile;
    size_t       key;
    size_t       salt;
}  mh_sdes_suites[MH_SDES_SUITES] = {
    { "AES_CM_128_HMAC_SHA1_80", MH_SRTP_AES_CM_128_HMAC_SHA1_80, 16, 14 },
    { "AEAD_AES_128_GCM", MH_SRTP_AEAD_AES_128_GCM, 16, 12 },
    { "AEAD_AES_256_GCM", MH_SRTP_AEAD_AES_256_GCM, 32, 12 },
    { "AES_256_CM_HMAC_SHA1_80", MH_SRTP_AES_CM_256_HMAC_SHA1_80, 32, 14 },
    { "AES_CM_128_HMAC_SHA1_32", MH_SRTP_AES_CM_128_HMAC_SHA1_32, 16, 14 },
    { "AES_256_CM_HMAC_SHA1_32", MH_SRTP_AES_CM_256_HMAC_SHA1_32, 32, 14 }
};


static const char  mh_sdes_base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";


static int mh_sdes_key(struct pl text, struct mh_sdes_line *line);
static int mh_sdes_extra(const struct pl *text, bool mki,
    struct mh_sdes_line *line);
static bool mh_sdes_lifetime(const struct pl *text);
static int mh_sdes_mki(struct pl text, struct mh_sdes_line *line);
static int mh_sdes_session(const struct pl *text);
static bool mh_sdes_decode(const struct pl *text, uint8_t *out, size_t len);


int
mh_sdes_parse(const struct pl *value, struct mh_sdes_line *line)
{
    int                  err, suite;
    uint64_t             tag;
    struct pl            rest, word, params;
    struct mh_sdes_line  l;

    memset(&l, 0, sizeof(l));
    rest = *value;

    if (!mh_pl_word(&rest, &word) || word.l > 9
        || !mh_pl_number(&word, 999999999, &tag))
    {
        return EBADMSG;
    }

    l.tag = (uint32_t) tag;

    if (!mh_pl_word(&rest, &word) || !mh_pl_word(&rest, &params)) {
        return EBADMSG;
    }

    suite = mh_sdes_find(&word);

    if (suite == -1) {
        return ENOTSUP;
    }

    l.suite = (unsigned) suite;

    err = mh_sdes_key(params, &l);

    while (err == 0 && mh_pl_word(&rest, &word)) {
        err = mh_sdes_session(&word);
    }

    if (err == 0) {
        *line = l;
    }

    explicit_bzero(&l, sizeof(l));

    return err;
}


size_t
mh_sdes_print(const struct mh_sdes_line *line, bool pad, char *buf,
    size_t size)
{
    int       n;
    char      text[MH_SDES_KEY / 3 * 4 + 8];
    size_t    i, k, len, bits;
    uint32_t  word;

    len = mh_sdes_key_salt_len(line->suite);
    k = 0;
    word = 0;
    bits = 0;

    for (i = 0; i < len; i++) {
        word = word << 8 | line->key[i];

        for (bits += 8; bits >= 6; bits -= 6) {
            text[k++] = mh_sdes_base64[word >> (bits - 6) & 0x3f];
        }
    }

    if (bits) {
        text[k++] = mh_sdes_base64[word << (6 - bits) & 0x3f];
    }

    while (pad && k % 4) {
        text[k++] = '=';
    }

    n = snprintf(buf, size, "a=crypto:%u %s inline:%.*s\r\n", line->tag,
                 mh_sdes_suites[line->suite].name, (int) k, text);

    explicit_bzero(text, sizeof(text));

    return (n < 0 || (size_t) n >= size) ? 0 : (size_t) n;
}


unsigned
mh_sdes_profile(unsigned suite)
{
    return mh_sdes_suites[suite].profile;
}


size_t
mh_sdes_key_len(unsigned suite)
{
    return mh_sdes_suites[suite].key;
}


size_t
mh_sdes_key_salt_len(unsigned suite)
{
    return mh_sdes_suites[suite].key + mh_sdes_suites[suite].salt;
}


const char *
mh_sdes_name(unsigned suite)
{
    return mh_sdes_suites[suite].name;
}


int
mh_sdes_find(const struct pl *name)
{
    unsigned  i;

    for (i = 0; i < MH_SDES_SUITES; i++) {

        if (mh_pl_is_nocase(name, mh_sdes_suites[i].name)) {
            return (int) i;
        }
    }

    return -1;
}


/* inline:<key||salt>[|lifetime][|MKI:length]; one only */

static int
mh_sdes_key(struct pl text, struct mh_sdes_line *line)
{
    int        err;
    bool       mki;
    struct pl  one, method, key, extra;

    mh_pl_part(&text, ';', &one);

    if (text.l) {

        /* several keys are told apart by their MKI (6.1) */

        return ENOTSUP;
    }

    mh_pl_part(&one, ':', &method);

    if (!mh_pl_is_nocase(&method, "inline")) {
        return method.l ? ENOTSUP : EBADMSG;
    }

    if (one.l && one.p[one.l - 1] == '|') {
        return EBADMSG;
    }

    mh_pl_part(&one, '|', &key);

    if (!mh_sdes_decode(&key, line->key, mh_sdes_key_salt_len(line->suite))) {
        return EBADMSG;
    }

    for (mki = false; mh_pl_part(&one, '|', &extra); /* void */ ) {
        err = mh_sdes_extra(&extra, mki, line);
        if (err) {
            return err;
        }

        mki = true;
    }

    return 0;
}


/* the first may be either, the second is the MKI */

static int
mh_sdes_extra(const struct pl *text, bool second, struct mh_sdes_line *line)
{
    if (line->mki_len) {
        return EBADMSG;
    }

    if (memchr(text->p, ':', text->l) != NULL) {
        return mh_sdes_mki(*text, line);
    }

    return (!second && mh_sdes_lifetime(text)) ? 0 : EBADMSG;
}


/*
 * Packets that the key is good for, "2^20" or "1048576": at most 2^48
 * (RFC 3711 9.2).  It binds who sends with the key, so we only check it.
 */

static bool
mh_sdes_lifetime(const struct pl *text)
{
    uint64_t   n;
    struct pl  power;

    n = 0;

    if (text->l > 2 && memcmp(text->p, "2^", 2) == 0) {
        power.p = text->p + 2;
        power.l = text->l - 2;

        return mh_pl_number(&power, 48, &n);
    }

    return mh_pl_number(text, (uint64_t) 1 << 48, &n) && n != 0;
}


/* a number, and the octets that it has in a packet */

static int
mh_sdes_mki(struct pl text, struct mh_sdes_line *line)
{
    unsigned   i;
    uint64_t   value, len;
    struct pl  number;

    mh_pl_part(&text, ':', &number);

    if (!mh_pl_number(&number, UINT64_MAX, &value)
        || !mh_pl_number(&text, 128, &len) || len == 0
        || (len < 8 && value >> (8 * len)))
    {
        return EBADMSG;
    }

    if (len > MH_SDES_MKI) {
        return ENOTSUP;
    }

    line->mki_len = (uint8_t) len;

    for (i = 1; i <= len && i <= 8; i++) {
        line->mki[len - i] = (uint8_t) (value >> (8 * (i - 1)));
    }

    return 0;
}


/*
 * RFC 4568 6.3: those that change the packets make a line useless, unknown
 * ones too unless they begin with "-".  WSH only asks for a window, and ours
 * is 128.
 */

static int
mh_sdes_session(const struct pl *text)
{
    if (text->p[0] == '-'
        || (text->l > 4 && strncasecmp(text->p, "WSH=", 4) == 0))
    {
        return 0;
    }

    return ENOTSUP;
}


/* exactly len octets, with or without "=" at the end */

static bool
mh_sdes_decode(const struct pl *text, uint8_t *out, size_t len)
{
    size_t       i, k, n, bits;
    uint32_t     word;
    const char  *p;

    n = text->l;

    while (n && text->l - n < 2 && text->p[n - 1] == '=') {
        n--;
    }

    if (n != (len * 8 + 5) / 6 || (text->l != n && text->l % 4)) {
        return false;
    }

    k = 0;
    bits = 0;
    word = 0;

    for (i = 0; i < n; i++) {
        p = text->p[i] ? strchr(mh_sdes_base64, text->p[i]) : NULL;

        if (p == NULL) {
            return false;
        }

        word = word << 6 | (uint32_t) (p - mh_sdes_base64);
        bits += 6;

        if (bits >= 8) {
            bits -= 8;
            out[k++] = (uint8_t) (word >> bits);
        }
    }

    return true;
}
