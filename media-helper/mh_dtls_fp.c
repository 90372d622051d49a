/*
 * Copyright (C) the IMS portal authors
 *
 * Fingerprints of a peer's certificate, RFC 8122.  Used by mh_dtls.c.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <re.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "mh_dtls_fp.h"


/* RFC 8122 5; the stronger, the further down */

static const struct {
    const char  *name;
    const char  *digest;
    size_t       len;
} hashes[] = {
    { "sha-256", "SHA256", 32 },
    { "sha-384", "SHA384", 48 },
    { "sha-512", "SHA512", 64 }
};


int
mh_dtls_fp_match(const struct mh_dtls_fps *fps, const X509 *cert)
{
    unsigned        i, best, len;
    const EVP_MD   *md;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    best = 0;

    for (i = 0; i < fps->n; i++) {
        if (fps->v[i].hash > best) {
            best = fps->v[i].hash;
        }
    }

    md = EVP_get_digestbyname(hashes[best].digest);

    if (md == NULL || cert == NULL
        || X509_digest(cert, md, digest, &len) != 1)
    {
        return 0;
    }

    for (i = 0; i < fps->n; i++) {
        if (fps->v[i].hash == best
            && memcmp(fps->v[i].md, digest, hashes[best].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static int
fp_parse(struct mh_dtls_fp *f, const char *hash, const char *value)
{
    int     high, low;
    size_t  i;

    for (i = 0; i < ARRAY_SIZE(hashes); i++) {
        if (strcasecmp(hashes[i].name, hash) == 0) {
            break;
        }
    }

    if (i == ARRAY_SIZE(hashes)) {
        return ENOTSUP;
    }

    memset(f, 0, sizeof(*f));
    f->hash = (unsigned) i;

    for (i = 0; i < hashes[f->hash].len; i++) {
        high = OPENSSL_hexchar2int((unsigned char) value[0]);
        low = (high < 0) ? -1
                         : OPENSSL_hexchar2int((unsigned char) value[1]);

        if (low < 0) {
            return EBADMSG;
        }

        f->md[i] = (uint8_t) (high << 4 | low);
        value += 2;

        if (i + 1 < hashes[f->hash].len && *value++ != ':') {
            return EBADMSG;
        }
    }

    return (*value == '\0') ? 0 : EBADMSG;
}


static int
fp_find(const struct mh_dtls_fps *fps, const struct mh_dtls_fp *f)
{
    unsigned  i;

    for (i = 0; i < fps->n; i++) {
        if (fps->v[i].hash == f->hash
            && memcmp(fps->v[i].md, f->md, sizeof(f->md)) == 0)
        {
            return 1;
        }
    }

    return 0;
}


int
mh_dtls_fp_add(struct mh_dtls_fps *fps, const char *hash, const char *value)
{
    int                err;
    struct mh_dtls_fp  f;

    err = fp_parse(&f, hash, value);

    if (err || fp_find(fps, &f)) {
        return err;
    }

    if (fps->n == MH_DTLS_FINGERPRINTS) {
        return ENOSPC;
    }

    fps->v[fps->n++] = f;

    return 0;
}


int
mh_dtls_fingerprint_check(const char *hash, const char *value)
{
    struct mh_dtls_fp  f;

    return fp_parse(&f, hash, value);
}


int
mh_dtls_fp_known(const struct mh_dtls_fps *fps, const char *hash,
    const char *value)
{
    struct mh_dtls_fp  f;

    return fp_parse(&f, hash, value) == 0 && fp_find(fps, &f);
}
