/*
 * Copyright (C) the IMS portal authors
 *
 * Tokens that are revoked before their end: by user, jti, kid, or all that were
 * issued until some time.  The list is in the pool's zone, so all workers have
 * it at once and a store keeps it; a longer one is in a file, see
 * ngx_ims_deny_file.h.
 */


#ifndef _NGX_IMS_DENY_H_INCLUDED_
#define _NGX_IMS_DENY_H_INCLUDED_


#include "ngx_ims_pool.h"
#include "ngx_ims_jwt.h"


typedef enum {
    NGX_IMS_DENY_FREE = 0,
    NGX_IMS_DENY_USER,                   /* ... whose tokens are not newer */
    NGX_IMS_DENY_JTI,
    NGX_IMS_DENY_KID,
    NGX_IMS_DENY_ALL,                    /* ... that are not newer */
    NGX_IMS_DENY_SUBJECT,                /* whoever issued it: in files only */
    NGX_IMS_DENY_BLOCKED                 /* see ngx_ims_deny_blocked.h */
} ngx_ims_deny_e;


/* what of a token can be revoked; zeros: it lacks that */
typedef struct {
    u_char                    user[NGX_IMS_DIGEST_LEN];
    u_char                    subject[NGX_IMS_DIGEST_LEN];
    u_char                    jti[NGX_IMS_DIGEST_LEN];
    u_char                    kid[NGX_IMS_DIGEST_LEN];
    time_t                    issued;         /* s */
} ngx_ims_deny_token_t;


/* a text's key, as jti and kid have it; out has NGX_IMS_DIGEST_LEN bytes */
void ngx_ims_deny_key(ngx_ims_str_t *text, u_char *out);

/* fills it from a verified token */
void ngx_ims_deny_token(ngx_ims_jwt_t *jwt, ngx_ims_deny_token_t *token);

/*
 * Revokes.
 *
 * key     of the user (ngx_ims_pool_user()), jti or kid; none for all
 * before  s, tokens issued later are good (user, all)
 * until   s, when the entry can be forgotten; in the past: it is, at once
 *
 * Browsers of the user that are away do not get their grace time.  NGX_OK, or
 * NGX_BUSY: the list is full.
 */
ngx_int_t ngx_ims_deny_add(ngx_ims_pool_t *pool, ngx_ims_deny_e kind,
    u_char *key, time_t before, time_t until);

/* 1 when it is revoked, in the zone or by the pool's file */
ngx_uint_t ngx_ims_deny_check(ngx_ims_pool_t *pool,
    ngx_ims_deny_token_t *token);

/* how many entries there are */
ngx_uint_t ngx_ims_deny_count(ngx_ims_pool_t *pool);


#endif /* _NGX_IMS_DENY_H_INCLUDED_ */
