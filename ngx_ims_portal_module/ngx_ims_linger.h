/*
 * Copyright (C) the IMS portal authors
 *
 * A binding whose socket is gone: it waits for its browser to come back, to any
 * worker, and is taken back from the core when nobody came (spec RG-15, SE-14).
 * All of that is in its record; the worker that leads looks through the records
 * (design D4), so no other has to stay for it.
 */


#ifndef _NGX_IMS_LINGER_H_INCLUDED_
#define _NGX_IMS_LINGER_H_INCLUDED_


#include "ngx_ims_uac.h"


/*
 * Gives up the ownership that owner, this worker or a dead one, has of a
 * binding: it is ended after grace ms unless somebody comes back for it, with 0
 * at once and by this worker.
 */
void ngx_ims_linger_start(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_owner_t *owner, ngx_msec_t grace);

/*
 * At the start of a worker: nobody sees that the one who had its pid before is
 * dead, so it gives up what that one had.
 */
void ngx_ims_linger_init(ngx_ims_worker_t *w);

/*
 * A handler of the leader, data is the worker.  Bindings of dead workers get
 * their grace time; those whose grace time is over are ended, some of each pool
 * in each call.
 */
void ngx_ims_linger_tick(void *data, ngx_uint_t became);


/*
 * In a worker that shuts down: ends some of what waits for a browser, whatever
 * its grace time, in pools that nobody after it has, but for those whose store
 * keeps it for a restart.  1 while there is more to do, or something is under
 * way; to be called every 20 ms then.
 */
ngx_uint_t ngx_ims_linger_quit(ngx_ims_worker_t *w);


#endif /* _NGX_IMS_LINGER_H_INCLUDED_ */
