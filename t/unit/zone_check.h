/*
 * Copyright (C) the IMS portal authors
 *
 * Is all of a pool's zone in order?  Every list and chain well-formed, every
 * entry where it belongs and nowhere else, every count right, every chunk used
 * once or free, every identity of one user and every user of one identity.
 */


#ifndef _ZONE_CHECK_H_INCLUDED_
#define _ZONE_CHECK_H_INCLUDED_


#include "ngx_ims_pool.h"


#define ZONE_CHECK_MAX  8192


static char  zone_check_said[256];

#define zone_bad(...)                                                         \
    (snprintf(zone_check_said, sizeof(zone_check_said), __VA_ARGS__),         \
     zone_check_said)


/* a list of leases by state; marks its entries */

static const char *
zone_check_list(ngx_ims_zone_t *zone, uint32_t head, uint32_t tail,
    uint32_t state, u_char *seen)
{
    uint32_t  i, prev;

    prev = NGX_IMS_NONE;

    for (i = head; i != NGX_IMS_NONE; i = zone->leases[i].next) {

        if (i >= zone->sh->nleases || seen[i]++) {
            return zone_bad("list %u of leases: %u again", state, i);
        }

        if (zone->leases[i].state != state || zone->leases[i].prev != prev) {
            return zone_bad("list %u of leases: %u is not of it", state, i);
        }

        prev = i;
    }

    return tail == prev ? NULL : zone_bad("list %u: tail", state);
}


static const char *
zone_check_leases(ngx_ims_zone_t *zone)
{
    uint32_t             i, k, used, leased, guests;
    const char          *bad;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_lease_sh_t  *l;

    static u_char  seen[ZONE_CHECK_MAX], nobody[NGX_IMS_DIGEST_LEN];

    sh = zone->sh;
    used = leased = guests = 0;
    memset(seen, 0, sizeof(seen));

    if ((bad = zone_check_list(zone, sh->free_head, sh->free_tail,
                               NGX_IMS_LEASE_FREE, seen))
        || (bad = zone_check_list(zone, sh->kept_head, sh->kept_tail,
                                  NGX_IMS_LEASE_FREE, seen))
        || (bad = zone_check_list(zone, sh->coming_head, sh->coming_tail,
                                  NGX_IMS_LEASE_FREE, seen))
        || (bad = zone_check_list(zone, sh->unused_head, sh->unused_tail,
                                  NGX_IMS_LEASE_UNUSED, seen))
        || (bad = zone_check_list(zone, sh->guest_head, sh->guest_tail,
                                  NGX_IMS_LEASE_LEASED, seen))
        || (bad = zone_check_list(zone, sh->leased_head, sh->leased_tail,
                                  NGX_IMS_LEASE_LEASED, seen))
        || (bad = zone_check_list(zone, sh->rest_head, sh->rest_tail,
                                  NGX_IMS_LEASE_RESTING, seen)))
    {
        return bad;
    }

    for (i = 0; i < sh->nleases; i++) {
        l = &zone->leases[i];

        used += (l->state != NGX_IMS_LEASE_UNUSED);
        leased += (l->state == NGX_IMS_LEASE_LEASED);
        guests += (l->state == NGX_IMS_LEASE_LEASED && l->guest);

        if (!seen[i]) {
            return zone_bad("lease %u is lost, state %u", i, l->state);
        }

        for (k = 0; k < i; k++) {

            if (l->state == NGX_IMS_LEASE_UNUSED
                || zone->leases[k].state == NGX_IMS_LEASE_UNUSED)
            {
                continue;
            }

            if (zone->leases[k].identity == l->identity) {
                return zone_bad("an identity is %u and %u", k, i);
            }

            if (l->state == NGX_IMS_LEASE_LEASED
                && memcmp(l->user, nobody, NGX_IMS_DIGEST_LEN) != 0
                && zone->leases[k].state == NGX_IMS_LEASE_LEASED
                && memcmp(zone->leases[k].user, l->user, NGX_IMS_DIGEST_LEN)
                   == 0)
            {
                return zone_bad("a user has %u and %u", k, i);
            }
        }
    }

    if (used != sh->leases_used || leased != sh->leased
        || guests != sh->guests)
    {
        return zone_bad("%u leases, %u leased, %u guests: %u, %u, %u", used,
                        leased, guests, sh->leases_used, sh->leased,
                        sh->guests);
    }

    return NULL;
}


/* each that a token named is found by its text, which no other one has */

static const char *
zone_check_claimed(ngx_ims_zone_t *zone)
{
    uint32_t             i, k, n, claimed;
    ngx_ims_lease_sh_t  *l;

    static u_char  seen[ZONE_CHECK_MAX], text[2][NGX_IMS_MAX_BLOB];

    memset(seen, 0, sizeof(seen));
    claimed = 0;

    for (n = 0; n < zone->sh->nbuckets; n++) {
        for (i = zone->claim_buckets[n]; i != NGX_IMS_NONE; i = l->claim_next)
        {
            if (i >= zone->sh->nleases || seen[i]++) {
                return zone_bad("claim chain %u: %u again", n, i);
            }

            l = &zone->leases[i];

            if (l->kind != NGX_IMS_LEASE_CLAIMED
                || (l->identity & (zone->sh->nbuckets - 1)) != n)
            {
                return zone_bad("claim chain %u: %u is not of it", n, i);
            }
        }
    }

    for (i = 0; i < zone->sh->nleases; i++) {
        l = &zone->leases[i];

        if (l->state == NGX_IMS_LEASE_UNUSED
            || l->kind != NGX_IMS_LEASE_CLAIMED)
        {
            if (seen[i] || l->text.len) {
                return zone_bad("lease %u is not claimed", i);
            }

            continue;
        }

        claimed++;

        if (!seen[i] || l->text.len == 0 || l->state == NGX_IMS_LEASE_FREE) {
            return zone_bad("claimed %u, state %u", i, l->state);
        }

        (void) ngx_ims_zone_get(zone, &l->text, text[0]);

        for (k = 0; k < i; k++) {

            if (zone->leases[k].state == NGX_IMS_LEASE_UNUSED
                || zone->leases[k].text.len != l->text.len)
            {
                continue;
            }

            (void) ngx_ims_zone_get(zone, &zone->leases[k].text, text[1]);

            if (memcmp(text[0], text[1], l->text.len) == 0) {
                return zone_bad("an identity is claimed by %u and %u", k, i);
            }
        }
    }

    return claimed == zone->sh->claimed
           ? NULL : zone_bad("claimed: %u not %u", claimed,
                             zone->sh->claimed);
}


/* who has a lease is found by it first */

static const char *
zone_check_users(ngx_ims_zone_t *zone)
{
    uint32_t             i, h, n, first;
    ngx_ims_lease_sh_t  *l;

    static u_char  seen[ZONE_CHECK_MAX], nobody[NGX_IMS_DIGEST_LEN];

    memset(seen, 0, sizeof(seen));

    for (n = 0; n < zone->sh->nbuckets; n++) {
        for (i = zone->user_buckets[n];
             i != NGX_IMS_NONE;
             i = zone->leases[i].user_next)
        {
            if (i >= zone->sh->nleases || seen[i]++) {
                return zone_bad("user chain %u: %u again", n, i);
            }

            memcpy(&h, zone->leases[i].user, sizeof(h));

            if ((h & (zone->sh->nbuckets - 1)) != n) {
                return zone_bad("user chain %u: %u is not of it", n, i);
            }
        }
    }

    for (i = 0; i < zone->sh->nleases; i++) {
        l = &zone->leases[i];

        if (l->state == NGX_IMS_LEASE_UNUSED) {
            continue;
        }

        if (memcmp(l->user, nobody, NGX_IMS_DIGEST_LEN) == 0) {

            /*
             * one that is not configured any more, or whose user was moved,
             * waits for its end alone
             */

            if ((l->state == NGX_IMS_LEASE_LEASED && l->nbindings
                 && l->release == NGX_IMS_RELEASE_NONE)
                || seen[i])
            {
                return zone_bad("lease %u is of nobody", i);
            }

            continue;
        }

        if (!seen[i]) {
            return zone_bad("the user of %u is not found", i);
        }

        memcpy(&h, l->user, sizeof(h));

        for (first = zone->user_buckets[h & (zone->sh->nbuckets - 1)];
             memcmp(zone->leases[first].user, l->user, NGX_IMS_DIGEST_LEN);
             first = zone->leases[first].user_next)
        {
            /* void */
        }

        if (l->state == NGX_IMS_LEASE_LEASED && first != i) {
            return zone_bad("the user of %u is found at %u", i, first);
        }
    }

    return NULL;
}


static u_char  zone_check_chunk[ZONE_CHECK_MAX];


static const char *
zone_check_text(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob, const char *of,
    uint32_t who, int letters)
{
    int       c;
    size_t    left, n, k;
    uint32_t  i;

    if (blob->len > NGX_IMS_MAX_BLOB) {
        return zone_bad("%s %u: text of %u", of, who, blob->len);
    }

    c = -1;
    i = blob->first;

    for (left = blob->len; left > 0; left -= n) {

        if (i >= zone->sh->nchunks || zone_check_chunk[i]++) {
            return zone_bad("%s %u: chunk %u is not its own", of, who, i);
        }

        n = ngx_min(left, NGX_IMS_CHUNK);

        for (k = 0; letters && k < n; k++) {

            if (c == -1) {
                c = zone->chunks[i].text[k];
            }

            if (zone->chunks[i].text[k] != c) {
                return zone_bad("%s %u: text is torn", of, who);
            }
        }

        i = zone->chunks[i].next;
    }

    return NULL;
}


static const char *
zone_check_bindings(ngx_ims_zone_t *zone)
{
    uint32_t               i, k, n, used;
    const char            *bad;
    ngx_ims_zone_sh_t     *sh;
    ngx_ims_binding_sh_t  *b;

    static u_char  seen[ZONE_CHECK_MAX];

    sh = zone->sh;
    memset(seen, 0, sizeof(seen));
    used = 0;

    for (i = sh->free_binding; i != NGX_IMS_NONE; i = zone->bindings[i].next) {

        if (i >= sh->nbindings || seen[i]++
            || zone->bindings[i].state != NGX_IMS_BINDING_FREE)
        {
            return zone_bad("free binding %u", i);
        }
    }

    for (k = 0; k < sh->nleases; k++) {

        if (zone->leases[k].state == NGX_IMS_LEASE_UNUSED) {
            continue;
        }

        if ((bad = zone_check_text(zone, &zone->leases[k].holder, "lease", k,
                                   0))
            || (bad = zone_check_text(zone, &zone->leases[k].text, "lease", k,
                                      0))
            || (bad = zone_check_text(zone, &zone->leases[k].away, "lease", k,
                                      0)))
        {
            return bad;
        }

        n = 0;

        for (i = zone->leases[k].bindings;
             i != NGX_IMS_NONE;
             i = zone->bindings[i].next, n++)
        {
            if (i >= sh->nbindings || seen[i]++
                || zone->bindings[i].state == NGX_IMS_BINDING_FREE
                || zone->bindings[i].lease != k)
            {
                return zone_bad("lease %u: binding %u", k, i);
            }
        }

        if (n != zone->leases[k].nbindings
            || (n && zone->leases[k].state != NGX_IMS_LEASE_LEASED))
        {
            return zone_bad("lease %u has %u bindings", k, n);
        }
    }

    for (i = 0; i < sh->nbindings; i++) {
        b = &zone->bindings[i];

        if (!seen[i] && i != sh->block) {
            return zone_bad("binding %u is lost, state %u", i, b->state);
        }

        if (b->state == NGX_IMS_BINDING_FREE) {
            continue;
        }

        used++;

        if (b->owner.pid == 0 && b->reap == 0 && i != sh->block) {
            return zone_bad("nobody waits for binding %u", i);
        }

        if ((bad = zone_check_text(zone, &b->contact, "binding", i, 0))
            || (bad = zone_check_text(zone, &b->service_route, "binding", i,
                                      1))
            || (bad = zone_check_text(zone, &b->associated, "binding", i, 1))
            || (bad = zone_check_text(zone, &b->features, "binding", i, 1))
            || (bad = zone_check_text(zone, &b->granted, "binding", i, 1))
            || (bad = zone_check_text(zone, &b->identity, "binding", i, 0)))
        {
            return bad;
        }
    }

    return used == sh->bindings_used ? NULL : zone_bad("bindings: %u not %u",
                                                       used,
                                                       sh->bindings_used);
}


static const char *
zone_check_dialogs(ngx_ims_zone_t *zone)
{
    uint32_t              i, k, n, used;
    const char           *bad;
    ngx_ims_zone_sh_t    *sh;
    ngx_ims_dialog_sh_t  *d;

    static u_char  seen[ZONE_CHECK_MAX], mine[ZONE_CHECK_MAX];

    sh = zone->sh;
    memset(seen, 0, sizeof(seen));
    memset(mine, 0, sizeof(mine));
    used = 0;

    for (i = sh->free_dialog; i != NGX_IMS_NONE; i = zone->dialogs[i].next) {

        if (i >= sh->ndialogs || seen[i]++
            || zone->dialogs[i].state != NGX_IMS_DIALOG_FREE)
        {
            return zone_bad("free dialog %u", i);
        }
    }

    for (k = 0; k < sh->nbuckets; k++) {
        for (i = zone->dialog_buckets[k];
             i != NGX_IMS_NONE;
             i = zone->dialogs[i].next)
        {
            if (i >= sh->ndialogs || seen[i]++
                || zone->dialogs[i].state == NGX_IMS_DIALOG_FREE
                || (zone->dialogs[i].web_hash & (sh->nbuckets - 1)) != k)
            {
                return zone_bad("dialog chain %u: %u", k, i);
            }
        }
    }

    for (k = 0; k < sh->nbindings; k++) {

        if (zone->bindings[k].state == NGX_IMS_BINDING_FREE) {
            continue;
        }

        n = 0;

        for (i = zone->bindings[k].dialogs;
             i != NGX_IMS_NONE;
             i = zone->dialogs[i].sibling, n++)
        {
            if (i >= sh->ndialogs || mine[i]++
                || zone->dialogs[i].state == NGX_IMS_DIALOG_FREE
                || zone->dialogs[i].binding != k)
            {
                return zone_bad("binding %u: dialog %u", k, i);
            }
        }

        if (n != zone->bindings[k].ndialogs) {
            return zone_bad("binding %u has %u dialogs", k, n);
        }
    }

    for (i = 0; i < sh->ndialogs; i++) {
        d = &zone->dialogs[i];

        if (!seen[i]) {
            return zone_bad("dialog %u is lost, state %u", i, d->state);
        }

        if (d->state == NGX_IMS_DIALOG_FREE) {
            continue;
        }

        used++;

        if (!mine[i]) {
            return zone_bad("dialog %u is of nobody", i);
        }

        if ((bad = zone_check_text(zone, &d->call_id, "dialog", i, 0))
            || (bad = zone_check_text(zone, &d->web_id, "dialog", i, 0))
            || (bad = zone_check_text(zone, &d->core_id, "dialog", i, 0))
            || (bad = zone_check_text(zone, &d->far_id, "dialog", i, 0))
            || (bad = zone_check_text(zone, &d->shown_id, "dialog", i, 0))
            || (bad = zone_check_text(zone, &d->routes, "dialog", i, 1))
            || (bad = zone_check_text(zone, &d->web_target, "dialog", i, 0))
            || (bad = zone_check_text(zone, &d->far_target, "dialog", i, 1)))
        {
            return bad;
        }
    }

    return used == sh->dialogs_used ? NULL : zone_bad("dialogs: %u not %u",
                                                      used,
                                                      sh->dialogs_used);
}


/* after all texts were looked at: the others are free */

static const char *
zone_check_denied(ngx_ims_zone_t *zone)
{
    uint32_t     i;
    const char  *bad;

    for (i = 0; i < zone->sh->ndeny; i++) {
        if ((bad = zone_check_text(zone, &zone->deny[i].text, "deny", i, 0))) {
            return bad;
        }
    }

    return NULL;
}


static const char *
zone_check_chunks(ngx_ims_zone_t *zone)
{
    uint32_t  i, used;

    used = 0;

    for (i = 0; i < zone->sh->nchunks; i++) {
        used += zone_check_chunk[i];
    }

    if (used != zone->sh->chunks_used) {
        return zone_bad("chunks: %u not %u", used, zone->sh->chunks_used);
    }

    for (i = zone->sh->free_chunk;
         i != NGX_IMS_NONE;
         i = zone->chunks[i].next)
    {
        if (i >= zone->sh->nchunks || zone_check_chunk[i]++) {
            return zone_bad("free chunk %u", i);
        }

        used++;
    }

    return used == zone->sh->nchunks
           ? NULL : zone_bad("%u chunks of %u", used, zone->sh->nchunks);
}


/* NULL: it is in order, or what is not; the caller has the lock */

static const char *
zone_check(ngx_ims_pool_t *pool)
{
    const char      *bad;
    ngx_ims_zone_t  *zone;

    zone = &pool->zone;
    memset(zone_check_chunk, 0, sizeof(zone_check_chunk));

    if (zone->sh->nchunks > ZONE_CHECK_MAX) {
        return "the zone is too large for the check";
    }

    if ((bad = zone_check_leases(zone)) || (bad = zone_check_users(zone))
        || (bad = zone_check_claimed(zone))
        || (bad = zone_check_bindings(zone))
        || (bad = zone_check_dialogs(zone))
        || (bad = zone_check_denied(zone)))
    {
        return bad;
    }

    return zone_check_chunks(zone);
}


/* chunks that say who had an identity: he may come back */

static __attribute__((unused)) uint32_t
zone_remembered(ngx_ims_pool_t *pool)
{
    uint32_t             i, n;
    ngx_ims_lease_sh_t  *l;

    n = 0;

    for (i = 0; i < pool->zone.sh->nleases; i++) {
        l = &pool->zone.leases[i];
        n += (l->holder.len + NGX_IMS_CHUNK - 1) / NGX_IMS_CHUNK;
        n += (l->text.len + NGX_IMS_CHUNK - 1) / NGX_IMS_CHUNK;
    }

    return n;
}


#endif /* _ZONE_CHECK_H_INCLUDED_ */
