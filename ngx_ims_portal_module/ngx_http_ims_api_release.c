/*
 * Copyright (C) the IMS portal authors
 *
 * DELETE at the session API: the user gives his identity back, and all his
 * browsers are told.
 */


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_lease.h"
#include "ngx_ims_order.h"


static ngx_uint_t ngx_http_ims_api_calls(ngx_ims_pool_t *pool,
    uint32_t lease, uint32_t *seq);
static ngx_uint_t ngx_http_ims_api_forced(ngx_http_request_t *r);


ngx_int_t
ngx_http_ims_api_release(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, uint32_t lease)
{
    uint32_t         seq;
    ngx_uint_t       calls;
    ngx_ims_pool_t  *pool;

    pool = ilcf->session_pool;

    calls = ngx_http_ims_api_calls(pool, lease, &seq);

    if (calls && !ngx_http_ims_api_forced(r)) {
        ngx_str_set(&ctx->error, "calls are running, \"force=1\" ends them");
        return ngx_http_ims_problem(r, 409, &ctx->error);
    }

    if (ngx_ims_lease_release(pool, lease, seq, 0) == NGX_DECLINED) {
        ngx_str_set(&ctx->error, "no identity is leased");
        return ngx_http_ims_problem(r, 404, &ctx->error);
    }

    ngx_ims_order_lease(pool, lease, NGX_IMS_ORDER_RELEASED);

    return ngx_http_ims_no_content(r);
}


/* how many calls a lease has, confirmed or not, and its seq */

static ngx_uint_t
ngx_http_ims_api_calls(ngx_ims_pool_t *pool, uint32_t lease, uint32_t *seq)
{
    uint32_t               i, k;
    ngx_uint_t             n;
    ngx_ims_zone_t        *zone;
    ngx_ims_binding_sh_t  *b;

    n = 0;
    zone = &pool->zone;

    ngx_ims_zone_lock(zone);

    *seq = zone->leases[lease].seq;

    for (i = zone->leases[lease].bindings; i != NGX_IMS_NONE; i = b->next) {
        b = &zone->bindings[i];
        n += b->calling;

        for (k = b->dialogs; k != NGX_IMS_NONE; k = zone->dialogs[k].sibling) {
            n += !zone->dialogs[k].events;
        }
    }

    ngx_ims_zone_unlock(zone);

    return n;
}


static ngx_uint_t
ngx_http_ims_api_forced(ngx_http_request_t *r)
{
    ngx_str_t  value;

    return ngx_http_arg(r, (u_char *) "force", 5, &value) == NGX_OK
           && value.len == 1 && value.data[0] == '1';
}
