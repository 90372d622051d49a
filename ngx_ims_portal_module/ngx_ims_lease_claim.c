/*
 * Copyright (C) the IMS portal authors
 *
 * A claim: one user of this worker for whom the server is asked.  All who wait
 * for him wait for one claim.  Its answer is kept until they have fetched it.
 *
 * A claim that is late does nothing: the server compares the time until which
 * we wait with its clock.  One that was done while its answer got lost is given
 * back by its name.
 *
 * Timers: one per claim: for the connection, for the time in which no new
 * leases are given; and, cancelable, for an answer that nobody fetches.
 */


#include "ngx_ims_lease_claim.h"


static void ngx_ims_lease_claim_text(ngx_str_t *to, ngx_str_t *from,
    u_char *p);
static void ngx_ims_lease_claim_timer(ngx_event_t *ev);
static void ngx_ims_lease_claim_wait(ngx_ims_lease_claim_t *claim,
    ngx_msec_t ms);
static void ngx_ims_lease_claim_ask(ngx_ims_lease_claim_t *claim);
static ngx_int_t ngx_ims_lease_claim_offer(ngx_ims_lease_claim_t *claim);
static ngx_int_t ngx_ims_lease_claim_send(ngx_ims_lease_claim_t *claim);
static void ngx_ims_lease_claim_answer(void *data,
    ngx_ims_redis_reply_t *reply);
static void ngx_ims_lease_claim_got(ngx_ims_lease_claim_t *claim,
    ngx_ims_redis_reply_t *reply);
static void ngx_ims_lease_claim_taken(ngx_ims_lease_claim_t *claim,
    ngx_ims_redis_reply_t *reply, ngx_uint_t from);
static void ngx_ims_lease_claim_done(ngx_ims_lease_claim_t *claim,
    ngx_int_t rc);
static void ngx_ims_lease_claim_free(ngx_ims_lease_claim_t *claim);


#define ngx_ims_lease_bucket(live, user)                                      \
    (&(live)->claims[(user)[NGX_IMS_DIGEST_LEN - 1]])


ngx_ims_lease_claim_t *
ngx_ims_lease_claim_find(ngx_ims_lease_live_t *live, u_char *user,
    ngx_uint_t look)
{
    ngx_queue_t            *q, *bucket;
    ngx_ims_lease_claim_t  *claim;

    bucket = ngx_ims_lease_bucket(live, user);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        claim = ngx_queue_data(q, ngx_ims_lease_claim_t, queue);

        if (claim->look == look
            && ngx_memcmp(claim->user, user, NGX_IMS_DIGEST_LEN) == 0)
        {
            return claim;
        }
    }

    return NULL;
}


ngx_ims_lease_claim_t *
ngx_ims_lease_claim_start(ngx_ims_lease_live_t *live, ngx_ims_want_t *want,
    ngx_uint_t look, ngx_ims_waiter_t *waiter)
{
    u_char                 *p;
    ngx_ims_lease_claim_t  *claim;

    if (live->nclaims >= NGX_IMS_LEASE_CLAIMS) {
        return NULL;
    }

    claim = ngx_calloc(sizeof(ngx_ims_lease_claim_t) + want->subject.len
                       + want->issuer.len + want->identity.len, live->log);
    if (claim == NULL) {
        return NULL;
    }

    ngx_queue_init(&claim->waiters);

    if (ngx_ims_waiter_add(&claim->waiters, waiter) != NGX_AGAIN) {
        ngx_free(claim);
        return NULL;
    }

    claim->live = live;
    claim->look = look;
    claim->want = *want;
    ngx_memcpy(claim->user, want->user, NGX_IMS_DIGEST_LEN);
    claim->want.user = claim->user;

    p = (u_char *) (claim + 1);
    ngx_ims_lease_claim_text(&claim->want.subject, &want->subject, p);
    p += want->subject.len;
    ngx_ims_lease_claim_text(&claim->want.issuer, &want->issuer, p);
    p += want->issuer.len;
    ngx_ims_lease_claim_text(&claim->want.identity, &want->identity, p);

    claim->until = ngx_current_msec + live->share->hold
                   + 3 * live->share->redis.timeout;

    claim->event.handler = ngx_ims_lease_claim_timer;
    claim->event.data = claim;
    claim->event.log = live->log;

    ngx_queue_insert_tail(ngx_ims_lease_bucket(live, claim->user),
                          &claim->queue);
    live->nclaims++;

    /* not from within the caller: it is woken when this has returned */

    if (live->usable) {
        ngx_ims_lease_claim_wait(claim, 0);
        ngx_ims_lease_claim_ask(claim);

    } else {
        ngx_ims_lease_claim_wait(claim, live->share->redis.timeout);
    }

    return claim;
}


static void
ngx_ims_lease_claim_text(ngx_str_t *to, ngx_str_t *from, u_char *p)
{
    to->data = p;
    to->len = from->len;

    if (from->len) {
        ngx_memcpy(p, from->data, from->len);
    }
}


ngx_int_t
ngx_ims_lease_claim_fetch(ngx_ims_lease_claim_t *claim, uint32_t *lease,
    ngx_uint_t *fresh)
{
    ngx_int_t  rc;

    rc = claim->rc;
    *lease = claim->lease;
    *fresh = claim->fresh;

    claim->fresh = 0;

    if (claim->left && --claim->left == 0 && !claim->waking) {
        ngx_ims_lease_claim_free(claim);
    }

    return rc;
}


static void
ngx_ims_lease_claim_timer(ngx_event_t *ev)
{
    ngx_ims_lease_claim_t  *claim;

    claim = ev->data;

    if (claim->done) {
        ngx_ims_lease_claim_free(claim);
        return;
    }

    if (claim->failed || !claim->live->usable
        || (ngx_msec_int_t) (claim->until - ngx_current_msec) <= 0)
    {
        ngx_ims_lease_claim_done(claim, NGX_ERROR);
        return;
    }

    ngx_ims_lease_claim_ask(claim);
}


/* 0: it is asked, and there are other clocks for that */

static void
ngx_ims_lease_claim_wait(ngx_ims_lease_claim_t *claim, ngx_msec_t ms)
{
    if (claim->event.timer_set) {
        ngx_del_timer(&claim->event);
    }

    /* a worker that ends tells those who wait first */

    claim->event.cancelable = claim->done;

    if (ms) {
        ngx_add_timer(&claim->event, ms);
    }
}


void
ngx_ims_lease_claims_go(ngx_ims_lease_live_t *live)
{
    ngx_uint_t              i;
    ngx_queue_t            *q, *next;
    ngx_ims_lease_claim_t  *claim;

    for (i = 0; i < NGX_IMS_LEASE_BUCKETS; i++) {

        for (q = ngx_queue_head(&live->claims[i]);
             q != ngx_queue_sentinel(&live->claims[i]);
             q = next)
        {
            next = ngx_queue_next(q);
            claim = ngx_queue_data(q, ngx_ims_lease_claim_t, queue);

            if (!claim->done && !claim->flying && !claim->failed) {
                ngx_ims_lease_claim_ask(claim);
            }
        }
    }
}


/* by their timers: whoever is woken may do what he likes with the others */

void
ngx_ims_lease_claims_fail(ngx_ims_lease_live_t *live)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_ims_lease_claim_t  *claim;

    for (i = 0; i < NGX_IMS_LEASE_BUCKETS; i++) {

        for (q = ngx_queue_head(&live->claims[i]);
             q != ngx_queue_sentinel(&live->claims[i]);
             q = ngx_queue_next(q))
        {
            claim = ngx_queue_data(q, ngx_ims_lease_claim_t, queue);

            if (!claim->done && !claim->flying) {
                claim->failed = 1;
                ngx_ims_lease_claim_wait(claim, 1);
            }
        }
    }
}


/* what cannot be sent fails a moment later */

static void
ngx_ims_lease_claim_ask(ngx_ims_lease_claim_t *claim)
{
    ngx_int_t  rc;

    ngx_ims_lease_claim_wait(claim, 0);

    rc = ngx_ims_lease_claim_offer(claim);

    if (rc == NGX_OK) {
        rc = ngx_ims_lease_claim_send(claim);
    }

    if (rc == NGX_OK) {
        claim->flying = 1;
        return;
    }

    claim->failed = 1;
    claim->verdict = rc;
    ngx_ims_lease_claim_wait(claim, 1);
}


static ngx_int_t
ngx_ims_lease_claim_offer(ngx_ims_lease_claim_t *claim)
{
    ngx_ims_lease_live_t  *live;

    live = claim->live;

    if (claim->offer == NULL) {
        claim->offer = ngx_calloc(sizeof(ngx_ims_pool_offer_t), live->log);
        if (claim->offer == NULL) {
            return NGX_ERROR;
        }
    }

    if (claim->look) {
        return NGX_OK;
    }

    return ngx_ims_pool_share_offer(live->pool, &claim->want, claim->round,
                                    claim->offer);
}


static ngx_int_t
ngx_ims_lease_claim_send(ngx_ims_lease_claim_t *claim)
{
    u_char                 *buf;
    size_t                  size;
    ngx_int_t               rc;
    ngx_str_t              *args;
    ngx_uint_t              i;
    ngx_ims_pool_t         *pool;
    ngx_ims_lease_args_t    a;
    ngx_ims_lease_live_t   *live;
    ngx_ims_pool_offer_t   *offer;

    live = claim->live;
    pool = live->pool;

    offer = claim->offer;
    size = 256 + (offer->n + 1) * NGX_IMS_MAX_IMPU;

    args = ngx_alloc((offer->n + 12) * sizeof(ngx_str_t) + size, live->log);
    if (args == NULL) {
        return NGX_ERROR;
    }

    buf = (u_char *) &args[offer->n + 12];
    claim->time = claim->want.guest ? pool->guest_lease : pool->lease;

    claim->name.data = claim->name_text;
    claim->name.len = ngx_sprintf(claim->name_text, "%P-%uL", ngx_pid,
                                  ++live->serial)
                      - claim->name_text;

    claim->sent = ngx_time();
    claim->due = ngx_ims_lease_now() + live->ahead
                 + live->share->redis.timeout;

    ngx_ims_lease_args(live, &a, args, offer->n + 12, buf, size);
    ngx_ims_lease_arg_user(&a, claim->user);
    ngx_ims_lease_arg_number(&a, (int64_t) claim->time * 1000);
    ngx_ims_lease_arg_number(&a, (int64_t) pool->quarantine * 1000);
    ngx_ims_lease_arg_number(&a, claim->due);
    ngx_ims_lease_arg(&a, claim->name.data, claim->name.len);

    if (claim->look) {
        ngx_ims_lease_arg(&a, (u_char *) "look", 4);

    } else if (offer->only) {
        ngx_ims_lease_arg(&a, (u_char *) "only", 4);

    } else {
        ngx_ims_lease_arg(&a, (u_char *) "any", 3);
    }

    ngx_ims_lease_arg(&a, claim->instead, claim->ninstead);

    if (offer->len) {
        ngx_ims_lease_arg(&a, offer->text, offer->len);
    }

    for (i = 0; i < offer->n; i++) {
        ngx_ims_lease_arg_identity(&a, pool, offer->entries[i]);
    }

    rc = ngx_ims_lease_eval(live, NGX_IMS_LEASE_CLAIM, &a,
                            ngx_ims_lease_claim_answer, claim);

    ngx_free(args);

    return rc;
}


static void
ngx_ims_lease_claim_answer(void *data, ngx_ims_redis_reply_t *reply)
{
    uint64_t                ms;
    ngx_ims_pool_t         *pool;
    ngx_ims_lease_live_t   *live;
    ngx_ims_lease_claim_t  *claim;

    claim = data;
    live = claim->live;
    pool = live->pool;

    claim->flying = 0;

    if (reply == NULL || ngx_ims_lease_is(reply, 0, "late")) {
        (void) ngx_atomic_fetch_add(&pool->zone.sh->share.failed, 1);

        if (reply == NULL && !claim->look) {
            ngx_ims_lease_owe(live, claim->user, NULL, 0, &claim->name,
                              pool->quarantine);
        }

        ngx_ims_lease_claim_done(claim, NGX_ERROR);
        return;
    }

    if (ngx_ims_lease_is(reply, 0, "ok")) {
        ngx_ims_lease_claim_got(claim, reply);
        return;
    }

    if (ngx_ims_lease_is(reply, 0, "busy")) {
        ngx_ims_lease_claim_taken(claim, reply, 1);

        if (claim->offer->only) {
            ngx_ims_lease_claim_done(claim, NGX_ABORT);
            return;
        }

        if (++claim->round >= NGX_IMS_LEASE_ROUNDS) {
            ngx_ims_lease_claim_done(claim, NGX_BUSY);
            return;
        }

        ngx_ims_lease_claim_ask(claim);
        return;
    }

    if (ngx_ims_lease_is(reply, 0, "hold")) {

        /* other hosts tell of their leases first */

        ms = ngx_ims_lease_number(reply, 1);
        ngx_ims_lease_claim_wait(claim, ngx_min(ms, 60000) + 1);
        return;
    }

    if (ngx_ims_lease_is(reply, 0, "new")) {

        /* it has forgotten everything */

        live->usable = 0;
        ngx_ims_lease_claim_wait(claim, live->share->redis.timeout);
        ngx_ims_lease_hello(live);
        return;
    }

    ngx_ims_lease_claim_done(claim, NGX_DECLINED);
}


static void
ngx_ims_lease_claim_got(ngx_ims_lease_claim_t *claim,
    ngx_ims_redis_reply_t *reply)
{
    time_t            confirmed;
    uint32_t          lease, ended;
    ngx_int_t         rc;
    ngx_str_t         identity, away;
    ngx_uint_t        fresh;
    ngx_ims_pool_t   *pool;

    pool = claim->live->pool;

    identity = ngx_ims_redis_part(reply, 1);
    away = ngx_ims_redis_part(reply, 6);

    ngx_ims_lease_claim_taken(claim, reply, 7);

    if (away.len > NGX_IMS_LEASE_URL) {
        away.len = 0;
    }

    /* as it was when we asked: rather too early than too late */

    confirmed = claim->look
                ? (time_t) (((int64_t) ngx_ims_lease_number(reply, 3)
                             - claim->live->ahead) / 1000)
                : claim->sent + claim->time;

    rc = identity.len > NGX_IMS_MAX_IMPU
         ? NGX_DECLINED
         : ngx_ims_pool_share_adopt(pool, &claim->want, &identity,
                                    ngx_ims_lease_number(reply, 2), confirmed,
                                    &away, &lease, &fresh, &ended);

    if (rc == NGX_DECLINED) {

        /* another host has it, and this one has not */

        if (claim->look || claim->ninstead || identity.len > NGX_IMS_MAX_IMPU
            || ngx_ims_lease_is(reply, 5, "1"))
        {
            ngx_ims_lease_claim_done(claim, claim->look ? NGX_DECLINED
                                                        : NGX_ABORT);
            return;
        }

        ngx_memcpy(claim->instead, identity.data, identity.len);
        claim->ninstead = identity.len;

        ngx_ims_lease_claim_ask(claim);
        return;
    }

    if (ended != NGX_IMS_NONE) {
        (void) ngx_atomic_fetch_add(&pool->zone.sh->share.lost, 1);
        ngx_ims_order_lease(pool, ended, NGX_IMS_ORDER_LOST);
    }

    claim->lease = lease;
    claim->fresh = ngx_ims_lease_is(reply, 4, "1");

    /* those browsers are gone in a moment */

    ngx_ims_lease_claim_done(claim, rc == NGX_OK ? NGX_OK : NGX_ERROR);
}


/* pairs of a number in our offer, and ms until that one may be free */

static void
ngx_ims_lease_claim_taken(ngx_ims_lease_claim_t *claim,
    ngx_ims_redis_reply_t *reply, ngx_uint_t from)
{
    time_t                  until;
    uint64_t                k;
    ngx_uint_t              i, n;
    ngx_ims_lease_live_t   *live;

    live = claim->live;
    n = ngx_ims_redis_parts(reply);

    for (i = from; i + 1 < n; i += 2) {
        k = ngx_ims_lease_number(reply, i);

        if (k >= claim->offer->n) {
            continue;
        }

        until = ngx_time() + ngx_ims_lease_number(reply, i + 1) / 1000 + 1;

        ngx_ims_pool_share_taken(live->pool, claim->offer->entries[k], until);

        if (live->busy_until <= ngx_time() || until < live->busy_until) {
            live->busy_until = until;
        }
    }
}


static void
ngx_ims_lease_claim_done(ngx_ims_lease_claim_t *claim, ngx_int_t rc)
{
    ngx_queue_t  *q;

    if (rc == NGX_ERROR && claim->failed && claim->verdict) {
        rc = claim->verdict;
    }

    if (rc == NGX_BUSY) {
        (void) ngx_atomic_fetch_add(
                     &claim->live->pool->zone.sh->counters.exhausted, 1);
    }

    claim->done = 1;
    claim->rc = rc;

    for (q = ngx_queue_head(&claim->waiters);
         q != ngx_queue_sentinel(&claim->waiters);
         q = ngx_queue_next(q))
    {
        claim->left++;
    }

    claim->waking = 1;
    ngx_ims_waiter_wake(&claim->waiters);
    claim->waking = 0;

    if (claim->left == 0) {
        ngx_ims_lease_claim_free(claim);
        return;
    }

    ngx_ims_lease_claim_wait(claim, NGX_IMS_LEASE_LINGER);
}


static void
ngx_ims_lease_claim_free(ngx_ims_lease_claim_t *claim)
{
    ngx_queue_remove(&claim->queue);
    claim->live->nclaims--;

    ngx_ims_lease_claim_wait(claim, 0);

    if (claim->offer != NULL) {
        ngx_free(claim->offer);
    }

    ngx_free(claim);
}
