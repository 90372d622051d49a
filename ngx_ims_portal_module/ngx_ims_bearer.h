/*
 * Copyright (C) the IMS portal authors
 *
 * Tokens in SIP requests (RFC 8898, spec RG-1..RG-4).
 */


#ifndef _NGX_IMS_BEARER_H_INCLUDED_
#define _NGX_IMS_BEARER_H_INCLUDED_


#include "ngx_ims_call.h"


/*
 * Checks the Bearer of any request, if there is one (RG-1, RG-3).  NGX_OK: it
 * is good, or there is none and the session is known; NGX_AGAIN: s->waiting has
 * it, and w->wake() will be called; else an answer was sent.
 */
ngx_int_t ngx_ims_bearer_check(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m);

/*
 * Refuses a request: status 401 becomes a challenge, 407 where a proxy asks;
 * any other is sent as it is.  error: of RFC 6750 3.1, or NULL.
 */
void ngx_ims_bearer_challenge(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t status, const char *error);


#endif /* _NGX_IMS_BEARER_H_INCLUDED_ */
