/*
 * Copyright (C) the IMS portal authors
 *
 * What is kept of a user's longest token: its end, jti, kid, time of issue, and
 * what it was judged by, in the record of his lease.  Its end is stored last,
 * so that a process that is killed meanwhile leaves none rather than a mixed
 * one.  No timers.
 */


#include "ngx_ims_renew.h"


static uint32_t ngx_ims_renew_rights(uint32_t wants, ngx_ims_grant_t *grant);
static ngx_ims_lease_sh_t *ngx_ims_renew_lease(ngx_ims_zone_t *zone,
    u_char *user);
static time_t ngx_ims_renew_load(ngx_ims_pool_t *pool,
    ngx_ims_deny_token_t *ids, uint32_t *rights);


ngx_int_t
ngx_ims_renew_user(ngx_ims_pool_t *pool, uint32_t wants,
    ngx_ims_grant_t *grant)
{
    time_t                 expires;
    uint32_t               rights, own;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_deny_token_t   ids;

    ids = grant->ids;
    own = ngx_ims_renew_rights(wants, grant);
    expires = ngx_ims_renew_load(pool, &ids, &rights);

    /*
     * One that is revoked does not stand in the way of a good one, nor a longer
     * one that is of no use where this one is.
     */

    if (expires >= grant->expires
        && (rights == own || ids.issued > grant->ids.issued)
        && !ngx_ims_deny_check(pool, &ids))
    {
        return NGX_OK;
    }

    ngx_ims_zone_lock(&pool->zone);

    l = ngx_ims_renew_lease(&pool->zone, grant->ids.user);

    if (l != NULL) {
        l->token_expires = 0;

        ngx_memory_barrier();

        l->token_rights = own;
        l->token_issued = grant->ids.issued;
        ngx_memcpy(l->token_jti, grant->ids.jti, NGX_IMS_DIGEST_LEN);
        ngx_memcpy(l->token_kid, grant->ids.kid, NGX_IMS_DIGEST_LEN);

        ngx_memory_barrier();

        l->token_expires = grant->expires;
    }

    ngx_ims_zone_unlock(&pool->zone);

    return l != NULL ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_ims_renew_grant(ngx_ims_pool_t *pool, uint32_t wants,
    ngx_ims_grant_t *grant)
{
    time_t                expires;
    uint32_t              rights;
    ngx_ims_deny_token_t  ids;

    ids = grant->ids;
    expires = ngx_ims_renew_load(pool, &ids, &rights);

    if (expires <= grant->expires || ngx_ims_deny_check(pool, &ids)) {
        return 0;
    }

    /*
     * What another token allows, more or less, is for a new socket, and so is
     * what a location took that asks for less.
     */

    if (rights != ngx_ims_renew_rights(wants, grant)) {
        return 0;
    }

    grant->ids = ids;
    grant->expires = expires;

    return 1;
}


/* differs when what a token allows does, or what was asked of it */

static uint32_t
ngx_ims_renew_rights(uint32_t wants, ngx_ims_grant_t *grant)
{
    uint32_t  crc, numbers[2];

    numbers[0] = wants;
    numbers[1] = ngx_ims_grant_rights(grant);

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) numbers, sizeof(numbers));
    ngx_crc32_final(crc);

    return crc;
}


/* of the user in ids, whose other members are set; s, or 0: none */

static time_t
ngx_ims_renew_load(ngx_ims_pool_t *pool, ngx_ims_deny_token_t *ids,
    uint32_t *rights)
{
    time_t               expires;
    ngx_ims_lease_sh_t  *l;

    expires = 0;
    *rights = 0;

    ngx_ims_zone_lock(&pool->zone);

    l = ngx_ims_renew_lease(&pool->zone, ids->user);

    if (l != NULL && l->token_expires) {
        expires = l->token_expires;
        *rights = l->token_rights;
        ids->issued = l->token_issued;
        ngx_memcpy(ids->jti, l->token_jti, NGX_IMS_DIGEST_LEN);
        ngx_memcpy(ids->kid, l->token_kid, NGX_IMS_DIGEST_LEN);
    }

    ngx_ims_zone_unlock(&pool->zone);

    return expires;
}


static ngx_ims_lease_sh_t *
ngx_ims_renew_lease(ngx_ims_zone_t *zone, u_char *user)
{
    uint32_t  h, i;

    ngx_memcpy(&h, user, sizeof(h));

    for (i = zone->user_buckets[h & (zone->sh->nbuckets - 1)];
         i != NGX_IMS_NONE;
         i = zone->leases[i].user_next)
    {
        if (zone->leases[i].state == NGX_IMS_LEASE_LEASED
            && ngx_memcmp(zone->leases[i].user, user, NGX_IMS_DIGEST_LEN)
               == 0)
        {
            return &zone->leases[i];
        }
    }

    return NULL;
}
