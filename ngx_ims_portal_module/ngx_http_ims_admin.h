/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the administration API share.
 */


#ifndef _NGX_HTTP_IMS_ADMIN_H_INCLUDED_
#define _NGX_HTTP_IMS_ADMIN_H_INCLUDED_


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_deny_blocked.h"
#include "ngx_ims_lease.h"
#include "ngx_ims_pool_admin.h"

#include <jansson.h>


enum {
    NGX_HTTP_IMS_ADMIN_ARGS = 8,
    NGX_HTTP_IMS_ADMIN_TEXT = 255,       /* bytes of a value at most */
    NGX_HTTP_IMS_ADMIN_BODY = 16384,     /* bytes of a body at most */
    NGX_HTTP_IMS_ADMIN_LIMIT = 100,      /* entries of a page by default */
    NGX_HTTP_IMS_ADMIN_MAX = 1000        /* ... and at most */
};


typedef struct ngx_http_ims_admin_s  ngx_http_ims_admin_t;

/*
 * What answers: as a content handler, or NGX_DECLINED: a problem was sent.
 * "What was answered" below is NGX_DECLINED, too.
 */
typedef ngx_int_t (*ngx_http_ims_admin_pt)(ngx_http_ims_admin_t *a);


/* of a request's query, decoded */
typedef struct {
    ngx_str_t                 name;
    ngx_str_t                 value;
} ngx_http_ims_admin_arg_t;


struct ngx_http_ims_admin_s {
    ngx_http_request_t       *request;
    ngx_http_ims_main_conf_t *imcf;
    ngx_http_ims_loc_conf_t  *ilcf;
    ngx_ims_pool_t           *pool;           /* NULL: all */
    ngx_str_t                 rest;           /* of the path: which one */
    ngx_http_ims_admin_pt     handler;
    ngx_http_ims_admin_arg_t  args[NGX_HTTP_IMS_ADMIN_ARGS];
    ngx_uint_t                nargs;
    json_t                   *body;           /* of a POST, an object */
    ngx_int_t                 rc;             /* of a problem that was sent */
};


/* a page of a list, as the query asks for it */
typedef struct {
    ngx_uint_t                limit;
    uint32_t                  cursor;         /* index of the first entry */
} ngx_http_ims_admin_page_t;


/* a member that a body may have */
typedef struct {
    const char               *name;
    json_type                 type;           /* JSON_TRUE: a boolean */
    ngx_uint_t                required;
} ngx_http_ims_admin_member_t;


/*
 * Decodes the query, which may have the parameters that names lists, each with
 * a space on both sides.  NGX_OK, or what was answered.
 */
ngx_int_t ngx_http_ims_admin_query(ngx_http_ims_admin_t *a,
    const char *names);

/* a parameter of the query; 1: it is there */
ngx_uint_t ngx_http_ims_admin_arg(ngx_http_ims_admin_t *a, const char *name,
    ngx_str_t *value);

/* NGX_OK, or what was answered */
ngx_int_t ngx_http_ims_admin_page(ngx_http_ims_admin_t *a,
    ngx_http_ims_admin_page_t *page);

/*
 * Checks that the body has the members of a list, ended by one without a name,
 * and no others, and that texts are short and have no control characters.
 * NGX_OK, or what was answered.
 */
ngx_int_t ngx_http_ims_admin_body(ngx_http_ims_admin_t *a,
    ngx_http_ims_admin_member_t *member);

/* a text of the body, empty when it lacks that */
void ngx_http_ims_admin_text(ngx_http_ims_admin_t *a, const char *name,
    ngx_str_t *text);

/*
 * The user that texts name, and its key; without an issuer it is that of the
 * location.  NGX_OK, or what was answered.
 */
ngx_int_t ngx_http_ims_admin_user(ngx_http_ims_admin_t *a, ngx_str_t *user,
    ngx_str_t *issuer, u_char *key);

/* answers; o is given back.  As a content handler */
ngx_int_t ngx_http_ims_admin_answer(ngx_http_ims_admin_t *a,
    ngx_uint_t status, json_t *o);

/* 204 */
ngx_int_t ngx_http_ims_admin_done(ngx_http_ims_admin_t *a);

/* answers with a problem, in words as of ngx_slprintf(); NGX_DECLINED */
ngx_int_t ngx_http_ims_admin_problem(ngx_http_ims_admin_t *a,
    ngx_uint_t status, const char *fmt, ...);

/* says in the log who did what, in words as of ngx_slprintf() */
void ngx_http_ims_admin_log(ngx_http_ims_admin_t *a, const char *fmt, ...);

/* members of an object; an empty text and a time of 0 are null */
void ngx_http_ims_admin_set(json_t *o, const char *name, ngx_str_t *text);
void ngx_http_ims_admin_set_n(json_t *o, const char *name, int64_t n);
void ngx_http_ims_admin_set_time(json_t *o, const char *name, time_t t);
void ngx_http_ims_admin_set_flag(json_t *o, const char *name,
    ngx_uint_t flag);

/* text that may not be UTF-8 */
json_t *ngx_http_ims_admin_string(ngx_str_t *text);

/* what answers (ngx_http_ims_admin_list.c) */
ngx_int_t ngx_http_ims_admin_leases(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_lease(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_sessions(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_session(ngx_http_ims_admin_t *a);

/* ... and ngx_http_ims_admin_change.c */
ngx_int_t ngx_http_ims_admin_release(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_end_session(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_end(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_move(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_blocks(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_block(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_unblock(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_drained(ngx_http_ims_admin_t *a);
ngx_int_t ngx_http_ims_admin_drain(ngx_http_ims_admin_t *a);
json_t *ngx_http_ims_admin_drain_state(ngx_ims_pool_t *pool);

/* the entry of an identity, by its URI; NGX_OK, or what was answered */
ngx_int_t ngx_http_ims_admin_which(ngx_http_ims_admin_t *a, ngx_str_t *text,
    uint32_t *lease);

/* a session's name in the path, "index-seq"; NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_ims_admin_id(ngx_str_t *text, uint32_t *index,
    uint32_t *seq);


#endif /* _NGX_HTTP_IMS_ADMIN_H_INCLUDED_ */
