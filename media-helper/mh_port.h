
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Port pairs of the IMS side: an even UDP port for RTP, the next one for
 * RTCP (ME-9, RFC 3550 11).  One pool per local address.
 */


#ifndef MH_PORT_H
#define MH_PORT_H


#include <stdint.h>

#include <re.h>


struct mh_port_pool;


struct mh_port_pair {
    struct mh_port_pool  *pool;     /* NULL: nothing is open */
    int                   rtp;      /* non-blocking sockets */
    int                   rtcp;
    struct sa             local;    /* address and the even port */
};


/*
 * @param pp    set on success; free it with mem_deref(), when all its pairs
 *              are closed
 * @param addr  local address; its port is ignored
 * @param min   first port of the range, 1 to 65534; an odd one is raised
 * @param max   last port, above min
 *
 * @return 0, EINVAL (no pair within the range), ENOMEM
 */
int mh_port_pool_alloc(struct mh_port_pool **pp, const struct sa *addr,
    uint16_t min, uint16_t max);

/*
 * Opens the two sockets of a free pair, beginning the search at a random
 * place.  Pairs that another process holds are passed over.
 *
 * @param pool  the pool
 * @param tos   value of IP_TOS (DSCP << 2), 0 to 252
 * @param pair  out; close it with mh_port_close()
 *
 * @return 0; ENOSPC if no pair is free; or what socket(2) or bind(2) said
 */
int mh_port_open(struct mh_port_pool *pool, int tos,
    struct mh_port_pair *pair);

/*
 * Allows fewer pairs at once than the range has, where descriptors are few
 */
void mh_port_limit(struct mh_port_pool *pool, unsigned pairs);

/* Closes a pair, no matter whether it is open */
void mh_port_close(struct mh_port_pair *pair);

/*
 * Asks the kernel what it dropped because a socket's buffer was full: some
 * pairs each time, all of them in turn.  Once a second.
 */
void mh_port_poll(struct mh_port_pool *pool);

/* @return datagrams dropped by the kernel, as far as it was asked */
uint64_t mh_port_dropped(const struct mh_port_pool *pool);

/* @return pairs in use, counted: the same as mh_port_used(), or a bug */
unsigned mh_port_count(const struct mh_port_pool *pool);

/* @return the address that they are opened on */
const struct sa *mh_port_addr(const struct mh_port_pool *pool);

/* @return pairs in use */
unsigned mh_port_used(const struct mh_port_pool *pool);

/* @return pairs in the range */
unsigned mh_port_total(const struct mh_port_pool *pool);


#endif /* MH_PORT_H */
