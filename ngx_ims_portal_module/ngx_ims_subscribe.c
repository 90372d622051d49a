/*
 * Copyright (C) the IMS portal authors
 *
 *   SUBSCRIBE up        a record without the notifier's tag, for timer N
 *   NOTIFY down, tag a  a record of its own, as long as it says
 *   200 down, tag a     the same record, as long as it says
 *   NOTIFY down, tag b  another one: the SUBSCRIBE was forked
 *
 * and the same mirrored for a SUBSCRIBE of the core.  Within a dialog it is a
 * use of that dialog's record.
 *
 * No timers: what is not renewed is reaped by the session's clock.
 */


#include "ngx_ims_subscribe.h"


#define NGX_IMS_SUBSCRIBE_REFER    180    /* s, unless a NOTIFY says more */
#define NGX_IMS_SUBSCRIBE_DEFAULT  3600   /* s, a 2xx without Expires */


static ngx_int_t ngx_ims_subscribe_pending(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_event_t *event);
static void ngx_ims_subscribe_notify(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d);
static void ngx_ims_subscribe_accepted(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_msg_t *orig, ngx_ims_event_t *event);
static void ngx_ims_subscribe_fill(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_msg_t *orig, ngx_ims_sip_edits_t *e,
    ngx_ims_dialog_t *d);
static ngx_int_t ngx_ims_subscribe_create(ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d, ngx_ims_event_t *event, time_t until);
static void ngx_ims_subscribe_event(ngx_ims_sip_msg_t *m, uint32_t cseq,
    ngx_ims_event_t *event);
static time_t ngx_ims_subscribe_wait(ngx_ims_worker_t *w);
static ngx_uint_t ngx_ims_subscribe_ends(ngx_uint_t status);
static ngx_uint_t ngx_ims_subscribe_none(ngx_ims_sip_msg_t *m);
static time_t ngx_ims_subscribe_state(ngx_ims_sip_msg_t *m);
static ngx_str_t *ngx_ims_subscribe_token(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_str_t *token, u_char *buf);


ngx_int_t
ngx_ims_subscribe_begin(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d)
{
    ngx_int_t        rc;
    ngx_ims_event_t  event;

    if (m->method == NGX_IMS_SIP_NOTIFY && fw->in_dialog) {
        fw->subscribe = 1;
        ngx_ims_subscribe_notify(fw, m, d);
        return NGX_OK;
    }

    if (m->method != NGX_IMS_SIP_SUBSCRIBE && m->method != NGX_IMS_SIP_REFER) {
        return NGX_OK;
    }

    fw->subscribe = 1;

    ngx_ims_subscribe_event(m, m->cseq + (fw->up ? d->offset_up
                                                 : d->offset_down), &event);

    if (!fw->in_dialog) {
        rc = ngx_ims_subscribe_pending(fw, m, &event);

    } else if (!ngx_ims_subscribe_none(m)) {
        fw->fresh = !ngx_ims_dialog_has(d, &event);

        rc = fw->fresh ? ngx_ims_dialog_subscribed(fw->pool, d, &event,
                                                   ngx_time()
                                                   + ngx_ims_subscribe_wait(
                                                                  fw->worker))
                       : NGX_OK;
    } else {
        rc = NGX_OK;
    }

    if (rc == NGX_OK) {
        ngx_ims_clock_arm(fw->session);
        return NGX_OK;
    }

    ngx_ims_forward_local(fw, rc == NGX_DECLINED ? 481 : 503,
                          rc == NGX_DECLINED ? NULL
                          : "Retry-After: 60" CRLF
                            "Warning: 399 portal \"too many subscriptions\""
                            CRLF);

    return NGX_DECLINED;
}


/* who it is from and how to reach him, but for the tag of who will answer */

static ngx_int_t
ngx_ims_subscribe_pending(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_event_t *event)
{
    ngx_int_t             rc;
    ngx_ims_dialog_t      d;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);
    ngx_ims_subscribe_fill(fw, m, m, &e, &d);

    d.state = NGX_IMS_DIALOG_EARLY;

    rc = e.failed ? NGX_ERROR
                  : ngx_ims_subscribe_create(fw->pool, &d, event,
                                             ngx_time()
                                             + ngx_ims_subscribe_wait(
                                                                 fw->worker));
    if (rc == NGX_DECLINED) {
        rc = NGX_ERROR;
    }

    if (rc == NGX_ERROR) {
        if (ngx_ims_limit_pool_full(fw->worker->limit)) {
            ngx_log_error(NGX_LOG_ERR, w->log, 0,
                          "zone of pool \"%V\" has no room for a subscription",
                          &fw->pool->name);
        }
    }

    return rc;
}


/* a NOTIFY passes: its Subscription-State tells how long, or that it is over */

static void
ngx_ims_subscribe_notify(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d)
{
    time_t           expires;
    ngx_ims_event_t  event;

    ngx_ims_subscribe_event(m, 0, &event);

    if (!ngx_ims_dialog_has(d, &event)) {
        return;
    }

    expires = ngx_ims_subscribe_state(m);

    if (expires == 0) {

        /* gone behind the answer to this very request */

        expires = 1;
        fw->terminated = 1;
    }

    if (expires > 0) {
        expires += ngx_time() + ngx_ims_subscribe_wait(fw->worker);
        (void) ngx_ims_dialog_subscribed(fw->pool, d, &event, expires);
        ngx_ims_clock_arm(fw->session);
    }
}


ngx_int_t
ngx_ims_subscribe_notified(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up, ngx_ims_dialog_t *d)
{
    ngx_int_t             rc;
    ngx_str_t             token;
    u_char                buf[NGX_IMS_TOKEN_LEN];
    ngx_ims_str_t         none;
    ngx_ims_dialog_t      p;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = s->worker;
    none.len = 0;
    none.data = NULL;

    rc = ngx_ims_dialog_pending(s->pool, &s->binding, &m->call_id,
                                up ? &none : &m->to.tag, &p, w->record);

    if (rc != NGX_OK || p.originated == up || m->from.tag.len == 0) {
        return NGX_DECLINED;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    *d = p;
    d->state = NGX_IMS_DIALOG_CONFIRMED;

    if (up) {
        ngx_ims_forward_value(m, NGX_IMS_HDR_FROM, &d->web_id);
        ngx_ims_forward_contact(m, &d->web_target);
        d->core_id = ngx_ims_sip_textf(&e, "%.*s;tag=%.*s",
                                       (int) p.core_id.len, p.core_id.data,
                                       (int) m->from.tag.len,
                                       m->from.tag.data);

    } else {
        ngx_ims_forward_value(m, NGX_IMS_HDR_FROM, &d->far_id);
        ngx_ims_forward_value(m, NGX_IMS_HDR_TO, &d->core_id);
        ngx_ims_forward_contact(m, &d->far_target);
        d->routes = ngx_ims_route_set(&e, m, 0,
                                      ngx_ims_subscribe_token(s->pool,
                                                              &s->binding,
                                                              &token, buf));
    }

    ngx_str_null(&d->shown_id);

    if (e.failed || ngx_ims_dialog_create(s->pool, d) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_ims_dialog_match(s->pool, &s->binding, m, up, d, w->record);
}


void
ngx_ims_subscribe_answered(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig)
{
    ngx_int_t         rc;
    ngx_ims_event_t   event;
    ngx_ims_dialog_t  d;

    if (m->status < 200) {
        return;
    }

    ngx_ims_subscribe_event(orig, orig->cseq + fw->offset, &event);

    if (m->status < 300 && !fw->terminated
        && orig->method != NGX_IMS_SIP_NOTIFY)
    {
        ngx_ims_subscribe_accepted(fw, m, orig, &event);
        return;
    }

    if (fw->in_dialog) {
        rc = ngx_ims_dialog_match(fw->pool, &fw->binding, orig, fw->up, &d,
                                  fw->worker->record);

        if (rc == NGX_OK && (fw->fresh || fw->terminated
                             || ngx_ims_subscribe_ends(m->status)))
        {
            ngx_ims_dialog_unsubscribed(fw->pool, &d, &event);
        }

        return;
    }

    rc = ngx_ims_dialog_pending(fw->pool, &fw->binding, &orig->call_id,
                                fw->up ? &orig->from.tag : &orig->to.tag, &d,
                                fw->worker->record);
    if (rc == NGX_OK) {
        (void) ngx_ims_dialog_free(fw->pool, &d);
    }
}


/* a 2xx to SUBSCRIBE or REFER */

static void
ngx_ims_subscribe_accepted(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_event_t *event)
{
    time_t                expires;
    ngx_int_t             rc;
    ngx_ims_dialog_t      d;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    expires = NGX_IMS_SUBSCRIBE_REFER;

    if (orig->method == NGX_IMS_SIP_SUBSCRIBE) {
        expires = m->expires >= 0 ? m->expires
                  : orig->expires >= 0 ? orig->expires
                  : NGX_IMS_SUBSCRIBE_DEFAULT;
    }

    expires += ngx_ims_subscribe_wait(fw->worker);

    rc = m->to.tag.len ? ngx_ims_dialog_find(fw->pool, &fw->binding,
                                             &orig->call_id,
                                             fw->up ? &orig->from.tag
                                                    : &m->to.tag,
                                             fw->up ? &m->to.tag
                                                    : &orig->from.tag,
                                             &d, w->record)
                       : NGX_DECLINED;

    if (ngx_ims_subscribe_none(m)) {

        /* RFC 4488: who was asked will not tell */

        if (rc == NGX_OK && (fw->fresh || !fw->in_dialog)) {
            ngx_ims_dialog_unsubscribed(fw->pool, &d, event);
        }

        return;
    }

    if (rc == NGX_OK) {

        /* a NOTIFY that came first may have ended it: it stays ended */

        if (ngx_ims_dialog_has(&d, event)) {
            (void) ngx_ims_dialog_subscribed(fw->pool, &d, event,
                                             ngx_time() + expires);
        }

    } else if (!fw->in_dialog && m->to.tag.len) {
        ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text,
                               w->text_size);
        ngx_ims_subscribe_fill(fw, m, orig, &e, &d);

        if (e.failed
            || ngx_ims_subscribe_create(fw->pool, &d, event,
                                        ngx_time() + expires)
               != NGX_OK)
        {
            if (ngx_ims_limit_pool_full(fw->worker->limit)) {
                ngx_log_error(NGX_LOG_ERR, w->log, 0,
                              "no room for a subscription in pool \"%V\"",
                              &fw->pool->name);
            }
        }
    }

    ngx_ims_clock_arm(fw->session);
}


/*
 * The dialog of the request orig as m, its answer, says; or as orig alone says
 * when they are the same.
 */

static void
ngx_ims_subscribe_fill(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_sip_edits_t *e, ngx_ims_dialog_t *d)
{
    u_char     buf[NGX_IMS_TOKEN_LEN];
    ngx_str_t  token;

    ngx_memzero(d, sizeof(ngx_ims_dialog_t));

    d->binding = fw->binding;
    d->state = NGX_IMS_DIALOG_CONFIRMED;
    d->originated = fw->up;
    d->events = 1;
    d->helper = -1;
    d->call_id = orig->call_id;

    (void) ngx_ims_subscribe_token(fw->pool, &fw->binding, &token, buf);

    if (fw->up) {
        d->cseq_up = orig->cseq + fw->offset;
        d->offset_up = fw->offset;

        ngx_ims_forward_value(orig, NGX_IMS_HDR_FROM, &d->web_id);
        ngx_ims_forward_value(m, NGX_IMS_HDR_FROM, &d->core_id);
        ngx_ims_forward_value(m, NGX_IMS_HDR_TO, &d->far_id);
        ngx_ims_forward_contact(orig, &d->web_target);

        if (m != orig) {
            d->routes = ngx_ims_route_set(e, m, 1, &token);
            ngx_ims_forward_contact(m, &d->far_target);
        }

        return;
    }

    d->cseq_down = orig->cseq;
    d->routes = ngx_ims_route_set(e, orig, 0, &token);

    ngx_ims_forward_value(m, NGX_IMS_HDR_TO, &d->web_id);
    ngx_ims_forward_value(orig, NGX_IMS_HDR_TO, &d->core_id);
    ngx_ims_forward_value(orig, NGX_IMS_HDR_FROM, &d->far_id);
    ngx_ims_forward_contact(orig, &d->far_target);

    if (m != orig) {
        d->core_id = ngx_ims_sip_textf(e, "%.*s;tag=%.*s",
                                       (int) d->core_id.len, d->core_id.data,
                                       (int) m->to.tag.len, m->to.tag.data);
        ngx_ims_forward_contact(m, &d->web_target);
    }
}


static ngx_int_t
ngx_ims_subscribe_create(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_ims_event_t *event, time_t until)
{
    d->usages[0].package = event->package;
    d->usages[0].id = event->id;
    d->usages[0].until = (uint32_t) until;

    return ngx_ims_dialog_create(pool, d);
}


/* which subscription a message is about; REFER's is known by its CSeq */

static void
ngx_ims_subscribe_event(ngx_ims_sip_msg_t *m, uint32_t cseq,
    ngx_ims_event_t *event)
{
    u_char              name[64], *p;
    size_t              len;
    ngx_ims_str_t       id, params;
    ngx_ims_sip_hdr_t  *h;

    event->package = ngx_crc32_short((u_char *) "refer", 5);
    event->id = 0;

    if (m->method == NGX_IMS_SIP_REFER) {
        p = ngx_sprintf(name, "%uD", cseq);
        event->id = ngx_crc32_short(name, p - name);
        return;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_EVENT);

    if (h == NULL) {
        event->package = 0;
        return;
    }

    for (len = 0; len < h->value.len; len++) {
        if (ngx_strchr("; \t", h->value.data[len]) != NULL) {
            break;
        }
    }

    params.data = h->value.data + len;
    params.len = h->value.len - len;

    len = ngx_min(len, sizeof(name));
    ngx_strlow(name, h->value.data, len);
    event->package = ngx_crc32_short(name, len);

    p = ngx_strlchr(params.data, params.data + params.len, ';');

    if (p != NULL) {
        params.len = params.data + params.len - (p + 1);
        params.data = p + 1;

        if (ngx_ims_sip_param(&params, "id", &id) && id.len) {
            event->id = ngx_crc32_short(id.data, id.len);
        }
    }
}


/*
 * Timer N, 64 * T1, for which NOTIFYs of other forks may come (RFC 6665 4.1.2),
 * s; also what a subscription gets for the refresh that is on its way
 */

static time_t
ngx_ims_subscribe_wait(ngx_ims_worker_t *w)
{
    return (64 * w->t1 + 999) / 1000 + 1;
}


/* answers that end a subscription, whichever request they are to (RFC 5057) */

static ngx_uint_t
ngx_ims_subscribe_ends(ngx_uint_t status)
{
    ngx_uint_t  i;

    static const ngx_uint_t  ends[] = {
        404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604
    };

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (status == ends[i]) {
            return 1;
        }
    }

    return 0;
}


/* 1 when there is no subscription behind a REFER (RFC 4488) */

static ngx_uint_t
ngx_ims_subscribe_none(ngx_ims_sip_msg_t *m)
{
    ngx_ims_sip_hdr_t  *h;

    h = m->status ? ngx_ims_sip_hdr_name(m, "Refer-Sub") : NULL;

    return h != NULL && h->value.len >= 5
           && ngx_strncasecmp(h->value.data, (u_char *) "false", 5) == 0;
}


/* seconds that it lasts still, 0: it is over, -1: it does not say */

static time_t
ngx_ims_subscribe_state(ngx_ims_sip_msg_t *m)
{
    u_char             *p;
    uint64_t            n;
    ngx_ims_str_t       params, expires;
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr_name(m, "Subscription-State");

    if (h == NULL) {
        return -1;
    }

    if (h->value.len >= 10
        && ngx_strncasecmp(h->value.data, (u_char *) "terminated", 10) == 0)
    {
        return 0;
    }

    p = ngx_strlchr(h->value.data, h->value.data + h->value.len, ';');

    if (p == NULL) {
        return -1;
    }

    params.data = p + 1;
    params.len = h->value.data + h->value.len - params.data;

    if (!ngx_ims_sip_param(&params, "expires", &expires)
        || ngx_ims_sip_number(&expires, 0x7fffffff, &n) != 0)
    {
        return -1;
    }

    return (time_t) ngx_max(n, 1);
}


static ngx_str_t *
ngx_ims_subscribe_token(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_str_t *token, u_char *buf)
{
    ngx_ims_binding_token(pool, binding, buf);

    token->data = buf;
    token->len = NGX_IMS_TOKEN_LEN;

    return token;
}
