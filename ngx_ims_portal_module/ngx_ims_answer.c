/*
 * Copyright (C) the IMS portal authors
 *
 * An answer finds its request again in the server transaction, goes by the
 * helper when it has SDP, and leaves a dialog record when it makes a dialog.
 */


#include "ngx_ims_answer.h"
#include "ngx_ims_early.h"
#include "ngx_ims_recover.h"
#include "ngx_ims_restore.h"
#include "ngx_ims_retry.h"
#include "ngx_ims_subscribe.h"


static ngx_uint_t ngx_ims_answer_challenged(ngx_ims_forward_t *fw,
    ngx_ims_txn_t *t, ngx_ims_sip_msg_t *m);
static void ngx_ims_answer_failed(ngx_ims_forward_t *fw, ngx_int_t rc);
static void ngx_ims_answer_sdp(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *sdp);
static void ngx_ims_answer_far(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *tag);
static ngx_uint_t ngx_ims_answer_mapped(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_answer_media(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason);
static void ngx_ims_answer_send(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_str_t *body);
static void ngx_ims_answer_names(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_route_t *r, ngx_ims_sip_edits_t *e);
static void ngx_ims_answer_keep(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    u_char *p, size_t len);
static ngx_uint_t ngx_ims_answer_unwanted(ngx_ims_forward_t *fw);
static void ngx_ims_answer_orphan(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_answer_targets(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_msg_t *orig);


void
ngx_ims_answer_client(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_forward_t  *fw;
    ngx_ims_session_t  *s;

    fw = t->data;
    s = fw->session;

    if (rc == NGX_DONE) {

        if (fw->client == t) {
            fw->client = NULL;
        }

        ngx_ims_forward_unref(fw);
        return;
    }

    if (fw->client != t) {

        /* the request was repeated in another transaction since */

        if (rc == NGX_OK && fw->up) {
            ngx_ims_core_answered(fw->pool->core, &t->flow, m);
        }

        if (rc == NGX_OK && t->invite && m->status >= 200 && m->status < 300) {
            ngx_ims_early_lose(fw, m, "SIP;cause=487;text=\"too late\"");
        }

        return;
    }

    if (rc != NGX_OK) {
        ngx_ims_answer_failed(fw, rc);
        return;
    }

    if (fw->up) {
        ngx_ims_core_answered(fw->pool->core, &t->flow, m);

        if (ngx_ims_forward_refused(fw, m) == NGX_OK) {
            return;
        }
    }

    fw->proceeding |= (m->status < 200);

    if (t->invite && m->status < 200) {
        ngx_add_timer(&fw->timer, fw->pool->core->timer_c);

    } else if (fw->timer.timer_set) {
        ngx_del_timer(&fw->timer);
    }

    if (m->status == 100
        || (fw->up && !fw->local
            && (ngx_ims_answer_challenged(fw, t, m)
                || ngx_ims_early_plain(fw, t, m, ngx_ims_answer_client)
                   == NGX_OK)))
    {
        return;
    }

    ngx_ims_restore_answer(fw, m);

    /* the browser's own messages were held back where they came in */

    if (fw->up && s != NULL && (s->down_busy || !ngx_queue_empty(&s->down))) {
        if (ngx_ims_forward_hold(s, 0, fw, NULL, m->text.data, m->text.len,
                                 0)
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


/* 1 when the core wanted credentials, and the request went again with them */

static ngx_uint_t
ngx_ims_answer_challenged(ngx_ims_forward_t *fw, ngx_ims_txn_t *t,
    ngx_ims_sip_msg_t *m)
{
    uint32_t            cseq;
    ngx_ims_txn_t      *client;
    ngx_ims_retry_t     r;
    ngx_ims_dialog_t    d;
    ngx_ims_sip_msg_t  *orig;

    if (m->status >= 200 && m->status < 300) {
        ngx_ims_retry_next(fw->session, m);
    }

    if ((m->status != 401 && m->status != 407) || fw->answered) {
        return 0;
    }

    if (fw->canceled) {
        ngx_ims_forward_local(fw, 487, NULL);
        return 1;
    }

    r.worker = fw->worker;
    r.pool = fw->pool;
    r.session = fw->session;
    r.lease = fw->lease;
    r.tries = fw->challenged;

    /* others may have gone up in the dialog since, and a BYE has ended it */

    d.ref = fw->dialog;

    if (fw->subscribe && !fw->in_dialog && fw->server != NULL
        && ngx_ims_forward_parse(fw->worker->saved, &fw->server->request)
           == NGX_OK)
    {
        /* the record that waits for its NOTIFY counts, too */

        orig = &fw->worker->saved->msg;

        if (ngx_ims_dialog_pending(fw->pool, &fw->binding, &orig->call_id,
                                   &orig->from.tag, &d, fw->worker->record)
            == NGX_OK)
        {
            (void) ngx_ims_dialog_speak(fw->pool, &d, 1);
        }
    }

    cseq = fw->in_dialog ? ngx_ims_dialog_speak(fw->pool, &d, 1) : 0;

    client = ngx_ims_retry_send(&r, t, m, cseq, ngx_ims_answer_client, fw);
    if (client == NULL) {
        return 0;
    }

    fw->client = client;
    fw->challenged = r.tries;
    fw->offset += (cseq ? cseq : m->cseq + 1) - m->cseq;
    fw->refs++;

    if (t->invite) {
        ngx_add_timer(&fw->timer, fw->pool->core->timer_c);

        if (fw->in_dialog) {
            ngx_ims_dialog_invited(fw->pool, &d, 1, fw->offset);

        } else {
            ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id,
                                        1);
        }
    }

    return 1;
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

    if (rc == NGX_ERROR && ngx_ims_forward_next(fw) == NGX_OK) {
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
    ngx_str_t  sdp;

    if (fw->session == NULL && !ngx_ims_early_waits(fw)
        && ngx_ims_forward_repeated(fw, m))
    {
        return;
    }

    if (ngx_ims_answer_unwanted(fw)) {
        ngx_ims_answer_orphan(fw, m);
        return;
    }

    if (fw->server == NULL || ngx_ims_answer_mapped(fw, m)) {
        return;
    }

    if (fw->initial && fw->up && m->status < 300
        && ngx_ims_early_response(fw, m) != NGX_OK)
    {
        return;
    }

    /* a repeated 2xx (RFC 3261 13.3.1.4) goes on as the first one did */

    if (fw->final.data != NULL && m->status >= 200 && m->status < 300
        && ngx_crc32_short(m->to.tag.data, m->to.tag.len) == fw->final_tag)
    {
        if (!ngx_ims_early_waits(fw)) {
            (void) ngx_ims_txn_reply(fw->server, m->status, fw->final.data,
                                     fw->final.len);
        }

        return;
    }

    ngx_ims_early_sdp(fw, m, &sdp);

    if (m->status >= 300 || fw->local || sdp.len == 0
        || m->method == NGX_IMS_SIP_OPTIONS
        || m->method == NGX_IMS_SIP_MESSAGE)
    {
        /* SDP that does not count must not go past the helper, either */

        ngx_ims_answer_send(fw, m,
                            m->status < 300 && !fw->local
                            && m->method == NGX_IMS_SIP_INVITE
                            && ngx_ims_forward_has_sdp(m) ? &sdp : NULL);
        return;
    }

    ngx_ims_answer_sdp(fw, m, &sdp);
}


/* to the media helper; the answer goes on when that has answered */

static void
ngx_ims_answer_sdp(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m, ngx_str_t *sdp)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_ims_str_t             far, *from, *to;
    ngx_ims_media_command_e   command;

    /*
     * the side that offers is "from" for the helper: the request's, or the
     * answer's when the request had no SDP (late offer, RFC 3261 13.2.1)
     */

    ngx_ims_answer_far(fw, m, &far);

    if (fw->offered) {
        command = NGX_IMS_MEDIA_ANSWER;
        from = fw->up ? &m->from.tag : &far;
        to = fw->up ? &far : &m->to.tag;

    } else {
        command = NGX_IMS_MEDIA_OFFER;
        from = fw->up ? &far : &m->to.tag;
        to = fw->up ? &m->from.tag : &far;
    }

    text = m->text;
    rc = NGX_ERROR;

    if (fw->command == NULL && ngx_ims_forward_keep(fw, &text) == NGX_OK) {
        rc = ngx_ims_forward_media(fw, command, sdp, from, to, fw->up,
                                   ngx_ims_answer_media);
    }

    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_DECLINED) {

        /* a BYE has passed it */

        sdp->len = 0;
        ngx_ims_answer_send(fw, m, sdp);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, fw->worker->log, 0,
                  "no media helper for an answer");
    ngx_ims_answer_media(fw, NGX_ERROR, NULL, NULL);
}


/* the far end's tag as the core knows it: a browser may know another */

static void
ngx_ims_answer_far(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *tag)
{
    ngx_ims_worker_t  *w;

    w = fw->worker;
    *tag = fw->up ? m->to.tag : m->from.tag;

    if (!fw->up
        && ngx_ims_forward_parse(w->saved, &fw->server->request) == NGX_OK)
    {
        *tag = w->saved->msg.from.tag;
    }
}


/*
 * What the other side must not see as it is: a 503, which speaks of the core or
 * of one browser and not of us (RFC 3261 16.7), and a challenge, which is for
 * the portal, or would make the far end prove itself to a browser
 */

static ngx_uint_t
ngx_ims_answer_mapped(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    if (fw->answered) {
        return 0;
    }

    if (fw->update && m->status >= 300) {

        /* an UPDATE of our own making: the offer is not for this browser */

        ngx_ims_forward_local(fw, 488, NULL);
        return 1;
    }

    if (m->status == 401 || m->status == 407) {
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
    ngx_uint_t          held, status;
    ngx_ims_worker_t   *w;
    ngx_ims_forward_t  *fw;

    fw = data;
    w = fw->worker;

    held = (fw->command != NULL);
    ngx_ims_forward_media_back(fw);

    if (fw->held.data != NULL
        && ngx_ims_forward_parse(w->parsed, &fw->held) == NGX_OK)
    {
        if (ngx_ims_answer_unwanted(fw)) {
            ngx_ims_answer_orphan(fw, &w->parsed->msg);

        } else if (fw->server == NULL) {

            /* its last answer was repeated for long enough */

        } else if (rc == NGX_OK) {
            ngx_ims_answer_send(fw, &w->parsed->msg,
                                fw->prack
                                || ngx_ims_forward_has_sdp(&w->parsed->msg)
                                ? sdp : NULL);

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

            status = w->parsed->msg.status;
            ngx_ims_forward_local(fw, rc == NGX_DECLINED ? 488 : 503, NULL);
            ngx_ims_recover_apart(fw, status);
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
    uint32_t              rseq;
    ngx_uint_t            status;
    ngx_ims_facts_t       f;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_msg_t    *orig;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;
    orig = &w->saved->msg;
    status = m->status;
    rseq = 0;

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

        if (ngx_ims_early_dialog(fw, m, orig, &f) != NGX_OK) {
            ngx_ims_answer_orphan(fw, m);
            ngx_ims_forward_local(fw, 500, NULL);
            return;
        }

    } else if (status >= 200 && status < 300) {
        ngx_ims_answer_targets(fw, m, orig);
    }

    if (fw->subscribe) {
        ngx_ims_subscribe_answered(fw, m, orig);
    }

    ngx_ims_clock_answered(fw, m, orig, &f.r);

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    if (body != NULL && body->len == 0) {
        (void) ngx_ims_sip_remove(&e, m, NGX_IMS_HDR_CONTENT_TYPE);

    } else if (body != NULL && !ngx_ims_forward_has_sdp(m)) {
        ngx_ims_sip_insert_end(&e, m,
                               ngx_ims_sip_textf(&e, "Content-Type: "
                                                 "application/sdp" CRLF));
    }

    if (fw->up) {
        ngx_ims_answer_names(fw, m, orig, &f.r, &e);
        ngx_ims_route_response_down(&e, m, orig, &f.r);

    } else {
        ngx_ims_route_response_up(&e, m, orig, &f.r);
        rseq = ngx_ims_early_number(fw, m, orig);

        if (rseq) {
            ngx_ims_route_reliable(&e, m, rseq);
        }
    }

    if (ngx_ims_sip_splice(&e, m, w->out, w->out_size, &len) != NGX_IMS_OK) {
        ngx_ims_forward_local(fw, 500, NULL);
        return;
    }

    if (status >= 200) {
        ngx_ims_forward_answered(fw);
        ngx_ims_answer_keep(fw, m, w->out, len);

        if (fw->initial && fw->up && fw->session != NULL) {
            ngx_ims_forward_calling(fw->session);
        }
    }

    ngx_ims_early_reply(fw, status, w->out, len, rseq,
                        body != NULL && body->len);

    if (status >= 300) {
        ngx_ims_forward_drop_media(fw);
    }

    if (fw->session != NULL && (fw->initial || fw->in_dialog)) {
        ngx_ims_call_recount(fw->session);
    }
}


/* the far end as the browser knows it */

static void
ngx_ims_answer_names(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_route_t *r, ngx_ims_sip_edits_t *e)
{
    ngx_ims_sip_hdr_t  *h;

    if (fw->initial) {
        ngx_ims_early_show(fw, m, orig, r, e);
        return;
    }

    h = ngx_ims_sip_hdr(orig, NGX_IMS_HDR_TO);

    if (orig->to.tag.len && h != NULL) {
        r->to = h->value;
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


/* 1 when who asked is gone, or was refused by the portal itself */

static ngx_uint_t
ngx_ims_answer_unwanted(ngx_ims_forward_t *fw)
{
    return (fw->session == NULL && (!fw->away || fw->server == NULL
                                    || fw->server->invite))
           || (fw->answered && fw->final.data == NULL);
}


/*
 * A 2xx of an INVITE that nobody wants any more: who asked is gone or was
 * refused meanwhile, or media or record cannot be set up.  Whoever sent it gets
 * its ACK, and a BYE if that made a call.
 */

static void
ngx_ims_answer_orphan(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    ngx_int_t          rc;
    ngx_ims_dialog_t   d;
    ngx_ims_worker_t  *w;

    w = fw->worker;

    if (m->method != NGX_IMS_SIP_INVITE || m->status < 200 || m->status >= 300
        || m->to.tag.len == 0 || fw->final.data != NULL
        || (!fw->up && fw->session == NULL))
    {
        return;
    }

    if (!fw->initial) {
        rc = ngx_ims_dialog_load(fw->pool, &fw->dialog, &d, w->record);

        if (rc == NGX_OK) {
            ngx_ims_call_ack(w, fw->session, fw->pool, &d, fw->up, m->cseq);
        }

        return;
    }

    ngx_ims_early_lose(fw, m,
                       fw->session ? "SIP;cause=500;text=\"call failed\""
                                   : "SIP;cause=480;text=\"browser is gone\"");

    ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id, fw->up);
    ngx_ims_forward_drop_media(fw);
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
                           && orig->method != NGX_IMS_SIP_UPDATE
                           && orig->method != NGX_IMS_SIP_SUBSCRIBE
                           && orig->method != NGX_IMS_SIP_NOTIFY
                           && orig->method != NGX_IMS_SIP_REFER))
    {
        return;
    }

    rc = ngx_ims_dialog_load(fw->pool, &fw->dialog, &d, fw->worker->record);

    if (rc != NGX_OK) {
        return;
    }

    ngx_ims_forward_contact(orig, &uri);

    if (uri.len) {
        ngx_ims_dialog_target(fw->pool, &d, fw->up, &uri);
    }

    ngx_ims_forward_contact(m, &uri);

    if (uri.len) {
        ngx_ims_dialog_target(fw->pool, &d, !fw->up, &uri);
    }
}
