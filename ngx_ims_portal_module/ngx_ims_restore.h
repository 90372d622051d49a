/*
 * Copyright (C) the IMS portal authors
 *
 * A core that has lost its registrations (TS 23.380, TS 24.229 5.1.2A.1.6): it
 * says so, or a server of it was down and is back.  What the portal has
 * registered is registered again, at a pace that the core can stand.
 */


#ifndef _NGX_IMS_RESTORE_H_INCLUDED_
#define _NGX_IMS_RESTORE_H_INCLUDED_


#include "ngx_ims_forward.h"


/* In init_process, behind the cores.  NGX_OK or NGX_ERROR (no memory). */
ngx_int_t ngx_ims_restore_init(ngx_ims_worker_t *w);

/*
 * A final answer of the core to a request: when it looks as if the core did not
 * know the browser, its registration is renewed at once.  The answer is passed
 * on all the same, the next request will do better.
 */
void ngx_ims_restore_answer(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m);


#endif /* _NGX_IMS_RESTORE_H_INCLUDED_ */
