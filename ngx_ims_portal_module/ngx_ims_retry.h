/*
 * Copyright (C) the IMS portal authors
 *
 * A core's 401 or 407 to any request but REGISTER, ACK and CANCEL: the request
 * is sent again with credentials (RFC 3261 22.2, 22.3, spec RG-10).  A
 * challenge is kept with the browser's session, so that its next requests need
 * not be challenged.
 */


#ifndef _NGX_IMS_RETRY_H_INCLUDED_
#define _NGX_IMS_RETRY_H_INCLUDED_


#include "ngx_ims_session.h"


enum {
    NGX_IMS_RETRY_MAX = 3                /* challenges of one request */
};


/* who asks, and how often that was challenged: zeroed at first */
typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_session_t        *session;        /* NULL: the browser is away */
    uint32_t                  lease;
    ngx_uint_t                tries;          /* challenges answered so far */
} ngx_ims_retry_t;


/*
 * Answers a challenge: sends the request of t again, with another branch and
 * credentials, in a transaction of its own.
 *
 * m        the 401 or 407
 * cseq     of the new request; 0: the next after the old one's
 * handler  gets data with the answers
 *
 * Returns the transaction, r->tries is counted then; NULL: there is no secret,
 * it was refused (a new challenge without stale=true), or nothing could be
 * sent: logged.
 */
ngx_ims_txn_t *ngx_ims_retry_send(ngx_ims_retry_t *r, ngx_ims_txn_t *t,
    ngx_ims_sip_msg_t *m, uint32_t cseq, ngx_ims_txn_response_pt handler,
    void *data);

/*
 * Credentials for a request that was not challenged yet, when the session has a
 * nonce that serves: added to the edits of m, whose Request-URI will be uri.
 */
void ngx_ims_retry_ahead(ngx_ims_session_t *s, ngx_ims_sip_edits_t *e,
    ngx_ims_sip_msg_t *m, ngx_ims_str_t *uri);

/* a 2xx of the core may name the next nonce (RFC 7616 3.5) */
void ngx_ims_retry_next(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m);


#endif /* _NGX_IMS_RETRY_H_INCLUDED_ */
