/*
 * Copyright (C) the IMS portal authors
 *
 * The records in the zone say which helper has a call, so nothing has to be
 * remembered here but how far a round through them has come.
 *
 * Timers: one in each worker that has helpers, every 250 ms, cancelable.
 */


#include "ngx_ims_recover.h"


enum {
    NGX_IMS_RECOVER_TICK = 250,          /* ms */
    NGX_IMS_RECOVER_LOOK = 16384,        /* records looked at in a tick */
    NGX_IMS_RECOVER_CALLS = 50,          /* of them, ended or asked about */
    NGX_IMS_RECOVER_PACE = 30,           /* s from a round to the next, where
                                            a helper has to be asked */
    NGX_IMS_RECOVER_PACES = 6,           /* ... of the time without consent */
    NGX_IMS_RECOVER_AGAIN = 10           /* s until the second round, for
                                            browsers that moved meanwhile */
};


/* a round through the records of all pools, for one helper */
typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_recover_list_t   *list;
    ngx_ims_media_life_t      life;
    ngx_uint_t                back;           /* as it was when this began */
    ngx_uint_t                pool;
    uint32_t                  record;
    time_t                    again;          /* s; 0: no second round */
    time_t                    poll;           /* s, where it does not tell */
    unsigned                  asking:1;       /* a round is under way */
} ngx_ims_recover_t;


typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_recover_t        *helpers;
    ngx_uint_t                nhelpers;
    ngx_ims_recover_list_t   *list;
    ngx_event_t               event;
} ngx_ims_recovers_t;


/* a question to a helper that is under way */
typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_recover_list_t   *list;
    ngx_ims_pool_t           *pool;
    ngx_ims_ref_t             dialog;
    ngx_int_t                 helper;
} ngx_ims_recover_query_t;


static void ngx_ims_recover_tick(ngx_event_t *ev);
static void ngx_ims_recover_helper(ngx_ims_recover_t *r);
static time_t ngx_ims_recover_pace(ngx_ims_media_t *media);
static ngx_uint_t ngx_ims_recover_round(ngx_ims_recover_t *r);
static ngx_uint_t ngx_ims_recover_names(ngx_ims_worker_t *w,
    ngx_int_t helper);
static void ngx_ims_recover_ringing(ngx_ims_worker_t *w, ngx_int_t helper);
static void ngx_ims_recover_lost(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d);
static void ngx_ims_recover_ask(ngx_ims_recover_t *r, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d);
static void ngx_ims_recover_told(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason);


ngx_int_t
ngx_ims_recover_init(ngx_ims_worker_t *w)
{
    ngx_uint_t             i;
    ngx_ims_recover_t     *r;
    ngx_ims_recovers_t    *all;
    ngx_ims_media_life_t   life;

    if (w->media == NULL) {
        return NGX_OK;
    }

    all = ngx_pcalloc(w->cycle->pool, sizeof(ngx_ims_recovers_t));
    if (all == NULL) {
        return NGX_ERROR;
    }

    while (ngx_ims_media_life(w->media, all->nhelpers, &life) == NGX_OK) {
        all->nhelpers++;
    }

    all->list = ngx_ims_recover_list(w);
    if (all->list == NULL) {
        return NGX_ERROR;
    }

    all->worker = w;
    all->helpers = ngx_pcalloc(w->cycle->pool, (all->nhelpers + 1)
                                               * sizeof(ngx_ims_recover_t));
    if (all->helpers == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < all->nhelpers; i++) {
        r = &all->helpers[i];
        r->worker = w;
        r->list = all->list;

        (void) ngx_ims_media_life(w->media, i, &r->life);

        if (r->life.drained && !ngx_ims_recover_names(w, r->life.helper)) {
            ngx_ims_media_done(w->media, i);
        }
    }

    all->event.handler = ngx_ims_recover_tick;
    all->event.data = all;
    all->event.log = w->log;
    all->event.cancelable = 1;

    ngx_add_timer(&all->event, NGX_IMS_RECOVER_TICK);

    return NGX_OK;
}


/* 1 when the record of any call names it */

static ngx_uint_t
ngx_ims_recover_names(ngx_ims_worker_t *w, ngx_int_t helper)
{
    uint32_t               k;
    ngx_uint_t             i;
    ngx_ims_pool_t       **pool;
    ngx_ims_dialog_sh_t   *d;

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        for (k = 0; k < pool[i]->zone.sh->ndialogs; k++) {
            d = &pool[i]->zone.dialogs[k];

            if (d->state != NGX_IMS_DIALOG_FREE && d->media
                && d->helper == helper)
            {
                return 1;
            }
        }
    }

    return 0;
}


static void
ngx_ims_recover_tick(ngx_event_t *ev)
{
    ngx_uint_t           i;
    ngx_ims_recovers_t  *all;

    all = ev->data;

    ngx_add_timer(ev, NGX_IMS_RECOVER_TICK);

    for (i = 0; i < all->nhelpers; i++) {
        (void) ngx_ims_media_life(all->worker->media, i,
                                  &all->helpers[i].life);

        ngx_ims_recover_helper(&all->helpers[i]);
    }

    ngx_ims_recover_look(all->list);
}


static void
ngx_ims_recover_helper(ngx_ims_recover_t *r)
{
    ngx_uint_t  begin;

    if (r->life.dead) {

        /* again and again: a browser may bring its calls from elsewhere */

        ngx_ims_recover_ringing(r->worker, r->life.helper);
        (void) ngx_ims_recover_round(r);
        return;
    }

    begin = 0;

    if (r->back && !r->life.tells && !r->asking
        && r->poll <= ngx_time())
    {
        /* it takes calls away without a word, when they have no media */

        begin = 1;
    }

    if (r->back != r->life.back) {
        r->back = r->life.back;
        r->again = ngx_time() + NGX_IMS_RECOVER_AGAIN;
        begin = 1;

    } else if (r->again && r->again <= ngx_time() && !r->asking) {
        r->again = 0;
        begin = 1;
    }

    if (begin) {
        r->poll = ngx_time() + ngx_ims_recover_pace(r->worker->media);
        r->asking = 1;
        r->pool = 0;
        r->record = 0;
    }

    if (r->asking && ngx_ims_recover_round(r)) {
        r->asking = 0;
    }
}


/* s from one round of questions to the next */

static time_t
ngx_ims_recover_pace(ngx_ims_media_t *media)
{
    ngx_msec_t  wait;

    if (ngx_ims_media_consent(media, &wait) != NGX_OK) {
        return NGX_IMS_RECOVER_PACE;
    }

    return ngx_max((time_t) (wait * NGX_IMS_RECOVER_PACES / 1000),
                   NGX_IMS_RECOVER_PACES);
}


/* goes on with the round; 1: it is through */

static ngx_uint_t
ngx_ims_recover_round(ngx_ims_recover_t *r)
{
    ngx_uint_t            looked, calls;
    ngx_ims_ref_t         ref;
    ngx_ims_pool_t      **pool;
    ngx_ims_dialog_t      d;
    ngx_ims_worker_t     *w;
    ngx_ims_dialog_sh_t  *sh;

    w = r->worker;
    pool = w->pools->elts;
    calls = 0;

    for (looked = 0; looked < NGX_IMS_RECOVER_LOOK; looked++) {

        if (r->pool >= w->pools->nelts) {
            r->pool = 0;
            r->record = 0;
            return 1;
        }

        if (r->record >= pool[r->pool]->zone.sh->ndialogs) {
            r->record = 0;
            r->pool++;
            continue;
        }

        sh = &pool[r->pool]->zone.dialogs[r->record];

        /* a glance without the lock: what is done about it has it */

        ref.index = r->record++;
        ref.seq = sh->seq;

        if (sh->state != NGX_IMS_DIALOG_CONFIRMED || !sh->media
            || sh->helper != r->life.helper
            || ngx_ims_dialog_load(pool[r->pool], &ref, &d, w->record)
               != NGX_OK
            || !ngx_ims_recover_ours(w, pool[r->pool], &d))
        {
            continue;
        }

        if (r->life.dead) {
            ngx_ims_recover_lost(w, pool[r->pool], &d);

        } else {
            ngx_ims_recover_ask(r, pool[r->pool], &d);
        }

        if (++calls == NGX_IMS_RECOVER_CALLS) {
            return 0;
        }
    }

    return 0;
}


ngx_uint_t
ngx_ims_recover_ours(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d)
{
    ngx_ims_owner_t  owner;

    if (!d->media || d->events
        || ngx_ims_binding_owner(pool, &d->binding, &owner) != NGX_OK)
    {
        return 0;
    }

    if (owner.pid == 0) {
        return ngx_ims_leader_is(w->leader);
    }

    return ngx_ims_owner_equal(&owner, &w->self);
}


static void
ngx_ims_recover_ringing(ngx_ims_worker_t *w, ngx_int_t helper)
{
    ngx_queue_t        *q, *next;
    ngx_ims_session_t  *s;

    for (q = ngx_queue_head(&w->sessions);
         q != ngx_queue_sentinel(&w->sessions);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_ims_session_t, queue);

        if (s->npending) {
            ngx_ims_forward_media_lost(s, helper);
        }
    }
}


static void
ngx_ims_recover_lost(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d)
{
    ngx_log_error(NGX_LOG_INFO, w->log, 0,
                  "a call of pool \"%V\" has lost its media helper",
                  &pool->name);

    ngx_ims_recover_end(w, pool, d, NGX_IMS_REASON_MEDIA);
}


void
ngx_ims_recover_end(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d, const char *reason)
{
    ngx_ims_ref_t       ref;
    ngx_ims_session_t  *s;

    ref = d->binding;
    s = ngx_ims_session_find(w, pool, &ref);

    (void) ngx_atomic_fetch_add(&pool->zone.sh->media_ended, 1);

    ngx_ims_call_bye(w, s, pool, d, 1, s != NULL, reason);
    (void) ngx_ims_call_over(w, pool, d);

    /* what was sent may have been too much for a slow reader */

    if (s != NULL && ngx_ims_session_find(w, pool, &ref) == s) {
        ngx_ims_call_recount(s);
    }
}


static void
ngx_ims_recover_ask(ngx_ims_recover_t *r, ngx_ims_pool_t *pool,
    ngx_ims_dialog_t *d)
{
    u_char                    id[NGX_IMS_FORWARD_MAX_ID + 16];
    ngx_ims_worker_t         *w;
    ngx_ims_media_cmd_t       cmd;
    ngx_ims_recover_query_t  *query;

    w = r->worker;

    if (d->call_id.len > NGX_IMS_FORWARD_MAX_ID) {
        return;
    }

    query = ngx_alloc(sizeof(ngx_ims_recover_query_t), w->log);
    if (query == NULL) {
        return;
    }

    query->worker = w;
    query->list = r->list;
    query->pool = pool;
    query->dialog = d->ref;
    query->helper = d->helper;

    ngx_memzero(&cmd, sizeof(ngx_ims_media_cmd_t));

    cmd.command = NGX_IMS_MEDIA_QUERY;
    cmd.helper = d->helper;
    ngx_ims_call_media_id(&d->call_id, &d->binding, d->originated, id,
                          &cmd.call_id);

    if (ngx_ims_media_send(w->media, &cmd, ngx_ims_recover_told, query)
        == NULL)
    {
        ngx_free(query);
    }
}


/*
 * Only its own word ends a call: "Unknown call-id", as rtpengine has it.  Nor
 * is what it says of its media unheard: it may be all that there is left to
 * hear, where more calls ended at once than a helper remembers.
 */

static void
ngx_ims_recover_told(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason)
{
    u_char                    buf[NGX_IMS_FORWARD_MAX_ID + 16];
    ngx_str_t                 id;
    ngx_ims_dialog_t          d;
    ngx_ims_worker_t         *w;
    ngx_ims_recover_query_t  *query;

    query = data;
    w = query->worker;

    if (ngx_ims_dialog_load(query->pool, &query->dialog, &d, w->record)
        != NGX_OK)
    {
        ngx_free(query);
        return;
    }

    if (rc == NGX_OK && reason->len) {
        ngx_ims_call_media_id(&d.call_id, &d.binding, d.originated, buf, &id);
        ngx_ims_recover_heard(query->list, query->helper, &id, reason);

    } else if (rc == NGX_DECLINED
               && ngx_strlcasestrn(reason->data, reason->data + reason->len,
                                   (u_char *) "unknown call", 12 - 1)
                  != NULL
               && d.helper == query->helper
               && ngx_ims_recover_ours(w, query->pool, &d))
    {
        ngx_ims_recover_lost(w, query->pool, &d);
    }

    ngx_free(query);
}
