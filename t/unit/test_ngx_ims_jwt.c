/*
 * Copyright (C) the IMS portal authors
 *
 * JSON Web Tokens: each algorithm with its own key and with every other one,
 * the attacks that RFC 8725 lists, claims at their edges, keys that must be
 * refused; and libjwt, whose tokens we accept, as a second opinion.
 */


#include <jwt.h>
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


/* each algorithm with its key, with all other keys, and a changed byte */

static void
test_algorithms(void)
{
    int                    k, rsa;
    char                  *token, *dot;
    size_t                 i;
    ngx_ims_jwt_result_e   rc;

    for (i = 0; i < NALGS; i++) {
        token = make(algs[i].name, algs[i].key, CLAIMS);

        for (k = 0; k < NKEYS; k++) {
            rc = verify(keys[k].keys, token);
            rsa = (k == RSA_PEM && algs[i].key == RSA_KEY);

            if (k == algs[i].key || rsa) {
                is_result(rc, NGX_IMS_JWT_OK, algs[i].name);

            } else {
                is_result(rc, NGX_IMS_JWT_ALGORITHM, "another type of key");
            }
        }

        dot = strchr(token, '.');
        dot[3] = (dot[3] == 'A') ? 'B' : 'A';
        is_result(verify(keys[algs[i].key].keys, token),
                  NGX_IMS_JWT_SIGNATURE, "a changed payload");
        free(token);

        token = make(algs[i].name, algs[i].key, CLAIMS);
        dot = strrchr(token, '.');
        dot[5] = (dot[5] == 'A') ? 'B' : 'A';
        is_result(verify(keys[algs[i].key].keys, token),
                  NGX_IMS_JWT_SIGNATURE, "a changed signature");
        free(token);
    }
}


/* RFC 8725 2.1: algorithm confusion, and "none" in its spellings */

static void
test_confusion(void)
{
    int                       i;
    char                     *pem, *token, header[64];
    static const char *const  none[] = {
        "none", "None", "NONE", "nOnE", "", "HS257", "RS256 ", "rs256", "ES"
    };

    pem = jwt_make_pem(keys[RSA_KEY].pkey, 0);

    for (i = 0; i < 2; i++) {
        token = jwt_make_token("HS256", "{\"alg\":\"HS256\"}", CLAIMS, NULL,
                               pem, strlen(pem) - i);
        is_result(verify(keys[RSA_PEM].keys, token), NGX_IMS_JWT_ALGORITHM,
                  "HS256 with the public key as secret, PEM key");
        is_verified(keys[RSA_KEY].keys, token, NGX_IMS_JWT_ALGORITHM,
                    "HS256 with the public key as secret, JWK");
    }

    free(pem);

    for (i = 0; i < (int) (sizeof(none) / sizeof(none[0])); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", none[i]);

        token = jwt_make_token("none", header, CLAIMS, NULL, NULL, 0);
        is_result(verify(keys[HMAC_KEY].keys, token), NGX_IMS_JWT_ALGORITHM,
                  "none or unknown, secret");
        is_verified(keys[RSA_KEY].keys, token, NGX_IMS_JWT_ALGORITHM,
                    "none or unknown, public key");
    }

    is_verified(keys[HMAC_KEY].keys,
                jwt_make_token("none", "{\"alg\":\"HS256\"}", CLAIMS, NULL,
                               NULL, 0),
                NGX_IMS_JWT_SIGNATURE, "HS256 with an empty signature");
    is_verified(keys[P256].keys,
                jwt_make_token("none", "{\"alg\":\"ES256\"}", CLAIMS, NULL,
                               NULL, 0),
                NGX_IMS_JWT_SIGNATURE, "ES256 with an empty signature");
}


/* the outer form: dots, base64url, padding, size */

static char *
spoil(const char *token, int what)
{
    char    *s, *dot, *last;
    size_t   len;

    len = strlen(token);
    s = calloc(1, len + 16);
    dot = strchr(token, '.');
    last = strrchr(token, '.');

    switch (what) {

    case 0:
        sprintf(s, "%s=", token);
        break;

    case 1:
        sprintf(s, "%s==", token);
        break;

    case 2:
        sprintf(s, "%.*s..%s", (int) (dot - token), token, dot + 1);
        break;

    case 3:
        sprintf(s, "%.*s..%s", (int) (last - token), token, last + 1);
        break;

    case 4:
        sprintf(s, "%s.", token);
        break;

    case 5:
        sprintf(s, ".%s", token);
        break;

    case 6:
        sprintf(s, "%.*s", (int) (last - token), token);
        break;

    case 7:
        sprintf(s, " %s", token);
        break;

    case 8:
        sprintf(s, "%s\n", token);
        break;

    case 9:
        sprintf(s, "%.*s.%s", (int) (dot - token), token, last);
        break;

    case 10:
        sprintf(s, "%s+", token);
        break;

    case 11:
        sprintf(s, "%sAA", token);
        break;

    default:
        /* a non-zero bit behind the last byte of the signature */
        strcpy(s, token);
        s[len - 1]++;
    }

    return s;
}


static void
test_form(void)
{
    int                       i;
    char                     *token, *bad, *big;
    static const char *const  names[] = {
        "= behind", "== behind", "two dots in front of the payload",
        "two dots in front of the signature", "a third dot at the end",
        "a dot in front", "no signature part", "a space in front",
        "a line feed behind", "an empty payload", "a + behind",
        "two characters too many", "bits behind the last byte"
    };

    token = make("HS256", HMAC_KEY, CLAIMS);

    for (i = 0; i < (int) (sizeof(names) / sizeof(names[0])); i++) {
        bad = spoil(token, i);
        is_verified(keys[HMAC_KEY].keys, bad, NGX_IMS_JWT_MALFORMED,
                    names[i]);
    }

    free(token);

    is_result(verify(keys[HMAC_KEY].keys, ""), NGX_IMS_JWT_MALFORMED,
              "nothing");
    is_result(verify(keys[HMAC_KEY].keys, ".."), NGX_IMS_JWT_MALFORMED,
              "only dots");
    is_result(verify(keys[HMAC_KEY].keys, "e30.e30.e30"),
              NGX_IMS_JWT_MALFORMED, "an empty header");
    is_result(verify(keys[HMAC_KEY].keys, "eyJlbmMiOiJBIn0.YQ.YQ.YQ.YQ"),
              NGX_IMS_JWT_ENCRYPTED, "a JWE");
    is_result(verify(keys[HMAC_KEY].keys, "a.b.c.d.e.f"),
              NGX_IMS_JWT_MALFORMED, "five dots");

    big = malloc(NGX_IMS_JWT_MAX_TOKEN + 2);
    memset(big, 'A', NGX_IMS_JWT_MAX_TOKEN + 1);
    big[NGX_IMS_JWT_MAX_TOKEN + 1] = '\0';
    is_result(verify(keys[HMAC_KEY].keys, big), NGX_IMS_JWT_MALFORMED,
              "too long");
    free(big);
}


/* every cut of a token, against a guarded page, is refused */

static void
test_cuts(void)
{
    int      k;
    char    *token;
    size_t   len, bad;

    static const struct {
        const char  *alg;
        int          key;
    } t[] = { { "HS256", HMAC_KEY }, { "ES256", P256 } };

    for (k = 0; k < 2; k++) {
        token = make(t[k].alg, t[k].key, CLAIMS);
        bad = 0;

        for (len = strlen(token); len > 0; len--) {
            token[len - 1] = '\0';
            bad += (verify(keys[t[k].key].keys, token) == NGX_IMS_JWT_OK);
        }

        is_int(bad, 0, "no cut of a token is accepted");
        free(token);
    }
}


static void
test_header(void)
{
    size_t  i;

    static const struct {
        const char            *header;
        ngx_ims_jwt_result_e   rc;
        const char            *name;
    } t[] = {
        { "{\"alg\":\"HS256\"}", NGX_IMS_JWT_OK, "no typ" },
        { "{\"alg\":\"HS256\",\"jku\":\"http://evil.example/\",\"jwk\":{}}",
          NGX_IMS_JWT_OK, "jku and jwk are not looked at" },
        { "{\"alg\":\"HS256\",\"kid\":\"../../x\"}", NGX_IMS_JWT_OK,
          "any kid for a key without one" },
        { "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
          NGX_IMS_JWT_MALFORMED, "crit" },
        { "{\"alg\":\"HS256\",\"crit\":[]}", NGX_IMS_JWT_MALFORMED,
          "an empty crit" },
        { "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}",
          NGX_IMS_JWT_MALFORMED, "an unencoded payload (RFC 7797)" },
        { "{\"alg\":\"none\",\"alg\":\"HS256\"}", NGX_IMS_JWT_MALFORMED,
          "alg twice" },
        { "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
          NGX_IMS_JWT_MALFORMED, "alg twice, once escaped" },
        { "{\"typ\":\"JWT\"}", NGX_IMS_JWT_MALFORMED, "no alg" },
        { "{\"alg\":null}", NGX_IMS_JWT_MALFORMED, "alg is null" },
        { "{\"alg\":[\"HS256\"]}", NGX_IMS_JWT_MALFORMED, "alg is an array" },
        { "{\"alg\":\"HS256\",\"kid\":1}", NGX_IMS_JWT_MALFORMED,
          "kid is a number" },
        { "{\"alg\":\"HS256\"} x", NGX_IMS_JWT_MALFORMED, "garbage behind" },
        { "[\"HS256\"]", NGX_IMS_JWT_MALFORMED, "an array" },
        { "\"HS256\"", NGX_IMS_JWT_MALFORMED, "a string" },
        { "{\"alg\":\"HS256\\u0000\"}", NGX_IMS_JWT_MALFORMED, "a NUL" },
        { "{\"alg\":\"HS256\",\"x\":\"\xff\"}", NGX_IMS_JWT_MALFORMED,
          "bad UTF-8" },
        { "{\"alg\":\"HS256\",\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}",
          NGX_IMS_JWT_OK, "nested 16 deep" },
        { "{\"alg\":\"HS256\",\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
          NGX_IMS_JWT_MALFORMED, "nested 17 deep" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        is_verified(keys[HMAC_KEY].keys,
                    jwt_make_token("HS256", t[i].header, CLAIMS, NULL, secret,
                                   sizeof(secret)),
                    t[i].rc, t[i].name);
    }
}


static void
test_claims(void)
{
    char    payload[1024];
    size_t  i;

#define ISS  "\"iss\":\"https://login.acme.example\""
#define AUD  "\"aud\":\"ims-portal\""
#define SUB  "\"sub\":\"mary\""
#define EXP  "\"exp\":1800000600"

    static const struct {
        const char            *payload;
        ngx_ims_jwt_result_e   rc;
        const char            *name;
    } t[] = {
        { "{" ISS "," AUD "," SUB "," EXP "}", NGX_IMS_JWT_OK, "the least" },
        { "{" AUD "," SUB "," EXP "}", NGX_IMS_JWT_ISSUER, "no iss" },
        { "{\"iss\":\"https://login.acme.example/\"," AUD "," SUB "," EXP "}",
          NGX_IMS_JWT_ISSUER, "another iss" },
        { "{\"iss\":[\"https://login.acme.example\"]," AUD "," SUB "," EXP
          "}", NGX_IMS_JWT_MALFORMED, "iss is an array" },
        { "{" ISS "," SUB "," EXP "}", NGX_IMS_JWT_AUDIENCE, "no aud" },
        { "{" ISS ",\"aud\":\"ims-porta\"," SUB "," EXP "}",
          NGX_IMS_JWT_AUDIENCE, "another aud" },
        { "{" ISS ",\"aud\":[\"x\",\"ims-portal\"]," SUB "," EXP "}",
          NGX_IMS_JWT_OK, "aud is an array with ours" },
        { "{" ISS ",\"aud\":[\"x\",1,null]," SUB "," EXP "}",
          NGX_IMS_JWT_AUDIENCE, "aud is an array without ours" },
        { "{" ISS ",\"aud\":[]," SUB "," EXP "}", NGX_IMS_JWT_AUDIENCE,
          "aud is an empty array" },
        { "{" ISS ",\"aud\":{\"ims-portal\":1}," SUB "," EXP "}",
          NGX_IMS_JWT_AUDIENCE, "aud is an object" },
        { "{" ISS "," AUD "," EXP "}", NGX_IMS_JWT_NO_SUBJECT, "no sub" },
        { "{" ISS "," AUD ",\"sub\":\"\"," EXP "}", NGX_IMS_JWT_NO_SUBJECT,
          "an empty sub" },
        { "{" ISS "," AUD ",\"sub\":17," EXP "}", NGX_IMS_JWT_NO_SUBJECT,
          "sub is a number" },
        { "{" ISS "," AUD "," SUB ",\"sub\":\"root\"," EXP "}",
          NGX_IMS_JWT_MALFORMED, "sub twice" },
        { "{" ISS "," AUD "," SUB "}", NGX_IMS_JWT_NO_EXPIRY, "no exp" },
        { "{" ISS "," AUD "," SUB ",\"exp\":null}", NGX_IMS_JWT_MALFORMED,
          "exp is null" },
        { "{" ISS "," AUD "," SUB ",\"exp\":\"1800000600\"}",
          NGX_IMS_JWT_MALFORMED, "exp is a string" },
        { "{" ISS "," AUD "," SUB ",\"exp\":-1}", NGX_IMS_JWT_EXPIRED,
          "exp is negative" },
        { "{" ISS "," AUD "," SUB ",\"exp\":0}", NGX_IMS_JWT_EXPIRED,
          "exp is zero" },
        { "{" ISS "," AUD "," SUB ",\"exp\":1799999969}",
          NGX_IMS_JWT_EXPIRED, "exp one second over the leeway" },
        { "{" ISS "," AUD "," SUB ",\"exp\":1799999970}",
          NGX_IMS_JWT_EXPIRED, "exp just at the leeway" },
        { "{" ISS "," AUD "," SUB ",\"exp\":1799999971}", NGX_IMS_JWT_OK,
          "exp one second inside" },
        { "{" ISS "," AUD "," SUB ",\"exp\":1799999971.9}", NGX_IMS_JWT_OK,
          "exp with a fraction" },
        { "{" ISS "," AUD "," SUB ",\"exp\":1e300}", NGX_IMS_JWT_OK,
          "exp beyond all numbers" },
        { "{" ISS "," AUD "," SUB ",\"exp\":-1e300}", NGX_IMS_JWT_EXPIRED,
          "exp below all numbers" },
        { "{" ISS "," AUD "," SUB ",\"exp\":9223372036854775807}",
          NGX_IMS_JWT_OK, "exp at the end of 64 bits" },
        { "{" ISS "," AUD "," SUB ",\"exp\":9223372036854775808}",
          NGX_IMS_JWT_MALFORMED, "exp beyond 64 bits" },
        { "{" ISS "," AUD "," SUB "," EXP ",\"nbf\":1800000030}",
          NGX_IMS_JWT_OK, "nbf just inside the leeway" },
        { "{" ISS "," AUD "," SUB "," EXP ",\"nbf\":1800000031}",
          NGX_IMS_JWT_NOT_YET, "nbf one second over it" },
        { "{" ISS "," AUD "," SUB "," EXP ",\"nbf\":\"x\"}",
          NGX_IMS_JWT_MALFORMED, "nbf is a string" },
        { "{" ISS "," AUD "," SUB "," EXP ",\"iat\":1800000030}",
          NGX_IMS_JWT_OK, "iat just inside the leeway" },
        { "{" ISS "," AUD "," SUB "," EXP ",\"iat\":1800000031}",
          NGX_IMS_JWT_NOT_YET, "iat in the future" },
        { "[1]", NGX_IMS_JWT_MALFORMED, "an array" },
        { "{", NGX_IMS_JWT_MALFORMED, "no JSON" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        is_verified(keys[HMAC_KEY].keys, make("HS256", HMAC_KEY, t[i].payload),
                    t[i].rc, t[i].name);
    }

    snprintf(payload, sizeof(payload),
             "{" ISS "," AUD "," EXP ",\"sub\":\"%0255d\"}", 1);
    is_verified(keys[HMAC_KEY].keys, make("HS256", HMAC_KEY, payload),
                NGX_IMS_JWT_OK, "sub of 255 bytes");

    snprintf(payload, sizeof(payload),
             "{" ISS "," AUD "," EXP ",\"sub\":\"%0256d\"}", 1);
    is_verified(keys[HMAC_KEY].keys, make("HS256", HMAC_KEY, payload),
                NGX_IMS_JWT_NO_SUBJECT, "sub of 256 bytes");
}


/* what the caller may read of an accepted token */

static void
test_access(void)
{
    char           *token;
    size_t          i;
    ngx_ims_str_t   s;
    ngx_ims_jwt_t  *jwt;

    static const struct {
        const char  *path;
        const char  *value;
    } t[] = {
        { "name", "Mary \xc3\x84" },
        { "n", "-42" },
        { "yes", "true" },
        { "no", "false" },
        { "ims.impu", "sip:u001@acme.example" },
        { "ims.more.n", "7" },
        { "https://acme.example/impu", "tel:+1555" },
        { "https://acme.example/o.x", "deep" },
        { "empty", "" },
        { "real", NULL },
        { "nothing", NULL },
        { "list", NULL },
        { "ims", NULL },
        { "ims.none", NULL },
        { "ims.impu.x", NULL },
        { "name.x", NULL },
        { "", NULL },
        { ".", NULL }
    };

    token = make("RS256", RSA_KEY,
                 "{" ISS "," AUD "," SUB "," EXP ","
                 "\"name\":\"Mary \\u00c4\",\"n\":-42,\"yes\":true,"
                 "\"no\":false,\"real\":1.5,\"nothing\":null,\"list\":[1],"
                 "\"empty\":\"\",\"ims\":{\"impu\":\"sip:u001@acme.example\","
                 "\"more\":{\"n\":7}},"
                 "\"https://acme.example/impu\":\"tel:+1555\","
                 "\"https://acme.example/o\":{\"x\":\"deep\"}}");

    if (verify_at(keys[RSA_KEY].keys, token, NOW, 0, &jwt) != NGX_IMS_JWT_OK) {
        ok(0, "a token with many claims");
        free(token);
        return;
    }

    s = ngx_ims_jwt_subject(jwt);
    is_str(s.data, s.len, "mary", "subject");
    s = ngx_ims_jwt_issuer(jwt);
    is_str(s.data, s.len, "https://login.acme.example", "issuer");
    is_int(ngx_ims_jwt_expires(jwt), 1800000600, "expires");

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        if (t[i].value == NULL) {
            is_int(ngx_ims_jwt_claim(jwt, t[i].path, &s), 0, "no such text");

        } else if (ok(ngx_ims_jwt_claim(jwt, t[i].path, &s) == 1,
                      "claim \"%s\" is there", t[i].path))
        {
            is_str(s.data, s.len, t[i].value, "with its value");
        }
    }

    ngx_ims_jwt_free(jwt);
    free(token);

    token = make("HS256", HMAC_KEY,
                 "{" ISS "," AUD "," SUB ",\"exp\":9223372036854775807}");
    is_result(verify_at(keys[HMAC_KEY].keys, token, NOW, 0, &jwt),
              NGX_IMS_JWT_OK, "a token for ever");
    is_int(ngx_ims_jwt_expires(jwt), 253402300799LL, "ends in the year 9999");
    ngx_ims_jwt_free(jwt);
    free(token);
}


/* r and s: zeros, out of range, too short, too long, DER (RFC 7518 3.4) */

static void
test_ecdsa(void)
{
    char           *good, *bad, *sig, *dot;
    size_t          i;
    unsigned char   raw[200];

    static const struct {
        size_t                 len;
        unsigned char          fill;
        ngx_ims_jwt_result_e   rc;
        const char            *name;
    } t[] = {
        { 64, 0x00, NGX_IMS_JWT_SIGNATURE, "r and s are zero" },
        { 64, 0xff, NGX_IMS_JWT_SIGNATURE, "r and s are out of range" },
        { 63, 0x11, NGX_IMS_JWT_SIGNATURE, "63 bytes" },
        { 65, 0x11, NGX_IMS_JWT_SIGNATURE, "65 bytes" },
        { 96, 0x11, NGX_IMS_JWT_SIGNATURE, "96 bytes" },
        { 128, 0x00, NGX_IMS_JWT_SIGNATURE, "128 bytes" },
        { 1, 0x30, NGX_IMS_JWT_SIGNATURE, "one byte" }
    };

    good = make("ES256", P256, CLAIMS);
    dot = strrchr(good, '.');
    bad = malloc(strlen(good) + 512);

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(raw, t[i].fill, sizeof(raw));
        sig = jwt_base64url(raw, t[i].len);
        sprintf(bad, "%.*s.%s", (int) (dot - good), good, sig);
        is_result(verify(keys[P256].keys, bad), t[i].rc, t[i].name);
        free(sig);
    }

    for (i = 0; i < 2; i++) {
        memset(raw, 0, sizeof(raw));
        memset(raw + 32 * i, 0x11, 32);

        sig = jwt_base64url(raw, 64);
        sprintf(bad, "%.*s.%s", (int) (dot - good), good, sig);
        is_result(verify(keys[P256].keys, bad), NGX_IMS_JWT_SIGNATURE,
                  i ? "r is zero" : "s is zero");
        free(sig);
    }

    /* what OpenSSL and X.509 write: a sequence */

    sig = jwt_base64url("\x30\x06\x02\x01\x01\x02\x01\x01", 8);
    sprintf(bad, "%.*s.%s", (int) (dot - good), good, sig);
    is_result(verify(keys[P256].keys, bad), NGX_IMS_JWT_SIGNATURE, "DER");

    free(sig);
    free(bad);
    free(good);
}


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


/* tokens that libjwt issues, as the demo's login does */

static void
test_libjwt(void)
{
    char    *token, *pem;
    jwt_t   *j;
    size_t   i;

    static const struct {
        const char  *name;
        jwt_alg_t    alg;
        int          key;
    } t[] = {
        { "HS256", JWT_ALG_HS256, HMAC_KEY },
        { "HS384", JWT_ALG_HS384, HMAC_KEY },
        { "HS512", JWT_ALG_HS512, HMAC_KEY },
        { "RS256", JWT_ALG_RS256, RSA_KEY },
        { "RS384", JWT_ALG_RS384, RSA_KEY },
        { "RS512", JWT_ALG_RS512, RSA_KEY },
        { "ES256", JWT_ALG_ES256, P256 },
        { "ES384", JWT_ALG_ES384, P384 },
        { "ES512", JWT_ALG_ES512, P521 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        pem = (t[i].key == HMAC_KEY) ? NULL
                                     : jwt_make_pem(keys[t[i].key].pkey, 1);
        token = NULL;
        j = NULL;

        if (jwt_new(&j) == 0
            && jwt_add_grants_json(j, CLAIMS) == 0
            && jwt_set_alg(j, t[i].alg,
                           pem ? (unsigned char *) pem : secret,
                           pem ? strlen(pem) : sizeof(secret)) == 0)
        {
            token = jwt_encode_str(j);
        }

        if (ok(token != NULL, "libjwt issues %s", t[i].name)) {
            is_result(verify(keys[t[i].key].keys, token), NGX_IMS_JWT_OK,
                      "which we accept");
            free(token);
        }

        jwt_free(j);
        free(pem);

        /* and the other way round */

        token = make(t[i].name, t[i].key, CLAIMS);
        pem = (t[i].key == HMAC_KEY) ? NULL
                                     : jwt_make_pem(keys[t[i].key].pkey, 0);
        j = NULL;
        is_int(jwt_decode(&j, token, pem ? (unsigned char *) pem : secret,
                          pem ? strlen(pem) : sizeof(secret)), 0,
               "libjwt accepts ours");
        jwt_free(j);
        free(token);
        free(pem);
    }

    ERR_clear_error();
}


int
main(void)
{
    make_keys();

    test_algorithms();
    test_confusion();
    test_form();
    test_cuts();
    test_header();
    test_claims();
    test_access();
    test_ecdsa();
    test_bad_keys();
    test_key_set();
    test_libjwt();

    free_keys();

    return done_testing();
}
