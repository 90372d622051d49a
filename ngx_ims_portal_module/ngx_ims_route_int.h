/*
 * Copyright (C) the IMS portal authors
 *
 * Single header fields of the policy, as ngx_ims_route.c asks for them.
 */


#ifndef _NGX_IMS_ROUTE_INT_H_INCLUDED_
#define _NGX_IMS_ROUTE_INT_H_INCLUDED_


#include "ngx_ims_route.h"


#define NGX_IMS_V(s)  (int) (s).len, (s).data


/*
 * Option tags that a browser cannot mean: what they are about ends at the
 * portal, which registers for it (design D16).
 */
void ngx_ims_route_tokens(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m);

/*
 * P-Asserted-Identity of a request that begins something, the preferred one
 * first (spec SE-3), its P-Charging-Vector (SE-5) and P-Access-Network-Info
 * (SE-19).
 */
void ngx_ims_route_identity(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);

/* Session-Expires and Min-SE of a request (RFC 4028 8.1), or of a 2xx (8.2) */
void ngx_ims_route_session(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r);

/* Referred-By from a browser: by his own name, or not at all (RFC 3892) */
void ngx_ims_route_referred(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);

/*
 * The id of a REFER's event is the CSeq of the REFER as its sender knows it
 * (RFC 3515 2.4.6).
 */
void ngx_ims_route_event(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r);


#endif /* _NGX_IMS_ROUTE_INT_H_INCLUDED_ */
