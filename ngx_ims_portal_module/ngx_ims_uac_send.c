/*
 * Copyright (C) the IMS portal authors
 *
 * What a REGISTER of the portal says.
 *
 * No timers.
 */


#include "ngx_ims_uac_int.h"


static u_char *ngx_ims_uac_head(ngx_ims_register_t *reg, ngx_ims_facts_t *f,
    ngx_str_t *features, u_char *p, u_char *last);
static u_char *ngx_ims_uac_identity(ngx_ims_register_t *reg,
    ngx_ims_facts_t *f, ngx_str_t *features, u_char *p, u_char *last);
static ngx_int_t ngx_ims_uac_server(ngx_ims_register_t *reg);
static void ngx_ims_uac_wait(ngx_ims_register_t *reg);


ngx_int_t
ngx_ims_uac_send(ngx_ims_register_t *reg, ngx_ims_txn_response_pt handler)
{
    u_char            *p, *last, text[NGX_IMS_MAX_IMPU];
    uint32_t           cseq;
    ngx_str_t          impi, uri, features, granted;
    ngx_ims_facts_t    f;
    ngx_ims_worker_t  *w;
    u_char             host[NGX_IMS_MAX_IMPU + 4];

    w = reg->worker;

    cseq = ngx_ims_binding_cseq(reg->pool, &reg->binding);

    if (cseq == 0 && reg->expires == 0 && reg->cseq) {

        /* the record is gone, but not yet what the core made of it */

        cseq = reg->cseq + 1;
    }

    impi.data = text;
    impi.len = ngx_ims_pool_impi(reg->pool, reg->lease, text);

    if (cseq == 0 || impi.len == 0
        || ngx_ims_call_facts(w, NULL, reg->pool, &reg->binding, reg->lease,
                              &f)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    reg->cseq = cseq;

    if (ngx_ims_uac_server(reg) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_ims_call_via(reg->pool, &reg->flow, &f);
    ngx_ims_binding_abilities(reg->pool, &reg->binding, &features, &granted,
                              w->record2);

    last = w->out + w->out_size;

    uri.data = host;
    uri.len = ngx_snprintf(host, sizeof(host), "sip:%V",
                           &reg->pool->core->home_domain)
              - host;

    p = ngx_ims_uac_head(reg, &f, &features, w->out, last);

    if (ngx_ims_uac_authorization(reg->pool->core, &reg->digest, "REGISTER",
                                  &uri, &impi, &p, last)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_ims_uac_identity(reg, &f, &features, p, last);

    reg->client = ngx_ims_txn_client(w->txns, &reg->flow,
                                     NGX_IMS_SIP_REGISTER, f.branch, w->out,
                                     p - w->out, handler, reg);

    (void) ngx_atomic_fetch_add(&reg->pool->zone.sh->counters.registers, 1);

    if (reg->client == NULL) {
        return NGX_ERROR;
    }

    reg->refs++;

    ngx_ims_uac_wait(reg);

    return NGX_OK;
}


/* the same one, where it asked for credentials, or the next */

static ngx_int_t
ngx_ims_uac_server(ngx_ims_register_t *reg)
{
    if (!reg->same) {

        if (ngx_ims_core_next(reg->pool->core, &reg->tried, &reg->flow)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* another server may ask once more */

        reg->fresh = 0;
    }

    reg->same = 0;
    reg->tries++;

    return NGX_OK;
}


/* without any answer the next server is tried */

static void
ngx_ims_uac_wait(ngx_ims_register_t *reg)
{
    reg->waiting = 1;
    reg->sent = ngx_current_msec;

    if (reg->timer.timer_set) {
        ngx_del_timer(&reg->timer);
    }

    ngx_add_timer(&reg->timer,
                  ngx_ims_core_patience(reg->pool->core, &reg->flow,
                                        reg->tried, 1, reg->sent));
}


static u_char *
ngx_ims_uac_head(ngx_ims_register_t *reg, ngx_ims_facts_t *f,
    ngx_str_t *features, u_char *p, u_char *last)
{
    size_t           i;
    ngx_ims_core_t  *core;

    core = reg->pool->core;

    p = ngx_slprintf(p, last,
                     "REGISTER sip:%V SIP/2.0" CRLF
                     "Via: SIP/2.0/%V %V;branch=%V;rport" CRLF
                     "Max-Forwards: 70" CRLF
                     "Path: <sip:%V@%V;lr;ob>" CRLF
                     "Require: path%s" CRLF
                     "P-Visited-Network-ID: \"%V\"" CRLF
                     "P-Charging-Vector: icid-value=\"%V\"" CRLF
                     "Supported: path",
                     &core->home_domain, &f->r.transport, &f->r.via,
                     &f->r.branch, &f->r.token, &f->r.edge,
                     ngx_ims_uac_gin(reg) ? ", gin" CRLF "Proxy-Require: gin"
                                          : "",
                     &core->visited_network, &f->r.icid);

    /* the browser's own, for which its Contact has what is needed (RG-17) */

    for (i = 0; i < features->len && features->data[i] != ';'; i++) {
        p = ngx_slprintf(p, last, ", %s",
                         features->data[i] == 'o' ? "outbound" : "gruu");
    }

    return ngx_slprintf(p, last, CRLF);
}


ngx_int_t
ngx_ims_uac_authorization(ngx_ims_core_t *core, ngx_ims_digest_t *digest,
    const char *method, ngx_str_t *uri, ngx_str_t *impi, u_char **p,
    u_char *last)
{
    size_t                     len;
    ngx_int_t                  rc;
    ngx_ims_secret_t           secret;
    ngx_ims_digest_request_t   r;

    if (digest->hash != NGX_IMS_DIGEST_NONE) {

        if (ngx_ims_secret_find(core->secrets, impi, &secret) != NGX_OK) {
            return NGX_ERROR;
        }

        r.method.data = (u_char *) method;
        r.method.len = ngx_strlen(method);
        r.uri = *uri;
        r.impi = *impi;
        ngx_str_null(&r.cnonce);

        rc = ngx_ims_digest_credentials(digest, &secret, &r, *p, last - *p,
                                        &len);
        if (rc != NGX_IMS_DIGEST_OK) {
            return NGX_ERROR;
        }

        *p += len;

        return NGX_OK;
    }

    /*
     * The core finds the private identity here even before it challenges
     * (core-demands); a trusted node vouches for the user by the same header
     * (TS 33.203 annex U.2, RG-9).
     */

    *p = ngx_slprintf(*p, last,
                      "Authorization: Digest username=\"%V\", realm=\"%V\", "
                      "uri=\"%V\", nonce=\"\", response=\"\"",
                      impi, core->realm.len ? &core->realm
                                            : &core->home_domain, uri);

    if (!core->digest) {

        if (core->flag.len) {
            *p = ngx_slprintf(*p, last, ", integrity-protected=\"%V\"",
                              &core->flag);
        }

        *p = ngx_slprintf(*p, last, "%V", &core->waf);
    }

    *p = ngx_slprintf(*p, last, CRLF);

    return NGX_OK;
}


/* one Call-ID and From tag for the life of the binding (RFC 3261 10.2) */

static u_char *
ngx_ims_uac_identity(ngx_ims_register_t *reg, ngx_ims_facts_t *f,
    ngx_str_t *features, u_char *p, u_char *last)
{
    size_t     i;
    ngx_str_t  params;

    for (i = 0; i < features->len && features->data[i] != ';'; i++) {
        /* void */
    }

    params.data = features->data + i;
    params.len = features->len - i;

    p = ngx_slprintf(p, last,
                     "From: <%V>;tag=%*s" CRLF
                     "To: <%V>" CRLF
                     "Call-ID: %V-r" CRLF
                     "CSeq: %uD REGISTER" CRLF,
                     &f->r.impu, (size_t) 8,
                     f->token + NGX_IMS_TOKEN_LEN - 8,
                     &f->r.impu, &f->r.token, reg->cseq);

    if (ngx_ims_uac_gin(reg)) {

        /* no user part: the core puts each number there (RFC 6140 5.1) */

        p = ngx_slprintf(p, last, "Contact: <sip:%V;bnc>", &f->r.edge);

    } else {
        p = ngx_slprintf(p, last, "Contact: <sip:%V@%V>%V", &f->r.token,
                         &f->r.edge, &params);
    }

    return ngx_slprintf(p, last,
                        ";expires=%T" CRLF
                        "Expires: %T" CRLF
                        "Content-Length: 0" CRLF CRLF,
                        reg->expires, reg->expires);
}
