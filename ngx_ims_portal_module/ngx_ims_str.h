/*
 * Copyright (C) the IMS portal authors
 *
 * The span that all pure codecs use: bytes somewhere in a caller's buffer,
 * never terminated.  Beside nginx it is ngx_str_t, so that the module may print
 * a span with "%V"; the codecs, their unit tests and fuzzers do not need nginx
 * and have the same structure of their own.
 */


#ifndef _NGX_IMS_STR_H_INCLUDED_
#define _NGX_IMS_STR_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>


#ifdef _NGX_CORE_H_INCLUDED_

typedef ngx_str_t  ngx_ims_str_t;

#else

typedef struct {
    size_t          len;
    unsigned char  *data;
} ngx_ims_str_t;

#endif


#define ngx_ims_str(s)  { sizeof(s) - 1, (unsigned char *) s }


/* results of all pure codecs */

enum {
    NGX_IMS_OK = 0,
    NGX_IMS_INVALID = -1,
    NGX_IMS_MORE = -2,           /* incomplete, more input is needed */
    NGX_IMS_NOSPACE = -3         /* the caller's buffer is too small */
};


/* 1 when all bytes are well-formed UTF-8 (RFC 3629), else 0 */
int ngx_ims_utf8(const unsigned char *p, size_t len);

/*
 * The bytes, 1 to 4, of the well-formed character (RFC 3629 4) that p begins
 * with, or 0; len is 1 or more.
 */
int ngx_ims_utf8_char(const unsigned char *p, size_t len);

/*
 * How many characters a text has that may be shown on one line: well-formed
 * UTF-8 without control characters (C0, DEL, C1), line and paragraph
 * separators, and what turns the direction of a text (U+200E, U+200F,
 * U+202A..E, U+2066..9, so that a name cannot pass for another one); -1: it has
 * such a one.
 */
int ngx_ims_plain(const unsigned char *p, size_t len);


#endif /* _NGX_IMS_STR_H_INCLUDED_ */
