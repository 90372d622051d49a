/*
 * Copyright (C) the IMS portal authors
 *
 * What the media client's own files share.  Nobody else includes this.
 */


#ifndef _NGX_IMS_MEDIA_PRIV_H_INCLUDED_
#define _NGX_IMS_MEDIA_PRIV_H_INCLUDED_


#include "ngx_ims_media_ng.h"


#define NGX_IMS_MEDIA_PREFIX  (8 + 8 + 1)     /* of a cookie, bytes */
#define NGX_IMS_MEDIA_MAX_PENDING  4096       /* commands at one helper */


typedef struct ngx_ims_media_helper_s  ngx_ims_media_helper_t;


typedef void (*ngx_ims_media_reply_pt)(ngx_ims_media_helper_t *h,
    ngx_str_t *cookie, ngx_ims_media_reply_t *reply);
typedef void (*ngx_ims_media_lost_pt)(ngx_ims_media_helper_t *h);


typedef struct {
    u_char                   *data;           /* grows by doubling */
    size_t                    size;
    size_t                    pos;
    size_t                    len;            /* bytes behind pos */
} ngx_ims_media_buf_t;


struct ngx_ims_media_helper_s {
    ngx_ims_media_t          *media;
    ngx_log_t                *log;
    ngx_addr_t                addr;

    /* of ngx_ims_media_conn.c, which calls the two handlers */
    ngx_connection_t         *connection;
    ngx_ims_media_buf_t       in;
    ngx_ims_media_buf_t       out;
    ngx_ims_ng_node_t        *nodes;
    ngx_ims_media_reply_pt    reply;
    ngx_ims_media_lost_pt     lost;

    ngx_int_t                 id;             /* of its address */

    ngx_queue_t               pending;        /* ngx_ims_media_req_t */
    ngx_uint_t                npending;
    ngx_uint_t                fails;          /* in a row */
    ngx_event_t               wake;
    ngx_msec_t                retry;          /* no connect before, if failed */

    /* of ngx_ims_media_life.c */
    ngx_event_t               watch;
    ngx_msec_t                silent;         /* ms without an answer */
    ngx_uint_t                back;           /* see ngx_ims_media_life_t */
    uint64_t                  started;        /* as it says itself; 0 */
    uint64_t                  process;        /* the same, kept */
    int64_t                   ended;          /* number of the last call that
                                                 it told of */

    unsigned                  stream:1;
    unsigned                  tcp:1;          /* a stream to another host */
    unsigned                  tells:1;        /* of calls that ended: it is a
                                                 media helper, no rtpengine */
    unsigned                  failed:1;
    unsigned                  down:1;         /* as it is said and shown */
    unsigned                  drained:1;
    unsigned                  off:1;          /* drained, and has no calls */
    unsigned                  pinged:1;       /* no answer to anything since */
    unsigned                  away:1;         /* ... it was lost or silent */
    unsigned                  suspect:1;      /* the last in line */
    unsigned                  dead:1;
};


struct ngx_ims_media_req_s {
    ngx_queue_t               link;           /* in helper->pending */
    ngx_rbtree_node_t         node;           /* key: the serial in a cookie */
    ngx_ims_media_helper_t   *helper;
    ngx_ims_media_handler_pt  handler;        /* NULL: forgotten */
    void                     *data;
    ngx_event_t               timer;
    ngx_msec_t                deadline;       /* absolute */
    ngx_msec_t                interval;       /* ms between two sends */
    u_char                   *msg;
    size_t                    len;
    uint64_t                  tried;          /* helpers, by index */
    ngx_uint_t                moves;          /* left */
    ngx_str_t                 call_id;        /* while it may move, or for the
                                                 log */
    unsigned                  sent:1;         /* on the present connection */
    unsigned                  hasten:1;       /* its helper went away */
    unsigned                  figures:1;      /* its reply goes into the log */
};


struct ngx_ims_media_s {
    ngx_log_t                *log;
    ngx_ims_media_conf_t      conf;
    ngx_ims_media_helper_t   *helpers;
    ngx_uint_t                nhelpers;
    ngx_rbtree_t              requests;
    ngx_rbtree_node_t         sentinel;
    ngx_uint_t                serial;
    ngx_ims_media_ended_pt    tell;           /* NULL: nobody */
    void                     *tell_data;
    u_char                    prefix[NGX_IMS_MEDIA_PREFIX];
};


/* NGX_OK: there is a connection; NGX_DECLINED: not now */
ngx_int_t ngx_ims_media_connect(ngx_ims_media_helper_t *h);

/* a command for this very helper; as ngx_ims_media_send() */
ngx_ims_media_req_t *ngx_ims_media_start(ngx_ims_media_helper_t *h,
    ngx_ims_media_cmd_t *cmd, ngx_ims_media_handler_pt handler, void *data);

/* what is pending at h from now on, and sent there */
void ngx_ims_media_enter(ngx_ims_media_req_t *req,
    ngx_ims_media_helper_t *h);

/* ngx_ims_media_choose.c: the helper for a command, NULL: there is none */
ngx_ims_media_helper_t *ngx_ims_media_choose(ngx_ims_media_t *media,
    ngx_ims_media_cmd_t *cmd);

/*
 * An offer that makes a call may make it elsewhere.  NGX_OK, NGX_DECLINED:
 * there is no other helper, NGX_ERROR: no memory.
 */
ngx_int_t ngx_ims_media_movable(ngx_ims_media_req_t *req,
    ngx_str_t *call_id);

/* 1: another helper has it now; undo: this one may still come to do it */
ngx_uint_t ngx_ims_media_move(ngx_ims_media_req_t *req, ngx_uint_t undo);

/* 1 when a helper is left that seems well */
ngx_uint_t ngx_ims_media_others(ngx_ims_media_req_t *req);

/* ngx_ims_media_life.c: the timers of a helper, begun and ended */
void ngx_ims_media_life_init(ngx_ims_media_helper_t *h, ngx_log_t *log);
void ngx_ims_media_life_close(ngx_ims_media_helper_t *h);

/*
 * A command was not answered; anything came from it; its connection broke;
 * there was nobody at its address.
 */
void ngx_ims_media_missed(ngx_ims_media_helper_t *h);
void ngx_ims_media_alive(ngx_ims_media_helper_t *h);
void ngx_ims_media_gone(ngx_ims_media_helper_t *h);
void ngx_ims_media_refused(ngx_ims_media_helper_t *h);

/* what else its reply says: calls that ended there */
void ngx_ims_media_told(ngx_ims_media_helper_t *h,
    ngx_ims_media_reply_t *reply);

/* 1 when it gets no new calls: it is dead, or its commands time out */
ngx_uint_t ngx_ims_media_open(ngx_ims_media_helper_t *h);

/* to be reached again in a while */
void ngx_ims_media_wake_later(ngx_ims_media_helper_t *h);

/* connects; NGX_OK, or NGX_ERROR (logged unless the helper is down already) */
ngx_int_t ngx_ims_media_conn_open(ngx_ims_media_helper_t *h);

/* no handler is called */
void ngx_ims_media_conn_close(ngx_ims_media_helper_t *h);

/* the buffers */
void ngx_ims_media_conn_free(ngx_ims_media_helper_t *h);

/*
 * Sends or queues one message on an open connection.  A stream that breaks is
 * closed and lost() called; a datagram may just be lost.
 */
void ngx_ims_media_conn_send(ngx_ims_media_helper_t *h, u_char *p,
    size_t len);


#endif /* _NGX_IMS_MEDIA_PRIV_H_INCLUDED_ */
