/*
 * Copyright (C) the IMS portal authors
 *
 * The lists of the administration API: identities and sessions, page by page.
 * A page is bounded in what it looks at, too: one that finds little ends early,
 * with the cursor of where it was.
 */


#include "ngx_http_ims_admin.h"


/* what a page may cost, and what a look at an entry costs beside skipping it */

#define NGX_HTTP_IMS_ADMIN_WORK  400000
#define NGX_HTTP_IMS_ADMIN_LOOK  16


enum {
    NGX_HTTP_IMS_ADMIN_ANY = -1
};


typedef struct {
    ngx_str_t                 search;         /* in lower case */
    ngx_str_t                 user;
    ngx_str_t                 issuer;
    ngx_int_t                 state;
} ngx_http_ims_admin_filter_t;


static const char  *ngx_http_ims_admin_lease_states[] = {
    "unused", "free", "leased", "resting", NULL
};


/* of a session; the first two are with a socket */

enum {
    NGX_HTTP_IMS_ADMIN_CONNECTED = 0,
    NGX_HTTP_IMS_ADMIN_REGISTERED,
    NGX_HTTP_IMS_ADMIN_AWAY,
    NGX_HTTP_IMS_ADMIN_LEAVING
};

static const char  *ngx_http_ims_admin_session_states[] = {
    "connected", "registered", "away", "leaving", NULL
};


static ngx_int_t ngx_http_ims_admin_filter(ngx_http_ims_admin_t *a,
    const char **states, ngx_http_ims_admin_filter_t *f);
static ngx_uint_t ngx_http_ims_admin_match(ngx_http_ims_admin_filter_t *f,
    ngx_str_t *user, ngx_str_t *issuer, ngx_str_t *identity);
static ngx_uint_t ngx_http_ims_admin_has(ngx_str_t *text, ngx_str_t *part);
static ngx_uint_t ngx_http_ims_admin_skip(ngx_ims_pool_t *pool, uint32_t i,
    ngx_http_ims_admin_filter_t *f);
static json_t *ngx_http_ims_admin_identity(ngx_ims_pool_t *pool,
    ngx_ims_pool_view_t *view, ngx_str_t *impu);
static void ngx_http_ims_admin_aliases(json_t *o, ngx_ims_pool_t *pool,
    ngx_ims_pool_view_t *view, ngx_str_t *impu);
static json_t *ngx_http_ims_admin_browser(ngx_ims_pool_t *pool,
    ngx_ims_pool_seen_t *seen, ngx_str_t *impu);
static ngx_uint_t ngx_http_ims_admin_session_state(ngx_ims_pool_seen_t *seen);
static ngx_int_t ngx_http_ims_admin_list(ngx_http_ims_admin_t *a,
    const char *name, json_t *list, uint32_t next, uint32_t end);


static ngx_int_t
ngx_http_ims_admin_filter(ngx_http_ims_admin_t *a, const char **states,
    ngx_http_ims_admin_filter_t *f)
{
    ngx_str_t    value;
    ngx_uint_t   i;

    f->state = NGX_HTTP_IMS_ADMIN_ANY;

    (void) ngx_http_ims_admin_arg(a, "user", &f->user);
    (void) ngx_http_ims_admin_arg(a, "issuer", &f->issuer);

    if (ngx_http_ims_admin_arg(a, "search", &f->search)) {
        ngx_strlow(f->search.data, f->search.data, f->search.len);
    }

    if (!ngx_http_ims_admin_arg(a, "state", &value)) {
        return NGX_OK;
    }

    for (i = 0; states[i]; i++) {
        if (ngx_strcmp(states[i], value.data) == 0
            && ngx_strcmp(value.data, "unused") != 0)
        {
            f->state = i;
            return NGX_OK;
        }
    }

    return ngx_http_ims_admin_problem(a, 400, "unknown state \"%V\"", &value);
}


static ngx_uint_t
ngx_http_ims_admin_match(ngx_http_ims_admin_filter_t *f, ngx_str_t *user,
    ngx_str_t *issuer, ngx_str_t *identity)
{
    if (f->user.len && (f->user.len != user->len
                        || ngx_memcmp(f->user.data, user->data, user->len)
                           != 0))
    {
        return 0;
    }

    if (f->issuer.len
        && (f->issuer.len != issuer->len
            || ngx_memcmp(f->issuer.data, issuer->data, issuer->len) != 0))
    {
        return 0;
    }

    return f->search.len == 0 || ngx_http_ims_admin_has(user, &f->search)
           || ngx_http_ims_admin_has(identity, &f->search);
}


/* 1 when a text has a part, which is in lower case */

static ngx_uint_t
ngx_http_ims_admin_has(ngx_str_t *text, ngx_str_t *part)
{
    size_t  i, k;

    for (i = 0; i + part->len <= text->len; i++) {

        for (k = 0;
             k < part->len && ngx_tolower(text->data[i + k]) == part->data[k];
             k++)
        {
            /* void */
        }

        if (k == part->len) {
            return 1;
        }
    }

    return 0;
}


/* 1: it cannot be meant, by what is seen without the lock */

static ngx_uint_t
ngx_http_ims_admin_skip(ngx_ims_pool_t *pool, uint32_t i,
    ngx_http_ims_admin_filter_t *f)
{
    uint32_t  state;

    state = pool->zone.leases[i].state;

    switch (state) {

    case NGX_IMS_LEASE_UNUSED:
        return 1;

    case NGX_IMS_LEASE_FREE:
        return f->user.len || f->issuer.len
               || (f->state != NGX_HTTP_IMS_ADMIN_ANY
                   && f->state != NGX_IMS_LEASE_FREE);

    default:
        return f->state == NGX_IMS_LEASE_LEASED && state != f->state;
    }
}


ngx_int_t
ngx_http_ims_admin_leases(ngx_http_ims_admin_t *a)
{
    u_char                       buf[NGX_IMS_POOL_VIEW];
    u_char                       text[NGX_IMS_MAX_IMPU];
    json_t                      *list;
    uint32_t                     i, end;
    ngx_str_t                    impu;
    ngx_uint_t                   n, work;
    ngx_ims_pool_view_t          view;
    ngx_http_ims_admin_page_t    page;
    ngx_http_ims_admin_filter_t  f;

    if (ngx_http_ims_admin_page(a, &page) != NGX_OK
        || ngx_http_ims_admin_filter(a, ngx_http_ims_admin_lease_states, &f)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    list = json_array();
    end = a->pool->zone.sh->nleases;
    impu.data = text;
    n = 0;

    for (i = page.cursor, work = 0;
         i < end && n < page.limit && work < NGX_HTTP_IMS_ADMIN_WORK;
         i++, work++)
    {
        if (ngx_http_ims_admin_skip(a->pool, i, &f)) {
            continue;
        }

        work += NGX_HTTP_IMS_ADMIN_LOOK;

        if (ngx_ims_pool_view(a->pool, i, &view, buf) != NGX_OK
            || (f.state != NGX_HTTP_IMS_ADMIN_ANY
                && view.state != (uint32_t) f.state))
        {
            continue;
        }

        impu.len = ngx_ims_pool_impu(a->pool, i, text);

        if (impu.len
            && ngx_http_ims_admin_match(&f, &view.subject, &view.issuer,
                                        &impu))
        {
            (void) json_array_append_new(list,
                         ngx_http_ims_admin_identity(a->pool, &view, &impu));
            n++;
        }
    }

    return ngx_http_ims_admin_list(a, "leases", list, i, end);
}


static ngx_int_t
ngx_http_ims_admin_list(ngx_http_ims_admin_t *a, const char *name,
    json_t *list, uint32_t next, uint32_t end)
{
    u_char   text[NGX_INT32_LEN + 1];
    json_t  *o;

    o = json_object();

    (void) json_object_set_new(o, name, list);

    *ngx_sprintf(text, "%uD", next) = '\0';

    (void) json_object_set_new(o, "next", next < end
                                          ? json_string((char *) text)
                                          : json_null());

    return ngx_http_ims_admin_answer(a, 200, o);
}


static json_t *
ngx_http_ims_admin_identity(ngx_ims_pool_t *pool, ngx_ims_pool_view_t *view,
    ngx_str_t *impu)
{
    json_t     *o;
    ngx_str_t   state;

    o = json_object();

    state.data = (u_char *) ngx_http_ims_admin_lease_states[view->state];
    state.len = ngx_strlen(state.data);

    ngx_http_ims_admin_set(o, "identity", impu);
    ngx_http_ims_admin_aliases(o, pool, view, impu);
    ngx_http_ims_admin_set(o, "state", &state);
    ngx_http_ims_admin_set(o, "user", &view->subject);
    ngx_http_ims_admin_set(o, "issuer", &view->issuer);
    ngx_http_ims_admin_set_time(o, "since", view->since);
    ngx_http_ims_admin_set_time(o, "expires", view->expires);
    ngx_http_ims_admin_set_n(o, "sessions", view->sessions);
    ngx_http_ims_admin_set_n(o, "away", view->away);
    ngx_http_ims_admin_set_n(o, "calls", view->calls);
    ngx_http_ims_admin_set_flag(o, "leaving", view->leaving);
    ngx_http_ims_admin_set_flag(o, "blocked",
                                view->state != NGX_IMS_LEASE_FREE
                                && ngx_ims_deny_blocked(pool, view->user));

    return o;
}


/* what the core said that the user is, too; known while he is registered */

static void
ngx_http_ims_admin_aliases(json_t *o, ngx_ims_pool_t *pool,
    ngx_ims_pool_view_t *view, ngx_str_t *impu)
{
    u_char     *p, *end, *start, text[NGX_IMS_MAX_BLOB];
    json_t     *list;
    ngx_str_t   uri;

    list = json_array();
    p = text;
    end = text;

    if (view->sessions) {
        end += ngx_ims_binding_associated(pool, view->index, text);
    }

    for (/* void */; p < end; p = uri.data + uri.len) {
        start = ngx_strlchr(p, end, '<');
        p = start ? ngx_strlchr(start, end, '>') : NULL;

        if (p == NULL) {
            break;
        }

        uri.data = start + 1;
        uri.len = p - uri.data;

        if (uri.len != impu->len
            || ngx_memcmp(uri.data, impu->data, uri.len) != 0)
        {
            (void) json_array_append_new(list,
                                         ngx_http_ims_admin_string(&uri));
        }
    }

    (void) json_object_set_new(o, "aliases", list);
}


ngx_int_t
ngx_http_ims_admin_which(ngx_http_ims_admin_t *a, ngx_str_t *text,
    uint32_t *lease)
{
    if (ngx_ims_pool_identity(a->pool, text, lease) != NGX_OK) {
        return ngx_http_ims_admin_problem(a, 404, "no such identity");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_admin_lease(ngx_http_ims_admin_t *a)
{
    u_char                buf[NGX_IMS_POOL_VIEW], text[NGX_IMS_MAX_IMPU];
    u_char                impi_text[NGX_IMS_MAX_IMPU];
    json_t               *o;
    uint32_t              lease;
    ngx_str_t             impu, impi;
    ngx_ims_pool_view_t   view;

    if (ngx_http_ims_admin_which(a, &a->rest, &lease) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_ims_pool_view(a->pool, lease, &view, buf) != NGX_OK) {
        return ngx_http_ims_admin_problem(a, 404, "no such identity");
    }

    impu.data = text;
    impu.len = ngx_ims_pool_impu(a->pool, lease, text);
    impi.data = impi_text;
    impi.len = ngx_ims_pool_impi(a->pool, lease, impi_text);

    o = ngx_http_ims_admin_identity(a->pool, &view, &impu);
    ngx_http_ims_admin_set(o, "private_identity", &impi);

    return ngx_http_ims_admin_answer(a, 200, o);
}


ngx_int_t
ngx_http_ims_admin_sessions(ngx_http_ims_admin_t *a)
{
    u_char                       buf[NGX_IMS_POOL_VIEW];
    u_char                       text[NGX_IMS_MAX_IMPU];
    json_t                      *list;
    uint32_t                     i, end;
    ngx_str_t                    impu;
    ngx_uint_t                   n, work;
    ngx_ims_pool_seen_t          seen;
    ngx_http_ims_admin_page_t    page;
    ngx_http_ims_admin_filter_t  f;

    if (ngx_http_ims_admin_page(a, &page) != NGX_OK
        || ngx_http_ims_admin_filter(a, ngx_http_ims_admin_session_states, &f)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    list = json_array();
    end = a->pool->zone.sh->nbindings;
    impu.data = text;
    n = 0;

    for (i = page.cursor, work = 0;
         i < end && n < page.limit && work < NGX_HTTP_IMS_ADMIN_WORK;
         i++, work++)
    {
        if (a->pool->zone.bindings[i].state == NGX_IMS_BINDING_FREE) {
            continue;
        }

        work += NGX_HTTP_IMS_ADMIN_LOOK;

        if (ngx_ims_pool_see(a->pool, i, &seen, buf) != NGX_OK
            || (f.state != NGX_HTTP_IMS_ADMIN_ANY
                && ngx_http_ims_admin_session_state(&seen)
                   != (ngx_uint_t) f.state))
        {
            continue;
        }

        impu.len = ngx_ims_pool_impu(a->pool, seen.lease, text);

        if (ngx_http_ims_admin_match(&f, &seen.subject, &seen.issuer, &impu)) {
            (void) json_array_append_new(list,
                          ngx_http_ims_admin_browser(a->pool, &seen, &impu));
            n++;
        }
    }

    return ngx_http_ims_admin_list(a, "sessions", list, i, end);
}


static ngx_uint_t
ngx_http_ims_admin_session_state(ngx_ims_pool_seen_t *seen)
{
    if (seen->state == NGX_IMS_BINDING_LEAVING) {
        return NGX_HTTP_IMS_ADMIN_LEAVING;
    }

    if (seen->owner.pid == 0) {
        return NGX_HTTP_IMS_ADMIN_AWAY;
    }

    return seen->state == NGX_IMS_BINDING_REGISTERED
           ? NGX_HTTP_IMS_ADMIN_REGISTERED : NGX_HTTP_IMS_ADMIN_CONNECTED;
}


static json_t *
ngx_http_ims_admin_browser(ngx_ims_pool_t *pool, ngx_ims_pool_seen_t *seen,
    ngx_str_t *impu)
{
    u_char      id[2 * NGX_INT32_LEN + 1];
    json_t     *o;
    ngx_str_t   text;

    o = json_object();

    text.data = id;
    text.len = ngx_sprintf(id, "%uD-%uD", seen->index, seen->seq) - id;
    ngx_http_ims_admin_set(o, "id", &text);

    ngx_http_ims_admin_set(o, "identity", impu);
    ngx_http_ims_admin_set(o, "user", &seen->subject);
    ngx_http_ims_admin_set(o, "issuer", &seen->issuer);

    text.data = (u_char *) ngx_http_ims_admin_session_states[
                                      ngx_http_ims_admin_session_state(seen)];
    text.len = ngx_strlen(text.data);
    ngx_http_ims_admin_set(o, "state", &text);

    ngx_http_ims_admin_set_time(o, "since", seen->since);
    ngx_http_ims_admin_set_time(o, "expires", seen->expires);
    ngx_http_ims_admin_set_time(o, "away_until", seen->until);
    ngx_http_ims_admin_set_time(o, "worker", seen->owner.pid);
    ngx_http_ims_admin_set_n(o, "calls", seen->calls);

    return o;
}


ngx_int_t
ngx_http_ims_admin_id(ngx_str_t *text, uint32_t *index, uint32_t *seq)
{
    u_char    *p;
    ngx_int_t  i, s;

    p = ngx_strlchr(text->data, text->data + text->len, '-');

    if (p == NULL) {
        return NGX_DECLINED;
    }

    i = ngx_atoi(text->data, p - text->data);
    s = ngx_atoi(p + 1, text->data + text->len - (p + 1));

    if (i == NGX_ERROR || s == NGX_ERROR || i > 0xffffffff || s > 0xffffffff) {
        return NGX_DECLINED;
    }

    *index = (uint32_t) i;
    *seq = (uint32_t) s;

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_admin_session(ngx_http_ims_admin_t *a)
{
    u_char                buf[NGX_IMS_POOL_VIEW], text[NGX_IMS_MAX_IMPU];
    uint32_t              index, seq;
    ngx_str_t             impu;
    ngx_ims_pool_seen_t   seen;

    if (ngx_http_ims_admin_id(&a->rest, &index, &seq) != NGX_OK
        || ngx_ims_pool_see(a->pool, index, &seen, buf) != NGX_OK
        || seen.seq != seq)
    {
        return ngx_http_ims_admin_problem(a, 404, "no such session");
    }

    impu.data = text;
    impu.len = ngx_ims_pool_impu(a->pool, seen.lease, text);

    return ngx_http_ims_admin_answer(a, 200,
                          ngx_http_ims_admin_browser(a->pool, &seen, &impu));
}
