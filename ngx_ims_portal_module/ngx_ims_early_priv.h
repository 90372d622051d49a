/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of early dialogs share.  Nobody else includes this.
 */


#ifndef _NGX_IMS_EARLY_PRIV_H_INCLUDED_
#define _NGX_IMS_EARLY_PRIV_H_INCLUDED_


#include "ngx_ims_early.h"


/* an INVITE whose offer of SRTP was refused; it goes again without */

struct ngx_ims_plain_s {
    ngx_str_t                 request;
    ngx_ims_flow_t            flow;
    ngx_ims_txn_response_pt   handler;
};


/* one To tag */

typedef struct ngx_ims_branch_s  ngx_ims_branch_t;

struct ngx_ims_branch_s {
    ngx_ims_branch_t         *next;
    ngx_str_t                 tag;
    ngx_str_t                 sdp;            /* of its last answer */
    ngx_ims_ref_t             dialog;
    uint32_t                  rseq;           /* last in order, 0: none */
    unsigned                  known:1;        /* has a record */
    unsigned                  ended:1;        /* BYE was sent */
};


/* a reliable answer as the browser knows it */

typedef struct ngx_ims_rack_s  ngx_ims_rack_t;

struct ngx_ims_rack_s {
    ngx_ims_rack_t           *next;
    ngx_ims_branch_t         *branch;
    uint32_t                  shown;
    uint32_t                  rseq;
};


struct ngx_ims_early_s {
    ngx_str_t                 shown;          /* the tag that was seen first */
    ngx_ims_branch_t         *branches;
    ngx_uint_t                nbranches;
    ngx_ims_branch_t         *media;          /* where the helper points */
    ngx_ims_rack_t           *racks;          /* newest first */
    ngx_uint_t                nracks;
    size_t                    kept;           /* bytes of SDP */
};


/* a reliable answer of a branch is about to be shown; NGX_OK or NGX_ERROR */
ngx_int_t ngx_ims_early_note(ngx_ims_forward_t *fw, ngx_ims_branch_t *branch,
    uint32_t rseq);

/* the portal acknowledges m for a browser without 100rel (design D17) */
void ngx_ims_early_prack(ngx_ims_forward_t *fw, ngx_ims_branch_t *branch,
    ngx_ims_sip_msg_t *m, uint32_t rseq);


#endif /* _NGX_IMS_EARLY_PRIV_H_INCLUDED_ */
