/*
 * Copyright (C) the IMS portal authors
 *
 * What a flood of requests meets: the rates of its user, which hold for all his
 * browsers in all workers, and the room for requests under way.  Over a limit a
 * request is answered with 480, not 503: the client is not to look for another
 * server (RFC 3261 21.5.4), but to wait.
 *
 * No timers.
 */


#include "ngx_ims_screen.h"


#define NGX_IMS_SCREEN_PATIENCE  200          /* refusals, then it is closed */
#define NGX_IMS_SCREEN_SAY       60           /* s */


static void ngx_ims_screen_wait_for(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_uint_t what, ngx_msec_t wait);
static ngx_uint_t ngx_ims_screen_core(ngx_ims_session_t *s);


ngx_int_t
ngx_ims_screen_rate(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_uint_t        what;
    ngx_msec_t        wait;
    ngx_ims_rate_t   *rates;
    ngx_ims_limit_t  *limit;

    /* how many answers come is up to who asks, and frames have a limit */

    if (m != NULL && m->status) {
        return NGX_OK;
    }

    limit = s->worker->limit;
    rates = s->policy->limits.user;

    what = NGX_IMS_LIMITED_MESSAGES;
    wait = ngx_ims_limit_user(limit, s->row, NGX_IMS_RATE_MESSAGES,
                              &rates[NGX_IMS_RATE_MESSAGES]);

    if (wait == 0 && m != NULL && m->method == NGX_IMS_SIP_INVITE
        && m->to.tag.len == 0)
    {
        what = NGX_IMS_LIMITED_INVITES;
        wait = ngx_ims_limit_user(limit, s->row, NGX_IMS_RATE_INVITES,
                                  &rates[NGX_IMS_RATE_INVITES]);
    }

    if (wait == 0) {
        s->over -= (s->over != 0);
        return NGX_OK;
    }

    if (m != NULL && ngx_ims_screen_emergency(s, m)) {
        return NGX_OK;
    }

    if (++s->over > NGX_IMS_SCREEN_PATIENCE) {
        ngx_ims_session_flooded(s, NGX_IMS_LIMITED_FLOODS);
        return NGX_ERROR;
    }

    if (m == NULL || ngx_ims_screen_kept(s, m)) {
        return NGX_OK;
    }

    ngx_ims_screen_wait_for(s, m, what, wait);

    return NGX_DECLINED;
}


ngx_uint_t
ngx_ims_screen_kept(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    return m->status
           || m->method == NGX_IMS_SIP_ACK
           || m->method == NGX_IMS_SIP_BYE
           || m->method == NGX_IMS_SIP_CANCEL
           || m->method == NGX_IMS_SIP_PRACK
           || ngx_ims_screen_emergency(s, m);
}


static void
ngx_ims_screen_wait_for(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t what, ngx_msec_t wait)
{
    u_char  extra[256];

    *ngx_snprintf(extra, sizeof(extra) - 1,
                  "Warning: 399 portal \"%s\"" CRLF "Retry-After: %M" CRLF,
                  ngx_ims_limit_words(what), (wait + 999) / 1000) = '\0';

    ngx_ims_session_limited(s, what);
    ngx_ims_call_refuse(s->worker, &s->flow, m, 480, (char *) extra);
}


ngx_int_t
ngx_ims_screen_room(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t up)
{
    ngx_uint_t       n;
    ngx_ims_zone_t  *zone;

    if (m->method == NGX_IMS_SIP_BYE || m->method == NGX_IMS_SIP_PRACK
        || (up && ngx_ims_screen_emergency(s, m)))
    {
        return NGX_OK;
    }

    if (s->npending >= s->policy->limits.requests) {
        ngx_ims_session_limited(s, NGX_IMS_LIMITED_REQUESTS);
        ngx_ims_call_refuse(s->worker, flow, m, 503, "Retry-After: 5" CRLF);
        return NGX_DECLINED;
    }

    if (m->to.tag.len) {
        return NGX_OK;
    }

    if (up) {

        if (!ngx_ims_screen_core(s)) {
            return NGX_OK;
        }

        ngx_ims_call_refuse(s->worker, flow, m, 503, "Retry-After: 5" CRLF
                            "Warning: 399 portal \"the core is busy\"" CRLF);
        return NGX_DECLINED;
    }

    if (m->method != NGX_IMS_SIP_INVITE || s->pool->dialogs == 0) {
        return NGX_OK;
    }

    zone = &s->pool->zone;

    ngx_ims_zone_lock(zone);
    n = ngx_ims_screen_dialogs(zone, &zone->leases[s->lease]);
    ngx_ims_zone_unlock(zone);

    if (n < s->pool->dialogs) {
        return NGX_OK;
    }

    ngx_ims_session_limited(s, NGX_IMS_LIMITED_DIALOGS);
    ngx_ims_call_refuse(s->worker, flow, m, 486,
                        "Warning: 399 portal \"too many dialogs\"" CRLF);

    return NGX_DECLINED;
}


ngx_int_t
ngx_ims_screen_register(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_msec_t       wait;
    ngx_ims_rate_t  *rate;

    if (ngx_ims_screen_core(s)) {
        ngx_ims_call_refuse(s->worker, &s->flow, m, 503, "Retry-After: 5" CRLF
                            "Warning: 399 portal \"the core is busy\"" CRLF);
        return NGX_DECLINED;
    }

    rate = &s->policy->limits.user[NGX_IMS_RATE_REGISTERS];

    wait = ngx_ims_limit_user(s->worker->limit, s->row,
                              NGX_IMS_RATE_REGISTERS, rate);

    if (wait == 0) {
        return NGX_OK;
    }

    ngx_ims_screen_wait_for(s, m, NGX_IMS_LIMITED_REGISTERS, wait);

    return NGX_DECLINED;
}


/* 1: as many requests of this worker as may be are at the core */

static ngx_uint_t
ngx_ims_screen_core(ngx_ims_session_t *s)
{
    time_t           now;
    ngx_ims_core_t  *core;

    core = s->pool->core;

    if (core->max_requests == 0 || core->requests < core->max_requests) {
        return 0;
    }

    now = ngx_time();

    ngx_ims_limit_count(s->worker->limit, NGX_IMS_LIMITED_CORE_REQUESTS);

    if (core->requests_time == 0
        || now - core->requests_time >= NGX_IMS_SCREEN_SAY)
    {
        core->requests_time = now;
        ngx_log_error(NGX_LOG_WARN, s->worker->log, 0,
                      "core \"%V\" has %ui requests under way already",
                      &core->name, core->requests);
    }

    return 1;
}


ngx_uint_t
ngx_ims_screen_dialogs(ngx_ims_zone_t *zone, ngx_ims_lease_sh_t *lease)
{
    uint32_t    i;
    ngx_uint_t  n;

    n = 0;

    for (i = lease->bindings; i != NGX_IMS_NONE; i = zone->bindings[i].next) {
        n += zone->bindings[i].ndialogs;
    }

    return n;
}
