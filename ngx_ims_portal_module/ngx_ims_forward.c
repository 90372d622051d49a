/*
 * Copyright (C) the IMS portal authors
 *
 * The life of one forwarded request: it lives while one of its transactions, or
 * a command at the media helper, does.  Also the order of a side: what comes
 * while a message of the same side is with the helper is held back and goes on
 * after it.
 *
 * Timers: timer C of the core, 185 s unless set, without an answer to an INVITE
 * (RFC 3261 16.6); 6 s without any for an emergency call.
 */


#include "ngx_ims_forward.h"
#include "ngx_ims_screen.h"


static void ngx_ims_forward_server(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_forward_timer(ngx_event_t *ev);
static void ngx_ims_forward_purge(ngx_queue_t *queue);
static void ngx_ims_forward_uncount(ngx_ims_forward_t *fw);


/* set once, before any session exists */

static ngx_ims_forward_resume_pt  ngx_ims_forward_resume_up;
static ngx_ims_forward_resume_pt  ngx_ims_forward_resume_down;
static ngx_ims_forward_answer_pt  ngx_ims_forward_answer;


void
ngx_ims_forward_init(ngx_ims_forward_resume_pt up,
    ngx_ims_forward_resume_pt down, ngx_ims_forward_answer_pt answer)
{
    ngx_ims_forward_resume_up = up;
    ngx_ims_forward_resume_down = down;
    ngx_ims_forward_answer = answer;
}


ngx_ims_forward_t *
ngx_ims_forward_create(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t up)
{
    ngx_ims_worker_t   *w;
    ngx_ims_forward_t  *fw;

    w = s->worker;

    if (m->call_id.len > NGX_IMS_FORWARD_MAX_ID) {
        return NULL;
    }

    fw = ngx_calloc(sizeof(ngx_ims_forward_t) + m->call_id.len, w->log);
    if (fw == NULL) {
        return NULL;
    }

    if (flow != NULL) {
        fw->server = ngx_ims_txn_server(w->txns, m, flow,
                                        up ? s->scope : 0,
                                        ngx_ims_forward_server, fw);
        if (fw->server == NULL) {
            ngx_free(fw);
            return NULL;
        }
    }

    fw->refs = 1;
    fw->up = up;
    fw->session = s;
    fw->worker = w;
    fw->pool = s->pool;
    fw->binding = s->binding;
    fw->lease = s->lease;
    fw->helper = -1;
    fw->merge = ngx_ims_forward_merge(m);

    if (w->again != NULL && !up) {
        ngx_memcpy(fw->branch, w->again, NGX_IMS_BRANCH_LEN);
    }

    fw->call_id.data = (u_char *) fw + sizeof(ngx_ims_forward_t);
    fw->call_id.len = m->call_id.len;
    ngx_memcpy(fw->call_id.data, m->call_id.data, m->call_id.len);

    fw->timer.handler = ngx_ims_forward_timer;
    fw->timer.data = fw;
    fw->timer.log = w->log;

    if (up && flow != NULL) {
        fw->counted = 1;
        fw->pool->core->requests++;
    }

    ngx_queue_insert_tail(&s->requests, &fw->queue);
    s->nrequests++;
    s->npending++;
    s->connection->idle = 0;

    return fw;
}


ngx_ims_forward_t *
ngx_ims_forward_invite(ngx_ims_session_t *s, ngx_ims_str_t *call_id,
    ngx_uint_t up)
{
    ngx_queue_t        *q;
    ngx_ims_forward_t  *fw;

    for (q = ngx_queue_head(&s->requests);
         q != ngx_queue_sentinel(&s->requests);
         q = ngx_queue_next(q))
    {
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        if (fw->initial && fw->up == up && fw->call_id.len == call_id->len
            && ngx_memcmp(fw->call_id.data, call_id->data, call_id->len) == 0)
        {
            return fw;
        }
    }

    return NULL;
}


uint32_t
ngx_ims_forward_merge(ngx_ims_sip_msg_t *m)
{
    return ngx_crc32_short(m->from.tag.data, m->from.tag.len)
           ^ (m->cseq * 2654435761u) ^ (uint32_t) m->method;
}


ngx_int_t
ngx_ims_forward_uri(ngx_ims_forward_t *fw, ngx_ims_str_t *uri)
{
    fw->request_uri.data = ngx_alloc(uri->len, fw->worker->log);
    if (fw->request_uri.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(fw->request_uri.data, uri->data, uri->len);
    fw->request_uri.len = uri->len;

    return NGX_OK;
}


void
ngx_ims_forward_calling(ngx_ims_session_t *s)
{
    ngx_uint_t          n;
    ngx_queue_t        *q;
    ngx_ims_forward_t  *fw;

    if (!s->bound) {
        return;
    }

    n = 0;

    for (q = ngx_queue_head(&s->requests);
         q != ngx_queue_sentinel(&s->requests);
         q = ngx_queue_next(q))
    {
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        n += (fw->up && fw->initial && !fw->answered);
    }

    ngx_ims_binding_calling(s->pool, &s->binding, &s->worker->self, n);
}


void
ngx_ims_forward_unref(ngx_ims_forward_t *fw)
{
    ngx_ims_session_t  *s;

    if (--fw->refs) {
        return;
    }

    ngx_ims_forward_drop_media(fw);
    ngx_ims_forward_uncount(fw);

    if (fw->timer.timer_set) {
        ngx_del_timer(&fw->timer);
    }

    if (fw->watch.timer_set) {
        ngx_del_timer(&fw->watch);
    }

    s = fw->session;

    if (s != NULL) {
        ngx_queue_remove(&fw->queue);
        s->nrequests--;
        s->npending -= !fw->answered;

        if (fw->up && fw->initial) {
            ngx_ims_forward_calling(s);
        }

        if (fw->initial || fw->in_dialog) {
            ngx_ims_call_recount(s);

        } else {
            ngx_ims_session_settle(s);
        }
    }

    if (fw->request_uri.data != NULL) {
        ngx_free(fw->request_uri.data);
    }

    if (fw->held.data != NULL) {
        ngx_free(fw->held.data);
    }

    if (fw->final.data != NULL) {
        ngx_free(fw->final.data);
    }

    if (fw->memory != NULL) {
        ngx_destroy_pool(fw->memory);
    }

    ngx_free(fw);
}


void
ngx_ims_forward_answered(ngx_ims_forward_t *fw)
{
    if (fw->session != NULL && !fw->answered) {
        fw->session->npending--;
    }

    fw->answered = 1;
    ngx_ims_forward_uncount(fw);
}


static void
ngx_ims_forward_uncount(ngx_ims_forward_t *fw)
{
    if (fw->counted) {
        fw->counted = 0;
        fw->pool->core->requests--;
    }
}


/* events of the server transaction */

static void
ngx_ims_forward_server(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    u_char              buf[512], *p;
    ngx_str_t           reason;
    ngx_ims_sip_hdr_t  *h;
    ngx_ims_forward_t  *fw;

    fw = t->data;

    switch (rc) {

    case NGX_OK:

        /* CANCEL: passed on with its Reason (RFC 3326), the answer follows */

        fw->canceled = 1;

        if (fw->client == NULL) {
            ngx_ims_forward_local(fw, 487, NULL);
            return;
        }

        ngx_str_null(&reason);

        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_REASON);

        if (h != NULL && h->value.len < sizeof(buf) - 16) {
            p = ngx_snprintf(buf, sizeof(buf), "Reason: %V" CRLF,
                             &h->value);
            reason.data = buf;
            reason.len = p - buf;
        }

        ngx_ims_txn_cancel(fw->client, reason.len ? &reason : NULL);
        return;

    case NGX_DONE:
        fw->server = NULL;
        ngx_ims_forward_unref(fw);
        return;

    default:
        return;
    }
}


static void
ngx_ims_forward_timer(ngx_event_t *ev)
{
    ngx_ims_forward_t  *fw;

    fw = ev->data;

    if (fw->client != NULL && !fw->answered) {
        fw->canceled = 1;
        ngx_ims_txn_cancel(fw->client, NULL);
        ngx_ims_forward_local(fw, 408, NULL);
    }
}


void
ngx_ims_forward_local(ngx_ims_forward_t *fw, ngx_uint_t status,
    const char *extra)
{
    size_t             len;
    u_char             tag[16], sos[NGX_IMS_SCREEN_EXTRA];
    ngx_ims_str_t      to_tag, *body;
    ngx_ims_worker_t  *w;

    w = fw->worker;
    body = NULL;

    if (fw->server == NULL || fw->answered) {
        return;
    }

    /* what we fail to carry is to be tried by other means (spec SE-18) */

    if (fw->emergency && status >= 400 && status != 487) {
        status = 380;
        body = ngx_ims_screen_alternative(&fw->request_uri, sos);
        extra = (char *) sos;
    }

    if (ngx_ims_forward_parse(w->saved, &fw->server->request) != NGX_OK) {
        return;
    }

    ngx_ims_call_tag(w, tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_sip_reply(&w->saved->msg, status, NULL,
                          status > 100 ? &to_tag : NULL, extra, body, w->out,
                          w->out_size, &len)
        != NGX_IMS_OK)
    {
        return;
    }

    if (status >= 200) {
        ngx_ims_forward_answered(fw);
        ngx_ims_forward_drop_media(fw);

        if (fw->initial) {
            ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id,
                                        fw->up);
        }

        if (fw->initial && fw->up && fw->session != NULL) {
            ngx_ims_forward_calling(fw->session);
        }
    }

    (void) ngx_ims_txn_reply(fw->server, status, w->out, len);
}


ngx_int_t
ngx_ims_forward_memory(ngx_ims_forward_t *fw)
{
    if (fw->memory == NULL) {
        fw->memory = ngx_create_pool(512, fw->worker->log);
    }

    return fw->memory != NULL ? NGX_OK : NGX_ERROR;
}


void
ngx_ims_forward_contact(ngx_ims_sip_msg_t *m, ngx_str_t *uri)
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


void
ngx_ims_forward_value(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
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


ngx_int_t
ngx_ims_forward_parse(ngx_ims_parsed_t *parsed, ngx_str_t *text)
{
    return ngx_ims_sip_parse(&parsed->msg, text->data, text->len,
                             parsed->hdrs, NGX_IMS_SIP_MAX_HEADERS, 1)
           == NGX_IMS_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_ims_forward_keep(ngx_ims_forward_t *fw, ngx_str_t *text)
{
    u_char  *p;

    p = ngx_alloc(text->len, fw->worker->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);

    if (fw->held.data != NULL) {
        ngx_free(fw->held.data);
    }

    fw->held.data = p;
    fw->held.len = text->len;

    return NGX_OK;
}


void
ngx_ims_forward_release(ngx_ims_forward_t *fw, ngx_uint_t to_web)
{
    ngx_ims_session_t  *s;

    s = fw->session;

    if (s != NULL) {
        if (to_web) {
            s->down_busy = 0;

        } else {
            s->up_busy = 0;
        }

        ngx_ims_forward_resume(s, !to_web);
    }

    ngx_ims_forward_unref(fw);
}


ngx_int_t
ngx_ims_forward_hold(ngx_ims_session_t *s, ngx_uint_t up,
    ngx_ims_forward_t *fw, ngx_ims_flow_t *flow, u_char *p, size_t len,
    ngx_uint_t always)
{
    ngx_ims_held_t  *held;

    if (s->nwaiting >= s->policy->limits.waiting && !always) {
        ngx_ims_session_limited(s, NGX_IMS_LIMITED_WAITING);
        return NGX_ERROR;
    }

    held = ngx_alloc(sizeof(ngx_ims_held_t) + len, s->connection->log);
    if (held == NULL) {
        return NGX_ERROR;
    }

    held->forward = fw;
    held->len = len;
    held->branch[0] = '\0';

    if (fw != NULL) {
        fw->refs++;

    } else {
        held->flow = *flow;

        if (s->worker->again != NULL && !up) {
            ngx_memcpy(held->branch, s->worker->again, NGX_IMS_BRANCH_LEN);
        }
    }

    ngx_memcpy((u_char *) held + sizeof(ngx_ims_held_t), p, len);

    ngx_queue_insert_tail(up ? &s->up : &s->down, &held->queue);
    s->nwaiting++;

    return NGX_OK;
}


void
ngx_ims_forward_resume(ngx_ims_session_t *s, ngx_uint_t up)
{
    u_char             *p, *again;
    ngx_str_t           text;
    ngx_queue_t        *q, *queue;
    ngx_ims_held_t     *held;
    ngx_ims_worker_t   *w;
    ngx_ims_forward_t  *fw;

    w = s->worker;
    queue = up ? &s->up : &s->down;

    /* the end of the session empties the queues */

    while (!ngx_queue_empty(queue) && !(up ? s->up_busy : s->down_busy)) {
        q = ngx_queue_head(queue);
        ngx_queue_remove(q);
        s->nwaiting--;

        held = ngx_queue_data(q, ngx_ims_held_t, queue);
        fw = held->forward;
        p = (u_char *) held + sizeof(ngx_ims_held_t);

        if (fw != NULL) {
            text.data = p;
            text.len = held->len;

            if (ngx_ims_forward_parse(w->parsed, &text) == NGX_OK) {
                ngx_ims_forward_answer(fw, &w->parsed->msg);
            }

            ngx_ims_forward_unref(fw);

        } else if (up) {
            ngx_ims_forward_resume_up(s, &held->flow, p, held->len);

        } else {
            again = w->again;
            w->again = held->branch[0] ? held->branch : NULL;
            ngx_ims_forward_resume_down(s, &held->flow, p, held->len);
            w->again = again;
        }

        ngx_free(held);
    }
}


static void
ngx_ims_forward_purge(ngx_queue_t *queue)
{
    ngx_queue_t     *q;
    ngx_ims_held_t  *held;

    while (!ngx_queue_empty(queue)) {
        q = ngx_queue_head(queue);
        ngx_queue_remove(q);

        held = ngx_queue_data(q, ngx_ims_held_t, queue);

        if (held->forward != NULL) {
            ngx_ims_forward_unref(held->forward);
        }

        ngx_free(held);
    }
}


ngx_ims_held_t *
ngx_ims_forward_held(ngx_ims_session_t *s)
{
    ngx_queue_t     *q;
    ngx_ims_held_t  *held;

    for (q = ngx_queue_head(&s->down);
         q != ngx_queue_sentinel(&s->down);
         q = ngx_queue_next(q))
    {
        held = ngx_queue_data(q, ngx_ims_held_t, queue);

        if (held->forward == NULL) {
            ngx_queue_remove(q);
            s->nwaiting--;
            return held;
        }
    }

    return NULL;
}


void
ngx_ims_forward_detach(ngx_ims_session_t *s, ngx_msec_t wait)
{
    ngx_queue_t        *q;
    ngx_ims_forward_t  *fw;

    ngx_ims_forward_purge(&s->up);
    ngx_ims_forward_purge(&s->down);
    s->nwaiting = 0;

    while (!ngx_queue_empty(&s->requests)) {
        q = ngx_queue_head(&s->requests);
        ngx_queue_remove(q);
        s->nrequests--;

        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        s->npending -= !fw->answered;
        fw->session = NULL;
        fw->refs++;

        if (wait && ngx_ims_forward_wait(fw, wait) == NGX_OK) {

            /* it is answered when the browser is back */

        } else if (fw->up) {

            if (fw->server != NULL) {
                ngx_ims_txn_detach(fw->server);
            }

            ngx_ims_forward_give_up(fw);

        } else {

            if (fw->client != NULL) {
                ngx_ims_txn_detach(fw->client);
            }

            ngx_ims_forward_local(fw, fw->in_dialog ? 500 : 480, NULL);
        }

        ngx_ims_forward_unref(fw);
    }

    ngx_ims_forward_calling(s);
}


void
ngx_ims_forward_give_up(ngx_ims_forward_t *fw)
{
    if (fw->client != NULL && fw->client->invite && !fw->answered) {
        fw->canceled = 1;
        ngx_ims_txn_cancel(fw->client, NULL);
    }

    ngx_ims_forward_local(fw, 487, NULL);
}
