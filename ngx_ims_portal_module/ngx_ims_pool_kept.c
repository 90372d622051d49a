/*
 * Copyright (C) the IMS portal authors
 *
 * Identities as the zone has them, "IMPU IMPI": those that tokens name, and
 * with their bindings those that left the configuration while somebody had
 * them: he goes on with his, and it can be de-registered.  No timers.
 */


#include "ngx_ims_pool_int.h"


ngx_int_t
ngx_ims_pool_keep(ngx_ims_pool_t *pool, uint32_t lease, ngx_ims_blob_t *kept)
{
    u_char     text[NGX_IMS_POOL_KEPT], *p;
    ngx_str_t  value;

    value.data = text;

    if (ngx_ims_pool_number_of(pool, lease) == NGX_IMS_NONE) {
        value.len = ngx_ims_pool_kept_text(pool, lease, text);

    } else {
        p = text + ngx_ims_pool_impu(pool, lease, text);
        *p++ = ' ';
        p += ngx_ims_pool_impi(pool, lease, p);
        value.len = p - text;
    }

    return ngx_ims_zone_put(&pool->zone, kept, &value);
}


size_t
ngx_ims_pool_kept(ngx_ims_pool_t *pool, uint32_t lease, ngx_uint_t impi,
    u_char *out)
{
    u_char   text[NGX_IMS_POOL_KEPT], *p, *last;
    size_t   len;

    if (lease >= pool->zone.sh->nleases) {
        return 0;
    }

    ngx_ims_zone_lock(&pool->zone);

    len = ngx_ims_pool_kept_text(pool, lease, text);

    ngx_ims_zone_unlock(&pool->zone);

    last = text + len;
    p = ngx_strlchr(text, last, ' ');

    if (p == NULL) {
        return 0;
    }

    if (impi) {
        len = ngx_min(last - (p + 1), NGX_IMS_MAX_IMPU);
        ngx_memcpy(out, p + 1, len);
        return len;
    }

    len = ngx_min(p - text, NGX_IMS_MAX_IMPU);
    ngx_memcpy(out, text, len);

    return len;
}


/* its own, or that of the first of its bindings that has it */

size_t
ngx_ims_pool_kept_text(ngx_ims_pool_t *pool, uint32_t lease, u_char *out)
{
    uint32_t               i;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_binding_sh_t  *b;

    l = &pool->zone.leases[lease];

    if (l->kind == NGX_IMS_LEASE_CLAIMED) {
        return l->text.len <= NGX_IMS_POOL_KEPT
               ? ngx_ims_zone_get(&pool->zone, &l->text, out) - out : 0;
    }

    for (i = l->bindings; i != NGX_IMS_NONE; i = b->next) {
        b = &pool->zone.bindings[i];

        if (b->identity.len && b->identity.len <= NGX_IMS_POOL_KEPT) {
            return ngx_ims_zone_get(&pool->zone, &b->identity, out) - out;
        }
    }

    return 0;
}
