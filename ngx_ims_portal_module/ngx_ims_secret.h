/*
 * Copyright (C) the IMS portal authors
 *
 * The secrets of private identities: a file that is read with the
 * configuration, a line for each IMPI, found by binary search.
 */


#ifndef _NGX_IMS_SECRET_H_INCLUDED_
#define _NGX_IMS_SECRET_H_INCLUDED_


#include "ngx_ims.h"
#include "ngx_ims_digest.h"


typedef struct ngx_ims_secrets_s  ngx_ims_secrets_t;


/*
 * Reads a file at configuration time.  Its lines:
 *
 *     IMPI password TEXT          or "TEXT" with \" and \\
 *     IMPI ha1 HEX                MD5 (32 digits) or SHA-256 (64)
 *     IMPI aka K=HEX OPC=HEX|OP=HEX [SQN=HEX]
 *     * ...                       any other IMPI, at most once
 *
 * Empty lines and those that begin with "#" are skipped.  A file that others
 * may read or write is refused.  Texts are cleared when the cycle ends, and are
 * not in core dumps.
 *
 * old    those of the previous cycle, or NULL: SQNs go on where they were
 *
 * Returns NULL when it was logged what is wrong, without the texts.
 */
ngx_ims_secrets_t *ngx_ims_secret_read(ngx_conf_t *cf, ngx_str_t *file,
    ngx_ims_secrets_t *old);

/*
 * The secret of an IMPI; what it points at lives as long as the cycle.  NGX_OK,
 * or NGX_DECLINED: there is none.  secrets may be NULL.
 */
ngx_int_t ngx_ims_secret_find(ngx_ims_secrets_t *secrets,
    ngx_ims_str_t *impi, ngx_ims_secret_t *secret);


#endif /* _NGX_IMS_SECRET_H_INCLUDED_ */
