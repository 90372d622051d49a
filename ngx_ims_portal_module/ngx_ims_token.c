/*
 * Copyright (C) the IMS portal authors
 *
 * No timers.
 */


#include "ngx_ims_token.h"
#include "ngx_ims_deny_blocked.h"


static ngx_int_t ngx_ims_token_refuse(ngx_ims_token_t *t, ngx_uint_t status,
    const char *code, const char *error);


ngx_int_t
ngx_ims_token_check(ngx_ims_token_policy_t *policy, ngx_ims_str_t *text,
    ngx_ims_waiter_t *waiter, ngx_ims_token_t *t)
{
    ngx_ims_refusal_t      why;
    ngx_ims_jwt_check_t    check;
    ngx_ims_jwt_result_e   result;

    ngx_memzero(t, sizeof(ngx_ims_token_t));
    ngx_memzero(&check, sizeof(ngx_ims_jwt_check_t));

    check.keys = policy->keys;
    check.issuer = policy->issuer;
    check.audience = policy->audience;
    check.now = ngx_time();
    check.leeway = policy->leeway;

    result = ngx_ims_jwt_verify(text, &check, &t->jwt);

    if (result == NGX_IMS_JWT_NO_MEMORY) {
        return NGX_ERROR;
    }

    if (result != NGX_IMS_JWT_OK) {
        return ngx_ims_token_refuse(t, 401, "invalid_token",
                                    ngx_ims_jwt_error(result));
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
