/*
 * Copyright (C) the IMS portal authors
 *
 * Answers to a browser's REGISTER.
 */


#ifndef _NGX_IMS_REGISTER_ANSWER_H_INCLUDED_
#define _NGX_IMS_REGISTER_ANSWER_H_INCLUDED_


#include "ngx_ims_call.h"


#define NGX_IMS_REGISTER_AGAIN    10000       /* ms until a new try */


/*
 * Answers a REGISTER, m.
 *
 * t         its transaction, or NULL: the answer is sent at once
 * expires   s granted; 0: a 200 without a Contact
 */
void ngx_ims_register_answer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_txn_t *t, ngx_uint_t status, time_t expires);


#endif /* _NGX_IMS_REGISTER_ANSWER_H_INCLUDED_ */
