/*
 * Copyright (C) the IMS portal authors
 *
 * What the two files of the edge share.  Nobody else includes this.
 */


#ifndef _NGX_IMS_EDGE_INT_H_INCLUDED_
#define _NGX_IMS_EDGE_INT_H_INCLUDED_


#include "ngx_ims_park.h"


/* a request for a browser that is away: it waits, or is answered for it */
void ngx_ims_edge_stranded(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref);

/* one that waits, wait ms at most, or gets 480 when too many do */
void ngx_ims_edge_park(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_msec_t wait);

/* an answer of a browser: its request may have come from another worker */
void ngx_ims_edge_answer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m);

/* its token has ended: see ngx_ims_token_end_pt */
void ngx_ims_edge_token_end(ngx_ims_session_t *s);

/* the end of a session: see ngx_ims_end_pt */
void ngx_ims_edge_end(ngx_ims_session_t *s, ngx_ims_end_e how);


#endif /* _NGX_IMS_EDGE_INT_H_INCLUDED_ */
