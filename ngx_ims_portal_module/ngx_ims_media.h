/*
 * Copyright (C) the IMS portal authors
 *
 * Client of the ng control protocol (design D13): sends offer, answer and
 * delete to a media helper or to rtpengine, asynchronously, with time-outs and
 * a circuit breaker.  Knows nothing of SIP sessions; SDP passes through unread.
 */


#ifndef _NGX_IMS_MEDIA_H_INCLUDED_
#define _NGX_IMS_MEDIA_H_INCLUDED_


#include "ngx_ims.h"


typedef enum {
    NGX_IMS_MEDIA_OFFER = 1,
    NGX_IMS_MEDIA_ANSWER,
    NGX_IMS_MEDIA_DELETE,
    NGX_IMS_MEDIA_PING,
    NGX_IMS_MEDIA_QUERY
} ngx_ims_media_command_e;


/* SDES-SRTP towards the IMS */
typedef enum {
    NGX_IMS_MEDIA_PLAIN = 0,
    NGX_IMS_MEDIA_SRTP,
    NGX_IMS_MEDIA_PREFER                      /* unless it is refused */
} ngx_ims_media_srtp_e;


typedef struct ngx_ims_media_s      ngx_ims_media_t;
typedef struct ngx_ims_media_req_s  ngx_ims_media_req_t;


/*
 * The outcome of a command, exactly once unless it was forgotten.
 *
 * rc        NGX_OK: sdp is the new body (empty for delete);
 *           NGX_DECLINED: the helper answered with an error, reason says which;
 *           NGX_BUSY: the helper is full ("Ran out of ports", "Parallel session
 *           limit reached", load limit);
 *           NGX_ERROR: no helper could be reached or none answered in time
 * The spans are valid during the call only.
 */
typedef void (*ngx_ims_media_handler_pt)(void *data, ngx_int_t rc,
    ngx_str_t *sdp, ngx_str_t *reason);


typedef struct {
    ngx_ims_media_command_e   command;
    ngx_str_t                 call_id;
    ngx_str_t                 from_tag;
    ngx_str_t                 to_tag;         /* empty: not sent */
    ngx_str_t                 via_branch;     /* empty: not sent */
    ngx_str_t                 sdp;
    unsigned                  to_web:1;       /* direction ims -> web */
    unsigned                  no_video:1;     /* takes it out */
    unsigned                  figures:1;      /* a delete asks for those of the
                                                 call, see below; set by the
                                                 log's level */
    unsigned                  plain:1;        /* not SRTP, where it is only
                                                 preferred */
    unsigned                  srtp:1;         /* offers SDES to the IMS; set
                                                 by the configuration */
    int64_t                   since;          /* of a ping: see
                                                 ngx_ims_media_tell() */
    ngx_int_t                 helper;         /* which one, see below; -1:
                                                 choose by Call-ID; set to the
                                                 one chosen */
} ngx_ims_media_cmd_t;


typedef struct {
    ngx_array_t               addrs;          /* ngx_addr_t; the names of those
                                                 by TCP begin with "tcp:" */
    ngx_array_t               drain;          /* ngx_addr_t: no new calls */
    ngx_msec_t                timeout;        /* ms for one command, 2000 */
    ngx_msec_t                lost;           /* ms of silence: it is dead */
    ngx_uint_t                max_fails;      /* in a row, no new calls then */
    ngx_msec_t                consent;        /* ms that a call goes on without
                                                 its browser's consent */
    ngx_flag_t                keep;           /* ... it is not ended for that */
    ngx_uint_t                srtp;           /* ngx_ims_media_srtp_e */
} ngx_ims_media_conf_t;


/* what is known of a helper, for who looks after its calls */
typedef struct {
    ngx_int_t                 helper;         /* as in a command */
    ngx_uint_t                back;           /* how often it was back after a
                                                 silence, the first word too */
    unsigned                  dead:1;         /* silent for conf->lost */
    unsigned                  tells:1;        /* of calls that ended */
    unsigned                  drained:1;      /* no longer configured */
} ngx_ims_media_life_t;


/*
 * In init_process; nothing is connected yet.  Unix addresses are stream
 * sockets, connected on first use and again after a failure (after 200 ms, then
 * at most once a second), and so are those of TCP, where a connection on which
 * a helper is silent for conf->lost is given up, too.  Several commands are
 * under way at once, told apart by cookie, and sent again on a new connection.
 * UDP commands are repeated with the same cookie.  Each helper is pinged once a
 * second.  One that left a ping or a command unanswered comes last for new
 * calls, and gets none after max_fails commands in a row, or while it is dead,
 * until it answers anything.  Connections are marked so that a graceful exit
 * does not wait for them.  Lives in cycle->pool; NULL on failure.
 *
 * A helper is named by 31 bits that follow from its address, so that a record
 * finds it again when the configuration lists the helpers in another order.
 */
ngx_ims_media_t *ngx_ims_media_create(ngx_cycle_t *cycle,
    ngx_ims_media_conf_t *conf);

/* commands under way do not keep the worker from its end any more */
void ngx_ims_media_release(ngx_ims_media_t *media);

/* in exit_process */
void ngx_ims_media_close(ngx_ims_media_t *media);

/*
 * At configuration time, behind all directives: helpers of the configuration
 * before (NULL: there is none) that this one lacks are drained, i.e. their
 * calls are controlled to the end, but no new ones go there.  NGX_OK or
 * NGX_ERROR (no memory).
 */
ngx_int_t ngx_ims_media_inherit(ngx_conf_t *cf, ngx_ims_media_conf_t *conf,
    ngx_ims_media_conf_t *before);

/*
 * Sends a command; all spans are copied.  Never calls the handler before it
 * has returned.  A new call (helper -1, offer) goes to the helper that the
 * Call-ID's hash names, or to the next that is not known to be dead; when that
 * one is full, or does not answer, to another yet, three in all, see
 * ngx_ims_media_at().  A command for a helper that is away waits for it as long
 * as its time-out.  handler may be NULL (delete; what the helper tells of the
 * call's quality then is a line in the log, at level info).  Returns a handle
 * for ngx_ims_media_forget(), or NULL when no helper is usable or memory is
 * short (the handler is then not called).
 */
ngx_ims_media_req_t *ngx_ims_media_send(ngx_ims_media_t *media,
    ngx_ims_media_cmd_t *cmd, ngx_ims_media_handler_pt handler, void *data);

/* the handler will not be called any more; the command itself is not undone */
void ngx_ims_media_forget(ngx_ims_media_req_t *req);

/*
 * The helper that a command is at, until its handler returns.  It stays there
 * from now on: for whoever takes the call back from that helper.
 */
ngx_int_t ngx_ims_media_at(ngx_ims_media_req_t *req);

/*
 * Media of a call that ended by itself, as the helper says: "media lost" (the
 * browser's consent is gone), "no media", "dtls failed" or "no answer".  In
 * each worker, and for all calls; more than once after a restart of either.
 * The spans are valid during the call only.  rtpengine tells nothing of it.
 */
typedef void (*ngx_ims_media_ended_pt)(void *data, ngx_int_t helper,
    ngx_str_t *call_id, ngx_str_t *reason);

/*
 * Who is to be told of that.  A query tells whether it still is so: its handler
 * gets, with NGX_OK, such a word as reason, or none: the media is well.
 */
void ngx_ims_media_tell(ngx_ims_media_t *media, ngx_ims_media_ended_pt handler,
    void *data);

/*
 * More was told than could be kept: each helper counts as being back after a
 * silence, so that it is asked about its calls.
 */
void ngx_ims_media_unheard(ngx_ims_media_t *media);

/*
 * What to do without consent.  NGX_OK: wait for so many ms, then end the call,
 * or NGX_DECLINED: nothing.
 */
ngx_int_t ngx_ims_media_consent(ngx_ims_media_t *media, ngx_msec_t *wait);

/* 1: who is offered SRTP and refuses it is to get an offer without */
ngx_uint_t ngx_ims_media_prefers(ngx_ims_media_t *media);

/*
 * What is known of helper i, of those configured and, behind them, those that
 * are drained.  NGX_OK, or NGX_DECLINED: there is no such helper.
 */
ngx_int_t ngx_ims_media_life(ngx_ims_media_t *media, ngx_uint_t i,
    ngx_ims_media_life_t *life);

/* nobody has a call at this helper, which is drained: it is not watched */
void ngx_ims_media_done(ngx_ims_media_t *media, ngx_uint_t i);

/* how many helpers answer at present, and how many there are */
void ngx_ims_media_state(ngx_ims_media_t *media, ngx_uint_t *up,
    ngx_uint_t *all);


#endif /* _NGX_IMS_MEDIA_H_INCLUDED_ */
