/*
 * Copyright (C) the IMS portal authors
 *
 * What workers tell each other (design D5): a message of the core that came to
 * the wrong one is handed over once, whole, with the flow that it came on; a
 * message that has to leave by another worker's connection is relayed to it; a
 * binding has moved.
 */


#ifndef _NGX_IMS_HANDOVER_H_INCLUDED_
#define _NGX_IMS_HANDOVER_H_INCLUDED_


#include "ngx_ims_session.h"


/* a message that another worker got for us; p may be written to */
typedef void (*ngx_ims_handover_pt)(ngx_ims_worker_t *w,
    ngx_ims_core_t *core, ngx_ims_flow_t *flow, u_char *p, size_t len);


/* registers who gets what was handed over; once, in init_process */
void ngx_ims_handover_init(ngx_ims_handover_pt handler);

/*
 * Hands a message of the core over to its owner.  NGX_OK, NGX_BUSY: too many
 * wait there (logged), NGX_DECLINED: it is dead, or NGX_ERROR.
 */
ngx_int_t ngx_ims_handover_send(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_owner_t *owner, ngx_ims_flow_t *flow, ngx_ims_str_t *text);

/*
 * A message of ours for a browser of another worker, as it is.  Returns as
 * ngx_ims_handover_send().
 */
ngx_int_t ngx_ims_handover_browser(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *owner, u_char *p, size_t len);

/* a core's relay: sends a message on a connection of the flow's owner */
ngx_int_t ngx_ims_handover_relay(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    u_char *p, size_t len);

/* a binding of another worker has a new socket here */
void ngx_ims_handover_moved(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *before);

/* for ngx_ims_ipc_open(): data is the worker */
void ngx_ims_handover_ipc(void *data, ngx_ims_owner_t *from, ngx_uint_t type,
    u_char *p, size_t len);


#endif /* _NGX_IMS_HANDOVER_H_INCLUDED_ */
