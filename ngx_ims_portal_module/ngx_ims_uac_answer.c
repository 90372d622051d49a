/*
 * Copyright (C) the IMS portal authors
 *
 * What the core says to a REGISTER: a challenge that is answered, or a 200 that
 * becomes the record.
 *
 * Timers: of the REGISTER, set for the next try.
 */


#include "ngx_ims_uac_int.h"


#define NGX_IMS_UAC_MAX_ANSWERS  4            /* challenges of one REGISTER */


static ngx_uint_t ngx_ims_uac_wrong(ngx_ims_register_t *reg, ngx_str_t *impi);
static void ngx_ims_uac_again(ngx_ims_register_t *reg);
static void ngx_ims_uac_keep(ngx_ims_register_t *reg);
static time_t ngx_ims_uac_granted(ngx_ims_register_t *reg,
    ngx_ims_sip_msg_t *m, ngx_ims_str_t *params);
static u_char *ngx_ims_uac_join(ngx_ims_sip_msg_t *m, ngx_ims_sip_hdr_e id,
    u_char *p, u_char *last, ngx_str_t *value);
static u_char *ngx_ims_uac_abilities(ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *params, u_char *p, u_char *last, ngx_str_t *value);


ngx_uint_t
ngx_ims_uac_challenged(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m)
{
    u_char             text[NGX_IMS_MAX_IMPU];
    ngx_str_t          impi;
    ngx_uint_t         answered;
    ngx_ims_core_t    *core;
    ngx_ims_secret_t   secret;

    core = reg->pool->core;

    if (core->secrets == NULL) {
        return 0;
    }

    impi.data = text;
    impi.len = ngx_ims_pool_impi(reg->pool, reg->lease, text);

    answered = reg->fresh;

    if (m->status == 403) {

        /* some say so to a nonce that they do not know any more */

        if (answered || reg->digest.hash == NGX_IMS_DIGEST_NONE
            || reg->answers)
        {
            return answered ? ngx_ims_uac_wrong(reg, &impi) : 0;
        }

        ngx_memzero(&reg->digest, offsetof(ngx_ims_digest_t, text));
        reg->answers++;
        ngx_ims_uac_again(reg);

        return 1;
    }

    if (ngx_ims_secret_find(core->secrets, &impi, &secret) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, reg->worker->log, 0,
                      "no secret of \"%V\" for core \"%V\"", &impi,
                      &core->name);
        return 0;
    }

    if (ngx_ims_digest_challenge(&reg->digest, m, &secret, &core->realm)
        != NGX_IMS_DIGEST_OK)
    {
        ngx_log_error(NGX_LOG_ERR, reg->worker->log, 0,
                      "challenge of core \"%V\" does not suit the secret "
                      "of \"%V\"", &core->name, &impi);
        return 0;
    }

    if ((answered && !reg->digest.stale)
        || ++reg->answers > NGX_IMS_UAC_MAX_ANSWERS)
    {
        return ngx_ims_uac_wrong(reg, &impi);
    }

    /* what synchronizes AKA proves nothing: another challenge follows */

    reg->fresh = !reg->digest.sync;

    if (reg->digest.sync) {
        ngx_log_error(NGX_LOG_NOTICE, reg->worker->log, 0,
                      "AKA sequence number of \"%V\" is synchronized", &impi);
    }

    ngx_ims_uac_again(reg);

    return 1;
}


static ngx_uint_t
ngx_ims_uac_wrong(ngx_ims_register_t *reg, ngx_str_t *impi)
{
    ngx_log_error(NGX_LOG_ERR, reg->worker->log, 0,
                  "core \"%V\" refuses the secret of \"%V\"",
                  &reg->pool->core->name, impi);

    ngx_memzero(&reg->digest, offsetof(ngx_ims_digest_t, text));

    return 0;
}


/* at once, by the same way */

static void
ngx_ims_uac_again(ngx_ims_register_t *reg)
{
    reg->same = 1;
    ngx_add_timer(&reg->timer, 1);
}


ngx_int_t
ngx_ims_uac_accepted(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m,
    time_t *granted)
{
    u_char            *p, *last;
    ngx_int_t          rc;
    ngx_str_t          routes, associated, abilities, none;
    ngx_ims_str_t      params;
    ngx_ims_worker_t  *w;

    w = reg->worker;

    if (reg->digest.hash != NGX_IMS_DIGEST_NONE) {
        ngx_ims_digest_next(&reg->digest, m);
        ngx_ims_uac_keep(reg);
    }

    if (reg->expires == 0) {
        *granted = 0;
        return NGX_OK;
    }

    *granted = ngx_ims_uac_granted(reg, m, &params);

    if (*granted == 0) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "core's 200 to REGISTER lacks our contact, pool \"%V\"",
                      &reg->pool->name);
        return NGX_ERROR;
    }

    p = w->record;
    last = p + NGX_IMS_DIALOG_BUFFER;

    p = ngx_ims_uac_join(m, NGX_IMS_HDR_SERVICE_ROUTE, p, last, &routes);
    p = ngx_ims_uac_join(m, NGX_IMS_HDR_P_ASSOCIATED_URI, p, last,
                         &associated);
    (void) ngx_ims_uac_abilities(m, &params, p, last, &abilities);

    ngx_str_null(&none);
    ngx_ims_call_prefetch(reg->pool, &routes, &none);

    rc = ngx_ims_binding_registered(reg->pool, &reg->binding,
                                    ngx_time() + *granted, &routes,
                                    &associated, &abilities);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "zone of pool \"%V\" cannot hold a registration",
                      &reg->pool->name);
    }

    return rc;
}


/* the nonce may serve for the next REGISTER, if there is still a browser */

static void
ngx_ims_uac_keep(ngx_ims_register_t *reg)
{
    size_t                size;
    ngx_ims_session_t    *s;
    ngx_ims_uac_state_t  *state;

    s = ngx_ims_session_find(reg->worker, reg->pool, &reg->binding);

    if (s == NULL || (state = ngx_ims_uac_state(s)) == NULL) {
        return;
    }

    size = ngx_ims_digest_size(&reg->digest);

    if (state->digest != NULL) {
        ngx_free(state->digest);
    }

    state->digest = ngx_alloc(size, reg->worker->log);

    if (state->digest != NULL) {
        ngx_memcpy(state->digest, &reg->digest, size);
    }
}


/* the life that our own Contact was given: matched by URI (core-demands) */

static time_t
ngx_ims_uac_granted(ngx_ims_register_t *reg, ngx_ims_sip_msg_t *m,
    ngx_ims_str_t *params)
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
            || ngx_ims_sip_parse_uri(&addr.uri, &uri) != NGX_IMS_OK)
        {
            continue;
        }

        if (ngx_ims_uac_gin(reg)) {
            if (!ngx_ims_sip_param(&uri.params, "bnc", NULL)) {
                continue;
            }

        } else if (uri.user.len != NGX_IMS_TOKEN_LEN
                   || ngx_memcmp(uri.user.data, token, NGX_IMS_TOKEN_LEN) != 0)
        {
            continue;
        }

        *params = addr.params;

        if (ngx_ims_sip_param(&addr.params, "expires", &s)
            && ngx_ims_sip_number(&s, 0x7fffffff, &n) == 0)
        {
            return n;
        }

        return m->expires >= 0 ? m->expires : reg->expires;
    }

    return 0;
}


/* all values of a list header as one, in order */

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


/*
 * What the core made of what the browser can do, for the browser (RG-17): "o"
 * when it requires outbound, with its Flow-Timer, and the GRUUs.
 */

static u_char *
ngx_ims_uac_abilities(ngx_ims_sip_msg_t *m, ngx_ims_str_t *params, u_char *p,
    u_char *last, ngx_str_t *value)
{
    uint64_t            n;
    ngx_uint_t          i;
    ngx_ims_str_t       s;
    ngx_ims_sip_hdr_t  *h;

    static const char  *names[] = { "pub-gruu", "temp-gruu", NULL };

    value->data = p;

    if (ngx_ims_sip_has_token(m, NGX_IMS_HDR_REQUIRE, "outbound")) {
        p = ngx_slprintf(p, last, "o");

        h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_FLOW_TIMER);

        if (h != NULL && ngx_ims_sip_number(&h->value, 86400, &n) == 0) {
            p = ngx_slprintf(p, last, "%uL", n);
        }
    }

    for (i = 0; names[i] != NULL; i++) {

        if (ngx_ims_sip_param(params, names[i], &s)
            && s.len > 2 && s.data[0] == '"' && s.len < NGX_IMS_MAX_BLOB / 3
            && ngx_strlchr(s.data, s.data + s.len, CR) == NULL)
        {
            p = ngx_slprintf(p, last, ";%s=%V", names[i], &s);
        }
    }

    value->len = p - value->data;

    return p;
}


ngx_ims_uac_state_t *
ngx_ims_uac_state(ngx_ims_session_t *s)
{
    if (s->registration == NULL) {
        s->registration = ngx_calloc(sizeof(ngx_ims_uac_state_t),
                                     s->connection->log);
    }

    return s->registration;
}


void
ngx_ims_uac_state_free(ngx_ims_session_t *s)
{
    ngx_ims_uac_state_t  *state;

    state = s->registration;

    if (state == NULL) {
        return;
    }

    s->registration = NULL;

    if (state->digest != NULL) {
        ngx_free(state->digest);
    }

    ngx_free(state);
}
