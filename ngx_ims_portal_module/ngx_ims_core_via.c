/*
 * Copyright (C) the IMS portal authors
 *
 * The top Via of messages from and to the core, as far as a transport has to
 * do with it: where an answer goes (RFC 3261 18.2.2, RFC 3581) and what a
 * request says that changes its transport (18.1.1).  Anything that cannot be
 * read is left alone: the parser will say what is wrong with it.  No timers.
 */


#include "ngx_ims_core_priv.h"


enum {
    NGX_IMS_CORE_SIP_PORT = 5060
};


typedef struct {
    u_char                   *start;          /* of the value */
    u_char                   *params;         /* behind the sent-by */
    u_char                   *last;           /* behind the value */
    ngx_str_t                 host;           /* IPv6 keeps its brackets */
    in_port_t                 port;           /* 0: none */
    u_char                   *rport;          /* behind one with no value */
    unsigned                  received:1;
    unsigned                  rported:1;      /* has rport, maybe a value */
} ngx_ims_core_via_t;


static ngx_uint_t ngx_ims_core_via_response(u_char *p, size_t len);
static ngx_int_t ngx_ims_core_via_find(u_char *p, u_char *last,
    ngx_ims_core_via_t *v);
static u_char *ngx_ims_core_via_name(u_char *p, u_char *last);
static ngx_int_t ngx_ims_core_via_value(u_char *p, u_char *last,
    ngx_ims_core_via_t *v);
static u_char *ngx_ims_core_via_space(u_char *p, u_char *last);
static u_char *ngx_ims_core_via_quoted(u_char *p, u_char *last);
static void ngx_ims_core_via_params(ngx_ims_core_via_t *v);
static ngx_uint_t ngx_ims_core_via_same(ngx_str_t *host,
    struct sockaddr *sa);


static ngx_uint_t
ngx_ims_core_via_response(u_char *p, size_t len)
{
    return len > 8 && ngx_strncasecmp(p, (u_char *) "SIP/2.0 ", 8) == 0;
}


ngx_int_t
ngx_ims_core_via_split(ngx_str_t *text, ngx_str_t *head, ngx_str_t *tail)
{
    ngx_ims_core_via_t  v;

    if (ngx_ims_core_via_response(text->data, text->len)
        || ngx_ims_core_via_find(text->data, text->data + text->len, &v)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    head->data = text->data;
    head->len = v.start - text->data;

    tail->data = v.params;
    tail->len = text->data + text->len - v.params;

    return NGX_OK;
}


ngx_int_t
ngx_ims_core_via_port(u_char *p, size_t len)
{
    ngx_ims_core_via_t  v;

    if (!ngx_ims_core_via_response(p, len)
        || ngx_ims_core_via_find(p, p + len, &v) != NGX_OK)
    {
        return -1;
    }

    return v.port;
}


u_char *
ngx_ims_core_via_received(ngx_ims_flow_t *flow, u_char *p, size_t *len,
    u_char *buf, size_t size)
{
    u_char              *b;
    in_port_t            port;
    ngx_uint_t           received;
    struct sockaddr     *sa;
    ngx_ims_core_via_t   v;

    if (ngx_ims_core_via_response(p, *len)
        || ngx_ims_core_via_find(p, p + *len, &v) != NGX_OK)
    {
        return p;
    }

    sa = &flow->sockaddr.sockaddr;
    port = ngx_inet_get_port(sa);

    /* RFC 3581 4: with rport always, and the answer goes where it came from */

    received = !v.received
               && (v.rport != NULL || !ngx_ims_core_via_same(&v.host, sa));

    if (!v.rported && flow->transport == NGX_IMS_UDP) {
        ngx_inet_set_port(sa, v.port ? v.port : NGX_IMS_CORE_SIP_PORT);
    }

    if ((v.rport == NULL && !received)
        || *len + NGX_IMS_CORE_VIA_ROOM > ngx_min(size,
                                                  NGX_IMS_SIP_MAX_MESSAGE))
    {
        return p;
    }

    b = buf;

    if (v.rport != NULL) {
        b = ngx_cpymem(b, p, v.rport - p);
        b = ngx_sprintf(b, "=%ui", (ngx_uint_t) port);
        b = ngx_cpymem(b, v.rport, v.last - v.rport);

    } else {
        b = ngx_cpymem(b, p, v.last - p);
    }

    if (received) {
        b = ngx_cpymem(b, ";received=", sizeof(";received=") - 1);
        b += ngx_sock_ntop(sa, flow->socklen, b, NGX_SOCKADDR_STRLEN, 0);
    }

    b = ngx_cpymem(b, v.last, p + *len - v.last);
    *len = b - buf;

    return buf;
}


static ngx_int_t
ngx_ims_core_via_find(u_char *p, u_char *last, ngx_ims_core_via_t *v)
{
    u_char  *value, *eol;

    for ( ;; ) {
        p = ngx_strlchr(p, last, LF);

        if (p == NULL || ++p == last || *p == CR || *p == LF) {
            return NGX_DECLINED;
        }

        value = ngx_ims_core_via_name(p, last);

        if (value != NULL) {
            break;
        }
    }

    /* with the lines that it is folded to */

    for (eol = value; eol < last; eol++) {
        if (*eol == LF
            && (eol + 1 == last || (eol[1] != ' ' && eol[1] != '\t')))
        {
            return ngx_ims_core_via_value(value, eol, v);
        }
    }

    return NGX_DECLINED;
}


/* where the value begins when this line is a Via, else NULL */

static u_char *
ngx_ims_core_via_name(u_char *p, u_char *last)
{
    if (last - p > 3 && ngx_strncasecmp(p, (u_char *) "via", 3) == 0) {
        p += 3;

    } else if (last - p > 1 && (*p == 'v' || *p == 'V')) {
        p++;

    } else {
        return NULL;
    }

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return (p < last && *p == ':') ? p + 1 : NULL;
}


static ngx_int_t
ngx_ims_core_via_value(u_char *p, u_char *last, ngx_ims_core_via_t *v)
{
    u_char      *host;
    ngx_int_t    port;
    ngx_uint_t   slashes;

    ngx_memzero(v, sizeof(ngx_ims_core_via_t));

    p = ngx_ims_core_via_space(p, last);
    v->start = p;

    for (slashes = 0; p < last && slashes < 2; p++) {
        if (*p == '/') {
            slashes++;
        }
    }

    /* the transport, and blanks at both sides */

    p = ngx_ims_core_via_space(p, last);

    while (p < last && *p > ' ' && *p != ';' && *p != ',') {
        p++;
    }

    host = ngx_ims_core_via_space(p, last);
    p = host;

    if (p < last && *p == '[') {
        p = ngx_strlchr(p, last, ']');

        if (p == NULL) {
            return NGX_DECLINED;
        }

        p++;

    } else {
        while (p < last && *p > ' ' && *p != ':' && *p != ';' && *p != ',') {
            p++;
        }
    }

    v->host.data = host;
    v->host.len = p - host;

    if (v->host.len == 0) {
        return NGX_DECLINED;
    }

    host = ngx_ims_core_via_space(p, last);

    if (host < last && *host == ':') {
        host = ngx_ims_core_via_space(host + 1, last);

        for (p = host; p < last && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }

        port = ngx_atoi(host, p - host);

        if (port < 1 || port > 65535) {
            return NGX_DECLINED;
        }

        v->port = port;
    }

    v->params = p;
    v->last = last;

    ngx_ims_core_via_params(v);

    return NGX_OK;
}


static u_char *
ngx_ims_core_via_space(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t' || *p == CR || *p == LF)) {
        p++;
    }

    return p;
}


/* behind a quoted string that begins at p */

static u_char *
ngx_ims_core_via_quoted(u_char *p, u_char *last)
{
    for (p++; p < last; p++) {

        if (*p == '\\' && last - p > 1) {
            p++;

        } else if (*p == '"') {
            return p + 1;
        }
    }

    return last;
}


/* finds the end of this value, and what is there of received and rport */

static void
ngx_ims_core_via_params(ngx_ims_core_via_t *v)
{
    u_char  *p, *name, *end;

    p = v->params;
    end = p;

    while (p < v->last && *p != ',') {

        if (*p == '"') {
            p = ngx_ims_core_via_quoted(p, v->last);
            end = p;
            continue;
        }

        if (*p != ';') {
            end = (*p > ' ') ? p + 1 : end;
            p++;
            continue;
        }

        name = ngx_ims_core_via_space(p + 1, v->last);

        for (p = name;
             p < v->last && *p > ' ' && *p != ';' && *p != ',' && *p != '='
                && *p != '"';
             p++)
        {
            /* void */
        }

        end = p;

        if (p - name == 8
            && ngx_strncasecmp(name, (u_char *) "received", 8) == 0)
        {
            v->received = 1;

        } else if (p - name == 5
                   && ngx_strncasecmp(name, (u_char *) "rport", 5) == 0)
        {
            v->rported = 1;

            if (p == v->last || *ngx_ims_core_via_space(p, v->last) != '=') {
                v->rport = p;
            }
        }
    }

    v->last = end;
}


static ngx_uint_t
ngx_ims_core_via_same(ngx_str_t *host, struct sockaddr *sa)
{
#if (NGX_HAVE_INET6)
    u_char                addr[16];
    struct sockaddr_in6  *sin6;
#endif
    struct sockaddr_in   *sin;

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        return host->len > 2 && host->data[0] == '['
               && ngx_inet6_addr(host->data + 1, host->len - 2, addr)
                  == NGX_OK
               && ngx_memcmp(addr, sin6->sin6_addr.s6_addr, 16) == 0;
#endif

    default: /* AF_INET */
        sin = (struct sockaddr_in *) sa;

        return ngx_inet_addr(host->data, host->len) == sin->sin_addr.s_addr;
    }
}
