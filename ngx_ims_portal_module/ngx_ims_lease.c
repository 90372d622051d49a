/*
 * Copyright (C) the IMS portal authors
 *
 * No timers.
 */


#include "ngx_ims_lease.h"
#include "ngx_ims_order.h"


#define NGX_IMS_LEASE_AGAIN  5                /* s */


ngx_int_t
ngx_ims_lease_get(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_waiter_t *waiter, uint32_t *lease, ngx_uint_t *fresh,
    ngx_log_t *log)
{
    /* this host is taken out of service: who has nothing here goes elsewhere */

    if (!ngx_ims_order_admits(pool, want->user, 0)) {
        return NGX_ERROR;
    }

    return ngx_ims_pool_lease(pool, want, lease, fresh, log);
}


time_t
ngx_ims_lease_retry_after(ngx_ims_pool_t *pool, ngx_int_t rc)
{
    if (ngx_ims_order_drained(pool, NULL)) {
        return NGX_IMS_ORDER_RETRY;
    }

    return rc == NGX_BUSY ? ngx_ims_pool_retry_after(pool)
                          : NGX_IMS_LEASE_AGAIN;
}
