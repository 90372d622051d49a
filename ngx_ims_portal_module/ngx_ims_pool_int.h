/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the pool share and nobody else includes.  The zone is
 * locked, but for what looks at the configuration only.
 */


#ifndef _NGX_IMS_POOL_INT_H_INCLUDED_
#define _NGX_IMS_POOL_INT_H_INCLUDED_


#include "ngx_ims_pool.h"


enum {
    NGX_IMS_POOL_KEPT = 2 * NGX_IMS_MAX_IMPU + 1   /* bytes of "IMPU IMPI" */
};


/* what somebody wants, found before the lock is taken */
typedef struct {
    uint32_t                  number;         /* of the configuration, or
                                                 NONE */
    ngx_uint_t                named;          /* his token does it, he gets no
                                                 other one */
    ngx_uint_t                claim;          /* it is not configured, but in a
                                                 block for tokens */
    size_t                    key;            /* bytes of its IMPU in kept */
    size_t                    len;
    u_char                    kept[NGX_IMS_POOL_KEPT];
    uint64_t                  hash;           /* of the key, with a secret */
} ngx_ims_pool_target_t;


/*
 * What his token or the configuration says that he gets.  NGX_OK, or
 * NGX_DECLINED: not of this pool, or not for him.  The lock is not needed.
 */
ngx_int_t ngx_ims_pool_target(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_ims_pool_target_t *t);

/* leases an entry to a user who may have it, or renews his lease */
void ngx_ims_pool_take(ngx_ims_pool_t *pool, uint32_t i,
    ngx_ims_want_t *want);

/* takes the entry out of the chain of its last user */
void ngx_ims_pool_unlink(ngx_ims_pool_t *pool, uint32_t i);

/* the same, and nothing of him is known any more */
void ngx_ims_pool_forget(ngx_ims_pool_t *pool, uint32_t i);

/* the head of the chain that a user is in */
uint32_t *ngx_ims_pool_bucket(ngx_ims_pool_t *pool, u_char *user);

/* the entry that a user has or had last, or NONE */
uint32_t ngx_ims_pool_lookup(ngx_ims_pool_t *pool, u_char *user);

/* remembers who has an entry, for administrators */
void ngx_ims_pool_holder(ngx_ims_pool_t *pool, ngx_ims_lease_sh_t *l,
    ngx_ims_want_t *want);

/* another state, in the list of it, and counted */
void ngx_ims_pool_state(ngx_ims_pool_t *pool, uint32_t i,
    ngx_ims_lease_state_e state);

/* a lease's quarantine begins and lasts until expires; it has no bindings */
void ngx_ims_pool_rest(ngx_ims_pool_t *pool, uint32_t i, time_t expires);

/* who needs an identity may have it, or it is none any more */
void ngx_ims_pool_vacate(ngx_ims_pool_t *pool, uint32_t i);

/* what time has made of an entry that nobody looked at */
void ngx_ims_pool_settle(ngx_ims_pool_t *pool, uint32_t i, time_t now);

/* the same of a few whose time is over for longest */
void ngx_ims_pool_sweep(ngx_ims_pool_t *pool, time_t now);

/* the number that an entry has in this worker's configuration, or NONE */
#define ngx_ims_pool_number_of(pool, i)                                       \
    ((pool)->zone.leases[i].kind == NGX_IMS_LEASE_CLAIMED                     \
     ? NGX_IMS_NONE : (pool)->identity_of[i])

/*
 * 1 when an entry has the identity that this worker's configuration has for it.
 * Entries are used again: one of a worker that two reloads replaced may be
 * another identity's now.
 */
ngx_uint_t ngx_ims_pool_known(ngx_ims_pool_t *pool, uint32_t i);

/* the block of a configured identity, and its number in it */
ngx_ims_block_t *ngx_ims_pool_block(ngx_ims_pool_t *pool, ngx_uint_t identity,
    ngx_uint_t *number);

/* FNV-1a of 64 bits, for texts of the configuration only */
uint64_t ngx_ims_pool_hash(u_char *p, size_t len);

/*
 * A private identity by the template of its block, from a URI and its number;
 * out has NGX_IMS_MAX_IMPU bytes; the length, 0: too long.
 */
size_t ngx_ims_pool_template(ngx_ims_block_t *block, ngx_ims_str_t *impu,
    ngx_uint_t number, u_char *out);

/* "IMPU IMPI" of an entry that is not configured; the length, 0: unknown */
size_t ngx_ims_pool_kept_text(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *out);

/* the block whose tokens may name an identity, by its key; NULL: none */
ngx_ims_block_t *ngx_ims_pool_claim_block(ngx_ims_pool_t *pool, u_char *key,
    size_t len);

/*
 * Fills a target with an identity that a token names.  NGX_OK, or NGX_DECLINED:
 * not of this pool.  The lock is not needed.
 */
ngx_int_t ngx_ims_pool_claim_target(ngx_ims_pool_t *pool, ngx_str_t *impu,
    ngx_ims_pool_target_t *t);

/* the secret of the zone makes collisions hard to find */
uint64_t ngx_ims_pool_claim_hash(ngx_ims_pool_t *pool, u_char *key,
    size_t len);

/* the entry that has a claimed identity, by its key; NONE: nobody has it */
uint32_t ngx_ims_pool_claim_find(ngx_ims_pool_t *pool, uint64_t hash,
    u_char *key, size_t len);

/* an unused entry gets it; NONE: no room.  Its state is the caller's. */
uint32_t ngx_ims_pool_claim_add(ngx_ims_pool_t *pool,
    ngx_ims_pool_target_t *t);

/*
 * 1 when an identity that a token names left the configuration, and is or was a
 * while ago another user's there.  The lock is held.
 */
ngx_uint_t ngx_ims_pool_lingers(ngx_ims_pool_t *pool, u_char *key, size_t len,
    u_char *user);

/* out of the chain */
void ngx_ims_pool_claim_del(ngx_ims_pool_t *pool, uint32_t i);


#endif /* _NGX_IMS_POOL_INT_H_INCLUDED_ */
