/*
 * Copyright (C) the IMS portal authors
 *
 * Rules of a proxy (RFC 3261 16.3, 8.2.2.2) and of the site.
 *
 * No timers.
 */


#include "ngx_ims_rules.h"


#define NGX_IMS_RULES_ALLOW                                                   \
    "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, PRACK, "        \
    "UPDATE, SUBSCRIBE, NOTIFY, REFER, PUBLISH" CRLF


static ngx_uint_t ngx_ims_rules_looped(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_uint_t ngx_ims_rules_merged(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_uint_t ngx_ims_rules_refer(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_uint_t up, const char **extra);
static ngx_uint_t ngx_ims_rules_target(ngx_ims_sip_msg_t *m,
    const char **extra);


ngx_int_t
ngx_ims_rules_check(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t up)
{
    u_char       buf[64];
    ngx_uint_t   status;
    const char  *extra;

    status = 0;
    extra = NULL;

    if (!up && m->method == NGX_IMS_SIP_REGISTER) {
        status = 405;
        extra = NGX_IMS_RULES_ALLOW;

    } else if (up ? ngx_ims_rules_looped(s, m) : ngx_ims_rules_merged(s, m)) {
        status = 482;

    } else if (m->method == NGX_IMS_SIP_REFER) {
        status = ngx_ims_rules_refer(s, m, up, &extra);

    } else if (ngx_ims_clock_brief(s, m, buf)) {
        status = 422;
        extra = (char *) buf;
    }

    if (status == 0) {
        return NGX_OK;
    }

    ngx_ims_call_refuse(s->worker, flow, m, status, extra);

    return NGX_DECLINED;
}


/* a browser sends what has a Via of ours: it has been here (RFC 3261 16.3) */

static ngx_uint_t
ngx_ims_rules_looped(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_ims_str_t       value;
    ngx_ims_sip_via_t   via;
    ngx_ims_sip_iter_t  it;
    ngx_ims_owner_t     owner;

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    while (ngx_ims_sip_next(m, NGX_IMS_HDR_VIA, &it, &value)) {

        if (ngx_ims_sip_parse_via(&value, &via) == NGX_IMS_OK
            && ngx_ims_txn_branch_owner(&via.branch, &owner) == NGX_OK
            && owner.instance == s->worker->self.instance)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * The core forked a request upstream, and two branches came to one browser: it
 * is asked once (RFC 3261 8.2.2.2).  Repetitions were absorbed before; what was
 * refused may be tried again, one branch after the other.
 */

static ngx_uint_t
ngx_ims_rules_merged(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    uint32_t            merge;
    ngx_queue_t        *q;
    ngx_ims_forward_t  *fw;

    if (m->to.tag.len) {
        return 0;
    }

    merge = ngx_ims_forward_merge(m);

    for (q = ngx_queue_head(&s->requests);
         q != ngx_queue_sentinel(&s->requests);
         q = ngx_queue_next(q))
    {
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        if (fw->answered
            && (fw->server == NULL || fw->server->status >= 300))
        {
            continue;
        }

        if (!fw->up && !fw->in_dialog && fw->merge == merge
            && fw->call_id.len == m->call_id.len
            && ngx_memcmp(fw->call_id.data, m->call_id.data, m->call_id.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* who may ask whom to call somebody (RFC 3515), by ims_portal_refer */

static ngx_uint_t
ngx_ims_rules_refer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m, ngx_uint_t up,
    const char **extra)
{
    if (s->policy->refer == NGX_IMS_REFER_OFF
        || (s->policy->refer == NGX_IMS_REFER_DIALOG && m->to.tag.len == 0))
    {
        *extra = s->policy->refer == NGX_IMS_REFER_OFF
                 ? "Warning: 399 portal \"no transfers here\"" CRLF
                 : "Warning: 399 portal \"transfers within calls only\"" CRLF;

        return up ? 403 : 603;
    }

    return ngx_ims_rules_target(m, extra);
}


/* one Refer-To, to a number or a SIP address, for a call */

static ngx_uint_t
ngx_ims_rules_target(ngx_ims_sip_msg_t *m, const char **extra)
{
    ngx_uint_t          i;
    ngx_ims_str_t       method;
    ngx_ims_sip_uri_t   uri;
    ngx_ims_sip_hdr_t  *h;
    ngx_ims_sip_addr_t  addr;

    static const ngx_str_t  schemes[] = {
        ngx_string("sip"), ngx_string("sips"), ngx_string("tel")
    };

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_REFER_TO);

    if (h == NULL || h->next
        || ngx_ims_sip_parse_addr(&h->value, &addr) != NGX_IMS_OK
        || ngx_ims_sip_parse_uri(&addr.uri, &uri) != NGX_IMS_OK)
    {
        *extra = "Warning: 399 portal \"one Refer-To is needed\"" CRLF;
        return 400;
    }

    for (i = 0; i < 3; i++) {
        if (uri.scheme.len == schemes[i].len
            && ngx_strncasecmp(uri.scheme.data, schemes[i].data,
                               schemes[i].len)
               == 0)
        {
            break;
        }
    }

    if (i == 3
        || (ngx_ims_sip_param(&uri.params, "method", &method)
            && !(method.len == 6
                 && ngx_strncmp(method.data, "INVITE", 6) == 0)))
    {
        *extra = "Warning: 399 portal \"transfers to calls only\"" CRLF;
        return 403;
    }

    return 0;
}
