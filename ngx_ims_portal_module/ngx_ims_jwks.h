/*
 * Copyright (C) the IMS portal authors
 *
 * Where the keys of logins come from: a file that is read again when it
 * changes, or a location of nginx that publishes a JWK set and is asked now and
 * then.  What was fetched is shared by the workers of a configuration, so one
 * asks for all.
 */


#ifndef _NGX_IMS_JWKS_H_INCLUDED_
#define _NGX_IMS_JWKS_H_INCLUDED_


#include "ngx_ims_waiter.h"
#include "ngx_ims_jwt.h"


enum {
    NGX_IMS_JWKS_MAX = 262144,           /* bytes of a set of keys */
    NGX_IMS_JWKS_CYCLES = 8,             /* configurations at a time */
    NGX_IMS_JWKS_MISSES = 5              /* fetches for unknown kids at once */
};


/* what a file holds */
typedef enum {
    NGX_IMS_JWKS_KEYS = 0,               /* JWK, JWK set or PEM */
    NGX_IMS_JWKS_RAW,                    /* a secret as it is */
    NGX_IMS_JWKS_BASE64URL               /* a secret */
} ngx_ims_jwks_form_e;


typedef struct ngx_ims_jwks_s  ngx_ims_jwks_t;

/*
 * Begins to fetch, and tells with ngx_ims_jwks_fetched(), later or at once.
 * NGX_OK, or NGX_ERROR: it did not begin.
 */
typedef ngx_int_t (*ngx_ims_jwks_fetch_pt)(ngx_ims_jwks_t *jwks);


/* of a configuration, in shared memory */
typedef struct {
    ngx_uint_t                cycle;          /* whose it is */
    ngx_uint_t                generation;     /* of the text, 0: none yet */
    ngx_msec_t                fetched;        /* when the text came */
    ngx_msec_t                failed;         /* when the last one failed */
    ngx_msec_t                missed;         /* when one was fetched for an
                                                 unknown kid, */
    ngx_msec_t                owed;           /* and what such ones had used up
                                                 of "miss" then */
    ngx_msec_t                began;
    ngx_pid_t                 fetcher;        /* who fetches, 0: nobody */
    ngx_uint_t                due;            /* 1: not of this configuration */
    ngx_uint_t                failing;        /* 1: the last fetch failed */
    ngx_uint_t                told;           /* 1: warned, 2: the end */
    size_t                    len;
    u_char                    text[NGX_IMS_JWKS_MAX];
} ngx_ims_jwks_text_t;


typedef struct {
    ngx_uint_t                cycle;          /* the newest configuration's */
    ngx_ims_jwks_text_t       texts[NGX_IMS_JWKS_CYCLES];
} ngx_ims_jwks_sh_t;


/* times are ms; what stands first is read-only after configuration */
struct ngx_ims_jwks_s {
    ngx_str_t                 name;           /* path or URI, terminated */
    ngx_ims_jwks_form_e       form;
    ngx_msec_t                watch;          /* 0: it is not watched */
    ngx_msec_t                valid;
    ngx_msec_t                stale;
    ngx_msec_t                miss;
    ngx_msec_t                timeout;

    ngx_ims_jwks_fetch_pt     fetch;          /* NULL: a file */
    void                     *server;         /* whose location it is */
    ngx_shm_zone_t           *zone;
    ngx_ims_jwks_text_t      *text;           /* of this configuration, as */
    ngx_uint_t                cycle;          /* long as it has this cycle */

    /* of this process */
    ngx_ims_jwt_keys_t       *keys;           /* NULL: none yet */
    ngx_uint_t                generation;     /* of keys */
    ngx_uint_t                fresh;          /* 1: no cache may answer */
    ngx_queue_t               waiting;
    ngx_event_t               start;
    ngx_event_t               timer;          /* watches, or polls others */
    ngx_log_t                *log;
    time_t                    mtime;
    long                      mtime_ns;
    ngx_file_uniq_t           uniq;
    off_t                     size;
    ngx_uint_t                open;           /* everybody may read it */
    ngx_uint_t                broken;         /* and that was told */
};


/*
 * Reads the file of jwks->name, in place of the keys that there are.
 *
 * err     on failure says why; has size bytes, is terminated
 *
 * NGX_OK, or NGX_ERROR: it cannot be read, has no usable key, or has a secret
 * that everybody may read; keys are as before.
 */
ngx_int_t ngx_ims_jwks_read(ngx_ims_jwks_t *jwks, u_char *err, size_t size);

/* a worker begins to watch the file, if it is to; log outlives the worker */
void ngx_ims_jwks_init(ngx_ims_jwks_t *jwks, ngx_log_t *log);

/* the size of the zone of a source that is fetched, bytes */
size_t ngx_ims_jwks_size(void);

/* ngx_shm_zone_t's init; zone->data is the source */
ngx_int_t ngx_ims_jwks_init_zone(ngx_shm_zone_t *zone, void *data);

/*
 * Brings jwks->keys up to date.
 *
 * waiter  who waits if they have to be fetched first; NULL: nobody
 *
 * NGX_OK: they may be used now, and until the event ends; NGX_AGAIN: they are
 * being fetched, the waiter will be woken; NGX_DECLINED: there are none, and it
 * was tried just now, or this worker is of a configuration that is too old;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_ims_jwks_get(ngx_ims_jwks_t *jwks, ngx_ims_waiter_t *waiter);

/*
 * A key is not among those of jwks->keys.  They are fetched again, if that has
 * not been done for such a reason just now: NGX_IMS_JWKS_MISSES times in
 * jwks->miss, at once if need be, and no two within a second, as who waits for
 * one comes here again after it.
 *
 * NGX_AGAIN as above; NGX_DECLINED: no such key; NGX_BUSY: the last fetch
 * failed, so nobody knows; NGX_ERROR: no memory.
 */
ngx_int_t ngx_ims_jwks_missed(ngx_ims_jwks_t *jwks, ngx_ims_waiter_t *waiter);

/* a fetch has ended; text NULL: it failed, and error says why, lower case */
void ngx_ims_jwks_fetched(ngx_ims_jwks_t *jwks, ngx_str_t *text,
    const char *error);


#endif /* _NGX_IMS_JWKS_H_INCLUDED_ */
