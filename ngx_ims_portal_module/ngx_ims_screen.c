/*
 * Copyright (C) the IMS portal authors
 *
 * The limits of a user are in the record of his lease: they hold over
 * reconnects, for all his browsers and in all workers.  A rate is a bucket that
 * fills within an hour; the record says when it is full.
 *
 * No timers.
 */


#include "ngx_ims_screen.h"


#define NGX_IMS_SCREEN_HOUR  3600000          /* ms */

/* ms that the time of a worker, as it was when it woke, may be behind others */
#define NGX_IMS_SCREEN_SKEW  1000

#define NGX_IMS_SCREEN_TOKEN  "not allowed by your token"

#define NGX_IMS_SCREEN_BODY                                                   \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>" CRLF                         \
    "<ims-3gpp version=\"1\"><alternative-service>"                           \
    "<type>emergency</type>"                                                  \
    "<reason>Emergency calls are not possible here, use a telephone</reason>" \
    "</alternative-service></ims-3gpp>" CRLF


static ngx_int_t ngx_ims_screen_sos(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_screen_t *screen);
static ngx_int_t ngx_ims_screen_method(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_screen_number(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_str_t *uri, ngx_ims_dial_t *d);
static ngx_int_t ngx_ims_screen_refer(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_dial_t *d);
static ngx_int_t ngx_ims_screen_limits(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_uint_t call, ngx_uint_t premium);
static ngx_uint_t ngx_ims_screen_cap(ngx_uint_t pool, uint32_t grant,
    ngx_uint_t *none);
static ngx_int_t ngx_ims_screen_take(ngx_ims_session_t *s,
    ngx_uint_t dialogs, ngx_uint_t calls, ngx_uint_t rate, ngx_uint_t dear,
    ngx_uint_t *n);
static ngx_uint_t ngx_ims_screen_count(ngx_ims_zone_t *zone,
    ngx_ims_lease_sh_t *lease);
static ngx_uint_t ngx_ims_screen_wait(uint64_t *full, ngx_uint_t n,
    uint64_t now);
static void ngx_ims_screen_refuse(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t status, const char *why, ngx_uint_t retry);


ngx_uint_t
ngx_ims_screen_emergency(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_ims_dial_t  d;

    return m->to.tag.len == 0
           && ngx_ims_dial_emergency(&s->pool->core->dial, &m->uri, &d);
}


ngx_int_t
ngx_ims_screen_up(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_screen_t *screen)
{
    ngx_int_t        rc;
    ngx_uint_t       call, premium;
    ngx_ims_dial_t   to;

    screen->emergency = 0;
    screen->dial.uri.len = 0;
    screen->dial.premium = 0;

    if (m->to.tag.len == 0
        && ngx_ims_dial_emergency(&s->pool->core->dial, &m->uri,
                                  &screen->dial))
    {
        return ngx_ims_screen_sos(s, m, screen);
    }

    if (!s->bound) {
        return NGX_OK;
    }

    if (ngx_ims_screen_method(s, m) != NGX_OK) {
        return NGX_DECLINED;
    }

    call = 0;
    premium = 0;

    if (m->to.tag.len == 0) {

        if (!s->registered
            || (s->expired && m->method == NGX_IMS_SIP_INVITE))
        {
            return NGX_OK;
        }

        rc = ngx_ims_screen_number(s, m, &m->uri, &screen->dial);

        if (rc != NGX_OK) {
            return rc;
        }

        call = (m->method == NGX_IMS_SIP_INVITE);
        premium = screen->dial.premium
                  && (call || m->method == NGX_IMS_SIP_MESSAGE);
    }

    if (m->method == NGX_IMS_SIP_REFER) {
        to.premium = 0;
        rc = ngx_ims_screen_refer(s, m, &to);

        if (rc != NGX_OK) {
            return rc;
        }

        premium |= to.premium;
    }

    return ngx_ims_screen_limits(s, m, call, premium);
}


ngx_int_t
ngx_ims_screen_route(ngx_ims_pool_t *pool, ngx_ims_route_t *r,
    ngx_ims_flow_t *flow)
{
    ngx_ims_core_sos_t  *sos;

    sos = &pool->core->sos;

    r->routes = sos->route;
    r->no_location = sos->no_location;
    r->location = sos->location;

    return ngx_ims_core_flow(pool->core, sos->transport, sos->addr.sockaddr,
                             sos->addr.socklen, flow);
}


/*
 * An emergency request: without a route, or from a browser whose identity is
 * not known, the user is told to take a telephone (TS 24.229 5.2.10, 7.6).
 */

static ngx_int_t
ngx_ims_screen_sos(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_screen_t *screen)
{
    u_char               extra[NGX_IMS_SCREEN_EXTRA];
    ngx_ims_str_t       *body;
    ngx_ims_core_sos_t  *sos;

    sos = &s->pool->core->sos;

    if (sos->route.len && s->bound && !s->grant->no_emergency) {
        ngx_log_error(NGX_LOG_NOTICE, s->connection->log, 0,
                      "emergency request of \"%V\" to \"%V\" is sent to %V",
                      &s->user, &screen->dial.uri, &sos->addr.name);

        screen->emergency = 1;

        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_NOTICE, s->connection->log, 0,
                  "emergency request of \"%V\" to \"%V\" is refused",
                  &s->user, &screen->dial.uri);

    body = ngx_ims_screen_alternative(&screen->dial.uri, extra);

    ngx_ims_call_refuse_body(s->worker, &s->flow, m, 380, (char *) extra,
                             body);

    return NGX_DECLINED;
}


ngx_ims_str_t *
ngx_ims_screen_alternative(ngx_ims_str_t *urn, u_char *extra)
{
    static ngx_ims_str_t  body = ngx_string(NGX_IMS_SCREEN_BODY);

    *ngx_snprintf(extra, NGX_IMS_SCREEN_EXTRA - 1,
                  "Contact: <%V>" CRLF
                  "Warning: 399 portal \"no emergency calls here, "
                  "use a telephone\"" CRLF
                  "Content-Type: application/3gpp-ims+xml" CRLF, urn) = '\0';

    return &body;
}


static ngx_int_t
ngx_ims_screen_number(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *uri, ngx_ims_dial_t *d)
{
    u_char              impu[NGX_IMS_MAX_IMPU];
    ngx_uint_t          status;
    ngx_ims_str_t       own;
    ngx_ims_sip_uri_t   u;

    ngx_memzero(&u, sizeof(ngx_ims_sip_uri_t));

    own.data = impu;
    own.len = ngx_ims_pool_impu(s->pool, s->lease, impu);

    if (ngx_ims_sip_parse_uri(&own, &u) != NGX_IMS_OK) {
        u.host.len = 0;
    }

    switch (ngx_ims_dial(&s->pool->core->dial, uri, &u.host, d)) {

    case NGX_IMS_DIAL_BARRED:
        status = 403;
        break;

    case NGX_IMS_DIAL_SHORT:
        status = 484;
        break;

    case NGX_IMS_DIAL_UNKNOWN:
        status = 404;
        break;

    default:
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "request of \"%V\" to \"%V\" is refused: %s", &s->user, uri,
                  d->why);

    ngx_ims_screen_refuse(s, m, status, d->why, 0);

    return NGX_DECLINED;
}


/*
 * What a token does not allow to begin; a REFER begins a call wherever it is
 * sent.  What belongs to a dialog, and its end, is as the dialog.
 */

static ngx_int_t
ngx_ims_screen_method(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    switch (m->method) {

    case NGX_IMS_SIP_ACK:
    case NGX_IMS_SIP_BYE:
    case NGX_IMS_SIP_CANCEL:
    case NGX_IMS_SIP_PRACK:
    case NGX_IMS_SIP_UPDATE:
    case NGX_IMS_SIP_REGISTER:
        return NGX_OK;

    default:
        break;
    }

    if ((m->to.tag.len && m->method != NGX_IMS_SIP_REFER)
        || s->grant->methods & (1u << m->method))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "the token of \"%V\" does not allow %V", &s->user,
                  &m->method_name);

    ngx_ims_screen_refuse(s, m, 403, NGX_IMS_SCREEN_TOKEN, 0);

    return NGX_DECLINED;
}


ngx_int_t
ngx_ims_screen_down(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    const char  *why;

    if (m->to.tag.len) {
        return NGX_OK;
    }

    why = NULL;

    if (s->registered && !s->expired) {

        if (!s->grant->guest || m->method == NGX_IMS_SIP_NOTIFY
            || m->method == NGX_IMS_SIP_OPTIONS)
        {
            return NGX_OK;
        }

        why = "Warning: 399 portal \"a guest is not called\"" CRLF;
    }

    ngx_ims_call_refuse(s->worker, flow, m, 480, why);

    return NGX_DECLINED;
}


/* whom the other side is asked to call: the transfer may be on our bill */

static ngx_int_t
ngx_ims_screen_refer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_dial_t *d)
{
    ngx_ims_sip_hdr_t   *h;
    ngx_ims_sip_addr_t   addr;

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_REFER_TO);

    if (h == NULL || ngx_ims_sip_parse_addr(&h->value, &addr) != NGX_IMS_OK) {
        return NGX_OK;
    }

    if (ngx_ims_dial_emergency(&s->pool->core->dial, &addr.uri, d)) {
        ngx_ims_screen_refuse(s, m, 403, "no transfer to an emergency number",
                              0);
        return NGX_DECLINED;
    }

    return ngx_ims_screen_number(s, m, &addr.uri, d);
}


static ngx_int_t
ngx_ims_screen_limits(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t call, ngx_uint_t premium)
{
    ngx_uint_t       n, begins, calls, rate, dear, none;
    ngx_ims_pool_t  *pool;

    pool = s->pool;

    none = 0;
    calls = call ? ngx_ims_screen_cap(pool->calls, s->grant->calls, &none) : 0;
    rate = call ? ngx_ims_screen_cap(pool->calls_per_hour,
                                     s->grant->calls_per_hour, &none) : 0;
    dear = premium ? ngx_ims_screen_cap(pool->premium_per_hour,
                                        s->grant->premium_per_hour, &none)
                   : 0;

    if (none) {
        ngx_ims_screen_refuse(s, m, 403, NGX_IMS_SCREEN_TOKEN, 0);
        return NGX_DECLINED;
    }

    begins = call || (m->method == NGX_IMS_SIP_SUBSCRIBE
                      && m->to.tag.len == 0);

    switch (ngx_ims_screen_take(s, begins ? pool->dialogs : 0,
                                calls, rate, dear, &n))
    {

    case NGX_AGAIN:
        ngx_ims_session_limited(s, NGX_IMS_LIMITED_DIALOGS);
        ngx_ims_screen_refuse(s, m, 403, "too many dialogs", 0);
        return NGX_DECLINED;

    case NGX_ABORT:
        if (ngx_ims_limit_due(s->worker->limit, s->row, NGX_IMS_SAID_CALLS)) {
            ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                          "user \"%V\" of pool \"%V\" has %ui calls already",
                          &s->user, &pool->name, n);
        }

        ngx_ims_screen_refuse(s, m, 403, "too many calls at once", 0);
        return NGX_DECLINED;

    case NGX_BUSY:
        if (ngx_ims_limit_due(s->worker->limit, s->row, NGX_IMS_SAID_HOUR)) {
            ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                          "user \"%V\" of pool \"%V\" makes more than %ui "
                          "calls in an hour", &s->user, &pool->name, rate);
        }

        ngx_ims_screen_refuse(s, m, 480, "too many calls in an hour", n);
        return NGX_DECLINED;

    case NGX_DECLINED:
        if (ngx_ims_limit_due(s->worker->limit, s->row, NGX_IMS_SAID_PREMIUM)) {
            ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                          "user \"%V\" of pool \"%V\" makes more than %ui "
                          "premium calls in an hour", &s->user, &pool->name,
                          dear);
        }

        ngx_ims_screen_refuse(s, m, 480, "too many premium calls in an hour",
                              n);
        return NGX_DECLINED;

    default:
        return NGX_OK;
    }
}


/* the lower one, 0: there is none; *none is set when that allows nothing */

static ngx_uint_t
ngx_ims_screen_cap(ngx_uint_t pool, uint32_t grant, ngx_uint_t *none)
{
    grant = ngx_ims_grant_cap(pool, grant);

    if (grant == 0) {
        *none = 1;
    }

    return grant == NGX_IMS_GRANT_ANY ? 0 : grant;
}


/*
 * Counts a request against the limits given, 0: none of that kind; either
 * against all of them or none.  NGX_OK, or NGX_AGAIN: too many dialogs;
 * NGX_ABORT: *n calls are there
 * already; NGX_BUSY, NGX_DECLINED: *n seconds until the next call, the next
 * premium one.
 */

static ngx_int_t
ngx_ims_screen_take(ngx_ims_session_t *s, ngx_uint_t dialogs,
    ngx_uint_t calls, ngx_uint_t rate, ngx_uint_t dear, ngx_uint_t *n)
{
    uint64_t               now;
    ngx_int_t              rc;
    ngx_ims_zone_t        *zone;
    ngx_ims_lease_sh_t    *lease;
    ngx_ims_binding_sh_t  *binding;

    if (dialogs == 0 && calls == 0 && rate == 0 && dear == 0) {
        return NGX_OK;
    }

    zone = &s->pool->zone;
    now = ngx_current_msec;
    rc = NGX_OK;

    ngx_ims_zone_lock(zone);

    lease = &zone->leases[s->lease];
    binding = &zone->bindings[s->binding.index];

    if (dialogs && ngx_ims_screen_dialogs(zone, lease) >= dialogs) {
        rc = NGX_AGAIN;

    } else if (calls && (*n = ngx_ims_screen_count(zone, lease)) >= calls) {
        rc = NGX_ABORT;

    } else if (rate && (*n = ngx_ims_screen_wait(&lease->calls, rate, now))) {
        rc = NGX_BUSY;

    } else if (dear && (*n = ngx_ims_screen_wait(&lease->premium, dear, now)))
    {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        lease->calls += rate ? NGX_IMS_SCREEN_HOUR / rate : 0;
        lease->premium += dear ? NGX_IMS_SCREEN_HOUR / dear : 0;

        if (calls && binding->seq == s->binding.seq) {
            binding->calling++;
        }
    }

    ngx_ims_zone_unlock(zone);

    return rc;
}


/* calls of a user that ring or are up, from any of his browsers; locked */

static ngx_uint_t
ngx_ims_screen_count(ngx_ims_zone_t *zone, ngx_ims_lease_sh_t *lease)
{
    uint32_t               i, k;
    ngx_uint_t             n;
    ngx_ims_dialog_sh_t   *dialog;
    ngx_ims_binding_sh_t  *binding;

    n = 0;

    for (i = lease->bindings; i != NGX_IMS_NONE; i = binding->next) {
        binding = &zone->bindings[i];

        n += binding->calling;

        for (k = binding->dialogs; k != NGX_IMS_NONE; k = dialog->sibling) {
            dialog = &zone->dialogs[k];

            n += (dialog->state == NGX_IMS_DIALOG_CONFIRMED
                  && dialog->originated && !dialog->events);
        }
    }

    return n;
}


/* 0: there is a call in the bucket of n, else the seconds until there is one */

static ngx_uint_t
ngx_ims_screen_wait(uint64_t *full, ngx_uint_t n, uint64_t now)
{
    uint64_t  after;

    /* full, or of a clock that has begun anew */

    if (*full < now
        || *full - now > NGX_IMS_SCREEN_HOUR + NGX_IMS_SCREEN_SKEW)
    {
        *full = now;
    }

    after = *full - now + NGX_IMS_SCREEN_HOUR / n;

    if (after <= NGX_IMS_SCREEN_HOUR) {
        return 0;
    }

    return (after - NGX_IMS_SCREEN_HOUR + 999) / 1000;
}


static void
ngx_ims_screen_refuse(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t status, const char *why, ngx_uint_t retry)
{
    u_char  *p, *last, extra[256];

    last = extra + sizeof(extra) - 1;

    p = ngx_slprintf(extra, last, "Warning: 399 portal \"%s\"" CRLF, why);

    if (retry) {
        p = ngx_slprintf(p, last, "Retry-After: %ui" CRLF, retry);
    }

    *p = '\0';

    (void) ngx_atomic_fetch_add(&s->pool->zone.sh->counters.refused, 1);

    ngx_ims_call_refuse(s->worker, &s->flow, m, status, (char *) extra);
}
