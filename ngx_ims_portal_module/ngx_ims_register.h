/*
 * Copyright (C) the IMS portal authors
 *
 * REGISTER from the browser (design D16): who it is (RFC 8898), which identity
 * it gets, and the answer from the portal's own record; and what becomes of the
 * registration when the socket goes.
 */


#ifndef _NGX_IMS_REGISTER_H_INCLUDED_
#define _NGX_IMS_REGISTER_H_INCLUDED_


#include "ngx_ims_uac.h"


/* tells another worker that a binding of its has a new socket (set by edge) */
typedef void (*ngx_ims_register_moved_pt)(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *ref, ngx_ims_owner_t *before);

void ngx_ims_register_init(ngx_ims_register_moved_pt moved);

/* a new REGISTER from the browser; m is valid during the call */
ngx_int_t ngx_ims_register_request(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);

/* the core's clock asks for a refresh */
void ngx_ims_register_refresh(ngx_ims_session_t *s);

/* the token ended: de-registers; the caller closes the socket */
void ngx_ims_register_expire(ngx_ims_session_t *s);

/*
 * The socket is gone.  For grace ms the registration and the dialogs wait for
 * the browser to come back to any worker; after that both are ended.  moved:
 * another socket has the binding already.
 */
void ngx_ims_register_lost(ngx_ims_session_t *s, ngx_msec_t grace,
    ngx_uint_t moved);


#endif /* _NGX_IMS_REGISTER_H_INCLUDED_ */
