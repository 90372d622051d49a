/*
 * Copyright (C) the IMS portal authors
 *
 * SIP policy, the header fields that need more than to be taken out.
 */


#include "ngx_ims_route_int.h"

#include <strings.h>


static int ngx_ims_route_own_token(const ngx_ims_str_t *value);
static int ngx_ims_route_prefers_alias(const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r);
static void ngx_ims_route_set_header(ngx_ims_sip_edits_t *e,
    const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id, ngx_ims_str_t line);


void
ngx_ims_route_tokens(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m)
{
    unsigned            i, own;
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    static const struct {
        ngx_ims_sip_hdr_e   id;
        const char         *name;
    } headers[] = {
        { NGX_IMS_HDR_SUPPORTED, "Supported" },
        { NGX_IMS_HDR_REQUIRE, "Require" }
    };

    for (i = 0; i < 2; i++) {
        own = 0;
        memset(&it, 0, sizeof(it));

        while (ngx_ims_sip_next(m, headers[i].id, &it, &value)) {
            own += ngx_ims_route_own_token(&value);
        }

        if (own == 0) {
            continue;
        }

        (void) ngx_ims_sip_remove(e, m, headers[i].id);
        memset(&it, 0, sizeof(it));

        while (ngx_ims_sip_next(m, headers[i].id, &it, &value)) {

            if (!ngx_ims_route_own_token(&value)) {
                ngx_ims_sip_insert_end(e, m,
                                       ngx_ims_sip_textf(e, "%s: %.*s\r\n",
                                                         headers[i].name,
                                                         NGX_IMS_V(value)));
            }
        }
    }
}


static int
ngx_ims_route_own_token(const ngx_ims_str_t *value)
{
    unsigned  i;

    static const char *const  tokens[] = {
        "sec-agree", "path", "outbound", "gruu"
    };

    for (i = 0; i < 4; i++) {
        if (value->len == strlen(tokens[i])
            && strncasecmp((char *) value->data, tokens[i], value->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_ims_route_identity(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_str_t  lines;

    if (r->alias.len == 0) {
        lines = ngx_ims_sip_textf(e, "P-Asserted-Identity: <%.*s>\r\n",
                                  NGX_IMS_V(r->impu));

    } else if (ngx_ims_route_prefers_alias(m, r)) {
        lines = ngx_ims_sip_textf(e, "P-Asserted-Identity: <%.*s>, <%.*s>\r\n",
                                  NGX_IMS_V(r->alias), NGX_IMS_V(r->impu));

    } else {
        lines = ngx_ims_sip_textf(e, "P-Asserted-Identity: <%.*s>, <%.*s>\r\n",
                                  NGX_IMS_V(r->impu), NGX_IMS_V(r->alias));
    }

    ngx_ims_sip_insert_end(e, m, lines);

    lines = ngx_ims_sip_textf(e, "P-Charging-Vector: icid-value=\"%.*s\"\r\n",
                              NGX_IMS_V(r->icid));
    ngx_ims_sip_insert_end(e, m, lines);

    if (r->access.len) {
        lines = ngx_ims_sip_textf(e, "P-Access-Network-Info: %.*s;np\r\n",
                                  NGX_IMS_V(r->access));
        ngx_ims_sip_insert_end(e, m, lines);
    }
}


static int
ngx_ims_route_prefers_alias(const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_str_t       value;
    ngx_ims_sip_addr_t  addr;
    ngx_ims_sip_iter_t  it;

    memset(&it, 0, sizeof(it));

    return ngx_ims_sip_next(m, NGX_IMS_HDR_P_PREFERRED_IDENTITY, &it, &value)
           && ngx_ims_sip_parse_addr(&value, &addr) == NGX_IMS_OK
           && ngx_ims_sip_uri_equal(&addr.uri, &r->alias);
}


void
ngx_ims_route_session(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    ngx_ims_str_t  line;

    if (r->session_expires) {

        if (m->status) {
            line = ngx_ims_sip_textf(e, "Session-Expires: %lu;refresher=uac"
                                     "\r\nRequire: timer\r\n",
                                     (unsigned long) r->session_expires);
        } else {
            line = ngx_ims_sip_textf(e, "Session-Expires: %lu\r\n",
                                     (unsigned long) r->session_expires);
        }

        ngx_ims_route_set_header(e, m, NGX_IMS_HDR_SESSION_EXPIRES, line);
    }

    if (r->min_se) {
        line = ngx_ims_sip_textf(e, "Min-SE: %lu\r\n",
                                 (unsigned long) r->min_se);
        ngx_ims_route_set_header(e, m, NGX_IMS_HDR_MIN_SE, line);
    }
}


static void
ngx_ims_route_set_header(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id, ngx_ims_str_t line)
{
    (void) ngx_ims_sip_remove(e, m, id);

    ngx_ims_sip_insert_end(e, m, line);
}


void
ngx_ims_route_referred(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    if (m->first[NGX_IMS_HDR_REFERRED_BY] == 0) {
        return;
    }

    (void) ngx_ims_sip_remove(e, m, NGX_IMS_HDR_REFERRED_BY);

    if (m->method == NGX_IMS_SIP_REFER) {
        ngx_ims_sip_insert_end(e, m,
                               ngx_ims_sip_textf(e, "Referred-By: <%.*s>\r\n",
                                                 NGX_IMS_V(r->impu)));
    }
}


void
ngx_ims_route_event(ngx_ims_sip_edits_t *e, const ngx_ims_sip_msg_t *m,
    const ngx_ims_route_t *r)
{
    uint64_t            n;
    ngx_ims_str_t       id, params;
    ngx_ims_sip_hdr_t  *h;

    static const char  refer[] = "refer;";

    if (r->back == 0 || m->method != NGX_IMS_SIP_NOTIFY) {
        return;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_EVENT);

    if (h == NULL || h->value.len < sizeof(refer)
        || strncasecmp((char *) h->value.data, refer, sizeof(refer) - 1) != 0)
    {
        return;
    }

    params.data = h->value.data + sizeof(refer) - 1;
    params.len = h->value.len - (sizeof(refer) - 1);

    if (ngx_ims_sip_param(&params, "id", &id)
        && ngx_ims_sip_number(&id, 0xffffffff, &n) == 0
        && n > r->back)
    {
        ngx_ims_sip_replace(e, m, &id,
                            ngx_ims_sip_textf(e, "%lu",
                                              (unsigned long) (n - r->back)));
    }
}
