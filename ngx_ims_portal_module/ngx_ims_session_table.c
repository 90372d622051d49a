/*
 * Copyright (C) the IMS portal authors
 *
 * The sessions of a worker by the binding they have, and the worker's scratch.
 */


#include "ngx_ims_session.h"


ngx_int_t
ngx_ims_worker_scratch(ngx_ims_worker_t *w, ngx_pool_t *pool)
{
    ngx_uint_t  i;

    w->in_size = 2 * NGX_IMS_MAX_DATAGRAM;
    w->out_size = 2 * NGX_IMS_MAX_DATAGRAM;
    w->text_size = 2 * NGX_IMS_MAX_DATAGRAM;
    w->nedits = 2 * NGX_IMS_SIP_MAX_HEADERS;

    w->in = ngx_palloc(pool, w->in_size);
    w->out = ngx_palloc(pool, w->out_size);
    w->text = ngx_palloc(pool, w->text_size);
    w->edits = ngx_palloc(pool, w->nedits * sizeof(ngx_ims_sip_edit_t));
    w->record = ngx_palloc(pool, NGX_IMS_DIALOG_BUFFER);
    w->record2 = ngx_palloc(pool, NGX_IMS_DIALOG_BUFFER);
    w->parsed = ngx_palloc(pool, sizeof(ngx_ims_parsed_t));
    w->saved = ngx_palloc(pool, sizeof(ngx_ims_parsed_t));

    if (w->in == NULL || w->out == NULL || w->text == NULL
        || w->edits == NULL || w->record == NULL || w->record2 == NULL
        || w->parsed == NULL || w->saved == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_IMS_SESSION_BUCKETS; i++) {
        ngx_queue_init(&w->buckets[i]);
    }

    ngx_queue_init(&w->sessions);

    return NGX_OK;
}


/* the bucket of a binding */

static ngx_queue_t *
ngx_ims_session_bucket(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref)
{
    return &w->buckets[(ref->index ^ pool->crc) % NGX_IMS_SESSION_BUCKETS];
}


ngx_ims_session_t *
ngx_ims_session_find(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref)
{
    ngx_queue_t        *q, *head;
    ngx_ims_session_t  *s;

    head = ngx_ims_session_bucket(w, pool, ref);

    for (q = ngx_queue_head(head);
         q != ngx_queue_sentinel(head);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_ims_session_t, bucket);

        if (s->pool == pool && s->binding.index == ref->index
            && s->binding.seq == ref->seq && !s->ended)
        {
            return s;
        }
    }

    return NULL;
}


/* 16 hex digits */

static uint64_t
ngx_ims_session_hmac(u_char *p)
{
    uint64_t    v;
    ngx_uint_t  i;

    v = 0;

    for (i = 0; i < 16; i++) {
        v = (v << 4) | (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }

    return v;
}


void
ngx_ims_session_bind(ngx_ims_session_t *s, ngx_ims_ref_t *ref)
{
    if (s->bound) {
        ngx_queue_remove(&s->bucket);
    }

    s->binding = *ref;
    s->bound = 1;
    s->bound_after = ngx_ims_order_now(s->pool);
    ngx_ims_binding_token(s->pool, ref, s->token);

    /* nobody can make it up: the token ends with 64 bits of HMAC */

    s->scope = ngx_ims_session_hmac(s->token + NGX_IMS_TOKEN_LEN - 16);

    ngx_queue_insert_head(ngx_ims_session_bucket(s->worker, s->pool, ref),
                          &s->bucket);
}
