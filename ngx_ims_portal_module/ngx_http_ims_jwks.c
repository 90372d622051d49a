/*
 * Copyright (C) the IMS portal authors
 *
 * Keys are fetched by a subrequest to a location, so nginx's own proxy, cache,
 * TLS and resolver do it.  Neither SIP nor a timer has a request that a
 * subrequest could hang on, and others may leave meanwhile: so it has a main
 * request of its own, on a connection whose other end nobody uses.  What would
 * be sent on it is collected.
 *
 * Timers: one for each fetch, which ends it.
 */


#include "ngx_http_ims_portal_module.h"


typedef struct {
    ngx_http_connection_t     hc;             /* first: requests lead to it */
    ngx_ims_jwks_t           *jwks;           /* NULL: it was told */
    ngx_connection_t         *connection;
    ngx_socket_t              other;          /* end of the connection */
    ngx_http_request_t       *main;
    ngx_http_request_t       *sub;
    ngx_event_t               timer;
    const char               *error;
    ngx_str_t                 text;
    ngx_uint_t                over;           /* 1: it is too long */
} ngx_http_ims_jwks_t;


static ngx_connection_t *ngx_http_ims_jwks_connection(ngx_ims_jwks_t *jwks,
    ngx_http_ims_jwks_t **fetch);
static void ngx_http_ims_jwks_client(ngx_connection_t *c, ngx_log_t *log);
static ngx_int_t ngx_http_ims_jwks_pair(ngx_connection_t **c,
    ngx_socket_t *other, ngx_log_t *log);
static ngx_int_t ngx_http_ims_jwks_request(ngx_ims_jwks_t *jwks,
    ngx_http_ims_jwks_t *fetch);
static ngx_int_t ngx_http_ims_jwks_header(ngx_http_request_t *r);
static u_char *ngx_http_ims_jwks_log(ngx_log_t *log, u_char *buf, size_t len);
static void ngx_http_ims_jwks_event(ngx_event_t *ev);
static void ngx_http_ims_jwks_timeout(ngx_event_t *ev);
static ngx_int_t ngx_http_ims_jwks_take(ngx_http_ims_jwks_t *fetch,
    ngx_buf_t *b);
static ngx_chain_t *ngx_http_ims_jwks_send(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
static void ngx_http_ims_jwks_done(ngx_http_request_t *r);
static const char *ngx_http_ims_jwks_judge(ngx_http_ims_jwks_t *fetch);
static void ngx_http_ims_jwks_end(ngx_http_ims_jwks_t *fetch);
static void ngx_http_ims_jwks_cleanup(void *data);


static ngx_str_t  ngx_http_ims_jwks_get = ngx_string("GET");
static ngx_str_t  ngx_http_ims_jwks_protocol = ngx_string("HTTP/1.0");


ngx_int_t
ngx_http_ims_jwks_fetch(ngx_ims_jwks_t *jwks)
{
    ngx_str_t             uri, args;
    ngx_uint_t            flags;
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_ims_jwks_t  *fetch;

    c = ngx_http_ims_jwks_connection(jwks, &fetch);
    if (c == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_ims_jwks_request(jwks, fetch) != NGX_OK) {
        ngx_http_close_connection(c);
        return NGX_ERROR;
    }

    r = fetch->main;
    uri = jwks->name;
    flags = 0;
    ngx_str_null(&args);

    if (ngx_http_parse_unsafe_uri(r, &uri, &args, &flags) != NGX_OK
        || ngx_http_subrequest(r, &uri, &args, &fetch->sub, NULL, 0)
           != NGX_OK)
    {
        ngx_http_ims_jwks_end(fetch);
        return NGX_ERROR;
    }

    fetch->jwks = jwks;
    fetch->error = "the request ended before its answer";

    fetch->timer.handler = ngx_http_ims_jwks_timeout;
    fetch->timer.data = fetch;
    fetch->timer.log = c->log;

    ngx_add_timer(&fetch->timer, jwks->timeout);

    ngx_http_run_posted_requests(c);

    return NGX_OK;
}


static ngx_connection_t *
ngx_http_ims_jwks_connection(ngx_ims_jwks_t *jwks, ngx_http_ims_jwks_t **fetch)
{
    ngx_log_t                 *log;
    ngx_pool_t                *pool;
    ngx_socket_t               other;
    ngx_connection_t          *c;
    ngx_http_log_ctx_t        *ctx;
    ngx_pool_cleanup_t        *cln;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = jwks->server;

    if (ngx_http_ims_jwks_pair(&c, &other, jwks->log) != NGX_OK) {
        return NULL;
    }

    /* the counters of stub_status, which its end decreases */

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    pool = ngx_create_pool(cscf->connection_pool_size, jwks->log);
    cln = pool ? ngx_pool_cleanup_add(pool, sizeof(ngx_http_ims_jwks_t)) : NULL;

    if (cln == NULL) {
        (void) ngx_close_socket(other);
        goto failed;
    }

    /* from here on the pool closes it */

    *fetch = cln->data;
    ngx_memzero(*fetch, sizeof(ngx_http_ims_jwks_t));

    (*fetch)->connection = c;
    (*fetch)->other = other;
    cln->handler = ngx_http_ims_jwks_cleanup;
    cln->data = *fetch;

    log = ngx_palloc(pool, sizeof(ngx_log_t));
    ctx = ngx_pcalloc(pool, sizeof(ngx_http_log_ctx_t));
    c->sockaddr = ngx_pcalloc(pool, sizeof(struct sockaddr_un));
    c->buffer = ngx_create_temp_buf(pool, 1);
    (*fetch)->text.data = ngx_palloc(pool, NGX_IMS_JWKS_MAX);

    if (log == NULL || ctx == NULL || c->sockaddr == NULL || c->buffer == NULL
        || (*fetch)->text.data == NULL)
    {
        goto failed;
    }

    *log = *jwks->log;
    log->connection = c->number;
    log->handler = ngx_http_ims_jwks_log;
    log->data = ctx;
    log->action = "fetching keys";

    ctx->connection = c;
    (*fetch)->hc.conf_ctx = cscf->ctx;

    pool->log = log;

    c->pool = pool;
    c->data = *fetch;

    ngx_http_ims_jwks_client(c, log);

    return c;

failed:

    ngx_close_connection(c);

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    if (pool != NULL) {
        ngx_destroy_pool(pool);
    }

    return NULL;
}


/* what nginx expects of the connection of a client */

static void
ngx_http_ims_jwks_client(ngx_connection_t *c, ngx_log_t *log)
{
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->log_error = NGX_ERROR_INFO;
    c->sockaddr->sa_family = AF_UNIX;
    c->socklen = offsetof(struct sockaddr_un, sun_path);
    ngx_str_set(&c->addr_text, "unix:");
    c->start_time = ngx_current_msec;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_http_ims_jwks_send;
    c->read->handler = ngx_http_ims_jwks_event;
    c->write->handler = ngx_http_ims_jwks_event;
    c->write->ready = 1;
}


/* an end that nginx may ask for events, which the other keeps from coming */

static ngx_int_t
ngx_http_ims_jwks_pair(ngx_connection_t **c, ngx_socket_t *other,
    ngx_log_t *log)
{
    int  fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0, fds)
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "socketpair() failed");
        return NGX_ERROR;
    }

    *c = ngx_get_connection(fds[0], log);

    if (*c == NULL) {
        (void) ngx_close_socket(fds[0]);
        (void) ngx_close_socket(fds[1]);
        return NGX_ERROR;
    }

    (*c)->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    *other = fds[1];

    return NGX_OK;
}


/* what an ordinary request has once its head was read */

static ngx_int_t
ngx_http_ims_jwks_request(ngx_ims_jwks_t *jwks, ngx_http_ims_jwks_t *fetch)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_srv_conf_t  *cscf;

    c = fetch->connection;
    cscf = jwks->server;

    r = ngx_http_create_request(c);
    if (r == NULL) {
        return NGX_ERROR;
    }

    c->data = r;
    c->requests++;

    r->logged = 1;
    fetch->main = r;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK
        || (jwks->fresh && ngx_http_ims_jwks_header(r) != NGX_OK))
    {
        ngx_http_free_request(r, 0);
        return NGX_ERROR;
    }

    r->method = NGX_HTTP_GET;
    r->method_name = ngx_http_ims_jwks_get;
    r->http_protocol = ngx_http_ims_jwks_protocol;
    r->http_version = NGX_HTTP_VERSION_10;
    r->http_state = NGX_HTTP_PROCESS_REQUEST_STATE;
    r->headers_in.server = cscf->server_name;
    r->uri = jwks->name;
    r->unparsed_uri = r->uri;
    r->valid_location = 1;
    r->internal = 1;
    r->limit_rate_set = 1;
    r->limit_rate_after_set = 1;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_ims_jwks_done;

    return NGX_OK;
}


/* a missing key may be newer than what a cache has (RFC 9111 5.2.1.4) */

static ngx_int_t
ngx_http_ims_jwks_header(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-cache");
    h->lowcase_key = (u_char *) "cache-control";
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


static u_char *
ngx_http_ims_jwks_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char              *p;
    ngx_http_request_t  *r;
    ngx_http_log_ctx_t  *ctx;

    ctx = log->data;
    p = ngx_snprintf(buf, len, " while %s", log->action ? log->action
                                                       : "fetching keys");
    len -= p - buf;
    r = ctx->request;

    return r ? r->log_handler(r, ctx->current_request, p, len) : p;
}


static void
ngx_http_ims_jwks_event(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_ims_jwks_t  *fetch;

    c = ev->data;
    r = c->data;
    fetch = (ngx_http_ims_jwks_t *) r->main->http_connection;

    ngx_http_set_log_request(c->log, r);

    /* worker_shutdown_timeout is over, or a filter waited for too long */

    if (c->close || ev->timedout) {
        ngx_http_ims_jwks_end(fetch);
        return;
    }

    if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_ims_jwks_timeout(ngx_event_t *ev)
{
    ngx_http_ims_jwks_t  *fetch;

    fetch = ev->data;
    fetch->error = "no answer in time";

    ngx_http_ims_jwks_end(fetch);
}


/* as send_chain of a connection, all of it at once */

static ngx_chain_t *
ngx_http_ims_jwks_send(ngx_connection_t *c, ngx_chain_t *in, off_t limit)
{
    off_t                 size;
    ngx_http_request_t   *r;
    ngx_http_ims_jwks_t  *fetch;

    r = c->data;
    fetch = (ngx_http_ims_jwks_t *) r->main->http_connection;

    for (/* void */; in; in = in->next) {

        if (ngx_buf_special(in->buf)) {
            continue;
        }

        size = ngx_buf_size(in->buf);

        if (ngx_http_ims_jwks_take(fetch, in->buf) != NGX_OK) {
            c->error = 1;
            return NGX_CHAIN_ERROR;
        }

        c->sent += size;
    }

    return NULL;
}


static ngx_int_t
ngx_http_ims_jwks_take(ngx_http_ims_jwks_t *fetch, ngx_buf_t *b)
{
    off_t    size;
    u_char  *p;

    size = ngx_buf_size(b);
    p = fetch->text.data + fetch->text.len;

    if (size > (off_t) (NGX_IMS_JWKS_MAX - fetch->text.len)) {

        /* the rest is of no interest */

        fetch->over = 1;

    } else if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, size);
        fetch->text.len += size;

    } else {

        if (ngx_read_file(b->file, p, size, b->file_pos) != size) {
            return NGX_ERROR;
        }

        fetch->text.len += size;
    }

    if (ngx_buf_in_memory(b)) {
        b->pos = b->last;
    }

    if (b->in_file) {
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}


/* the subrequest has ended, error pages included */

static void
ngx_http_ims_jwks_done(ngx_http_request_t *r)
{
    const char           *error;
    ngx_ims_jwks_t       *jwks;
    ngx_http_ims_jwks_t  *fetch;

    fetch = (ngx_http_ims_jwks_t *) r->http_connection;

    if (!fetch->sub->done || fetch->jwks == NULL) {
        return;
    }

    /* what is too short to be sent at once */

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        ngx_http_ims_jwks_end(fetch);
        return;
    }

    error = ngx_http_ims_jwks_judge(fetch);

    jwks = fetch->jwks;
    fetch->jwks = NULL;

    ngx_ims_jwks_fetched(jwks, error ? NULL : &fetch->text, error);

    /* a cache may go on in the background, for as long as a fetch may take */

    ngx_http_finalize_request(r, NGX_OK);
}


/* NULL: it is an answer as it should be */

static const char *
ngx_http_ims_jwks_judge(ngx_http_ims_jwks_t *fetch)
{
    ngx_http_headers_out_t  *h;

    h = &fetch->sub->headers_out;

    if (h->status != NGX_HTTP_OK) {
        return "the answer's status is not 200";
    }

    if (fetch->over) {
        return "the answer is larger than 256k";
    }

    if (h->content_encoding != NULL && h->content_encoding->hash
        && h->content_encoding->value.len)
    {
        return "the answer is compressed";
    }

    if (h->content_length_n != -1
        && h->content_length_n != (off_t) fetch->text.len)
    {
        return "the answer is not whole";
    }

    return NULL;
}


static void
ngx_http_ims_jwks_end(ngx_http_ims_jwks_t *fetch)
{
    ngx_connection_t  *c;

    c = fetch->connection;

    ngx_http_finalize_request(fetch->main, NGX_HTTP_CLOSE);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_ims_jwks_cleanup(void *data)
{
    ngx_http_ims_jwks_t  *fetch;

    fetch = data;

    if (fetch->timer.timer_set) {
        ngx_del_timer(&fetch->timer);
    }

    (void) ngx_close_socket(fetch->other);

    if (fetch->jwks != NULL) {
        ngx_ims_jwks_fetched(fetch->jwks, NULL, fetch->error);
    }
}
