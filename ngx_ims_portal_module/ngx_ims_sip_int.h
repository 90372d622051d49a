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


/* p is at a quote; returns the byte behind the closing one, or NULL */
unsigned char *ngx_ims_sip_skip_quoted(unsigned char *p, unsigned char *end);

/* any case; 1 when the n bytes at a and b are the same */
int ngx_ims_sip_same(const unsigned char *a, const unsigned char *b, size_t n);

/* the id of a header name, any case, compact or not */
unsigned ngx_ims_sip_hdr_id(const ngx_ims_str_t *name);

/* NGX_IMS_OK or INVALID: a scheme, ":" and something behind it */
int ngx_ims_sip_absolute(const ngx_ims_str_t *uri);

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


#endif /* _NGX_IMS_SIP_INT_H_INCLUDED_ */
