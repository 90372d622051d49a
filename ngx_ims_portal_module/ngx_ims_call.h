/*
 * Copyright (C) the IMS portal authors
 *
 * What a call holds beyond its transactions: a dialog record and a place in a
 * media helper.  Gathers the facts that policy needs, ends calls, speaks for a
 * side (design D17).
 */


#ifndef _NGX_IMS_CALL_H_INCLUDED_
#define _NGX_IMS_CALL_H_INCLUDED_


#include "ngx_ims_session.h"
#include "ngx_ims_route.h"


/* host:port;transport=tcp */
#define NGX_IMS_EDGE_LEN  (NGX_SOCKADDR_STRLEN + 256 + 16)


/* the facts with their texts; the record buffers of the worker hold the rest */
typedef struct {
    ngx_ims_route_t           r;
    u_char                    impu[NGX_IMS_MAX_IMPU];
    u_char                    token[NGX_IMS_TOKEN_LEN];
    u_char                    edge[NGX_IMS_EDGE_LEN];
    u_char                    via[NGX_IMS_EDGE_LEN];
    u_char                    branch[NGX_IMS_BRANCH_LEN];
    u_char                    icid[16 + 1 + NGX_IMS_EDGE_LEN];
    u_char                    name[2 + 4 * NGX_IMS_GRANT_NAME];
} ngx_ims_facts_t;


/*
 * Fills identity, token, edge, web host and a new branch.  s may be NULL (the
 * browser is away).  NGX_OK, or NGX_ERROR: the identity is unknown here.
 */
ngx_int_t ngx_ims_call_facts(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, uint32_t lease,
    ngx_ims_facts_t *f);

/* what the Via of a request up says: after the facts, once flow is known */
void ngx_ims_call_via(ngx_ims_pool_t *pool, ngx_ims_flow_t *flow,
    ngx_ims_facts_t *f);

/*
 * The flow to the first of some routes (a header value), to target when there
 * is none, or to a configured server when that is a name or a stranger.
 */
ngx_int_t ngx_ims_call_hop(ngx_ims_pool_t *pool, ngx_str_t *routes,
    ngx_str_t *target, uint64_t *tried, ngx_ims_flow_t *flow);

/* looks the first of these up, if it is a name, so that it is known later */
void ngx_ims_call_prefetch(ngx_ims_pool_t *pool, ngx_str_t *routes,
    ngx_str_t *target);

/* the same for a request that is not tried at another server */
ngx_int_t ngx_ims_call_next_hop(ngx_ims_pool_t *pool, ngx_str_t *routes,
    ngx_str_t *target, ngx_ims_flow_t *flow);

/*
 * 1 when the far end of a dialog is a browser of the portal, and no helper has
 * a part in it (spec UC-7).  One that went by a core which keeps out of the
 * route has one.
 */
ngx_uint_t ngx_ims_call_local(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);

/*
 * The name of a call towards the helper: unique even when both ends of a call
 * are behind this portal and share the Call-ID.  out has call_id.len + 10
 * bytes.
 */
void ngx_ims_call_media_id(ngx_ims_str_t *call_id, ngx_ims_ref_t *binding,
    ngx_uint_t originated, u_char *out, ngx_str_t *id);

/* tells the helper that a call is over; no answer is awaited */
void ngx_ims_call_media_delete(ngx_ims_worker_t *w, ngx_ims_str_t *call_id,
    ngx_ims_ref_t *binding, ngx_uint_t originated, ngx_int_t helper);

/*
 * The dialog is over: frees its record and, exactly once, its media.  Returns 1
 * when this call ended it, 0 when it was gone before.
 */
ngx_uint_t ngx_ims_call_end(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d);

/*
 * The call in a dialog is over, as ngx_ims_call_end(), but what is subscribed
 * to in that dialog goes on.
 */
ngx_uint_t ngx_ims_call_over(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d);

/*
 * Sends BYE for the browser to the core (up) and, when s is there, for the far
 * end to the browser (down), with a Reason: e.g. "SIP;cause=480;text=\"...\"".
 */
void ngx_ims_call_bye(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_dialog_t *d, ngx_uint_t up, ngx_uint_t down,
    const char *reason);

/*
 * Ends one dialog of a binding with BYE up, and down when s is there; 1 while
 * there may be another.
 */
ngx_uint_t ngx_ims_call_end_one(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, const char *reason);

/*
 * The BYE down as text, into w->out: transport and host are those of its Via.
 * Returns its length, 0: nobody to send it to.
 */
size_t ngx_ims_call_bye_text(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d, const char *transport, ngx_str_t *host,
    const char *reason);

/*
 * The worker that was at them is dead: frees the early dialogs of a binding and
 * their media.  Nobody can say CANCEL, only that worker knew the branches.
 */
void ngx_ims_call_forget_early(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding);

/* ends all dialogs of a binding with BYE up, and down when s is there */
void ngx_ims_call_end_all(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, const char *reason);

/* the same for the browser of a session, but for its emergency calls */
void ngx_ims_call_end_ordinary(ngx_ims_session_t *s, const char *reason);

/* the wildcarded IMPU of a P-Associated-URI value, or empty (spec ID-5) */
void ngx_ims_call_wildcard(ngx_str_t *associated, ngx_str_t *wildcard);

/* the first tel: URI of a P-Associated-URI value, or empty */
void ngx_ims_call_alias(ngx_str_t *associated, ngx_ims_str_t *alias);

/*
 * Answers a request without a transaction; no effect on an ACK or a response.
 * extra: whole lines or NULL.
 */
void ngx_ims_call_refuse(ngx_ims_worker_t *w, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t status, const char *extra);

/* the same with a body, whose Content-Type is in extra */
void ngx_ims_call_refuse_body(ngx_ims_worker_t *w, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t status, const char *extra,
    ngx_ims_str_t *body);

/*
 * What became of a request of our own, called exactly once.
 *
 * rc        NGX_OK: m is the final answer; NGX_BUSY: none came in time, or
 *           NGX_ERROR: it could not be sent on, and m is NULL
 */
typedef void (*ngx_ims_call_own_pt)(void *data, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);

/*
 * Sends a request of our own to the core within a dialog, and answers its
 * challenges.
 *
 * method   "PRACK", "BYE", ...
 * cseq     from ngx_ims_dialog_speak()
 * lines    whole header lines to add, "" for none
 * handler  may be NULL
 *
 * NGX_OK, or NGX_ERROR: it could not be sent, the handler will not be called.
 */
ngx_int_t ngx_ims_call_own(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d, const char *method, uint32_t cseq,
    const char *lines, ngx_ims_call_own_pt handler, void *data);

/*
 * The ACK of a 2xx (RFC 3261 13.2.2.4) on behalf of who sent the INVITE, to the
 * core (up) or to the browser of s; cseq: as the 2xx had it.
 */
void ngx_ims_call_ack(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_dialog_t *d, ngx_uint_t up, uint32_t cseq);

/* a new tag, 16 hex digits */
void ngx_ims_call_tag(ngx_ims_worker_t *w, u_char *out);

/* sets s->ncalls and its idle mark right */
void ngx_ims_call_recount(ngx_ims_session_t *s);


#endif /* _NGX_IMS_CALL_H_INCLUDED_ */
