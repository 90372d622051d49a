
/*
 * Copyright (C) the IMS portal authors
 */


/* the cache of replies: found for its life, bounded in memory, no leak */


#include <stdbool.h>
#include <stdint.h>

#include <re.h>

#include "mh_cache.h"
#include "tap.h"


static void
add(struct mh_cache *cache, const char *cookie, const char *reply,
    uint64_t now)
{
    struct pl  pl;

    pl_set_str(&pl, cookie);
    mh_cache_add(cache, &pl, reply, strlen(reply), now);
}


static bool
has(const struct mh_cache *cache, const char *cookie, const char *reply)
{
    struct pl  pl, found;

    pl_set_str(&pl, cookie);

    return mh_cache_find(cache, &pl, &found)
           && pl_strcmp(&found, reply) == 0;
}


static void
test_life(void)
{
    struct pl         pl, found;
    struct mh_cache  *cache;

    is_int(mh_cache_alloc(&cache), 0, "a cache");

    add(cache, "a_1", "first", 1000);
    add(cache, "a_2", "second", 2000);

    ok(has(cache, "a_1", "first"), "a reply is found");
    ok(has(cache, "a_2", "second"), "another one too");

    pl_set_str(&pl, "a_");
    ok(!mh_cache_find(cache, &pl, &found), "a prefix is no cookie");

    mh_cache_tick(cache, 1000 + MH_CACHE_LIFE - 1);
    ok(has(cache, "a_1", "first"), "it lives for its time");

    mh_cache_tick(cache, 1000 + MH_CACHE_LIFE);
    ok(!has(cache, "a_1", "first"), "and no longer");
    ok(has(cache, "a_2", "second"), "the younger one is still there");

    mem_deref(cache);
}


static void
test_bound(void)
{
    char              cookie[32], *big;
    unsigned          i;
    struct memstat    stat;
    struct mh_cache  *cache;

    is_int(mh_cache_alloc(&cache), 0, "a cache to fill");

    big = malloc(1048577);
    memset(big, 'x', 1048576);
    big[1048576] = '\0';

    for (i = 0; i < 100; i++) {
        (void) snprintf(cookie, sizeof(cookie), "c_%u", i);
        add(cache, cookie, big, 1);
    }

    ok(has(cache, "c_99", big), "the latest is kept");
    ok(!has(cache, "c_0", big), "the oldest had to go");
    ok(has(cache, "c_80", big), "what fits is kept");
    ok(!has(cache, "c_60", big), "what does not is not");

    if (mem_get_stat(&stat) == 0) {
        ok(stat.bytes_peak < MH_CACHE_BYTES + 2097152, "memory is bounded");
    }

    add(cache, "small", "reply", 1);
    ok(has(cache, "small", "reply"), "a small one still gets in");

    mem_deref(cache);
    free(big);
}


int
main(void)
{
    test_life();
    test_bound();

    return done_testing();
}
