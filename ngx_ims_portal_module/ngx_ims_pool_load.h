/*
 * Copyright (C) the IMS portal authors
 *
 * Files that lines of a pool name, at configuration time.
 */


#ifndef _NGX_IMS_POOL_LOAD_H_INCLUDED_
#define _NGX_IMS_POOL_LOAD_H_INCLUDED_


#include "ngx_ims_pool_int.h"


enum {
    NGX_IMS_POOL_MAX_FILE = 512 << 20    /* bytes */
};


/*
 * Reads a file whose path, made a full one, a line of the configuration has.
 * NGX_OK with text allocated (ngx_free()), NGX_ERROR (logged): what is the
 * line.
 */
ngx_int_t ngx_ims_pool_read(ngx_conf_t *cf, const char *what, ngx_str_t *path,
    ngx_str_t *text);


/* a line that has something, without blanks around it, and its number */
typedef ngx_int_t (*ngx_ims_pool_line_pt)(void *data, ngx_str_t *line,
    ngx_uint_t n);

/* calls handler for each until it returns another thing than NGX_OK */
ngx_int_t ngx_ims_pool_lines(ngx_str_t *text, ngx_ims_pool_line_pt handler,
    void *data);


#endif /* _NGX_IMS_POOL_LOAD_H_INCLUDED_ */
