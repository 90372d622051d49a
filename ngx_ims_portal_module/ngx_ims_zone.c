/*
 * Copyright (C) the IMS portal authors
 *
 * The layout of a pool's shared zone, its free lists and its texts.  What the
 * entries mean is the business of pool, binding and dialog.
 */


#include "ngx_ims_zone.h"

#include <openssl/rand.h>


static void ngx_ims_zone_view(ngx_ims_zone_t *zone, ngx_ims_zone_sh_t *sh);
static ngx_int_t ngx_ims_zone_layout(ngx_ims_zone_t *zone,
    ngx_shm_zone_t *shm_zone, ngx_uint_t leases);
static size_t ngx_ims_zone_size(ngx_ims_zone_sh_t *sh);
static void ngx_ims_zone_free_text(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob);


ngx_int_t
ngx_ims_zone_init(ngx_ims_zone_t *zone, ngx_shm_zone_t *shm_zone,
    ngx_ims_zone_t *old, ngx_uint_t leases)
{
    ngx_ims_zone_sh_t  *sh;

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old != NULL) {
        ngx_ims_zone_view(zone, old->sh);

    } else if (shm_zone->shm.exists) {
        ngx_ims_zone_view(zone, zone->shpool->data);

    } else {
        return ngx_ims_zone_layout(zone, shm_zone, leases);
    }

    sh = zone->sh;

    if (leases > sh->nleases) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "\"ims_portal_pool\" zone \"%V\" holds %uD identities, "
                      "the configuration has %ui; a larger zone needs "
                      "a restart", &shm_zone->shm.name, sh->nleases, leases);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Capacities follow from the size of the zone and the number of identities:
 * every identity can be leased, and has its share of two bindings, two dialogs
 * and 16 chunks for their texts, of which a registration takes about five and a
 * call eight.
 */
static ngx_int_t
ngx_ims_zone_layout(ngx_ims_zone_t *zone, ngx_shm_zone_t *shm_zone,
    ngx_uint_t leases)
{
    size_t              room, unit, size;
    uint32_t            i;
    ngx_uint_t          n;
    ngx_slab_pool_t    *shpool;
    ngx_ims_zone_sh_t  *sh, want;

    shpool = zone->shpool;

    /* one page in 64 goes to the slab's own books */

    room = (size_t) (shpool->end - shpool->start);
    room -= room / 32 + 2 * ngx_pagesize;

    ngx_memzero(&want, sizeof(ngx_ims_zone_sh_t));

    unit = sizeof(ngx_ims_lease_sh_t) + 2 * sizeof(ngx_ims_binding_sh_t)
           + 2 * sizeof(ngx_ims_dialog_sh_t)
           + 16 * sizeof(ngx_ims_chunk_sh_t) + 4 * sizeof(uint32_t);

    n = (room - sizeof(ngx_ims_zone_sh_t)) / unit;

    if (n < leases || n < 8) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "\"ims_portal_pool\" zone \"%V\" is too small: "
                      "%ui identities need %uzk", &shm_zone->shm.name, leases,
                      (leases * unit * 34 / 32 + 3 * ngx_pagesize) / 1024 + 1);
        return NGX_ERROR;
    }

    want.nleases = n;
    want.nbindings = 2 * n;
    want.ndialogs = 2 * n;
    want.nchunks = 16 * n;

    for (want.nbuckets = 8; want.nbuckets * 2 <= n; want.nbuckets *= 2) {
        /* void */
    }

    size = ngx_ims_zone_size(&want);

    sh = ngx_slab_calloc(shpool, size);
    if (sh == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "\"ims_portal_pool\" zone \"%V\" cannot hold %uz bytes",
                      &shm_zone->shm.name, size);
        return NGX_ERROR;
    }

    *sh = want;

    if (RAND_bytes((u_char *) &sh->instance, sizeof(sh->instance)) != 1
        || RAND_bytes(sh->secret, sizeof(sh->secret)) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "no random bytes for \"ims_portal_pool\" zone \"%V\"",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    ngx_ims_zone_view(zone, sh);

    for (i = 0; i < sh->nbuckets; i++) {
        zone->user_buckets[i] = NGX_IMS_NONE;
        zone->dialog_buckets[i] = NGX_IMS_NONE;
    }

    sh->free_head = sh->free_tail = NGX_IMS_NONE;
    sh->rest_head = sh->rest_tail = NGX_IMS_NONE;
    sh->leased_head = sh->leased_tail = NGX_IMS_NONE;
    sh->block = NGX_IMS_NONE;

    for (i = 0; i < sh->nbindings; i++) {
        zone->bindings[i].next = i + 1 < sh->nbindings ? i + 1 : NGX_IMS_NONE;
    }

    for (i = 0; i < sh->ndialogs; i++) {
        zone->dialogs[i].next = i + 1 < sh->ndialogs ? i + 1 : NGX_IMS_NONE;
    }

    for (i = 0; i < sh->nchunks; i++) {
        zone->chunks[i].next = i + 1 < sh->nchunks ? i + 1 : NGX_IMS_NONE;
    }

    shpool->data = sh;

    return NGX_OK;
}


static size_t
ngx_ims_zone_size(ngx_ims_zone_sh_t *sh)
{
    return ngx_align(sizeof(ngx_ims_zone_sh_t), 64)
           + sh->nleases * sizeof(ngx_ims_lease_sh_t)
           + sh->nbindings * sizeof(ngx_ims_binding_sh_t)
           + sh->ndialogs * sizeof(ngx_ims_dialog_sh_t)
           + sh->nchunks * sizeof(ngx_ims_chunk_sh_t)
           + 2 * sh->nbuckets * sizeof(uint32_t);
}


static void
ngx_ims_zone_view(ngx_ims_zone_t *zone, ngx_ims_zone_sh_t *sh)
{
    u_char  *p;

    /* entries of eight-byte alignment first, then those of four */

    p = (u_char *) sh + ngx_align(sizeof(ngx_ims_zone_sh_t), 64);

    zone->sh = sh;

    zone->leases = (ngx_ims_lease_sh_t *) p;
    p += sh->nleases * sizeof(ngx_ims_lease_sh_t);

    zone->bindings = (ngx_ims_binding_sh_t *) p;
    p += sh->nbindings * sizeof(ngx_ims_binding_sh_t);

    zone->dialogs = (ngx_ims_dialog_sh_t *) p;
    p += sh->ndialogs * sizeof(ngx_ims_dialog_sh_t);

    zone->chunks = (ngx_ims_chunk_sh_t *) p;
    p += sh->nchunks * sizeof(ngx_ims_chunk_sh_t);

    zone->user_buckets = (uint32_t *) p;
    zone->dialog_buckets = zone->user_buckets + sh->nbuckets;
}


ngx_int_t
ngx_ims_zone_put(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob, ngx_str_t *text)
{
    size_t               n, left;
    u_char              *p;
    uint32_t             i, *link;
    ngx_ims_zone_sh_t   *sh;
    ngx_ims_chunk_sh_t  *chunk;

    sh = zone->sh;

    ngx_ims_zone_free_text(zone, blob);

    if (text->len > NGX_IMS_MAX_BLOB) {
        return NGX_ERROR;
    }

    n = (text->len + NGX_IMS_CHUNK - 1) / NGX_IMS_CHUNK;

    if (n > sh->nchunks - sh->chunks_used) {
        return NGX_ERROR;
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

    /* the length is the last store: it makes the text valid */

    blob->len = text->len;

    return NGX_OK;
}


static void
ngx_ims_zone_free_text(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob)
{
    size_t     left;
    uint32_t   i, next;

    i = blob->first;
    left = blob->len;
    blob->len = 0;

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
    uint32_t               i, seq;
    ngx_ims_binding_sh_t  *b;

    i = zone->sh->free_binding;

    if (i == NGX_IMS_NONE) {
        return i;
    }

    b = &zone->bindings[i];

    zone->sh->free_binding = b->next;
    zone->sh->bindings_used++;

    seq = b->seq + 1;
    ngx_memzero(b, sizeof(ngx_ims_binding_sh_t));
    b->seq = seq;
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

    b->next = zone->sh->free_binding;
    zone->sh->free_binding = i;
    zone->sh->bindings_used--;
}


uint32_t
ngx_ims_zone_take_dialog(ngx_ims_zone_t *zone)
{
    uint32_t              i, seq;
    ngx_ims_dialog_sh_t  *d;

    i = zone->sh->free_dialog;

    if (i == NGX_IMS_NONE) {
        return i;
    }

    d = &zone->dialogs[i];

    zone->sh->free_dialog = d->next;
    zone->sh->dialogs_used++;

    seq = d->seq + 1;
    ngx_memzero(d, sizeof(ngx_ims_dialog_sh_t));
    d->seq = seq;
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
