/*
 * Copyright (C) the IMS portal authors
 *
 * Digest: the strongest challenge that the secret fits, kept as three texts
 * behind each other.
 *
 * No timers.
 */


#include "ngx_ims_digest_int.h"

#include <stdio.h>

#include <openssl/evp.h>


static int ngx_ims_digest_read(ngx_ims_digest_t *d,
    const ngx_ims_str_t *value, const ngx_ims_secret_t *secret,
    const ngx_ims_str_t *realm);
static int ngx_ims_digest_algorithm(ngx_ims_digest_t *d,
    const ngx_ims_str_t *value, const ngx_ims_secret_t *secret);
static int ngx_ims_digest_same(const ngx_ims_str_t *s, const char *word);
static int ngx_ims_digest_text(const ngx_ims_str_t *value, const char *name,
    ngx_ims_str_t *s);
static int ngx_ims_digest_auth(ngx_ims_str_t s);
static int ngx_ims_digest_keep(ngx_ims_digest_t *d, const ngx_ims_str_t *realm,
    const ngx_ims_str_t *nonce, const ngx_ims_str_t *opaque);
static int ngx_ims_digest_aka_check(ngx_ims_digest_t *d,
    const ngx_ims_secret_t *secret);


const ngx_ims_digest_algorithm_t  ngx_ims_digest_algorithms[] = {
    { "MD5", NGX_IMS_DIGEST_MD5, 0 },
    { "SHA-256", NGX_IMS_DIGEST_SHA256, 0 },
    { "SHA-512-256", NGX_IMS_DIGEST_SHA512_256, 0 },
    { "AKAv1-MD5", NGX_IMS_DIGEST_MD5, 1 },
    { "AKAv2-MD5", NGX_IMS_DIGEST_MD5, 2 },
    { NULL, 0, 0 }
};


int
ngx_ims_digest_challenge(ngx_ims_digest_t *d, const ngx_ims_sip_msg_t *m,
    const ngx_ims_secret_t *secret, const ngx_ims_str_t *realm)
{
    unsigned                  i;
    ngx_ims_digest_t          one;
    ngx_ims_sip_hdr_e         id, other;
    const ngx_ims_sip_hdr_t  *h;

    id = NGX_IMS_HDR_WWW_AUTHENTICATE;
    other = NGX_IMS_HDR_PROXY_AUTHENTICATE;

    if (m->status == 407 || m->first[id] == 0) {
        id = NGX_IMS_HDR_PROXY_AUTHENTICATE;
        other = NGX_IMS_HDR_WWW_AUTHENTICATE;
    }

    if (m->first[id] == 0) {
        id = other;
    }

    memset(d, 0, offsetof(ngx_ims_digest_t, text));

    /* one challenge a line: commas part its parameters (RFC 3261 20.44) */

    for (i = m->first[id]; i; i = h->next) {
        h = &m->hdrs[i - 1];

        if (ngx_ims_digest_read(&one, &h->value, secret, realm) == NGX_IMS_OK
            && (one.hash > d->hash
                || (one.hash == d->hash && one.aka > d->aka)))
        {
            memcpy(d, &one, ngx_ims_digest_size(&one));
        }
    }

    if (d->hash == NGX_IMS_DIGEST_NONE) {
        return NGX_IMS_DIGEST_DECLINED;
    }

    d->proxy = (id == NGX_IMS_HDR_PROXY_AUTHENTICATE);

    if (d->aka && ngx_ims_digest_aka_check(d, secret) != NGX_IMS_OK) {
        memset(d, 0, offsetof(ngx_ims_digest_t, text));
        return NGX_IMS_DIGEST_DECLINED;
    }

    return NGX_IMS_DIGEST_OK;
}


static int
ngx_ims_digest_read(ngx_ims_digest_t *d, const ngx_ims_str_t *value,
    const ngx_ims_secret_t *secret, const ngx_ims_str_t *realm)
{
    ngx_ims_str_t  s, nonce, opaque;

    memset(d, 0, offsetof(ngx_ims_digest_t, text));

    s.data = value->data;
    s.len = value->len > 6 ? 6 : value->len;

    if (value->len < 7 || !ngx_ims_digest_same(&s, "Digest")
        || (value->data[6] != ' ' && value->data[6] != '\t')
        || ngx_ims_digest_algorithm(d, value, secret) != NGX_IMS_OK)
    {
        return NGX_IMS_INVALID;
    }

    if (ngx_ims_sip_auth_param(value, "qop", &s)) {
        if (!ngx_ims_digest_auth(s)) {
            return NGX_IMS_INVALID;
        }

        d->qop = 1;
    }

    if (ngx_ims_sip_auth_param(value, "stale", &s)) {
        d->stale = ngx_ims_digest_same(&s, "true")
                   || ngx_ims_digest_same(&s, "\"true\"");
    }

    opaque.len = 0;
    opaque.data = NULL;

    if (ngx_ims_sip_auth_param(value, "opaque", &s)) {
        if (!ngx_ims_digest_text(value, "opaque", &opaque)) {
            return NGX_IMS_INVALID;
        }

        d->opaque = 1;
    }

    if (!ngx_ims_digest_text(value, "realm", &s)
        || !ngx_ims_digest_text(value, "nonce", &nonce)
        || nonce.len == 0
        || (realm != NULL && realm->len
            && (realm->len != s.len
                || memcmp(realm->data, s.data, s.len) != 0)))
    {
        return NGX_IMS_INVALID;
    }

    return ngx_ims_digest_keep(d, &s, &nonce, &opaque);
}


/* which hash, and whether the secret can serve with it */

static int
ngx_ims_digest_algorithm(ngx_ims_digest_t *d, const ngx_ims_str_t *value,
    const ngx_ims_secret_t *secret)
{
    ngx_ims_str_t                      s;
    const ngx_ims_digest_algorithm_t  *a;

    a = ngx_ims_digest_algorithms;

    if (ngx_ims_sip_auth_param(value, "algorithm", &s)) {

        /* the quotes that some servers set are not in the grammar */

        if (s.len > 2 && s.data[0] == '"') {
            s.data++;
            s.len -= 2;
        }

        while (a->name != NULL && !ngx_ims_digest_same(&s, a->name)) {
            a++;
        }

        d->named = 1;
    }

    if (a->name == NULL) {
        return NGX_IMS_INVALID;
    }

    d->hash = a->hash;
    d->aka = a->aka;

    switch (secret->kind) {

    case NGX_IMS_SECRET_AKA:
        return a->aka ? NGX_IMS_OK : NGX_IMS_INVALID;

    case NGX_IMS_SECRET_HA1:
        return !a->aka
               && ((secret->value.len == 32 && a->hash == NGX_IMS_DIGEST_MD5)
                   || (secret->value.len == 64
                       && a->hash == NGX_IMS_DIGEST_SHA256))
               ? NGX_IMS_OK : NGX_IMS_INVALID;

    default:
        return a->aka ? NGX_IMS_INVALID : NGX_IMS_OK;
    }
}


/* any case */

static int
ngx_ims_digest_same(const ngx_ims_str_t *s, const char *word)
{
    size_t         i;
    unsigned char  a, b;

    if (s->len != strlen(word)) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {
        a = s->data[i];
        b = (unsigned char) word[i];

        a = a >= 'A' && a <= 'Z' ? a | 0x20 : a;
        b = b >= 'A' && b <= 'Z' ? b | 0x20 : b;

        if (a != b) {
            return 0;
        }
    }

    return 1;
}


/* a quoted text as it stands between its quotes: it goes back the same way */

static int
ngx_ims_digest_text(const ngx_ims_str_t *value, const char *name,
    ngx_ims_str_t *s)
{
    size_t  i;

    if (!ngx_ims_sip_auth_param(value, name, s) || s->len == 0) {
        return 0;
    }

    if (s->data[0] == '"') {

        if (s->len < 2) {
            return 0;
        }

        s->data++;
        s->len -= 2;
    }

    /* a fold inside would have to be undone before it is hashed */

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < ' ' || s->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


/* "auth" among the values of qop */

static int
ngx_ims_digest_auth(ngx_ims_str_t s)
{
    size_t          i, start;
    ngx_ims_str_t   word;

    for (i = start = 0; i <= s.len; i++) {

        if (i < s.len && strchr("\", \t", s.data[i]) == NULL) {
            continue;
        }

        word.data = s.data + start;
        word.len = i - start;
        start = i + 1;

        if (ngx_ims_digest_same(&word, "auth")) {
            return 1;
        }
    }

    return 0;
}


static int
ngx_ims_digest_keep(ngx_ims_digest_t *d, const ngx_ims_str_t *realm,
    const ngx_ims_str_t *nonce, const ngx_ims_str_t *opaque)
{
    unsigned char  *p;

    if (realm->len > NGX_IMS_DIGEST_TEXT || nonce->len > NGX_IMS_DIGEST_TEXT
        || opaque->len > NGX_IMS_DIGEST_TEXT
        || realm->len + nonce->len + opaque->len > NGX_IMS_DIGEST_TEXT)
    {
        return NGX_IMS_INVALID;
    }

    d->realm_len = realm->len;
    d->nonce_len = nonce->len;
    d->opaque_len = opaque->len;

    p = d->text;

    memcpy(p, realm->data, realm->len);
    p += realm->len;
    memcpy(p, nonce->data, nonce->len);
    p += nonce->len;

    if (opaque->len) {
        memcpy(p, opaque->data, opaque->len);
    }

    return NGX_IMS_OK;
}


/* AKA: RAND and AUTN are the first bytes of the nonce, in base64 */

int
ngx_ims_digest_nonce(const ngx_ims_digest_t *d, unsigned char *bytes)
{
    int                   n;
    size_t                len, i;
    unsigned char         buf[NGX_IMS_DIGEST_TEXT];
    const unsigned char  *p;

    p = d->text + d->realm_len;
    len = d->nonce_len;

    if (len < 44 || len % 4) {
        return NGX_IMS_INVALID;
    }

    n = EVP_DecodeBlock(buf, p, (int) len);

    /* libcrypto counts the padding as bytes */

    for (i = len; n > 0 && i > len - 2 && p[i - 1] == '='; i--) {
        n--;
    }

    if (n < NGX_IMS_AKA_KEY + NGX_IMS_AKA_AUTN) {
        return NGX_IMS_INVALID;
    }

    memcpy(bytes, buf, NGX_IMS_AKA_KEY + NGX_IMS_AKA_AUTN);

    return NGX_IMS_OK;
}


static int
ngx_ims_digest_aka_check(ngx_ims_digest_t *d, const ngx_ims_secret_t *secret)
{
    int            rc;
    unsigned char  bytes[NGX_IMS_AKA_KEY + NGX_IMS_AKA_AUTN];

    if (ngx_ims_digest_nonce(d, bytes) != NGX_IMS_OK) {
        return NGX_IMS_INVALID;
    }

    rc = ngx_ims_aka_check(secret->k, secret->opc, bytes,
                           bytes + NGX_IMS_AKA_KEY, secret->sqn, d->auts);

    if (rc == NGX_IMS_MORE) {
        d->sync = 1;
        return NGX_IMS_OK;
    }

    return rc;
}


int
ngx_ims_digest_answer(ngx_ims_digest_t *d, const ngx_ims_sip_msg_t *m,
    const ngx_ims_secret_t *secret, const ngx_ims_str_t *realm,
    const ngx_ims_digest_request_t *r, unsigned char *out, size_t size,
    size_t *len)
{
    int  rc;

    rc = ngx_ims_digest_challenge(d, m, secret, realm);

    if (rc != NGX_IMS_DIGEST_OK) {
        return rc;
    }

    return ngx_ims_digest_credentials(d, secret, r, out, size, len);
}


void
ngx_ims_digest_next(ngx_ims_digest_t *d, const ngx_ims_sip_msg_t *m)
{
    int                       n;
    char                      buf[NGX_IMS_DIGEST_TEXT];
    ngx_ims_str_t             s, realm, nonce, opaque;
    unsigned char             text[NGX_IMS_DIGEST_TEXT];
    const ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr_name(m, d->proxy ? "Proxy-Authentication-Info"
                                         : "Authentication-Info");

    if (d->hash == NGX_IMS_DIGEST_NONE || d->aka || h == NULL
        || h->value.len >= sizeof(buf))
    {
        return;
    }

    /* the parameters of this one have no scheme in front */

    n = snprintf(buf, sizeof(buf), "Digest %.*s", (int) h->value.len,
                 h->value.data);

    s.data = (unsigned char *) buf;
    s.len = n;

    if (n < 0 || (size_t) n >= sizeof(buf)
        || !ngx_ims_digest_text(&s, "nextnonce", &nonce) || nonce.len == 0)
    {
        return;
    }

    memcpy(text, d->text, (size_t) d->realm_len + d->nonce_len
                          + d->opaque_len);

    realm.data = text;
    realm.len = d->realm_len;
    opaque.data = text + d->realm_len + d->nonce_len;
    opaque.len = d->opaque_len;

    if (ngx_ims_digest_keep(d, &realm, &nonce, &opaque) == NGX_IMS_OK) {
        d->nc = 0;
    }
}
