/*
 * Copyright (C) the IMS portal authors
 *
 * A fresh token for sockets that are open: who shows one to the session API
 * extends the life of all his sockets, in all workers.  The lease of the user
 * keeps what of that token counts, never the token; each socket looks there
 * when its own comes to an end, so nobody has to be told (RG-13, P44).
 */


#ifndef _NGX_IMS_RENEW_H_INCLUDED_
#define _NGX_IMS_RENEW_H_INCLUDED_


#include "ngx_ims_grant.h"


/*
 * A verified token, not revoked, of a user who has a lease: his sockets live as
 * long as it does, if that is longer than they do.  wants is the number of what
 * was asked of it, see ngx_ims_token_policy_t.  Takes the zone's lock itself.
 * NGX_OK, also when a longer one was seen before; NGX_DECLINED: no identity is
 * leased to him.
 */
ngx_int_t ngx_ims_renew_user(ngx_ims_pool_t *pool, uint32_t wants,
    ngx_ims_grant_t *grant);

/*
 * The grant of a live socket takes over the end and the ids of the token that
 * was seen of its user, or stays as it is: where that token was judged by
 * another rule, or allows something else.  Takes the zone's lock itself.  1: it
 * lives longer now.
 */
ngx_uint_t ngx_ims_renew_grant(ngx_ims_pool_t *pool, uint32_t wants,
    ngx_ims_grant_t *grant);


#endif /* _NGX_IMS_RENEW_H_INCLUDED_ */
