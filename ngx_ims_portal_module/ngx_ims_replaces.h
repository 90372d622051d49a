/*
 * Copyright (C) the IMS portal authors
 *
 * Dialogs that are named in a message (RFC 3891): in Replaces, or within the
 * Refer-To of an attended transfer.
 */


#ifndef _NGX_IMS_REPLACES_H_INCLUDED_
#define _NGX_IMS_REPLACES_H_INCLUDED_


#include "ngx_ims_forward.h"


/*
 * A dialog whose far end the browser knows by another tag, because forks are
 * shown to it as one (spec SE-16), is named to each side as that side knows it.
 */
void ngx_ims_replaces(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e);


#endif /* _NGX_IMS_REPLACES_H_INCLUDED_ */
