/*
 * Copyright (C) the IMS portal authors
 *
 * The SIP parser: a message that came whole is cut into lines and headers in
 * one pass; the headers that routing needs are taken apart at once, all others
 * stay a name and a value.  No function reads at or behind its end pointer.
 */


#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "ngx_ims_sip_int.h"


#define ngx_ims_sip_name(s, id)  { s, sizeof(s) - 1, id }


typedef struct {
    const char          *name;
    size_t               len;
    uint16_t             id;
} ngx_ims_sip_name_t;


static const ngx_ims_sip_name_t  ngx_ims_sip_methods[] = {
    ngx_ims_sip_name("INVITE", NGX_IMS_SIP_INVITE),
    ngx_ims_sip_name("ACK", NGX_IMS_SIP_ACK),
    ngx_ims_sip_name("BYE", NGX_IMS_SIP_BYE),
    ngx_ims_sip_name("CANCEL", NGX_IMS_SIP_CANCEL),
    ngx_ims_sip_name("REGISTER", NGX_IMS_SIP_REGISTER),
    ngx_ims_sip_name("OPTIONS", NGX_IMS_SIP_OPTIONS),
    ngx_ims_sip_name("MESSAGE", NGX_IMS_SIP_MESSAGE),
    ngx_ims_sip_name("INFO", NGX_IMS_SIP_INFO),
    ngx_ims_sip_name("PRACK", NGX_IMS_SIP_PRACK),
    ngx_ims_sip_name("UPDATE", NGX_IMS_SIP_UPDATE),
    ngx_ims_sip_name("SUBSCRIBE", NGX_IMS_SIP_SUBSCRIBE),
    ngx_ims_sip_name("NOTIFY", NGX_IMS_SIP_NOTIFY),
    ngx_ims_sip_name("REFER", NGX_IMS_SIP_REFER),
    ngx_ims_sip_name("PUBLISH", NGX_IMS_SIP_PUBLISH),
    { NULL, 0, 0 }
};


/* what may stand only once in a message (RFC 3261 7.3.1, 20) */

static const unsigned char  ngx_ims_sip_single[NGX_IMS_HDR_N] = {
    [NGX_IMS_HDR_FROM] = 1,
    [NGX_IMS_HDR_TO] = 1,
    [NGX_IMS_HDR_CALL_ID] = 1,
    [NGX_IMS_HDR_CSEQ] = 1,
    [NGX_IMS_HDR_MAX_FORWARDS] = 1,
    [NGX_IMS_HDR_CONTENT_TYPE] = 1,
    [NGX_IMS_HDR_EXPIRES] = 1,
    [NGX_IMS_HDR_MIN_EXPIRES] = 1,
    [NGX_IMS_HDR_RETRY_AFTER] = 1,
    [NGX_IMS_HDR_RACK] = 1,
    [NGX_IMS_HDR_RSEQ] = 1,
    [NGX_IMS_HDR_EVENT] = 1,
    [NGX_IMS_HDR_REFER_TO] = 1,
    [NGX_IMS_HDR_REFERRED_BY] = 1,
    [NGX_IMS_HDR_REPLACES] = 1,
    [NGX_IMS_HDR_SESSION_EXPIRES] = 1,
    [NGX_IMS_HDR_MIN_SE] = 1,
    [NGX_IMS_HDR_SUBJECT] = 1,
    [NGX_IMS_HDR_FLOW_TIMER] = 1
};


static void ngx_ims_sip_fail(ngx_ims_sip_msg_t *m, unsigned code,
    const unsigned char *pos, const char *error);
static unsigned char *ngx_ims_sip_line_end(unsigned char *p,
    unsigned char *end);
static unsigned char *ngx_ims_sip_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end, unsigned char **next);
static void ngx_ims_sip_start_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end);
static void ngx_ims_sip_status_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end);
static void ngx_ims_sip_request_uri(ngx_ims_sip_msg_t *m);
static unsigned char *ngx_ims_sip_headers(ngx_ims_sip_msg_t *m,
    unsigned char *p, unsigned char *end, unsigned max);
static void ngx_ims_sip_header(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_call_id(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_header_number(ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_cseq(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_complete(ngx_ims_sip_msg_t *m);
static void ngx_ims_sip_take_body(ngx_ims_sip_msg_t *m, unsigned char *end,
    int datagram);


int
ngx_ims_sip_parse(ngx_ims_sip_msg_t *m, unsigned char *p, size_t len,
    ngx_ims_sip_hdr_t *hdrs, unsigned max, int datagram)
{
    unsigned char  *end, *eol, *next;

    memset(m, 0, sizeof(ngx_ims_sip_msg_t));

    m->hdrs = hdrs;
    m->max_forwards = -1;
    m->expires = -1;
    m->content_length = -1;

    end = p + len;

    /* RFC 3261 7.5: CRLFs before the start line are to be ignored */

    while (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
        p += 2;
    }

    m->text.data = p;
    m->text.len = end - p;

    if (len > NGX_IMS_SIP_MAX_MESSAGE) {
        ngx_ims_sip_fail(m, 513, p + NGX_IMS_SIP_MAX_MESSAGE,
                         "message is too long");
        end = p + NGX_IMS_SIP_MAX_MESSAGE;
    }

    eol = ngx_ims_sip_line(m, p, end, &next);

    if (eol == NULL) {
        ngx_ims_sip_fail(m, 400, p, "start line is not well formed");

    } else {
        ngx_ims_sip_start_line(m, p, eol);
    }

    p = ngx_ims_sip_headers(m, next, end, max);

    if (p != NULL) {
        m->head = p - m->text.data;
        ngx_ims_sip_take_body(m, end, datagram);
    }

    ngx_ims_sip_complete(m);

    return m->error ? NGX_IMS_INVALID : NGX_IMS_OK;
}


/* the first error stands, parsing goes on for what an answer needs */

static void
ngx_ims_sip_fail(ngx_ims_sip_msg_t *m, unsigned code,
    const unsigned char *pos, const char *error)
{
    if (m->error != NULL) {
        return;
    }

    m->code = code;
    m->error = error;
    m->error_pos = pos ? pos - m->text.data : 0;
}


/* the first control character other than HT in [p, end), or end */

static unsigned char *
ngx_ims_sip_line_end(unsigned char *p, unsigned char *end)
{
#ifdef __SSE2__

    int      mask;
    __m128i  x, low;

    while (end - p >= 16) {
        x = _mm_loadu_si128((__m128i *) p);

        low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
        low = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\t')), low);
        low = _mm_or_si128(low, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));

        mask = _mm_movemask_epi8(low);

        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }

        p += 16;
    }

#endif

    while (p < end && ((*p >= 0x20 && *p != 0x7f) || *p == '\t')) {
        p++;
    }

    return p;
}


/*
 * One line with its folds (7.3.1).  Returns its end, where the CRLF is, or NULL
 * when it holds what it may not; *next is the line behind, or NULL when the
 * message ends before.
 */

static unsigned char *
ngx_ims_sip_line(ngx_ims_sip_msg_t *m, unsigned char *p, unsigned char *end,
    unsigned char **next)
{
    unsigned char  *start;

    start = p;

    for ( ;; ) {
        p = ngx_ims_sip_line_end(p, end);

        if (end - p < 2) {
            ngx_ims_sip_fail(m, 400, p, "head is not complete");
            *next = NULL;
            return NULL;
        }

        if (p[0] != '\r' || p[1] != '\n') {
            break;
        }

        if (end - p == 2 || (p[2] != ' ' && p[2] != '\t') || p == start) {
            *next = p + 2;

            if (p - start > NGX_IMS_SIP_MAX_LINE) {
                ngx_ims_sip_fail(m, 513, start, "line is too long");
                return NULL;
            }

            return p;
        }

        p += 3;
    }

    ngx_ims_sip_fail(m, 400, p, "control character in the head");

    p = memchr(p, '\n', end - p);
    *next = p ? p + 1 : NULL;

    return NULL;
}


/* Request-Line = Method SP Request-URI SP SIP-Version (RFC 3261 7.1) */

static void
ngx_ims_sip_start_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end)
{
    unsigned char  *s;

    if (end - p >= 4 && ngx_ims_sip_same(p, (unsigned char *) "sip/", 4)) {
        ngx_ims_sip_status_line(m, p, end);
        return;
    }

    s = ngx_ims_sip_skip(p, end, NGX_IMS_C_TOKEN);

    if (s == p || s == end || *s != ' ') {
        ngx_ims_sip_fail(m, 400, s, "method is not well formed");
        return;
    }

    m->method_name.data = p;
    m->method_name.len = s - p;
    m->method = ngx_ims_sip_method(&m->method_name);

    p = ++s;
    s = ngx_ims_sip_skip(p, end, NGX_IMS_C_URI);

    if (s == p || s == end || *s != ' ') {
        ngx_ims_sip_fail(m, 400, s, "request URI is not well formed");
        return;
    }

    m->uri.data = p;
    m->uri.len = s - p;

    p = ++s;

    if (end - p < 5 || !ngx_ims_sip_same(p, (unsigned char *) "sip/", 4)
        || ngx_ims_sip_skip(p + 4, end, NGX_IMS_C_TOKEN) != end)
    {
        ngx_ims_sip_fail(m, 400, p, "version is not well formed");
        return;
    }

    if (end - p != 7 || memcmp(p + 4, "2.0", 3) != 0) {
        ngx_ims_sip_fail(m, 505, p, "version is not supported");
        return;
    }

    ngx_ims_sip_request_uri(m);
}


/* Status-Line = SIP-Version SP Status-Code SP Reason-Phrase (7.2) */

static void
ngx_ims_sip_status_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end)
{
    uint64_t       n;
    ngx_ims_str_t  code;

    m->status = 999;

    if (end - p < 8 || memcmp(p + 4, "2.0 ", 4) != 0) {
        ngx_ims_sip_fail(m, 505, p, "version is not supported");
        return;
    }

    p += 8;

    code.data = p;
    code.len = 3;

    /* a missing SP before an empty reason is common and harms nobody */

    if (end - p < 3 || (end - p > 3 && p[3] != ' ')
        || ngx_ims_sip_number(&code, 699, &n) != 0 || n < 100)
    {
        ngx_ims_sip_fail(m, 400, p, "status is not well formed");
        return;
    }

    m->status = n;

    if (end - p > 4) {
        m->reason.data = p + 4;
        m->reason.len = end - (p + 4);
    }

    if (ngx_ims_sip_skip_lws(p, end) != p
        || (m->reason.len && memchr(m->reason.data, '\r', m->reason.len)))
    {
        ngx_ims_sip_fail(m, 400, p, "status line is folded");
    }
}


/* 416 for what no proxy of ours could route (RFC 3261 8.2.2.1) */

static void
ngx_ims_sip_request_uri(ngx_ims_sip_msg_t *m)
{
    unsigned                    i;
    ngx_ims_sip_uri_t           uri;
    static const ngx_ims_str_t  schemes[] = {
        ngx_ims_str("sip"), ngx_ims_str("sips"), ngx_ims_str("tel"),
        ngx_ims_str("urn"), ngx_ims_str("im"), ngx_ims_str("pres")
    };

    if (ngx_ims_sip_parse_uri(&m->uri, &uri) != NGX_IMS_OK) {
        ngx_ims_sip_fail(m, 400, m->uri.data, "request URI is not well formed");
        return;
    }

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {

        if (uri.scheme.len == schemes[i].len
            && ngx_ims_sip_same(uri.scheme.data, schemes[i].data,
                                schemes[i].len))
        {
            return;
        }
    }

    ngx_ims_sip_fail(m, 416, m->uri.data, "URI scheme is not supported");
}


/*
 * All header lines.  Returns the byte behind the empty line, or NULL when the
 * message ends before it.
 */

static unsigned char *
ngx_ims_sip_headers(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end, unsigned max)
{
    uint16_t            last[NGX_IMS_HDR_N];
    unsigned char      *eol, *next, *s, *name_end;
    ngx_ims_sip_hdr_t  *h;

    for ( /* void */ ; p != NULL; p = next) {

        eol = ngx_ims_sip_line(m, p, end, &next);

        if (eol == NULL) {
            continue;
        }

        if (eol == p) {
            return next;
        }

        name_end = ngx_ims_sip_skip(p, eol, NGX_IMS_C_TOKEN);
        s = name_end;

        while (s < eol && (*s == ' ' || *s == '\t')) {
            s++;
        }

        if (name_end == p || s == eol || *s != ':') {
            ngx_ims_sip_fail(m, 400, s, "header is not well formed");
            continue;
        }

        if (m->nhdrs == max) {
            ngx_ims_sip_fail(m, 513, p, "too many headers");
            return NULL;
        }

        h = &m->hdrs[m->nhdrs++];

        h->name.data = p;
        h->name.len = name_end - p;
        h->value = ngx_ims_sip_trim(s + 1, eol);
        h->start = p - m->text.data;
        h->end = next - m->text.data;
        h->id = ngx_ims_sip_hdr_id(&h->name);
        h->next = 0;

        if (m->first[h->id] == 0) {
            m->first[h->id] = m->nhdrs;
            last[h->id] = m->nhdrs;
            ngx_ims_sip_header(m, h);
            continue;
        }

        m->hdrs[last[h->id] - 1].next = m->nhdrs;
        last[h->id] = m->nhdrs;

        if (ngx_ims_sip_single[h->id]) {
            ngx_ims_sip_fail(m, 400, p, "single header is repeated");

        } else if (h->id == NGX_IMS_HDR_CONTENT_LENGTH) {
            ngx_ims_sip_header_number(m, h);
        }
    }

    return NULL;
}


/* the first header of its id, as far as each message needs it */

static void
ngx_ims_sip_header(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h)
{
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    switch (h->id) {

    case NGX_IMS_HDR_VIA:
        memset(&it, 0, sizeof(ngx_ims_sip_iter_t));

        if (!ngx_ims_sip_next(m, NGX_IMS_HDR_VIA, &it, &value)
            || ngx_ims_sip_parse_via(&value, &m->via) != NGX_IMS_OK)
        {
            ngx_ims_sip_fail(m, 400, h->value.data, "Via is not well formed");
        }

        return;

    case NGX_IMS_HDR_FROM:
        if (ngx_ims_sip_parse_addr(&h->value, &m->from) != NGX_IMS_OK) {
            ngx_ims_sip_fail(m, 400, h->value.data, "From is not well formed");
        }

        return;

    case NGX_IMS_HDR_TO:
        if (ngx_ims_sip_parse_addr(&h->value, &m->to) != NGX_IMS_OK) {
            ngx_ims_sip_fail(m, 400, h->value.data, "To is not well formed");
        }

        return;

    case NGX_IMS_HDR_CALL_ID:
        ngx_ims_sip_call_id(m, h);
        return;

    case NGX_IMS_HDR_CSEQ:
        ngx_ims_sip_cseq(m, h);
        return;

    case NGX_IMS_HDR_MAX_FORWARDS:
    case NGX_IMS_HDR_EXPIRES:
    case NGX_IMS_HDR_CONTENT_LENGTH:
        ngx_ims_sip_header_number(m, h);
        return;

    default:
        return;
    }
}


/* callid = word [ "@" word ]: anything but white space */

static void
ngx_ims_sip_call_id(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h)
{
    size_t  i;

    m->call_id = h->value;

    for (i = 0; i < h->value.len; i++) {

        if (ngx_ims_is(h->value.data[i], NGX_IMS_C_LWS)) {
            break;
        }
    }

    if (i == 0 || i < h->value.len) {
        ngx_ims_sip_fail(m, 400, h->value.data, "Call-ID is not well formed");
    }
}


static void
ngx_ims_sip_header_number(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h)
{
    uint64_t  n;

    switch (h->id) {

    case NGX_IMS_HDR_MAX_FORWARDS:

        if (ngx_ims_sip_number(&h->value, 255, &n) != 0) {
            ngx_ims_sip_fail(m, 400, h->value.data,
                             "Max-Forwards is not well formed");
            return;
        }

        m->max_forwards = n;
        return;

    case NGX_IMS_HDR_EXPIRES:

        if (ngx_ims_sip_number(&h->value, UINT32_MAX, &n) != 0) {
            ngx_ims_sip_fail(m, 400, h->value.data,
                             "Expires is not well formed");
            return;
        }

        m->expires = (n > INT32_MAX) ? INT32_MAX : (int) n;
        return;

    default: /* NGX_IMS_HDR_CONTENT_LENGTH */

        if (ngx_ims_sip_number(&h->value, INT32_MAX, &n) != 0
            || (m->content_length != -1 && (uint64_t) m->content_length != n))
        {
            ngx_ims_sip_fail(m, 400, h->value.data,
                             "Content-Length is not well formed");
            return;
        }

        m->content_length = n;
        return;
    }
}


/* CSeq = 1*DIGIT LWS Method, below 2^31 (RFC 3261 8.1.1.5, 20.16) */

static void
ngx_ims_sip_cseq(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h)
{
    uint64_t        n;
    ngx_ims_str_t   number, method;
    unsigned char  *p, *end;

    p = h->value.data;
    end = p + h->value.len;

    number.data = p;

    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    number.len = p - number.data;
    method.data = ngx_ims_sip_skip_lws(p, end);
    method.len = end - method.data;

    if (ngx_ims_sip_number(&number, INT32_MAX, &n) != 0
        || method.data == p || method.len == 0
        || ngx_ims_sip_skip(method.data, end, NGX_IMS_C_TOKEN) != end)
    {
        ngx_ims_sip_fail(m, 400, h->value.data, "CSeq is not well formed");
        return;
    }

    m->cseq = n;

    if (m->status) {
        m->method_name = method;
        m->method = ngx_ims_sip_method(&method);
        return;
    }

    if (m->method_name.len != method.len
        || memcmp(m->method_name.data, method.data, method.len) != 0)
    {
        ngx_ims_sip_fail(m, 400, method.data,
                         "CSeq method is not that of the request");
    }
}


/* what each message must have (RFC 3261 8.1.1) */

static void
ngx_ims_sip_complete(ngx_ims_sip_msg_t *m)
{
    unsigned                         i;
    static const ngx_ims_sip_name_t  needed[] = {
        ngx_ims_sip_name("Via is missing", NGX_IMS_HDR_VIA),
        ngx_ims_sip_name("From is missing", NGX_IMS_HDR_FROM),
        ngx_ims_sip_name("To is missing", NGX_IMS_HDR_TO),
        ngx_ims_sip_name("Call-ID is missing", NGX_IMS_HDR_CALL_ID),
        ngx_ims_sip_name("CSeq is missing", NGX_IMS_HDR_CSEQ)
    };

    for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {

        if (m->first[needed[i].id] == 0) {
            ngx_ims_sip_fail(m, 400, m->text.data + m->head, needed[i].name);
            return;
        }
    }
}


/* RFC 3261 18.3 for datagrams, RFC 7118 5 for WebSocket messages */

static void
ngx_ims_sip_take_body(ngx_ims_sip_msg_t *m, unsigned char *end, int datagram)
{
    m->body.data = m->text.data + m->head;
    m->body.len = end - m->body.data;

    if (m->content_length == -1) {
        return;
    }

    if ((size_t) m->content_length > m->body.len) {
        ngx_ims_sip_fail(m, 400, m->body.data, "body is shorter than stated");
        return;
    }

    if ((size_t) m->content_length == m->body.len) {
        return;
    }

    if (!datagram) {
        ngx_ims_sip_fail(m, 400, m->body.data + m->content_length,
                         "body is longer than stated");
        return;
    }

    m->body.len = m->content_length;
    m->text.len = m->head + m->body.len;
}


ngx_ims_sip_method_e
ngx_ims_sip_method(const ngx_ims_str_t *name)
{
    const ngx_ims_sip_name_t  *n;

    for (n = ngx_ims_sip_methods; n->name; n++) {

        if (n->len == name->len && memcmp(n->name, name->data, n->len) == 0) {
            return n->id;
        }
    }

    return NGX_IMS_SIP_OTHER;
}
