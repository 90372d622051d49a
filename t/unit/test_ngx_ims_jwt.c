/*
 * Copyright (C) the IMS portal authors
 *
 * JSON Web Tokens: each algorithm with its own key and with every other one,
 * the attacks that RFC 8725 lists, and claims at their edges.
 */


#include "jwt_bench.h"


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

    free_keys();

    return done_testing();
}
