/*
 * Copyright (C) the IMS portal authors
 *
 * The shared zone of the limits and its lock.  No timers.
 */


#include "ngx_ims_limit_int.h"


static ngx_int_t ngx_ims_limit_init(ngx_shm_zone_t *shm_zone, void *data);


static ngx_str_t  ngx_ims_limit_zone = ngx_string("ims_portal_limits");


ngx_ims_limit_t *
ngx_ims_limit_add(ngx_conf_t *cf, size_t size, void *tag)
{
    ngx_ims_limit_t  *limit;

    limit = ngx_pcalloc(cf->pool, sizeof(ngx_ims_limit_t));
    if (limit == NULL) {
        return NULL;
    }

    limit->shm_zone = ngx_shared_memory_add(cf, &ngx_ims_limit_zone, size,
                                            tag);
    if (limit->shm_zone == NULL) {
        return NULL;
    }

    limit->shm_zone->init = ngx_ims_limit_init;
    limit->shm_zone->data = limit;

    return limit;
}


static ngx_int_t
ngx_ims_limit_init(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t               size;
    ngx_ims_limit_t     *limit, *old;
    ngx_ims_limit_sh_t  *sh;

    old = data;
    limit = shm_zone->data;
    limit->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old != NULL) {
        limit->sh = old->sh;
        ngx_ims_limit_map(limit);
        return NGX_OK;
    }

    if (shm_zone->shm.exists) {
        limit->sh = limit->shpool->data;
        ngx_ims_limit_map(limit);
        return NGX_OK;
    }

    /*
     * one run of pages, new ones, which the system has zeroed; those that are
     * not used yet cost nothing
     */

    size = (limit->shpool->pfree - 1) * ngx_pagesize;

    sh = ngx_slab_alloc(limit->shpool, size);
    if (sh == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "no room in zone \"%V\"", &shm_zone->shm.name);
        return NGX_ERROR;
    }

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(sh, size);
#endif

    sh->salt = (uint32_t) ngx_random();

    limit->sh = sh;
    ngx_ims_limit_layout(limit, size);

    limit->shpool->data = sh;

    return NGX_OK;
}


void
ngx_ims_limit_lock(ngx_ims_limit_t *limit)
{
    ngx_shmtx_lock(&limit->shpool->mutex);

    if (limit->sh->dirty) {
        ngx_ims_limit_recount(limit);
    }

    limit->sh->dirty = 1;
    ngx_memory_barrier();
}


void
ngx_ims_limit_unlock(ngx_ims_limit_t *limit)
{
    ngx_memory_barrier();
    limit->sh->dirty = 0;

    ngx_shmtx_unlock(&limit->shpool->mutex);
}


void
ngx_ims_limit_full(ngx_ims_limit_t *limit)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "\"ims_portal_limit_zone\" has room for %uD sockets, more "
                  "are not counted", limit->sh->nrows);
}
