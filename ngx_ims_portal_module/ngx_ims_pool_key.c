/*
 * Copyright (C) the IMS portal authors
 *
 * Keys of identities: one for all spellings of a URI.  No timers.
 */


#include "ngx_ims_pool_int.h"


static u_char *ngx_ims_pool_key_user(u_char *p, ngx_ims_str_t *user);
static u_char *ngx_ims_pool_key_number(u_char *p, ngx_ims_sip_uri_t *u);
static ngx_uint_t ngx_ims_pool_key_hex(u_char c);
static u_char *ngx_ims_pool_key_low(u_char *p, ngx_ims_str_t *s);


size_t
ngx_ims_pool_key(ngx_ims_str_t *uri, u_char *out)
{
    u_char             *p;
    ngx_uint_t          phone;
    ngx_ims_str_t       value;
    ngx_ims_sip_uri_t   u;

    if (ngx_ims_sip_parse_uri(uri, &u) != NGX_IMS_OK || u.user.len == 0
        || u.user.len + u.host.len + u.params.len + 5 > NGX_IMS_MAX_IMPU)
    {
        return 0;
    }

    phone = (u.host.len == 0);

    if (!phone && u.user.data[0] == '+'
        && ngx_ims_sip_param(&u.params, "user", &value)
        && value.len == 5
        && ngx_strncasecmp(value.data, (u_char *) "phone", 5) == 0)
    {
        phone = 1;
    }

    if (phone) {
        p = ngx_cpymem(out, "tel:", 4);
        return ngx_ims_pool_key_number(p, &u) - out;
    }

    p = ngx_cpymem(out, "sip:", 4);
    p = ngx_ims_pool_key_user(p, &u.user);
    *p++ = '@';

    return ngx_ims_pool_key_low(p, &u.host) - out;
}


static u_char *
ngx_ims_pool_key_low(u_char *p, ngx_ims_str_t *s)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];
        *p++ = (c >= 'A' && c <= 'Z') ? (c | 0x20) : c;
    }

    return p;
}


/* what is behind ";" of a SIP form is none of the number */

static u_char *
ngx_ims_pool_key_number(u_char *p, ngx_ims_sip_uri_t *u)
{
    size_t         i;
    u_char         c;
    ngx_ims_str_t  context;

    for (i = 0; i < u->user.len; i++) {
        c = u->user.data[i];

        if (c == ';') {
            break;
        }

        if (c != '-' && c != '.' && c != '(' && c != ')') {
            *p++ = (c >= 'A' && c <= 'Z') ? (c | 0x20) : c;
        }
    }

    /* a local number is one within its context (RFC 3966 5.1.5) */

    if (u->host.len == 0 && u->user.data[0] != '+'
        && ngx_ims_sip_param(&u->params, "phone-context", &context))
    {
        p = ngx_cpymem(p, ";phone-context=", 15);
        p = ngx_ims_pool_key_low(p, &context);
    }

    return p;
}


static ngx_uint_t
ngx_ims_pool_key_hex(u_char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}


/* escapes that were checked: those needed stay, in capitals */

static u_char *
ngx_ims_pool_key_user(u_char *p, ngx_ims_str_t *user)
{
    u_char      *s, *last;
    ngx_uint_t   c;

    static const char  hex[] = "0123456789ABCDEF";

    last = user->data + user->len;

    for (s = user->data; s < last; s++) {

        if (*s != '%' || last - s < 3) {
            *p++ = *s;
            continue;
        }

        c = ngx_ims_pool_key_hex(s[1]) << 4 | ngx_ims_pool_key_hex(s[2]);
        s += 2;

        if (c <= ' ' || c >= 0x7f
            || memchr(";/?:@&=+$,%\"<>", (int) c, 14) != NULL)
        {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 0xf];

        } else {
            *p++ = (u_char) c;
        }
    }

    return p;
}


uint64_t
ngx_ims_pool_hash(u_char *p, size_t len)
{
    uint64_t  h;

    for (h = 14695981039346656037ULL; len > 0; len--) {
        h = (h ^ *p++) * 1099511628211ULL;
    }

    return h;
}
