/*
 * Copyright (C) the IMS portal authors
 *
 * Digest: the credentials that answer a challenge.
 *
 * No timers.
 */


#include "ngx_ims_digest_int.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>


#define NGX_IMS_DIGEST_HEX  (2 * 32 + 1)      /* of the longest hash, and NUL */


typedef struct {
    unsigned char        *p;
    size_t                len;
    size_t                size;
    int                   failed;
} ngx_ims_digest_out_t;


static int ngx_ims_digest_aka_password(const ngx_ims_digest_t *d,
    const ngx_ims_secret_t *secret, unsigned char *out, ngx_ims_str_t *s);
static int ngx_ims_digest_ha1(const ngx_ims_digest_t *d,
    const ngx_ims_secret_t *secret, const ngx_ims_str_t *impi, char *ha1);
static int ngx_ims_digest_hex(unsigned hash, char *out, const char *fmt, ...);
static int ngx_ims_digest_response(ngx_ims_digest_t *d, const char *ha1,
    const ngx_ims_digest_request_t *r, const ngx_ims_str_t *cnonce,
    char *response);
static int ngx_ims_digest_quotable(const ngx_ims_str_t *s);
static void ngx_ims_digest_put(ngx_ims_digest_out_t *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void ngx_ims_digest_line(ngx_ims_digest_out_t *w, ngx_ims_digest_t *d,
    const ngx_ims_digest_request_t *r, const char *response,
    const ngx_ims_str_t *cnonce);


/*
 * RFC 3310 3.3: RES as it is; RFC 4169 3: HMAC-MD5 over a fixed text with RES,
 * IK and CK as the key, in base64; empty when the answer carries AUTS.
 */

static int
ngx_ims_digest_aka_password(const ngx_ims_digest_t *d,
    const ngx_ims_secret_t *secret, unsigned char *out, ngx_ims_str_t *s)
{
    int                 rc;
    unsigned            len;
    unsigned char       bytes[NGX_IMS_AKA_KEY + NGX_IMS_AKA_AUTN];
    unsigned char       key[NGX_IMS_AKA_RES + 2 * NGX_IMS_AKA_KEY];
    unsigned char       md[EVP_MAX_MD_SIZE];
    ngx_ims_aka_keys_t  keys;

    static const char  text[] = "http-digest-akav2-password";

    s->data = out;
    s->len = 0;

    if (d->sync) {
        return NGX_IMS_OK;
    }

    if (ngx_ims_digest_nonce(d, bytes) != NGX_IMS_OK
        || ngx_ims_aka_f2345(secret->k, secret->opc, bytes, &keys)
           != NGX_IMS_OK)
    {
        return NGX_IMS_INVALID;
    }

    rc = NGX_IMS_OK;

    if (d->aka == 1) {
        memcpy(out, keys.res, NGX_IMS_AKA_RES);
        s->len = NGX_IMS_AKA_RES;

    } else {
        memcpy(key, keys.res, NGX_IMS_AKA_RES);
        memcpy(key + NGX_IMS_AKA_RES, keys.ik, NGX_IMS_AKA_KEY);
        memcpy(key + NGX_IMS_AKA_RES + NGX_IMS_AKA_KEY, keys.ck,
               NGX_IMS_AKA_KEY);

        if (HMAC(EVP_md5(), key, sizeof(key), (const unsigned char *) text,
                 sizeof(text) - 1, md, &len)
            == NULL)
        {
            rc = NGX_IMS_INVALID;

        } else {
            s->len = EVP_EncodeBlock(out, md, (int) len);
        }

        OPENSSL_cleanse(key, sizeof(key));
        OPENSSL_cleanse(md, sizeof(md));
    }

    OPENSSL_cleanse(&keys, sizeof(keys));

    return rc;
}


/*
 * Hashes texts parted by ":" to hex.  fmt has one "s" for each text, which is a
 * pointer to a span.
 */

static int
ngx_ims_digest_hex(unsigned hash, char *out, const char *fmt, ...)
{
    int                   rc;
    va_list               args;
    unsigned              i, len;
    const char           *f;
    EVP_MD_CTX           *ctx;
    unsigned char         md[EVP_MAX_MD_SIZE];
    const EVP_MD         *type;
    const ngx_ims_str_t  *s;

    type = hash == NGX_IMS_DIGEST_MD5 ? EVP_md5()
           : hash == NGX_IMS_DIGEST_SHA256 ? EVP_sha256()
           : EVP_sha512_256();

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_IMS_INVALID;
    }

    va_start(args, fmt);

    rc = EVP_DigestInit_ex(ctx, type, NULL) == 1;

    for (f = fmt; *f; f++) {
        s = va_arg(args, const ngx_ims_str_t *);

        rc = rc && (f == fmt || EVP_DigestUpdate(ctx, ":", 1) == 1)
             && (s->len == 0 || EVP_DigestUpdate(ctx, s->data, s->len) == 1);
    }

    rc = rc && EVP_DigestFinal_ex(ctx, md, &len) == 1;

    va_end(args);
    EVP_MD_CTX_free(ctx);

    if (!rc) {
        return NGX_IMS_INVALID;
    }

    for (i = 0; i < len; i++) {
        (void) snprintf(out + 2 * i, 3, "%02x", md[i]);
    }

    return NGX_IMS_OK;
}


static int
ngx_ims_digest_ha1(const ngx_ims_digest_t *d, const ngx_ims_secret_t *secret,
    const ngx_ims_str_t *impi, char *ha1)
{
    int            rc;
    unsigned char  buf[64];
    ngx_ims_str_t  realm, password;

    realm.data = (unsigned char *) d->text;
    realm.len = d->realm_len;

    switch (secret->kind) {

    case NGX_IMS_SECRET_HA1:

        if (secret->value.len
            != (d->hash == NGX_IMS_DIGEST_MD5 ? 32 : 64)
            || d->hash == NGX_IMS_DIGEST_SHA512_256)
        {
            return NGX_IMS_INVALID;
        }

        memcpy(ha1, secret->value.data, secret->value.len);
        ha1[secret->value.len] = '\0';

        return NGX_IMS_OK;

    case NGX_IMS_SECRET_AKA:

        if (!d->aka
            || ngx_ims_digest_aka_password(d, secret, buf, &password)
               != NGX_IMS_OK)
        {
            return NGX_IMS_INVALID;
        }

        rc = ngx_ims_digest_hex(d->hash, ha1, "sss", impi, &realm, &password);
        OPENSSL_cleanse(buf, sizeof(buf));

        return rc;

    default:

        if (d->aka) {
            return NGX_IMS_INVALID;
        }

        return ngx_ims_digest_hex(d->hash, ha1, "sss", impi, &realm,
                                  &secret->value);
    }
}


int
ngx_ims_digest_credentials(ngx_ims_digest_t *d,
    const ngx_ims_secret_t *secret, const ngx_ims_digest_request_t *r,
    unsigned char *out, size_t size, size_t *len)
{
    int                   rc;
    char                  ha1[NGX_IMS_DIGEST_HEX];
    char                  response[NGX_IMS_DIGEST_HEX];
    unsigned              i;
    unsigned char         bytes[NGX_IMS_DIGEST_CNONCE / 2];
    unsigned char         hex[NGX_IMS_DIGEST_CNONCE + 1];
    ngx_ims_str_t         cnonce;
    ngx_ims_digest_out_t  w;

    if (d->hash == NGX_IMS_DIGEST_NONE
        || ngx_ims_digest_ha1(d, secret, &r->impi, ha1) != NGX_IMS_OK)
    {
        return NGX_IMS_DIGEST_DECLINED;
    }

    cnonce = r->cnonce;

    if (cnonce.len == 0) {

        if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
            return NGX_IMS_DIGEST_ERROR;
        }

        for (i = 0; i < sizeof(bytes); i++) {
            (void) snprintf((char *) hex + 2 * i, 3, "%02x", bytes[i]);
        }

        cnonce.data = hex;
        cnonce.len = NGX_IMS_DIGEST_CNONCE;
    }

    if (!ngx_ims_digest_quotable(&r->impi) || !ngx_ims_digest_quotable(&r->uri)
        || !ngx_ims_digest_quotable(&cnonce))
    {
        return NGX_IMS_DIGEST_ERROR;
    }

    rc = ngx_ims_digest_response(d, ha1, r, &cnonce, response);

    OPENSSL_cleanse(ha1, sizeof(ha1));

    if (rc != NGX_IMS_OK) {
        return NGX_IMS_DIGEST_ERROR;
    }

    w.p = out;
    w.len = 0;
    w.size = size;
    w.failed = 0;

    ngx_ims_digest_line(&w, d, r, response, &cnonce);

    *len = w.len;

    return w.failed ? NGX_IMS_DIGEST_ERROR : NGX_IMS_DIGEST_OK;
}


static int
ngx_ims_digest_response(ngx_ims_digest_t *d, const char *ha1,
    const ngx_ims_digest_request_t *r, const ngx_ims_str_t *cnonce,
    char *response)
{
    char           ha2[NGX_IMS_DIGEST_HEX], nc[9];
    ngx_ims_str_t  a1, a2, nonce, count;

    static ngx_ims_str_t  auth = ngx_ims_str("auth");

    if (ngx_ims_digest_hex(d->hash, ha2, "ss", &r->method, &r->uri)
        != NGX_IMS_OK)
    {
        return NGX_IMS_INVALID;
    }

    d->nc++;
    (void) snprintf(nc, sizeof(nc), "%08x", d->nc);

    a1.data = (unsigned char *) ha1;
    a1.len = strlen(ha1);
    a2.data = (unsigned char *) ha2;
    a2.len = strlen(ha2);
    nonce.data = d->text + d->realm_len;
    nonce.len = d->nonce_len;
    count.data = (unsigned char *) nc;
    count.len = 8;

    if (d->qop) {
        return ngx_ims_digest_hex(d->hash, response, "ssssss", &a1, &nonce,
                                  &count, cnonce, &auth, &a2);
    }

    return ngx_ims_digest_hex(d->hash, response, "sss", &a1, &nonce, &a2);
}


static int
ngx_ims_digest_quotable(const ngx_ims_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < ' ' || s->data[i] == '"' || s->data[i] == '\\'
            || s->data[i] == 0x7f)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_ims_digest_put(ngx_ims_digest_out_t *w, const char *fmt, ...)
{
    int      n;
    va_list  args;

    if (w->failed) {
        return;
    }

    va_start(args, fmt);
    n = vsnprintf((char *) w->p + w->len, w->size - w->len, fmt, args);
    va_end(args);

    if (n < 0 || (size_t) n >= w->size - w->len) {
        w->failed = 1;
        return;
    }

    w->len += n;
}


static void
ngx_ims_digest_line(ngx_ims_digest_out_t *w, ngx_ims_digest_t *d,
    const ngx_ims_digest_request_t *r, const char *response,
    const ngx_ims_str_t *cnonce)
{
    unsigned char                      auts[NGX_IMS_AKA_AUTS * 2];
    const unsigned char               *nonce;
    const ngx_ims_digest_algorithm_t  *a;

    nonce = d->text + d->realm_len;

    ngx_ims_digest_put(w, "%sAuthorization: Digest username=\"%.*s\", "
                       "realm=\"%.*s\", nonce=\"%.*s\", uri=\"%.*s\", "
                       "response=\"%s\"",
                       d->proxy ? "Proxy-" : "",
                       (int) r->impi.len, r->impi.data,
                       (int) d->realm_len, d->text,
                       (int) d->nonce_len, nonce,
                       (int) r->uri.len, r->uri.data, response);

    if (d->named) {
        a = ngx_ims_digest_algorithms;

        while (a->hash != d->hash || a->aka != d->aka) {
            a++;
        }

        ngx_ims_digest_put(w, ", algorithm=%s", a->name);
    }

    if (d->qop) {
        ngx_ims_digest_put(w, ", qop=auth, nc=%08x, cnonce=\"%.*s\"", d->nc,
                           (int) cnonce->len, cnonce->data);
    }

    if (d->opaque) {
        ngx_ims_digest_put(w, ", opaque=\"%.*s\"", (int) d->opaque_len,
                           nonce + d->nonce_len);
    }

    if (d->sync) {
        (void) EVP_EncodeBlock(auts, d->auts, NGX_IMS_AKA_AUTS);
        ngx_ims_digest_put(w, ", auts=\"%s\"", (char *) auts);
    }

    ngx_ims_digest_put(w, "\r\n");
}
