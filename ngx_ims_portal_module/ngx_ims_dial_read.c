/*
 * Copyright (C) the IMS portal authors
 *
 * What was typed: the digits of a tel: or sip: URI, without separators and
 * escapes, and whether they are for the home network to route.
 *
 * No timers.
 */


#include "ngx_ims_dial_int.h"

#include <strings.h>


static int ngx_ims_dial_read(const ngx_ims_str_t *s,
    ngx_ims_dial_typed_t *t);
static int ngx_ims_dial_home(const ngx_ims_dial_plan_t *plan,
    const ngx_ims_sip_uri_t *u, const ngx_ims_str_t *host);
static int ngx_ims_dial_same(const ngx_ims_str_t *a, const ngx_ims_str_t *b);


int
ngx_ims_dial_take(const ngx_ims_dial_plan_t *plan, const ngx_ims_str_t *text,
    const ngx_ims_str_t *host, ngx_ims_dial_typed_t *t)
{
    unsigned char      *p;
    ngx_ims_str_t       number;
    ngx_ims_sip_uri_t   u;

    memset(t, 0, sizeof(ngx_ims_dial_typed_t));

    if (ngx_ims_sip_parse_uri(text, &u) != NGX_IMS_OK || u.user.len == 0) {
        return 0;
    }

    number = u.user;

    if (u.host.len == 0) {
        t->tel = 1;
        t->home = 1;
        t->params = u.params;

        return ngx_ims_dial_read(&number, t);
    }

    p = memchr(number.data, ';', number.len);

    if (p != NULL) {
        t->params.data = p + 1;
        t->params.len = number.data + number.len - (p + 1);
        number.len = p - number.data;
    }

    t->uri_params = u.params;
    t->home = ngx_ims_dial_home(plan, &u, host);

    return ngx_ims_dial_read(&number, t);
}


/* the symbols of a number (RFC 3966 3, visual separators 5.1.1); 1, or 0 */

static int
ngx_ims_dial_read(const ngx_ims_str_t *s, ngx_ims_dial_typed_t *t)
{
    int            c;
    size_t         i;
    unsigned       k, digits;
    unsigned char  h;

    digits = 0;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c == '%') {

            if (s->len - i < 3) {
                return 0;
            }

            for (c = 0, k = 1; k < 3; k++) {
                h = s->data[i + k];

                if (h >= '0' && h <= '9') {
                    c = c * 16 + h - '0';

                } else if ((h | 0x20) >= 'a' && (h | 0x20) <= 'f') {
                    c = c * 16 + (h | 0x20) - 'a' + 10;

                } else {
                    return 0;
                }
            }

            i += 2;
        }

        if (c == '-' || c == '.' || c == '(' || c == ')' || c == ' ') {
            continue;
        }

        if (c == '+' && t->n == 0 && !t->plus) {
            t->plus = 1;
            continue;
        }

        if (c == '*' || c == '#') {
            t->star = 1;

        } else if (c >= '0' && c <= '9') {
            digits++;

        } else {
            return 0;
        }

        if (t->n == NGX_IMS_DIAL_DIGITS) {
            t->is_long = 1;
            continue;
        }

        t->digits[t->n++] = c;
    }

    return digits != 0 || (t->tel && t->n != 0);
}


static int
ngx_ims_dial_home(const ngx_ims_dial_plan_t *plan, const ngx_ims_sip_uri_t *u,
    const ngx_ims_str_t *host)
{
    ngx_ims_str_t  s, tail;

    static const ngx_ims_str_t  phone = ngx_ims_str("phone");

    if (ngx_ims_sip_param(&u->params, "user", &s)
        && ngx_ims_dial_same(&s, &phone))
    {
        return 1;
    }

    s = u->host;

    if (s.len && s.data[s.len - 1] == '.') {
        s.len--;
    }

    if (ngx_ims_dial_same(&s, &plan->domain)
        || (host->len && ngx_ims_dial_same(&s, host)))
    {
        return 1;
    }

    if (s.len <= plan->domain.len) {
        return 0;
    }

    tail.data = s.data + s.len - plan->domain.len;
    tail.len = plan->domain.len;

    return tail.data[-1] == '.' && ngx_ims_dial_same(&tail, &plan->domain);
}


int
ngx_ims_dial_context(const ngx_ims_dial_plan_t *plan, ngx_ims_dial_typed_t *t)
{
    ngx_ims_str_t          s, own;
    ngx_ims_dial_typed_t   c;

    if (t->plus || !ngx_ims_dial_param(t, "phone-context", &s)
        || ngx_ims_dial_same(&s, &plan->context)
        || ngx_ims_dial_same(&s, &plan->service_context)
        || ngx_ims_dial_same(&s, &plan->domain))
    {
        return 1;
    }

    memset(&c, 0, sizeof(ngx_ims_dial_typed_t));

    if (!ngx_ims_dial_read(&s, &c) || !c.plus || c.star || c.is_long) {
        return 0;
    }

    own.data = c.digits;
    own.len = c.n;

    if (ngx_ims_dial_same(&own, &plan->country)) {
        return 1;
    }

    if (c.n + t->n > NGX_IMS_DIAL_DIGITS) {
        t->is_long = 1;
        return 1;
    }

    memmove(t->digits + c.n, t->digits, t->n);
    memcpy(t->digits, c.digits, c.n);
    t->n += c.n;
    t->plus = 1;

    return 1;
}


int
ngx_ims_dial_param(const ngx_ims_dial_typed_t *t, const char *name,
    ngx_ims_str_t *value)
{
    return (t->params.len && ngx_ims_sip_param(&t->params, name, value))
           || (t->uri_params.len
               && ngx_ims_sip_param(&t->uri_params, name, value));
}


static int
ngx_ims_dial_same(const ngx_ims_str_t *a, const ngx_ims_str_t *b)
{
    return a->len == b->len && a->len
           && strncasecmp((char *) a->data, (char *) b->data, a->len) == 0;
}
