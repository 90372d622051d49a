/*
 * Copyright (C) the IMS portal authors
 *
 * What comes in and where it goes: messages of browsers, datagrams of the core,
 * hand-overs of other workers, the ends of sessions.
 */


#ifndef _NGX_IMS_EDGE_H_INCLUDED_
#define _NGX_IMS_EDGE_H_INCLUDED_


#include "ngx_ims_session.h"


/* registers the handlers of this floor; once, in init_process */
void ngx_ims_edge_init(ngx_ims_worker_t *w);

/* for a core: a connection is gone, and whether any is needed */
void ngx_ims_edge_lost(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_uint_t refused);
ngx_uint_t ngx_ims_edge_busy(ngx_ims_core_t *core);

/* for ngx_ims_core_init_worker(): core->data is the worker */
void ngx_ims_edge_core(ngx_ims_core_t *core, ngx_ims_flow_t *flow, u_char *p,
    size_t len);


#endif /* _NGX_IMS_EDGE_H_INCLUDED_ */
