/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the limits share.
 */


#ifndef _NGX_IMS_LIMIT_INT_H_INCLUDED_
#define _NGX_IMS_LIMIT_INT_H_INCLUDED_


#include "ngx_ims_limit.h"


/* the lock; what is derived is made anew when its last holder died */
void ngx_ims_limit_lock(ngx_ims_limit_t *limit);
void ngx_ims_limit_unlock(ngx_ims_limit_t *limit);

/* somebody died inside the lock: makes anew from the rows what is derived */
void ngx_ims_limit_recount(ngx_ims_limit_t *limit);

/* says in the log that there is no row left */
void ngx_ims_limit_full(ngx_ims_limit_t *limit);

/* divides size zeroed bytes at limit->sh; and finds the parts of one in use */
void ngx_ims_limit_layout(ngx_ims_limit_t *limit, size_t size);
void ngx_ims_limit_map(ngx_ims_limit_t *limit);

/* an entry by its index, NULL for NONE */
ngx_ims_limit_entry_t *ngx_ims_limit_entry(ngx_ims_limit_t *limit,
    uint32_t index);

/* by its key; locked.  NULL: there is none, or, with create, no room */
ngx_ims_limit_entry_t *ngx_ims_limit_find(ngx_ims_limit_t *limit,
    ngx_ims_limit_key_t *key, ngx_uint_t create);

/* gives a row back; locked */
void ngx_ims_limit_free(ngx_ims_limit_t *limit, uint32_t row);


#endif /* _NGX_IMS_LIMIT_INT_H_INCLUDED_ */
