/*
 * Copyright (C) the IMS portal authors
 *
 * Who may have how much: one shared table of all workers, kept over reloads,
 * with a row for each open WebSocket and an entry for each address, user and
 * pool that rows belong to, or that had something of late.
 *
 * The rows are the truth and name their worker.  What an entry counts is made
 * anew from them when a worker died inside the lock, and the leader takes the
 * rows of dead workers away, so that nobody is locked out by sockets that are
 * gone.  Rates are words of an entry that are changed without the lock.
 */


#ifndef _NGX_IMS_LIMIT_H_INCLUDED_
#define _NGX_IMS_LIMIT_H_INCLUDED_


#include "ngx_ims.h"


#define NGX_IMS_LIMIT_NONE  ((uint32_t) -1)


enum {
    NGX_IMS_LIMIT_KEY = 16,              /* bytes of a key */
    NGX_IMS_LIMIT_WAYS = 8,              /* entries in a bucket */
    NGX_IMS_LIMIT_SAY = 60,              /* s between two lines on one entry */
    NGX_IMS_LIMIT_LONGEST = 1800,        /* s that a burst lasts at most */
    NGX_IMS_LIMIT_MIN_SIZE = 262144      /* bytes of the zone */
};


/* what was refused, or ended; each has a counter */
typedef enum {
    NGX_IMS_LIMITED_ADDRESS_SOCKETS = 0,
    NGX_IMS_LIMITED_ADDRESS_UNVERIFIED,
    NGX_IMS_LIMITED_ADDRESS_HANDSHAKES,
    NGX_IMS_LIMITED_ADDRESS_SESSIONS,
    NGX_IMS_LIMITED_USER_SOCKETS,
    NGX_IMS_LIMITED_USER_HANDSHAKES,
    NGX_IMS_LIMITED_USER_SESSIONS,
    NGX_IMS_LIMITED_POOL_SOCKETS,
    NGX_IMS_LIMITED_MESSAGES,
    NGX_IMS_LIMITED_REGISTERS,
    NGX_IMS_LIMITED_INVITES,
    NGX_IMS_LIMITED_FLOODS,
    NGX_IMS_LIMITED_FRAMES,
    NGX_IMS_LIMITED_MESSAGE_SIZE,
    NGX_IMS_LIMITED_MESSAGE_TIMEOUT,
    NGX_IMS_LIMITED_SEND_BUFFER,
    NGX_IMS_LIMITED_SEND_TIMEOUT,
    NGX_IMS_LIMITED_REQUESTS,
    NGX_IMS_LIMITED_WAITING,
    NGX_IMS_LIMITED_DIALOGS,
    NGX_IMS_LIMITED_TRANSACTIONS,
    NGX_IMS_LIMITED_CORE_REQUESTS,
    NGX_IMS_LIMITED_POOL_ZONE,
    NGX_IMS_LIMITED_ZONE,
    NGX_IMS_LIMITED_N
} ngx_ims_limited_e;


/* rates that an entry keeps */
typedef enum {
    NGX_IMS_RATE_HANDSHAKES = 0,
    NGX_IMS_RATE_MESSAGES,
    NGX_IMS_RATE_REGISTERS,
    NGX_IMS_RATE_INVITES,
    NGX_IMS_RATE_SESSIONS,               /* requests of the session API */
    NGX_IMS_RATES
} ngx_ims_rate_e;


/* kinds of lines in the log, each of which has a minute of its own */
typedef enum {
    NGX_IMS_SAID_LIMIT = 0,
    NGX_IMS_SAID_CALLS,
    NGX_IMS_SAID_HOUR,
    NGX_IMS_SAID_PREMIUM,
    NGX_IMS_SAID_N
} ngx_ims_said_e;


typedef struct {
    ngx_uint_t                interval;       /* us for one; 0: no limit */
    ngx_uint_t                burst;          /* of them at once, beside one */
} ngx_ims_rate_t;


/* what a location grants; of numbers 0 is no limit */
typedef struct {
    ngx_uint_t                sockets;        /* of an address */
    ngx_uint_t                unverified;     /* of them, without a token */
    ngx_uint_t                user_sockets;
    ngx_ims_rate_t            handshakes;     /* of an address */
    ngx_ims_rate_t            sessions;       /* the same */
    ngx_ims_rate_t            user[NGX_IMS_RATES];  /* of a user */
    ngx_ims_rate_t            frames;         /* of a socket */
    ngx_uint_t                requests;       /* under way, of a socket */
    ngx_uint_t                waiting;        /* for the helper, of a socket */
    ngx_msec_t                message_timeout;      /* ms */
    size_t                    send_buffer;    /* bytes */
    ngx_msec_t                send_timeout;   /* ms */
} ngx_ims_limits_t;


typedef enum {
    NGX_IMS_LIMIT_FREE = 0,
    NGX_IMS_LIMIT_ADDRESS,
    NGX_IMS_LIMIT_USER,
    NGX_IMS_LIMIT_POOL
} ngx_ims_limit_kind_e;


typedef struct {
    uint32_t                  kind;
    uint32_t                  pool;           /* crc32 of its name, of a user */
    u_char                    data[NGX_IMS_LIMIT_KEY];
} ngx_ims_limit_key_t;


typedef struct {
    ngx_ims_limit_key_t       key;            /* kind 0: the place is free */
    uint32_t                  sockets;
    uint32_t                  unverified;
    ngx_atomic_t              rates[NGX_IMS_RATES];
    ngx_atomic_t              said[NGX_IMS_SAID_N];  /* s, of the last line */
    ngx_atomic_t              touched;        /* s */
} ngx_ims_limit_entry_t;


typedef struct {
    ngx_ims_owner_t           owner;          /* pid 0: the row is free */
    uint32_t                  address;        /* entries, or NONE */
    uint32_t                  user;           /* NONE: not verified yet */
    uint32_t                  pool;
    uint32_t                  next;           /* of the free rows */
} ngx_ims_limit_row_t;


typedef struct {
    ngx_atomic_t              counters[NGX_IMS_LIMITED_N];
    ngx_atomic_t              healed;         /* rows of dead workers */
    ngx_atomic_t              said;           /* s: no room */
    ngx_atomic_t              pool_said;      /* s: none in a pool's zone */
    ngx_atomic_t              dirty;          /* somebody is inside the lock */
    uint32_t                  salt;           /* of the hash */
    uint32_t                  nbuckets;
    uint32_t                  nrows;
    uint32_t                  used;           /* rows that ever were in use */
    uint32_t                  free;           /* head of the free ones */
    /* the entries follow, then the rows */
} ngx_ims_limit_sh_t;


typedef struct {
    ngx_shm_zone_t           *shm_zone;
    ngx_slab_pool_t          *shpool;
    ngx_ims_limit_sh_t       *sh;
    ngx_ims_limit_entry_t    *entries;
    ngx_ims_limit_row_t      *rows;
} ngx_ims_limit_t;


/* 1 while a worker lives */
typedef ngx_uint_t (*ngx_ims_limit_alive_pt)(void *data,
    ngx_ims_owner_t *owner);


/*
 * At configuration time: the zone, one for the whole configuration, of size
 * bytes.  tag is the module's.  NULL: no memory (logged).
 */
ngx_ims_limit_t *ngx_ims_limit_add(ngx_conf_t *cf, size_t size, void *tag);

/*
 * The key of an address: IPv4 whole, also inside of IPv6; IPv6 by /64.  NGX_OK,
 * or NGX_DECLINED: it has none (a Unix socket).
 */
ngx_int_t ngx_ims_limit_address(struct sockaddr *sa, ngx_ims_limit_key_t *key);

/*
 * One more of something that has a rate.
 *
 * word      when all that was taken is paid for, us; of shared memory, or of a
 *           socket.  0 to begin with
 *
 * Returns 0: taken, or the ms until one may be, 1 at least.
 */
ngx_msec_t ngx_ims_limit_take(ngx_atomic_t *word, ngx_ims_rate_t *rate);

/*
 * A handshake, or a request of the session API (which: ngx_ims_rate_e), of an
 * address or a user: ms to wait, as above.  What is refused is counted as what
 * (ngx_ims_limited_e); *say is 1 when a line in the log is due.
 */
ngx_msec_t ngx_ims_limit_arrive(ngx_ims_limit_t *limit,
    ngx_ims_limit_key_t *key, ngx_ims_rate_t *rate, ngx_uint_t which,
    ngx_uint_t what, ngx_uint_t *say);

/* a socket that is about to be opened */
typedef struct {
    ngx_ims_owner_t          *owner;
    ngx_ims_limits_t         *limits;
    ngx_ims_limit_key_t      *address;        /* NULL: it has none */
    ngx_ims_limit_key_t      *user;           /* NULL: not verified yet */
    uint32_t                  pool;           /* crc32 of its name */
    ngx_uint_t                pool_sockets;   /* limit; 0: none */

    uint32_t                  row;            /* result of NGX_OK; NONE: there
                                                 is no room to count it */
    ngx_uint_t                what;           /* of NGX_BUSY */
    ngx_msec_t                wait;           /* ms, of NGX_BUSY */
    ngx_uint_t                say;            /* 1: a line in the log is due */
} ngx_ims_limit_socket_t;

/*
 * Counts a socket, and its user's handshake.  NGX_OK, or NGX_BUSY: it is one
 * too many, which has been counted.
 */
ngx_int_t ngx_ims_limit_open(ngx_ims_limit_t *limit,
    ngx_ims_limit_socket_t *socket);

/* the user of a socket is known now; NGX_OK, or NGX_BUSY: he has too many */
ngx_int_t ngx_ims_limit_verified(ngx_ims_limit_t *limit, uint32_t row,
    ngx_ims_limit_key_t *user, ngx_uint_t sockets);

/* the socket is gone; row may be NONE */
void ngx_ims_limit_close(ngx_ims_limit_t *limit, uint32_t row,
    ngx_ims_owner_t *owner);

/*
 * One more of which, of the user of a socket; without the lock.  0, or ms, as
 * above; 0 also for a socket whose user is not known.
 */
ngx_msec_t ngx_ims_limit_user(ngx_ims_limit_t *limit, uint32_t row,
    ngx_uint_t which, ngx_ims_rate_t *rate);

/* counts one that was refused */
void ngx_ims_limit_count(ngx_ims_limit_t *limit, ngx_uint_t what);

/*
 * The same, or one that was ended; 1 when a line in the log is due: one a
 * minute for each user, or address before he is known.
 */
ngx_uint_t ngx_ims_limit_reached(ngx_ims_limit_t *limit, uint32_t row,
    ngx_uint_t what);

/* 1 when a line of a kind is due, as above */
ngx_uint_t ngx_ims_limit_due(ngx_ims_limit_t *limit, uint32_t row,
    ngx_uint_t said);

/* counts that a pool's zone had no room; 1 when a line in the log is due */
ngx_uint_t ngx_ims_limit_pool_full(ngx_ims_limit_t *limit);

/* takes the rows of dead workers away; returns how many */
ngx_uint_t ngx_ims_limit_heal(ngx_ims_limit_t *limit,
    ngx_ims_limit_alive_pt alive, void *data);

/* the counter's name in the status, and in words */
const char *ngx_ims_limit_name(ngx_uint_t what);
const char *ngx_ims_limit_words(ngx_uint_t what);


#endif /* _NGX_IMS_LIMIT_H_INCLUDED_ */
