/*
 * Copyright (C) the IMS portal authors
 *
 * The pool as administrators see and change it.  Whoever walks through it takes
 * the zone's lock for one entry at a time, so nobody else waits, and gives
 * entries by index: what is there all the time is seen once.
 */


#ifndef _NGX_IMS_POOL_ADMIN_H_INCLUDED_
#define _NGX_IMS_POOL_ADMIN_H_INCLUDED_


#include "ngx_ims_order.h"


/* room for the texts of a view */
#define NGX_IMS_POOL_VIEW  (2 * 256)


/* a copy of an identity's entry; texts are in the caller's buffer */
typedef struct {
    uint32_t                  index;
    uint32_t                  seq;
    uint32_t                  state;          /* ngx_ims_lease_state_e as it is
                                                 now: times that are over are
                                                 taken into account */
    u_char                    user[NGX_IMS_DIGEST_LEN];
    ngx_str_t                 subject;        /* who has it; empty: free */
    ngx_str_t                 issuer;
    time_t                    since;          /* s; 0: free */
    time_t                    expires;        /* s, of lease or quarantine */
    ngx_uint_t                sessions;       /* browsers, those away, too */
    ngx_uint_t                away;
    ngx_uint_t                calls;
    ngx_uint_t                leaving;        /* it ends with its sessions */
} ngx_ims_pool_view_t;


/* a copy of a binding's; the lease is that of its identity */
typedef struct {
    uint32_t                  index;
    uint32_t                  seq;
    uint32_t                  state;          /* ngx_ims_binding_state_e */
    uint32_t                  lease;
    u_char                    user[NGX_IMS_DIGEST_LEN];
    ngx_str_t                 subject;
    ngx_str_t                 issuer;
    ngx_ims_owner_t           owner;          /* zero: away */
    time_t                    since;          /* s */
    time_t                    expires;        /* s, at the core; 0: is not
                                                 registered */
    time_t                    until;          /* s, it waits for its browser
                                                 until then; 0: it does not */
    ngx_uint_t                calls;
} ngx_ims_pool_seen_t;


/*
 * Copies an entry; buf has NGX_IMS_POOL_VIEW bytes.  NGX_OK, or NGX_DECLINED:
 * no identity, or no binding of a browser, has it.
 */
ngx_int_t ngx_ims_pool_view(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_pool_view_t *view, u_char *buf);
ngx_int_t ngx_ims_pool_see(ngx_ims_pool_t *pool, uint32_t binding,
    ngx_ims_pool_seen_t *seen, u_char *buf);

/* the running lease of a user; NGX_OK or NGX_DECLINED */
ngx_int_t ngx_ims_pool_whose(ngx_ims_pool_t *pool, u_char *user,
    uint32_t *lease);

/*
 * Gives a user, who has a lease, another identity of the pool, and ends his
 * sockets; he comes back with that one.
 *
 * NGX_OK; NGX_DECLINED: he has none; NGX_BUSY: the other one is taken;
 * NGX_ABORT: it is in its quarantine, or not for him.
 */
ngx_int_t ngx_ims_pool_move(ngx_ims_pool_t *pool, u_char *user,
    uint32_t lease);


#endif /* _NGX_IMS_POOL_ADMIN_H_INCLUDED_ */
