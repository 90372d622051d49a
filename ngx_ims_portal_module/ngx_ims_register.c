/*
 * Copyright (C) the IMS portal authors
 *
 * A browser's REGISTER is answered at once from the record when the core's
 * registration is good; else it waits for the portal's own.
 *
 * Timers: the grace time of a lost binding, one ngx_ims_linger_t each, not
 * cancelable, so that an old worker stays until it has cleaned up.
 */


#include "ngx_ims_register.h"


#define NGX_IMS_REGISTER_DEFAULT  600         /* s, when the browser asks none */
#define NGX_IMS_REGISTER_MARGIN   5           /* s before the core's expiry */
#define NGX_IMS_REGISTER_AGAIN    10000       /* ms until a new try */


/* the browser's REGISTER that waits for the core; session->registering */

typedef struct {
    ngx_ims_txn_t            *server;         /* NULL: a refresh of ours */
    ngx_ims_session_t        *session;        /* NULL: the socket is gone */
    time_t                    asked;          /* s, by the browser */
    ngx_uint_t                refs;           /* transaction, upstream */
} ngx_ims_wait_t;


typedef struct {
    ngx_event_t               timer;
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    uint32_t                  lease;
} ngx_ims_linger_t;


static void ngx_ims_register_challenge(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_uint_t status, const char *error);
static ngx_int_t ngx_ims_register_lease(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_register_identity(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_register_bind(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact);
static ngx_int_t ngx_ims_register_contact(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_sip_addr_t *contact, time_t *expires);
static void ngx_ims_register_start(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, time_t asked, time_t upstream);
static void ngx_ims_register_done(void *data, ngx_ims_uac_result_t *result);
static void ngx_ims_register_unref(ngx_ims_wait_t *wait);
static ngx_uint_t ngx_ims_register_status(ngx_uint_t status);
static void ngx_ims_register_failed(ngx_ims_session_t *s);
static size_t ngx_ims_register_keep(ngx_ims_session_t *s, u_char *p,
    size_t size, size_t len);
static void ngx_ims_register_server(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_register_answer(ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m, ngx_ims_txn_t *t, ngx_uint_t status, time_t expires);
static u_char *ngx_ims_register_params(ngx_ims_str_t *params, u_char *p,
    u_char *last);
static void ngx_ims_register_clock(ngx_ims_session_t *s, time_t granted);
static time_t ngx_ims_register_cap(ngx_ims_session_t *s, time_t expires);
static void ngx_ims_register_linger(ngx_event_t *ev);
static void ngx_ims_register_gone(void *data, ngx_ims_uac_result_t *result);


static ngx_ims_register_moved_pt  ngx_ims_register_moved;


void
ngx_ims_register_init(ngx_ims_register_moved_pt moved)
{
    ngx_ims_register_moved = moved;
}


ngx_int_t
ngx_ims_register_bearer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    u_char                 *p, *last;
    ngx_int_t               rc;
    ngx_ims_str_t           token, params, user;
    ngx_ims_jwt_t          *jwt;
    ngx_ims_sip_hdr_t      *h;
    ngx_ims_jwt_check_t     check;
    ngx_ims_jwt_result_e    result;

    h = NULL;

    if (s->policy->auth & NGX_IMS_AUTH_SIP) {
        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_AUTHORIZATION);

        if (h == NULL) {
            h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_PROXY_AUTHORIZATION);
        }
    }

    /* an unknown scheme is no credentials at all */

    if (h == NULL || h->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ", 7) != 0)
    {
        if (s->known) {
            return NGX_OK;
        }

        ngx_ims_register_challenge(s, m, 401, NULL);
        return NGX_DECLINED;
    }

    /* both spellings: RFC 8898 and TS 24.371 A.3.2 (RG-1) */

    p = h->value.data + 7;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    token.data = p;
    token.len = last - p;
    params = token;

    if (ngx_ims_sip_param(&params, "access_token", &token)
        && token.len >= 2 && token.data[0] == '"')
    {
        token.data++;
        token.len -= 2;
    }

    ngx_memzero(&check, sizeof(ngx_ims_jwt_check_t));
    check.keys = s->policy->keys;
    check.issuer = s->policy->issuer;
    check.audience = s->policy->audience;
    check.now = ngx_time();
    check.leeway = s->policy->leeway;

    result = ngx_ims_jwt_verify(&token, &check, &jwt);

    if (result != NGX_IMS_JWT_OK) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client sent a token that is refused: %s",
                      ngx_ims_jwt_error(result));
        ngx_ims_register_challenge(s, m, 401, "invalid_token");
        return NGX_DECLINED;
    }

    rc = ngx_ims_session_identify(s, jwt);

    if (rc == NGX_DECLINED) {
        user = ngx_ims_jwt_subject(jwt);
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client sent a token of another user, \"%V\"",
                      &user);
    }

    ngx_ims_jwt_free(jwt);

    if (rc != NGX_OK) {
        ngx_ims_register_challenge(s, m, rc == NGX_DECLINED ? 403 : 500, NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* RFC 8898 2.2 and 4: 401, or 407 where a proxy asks (RG-2, RG-4) */

static void
ngx_ims_register_challenge(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
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

        p = ngx_slprintf(p, last, CRLF);
        status = proxy ? 407 : 401;
    }

    *p = '\0';

    ngx_ims_call_tag(tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_sip_reply(m, status, NULL, &to_tag, (char *) extra, NULL,
                          s->worker->out, s->worker->out_size, &len)
        == NGX_IMS_OK)
    {
        (void) ngx_ims_session_send(s, s->worker->out, len);
    }
}


void
ngx_ims_register_request(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    time_t              expires, now;
    ngx_ims_binding_t   b;
    ngx_ims_sip_addr_t  contact;

    if (ngx_ims_register_bearer(s, m) != NGX_OK
        || ngx_ims_register_lease(s, m) != NGX_OK
        || ngx_ims_register_identity(s, m) != NGX_OK)
    {
        return;
    }

    now = ngx_time();

    if (!ngx_ims_sip_hdr(m, NGX_IMS_HDR_CONTACT)) {

        /* a fetch (RFC 3261 10.2.3) */

        expires = s->registered ? s->expires - now : 0;
        ngx_ims_register_answer(s, m, NULL, 200, ngx_max(expires, 0));
        return;
    }

    if (ngx_ims_register_contact(s, m, &contact, &expires) != NGX_OK) {
        ngx_ims_register_answer(s, m, NULL, 400, 0);
        return;
    }

    if (expires == 0 && !s->bound) {
        ngx_ims_register_answer(s, m, NULL, 200, 0);
        return;
    }

    if (expires && ngx_ims_register_bind(s, m, &contact) != NGX_OK) {
        return;
    }

    if (s->registering != NULL) {

        /* one at a time: the earlier one is answered by the same result */

        ngx_ims_register_answer(s, m, NULL, 500, 0);
        return;
    }

    if (expires == 0) {
        s->registered = 0;
        ngx_ims_register_start(s, m, 0, 0);
        return;
    }

    expires = ngx_ims_register_cap(s, expires);

    if (expires <= 0) {
        ngx_ims_register_challenge(s, m, 401, "invalid_token");
        return;
    }

    if (ngx_ims_binding_load(s->pool, &s->binding, &b, s->worker->record)
        == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED
        && b.expires > now + NGX_IMS_REGISTER_MARGIN)
    {
        s->registered = 1;
        s->expires = now + expires;
        ngx_ims_register_clock(s, b.expires - now);
        ngx_ims_call_recount(s);
        ngx_ims_register_answer(s, m, NULL, 200, expires);
        return;
    }

    ngx_ims_register_start(s, m, expires,
                           ngx_ims_register_cap(s,
                                                s->policy->register_expires));
}


/* RG-13: nothing outlives the token */

static time_t
ngx_ims_register_cap(ngx_ims_session_t *s, time_t expires)
{
    time_t  left;

    left = s->token_expires - s->policy->leeway - ngx_time();

    return ngx_min(expires, left);
}


static ngx_int_t
ngx_ims_register_lease(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    u_char      retry[64];
    ngx_int_t   rc;
    ngx_uint_t  fresh;

    rc = ngx_ims_pool_lease(s->pool, s->digest, &s->lease, &fresh,
                            s->connection->log);

    if (rc == NGX_OK) {
        s->leased = 1;
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                  "IMPU pool \"%V\" is exhausted", &s->pool->name);

    *ngx_sprintf(retry, "Retry-After: %T" CRLF,
                 ngx_ims_pool_retry_after(s->pool)) = '\0';

    ngx_ims_call_refuse(s->worker, &s->flow, m, 503, (char *) retry);

    return NGX_DECLINED;
}


/* RG-5: To and From are the assigned identity, or the request is refused */

static ngx_int_t
ngx_ims_register_identity(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    u_char         text[NGX_IMS_MAX_IMPU];
    ngx_ims_str_t  impu;

    impu.data = text;
    impu.len = ngx_ims_pool_impu(s->pool, s->lease, text);

    if (impu.len
        && ngx_ims_sip_uri_equal(&m->to.uri, &impu)
        && ngx_ims_sip_uri_equal(&m->from.uri, &impu))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "client registers \"%V\", its identity is \"%V\"",
                  &m->to.uri, &impu);

    ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                         "Warning: 399 portal \"not your identity\"" CRLF);

    return NGX_DECLINED;
}


/* the first Contact and the life it asks for; "*" and none are as 0 */

static ngx_int_t
ngx_ims_register_contact(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_addr_t *contact, time_t *expires)
{
    uint64_t            n;
    ngx_ims_str_t       value, param;
    ngx_ims_sip_iter_t  it;

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));
    ngx_memzero(contact, sizeof(ngx_ims_sip_addr_t));

    if (!ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)) {
        return NGX_ERROR;
    }

    if (value.len == 1 && value.data[0] == '*') {
        *expires = 0;
        return m->expires == 0 ? NGX_OK : NGX_ERROR;
    }

    if (ngx_ims_sip_parse_addr(&value, contact) != NGX_IMS_OK
        || contact->uri.len > 1024)
    {
        return NGX_ERROR;
    }

    *expires = m->expires >= 0 ? m->expires : NGX_IMS_REGISTER_DEFAULT;

    if (ngx_ims_sip_param(&contact->params, "expires", &param)) {
        if (ngx_ims_sip_number(&param, 0xffffffff, &n) != 0) {
            return NGX_ERROR;
        }

        *expires = n;
    }

    return NGX_OK;
}


/*
 * The binding of this browser: by its +sip.instance (RFC 5626 4.1), or by its
 * Contact when it has none.  A former socket of the same browser is let go.
 */

static ngx_int_t
ngx_ims_register_bind(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_sip_addr_t *contact)
{
    u_char              instance[NGX_IMS_DIGEST_LEN];
    ngx_int_t           rc;
    ngx_str_t           uri;
    ngx_ims_ref_t       ref;
    ngx_ims_str_t       id, none;
    ngx_ims_owner_t     before;
    ngx_ims_session_t  *other;

    if (!ngx_ims_sip_param(&contact->params, "+sip.instance", &id)) {
        id = contact->uri;
    }

    none.len = 0;
    none.data = NULL;
    ngx_ims_pool_user(&none, &id, instance);

    rc = ngx_ims_binding_get(s->pool, s->lease, instance, &s->worker->self,
                             &ref, &before);

    if (rc != NGX_OK) {

        if (rc == NGX_BUSY) {
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "user \"%V\" has too many browsers", &s->user);
            ngx_ims_call_refuse(s->worker, &s->flow, m, 403,
                                "Warning: 399 portal \"too many browsers\""
                                CRLF);

        } else {
            ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                          "zone of pool \"%V\" has no room for a binding",
                          &s->pool->name);
            ngx_ims_call_refuse(s->worker, &s->flow, m, 503,
                                "Retry-After: 5" CRLF);
        }

        return NGX_DECLINED;
    }

    if (!s->bound || s->binding.index != ref.index
        || s->binding.seq != ref.seq)
    {
        other = ngx_ims_session_find(s->worker, s->pool, &ref);

        if (other != NULL && other != s) {
            ngx_ims_session_close(other, NGX_IMS_WS_REPLACED, "replaced",
                                  NGX_IMS_END_MOVED);

        } else if (before.pid
                   && !ngx_ims_owner_equal(&before, &s->worker->self))
        {
            ngx_ims_register_moved(s->worker, s->pool, &ref, &before);
        }

        ngx_ims_session_bind(s, &ref);
    }

    uri = contact->uri;

    if (ngx_ims_binding_contact(s->pool, &ref, &uri) != NGX_OK) {
        ngx_ims_call_refuse(s->worker, &s->flow, m, 503,
                             "Retry-After: 5" CRLF);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* asks the core; m is the browser's REGISTER, NULL for a refresh */

static void
ngx_ims_register_start(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    time_t asked, time_t upstream)
{
    ngx_ims_wait_t        *wait;
    ngx_ims_worker_t      *w;
    ngx_ims_uac_result_t   result;

    w = s->worker;

    wait = ngx_calloc(sizeof(ngx_ims_wait_t), s->connection->log);
    if (wait == NULL) {
        return;
    }

    wait->session = s;
    wait->asked = asked;

    if (m != NULL) {
        wait->server = ngx_ims_txn_server(w->txns, m, &s->flow, (uintptr_t) s,
                                          ngx_ims_register_server, wait);
        if (wait->server == NULL) {
            ngx_free(wait);
            ngx_ims_call_refuse(w, &s->flow, m, 503, "Retry-After: 5" CRLF);
            return;
        }
    }

    wait->refs = (m != NULL) + 1;

    s->registering = wait;
    s->connection->idle = 0;

    if (ngx_ims_uac_register(w, s->pool, &s->binding, s->lease, upstream,
                             ngx_ims_register_done, wait)
        == NULL)
    {
        ngx_memzero(&result, sizeof(ngx_ims_uac_result_t));
        ngx_ims_register_done(wait, &result);
    }
}


static void
ngx_ims_register_unref(ngx_ims_wait_t *wait)
{
    if (--wait->refs == 0) {
        ngx_free(wait);
    }
}


static void
ngx_ims_register_server(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_wait_t  *wait;

    wait = t->data;

    if (rc == NGX_DONE) {
        wait->server = NULL;
        ngx_ims_register_unref(wait);
    }
}


/* the core's word on a registration */

static void
ngx_ims_register_done(void *data, ngx_ims_uac_result_t *result)
{
    time_t              expires;
    ngx_str_t           text;
    ngx_uint_t          status;
    ngx_ims_wait_t     *wait;
    ngx_ims_worker_t   *w;
    ngx_ims_session_t  *s;

    wait = data;
    s = wait->session;

    if (s == NULL) {
        ngx_ims_register_unref(wait);
        return;
    }

    w = s->worker;
    s->registering = NULL;
    expires = 0;

    if (wait->asked == 0 && wait->server != NULL) {

        /* whatever the core said, this browser is not registered any more */

        ngx_ims_binding_idle(s->pool, &s->binding);
        status = 200;

    } else if (result->status == 200) {
        s->registered = 1;
        ngx_ims_register_clock(s, result->granted);

        expires = ngx_ims_register_cap(s, wait->asked);
        status = expires > 0 ? 200 : 403;

        if (wait->server != NULL) {
            s->expires = ngx_time() + expires;
        }

    } else {
        status = ngx_ims_register_status(result->status);
        ngx_ims_register_failed(s);
    }

    if (wait->server != NULL) {
        text = wait->server->request;

        if (ngx_ims_sip_parse(&w->saved->msg, text.data, text.len,
                              w->saved->hdrs, NGX_IMS_SIP_MAX_HEADERS, 1)
            == NGX_IMS_OK)
        {
            ngx_ims_register_answer(s, &w->saved->msg, wait->server, status,
                                    expires);
        }
    }

    ngx_ims_register_unref(wait);

    ngx_ims_call_recount(s);
}


/* what the browser hears of the core's answer (spec section 5, table) */

static ngx_uint_t
ngx_ims_register_status(ngx_uint_t status)
{
    switch (status) {

    case 403:
    case 404:
        return 403;

    case 480:
    case 500:
        return status;

    case 0:
    case 408:
    case 503:
    case 504:
        return 503;

    case 401:
    case 407:

        /* a trusted node was challenged: nothing that a browser can mend */

        return 403;

    default:
        return 500;
    }
}


/*
 * A refresh that failed is tried again while the core's registration lasts; after
 * that the browser is not registered.
 */

static void
ngx_ims_register_failed(ngx_ims_session_t *s)
{
    ngx_ims_binding_t  b;

    if (ngx_ims_binding_load(s->pool, &s->binding, &b, s->worker->record)
        == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED
        && b.expires > ngx_time() + NGX_IMS_REGISTER_MARGIN)
    {
        ngx_add_timer(&s->refresh_event, NGX_IMS_REGISTER_AGAIN);
        return;
    }

    ngx_ims_binding_idle(s->pool, &s->binding);
    s->registered = 0;
}


/* answers on a transaction, or directly when t is NULL */

static void
ngx_ims_register_answer(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m,
    ngx_ims_txn_t *t, ngx_uint_t status, time_t expires)
{
    size_t               len;
    u_char              *p, *last, tag[16];
    ngx_ims_str_t        to_tag, value, keep;
    ngx_ims_worker_t    *w;
    ngx_ims_binding_t    b;
    ngx_ims_sip_addr_t   addr;
    ngx_ims_sip_iter_t   it;

    w = s->worker;
    p = w->text;
    last = p + w->text_size - 1;

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));

    if (status == 200 && expires > 0
        && ngx_ims_binding_load(s->pool, &s->binding, &b, w->record)
           == NGX_OK)
    {
        p = ngx_slprintf(p, last, "Contact: <%V>", &b.contact);

        if (ngx_ims_sip_next(m, NGX_IMS_HDR_CONTACT, &it, &value)
            && ngx_ims_sip_parse_addr(&value, &addr) == NGX_IMS_OK)
        {
            p = ngx_ims_register_params(&addr.params, p, last);
        }

        p = ngx_slprintf(p, last, ";expires=%T" CRLF, expires);

        if (b.service_route.len) {
            p = ngx_slprintf(p, last, "Service-Route: %V" CRLF,
                             &b.service_route);
        }

        if (b.associated.len) {
            p = ngx_slprintf(p, last, "P-Associated-URI: %V" CRLF,
                             &b.associated);
        }

    } else if (status == 503) {
        p = ngx_slprintf(p, last, "Retry-After: %d" CRLF,
                         NGX_IMS_REGISTER_AGAIN / 1000);
    }

    *p = '\0';

    ngx_ims_call_tag(tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_sip_reply(m, status, NULL, &to_tag, (char *) w->text, NULL,
                          w->out, w->out_size, &len)
        != NGX_IMS_OK)
    {
        return;
    }

    /* Via;keep is answered with the ping interval (RFC 6223, WS-13) */

    if (status == 200 && ngx_ims_sip_param(&m->via.params, "keep", &keep)
        && keep.len == 0)
    {
        len = ngx_ims_register_keep(s, w->out, w->out_size, len);
    }

    if (t == NULL) {
        (void) ngx_ims_session_send(s, w->out, len);

    } else {
        (void) ngx_ims_txn_reply(t, status, w->out, len);
    }
}


/* the first ";keep" gets its value; an answer begins with the top Via */

static size_t
ngx_ims_register_keep(ngx_ims_session_t *s, u_char *p, size_t size,
    size_t len)
{
    u_char  *keep, *eol, value[NGX_INT_T_LEN + 1];
    size_t   n;

    keep = ngx_strlcasestrn(p, p + len, (u_char *) ";keep", 5 - 1);
    eol = keep ? ngx_strlchr(keep, p + len, CR) : NULL;

    n = ngx_sprintf(value, "=%M", s->policy->ping / 1000 + 1) - value;

    if (eol == NULL || len + n > size) {
        return len;
    }

    keep += 5;
    ngx_memmove(keep + n, keep, p + len - keep);
    ngx_memcpy(keep, value, n);

    return len + n;
}


/* the Contact's parameters as the browser wrote them, without expires */

static u_char *
ngx_ims_register_params(ngx_ims_str_t *params, u_char *p, u_char *last)
{
    u_char      *s, *start, *end;
    ngx_uint_t   quoted;

    end = params->data + params->len;
    quoted = 0;

    for (s = start = params->data; s <= end; s++) {

        if (s < end && *s == '"') {
            quoted = !quoted;
        }

        if (s < end && (*s != ';' || quoted)) {
            continue;
        }

        while (start < s && *start == ' ') {
            start++;
        }

        if (s > start
            && !((size_t) (s - start) >= 7
                 && ngx_strncasecmp(start, (u_char *) "expires", 7) == 0)
            && (size_t) (last - p) > (size_t) (s - start))
        {
            *p++ = ';';
            p = ngx_cpymem(p, start, s - start);
        }

        start = s + 1;
    }

    return p;
}


/* when the portal refreshes: half of a short life, else 600 s before its end */

static void
ngx_ims_register_clock(ngx_ims_session_t *s, time_t granted)
{
    time_t  wait;

    wait = granted < 1200 ? granted / 2 : granted - 600;

    ngx_add_timer(&s->refresh_event, (ngx_msec_t) ngx_max(wait, 1) * 1000);
}


void
ngx_ims_register_refresh(ngx_ims_session_t *s)
{
    time_t  upstream;

    if (s->registering != NULL || !s->registered || !s->bound) {
        return;
    }

    if (s->expires <= ngx_time()) {

        /* the browser did not come back for its own refresh */

        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client let its registration expire");
        ngx_ims_register_expire(s);
        return;
    }

    upstream = ngx_ims_register_cap(s, s->policy->register_expires);

    if (upstream > 0) {
        ngx_ims_register_start(s, NULL, 1, upstream);
    }
}


void
ngx_ims_register_expire(ngx_ims_session_t *s)
{
    if (!s->bound || !s->registered) {
        return;
    }

    s->registered = 0;

    ngx_ims_binding_idle(s->pool, &s->binding);

    (void) ngx_ims_uac_register(s->worker, s->pool, &s->binding, s->lease, 0,
                                NULL, NULL);
}


void
ngx_ims_register_lost(ngx_ims_session_t *s, ngx_msec_t grace,
    ngx_uint_t moved)
{
    ngx_ims_wait_t    *wait;
    ngx_ims_linger_t  *linger;

    wait = s->registering;

    if (wait != NULL) {
        wait->session = NULL;
        s->registering = NULL;

        if (wait->server != NULL) {
            ngx_ims_txn_detach(wait->server);

            /* nothing is sent any more: this only lets it end */

            (void) ngx_ims_txn_reply(wait->server, 480, (u_char *) "", 0);
        }
    }

    if (!s->bound || moved
        || ngx_ims_binding_lose(s->pool, &s->binding, &s->worker->self)
           != NGX_OK)
    {
        return;
    }

    linger = ngx_calloc(sizeof(ngx_ims_linger_t), s->worker->log);
    if (linger == NULL) {
        return;
    }

    linger->worker = s->worker;
    linger->pool = s->pool;
    linger->binding = s->binding;
    linger->lease = s->lease;

    linger->timer.handler = ngx_ims_register_linger;
    linger->timer.data = linger;
    linger->timer.log = s->worker->log;

    ngx_add_timer(&linger->timer, ngx_max(grace, 1));
}


static void
ngx_ims_register_linger(ngx_event_t *ev)
{
    ngx_ims_binding_t   b;
    ngx_ims_worker_t   *w;
    ngx_ims_linger_t   *linger;

    linger = ev->data;
    w = linger->worker;

    if (!ngx_ims_binding_orphan(linger->pool, &linger->binding)) {
        ngx_free(linger);
        return;
    }

    ngx_ims_call_end_all(w, NULL, linger->pool, &linger->binding,
                         "SIP;cause=480;text=\"browser is gone\"");

    if (ngx_ims_binding_load(linger->pool, &linger->binding, &b, w->record)
        == NGX_OK
        && b.state == NGX_IMS_BINDING_REGISTERED)
    {
        ngx_ims_binding_idle(linger->pool, &linger->binding);

        if (ngx_ims_uac_register(w, linger->pool, &linger->binding,
                                 linger->lease, 0, ngx_ims_register_gone,
                                 linger)
            != NULL)
        {
            return;
        }
    }

    ngx_ims_register_gone(linger, NULL);
}


static void
ngx_ims_register_gone(void *data, ngx_ims_uac_result_t *result)
{
    ngx_ims_linger_t  *linger;

    linger = data;

    if (ngx_ims_binding_orphan(linger->pool, &linger->binding)) {
        ngx_ims_binding_free(linger->pool, &linger->binding);
    }

    ngx_free(linger);
}
