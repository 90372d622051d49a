/*
 * Copyright (C) the IMS portal authors
 *
 * Dialogs of SUBSCRIBE and REFER (RFC 6665, RFC 3515, spec SE-22), in both
 * directions: a NOTIFY may come before the 2xx and from another fork, a call
 * may carry subscriptions, and each ends by a NOTIFY, by a refusal, or by its
 * time.
 */


#ifndef _NGX_IMS_SUBSCRIBE_H_INCLUDED_
#define _NGX_IMS_SUBSCRIBE_H_INCLUDED_


#include "ngx_ims_clock.h"
#include "ngx_ims_forward.h"


/*
 * A request that may pass, before it is sent: SUBSCRIBE and REFER leave the
 * record that their NOTIFYs are found by, and NOTIFY changes it.  d is its
 * dialog when fw->in_dialog.  No effect on other methods.  NGX_OK, or
 * NGX_DECLINED: it was answered, there is no room.
 */
ngx_int_t ngx_ims_subscribe_begin(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d);

/*
 * A NOTIFY of no dialog that is known: it makes one when a SUBSCRIBE or REFER
 * waits for it (RFC 6665 4.4.1).  NGX_OK with *d filled, texts in w->record;
 * NGX_DECLINED: it answers nothing of ours.
 */
ngx_int_t ngx_ims_subscribe_notified(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_uint_t up, ngx_ims_dialog_t *d);

/* the answer m to the request orig of fw, before it is passed on */
void ngx_ims_subscribe_answered(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig);


#endif /* _NGX_IMS_SUBSCRIBE_H_INCLUDED_ */
