/*
 * Copyright (C) the IMS portal authors
 *
 * Ends the sockets whose token has been revoked, in each worker, within half
 * a second.
 */


#ifndef _NGX_IMS_REVOKE_H_INCLUDED_
#define _NGX_IMS_REVOKE_H_INCLUDED_


#include "ngx_ims_session.h"


/* in init_process: begins to watch.  NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_ims_revoke_init(ngx_ims_worker_t *w);


#endif /* _NGX_IMS_REVOKE_H_INCLUDED_ */
