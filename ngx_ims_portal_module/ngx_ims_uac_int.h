/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the user agent share and nobody else includes: one REGISTER
 * with its second tries.
 */


#ifndef _NGX_IMS_UAC_INT_H_INCLUDED_
#define _NGX_IMS_UAC_INT_H_INCLUDED_


#include "ngx_ims_uac.h"


struct ngx_ims_register_s {
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    uint32_t                  lease;
    time_t                    expires;
    uint32_t                  cseq;           /* the last that was sent */

    ngx_ims_uac_handler_pt    handler;
    void                     *data;

    ngx_ims_txn_t            *client;         /* the latest */
    ngx_ims_flow_t            flow;           /* its flow */
    ngx_uint_t                refs;           /* transactions alive */
    uint64_t                  tried;          /* servers, by index */
    ngx_uint_t                tries;
    ngx_uint_t                status;         /* of the last try, 0: none */
    ngx_event_t               timer;
    ngx_msec_t                sent;           /* ms */

    ngx_ims_digest_t          digest;         /* of the last challenge */
    ngx_uint_t                answers;        /* challenges answered */

    unsigned                  done:1;
    unsigned                  repeated:1;     /* after a 500 */
    unsigned                  same:1;         /* next try: the same server */
    unsigned                  fresh:1;        /* answered what was just asked */
    unsigned                  waiting:1;      /* the timer watches the server */
};


/* a Contact for a whole range of numbers is asked for (RFC 6140, RG-19) */
#define ngx_ims_uac_gin(reg)                                                  \
    ((reg)->lease == NGX_IMS_LEASE_BLOCK && (reg)->pool->block.gin)


/* sends the next try; NGX_OK, or NGX_ERROR: nothing was sent */
ngx_int_t ngx_ims_uac_send(ngx_ims_register_t *reg,
    ngx_ims_txn_response_pt handler);

/*
 * "Authorization: ...", in answer to the challenge that is kept, or the one
 * that a core wants to see first.  NGX_OK with *p behind it, or NGX_ERROR.
 */
ngx_int_t ngx_ims_uac_authorization(ngx_ims_core_t *core,
    ngx_ims_digest_t *digest, const char *method, ngx_str_t *uri,
    ngx_str_t *impi, u_char **p, u_char *last);

/*
 * A 401, 407 or 403 came: 1 when there is something to answer, and the next try
 * will; 0 when it is final, and why was logged.
 */
ngx_uint_t ngx_ims_uac_challenged(ngx_ims_register_t *reg,
    ngx_ims_sip_msg_t *m);

/*
 * A 200 came: takes it into the record.
 *
 * granted   s, 0: our Contact is not among those that the core named
 *
 * NGX_OK, NGX_ERROR (logged), NGX_DECLINED: the record is gone.
 */
ngx_int_t ngx_ims_uac_accepted(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m,
    time_t *granted);


#endif /* _NGX_IMS_UAC_INT_H_INCLUDED_ */
