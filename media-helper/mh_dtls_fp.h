/*
 * Copyright (C) the IMS portal authors
 *
 * Fingerprints of a peer's certificate.  Private to mh_dtls*.c; add and
 * known are as their public twins in mh_dtls.h.
 */

#ifndef MH_DTLS_FP_H
#define MH_DTLS_FP_H

#include <stdint.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "mh_dtls.h"


struct mh_dtls_fp {
    unsigned  hash;
    uint8_t   md[EVP_MAX_MD_SIZE];
};


struct mh_dtls_fps {
    unsigned           n;
    struct mh_dtls_fp  v[MH_DTLS_FINGERPRINTS];
};


int mh_dtls_fp_add(struct mh_dtls_fps *fps, const char *hash,
    const char *value);
int mh_dtls_fp_known(const struct mh_dtls_fps *fps, const char *hash,
    const char *value);


/* @return 1 if the certificate has one of the strongest hash, else 0 */
int mh_dtls_fp_match(const struct mh_dtls_fps *fps, const X509 *cert);


#endif /* MH_DTLS_FP_H */
