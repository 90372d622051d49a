/*
 * Copyright (C) the IMS portal authors
 *
 * What all workers know together about the servers of the cores, and which
 * worker leads: a small shared zone of its own, kept over reloads and binary
 * upgrades.
 *
 * All of it are words that are read and written without a lock; two workers
 * that say something of a server at once may lose one of the two, which the
 * next answer puts right.  Only to take a free place needs the lock,
 * and the last store makes a place valid, so a worker may die at any point.
 */


#ifndef _NGX_IMS_HEALTH_H_INCLUDED_
#define _NGX_IMS_HEALTH_H_INCLUDED_


#include "ngx_ims_shared.h"


enum {
    NGX_IMS_HEALTH_CORES = 64,           /* places, of all names that a core
                                            ever had */
    NGX_IMS_HEALTH_PARTS = 256,          /* ... pool and listening socket */
    NGX_IMS_HEALTH_HOPS = 1024,          /* places */
    NGX_IMS_HEALTH_FORKS = 4096,         /* buckets of requests that were */
    NGX_IMS_HEALTH_WAYS = 4,             /* forked; places in one */
    NGX_IMS_HEALTH_REST = 600            /* s unused before a place is reused */
};


/* a hop: one address and transport of a core */
typedef struct {
    ngx_atomic_t              fails;          /* in a row */
    ngx_atomic_t              checked;        /* s, of the last failure, or
                                                 when it was tried again */
    ngx_atomic_t              failed;         /* ms, the same */
    ngx_atomic_t              until;          /* s, it asked to be left alone */
    ngx_atomic_t              since;          /* s, down since; 0: it is not */
    ngx_atomic_t              back;           /* s, when it was back; 0: never
                                                 down */
    ngx_atomic_t              answered;       /* ms, its last answer; 0: none */
    ngx_atomic_t              rtt;            /* ms, of the last probe */
    ngx_atomic_t              misses;         /* probes unanswered in a row */
    ngx_atomic_t              probed;         /* s, when one ended; 0: none */

    ngx_atomic_t              touched;        /* s, when it was looked up */
    ngx_atomic_t              used;           /* what follows is valid */
    uint32_t                  core;           /* crc32 of its name */
    uint32_t                  transport;      /* ngx_ims_transport_e */
    uint32_t                  family;
    uint32_t                  port;
    u_char                    address[16];
} ngx_ims_health_hop_t;


/*
 * Which worker forks a request of the core: what belongs to it may come to any.
 * The latest of those that share a bucket are remembered.
 */
typedef struct {
    uint32_t                  key;            /* crc32 of Call-ID and branch */
    uint32_t                  pid;            /* 0: none */
    uint32_t                  since;          /* s */
} ngx_ims_health_fork_t;


/* a worker process; see ngx_ims_workers.h */
typedef struct {
    ngx_atomic_t              pid;            /* 0: the place is free */
    ngx_atomic_t              instance;       /* 0: not known yet */
    ngx_atomic_t              generation;
    ngx_atomic_t              leaving;        /* it shuts down */
} ngx_ims_health_worker_t;


/* what is counted of a core as a whole; of all workers, never reset */
typedef struct {
    ngx_atomic_t              core;           /* crc32 of its name; 0: free */
    ngx_atomic_t              refused;        /* messages from strangers */
    ngx_atomic_t              overflows;      /* messages a slow core missed */
} ngx_ims_health_core_t;


/* a part of the configuration that workers hang on; see ngx_ims_workers.h */
typedef struct {
    ngx_atomic_t              key;            /* 0: free */
    ngx_atomic_t              generation;     /* the last that had it */
} ngx_ims_health_part_t;


typedef struct {
    ngx_atomic_t              size;           /* bytes of this */
    ngx_atomic_t              lock;           /* pid */
    ngx_atomic_t              leader;         /* pid; 0: nobody */
    ngx_atomic_t              beat;           /* ms, its last sign of life */
    ngx_atomic_t              generation;     /* the newest of workers, ... */
    ngx_atomic_t              announced;      /* ... s, since when */
    ngx_ims_health_worker_t   workers[NGX_IMS_MAX_WORKERS];
    ngx_ims_health_core_t     cores[NGX_IMS_HEALTH_CORES];
    ngx_ims_health_part_t     parts[NGX_IMS_HEALTH_PARTS];
    ngx_ims_health_hop_t      hops[NGX_IMS_HEALTH_HOPS];
    ngx_ims_health_fork_t     forks[NGX_IMS_HEALTH_FORKS]
                                   [NGX_IMS_HEALTH_WAYS];
} ngx_ims_health_sh_t;


/* where it is, in this process */
typedef struct {
    ngx_shm_zone_t           *shm_zone;
    ngx_ims_health_sh_t      *sh;
} ngx_ims_health_t;


/*
 * At configuration time: the zone, one for the whole configuration.  tag is the
 * module's.  NULL: no memory (logged).
 */
ngx_ims_health_t *ngx_ims_health_add(ngx_conf_t *cf, void *tag);

/*
 * The place of a hop, a new one when there is none yet.  core is the crc32 of
 * the core's name.  It stays valid while it is looked up at least once in
 * NGX_IMS_HEALTH_REST seconds.  NULL: no place is free.
 */
ngx_ims_health_hop_t *ngx_ims_health_hop(ngx_ims_health_t *health,
    uint32_t core, ngx_uint_t transport, struct sockaddr *sa);

/*
 * The counters of a core, which stay valid.  NULL: there were more than
 * NGX_IMS_HEALTH_CORES names since nginx was started.
 */
ngx_ims_health_core_t *ngx_ims_health_core(ngx_ims_health_t *health,
    uint32_t core);


#endif /* _NGX_IMS_HEALTH_H_INCLUDED_ */
