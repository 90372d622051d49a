/*
 * Copyright (C) the IMS portal authors
 *
 * The handshake (RFC 6455 4.2, RFC 7118 4.1), and the take-over of the
 * connection: after the 101 the HTTP request is given back (design D3), which
 * an idle browser would otherwise pay for.  That happens in a posted event,
 * because nginx still looks at the request when a content handler has returned.
 */


#include "ngx_http_ims_portal_module.h"


/* between the 101 and the posted event; in r->pool, and given back with it */

typedef struct {
    ngx_event_t               event;
    ngx_http_request_t       *request;
    ngx_ims_session_t        *session;
} ngx_http_ims_takeover_t;


static ngx_int_t ngx_http_ims_check(ngx_http_request_t *r, ngx_str_t *key);
static ngx_int_t ngx_http_ims_admit(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
static ngx_int_t ngx_http_ims_authorize(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx);
static ngx_int_t ngx_http_ims_open(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, ngx_str_t *key);
static ngx_int_t ngx_http_ims_switch(ngx_http_request_t *r, ngx_str_t *key);
static void ngx_http_ims_takeover(ngx_event_t *ev);
static void ngx_http_ims_give_back(ngx_connection_t *c,
    ngx_http_connection_t *hc);
static void ngx_http_ims_free_buffers(ngx_connection_t *c,
    ngx_chain_t *chain);
static void ngx_http_ims_closed(ngx_event_t *rev);


ngx_int_t
ngx_http_ims_upgrade(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  key;

    rc = ngx_http_ims_check(r, &key);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent invalid WebSocket handshake");
        return rc;
    }

    rc = ngx_http_ims_admit(r, imcf, ilcf, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ims_open(r, imcf, ilcf, ctx, &key);
}


/* who may come: cheap to say first, signatures last */

static ngx_int_t
ngx_http_ims_admit(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = r->connection;

    if (!ilcf->plain_ws
#if (NGX_HTTP_SSL)
        && c->ssl == NULL
#endif
       )
    {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "plain WebSocket refused, see \"ims_portal_plain_ws\"");
        return NGX_HTTP_FORBIDDEN;
    }

    rc = ngx_http_ims_origin(r, ilcf);

    if (rc != NGX_OK) {
        return rc;
    }

    if (imcf->worker == NULL || ngx_exiting || ngx_terminate) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    /* a handshake that waited for its keys is counted once */

    rc = ctx->arrived ? NGX_OK : ngx_http_ims_limit_arrive(r, imcf, ilcf, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->arrived = 1;

    return ngx_http_ims_authorize(r, ilcf, ctx);
}


static ngx_int_t
ngx_http_ims_authorize(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ilcf->auth & NGX_IMS_AUTH_HANDSHAKE) {
        rc = ngx_http_ims_verify(r, ilcf, ctx);

        /* "both": what is missing here may come with the REGISTER */

        if (rc != NGX_OK
            && !(rc == NGX_DECLINED && (ilcf->auth & NGX_IMS_AUTH_SIP)))
        {
            return rc == NGX_DECLINED ? NGX_HTTP_UNAUTHORIZED : rc;
        }
    }

    if (ctx->known
        && !ngx_ims_order_admits(ilcf->pool, ctx->token.grant.ids.user, 1))
    {
        ngx_str_set(&ctx->error, "out of service");

        return ngx_http_ims_retry_after(r, NGX_IMS_ORDER_RETRY) == NGX_OK
               ? NGX_HTTP_SERVICE_UNAVAILABLE
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/* counts the session, makes it and answers 101 */

static ngx_int_t
ngx_http_ims_open(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, ngx_str_t *key)
{
    uint32_t                  row;
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_ims_session_t        *s;
    ngx_http_ims_takeover_t  *t;

    c = r->connection;

    t = ngx_pcalloc(r->pool, sizeof(ngx_http_ims_takeover_t));
    if (t == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_ims_limit_open(r, imcf, ilcf, ctx, &row);

    if (rc != NGX_OK) {
        return rc;
    }

    s = ngx_ims_session_create(c, imcf->worker, &ilcf->policy,
                               &r->headers_in.host->value, row);
    if (s == NULL) {
        ngx_ims_limit_close(imcf->limit, row, &imcf->worker->self);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if ((ctx->known
         && ngx_ims_session_identify(s, &ctx->token.grant) != NGX_OK)
        || ngx_http_ims_switch(r, key) != NGX_OK)
    {
        ngx_ims_session_abort(s);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /*
     * c->data stays the request until then: nginx looks at it once more
     * when this handler has returned (ngx_http_run_posted_requests).
     */

    t->request = r;
    t->session = s;
    t->event.data = t;
    t->event.handler = ngx_http_ims_takeover;
    t->event.log = c->log;

    c->read->handler = ngx_http_ims_closed;
    c->write->handler = ngx_http_ims_closed;

    ngx_post_event(&t->event, &ngx_posted_events);

    r->main->count++;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_ims_check(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_str_t         version;
    ngx_table_elt_t  *h;

    if (r->method != NGX_HTTP_GET || r != r->main) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    /* what follows the head is frames */

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return NGX_HTTP_BAD_REQUEST;
    }

    /* headers_in.connection is not set by nginx before 1.23 */

    h = ngx_http_ims_request_header(r, "Connection");

    /* HTTP/2 has no RFC 8441 here; browsers then open another connection */

    if (r->http_version != NGX_HTTP_VERSION_11
        || r->headers_in.host == NULL
        || h == NULL
        || r->headers_in.upgrade == NULL
        || !ngx_http_ims_list_has(&h->value, "upgrade")
        || !ngx_http_ims_list_has(&r->headers_in.upgrade->value, "websocket"))
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    h = ngx_http_ims_request_header(r, "Sec-WebSocket-Version");

    if (h == NULL || h->value.len != 2
        || ngx_strncmp(h->value.data, "13", 2) != 0)
    {
        ngx_str_set(&version, "13");

        if (ngx_http_ims_header(r, "Sec-WebSocket-Version", &version)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return h == NULL ? NGX_HTTP_BAD_REQUEST : 426;
    }

    h = ngx_http_ims_request_header(r, "Sec-WebSocket-Key");

    if (h == NULL || !ngx_ims_ws_key_valid(&h->value)) {
        return NGX_HTTP_BAD_REQUEST;
    }

    *key = h->value;

    if (!ngx_http_ims_header_has(r, "Sec-WebSocket-Protocol", "sip")) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client does not offer subprotocol \"sip\"");
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


/* writes the 101 itself: nginx's header filter would add its own Connection */

static ngx_int_t
ngx_http_ims_switch(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char   *p, buf[256], accept[28];
    ssize_t   n;

    ngx_ims_ws_accept(key, accept);

    p = ngx_sprintf(buf, "HTTP/1.1 101 Switching Protocols" CRLF
                    "Upgrade: websocket" CRLF
                    "Connection: Upgrade" CRLF
                    "Sec-WebSocket-Accept: %*s" CRLF
                    "Sec-WebSocket-Protocol: sip" CRLF CRLF,
                    sizeof(accept), accept);

    /* the first bytes of a connection: there is room in its buffer */

    n = r->connection->send(r->connection, buf, p - buf);

    if (n != p - buf) {
        return NGX_ERROR;
    }

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    r->header_sent = 1;
    r->keepalive = 0;

    return NGX_OK;
}


static void
ngx_http_ims_takeover(ngx_event_t *ev)
{
    u_char                   *p;
    ngx_str_t                 left;
    ngx_connection_t         *c;
    ngx_ims_session_t        *s;
    ngx_http_request_t       *r;
    ngx_http_connection_t    *hc;
    ngx_http_ims_takeover_t  *t;

    t = ev->data;
    r = t->request;
    s = t->session;
    c = r->connection;
    hc = r->http_connection;

    /* bytes that came behind the handshake: at most a header buffer */

    left.len = r->header_in->last - r->header_in->pos;
    left.data = NULL;

    if (left.len) {
        p = ngx_alloc(left.len, c->log);

        if (p == NULL) {
            left.len = 0;

        } else {
            ngx_memcpy(p, r->header_in->pos, left.len);
            left.data = p;
        }
    }

    c->log->action = "taking over a WebSocket";

    ngx_http_free_request(r, 0);

    c->log->handler = NULL;
    c->data = s;
    c->sent = 0;

    ngx_http_ims_give_back(c, hc);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    ngx_ims_session_start(s, &left);

    if (left.data != NULL) {
        ngx_free(left.data);
    }
}


/* the buffers of the HTTP connection */

static void
ngx_http_ims_give_back(ngx_connection_t *c, ngx_http_connection_t *hc)
{
    if (hc->free != NULL) {
        ngx_http_ims_free_buffers(c, hc->free);
        hc->free = NULL;
    }

    if (hc->busy != NULL) {
        ngx_http_ims_free_buffers(c, hc->busy);
        hc->busy = NULL;
        hc->nbusy = 0;
    }

    if (c->buffer != NULL && c->buffer->start != NULL
        && ngx_pfree(c->pool, c->buffer->start) == NGX_OK)
    {
        c->buffer->start = NULL;
        c->buffer->pos = NULL;
        c->buffer->last = NULL;
        c->buffer->end = NULL;
    }

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }
#endif
}


/* a chain of large header buffers: each is an allocation of its own */

static void
ngx_http_ims_free_buffers(ngx_connection_t *c, ngx_chain_t *chain)
{
    for ( /* void */ ; chain != NULL; chain = chain->next) {
        if (chain->buf->start != NULL
            && ngx_pfree(c->pool, chain->buf->start) == NGX_OK)
        {
            chain->buf->start = NULL;
        }
    }
}


/* an event between the 101 and the take-over: it will be seen after that */

static void
ngx_http_ims_closed(ngx_event_t *rev)
{
}
