/*
 * Copyright (C) the IMS portal authors
 *
 * The SIP parser: a message that came whole is cut into lines and headers in
 * one pass; the headers that routing needs are taken apart at once, all others
 * stay a name and a value.  No function reads at or behind its end pointer.
 * Most of the time goes by in the three loops that look for the end of a line,
 * of a name, and of a run of one class: they take many bytes at a time.
 */


#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "ngx_ims_sip_int.h"


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


static inline unsigned char *ngx_ims_sip_line_end(unsigned char *p,
    unsigned char *end);
static unsigned char *ngx_ims_sip_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end, unsigned char **next);
static unsigned char *ngx_ims_sip_headers(ngx_ims_sip_msg_t *m,
    unsigned char *p, unsigned char *end, unsigned max);
static unsigned char *ngx_ims_sip_name(unsigned char *p, unsigned char *end,
    ngx_ims_str_t *name);
static void ngx_ims_sip_header(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h);
static int ngx_ims_sip_first(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h,
    ngx_ims_sip_iter_t *it, ngx_ims_str_t *value);
static void ngx_ims_sip_top_via(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_call_id(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_header_number(ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_cseq(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_complete(ngx_ims_sip_msg_t *m);
static void ngx_ims_sip_contacts(ngx_ims_sip_msg_t *m);
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

    if (m->status == 0 && m->first[NGX_IMS_HDR_CONTACT] && m->error == NULL) {
        ngx_ims_sip_contacts(m);
    }

    return m->error ? NGX_IMS_INVALID : NGX_IMS_OK;
}


/* the first error stands, parsing goes on for what an answer needs */

void
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


/* the first control character in [p, end), or end; HT may be passed over */

static inline unsigned char *
ngx_ims_sip_line_end(unsigned char *p, unsigned char *end)
{
#ifdef __SSE2__

    int      mask;
    __m128i  x, low;

    while (end - p >= 16) {
        x = _mm_loadu_si128((__m128i *) p);

        low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
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

        if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {

            if (end - p > 2 && (p[2] == ' ' || p[2] == '\t') && p != start) {
                p += 3;
                continue;
            }

            *next = p + 2;

            if (p - start > NGX_IMS_SIP_MAX_LINE) {
                ngx_ims_sip_fail(m, 513, start, "line is too long");
                return NULL;
            }

            return p;
        }

        if (end - p < 2) {
            ngx_ims_sip_fail(m, 400, p, "head is not complete");
            *next = NULL;
            return NULL;
        }

        if (*p != '\t') {
            break;
        }

        p++;
    }

    ngx_ims_sip_fail(m, 400, p, "control character in the head");

    p = memchr(p, '\n', end - p);
    *next = p ? p + 1 : NULL;

    return NULL;
}


/*
 * All header lines.  Returns the byte behind the empty line, or NULL when the
 * message ends before it.
 */

static unsigned char *
ngx_ims_sip_headers(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end, unsigned max)
{
    unsigned            id;
    uint16_t            last[NGX_IMS_HDR_N];
    ngx_ims_str_t       name;
    unsigned char      *eol, *next, *s;
    ngx_ims_sip_hdr_t  *h;

    for ( /* void */ ; p != NULL; p = next) {

        eol = ngx_ims_sip_line_end(p, end);
        next = eol + 2;

        /* all but what is folded, too long, wrong or the last */

        if (!(end - eol > 2 && eol[0] == '\r' && eol[1] == '\n'
              && eol[2] > ' ' && eol - p <= NGX_IMS_SIP_MAX_LINE))
        {
            eol = ngx_ims_sip_line(m, p, end, &next);

            if (eol == NULL) {
                continue;
            }
        }

        if (eol == p) {
            return next;
        }

        s = ngx_ims_sip_name(p, end, &name);

        if (name.len == 0 || *s != ':') {
            ngx_ims_sip_fail(m, 400, s, "header is not well formed");
            continue;
        }

        id = ngx_ims_sip_hdr_id(&name);

        /* a name that is known is a token */

        if ((id == NGX_IMS_HDR_OTHER || id == NGX_IMS_HDR_P_OTHER)
            && ngx_ims_sip_skip_many(p, s, NGX_IMS_C_TOKEN) != p + name.len)
        {
            ngx_ims_sip_fail(m, 400, p, "header is not well formed");
            continue;
        }

        if (m->nhdrs == max) {
            ngx_ims_sip_fail(m, 513, p, "too many headers");
            return NULL;
        }

        h = &m->hdrs[m->nhdrs++];

        h->name = name;
        h->value = ngx_ims_sip_trim(s + 1, eol);
        h->start = p - m->text.data;
        h->end = next - m->text.data;
        h->id = id;
        h->next = 0;

        if (m->first[id] == 0) {
            m->first[id] = m->nhdrs;
            last[id] = m->nhdrs;
            ngx_ims_sip_header(m, h);
            continue;
        }

        m->hdrs[last[id] - 1].next = m->nhdrs;
        last[id] = m->nhdrs;

        if (ngx_ims_sip_single[id]) {
            ngx_ims_sip_fail(m, 400, p, "single header is repeated");

        } else if (id == NGX_IMS_HDR_CONTENT_LENGTH) {
            ngx_ims_sip_header_number(m, h);
        }
    }

    return NULL;
}


/*
 * What stands before the colon of a header line, without the space around it.
 * Returns the colon, or whatever stands in its place.  The line ends in CRLF,
 * which ends the name, too.
 */

static unsigned char *
ngx_ims_sip_name(unsigned char *p, unsigned char *end, ngx_ims_str_t *name)
{
    name->data = p;

#ifdef __SSE2__

    while (end - p >= 16) {
        int      mask;
        __m128i  x, stop;

        x = _mm_loadu_si128((__m128i *) p);

        stop = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(':')),
                    _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(' ')), x));

        mask = _mm_movemask_epi8(stop);

        if (mask != 0) {
            p += __builtin_ctz(mask);
            break;
        }

        p += 16;
    }

#endif

    while (*p > ' ' && *p != ':') {
        p++;
    }

    name->len = p - name->data;

    while (*p == ' ' || *p == '\t') {
        p++;
    }

    return p;
}


/* the first header of its id, as far as each message needs it */

static void
ngx_ims_sip_header(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h)
{
    switch (h->id) {

    case NGX_IMS_HDR_VIA:
        ngx_ims_sip_top_via(m, h);
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


/*
 * The first value of a list.  Mostly it is the only one of its line, and that
 * is seen at a glance.
 */

static int
ngx_ims_sip_first(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h,
    ngx_ims_sip_iter_t *it, ngx_ims_str_t *value)
{
    memset(it, 0, sizeof(ngx_ims_sip_iter_t));

    if (h->value.len == 0 || memchr(h->value.data, ',', h->value.len)) {
        return ngx_ims_sip_next(m, h->id, it, value);
    }

    *value = h->value;

    it->started = 1;
    it->hdr = h;
    it->pos = value->data + value->len;

    return 1;
}


static void
ngx_ims_sip_top_via(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_t *h)
{
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    if (!ngx_ims_sip_first(m, h, &it, &value)
        || ngx_ims_sip_parse_via(&value, &m->via) != NGX_IMS_OK)
    {
        ngx_ims_sip_fail(m, 400, h->value.data, "Via is not well formed");
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
    unsigned  i;

    static const struct {
        unsigned     id;
        const char  *error;
    } needed[] = {
        { NGX_IMS_HDR_VIA, "Via is missing" },
        { NGX_IMS_HDR_FROM, "From is missing" },
        { NGX_IMS_HDR_TO, "To is missing" },
        { NGX_IMS_HDR_CALL_ID, "Call-ID is missing" },
        { NGX_IMS_HDR_CSEQ, "CSeq is missing" }
    };

    for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {

        if (m->first[needed[i].id] == 0) {
            ngx_ims_sip_fail(m, 400, m->text.data + m->head, needed[i].error);
            return;
        }
    }
}


/*
 * Each Contact of a request is an address, or the one "*" of a REGISTER
 * (10.2.2, 20.10).  In responses they are left to who looks at them.
 */

static void
ngx_ims_sip_contacts(ngx_ims_sip_msg_t *m)
{
    int                 more;
    ngx_ims_str_t       value;
    ngx_ims_sip_addr_t  addr;
    ngx_ims_sip_iter_t  it;

    more = ngx_ims_sip_first(m, ngx_ims_sip_hdr(m, NGX_IMS_HDR_CONTACT), &it,
                             &value);

    while (more) {

        if (ngx_ims_sip_parse_addr(&value, &addr) != NGX_IMS_OK
            && (m->method != NGX_IMS_SIP_REGISTER || value.len != 1
                || *value.data != '*'))
        {
            ngx_ims_sip_fail(m, 400, value.data, "Contact is not well formed");
            return;
        }

        more = ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value);
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
