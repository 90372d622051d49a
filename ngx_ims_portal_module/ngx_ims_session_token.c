/*
 * Copyright (C) the IMS portal authors
 *
 * Who a browser is, and until when: a socket never outlives its token (design
 * section 5, pain P44).
 *
 * Timers: token_event strikes at the end of the token, leeway included, and
 * later when what was granted behind it is over (ngx_ims_session_until()).  It
 * is cancelable: it keeps no old worker alive, but strikes in one that lives.
 */


#include "ngx_ims_session_priv.h"
#include "ngx_ims_renew.h"


#define NGX_IMS_SESSION_WEEK  (86400 * 7)     /* s, a timer's longest */


static ngx_uint_t ngx_ims_session_older(ngx_ims_session_t *s,
    ngx_ims_grant_t *grant);
static void ngx_ims_session_live(ngx_ims_session_t *s);


ngx_int_t
ngx_ims_session_identify(ngx_ims_session_t *s, ngx_ims_grant_t *grant)
{
    ngx_ims_grant_t      *copy;
    ngx_ims_limit_key_t   key;

    if (s->known
        && ngx_memcmp(grant->ids.user, s->grant->ids.user,
                      NGX_IMS_DIGEST_LEN)
           != 0)
    {
        return NGX_DECLINED;
    }

    /* the core knows this browser by the identity of now */

    if (s->known && s->leased
        && (grant->identity.len != s->grant->identity.len
            || (grant->identity.len
                && ngx_memcmp(grant->identity.data, s->grant->identity.data,
                              grant->identity.len)
                   != 0)))
    {
        return NGX_DECLINED;
    }

    /* an older token does not shorten the life that a newer one gave */

    if (s->known && ngx_ims_session_older(s, grant)) {
        return NGX_OK;
    }

    copy = ngx_ims_grant_copy(grant, s->connection->log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    if (!s->known) {
        ngx_ims_session_key(s->pool, copy->ids.user, &key);

        if (ngx_ims_limit_verified(s->worker->limit, s->row, &key,
                                   s->policy->limits.user_sockets)
            != NGX_OK)
        {
            ngx_free(copy);
            return NGX_BUSY;
        }

        s->known = 1;

    } else {
        ngx_free(s->grant);
    }

    s->grant = copy;
    s->user = copy->subject;

    ngx_ims_session_live(s);

    return NGX_OK;
}


/* 1: what the session has already is the issuer's later word */

static ngx_uint_t
ngx_ims_session_older(ngx_ims_session_t *s, ngx_ims_grant_t *grant)
{
    time_t  expires, issued;

    expires = grant->expires + s->policy->token.leeway;
    issued = s->grant->ids.issued;

    return expires <= s->token_expires
           && (grant->ids.issued < issued
               || (grant->ids.issued == issued
                   && expires < s->token_expires));
}


/* it lives as long as the token of its grant */

static void
ngx_ims_session_live(ngx_ims_session_t *s)
{
    s->token_expires = s->grant->expires + s->policy->token.leeway;
    s->expired = 0;

    ngx_ims_session_until(s, s->token_expires);
}


ngx_uint_t
ngx_ims_session_renew(ngx_ims_session_t *s)
{
    if (!s->known
        || !ngx_ims_renew_grant(s->pool, s->policy->token.wants, s->grant))
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "the token of \"%V\" is renewed", &s->user);

    ngx_ims_session_live(s);

    return 1;
}


void
ngx_ims_session_until(ngx_ims_session_t *s, time_t until)
{
    time_t       left;
    ngx_time_t  *now;

    now = ngx_timeofday();
    left = until - now->sec;

    if (left <= 0) {
        ngx_add_timer(&s->token_event, 1);
        return;
    }

    if (left > NGX_IMS_SESSION_WEEK) {
        ngx_add_timer(&s->token_event,
                      (ngx_msec_t) NGX_IMS_SESSION_WEEK * 1000);
        return;
    }

    ngx_add_timer(&s->token_event, (ngx_msec_t) left * 1000 - now->msec + 1);
}


void
ngx_ims_session_token(ngx_event_t *ev)
{
    ngx_ims_session_t  *s;

    s = ev->data;

    if (!s->expired && s->token_expires > ngx_time()) {
        ngx_ims_session_until(s, s->token_expires);
        return;
    }

    /* a fresh one may have come to another worker */

    if (ngx_ims_session_renew(s) && s->token_expires > ngx_time()) {
        return;
    }

    s->expired = 1;
    s->worker->token_end(s);
}
