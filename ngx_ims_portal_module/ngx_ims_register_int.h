/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the browser's registration share and nobody else includes.
 */


#ifndef _NGX_IMS_REGISTER_INT_H_INCLUDED_
#define _NGX_IMS_REGISTER_INT_H_INCLUDED_


#include "ngx_ims_register.h"


#define NGX_IMS_REGISTER_MARGIN   5           /* s before the core's expiry */


extern ngx_ims_register_moved_pt  ngx_ims_register_moved;


/*
 * Asks the core.
 *
 * m         the browser's REGISTER, NULL for a refresh
 * asked     s, by the browser; 0: it de-registers
 * upstream  s, asked of the core
 */
void ngx_ims_register_start(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    time_t asked, time_t upstream);

/* sets the timer of the refresh by what the core has granted, s */
void ngx_ims_register_clock(ngx_ims_session_t *s, time_t granted);

/* RG-13: nothing outlives the token; s, may be negative */
time_t ngx_ims_register_cap(ngx_ims_session_t *s, time_t expires);


#endif /* _NGX_IMS_REGISTER_INT_H_INCLUDED_ */
