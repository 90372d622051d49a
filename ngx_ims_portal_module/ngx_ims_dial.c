/*
 * Copyright (C) the IMS portal authors
 *
 * The dial plan.  What a browser sends is taken apart to digits and built anew;
 * nothing of it is copied but digits and checked parameters.
 *
 * No timers.
 */


#include "ngx_ims_dial_int.h"

#include <stdio.h>
#include <strings.h>


/* digits of a number in E.164: the longest, and the shortest in use */

#define NGX_IMS_DIAL_MAX_E164  15
#define NGX_IMS_DIAL_MIN_E164  7

#define NGX_IMS_DIAL_V(s)  (int) (s).len, (s).data


static ngx_ims_dial_result_e ngx_ims_dial_class(
    const ngx_ims_dial_plan_t *plan, ngx_ims_dial_typed_t *t,
    ngx_ims_dial_t *d, ngx_ims_str_t *context);
static ngx_ims_dial_result_e ngx_ims_dial_local(
    const ngx_ims_dial_plan_t *plan, ngx_ims_dial_typed_t *t,
    ngx_ims_dial_t *d, ngx_ims_str_t *context, int begun);
static int ngx_ims_dial_global(ngx_ims_dial_t *d, const ngx_ims_str_t *a,
    const ngx_ims_str_t *b, const unsigned char *rest, unsigned n);
static ngx_ims_dial_result_e ngx_ims_dial_build(
    const ngx_ims_dial_plan_t *plan, ngx_ims_dial_typed_t *t,
    ngx_ims_dial_t *d, const ngx_ims_str_t *context);
static size_t ngx_ims_dial_prefix(const ngx_ims_str_t *prefixes, unsigned n,
    const ngx_ims_str_t *number);
static int ngx_ims_dial_is(const ngx_ims_dial_typed_t *t,
    const ngx_ims_str_t *a, const ngx_ims_str_t *b, const ngx_ims_str_t *c);
static int ngx_ims_dial_urn(const ngx_ims_str_t *uri, ngx_ims_dial_t *d);


ngx_ims_dial_result_e
ngx_ims_dial(const ngx_ims_dial_plan_t *plan, const ngx_ims_str_t *uri,
    const ngx_ims_str_t *host, ngx_ims_dial_t *d)
{
    ngx_ims_str_t          context, number;
    ngx_ims_dial_typed_t   t;
    ngx_ims_dial_result_e  rc;

    d->uri.len = 0;
    d->number.len = 0;
    d->premium = 0;
    d->why = NULL;

    if (!plan->plan || !ngx_ims_dial_take(plan, uri, host, &t)) {
        return NGX_IMS_DIAL_PASS;
    }

    context.len = 0;
    context.data = NULL;

    if (!ngx_ims_dial_context(plan, &t)) {
        d->why = "unknown phone-context";
        rc = NGX_IMS_DIAL_UNKNOWN;

    } else if (t.is_long) {
        d->why = "number too long";
        rc = NGX_IMS_DIAL_UNKNOWN;

    } else {
        rc = ngx_ims_dial_class(plan, &t, d, &context);
    }

    if (rc == NGX_IMS_DIAL_NUMBER && context.len == 0) {

        number.data = d->number.data + 1;
        number.len = d->number.len - 1;

        if (ngx_ims_dial_prefix(plan->barred, plan->nbarred, &number)
            > ngx_ims_dial_prefix(plan->allowed, plan->nallowed, &number))
        {
            d->why = "number barred";
            return NGX_IMS_DIAL_BARRED;
        }

        d->premium = ngx_ims_dial_prefix(plan->premium, plan->npremium,
                                         &number) != 0;
    }

    /* somebody of another domain whose name looks like a number */

    if (!t.home) {
        d->why = NULL;
        return NGX_IMS_DIAL_PASS;
    }

    return rc == NGX_IMS_DIAL_NUMBER ? ngx_ims_dial_build(plan, &t, d,
                                                          &context)
                                     : rc;
}


int
ngx_ims_dial_emergency(const ngx_ims_dial_plan_t *plan,
    const ngx_ims_str_t *uri, ngx_ims_dial_t *d)
{
    int                        n;
    unsigned                   i;
    ngx_ims_str_t              none;
    ngx_ims_dial_sos_t        *sos;
    ngx_ims_dial_typed_t       t;

    none.len = 0;
    none.data = NULL;

    d->uri.len = 0;
    d->number.len = 0;
    d->premium = 0;
    d->why = NULL;

    if (ngx_ims_dial_urn(uri, d)) {
        return 1;
    }

    if (!ngx_ims_dial_take(plan, uri, &none, &t) || t.is_long) {
        return 0;
    }

    for (i = 0; i < plan->nsos; i++) {
        sos = &plan->sos[i];

        /* as it is, or as if it were a subscriber's */

        if (ngx_ims_dial_is(&t, &none, &none, &sos->number)
            || (plan->trunk.len
                && ngx_ims_dial_is(&t, &plan->trunk, &none, &sos->number))
            || (plan->country.len && t.plus
                && ngx_ims_dial_is(&t, &plan->country, &none, &sos->number))
            || (plan->country.len && plan->international.len && !t.plus
                && ngx_ims_dial_is(&t, &plan->international, &plan->country,
                                   &sos->number)))
        {
            n = snprintf((char *) d->text, sizeof(d->text),
                         "urn:service:sos%s%.*s", sos->service.len ? "." : "",
                         NGX_IMS_DIAL_V(sos->service));

            if (n < 0 || (size_t) n >= sizeof(d->text)) {
                n = sizeof("urn:service:sos") - 1;
            }

            d->uri.data = d->text;
            d->uri.len = n;

            return 1;
        }
    }

    return 0;
}


int
ngx_ims_dial_digits(const ngx_ims_str_t *s, int star)
{
    size_t  i;

    if (s->len == 0 || s->len > NGX_IMS_DIAL_DIGITS) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {
        if (!(s->data[i] >= '0' && s->data[i] <= '9')
            && !(star && (s->data[i] == '*' || s->data[i] == '#')))
        {
            return 0;
        }
    }

    return 1;
}


/* the rules in their order; *context stays empty for a global number */

static ngx_ims_dial_result_e
ngx_ims_dial_class(const ngx_ims_dial_plan_t *plan, ngx_ims_dial_typed_t *t,
    ngx_ims_dial_t *d, ngx_ims_str_t *context)
{
    int                   rc;
    unsigned              i;
    const ngx_ims_str_t  *prefix, *country;

    static const ngx_ims_str_t  none = { 0, NULL };

    if (t->plus) {
        rc = t->star ? 1 : ngx_ims_dial_global(d, &none, &none, t->digits,
                                               t->n);
        if (rc == 0) {
            return NGX_IMS_DIAL_NUMBER;
        }

        d->why = rc < 0 ? "number too short" : "not a number of E.164";

        return rc < 0 ? NGX_IMS_DIAL_SHORT : NGX_IMS_DIAL_UNKNOWN;
    }

    for (i = 0; i < plan->nservices; i++) {
        if (plan->services[i].len == t->n
            && memcmp(plan->services[i].data, t->digits, t->n) == 0)
        {
            *context = plan->service_context;
            return NGX_IMS_DIAL_NUMBER;
        }
    }

    if (t->star) {
        d->why = "unknown service number";
        return NGX_IMS_DIAL_UNKNOWN;
    }

    for (i = 0; i < 2; i++) {
        prefix = i == 0 ? &plan->international : &plan->trunk;
        country = i == 0 ? &none : &plan->country;

        if (prefix->len == 0 || t->n < prefix->len
            || memcmp(t->digits, prefix->data, prefix->len) != 0)
        {
            continue;
        }

        rc = ngx_ims_dial_global(d, country, &none, t->digits + prefix->len,
                                 t->n - prefix->len);
        if (rc == 0) {
            return NGX_IMS_DIAL_NUMBER;
        }

        if (rc > 0) {
            d->why = "number too long";
            return NGX_IMS_DIAL_UNKNOWN;
        }

        return ngx_ims_dial_local(plan, t, d, context, 1);
    }

    return ngx_ims_dial_local(plan, t, d, context, 0);
}


/* numbers without a prefix; begun: it has one, and is too short for it */

static ngx_ims_dial_result_e
ngx_ims_dial_local(const ngx_ims_dial_plan_t *plan, ngx_ims_dial_typed_t *t,
    ngx_ims_dial_t *d, ngx_ims_str_t *context, int begun)
{
    if (t->n >= plan->extension_min && t->n <= plan->extension_max) {
        *context = plan->context;
        return NGX_IMS_DIAL_NUMBER;
    }

    if (!begun && t->n >= plan->subscriber_min && t->n <= plan->subscriber_max
        && ngx_ims_dial_global(d, &plan->country, &plan->area, t->digits,
                               t->n)
           == 0)
    {
        return NGX_IMS_DIAL_NUMBER;
    }

    if (begun || t->n < plan->extension_max || t->n < plan->subscriber_max) {
        d->why = "number too short";
        return NGX_IMS_DIAL_SHORT;
    }

    d->why = "no such number in the dial plan";

    return NGX_IMS_DIAL_UNKNOWN;
}


/* "+" and the parts into d->number; 0, or -1: too short, 1: not E.164 */

static int
ngx_ims_dial_global(ngx_ims_dial_t *d, const ngx_ims_str_t *a,
    const ngx_ims_str_t *b, const unsigned char *rest, unsigned n)
{
    size_t          len;
    unsigned char  *p;

    len = a->len + b->len + n;

    if (len > NGX_IMS_DIAL_MAX_E164) {
        return 1;
    }

    p = d->digits;
    *p++ = '+';

    if (a->len) {
        memcpy(p, a->data, a->len);
        p += a->len;
    }

    if (b->len) {
        memcpy(p, b->data, b->len);
        p += b->len;
    }

    memcpy(p, rest, n);

    /* no country has a code that begins with 0 */

    if (len && d->digits[1] == '0') {
        return 1;
    }

    if (len < NGX_IMS_DIAL_MIN_E164) {
        return -1;
    }

    d->number.data = d->digits;
    d->number.len = 1 + len;

    return 0;
}


static ngx_ims_dial_result_e
ngx_ims_dial_build(const ngx_ims_dial_plan_t *plan, ngx_ims_dial_typed_t *t,
    ngx_ims_dial_t *d, const ngx_ims_str_t *context)
{
    int            n;
    size_t         i, m;
    char           number[3 * NGX_IMS_DIAL_DIGITS + 2];
    ngx_ims_str_t  ext, isub;

    if (context->len) {
        memcpy(d->digits, t->digits, t->n);
        d->number.data = d->digits;
        d->number.len = t->n;
    }

    /* "#" has a meaning of its own in any URI but tel: (RFC 3966 3) */

    for (i = 0, m = 0; i < d->number.len; i++) {
        if (d->number.data[i] == '#' && plan->sip) {
            memcpy(&number[m], "%23", 3);
            m += 3;

        } else {
            number[m++] = d->number.data[i];
        }
    }

    ext.len = 0;
    isub.len = 0;

    if (!ngx_ims_dial_param(t, "ext", &ext) || !ngx_ims_dial_digits(&ext, 0)) {
        ext.len = 0;
    }

    if (!ngx_ims_dial_param(t, "isub", &isub)
        || !ngx_ims_dial_digits(&isub, 0))
    {
        isub.len = 0;
    }

    n = snprintf((char *) d->text, sizeof(d->text),
                 "%s:%.*s%s%.*s%s%.*s%s%.*s%s%.*s%s",
                 plan->sip ? "sip" : "tel", (int) m, number,
                 isub.len ? ";isub=" : "", (int) isub.len,
                 isub.len ? (char *) isub.data : "",
                 ext.len ? ";ext=" : "", (int) ext.len,
                 ext.len ? (char *) ext.data : "",
                 context->len ? ";phone-context=" : "", (int) context->len,
                 context->len ? (char *) context->data : "",
                 plan->sip ? "@" : "", plan->sip ? (int) plan->domain.len : 0,
                 plan->sip ? (char *) plan->domain.data : "",
                 plan->sip ? ";user=phone" : "");

    if (n < 0 || (size_t) n >= sizeof(d->text)) {
        d->why = "number too long";
        return NGX_IMS_DIAL_UNKNOWN;
    }

    d->uri.data = d->text;
    d->uri.len = n;

    return NGX_IMS_DIAL_NUMBER;
}


/* the length of the longest prefix that a number begins with, 0: none */

static size_t
ngx_ims_dial_prefix(const ngx_ims_str_t *prefixes, unsigned n,
    const ngx_ims_str_t *number)
{
    size_t    longest;
    unsigned  i;

    longest = 0;

    for (i = 0; i < n; i++) {
        if (prefixes[i].len > longest && prefixes[i].len <= number->len
            && memcmp(prefixes[i].data, number->data, prefixes[i].len) == 0)
        {
            longest = prefixes[i].len;
        }
    }

    return longest;
}


/* 1 when the digits typed are a, b and c, "+" or not */

static int
ngx_ims_dial_is(const ngx_ims_dial_typed_t *t, const ngx_ims_str_t *a,
    const ngx_ims_str_t *b, const ngx_ims_str_t *c)
{
    unsigned              i;
    const ngx_ims_str_t  *part[3];
    const unsigned char  *p;

    if (a->len + b->len + c->len != t->n) {
        return 0;
    }

    part[0] = a;
    part[1] = b;
    part[2] = c;

    for (i = 0, p = t->digits; i < 3; i++) {

        if (part[i]->len && memcmp(p, part[i]->data, part[i]->len) != 0) {
            return 0;
        }

        p += part[i]->len;
    }

    return 1;
}


/* urn:service:sos and its services (RFC 5031 4.2) */

static int
ngx_ims_dial_urn(const ngx_ims_str_t *uri, ngx_ims_dial_t *d)
{
    size_t         i;
    unsigned char  c;

    static const char  sos[] = "urn:service:sos";

    if (uri->len < sizeof(sos) - 1
        || strncasecmp((char *) uri->data, sos, sizeof(sos) - 1) != 0
        || (uri->len > sizeof(sos) - 1 && uri->data[sizeof(sos) - 1] != '.'))
    {
        return 0;
    }

    d->uri.data = d->text;
    d->uri.len = sizeof(sos) - 1;
    memcpy(d->text, sos, sizeof(sos) - 1);

    if (uri->len > NGX_IMS_DIAL_NAME) {
        return 1;
    }

    for (i = d->uri.len; i < uri->len; i++) {
        c = uri->data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
              || c == '.'))
        {
            return 1;
        }

        d->text[i] = c;
    }

    d->uri.len = uri->len;

    return 1;
}
