/*
 * Copyright (C) the IMS portal authors
 *
 * What an answer, and what no answer, says of a server.  No timers: who waits
 * for an answer asks here how long.
 */


#include "ngx_ims_core_resolve.h"


enum {
    NGX_IMS_CORE_SOON = 50,              /* ms, ICMP has come if it comes */
    NGX_IMS_CORE_LOOK = 250,             /* ms until somebody may know more */
    NGX_IMS_CORE_LATER = 500             /* ms, when there is no other server */
};


ngx_uint_t
ngx_ims_core_sends(ngx_ims_core_t *core, ngx_uint_t transport, int family)
{
    ngx_ims_core_listen_t  *lst;

    lst = ngx_ims_core_local(core, transport, family);

    return lst != NULL && lst->transport == transport;
}


void
ngx_ims_core_answered(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    size_t              i;
    uint64_t            seconds;
    ngx_ims_str_t       value;
    ngx_ims_sip_hdr_t  *h;

    if (m->status != 503) {
        ngx_ims_core_result(core, flow, 1);
        return;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_RETRY_AFTER);

    if (h == NULL) {
        ngx_ims_core_result(core, flow, 0);
        return;
    }

    /* "18000;duration=3600", "120 (I'm in a meeting)" */

    value = h->value;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }
    }

    value.len = i;

    if (ngx_ims_sip_number(&value, 0x7fffffff, &seconds) != 0 || seconds == 0) {
        ngx_ims_core_result(core, flow, 0);
        return;
    }

    ngx_ims_core_busy(core, flow, seconds);
}


ngx_msec_t
ngx_ims_core_patience(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    uint64_t tried, ngx_uint_t invite, ngx_msec_t sent)
{
    ngx_msec_t              waited;
    ngx_ims_core_server_t  *s;
    ngx_ims_health_hop_t   *h;

    waited = ngx_current_msec - sent;

    if (waited == 0) {
        return ngx_min(NGX_IMS_CORE_SOON, core->timeout);
    }

    s = ngx_ims_core_server(core,
                            flow->grown ? NGX_IMS_UDP : flow->transport,
                            &flow->sockaddr.sockaddr, flow->socklen);

    if (s != NULL) {
        h = s->health ? s->health : &s->own;

        /* another worker, a probe, or ICMP has found it dead meanwhile */

        if (s->max_fails && h->fails >= s->max_fails
            && (ngx_msec_int_t) ((ngx_msec_t) h->failed - sent) >= 0
            && ngx_ims_core_left(core, tried))
        {
            return 0;
        }

        /* one that is slow is better than one that is down */

        if (!ngx_ims_core_others(core, tried)) {
            return NGX_IMS_CORE_LATER;
        }
    }

    if (waited < core->timeout) {
        return ngx_min(NGX_IMS_CORE_LOOK, core->timeout - waited);
    }

    /*
     * no 100 is sent for a request that makes no call (RFC 4320 4.1): who has
     * answered others meanwhile is alive and waits for the far end
     */

    if (!invite && ngx_ims_core_heard(core, flow, sent)) {
        return NGX_IMS_CORE_LATER;
    }

    return 0;
}


time_t
ngx_ims_core_back(ngx_ims_core_t *core)
{
    time_t                  back, last;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s;

    s = core->servers.elts;
    last = 0;

    for (i = 0; i < core->servers.nelts; i++) {
        back = s[i].health ? (time_t) s[i].health->back
                           : (time_t) s[i].own.back;
        last = ngx_max(last, back);
    }

    return last;
}
