/*
 * Copyright (C) the IMS portal authors
 *
 * Reliable provisional answers (RFC 3262) and names of a dialog, where the two
 * sides of it know them differently.
 */


#include "ngx_ims_route.h"

#include <strings.h>


#define NGX_IMS_MAX_RSEQ  0xffffffff


static int ngx_ims_route_word(ngx_ims_str_t *s, ngx_ims_str_t *word);


void
ngx_ims_route_names(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_FROM);

    if (r->from.len && h != NULL) {
        ngx_ims_sip_replace(e, m, &h->value, r->from);
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_TO);

    if (r->to.len && h != NULL) {
        ngx_ims_sip_replace(e, m, &h->value, r->to);
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_RACK);

    if (r->rack.len && h != NULL) {
        ngx_ims_sip_replace(e, m, &h->value, r->rack);
    }
}


uint32_t
ngx_ims_route_rseq(const ngx_ims_sip_msg_t *m)
{
    uint64_t            n;
    ngx_ims_sip_hdr_t  *h;

    if (m->status <= 100 || m->status >= 200
        || !ngx_ims_sip_has_token(m, NGX_IMS_HDR_REQUIRE, "100rel"))
    {
        return 0;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_RSEQ);

    if (h == NULL || ngx_ims_sip_number(&h->value, NGX_IMS_MAX_RSEQ, &n) != 0) {
        return 0;
    }

    return n;
}


int
ngx_ims_route_rack(const ngx_ims_sip_msg_t *m, uint32_t *rseq, uint32_t *cseq)
{
    uint64_t            a, b;
    ngx_ims_str_t       s, word;
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_RACK);

    if (h == NULL) {
        return 0;
    }

    s = h->value;

    if (!ngx_ims_route_word(&s, &word)
        || ngx_ims_sip_number(&word, NGX_IMS_MAX_RSEQ, &a) != 0
        || !ngx_ims_route_word(&s, &word)
        || ngx_ims_sip_number(&word, NGX_IMS_MAX_RSEQ, &b) != 0
        || !ngx_ims_route_word(&s, &word)
        || ngx_ims_sip_method(&word) != NGX_IMS_SIP_INVITE)
    {
        return 0;
    }

    *rseq = a;
    *cseq = b;

    return 1;
}


/* the next word of s, which begins behind it then */

static int
ngx_ims_route_word(ngx_ims_str_t *s, ngx_ims_str_t *word)
{
    while (s->len && strchr(" \t\r\n", *s->data) != NULL) {
        s->data++;
        s->len--;
    }

    word->data = s->data;
    word->len = 0;

    while (s->len && strchr(" \t\r\n", *s->data) == NULL) {
        s->data++;
        s->len--;
        word->len++;
    }

    return word->len != 0;
}


void
ngx_ims_route_unrequire(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m)
{
    ngx_ims_route_strip(e, m, NGX_IMS_HDR_REQUIRE, "Require", "100rel");

    if (!ngx_ims_sip_has_token(m, NGX_IMS_HDR_SUPPORTED, "100rel")) {
        ngx_ims_sip_insert_end(e, m,
                               ngx_ims_sip_textf(e, "Supported: 100rel\r\n"));
    }
}


void
ngx_ims_route_update(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r, const ngx_ims_str_t *contact)
{
    ngx_ims_sip_replace(e, m, &m->method_name, r->method);
    (void) ngx_ims_sip_remove(e, m, NGX_IMS_HDR_RACK);

    if (!m->first[NGX_IMS_HDR_CONTACT]) {
        ngx_ims_sip_insert_end(e, m,
                               ngx_ims_sip_textf(e, "Contact: <%.*s>\r\n",
                                                 (int) contact->len,
                                                 contact->data));
    }
}


void
ngx_ims_route_reliable(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    uint32_t rseq)
{
    (void) ngx_ims_sip_remove(e, m, NGX_IMS_HDR_RSEQ);

    if (rseq == 0) {
        ngx_ims_route_strip(e, m, NGX_IMS_HDR_REQUIRE, "Require", "100rel");
        return;
    }

    if (!ngx_ims_sip_has_token(m, NGX_IMS_HDR_REQUIRE, "100rel")) {
        ngx_ims_sip_insert_end(e, m,
                               ngx_ims_sip_textf(e, "Require: 100rel\r\n"));
    }

    ngx_ims_sip_insert_end(e, m,
                           ngx_ims_sip_textf(e, "RSeq: %lu\r\n",
                                             (unsigned long) rseq));
}


/* a list header without one option tag */

void
ngx_ims_route_strip(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id, const char *header, const char *token)
{
    size_t              len;
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    if (!ngx_ims_sip_has_token(m, id, token)) {
        return;
    }

    (void) ngx_ims_sip_remove(e, m, id);

    len = strlen(token);
    memset(&it, 0, sizeof(it));

    while (ngx_ims_sip_next(m, id, &it, &value)) {

        if (value.len == len
            && strncasecmp((char *) value.data, token, len) == 0)
        {
            continue;
        }

        ngx_ims_sip_insert_end(e, m,
                               ngx_ims_sip_textf(e, "%s: %.*s\r\n", header,
                                                 (int) value.len,
                                                 value.data));
    }
}
