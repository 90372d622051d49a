/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the dialog records share.  All expect the zone's lock to be
 * held.
 */


#ifndef _NGX_IMS_DIALOG_INT_H_INCLUDED_
#define _NGX_IMS_DIALOG_INT_H_INCLUDED_


#include "ngx_ims_dialog.h"


/* what the record of a Call-ID and a browser's tag is found by */
uint32_t ngx_ims_dialog_hash(ngx_ims_str_t *call_id, ngx_ims_str_t *tag);

/* copies a record; buf has NGX_IMS_DIALOG_BUFFER bytes */
void ngx_ims_dialog_copy(ngx_ims_pool_t *pool, uint32_t i,
    ngx_ims_dialog_t *d, u_char *buf);

/* takes it out of its hash chain and its binding's list */
void ngx_ims_dialog_unlink(ngx_ims_pool_t *pool, uint32_t i);


#endif /* _NGX_IMS_DIALOG_INT_H_INCLUDED_ */
