/*
 * Copyright (C) the IMS portal authors
 *
 * Tickets: what a page on another origin opens its WebSocket with, where
 * neither a cookie nor a header goes along (P45).  A ticket is good once, for
 * some seconds, and for one pool; it stands for the grant of the token that it
 * was given for, which is kept, while the token is not.
 *
 * One table for all workers, kept over reloads, of a fixed number of places
 * that are used in turn: when all are taken, the oldest ticket goes.  A ticket
 * names its place; the table has its digest only, so nobody who reads the
 * memory can use one.
 */


#ifndef _NGX_IMS_TICKET_H_INCLUDED_
#define _NGX_IMS_TICKET_H_INCLUDED_


#include "ngx_ims_grant.h"


enum {
    NGX_IMS_TICKET_RANDOM = 20,          /* bytes that cannot be guessed */
    NGX_IMS_TICKET_RAW = 24,             /* ... with the number of the place */
    NGX_IMS_TICKET_LEN = 32,             /* bytes of a ticket's text */
    NGX_IMS_TICKET_GRANT = 1984,         /* bytes of a packed grant */
    NGX_IMS_TICKET_OF_USER = 4,          /* tickets of one user at once */
    NGX_IMS_TICKET_MIN_SIZE = 65536      /* bytes of the zone */
};


/* a place; its grant is beside it */
typedef struct {
    time_t                    expires;        /* s; 0: free.  Stored last */
    uint32_t                  pool;           /* crc32 of its name */
    uint32_t                  len;            /* bytes of the grant */
    u_char                    digest[NGX_IMS_DIGEST_LEN];
    u_char                    user[NGX_IMS_DIGEST_LEN];
    uint32_t                  rules;          /* that its token was judged by */
} ngx_ims_ticket_sh_t;


typedef struct {
    uint32_t                  nplaces;
    uint32_t                  next;           /* place, is used next */
    ngx_atomic_t              displaced;      /* tickets that had to go */
    /* the places follow, then the grants */
} ngx_ims_tickets_sh_t;


typedef struct {
    ngx_shm_zone_t           *shm_zone;
    ngx_slab_pool_t          *shpool;
    ngx_ims_tickets_sh_t     *sh;
    ngx_ims_ticket_sh_t      *places;
    u_char                   *grants;
} ngx_ims_tickets_t;


/*
 * At configuration time: the table, one for the whole configuration, of size
 * bytes.  tag is the module's.  NULL: no memory (logged).
 */
ngx_ims_tickets_t *ngx_ims_ticket_add(ngx_conf_t *cf, size_t size, void *tag);

/*
 * Makes a ticket for a user of a pool, good for life, s, where a token is
 * judged by the same rules, a number of the caller's; out has
 * NGX_IMS_TICKET_LEN bytes, which are safe in a header and a query.  His oldest
 * one goes when he has too many.  NGX_OK, or NGX_ERROR (logged): no randomness,
 * or the grant is too large.
 */
ngx_int_t ngx_ims_ticket_make(ngx_ims_tickets_t *tickets,
    ngx_ims_pool_t *pool, uint32_t rules, ngx_ims_grant_t *grant,
    time_t life, u_char *out, ngx_log_t *log);

/*
 * Takes a ticket: it is used from now on, whatever comes after.  buf, of
 * NGX_IMS_TICKET_GRANT bytes, holds the grant's texts.  NGX_OK, or
 * NGX_DECLINED: it is none, was used, has ended, or is of another pool, or of
 * other rules.
 */
ngx_int_t ngx_ims_ticket_take(ngx_ims_tickets_t *tickets,
    ngx_ims_pool_t *pool, uint32_t rules, ngx_str_t *text,
    ngx_ims_grant_t *grant, u_char *buf);


#endif /* _NGX_IMS_TICKET_H_INCLUDED_ */
