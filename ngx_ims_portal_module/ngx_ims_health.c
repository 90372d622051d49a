/*
 * Copyright (C) the IMS portal authors
 *
 * The shared zone of the servers' health: its making, and places in it.  No
 * timers.
 */


#include "ngx_ims_health.h"


static ngx_int_t ngx_ims_health_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_ims_health_key(ngx_ims_health_hop_t *key, uint32_t core,
    ngx_uint_t transport, struct sockaddr *sa);
static ngx_ims_health_hop_t *ngx_ims_health_find(ngx_ims_health_t *health,
    ngx_ims_health_hop_t *key);


static ngx_str_t  ngx_ims_health_name = ngx_string("ims_portal_health");


ngx_ims_health_t *
ngx_ims_health_add(ngx_conf_t *cf, void *tag)
{
    ngx_ims_health_t  *health;

    health = ngx_pcalloc(cf->pool, sizeof(ngx_ims_health_t));
    if (health == NULL) {
        return NULL;
    }

    /* it only carries ours from one configuration to the next */

    health->shm_zone = ngx_shared_memory_add(cf, &ngx_ims_health_name,
                                             8 * ngx_pagesize, tag);
    if (health->shm_zone == NULL) {
        return NULL;
    }

    health->shm_zone->init = ngx_ims_health_init;
    health->shm_zone->data = health;

    return health;
}


static ngx_int_t
ngx_ims_health_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_str_t          none;
    ngx_ims_health_t  *health;
    ngx_ims_shared_t   shared;

    health = shm_zone->data;
    ngx_str_null(&none);

    if (ngx_ims_shared_open(&ngx_ims_health_name, &none,
                            sizeof(ngx_ims_health_sh_t), &shared,
                            shm_zone->shm.log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    health->sh = (ngx_ims_health_sh_t *) shared.addr;

    if (shared.created) {
        health->sh->size = sizeof(ngx_ims_health_sh_t);
    }

    if (shared.size != sizeof(ngx_ims_health_sh_t)
        || health->sh->size != sizeof(ngx_ims_health_sh_t))
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "the running portal is of another version: it needs "
                      "a restart");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_ims_health_hop_t *
ngx_ims_health_hop(ngx_ims_health_t *health, uint32_t core,
    ngx_uint_t transport, struct sockaddr *sa)
{
    time_t                 now;
    ngx_uint_t             i;
    ngx_ims_health_hop_t   key, *hop, *h;

    if (ngx_ims_health_key(&key, core, transport, sa) != NGX_OK) {
        return NULL;
    }

    now = ngx_time();

    hop = ngx_ims_health_find(health, &key);

    if (hop != NULL) {
        hop->touched = now;
        return hop;
    }

    (void) ngx_ims_shared_lock(&health->sh->lock);

    /* somebody else may have been faster */

    hop = ngx_ims_health_find(health, &key);

    for (i = 0; hop == NULL && i < NGX_IMS_HEALTH_HOPS; i++) {
        h = &health->sh->hops[i];

        if (h->used && now - (time_t) h->touched < NGX_IMS_HEALTH_REST) {
            continue;
        }

        h->used = 0;
        ngx_memory_barrier();

        key.touched = now;
        ngx_memcpy(h, &key, sizeof(ngx_ims_health_hop_t));

        ngx_memory_barrier();
        h->used = 1;

        hop = h;
    }

    ngx_ims_shared_unlock(&health->sh->lock);

    return hop;
}


ngx_ims_health_core_t *
ngx_ims_health_core(ngx_ims_health_t *health, uint32_t core)
{
    ngx_uint_t              i;
    ngx_ims_health_core_t  *c;

    if (core == 0) {
        return NULL;
    }

    for (i = 0; i < NGX_IMS_HEALTH_CORES; i++) {
        c = &health->sh->cores[i];

        /* places are taken in order and never given back */

        if (c->core == core || ngx_atomic_cmp_set(&c->core, 0, core)
            || c->core == core)
        {
            return c;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_ims_health_key(ngx_ims_health_hop_t *key, uint32_t core,
    ngx_uint_t transport, struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(key, sizeof(ngx_ims_health_hop_t));

    key->core = core;
    key->transport = transport;
    key->family = sa->sa_family;
    key->port = ngx_inet_get_port(sa);

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        ngx_memcpy(key->address, &sin->sin_addr, 4);
        return NGX_OK;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        ngx_memcpy(key->address, &sin6->sin6_addr, 16);
        return NGX_OK;
#endif

    default:
        return NGX_DECLINED;
    }
}


static ngx_ims_health_hop_t *
ngx_ims_health_find(ngx_ims_health_t *health, ngx_ims_health_hop_t *key)
{
    ngx_uint_t             i;
    ngx_ims_health_hop_t  *h;

    for (i = 0; i < NGX_IMS_HEALTH_HOPS; i++) {
        h = &health->sh->hops[i];

        if (h->used
            && h->core == key->core
            && h->port == key->port
            && h->transport == key->transport
            && h->family == key->family
            && ngx_memcmp(h->address, key->address, sizeof(key->address))
               == 0)
        {
            return h;
        }
    }

    return NULL;
}
