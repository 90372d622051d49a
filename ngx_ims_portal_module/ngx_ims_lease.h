/*
 * Copyright (C) the IMS portal authors
 *
 * How a user gets an identity: from the pool of this host alone, or, where
 * several hosts share a block, with the word of the server that they share.
 */


#ifndef _NGX_IMS_LEASE_H_INCLUDED_
#define _NGX_IMS_LEASE_H_INCLUDED_


#include "ngx_ims_pool.h"
#include "ngx_ims_waiter.h"


/*
 * Leases or renews, as ngx_ims_pool_lease(), and with these besides: NGX_AGAIN,
 * the waiter will be woken and asks again; NGX_ERROR, the shared server does
 * not answer and the user is not known here, or no memory: 503, and again
 * after ngx_ims_lease_retry_after().
 */
ngx_int_t ngx_ims_lease_get(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_waiter_t *waiter, uint32_t *lease, ngx_uint_t *fresh,
    ngx_log_t *log);

/* s after which it may be tried again, by what ngx_ims_lease_get() returned */
time_t ngx_ims_lease_retry_after(ngx_ims_pool_t *pool, ngx_int_t rc);


#endif /* _NGX_IMS_LEASE_H_INCLUDED_ */
