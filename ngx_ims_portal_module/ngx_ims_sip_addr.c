/*
 * Copyright (C) the IMS portal authors
 *
 * Addresses, Via values and parameters, taken apart into spans (RFC 3261 20.10,
 * 20.42, 25.1).  A value may hold the folds of its header, which count as white
 * space.
 */


#include "ngx_ims_sip_int.h"


static unsigned char *ngx_ims_sip_display(unsigned char *p,
    unsigned char *end);
static int ngx_ims_sip_find_param(unsigned char *p, unsigned char *end,
    unsigned char sep, const char *name, ngx_ims_str_t *value);
static unsigned char *ngx_ims_sip_one_param(unsigned char *p,
    unsigned char *end, ngx_ims_str_t *name, ngx_ims_str_t *value);


/* name-addr = [ display-name ] LAQUOT addr-spec RAQUOT */

int
ngx_ims_sip_parse_addr(const ngx_ims_str_t *s, ngx_ims_sip_addr_t *a)
{
    unsigned char  *p, *end, *laquot;

    memset(a, 0, sizeof(ngx_ims_sip_addr_t));

    if (s->len == 0) {
        return NGX_IMS_INVALID;
    }

    end = s->data + s->len;
    p = ngx_ims_sip_skip_lws(s->data, end);

    laquot = ngx_ims_sip_display(p, end);

    if (laquot == NULL) {
        return NGX_IMS_INVALID;
    }

    if (laquot < end) {
        a->display = ngx_ims_sip_trim(p, laquot);

        p = laquot + 1;
        a->uri.data = p;
        p = ngx_ims_sip_skip_many(p, end, NGX_IMS_C_URI);
        a->uri.len = p - a->uri.data;

        if (p == end || *p != '>') {
            return NGX_IMS_INVALID;
        }

        p++;

    } else {

        /* without <> what follows ";" is the header's (RFC 3261 20) */

        a->uri.data = p;

        while (p < end && ngx_ims_is(*p, NGX_IMS_C_URI)
               && *p != ';' && *p != '?' && *p != ',')
        {
            p++;
        }

        a->uri.len = p - a->uri.data;
    }

    if (ngx_ims_sip_scheme_end(&a->uri) == NULL) {
        return NGX_IMS_INVALID;
    }

    p = ngx_ims_sip_skip_lws(p, end);

    if (p == end) {
        return NGX_IMS_OK;
    }

    if (*p != ';') {
        return NGX_IMS_INVALID;
    }

    a->params = ngx_ims_sip_trim(p + 1, end);

    return ngx_ims_sip_check_params(&a->params, "tag", &a->tag);
}


/*
 * The "<" behind a display name, end when there is none (an addr-spec), or NULL
 * when what stands before it is neither a quoted string nor tokens.  Raw UTF-8
 * among the tokens is let pass.
 */

static unsigned char *
ngx_ims_sip_display(unsigned char *p, unsigned char *end)
{
    unsigned char  *s;

    if (p < end && *p == '"') {
        p = ngx_ims_sip_skip_quoted(p, end);

        if (p == NULL) {
            return NULL;
        }

        p = ngx_ims_sip_skip_lws(p, end);

        return (p < end && *p == '<') ? p : NULL;
    }

    for (s = p; s < end; s++) {

        if (*s == '<') {
            return s;
        }

        if (!ngx_ims_is(*s, NGX_IMS_C_TOKEN|NGX_IMS_C_LWS) && *s < 0x80) {
            return end;
        }
    }

    return end;
}


/* via-parm = sent-protocol LWS sent-by *( SEMI via-params ) */

int
ngx_ims_sip_parse_via(const ngx_ims_str_t *s, ngx_ims_sip_via_t *v)
{
    int             i;
    unsigned char  *p, *end, *start;

    memset(v, 0, sizeof(ngx_ims_sip_via_t));

    if (s->len == 0) {
        return NGX_IMS_INVALID;
    }

    end = s->data + s->len;
    p = s->data;
    start = p;

    v->value = *s;

    /* name "/" version "/" transport, with LWS around each "/" */

    for (i = 0; i < 3; i++) {
        start = ngx_ims_sip_skip_lws(p, end);
        p = ngx_ims_sip_skip(start, end, NGX_IMS_C_TOKEN);

        if (p == start || p == end) {
            return NGX_IMS_INVALID;
        }

        if (i == 2) {
            break;
        }

        p = ngx_ims_sip_skip_lws(p, end);

        if (p == end || *p++ != '/') {
            return NGX_IMS_INVALID;
        }
    }

    v->transport.data = start;
    v->transport.len = p - start;

    start = ngx_ims_sip_skip_lws(p, end);

    if (start == p) {
        return NGX_IMS_INVALID;
    }

    p = ngx_ims_sip_parse_host(start, end, &v->host);

    if (p == NULL) {
        return NGX_IMS_INVALID;
    }

    p = ngx_ims_sip_skip_lws(p, end);

    if (p < end && *p == ':') {
        p = ngx_ims_sip_skip_lws(p + 1, end);
        p = ngx_ims_sip_parse_port(p, end, &v->port);

        if (p == NULL) {
            return NGX_IMS_INVALID;
        }

        p = ngx_ims_sip_skip_lws(p, end);
    }

    if (p == end) {
        return NGX_IMS_OK;
    }

    if (*p != ';') {
        return NGX_IMS_INVALID;
    }

    v->params = ngx_ims_sip_trim(p + 1, end);

    return ngx_ims_sip_check_params(&v->params, "branch", &v->branch);
}


int
ngx_ims_sip_check_params(const ngx_ims_str_t *params, const char *name,
    ngx_ims_str_t *value)
{
    int             found;
    size_t          len;
    ngx_ims_str_t   n, v;
    unsigned char  *p, *end;

    p = params->data;
    end = p + params->len;
    len = strlen(name);
    found = 0;

    for ( ;; ) {
        p = ngx_ims_sip_one_param(p, end, &n, &v);

        if (p == NULL || n.len == 0) {
            return NGX_IMS_INVALID;
        }

        if (n.len == len
            && ngx_ims_sip_same(n.data, (const unsigned char *) name, len))
        {
            if (found || v.len == 0) {
                return NGX_IMS_INVALID;
            }

            found = 1;
            *value = v;
        }

        if (p == end) {
            return NGX_IMS_OK;
        }

        if (*p++ != ';') {
            return NGX_IMS_INVALID;
        }
    }
}


int
ngx_ims_sip_param(const ngx_ims_str_t *params, const char *name,
    ngx_ims_str_t *value)
{
    if (params->len == 0) {
        return 0;
    }

    return ngx_ims_sip_find_param(params->data, params->data + params->len,
                                  ';', name, value);
}


int
ngx_ims_sip_auth_param(const ngx_ims_str_t *credentials, const char *name,
    ngx_ims_str_t *value)
{
    unsigned char  *p, *end;

    if (credentials->len == 0) {
        return 0;
    }

    end = credentials->data + credentials->len;

    p = ngx_ims_sip_skip_lws(credentials->data, end);
    p = ngx_ims_sip_skip(p, end, NGX_IMS_C_TOKEN);

    return ngx_ims_sip_find_param(p, end, ',', name, value);
}


static int
ngx_ims_sip_find_param(unsigned char *p, unsigned char *end,
    unsigned char sep, const char *name, ngx_ims_str_t *value)
{
    size_t         len;
    ngx_ims_str_t  n, v;

    len = strlen(name);

    while (p < end) {
        p = ngx_ims_sip_one_param(p, end, &n, &v);

        if (p == NULL || (p < end && *p != sep)) {
            return 0;
        }

        if (n.len == len
            && ngx_ims_sip_same(n.data, (const unsigned char *) name, len))
        {
            if (value != NULL) {
                *value = v;
            }

            return 1;
        }

        p++;
    }

    return 0;
}


/*
 * One "name [ = value ]".  Returns the ";" or "," behind it, or end, or NULL
 * when it is malformed.  The name is empty when nothing stood there.
 */

static unsigned char *
ngx_ims_sip_one_param(unsigned char *p, unsigned char *end,
    ngx_ims_str_t *name, ngx_ims_str_t *value)
{
    p = ngx_ims_sip_skip_lws(p, end);

    /* uri-parameters have "[]/:&$" in their names too (RFC 3261 25.1) */

    name->data = p;

    while (p < end && ngx_ims_is(*p, NGX_IMS_C_PARAM) && *p != '=') {
        p++;
    }

    name->len = p - name->data;
    p = ngx_ims_sip_skip_lws(p, end);

    value->data = p;
    value->len = 0;

    if (p < end && *p == '=') {
        p = ngx_ims_sip_skip_lws(p + 1, end);

        value->data = p;

        if (p < end && *p == '"') {
            p = ngx_ims_sip_skip_quoted(p, end);

            if (p == NULL) {
                return NULL;
            }

        } else {
            p = ngx_ims_sip_skip(p, end, NGX_IMS_C_PARAM);
        }

        value->len = p - value->data;

        if (value->len == 0) {
            return NULL;
        }

        p = ngx_ims_sip_skip_lws(p, end);
    }

    return (p == end || *p == ';' || *p == ',') ? p : NULL;
}
