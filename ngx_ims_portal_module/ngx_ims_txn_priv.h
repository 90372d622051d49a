/*
 * Copyright (C) the IMS portal authors
 *
 * What the three files of the transaction layer share: ngx_ims_txn.c owns the
 * table and the end of a transaction, ngx_ims_txn_client.c and
 * ngx_ims_txn_server.c the two pairs of state machines.  Nobody else includes
 * this.
 */


#ifndef _NGX_IMS_TXN_PRIV_H_INCLUDED_
#define _NGX_IMS_TXN_PRIV_H_INCLUDED_


#include "ngx_ims_txn.h"


/* states of RFC 3261 17.1, 17.2 and RFC 6026 7; CALLING is also Trying */

typedef enum {
    NGX_IMS_TXN_CALLING = 1,
    NGX_IMS_TXN_PROCEEDING,
    NGX_IMS_TXN_COMPLETED,
    NGX_IMS_TXN_CONFIRMED,
    NGX_IMS_TXN_ACCEPTED,
    NGX_IMS_TXN_TERMINATED
} ngx_ims_txn_state_e;


typedef struct ngx_ims_txn_priv_s  ngx_ims_txn_priv_t;

struct ngx_ims_txn_priv_s {
    ngx_ims_txn_t             pub;            /* first: what the user sees */

    ngx_ims_txns_t           *txns;
    ngx_ims_txn_priv_t       *next;           /* in the bucket */
    uint64_t                  hash;
    uint64_t                  scope;          /* of a server */

    ngx_ims_txn_response_pt   handler;        /* both kinds look alike */

    ngx_event_t               event;          /* the one timer, or posted */
    ngx_msec_t                interval;       /* to the next repetition */
    ngx_msec_t                deadline;       /* B, F, H: absolute */

    /* client: the ACK, before it the Reason; server: the last answer */
    ngx_str_t                 extra;

    /* server: the key, in pub.request */
    ngx_ims_str_t             via_branch;
    ngx_ims_str_t             via_host;
    ngx_ims_str_t             call_id;
    uint32_t                  cseq;
    uint16_t                  via_port;

    ngx_int_t                 rc;             /* posted before NGX_DONE */

    unsigned                  busy:1;         /* inside the user's handler */
    unsigned                  done:1;         /* NGX_DONE was given */
    unsigned                  detached:1;
    unsigned                  suspended:1;    /* detached, for a while */
    unsigned                  cancel_wait:1;  /* for the first provisional */
};


struct ngx_ims_txns_s {
    ngx_log_t                *log;
    ngx_ims_owner_t           self;
    ngx_ims_txn_conf_t        conf;

    ngx_ims_txn_priv_t      **buckets;
    ngx_uint_t                nbuckets;       /* a power of 2 */
    ngx_uint_t                count;

    uint64_t                  key[4];         /* of hashes and branches */
    uint64_t                  serial;

    ngx_msec_t                full_time;      /* when that was logged */
    unsigned                  full:1;
    unsigned                  urgent:1;       /* whatever conf.max is */
};


/*
 * A zeroed transaction with a copy of its request, not in the table yet.  NULL:
 * no memory, or too many and not forced.
 */
ngx_ims_txn_priv_t *ngx_ims_txn_alloc(ngx_ims_txns_t *txns, u_char *p,
    size_t len, ngx_event_handler_pt handler, ngx_uint_t forced);

/* one that is not in the table */
void ngx_ims_txn_free(ngx_ims_txn_priv_t *x);

/* x->hash is set */
void ngx_ims_txn_insert(ngx_ims_txn_priv_t *x);

/* out of the table */
void ngx_ims_txn_unlink(ngx_ims_txn_priv_t *x);

/* a client is back: its request once more, or its CANCEL */
void ngx_ims_txn_client_resume(ngx_ims_txn_priv_t *x);

/* the first in the bucket of a hash; the caller compares and goes on */
ngx_ims_txn_priv_t *ngx_ims_txn_bucket(ngx_ims_txns_t *txns, uint64_t hash);

/* keyed, so that nobody outside can fill one bucket */
uint64_t ngx_ims_txn_hash(ngx_ims_txns_t *txns, uint64_t salt, u_char *p,
    size_t len);

/* replaces x->extra by a copy; NGX_OK, or NGX_ERROR: no memory, it is empty */
ngx_int_t ngx_ims_txn_keep(ngx_ims_txn_priv_t *x, u_char *p, size_t len);

/* the timer, in ms from now; the one before is taken back */
void ngx_ims_txn_timer(ngx_ims_txn_priv_t *x, ngx_msec_t msec);

/* the timer for the next repetition or the deadline, what comes first */
void ngx_ims_txn_repeat(ngx_ims_txn_priv_t *x);

/* 1 when the deadline has passed */
ngx_uint_t ngx_ims_txn_expired(ngx_ims_txn_priv_t *x);

void ngx_ims_txn_timer_stop(ngx_ims_txn_priv_t *x);

/* the flow's send, unless it was detached */
ngx_int_t ngx_ims_txn_send(ngx_ims_txn_priv_t *x, u_char *p, size_t len);

/* calls the user; x lives on, but its state may have changed */
void ngx_ims_txn_call(ngx_ims_txn_priv_t *x, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);

/* NGX_DONE to the user and the end of x, at once; not inside a user's call */
void ngx_ims_txn_finish(ngx_ims_txn_priv_t *x);

/* the same with an outcome before it */
void ngx_ims_txn_fail(ngx_ims_txn_priv_t *x, ngx_int_t rc);

/* the same from a posted event; rc NGX_DONE: no outcome before it */
void ngx_ims_txn_finish_later(ngx_ims_txn_priv_t *x, ngx_int_t rc);

/* what an event handler does first; NGX_DONE: x is gone */
ngx_int_t ngx_ims_txn_woken(ngx_ims_txn_priv_t *x);


#endif /* _NGX_IMS_TXN_PRIV_H_INCLUDED_ */
