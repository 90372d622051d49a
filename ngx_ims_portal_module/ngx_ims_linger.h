/*
 * Copyright (C) the IMS portal authors
 *
 * A binding whose socket is gone: it waits for its browser to come back, to any
 * worker, and is taken back from the core when nobody came (spec RG-15, SE-14).
 */


#ifndef _NGX_IMS_LINGER_H_INCLUDED_
#define _NGX_IMS_LINGER_H_INCLUDED_


#include "ngx_ims_uac.h"


/* gives up ownership of the session's binding; after grace ms it is ended */
void ngx_ims_linger_start(ngx_ims_session_t *s, ngx_msec_t grace);


#endif /* _NGX_IMS_LINGER_H_INCLUDED_ */
