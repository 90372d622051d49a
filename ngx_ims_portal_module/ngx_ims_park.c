/*
 * Copyright (C) the IMS portal authors
 *
 * What waits has a server transaction here, which answers repetitions and
 * CANCEL; when the browser is back that is given up, and the request begins
 * anew at the edge, as if it came in then.
 *
 * Timers: one for all, every 200 ms while anything waits.  It is not
 * cancelable, so that a request is answered before an old worker goes, but
 * gives up when worker_shutdown_timeout strikes.
 */


#include "ngx_ims_park.h"


#define NGX_IMS_PARK_TICK  200                /* ms */


typedef struct {
    ngx_queue_t               queue;
    ngx_ims_worker_t         *worker;
    ngx_ims_core_t           *core;           /* NULL: a message of ours */
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    ngx_ims_txn_t            *server;         /* NULL: ours, or an ACK */
    ngx_ims_flow_t            flow;           /* of an ACK */
    ngx_str_t                 text;           /* without a transaction; owned */
    ngx_str_t                 call_id;        /* in it */
    size_t                    size;           /* bytes that count */
    ngx_msec_t                until;
    ngx_msec_t                after;          /* not elsewhere before */
    ngx_uint_t                round;          /* in which it came */
    u_char                    branch[NGX_IMS_BRANCH_LEN];  /* zero: none */
    unsigned                  in_dialog:1;
} ngx_ims_park_t;


static ngx_ims_park_t *ngx_ims_park_create(ngx_ims_worker_t *w,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *ref, size_t size, ngx_msec_t wait);
static ngx_uint_t ngx_ims_park_same(ngx_ims_park_t *park,
    ngx_ims_pool_t *pool, ngx_ims_ref_t *ref);
static ngx_int_t ngx_ims_park_text(ngx_ims_park_t *park, u_char *p,
    size_t len);
static void ngx_ims_park_call_id(ngx_ims_park_t *park, ngx_str_t *text,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_park_server(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_park_reply(ngx_ims_park_t *park, ngx_uint_t status);
static void ngx_ims_park_refuse(ngx_ims_park_t *park, ngx_uint_t status);
static void ngx_ims_park_free(ngx_ims_park_t *park);
static void ngx_ims_park_timer(ngx_event_t *ev);
static ngx_uint_t ngx_ims_park_late(ngx_ims_park_t *park);
static void ngx_ims_park_all(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_int_t rc);
static void ngx_ims_park_deliver(ngx_ims_park_t *park);


static ngx_queue_t  ngx_ims_park_queue;       /* in the order they came */
static ngx_uint_t   ngx_ims_park_n;
static size_t       ngx_ims_park_bytes;
static ngx_uint_t   ngx_ims_park_round;
static ngx_msec_t   ngx_ims_park_until;       /* of what is delivered, or 0 */
static ngx_event_t  ngx_ims_park_event;


/* one that counts already; NULL: too many, or kept by another worker */

static ngx_ims_park_t *
ngx_ims_park_create(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, size_t size, ngx_msec_t wait)
{
    ngx_uint_t        n;
    ngx_queue_t      *q;
    ngx_ims_park_t   *park;
    ngx_ims_owner_t   none;

    if (ngx_ims_park_event.handler == NULL) {
        ngx_queue_init(&ngx_ims_park_queue);
        ngx_ims_park_event.handler = ngx_ims_park_timer;
        ngx_ims_park_event.data = &ngx_ims_park_event;   /* for debug logs */
        ngx_ims_park_event.log = w->log;
    }

    n = 0;

    for (q = ngx_queue_head(&ngx_ims_park_queue);
         q != ngx_queue_sentinel(&ngx_ims_park_queue);
         q = ngx_queue_next(q))
    {
        park = ngx_queue_data(q, ngx_ims_park_t, queue);
        n += ngx_ims_park_same(park, pool, ref);
    }

    ngx_memzero(&none, sizeof(ngx_ims_owner_t));

    if (n >= NGX_IMS_PARK_BINDING || ngx_ims_park_n >= NGX_IMS_PARK_MAX
        || ngx_ims_park_bytes + size > NGX_IMS_PARK_BYTES)
    {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "too many requests wait for browsers that are away");
        return NULL;
    }

    if (n == 0
        && ngx_ims_binding_keep(pool, ref, &w->self, &none) != NGX_OK
        && ngx_ims_binding_keep(pool, ref, &w->self, &w->self) != NGX_OK)
    {
        return NULL;
    }

    park = ngx_calloc(sizeof(ngx_ims_park_t), w->log);
    if (park == NULL) {
        return NULL;
    }

    park->worker = w;
    park->pool = pool;
    park->binding = *ref;
    park->size = size;
    park->until = ngx_current_msec + wait;
    park->round = ngx_ims_park_round;

    if (ngx_ims_park_until
        && (ngx_msec_int_t) (park->until - ngx_ims_park_until) > 0)
    {
        park->until = ngx_ims_park_until;
    }

    ngx_queue_insert_tail(&ngx_ims_park_queue, &park->queue);
    ngx_ims_park_n++;
    ngx_ims_park_bytes += size;

    if (!ngx_ims_park_event.timer_set) {
        ngx_add_timer(&ngx_ims_park_event, NGX_IMS_PARK_TICK);
    }

    return park;
}


static ngx_uint_t
ngx_ims_park_same(ngx_ims_park_t *park, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref)
{
    return park->pool == pool && park->binding.index == ref->index
           && park->binding.seq == ref->seq;
}


static ngx_int_t
ngx_ims_park_text(ngx_ims_park_t *park, u_char *p, size_t len)
{
    park->text.data = ngx_alloc(len, park->worker->log);
    if (park->text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(park->text.data, p, len);
    park->text.len = len;

    return NGX_OK;
}


/* where the Call-ID of m is in a copy of its text */

static void
ngx_ims_park_call_id(ngx_ims_park_t *park, ngx_str_t *text,
    ngx_ims_sip_msg_t *m)
{
    park->call_id.data = text->data + (m->call_id.data - m->text.data);
    park->call_id.len = m->call_id.len;
}


ngx_int_t
ngx_ims_park_request(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_msec_t wait)
{
    ngx_ims_park_t  *park;

    if (m->method != NGX_IMS_SIP_INVITE && m->method != NGX_IMS_SIP_ACK) {
        wait = ngx_min(wait, 40 * ngx_ims_txns_t1(w->txns));
    }

    park = ngx_ims_park_create(w, pool, ref, m->text.len, wait);
    if (park == NULL) {
        return NGX_DECLINED;
    }

    park->core = core;
    park->in_dialog = (m->to.tag.len != 0);

    if (w->again != NULL) {
        ngx_memcpy(park->branch, w->again, NGX_IMS_BRANCH_LEN);
    }

    if (m->method == NGX_IMS_SIP_ACK) {
        park->flow = *flow;

        if (ngx_ims_park_text(park, m->text.data, m->text.len) != NGX_OK) {
            ngx_ims_park_free(park);
            return NGX_DECLINED;
        }

        ngx_ims_park_call_id(park, &park->text, m);

        return NGX_OK;
    }

    park->server = ngx_ims_txn_server(w->txns, m, flow, 0,
                                      ngx_ims_park_server, park);
    if (park->server == NULL) {
        ngx_ims_park_free(park);
        return NGX_DECLINED;
    }

    ngx_ims_park_call_id(park, &park->server->request, m);

    if (m->method == NGX_IMS_SIP_INVITE) {
        ngx_ims_park_reply(park, 100);
    }

    return NGX_OK;
}


ngx_int_t
ngx_ims_park_forward(ngx_ims_forward_t *fw, ngx_msec_t wait)
{
    ngx_ims_park_t    *park;
    ngx_ims_worker_t  *w;

    w = fw->worker;

    if (fw->up || fw->server == NULL || fw->answered || fw->canceled
        || fw->rel != NULL || fw->update
        || ngx_ims_forward_parse(w->saved, &fw->server->request) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (!fw->server->invite) {
        wait = ngx_min(wait, 40 * ngx_ims_txns_t1(w->txns));
    }

    park = ngx_ims_park_create(w, fw->pool, &fw->binding,
                               fw->server->request.len, wait);
    if (park == NULL) {
        return NGX_DECLINED;
    }

    park->core = fw->pool->core;
    park->in_dialog = fw->in_dialog;
    park->server = fw->server;

    ngx_ims_park_call_id(park, &fw->server->request, &w->saved->msg);

    if (fw->client != NULL) {
        ngx_memcpy(park->branch, fw->client->branch, NGX_IMS_BRANCH_LEN);
    }

    /* another worker must not begin with the helper before it ended here */

    park->after = ngx_current_msec + NGX_IMS_PARK_TICK;
    ngx_ims_forward_drop_media(fw);

    ngx_ims_txn_take(fw->server, ngx_ims_park_server, park);

    fw->server = NULL;
    ngx_ims_forward_answered(fw);
    ngx_ims_forward_unref(fw);

    return NGX_OK;
}


void
ngx_ims_park_raw(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, u_char *p, size_t len)
{
    ngx_ims_park_t  *park;

    park = ngx_ims_park_create(w, pool, ref, len, pool->grace);

    if (park != NULL && ngx_ims_park_text(park, p, len) != NGX_OK) {
        ngx_ims_park_free(park);
    }
}


void
ngx_ims_park_over(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_str_t *call_id)
{
    ngx_queue_t     *q, *next;
    ngx_ims_park_t  *park;

    if (ngx_ims_park_n == 0) {
        return;
    }

    for (q = ngx_queue_head(&ngx_ims_park_queue);
         q != ngx_queue_sentinel(&ngx_ims_park_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        park = ngx_queue_data(q, ngx_ims_park_t, queue);

        if (ngx_ims_park_same(park, pool, ref) && park->in_dialog
            && park->call_id.len == call_id->len
            && ngx_memcmp(park->call_id.data, call_id->data, call_id->len)
               == 0)
        {
            ngx_ims_park_refuse(park, park->server && park->server->invite
                                      ? 487 : 481);
        }
    }
}


static void
ngx_ims_park_server(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_park_t  *park;

    park = t->data;

    /* once it is answered nobody waits for what becomes of it */

    if (park != NULL && rc == NGX_OK) {
        ngx_ims_park_refuse(park, 487);
    }
}


static void
ngx_ims_park_reply(ngx_ims_park_t *park, ngx_uint_t status)
{
    size_t             len;
    u_char             tag[16];
    ngx_ims_str_t      to_tag;
    ngx_ims_worker_t  *w;

    w = park->worker;

    ngx_ims_call_tag(w, tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_forward_parse(w->saved, &park->server->request) == NGX_OK
        && ngx_ims_sip_reply(&w->saved->msg, status, NULL,
                             status > 100 ? &to_tag : NULL,
                             status == 480 ? "Retry-After: 5" CRLF : NULL,
                             NULL, w->out, w->out_size, &len)
           == NGX_IMS_OK)
    {
        (void) ngx_ims_txn_reply(park->server, status, w->out, len);
    }
}


static void
ngx_ims_park_refuse(ngx_ims_park_t *park, ngx_uint_t status)
{
    ngx_ims_str_t  call_id;

    if (park->server != NULL) {
        ngx_ims_park_reply(park, status);

        if (park->server->invite && !park->in_dialog) {
            call_id = park->call_id;
            ngx_ims_dialog_forget_early(park->pool, &park->binding, &call_id,
                                        0);
        }

        park->server->data = NULL;
        park->server = NULL;
    }

    ngx_ims_park_free(park);
}


static void
ngx_ims_park_free(ngx_ims_park_t *park)
{
    ngx_queue_t      *q;
    ngx_ims_park_t   *other;
    ngx_ims_owner_t   none;

    ngx_queue_remove(&park->queue);
    ngx_ims_park_n--;
    ngx_ims_park_bytes -= park->size;

    for (q = ngx_queue_head(&ngx_ims_park_queue);
         q != ngx_queue_sentinel(&ngx_ims_park_queue);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_ims_park_t, queue);

        if (ngx_ims_park_same(other, park->pool, &park->binding)) {
            break;
        }
    }

    if (q == ngx_queue_sentinel(&ngx_ims_park_queue)) {
        ngx_memzero(&none, sizeof(ngx_ims_owner_t));
        (void) ngx_ims_binding_keep(park->pool, &park->binding, &none,
                                    &park->worker->self);
    }

    if (park->text.data != NULL) {
        ngx_free(park->text.data);
    }

    ngx_free(park);
}


ngx_int_t
ngx_ims_park_ready(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref)
{
    ngx_ims_owner_t     owner, keeper;
    ngx_ims_session_t  *s;

    if (ngx_ims_binding_where(pool, ref, &owner, &keeper) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (owner.pid == 0) {
        return NGX_AGAIN;
    }

    if (!ngx_ims_owner_equal(&owner, &w->self)) {
        return NGX_OK;
    }

    s = ngx_ims_session_find(w, pool, ref);

    return s == NULL || (!s->registered && s->registering != NULL)
           ? NGX_AGAIN : NGX_OK;
}


ngx_uint_t
ngx_ims_park_delivers(void)
{
    return ngx_ims_park_until != 0;
}


ngx_uint_t
ngx_ims_park_count(void)
{
    return ngx_ims_park_n;
}


void
ngx_ims_park_soon(void)
{
    if (ngx_ims_park_n && ngx_ims_park_event.timer_set) {
        ngx_del_timer(&ngx_ims_park_event);
        ngx_add_timer(&ngx_ims_park_event, 1);
    }
}


static void
ngx_ims_park_timer(ngx_event_t *ev)
{
    ngx_int_t        rc;
    ngx_queue_t     *q, *next;
    ngx_ims_park_t  *park;

    for (q = ngx_queue_head(&ngx_ims_park_queue);
         q != ngx_queue_sentinel(&ngx_ims_park_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        park = ngx_queue_data(q, ngx_ims_park_t, queue);

        if (ngx_ims_park_late(park)) {
            ngx_ims_park_refuse(park, 480);
        }
    }

    ngx_ims_park_round++;

again:

    for (q = ngx_queue_head(&ngx_ims_park_queue);
         q != ngx_queue_sentinel(&ngx_ims_park_queue);
         q = ngx_queue_next(q))
    {
        park = ngx_queue_data(q, ngx_ims_park_t, queue);

        if (park->round == ngx_ims_park_round) {
            continue;
        }

        rc = ngx_ims_park_ready(park->worker, park->pool, &park->binding);

        if (rc == NGX_OK && park->after
            && (ngx_msec_int_t) (park->after - ngx_current_msec) > 0
            && ngx_ims_session_find(park->worker, park->pool, &park->binding)
               == NULL)
        {
            rc = NGX_AGAIN;
        }

        if (rc != NGX_AGAIN) {
            ngx_ims_park_all(park->pool, &park->binding, rc);

        } else {

            /* those behind it wait, too */

            park->round = ngx_ims_park_round;
        }

        goto again;
    }

    if (ngx_ims_park_n && !ev->timer_set) {
        ngx_add_timer(ev, NGX_IMS_PARK_TICK);
    }
}


static ngx_uint_t
ngx_ims_park_late(ngx_ims_park_t *park)
{
    return park->worker->struck
           || (ngx_msec_int_t) (park->until - ngx_current_msec) <= 0;
}


/* what waits for one browser, in order: it is back, or gone for good */

static void
ngx_ims_park_all(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref, ngx_int_t rc)
{
    ngx_queue_t     *q;
    ngx_ims_park_t  *park;
    ngx_ims_ref_t    binding;

    binding = *ref;

again:

    for (q = ngx_queue_head(&ngx_ims_park_queue);
         q != ngx_queue_sentinel(&ngx_ims_park_queue);
         q = ngx_queue_next(q))
    {
        park = ngx_queue_data(q, ngx_ims_park_t, queue);

        if (!ngx_ims_park_same(park, pool, &binding)
            || park->round == ngx_ims_park_round)
        {
            continue;
        }

        if (rc == NGX_OK) {
            ngx_ims_park_deliver(park);

        } else {

            /* not 430: the core is told by de-registration, too */

            ngx_ims_park_refuse(park, park->in_dialog ? 481 : 480);
        }

        goto again;
    }
}


static void
ngx_ims_park_deliver(ngx_ims_park_t *park)
{
    u_char             *p;
    size_t              len;
    ngx_str_t           text;
    ngx_ims_flow_t      flow;
    ngx_ims_core_t     *core;
    ngx_ims_owner_t     owner, keeper;
    ngx_ims_worker_t   *w;
    ngx_ims_session_t  *s;
    u_char              branch[NGX_IMS_BRANCH_LEN];

    w = park->worker;
    core = park->core;

    text = park->server ? park->server->request : park->text;
    flow = park->server ? park->server->flow : park->flow;
    len = text.len;

    if (core == NULL) {
        s = ngx_ims_session_find(w, park->pool, &park->binding);

        if (s != NULL) {
            (void) ngx_ims_session_send(s, text.data, len);

        } else if (ngx_ims_binding_where(park->pool, &park->binding, &owner,
                                         &keeper)
                   == NGX_OK)
        {
            (void) ngx_ims_handover_browser(w, park->pool, &park->binding,
                                            &owner, text.data, len);
        }

        ngx_ims_park_free(park);
        return;
    }

    /* it is read from where the sockets are read to */

    p = ngx_alloc(len, w->log);
    if (p == NULL) {
        ngx_ims_park_refuse(park, 480);
        return;
    }

    ngx_memcpy(p, text.data, len);
    ngx_memcpy(branch, park->branch, NGX_IMS_BRANCH_LEN);

    if (park->server != NULL) {
        ngx_ims_txn_abandon(park->server);
        park->server = NULL;
    }

    ngx_ims_park_until = park->until;
    ngx_ims_park_free(park);

    w->again = branch[0] ? branch : NULL;

    core->handler(core, &flow, p, len);

    w->again = NULL;
    ngx_ims_park_until = 0;

    ngx_free(p);
}
