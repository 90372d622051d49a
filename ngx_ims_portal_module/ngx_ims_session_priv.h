/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the session share: life, input, output.
 */


#ifndef _NGX_IMS_SESSION_PRIV_H_INCLUDED_
#define _NGX_IMS_SESSION_PRIV_H_INCLUDED_


#include "ngx_ims_session.h"


#define NGX_IMS_SESSION_WRITE_WAIT  10000     /* ms for a slow reader */


/* the send handler of a session's flow */
ngx_int_t ngx_ims_session_flow_send(ngx_ims_flow_t *flow, u_char *p,
    size_t len);

/*
 * Sends whole frames or queues them.  It never ends the session, because its
 * callers are in the midst of using it: a broken connection is left to the read
 * event, a full queue to the write event's timer.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_ims_session_raw(ngx_ims_session_t *s, u_char *p, size_t len);

/* sends what waits; NGX_OK (some may wait still), NGX_ERROR: broken */
ngx_int_t ngx_ims_session_flush(ngx_ims_session_t *s);

/* frees what waits */
void ngx_ims_session_discard(ngx_ims_session_t *s);

/*
 * Frames out of a buffer; what is left of the last one is kept.  p NULL: more
 * of what was kept has been received.  NGX_OK, or NGX_ERROR: the session is
 * closing or gone.
 */
ngx_int_t ngx_ims_session_input(ngx_ims_session_t *s, u_char *p, size_t len);

/* frees a session whose end was told, and closes its connection */
void ngx_ims_session_free(ngx_ims_session_t *s);


#endif /* _NGX_IMS_SESSION_PRIV_H_INCLUDED_ */
