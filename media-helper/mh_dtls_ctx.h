/*
 * Copyright (C) the IMS portal authors
 *
 * Between mh_dtls_ctx.c and mh_dtls.c only.
 */

#ifndef MH_DTLS_CTX_H
#define MH_DTLS_CTX_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "mh_dtls.h"


struct mh_dtls_ctx {
    SSL_CTX     *ssl_ctx;
    BIO_METHOD  *method;
    char         fingerprint[MH_DTLS_FINGERPRINT_SIZE];
};


/*
 * SSL_CTX_set_cert_verify_callback(), in mh_dtls.c: takes a certificate
 * whose fingerprint was signalled, or any while none is known.
 */
int mh_dtls_verify(X509_STORE_CTX *store, void *arg);


#endif /* MH_DTLS_CTX_H */
