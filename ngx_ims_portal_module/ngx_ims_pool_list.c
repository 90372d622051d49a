/*
 * Copyright (C) the IMS portal authors
 *
 * Look-ups in the list of a file.  No timers.
 */


#include "ngx_ims_pool_int.h"
#include "ngx_ims_pool_list.h"


void
ngx_ims_pool_list_get(ngx_ims_pool_list_t *list, uint32_t number,
    ngx_str_t *impu, ngx_str_t *impi)
{
    u_char  *p;

    p = list->text + list->at[number];

    impu->len = *p++;
    impu->data = p;

    p += impu->len;

    impi->len = *p++;
    impi->data = p;
}


uint32_t *
ngx_ims_pool_list_slot(ngx_ims_pool_list_t *list, u_char *key, size_t len)
{
    u_char      own[NGX_IMS_MAX_IMPU];
    size_t      n;
    uint32_t   *slot;
    uint32_t    tag;
    uint64_t    i;
    ngx_str_t   impu, impi;

    i = ngx_ims_pool_hash(key, len);
    tag = (uint32_t) (i >> 32);

    for ( ;; ) {
        slot = &list->slots[i++ & list->mask];

        if (*slot == NGX_IMS_NONE) {
            return slot;
        }

        if (list->tags[*slot] != tag) {
            continue;
        }

        ngx_ims_pool_list_get(list, *slot, &impu, &impi);

        n = ngx_ims_pool_key(&impu, own);

        if (n == len && ngx_memcmp(own, key, len) == 0) {
            return slot;
        }
    }
}


uint32_t
ngx_ims_pool_list_find(ngx_ims_pool_list_t *list, u_char *key, size_t len)
{
    return *ngx_ims_pool_list_slot(list, key, len);
}
