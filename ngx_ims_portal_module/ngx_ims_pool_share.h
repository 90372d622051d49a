/*
 * Copyright (C) the IMS portal authors
 *
 * A pool whose identities other hosts give out, too.  Who has which is decided
 * by a server that all ask (ngx_ims_lease.h); the zone remembers what it said:
 * a lease with its generation, and until when it is good; and of an identity
 * that is free here, until when another host's user has it ("expires").
 *
 * All functions take the zone's lock themselves.
 */


#ifndef _NGX_IMS_POOL_SHARE_H_INCLUDED_
#define _NGX_IMS_POOL_SHARE_H_INCLUDED_


#include "ngx_ims_pool.h"


enum {
    NGX_IMS_POOL_OFFERS = 1024           /* identities in one question */
};


/* a lease of this host */
typedef struct {
    uint32_t                  lease;
    uint32_t                  seq;
    u_char                    user[NGX_IMS_DIGEST_LEN];
    uint64_t                  generation;
    time_t                    confirmed;      /* s, until when it is good */
    ngx_uint_t                bindings;
    ngx_uint_t                here;           /* the server knows of them */
    time_t                    time;           /* s, of the whole lease */
} ngx_ims_pool_held_t;


/* what a user may get */
typedef struct {
    uint32_t                  entries[NGX_IMS_POOL_OFFERS + 2];
    ngx_uint_t                n;
    ngx_uint_t                only;           /* this one and no other */
    u_char                    text[NGX_IMS_MAX_IMPU];
    size_t                    len;            /* only: one that has no entry */
} ngx_ims_pool_offer_t;


typedef enum {
    NGX_IMS_POOL_WALK_BOUND = 0,         /* those with browsers */
    NGX_IMS_POOL_WALK_UNBOUND,           /* the others that are good */
    NGX_IMS_POOL_WALK_DUE                /* what the server should hear of:
                                            the first half of the lease is over,
                                            browsers came or went */
} ngx_ims_pool_walk_e;


/*
 * The running lease of a user that the server has confirmed; NGX_OK, or
 * NGX_DECLINED: there is none, or it is over, or was given back.
 */
ngx_int_t ngx_ims_pool_share_find(ngx_ims_pool_t *pool, u_char *user,
    ngx_ims_pool_held_t *held);

/* the same by entry; also one that nobody has confirmed */
ngx_int_t ngx_ims_pool_share_held(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_pool_held_t *held);

/* the user uses it: its time begins anew in this host */
void ngx_ims_pool_share_use(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_want_t *want);

/*
 * Entries to ask for: the one that his token names, or the one that is reserved
 * for him, the one that he had last and the oldest free ones, in later rounds
 * some by chance, then all that may be free in turn.  NGX_OK, NGX_BUSY: none is
 * left, or no more guests are let in; NGX_DECLINED: none is for him.
 */
ngx_int_t ngx_ims_pool_share_offer(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_uint_t round, ngx_ims_pool_offer_t *offer);

/* the text by which hosts know an entry's identity; the length, 0: none */
size_t ngx_ims_pool_share_text(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *out);

/*
 * The server gave an identity to a user.
 *
 * confirmed  s, until when
 * away       the URL of the host that has his browsers, or empty
 * lease      set to its entry
 * fresh      set to 1: it was not leased to him here at that moment
 * ended      set to an entry whose browsers have to be ended, because it was
 *            another user's or he had it; or NONE
 *
 * NGX_OK; NGX_BUSY: it can be his when those browsers are gone, or there is no
 * room for it; NGX_DECLINED: it is not an identity of this host's.
 */
ngx_int_t ngx_ims_pool_share_adopt(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    ngx_str_t *identity, uint64_t generation, time_t confirmed,
    ngx_str_t *away, uint32_t *lease, ngx_uint_t *fresh, uint32_t *ended);

/* 1 when the running lease of a user is what he should have */
ngx_uint_t ngx_ims_pool_share_right(ngx_ims_pool_t *pool,
    ngx_ims_want_t *want, ngx_ims_pool_held_t *held);

/* the server confirmed it, and that it has browsers here, or not */
void ngx_ims_pool_share_confirm(ngx_ims_pool_t *pool,
    ngx_ims_pool_held_t *held, uint64_t generation, time_t confirmed);

/* another host's user has it until then, s */
void ngx_ims_pool_share_taken(ngx_ims_pool_t *pool, uint32_t lease,
    time_t until);

/*
 * It is not this user's any more; he has none then.  NGX_OK; NGX_AGAIN: its
 * browsers have to be ended; NGX_DECLINED: it was not his, or is of another
 * generation (0: any).
 */
ngx_int_t ngx_ims_pool_share_lose(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *user, uint64_t generation);

/* forgets what the server said about a lease that is given back */
void ngx_ims_pool_share_forget(ngx_ims_pool_t *pool, uint32_t lease);

/* the URL of the host that has the user's browsers; 0: this one, or none has */
size_t ngx_ims_pool_share_away(ngx_ims_pool_t *pool, uint32_t lease,
    u_char *out);

/*
 * Looks at n entries from *cursor on, and moves it; at the end it is the number
 * of entries.  Those that are meant, at most max, are in out.  How many.
 */
ngx_uint_t ngx_ims_pool_share_walk(ngx_ims_pool_t *pool,
    ngx_ims_pool_walk_e which, uint32_t *cursor, ngx_uint_t n,
    ngx_ims_pool_held_t *out, ngx_uint_t max);


#endif /* _NGX_IMS_POOL_SHARE_H_INCLUDED_ */
