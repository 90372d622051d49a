/*
 * Copyright (C) the IMS portal authors
 *
 * Requests of the core for a browser that is away (spec SE-14, RFC 5626): they
 * wait until it is back, at this worker or another, and go on in the order in
 * which they came.  For each binding one worker keeps them.
 */


#ifndef _NGX_IMS_PARK_H_INCLUDED_
#define _NGX_IMS_PARK_H_INCLUDED_


#include "ngx_ims_forward.h"
#include "ngx_ims_handover.h"


enum {
    NGX_IMS_PARK_MAX = 1024,             /* that wait, in a worker */
    NGX_IMS_PARK_BYTES = 4194304,        /* ... and their text */
    NGX_IMS_PARK_BINDING = 16,           /* ... for one browser */
    NGX_IMS_PARK_NEW = 4000,             /* ms, a call: pages load in 3 s */
    NGX_IMS_PARK_WAIT = 20000            /* ms, in a dialog, or that rang */
};


/*
 * A new request m of the core waits for its browser, wait ms at most (40*T1 at
 * most unless an INVITE, so that its sender does not give up first).  An INVITE
 * gets 100; CANCEL and repetitions are taken care of.  In the end it gets 480.
 *
 * NGX_OK, or NGX_DECLINED: too many wait, or another worker keeps those for
 * this browser.
 */
ngx_int_t ngx_ims_park_request(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_msec_t wait);

/*
 * A request of the core that its browser had when the socket went, and that
 * neither was answered nor needs what is known of it here: it waits as above,
 * and is sent again with the same branch.  fw keeps nothing to answer.
 * NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_ims_park_forward(ngx_ims_forward_t *fw, ngx_msec_t wait);

/* a message of ours for a browser, as it is, for when it is back */
void ngx_ims_park_raw(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, u_char *p, size_t len);

/* a call is over: what waits in it is refused, 487 or 481 */
void ngx_ims_park_over(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_str_t *call_id);

/*
 * NGX_OK: its browser can take requests, here or elsewhere; NGX_AGAIN: it is
 * away, or still registers; NGX_DECLINED: it is gone for good.
 */
ngx_int_t ngx_ims_park_ready(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref);

/* 1 while what waited is delivered: it need not queue behind the rest */
ngx_uint_t ngx_ims_park_delivers(void);

/* how many requests wait in this worker */
ngx_uint_t ngx_ims_park_count(void);

/* a browser may be back: what waits is looked at as soon as this event ends */
void ngx_ims_park_soon(void);


#endif /* _NGX_IMS_PARK_H_INCLUDED_ */
