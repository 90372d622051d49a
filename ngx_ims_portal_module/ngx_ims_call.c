/*
 * Copyright (C) the IMS portal authors
 *
 * Calls: the facts for the policy, the helper's part, the end.
 */


#include "ngx_ims_call.h"
#include "ngx_ims_loop.h"


static void ngx_ims_call_first_hop(ngx_str_t *routes, ngx_str_t *target,
    ngx_ims_str_t *uri);
static u_char *ngx_ims_call_quote(ngx_str_t *text, u_char *p);
static u_char *ngx_ims_call_host(ngx_ims_core_listen_t *local, u_char *p);
static void ngx_ims_call_stateless_tag(ngx_ims_sip_msg_t *m, u_char *out);
static void ngx_ims_call_bye_response(void *data, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);


void
ngx_ims_call_tag(ngx_ims_worker_t *w, u_char *out)
{
    ngx_ims_txn_random(w->txns, out);
}


ngx_int_t
ngx_ims_call_facts(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, uint32_t lease,
    ngx_ims_facts_t *f)
{
    u_char                 *p;
    ngx_ims_route_t        *r;
    ngx_ims_core_listen_t  *edge;

    ngx_memzero(f, sizeof(ngx_ims_facts_t));
    r = &f->r;

    r->impu.data = f->impu;
    r->impu.len = ngx_ims_pool_impu(pool, lease, f->impu);

    if (r->impu.len == 0) {
        return NGX_ERROR;
    }

    edge = pool->core->edge;

    p = ngx_ims_call_host(edge, f->edge);

    if (edge->transport == NGX_IMS_TCP) {
        p = ngx_cpymem(p, ";transport=tcp", 14);

    } else if (edge->transport == NGX_IMS_TLS) {
        p = ngx_cpymem(p, ";transport=tls", 14);
    }

    r->edge.data = f->edge;
    r->edge.len = p - f->edge;

    if (s != NULL && s->bound && s->pool == pool
        && s->binding.index == binding->index
        && s->binding.seq == binding->seq)
    {
        ngx_memcpy(f->token, s->token, NGX_IMS_TOKEN_LEN);

    } else {
        ngx_ims_binding_token(pool, binding, f->token);
    }

    r->token.data = f->token;
    r->token.len = NGX_IMS_TOKEN_LEN;

    ngx_ims_txn_branch(w->txns, f->branch);
    r->branch.data = f->branch;
    r->branch.len = NGX_IMS_BRANCH_LEN;

    r->access.data = pool->core->access.data;
    r->access.len = pool->core->access.len;

    ngx_ims_call_tag(w, f->icid);
    p = f->icid + 16;
    *p++ = '@';
    p = ngx_cpymem(p, edge->host.data, ngx_min(edge->host.len, 255));
    r->icid.data = f->icid;
    r->icid.len = p - f->icid;

    if (s != NULL) {
        r->web.data = s->host.data;
        r->web.len = s->host.len;
        r->web_transport.data = (u_char *) (s->tls ? "WSS" : "WS");
        r->web_transport.len = s->tls ? 3 : 2;

        if (s->known && s->grant->name.len) {
            r->name.data = f->name;
            r->name.len = ngx_ims_call_quote(&s->grant->name, f->name)
                          - f->name;
        }
    }

    return NGX_OK;
}


/* a quoted-string (RFC 3261 25.1) of a text without control characters */

static u_char *
ngx_ims_call_quote(ngx_str_t *text, u_char *p)
{
    size_t  i;

    *p++ = '"';

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '"' || text->data[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = text->data[i];
    }

    *p++ = '"';

    return p;
}


void
ngx_ims_call_via(ngx_ims_pool_t *pool, ngx_ims_flow_t *flow,
    ngx_ims_facts_t *f)
{
    u_char                 *p;
    ngx_ims_core_listen_t  *local;

    local = ngx_ims_core_local(pool->core, flow->transport,
                               flow->sockaddr.sockaddr.sa_family);
    if (local == NULL) {
        local = pool->core->edge;
    }

    p = ngx_ims_call_host(local, f->via);

    f->r.via.data = f->via;
    f->r.via.len = p - f->via;
    f->r.transport = *ngx_ims_core_transport(flow->transport);
}


static u_char *
ngx_ims_call_host(ngx_ims_core_listen_t *local, u_char *p)
{
    p = ngx_cpymem(p, local->host.data, ngx_min(local->host.len, 255));

    return ngx_sprintf(p, ":%ui", (ngx_uint_t) local->port);
}


/* the URI of the first of some routes, or the target when there is none */

static void
ngx_ims_call_first_hop(ngx_str_t *routes, ngx_str_t *target,
    ngx_ims_str_t *uri)
{
    u_char  *p, *last;

    uri->data = target->data;
    uri->len = target->len;

    if (routes->len) {
        p = ngx_strlchr(routes->data, routes->data + routes->len, '<');
        last = p ? ngx_strlchr(p, routes->data + routes->len, '>') : NULL;

        if (last != NULL) {
            uri->data = p + 1;
            uri->len = last - p - 1;
        }
    }
}


ngx_uint_t
ngx_ims_call_local(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d)
{
    ngx_ims_str_t  uri;

    ngx_ims_call_first_hop(&d->routes, &d->far_target, &uri);

    return !d->media && uri.len && ngx_ims_loop_self(pool->core, &uri);
}


ngx_int_t
ngx_ims_call_next_hop(ngx_ims_pool_t *pool, ngx_str_t *routes,
    ngx_str_t *target, ngx_ims_flow_t *flow)
{
    uint64_t  tried;

    tried = 0;

    return ngx_ims_call_hop(pool, routes, target, &tried, flow);
}


void
ngx_ims_call_prefetch(ngx_ims_pool_t *pool, ngx_str_t *routes,
    ngx_str_t *target)
{
    ngx_ims_str_t  uri;

    ngx_ims_call_first_hop(routes, target, &uri);

    if (uri.len) {
        ngx_ims_core_prefetch(pool->core, &uri);
    }
}


ngx_int_t
ngx_ims_call_hop(ngx_ims_pool_t *pool, ngx_str_t *routes, ngx_str_t *target,
    uint64_t *tried, ngx_ims_flow_t *flow)
{
    ngx_ims_str_t  uri;

    ngx_ims_call_first_hop(routes, target, &uri);

    if (uri.len && ngx_ims_loop_self(pool->core, &uri)) {
        ngx_ims_loop_flow(pool->core, flow);
        return NGX_OK;
    }

    return ngx_ims_core_hop(pool->core, &uri, tried, flow);
}


/* the next URI in angle brackets behind p, or NULL */

static u_char *
ngx_ims_call_next_uri(u_char *p, u_char *last, ngx_str_t *uri)
{
    u_char  *end;

    p = ngx_strlchr(p, last, '<');
    end = p ? ngx_strlchr(p, last, '>') : NULL;

    if (end == NULL) {
        return NULL;
    }

    uri->data = p + 1;
    uri->len = end - p - 1;

    return end;
}


void
ngx_ims_call_wildcard(ngx_str_t *associated, ngx_str_t *wildcard)
{
    u_char  *p, *last;

    last = associated->data + associated->len;

    for (p = associated->data;
         p != NULL && (p = ngx_ims_call_next_uri(p, last, wildcard)) != NULL;
         /* void */ )
    {
        if (ngx_strlchr(wildcard->data, wildcard->data + wildcard->len, '!')
            != NULL)
        {
            return;
        }
    }

    ngx_str_null(wildcard);
}


void
ngx_ims_call_alias(ngx_str_t *associated, ngx_ims_str_t *alias)
{
    u_char     *p, *last;
    ngx_str_t   uri;

    alias->len = 0;
    alias->data = NULL;

    last = associated->data + associated->len;

    for (p = associated->data;
         p != NULL && (p = ngx_ims_call_next_uri(p, last, &uri)) != NULL;
         /* void */ )
    {
        /* a wildcard stands for many and is nobody's name */

        if (uri.len > 4
            && ngx_strncasecmp(uri.data, (u_char *) "tel:", 4) == 0
            && ngx_strlchr(uri.data, uri.data + uri.len, '!') == NULL)
        {
            alias->data = uri.data;
            alias->len = uri.len;
            return;
        }
    }
}


void
ngx_ims_call_media_id(ngx_ims_str_t *call_id, ngx_ims_ref_t *binding,
    ngx_uint_t originated, u_char *out, ngx_str_t *id)
{
    u_char  *p;

    p = ngx_cpymem(out, call_id->data, call_id->len);
    p = ngx_sprintf(p, "~%08xD%c", binding->index, originated ? 'o' : 't');

    id->data = out;
    id->len = p - out;
}


void
ngx_ims_call_media_delete(ngx_ims_worker_t *w, ngx_ims_str_t *call_id,
    ngx_ims_ref_t *binding, ngx_uint_t originated, ngx_int_t helper)
{
    u_char               id[1024];
    ngx_ims_media_cmd_t  cmd;

    if (w->media == NULL || call_id->len > sizeof(id) - 10) {
        return;
    }

    ngx_memzero(&cmd, sizeof(ngx_ims_media_cmd_t));

    cmd.command = NGX_IMS_MEDIA_DELETE;
    cmd.helper = helper;
    ngx_ims_call_media_id(call_id, binding, originated, id, &cmd.call_id);

    (void) ngx_ims_media_send(w->media, &cmd, NULL, NULL);
}


ngx_uint_t
ngx_ims_call_end(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d)
{
    if (ngx_ims_dialog_free(pool, d) != NGX_OK) {
        return 0;
    }

    if (d->media) {
        ngx_ims_call_media_delete(w, &d->call_id,
                                  &d->binding, d->originated, d->helper);
    }

    return 1;
}


ngx_uint_t
ngx_ims_call_over(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d)
{
    if (ngx_ims_dialog_uncall(pool, d) != NGX_OK) {
        return ngx_ims_call_end(w, pool, d);
    }

    if (d->media) {
        ngx_ims_call_media_delete(w, &d->call_id,
                                  &d->binding, d->originated, d->helper);
    }

    return 1;
}


void
ngx_ims_call_bye(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_dialog_t *d, ngx_uint_t up, ngx_uint_t down,
    const char *reason)
{
    size_t            len;
    u_char            line[256];
    uint32_t          cseq;

    /* what is subscribed to in the dialog goes on, and counts on from there */

    if (up) {
        cseq = ngx_ims_dialog_speak(pool, d, 1);

        *ngx_snprintf(line, sizeof(line) - 1, "Reason: %s" CRLF, reason)
            = '\0';

        (void) ngx_ims_call_own(w, pool, d, "BYE",
                                cseq ? cseq : d->cseq_up + 1, (char *) line,
                                ngx_ims_call_bye_response, w);
    }

    if (down && s != NULL) {
        len = ngx_ims_call_bye_text(w, pool, d, s->tls ? "WSS" : "WS",
                                    &s->host, reason);

        if (len) {
            (void) ngx_ims_session_send(s, w->out, len);
        }
    }
}


size_t
ngx_ims_call_bye_text(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d, const char *transport, ngx_str_t *host,
    const char *reason)
{
    u_char    *p, *last;
    u_char     branch[NGX_IMS_BRANCH_LEN];
    uint32_t   cseq;

    if (d->web_target.len == 0) {
        return 0;
    }

    cseq = ngx_ims_dialog_speak(pool, d, 0);

    ngx_ims_txn_branch(w->txns, branch);

    last = w->out + w->out_size;

    p = ngx_slprintf(w->out, last,
                     "BYE %V SIP/2.0" CRLF
                     "Via: SIP/2.0/%s %V;branch=%*s" CRLF
                     "Max-Forwards: 70" CRLF
                     "From: %V" CRLF
                     "To: %V" CRLF
                     "Call-ID: %V" CRLF
                     "CSeq: %uD BYE" CRLF
                     "Reason: %s" CRLF
                     "Content-Length: 0" CRLF CRLF,
                     &d->web_target, transport, host,
                     (size_t) NGX_IMS_BRANCH_LEN, branch,
                     d->shown_id.len ? &d->shown_id : &d->far_id,
                     &d->web_id, &d->call_id,
                     cseq ? cseq : d->cseq_down + 1, reason);

    return p - w->out;
}


/* nobody waits for the answer to a BYE of ours; retransmission is the point */

static void
ngx_ims_call_bye_response(void *data, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_worker_t  *w;

    w = data;

    if (m == NULL) {
        ngx_log_error(NGX_LOG_ERR, w->log, rc == NGX_BUSY ? NGX_ETIMEDOUT : 0,
                      "core did not answer BYE");
    }
}


ngx_uint_t
ngx_ims_call_end_one(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, const char *reason)
{
    ngx_ims_dialog_t  d;

    if (ngx_ims_dialog_first(pool, binding, &d, w->record) != NGX_OK) {
        return 0;
    }

    if (d.state == NGX_IMS_DIALOG_CONFIRMED && !d.events) {
        ngx_ims_call_bye(w, s, pool, &d, 1, s != NULL, reason);
    }

    return ngx_ims_call_end(w, pool, &d);
}


void
ngx_ims_call_end_all(ngx_ims_worker_t *w, ngx_ims_session_t *s,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *binding, const char *reason)
{
    while (ngx_ims_call_end_one(w, s, pool, binding, reason)) {
        /* void */
    }
}


void
ngx_ims_call_end_ordinary(ngx_ims_session_t *s, const char *reason)
{
    ngx_ims_dialog_t  d;

    while (ngx_ims_dialog_first_ordinary(s->pool, &s->binding, &d,
                                         s->worker->record)
           == NGX_OK)
    {
        if (d.state == NGX_IMS_DIALOG_CONFIRMED && !d.events) {
            ngx_ims_call_bye(s->worker, s, s->pool, &d, 1, 1, reason);
        }

        if (!ngx_ims_call_end(s->worker, s->pool, &d)) {
            return;
        }
    }
}


void
ngx_ims_call_forget_early(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding)
{
    ngx_int_t         rc;
    ngx_uint_t        n;
    ngx_ims_str_t     call_id;
    ngx_ims_dialog_t  d;

    for (n = 0; n < NGX_IMS_DIALOG_MAX; n++) {
        rc = ngx_ims_dialog_first_early(pool, binding, &d, w->record);

        if (rc == NGX_DECLINED) {
            return;
        }

        call_id = d.call_id;

        if (rc == NGX_OK) {
            ngx_ims_call_media_delete(w, &call_id, binding, d.originated,
                                      d.helper);
        }

        ngx_ims_dialog_forget_early(pool, binding, &call_id, d.originated);
    }
}


void
ngx_ims_call_recount(ngx_ims_session_t *s)
{
    s->ncalls = s->bound ? ngx_ims_dialog_count(s->pool, &s->binding) : 0;

    ngx_ims_session_settle(s);
}


/*
 * A refusal without a transaction repeats itself with the same To tag (RFC 3261
 * 8.2.7): it is made of what a repetition has in common.
 */

static void
ngx_ims_call_stateless_tag(ngx_ims_sip_msg_t *m, u_char *out)
{
    uint32_t  a, b;

    ngx_crc32_init(a);
    ngx_crc32_update(&a, m->call_id.data, m->call_id.len);
    ngx_crc32_update(&a, m->via.branch.data, m->via.branch.len);
    ngx_crc32_final(a);

    ngx_crc32_init(b);
    ngx_crc32_update(&b, m->from.tag.data, m->from.tag.len);
    ngx_crc32_update(&b, m->uri.data, m->uri.len);
    ngx_crc32_final(b);

    (void) ngx_sprintf(out, "%08xD%08xD", a, b ^ m->cseq);
}


void
ngx_ims_call_refuse(ngx_ims_worker_t *w, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t status, const char *extra)
{
    ngx_ims_call_refuse_body(w, flow, m, status, extra, NULL);
}


void
ngx_ims_call_refuse_body(ngx_ims_worker_t *w, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m, ngx_uint_t status, const char *extra,
    ngx_ims_str_t *body)
{
    size_t         len;
    u_char         tag[16];
    ngx_ims_str_t  to_tag;

    if (m->status || m->method == NGX_IMS_SIP_ACK) {
        return;
    }

    ngx_ims_call_stateless_tag(m, tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_sip_reply(m, status, NULL, &to_tag, extra, body, w->out,
                          w->out_size, &len)
        == NGX_IMS_OK)
    {
        (void) flow->send(flow, w->out, len);
    }
}
