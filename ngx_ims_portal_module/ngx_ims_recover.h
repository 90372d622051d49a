/*
 * Copyright (C) the IMS portal authors
 *
 * Calls whose media helper is gone (spec SE-14): when it is dead they end, when
 * it is back after a silence it is asked which of them it still knows.  Each
 * worker does that for the browsers that it has, the leader for those that have
 * no socket at present.
 */


#ifndef _NGX_IMS_RECOVER_H_INCLUDED_
#define _NGX_IMS_RECOVER_H_INCLUDED_


#include "ngx_ims_forward.h"


/*
 * In init_process, behind the leader and the media client.  NGX_OK or NGX_ERROR
 * (no memory).
 */
ngx_int_t ngx_ims_recover_init(ngx_ims_worker_t *w);


#endif /* _NGX_IMS_RECOVER_H_INCLUDED_ */
