/*
 * Copyright (C) the IMS portal authors
 *
 * A subscription is a dialog between the portal and the core, named by its
 * Call-ID: the token of the binding and a random number.  It is its worker's
 * own: another worker that gets the browser begins another one, and what comes
 * for this one then is answered with 481.
 *
 * Timers: the refresh, half of a short life or 600 s before the end; a pause
 * before a subscription that the core ended is made anew.
 */


#include "ngx_ims_regevent_int.h"


static ngx_int_t ngx_ims_regevent_send(ngx_ims_regevent_t *sub,
    ngx_str_t *credentials);
static void ngx_ims_regevent_response(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_regevent_answer(ngx_ims_regevent_t *sub,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_regevent_dialog(ngx_ims_regevent_t *sub,
    ngx_ims_sip_msg_t *m);
static u_char *ngx_ims_regevent_routes(ngx_ims_sip_msg_t *m, u_char *p,
    u_char *last);
static ngx_int_t ngx_ims_regevent_challenged(ngx_ims_regevent_t *sub,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_regevent_timer(ngx_event_t *ev);
static void ngx_ims_regevent_drop(ngx_ims_regevent_t *sub);
static void ngx_ims_regevent_free(ngx_ims_regevent_t *sub);


ngx_ims_regevent_pt  ngx_ims_regevent_handler;


void
ngx_ims_regevent_init(ngx_ims_regevent_pt handler)
{
    ngx_ims_regevent_handler = handler;
}


void
ngx_ims_regevent_start(ngx_ims_session_t *s)
{
    ngx_ims_regevent_t   *sub;
    ngx_ims_uac_state_t  *state;

    /* a pool's own registration is not a browser's */

    if (!s->pool->core->reg_event || s->pool->block.impu.len) {
        return;
    }

    state = ngx_ims_uac_state(s);

    if (state == NULL || state->subscription != NULL) {
        return;
    }

    sub = ngx_calloc(sizeof(ngx_ims_regevent_t), s->connection->log);
    if (sub == NULL) {
        return;
    }

    sub->worker = s->worker;
    sub->pool = s->pool;
    sub->binding = s->binding;
    sub->lease = s->lease;
    sub->session = s;

    sub->timer.handler = ngx_ims_regevent_timer;
    sub->timer.data = sub;
    sub->timer.log = s->worker->log;
    sub->timer.cancelable = 1;

    ngx_ims_regevent_reset(sub);

    state->subscription = sub;

    if (ngx_ims_regevent_send(sub, NULL) != NGX_OK) {
        ngx_ims_regevent_drop(sub);
        ngx_ims_regevent_free(sub);
    }
}


void
ngx_ims_regevent_renew(ngx_ims_session_t *s)
{
    ngx_ims_regevent_t   *sub;
    ngx_ims_uac_state_t  *state;

    state = s->registration;
    sub = state ? state->subscription : NULL;

    if (sub != NULL && sub->text != NULL && !sub->pending) {
        ngx_add_timer(&sub->timer, 1);
    }
}


void
ngx_ims_regevent_end(ngx_ims_session_t *s)
{
    ngx_ims_regevent_t   *sub;
    ngx_ims_uac_state_t  *state;

    state = s->registration;

    if (state == NULL || state->subscription == NULL) {
        return;
    }

    sub = state->subscription;
    state->subscription = NULL;
    sub->session = NULL;

    if (sub->timer.timer_set) {
        ngx_del_timer(&sub->timer);
    }

    /* one that is under way is taken back when its answer has come */

    if (sub->text != NULL && !sub->pending) {
        sub->ending = 1;
        (void) ngx_ims_regevent_send(sub, NULL);
    }

    ngx_ims_regevent_free(sub);
}


/* a new dialog */

void
ngx_ims_regevent_reset(ngx_ims_regevent_t *sub)
{
    if (sub->text != NULL) {
        ngx_free(sub->text);
        sub->text = NULL;
    }

    ngx_str_null(&sub->tag);
    ngx_str_null(&sub->target);
    ngx_str_null(&sub->routes);

    ngx_ims_call_tag(sub->worker, sub->id);

    sub->cseq = 0;
    sub->versioned = 0;
    sub->answered = 0;
}


/* within the dialog when there is one; takes it back without a session */

static ngx_int_t
ngx_ims_regevent_send(ngx_ims_regevent_t *sub, ngx_str_t *credentials)
{
    u_char             *p, *last;
    ngx_str_t           routes, target;
    ngx_ims_txn_t      *t;
    ngx_ims_flow_t      flow;
    ngx_ims_facts_t     f;
    ngx_ims_worker_t   *w;
    ngx_ims_binding_t   b;

    w = sub->worker;

    if (ngx_ims_binding_load(sub->pool, &sub->binding, &b, w->record)
        != NGX_OK
        || ngx_ims_call_facts(w, NULL, sub->pool, &sub->binding, sub->lease,
                              &f)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    routes = sub->text ? sub->routes : b.service_route;
    target = sub->text ? sub->target : f.r.impu;

    if (ngx_ims_call_next_hop(sub->pool, &routes, &target, &flow) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_ims_call_via(sub->pool, &flow, &f);

    last = w->out + w->out_size;

    p = ngx_slprintf(w->out, last,
                     "SUBSCRIBE %V SIP/2.0" CRLF
                     "Via: SIP/2.0/%V %V;branch=%V;rport" CRLF
                     "Max-Forwards: 70" CRLF,
                     &target, &f.r.transport, &f.r.via, &f.r.branch);

    if (routes.len) {
        p = ngx_slprintf(p, last, "Route: %V" CRLF, &routes);
    }

    p = ngx_slprintf(p, last,
                     "P-Asserted-Identity: <%V>" CRLF
                     "P-Charging-Vector: icid-value=\"%V\"" CRLF
                     "From: <%V>;tag=%*s" CRLF
                     "To: <%V>%s%V" CRLF
                     "Call-ID: %V-s%*s" CRLF
                     "CSeq: %uD SUBSCRIBE" CRLF
                     "Contact: <sip:%V@%V>" CRLF
                     "Event: reg" CRLF
                     "Accept: application/reginfo+xml" CRLF
                     "Expires: %d" CRLF,
                     &f.r.impu, &f.r.icid,
                     &f.r.impu, (size_t) NGX_IMS_REGEVENT_ID, sub->id,
                     &f.r.impu, sub->tag.len ? ";tag=" : "", &sub->tag,
                     &f.r.token, (size_t) NGX_IMS_REGEVENT_ID, sub->id,
                     ++sub->cseq,
                     &f.r.token, &f.r.edge,
                     sub->session ? NGX_IMS_REGEVENT_EXPIRES : 0);

    if (credentials != NULL) {
        p = ngx_slprintf(p, last, "%V", credentials);
    }

    p = ngx_slprintf(p, last, "Content-Length: 0" CRLF CRLF);

    t = ngx_ims_txn_client(w->txns, &flow, NGX_IMS_SIP_SUBSCRIBE, f.branch,
                           w->out, p - w->out, ngx_ims_regevent_response,
                           sub);
    if (t == NULL) {
        return NGX_ERROR;
    }

    sub->refs++;
    sub->pending = 1;

    return NGX_OK;
}


static void
ngx_ims_regevent_response(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m)
{
    ngx_ims_regevent_t  *sub;

    sub = t->data;

    switch (rc) {

    case NGX_OK:

        if (m->status >= 200) {
            sub->pending = 0;
            ngx_ims_regevent_answer(sub, m);
        }

        return;

    case NGX_DONE:
        sub->refs--;

        /* the browser left before the core had answered */

        if (sub->session == NULL && !sub->ending && !sub->pending
            && sub->text != NULL)
        {
            sub->ending = 1;
            (void) ngx_ims_regevent_send(sub, NULL);
        }

        ngx_ims_regevent_free(sub);
        return;

    default:
        sub->pending = 0;
        ngx_log_error(NGX_LOG_ERR, sub->worker->log,
                      rc == NGX_BUSY ? NGX_ETIMEDOUT : 0,
                      "core \"%V\" did not answer SUBSCRIBE",
                      &sub->pool->core->name);
        ngx_ims_regevent_drop(sub);
    }
}


static void
ngx_ims_regevent_answer(ngx_ims_regevent_t *sub, ngx_ims_sip_msg_t *m)
{
    time_t  expires;

    if (m->status < 300) {
        sub->answered = 0;

        if (sub->ending) {
            return;
        }

        if (sub->text == NULL && ngx_ims_regevent_dialog(sub, m) != NGX_OK) {
            ngx_ims_regevent_drop(sub);
            return;
        }

        if (sub->session != NULL) {
            expires = m->expires > 0 ? m->expires : NGX_IMS_REGEVENT_EXPIRES;
            expires = expires < 1200 ? expires / 2 : expires - 600;
            expires = ngx_max(expires, 1);
            ngx_add_timer(&sub->timer, (ngx_msec_t) expires * 1000);
        }

        return;
    }

    if ((m->status == 401 || m->status == 407)
        && ngx_ims_regevent_challenged(sub, m) == NGX_OK)
    {
        return;
    }

    if (sub->session == NULL) {
        return;
    }

    if (m->status == 481 && sub->text != NULL) {

        /* the core has forgotten it, not the user */

        ngx_ims_regevent_reset(sub);
        ngx_add_timer(&sub->timer, NGX_IMS_REGEVENT_PAUSE);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, sub->worker->log, 0,
                  "core \"%V\" answered SUBSCRIBE with %ui \"%V\"",
                  &sub->pool->core->name, (ngx_uint_t) m->status, &m->reason);

    ngx_ims_regevent_drop(sub);
}


/* what the 200 says of the dialog (RFC 3261 12.1.2) */

static ngx_int_t
ngx_ims_regevent_dialog(ngx_ims_regevent_t *sub, ngx_ims_sip_msg_t *m)
{
    u_char              *p, *last;
    ngx_ims_str_t        value;
    ngx_ims_sip_addr_t   addr;
    ngx_ims_sip_iter_t   it;

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    if (m->to.tag.len == 0
        || !ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)
        || ngx_ims_sip_parse_addr(&value, &addr) != NGX_IMS_OK
        || m->to.tag.len + addr.uri.len > NGX_IMS_MAX_BLOB)
    {
        ngx_log_error(NGX_LOG_ERR, sub->worker->log, 0,
                      "core \"%V\" accepted SUBSCRIBE without a dialog",
                      &sub->pool->core->name);
        return NGX_ERROR;
    }

    p = sub->worker->record;
    last = p + 2 * NGX_IMS_MAX_BLOB;

    p = ngx_cpymem(p, m->to.tag.data, m->to.tag.len);
    p = ngx_cpymem(p, addr.uri.data, addr.uri.len);
    p = ngx_ims_regevent_routes(m, p, last);

    sub->text = ngx_alloc(p - sub->worker->record, sub->worker->log);
    if (sub->text == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(sub->text, sub->worker->record, p - sub->worker->record);

    sub->tag.data = sub->text;
    sub->tag.len = m->to.tag.len;
    sub->target.data = sub->tag.data + sub->tag.len;
    sub->target.len = addr.uri.len;
    sub->routes.data = sub->target.data + sub->target.len;
    sub->routes.len = p - sub->worker->record - sub->tag.len
                      - sub->target.len;

    return NGX_OK;
}


/* Record-Route, the last one first */

static u_char *
ngx_ims_regevent_routes(ngx_ims_sip_msg_t *m, u_char *p, u_char *last)
{
    size_t              len;
    u_char             *start;
    ngx_ims_str_t       value;
    ngx_ims_sip_iter_t  it;

    start = p;
    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    while (ngx_ims_sip_next(m, NGX_IMS_HDR_RECORD_ROUTE, &it, &value)) {
        len = value.len + (p > start ? 2 : 0);

        if ((size_t) (last - p) < len) {
            break;
        }

        ngx_memmove(start + len, start, p - start);
        ngx_memcpy(start, value.data, value.len);

        if (p > start) {
            start[value.len] = ',';
            start[value.len + 1] = ' ';
        }

        p += len;
    }

    return p;
}


static ngx_int_t
ngx_ims_regevent_challenged(ngx_ims_regevent_t *sub, ngx_ims_sip_msg_t *m)
{
    size_t                     len;
    u_char                     line[NGX_IMS_DIGEST_LINE];
    u_char                     impi[NGX_IMS_MAX_IMPU], impu[NGX_IMS_MAX_IMPU];
    ngx_str_t                  credentials;
    ngx_ims_core_t            *core;
    ngx_ims_digest_t           digest;
    ngx_ims_secret_t           secret;
    ngx_ims_digest_request_t   r;

    core = sub->pool->core;

    ngx_str_set(&r.method, "SUBSCRIBE");
    ngx_str_null(&r.cnonce);

    r.impi.data = impi;
    r.impi.len = ngx_ims_pool_impi(sub->pool, sub->lease, impi);

    if (sub->text != NULL) {
        r.uri = sub->target;

    } else {
        r.uri.data = impu;
        r.uri.len = ngx_ims_pool_impu(sub->pool, sub->lease, impu);
    }

    if (sub->answered
        || ngx_ims_secret_find(core->secrets, &r.impi, &secret) != NGX_OK
        || ngx_ims_digest_answer(&digest, m, &secret, &core->realm, &r, line,
                                 sizeof(line), &len)
           != NGX_IMS_DIGEST_OK)
    {
        return NGX_DECLINED;
    }

    sub->answered = 1;

    credentials.data = line;
    credentials.len = len;

    return ngx_ims_regevent_send(sub, &credentials);
}


static void
ngx_ims_regevent_timer(ngx_event_t *ev)
{
    ngx_ims_regevent_t  *sub;

    sub = ev->data;

    if (ngx_ims_regevent_send(sub, NULL) != NGX_OK) {
        ngx_ims_regevent_drop(sub);
        ngx_ims_regevent_free(sub);
    }
}


/*
 * There is no subscription any more; the next refresh of the registration tries
 * for another.  Its transactions may be alive: the last of them frees it.
 */

static void
ngx_ims_regevent_drop(ngx_ims_regevent_t *sub)
{
    ngx_ims_uac_state_t  *state;

    if (sub->timer.timer_set) {
        ngx_del_timer(&sub->timer);
    }

    if (sub->text != NULL) {
        ngx_free(sub->text);
        sub->text = NULL;
    }

    if (sub->session != NULL) {
        state = sub->session->registration;
        state->subscription = NULL;
        sub->session = NULL;
    }
}


static void
ngx_ims_regevent_free(ngx_ims_regevent_t *sub)
{
    if (sub->session != NULL || sub->refs) {
        return;
    }

    if (sub->text != NULL) {
        ngx_free(sub->text);
    }

    ngx_free(sub);
}
