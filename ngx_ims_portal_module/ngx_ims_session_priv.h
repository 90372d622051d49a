/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the session share: life, input, output.
 */


#ifndef _NGX_IMS_SESSION_PRIV_H_INCLUDED_
#define _NGX_IMS_SESSION_PRIV_H_INCLUDED_


#include "ngx_ims_session.h"


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

/*
 * After bytes were read: bounds the time that a message may take from its first
 * byte on.  NGX_OK, or NGX_ERROR: it took too long, the session is closing.
 */
ngx_int_t ngx_ims_session_pace(ngx_ims_session_t *s);

/*
 * The read timer has struck, perhaps only for ngx_ims_session_pace().  NGX_OK:
 * it was the ping clock; NGX_DECLINED: not yet; NGX_ERROR: as above.
 */
ngx_int_t ngx_ims_session_pace_tick(ngx_ims_session_t *s);

/* the token_event has struck (ngx_ims_session_token.c) */
void ngx_ims_session_token(ngx_event_t *ev);

/* frees a session whose end was told, and closes its connection */
void ngx_ims_session_free(ngx_ims_session_t *s);


#endif /* _NGX_IMS_SESSION_PRIV_H_INCLUDED_ */
