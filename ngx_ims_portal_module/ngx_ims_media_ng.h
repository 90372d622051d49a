/*
 * Copyright (C) the IMS portal authors
 *
 * What the commands of the media client look like on the wire: composing a
 * request, reading a reply.  Only ngx_ims_media.c and this file's own .c
 * include this.
 */


#ifndef _NGX_IMS_MEDIA_NG_H_INCLUDED_
#define _NGX_IMS_MEDIA_NG_H_INCLUDED_


#include "ngx_ims_media.h"
#include "ngx_ims_ng.h"


enum {

    /* a delete may bring statistics of each stream, asked for or not */
    NGX_IMS_MEDIA_NODES = 4096,

    NGX_IMS_MEDIA_FIGURES = 256          /* bytes */
};


/* as ngx_ims_media_handler_pt has them; spans are in the buffer */

typedef struct {
    ngx_int_t                 rc;
    ngx_str_t                 sdp;
    ngx_str_t                 reason;
    unsigned                  pong:1;         /* of a ping */
    uint64_t                  started;        /* of a ping; 0: not said */
    const ngx_ims_ng_node_t  *ended;          /* of a ping: a list, or NULL */
    int64_t                   ended_seq;      /* number of its last */
    unsigned                  ended_lost:1;   /* ... there were others */
    const ngx_ims_ng_node_t  *ssrc;           /* of a delete: a dictionary of
                                                 sources, or NULL */
} ngx_ims_media_reply_t;


/*
 * Writes cookie, space and dictionary.  *out is one block of memory that the
 * caller frees; NULL on no memory or when the command is too long.
 */
u_char *ngx_ims_media_compose(ngx_ims_media_cmd_t *cmd, ngx_str_t *cookie,
    size_t *len, ngx_log_t *log);

/*
 * Reads the first reply of a buffer.
 *
 * nodes     NGX_IMS_MEDIA_NODES of them, to work with
 * cookie    out: of the reply
 * reply     out
 * used      out: bytes that it took
 *
 * Returns NGX_OK; NGX_AGAIN: it is not complete; NGX_ERROR: it can never be
 * one, and what follows cannot be found.
 */
ngx_int_t ngx_ims_media_read_reply(u_char *p, size_t len,
    ngx_ims_ng_node_t *nodes, ngx_str_t *cookie, ngx_ims_media_reply_t *reply,
    size_t *used);

/*
 * What a reply tells of the quality of a call, for a line in the log: the worst
 * mean opinion score of any source, packets lost of all, the worst jitter.
 *
 * buf       NGX_IMS_MEDIA_FIGURES bytes
 *
 * Returns the bytes written; 0: it tells nothing.
 */
size_t ngx_ims_media_figures(const ngx_ims_ng_node_t *ssrc, u_char *buf);

/*
 * A description whose video is refused, by port 0.
 *
 * out       at least sdp->len bytes
 *
 * Returns its length.
 */
size_t ngx_ims_media_no_video(ngx_str_t *sdp, u_char *out);


#endif /* _NGX_IMS_MEDIA_NG_H_INCLUDED_ */
