/*
 * Copyright (C) the IMS portal authors
 *
 * Lines of the blocks that concern numbers: dial plan, emergency, limits.
 */


#ifndef _NGX_HTTP_IMS_DIAL_H_INCLUDED_
#define _NGX_HTTP_IMS_DIAL_H_INCLUDED_


#include "ngx_http_ims_block.h"


/* of ims_portal_core; object is the ngx_ims_core_t */
char *ngx_http_ims_dial_plan(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);
char *ngx_http_ims_dial_barred(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);
char *ngx_http_ims_dial_allowed(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
char *ngx_http_ims_dial_premium(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
char *ngx_http_ims_sos(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);

/*
 * When the block is at its end and listens are known: defaults, and what does
 * not fit together.  NGX_CONF_OK, or NGX_CONF_ERROR (logged).
 */
char *ngx_http_ims_dial_check(ngx_conf_t *cf, ngx_ims_core_t *core);
char *ngx_http_ims_sos_check(ngx_conf_t *cf, ngx_ims_core_t *core);

/* a list with room for one more entry, which is counted; NULL: no memory */
void *ngx_http_ims_dial_push(ngx_conf_t *cf, void *list, unsigned *count,
    size_t size);

/* takes the next part of "a,b,c" off rest; 0: there is none */
ngx_uint_t ngx_http_ims_dial_next(ngx_str_t *rest, ngx_str_t *value);

/* of ims_portal_pool; object is the ngx_ims_pool_t */
char *ngx_http_ims_dial_calls(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);
char *ngx_http_ims_dial_calls_per_hour(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
char *ngx_http_ims_dial_premium_per_hour(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);


#endif /* _NGX_HTTP_IMS_DIAL_H_INCLUDED_ */
