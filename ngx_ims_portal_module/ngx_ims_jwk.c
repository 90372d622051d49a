/*
 * Copyright (C) the IMS portal authors
 *
 * Import of one verification key: a JWK (RFC 7517, 7518 6, 8037 2), and what
 * PEM keys and secrets share with it.  Each key leaves here bound to its
 * algorithms.  A key of an unknown kind or for another use is skipped.
 */


#include <stdlib.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "ngx_ims_jwt_int.h"


#define ngx_ims_jwk_bit(a)  (1U << NGX_IMS_JWS_ ## a)

#define NGX_IMS_JWK_RSA                                                       \
    (ngx_ims_jwk_bit(RS256) | ngx_ims_jwk_bit(RS384) | ngx_ims_jwk_bit(RS512) \
     | ngx_ims_jwk_bit(PS256) | ngx_ims_jwk_bit(PS384)                        \
     | ngx_ims_jwk_bit(PS512))


enum {
    NGX_IMS_JWK_MAX_MEMBER = 8192,       /* bytes of n, x, k, base64url */
    NGX_IMS_JWK_MIN_RSA = 2048,          /* bits */
    NGX_IMS_JWK_MAX_RSA = 16384
};


typedef struct {
    const char          *crv;
    const char          *group;          /* OpenSSL's name */
    size_t               size;           /* bytes of a coordinate */
    unsigned             algs;
} ngx_ims_jwk_curve_t;


static const ngx_ims_jwk_curve_t  ngx_ims_jwk_curves[] = {
    { "P-256", "prime256v1", 32, ngx_ims_jwk_bit(ES256) },
    { "P-384", "secp384r1", 48, ngx_ims_jwk_bit(ES384) },
    { "P-521", "secp521r1", 66, ngx_ims_jwk_bit(ES512) },
    { NULL, NULL, 0, 0 }
};


static int ngx_ims_jwk_wanted(const json_t *jwk, unsigned *algs);
static int ngx_ims_jwk_oct(ngx_ims_jwk_import_t *im, const json_t *jwk,
    unsigned algs);
static int ngx_ims_jwk_rsa(ngx_ims_jwk_import_t *im, const json_t *jwk,
    unsigned algs);
static int ngx_ims_jwk_ec(ngx_ims_jwk_import_t *im, const json_t *jwk,
    unsigned algs);
static int ngx_ims_jwk_okp(ngx_ims_jwk_import_t *im, const json_t *jwk,
    unsigned algs);
static EVP_PKEY *ngx_ims_jwk_pkey(const char *type, OSSL_PARAM_BLD *bld);
static int ngx_ims_jwk_bytes(const json_t *jwk, const char *name,
    unsigned char *out, size_t *len);
static int ngx_ims_jwk_add(ngx_ims_jwk_import_t *im, const json_t *jwk,
    EVP_PKEY *pkey, unsigned algs, const unsigned char *secret, size_t len);
static int ngx_ims_jwk_rsa_strong(const EVP_PKEY *pkey);
static int ngx_ims_jwk_ed_strong(const EVP_PKEY *pkey);


int
ngx_ims_jwk_one(ngx_ims_jwk_import_t *im, const json_t *jwk)
{
    unsigned     algs;
    const char  *kty;

    kty = json_string_value(json_object_get(jwk, "kty"));

    if (kty == NULL) {
        return ngx_ims_jwk_fail(im, "key without \"kty\"");
    }

    if (!ngx_ims_jwk_wanted(jwk, &algs)) {
        return NGX_IMS_OK;
    }

    if (strcmp(kty, "oct") == 0) {
        return ngx_ims_jwk_oct(im, jwk, algs);
    }

    if (strcmp(kty, "RSA") == 0) {
        return ngx_ims_jwk_rsa(im, jwk, algs);
    }

    if (strcmp(kty, "EC") == 0) {
        return ngx_ims_jwk_ec(im, jwk, algs);
    }

    if (strcmp(kty, "OKP") == 0) {
        return ngx_ims_jwk_okp(im, jwk, algs);
    }

    return NGX_IMS_OK;
}


/*
 * 1 when the key is there to verify signatures with an algorithm of ours, with
 * *algs the only one that it may be used with, or all bits (RFC 7517 4.2-4.4).
 */

static int
ngx_ims_jwk_wanted(const json_t *jwk, unsigned *algs)
{
    int                 found;
    size_t              i;
    json_t             *use, *ops, *name;
    const char         *op;
    ngx_ims_jws_alg_e   alg;

    use = json_object_get(jwk, "use");

    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig")))
    {
        return 0;
    }

    ops = json_object_get(jwk, "key_ops");

    if (ops != NULL) {
        found = 0;

        for (i = 0; i < json_array_size(ops); i++) {
            op = json_string_value(json_array_get(ops, i));
            found |= (op != NULL && strcmp(op, "verify") == 0);
        }

        if (!found) {
            return 0;
        }
    }

    name = json_object_get(jwk, "alg");

    if (name == NULL) {
        *algs = ~0U;
        return 1;
    }

    if (!json_is_string(name)) {
        return 0;
    }

    alg = ngx_ims_jws_alg(json_string_value(name), json_string_length(name));

    if (alg == NGX_IMS_JWS_N) {
        return 0;
    }

    *algs = 1U << alg;

    return 1;
}


static int
ngx_ims_jwk_oct(ngx_ims_jwk_import_t *im, const json_t *jwk, unsigned algs)
{
    int            rc;
    size_t         len;
    unsigned char  secret[NGX_IMS_JWK_MAX_MEMBER];

    if (im->published) {
        return NGX_IMS_OK;
    }

    if (ngx_ims_jwk_bytes(jwk, "k", secret, &len) != NGX_IMS_OK) {
        return ngx_ims_jwk_fail(im, "oct key without a well-formed \"k\"");
    }

    rc = ngx_ims_jwk_hmac(im, jwk, algs, secret, len);

    OPENSSL_cleanse(secret, sizeof(secret));

    return rc;
}


/* RFC 7518 3.2: at least as long as the hash */

int
ngx_ims_jwk_hmac(ngx_ims_jwk_import_t *im, const json_t *jwk, unsigned algs,
    const unsigned char *secret, size_t len)
{
    unsigned  allowed;

    allowed = 0;

    if (len >= NGX_IMS_JWT_MIN_SECRET) {
        allowed |= ngx_ims_jwk_bit(HS256);
    }

    if (len >= 48) {
        allowed |= ngx_ims_jwk_bit(HS384);
    }

    if (len >= 64) {
        allowed |= ngx_ims_jwk_bit(HS512);
    }

    if ((algs & allowed) == 0) {
        return ngx_ims_jwk_fail(im, "secret of %zu bytes is too short, or its "
                                "\"alg\" is of another type", len);
    }

    return ngx_ims_jwk_add(im, jwk, NULL, algs & allowed, secret, len);
}


static int
ngx_ims_jwk_rsa(ngx_ims_jwk_import_t *im, const json_t *jwk, unsigned algs)
{
    size_t           n_len, e_len;
    BIGNUM          *n, *e;
    EVP_PKEY        *pkey;
    unsigned char    bytes[NGX_IMS_JWK_MAX_MEMBER];
    OSSL_PARAM_BLD  *bld;

    n = NULL;
    e = NULL;
    pkey = NULL;

    bld = OSSL_PARAM_BLD_new();

    if (bld != NULL
        && ngx_ims_jwk_bytes(jwk, "n", bytes, &n_len) == NGX_IMS_OK
        && (n = BN_bin2bn(bytes, n_len, NULL)) != NULL
        && ngx_ims_jwk_bytes(jwk, "e", bytes, &e_len) == NGX_IMS_OK
        && (e = BN_bin2bn(bytes, e_len, NULL)) != NULL
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    {
        pkey = ngx_ims_jwk_pkey("RSA", bld);
    }

    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);

    return ngx_ims_jwk_add_pkey(im, jwk, pkey, algs);
}


static int
ngx_ims_jwk_ec(ngx_ims_jwk_import_t *im, const json_t *jwk, unsigned algs)
{
    size_t                      x_len, y_len;
    EVP_PKEY                   *pkey;
    const char                 *crv;
    unsigned char               x[NGX_IMS_JWK_MAX_MEMBER];
    unsigned char               y[NGX_IMS_JWK_MAX_MEMBER];
    unsigned char               point[1 + 2 * 66];
    OSSL_PARAM_BLD             *bld;
    const ngx_ims_jwk_curve_t  *c;

    crv = json_string_value(json_object_get(jwk, "crv"));

    for (c = ngx_ims_jwk_curves; c->crv; c++) {

        if (crv != NULL && strcmp(crv, c->crv) == 0) {
            break;
        }
    }

    if (c->crv == NULL) {
        return NGX_IMS_OK;
    }

    if (ngx_ims_jwk_bytes(jwk, "x", x, &x_len) != NGX_IMS_OK
        || ngx_ims_jwk_bytes(jwk, "y", y, &y_len) != NGX_IMS_OK
        || x_len != c->size || y_len != c->size)
    {
        return ngx_ims_jwk_fail(im, "EC key without well-formed coordinates");
    }

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x, c->size);
    memcpy(point + 1 + c->size, y, c->size);

    pkey = NULL;
    bld = OSSL_PARAM_BLD_new();

    if (bld != NULL
        && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                           c->group, 0) == 1
        && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, 1 + 2 * c->size) == 1)
    {
        pkey = ngx_ims_jwk_pkey("EC", bld);
    }

    OSSL_PARAM_BLD_free(bld);

    return ngx_ims_jwk_add_pkey(im, jwk, pkey, algs);
}


static int
ngx_ims_jwk_okp(ngx_ims_jwk_import_t *im, const json_t *jwk, unsigned algs)
{
    size_t          len, size;
    EVP_PKEY       *pkey;
    const char     *crv, *type;
    unsigned char   x[NGX_IMS_JWK_MAX_MEMBER];

    crv = json_string_value(json_object_get(jwk, "crv"));

    if (crv != NULL && strcmp(crv, "Ed25519") == 0) {
        type = "ED25519";
        size = 32;

    } else if (crv != NULL && strcmp(crv, "Ed448") == 0) {
        type = "ED448";
        size = 57;

    } else {
        return NGX_IMS_OK;
    }

    if (ngx_ims_jwk_bytes(jwk, "x", x, &len) != NGX_IMS_OK || len != size) {
        return ngx_ims_jwk_fail(im, "OKP key without a well-formed \"x\"");
    }

    pkey = EVP_PKEY_new_raw_public_key_ex(NULL, type, NULL, x, len);

    return ngx_ims_jwk_add_pkey(im, jwk, pkey, algs);
}


static EVP_PKEY *
ngx_ims_jwk_pkey(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY      *pkey;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;
    params = OSSL_PARAM_BLD_to_param(bld);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);

    return pkey;
}


/* a base64url member; out has NGX_IMS_JWK_MAX_MEMBER bytes; empty is none */

static int
ngx_ims_jwk_bytes(const json_t *jwk, const char *name, unsigned char *out,
    size_t *len)
{
    size_t   n;
    json_t  *member;

    member = json_object_get(jwk, name);
    n = json_string_length(member);

    if (n == 0 || n > NGX_IMS_JWK_MAX_MEMBER) {
        return NGX_IMS_INVALID;
    }

    return ngx_ims_jws_base64url(
                      (const unsigned char *) json_string_value(member), n,
                      out, len);
}


int
ngx_ims_jwk_add_pkey(ngx_ims_jwk_import_t *im, const json_t *jwk,
    EVP_PKEY *pkey, unsigned algs)
{
    char                        group[64];
    unsigned                    allowed;
    const ngx_ims_jwk_curve_t  *c;

    allowed = 0;

    if (pkey == NULL) {
        return ngx_ims_jwk_fail(im, "public key is not well formed");
    }

    if (EVP_PKEY_is_a(pkey, "RSA")) {

        if (!ngx_ims_jwk_rsa_strong(pkey)) {
            EVP_PKEY_free(pkey);
            return ngx_ims_jwk_fail(im, "RSA key is weak or out of range");
        }

        allowed = NGX_IMS_JWK_RSA;

    } else if (EVP_PKEY_is_a(pkey, "ED25519")) {

        if (!ngx_ims_jwk_ed_strong(pkey)) {
            EVP_PKEY_free(pkey);
            return ngx_ims_jwk_fail(im, "Ed25519 key is of small order");
        }

        allowed = ngx_ims_jwk_bit(EDDSA) | ngx_ims_jwk_bit(ED25519);

    } else if (EVP_PKEY_is_a(pkey, "ED448")) {

        if (!ngx_ims_jwk_ed_strong(pkey)) {
            EVP_PKEY_free(pkey);
            return ngx_ims_jwk_fail(im, "Ed448 key is of small order");
        }

        allowed = ngx_ims_jwk_bit(EDDSA) | ngx_ims_jwk_bit(ED448);

    } else if (EVP_PKEY_is_a(pkey, "EC")
               && EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL)
                  == 1)
    {
        for (c = ngx_ims_jwk_curves; c->crv; c++) {

            if (strcmp(group, c->group) == 0) {
                allowed = c->algs;
            }
        }
    }

    if ((algs & allowed) == 0) {
        EVP_PKEY_free(pkey);
        return ngx_ims_jwk_fail(im, "public key of a type that is not "
                                "supported, or \"alg\" is of another type");
    }

    return ngx_ims_jwk_add(im, jwk, pkey, algs & allowed, NULL, 0);
}


/* 2048 bits or more, odd, and an odd exponent above 1 (RFC 7518 3.3) */

static int
ngx_ims_jwk_rsa_strong(const EVP_PKEY *pkey)
{
    int      bits, strong;
    BIGNUM  *n, *e;

    bits = EVP_PKEY_get_bits(pkey);

    if (bits < NGX_IMS_JWK_MIN_RSA || bits > NGX_IMS_JWK_MAX_RSA) {
        return 0;
    }

    n = NULL;
    e = NULL;
    strong = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1
             && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1
             && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e)
             && BN_num_bits(e) <= 64;

    BN_free(n);
    BN_free(e);

    return strong;
}


/*
 * Not one of the points of small order, in any of their encodings: with such a
 * key anybody can make signatures, and the library takes it.  Their y is 0, 1
 * or -1, also with p added, and of Edwards25519 two more; the last bit is the
 * sign of x.
 */

static int
ngx_ims_jwk_ed_strong(const EVP_PKEY *pkey)
{
    size_t         i, len;
    unsigned char  y[57];

    static const unsigned char  eight[][32] = {
        { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
          0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
          0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
        { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
          0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
          0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a }
    };

    len = sizeof(y);

    if (EVP_PKEY_get_raw_public_key(pkey, y, &len) != 1) {
        return 0;
    }

    y[len - 1] &= 0x7f;

    if (len == 32 && (memcmp(y, eight[0], 32) == 0
                      || memcmp(y, eight[1], 32) == 0))
    {
        return 0;
    }

    /* all but the first byte is that of 0 and 1, or of p: no honest key */

    for (i = 2; i < len - 1 && (y[i] == y[1] || (len == 57 && i == 28)); i++) {
        /* void */
    }

    return i < len - 1 || (y[1] != 0 && y[1] != 0xff);
}


/* pkey is taken over in any case; jwk may be NULL */

static int
ngx_ims_jwk_add(ngx_ims_jwk_import_t *im, const json_t *jwk, EVP_PKEY *pkey,
    unsigned algs, const unsigned char *secret, size_t len)
{
    json_t             *kid;
    ngx_ims_jws_key_t  *key;

    if (im->keys->n == NGX_IMS_JWT_MAX_KEYS) {
        EVP_PKEY_free(pkey);
        return ngx_ims_jwk_fail(im, "more than %d keys", NGX_IMS_JWT_MAX_KEYS);
    }

    /* counted at once: what follows is freed with the set */

    key = &im->keys->keys[im->keys->n++];

    key->pkey = pkey;
    key->algs = algs;

    kid = json_object_get(jwk, "kid");

    if (kid != NULL) {

        if (!json_is_string(kid)) {
            return ngx_ims_jwk_fail(im, "\"kid\" is not a string");
        }

        key->kid_len = json_string_length(kid);
        key->kid = malloc(key->kid_len + 1);

        if (key->kid == NULL) {
            return ngx_ims_jwk_fail(im, "no memory for a key");
        }

        memcpy(key->kid, json_string_value(kid), key->kid_len + 1);
    }

    if (ngx_ims_jws_key_setup(key, secret, len) != NGX_IMS_OK) {
        return ngx_ims_jwk_fail(im, "key cannot be used with OpenSSL");
    }

    return NGX_IMS_OK;
}
