/*
 * Copyright (C) the IMS portal authors
 *
 * The order of requests within a dialog.  Several workers read what the core
 * sends by UDP, and each hands over by itself, so that one request may overtake
 * another on the way to its browser.  Their CSeq tells (RFC 3261 12.2.2): one
 * that comes before its turn waits a moment for those before it.
 */


#ifndef _NGX_IMS_TURN_H_INCLUDED_
#define _NGX_IMS_TURN_H_INCLUDED_


#include "ngx_ims_session.h"


enum {
    NGX_IMS_TURN_WAIT = 50,              /* ms, below any retransmission */
    NGX_IMS_TURN_WAITS = 9,              /* more of them, for a 2xx */
    NGX_IMS_TURN_MAX = 256,              /* requests that wait, of a worker */
    NGX_IMS_TURN_DIALOG = 64,            /* ... of one dialog */
    NGX_IMS_TURN_SEEN = 1024             /* dialogs remembered, a power of 2 */
};


/* a request that has waited; p may be written to */
typedef void (*ngx_ims_turn_pt)(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len);


/*
 * Registers who gets a request after it has waited; once, in init_process.
 * Where one worker reads alone only a BYE may wait, for the 2xx that waits for
 * the media helper.
 */
void ngx_ims_turn_init(ngx_ims_worker_t *w, ngx_ims_turn_pt handler);

/* a message was handed over: this worker does not read alone */
void ngx_ims_turn_handed(void);

/*
 * A request of the core for the browser s.  NGX_OK: others come before it, it
 * was copied and is given to the handler once they have passed, or after
 * NGX_IMS_TURN_WAIT; NGX_DECLINED: it passes now; NGX_BUSY: too many of its
 * dialog wait.  When too many of others do it passes: a lost order is less than
 * a lost request.
 *
 * The first one of a side waits, too: it may begin anywhere.  So does what
 * comes before the ACK of a 2xx.  Longer waits a BYE before the 2xx, which may
 * be with the media helper, and a request of a dialog that is not known while
 * requests of the browser are under way.  A gap that stays is the core's own:
 * numbers are skipped where somebody on the way answers a request.
 */
ngx_int_t ngx_ims_turn_hold(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m);

/* the request has passed or was answered: those that wait are looked at */
void ngx_ims_turn_passed(void);


#endif /* _NGX_IMS_TURN_H_INCLUDED_ */
