/*
 * Copyright (C) the IMS portal authors
 *
 * All browsers of a user at once: the portal is the forking proxy (RFC 3261
 * 16) where no core is between, which is in a call between its own users (spec
 * UC-7) and behind a registration for a whole block (profile B, SE-8).
 */


#ifndef _NGX_IMS_FORK_H_INCLUDED_
#define _NGX_IMS_FORK_H_INCLUDED_


#include "ngx_ims_call.h"
#include "ngx_ims_handover.h"


enum {
    NGX_IMS_FORK_MAX = 16                /* browsers that ring at once */
};


/*
 * Whom a request is for, by a URI that a user called or that a core says in
 * P-Called-Party-ID: an identity of this pool, or of another that its core
 * serves, whose user has a browser here.
 *
 * NGX_OK with *found and *lease set; NGX_DECLINED: no such identity here;
 * NGX_BUSY: it is one, but no browser of it is registered.
 */
ngx_int_t ngx_ims_fork_target(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_str_t *uri, ngx_ims_pool_t **found, uint32_t *lease);

/*
 * 1 when a request belongs to one that was forked (its repetition, CANCEL, or
 * ACK), here or by another worker, and was taken care of; else 0.
 *
 * handed    another worker has handed it over: it is not handed on
 */
ngx_uint_t ngx_ims_fork_known(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_uint_t handed);

/*
 * The browser that a request for a user is for.  When there are several, or it
 * is an INVITE, it goes to all of them, and the best answer back on flow: every
 * provisional one, each 2xx, or the best of the refusals when all have refused
 * (RFC 3261 16.7).
 *
 * handed    as above
 *
 * NGX_OK with *ref set: there is one browser, the caller goes on; NGX_DONE: it
 * was taken care of, or refused with 480, 481 or 503.
 */
ngx_int_t ngx_ims_fork_called(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    uint32_t lease, ngx_uint_t handed, ngx_ims_ref_t *ref);


#endif /* _NGX_IMS_FORK_H_INCLUDED_ */
