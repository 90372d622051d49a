/*
 * Copyright (C) the IMS portal authors
 *
 * Blocks of the configuration with lines of their own.
 */


#ifndef _NGX_HTTP_IMS_BLOCK_H_INCLUDED_
#define _NGX_HTTP_IMS_BLOCK_H_INCLUDED_


#include "ngx_http_ims_portal_module.h"


typedef char *(*ngx_http_ims_line_pt)(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);


typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                min;            /* arguments */
    ngx_uint_t                max;
    ngx_http_ims_line_pt      handler;
} ngx_http_ims_line_t;


/* parses the block that follows; lines end with an empty name */
char *ngx_http_ims_run_block(ngx_conf_t *cf, void *object,
    ngx_http_ims_line_t *lines);

/* a core that was defined before, or NULL */
ngx_ims_core_t *ngx_http_ims_find_core(ngx_http_ims_main_conf_t *imcf,
    ngx_str_t *name);

/* the line "register" of a core's block */
char *ngx_http_ims_core_register(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);

/* the lines "server", "timeout", "probe" */
char *ngx_http_ims_core_server(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);
char *ngx_http_ims_core_timeout(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
char *ngx_http_ims_core_probe(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);

/* lines about its connections: stream_*, ssl_*, udp_max; and what they default
   to */
char *ngx_http_ims_core_link(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);
void ngx_http_ims_core_link_defaults(ngx_ims_core_t *core);

/* the line "reg_event" of a core's block */
char *ngx_http_ims_core_reg_event(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);

/* the lines "sockets" and "dialogs" of a pool, "max_requests" of a core */
char *ngx_http_ims_limit_pool_sockets(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
char *ngx_http_ims_limit_dialogs(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
char *ngx_http_ims_limit_max_requests(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);

/* the lines "prack" and "timer_c" */
char *ngx_http_ims_core_prack(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);
char *ngx_http_ims_core_timer_c(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);


#endif /* _NGX_HTTP_IMS_BLOCK_H_INCLUDED_ */
