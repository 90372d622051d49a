/*
 * Copyright (C) the IMS portal authors
 *
 * From claims to a grant.  A claim that is looked at and cannot be read refuses
 * the token: nobody gets more than was meant.  One that is absent changes
 * nothing.
 *
 * No timers.
 */


#include "ngx_ims_grant.h"


static ngx_int_t ngx_ims_grant_user(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt, ngx_ims_grant_t *grant);
static ngx_int_t ngx_ims_grant_need(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt, ngx_ims_refusal_t *why);
static ngx_int_t ngx_ims_grant_scope(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt);
static ngx_int_t ngx_ims_grant_pool(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt);
static ngx_int_t ngx_ims_grant_identity(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt, ngx_str_t *identity);
static ngx_int_t ngx_ims_grant_name(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt, ngx_str_t *name);
static ngx_int_t ngx_ims_grant_methods(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt, uint32_t *methods);
static ngx_int_t ngx_ims_grant_flag(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt, ngx_ims_claim_e what, ngx_uint_t *flag);
static ngx_int_t ngx_ims_grant_number(ngx_ims_claims_t *claims,
    ngx_ims_jwt_t *jwt, ngx_ims_claim_e what, uint32_t *number);
static ngx_int_t ngx_ims_grant_refuse(ngx_ims_refusal_t *why,
    ngx_uint_t status, const char *code, const char *error);


/* by ngx_ims_sip_method_e */

static ngx_ims_str_t  ngx_ims_grant_method_names[] = {
    ngx_null_string,
    ngx_string("INVITE"),
    ngx_string("ACK"),
    ngx_string("BYE"),
    ngx_string("CANCEL"),
    ngx_string("REGISTER"),
    ngx_string("OPTIONS"),
    ngx_string("MESSAGE"),
    ngx_string("INFO"),
    ngx_string("PRACK"),
    ngx_string("UPDATE"),
    ngx_string("SUBSCRIBE"),
    ngx_string("NOTIFY"),
    ngx_string("REFER"),
    ngx_string("PUBLISH")
};


ngx_int_t
ngx_ims_grant_make(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_ims_grant_t *grant, ngx_ims_refusal_t *why)
{
    ngx_uint_t  video, emergency, guest;

    ngx_memzero(grant, sizeof(ngx_ims_grant_t));

    ngx_ims_deny_token(jwt, &grant->ids);

    grant->issuer = ngx_ims_jwt_issuer(jwt);
    grant->expires = ngx_ims_jwt_expires(jwt);

    if (ngx_ims_grant_user(claims, jwt, grant) != NGX_OK) {
        return ngx_ims_grant_refuse(why, 401, "invalid_token",
                                    "token has no usable user");
    }

    if (ngx_ims_grant_need(claims, jwt, why) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_ims_grant_scope(claims, jwt) != NGX_OK) {
        return ngx_ims_grant_refuse(why, 403, "insufficient_scope",
                                    "token lacks a scope");
    }

    if (ngx_ims_grant_pool(claims, jwt) != NGX_OK) {
        return ngx_ims_grant_refuse(why, 403, "insufficient_scope",
                                    "token is not for this pool");
    }

    if (ngx_ims_grant_identity(claims, jwt, &grant->identity) != NGX_OK) {
        return ngx_ims_grant_refuse(why, 403, NULL, "identity not allowed");
    }

    if (ngx_ims_grant_name(claims, jwt, &grant->name) != NGX_OK) {
        return ngx_ims_grant_refuse(why, 403, NULL, "name not allowed");
    }

    video = 1;
    guest = 0;
    emergency = 1;

    if (ngx_ims_grant_methods(claims, jwt, &grant->methods) != NGX_OK
        || ngx_ims_grant_flag(claims, jwt, NGX_IMS_CLAIM_VIDEO, &video)
           != NGX_OK
        || ngx_ims_grant_flag(claims, jwt, NGX_IMS_CLAIM_GUEST, &guest)
           != NGX_OK
        || ngx_ims_grant_number(claims, jwt, NGX_IMS_CLAIM_DEVICES,
                                &grant->devices)
           != NGX_OK
        || ngx_ims_grant_number(claims, jwt, NGX_IMS_CLAIM_CALLS,
                                &grant->calls)
           != NGX_OK
        || ngx_ims_grant_number(claims, jwt, NGX_IMS_CLAIM_CALLS_PER_HOUR,
                                &grant->calls_per_hour)
           != NGX_OK
        || ngx_ims_grant_number(claims, jwt, NGX_IMS_CLAIM_PREMIUM_PER_HOUR,
                                &grant->premium_per_hour)
           != NGX_OK)
    {
        return ngx_ims_grant_refuse(why, 403, NULL,
                                    "token has a claim that cannot be read");
    }

    /* a call for help is not lost for a claim that is none */

    if (ngx_ims_grant_flag(claims, jwt, NGX_IMS_CLAIM_EMERGENCY, &emergency)
        != NGX_OK)
    {
        emergency = 1;
    }

    grant->no_video = !video;
    grant->guest = guest;
    grant->no_emergency = !emergency;

    return NGX_OK;
}


/* another claim than "sub" makes another user of him, for revocation, too */

static ngx_int_t
ngx_ims_grant_user(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_ims_grant_t *grant)
{
    char                *path;
    ngx_ims_jwt_type_e   type;

    grant->subject = ngx_ims_jwt_subject(jwt);

    if (claims->paths[NGX_IMS_CLAIM_USER].len) {
        path = (char *) claims->paths[NGX_IMS_CLAIM_USER].data;
        type = ngx_ims_jwt_type(jwt, path);

        if ((type != NGX_IMS_JWT_STRING && type != NGX_IMS_JWT_INTEGER)
            || !ngx_ims_jwt_claim(jwt, path, &grant->subject))
        {
            return NGX_DECLINED;
        }

        ngx_ims_pool_user(&grant->issuer, &grant->subject, grant->ids.user);
        ngx_ims_deny_key(&grant->subject, grant->ids.subject);
    }

    return grant->subject.len && grant->subject.len <= 255
           && grant->issuer.len <= 255
           && ngx_ims_plain(grant->subject.data, grant->subject.len) > 0
           && ngx_ims_plain(grant->issuer.data, grant->issuer.len) >= 0
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_ims_grant_need(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_ims_refusal_t *why)
{
    int                    rc;
    char                   buf[NGX_IMS_JWT_MAX_ITEM];
    ngx_uint_t             i;
    ngx_ims_str_t          value;
    ngx_ims_claim_need_t  *need;

    if (claims->needs == NULL) {
        return NGX_OK;
    }

    need = claims->needs->elts;

    for (i = 0; i < claims->needs->nelts; i++) {

        rc = ngx_ims_jwt_item(jwt, (char *) need[i].path.data, 0, buf,
                              &value);

        /* "false" as a text is a text, a boolean stands in buf */

        if (rc == 1 && value.len
            && !(value.len == 1 && value.data[0] == '0')
            && !(value.data == (u_char *) buf && buf[0] == 'f'))
        {
            continue;
        }

        return ngx_ims_grant_refuse(why, need[i].status,
                                    need[i].status == 401
                                    ? "invalid_token" : "insufficient_scope",
                                    "token lacks what is required");
    }

    return NGX_OK;
}


/* the words of a claim, one after the other: NGX_DONE when there are no more */

typedef struct {
    ngx_ims_jwt_t            *jwt;
    char                     *path;
    size_t                    i;              /* element of an array */
    ngx_ims_str_t             rest;           /* of a text with blanks */
    ngx_uint_t                split;          /* that may have any */
} ngx_ims_grant_words_t;


static ngx_int_t
ngx_ims_grant_word(ngx_ims_grant_words_t *words, ngx_ims_str_t *word)
{
    int      rc;
    char     buf[NGX_IMS_JWT_MAX_ITEM];
    u_char  *p;

    for ( ;; ) {

        while (words->rest.len && words->rest.data[0] == ' ') {
            words->rest.data++;
            words->rest.len--;
        }

        if (words->rest.len) {
            *word = words->rest;

            p = words->split ? ngx_strlchr(word->data, word->data + word->len,
                                           ' ')
                             : NULL;

            if (p != NULL) {
                word->len = p - word->data;
            }

            words->rest.data += word->len;
            words->rest.len -= word->len;

            return NGX_OK;
        }

        rc = ngx_ims_jwt_item(words->jwt, words->path, words->i++, buf,
                              &words->rest);

        if (rc == 0) {
            return NGX_DONE;
        }

        /* a number or a boolean is not a name */

        if (rc == -1 || words->rest.data == (u_char *) buf) {
            return NGX_DECLINED;
        }
    }
}


static void
ngx_ims_grant_words(ngx_ims_grant_words_t *words, ngx_ims_jwt_t *jwt,
    const char *path)
{
    ngx_memzero(words, sizeof(ngx_ims_grant_words_t));

    words->jwt = jwt;
    words->path = (char *) path;
    words->split = (ngx_ims_jwt_type(jwt, path) == NGX_IMS_JWT_STRING);
}


/* "scope" is a text with blanks (RFC 8693 4.2), "scp" an array or such a one */

static ngx_int_t
ngx_ims_grant_scope(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt)
{
    ngx_str_t              *scope;
    const char             *path;
    ngx_uint_t              i;
    ngx_ims_str_t           word;
    ngx_ims_grant_words_t   words;

    if (claims->scopes == NULL) {
        return NGX_OK;
    }

    path = ngx_ims_jwt_type(jwt, "scope") != NGX_IMS_JWT_ABSENT ? "scope"
                                                                : "scp";
    scope = claims->scopes->elts;

    for (i = 0; i < claims->scopes->nelts; i++) {
        ngx_ims_grant_words(&words, jwt, path);

        do {
            if (ngx_ims_grant_word(&words, &word) != NGX_OK) {
                return NGX_DECLINED;
            }

        } while (word.len != scope[i].len
                 || ngx_strncmp(word.data, scope[i].data, word.len) != 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_grant_pool(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt)
{
    ngx_ims_str_t           word;
    ngx_ims_grant_words_t   words;

    if (claims->paths[NGX_IMS_CLAIM_POOL].len == 0) {
        return NGX_OK;
    }

    ngx_ims_grant_words(&words, jwt,
                        (char *) claims->paths[NGX_IMS_CLAIM_POOL].data);

    do {
        if (ngx_ims_grant_word(&words, &word) != NGX_OK) {
            return NGX_DECLINED;
        }

    } while (word.len != claims->pool.len
             || ngx_strncmp(word.data, claims->pool.data, word.len) != 0);

    return NGX_OK;
}


/*
 * Only the form is judged here, the pool knows its block.  Of what a URI can
 * have besides, "user=phone" alone does not change who is meant; and who is
 * meant must be readable in ASCII.
 */

static ngx_int_t
ngx_ims_grant_identity(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_str_t *identity)
{
    char                *path;
    size_t               i;
    ngx_ims_sip_uri_t    u;
    ngx_ims_jwt_type_e   type;

    path = (char *) claims->paths[NGX_IMS_CLAIM_IDENTITY].data;
    type = path ? ngx_ims_jwt_type(jwt, path) : NGX_IMS_JWT_ABSENT;

    if (type == NGX_IMS_JWT_ABSENT) {
        return NGX_OK;
    }

    if (type != NGX_IMS_JWT_STRING
        || !ngx_ims_jwt_claim(jwt, path, identity)
        || identity->len == 0 || identity->len > NGX_IMS_MAX_IMPU)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < identity->len; i++) {
        if (identity->data[i] <= ' ' || identity->data[i] >= 0x7f) {
            return NGX_DECLINED;
        }
    }

    /* no password (RFC 3261 19.1.1) */

    if (ngx_ims_sip_parse_uri(identity, &u) != NGX_IMS_OK || u.headers.len
        || u.password.len)
    {
        return NGX_DECLINED;
    }

    if (u.params.len) {
        if (u.params.len != sizeof("user=phone") - 1
            || ngx_strncasecmp(u.params.data, (u_char *) "user=phone",
                               u.params.len)
               != 0)
        {
            return NGX_DECLINED;
        }

        /* the parameter has been judged; the rest is as any other */

        identity->len = u.params.data - 1 - identity->data;
    }

    if (!ngx_ims_sip_uri_safe(identity)
        || (u.scheme.len != 3
            || (ngx_strncasecmp(u.scheme.data, (u_char *) "sip", 3) != 0
                && ngx_strncasecmp(u.scheme.data, (u_char *) "tel", 3) != 0)))
    {
        return NGX_DECLINED;
    }

    if (u.params.len) {
        identity->len += 1 + u.params.len;
    }

    return NGX_OK;
}


/* longer ones are cut, at a character */

static ngx_int_t
ngx_ims_grant_name(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_str_t *name)
{
    char                *path;
    size_t               i;
    ngx_uint_t           n;
    ngx_ims_jwt_type_e   type;

    path = (char *) claims->paths[NGX_IMS_CLAIM_NAME].data;
    type = path ? ngx_ims_jwt_type(jwt, path) : NGX_IMS_JWT_ABSENT;

    if (type == NGX_IMS_JWT_ABSENT) {
        return NGX_OK;
    }

    if (type != NGX_IMS_JWT_STRING || !ngx_ims_jwt_claim(jwt, path, name)
        || ngx_ims_plain(name->data, name->len) < 0)
    {
        return NGX_DECLINED;
    }

    for (i = 0, n = 0; i < name->len; i++) {

        if ((name->data[i] & 0xc0) != 0x80 && n++ == NGX_IMS_GRANT_NAME) {
            name->len = i;
        }
    }

    return NGX_OK;
}


/* names that nobody here knows cannot be begun anyway */

static ngx_int_t
ngx_ims_grant_methods(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    uint32_t *methods)
{
    char                   *path;
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_ims_str_t           word;
    ngx_ims_grant_words_t   words;

    path = (char *) claims->paths[NGX_IMS_CLAIM_METHODS].data;

    if (path == NULL || ngx_ims_jwt_type(jwt, path) == NGX_IMS_JWT_ABSENT) {
        *methods = NGX_IMS_GRANT_ANY;
        return NGX_OK;
    }

    *methods = 0;
    ngx_ims_grant_words(&words, jwt, path);

    for ( ;; ) {
        rc = ngx_ims_grant_word(&words, &word);

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : NGX_DECLINED;
        }

        for (i = 1; i <= NGX_IMS_SIP_PUBLISH; i++) {
            if (word.len == ngx_ims_grant_method_names[i].len
                && ngx_strncasecmp(word.data,
                                   ngx_ims_grant_method_names[i].data,
                                   word.len)
                   == 0)
            {
                *methods |= 1u << i;
            }
        }
    }
}


/* true and false, also as text and as 1 and 0; absent: *flag is left alone */

static ngx_int_t
ngx_ims_grant_flag(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_ims_claim_e what, ngx_uint_t *flag)
{
    char                 buf[NGX_IMS_JWT_MAX_ITEM];
    const char          *path;
    ngx_ims_str_t        value;
    ngx_ims_jwt_type_e   type;

    path = (char *) claims->paths[what].data;
    type = path ? ngx_ims_jwt_type(jwt, path) : NGX_IMS_JWT_ABSENT;

    if (type == NGX_IMS_JWT_ABSENT) {
        return NGX_OK;
    }

    if (type == NGX_IMS_JWT_ARRAY
        || ngx_ims_jwt_item(jwt, path, 0, buf, &value) != 1)
    {
        return NGX_DECLINED;
    }

    if ((value.len == 4 && ngx_strncasecmp(value.data, (u_char *) "true", 4)
                           == 0)
        || (value.len == 1 && value.data[0] == '1'))
    {
        *flag = 1;
        return NGX_OK;
    }

    if ((value.len == 5 && ngx_strncasecmp(value.data, (u_char *) "false", 5)
                           == 0)
        || (value.len == 1 && value.data[0] == '0'))
    {
        *flag = 0;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* an integer, also as text */

static ngx_int_t
ngx_ims_grant_number(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_ims_claim_e what, uint32_t *number)
{
    char                 buf[NGX_IMS_JWT_MAX_ITEM];
    ngx_int_t            n;
    const char          *path;
    ngx_ims_str_t        value;
    ngx_ims_jwt_type_e   type;

    *number = NGX_IMS_GRANT_ANY;

    path = (char *) claims->paths[what].data;
    type = path ? ngx_ims_jwt_type(jwt, path) : NGX_IMS_JWT_ABSENT;

    if (type == NGX_IMS_JWT_ABSENT) {
        return NGX_OK;
    }

    if ((type != NGX_IMS_JWT_INTEGER && type != NGX_IMS_JWT_STRING)
        || ngx_ims_jwt_item(jwt, path, 0, buf, &value) != 1)
    {
        return NGX_DECLINED;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *number = ngx_min(n, (ngx_int_t) NGX_IMS_GRANT_ANY - 1);

    return NGX_OK;
}


static ngx_int_t
ngx_ims_grant_refuse(ngx_ims_refusal_t *why, ngx_uint_t status,
    const char *code, const char *error)
{
    why->status = status;
    why->code = code;
    why->error = error;

    return NGX_DECLINED;
}
