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
    time_t                    expires;        /* s, its exp */
} ngx_ims_grant_t;


/*
 * Fills a grant from a verified token.  Texts live as long as the token.
 * NGX_OK, or NGX_DECLINED with *why set: a claim is of no use.
 */
ngx_int_t ngx_ims_grant_make(ngx_ims_jwt_t *jwt, ngx_ims_grant_t *grant,
    const char **why);

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


#endif /* _NGX_IMS_GRANT_H_INCLUDED_ */
