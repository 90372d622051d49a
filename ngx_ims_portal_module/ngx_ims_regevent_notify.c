/*
 * Copyright (C) the IMS portal authors
 *
 * NOTIFYs for the portal's own subscriptions: what they say of the registration
 * and of the subscription itself.
 *
 * Timers: of the subscription.
 */


#include "ngx_ims_regevent_int.h"


static ngx_uint_t ngx_ims_regevent_ours(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_sip_msg_t *m, u_char *token);
static void ngx_ims_regevent_news(ngx_ims_regevent_t *sub,
    ngx_ims_reginfo_t *info);
static void ngx_ims_regevent_state(ngx_ims_regevent_t *sub,
    ngx_ims_sip_msg_t *m);


ngx_uint_t
ngx_ims_regevent_notify(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    u_char                token[NGX_IMS_TOKEN_LEN], text[NGX_IMS_MAX_IMPU];
    ngx_str_t             user, impu;
    ngx_ims_regevent_t   *sub;
    ngx_ims_reginfo_t     info;
    ngx_ims_uac_state_t  *state;

    if (!ngx_ims_regevent_ours(pool, binding, m, token)) {
        return 0;
    }

    state = s ? s->registration : NULL;
    sub = state ? state->subscription : NULL;

    if (s != NULL
        && (sub == NULL
            || ngx_memcmp(m->call_id.data + NGX_IMS_TOKEN_LEN + 2, sub->id,
                          NGX_IMS_REGEVENT_ID)
               != 0))
    {
        ngx_ims_call_refuse(w, flow, m, 481, NULL);
        return 1;
    }

    ngx_memzero(&info, sizeof(ngx_ims_reginfo_t));

    user.data = token;
    user.len = NGX_IMS_TOKEN_LEN;
    impu.data = text;
    impu.len = ngx_ims_pool_impu(pool,
                                 pool->zone.bindings[binding->index].lease,
                                 text);

    if (m->body.len
        && ngx_ims_reginfo_parse(m->body.data, m->body.len, &impu, &user,
                                 &info)
           != NGX_IMS_OK)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core \"%V\" sent registration information that cannot "
                      "be read", &pool->core->name);
        ngx_ims_call_refuse(w, flow, m, 400,
                            "Warning: 399 portal \"bad reginfo\"" CRLF);
        return 1;
    }

    ngx_ims_call_refuse(w, flow, m, 200, NULL);

    if (sub != NULL) {
        ngx_ims_regevent_state(sub, m);
        ngx_ims_regevent_news(sub, &info);

    } else if (info.known && (info.contact ? info.gone : info.terminated)) {

        /* when the browser comes back, it is registered anew */

        ngx_ims_binding_idle(pool, binding);
    }

    return 1;
}


/* Event: reg, in a dialog that the portal has begun for this binding */

static ngx_uint_t
ngx_ims_regevent_ours(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_sip_msg_t *m, u_char *token)
{
    ngx_ims_sip_hdr_t  *h;

    if (m->method != NGX_IMS_SIP_NOTIFY) {
        return 0;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_EVENT);

    if (h == NULL || h->value.len < 3
        || ngx_strncmp(h->value.data, "reg", 3) != 0
        || (h->value.len > 3 && h->value.data[3] != ';'
            && h->value.data[3] != ' ')
        || m->call_id.len != NGX_IMS_TOKEN_LEN + 2 + NGX_IMS_REGEVENT_ID)
    {
        return 0;
    }

    ngx_ims_binding_token(pool, binding, token);

    return ngx_memcmp(m->call_id.data, token, NGX_IMS_TOKEN_LEN) == 0
           && ngx_memcmp(m->call_id.data + NGX_IMS_TOKEN_LEN, "-s", 2) == 0;
}


/*
 * Versions may come out of order (core-demands): an older full state is worth
 * nothing any more, an older partial one still says what happened.
 */

static void
ngx_ims_regevent_news(ngx_ims_regevent_t *sub, ngx_ims_reginfo_t *info)
{
    ngx_ims_session_t  *s;

    s = sub->session;

    if (!info->known) {
        return;
    }

    if (sub->versioned
        && (info->version == sub->version
            || (info->full && info->version < sub->version)))
    {
        return;
    }

    sub->version = sub->versioned ? ngx_max(sub->version, info->version)
                                  : info->version;
    sub->versioned = 1;

    if (s == NULL || !s->registered
        || !(info->contact ? info->gone : info->terminated))
    {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "network ended the registration of \"%V\"", &s->user);

    switch (info->event) {

    case NGX_IMS_REGINFO_DEACTIVATED:
    case NGX_IMS_REGINFO_PROBATION:
    case NGX_IMS_REGINFO_EXPIRED:
        ngx_ims_regevent_handler(s, NGX_IMS_REGEVENT_AGAIN,
                                 info->retry_after);
        break;

    case NGX_IMS_REGINFO_UNREGISTERED:
        ngx_ims_regevent_handler(s, NGX_IMS_REGEVENT_ENDED, 0);
        break;

    default:
        ngx_ims_regevent_handler(s, NGX_IMS_REGEVENT_REFUSED, 0);
        break;
    }
}


/* the core ended the subscription: it is made anew, or it is not wanted */

static void
ngx_ims_regevent_state(ngx_ims_regevent_t *sub, ngx_ims_sip_msg_t *m)
{
    ngx_ims_str_t       reason, params;
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_sip_hdr_name(m, "Subscription-State");

    if (h == NULL || h->value.len < 10
        || ngx_strncasecmp(h->value.data, (u_char *) "terminated", 10) != 0)
    {
        return;
    }

    params.data = h->value.data + 10;
    params.len = h->value.len - 10;

    if (params.len && params.data[0] == ';') {
        params.data++;
        params.len--;
    }

    /* a refresh that is under way will hear of it, too */

    if (sub->pending) {
        return;
    }

    ngx_ims_regevent_reset(sub);

    if (sub->timer.timer_set) {
        ngx_del_timer(&sub->timer);
    }

    /* RFC 6665 4.2.2 */

    if (ngx_ims_sip_param(&params, "reason", &reason)
        && ((reason.len == 8
             && ngx_strncmp(reason.data, "rejected", 8) == 0)
            || (reason.len == 10
                && ngx_strncmp(reason.data, "noresource", 10) == 0)))
    {
        return;
    }

    ngx_add_timer(&sub->timer, NGX_IMS_REGEVENT_PAUSE);
}
