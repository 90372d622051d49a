/*
 * Copyright (C) the IMS portal authors
 *
 * SIP policy, pure: what the portal changes in a message on its way between
 * browser and core (TS 24.229 5.2, spec sections 4 to 6, design sections 5 and
 * 6). A message and the facts go in, edits come out.
 *
 * "Up" is from the browser to the core, "down" the other way.  Via and
 * Record-Route of one side are not shown to the other: the portal keeps them
 * and puts them back into the answers, so that neither side can tamper with
 * them.
 */


#ifndef _NGX_IMS_ROUTE_H_INCLUDED_
#define _NGX_IMS_ROUTE_H_INCLUDED_


#include "ngx_ims_sip.h"


typedef struct {
    ngx_ims_str_t    impu;               /* the assigned identity */
    ngx_ims_str_t    name;               /* of From up, quoted, or empty */
    ngx_ims_str_t    alias;              /* its tel: URI, or empty */
    ngx_ims_str_t    token;              /* the flow token */
    ngx_ims_str_t    edge;               /* host[:port][;transport=...] that
                                            the core sends to */
    ngx_ims_str_t    via;                /* host[:port] in the Via up */
    ngx_ims_str_t    transport;          /* towards the core: "UDP", ... */
    ngx_ims_str_t    web;                /* host[:port] the browser sees */
    ngx_ims_str_t    web_transport;      /* "WSS" or "WS" */
    ngx_ims_str_t    branch;             /* of a request that we send */
    ngx_ims_str_t    icid;               /* of an initial request */
    ngx_ims_str_t    profile_key;        /* P-Profile-Key up, or empty */
    ngx_ims_str_t    called;             /* P-Called-Party-ID up, or empty */
    ngx_ims_str_t    routes;             /* Route up: Service-Route or set */
    ngx_ims_str_t    core_id;            /* Mary's From within a dialog */
    ngx_ims_str_t    web_id;             /* Mary's To within a dialog */
    ngx_ims_str_t    from;               /* the far end's, to the browser */
    ngx_ims_str_t    to;                 /* ... to the core, or in an answer to
                                            the browser; empty: as it came */
    ngx_ims_str_t    rack;               /* RAck; empty: as it came */
    ngx_ims_str_t    method;             /* empty: as it came */
    ngx_ims_str_t    target;             /* Request-URI down */
    ngx_ims_str_t    request_uri;        /* the one up; empty: as it came */
    ngx_ims_str_t    location;           /* instead of the browser's own,
                                            see no_location; may be empty */
    uint32_t         offset;             /* added to CSeq of a request */
    uint32_t         back;               /* ... of the other direction */
    uint32_t         session_expires;    /* s, what it lacks; 0: nothing */
    uint32_t         min_se;             /* s, likewise */
    ngx_ims_str_t    access;             /* P-Access-Network-Info, or empty */
    int              in_dialog;
    int              no_location;        /* the browser's is taken out */
    int              has_body;           /* body replaces the message's */
    ngx_ims_str_t    body;
} ngx_ims_route_t;


/* a request from the browser; edits made, e->failed tells of overflow */
void ngx_ims_route_request_up(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);

/* a request from the core */
void ngx_ims_route_request_down(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);

/* the browser's answer m to the core's request orig */
void ngx_ims_route_response_up(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_sip_msg_t *orig,
    const ngx_ims_route_t *r);

/* the core's answer m to the browser's request orig */
void ngx_ims_route_response_down(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_sip_msg_t *orig,
    const ngx_ims_route_t *r);

/* From, To and RAck where the two sides know them differently */
void ngx_ims_route_names(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r);

/* a list header without one option tag; header is its name */
void ngx_ims_route_strip(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id, const char *header, const char *token);

/*
 * The number of a provisional answer that wants a PRACK (RFC 3262 4), 0: it
 * wants none.
 */
uint32_t ngx_ims_route_rseq(const ngx_ims_sip_msg_t *m);

/* the two numbers of a RAck; 1, or 0: there is none, or of no INVITE */
int ngx_ims_route_rack(const ngx_ims_sip_msg_t *m, uint32_t *rseq,
    uint32_t *cseq);

/*
 * The core demands reliable provisional answers of a browser that may not know
 * them: it is offered them instead, the portal sees to the rest.
 */
void ngx_ims_route_unrequire(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m);

/* a PRACK becomes an UPDATE, r->method says so; contact: of who sent it */
void ngx_ims_route_update(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r, const ngx_ims_str_t *contact);

/*
 * A provisional answer becomes reliable (rseq > 0), has another number (rseq >
 * 0 where it had one), or is not reliable any more (rseq = 0).
 */
void ngx_ims_route_reliable(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, uint32_t rseq);

/*
 * 1 when the portal puts itself into the route of what follows a request: one
 * that can make a dialog, outside of one, and NOTIFY anywhere (RFC 6665 4.3)
 */
int ngx_ims_route_records(const ngx_ims_sip_msg_t *m);

/*
 * The Record-Route values of a message as one header value, in order (reverse =
 * 0, the route set of a server) or reversed (of a client), without our own,
 * which carry the token.  Text in the arena of e; empty when there is none (RFC
 * 3261 12.1).
 */
ngx_ims_str_t ngx_ims_route_set(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, int reverse, const ngx_ims_str_t *token);

/* 1 when a Privacy header asks for this (RFC 3323 4.2), else 0 */
int ngx_ims_route_privacy(const ngx_ims_sip_msg_t *m, const char *what);

/*
 * What a request from the browser gets for its form alone: 0, or the status of
 * its refusal: 483, 405, 416, 420 (spec SE-11).
 */
unsigned ngx_ims_route_check_up(const ngx_ims_sip_msg_t *m);


#endif /* _NGX_IMS_ROUTE_H_INCLUDED_ */
