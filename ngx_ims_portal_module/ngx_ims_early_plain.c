/*
 * Copyright (C) the IMS portal authors
 *
 * Where SRTP towards the core is preferred and a core refuses the offer of a
 * browser's INVITE, the helper is asked for one without, and the INVITE goes
 * again: with the next CSeq, in the same call (RFC 3261 8.1.3.5).  The browser
 * learns nothing of it.
 *
 * No timers.
 */


#include "ngx_ims_early_priv.h"
#include "ngx_ims_retry.h"


static ngx_uint_t ngx_ims_early_refuses(ngx_ims_sip_msg_t *m);
static ngx_uint_t ngx_ims_early_waiting(ngx_ims_forward_t *fw);
static void ngx_ims_early_plain_offer(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason);
static ngx_int_t ngx_ims_early_plain_send(ngx_ims_forward_t *fw,
    ngx_str_t *sdp);


ngx_int_t
ngx_ims_early_plain(ngx_ims_forward_t *fw, ngx_ims_txn_t *t,
    ngx_ims_sip_msg_t *m, ngx_ims_txn_response_pt handler)
{
    ngx_int_t           rc;
    ngx_uint_t          busy;
    ngx_ims_plain_t    *plain;
    ngx_ims_worker_t   *w;
    ngx_ims_sip_msg_t  *orig;

    w = fw->worker;

    if (!fw->initial || !fw->offered || fw->plain || fw->answered
        || fw->canceled || fw->session == NULL || fw->server == NULL
        || fw->command != NULL
        || (fw->early != NULL && fw->early->media != NULL)
        || w->media == NULL || !ngx_ims_media_prefers(w->media)
        || !ngx_ims_early_refuses(m) || ngx_ims_early_waiting(fw)
        || ngx_ims_forward_memory(fw) != NGX_OK
        || ngx_ims_forward_parse(w->saved, &fw->server->request) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    plain = ngx_palloc(fw->memory,
                       sizeof(ngx_ims_plain_t) + t->request.len);
    if (plain == NULL) {
        return NGX_DECLINED;
    }

    plain->handler = handler;
    plain->flow = t->flow;
    plain->request.data = (u_char *) (plain + 1);
    plain->request.len = t->request.len;
    ngx_memcpy(plain->request.data, t->request.data, t->request.len);

    orig = &w->saved->msg;
    fw->refused = plain;
    fw->plain = 1;

    /* the browser's own messages do not wait for this */

    busy = fw->session->up_busy;
    rc = ngx_ims_forward_media(fw, NGX_IMS_MEDIA_OFFER, &orig->body,
                               &orig->from.tag, &orig->to.tag, 0,
                               ngx_ims_early_plain_offer);
    fw->session->up_busy = busy;

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_INFO, fw->session->connection->log, 0,
                  "core \"%V\" refused SRTP, a call goes without",
                  &fw->pool->core->name);

    if (m->status < 300) {
        ngx_ims_early_lose(fw, m, "SIP;cause=488;text=\"SRTP refused\"");
    }

    ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id, 1);

    /* what is said in the former transaction from now on is not heard */

    fw->client = NULL;

    return NGX_OK;
}


/* 1: m refuses an offer, by its status or by all its m-lines */

static ngx_uint_t
ngx_ims_early_refuses(ngx_ims_sip_msg_t *m)
{
    u_char      *p;
    ngx_str_t    rest, line;
    ngx_uint_t   n;

    if (m->status == 488 || m->status == 606) {
        return 1;
    }

    if (m->status < 200 || m->status >= 300 || !ngx_ims_forward_has_sdp(m)) {
        return 0;
    }

    rest = m->body;

    for (n = 0; ngx_ims_forward_media_line(&rest, &line) == NGX_OK; n++) {

        p = ngx_strlchr(line.data, line.data + line.len, ' ');

        if (p == NULL || line.data + line.len - p < 3 || p[1] != '0'
            || p[2] != ' ')
        {
            return 0;
        }
    }

    return n != 0;
}


/* 1: an answer that came before is held back behind another call's */

static ngx_uint_t
ngx_ims_early_waiting(ngx_ims_forward_t *fw)
{
    ngx_queue_t     *q, *queue;
    ngx_ims_held_t  *held;

    queue = &fw->session->down;

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue);
         q = ngx_queue_next(q))
    {
        held = ngx_queue_data(q, ngx_ims_held_t, queue);

        if (held->forward == fw) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_ims_early_plain_offer(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason)
{
    ngx_ims_forward_t  *fw;

    fw = data;

    ngx_ims_forward_media_back(fw);

    if (fw->session == NULL || fw->answered || fw->server == NULL) {
        ngx_ims_forward_unref(fw);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_ims_early_plain_send(fw, sdp);

    } else {
        ngx_log_error(NGX_LOG_ERR, fw->session->connection->log, 0,
                      "media helper refused an offer: \"%V\"", reason);
    }

    if (rc != NGX_OK) {
        ngx_ims_forward_local(fw, rc == NGX_DECLINED ? 488 : 503,
                              rc == NGX_DECLINED ? NULL
                                                 : "Retry-After: 5" CRLF);
    }

    ngx_ims_forward_unref(fw);
}


/* NGX_OK or NGX_ERROR */

static ngx_int_t
ngx_ims_early_plain_send(ngx_ims_forward_t *fw, ngx_str_t *sdp)
{
    size_t                len;
    u_char                branch[NGX_IMS_BRANCH_LEN];
    ngx_ims_str_t         value;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_msg_t    *m;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;
    m = &w->saved->msg;

    if (ngx_ims_forward_parse(w->saved, &fw->refused->request) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    ngx_ims_txn_branch(w->txns, branch);
    value.data = branch;
    value.len = NGX_IMS_BRANCH_LEN;
    ngx_ims_sip_replace(&e, m, &m->via.branch, value);

    value = ngx_ims_sip_textf(&e, "%lu INVITE", (unsigned long) m->cseq + 1);
    ngx_ims_sip_replace(&e, m, &ngx_ims_sip_hdr(m, NGX_IMS_HDR_CSEQ)->value,
                        value);

    ngx_ims_sip_body(&e, m, *sdp);

    if (!fw->emergency) {
        ngx_ims_retry_ahead(fw->session, &e, m, &m->uri);
    }

    if (ngx_ims_sip_splice(&e, m, w->out, w->out_size, &len) != NGX_IMS_OK) {
        return NGX_ERROR;
    }

    ngx_ims_txns_urgent(w->txns, fw->emergency);

    fw->client = ngx_ims_txn_client(w->txns, &fw->refused->flow,
                                    NGX_IMS_SIP_INVITE, branch, w->out, len,
                                    fw->refused->handler, fw);

    ngx_ims_txns_urgent(w->txns, 0);

    if (fw->client == NULL) {
        return NGX_ERROR;
    }

    fw->refs++;
    fw->offset++;
    fw->challenged = 0;
    fw->proceeding = 0;

    ngx_add_timer(&fw->timer, fw->emergency ? NGX_IMS_FORWARD_TIMER_SOS
                                            : fw->pool->core->timer_c);
    ngx_ims_forward_watch(fw);

    return NGX_OK;
}
