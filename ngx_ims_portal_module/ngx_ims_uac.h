/*
 * Copyright (C) the IMS portal authors
 *
 * The portal as user agent towards the core (design D16): its own REGISTER for
 * each binding, with the header fields that a core demands of a trusted node
 * (RFC 3327, RFC 3608, TS 24.229 5.2.2, TS 33.203 annex U, spec RG-7..RG-11),
 * or with the answer to its challenge (RFC 3261 22, RFC 3310).
 */


#ifndef _NGX_IMS_UAC_H_INCLUDED_
#define _NGX_IMS_UAC_H_INCLUDED_


#include "ngx_ims_call.h"
#include "ngx_ims_digest.h"
#include "ngx_ims_secret.h"


enum {
    NGX_IMS_UAC_MAX_FEATURES = 1024      /* bytes */
};


typedef struct ngx_ims_register_s  ngx_ims_register_t;


typedef struct {
    ngx_uint_t                status;         /* of the core; 0: none came */
    time_t                    granted;        /* s */
} ngx_ims_uac_result_t;


/*
 * How it ended, exactly once, unless it was forgotten.  When status is 200, the
 * record in the zone is up to date.
 */
typedef void (*ngx_ims_uac_handler_pt)(void *data,
    ngx_ims_uac_result_t *result);


/* what a session keeps of its registration; s->registration */
typedef struct {
    ngx_ims_digest_t         *digest;         /* a nonce that may serve again */
    void                     *subscription;   /* see ngx_ims_regevent.h */
    time_t                    asked;          /* when the network wanted
                                                 another REGISTER, s */
    ngx_msec_t                restoring;      /* see ngx_ims_restore.h: ms
                                                 until the next try, 0: no */
} ngx_ims_uac_state_t;


/*
 * Registers a binding for so many seconds, 0: takes the registration back.
 * Servers that do not answer are left for the next one; a challenge is answered
 * if there is a secret; a 423 is repeated with what it asks for, and a 500 once
 * after a second (core-demands: an IMPU that comes back at once).  handler may
 * be NULL.  Returns an object for ngx_ims_uac_forget(), or NULL: nothing could
 * be sent.
 */
ngx_ims_register_t *ngx_ims_uac_register(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, uint32_t lease,
    time_t expires, ngx_ims_uac_handler_pt handler, void *data);

/* the handler will not be called; the registration goes on */
void ngx_ims_uac_forget(ngx_ims_register_t *reg);

/*
 * What a browser's REGISTER says that it can do, in the form of the record:
 * "o" when it supports outbound, "g" when gruu, then those parameters of its
 * Contact that may go up, each behind a ";": feature tags (RFC 3840),
 * +sip.instance, reg-id (RFC 5626), q.  What is malformed or does not fit in
 * NGX_IMS_UAC_MAX_FEATURES is left out.  Returns the length in out.
 */
size_t ngx_ims_uac_features(ngx_ims_sip_msg_t *m, ngx_ims_str_t *params,
    u_char *out);

/* what the session keeps, made when it is new; NULL: no memory */
ngx_ims_uac_state_t *ngx_ims_uac_state(ngx_ims_session_t *s);

/* frees it; subscription is the caller's */
void ngx_ims_uac_state_free(ngx_ims_session_t *s);


#endif /* _NGX_IMS_UAC_H_INCLUDED_ */
