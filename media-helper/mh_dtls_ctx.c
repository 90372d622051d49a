/*
 * Copyright (C) the IMS portal authors
 *
 * The process's certificate and TLS settings for mh_dtls.c: DTLS 1.2 only,
 * what RFC 8827 6.5 demands first, no tickets, no sessions kept, no
 * renegotiation, the peer's certificate always demanded.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <re.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "mh_dtls.h"
#include "mh_dtls_bio.h"
#include "mh_dtls_ctx.h"


/*
 * The first suite is the one every browser has.  We have an ECDSA key; the
 * RSA suites are for peers with an RSA certificate when we are the client.
 * Of the groups the first one is the browsers' first too, and costs the
 * least; RFC 8827 6.5 demands the second (ME-6).
 */

#define CIPHERS                                                             \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"          \
    "ECDHE-ECDSA-CHACHA20-POLY1305:"                                        \
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"

#define GROUPS    "X25519:P-256:P-384"
#define PROFILES  "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"


enum {
    SERIAL_BITS = 64,
    DAY = 24 * 60 * 60,
    EXPORT_MAX = 2 * (MH_DTLS_KEY_MAX + MH_DTLS_SALT_MAX),

    /*
     * The fingerprint is what counts and nobody looks at the dates, but
     * the certificate has to outlive any process.
     */

    CERT_DAYS = 10 * 365
};


/* RFC 5764 4.1.2, RFC 7714 14.2 */

static const struct {
    unsigned  profile;
    size_t    key_len;
    size_t    salt_len;
} profiles[] = {
    { 0x0007, 16, 12 },
    { 0x0001, 16, 14 }
};


static void
ctx_destructor(void *arg)
{
    struct mh_dtls_ctx  *ctx = arg;

    SSL_CTX_free(ctx->ssl_ctx);
    BIO_meth_free(ctx->method);
}


/* RFC 8827 6.5: a self-signed certificate that tells nothing of its owner */

static X509 *
cert_make(EVP_PKEY *key)
{
    X509       *cert;
    BIGNUM     *serial;
    X509_NAME  *name;

    cert = X509_new();
    serial = BN_new();

    if (cert == NULL || serial == NULL
        || BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY)
           != 1
        || BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) == NULL)
    {
        goto failed;
    }

    name = X509_get_subject_name(cert);

    if (X509_set_version(cert, X509_VERSION_3) != 1
        || X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *) "WebRTC",
                                      -1, -1, 0)
           != 1
        || X509_set_issuer_name(cert, name) != 1
        || X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) == NULL
        || X509_gmtime_adj(X509_getm_notAfter(cert), (long) CERT_DAYS * DAY)
           == NULL
        || X509_set_pubkey(cert, key) != 1
        || X509_sign(cert, key, EVP_sha256()) == 0)
    {
        goto failed;
    }

    BN_free(serial);

    return cert;

failed:

    BN_free(serial);
    X509_free(cert);

    return NULL;
}


static int
cert_fingerprint(const X509 *cert, char *text, size_t size)
{
    size_t         n;
    unsigned       i, len;
    unsigned char  md[EVP_MAX_MD_SIZE];

    if (X509_digest(cert, EVP_sha256(), md, &len) != 1) {
        return ENOMEM;
    }

    n = 0;

    for (i = 0; i < len && n + 4 <= size; i++) {
        n += (size_t) re_snprintf(text + n, size - n, "%s%02X",
                                  i ? ":" : "", md[i]);
    }

    return (i == len) ? 0 : ENOMEM;
}


static int
ctx_settings(SSL_CTX *c)
{
    SSL_CTX_set_options(c, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET
                           | SSL_OP_NO_RENEGOTIATION
                           | SSL_OP_NO_COMPRESSION
                           | SSL_OP_CIPHER_SERVER_PREFERENCE
                           | SSL_OP_SINGLE_ECDH_USE);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(c, 1);

    /* SSL_CTX_set_tlsext_use_srtp() is the one that returns 0 for success */

    if (SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) != 1
        || SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION) != 1
        || SSL_CTX_set_cipher_list(c, CIPHERS) != 1
        || SSL_CTX_set1_groups_list(c, GROUPS) != 1
        || SSL_CTX_set_tlsext_use_srtp(c, PROFILES) != 0

        /* no record is longer than a datagram: saves 15 KiB of buffer */

        || SSL_CTX_set_max_send_fragment(c, MH_DTLS_MTU) != 1)
    {
        return ENOMEM;
    }

    return 0;
}


/* a key and a certificate of its own, and what is signalled of it */

static int
ctx_identity(struct mh_dtls_ctx *ctx)
{
    int        err;
    X509      *cert;
    EVP_PKEY  *key;

    cert = NULL;
    err = ENOMEM;

    key = EVP_EC_gen("P-256");
    if (key == NULL) {
        goto out;
    }

    cert = cert_make(key);
    if (cert == NULL
        || SSL_CTX_use_certificate(ctx->ssl_ctx, cert) != 1
        || SSL_CTX_use_PrivateKey(ctx->ssl_ctx, key) != 1)
    {
        goto out;
    }

    err = cert_fingerprint(cert, ctx->fingerprint, sizeof(ctx->fingerprint));

out:

    X509_free(cert);
    EVP_PKEY_free(key);

    return err;
}


int
mh_dtls_ctx_alloc(struct mh_dtls_ctx **ctxp)
{
    int                  err;
    struct mh_dtls_ctx  *ctx;

    err = ENOMEM;

    ctx = mem_zalloc(sizeof(*ctx), ctx_destructor);
    if (ctx == NULL) {
        return ENOMEM;
    }

    ctx->ssl_ctx = SSL_CTX_new(DTLS_method());
    ctx->method = mh_dtls_bio_method();
    if (ctx->ssl_ctx == NULL || ctx->method == NULL) {
        goto out;
    }

    err = ctx_identity(ctx);
    if (err) {
        goto out;
    }

    SSL_CTX_set_verify(ctx->ssl_ctx, SSL_VERIFY_PEER
                                     | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    SSL_CTX_set_cert_verify_callback(ctx->ssl_ctx, mh_dtls_verify, NULL);

    err = ctx_settings(ctx->ssl_ctx);

out:

    ERR_clear_error();

    if (err) {
        mem_deref(ctx);

    } else {
        *ctxp = ctx;
    }

    return err;
}


const char *
mh_dtls_ctx_fingerprint(const struct mh_dtls_ctx *ctx)
{
    return ctx->fingerprint;
}


int
mh_dtls_ctx_export(SSL *ssl, enum mh_dtls_role role,
    struct mh_dtls_keys *keys)
{
    size_t                          i, k, s;
    uint8_t                         out[EXPORT_MAX], *client, *server;
    const SRTP_PROTECTION_PROFILE  *p;

    p = SSL_get_selected_srtp_profile(ssl);
    if (p == NULL) {
        return EPROTO;
    }

    for (i = 0; i < ARRAY_SIZE(profiles); i++) {
        if (profiles[i].profile == p->id) {
            break;
        }
    }

    if (i == ARRAY_SIZE(profiles)) {
        return EPROTO;
    }

    k = profiles[i].key_len;
    s = profiles[i].salt_len;

    if (SSL_export_keying_material(ssl, out, 2 * (k + s),
                                   "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0)
        != 1)
    {
        return EPROTO;
    }

    memset(keys, 0, sizeof(*keys));
    keys->profile = profiles[i].profile;
    keys->key_len = k;
    keys->salt_len = s;

    client = (role == MH_DTLS_ACTIVE) ? keys->local_key : keys->remote_key;
    server = (role == MH_DTLS_ACTIVE) ? keys->remote_key : keys->local_key;
    memcpy(client, out, k);
    memcpy(server, out + k, k);

    client = (role == MH_DTLS_ACTIVE) ? keys->local_salt : keys->remote_salt;
    server = (role == MH_DTLS_ACTIVE) ? keys->remote_salt : keys->local_salt;
    memcpy(client, out + 2 * k, s);
    memcpy(server, out + 2 * k + s, s);

    OPENSSL_cleanse(out, sizeof(out));

    return 0;
}
