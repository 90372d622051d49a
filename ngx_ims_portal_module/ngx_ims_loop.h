/*
 * Copyright (C) the IMS portal authors
 *
 * A flow from the portal to itself: what is sent on it comes in again as if the
 * core had sent it.  A call between two users of the portal takes the same way
 * through the policy as any other (spec UC-7), without a packet leaving.
 */


#ifndef _NGX_IMS_LOOP_H_INCLUDED_
#define _NGX_IMS_LOOP_H_INCLUDED_


#include "ngx_ims_core.h"


/*
 * Fills a flow to this worker's own edge.  A message is delivered behind the
 * event of now, in the order of sending; the core's handler gets it.  Sending
 * fails with NGX_ERROR when there is no memory or too many are on their way.
 */
void ngx_ims_loop_flow(ngx_ims_core_t *core, ngx_ims_flow_t *flow);

/* 1 when a URI leads to one of the core's listening sockets, that is, to us */
ngx_uint_t ngx_ims_loop_self(ngx_ims_core_t *core, ngx_ims_str_t *uri);


#endif /* _NGX_IMS_LOOP_H_INCLUDED_ */
