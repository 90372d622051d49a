/*
 * Copyright (C) the IMS portal authors
 *
 * What the files about leases of several hosts share and nobody else includes.
 *
 * Keys, all with the same hash tag "{prefix}:", so that they are in one slot:
 *
 *   m           hash: run (the server's, as it was last seen), hold (ms, until
 *               when no new lease is given), epoch (of that run), g (the last
 *               generation)
 *   i:IDENTITY  hash: u (digest of its user), g (generation), e (ms, end of the
 *               lease), b (host that has his browsers), r (given back), c (the
 *               claim that made it, until it is used); ends with the quarantine
 *   u:DIGEST    the user's identity; ends with that
 *   h:HOST      URL of a host; ends when the host is silent for some seconds
 *   x           sorted set, by generation: "IDENTITY DIGEST GENERATION" that
 *               were taken away, for an hour
 */


#ifndef _NGX_IMS_LEASE_INT_H_INCLUDED_
#define _NGX_IMS_LEASE_INT_H_INCLUDED_


#include "ngx_ims_lease.h"
#include "ngx_ims_order.h"
#include "ngx_ims_pool_share.h"
#include "ngx_ims_redis.h"


enum {
    NGX_IMS_LEASE_TICK = 1000,           /* ms between signs of life */
    NGX_IMS_LEASE_ALIVE = 5000,          /* ms that one is good for */
    NGX_IMS_LEASE_RECENT = 3,            /* s, an answer is not asked again */
    NGX_IMS_LEASE_BUCKETS = 256,         /* of claims, by user */
    NGX_IMS_LEASE_CLAIMS = 4096,         /* under way in a worker */
    NGX_IMS_LEASE_ROUNDS = 8,
    NGX_IMS_LEASE_LINGER = 1000,         /* ms, an answer that is not fetched */
    NGX_IMS_LEASE_OWED = 4096,           /* that the server is to be told */
    NGX_IMS_LEASE_FLYING = 128,          /* leases told at once */
    NGX_IMS_LEASE_WALK = 4096,           /* entries looked at in a turn */
    NGX_IMS_LEASE_URL = 255,             /* bytes */
    NGX_IMS_LEASE_PREFIX = 64
};


typedef enum {
    NGX_IMS_LEASE_HELLO = 0,
    NGX_IMS_LEASE_CLAIM,
    NGX_IMS_LEASE_ASSERT,
    NGX_IMS_LEASE_RELEASE,
    NGX_IMS_LEASE_SCRIPTS
} ngx_ims_lease_script_e;


typedef struct ngx_ims_lease_live_s  ngx_ims_lease_live_t;


/* the line "share"; read-only after configuration, but for live */
typedef struct ngx_ims_lease_share_s {
    ngx_ims_redis_conf_t      redis;
    ngx_str_t                 prefix;         /* with braces and colon */
    ngx_str_t                 url;            /* of this host's WebSocket */
    ngx_msec_t                hold;
    ngx_ims_lease_live_t     *live;           /* this worker's */
} ngx_ims_lease_share_t;


/* one pool in one worker */
struct ngx_ims_lease_live_s {
    ngx_ims_pool_t           *pool;
    ngx_ims_lease_share_t    *share;
    ngx_ims_redis_t          *redis;
    ngx_ims_leader_t         *leader;
    ngx_log_t                *log;
    ngx_event_t               tick;
    ngx_event_t               pump;
    ngx_str_t                 mark;           /* its key */
    u_char                    mark_key[NGX_IMS_LEASE_PREFIX + 8];
    ngx_str_t                 host;           /* what this host is called */
    u_char                    host_id[16];

    unsigned                  usable:1;       /* up, and it answered */
    unsigned                  greeting:1;     /* a sign of life is under way */
    unsigned                  led:1;          /* at the last tick */

    int64_t                   ahead;          /* ms, its clock minus ours */
    uint64_t                  epoch;
    uint64_t                  asserted;       /* epoch of our leases, or 0 */
    u_char                    seen[24];       /* generation of the last sign */
    size_t                    nseen;

    ngx_uint_t                phase;          /* of asserting, see there */
    uint32_t                  cursor;
    uint32_t                  due;            /* cursor of what is due */
    ngx_uint_t                flying;
    ngx_uint_t                told;           /* asserted so far */

    ngx_queue_t               claims[NGX_IMS_LEASE_BUCKETS];
    ngx_uint_t                nclaims;
    uint64_t                  serial;
    ngx_queue_t               owed;
    ngx_uint_t                nowed;
    time_t                    busy_until;     /* s, what others have */
};


/* digest of a user, or a number, as text in a script's arguments */
typedef struct {
    u_char                    data[2 * NGX_IMS_DIGEST_LEN];
} ngx_ims_lease_digest_t;


/* arguments of a script, written into a buffer of the caller's stack */
typedef struct {
    ngx_str_t                *args;
    ngx_uint_t                n;
    ngx_uint_t                max;
    u_char                   *p;
    u_char                   *last;
} ngx_ims_lease_args_t;


/* begins with KEYS[1], and ARGV[1] and [2] that all scripts have */
void ngx_ims_lease_args(ngx_ims_lease_live_t *live, ngx_ims_lease_args_t *a,
    ngx_str_t *args, ngx_uint_t max, u_char *buf, size_t size);

void ngx_ims_lease_arg(ngx_ims_lease_args_t *a, u_char *p, size_t len);
void ngx_ims_lease_arg_number(ngx_ims_lease_args_t *a, int64_t n);
void ngx_ims_lease_arg_user(ngx_ims_lease_args_t *a, u_char *user);
void ngx_ims_lease_arg_identity(ngx_ims_lease_args_t *a,
    ngx_ims_pool_t *pool, uint32_t lease);

/* sends a script; counts it.  As ngx_ims_redis_eval() */
ngx_int_t ngx_ims_lease_eval(ngx_ims_lease_live_t *live,
    ngx_ims_lease_script_e script, ngx_ims_lease_args_t *a,
    ngx_ims_redis_reply_pt handler, void *data);

/* a number in an answer, 0: none */
uint64_t ngx_ims_lease_number(ngx_ims_redis_reply_t *reply, ngx_uint_t i);

/* 1 when a part of an answer is this word */
ngx_uint_t ngx_ims_lease_is(ngx_ims_redis_reply_t *reply, ngx_uint_t i,
    const char *word);

/* ms of the wall clock */
int64_t ngx_ims_lease_now(void);

ngx_ims_redis_script_t *ngx_ims_lease_script(ngx_ims_lease_script_e script);

/* the server can be used from now on: those who wait ask */
void ngx_ims_lease_claims_go(ngx_ims_lease_live_t *live);

/* it cannot any more, and will not be soon: those who wait get NGX_ERROR */
void ngx_ims_lease_claims_fail(ngx_ims_lease_live_t *live);

/* asks what the server is like now, if that is not under way */
void ngx_ims_lease_hello(ngx_ims_lease_live_t *live);

/* tells it of a lease, in the background */
void ngx_ims_lease_tell(ngx_ims_lease_live_t *live,
    ngx_ims_pool_held_t *held, ngx_uint_t again);

/* a lease that was lost: its sockets are closed with 4410 */
void ngx_ims_lease_lost(ngx_ims_lease_live_t *live, uint32_t lease,
    u_char *user, uint64_t generation);

/* all leases are told anew, as the leader */
void ngx_ims_lease_assert(ngx_ims_lease_live_t *live);

/* once a second, in the leader: what has become due */
void ngx_ims_lease_due(ngx_ims_lease_live_t *live);
void ngx_ims_lease_pump(ngx_event_t *ev);

/*
 * The server is to be told, at once or when it is back, that a user gave an
 * identity back (lease, generation), or that nobody saw what a claim got him
 * (claim's name).  rest: s of quarantine.
 */
void ngx_ims_lease_owe(ngx_ims_lease_live_t *live, u_char *user,
    ngx_str_t *identity, uint64_t generation, ngx_str_t *claim, time_t rest);

void ngx_ims_lease_pay(ngx_ims_lease_live_t *live);


#endif /* _NGX_IMS_LEASE_INT_H_INCLUDED_ */
