/*
 * Copyright (C) the IMS portal authors
 *
 * Identities that the configuration keeps for named users.
 */


#ifndef _NGX_IMS_POOL_RESERVE_H_INCLUDED_
#define _NGX_IMS_POOL_RESERVE_H_INCLUDED_


#include "ngx_ims_pool_int.h"


typedef struct {
    u_char                    user[NGX_IMS_DIGEST_LEN];  /* as that of the zone;
                                                 of any issuer: without it */
    uint32_t                  number;         /* of the identity */
} ngx_ims_reserved_t;


typedef struct ngx_ims_pool_reserve_s {
    ngx_ims_reserved_t       *entries;
    ngx_uint_t                n;
    ngx_uint_t                any;            /* entries of any issuer */
    uint32_t                 *slots;          /* by user: entry, or NONE */
    uint32_t                  mask;
    uint32_t                 *of;             /* by number: entry, or NONE */
} ngx_ims_pool_reserve_t;


/* the number of the identity that is kept for a user, or NONE */
uint32_t ngx_ims_pool_reserved(ngx_ims_pool_t *pool, ngx_ims_want_t *want);

/* 1 when an identity is kept for somebody */
#define ngx_ims_pool_is_reserved(pool, number)                                \
    ((pool)->reserve != NULL && (pool)->reserve->of[number] != NGX_IMS_NONE)

/* slot of a user in the table: his entry, or NONE where it would stand */
uint32_t *ngx_ims_pool_reserve_slot(ngx_ims_pool_reserve_t *reserve,
    u_char *user);


#endif /* _NGX_IMS_POOL_RESERVE_H_INCLUDED_ */
