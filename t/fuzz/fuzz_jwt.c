/* Copyright (C) the IMS portal authors */
/* FUZZ_LIBS: -ljansson -lcrypto */


/*
 * Feeds the JWT verifier.  The first byte chooses: the rest is a token as it
 * stands, or header and payload (parted by a line feed) that are signed here,
 * so that the reading of claims is reached.  Half of the mutations of those are
 * of JSON: a member, a value, a bracket more, less, or another one.
 */


#include <openssl/hmac.h>
#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_jws.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk_pem.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk_import.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwt.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwt_claim.c"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)

#define NOW  1800000000


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned seed);


/* the secret is 32 times "k", the others are of RFC 7515 A.3 and 8037 A.2 */

static const ngx_ims_str_t  set = ngx_ims_str(
    "{\"keys\":["
    "{\"kty\":\"oct\",\"k\":\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"e\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");


static ngx_ims_jwt_keys_t  *keys;


/* jansson, without our eyes on it, reads the same user in the payload */

static void
claims_are_those(ngx_ims_jwt_t *jwt, const unsigned char *p, size_t len)
{
    size_t                n;
    json_t               *json;
    const unsigned char  *dot, *end;
    static unsigned char  text[NGX_IMS_JWT_MAX_TOKEN];
    ngx_ims_str_t         sub;

    dot = memchr(p, '.', len);
    end = memchr(dot + 1, '.', p + len - dot - 1);

    need(ngx_ims_jws_base64url(dot + 1, end - dot - 1, text, &n)
         == NGX_IMS_OK);

    json = json_loadb((char *) text, n, 0, NULL);
    need(json != NULL);

    sub = ngx_ims_jwt_subject(jwt);

    need(json_string_length(json_object_get(json, "sub")) == sub.len);
    need(memcmp(json_string_value(json_object_get(json, "sub")), sub.data,
                sub.len) == 0);
    need(json_object_get(json, "exp") != NULL);

    json_decref(json);
}


static void
verify(const unsigned char *p, size_t len)
{
    size_t                i, dots;
    ngx_ims_str_t         token, value;
    ngx_ims_jwt_t        *jwt;
    ngx_ims_jwt_check_t   check = {
        keys, ngx_ims_str("i"), ngx_ims_str("a"), NOW, 30
    };

    token.data = (unsigned char *) p;
    token.len = len;

    if (ngx_ims_jwt_verify(&token, &check, &jwt) != NGX_IMS_JWT_OK) {
        need(jwt == NULL);
        return;
    }

    for (dots = 0, i = 0; i < len; i++) {
        dots += (p[i] == '.');
        need(p[i] == '.' || ngx_ims_jws_value(p[i]) >= 0);
    }

    need(dots == 2);
    need(ngx_ims_jwt_subject(jwt).len >= 1
         && ngx_ims_jwt_subject(jwt).len <= 255);
    need(ngx_ims_jwt_issuer(jwt).len == 1);
    need(ngx_ims_jwt_expires(jwt) > NOW - 30
         && ngx_ims_jwt_expires(jwt) <= NGX_IMS_JWT_MAX_TIME);
    need(ngx_ims_jwt_issued(jwt) <= NOW + 30);

    claims_are_those(jwt, p, len);

    (void) ngx_ims_jwt_claim(jwt, "name", &value);
    (void) ngx_ims_jwt_claim(jwt, "a.b.c", &value);

    ngx_ims_jwt_free(jwt);
}


static size_t
encode(const unsigned char *p, size_t len, unsigned char *out)
{
    size_t  i, n;

    n = EVP_EncodeBlock(out, p, len);

    while (n && out[n - 1] == '=') {
        n--;
    }

    for (i = 0; i < n; i++) {
        out[i] = (out[i] == '+') ? '-' : (out[i] == '/') ? '_' : out[i];
    }

    return n;
}


static void
sign_and_verify(const unsigned char *p, size_t len)
{
    size_t                n;
    unsigned              mac_len;
    unsigned char         mac[EVP_MAX_MD_SIZE];
    const unsigned char  *lf;
    static unsigned char  token[32768];

    lf = memchr(p, '\n', len);

    if (lf == NULL || len > 12000) {
        return;
    }

    n = encode(p, lf - p, token);
    token[n++] = '.';
    n += encode(lf + 1, p + len - lf - 1, token + n);

    need(HMAC(EVP_sha256(), "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 32, token, n,
              mac, &mac_len) != NULL);

    token[n++] = '.';
    n += encode(mac, mac_len, token + n);

    verify(token, n);
}


/* what goes into a JSON text somewhere */

static const char *const  pieces[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\u0061", "\\ud800",
    "\"sub\":", "\"\\u0073ub\":", "\"exp\":", "\"nbf\":", "\"iat\":",
    "\"iss\":", "\"aud\":", "\"alg\":", "\"kid\":", "\"crit\":[],",
    "\"b64\":false,", "\"typ\":\"JWT\",", "\"name\":", "\"a\":{\"b\":{\"c\":",
    "\"mary\"", "\"i\"", "\"a\"", "[\"a\"]", "[\"x\",\"a\"]", "\"HS256\"",
    "\"none\"", "null", "true", "0", "-1", "1.5", "1e300", "1e400", "-1e-400",
    "1800000100", "1799999970", "9223372036854775807",
    "9223372036854775808", "[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]",
    "\xc3\xa9", "\xff", "\xed\xa0\x80", "\n"
};

#define NPIECES  (sizeof(pieces) / sizeof(pieces[0]))


/* the start of a JSON token from a place on */

static size_t
boundary(const uint8_t *data, size_t size, size_t at)
{
    while (at < size && strchr("{}[],:\"\n", data[at]) == NULL) {
        at++;
    }

    return at;
}


size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size_t       a, b, n;
    const char  *piece;

    if (size < 2 || data[0] != 's' || seed % 2) {
        return LLVMFuzzerMutate(data, size, max);
    }

    srandom(seed);

    a = boundary(data, size, 1 + random() % (size - 1));
    b = boundary(data, size, a + random() % 3);

    b = (b < size) ? b + random() % 2 : size;

    piece = pieces[random() % NPIECES];
    n = strlen(piece);

    switch (seed / 2 % 4) {

    case 0:
        /* in place of what is from a to b */
        break;

    case 1:
        n = 0;
        break;

    default:
        b = a;
    }

    if (a > size || size - (b - a) + n > max) {
        return LLVMFuzzerMutate(data, size, max);
    }

    memmove(data + a + n, data + b, size - b);
    memcpy(data + a, piece, n);

    return size - (b - a) + n;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char  err[128];

    if (keys == NULL) {
        keys = ngx_ims_jwt_keys_parse(&set, err, sizeof(err));
        need(keys != NULL && ngx_ims_jwt_keys_count(keys) == 3);
    }

    if (size < 1) {
        return 0;
    }

    switch (data[0]) {

    case 's':
        sign_and_verify(data + 1, size - 1);
        break;

    default:
        verify(data + 1, size - 1);
    }

    need(ERR_peek_error() == 0);

    return 0;
}
