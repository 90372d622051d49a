/*
 * Copyright (C) the IMS portal authors
 *
 * Import of sets of verification keys: JWK sets (RFC 7517 5), PEM, a secret.
 * A weak or broken key refuses the whole set, but for one that is published.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>

#include "ngx_ims_jwt_int.h"


enum {
    NGX_IMS_JWK_MAX_TEXT = 1048576       /* bytes of a key set */
};


static ngx_ims_jwt_keys_t *ngx_ims_jwk_import(ngx_ims_jwk_import_t *im,
    const ngx_ims_str_t *text,
    int (*import)(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text));
static int ngx_ims_jwk_secret(ngx_ims_jwk_import_t *im,
    const ngx_ims_str_t *text);
static int ngx_ims_jwk_text(ngx_ims_jwk_import_t *im,
    const ngx_ims_str_t *text);
static int ngx_ims_jwk_set(ngx_ims_jwk_import_t *im,
    const ngx_ims_str_t *text);


ngx_ims_jwt_keys_t *
ngx_ims_jwt_keys_parse(const ngx_ims_str_t *text, char *err, size_t size)
{
    ngx_ims_jwk_import_t  im;

    im.err = err;
    im.size = size;
    im.published = 0;

    return ngx_ims_jwk_import(&im, text, ngx_ims_jwk_text);
}


ngx_ims_jwt_keys_t *
ngx_ims_jwt_keys_published(const ngx_ims_str_t *text, char *err, size_t size)
{
    ngx_ims_jwk_import_t  im;

    im.err = err;
    im.size = size;
    im.published = 1;

    return ngx_ims_jwk_import(&im, text, ngx_ims_jwk_set);
}


ngx_ims_jwt_keys_t *
ngx_ims_jwt_keys_secret(const ngx_ims_str_t *secret, char *err, size_t size)
{
    ngx_ims_jwk_import_t  im;

    im.err = err;
    im.size = size;
    im.published = 0;

    return ngx_ims_jwk_import(&im, secret, ngx_ims_jwk_secret);
}


static ngx_ims_jwt_keys_t *
ngx_ims_jwk_import(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text,
    int (*import)(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text))
{
    int  rc;

    im->keys = calloc(1, sizeof(ngx_ims_jwt_keys_t));

    if (im->keys == NULL) {
        ngx_ims_jwk_fail(im, "no memory for the key set");
        return NULL;
    }

    ERR_set_mark();

    rc = import(im, text);

    ERR_pop_to_mark();

    if (rc == NGX_IMS_OK && im->keys->n == 0) {
        rc = ngx_ims_jwk_fail(im, "neither a JWK nor PEM for signatures");
    }

    if (rc != NGX_IMS_OK) {
        ngx_ims_jwt_keys_free(im->keys);
        return NULL;
    }

    return im->keys;
}


static int
ngx_ims_jwk_secret(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text)
{
    return ngx_ims_jwk_hmac(im, NULL, ~0U, text->data, text->len);
}


void
ngx_ims_jwt_keys_free(ngx_ims_jwt_keys_t *keys)
{
    unsigned  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->n; i++) {
        ngx_ims_jws_key_clean(&keys->keys[i]);
    }

    free(keys);
}


unsigned
ngx_ims_jwt_keys_count(const ngx_ims_jwt_keys_t *keys)
{
    return keys->n;
}


int
ngx_ims_jwt_keys_shared(const ngx_ims_jwt_keys_t *keys)
{
    unsigned  i;

    for (i = 0; i < keys->n; i++) {

        if (keys->keys[i].pkey == NULL) {
            return 1;
        }
    }

    return 0;
}


int
ngx_ims_jwk_fail(ngx_ims_jwk_import_t *im, const char *fmt, ...)
{
    va_list  args;

    if (im->size) {
        va_start(args, fmt);
        vsnprintf(im->err, im->size, fmt, args);
        va_end(args);
    }

    return NGX_IMS_INVALID;
}


static int
ngx_ims_jwk_text(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text)
{
    size_t  i;

    if (text->len > NGX_IMS_JWK_MAX_TEXT) {
        return ngx_ims_jwk_fail(im, "key set is too long");
    }

    for (i = 0; i < text->len; i++) {

        switch (text->data[i]) {

        case ' ':
        case '\t':
        case '\r':
        case '\n':
            continue;

        case '{':
            return ngx_ims_jwk_set(im, text);

        default:
            return ngx_ims_jwk_pem(im, text);
        }
    }

    return ngx_ims_jwk_fail(im, "key set is empty");
}


/* RFC 7517 4 and 5 */

static int
ngx_ims_jwk_set(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text)
{
    int        rc;
    size_t     i;
    json_t    *json, *keys;
    unsigned   n;

    json = ngx_ims_jws_json(text->data, text->len);

    if (json == NULL) {
        return ngx_ims_jwk_fail(im, "key set is not well-formed JSON");
    }

    keys = json_object_get(json, "keys");
    rc = NGX_IMS_OK;

    if (keys == NULL) {
        rc = ngx_ims_jwk_one(im, json);

    } else if (!json_is_array(keys)) {
        rc = ngx_ims_jwk_fail(im, "\"keys\" is not an array");

    } else {

        for (i = 0; i < json_array_size(keys) && rc == NGX_IMS_OK; i++) {
            n = im->keys->n;
            rc = ngx_ims_jwk_one(im, json_array_get(keys, i));

            if (rc == NGX_IMS_OK || !im->published) {
                continue;
            }

            /* RFC 7517 5: what is of no use does not spoil the others */

            rc = NGX_IMS_OK;

            while (im->keys->n > n) {
                ngx_ims_jws_key_clean(&im->keys->keys[--im->keys->n]);
            }
        }
    }

    json_decref(json);

    return rc;
}
