/*
 * Copyright (C) the IMS portal authors
 *
 * A file of revoked tokens, a line each, as the login product writes it.  Every
 * process has the list for itself, sorted, and reads the file again when it has
 * changed.
 *
 *     sub NAME [iss=ISSUER] [issued_before=SECONDS]
 *     jti ID
 *     kid ID
 *     issued_before SECONDS
 *
 * Words are separated by blanks; one with a blank stands in double quotes, in
 * which "\" takes the next character as it is.  "#" begins a comment line.
 */


#ifndef _NGX_IMS_DENY_FILE_H_INCLUDED_
#define _NGX_IMS_DENY_FILE_H_INCLUDED_


#include "ngx_ims_deny.h"


enum {
    NGX_IMS_DENY_FILE_MAX = 67108864     /* bytes */
};


typedef struct {
    u_char                    key[NGX_IMS_DIGEST_LEN];
    uint32_t                  kind;           /* ngx_ims_deny_e */
    time_t                    before;         /* s */
} ngx_ims_deny_entry_t;


typedef struct {
    time_t                    before;         /* s, of all tokens; 0: none */
    ngx_uint_t                nelts;
    ngx_ims_deny_entry_t      elts[1];
} ngx_ims_deny_list_t;


typedef struct ngx_ims_deny_file_s {
    ngx_str_t                 name;           /* path, NUL behind it */
    ngx_msec_t                watch;          /* ms, 0: at reload only */
    ngx_msec_t                due;            /* when it is looked at again */
    ngx_ims_deny_list_t      *list;           /* for ngx_free() */
    dev_t                     dev;            /* as it was when it was read */
    ino_t                     ino;
    off_t                     size;
    struct timespec           mtime;
    unsigned                  missing:1;      /* that was logged */
} ngx_ims_deny_file_t;


/*
 * Reads it.  NGX_OK, or NGX_ERROR, logged at this level with the line: then the
 * list is the one of before.
 */
ngx_int_t ngx_ims_deny_file_load(ngx_ims_deny_file_t *f, ngx_uint_t level,
    ngx_log_t *log);

/* reads it again, if it is time and it has changed; 1: there is another list */
ngx_uint_t ngx_ims_deny_file_changed(ngx_ims_deny_file_t *f,
    ngx_log_t *log);

/* 1 when a token is in it */
ngx_uint_t ngx_ims_deny_file_check(ngx_ims_deny_file_t *f,
    ngx_ims_deny_token_t *token);


#endif /* _NGX_IMS_DENY_FILE_H_INCLUDED_ */
