/*
 * Copyright (C) the IMS portal authors
 *
 * Reliable provisional answers of the core to a browser's INVITE (RFC 3262):
 * the portal acknowledges them, or the browser does, who sees one sequence of
 * numbers for all branches.
 */


#include "ngx_ims_early_priv.h"


enum {
    NGX_IMS_EARLY_MAX_RACKS = 128        /* reliable answers shown */
};


static void ngx_ims_early_pracked(void *data, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);


void
ngx_ims_early_offer(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e)
{
    /* an offer in the answer would want an answer in the PRACK */

    if (!fw->initial || !fw->offered || fw->pool->core->no_prack
        || ngx_ims_sip_has_token(m, NGX_IMS_HDR_SUPPORTED, "100rel")
        || ngx_ims_sip_has_token(m, NGX_IMS_HDR_REQUIRE, "100rel"))
    {
        return;
    }

    fw->prack = 1;

    ngx_ims_sip_insert_end(e, m, ngx_ims_sip_textf(e, "Supported: 100rel"
                                                   CRLF));
}


void
ngx_ims_early_demand(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_edits_t *e)
{
    if (fw->initial
        && ngx_ims_sip_has_token(m, NGX_IMS_HDR_REQUIRE, "100rel"))
    {
        fw->required = 1;
        ngx_ims_route_unrequire(e, m);
    }
}


/*
 * The browser will send the PRACK.  It sees one sequence of numbers, whichever
 * branches they come from.
 */

ngx_int_t
ngx_ims_early_note(ngx_ims_forward_t *fw, ngx_ims_branch_t *branch,
    uint32_t rseq)
{
    ngx_ims_rack_t   *rack;
    ngx_ims_early_t  *early;

    early = fw->early;

    if (early->nracks >= NGX_IMS_EARLY_MAX_RACKS) {
        return NGX_ERROR;
    }

    rack = ngx_palloc(fw->memory, sizeof(ngx_ims_rack_t));
    if (rack == NULL) {
        return NGX_ERROR;
    }

    rack->branch = branch;
    rack->rseq = rseq;
    rack->shown = early->racks ? early->racks->shown + 1 : rseq;
    rack->next = early->racks;

    early->racks = rack;
    early->nracks++;

    return NGX_OK;
}


uint32_t
ngx_ims_early_rack(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d, u_char *buf)
{
    uint32_t            rseq, cseq;
    ngx_ims_rack_t     *rack;
    ngx_ims_forward_t  *invite;

    invite = ngx_ims_forward_invite(s, &m->call_id, 1);

    if (invite == NULL || invite->early == NULL
        || !ngx_ims_route_rack(m, &rseq, &cseq))
    {
        return 0;
    }

    for (rack = invite->early->racks; rack != NULL; rack = rack->next) {

        if (rack->shown == rseq) {
            if (rack->branch->known) {
                (void) ngx_ims_dialog_load(s->pool, &rack->branch->dialog, d,
                                           buf);
            }

            return rack->rseq;
        }
    }

    return 0;
}


void
ngx_ims_early_prack(ngx_ims_forward_t *fw, ngx_ims_branch_t *branch,
    ngx_ims_sip_msg_t *m, uint32_t rseq)
{
    u_char             rack[64];
    uint32_t           cseq;
    ngx_ims_dialog_t   d;
    ngx_ims_worker_t  *w;

    w = fw->worker;

    if (!branch->known
        || ngx_ims_dialog_load(fw->pool, &branch->dialog, &d, w->record)
           != NGX_OK)
    {
        return;
    }

    cseq = ngx_ims_dialog_speak(fw->pool, &d, 1);

    *ngx_sprintf(rack, "RAck: %uD %uD INVITE" CRLF, rseq, m->cseq) = '\0';

    if (cseq == 0
        || ngx_ims_call_own(w, fw->pool, &d, "PRACK", cseq, (char *) rack,
                            ngx_ims_early_pracked, w)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "no PRACK could be sent to core \"%V\"",
                      &fw->pool->core->name);
    }
}


static void
ngx_ims_early_pracked(void *data, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_worker_t  *w;

    w = data;

    if (m == NULL) {
        ngx_log_error(NGX_LOG_ERR, w->log, rc == NGX_BUSY ? NGX_ETIMEDOUT : 0,
                      "core did not answer PRACK");

    } else if (m->status >= 300 && m->status != 481) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core answered PRACK with %ui \"%V\"",
                      (ngx_uint_t) m->status, &m->reason);
    }
}


ngx_uint_t
ngx_ims_early_answered(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t up)
{
    ngx_ims_forward_t  *invite;

    if (m->method != NGX_IMS_SIP_PRACK) {
        return 0;
    }

    invite = ngx_ims_forward_invite(s, &m->call_id, up);

    if (invite == NULL || !invite->late) {
        return 0;
    }

    invite->late = 0;
    invite->exchanged = 1;

    return 1;
}
