/*
 * Copyright (C) the IMS portal authors
 *
 * Server transactions (RFC 3261 17.2, RFC 6026 8.4) and what is absorbed for
 * them: retransmissions, the ACK of a non-2xx answer, CANCEL (9.2).  See
 * ngx_ims_txn.c for the timers.
 */


#include "ngx_ims_txn_priv.h"


enum {
    NGX_IMS_TXN_CANCEL_HEAD = 2048       /* bytes of our own in a 200 */
};


static ngx_ims_txn_priv_t *ngx_ims_txn_find_server(ngx_ims_txns_t *txns,
    ngx_ims_sip_msg_t *m, uint64_t scope, ngx_uint_t method);
static uint64_t ngx_ims_txn_server_hash(ngx_ims_txns_t *txns,
    ngx_ims_str_t *branch, ngx_ims_str_t *call_id, uint64_t scope);
static ngx_uint_t ngx_ims_txn_is_cookie(ngx_ims_str_t *branch);
static ngx_uint_t ngx_ims_txn_same(ngx_ims_str_t *a, ngx_ims_str_t *b);
static void ngx_ims_txn_server_key(ngx_ims_txn_priv_t *x,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_txn_acknowledge(ngx_ims_txn_priv_t *x);
static void ngx_ims_txn_canceled(ngx_ims_txn_priv_t *x, ngx_ims_sip_msg_t *m,
    ngx_ims_flow_t *flow);
static void ngx_ims_txn_cancel_tag(ngx_ims_txn_priv_t *x, u_char *buf,
    size_t size, ngx_ims_str_t *tag);
static ngx_int_t ngx_ims_txn_provisional(ngx_ims_txn_priv_t *x, u_char *p,
    size_t len);
static ngx_int_t ngx_ims_txn_final(ngx_ims_txn_priv_t *x, u_char *p,
    size_t len);
static void ngx_ims_txn_server_event(ngx_event_t *ev);


ngx_int_t
ngx_ims_txn_request(ngx_ims_txns_t *txns, ngx_ims_sip_msg_t *m,
    ngx_ims_flow_t *flow, uint64_t scope)
{
    ngx_uint_t           method;
    ngx_ims_txn_priv_t  *x;

    method = m->method;

    if (method == NGX_IMS_SIP_ACK || method == NGX_IMS_SIP_CANCEL) {
        method = NGX_IMS_SIP_INVITE;
    }

    x = ngx_ims_txn_find_server(txns, m, scope, method);
    if (x == NULL) {
        return NGX_DECLINED;
    }

    switch (m->method) {

    case NGX_IMS_SIP_ACK:

        if (x->pub.state == NGX_IMS_TXN_ACCEPTED) {
            return NGX_DECLINED;
        }

        ngx_ims_txn_acknowledge(x);
        return NGX_OK;

    case NGX_IMS_SIP_CANCEL:
        ngx_ims_txn_canceled(x, m, flow);
        return NGX_OK;

    default:

        /* Accepted and Confirmed have nothing to repeat */

        if (x->extra.len
            && (x->pub.state == NGX_IMS_TXN_PROCEEDING
                || x->pub.state == NGX_IMS_TXN_COMPLETED))
        {
            /*
             * a browser is told where it asks, but its socket is not kept: only
             * who knows when that one ends may do so
             */

            if (scope != 0) {
                (void) flow->send(flow, x->extra.data, x->extra.len);

            } else {
                (void) ngx_ims_txn_send(x, x->extra.data, x->extra.len);
            }
        }

        return NGX_OK;
    }
}


static ngx_ims_txn_priv_t *
ngx_ims_txn_find_server(ngx_ims_txns_t *txns, ngx_ims_sip_msg_t *m,
    uint64_t scope, ngx_uint_t method)
{
    uint64_t             hash;
    ngx_ims_txn_priv_t  *x;

    hash = ngx_ims_txn_server_hash(txns, &m->via.branch, &m->call_id, scope);

    for (x = ngx_ims_txn_bucket(txns, hash); x != NULL; x = x->next) {

        if (x->hash != hash
            || !x->pub.server
            || x->scope != scope
            || x->pub.method != method
            || x->via_port != m->via.port
            || !ngx_ims_txn_same(&x->via_branch, &m->via.branch)
            || x->via_host.len != m->via.host.len
            || ngx_strncasecmp(x->via_host.data, m->via.host.data,
                               m->via.host.len)
               != 0)
        {
            continue;
        }

        /* a branch of RFC 2543 says little: 17.2.3, second half */

        if (ngx_ims_txn_is_cookie(&m->via.branch)
            || (x->cseq == m->cseq
                && ngx_ims_txn_same(&x->call_id, &m->call_id)))
        {
            return x;
        }
    }

    return NULL;
}


static uint64_t
ngx_ims_txn_server_hash(ngx_ims_txns_t *txns, ngx_ims_str_t *branch,
    ngx_ims_str_t *call_id, uint64_t scope)
{
    uint64_t  hash;

    hash = ngx_ims_txn_hash(txns, scope, branch->data, branch->len);

    if (!ngx_ims_txn_is_cookie(branch)) {
        hash ^= ngx_ims_txn_hash(txns, scope, call_id->data, call_id->len);
    }

    return hash;
}


static ngx_uint_t
ngx_ims_txn_is_cookie(ngx_ims_str_t *branch)
{
    return branch->len > 7
           && ngx_strncasecmp(branch->data, (u_char *) "z9hG4bK", 7) == 0;
}


static ngx_uint_t
ngx_ims_txn_same(ngx_ims_str_t *a, ngx_ims_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}


ngx_ims_txn_t *
ngx_ims_txn_server(ngx_ims_txns_t *txns, ngx_ims_sip_msg_t *m,
    ngx_ims_flow_t *flow, uint64_t scope, ngx_ims_txn_request_pt handler,
    void *data)
{
    ngx_ims_txn_priv_t  *x;

    x = ngx_ims_txn_alloc(txns, m->text.data, m->text.len,
                          ngx_ims_txn_server_event, 0);
    if (x == NULL) {
        return NULL;
    }

    x->pub.data = data;
    x->pub.flow = *flow;
    x->pub.method = m->method;
    x->pub.server = 1;
    x->pub.invite = (m->method == NGX_IMS_SIP_INVITE);

    x->handler = handler;
    x->scope = scope;

    ngx_ims_txn_server_key(x, m);

    x->hash = ngx_ims_txn_server_hash(txns, &x->via_branch, &x->call_id,
                                      scope);
    ngx_ims_txn_insert(x);

    return &x->pub;
}


/* the same spans in our copy of the text */

static void
ngx_ims_txn_server_key(ngx_ims_txn_priv_t *x, ngx_ims_sip_msg_t *m)
{
    u_char         *from, *to;
    ngx_uint_t      i;
    ngx_ims_str_t  *key[3];

    x->via_branch = m->via.branch;
    x->via_host = m->via.host;
    x->call_id = m->call_id;
    x->via_port = m->via.port;
    x->cseq = m->cseq;

    key[0] = &x->via_branch;
    key[1] = &x->via_host;
    key[2] = &x->call_id;

    from = m->text.data;
    to = x->pub.request.data;

    for (i = 0; i < 3; i++) {

        if (key[i]->len) {
            key[i]->data = to + (key[i]->data - from);
        }
    }
}


/* an ACK before any final answer is a mistake, and nothing is done */

static void
ngx_ims_txn_acknowledge(ngx_ims_txn_priv_t *x)
{
    if (x->pub.state != NGX_IMS_TXN_COMPLETED) {
        return;
    }

    x->pub.state = NGX_IMS_TXN_CONFIRMED;
    (void) ngx_ims_txn_keep(x, NULL, 0);

    if (x->pub.flow.reliable) {
        ngx_ims_txn_finish(x);
        return;
    }

    ngx_ims_txn_timer(x, x->txns->conf.t4);    /* I */
}


/*
 * 9.2: 200 in any state, and as often as it comes; only the first one that
 * comes in time concerns the user.
 */

static void
ngx_ims_txn_canceled(ngx_ims_txn_priv_t *x, ngx_ims_sip_msg_t *m,
    ngx_ims_flow_t *flow)
{
    size_t          len, size;
    u_char         *buf, tag_buf[64];
    ngx_ims_str_t   tag;

    ngx_ims_txn_cancel_tag(x, tag_buf, sizeof(tag_buf), &tag);

    size = m->text.len + NGX_IMS_TXN_CANCEL_HEAD;

    buf = ngx_alloc(size, x->txns->log);

    if (buf != NULL) {

        if (ngx_ims_sip_reply(m, 200, NULL, &tag, NULL, NULL, buf, size, &len)
            == NGX_IMS_OK)
        {
            (void) flow->send(flow, buf, len);
        }

        ngx_free(buf);
    }

    if (x->pub.canceled
        || (x->pub.state != NGX_IMS_TXN_CALLING
            && x->pub.state != NGX_IMS_TXN_PROCEEDING))
    {
        return;
    }

    x->pub.canceled = 1;

    ngx_ims_txn_call(x, NGX_OK, m);
}


/* the To tag of what was answered to the INVITE, or one made from its hash */

static void
ngx_ims_txn_cancel_tag(ngx_ims_txn_priv_t *x, u_char *buf, size_t size,
    ngx_ims_str_t *tag)
{
    ngx_ims_sip_msg_t  m;
    ngx_ims_sip_hdr_t  hdrs[NGX_IMS_SIP_MAX_HEADERS];

    if (x->extra.len
        && ngx_ims_sip_parse(&m, x->extra.data, x->extra.len, hdrs,
                             NGX_IMS_SIP_MAX_HEADERS, 0)
           == NGX_IMS_OK
        && m.to.tag.len)
    {
        *tag = m.to.tag;
        return;
    }

    tag->data = buf;
    tag->len = ngx_snprintf(buf, size, "%08xD%08xD",
                            (uint32_t) (x->hash >> 32), (uint32_t) x->hash)
               - buf;
}


ngx_int_t
ngx_ims_txn_reply(ngx_ims_txn_t *t, ngx_uint_t status, u_char *p, size_t len)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    if (!t->server) {
        return NGX_ERROR;
    }

    if (t->state == NGX_IMS_TXN_ACCEPTED) {

        /* RFC 6026 7.1: further 2xx are the user's to repeat */

        if (status < 200 || status > 299) {
            return NGX_ERROR;
        }

        return ngx_ims_txn_send(x, p, len);
    }

    if (t->state != NGX_IMS_TXN_CALLING
        && t->state != NGX_IMS_TXN_PROCEEDING)
    {
        return NGX_ERROR;
    }

    t->status = status;

    if (status < 200) {
        return ngx_ims_txn_provisional(x, p, len);
    }

    return ngx_ims_txn_final(x, p, len);
}


static ngx_int_t
ngx_ims_txn_provisional(ngx_ims_txn_priv_t *x, u_char *p, size_t len)
{
    x->pub.state = NGX_IMS_TXN_PROCEEDING;

    if (ngx_ims_txn_keep(x, p, len) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_ims_txn_send(x, p, len);
}


static ngx_int_t
ngx_ims_txn_final(ngx_ims_txn_priv_t *x, u_char *p, size_t len)
{
    ngx_int_t        rc, kept;
    ngx_ims_txn_t   *t;
    ngx_ims_txns_t  *txns;

    t = &x->pub;
    txns = x->txns;

    rc = ngx_ims_txn_send(x, p, len);

    /* who is away may never ask: an old worker does not stay for that */

    x->event.cancelable = x->suspended;

    /* on a flow that is gone nothing can be repeated or acknowledged */

    if (!x->suspended
        && (x->detached || (t->flow.reliable && (rc != NGX_OK || !t->invite))))
    {
        ngx_ims_txn_finish_later(x, NGX_DONE);
        return rc;
    }

    if (t->invite && t->status < 300) {
        t->state = NGX_IMS_TXN_ACCEPTED;

        (void) ngx_ims_txn_keep(x, NULL, 0);
        ngx_ims_txn_timer(x, 64 * txns->conf.t1);    /* L */

        return rc;
    }

    t->state = NGX_IMS_TXN_COMPLETED;

    kept = ngx_ims_txn_keep(x, p, len);

    /* H, with G on the way there, or J, which only absorbs */

    x->deadline = ngx_current_msec + 64 * txns->conf.t1;
    x->interval = (t->invite && !t->flow.reliable && kept == NGX_OK)
                  ? txns->conf.t1 : 0;

    ngx_ims_txn_repeat(x);

    return rc;
}


static void
ngx_ims_txn_server_event(ngx_event_t *ev)
{
    ngx_ims_txns_t      *txns;
    ngx_ims_txn_priv_t  *x;

    x = ev->data;
    txns = x->txns;

    if (ngx_ims_txn_woken(x) == NGX_DONE) {
        return;
    }

    if (x->pub.state != NGX_IMS_TXN_COMPLETED || !x->pub.invite) {
        ngx_ims_txn_finish(x);    /* I, J, L */
        return;
    }

    if (ngx_ims_txn_expired(x)) {
        ngx_ims_txn_fail(x, NGX_BUSY);    /* H */
        return;
    }

    if (x->interval != 0) {    /* G */
        (void) ngx_ims_txn_send(x, x->extra.data, x->extra.len);
        x->interval = ngx_min(x->interval * 2, txns->conf.t2);
    }

    ngx_ims_txn_repeat(x);
}


void
ngx_ims_txn_take(ngx_ims_txn_t *t, ngx_ims_txn_request_pt handler, void *data)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    x->handler = handler;
    t->data = data;
}


void
ngx_ims_txn_abandon(ngx_ims_txn_t *t)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    x->done = 1;

    ngx_ims_txn_unlink(x);
    ngx_ims_txn_free(x);
}
