
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Replies by cookie: a client that got none sends its request again, and a
 * command must not be done twice.
 */


#ifndef MH_CACHE_H
#define MH_CACHE_H


#include <stddef.h>
#include <stdint.h>

#include <re.h>


enum mh_cache_limits {
    MH_CACHE_LIFE = 60000,          /* ms that a reply is kept at least ... */
    MH_CACHE_BYTES = 33554432       /* ... unless there are more than that:
                                       then the oldest goes */
};


struct mh_cache;


/* @return 0 or ENOMEM; free it with mem_deref() */
int mh_cache_alloc(struct mh_cache **cp);

/*
 * @param cookie  of the request
 * @param reply   out: the whole reply, the cache's; valid until the next add
 *
 * @return whether there is one
 */
bool mh_cache_find(const struct mh_cache *cache, const struct pl *cookie,
    struct pl *reply);

/*
 * Keeps a copy of a reply.  Without memory it is not kept.
 *
 * @param now  ms of mh_clock()
 */
void mh_cache_add(struct mh_cache *cache, const struct pl *cookie,
    const void *reply, size_t len, uint64_t now);

/* Forgets what is older than MH_CACHE_LIFE */
void mh_cache_tick(struct mh_cache *cache, uint64_t now);


#endif /* MH_CACHE_H */
