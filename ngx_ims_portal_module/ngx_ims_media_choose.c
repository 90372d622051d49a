/*
 * Copyright (C) the IMS portal authors
 *
 * Which helper a command goes to, and which one an offer goes to next when that
 * one is full or silent.  No timers.
 */


#include "ngx_ims_media_priv.h"


enum {
    NGX_IMS_MEDIA_DRAIN = 16,            /* helpers of former configurations */
    NGX_IMS_MEDIA_MOVES = 2              /* of an offer, to other helpers */
};


static ngx_ims_media_helper_t *ngx_ims_media_best(ngx_ims_media_t *media,
    ngx_str_t *call_id, uint64_t tried);
static ngx_ims_media_helper_t *ngx_ims_media_named(ngx_ims_media_t *media,
    ngx_int_t id);
static ngx_uint_t ngx_ims_media_usable(ngx_ims_media_helper_t *h,
    ngx_uint_t pass);
static void ngx_ims_media_undo(ngx_ims_media_req_t *req);


ngx_int_t
ngx_ims_media_inherit(ngx_conf_t *cf, ngx_ims_media_conf_t *conf,
    ngx_ims_media_conf_t *before)
{
    ngx_uint_t    i, k, n;
    ngx_addr_t   *addr, *here, *copy;
    ngx_array_t  *list;

    for (n = 0; before != NULL && n < 2; n++) {

        list = n ? &before->drain : &before->addrs;
        addr = list->elts;

        for (i = 0; i < list->nelts; i++) {

            here = conf->addrs.elts;

            for (k = 0; k < conf->addrs.nelts; k++) {
                if (here[k].name.len == addr[i].name.len
                    && ngx_memcmp(here[k].name.data, addr[i].name.data,
                                  addr[i].name.len)
                       == 0)
                {
                    break;
                }
            }

            if (k < conf->addrs.nelts
                || conf->drain.nelts >= NGX_IMS_MEDIA_DRAIN)
            {
                continue;
            }

            /* the memory of the cycle before goes */

            copy = ngx_array_push(&conf->drain);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            copy->socklen = addr[i].socklen;
            copy->name.len = addr[i].name.len;
            copy->name.data = ngx_pstrdup(cf->pool, &addr[i].name);
            copy->sockaddr = ngx_palloc(cf->pool, addr[i].socklen);

            if (copy->name.data == NULL || copy->sockaddr == NULL) {
                return NGX_ERROR;
            }

            ngx_memcpy(copy->sockaddr, addr[i].sockaddr, addr[i].socklen);
        }
    }

    return NGX_OK;
}


ngx_ims_media_helper_t *
ngx_ims_media_choose(ngx_ims_media_t *media, ngx_ims_media_cmd_t *cmd)
{
    ngx_ims_media_helper_t  *h;

    if (cmd->helper < 0) {
        return ngx_ims_media_best(media, &cmd->call_id, 0);
    }

    h = ngx_ims_media_named(media, cmd->helper);

    /* its call is there and nowhere else: wait if it is away */

    if (h != NULL && ngx_ims_media_connect(h) != NGX_OK) {
        ngx_ims_media_wake_later(h);
    }

    return h;
}


static ngx_ims_media_helper_t *
ngx_ims_media_named(ngx_ims_media_t *media, ngx_int_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < media->nhelpers; i++) {
        if (media->helpers[i].id == id) {
            return &media->helpers[i];
        }
    }

    return NULL;
}


/* for a new call: from the one that its name leads to on, the healthy first */

static ngx_ims_media_helper_t *
ngx_ims_media_best(ngx_ims_media_t *media, ngx_str_t *call_id, uint64_t tried)
{
    ngx_uint_t               i, k, n, start, pass;
    ngx_ims_media_helper_t  *h;

    n = ngx_min(media->conf.addrs.nelts, media->nhelpers);

    if (n == 0) {
        return NULL;
    }

    start = ngx_crc32_long(call_id->data, call_id->len) % n;

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < n; i++) {
            k = (start + i) % n;
            h = &media->helpers[k];

            if ((k >= 64 || !((tried >> k) & 1))
                && ngx_ims_media_usable(h, pass))
            {
                return h;
            }
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_ims_media_usable(ngx_ims_media_helper_t *h, ngx_uint_t pass)
{
    if (pass == 0) {
        return !h->suspect && !ngx_ims_media_open(h)
               && ngx_ims_media_connect(h) == NGX_OK;
    }

    if (h->connection == NULL) {

        /* it may be there again since somebody looked last */

        h->failed = 0;
    }

    return ngx_ims_media_connect(h) == NGX_OK && !ngx_ims_media_open(h);
}


ngx_int_t
ngx_ims_media_movable(ngx_ims_media_req_t *req, ngx_str_t *call_id)
{
    if (req->helper->media->conf.addrs.nelts < 2) {
        return NGX_DECLINED;
    }

    req->call_id.data = ngx_alloc(call_id->len, req->helper->log);
    if (req->call_id.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(req->call_id.data, call_id->data, call_id->len);
    req->call_id.len = call_id->len;
    req->moves = NGX_IMS_MEDIA_MOVES;

    return NGX_OK;
}


/* 1: another helper has it now; undo: this one may still come to do it */

ngx_uint_t
ngx_ims_media_move(ngx_ims_media_req_t *req, ngx_uint_t undo)
{
    ngx_ims_media_t         *media;
    ngx_ims_media_helper_t  *h;

    if (req->moves == 0 || req->handler == NULL) {
        return 0;
    }

    media = req->helper->media;

    h = ngx_ims_media_best(media, &req->call_id, req->tried);

    if (h == NULL || h->npending >= NGX_IMS_MEDIA_MAX_PENDING) {
        return 0;
    }

    ngx_log_error(NGX_LOG_NOTICE, h->log, 0,
                  "a call goes to media helper \"%V\" instead of \"%V\"",
                  &h->addr.name, &req->helper->addr.name);

    if (undo) {
        ngx_ims_media_undo(req);
    }

    ngx_queue_remove(&req->link);
    req->helper->npending--;
    req->moves--;

    if (req->timer.timer_set) {
        ngx_del_timer(&req->timer);
    }

    ngx_ims_media_enter(req, h);

    return 1;
}


/* behind the offer in its queue: a frozen helper reads both when it goes on */

static void
ngx_ims_media_undo(ngx_ims_media_req_t *req)
{
    ngx_ims_media_cmd_t  cmd;

    ngx_memzero(&cmd, sizeof(ngx_ims_media_cmd_t));

    cmd.command = NGX_IMS_MEDIA_DELETE;
    cmd.call_id = req->call_id;

    (void) ngx_ims_media_start(req->helper, &cmd, NULL, NULL);
}


/* 1 when a helper is left that seems well */

ngx_uint_t
ngx_ims_media_others(ngx_ims_media_req_t *req)
{
    ngx_uint_t               i;
    ngx_ims_media_t         *media;
    ngx_ims_media_helper_t  *h;

    media = req->helper->media;

    for (i = 0; i < media->nhelpers && i < 64; i++) {
        h = &media->helpers[i];

        if (!((req->tried >> i) & 1) && !h->drained && h->connection != NULL
            && !h->suspect && !ngx_ims_media_open(h))
        {
            return 1;
        }
    }

    return 0;
}
