/*
 * Copyright (C) the IMS portal authors
 *
 * How a zone begins: new, taken over from a running master, or from a file that
 * the last process left, whose size or layout may differ from ours.
 */


#include "ngx_ims_zone_int.h"

#include <openssl/rand.h>


/* revoked tokens: at least so many, and one more for so many identities */

#define NGX_IMS_ZONE_DENY  32

/* bytes besides the entries, of an identity, and of a user who is there */

#define NGX_IMS_ZONE_BASE                                                     \
    (ngx_align(sizeof(ngx_ims_zone_sh_t), 64) + 64                            \
     + NGX_IMS_ZONE_DENY * sizeof(ngx_ims_deny_sh_t))

#define NGX_IMS_ZONE_LEASE                                                    \
    (sizeof(ngx_ims_lease_sh_t) + 4 * sizeof(uint32_t)                        \
     + sizeof(ngx_ims_deny_sh_t) / NGX_IMS_ZONE_DENY + 1)

#define NGX_IMS_ZONE_USER                                                     \
    (2 * sizeof(ngx_ims_binding_sh_t) + 2 * sizeof(ngx_ims_dialog_sh_t)       \
     + 18 * sizeof(ngx_ims_chunk_sh_t) + 18 / 8 + 1)

/* identities that the configuration has not, yet, for so many that it has */

#define NGX_IMS_ZONE_SPARE  64

#define ngx_ims_zone_spare(leases)                                            \
    ((leases) + (leases) / NGX_IMS_ZONE_SPARE + NGX_IMS_ZONE_SPARE)

/* users that there is room for at least, of a large pool */

#define NGX_IMS_ZONE_USERS  64


static ngx_int_t ngx_ims_zone_capacity(ngx_ims_zone_t *zone, size_t size,
    ngx_uint_t leases, ngx_ims_zone_sh_t *want, ngx_log_t *log);
static ngx_int_t ngx_ims_zone_layout(ngx_ims_zone_t *zone, u_char *addr,
    ngx_ims_zone_sh_t *want, ngx_log_t *log);
static ngx_int_t ngx_ims_zone_check(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_log_t *log);
static ngx_int_t ngx_ims_zone_live(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_ims_zone_sh_t *want, size_t size,
    ngx_log_t *log);
static ngx_int_t ngx_ims_zone_left(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_ims_zone_sh_t *want, ngx_log_t *log);
static ngx_int_t ngx_ims_zone_convert(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_ims_zone_sh_t *want, ngx_log_t *log);
static void ngx_ims_zone_widen(ngx_ims_zone_t *zone, ngx_ims_zone_sh_t *want,
    ngx_log_t *log);
static void ngx_ims_zone_copy(u_char *to, size_t to_size, u_char *from,
    size_t from_size, ngx_uint_t n);


static u_char  ngx_ims_zone_magic[8] = "imsport1";

static ngx_ims_zone_layout_t  ngx_ims_zone_ours = {
    sizeof(ngx_ims_zone_sh_t),
    sizeof(ngx_ims_lease_sh_t),
    sizeof(ngx_ims_binding_sh_t),
    sizeof(ngx_ims_dialog_sh_t),
    sizeof(ngx_ims_chunk_sh_t),
    sizeof(ngx_ims_deny_sh_t)
};


ngx_int_t
ngx_ims_zone_open(ngx_ims_zone_t *zone, ngx_str_t *name, ngx_str_t *store,
    size_t size, ngx_uint_t leases, ngx_log_t *log)
{
    ngx_int_t          rc;
    ngx_ims_shared_t   shared;
    ngx_ims_zone_sh_t  want;

    zone->name = *name;

    ngx_memzero(&shared, sizeof(ngx_ims_shared_t));

    if (ngx_ims_zone_capacity(zone, size, leases, &want, log) != NGX_OK
        || ngx_ims_shared_open(name, store, size, &shared, log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    zone->fresh = shared.fresh;
    zone->opened = shared.opened;

    /* a head of zeros: whoever made the file did not get far */

    if (shared.fresh
        && (shared.created
            || (shared.size == size
                && ((ngx_ims_zone_sh_t *) shared.addr)->magic[0] == '\0')))
    {
        /* a test needs no room for browsers, but the truth about it */

        if (shared.test && shared.created) {
            want.nbindings = want.ndialogs = want.nchunks = 8;
        }

        ngx_memzero(shared.addr, sizeof(ngx_ims_zone_sh_t));
        rc = ngx_ims_zone_layout(zone, shared.addr, &want, log);

    } else {
        rc = ngx_ims_zone_check(zone, store, &shared, log);

        if (rc == NGX_OK) {
            rc = shared.fresh
                 ? ngx_ims_zone_left(zone, store, &shared, &want, log)
                 : ngx_ims_zone_live(zone, store, &shared, &want, size, log);
        }
    }

    if (rc == NGX_OK && leases > zone->sh->nleases) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"ims_portal_pool\" zone \"%V\" holds %uD identities, "
                      "the configuration has %ui; a larger zone needs "
                      "a restart", name, zone->sh->nleases, leases);
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {

        /* the next configuration may have another file, or begin anew */

        if (zone->opened) {
            ngx_ims_shared_drop(name);
        }

        return NGX_ERROR;
    }

    if (shared.opened) {
        ngx_memcpy(zone->sh->nginx, shared.self, sizeof(shared.self));
    }

    if (shared.fresh) {
        ngx_ims_shared_ready(name);
    }

    return NGX_OK;
}


/*
 * Capacities follow from the size of the zone: every identity can be leased.  A
 * user who is there has two bindings, two dialogs and 18 chunks for their
 * texts, of which a registration takes about six and a call eight.  In a zone
 * that has not so much for each identity, what they leave is for as many users
 * as fit.
 */

static ngx_int_t
ngx_ims_zone_capacity(ngx_ims_zone_t *zone, size_t size, ngx_uint_t leases,
    ngx_ims_zone_sh_t *want, ngx_log_t *log)
{
    size_t      need;
    ngx_uint_t  n, users;

    ngx_memzero(want, sizeof(ngx_ims_zone_sh_t));

    users = (size - NGX_IMS_ZONE_BASE)
            / (NGX_IMS_ZONE_LEASE + NGX_IMS_ZONE_USER);
    n = users;

    if (n < leases || n < 8) {
        n = ngx_max(ngx_ims_zone_spare(leases), 8);
        need = NGX_IMS_ZONE_BASE + n * NGX_IMS_ZONE_LEASE;

        if (size < need + NGX_IMS_ZONE_USERS * NGX_IMS_ZONE_USER) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "\"ims_portal_pool\" zone \"%V\" is too small: "
                          "%ui identities need %uzk, and %uzk more for each "
                          "thousand of users who are there at once",
                          &zone->name, leases,
                          (need + NGX_IMS_ZONE_USERS * NGX_IMS_ZONE_USER)
                          / 1024 + 1,
                          1000 * NGX_IMS_ZONE_USER / 1024);
            return NGX_ERROR;
        }

        users = (size - need) / NGX_IMS_ZONE_USER;

        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "\"ims_portal_pool\" zone \"%V\" has room for %ui "
                      "identities, and for %ui browsers and calls at once",
                      &zone->name, n, 2 * users);
    }

    want->layout = ngx_ims_zone_ours;
    want->nleases = n;
    want->nbindings = 2 * users;
    want->ndialogs = 2 * users;
    want->nchunks = 18 * users;
    want->ndeny = NGX_IMS_ZONE_DENY + n / NGX_IMS_ZONE_DENY;

    /* at most n of them */

    for (want->nbuckets = 8; want->nbuckets * 2 <= n; want->nbuckets *= 2) {
        /* void */
    }

    return NGX_OK;
}


static size_t
ngx_ims_zone_bytes(ngx_ims_zone_sh_t *want)
{
    return ngx_align(sizeof(ngx_ims_zone_sh_t), 64) + 64
           + (size_t) want->nleases * sizeof(ngx_ims_lease_sh_t)
           + (size_t) want->nbindings * sizeof(ngx_ims_binding_sh_t)
           + (size_t) want->ndialogs * sizeof(ngx_ims_dialog_sh_t)
           + (size_t) want->nchunks * sizeof(ngx_ims_chunk_sh_t)
           + (size_t) want->ndeny * sizeof(ngx_ims_deny_sh_t)
           + ((size_t) want->nleases + 3 * (size_t) want->nbuckets)
             * sizeof(uint32_t)
           + want->nchunks / 8 + 1;
}


/* entries of zeros are free ones; the rest is made of them */

static ngx_int_t
ngx_ims_zone_layout(ngx_ims_zone_t *zone, u_char *addr,
    ngx_ims_zone_sh_t *want, ngx_log_t *log)
{
    ngx_ims_zone_sh_t  *sh;

    sh = (ngx_ims_zone_sh_t *) addr;
    *sh = *want;

    if (zone->name.len >= NGX_IMS_ZONE_NAME) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "the name of \"ims_portal_pool\" zone \"%V\" is too "
                      "long", &zone->name);
        return NGX_ERROR;
    }

    ngx_memcpy(sh->name, zone->name.data, zone->name.len);

    if (RAND_bytes((u_char *) &sh->instance, sizeof(sh->instance)) != 1
        || RAND_bytes(sh->secret, sizeof(sh->secret)) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "no random bytes for \"ims_portal_pool\" zone \"%V\"",
                      &zone->name);
        return NGX_ERROR;
    }

    sh->block = NGX_IMS_NONE;

    ngx_ims_zone_view(zone, addr);
    ngx_ims_zone_rebuild(zone, ngx_time());
    sh->rebuilt = 0;

    ngx_memory_barrier();
    ngx_memcpy(sh->magic, ngx_ims_zone_magic, sizeof(sh->magic));

    return NGX_OK;
}


/* a zone of this name, whose parts are where its head says */

static ngx_int_t
ngx_ims_zone_check(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_log_t *log)
{
    ngx_ims_zone_sh_t      *sh;
    ngx_ims_zone_layout_t  *l;

    sh = (ngx_ims_zone_sh_t *) shared->addr;
    l = &sh->layout;

    if (shared->size < offsetof(ngx_ims_zone_sh_t, lock)
        || ngx_memcmp(sh->magic, ngx_ims_zone_magic, sizeof(sh->magic)) != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"store\" \"%V\" is not a store of \"ims_portal_pool\"",
                      store);
        return NGX_ERROR;
    }

    if (zone->name.len >= NGX_IMS_ZONE_NAME
        || ngx_strnlen(sh->name, NGX_IMS_ZONE_NAME) != zone->name.len
        || ngx_memcmp(sh->name, zone->name.data, zone->name.len) != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"store\" \"%V\" is of zone \"%*s\", not \"%V\"",
                      store, ngx_strnlen(sh->name, NGX_IMS_ZONE_NAME),
                      sh->name, &zone->name);
        return NGX_ERROR;
    }

    /* what a capacity times a size can be fits in 64 bits */

    if (l->head % 8 || l->lease % 8 || l->binding % 8 || l->dialog % 8
        || l->chunk % 4 || l->deny % 8 || l->deny > 4096
        || l->head > 65536 || l->lease > 4096
        || l->binding > 4096 || l->dialog > 4096
        || l->chunk != sizeof(ngx_ims_chunk_sh_t)
        || l->head < offsetof(ngx_ims_zone_sh_t, lock)
        || sh->nbuckets == 0 || (sh->nbuckets & (sh->nbuckets - 1)))
    {
        goto damaged;
    }

    ngx_ims_zone_view(zone, shared->addr);

    /* what is behind the entries is made anew, and may have been less */

    if (zone->size <= shared->size
        || (ngx_memcmp(l, &ngx_ims_zone_ours, sizeof(ngx_ims_zone_layout_t))
            != 0
            && (u_char *) zone->user_buckets
               <= shared->addr + shared->size))
    {
        return NGX_OK;
    }

damaged:

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "\"store\" \"%V\" is damaged; without it the pool begins "
                  "empty", store);

    return NGX_ERROR;
}


/* another master, or what is left of one, runs on it */

static ngx_int_t
ngx_ims_zone_live(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_ims_zone_sh_t *want, size_t size,
    ngx_log_t *log)
{
    if (ngx_memcmp(&zone->sh->layout, &ngx_ims_zone_ours,
                   sizeof(ngx_ims_zone_layout_t))
        != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"ims_portal_pool\" zone \"%V\" is in use by another "
                      "version of the module: it needs a restart",
                      &zone->name);
        return NGX_ERROR;
    }

    /* workers of two configurations that know nothing of each other */

    if (shared->opened && !shared->inherits
        && ngx_memcmp(zone->sh->nginx, shared->self, sizeof(shared->self))
           != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"store\" \"%V\" is in use by another nginx, of "
                      "another configuration file, prefix or host", store);
        return NGX_ERROR;
    }

    if (zone->sh->nleases != want->nleases && shared->size != size) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "the size of \"ims_portal_pool\" zone \"%V\" changes "
                      "at a restart only", &zone->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_zone_left(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_ims_zone_sh_t *want, ngx_log_t *log)
{
    ngx_ims_zone_sh_t  *sh;

    ngx_ims_zone_widen(zone, want, log);

    if ((ngx_memcmp(&zone->sh->layout, &ngx_ims_zone_ours,
                    sizeof(ngx_ims_zone_layout_t))
         != 0
         || ngx_memcmp(&zone->sh->nleases, &want->nleases,
                       offsetof(ngx_ims_zone_sh_t, instance)
                       - offsetof(ngx_ims_zone_sh_t, nleases))
            != 0)
        && ngx_ims_zone_convert(zone, store, shared, want, log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    sh = zone->sh;

    /* workers of before are not to be mistaken for ours */

    if (RAND_bytes((u_char *) &sh->instance, sizeof(sh->instance)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "no random bytes for \"ims_portal_pool\" zone \"%V\"",
                      &zone->name);
        return NGX_ERROR;
    }

    sh->lock = 0;
    sh->mapping = 0;
    ngx_memzero(&sh->counters, sizeof(ngx_ims_counters_sh_t));
    sh->media_ended = 0;
    ngx_memzero((void *) sh->sockets, sizeof(sh->sockets));

    ngx_ims_zone_rebuild(zone, ngx_time());
    sh->rebuilt = 0;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "\"store\" \"%V\" has %uD leases, %uD bindings and %uD "
                  "dialogs", store, sh->leased, sh->bindings_used,
                  sh->dialogs_used);

    return NGX_OK;
}


static ngx_int_t
ngx_ims_zone_convert(ngx_ims_zone_t *zone, ngx_str_t *store,
    ngx_ims_shared_t *shared, ngx_ims_zone_sh_t *want, ngx_log_t *log)
{
    ngx_ims_zone_t          old;
    ngx_ims_shared_t        new;
    ngx_ims_zone_sh_t      *sh;
    ngx_ims_zone_layout_t  *f, *t;

    if (ngx_ims_shared_replace(&zone->name, store, ngx_ims_zone_bytes(want),
                               &new, log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    old = *zone;
    sh = (ngx_ims_zone_sh_t *) new.addr;

    f = &old.sh->layout;
    t = &ngx_ims_zone_ours;

    ngx_memcpy(sh, old.sh, ngx_min(f->head, t->head));

    sh->layout = *t;
    sh->nleases = want->nleases;
    sh->nbindings = want->nbindings;
    sh->ndialogs = want->ndialogs;
    sh->nchunks = want->nchunks;
    sh->ndeny = want->ndeny;
    sh->nbuckets = want->nbuckets;

    ngx_ims_zone_view(zone, new.addr);

    ngx_ims_zone_copy((u_char *) zone->leases, t->lease,
                      (u_char *) old.leases, f->lease,
                      old.sh->nleases);
    ngx_ims_zone_copy((u_char *) zone->bindings, t->binding,
                      (u_char *) old.bindings, f->binding,
                      old.sh->nbindings);
    ngx_ims_zone_copy((u_char *) zone->dialogs, t->dialog,
                      (u_char *) old.dialogs, f->dialog,
                      old.sh->ndialogs);
    ngx_ims_zone_copy((u_char *) zone->chunks, t->chunk,
                      (u_char *) old.chunks, f->chunk,
                      old.sh->nchunks);

    ngx_ims_zone_copy((u_char *) zone->deny, t->deny,
                      (u_char *) old.deny, f->deny, old.sh->ndeny);

    return ngx_ims_shared_replaced(&zone->name, store, shared, &new, log);
}


/* what the file has keeps its place, so that references to it stay good */

static void
ngx_ims_zone_widen(ngx_ims_zone_t *zone, ngx_ims_zone_sh_t *want,
    ngx_log_t *log)
{
    if (zone->sh->nleases > want->nleases) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "\"store\" of \"ims_portal_pool\" zone \"%V\" stays "
                      "larger than the zone's size", &zone->name);
    }

    want->nleases = ngx_max(want->nleases, zone->sh->nleases);
    want->nbindings = ngx_max(want->nbindings, zone->sh->nbindings);
    want->ndialogs = ngx_max(want->ndialogs, zone->sh->ndialogs);
    want->nchunks = ngx_max(want->nchunks, zone->sh->nchunks);
    want->ndeny = ngx_max(want->ndeny, zone->sh->ndeny);
    want->nbuckets = ngx_max(want->nbuckets, zone->sh->nbuckets);
}


static void
ngx_ims_zone_copy(u_char *to, size_t to_size, u_char *from, size_t from_size,
    ngx_uint_t n)
{
    size_t  size;

    for (size = ngx_min(to_size, from_size); n > 0; n--) {
        ngx_memcpy(to, from, size);
        to += to_size;
        from += from_size;
    }
}
