/*
 * Copyright (C) the IMS portal authors
 *
 * From the claims of a good token to what it gives its user.  The first byte
 * chooses what a location looks at, the rest is the payload, which is signed
 * here.  Whatever is granted must be fit to be shown, kept and copied.
 */

/* FUZZ_CFLAGS: -I../unit/nginx -DSTANDIN_STRINGS -Wno-unused-parameter */
/* FUZZ_LIBS: -ljansson -lcrypto */

#define _GNU_SOURCE

#include "../unit/nginx/ngx_standin.c"

/* what the stand-in for nginx lacks */

#include <stddef.h>

#define ngx_null_string         { 0, NULL }
#define ngx_memmove(dst, s, n)  (void) memmove(dst, s, n)


static ngx_int_t
ngx_atoi(u_char *p, size_t n)
{
    ngx_int_t  value;

    for (value = 0; n; n--, p++) {
        if (*p < '0' || *p > '9' || value > (INTPTR_MAX - 9) / 10) {
            return NGX_ERROR;
        }

        value = value * 10 + (*p - '0');
    }

    return value;
}


#include "ngx_ims_grant.h"
#include "ngx_ims_ticket.h"

#include "ngx_ims_str.c"
#include "ngx_ims_sip.c"
#include "ngx_ims_sip_addr.c"
#include "ngx_ims_sip_frame.c"
#include "ngx_ims_sip_start.c"
#include "ngx_ims_sip_text.c"
#include "ngx_ims_sip_uri.c"
#include "ngx_ims_jws.c"
#include "ngx_ims_jwk.c"
#include "ngx_ims_jwk_pem.c"
#include "ngx_ims_jwk_import.c"
#include "ngx_ims_jwt.c"
#include "ngx_ims_jwt_claim.c"
#include "ngx_ims_jwt_item.c"
#include "ngx_ims_grant.c"
#include "ngx_ims_grant_claim.c"

#include <openssl/hmac.h>


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)

#define HEAD    "eyJhbGciOiJIUzI1NiJ9."      /* {"alg":"HS256"} */
#define SECRET  "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* their digests are of no matter here */

void
ngx_ims_pool_user(ngx_ims_str_t *issuer, ngx_ims_str_t *subject, u_char *out)
{
    memset(out, (int) (issuer->len + subject->len), NGX_IMS_DIGEST_LEN);
}


void
ngx_ims_deny_key(ngx_ims_str_t *text, u_char *out)
{
    memset(out, (int) text->len, NGX_IMS_DIGEST_LEN);
}


void
ngx_ims_deny_token(ngx_ims_jwt_t *jwt, ngx_ims_deny_token_t *token)
{
    memset(token, 0, sizeof(ngx_ims_deny_token_t));
    token->issued = ngx_ims_jwt_issued(jwt);
}


static ngx_ims_claims_t  plain, named;
static ngx_ims_jwt_keys_t  *keys;


static void
claims(void)
{
    size_t       i;
    char         err[128];
    ngx_str_t    secret = ngx_string(SECRET);

    static ngx_array_t           needs, scopes;
    static ngx_ims_claim_need_t  need_claim = { ngx_string("staff"), 403 };
    static ngx_str_t             scope[] = {
        ngx_string("calls"), ngx_string("chat")
    };
    static const char *const     paths[NGX_IMS_CLAIM_N] = {
        "preferred_username", "impu", "groups", "methods", "video",
        "emergency", "devices", "calls", "a.per_hour", "a.b.premium", "guest",
        "name"
    };

    for (i = 0; i < NGX_IMS_CLAIM_N; i++) {
        named.paths[i].data = (u_char *) paths[i];
        named.paths[i].len = strlen(paths[i]);
    }

    named.pool.data = (u_char *) "acme";
    named.pool.len = 4;

    needs.elts = &need_claim;
    needs.nelts = 1;
    scopes.elts = scope;
    scopes.nelts = 2;

    plain = named;
    plain.needs = &needs;
    plain.scopes = &scopes;

    keys = ngx_ims_jwt_keys_secret(&secret, err, sizeof(err));
    need(keys != NULL);
}


static size_t
encode(const u_char *p, size_t len, u_char *out)
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


/* a text that is logged, written into headers, or compared */

static void
fit(ngx_str_t *text, size_t max)
{
    need(text->len <= max);
    need(text->len == 0 || ngx_ims_utf8(text->data, text->len));
    need(memchr(text->data ? text->data : (u_char *) "", 0, text->len)
         == NULL);
    need(text->len == 0 || memchr(text->data, '\n', text->len) == NULL);
    need(text->len == 0 || memchr(text->data, '\r', text->len) == NULL);
}


static void
same(ngx_str_t *a, ngx_str_t *b)
{
    need(a->len == b->len);
    need(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


static void
granted(ngx_ims_grant_t *grant)
{
    u_char           p[NGX_IMS_TICKET_GRANT];
    ngx_ims_grant_t  copy;

    need(grant->subject.len != 0);
    fit(&grant->subject, 255);
    fit(&grant->issuer, 255);
    fit(&grant->identity, 255);
    fit(&grant->name, NGX_IMS_GRANT_NAME * 4);

    need(grant->name.len == 0
         || ngx_ims_plain(grant->name.data, grant->name.len)
            <= NGX_IMS_GRANT_NAME);
    need(grant->name.len == 0
         || ngx_ims_plain(grant->name.data, grant->name.len) > 0);

    /* it has room in a ticket, and is the same afterwards */

    need(ngx_ims_grant_size(grant) <= sizeof(p));

    ngx_ims_grant_pack(grant, p);
    ngx_ims_grant_unpack(&copy, p);

    same(&grant->subject, &copy.subject);
    same(&grant->issuer, &copy.issuer);
    same(&grant->identity, &copy.identity);
    same(&grant->name, &copy.name);

    need(copy.methods == grant->methods && copy.calls == grant->calls
         && copy.expires == grant->expires);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t              n;
    u_char              mac[EVP_MAX_MD_SIZE];
    unsigned            len;
    ngx_str_t           text;
    ngx_int_t           rc;
    ngx_ims_jwt_t      *jwt;
    ngx_ims_grant_t     grant;
    ngx_ims_refusal_t   why;

    static u_char  token[32768];

    if (keys == NULL) {
        claims();
    }

    if (size < 2 || size > 8000) {
        return 0;
    }

    n = sizeof(HEAD) - 1;
    memcpy(token, HEAD, n);
    n += encode(data + 1, size - 1, token + n);

    need(HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, token, n, mac, &len)
         != NULL);

    token[n++] = '.';
    n += encode(mac, len, token + n);

    text.data = token;
    text.len = n;

    if (ngx_ims_jwt_open(&text, &jwt) != NGX_IMS_JWT_OK) {
        return 0;
    }

    need(ngx_ims_jwt_signed(jwt, keys, (unsigned) -1) == NGX_IMS_JWT_OK);

    memset(&why, 0, sizeof(why));

    rc = ngx_ims_grant_make(data[0] == 'n' ? &named : &plain, jwt, &grant,
                            &why);

    if (rc == NGX_OK) {
        granted(&grant);

    } else {
        need(rc == NGX_DECLINED);
        need(why.status == 401 || why.status == 403);
        need(why.error != NULL);
    }

    ngx_ims_jwt_free(jwt);

    return 0;
}
