/*
 * Copyright (C) the IMS portal authors
 *
 * Users that an administrator has blocked until some time.  They stand in the
 * list of revoked tokens (ngx_ims_deny.h), so all workers have them at once and
 * a store keeps them.
 */


#ifndef _NGX_IMS_DENY_BLOCKED_H_INCLUDED_
#define _NGX_IMS_DENY_BLOCKED_H_INCLUDED_


#include "ngx_ims_deny.h"


enum {
    NGX_IMS_BLOCKED_TEXT = 255,          /* bytes of each text at most */
    NGX_IMS_BLOCKED_BUFFER = 4 * (NGX_IMS_BLOCKED_TEXT + 1)
};


typedef struct {
    u_char                    user[NGX_IMS_DIGEST_LEN];  /* its key */
    ngx_str_t                 subject;        /* texts without NUL */
    ngx_str_t                 issuer;
    ngx_str_t                 reason;         /* may be empty */
    ngx_str_t                 by;             /* who said so, or empty */
    time_t                    since;          /* s */
    time_t                    until;          /* s */
} ngx_ims_blocked_t;


/*
 * Blocks, or changes the block of, a user; all but since is the caller's.
 * NGX_OK, or NGX_BUSY: the zone has no room.  His sockets are ended with an
 * order (ngx_ims_order.h), which is the caller's, too.
 */
ngx_int_t ngx_ims_deny_block(ngx_ims_pool_t *pool, ngx_ims_blocked_t *b);

/* NGX_OK, or NGX_DECLINED: he was not blocked */
ngx_int_t ngx_ims_deny_unblock(ngx_ims_pool_t *pool, u_char *user);

/* until when, s, a user is blocked; 0: he is not */
time_t ngx_ims_deny_blocked(ngx_ims_pool_t *pool, u_char *user);

/*
 * The next block from entry *i on, which becomes its own number; texts are in
 * buf, of NGX_IMS_BLOCKED_BUFFER bytes.  NGX_OK, or NGX_DONE.
 */
ngx_int_t ngx_ims_deny_next_block(ngx_ims_pool_t *pool, uint32_t *i,
    ngx_ims_blocked_t *b, u_char *buf);


#endif /* _NGX_IMS_DENY_BLOCKED_H_INCLUDED_ */
