/*
 * Copyright (C) the IMS portal authors
 *
 * JSON Web Tokens: keys are imported once and each is bound to its algorithms,
 * tokens are verified with OpenSSL EVP (RFC 7515, 7517, 7518, 7519, 8037 and
 * 8725).
 * Needs OpenSSL and jansson, nothing of nginx; knows no clock (the caller gives
 * the time).  Design D9 says why libjwt is not used for verifying.
 */


#ifndef _NGX_IMS_JWT_H_INCLUDED_
#define _NGX_IMS_JWT_H_INCLUDED_


#include <time.h>

#include "ngx_ims_str.h"


enum {
    NGX_IMS_JWT_MAX_TOKEN = 16384,       /* bytes */
    NGX_IMS_JWT_MAX_DEPTH = 16,          /* nesting of JSON */
    NGX_IMS_JWT_MAX_KEYS = 64,           /* in one key set */
    NGX_IMS_JWT_MAX_PATH = 255,          /* bytes of a claim's path */
    NGX_IMS_JWT_MAX_ITEM = 32,           /* ... of a number as text, and NUL */
    NGX_IMS_JWT_MIN_SECRET = 32          /* bytes of a secret, RFC 8725 3.5 */
};


typedef struct ngx_ims_jwt_keys_s  ngx_ims_jwt_keys_t;
typedef struct ngx_ims_jwt_s       ngx_ims_jwt_t;


/*
 * Imports a key set: a JWKS or a single JWK (JSON), or PEM public keys or
 * certificates (several may follow one another).  A JWK with "alg" is bound to
 * that one; else to what its type allows: oct by length HS256 (and HS384/512
 * when long enough), RSA >= 2048 bits RS256/384/512 and PS256/384/512, EC by
 * curve ES256/384/512, OKP Ed25519 and Ed448 EdDSA.  Keys with "use" other than
 * "sig" are skipped; private members are ignored except "k" of oct.
 *
 * err       on failure says why, lower case; has size bytes
 *
 * Returns the set, to be freed with ngx_ims_jwt_keys_free(), or NULL (no usable
 * key, weak key, unreadable text).
 */
ngx_ims_jwt_keys_t *ngx_ims_jwt_keys_parse(const ngx_ims_str_t *text,
    char *err, size_t size);

/*
 * The same for JSON that somebody publishes: there a secret is none, and is
 * skipped; keys that are weak or broken are skipped, too, as RFC 7517 5 wants,
 * and more than NGX_IMS_JWT_MAX_KEYS.
 */
ngx_ims_jwt_keys_t *ngx_ims_jwt_keys_published(const ngx_ims_str_t *text,
    char *err, size_t size);

/*
 * A set of one secret, as it is.  For HS256, and HS384 and HS512 when it is
 * long enough; NULL as above (shorter than NGX_IMS_JWT_MIN_SECRET).
 */
ngx_ims_jwt_keys_t *ngx_ims_jwt_keys_secret(const ngx_ims_str_t *secret,
    char *err, size_t size);

/* base64url; out has room for len / 4 * 3 + 2.  1 with *n set, or 0 */
int ngx_ims_jwt_base64url(const ngx_ims_str_t *text, unsigned char *out,
    size_t *n);

/* the bit of an algorithm's name, e.g. "ES256"; 0: none of ours */
unsigned ngx_ims_jwt_alg(const ngx_ims_str_t *name);

/* 1 when a secret is among them */
int ngx_ims_jwt_keys_shared(const ngx_ims_jwt_keys_t *keys);

void ngx_ims_jwt_keys_free(ngx_ims_jwt_keys_t *keys);

/* how many keys the set holds */
unsigned ngx_ims_jwt_keys_count(const ngx_ims_jwt_keys_t *keys);


typedef enum {
    NGX_IMS_JWT_OK = 0,
    NGX_IMS_JWT_MALFORMED,               /* not a JWS in strict form */
    NGX_IMS_JWT_ALGORITHM,               /* none, unknown, not of this key */
    NGX_IMS_JWT_UNKNOWN_KEY,             /* kid not in the set */
    NGX_IMS_JWT_SIGNATURE,
    NGX_IMS_JWT_ENCRYPTED,               /* a JWE */
    NGX_IMS_JWT_ISSUER,
    NGX_IMS_JWT_AUDIENCE,
    NGX_IMS_JWT_NO_SUBJECT,              /* absent, empty, or too long (255) */
    NGX_IMS_JWT_NO_EXPIRY,
    NGX_IMS_JWT_EXPIRED,
    NGX_IMS_JWT_NOT_YET,                 /* nbf or iat in the future */
    NGX_IMS_JWT_TYPE,                    /* another typ than wanted */
    NGX_IMS_JWT_NO_MEMORY
} ngx_ims_jwt_result_e;


typedef struct {
    const ngx_ims_jwt_keys_t  *keys;
    ngx_ims_str_t              issuer;   /* empty: not checked */
    ngx_ims_str_t              audience; /* empty: not checked */
    time_t                     now;      /* Unix seconds */
    time_t                     leeway;   /* seconds, >= 0 */
} ngx_ims_jwt_check_t;


/*
 * Verifies one compact token: size, exactly two dots, strict base64url (no
 * padding, zero tail bits), JSON objects without duplicate members, alg pinned
 * by the key, kid if there is one (else all keys of that algorithm are tried; a
 * key without an id, as those from PEM, serves any kid), no "crit", signature,
 * then iss, aud (string or array), sub, exp, nbf, iat.
 * jku, x5u, jwk and x5c in a token are never looked at (RFC 8725 3.10).
 *
 * Returns NGX_IMS_JWT_OK with *jwt set, to be freed with ngx_ims_jwt_free();
 * any other result leaves *jwt NULL.
 */
ngx_ims_jwt_result_e ngx_ims_jwt_verify(const ngx_ims_str_t *token,
    const ngx_ims_jwt_check_t *check, ngx_ims_jwt_t **jwt);

/*
 * The same in steps, for a caller who has several sets of keys, and chooses by
 * what the token says before that is verified.
 *
 * ngx_ims_jwt_open() reads a token: OK with *jwt set, MALFORMED, ENCRYPTED,
 * ALGORITHM, NO_MEMORY.  Until ngx_ims_jwt_signed() gave OK nothing in it may
 * be believed, and the text has to stay.
 *
 * ngx_ims_jwt_signed() checks the signature: OK, UNKNOWN_KEY, ALGORITHM,
 * SIGNATURE, MALFORMED, NO_MEMORY.  algs: bits of what is allowed, 0: what the
 * keys allow.  May be called again with other keys.
 *
 * ngx_ims_jwt_valid() checks the claims (keys of the check are not used).
 */
ngx_ims_jwt_result_e ngx_ims_jwt_open(const ngx_ims_str_t *token,
    ngx_ims_jwt_t **jwt);
ngx_ims_jwt_result_e ngx_ims_jwt_signed(ngx_ims_jwt_t *jwt,
    const ngx_ims_jwt_keys_t *keys, unsigned algs);
ngx_ims_jwt_result_e ngx_ims_jwt_valid(ngx_ims_jwt_t *jwt,
    const ngx_ims_jwt_check_t *check);

/* 1 when the audience is the token's, or among them (RFC 7519 4.1.3) */
int ngx_ims_jwt_for(const ngx_ims_jwt_t *jwt, const ngx_ims_str_t *audience);

/* 1 when its header has this typ, without "application/" (RFC 8725 3.11) */
int ngx_ims_jwt_typ(const ngx_ims_jwt_t *jwt, const ngx_ims_str_t *typ);

/* one user more, who calls ngx_ims_jwt_free(), too; returns jwt */
ngx_ims_jwt_t *ngx_ims_jwt_keep(ngx_ims_jwt_t *jwt);

void ngx_ims_jwt_free(ngx_ims_jwt_t *jwt);

/* spans live as long as the token object; issuer may be empty */
ngx_ims_str_t ngx_ims_jwt_subject(const ngx_ims_jwt_t *jwt);
ngx_ims_str_t ngx_ims_jwt_issuer(const ngx_ims_jwt_t *jwt);

/* as its header says, else of the key that verified it; empty: none */
ngx_ims_str_t ngx_ims_jwt_kid(const ngx_ims_jwt_t *jwt);

time_t ngx_ims_jwt_expires(const ngx_ims_jwt_t *jwt);
time_t ngx_ims_jwt_issued(const ngx_ims_jwt_t *jwt);      /* 0: no iat */

/*
 * A claim as text: string as it is, integer and boolean printed; members of
 * objects by a path "a.b".  Returns 1 with *value set (it lives as long as the
 * token object), 0 when absent or of another type.
 */
int ngx_ims_jwt_claim(ngx_ims_jwt_t *jwt, const char *path,
    ngx_ims_str_t *value);

typedef enum {
    NGX_IMS_JWT_ABSENT = 0,              /* null, too */
    NGX_IMS_JWT_STRING,
    NGX_IMS_JWT_INTEGER,
    NGX_IMS_JWT_REAL,
    NGX_IMS_JWT_BOOLEAN,
    NGX_IMS_JWT_ARRAY,
    NGX_IMS_JWT_OBJECT
} ngx_ims_jwt_type_e;

/* what a claim is, by its path as above */
ngx_ims_jwt_type_e ngx_ims_jwt_type(const ngx_ims_jwt_t *jwt,
    const char *path);

/*
 * A claim that is a list: element i of an array, or with i = 0 a claim that is
 * none itself.  Strings are as they are, and live as long as the token object;
 * numbers and booleans are printed to buf, which has NGX_IMS_JWT_MAX_ITEM
 * bytes.
 * Returns 1 with *value set; 0: there is no such element; -1: it is null, an
 * object or an array.
 */
int ngx_ims_jwt_item(const ngx_ims_jwt_t *jwt, const char *path, size_t i,
    char *buf, ngx_ims_str_t *value);

/* a result in words for a log or an error_description, lower case */
const char *ngx_ims_jwt_error(ngx_ims_jwt_result_e result);


#endif /* _NGX_IMS_JWT_H_INCLUDED_ */
