
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What the machine allows, and whether it is enough: told once, at the
 * start, while /proc can be read.  Nothing of it stops the start.
 */


#ifndef MH_LIMITS_H
#define MH_LIMITS_H


#include <stdint.h>


/*
 * Compares the buffer that a socket got with the one that was asked for; a
 * warning names the sysctl that is in the way.
 *
 * @param fd    a socket
 * @param want  bytes asked for
 */
void mh_limits_buffers(int fd, int want);

/*
 * Tells if outgoing connections of this machine may take ports of the range
 * (net.ipv4.ip_local_port_range without ip_local_reserved_ports).
 *
 * @param min  of the range
 * @param max  of it
 */
void mh_limits_ports(unsigned min, unsigned max);

/*
 * Warns of limits on memory that calls would run into (RLIMIT_AS,
 * RLIMIT_DATA), at MH_LIMITS_CALL bytes a call.
 *
 * @param calls  that there may be
 */
void mh_limits_memory(unsigned calls);

/* @return datagrams that the kernel dropped at this socket, 0 if it does not
           tell; wraps around */
uint32_t mh_limits_dropped(int fd);


enum {
    MH_LIMITS_CALL = 32768      /* bytes */
};


#endif /* MH_LIMITS_H */
