/*
 * Copyright (C) the IMS portal authors
 *
 * Branches of a browser's INVITE: what is kept of each lies in the memory of
 * the request and goes with it; what requests within them need is in dialog
 * records.
 */


#include "ngx_ims_early_priv.h"


enum {
    NGX_IMS_EARLY_MAX = 32,              /* branches of an INVITE */
    NGX_IMS_EARLY_MAX_SDP = 131072       /* bytes kept, all branches */
};


static ngx_ims_branch_t *ngx_ims_early_branch(ngx_ims_forward_t *fw,
    ngx_ims_str_t *tag, ngx_uint_t add);
static ngx_int_t ngx_ims_early_text(ngx_ims_forward_t *fw, ngx_str_t *to,
    ngx_str_t *from);
static ngx_int_t ngx_ims_early_provisional(ngx_ims_forward_t *fw,
    ngx_ims_branch_t *branch, ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_early_record(ngx_ims_forward_t *fw,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_early_known(ngx_ims_forward_t *fw, ngx_ims_str_t *tag,
    ngx_ims_dialog_t *d);


/* a branch by its tag, a new one when add; NULL: none, or no room */

static ngx_ims_branch_t *
ngx_ims_early_branch(ngx_ims_forward_t *fw, ngx_ims_str_t *tag, ngx_uint_t add)
{
    ngx_ims_early_t   *early;
    ngx_ims_branch_t  *branch;

    early = fw->early;

    for (branch = early ? early->branches : NULL;
         branch != NULL;
         branch = branch->next)
    {
        if (branch->tag.len == tag->len
            && ngx_memcmp(branch->tag.data, tag->data, tag->len) == 0)
        {
            return branch;
        }
    }

    if (!add || ngx_ims_forward_memory(fw) != NGX_OK) {
        return NULL;
    }

    if (early == NULL) {
        early = ngx_pcalloc(fw->memory, sizeof(ngx_ims_early_t));
        if (early == NULL) {
            return NULL;
        }

        fw->early = early;
    }

    if (early->nbranches >= NGX_IMS_EARLY_MAX) {
        ngx_log_error(NGX_LOG_ERR, fw->worker->log, 0,
                      "too many branches of an INVITE");
        return NULL;
    }

    branch = ngx_pcalloc(fw->memory, sizeof(ngx_ims_branch_t));

    if (branch == NULL
        || ngx_ims_early_text(fw, &branch->tag, tag) != NGX_OK
        || (early->shown.len == 0
            && ngx_ims_early_text(fw, &early->shown, tag) != NGX_OK))
    {
        return NULL;
    }

    branch->next = early->branches;
    early->branches = branch;
    early->nbranches++;

    return branch;
}


static ngx_int_t
ngx_ims_early_text(ngx_ims_forward_t *fw, ngx_str_t *to, ngx_str_t *from)
{
    u_char  *p;

    p = ngx_pnalloc(fw->memory, from->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, from->data, from->len);

    to->data = p;
    to->len = from->len;

    return NGX_OK;
}


ngx_int_t
ngx_ims_early_response(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    ngx_ims_branch_t  *branch;

    /* RFC 3261 12.1: without a tag there is no dialog, and nothing to map */

    if (m->to.tag.len == 0) {
        return NGX_OK;
    }

    branch = ngx_ims_early_branch(fw, &m->to.tag, 1);

    if (m->status >= 200) {

        if (fw->final.data != NULL
            && ngx_crc32_short(m->to.tag.data, m->to.tag.len)
               != fw->final_tag)
        {
            /* both answered: the first one has the call (13.2.2.4) */

            ngx_ims_early_lose(fw, m, "SIP;cause=200;text=\"Call completed "
                               "elsewhere\"");
            return NGX_DONE;
        }

        return NGX_OK;
    }

    return branch ? ngx_ims_early_provisional(fw, branch, m) : NGX_DONE;
}


static ngx_int_t
ngx_ims_early_provisional(ngx_ims_forward_t *fw, ngx_ims_branch_t *branch,
    ngx_ims_sip_msg_t *m)
{
    uint32_t          rseq;
    ngx_ims_dialog_t  d;

    rseq = ngx_ims_route_rseq(m);

    /* RFC 3262 4: repetitions were seen, what is ahead of its turn will come */

    if (rseq && branch->rseq && rseq != branch->rseq + 1) {
        return NGX_DONE;
    }

    if (ngx_ims_early_record(fw, m) != NGX_OK) {
        return NGX_DONE;
    }

    if (rseq) {
        branch->rseq = rseq;

        if (fw->prack || m->status == 199) {
            ngx_ims_early_prack(fw, branch, m, rseq);

        } else if (ngx_ims_early_note(fw, branch, rseq) != NGX_OK) {
            return NGX_DONE;
        }
    }

    if (m->status != 199) {
        return NGX_OK;
    }

    /* RFC 6228: one branch is over, which is none of the browser's business */

    if (branch->known
        && ngx_ims_dialog_load(fw->pool, &branch->dialog, &d,
                               fw->worker->record)
           == NGX_OK
        && d.state == NGX_IMS_DIALOG_EARLY)
    {
        (void) ngx_ims_dialog_free(fw->pool, &d);
    }

    branch->known = 0;

    return NGX_DONE;
}


/* the early dialog of m, before anything is said in it */

static ngx_int_t
ngx_ims_early_record(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    ngx_ims_facts_t   f;
    ngx_ims_worker_t  *w;

    w = fw->worker;

    if (ngx_ims_forward_parse(w->saved, &fw->server->request) != NGX_OK
        || ngx_ims_call_facts(w, fw->session, fw->pool, &fw->binding,
                              fw->lease, &f)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_ims_early_dialog(fw, m, &w->saved->msg, &f);
}


void
ngx_ims_early_sdp(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m, ngx_str_t *sdp)
{
    ngx_ims_early_t   *early;
    ngx_ims_branch_t  *branch;

    *sdp = m->body;

    if (!ngx_ims_forward_has_sdp(m)) {
        sdp->len = 0;
    }

    if (fw->exchanged) {

        /* what comes behind the exchange says nothing new (13.2.1) */

        sdp->len = 0;
        return;
    }

    if (!fw->offered) {

        /* a plain answer with an offer cannot become a reliable one */

        if (fw->required && m->status < 200 && ngx_ims_route_rseq(m) == 0) {
            sdp->len = 0;
        }

        if (fw->initial && sdp->len && ngx_ims_route_rseq(m)) {
            fw->late = 1;
        }

        return;
    }

    early = fw->early;
    branch = early ? ngx_ims_early_branch(fw, &m->to.tag, 0) : NULL;

    if (branch == NULL) {
        return;
    }

    if (sdp->len) {
        early->media = branch;

        if (branch->sdp.len == sdp->len
            && ngx_memcmp(branch->sdp.data, sdp->data, sdp->len) == 0)
        {
            return;
        }

        branch->sdp.len = 0;

        if (early->kept + sdp->len <= NGX_IMS_EARLY_MAX_SDP
            && ngx_ims_early_text(fw, &branch->sdp, sdp) == NGX_OK)
        {
            early->kept += sdp->len;
        }

        return;
    }

    /*
     * It answered reliably before.  A browser that was not told so misses an
     * answer; and the helper may point to another branch.
     */

    if (m->status >= 200 && (fw->prack || early->media != branch)) {
        *sdp = branch->sdp;
        early->media = branch;
    }
}


ngx_int_t
ngx_ims_early_dialog(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f)
{
    ngx_int_t             rc;
    ngx_str_t             target;
    ngx_ims_dialog_t      d, old;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    if (m->status >= 300) {
        ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id,
                                    fw->up);
        return NGX_OK;
    }

    if (m->to.tag.len == 0) {
        return NGX_OK;
    }

    rc = ngx_ims_dialog_find(fw->pool, &fw->binding, &orig->call_id,
                             fw->up ? &orig->from.tag : &m->to.tag,
                             fw->up ? &m->to.tag : &orig->from.tag, &old,
                             w->record);

    if (rc == NGX_OK && (old.state == NGX_IMS_DIALOG_CONFIRMED
                         || m->status < 200))
    {
        ngx_ims_forward_contact(m, &target);

        if (fw->up && old.far_target.len == 0 && target.len) {
            ngx_ims_dialog_target(fw->pool, &old, 0, &target);
        }

        return NGX_OK;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    ngx_ims_early_fill(fw, m, orig, f, &e, &d);

    if (e.failed) {
        rc = NGX_ERROR;

    } else if (rc == NGX_OK) {
        d.ref = old.ref;
        rc = ngx_ims_dialog_confirm(fw->pool, &d);
        ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id,
                                    fw->up);

    } else {

        if (m->status >= 200) {
            ngx_ims_dialog_forget_early(fw->pool, &fw->binding, &fw->call_id,
                                        fw->up);
        }

        rc = ngx_ims_dialog_create(fw->pool, &d);
    }

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "too many dialogs of a browser of pool \"%V\"",
                      &fw->pool->name);

    } else if (rc != NGX_OK) {

        if (ngx_ims_limit_pool_full(w->limit)) {
            ngx_log_error(NGX_LOG_ERR, w->log, 0,
                          "zone of pool \"%V\" has no room for a dialog",
                          &fw->pool->name);
        }
    }

    if (rc != NGX_OK) {
        return m->status >= 200 ? NGX_ERROR : NGX_OK;
    }

    ngx_ims_early_known(fw, &m->to.tag, &d);
    ngx_ims_call_prefetch(fw->pool, &d.routes, &d.far_target);

    if (d.state == NGX_IMS_DIALOG_CONFIRMED) {
        fw->media = 0;
        (void) ngx_atomic_fetch_add(&fw->pool->zone.sh->counters.calls, 1);
    }

    return NGX_OK;
}


static void
ngx_ims_early_known(ngx_ims_forward_t *fw, ngx_ims_str_t *tag,
    ngx_ims_dialog_t *d)
{
    ngx_ims_branch_t  *branch;

    branch = ngx_ims_early_branch(fw, tag, 0);

    if (branch != NULL) {
        branch->dialog = d->ref;
        branch->known = 1;
    }
}


void
ngx_ims_early_fill(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_facts_t *f, ngx_ims_sip_edits_t *e,
    ngx_ims_dialog_t *d)
{
    ngx_str_t         core_id;
    ngx_ims_early_t  *early;

    ngx_memzero(d, sizeof(ngx_ims_dialog_t));

    d->binding = fw->binding;
    d->state = m->status >= 200 ? NGX_IMS_DIALOG_CONFIRMED
                                : NGX_IMS_DIALOG_EARLY;
    d->originated = fw->up;
    d->emergency = fw->emergency;
    d->plain = fw->plain;
    d->helper = fw->helper;
    d->media = (m->status >= 200 && fw->media);
    d->call_id = orig->call_id;

    if (fw->up) {
        d->routes = ngx_ims_route_set(e, m, 1, &f->r.token);
        d->cseq_up = m->cseq;
        d->offset_up = fw->offset;
        d->invite_up = fw->offset;

        ngx_ims_forward_value(orig, NGX_IMS_HDR_FROM, &d->web_id);
        ngx_ims_forward_value(m, NGX_IMS_HDR_FROM, &d->core_id);
        ngx_ims_forward_value(m, NGX_IMS_HDR_TO, &d->far_id);
        ngx_ims_forward_contact(orig, &d->web_target);
        ngx_ims_forward_contact(m, &d->far_target);

        early = fw->early;

        if (early != NULL
            && (early->shown.len != m->to.tag.len
                || ngx_memcmp(early->shown.data, m->to.tag.data,
                              m->to.tag.len)
                   != 0))
        {
            ngx_ims_forward_value(orig, NGX_IMS_HDR_TO, &core_id);
            d->shown_id = ngx_ims_sip_textf(e, "%.*s;tag=%.*s",
                                            (int) core_id.len, core_id.data,
                                            (int) early->shown.len,
                                            early->shown.data);
            d->merged = 1;
        }

        return;
    }

    d->routes = ngx_ims_route_set(e, orig, 0, &f->r.token);
    d->cseq_down = orig->cseq;

    ngx_ims_forward_value(m, NGX_IMS_HDR_TO, &d->web_id);
    ngx_ims_forward_value(orig, NGX_IMS_HDR_TO, &core_id);
    d->core_id = ngx_ims_sip_textf(e, "%.*s;tag=%.*s", (int) core_id.len,
                                   core_id.data, (int) m->to.tag.len,
                                   m->to.tag.data);
    ngx_ims_forward_value(orig, NGX_IMS_HDR_FROM, &d->far_id);
    ngx_ims_forward_contact(m, &d->web_target);
    ngx_ims_forward_contact(orig, &d->far_target);
}


void
ngx_ims_early_show(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_msg_t *orig, ngx_ims_route_t *r, ngx_ims_sip_edits_t *e)
{
    ngx_str_t         to;
    ngx_ims_early_t  *early;

    early = fw->early;

    if (early == NULL || m->status >= 300 || m->to.tag.len == 0) {
        return;
    }

    ngx_ims_forward_value(orig, NGX_IMS_HDR_TO, &to);

    r->to = ngx_ims_sip_textf(e, "%.*s;tag=%.*s", (int) to.len, to.data,
                              (int) early->shown.len, early->shown.data);

    if (ngx_ims_route_rseq(m) == 0) {
        return;
    }

    if (fw->prack) {
        ngx_ims_route_reliable(e, m, 0);

    } else if (early->racks != NULL) {

        /* what is passed on now was noted last */

        ngx_ims_route_reliable(e, m, early->racks->shown);
    }
}


void
ngx_ims_early_lose(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m,
    const char *reason)
{
    ngx_ims_facts_t       f;
    ngx_ims_dialog_t      d, old;
    ngx_ims_worker_t     *w;
    ngx_ims_branch_t     *branch;
    ngx_ims_sip_edits_t   e;

    w = fw->worker;

    if (m->to.tag.len == 0 || (!fw->up && fw->session == NULL)
        || ngx_ims_call_facts(w, fw->session, fw->pool, &fw->binding,
                              fw->lease, &f)
           != NGX_OK)
    {
        return;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    /* the request may be gone, but its answer says all that is needed here */

    ngx_ims_early_fill(fw, m, m, &f, &e, &d);

    ngx_ims_call_ack(w, fw->session, fw->pool, &d, fw->up, m->cseq);

    branch = fw->up ? ngx_ims_early_branch(fw, &m->to.tag, 1) : NULL;

    if (branch != NULL) {

        if (branch->ended) {
            return;
        }

        branch->ended = 1;

        /* what was said in it has counted on */

        if (branch->known
            && ngx_ims_dialog_load(fw->pool, &branch->dialog, &old, w->record)
               == NGX_OK)
        {
            d.cseq_up = ngx_max(d.cseq_up, old.cseq_up);
        }
    }

    ngx_ims_call_bye(w, fw->session, fw->pool, &d, fw->up, !fw->up, reason);
}
