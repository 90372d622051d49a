
/*
 * Copyright (C) the IMS portal authors
 */


/* port pairs: even and odd, never twice, passed over when taken, freed */


#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#include <re.h>

#include "mh_port.h"
#include "tap.h"


enum {
    BASE = 28100,
    PAIRS = 8
};


static void
test_range(const struct sa *lo)
{
    struct mh_port_pool  *pool;

    is_int(mh_port_pool_alloc(&pool, lo, 28101, 28102), EINVAL,
           "28101-28102 has no pair");
    is_int(mh_port_pool_alloc(&pool, lo, 28100, 28100), EINVAL,
           "a single port has no pair");
    is_int(mh_port_pool_alloc(&pool, lo, 65535, 65535), EINVAL,
           "nor has the last one");
    is_int(mh_port_pool_alloc(&pool, lo, 0, 100), EINVAL, "0 is no port");

    is_int(mh_port_pool_alloc(&pool, lo, 28101, 28105), 0, "28101-28105");
    is_int(mh_port_total(pool), 2, "has two pairs");
    mem_deref(pool);
}


static void
test_pairs(const struct sa *lo)
{
    int                   fd;
    unsigned              i, k, twice, odd;
    struct sa             sa;
    struct mh_port_pair   pairs[PAIRS + 1];
    struct mh_port_pool  *pool;

    memset(pairs, 0, sizeof(pairs));

    /* somebody else has the odd port of the third pair */

    fd = socket(AF_INET, SOCK_DGRAM, 0);
    sa_cpy(&sa, lo);
    sa_set_port(&sa, BASE + 5);
    is_int(bind(fd, &sa.u.sa, sa.len), 0, "a port of another process");

    is_int(mh_port_pool_alloc(&pool, lo, BASE, BASE + 2 * PAIRS - 1), 0,
           "a pool");

    for (i = 0; i < PAIRS; i++) {
        if (mh_port_open(pool, 0, &pairs[i]) != 0) {
            break;
        }
    }

    is_int(i, PAIRS - 1, "all pairs but that one");
    is_int(mh_port_open(pool, 0, &pairs[PAIRS]), ENOSPC, "then no more");
    is_int(mh_port_used(pool), PAIRS - 1, "the counter agrees");

    twice = 0;
    odd = 0;

    for (i = 0; i < PAIRS - 1; i++) {
        odd += sa_port(&pairs[i].local) % 2;

        for (k = 0; k < i; k++) {
            twice += sa_port(&pairs[i].local) == sa_port(&pairs[k].local);
        }
    }

    is_int(odd, 0, "RTP is even");
    is_int(twice, 0, "no pair twice");

    mh_port_close(&pairs[3]);
    mh_port_close(&pairs[3]);
    is_int(mh_port_used(pool), PAIRS - 2, "closed once, closed twice");

    is_int(mh_port_open(pool, 0, &pairs[3]), 0, "and free again at once");

    mh_port_limit(pool, 3);
    mh_port_close(&pairs[0]);
    is_int(mh_port_open(pool, 0, &pairs[0]), ENOSPC, "a limit holds");

    for (i = 0; i < PAIRS; i++) {
        mh_port_close(&pairs[i]);
    }

    is_int(mh_port_used(pool), 0, "all are free in the end");

    (void) close(fd);
    mem_deref(pool);
}


int
main(void)
{
    struct sa  lo;

    (void) sa_set_str(&lo, "127.0.0.1", 0);

    test_range(&lo);
    test_pairs(&lo);

    return done_testing();
}
