/*
 * Copyright (C) the IMS portal authors
 *
 * SIP policy.  Each header that the portal owns is removed from whatever came
 * in and written anew from its own records; nothing is copied from a browser
 * into a header that the core trusts.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* memmem() */
#endif

#include "ngx_ims_route_int.h"

#include <strings.h>


static int ngx_ims_route_own(const ngx_ims_str_t *value,
    const ngx_ims_str_t *token);
static void ngx_ims_route_hygiene_up(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m);
static void ngx_ims_route_hygiene_down(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m);
static void ngx_ims_route_hop(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m);
static void ngx_ims_route_cseq(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);
static void ngx_ims_route_contact(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);
static void ngx_ims_route_from(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);
static void ngx_ims_route_restore(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_sip_msg_t *orig);
static void ngx_ims_route_lines(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_sip_msg_t *from,
    ngx_ims_sip_hdr_e id);
static void ngx_ims_route_body(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);
static void ngx_ims_route_location(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, const ngx_ims_route_t *r);


/* what no browser may say (RG-6, SE-3, SE-9) */

static const uint16_t  ngx_ims_route_not_up[] = {
    NGX_IMS_HDR_VIA,
    NGX_IMS_HDR_ROUTE,
    NGX_IMS_HDR_RECORD_ROUTE,
    NGX_IMS_HDR_PATH,
    NGX_IMS_HDR_SERVICE_ROUTE,
    NGX_IMS_HDR_AUTHORIZATION,
    NGX_IMS_HDR_PROXY_AUTHORIZATION,
    NGX_IMS_HDR_P_ASSERTED_IDENTITY,
    NGX_IMS_HDR_P_PREFERRED_IDENTITY,
    NGX_IMS_HDR_P_ASSOCIATED_URI,
    NGX_IMS_HDR_P_CALLED_PARTY_ID,
    NGX_IMS_HDR_P_CHARGING_VECTOR,
    NGX_IMS_HDR_P_CHARGING_FUNCTION_ADDRESSES,
    NGX_IMS_HDR_P_VISITED_NETWORK_ID,
    NGX_IMS_HDR_P_ACCESS_NETWORK_INFO,
    NGX_IMS_HDR_P_OTHER,
    NGX_IMS_HDR_SECURITY_CLIENT,
    NGX_IMS_HDR_SECURITY_SERVER,
    NGX_IMS_HDR_SECURITY_VERIFY,
    NGX_IMS_HDR_OTHER
};


/* what no browser needs to know (SE-5, SE-9) */

static const uint16_t  ngx_ims_route_not_down[] = {
    NGX_IMS_HDR_VIA,
    NGX_IMS_HDR_ROUTE,
    NGX_IMS_HDR_RECORD_ROUTE,
    NGX_IMS_HDR_PATH,
    NGX_IMS_HDR_SERVICE_ROUTE,
    NGX_IMS_HDR_AUTHORIZATION,
    NGX_IMS_HDR_PROXY_AUTHORIZATION,
    NGX_IMS_HDR_WWW_AUTHENTICATE,
    NGX_IMS_HDR_PROXY_AUTHENTICATE,
    NGX_IMS_HDR_P_CHARGING_VECTOR,
    NGX_IMS_HDR_P_CHARGING_FUNCTION_ADDRESSES,
    NGX_IMS_HDR_P_VISITED_NETWORK_ID,
    NGX_IMS_HDR_P_ACCESS_NETWORK_INFO,
    NGX_IMS_HDR_SECURITY_CLIENT,
    NGX_IMS_HDR_SECURITY_SERVER,
    NGX_IMS_HDR_SECURITY_VERIFY,
    NGX_IMS_HDR_OTHER
};


int
ngx_ims_route_records(const ngx_ims_sip_msg_t *m)
{
    switch (m->method) {

    case NGX_IMS_SIP_NOTIFY:
        return 1;

    case NGX_IMS_SIP_INVITE:
    case NGX_IMS_SIP_SUBSCRIBE:
    case NGX_IMS_SIP_REFER:
        return m->to.tag.len == 0;

    default:
        return 0;
    }
}


unsigned
ngx_ims_route_check_up(const ngx_ims_sip_msg_t *m)
{
    ngx_ims_sip_uri_t  uri;

    if (m->max_forwards == 0) {
        return 483;
    }

    if (m->method == NGX_IMS_SIP_OTHER) {
        return 405;
    }

    if (ngx_ims_sip_parse_uri(&m->uri, &uri) != NGX_IMS_OK) {
        return 400;
    }

    if (!((uri.scheme.len == 3
           && (strncasecmp((char *) uri.scheme.data, "sip", 3) == 0
               || strncasecmp((char *) uri.scheme.data, "tel", 3) == 0
               || strncasecmp((char *) uri.scheme.data, "urn", 3) == 0))
          || (uri.scheme.len == 4
              && strncasecmp((char *) uri.scheme.data, "sips", 4) == 0)))
    {
        return 416;
    }

    /* the portal supports no extension on behalf of a browser (SE-11) */

    if (m->first[NGX_IMS_HDR_PROXY_REQUIRE]
        && m->method != NGX_IMS_SIP_ACK && m->method != NGX_IMS_SIP_CANCEL)
    {
        return 420;
    }

    return 0;
}


void
ngx_ims_route_request_up(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_str_t  lines;

    ngx_ims_route_hygiene_up(e, m);

    if (r->request_uri.len) {
        ngx_ims_sip_replace(e, m, &m->uri, r->request_uri);
    }

    if (r->no_location) {
        ngx_ims_route_location(e, m, r);
    }

    lines = ngx_ims_sip_textf(e, "Via: SIP/2.0/%.*s %.*s;branch=%.*s;rport\r\n",
                              NGX_IMS_V(r->transport), NGX_IMS_V(r->via),
                              NGX_IMS_V(r->branch));
    ngx_ims_sip_insert_top(e, m, lines);

    if (r->routes.len) {
        lines = ngx_ims_sip_textf(e, "Route: %.*s\r\n", NGX_IMS_V(r->routes));
        ngx_ims_sip_insert_top(e, m, lines);
    }

    if (ngx_ims_route_records(m)) {
        lines = ngx_ims_sip_textf(e, "Record-Route: <sip:%.*s@%.*s;lr>\r\n",
                                  NGX_IMS_V(r->token), NGX_IMS_V(r->edge));
        ngx_ims_sip_insert_top(e, m, lines);
    }

    ngx_ims_route_hop(e, m);
    ngx_ims_route_from(e, m, r);
    ngx_ims_route_names(e, m, r);
    ngx_ims_route_contact(e, m, r);
    ngx_ims_route_cseq(e, m, r);
    ngx_ims_route_session(e, m, r);
    ngx_ims_route_referred(e, m, r);
    ngx_ims_route_event(e, m, r);

    if (!r->in_dialog && m->method != NGX_IMS_SIP_ACK) {
        ngx_ims_route_identity(e, m, r);

        if (r->profile_key.len) {
            lines = ngx_ims_sip_textf(e, "P-Profile-Key: <%.*s>\r\n",
                                      NGX_IMS_V(r->profile_key));
            ngx_ims_sip_insert_end(e, m, lines);
        }

        if (r->called.len) {
            lines = ngx_ims_sip_textf(e, "P-Called-Party-ID: <%.*s>\r\n",
                                      NGX_IMS_V(r->called));
            ngx_ims_sip_insert_end(e, m, lines);
        }
    }

    ngx_ims_route_body(e, m, r);
}


void
ngx_ims_route_request_down(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_str_t       lines;
    ngx_ims_sip_hdr_t  *h;

    ngx_ims_route_hygiene_down(e, m);

    if (r->web_id.len) {
        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_TO);
        ngx_ims_sip_replace(e, m, &h->value, r->web_id);
    }

    if (r->target.len) {
        ngx_ims_sip_replace(e, m, &m->uri, r->target);
    }

    lines = ngx_ims_sip_textf(e, "Via: SIP/2.0/%.*s %.*s;branch=%.*s\r\n",
                              NGX_IMS_V(r->web_transport), NGX_IMS_V(r->web),
                              NGX_IMS_V(r->branch));
    ngx_ims_sip_insert_top(e, m, lines);

    if (ngx_ims_route_records(m)) {
        lines = ngx_ims_sip_textf(e, "Record-Route: <sip:%.*s@%.*s;"
                                  "transport=ws;lr>\r\n",
                                  NGX_IMS_V(r->token), NGX_IMS_V(r->web));
        ngx_ims_sip_insert_top(e, m, lines);
    }

    ngx_ims_route_hop(e, m);
    ngx_ims_route_names(e, m, r);
    ngx_ims_route_cseq(e, m, r);
    ngx_ims_route_session(e, m, r);
    ngx_ims_route_event(e, m, r);
    ngx_ims_route_body(e, m, r);
}


void
ngx_ims_route_response_up(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_sip_msg_t *orig, const ngx_ims_route_t *r)
{
    ngx_ims_str_t       to, lines;
    ngx_ims_sip_hdr_t  *h, *ho;

    ngx_ims_route_hygiene_up(e, m);
    ngx_ims_route_restore(e, m, orig);

    /* the core's own To with the tag that the browser chose */

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_TO);
    ho = ngx_ims_sip_hdr(orig, NGX_IMS_HDR_TO);

    if (h != NULL && ho != NULL) {
        to = ho->value;

        if (orig->to.tag.len == 0 && m->to.tag.len) {
            to = ngx_ims_sip_textf(e, "%.*s;tag=%.*s", NGX_IMS_V(ho->value),
                                   NGX_IMS_V(m->to.tag));
        }

        ngx_ims_sip_replace(e, m, &h->value, to);
    }

    if (ngx_ims_route_records(orig) && m->status > 100) {
        lines = ngx_ims_sip_textf(e, "Record-Route: <sip:%.*s@%.*s;lr>\r\n",
                                  NGX_IMS_V(r->token), NGX_IMS_V(r->edge));
        ngx_ims_sip_insert_top(e, m, lines);
        ngx_ims_route_lines(e, m, orig, NGX_IMS_HDR_RECORD_ROUTE);
    }

    if (orig->to.tag.len == 0 && m->status > 100 && m->status < 300) {
        lines = ngx_ims_sip_textf(e, "P-Asserted-Identity: <%.*s>\r\n",
                                  NGX_IMS_V(r->impu));
        ngx_ims_sip_insert_end(e, m, lines);
    }

    if (m->status < 300) {
        ngx_ims_route_contact(e, m, r);
    }

    ngx_ims_route_session(e, m, r);
    ngx_ims_route_body(e, m, r);
}


void
ngx_ims_route_response_down(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_sip_msg_t *orig, const ngx_ims_route_t *r)
{
    ngx_ims_str_t  lines;

    ngx_ims_route_hygiene_down(e, m);
    ngx_ims_route_restore(e, m, orig);
    ngx_ims_route_names(e, m, r);

    if (ngx_ims_route_records(orig) && m->status > 100 && m->status < 300)
    {
        lines = ngx_ims_sip_textf(e, "Record-Route: <sip:%.*s@%.*s;"
                                  "transport=ws;lr>\r\n",
                                  NGX_IMS_V(r->token), NGX_IMS_V(r->web));
        ngx_ims_sip_insert_top(e, m, lines);
    }

    ngx_ims_route_session(e, m, r);
    ngx_ims_route_body(e, m, r);
}


ngx_ims_str_t
ngx_ims_route_set(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    int reverse, const ngx_ims_str_t *token)
{
    size_t              len;
    unsigned char      *p, *start;
    ngx_ims_str_t       value, set;
    ngx_ims_sip_iter_t  it;

    len = 0;
    memset(&it, 0, sizeof(it));

    while (ngx_ims_sip_next(m, NGX_IMS_HDR_RECORD_ROUTE, &it, &value)) {
        if (!ngx_ims_route_own(&value, token)) {
            len += value.len + 2;
        }
    }

    start = e->text + e->used;
    set.len = 0;
    set.data = start;

    if (len == 0) {
        return set;
    }

    if (len > e->size - e->used) {
        e->failed = 1;
        return set;
    }

    p = reverse ? start + len : start;
    memset(&it, 0, sizeof(it));

    while (ngx_ims_sip_next(m, NGX_IMS_HDR_RECORD_ROUTE, &it, &value)) {

        if (ngx_ims_route_own(&value, token)) {
            continue;
        }

        if (reverse) {
            p -= value.len + 2;
        }

        memcpy(p, value.data, value.len);
        memcpy(p + value.len, ", ", 2);

        if (!reverse) {
            p += value.len + 2;
        }
    }

    set.len = len - 2;
    e->used += len;

    return set;
}


static int
ngx_ims_route_own(const ngx_ims_str_t *value, const ngx_ims_str_t *token)
{
    return token->len
           && memmem(value->data, value->len, token->data, token->len) != NULL;
}


int
ngx_ims_route_privacy(const ngx_ims_sip_msg_t *m, const char *what)
{
    ngx_ims_str_t       value, rest;
    ngx_ims_sip_iter_t  it;
    unsigned char      *p;

    memset(&it, 0, sizeof(it));

    while (ngx_ims_sip_next(m, NGX_IMS_HDR_PRIVACY, &it, &value)) {

        /* "id;critical": the first is no different from a parameter */

        if (value.len == strlen(what)
            && strncasecmp((char *) value.data, what, value.len) == 0)
        {
            return 1;
        }

        p = memchr(value.data, ';', value.len);

        if (p == NULL) {
            continue;
        }

        if ((size_t) (p - value.data) == strlen(what)
            && strncasecmp((char *) value.data, what, p - value.data) == 0)
        {
            return 1;
        }

        rest.data = p + 1;
        rest.len = value.data + value.len - rest.data;

        if (ngx_ims_sip_param(&rest, what, NULL)) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_ims_route_hygiene_up(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m)
{
    const uint16_t  *id;

    for (id = ngx_ims_route_not_up; *id != NGX_IMS_HDR_OTHER; id++) {
        (void) ngx_ims_sip_remove(e, m, *id);
    }

    ngx_ims_route_tokens(e, m);
}


static void
ngx_ims_route_hygiene_down(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m)
{
    const uint16_t  *id;

    for (id = ngx_ims_route_not_down; *id != NGX_IMS_HDR_OTHER; id++) {
        (void) ngx_ims_sip_remove(e, m, *id);
    }

    /* a browser is outside the trust domain (SE-8, RFC 3325 5 and 7) */

    if (ngx_ims_route_privacy(m, "id")) {
        (void) ngx_ims_sip_remove(e, m, NGX_IMS_HDR_P_ASSERTED_IDENTITY);
    }
}


static void
ngx_ims_route_hop(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m)
{
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_MAX_FORWARDS);

    if (h == NULL || m->max_forwards < 0) {
        ngx_ims_sip_insert_end(e, m,
                               ngx_ims_sip_textf(e, "Max-Forwards: 70\r\n"));
        return;
    }

    ngx_ims_sip_replace(e, m, &h->value,
                        ngx_ims_sip_textf(e, "%d", m->max_forwards > 0
                                                   ? m->max_forwards - 1 : 0));
}


static void
ngx_ims_route_cseq(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_str_t       method;
    ngx_ims_sip_hdr_t  *h;

    if (r->offset == 0 && r->method.len == 0) {
        return;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_CSEQ);
    method = r->method.len ? r->method : m->method_name;

    ngx_ims_sip_replace(e, m, &h->value,
                        ngx_ims_sip_textf(e, "%lu %.*s",
                                          (unsigned long) m->cseq + r->offset,
                                          NGX_IMS_V(method)));
}


/*
 * The browser's Contact becomes ours, which names its binding: what the core
 * sends there reaches us.  Feature tags and other parameters stay.
 */

static void
ngx_ims_route_contact(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_str_t       value, line;
    ngx_ims_sip_addr_t  addr;
    ngx_ims_sip_iter_t  it;

    memset(&it, 0, sizeof(it));

    (void) ngx_ims_sip_remove(e, m, NGX_IMS_HDR_CONTACT);

    if (!ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)) {
        return;
    }

    if (ngx_ims_sip_parse_addr(&value, &addr) != NGX_IMS_OK) {
        memset(&addr, 0, sizeof(addr));
    }

    line = ngx_ims_sip_textf(e, "Contact: <sip:%.*s@%.*s>%s%.*s\r\n",
                             NGX_IMS_V(r->token), NGX_IMS_V(r->edge),
                             addr.params.len ? ";" : "",
                             NGX_IMS_V(addr.params));
    ngx_ims_sip_insert_end(e, m, line);
}


/* From is the assigned identity, unless the user asks to be unknown (SE-4) */

static void
ngx_ims_route_from(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    const char         *tag;
    ngx_ims_str_t       from;
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_FROM);
    tag = m->from.tag.len ? ";tag=" : "";        /* none in RFC 2543 */

    if (r->in_dialog && r->core_id.len) {
        ngx_ims_sip_replace(e, m, &h->value, r->core_id);
        return;
    }

    if (ngx_ims_route_privacy(m, "id") || ngx_ims_route_privacy(m, "user")) {
        from = ngx_ims_sip_textf(e, "\"Anonymous\" "
                                 "<sip:anonymous@anonymous.invalid>%s%.*s",
                                 tag, NGX_IMS_V(m->from.tag));

    } else {
        from = ngx_ims_sip_textf(e, "%.*s%s<%.*s>%s%.*s",
                                 NGX_IMS_V(r->name), r->name.len ? " " : "",
                                 NGX_IMS_V(r->impu), tag,
                                 NGX_IMS_V(m->from.tag));
    }

    ngx_ims_sip_replace(e, m, &h->value, from);
}


/* an answer goes back with what its request came with (RFC 3261 8.2.6.2) */

static void
ngx_ims_route_restore(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_sip_msg_t *orig)
{
    unsigned            i;
    ngx_ims_sip_hdr_t  *h, *ho;

    static const uint16_t  ids[] = { NGX_IMS_HDR_FROM, NGX_IMS_HDR_CSEQ };

    ngx_ims_route_lines(e, m, orig, NGX_IMS_HDR_VIA);

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        h = ngx_ims_sip_hdr(m, ids[i]);
        ho = ngx_ims_sip_hdr(orig, ids[i]);

        if (h != NULL && ho != NULL) {
            ngx_ims_sip_replace(e, m, &h->value, ho->value);
        }
    }
}


/* copies all lines of a header from another message to the top */

static void
ngx_ims_route_lines(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_sip_msg_t *from, ngx_ims_sip_hdr_e id)
{
    unsigned            i;
    ngx_ims_str_t       line;
    ngx_ims_sip_hdr_t  *h;

    for (i = from->first[id]; i != 0; i = h->next) {
        h = &from->hdrs[i - 1];

        line.data = from->text.data + h->start;
        line.len = h->end - h->start;

        ngx_ims_sip_insert_top(e, m, line);
    }
}


/*
 * Content-Length is optional from a browser, needed by the core (SE-10), and
 * the same one repeated is more than some would take.
 */

static void
ngx_ims_route_body(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_CONTENT_LENGTH);

    if (r->has_body) {
        ngx_ims_sip_body(e, m, r->body);

    } else if (h == NULL || h->next) {
        ngx_ims_sip_body(e, m, m->body);
    }
}


/* where an emergency call comes from, by the site's word (RFC 6442 4) */

static void
ngx_ims_route_location(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    unsigned  i;

    static const char  name[] = "Geolocation";

    /* Geolocation, Geolocation-Routing, Geolocation-Error */

    for (i = 0; i < m->nhdrs; i++) {
        if (m->hdrs[i].name.len >= sizeof(name) - 1
            && strncasecmp((char *) m->hdrs[i].name.data, name,
                           sizeof(name) - 1) == 0)
        {
            ngx_ims_sip_remove_hdr(e, &m->hdrs[i]);
        }
    }

    if (r->location.len) {
        ngx_ims_sip_insert_end(e, m,
                               ngx_ims_sip_textf(e, "Geolocation: <%.*s>\r\n"
                                                 "Geolocation-Routing: yes"
                                                 "\r\n",
                                                 NGX_IMS_V(r->location)));
    }
}
