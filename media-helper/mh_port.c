
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the map of port pairs that are in use and the counters that audit
 * it.  mh_stream is its only user.  No timer of its own: mh_port_poll() is
 * called once a second.
 */


#include <errno.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <re.h>

#include "mh_limits.h"
#include "mh_port.h"


enum {
    MH_PORT_POLL = 512          /* slots looked at in one go */
};


struct mh_port_slot {
    bool      taken;
    int       fds[2];           /* RTP, RTCP */
    uint32_t  dropped[2];       /* as the kernel said last */
};


struct mh_port_pool {
    struct sa             addr;
    uint16_t              first;    /* the lowest even port */
    unsigned              total;    /* pairs */
    unsigned              used;
    unsigned              limit;    /* of used */
    struct mh_port_slot  *slots;    /* one a pair */
    unsigned              next;     /* where mh_port_poll() goes on */
    uint64_t              dropped;
};


static void mh_port_pool_destroy(void *data);
static void mh_port_slot_poll(struct mh_port_pool *pool,
    struct mh_port_slot *slot);
static int mh_port_bind(const struct sa *addr, uint16_t port, int tos,
    int *fdp);


int
mh_port_pool_alloc(struct mh_port_pool **pp, const struct sa *addr,
    uint16_t min, uint16_t max)
{
    struct mh_port_pool  *pool;

    if (min == 0 || min > max) {
        return EINVAL;
    }

    if (min % 2) {
        min++;
    }

    if (min == 0 || (unsigned) min + 1 > max) {
        return EINVAL;
    }

    pool = mem_zalloc(sizeof(*pool), mh_port_pool_destroy);
    if (pool == NULL) {
        return ENOMEM;
    }

    sa_cpy(&pool->addr, addr);
    pool->first = min;
    pool->total = ((unsigned) max - min + 1) / 2;
    pool->limit = pool->total;
    pool->slots = mem_zalloc(pool->total * sizeof(struct mh_port_slot), NULL);

    if (pool->slots == NULL) {
        mem_deref(pool);
        return ENOMEM;
    }

    *pp = pool;

    return 0;
}


int
mh_port_open(struct mh_port_pool *pool, int tos, struct mh_port_pair *pair)
{
    int       err;
    unsigned  i, n, start;
    uint16_t  port;

    if (pool->used >= pool->limit) {
        return ENOSPC;
    }

    if (getrandom(&start, sizeof(start), 0) != sizeof(start)) {
        start = 0;
    }

    for (i = 0; i < pool->total; i++) {
        n = (start % pool->total + i) % pool->total;

        if (pool->slots[n].taken) {
            continue;
        }

        port = (uint16_t) (pool->first + 2 * n);

        err = mh_port_bind(&pool->addr, port, tos, &pair->rtp);
        if (err == EADDRINUSE) {
            continue;
        }

        if (err) {
            return err;
        }

        err = mh_port_bind(&pool->addr, port + 1, tos, &pair->rtcp);
        if (err) {
            (void) close(pair->rtp);

            if (err == EADDRINUSE) {
                continue;
            }

            return err;
        }

        memset(&pool->slots[n], 0, sizeof(struct mh_port_slot));
        pool->slots[n].taken = true;
        pool->slots[n].fds[0] = pair->rtp;
        pool->slots[n].fds[1] = pair->rtcp;
        pool->used++;

        sa_cpy(&pair->local, &pool->addr);
        sa_set_port(&pair->local, port);
        pair->pool = mem_ref(pool);

        return 0;
    }

    return ENOSPC;
}


void
mh_port_limit(struct mh_port_pool *pool, unsigned pairs)
{
    pool->limit = pairs;
}


void
mh_port_close(struct mh_port_pair *pair)
{
    unsigned              n;
    struct mh_port_pool  *pool;

    pool = pair->pool;

    if (pool == NULL) {
        return;
    }

    n = (sa_port(&pair->local) - pool->first) / 2;

    mh_port_slot_poll(pool, &pool->slots[n]);

    (void) close(pair->rtp);
    (void) close(pair->rtcp);

    pool->slots[n].taken = false;
    pool->used--;

    pair->pool = NULL;
    mem_deref(pool);
}


void
mh_port_poll(struct mh_port_pool *pool)
{
    unsigned  i;

    for (i = 0; i < MH_PORT_POLL && i < pool->total; i++) {
        mh_port_slot_poll(pool, &pool->slots[pool->next]);
        pool->next = (pool->next + 1) % pool->total;
    }
}


uint64_t
mh_port_dropped(const struct mh_port_pool *pool)
{
    return pool->dropped;
}


unsigned
mh_port_count(const struct mh_port_pool *pool)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < pool->total; i++) {
        n += pool->slots[i].taken;
    }

    return n;
}


const struct sa *
mh_port_addr(const struct mh_port_pool *pool)
{
    return &pool->addr;
}


unsigned
mh_port_used(const struct mh_port_pool *pool)
{
    return pool->used;
}


unsigned
mh_port_total(const struct mh_port_pool *pool)
{
    return pool->total;
}


static void
mh_port_pool_destroy(void *data)
{
    struct mh_port_pool  *pool = data;

    mem_deref(pool->slots);
}


static void
mh_port_slot_poll(struct mh_port_pool *pool, struct mh_port_slot *slot)
{
    unsigned  i;
    uint32_t  dropped;

    if (!slot->taken) {
        return;
    }

    for (i = 0; i < 2; i++) {
        dropped = mh_limits_dropped(slot->fds[i]);
        pool->dropped += dropped - slot->dropped[i];
        slot->dropped[i] = dropped;
    }
}


static int
mh_port_bind(const struct sa *addr, uint16_t port, int tos, int *fdp)
{
    int        fd, af, err;
    struct sa  sa;

    af = sa_af(addr);

    fd = socket(af, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return errno;
    }

    /* a missing mark is no reason to refuse a call */

    if (tos && af == AF_INET6) {
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));

    } else if (tos) {
        (void) setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    }

    sa_cpy(&sa, addr);
    sa_set_port(&sa, port);

    if (bind(fd, &sa.u.sa, sa.len) == -1) {
        err = errno;
        (void) close(fd);
        return err;
    }

    *fdp = fd;

    return 0;
}
