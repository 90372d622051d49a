/*
 * Copyright (C) the IMS portal authors
 *
 * The transaction table: finding, timers, and the end of a transaction.  A
 * transaction is one block of memory (with its request) plus at most one more
 * (its last answer, or its ACK), freed at once when it is over.
 *
 * The user may call anything from inside its handlers.  So what a call of the
 * user's ends, ends from a posted event; only events and messages from outside
 * end a transaction at once.
 *
 * Timers: each transaction has one event, which is its repetition (A, E, G),
 * its deadline (B, F, H, the wait behind a CANCEL) or its absorbing (D, I, J,
 * K, L, M), one at a time.  They keep a worker that shuts down alive; none is
 * longer than 64*T1 or 32 s.  D and K are cancelable: their loss harms nobody.
 */


/* nginx chooses the features of the C library, so it comes first */
#include "ngx_ims_txn_priv.h"

#include <openssl/rand.h>


enum {
    NGX_IMS_TXN_BUCKETS = 256,           /* at first; doubled when full */
    NGX_IMS_TXN_FULL_INTERVAL = 10000    /* ms between two log lines */
};


#define ngx_ims_txn_rotl(x, b)  (((x) << (b)) | ((x) >> (64 - (b))))


static void ngx_ims_txns_cleanup(void *data);
static void ngx_ims_txn_full(ngx_ims_txns_t *txns);
static void ngx_ims_txn_grow(ngx_ims_txns_t *txns);
static uint64_t ngx_ims_txn_siphash(uint64_t k0, uint64_t k1, const u_char *p,
    size_t len);
static void ngx_ims_txn_sipround(uint64_t *v);
static ngx_int_t ngx_ims_txn_hex32(u_char *p, uint32_t *value);


ngx_ims_txns_t *
ngx_ims_txns_create(ngx_pool_t *pool, ngx_log_t *log, ngx_ims_owner_t *self,
    ngx_ims_txn_conf_t *conf)
{
    ngx_ims_txns_t      *txns;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_ims_txns_t));
    if (cln == NULL) {
        return NULL;
    }

    txns = cln->data;
    ngx_memzero(txns, sizeof(ngx_ims_txns_t));

    txns->log = log;
    txns->self = *self;
    txns->conf = *conf;

    if (txns->conf.t1 == 0) {
        txns->conf.t1 = 500;
    }

    if (txns->conf.t2 == 0) {
        txns->conf.t2 = 4000;
    }

    if (txns->conf.t4 == 0) {
        txns->conf.t4 = 5000;
    }

    if (RAND_bytes((u_char *) txns->key, sizeof(txns->key)) != 1) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "RAND_bytes() failed");
        return NULL;
    }

    txns->nbuckets = NGX_IMS_TXN_BUCKETS;
    txns->buckets = ngx_calloc(txns->nbuckets * sizeof(void *), log);
    if (txns->buckets == NULL) {
        return NULL;
    }

    cln->handler = ngx_ims_txns_cleanup;

    return txns;
}


/* at the end of the process: nobody is told any more */

static void
ngx_ims_txns_cleanup(void *data)
{
    ngx_uint_t           i;
    ngx_ims_txns_t      *txns;
    ngx_ims_txn_priv_t  *x, *next;

    txns = data;

    for (i = 0; i < txns->nbuckets; i++) {

        for (x = txns->buckets[i]; x != NULL; x = next) {
            next = x->next;
            ngx_ims_txn_free(x);
        }
    }

    ngx_free(txns->buckets);

    txns->buckets = NULL;
    txns->nbuckets = 0;
    txns->count = 0;
}


ngx_msec_t
ngx_ims_txns_t1(ngx_ims_txns_t *txns)
{
    return txns->conf.t1;
}


ngx_uint_t
ngx_ims_txns_count(ngx_ims_txns_t *txns)
{
    return txns->count;
}


void
ngx_ims_txn_branch(ngx_ims_txns_t *txns, u_char *out)
{
    u_char  *p;

    p = ngx_sprintf(out, "z9hG4bK%08xD%08xD", txns->self.instance,
                    txns->self.pid);

    ngx_ims_txn_random(txns, p);
}


/* the numbers of a keyed sequence: unique enough and not to be guessed */

void
ngx_ims_txn_random(ngx_ims_txns_t *txns, u_char *out)
{
    u_char    bytes[8];
    uint64_t  r;

    txns->serial++;

    r = ngx_ims_txn_siphash(txns->key[2], txns->key[3],
                            (u_char *) &txns->serial, sizeof(uint64_t));

    ngx_memcpy(bytes, &r, sizeof(bytes));
    (void) ngx_hex_dump(out, bytes, sizeof(bytes));
}


ngx_int_t
ngx_ims_txn_branch_owner(ngx_ims_str_t *branch, ngx_ims_owner_t *owner)
{
    size_t    i;
    u_char   *p;
    uint32_t  dummy;

    if (branch->len != NGX_IMS_BRANCH_LEN
        || ngx_strncmp(branch->data, "z9hG4bK", 7) != 0)
    {
        return NGX_DECLINED;
    }

    p = branch->data + 7;

    if (ngx_ims_txn_hex32(p, &owner->instance) != NGX_OK
        || ngx_ims_txn_hex32(p + 8, &owner->pid) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 16; i < 32; i += 8) {
        if (ngx_ims_txn_hex32(p + i, &dummy) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_txn_hex32(u_char *p, uint32_t *value)
{
    u_char      ch;
    uint32_t    v;
    ngx_uint_t  i;

    v = 0;

    for (i = 0; i < 8; i++) {
        ch = p[i];

        if (ch >= '0' && ch <= '9') {
            v = v * 16 + (ch - '0');

        } else if (ch >= 'a' && ch <= 'f') {
            v = v * 16 + (ch - 'a' + 10);

        } else {
            return NGX_DECLINED;
        }
    }

    *value = v;

    return NGX_OK;
}


void
ngx_ims_txn_detach(ngx_ims_txn_t *t)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    if (x->detached) {
        return;
    }

    x->detached = 1;

    if (t->state == NGX_IMS_TXN_TERMINATED) {
        return;
    }

    if (t->state >= NGX_IMS_TXN_COMPLETED) {

        /* all that is left is to repeat or absorb on that flow */

        ngx_ims_txn_finish_later(x, NGX_DONE);
        return;
    }

    if (!t->server) {
        ngx_ims_txn_finish_later(x, NGX_ERROR);
    }
}


void
ngx_ims_txn_reattach(ngx_ims_txn_t *t, ngx_ims_flow_t *flow)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    t->flow = *flow;
    x->detached = 0;
    x->suspended = 0;
}


void
ngx_ims_txn_suspend(ngx_ims_txn_t *t)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    x->detached = 1;
    x->suspended = 1;
}


void
ngx_ims_txn_resume(ngx_ims_txn_t *t, ngx_ims_flow_t *flow)
{
    ngx_ims_txn_priv_t  *x;

    x = t->priv;

    ngx_ims_txn_reattach(t, flow);

    if (!t->server) {
        ngx_ims_txn_client_resume(x);

    } else if (x->extra.len
               && (t->state == NGX_IMS_TXN_PROCEEDING
                   || t->state == NGX_IMS_TXN_COMPLETED))
    {
        (void) ngx_ims_txn_send(x, x->extra.data, x->extra.len);
    }
}


ngx_ims_txn_priv_t *
ngx_ims_txn_alloc(ngx_ims_txns_t *txns, u_char *p, size_t len,
    ngx_event_handler_pt handler, ngx_uint_t forced)
{
    ngx_ims_txn_priv_t  *x;

    if (txns->conf.max && txns->count >= txns->conf.max && !forced
        && !txns->urgent)
    {
        ngx_ims_txn_full(txns);
        return NULL;
    }

    x = ngx_alloc(sizeof(ngx_ims_txn_priv_t) + len, txns->log);
    if (x == NULL) {
        return NULL;
    }

    ngx_memzero(x, sizeof(ngx_ims_txn_priv_t));

    x->txns = txns;

    x->pub.priv = x;
    x->pub.state = NGX_IMS_TXN_CALLING;
    x->pub.request.data = (u_char *) x + sizeof(ngx_ims_txn_priv_t);
    x->pub.request.len = len;
    ngx_memcpy(x->pub.request.data, p, len);

    /* no connection: debug logs read what stands where its fd would be */

    x->event.data = x;
    x->event.handler = handler;
    x->event.log = txns->log;

    return x;
}


/* said now and then, not for each message of a flood */

static void
ngx_ims_txn_full(ngx_ims_txns_t *txns)
{
    if (txns->conf.refused != NULL) {
        (void) ngx_atomic_fetch_add(txns->conf.refused, 1);
    }

    if (txns->full
        && ngx_current_msec - txns->full_time < NGX_IMS_TXN_FULL_INTERVAL)
    {
        return;
    }

    txns->full = 1;
    txns->full_time = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, txns->log, 0,
                  "%ui sip transactions are not enough", txns->conf.max);
}


void
ngx_ims_txn_free(ngx_ims_txn_priv_t *x)
{
    ngx_ims_txn_timer_stop(x);

    if (x->event.posted) {
        ngx_delete_posted_event(&x->event);
    }

    if (x->extra.data != NULL) {
        ngx_free(x->extra.data);
    }

    ngx_free(x);
}


void
ngx_ims_txn_insert(ngx_ims_txn_priv_t *x)
{
    ngx_ims_txns_t       *txns;
    ngx_ims_txn_priv_t  **b;

    txns = x->txns;

    if (txns->count >= txns->nbuckets) {
        ngx_ims_txn_grow(txns);
    }

    b = &txns->buckets[x->hash & (txns->nbuckets - 1)];

    x->next = *b;
    *b = x;

    txns->count++;
}


/* without memory the chains get longer, that is all */

static void
ngx_ims_txn_grow(ngx_ims_txns_t *txns)
{
    ngx_uint_t            i, n;
    ngx_ims_txn_priv_t   *x, *next, **buckets, **b;

    n = txns->nbuckets * 2;

    buckets = ngx_calloc(n * sizeof(void *), txns->log);
    if (buckets == NULL) {
        return;
    }

    for (i = 0; i < txns->nbuckets; i++) {

        for (x = txns->buckets[i]; x != NULL; x = next) {
            next = x->next;

            b = &buckets[x->hash & (n - 1)];
            x->next = *b;
            *b = x;
        }
    }

    ngx_free(txns->buckets);

    txns->buckets = buckets;
    txns->nbuckets = n;
}


void
ngx_ims_txn_unlink(ngx_ims_txn_priv_t *x)
{
    ngx_ims_txns_t       *txns;
    ngx_ims_txn_priv_t  **b;

    txns = x->txns;

    for (b = &txns->buckets[x->hash & (txns->nbuckets - 1)];
         *b != NULL;
         b = &(*b)->next)
    {
        if (*b == x) {
            *b = x->next;
            txns->count--;
            return;
        }
    }

    ngx_log_error(NGX_LOG_ALERT, txns->log, 0,
                  "sip transaction is not in its table");
}


ngx_ims_txn_priv_t *
ngx_ims_txn_bucket(ngx_ims_txns_t *txns, uint64_t hash)
{
    return txns->buckets[hash & (txns->nbuckets - 1)];
}


uint64_t
ngx_ims_txn_hash(ngx_ims_txns_t *txns, uint64_t salt, u_char *p, size_t len)
{
    return ngx_ims_txn_siphash(txns->key[0] ^ salt, txns->key[1], p, len);
}


/* SipHash-1-3 */

static uint64_t
ngx_ims_txn_siphash(uint64_t k0, uint64_t k1, const u_char *p, size_t len)
{
    size_t    i;
    uint64_t  v[4], word, last;

    v[0] = k0 ^ 0x736f6d6570736575ULL;
    v[1] = k1 ^ 0x646f72616e646f6dULL;
    v[2] = k0 ^ 0x6c7967656e657261ULL;
    v[3] = k1 ^ 0x7465646279746573ULL;

    last = (uint64_t) len << 56;

    for ( /* void */ ; len >= sizeof(word); len -= sizeof(word)) {
        ngx_memcpy(&word, p, sizeof(word));
        p += sizeof(word);

        v[3] ^= word;
        ngx_ims_txn_sipround(v);
        v[0] ^= word;
    }

    for (i = 0; i < len; i++) {
        last |= (uint64_t) p[i] << (8 * i);
    }

    v[3] ^= last;
    ngx_ims_txn_sipround(v);
    v[0] ^= last;

    v[2] ^= 0xff;

    for (i = 0; i < 3; i++) {
        ngx_ims_txn_sipround(v);
    }

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


static void
ngx_ims_txn_sipround(uint64_t *v)
{
    v[0] += v[1];
    v[1] = ngx_ims_txn_rotl(v[1], 13) ^ v[0];
    v[0] = ngx_ims_txn_rotl(v[0], 32);

    v[2] += v[3];
    v[3] = ngx_ims_txn_rotl(v[3], 16) ^ v[2];

    v[0] += v[3];
    v[3] = ngx_ims_txn_rotl(v[3], 21) ^ v[0];

    v[2] += v[1];
    v[1] = ngx_ims_txn_rotl(v[1], 17) ^ v[2];
    v[2] = ngx_ims_txn_rotl(v[2], 32);
}


ngx_int_t
ngx_ims_txn_keep(ngx_ims_txn_priv_t *x, u_char *p, size_t len)
{
    if (x->extra.data != NULL) {
        ngx_free(x->extra.data);
        ngx_str_null(&x->extra);
    }

    if (len == 0) {
        return NGX_OK;
    }

    x->extra.data = ngx_alloc(len, x->txns->log);
    if (x->extra.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(x->extra.data, p, len);
    x->extra.len = len;

    return NGX_OK;
}


void
ngx_ims_txn_timer(ngx_ims_txn_priv_t *x, ngx_msec_t msec)
{
    /* ngx_add_timer() would keep a timer that is almost as good */

    ngx_ims_txn_timer_stop(x);
    ngx_add_timer(&x->event, msec);
}


void
ngx_ims_txn_repeat(ngx_ims_txn_priv_t *x)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (x->deadline - ngx_current_msec);

    if (left < 0) {
        left = 0;
    }

    if (x->interval != 0 && x->interval < (ngx_msec_t) left) {
        left = x->interval;
    }

    ngx_ims_txn_timer(x, left);
}


ngx_uint_t
ngx_ims_txn_expired(ngx_ims_txn_priv_t *x)
{
    return (ngx_msec_int_t) (x->deadline - ngx_current_msec) <= 0;
}


void
ngx_ims_txn_timer_stop(ngx_ims_txn_priv_t *x)
{
    if (x->event.timer_set) {
        ngx_del_timer(&x->event);
    }
}


ngx_int_t
ngx_ims_txn_send(ngx_ims_txn_priv_t *x, u_char *p, size_t len)
{
    if (x->detached) {
        return NGX_ERROR;
    }

    return x->pub.flow.send(&x->pub.flow, p, len);
}


void
ngx_ims_txn_call(ngx_ims_txn_priv_t *x, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    unsigned  busy;

    busy = x->busy;

    x->busy = 1;
    x->handler(&x->pub, rc, m);
    x->busy = busy;
}


void
ngx_ims_txn_finish(ngx_ims_txn_priv_t *x)
{
    if (x->busy) {
        ngx_ims_txn_finish_later(x, NGX_DONE);
        return;
    }

    ngx_ims_txn_timer_stop(x);

    x->pub.state = NGX_IMS_TXN_TERMINATED;
    x->done = 1;

    ngx_ims_txn_unlink(x);

    ngx_ims_txn_call(x, NGX_DONE, NULL);

    ngx_ims_txn_free(x);
}


void
ngx_ims_txn_fail(ngx_ims_txn_priv_t *x, ngx_int_t rc)
{
    ngx_ims_txn_timer_stop(x);

    x->pub.state = NGX_IMS_TXN_TERMINATED;

    ngx_ims_txn_call(x, rc, NULL);
    ngx_ims_txn_finish(x);
}


void
ngx_ims_txn_finish_later(ngx_ims_txn_priv_t *x, ngx_int_t rc)
{
    if (x->done || x->event.posted) {
        return;
    }

    ngx_ims_txn_timer_stop(x);

    x->pub.state = NGX_IMS_TXN_TERMINATED;
    x->rc = rc;

    ngx_post_event(&x->event, &ngx_posted_events);
}


ngx_int_t
ngx_ims_txn_woken(ngx_ims_txn_priv_t *x)
{
    ngx_int_t  rc;

    /* a timer that has fired, for which nginx clears nothing else */

    x->event.timedout = 0;

    if (x->pub.state != NGX_IMS_TXN_TERMINATED) {
        return NGX_OK;
    }

    rc = x->rc;
    x->rc = NGX_DONE;

    if (rc != NGX_DONE) {
        ngx_ims_txn_fail(x, rc);

    } else {
        ngx_ims_txn_finish(x);
    }

    return NGX_DONE;
}
