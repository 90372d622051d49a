/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the digest share and nobody else includes.
 */


#ifndef _NGX_IMS_DIGEST_INT_H_INCLUDED_
#define _NGX_IMS_DIGEST_INT_H_INCLUDED_


#include "ngx_ims_digest.h"


typedef struct {
    const char           *name;
    unsigned char         hash;          /* ngx_ims_digest_hash_e */
    unsigned char         aka;           /* version, 0: none */
} ngx_ims_digest_algorithm_t;


/* those that we know; ends with a name of NULL */
extern const ngx_ims_digest_algorithm_t  ngx_ims_digest_algorithms[];


/*
 * RAND and AUTN, which an AKA nonce begins with; bytes has room for both.
 * NGX_IMS_OK or INVALID.
 */
int ngx_ims_digest_nonce(const ngx_ims_digest_t *d, unsigned char *bytes);


#endif /* _NGX_IMS_DIGEST_INT_H_INCLUDED_ */
