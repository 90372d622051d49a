/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the JWT codec share and nobody else includes: keys with the
 * algorithms that they are bound to, strict base64url and JSON, signatures.
 */


#ifndef _NGX_IMS_JWT_INT_H_INCLUDED_
#define _NGX_IMS_JWT_INT_H_INCLUDED_


#include <openssl/evp.h>
#include <jansson.h>

#include "ngx_ims_jwt.h"


typedef enum {
    NGX_IMS_JWS_HS256 = 0,
    NGX_IMS_JWS_HS384,
    NGX_IMS_JWS_HS512,
    NGX_IMS_JWS_RS256,
    NGX_IMS_JWS_RS384,
    NGX_IMS_JWS_RS512,
    NGX_IMS_JWS_PS256,
    NGX_IMS_JWS_PS384,
    NGX_IMS_JWS_PS512,
    NGX_IMS_JWS_ES256,
    NGX_IMS_JWS_ES384,
    NGX_IMS_JWS_ES512,
    NGX_IMS_JWS_EDDSA,
    NGX_IMS_JWS_ED25519,                 /* RFC 9864 */
    NGX_IMS_JWS_ED448,
    NGX_IMS_JWS_N                        /* also: not an algorithm of ours */
} ngx_ims_jws_alg_e;


typedef struct {
    unsigned             algs;           /* bit 1 << alg for each allowed one */
    char                *kid;            /* NULL: none */
    size_t               kid_len;
    EVP_PKEY            *pkey;           /* NULL: an HMAC secret */

    /* keyed and set up once for each allowed algorithm, copied for each use */
    EVP_MAC_CTX         *mac[NGX_IMS_JWS_N];
    EVP_MD_CTX          *verify[NGX_IMS_JWS_N];
} ngx_ims_jws_key_t;


struct ngx_ims_jwt_keys_s {
    unsigned             n;
    ngx_ims_jws_key_t    keys[NGX_IMS_JWT_MAX_KEYS];
};


/* an integer claim, printed */

typedef struct ngx_ims_jwt_text_s  ngx_ims_jwt_text_t;

struct ngx_ims_jwt_text_s {
    ngx_ims_jwt_text_t  *next;
    const json_t        *json;
    char                 text[24];
};


struct ngx_ims_jwt_s {
    unsigned             refs;
    json_t              *claims;         /* NULL: no JSON object */
    ngx_ims_jwt_text_t  *texts;
    time_t               expires;
    time_t               issued;
    ngx_ims_jws_alg_e    alg;
    char                *kid;            /* NULL: none */
    size_t               kid_len;
    char                *typ;            /* NULL: none */
    size_t               typ_len;

    /* the caller's, until it is verified */
    ngx_ims_str_t        text;           /* what is signed */
    ngx_ims_str_t        signature;      /* in base64url */
};


/* the algorithm of a name (RFC 7518 3.1, 8037 3.1, 9864), or NGX_IMS_JWS_N */
ngx_ims_jws_alg_e ngx_ims_jws_alg(const char *name, size_t len);

/*
 * base64url without padding (RFC 7515 2); out has room for len / 4 * 3 + 2.
 * Returns NGX_IMS_OK with *n set, or NGX_IMS_INVALID: a stray character, a
 * length that cannot be, bits set behind the last byte.
 */
int ngx_ims_jws_base64url(const unsigned char *p, size_t len,
    unsigned char *out, size_t *n);

/*
 * A JSON object without duplicate members and not nested deeper than
 * NGX_IMS_JWT_MAX_DEPTH, or NULL.  The caller owns it.
 */
json_t *ngx_ims_jws_json(const unsigned char *p, size_t len);

/*
 * Prepares a key for the algorithms in key->algs; secret is used when key->pkey
 * is NULL and not kept.  Returns NGX_IMS_OK or NGX_IMS_INVALID.
 */
int ngx_ims_jws_key_setup(ngx_ims_jws_key_t *key,
    const unsigned char *secret, size_t len);

void ngx_ims_jws_key_clean(ngx_ims_jws_key_t *key);

/*
 * NGX_IMS_OK when sig is the signature of the text by this key, which allows
 * alg; else NGX_IMS_INVALID.
 */
int ngx_ims_jws_key_verify(const ngx_ims_jws_key_t *key,
    ngx_ims_jws_alg_e alg, const ngx_ims_str_t *text,
    const unsigned char *sig, size_t len);


/* a claim by its path, see ngx_ims_jwt_claim(); borrowed, NULL: it is absent */
json_t *ngx_ims_jwt_json(const ngx_ims_jwt_t *jwt, const char *path);


/* a key set while it is imported */

typedef struct {
    ngx_ims_jwt_keys_t  *keys;
    char                *err;            /* the caller's, size bytes */
    size_t               size;
    int                  published;      /* anybody can read it */
} ngx_ims_jwk_import_t;

/* says why in im->err; always returns NGX_IMS_INVALID */
int ngx_ims_jwk_fail(ngx_ims_jwk_import_t *im, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* one JWK; NGX_IMS_OK: added or skipped, or NGX_IMS_INVALID with im->err set */
int ngx_ims_jwk_one(ngx_ims_jwk_import_t *im, const json_t *jwk);

/* a secret of len bytes for those of algs that it is long enough for */
int ngx_ims_jwk_hmac(ngx_ims_jwk_import_t *im, const json_t *jwk,
    unsigned algs, const unsigned char *secret, size_t len);

/*
 * Adds a public key for those of algs that its type allows; jwk is NULL or has
 * its kid.  pkey is taken over in any case; NULL: it could not be made.
 * Returns NGX_IMS_OK, or NGX_IMS_INVALID with im->err set.
 */
int ngx_ims_jwk_add_pkey(ngx_ims_jwk_import_t *im, const json_t *jwk,
    EVP_PKEY *pkey, unsigned algs);

/* all keys of a PEM text; NGX_IMS_OK, or NGX_IMS_INVALID with im->err set */
int ngx_ims_jwk_pem(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text);


#endif /* _NGX_IMS_JWT_INT_H_INCLUDED_ */
