/*
 * Copyright (C) the IMS portal authors
 *
 * The ACK of a 2xx: a request within a dialog that has no transaction.
 */


#include "ngx_ims_ack.h"
#include "ngx_ims_early.h"


static void ngx_ims_ack_media(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason);
static void ngx_ims_ack_refused(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up);
static void ngx_ims_ack_send(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up, ngx_str_t *body);


void
ngx_ims_ack(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m, ngx_uint_t up)
{
    ngx_int_t           rc;
    ngx_str_t           text;
    ngx_ims_str_t       far;
    ngx_ims_dialog_t    d;
    ngx_ims_worker_t   *w;
    ngx_ims_forward_t  *fw;

    if (!ngx_ims_forward_has_sdp(m)) {
        ngx_ims_ack_send(s, m, up, NULL);
        return;
    }

    w = s->worker;

    rc = ngx_ims_dialog_match(s->pool, &s->binding, m, up, &d, w->record);

    if (rc != NGX_OK) {
        return;
    }

    if (ngx_ims_call_local(s->pool, &d)) {
        ngx_ims_ack_send(s, m, up, NULL);
        return;
    }

    fw = ngx_ims_forward_create(s, NULL, m, up);
    if (fw == NULL) {
        return;
    }

    fw->in_dialog = 1;
    fw->dialog = d.ref;
    fw->originated = d.originated;
    fw->helper = d.helper;

    ngx_ims_dialog_far_tag(&d, &far);

    text = m->text;

    rc = ngx_ims_forward_keep(fw, &text);

    if (rc == NGX_OK) {
        rc = ngx_ims_forward_media(fw, NGX_IMS_MEDIA_ANSWER, &m->body,
                                   up ? &far : &m->to.tag, &m->from.tag, !up,
                                   ngx_ims_ack_media);
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "no media helper for an answer in ACK");
    }

    if (rc != NGX_OK) {
        ngx_ims_ack_refused(s, m, up);
    }

    ngx_ims_forward_unref(fw);
}


static void
ngx_ims_ack_media(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason)
{
    ngx_ims_sip_msg_t  *m;
    ngx_ims_forward_t  *fw;

    fw = data;
    ngx_ims_forward_media_back(fw);

    m = &fw->worker->parsed->msg;

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, fw->worker->log, 0,
                      "media helper refused an answer: \"%V\"", reason);
    }

    if (fw->session != NULL
        && ngx_ims_forward_parse(fw->worker->parsed, &fw->held) == NGX_OK)
    {
        if (rc == NGX_OK) {
            ngx_ims_ack_send(fw->session, m, fw->up, sdp);

        } else {
            ngx_ims_ack_refused(fw->session, m, fw->up);
        }
    }

    ngx_ims_forward_release(fw, !fw->up);
}


/*
 * An answer that comes to nothing: whoever waits for the ACK gets one, and a
 * BYE, as does who sent it (RFC 3261 13.2.2.4)
 */

static void
ngx_ims_ack_refused(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up)
{
    ngx_str_t          none;
    ngx_ims_dialog_t   d;
    ngx_ims_worker_t  *w;

    w = s->worker;
    ngx_str_null(&none);

    ngx_ims_ack_send(s, m, up, &none);

    if (ngx_ims_dialog_match(s->pool, &s->binding, m, up, &d, w->record)
        != NGX_OK || d.events)
    {
        return;
    }

    ngx_ims_call_bye(w, s, s->pool, &d, 1, 1,
                     "SIP;cause=488;text=\"no media\"");
    (void) ngx_ims_call_over(w, s->pool, &d);
    ngx_ims_call_recount(s);
}


static void
ngx_ims_ack_send(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up, ngx_str_t *body)
{
    size_t                len;
    ngx_int_t             rc;
    ngx_ims_flow_t        flow;
    ngx_ims_facts_t       f;
    ngx_ims_dialog_t      d;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = s->worker;

    rc = ngx_ims_dialog_match(s->pool, &s->binding, m, up, &d, w->record);

    if (rc != NGX_OK
        || ngx_ims_call_facts(w, s, s->pool, &s->binding, s->lease, &f)
           != NGX_OK)
    {
        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, s->connection->log, 0,
                       "ims proxy: ACK of no dialog");
        return;
    }

    f.r.in_dialog = 1;

    if (body != NULL) {
        f.r.has_body = 1;
        f.r.body = *body;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    if (body != NULL && body->len == 0) {
        (void) ngx_ims_sip_remove(&e, m, NGX_IMS_HDR_CONTENT_TYPE);
    }

    if (up) {
        f.r.core_id = d.core_id;
        f.r.routes = d.routes;
        f.r.offset = d.invite_up;
        ngx_ims_early_names_up(NULL, m, &d, &f.r, NULL);
        rc = ngx_ims_call_next_hop(s->pool, &d.routes, &d.far_target, &flow);

        if (rc != NGX_OK) {
            return;
        }

        ngx_ims_call_via(s->pool, &flow, &f);
        ngx_ims_route_request_up(&e, m, &f.r);

    } else {
        f.r.target = d.web_target;
        f.r.web_id = d.web_id;
        f.r.offset = d.invite_down;
        ngx_ims_early_names_down(m, &d, &f.r, NULL);
        ngx_ims_route_request_down(&e, m, &f.r);
        flow = s->flow;
    }

    if (rc == NGX_OK
        && ngx_ims_sip_splice(&e, m, w->out, w->out_size, &len) == NGX_IMS_OK)
    {
        (void) flow.send(&flow, w->out, len);
    }
}
