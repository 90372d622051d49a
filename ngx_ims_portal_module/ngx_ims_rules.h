/*
 * Copyright (C) the IMS portal authors
 *
 * What a request must keep to before it is passed on, beyond its form: loops,
 * merged requests, REFER by policy, session timers (spec SE-11 to SE-13,
 * SE-22).
 */


#ifndef _NGX_IMS_RULES_H_INCLUDED_
#define _NGX_IMS_RULES_H_INCLUDED_


#include "ngx_ims_clock.h"


/*
 * Any request but ACK and CANCEL, before it is forwarded.  NGX_OK, or
 * NGX_DECLINED: it was answered on flow (400, 403, 405, 422, 482, 603).
 */
ngx_int_t ngx_ims_rules_check(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t up);


#endif /* _NGX_IMS_RULES_H_INCLUDED_ */
