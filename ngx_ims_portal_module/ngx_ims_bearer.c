/*
 * Copyright (C) the IMS portal authors
 *
 * The Bearer token of a SIP request: RFC 8898, and the spelling of TS 24.371.
 */


#include "ngx_ims_bearer.h"


static ngx_ims_sip_hdr_t *ngx_ims_bearer_header(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_bearer_token(ngx_ims_sip_hdr_t *h, ngx_ims_str_t *token);
static ngx_int_t ngx_ims_bearer_lasts(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_bearer_wake(void *data);
static void ngx_ims_bearer_refused(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_token_t *t);


ngx_int_t
ngx_ims_bearer_check(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_int_t           rc;
    ngx_ims_str_t       token;
    ngx_ims_token_t     t;
    ngx_ims_waiter_t    waiter;
    ngx_ims_sip_hdr_t  *h;

    h = ngx_ims_bearer_header(s, m);

    if (h == NULL) {

        if (s->known) {
            return ngx_ims_bearer_lasts(s, m);
        }

        ngx_ims_bearer_challenge(s, m, 401, NULL);
        return NGX_DECLINED;
    }

    ngx_ims_bearer_token(h, &token);

    waiter.handler = ngx_ims_bearer_wake;
    waiter.data = s;
    waiter.slot = &s->waiting;
    waiter.log = s->connection->log;

    rc = ngx_ims_token_check(&s->policy->token, &token, &waiter, &t);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client sent a token that is refused: %s", t.error);
        ngx_ims_bearer_refused(s, m, &t);
        return NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        rc = ngx_ims_session_identify(s, &t.grant);

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "client sent a token of another user, \"%V\"",
                          &t.grant.subject);
        }

        ngx_ims_token_free(&t);
    }

    if (rc == NGX_BUSY) {
        ngx_ims_session_limited(s, NGX_IMS_LIMITED_USER_SOCKETS);
        ngx_ims_call_refuse(s->worker, &s->flow, m, 480,
                            "Warning: 399 portal \"too many sockets\"" CRLF
                            "Retry-After: 30" CRLF);
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        ngx_ims_bearer_challenge(s, m, rc == NGX_DECLINED ? 403 : 500, NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_ims_sip_hdr_t *
ngx_ims_bearer_header(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_ims_sip_hdr_t  *h;

    if (!(s->policy->auth & NGX_IMS_AUTH_SIP)) {
        return NULL;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_AUTHORIZATION);

    if (h == NULL) {
        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_PROXY_AUTHORIZATION);
    }

    /* an unknown scheme is no credentials at all */

    if (h == NULL || h->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ", 7) != 0)
    {
        return NULL;
    }

    return h;
}


/* both spellings: RFC 8898 and TS 24.371 A.3.2 (RG-1) */

static void
ngx_ims_bearer_token(ngx_ims_sip_hdr_t *h, ngx_ims_str_t *token)
{
    u_char         *p, *last;
    ngx_ims_str_t   params;

    p = h->value.data + 7;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    token->data = p;
    token->len = last - p;
    params = *token;

    if (ngx_ims_sip_param(&params, "access_token", token)
        && token->len >= 2 && token->data[0] == '"')
    {
        token->data++;
        token->len -= 2;
    }
}


/*
 * A request without a token lives on the one of the session; what belongs to a
 * running call passes behind its end, too.
 */

static ngx_int_t
ngx_ims_bearer_lasts(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    if (!s->expired || m->to.tag.len || ngx_ims_session_renew(s)) {
        return NGX_OK;
    }

    if (s->policy->auth & NGX_IMS_AUTH_SIP) {
        ngx_ims_bearer_challenge(s, m, 401, "invalid_token");
        return NGX_DECLINED;
    }

    /* nothing that SIP could mend: the page needs another socket */

    ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                        "Warning: 399 portal \"token ended\"" CRLF);

    return NGX_DECLINED;
}


/* the request that waits is looked at again, with all behind it */

static void
ngx_ims_bearer_wake(void *data)
{
    ngx_ims_session_t  *s;

    s = data;
    s->worker->wake(s);
}


/*
 * A scope that is missing is asked for (RFC 8898 4); what else a good token
 * does not allow is said in words, another one of the same login would not
 * help.
 */

static void
ngx_ims_bearer_refused(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_token_t *t)
{
    u_char  extra[256];

    if (t->status != 403) {
        ngx_ims_bearer_challenge(s, m, t->status, t->code);
        return;
    }

    if (s->policy->token.claims->scope.len && t->code != NULL
        && ngx_strcmp(t->code, "insufficient_scope") == 0)
    {
        ngx_ims_bearer_challenge(s, m, 401, "invalid_scope");
        return;
    }

    *ngx_snprintf(extra, sizeof(extra) - 1,
                  "Warning: 399 portal \"%s\"" CRLF, t->error) = '\0';

    ngx_ims_call_refuse(s->worker, &s->flow, m, 403, (char *) extra);
}


/* RFC 8898 2.2 and 4: 401, or 407 where a proxy asks (RG-2, RG-4) */

void
ngx_ims_bearer_challenge(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_uint_t status, const char *error)
{
    u_char        *p, *last, tag[16], extra[1024];
    size_t         len;
    ngx_uint_t     proxy;
    ngx_ims_str_t  to_tag;

    if (m->method == NGX_IMS_SIP_ACK || m->method == NGX_IMS_SIP_CANCEL) {
        return;
    }

    p = extra;
    last = extra + sizeof(extra) - 1;

    proxy = (m->method != NGX_IMS_SIP_REGISTER);

    if (status == 401) {
        p = ngx_slprintf(p, last, "%s: Bearer realm=\"%V\"",
                         proxy ? "Proxy-Authenticate" : "WWW-Authenticate",
                         &s->pool->core->home_domain);

        if (s->policy->authz_server.len) {
            p = ngx_slprintf(p, last, ", authz_server=\"%V\"",
                             &s->policy->authz_server);
        }

        if (error != NULL) {
            p = ngx_slprintf(p, last, ", error=\"%s\"", error);
        }

        if (error != NULL && s->policy->token.claims->scope.len
            && ngx_strcmp(error, "invalid_scope") == 0)
        {
            p = ngx_slprintf(p, last, ", scope=\"%V\"",
                             &s->policy->token.claims->scope);
        }

        p = ngx_slprintf(p, last, CRLF);
        status = proxy ? 407 : 401;
    }

    if (status == 503) {
        p = ngx_slprintf(p, last, "Retry-After: 5" CRLF);
    }

    *p = '\0';

    ngx_ims_call_tag(s->worker, tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_sip_reply(m, status, NULL, &to_tag, (char *) extra, NULL,
                          s->worker->out, s->worker->out_size, &len)
        == NGX_IMS_OK)
    {
        (void) ngx_ims_session_send(s, s->worker->out, len);
    }
}
