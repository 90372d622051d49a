/*
 * Copyright (C) the IMS portal authors
 *
 * A token from a request to a grant, for HTTP and SIP alike: it is verified or
 * remembered, not revoked, and its claims are of use (spec JWT-1..JWT-6).
 */


#ifndef _NGX_IMS_TOKEN_H_INCLUDED_
#define _NGX_IMS_TOKEN_H_INCLUDED_


#include "ngx_ims_grant.h"
#include "ngx_ims_jwks.h"


/* keys, and what they may sign */
typedef struct {
    ngx_ims_jwks_t           *jwks;
    ngx_array_t              *issuers;        /* ngx_str_t; NULL: all */
    ngx_uint_t                algs;           /* bits, see ngx_ims_jwt_alg() */
} ngx_ims_token_key_t;


typedef struct ngx_ims_token_cache_s  ngx_ims_token_cache_t;


/* what a location says about tokens; read-only after configuration */
typedef struct {
    ngx_ims_pool_t           *pool;           /* that revokes them */
    ngx_array_t              *keys;           /* ngx_ims_token_key_t */
    ngx_array_t              *issuers;        /* ngx_str_t; NULL: any */
    ngx_array_t              *audiences;      /* ngx_str_t; NULL: any */
    ngx_str_t                 typ;            /* empty: any */
    time_t                    leeway;         /* s */
    ngx_ims_claims_t         *claims;         /* that are looked at */
    uint32_t                  rules;          /* the same for those that verify
                                                 in the same way */
    uint32_t                  wants;          /* the same for those that want
                                                 the same of a token, after a
                                                 reload, too */
    ngx_ims_token_cache_t    *cache;
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


/*
 * Tokens whose signature was verified, by digest and rules, of one process:
 * no more than max, the one that was not asked for longest goes first.  All
 * else about a token is looked at each time.  NULL: no memory.
 */
ngx_ims_token_cache_t *ngx_ims_token_cache(ngx_uint_t max, ngx_pool_t *pool);

/* the digest of a token under some rules, NGX_IMS_TOKEN_DIGEST bytes */
#define NGX_IMS_TOKEN_DIGEST  32

ngx_int_t ngx_ims_token_digest(ngx_ims_token_cache_t *cache, uint32_t rules,
    ngx_ims_str_t *text, u_char *digest);

/*
 * The token, for ngx_ims_jwt_free(), with the source of its key; or NULL: it is
 * not remembered, or the keys of its source have changed since.
 */
ngx_ims_jwt_t *ngx_ims_token_find(ngx_ims_token_cache_t *cache,
    u_char *digest, ngx_ims_jwks_t **jwks);

/* remembers one that jwks->keys, as they are, have verified */
void ngx_ims_token_remember(ngx_ims_token_cache_t *cache, u_char *digest,
    ngx_ims_jwt_t *jwt, ngx_ims_jwks_t *jwks, ngx_log_t *log);


#endif /* _NGX_IMS_TOKEN_H_INCLUDED_ */
