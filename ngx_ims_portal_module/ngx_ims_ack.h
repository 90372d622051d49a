/*
 * Copyright (C) the IMS portal authors
 *
 * The ACK of a 2xx, on its way through the portal.
 */


#ifndef _NGX_IMS_ACK_H_INCLUDED_
#define _NGX_IMS_ACK_H_INCLUDED_


#include "ngx_ims_forward.h"


/*
 * Passes an ACK on to the other side (RFC 3261 13.2.2.4); one with SDP answers
 * an offer that was in the 2xx, and goes by the helper.  One of no dialog is
 * dropped: nobody answers an ACK.
 *
 * up        1: from the browser s, 0: from the core to it
 */
void ngx_ims_ack(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m, ngx_uint_t up);


#endif /* _NGX_IMS_ACK_H_INCLUDED_ */
