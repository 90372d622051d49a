/*
 * Copyright (C) the IMS portal authors
 *
 * A browser at its limits: what is said of it, and how long a message may take.
 *
 * The time of a message is looked at when bytes come, and when the read timer
 * strikes, which is set to strike early for that.
 */


#include "ngx_ims_session_priv.h"


static ngx_uint_t ngx_ims_session_late(ngx_ims_session_t *s);


void
ngx_ims_session_key(ngx_ims_pool_t *pool, u_char *digest,
    ngx_ims_limit_key_t *key)
{
    key->kind = NGX_IMS_LIMIT_USER;
    key->pool = pool->crc;
    ngx_memcpy(key->data, digest, NGX_IMS_LIMIT_KEY);
}


void
ngx_ims_session_limited(ngx_ims_session_t *s, ngx_uint_t what)
{
    if (!ngx_ims_limit_reached(s->worker->limit, s->row, what)) {
        return;
    }

    if (s->known) {
        ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                      "user \"%V\" of pool \"%V\" is at a limit: %s",
                      &s->user, &s->pool->name, ngx_ims_limit_words(what));
        return;
    }

    ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                  "client without a token is at a limit: %s",
                  ngx_ims_limit_words(what));
}


void
ngx_ims_session_flooded(ngx_ims_session_t *s, ngx_uint_t what)
{
    ngx_ims_session_limited(s, what);
    ngx_ims_session_close(s, NGX_IMS_WS_POLICY, ngx_ims_limit_words(what),
                          NGX_IMS_END_LOST);
}


ngx_int_t
ngx_ims_session_pace(ngx_ims_session_t *s)
{
    ngx_msec_t    due, limit;
    ngx_event_t  *rev;

    limit = s->policy->limits.message_timeout;

    if (limit == 0 || s->closing) {
        return NGX_OK;
    }

    if (s->in == NULL && !s->fragmented) {
        s->begun = 0;
        return NGX_OK;
    }

    if (s->begun) {

        if (!ngx_ims_session_late(s)) {
            return NGX_OK;
        }

        ngx_ims_session_flooded(s, NGX_IMS_LIMITED_MESSAGE_TIMEOUT);
        return NGX_ERROR;
    }

    s->begun = ngx_current_msec;

    rev = s->connection->read;
    due = s->begun + limit;

    if (rev->timer_set && s->ping_due == 0
        && (ngx_msec_int_t) (rev->timer.key - due) > 0)
    {
        s->ping_due = rev->timer.key;
        ngx_add_timer(rev, limit);
    }

    return NGX_OK;
}


ngx_int_t
ngx_ims_session_pace_tick(ngx_ims_session_t *s)
{
    ngx_msec_int_t  left;

    if (ngx_ims_session_late(s)) {
        ngx_ims_session_flooded(s, NGX_IMS_LIMITED_MESSAGE_TIMEOUT);
        return NGX_ERROR;
    }

    left = s->ping_due ? (ngx_msec_int_t) (s->ping_due - ngx_current_msec) : 0;
    s->ping_due = 0;

    if (left <= 0) {
        return NGX_OK;
    }

    /* it struck early for a message that has come meanwhile, or a later one */

    if (s->begun) {
        s->ping_due = ngx_current_msec + left;
        left = ngx_min(left, (ngx_msec_int_t) (s->begun - ngx_current_msec
                                    + s->policy->limits.message_timeout));
    }

    ngx_add_timer(s->connection->read, ngx_max(left, 1));

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_ims_session_late(ngx_ims_session_t *s)
{
    return s->begun && s->policy->limits.message_timeout
           && ngx_current_msec - s->begun
              >= s->policy->limits.message_timeout;
}
