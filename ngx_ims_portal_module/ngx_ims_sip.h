/*
 * Copyright (C) the IMS portal authors
 *
 * SIP messages: frame first, parse once into spans, edit by splicing
 * (RFC 3261 section 7 and 25, RFC 7118 section 5).  Pure: no allocation, no
 * clock, nothing of nginx.  Spans point into the caller's buffer and live as
 * long as it does.
 */


#ifndef _NGX_IMS_SIP_H_INCLUDED_
#define _NGX_IMS_SIP_H_INCLUDED_


#include "ngx_ims_str.h"


enum {
    NGX_IMS_SIP_MAX_MESSAGE = 65535,     /* bytes, head and body */
    NGX_IMS_SIP_MAX_LINE = 16384,        /* start line or one header */
    NGX_IMS_SIP_MAX_HEADERS = 640        /* headers in one message */
};


typedef enum {
    NGX_IMS_SIP_OTHER = 0,               /* an extension method */
    NGX_IMS_SIP_INVITE,
    NGX_IMS_SIP_ACK,
    NGX_IMS_SIP_BYE,
    NGX_IMS_SIP_CANCEL,
    NGX_IMS_SIP_REGISTER,
    NGX_IMS_SIP_OPTIONS,
    NGX_IMS_SIP_MESSAGE,
    NGX_IMS_SIP_INFO,
    NGX_IMS_SIP_PRACK,
    NGX_IMS_SIP_UPDATE,
    NGX_IMS_SIP_SUBSCRIBE,
    NGX_IMS_SIP_NOTIFY,
    NGX_IMS_SIP_REFER,
    NGX_IMS_SIP_PUBLISH
} ngx_ims_sip_method_e;


/* headers that the portal looks at; all others are HDR_OTHER */

typedef enum {
    NGX_IMS_HDR_OTHER = 0,
    NGX_IMS_HDR_VIA,                     /* v */
    NGX_IMS_HDR_FROM,                    /* f */
    NGX_IMS_HDR_TO,                      /* t */
    NGX_IMS_HDR_CALL_ID,                 /* i */
    NGX_IMS_HDR_CSEQ,
    NGX_IMS_HDR_CONTACT,                 /* m */
    NGX_IMS_HDR_MAX_FORWARDS,
    NGX_IMS_HDR_CONTENT_LENGTH,          /* l */
    NGX_IMS_HDR_CONTENT_TYPE,            /* c */
    NGX_IMS_HDR_EXPIRES,
    NGX_IMS_HDR_MIN_EXPIRES,
    NGX_IMS_HDR_ROUTE,
    NGX_IMS_HDR_RECORD_ROUTE,
    NGX_IMS_HDR_PATH,
    NGX_IMS_HDR_SERVICE_ROUTE,
    NGX_IMS_HDR_SUPPORTED,               /* k */
    NGX_IMS_HDR_REQUIRE,
    NGX_IMS_HDR_PROXY_REQUIRE,
    NGX_IMS_HDR_UNSUPPORTED,
    NGX_IMS_HDR_ALLOW,
    NGX_IMS_HDR_AUTHORIZATION,
    NGX_IMS_HDR_PROXY_AUTHORIZATION,
    NGX_IMS_HDR_WWW_AUTHENTICATE,
    NGX_IMS_HDR_PROXY_AUTHENTICATE,
    NGX_IMS_HDR_P_ASSERTED_IDENTITY,
    NGX_IMS_HDR_P_PREFERRED_IDENTITY,
    NGX_IMS_HDR_P_ASSOCIATED_URI,
    NGX_IMS_HDR_P_CALLED_PARTY_ID,
    NGX_IMS_HDR_P_CHARGING_VECTOR,
    NGX_IMS_HDR_P_CHARGING_FUNCTION_ADDRESSES,
    NGX_IMS_HDR_P_VISITED_NETWORK_ID,
    NGX_IMS_HDR_P_ACCESS_NETWORK_INFO,
    NGX_IMS_HDR_P_PREFERRED_SERVICE,
    NGX_IMS_HDR_P_EARLY_MEDIA,
    NGX_IMS_HDR_P_OTHER,                 /* any other header named P-... */
    NGX_IMS_HDR_SECURITY_CLIENT,
    NGX_IMS_HDR_SECURITY_SERVER,
    NGX_IMS_HDR_SECURITY_VERIFY,
    NGX_IMS_HDR_PRIVACY,
    NGX_IMS_HDR_REASON,
    NGX_IMS_HDR_RETRY_AFTER,
    NGX_IMS_HDR_WARNING,
    NGX_IMS_HDR_RACK,
    NGX_IMS_HDR_RSEQ,
    NGX_IMS_HDR_EVENT,                   /* o */
    NGX_IMS_HDR_REFER_TO,                /* r */
    NGX_IMS_HDR_REFERRED_BY,             /* b */
    NGX_IMS_HDR_REPLACES,
    NGX_IMS_HDR_SESSION_EXPIRES,         /* x */
    NGX_IMS_HDR_MIN_SE,
    NGX_IMS_HDR_SUBJECT,                 /* s */
    NGX_IMS_HDR_CONTENT_ENCODING,        /* e */
    NGX_IMS_HDR_FLOW_TIMER,
    NGX_IMS_HDR_N
} ngx_ims_sip_hdr_e;


typedef struct {
    ngx_ims_str_t        name;           /* as written */
    ngx_ims_str_t        value;          /* trimmed, folds still inside */
    uint32_t             start;          /* offset of the line in the message */
    uint32_t             end;            /* offset behind its last CRLF */
    uint16_t             id;             /* ngx_ims_sip_hdr_e */
    uint16_t             next;           /* 1 + index of the next of this id */
} ngx_ims_sip_hdr_t;


typedef struct {
    ngx_ims_str_t        text;           /* the whole URI, no brackets */
    ngx_ims_str_t        scheme;         /* "sip", "sips", "tel", "urn", ... */
    ngx_ims_str_t        user;           /* also the number of a tel: URI */
    ngx_ims_str_t        password;
    ngx_ims_str_t        host;           /* IPv6 keeps its brackets */
    uint16_t             port;           /* 0: none */
    ngx_ims_str_t        params;         /* behind the first ";" */
    ngx_ims_str_t        headers;        /* behind "?" */
} ngx_ims_sip_uri_t;


typedef struct {
    ngx_ims_str_t        display;        /* quotes kept; empty: none */
    ngx_ims_str_t        uri;            /* without "<>" */
    ngx_ims_str_t        params;         /* of the header, behind its ";" */
    ngx_ims_str_t        tag;            /* of From and To; empty: none */
} ngx_ims_sip_addr_t;


typedef struct {
    ngx_ims_str_t        transport;      /* "UDP", "WSS", ... */
    ngx_ims_str_t        host;
    uint16_t             port;           /* 0: none */
    ngx_ims_str_t        branch;
    ngx_ims_str_t        params;         /* all of them, behind the first ";" */
    ngx_ims_str_t        value;          /* this one via-parm, whole */
} ngx_ims_sip_via_t;


typedef struct {
    ngx_ims_str_t        text;           /* the message, without CRLFs before
                                            and bytes behind it */

    unsigned             status;         /* 100..699; 0: a request;
                                            999: a response, status bad */
    ngx_ims_sip_method_e method;         /* of a request, or from the CSeq */
    ngx_ims_str_t        method_name;
    ngx_ims_str_t        uri;            /* Request-URI */
    ngx_ims_str_t        reason;         /* reason phrase */

    ngx_ims_sip_hdr_t   *hdrs;           /* the caller's array */
    unsigned             nhdrs;
    uint16_t             first[NGX_IMS_HDR_N];   /* 1 + index; 0: none */

    ngx_ims_sip_via_t    via;            /* the topmost */
    ngx_ims_sip_addr_t   from;
    ngx_ims_sip_addr_t   to;
    ngx_ims_str_t        call_id;
    uint32_t             cseq;
    int                  max_forwards;   /* -1: absent */
    int                  expires;        /* Expires header, s; -1: absent */
    int                  content_length; /* -1: absent */

    uint32_t             head;           /* bytes up to behind the empty line */
    ngx_ims_str_t        body;

    unsigned             code;           /* of the answer that an invalid one
                                            gets: 400, 416, 505, 513 */
    const char          *error;          /* what is wrong, lower case */
    uint32_t             error_pos;      /* offset of the offending byte */
} ngx_ims_sip_msg_t;


/*
 * Parses one whole message (RFC 3261 7, 25; RFC 4475 for what to refuse).
 *
 * m         filled in; need not be cleared before
 * p, len    the message, kept by the caller while m is used; len is the
 *           datagram or WebSocket message; bytes behind Content-Length are
 *           ignored on a datagram (18.3), see datagram
 * hdrs, max the caller's header array, NGX_IMS_SIP_MAX_HEADERS suits all
 * datagram  1: more bytes than Content-Length are cut off; 0: they must be
 *           equal when there is a Content-Length (RFC 7118 5, one message per
 *           WebSocket message)
 *
 * Returns NGX_IMS_OK, or NGX_IMS_INVALID with m->code, m->error and
 * m->error_pos set.  When it is invalid, Via, From, To, Call-ID and CSeq spans
 * that were found stay valid, so that an answer can still be made; m->nhdrs
 * counts the headers read so far; m->status tells response from request.
 *
 * Checked: start line, version (505), Via, From, To, Call-ID and CSeq present
 * once and well formed, CSeq method equal to the request's, CSeq < 2^31,
 * Max-Forwards 0..255, Content-Length a number and repeated only with the same
 * value, single-value headers not repeated, Via and From/To syntax, Contact in
 * requests, no header fields in a Request-URI.  Bare CR or LF as line end, NUL
 * in a header and control characters are refused.
 * Folding (7.3.1), compact names and any case are accepted.
 */
int ngx_ims_sip_parse(ngx_ims_sip_msg_t *m, unsigned char *p, size_t len,
    ngx_ims_sip_hdr_t *hdrs, unsigned max, int datagram);

/*
 * Finds the end of the first message in a byte stream (RFC 3261 18.3, 7.5).
 *
 * Returns NGX_IMS_OK with *size set, NGX_IMS_MORE, or NGX_IMS_INVALID when no
 * Content-Length is there, it is bad, or the message would exceed max bytes.
 * Leading CRLFs are not skipped: a keep-alive is the caller's business.
 */
int ngx_ims_sip_frame(const unsigned char *p, size_t len, size_t max,
    size_t *size);

/* the method of a name; names are case-sensitive (RFC 3261 7.1) */
ngx_ims_sip_method_e ngx_ims_sip_method(const ngx_ims_str_t *name);

/* the first header of an id, or NULL */
ngx_ims_sip_hdr_t *ngx_ims_sip_hdr(const ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id);

/* the first header with this name (any case; for HDR_OTHER ones), or NULL */
ngx_ims_sip_hdr_t *ngx_ims_sip_hdr_name(const ngx_ims_sip_msg_t *m,
    const char *name);


typedef struct {
    ngx_ims_sip_hdr_t   *hdr;            /* NULL: not begun or at the end */
    unsigned char       *pos;
    int                  started;
} ngx_ims_sip_iter_t;

/*
 * The values of a list header one after the other, over commas and repeated
 * lines; commas in quotes and in <> do not split.  The iterator begins zeroed.
 * Returns 1 with *value set (trimmed), or 0 at the end.
 */
int ngx_ims_sip_next(const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    ngx_ims_sip_iter_t *it, ngx_ims_str_t *value);

/* 1 when an option tag or token stands in a list header, any case; else 0 */
int ngx_ims_sip_has_token(const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    const char *token);

/* name-addr or addr-spec with header params (RFC 3261 20.10); OK or INVALID */
int ngx_ims_sip_parse_addr(const ngx_ims_str_t *s, ngx_ims_sip_addr_t *a);

/* any absolute URI; sip, sips and tel are taken apart (19.1, RFC 3966 3) */
int ngx_ims_sip_parse_uri(const ngx_ims_str_t *s, ngx_ims_sip_uri_t *u);

/* one via-parm (20.42) */
int ngx_ims_sip_parse_via(const ngx_ims_str_t *s, ngx_ims_sip_via_t *v);

/*
 * A parameter of "a=b;c;d="e"" by name, any case.  Returns 1 with *value set
 * (quotes kept; empty when it has none), or 0.  value may be NULL.
 */
int ngx_ims_sip_param(const ngx_ims_str_t *params, const char *name,
    ngx_ims_str_t *value);

/*
 * The same for the comma-parted parameters behind the scheme of a challenge or
 * of credentials: Digest realm="r", nonce="n" (RFC 3261 20.7, 20.44).
 */
int ngx_ims_sip_auth_param(const ngx_ims_str_t *credentials, const char *name,
    ngx_ims_str_t *value);

/*
 * URI comparison of RFC 3261 19.1.4 for sip and sips, RFC 3966 4 for tel
 * (visual separators ignored), bytewise else.  Returns 1 when equal, else 0.
 */
int ngx_ims_sip_uri_equal(const ngx_ims_str_t *a, const ngx_ims_str_t *b);

/* digits to number, 0..max; returns 0, or -1 when it is none or larger */
int ngx_ims_sip_number(const ngx_ims_str_t *s, uint64_t max, uint64_t *n);

/*
 * 1 when the bytes may stand for a URI in From, To, PAI without quoting: no
 * control character, space, <>",;? or backslash, no %00, well-formed UTF-8, and
 * it parses as sip, sips or tel; 0 when not.  For what comes out of claims.
 */
int ngx_ims_sip_uri_safe(const ngx_ims_str_t *s);


/* edits: replace del bytes at offset at by ins; made in any order */

typedef struct {
    uint32_t             at;
    uint32_t             del;
    ngx_ims_str_t        ins;
} ngx_ims_sip_edit_t;


typedef struct {
    ngx_ims_sip_edit_t  *edits;          /* the caller's */
    unsigned             n;
    unsigned             max;
    unsigned char       *text;           /* arena for inserted text */
    size_t               size;
    size_t               used;
    int                  failed;         /* out of edits or arena */
} ngx_ims_sip_edits_t;

/* edits and text stay the caller's and must live until the splice */
void ngx_ims_sip_edits_init(ngx_ims_sip_edits_t *e, ngx_ims_sip_edit_t *edits,
    unsigned max, unsigned char *text, size_t size);

/*
 * Text in the arena, printf style ("%.*s" for spans; no floating point).
 * Empty on overflow, and e->failed is set.
 */
ngx_ims_str_t ngx_ims_sip_textf(ngx_ims_sip_edits_t *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* one edit; ins is not copied; sets e->failed when there is no room */
void ngx_ims_sip_edit(ngx_ims_sip_edits_t *e, uint32_t at, uint32_t del,
    ngx_ims_str_t ins);

/* the span, which points into m->text, gets another content */
void ngx_ims_sip_replace(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_str_t *span, ngx_ims_str_t ins);

/* all lines of a header id go; returns how many */
unsigned ngx_ims_sip_remove(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id);

/* one whole line goes */
void ngx_ims_sip_remove_hdr(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_hdr_t *h);

/*
 * The first value of a list header goes: its whole line if it stands alone,
 * else it and its comma.  For the top Via of an answer and the top Route.
 */
void ngx_ims_sip_remove_first(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id);

/* whole lines with CRLF: right behind the start line ... */
void ngx_ims_sip_insert_top(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, ngx_ims_str_t lines);

/* ... or before the empty line that ends the head */
void ngx_ims_sip_insert_end(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, ngx_ims_str_t lines);

/* another body, with Content-Length set to fit; body not copied */
void ngx_ims_sip_body(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_str_t body);

/*
 * Writes the edited message.  Edits at one offset appear in the order in which
 * they were made; overlapping removals are merged.  Returns NGX_IMS_OK with
 * *len set, or NGX_IMS_NOSPACE (also when e->failed is set).
 */
int ngx_ims_sip_splice(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    unsigned char *out, size_t size, size_t *len);

/*
 * An answer to a request (RFC 3261 8.2.6): all Vias, From, To with to_tag when
 * it has none, Call-ID, CSeq, then extra (whole lines or NULL), then the body
 * with Content-Length (body may be NULL; its Content-Type is in extra).
 *
 * status 100..699, reason NULL takes the usual phrase; to_tag NULL: none is
 * added (100).  Works on an invalid request as far as its parts were found.
 * Returns NGX_IMS_OK with *len set, or NGX_IMS_NOSPACE.
 */
int ngx_ims_sip_reply(const ngx_ims_sip_msg_t *m, unsigned status,
    const char *reason, const ngx_ims_str_t *to_tag, const char *extra,
    const ngx_ims_str_t *body, unsigned char *out, size_t size, size_t *len);

/* the usual reason phrase of a status, "Unknown" for one that has none */
const char *ngx_ims_sip_reason(unsigned status);


#endif /* _NGX_IMS_SIP_H_INCLUDED_ */
