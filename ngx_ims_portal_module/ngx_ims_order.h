/*
 * Copyright (C) the IMS portal authors
 *
 * Orders to end sockets, from whichever process has a reason to, to all workers
 * of all generations: an administrator ends a session, takes an identity away
 * or empties this host; another host's user got the identity.
 *
 * An order is a word in the pool's zone, at the lease or the binding that it is
 * about, so there is always room for it.  Orders have numbers, and whoever came
 * after an order is not concerned.  Each worker looks twice a second whether
 * there are new ones (ngx_ims_revoke_order.c).
 */


#ifndef _NGX_IMS_ORDER_H_INCLUDED_
#define _NGX_IMS_ORDER_H_INCLUDED_


#include "ngx_ims_pool.h"


enum {
    NGX_IMS_ORDER_BLOCKED = 4403,        /* close codes: the user is blocked */
    NGX_IMS_ORDER_LOST = 4410,           /* the identity is another host's
                                            user's now */
    NGX_IMS_ORDER_ENDED = 4411,          /* by an administrator */
    NGX_IMS_ORDER_RELEASED = 4412,       /* the user gave his identity back */

    NGX_IMS_ORDER_CODE = 0xffff,         /* mask of the close code */
    NGX_IMS_ORDER_FINISH = 0x10000       /* calls go on to their end first */
};


typedef enum {
    NGX_IMS_DRAIN_OFF = 0,
    NGX_IMS_DRAIN_NEW,                   /* new users are refused */
    NGX_IMS_DRAIN_CLOSE                  /* browsers without a call are sent
                                            away, too */
} ngx_ims_drain_e;


/* when something began: the number of the last order before that */
#define ngx_ims_order_now(pool)  ((uint32_t) (pool)->zone.sh->orders)


/*
 * Ends all sockets of a lease: closed with a code in all workers, within half a
 * second, de-registered at once, without grace time, their calls ended with
 * BYE; browsers that are away are ended, too.  The lease stays, and who comes
 * back is served again: whoever wants something else does that first.
 *
 * how  a close code, with NGX_IMS_ORDER_FINISH or not
 *
 * It takes the zone's lock itself.
 */
void ngx_ims_order_lease(ngx_ims_pool_t *pool, uint32_t lease, uint32_t how);

/* the same while the zone is locked by the caller */
void ngx_ims_order_lease_locked(ngx_ims_pool_t *pool, uint32_t lease,
    uint32_t how);

/*
 * The same for one binding, by index and seq.  NGX_OK, or NGX_DECLINED: it is
 * gone.  Takes the lock itself.
 */
ngx_int_t ngx_ims_order_binding(ngx_ims_pool_t *pool, uint32_t index,
    uint32_t seq, uint32_t how);

/*
 * The same for a user, by ngx_ims_pool_user(): sockets that have not registered
 * yet are ended, too.  NGX_OK, or NGX_BUSY: too many such orders within two
 * seconds.  Takes the lock itself.
 */
ngx_int_t ngx_ims_order_user(ngx_ims_pool_t *pool, u_char *user,
    uint32_t how);

/*
 * What the last orders say about a socket; reads only, without a lock.
 *
 * seen     the number of the last order that was obeyed
 * opened   ngx_ims_order_now() of when the socket was opened
 * bound    ... and of when it took its binding
 * user     its key, NULL: not known yet
 * binding  index, NGX_IMS_NONE: it has none; with its seq
 *
 * Returns 0: nothing; else how.
 */
uint32_t ngx_ims_order_check(ngx_ims_pool_t *pool, uint32_t seen,
    uint32_t opened, uint32_t bound, u_char *user, uint32_t binding,
    uint32_t seq);

/* the reason that a close frame gives, of a code */
const char *ngx_ims_order_reason(uint32_t how);

/* takes this host's part of the pool out of service, or back (lock: itself) */
void ngx_ims_order_drain(ngx_ims_pool_t *pool, ngx_ims_drain_e drain);

/* how it is now; since, s, may be NULL */
ngx_ims_drain_e ngx_ims_order_drained(ngx_ims_pool_t *pool, time_t *since);

/*
 * 1 when a user may come here now: always but while the pool is out of service,
 * then if he has an identity, or, for a new socket, and when browsers are sent
 * away, a call to come back to.
 */
ngx_uint_t ngx_ims_order_admits(ngx_ims_pool_t *pool, u_char *user,
    ngx_uint_t socket);

#define NGX_IMS_ORDER_RETRY  30          /* s, what others are told */


#endif /* _NGX_IMS_ORDER_H_INCLUDED_ */
