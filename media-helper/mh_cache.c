
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the replies that may be asked for again: a hash by cookie and a list
 * by age.  mh_ctl calls the tick once a second.
 */


#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cache.h"


enum {
    MH_CACHE_BUCKETS = 4096
};


struct mh_entry {
    struct le         he;
    struct le         le;
    struct mh_cache  *cache;
    uint64_t          added;
    struct pl         cookie;       /* both in data */
    struct pl         reply;
    char              data[];
};


struct mh_cache {
    struct hash  *index;
    struct list   list;             /* the oldest first */
    size_t        bytes;
};


static void mh_cache_destroy(void *data);
static void mh_entry_destroy(void *data);
static bool mh_cache_cookie_h(struct le *le, void *arg);


int
mh_cache_alloc(struct mh_cache **cp)
{
    int               err;
    struct mh_cache  *cache;

    cache = mem_zalloc(sizeof(*cache), mh_cache_destroy);
    if (cache == NULL) {
        return ENOMEM;
    }

    err = hash_alloc(&cache->index, MH_CACHE_BUCKETS);
    if (err) {
        mem_deref(cache);
        return err;
    }

    *cp = cache;

    return 0;
}


bool
mh_cache_find(const struct mh_cache *cache, const struct pl *cookie,
    struct pl *reply)
{
    struct le        *le;
    struct mh_entry  *entry;

    le = hash_lookup(cache->index, hash_joaat_pl(cookie), mh_cache_cookie_h,
                     (void *) cookie);
    if (le == NULL) {
        return false;
    }

    entry = le->data;
    *reply = entry->reply;

    return true;
}


void
mh_cache_add(struct mh_cache *cache, const struct pl *cookie,
    const void *reply, size_t len, uint64_t now)
{
    size_t            n;
    struct le        *le;
    struct mh_entry  *entry;

    n = sizeof(*entry) + cookie->l + len;

    while (cache->bytes + n > MH_CACHE_BYTES) {
        le = list_head(&cache->list);

        if (le == NULL) {
            return;
        }

        mem_deref(le->data);
    }

    entry = mem_alloc(n, mh_entry_destroy);
    if (entry == NULL) {
        return;
    }

    memset(entry, 0, sizeof(*entry));
    memcpy(entry->data, cookie->p, cookie->l);
    memcpy(entry->data + cookie->l, reply, len);

    entry->cache = cache;
    entry->added = now;
    entry->cookie.p = entry->data;
    entry->cookie.l = cookie->l;
    entry->reply.p = entry->data + cookie->l;
    entry->reply.l = len;

    hash_append(cache->index, hash_joaat_pl(cookie), &entry->he, entry);
    list_append(&cache->list, &entry->le, entry);
    cache->bytes += n;
}


void
mh_cache_tick(struct mh_cache *cache, uint64_t now)
{
    struct le        *le;
    struct mh_entry  *entry;

    for ( ;; ) {
        le = list_head(&cache->list);

        if (le == NULL) {
            return;
        }

        entry = le->data;

        if (now < entry->added + MH_CACHE_LIFE) {
            return;
        }

        mem_deref(entry);
    }
}


static void
mh_cache_destroy(void *data)
{
    struct mh_cache  *cache = data;

    list_flush(&cache->list);
    mem_deref(cache->index);
}


static void
mh_entry_destroy(void *data)
{
    struct mh_entry  *entry = data;

    hash_unlink(&entry->he);
    list_unlink(&entry->le);

    entry->cache->bytes -= sizeof(*entry) + entry->cookie.l + entry->reply.l;

    /* there may be SDES keys in it */

    explicit_bzero(entry->data, entry->cookie.l + entry->reply.l);
}


static bool
mh_cache_cookie_h(struct le *le, void *arg)
{
    const struct pl        *cookie = arg;
    const struct mh_entry  *entry = le->data;

    return pl_cmp(&entry->cookie, cookie) == 0;
}
