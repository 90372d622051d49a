/*
 * Copyright (C) the IMS portal authors
 *
 * What the files that know hiredis share and nobody else includes.
 */


#ifndef _NGX_IMS_REDIS_INT_H_INCLUDED_
#define _NGX_IMS_REDIS_INT_H_INCLUDED_


#include "ngx_ims_redis.h"

#include <hiredis/hiredis.h>
#include <hiredis/async.h>


enum {
    NGX_IMS_REDIS_RUN = 64               /* bytes */
};


struct ngx_ims_redis_s {
    ngx_ims_redis_conf_t     *conf;
    ngx_ims_redis_state_pt    handler;
    void                     *data;
    ngx_log_t                *log;

    redisAsyncContext        *ac;             /* NULL: there is none */
    ngx_connection_t         *connection;
    ngx_event_t               event;
    ngx_ims_redis_state_e     state;
    ngx_queue_t               commands;       /* oldest first */
    ngx_uint_t                ncommands;

    ngx_uint_t                addr;           /* the one in turn */
    ngx_uint_t                tries;          /* that failed in a row */
    ngx_uint_t                greeted;        /* answers yet to come */
    ngx_str_t                 run;
    u_char                    run_id[NGX_IMS_REDIS_RUN];

    unsigned                  said:1;         /* that it is away */
    unsigned                  erred:1;        /* a script did, that was said */
    unsigned                  closed:1;
};


/* a context on its way to the next address; NULL: no memory */
redisAsyncContext *ngx_ims_redis_open(ngx_ims_redis_t *redis);

/* it is connected: logs in, and then calls ngx_ims_redis_up() */
void ngx_ims_redis_greet(ngx_ims_redis_t *redis);
void ngx_ims_redis_up(ngx_ims_redis_t *redis);

/* its timer, ms */
void ngx_ims_redis_wait(ngx_ims_redis_t *redis, ngx_msec_t ms);

/* gives the connection up; what, words: for the log */
void ngx_ims_redis_fail(ngx_ims_redis_t *redis, const char *what,
    const char *words);

/* gives the context's descriptor to nginx; NGX_OK, NGX_ERROR: none is free */
ngx_int_t ngx_ims_redis_attach(ngx_ims_redis_t *redis);


#endif /* _NGX_IMS_REDIS_INT_H_INCLUDED_ */
