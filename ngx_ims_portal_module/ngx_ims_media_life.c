/*
 * Copyright (C) the IMS portal authors
 *
 * Whether a media helper lives.  Each is asked with a ping once a second, or
 * oftener where it is given up sooner; anything that it says counts as an
 * answer.  Silence is counted in those turns and not by the clock, so that a
 * worker which was stopped itself does not blame the helpers.
 *
 * Timers, two per helper, both cancelable: one to ask it, one to reach it again
 * after its connection was lost.
 */


#include "ngx_ims_media_priv.h"


enum {
    NGX_IMS_MEDIA_WATCH = 1000,          /* ms between two pings */
    NGX_IMS_MEDIA_WATCH_MIN = 50
};


static ngx_msec_t ngx_ims_media_turn(ngx_ims_media_helper_t *h);
static void ngx_ims_media_watch(ngx_event_t *ev);
static void ngx_ims_media_ping(ngx_ims_media_helper_t *h);
static void ngx_ims_media_wake(ngx_event_t *ev);


void
ngx_ims_media_life_init(ngx_ims_media_helper_t *h, ngx_log_t *log)
{
    h->wake.handler = ngx_ims_media_wake;
    h->wake.data = h;
    h->wake.log = log;
    h->wake.cancelable = 1;

    h->watch.handler = ngx_ims_media_watch;
    h->watch.data = h;
    h->watch.log = log;
    h->watch.cancelable = 1;

    h->away = 1;

    /* not all workers at once */

    ngx_add_timer(&h->watch, 1 + ngx_random() % ngx_ims_media_turn(h));
}


void
ngx_ims_media_life_close(ngx_ims_media_helper_t *h)
{
    if (h->wake.timer_set) {
        ngx_del_timer(&h->wake);
    }

    if (h->watch.timer_set) {
        ngx_del_timer(&h->watch);
    }
}


static ngx_msec_t
ngx_ims_media_turn(ngx_ims_media_helper_t *h)
{
    ngx_msec_t  turn;

    turn = ngx_min(h->media->conf.lost / 3, NGX_IMS_MEDIA_WATCH);

    return ngx_max(turn, NGX_IMS_MEDIA_WATCH_MIN);
}


static void
ngx_ims_media_watch(ngx_event_t *ev)
{
    ngx_ims_media_helper_t  *h;

    h = ev->data;

    if (h->off) {
        return;
    }

    ngx_add_timer(ev, ngx_ims_media_turn(h));

    if (h->pinged) {

        /* nothing has come for a whole turn; its host may be another now */

        if (h->tcp && h->connection != NULL
            && (h->silent + ngx_ims_media_turn(h)) / h->media->conf.lost
               > h->silent / h->media->conf.lost)
        {
            h->lost(h);
        }

        h->suspect = 1;
        h->away = 1;
        h->silent += ngx_ims_media_turn(h);

        if (!h->dead && h->silent >= h->media->conf.lost) {
            h->dead = 1;
            h->down = 1;
            ngx_log_error(NGX_LOG_ERR, h->log, 0,
                          "media helper \"%V\" is dead, its calls end",
                          &h->addr.name);
        }
    }

    h->pinged = 1;

    if (ngx_ims_media_connect(h) != NGX_OK) {
        ngx_ims_media_wake_later(h);
        return;
    }

    ngx_ims_media_ping(h);
}


static void
ngx_ims_media_ping(ngx_ims_media_helper_t *h)
{
    ngx_ims_media_cmd_t  cmd;

    ngx_memzero(&cmd, sizeof(ngx_ims_media_cmd_t));
    cmd.command = NGX_IMS_MEDIA_PING;
    cmd.since = h->ended;

    (void) ngx_ims_media_start(h, &cmd, NULL, NULL);
}


void
ngx_ims_media_told(ngx_ims_media_helper_t *h, ngx_ims_media_reply_t *reply)
{
    int64_t                   seq;
    ngx_str_t                 id, reason;
    ngx_uint_t                news;
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *one, *node;

    if (reply->pong) {
        h->tells = (reply->ended != NULL);
    }

    if (reply->started && reply->started != h->process) {

        /* another process counts anew; this reply went by the old number */

        news = (h->process == 0);
        h->process = reply->started;
        h->ended = 0;

        if (!news) {
            return;
        }
    }

    if (reply->ended == NULL || reply->ended_seq <= h->ended) {
        return;
    }

    seq = reply->ended_seq;

    ngx_ims_ng_iter(&it, reply->ended);

    while (ngx_ims_ng_next(&it) != NULL) {
        seq--;
    }

    if (reply->ended_lost && h->ended && seq > h->ended) {

        /* some were not heard of: it is asked about all its calls */

        h->back++;
    }

    ngx_ims_ng_iter(&it, reply->ended);

    while ((one = ngx_ims_ng_next(&it)) != NULL) {

        /* two pings may have been under way with one number */

        if (++seq <= h->ended || h->media->tell == NULL) {
            continue;
        }

        node = ngx_ims_ng_get_str(one, "call-id");
        id.data = node ? (u_char *) node->data : NULL;
        id.len = node ? node->len : 0;

        node = ngx_ims_ng_get_str(one, "reason");
        reason.data = node ? (u_char *) node->data : NULL;
        reason.len = node ? node->len : 0;

        h->media->tell(h->media->tell_data, h->id, &id, &reason);
    }

    h->ended = reply->ended_seq;

    /* a reply does not hold all, where many end at once */

    ngx_ims_media_ping(h);
}


void
ngx_ims_media_tell(ngx_ims_media_t *media, ngx_ims_media_ended_pt handler,
    void *data)
{
    media->tell = handler;
    media->tell_data = data;
}


void
ngx_ims_media_unheard(ngx_ims_media_t *media)
{
    ngx_uint_t  i;

    for (i = 0; i < media->nhelpers; i++) {
        media->helpers[i].back++;
    }
}


ngx_int_t
ngx_ims_media_consent(ngx_ims_media_t *media, ngx_msec_t *wait)
{
    *wait = media->conf.consent;

    return media->conf.keep ? NGX_DECLINED : NGX_OK;
}


void
ngx_ims_media_missed(ngx_ims_media_helper_t *h)
{
    h->fails++;
    h->suspect = 1;

    if (!h->down && ngx_ims_media_open(h)) {
        h->down = 1;
        ngx_log_error(NGX_LOG_NOTICE, h->log, 0,
                      "media helper \"%V\" does not answer", &h->addr.name);
    }
}


void
ngx_ims_media_alive(ngx_ims_media_helper_t *h)
{
    h->fails = 0;
    h->silent = 0;
    h->pinged = 0;
    h->suspect = 0;
    h->dead = 0;

    if (h->away) {
        h->away = 0;
        h->back++;
    }

    if (h->down) {
        h->down = 0;
        ngx_log_error(NGX_LOG_NOTICE, h->log, 0,
                      "media helper \"%V\" is back", &h->addr.name);
    }
}


void
ngx_ims_media_gone(ngx_ims_media_helper_t *h)
{
    h->away = 1;
    h->started = 0;

    ngx_ims_media_wake_later(h);
}


void
ngx_ims_media_refused(ngx_ims_media_helper_t *h)
{
    /* whoever is there next may be another process, and not say so */

    h->away = 1;
}


ngx_uint_t
ngx_ims_media_open(ngx_ims_media_helper_t *h)
{
    return h->dead
           || (h->media->conf.max_fails
               && h->fails >= h->media->conf.max_fails);
}


void
ngx_ims_media_wake_later(ngx_ims_media_helper_t *h)
{
    ngx_msec_int_t  left;

    if (h->wake.timer_set || h->connection != NULL || h->off) {
        return;
    }

    left = (ngx_msec_int_t) (h->retry - ngx_current_msec);

    ngx_add_timer(&h->wake, (ngx_msec_t) ngx_max(left, 1));
}


static void
ngx_ims_media_wake(ngx_event_t *ev)
{
    ngx_ims_media_helper_t  *h;

    h = ev->data;

    if (ngx_ims_media_connect(h) != NGX_OK) {
        ngx_ims_media_wake_later(h);
    }
}
