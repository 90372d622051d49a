/*
 * Copyright (C) the IMS portal authors
 *
 * The process side of the portal (design D1): a worker's context is built when
 * the worker starts and taken down when it ends.  All directives are the HTTP
 * module's.
 */


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_edge.h"
#include "ngx_ims_handover.h"
#include "ngx_ims_lease.h"
#include "ngx_ims_probe.h"
#include "ngx_ims_quit.h"
#include "ngx_ims_recover.h"
#include "ngx_ims_restore.h"
#include "ngx_ims_revoke.h"
#include "ngx_ims_trunk.h"


static ngx_int_t ngx_ims_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_ims_init_process(ngx_cycle_t *cycle);
static ngx_ims_worker_t *ngx_ims_init_worker(ngx_cycle_t *cycle,
    ngx_http_ims_main_conf_t *imcf);
static ngx_int_t ngx_ims_init_wires(ngx_cycle_t *cycle,
    ngx_http_ims_main_conf_t *imcf, ngx_ims_worker_t *w);
static ngx_int_t ngx_ims_init_leader(ngx_cycle_t *cycle,
    ngx_http_ims_main_conf_t *imcf, ngx_ims_worker_t *w);
static ngx_int_t ngx_ims_init_cores(ngx_cycle_t *cycle, ngx_ims_worker_t *w);
static void ngx_ims_heal(void *data, ngx_uint_t became);
static ngx_uint_t ngx_ims_alive(void *data, ngx_ims_owner_t *owner);
static void ngx_ims_exit_process(ngx_cycle_t *cycle);
static ngx_http_ims_main_conf_t *ngx_ims_main_conf(ngx_cycle_t *cycle);


static ngx_core_module_t  ngx_ims_portal_module_ctx = {
    ngx_string("ims_portal"),
    NULL,
    NULL
};


ngx_module_t  ngx_ims_portal_module = {
    NGX_MODULE_V1,
    &ngx_ims_portal_module_ctx,            /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_ims_init_module,                   /* init module */
    ngx_ims_init_process,                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_ims_exit_process,                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_ims_main_conf_t *
ngx_ims_main_conf(ngx_cycle_t *cycle)
{
    ngx_http_ims_main_conf_t  *imcf;

    if (cycle->conf_ctx == NULL
        || ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL)
    {
        return NULL;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ims_portal_module);

    return imcf != NULL && imcf->pools.nelts ? imcf : NULL;
}


static ngx_int_t
ngx_ims_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_ims_pool_t            **pool;
    ngx_http_ims_main_conf_t   *imcf;

    imcf = ngx_ims_main_conf(cycle);

    if (imcf == NULL || ngx_test_config) {
        return NGX_OK;
    }

    pool = imcf->pools.elts;

    for (i = 0; i < imcf->pools.nelts; i++) {
        if (ngx_ims_pool_retire(pool[i], cycle->pool) != NGX_OK) {
            ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                          "no memory to remember who has identities that "
                          "left pool \"%V\"", &pool[i]->name);
        }
    }

    ngx_ims_workers_announce(imcf->health, &imcf->pools, &imcf->cores);

    return NGX_OK;
}


static ngx_int_t
ngx_ims_init_process(ngx_cycle_t *cycle)
{
    ngx_ims_worker_t          *w;
    ngx_http_ims_main_conf_t  *imcf;

    /* the cache manager and its like run this hook, too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    imcf = ngx_ims_main_conf(cycle);

    if (imcf == NULL) {
        return NGX_OK;
    }

    w = ngx_ims_init_worker(cycle, imcf);
    if (w == NULL) {
        return NGX_ERROR;
    }

    if (ngx_ims_init_wires(cycle, imcf, w) != NGX_OK
        || ngx_ims_init_leader(cycle, imcf, w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_ims_lease_init(cycle, w->pools, w->leader, w->log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_ims_init_cores(cycle, w) != NGX_OK
        || ngx_ims_probe_init(cycle, w->cores, w->txns, w->leader) != NGX_OK
        || ngx_ims_recover_init(w) != NGX_OK
        || ngx_ims_restore_init(w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_ims_revoke_init(w) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_ims_quit_init(w) != NGX_OK) {
        return NGX_ERROR;
    }

    imcf->worker = w;

    ngx_ims_linger_init(w);

    return NGX_OK;
}


/* what all sessions of this process have in common */

static ngx_ims_worker_t *
ngx_ims_init_worker(ngx_cycle_t *cycle, ngx_http_ims_main_conf_t *imcf)
{
    ngx_ims_pool_t    **pool;
    ngx_ims_worker_t   *w;

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_worker_t));
    if (w == NULL || ngx_ims_worker_scratch(w, cycle->pool) != NGX_OK) {
        return NULL;
    }

    /* a log of our own, by which our timers are known, see ngx_ims_quit.c */

    w->log = ngx_palloc(cycle->pool, sizeof(ngx_log_t));
    if (w->log == NULL) {
        return NULL;
    }

    *w->log = *cycle->log;

    w->cycle = cycle;
    w->cores = &imcf->cores;
    w->pools = &imcf->pools;
    w->close = ngx_http_close_connection;
    w->t1 = imcf->txn.t1;
    w->limit = imcf->limit;

    /* the first pool's zone names the instance: it is kept over reloads */

    pool = imcf->pools.elts;
    w->self.instance = pool[0]->zone.sh->instance;
    w->self.pid = ngx_pid;

    ngx_ims_edge_init(w);

    return w;
}


/* transactions, the other workers, media helpers */

static ngx_int_t
ngx_ims_init_wires(ngx_cycle_t *cycle, ngx_http_ims_main_conf_t *imcf,
    ngx_ims_worker_t *w)
{
    imcf->txn.refused =
                   &imcf->limit->sh->counters[NGX_IMS_LIMITED_TRANSACTIONS];

    w->txns = ngx_ims_txns_create(cycle->pool, w->log, &w->self, &imcf->txn);
    w->ipc = ngx_ims_ipc_open(cycle, &w->self, ngx_ims_handover_ipc, w);

    if (w->txns == NULL || w->ipc == NULL) {
        return NGX_ERROR;
    }

    if (imcf->media.addrs.nelts) {
        w->media = ngx_ims_media_create(cycle, &imcf->media);
        if (w->media == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* one of the workers leads, and what it then does */

static ngx_int_t
ngx_ims_init_leader(ngx_cycle_t *cycle, ngx_http_ims_main_conf_t *imcf,
    ngx_ims_worker_t *w)
{
    w->workers = ngx_ims_workers_join(cycle, imcf->health, w->pools,
                                      &w->self);
    w->leader = ngx_ims_leader_create(cycle, imcf->health);

    if (w->workers == NULL
        || w->leader == NULL
        || ngx_ims_leader_add(w->leader, ngx_ims_workers_tick, w->workers)
           != NGX_OK
        || ngx_ims_leader_add(w->leader, ngx_ims_trunk_tick, w) != NGX_OK
        || ngx_ims_leader_add(w->leader, ngx_ims_linger_tick, w) != NGX_OK
        || ngx_ims_leader_add(w->leader, ngx_ims_heal, w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_ims_heal(w, 1);

    return NGX_OK;
}


static ngx_int_t
ngx_ims_init_cores(ngx_cycle_t *cycle, ngx_ims_worker_t *w)
{
    ngx_uint_t        i;
    ngx_ims_core_t  **core;

    core = w->cores->elts;

    for (i = 0; i < w->cores->nelts; i++) {
        core[i]->instance = w->self.instance;
        core[i]->lost = ngx_ims_edge_lost;
        core[i]->relay = ngx_ims_handover_relay;
        core[i]->busy = ngx_ims_edge_busy;

        if (ngx_ims_core_init_worker(cycle, core[i], ngx_ims_edge_core, w)
            != NGX_OK
            || ngx_ims_core_resolve_init(cycle, core[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the sockets of workers that were killed do not count any more */

static void
ngx_ims_heal(void *data, ngx_uint_t became)
{
    ngx_uint_t         n;
    ngx_ims_worker_t  *w;

    w = data;

    n = ngx_ims_limit_heal(w->limit, ngx_ims_alive, w);

    if (n) {
        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "%ui sockets of dead workers are not counted any more",
                      n);
    }
}


static ngx_uint_t
ngx_ims_alive(void *data, ngx_ims_owner_t *owner)
{
    ngx_ims_worker_t  *w;

    w = data;

    return ngx_ims_ipc_alive(owner, w->log);
}


static void
ngx_ims_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_ims_core_t            **core;
    ngx_ims_worker_t           *w;
    ngx_http_ims_main_conf_t   *imcf;

    imcf = ngx_ims_main_conf(cycle);

    if (imcf == NULL || imcf->worker == NULL) {
        return;
    }

    w = imcf->worker;
    core = w->cores->elts;

    for (i = 0; i < w->cores->nelts; i++) {
        ngx_ims_core_close(core[i]);
    }

    if (w->media != NULL) {
        ngx_ims_media_close(w->media);
    }

    ngx_ims_lease_close(w->pools);
    ngx_ims_quit_close();
    ngx_ims_leader_close(w->leader);
    ngx_ims_workers_part(w->workers);
    ngx_ims_ipc_close(w->ipc);
}
