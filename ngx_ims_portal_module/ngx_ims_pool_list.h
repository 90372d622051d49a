/*
 * Copyright (C) the IMS portal authors
 *
 * Identities listed in a file.  The texts lie one behind the other, with a
 * number each for where they begin and for their place in a hash table: of a
 * million with 30 characters each some 55 MB, which workers share with the
 * master.
 */


#ifndef _NGX_IMS_POOL_LIST_H_INCLUDED_
#define _NGX_IMS_POOL_LIST_H_INCLUDED_


#include "ngx_ims_pool.h"


typedef struct ngx_ims_pool_list_s {
    u_char                   *text;           /* lengths and texts, IMPU and
                                                 IMPI (may be empty) */
    uint32_t                 *at;             /* by number */
    uint32_t                 *tags;           /* part of the key's hash */
    uint32_t                 *slots;          /* by key: number, or NONE */
    uint32_t                  mask;
    uint32_t                  count;
} ngx_ims_pool_list_t;


/* the texts of one; they are not copied */
void ngx_ims_pool_list_get(ngx_ims_pool_list_t *list, uint32_t number,
    ngx_str_t *impu, ngx_str_t *impi);

/* the number that a key has, or NGX_IMS_NONE */
uint32_t ngx_ims_pool_list_find(ngx_ims_pool_list_t *list, u_char *key,
    size_t len);

/* where a key is in the table, or would stand */
uint32_t *ngx_ims_pool_list_slot(ngx_ims_pool_list_t *list, u_char *key,
    size_t len);


#endif /* _NGX_IMS_POOL_LIST_H_INCLUDED_ */
