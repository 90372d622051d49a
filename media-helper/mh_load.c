
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the judgement on load; see mh_load.h.  No timer of its own.
 */


#include <stdint.h>
#include <stddef.h>
#include <time.h>

#include "mh_load.h"


static void mh_load_late(struct mh_load *load, uint64_t now);
static void mh_load_second(struct mh_load *load, uint64_t now, uint64_t cpu,
    uint64_t drops);


const char *
mh_load_tick(struct mh_load *load, uint64_t now, uint64_t cpu,
    uint64_t drops)
{
    if (load->last == 0) {
        load->second = now;
        load->cpu_start = cpu;
        load->drops_start = drops;

    } else {
        mh_load_late(load, now);
        mh_load_second(load, now, cpu, drops);
    }

    load->last = now;

    if (load->points >= MH_LOAD_HIGH) {
        return "Load limit exceeded";
    }

    if (load->busy >= MH_LOAD_SECONDS) {
        return "CPU usage limit exceeded";
    }

    if (load->dropping >= MH_LOAD_SECONDS) {
        return "Bandwidth limit exceeded";
    }

    return NULL;
}


uint64_t
mh_load_cpu(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == -1) {
        return 0;
    }

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static void
mh_load_late(struct mh_load *load, uint64_t now)
{
    uint64_t  late;

    late = now - load->last;
    late = (late > MH_LOAD_TICK) ? late - MH_LOAD_TICK : 0;

    if (late > load->worst) {
        load->worst = (unsigned) late;
    }

    if (load->late_max && late > load->late_max) {
        load->points += MH_LOAD_LATE;

        if (load->points > MH_LOAD_MAX) {
            load->points = MH_LOAD_MAX;
        }

    } else if (load->points) {
        load->points--;
    }
}


static void
mh_load_second(struct mh_load *load, uint64_t now, uint64_t cpu,
    uint64_t drops)
{
    uint64_t  wall;

    wall = now - load->second;

    if (wall < 1000) {
        return;
    }

    load->cpu = (unsigned) ((cpu - load->cpu_start) / (wall * 10));
    load->late = load->worst;
    load->worst = 0;

    load->busy = (load->cpu_max && load->cpu >= load->cpu_max)
                 ? load->busy + 1 : 0;

    /* a burst that finds the buffer full is no lack of time */

    load->dropping = (load->cpu_max && drops > load->drops_start
                      && load->cpu >= load->cpu_max / 2)
                     ? load->dropping + 1 : 0;

    load->second = now;
    load->cpu_start = cpu;
    load->drops_start = drops;
}
