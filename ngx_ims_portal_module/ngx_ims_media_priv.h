/*
 * Copyright (C) the IMS portal authors
 *
 * What the media client's own files share.  Nobody else includes this.
 */


#ifndef _NGX_IMS_MEDIA_PRIV_H_INCLUDED_
#define _NGX_IMS_MEDIA_PRIV_H_INCLUDED_


#include "ngx_ims_media_ng.h"


#define NGX_IMS_MEDIA_PREFIX  (8 + 8 + 1)     /* of a cookie, bytes */


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

    ngx_queue_t               pending;        /* ngx_ims_media_req_t */
    ngx_uint_t                npending;
    ngx_uint_t                fails;          /* in a row */
    ngx_event_t               wake;
    ngx_msec_t                retry;          /* no connect before, if failed */

    unsigned                  stream:1;
    unsigned                  failed:1;
    unsigned                  down:1;         /* as it is said and shown */
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
    unsigned                  sent:1;         /* on the present connection */
};


struct ngx_ims_media_s {
    ngx_log_t                *log;
    ngx_ims_media_conf_t      conf;
    ngx_ims_media_helper_t   *helpers;
    ngx_uint_t                nhelpers;
    ngx_rbtree_t              requests;
    ngx_rbtree_node_t         sentinel;
    ngx_uint_t                serial;
    u_char                    prefix[NGX_IMS_MEDIA_PREFIX];
};


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
