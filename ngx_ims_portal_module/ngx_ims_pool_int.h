/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the pool share and nobody else includes.  The zone is
 * locked.
 */


#ifndef _NGX_IMS_POOL_INT_H_INCLUDED_
#define _NGX_IMS_POOL_INT_H_INCLUDED_


#include "ngx_ims_pool.h"


/* an entry to the end of a list of the zone, by its head and tail */
void ngx_ims_pool_list_add(ngx_ims_pool_t *pool, uint32_t *head,
    uint32_t *tail, uint32_t i);

/* out of the list that it is in by its state */
void ngx_ims_pool_list_del(ngx_ims_pool_t *pool, uint32_t i);

/* takes the entry out of the chain of its last user */
void ngx_ims_pool_forget(ngx_ims_pool_t *pool, uint32_t i);

/* the head of the chain that a user is in */
uint32_t *ngx_ims_pool_bucket(ngx_ims_pool_t *pool, u_char *user);

/* the entry that a user has or had last, or NONE */
uint32_t ngx_ims_pool_lookup(ngx_ims_pool_t *pool, u_char *user);

/* moves a few entries whose time is over to the list that they belong to */
void ngx_ims_pool_sweep(ngx_ims_pool_t *pool, time_t now);

/* remembers who has an entry, for administrators */
void ngx_ims_pool_holder(ngx_ims_pool_t *pool, ngx_ims_lease_sh_t *l,
    ngx_ims_want_t *want);


#endif /* _NGX_IMS_POOL_INT_H_INCLUDED_ */
