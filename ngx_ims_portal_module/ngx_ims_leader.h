/*
 * Copyright (C) the IMS portal authors
 *
 * One worker of all leads: it does what has to be done once, such as probing
 * the core (design D4).  It is found dead within a second when its process is
 * gone and within three when it hangs; a worker that shuts down gives it up.
 */


#ifndef _NGX_IMS_LEADER_H_INCLUDED_
#define _NGX_IMS_LEADER_H_INCLUDED_


#include "ngx_ims_health.h"


typedef struct ngx_ims_leader_s  ngx_ims_leader_t;

/*
 * Called at the beginning of each second in the worker that leads; became is 1
 * in the first call after it was not the leader.
 */
typedef void (*ngx_ims_leader_pt)(void *data, ngx_uint_t became);


/*
 * In init_process: takes part in the election, for the first time in the next
 * turn of the event loop.  Lives in cycle->pool.  NULL: no memory.
 */
ngx_ims_leader_t *ngx_ims_leader_create(ngx_cycle_t *cycle,
    ngx_ims_health_t *health);

/* adds a handler; NGX_OK or NGX_ERROR */
ngx_int_t ngx_ims_leader_add(ngx_ims_leader_t *leader,
    ngx_ims_leader_pt handler, void *data);

/* 1 while this worker leads */
ngx_uint_t ngx_ims_leader_is(ngx_ims_leader_t *leader);

/* in exit_process: gives it up */
void ngx_ims_leader_close(ngx_ims_leader_t *leader);


#endif /* _NGX_IMS_LEADER_H_INCLUDED_ */
