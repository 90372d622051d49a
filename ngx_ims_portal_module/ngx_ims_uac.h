/*
 * Copyright (C) the IMS portal authors
 *
 * The portal as user agent towards the core (design D16): its own REGISTER for
 * each binding, with the header fields that a core demands of a trusted node
 * (RFC 3327, RFC 3608, TS 24.229 5.2.2, TS 33.203 annex U, spec RG-7..RG-11).
 */


#ifndef _NGX_IMS_UAC_H_INCLUDED_
#define _NGX_IMS_UAC_H_INCLUDED_


#include "ngx_ims_call.h"


typedef struct ngx_ims_register_s  ngx_ims_register_t;


typedef struct {
    ngx_uint_t                status;         /* of the core; 0: none came */
    time_t                    granted;        /* s */
    ngx_str_t                 warning;        /* words for the log */
} ngx_ims_uac_result_t;


/*
 * How it ended, exactly once, unless it was forgotten.  When status is 200, the
 * record in the zone is up to date.
 */
typedef void (*ngx_ims_uac_handler_pt)(void *data,
    ngx_ims_uac_result_t *result);


/*
 * Registers a binding for so many seconds, 0: takes the registration back.
 * Servers that do not answer are left for the next one; a 423 is repeated with
 * what it asks for, and a 500 once after a second (core-demands: an IMPU that
 * comes back at once). handler may be NULL.  Returns an object for
 * ngx_ims_uac_forget(), or NULL: nothing could be sent.
 */
ngx_ims_register_t *ngx_ims_uac_register(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, uint32_t lease,
    time_t expires, ngx_ims_uac_handler_pt handler, void *data);

/* the handler will not be called; the registration goes on */
void ngx_ims_uac_forget(ngx_ims_register_t *reg);


#endif /* _NGX_IMS_UAC_H_INCLUDED_ */
