/*
 * Copyright (C) the IMS portal authors
 *
 * The bottom of the SIP codec: character classes, header names, lists and
 * numbers.  Shared by the parser, the addresses and the edits.
 */


#include "ngx_ims_sip_int.h"


/* made from the grammars named at the classes */

const unsigned char  ngx_ims_sip_class[256] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,   /* 00 */
    0x00, 0x02, 0x02, 0x00, 0x00, 0x02, 0x00, 0x00,   /* 08 */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,   /* 10 */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,   /* 18 */
    0x02, 0xc9, 0x00, 0xe8, 0xc8, 0xc1, 0xc8, 0xc9,   /* 20 */
    0xe8, 0xe8, 0xe9, 0xc9, 0x88, 0xed, 0xed, 0xc8,   /* 28 */
    0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd,   /* 30 */
    0xfd, 0xfd, 0xc0, 0x88, 0x00, 0xc8, 0x00, 0xc8,   /* 38 */
    0xc0, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xcd,   /* 40 */
    0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd,   /* 48 */
    0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd,   /* 50 */
    0xcd, 0xcd, 0xcd, 0xc0, 0x40, 0xc0, 0x40, 0xcd,   /* 58 */
    0x41, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xcd,   /* 60 */
    0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd,   /* 68 */
    0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd, 0xcd,   /* 70 */
    0xcd, 0xcd, 0xcd, 0x40, 0x40, 0x40, 0xc9, 0x00,   /* 78 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* 80 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* 88 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* 90 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* 98 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* a0 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* a8 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* b0 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* b8 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* c0 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* c8 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* d0 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* d8 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* e0 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* e8 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* f0 */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,   /* f8 */
};


/*
 * Header names in lower case, each at the place that its length, first and last
 * letter give.  The factors were found by trial so that no two share one; two
 * that did would not compile.
 */

#define ngx_ims_sip_known(name, first, last, id)                              \
    [ngx_ims_sip_hash(sizeof(name) - 1, first, last)]                         \
        = { name, sizeof(name) - 1, id }

const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names[NGX_IMS_SIP_HASH_SIZE] = {
    ngx_ims_sip_known("v", 'v', 'v', NGX_IMS_HDR_VIA),
    ngx_ims_sip_known("f", 'f', 'f', NGX_IMS_HDR_FROM),
    ngx_ims_sip_known("t", 't', 't', NGX_IMS_HDR_TO),
    ngx_ims_sip_known("i", 'i', 'i', NGX_IMS_HDR_CALL_ID),
    ngx_ims_sip_known("m", 'm', 'm', NGX_IMS_HDR_CONTACT),
    ngx_ims_sip_known("l", 'l', 'l', NGX_IMS_HDR_CONTENT_LENGTH),
    ngx_ims_sip_known("c", 'c', 'c', NGX_IMS_HDR_CONTENT_TYPE),
    ngx_ims_sip_known("k", 'k', 'k', NGX_IMS_HDR_SUPPORTED),
    ngx_ims_sip_known("o", 'o', 'o', NGX_IMS_HDR_EVENT),
    ngx_ims_sip_known("r", 'r', 'r', NGX_IMS_HDR_REFER_TO),
    ngx_ims_sip_known("b", 'b', 'b', NGX_IMS_HDR_REFERRED_BY),
    ngx_ims_sip_known("x", 'x', 'x', NGX_IMS_HDR_SESSION_EXPIRES),
    ngx_ims_sip_known("s", 's', 's', NGX_IMS_HDR_SUBJECT),
    ngx_ims_sip_known("e", 'e', 'e', NGX_IMS_HDR_CONTENT_ENCODING),
    ngx_ims_sip_known("to", 't', 'o', NGX_IMS_HDR_TO),
    ngx_ims_sip_known("via", 'v', 'a', NGX_IMS_HDR_VIA),
    ngx_ims_sip_known("from", 'f', 'm', NGX_IMS_HDR_FROM),
    ngx_ims_sip_known("cseq", 'c', 'q', NGX_IMS_HDR_CSEQ),
    ngx_ims_sip_known("path", 'p', 'h', NGX_IMS_HDR_PATH),
    ngx_ims_sip_known("rack", 'r', 'k', NGX_IMS_HDR_RACK),
    ngx_ims_sip_known("rseq", 'r', 'q', NGX_IMS_HDR_RSEQ),
    ngx_ims_sip_known("route", 'r', 'e', NGX_IMS_HDR_ROUTE),
    ngx_ims_sip_known("allow", 'a', 'w', NGX_IMS_HDR_ALLOW),
    ngx_ims_sip_known("event", 'e', 't', NGX_IMS_HDR_EVENT),
    ngx_ims_sip_known("reason", 'r', 'n', NGX_IMS_HDR_REASON),
    ngx_ims_sip_known("min-se", 'm', 'e', NGX_IMS_HDR_MIN_SE),
    ngx_ims_sip_known("call-id", 'c', 'd', NGX_IMS_HDR_CALL_ID),
    ngx_ims_sip_known("contact", 'c', 't', NGX_IMS_HDR_CONTACT),
    ngx_ims_sip_known("expires", 'e', 's', NGX_IMS_HDR_EXPIRES),
    ngx_ims_sip_known("require", 'r', 'e', NGX_IMS_HDR_REQUIRE),
    ngx_ims_sip_known("privacy", 'p', 'y', NGX_IMS_HDR_PRIVACY),
    ngx_ims_sip_known("warning", 'w', 'g', NGX_IMS_HDR_WARNING),
    ngx_ims_sip_known("subject", 's', 't', NGX_IMS_HDR_SUBJECT),
    ngx_ims_sip_known("refer-to", 'r', 'o', NGX_IMS_HDR_REFER_TO),
    ngx_ims_sip_known("replaces", 'r', 's', NGX_IMS_HDR_REPLACES),
    ngx_ims_sip_known("supported", 's', 'd', NGX_IMS_HDR_SUPPORTED),
    ngx_ims_sip_known("flow-timer", 'f', 'r', NGX_IMS_HDR_FLOW_TIMER),
    ngx_ims_sip_known("min-expires", 'm', 's', NGX_IMS_HDR_MIN_EXPIRES),
    ngx_ims_sip_known("unsupported", 'u', 'd', NGX_IMS_HDR_UNSUPPORTED),
    ngx_ims_sip_known("retry-after", 'r', 'r', NGX_IMS_HDR_RETRY_AFTER),
    ngx_ims_sip_known("referred-by", 'r', 'y', NGX_IMS_HDR_REFERRED_BY),
    ngx_ims_sip_known("max-forwards", 'm', 's', NGX_IMS_HDR_MAX_FORWARDS),
    ngx_ims_sip_known("content-type", 'c', 'e', NGX_IMS_HDR_CONTENT_TYPE),
    ngx_ims_sip_known("record-route", 'r', 'e', NGX_IMS_HDR_RECORD_ROUTE),
    ngx_ims_sip_known("service-route", 's', 'e', NGX_IMS_HDR_SERVICE_ROUTE),
    ngx_ims_sip_known("proxy-require", 'p', 'e', NGX_IMS_HDR_PROXY_REQUIRE),
    ngx_ims_sip_known("authorization", 'a', 'n', NGX_IMS_HDR_AUTHORIZATION),
    ngx_ims_sip_known("p-early-media", 'p', 'a', NGX_IMS_HDR_P_EARLY_MEDIA),
    ngx_ims_sip_known("content-length", 'c', 'h', NGX_IMS_HDR_CONTENT_LENGTH),
    ngx_ims_sip_known("security-client", 's', 't', NGX_IMS_HDR_SECURITY_CLIENT),
    ngx_ims_sip_known("security-server", 's', 'r', NGX_IMS_HDR_SECURITY_SERVER),
    ngx_ims_sip_known("security-verify", 's', 'y', NGX_IMS_HDR_SECURITY_VERIFY),
    ngx_ims_sip_known("session-expires", 's', 's', NGX_IMS_HDR_SESSION_EXPIRES),
    ngx_ims_sip_known("www-authenticate", 'w', 'e',
                      NGX_IMS_HDR_WWW_AUTHENTICATE),
    ngx_ims_sip_known("p-associated-uri", 'p', 'i',
                      NGX_IMS_HDR_P_ASSOCIATED_URI),
    ngx_ims_sip_known("content-encoding", 'c', 'g',
                      NGX_IMS_HDR_CONTENT_ENCODING),
    ngx_ims_sip_known("p-called-party-id", 'p', 'd',
                      NGX_IMS_HDR_P_CALLED_PARTY_ID),
    ngx_ims_sip_known("p-charging-vector", 'p', 'r',
                      NGX_IMS_HDR_P_CHARGING_VECTOR),
    ngx_ims_sip_known("proxy-authenticate", 'p', 'e',
                      NGX_IMS_HDR_PROXY_AUTHENTICATE),
    ngx_ims_sip_known("proxy-authorization", 'p', 'n',
                      NGX_IMS_HDR_PROXY_AUTHORIZATION),
    ngx_ims_sip_known("p-asserted-identity", 'p', 'y',
                      NGX_IMS_HDR_P_ASSERTED_IDENTITY),
    ngx_ims_sip_known("p-preferred-service", 'p', 'e',
                      NGX_IMS_HDR_P_PREFERRED_SERVICE),
    ngx_ims_sip_known("p-preferred-identity", 'p', 'y',
                      NGX_IMS_HDR_P_PREFERRED_IDENTITY),
    ngx_ims_sip_known("p-visited-network-id", 'p', 'd',
                      NGX_IMS_HDR_P_VISITED_NETWORK_ID),
    ngx_ims_sip_known("p-access-network-info", 'p', 'o',
                      NGX_IMS_HDR_P_ACCESS_NETWORK_INFO),
    ngx_ims_sip_known("p-charging-function-addresses", 'p', 's',
                      NGX_IMS_HDR_P_CHARGING_FUNCTION_ADDRESSES)
};


static unsigned char *ngx_ims_sip_item_end(unsigned char *p,
    unsigned char *end);


ngx_ims_sip_hdr_t *
ngx_ims_sip_hdr(const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id)
{
    return m->first[id] ? &m->hdrs[m->first[id] - 1] : NULL;
}


ngx_ims_sip_hdr_t *
ngx_ims_sip_hdr_name(const ngx_ims_sip_msg_t *m, const char *name)
{
    size_t    len;
    unsigned  i;

    len = strlen(name);

    for (i = 0; i < m->nhdrs; i++) {

        if (m->hdrs[i].name.len == len
            && ngx_ims_sip_same(m->hdrs[i].name.data,
                                (const unsigned char *) name, len))
        {
            return &m->hdrs[i];
        }
    }

    return NULL;
}


int
ngx_ims_sip_next(const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    ngx_ims_sip_iter_t *it, ngx_ims_str_t *value)
{
    unsigned char  *p, *end;

    if (!it->started) {
        it->started = 1;
        it->hdr = ngx_ims_sip_hdr(m, id);
        it->pos = it->hdr ? it->hdr->value.data : NULL;
    }

    while (it->hdr != NULL) {
        end = it->hdr->value.data + it->hdr->value.len;

        for (p = it->pos; p < end; p++) {

            if (*p != ',' && !ngx_ims_is(*p, NGX_IMS_C_LWS)) {
                break;
            }
        }

        if (p < end) {

            /* commas part the params of one challenge (RFC 3261 20.7) */

            it->pos = (id == NGX_IMS_HDR_AUTHORIZATION
                       || id == NGX_IMS_HDR_PROXY_AUTHORIZATION
                       || id == NGX_IMS_HDR_WWW_AUTHENTICATE
                       || id == NGX_IMS_HDR_PROXY_AUTHENTICATE)
                      ? end : ngx_ims_sip_item_end(p, end);

            *value = ngx_ims_sip_trim(p, it->pos);

            return 1;
        }

        it->hdr = it->hdr->next ? &m->hdrs[it->hdr->next - 1] : NULL;
        it->pos = it->hdr ? it->hdr->value.data : NULL;
    }

    return 0;
}


/* the comma that ends an item, or end; none in quotes or in <> counts */

static unsigned char *
ngx_ims_sip_item_end(unsigned char *p, unsigned char *end)
{
    while (p < end) {

        switch (*p) {

        case ',':
            return p;

        case '"':
            p = ngx_ims_sip_skip_quoted(p, end);

            if (p == NULL) {
                return end;
            }

            break;

        case '<':
            p = memchr(p, '>', end - p);

            if (p == NULL) {
                return end;
            }

            break;

        default:
            p++;
        }
    }

    return end;
}


int
ngx_ims_sip_has_token(const ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    const char *token)
{
    size_t              len;
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    len = strlen(token);
    memset(&it, 0, sizeof(ngx_ims_sip_iter_t));

    while (ngx_ims_sip_next(m, id, &it, &value)) {

        if (value.len == len
            && ngx_ims_sip_same(value.data, (const unsigned char *) token,
                                len))
        {
            return 1;
        }
    }

    return 0;
}


unsigned char *
ngx_ims_sip_skip_quoted(unsigned char *p, unsigned char *end)
{
    unsigned char  *quote;

    quote = memchr(p + 1, '"', end - p - 1);

    if (quote == NULL || memchr(p + 1, '\\', quote - p - 1) == NULL) {
        return quote ? quote + 1 : NULL;
    }

    for (p++; p < end; p++) {

        if (*p == '"') {
            return p + 1;
        }

        if (*p == '\\') {
            p++;
        }
    }

    return NULL;
}


int
ngx_ims_sip_same(const unsigned char *a, const unsigned char *b, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {

        if (a[i] != b[i] && ngx_ims_lower(a[i]) != ngx_ims_lower(b[i])) {
            return 0;
        }
    }

    return 1;
}


int
ngx_ims_sip_number(const ngx_ims_str_t *s, uint64_t max, uint64_t *n)
{
    size_t    i;
    uint64_t  v;
    unsigned  digit;

    if (s->len == 0) {
        return -1;
    }

    v = 0;

    for (i = 0; i < s->len; i++) {
        digit = s->data[i] - '0';

        if (digit > 9 || digit > max || v > (max - digit) / 10) {
            return -1;
        }

        v = v * 10 + digit;
    }

    *n = v;

    return 0;
}
