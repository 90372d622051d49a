/*
 * Copyright (C) the IMS portal authors
 *
 * Who has a session owns the clock of its dialogs; when it moves to another
 * worker, or comes back after a loss, the clock is set again from the records.
 *
 * Timers: one for each session that has something to wait for, at the time of
 * the first thing that is due in its dialogs.
 */


#include "ngx_ims_clock.h"


#define NGX_IMS_CLOCK_AGAIN  5                /* s, a refresh that crossed */
#define NGX_IMS_CLOCK_LINES  (128 + NGX_IMS_TOKEN_LEN + NGX_IMS_EDGE_LEN)


typedef struct {
    ngx_event_t               timer;
    ngx_ims_session_t        *session;
} ngx_ims_clock_t;


/* a refresh under way */
typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    ngx_ims_ref_t             dialog;
    uint32_t                  interval;
} ngx_ims_clock_refresh_t;


static void ngx_ims_clock_timer(ngx_event_t *ev);
static void ngx_ims_clock_over(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);
static void ngx_ims_clock_update(ngx_ims_session_t *s, ngx_ims_dialog_t *d);
static void ngx_ims_clock_response(void *data, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_clock_answer(ngx_ims_clock_refresh_t *re, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_clock_refreshed(ngx_ims_clock_refresh_t *re,
    ngx_ims_dialog_t *d, ngx_ims_sip_msg_t *m);
static void ngx_ims_clock_refused(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_msg_t *orig);
static ngx_uint_t ngx_ims_clock_seconds(ngx_ims_sip_msg_t *m,
    ngx_ims_sip_hdr_e id);
static ngx_uint_t ngx_ims_clock_method(ngx_ims_sip_msg_t *m);


void
ngx_ims_clock_arm(ngx_ims_session_t *s)
{
    time_t            due, now;
    ngx_ims_clock_t  *clock;

    if (s == NULL || !s->bound) {
        return;
    }

    clock = s->clock;
    now = ngx_time();
    due = ngx_ims_dialog_expire(s->pool, &s->binding, now);

    if (due == 0) {
        if (clock != NULL && clock->timer.timer_set) {
            ngx_del_timer(&clock->timer);
        }

        return;
    }

    if (clock == NULL) {
        clock = ngx_calloc(sizeof(ngx_ims_clock_t), s->connection->log);
        if (clock == NULL) {
            return;
        }

        clock->session = s;
        clock->timer.handler = ngx_ims_clock_timer;
        clock->timer.data = clock;
        clock->timer.log = s->worker->log;
        clock->timer.cancelable = 1;

        s->clock = clock;
    }

    if (clock->timer.timer_set) {
        ngx_del_timer(&clock->timer);
    }

    due = due > now ? ngx_min(due - now, 86400) : 0;

    ngx_add_timer(&clock->timer, (ngx_msec_t) due * 1000 + 10);
}


void
ngx_ims_clock_stop(ngx_ims_session_t *s)
{
    ngx_ims_clock_t  *clock;

    clock = s->clock;

    if (clock == NULL) {
        return;
    }

    if (clock->timer.timer_set) {
        ngx_del_timer(&clock->timer);
    }

    ngx_free(clock);
    s->clock = NULL;
}


static void
ngx_ims_clock_timer(ngx_event_t *ev)
{
    ngx_uint_t          n;
    ngx_ims_ref_t       ref;
    ngx_ims_pool_t     *pool;
    ngx_ims_clock_t    *clock;
    ngx_ims_dialog_t    d;
    ngx_ims_worker_t   *w;
    ngx_ims_session_t  *s;

    clock = ev->data;
    s = clock->session;
    w = s->worker;
    pool = s->pool;
    ref = s->binding;

    for (n = 0; n < NGX_IMS_DIALOG_MAX; n++) {

        if (ngx_ims_dialog_due(pool, &ref, ngx_time(), &d, w->record)
            != NGX_OK)
        {
            break;
        }

        if (d.due && d.due <= (uint32_t) ngx_time()) {
            ngx_log_error(NGX_LOG_INFO, w->log, 0,
                          "session timer of a call of pool \"%V\" expired",
                          &pool->name);
            ngx_ims_clock_over(w, s, pool, &d);

        } else {
            ngx_ims_clock_update(s, &d);
        }

        /* what was sent may have been too much for a slow reader */

        if (ngx_ims_session_find(w, pool, &ref) != s) {
            return;
        }
    }

    ngx_ims_clock_arm(s);
}


/* nobody refreshed it, or the far end knows nothing of it: BYE both ways */

static void
ngx_ims_clock_over(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_dialog_t *d)
{
    ngx_ims_ref_t  ref;

    ref = d->binding;

    ngx_ims_call_bye(w, s, pool, d, 1, s != NULL,
                     "SIP;cause=408;text=\"session expired\"");
    (void) ngx_ims_call_over(w, pool, d);

    if (s != NULL && ngx_ims_session_find(w, pool, &ref) == s) {
        ngx_ims_call_recount(s);
    }
}


/* neither end has a session timer: an UPDATE of ours asks the far end */

static void
ngx_ims_clock_update(ngx_ims_session_t *s, ngx_ims_dialog_t *d)
{
    u_char                    lines[NGX_IMS_CLOCK_LINES];
    uint32_t                  cseq;
    ngx_ims_facts_t           f;
    ngx_ims_worker_t         *w;
    ngx_ims_clock_refresh_t  *re;

    w = s->worker;

    /* again in a while, whatever comes of it; an answer knows better */

    ngx_ims_dialog_session(s->pool, d, d->interval, d->due,
                           ngx_time() + d->interval / 4 + 1);

    re = ngx_alloc(sizeof(ngx_ims_clock_refresh_t), w->log);
    if (re == NULL) {
        return;
    }

    re->worker = w;
    re->pool = s->pool;
    re->binding = s->binding;
    re->dialog = d->ref;
    re->interval = d->interval;

    /* as any request that may change where we are, it says so (RFC 3311) */

    cseq = ngx_ims_dialog_speak(s->pool, d, 1);

    if (cseq == 0
        || ngx_ims_call_facts(w, s, s->pool, &s->binding, s->lease, &f)
           != NGX_OK)
    {
        ngx_free(re);
        return;
    }

    *ngx_sprintf(lines, "Contact: <sip:%V@%V>" CRLF
                 "Supported: timer" CRLF
                 "Session-Expires: %uD;refresher=uac" CRLF,
                 &f.r.token, &f.r.edge, d->interval) = '\0';

    if (ngx_ims_call_own(w, s->pool, d, "UPDATE", cseq, (char *) lines,
                         ngx_ims_clock_response, re)
        != NGX_OK)
    {
        ngx_free(re);
    }
}


static void
ngx_ims_clock_response(void *data, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_clock_answer(data, rc, m);
    ngx_free(data);
}


static void
ngx_ims_clock_answer(ngx_ims_clock_refresh_t *re, ngx_int_t rc,
    ngx_ims_sip_msg_t *m)
{
    ngx_ims_dialog_t    d;
    ngx_ims_worker_t   *w;
    ngx_ims_session_t  *s;

    w = re->worker;

    if (ngx_ims_dialog_load(re->pool, &re->dialog, &d, w->record) != NGX_OK
        || d.events)
    {
        return;
    }

    s = ngx_ims_session_find(w, re->pool, &re->binding);

    if (rc == NGX_BUSY
        || (rc == NGX_OK && (m->status == 408 || m->status == 481)))
    {
        /* the far end is not in this call any more (RFC 3311, RFC 4028 10) */

        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "far end of a call of pool \"%V\" is gone",
                      &re->pool->name);
        ngx_ims_clock_over(w, s, re->pool, &d);
        return;
    }

    if (rc == NGX_OK) {
        ngx_ims_clock_refreshed(re, &d, m);
        ngx_ims_clock_arm(s);
    }
}


static void
ngx_ims_clock_refreshed(ngx_ims_clock_refresh_t *re, ngx_ims_dialog_t *d,
    ngx_ims_sip_msg_t *m)
{
    time_t      now;
    ngx_uint_t  n;

    now = ngx_time();

    if (m->status < 300) {
        n = ngx_ims_clock_seconds(m, NGX_IMS_HDR_SESSION_EXPIRES);
        n = n ? n : re->interval;

        ngx_ims_dialog_session(re->pool, d, n, now + n + 1, now + n / 2);
        return;
    }

    if (m->status == 422) {
        n = ngx_ims_clock_seconds(m, NGX_IMS_HDR_MIN_SE);

        if (n > re->interval) {
            ngx_ims_dialog_session(re->pool, d, n, d->due, now);
            return;
        }
    }

    if (m->status == 491 || m->status >= 500) {
        ngx_ims_dialog_session(re->pool, d, d->interval, d->due,
                               now + NGX_IMS_CLOCK_AGAIN);
        return;
    }

    /* it is there, but will not be asked: the call lasts without a timer */

    ngx_ims_dialog_session(re->pool, d, 0, 0, 0);
}


ngx_uint_t
ngx_ims_clock_brief(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m, u_char *extra)
{
    ngx_uint_t  n, min;

    if (s->policy->session_timer == 0 || !ngx_ims_clock_method(m)
        || !ngx_ims_sip_has_token(m, NGX_IMS_HDR_SUPPORTED, "timer"))
    {
        return 0;
    }

    n = ngx_ims_clock_seconds(m, NGX_IMS_HDR_SESSION_EXPIRES);

    if (n == 0 || n >= (ngx_uint_t) s->policy->session_min) {
        return 0;
    }

    min = ngx_ims_clock_seconds(m, NGX_IMS_HDR_MIN_SE);
    min = ngx_max(min, (ngx_uint_t) s->policy->session_min);

    *ngx_sprintf(extra, "Min-SE: %ui" CRLF, min) = '\0';

    return 1;
}


void
ngx_ims_clock_request(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_route_t *r)
{
    ngx_uint_t         n, min, least;
    ngx_ims_policy_t  *policy;

    if (!ngx_ims_clock_method(m) || fw->session == NULL) {
        return;
    }

    policy = fw->session->policy;

    if (policy->session_timer == 0) {
        return;
    }

    n = ngx_ims_clock_seconds(m, NGX_IMS_HDR_SESSION_EXPIRES);
    min = ngx_ims_clock_seconds(m, NGX_IMS_HDR_MIN_SE);
    least = ngx_max(min, (ngx_uint_t) policy->session_min);

    fw->timer_known = ngx_ims_sip_has_token(m, NGX_IMS_HDR_SUPPORTED, "timer");

    /*
     * Who knows session timers would be told with a 422, which is why a proxy
     * must not touch his Min-SE (RFC 4028 8.1).
     */

    if (!fw->timer_known && min < least) {
        r->min_se = least;
    }

    if (n == 0) {
        n = ngx_max((ngx_uint_t) policy->session_timer, least);
        r->session_expires = n;

    } else if (!fw->timer_known && n < least) {
        n = least;
        r->session_expires = n;
    }

    fw->interval = n;
}


void
ngx_ims_clock_answered(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_route_t *r)
{
    time_t              now, refresh;
    ngx_uint_t          n;
    ngx_ims_dialog_t    d;

    if (m->status >= 300) {
        ngx_ims_clock_refused(fw, m, orig);
        return;
    }

    if (fw->interval == 0 || m->status < 200
        || ngx_ims_dialog_find(fw->pool, &fw->binding, &orig->call_id,
                               fw->up ? &orig->from.tag : &m->to.tag,
                               fw->up ? &m->to.tag : &orig->from.tag, &d,
                               fw->worker->record)
           != NGX_OK)
    {
        return;
    }

    now = ngx_time();
    refresh = 0;

    n = ngx_ims_clock_seconds(m, NGX_IMS_HDR_SESSION_EXPIRES);

    if (n == 0 && fw->timer_known) {

        /* RFC 4028 8.2: who asked refreshes, as the answerer cannot */

        n = fw->interval;
        r->session_expires = n;

    } else if (n == 0
               && (d.refresh
                   || ngx_ims_sip_has_token(fw->up ? m : orig,
                                            NGX_IMS_HDR_ALLOW, "UPDATE")))
    {
        n = fw->interval;
        refresh = now + n / 2;
    }

    /* the second that has begun is not counted */

    ngx_ims_dialog_session(fw->pool, &d, n, n ? now + (time_t) n + 1 : 0,
                           refresh);
    ngx_ims_clock_arm(fw->session);
}


/*
 * A refresh that is refused, for want of UPDATE mostly, still tells that the
 * other end is there: the call is not one that was forgotten.
 */

static void
ngx_ims_clock_refused(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig)
{
    ngx_ims_dialog_t  d;

    if (!fw->in_dialog || fw->interval == 0
        || m->status == 408 || m->status == 481
        || ngx_ims_dialog_match(fw->pool, &fw->binding, orig, fw->up, &d,
                                fw->worker->record)
           != NGX_OK
        || d.due == 0)
    {
        return;
    }

    ngx_ims_dialog_session(fw->pool, &d, d.interval,
                           ngx_time() + d.interval + 1, d.refresh);
    ngx_ims_clock_arm(fw->session);
}


/* the number in Session-Expires or Min-SE; 0: none, or it is not one */

static ngx_uint_t
ngx_ims_clock_seconds(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id)
{
    uint64_t            n;
    ngx_ims_str_t       s;
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr(m, id);

    if (h == NULL) {
        return 0;
    }

    s.data = h->value.data;

    for (s.len = 0; s.len < h->value.len; s.len++) {
        if (ngx_strchr("; \t", s.data[s.len]) != NULL) {
            break;
        }
    }

    return ngx_ims_sip_number(&s, 0x7fffffff, &n) == 0 ? (ngx_uint_t) n : 0;
}


/* requests that refresh a session */

static ngx_uint_t
ngx_ims_clock_method(ngx_ims_sip_msg_t *m)
{
    return m->method == NGX_IMS_SIP_INVITE || m->method == NGX_IMS_SIP_UPDATE;
}
