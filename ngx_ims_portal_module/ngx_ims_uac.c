/*
 * Copyright (C) the IMS portal authors
 *
 * One REGISTER of the portal at the core, with its second tries.
 *
 * Timers: the transaction's own, and one second before a 500 is tried again.
 */


#include "ngx_ims_uac.h"


#define NGX_IMS_UAC_RETRY      1000           /* ms before a 500 is repeated */
#define NGX_IMS_UAC_MAX_TRIES  8


struct ngx_ims_register_s {
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    uint32_t                  lease;
    time_t                    expires;
    uint32_t                  cseq;           /* the last that was sent */

    ngx_ims_uac_handler_pt    handler;
    void                     *data;

    ngx_ims_txn_t            *client;         /* the latest */
    ngx_uint_t                refs;           /* transactions alive */
    uint64_t                  tried;          /* servers, by index */
    ngx_uint_t                tries;
    ngx_event_t               timer;

    unsigned                  done:1;
    unsigned                  repeated:1;     /* after a 500 */
};


static ngx_int_t ngx_ims_uac_send(ngx_ims_register_t *reg);
static void ngx_ims_uac_response(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_uac_answer(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m);
static time_t ngx_ims_uac_granted(ngx_ims_register_t *reg,
    ngx_ims_sip_msg_t *m);
static u_char *ngx_ims_uac_join(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    u_char *p, u_char *last, ngx_str_t *value);
static void ngx_ims_uac_timer(ngx_event_t *ev);
static void ngx_ims_uac_done(ngx_ims_register_t *reg, ngx_uint_t status,
    time_t granted);
static void ngx_ims_uac_free(ngx_ims_register_t *reg);


ngx_ims_register_t *
ngx_ims_uac_register(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, uint32_t lease, time_t expires,
    ngx_ims_uac_handler_pt handler, void *data)
{
    ngx_ims_register_t  *reg;

    reg = ngx_calloc(sizeof(ngx_ims_register_t), w->log);
    if (reg == NULL) {
        return NULL;
    }

    reg->worker = w;
    reg->pool = pool;
    reg->binding = *binding;
    reg->lease = lease;
    reg->expires = expires;
    reg->handler = handler;
    reg->data = data;

    reg->timer.handler = ngx_ims_uac_timer;
    reg->timer.data = reg;
    reg->timer.log = w->log;

    if (ngx_ims_uac_send(reg) != NGX_OK) {
        ngx_free(reg);
        return NULL;
    }

    return reg;
}


void
ngx_ims_uac_forget(ngx_ims_register_t *reg)
{
    reg->handler = NULL;
}


static ngx_int_t
ngx_ims_uac_send(ngx_ims_register_t *reg)
{
    u_char                 *p, *last, impi[NGX_IMS_MAX_IMPU];
    size_t                  impi_len;
    uint32_t                cseq;
    ngx_ims_core_t         *core;
    ngx_ims_flow_t          flow;
    ngx_ims_facts_t         f;
    ngx_ims_worker_t       *w;

    w = reg->worker;
    core = reg->pool->core;

    cseq = ngx_ims_binding_cseq(reg->pool, &reg->binding);

    if (cseq == 0 && reg->expires == 0 && reg->cseq) {

        /* the record is gone, but not yet what the core made of it */

        cseq = reg->cseq + 1;
    }

    impi_len = ngx_ims_pool_impi(reg->pool, reg->lease, impi);

    if (cseq == 0 || impi_len == 0
        || ngx_ims_call_facts(w, NULL, reg->pool, &reg->binding, reg->lease,
                              &f)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    reg->cseq = cseq;

    if (ngx_ims_core_next(core, &reg->tried, &flow) != NGX_OK) {
        return NGX_ERROR;
    }

    reg->tries++;

    ngx_ims_call_via(reg->pool, &flow, &f);

    last = w->out + w->out_size;

    p = ngx_slprintf(w->out, last,
                     "REGISTER sip:%V SIP/2.0" CRLF
                     "Via: SIP/2.0/%V %V;branch=%V;rport" CRLF
                     "Max-Forwards: 70" CRLF
                     "Path: <sip:%V@%V;lr;ob>" CRLF
                     "Require: path" CRLF
                     "Supported: path" CRLF
                     "P-Visited-Network-ID: \"%V\"" CRLF
                     "P-Charging-Vector: icid-value=\"%V\"" CRLF,
                     &core->home_domain, &f.r.transport, &f.r.via,
                     &f.r.branch, &f.r.token,
                     &f.r.edge, &core->visited_network, &f.r.icid);

    /* TS 33.203 annex U.2: the trusted node vouches for the user (RG-9) */

    p = ngx_slprintf(p, last,
                     "Authorization: Digest username=\"%*s\", realm=\"%V\", "
                     "uri=\"sip:%V\", nonce=\"\", response=\"\"",
                     impi_len, impi, &core->home_domain, &core->home_domain);

    if (core->flag.len) {
        p = ngx_slprintf(p, last, ", integrity-protected=\"%V\"", &core->flag);
    }

    /* one Call-ID and From tag for the life of the binding (RFC 3261 10.2) */

    p = ngx_slprintf(p, last,
                     CRLF
                     "From: <%V>;tag=%*s" CRLF
                     "To: <%V>" CRLF
                     "Call-ID: %V-r@%V" CRLF
                     "CSeq: %uD REGISTER" CRLF
                     "Contact: <sip:%V@%V>;expires=%T" CRLF
                     "Expires: %T" CRLF
                     "Content-Length: 0" CRLF CRLF,
                     &f.r.impu, (size_t) 8, f.token + NGX_IMS_TOKEN_LEN - 8,
                     &f.r.impu, &f.r.token, &f.r.edge, cseq, &f.r.token,
                     &f.r.edge, reg->expires, reg->expires);

    reg->client = ngx_ims_txn_client(w->txns, &flow, NGX_IMS_SIP_REGISTER,
                                     f.branch, w->out, p - w->out,
                                     ngx_ims_uac_response, reg);

    (void) ngx_atomic_fetch_add(&reg->pool->zone.sh->counters.registers, 1);

    if (reg->client == NULL) {
        return NGX_ERROR;
    }

    reg->refs++;

    return NGX_OK;
}


static void
ngx_ims_uac_response(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_core_t      *core;
    ngx_ims_register_t  *reg;

    reg = t->data;
    core = reg->pool->core;

    if (rc == NGX_DONE) {

        /* an earlier attempt may end after a later one has begun */

        if (reg->client == t) {
            reg->client = NULL;
        }

        reg->refs--;
        ngx_ims_uac_free(reg);
        return;
    }

    if (reg->done || reg->client != t) {
        return;
    }

    if (rc == NGX_OK) {

        if (m->status < 200) {
            return;
        }

        ngx_ims_core_result(core, &t->flow, m->status != 503);

        if (m->status != 503) {
            ngx_ims_uac_answer(reg, m);
            return;
        }

    } else {
        ngx_ims_core_result(core, &t->flow, 0);
        ngx_log_error(NGX_LOG_ERR, reg->worker->log,
                      rc == NGX_BUSY ? NGX_ETIMEDOUT : 0,
                      "core \"%V\" did not answer REGISTER", &core->name);
    }

    if (reg->tries < core->servers.nelts
        && reg->tries < NGX_IMS_UAC_MAX_TRIES)
    {
        ngx_add_timer(&reg->timer, 1);
        return;
    }

    ngx_ims_uac_done(reg, rc == NGX_OK ? 503 : 0, 0);
}


static void
ngx_ims_uac_answer(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m)
{
    u_char             *p, *last;
    time_t              granted;
    ngx_int_t           rc;
    ngx_str_t           routes, associated;
    uint64_t            min;
    ngx_ims_worker_t   *w;
    ngx_ims_sip_hdr_t  *h;

    w = reg->worker;

    if (m->status == 423 && reg->expires) {
        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_MIN_EXPIRES);

        if (h != NULL
            && ngx_ims_sip_number(&h->value, 86400, &min) == 0
            && (time_t) min > reg->expires
            && reg->tries++ < NGX_IMS_UAC_MAX_TRIES)
        {
            reg->expires = min;
            reg->tried = 0;
            ngx_add_timer(&reg->timer, 1);
            return;
        }
    }

    if (m->status == 500 && !reg->repeated) {
        reg->repeated = 1;
        reg->tried = 0;
        ngx_add_timer(&reg->timer, NGX_IMS_UAC_RETRY);
        return;
    }

    if (m->status >= 300) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core \"%V\" answered REGISTER with %ui \"%V\"",
                      &reg->pool->core->name, (ngx_uint_t) m->status,
                      &m->reason);

        /* a registration outlives a refresh that failed for the moment */

        if (reg->expires && (m->status == 401 || m->status == 403
                             || m->status == 404 || m->status == 407))
        {
            ngx_ims_binding_idle(reg->pool, &reg->binding);
        }

        ngx_ims_uac_done(reg, m->status, 0);
        return;
    }

    if (reg->expires == 0) {
        ngx_ims_uac_done(reg, m->status, 0);
        return;
    }

    granted = ngx_ims_uac_granted(reg, m);

    p = w->record;
    last = p + NGX_IMS_DIALOG_BUFFER;
    p = ngx_ims_uac_join(m, NGX_IMS_HDR_SERVICE_ROUTE, p, last, &routes);
    (void) ngx_ims_uac_join(m, NGX_IMS_HDR_P_ASSOCIATED_URI, p, last,
                            &associated);

    rc = granted ? ngx_ims_binding_registered(reg->pool, &reg->binding,
                                              ngx_time() + granted, &routes,
                                              &associated)
                 : NGX_ERROR;

    if (rc == NGX_DECLINED) {

        /* the browser left for good meanwhile: no dead contact at the core */

        reg->expires = 0;
        reg->tried = 0;
        ngx_add_timer(&reg->timer, 1);
        return;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      granted ? "zone of pool \"%V\" cannot hold "
                                "a registration"
                              : "core's 200 to REGISTER lacks our contact, "
                                "pool \"%V\"",
                      &reg->pool->name);
        ngx_ims_uac_done(reg, 500, 0);
        return;
    }

    ngx_ims_uac_done(reg, 200, granted);
}


/* the life that our own Contact was given: matched by URI (core-demands) */

static time_t
ngx_ims_uac_granted(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m)
{
    u_char               token[NGX_IMS_TOKEN_LEN];
    uint64_t             n;
    ngx_ims_str_t        value, s;
    ngx_ims_sip_uri_t    uri;
    ngx_ims_sip_addr_t   addr;
    ngx_ims_sip_iter_t   it;

    ngx_ims_binding_token(reg->pool, &reg->binding, token);
    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    while (ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)) {

        if (ngx_ims_sip_parse_addr(&value, &addr) != NGX_IMS_OK
            || ngx_ims_sip_parse_uri(&addr.uri, &uri) != NGX_IMS_OK
            || uri.user.len != NGX_IMS_TOKEN_LEN
            || ngx_memcmp(uri.user.data, token, NGX_IMS_TOKEN_LEN) != 0)
        {
            continue;
        }

        if (ngx_ims_sip_param(&addr.params, "expires", &s)
            && ngx_ims_sip_number(&s, 0x7fffffff, &n) == 0)
        {
            return n;
        }

        return m->expires >= 0 ? m->expires : reg->expires;
    }

    return 0;
}


/* all values of a list header as one */

static u_char *
ngx_ims_uac_join(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id, u_char *p,
    u_char *last, ngx_str_t *value)
{
    ngx_ims_str_t       s;
    ngx_ims_sip_iter_t  it;

    value->data = p;
    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    while (ngx_ims_sip_next(m, id, &it, &s)) {

        if ((size_t) (last - p) < s.len + 2) {
            break;
        }

        if (p != value->data) {
            *p++ = ',';
            *p++ = ' ';
        }

        p = ngx_cpymem(p, s.data, s.len);
    }

    value->len = p - value->data;

    return p;
}


static void
ngx_ims_uac_timer(ngx_event_t *ev)
{
    ngx_ims_binding_t    b;
    ngx_ims_register_t  *reg;

    reg = ev->data;

    /* a browser that is back has registered since: that must stand */

    if (reg->expires == 0
        && ngx_ims_binding_load(reg->pool, &reg->binding, &b,
                                reg->worker->record)
           == NGX_OK
        && b.cseq != reg->cseq)
    {
        ngx_ims_uac_done(reg, 200, 0);
        ngx_ims_uac_free(reg);
        return;
    }

    if (ngx_ims_uac_send(reg) != NGX_OK) {
        ngx_ims_uac_done(reg, 0, 0);
        ngx_ims_uac_free(reg);
    }
}


static void
ngx_ims_uac_done(ngx_ims_register_t *reg, ngx_uint_t status, time_t granted)
{
    ngx_ims_uac_result_t     result;
    ngx_ims_uac_handler_pt   handler;

    reg->done = 1;

    handler = reg->handler;
    reg->handler = NULL;

    if (handler != NULL) {
        ngx_memzero(&result, sizeof(ngx_ims_uac_result_t));
        result.status = status;
        result.granted = granted;
        handler(reg->data, &result);
    }
}


/* frees it when it is done and no transaction can call back */

static void
ngx_ims_uac_free(ngx_ims_register_t *reg)
{
    if (!reg->done || reg->refs) {
        return;
    }

    if (reg->timer.timer_set) {
        ngx_del_timer(&reg->timer);
    }

    ngx_free(reg);
}
