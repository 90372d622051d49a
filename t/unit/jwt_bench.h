/*
 * Copyright (C) the IMS portal authors
 *
 * The keys, and the calls of the verifier, that the tests of tokens and of
 * keys share: every text lies at the edge of a guarded page, and each call is
 * watched for errors left behind.  Included by one file per program.
 */


#ifndef _JWT_BENCH_H_INCLUDED_
#define _JWT_BENCH_H_INCLUDED_


#include <openssl/err.h>

#include "ngx_ims_jwt.h"
#include "jwt_make.h"
#include "tap.h"


#define NOW  1800000000

#define CLAIMS                                                                \
    "{\"iss\":\"https://login.acme.example\",\"aud\":\"ims-portal\","         \
    "\"sub\":\"mary\",\"exp\":1800000600,\"nbf\":1799999000,"                 \
    "\"iat\":1799999000}"


enum { HMAC_KEY, RSA_KEY, RSA_PEM, P256, P384, P521, ED, NKEYS };


typedef struct {
    const char          *spec;
    EVP_PKEY            *pkey;
    ngx_ims_jwt_keys_t  *keys;
} test_key_t;


static test_key_t  keys[NKEYS] = {
    { "oct", NULL, NULL },
    { "RSA:2048", NULL, NULL },
    { "RSA:2048", NULL, NULL },
    { "EC:P-256", NULL, NULL },
    { "EC:P-384", NULL, NULL },
    { "EC:P-521", NULL, NULL },
    { "ED25519", NULL, NULL }
};


static const struct {
    const char  *name;
    int          key;
} algs[] = {
    { "HS256", HMAC_KEY }, { "HS384", HMAC_KEY }, { "HS512", HMAC_KEY },
    { "RS256", RSA_KEY }, { "RS384", RSA_KEY }, { "RS512", RSA_KEY },
    { "PS256", RSA_KEY }, { "PS384", RSA_KEY }, { "PS512", RSA_KEY },
    { "ES256", P256 }, { "ES384", P384 }, { "ES512", P521 },
    { "EdDSA", ED }
};

#define NALGS  (sizeof(algs) / sizeof(algs[0]))


static unsigned char  secret[64];


static ngx_ims_jwt_keys_t *
import(const char *text, char *err, size_t size)
{
    ngx_ims_str_t        s;
    unsigned char       *p;
    ngx_ims_jwt_keys_t  *set;

    s.len = strlen(text);
    p = guarded_copy(text, s.len);
    s.data = p;

    set = ngx_ims_jwt_keys_parse(&s, err, size);

    guarded_free(p, s.len);

    return set;
}


static ngx_ims_jwt_result_e
verify_at(const ngx_ims_jwt_keys_t *set, const char *token, time_t now,
    time_t leeway, ngx_ims_jwt_t **jwt)
{
    ngx_ims_str_t         s;
    unsigned char        *p;
    ngx_ims_jwt_t        *t;
    ngx_ims_jwt_check_t   check = {
        NULL, ngx_ims_str("https://login.acme.example"),
        ngx_ims_str("ims-portal"), 0, 0
    };
    ngx_ims_jwt_result_e  rc;

    check.keys = set;
    check.now = now;
    check.leeway = leeway;

    s.len = strlen(token);
    p = guarded_copy(token, s.len);
    s.data = p;

    rc = ngx_ims_jwt_verify(&s, &check, &t);

    guarded_free(p, s.len);

    if ((rc == NGX_IMS_JWT_OK) != (t != NULL)) {
        ok(0, "a token object comes with OK and only then");
    }

    if (ERR_peek_error() != 0) {
        ok(0, "no error is left in OpenSSL's queue");
        ERR_clear_error();
    }

    if (jwt != NULL) {
        *jwt = t;

    } else {
        ngx_ims_jwt_free(t);
    }

    return rc;
}


static ngx_ims_jwt_result_e
verify(const ngx_ims_jwt_keys_t *set, const char *token)
{
    return verify_at(set, token, NOW, 30, NULL);
}


static char *
make(const char *alg, int key, const char *payload)
{
    char  header[64];

    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);

    return jwt_make_token(alg, header, payload, keys[key].pkey, secret,
                          sizeof(secret));
}


static void
is_result(ngx_ims_jwt_result_e got, ngx_ims_jwt_result_e expected,
    const char *name)
{
    if (!ok(got == expected, "%s", name)) {
        diag("got \"%s\", expected \"%s\"", ngx_ims_jwt_error(got),
             ngx_ims_jwt_error(expected));
    }
}


/* verifies and frees the token */

static void
is_verified(const ngx_ims_jwt_keys_t *set, char *token,
    ngx_ims_jwt_result_e expected, const char *name)
{
    is_result(verify(set, token), expected, name);
    free(token);
}


static void
make_keys(void)
{
    int    i;
    char  *text, err[128];

    for (i = 0; i < (int) sizeof(secret); i++) {
        secret[i] = i * 7 + 1;
    }

    for (i = 0; i < NKEYS; i++) {

        if (i == HMAC_KEY) {
            text = jwt_make_oct(secret, sizeof(secret), "");

        } else if (i == RSA_PEM) {
            keys[i].pkey = keys[RSA_KEY].pkey;
            EVP_PKEY_up_ref(keys[i].pkey);
            text = jwt_make_pem(keys[i].pkey, 0);

        } else {
            keys[i].pkey = jwt_make_key(keys[i].spec);
            text = jwt_make_jwk(keys[i].pkey, "");
        }

        err[0] = '\0';
        keys[i].keys = import(text, err, sizeof(err));

        if (!ok(keys[i].keys != NULL, "%s key imported", keys[i].spec)) {
            diag("%s", err);
            exit(1);
        }

        free(text);
    }
}


static void
free_keys(void)
{
    int  i;

    for (i = 0; i < NKEYS; i++) {
        ngx_ims_jwt_keys_free(keys[i].keys);
        EVP_PKEY_free(keys[i].pkey);
    }
}


#endif /* _JWT_BENCH_H_INCLUDED_ */
