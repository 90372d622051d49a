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

/*
 * The SRTP keys of a complete handshake (RFC 5764 4.2: client key, server
 * key, client salt, server salt).
 *
 * @param role  ours
 * @param keys  set on success; to be cleansed by the caller
 *
 * @return 0, or EPROTO: no common profile
 */
int mh_dtls_ctx_export(SSL *ssl, enum mh_dtls_role role,
    struct mh_dtls_keys *keys);


#endif /* MH_DTLS_CTX_H */
