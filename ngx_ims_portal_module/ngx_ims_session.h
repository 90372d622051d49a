/*
 * Copyright (C) the IMS portal authors
 *
 * One browser: its WebSocket (RFC 6455, RFC 7118), who it is, and what hangs on
 * it while it lives.  The worker's context stands here, too, because everything
 * above needs both.  Messages and the end go up through the worker's handlers.
 */


#ifndef _NGX_IMS_SESSION_H_INCLUDED_
#define _NGX_IMS_SESSION_H_INCLUDED_


#include "ngx_ims_core.h"
#include "ngx_ims_leader.h"
#include "ngx_ims_dialog.h"
#include "ngx_ims_ipc.h"
#include "ngx_ims_jwt.h"
#include "ngx_ims_limit.h"
#include "ngx_ims_media.h"
#include "ngx_ims_order.h"
#include "ngx_ims_token.h"
#include "ngx_ims_txn.h"
#include "ngx_ims_workers.h"
#include "ngx_ims_ws.h"


enum {
    NGX_IMS_SESSION_BUCKETS = 4096,
    NGX_IMS_SESSION_TURN = 262144,       /* bytes read before others are */
    NGX_IMS_SESSION_MIN = 90,            /* s, least session timer, RFC 4028 */
    NGX_IMS_SESSION_CLOSE_WAIT = 3000,   /* ms for the browser's close frame */
    NGX_IMS_SESSION_HURRY = 500          /* ms, when the worker has no time */
};


typedef struct ngx_ims_worker_s    ngx_ims_worker_t;
typedef struct ngx_ims_session_s   ngx_ims_session_t;


/* how a session ended */
typedef enum {
    NGX_IMS_END_LOST = 0,                /* the socket broke, grace time */
    NGX_IMS_END_LEFT,                    /* a close frame: Mary left (D18) */
    NGX_IMS_END_MOVED,                   /* another socket took over */
    NGX_IMS_END_EXPIRED                  /* the token ended */
} ngx_ims_end_e;


/* what a location says about its browsers; read-only after configuration */
typedef struct {
    ngx_ims_pool_t           *pool;
    ngx_ims_token_policy_t    token;
    ngx_uint_t                auth;           /* ngx_ims_auth_e */
    ngx_msec_t                ping;           /* ms */
    ngx_uint_t                ping_misses;
    size_t                    message_size;   /* bytes */
    ngx_msec_t                grace;          /* ms */
    ngx_msec_t                handshake;      /* ms until a REGISTER */
    ngx_msec_t                drain;          /* ms, jitter at a reload */
    time_t                    register_expires;  /* s asked of the core */
    time_t                    token_grace;    /* s for a fresh one in SIP */
    time_t                    token_finish;   /* s that calls may go on behind
                                                 the token's end; 0: none */
    ngx_str_t                 authz_server;   /* of 401, may be empty */
    ngx_uint_t                refer;          /* ngx_ims_refer_e */
    time_t                    session_timer;  /* s, RFC 4028; 0: off */
    time_t                    session_min;    /* s */
    ngx_ims_limits_t          limits;
} ngx_ims_policy_t;


typedef enum {
    NGX_IMS_REFER_OFF = 0,
    NGX_IMS_REFER_DIALOG,
    NGX_IMS_REFER_ON
} ngx_ims_refer_e;


enum {
    NGX_IMS_AUTH_HANDSHAKE = 0x1,
    NGX_IMS_AUTH_SIP = 0x2
};


/* a parsed message with its own header array */
typedef struct {
    ngx_ims_sip_msg_t         msg;
    ngx_ims_sip_hdr_t         hdrs[NGX_IMS_SIP_MAX_HEADERS];
} ngx_ims_parsed_t;


typedef void (*ngx_ims_message_pt)(ngx_ims_session_t *s, u_char *p,
    size_t len);
typedef void (*ngx_ims_end_pt)(ngx_ims_session_t *s, ngx_ims_end_e how);
typedef void (*ngx_ims_token_end_pt)(ngx_ims_session_t *s);
typedef void (*ngx_ims_refresh_pt)(ngx_ims_session_t *s);
typedef void (*ngx_ims_wake_session_pt)(ngx_ims_session_t *s);
typedef void (*ngx_ims_close_pt)(ngx_connection_t *c);


struct ngx_ims_worker_s {
    ngx_cycle_t              *cycle;
    ngx_log_t                *log;
    ngx_ims_owner_t           self;
    ngx_ims_txns_t           *txns;
    ngx_msec_t                t1;             /* ms, of the transactions */
    ngx_ims_ipc_t            *ipc;
    ngx_ims_media_t          *media;          /* NULL: none configured */
    ngx_array_t              *pools;          /* ngx_ims_pool_t * */
    ngx_array_t              *cores;          /* ngx_ims_core_t * */
    ngx_ims_leader_t         *leader;
    ngx_ims_workers_t        *workers;
    ngx_ims_limit_t          *limit;

    ngx_ims_message_pt        message;        /* a whole SIP message came */
    ngx_ims_end_pt            end;            /* once per session */
    ngx_ims_token_end_pt      token_end;      /* its token has ended, and again
                                                 when nothing keeps it, or at
                                                 ngx_ims_session_until() */
    ngx_ims_refresh_pt        refresh;        /* the core's clock asks */
    ngx_ims_wake_session_pt   wake;           /* what s->waiting was for has
                                                 come */
    ngx_ims_close_pt          close;          /* of who accepted it */

    ngx_queue_t               buckets[NGX_IMS_SESSION_BUCKETS];
    ngx_queue_t               sessions;
    ngx_uint_t                nsessions;

    unsigned                  tidying:1;      /* see ngx_ims_quit.h */
    unsigned                  struck:1;       /* worker_shutdown_timeout */

    /* scratch: valid within one event only */
    u_char                   *in;             /* received bytes */
    size_t                    in_size;
    u_char                   *out;            /* a frame or datagram */
    size_t                    out_size;
    u_char                   *text;           /* arena of edits */
    size_t                    text_size;
    ngx_ims_sip_edit_t       *edits;
    ngx_uint_t                nedits;
    u_char                   *record;         /* texts of zone records */
    u_char                   *record2;
    ngx_ims_parsed_t         *parsed;         /* the message that came */
    ngx_ims_parsed_t         *saved;          /* one looked up beside it */
    u_char                   *again;          /* the branch with which what is
                                                 being delivered was sent to
                                                 its browser before, or NULL */
};


typedef struct ngx_ims_out_s  ngx_ims_out_t;

struct ngx_ims_out_s {
    ngx_ims_out_t            *next;
    u_char                   *pos;
    u_char                   *last;
    /* bytes follow */
};


struct ngx_ims_session_s {
    ngx_connection_t         *connection;
    ngx_ims_worker_t         *worker;
    ngx_ims_policy_t         *policy;
    ngx_ims_pool_t           *pool;

    ngx_queue_t               queue;          /* of all sessions */
    ngx_queue_t               bucket;         /* by binding, when bound */

    ngx_str_t                 host;           /* of the handshake */
    ngx_str_t                 user;           /* the grant's subject */
    ngx_ims_grant_t          *grant;          /* of its latest token; NULL:
                                                 none has been seen */
    time_t                    token_expires;
    time_t                    expires;        /* granted to the browser */

    uint32_t                  opened_after;   /* orders, see ngx_ims_order.h */
    uint32_t                  bound_after;
    uint32_t                  lease;
    ngx_ims_ref_t             binding;
    u_char                    token[NGX_IMS_TOKEN_LEN];  /* of the binding */
    uint64_t                  scope;          /* of its server transactions:
                                                 the binding, or s itself */

    ngx_ims_flow_t            flow;

    ngx_event_t               token_event;
    ngx_event_t               refresh_event;

    void                     *registering;    /* a REGISTER under way */
    void                     *registration;   /* see ngx_ims_uac.h */
    void                     *clock;          /* of its dialogs, or NULL */
    void                     *challenge;      /* see ngx_ims_retry.h */
    void                     *waiting;        /* see ngx_ims_waiter.h */

    ngx_queue_t               requests;       /* forwarded, under way */
    ngx_uint_t                nrequests;
    ngx_uint_t                npending;       /* of them, not answered yet */
    ngx_queue_t               up;             /* waiting behind the helper */
    ngx_queue_t               down;
    ngx_uint_t                nwaiting;
    ngx_uint_t                ncalls;         /* confirmed dialogs */

    u_char                   *in;             /* a partial frame */
    size_t                    in_len;
    size_t                    in_size;
    u_char                   *message;        /* fragments so far */
    size_t                    message_len;
    size_t                    message_size;   /* room for them */

    uint32_t                  row;            /* in the table of limits */
    ngx_uint_t                over;           /* refused for a rate, of late */
    ngx_atomic_t              frames;         /* ngx_ims_limit_take() */
    ngx_msec_t                begun;          /* the message that is partly
                                                 here; 0: none */
    ngx_msec_t                ping_due;       /* 0: the timer is for that */

    ngx_ims_out_t            *out;
    ngx_ims_out_t           **out_last;
    size_t                    out_bytes;

    ngx_uint_t                misses;         /* pings without a sign */
    ngx_uint_t                leave;          /* close code behind its calls */
    const char               *leave_reason;   /* NULL: registration lost */

    unsigned                  tls:1;
    unsigned                  known:1;        /* a token was verified */
    unsigned                  leased:1;
    unsigned                  bound:1;        /* has a binding */
    unsigned                  registered:1;   /* upstream, and the browser
                                                 was told */
    unsigned                  fragmented:1;   /* within a message */
    unsigned                  closing:1;      /* close frame sent */
    unsigned                  closed:1;       /* ... and received */
    unsigned                  ended:1;        /* end() was called */
    unsigned                  draining:1;     /* this worker goes away */
    unsigned                  expired:1;      /* no new calls */
    unsigned                  up_busy:1;      /* a message waits: helper */
    unsigned                  down_busy:1;
    unsigned                  refresh_now:1;  /* although the registration
                                                 lasts */
    unsigned                  up_waits:1;     /* ... not for the helper, see
                                                 ngx_ims_forward_pause() */
    unsigned                  heard:1;        /* since the last ping */
    unsigned                  slow:1;         /* its queue is full */
};


/*
 * Makes a session of an upgraded connection: the caller has sent the 101 and
 * gave the HTTP request back; from now on read and write events are ours.
 * host, of the handshake, is copied.  The session lives until its connection is
 * closed.  row is its row in the table of limits, given back with it.  NULL: no
 * memory, the caller closes, and gives the row back.
 */
ngx_ims_session_t *ngx_ims_session_create(ngx_connection_t *c,
    ngx_ims_worker_t *worker, ngx_ims_policy_t *policy, ngx_str_t *host,
    uint32_t row);

/*
 * Undoes ngx_ims_session_create() before the start, s is freed; c stays the
 * caller's.
 */
void ngx_ims_session_abort(ngx_ims_session_t *s);

/* begins to read; left, may be empty: bytes that came behind the handshake */
void ngx_ims_session_start(ngx_ims_session_t *s, ngx_str_t *left);

/*
 * Sends one SIP message as one WebSocket message: text, or binary when it is
 * not UTF-8 (RFC 7118 5).  NGX_OK, or NGX_ERROR: closed, or the reader is too
 * slow (it is then closed).
 */
ngx_int_t ngx_ims_session_send(ngx_ims_session_t *s, u_char *p, size_t len);

/*
 * Ends the session: a close frame with code, then the TCP close when the
 * browser has answered it or after 3 s.  The end handler is called before this
 * returns. s must not be used afterwards.
 */
void ngx_ims_session_close(ngx_ims_session_t *s, ngx_uint_t code,
    const char *reason, ngx_ims_end_e how);

/* the live session that has a binding in this worker, or NULL */
ngx_ims_session_t *ngx_ims_session_find(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *ref);

/* enters it under its binding */
void ngx_ims_session_bind(ngx_ims_session_t *s, ngx_ims_ref_t *ref);

/*
 * Who the browser is, from a verified token, whose grant is copied; a later
 * token must be of the same user.  NGX_OK, NGX_DECLINED: another user,
 * NGX_BUSY: the user has too many sockets, NGX_ERROR: no memory.
 */
ngx_int_t ngx_ims_session_identify(ngx_ims_session_t *s,
    ngx_ims_grant_t *grant);

/*
 * Looks whether a fresh token of the user was seen somewhere else, and lives as
 * long as that, if it is longer: 1.  Cheap enough for each REGISTER.
 */
ngx_uint_t ngx_ims_session_renew(ngx_ims_session_t *s);

/* w->token_end() is to be called once more at that time, s */
void ngx_ims_session_until(ngx_ims_session_t *s, time_t until);

/*
 * Called when something that kept the session busy has ended: a draining or
 * expired session is closed if nothing is left; else its idle mark is set
 * right.
 */
void ngx_ims_session_settle(ngx_ims_session_t *s);

/* the key of its user in the table of limits */
void ngx_ims_session_key(ngx_ims_pool_t *pool, u_char *digest,
    ngx_ims_limit_key_t *key);

/*
 * It is at a limit (ngx_ims_limited_e): counts that, and logs it once a minute
 * for each user.
 */
void ngx_ims_session_limited(ngx_ims_session_t *s, ngx_uint_t what);

/* the same, and closes it with 1008: s must not be used afterwards */
void ngx_ims_session_flooded(ngx_ims_session_t *s, ngx_uint_t what);

/* scratch of a worker; NGX_OK or NGX_ERROR */
ngx_int_t ngx_ims_worker_scratch(ngx_ims_worker_t *w, ngx_pool_t *pool);


#endif /* _NGX_IMS_SESSION_H_INCLUDED_ */
