/*
 * Copyright (C) the IMS portal authors
 *
 * Verification of one compact token (RFC 7515 5.2, RFC 7519 7.2, RFC 8725).
 */


#include <stdlib.h>
#include <strings.h>
#include <openssl/err.h>

#include "ngx_ims_jwt_int.h"


enum {
    NGX_IMS_JWT_MAX_SUBJECT = 255        /* bytes */
};


#define NGX_IMS_JWT_MAX_TIME  253402300799LL     /* end of the year 9999 */


typedef struct {
    ngx_ims_str_t        header;         /* the three parts, still encoded */
    ngx_ims_str_t        payload;
    ngx_ims_str_t        signature;
    ngx_ims_str_t        text;           /* what is signed */
} ngx_ims_jwt_parts_t;


static ngx_ims_jwt_result_e ngx_ims_jwt_split(const ngx_ims_str_t *token,
    ngx_ims_jwt_parts_t *parts);
static json_t *ngx_ims_jwt_decode(const ngx_ims_str_t *part);
static ngx_ims_jwt_result_e ngx_ims_jwt_header(ngx_ims_jwt_t *jwt,
    const json_t *header);
static char *ngx_ims_jwt_copy(const json_t *text, size_t *len);
static ngx_ims_jwt_result_e ngx_ims_jwt_try(const ngx_ims_jwt_t *jwt,
    const ngx_ims_jwt_keys_t *keys, unsigned algs, const unsigned char *sig,
    size_t len, const ngx_ims_jws_key_t **found);
static int ngx_ims_jwt_kid_fits(const ngx_ims_jws_key_t *key,
    const ngx_ims_jwt_t *jwt);
static ngx_ims_jwt_result_e ngx_ims_jwt_times(ngx_ims_jwt_t *jwt,
    const ngx_ims_jwt_check_t *check);
static int ngx_ims_jwt_time(const json_t *claims, const char *name,
    int64_t *t);
static int ngx_ims_jwt_is(const json_t *json, const ngx_ims_str_t *s);


ngx_ims_jwt_result_e
ngx_ims_jwt_verify(const ngx_ims_str_t *token,
    const ngx_ims_jwt_check_t *check, ngx_ims_jwt_t **jwt)
{
    ngx_ims_jwt_result_e  rc;

    rc = ngx_ims_jwt_open(token, jwt);

    if (rc != NGX_IMS_JWT_OK) {
        return rc;
    }

    rc = ngx_ims_jwt_signed(*jwt, check->keys, 0);

    if (rc == NGX_IMS_JWT_OK) {
        rc = ngx_ims_jwt_valid(*jwt, check);
    }

    if (rc != NGX_IMS_JWT_OK) {
        ngx_ims_jwt_free(*jwt);
        *jwt = NULL;
    }

    return rc;
}


ngx_ims_jwt_result_e
ngx_ims_jwt_open(const ngx_ims_str_t *token, ngx_ims_jwt_t **jwt)
{
    json_t                *header;
    ngx_ims_jwt_t         *t;
    ngx_ims_jwt_parts_t    parts;
    ngx_ims_jwt_result_e   rc;

    *jwt = NULL;

    rc = ngx_ims_jwt_split(token, &parts);

    if (rc != NGX_IMS_JWT_OK) {
        return rc;
    }

    t = calloc(1, sizeof(ngx_ims_jwt_t));

    if (t == NULL) {
        return NGX_IMS_JWT_NO_MEMORY;
    }

    t->refs = 1;
    t->text = parts.text;
    t->signature = parts.signature;

    header = ngx_ims_jwt_decode(&parts.header);
    rc = ngx_ims_jwt_header(t, header);
    json_decref(header);

    if (rc != NGX_IMS_JWT_OK) {
        ngx_ims_jwt_free(t);
        return rc;
    }

    /* what is no object here is told after the signature */

    t->claims = ngx_ims_jwt_decode(&parts.payload);

    *jwt = t;

    return NGX_IMS_JWT_OK;
}


ngx_ims_jwt_t *
ngx_ims_jwt_keep(ngx_ims_jwt_t *jwt)
{
    jwt->refs++;

    return jwt;
}


void
ngx_ims_jwt_free(ngx_ims_jwt_t *jwt)
{
    ngx_ims_jwt_text_t  *text;

    if (jwt == NULL || --jwt->refs) {
        return;
    }

    while (jwt->texts) {
        text = jwt->texts;
        jwt->texts = text->next;
        free(text);
    }

    json_decref(jwt->claims);
    free(jwt->kid);
    free(jwt->typ);
    free(jwt);
}


/* header "." payload "." signature (RFC 7515 3.1); four dots are a JWE */

static ngx_ims_jwt_result_e
ngx_ims_jwt_split(const ngx_ims_str_t *token, ngx_ims_jwt_parts_t *parts)
{
    unsigned        n;
    unsigned char  *p, *end, *dots[4];

    if (token->len == 0 || token->len > NGX_IMS_JWT_MAX_TOKEN) {
        return NGX_IMS_JWT_MALFORMED;
    }

    p = token->data;
    end = p + token->len;

    for (n = 0; n < 4; n++) {
        dots[n] = memchr(p, '.', end - p);

        if (dots[n] == NULL) {
            break;
        }

        p = dots[n] + 1;
    }

    if (n == 4 && memchr(p, '.', end - p) == NULL) {
        return NGX_IMS_JWT_ENCRYPTED;
    }

    if (n != 2) {
        return NGX_IMS_JWT_MALFORMED;
    }

    parts->header.data = token->data;
    parts->header.len = dots[0] - token->data;
    parts->payload.data = dots[0] + 1;
    parts->payload.len = dots[1] - parts->payload.data;
    parts->signature.data = dots[1] + 1;
    parts->signature.len = end - parts->signature.data;
    parts->text.data = token->data;
    parts->text.len = dots[1] - token->data;

    if (parts->header.len == 0 || parts->payload.len == 0) {
        return NGX_IMS_JWT_MALFORMED;
    }

    return NGX_IMS_JWT_OK;
}


/* a part that is a JSON object in base64url, or NULL */

static json_t *
ngx_ims_jwt_decode(const ngx_ims_str_t *part)
{
    size_t         len;
    unsigned char  text[NGX_IMS_JWT_MAX_TOKEN];

    if (ngx_ims_jws_base64url(part->data, part->len, text, &len)
        != NGX_IMS_OK)
    {
        return NULL;
    }

    return ngx_ims_jws_json(text, len);
}


/*
 * alg is one of ours, kid is text or not there, and nothing is critical: we
 * implement no extension (RFC 7515 4.1.11).
 */

static ngx_ims_jwt_result_e
ngx_ims_jwt_header(ngx_ims_jwt_t *jwt, const json_t *header)
{
    json_t  *alg, *kid, *typ;

    alg = json_object_get(header, "alg");
    kid = json_object_get(header, "kid");
    typ = json_object_get(header, "typ");

    if (!json_is_string(alg) || (kid != NULL && !json_is_string(kid))
        || json_object_get(header, "crit") != NULL)
    {
        return NGX_IMS_JWT_MALFORMED;
    }

    jwt->alg = ngx_ims_jws_alg(json_string_value(alg),
                               json_string_length(alg));

    if (jwt->alg == NGX_IMS_JWS_N) {
        return NGX_IMS_JWT_ALGORITHM;
    }

    if (kid != NULL) {
        jwt->kid = ngx_ims_jwt_copy(kid, &jwt->kid_len);

        if (jwt->kid == NULL) {
            return NGX_IMS_JWT_NO_MEMORY;
        }
    }

    if (json_is_string(typ)) {
        jwt->typ = ngx_ims_jwt_copy(typ, &jwt->typ_len);

        if (jwt->typ == NULL) {
            return NGX_IMS_JWT_NO_MEMORY;
        }
    }

    return NGX_IMS_JWT_OK;
}


static char *
ngx_ims_jwt_copy(const json_t *text, size_t *len)
{
    char  *copy;

    *len = json_string_length(text);
    copy = malloc(*len + 1);

    if (copy != NULL) {
        memcpy(copy, json_string_value(text), *len + 1);
    }

    return copy;
}


ngx_ims_jwt_result_e
ngx_ims_jwt_signed(ngx_ims_jwt_t *jwt, const ngx_ims_jwt_keys_t *keys,
    unsigned algs)
{
    size_t                    len;
    unsigned char             sig[NGX_IMS_JWT_MAX_TOKEN];
    ngx_ims_jwt_result_e      rc;
    const ngx_ims_jws_key_t  *key;

    if (ngx_ims_jws_base64url(jwt->signature.data, jwt->signature.len, sig,
                              &len)
        != NGX_IMS_OK)
    {
        return NGX_IMS_JWT_MALFORMED;
    }

    key = NULL;

    /* a refused signature leaves errors, those of others stay */

    ERR_set_mark();

    rc = ngx_ims_jwt_try(jwt, keys, algs ? algs : ~0U, sig, len, &key);

    ERR_pop_to_mark();

    if (key == NULL || jwt->kid != NULL || key->kid == NULL) {
        return rc;
    }

    /* sets of keys come and go, what is told of a token stays with it */

    jwt->kid = malloc(key->kid_len + 1);

    if (jwt->kid == NULL) {
        return NGX_IMS_JWT_NO_MEMORY;
    }

    memcpy(jwt->kid, key->kid, key->kid_len + 1);
    jwt->kid_len = key->kid_len;

    return NGX_IMS_JWT_OK;
}


/* the key says what may be used, the token only which of it was */

static ngx_ims_jwt_result_e
ngx_ims_jwt_try(const ngx_ims_jwt_t *jwt, const ngx_ims_jwt_keys_t *keys,
    unsigned algs, const unsigned char *sig, size_t len,
    const ngx_ims_jws_key_t **found)
{
    unsigned                  i;
    ngx_ims_jwt_result_e      rc;
    const ngx_ims_jws_key_t  *key;

    rc = NGX_IMS_JWT_UNKNOWN_KEY;

    for (i = 0; i < keys->n; i++) {
        key = &keys->keys[i];

        if (!ngx_ims_jwt_kid_fits(key, jwt)) {
            continue;
        }

        if (!(key->algs & algs & (1U << jwt->alg))) {

            if (rc == NGX_IMS_JWT_UNKNOWN_KEY) {
                rc = NGX_IMS_JWT_ALGORITHM;
            }

            continue;
        }

        rc = NGX_IMS_JWT_SIGNATURE;

        if (ngx_ims_jws_key_verify(key, jwt->alg, &jwt->text, sig, len)
            == NGX_IMS_OK)
        {
            *found = key;
            return NGX_IMS_JWT_OK;
        }
    }

    return rc;
}


/* a key without an id, as those from PEM, may serve any token */

static int
ngx_ims_jwt_kid_fits(const ngx_ims_jws_key_t *key, const ngx_ims_jwt_t *jwt)
{
    return jwt->kid == NULL || key->kid == NULL
           || (jwt->kid_len == key->kid_len
               && memcmp(jwt->kid, key->kid, key->kid_len) == 0);
}


ngx_ims_jwt_result_e
ngx_ims_jwt_valid(ngx_ims_jwt_t *jwt, const ngx_ims_jwt_check_t *check)
{
    size_t   len;
    json_t  *iss, *sub;

    iss = json_object_get(jwt->claims, "iss");

    if (jwt->claims == NULL || (iss != NULL && !json_is_string(iss))) {
        return NGX_IMS_JWT_MALFORMED;
    }

    if (check->issuer.len && !ngx_ims_jwt_is(iss, &check->issuer)) {
        return NGX_IMS_JWT_ISSUER;
    }

    if (check->audience.len && !ngx_ims_jwt_for(jwt, &check->audience)) {
        return NGX_IMS_JWT_AUDIENCE;
    }

    sub = json_object_get(jwt->claims, "sub");
    len = json_string_length(sub);

    if (len == 0 || len > NGX_IMS_JWT_MAX_SUBJECT) {
        return NGX_IMS_JWT_NO_SUBJECT;
    }

    return ngx_ims_jwt_times(jwt, check);
}


/* exp, nbf and iat (RFC 7519 4.1.4 to 4.1.6); without exp no token counts */

static ngx_ims_jwt_result_e
ngx_ims_jwt_times(ngx_ims_jwt_t *jwt, const ngx_ims_jwt_check_t *check)
{
    int      rc;
    size_t   i;
    int64_t  t;

    static const char *const  starts[] = { "nbf", "iat" };

    rc = ngx_ims_jwt_time(jwt->claims, "exp", &t);

    if (rc != NGX_IMS_OK) {
        return (rc == NGX_IMS_MORE) ? NGX_IMS_JWT_NO_EXPIRY
                                    : NGX_IMS_JWT_MALFORMED;
    }

    if ((int64_t) check->now - check->leeway >= t) {
        return NGX_IMS_JWT_EXPIRED;
    }

    jwt->expires = t;

    for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        rc = ngx_ims_jwt_time(jwt->claims, starts[i], &t);

        if (rc == NGX_IMS_INVALID) {
            return NGX_IMS_JWT_MALFORMED;
        }

        if (rc == NGX_IMS_OK && t > (int64_t) check->now + check->leeway) {
            return NGX_IMS_JWT_NOT_YET;
        }

        if (rc == NGX_IMS_OK && i == 1) {
            jwt->issued = t;
        }
    }

    return NGX_IMS_JWT_OK;
}


/*
 * A NumericDate, fractions cut off, kept between -1 and the year 9999 so that
 * callers may calculate with it.  OK, MORE when absent, INVALID for others.
 */

static int
ngx_ims_jwt_time(const json_t *claims, const char *name, int64_t *t)
{
    double   real;
    json_t  *json;

    json = json_object_get(claims, name);

    if (json == NULL) {
        return NGX_IMS_MORE;
    }

    if (json_is_integer(json)) {
        *t = json_integer_value(json);

    } else if (json_is_real(json)) {
        real = json_real_value(json);

        *t = (real < 0) ? -1
             : (real > (double) NGX_IMS_JWT_MAX_TIME) ? NGX_IMS_JWT_MAX_TIME
             : (int64_t) real;

    } else {
        return NGX_IMS_INVALID;
    }

    if (*t < 0) {
        *t = -1;
    }

    if (*t > NGX_IMS_JWT_MAX_TIME) {
        *t = NGX_IMS_JWT_MAX_TIME;
    }

    return NGX_IMS_OK;
}


static int
ngx_ims_jwt_is(const json_t *json, const ngx_ims_str_t *s)
{
    return json_is_string(json) && json_string_length(json) == s->len
           && memcmp(json_string_value(json), s->data, s->len) == 0;
}


/* aud is a string or an array of strings (RFC 7519 4.1.3) */

int
ngx_ims_jwt_for(const ngx_ims_jwt_t *jwt, const ngx_ims_str_t *audience)
{
    size_t   i;
    json_t  *aud;

    aud = json_object_get(jwt->claims, "aud");

    if (!json_is_array(aud)) {
        return ngx_ims_jwt_is(aud, audience);
    }

    for (i = 0; i < json_array_size(aud); i++) {

        if (ngx_ims_jwt_is(json_array_get(aud, i), audience)) {
            return 1;
        }
    }

    return 0;
}


/*
 * RFC 7515 4.1.9: a media type, whose case does not count and which may lack
 * "application/".
 */

int
ngx_ims_jwt_typ(const ngx_ims_jwt_t *jwt, const ngx_ims_str_t *typ)
{
    size_t       len;
    const char  *p;

    p = jwt->typ;
    len = jwt->typ_len;

    if (p == NULL) {
        return 0;
    }

    if (len > 12 && strncasecmp(p, "application/", 12) == 0) {
        p += 12;
        len -= 12;
    }

    return len == typ->len && strncasecmp(p, (char *) typ->data, len) == 0;
}
