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


#endif /* _NGX_IMS_POOL_INT_H_INCLUDED_ */
