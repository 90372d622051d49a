/*
 * Copyright (C) the IMS portal authors
 *
 * The core demands reliable provisional answers (RFC 3262 3) of a browser that
 * gives plain ones: the portal numbers and repeats them, and takes the PRACK.
 * One is on its way at a time; the others, and a 2xx behind one with SDP, wait.
 *
 * Timers: T1, doubling, for what was not acknowledged; 64*T1 end the call.
 */


#include "ngx_ims_early.h"


enum {
    NGX_IMS_REL_MAX = 32,                /* answers that wait, a call */
    NGX_IMS_REL_FIRST = 0x7fffffff       /* RFC 3262 3: below 2**31 */
};


typedef struct ngx_ims_rel_out_s  ngx_ims_rel_out_t;

struct ngx_ims_rel_out_s {
    ngx_ims_rel_out_t        *next;
    ngx_str_t                 text;
    ngx_uint_t                status;
    uint32_t                  rseq;
    ngx_uint_t                sdp;
};


struct ngx_ims_rel_s {
    ngx_ims_forward_t        *forward;
    ngx_event_t               timer;
    ngx_msec_t                interval;       /* ms */
    ngx_msec_t                deadline;       /* absolute */
    ngx_ims_rel_out_t        *first;          /* the one that was sent */
    ngx_ims_rel_out_t       **last;
    ngx_uint_t                nouts;
    ngx_ims_rel_out_t        *final;          /* a 2xx that waits */
    uint32_t                  given;          /* the last number */
    uint32_t                  open;           /* wants a PRACK, 0: none */
    uint32_t                  cseq;           /* of the INVITE */
};


static ngx_ims_rel_out_t *ngx_ims_rel_out(ngx_ims_forward_t *fw,
    ngx_uint_t status, u_char *p, size_t len, ngx_uint_t sdp);
static void ngx_ims_rel_send(ngx_ims_rel_t *rel);
static void ngx_ims_rel_final(ngx_ims_rel_t *rel);
static void ngx_ims_rel_timer(ngx_event_t *ev);
static void ngx_ims_rel_fail(ngx_ims_rel_t *rel);
static void ngx_ims_rel_free(void *data);


uint32_t
ngx_ims_early_number(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig)
{
    ngx_ims_rel_t       *rel;
    ngx_pool_cleanup_t  *cln;

    if (fw->up || !fw->initial || !fw->required || m->status <= 100
        || m->status >= 200 || m->to.tag.len == 0)
    {
        return 0;
    }

    if (ngx_ims_route_rseq(m)) {

        /* it does know them */

        fw->required = 0;
        return 0;
    }

    rel = fw->rel;

    if (rel == NULL) {

        if (ngx_ims_forward_memory(fw) != NGX_OK) {
            return 0;
        }

        rel = ngx_pcalloc(fw->memory, sizeof(ngx_ims_rel_t));
        cln = ngx_pool_cleanup_add(fw->memory, 0);

        if (rel == NULL || cln == NULL) {
            return 0;
        }

        cln->handler = ngx_ims_rel_free;
        cln->data = rel;

        rel->forward = fw;
        rel->last = &rel->first;
        rel->cseq = orig->cseq;
        rel->given = (uint32_t) ngx_random() % (NGX_IMS_REL_FIRST / 2);

        rel->timer.handler = ngx_ims_rel_timer;
        rel->timer.data = rel;
        rel->timer.log = fw->worker->log;

        fw->rel = rel;
    }

    return rel->nouts < NGX_IMS_REL_MAX ? rel->given + 1 : 0;
}


static void
ngx_ims_rel_free(void *data)
{
    ngx_ims_rel_t  *rel;

    rel = data;

    if (rel->timer.timer_set) {
        ngx_del_timer(&rel->timer);
    }
}


void
ngx_ims_early_reply(ngx_ims_forward_t *fw, ngx_uint_t status, u_char *p,
    size_t len, uint32_t rseq, ngx_uint_t sdp)
{
    ngx_ims_rel_t      *rel;
    ngx_ims_rel_out_t  *out;

    rel = fw->rel;

    if (rel == NULL || (status < 200 && rseq == 0)) {
        (void) ngx_ims_txn_reply(fw->server, status, p, len);
        return;
    }

    if (status >= 200) {

        if (status < 300 && rel->first != NULL && rel->first->sdp) {
            rel->final = ngx_ims_rel_out(fw, status, p, len, sdp);

            if (rel->final != NULL) {
                return;
            }
        }

        rel->first = NULL;
        (void) ngx_ims_txn_reply(fw->server, status, p, len);
        return;
    }

    out = ngx_ims_rel_out(fw, status, p, len, sdp);
    if (out == NULL) {
        return;
    }

    out->rseq = rseq;
    rel->given = rseq;
    rel->nouts++;

    *rel->last = out;
    rel->last = &out->next;

    if (rel->first == out) {
        ngx_ims_rel_send(rel);
    }
}


ngx_uint_t
ngx_ims_early_waits(ngx_ims_forward_t *fw)
{
    return fw->rel != NULL && fw->rel->final != NULL;
}


static ngx_ims_rel_out_t *
ngx_ims_rel_out(ngx_ims_forward_t *fw, ngx_uint_t status, u_char *p,
    size_t len, ngx_uint_t sdp)
{
    ngx_ims_rel_out_t  *out;

    out = ngx_pcalloc(fw->memory, sizeof(ngx_ims_rel_out_t));
    if (out == NULL) {
        return NULL;
    }

    out->text.data = ngx_pnalloc(fw->memory, len);
    if (out->text.data == NULL) {
        return NULL;
    }

    ngx_memcpy(out->text.data, p, len);
    out->text.len = len;
    out->status = status;
    out->sdp = sdp;

    return out;
}


/* the first one goes for the first time */

static void
ngx_ims_rel_send(ngx_ims_rel_t *rel)
{
    ngx_msec_t          t1;
    ngx_ims_forward_t  *fw;

    fw = rel->forward;
    t1 = ngx_ims_txns_t1(fw->worker->txns);

    rel->open = rel->first->rseq;
    rel->interval = t1;
    rel->deadline = ngx_current_msec + 64 * t1;

    (void) ngx_ims_txn_reply(fw->server, rel->first->status,
                             rel->first->text.data, rel->first->text.len);

    ngx_add_timer(&rel->timer, rel->interval);
}


/* the 2xx need not wait any more; what did not leave before it will not */

static void
ngx_ims_rel_final(ngx_ims_rel_t *rel)
{
    ngx_ims_rel_out_t  *out;

    out = rel->final;

    rel->final = NULL;
    rel->first = NULL;

    (void) ngx_ims_txn_reply(rel->forward->server, out->status,
                             out->text.data, out->text.len);
}


static void
ngx_ims_rel_timer(ngx_event_t *ev)
{
    ngx_ims_rel_t      *rel;
    ngx_ims_forward_t  *fw;

    rel = ev->data;
    fw = rel->forward;

    /* a final answer ends the repetitions (RFC 3262 3) */

    if (rel->first == NULL || fw->server == NULL
        || (fw->answered && rel->final == NULL))
    {
        return;
    }

    if ((ngx_msec_int_t) (rel->deadline - ngx_current_msec) <= 0) {
        ngx_ims_rel_fail(rel);
        return;
    }

    (void) ngx_ims_txn_reply(fw->server, rel->first->status,
                             rel->first->text.data, rel->first->text.len);

    rel->interval *= 2;

    ngx_add_timer(ev, ngx_min(rel->interval,
                              (ngx_msec_t) (rel->deadline
                                            - ngx_current_msec)
                              + 1));
}


/* nobody took notice: the INVITE fails (RFC 3262 3), the browser is told */

static void
ngx_ims_rel_fail(ngx_ims_rel_t *rel)
{
    size_t              len;
    ngx_uint_t          waits;
    ngx_ims_dialog_t    d;
    ngx_ims_worker_t   *w;
    ngx_ims_forward_t  *fw;
    ngx_ims_sip_msg_t  *orig, *m;

    fw = rel->forward;
    w = fw->worker;
    waits = (rel->final != NULL);

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "core \"%V\" did not acknowledge a provisional answer",
                  &fw->pool->core->name);

    rel->first = NULL;

    if (!waits) {
        fw->canceled = 1;

        if (fw->client != NULL) {
            ngx_ims_txn_cancel(fw->client, NULL);
        }

        ngx_ims_forward_local(fw, 504, NULL);
        return;
    }

    /* the browser has answered and counts itself in a call */

    m = &w->parsed->msg;
    orig = &w->saved->msg;

    if (ngx_ims_forward_parse(w->parsed, &rel->final->text) != NGX_OK
        || ngx_ims_forward_parse(w->saved, &fw->server->request) != NGX_OK)
    {
        return;
    }

    rel->final = NULL;

    if (ngx_ims_dialog_find(fw->pool, &fw->binding, &m->call_id, &m->to.tag,
                            &m->from.tag, &d, w->record)
        == NGX_OK)
    {
        ngx_ims_call_ack(w, fw->session, fw->pool, &d, 0, orig->cseq);
        ngx_ims_call_bye(w, fw->session, fw->pool, &d, 0, 1,
                         "SIP;cause=504;text=\"no PRACK\"");
        (void) ngx_ims_call_end(w, fw->pool, &d);
    }

    if (ngx_ims_sip_reply(orig, 504, NULL, &m->to.tag, NULL, NULL, w->out,
                          w->out_size, &len)
        == NGX_IMS_OK)
    {
        (void) ngx_ims_txn_reply(fw->server, 504, w->out, len);
    }

    if (fw->session != NULL) {
        ngx_ims_call_recount(fw->session);
    }
}


ngx_int_t
ngx_ims_early_acked(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d)
{
    uint32_t            rseq, cseq;
    ngx_ims_rel_t      *rel;
    ngx_ims_forward_t  *invite, *fw;

    invite = ngx_ims_forward_invite(s, &m->call_id, 0);
    rel = invite ? invite->rel : NULL;

    if (rel == NULL) {
        return NGX_DECLINED;
    }

    if (!ngx_ims_route_rack(m, &rseq, &cseq) || rel->open == 0
        || rseq != rel->open || cseq != rel->cseq)
    {
        ngx_ims_call_refuse(s->worker, flow, m, 481, NULL);
        return NGX_OK;
    }

    if (!ngx_ims_forward_has_sdp(m)) {
        fw = ngx_ims_forward_create(s, flow, m, 0);

        if (fw == NULL) {
            ngx_ims_call_refuse(s->worker, flow, m, 503,
                                "Retry-After: 5" CRLF);
            return NGX_OK;
        }

        fw->in_dialog = 1;
        fw->dialog = d->ref;
        ngx_ims_forward_local(fw, 200, NULL);
    }

    rel->open = 0;

    if (rel->timer.timer_set) {
        ngx_del_timer(&rel->timer);
    }

    if (rel->first != NULL && invite->server != NULL) {
        rel->first = rel->first->next;

        if (rel->first == NULL) {
            rel->last = &rel->first;
        }

        if (rel->final != NULL) {
            ngx_ims_rel_final(rel);

        } else if (rel->first != NULL && !invite->answered) {
            ngx_ims_rel_send(rel);
        }
    }

    /* an offer in a PRACK is one in an UPDATE for who does not know PRACK */

    return ngx_ims_forward_has_sdp(m) ? NGX_AGAIN : NGX_OK;
}
