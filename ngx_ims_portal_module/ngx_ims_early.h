/*
 * Copyright (C) the IMS portal authors
 *
 * The dialogs that an INVITE makes before and with its answer (RFC 3261 12.1,
 * 13.2.2.4).  A browser can hold one remote description, so the branches of a
 * forked INVITE are shown to it as one dialog, under the To tag that it saw
 * first (spec SE-16).  Provisional answers that one side wants acknowledged
 * and the other does not know (RFC 3262) are the portal's own business.
 */


#ifndef _NGX_IMS_EARLY_H_INCLUDED_
#define _NGX_IMS_EARLY_H_INCLUDED_


#include "ngx_ims_forward.h"


enum {
    NGX_IMS_EARLY_RACK = 64              /* bytes of a RAck value */
};


/*
 * A browser's INVITE is about to go up: unless it knows reliable provisional
 * answers itself, the portal offers them in its place.
 */
void ngx_ims_early_offer(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e);

/* the core's INVITE goes down: what it demands is offered */
void ngx_ims_early_demand(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e);

/*
 * A provisional answer or a 2xx of the core to a browser's INVITE, before it is
 * passed on.  NGX_OK: it may be; NGX_DONE: it was a repetition, out of order,
 * the end of one branch, or a second call, which was ended.
 */
ngx_int_t ngx_ims_early_response(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m);

/*
 * What the helper has to translate in an answer to an INVITE: its SDP, or, in a
 * 2xx without, what its branch had said before; empty: nothing.
 */
void ngx_ims_early_sdp(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *sdp);

/*
 * Records the dialog that an answer to an initial INVITE makes, confirms or
 * ends; orig is the INVITE.  NGX_ERROR: a call that nobody could end later.
 */
ngx_int_t ngx_ims_early_dialog(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f);

/* the dialog that m makes; texts in m, orig and the arena of e */
void ngx_ims_early_fill(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f, ngx_ims_sip_edits_t *e,
    ngx_ims_dialog_t *d);

/* To, Require and RSeq of an answer to a browser's INVITE as it is shown */
void ngx_ims_early_show(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_route_t *r, ngx_ims_sip_edits_t *e);

/*
 * Where SRTP is preferred and was refused by an answer to an INVITE of a
 * browser: the helper makes an offer without, which goes in another transaction
 * of the same call.
 *
 * t        the one that was answered with m
 * handler  of the new one, with fw as data
 *
 * NGX_OK, or NGX_DECLINED: m is to be passed on.
 */
ngx_int_t ngx_ims_early_plain(ngx_ims_forward_t *fw, ngx_ims_txn_t *t,
    ngx_ims_sip_msg_t *m, ngx_ims_txn_response_pt handler);

/* ends a call that a 2xx made and nobody wants: ACK, and BYE once a branch */
void ngx_ims_early_lose(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    const char *reason);

/*
 * A PRACK of the browser: the branch that it means, whose record replaces d.
 * Returns the RSeq as that branch knows it, 0: as the browser said.
 */
uint32_t ngx_ims_early_rack(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d, u_char *buf);

/*
 * Within a dialog the browser may know the far end by another tag, and where it
 * answered last only we know for sure: names and Request-URI of a request to
 * the core.  rack has NGX_IMS_EARLY_RACK bytes, which must last as long as r;
 * fw and rack may be NULL for an ACK.
 */
void ngx_ims_early_names_up(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d, ngx_ims_route_t *r, u_char *rack);

/* the names of a request to the browser */
void ngx_ims_early_names_down(ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d,
    ngx_ims_route_t *r, u_char *rack);

/*
 * The browser's provisional answer m to the core's INVITE orig: the RSeq with
 * which it will be sent on, 0: as it is.
 */
uint32_t ngx_ims_early_number(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig);

/*
 * Sends an answer to an INVITE, now or, of the core's, when what is before it
 * was acknowledged.  rseq: from ngx_ims_early_number(); sdp: 1 when it has SDP.
 */
void ngx_ims_early_reply(ngx_ims_forward_t *fw, ngx_uint_t status, u_char *p,
    size_t len, uint32_t rseq, ngx_uint_t sdp);

/* 1 while the 2xx of a browser waits for the PRACK of what is before it */
ngx_uint_t ngx_ims_early_waits(ngx_ims_forward_t *fw);

/*
 * A PRACK of the core within d.  NGX_OK: it was for the portal and is answered;
 * NGX_AGAIN: it was, and its offer is to be passed on in an UPDATE;
 * NGX_DECLINED: it is for the browser.
 */
ngx_int_t ngx_ims_early_acked(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d);

/*
 * 1 when the SDP of a PRACK is the answer to an offer that was in a reliable
 * provisional answer (RFC 3262 5): asked once
 */
ngx_uint_t ngx_ims_early_answered(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up);


#endif /* _NGX_IMS_EARLY_H_INCLUDED_ */
