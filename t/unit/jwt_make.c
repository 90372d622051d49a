/*
 * Copyright (C) the IMS portal authors
 *
 * Keys and tokens for the tests.  What fails here ends the test: nothing of it
 * is under test.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "jwt_make.h"


#define need(cond)                                                            \
    do {                                                                      \
        if (!(cond)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);        \
            exit(2);                                                          \
        }                                                                     \
    } while (0)


static char *
format(const char *fmt, const char *a, const char *b, const char *c,
    const char *d)
{
    int    n;
    char  *s;

    n = snprintf(NULL, 0, fmt, a, b, c, d);
    s = malloc(n + 1);
    need(s != NULL);
    snprintf(s, n + 1, fmt, a, b, c, d);

    return s;
}


char *
jwt_base64url(const void *data, size_t len)
{
    char  *s, *p;

    s = malloc(len / 3 * 4 + 8);
    need(s != NULL);

    EVP_EncodeBlock((unsigned char *) s, data, len);

    for (p = s; *p && *p != '='; p++) {

        if (*p == '+') {
            *p = '-';

        } else if (*p == '/') {
            *p = '_';
        }
    }

    *p = '\0';

    return s;
}


EVP_PKEY *
jwt_make_key(const char *spec)
{
    EVP_PKEY  *pkey;

    if (strncmp(spec, "RSA:", 4) == 0) {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) atoi(spec + 4));

    } else if (strncmp(spec, "EC:", 3) == 0) {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", spec + 3);

    } else {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, spec);
    }

    need(pkey != NULL);

    return pkey;
}


char *
jwt_make_pem(EVP_PKEY *pkey, int private_half)
{
    BIO   *bio;
    char  *s, *data;
    long   len;

    bio = BIO_new(BIO_s_mem());
    need(bio != NULL);

    if (private_half) {
        need(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL));

    } else {
        need(PEM_write_bio_PUBKEY(bio, pkey));
    }

    len = BIO_get_mem_data(bio, &data);
    s = malloc(len + 1);
    need(s != NULL);

    memcpy(s, data, len);
    s[len] = '\0';

    BIO_free(bio);

    return s;
}


/* a number of the key in base64url, padded on the left to size if not 0 */

static char *
number(EVP_PKEY *pkey, const char *name, int size)
{
    char           *s;
    BIGNUM         *bn;
    unsigned char   bytes[2048];

    bn = NULL;
    need(EVP_PKEY_get_bn_param(pkey, name, &bn));

    if (size == 0) {
        size = BN_num_bytes(bn);
    }

    need(BN_bn2binpad(bn, bytes, size) == size);

    s = jwt_base64url(bytes, size);
    BN_free(bn);

    return s;
}


char *
jwt_make_jwk(EVP_PKEY *pkey, const char *extra)
{
    int             size;
    char           *a, *b, *s;
    size_t          len;
    const char     *crv;
    unsigned char   raw[64];

    if (EVP_PKEY_is_a(pkey, "RSA")) {
        a = number(pkey, OSSL_PKEY_PARAM_RSA_N, 0);
        b = number(pkey, OSSL_PKEY_PARAM_RSA_E, 0);
        s = format("{%s\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", extra,
                   a, b, "");

    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        size = (EVP_PKEY_get_bits(pkey) + 7) / 8;
        crv = (size == 32) ? "P-256" : (size == 48) ? "P-384" : "P-521";
        a = number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, size);
        b = number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, size);
        s = format("{%s\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\","
                   "\"y\":\"%s\"}", extra, crv, a, b);

    } else {
        len = sizeof(raw);
        need(EVP_PKEY_get_raw_public_key(pkey, raw, &len));
        a = jwt_base64url(raw, len);
        b = NULL;
        s = format("{%s\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s%s}",
                   extra, a, "", "");
    }

    free(a);
    free(b);

    return s;
}


char *
jwt_make_oct(const void *secret, size_t len, const char *extra)
{
    char  *k, *s;

    k = jwt_base64url(secret, len);
    s = format("{%s\"kty\":\"oct\",\"k\":\"%s\"%s%s}", extra, k, "", "");
    free(k);

    return s;
}


/* the DER that OpenSSL makes, as r and s of fixed length */

static size_t
raw_ecdsa(EVP_PKEY *pkey, unsigned char *sig, size_t len)
{
    int                   size;
    ECDSA_SIG            *pair;
    const unsigned char  *p;

    p = sig;
    pair = d2i_ECDSA_SIG(NULL, &p, len);
    need(pair != NULL);

    size = (EVP_PKEY_get_bits(pkey) + 7) / 8;

    need(BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, size) == size);
    need(BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + size, size) == size);

    ECDSA_SIG_free(pair);

    return 2 * size;
}


static size_t
sign(const char *alg, EVP_PKEY *pkey, const char *text, unsigned char *sig,
    size_t size)
{
    EVP_MD_CTX    *ctx;
    const EVP_MD  *md;
    EVP_PKEY_CTX  *pctx;

    md = (strcmp(alg, "EdDSA") == 0) ? NULL
         : strstr(alg, "256") ? EVP_sha256()
         : strstr(alg, "384") ? EVP_sha384() : EVP_sha512();

    ctx = EVP_MD_CTX_new();
    need(ctx != NULL);
    need(EVP_DigestSignInit(ctx, &pctx, md, NULL, pkey) == 1);

    if (alg[0] == 'P') {
        need(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1);
        need(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
             == 1);
    }

    need(EVP_DigestSign(ctx, sig, &size, (const unsigned char *) text,
                        strlen(text)) == 1);

    EVP_MD_CTX_free(ctx);

    return (alg[0] == 'E' && alg[1] == 'S') ? raw_ecdsa(pkey, sig, size)
                                            : size;
}


char *
jwt_make_token(const char *alg, const char *header, const char *payload,
    EVP_PKEY *pkey, const void *secret, size_t secret_len)
{
    char           *h, *p, *text, *s, *token;
    size_t          len;
    unsigned        n;
    const EVP_MD   *md;
    unsigned char   sig[2048];

    h = jwt_base64url(header, strlen(header));
    p = jwt_base64url(payload, strlen(payload));
    text = format("%s.%s%s%s", h, p, "", "");

    len = 0;

    if (alg[0] == 'H') {
        md = strstr(alg, "256") ? EVP_sha256()
             : strstr(alg, "384") ? EVP_sha384() : EVP_sha512();
        need(HMAC(md, secret, secret_len, (unsigned char *) text,
                  strlen(text), sig, &n));
        len = n;

    } else if (strcmp(alg, "none") != 0) {
        len = sign(alg, pkey, text, sig, sizeof(sig));
    }

    s = jwt_base64url(sig, len);
    token = format("%s.%s%s%s", text, s, "", "");

    free(h);
    free(p);
    free(s);
    free(text);

    return token;
}
