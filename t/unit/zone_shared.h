/*
 * Copyright (C) the IMS portal authors
 *
 * In the place of ngx_ims_shared.c: memory that a process has in common with
 * its children, and nothing else.
 */


#ifndef _ZONE_SHARED_H_INCLUDED_
#define _ZONE_SHARED_H_INCLUDED_


#include "ngx_ims_shared.h"

#include <sys/mman.h>


ngx_int_t
ngx_ims_shared_open(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *out, ngx_log_t *log)
{
    out->addr = mmap(NULL, size, PROT_READ|PROT_WRITE,
                     MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    out->size = size;
    out->fresh = 1;
    out->created = 1;

    return out->addr == MAP_FAILED ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_ims_shared_replace(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *out, ngx_log_t *log)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_ims_shared_replaced(ngx_str_t *name, ngx_str_t *path,
    ngx_ims_shared_t *former, ngx_ims_shared_t *out, ngx_log_t *log)
{
    return NGX_ERROR;
}


void
ngx_ims_shared_drop(ngx_str_t *name)
{
    (void) name;
}


void
ngx_ims_shared_ready(ngx_str_t *name)
{
    (void) name;
}


#endif /* _ZONE_SHARED_H_INCLUDED_ */
