/*
 * Copyright (C) the IMS portal authors
 *
 * The first line of a SIP message: method, Request-URI and version, or a status
 * (RFC 3261 7.1, 7.2).
 */


#include "ngx_ims_sip_int.h"


#define ngx_ims_sip_named(s, id)  { s, sizeof(s) - 1, id }


typedef struct {
    const char          *name;
    size_t               len;
    uint16_t             id;
} ngx_ims_sip_name_t;


static const ngx_ims_sip_name_t  ngx_ims_sip_methods[] = {
    ngx_ims_sip_named("INVITE", NGX_IMS_SIP_INVITE),
    ngx_ims_sip_named("ACK", NGX_IMS_SIP_ACK),
    ngx_ims_sip_named("BYE", NGX_IMS_SIP_BYE),
    ngx_ims_sip_named("CANCEL", NGX_IMS_SIP_CANCEL),
    ngx_ims_sip_named("REGISTER", NGX_IMS_SIP_REGISTER),
    ngx_ims_sip_named("OPTIONS", NGX_IMS_SIP_OPTIONS),
    ngx_ims_sip_named("MESSAGE", NGX_IMS_SIP_MESSAGE),
    ngx_ims_sip_named("INFO", NGX_IMS_SIP_INFO),
    ngx_ims_sip_named("PRACK", NGX_IMS_SIP_PRACK),
    ngx_ims_sip_named("UPDATE", NGX_IMS_SIP_UPDATE),
    ngx_ims_sip_named("SUBSCRIBE", NGX_IMS_SIP_SUBSCRIBE),
    ngx_ims_sip_named("NOTIFY", NGX_IMS_SIP_NOTIFY),
    ngx_ims_sip_named("REFER", NGX_IMS_SIP_REFER),
    ngx_ims_sip_named("PUBLISH", NGX_IMS_SIP_PUBLISH),
    { NULL, 0, 0 }
};


static void ngx_ims_sip_status_line(ngx_ims_sip_msg_t *m, unsigned char *p,
    unsigned char *end);
static void ngx_ims_sip_request_uri(ngx_ims_sip_msg_t *m);


/* Request-Line = Method SP Request-URI SP SIP-Version (RFC 3261 7.1) */

void
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
    s = ngx_ims_sip_skip_many(p, end, NGX_IMS_C_URI);

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

    if (ngx_ims_sip_split_uri(&m->uri, &uri) != NGX_IMS_OK) {
        ngx_ims_sip_fail(m, 400, m->uri.data, "request URI is not well formed");
        return;
    }

    /* they would become header fields at whoever resolves it (19.1.1) */

    if (uri.headers.data != NULL) {
        ngx_ims_sip_fail(m, 400, uri.headers.data,
                         "request URI has header fields");
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
