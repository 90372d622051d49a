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


typedef struct {
    const char          *name;
    unsigned             id;
} ngx_ims_sip_hdr_name_t;


/* header names by length, in lower case; a list ends with a NULL */

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_1[] = {
    { "v", NGX_IMS_HDR_VIA },
    { "f", NGX_IMS_HDR_FROM },
    { "t", NGX_IMS_HDR_TO },
    { "i", NGX_IMS_HDR_CALL_ID },
    { "m", NGX_IMS_HDR_CONTACT },
    { "l", NGX_IMS_HDR_CONTENT_LENGTH },
    { "c", NGX_IMS_HDR_CONTENT_TYPE },
    { "k", NGX_IMS_HDR_SUPPORTED },
    { "o", NGX_IMS_HDR_EVENT },
    { "r", NGX_IMS_HDR_REFER_TO },
    { "b", NGX_IMS_HDR_REFERRED_BY },
    { "x", NGX_IMS_HDR_SESSION_EXPIRES },
    { "s", NGX_IMS_HDR_SUBJECT },
    { "e", NGX_IMS_HDR_CONTENT_ENCODING },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_2[] = {
    { "to", NGX_IMS_HDR_TO },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_3[] = {
    { "via", NGX_IMS_HDR_VIA },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_4[] = {
    { "from", NGX_IMS_HDR_FROM },
    { "cseq", NGX_IMS_HDR_CSEQ },
    { "path", NGX_IMS_HDR_PATH },
    { "rack", NGX_IMS_HDR_RACK },
    { "rseq", NGX_IMS_HDR_RSEQ },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_5[] = {
    { "route", NGX_IMS_HDR_ROUTE },
    { "allow", NGX_IMS_HDR_ALLOW },
    { "event", NGX_IMS_HDR_EVENT },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_6[] = {
    { "reason", NGX_IMS_HDR_REASON },
    { "min-se", NGX_IMS_HDR_MIN_SE },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_7[] = {
    { "call-id", NGX_IMS_HDR_CALL_ID },
    { "contact", NGX_IMS_HDR_CONTACT },
    { "expires", NGX_IMS_HDR_EXPIRES },
    { "require", NGX_IMS_HDR_REQUIRE },
    { "privacy", NGX_IMS_HDR_PRIVACY },
    { "warning", NGX_IMS_HDR_WARNING },
    { "subject", NGX_IMS_HDR_SUBJECT },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_8[] = {
    { "refer-to", NGX_IMS_HDR_REFER_TO },
    { "replaces", NGX_IMS_HDR_REPLACES },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_9[] = {
    { "supported", NGX_IMS_HDR_SUPPORTED },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_10[] = {
    { "flow-timer", NGX_IMS_HDR_FLOW_TIMER },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_11[] = {
    { "min-expires", NGX_IMS_HDR_MIN_EXPIRES },
    { "unsupported", NGX_IMS_HDR_UNSUPPORTED },
    { "retry-after", NGX_IMS_HDR_RETRY_AFTER },
    { "referred-by", NGX_IMS_HDR_REFERRED_BY },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_12[] = {
    { "max-forwards", NGX_IMS_HDR_MAX_FORWARDS },
    { "content-type", NGX_IMS_HDR_CONTENT_TYPE },
    { "record-route", NGX_IMS_HDR_RECORD_ROUTE },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_13[] = {
    { "service-route", NGX_IMS_HDR_SERVICE_ROUTE },
    { "proxy-require", NGX_IMS_HDR_PROXY_REQUIRE },
    { "authorization", NGX_IMS_HDR_AUTHORIZATION },
    { "p-early-media", NGX_IMS_HDR_P_EARLY_MEDIA },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_14[] = {
    { "content-length", NGX_IMS_HDR_CONTENT_LENGTH },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_15[] = {
    { "security-client", NGX_IMS_HDR_SECURITY_CLIENT },
    { "security-server", NGX_IMS_HDR_SECURITY_SERVER },
    { "security-verify", NGX_IMS_HDR_SECURITY_VERIFY },
    { "session-expires", NGX_IMS_HDR_SESSION_EXPIRES },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_16[] = {
    { "www-authenticate", NGX_IMS_HDR_WWW_AUTHENTICATE },
    { "p-associated-uri", NGX_IMS_HDR_P_ASSOCIATED_URI },
    { "content-encoding", NGX_IMS_HDR_CONTENT_ENCODING },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_17[] = {
    { "p-called-party-id", NGX_IMS_HDR_P_CALLED_PARTY_ID },
    { "p-charging-vector", NGX_IMS_HDR_P_CHARGING_VECTOR },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_18[] = {
    { "proxy-authenticate", NGX_IMS_HDR_PROXY_AUTHENTICATE },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_19[] = {
    { "proxy-authorization", NGX_IMS_HDR_PROXY_AUTHORIZATION },
    { "p-asserted-identity", NGX_IMS_HDR_P_ASSERTED_IDENTITY },
    { "p-preferred-service", NGX_IMS_HDR_P_PREFERRED_SERVICE },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_20[] = {
    { "p-preferred-identity", NGX_IMS_HDR_P_PREFERRED_IDENTITY },
    { "p-visited-network-id", NGX_IMS_HDR_P_VISITED_NETWORK_ID },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_21[] = {
    { "p-access-network-info", NGX_IMS_HDR_P_ACCESS_NETWORK_INFO },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  ngx_ims_sip_names_29[] = {
    { "p-charging-function-addresses",
      NGX_IMS_HDR_P_CHARGING_FUNCTION_ADDRESSES },
    { NULL, 0 }
};

static const ngx_ims_sip_hdr_name_t  *const ngx_ims_sip_names[] = {
    [1] = ngx_ims_sip_names_1,
    [2] = ngx_ims_sip_names_2,
    [3] = ngx_ims_sip_names_3,
    [4] = ngx_ims_sip_names_4,
    [5] = ngx_ims_sip_names_5,
    [6] = ngx_ims_sip_names_6,
    [7] = ngx_ims_sip_names_7,
    [8] = ngx_ims_sip_names_8,
    [9] = ngx_ims_sip_names_9,
    [10] = ngx_ims_sip_names_10,
    [11] = ngx_ims_sip_names_11,
    [12] = ngx_ims_sip_names_12,
    [13] = ngx_ims_sip_names_13,
    [14] = ngx_ims_sip_names_14,
    [15] = ngx_ims_sip_names_15,
    [16] = ngx_ims_sip_names_16,
    [17] = ngx_ims_sip_names_17,
    [18] = ngx_ims_sip_names_18,
    [19] = ngx_ims_sip_names_19,
    [20] = ngx_ims_sip_names_20,
    [21] = ngx_ims_sip_names_21,
    [29] = ngx_ims_sip_names_29
};


static unsigned char *ngx_ims_sip_item_end(unsigned char *p,
    unsigned char *end);
static inline int ngx_ims_sip_name_same(const unsigned char *a,
    const unsigned char *b, size_t n);


unsigned
ngx_ims_sip_hdr_id(const ngx_ims_str_t *name)
{
    unsigned char                  c;
    const ngx_ims_sip_hdr_name_t  *n;

    if (name->len == 0) {
        return NGX_IMS_HDR_OTHER;
    }

    c = name->data[0] | 0x20;

    if (name->len < sizeof(ngx_ims_sip_names) / sizeof(ngx_ims_sip_names[0])
        && ngx_ims_sip_names[name->len] != NULL)
    {
        for (n = ngx_ims_sip_names[name->len]; n->name; n++) {

            if ((unsigned char) n->name[0] == c
                && ngx_ims_sip_name_same(name->data,
                                         (const unsigned char *) n->name,
                                         name->len))
            {
                return n->id;
            }
        }
    }

    if (c == 'p' && name->len > 2 && name->data[1] == '-') {
        return NGX_IMS_HDR_P_OTHER;
    }

    return NGX_IMS_HDR_OTHER;
}


/*
 * a is a token, b a name of the tables: in a token no character but the capital
 * letter becomes a small letter or "-" by bit 5.
 */

static inline int
ngx_ims_sip_name_same(const unsigned char *a, const unsigned char *b, size_t n)
{
    uint64_t  x, y;

    if (n < 8) {

        for ( /* void */ ; n; n--) {

            if ((*a++ | 0x20) != *b++) {
                return 0;
            }
        }

        return 1;
    }

    for ( /* void */ ; n > 8; a += 8, b += 8, n -= 8) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);

        if ((x | 0x2020202020202020ULL) != y) {
            return 0;
        }
    }

    /* the last eight, which may overlap those before */

    memcpy(&x, a + n - 8, 8);
    memcpy(&y, b + n - 8, 8);

    return (x | 0x2020202020202020ULL) == y;
}


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
