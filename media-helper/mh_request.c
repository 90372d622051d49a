
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the nodes of the request being read, the bytes of the reply being
 * written and the cache of replies.  No timer of its own:
 * mh_requests_tick() ages the cache.
 *
 * The reasons of errors are those of rtpengine, word for word, and an error
 * is told in the encoding of the payload's first byte.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cache.h"
#include "mh_clock.h"
#include "mh_json.h"
#include "mh_log.h"
#include "mh_request.h"


struct mh_requests {
    struct mh_cache         *cache;
    mh_request_h            *handler;
    void                    *arg;
    struct mh_request_stat   stat;
    ngx_ims_ng_node_t        nodes[NGX_IMS_NG_NODES];
    uint8_t                  scratch[NGX_IMS_NG_MAX_MESSAGE + 1];
    uint8_t                  reply[NGX_IMS_NG_MAX_MESSAGE];
    uint8_t                  json[NGX_IMS_NG_MAX_MESSAGE];
};


static void mh_requests_destroy(void *data);
static int mh_request_read(struct mh_requests *r, const uint8_t *p,
    size_t len, bool whole, size_t *used, const char **reason);
static void mh_request_reply(struct mh_requests *r, const struct pl *cookie,
    bool json, const char *reason, size_t max, struct pl *reply);


int
mh_requests_alloc(struct mh_requests **rp)
{
    int                  err;
    struct mh_requests  *r;

    r = mem_zalloc(sizeof(*r), mh_requests_destroy);
    if (r == NULL) {
        return ENOMEM;
    }

    err = mh_cache_alloc(&r->cache);
    if (err) {
        mem_deref(r);
        return err;
    }

    *rp = r;

    return 0;
}


static void
mh_requests_destroy(void *data)
{
    struct mh_requests  *r = data;

    mem_deref(r->cache);
}


void
mh_requests_handler(struct mh_requests *r, mh_request_h *handler, void *arg)
{
    r->handler = handler;
    r->arg = arg;
}


void
mh_requests_tick(struct mh_requests *r, uint64_t now)
{
    mh_cache_tick(r->cache, now);
}


const struct mh_request_stat *
mh_requests_stat(const struct mh_requests *r)
{
    return &r->stat;
}


bool
mh_request_named(struct mh_requests *r, const uint8_t *p, size_t len)
{
    size_t  n, body;

    if (ngx_ims_ng_split(p, len, &n, &body) == NGX_IMS_NG_OK && n == 0) {
        r->stat.broken++;
        return false;
    }

    return true;
}


int
mh_request_do(struct mh_requests *r, const uint8_t *p, size_t len,
    bool whole, size_t max, size_t *used, struct pl *reply)
{
    int          rc;
    bool         json;
    size_t       n, body;
    struct pl    cookie;
    const char  *reason;

    reply->p = NULL;
    reply->l = 0;
    *used = 0;

    rc = ngx_ims_ng_split(p, len, &n, &body);

    if (rc == NGX_IMS_NG_AGAIN && whole) {
        rc = NGX_IMS_NG_INVALID;
    }

    if (rc != NGX_IMS_NG_OK) {
        r->stat.broken += (rc != NGX_IMS_NG_AGAIN);
        return rc;
    }

    cookie.p = (const char *) p;
    cookie.l = n;
    json = (body < len && p[body] == '{');
    reason = NULL;

    rc = mh_request_read(r, p + body, len - body, whole, used, &reason);

    if (rc == NGX_IMS_NG_AGAIN) {
        return rc;
    }

    if (rc != NGX_IMS_NG_OK) {
        r->stat.broken++;
        mh_request_reply(r, &cookie, json, reason, max, reply);
        return rc;
    }

    *used += body;
    r->stat.total++;

    if (cookie.l && mh_cache_find(r->cache, &cookie, reply)) {
        r->stat.repeated++;

        if (reply->l > max) {
            mh_request_reply(r, &cookie, json, "Reply too long", max, reply);
        }

        return NGX_IMS_NG_OK;
    }

    mh_request_reply(r, &cookie, json, NULL, max, reply);

    if (cookie.l) {
        mh_cache_add(r->cache, &cookie, reply->p, reply->l, mh_clock());
    }

    return NGX_IMS_NG_OK;
}


/* the payload into the nodes; gives the reason when that cannot be */

static int
mh_request_read(struct mh_requests *r, const uint8_t *p, size_t len,
    bool whole, size_t *used, const char **reason)
{
    int     rc;
    size_t  i;

    if (len == 0) {
        *reason = "Invalid data (no payload)";
        return whole ? NGX_IMS_NG_INVALID : NGX_IMS_NG_AGAIN;
    }

    if (*p == 'd') {
        rc = ngx_ims_ng_parse(p, len, r->nodes, NGX_IMS_NG_NODES, used);
        *reason = "Could not decode bencode dictionary";

    } else if (*p == '{') {
        rc = (len > sizeof(r->scratch))
             ? NGX_IMS_NG_LIMIT
             : mh_json_parse(p, len, r->nodes, NGX_IMS_NG_NODES, r->scratch,
                             used);

        *reason = (rc == NGX_IMS_NG_LIMIT)
                  ? "Could not decode JSON dictionary"
                  : "Failed to parse JSON document";

        if (rc == NGX_IMS_NG_OK && whole) {

            /* a document ends where its bytes do */

            for (i = *used; i < len; i++) {

                if (memchr(" \t\r\n", p[i], 4) == NULL) {
                    rc = NGX_IMS_NG_INVALID;
                    break;
                }
            }
        }

    } else {
        rc = NGX_IMS_NG_INVALID;
        *reason = "Invalid NG data format";
    }

    return (rc == NGX_IMS_NG_AGAIN && whole) ? NGX_IMS_NG_INVALID : rc;
}


/* writes an error, or lets the handler do the request */

static void
mh_request_reply(struct mh_requests *r, const struct pl *cookie, bool json,
    const char *reason, size_t max, struct pl *reply)
{
    size_t               n, cookie_len;
    ngx_ims_ng_writer_t  w;

    cookie_len = cookie->l ? cookie->l + 1 : 0;
    max = max < sizeof(r->reply) ? max : sizeof(r->reply);

    ngx_ims_ng_write_init(&w, r->reply, json ? sizeof(r->reply) : max);

    if (cookie->l) {
        ngx_ims_ng_write_raw(&w, cookie->p, cookie->l);
        ngx_ims_ng_write_raw(&w, " ", 1);
    }

    if (reason == NULL) {
        r->handler(r->nodes, &w, r->arg);

    } else {
        ngx_ims_ng_write_dict(&w);
        ngx_ims_ng_write_key_word(&w, "result", "error");
        ngx_ims_ng_write_key_word(&w, "error-reason", reason);
        ngx_ims_ng_write_end(&w);
    }

    reply->p = (const char *) r->reply;
    reply->l = ngx_ims_ng_write_done(&w);

    if (json && reply->l) {
        memcpy(r->json, r->reply, cookie_len);

        n = mh_json_write(r->reply + cookie_len, reply->l - cookie_len,
                          r->json + cookie_len, max - cookie_len);

        reply->p = (const char *) r->json;
        reply->l = n ? cookie_len + n : 0;
    }

    if (reply->l == 0) {
        mh_err("reply too long for the control socket");

        if (reason == NULL) {
            mh_request_reply(r, cookie, json, "Reply too long", max, reply);
        }
    }
}
