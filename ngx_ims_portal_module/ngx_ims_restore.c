/*
 * Copyright (C) the IMS portal authors
 *
 * When a server was back is known to all workers, and each record has the time
 * of its registration: what is older is renewed.  Each worker does that for the
 * browsers that it has; one that has no socket is registered when it comes
 * back, and the pool's own registration is the leader's.
 *
 * Timers: one in each worker, once a second, cancelable; those that renew are
 * the sessions' own.
 */


#include "ngx_ims_restore.h"
#include "ngx_ims_uac.h"


enum {
    NGX_IMS_RESTORE_TICK = 1000,         /* ms */
    NGX_IMS_RESTORE_AGAIN = 2000,        /* ms, doubling: a core that is back
                                            may not have all it needs yet */
    NGX_IMS_RESTORE_PAUSE = 30           /* s from one round to the next */
};


typedef struct {
    ngx_ims_core_t           *core;
    time_t                    back;           /* s, what the last one was for */
    time_t                    next;           /* s, none before */
} ngx_ims_restore_t;


typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_restore_t        *cores;
    ngx_event_t               event;
} ngx_ims_restores_t;


static void ngx_ims_restore_tick(ngx_event_t *ev);
static void ngx_ims_restore_core(ngx_ims_worker_t *w, ngx_ims_restore_t *r);
static ngx_int_t ngx_ims_restore_session(ngx_ims_session_t *s, time_t before,
    ngx_msec_t delay);
static ngx_uint_t ngx_ims_restore_asked(ngx_ims_sip_msg_t *m);


ngx_int_t
ngx_ims_restore_init(ngx_ims_worker_t *w)
{
    ngx_uint_t            i;
    ngx_ims_core_t      **core;
    ngx_ims_restores_t   *all;

    all = ngx_pcalloc(w->cycle->pool, sizeof(ngx_ims_restores_t));
    if (all == NULL) {
        return NGX_ERROR;
    }

    all->worker = w;
    all->cores = ngx_pcalloc(w->cycle->pool, (w->cores->nelts + 1)
                                             * sizeof(ngx_ims_restore_t));
    if (all->cores == NULL) {
        return NGX_ERROR;
    }

    core = w->cores->elts;

    for (i = 0; i < w->cores->nelts; i++) {

        /* browsers that come from another worker are looked at on their way */

        all->cores[i].core = core[i];
        all->cores[i].back = ngx_ims_core_back(core[i]);
    }

    all->event.handler = ngx_ims_restore_tick;
    all->event.data = all;
    all->event.log = w->log;
    all->event.cancelable = 1;

    ngx_add_timer(&all->event, NGX_IMS_RESTORE_TICK);

    return NGX_OK;
}


static void
ngx_ims_restore_tick(ngx_event_t *ev)
{
    time_t               back;
    ngx_uint_t           i;
    ngx_ims_restore_t   *r;
    ngx_ims_restores_t  *all;

    all = ev->data;

    ngx_add_timer(ev, NGX_IMS_RESTORE_TICK);

    for (i = 0; i < all->worker->cores->nelts; i++) {
        r = &all->cores[i];

        if (r->core->reregister == 0) {
            continue;
        }

        back = ngx_ims_core_back(r->core);

        if (back != r->back && r->next <= ngx_time()) {
            r->back = back;
            ngx_ims_restore_core(all->worker, r);
        }
    }
}


static void
ngx_ims_restore_core(ngx_ims_worker_t *w, ngx_ims_restore_t *r)
{
    ngx_uint_t          n;
    ngx_msec_t          step;
    ngx_queue_t        *q;
    ngx_ims_session_t  *s;

    n = 0;
    step = 1000 / r->core->reregister;

    for (q = ngx_queue_head(&w->sessions);
         q != ngx_queue_sentinel(&w->sessions);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_ims_session_t, queue);

        if (s->pool->core == r->core
            && ngx_ims_restore_session(s, r->back, n * 1000
                                                   / r->core->reregister
                                                   + ngx_random() % (step + 1))
               == NGX_OK)
        {
            n++;
        }
    }

    if (n) {
        r->next = ngx_time() + NGX_IMS_RESTORE_PAUSE;

        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "ims core \"%V\" is back, %ui browsers are registered "
                      "again", &r->core->name, n);
    }
}


/* registers it again in a while, if that was done before the given time (s) */

static ngx_int_t
ngx_ims_restore_session(ngx_ims_session_t *s, time_t before, ngx_msec_t delay)
{
    ngx_event_t          *ev;
    ngx_ims_binding_t     b;
    ngx_ims_uac_state_t  *state;

    ev = &s->refresh_event;

    if (!s->registered || !s->bound || s->registering != NULL
        || !ev->timer_set
        || ngx_ims_binding_load(s->pool, &s->binding, &b, s->worker->record)
           != NGX_OK
        || b.state != NGX_IMS_BINDING_REGISTERED || b.registered >= before)
    {
        return NGX_DECLINED;
    }

    state = ngx_ims_uac_state(s);

    if (state != NULL) {
        state->restoring = NGX_IMS_RESTORE_AGAIN;
    }

    if ((ngx_msec_int_t) (ev->timer.key - ngx_current_msec)
        > (ngx_msec_int_t) delay)
    {
        ngx_add_timer(ev, ngx_max(delay, 1));
    }

    return NGX_OK;
}


void
ngx_ims_restore_answer(ngx_ims_forward_t *fw, ngx_ims_sip_msg_t *m)
{
    time_t              age;
    ngx_ims_session_t  *s;

    s = fw->session;

    if (!fw->up || s == NULL || fw->in_dialog || fw->emergency || fw->local
        || (m->status != 403 && !ngx_ims_restore_asked(m)))
    {
        return;
    }

    /*
     * 403 may be somebody else's word, so it counts once in a while only: what
     * was registered within 64*T1 is believed
     */

    age = 1 + 64 * fw->worker->t1 / 1000;

    if (ngx_ims_restore_session(s, ngx_time() - age, 1) == NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "core \"%V\" answered %ui, a browser is registered "
                      "again", &s->pool->core->name, (ngx_uint_t) m->status);
    }
}


/* <action>initial-registration</action> (TS 24.229 7.6) */

static ngx_uint_t
ngx_ims_restore_asked(ngx_ims_sip_msg_t *m)
{
    u_char             *p, *last;
    ngx_ims_sip_hdr_t  *h;

    static const char  type[] = "application/3gpp-ims+xml";

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_CONTENT_TYPE);

    if (m->status != 504 || h == NULL || h->value.len < sizeof(type) - 1
        || ngx_strncasecmp(h->value.data, (u_char *) type, sizeof(type) - 1)
           != 0)
    {
        return 0;
    }

    p = m->body.data;
    last = p + m->body.len;

    return m->body.len
           && ngx_strlcasestrn(p, last, (u_char *) "initial-registration",
                               20 - 1)
              != NULL;
}
