/*
 * Copyright (C) the IMS portal authors
 *
 * Ends the sockets whose token has been revoked, in each worker, within half
 * a second.
 */


#ifndef _NGX_IMS_REVOKE_H_INCLUDED_
#define _NGX_IMS_REVOKE_H_INCLUDED_


#include "ngx_ims_session.h"


#define NGX_IMS_REVOKE_TICK  500              /* ms */


/* in init_process: begins to watch.  NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_ims_revoke_init(ngx_ims_worker_t *w);

/*
 * Before a browser begins something new: does at once what the next tick would,
 * if a pool's list has changed; else it costs a comparison.  NGX_OK, or
 * NGX_DECLINED: s was revoked, and is closing.
 */
ngx_int_t ngx_ims_revoke_check(ngx_ims_session_t *s);


/*
 * Orders (ngx_ims_order.h), obeyed by this worker (ngx_ims_revoke_order.c), and
 * the draining of pools; called with each tick.  NULL: no memory.
 */
typedef struct ngx_ims_revoke_orders_s  ngx_ims_revoke_orders_t;

ngx_ims_revoke_orders_t *ngx_ims_revoke_orders_create(ngx_ims_worker_t *w);
void ngx_ims_revoke_orders(ngx_ims_revoke_orders_t *orders);


#endif /* _NGX_IMS_REVOKE_H_INCLUDED_ */
