/*
 * Copyright (C) the IMS portal authors
 *
 * One registration for all identities of a pool (interconnect profile B): the
 * leading worker keeps it, users are served from it, and the portal itself
 * finds whom a request of the core is for (RFC 6140, RFC 5002, spec RG-19,
 * RG-20, SE-8).
 */


#ifndef _NGX_IMS_TRUNK_H_INCLUDED_
#define _NGX_IMS_TRUNK_H_INCLUDED_


#include "ngx_ims_fork.h"
#include "ngx_ims_uac.h"


/* for ngx_ims_leader_add(): registers what is due; data is the worker */
void ngx_ims_trunk_tick(void *data, ngx_uint_t became);

/*
 * In the last worker: takes the registrations back from the core, except those
 * of pools whose store keeps them.
 */
void ngx_ims_trunk_quit(ngx_ims_worker_t *w);

/*
 * The browser that a request is for which came for the pool's registration: of
 * the identity in P-Called-Party-ID, else (GIN) in the Request-URI.
 *
 * ref       the binding that the request names; the browser's when NGX_OK is
 *           returned
 *
 * NGX_OK: the caller goes on with ref; NGX_DONE: it went to several browsers or
 * was refused with 404, 480 or 481.
 */
ngx_int_t ngx_ims_trunk_called(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_uint_t handed, ngx_ims_ref_t *ref);


#endif /* _NGX_IMS_TRUNK_H_INCLUDED_ */
