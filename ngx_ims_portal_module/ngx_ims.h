/*
 * Copyright (C) the IMS portal authors
 *
 * What all nginx-side files share: the name of a worker, and a flow, which is
 * anything that a SIP message can be sent on.
 */


#ifndef _NGX_IMS_H_INCLUDED_
#define _NGX_IMS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_ims_sip.h"


/* the largest datagram of SIP that is sent or received, bytes */
#define NGX_IMS_MAX_DATAGRAM  65535


/* worker processes at a time, those that shut down included */
#define NGX_IMS_MAX_WORKERS   512


/*
 * A worker process that owns sockets and transactions.  The instance is random
 * and kept in shared memory, so it survives a reload; the pid tells workers and
 * generations apart.  Both stand in every Via branch and name the worker's
 * hand-over socket (design D5).  All zero: nobody.
 */
typedef struct {
    uint32_t                  instance;
    uint32_t                  pid;
} ngx_ims_owner_t;


#define ngx_ims_owner_equal(a, b)                                             \
    ((a)->instance == (b)->instance && (a)->pid == (b)->pid)


typedef enum {
    NGX_IMS_UDP = 0,
    NGX_IMS_TCP,
    NGX_IMS_TLS,
    NGX_IMS_WS,                          /* WS or WSS, to a browser */
    NGX_IMS_LOCAL                        /* to the portal itself */
} ngx_ims_transport_e;


typedef struct ngx_ims_flow_s  ngx_ims_flow_t;

/*
 * A flow is a value: it is copied, needs no clean-up, and outlives what it
 * leads to (sending then fails).  Towards the core it names an address and
 * transport; a message that came over a connection names that, too, and the
 * worker that has it, so that its answer goes back the same way (RFC 3261
 * 18.2.2).
 *
 * Sends one whole message.  NGX_OK: sent or queued; NGX_ERROR: the flow is gone
 * or its queue is full, nothing was sent.  The bytes stay the caller's.
 */
typedef ngx_int_t (*ngx_ims_flow_send_pt)(ngx_ims_flow_t *flow, u_char *p,
    size_t len);

struct ngx_ims_flow_s {
    ngx_ims_flow_send_pt      send;
    void                     *data;
    unsigned                  reliable:1;     /* no retransmissions */
    unsigned                  transport:3;    /* ngx_ims_transport_e */
    unsigned                  grown:1;        /* UDP, but for its length */
    ngx_sockaddr_t            sockaddr;       /* towards the core */
    socklen_t                 socklen;
    uint64_t                  connection;     /* 0: whichever leads there */
    ngx_ims_owner_t           owner;          /* of it; zero: this worker */
};


#define NGX_IMS_BRANCH_LEN    (sizeof("z9hG4bK") - 1 + 8 + 8 + 16)


#endif /* _NGX_IMS_H_INCLUDED_ */
