/*
 * Copyright (C) the IMS portal authors
 *
 * Keys that are fetched, and shared by workers.
 *
 * Timers: a poll while somebody waits for what another worker fetches.
 */


#include "ngx_ims_jwks.h"


enum {
    NGX_IMS_JWKS_RETRY = 1000,           /* ms between two that fail */
    NGX_IMS_JWKS_POLL = 20,              /* ms */
    NGX_IMS_JWKS_GAP = 1000,             /* ms between two for unknown kids */
    NGX_IMS_JWKS_DEAD = 1000             /* ms over the time-out */
};


static void ngx_ims_jwks_load(ngx_ims_jwks_t *jwks);
static ngx_uint_t ngx_ims_jwks_usable(ngx_ims_jwks_t *jwks);
static ngx_int_t ngx_ims_jwks_begin(ngx_ims_jwks_t *jwks, ngx_uint_t miss);
static ngx_uint_t ngx_ims_jwks_may_miss(ngx_ims_jwks_t *jwks);
static void ngx_ims_jwks_start(ngx_event_t *ev);
static ngx_int_t ngx_ims_jwks_wait(ngx_ims_jwks_t *jwks,
    ngx_ims_waiter_t *waiter);
static void ngx_ims_jwks_poll(ngx_event_t *ev);
static void ngx_ims_jwks_store(ngx_ims_jwks_t *jwks, ngx_str_t *text);
static void ngx_ims_jwks_failed(ngx_ims_jwks_t *jwks, const char *error);

#define ngx_ims_jwks_age(since)  (ngx_msec_t) (ngx_current_msec - (since))

#define ngx_ims_jwks_mutex(jwks)                                              \
    (&((ngx_slab_pool_t *) (jwks)->zone->shm.addr)->mutex)


size_t
ngx_ims_jwks_size(void)
{
    /* the slab allocator keeps a record of each page */

    return sizeof(ngx_ims_jwks_sh_t) + sizeof(ngx_ims_jwks_sh_t) / 32
           + 32 * ngx_pagesize;
}


/*
 * Each configuration has its own text: it may ask another server.  A new one
 * begins with what the former had, for the case that its own fetch fails.
 */

ngx_int_t
ngx_ims_jwks_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_ims_jwks_t       *jwks;
    ngx_slab_pool_t      *shpool;
    ngx_ims_jwks_sh_t    *sh;
    ngx_ims_jwks_text_t  *text, *former;

    jwks = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data == NULL && !zone->shm.exists) {
        sh = ngx_slab_alloc(shpool, sizeof(ngx_ims_jwks_sh_t));
        if (sh == NULL) {
            return NGX_ERROR;
        }

        /* the texts are not touched, most of them never */

        sh->cycle = 0;
        ngx_memzero(&sh->texts[0], offsetof(ngx_ims_jwks_text_t, text));

        shpool->data = sh;
    }

    sh = shpool->data;

    ngx_shmtx_lock(&shpool->mutex);

    former = &sh->texts[sh->cycle % NGX_IMS_JWKS_CYCLES];
    text = &sh->texts[(sh->cycle + 1) % NGX_IMS_JWKS_CYCLES];

    ngx_memzero(text, offsetof(ngx_ims_jwks_text_t, text));

    if (former->generation) {
        ngx_memcpy(text->text, former->text, former->len);
        text->len = former->len;
        text->fetched = former->fetched;
        text->generation = 1;
    }

    text->due = 1;
    text->cycle = ++sh->cycle;

    ngx_shmtx_unlock(&shpool->mutex);

    jwks->text = text;
    jwks->cycle = text->cycle;

    return NGX_OK;
}


ngx_int_t
ngx_ims_jwks_get(ngx_ims_jwks_t *jwks, ngx_ims_waiter_t *waiter)
{
    ngx_msec_t            age;
    ngx_ims_jwks_text_t  *sh;

    if (jwks->fetch == NULL) {
        return NGX_OK;
    }

    sh = jwks->text;

    /* newer ones have taken its place, browsers had better go to them */

    if (sh->cycle != jwks->cycle) {
        return NGX_DECLINED;
    }

    ngx_ims_jwks_load(jwks);

    age = ngx_ims_jwks_age(sh->fetched);

    if (jwks->keys != NULL && !sh->due && age < jwks->valid) {

        /* ahead of time, so that nobody has to wait */

        if (age >= jwks->valid / 10 * 9) {
            (void) ngx_ims_jwks_begin(jwks, 0);
        }

        return NGX_OK;
    }

    /* nobody waits for a server that is away when the former keys will do */

    if (sh->failing) {
        (void) ngx_ims_jwks_begin(jwks, 0);

        if (ngx_ims_jwks_usable(jwks)) {
            return NGX_OK;
        }

        if (sh->fetcher == 0) {
            return NGX_DECLINED;
        }

        return ngx_ims_jwks_wait(jwks, waiter);
    }

    (void) ngx_ims_jwks_begin(jwks, 0);

    return ngx_ims_jwks_wait(jwks, waiter);
}


/* 1 when the former keys may be used though they are not fresh */

static ngx_uint_t
ngx_ims_jwks_usable(ngx_ims_jwks_t *jwks)
{
    return jwks->keys != NULL
           && ngx_ims_jwks_age(jwks->text->fetched)
              < jwks->valid + jwks->stale;
}


ngx_int_t
ngx_ims_jwks_missed(ngx_ims_jwks_t *jwks, ngx_ims_waiter_t *waiter)
{
    ngx_ims_jwks_text_t  *sh;

    if (jwks->fetch == NULL) {
        return NGX_DECLINED;
    }

    sh = jwks->text;

    /* whoever waits already has the one fetch of this time to wait for */

    if (sh->fetcher != 0) {
        (void) ngx_ims_jwks_begin(jwks, 0);
        return ngx_ims_jwks_wait(jwks, waiter);
    }

    if (sh->failing) {
        (void) ngx_ims_jwks_begin(jwks, 0);
        return NGX_BUSY;
    }

    if (ngx_ims_jwks_begin(jwks, 1) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_ims_jwks_wait(jwks, waiter);
}


/* what another worker fetched */

static void
ngx_ims_jwks_load(ngx_ims_jwks_t *jwks)
{
    char                  err[256];
    ngx_str_t             text;
    ngx_uint_t            generation;
    ngx_ims_jwt_keys_t   *keys;
    ngx_ims_jwks_text_t  *sh;

    sh = jwks->text;

    if (sh->generation == jwks->generation) {
        return;
    }

    text.data = ngx_alloc(NGX_IMS_JWKS_MAX, jwks->log);
    if (text.data == NULL) {
        return;
    }

    ngx_shmtx_lock(ngx_ims_jwks_mutex(jwks));

    text.len = sh->len;
    generation = sh->generation;
    ngx_memcpy(text.data, sh->text, sh->len);

    ngx_shmtx_unlock(ngx_ims_jwks_mutex(jwks));

    keys = ngx_ims_jwt_keys_published(&text, err, sizeof(err));

    ngx_free(text.data);

    if (keys == NULL) {

        /* a worker was killed over it; the next fetch puts it right */

        ngx_log_error(NGX_LOG_ERR, jwks->log, 0,
                      "keys of \"%V\" are lost: %s", &jwks->name, err);
    }

    ngx_ims_jwt_keys_free(jwks->keys);

    jwks->keys = keys;
    jwks->generation = generation;
}


/*
 * Fetches, unless somebody does already.  NGX_OK: it is being fetched, or
 * NGX_DECLINED: it was tried a moment ago.
 */

static ngx_int_t
ngx_ims_jwks_begin(ngx_ims_jwks_t *jwks, ngx_uint_t miss)
{
    ngx_int_t             rc;
    ngx_ims_jwks_text_t  *sh;

    sh = jwks->text;
    rc = NGX_DECLINED;

    ngx_shmtx_lock(ngx_ims_jwks_mutex(jwks));

    if (sh->fetcher != 0
        && ngx_ims_jwks_age(sh->began) < jwks->timeout + NGX_IMS_JWKS_DEAD)
    {
        ngx_shmtx_unlock(ngx_ims_jwks_mutex(jwks));
        return NGX_OK;
    }

    sh->fetcher = 0;

    if (sh->failing && ngx_ims_jwks_age(sh->failed) < NGX_IMS_JWKS_RETRY) {
        goto done;
    }

    if (miss && !ngx_ims_jwks_may_miss(jwks)) {
        goto done;
    }

    sh->fetcher = ngx_pid;
    sh->began = ngx_current_msec;
    rc = NGX_OK;

done:

    ngx_shmtx_unlock(ngx_ims_jwks_mutex(jwks));

    if (rc == NGX_OK) {
        jwks->fresh = miss;
        jwks->start.handler = ngx_ims_jwks_start;
        jwks->start.data = jwks;
        jwks->start.log = jwks->log;

        ngx_post_event(&jwks->start, &ngx_posted_events);
    }

    return rc;
}


/*
 * A bucket of so many fetches, which is full again after jwks->miss: whoever
 * makes up ids does not keep a login's new key out for all that time.  The
 * caller holds the lock.
 */

static ngx_uint_t
ngx_ims_jwks_may_miss(ngx_ims_jwks_t *jwks)
{
    ngx_msec_t            each, age, owed;
    ngx_ims_jwks_text_t  *sh;

    sh = jwks->text;
    each = jwks->miss / NGX_IMS_JWKS_MISSES;

    age = ngx_ims_jwks_age(sh->missed);

    /* what came a moment ago is as new as it gets */

    if (sh->owed && age < ngx_min(NGX_IMS_JWKS_GAP, each)) {
        return 0;
    }

    owed = sh->owed > age ? sh->owed - age : 0;

    if (owed > each * (NGX_IMS_JWKS_MISSES - 1)) {
        return 0;
    }

    sh->owed = owed + each;
    sh->missed = ngx_current_msec;

    return 1;
}


/* not from within a request that asks */

static void
ngx_ims_jwks_start(ngx_event_t *ev)
{
    ngx_ims_jwks_t  *jwks;

    jwks = ev->data;

    if (jwks->fetch(jwks) != NGX_OK) {
        ngx_ims_jwks_fetched(jwks, NULL, "no memory or connection for it");
    }
}


static ngx_int_t
ngx_ims_jwks_wait(ngx_ims_jwks_t *jwks, ngx_ims_waiter_t *waiter)
{
    ngx_int_t  rc;

    if (waiter == NULL) {
        return NGX_AGAIN;
    }

    rc = ngx_ims_waiter_add(&jwks->waiting, waiter);

    if (rc == NGX_AGAIN && !jwks->timer.timer_set) {
        jwks->timer.handler = ngx_ims_jwks_poll;
        jwks->timer.data = jwks;
        jwks->timer.log = jwks->log;

        ngx_add_timer(&jwks->timer, NGX_IMS_JWKS_POLL);
    }

    return rc;
}


/* another worker may have fetched it, or died */

static void
ngx_ims_jwks_poll(ngx_event_t *ev)
{
    ngx_ims_jwks_t       *jwks;
    ngx_ims_jwks_text_t  *sh;

    jwks = ev->data;
    sh = jwks->text;

    if (ngx_queue_empty(&jwks->waiting)) {
        return;
    }

    if (sh->fetcher == 0
        || ngx_ims_jwks_age(sh->began) >= jwks->timeout + NGX_IMS_JWKS_DEAD)
    {
        ngx_ims_waiter_wake(&jwks->waiting);
        return;
    }

    ngx_add_timer(&jwks->timer, NGX_IMS_JWKS_POLL);
}


void
ngx_ims_jwks_fetched(ngx_ims_jwks_t *jwks, ngx_str_t *text, const char *error)
{
    char                 err[256];
    ngx_ims_jwt_keys_t  *keys;

    keys = NULL;

    if (text != NULL) {
        error = err;
        keys = ngx_ims_jwt_keys_published(text, err, sizeof(err));
    }

    if (jwks->text->cycle != jwks->cycle) {
        ngx_ims_jwt_keys_free(keys);

    } else if (keys == NULL) {
        ngx_ims_jwks_failed(jwks, error);

    } else {
        ngx_ims_jwt_keys_free(keys);
        ngx_ims_jwks_store(jwks, text);
        ngx_ims_jwks_load(jwks);
    }

    ngx_ims_waiter_wake(&jwks->waiting);
}


/* the same text again changes nothing for those who remember tokens */

static void
ngx_ims_jwks_store(ngx_ims_jwks_t *jwks, ngx_str_t *text)
{
    ngx_uint_t            told;
    ngx_ims_jwks_text_t  *sh;

    sh = jwks->text;

    ngx_shmtx_lock(ngx_ims_jwks_mutex(jwks));

    if (sh->len != text->len
        || ngx_memcmp(sh->text, text->data, text->len) != 0)
    {
        /* nobody takes the half for the whole if we die here */

        sh->len = 0;
        sh->generation++;
        ngx_memory_barrier();

        ngx_memcpy(sh->text, text->data, text->len);
        sh->len = text->len;
    }

    told = sh->told;

    /* those who waited for it come again, however long it took */

    if (jwks->fresh) {
        sh->missed = ngx_current_msec;
    }

    sh->fetched = ngx_current_msec;
    sh->due = 0;
    sh->failing = 0;
    sh->told = 0;
    sh->fetcher = 0;

    ngx_shmtx_unlock(ngx_ims_jwks_mutex(jwks));

    if (told) {
        ngx_log_error(NGX_LOG_NOTICE, jwks->log, 0,
                      "keys of \"%V\" can be fetched again", &jwks->name);
    }
}


static void
ngx_ims_jwks_failed(ngx_ims_jwks_t *jwks, const char *error)
{
    ngx_uint_t            tell;
    ngx_ims_jwks_text_t  *sh;

    sh = jwks->text;

    ngx_shmtx_lock(ngx_ims_jwks_mutex(jwks));

    sh->failing = 1;
    sh->failed = ngx_current_msec;
    sh->fetcher = 0;

    tell = ngx_ims_jwks_usable(jwks) ? 1 : 2;

    if (sh->told >= tell) {
        tell = 0;

    } else {
        sh->told = tell;
    }

    ngx_shmtx_unlock(ngx_ims_jwks_mutex(jwks));

    if (tell == 1) {
        ngx_log_error(NGX_LOG_WARN, jwks->log, 0,
                      "keys of \"%V\" cannot be fetched: %s, the former ones "
                      "are used for up to %T s", &jwks->name, error,
                      (time_t) (jwks->stale / 1000));

    } else if (tell == 2) {
        ngx_log_error(NGX_LOG_ERR, jwks->log, 0,
                      "keys of \"%V\" cannot be fetched: %s, there are none "
                      "to use", &jwks->name, error);
    }
}
