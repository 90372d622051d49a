/*
 * Copyright (C) the IMS portal authors
 *
 * Answers on their way back, and the dialogs that they make.
 */


#ifndef _NGX_IMS_ANSWER_H_INCLUDED_
#define _NGX_IMS_ANSWER_H_INCLUDED_


#include "ngx_ims_forward.h"


/* the response handler of a forwarded request's client transaction */
void ngx_ims_answer_client(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);

/* an answer whose turn it is */
void ngx_ims_answer_response(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m);


#endif /* _NGX_IMS_ANSWER_H_INCLUDED_ */
