/*
 * Copyright (C) the IMS portal authors
 *
 * Subscriptions to the registration state of users (RFC 3680, TS 24.229 5.2.3,
 * spec RG-16): the only way to learn that the network ended a registration.
 * One for each registered browser while it is here.
 */


#ifndef _NGX_IMS_REGEVENT_H_INCLUDED_
#define _NGX_IMS_REGEVENT_H_INCLUDED_


#include "ngx_ims_uac.h"
#include "ngx_ims_reginfo.h"


typedef enum {
    NGX_IMS_REGEVENT_AGAIN = 0,          /* the portal registers again */
    NGX_IMS_REGEVENT_ENDED,              /* over; the user may come back */
    NGX_IMS_REGEVENT_REFUSED             /* over; the network wants it so */
} ngx_ims_regevent_e;


/*
 * The network ended the registration of a browser that has one.
 *
 * after    s to wait before it is tried again, 0: as the caller likes
 */
typedef void (*ngx_ims_regevent_pt)(ngx_ims_session_t *s,
    ngx_ims_regevent_e how, time_t after);

void ngx_ims_regevent_init(ngx_ims_regevent_pt handler);

/*
 * The browser is registered: subscribes unless there is a subscription or the
 * core has no "reg_event on".
 */
void ngx_ims_regevent_start(ngx_ims_session_t *s);

/* the core may have forgotten the subscription: it is refreshed at once */
void ngx_ims_regevent_renew(ngx_ims_session_t *s);

/* it is no more, or its socket is gone: takes the subscription back */
void ngx_ims_regevent_end(ngx_ims_session_t *s);

/*
 * A request of the core.  1 when it was a NOTIFY for a subscription of the
 * portal's own, which is answered here; 0 when it is for the browser.
 *
 * s    the browser of the binding, NULL: it is away
 */
ngx_uint_t ngx_ims_regevent_notify(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m);


#endif /* _NGX_IMS_REGEVENT_H_INCLUDED_ */
