/*
 * Copyright (C) the IMS portal authors
 *
 * The end of a worker that shuts down gracefully.  When others follow it, after
 * a reload or a binary upgrade, it leaves its browsers to them.  When nobody
 * does, it tidies up: what the core has registered is taken back, unless a
 * store keeps it for a restart.  worker_shutdown_timeout bounds all of it.
 */


#ifndef _NGX_IMS_QUIT_H_INCLUDED_
#define _NGX_IMS_QUIT_H_INCLUDED_


#include "ngx_ims_linger.h"


/*
 * In init_process: learns of the shutdown and of its timeout as idle
 * connections do.  NGX_OK or NGX_ERROR (logged).
 */
ngx_int_t ngx_ims_quit_init(ngx_ims_worker_t *w);

/* in exit_process */
void ngx_ims_quit_close(void);


#endif /* _NGX_IMS_QUIT_H_INCLUDED_ */
