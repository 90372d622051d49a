/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the subscriptions share and nobody else includes.
 */


#ifndef _NGX_IMS_REGEVENT_INT_H_INCLUDED_
#define _NGX_IMS_REGEVENT_INT_H_INCLUDED_


#include "ngx_ims_regevent.h"


enum {
    NGX_IMS_REGEVENT_EXPIRES = 7200,     /* s, asked of the core */
    NGX_IMS_REGEVENT_PAUSE = 5000,       /* ms */
    NGX_IMS_REGEVENT_ID = 16             /* hex digits */
};


typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    uint32_t                  lease;
    ngx_ims_session_t        *session;        /* NULL: it is taken back */
    ngx_event_t               timer;
    ngx_uint_t                refs;           /* transactions alive */

    uint32_t                  cseq;
    uint32_t                  version;        /* the highest that came */
    u_char                   *text;           /* NULL: no dialog yet */
    ngx_str_t                 tag;            /* of the core; in text */
    ngx_str_t                 target;
    ngx_str_t                 routes;
    u_char                    id[NGX_IMS_REGEVENT_ID];

    unsigned                  versioned:1;
    unsigned                  answered:1;     /* a challenge to the last one */
    unsigned                  pending:1;      /* no final answer yet */
    unsigned                  ending:1;       /* it was taken back */
} ngx_ims_regevent_t;


extern ngx_ims_regevent_pt  ngx_ims_regevent_handler;


/* forgets the dialog: the next SUBSCRIBE begins another one */
void ngx_ims_regevent_reset(ngx_ims_regevent_t *sub);


#endif /* _NGX_IMS_REGEVENT_INT_H_INCLUDED_ */
