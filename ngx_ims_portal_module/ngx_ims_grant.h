/*
 * Copyright (C) the IMS portal authors
 *
 * What a verified token gives its user: who he is, for how long, and what he
 * may do.  Claims are turned into it at one place (ngx_ims_grant.c); all else
 * looks at the grant, never at claims.
 */


#ifndef _NGX_IMS_GRANT_H_INCLUDED_
#define _NGX_IMS_GRANT_H_INCLUDED_


#include "ngx_ims_deny.h"
#include "ngx_ims_sip.h"


#define NGX_IMS_GRANT_ANY   0xffffffff        /* a cap that is none */

enum {
    NGX_IMS_GRANT_NAME = 64              /* characters of a display name */
};


/* which claim says what */
typedef enum {
    NGX_IMS_CLAIM_USER = 0,
    NGX_IMS_CLAIM_IDENTITY,
    NGX_IMS_CLAIM_POOL,
    NGX_IMS_CLAIM_METHODS,
    NGX_IMS_CLAIM_VIDEO,
    NGX_IMS_CLAIM_EMERGENCY,
    NGX_IMS_CLAIM_DEVICES,
    NGX_IMS_CLAIM_CALLS,
    NGX_IMS_CLAIM_CALLS_PER_HOUR,
    NGX_IMS_CLAIM_PREMIUM_PER_HOUR,
    NGX_IMS_CLAIM_GUEST,
    NGX_IMS_CLAIM_NAME,
    NGX_IMS_CLAIM_N
} ngx_ims_claim_e;


/* a claim that a token must have, neither empty nor 0 */
typedef struct {
    ngx_str_t                 path;           /* with NUL */
    ngx_uint_t                status;         /* else: 401 or 403 */
} ngx_ims_claim_need_t;


/* the claims that a location looks at; read-only after configuration */
typedef struct {
    ngx_str_t                 paths[NGX_IMS_CLAIM_N];  /* with NUL; empty: not
                                                 looked at */
    ngx_str_t                 pool;           /* that a claim has to name */
    ngx_array_t              *needs;          /* ngx_ims_claim_need_t, NULL */
    ngx_array_t              *scopes;         /* ngx_str_t, all needed; NULL */
    ngx_str_t                 scope;          /* the same in one text */
} ngx_ims_claims_t;


/*
 * Texts are those of the token that it was made from, or of a copy; none has a
 * control character or NUL in it.
 */
typedef struct {
    ngx_ims_deny_token_t      ids;            /* its user, jti, kid, iat */
    ngx_str_t                 subject;        /* the user, up to 255 bytes */
    ngx_str_t                 issuer;         /* up to 255 bytes, or empty */
    ngx_str_t                 identity;       /* the IMPU that it asks for, or
                                                 empty */
    ngx_str_t                 name;           /* of From, not quoted; up to
                                                 NGX_IMS_GRANT_NAME characters,
                                                 or empty */
    time_t                    expires;        /* s, its exp */

    uint32_t                  methods;        /* 1 << ngx_ims_sip_method_e of
                                                 what it may begin */
    uint32_t                  devices;        /* caps of this user, */
    uint32_t                  calls;          /* NGX_IMS_GRANT_ANY: */
    uint32_t                  calls_per_hour;      /* those of the pool */
    uint32_t                  premium_per_hour;

    unsigned                  no_video:1;
    unsigned                  no_emergency:1; /* take a telephone instead */
    unsigned                  guest:1;        /* originates only */
} ngx_ims_grant_t;


/* why a token gives nothing */
typedef struct {
    ngx_uint_t                status;         /* 401, 403 */
    const char               *code;           /* of RFC 6750 3.1, or NULL */
    const char               *error;          /* in words, lower case */
} ngx_ims_refusal_t;


/*
 * Fills a grant from a verified token.  Texts live as long as the token.
 * NGX_OK, or NGX_DECLINED with *why set: a claim is of no use, or missing.
 */
ngx_int_t ngx_ims_grant_make(ngx_ims_claims_t *claims, ngx_ims_jwt_t *jwt,
    ngx_ims_grant_t *grant, ngx_ims_refusal_t *why);

/* a copy with its texts, for ngx_free(); NULL: no memory */
ngx_ims_grant_t *ngx_ims_grant_copy(ngx_ims_grant_t *grant, ngx_log_t *log);

/*
 * The same for memory of the caller's, which may be shared: how many bytes it
 * takes, writing them, and a grant whose texts stand in them.
 */
size_t ngx_ims_grant_size(ngx_ims_grant_t *grant);
void ngx_ims_grant_pack(ngx_ims_grant_t *grant, u_char *p);
void ngx_ims_grant_unpack(ngx_ims_grant_t *grant, u_char *p);

/* what its user wants of the pool; texts are the grant's */
void ngx_ims_grant_want(ngx_ims_grant_t *grant, ngx_ims_want_t *want);

/* a number that differs when what a grant allows does, its end apart */
uint32_t ngx_ims_grant_rights(ngx_ims_grant_t *grant);

/* the lower of a pool's cap, 0: none, and a grant's; NGX_IMS_GRANT_ANY: none */
uint32_t ngx_ims_grant_cap(ngx_uint_t pool, uint32_t grant);


#endif /* _NGX_IMS_GRANT_H_INCLUDED_ */
