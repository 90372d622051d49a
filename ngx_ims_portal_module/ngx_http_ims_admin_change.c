/*
 * Copyright (C) the IMS portal authors
 *
 * What administrators change: leases, sessions, users, and whether this host
 * serves.  All of it goes through the zone, so it is in force in all workers,
 * and what is to be ended ends within a second.
 */


#include "ngx_http_ims_admin.h"
#include "ngx_ims_lease.h"


#define NGX_HTTP_IMS_ADMIN_FOREVER  315360000     /* s, ten years */


static ngx_int_t ngx_http_ims_admin_busy(ngx_http_ims_admin_t *a,
    const char *why);
static ngx_int_t ngx_http_ims_admin_until(ngx_http_ims_admin_t *a,
    time_t *until);
static json_t *ngx_http_ims_admin_blocked(ngx_ims_blocked_t *b);


static ngx_int_t
ngx_http_ims_admin_busy(ngx_http_ims_admin_t *a, const char *why)
{
    if (ngx_http_ims_retry_after(a->request, 2) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ims_admin_problem(a, 503, why);
}


ngx_int_t
ngx_http_ims_admin_release(ngx_http_ims_admin_t *a)
{
    u_char                buf[NGX_IMS_POOL_VIEW], text[NGX_IMS_MAX_IMPU];
    json_t               *o;
    uint32_t              lease;
    ngx_int_t             rc;
    ngx_str_t             value, impu;
    ngx_uint_t            now;
    ngx_ims_pool_view_t   view;

    now = 0;

    if (ngx_http_ims_admin_arg(a, "quarantine", &value)) {

        if (value.len != 1 || (value.data[0] | 1) != '1') {
            return ngx_http_ims_admin_problem(a, 400,
                                              "\"quarantine\" is 0 or 1");
        }

        now = (value.data[0] == '0');
    }

    if (ngx_http_ims_admin_which(a, &a->rest, &lease) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_ims_pool_view(a->pool, lease, &view, buf) != NGX_OK
        || view.state != NGX_IMS_LEASE_LEASED)
    {
        return ngx_http_ims_admin_problem(a, 409, "nobody has this identity");
    }

    impu.data = text;
    impu.len = ngx_ims_pool_impu(a->pool, lease, text);

    rc = ngx_ims_lease_release(a->pool, lease, view.seq, now);

    if (rc == NGX_DECLINED) {
        return ngx_http_ims_admin_problem(a, 409, "nobody has this identity");
    }

    /* sockets of his that have not registered are ended if there is room */

    if (ngx_ims_order_user(a->pool, view.user, NGX_IMS_ORDER_ENDED)
        != NGX_OK)
    {
        ngx_ims_order_lease(a->pool, lease, NGX_IMS_ORDER_ENDED);
    }

    ngx_http_ims_admin_log(a, "releases \"%V\" of user \"%V\" in pool \"%V\"",
                           &impu, &view.subject, &a->pool->name);

    if (rc == NGX_OK) {
        return ngx_http_ims_admin_done(a);
    }

    o = json_object();
    ngx_http_ims_admin_set(o, "identity", &impu);
    ngx_http_ims_admin_set_n(o, "sessions", view.sessions);

    return ngx_http_ims_admin_answer(a, 202, o);
}


ngx_int_t
ngx_http_ims_admin_end_session(ngx_http_ims_admin_t *a)
{
    u_char                buf[NGX_IMS_POOL_VIEW];
    json_t               *o;
    uint32_t              index, seq;
    ngx_ims_pool_seen_t   seen;

    if (ngx_http_ims_admin_id(&a->rest, &index, &seq) != NGX_OK
        || ngx_ims_pool_see(a->pool, index, &seen, buf) != NGX_OK
        || ngx_ims_order_binding(a->pool, index, seq, NGX_IMS_ORDER_ENDED)
           != NGX_OK)
    {
        return ngx_http_ims_admin_problem(a, 404, "no such session");
    }

    ngx_http_ims_admin_log(a, "ends a session of user \"%V\" in pool \"%V\"",
                           &seen.subject, &a->pool->name);

    o = json_object();
    ngx_http_ims_admin_set(o, "id", &a->rest);

    return ngx_http_ims_admin_answer(a, 202, o);
}


ngx_int_t
ngx_http_ims_admin_end(ngx_http_ims_admin_t *a)
{
    u_char                key[NGX_IMS_DIGEST_LEN], buf[NGX_IMS_POOL_VIEW];
    json_t               *o;
    uint32_t              lease;
    ngx_str_t             user, issuer;
    ngx_ims_pool_view_t   view;

    static ngx_http_ims_admin_member_t  members[] = {
        { "user", JSON_STRING, 1 },
        { "issuer", JSON_STRING, 0 },
        { NULL, 0, 0 }
    };

    if (ngx_http_ims_admin_body(a, members) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_ims_admin_text(a, "user", &user);
    ngx_http_ims_admin_text(a, "issuer", &issuer);

    if (ngx_http_ims_admin_user(a, &user, &issuer, key) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_memzero(&view, sizeof(ngx_ims_pool_view_t));

    if (ngx_ims_pool_whose(a->pool, key, &lease) == NGX_OK) {
        (void) ngx_ims_pool_view(a->pool, lease, &view, buf);
    }

    if (ngx_ims_order_user(a->pool, key, NGX_IMS_ORDER_ENDED) != NGX_OK) {
        return ngx_http_ims_admin_busy(a, "too many users at once");
    }

    ngx_http_ims_admin_log(a, "ends user \"%V\" of \"%V\" in pool \"%V\"",
                           &user, &issuer, &a->pool->name);

    o = json_object();
    ngx_http_ims_admin_set(o, "user", &user);
    ngx_http_ims_admin_set(o, "issuer", &issuer);
    ngx_http_ims_admin_set_n(o, "sessions", view.sessions);

    return ngx_http_ims_admin_answer(a, 202, o);
}


ngx_int_t
ngx_http_ims_admin_move(ngx_http_ims_admin_t *a)
{
    u_char      key[NGX_IMS_DIGEST_LEN], before[NGX_IMS_MAX_IMPU];
    u_char      after[NGX_IMS_MAX_IMPU];
    json_t     *o;
    uint32_t    former, lease;
    ngx_str_t   user, issuer, identity, was;

    static ngx_http_ims_admin_member_t  members[] = {
        { "user", JSON_STRING, 1 },
        { "issuer", JSON_STRING, 0 },
        { "identity", JSON_STRING, 1 },
        { NULL, 0, 0 }
    };

    if (ngx_http_ims_admin_body(a, members) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_ims_admin_text(a, "user", &user);
    ngx_http_ims_admin_text(a, "issuer", &issuer);
    ngx_http_ims_admin_text(a, "identity", &identity);

    if (a->pool->share != NULL) {
        return ngx_http_ims_admin_problem(a, 409, "hosts share this pool: "
                                          "its server gives out identities");
    }

    if (ngx_http_ims_admin_user(a, &user, &issuer, key) != NGX_OK
        || ngx_http_ims_admin_which(a, &identity, &lease) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_ims_pool_whose(a->pool, key, &former) != NGX_OK) {
        return ngx_http_ims_admin_problem(a, 404, "the user has no identity");
    }

    was.data = before;
    was.len = ngx_ims_pool_impu(a->pool, former, before);
    identity.data = after;
    identity.len = ngx_ims_pool_impu(a->pool, lease, after);

    switch (ngx_ims_pool_move(a->pool, key, lease)) {

    case NGX_OK:
        break;

    case NGX_BUSY:
        return ngx_http_ims_admin_problem(a, 409, "\"%V\" is another user's",
                                          &identity);

    case NGX_ABORT:
        return ngx_http_ims_admin_problem(a, 409, "\"%V\" is in its "
                                          "quarantine, or not for this user",
                                          &identity);

    default:
        return ngx_http_ims_admin_problem(a, 404, "the user has no identity");
    }

    ngx_http_ims_admin_log(a, "moves user \"%V\" of \"%V\" from \"%V\" to "
                           "\"%V\" in pool \"%V\"", &user, &issuer, &was,
                           &identity, &a->pool->name);

    o = json_object();
    ngx_http_ims_admin_set(o, "user", &user);
    ngx_http_ims_admin_set(o, "issuer", &issuer);
    ngx_http_ims_admin_set(o, "identity", &identity);
    ngx_http_ims_admin_set(o, "former", &was);

    return ngx_http_ims_admin_answer(a, 200, o);
}


ngx_int_t
ngx_http_ims_admin_blocks(ngx_http_ims_admin_t *a)
{
    json_t                     *o, *list;
    u_char                      buf[NGX_IMS_BLOCKED_BUFFER + 1];
    u_char                      text[NGX_INT32_LEN + 1];
    uint32_t                    i;
    ngx_int_t                   rc;
    ngx_uint_t                  n;
    ngx_ims_blocked_t           b;
    ngx_http_ims_admin_page_t   page;

    if (ngx_http_ims_admin_page(a, &page) != NGX_OK) {
        return NGX_DECLINED;
    }

    o = json_object();
    list = json_array();
    rc = NGX_OK;

    for (i = page.cursor, n = 0; /* void */; i++, n++) {
        rc = ngx_ims_deny_next_block(a->pool, &i, &b, buf);

        if (rc != NGX_OK || n == page.limit) {
            break;
        }

        (void) json_array_append_new(list, ngx_http_ims_admin_blocked(&b));
    }

    *ngx_sprintf(text, "%uD", i) = '\0';

    (void) json_object_set_new(o, "blocks", list);
    (void) json_object_set_new(o, "next", rc == NGX_OK
                                          ? json_string((char *) text)
                                          : json_null());

    return ngx_http_ims_admin_answer(a, 200, o);
}


static json_t *
ngx_http_ims_admin_blocked(ngx_ims_blocked_t *b)
{
    json_t  *o;

    o = json_object();

    ngx_http_ims_admin_set(o, "user", &b->subject);
    ngx_http_ims_admin_set(o, "issuer", &b->issuer);
    ngx_http_ims_admin_set_time(o, "since", b->since);
    ngx_http_ims_admin_set_time(o, "until", b->until);
    ngx_http_ims_admin_set(o, "reason", &b->reason);
    ngx_http_ims_admin_set(o, "by", &b->by);

    return o;
}


/* "until", s since the epoch, or "for", s: one of them */

static ngx_int_t
ngx_http_ims_admin_until(ngx_http_ims_admin_t *a, time_t *until)
{
    json_t  *at, *life;
    time_t   now;
    int64_t  n;

    now = ngx_time();

    at = json_object_get(a->body, "until");
    life = json_object_get(a->body, "for");

    if ((at == NULL) == (life == NULL)) {
        return ngx_http_ims_admin_problem(a, 400, "one of \"until\" and "
                                          "\"for\" is needed");
    }

    n = json_integer_value(at ? at : life);

    if (at != NULL && n > now) {
        n -= now;

    } else if (at != NULL) {
        n = 0;
    }

    if (n < 1 || n > NGX_HTTP_IMS_ADMIN_FOREVER) {
        return ngx_http_ims_admin_problem(a, 400, "a block ends within ten "
                                          "years, and not before now");
    }

    *until = now + n;

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_admin_block(ngx_http_ims_admin_t *a)
{
    ngx_ims_blocked_t    b;
    ngx_http_request_t  *r;

    static ngx_http_ims_admin_member_t  members[] = {
        { "user", JSON_STRING, 1 },
        { "issuer", JSON_STRING, 0 },
        { "until", JSON_INTEGER, 0 },
        { "for", JSON_INTEGER, 0 },
        { "reason", JSON_STRING, 0 },
        { NULL, 0, 0 }
    };

    ngx_memzero(&b, sizeof(ngx_ims_blocked_t));

    if (ngx_http_ims_admin_body(a, members) != NGX_OK
        || ngx_http_ims_admin_until(a, &b.until) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_ims_admin_text(a, "user", &b.subject);
    ngx_http_ims_admin_text(a, "issuer", &b.issuer);
    ngx_http_ims_admin_text(a, "reason", &b.reason);

    if (ngx_http_ims_admin_user(a, &b.subject, &b.issuer, b.user) != NGX_OK) {
        return NGX_DECLINED;
    }

    r = a->request;

    if (ngx_http_auth_basic_user(r) == NGX_OK) {
        b.by = r->headers_in.user;
        b.by.len = ngx_min(b.by.len, 64);
    }

    if (ngx_ims_deny_block(a->pool, &b) != NGX_OK) {
        return ngx_http_ims_admin_busy(a, "no room for another block");
    }

    ngx_http_ims_admin_log(a, "blocks user \"%V\" of \"%V\" for %T s in pool "
                           "\"%V\", reason \"%V\"", &b.subject, &b.issuer,
                           b.until - b.since, &a->pool->name, &b.reason);

    if (ngx_ims_order_user(a->pool, b.user, NGX_IMS_ORDER_BLOCKED) != NGX_OK) {
        return ngx_http_ims_admin_busy(a, "too many users at once: blocked, "
                                       "but not ended");
    }

    return ngx_http_ims_admin_answer(a, 200, ngx_http_ims_admin_blocked(&b));
}


ngx_int_t
ngx_http_ims_admin_unblock(ngx_http_ims_admin_t *a)
{
    u_char     key[NGX_IMS_DIGEST_LEN];
    ngx_str_t  user, issuer;

    (void) ngx_http_ims_admin_arg(a, "user", &user);
    (void) ngx_http_ims_admin_arg(a, "issuer", &issuer);

    if (ngx_http_ims_admin_user(a, &user, &issuer, key) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_ims_deny_unblock(a->pool, key) != NGX_OK) {
        return ngx_http_ims_admin_problem(a, 404, "the user is not blocked");
    }

    ngx_http_ims_admin_log(a, "unblocks user \"%V\" of \"%V\" in pool \"%V\"",
                           &user, &issuer, &a->pool->name);

    return ngx_http_ims_admin_done(a);
}


json_t *
ngx_http_ims_admin_drain_state(ngx_ims_pool_t *pool)
{
    json_t           *o;
    time_t            since;
    ngx_ims_drain_e   drain;

    o = json_object();
    drain = ngx_ims_order_drained(pool, &since);

    ngx_http_ims_admin_set_flag(o, "on", drain != NGX_IMS_DRAIN_OFF);
    ngx_http_ims_admin_set_flag(o, "close", drain == NGX_IMS_DRAIN_CLOSE);
    ngx_http_ims_admin_set_time(o, "since",
                                drain == NGX_IMS_DRAIN_OFF ? 0 : since);
    ngx_http_ims_admin_set_n(o, "sockets", ngx_ims_workers_sockets(pool));

    return o;
}


ngx_int_t
ngx_http_ims_admin_drained(ngx_http_ims_admin_t *a)
{
    json_t           *o, *list, *one;
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;

    if (a->pool != NULL) {
        return ngx_http_ims_admin_answer(a, 200,
                                     ngx_http_ims_admin_drain_state(a->pool));
    }

    o = json_object();
    list = json_array();
    pool = a->imcf->pools.elts;

    for (i = 0; i < a->imcf->pools.nelts; i++) {
        one = ngx_http_ims_admin_drain_state(pool[i]);
        ngx_http_ims_admin_set(one, "pool", &pool[i]->name);
        (void) json_array_append_new(list, one);
    }

    (void) json_object_set_new(o, "pools", list);

    return ngx_http_ims_admin_answer(a, 200, o);
}


ngx_int_t
ngx_http_ims_admin_drain(ngx_http_ims_admin_t *a)
{
    ngx_str_t         name;
    ngx_uint_t        i, on, off;
    ngx_ims_pool_t  **pool;
    ngx_ims_drain_e   drain;

    static ngx_http_ims_admin_member_t  members[] = {
        { "on", JSON_TRUE, 1 },
        { "close", JSON_TRUE, 0 },
        { NULL, 0, 0 }
    };

    if (ngx_http_ims_admin_body(a, members) != NGX_OK) {
        return NGX_DECLINED;
    }

    on = json_is_true(json_object_get(a->body, "on"));
    off = json_is_true(json_object_get(a->body, "close"));

    if (off && !on) {
        return ngx_http_ims_admin_problem(a, 400, "\"close\" without \"on\"");
    }

    drain = off ? NGX_IMS_DRAIN_CLOSE
                : on ? NGX_IMS_DRAIN_NEW : NGX_IMS_DRAIN_OFF;

    if (a->pool != NULL) {
        ngx_ims_order_drain(a->pool, drain);
        name = a->pool->name;

    } else {
        pool = a->imcf->pools.elts;

        for (i = 0; i < a->imcf->pools.nelts; i++) {
            ngx_ims_order_drain(pool[i], drain);
        }

        ngx_str_set(&name, "*");
    }

    ngx_http_ims_admin_log(a, "%s pool \"%V\"",
                           drain == NGX_IMS_DRAIN_CLOSE ? "empties"
                           : drain == NGX_IMS_DRAIN_NEW
                             ? "lets nobody new into"
                             : "puts back into service", &name);

    return ngx_http_ims_admin_drained(a);
}
