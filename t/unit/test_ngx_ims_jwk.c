/*
 * Copyright (C) the IMS portal authors
 *
 * Keys for tokens: what must be refused, sets of several, PEM.
 */


#include "jwt_bench.h"


static void
refused(char *text, const char *name)
{
    char                 err[128];
    ngx_ims_jwt_keys_t  *set;

    err[0] = '\0';
    set = import(text, err, sizeof(err));

    ok(set == NULL && err[0] != '\0' && ERR_peek_error() == 0, "%s: %s", name,
       err);

    ERR_clear_error();
    ngx_ims_jwt_keys_free(set);
    free(text);
}


static void
test_bad_keys(void)
{
    size_t     i;
    EVP_PKEY  *weak;

    static const char *const  texts[] = {
        "", " \n", "{}", "{\"keys\":[]}", "{\"keys\":{}}", "nonsense",
        "{\"keys\":[{\"kty\":\"RSA\"}]}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"!!!!\",\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\",\"y\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\","
            "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
            "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}",
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}",
        "{\"kty\":\"oct\"}",
        "{\"kty\":\"oct\",\"k\":7}",
        "{\"kty\":1}",
        "{\"keys\":[1]}",
        "{\"kty\":\"oct\",\"kty\":\"RSA\"}",
        "{\"kty\":\"oct\",\"k\":\"",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refused(strdup(texts[i]), "refused");
    }

    weak = jwt_make_key("RSA:1024");
    refused(jwt_make_jwk(weak, ""), "RSA of 1024 bits");
    refused(jwt_make_pem(weak, 0), "RSA of 1024 bits in PEM");
    EVP_PKEY_free(weak);

    weak = jwt_make_key("EC:secp256k1");
    refused(jwt_make_pem(weak, 0), "a curve that JWS does not use for ES256");
    EVP_PKEY_free(weak);

    refused(jwt_make_pem(keys[RSA_KEY].pkey, 1), "a private key");
    refused(jwt_make_oct(secret, 31, ""), "a secret of 31 bytes");
    refused(jwt_make_oct(secret, 63, "\"alg\":\"HS512\","),
            "a secret of 63 bytes for HS512");
    refused(jwt_make_jwk(keys[RSA_KEY].pkey, "\"alg\":\"HS256\","),
            "an RSA key for HS256");
    refused(jwt_make_oct(secret, 64, "\"alg\":\"RS256\","),
            "a secret for RS256");
    refused(jwt_make_jwk(keys[P256].pkey, "\"alg\":\"ES384\","),
            "P-256 for ES384");
    refused(jwt_make_jwk(keys[P256].pkey, "\"use\":\"enc\","),
            "only a key for encryption");
    refused(jwt_make_jwk(keys[P256].pkey, "\"key_ops\":[\"deriveKey\"],"),
            "only a key for another operation");
    refused(jwt_make_jwk(keys[RSA_KEY].pkey, "\"alg\":\"RSA-OAEP\","),
            "only a key for another algorithm");
    refused(jwt_make_jwk(keys[P256].pkey, "\"kid\":5,"), "kid is a number");
}


/* a set of several: kid, alg, what is skipped */

static void
test_key_set(void)
{
    char                 *a, *b, *c, *d, *text, err[128];
    size_t                len;
    ngx_ims_jwt_keys_t   *set;

    a = jwt_make_jwk(keys[RSA_KEY].pkey,
                     "\"kid\":\"a\",\"use\":\"sig\",\"alg\":\"RS256\",");
    b = jwt_make_jwk(keys[P256].pkey,
                     "\"kid\":\"b\",\"key_ops\":[\"verify\"],");
    c = jwt_make_jwk(keys[P384].pkey, "\"kid\":\"c\",\"use\":\"enc\",");
    d = jwt_make_oct(secret, 32, "\"kid\":\"d\",");

    len = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 128;
    text = malloc(len);
    snprintf(text, len, "\n{\"keys\":[%s,%s,%s,%s,{\"kty\":\"new\"},"
             "{\"kty\":\"EC\",\"crv\":\"P-1\"}]}", a, b, c, d);

    set = import(text, err, sizeof(err));

    if (ok(set != NULL, "a set of several keys")) {
        is_int(ngx_ims_jwt_keys_count(set), 3, "three of them are for us");

        is_verified(set, make("RS256", RSA_KEY, CLAIMS), NGX_IMS_JWT_OK,
                    "no kid: every key of the algorithm is tried");
        is_verified(set, make("RS512", RSA_KEY, CLAIMS),
                    NGX_IMS_JWT_ALGORITHM, "alg of a JWK binds it");
        is_verified(set, make("PS256", RSA_KEY, CLAIMS),
                    NGX_IMS_JWT_ALGORITHM, "also against PS256");
        is_verified(set, make("HS512", HMAC_KEY, CLAIMS),
                    NGX_IMS_JWT_ALGORITHM, "32 bytes are not for HS512");
        is_verified(set,
                    jwt_make_token("HS256", "{\"alg\":\"HS256\","
                                   "\"kid\":\"d\"}", CLAIMS, NULL, secret, 32),
                    NGX_IMS_JWT_OK, "the key that kid names");
        is_verified(set,
                    jwt_make_token("HS256", "{\"alg\":\"HS256\","
                                   "\"kid\":\"a\"}", CLAIMS, NULL, secret, 32),
                    NGX_IMS_JWT_ALGORITHM, "kid of a key of another type");
        is_verified(set,
                    jwt_make_token("ES384", "{\"alg\":\"ES384\","
                                   "\"kid\":\"c\"}", CLAIMS, keys[P384].pkey,
                                   NULL, 0),
                    NGX_IMS_JWT_UNKNOWN_KEY, "kid of a key that was skipped");
        is_verified(set,
                    jwt_make_token("RS256", "{\"alg\":\"RS256\","
                                   "\"kid\":\"A\"}", CLAIMS,
                                   keys[RSA_KEY].pkey, NULL, 0),
                    NGX_IMS_JWT_UNKNOWN_KEY, "kid is compared by case");
    }

    ngx_ims_jwt_keys_free(set);
    free(text);
    free(a);
    free(b);
    free(c);
    free(d);

    a = jwt_make_pem(keys[P256].pkey, 0);
    b = jwt_make_pem(keys[ED].pkey, 0);
    len = strlen(a) + strlen(b) + 64;
    text = malloc(len);
    snprintf(text, len, "a comment\n%s\nanother\n%s", a, b);

    set = import(text, err, sizeof(err));

    if (ok(set != NULL, "PEM keys that follow one another")) {
        is_int(ngx_ims_jwt_keys_count(set), 2, "both are there");
        is_verified(set, make("ES256", P256, CLAIMS), NGX_IMS_JWT_OK, "one");
        is_verified(set, make("EdDSA", ED, CLAIMS), NGX_IMS_JWT_OK, "two");
    }

    ngx_ims_jwt_keys_free(set);
    free(text);
    free(a);
    free(b);
}


int
main(void)
{
    make_keys();

    test_bad_keys();
    test_key_set();

    free_keys();

    return done_testing();
}
