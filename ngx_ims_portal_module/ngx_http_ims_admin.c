/*
 * Copyright (C) the IMS portal authors
 *
 * The administration API: which resource, which method, and what of the request
 * is taken for what.  Who may use it is nginx's business (allow, auth_basic,
 * auth_request, client certificates).
 */


#include "ngx_http_ims_admin.h"


typedef struct {
    ngx_str_t                 path;           /* "leases/": something behind */
    ngx_uint_t                method;
    ngx_http_ims_admin_pt     handler;
    const char               *args;           /* names, spaces around each */
    ngx_uint_t                all;            /* also of all pools */
} ngx_http_ims_admin_route_t;


static ngx_int_t ngx_http_ims_admin_find(ngx_http_ims_admin_t *a,
    ngx_str_t *path);
static ngx_int_t ngx_http_ims_admin_within(ngx_http_ims_admin_t *a,
    ngx_str_t *path);
static ngx_int_t ngx_http_ims_admin_method(ngx_http_ims_admin_t *a,
    ngx_str_t *path, ngx_http_ims_admin_route_t **found);
static ngx_int_t ngx_http_ims_admin_overview(ngx_http_ims_admin_t *a);
static json_t *ngx_http_ims_admin_pool(ngx_http_ims_admin_t *a,
    ngx_ims_pool_t *pool);
static ngx_int_t ngx_http_ims_admin_read(ngx_http_ims_admin_t *a);
static void ngx_http_ims_admin_post(ngx_http_request_t *r);
static void ngx_http_ims_admin_free(void *data);


static ngx_http_ims_admin_route_t  ngx_http_ims_admin_routes[] = {

    { ngx_string(""), NGX_HTTP_GET, ngx_http_ims_admin_overview, "", 1 },

    { ngx_string("leases"), NGX_HTTP_GET, ngx_http_ims_admin_leases,
      " search state user issuer limit cursor ", 0 },

    { ngx_string("leases/"), NGX_HTTP_GET, ngx_http_ims_admin_lease, "", 0 },

    { ngx_string("leases/"), NGX_HTTP_DELETE, ngx_http_ims_admin_release,
      " quarantine ", 0 },

    { ngx_string("sessions"), NGX_HTTP_GET, ngx_http_ims_admin_sessions,
      " search state user issuer limit cursor ", 0 },

    { ngx_string("sessions/"), NGX_HTTP_GET, ngx_http_ims_admin_session,
      "", 0 },

    { ngx_string("sessions/"), NGX_HTTP_DELETE,
      ngx_http_ims_admin_end_session, "", 0 },

    { ngx_string("users/end"), NGX_HTTP_POST, ngx_http_ims_admin_end, "", 0 },

    { ngx_string("users/move"), NGX_HTTP_POST, ngx_http_ims_admin_move,
      "", 0 },

    { ngx_string("users/block"), NGX_HTTP_GET, ngx_http_ims_admin_blocks,
      " limit cursor ", 0 },

    { ngx_string("users/block"), NGX_HTTP_POST, ngx_http_ims_admin_block,
      "", 0 },

    { ngx_string("users/block"), NGX_HTTP_DELETE,
      ngx_http_ims_admin_unblock, " user issuer ", 0 },

    { ngx_string("drain"), NGX_HTTP_GET, ngx_http_ims_admin_drained, "", 1 },

    { ngx_string("drain"), NGX_HTTP_POST, ngx_http_ims_admin_drain, "", 1 },

    { ngx_null_string, 0, NULL, NULL, 0 }
};


ngx_int_t
ngx_http_ims_admin(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_str_t              path;
    ngx_pool_cleanup_t    *cln;
    ngx_http_ims_admin_t  *a;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_ims_admin_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a = cln->data;
    ngx_memzero(a, sizeof(ngx_http_ims_admin_t));

    cln->handler = ngx_http_ims_admin_free;
    ctx->admin = a;

    a->request = r;
    a->imcf = imcf;
    a->ilcf = ilcf;
    a->pool = ilcf->admin_pool;

    rc = ngx_http_ims_admin_find(a, &path);

    if (rc == NGX_OK && imcf->worker == NULL) {
        rc = ngx_http_ims_admin_problem(a, 503, "no worker");
    }

    if (rc == NGX_OK) {

        if (r->method == NGX_HTTP_POST) {
            rc = ngx_http_ims_admin_read(a);

        } else {
            rc = ngx_http_discard_request_body(r);

            if (rc == NGX_OK) {
                rc = a->handler(a);
            }
        }
    }

    return rc == NGX_DECLINED ? a->rc : rc;
}


static void
ngx_http_ims_admin_free(void *data)
{
    ngx_http_ims_admin_t  *a;

    a = data;

    if (a->body != NULL) {
        json_decref(a->body);
    }
}


/* NGX_OK with what is to be done, or what was answered */

static ngx_int_t
ngx_http_ims_admin_find(ngx_http_ims_admin_t *a, ngx_str_t *path)
{
    ngx_int_t                    rc;
    ngx_http_request_t          *r;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_ims_admin_route_t  *route;

    r = a->request;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* nginx has undone the "%" strictly, and ".." does not lead out of it */

    path->data = r->uri.data + ngx_min(clcf->name.len, r->uri.len);
    path->len = r->uri.data + r->uri.len - path->data;

    if (clcf->name.len && clcf->name.data[clcf->name.len - 1] != '/'
        && path->len)
    {
        if (path->data[0] != '/') {
            return ngx_http_ims_admin_problem(a, 404, "no such resource");
        }

        path->data++;
        path->len--;
    }

    rc = ngx_http_ims_admin_within(a, path);

    if (rc != NGX_OK) {
        return rc;
    }

    route = NULL;
    rc = ngx_http_ims_admin_method(a, path, &route);

    if (rc != NGX_OK) {
        return rc;
    }

    if (a->pool == NULL && !route->all) {
        return ngx_http_ims_admin_problem(a, 404, "name the pool: "
                                          "pools/NAME/%V", path);
    }

    /* the form of a foreign page in an administrator's browser */

    if (route->method != NGX_HTTP_GET
        && ngx_http_ims_origin(r, a->ilcf) != NGX_OK)
    {
        return ngx_http_ims_admin_problem(a, 403, "foreign origin");
    }

    a->handler = route->handler;

    return ngx_http_ims_admin_query(a, route->args);
}


/* "pools/NAME/..." where a location is for all */

static ngx_int_t
ngx_http_ims_admin_within(ngx_http_ims_admin_t *a, ngx_str_t *path)
{
    u_char     *p, *last;
    ngx_str_t   name;

    if (a->pool != NULL || path->len < 6
        || ngx_strncmp(path->data, "pools/", 6) != 0)
    {
        return NGX_OK;
    }

    last = path->data + path->len;

    name.data = path->data + 6;
    p = ngx_strlchr(name.data, last, '/');

    name.len = (p ? p : last) - name.data;

    a->pool = ngx_http_ims_find_pool(a->imcf, &name);

    if (a->pool == NULL) {
        return ngx_http_ims_admin_problem(a, 404, "no such pool");
    }

    path->data = p ? p + 1 : last;
    path->len = last - path->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_admin_method(ngx_http_ims_admin_t *a, ngx_str_t *path,
    ngx_http_ims_admin_route_t **found)
{
    u_char                      *p, allow[64];
    ngx_str_t                    value;
    ngx_uint_t                   method;
    ngx_http_ims_admin_route_t  *route;

    method = a->request->method;

    if (method == NGX_HTTP_HEAD) {
        method = NGX_HTTP_GET;
    }

    p = allow;

    for (route = ngx_http_ims_admin_routes; route->handler; route++) {

        if (route->path.len && route->path.data[route->path.len - 1] == '/') {

            if (path->len <= route->path.len
                || ngx_strncmp(path->data, route->path.data, route->path.len)
                   != 0)
            {
                continue;
            }

            a->rest.data = path->data + route->path.len;
            a->rest.len = path->len - route->path.len;

        } else if (path->len != route->path.len
                   || ngx_strncmp(path->data, route->path.data, path->len)
                      != 0)
        {
            continue;
        }

        if (route->method == method) {
            *found = route;
            return NGX_OK;
        }

        p = ngx_slprintf(p, allow + sizeof(allow), "%s%s",
                         p == allow ? "" : ", ",
                         route->method == NGX_HTTP_GET ? "GET, HEAD"
                         : route->method == NGX_HTTP_POST ? "POST"
                                                          : "DELETE");
    }

    if (p == allow) {
        return ngx_http_ims_admin_problem(a, 404, "no such resource");
    }

    value.len = p - allow;
    value.data = ngx_pnalloc(a->request->pool, value.len);

    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(value.data, allow, value.len);

    if (ngx_http_ims_header(a->request, "Allow", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ims_admin_problem(a, 405, "this resource has %V", &value);
}


static ngx_int_t
ngx_http_ims_admin_overview(ngx_http_ims_admin_t *a)
{
    json_t           *o, *list;
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;

    if (a->pool != NULL) {
        return ngx_http_ims_admin_answer(a, 200,
                                         ngx_http_ims_admin_pool(a, a->pool));
    }

    o = json_object();
    list = json_array();

    pool = a->imcf->pools.elts;

    for (i = 0; i < a->imcf->pools.nelts; i++) {
        (void) json_array_append_new(list,
                                     ngx_http_ims_admin_pool(a, pool[i]));
    }

    (void) json_object_set_new(o, "pools", list);

    return ngx_http_ims_admin_answer(a, 200, o);
}


static json_t *
ngx_http_ims_admin_pool(ngx_http_ims_admin_t *a, ngx_ims_pool_t *pool)
{
    json_t             *o, *c;
    uint32_t            i;
    ngx_uint_t          n;
    ngx_ims_blocked_t   b;
    ngx_ims_zone_sh_t  *sh;

    static u_char  buf[NGX_IMS_BLOCKED_BUFFER + 1];

    sh = pool->zone.sh;
    o = json_object();
    c = json_object();

    for (i = 0, n = 0;
         ngx_ims_deny_next_block(pool, &i, &b, buf) == NGX_OK;
         i++)
    {
        n++;
    }

    ngx_http_ims_admin_set(o, "pool", &pool->name);
    ngx_http_ims_admin_set_n(o, "identities", pool->total);
    ngx_http_ims_admin_set_n(o, "leased", sh->leased);
    ngx_http_ims_admin_set_n(o, "sessions", sh->bindings_used);
    ngx_http_ims_admin_set_n(o, "sockets", ngx_ims_workers_sockets(pool));
    ngx_http_ims_admin_set_n(o, "dialogs", sh->dialogs_used);
    ngx_http_ims_admin_set_n(o, "blocked", n);
    ngx_http_ims_admin_set_n(o, "revocations", ngx_ims_deny_count(pool));
    (void) json_object_set_new(o, "drain",
                               ngx_http_ims_admin_drain_state(pool));

    ngx_http_ims_admin_set_n(c, "calls", sh->counters.calls);
    ngx_http_ims_admin_set_n(c, "registers", sh->counters.registers);
    ngx_http_ims_admin_set_n(c, "messages", sh->counters.messages);
    ngx_http_ims_admin_set_n(c, "exhausted", sh->counters.exhausted);
    ngx_http_ims_admin_set_n(c, "refused", sh->counters.refused);
    (void) json_object_set_new(o, "counters", c);

    return o;
}


static ngx_int_t
ngx_http_ims_admin_read(ngx_http_ims_admin_t *a)
{
    ngx_int_t            rc;
    ngx_str_t           *type;
    ngx_http_request_t  *r;

    static ngx_str_t  json = ngx_string("application/json");

    r = a->request;
    type = r->headers_in.content_type ? &r->headers_in.content_type->value
                                      : NULL;

    if (type == NULL || type->len < json.len
        || ngx_strncasecmp(type->data, json.data, json.len) != 0
        || (type->len > json.len && type->data[json.len] != ';'
            && type->data[json.len] != ' '))
    {
        rc = ngx_http_discard_request_body(r);

        return rc == NGX_OK
               ? ngx_http_ims_admin_problem(a, 415, "a body is "
                                            "application/json")
               : rc;
    }

    if (r->headers_in.content_length_n > NGX_HTTP_IMS_ADMIN_BODY) {
        rc = ngx_http_discard_request_body(r);

        return rc == NGX_OK
               ? ngx_http_ims_admin_problem(a, 413, "a body has at most %d "
                                            "bytes", NGX_HTTP_IMS_ADMIN_BODY)
               : rc;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_ims_admin_post);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
ngx_http_ims_admin_post(ngx_http_request_t *r)
{
    u_char                *body;
    size_t                 len, n;
    ssize_t                got;
    ngx_int_t              rc;
    ngx_chain_t           *cl;
    json_error_t           error;
    ngx_http_ims_ctx_t    *ctx;
    ngx_http_ims_admin_t  *a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ims_portal_module);
    a = ctx->admin;
    len = 0;

    body = ngx_pnalloc(r->pool, NGX_HTTP_IMS_ADMIN_BODY);
    if (body == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        n = ngx_buf_size(cl->buf);

        if (n > NGX_HTTP_IMS_ADMIN_BODY - len) {
            rc = ngx_http_ims_admin_problem(a, 413, "a body has at most %d "
                                            "bytes", NGX_HTTP_IMS_ADMIN_BODY);
            ngx_http_finalize_request(r, rc == NGX_DECLINED ? a->rc : rc);
            return;
        }

        if (cl->buf->in_file) {
            got = ngx_read_file(cl->buf->file, body + len, n,
                                cl->buf->file_pos);

            if (got != (ssize_t) n) {
                ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
                return;
            }

        } else if (n) {
            ngx_memcpy(body + len, cl->buf->pos, n);
        }

        len += n;
    }

    a->body = json_loadb((char *) body, len, JSON_REJECT_DUPLICATES, &error);

    if (a->body == NULL) {
        rc = ngx_http_ims_admin_problem(a, 400, "the body is not JSON");

    } else if (!json_is_object(a->body)) {
        rc = ngx_http_ims_admin_problem(a, 400, "the body is not an object");

    } else {
        rc = a->handler(a);
    }

    ngx_http_finalize_request(r, rc == NGX_DECLINED ? a->rc : rc);
}
