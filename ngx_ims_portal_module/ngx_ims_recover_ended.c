/*
 * Copyright (C) the IMS portal authors
 *
 * Calls of which a media helper says that their media ended by itself.  Each
 * worker hears of all of them and acts for the browsers that it has, the leader
 * for those that have no socket.  What was said is a hint: before a call is
 * ended its helper is asked whether it still is so.
 *
 * Timers: none, ngx_ims_recover.c calls.
 */


#include "ngx_ims_recover.h"


enum {
    NGX_IMS_RECOVER_ENDED = 4096,        /* calls in the list */
    NGX_IMS_RECOVER_ACTS = 50,           /* of them in a turn */
    NGX_IMS_RECOVER_RETRY = 1000,        /* ms */
    NGX_IMS_RECOVER_ELSEWHERE = 10000,   /* ms, while another worker has it */
    NGX_IMS_RECOVER_SUFFIX = 10          /* ngx_ims_call_media_id() */
};


typedef struct {
    const char               *word;
    ngx_uint_t                status;         /* while it rings */
    const char               *reason;
    ngx_uint_t                level;          /* of the log */
} ngx_ims_recover_kind_t;


typedef struct {
    ngx_queue_t               queue;
    ngx_ims_recover_list_t   *list;
    ngx_ims_recover_kind_t   *kind;
    ngx_int_t                 helper;
    ngx_msec_t                due;
    ngx_msec_t                until;          /* no longer elsewhere */
    ngx_str_t                 id;             /* as the helper knows it */
    ngx_str_t                 call_id;        /* in it */
    uint32_t                  binding;        /* its index */
    ngx_uint_t                originated;
    unsigned                  asking:1;
} ngx_ims_recover_ended_t;


struct ngx_ims_recover_list_s {
    ngx_ims_worker_t         *worker;
    ngx_queue_t               calls;
    ngx_uint_t                ncalls;
    unsigned                  full:1;         /* some found no place */
};


/* one of the two is there */
typedef struct {
    ngx_ims_pool_t           *pool;
    ngx_ims_dialog_t          dialog;         /* texts in w->record */
    ngx_ims_forward_t        *invite;         /* NULL: it was answered */
} ngx_ims_recover_call_t;


static ngx_uint_t ngx_ims_recover_again(ngx_ims_recover_list_t *list,
    ngx_ims_recover_ended_t *e);
static ngx_uint_t ngx_ims_recover_full(ngx_ims_recover_list_t *list);
static ngx_int_t ngx_ims_recover_name(ngx_ims_recover_ended_t *e);
static void ngx_ims_recover_one(ngx_ims_recover_ended_t *e);
static ngx_int_t ngx_ims_recover_find(ngx_ims_recover_ended_t *e,
    ngx_ims_recover_call_t *call);
static void ngx_ims_recover_sure(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason);
static void ngx_ims_recover_act(ngx_ims_recover_ended_t *e);
static void ngx_ims_recover_drop(ngx_ims_recover_ended_t *e);


/* the first one may be over again: there is time to get consent back */

static ngx_ims_recover_kind_t  ngx_ims_recover_kinds[] = {
    { "media lost", 480, NGX_IMS_REASON_MEDIA, NGX_LOG_INFO },
    { "no media", 480, "SIP;cause=503;text=\"no media\"", NGX_LOG_INFO },
    { "dtls failed", 480, "SIP;cause=488;text=\"DTLS failed\"",
      NGX_LOG_WARN },
    { "no answer", 480, "SIP;cause=408;text=\"no answer\"", NGX_LOG_INFO },
    { NULL, 0, NULL, 0 }
};


ngx_ims_recover_list_t *
ngx_ims_recover_list(ngx_ims_worker_t *w)
{
    ngx_ims_recover_list_t  *list;

    list = ngx_pcalloc(w->cycle->pool, sizeof(ngx_ims_recover_list_t));
    if (list == NULL) {
        return NULL;
    }

    list->worker = w;
    ngx_queue_init(&list->calls);

    ngx_ims_media_tell(w->media, ngx_ims_recover_heard, list);

    return list;
}


void
ngx_ims_recover_heard(void *data, ngx_int_t helper, ngx_str_t *call_id,
    ngx_str_t *reason)
{
    ngx_msec_t                wait;
    ngx_ims_recover_call_t    call;
    ngx_ims_recover_list_t   *list;
    ngx_ims_recover_kind_t   *kind;
    ngx_ims_recover_ended_t  *e;

    list = data;

    for (kind = ngx_ims_recover_kinds; kind->word != NULL; kind++) {
        if (reason->len == ngx_strlen(kind->word)
            && ngx_strncmp(reason->data, kind->word, reason->len) == 0)
        {
            break;
        }
    }

    if (kind->word == NULL || call_id->len <= NGX_IMS_RECOVER_SUFFIX) {
        return;
    }

    if (kind == ngx_ims_recover_kinds) {
        if (ngx_ims_media_consent(list->worker->media, &wait) != NGX_OK) {
            return;
        }

    } else {
        wait = 0;
    }

    e = ngx_calloc(sizeof(ngx_ims_recover_ended_t) + call_id->len,
                   list->worker->log);
    if (e == NULL) {
        return;
    }

    e->list = list;
    e->kind = kind;
    e->helper = helper;
    e->due = ngx_current_msec + wait;
    e->until = e->due + NGX_IMS_RECOVER_ELSEWHERE;
    e->id.data = (u_char *) (e + 1);
    e->id.len = call_id->len;
    ngx_memcpy(e->id.data, call_id->data, call_id->len);

    /* those of another nginx, or over, take no place and no turn */

    if (ngx_ims_recover_name(e) != NGX_OK
        || ngx_ims_recover_find(e, &call) != NGX_OK
        || ngx_ims_recover_again(list, e)
        || ngx_ims_recover_full(list))
    {
        ngx_free(e);
        return;
    }

    ngx_queue_insert_tail(&list->calls, &e->queue);
    list->ncalls++;
}


/* 1: it is in the list; it was well meanwhile, so its time begins anew */

static ngx_uint_t
ngx_ims_recover_again(ngx_ims_recover_list_t *list,
    ngx_ims_recover_ended_t *e)
{
    ngx_queue_t              *q;
    ngx_ims_recover_ended_t  *one;

    for (q = ngx_queue_head(&list->calls);
         q != ngx_queue_sentinel(&list->calls);
         q = ngx_queue_next(q))
    {
        one = ngx_queue_data(q, ngx_ims_recover_ended_t, queue);

        if (one->kind == e->kind && one->helper == e->helper
            && one->id.len == e->id.len
            && ngx_memcmp(one->id.data, e->id.data, e->id.len) == 0)
        {
            one->due = e->due;
            one->until = e->until;
            return 1;
        }
    }

    return 0;
}


/* 1: no place in the list */

static ngx_uint_t
ngx_ims_recover_full(ngx_ims_recover_list_t *list)
{
    if (list->ncalls < NGX_IMS_RECOVER_ENDED) {
        return 0;
    }

    if (!list->full) {
        list->full = 1;
        ngx_log_error(NGX_LOG_WARN, list->worker->log, 0,
                      "more than %ui calls without media, others have to "
                      "wait", list->ncalls);
    }

    return 1;
}


/* undoes ngx_ims_call_media_id(); a helper may have calls of other proxies */

static ngx_int_t
ngx_ims_recover_name(ngx_ims_recover_ended_t *e)
{
    u_char     *p;
    ngx_int_t   n;

    e->call_id.data = e->id.data;
    e->call_id.len = e->id.len - NGX_IMS_RECOVER_SUFFIX;

    p = e->id.data + e->call_id.len;

    if (p[0] != '~' || (p[9] != 'o' && p[9] != 't')) {
        return NGX_DECLINED;
    }

    n = ngx_hextoi(p + 1, 8);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    e->binding = (uint32_t) n;
    e->originated = (p[9] == 'o');

    return NGX_OK;
}


void
ngx_ims_recover_look(ngx_ims_recover_list_t *list)
{
    ngx_uint_t                n, left;
    ngx_queue_t              *q, *next;
    ngx_ims_recover_ended_t  *e;

    n = 0;
    q = ngx_queue_head(&list->calls);

    for (left = list->ncalls; left && n < NGX_IMS_RECOVER_ACTS; left--) {
        next = ngx_queue_next(q);
        e = ngx_queue_data(q, ngx_ims_recover_ended_t, queue);

        if (!e->asking
            && (ngx_msec_int_t) (e->due - ngx_current_msec) <= 0)
        {
            /* to the end, so that those that wait leave turns to others */

            ngx_queue_remove(&e->queue);
            ngx_queue_insert_tail(&list->calls, &e->queue);

            ngx_ims_recover_one(e);
            n++;
        }

        q = next;
    }

    /* those that found no place are found by asking */

    if (list->full && list->ncalls < NGX_IMS_RECOVER_ENDED / 2) {
        list->full = 0;
        ngx_ims_media_unheard(list->worker->media);
    }
}


static void
ngx_ims_recover_one(ngx_ims_recover_ended_t *e)
{
    ngx_int_t                rc;
    ngx_msec_t               wait;
    ngx_ims_owner_t          owner;
    ngx_ims_worker_t        *w;
    ngx_ims_media_cmd_t      cmd;
    ngx_ims_recover_call_t   call;

    w = e->list->worker;
    e->due = ngx_current_msec + NGX_IMS_RECOVER_RETRY;

    rc = ngx_ims_recover_find(e, &call);

    if (rc == NGX_OK && call.invite == NULL) {
        rc = ngx_ims_binding_owner(call.pool, &call.dialog.binding, &owner);
    }

    if (rc != NGX_OK) {
        ngx_ims_recover_drop(e);
        return;
    }

    if (call.invite == NULL && owner.pid == 0
        && e->kind == ngx_ims_recover_kinds)
    {
        /* it may come back and have media again: its grace time counts */

        (void) ngx_ims_media_consent(w->media, &wait);

        e->due = ngx_current_msec + ngx_max(wait, NGX_IMS_RECOVER_RETRY);
        e->until = e->due + NGX_IMS_RECOVER_ELSEWHERE;
        return;
    }

    if (call.invite == NULL
        && !ngx_ims_recover_ours(w, call.pool, &call.dialog))
    {
        if (owner.pid != 0
            && (ngx_msec_int_t) (e->until - ngx_current_msec) <= 0)
        {
            ngx_ims_recover_drop(e);
        }

        return;
    }

    ngx_memzero(&cmd, sizeof(ngx_ims_media_cmd_t));

    cmd.command = NGX_IMS_MEDIA_QUERY;
    cmd.helper = e->helper;
    cmd.call_id = e->id;

    if (ngx_ims_media_send(w->media, &cmd, ngx_ims_recover_sure, e) != NULL) {
        e->asking = 1;
    }
}


/* NGX_OK, or NGX_DECLINED: it is over, or an INVITE of another worker's */

static ngx_int_t
ngx_ims_recover_find(ngx_ims_recover_ended_t *e, ngx_ims_recover_call_t *call)
{
    ngx_uint_t           i;
    ngx_ims_ref_t        ref;
    ngx_ims_pool_t     **pool;
    ngx_ims_worker_t    *w;
    ngx_ims_session_t   *s;

    w = e->list->worker;
    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        call->pool = pool[i];
        call->invite = NULL;

        if (ngx_ims_dialog_call(pool[i], e->binding, &e->call_id,
                                e->originated, &call->dialog, w->record)
            == NGX_OK
            && call->dialog.media && call->dialog.helper == e->helper)
        {
            return NGX_OK;
        }

        if (e->binding >= pool[i]->zone.sh->nbindings) {
            continue;
        }

        /* a glance without the lock: a session of ours does not lose it */

        ref.index = e->binding;
        ref.seq = pool[i]->zone.bindings[e->binding].seq;

        s = ngx_ims_session_find(w, pool[i], &ref);

        if (s != NULL) {
            call->invite = ngx_ims_forward_invite(s, &e->call_id,
                                                  e->originated);
        }

        if (call->invite != NULL && call->invite->media
            && !call->invite->answered && call->invite->helper == e->helper)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static void
ngx_ims_recover_sure(void *data, ngx_int_t rc, ngx_str_t *sdp,
    ngx_str_t *reason)
{
    ngx_ims_recover_ended_t  *e;

    e = data;
    e->asking = 0;

    if (rc == NGX_OK && reason->len == 0) {

        /* all is well again */

        ngx_ims_recover_drop(e);
        return;
    }

    if (rc == NGX_OK
        || (rc == NGX_DECLINED
            && ngx_strlcasestrn(reason->data, reason->data + reason->len,
                                (u_char *) "unknown call", 12 - 1)
               != NULL))
    {
        ngx_ims_recover_act(e);
        return;
    }

    e->due = ngx_current_msec + NGX_IMS_RECOVER_RETRY;
}


static void
ngx_ims_recover_act(ngx_ims_recover_ended_t *e)
{
    ngx_ims_worker_t        *w;
    ngx_ims_recover_call_t   call;

    w = e->list->worker;

    if (ngx_ims_recover_find(e, &call) != NGX_OK) {
        ngx_ims_recover_drop(e);
        return;
    }

    if (call.invite == NULL
        && !ngx_ims_recover_ours(w, call.pool, &call.dialog))
    {
        /* its browser has moved meanwhile */

        e->due = ngx_current_msec + NGX_IMS_RECOVER_RETRY;
        return;
    }

    if (call.invite == NULL) {
        ngx_ims_recover_end(w, call.pool, &call.dialog, e->kind->reason);

    } else if (ngx_ims_forward_media_failed(call.invite, e->kind->status,
                                            e->kind->reason)
               == NGX_OK)
    {
        (void) ngx_atomic_fetch_add(&call.pool->zone.sh->media_ended, 1);

    } else {
        e->due = ngx_current_msec + NGX_IMS_RECOVER_RETRY;
        return;
    }

    ngx_log_error(e->kind->level, w->log, 0,
                  "a call of pool \"%V\" has ended, its media helper says "
                  "\"%s\"", &call.pool->name, e->kind->word);

    ngx_ims_recover_drop(e);
}


static void
ngx_ims_recover_drop(ngx_ims_recover_ended_t *e)
{
    ngx_queue_remove(&e->queue);
    e->list->ncalls--;

    ngx_free(e);
}


void
ngx_ims_recover_apart(ngx_ims_forward_t *fw, ngx_uint_t status)
{
    ngx_ims_dialog_t  d;

    if (fw->initial || fw->prack || !fw->in_dialog || !fw->offered
        || status < 200
        || status >= 300
        || ngx_ims_dialog_load(fw->pool, &fw->dialog, &d, fw->worker->record)
           != NGX_OK
        || d.state != NGX_IMS_DIALOG_CONFIRMED)
    {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, fw->worker->log, 0,
                  "a call of pool \"%V\" has ended, its ends do not agree on "
                  "media", &fw->pool->name);

    ngx_ims_recover_end(fw->worker, fw->pool, &d,
                        "SIP;cause=488;text=\"answer refused\"");
}
