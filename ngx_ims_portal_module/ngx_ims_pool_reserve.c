/*
 * Copyright (C) the IMS portal authors
 *
 * Look-ups of reservations.  No timers.
 */


#include "ngx_ims_pool_reserve.h"


uint32_t *
ngx_ims_pool_reserve_slot(ngx_ims_pool_reserve_t *reserve, u_char *user)
{
    uint32_t   i;
    uint32_t  *slot;

    /* a digest: its bits are as good as any */

    ngx_memcpy(&i, user, sizeof(i));

    for ( ;; ) {
        slot = &reserve->slots[i++ & reserve->mask];

        if (*slot == NGX_IMS_NONE
            || ngx_memcmp(reserve->entries[*slot].user, user,
                          NGX_IMS_DIGEST_LEN)
               == 0)
        {
            return slot;
        }
    }
}


uint32_t
ngx_ims_pool_reserved(ngx_ims_pool_t *pool, ngx_ims_want_t *want)
{
    u_char                   any[NGX_IMS_DIGEST_LEN];
    uint32_t                 i;
    ngx_ims_str_t            subject, none;
    ngx_ims_pool_reserve_t  *reserve;

    reserve = pool->reserve;

    if (reserve == NULL) {
        return NGX_IMS_NONE;
    }

    i = *ngx_ims_pool_reserve_slot(reserve, want->user);

    if (i == NGX_IMS_NONE && reserve->any && want->subject.len) {
        ngx_str_null(&none);
        subject.data = want->subject.data;
        subject.len = want->subject.len;

        ngx_ims_pool_user(&none, &subject, any);
        i = *ngx_ims_pool_reserve_slot(reserve, any);
    }

    return i == NGX_IMS_NONE ? i : reserve->entries[i].number;
}
