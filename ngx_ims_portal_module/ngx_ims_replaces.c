/*
 * Copyright (C) the IMS portal authors
 *
 * Call-ID;to-tag=...;from-tag=..., plain or escaped within a URI.  The tags
 * themselves are tokens, which nobody escapes.
 *
 * No timers.
 */


#include "ngx_ims_replaces.h"


enum {
    NGX_IMS_REPLACES_MAX = 1024          /* bytes of the value */
};


static ngx_int_t ngx_ims_replaces_refer(ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *raw);
static ngx_int_t ngx_ims_replaces_dialog(ngx_ims_forward_t *fw,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web, ngx_ims_str_t *far,
    ngx_ims_dialog_t *d, u_char *record);
static void ngx_ims_replaces_tag(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e, ngx_ims_str_t *raw, ngx_ims_str_t *tag,
    ngx_ims_dialog_t *d);


void
ngx_ims_replaces(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e)
{
    u_char               buf[NGX_IMS_REPLACES_MAX], *p, *src, *record;
    ngx_ims_str_t        raw, call_id, params, to, from;
    ngx_ims_dialog_t     d;
    ngx_ims_sip_hdr_t   *h;

    if (m->method == NGX_IMS_SIP_INVITE) {
        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_REPLACES);

        if (h == NULL) {
            return;
        }

        raw = h->value;

    } else if (m->method != NGX_IMS_SIP_REFER
               || ngx_ims_replaces_refer(m, &raw) != NGX_OK)
    {
        return;
    }

    if (raw.len > sizeof(buf)) {
        return;
    }

    p = buf;
    src = raw.data;

    ngx_unescape_uri(&p, &src, raw.len, 0);

    call_id.data = buf;
    call_id.len = p - buf;

    p = ngx_strlchr(buf, p, ';');

    if (p == NULL) {
        return;
    }

    params.data = p + 1;
    params.len = call_id.data + call_id.len - params.data;
    call_id.len = p - buf;

    if (!ngx_ims_sip_param(&params, "to-tag", &to)
        || !ngx_ims_sip_param(&params, "from-tag", &from)
        || to.len == 0 || from.len == 0)
    {
        return;
    }

    /* the worker's records hold what the request itself is about */

    record = ngx_alloc(NGX_IMS_DIALOG_BUFFER, fw->worker->log);
    if (record == NULL) {
        return;
    }

    /* the browser is either end of it, by where the message is going */

    if (ngx_ims_replaces_dialog(fw, &call_id, &from, &to, &d, record)
        == NGX_OK)
    {
        ngx_ims_replaces_tag(fw, m, e, &raw, &to, &d);

    } else if (ngx_ims_replaces_dialog(fw, &call_id, &to, &from, &d, record)
               == NGX_OK)
    {
        ngx_ims_replaces_tag(fw, m, e, &raw, &from, &d);
    }

    ngx_free(record);
}


/* the Replaces among the headers of the URI in Refer-To */

static ngx_int_t
ngx_ims_replaces_refer(ngx_ims_sip_msg_t *m, ngx_ims_str_t *raw)
{
    u_char              *p, *last;
    ngx_ims_sip_uri_t    uri;
    ngx_ims_sip_hdr_t   *h;
    ngx_ims_sip_addr_t   addr;

    static u_char  name[] = "replaces=";

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_REFER_TO);

    if (h == NULL || ngx_ims_sip_parse_addr(&h->value, &addr) != NGX_IMS_OK
        || ngx_ims_sip_parse_uri(&addr.uri, &uri) != NGX_IMS_OK
        || uri.headers.len == 0)
    {
        return NGX_DECLINED;
    }

    last = uri.headers.data + uri.headers.len;
    p = ngx_strlcasestrn(uri.headers.data, last, name, sizeof(name) - 2);

    if (p == NULL || (p != uri.headers.data && p[-1] != '&')) {
        return NGX_DECLINED;
    }

    raw->data = p + sizeof(name) - 1;

    p = ngx_strlchr(raw->data, last, '&');
    raw->len = (p ? p : last) - raw->data;

    return NGX_OK;
}


/* far is the tag as who sent the message knows it */

static ngx_int_t
ngx_ims_replaces_dialog(ngx_ims_forward_t *fw, ngx_ims_str_t *call_id,
    ngx_ims_str_t *web, ngx_ims_str_t *far, ngx_ims_dialog_t *d,
    u_char *record)
{
    ngx_int_t  rc;

    rc = fw->up ? ngx_ims_dialog_find_shown(fw->pool, &fw->binding, call_id,
                                            web, far, d, record)
                : ngx_ims_dialog_find(fw->pool, &fw->binding, call_id, web,
                                      far, d, record);

    return rc == NGX_OK && d->merged ? NGX_OK : NGX_DECLINED;
}


static void
ngx_ims_replaces_tag(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e, ngx_ims_str_t *raw, ngx_ims_str_t *tag,
    ngx_ims_dialog_t *d)
{
    u_char              *p, *last;
    ngx_ims_str_t        span, text;
    ngx_ims_sip_addr_t   addr;

    if (ngx_ims_sip_parse_addr(fw->up ? &d->far_id : &d->shown_id, &addr)
        != NGX_IMS_OK)
    {
        return;
    }

    last = raw->data + raw->len;

    for (p = raw->data; (size_t) (last - p) >= tag->len; p++) {

        /* behind "=", which is "%3D" within a URI */

        if (ngx_memcmp(p, tag->data, tag->len) == 0
            && p > raw->data
            && (p[-1] == '=' || p[-1] == 'D' || p[-1] == 'd'))
        {
            span.data = p;
            span.len = tag->len;
            text = ngx_ims_sip_textf(e, "%.*s", (int) addr.tag.len,
                                     addr.tag.data);
            ngx_ims_sip_replace(e, m, &span, text);
            return;
        }
    }
}
