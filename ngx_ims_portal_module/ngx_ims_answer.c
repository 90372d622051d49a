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
static void ngx_ims_answer_dialog(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f);
static void ngx_ims_answer_keep(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    u_char *p, size_t len);
static void ngx_ims_answer_orphan(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_answer_forget_early(ngx_ims_forward_t *fw,
    ngx_ims_str_t *web_tag);
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
        ngx_ims_core_result(fw->pool->core, &t->flow.sockaddr.sockaddr, 1);
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
            != NGX_OK)
        {
            ngx_ims_forward_local(fw, 503, "Retry-After: 5" CRLF);
        }

        return;
    }

    ngx_ims_answer_response(fw, m);
}


static void
ngx_ims_answer_failed(ngx_ims_forward_t *fw, ngx_int_t rc)
{
    if (fw->up) {
        ngx_ims_core_result(fw->pool->core,
                            &fw->client->flow.sockaddr.sockaddr, 0);
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

    if (fw->session == NULL) {
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

    if (m->status >= 300 || !ngx_ims_forward_has_sdp(m)
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

    if (fw->session != NULL && fw->server != NULL && fw->held.data != NULL
        && ngx_ims_forward_parse(w->parsed, &fw->held) == NGX_OK)
    {
        if (rc == NGX_OK) {
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
        ngx_ims_answer_dialog(fw, m, orig, &f);

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
 * the helper's part over.
 */

static void
ngx_ims_answer_dialog(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f)
{
    ngx_int_t             rc;
    ngx_str_t             core_id;
    ngx_ims_str_t        *web_tag, *far_tag, set, value;
    ngx_ims_dialog_t      d, old;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    web_tag = fw->up ? &orig->from.tag : &m->to.tag;
    far_tag = fw->up ? &m->to.tag : &orig->from.tag;

    if (m->status >= 300) {
        ngx_ims_answer_forget_early(fw, &orig->from.tag);
        ngx_ims_answer_forget_early(fw, &m->to.tag);
        return;
    }

    if (m->to.tag.len == 0) {
        return;
    }

    rc = ngx_ims_dialog_find(fw->pool, &fw->binding, &orig->call_id, web_tag,
                             far_tag, &old, w->record);

    if (rc == NGX_OK && (old.state == NGX_IMS_DIALOG_CONFIRMED
                         || m->status < 200))
    {
        return;
    }

    if (m->status >= 200) {
        ngx_ims_answer_forget_early(fw, web_tag);
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);
    ngx_memzero(&d, sizeof(ngx_ims_dialog_t));

    d.binding = fw->binding;
    d.state = m->status >= 200 ? NGX_IMS_DIALOG_CONFIRMED
                               : NGX_IMS_DIALOG_EARLY;
    d.originated = fw->up;
    d.helper = fw->helper;
    d.call_id = orig->call_id;

    if (fw->up) {
        set = ngx_ims_route_set(&e, m, 1, &f->r.token);
        d.cseq_up = orig->cseq;

        ngx_ims_answer_value(orig, NGX_IMS_HDR_FROM, &d.web_id);
        ngx_ims_answer_value(m, NGX_IMS_HDR_FROM, &d.core_id);
        ngx_ims_answer_value(m, NGX_IMS_HDR_TO, &d.far_id);
        ngx_ims_answer_contact(orig, &d.web_target);
        ngx_ims_answer_contact(m, &d.far_target);

    } else {
        set = ngx_ims_route_set(&e, orig, 0, &f->r.token);
        d.cseq_down = orig->cseq;

        ngx_ims_answer_value(m, NGX_IMS_HDR_TO, &d.web_id);
        ngx_ims_answer_value(orig, NGX_IMS_HDR_TO, &core_id);
        value = ngx_ims_sip_textf(&e, "%.*s;tag=%.*s", (int) core_id.len,
                                  core_id.data, (int) m->to.tag.len,
                                  m->to.tag.data);
        d.core_id = value;
        ngx_ims_answer_value(orig, NGX_IMS_HDR_FROM, &d.far_id);
        ngx_ims_answer_contact(m, &d.web_target);
        ngx_ims_answer_contact(orig, &d.far_target);
    }

    d.routes = set;

    if (d.state == NGX_IMS_DIALOG_CONFIRMED) {
        d.media = fw->media;
    }

    if (e.failed || ngx_ims_dialog_create(fw->pool, &d) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "zone of pool \"%V\" has no room for a dialog",
                      &fw->pool->name);
        return;
    }

    if (d.state == NGX_IMS_DIALOG_CONFIRMED) {
        fw->media = 0;
        (void) ngx_atomic_fetch_add(&fw->pool->zone.sh->counters.calls, 1);
    }
}


static void
ngx_ims_answer_forget_early(ngx_ims_forward_t *fw, ngx_ims_str_t *web_tag)
{
    ngx_ims_str_t      any, call_id;
    ngx_ims_dialog_t   d;

    any.len = 0;
    any.data = NULL;
    call_id.len = fw->call_id.len;
    call_id.data = fw->call_id.data;

    while (ngx_ims_dialog_find(fw->pool, &fw->binding, &call_id, web_tag,
                               &any, &d, fw->worker->record)
           == NGX_OK
           && d.state == NGX_IMS_DIALOG_EARLY
           && ngx_ims_dialog_free(fw->pool, &d) == NGX_OK)
    {
        /* void */
    }
}


/*
 * The far end answered an INVITE that nobody wants any more: the browser is
 * gone, or its media cannot be set up.  It gets its ACK and a BYE.
 */

static void
ngx_ims_answer_orphan(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    u_char            *p;
    ngx_ims_flow_t     flow;
    ngx_ims_facts_t    f;
    ngx_ims_dialog_t   d;
    ngx_ims_worker_t  *w;

    w = fw->worker;

    if (!fw->up || !fw->initial || m->status < 200 || m->status >= 300
        || fw->server == NULL
        || ngx_ims_forward_parse(w->saved, &fw->server->request) != NGX_OK
        || ngx_ims_call_facts(w, NULL, fw->pool, &fw->binding, fw->lease, &f)
           != NGX_OK)
    {
        return;
    }

    ngx_ims_answer_dialog(fw, m, &w->saved->msg, &f);

    if (ngx_ims_dialog_find(fw->pool, &fw->binding, &m->call_id, &m->from.tag,
                            &m->to.tag, &d, w->record)
        != NGX_OK
        || ngx_ims_call_next_hop(fw->pool, &d.routes, &d.far_target, &flow)
           != NGX_OK)
    {
        return;
    }

    p = ngx_slprintf(w->out, w->out + w->out_size,
                     "ACK %V SIP/2.0" CRLF
                     "Via: SIP/2.0/UDP %V;branch=%V;rport" CRLF,
                     &d.far_target, &f.r.edge, &f.r.branch);

    if (d.routes.len) {
        p = ngx_slprintf(p, w->out + w->out_size, "Route: %V" CRLF, &d.routes);
    }

    p = ngx_slprintf(p, w->out + w->out_size,
                     "Max-Forwards: 70" CRLF
                     "From: %V" CRLF
                     "To: %V" CRLF
                     "Call-ID: %V" CRLF
                     "CSeq: %uD ACK" CRLF
                     "Content-Length: 0" CRLF CRLF,
                     &d.core_id, &d.far_id, &d.call_id, m->cseq);

    (void) flow.send(&flow, w->out, p - w->out);

    ngx_ims_call_bye(w, NULL, fw->pool, &d, 1, 0,
                     "SIP;cause=480;text=\"browser is gone\"");
    (void) ngx_ims_call_end(w, fw->pool, &d);
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
