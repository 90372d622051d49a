/*
 * Copyright (C) the IMS portal authors
 *
 * The zone's lock, which survives its holder, and what has to be done then:
 * lists, indexes, counts and the free chunks are made anew from the entries
 * (design D6).  The same makes a zone of a file that was left, even torn by a
 * loss of power: an entry that is not sound is freed, nothing is believed to be
 * in bounds.
 *
 * A rebuild may be killed, too: whoever takes the lock next does it again.
 *
 * What is as it should be is not written: a test of the configuration has the
 * pages of a large file in common with it, and a start leaves them clean.
 */


#include "ngx_ims_zone_int.h"


#define NGX_IMS_ZONE_GRACE  30                /* s for who was half lost */

#define ngx_ims_zone_set(word, value)                                         \
    if ((word) != (value)) {                                                  \
        (word) = (value);                                                     \
    }


static void ngx_ims_zone_leases(ngx_ims_zone_t *zone);
static void ngx_ims_zone_lease_texts(ngx_ims_zone_t *zone,
    ngx_ims_lease_sh_t *l);
static void ngx_ims_zone_lists(ngx_ims_zone_t *zone);
static int ngx_ims_zone_older(const void *one, const void *two, void *data);
static void ngx_ims_zone_users(ngx_ims_zone_t *zone);
static void ngx_ims_zone_bindings(ngx_ims_zone_t *zone, time_t now);
static ngx_uint_t ngx_ims_zone_binding_sound(ngx_ims_zone_t *zone,
    uint32_t i);
static void ngx_ims_zone_dialogs(ngx_ims_zone_t *zone);
static void ngx_ims_zone_denied(ngx_ims_zone_t *zone);
static ngx_uint_t ngx_ims_zone_claim(ngx_ims_zone_t *zone,
    ngx_ims_blob_t *blob);
static void ngx_ims_zone_disclaim(ngx_ims_zone_t *zone, uint32_t i,
    size_t len);
static void ngx_ims_zone_chunks(ngx_ims_zone_t *zone);


void
ngx_ims_zone_lock(ngx_ims_zone_t *zone)
{
    if (zone->held) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "zone \"%V\" is locked twice by one process",
                      &zone->name);
    }

    if (ngx_ims_shared_lock(&zone->sh->lock) == NGX_OK) {
        zone->held = 1;
        return;
    }

    zone->held = 1;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "a process died within zone \"%V\", which is put in order",
                  &zone->name);

    ngx_ims_zone_rebuild(zone, ngx_time());
}


void
ngx_ims_zone_rebuild(ngx_ims_zone_t *zone, time_t now)
{
    zone->sh->rebuilt++;

    ngx_memzero(zone->taken, zone->sh->nchunks / 8 + 1);

    ngx_ims_zone_leases(zone);
    ngx_ims_zone_lists(zone);
    ngx_ims_zone_users(zone);
    ngx_ims_zone_bindings(zone, now);
    ngx_ims_zone_dialogs(zone);
    ngx_ims_zone_denied(zone);
    ngx_ims_zone_chunks(zone);
}


static void
ngx_ims_zone_leases(ngx_ims_zone_t *zone)
{
    uint32_t             i;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    sh = zone->sh;

    sh->leases_used = 0;
    sh->leased = 0;
    sh->guests = 0;
    sh->claimed = 0;

    for (i = 0; i < sh->nleases; i++) {
        l = &zone->leases[i];

        if (l->state > NGX_IMS_LEASE_RESTING) {
            l->state = NGX_IMS_LEASE_UNUSED;
        }

        l->bindings = NGX_IMS_NONE;
        l->nbindings = 0;
        l->user_next = NGX_IMS_NONE;
        l->claim_next = NGX_IMS_NONE;

        if (l->state != NGX_IMS_LEASE_UNUSED) {
            ngx_ims_zone_lease_texts(zone, l);
        }

        if (l->state == NGX_IMS_LEASE_UNUSED) {
            ngx_ims_zone_set(l->holder.word, 0);
            ngx_ims_zone_set(l->text.word, 0);
            ngx_ims_zone_set(l->away.word, 0);
            ngx_ims_zone_set(l->expires, 0);
            ngx_ims_zone_set(l->kind, NGX_IMS_LEASE_CONFIGURED);
            ngx_ims_zone_set(l->removed, 0);
            ngx_ims_zone_set(l->reserved, 0);
            continue;
        }

        sh->leases_used++;

        if (l->state == NGX_IMS_LEASE_LEASED) {
            sh->leased++;
            sh->guests += (l->guest != 0);
        }

        sh->claimed += (l->kind == NGX_IMS_LEASE_CLAIMED);
    }
}


static void
ngx_ims_zone_lease_texts(ngx_ims_zone_t *zone, ngx_ims_lease_sh_t *l)
{
    if (l->kind > NGX_IMS_LEASE_CLAIMED) {
        l->kind = NGX_IMS_LEASE_CONFIGURED;
    }

    if (!ngx_ims_zone_claim(zone, &l->text)) {
        l->text.word = 0;
    }

    /* nobody knows which one it is; and one of these is never free */

    if (l->kind == NGX_IMS_LEASE_CLAIMED
        && (l->text.len == 0 || l->state == NGX_IMS_LEASE_FREE))
    {
        ngx_ims_zone_disclaim(zone, l->text.first, l->text.len);
        l->state = NGX_IMS_LEASE_UNUSED;
        return;
    }

    if (!ngx_ims_zone_claim(zone, &l->holder)) {
        l->holder.word = 0;
    }

    if (!ngx_ims_zone_claim(zone, &l->away)) {
        l->away.word = 0;
    }
}


/*
 * Each list is in the order in which its times end.  Most entries of a large
 * pool have none, and need not be sorted.
 */

static void
ngx_ims_zone_lists(ngx_ims_zone_t *zone)
{
    uint32_t            i, n;
    ngx_ims_zone_sh_t  *sh;

    sh = zone->sh;

    sh->free_head = sh->free_tail = NGX_IMS_NONE;
    sh->rest_head = sh->rest_tail = NGX_IMS_NONE;
    sh->leased_head = sh->leased_tail = NGX_IMS_NONE;
    sh->unused_head = sh->unused_tail = NGX_IMS_NONE;
    sh->kept_head = sh->kept_tail = NGX_IMS_NONE;
    sh->coming_head = sh->coming_tail = NGX_IMS_NONE;
    sh->guest_head = sh->guest_tail = NGX_IMS_NONE;

    for (n = 0, i = 0; i < sh->nleases; i++) {

        if (zone->leases[i].expires != 0) {
            zone->order[n++] = i;

        } else {
            ngx_ims_zone_list_add(zone, i);
        }
    }

    qsort_r(zone->order, n, sizeof(uint32_t), ngx_ims_zone_older, zone);

    for (i = 0; i < n; i++) {
        ngx_ims_zone_list_add(zone, zone->order[i]);
    }
}


static int
ngx_ims_zone_older(const void *one, const void *two, void *data)
{
    uint32_t         a, b;
    ngx_ims_zone_t  *zone;

    zone = data;
    a = *(const uint32_t *) one;
    b = *(const uint32_t *) two;

    if (zone->leases[a].expires != zone->leases[b].expires) {
        return zone->leases[a].expires < zone->leases[b].expires ? -1 : 1;
    }

    return a < b ? -1 : a > b;
}


/*
 * Who leases comes first in the chain, so that an entry that was about to get a
 * user does not hide the one that has him.
 */

static void
ngx_ims_zone_users(ngx_ims_zone_t *zone)
{
    uint32_t             i, h, *bucket;
    ngx_uint_t           leased;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    static u_char  nobody[NGX_IMS_DIGEST_LEN];

    sh = zone->sh;

    for (i = 0; i < sh->nbuckets; i++) {
        zone->user_buckets[i] = NGX_IMS_NONE;
        zone->dialog_buckets[i] = NGX_IMS_NONE;
        zone->claim_buckets[i] = NGX_IMS_NONE;
    }

    for (leased = 0; leased < 2; leased++) {

        for (i = 0; i < sh->nleases; i++) {
            l = &zone->leases[i];

            if (l->state == NGX_IMS_LEASE_UNUSED
                || (l->state == NGX_IMS_LEASE_LEASED) != leased)
            {
                continue;
            }

            if (l->kind == NGX_IMS_LEASE_CLAIMED) {
                bucket = &zone->claim_buckets[l->identity
                                              & (sh->nbuckets - 1)];
                l->claim_next = *bucket;
                *bucket = i;
            }

            if (ngx_memcmp(l->user, nobody, NGX_IMS_DIGEST_LEN) == 0) {
                continue;
            }

            ngx_memcpy(&h, l->user, sizeof(h));
            bucket = &zone->user_buckets[h & (sh->nbuckets - 1)];

            l->user_next = *bucket;
            *bucket = i;
        }
    }
}


static void
ngx_ims_zone_bindings(ngx_ims_zone_t *zone, time_t now)
{
    uint32_t               i;
    ngx_ims_zone_sh_t     *sh;
    ngx_ims_lease_sh_t    *l;
    ngx_ims_binding_sh_t  *b;

    sh = zone->sh;

    sh->bindings_used = 0;
    sh->free_binding = NGX_IMS_NONE;
    sh->block = NGX_IMS_NONE;

    /* the lowest index is the head of the free list */

    for (i = sh->nbindings; i-- > 0; /* void */) {
        b = &zone->bindings[i];

        if (!ngx_ims_zone_binding_sound(zone, i)) {
            ngx_ims_zone_set(b->state, NGX_IMS_BINDING_FREE);
            ngx_ims_zone_set(b->next, sh->free_binding);
            sh->free_binding = i;
            continue;
        }

        b->dialogs = NGX_IMS_NONE;
        b->ndialogs = 0;
        b->next = NGX_IMS_NONE;

        sh->bindings_used++;

        if (b->lease == NGX_IMS_LEASE_BLOCK) {
            sh->block = i;
            continue;
        }

        l = &zone->leases[b->lease];
        b->next = l->bindings;
        l->bindings = i;
        l->nbindings++;

        /* it was being made: nobody has it, and nobody would end it */

        if (b->owner.pid == 0 && b->reap == 0) {
            b->lost = now;
            b->reap = now + NGX_IMS_ZONE_GRACE;
        }
    }
}


static ngx_uint_t
ngx_ims_zone_binding_sound(ngx_ims_zone_t *zone, uint32_t i)
{
    ngx_uint_t             k;
    ngx_ims_blob_t        *text[6];
    ngx_ims_binding_sh_t  *b;

    b = &zone->bindings[i];

    if (b->state == NGX_IMS_BINDING_FREE
        || b->state > NGX_IMS_BINDING_LEAVING)
    {
        return 0;
    }

    if (b->lease == NGX_IMS_LEASE_BLOCK) {

        if (zone->sh->block != NGX_IMS_NONE) {
            return 0;
        }

    } else if (b->lease >= zone->sh->nleases
               || zone->leases[b->lease].state != NGX_IMS_LEASE_LEASED)
    {
        return 0;
    }

    text[0] = &b->contact;
    text[1] = &b->service_route;
    text[2] = &b->associated;
    text[3] = &b->features;
    text[4] = &b->granted;
    text[5] = &b->identity;

    for (k = 0; k < 6; k++) {

        /* without it the next REGISTER asks the core again */

        if (!ngx_ims_zone_claim(zone, text[k])) {
            text[k]->word = 0;

            if (b->state == NGX_IMS_BINDING_REGISTERED) {
                b->state = NGX_IMS_BINDING_IDLE;
            }
        }
    }

    return 1;
}


static void
ngx_ims_zone_dialogs(ngx_ims_zone_t *zone)
{
    uint32_t               i, *bucket;
    ngx_uint_t             k, sound;
    ngx_ims_blob_t        *text[8];
    ngx_ims_zone_sh_t     *sh;
    ngx_ims_dialog_sh_t   *d;
    ngx_ims_binding_sh_t  *b;

    sh = zone->sh;

    sh->dialogs_used = 0;
    sh->free_dialog = NGX_IMS_NONE;

    for (i = sh->ndialogs; i-- > 0; /* void */) {
        d = &zone->dialogs[i];

        sound = d->state != NGX_IMS_DIALOG_FREE
                && d->state <= NGX_IMS_DIALOG_CONFIRMED
                && d->binding < sh->nbindings
                && zone->bindings[d->binding].state != NGX_IMS_BINDING_FREE;

        text[0] = &d->call_id;
        text[1] = &d->web_id;
        text[2] = &d->core_id;
        text[3] = &d->far_id;
        text[4] = &d->shown_id;
        text[5] = &d->routes;
        text[6] = &d->web_target;
        text[7] = &d->far_target;

        for (k = 0; sound && k < 8; k++) {

            if (ngx_ims_zone_claim(zone, text[k])) {
                continue;
            }

            for (sound = 0; k > 0; k--) {
                ngx_ims_zone_disclaim(zone, text[k - 1]->first,
                                      text[k - 1]->len);
            }

            break;
        }

        if (!sound) {
            ngx_ims_zone_set(d->state, NGX_IMS_DIALOG_FREE);
            ngx_ims_zone_set(d->next, sh->free_dialog);
            sh->free_dialog = i;
            continue;
        }

        sh->dialogs_used++;

        bucket = &zone->dialog_buckets[d->web_hash & (sh->nbuckets - 1)];
        d->next = *bucket;
        *bucket = i;

        b = &zone->bindings[d->binding];
        d->sibling = b->dialogs;
        b->dialogs = i;
        b->ndialogs++;
    }
}


/* who blocks a user keeps his name; without it he is blocked, too */

static void
ngx_ims_zone_denied(ngx_ims_zone_t *zone)
{
    uint32_t            i;
    ngx_ims_deny_sh_t  *d;

    for (i = 0; i < zone->sh->ndeny; i++) {
        d = &zone->deny[i];

        if (d->kind == 0 || !ngx_ims_zone_claim(zone, &d->text)) {
            ngx_ims_zone_set(d->text.word, 0);
        }
    }
}


/* the chunks of a text are its own; 0: they cannot be */

static ngx_uint_t
ngx_ims_zone_claim(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob)
{
    size_t    left;
    uint32_t  i;

    if (blob->len > NGX_IMS_MAX_BLOB) {
        return 0;
    }

    i = blob->first;

    for (left = blob->len; left > 0; left -= ngx_min(left, NGX_IMS_CHUNK)) {

        if (i >= zone->sh->nchunks || (zone->taken[i / 8] & (1 << i % 8))) {
            ngx_ims_zone_disclaim(zone, blob->first, blob->len - left);
            return 0;
        }

        zone->taken[i / 8] |= 1 << i % 8;
        i = zone->chunks[i].next;
    }

    return 1;
}


static void
ngx_ims_zone_disclaim(ngx_ims_zone_t *zone, uint32_t i, size_t len)
{
    for (/* void */; len > 0; len -= ngx_min(len, NGX_IMS_CHUNK)) {
        zone->taken[i / 8] &= ~(1 << i % 8);
        i = zone->chunks[i].next;
    }
}


static void
ngx_ims_zone_chunks(ngx_ims_zone_t *zone)
{
    uint32_t            i;
    ngx_ims_zone_sh_t  *sh;

    sh = zone->sh;

    sh->free_chunk = NGX_IMS_NONE;
    sh->chunks_used = 0;

    for (i = sh->nchunks; i-- > 0; /* void */) {

        if (zone->taken[i / 8] & (1 << i % 8)) {
            sh->chunks_used++;
            continue;
        }

        ngx_ims_zone_set(zone->chunks[i].next, sh->free_chunk);
        sh->free_chunk = i;
    }
}
