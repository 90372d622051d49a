/*
 * Copyright (C) the IMS portal authors
 *
 * What a token says: its claims, and results in words.
 */


#include <stdio.h>
#include <stdlib.h>

#include "ngx_ims_jwt_int.h"


static ngx_ims_str_t ngx_ims_jwt_string(const ngx_ims_jwt_t *jwt,
    const char *name);
static ngx_ims_jwt_text_t *ngx_ims_jwt_integer(ngx_ims_jwt_t *jwt,
    const json_t *json);
static json_t *ngx_ims_jwt_find(const json_t *object, char *path);


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
    ngx_ims_str_t  s;

    s.len = jwt->kid_len;
    s.data = (unsigned char *) jwt->kid;

    return s;
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


json_t *
ngx_ims_jwt_json(const ngx_ims_jwt_t *jwt, const char *path)
{
    char    copy[NGX_IMS_JWT_MAX_PATH + 1];
    size_t  len;

    len = strlen(path);

    if (len > NGX_IMS_JWT_MAX_PATH) {
        return NULL;
    }

    memcpy(copy, path, len + 1);

    return ngx_ims_jwt_find(jwt->claims, copy);
}


int
ngx_ims_jwt_claim(ngx_ims_jwt_t *jwt, const char *path, ngx_ims_str_t *value)
{
    json_t              *json;
    ngx_ims_jwt_text_t  *text;

    json = ngx_ims_jwt_json(jwt, path);

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

    text = ngx_ims_jwt_integer(jwt, json);

    if (text == NULL) {
        return 0;
    }

    value->len = strlen(text->text);
    value->data = (unsigned char *) text->text;

    return 1;
}


/* printed once: a token that is remembered is asked many times */

static ngx_ims_jwt_text_t *
ngx_ims_jwt_integer(ngx_ims_jwt_t *jwt, const json_t *json)
{
    ngx_ims_jwt_text_t  *text;

    for (text = jwt->texts; text; text = text->next) {

        if (text->json == json) {
            return text;
        }
    }

    text = malloc(sizeof(ngx_ims_jwt_text_t));

    if (text == NULL) {
        return NULL;
    }

    snprintf(text->text, sizeof(text->text), "%lld",
             (long long) json_integer_value(json));

    text->json = json;
    text->next = jwt->texts;
    jwt->texts = text;

    return text;
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
        return "token is encrypted, which is not supported";

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

    case NGX_IMS_JWT_TYPE:
        return "token is of another type";

    case NGX_IMS_JWT_NO_MEMORY:
        return "no memory to verify a token";
    }

    return "unknown result";
}
