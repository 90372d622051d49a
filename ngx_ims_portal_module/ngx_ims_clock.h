/*
 * Copyright (C) the IMS portal authors
 *
 * How long a browser's dialogs last: session timers (RFC 4028, spec SE-13),
 * where the portal is the proxy that asks for them and, when neither end can,
 * refreshes towards the core itself; and the reaping of subscriptions.
 */


#ifndef _NGX_IMS_CLOCK_H_INCLUDED_
#define _NGX_IMS_CLOCK_H_INCLUDED_


#include "ngx_ims_forward.h"


/*
 * Something may be due at another time than before in the dialogs of a session,
 * or it has come to this worker; s may be NULL.
 */
void ngx_ims_clock_arm(ngx_ims_session_t *s);

/* the session ends */
void ngx_ims_clock_stop(ngx_ims_session_t *s);

/*
 * 1 when an INVITE or UPDATE asks for less than the policy allows and can be
 * told so (RFC 4028 8.1): extra, of 64 bytes, gets the line for the 422.
 */
ngx_uint_t ngx_ims_clock_brief(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    u_char *extra);

/* what a request that is passed on says of the session's time: into r */
void ngx_ims_clock_request(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_route_t *r);

/*
 * What was agreed, by the answer m to orig: the dialog, which must exist, notes
 * it, and r says what m lacks.  No effect on other answers.
 */
void ngx_ims_clock_answered(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_route_t *r);


#endif /* _NGX_IMS_CLOCK_H_INCLUDED_ */
