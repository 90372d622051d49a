/*
 * Copyright (C) the IMS portal authors
 *
 * URIs: sip, sips and tel taken apart, compared, and judged for use in a header
 * (RFC 3261 19.1, RFC 3966).
 */


#include "ngx_ims_sip_int.h"


static int ngx_ims_sip_parse_sip_uri(unsigned char *p, unsigned char *end,
    ngx_ims_sip_uri_t *u);
static int ngx_ims_sip_parse_userinfo(unsigned char *p, unsigned char *end,
    ngx_ims_sip_uri_t *u);
static int ngx_ims_sip_parse_tel_uri(unsigned char *p, unsigned char *end,
    ngx_ims_sip_uri_t *u);
static int ngx_ims_sip_escapes(unsigned char *p, unsigned char *end);
static int ngx_ims_sip_user_part(unsigned char *p, unsigned char *end);
static int ngx_ims_sip_sip_equal(const ngx_ims_sip_uri_t *a,
    const ngx_ims_sip_uri_t *b);
static int ngx_ims_sip_tel_equal(const ngx_ims_sip_uri_t *a,
    const ngx_ims_sip_uri_t *b);
static int ngx_ims_sip_params_in(const ngx_ims_str_t *a,
    const ngx_ims_str_t *b, unsigned char sep, int need);
static int ngx_ims_sip_item(ngx_ims_str_t *rest, unsigned char sep,
    ngx_ims_str_t *name, ngx_ims_str_t *value);
static int ngx_ims_sip_digits_equal(const ngx_ims_str_t *a,
    const ngx_ims_str_t *b);
static int ngx_ims_sip_text_equal(const ngx_ims_str_t *a,
    const ngx_ims_str_t *b, int case_sensitive);
static const unsigned char *ngx_ims_sip_unescape(const unsigned char *p,
    const unsigned char *end, unsigned *c);


unsigned char *
ngx_ims_sip_scheme_end(const ngx_ims_str_t *uri)
{
    unsigned char   c, *p, *end;

    p = uri->data;
    end = p + uri->len;

    for ( /* void */ ; p < end; p++) {
        c = *p | 0x20;

        if (c >= 'a' && c <= 'z') {
            continue;
        }

        c = *p;

        if (p == uri->data) {
            return NULL;
        }

        if (c == ':') {
            return (p + 1 < end) ? p : NULL;
        }

        if (!((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')) {
            return NULL;
        }
    }

    return NULL;
}


int
ngx_ims_sip_parse_uri(const ngx_ims_str_t *s, ngx_ims_sip_uri_t *u)
{
    unsigned char  *end;

    end = s->data + s->len;

    if (s->len == 0
        || ngx_ims_sip_skip_many(s->data, end, NGX_IMS_C_URI) != end)
    {
        memset(u, 0, sizeof(ngx_ims_sip_uri_t));
        return NGX_IMS_INVALID;
    }

    return ngx_ims_sip_split_uri(s, u);
}


int
ngx_ims_sip_split_uri(const ngx_ims_str_t *s, ngx_ims_sip_uri_t *u)
{
    unsigned char  *p, *end;

    memset(u, 0, sizeof(ngx_ims_sip_uri_t));

    end = s->data + s->len;
    p = ngx_ims_sip_scheme_end(s);

    if (p == NULL) {
        return NGX_IMS_INVALID;
    }

    u->text = *s;
    u->scheme.data = s->data;
    u->scheme.len = p - s->data;

    p++;

    if (u->scheme.len == 3 || u->scheme.len == 4) {

        if (ngx_ims_sip_same(u->scheme.data, (unsigned char *) "sips",
                             u->scheme.len))
        {
            return ngx_ims_sip_parse_sip_uri(p, end, u);
        }

        if (u->scheme.len == 3
            && ngx_ims_sip_same(u->scheme.data, (unsigned char *) "tel", 3))
        {
            return ngx_ims_sip_parse_tel_uri(p, end, u);
        }
    }

    return NGX_IMS_OK;
}


/* [ userinfo ] hostport uri-parameters [ headers ] (RFC 3261 25.1) */

static int
ngx_ims_sip_parse_sip_uri(unsigned char *p, unsigned char *end,
    ngx_ims_sip_uri_t *u)
{
    unsigned char  *s;

    /* ";" and "?" may stand in a user part, "@" may stand only behind it */

    s = memchr(p, '@', end - p);

    if (s != NULL) {

        if (ngx_ims_sip_parse_userinfo(p, s, u) != NGX_IMS_OK
            || memchr(s + 1, '@', end - s - 1) != NULL)
        {
            return NGX_IMS_INVALID;
        }

        p = s + 1;
    }

    p = ngx_ims_sip_parse_host(p, end, &u->host);

    if (p == NULL) {
        return NGX_IMS_INVALID;
    }

    if (p < end && *p == ':') {
        p = ngx_ims_sip_parse_port(p + 1, end, &u->port);

        if (p == NULL) {
            return NGX_IMS_INVALID;
        }
    }

    if (p < end && *p == ';') {
        u->params.data = ++p;

        while (p < end && *p != '?') {
            p++;
        }

        u->params.len = p - u->params.data;
    }

    if (p < end && *p == '?') {
        u->headers.data = p + 1;
        u->headers.len = end - (p + 1);
        p = end;
    }

    return (p == end) ? ngx_ims_sip_escapes(u->host.data, end)
                      : NGX_IMS_INVALID;
}


/* userinfo = user [ ":" password ], without the "@" */

static int
ngx_ims_sip_parse_userinfo(unsigned char *p, unsigned char *end,
    ngx_ims_sip_uri_t *u)
{
    unsigned char  *s;

    s = memchr(p, ':', end - p);

    u->user.data = p;
    u->user.len = (s ? s : end) - p;

    if (u->user.len == 0
        || ngx_ims_sip_user_part(p, p + u->user.len) != NGX_IMS_OK)
    {
        return NGX_IMS_INVALID;
    }

    if (s != NULL) {
        u->password.data = s + 1;
        u->password.len = end - (s + 1);

        return ngx_ims_sip_user_part(s + 1, end);
    }

    return NGX_IMS_OK;
}


/* RFC 3966 3: a number with visual separators, then parameters */

static int
ngx_ims_sip_parse_tel_uri(unsigned char *p, unsigned char *end,
    ngx_ims_sip_uri_t *u)
{
    int             global, digits;
    unsigned char  *s;

    global = (*p == '+');
    digits = 0;

    s = ngx_ims_sip_skip(p + global, end, NGX_IMS_C_NUMBER);

    u->user.data = p;
    u->user.len = s - p;

    for (p += global; p < s; p++) {

        if (*p == '-' || *p == '.' || *p == '(' || *p == ')') {
            continue;
        }

        if (global && (*p < '0' || *p > '9')) {
            return NGX_IMS_INVALID;
        }

        digits = 1;
    }

    if (!digits || (s < end && *s != ';')) {
        return NGX_IMS_INVALID;
    }

    if (s < end) {
        u->params.data = s + 1;
        u->params.len = end - (s + 1);
    }

    return ngx_ims_sip_escapes(s, end);
}


unsigned char *
ngx_ims_sip_parse_host(unsigned char *p, unsigned char *end,
    ngx_ims_str_t *host)
{
    unsigned char  *s;

    if (p < end && *p == '[') {

        for (s = p + 1; s < end; s++) {

            if (!ngx_ims_is(*s, NGX_IMS_C_HEX) && *s != ':' && *s != '.') {
                break;
            }
        }

        if (s == end || *s != ']' || s - p < 3) {
            return NULL;
        }

        s++;

    } else {
        s = ngx_ims_sip_skip_many(p, end, NGX_IMS_C_HOST);

        if (s == p) {
            return NULL;
        }
    }

    host->data = p;
    host->len = s - p;

    return s;
}


unsigned char *
ngx_ims_sip_parse_port(unsigned char *p, unsigned char *end, uint16_t *port)
{
    uint64_t       n;
    ngx_ims_str_t  s;

    s.data = p;

    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    s.len = p - s.data;

    if (ngx_ims_sip_number(&s, 65535, &n) != 0 || n == 0) {
        return NULL;
    }

    *port = n;

    return p;
}


/* each "%" is followed by two hexadecimal digits */

static int
ngx_ims_sip_escapes(unsigned char *p, unsigned char *end)
{
    while (p < end) {
        p = memchr(p, '%', end - p);

        if (p == NULL) {
            break;
        }

        if (end - p < 3 || !ngx_ims_is(p[1], NGX_IMS_C_HEX)
            || !ngx_ims_is(p[2], NGX_IMS_C_HEX))
        {
            return NGX_IMS_INVALID;
        }

        p += 3;
    }

    return NGX_IMS_OK;
}


/* unreserved, user-unreserved and escaped (RFC 3261 25.1) */

static int
ngx_ims_sip_user_part(unsigned char *p, unsigned char *end)
{
    for ( ;; ) {
        p = ngx_ims_sip_skip_many(p, end, NGX_IMS_C_USER);

        if (p == end) {
            return NGX_IMS_OK;
        }

        if (end - p < 3 || *p != '%' || !ngx_ims_is(p[1], NGX_IMS_C_HEX)
            || !ngx_ims_is(p[2], NGX_IMS_C_HEX))
        {
            return NGX_IMS_INVALID;
        }

        p += 3;
    }
}


int
ngx_ims_sip_uri_equal(const ngx_ims_str_t *a, const ngx_ims_str_t *b)
{
    ngx_ims_sip_uri_t  x, y;

    if (ngx_ims_sip_parse_uri(a, &x) != NGX_IMS_OK
        || ngx_ims_sip_parse_uri(b, &y) != NGX_IMS_OK
        || !ngx_ims_sip_text_equal(&x.scheme, &y.scheme, 0))
    {
        return 0;
    }

    if (x.host.len) {
        return ngx_ims_sip_sip_equal(&x, &y);
    }

    if (x.user.len) {
        return ngx_ims_sip_tel_equal(&x, &y);
    }

    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}


/* RFC 3261 19.1.4; the user part alone is case-sensitive */

static int
ngx_ims_sip_sip_equal(const ngx_ims_sip_uri_t *a, const ngx_ims_sip_uri_t *b)
{
    size_t              i;
    static const char  *both[] = {
        "user", "ttl", "method", "maddr", "transport"
    };

    if (!ngx_ims_sip_text_equal(&a->user, &b->user, 1)
        || !ngx_ims_sip_text_equal(&a->password, &b->password, 1)
        || !ngx_ims_sip_text_equal(&a->host, &b->host, 0)
        || a->port != b->port)
    {
        return 0;
    }

    for (i = 0; i < sizeof(both) / sizeof(both[0]); i++) {

        if (ngx_ims_sip_param(&a->params, both[i], NULL)
            != ngx_ims_sip_param(&b->params, both[i], NULL))
        {
            return 0;
        }
    }

    return ngx_ims_sip_params_in(&a->params, &b->params, ';', 0)
           && ngx_ims_sip_params_in(&a->headers, &b->headers, '&', 1)
           && ngx_ims_sip_params_in(&b->headers, &a->headers, '&', 1);
}


/* RFC 3966 4: the same digits, and the same parameters in any order */

static int
ngx_ims_sip_tel_equal(const ngx_ims_sip_uri_t *a, const ngx_ims_sip_uri_t *b)
{
    return ngx_ims_sip_digits_equal(&a->user, &b->user)
           && ngx_ims_sip_params_in(&a->params, &b->params, ';', 1)
           && ngx_ims_sip_params_in(&b->params, &a->params, ';', 1);
}


/*
 * Each item "name [ = value ]" of a, parted by sep, stands in b with an equal
 * value; with need 0 those that b has not at all are let pass.
 */

static int
ngx_ims_sip_params_in(const ngx_ims_str_t *a, const ngx_ims_str_t *b,
    unsigned char sep, int need)
{
    int            found;
    ngx_ims_str_t  x, y, xname, yname, xrest, yrest;

    xrest = *a;

    while (ngx_ims_sip_item(&xrest, sep, &xname, &x)) {
        found = 0;
        yrest = *b;

        while (ngx_ims_sip_item(&yrest, sep, &yname, &y)) {

            if (!ngx_ims_sip_text_equal(&xname, &yname, 0)) {
                continue;
            }

            found = 1;

            if (!ngx_ims_sip_text_equal(&x, &y, 0)
                && !(x.len && y.len && x.data[0] == '+'
                     && ngx_ims_sip_digits_equal(&x, &y)))
            {
                return 0;
            }
        }

        if (need && !found) {
            return 0;
        }
    }

    return 1;
}


/* the next "name [ = value ]" that is not empty; 0 at the end */

static int
ngx_ims_sip_item(ngx_ims_str_t *rest, unsigned char sep, ngx_ims_str_t *name,
    ngx_ims_str_t *value)
{
    unsigned char  *p, *end;

    while (rest->len) {
        p = memchr(rest->data, sep, rest->len);

        name->data = rest->data;
        name->len = p ? (size_t) (p - rest->data) : rest->len;

        end = name->data + name->len;

        rest->data = p ? p + 1 : end;
        rest->len -= name->len + (p != NULL);

        if (name->len == 0) {
            continue;
        }

        p = memchr(name->data, '=', name->len);

        value->data = p ? p + 1 : end;
        value->len = end - value->data;

        if (p != NULL) {
            name->len = p - name->data;
        }

        return 1;
    }

    return 0;
}


/* numbers without their visual separators, any case (RFC 3966 4, 5.1.1) */

static int
ngx_ims_sip_digits_equal(const ngx_ims_str_t *a, const ngx_ims_str_t *b)
{
    size_t  i, k;

    i = 0;
    k = 0;

    for ( ;; ) {

        while (i < a->len && a->data[i] != 0
               && strchr("-.()", a->data[i]) != NULL)
        {
            i++;
        }

        while (k < b->len && b->data[k] != 0
               && strchr("-.()", b->data[k]) != NULL)
        {
            k++;
        }

        if (i == a->len || k == b->len) {
            return i == a->len && k == b->len;
        }

        if (!ngx_ims_sip_same(&a->data[i++], &b->data[k++], 1)) {
            return 0;
        }
    }
}


/* an unreserved character is equal to its escape, a reserved one is not */

static int
ngx_ims_sip_text_equal(const ngx_ims_str_t *a, const ngx_ims_str_t *b,
    int case_sensitive)
{
    unsigned              x, y;
    const unsigned char  *p, *q, *a_end, *b_end;

    if (a->len == 0 || b->len == 0) {
        return a->len == b->len;
    }

    p = a->data;
    q = b->data;
    a_end = p + a->len;
    b_end = q + b->len;

    while (p < a_end && q < b_end) {
        p = ngx_ims_sip_unescape(p, a_end, &x);
        q = ngx_ims_sip_unescape(q, b_end, &y);

        if (!case_sensitive && x < 0x100 && y < 0x100) {
            x = ngx_ims_lower(x);
            y = ngx_ims_lower(y);
        }

        if (x != y) {
            return 0;
        }
    }

    return p == a_end && q == b_end;
}


/* one character; an escape that must stay one is told apart by bit 8 */

static const unsigned char *
ngx_ims_sip_unescape(const unsigned char *p, const unsigned char *end,
    unsigned *c)
{
    unsigned  n;

    if (*p != '%' || end - p < 3 || !ngx_ims_is(p[1], NGX_IMS_C_HEX)
        || !ngx_ims_is(p[2], NGX_IMS_C_HEX))
    {
        *c = *p;
        return p + 1;
    }

    n = ((p[1] <= '9') ? p[1] - '0' : (p[1] | 0x20) - 'a' + 10) << 4;
    n |= (p[2] <= '9') ? p[2] - '0' : (p[2] | 0x20) - 'a' + 10;

    /* ";" and what else has a meaning where it stands raw, and controls */

    *c = (n <= 0x20 || n >= 0x7f || strchr(";/?:@&=+$,%\"<>", n) != NULL)
         ? n | 0x100 : n;

    return p + 3;
}


int
ngx_ims_sip_uri_safe(const ngx_ims_str_t *s)
{
    size_t             i;
    unsigned char      c;
    ngx_ims_sip_uri_t  u;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c <= 0x20 || c == 0x7f || strchr("<>\",;?\\", c) != NULL) {
            return 0;
        }

        if (c == '%' && s->len - i >= 3 && s->data[i + 1] == '0'
            && s->data[i + 2] == '0')
        {
            return 0;
        }
    }

    return ngx_ims_utf8(s->data, s->len)
           && ngx_ims_sip_parse_uri(s, &u) == NGX_IMS_OK
           && (u.host.len || u.user.len);
}
