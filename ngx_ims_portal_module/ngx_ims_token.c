/*
 * Copyright (C) the IMS portal authors
 *
 * Which keys verify a token, and what is looked at each time that it comes.
 * No timers.
 */


#include "ngx_ims_token.h"
#include "ngx_ims_deny_blocked.h"


static ngx_int_t ngx_ims_token_verify(ngx_ims_token_policy_t *policy,
    ngx_ims_str_t *text, ngx_ims_waiter_t *waiter, ngx_ims_token_t *t,
    ngx_ims_jwks_t **used);
static ngx_int_t ngx_ims_token_signed(ngx_ims_token_policy_t *policy,
    ngx_ims_waiter_t *waiter, ngx_ims_token_t *t, ngx_ims_jwks_t **used);
static ngx_int_t ngx_ims_token_missed(ngx_ims_token_policy_t *policy,
    ngx_ims_waiter_t *waiter, ngx_ims_token_t *t);
static ngx_uint_t ngx_ims_token_serves(ngx_ims_token_policy_t *policy,
    ngx_ims_token_key_t *key, ngx_ims_str_t *issuer);
static ngx_ims_jwt_result_e ngx_ims_token_valid(
    ngx_ims_token_policy_t *policy, ngx_ims_jwt_t *jwt);
static ngx_int_t ngx_ims_token_refuse(ngx_ims_token_t *t, ngx_uint_t status,
    const char *code, const char *error);
static ngx_int_t ngx_ims_token_result(ngx_ims_token_t *t,
    ngx_ims_jwt_result_e result);


ngx_int_t
ngx_ims_token_check(ngx_ims_token_policy_t *policy, ngx_ims_str_t *text,
    ngx_ims_waiter_t *waiter, ngx_ims_token_t *t)
{
    u_char                 digest[NGX_IMS_TOKEN_DIGEST];
    ngx_int_t              rc;
    ngx_ims_jwks_t        *jwks;
    ngx_ims_refusal_t      why;
    ngx_ims_jwt_result_e   result;

    ngx_memzero(t, sizeof(ngx_ims_token_t));

    if (policy->cache != NULL) {

        if (text->len > NGX_IMS_JWT_MAX_TOKEN) {
            return ngx_ims_token_result(t, NGX_IMS_JWT_MALFORMED);
        }

        if (ngx_ims_token_digest(policy->cache, policy->rules, text, digest)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        t->jwt = ngx_ims_token_find(policy->cache, digest, &jwks);
    }

    if (t->jwt != NULL) {

        /* its time may have come since */

        result = ngx_ims_token_valid(policy, t->jwt);

        if (result != NGX_IMS_JWT_OK) {
            return ngx_ims_token_result(t, result);
        }

    } else {
        rc = ngx_ims_token_verify(policy, text, waiter, t, &jwks);

        if (rc != NGX_OK) {
            return rc;
        }

        if (policy->cache != NULL) {
            ngx_ims_token_remember(policy->cache, digest, t->jwt, jwks,
                                   waiter->log);
        }
    }

    if (ngx_ims_grant_make(policy->claims, t->jwt, &t->grant, &why)
        != NGX_OK)
    {
        return ngx_ims_token_refuse(t, why.status, why.code, why.error);
    }

    if (ngx_ims_deny_check(policy->pool, &t->grant.ids)) {
        return ngx_ims_token_refuse(t, 401, "invalid_token",
                                    "token is revoked");
    }

    if (ngx_ims_deny_blocked(policy->pool, t->grant.ids.user)) {
        return ngx_ims_token_refuse(t, 403, NULL, "user is blocked");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_token_verify(ngx_ims_token_policy_t *policy, ngx_ims_str_t *text,
    ngx_ims_waiter_t *waiter, ngx_ims_token_t *t, ngx_ims_jwks_t **used)
{
    ngx_int_t             rc;
    ngx_ims_jwt_result_e  result;

    result = ngx_ims_jwt_open(text, &t->jwt);

    if (result != NGX_IMS_JWT_OK) {
        return ngx_ims_token_result(t, result);
    }

    rc = ngx_ims_token_signed(policy, waiter, t, used);

    if (rc != NGX_OK) {
        ngx_ims_token_free(t);
        return rc;
    }

    result = ngx_ims_token_valid(policy, t->jwt);

    return result == NGX_IMS_JWT_OK ? NGX_OK
                                    : ngx_ims_token_result(t, result);
}


/*
 * By those keys that serve the issuer that it says (RFC 8725 3.8): whoever has
 * the keys of one issuer cannot speak for another.
 */

static ngx_int_t
ngx_ims_token_signed(ngx_ims_token_policy_t *policy, ngx_ims_waiter_t *waiter,
    ngx_ims_token_t *t, ngx_ims_jwks_t **used)
{
    ngx_int_t              rc;
    ngx_uint_t             i, away;
    ngx_ims_str_t          issuer;
    ngx_ims_jwks_t        *pending;
    ngx_ims_token_key_t   *key;
    ngx_ims_jwt_result_e   result, worst;

    issuer = ngx_ims_jwt_issuer(t->jwt);
    key = policy->keys->elts;
    worst = NGX_IMS_JWT_ISSUER;
    pending = NULL;
    away = 0;

    for (i = 0; i < policy->keys->nelts; i++) {

        if (!ngx_ims_token_serves(policy, &key[i], &issuer)) {
            continue;
        }

        rc = ngx_ims_jwks_get(key[i].jwks, NULL);

        if (rc != NGX_OK) {
            away |= (rc == NGX_DECLINED);
            pending = (rc == NGX_AGAIN) ? key[i].jwks : pending;
            continue;
        }

        result = ngx_ims_jwt_signed(t->jwt, key[i].jwks->keys, key[i].algs);

        if (result == NGX_IMS_JWT_OK) {
            *used = key[i].jwks;
            return NGX_OK;
        }

        if (result == NGX_IMS_JWT_NO_MEMORY) {
            return NGX_ERROR;
        }

        /* the first one that knows the key tells what is wrong */

        if (worst == NGX_IMS_JWT_ISSUER || worst == NGX_IMS_JWT_UNKNOWN_KEY) {
            worst = result;
        }
    }

    if (pending != NULL) {
        rc = ngx_ims_jwks_get(pending, waiter);

        if (rc == NGX_AGAIN || rc == NGX_ERROR) {
            return rc;
        }

        /* another worker has stored them this very moment */

        if (rc == NGX_OK) {
            return ngx_ims_token_signed(policy, waiter, t, used);
        }

        away = 1;
    }

    if (away) {
        return ngx_ims_token_refuse(t, 503, NULL, "no keys to verify tokens");
    }

    /* a set whose keys have no ids tells of a new one by the signature */

    if (worst == NGX_IMS_JWT_UNKNOWN_KEY
        || (worst != NGX_IMS_JWT_ISSUER && worst != NGX_IMS_JWT_MALFORMED
            && ngx_ims_jwt_kid(t->jwt).len == 0))
    {
        rc = ngx_ims_token_missed(policy, waiter, t);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_ims_token_result(t, worst);
}


/*
 * Its key may be new.  A token that is of no use anyhow, as one that has
 * expired long since, is no reason to ask.  NGX_OK: nobody can be asked.
 */

static ngx_int_t
ngx_ims_token_missed(ngx_ims_token_policy_t *policy, ngx_ims_waiter_t *waiter,
    ngx_ims_token_t *t)
{
    ngx_int_t             rc;
    ngx_uint_t            i, unknown;
    ngx_ims_str_t         issuer;
    ngx_ims_token_key_t  *key;

    if (ngx_ims_token_valid(policy, t->jwt) != NGX_IMS_JWT_OK) {
        return NGX_OK;
    }

    issuer = ngx_ims_jwt_issuer(t->jwt);
    key = policy->keys->elts;
    unknown = 0;

    for (i = 0; i < policy->keys->nelts; i++) {

        if (!ngx_ims_token_serves(policy, &key[i], &issuer)) {
            continue;
        }

        rc = ngx_ims_jwks_missed(key[i].jwks, waiter);

        if (rc == NGX_AGAIN || rc == NGX_ERROR) {
            return rc;
        }

        unknown |= (rc == NGX_BUSY);
    }

    return unknown ? ngx_ims_token_refuse(t, 503, NULL, "its key is unknown, "
                                          "and keys cannot be fetched")
                   : NGX_OK;
}


static ngx_uint_t
ngx_ims_token_serves(ngx_ims_token_policy_t *policy, ngx_ims_token_key_t *key,
    ngx_ims_str_t *issuer)
{
    ngx_str_t    *name;
    ngx_uint_t    i;
    ngx_array_t  *issuers;

    issuers = key->issuers ? key->issuers : policy->issuers;

    if (issuers == NULL) {
        return 1;
    }

    name = issuers->elts;

    for (i = 0; i < issuers->nelts; i++) {

        if (name[i].len == issuer->len
            && ngx_memcmp(name[i].data, issuer->data, issuer->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* all but the issuer, which chose the keys */

static ngx_ims_jwt_result_e
ngx_ims_token_valid(ngx_ims_token_policy_t *policy, ngx_ims_jwt_t *jwt)
{
    ngx_str_t            *name;
    ngx_uint_t            i;
    ngx_ims_jwt_check_t   check;

    ngx_memzero(&check, sizeof(ngx_ims_jwt_check_t));

    check.now = ngx_time();
    check.leeway = policy->leeway;

    if (policy->typ.len && !ngx_ims_jwt_typ(jwt, &policy->typ)) {
        return NGX_IMS_JWT_TYPE;
    }

    if (policy->audiences == NULL) {
        return ngx_ims_jwt_valid(jwt, &check);
    }

    name = policy->audiences->elts;

    for (i = 0; i < policy->audiences->nelts; i++) {

        if (ngx_ims_jwt_for(jwt, &name[i])) {
            return ngx_ims_jwt_valid(jwt, &check);
        }
    }

    return NGX_IMS_JWT_AUDIENCE;
}


static ngx_int_t
ngx_ims_token_result(ngx_ims_token_t *t, ngx_ims_jwt_result_e result)
{
    if (result == NGX_IMS_JWT_NO_MEMORY) {
        ngx_ims_token_free(t);
        return NGX_ERROR;
    }

    return ngx_ims_token_refuse(t, 401, "invalid_token",
                                ngx_ims_jwt_error(result));
}


static ngx_int_t
ngx_ims_token_refuse(ngx_ims_token_t *t, ngx_uint_t status, const char *code,
    const char *error)
{
    ngx_ims_token_free(t);

    t->status = status;
    t->code = code;
    t->error = error;

    return NGX_DECLINED;
}


void
ngx_ims_token_free(ngx_ims_token_t *t)
{
    if (t->jwt != NULL) {
        ngx_ims_jwt_free(t->jwt);
        t->jwt = NULL;
    }
}
