/*
 * Copyright (C) the IMS portal authors
 *
 * The dial plan, barred and premium prefixes, and limits of a user.
 *
 * No timers.
 */


#include "ngx_http_ims_dial.h"


static char *ngx_http_ims_dial_param(ngx_conf_t *cf,
    ngx_ims_dial_plan_t *plan, ngx_str_t *name, ngx_str_t *value);
static char *ngx_http_ims_dial_number(ngx_str_t *slot, ngx_str_t *value,
    size_t max);
static char *ngx_http_ims_dial_range(unsigned *min, unsigned *max,
    ngx_str_t *value);
static char *ngx_http_ims_dial_context(ngx_str_t *slot, ngx_str_t *value);
static char *ngx_http_ims_dial_services(ngx_conf_t *cf,
    ngx_ims_dial_plan_t *plan, ngx_str_t *value);
static char *ngx_http_ims_dial_prefixes(ngx_conf_t *cf, ngx_ims_str_t **list,
    unsigned *count, ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_dial_limit(ngx_uint_t *slot, ngx_str_t *value);


/* dial_plan country=49 [trunk=0] [international=00] ... */

char *
ngx_http_ims_dial_plan(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    char                 *rv, *p;
    ngx_str_t             name, value;
    ngx_uint_t            i;
    ngx_ims_dial_plan_t  *plan;

    plan = &((ngx_ims_core_t *) object)->dial;

    if (plan->plan) {
        return "is duplicate";
    }

    plan->plan = 1;

    for (i = 0; i < n; i++) {
        p = ngx_strchr(args[i].data, '=');
        rv = "is invalid";

        if (p != NULL) {
            name.data = args[i].data;
            name.len = (u_char *) p - args[i].data;
            value.data = (u_char *) p + 1;
            value.len = args[i].len - name.len - 1;

            rv = ngx_http_ims_dial_param(cf, plan, &name, &value);
        }

        if (rv != NGX_CONF_OK) {

            if (rv != NGX_CONF_ERROR) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "parameter \"%V\" of \"dial_plan\" %s",
                                   &args[i], rv);
            }

            return NGX_CONF_ERROR;
        }
    }

    if (plan->country.len == 0) {
        return "has no parameter \"country\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_dial_param(ngx_conf_t *cf, ngx_ims_dial_plan_t *plan,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_uint_t  i;

    struct {
        const char  *name;
        ngx_str_t   *slot;
        size_t       max;
    } numbers[] = {
        { "country", &plan->country, 3 },
        { "trunk", &plan->trunk, 4 },
        { "international", &plan->international, 6 },
        { "area", &plan->area, 8 },
        { NULL, NULL, 0 }
    };

#define ngx_http_ims_dial_is(s)                                               \
    (name->len == sizeof(s) - 1                                               \
     && ngx_strncmp(name->data, s, sizeof(s) - 1) == 0)

    for (i = 0; numbers[i].name; i++) {
        if (name->len == ngx_strlen(numbers[i].name)
            && ngx_strncmp(name->data, numbers[i].name, name->len) == 0)
        {
            return ngx_http_ims_dial_number(numbers[i].slot, value,
                                            numbers[i].max);
        }
    }

    if (ngx_http_ims_dial_is("extension")) {
        return ngx_http_ims_dial_range(&plan->extension_min,
                                       &plan->extension_max, value);
    }

    if (ngx_http_ims_dial_is("subscriber")) {
        return ngx_http_ims_dial_range(&plan->subscriber_min,
                                       &plan->subscriber_max, value);
    }

    if (ngx_http_ims_dial_is("context")) {
        return ngx_http_ims_dial_context(&plan->context, value);
    }

    if (ngx_http_ims_dial_is("service_context")) {
        return ngx_http_ims_dial_context(&plan->service_context, value);
    }

    if (ngx_http_ims_dial_is("service")) {
        return ngx_http_ims_dial_services(cf, plan, value);
    }

    if (ngx_http_ims_dial_is("form")) {

        if (ngx_strcmp(value->data, "sip") == 0) {
            plan->sip = 1;

        } else if (ngx_strcmp(value->data, "tel") != 0) {
            return "is invalid, it may be \"tel\" or \"sip\"";
        }

        return NGX_CONF_OK;
    }

    return "is unknown";
}


static char *
ngx_http_ims_dial_number(ngx_str_t *slot, ngx_str_t *value, size_t max)
{
    if (slot->data != NULL) {
        return "is duplicate";
    }

    if (!ngx_ims_dial_digits(value, 0) || value->len > max) {
        return "is not a number, or too long";
    }

    *slot = *value;

    return NGX_CONF_OK;
}


/* "4" or "3-5" digits */

static char *
ngx_http_ims_dial_range(unsigned *min, unsigned *max, ngx_str_t *value)
{
    u_char     *p;
    ngx_int_t   a, b;

    if (*max) {
        return "is duplicate";
    }

    p = ngx_strlchr(value->data, value->data + value->len, '-');

    if (p == NULL) {
        a = ngx_atoi(value->data, value->len);
        b = a;

    } else {
        a = ngx_atoi(value->data, p - value->data);
        b = ngx_atoi(p + 1, value->data + value->len - p - 1);
    }

    if (a < 1 || b < a || b > 15) {
        return "is not a number of digits such as 4 or 3-5";
    }

    *min = a;
    *max = b;

    return NGX_CONF_OK;
}


/* a phone-context (RFC 3966 5.1.5): a domain, or "+" and digits */

static char *
ngx_http_ims_dial_context(ngx_str_t *slot, ngx_str_t *value)
{
    size_t     i;
    ngx_str_t  s;

    if (slot->data != NULL) {
        return "is duplicate";
    }

    s = *value;

    if (s.len > 1 && s.data[0] == '+') {
        s.data++;
        s.len--;

        if (!ngx_ims_dial_digits(&s, 0)) {
            return "is neither a domain nor \"+\" and digits";
        }
    }

    for (i = 0; i < s.len; i++) {
        if (!((s.data[i] >= '0' && s.data[i] <= '9')
              || ((s.data[i] | 0x20) >= 'a' && (s.data[i] | 0x20) <= 'z')
              || s.data[i] == '-' || s.data[i] == '.'))
        {
            break;
        }
    }

    if (s.len == 0 || s.len > NGX_IMS_DIAL_NAME || i < s.len) {
        return "is neither a domain nor \"+\" and digits";
    }

    *slot = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_dial_services(ngx_conf_t *cf, ngx_ims_dial_plan_t *plan,
    ngx_str_t *value)
{
    ngx_str_t       s;
    ngx_ims_str_t  *list;

    while (ngx_http_ims_dial_next(value, &s)) {

        if (!ngx_ims_dial_digits(&s, 1)) {
            return "has what is not a number";
        }

        list = ngx_http_ims_dial_push(cf, plan->services, &plan->nservices,
                                      sizeof(ngx_ims_str_t));
        if (list == NULL) {
            return NGX_CONF_ERROR;
        }

        plan->services = list;
        list[plan->nservices - 1] = s;
    }

    return plan->nservices ? NGX_CONF_OK : "is empty";
}


/* barred +882 +4990 ... */

char *
ngx_http_ims_dial_barred(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_dial_plan_t  *plan;

    plan = &((ngx_ims_core_t *) object)->dial;

    return ngx_http_ims_dial_prefixes(cf, &plan->barred, &plan->nbarred, args,
                                      n);
}


char *
ngx_http_ims_dial_allowed(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_dial_plan_t  *plan;

    plan = &((ngx_ims_core_t *) object)->dial;

    return ngx_http_ims_dial_prefixes(cf, &plan->allowed, &plan->nallowed,
                                      args, n);
}


char *
ngx_http_ims_dial_premium(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_dial_plan_t  *plan;

    plan = &((ngx_ims_core_t *) object)->dial;

    return ngx_http_ims_dial_prefixes(cf, &plan->premium, &plan->npremium,
                                      args, n);
}


static char *
ngx_http_ims_dial_prefixes(ngx_conf_t *cf, ngx_ims_str_t **list,
    unsigned *count, ngx_str_t *args, ngx_uint_t n)
{
    ngx_str_t       rest, s;
    ngx_uint_t      i;
    ngx_ims_str_t  *p;

    for (i = 0; i < n; i++) {
        rest = args[i];

        while (ngx_http_ims_dial_next(&rest, &s)) {

            if (s.len < 2 || s.data[0] != '+') {
                return "has a prefix that is not \"+\" and digits";
            }

            s.data++;
            s.len--;

            if (!ngx_ims_dial_digits(&s, 0)) {
                return "has a prefix that is not \"+\" and digits";
            }

            p = ngx_http_ims_dial_push(cf, *list, count,
                                       sizeof(ngx_ims_str_t));
            if (p == NULL) {
                return NGX_CONF_ERROR;
            }

            *list = p;
            p[*count - 1] = s;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ims_dial_check(ngx_conf_t *cf, ngx_ims_core_t *core)
{
    ngx_ims_dial_plan_t  *plan;

    plan = &core->dial;
    plan->domain = core->home_domain;

    if (!plan->plan) {

        if (plan->nbarred || plan->nallowed || plan->npremium) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%s\" without \"dial_plan\" in "
                               "\"ims_portal_core\" \"%V\"",
                               plan->nbarred ? "barred"
                               : plan->nallowed ? "allowed" : "premium",
                               &core->name);
            return NGX_CONF_ERROR;
        }

        return ngx_http_ims_sos_check(cf, core);
    }

    if (plan->context.len == 0) {
        plan->context = core->home_domain;
    }

    if (plan->service_context.len == 0) {
        plan->service_context.data = ngx_pnalloc(cf->pool,
                                                 plan->country.len + 1);
        if (plan->service_context.data == NULL) {
            return NGX_CONF_ERROR;
        }

        plan->service_context.len = plan->country.len + 1;
        (void) ngx_sprintf(plan->service_context.data, "+%V",
                           &plan->country);
    }

    return ngx_http_ims_sos_check(cf, core);
}


void *
ngx_http_ims_dial_push(ngx_conf_t *cf, void *list, unsigned *count,
    size_t size)
{
    void  *p;

    p = list;

    if ((*count & (*count - 1)) == 0) {
        p = ngx_palloc(cf->pool, size * (*count ? *count * 2 : 1));

        if (p == NULL) {
            return NULL;
        }

        if (*count) {
            ngx_memcpy(p, list, size * *count);
        }
    }

    (*count)++;

    return p;
}


ngx_uint_t
ngx_http_ims_dial_next(ngx_str_t *rest, ngx_str_t *value)
{
    u_char  *p, *last;

    if (rest->data == NULL) {
        return 0;
    }

    last = rest->data + rest->len;
    p = ngx_strlchr(rest->data, last, ',');

    value->data = rest->data;
    value->len = (p ? p : last) - rest->data;

    if (p == NULL) {
        rest->data = NULL;
        rest->len = 0;

    } else {
        rest->data = p + 1;
        rest->len = last - rest->data;
    }

    return 1;
}


static char *
ngx_http_ims_dial_limit(ngx_uint_t *slot, ngx_str_t *value)
{
    ngx_int_t  n;

    if (*slot) {
        return "is duplicate";
    }

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > 10000) {
        return "has an invalid number, it may be 1 to 10000";
    }

    *slot = n;

    return NGX_CONF_OK;
}


char *
ngx_http_ims_dial_calls(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    return ngx_http_ims_dial_limit(&((ngx_ims_pool_t *) object)->calls,
                                   &args[0]);
}


char *
ngx_http_ims_dial_calls_per_hour(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n)
{
    ngx_ims_pool_t  *pool;

    pool = object;

    return ngx_http_ims_dial_limit(&pool->calls_per_hour, &args[0]);
}


char *
ngx_http_ims_dial_premium_per_hour(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n)
{
    ngx_ims_pool_t  *pool;

    pool = object;

    return ngx_http_ims_dial_limit(&pool->premium_per_hour, &args[0]);
}
