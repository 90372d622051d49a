/*
 * Copyright (C) the IMS portal authors
 *
 * A binding whose socket is gone: it waits for its browser to come back, to any
 * worker, and is taken back from the core when nobody came (spec RG-15, SE-14).
 */


#ifndef _NGX_IMS_LINGER_H_INCLUDED_
#define _NGX_IMS_LINGER_H_INCLUDED_


#include "ngx_ims_uac.h"


/*
 * Gives up the ownership that owner, this worker or a dead one, has of a
 * binding: it is ended after grace ms unless somebody comes back for it.
 */
void ngx_ims_linger_start(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_owner_t *owner, ngx_msec_t grace);

/*
 * At the start of a worker: bindings of workers that are dead, and those that
 * were lost already and may have nobody who waits for them any more, get their
 * grace time from here.
 */
void ngx_ims_linger_adopt(ngx_ims_worker_t *w);


#endif /* _NGX_IMS_LINGER_H_INCLUDED_ */
