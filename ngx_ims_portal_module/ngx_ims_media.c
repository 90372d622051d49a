/*
 * Copyright (C) the IMS portal authors
 *
 * The ng client: which helper a command goes to, and what becomes of it.  The
 * wire is below, in ngx_ims_media_conn.c; what a command looks like, in
 * ngx_ims_media_ng.c.
 *
 * Timers: one per command under way, to repeat it (UDP) and to give it up; one
 * per helper, cancelable, to reach it again: each second while there is no
 * connection, each fail_timeout while it is known not to answer.
 */


/* nginx chooses the features of the C library, so it comes first */
#include "ngx_ims_media_priv.h"

#include <openssl/rand.h>


enum {
    NGX_IMS_MEDIA_MAX_PENDING = 4096,    /* commands at one helper */
    NGX_IMS_MEDIA_RETRY = 1000,          /* ms between two connects */
    NGX_IMS_MEDIA_RESTART = 200,         /* ms that a helper may need for it */
    NGX_IMS_MEDIA_SENDS = 4              /* of one command by UDP */
};


static ngx_ims_media_helper_t *ngx_ims_media_choose(ngx_ims_media_t *media,
    ngx_ims_media_cmd_t *cmd);
static ngx_ims_media_req_t *ngx_ims_media_start(ngx_ims_media_helper_t *h,
    ngx_ims_media_cmd_t *cmd, ngx_ims_media_handler_pt handler, void *data);
static void ngx_ims_media_timer(ngx_event_t *ev);
static void ngx_ims_media_unlink(ngx_ims_media_req_t *req);
static void ngx_ims_media_complete(ngx_ims_media_req_t *req,
    ngx_ims_media_reply_t *reply);
static ngx_int_t ngx_ims_media_connect(ngx_ims_media_helper_t *h);
static void ngx_ims_media_transmit(ngx_ims_media_req_t *req);
static void ngx_ims_media_reply(ngx_ims_media_helper_t *h, ngx_str_t *cookie,
    ngx_ims_media_reply_t *reply);
static ngx_ims_media_req_t *ngx_ims_media_find(ngx_ims_media_t *media,
    ngx_str_t *cookie);
static void ngx_ims_media_lost(ngx_ims_media_helper_t *h);
static void ngx_ims_media_missed(ngx_ims_media_helper_t *h);
static void ngx_ims_media_alive(ngx_ims_media_helper_t *h);
static ngx_uint_t ngx_ims_media_open(ngx_ims_media_helper_t *h);
static void ngx_ims_media_wake_later(ngx_ims_media_helper_t *h);
static void ngx_ims_media_wake(ngx_event_t *ev);
static void ngx_ims_media_ping(ngx_ims_media_helper_t *h);


ngx_ims_media_t *
ngx_ims_media_create(ngx_cycle_t *cycle, ngx_ims_media_conf_t *conf)
{
    uint32_t                 r[2];
    ngx_uint_t               i;
    ngx_addr_t              *addrs;
    ngx_ims_media_t         *media;
    ngx_ims_media_helper_t  *h;

    media = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_media_t));
    if (media == NULL) {
        return NULL;
    }

    media->log = cycle->log;
    media->conf = *conf;

    media->nhelpers = conf->addrs.nelts;
    media->helpers = ngx_pcalloc(cycle->pool, (media->nhelpers + 1)
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

    for (i = 0; i < media->nhelpers; i++) {
        h = &media->helpers[i];

        h->media = media;
        h->log = cycle->log;
        h->addr = addrs[i];
        h->stream = (addrs[i].sockaddr->sa_family == AF_UNIX);
        h->reply = ngx_ims_media_reply;
        h->lost = ngx_ims_media_lost;

        ngx_queue_init(&h->pending);

        h->wake.handler = ngx_ims_media_wake;
        h->wake.data = h;
        h->wake.log = cycle->log;
        h->wake.cancelable = 1;
    }

    return media;
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
            ngx_free(req->msg);
            ngx_free(req);
        }

        if (h->wake.timer_set) {
            ngx_del_timer(&h->wake);
        }

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

    if (req != NULL) {
        cmd->helper = h - media->helpers;
    }

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
    *all = media->nhelpers;

    for (i = 0; i < media->nhelpers; i++) {
        *up += !media->helpers[i].down;
    }
}


static ngx_ims_media_helper_t *
ngx_ims_media_choose(ngx_ims_media_t *media, ngx_ims_media_cmd_t *cmd)
{
    ngx_uint_t               i, start;
    ngx_ims_media_helper_t  *h;

    if (media->nhelpers == 0) {
        return NULL;
    }

    if (cmd->helper >= 0) {

        if ((ngx_uint_t) cmd->helper >= media->nhelpers) {
            return NULL;
        }

        /* its call is there and nowhere else: wait if it is away */

        h = &media->helpers[cmd->helper];

        if (ngx_ims_media_connect(h) != NGX_OK) {
            ngx_ims_media_wake_later(h);
        }

        return h;
    }

    start = ngx_crc32_long(cmd->call_id.data, cmd->call_id.len)
            % media->nhelpers;

    for (i = 0; i < media->nhelpers; i++) {
        h = &media->helpers[(start + i) % media->nhelpers];

        if (!ngx_ims_media_open(h) && ngx_ims_media_connect(h) == NGX_OK) {
            return h;
        }
    }

    return NULL;
}


static ngx_ims_media_req_t *
ngx_ims_media_start(ngx_ims_media_helper_t *h, ngx_ims_media_cmd_t *cmd,
    ngx_ims_media_handler_pt handler, void *data)
{
    ngx_str_t             cookie;
    ngx_msec_t            timeout;
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

    req->msg = ngx_ims_media_compose(cmd, &cookie, &req->len, media->log);

    if (req->msg == NULL) {
        ngx_free(req);
        return NULL;
    }

    timeout = media->conf.timeout ? media->conf.timeout : 2000;

    req->helper = h;
    req->handler = handler;
    req->data = data;
    req->deadline = ngx_current_msec + timeout;
    req->interval = h->stream ? timeout
                              : timeout / NGX_IMS_MEDIA_SENDS + 1;

    req->timer.handler = ngx_ims_media_timer;
    req->timer.data = req;
    req->timer.log = media->log;
    req->timer.cancelable = (cmd->command == NGX_IMS_MEDIA_PING);

    ngx_rbtree_insert(&media->requests, &req->node);
    ngx_queue_insert_tail(&h->pending, &req->link);
    h->npending++;

    ngx_add_timer(&req->timer, req->interval);

    ngx_ims_media_transmit(req);

    return req;
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

    ngx_free(req->msg);
    ngx_free(req);
}


/* one reply, called from below */

static void
ngx_ims_media_reply(ngx_ims_media_helper_t *h, ngx_str_t *cookie,
    ngx_ims_media_reply_t *reply)
{
    ngx_ims_media_req_t  *req;

    ngx_ims_media_alive(h);

    req = ngx_ims_media_find(h->media, cookie);

    if (req == NULL || req->helper != h) {

        /* it was given up, or its repetition was answered too */

        ngx_log_debug1(NGX_LOG_DEBUG_CORE, h->log, 0,
                       "ims media: stale reply \"%V\"", cookie);
        return;
    }

    ngx_ims_media_complete(req, reply);
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


/* NGX_OK: there is a connection; NGX_DECLINED: not now */

static ngx_int_t
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

    if (!ngx_ims_media_open(h) && h->down && h->stream) {

        /* it had no socket, now it has */

        ngx_ims_media_alive(h);
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
    }

    ngx_ims_media_wake_later(h);
}


/* a command was not answered */

static void
ngx_ims_media_missed(ngx_ims_media_helper_t *h)
{
    h->fails++;

    if (!ngx_ims_media_open(h)) {
        return;
    }

    if (!h->down) {
        h->down = 1;
        ngx_log_error(NGX_LOG_NOTICE, h->log, 0,
                      "media helper \"%V\" does not answer", &h->addr.name);
    }

    ngx_ims_media_wake_later(h);
}


static void
ngx_ims_media_alive(ngx_ims_media_helper_t *h)
{
    h->fails = 0;

    if (h->down) {
        h->down = 0;
        ngx_log_error(NGX_LOG_NOTICE, h->log, 0,
                      "media helper \"%V\" is back", &h->addr.name);
    }
}


/* the circuit breaker: too many commands in a row were not answered */

static ngx_uint_t
ngx_ims_media_open(ngx_ims_media_helper_t *h)
{
    return h->media->conf.max_fails
           && h->fails >= h->media->conf.max_fails;
}


static void
ngx_ims_media_wake_later(ngx_ims_media_helper_t *h)
{
    ngx_msec_t      msec;
    ngx_msec_int_t  left;

    if (h->wake.timer_set) {
        return;
    }

    if (h->connection != NULL) {
        msec = ngx_max(h->media->conf.fail_timeout, 1) * 1000;

    } else {
        left = (ngx_msec_int_t) (h->retry - ngx_current_msec);
        msec = ngx_max(left, 1);
    }

    ngx_add_timer(&h->wake, msec);
}


static void
ngx_ims_media_wake(ngx_event_t *ev)
{
    ngx_ims_media_helper_t  *h;

    h = ev->data;
    ev->timedout = 0;

    if (ngx_ims_media_connect(h) == NGX_OK && h->down) {
        ngx_ims_media_ping(h);
    }

    if (h->down) {
        ngx_ims_media_wake_later(h);
    }
}


static void
ngx_ims_media_ping(ngx_ims_media_helper_t *h)
{
    ngx_ims_media_cmd_t  cmd;

    ngx_memzero(&cmd, sizeof(ngx_ims_media_cmd_t));
    cmd.command = NGX_IMS_MEDIA_PING;

    (void) ngx_ims_media_start(h, &cmd, NULL, NULL);
}
