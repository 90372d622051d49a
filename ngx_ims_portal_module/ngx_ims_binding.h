/*
 * Copyright (C) the IMS portal authors
 *
 * Bindings: one browser instance of one user, registered at the core under one
 * Contact (design D16).  The record is in the zone and outlives sockets and
 * workers; its token names it towards the core.
 */


#ifndef _NGX_IMS_BINDING_H_INCLUDED_
#define _NGX_IMS_BINDING_H_INCLUDED_


#include "ngx_ims_pool.h"


/* "b", crc32 of the pool's name, index, seq, 64 bits of HMAC, all in hex */
#define NGX_IMS_TOKEN_LEN     (1 + 8 + 8 + 8 + 16)


typedef struct {
    uint32_t                  index;
    uint32_t                  seq;
} ngx_ims_ref_t;


/* a copy of a record; the texts are in the caller's buffer */
typedef struct {
    ngx_ims_ref_t             ref;
    uint32_t                  state;
    uint32_t                  lease;
    uint32_t                  cseq;
    uint32_t                  ndialogs;
    ngx_ims_owner_t           owner;
    time_t                    expires;
    time_t                    registered;     /* s, when the core said so */
    time_t                    lost;
    ngx_str_t                 contact;
    ngx_str_t                 service_route;
    ngx_str_t                 associated;
} ngx_ims_binding_t;


/* what others have to know of a user's rights */
enum {
    NGX_IMS_RIGHT_NO_VIDEO = 0x1         /* his calls go by the helper */
};


/*
 * The binding of a user's browser instance, made when it is new.  It becomes
 * owner's, the former owner is told in *before (zero: none).  How many browsers
 * he may have (0: as the pool says) and his rights are noted with the lease.
 *
 * Returns NGX_OK, NGX_BUSY (as many as he may have), NGX_ERROR (zone full, or
 * the lease is no more).
 */
ngx_int_t ngx_ims_binding_get(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *instance, uint32_t devices, uint32_t rights,
    ngx_ims_owner_t *owner, ngx_ims_ref_t *ref, ngx_ims_owner_t *before);

/* the rights of the user of a lease, as they were noted last */
uint32_t ngx_ims_binding_rights(ngx_ims_pool_t *pool, uint32_t lease);

/*
 * The binding of the pool's own registration (profile B), made when it is new;
 * it belongs to no lease and is never freed.  NGX_OK, NGX_ERROR (zone full).
 */
ngx_int_t ngx_ims_binding_block(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref);

/*
 * Copies the record; buf has room for three texts of NGX_IMS_MAX_BLOB.  NGX_OK,
 * or NGX_DECLINED: the reference is stale.
 */
ngx_int_t ngx_ims_binding_load(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_binding_t *b, u_char *buf);

/* who owns it; NGX_OK (owner may be zero), or NGX_DECLINED: stale */
ngx_int_t ngx_ims_binding_owner(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner);

/*
 * The same, and zero while it is ended; with the worker that keeps requests for
 * it until it is back (zero: none does): what comes meanwhile goes behind them
 * (ngx_ims_binding_keep.c).
 */
ngx_int_t ngx_ims_binding_where(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, ngx_ims_owner_t *keeper);

/*
 * Another keeper, or none (zero), in the place of the one that was seen.
 * NGX_OK, or NGX_DECLINED: it was another one meanwhile, or is stale.
 */
ngx_int_t ngx_ims_binding_keep(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *keeper, ngx_ims_owner_t *before);

/* the next CSeq of its REGISTERs; 0: stale */
uint32_t ngx_ims_binding_cseq(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref);

/* where the browser wants its requests; NGX_OK, NGX_ERROR (zone full) */
ngx_int_t ngx_ims_binding_contact(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_str_t *contact);

/*
 * The P-Associated-URI value that the core gave for any registered binding of a
 * lease; out has NGX_IMS_MAX_BLOB bytes.  Returns its length, 0: none.
 */
size_t ngx_ims_binding_associated(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *out);

/*
 * The core's 200; granted is kept with it, see ngx_ims_uac.h.  NGX_OK,
 * NGX_ERROR (zone full), NGX_DECLINED (stale).
 */
ngx_int_t ngx_ims_binding_registered(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    time_t expires, ngx_str_t *service_route, ngx_str_t *associated,
    ngx_str_t *granted);

/*
 * What the browser can do, as the core is to hear of it, see ngx_ims_uac.h.
 * NGX_OK: it is new, NGX_DECLINED: as before, NGX_ERROR (zone full, stale).
 */
ngx_int_t ngx_ims_binding_features(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_str_t *features);

/*
 * Copies both; buf has room for two texts of NGX_IMS_MAX_BLOB.  Empty when the
 * reference is stale.
 */
void ngx_ims_binding_abilities(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_str_t *features, ngx_str_t *granted, u_char *buf);

/* no longer registered upstream; the record stays */
void ngx_ims_binding_idle(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref);

/*
 * The socket is gone, or the worker that had it: nobody owns it from now on,
 * and grace, ms, later it may be claimed.  NGX_OK when owner had it,
 * NGX_DECLINED when another worker took it before.
 */
ngx_int_t ngx_ims_binding_lose(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, ngx_msec_t grace);

/* when a grace time, ms, that begins now is over: s, rounded up */
time_t ngx_ims_binding_after(ngx_msec_t grace);

/*
 * Takes a lost binding whose grace time is over at now, s, in order to end it.
 * It is lost again when owner dies in the midst, and the browser may take it
 * back at any time.
 *
 * Returns NGX_AGAIN with its lease: the core has to be told; NGX_OK: the core
 * knows nothing of it; NGX_DECLINED: it is somebody's, or waits, or is stale.
 */
ngx_int_t ngx_ims_binding_claim(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, time_t now, uint32_t *lease);

/* 1 while a claim of owner's holds */
ngx_uint_t ngx_ims_binding_claimed(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner);

/* frees a record that owner has claimed, no other */
void ngx_ims_binding_free(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner);

/* how many INVITEs of its browser have no final answer; no effect if stale */
void ngx_ims_binding_calling(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner, ngx_uint_t n);

/*
 * The authenticated token of a binding (RFC 5626 5.2): NGX_IMS_TOKEN_LEN bytes.
 */
void ngx_ims_binding_token(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    u_char *out);

/* the crc of the pool that a token names; NGX_OK, NGX_DECLINED: not a token */
ngx_int_t ngx_ims_binding_token_pool(ngx_ims_str_t *token, uint32_t *crc);

/*
 * The same for a lease: all browsers of a user.  It stands in the Route of a
 * call between users and does not leave the portal.
 */
void ngx_ims_binding_lease_token(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *out);

/* the lease of such a token; NGX_OK, or NGX_DECLINED: it is none */
ngx_int_t ngx_ims_binding_lease_check(ngx_ims_pool_t *pool,
    ngx_ims_str_t *token, uint32_t *lease);

/*
 * The bindings of a lease that are registered and have a socket, or when none
 * has, those whose browser is away; the one with the lowest index first.
 * Returns how many, max at most.
 */
ngx_uint_t ngx_ims_binding_list(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_ref_t *refs, ngx_uint_t max);

/* what binding a token names, unchecked; NGX_OK, NGX_DECLINED: none */
ngx_int_t ngx_ims_binding_token_ref(ngx_ims_str_t *token, ngx_ims_ref_t *ref);

/* the binding of a token; NGX_OK, or NGX_DECLINED: it was altered */
ngx_int_t ngx_ims_binding_token_check(ngx_ims_pool_t *pool,
    ngx_ims_str_t *token, ngx_ims_ref_t *ref);


#endif /* _NGX_IMS_BINDING_H_INCLUDED_ */
