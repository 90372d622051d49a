/*
 * Copyright (C) the IMS portal authors
 *
 * The administration API: queries and bodies in, JSON and log lines out.
 */


#include "ngx_http_ims_admin.h"


static ngx_int_t ngx_http_ims_admin_decode(ngx_http_ims_admin_t *a, u_char *p,
    u_char *last, ngx_str_t *out);
static ngx_uint_t ngx_http_ims_admin_plain(u_char *p, size_t len);


/* "a=b&c=d"; "+" is a plus, as everywhere in a URI (RFC 3986) */

ngx_int_t
ngx_http_ims_admin_query(ngx_http_ims_admin_t *a, const char *names)
{
    u_char                    *p, *end, *last, *eq, name[24];
    ngx_str_t                 *args, ignored;
    ngx_http_ims_admin_arg_t  *arg;

    args = &a->request->args;
    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        eq = ngx_strlchr(p, end, '=');

        if (eq == NULL || eq == p || a->nargs == NGX_HTTP_IMS_ADMIN_ARGS) {
            return ngx_http_ims_admin_problem(a, 400, "the query has the "
                                              "form name=value&...");
        }

        arg = &a->args[a->nargs];

        if (ngx_http_ims_admin_decode(a, p, eq, &arg->name) != NGX_OK
            || ngx_http_ims_admin_decode(a, eq + 1, end, &arg->value)
               != NGX_OK)
        {
            return ngx_http_ims_admin_problem(a, 400, "the query has a bad "
                                              "\"%%\", or is no text");
        }

        *ngx_snprintf(name, sizeof(name) - 1, " %V ", &arg->name) = '\0';

        if (arg->name.len > 16 || ngx_strchr(arg->name.data, ' ')
            || ngx_strstr(names, name) == NULL)
        {
            return ngx_http_ims_admin_problem(a, 400, "unknown parameter "
                                              "\"%V\"", &arg->name);
        }

        if (ngx_http_ims_admin_arg(a, (char *) arg->name.data, &ignored)) {
            return ngx_http_ims_admin_problem(a, 400, "parameter \"%V\" is "
                                              "there twice", &arg->name);
        }

        a->nargs++;
    }

    return NGX_OK;
}


/* a copy with NUL; NGX_OK, or NGX_DECLINED */

static ngx_int_t
ngx_http_ims_admin_decode(ngx_http_ims_admin_t *a, u_char *p, u_char *last,
    ngx_str_t *out)
{
    u_char     *dst;
    ngx_int_t   n;

    dst = ngx_pnalloc(a->request->pool, last - p + 1);
    if (dst == NULL) {
        return NGX_DECLINED;
    }

    out->data = dst;

    for (/* void */; p < last; p++) {

        if (*p != '%') {
            *dst++ = *p;
            continue;
        }

        n = last - p < 3 ? NGX_ERROR : ngx_hextoi(p + 1, 2);

        if (n == NGX_ERROR) {
            return NGX_DECLINED;
        }

        *dst++ = (u_char) n;
        p += 2;
    }

    *dst = '\0';
    out->len = dst - out->data;

    return ngx_http_ims_admin_plain(out->data, out->len) ? NGX_OK
                                                         : NGX_DECLINED;
}


/* UTF-8 without control characters, short */

static ngx_uint_t
ngx_http_ims_admin_plain(u_char *p, size_t len)
{
    u_char    *last;
    uint32_t   c;

    if (len > NGX_HTTP_IMS_ADMIN_TEXT) {
        return 0;
    }

    for (last = p + len; p < last; /* void */) {
        c = *p < 0x80 ? *p++ : ngx_utf8_decode(&p, last - p);

        if (c < ' ' || c > 0x10ffff || (c >= 0x7f && c < 0xa0)
            || (c >= 0xd800 && c < 0xe000))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_ims_admin_arg(ngx_http_ims_admin_t *a, const char *name,
    ngx_str_t *value)
{
    ngx_uint_t  i;

    for (i = 0; i < a->nargs; i++) {
        if (ngx_strcmp(a->args[i].name.data, name) == 0) {
            *value = a->args[i].value;
            return 1;
        }
    }

    ngx_str_null(value);

    return 0;
}


ngx_int_t
ngx_http_ims_admin_page(ngx_http_ims_admin_t *a,
    ngx_http_ims_admin_page_t *page)
{
    ngx_int_t  n;
    ngx_str_t  value;

    page->limit = NGX_HTTP_IMS_ADMIN_LIMIT;
    page->cursor = 0;

    if (ngx_http_ims_admin_arg(a, "limit", &value)) {
        n = ngx_atoi(value.data, value.len);

        if (n < 1 || n > NGX_HTTP_IMS_ADMIN_MAX) {
            return ngx_http_ims_admin_problem(a, 400, "\"limit\" is 1 to %d",
                                              NGX_HTTP_IMS_ADMIN_MAX);
        }

        page->limit = n;
    }

    if (ngx_http_ims_admin_arg(a, "cursor", &value)) {
        n = ngx_atoi(value.data, value.len);

        if (n == NGX_ERROR || n > 0x7fffffff) {
            return ngx_http_ims_admin_problem(a, 400, "\"cursor\" is not one "
                                              "of ours");
        }

        page->cursor = n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_admin_body(ngx_http_ims_admin_t *a,
    ngx_http_ims_admin_member_t *member)
{
    json_t                       *value;
    const char                   *key;
    ngx_uint_t                    ok;
    ngx_http_ims_admin_member_t  *m;

    json_object_foreach(a->body, key, value) {

        for (m = member; m->name && ngx_strcmp(m->name, key) != 0; m++) {
            /* void */
        }

        if (m->name == NULL) {
            return ngx_http_ims_admin_problem(a, 400,
                                              "unknown member \"%s\"", key);
        }

        ok = m->type == JSON_TRUE ? json_is_boolean(value)
                                  : json_typeof(value) == m->type;

        if (ok && m->type == JSON_STRING) {
            ok = ngx_http_ims_admin_plain(
                                   (u_char *) json_string_value(value),
                                   json_string_length(value));
        }

        if (!ok) {
            return ngx_http_ims_admin_problem(a, 400, "\"%s\" is to be %s",
                       key, m->type == JSON_STRING
                       ? "a text of at most 255 bytes without control "
                         "characters"
                       : m->type == JSON_INTEGER ? "a whole number"
                                                 : "true or false");
        }
    }

    for (m = member; m->name; m++) {
        if (m->required && json_object_get(a->body, m->name) == NULL) {
            return ngx_http_ims_admin_problem(a, 400, "member \"%s\" is "
                                              "missing", m->name);
        }
    }

    return NGX_OK;
}


void
ngx_http_ims_admin_text(ngx_http_ims_admin_t *a, const char *name,
    ngx_str_t *text)
{
    json_t  *value;

    ngx_str_null(text);

    value = json_object_get(a->body, name);

    if (value != NULL) {
        text->data = (u_char *) json_string_value(value);
        text->len = json_string_length(value);
    }
}


ngx_int_t
ngx_http_ims_admin_user(ngx_http_ims_admin_t *a, ngx_str_t *user,
    ngx_str_t *issuer, u_char *key)
{
    if (issuer->len == 0) {
        *issuer = a->ilcf->issuer;
    }

    if (user->len == 0) {
        return ngx_http_ims_admin_problem(a, 400, "\"user\" is empty");
    }

    ngx_ims_pool_user(issuer, user, key);

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_admin_answer(ngx_http_ims_admin_t *a, ngx_uint_t status,
    json_t *o)
{
    char    *text;
    size_t   len;
    u_char  *p;

    text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_strlen(text);
    p = ngx_pnalloc(a->request->pool, len + 1);

    if (p != NULL) {
        ngx_memcpy(p, text, len);
        p[len] = '\n';
    }

    free(text);

    return p ? ngx_http_ims_send(a->request, status, "application/json", p,
                                 len + 1)
             : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_ims_admin_done(ngx_http_ims_admin_t *a)
{
    ngx_str_t  value;

    ngx_str_set(&value, "no-store");

    if (ngx_http_ims_header(a->request, "Cache-Control", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->request->headers_out.status = NGX_HTTP_NO_CONTENT;
    a->request->header_only = 1;

    return ngx_http_send_header(a->request);
}


ngx_int_t
ngx_http_ims_admin_problem(ngx_http_ims_admin_t *a, ngx_uint_t status,
    const char *fmt, ...)
{
    va_list    args;
    u_char     text[512];
    ngx_str_t  detail;

    va_start(args, fmt);
    detail.data = text;
    detail.len = ngx_vslprintf(text, text + sizeof(text), fmt, args) - text;
    va_end(args);

    a->rc = ngx_http_ims_problem(a->request, status, &detail);

    return NGX_DECLINED;
}


void
ngx_http_ims_admin_log(ngx_http_ims_admin_t *a, const char *fmt, ...)
{
    u_char               text[1024], who[64], *p, *last;
    va_list              args;
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_http_request_t  *r;

    r = a->request;

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    /* what basic authentication brought; it is not to end a line */

    rc = ngx_http_auth_basic_user(r);
    p = who;

    for (i = 0;
         rc == NGX_OK && i < r->headers_in.user.len && p < who + sizeof(who);
         i++)
    {
        *p = r->headers_in.user.data[i];

        if (*p < ' ' || *p >= 0x7f || *p == '"') {
            *p = '?';
        }

        p++;
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "administrator \"%*s\" at %V %*s", (size_t) (p - who), who,
                  &r->connection->addr_text, (size_t) (last - text), text);
}


json_t *
ngx_http_ims_admin_string(ngx_str_t *text)
{
    size_t   i;
    json_t  *s;
    u_char   copy[NGX_IMS_MAX_BLOB];

    s = json_stringn((char *) text->data, text->len);

    if (s == NULL && text->len <= sizeof(copy)) {

        for (i = 0; i < text->len; i++) {
            copy[i] = text->data[i] < 0x80 ? text->data[i] : '?';
        }

        s = json_stringn((char *) copy, text->len);
    }

    return s;
}


void
ngx_http_ims_admin_set(json_t *o, const char *name, ngx_str_t *text)
{
    (void) json_object_set_new(o, name,
                               text->len ? ngx_http_ims_admin_string(text)
                                         : json_null());
}


void
ngx_http_ims_admin_set_n(json_t *o, const char *name, int64_t n)
{
    (void) json_object_set_new(o, name, json_integer(n));
}


void
ngx_http_ims_admin_set_time(json_t *o, const char *name, time_t t)
{
    (void) json_object_set_new(o, name, t ? json_integer(t) : json_null());
}


void
ngx_http_ims_admin_set_flag(json_t *o, const char *name, ngx_uint_t flag)
{
    (void) json_object_set_new(o, name, json_boolean(flag));
}
