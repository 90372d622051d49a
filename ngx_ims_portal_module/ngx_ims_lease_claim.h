/*
 * Copyright (C) the IMS portal authors
 *
 * Users for whom the server is being asked.
 */


#ifndef _NGX_IMS_LEASE_CLAIM_H_INCLUDED_
#define _NGX_IMS_LEASE_CLAIM_H_INCLUDED_


#include "ngx_ims_lease_int.h"


typedef struct {
    ngx_queue_t               queue;
    ngx_ims_lease_live_t     *live;
    ngx_queue_t               waiters;
    ngx_event_t               event;
    ngx_msec_t                until;          /* not asked again after this */
    ngx_ims_want_t            want;           /* texts follow this struct */
    u_char                    user[NGX_IMS_DIGEST_LEN];

    ngx_str_t                 name;           /* of what is under way */
    u_char                    name_text[NGX_INT64_LEN * 2 + 2];
    time_t                    sent;
    time_t                    time;           /* s, of the lease */
    int64_t                   due;            /* ms of the server's clock */
    ngx_ims_pool_offer_t     *offer;          /* while it is under way */
    ngx_uint_t                round;
    u_char                    instead[NGX_IMS_MAX_IMPU];
    size_t                    ninstead;       /* the one he leaves */

    ngx_int_t                 rc;
    ngx_int_t                 verdict;        /* of what could not be asked */
    uint32_t                  lease;
    ngx_uint_t                left;           /* who have not fetched it */

    unsigned                  look:1;         /* does not lease */
    unsigned                  flying:1;
    unsigned                  failed:1;       /* its timer ends it */
    unsigned                  done:1;
    unsigned                  waking:1;
    unsigned                  fresh:1;
} ngx_ims_lease_claim_t;


/* the claim of a user, or NULL */
ngx_ims_lease_claim_t *ngx_ims_lease_claim_find(ngx_ims_lease_live_t *live,
    u_char *user, ngx_uint_t look);

/*
 * Begins one with its first waiter, who is woken later.  NULL: no memory, or
 * too many.
 */
ngx_ims_lease_claim_t *ngx_ims_lease_claim_start(ngx_ims_lease_live_t *live,
    ngx_ims_want_t *want, ngx_uint_t look, ngx_ims_waiter_t *waiter);

/* what came of one that is done, for one of its waiters; it may be gone then */
ngx_int_t ngx_ims_lease_claim_fetch(ngx_ims_lease_claim_t *claim,
    uint32_t *lease, ngx_uint_t *fresh);


#endif /* _NGX_IMS_LEASE_CLAIM_H_INCLUDED_ */
