/*
 * Copyright (C) the IMS portal authors
 *
 * The answer to a browser's REGISTER, made of the portal's record: its own
 * Contact with its own parameters, and what the core said of routes and
 * identities.
 */


#include "ngx_ims_register_answer.h"


static size_t ngx_ims_register_keep(ngx_ims_session_t *s, u_char *p,
    size_t size, size_t len);
static u_char *ngx_ims_register_params(ngx_ims_str_t *params, u_char *p,
    u_char *last);
static u_char *ngx_ims_register_granted(ngx_ims_session_t *s, time_t expires,
    u_char *p, u_char *last);


/* answers on a transaction, or directly when t is NULL */

void
ngx_ims_register_answer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_txn_t *t, ngx_uint_t status, time_t expires)
{
    size_t               len;
    u_char              *p, *last, tag[16];
    ngx_ims_str_t        to_tag, value, keep;
    ngx_ims_worker_t    *w;
    ngx_ims_binding_t    b;
    ngx_ims_sip_addr_t   addr;
    ngx_ims_sip_iter_t   it;

    w = s->worker;
    p = w->text;
    last = p + w->text_size - 1;

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    if (status == 200 && expires > 0
        && ngx_ims_binding_load(s->pool, &s->binding, &b, w->record)
           == NGX_OK)
    {
        p = ngx_slprintf(p, last, "Contact: <%V>", &b.contact);

        if (ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)
            && ngx_ims_sip_parse_addr(&value, &addr) == NGX_IMS_OK)
        {
            p = ngx_ims_register_params(&addr.params, p, last);
        }

        p = ngx_ims_register_granted(s, expires, p, last);

        if (b.service_route.len) {
            p = ngx_slprintf(p, last, "Service-Route: %V" CRLF,
                             &b.service_route);
        }

        if (b.associated.len) {
            p = ngx_slprintf(p, last, "P-Associated-URI: %V" CRLF,
                             &b.associated);
        }

    } else if (status == 503) {
        p = ngx_slprintf(p, last, "Retry-After: %d" CRLF,
                         NGX_IMS_REGISTER_AGAIN / 1000);

    } else if (status == 403) {
        p = ngx_slprintf(p, last, "Warning: 399 portal "
                         "\"the operator refuses this identity\"" CRLF);
    }

    *p = '\0';

    ngx_ims_call_tag(s->worker, tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_sip_reply(m, status, NULL, &to_tag, (char *) w->text, NULL,
                          w->out, w->out_size, &len)
        != NGX_IMS_OK)
    {
        return;
    }

    /* Via;keep is answered with the ping interval (RFC 6223, WS-13) */

    if (status == 200 && ngx_ims_sip_param(&m->via.params, "keep", &keep)
        && keep.len == 0)
    {
        len = ngx_ims_register_keep(s, w->out, w->out_size, len);
    }

    if (t == NULL) {
        (void) ngx_ims_session_send(s, w->out, len);

    } else {
        (void) ngx_ims_txn_reply(t, status, w->out, len);
    }
}


/* what the core made of outbound and gruu (RG-17); see ngx_ims_uac.h */

static u_char *
ngx_ims_register_granted(ngx_ims_session_t *s, time_t expires, u_char *p,
    u_char *last)
{
    size_t     n;
    ngx_str_t  features, granted;

    ngx_ims_binding_abilities(s->pool, &s->binding, &features, &granted,
                              s->worker->record2);

    for (n = 0; n < granted.len && granted.data[n] != ';'; n++) {
        /* void */
    }

    p = ngx_slprintf(p, last, "%*s;expires=%T" CRLF, granted.len - n,
                     granted.data + n, expires);

    if (n) {
        p = ngx_slprintf(p, last, "Require: outbound" CRLF);
    }

    if (n > 1) {
        p = ngx_slprintf(p, last, "Flow-Timer: %*s" CRLF, n - 1,
                         granted.data + 1);
    }

    return p;
}


/* the first ";keep" gets its value; an answer begins with the top Via */

static size_t
ngx_ims_register_keep(ngx_ims_session_t *s, u_char *p, size_t size,
    size_t len)
{
    u_char  *keep, *eol, value[NGX_INT_T_LEN + 1];
    size_t   n;

    keep = ngx_strlcasestrn(p, p + len, (u_char *) ";keep", 5 - 1);
    eol = keep ? ngx_strlchr(keep, p + len, CR) : NULL;

    n = ngx_sprintf(value, "=%M", s->policy->ping / 1000 + 1) - value;

    if (eol == NULL || len + n > size) {
        return len;
    }

    keep += 5;
    ngx_memmove(keep + n, keep, p + len - keep);
    ngx_memcpy(keep, value, n);

    return len + n;
}


/* the Contact's parameters as the browser wrote them, without expires */

static u_char *
ngx_ims_register_params(ngx_ims_str_t *params, u_char *p, u_char *last)
{
    u_char      *s, *start, *end;
    ngx_uint_t   quoted;

    end = params->data + params->len;
    quoted = 0;

    for (s = start = params->data; s <= end; s++) {

        if (s + 1 < end && quoted && *s == '\\') {
            s++;
            continue;
        }

        if (s < end && *s == '"') {
            quoted = !quoted;
        }

        if (s < end && (*s != ';' || quoted)) {
            continue;
        }

        while (start < s && *start == ' ') {
            start++;
        }

        if (s > start
            && !((size_t) (s - start) >= 7
                 && ngx_strncasecmp(start, (u_char *) "expires", 7) == 0)
            && (size_t) (last - p) > (size_t) (s - start))
        {
            *p++ = ';';
            p = ngx_cpymem(p, start, s - start);
        }

        start = s + 1;
    }

    return p;
}
