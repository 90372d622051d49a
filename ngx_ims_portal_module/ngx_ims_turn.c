/*
 * Copyright (C) the IMS portal authors
 *
 * Requests that came before their turn.
 *
 * Timers: one for each of them, NGX_IMS_TURN_WAIT, for a 2xx several times
 * that, not cancelable, so that an old worker passes it on before it goes.
 */


#include "ngx_ims_turn.h"


typedef struct {
    ngx_queue_t               queue;          /* of a dialog, by CSeq */
    ngx_event_t               timer;
    ngx_ims_worker_t         *worker;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             binding;
    ngx_ims_flow_t            flow;
    uint32_t                  dialog;         /* hash of its Call-ID, tags */
    uint32_t                  branch;         /* hash of the top Via's */
    uint32_t                  cseq;
    ngx_uint_t                method;
    ngx_uint_t                waits;          /* of NGX_IMS_TURN_WAIT, left */
    ngx_ims_str_t             call_id;        /* within the text */
    ngx_ims_str_t             web_tag;
    ngx_ims_str_t             far_tag;
    size_t                    len;
    u_char                    text[];
} ngx_ims_turn_t;


/* how far the core has counted, requests included that were refused here */
typedef struct {
    uint32_t                  dialog;         /* hash as above */
    uint32_t                  cseq;
    uint32_t                  invite;         /* its ACK is to come; 0 */
} ngx_ims_turn_seen_t;


static void ngx_ims_turn_of(ngx_ims_turn_t *turn, ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m);
static ngx_int_t ngx_ims_turn_look(ngx_ims_turn_t *turn);
static void ngx_ims_turn_see(ngx_ims_turn_t *turn);
static ngx_uint_t ngx_ims_turn_waiting(ngx_ims_turn_t *turn);
static ngx_int_t ngx_ims_turn_add(ngx_ims_turn_t *turn);
static ngx_ims_turn_t *ngx_ims_turn_copy(ngx_ims_turn_t *turn,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m);
static void ngx_ims_turn_span(ngx_ims_str_t *span, ngx_ims_turn_t *turn,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_turn_timer(ngx_event_t *ev);
static void ngx_ims_turn_again(ngx_event_t *ev);
static void ngx_ims_turn_deliver(ngx_ims_turn_t *turn);


static ngx_ims_turn_pt  ngx_ims_turn_handler;
static ngx_queue_t      ngx_ims_turn_queue;
static ngx_uint_t       ngx_ims_turn_n;
static ngx_event_t      ngx_ims_turn_event;
static ngx_uint_t       ngx_ims_turn_several;  /* not the only reader */
static ngx_uint_t       ngx_ims_turn_due;      /* within the handler */

static ngx_ims_turn_seen_t  ngx_ims_turn_seen[NGX_IMS_TURN_SEEN];


void
ngx_ims_turn_init(ngx_ims_worker_t *w, ngx_ims_turn_pt handler)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(w->cycle->conf_ctx,
                                           ngx_core_module);

    ngx_ims_turn_handler = handler;
    ngx_ims_turn_several = ccf->worker_processes > 1;

    ngx_queue_init(&ngx_ims_turn_queue);

    ngx_ims_turn_event.handler = ngx_ims_turn_again;
    ngx_ims_turn_event.log = w->log;
}


void
ngx_ims_turn_handed(void)
{
    ngx_ims_turn_several = 1;
}


ngx_int_t
ngx_ims_turn_hold(ngx_ims_session_t *s, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    ngx_ims_turn_t  *turn, one;

    if (m->to.tag.len == 0 || m->method == NGX_IMS_SIP_CANCEL) {
        return NGX_DECLINED;
    }

    if (!ngx_ims_turn_several && m->method != NGX_IMS_SIP_BYE) {
        return NGX_DECLINED;
    }

    ngx_ims_turn_of(&one, s, m);

    if (ngx_ims_turn_due || m->method == NGX_IMS_SIP_ACK
        || ngx_ims_turn_look(&one) == NGX_OK)
    {
        ngx_ims_turn_see(&one);
        return NGX_DECLINED;
    }

    if (ngx_ims_turn_waiting(&one) >= NGX_IMS_TURN_DIALOG) {
        return NGX_BUSY;
    }

    if (ngx_ims_turn_n == NGX_IMS_TURN_MAX) {
        ngx_ims_turn_see(&one);
        return NGX_DECLINED;
    }

    turn = ngx_ims_turn_copy(&one, flow, m);
    if (turn == NULL) {
        return NGX_BUSY;
    }

    if (ngx_ims_turn_add(turn) != NGX_OK) {

        /* the same once more: it will be answered once */

        ngx_free(turn);
    }

    return NGX_OK;
}


static void
ngx_ims_turn_of(ngx_ims_turn_t *turn, ngx_ims_session_t *s,
    ngx_ims_sip_msg_t *m)
{
    ngx_memzero(turn, sizeof(ngx_ims_turn_t));

    turn->worker = s->worker;
    turn->pool = s->pool;
    turn->binding = s->binding;
    turn->cseq = m->cseq;
    turn->method = m->method;
    turn->waits = s->npending ? NGX_IMS_TURN_WAITS : 0;
    turn->branch = ngx_crc32_short(m->via.branch.data, m->via.branch.len);
    turn->call_id = m->call_id;
    turn->web_tag = m->to.tag;
    turn->far_tag = m->from.tag;

    ngx_crc32_init(turn->dialog);
    ngx_crc32_update(&turn->dialog, m->call_id.data, m->call_id.len);
    ngx_crc32_update(&turn->dialog, m->to.tag.data, m->to.tag.len);
    ngx_crc32_update(&turn->dialog, m->from.tag.data, m->from.tag.len);
    ngx_crc32_final(turn->dialog);
}


/* NGX_OK: it may pass, NGX_AGAIN: it is to wait, NGX_BUSY: for a 2xx */

static ngx_int_t
ngx_ims_turn_look(ngx_ims_turn_t *turn)
{
    uint32_t              last;
    ngx_uint_t            up, early;
    ngx_ims_turn_seen_t  *seen;

    if (ngx_ims_dialog_last(turn->pool, &turn->binding, &turn->call_id,
                            &turn->web_tag, &turn->far_tag, &last, &up,
                            &early)
        != NGX_OK)
    {
        /* a NOTIFY may begin a dialog, too (RFC 6665 4.4.1) */

        return (turn->waits && turn->method != NGX_IMS_SIP_NOTIFY)
               ? NGX_BUSY : NGX_OK;
    }

    if (up && early && turn->method == NGX_IMS_SIP_BYE) {
        return NGX_BUSY;
    }

    if (!ngx_ims_turn_several) {
        return NGX_OK;
    }

    seen = &ngx_ims_turn_seen[turn->dialog & (NGX_IMS_TURN_SEEN - 1)];

    if (seen->dialog == turn->dialog) {

        if (seen->invite && turn->cseq > seen->invite) {
            return NGX_AGAIN;
        }

        last = ngx_max(last, seen->cseq);

    } else if (!up && !early) {

        /* the ACK would have been seen */

        return NGX_AGAIN;
    }

    return (last == 0 || turn->cseq > last + 1) ? NGX_AGAIN : NGX_OK;
}


static void
ngx_ims_turn_see(ngx_ims_turn_t *turn)
{
    ngx_ims_turn_seen_t  *seen;

    seen = &ngx_ims_turn_seen[turn->dialog & (NGX_IMS_TURN_SEEN - 1)];

    if (seen->dialog != turn->dialog) {
        seen->dialog = turn->dialog;
        seen->cseq = 0;
    }

    seen->cseq = ngx_max(seen->cseq, turn->cseq);
    seen->invite = (turn->method == NGX_IMS_SIP_INVITE) ? turn->cseq : 0;
}


/* how many of its dialog do */

static ngx_uint_t
ngx_ims_turn_waiting(ngx_ims_turn_t *turn)
{
    ngx_uint_t       n;
    ngx_queue_t     *q;
    ngx_ims_turn_t  *other;

    n = 0;

    for (q = ngx_queue_head(&ngx_ims_turn_queue);
         q != ngx_queue_sentinel(&ngx_ims_turn_queue);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_ims_turn_t, queue);
        n += (other->dialog == turn->dialog);
    }

    return n;
}


static ngx_ims_turn_t *
ngx_ims_turn_copy(ngx_ims_turn_t *one, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m)
{
    ngx_ims_turn_t  *turn;

    turn = ngx_alloc(sizeof(ngx_ims_turn_t) + m->text.len, one->worker->log);
    if (turn == NULL) {
        return NULL;
    }

    *turn = *one;
    turn->flow = *flow;
    turn->len = m->text.len;
    ngx_memcpy(turn->text, m->text.data, m->text.len);

    ngx_ims_turn_span(&turn->call_id, turn, m);
    ngx_ims_turn_span(&turn->web_tag, turn, m);
    ngx_ims_turn_span(&turn->far_tag, turn, m);

    turn->timer.handler = ngx_ims_turn_timer;
    turn->timer.data = turn;
    turn->timer.log = one->worker->log;

    return turn;
}


static void
ngx_ims_turn_span(ngx_ims_str_t *span, ngx_ims_turn_t *turn,
    ngx_ims_sip_msg_t *m)
{
    span->data = turn->text + (span->data - m->text.data);
}


/* in the order of their numbers; NGX_DECLINED: it is there already */

static ngx_int_t
ngx_ims_turn_add(ngx_ims_turn_t *turn)
{
    ngx_queue_t     *q;
    ngx_ims_turn_t  *other;

    for (q = ngx_queue_head(&ngx_ims_turn_queue);
         q != ngx_queue_sentinel(&ngx_ims_turn_queue);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_ims_turn_t, queue);

        if (other->dialog != turn->dialog || other->cseq < turn->cseq) {
            continue;
        }

        if (other->cseq == turn->cseq && other->branch == turn->branch) {
            return NGX_DECLINED;
        }

        break;
    }

    ngx_queue_insert_tail(q, &turn->queue);
    ngx_ims_turn_n++;

    ngx_add_timer(&turn->timer, NGX_IMS_TURN_WAIT);

    return NGX_OK;
}


/* what was missing does not come: it goes, and what waits before it */

static void
ngx_ims_turn_timer(ngx_event_t *ev)
{
    uint32_t         dialog;
    ngx_uint_t       last;
    ngx_queue_t     *q, *next;
    ngx_ims_turn_t  *turn, *other;

    turn = ev->data;
    dialog = turn->dialog;

    if (turn->waits && ngx_ims_turn_look(turn) == NGX_BUSY) {
        turn->waits--;
        ngx_add_timer(ev, NGX_IMS_TURN_WAIT);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "ims turn: CSeq %uD came alone", turn->cseq);

    for (last = 0, q = ngx_queue_head(&ngx_ims_turn_queue);
         !last && q != ngx_queue_sentinel(&ngx_ims_turn_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        other = ngx_queue_data(q, ngx_ims_turn_t, queue);

        if (other->dialog == dialog) {
            last = (other == turn);
            ngx_ims_turn_deliver(other);
        }
    }

    ngx_ims_turn_passed();
}


void
ngx_ims_turn_passed(void)
{
    if (ngx_ims_turn_n) {

        /* not now: the scratch of this event is in use */

        ngx_post_event(&ngx_ims_turn_event, &ngx_posted_events);
    }
}


static void
ngx_ims_turn_again(ngx_event_t *ev)
{
    ngx_queue_t     *q, *next;
    ngx_ims_turn_t  *turn;

    /* what is delivered from here does not come back, see ngx_ims_turn_due */

    for (q = ngx_queue_head(&ngx_ims_turn_queue);
         q != ngx_queue_sentinel(&ngx_ims_turn_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        turn = ngx_queue_data(q, ngx_ims_turn_t, queue);

        if (ngx_ims_turn_look(turn) == NGX_OK) {
            ngx_ims_turn_deliver(turn);
        }
    }
}


static void
ngx_ims_turn_deliver(ngx_ims_turn_t *turn)
{
    ngx_queue_remove(&turn->queue);
    ngx_ims_turn_n--;

    if (turn->timer.timer_set) {
        ngx_del_timer(&turn->timer);
    }

    ngx_ims_turn_due = 1;

    ngx_ims_turn_handler(turn->worker, turn->pool->core, &turn->flow,
                         turn->text, turn->len);

    ngx_ims_turn_due = 0;

    ngx_free(turn);
}
