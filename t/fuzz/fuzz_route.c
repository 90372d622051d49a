/* Copyright (C) the IMS portal authors */

/* FUZZ_LIBS: ../../ngx_ims_portal_module/ngx_ims_route*.c */


/*
 * Feeds the SIP policy: what came in as one side's message goes out as a
 * message of the other's, and no trick of the first gets through.  The input is
 * two bytes of choices, a request, and for answers NUL and a response.
 */


#define _GNU_SOURCE                      /* memmem() */

#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_str.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_addr.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_edit.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_frame.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_start.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_text.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_uri.c"
#include "../../ngx_ims_portal_module/ngx_ims_route.h"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)

#define TOKEN   "00112233445566778899aabbccddeeff0011"
#define BODY    "v=0\r\n"


enum {
    DOWN = 0x01,
    ANSWER = 0x02,
    NEW_BODY = 0x04,
    IN_DIALOG = 0x08,
    ALIAS = 0x10,
    IDS = 0x20,                         /* From and To of the dialog */
    TARGET = 0x40,                      /* and another Request-URI */
    ROUTES = 0x80
};


typedef struct {
    ngx_ims_sip_msg_t    m;
    ngx_ims_sip_hdr_t    hdrs[NGX_IMS_SIP_MAX_HEADERS];
} message_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static message_t            in, orig, result;
static unsigned char        out[400000];
static unsigned char        arena[60000];
static ngx_ims_sip_edit_t   edits[4 * NGX_IMS_SIP_MAX_HEADERS];


static int
parse(message_t *msg, const unsigned char *p, size_t len, int datagram)
{
    return ngx_ims_sip_parse(&msg->m, (unsigned char *) p, len, msg->hdrs,
                             NGX_IMS_SIP_MAX_HEADERS, datagram);
}


static unsigned
lines(const ngx_ims_sip_msg_t *m, unsigned id)
{
    unsigned  i, n;

    n = 0;

    for (i = m->first[id]; i != 0; i = m->hdrs[i - 1].next) {
        n++;
    }

    return n;
}


static unsigned
values(const ngx_ims_sip_msg_t *m, unsigned id, ngx_ims_str_t *first)
{
    unsigned            n;
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    memset(&it, 0, sizeof(it));

    for (n = 0; ngx_ims_sip_next(m, id, &it, &value); n++) {
        if (n == 0) {
            *first = value;
        }
    }

    return n;
}


static int
same(ngx_ims_str_t a, ngx_ims_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static int
is(ngx_ims_str_t a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}


/* a Record-Route of ours */

static int
own(ngx_ims_str_t s)
{
    return memmem(s.data, s.len, TOKEN, sizeof(TOKEN) - 1) != NULL;
}


static ngx_ims_str_t
value_of(const ngx_ims_sip_msg_t *m, unsigned id)
{
    ngx_ims_str_t       none = { 0, NULL };
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, id);

    return h ? h->value : none;
}


static void
facts(ngx_ims_route_t *r, unsigned flags, unsigned offset)
{
#define set(field, text)  do {                                                \
        r->field.data = (unsigned char *) text;                               \
        r->field.len = sizeof(text) - 1;                                      \
    } while (0)

    memset(r, 0, sizeof(ngx_ims_route_t));

    set(impu, "sip:mary@acme.example");
    set(token, TOKEN);
    set(edge, "192.0.2.1:5060;transport=tcp");
    set(via, "192.0.2.1:5060");
    set(transport, "TCP");
    set(web, "portal.example");
    set(web_transport, "WSS");
    set(branch, "z9hG4bKours");
    set(icid, "icid@portal");

    if (flags & ALIAS) {
        set(alias, "tel:+15550100");
    }

    if (flags & ROUTES) {
        set(routes, "<sip:orig@scscf.example;lr>, <sip:a@b;lr>");
    }

    if (flags & IDS) {
        set(core_id, "<sip:core@id.example>;tag=core");
        set(web_id, "\"M, <>\" <sip:web@id.example>;tag=web");
    }

    if (flags & TARGET) {
        set(target, "sip:page@b0.invalid;transport=ws");
        set(request_uri, "tel:+1555");
    }

    if (flags & NEW_BODY) {
        set(body, BODY);
        r->has_body = 1;
    }

    if (offset & 1) {
        r->session_expires = 1800;
        r->min_se = 90;
        r->back = offset;
    }

    r->in_dialog = (flags & IN_DIALOG) != 0;
    r->offset = offset;

#undef set
}


/* what no side sees of the other, and what stays */

static void
check_all(unsigned flags, const ngx_ims_route_t *r)
{
    unsigned                id;
    ngx_ims_str_t           route;
    ngx_ims_sip_msg_t      *m, *n;

    static const uint16_t   gone[] = {
        NGX_IMS_HDR_PATH, NGX_IMS_HDR_SERVICE_ROUTE, NGX_IMS_HDR_AUTHORIZATION,
        NGX_IMS_HDR_PROXY_AUTHORIZATION,
        NGX_IMS_HDR_P_CHARGING_FUNCTION_ADDRESSES,
        NGX_IMS_HDR_P_VISITED_NETWORK_ID, NGX_IMS_HDR_P_ACCESS_NETWORK_INFO,
        NGX_IMS_HDR_SECURITY_CLIENT, NGX_IMS_HDR_SECURITY_SERVER,
        NGX_IMS_HDR_SECURITY_VERIFY, 0
    };

    static const uint16_t   kept[] = {
        NGX_IMS_HDR_OTHER, NGX_IMS_HDR_CALL_ID, NGX_IMS_HDR_CONTENT_TYPE,
        NGX_IMS_HDR_EXPIRES, NGX_IMS_HDR_UNSUPPORTED, NGX_IMS_HDR_ALLOW,
        NGX_IMS_HDR_PRIVACY, NGX_IMS_HDR_REASON, NGX_IMS_HDR_RACK,
        NGX_IMS_HDR_EVENT, NGX_IMS_HDR_REFER_TO, NGX_IMS_HDR_REPLACES,
        NGX_IMS_HDR_SESSION_EXPIRES, NGX_IMS_HDR_SUBJECT,
        NGX_IMS_HDR_CONTENT_ENCODING, NGX_IMS_HDR_N
    };

    m = &in.m;
    n = &result.m;

    for (id = 0; gone[id]; id++) {
        need(lines(n, gone[id]) == 0);
    }

    need(r->session_expires == 0
         || lines(n, NGX_IMS_HDR_SESSION_EXPIRES) == 1);

    for (id = 0; kept[id] != NGX_IMS_HDR_N; id++) {

        if (r->session_expires && (kept[id] == NGX_IMS_HDR_SESSION_EXPIRES
                                   || kept[id] == NGX_IMS_HDR_EVENT))
        {
            continue;
        }

        need(lines(n, kept[id]) == lines(m, kept[id]));
        need(same(value_of(n, kept[id]), value_of(m, kept[id])));
    }

    need(same(n->call_id, m->call_id) && n->status == m->status);
    need(same(n->body, r->has_body ? r->body : m->body));
    need(n->content_length >= 0 && (size_t) n->content_length == n->body.len
         && lines(n, NGX_IMS_HDR_CONTENT_LENGTH) == 1);

    if (!(flags & DOWN)) {
        need(!ngx_ims_sip_has_token(n, NGX_IMS_HDR_REQUIRE, "sec-agree"));
        need(!ngx_ims_sip_has_token(n, NGX_IMS_HDR_SUPPORTED, "sec-agree"));
        need(lines(n, NGX_IMS_HDR_P_OTHER) == 0
             && lines(n, NGX_IMS_HDR_P_PREFERRED_IDENTITY) == 0
             && lines(n, NGX_IMS_HDR_P_ASSOCIATED_URI) == 0
             && lines(n, NGX_IMS_HDR_P_CALLED_PARTY_ID) == 0);
    }

    if ((flags & (DOWN|ANSWER)) || r->routes.len == 0) {
        need(lines(n, NGX_IMS_HDR_ROUTE) == 0);

    } else {
        need(lines(n, NGX_IMS_HDR_ROUTE) == 1
             && values(n, NGX_IMS_HDR_ROUTE, &route) == 2
             && same(value_of(n, NGX_IMS_HDR_ROUTE), r->routes));
    }
}


static void
check_contact(const ngx_ims_route_t *r)
{
    ngx_ims_str_t       value;
    ngx_ims_sip_addr_t  a;

    if (lines(&result.m, NGX_IMS_HDR_CONTACT) == 0) {
        need(values(&in.m, NGX_IMS_HDR_CONTACT, &value) == 0);
        return;
    }

    need(values(&result.m, NGX_IMS_HDR_CONTACT, &value) == 1);
    need(ngx_ims_sip_parse_addr(&value, &a) == NGX_IMS_OK);
    need(a.uri.len == 5 + r->token.len + r->edge.len
         && memcmp(a.uri.data + 4, r->token.data, r->token.len) == 0
         && memcmp(a.uri.data + 5 + r->token.len, r->edge.data, r->edge.len)
            == 0);
}


static void
check_request(unsigned flags, const ngx_ims_route_t *r)
{
    int                 forms;
    ngx_ims_str_t       value;
    ngx_ims_sip_msg_t  *m, *n;

    m = &in.m;
    n = &result.m;

    need(values(n, NGX_IMS_HDR_VIA, &value) == 1 && is(n->via.branch,
                                                       "z9hG4bKours"));
    need(same(n->method_name, m->method_name));
    need(n->cseq == m->cseq + r->offset);
    need(n->max_forwards == (m->max_forwards < 0 ? 70
                             : m->max_forwards ? m->max_forwards - 1 : 0));

    forms = ngx_ims_route_records(m);

    need(values(n, NGX_IMS_HDR_RECORD_ROUTE, &value) == (unsigned) forms);
    need(!forms || own(value));

    if (flags & DOWN) {
        need(same(n->uri, r->target.len ? r->target : m->uri));
        need(same(value_of(n, NGX_IMS_HDR_TO),
                  r->web_id.len ? r->web_id : value_of(m, NGX_IMS_HDR_TO)));
        need(same(value_of(n, NGX_IMS_HDR_FROM),
                  value_of(m, NGX_IMS_HDR_FROM)));
        need(lines(n, NGX_IMS_HDR_P_CHARGING_VECTOR) == 0);
        need(!ngx_ims_route_privacy(m, "id")
             || lines(n, NGX_IMS_HDR_P_ASSERTED_IDENTITY) == 0);
        return;
    }

    need(same(n->uri, r->request_uri.len ? r->request_uri : m->uri));
    need(same(value_of(n, NGX_IMS_HDR_TO), value_of(m, NGX_IMS_HDR_TO)));
    check_contact(r);

    if (r->in_dialog && r->core_id.len) {
        need(same(value_of(n, NGX_IMS_HDR_FROM), r->core_id));

    } else {
        need(same(n->from.tag, m->from.tag));
        need(same(n->from.uri, r->impu)
             || is(n->from.uri, "sip:anonymous@anonymous.invalid"));
    }

    if (r->in_dialog || m->method == NGX_IMS_SIP_ACK) {
        need(lines(n, NGX_IMS_HDR_P_ASSERTED_IDENTITY) == 0
             && lines(n, NGX_IMS_HDR_P_CHARGING_VECTOR) == 0);
        return;
    }

    need(lines(n, NGX_IMS_HDR_P_ASSERTED_IDENTITY) == 1
         && lines(n, NGX_IMS_HDR_P_CHARGING_VECTOR) == 1);
    need(values(n, NGX_IMS_HDR_P_ASSERTED_IDENTITY, &value)
         == 1U + (r->alias.len != 0));
    need(is(value, "<sip:mary@acme.example>") || r->alias.len);
}


/* a request's own lines are those of its answer */

static void
check_answer(unsigned flags, const ngx_ims_route_t *r)
{
    int                 forms;
    unsigned            n_own, n_result;
    ngx_ims_str_t       a, b;
    ngx_ims_sip_msg_t  *m, *n, *o;

    m = &in.m;
    n = &result.m;
    o = &orig.m;

    n_own = values(o, NGX_IMS_HDR_VIA, &a);
    n_result = values(n, NGX_IMS_HDR_VIA, &b);
    need(n_own == n_result && same(a, b));

    need(same(value_of(n, NGX_IMS_HDR_FROM), value_of(o, NGX_IMS_HDR_FROM)));
    need(n->cseq == o->cseq && same(n->method_name, o->method_name));

    forms = ngx_ims_route_records(o) && m->status > 100;

    n_own = values(o, NGX_IMS_HDR_RECORD_ROUTE, &a);
    n_result = values(n, NGX_IMS_HDR_RECORD_ROUTE, &b);

    if (flags & DOWN) {
        need(lines(n, NGX_IMS_HDR_WWW_AUTHENTICATE) == 0
             && lines(n, NGX_IMS_HDR_PROXY_AUTHENTICATE) == 0
             && lines(n, NGX_IMS_HDR_P_CHARGING_VECTOR) == 0);
        need(n_result == (unsigned) (forms && m->status < 300));
        need(n_result == 0 || own(b));
        return;
    }

    need(n_result == (forms ? n_own + 1 : 0));
    need(n_result == 0 || own(b));
    need(same(n->to.uri, o->to.uri));
    need(same(n->to.tag, o->to.tag.len ? o->to.tag : m->to.tag));
    need(lines(n, NGX_IMS_HDR_P_ASSERTED_IDENTITY)
         == (o->to.tag.len == 0 && m->status > 100 && m->status < 300));

    if (m->status < 300) {
        check_contact(r);
    }
}


static void
route(ngx_ims_sip_edits_t *e, unsigned flags, ngx_ims_route_t *r)
{
    switch (flags & (DOWN|ANSWER)) {

    case 0:
        ngx_ims_route_request_up(e, &in.m, r);
        break;

    case DOWN:
        ngx_ims_route_request_down(e, &in.m, r);
        break;

    case ANSWER:
        ngx_ims_route_response_up(e, &in.m, &orig.m, r);
        break;

    default:
        ngx_ims_route_response_down(e, &in.m, &orig.m, r);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                   rc;
    size_t                len;
    unsigned              flags, offset;
    const unsigned char  *p, *end;
    ngx_ims_route_t       r;
    ngx_ims_sip_edits_t   e;

    if (size < 3) {
        return 0;
    }

    flags = data[0];
    offset = data[1];
    p = data + 2;
    end = data + size;

    if (flags & ANSWER) {
        p = memchr(p, '\0', end - p);

        if (p == NULL || parse(&orig, data + 2, p - (data + 2), 1) != NGX_IMS_OK
            || orig.m.status)
        {
            return 0;
        }

        p++;
        offset = 0;
    }

    if (parse(&in, p, end - p, (flags & DOWN) != 0) != NGX_IMS_OK
        || (in.m.status != 0) != ((flags & ANSWER) != 0)
        || (int64_t) in.m.cseq + offset > INT32_MAX)
    {
        return 0;
    }

    facts(&r, flags, offset);

    ngx_ims_sip_edits_init(&e, edits, sizeof(edits) / sizeof(edits[0]), arena,
                           sizeof(arena));

    route(&e, flags, &r);

    rc = ngx_ims_sip_splice(&e, &in.m, out, sizeof(out), &len);

    need((rc == NGX_IMS_OK) == !e.failed);

    if (rc != NGX_IMS_OK || len > NGX_IMS_SIP_MAX_MESSAGE) {
        return 0;
    }

    rc = parse(&result, out, len, 0);

    if (rc != NGX_IMS_OK && result.m.code == 513) {
        return 0;
    }

    need(rc == NGX_IMS_OK);

    check_all(flags, &r);

    if (flags & ANSWER) {
        check_answer(flags, &r);

    } else {
        check_request(flags, &r);
    }

    return 0;
}
