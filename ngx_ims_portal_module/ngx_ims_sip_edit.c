/*
 * Copyright (C) the IMS portal authors
 *
 * Changes to a parsed message are a list of splices, written out once; answers
 * are made from the request's own lines (RFC 3261 8.2.6).  All memory is the
 * caller's.
 */


#include <stdarg.h>
#include <stdio.h>

#include "ngx_ims_sip_int.h"


typedef struct {
    unsigned char       *p;
    unsigned char       *end;
    int                  full;
} ngx_ims_sip_out_t;


typedef struct {
    unsigned             status;
    const char          *reason;
} ngx_ims_sip_reason_t;


static const ngx_ims_sip_reason_t  ngx_ims_sip_reasons[] = {
    { 100, "Trying" },
    { 180, "Ringing" },
    { 181, "Call Is Being Forwarded" },
    { 182, "Queued" },
    { 183, "Session Progress" },
    { 199, "Early Dialog Terminated" },
    { 200, "OK" },
    { 202, "Accepted" },
    { 204, "No Notification" },
    { 300, "Multiple Choices" },
    { 301, "Moved Permanently" },
    { 302, "Moved Temporarily" },
    { 305, "Use Proxy" },
    { 380, "Alternative Service" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Timeout" },
    { 410, "Gone" },
    { 412, "Conditional Request Failed" },
    { 413, "Request Entity Too Large" },
    { 414, "Request-URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Unsupported URI Scheme" },
    { 420, "Bad Extension" },
    { 421, "Extension Required" },
    { 422, "Session Interval Too Small" },
    { 423, "Interval Too Brief" },
    { 424, "Bad Location Information" },
    { 428, "Use Identity Header" },
    { 429, "Provide Referrer Identity" },
    { 430, "Flow Failed" },
    { 433, "Anonymity Disallowed" },
    { 438, "Invalid Identity Header" },
    { 439, "First Hop Lacks Outbound Support" },
    { 440, "Max-Breadth Exceeded" },
    { 469, "Bad Info Package" },
    { 470, "Consent Needed" },
    { 480, "Temporarily Unavailable" },
    { 481, "Call/Transaction Does Not Exist" },
    { 482, "Loop Detected" },
    { 483, "Too Many Hops" },
    { 484, "Address Incomplete" },
    { 485, "Ambiguous" },
    { 486, "Busy Here" },
    { 487, "Request Terminated" },
    { 488, "Not Acceptable Here" },
    { 489, "Bad Event" },
    { 491, "Request Pending" },
    { 493, "Undecipherable" },
    { 494, "Security Agreement Required" },
    { 500, "Server Internal Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Server Time-out" },
    { 505, "Version Not Supported" },
    { 513, "Message Too Large" },
    { 580, "Precondition Failure" },
    { 600, "Busy Everywhere" },
    { 603, "Decline" },
    { 604, "Does Not Exist Anywhere" },
    { 606, "Not Acceptable" },
    { 607, "Unwanted" },
    { 608, "Rejected" }
};


static void ngx_ims_sip_sort(ngx_ims_sip_edits_t *e);
static void ngx_ims_sip_put(ngx_ims_sip_out_t *o, const void *data,
    size_t len);
static void ngx_ims_sip_putf(ngx_ims_sip_out_t *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void ngx_ims_sip_put_hdr(ngx_ims_sip_out_t *o,
    const ngx_ims_sip_msg_t *m, const ngx_ims_sip_hdr_t *h);
static void ngx_ims_sip_put_to(ngx_ims_sip_out_t *o,
    const ngx_ims_sip_msg_t *m, const ngx_ims_str_t *tag);


void
ngx_ims_sip_edits_init(ngx_ims_sip_edits_t *e, ngx_ims_sip_edit_t *edits,
    unsigned max, unsigned char *text, size_t size)
{
    e->edits = edits;
    e->n = 0;
    e->max = max;
    e->text = text;
    e->size = size;
    e->used = 0;
    e->failed = 0;
}


ngx_ims_str_t
ngx_ims_sip_textf(ngx_ims_sip_edits_t *e, const char *fmt, ...)
{
    int            n;
    size_t         room;
    va_list        args;
    ngx_ims_str_t  s;

    s.len = 0;
    s.data = e->text + e->used;

    room = e->size - e->used;

    va_start(args, fmt);
    n = vsnprintf((char *) s.data, room, fmt, args);
    va_end(args);

    /* the terminator needs its byte while printing, but is not kept */

    if (n < 0 || (size_t) n >= room) {
        e->failed = 1;
        return s;
    }

    s.len = n;
    e->used += n;

    return s;
}


void
ngx_ims_sip_edit(ngx_ims_sip_edits_t *e, uint32_t at, uint32_t del,
    ngx_ims_str_t ins)
{
    ngx_ims_sip_edit_t  *edit;

    if (e->n == e->max) {
        e->failed = 1;
        return;
    }

    edit = &e->edits[e->n++];

    edit->at = at;
    edit->del = del;
    edit->ins = ins;
}


void
ngx_ims_sip_replace(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_str_t *span, ngx_ims_str_t ins)
{
    if (span->data < m->text.data
        || span->data + span->len > m->text.data + m->text.len)
    {
        e->failed = 1;
        return;
    }

    ngx_ims_sip_edit(e, span->data - m->text.data, span->len, ins);
}


unsigned
ngx_ims_sip_remove(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id)
{
    unsigned  i, n;

    n = 0;

    for (i = m->first[id]; i != 0; i = m->hdrs[i - 1].next) {
        ngx_ims_sip_remove_hdr(e, &m->hdrs[i - 1]);
        n++;
    }

    return n;
}


void
ngx_ims_sip_remove_hdr(ngx_ims_sip_edits_t *e, const ngx_ims_sip_hdr_t *h)
{
    ngx_ims_str_t  none = { 0, NULL };

    ngx_ims_sip_edit(e, h->start, h->end - h->start, none);
}


void
ngx_ims_sip_remove_first(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id)
{
    ngx_ims_str_t       value, second, none = { 0, NULL };
    ngx_ims_sip_hdr_t  *h;
    ngx_ims_sip_iter_t  it;

    memset(&it, 0, sizeof(ngx_ims_sip_iter_t));

    if (!ngx_ims_sip_next(m, id, &it, &value)) {
        return;
    }

    h = it.hdr;

    if (ngx_ims_sip_next(m, id, &it, &second) && it.hdr == h) {
        ngx_ims_sip_edit(e, value.data - m->text.data,
                         second.data - value.data, none);
        return;
    }

    ngx_ims_sip_remove_hdr(e, h);
}


void
ngx_ims_sip_insert_top(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_str_t lines)
{
    unsigned char  *p;

    p = memchr(m->text.data, '\n', m->head);

    if (p == NULL) {
        e->failed = 1;
        return;
    }

    ngx_ims_sip_edit(e, p + 1 - m->text.data, 0, lines);
}


void
ngx_ims_sip_insert_end(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_str_t lines)
{
    if (m->head < 2) {
        e->failed = 1;
        return;
    }

    ngx_ims_sip_edit(e, m->head - 2, 0, lines);
}


void
ngx_ims_sip_body(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_str_t body)
{
    ngx_ims_str_t       text;
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_CONTENT_LENGTH);

    if (h != NULL) {
        text = ngx_ims_sip_textf(e, "%zu", body.len);
        ngx_ims_sip_replace(e, m, &h->value, text);

        while (h->next) {
            h = &m->hdrs[h->next - 1];
            ngx_ims_sip_remove_hdr(e, h);
        }

    } else {
        text = ngx_ims_sip_textf(e, "Content-Length: %zu\r\n", body.len);
        ngx_ims_sip_insert_end(e, m, text);
    }

    ngx_ims_sip_edit(e, m->head, m->body.len, body);
}


int
ngx_ims_sip_splice(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    unsigned char *out, size_t size, size_t *len)
{
    size_t               pos;
    unsigned             i;
    ngx_ims_sip_out_t    o;
    ngx_ims_sip_edit_t  *edit;

    if (e->failed) {
        return NGX_IMS_NOSPACE;
    }

    ngx_ims_sip_sort(e);

    o.p = out;
    o.end = out + size;
    o.full = 0;

    pos = 0;

    for (i = 0; i < e->n; i++) {
        edit = &e->edits[i];

        if (edit->at > m->text.len || edit->del > m->text.len - edit->at) {
            return NGX_IMS_NOSPACE;
        }

        if (edit->at > pos) {
            ngx_ims_sip_put(&o, m->text.data + pos, edit->at - pos);
            pos = edit->at;
        }

        ngx_ims_sip_put(&o, edit->ins.data, edit->ins.len);

        if (edit->at + edit->del > pos) {
            pos = edit->at + edit->del;
        }
    }

    ngx_ims_sip_put(&o, m->text.data + pos, m->text.len - pos);

    if (o.full) {
        return NGX_IMS_NOSPACE;
    }

    *len = o.p - out;

    return NGX_IMS_OK;
}


/* by offset, stable; few edits, mostly made in order */

static void
ngx_ims_sip_sort(ngx_ims_sip_edits_t *e)
{
    unsigned            i, k;
    ngx_ims_sip_edit_t  edit;

    for (i = 1; i < e->n; i++) {
        edit = e->edits[i];

        for (k = i; k > 0 && e->edits[k - 1].at > edit.at; k--) {
            e->edits[k] = e->edits[k - 1];
        }

        e->edits[k] = edit;
    }
}


static void
ngx_ims_sip_put(ngx_ims_sip_out_t *o, const void *data, size_t len)
{
    if (len > (size_t) (o->end - o->p)) {
        o->full = 1;
        return;
    }

    if (len) {
        memcpy(o->p, data, len);
        o->p += len;
    }
}


static void
ngx_ims_sip_putf(ngx_ims_sip_out_t *o, const char *fmt, ...)
{
    int      n;
    char     text[128];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (n < 0 || (size_t) n >= sizeof(text)) {
        o->full = 1;
        return;
    }

    ngx_ims_sip_put(o, text, n);
}


static void
ngx_ims_sip_put_hdr(ngx_ims_sip_out_t *o, const ngx_ims_sip_msg_t *m,
    const ngx_ims_sip_hdr_t *h)
{
    if (h != NULL) {
        ngx_ims_sip_put(o, m->text.data + h->start, h->end - h->start);
    }
}


/* a tag that the request had stays, even where the value is no address */

static void
ngx_ims_sip_put_to(ngx_ims_sip_out_t *o, const ngx_ims_sip_msg_t *m,
    const ngx_ims_str_t *tag)
{
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_TO);

    if (h == NULL) {
        return;
    }

    if (tag == NULL || tag->len == 0 || m->to.tag.len) {
        ngx_ims_sip_put_hdr(o, m, h);
        return;
    }

    ngx_ims_sip_put(o, "To: ", 4);
    ngx_ims_sip_put(o, h->value.data, h->value.len);
    ngx_ims_sip_put(o, ";tag=", 5);
    ngx_ims_sip_put(o, tag->data, tag->len);
    ngx_ims_sip_put(o, "\r\n", 2);
}


int
ngx_ims_sip_reply(const ngx_ims_sip_msg_t *m, unsigned status,
    const char *reason, const ngx_ims_str_t *to_tag, const char *extra,
    const ngx_ims_str_t *body, unsigned char *out, size_t size, size_t *len)
{
    unsigned           i;
    ngx_ims_sip_out_t  o;

    o.p = out;
    o.end = out + size;
    o.full = 0;

    if (reason == NULL) {
        reason = ngx_ims_sip_reason(status);
    }

    ngx_ims_sip_putf(&o, "SIP/2.0 %u ", status);
    ngx_ims_sip_put(&o, reason, strlen(reason));
    ngx_ims_sip_put(&o, "\r\n", 2);

    for (i = m->first[NGX_IMS_HDR_VIA]; i != 0; i = m->hdrs[i - 1].next) {
        ngx_ims_sip_put_hdr(&o, m, &m->hdrs[i - 1]);
    }

    ngx_ims_sip_put_hdr(&o, m, ngx_ims_sip_hdr(m, NGX_IMS_HDR_FROM));
    ngx_ims_sip_put_to(&o, m, to_tag);
    ngx_ims_sip_put_hdr(&o, m, ngx_ims_sip_hdr(m, NGX_IMS_HDR_CALL_ID));
    ngx_ims_sip_put_hdr(&o, m, ngx_ims_sip_hdr(m, NGX_IMS_HDR_CSEQ));

    if (extra != NULL) {
        ngx_ims_sip_put(&o, extra, strlen(extra));
    }

    ngx_ims_sip_putf(&o, "Content-Length: %zu\r\n\r\n",
                     body ? body->len : (size_t) 0);

    if (body != NULL) {
        ngx_ims_sip_put(&o, body->data, body->len);
    }

    if (o.full) {
        return NGX_IMS_NOSPACE;
    }

    *len = o.p - out;

    return NGX_IMS_OK;
}


const char *
ngx_ims_sip_reason(unsigned status)
{
    unsigned  low, high, mid;

    low = 0;
    high = sizeof(ngx_ims_sip_reasons) / sizeof(ngx_ims_sip_reasons[0]);

    while (low < high) {
        mid = (low + high) / 2;

        if (ngx_ims_sip_reasons[mid].status == status) {
            return ngx_ims_sip_reasons[mid].reason;
        }

        if (ngx_ims_sip_reasons[mid].status < status) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return "Unknown";
}
