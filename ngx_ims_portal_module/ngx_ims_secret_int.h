/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the secrets share and nobody else includes.
 */


#ifndef _NGX_IMS_SECRET_INT_H_INCLUDED_
#define _NGX_IMS_SECRET_INT_H_INCLUDED_


#include "ngx_ims_secret.h"


#define NGX_IMS_SECRET_MAX_IMPI  255          /* bytes */


/* texts point into the file */
typedef struct {
    u_char                   *impi;
    u_char                   *value;          /* AKA: K, then OPc */
    uint32_t                  value_len;
    uint32_t                  sqn;            /* AKA: index */
    uint8_t                   impi_len;
    uint8_t                   kind;           /* ngx_ims_secret_kind_e */
    uint16_t                  set;
} ngx_ims_secret_entry_t;


/*
 * Reads one line, without its LF.  e is zeroed and stays so for a line with
 * nothing in it; sqn is set for AKA.  Returns what is wrong, or NULL.
 */
const char *ngx_ims_secret_line(u_char *p, u_char *last,
    ngx_ims_secret_entry_t *e, uint64_t *sqn);


#endif /* _NGX_IMS_SECRET_INT_H_INCLUDED_ */
