/*
 * Copyright (C) the IMS portal authors
 *
 * Requests on their way between browser and core, and their answers: everything
 * but REGISTER.  A request whose SDP is with the media helper holds back what
 * comes behind it from the same side, so that order never changes.
 */


#ifndef _NGX_IMS_PROXY_H_INCLUDED_
#define _NGX_IMS_PROXY_H_INCLUDED_


#include "ngx_ims_forward.h"


/*
 * A request from the browser, already known to be new (not absorbed), or an
 * ACK. m points into the caller's buffer; everything kept is copied.
 */
void ngx_ims_proxy_up(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m);

/* a new request, or an ACK, from the core for this browser */
void ngx_ims_proxy_down(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m);


#endif /* _NGX_IMS_PROXY_H_INCLUDED_ */
