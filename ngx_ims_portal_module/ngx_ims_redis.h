/*
 * Copyright (C) the IMS portal authors
 *
 * A connection with a Redis server (or one that speaks as it does): one in each
 * worker, asynchronous, kept up.  It runs scripts and gives their answers; what
 * they mean is the business of who sends them.  No other file knows hiredis.
 */


#ifndef _NGX_IMS_REDIS_H_INCLUDED_
#define _NGX_IMS_REDIS_H_INCLUDED_


#include "ngx_ims.h"


enum {
    NGX_IMS_REDIS_PORT = 6379,
    NGX_IMS_REDIS_QUEUE = 4096,          /* commands without an answer */
    NGX_IMS_REDIS_SECRET = 512           /* bytes of a password, and its end */
};


/* where it is; read-only after configuration */
typedef struct {
    ngx_array_t               addrs;          /* ngx_addr_t, tried in turn */
    ngx_str_t                 path;           /* of a Unix socket, or empty */
    ngx_str_t                 name;           /* for logs: without secrets */
    ngx_str_t                 user;           /* or empty */
    ngx_str_t                 password;       /* or empty */
    ngx_uint_t                db;
    ngx_msec_t                timeout;        /* of a connect or an answer */
} ngx_ims_redis_conf_t;


/* a script and, when it was first used, its SHA-1 in hex */
typedef struct {
    const char               *text;
    size_t                    len;
    u_char                    sha[40 + 1];
} ngx_ims_redis_script_t;


typedef struct ngx_ims_redis_s  ngx_ims_redis_t;

/* an answer, valid while the handler runs */
typedef void  ngx_ims_redis_reply_t;


/*
 * An answer came; reply is NULL when none will: an error (logged), a time-out,
 * a lost connection.
 */
typedef void (*ngx_ims_redis_reply_pt)(void *data,
    ngx_ims_redis_reply_t *reply);

/* the server can be used; or, up == 0, it cannot any more */
typedef void (*ngx_ims_redis_state_pt)(void *data, ngx_uint_t up);


typedef enum {
    NGX_IMS_REDIS_DOWN = 0,              /* waits before the next attempt */
    NGX_IMS_REDIS_CONNECTING,
    NGX_IMS_REDIS_GREETING,              /* logs in */
    NGX_IMS_REDIS_UP
} ngx_ims_redis_state_e;


/*
 * One URL of a configuration: "redis://[user[:password]@]host[:port][/db]" or
 * "unix:path".  The host's addresses are resolved now and added to conf->addrs,
 * which is initialized.  NGX_CONF_OK, or what is wrong with it, without the
 * password; NGX_CONF_ERROR: logged.
 */
char *ngx_ims_redis_url(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf,
    ngx_str_t *url);

/* reads the password, the first line of a file; NGX_OK or NGX_ERROR (logged) */
ngx_int_t ngx_ims_redis_password(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf,
    ngx_str_t *path);


/*
 * In a worker: begins to connect.  state is called at each change, not before
 * this has returned.  Lives in pool; all timers have log.  NULL: no memory.
 */
ngx_ims_redis_t *ngx_ims_redis_create(ngx_pool_t *pool,
    ngx_ims_redis_conf_t *conf, ngx_ims_redis_state_pt state, void *data,
    ngx_log_t *log);

ngx_ims_redis_state_e ngx_ims_redis_state(ngx_ims_redis_t *redis);

/* what the server calls this run of itself; empty: it does not tell us */
ngx_str_t *ngx_ims_redis_run(ngx_ims_redis_t *redis);

/*
 * Runs a script.
 *
 * nkeys    how many of args are keys, they stand first
 * handler  called once, later, never from within this function
 *
 * NGX_OK, or NGX_ERROR: not connected, too many wait, no memory; then handler
 * is not called.
 */
ngx_int_t ngx_ims_redis_eval(ngx_ims_redis_t *redis,
    ngx_ims_redis_script_t *script, ngx_uint_t nkeys, ngx_str_t *args,
    ngx_uint_t n, ngx_ims_redis_reply_pt handler, void *data);

/* the parts of an answer: how many; and one, empty when there is none */
ngx_uint_t ngx_ims_redis_parts(ngx_ims_redis_reply_t *reply);
ngx_str_t ngx_ims_redis_part(ngx_ims_redis_reply_t *reply, ngx_uint_t i);

/* when the worker exits: those who wait are told */
void ngx_ims_redis_close(ngx_ims_redis_t *redis);


#endif /* _NGX_IMS_REDIS_H_INCLUDED_ */
