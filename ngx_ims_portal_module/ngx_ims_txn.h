/*
 * Copyright (C) the IMS portal authors
 *
 * Transactions (RFC 3261 17 with the Accepted state of RFC 6026), client and
 * server, on datagram and reliable flows.  One table per worker; a transaction
 * is found by its branch.  This file knows no session, call or policy: it calls
 * the handler that its user gave.
 *
 * Timers, with T1 = 500 ms, T2 = 4 s, T4 = 5 s unless set: A, E, G retransmit
 * on datagram flows; B, F, H = 64*T1 end a wait; D = 32 s, I, K = T4, J = 64*T1
 * absorb (0 on reliable flows, RFC 7118); L, M = 64*T1 in Accepted.
 * An INVITE client that has had a provisional answer has no timer of its own
 * here (timer C is its user's business).
 */


#ifndef _NGX_IMS_TXN_H_INCLUDED_
#define _NGX_IMS_TXN_H_INCLUDED_


#include "ngx_ims.h"


typedef struct ngx_ims_txns_s  ngx_ims_txns_t;
typedef struct ngx_ims_txn_s   ngx_ims_txn_t;


/*
 * An answer to a client transaction.
 *
 * rc        NGX_OK: m is the response (every provisional but 100, which is not
 *           told, as often as it comes; each final once; of INVITE each
 *           2xx, repetitions and other branches' included, until the
 *           transaction ends);
 *           NGX_DONE: m is NULL, the transaction is over and will be freed when
 *           the handler returns: it is called exactly once, last, after which t
 *           must not be used;
 *           NGX_BUSY: m is NULL, timed out without a final answer (B, F, or the
 *           64*T1 behind a CANCEL); NGX_DONE follows;
 *           NGX_ERROR: m is NULL, the flow failed; NGX_DONE follows.
 */
typedef void (*ngx_ims_txn_response_pt)(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);

/*
 * An event of a server transaction.
 *
 * rc        NGX_OK: m is a CANCEL for this INVITE (200 for it was sent already
 *           by this layer), the user answers the INVITE with 487;
 *           NGX_BUSY: no ACK came for the final answer (timer H), m is NULL;
 *           NGX_DONE: over, freed when the handler returns; exactly once, last.
 */
typedef void (*ngx_ims_txn_request_pt)(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);


struct ngx_ims_txn_s {
    void                     *data;           /* the user's, may change */
    ngx_ims_flow_t            flow;           /* a copy; data as given */

    ngx_str_t                 request;        /* as sent or received, owned */
    ngx_uint_t                method;         /* ngx_ims_sip_method_e */
    ngx_uint_t                status;         /* last answer seen or sent */

    unsigned                  server:1;
    unsigned                  invite:1;
    unsigned                  canceled:1;

    /* the rest is this layer's own: see ngx_ims_txn.c */
    ngx_uint_t                state;
    u_char                    branch[NGX_IMS_BRANCH_LEN];   /* of a client */
    void                     *priv;
};


typedef struct {
    ngx_msec_t                t1;             /* ms, 500 */
    ngx_msec_t                t2;             /* ms, 4000 */
    ngx_msec_t                t4;             /* ms, 5000 */
    ngx_uint_t                max;            /* transactions at once */
    ngx_atomic_t             *refused;        /* counts those beyond; or NULL */
} ngx_ims_txn_conf_t;


/* the table; allocated from pool, lives as long; NULL on no memory */
ngx_ims_txns_t *ngx_ims_txns_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_ims_owner_t *self, ngx_ims_txn_conf_t *conf);

/* T1, ms */
ngx_msec_t ngx_ims_txns_t1(ngx_ims_txns_t *txns);

/* those made until it is off again are made even when there are too many */
void ngx_ims_txns_urgent(ngx_ims_txns_t *txns, ngx_uint_t on);

/* how many transactions are alive */
ngx_uint_t ngx_ims_txns_count(ngx_ims_txns_t *txns);

/* how many requests of ours wait for a final answer; looks at all of them */
ngx_uint_t ngx_ims_txns_waiting(ngx_ims_txns_t *txns);

/*
 * A connection is gone: each request that was sent on it (flow->connection) and
 * has no final answer ends with NGX_ERROR, from a posted event.
 * refused   it never came about: one that was only too long for a datagram
 *           (flow.grown) is sent as one after all (RFC 3261 18.1.1)
 */
void ngx_ims_txns_flow_failed(ngx_ims_txns_t *txns, ngx_ims_flow_t *flow,
    ngx_uint_t refused);

/*
 * A new unique branch into out (NGX_IMS_BRANCH_LEN bytes): the magic cookie,
 * the owner's instance and pid in hex, 64 random bits in hex.
 */
void ngx_ims_txn_branch(ngx_ims_txns_t *txns, u_char *out);

/* 64 bits of the same sequence, for a tag or an id: 16 hex digits into out */
void ngx_ims_txn_random(ngx_ims_txns_t *txns, u_char *out);

/* the owner that a branch of ours names; NGX_OK, or NGX_DECLINED: not ours */
ngx_int_t ngx_ims_txn_branch_owner(ngx_ims_str_t *branch,
    ngx_ims_owner_t *owner);

/*
 * Sends a request and starts its client transaction.
 *
 * flow      copied; for a flow whose data may die first, see
 *           ngx_ims_txn_detach()
 * branch    the one in the request's top Via, from ngx_ims_txn_branch()
 * p, len    the whole request, copied; ACK is not sent this way
 *
 * Returns the transaction, or NULL (no memory, too many, first send failed):
 * then the handler was not and will not be called.
 */
ngx_ims_txn_t *ngx_ims_txn_client(ngx_ims_txns_t *txns, ngx_ims_flow_t *flow,
    ngx_uint_t method, u_char *branch, u_char *p, size_t len,
    ngx_ims_txn_response_pt handler, void *data);

/*
 * The request of t once more, p and len with another branch, to another flow: a
 * client transaction with the handler and data of t, which goes on by itself.
 * NULL as above.
 */
ngx_ims_txn_t *ngx_ims_txn_again(ngx_ims_txn_t *t, ngx_ims_flow_t *flow,
    u_char *branch, u_char *p, size_t len);

/*
 * Cancels an INVITE client transaction (RFC 3261 9.1): the CANCEL waits for the
 * first provisional answer, has the INVITE's Request-URI, Via, From, To,
 * Call-ID, Route and CSeq number, and is a transaction of its own inside this
 * layer.
 * reason    whole header lines to add, e.g. a Reason, or NULL
 * No effect when a final answer has come or it was canceled before.
 */
void ngx_ims_txn_cancel(ngx_ims_txn_t *t, ngx_str_t *reason);

/*
 * A response came in.  Finds its client transaction by branch and CSeq method
 * and calls its handler; sends the ACK of a non-2xx final itself (17.1.1.3).
 * Returns NGX_OK, or NGX_DECLINED when there is none.
 */
ngx_int_t ngx_ims_txn_response(ngx_ims_txns_t *txns, ngx_ims_sip_msg_t *m);

/*
 * A request came in.  Returns NGX_OK: a retransmission, an ACK of a non-2xx or
 * a CANCEL that matched, all done here; NGX_DECLINED: a new request (or an ACK
 * of a 2xx, or a CANCEL without its INVITE), the caller goes on.
 * Matching is by branch, sent-by and method (17.2.3), and by scope: any value
 * that keeps equal branches of different browsers apart (0 for the core's
 * side).  What a browser repeats on a new socket, and was answered, is answered
 * there once more; the transaction keeps its own flow until
 * ngx_ims_txn_resume().
 */
ngx_int_t ngx_ims_txn_request(ngx_ims_txns_t *txns, ngx_ims_sip_msg_t *m,
    ngx_ims_flow_t *flow, uint64_t scope);

/*
 * Starts a server transaction for a new request.  m->text is copied.  An INVITE
 * on a datagram flow gets no automatic 100: the caller answers at once.
 * NULL: no memory or too many (the caller answers 503 statelessly).
 */
ngx_ims_txn_t *ngx_ims_txn_server(ngx_ims_txns_t *txns, ngx_ims_sip_msg_t *m,
    ngx_ims_flow_t *flow, uint64_t scope, ngx_ims_txn_request_pt handler,
    void *data);

/*
 * Sends an answer on a server transaction: 1xx any number of times; a final one
 * once, kept for retransmission and for absorbing (2xx of INVITE: RFC 6026,
 * further 2xx are sent on as they come).  The bytes are copied.
 * NGX_OK, or NGX_ERROR: not sent (flow gone; no memory; already answered).
 */
ngx_int_t ngx_ims_txn_reply(ngx_ims_txn_t *t, ngx_uint_t status, u_char *p,
    size_t len);

/*
 * The other end of the flow is gone (a browser's socket closed): nothing more
 * is sent on it, a client transaction ends with NGX_ERROR then NGX_DONE from a
 * posted event, a server transaction lives on until its user has answered it.
 */
void ngx_ims_txn_detach(ngx_ims_txn_t *t);

/* the same dialogs on a new socket: replaces the flow's data */
void ngx_ims_txn_reattach(ngx_ims_txn_t *t, ngx_ims_flow_t *flow);

/*
 * The other end of the flow is gone, and may come back on another one: nothing
 * is sent, nothing ends for that, and a final answer is kept for 64*T1.
 */
void ngx_ims_txn_suspend(ngx_ims_txn_t *t);

/*
 * It is back: as ngx_ims_txn_reattach(), and what it may have missed is sent
 * again: a request without a final answer, or the last answer.
 */
void ngx_ims_txn_resume(ngx_ims_txn_t *t, ngx_ims_flow_t *flow);

/* another user of a server transaction from now on */
void ngx_ims_txn_take(ngx_ims_txn_t *t, ngx_ims_txn_request_pt handler,
    void *data);

/*
 * Frees a server transaction at once, without an answer: its request begins
 * anew elsewhere.  Nobody is told.  Not from inside its handler.
 */
void ngx_ims_txn_abandon(ngx_ims_txn_t *t);


#endif /* _NGX_IMS_TXN_H_INCLUDED_ */
