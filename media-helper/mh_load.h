
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Tells when the loop has more to do than it can: then new calls are
 * refused, so that the packets of those that there are come through.
 *
 *   - its tick comes late, again and again: once (the machine was asleep, a
 *     debugger) is nothing;
 *   - the process has used its core up for some seconds;
 *   - the kernel drops datagrams because the loop does not fetch them.
 *
 * No timer of its own, no allocation, no system call but two clocks once a
 * second.
 */


#ifndef MH_LOAD_H
#define MH_LOAD_H


#include <stdint.h>


enum mh_load_limits {
    MH_LOAD_TICK = 50,          /* ms: how often mh_load_tick() is due */
    MH_LOAD_LATE = 4,           /* points of a late tick; one in time: -1 */
    MH_LOAD_HIGH = 12,          /* points from which it is too much */
    MH_LOAD_MAX = 20,           /* so it is over after that many good ones */
    MH_LOAD_SECONDS = 3         /* in a row, for CPU and drops */
};


struct mh_load {
    unsigned    cpu_max;        /* percent of a core, 0 = any */
    unsigned    late_max;       /* ms, 0 = any */

    uint64_t    last;           /* ms of the last tick, 0 before the first */
    unsigned    points;
    uint64_t    second;         /* ms at the start of this one */
    uint64_t    cpu_start;      /* us, as told then */
    uint64_t    drops_start;
    unsigned    busy;           /* seconds in a row with too much CPU */
    unsigned    dropping;       /* and with drops */

    unsigned    cpu;            /* percent in the last second */
    unsigned    late;           /* ms: the latest tick of the last second */
    unsigned    worst;          /* of this second so far */

    /* what the caller has found, for the statistics */

    uint64_t    drops_web;
    uint64_t    drops_ims;
    const char *why;            /* what mh_load_tick() said last */
    uint64_t    told;           /* ms of the last log line on it */
    unsigned    periods;        /* how often it began */
};


/*
 * Once a tick.
 *
 * @param load   cpu_max and late_max are set, the rest was zero
 * @param now    ms of mh_clock()
 * @param cpu    us of CPU that the process has used
 * @param drops  datagrams that the kernel has dropped so far
 *
 * @return why new calls are to be refused: a constant text for "message" of
 *         an ng reply; NULL if they are not
 */
const char *mh_load_tick(struct mh_load *load, uint64_t now, uint64_t cpu,
    uint64_t drops);

/* @return us of CPU that this process has used */
uint64_t mh_load_cpu(void);


#endif /* MH_LOAD_H */
