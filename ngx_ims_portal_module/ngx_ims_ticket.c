/*
 * Copyright (C) the IMS portal authors
 *
 * No timers: what has ended is found out when it is shown, or its place taken.
 */


#include "ngx_ims_ticket.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


static ngx_int_t ngx_ims_ticket_init(ngx_shm_zone_t *shm_zone, void *data);
static void ngx_ims_ticket_map(ngx_ims_tickets_t *tickets);
static uint32_t ngx_ims_ticket_place(ngx_ims_tickets_t *tickets, u_char *user,
    time_t now);


static ngx_str_t  ngx_ims_ticket_zone = ngx_string("ims_portal_tickets");


ngx_ims_tickets_t *
ngx_ims_ticket_add(ngx_conf_t *cf, size_t size, void *tag)
{
    ngx_ims_tickets_t  *tickets;

    tickets = ngx_pcalloc(cf->pool, sizeof(ngx_ims_tickets_t));
    if (tickets == NULL) {
        return NULL;
    }

    tickets->shm_zone = ngx_shared_memory_add(cf, &ngx_ims_ticket_zone, size,
                                              tag);
    if (tickets->shm_zone == NULL) {
        return NULL;
    }

    tickets->shm_zone->init = ngx_ims_ticket_init;
    tickets->shm_zone->data = tickets;

    return tickets;
}


static ngx_int_t
ngx_ims_ticket_init(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t              size;
    ngx_ims_tickets_t  *tickets, *old;

    old = data;
    tickets = shm_zone->data;
    tickets->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old != NULL || shm_zone->shm.exists) {
        tickets->sh = old ? old->sh : tickets->shpool->data;
        ngx_ims_ticket_map(tickets);
        return NGX_OK;
    }

    size = (tickets->shpool->pfree - 1) * ngx_pagesize;

    tickets->sh = ngx_slab_calloc(tickets->shpool, size);
    if (tickets->sh == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "no room in zone \"%V\"", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    tickets->sh->nplaces = (size - sizeof(ngx_ims_tickets_sh_t))
                           / (sizeof(ngx_ims_ticket_sh_t)
                              + NGX_IMS_TICKET_GRANT);

    ngx_ims_ticket_map(tickets);

    tickets->shpool->data = tickets->sh;

    return NGX_OK;
}


static void
ngx_ims_ticket_map(ngx_ims_tickets_t *tickets)
{
    tickets->places = (ngx_ims_ticket_sh_t *) (tickets->sh + 1);
    tickets->grants = (u_char *) (tickets->places + tickets->sh->nplaces);
}


ngx_int_t
ngx_ims_ticket_make(ngx_ims_tickets_t *tickets, ngx_ims_pool_t *pool,
    uint32_t rules, ngx_ims_grant_t *grant, time_t life, u_char *out,
    ngx_log_t *log)
{
    size_t                len;
    u_char                raw[NGX_IMS_TICKET_RAW];
    uint32_t              i;
    ngx_str_t             src, text;
    ngx_ims_ticket_sh_t  *place;

    len = ngx_ims_grant_size(grant);

    if (len > NGX_IMS_TICKET_GRANT) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "what a token gives is too long for a ticket");
        return NGX_ERROR;
    }

    if (RAND_bytes(raw + 4, NGX_IMS_TICKET_RANDOM) != 1) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "no randomness for a ticket");
        return NGX_ERROR;
    }

    ngx_shmtx_lock(&tickets->shpool->mutex);

    i = ngx_ims_ticket_place(tickets, grant->ids.user, ngx_time());
    place = &tickets->places[i];

    place->expires = 0;
    ngx_memory_barrier();

    raw[0] = (u_char) (i >> 24);
    raw[1] = (u_char) (i >> 16);
    raw[2] = (u_char) (i >> 8);
    raw[3] = (u_char) i;

    src.data = raw;
    src.len = NGX_IMS_TICKET_RAW;
    text.data = out;
    ngx_encode_base64url(&text, &src);

    place->pool = pool->crc;
    place->rules = rules;
    place->len = len;
    ngx_ims_deny_key(&text, place->digest);
    ngx_memcpy(place->user, grant->ids.user, NGX_IMS_DIGEST_LEN);
    ngx_ims_grant_pack(grant, tickets->grants
                              + (size_t) i * NGX_IMS_TICKET_GRANT);

    ngx_memory_barrier();
    place->expires = ngx_time() + life;

    ngx_shmtx_unlock(&tickets->shpool->mutex);

    ngx_explicit_memzero(raw, sizeof(raw));

    return NGX_OK;
}


/* the user's oldest when he has too many, else the next of the round */

static uint32_t
ngx_ims_ticket_place(ngx_ims_tickets_t *tickets, u_char *user, time_t now)
{
    uint32_t               i, k, oldest;
    ngx_uint_t             n;
    ngx_ims_ticket_sh_t   *place;
    ngx_ims_tickets_sh_t  *sh;

    n = 0;
    oldest = 0;
    sh = tickets->sh;

    for (k = 0; k < sh->nplaces; k++) {

        /* in the order in which they were made */

        i = (sh->next + k) % sh->nplaces;
        place = &tickets->places[i];

        if (place->expires > now
            && ngx_memcmp(place->user, user, NGX_IMS_DIGEST_LEN) == 0
            && n++ == 0)
        {
            oldest = i;
        }
    }

    if (n >= NGX_IMS_TICKET_OF_USER) {
        tickets->places[oldest].expires = 0;
    }

    i = sh->next;
    sh->next = (i + 1) % sh->nplaces;

    if (tickets->places[i].expires > now) {
        (void) ngx_atomic_fetch_add(&sh->displaced, 1);
    }

    return i;
}


ngx_int_t
ngx_ims_ticket_take(ngx_ims_tickets_t *tickets, ngx_ims_pool_t *pool,
    uint32_t rules, ngx_str_t *text, ngx_ims_grant_t *grant, u_char *buf)
{
    u_char                raw[NGX_IMS_TICKET_RAW], digest[NGX_IMS_DIGEST_LEN];
    uint32_t              i;
    ngx_int_t             rc;
    ngx_str_t             dst;
    ngx_ims_ticket_sh_t  *place;

    dst.data = raw;

    if (text->len != NGX_IMS_TICKET_LEN
        || ngx_decode_base64url(&dst, text) != NGX_OK
        || dst.len != NGX_IMS_TICKET_RAW)
    {
        return NGX_DECLINED;
    }

    i = (uint32_t) raw[0] << 24 | raw[1] << 16 | raw[2] << 8 | raw[3];

    if (i >= tickets->sh->nplaces) {
        return NGX_DECLINED;
    }

    ngx_ims_deny_key(text, digest);

    rc = NGX_DECLINED;
    place = &tickets->places[i];

    ngx_shmtx_lock(&tickets->shpool->mutex);

    if (place->expires > ngx_time()
        && place->pool == pool->crc
        && place->rules == rules
        && place->len <= NGX_IMS_TICKET_GRANT
        && CRYPTO_memcmp(place->digest, digest, NGX_IMS_DIGEST_LEN) == 0)
    {
        place->expires = 0;

        ngx_memcpy(buf, tickets->grants + (size_t) i * NGX_IMS_TICKET_GRANT,
                   place->len);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&tickets->shpool->mutex);

    if (rc == NGX_OK) {
        ngx_ims_grant_unpack(grant, buf);
    }

    return rc;
}
