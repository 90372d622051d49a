/* Copyright (C) the IMS portal authors */


/*
 * Feeds the SIP codec.  Whatever was parsed lies inside the message; an
 * accepted message can be framed, answered, edited and parsed again with the
 * same result, and its lists, addresses and URIs can be read.  A slow reader,
 * byte by byte, finds the same headers.
 */


#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_str.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_addr.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_edit.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_frame.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_start.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_text.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_uri.c"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_ims_sip_hdr_t  hdrs[NGX_IMS_SIP_MAX_HEADERS];
static ngx_ims_sip_hdr_t  again_hdrs[NGX_IMS_SIP_MAX_HEADERS];
static unsigned char      out[200000];


static void
inside(const ngx_ims_sip_msg_t *m, const ngx_ims_str_t *s)
{
    need(s->len == 0
         || (s->data >= m->text.data
             && s->data + s->len <= m->text.data + m->text.len));
}


static void
read_value(const ngx_ims_str_t *value)
{
    ngx_ims_str_t       v;
    ngx_ims_sip_uri_t   u;
    ngx_ims_sip_via_t   via;
    ngx_ims_sip_addr_t  a;

    (void) ngx_ims_sip_parse_via(value, &via);
    (void) ngx_ims_sip_auth_param(value, "realm", &v);
    (void) ngx_ims_sip_param(value, "tag", &v);

    if (ngx_ims_sip_parse_addr(value, &a) != NGX_IMS_OK) {
        return;
    }

    if (ngx_ims_sip_parse_uri(&a.uri, &u) != NGX_IMS_OK) {
        need(ngx_ims_sip_uri_safe(&a.uri) == 0);
        need(ngx_ims_sip_uri_equal(&a.uri, &a.uri) == 0);
        return;
    }

    (void) ngx_ims_sip_uri_safe(&a.uri);
    (void) ngx_ims_sip_uri_equal(&a.uri, &a.uri);
    (void) ngx_ims_sip_param(&u.params, "transport", &v);
}


static void
read_all(const ngx_ims_sip_msg_t *m)
{
    unsigned            id, i;
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    inside(m, &m->uri);
    inside(m, &m->method_name);
    inside(m, &m->reason);
    inside(m, &m->via.value);
    inside(m, &m->via.branch);
    inside(m, &m->from.uri);
    inside(m, &m->from.tag);
    inside(m, &m->to.params);
    inside(m, &m->call_id);
    inside(m, &m->body);

    for (i = 0; i < m->nhdrs; i++) {
        inside(m, &m->hdrs[i].name);
        inside(m, &m->hdrs[i].value);
        need(m->hdrs[i].start < m->hdrs[i].end
             && m->hdrs[i].end <= m->text.len);
    }

    for (id = 0; id < NGX_IMS_HDR_N; id++) {
        memset(&it, 0, sizeof(it));

        while (ngx_ims_sip_next(m, id, &it, &value)) {
            need(value.len != 0);
            inside(m, &value);
            read_value(&value);
        }
    }
}


static int
space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


/* the header lines once more, with nothing of the parser's own */

static void
read_slowly(const ngx_ims_sip_msg_t *m)
{
    unsigned              n;
    const unsigned char  *p, *end, *eol, *name_end, *value;

    n = 0;
    p = m->text.data;
    end = p + m->head;

    while (memcmp(p, "\r\n", 2) != 0) {
        p++;
    }

    for (p += 2; end - p > 2; p = eol + 2) {

        for (eol = p; eol[0] != '\r' || eol[1] != '\n'
                      || (eol + 2 < end && (eol[2] == ' ' || eol[2] == '\t'));
             eol++)
        {
            need(eol < end - 2 && (*eol >= ' ' || space(*eol))
                 && *eol != 0x7f);
        }

        for (name_end = p; *name_end != ':'; name_end++) { /* void */ }

        for (value = name_end + 1; value < eol && space(*value); value++) {
            /* void */
        }

        while (space(name_end[-1])) {
            name_end--;
        }

        need(n < m->nhdrs && m->hdrs[n].name.data == p
             && m->hdrs[n].name.len == (size_t) (name_end - p)
             && m->hdrs[n].start == p - m->text.data
             && m->hdrs[n].end == eol + 2 - m->text.data
             && m->hdrs[n].value.data == value);

        while (name_end > p) {
            name_end--;
            need(*name_end > ' ' && *name_end < 0x7f
                 && strchr("()<>@,;:\\\"/[]?={}", *name_end) == NULL);
        }

        n++;
    }

    need(n == m->nhdrs);
}


static void
answer(const ngx_ims_sip_msg_t *m, int accepted)
{
    int                         rc;
    size_t                      len;
    ngx_ims_sip_msg_t           reply;
    static const ngx_ims_str_t  tag = ngx_ims_str("portal");

    if (m->status) {
        return;
    }

    rc = ngx_ims_sip_reply(m, 400, NULL, &tag, NULL, NULL, out, sizeof(out),
                           &len);
    need(rc == NGX_IMS_OK);

    rc = ngx_ims_sip_parse(&reply, out, len, again_hdrs,
                           NGX_IMS_SIP_MAX_HEADERS, 0);

    if (accepted && m->text.len < 60000) {
        need(rc == NGX_IMS_OK && reply.cseq == m->cseq && reply.to.tag.len
             && reply.via.branch.len == m->via.branch.len
             && reply.call_id.len == m->call_id.len);
    }
}


static void
edit(const ngx_ims_sip_msg_t *m)
{
    size_t               len;
    unsigned char        arena[256];
    ngx_ims_sip_msg_t    again;
    ngx_ims_sip_edit_t   edits[NGX_IMS_SIP_MAX_HEADERS * 2];
    ngx_ims_sip_edits_t  e;

    static const ngx_ims_str_t  path = ngx_ims_str("Path: <sip:p;lr>\r\n");
    static const ngx_ims_str_t  via = ngx_ims_str(
        "Via: SIP/2.0/TCP p;branch=z9hG4bKp\r\n");
    static const ngx_ims_str_t  body = ngx_ims_str("v=0\r\n");

    ngx_ims_sip_edits_init(&e, edits, NGX_IMS_SIP_MAX_HEADERS * 2, arena,
                           sizeof(arena));

    ngx_ims_sip_body(&e, m, body);
    ngx_ims_sip_remove(&e, m, NGX_IMS_HDR_AUTHORIZATION);
    ngx_ims_sip_remove_first(&e, m, NGX_IMS_HDR_ROUTE);
    ngx_ims_sip_insert_end(&e, m, path);
    ngx_ims_sip_remove_first(&e, m, NGX_IMS_HDR_VIA);
    ngx_ims_sip_insert_top(&e, m, via);

    if (ngx_ims_sip_splice(&e, m, out, sizeof(out), &len) != NGX_IMS_OK) {
        abort();
    }

    if (m->nhdrs + 3 > NGX_IMS_SIP_MAX_HEADERS || len > 60000) {
        return;
    }

    need(ngx_ims_sip_parse(&again, out, len, again_hdrs,
                           NGX_IMS_SIP_MAX_HEADERS, 0) == NGX_IMS_OK);
    need(again.cseq == m->cseq && again.from.tag.len == m->from.tag.len
         && again.call_id.len == m->call_id.len && again.body.len == 5
         && again.via.branch.len == 8
         && ngx_ims_sip_hdr(&again, NGX_IMS_HDR_AUTHORIZATION) == NULL
         && ngx_ims_sip_hdr(&again, NGX_IMS_HDR_PATH) != NULL);

    need(ngx_ims_sip_frame(out, len, sizeof(out), &len) == NGX_IMS_OK);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc, datagram;
    size_t              framed;
    unsigned char      *p;
    ngx_ims_sip_msg_t   m;

    if (size < 1) {
        return 0;
    }

    datagram = data[0] & 1;
    data++;
    size--;

    /* the parser takes bytes that it may not change */

    p = malloc(size ? size : 1);
    need(p != NULL);

    if (size) {
        memcpy(p, data, size);
    }

    rc = ngx_ims_sip_frame(p, size, 65535, &framed);
    need(rc != NGX_IMS_OK || framed <= size);

    rc = ngx_ims_sip_parse(&m, p, size, hdrs, NGX_IMS_SIP_MAX_HEADERS,
                           datagram);

    need(size == 0 || memcmp(p, data, size) == 0);
    need((rc == NGX_IMS_OK) == (m.error == NULL));

    read_all(&m);
    answer(&m, rc == NGX_IMS_OK);

    if (rc == NGX_IMS_OK) {
        read_slowly(&m);
        edit(&m);

    } else {
        need(m.error_pos <= m.text.len && m.code >= 400);
    }

    free(p);

    return 0;
}
