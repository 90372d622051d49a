/*
 * Copyright (C) the IMS portal authors
 *
 *   browser          server txn | client txn           core
 *   INVITE, offer ------>  ngx_ims_proxy_up
 *                          helper: offer
 *                          ngx_ims_proxy_send_up ------>
 *                          ngx_ims_answer_response <---- 18x/200, answer
 *                          helper: answer
 *            <------------ ngx_ims_answer_send
 *
 * and the same mirrored for requests from the core.
 */


#include "ngx_ims_proxy.h"
#include "ngx_ims_ack.h"
#include "ngx_ims_answer.h"
#include "ngx_ims_early.h"
#include "ngx_ims_fork.h"
#include "ngx_ims_loop.h"
#include "ngx_ims_retry.h"
#include "ngx_ims_replaces.h"
#include "ngx_ims_rules.h"
#include "ngx_ims_screen.h"
#include "ngx_ims_subscribe.h"


static ngx_int_t ngx_ims_proxy_dialog(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_uint_t up, ngx_ims_dialog_t *d);
static void ngx_ims_proxy_begin(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t up, ngx_ims_dialog_t *d,
    ngx_ims_screen_t *screen, ngx_uint_t update);
static ngx_int_t ngx_ims_proxy_media(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d);
static ngx_uint_t ngx_ims_proxy_hides_sdp(ngx_ims_sip_msg_t *m);
static ngx_uint_t ngx_ims_proxy_local(ngx_ims_forward_t *fw,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d);
static void ngx_ims_proxy_request_media(void *data, ngx_int_t rc,
    ngx_str_t *sdp, ngx_str_t *reason);
static void ngx_ims_proxy_send_up(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_str_t *body);
static void ngx_ims_proxy_send_down(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_str_t *body);
static ngx_int_t ngx_ims_proxy_prepare(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_str_t *body, ngx_ims_facts_t *f,
    ngx_ims_dialog_t *d, ngx_ims_binding_t *b);
static void ngx_ims_proxy_edits(ngx_ims_forward_t *fw,
    ngx_ims_sip_edits_t *e);
static void ngx_ims_proxy_launch(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e, ngx_ims_facts_t *f, ngx_ims_flow_t *flow,
    ngx_ims_dialog_t *d);
static void ngx_ims_proxy_passed(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d);


void
ngx_ims_proxy_up(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_ims_dialog_t   d;
    ngx_ims_screen_t   screen;
    ngx_ims_worker_t  *w;

    w = s->worker;

    if (m->method == NGX_IMS_SIP_ACK) {

        if (s->bound) {
            ngx_ims_ack(s, m, 1);
        }

        return;
    }

    if (m->method == NGX_IMS_SIP_CANCEL) {
        ngx_ims_call_refuse(w, &s->flow, m, 481, NULL);
        return;
    }

    if (ngx_ims_screen_up(s, m, &screen) != NGX_OK) {
        return;
    }

    /* a call goes on when its token or the registration has ended */

    if (!s->bound
        || (m->to.tag.len == 0 && !s->registered && !screen.emergency))
    {
        ngx_ims_call_refuse(w, &s->flow, m, 403,
                             "Warning: 399 portal \"not registered\"" CRLF);
        return;
    }

    ngx_memzero(&d, sizeof(ngx_ims_dialog_t));

    if (m->to.tag.len) {

        if (ngx_ims_proxy_dialog(s, m, 1, &d) != NGX_OK) {
            ngx_ims_call_refuse(w, &s->flow, m, 481, NULL);
            return;
        }

        if (m->method == NGX_IMS_SIP_PRACK) {
            (void) ngx_ims_early_rack(s, m, &d, w->record);
        }

    } else if (s->expired && m->method == NGX_IMS_SIP_INVITE
               && !screen.emergency)
    {
        ngx_ims_call_refuse(w, &s->flow, m, 403,
                             "Warning: 399 portal \"token ended\"" CRLF);
        return;
    }

    ngx_ims_proxy_begin(s, &s->flow, m, 1, &d, &screen, 0);
}


void
ngx_ims_proxy_down(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    ngx_int_t          rc;
    ngx_ims_dialog_t   d;
    ngx_ims_worker_t  *w;

    w = s->worker;

    if (m->method == NGX_IMS_SIP_ACK) {
        ngx_ims_ack(s, m, 0);
        return;
    }

    if (m->method == NGX_IMS_SIP_CANCEL) {
        ngx_ims_call_refuse(w, flow, m, 481, NULL);
        return;
    }

    ngx_memzero(&d, sizeof(ngx_ims_dialog_t));

    if (m->to.tag.len && ngx_ims_proxy_dialog(s, m, 0, &d) != NGX_OK) {
        ngx_ims_call_refuse(w, flow, m, 481, NULL);
        return;
    }

    if (ngx_ims_screen_down(s, flow, m) != NGX_OK) {
        return;
    }

    rc = (m->method == NGX_IMS_SIP_PRACK && m->to.tag.len)
         ? ngx_ims_early_acked(s, flow, m, &d) : NGX_DECLINED;

    if (rc != NGX_OK) {
        ngx_ims_proxy_begin(s, flow, m, 0, &d, NULL, rc == NGX_AGAIN);
    }
}


/* the dialog of a request; of a call that is over, its subscriptions only */

static ngx_int_t
ngx_ims_proxy_dialog(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up, ngx_ims_dialog_t *d)
{
    if (ngx_ims_dialog_match(s->pool, &s->binding, m, up, d,
                             s->worker->record)
        != NGX_OK)
    {
        return ngx_ims_subscribe_notified(s, m, up, d);
    }

    return d->events && (m->method == NGX_IMS_SIP_INVITE
                         || m->method == NGX_IMS_SIP_UPDATE
                         || m->method == NGX_IMS_SIP_PRACK
                         || m->method == NGX_IMS_SIP_BYE)
           ? NGX_DECLINED : NGX_OK;
}


/*
 * A request that may pass: it goes by the helper when it has SDP.  d is its
 * dialog, zeroed when it is outside of one; screen is NULL on the way down.
 */

static void
ngx_ims_proxy_begin(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t up, ngx_ims_dialog_t *d,
    ngx_ims_screen_t *screen, ngx_uint_t update)
{
    ngx_int_t           rc;
    ngx_uint_t          sdp;
    ngx_ims_forward_t  *fw;

    if (ngx_ims_rules_check(s, flow, m, up) != NGX_OK) {
        ngx_ims_forward_calling(s);
        return;
    }

    if (ngx_ims_screen_room(s, flow, m, up) != NGX_OK) {
        ngx_ims_forward_calling(s);
        return;
    }

    sdp = m->method != NGX_IMS_SIP_MESSAGE && ngx_ims_forward_has_sdp(m);

    if (!sdp && ngx_ims_proxy_hides_sdp(m)) {
        ngx_ims_forward_calling(s);
        ngx_ims_call_refuse(s->worker, flow, m, 415,
                            "Accept: application/sdp" CRLF);
        return;
    }

    ngx_ims_txns_urgent(s->worker->txns, up && screen->emergency);
    fw = ngx_ims_forward_create(s, flow, m, up);
    ngx_ims_txns_urgent(s->worker->txns, 0);

    if (fw == NULL) {
        ngx_ims_forward_calling(s);
        ngx_ims_call_refuse(s->worker, flow, m, 503, "Retry-After: 5" CRLF);
        return;
    }

    fw->in_dialog = (m->to.tag.len != 0);
    fw->dialog = d->ref;
    fw->update = update;
    fw->originated = fw->in_dialog ? d->originated : up;
    fw->helper = fw->in_dialog ? d->helper : -1;

    if (ngx_ims_subscribe_begin(fw, m, d) != NGX_OK) {
        return;
    }

    if (m->method == NGX_IMS_SIP_INVITE) {
        fw->initial = !fw->in_dialog;
        ngx_ims_forward_local(fw, 100, NULL);
    }

    if (up) {
        fw->emergency = screen->emergency;

        if (screen->dial.uri.len
            && ngx_ims_forward_uri(fw, &screen->dial.uri) != NGX_OK)
        {
            ngx_ims_forward_local(fw, 503, "Retry-After: 5" CRLF);
            return;
        }
    }

    fw->local = ngx_ims_proxy_local(fw, flow, m, d);

    if (sdp && !fw->local) {

        rc = ngx_ims_proxy_media(fw, m, d);

        if (rc == NGX_DECLINED) {
            ngx_ims_forward_local(fw, 481, NULL);

        } else if (rc != NGX_OK) {
            ngx_ims_forward_local(fw, 503, "Retry-After: 5" CRLF
                                  "Warning: 399 portal \"no media helper\""
                                  CRLF);
        }

        return;
    }

    if (up) {
        ngx_ims_proxy_send_up(fw, m, NULL);

    } else {
        ngx_ims_proxy_send_down(fw, m, NULL);
    }
}


/* a request's SDP is an offer, or the answer to that in a reliable 18x */

static ngx_int_t
ngx_ims_proxy_media(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d)
{
    ngx_ims_str_t  far, *from, *to;

    ngx_ims_dialog_far_tag(d, &far);

    from = fw->up ? &m->from.tag : &far;
    to = fw->up ? &far : &m->to.tag;

    if (!fw->in_dialog) {
        from = &m->from.tag;
        to = &m->to.tag;
    }

    if (ngx_ims_early_answered(fw->session, m, fw->up)) {
        return ngx_ims_forward_media(fw, NGX_IMS_MEDIA_ANSWER, &m->body, to,
                                     from, !fw->up,
                                     ngx_ims_proxy_request_media);
    }

    fw->offered = 1;

    return ngx_ims_forward_media(fw, NGX_IMS_MEDIA_OFFER, &m->body, from, to,
                                 !fw->up, ngx_ims_proxy_request_media);
}


/*
 * A body that may have SDP inside where the helper does not see it: parts, or
 * compressed.  Media would go past the portal, or nowhere.
 */

static ngx_uint_t
ngx_ims_proxy_hides_sdp(ngx_ims_sip_msg_t *m)
{
    return m->body.len
           && (m->method == NGX_IMS_SIP_INVITE
               || m->method == NGX_IMS_SIP_UPDATE
               || m->method == NGX_IMS_SIP_PRACK);
}


/*
 * 1 when both ends are browsers of this portal, and the core has no part in it
 * (spec UC-7); fw->called is set for a new one from the caller's side
 */

static ngx_uint_t
ngx_ims_proxy_local(ngx_ims_forward_t *fw, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d)
{
    uint32_t             lease;
    ngx_ims_str_t        uri;
    ngx_ims_pool_t      *pool;
    ngx_ims_sip_addr_t   addr;
    ngx_ims_sip_iter_t   it;

    if (fw->in_dialog) {
        return ngx_ims_call_local(fw->pool, d);
    }

    if (!fw->up) {
        ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

        return flow->transport == NGX_IMS_LOCAL
               && ngx_ims_sip_next(m, NGX_IMS_HDR_ROUTE, &it, &uri)
               && ngx_ims_sip_parse_addr(&uri, &addr) == NGX_IMS_OK
               && ngx_strlcasestrn(addr.uri.data,
                                   addr.uri.data + addr.uri.len,
                                   (u_char *) ";local", 6 - 1)
                  != NULL;
    }

    if (!fw->pool->local_calls || fw->emergency
        || fw->session->grant->no_video)
    {
        return 0;
    }

    uri = fw->request_uri.len ? fw->request_uri : m->uri;

    /* a pool whose calls the core has to see is not reached past it, either */

    if (ngx_ims_fork_target(fw->worker, fw->pool->core, &uri, &pool, &lease)
        != NGX_OK
        || !pool->local_calls
        || ngx_ims_binding_rights(pool, lease) & NGX_IMS_RIGHT_NO_VIDEO)
    {
        return 0;
    }

    ngx_ims_binding_lease_token(pool, lease, fw->called);

    return 1;
}


/* the helper's word on a request */

static void
ngx_ims_proxy_request_media(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason)
{
    ngx_ims_worker_t   *w;
    ngx_ims_session_t  *s;
    ngx_ims_forward_t  *fw;

    fw = data;
    w = fw->worker;
    s = fw->session;

    ngx_ims_forward_media_back(fw);

    if (s == NULL || fw->answered || fw->server == NULL) {
        goto done;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "media helper refused an offer: \"%V\"", reason);

        if (rc == NGX_DECLINED) {
            ngx_ims_forward_local(fw, 488,
                                "Warning: 304 portal \"media type not "
                                "available\"" CRLF);

        } else {
            ngx_ims_forward_local(fw, 503, "Retry-After: 5" CRLF);
        }

        goto done;
    }

    if (ngx_ims_forward_parse(w->parsed, &fw->server->request) != NGX_OK) {
        ngx_ims_forward_local(fw, 500, NULL);
        goto done;
    }

    if (fw->up) {
        ngx_ims_proxy_send_up(fw, &w->parsed->msg, sdp);

    } else {
        ngx_ims_proxy_send_down(fw, &w->parsed->msg, sdp);
    }

done:

    ngx_ims_forward_release(fw, !fw->up);
}


static void
ngx_ims_proxy_send_up(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *body)
{
    u_char               rack[NGX_IMS_EARLY_RACK];
    ngx_int_t            rc;
    ngx_str_t            target, *routes;
    ngx_ims_flow_t       flow;
    ngx_ims_facts_t      f;
    ngx_ims_dialog_t     d;
    ngx_ims_binding_t    b;
    ngx_ims_sip_edits_t  e;

    if (ngx_ims_proxy_prepare(fw, m, body, &f, &d, &b) != NGX_OK) {
        return;
    }

    if (fw->in_dialog) {
        routes = &d.routes;
        target = d.far_target;

        f.r.core_id = d.core_id;
        f.r.offset = d.offset_up;
        ngx_ims_early_names_up(fw, m, &d, &f.r, rack);
        f.r.back = d.offset_down;

        /* not where the browser says: that would be a call past the screen */

        f.r.request_uri = d.far_target;

    } else {
        routes = &b.service_route;
        ngx_str_null(&target);
        ngx_ims_call_alias(&b.associated, &f.r.alias);

        if (ngx_ims_sip_uri_equal(&f.r.alias, &f.r.impu)) {
            f.r.alias.len = 0;
        }

        if (fw->pool->block.wildcard) {
            ngx_ims_call_wildcard(&b.associated, &f.r.profile_key);

        } else {
            f.r.profile_key = fw->pool->block.profile_key;
        }

        f.r.request_uri = fw->request_uri;
    }

    f.r.routes = *routes;

    if (fw->local) {
        ngx_ims_loop_flow(fw->pool->core, &flow);
        rc = NGX_OK;

    } else {
        rc = fw->emergency ? ngx_ims_screen_route(fw->pool, &f.r, &flow)
             : fw->in_dialog ? ngx_ims_call_next_hop(fw->pool, routes,
                                                     &target, &flow)
             : ngx_ims_call_hop(fw->pool, routes, &target, &fw->tried, &flow);
    }

    if (rc != NGX_OK) {
        ngx_ims_forward_local(fw, 503, "Retry-After: 5" CRLF);
        return;
    }

    ngx_ims_call_via(fw->pool, &flow, &f);

    ngx_ims_clock_request(fw, m, &f.r);

    ngx_ims_proxy_edits(fw, &e);

    if (fw->local && !fw->in_dialog) {
        f.r.called = f.r.request_uri.len ? f.r.request_uri : m->uri;
        f.r.routes = ngx_ims_sip_textf(&e, "<sip:%.*s@%.*s;lr;local>",
                                       (int) NGX_IMS_TOKEN_LEN, fw->called,
                                       (int) f.r.edge.len, f.r.edge.data);
    }

    ngx_ims_replaces(fw, m, &e);
    ngx_ims_route_request_up(&e, m, &f.r);

    if (!fw->local && !fw->emergency) {
        ngx_ims_early_offer(fw, m, &e);
        ngx_ims_retry_ahead(fw->session, &e, m,
                            f.r.request_uri.len ? &f.r.request_uri : &m->uri);
    }

    ngx_ims_proxy_launch(fw, m, &e, &f, &flow, &d);
}


static void
ngx_ims_proxy_send_down(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *body)
{
    u_char               rack[NGX_IMS_EARLY_RACK];
    ngx_ims_facts_t      f;
    ngx_ims_dialog_t     d;
    ngx_ims_binding_t    b;
    ngx_ims_sip_edits_t  e;

    if (ngx_ims_proxy_prepare(fw, m, body, &f, &d, &b) != NGX_OK) {
        return;
    }

    if (fw->in_dialog) {
        f.r.target = d.web_target;
        f.r.web_id = d.web_id;
        f.r.offset = ngx_ims_dialog_below(fw->pool, &d, m->cseq);
        ngx_ims_early_names_down(m, &d, &f.r, rack);
        f.r.back = d.offset_up;

    } else {
        f.r.target = b.contact;
    }

    ngx_ims_clock_request(fw, m, &f.r);

    ngx_ims_proxy_edits(fw, &e);

    if (fw->update) {
        ngx_str_set(&f.r.method, "UPDATE");
    }

    ngx_ims_replaces(fw, m, &e);
    ngx_ims_route_request_down(&e, m, &f.r);
    ngx_ims_early_demand(fw, m, &e);

    if (fw->update) {
        ngx_ims_route_update(&e, m, &f.r, &d.far_target);
    }

    ngx_ims_proxy_launch(fw, m, &e, &f, &fw->session->flow, &d);
}


/* what both directions need to know; answers the request when it is missing */

static ngx_int_t
ngx_ims_proxy_prepare(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *body, ngx_ims_facts_t *f, ngx_ims_dialog_t *d,
    ngx_ims_binding_t *b)
{
    ngx_ims_worker_t  *w;

    w = fw->worker;

    ngx_memzero(d, sizeof(ngx_ims_dialog_t));

    if (ngx_ims_binding_load(fw->pool, &fw->binding, b, w->record) != NGX_OK
        || ngx_ims_forward_facts(fw, f) != NGX_OK)
    {
        ngx_ims_forward_local(fw, 500, NULL);
        return NGX_ERROR;
    }

    if (body != NULL) {
        f->r.has_body = 1;
        f->r.body = *body;
    }

    if (!fw->in_dialog) {
        return NGX_OK;
    }

    if (ngx_ims_dialog_load(fw->pool, &fw->dialog, d, w->record2) != NGX_OK) {
        ngx_ims_forward_local(fw, 481, NULL);
        return NGX_ERROR;
    }

    f->r.in_dialog = 1;

    return NGX_OK;
}


static void
ngx_ims_proxy_edits(ngx_ims_forward_t *fw, ngx_ims_sip_edits_t *e)
{
    ngx_ims_worker_t  *w;

    w = fw->worker;

    ngx_ims_sip_edits_init(e, w->edits, w->nedits, w->text, w->text_size);
}


/* sends the edited request on and starts its client transaction */

static void
ngx_ims_proxy_launch(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e, ngx_ims_facts_t *f, ngx_ims_flow_t *flow,
    ngx_ims_dialog_t *d)
{
    size_t             len;
    ngx_ims_worker_t  *w;

    w = fw->worker;
    fw->offset = f->r.offset;

    if (ngx_ims_sip_splice(e, m, w->out, w->out_size, &len) != NGX_IMS_OK) {
        ngx_ims_forward_local(fw, 513, NULL);
        return;
    }

    ngx_ims_txns_urgent(w->txns, fw->emergency);

    fw->client = ngx_ims_txn_client(w->txns, flow,
                                    fw->update ? NGX_IMS_SIP_UPDATE
                                               : m->method, f->branch,
                                    w->out, len, ngx_ims_answer_client, fw);

    ngx_ims_txns_urgent(w->txns, 0);

    if (fw->client == NULL) {

        if (fw->tried && ngx_ims_core_known_down(fw->pool->core, flow)) {

            /* it could not even be sent: as long as there are others */

            ngx_ims_proxy_send_up(fw, m, f->r.has_body ? &f->r.body : NULL);
            return;
        }

        ngx_ims_forward_local(fw, fw->up ? 503 : 480, "Retry-After: 5" CRLF);
        return;
    }

    fw->refs++;
    ngx_ims_forward_watch(fw);

    if (m->method == NGX_IMS_SIP_INVITE) {
        ngx_add_timer(&fw->timer, fw->emergency ? NGX_IMS_FORWARD_TIMER_SOS
                                                : fw->pool->core->timer_c);
    }

    if (fw->canceled) {
        ngx_ims_txn_cancel(fw->client, NULL);
    }

    if (fw->in_dialog) {
        ngx_ims_proxy_passed(fw, m, d);
    }
}


/* a request within a dialog has left: its CSeq is noted; BYE ends the dialog */

static void
ngx_ims_proxy_passed(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d)
{
    ngx_ims_dialog_passed(fw->pool, d, fw->up, m->cseq + fw->offset);

    if (m->method == NGX_IMS_SIP_INVITE) {
        ngx_ims_dialog_invited(fw->pool, d, fw->up, fw->offset);
    }

    if (m->method == NGX_IMS_SIP_BYE) {
        (void) ngx_ims_call_over(fw->worker, fw->pool, d);

        if (fw->session != NULL) {
            ngx_ims_call_recount(fw->session);
        }
    }
}
