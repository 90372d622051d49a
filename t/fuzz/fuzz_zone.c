/*
 * Copyright (C) the IMS portal authors
 *
 * A pool's zone that was left half written: bytes of a good one are changed,
 * eight at a time, and it is checked and put in order.  Then every list, chain
 * and text must lead somewhere, and each entry be in one place.
 */

/* FUZZ_CFLAGS: -I../unit/nginx -Wno-unused-parameter */
/* FUZZ_LIBS: -lcrypto */

#define _GNU_SOURCE

#include "../unit/nginx/ngx_standin.c"

/* what the stand-in for nginx lacks */

#ifndef ngx_align
#define ngx_align(d, a)  (((d) + (a - 1)) & ~(a - 1))
#endif

#ifndef ngx_memory_barrier
#define ngx_memory_barrier()  __sync_synchronize()
#endif

#ifndef NGX_LOG_EMERG
#define NGX_LOG_EMERG  1
#endif

#ifndef ngx_str_set
#define ngx_str_set(s, text)                                                  \
    (s)->len = sizeof(text) - 1; (s)->data = (u_char *) text
#endif

#ifndef ngx_strnlen
#define ngx_strnlen(p, n)  strnlen((char *) p, n)
#endif

#define ngx_cycle     fuzz_cycle
#define ngx_pagesize  ((size_t) 4096)

static struct { ngx_log_t  *log; }  *ngx_cycle;

#include "ngx_ims_zone.c"
#include "ngx_ims_zone_rebuild.c"
#include "ngx_ims_zone_open.c"

#include <stdio.h>
#include <stdlib.h>


#define CHECK(what)                                                           \
    do {                                                                      \
        if (!(what)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);        \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* nothing is mapped here, and nobody else is */

ngx_int_t
ngx_ims_shared_open(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_ims_shared_replace(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_ims_shared_replaced(ngx_str_t *name, ngx_str_t *path,
    ngx_ims_shared_t *former, ngx_ims_shared_t *shared, ngx_log_t *log)
{
    return NGX_ERROR;
}


void
ngx_ims_shared_drop(ngx_str_t *name)
{
    (void) name;
}


void
ngx_ims_shared_ready(ngx_str_t *name)
{
    /* void */
}


ngx_int_t
ngx_ims_shared_lock(ngx_atomic_t *lock)
{
    return NGX_OK;
}


static size_t   size;
static u_char  *good;
static u_char  *bad;


static void
put(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob, size_t len)
{
    u_char     text[512];
    ngx_str_t  s;

    memset(text, 'x', sizeof(text));
    s.data = text;
    s.len = len;

    CHECK(ngx_ims_zone_put(zone, blob, &s) == NGX_OK);
}


/* some users, a few of them with browsers and calls */

static void
fill(ngx_ims_zone_t *zone)
{
    uint32_t               i, b, d;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_dialog_sh_t   *dialog;
    ngx_ims_binding_sh_t  *binding;

    for (i = 0; i < zone->sh->nleases; i++) {
        l = &zone->leases[i];
        l->identity = i + 1;
        memset(l->user, i + 1, NGX_IMS_DIGEST_LEN);
        l->expires = 1000 + i;
        l->guest = i % 4 == 1;
        l->removed = i % 5 == 0;
        l->reserved = i % 6 == 0;
        put(zone, &l->holder, 20 + i);

        if (i % 6 == 1) {
            l->kind = NGX_IMS_LEASE_CLAIMED;
            put(zone, &l->text, 130);
        }

        l->state = 1 + i % 3;
    }

    ngx_ims_zone_rebuild(zone, 1000);

    for (i = 0; i < zone->sh->nleases; i++) {

        if (zone->leases[i].state != NGX_IMS_LEASE_LEASED) {
            continue;
        }

        b = ngx_ims_zone_take_binding(zone);
        CHECK(b != NGX_IMS_NONE);
        binding = &zone->bindings[b];
        binding->lease = i;
        binding->owner.pid = 42;
        put(zone, &binding->contact, 40 + i);
        put(zone, &binding->service_route, 130 + i);
        binding->state = NGX_IMS_BINDING_REGISTERED;

        d = ngx_ims_zone_take_dialog(zone);
        CHECK(d != NGX_IMS_NONE);
        dialog = &zone->dialogs[d];
        dialog->binding = b;
        put(zone, &dialog->call_id, 30);
        put(zone, &dialog->routes, 300);
        dialog->state = NGX_IMS_DIALOG_CONFIRMED;
    }

    ngx_ims_zone_rebuild(zone, 1000);
}


static void
init(void)
{
    ngx_log_t          log;
    ngx_ims_zone_t     zone;
    ngx_ims_zone_sh_t  want;

    memset(&log, 0, sizeof(log));
    memset(&zone, 0, sizeof(zone));

    ngx_str_set(&zone.name, "acme");
    size = 64 * 1024;

    CHECK(ngx_ims_zone_capacity(&zone, size, 8, &want, &log) == NGX_OK);

    good = calloc(1, size);
    bad = malloc(size);
    CHECK(good != NULL && bad != NULL);

    CHECK(ngx_ims_zone_layout(&zone, good, &want, &log) == NGX_OK);
    CHECK(zone.size <= size);

    fill(&zone);
}


static void
text(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob, uint32_t *chunks)
{
    size_t    left;
    uint32_t  i;

    i = blob->first;

    for (left = blob->len; left > 0; left -= ngx_min(left, NGX_IMS_CHUNK)) {
        CHECK(i < zone->sh->nchunks);
        (*chunks)++;
        i = zone->chunks[i].next;
    }
}


/* how long a list of leases is, and that it is one of this state */

static uint32_t
list(ngx_ims_zone_t *zone, uint32_t head, uint32_t tail, uint32_t state)
{
    uint32_t  i, n, last;

    n = 0;
    last = NGX_IMS_NONE;

    for (i = head; i != NGX_IMS_NONE; i = zone->leases[i].next) {
        CHECK(i < zone->sh->nleases && n++ < zone->sh->nleases);
        CHECK(zone->leases[i].state == state);
        CHECK(zone->leases[i].prev == last);
        last = i;
    }

    CHECK(tail == last);

    return n;
}


static void
check_dialogs(ngx_ims_zone_t *zone, uint32_t *chunks)
{
    uint32_t              i, n, used, k;
    ngx_ims_zone_sh_t    *sh;
    ngx_ims_dialog_sh_t  *d;

    sh = zone->sh;
    used = 0;

    for (i = 0; i < sh->ndialogs; i++) {
        d = &zone->dialogs[i];

        if (d->state == NGX_IMS_DIALOG_FREE) {
            continue;
        }

        used++;
        CHECK(d->state <= NGX_IMS_DIALOG_CONFIRMED);
        CHECK(d->binding < sh->nbindings);
        CHECK(zone->bindings[d->binding].state != NGX_IMS_BINDING_FREE);

        text(zone, &d->call_id, chunks);
        text(zone, &d->web_id, chunks);
        text(zone, &d->core_id, chunks);
        text(zone, &d->far_id, chunks);
        text(zone, &d->shown_id, chunks);
        text(zone, &d->routes, chunks);
        text(zone, &d->web_target, chunks);
        text(zone, &d->far_target, chunks);
    }

    CHECK(used == sh->dialogs_used);

    for (n = 0, k = 0; k < sh->nbuckets; k++) {
        for (i = zone->dialog_buckets[k]; i != NGX_IMS_NONE;
             i = zone->dialogs[i].next)
        {
            CHECK(i < sh->ndialogs && n++ < used);
        }
    }

    CHECK(n == used);

    for (n = 0, i = sh->free_dialog; i != NGX_IMS_NONE;
         i = zone->dialogs[i].next)
    {
        CHECK(i < sh->ndialogs && n++ < sh->ndialogs);
        CHECK(zone->dialogs[i].state == NGX_IMS_DIALOG_FREE);
    }

    CHECK(n + used == sh->ndialogs);
}


static void
check_bindings(ngx_ims_zone_t *zone, uint32_t *chunks)
{
    uint32_t               i, k, n, used, dialogs;
    ngx_ims_zone_sh_t     *sh;
    ngx_ims_binding_sh_t  *b;

    sh = zone->sh;
    used = 0;
    dialogs = 0;

    for (i = 0; i < sh->nbindings; i++) {
        b = &zone->bindings[i];

        if (b->state == NGX_IMS_BINDING_FREE) {
            continue;
        }

        used++;
        CHECK(b->owner.pid != 0 || b->reap != 0
              || b->lease == NGX_IMS_LEASE_BLOCK);

        text(zone, &b->contact, chunks);
        text(zone, &b->service_route, chunks);
        text(zone, &b->associated, chunks);
        text(zone, &b->features, chunks);
        text(zone, &b->granted, chunks);
        text(zone, &b->identity, chunks);

        for (n = 0, k = b->dialogs; k != NGX_IMS_NONE;
             k = zone->dialogs[k].sibling)
        {
            CHECK(k < sh->ndialogs && n++ < b->ndialogs);
            CHECK(zone->dialogs[k].binding == i);
        }

        CHECK(n == b->ndialogs);
        dialogs += n;
    }

    CHECK(used == sh->bindings_used);
    CHECK(dialogs == sh->dialogs_used);

    for (n = 0, i = sh->free_binding; i != NGX_IMS_NONE;
         i = zone->bindings[i].next)
    {
        CHECK(i < sh->nbindings && n++ < sh->nbindings);
        CHECK(zone->bindings[i].state == NGX_IMS_BINDING_FREE);
    }

    CHECK(n + used == sh->nbindings);
}


/* what tokens named, each in its chain */

static void
check_claimed(ngx_ims_zone_t *zone)
{
    uint32_t             i, k, n;
    ngx_ims_lease_sh_t  *l;

    for (n = 0, k = 0; k < zone->sh->nbuckets; k++) {
        for (i = zone->claim_buckets[k]; i != NGX_IMS_NONE;
             i = zone->leases[i].claim_next)
        {
            CHECK(i < zone->sh->nleases && n++ < zone->sh->claimed);

            l = &zone->leases[i];

            CHECK(l->kind == NGX_IMS_LEASE_CLAIMED && l->text.len != 0);
            CHECK((l->identity & (zone->sh->nbuckets - 1)) == k);
        }
    }

    CHECK(n == zone->sh->claimed);
}


static void
check_leases(ngx_ims_zone_t *zone, uint32_t *chunks)
{
    uint32_t             i, k, n, bindings;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    sh = zone->sh;

    n = list(zone, sh->free_head, sh->free_tail, NGX_IMS_LEASE_FREE);
    n += list(zone, sh->kept_head, sh->kept_tail, NGX_IMS_LEASE_FREE);
    n += list(zone, sh->coming_head, sh->coming_tail, NGX_IMS_LEASE_FREE);
    n += list(zone, sh->rest_head, sh->rest_tail, NGX_IMS_LEASE_RESTING);
    k = list(zone, sh->leased_head, sh->leased_tail, NGX_IMS_LEASE_LEASED);
    i = list(zone, sh->guest_head, sh->guest_tail, NGX_IMS_LEASE_LEASED);

    CHECK(i == sh->guests);
    CHECK(k + i == sh->leased);
    CHECK(n + k + i == sh->leases_used);

    n = list(zone, sh->unused_head, sh->unused_tail, NGX_IMS_LEASE_UNUSED);

    CHECK(n + sh->leases_used == sh->nleases);

    check_claimed(zone);

    bindings = sh->block != NGX_IMS_NONE;

    for (i = 0; i < sh->nleases; i++) {
        l = &zone->leases[i];

        for (n = 0, k = l->bindings; k != NGX_IMS_NONE;
             k = zone->bindings[k].next)
        {
            CHECK(k < sh->nbindings && n++ < l->nbindings);
            CHECK(zone->bindings[k].lease == i);
        }

        CHECK(n == l->nbindings);
        bindings += n;

        text(zone, &l->holder, chunks);
        text(zone, &l->text, chunks);
        text(zone, &l->away, chunks);
    }

    CHECK(bindings == sh->bindings_used);

    for (n = 0, k = 0; k < sh->nbuckets; k++) {
        for (i = zone->user_buckets[k]; i != NGX_IMS_NONE;
             i = zone->leases[i].user_next)
        {
            CHECK(i < sh->nleases && n++ < sh->nleases);
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint32_t           at, chunks, n, i;
    uint64_t           word;
    ngx_log_t          log;
    ngx_str_t          store;
    ngx_ims_zone_t     zone;
    ngx_ims_shared_t   shared;

    if (good == NULL) {
        init();
    }

    memset(&log, 0, sizeof(log));
    memcpy(bad, good, size);

    for (/* void */; len >= 11; data += 11, len -= 11) {
        memcpy(&at, data, 3);
        at = (data[0] | data[1] << 8 | (data[2] & 1) << 16) * 4 % (size - 8);
        memcpy(&word, data + 3, 8);
        memcpy(bad + at, &word, (data[2] & 2) ? 8 : 4);
    }

    memset(&zone, 0, sizeof(zone));
    memset(&shared, 0, sizeof(shared));
    ngx_str_set(&zone.name, "acme");
    ngx_str_set(&store, "acme.store");
    shared.addr = bad;
    shared.size = size;

    if (ngx_ims_zone_check(&zone, &store, &shared, &log) != NGX_OK
        || ngx_memcmp(&zone.sh->layout, &ngx_ims_zone_ours,
                      sizeof(ngx_ims_zone_layout_t))
           != 0)
    {
        return 0;
    }

    ngx_ims_zone_rebuild(&zone, 2000);

    chunks = 0;
    check_leases(&zone, &chunks);
    check_bindings(&zone, &chunks);
    check_dialogs(&zone, &chunks);

    for (i = 0; i < zone.sh->ndeny; i++) {
        text(&zone, &zone.deny[i].text, &chunks);
    }

    CHECK(chunks == zone.sh->chunks_used);

    for (n = 0, i = zone.sh->free_chunk; i != NGX_IMS_NONE;
         i = zone.chunks[i].next)
    {
        CHECK(i < zone.sh->nchunks && n++ < zone.sh->nchunks);
    }

    CHECK(n + chunks == zone.sh->nchunks);

    return 0;
}
