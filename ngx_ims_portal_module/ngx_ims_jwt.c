/*
 * Copyright (C) the IMS portal authors
 *
 * Verification of one compact token and access to its claims (RFC 7515 5.2,
 * RFC 7519 7.2, RFC 8725).  Claims are parsed only after the signature held.
 */


#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>

#include "ngx_ims_jwt_int.h"


enum {
    NGX_IMS_JWT_MAX_SUBJECT = 255,       /* bytes */
    NGX_IMS_JWT_MAX_PATH = 255           /* bytes of a claim's path */
};


#define NGX_IMS_JWT_MAX_TIME  253402300799LL     /* end of the year 9999 */


typedef struct ngx_ims_jwt_text_s  ngx_ims_jwt_text_t;

struct ngx_ims_jwt_text_s {
    ngx_ims_jwt_text_t  *next;
    char                 text[24];       /* an integer, printed */
};


struct ngx_ims_jwt_s {
    json_t              *claims;
    ngx_ims_jwt_text_t  *texts;
    time_t               expires;
    time_t               issued;
    ngx_ims_str_t        kid;            /* of the key, which outlives it */
};


typedef struct {
    ngx_ims_str_t        header;         /* the three parts, still encoded */
    ngx_ims_str_t        payload;
    ngx_ims_str_t        signature;
    ngx_ims_str_t        text;           /* what is signed */
} ngx_ims_jwt_parts_t;


static ngx_ims_jwt_result_e ngx_ims_jwt_split(const ngx_ims_str_t *token,
    ngx_ims_jwt_parts_t *parts);
static json_t *ngx_ims_jwt_decode(const ngx_ims_str_t *part);
static ngx_ims_jwt_result_e ngx_ims_jwt_signature(
    const ngx_ims_jwt_parts_t *parts, const ngx_ims_jwt_keys_t *keys,
    ngx_ims_str_t *kid_used);
static ngx_ims_jwt_result_e ngx_ims_jwt_header(const json_t *header,
    ngx_ims_jws_alg_e *alg, json_t **kid);
static int ngx_ims_jwt_kid_fits(const ngx_ims_jws_key_t *key,
    const json_t *kid);
static ngx_ims_jwt_result_e ngx_ims_jwt_claims(ngx_ims_jwt_t *jwt,
    const ngx_ims_jwt_check_t *check);
static ngx_ims_jwt_result_e ngx_ims_jwt_times(ngx_ims_jwt_t *jwt,
    const ngx_ims_jwt_check_t *check);
static int ngx_ims_jwt_time(const json_t *claims, const char *name,
    int64_t *t);
static int ngx_ims_jwt_is(const json_t *json, const ngx_ims_str_t *s);
static int ngx_ims_jwt_for(const json_t *aud, const ngx_ims_str_t *audience);
static ngx_ims_str_t ngx_ims_jwt_string(const ngx_ims_jwt_t *jwt,
    const char *name);
static json_t *ngx_ims_jwt_find(const json_t *object, char *path);


ngx_ims_jwt_result_e
ngx_ims_jwt_verify(const ngx_ims_str_t *token,
    const ngx_ims_jwt_check_t *check, ngx_ims_jwt_t **jwt)
{
    ngx_ims_jwt_t         *t;
    ngx_ims_jwt_parts_t    parts;
    ngx_ims_str_t          kid;
    ngx_ims_jwt_result_e   rc;

    *jwt = NULL;

    rc = ngx_ims_jwt_split(token, &parts);

    if (rc != NGX_IMS_JWT_OK) {
        return rc;
    }

    /* a refused signature leaves errors, those of others stay */

    ERR_set_mark();

    rc = ngx_ims_jwt_signature(&parts, check->keys, &kid);

    ERR_pop_to_mark();

    if (rc != NGX_IMS_JWT_OK) {
        return rc;
    }

    t = calloc(1, sizeof(ngx_ims_jwt_t));

    if (t == NULL) {
        return NGX_IMS_JWT_NO_MEMORY;
    }

    t->kid = kid;
    t->claims = ngx_ims_jwt_decode(&parts.payload);

    rc = t->claims ? ngx_ims_jwt_claims(t, check) : NGX_IMS_JWT_MALFORMED;

    if (rc != NGX_IMS_JWT_OK) {
        ngx_ims_jwt_free(t);
        return rc;
    }

    *jwt = t;

    return NGX_IMS_JWT_OK;
}


void
ngx_ims_jwt_free(ngx_ims_jwt_t *jwt)
{
    ngx_ims_jwt_text_t  *text;

    if (jwt == NULL) {
        return;
    }

    while (jwt->texts) {
        text = jwt->texts;
        jwt->texts = text->next;
        free(text);
    }

    json_decref(jwt->claims);
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


/* the key says what may be used, the token only which of it was */

static ngx_ims_jwt_result_e
ngx_ims_jwt_signature(const ngx_ims_jwt_parts_t *parts,
    const ngx_ims_jwt_keys_t *keys, ngx_ims_str_t *kid_used)
{
    size_t                    len;
    json_t                   *header, *kid;
    unsigned                  i;
    unsigned char             sig[NGX_IMS_JWT_MAX_TOKEN];
    ngx_ims_jws_alg_e         alg;
    ngx_ims_jwt_result_e      rc;
    const ngx_ims_jws_key_t  *key;

    header = ngx_ims_jwt_decode(&parts->header);

    if (header == NULL) {
        return NGX_IMS_JWT_MALFORMED;
    }

    rc = ngx_ims_jwt_header(header, &alg, &kid);

    if (rc != NGX_IMS_JWT_OK) {
        goto done;
    }

    if (ngx_ims_jws_base64url(parts->signature.data, parts->signature.len,
                              sig, &len)
        != NGX_IMS_OK)
    {
        rc = NGX_IMS_JWT_MALFORMED;
        goto done;
    }

    rc = NGX_IMS_JWT_UNKNOWN_KEY;

    for (i = 0; i < keys->n; i++) {
        key = &keys->keys[i];

        if (!ngx_ims_jwt_kid_fits(key, kid)) {
            continue;
        }

        if (!(key->algs & (1U << alg))) {

            if (rc == NGX_IMS_JWT_UNKNOWN_KEY) {
                rc = NGX_IMS_JWT_ALGORITHM;
            }

            continue;
        }

        rc = NGX_IMS_JWT_SIGNATURE;

        if (ngx_ims_jws_key_verify(key, alg, &parts->text, sig, len)
            == NGX_IMS_OK)
        {
            kid_used->data = (unsigned char *) key->kid;
            kid_used->len = key->kid_len;

            rc = NGX_IMS_JWT_OK;
            break;
        }
    }

done:

    json_decref(header);

    return rc;
}


/*
 * alg is one of ours, kid is text or not there, and nothing is critical: we
 * implement no extension (RFC 7515 4.1.11).  *kid belongs to the header.
 */

static ngx_ims_jwt_result_e
ngx_ims_jwt_header(const json_t *header, ngx_ims_jws_alg_e *alg, json_t **kid)
{
    json_t  *name;

    name = json_object_get(header, "alg");
    *kid = json_object_get(header, "kid");

    if (!json_is_string(name) || (*kid != NULL && !json_is_string(*kid))
        || json_object_get(header, "crit") != NULL)
    {
        return NGX_IMS_JWT_MALFORMED;
    }

    *alg = ngx_ims_jws_alg(json_string_value(name), json_string_length(name));

    return (*alg == NGX_IMS_JWS_N) ? NGX_IMS_JWT_ALGORITHM : NGX_IMS_JWT_OK;
}


/* a key without an id, as those from PEM, may serve any token */

static int
ngx_ims_jwt_kid_fits(const ngx_ims_jws_key_t *key, const json_t *kid)
{
    return kid == NULL || key->kid == NULL
           || (json_string_length(kid) == key->kid_len
               && memcmp(json_string_value(kid), key->kid, key->kid_len) == 0);
}


static ngx_ims_jwt_result_e
ngx_ims_jwt_claims(ngx_ims_jwt_t *jwt, const ngx_ims_jwt_check_t *check)
{
    size_t   len;
    json_t  *iss, *sub;

    iss = json_object_get(jwt->claims, "iss");

    if (iss != NULL && !json_is_string(iss)) {
        return NGX_IMS_JWT_MALFORMED;
    }

    if (check->issuer.len && !ngx_ims_jwt_is(iss, &check->issuer)) {
        return NGX_IMS_JWT_ISSUER;
    }

    if (check->audience.len
        && !ngx_ims_jwt_for(json_object_get(jwt->claims, "aud"),
                            &check->audience))
    {
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

static int
ngx_ims_jwt_for(const json_t *aud, const ngx_ims_str_t *audience)
{
    size_t  i;

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


ngx_ims_str_t
ngx_ims_jwt_subject(const ngx_ims_jwt_t *jwt)
{
    return ngx_ims_jwt_string(jwt, "sub");
}


ngx_ims_str_t
ngx_ims_jwt_issuer(const ngx_ims_jwt_t *jwt)
{
    return ngx_ims_jwt_string(jwt, "iss");
}


time_t
ngx_ims_jwt_expires(const ngx_ims_jwt_t *jwt)
{
    return jwt->expires;
}


time_t
ngx_ims_jwt_issued(const ngx_ims_jwt_t *jwt)
{
    return jwt->issued;
}


ngx_ims_str_t
ngx_ims_jwt_kid(const ngx_ims_jwt_t *jwt)
{
    return jwt->kid;
}


static ngx_ims_str_t
ngx_ims_jwt_string(const ngx_ims_jwt_t *jwt, const char *name)
{
    json_t         *json;
    ngx_ims_str_t   s;

    json = json_object_get(jwt->claims, name);

    s.len = json_string_length(json);
    s.data = (unsigned char *) json_string_value(json);

    return s;
}


int
ngx_ims_jwt_claim(ngx_ims_jwt_t *jwt, const char *path, ngx_ims_str_t *value)
{
    char                 copy[NGX_IMS_JWT_MAX_PATH + 1];
    size_t               len;
    json_t              *json;
    ngx_ims_jwt_text_t  *text;

    len = strlen(path);

    if (len > NGX_IMS_JWT_MAX_PATH) {
        return 0;
    }

    memcpy(copy, path, len + 1);
    json = ngx_ims_jwt_find(jwt->claims, copy);

    if (json_is_string(json)) {
        value->len = json_string_length(json);
        value->data = (unsigned char *) json_string_value(json);
        return 1;
    }

    if (json_is_boolean(json)) {
        value->data = (unsigned char *) (json_is_true(json) ? "true"
                                                            : "false");
        value->len = strlen((char *) value->data);
        return 1;
    }

    if (!json_is_integer(json)) {
        return 0;
    }

    text = malloc(sizeof(ngx_ims_jwt_text_t));

    if (text == NULL) {
        return 0;
    }

    value->len = snprintf(text->text, sizeof(text->text), "%lld",
                          (long long) json_integer_value(json));
    value->data = (unsigned char *) text->text;

    text->next = jwt->texts;
    jwt->texts = text;

    return 1;
}


/*
 * A member by its path.  A name may hold dots itself, as those that are URLs
 * do (RFC 7519 4.2), so the longest name is tried first.
 */

static json_t *
ngx_ims_jwt_find(const json_t *object, char *path)
{
    char    *dot;
    json_t  *json;

    json = json_object_get(object, path);

    if (json != NULL) {
        return json;
    }

    for (dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        *dot = '\0';
        json = json_object_get(object, path);
        *dot = '.';

        if (json_is_object(json)) {
            json = ngx_ims_jwt_find(json, dot + 1);

            if (json != NULL) {
                return json;
            }
        }
    }

    return NULL;
}


const char *
ngx_ims_jwt_error(ngx_ims_jwt_result_e result)
{
    switch (result) {

    case NGX_IMS_JWT_OK:
        return "token is valid";

    case NGX_IMS_JWT_MALFORMED:
        return "token is malformed";

    case NGX_IMS_JWT_ALGORITHM:
        return "token has an algorithm that is not allowed";

    case NGX_IMS_JWT_UNKNOWN_KEY:
        return "token is signed with an unknown key";

    case NGX_IMS_JWT_SIGNATURE:
        return "token has a wrong signature";

    case NGX_IMS_JWT_ENCRYPTED:
        return "token is encrypted";

    case NGX_IMS_JWT_ISSUER:
        return "token is of another issuer";

    case NGX_IMS_JWT_AUDIENCE:
        return "token is for another audience";

    case NGX_IMS_JWT_NO_SUBJECT:
        return "token has no usable subject";

    case NGX_IMS_JWT_NO_EXPIRY:
        return "token has no expiry";

    case NGX_IMS_JWT_EXPIRED:
        return "token has expired";

    case NGX_IMS_JWT_NOT_YET:
        return "token is not yet valid";

    case NGX_IMS_JWT_NO_MEMORY:
        return "no memory to verify a token";
    }

    return "unknown result";
}
