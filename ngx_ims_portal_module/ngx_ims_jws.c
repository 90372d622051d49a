/*
 * Copyright (C) the IMS portal authors
 *
 * JSON Web Signatures: algorithms, strict base64url and JSON, and the check of
 * one signature with one key (RFC 7515, 7518, 8037).  Contexts are made when a
 * key is imported, because OpenSSL 3 spends more time on finding an algorithm
 * than on hashing a token; a check works on a copy.
 */


#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "ngx_ims_jwt_int.h"


typedef struct {
    const char          *name;
    const char          *digest;         /* NULL: the algorithm's own */
    size_t               size;           /* of an HMAC or of r and s, bytes */
    int                  padding;        /* of RSA, else 0 */
} ngx_ims_jws_alg_t;


static const ngx_ims_jws_alg_t  ngx_ims_jws_algs[NGX_IMS_JWS_N] = {
    [NGX_IMS_JWS_HS256] = { "HS256", "SHA256", 32, 0 },
    [NGX_IMS_JWS_HS384] = { "HS384", "SHA384", 48, 0 },
    [NGX_IMS_JWS_HS512] = { "HS512", "SHA512", 64, 0 },
    [NGX_IMS_JWS_RS256] = { "RS256", "SHA256", 0, RSA_PKCS1_PADDING },
    [NGX_IMS_JWS_RS384] = { "RS384", "SHA384", 0, RSA_PKCS1_PADDING },
    [NGX_IMS_JWS_RS512] = { "RS512", "SHA512", 0, RSA_PKCS1_PADDING },
    [NGX_IMS_JWS_PS256] = { "PS256", "SHA256", 0, RSA_PKCS1_PSS_PADDING },
    [NGX_IMS_JWS_PS384] = { "PS384", "SHA384", 0, RSA_PKCS1_PSS_PADDING },
    [NGX_IMS_JWS_PS512] = { "PS512", "SHA512", 0, RSA_PKCS1_PSS_PADDING },
    [NGX_IMS_JWS_ES256] = { "ES256", "SHA256", 32, 0 },
    [NGX_IMS_JWS_ES384] = { "ES384", "SHA384", 48, 0 },
    [NGX_IMS_JWS_ES512] = { "ES512", "SHA512", 66, 0 },
    [NGX_IMS_JWS_EDDSA] = { "EdDSA", NULL, 0, 0 },
    [NGX_IMS_JWS_ED25519] = { "Ed25519", NULL, 0, 0 },
    [NGX_IMS_JWS_ED448] = { "Ed448", NULL, 0, 0 }
};


static int ngx_ims_jws_value(unsigned char c);
static EVP_MAC_CTX *ngx_ims_jws_mac(const ngx_ims_jws_alg_t *a,
    const unsigned char *secret, size_t len);
static EVP_MD_CTX *ngx_ims_jws_context(const ngx_ims_jws_alg_t *a,
    EVP_PKEY *pkey);
static int ngx_ims_jws_verify_mac(EVP_MAC_CTX *template, size_t size,
    const ngx_ims_str_t *text, const unsigned char *sig, size_t len);
static int ngx_ims_jws_ecdsa_der(const unsigned char *sig, size_t size,
    unsigned char **der);


ngx_ims_jws_alg_e
ngx_ims_jws_alg(const char *name, size_t len)
{
    unsigned  i;

    for (i = 0; i < NGX_IMS_JWS_N; i++) {

        if (len == strlen(ngx_ims_jws_algs[i].name)
            && memcmp(name, ngx_ims_jws_algs[i].name, len) == 0)
        {
            break;
        }
    }

    return i;
}


unsigned
ngx_ims_jwt_alg(const ngx_ims_str_t *name)
{
    ngx_ims_jws_alg_e  alg;

    alg = ngx_ims_jws_alg((char *) name->data, name->len);

    return (alg == NGX_IMS_JWS_N) ? 0 : 1U << alg;
}


int
ngx_ims_jwt_base64url(const ngx_ims_str_t *text, unsigned char *out, size_t *n)
{
    return ngx_ims_jws_base64url(text->data, text->len, out, n) == NGX_IMS_OK;
}


int
ngx_ims_jws_base64url(const unsigned char *p, size_t len,
    unsigned char *out, size_t *n)
{
    int             v, all;
    size_t          i, tail;
    uint32_t        bits;
    unsigned        have;
    unsigned char  *start;

    tail = len % 4;

    if (tail == 1) {
        return NGX_IMS_INVALID;
    }

    start = out;
    all = 0;

    /* a stray character makes the sum negative; one look at the end will do */

    for (i = 0; i < len - tail; i += 4) {
        bits = 0;

        for (have = 0; have < 4; have++) {
            v = ngx_ims_jws_value(p[i + have]);
            all |= v;
            bits = bits << 6 | (v & 0x3f);
        }

        *out++ = bits >> 16;
        *out++ = bits >> 8;
        *out++ = bits;
    }

    bits = 0;
    have = 0;

    for ( /* void */ ; i < len; i++) {
        v = ngx_ims_jws_value(p[i]);
        all |= v;
        bits = (bits << 6 | (v & 0x3f)) & 0xfff;
        have += 6;

        if (have >= 8) {
            have -= 8;
            *out++ = bits >> have;
        }
    }

    if (all < 0 || (bits & ((1 << have) - 1))) {
        return NGX_IMS_INVALID;
    }

    *n = out - start;

    return NGX_IMS_OK;
}


/* six bits, or -1; from '-' on */

static int
ngx_ims_jws_value(unsigned char c)
{
    static const signed char  values[] = {
        62, -1, -1, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1,
        -1, -1, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, 63, -1, 26, 27,
        28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
        45, 46, 47, 48, 49, 50, 51
    };

    return (c < '-' || c > 'z') ? -1 : values[c - '-'];
}


json_t *
ngx_ims_jws_json(const unsigned char *p, size_t len)
{
    int      quoted;
    size_t   i;
    json_t  *json;
    int      depth;

    /* jansson recurses, its own limit is far away: count first */

    quoted = 0;
    depth = 0;

    for (i = 0; i < len; i++) {

        if (quoted) {

            if (p[i] == '\\') {
                i++;

            } else if (p[i] == '"') {
                quoted = 0;
            }

        } else if (p[i] == '"') {
            quoted = 1;

        } else if (p[i] == '{' || p[i] == '[') {

            if (++depth > NGX_IMS_JWT_MAX_DEPTH) {
                return NULL;
            }

        } else if (p[i] == '}' || p[i] == ']') {
            depth--;
        }
    }

    json = json_loadb((const char *) p, len, JSON_REJECT_DUPLICATES, NULL);

    if (json != NULL && !json_is_object(json)) {
        json_decref(json);
        return NULL;
    }

    return json;
}


int
ngx_ims_jws_key_setup(ngx_ims_jws_key_t *key, const unsigned char *secret,
    size_t len)
{
    unsigned  i;

    for (i = 0; i < NGX_IMS_JWS_N; i++) {

        if (!(key->algs & (1U << i))) {
            continue;
        }

        if (key->pkey == NULL) {
            key->mac[i] = ngx_ims_jws_mac(&ngx_ims_jws_algs[i], secret, len);

        } else {
            key->verify[i] = ngx_ims_jws_context(&ngx_ims_jws_algs[i],
                                                 key->pkey);
        }

        if (key->mac[i] == NULL && key->verify[i] == NULL) {
            return NGX_IMS_INVALID;
        }
    }

    return NGX_IMS_OK;
}


static EVP_MAC_CTX *
ngx_ims_jws_mac(const ngx_ims_jws_alg_t *a, const unsigned char *secret,
    size_t len)
{
    EVP_MAC      *mac;
    EVP_MAC_CTX  *ctx;
    OSSL_PARAM    params[2];

    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    if (mac == NULL) {
        return NULL;
    }

    /* the context keeps the MAC */

    ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);

    if (ctx == NULL) {
        return NULL;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *) a->digest, 0);
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_MAC_init(ctx, secret, len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


static EVP_MD_CTX *
ngx_ims_jws_context(const ngx_ims_jws_alg_t *a, EVP_PKEY *pkey)
{
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL) {
        return NULL;
    }

    if (EVP_DigestVerifyInit_ex(ctx, &pctx, a->digest, NULL, NULL, pkey, NULL)
        != 1)
    {
        goto failed;
    }

    if (a->padding && EVP_PKEY_CTX_set_rsa_padding(pctx, a->padding) != 1) {
        goto failed;
    }

    /* RFC 7518 3.5: MGF1 with the same hash, a salt of the hash's length */

    if (a->padding == RSA_PKCS1_PSS_PADDING
        && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
           != 1)
    {
        goto failed;
    }

    return ctx;

failed:

    EVP_MD_CTX_free(ctx);

    return NULL;
}


void
ngx_ims_jws_key_clean(ngx_ims_jws_key_t *key)
{
    unsigned  i;

    for (i = 0; i < NGX_IMS_JWS_N; i++) {
        EVP_MAC_CTX_free(key->mac[i]);
        EVP_MD_CTX_free(key->verify[i]);
    }

    EVP_PKEY_free(key->pkey);
    free(key->kid);

    memset(key, 0, sizeof(ngx_ims_jws_key_t));
}


int
ngx_ims_jws_key_verify(const ngx_ims_jws_key_t *key, ngx_ims_jws_alg_e alg,
    const ngx_ims_str_t *text, const unsigned char *sig, size_t len)
{
    int             n, rc;
    EVP_MD_CTX     *ctx;
    unsigned char  *der;

    if (!(key->algs & (1U << alg))) {
        return NGX_IMS_INVALID;
    }

    if (key->pkey == NULL) {
        return ngx_ims_jws_verify_mac(key->mac[alg],
                                      ngx_ims_jws_algs[alg].size, text, sig,
                                      len);
    }

    der = NULL;

    if (ngx_ims_jws_algs[alg].size) {

        if (len != 2 * ngx_ims_jws_algs[alg].size) {
            return NGX_IMS_INVALID;
        }

        n = ngx_ims_jws_ecdsa_der(sig, ngx_ims_jws_algs[alg].size, &der);

        if (n <= 0) {
            return NGX_IMS_INVALID;
        }

        sig = der;
        len = n;
    }

    rc = NGX_IMS_INVALID;
    ctx = EVP_MD_CTX_new();

    if (ctx != NULL && EVP_MD_CTX_copy_ex(ctx, key->verify[alg]) == 1
        && EVP_DigestVerify(ctx, sig, len, text->data, text->len) == 1)
    {
        rc = NGX_IMS_OK;
    }

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);

    return rc;
}


static int
ngx_ims_jws_verify_mac(EVP_MAC_CTX *template, size_t size,
    const ngx_ims_str_t *text, const unsigned char *sig, size_t len)
{
    int             rc;
    size_t          n;
    EVP_MAC_CTX    *ctx;
    unsigned char   mac[EVP_MAX_MD_SIZE];

    if (len != size) {
        return NGX_IMS_INVALID;
    }

    ctx = EVP_MAC_CTX_dup(template);

    if (ctx == NULL) {
        return NGX_IMS_INVALID;
    }

    rc = NGX_IMS_INVALID;

    if (EVP_MAC_update(ctx, text->data, text->len) == 1
        && EVP_MAC_final(ctx, mac, &n, sizeof(mac)) == 1
        && n == size && CRYPTO_memcmp(mac, sig, size) == 0)
    {
        rc = NGX_IMS_OK;
    }

    OPENSSL_cleanse(mac, sizeof(mac));
    EVP_MAC_CTX_free(ctx);

    return rc;
}


/*
 * r and s, each of size bytes, as OpenSSL wants them (RFC 7518 3.4).  Returns
 * the length of *der, which the caller frees, or -1.  Zeros are refused here
 * already, whatever the library does with them.
 */

static int
ngx_ims_jws_ecdsa_der(const unsigned char *sig, size_t size,
    unsigned char **der)
{
    int         n;
    BIGNUM     *r, *s;
    ECDSA_SIG  *pair;

    n = -1;
    pair = NULL;

    r = BN_bin2bn(sig, size, NULL);
    s = BN_bin2bn(sig + size, size, NULL);

    if (r == NULL || s == NULL || BN_is_zero(r) || BN_is_zero(s)) {
        goto done;
    }

    pair = ECDSA_SIG_new();

    if (pair == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        goto done;
    }

    /* the pair owns them now */

    r = NULL;
    s = NULL;

    n = i2d_ECDSA_SIG(pair, der);

done:

    ECDSA_SIG_free(pair);
    BN_free(r);
    BN_free(s);

    return n;
}
