/*
 * Copyright (C) the IMS portal authors
 *
 * Out of memory: keys are imported and a token is verified over and over, with
 * the first, the second, the third ... allocation failing, of ours, of jansson
 * and of OpenSSL.  Nothing may be accepted by mistake; leaks are found by the
 * sanitizer and by counting what was not given back.
 */


#include <openssl/crypto.h>
#include <jansson.h>

#include "ngx_ims_jwt.h"
#include "jwt_make.h"
#include "tap.h"



enum { MAX_FAILURES = 20000 };


static long  countdown = -1;             /* allocations until one fails */
static long  failed;
static long  live;


/* what jwt_oom.c makes of malloc() and its like in the files under test */

void *test_malloc(size_t n);
void *test_calloc(size_t n, size_t size);
void test_free(void *p);


static int
fail(void)
{
    if (countdown < 0) {
        return 0;
    }

    if (countdown-- == 0) {
        failed++;
        countdown = -1;
        return 1;
    }

    return 0;
}


void *
test_malloc(size_t n)
{
    void  *p;

    p = fail() ? NULL : malloc(n);
    live += (p != NULL);

    return p;
}


void *
test_calloc(size_t n, size_t size)
{
    void  *p;

    p = fail() ? NULL : calloc(n, size);
    live += (p != NULL);

    return p;
}


void
test_free(void *p)
{
    live -= (p != NULL);
    free(p);
}


static void *
crypto_malloc(size_t n, const char *file, int line)
{
    (void) file;
    (void) line;

    return fail() ? NULL : malloc(n);
}


static void *
crypto_realloc(void *p, size_t n, const char *file, int line)
{
    (void) file;
    (void) line;

    return fail() ? NULL : realloc(p, n);
}


static void
crypto_free(void *p, const char *file, int line)
{
    (void) file;
    (void) line;

    free(p);
}


static ngx_ims_jwt_keys_t *
import(char *text)
{
    char           err[128];
    ngx_ims_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    return ngx_ims_jwt_keys_parse(&s, err, sizeof(err));
}


static ngx_ims_jwt_result_e
verify(const ngx_ims_jwt_keys_t *keys, char *token, ngx_ims_jwt_t **jwt)
{
    ngx_ims_str_t        s, claim;
    ngx_ims_jwt_check_t  check = {
        keys, ngx_ims_str("i"), ngx_ims_str("a"), 1800000000, 0
    };
    ngx_ims_jwt_result_e  rc;

    s.data = (unsigned char *) token;
    s.len = strlen(token);

    rc = ngx_ims_jwt_verify(&s, &check, jwt);

    if (*jwt != NULL) {
        (void) ngx_ims_jwt_claim(*jwt, "n", &claim);
    }

    return rc;
}


static void
test_import(char *text)
{
    long                 i;
    ngx_ims_jwt_keys_t  *keys;

    for (i = 0; i < MAX_FAILURES; i++) {
        countdown = i;
        failed = 0;

        keys = import(text);
        countdown = -1;

        ngx_ims_jwt_keys_free(keys);

        if (failed == 0) {
            break;
        }
    }

    ok(i > 10 && i < MAX_FAILURES, "import with each of %ld allocations "
       "failing", i);
    is_int(live, 0, "gives all back");
}


static void
test_verify(char *text, char *good, char *bad)
{
    long                 i, wrong;
    ngx_ims_jwt_t       *jwt;
    ngx_ims_jwt_keys_t  *keys;

    keys = import(text);

    if (!ok(keys != NULL && verify(keys, good, &jwt) == NGX_IMS_JWT_OK,
            "the token is good"))
    {
        return;
    }

    ngx_ims_jwt_free(jwt);

    wrong = 0;

    for (i = 0; i < MAX_FAILURES; i++) {
        countdown = i;
        failed = 0;

        wrong += (verify(keys, bad, &jwt) == NGX_IMS_JWT_OK);
        countdown = -1;
        ngx_ims_jwt_free(jwt);

        countdown = i;

        wrong += ((verify(keys, good, &jwt) == NGX_IMS_JWT_OK)
                  != (jwt != NULL));
        countdown = -1;
        ngx_ims_jwt_free(jwt);

        if (failed == 0) {
            break;
        }
    }

    ok(i > 5 && i < MAX_FAILURES, "verify with each of %ld allocations "
       "failing", i);
    is_int(wrong, 0, "never takes a bad token for a good one");

    ngx_ims_jwt_keys_free(keys);
    is_int(live, 0, "gives all back");
}


int
main(void)
{
    int        i;
    char      *text, *pem, *good, *bad, header[64];
    EVP_PKEY  *pkey;

    static const struct {
        const char  *alg;
        const char  *spec;
    } t[] = {
        { "HS256", NULL }, { "RS256", "RSA:2048" }, { "ES256", "EC:P-256" },
        { "EdDSA", "ED25519" }
    };

    static const char  secret[] = "a secret of just thirty-two byte";

    CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
    json_set_alloc_funcs(test_malloc, test_free);

    for (i = 0; i < (int) (sizeof(t) / sizeof(t[0])); i++) {
        pkey = t[i].spec ? jwt_make_key(t[i].spec) : NULL;
        text = pkey ? jwt_make_jwk(pkey, "\"kid\":\"k\",")
                    : jwt_make_oct(secret, 32, "");

        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", t[i].alg);

        good = jwt_make_token(t[i].alg, header, "{\"iss\":\"i\",\"aud\":\"a\","
                              "\"sub\":\"s\",\"exp\":1800000001,\"n\":7}",
                              pkey, secret, 32);
        bad = strdup(good);
        strrchr(bad, '.')[3] ^= 1;
        strrchr(bad, '.')[4] = (strrchr(bad, '.')[4] == 'A') ? 'B' : 'A';

        test_import(text);
        test_verify(text, good, bad);

        if (pkey != NULL) {
            pem = jwt_make_pem(pkey, 0);
            test_import(pem);
            free(pem);
        }

        free(good);
        free(bad);
        free(text);
        EVP_PKEY_free(pkey);
    }

    return done_testing();
}
