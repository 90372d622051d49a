/*
 * Copyright (C) the IMS portal authors
 *
 * What the portal says itself within a dialog (design D17): requests to the
 * core with transactions of their own, and the ACK of a 2xx for either side.
 */


#include "ngx_ims_call.h"
#include "ngx_ims_retry.h"


typedef struct {
    ngx_ims_retry_t           retry;
    ngx_ims_ref_t             binding;
    ngx_ims_ref_t             dialog;
    ngx_uint_t                refs;           /* transactions under way */
    ngx_ims_txn_t            *client;
    ngx_ims_call_own_pt       handler;
    void                     *data;
} ngx_ims_call_own_t;


static u_char *ngx_ims_call_head(u_char *p, u_char *last, ngx_ims_dialog_t *d,
    ngx_ims_facts_t *f, ngx_uint_t up, const char *method);
static void ngx_ims_call_own_response(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_call_own_again(ngx_ims_call_own_t *own,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_call_own_done(ngx_ims_call_own_t *own, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);


/* start line, Via, Route, Max-Forwards, From, To, Call-ID */

static u_char *
ngx_ims_call_head(u_char *p, u_char *last, ngx_ims_dialog_t *d,
    ngx_ims_facts_t *f, ngx_uint_t up, const char *method)
{
    p = ngx_slprintf(p, last,
                     "%s %V SIP/2.0" CRLF
                     "Via: SIP/2.0/%V %V;branch=%V;rport" CRLF,
                     method, up ? &d->far_target : &d->web_target,
                     up ? &f->r.transport : &f->r.web_transport,
                     up ? &f->r.via : &f->r.web, &f->r.branch);

    if (up && d->routes.len) {
        p = ngx_slprintf(p, last, "Route: %V" CRLF, &d->routes);
    }

    return ngx_slprintf(p, last,
                        "Max-Forwards: 70" CRLF
                        "From: %V" CRLF
                        "To: %V" CRLF
                        "Call-ID: %V" CRLF,
                        up ? &d->core_id
                           : d->shown_id.len ? &d->shown_id : &d->far_id,
                        up ? &d->far_id : &d->web_id, &d->call_id);
}


void
ngx_ims_call_ack(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_dialog_t *d, ngx_uint_t up, uint32_t cseq)
{
    u_char           *p, *last;
    ngx_ims_flow_t    flow;
    ngx_ims_facts_t   f;

    if (!(up ? d->far_target.len : d->web_target.len)
        || ngx_ims_call_facts(w, s, pool, &d->binding,
                              pool->zone.bindings[d->binding.index].lease, &f)
           != NGX_OK)
    {
        return;
    }

    if (!up) {

        if (s == NULL) {
            return;
        }

        flow = s->flow;

    } else if (ngx_ims_call_next_hop(pool, &d->routes, &d->far_target, &flow)
               == NGX_OK)
    {
        ngx_ims_call_via(pool, &flow, &f);

    } else {
        return;
    }

    last = w->out + w->out_size;

    p = ngx_ims_call_head(w->out, last, d, &f, up, "ACK");
    p = ngx_slprintf(p, last,
                     "CSeq: %uD ACK" CRLF
                     "Content-Length: 0" CRLF CRLF, cseq);

    (void) flow.send(&flow, w->out, p - w->out);
}


ngx_int_t
ngx_ims_call_own(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d, const char *method, uint32_t cseq,
    const char *lines, ngx_ims_call_own_pt handler, void *data)
{
    u_char              *p, *last;
    ngx_str_t            name;
    ngx_ims_flow_t       flow;
    ngx_ims_facts_t      f;
    ngx_ims_call_own_t  *own;

    /* without a Contact there is nobody to send it to */

    if (d->far_target.len == 0
        || ngx_ims_call_facts(w, NULL, pool, &d->binding,
                              pool->zone.bindings[d->binding.index].lease, &f)
           != NGX_OK
        || ngx_ims_call_next_hop(pool, &d->routes, &d->far_target, &flow)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    own = ngx_calloc(sizeof(ngx_ims_call_own_t), w->log);
    if (own == NULL) {
        return NGX_ERROR;
    }

    own->retry.worker = w;
    own->retry.pool = pool;
    own->retry.lease = pool->zone.bindings[d->binding.index].lease;
    own->binding = d->binding;
    own->dialog = d->ref;
    own->handler = handler;
    own->data = data;

    ngx_ims_call_via(pool, &flow, &f);

    last = w->out + w->out_size;

    p = ngx_ims_call_head(w->out, last, d, &f, 1, method);
    p = ngx_slprintf(p, last,
                     "CSeq: %uD %s" CRLF
                     "%s"
                     "Content-Length: 0" CRLF CRLF, cseq, method, lines);

    name.data = (u_char *) method;
    name.len = ngx_strlen(method);

    own->client = ngx_ims_txn_client(w->txns, &flow,
                                     ngx_ims_sip_method(&name), f.branch,
                                     w->out, p - w->out,
                                     ngx_ims_call_own_response, own);
    if (own->client == NULL) {
        ngx_free(own);
        return NGX_ERROR;
    }

    own->refs = 1;

    return NGX_OK;
}


static void
ngx_ims_call_own_response(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m)
{
    ngx_ims_call_own_t  *own;

    own = t->data;

    if (rc == NGX_DONE) {

        if (own->client == t) {
            own->client = NULL;
        }

        if (--own->refs == 0) {
            ngx_ims_call_own_done(own, NGX_ERROR, NULL);
            ngx_free(own);
        }

        return;
    }

    if (own->client != t || (rc == NGX_OK && m->status < 200)) {
        return;
    }

    if (rc == NGX_OK && (m->status == 401 || m->status == 407)
        && own->retry.pool->core->secrets != NULL
        && ngx_ims_call_own_again(own, m) == NGX_OK)
    {
        return;
    }

    ngx_ims_call_own_done(own, rc, m);
}


static ngx_int_t
ngx_ims_call_own_again(ngx_ims_call_own_t *own, ngx_ims_sip_msg_t *m)
{
    uint32_t           cseq;
    ngx_ims_dialog_t   d;
    ngx_ims_txn_t     *client;

    d.ref = own->dialog;

    cseq = ngx_ims_dialog_speak(own->retry.pool, &d, 1);

    own->retry.session = ngx_ims_session_find(own->retry.worker,
                                              own->retry.pool, &own->binding);

    client = ngx_ims_retry_send(&own->retry, own->client, m, cseq,
                                ngx_ims_call_own_response, own);
    if (client == NULL) {
        return NGX_ERROR;
    }

    own->client = client;
    own->refs++;

    return NGX_OK;
}


static void
ngx_ims_call_own_done(ngx_ims_call_own_t *own, ngx_int_t rc,
    ngx_ims_sip_msg_t *m)
{
    ngx_ims_call_own_pt  handler;

    handler = own->handler;
    own->handler = NULL;

    if (handler != NULL) {
        handler(own->data, rc, m);
    }
}
