/*
 * Copyright (C) the IMS portal authors
 *
 * What leases cost: the pool's own code on memory of this process, without
 * nginx.  Times are of the wall, with the lock, and the least of some rounds.
 *
 *   leases [identities ...]
 */


#include "ngx_ims_pool.h"

#include "zone_shared.h"


enum {
    ROUNDS = 5
};


static ngx_ims_pool_t    pool;
static ngx_ims_block_t   block;
static ngx_log_t         log_;
static ngx_pool_t        mem;
static u_char          (*users)[NGX_IMS_DIGEST_LEN];
static ngx_uint_t        count;


static double
now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec * 1e9 + t.tv_nsec;
}


/* users come in no order that the table has */

static ngx_uint_t
at(ngx_uint_t i)
{
    return i * 7919 % count;
}


static void
lease(ngx_uint_t i)
{
    uint32_t        entry;
    ngx_uint_t      fresh;
    ngx_ims_want_t  want;

    memset(&want, 0, sizeof(want));
    want.user = users[at(i)];
    want.subject.data = (u_char *) "mary";
    want.subject.len = 4;

    if (ngx_ims_pool_lease(&pool, &want, &entry, &fresh, &log_) != NGX_OK) {
        fprintf(stderr, "no lease\n");
        exit(1);
    }
}


static void
find(ngx_uint_t i)
{
    uint32_t  entry;

    if (ngx_ims_pool_find(&pool, users[at(i)], &entry) != NGX_OK) {
        fprintf(stderr, "not found\n");
        exit(1);
    }
}


static void
identity(ngx_uint_t i)
{
    char           text[64];
    uint32_t       entry;
    ngx_ims_str_t  uri;

    uri.data = (u_char *) text;
    uri.len = (size_t) snprintf(text, sizeof(text),
                                "sip:u%07u@acme.example",
                                (unsigned) at(i) + 1);

    if (ngx_ims_pool_identity(&pool, &uri, &entry) != NGX_OK) {
        fprintf(stderr, "not an identity\n");
        exit(1);
    }
}


static void
each(const char *name, void (*f)(ngx_uint_t i), unsigned rounds)
{
    double      begin, least;
    unsigned    r;
    ngx_uint_t  i;

    for (least = 1e18, r = 0; r < rounds; r++) {
        begin = now();

        for (i = 0; i < count; i++) {
            f(i);
        }

        least = ngx_min(least, now() - begin);
    }

    printf("  %-40s %8.0f ns\n", name, least / count);
}


static void
once(const char *name, void (*f)(void))
{
    double  begin;

    begin = now();
    f();

    printf("  %-40s %8.1f ms\n", name, (now() - begin) / 1e6);
}


static void
map(void)
{
    if (ngx_ims_pool_map(&pool, &mem, &log_) != NGX_OK) {
        fprintf(stderr, "not mapped\n");
        exit(1);
    }
}


static void
retire(void)
{
    if (ngx_ims_pool_retire(&pool, &mem) != NGX_OK) {
        fprintf(stderr, "not retired\n");
        exit(1);
    }
}


static void
rebuild(void)
{
    ngx_ims_zone_lock(&pool.zone);
    ngx_ims_zone_rebuild(&pool.zone, ngx_time());
    ngx_ims_zone_unlock(&pool.zone);
}


static void
run(void)
{
    char           text[32];
    ngx_str_t      name = ngx_string("acme"), store = ngx_string("");
    ngx_uint_t     i;
    ngx_ims_str_t  issuer = ngx_ims_str("https://login.example"), subject;

    memset(&pool, 0, sizeof(pool));
    memset(&block, 0, sizeof(block));

    users = malloc(count * NGX_IMS_DIGEST_LEN);

    if (users == NULL) {
        exit(1);
    }

    for (i = 0; i < count; i++) {
        subject.data = (u_char *) text;
        subject.len = (size_t) snprintf(text, sizeof(text), "user-%lu",
                                        (unsigned long) i);
        ngx_ims_pool_user(&issuer, &subject, users[i]);
    }

    pool.name = name;
    pool.blocks.elts = &block;
    pool.blocks.nelts = 1;
    pool.total = count;
    pool.lease = 43200;
    pool.quarantine = 600;

    block.prefix = (ngx_str_t) ngx_string("sip:u");
    block.suffix = (ngx_str_t) ngx_string("@acme.example");
    block.key_prefix = block.prefix;
    block.key_suffix = block.suffix;
    block.impi = (ngx_str_t) ngx_string("$user@$host");
    block.first = 1;
    block.width = 7;
    block.count = count;

    printf("%lu identities\n", (unsigned long) count);

    /* with a text for each that is leased */

    if (ngx_ims_zone_open(&pool.zone, &name, &store,
                          (64 << 20) + count * 512, count, &log_)
        != NGX_OK)
    {
        fprintf(stderr, "no zone\n");
        exit(1);
    }

    once("start: identities get their entries", map);
    once("start: and can be had", retire);
    each("lease, all for the first time", lease, 1);
    each("lease again", lease, ROUNDS);
    each("look-up of a user", find, ROUNDS);
    each("look-up of an identity", identity, ROUNDS);
    once("reload, workers go on: entries", map);
    once("reload, workers go on: retire", retire);
    once("after a worker died with the lock", rebuild);

    (void) munmap(pool.zone.sh, (64 << 20) + count * 512);
    ngx_destroy_pool(&mem);
    free(users);
}


int
main(int argc, char **argv)
{
    int  i;

    ngx_pid = getpid();

    for (i = 1; i < argc; i++) {
        count = (ngx_uint_t) atol(argv[i]);
        run();
    }

    if (argc == 1) {
        count = 100000;
        run();
        count = 1000000;
        run();
    }

    return 0;
}
