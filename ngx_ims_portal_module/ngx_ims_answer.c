/*
 * Copyright (C) the IMS portal authors
 *
 * An answer finds its request again in the server transaction, goes by the
 * helper when it has SDP, and leaves a dialog record when it makes a dialog.
 */


#include "ngx_ims_answer.h"


static void ngx_ims_answer_failed(ngx_ims_forward_t *fw, ngx_int_t rc);
static ngx_uint_t ngx_ims_answer_mapped(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_answer_media(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason);
static void ngx_ims_answer_send(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *body);
static ngx_int_t ngx_ims_answer_dialog(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f);
static void ngx_ims_answer_fill(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f, ngx_ims_sip_edits_t *e,
    ngx_ims_dialog_t *d);
static void ngx_ims_answer_keep(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    u_char *p, size_t len);
static ngx_uint_t ngx_ims_answer_unwanted(ngx_ims_forward_t *fw);
static void ngx_ims_answer_orphan(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_answer_ack(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_facts_t *f, ngx_ims_dialog_t *d);
static void ngx_ims_answer_targets(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_msg_t *orig);
static void ngx_ims_answer_contact(ngx_ims_sip_msg_t *m, ngx_str_t *uri);
static void ngx_ims_answer_value(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    ngx_str_t *value);


void
ngx_ims_answer_client(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_forward_t  *fw;
    ngx_ims_session_t  *s;

    fw = t->data;
    s = fw->session;

    if (rc == NGX_DONE) {
        fw->client = NULL;
        ngx_ims_forward_unref(fw);
        return;
    }

    if (rc != NGX_OK) {
        ngx_ims_answer_failed(fw, rc);
        return;
    }

    if (fw->up) {
        ngx_ims_core_result(fw->pool->core, &t->flow, 1);
    }

    if (t->invite && m->status < 200) {
        ngx_add_timer(&fw->timer, NGX_IMS_FORWARD_TIMER_C);

    } else if (fw->timer.timer_set) {
        ngx_del_timer(&fw->timer);
    }

    if (m->status == 100) {
        return;
    }

    /* the browser's own messages were held back where they came in */

    if (fw->up && s != NULL && (s->down_busy || !ngx_queue_empty(&s->down))) {
        if (ngx_ims_forward_hold(s, 0, fw, NULL, m->text.data, m->text.len)
            != NGX_OK
            && m->status >= 200)
        {
            /* a 2xx is not wanted then; a provisional one can be spared */

            ngx_ims_forward_local(fw, 503, "Retry-After: 5" CRLF);
            ngx_ims_answer_response(fw, m);
        }

        return;
    }

    ngx_ims_answer_response(fw, m);
}


static void
ngx_ims_answer_failed(ngx_ims_forward_t *fw, ngx_int_t rc)
{
    if (fw->up) {
        ngx_ims_core_result(fw->pool->core, &fw->client->flow, 0);
    }

    if (fw->canceled) {
        ngx_ims_forward_local(fw, 487, NULL);
        return;
    }

    if (!fw->up) {
        ngx_ims_forward_local(fw, rc == NGX_BUSY ? 408
                                                 : fw->in_dialog ? 500 : 480,
                              NULL);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, fw->worker->log,
                  rc == NGX_BUSY ? NGX_ETIMEDOUT : 0,
                  "core \"%V\" did not answer a request",
                  &fw->pool->core->name);

    ngx_ims_forward_local(fw, rc == NGX_BUSY ? 408 : 503,
                          rc == NGX_BUSY ? NULL : "Retry-After: 5" CRLF);
}


void
ngx_ims_answer_response(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    ngx_str_t                 text;
    ngx_ims_str_t            *from, *to;
    ngx_ims_media_command_e   command;

    if (ngx_ims_answer_unwanted(fw)) {
        ngx_ims_answer_orphan(fw, m);
        return;
    }

    if (fw->server == NULL || ngx_ims_answer_mapped(fw, m)) {
        return;
    }

    /* a repeated 2xx (RFC 3261 13.3.1.4) goes on as the first one did */

    if (fw->final.data != NULL && m->status >= 200 && m->status < 300
        && ngx_crc32_short(m->to.tag.data, m->to.tag.len) == fw->final_tag)
    {
        (void) ngx_ims_txn_reply(fw->server, m->status, fw->final.data,
                                 fw->final.len);
        return;
    }

    if (m->status >= 300 || fw->local || !ngx_ims_forward_has_sdp(m)
        || m->method == NGX_IMS_SIP_OPTIONS
        || m->method == NGX_IMS_SIP_MESSAGE)
    {
        ngx_ims_answer_send(fw, m, NULL);
        return;
    }

    /*
     * the side that offers is "from" for the helper: the request's, or the
     * answer's when the request had no SDP (late offer, RFC 3261 13.2.1)
     */

    if (fw->offered) {
        command = NGX_IMS_MEDIA_ANSWER;
        from = &m->from.tag;
        to = &m->to.tag;

    } else {
        command = NGX_IMS_MEDIA_OFFER;
        from = &m->to.tag;
        to = &m->from.tag;
    }

    text = m->text;

    if (fw->command == NULL
        && ngx_ims_forward_keep(fw, &text) == NGX_OK
        && ngx_ims_forward_media(fw, command, m, from, to, fw->up,
                                 ngx_ims_answer_media)
           == NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, fw->worker->log, 0,
                  "no media helper for an answer");
    ngx_ims_answer_media(fw, NGX_ERROR, NULL, NULL);
}


/*
 * What a browser must not see as it is: a challenge for the portal, and a
 * core's 503, which speaks of the core and not of us (RFC 3261 16.7)
 */

static ngx_uint_t
ngx_ims_answer_mapped(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    if (!fw->up || fw->answered) {
        return 0;
    }

    if (m->status == 401 || m->status == 407) {
        ngx_log_error(NGX_LOG_ERR, fw->worker->log, 0,
                      "core \"%V\" challenged a request of a trusted node",
                      &fw->pool->core->name);
        ngx_ims_forward_local(fw, 403, NULL);
        return 1;
    }

    if (m->status == 503) {
        ngx_ims_forward_local(fw, 500, NULL);
        return 1;
    }

    return 0;
}


static void
ngx_ims_answer_media(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason)
{
    ngx_uint_t          held;
    ngx_ims_worker_t   *w;
    ngx_ims_forward_t  *fw;

    fw = data;
    w = fw->worker;

    held = (fw->command != NULL);
    fw->command = NULL;

    if (fw->held.data != NULL
        && ngx_ims_forward_parse(w->parsed, &fw->held) == NGX_OK)
    {
        if (ngx_ims_answer_unwanted(fw)) {
            ngx_ims_answer_orphan(fw, &w->parsed->msg);

        } else if (fw->server == NULL) {

            /* its last answer was repeated for long enough */

        } else if (rc == NGX_OK) {
            ngx_ims_answer_send(fw, &w->parsed->msg, sdp);

        } else if (!fw->answered) {

            if (reason != NULL) {
                ngx_log_error(NGX_LOG_ERR, w->log, 0,
                              "media helper refused an answer: \"%V\"", reason);
            }

            if (w->parsed->msg.status >= 200 || fw->client == NULL) {
                ngx_ims_answer_orphan(fw, &w->parsed->msg);

            } else {
                fw->canceled = 1;
                ngx_ims_txn_cancel(fw->client, NULL);
            }

            ngx_ims_forward_local(fw, rc == NGX_DECLINED ? 488 : 503, NULL);
        }
    }

    if (held) {
        ngx_ims_forward_release(fw, fw->up);
    }
}


static void
ngx_ims_answer_send(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *body)
{
    size_t                len;
    ngx_uint_t            status;
    ngx_ims_facts_t       f;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_msg_t    *orig;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;
    orig = &w->saved->msg;
    status = m->status;

    if (ngx_ims_forward_parse(w->saved, &fw->server->request) != NGX_OK
        || ngx_ims_call_facts(w, fw->session, fw->pool, &fw->binding,
                              fw->lease, &f)
           != NGX_OK)
    {
        ngx_ims_forward_local(fw, 500, NULL);
        return;
    }

    if (body != NULL) {
        f.r.has_body = 1;
        f.r.body = *body;
    }

    if (fw->initial) {

        if (ngx_ims_answer_dialog(fw, m, orig, &f) != NGX_OK) {
            ngx_ims_answer_orphan(fw, m);
            ngx_ims_forward_local(fw, 500, NULL);
            return;
        }

    } else if (status >= 200 && status < 300) {
        ngx_ims_answer_targets(fw, m, orig);
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    if (fw->up) {
        ngx_ims_route_response_down(&e, m, orig, &f.r);

    } else {
        ngx_ims_route_response_up(&e, m, orig, &f.r);
    }

    if (ngx_ims_sip_splice(&e, m, w->out, w->out_size, &len) != NGX_IMS_OK) {
        ngx_ims_forward_local(fw, 500, NULL);
        return;
    }

    if (status >= 200) {
        fw->answered = 1;
        ngx_ims_answer_keep(fw, m, w->out, len);

        if (fw->initial && fw->up && fw->session != NULL) {
            ngx_ims_forward_calling(fw->session);
        }
    }

    (void) ngx_ims_txn_reply(fw->server, status, w->out, len);

    if (status >= 300) {
        ngx_ims_forward_drop_media(fw);
    }

    if (fw->session != NULL) {
        ngx_ims_call_recount(fw->session);
    }
}


/* the first 2xx of an INVITE as it was sent, for its repetitions */

static void
ngx_ims_answer_keep(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m, u_char *p,
    size_t len)
{
    if (!fw->server->invite || m->status >= 300 || fw->final.data != NULL) {
        return;
    }

    fw->final.data = ngx_alloc(len, fw->worker->log);

    if (fw->final.data != NULL) {
        ngx_memcpy(fw->final.data, p, len);
        fw->final.len = len;
        fw->final_tag = ngx_crc32_short(m->to.tag.data, m->to.tag.len);
    }
}


/*
 * An answer to an INVITE that makes, confirms or ends a dialog (RFC 3261 12.1).
 * Each To tag of a forked INVITE is an early dialog; the confirmed one takes
 * the helper's part over.  NGX_ERROR: a call that nobody could end later.
 */

static ngx_int_t
ngx_ims_answer_dialog(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f)
{
    ngx_int_t             rc;
    ngx_ims_dialog_t      d, old;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    if (m->status >= 300) {
        ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id,
                                    fw->up);
        return NGX_OK;
    }

    if (m->to.tag.len == 0) {
        return NGX_OK;
    }

    rc = ngx_ims_dialog_find(fw->pool, &fw->binding, &orig->call_id,
                             fw->up ? &orig->from.tag : &m->to.tag,
                             fw->up ? &m->to.tag : &orig->from.tag, &old,
                             w->record);

    if (rc == NGX_OK && (old.state == NGX_IMS_DIALOG_CONFIRMED
                         || m->status < 200))
    {
        return NGX_OK;
    }

    if (m->status >= 200) {
        ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id,
                                    fw->up);
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    ngx_ims_answer_fill(fw, m, orig, f, &e, &d);

    rc = e.failed ? NGX_ERROR : ngx_ims_dialog_create(fw->pool, &d);

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "too many dialogs of a browser of pool \"%V\"",
                      &fw->pool->name);

    } else if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "zone of pool \"%V\" has no room for a dialog",
                      &fw->pool->name);
    }

    if (rc != NGX_OK) {
        return m->status >= 200 ? NGX_ERROR : NGX_OK;
    }

    if (d.state == NGX_IMS_DIALOG_CONFIRMED) {
        fw->media = 0;
        (void) ngx_atomic_fetch_add(&fw->pool->zone.sh->counters.calls, 1);
    }

    return NGX_OK;
}


/* the dialog that m makes; texts in m, orig and the arena of e */

static void
ngx_ims_answer_fill(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f, ngx_ims_sip_edits_t *e,
    ngx_ims_dialog_t *d)
{
    ngx_str_t  core_id;

    ngx_memzero(d, sizeof(ngx_ims_dialog_t));

    d->binding = fw->binding;
    d->state = m->status >= 200 ? NGX_IMS_DIALOG_CONFIRMED
                                : NGX_IMS_DIALOG_EARLY;
    d->originated = fw->up;
    d->helper = fw->helper;
    d->media = (m->status >= 200 && fw->media);
    d->call_id = orig->call_id;

    if (fw->up) {
        d->routes = ngx_ims_route_set(e, m, 1, &f->r.token);
        d->cseq_up = orig->cseq;

        ngx_ims_answer_value(orig, NGX_IMS_HDR_FROM, &d->web_id);
        ngx_ims_answer_value(m, NGX_IMS_HDR_FROM, &d->core_id);
        ngx_ims_answer_value(m, NGX_IMS_HDR_TO, &d->far_id);
        ngx_ims_answer_contact(orig, &d->web_target);
        ngx_ims_answer_contact(m, &d->far_target);
        return;
    }

    d->routes = ngx_ims_route_set(e, orig, 0, &f->r.token);
    d->cseq_down = orig->cseq;

    ngx_ims_answer_value(m, NGX_IMS_HDR_TO, &d->web_id);
    ngx_ims_answer_value(orig, NGX_IMS_HDR_TO, &core_id);
    d->core_id = ngx_ims_sip_textf(e, "%.*s;tag=%.*s", (int) core_id.len,
                                   core_id.data, (int) m->to.tag.len,
                                   m->to.tag.data);
    ngx_ims_answer_value(orig, NGX_IMS_HDR_FROM, &d->far_id);
    ngx_ims_answer_contact(m, &d->web_target);
    ngx_ims_answer_contact(orig, &d->far_target);
}


/* 1 when who asked is gone, or was refused by the portal itself */

static ngx_uint_t
ngx_ims_answer_unwanted(ngx_ims_forward_t *fw)
{
    return fw->session == NULL || (fw->answered && fw->final.data == NULL);
}


/*
 * A 2xx of an INVITE that nobody wants any more: who asked is gone or was
 * refused meanwhile, or media or record cannot be set up.  Whoever sent it gets
 * its ACK, and a BYE if that made a call.
 */

static void
ngx_ims_answer_orphan(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    ngx_int_t             rc;
    ngx_ims_facts_t       f;
    ngx_ims_dialog_t      d;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    if (m->method != NGX_IMS_SIP_INVITE || m->status < 200 || m->status >= 300
        || m->to.tag.len == 0 || fw->final.data != NULL
        || (!fw->up && fw->session == NULL)
        || ngx_ims_call_facts(w, fw->session, fw->pool, &fw->binding,
                              fw->lease, &f)
           != NGX_OK)
    {
        return;
    }

    if (!fw->initial) {
        rc = ngx_ims_dialog_find(fw->pool, &fw->binding, &m->call_id,
                                 fw->up ? &m->from.tag : &m->to.tag,
                                 fw->up ? &m->to.tag : &m->from.tag, &d,
                                 w->record);
        if (rc == NGX_OK) {
            ngx_ims_answer_ack(fw, m, &f, &d);
        }

        return;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    /* the request may be gone, but its answer says all that is needed here */

    ngx_ims_answer_fill(fw, m, m, &f, &e, &d);

    ngx_ims_answer_ack(fw, m, &f, &d);
    ngx_ims_call_bye(w, fw->session, fw->pool, &d, fw->up, !fw->up,
                     fw->session ? "SIP;cause=500;text=\"call failed\""
                                 : "SIP;cause=480;text=\"browser is gone\"");

    ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id, fw->up);
    ngx_ims_forward_drop_media(fw);
}


/* the ACK of a 2xx (RFC 3261 13.2.2.4), on behalf of who sent the INVITE */

static void
ngx_ims_answer_ack(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_facts_t *f, ngx_ims_dialog_t *d)
{
    u_char            *p, *last;
    ngx_ims_flow_t     flow;
    ngx_ims_worker_t  *w;

    w = fw->worker;
    last = w->out + w->out_size;

    if (fw->up) {
        if (ngx_ims_call_next_hop(fw->pool, &d->routes, &d->far_target, &flow)
            != NGX_OK)
        {
            return;
        }

        ngx_ims_call_via(fw->pool, &flow, f);

    } else {
        flow = fw->session->flow;
    }

    p = ngx_slprintf(w->out, last,
                     "ACK %V SIP/2.0" CRLF
                     "Via: SIP/2.0/%V %V;branch=%V;rport" CRLF,
                     fw->up ? &d->far_target : &d->web_target,
                     fw->up ? &f->r.transport : &f->r.web_transport,
                     fw->up ? &f->r.via : &f->r.web, &f->r.branch);

    if (fw->up && d->routes.len) {
        p = ngx_slprintf(p, last, "Route: %V" CRLF, &d->routes);
    }

    p = ngx_slprintf(p, last,
                     "Max-Forwards: 70" CRLF
                     "From: %V" CRLF
                     "To: %V" CRLF
                     "Call-ID: %V" CRLF
                     "CSeq: %uD ACK" CRLF
                     "Content-Length: 0" CRLF CRLF,
                     fw->up ? &d->core_id : &d->far_id,
                     fw->up ? &d->far_id : &d->web_id, &d->call_id, m->cseq);

    (void) flow.send(&flow, w->out, p - w->out);
}


/* target refresh (RFC 3261 12.2, 3311): both sides' new Contacts */

static void
ngx_ims_answer_targets(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig)
{
    ngx_int_t          rc;
    ngx_str_t          uri;
    ngx_ims_dialog_t   d;

    if (!fw->in_dialog || (orig->method != NGX_IMS_SIP_INVITE
                           && orig->method != NGX_IMS_SIP_UPDATE))
    {
        return;
    }

    rc = ngx_ims_dialog_find(fw->pool, &fw->binding, &orig->call_id,
                             fw->up ? &orig->from.tag : &orig->to.tag,
                             fw->up ? &orig->to.tag : &orig->from.tag, &d,
                             fw->worker->record);
    if (rc != NGX_OK) {
        return;
    }

    ngx_ims_answer_contact(orig, &uri);

    if (uri.len) {
        ngx_ims_dialog_target(fw->pool, &d, fw->up, &uri);
    }

    ngx_ims_answer_contact(m, &uri);

    if (uri.len) {
        ngx_ims_dialog_target(fw->pool, &d, !fw->up, &uri);
    }
}


/* the URI of the first Contact */

static void
ngx_ims_answer_contact(ngx_ims_sip_msg_t *m, ngx_str_t *uri)
{
    ngx_ims_str_t       value;
    ngx_ims_sip_addr_t  addr;
    ngx_ims_sip_iter_t  it;

    ngx_str_null(uri);
    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    if (ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)
        && ngx_ims_sip_parse_addr(&value, &addr) == NGX_IMS_OK)
    {
        *uri = addr.uri;
    }
}


static void
ngx_ims_answer_value(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    ngx_str_t *value)
{
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, id);

    if (h == NULL) {
        ngx_str_null(value);
        return;
    }

    *value = h->value;
}
