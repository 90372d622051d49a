/*
 * Copyright (C) the IMS portal authors
 *
 * What a browser's request meets before it is sent on: emergency first (spec
 * SE-18), then the dial plan, then the limits of its user against toll fraud.
 */


#ifndef _NGX_IMS_SCREEN_H_INCLUDED_
#define _NGX_IMS_SCREEN_H_INCLUDED_


#include "ngx_ims_call.h"


#define NGX_IMS_SCREEN_EXTRA  512


/* the outcome for a request that may go on; not to be copied */
typedef struct {
    ngx_ims_dial_t            dial;           /* dial.uri: the new Request-URI,
                                                 empty: as it came */
    ngx_uint_t                emergency;      /* by the route of its own */
} ngx_ims_screen_t;


/* 1 when m is an emergency request outside a dialog, else 0 */
ngx_uint_t ngx_ims_screen_emergency(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);

/*
 * Screens a request up, any method but ACK and CANCEL; REFER within a dialog
 * for its Refer-To, too.  Emergency is told even when the browser is not
 * registered any more; other requests of such a one are left to the caller.
 *
 * An INVITE that may go on counts as a call from here on, until
 * ngx_ims_binding_calling() says otherwise.
 *
 * NGX_OK, or NGX_DECLINED: it was answered (380, 403, 404, 480, 484).
 */
ngx_int_t ngx_ims_screen_up(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_screen_t *screen);

/*
 * A request from the core, which may begin something.  NGX_OK, or NGX_DECLINED:
 * it was answered (480): the user is not registered, or a guest, who originates
 * only.
 */
ngx_int_t ngx_ims_screen_down(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m);

/*
 * A message came: its user's rates.  m NULL: one that is none.  What ends
 * something, answers and emergency requests are counted, and never refused.  A
 * browser that does not heed refusals is closed with 1008.
 *
 * NGX_OK, or NGX_DECLINED: it was answered (480); NGX_ERROR: it was closed.
 */
ngx_int_t ngx_ims_screen_rate(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m);

/* 1 when m is not to be refused for any limit */
ngx_uint_t ngx_ims_screen_kept(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m);

/*
 * Room for one more request of or for a browser: those under way, those at the
 * core, dialogs of a call that comes.  NGX_OK, or NGX_DECLINED: it was answered
 * (486, 503).
 */
ngx_int_t ngx_ims_screen_room(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t up);

/*
 * Room for a REGISTER that the core is to see.  NGX_OK, or NGX_DECLINED: it was
 * answered (480, 503).
 */
ngx_int_t ngx_ims_screen_register(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);

/* calls and subscriptions of a user; locked */
ngx_uint_t ngx_ims_screen_dialogs(ngx_ims_zone_t *zone,
    ngx_ims_lease_sh_t *lease);

/*
 * The answer 380 to an emergency request that cannot be carried (TS 24.229
 * 5.2.10, 7.6): writes its lines to extra, which has NGX_IMS_SCREEN_EXTRA
 * bytes, with NUL, and returns its body.  urn: what was asked for.
 */
ngx_ims_str_t *ngx_ims_screen_alternative(ngx_ims_str_t *urn, u_char *extra);

/*
 * Route and flow of an emergency request, and what is said of its location.
 * NGX_OK, or NGX_DECLINED: no socket leads there.
 */
ngx_int_t ngx_ims_screen_route(ngx_ims_pool_t *pool, ngx_ims_route_t *r,
    ngx_ims_flow_t *flow);


#endif /* _NGX_IMS_SCREEN_H_INCLUDED_ */
