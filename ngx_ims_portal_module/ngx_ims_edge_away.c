/*
 * Copyright (C) the IMS portal authors
 *
 * A browser that is away: what becomes of what was under way when its socket
 * went, and of what comes until it is back.
 *
 * No timers here: ngx_ims_park.c and ngx_ims_forward_away.c have them.
 */


#include "ngx_ims_edge.h"
#include "ngx_ims_edge_int.h"
#include "ngx_ims_clock.h"
#include "ngx_ims_loop.h"
#include "ngx_ims_register.h"


#define NGX_IMS_EDGE_LEFT_WAIT  2000          /* ms for a page to come back */


static ngx_uint_t ngx_ims_edge_known(ngx_ims_worker_t *w,
    ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_dialog_t *d);
static void ngx_ims_edge_bye(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_dialog_t *d);
static ngx_uint_t ngx_ims_edge_urgent(ngx_ims_session_t *s);
static void ngx_ims_edge_keep(ngx_ims_session_t *s, ngx_uint_t left);
static void ngx_ims_edge_keep_forward(ngx_ims_forward_t *fw,
    ngx_uint_t left);


/*
 * The portal speaks for the browser where it can: a BYE ends the call.
 * Anything else waits: a new call for as long as a page takes to be loaded
 * again, and what belongs to a call longer.
 */

void
ngx_ims_edge_stranded(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref)
{
    ngx_ims_dialog_t  d;

    if (m->method == NGX_IMS_SIP_CANCEL) {
        ngx_ims_call_refuse(w, flow, m, 481, NULL);
        return;
    }

    if (m->to.tag.len == 0) {

        if (m->method != NGX_IMS_SIP_ACK) {
            ngx_ims_edge_park(w, core, flow, m, pool, ref, NGX_IMS_PARK_NEW);
        }

        return;
    }

    if (!ngx_ims_edge_known(w, m, pool, ref, &d)) {
        ngx_ims_call_refuse(w, flow, m, 481, NULL);
        return;
    }

    if (m->method == NGX_IMS_SIP_BYE) {

        if (d.events) {
            ngx_ims_call_refuse(w, flow, m, 481, NULL);
            return;
        }

        ngx_ims_call_refuse(w, flow, m, 200, NULL);
        ngx_ims_edge_bye(w, pool, ref, &d);
        return;
    }

    ngx_ims_edge_park(w, core, flow, m, pool, ref, NGX_IMS_PARK_WAIT);
}


/* 1: it is within a dialog, or the first NOTIFY of one that was asked for */

static ngx_uint_t
ngx_ims_edge_known(ngx_ims_worker_t *w, ngx_ims_sip_msg_t *m,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *ref, ngx_ims_dialog_t *d)
{
    return ngx_ims_dialog_find(pool, ref, &m->call_id, &m->to.tag,
                               &m->from.tag, d, w->record)
           == NGX_OK
           || (m->method == NGX_IMS_SIP_NOTIFY
               && ngx_ims_dialog_pending(pool, ref, &m->call_id, &m->to.tag,
                                         d, w->record)
                  == NGX_OK);
}


/* the far end has hung up, and the browser hears of it when it is back */

static void
ngx_ims_edge_bye(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_dialog_t *d)
{
    size_t              len;
    ngx_str_t           host;
    ngx_ims_str_t       call_id;

    call_id = d->call_id;
    ngx_ims_park_over(pool, ref, &call_id);

    host.data = pool->core->edge->host.data;
    host.len = pool->core->edge->host.len;

    len = ngx_ims_call_bye_text(w, pool, d, "WSS", &host,
                                "SIP;cause=200;text=\"far end hung up\"");

    if (len) {
        ngx_ims_park_raw(w, pool, ref, w->out, len);
    }

    (void) ngx_ims_call_over(w, pool, d);
}


void
ngx_ims_edge_park(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_msec_t wait)
{
    if (ngx_ims_park_request(w, core, flow, m, pool, ref, wait) != NGX_OK) {
        ngx_ims_call_refuse(w, flow, m, 480, "Retry-After: 5" CRLF);
    }
}


void
ngx_ims_edge_answer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_ims_flow_t     flow;
    ngx_ims_owner_t    owner;
    ngx_ims_worker_t  *w;

    w = s->worker;

    if (ngx_ims_txn_response(w->txns, m) == NGX_OK
        || ngx_ims_txn_branch_owner(&m->via.branch, &owner) != NGX_OK
        || ngx_ims_owner_equal(&owner, &w->self))
    {
        return;
    }

    ngx_ims_loop_flow(s->pool->core, &flow);

    (void) ngx_ims_handover_send(w, s->pool->core, &owner, &flow, &m->text);
}


void
ngx_ims_edge_end(ngx_ims_session_t *s, ngx_ims_end_e how)
{
    ngx_msec_t  grace, wait;

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "browser of \"%V\" %s", &s->user,
                  how == NGX_IMS_END_LEFT ? "left"
                  : how == NGX_IMS_END_MOVED ? "has a new socket"
                  : how == NGX_IMS_END_EXPIRED ? "has no token any more"
                  : "was lost");

    grace = s->policy->grace;
    wait = 0;

    if (s->bound && how != NGX_IMS_END_EXPIRED
        && (how != NGX_IMS_END_LEFT || s->registered))
    {
        ngx_ims_edge_keep(s, how == NGX_IMS_END_LEFT);
    }

    if (s->bound && (how == NGX_IMS_END_LOST || how == NGX_IMS_END_MOVED)) {
        wait = ngx_min(grace, 64 * ngx_ims_txns_t1(s->worker->txns));
    }

    ngx_ims_forward_detach(s, wait);
    ngx_ims_clock_stop(s);

    if (how == NGX_IMS_END_LEFT || how == NGX_IMS_END_EXPIRED) {

        /* D18: the page is gone, its calls end at once */

        if (s->bound) {
            ngx_ims_call_end_all(s->worker, NULL, s->pool, &s->binding,
                                 "SIP;cause=480;text=\"browser left\"");
        }

        /* what the page has de-registered itself it does not come back for */

        grace = s->registered ? ngx_min(grace, NGX_IMS_EDGE_LEFT_WAIT) : 0;
    }

    ngx_ims_register_lost(s, grace, how == NGX_IMS_END_MOVED);
}


/*
 * The token has ended: no new calls, and no registration.  Running calls go on
 * for a time, those for help as long as they last, and where a REGISTER can
 * bring a fresh token, the socket waits a little for that.
 */

void
ngx_ims_edge_token_end(ngx_ims_session_t *s)
{
    time_t      until;
    ngx_uint_t  busy;

    ngx_ims_register_expire(s);

    busy = s->ncalls || s->npending;
    until = s->token_expires;

    if (busy) {
        until += s->policy->token_finish;

    } else if (s->policy->auth & NGX_IMS_AUTH_SIP) {
        until += s->policy->token_grace;
    }

    if (until > ngx_time()) {

        /* ngx_ims_session_settle() comes here, too, when nothing is left */

        ngx_ims_session_until(s, until);
        return;
    }

    if (s->ncalls && s->bound) {
        ngx_ims_call_end_ordinary(s, "SIP;cause=480;text=\"token ended\"");
        s->ncalls = ngx_ims_dialog_count(s->pool, &s->binding);
    }

    /* nobody is cut off who calls for help: settle() tells of its end */

    if (ngx_ims_edge_urgent(s)) {
        return;
    }

    ngx_ims_session_close(s, NGX_IMS_WS_TOKEN_ENDED, "token ended",
                          NGX_IMS_END_EXPIRED);
}


/* 1: an emergency call runs, or is being made */

static ngx_uint_t
ngx_ims_edge_urgent(ngx_ims_session_t *s)
{
    ngx_queue_t        *q;
    ngx_ims_forward_t  *fw;

    for (q = ngx_queue_head(&s->requests);
         q != ngx_queue_sentinel(&s->requests);
         q = ngx_queue_next(q))
    {
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        if (fw->emergency && !fw->answered) {
            return 1;
        }
    }

    /* all others have been ended */

    return s->ncalls != 0;
}


/*
 * What the core asked of the browser, and is not answered, waits for its next
 * socket.  A page that left may be loaded again: then what rang rings on; its
 * calls are over.
 */

static void
ngx_ims_edge_keep(ngx_ims_session_t *s, ngx_uint_t left)
{
    u_char              *p, *again;
    ngx_queue_t         *q, *next;
    ngx_ims_held_t      *held;
    ngx_ims_worker_t    *w;
    ngx_ims_sip_msg_t   *m;
    ngx_ims_forward_t   *fw;

    w = s->worker;

    for (q = ngx_queue_head(&s->requests);
         q != ngx_queue_sentinel(&s->requests);
         q = next)
    {
        next = ngx_queue_next(q);
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        if (!fw->up) {
            ngx_ims_edge_keep_forward(fw, left);
        }
    }

    while ((held = ngx_ims_forward_held(s)) != NULL) {
        p = (u_char *) held + sizeof(ngx_ims_held_t);
        m = &w->saved->msg;

        if (ngx_ims_sip_parse(m, p, held->len, w->saved->hdrs,
                              NGX_IMS_SIP_MAX_HEADERS, 1)
            == NGX_IMS_OK)
        {
            again = w->again;
            w->again = held->branch[0] ? held->branch : NULL;
            ngx_ims_edge_park(w, s->pool->core, &held->flow, m, s->pool,
                              &s->binding, NGX_IMS_PARK_WAIT);
            w->again = again;
        }

        ngx_free(held);
    }
}


static void
ngx_ims_edge_keep_forward(ngx_ims_forward_t *fw, ngx_uint_t left)
{
    if (fw->in_dialog && left) {
        return;
    }

    if (fw->server != NULL && fw->server->method == NGX_IMS_SIP_BYE
        && !fw->answered)
    {
        /* that call is over, whether the browser has heard it or not */

        if (fw->client != NULL) {
            ngx_ims_park_raw(fw->worker, fw->pool, &fw->binding,
                             fw->client->request.data,
                             fw->client->request.len);
        }

        ngx_ims_forward_local(fw, 200, NULL);
        return;
    }

    (void) ngx_ims_park_forward(fw, NGX_IMS_PARK_WAIT);
}
