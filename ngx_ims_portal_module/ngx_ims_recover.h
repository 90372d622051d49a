/*
 * Copyright (C) the IMS portal authors
 *
 * Calls whose media helper is gone (spec SE-14): when it is dead they end, when
 * it is back after a silence it is asked which of them it still knows.  Each
 * worker does that for the browsers that it has, the leader for those that have
 * no socket at present.  So do calls whose media ended by itself, as the helper
 * says (spec ME-5, ME-7).
 */


#ifndef _NGX_IMS_RECOVER_H_INCLUDED_
#define _NGX_IMS_RECOVER_H_INCLUDED_


#include "ngx_ims_forward.h"


/*
 * In init_process, behind the leader and the media client.  NGX_OK or NGX_ERROR
 * (no memory).
 */
ngx_int_t ngx_ims_recover_init(ngx_ims_worker_t *w);


/*
 * The helper has refused the answer of a request, and status was its answer's.
 * Who answered a re-INVITE or UPDATE with a 2xx is in a session that the helper
 * does not have, and who asked in the former one: that ends a call, as an
 * answer that cannot be used does (RFC 3261 13.2.2.4).  No effect on others.
 */
void ngx_ims_recover_apart(ngx_ims_forward_t *fw, ngx_uint_t status);


/* ----- between the files of this floor ----- */

typedef struct ngx_ims_recover_list_s  ngx_ims_recover_list_t;

/* a list of calls that a helper speaks of; NULL: no memory */
ngx_ims_recover_list_t *ngx_ims_recover_list(ngx_ims_worker_t *w);

/*
 * A helper has said of a call why it has no media, see ngx_ims_media_ended_pt:
 * data is the list.  Takes it up, if it is a call of ours.
 */
void ngx_ims_recover_heard(void *data, ngx_int_t helper, ngx_str_t *call_id,
    ngx_str_t *reason);

/* looks after them: to be called a few times in a second */
void ngx_ims_recover_look(ngx_ims_recover_list_t *list);

/* 1 when this worker is to speak for the browser of a call */
ngx_uint_t ngx_ims_recover_ours(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d);

/* ends a call: BYE with a Reason to both sides */
void ngx_ims_recover_end(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d, const char *reason);


#endif /* _NGX_IMS_RECOVER_H_INCLUDED_ */
