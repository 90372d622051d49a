/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of bindings share.
 */


#ifndef _NGX_IMS_BINDING_INT_H_INCLUDED_
#define _NGX_IMS_BINDING_INT_H_INCLUDED_


#include "ngx_ims_binding.h"


/* the record, under the lock; NULL: the reference is stale */
ngx_ims_binding_sh_t *ngx_ims_binding_sh(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref);


#endif /* _NGX_IMS_BINDING_INT_H_INCLUDED_ */
