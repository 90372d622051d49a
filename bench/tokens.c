/*
 * Copyright (C) the IMS portal authors
 *
 * What a token costs: ngx_ims_jwt_verify() of a whole token, and beside it the
 * least that OpenSSL needs for its signature, a context set up once and the
 * signature in OpenSSL's own form.  Both in turn, in slices, by CPU time.
 *
 * usage: tokens MS       so many ms of CPU for each algorithm and each of both
 *
 * Prints lines of "ALGORITHM BYTES TOKENS SIGNATURES", the latter two per
 * second of CPU.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "ngx_ims_jwt.h"
#include "jwt_make.h"


enum { SLICES = 20 };


#define NOW  1800000000

/* an access token as login products write them */

#define CLAIMS                                                                \
    "{\"exp\":1800000300,\"iat\":1800000000,\"jti\":"                         \
    "\"0b3c1a52-7d1e-4c11-9a6e-2f5a0c8e9d11\",\"iss\":"                       \
    "\"https://login.acme.example/realms/acme\",\"aud\":[\"ims-portal\","     \
    "\"account\"],\"sub\":\"5b2d6c0e-54a1-4a5e-a3de-4e4bd0c6a9f7\","          \
    "\"typ\":\"Bearer\",\"azp\":\"phone\",\"session_state\":"                 \
    "\"c9a3e7f0-1d5b-4b83-8f0e-7a1b6a1f7c55\",\"acr\":\"1\",\"realm_access\"" \
    ":{\"roles\":[\"default-roles-acme\",\"offline_access\",\"calls\"]},"     \
    "\"scope\":\"openid profile email\",\"email_verified\":true,\"name\":"    \
    "\"Mary Major\",\"preferred_username\":\"mary\",\"email\":"               \
    "\"mary@acme.example\"}"


struct alg {
    const char  *name;
    const char  *key;                    /* for jwt_make_key(); NULL: secret */
    const char  *digest;
    int          padding;
};


static const struct alg  algs[] = {
    { "HS256", NULL, "SHA256", 0 },
    { "HS384", NULL, "SHA384", 0 },
    { "HS512", NULL, "SHA512", 0 },
    { "RS256", "RSA:2048", "SHA256", RSA_PKCS1_PADDING },
    { "PS256", "RSA:2048", "SHA256", RSA_PKCS1_PSS_PADDING },
    { "ES256", "EC:P-256", "SHA256", 0 },
    { "ES384", "EC:P-384", "SHA384", 0 },
    { "ES512", "EC:P-521", "SHA512", 0 },
    { "EdDSA", "ED25519", NULL, 0 }
};


/* one algorithm: its token, and the same for OpenSSL alone */

struct bench {
    const struct alg     *alg;
    EVP_PKEY             *pkey;
    char                 *token;
    ngx_ims_jwt_keys_t   *keys;
    const unsigned char  *text;          /* what is signed */
    size_t                text_len;
    unsigned char         sig[1024];
    size_t                sig_len;
    EVP_MD_CTX           *verify;
    EVP_MAC_CTX          *mac;
};


static unsigned char  secret[64] = "a secret of sixty-four bytes, "
    "as long as the hash of HS512 is ..";


#define need(cond)                                                            \
    do {                                                                      \
        if (!(cond)) {                                                        \
            fprintf(stderr, "tokens: %s\n", #cond);                           \
            exit(1);                                                          \
        }                                                                     \
    } while (0)


static double
cpu_seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
make_keys(struct bench *b)
{
    char           *text, err[128];
    ngx_ims_str_t   s;

    if (b->alg->key == NULL) {
        text = jwt_make_oct(secret, sizeof(secret), "\"kid\":\"1\",");

    } else {
        b->pkey = jwt_make_key(b->alg->key);
        text = jwt_make_jwk(b->pkey, "\"kid\":\"1\",");
    }

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    b->keys = ngx_ims_jwt_keys_parse(&s, err, sizeof(err));
    need(b->keys != NULL);

    free(text);
}


/* a signature of its own, in the form that OpenSSL takes */

static void
make_signature(struct bench *b)
{
    EVP_MAC       *mac;
    EVP_MD_CTX    *ctx;
    OSSL_PARAM     params[2];
    EVP_PKEY_CTX  *pctx;

    if (b->alg->key == NULL) {
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                  (char *) b->alg->digest, 0);
        params[1] = OSSL_PARAM_construct_end();

        mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        b->mac = EVP_MAC_CTX_new(mac);
        need(EVP_MAC_init(b->mac, secret, sizeof(secret), params) == 1);
        EVP_MAC_free(mac);
        return;
    }

    ctx = EVP_MD_CTX_new();
    b->verify = EVP_MD_CTX_new();
    b->sig_len = sizeof(b->sig);

    need(EVP_DigestSignInit_ex(ctx, &pctx, b->alg->digest, NULL, NULL,
                               b->pkey, NULL) == 1);
    need(!b->alg->padding
         || EVP_PKEY_CTX_set_rsa_padding(pctx, b->alg->padding) == 1);
    need(EVP_DigestSign(ctx, b->sig, &b->sig_len, b->text, b->text_len) == 1);

    need(EVP_DigestVerifyInit_ex(b->verify, &pctx, b->alg->digest, NULL, NULL,
                                 b->pkey, NULL) == 1);
    need(!b->alg->padding
         || EVP_PKEY_CTX_set_rsa_padding(pctx, b->alg->padding) == 1);

    EVP_MD_CTX_free(ctx);
}


static void
make_bench(struct bench *b, const struct alg *alg)
{
    char  header[64];

    memset(b, 0, sizeof(*b));
    b->alg = alg;

    make_keys(b);

    snprintf(header, sizeof(header),
             "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"1\"}", alg->name);

    b->token = jwt_make_token(alg->name, header, CLAIMS, b->pkey, secret,
                              sizeof(secret));
    b->text = (unsigned char *) b->token;
    b->text_len = strrchr(b->token, '.') - b->token;

    make_signature(b);
}


static void
free_bench(struct bench *b)
{
    ngx_ims_jwt_keys_free(b->keys);
    EVP_MD_CTX_free(b->verify);
    EVP_MAC_CTX_free(b->mac);
    EVP_PKEY_free(b->pkey);
    free(b->token);
}


static void
verify_token(struct bench *b)
{
    ngx_ims_str_t         s;
    ngx_ims_jwt_t        *jwt;
    ngx_ims_jwt_check_t   check = {
        NULL, ngx_ims_str("https://login.acme.example/realms/acme"),
        ngx_ims_str("ims-portal"), NOW, 30
    };

    check.keys = b->keys;
    s.data = (unsigned char *) b->token;
    s.len = strlen(b->token);

    need(ngx_ims_jwt_verify(&s, &check, &jwt) == NGX_IMS_JWT_OK);

    ngx_ims_jwt_free(jwt);
}


static void
verify_signature(struct bench *b)
{
    size_t         len;
    EVP_MD_CTX    *ctx;
    unsigned char  mac[EVP_MAX_MD_SIZE];

    if (b->mac != NULL) {
        need(EVP_MAC_init(b->mac, NULL, 0, NULL) == 1
             && EVP_MAC_update(b->mac, b->text, b->text_len) == 1
             && EVP_MAC_final(b->mac, mac, &len, sizeof(mac)) == 1);
        return;
    }

    /* a context serves once; the copy is the least that can be done */

    ctx = EVP_MD_CTX_new();

    need(EVP_MD_CTX_copy_ex(ctx, b->verify) == 1
         && EVP_DigestVerify(ctx, b->sig, b->sig_len, b->text, b->text_len)
            == 1);

    EVP_MD_CTX_free(ctx);
}


/* adds to *n and *used what is done in so many seconds */

static void
slice(void (*verify)(struct bench *b), struct bench *b, double seconds,
    double *n, double *used)
{
    int     i;
    double  start, t;

    start = cpu_seconds();

    do {

        for (i = 0; i < 16; i++) {
            verify(b);
        }

        *n += 16;
        t = cpu_seconds() - start;

    } while (t < seconds);

    *used += t;
}


int
main(int argc, char **argv)
{
    int           i;
    size_t        k;
    double        seconds, n[2], used[2];
    struct bench  b;

    if (argc != 2 || atoi(argv[1]) < 1) {
        fprintf(stderr, "usage: tokens MS\n");
        return 2;
    }

    seconds = atoi(argv[1]) / 1000.0 / SLICES;

    for (k = 0; k < sizeof(algs) / sizeof(algs[0]); k++) {
        make_bench(&b, &algs[k]);

        n[0] = n[1] = used[0] = used[1] = 0;

        for (i = 0; i < SLICES; i++) {
            slice(verify_token, &b, seconds, &n[0], &used[0]);
            slice(verify_signature, &b, seconds, &n[1], &used[1]);
        }

        printf("%s %zu %.0f %.0f\n", b.alg->name, strlen(b.token),
               n[0] / used[0], n[1] / used[1]);
        fflush(stdout);

        free_bench(&b);
    }

    return 0;
}
