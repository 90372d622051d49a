
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The clock of all timers: milliseconds that never jump.  libre's
 * tmr_jiffies() is the wall clock, which does when the host's time is set.
 */


#ifndef MH_CLOCK_H
#define MH_CLOCK_H


#include <stdint.h>
#include <time.h>


static inline uint64_t
mh_clock(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1) {
        return 0;
    }

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


#endif /* MH_CLOCK_H */
