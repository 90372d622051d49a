/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the SIP codec share and nobody else includes: character
 * classes and the scanners that work on a pointer and an end.
 */


#ifndef _NGX_IMS_SIP_INT_H_INCLUDED_
#define _NGX_IMS_SIP_INT_H_INCLUDED_


#include "ngx_ims_sip.h"


/* character classes (RFC 3261 25.1, RFC 3966 3) */

enum {
    NGX_IMS_C_TOKEN = 0x01,
    NGX_IMS_C_LWS = 0x02,                /* SP, HT, and CR, LF of a fold */
    NGX_IMS_C_HOST = 0x04,               /* of a host name; "_" is let pass */
    NGX_IMS_C_USER = 0x08,               /* unescaped in a user part */
    NGX_IMS_C_HEX = 0x10,
    NGX_IMS_C_NUMBER = 0x20,             /* of a tel: number, no "+" */
    NGX_IMS_C_PARAM = 0x40,              /* of a value without quotes */
    NGX_IMS_C_URI = 0x80                 /* of any URI; UTF-8 is let pass */
};

extern const unsigned char  ngx_ims_sip_class[256];

#define ngx_ims_is(c, class)  (ngx_ims_sip_class[(unsigned char) (c)] & (class))

#define ngx_ims_lower(c)                                                      \
    ((unsigned char) ((c) >= 'A' && (c) <= 'Z' ? (c) | 0x20 : (c)))


/* the first byte in [p, end) that is not of the class, or end */
static inline unsigned char *
ngx_ims_sip_skip(unsigned char *p, unsigned char *end, unsigned class)
{
    while (p < end && ngx_ims_is(*p, class)) {
        p++;
    }

    return p;
}


/* the same where many bytes of the class are to be expected */
static inline unsigned char *
ngx_ims_sip_skip_many(unsigned char *p, unsigned char *end, unsigned class)
{
    while (end - p >= 4
           && (ngx_ims_sip_class[p[0]] & ngx_ims_sip_class[p[1]]
               & ngx_ims_sip_class[p[2]] & ngx_ims_sip_class[p[3]] & class))
    {
        p += 4;
    }

    return ngx_ims_sip_skip(p, end, class);
}


/* the first byte in [p, end) that is not LWS, or end */
static inline unsigned char *
ngx_ims_sip_skip_lws(unsigned char *p, unsigned char *end)
{
    return ngx_ims_sip_skip(p, end, NGX_IMS_C_LWS);
}


/* a span of [p, end) without LWS at either side */
static inline ngx_ims_str_t
ngx_ims_sip_trim(unsigned char *p, unsigned char *end)
{
    ngx_ims_str_t  s;

    p = ngx_ims_sip_skip_lws(p, end);

    while (end > p && ngx_ims_is(end[-1], NGX_IMS_C_LWS)) {
        end--;
    }

    s.data = p;
    s.len = end - p;

    return s;
}


/* notes what is wrong at pos, unless something was before */
void ngx_ims_sip_fail(ngx_ims_sip_msg_t *m, unsigned code,
    const unsigned char *pos, const char *error);

/* the first line, without its CRLF */
void ngx_ims_sip_start_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end);

/* p is at a quote; returns the byte behind the closing one, or NULL */
unsigned char *ngx_ims_sip_skip_quoted(unsigned char *p, unsigned char *end);

/* any case; 1 when the n bytes at a and b are the same */
int ngx_ims_sip_same(const unsigned char *a, const unsigned char *b, size_t n);

/* the ":" behind a scheme when something follows, or NULL */
unsigned char *ngx_ims_sip_scheme_end(const ngx_ims_str_t *uri);

/* ngx_ims_sip_parse_uri() of what is known to be all NGX_IMS_C_URI */
int ngx_ims_sip_split_uri(const ngx_ims_str_t *s, ngx_ims_sip_uri_t *u);

/*
 * A name, an IPv4 address or an IPv6 reference, and a port 1..65535.  Both
 * return the byte behind, or NULL.
 */
unsigned char *ngx_ims_sip_parse_host(unsigned char *p, unsigned char *end,
    ngx_ims_str_t *host);
unsigned char *ngx_ims_sip_parse_port(unsigned char *p, unsigned char *end,
    uint16_t *port);

/*
 * Checks "a=b;c;d=\"e\"" as a whole and takes the value of one parameter along,
 * which must not be repeated or empty.  Returns NGX_IMS_OK or NGX_IMS_INVALID.
 */
int ngx_ims_sip_check_params(const ngx_ims_str_t *params, const char *name,
    ngx_ims_str_t *value);


/* header names, found by a hash of length, first and last letter */

#define NGX_IMS_SIP_HASH_SIZE  256

#define ngx_ims_sip_hash(len, first, last)                                    \
    ((2 * (len) + 10 * (first) + 19 * (last)) % NGX_IMS_SIP_HASH_SIZE)

typedef struct {
    const char          *name;           /* in lower case */
    uint16_t             len;
    uint16_t             id;
} ngx_ims_sip_hdr_name_t;

extern const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names[NGX_IMS_SIP_HASH_SIZE];


/*
 * b is a name of the table: no character but the capital letter becomes a small
 * letter by bit 5, and only CR a "-", which never stands in a line without LF.
 */

static inline int
ngx_ims_sip_name_same(const unsigned char *a, const unsigned char *b, size_t n)
{
    uint32_t  v, w;
    uint64_t  x, y;

    if (n < 4) {

        for ( /* void */ ; n; n--) {

            if ((*a++ | 0x20) != *b++) {
                return 0;
            }
        }

        return 1;
    }

    /* the last four or eight may overlap those before */

    if (n < 8) {
        memcpy(&v, a, 4);
        memcpy(&w, b, 4);

        if ((v | 0x20202020) != w) {
            return 0;
        }

        memcpy(&v, a + n - 4, 4);
        memcpy(&w, b + n - 4, 4);

        return (v | 0x20202020) == w;
    }

    for ( /* void */ ; n > 8; a += 8, b += 8, n -= 8) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);

        if ((x | 0x2020202020202020ULL) != y) {
            return 0;
        }
    }

    memcpy(&x, a + n - 8, 8);
    memcpy(&y, b + n - 8, 8);

    return (x | 0x2020202020202020ULL) == y;
}


/* the id of a header name, any case, compact or not */
static inline unsigned
ngx_ims_sip_hdr_id(const ngx_ims_str_t *name)
{
    unsigned char                  first, last;
    const ngx_ims_sip_hdr_name_t  *n;

    if (name->len == 0) {
        return NGX_IMS_HDR_OTHER;
    }

    first = name->data[0] | 0x20;
    last = name->data[name->len - 1] | 0x20;

    n = &ngx_ims_sip_names[ngx_ims_sip_hash(name->len, first, last)];

    if (n->len == name->len
        && ngx_ims_sip_name_same(name->data, (const unsigned char *) n->name,
                                 n->len))
    {
        return n->id;
    }

    if (first == 'p' && name->len > 2 && name->data[1] == '-') {
        return NGX_IMS_HDR_P_OTHER;
    }

    return NGX_IMS_HDR_OTHER;
}


#endif /* _NGX_IMS_SIP_INT_H_INCLUDED_ */
