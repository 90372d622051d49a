/*
 * Copyright (C) the IMS portal authors
 *
 * One request on its way through the portal: what proxy (requests), answer
 * (responses) and forward (its life) share.
 */


#ifndef _NGX_IMS_FORWARD_H_INCLUDED_
#define _NGX_IMS_FORWARD_H_INCLUDED_


#include "ngx_ims_call.h"


enum {
    NGX_IMS_FORWARD_TIMER_SOS = 6000,    /* ms without a word from there */
    NGX_IMS_FORWARD_MAX_ID = 512         /* bytes of a Call-ID */
};


/* why a call ends whose media helper is dead */
#define NGX_IMS_REASON_MEDIA  "SIP;cause=503;text=\"media lost\""


/*
 * A message that was held back, because its side waited for the helper, may go
 * on.
 */
typedef void (*ngx_ims_forward_resume_pt)(ngx_ims_session_t *s,
    ngx_ims_flow_t *flow, u_char *p, size_t len);


typedef struct ngx_ims_early_s  ngx_ims_early_t;
typedef struct ngx_ims_rel_s    ngx_ims_rel_t;
typedef struct ngx_ims_plain_s  ngx_ims_plain_t;


typedef struct {
    ngx_queue_t               queue;          /* of the session */
    ngx_ims_session_t        *session;        /* NULL: the socket is gone */
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    uint32_t                  lease;
    ngx_ims_ref_t             dialog;         /* of a request within one */

    ngx_ims_txn_t            *server;
    ngx_ims_txn_t            *client;
    ngx_ims_media_req_t      *command;
    ngx_str_t                 call_id;
    ngx_str_t                 request_uri;    /* sent up instead; or empty */
    ngx_str_t                 held;           /* an answer, with the helper */
    ngx_str_t                 final;          /* the 2xx of an INVITE */
    uint32_t                  final_tag;      /* crc32 of its To tag */
    ngx_uint_t                refs;
    u_char                    called[NGX_IMS_TOKEN_LEN];  /* local: the lease */
    u_char                    branch[NGX_IMS_BRANCH_LEN];  /* to be sent with;
                                                 zero: a new one */

    ngx_int_t                 helper;
    uint32_t                  offset;         /* of the CSeq sent on */
    uint32_t                  merge;          /* see ngx_ims_forward_merge() */
    uint32_t                  interval;       /* s, session timer asked for */
    ngx_event_t               timer;
    ngx_event_t               watch;          /* over the server */
    ngx_msec_t                sent;           /* ms, to this server */
    ngx_msec_t                until;          /* ms, see away */
    uint64_t                  tried;          /* servers; 0: no other may be */

    ngx_pool_t               *memory;         /* of the three below, or NULL */
    ngx_ims_early_t          *early;          /* branches of an INVITE up */
    ngx_ims_rel_t            *rel;            /* reliable answers of one down */
    ngx_ims_plain_t          *refused;        /* one up whose SRTP was */

    unsigned                  up:1;           /* from the browser */
    unsigned                  initial:1;      /* INVITE outside a dialog */
    unsigned                  in_dialog:1;
    unsigned                  originated:1;   /* of the call, for its media */
    unsigned                  media:1;        /* the helper holds the call, and
                                                 no dialog record says so */
    unsigned                  offered:1;      /* the request had the offer */
    unsigned                  emergency:1;    /* has a route of its own */
    unsigned                  counted:1;      /* in core->requests */
    unsigned                  local:1;        /* both ends are browsers of the
                                                 portal: SDP is not touched */
    unsigned                  prack:1;        /* ours, not the browser's */
    unsigned                  required:1;     /* the core demands 100rel */
    unsigned                  late:1;         /* a reliable 18x had the offer */
    unsigned                  exchanged:1;    /* ... and a PRACK the answer */
    unsigned                  update:1;       /* a PRACK that goes as UPDATE */
    unsigned                  subscribe:1;    /* SUBSCRIBE, REFER, NOTIFY */
    unsigned                  fresh:1;        /* a subscription that is new */
    unsigned                  terminated:1;   /* ... or that ends */
    unsigned                  timer_known:1;  /* who asked has RFC 4028 */
    unsigned                  proceeding:1;   /* 101 to 199 have come */
    unsigned                  moved:1;        /* from one server to another */
    unsigned                  renewed:1;      /* registering for another */
    unsigned                  plain:1;        /* no SRTP towards the core */
    unsigned                  challenged:2;   /* times, by the core */
    unsigned                  canceled:1;
    unsigned                  away:1;         /* session is NULL for a while */
    unsigned                  answered:1;     /* final answer given */
} ngx_ims_forward_t;


/*
 * A new one for a request that came on flow, with its server transaction (none
 * when flow is NULL: an ACK); it enters the session's list and has one holder.
 * NULL: no memory, or the session has too many.
 */
ngx_ims_forward_t *ngx_ims_forward_create(ngx_ims_session_t *s,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_uint_t up);

/* the INVITE under way that makes dialogs of this Call-ID, or NULL */
ngx_ims_forward_t *ngx_ims_forward_invite(ngx_ims_session_t *s,
    ngx_ims_str_t *call_id, ngx_uint_t up);

/* what two branches of one forked request have in common, but the Call-ID */
uint32_t ngx_ims_forward_merge(ngx_ims_sip_msg_t *m);

/* ngx_ims_call_facts() for it, with the branch that it is to be sent with */
ngx_int_t ngx_ims_forward_facts(ngx_ims_forward_t *fw, ngx_ims_facts_t *f);

/* another Request-URI on its way up, copied; NGX_OK or NGX_ERROR */
ngx_int_t ngx_ims_forward_uri(ngx_ims_forward_t *fw, ngx_ims_str_t *uri);

/*
 * Notes in the zone how many calls of this browser ring: to be called when the
 * number may have changed.
 */
void ngx_ims_forward_calling(ngx_ims_session_t *s);

/* the final answer is given: it counts no longer as under way */
void ngx_ims_forward_answered(ngx_ims_forward_t *fw);

/* one holder less; the last one frees it, and the helper's part of it */
void ngx_ims_forward_unref(ngx_ims_forward_t *fw);

/*
 * Watches over a request that was just sent up: without any answer within the
 * core's "timeout" the next server is tried.  No effect unless fw->tried says
 * which ones were (ngx_ims_forward_next.c).
 */
void ngx_ims_forward_watch(ngx_ims_forward_t *fw);

/*
 * The same now: fw->client becomes another transaction.  NGX_OK, or
 * NGX_DECLINED: no other server is left, or it is too late for that.
 */
ngx_int_t ngx_ims_forward_next(ngx_ims_forward_t *fw);

/*
 * A final answer came: NGX_OK when it was a 503 and the next server was asked
 * instead, or there is none left and the browser was told; NGX_DECLINED: it is
 * to be passed on.
 */
ngx_int_t ngx_ims_forward_refused(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);

/* answers the request ourselves; extra: whole lines or NULL */
void ngx_ims_forward_local(ngx_ims_forward_t *fw, ngx_uint_t status,
    const char *extra);

/* tells the helper that the call is over, unless a dialog record has it */
void ngx_ims_forward_drop_media(ngx_ims_forward_t *fw);

/*
 * Sends an SDP to the helper; handler gets fw and holds a reference.  The side
 * that it came from waits until ngx_ims_forward_release().  The tags are those
 * that the core knows.  NGX_OK, NGX_ERROR, or NGX_DECLINED: the call is over,
 * and the helper would begin another one.
 */
ngx_int_t ngx_ims_forward_media(ngx_ims_forward_t *fw,
    ngx_ims_media_command_e command, ngx_str_t *sdp, ngx_ims_str_t *from_tag,
    ngx_ims_str_t *to_tag, ngx_uint_t to_web,
    ngx_ims_media_handler_pt handler);

/*
 * The next m-line of an SDP, which is cut behind it; of a line the first word
 * is the medium.  NGX_OK, or NGX_DECLINED: there is none.
 */
ngx_int_t ngx_ims_forward_media_line(ngx_str_t *sdp, ngx_str_t *line);

/*
 * First thing in that handler: the command is no more, and fw knows the helper
 * that has the call now.
 */
void ngx_ims_forward_media_back(ngx_ims_forward_t *fw);

/* a helper is dead: the INVITEs of a browser that rely on it end with 503 */
void ngx_ims_forward_media_lost(ngx_ims_session_t *s, ngx_int_t helper);

/*
 * The media of an INVITE that rings is at an end: who called gets the status,
 * who is called CANCEL, both with this Reason.  NGX_OK, or NGX_DECLINED: it was
 * answered, or is with the helper just now.
 */
ngx_int_t ngx_ims_forward_media_failed(ngx_ims_forward_t *fw,
    ngx_uint_t status, const char *reason);

/* the helper has answered: the side may go on, the reference is given back */
void ngx_ims_forward_release(ngx_ims_forward_t *fw, ngx_uint_t to_web);

/*
 * Holds an answer of fw, or a message of flow, back behind what waits for the
 * helper.  always: even when too many do.  NGX_OK, or NGX_ERROR: too many, or
 * no memory.
 */
ngx_int_t ngx_ims_forward_hold(ngx_ims_session_t *s, ngx_uint_t up,
    ngx_ims_forward_t *fw, ngx_ims_flow_t *flow, u_char *p, size_t len,
    ngx_uint_t always);

/* goes on with what was held back, as long as nothing keeps the side busy */
void ngx_ims_forward_resume(ngx_ims_session_t *s, ngx_uint_t up);

/*
 * A request of a browser waits for what s->waiting is for, and all that comes
 * after it waits behind it.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_ims_forward_pause(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m);

/* ... and goes on: it is looked at as if it came now */
void ngx_ims_forward_wake(ngx_ims_session_t *s);

/* 1 when the body of m is SDP */
ngx_uint_t ngx_ims_forward_has_sdp(ngx_ims_sip_msg_t *m);

/* makes fw->memory, if it is not there yet; NGX_OK or NGX_ERROR */
ngx_int_t ngx_ims_forward_memory(ngx_ims_forward_t *fw);

/* the URI of the first Contact, or empty; in m */
void ngx_ims_forward_contact(ngx_ims_sip_msg_t *m, ngx_str_t *uri);

/* the value of the first header field of this name, or empty; in m */
void ngx_ims_forward_value(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    ngx_str_t *value);

/* parses a text that was kept; NGX_OK or NGX_ERROR */
ngx_int_t ngx_ims_forward_parse(ngx_ims_parsed_t *parsed, ngx_str_t *text);

/* bytes that outlive the event; NGX_OK or NGX_ERROR */
ngx_int_t ngx_ims_forward_keep(ngx_ims_forward_t *fw, ngx_str_t *text);

/*
 * The socket is gone: what was under way on it ends, what was held back goes.
 *
 * wait      ms in which the browser may come back to this worker: what it asked
 *           for goes on, and is answered then; 0: it does not
 */
void ngx_ims_forward_detach(ngx_ims_session_t *s, ngx_msec_t wait);

/*
 * The browser has another socket in this worker: everything that is under way
 * on its old one goes on there (ngx_ims_forward_away.c).
 */
void ngx_ims_forward_move(ngx_ims_session_t *from, ngx_ims_session_t *to);

/*
 * What a browser asked for waits until it is back, wait ms at most: an INVITE
 * is given up, and its caller told then.  So does the core's INVITE that it has
 * accepted.  NGX_OK, or NGX_DECLINED: not with this one.
 */
ngx_int_t ngx_ims_forward_wait(ngx_ims_forward_t *fw, ngx_msec_t wait);

/*
 * Its browser is away, or has its socket at another worker.  A 2xx that comes
 * once more means that its ACK is lost: whoever is to send that one hears it
 * again.  1 when m is such a one.
 */
ngx_uint_t ngx_ims_forward_repeated(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);

/* who asked has gone: 487 for him, CANCEL for the core */
void ngx_ims_forward_give_up(ngx_ims_forward_t *fw);

/* it is bound again: what waited for it goes on */
void ngx_ims_forward_back(ngx_ims_session_t *s);

/*
 * A request of the core that was held back for the helper, taken from the
 * queue: the caller frees it.  NULL: none is left.
 */
typedef struct {
    ngx_queue_t               queue;
    ngx_ims_forward_t        *forward;        /* an answer of it, or ... */
    ngx_ims_flow_t            flow;           /* ... a message from there */
    u_char                    branch[NGX_IMS_BRANCH_LEN];  /* see w->again */
    size_t                    len;
    /* bytes follow */
} ngx_ims_held_t;

ngx_ims_held_t *ngx_ims_forward_held(ngx_ims_session_t *s);

/* an answer that was held back may go on (set by answer) */
typedef void (*ngx_ims_forward_answer_pt)(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);

void ngx_ims_forward_init(ngx_ims_forward_resume_pt up,
    ngx_ims_forward_resume_pt down, ngx_ims_forward_answer_pt answer);


#endif /* _NGX_IMS_FORWARD_H_INCLUDED_ */
