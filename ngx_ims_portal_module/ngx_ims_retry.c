/*
 * Copyright (C) the IMS portal authors
 *
 * Challenges of the core to requests within sessions.  The nonce that was
 * answered last lies with the session and goes with it.
 */


#include "ngx_ims_retry.h"
#include "ngx_ims_secret.h"


static ngx_int_t ngx_ims_retry_secret(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *text, ngx_str_t *impi, ngx_ims_secret_t *secret);
static ngx_ims_digest_t *ngx_ims_retry_state(ngx_ims_session_t *s);
static ngx_int_t ngx_ims_retry_challenge(ngx_ims_retry_t *r,
    ngx_ims_digest_t *digest, ngx_ims_sip_msg_t *m, ngx_ims_secret_t *secret,
    ngx_str_t *impi);
static void ngx_ims_retry_line(ngx_ims_digest_t *digest,
    ngx_ims_secret_t *secret, ngx_str_t *impi, ngx_ims_sip_edits_t *e,
    ngx_ims_sip_msg_t *m, ngx_ims_str_t *uri);


static ngx_int_t
ngx_ims_retry_secret(ngx_ims_pool_t *pool, uint32_t lease, u_char *text,
    ngx_str_t *impi, ngx_ims_secret_t *secret)
{
    impi->data = text;
    impi->len = ngx_ims_pool_impi(pool, lease, text);

    return ngx_ims_secret_find(pool->core->secrets, impi, secret);
}


/* the session's kept challenge; NULL: no session, or no memory */

static ngx_ims_digest_t *
ngx_ims_retry_state(ngx_ims_session_t *s)
{
    if (s != NULL && s->challenge == NULL) {
        s->challenge = ngx_calloc(sizeof(ngx_ims_digest_t), s->worker->log);
    }

    return s ? s->challenge : NULL;
}


ngx_ims_txn_t *
ngx_ims_retry_send(ngx_ims_retry_t *r, ngx_ims_txn_t *t, ngx_ims_sip_msg_t *m,
    uint32_t cseq, ngx_ims_txn_response_pt handler, void *data)
{
    size_t                len;
    u_char                text[NGX_IMS_MAX_IMPU];
    u_char                branch[NGX_IMS_BRANCH_LEN];
    ngx_str_t             impi;
    ngx_ims_str_t         value;
    ngx_ims_txn_t        *client;
    ngx_ims_secret_t      secret;
    ngx_ims_digest_t      own, *digest;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_msg_t    *old;
    ngx_ims_sip_edits_t   e;

    w = r->worker;
    old = &w->saved->msg;

    if (r->pool->core->secrets == NULL) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core \"%V\" challenged a request of a trusted node",
                      &r->pool->core->name);
        return NULL;
    }

    if (ngx_ims_retry_secret(r->pool, r->lease, text, &impi, &secret)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "no secret of \"%V\" for core \"%V\"", &impi,
                      &r->pool->core->name);
        return NULL;
    }

    digest = ngx_ims_retry_state(r->session);

    if (digest == NULL) {
        ngx_memzero(&own, offsetof(ngx_ims_digest_t, text));
        digest = &own;
    }

    if (ngx_ims_retry_challenge(r, digest, m, &secret, &impi) != NGX_OK
        || ngx_ims_sip_parse(old, t->request.data, t->request.len,
                             w->saved->hdrs, NGX_IMS_SIP_MAX_HEADERS, 1)
           != NGX_IMS_OK)
    {
        return NULL;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    ngx_ims_txn_branch(w->txns, branch);
    value.data = branch;
    value.len = NGX_IMS_BRANCH_LEN;
    ngx_ims_sip_replace(&e, old, &old->via.branch, value);

    value = ngx_ims_sip_textf(&e, "%lu %.*s",
                              (unsigned long) (cseq ? cseq : old->cseq + 1),
                              (int) old->method_name.len,
                              old->method_name.data);
    ngx_ims_sip_replace(&e, old, &ngx_ims_sip_hdr(old,
                                                  NGX_IMS_HDR_CSEQ)->value,
                        value);

    ngx_ims_retry_line(digest, &secret, &impi, &e, old, &old->uri);

    if (ngx_ims_sip_splice(&e, old, w->out, w->out_size, &len)
        != NGX_IMS_OK)
    {
        return NULL;
    }

    client = ngx_ims_txn_client(w->txns, &t->flow, t->method, branch, w->out,
                                len, handler, data);

    if (client != NULL) {
        r->tries++;
    }

    return client;
}


/* once per nonce, and again when only that was too old (RG-10) */

static ngx_int_t
ngx_ims_retry_challenge(ngx_ims_retry_t *r, ngx_ims_digest_t *digest,
    ngx_ims_sip_msg_t *m, ngx_ims_secret_t *secret, ngx_str_t *impi)
{
    ngx_ims_core_t  *core;

    core = r->pool->core;

    if (ngx_ims_digest_challenge(digest, m, secret, &core->realm)
        != NGX_IMS_DIGEST_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->worker->log, 0,
                      "challenge of core \"%V\" does not suit the secret "
                      "of \"%V\"", &core->name, impi);
        return NGX_ERROR;
    }

    if (r->tries >= NGX_IMS_RETRY_MAX
        || (r->tries && !digest->stale && !digest->sync))
    {
        ngx_log_error(NGX_LOG_ERR, r->worker->log, 0,
                      "core \"%V\" refuses the secret of \"%V\"", &core->name,
                      impi);
        ngx_memzero(digest, offsetof(ngx_ims_digest_t, text));
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* other credentials go, ours come */

static void
ngx_ims_retry_line(ngx_ims_digest_t *digest, ngx_ims_secret_t *secret,
    ngx_str_t *impi, ngx_ims_sip_edits_t *e, ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *uri)
{
    size_t                     len;
    u_char                     line[NGX_IMS_DIGEST_LINE];
    ngx_ims_str_t              text;
    ngx_ims_digest_request_t   request;

    ngx_memzero(&request, sizeof(ngx_ims_digest_request_t));

    request.method = m->method_name;
    request.uri = *uri;
    request.impi = *impi;

    if (ngx_ims_digest_credentials(digest, secret, &request, line,
                                   sizeof(line), &len)
        != NGX_IMS_DIGEST_OK)
    {
        return;
    }

    (void) ngx_ims_sip_remove(e, m, NGX_IMS_HDR_AUTHORIZATION);
    (void) ngx_ims_sip_remove(e, m, NGX_IMS_HDR_PROXY_AUTHORIZATION);

    text = ngx_ims_sip_textf(e, "%.*s", (int) len, line);
    ngx_ims_sip_insert_end(e, m, text);
}


void
ngx_ims_retry_ahead(ngx_ims_session_t *s, ngx_ims_sip_edits_t *e,
    ngx_ims_sip_msg_t *m, ngx_ims_str_t *uri)
{
    u_char             text[NGX_IMS_MAX_IMPU];
    ngx_str_t          impi;
    ngx_ims_digest_t  *digest;
    ngx_ims_secret_t   secret;

    digest = s ? s->challenge : NULL;

    if (digest == NULL || digest->hash == NGX_IMS_DIGEST_NONE
        || digest->sync
        || ngx_ims_retry_secret(s->pool, s->lease, text, &impi, &secret)
           != NGX_OK)
    {
        return;
    }

    ngx_ims_retry_line(digest, &secret, &impi, e, m, uri);
}


void
ngx_ims_retry_next(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    if (s != NULL && s->challenge != NULL) {
        ngx_ims_digest_next(s->challenge, m);
    }
}
