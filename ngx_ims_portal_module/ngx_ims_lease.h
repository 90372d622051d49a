/*
 * Copyright (C) the IMS portal authors
 *
 * How a user gets an identity: from the pool of this host alone, or, where
 * several hosts share a block, with the word of the server that they share.
 */


#ifndef _NGX_IMS_LEASE_H_INCLUDED_
#define _NGX_IMS_LEASE_H_INCLUDED_


#include "ngx_ims_leader.h"
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

/*
 * The running lease of a user, without leasing: as ngx_ims_pool_find(), also
 * when another host gave it to him; NGX_AGAIN and NGX_ERROR as above.  Of want
 * the user, subject and issuer count.
 */
ngx_int_t ngx_ims_lease_find(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_waiter_t *waiter, uint32_t *lease, ngx_log_t *log);

/*
 * Gives an identity back, as ngx_ims_pool_release(), on all hosts; a host that
 * has browsers of the user ends them.
 */
ngx_int_t ngx_ims_lease_release(ngx_ims_pool_t *pool, uint32_t lease,
    uint32_t seq, ngx_uint_t now);

/* the user of a lease has a browser here now */
void ngx_ims_lease_here(ngx_ims_pool_t *pool, uint32_t lease);

/*
 * The URL of the WebSocket at the host that has the user's browsers; empty: it
 * is this host, or none has.  out has room for 255 bytes, url points there.
 */
void ngx_ims_lease_websocket(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_str_t *url, u_char *out);

/*
 * The line "share" of a pool: one or more URLs of one server and parameters.
 * NGX_CONF_OK, or an error in words, or NGX_CONF_ERROR (logged).
 */
char *ngx_ims_lease_share(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_str_t *args, ngx_uint_t n);

/* in init_process, for all pools (ngx_ims_pool_t *): connects */
ngx_int_t ngx_ims_lease_init(ngx_cycle_t *cycle, ngx_array_t *pools,
    ngx_ims_leader_t *leader, ngx_log_t *log);

/* in exit_process */
void ngx_ims_lease_close(ngx_array_t *pools);

/* 1 when this worker has a server that answers */
ngx_uint_t ngx_ims_lease_connected(ngx_ims_pool_t *pool);


#endif /* _NGX_IMS_LEASE_H_INCLUDED_ */
