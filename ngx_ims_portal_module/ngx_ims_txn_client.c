/*
 * Copyright (C) the IMS portal authors
 *
 * Client transactions (RFC 3261 17.1, RFC 6026 8.4), the ACK of a non-2xx
 * answer (17.1.1.3) and CANCEL (9.1).  See ngx_ims_txn.c for the timers.
 */


#include "ngx_ims_txn_priv.h"


enum {
    NGX_IMS_TXN_TIMER_D = 32000,         /* ms */
    NGX_IMS_TXN_HEAD = 1024              /* bytes of our own in ACK, CANCEL */
};


static ngx_ims_txn_t *ngx_ims_txn_start(ngx_ims_txns_t *txns,
    ngx_ims_flow_t *flow, ngx_uint_t method, u_char *branch, u_char *p,
    size_t len, ngx_uint_t forced, ngx_ims_txn_response_pt handler,
    void *data);
static uint64_t ngx_ims_txn_client_hash(ngx_ims_txns_t *txns,
    ngx_uint_t method, u_char *branch);
static ngx_uint_t ngx_ims_txn_waits(ngx_ims_txn_priv_t *x);
static void ngx_ims_txn_flow_failed(ngx_ims_txn_priv_t *x,
    ngx_uint_t refused);
static void ngx_ims_txn_client_event(ngx_event_t *ev);
static void ngx_ims_txn_client_repeat(ngx_ims_txn_priv_t *x);
static void ngx_ims_txn_invite_response(ngx_ims_txn_priv_t *x,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_txn_invite_refused(ngx_ims_txn_priv_t *x,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_txn_plain_response(ngx_ims_txn_priv_t *x,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_txn_send_cancel(ngx_ims_txn_priv_t *x);
static void ngx_ims_txn_cancel_handler(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_txn_derive(ngx_ims_txn_priv_t *x, char *method,
    ngx_ims_sip_msg_t *response, ngx_str_t *extra, ngx_str_t *out);
static u_char *ngx_ims_txn_copy_lines(u_char *p, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id);


void
ngx_ims_txns_urgent(ngx_ims_txns_t *txns, ngx_uint_t on)
{
    txns->urgent = (on != 0);
}


ngx_ims_txn_t *
ngx_ims_txn_client(ngx_ims_txns_t *txns, ngx_ims_flow_t *flow,
    ngx_uint_t method, u_char *branch, u_char *p, size_t len,
    ngx_ims_txn_response_pt handler, void *data)
{
    return ngx_ims_txn_start(txns, flow, method, branch, p, len, 0, handler,
                             data);
}


ngx_ims_txn_t *
ngx_ims_txn_again(ngx_ims_txn_t *t, ngx_ims_flow_t *flow, u_char *branch,
    u_char *p, size_t len)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    return ngx_ims_txn_start(x->txns, flow, t->method, branch, p, len, 0,
                             x->handler, t->data);
}


static ngx_ims_txn_t *
ngx_ims_txn_start(ngx_ims_txns_t *txns, ngx_ims_flow_t *flow,
    ngx_uint_t method, u_char *branch, u_char *p, size_t len,
    ngx_uint_t forced, ngx_ims_txn_response_pt handler, void *data)
{
    ngx_ims_txn_priv_t  *x;

    x = ngx_ims_txn_alloc(txns, p, len, ngx_ims_txn_client_event, forced);
    if (x == NULL) {
        return NULL;
    }

    x->pub.data = data;
    x->pub.flow = *flow;
    x->pub.method = method;
    x->pub.invite = (method == NGX_IMS_SIP_INVITE);
    ngx_memcpy(x->pub.branch, branch, NGX_IMS_BRANCH_LEN);

    x->handler = handler;
    x->hash = ngx_ims_txn_client_hash(txns, method, branch);

    if (ngx_ims_txn_send(x, x->pub.request.data, len) != NGX_OK) {
        ngx_ims_txn_free(x);
        return NULL;
    }

    ngx_ims_txn_insert(x);

    /* B and F end the wait; A and E repeat on the way there */

    x->deadline = ngx_current_msec + 64 * txns->conf.t1;
    x->interval = x->pub.flow.reliable ? 0 : txns->conf.t1;

    ngx_ims_txn_repeat(x);

    return &x->pub;
}


/* a CANCEL has the branch of its INVITE */

static uint64_t
ngx_ims_txn_client_hash(ngx_ims_txns_t *txns, ngx_uint_t method,
    u_char *branch)
{
    return ngx_ims_txn_hash(txns, (method == NGX_IMS_SIP_CANCEL) ? 2 : 1,
                            branch, NGX_IMS_BRANCH_LEN);
}


static ngx_uint_t
ngx_ims_txn_waits(ngx_ims_txn_priv_t *x)
{
    return !x->pub.server
           && (x->pub.state == NGX_IMS_TXN_CALLING
               || x->pub.state == NGX_IMS_TXN_PROCEEDING);
}


ngx_uint_t
ngx_ims_txns_waiting(ngx_ims_txns_t *txns)
{
    ngx_uint_t           i, n;
    ngx_ims_txn_priv_t  *x;

    n = 0;

    for (i = 0; i < txns->nbuckets; i++) {
        for (x = txns->buckets[i]; x != NULL; x = x->next) {
            n += ngx_ims_txn_waits(x);
        }
    }

    return n;
}


void
ngx_ims_txns_flow_failed(ngx_ims_txns_t *txns, ngx_ims_flow_t *flow,
    ngx_uint_t refused)
{
    ngx_uint_t           i;
    ngx_ims_txn_priv_t  *x;

    for (i = 0; i < txns->nbuckets; i++) {

        for (x = txns->buckets[i]; x != NULL; x = x->next) {

            if (ngx_ims_txn_waits(x)
                && x->pub.flow.data == flow->data
                && x->pub.flow.connection == flow->connection
                && x->pub.flow.transport == flow->transport)
            {
                ngx_ims_txn_flow_failed(x, refused);
            }
        }
    }
}


static void
ngx_ims_txn_flow_failed(ngx_ims_txn_priv_t *x, ngx_uint_t refused)
{
    ngx_ims_txn_t  *t;

    t = &x->pub;

    if (refused && t->flow.grown && t->state == NGX_IMS_TXN_CALLING) {
        t->flow.grown = 0;
        t->flow.reliable = 0;
        t->flow.transport = NGX_IMS_UDP;
        t->flow.connection = 0;

        if (ngx_ims_txn_send(x, t->request.data, t->request.len) == NGX_OK) {
            x->deadline = ngx_current_msec + 64 * x->txns->conf.t1;
            x->interval = t->flow.reliable ? 0 : x->txns->conf.t1;

            ngx_ims_txn_repeat(x);
            return;
        }
    }

    ngx_ims_txn_finish_later(x, NGX_ERROR);
}


static void
ngx_ims_txn_client_event(ngx_event_t *ev)
{
    ngx_ims_txn_priv_t  *x;

    x = ev->data;

    if (ngx_ims_txn_woken(x) == NGX_DONE) {
        return;
    }

    switch (x->pub.state) {

    case NGX_IMS_TXN_CALLING:
    case NGX_IMS_TXN_PROCEEDING:

        if (ngx_ims_txn_expired(x)) {
            ngx_ims_txn_fail(x, NGX_BUSY);
            return;
        }

        ngx_ims_txn_client_repeat(x);
        return;

    default: /* D, K, M */

        ngx_ims_txn_finish(x);
        return;
    }
}


static void
ngx_ims_txn_client_repeat(ngx_ims_txn_priv_t *x)
{
    ngx_ims_txns_t  *txns;

    txns = x->txns;

    if (x->interval == 0) {
        ngx_ims_txn_repeat(x);
        return;
    }

    if (ngx_ims_txn_send(x, x->pub.request.data, x->pub.request.len)
        != NGX_OK)
    {
        ngx_ims_txn_fail(x, NGX_ERROR);
        return;
    }

    x->interval *= 2;

    if (!x->pub.invite
        && (x->interval > txns->conf.t2
            || x->pub.state == NGX_IMS_TXN_PROCEEDING))
    {
        x->interval = txns->conf.t2;
    }

    ngx_ims_txn_repeat(x);
}


ngx_int_t
ngx_ims_txn_response(ngx_ims_txns_t *txns, ngx_ims_sip_msg_t *m)
{
    uint64_t             hash;
    ngx_ims_txn_priv_t  *x;

    if (m->via.branch.len != NGX_IMS_BRANCH_LEN) {
        return NGX_DECLINED;
    }

    hash = ngx_ims_txn_client_hash(txns, m->method, m->via.branch.data);

    for (x = ngx_ims_txn_bucket(txns, hash); x != NULL; x = x->next) {

        if (x->hash == hash
            && !x->pub.server
            && x->pub.method == (ngx_uint_t) m->method
            && ngx_memcmp(x->pub.branch, m->via.branch.data,
                          NGX_IMS_BRANCH_LEN)
               == 0)
        {
            break;
        }
    }

    if (x == NULL) {
        return NGX_DECLINED;
    }

    if (x->pub.state == NGX_IMS_TXN_TERMINATED) {
        return NGX_OK;
    }

    if (x->pub.invite) {
        ngx_ims_txn_invite_response(x, m);

    } else {
        ngx_ims_txn_plain_response(x, m);
    }

    return NGX_OK;
}


static void
ngx_ims_txn_invite_response(ngx_ims_txn_priv_t *x, ngx_ims_sip_msg_t *m)
{
    ngx_ims_txn_t  *t;

    t = &x->pub;

    if (m->status >= 300) {
        ngx_ims_txn_invite_refused(x, m);
        return;
    }

    if (m->status >= 200) {

        if (t->state == NGX_IMS_TXN_CALLING
            || t->state == NGX_IMS_TXN_PROCEEDING)
        {
            t->state = NGX_IMS_TXN_ACCEPTED;
            t->status = m->status;

            ngx_ims_txn_timer(x, 64 * x->txns->conf.t1);    /* M */
        }

        if (t->state == NGX_IMS_TXN_ACCEPTED) {
            ngx_ims_txn_call(x, NGX_OK, m);
        }

        return;
    }

    if (t->state == NGX_IMS_TXN_CALLING) {
        t->state = NGX_IMS_TXN_PROCEEDING;

        x->interval = 0;
        ngx_ims_txn_timer_stop(x);

        if (x->cancel_wait) {
            x->cancel_wait = 0;
            ngx_ims_txn_send_cancel(x);
        }
    }

    if (t->state != NGX_IMS_TXN_PROCEEDING) {
        return;
    }

    t->status = m->status;

    if (m->status != 100) {
        ngx_ims_txn_call(x, NGX_OK, m);
    }
}


static void
ngx_ims_txn_invite_refused(ngx_ims_txn_priv_t *x, ngx_ims_sip_msg_t *m)
{
    ngx_str_t       ack;
    ngx_ims_txn_t  *t;

    t = &x->pub;

    if (t->state == NGX_IMS_TXN_COMPLETED) {

        if (x->extra.len) {
            (void) ngx_ims_txn_send(x, x->extra.data, x->extra.len);
        }

        return;
    }

    if (t->state != NGX_IMS_TXN_CALLING
        && t->state != NGX_IMS_TXN_PROCEEDING)
    {
        return;
    }

    t->state = NGX_IMS_TXN_COMPLETED;
    t->status = m->status;

    if (ngx_ims_txn_derive(x, "ACK", m, NULL, &ack) == NGX_OK) {

        (void) ngx_ims_txn_send(x, ack.data, ack.len);

        /* again for each repetition; without memory they go unanswered */

        (void) ngx_ims_txn_keep(x, ack.data, ack.len);
        ngx_free(ack.data);

    } else {
        ngx_log_error(NGX_LOG_ERR, x->txns->log, 0,
                      "no ACK could be made for an answer %ui", t->status);
    }

    x->event.cancelable = 1;
    ngx_ims_txn_timer(x, NGX_IMS_TXN_TIMER_D);

    ngx_ims_txn_call(x, NGX_OK, m);

    if (t->flow.reliable) {
        ngx_ims_txn_finish(x);
    }
}


static void
ngx_ims_txn_plain_response(ngx_ims_txn_priv_t *x, ngx_ims_sip_msg_t *m)
{
    ngx_ims_txn_t  *t;

    t = &x->pub;

    if (t->state == NGX_IMS_TXN_COMPLETED) {
        return;
    }

    t->status = m->status;

    if (m->status < 200) {
        t->state = NGX_IMS_TXN_PROCEEDING;

        if (m->status != 100) {
            ngx_ims_txn_call(x, NGX_OK, m);
        }

        return;
    }

    t->state = NGX_IMS_TXN_COMPLETED;

    x->event.cancelable = 1;
    ngx_ims_txn_timer(x, x->txns->conf.t4);    /* K */

    ngx_ims_txn_call(x, NGX_OK, m);

    if (t->flow.reliable) {
        ngx_ims_txn_finish(x);
    }
}


void
ngx_ims_txn_cancel(ngx_ims_txn_t *t, ngx_str_t *reason)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    if (t->server || !t->invite || t->canceled
        || (t->state != NGX_IMS_TXN_CALLING
            && t->state != NGX_IMS_TXN_PROCEEDING))
    {
        return;
    }

    t->canceled = 1;

    if (reason != NULL) {
        (void) ngx_ims_txn_keep(x, reason->data, reason->len);
    }

    if (t->state == NGX_IMS_TXN_CALLING) {
        x->cancel_wait = 1;
        return;
    }

    ngx_ims_txn_send_cancel(x);
}


static void
ngx_ims_txn_send_cancel(ngx_ims_txn_priv_t *x)
{
    ngx_str_t       cancel;
    ngx_ims_txn_t  *t;

    /*
     * 9.1: without a final answer within 64*T1 the INVITE is taken for
     * canceled, whatever became of the CANCEL.
     */

    x->interval = 0;
    x->deadline = ngx_current_msec + 64 * x->txns->conf.t1;
    ngx_ims_txn_repeat(x);

    t = NULL;

    if (ngx_ims_txn_derive(x, "CANCEL", NULL, &x->extra, &cancel) == NGX_OK) {

        if (!x->detached) {
            t = ngx_ims_txn_start(x->txns, &x->pub.flow, NGX_IMS_SIP_CANCEL,
                                  x->pub.branch, cancel.data, cancel.len, 1,
                                  ngx_ims_txn_cancel_handler, NULL);
        }

        ngx_free(cancel.data);
    }

    if (t == NULL) {
        ngx_log_error(NGX_LOG_ERR, x->txns->log, 0,
                      "no CANCEL could be sent");
    }
}


/*
 * On a reliable flow: the other end has what it had, and takes the rest for a
 * repetition
 */

void
ngx_ims_txn_client_resume(ngx_ims_txn_priv_t *x)
{
    if (!ngx_ims_txn_waits(x)) {
        return;
    }

    if (x->pub.canceled && x->pub.state == NGX_IMS_TXN_PROCEEDING) {
        ngx_ims_txn_send_cancel(x);
        return;
    }

    (void) ngx_ims_txn_send(x, x->pub.request.data, x->pub.request.len);
}


/* the answer to the INVITE says what matters */

static void
ngx_ims_txn_cancel_handler(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m)
{
    ngx_log_debug2(NGX_LOG_DEBUG_CORE,
                   ((ngx_ims_txn_priv_t *) t->priv)->txns->log, 0,
                   "ims txn: CANCEL rc %i, status %ui", rc, t->status);
}


/*
 * An ACK (17.1.1.3; To is the answer's) or a CANCEL (9.1) for an INVITE that
 * was sent.  Only the top Via, as this hop is where it ends.
 */

static ngx_int_t
ngx_ims_txn_derive(ngx_ims_txn_priv_t *x, char *method,
    ngx_ims_sip_msg_t *response, ngx_str_t *extra, ngx_str_t *out)
{
    size_t              len;
    u_char             *p;
    ngx_ims_sip_msg_t   m, *to;
    ngx_ims_sip_hdr_t   hdrs[NGX_IMS_SIP_MAX_HEADERS];

    if (ngx_ims_sip_parse(&m, x->pub.request.data, x->pub.request.len, hdrs,
                          NGX_IMS_SIP_MAX_HEADERS, 0)
        != NGX_IMS_OK)
    {
        return NGX_ERROR;
    }

    to = response ? response : &m;

    len = x->pub.request.len + to->text.len + NGX_IMS_TXN_HEAD
          + (extra ? extra->len : 0);

    out->data = ngx_alloc(len, x->txns->log);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(out->data, "%s %*s SIP/2.0" CRLF "Via: %*s" CRLF, method,
                    m.uri.len, m.uri.data, m.via.value.len,
                    m.via.value.data);

    p = ngx_cpymem(p, "Max-Forwards: 70" CRLF,
                   sizeof("Max-Forwards: 70" CRLF) - 1);

    p = ngx_ims_txn_copy_lines(p, &m, NGX_IMS_HDR_ROUTE);
    p = ngx_ims_txn_copy_lines(p, &m, NGX_IMS_HDR_FROM);
    p = ngx_ims_txn_copy_lines(p, to, NGX_IMS_HDR_TO);
    p = ngx_ims_txn_copy_lines(p, &m, NGX_IMS_HDR_CALL_ID);

    p = ngx_sprintf(p, "CSeq: %uD %s" CRLF, m.cseq, method);

    if (extra && extra->len) {
        p = ngx_cpymem(p, extra->data, extra->len);
    }

    p = ngx_cpymem(p, "Content-Length: 0" CRLF CRLF,
                   sizeof("Content-Length: 0" CRLF CRLF) - 1);

    out->len = p - out->data;

    return NGX_OK;
}


static u_char *
ngx_ims_txn_copy_lines(u_char *p, ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id)
{
    ngx_uint_t          i;
    ngx_ims_sip_hdr_t  *h;

    for (i = m->first[id]; i != 0; i = h->next) {
        h = &m->hdrs[i - 1];

        p = ngx_cpymem(p, m->text.data + h->start, h->end - h->start);
    }

    return p;
}
