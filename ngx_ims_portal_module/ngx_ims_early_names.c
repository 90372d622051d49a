/*
 * Copyright (C) the IMS portal authors
 *
 * What the two sides of a dialog call it, where they differ.
 */


#include "ngx_ims_early.h"


void
ngx_ims_early_names_up(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_dialog_t *d, ngx_ims_route_t *r, u_char *rack)
{
    uint32_t            rseq, real, cseq;
    ngx_ims_dialog_t    branch;
    ngx_ims_session_t  *s;

    if (d->merged) {
        r->to = d->far_id;
    }

    if (d->far_target.len) {
        r->request_uri = d->far_target;
    }

    if (rack == NULL || !ngx_ims_route_rack(m, &rseq, &cseq)) {
        return;
    }

    s = fw != NULL ? fw->session : NULL;
    real = 0;

    if (s != NULL) {
        real = ngx_ims_early_rack(s, m, &branch, s->worker->record);
    }

    r->rack.data = rack;
    r->rack.len = ngx_sprintf(rack, "%uD %uD INVITE", real ? real : rseq,
                              cseq + d->invite_up)
                  - rack;
}


void
ngx_ims_early_names_down(ngx_ims_sip_msg_t *m, ngx_ims_dialog_t *d,
    ngx_ims_route_t *r, u_char *rack)
{
    uint32_t  rseq, cseq;

    if (d->merged) {
        r->from = d->shown_id;
    }

    if (rack != NULL && d->invite_down
        && ngx_ims_route_rack(m, &rseq, &cseq))
    {
        r->rack.data = rack;
        r->rack.len = ngx_sprintf(rack, "%uD %uD INVITE", rseq,
                                  cseq + d->invite_down)
                      - rack;
    }
}
