/*
 * Copyright (C) the IMS portal authors
 *
 * Who the workers are: those of all generations, and of two masters during a
 * binary upgrade, have a place each in the zone of health.  What a worker
 * counts up and down is kept by place, so it goes with a worker that is killed.
 */


#ifndef _NGX_IMS_WORKERS_H_INCLUDED_
#define _NGX_IMS_WORKERS_H_INCLUDED_


#include "ngx_ims_health.h"
#include "ngx_ims_core.h"
#include "ngx_ims_ipc.h"
#include "ngx_ims_pool.h"


typedef struct ngx_ims_workers_s  ngx_ims_workers_t;


/*
 * In the master, when a configuration is about to be used, not in a test of it:
 * workers of a new generation are on their way, with these pools and cores.
 */
void ngx_ims_workers_announce(ngx_ims_health_t *health, ngx_array_t *pools,
    ngx_array_t *cores);

/*
 * In init_process, after ngx_ims_ipc_open(): takes a place.  Lives in
 * cycle->pool; pools are ngx_ims_pool_t *.  NULL: no memory.  With no place
 * left the worker is not counted (warned).
 */
ngx_ims_workers_t *ngx_ims_workers_join(ngx_cycle_t *cycle,
    ngx_ims_health_t *health, ngx_array_t *pools, ngx_ims_owner_t *self);

/* in exit_process: gives it back */
void ngx_ims_workers_part(ngx_ims_workers_t *ws);

/* a handler of the leader, data is the object: frees the places of the dead */
void ngx_ims_workers_tick(void *data, ngx_uint_t became);

/* this worker has n sockets of a pool more, or less */
void ngx_ims_workers_count(ngx_ims_workers_t *ws, ngx_ims_pool_t *pool,
    ngx_int_t n);

/* the sockets of a pool, of all workers */
ngx_uint_t ngx_ims_workers_sockets(ngx_ims_pool_t *pool);

/* this worker shuts down; it is no longer who others leave work to */
void ngx_ims_workers_leave(ngx_ims_workers_t *ws);

/*
 * 1 in a worker that shuts down and has nobody to leave its browsers to: no
 * workers of another generation serve, and none are on their way.  Asks once a
 * second.
 */
ngx_uint_t ngx_ims_workers_alone(ngx_ims_workers_t *ws);

/*
 * 1 in a worker that shuts down and has nobody to leave the browsers of a pool
 * to: it is alone, or those that follow do not have the pool.
 */
ngx_uint_t ngx_ims_workers_orphan(ngx_ims_workers_t *ws,
    ngx_ims_pool_t *pool);

/* 1 in a worker that shuts down when nobody after it hears this socket */
ngx_uint_t ngx_ims_workers_unheard(ngx_ims_workers_t *ws,
    ngx_ims_core_t *core, ngx_ims_core_listen_t *lst);

/*
 * A worker that shuts down and knows a pool, by the crc32 of its name, which
 * this one does not.  NGX_OK, or NGX_DECLINED.
 */
ngx_int_t ngx_ims_workers_knows(ngx_ims_workers_t *ws, uint32_t pool,
    ngx_ims_owner_t *owner);

/* 1 when no other worker lives at all, or all have said so: called once */
ngx_uint_t ngx_ims_workers_last(ngx_ims_workers_t *ws);


#endif /* _NGX_IMS_WORKERS_H_INCLUDED_ */
