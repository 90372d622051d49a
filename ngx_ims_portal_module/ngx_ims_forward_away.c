/*
 * Copyright (C) the IMS portal authors
 *
 * Requests of a browser whose socket is gone.  They are not of that socket but
 * of the browser's binding: when it has another one in this worker, they go on
 * there, and what it repeats is known (RFC 3261 17.2.3).  Also the answers
 * whose ACK may have gone with the socket (13.3.1.4).
 *
 * Timers: one for all that wait for their browser, until the first of them has
 * waited long enough; cancelable, as nobody else waits for it.
 */


#include "ngx_ims_forward.h"
#include "ngx_ims_handover.h"


enum {
    NGX_IMS_FORWARD_AWAY = 1024          /* that wait, in a worker */
};


static void ngx_ims_forward_join(ngx_ims_forward_t *fw,
    ngx_ims_session_t *s);
static void ngx_ims_forward_unwait(ngx_ims_session_t *s);
static void ngx_ims_forward_append(ngx_queue_t *to, ngx_queue_t *from);
static ngx_uint_t ngx_ims_forward_waits(ngx_ims_forward_t *fw);
static void ngx_ims_forward_aways_init(ngx_log_t *log);
static void ngx_ims_forward_aways_timer(ngx_event_t *ev);
static void ngx_ims_forward_aways_arm(void);


static ngx_queue_t  ngx_ims_forward_aways;
static ngx_uint_t   ngx_ims_forward_naways;
static ngx_event_t  ngx_ims_forward_aways_event;


ngx_int_t
ngx_ims_forward_facts(ngx_ims_forward_t *fw, ngx_ims_facts_t *f)
{
    if (ngx_ims_call_facts(fw->worker, fw->session, fw->pool, &fw->binding,
                           fw->lease, f)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a browser that had it before takes it for a repetition */

    if (fw->branch[0]) {
        ngx_memcpy(f->branch, fw->branch, NGX_IMS_BRANCH_LEN);
    }

    return NGX_OK;
}


ngx_int_t
ngx_ims_forward_pause(ngx_ims_session_t *s, ngx_ims_sip_msg_t *m)
{
    ngx_queue_t  behind;

    /* it was the next one: what has come since is behind it */

    ngx_queue_init(&behind);
    ngx_ims_forward_append(&behind, &s->up);

    if (ngx_ims_forward_hold(s, 1, NULL, &s->flow, m->text.data, m->text.len,
                             1)
        != NGX_OK)
    {
        ngx_ims_forward_append(&s->up, &behind);
        return NGX_ERROR;
    }

    ngx_ims_forward_append(&s->up, &behind);

    s->up_busy = 1;
    s->up_waits = 1;

    return NGX_OK;
}


void
ngx_ims_forward_wake(ngx_ims_session_t *s)
{
    if (s->up_waits) {
        s->up_waits = 0;
        s->up_busy = 0;
        ngx_ims_forward_resume(s, 1);
    }
}


/*
 * A socket that is left does not hear what it waited for: the request is sent
 * again over the next one.
 */

static void
ngx_ims_forward_unwait(ngx_ims_session_t *s)
{
    ngx_queue_t     *q;
    ngx_ims_held_t  *held;

    ngx_ims_waiter_cancel(&s->waiting);

    if (!s->up_waits) {
        return;
    }

    s->up_waits = 0;
    s->up_busy = 0;

    q = ngx_queue_head(&s->up);
    ngx_queue_remove(q);
    s->nwaiting--;

    held = ngx_queue_data(q, ngx_ims_held_t, queue);
    ngx_free(held);
}


void
ngx_ims_forward_move(ngx_ims_session_t *from, ngx_ims_session_t *to)
{
    ngx_queue_t        *q;
    ngx_ims_forward_t  *fw;

    while (!ngx_queue_empty(&from->requests)) {
        q = ngx_queue_head(&from->requests);
        ngx_queue_remove(q);

        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        from->nrequests--;
        from->npending -= !fw->answered;

        ngx_ims_forward_join(fw, to);
    }

    ngx_ims_forward_unwait(from);
    ngx_ims_forward_append(&to->up, &from->up);
    ngx_ims_forward_append(&to->down, &from->down);

    to->nwaiting += from->nwaiting;
    to->up_busy |= from->up_busy;
    to->down_busy |= from->down_busy;

    from->nwaiting = 0;
    from->up_busy = 0;
    from->down_busy = 0;
}


static void
ngx_ims_forward_append(ngx_queue_t *to, ngx_queue_t *from)
{
    if (!ngx_queue_empty(from)) {
        ngx_queue_add(to, from);
        ngx_queue_init(from);
    }
}


static void
ngx_ims_forward_join(ngx_ims_forward_t *fw, ngx_ims_session_t *s)
{
    fw->session = s;

    ngx_queue_insert_tail(&s->requests, &fw->queue);
    s->nrequests++;
    s->npending += !fw->answered;
    s->connection->idle = 0;

    if (fw->up && fw->server != NULL) {
        ngx_ims_txn_resume(fw->server, &s->flow);

    } else if (!fw->up && fw->client != NULL) {
        ngx_ims_txn_resume(fw->client, &s->flow);
    }
}


/* 1 when something is left to be said about it on another socket */

static ngx_uint_t
ngx_ims_forward_waits(ngx_ims_forward_t *fw)
{
    if (!fw->up) {

        /* a 2xx of the browser, which it repeats until an ACK has come */

        return fw->client != NULL && fw->server->invite
               && fw->final.data != NULL;
    }

    /* what needs the helper, or may make a dialog, needs a socket, too */

    return fw->server->invite
           || (fw->command == NULL && !fw->offered && !fw->subscribe);
}


ngx_int_t
ngx_ims_forward_wait(ngx_ims_forward_t *fw, ngx_msec_t wait)
{
    if (fw->server == NULL || ngx_ims_forward_naways >= NGX_IMS_FORWARD_AWAY
        || !ngx_ims_forward_waits(fw))
    {
        return NGX_DECLINED;
    }

    if (ngx_ims_forward_aways_event.handler == NULL) {
        ngx_ims_forward_aways_init(fw->worker->log);
    }

    ngx_ims_txn_suspend(fw->up ? fw->server : fw->client);

    fw->away = 1;
    fw->until = ngx_current_msec + wait;
    fw->refs++;

    ngx_queue_insert_tail(&ngx_ims_forward_aways, &fw->queue);
    ngx_ims_forward_naways++;
    ngx_ims_forward_aways_arm();

    /*
     * A call that nobody hears ringing is given up.  Its caller is told when he
     * is back.
     */

    if (fw->up && (fw->client == NULL || fw->server->invite)) {
        ngx_ims_forward_give_up(fw);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_ims_forward_repeated(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    ngx_ims_owner_t  owner;

    if (!fw->away || fw->server == NULL || fw->final.data == NULL
        || m->status < 200 || m->status >= 300
        || ngx_crc32_short(m->to.tag.data, m->to.tag.len) != fw->final_tag)
    {
        return 0;
    }

    if (!fw->up) {
        (void) ngx_ims_txn_reply(fw->server, m->status, fw->final.data,
                                 fw->final.len);

    } else if (ngx_ims_binding_owner(fw->pool, &fw->binding, &owner) == NGX_OK
               && owner.pid
               && !ngx_ims_owner_equal(&owner, &fw->worker->self))
    {
        (void) ngx_ims_handover_browser(fw->worker, fw->pool, &fw->binding,
                                        &owner, fw->final.data,
                                        fw->final.len);
    }

    return 1;
}


static void
ngx_ims_forward_aways_init(ngx_log_t *log)
{
    ngx_queue_init(&ngx_ims_forward_aways);

    ngx_ims_forward_aways_event.handler = ngx_ims_forward_aways_timer;

    /* debug logs read what stands where its fd would be */

    ngx_ims_forward_aways_event.data = &ngx_ims_forward_aways_event;
    ngx_ims_forward_aways_event.log = log;
    ngx_ims_forward_aways_event.cancelable = 1;
}


/* they wait for unequal times: a glance now and then will do */

static void
ngx_ims_forward_aways_arm(void)
{
    if (ngx_ims_forward_naways
        && !ngx_ims_forward_aways_event.timer_set)
    {
        ngx_add_timer(&ngx_ims_forward_aways_event, 1000);
    }
}


static void
ngx_ims_forward_aways_timer(ngx_event_t *ev)
{
    ngx_queue_t        *q, *next;
    ngx_ims_txn_t      *t;
    ngx_ims_forward_t  *fw;

    for (q = ngx_queue_head(&ngx_ims_forward_aways);
         q != ngx_queue_sentinel(&ngx_ims_forward_aways);
         q = next)
    {
        next = ngx_queue_next(q);
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        if ((ngx_msec_int_t) (fw->until - ngx_current_msec) > 0) {
            continue;
        }

        ngx_queue_remove(q);
        ngx_ims_forward_naways--;

        fw->away = 0;

        t = fw->up ? fw->server : fw->client;

        if (t != NULL) {
            ngx_ims_txn_reattach(t, &t->flow);
            ngx_ims_txn_detach(t);
        }

        if (fw->up) {
            ngx_ims_forward_give_up(fw);
        }

        ngx_ims_forward_unref(fw);
    }

    ngx_ims_forward_aways_arm();
}


void
ngx_ims_forward_back(ngx_ims_session_t *s)
{
    ngx_queue_t        *q, *next;
    ngx_ims_forward_t  *fw;

    if (ngx_ims_forward_naways == 0) {
        return;
    }

    for (q = ngx_queue_head(&ngx_ims_forward_aways);
         q != ngx_queue_sentinel(&ngx_ims_forward_aways);
         q = next)
    {
        next = ngx_queue_next(q);
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        if (fw->pool != s->pool || fw->binding.index != s->binding.index
            || fw->binding.seq != s->binding.seq)
        {
            continue;
        }

        ngx_queue_remove(q);
        ngx_ims_forward_naways--;

        fw->away = 0;

        ngx_ims_forward_join(fw, s);
        ngx_ims_forward_unref(fw);
    }
}
