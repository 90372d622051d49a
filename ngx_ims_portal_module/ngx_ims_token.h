/*
 * Copyright (C) the IMS portal authors
 *
 * A token from a request to a grant, for HTTP and SIP alike: it is verified or
 * remembered, not revoked, and its claims are of use (spec JWT-1..JWT-6).
 */


#ifndef _NGX_IMS_TOKEN_H_INCLUDED_
#define _NGX_IMS_TOKEN_H_INCLUDED_


#include "ngx_ims_grant.h"
#include "ngx_ims_waiter.h"


/* what a location says about tokens; read-only after configuration */
typedef struct {
    ngx_ims_pool_t           *pool;           /* that revokes them */
    ngx_ims_jwt_keys_t       *keys;
    ngx_str_t                 issuer;         /* empty: any */
    ngx_str_t                 audience;       /* empty: any */
    time_t                    leeway;         /* s */
    ngx_ims_claims_t         *claims;         /* that are looked at */
} ngx_ims_token_policy_t;


typedef struct {
    ngx_ims_jwt_t            *jwt;            /* NULL: it was refused */
    ngx_ims_grant_t           grant;
    ngx_uint_t                status;         /* of a refusal: 401, 403; 503 */
    const char               *code;           /* of RFC 6750 3.1, or NULL */
    const char               *error;          /* in words, lower case */
} ngx_ims_token_t;


/*
 * Checks the text of a token.
 *
 * Returns NGX_OK with t->jwt and t->grant set, which ngx_ims_token_free() gives
 * back; NGX_DECLINED with status, code and error; NGX_AGAIN: its key is being
 * fetched, the waiter will be woken; NGX_ERROR: no memory.
 */
ngx_int_t ngx_ims_token_check(ngx_ims_token_policy_t *policy,
    ngx_ims_str_t *text, ngx_ims_waiter_t *waiter, ngx_ims_token_t *t);

void ngx_ims_token_free(ngx_ims_token_t *t);


#endif /* _NGX_IMS_TOKEN_H_INCLUDED_ */
