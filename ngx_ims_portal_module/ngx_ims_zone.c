/*
 * Copyright (C) the IMS portal authors
 *
 * The layout of a pool's shared zone, its free lists and its texts.  What the
 * entries mean is the business of pool, binding and dialog.
 */


#include "ngx_ims_zone_int.h"


static ngx_int_t ngx_ims_zone_text(ngx_ims_zone_t *zone, ngx_str_t *text,
    ngx_ims_blob_t *blob);


void
ngx_ims_zone_view(ngx_ims_zone_t *zone, u_char *addr)
{
    u_char             *p;
    ngx_ims_zone_sh_t  *sh;

    sh = (ngx_ims_zone_sh_t *) addr;

    /* entries of eight-byte alignment first, then those of four */

    p = addr + ngx_align(sh->layout.head, 64);

    zone->sh = sh;

    zone->leases = (ngx_ims_lease_sh_t *) p;
    p += (size_t) sh->nleases * sh->layout.lease;

    zone->bindings = (ngx_ims_binding_sh_t *) p;
    p += (size_t) sh->nbindings * sh->layout.binding;

    zone->dialogs = (ngx_ims_dialog_sh_t *) p;
    p += (size_t) sh->ndialogs * sh->layout.dialog;

    zone->deny = (ngx_ims_deny_sh_t *) p;
    p += (size_t) sh->ndeny * sh->layout.deny;

    zone->chunks = (ngx_ims_chunk_sh_t *) p;
    p += (size_t) sh->nchunks * sh->layout.chunk;

    zone->user_buckets = (uint32_t *) p;
    zone->dialog_buckets = zone->user_buckets + sh->nbuckets;
    zone->claim_buckets = zone->dialog_buckets + sh->nbuckets;
    zone->order = zone->claim_buckets + sh->nbuckets;
    zone->taken = (u_char *) (zone->order + sh->nleases);

    zone->size = (zone->taken - addr) + sh->nchunks / 8 + 1;
}


void
ngx_ims_zone_list(ngx_ims_zone_t *zone, ngx_ims_lease_sh_t *lease,
    uint32_t **head, uint32_t **tail)
{
    ngx_ims_zone_sh_t  *sh;

    sh = zone->sh;

    switch (lease->state) {

    case NGX_IMS_LEASE_LEASED:
        *head = lease->guest ? &sh->guest_head : &sh->leased_head;
        *tail = lease->guest ? &sh->guest_tail : &sh->leased_tail;
        break;

    case NGX_IMS_LEASE_RESTING:
        *head = &sh->rest_head;
        *tail = &sh->rest_tail;
        break;

    case NGX_IMS_LEASE_FREE:

        if (lease->removed) {
            *head = &sh->coming_head;
            *tail = &sh->coming_tail;

        } else if (lease->reserved) {
            *head = &sh->kept_head;
            *tail = &sh->kept_tail;

        } else {
            *head = &sh->free_head;
            *tail = &sh->free_tail;
        }

        break;

    default:
        *head = &sh->unused_head;
        *tail = &sh->unused_tail;
    }
}


void
ngx_ims_zone_list_add(ngx_ims_zone_t *zone, uint32_t i)
{
    uint32_t            *head, *tail;
    ngx_ims_lease_sh_t  *leases;

    leases = zone->leases;

    ngx_ims_zone_list(zone, &leases[i], &head, &tail);

    leases[i].next = NGX_IMS_NONE;
    leases[i].prev = *tail;

    if (*tail != NGX_IMS_NONE) {
        leases[*tail].next = i;

    } else {
        *head = i;
    }

    *tail = i;
}


void
ngx_ims_zone_list_del(ngx_ims_zone_t *zone, uint32_t i)
{
    uint32_t            *head, *tail;
    ngx_ims_lease_sh_t  *leases, *l;

    leases = zone->leases;
    l = &leases[i];

    ngx_ims_zone_list(zone, l, &head, &tail);

    if (l->prev != NGX_IMS_NONE) {
        leases[l->prev].next = l->next;

    } else {
        *head = l->next;
    }

    if (l->next != NGX_IMS_NONE) {
        leases[l->next].prev = l->prev;

    } else {
        *tail = l->prev;
    }

    l->prev = l->next = NGX_IMS_NONE;
}


ngx_int_t
ngx_ims_zone_put(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob, ngx_str_t *text)
{
    ngx_int_t       rc;
    ngx_ims_blob_t  new, old;

    rc = ngx_ims_zone_text(zone, text, &new);

    if (rc == NGX_BUSY) {

        /* there may be room when the former text makes it */

        ngx_ims_zone_free_text(zone, blob);
        rc = ngx_ims_zone_text(zone, text, &new);
    }

    /* one store: whoever is killed leaves the former text or the new one */

    old = *blob;

    ngx_memory_barrier();
    *(volatile uint64_t *) &blob->word = new.word;
    ngx_memory_barrier();

    ngx_ims_zone_free_text(zone, &old);

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* NGX_OK, NGX_BUSY: no room, NGX_ERROR: too long; blob is empty then */

static ngx_int_t
ngx_ims_zone_text(ngx_ims_zone_t *zone, ngx_str_t *text,
    ngx_ims_blob_t *blob)
{
    size_t               n, left;
    u_char              *p;
    uint32_t             i, *link;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_chunk_sh_t  *chunk;

    sh = zone->sh;
    blob->word = 0;

    if (text->len > NGX_IMS_MAX_BLOB) {
        return NGX_ERROR;
    }

    n = (text->len + NGX_IMS_CHUNK - 1) / NGX_IMS_CHUNK;

    if (n > sh->nchunks - sh->chunks_used) {
        return NGX_BUSY;
    }

    p = text->data;
    link = &blob->first;

    for (left = text->len; left > 0; left -= n) {
        i = sh->free_chunk;
        chunk = &zone->chunks[i];

        sh->free_chunk = chunk->next;
        sh->chunks_used++;

        n = ngx_min(left, NGX_IMS_CHUNK);
        ngx_memcpy(chunk->text, p, n);
        p += n;

        chunk->next = NGX_IMS_NONE;

        *link = i;
        link = &chunk->next;
    }

    blob->len = text->len;

    return NGX_OK;
}


void
ngx_ims_zone_free_text(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob)
{
    size_t     left;
    uint32_t   i, next;

    i = blob->first;
    left = blob->len;
    blob->word = 0;

    while (left > 0) {
        next = zone->chunks[i].next;

        zone->chunks[i].next = zone->sh->free_chunk;
        zone->sh->free_chunk = i;
        zone->sh->chunks_used--;

        i = next;
        left -= ngx_min(left, NGX_IMS_CHUNK);
    }
}


u_char *
ngx_ims_zone_get(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob, u_char *p)
{
    size_t    n, left;
    uint32_t  i;

    i = blob->first;

    for (left = blob->len; left > 0; left -= n) {
        n = ngx_min(left, NGX_IMS_CHUNK);
        p = ngx_cpymem(p, zone->chunks[i].text, n);
        i = zone->chunks[i].next;
    }

    return p;
}


ngx_uint_t
ngx_ims_zone_equal(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob, ngx_str_t *s)
{
    size_t    n, left;
    u_char   *p;
    uint32_t  i;

    if (blob->len != s->len) {
        return 0;
    }

    i = blob->first;
    p = s->data;

    for (left = blob->len; left > 0; left -= n) {
        n = ngx_min(left, NGX_IMS_CHUNK);

        if (ngx_memcmp(p, zone->chunks[i].text, n) != 0) {
            return 0;
        }

        p += n;
        i = zone->chunks[i].next;
    }

    return 1;
}


uint32_t
ngx_ims_zone_take_binding(ngx_ims_zone_t *zone)
{
    uint32_t               i;
    ngx_ims_binding_sh_t  *b;

    i = zone->sh->free_binding;

    if (i == NGX_IMS_NONE) {
        return i;
    }

    b = &zone->bindings[i];

    zone->sh->free_binding = b->next;
    zone->sh->bindings_used++;

    /* it never goes back, not even when we are killed here */

    b->seq++;
    ngx_memzero(&b->lease, sizeof(ngx_ims_binding_sh_t)
                           - offsetof(ngx_ims_binding_sh_t, lease));
    b->next = NGX_IMS_NONE;

    return i;
}


void
ngx_ims_zone_free_binding(ngx_ims_zone_t *zone, uint32_t i)
{
    ngx_ims_binding_sh_t  *b;

    b = &zone->bindings[i];

    b->state = NGX_IMS_BINDING_FREE;

    ngx_ims_zone_free_text(zone, &b->contact);
    ngx_ims_zone_free_text(zone, &b->service_route);
    ngx_ims_zone_free_text(zone, &b->associated);
    ngx_ims_zone_free_text(zone, &b->features);
    ngx_ims_zone_free_text(zone, &b->granted);
    ngx_ims_zone_free_text(zone, &b->identity);

    b->next = zone->sh->free_binding;
    zone->sh->free_binding = i;
    zone->sh->bindings_used--;
}


uint32_t
ngx_ims_zone_take_dialog(ngx_ims_zone_t *zone)
{
    uint32_t              i;
    ngx_ims_dialog_sh_t  *d;

    i = zone->sh->free_dialog;

    if (i == NGX_IMS_NONE) {
        return i;
    }

    d = &zone->dialogs[i];

    zone->sh->free_dialog = d->next;
    zone->sh->dialogs_used++;

    d->seq++;
    ngx_memzero(&d->binding, sizeof(ngx_ims_dialog_sh_t)
                             - offsetof(ngx_ims_dialog_sh_t, binding));
    d->next = NGX_IMS_NONE;
    d->helper = -1;

    return i;
}


void
ngx_ims_zone_free_dialog(ngx_ims_zone_t *zone, uint32_t i)
{
    ngx_ims_dialog_sh_t  *d;

    d = &zone->dialogs[i];

    d->state = NGX_IMS_DIALOG_FREE;

    ngx_ims_zone_free_text(zone, &d->call_id);
    ngx_ims_zone_free_text(zone, &d->web_id);
    ngx_ims_zone_free_text(zone, &d->core_id);
    ngx_ims_zone_free_text(zone, &d->far_id);
    ngx_ims_zone_free_text(zone, &d->shown_id);
    ngx_ims_zone_free_text(zone, &d->routes);
    ngx_ims_zone_free_text(zone, &d->web_target);
    ngx_ims_zone_free_text(zone, &d->far_target);

    d->next = zone->sh->free_dialog;
    zone->sh->free_dialog = i;
    zone->sh->dialogs_used--;
}
