/*
 * Copyright (C) the IMS portal authors
 *
 * The ng client: which helper a command goes to, and what becomes of it.  The
 * wire is below, in ngx_ims_media_conn.c; what a command looks like, in
 * ngx_ims_media_ng.c; whether a helper lives, in ngx_ims_media_life.c.
 *
 * Timers: one per command under way, to repeat it (UDP) and to give it up.
 */


/* nginx chooses the features of the C library, so it comes first */
#include "ngx_ims_media_priv.h"

#include <openssl/rand.h>


enum {
    NGX_IMS_MEDIA_RETRY = 1000,          /* ms between two connects */
    NGX_IMS_MEDIA_RESTART = 200,         /* ms that a helper may need for it */
    NGX_IMS_MEDIA_SENDS = 4              /* of one command by UDP */
};


static void ngx_ims_media_add(ngx_ims_media_t *media, ngx_addr_t *addr,
    ngx_uint_t drained, ngx_log_t *log);
static u_char *ngx_ims_media_message(ngx_ims_media_helper_t *h,
    ngx_ims_media_cmd_t *cmd, ngx_str_t *cookie, size_t *len);
static void ngx_ims_media_timer(ngx_event_t *ev);
static void ngx_ims_media_unlink(ngx_ims_media_req_t *req);
static void ngx_ims_media_free(ngx_ims_media_req_t *req);
static void ngx_ims_media_complete(ngx_ims_media_req_t *req,
    ngx_ims_media_reply_t *reply);
static void ngx_ims_media_transmit(ngx_ims_media_req_t *req);
static void ngx_ims_media_reply(ngx_ims_media_helper_t *h, ngx_str_t *cookie,
    ngx_ims_media_reply_t *reply);
static void ngx_ims_media_quality(ngx_ims_media_req_t *req,
    ngx_ims_media_reply_t *reply);
static ngx_ims_media_req_t *ngx_ims_media_find(ngx_ims_media_t *media,
    ngx_str_t *cookie);
static void ngx_ims_media_lost(ngx_ims_media_helper_t *h);


ngx_ims_media_t *
ngx_ims_media_create(ngx_cycle_t *cycle, ngx_ims_media_conf_t *conf)
{
    uint32_t                 r[2];
    ngx_uint_t               i;
    ngx_addr_t              *addrs;
    ngx_ims_media_t         *media;

    media = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_media_t));
    if (media == NULL) {
        return NULL;
    }

    media->log = cycle->log;
    media->conf = *conf;

    media->helpers = ngx_pcalloc(cycle->pool,
                                 (conf->addrs.nelts + conf->drain.nelts + 1)
                                 * sizeof(*media->helpers));
    if (media->helpers == NULL) {
        return NULL;
    }

    /* helpers keep answers by cookie alone: no two workers may use the same */

    if (RAND_bytes((u_char *) r, sizeof(r)) != 1) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, 0, "RAND_bytes() failed");
        return NULL;
    }

    (void) ngx_sprintf(media->prefix, "%08xD%08xD_", r[0], r[1]);

    ngx_rbtree_init(&media->requests, &media->sentinel,
                    ngx_rbtree_insert_value);

    addrs = conf->addrs.elts;

    for (i = 0; i < conf->addrs.nelts; i++) {
        ngx_ims_media_add(media, &addrs[i], 0, cycle->log);
    }

    addrs = conf->drain.elts;

    for (i = 0; i < conf->drain.nelts; i++) {
        ngx_ims_media_add(media, &addrs[i], 1, cycle->log);
    }

    return media;
}


static void
ngx_ims_media_add(ngx_ims_media_t *media, ngx_addr_t *addr,
    ngx_uint_t drained, ngx_log_t *log)
{
    ngx_ims_media_helper_t  *h;

    h = &media->helpers[media->nhelpers++];

    h->media = media;
    h->log = log;
    h->addr = *addr;
    h->id = ngx_crc32_long(addr->name.data, addr->name.len) & 0x7fffffff;
    h->drained = drained;
    h->tcp = (addr->name.len > 4
              && ngx_strncmp(addr->name.data, "tcp:", 4) == 0);
    h->stream = (h->tcp || addr->sockaddr->sa_family == AF_UNIX);
    h->reply = ngx_ims_media_reply;
    h->lost = ngx_ims_media_lost;

    ngx_queue_init(&h->pending);

    ngx_ims_media_life_init(h, log);
}


void
ngx_ims_media_release(ngx_ims_media_t *media)
{
    ngx_uint_t            i;
    ngx_queue_t          *q, *pending;
    ngx_ims_media_req_t  *req;

    for (i = 0; i < media->nhelpers; i++) {
        pending = &media->helpers[i].pending;

        for (q = ngx_queue_head(pending);
             q != ngx_queue_sentinel(pending);
             q = ngx_queue_next(q))
        {
            req = ngx_queue_data(q, ngx_ims_media_req_t, link);
            req->timer.cancelable = 1;
        }
    }
}


void
ngx_ims_media_close(ngx_ims_media_t *media)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_ims_media_req_t     *req;
    ngx_ims_media_helper_t  *h;

    for (i = 0; i < media->nhelpers; i++) {
        h = &media->helpers[i];

        while (!ngx_queue_empty(&h->pending)) {
            q = ngx_queue_head(&h->pending);
            req = ngx_queue_data(q, ngx_ims_media_req_t, link);

            ngx_ims_media_unlink(req);
            ngx_ims_media_free(req);
        }

        ngx_ims_media_life_close(h);

        ngx_ims_media_conn_close(h);
        ngx_ims_media_conn_free(h);
    }

    media->nhelpers = 0;
}


ngx_ims_media_req_t *
ngx_ims_media_send(ngx_ims_media_t *media, ngx_ims_media_cmd_t *cmd,
    ngx_ims_media_handler_pt handler, void *data)
{
    ngx_ims_media_req_t     *req;
    ngx_ims_media_helper_t  *h;

    h = ngx_ims_media_choose(media, cmd);
    if (h == NULL) {
        return NULL;
    }

    req = ngx_ims_media_start(h, cmd, handler, data);

    if (req == NULL) {
        return NULL;
    }

    if (cmd->helper == -1 && cmd->command == NGX_IMS_MEDIA_OFFER) {

        /* without memory for it, it just stays where it is */

        (void) ngx_ims_media_movable(req, &cmd->call_id);
    }

    cmd->helper = h->id;

    return req;
}


void
ngx_ims_media_forget(ngx_ims_media_req_t *req)
{
    req->handler = NULL;
    req->data = NULL;
}


void
ngx_ims_media_state(ngx_ims_media_t *media, ngx_uint_t *up, ngx_uint_t *all)
{
    ngx_uint_t  i;

    *up = 0;
    *all = media->conf.addrs.nelts;

    for (i = 0; i < media->conf.addrs.nelts && i < media->nhelpers; i++) {
        *up += !media->helpers[i].down;
    }
}


ngx_int_t
ngx_ims_media_at(ngx_ims_media_req_t *req)
{
    req->moves = 0;

    return req->helper->id;
}


ngx_uint_t
ngx_ims_media_prefers(ngx_ims_media_t *media)
{
    return media->conf.srtp == NGX_IMS_MEDIA_PREFER;
}


ngx_int_t
ngx_ims_media_life(ngx_ims_media_t *media, ngx_uint_t i,
    ngx_ims_media_life_t *life)
{
    ngx_ims_media_helper_t  *h;

    if (i >= media->nhelpers) {
        return NGX_DECLINED;
    }

    h = &media->helpers[i];

    life->helper = h->id;
    life->back = h->back;
    life->dead = h->dead;
    life->tells = h->tells;
    life->drained = h->drained;

    return NGX_OK;
}


void
ngx_ims_media_done(ngx_ims_media_t *media, ngx_uint_t i)
{
    media->helpers[i].off = 1;
}


ngx_ims_media_req_t *
ngx_ims_media_start(ngx_ims_media_helper_t *h, ngx_ims_media_cmd_t *cmd,
    ngx_ims_media_handler_pt handler, void *data)
{
    ngx_str_t             cookie;
    ngx_ims_media_t      *media;
    ngx_ims_media_req_t  *req;
    u_char                buf[NGX_IMS_MEDIA_PREFIX + NGX_INT64_LEN];

    media = h->media;

    if (h->npending >= NGX_IMS_MEDIA_MAX_PENDING) {
        return NULL;
    }

    req = ngx_calloc(sizeof(ngx_ims_media_req_t), media->log);
    if (req == NULL) {
        return NULL;
    }

    req->node.key = ++media->serial;

    cookie.data = buf;
    cookie.len = ngx_sprintf(buf, "%*s%xL", (size_t) NGX_IMS_MEDIA_PREFIX,
                             media->prefix, (uint64_t) req->node.key)
                 - buf;

    cmd->figures = (cmd->command == NGX_IMS_MEDIA_DELETE
                    && h->log->log_level >= NGX_LOG_INFO);
    cmd->srtp = (media->conf.srtp == NGX_IMS_MEDIA_SRTP
                 || (media->conf.srtp == NGX_IMS_MEDIA_PREFER
                     && !cmd->plain));
    req->msg = ngx_ims_media_message(h, cmd, &cookie, &req->len);

    if (req->msg == NULL) {
        ngx_free(req);
        return NULL;
    }

    req->handler = handler;
    req->data = data;

    if (cmd->figures) {
        req->call_id.data = ngx_alloc(cmd->call_id.len, media->log);

        if (req->call_id.data != NULL) {
            ngx_memcpy(req->call_id.data, cmd->call_id.data, cmd->call_id.len);
            req->call_id.len = cmd->call_id.len;
            req->figures = 1;
        }
    }

    req->timer.handler = ngx_ims_media_timer;
    req->timer.data = req;
    req->timer.log = media->log;
    req->timer.cancelable = (cmd->command == NGX_IMS_MEDIA_PING);

    ngx_rbtree_insert(&media->requests, &req->node);
    ngx_ims_media_enter(req, h);

    return req;
}


/* the helper takes video out by itself, rtpengine 10.5 does not */

static u_char *
ngx_ims_media_message(ngx_ims_media_helper_t *h, ngx_ims_media_cmd_t *cmd,
    ngx_str_t *cookie, size_t *len)
{
    u_char     *msg;
    ngx_str_t   sdp;

    if (h->tells || !cmd->no_video || cmd->sdp.len == 0) {
        return ngx_ims_media_compose(cmd, cookie, len, h->log);
    }

    sdp = cmd->sdp;

    cmd->sdp.data = ngx_alloc(sdp.len, h->log);
    if (cmd->sdp.data == NULL) {
        cmd->sdp = sdp;
        return NULL;
    }

    cmd->sdp.len = ngx_ims_media_no_video(&sdp, cmd->sdp.data);

    msg = ngx_ims_media_compose(cmd, cookie, len, h->log);

    ngx_free(cmd->sdp.data);
    cmd->sdp = sdp;

    return msg;
}


/* what is pending at h, from now on */

void
ngx_ims_media_enter(ngx_ims_media_req_t *req, ngx_ims_media_helper_t *h)
{
    ngx_uint_t   i;
    ngx_msec_t   timeout;

    timeout = h->media->conf.timeout ? h->media->conf.timeout : 2000;

    req->helper = h;
    req->sent = 0;
    req->hasten = 0;
    req->deadline = ngx_current_msec + timeout;
    req->interval = h->stream ? timeout
                              : timeout / NGX_IMS_MEDIA_SENDS + 1;

    i = h - h->media->helpers;

    if (i < 64) {
        req->tried |= (uint64_t) 1 << i;
    }

    ngx_queue_insert_tail(&h->pending, &req->link);
    h->npending++;

    ngx_add_timer(&req->timer, req->interval);

    ngx_ims_media_transmit(req);
}


static void
ngx_ims_media_transmit(ngx_ims_media_req_t *req)
{
    /* a stream that breaks here marks all that is pending as not sent */

    if (req->helper->connection != NULL) {
        req->sent = 1;
        ngx_ims_media_conn_send(req->helper, req->msg, req->len);
    }
}


static void
ngx_ims_media_timer(ngx_event_t *ev)
{
    ngx_msec_int_t           left;
    ngx_ims_media_req_t     *req;
    ngx_ims_media_reply_t    reply;
    ngx_ims_media_helper_t  *h;

    req = ev->data;
    h = req->helper;

    ev->timedout = 0;

    left = (ngx_msec_int_t) (req->deadline - ngx_current_msec);

    if (req->hasten && ngx_ims_media_move(req, 1)) {
        return;
    }

    req->hasten = 0;

    if (left > 0) {

        if (!h->stream) {
            ngx_ims_media_transmit(req);
        }

        ngx_add_timer(ev, ngx_min((ngx_msec_t) left, req->interval));
        return;
    }

    if (!h->down) {
        ngx_log_error(NGX_LOG_ERR, h->log, 0,
                      "media helper \"%V\" timed out", &h->addr.name);
    }

    ngx_ims_media_missed(h);

    if (ngx_ims_media_move(req, 1)) {
        return;
    }

    ngx_memzero(&reply, sizeof(ngx_ims_media_reply_t));
    reply.rc = NGX_ERROR;
    ngx_str_set(&reply.reason, "timed out");

    ngx_ims_media_complete(req, &reply);
}


static void
ngx_ims_media_unlink(ngx_ims_media_req_t *req)
{
    ngx_rbtree_delete(&req->helper->media->requests, &req->node);
    ngx_queue_remove(&req->link);
    req->helper->npending--;

    if (req->timer.timer_set) {
        ngx_del_timer(&req->timer);
    }
}


static void
ngx_ims_media_complete(ngx_ims_media_req_t *req, ngx_ims_media_reply_t *reply)
{
    ngx_ims_media_unlink(req);

    if (req->handler != NULL) {
        req->handler(req->data, reply->rc, &reply->sdp, &reply->reason);
    }

    ngx_ims_media_free(req);
}


static void
ngx_ims_media_free(ngx_ims_media_req_t *req)
{
    if (req->call_id.data != NULL) {
        ngx_free(req->call_id.data);
    }

    ngx_free(req->msg);
    ngx_free(req);
}


/* one reply, called from below */

static void
ngx_ims_media_reply(ngx_ims_media_helper_t *h, ngx_str_t *cookie,
    ngx_ims_media_reply_t *reply)
{
    ngx_ims_media_req_t  *req;

    if (reply->started) {

        if (h->started && reply->started != h->started) {

            /* it is another process, which knows of no call */

            h->away = 1;
        }

        h->started = reply->started;
    }

    ngx_ims_media_alive(h);
    ngx_ims_media_told(h, reply);

    req = ngx_ims_media_find(h->media, cookie);

    if (req == NULL || req->helper != h) {

        /* it was given up, or its repetition was answered too */

        ngx_log_debug1(NGX_LOG_DEBUG_CORE, h->log, 0,
                       "ims media: stale reply \"%V\"", cookie);
        return;
    }

    if (reply->rc == NGX_BUSY && ngx_ims_media_move(req, 0)) {
        return;
    }

    if (req->figures) {
        ngx_ims_media_quality(req, reply);
    }

    ngx_ims_media_complete(req, reply);
}


/* a line for each call, that can be found by its Call-ID */

static void
ngx_ims_media_quality(ngx_ims_media_req_t *req, ngx_ims_media_reply_t *reply)
{
    size_t  len;
    u_char  text[NGX_IMS_MEDIA_FIGURES];

    len = ngx_ims_media_figures(reply->ssrc, text);

    if (len) {
        ngx_log_error(NGX_LOG_INFO, req->helper->log, 0,
                      "media of call \"%V\"%*s", &req->call_id, len, text);
    }
}


static ngx_ims_media_req_t *
ngx_ims_media_find(ngx_ims_media_t *media, ngx_str_t *cookie)
{
    ngx_int_t           key;
    ngx_rbtree_node_t  *node;

    if (cookie->len <= NGX_IMS_MEDIA_PREFIX
        || ngx_memcmp(cookie->data, media->prefix, NGX_IMS_MEDIA_PREFIX) != 0)
    {
        return NULL;
    }

    key = ngx_hextoi(cookie->data + NGX_IMS_MEDIA_PREFIX,
                     cookie->len - NGX_IMS_MEDIA_PREFIX);
    if (key == NGX_ERROR) {
        return NULL;
    }

    node = media->requests.root;

    while (node != &media->sentinel) {

        if ((ngx_rbtree_key_t) key == node->key) {
            return ngx_rbtree_data(node, ngx_ims_media_req_t, node);
        }

        node = ((ngx_rbtree_key_t) key < node->key) ? node->left
                                                    : node->right;
    }

    return NULL;
}


ngx_int_t
ngx_ims_media_connect(ngx_ims_media_helper_t *h)
{
    ngx_queue_t          *q;
    ngx_ims_media_req_t  *req;

    if (h->connection != NULL) {
        return NGX_OK;
    }

    if (h->failed
        && (ngx_msec_int_t) (h->retry - ngx_current_msec) > 0)
    {
        return NGX_DECLINED;
    }

    h->retry = ngx_current_msec + NGX_IMS_MEDIA_RETRY;

    if (ngx_ims_media_conn_open(h) != NGX_OK) {
        ngx_ims_media_lost(h);
        return NGX_DECLINED;
    }

    h->failed = 0;

    if (h->down && h->stream && !h->tcp && !ngx_ims_media_open(h)) {

        /* it had no socket, now it has; whether it answers is seen soon */

        h->down = 0;
        ngx_log_error(NGX_LOG_NOTICE, h->log, 0,
                      "media helper \"%V\" is back", &h->addr.name);
    }

    for (q = ngx_queue_head(&h->pending);
         q != ngx_queue_sentinel(&h->pending);
         q = ngx_queue_next(q))
    {
        req = ngx_queue_data(q, ngx_ims_media_req_t, link);

        if (!req->sent) {
            ngx_ims_media_transmit(req);
        }

        if (h->connection == NULL) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/*
 * The connection could not be made or broke; called from below too.  Commands
 * under way are sent again on the next one, if their time allows: they carry
 * their old cookies, so a helper that lives does nothing twice.
 */

static void
ngx_ims_media_lost(ngx_ims_media_helper_t *h)
{
    ngx_queue_t          *q;
    ngx_ims_media_req_t  *req;

    ngx_ims_media_conn_close(h);

    h->failed = 1;

    if ((ngx_msec_int_t) (h->retry - ngx_current_msec)
        < NGX_IMS_MEDIA_RESTART)
    {
        h->retry = ngx_current_msec + NGX_IMS_MEDIA_RESTART;
    }

    if (!h->down) {
        h->down = 1;
        ngx_log_error(NGX_LOG_NOTICE, h->log, 0,
                      "media helper \"%V\" is lost", &h->addr.name);
    }

    for (q = ngx_queue_head(&h->pending);
         q != ngx_queue_sentinel(&h->pending);
         q = ngx_queue_next(q))
    {
        req = ngx_queue_data(q, ngx_ims_media_req_t, link);
        req->sent = 0;

        if (req->moves && ngx_ims_media_others(req)) {

            /* not here: who is called from below still uses the connection */

            req->hasten = 1;
            ngx_add_timer(&req->timer, 1);
        }
    }

    ngx_ims_media_gone(h);
}
