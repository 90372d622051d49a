/*
 * Copyright (C) the IMS portal authors
 *
 * A request of a browser that its server does not answer, or refuses with 503,
 * goes to the next server: the same bytes with another Via, in a transaction of
 * its own.  What the first one says later is dropped by who handles answers; a
 * call that it makes is ended there.
 *
 * Timers: one for each request outside a dialog on its way up, while nothing
 * was heard: 250 ms, and the core's "timeout"; twice that for an INVITE that
 * nobody else can take.
 */


#include "ngx_ims_forward.h"


static void ngx_ims_forward_watched(ngx_event_t *ev);
static void ngx_ims_forward_renew(ngx_ims_forward_t *fw);
static void ngx_ims_forward_first_route(ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *uri);
static ngx_ims_txn_t *ngx_ims_forward_again(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_flow_t *flow);


void
ngx_ims_forward_watch(ngx_ims_forward_t *fw)
{
    if (fw->tried == 0 || fw->client == NULL) {
        return;
    }

    fw->watch.handler = ngx_ims_forward_watched;
    fw->watch.data = fw;
    fw->watch.log = fw->worker->log;

    fw->sent = ngx_current_msec;

    ngx_add_timer(&fw->watch,
                  ngx_ims_core_patience(fw->pool->core, &fw->client->flow,
                                        fw->tried, fw->client->invite,
                                        fw->sent));
}


static void
ngx_ims_forward_watched(ngx_event_t *ev)
{
    ngx_msec_t          wait, sent;
    ngx_ims_core_t     *core;
    ngx_ims_flow_t      flow;
    ngx_ims_forward_t  *fw;

    fw = ev->data;
    core = fw->pool->core;

    if (fw->client == NULL || fw->client->status) {
        return;
    }

    wait = ngx_ims_core_patience(core, &fw->client->flow, fw->tried,
                                 fw->client->invite, fw->sent);

    if (wait == 0) {
        flow = fw->client->flow;
        sent = fw->sent;

        if (ngx_ims_forward_next(fw) == NGX_OK) {

            if (!ngx_ims_core_heard(core, &flow, sent)) {
                ngx_ims_core_result(core, &flow, 0);
            }

            return;
        }

        /*
         * an INVITE is answered with 100 at once: a hop that is silent so long
         * is dead, and a caller does not wait 64*T1 for that word
         */

        if (fw->renewed && fw->client->invite) {
            fw->canceled = 1;
            ngx_ims_txn_cancel(fw->client, NULL);
            ngx_ims_forward_local(fw, 408, NULL);
            return;
        }

        ngx_ims_forward_renew(fw);
        wait = fw->renewed ? core->timeout : 1000;
    }

    ngx_add_timer(ev, wait);
}


/*
 * The S-CSCF of the Service-Route is silent and nobody has its place: another
 * one can only be found by registering again, which is done at once, so that
 * the next request finds it (TS 24.229 5.1.1.4.1).
 */

static void
ngx_ims_forward_renew(ngx_ims_forward_t *fw)
{
    ngx_event_t  *ev;

    if (fw->renewed || fw->session == NULL) {
        return;
    }

    ev = &fw->session->refresh_event;

    if (ev->timer_set) {
        fw->renewed = 1;
        fw->session->refresh_now = 1;
        ngx_add_timer(ev, 1);
    }
}


ngx_int_t
ngx_ims_forward_next(ngx_ims_forward_t *fw)
{
    ngx_ims_str_t      uri;
    ngx_ims_txn_t     *old, *client;
    ngx_ims_core_t    *core;
    ngx_ims_flow_t     flow;
    ngx_ims_worker_t  *w;

    w = fw->worker;
    old = fw->client;
    core = fw->pool->core;

    if (fw->tried == 0 || fw->canceled || fw->answered || fw->proceeding
        || old == NULL || fw->server == NULL || fw->session == NULL
        || ngx_ims_forward_parse(w->saved, &old->request) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_ims_forward_first_route(&w->saved->msg, &uri);

    client = NULL;

    while (client == NULL) {

        if (ngx_ims_core_hop(core, &uri, &fw->tried, &flow) != NGX_OK) {
            return NGX_DECLINED;
        }

        client = ngx_ims_forward_again(fw, &w->saved->msg, &flow);
    }

    ngx_log_error(NGX_LOG_INFO, fw->session->connection->log, 0,
                  "a request goes to another server of core \"%V\"",
                  &core->name);

    fw->client = client;
    fw->refs++;
    fw->moved = 1;

    if (fw->timer.timer_set) {
        ngx_del_timer(&fw->timer);
    }

    if (old->invite) {
        ngx_ims_txn_cancel(old, NULL);
        ngx_add_timer(&fw->timer, fw->pool->core->timer_c);

    } else {
        ngx_ims_txn_detach(old);
    }

    ngx_ims_forward_watch(fw);

    return NGX_OK;
}


ngx_int_t
ngx_ims_forward_refused(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    if (m->status != 503 || fw->tried == 0 || fw->canceled || fw->answered) {
        return NGX_DECLINED;
    }

    if (ngx_ims_core_others(fw->pool->core, fw->tried)
        && ngx_ims_forward_next(fw) == NGX_OK)
    {
        return NGX_OK;
    }

    if (!fw->moved) {
        return NGX_DECLINED;
    }

    /* now the portal itself has no server (RFC 3261 16.7) */

    ngx_ims_forward_local(fw, 503, "Retry-After: 5" CRLF);

    return NGX_OK;
}


static void
ngx_ims_forward_first_route(ngx_ims_sip_msg_t *m, ngx_ims_str_t *uri)
{
    ngx_ims_str_t       value;
    ngx_ims_sip_addr_t  addr;
    ngx_ims_sip_iter_t  it;

    uri->len = 0;
    uri->data = NULL;

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    if (ngx_ims_sip_next(m, NGX_IMS_HDR_ROUTE, &it, &value)
        && ngx_ims_sip_parse_addr(&value, &addr) == NGX_IMS_OK)
    {
        *uri = addr.uri;
    }
}


static ngx_ims_txn_t *
ngx_ims_forward_again(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_flow_t *flow)
{
    size_t                len;
    ngx_ims_str_t         via;
    ngx_ims_facts_t       f;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    ngx_memzero(&f, sizeof(ngx_ims_facts_t));
    ngx_ims_txn_branch(w->txns, f.branch);
    ngx_ims_call_via(fw->pool, flow, &f);

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    via = ngx_ims_sip_textf(&e, "SIP/2.0/%.*s %.*s;branch=%.*s;rport",
                            (int) f.r.transport.len, f.r.transport.data,
                            (int) f.r.via.len, f.r.via.data,
                            (int) NGX_IMS_BRANCH_LEN, f.branch);
    ngx_ims_sip_replace(&e, m, &m->via.value, via);

    if (ngx_ims_sip_splice(&e, m, w->out, w->out_size, &len) != NGX_IMS_OK) {
        return NULL;
    }

    return ngx_ims_txn_again(fw->client, flow, f.branch, w->out, len);
}
