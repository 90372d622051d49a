/*
 * Copyright (C) the IMS portal authors
 *
 * Header lines: of a request by name, lists in them, and those of an answer.
 */


#include "ngx_http_ims_portal_module.h"


static ngx_uint_t ngx_http_ims_list_next(ngx_str_t *list, ngx_str_t *item);


ngx_int_t
ngx_http_ims_header(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_ims_request_header(ngx_http_request_t *r, const char *name)
{
    ngx_http_ims_walk_t  walk;

    ngx_memzero(&walk, sizeof(ngx_http_ims_walk_t));

    return ngx_http_ims_next_header(r, name, &walk);
}


ngx_table_elt_t *
ngx_http_ims_next_header(ngx_http_request_t *r, const char *name,
    ngx_http_ims_walk_t *walk)
{
    size_t            len;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    if (walk->part == NULL) {
        walk->part = &r->headers_in.headers.part;
    }

    for ( ;; ) {

        if (walk->i >= walk->part->nelts) {
            if (walk->part->next == NULL) {
                return NULL;
            }

            walk->part = walk->part->next;
            walk->i = 0;
            continue;
        }

        h = walk->part->elts;
        h = &h[walk->i++];

        if (h->key.len == len
            && ngx_strncasecmp(h->key.data, (u_char *) name, len) == 0)
        {
            return h;
        }
    }
}


ngx_uint_t
ngx_http_ims_header_has(ngx_http_request_t *r, const char *name,
    const char *token)
{
    ngx_table_elt_t      *h;
    ngx_http_ims_walk_t   walk;

    ngx_memzero(&walk, sizeof(ngx_http_ims_walk_t));

    for ( ;; ) {
        h = ngx_http_ims_next_header(r, name, &walk);

        if (h == NULL) {
            return 0;
        }

        if (ngx_http_ims_list_has(&h->value, token)) {
            return 1;
        }
    }
}


ngx_uint_t
ngx_http_ims_header_item(ngx_http_request_t *r, const char *name,
    const char *prefix, ngx_str_t *rest)
{
    size_t                len;
    ngx_str_t             list, item;
    ngx_table_elt_t      *h;
    ngx_http_ims_walk_t   walk;

    len = ngx_strlen(prefix);

    ngx_memzero(&walk, sizeof(ngx_http_ims_walk_t));

    for ( ;; ) {
        h = ngx_http_ims_next_header(r, name, &walk);

        if (h == NULL) {
            return 0;
        }

        list = h->value;

        while (ngx_http_ims_list_next(&list, &item)) {
            if (item.len > len
                && ngx_strncmp(item.data, prefix, len) == 0)
            {
                rest->data = item.data + len;
                rest->len = item.len - len;
                return 1;
            }
        }
    }
}


ngx_uint_t
ngx_http_ims_list_has(ngx_str_t *list, const char *token)
{
    size_t     len;
    ngx_str_t  left, item;

    len = ngx_strlen(token);
    left = *list;

    while (ngx_http_ims_list_next(&left, &item)) {
        if (item.len == len
            && ngx_strncasecmp(item.data, (u_char *) token, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* takes the first item, which may be empty, off a list; 0: it was empty */

static ngx_uint_t
ngx_http_ims_list_next(ngx_str_t *list, ngx_str_t *item)
{
    u_char  *p, *start, *last;

    if (list->len == 0) {
        return 0;
    }

    start = list->data;
    last = start + list->len;

    for (p = start; p < last && *p != ','; p++) { /* void */ }

    list->data = p < last ? p + 1 : p;
    list->len = last - list->data;

    while (start < p && (*start == ' ' || *start == '\t')) {
        start++;
    }

    while (p > start && (p[-1] == ' ' || p[-1] == '\t')) {
        p--;
    }

    item->data = start;
    item->len = p - start;

    return 1;
}
