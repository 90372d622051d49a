/*
 * Copyright (C) the IMS portal authors
 *
 * When new calls are refused for the load.
 */

#include <string.h>

#include "tap.h"
#include "../../media-helper/mh_load.c"


static struct mh_load  load;
static uint64_t        now, cpu, drops;


/* one tick after ms, in which percent of the core was used */

static const char *
tick(unsigned ms, unsigned percent)
{
    now += ms;
    cpu += ms * 10 * percent;

    return mh_load_tick(&load, now, cpu, drops);
}


static const char *
seconds(unsigned n, unsigned percent, unsigned lost)
{
    unsigned     i;
    const char  *why;

    why = NULL;

    for (i = 0; i < n * 20; i++) {
        drops += lost;
        why = tick(50, percent);
    }

    return why;
}


static void
begin(unsigned cpu_max, unsigned late_max)
{
    memset(&load, 0, sizeof(load));
    load.cpu_max = cpu_max;
    load.late_max = late_max;
    now = 1000000;
    drops = 7;
    (void) tick(50, 0);
}


static void
test_late(void)
{
    int  i;

    begin(95, 500);
    ok(tick(5000, 0) == NULL, "one late tick is nothing");
    is_int(load.late, 4950, "but it is told");
    ok(seconds(2, 10, 0) == NULL && load.late == 0, "and over");

    begin(95, 500);
    (void) tick(600, 0);
    (void) tick(600, 0);
    ok(tick(550, 0) == NULL, "two, and one in time, neither");
    ok(tick(600, 0) == NULL, "nor are three of four");
    ok(tick(600, 0) != NULL, "four of five are");

    for (i = 0; i < 30; i++) {
        (void) tick(700, 0);
    }

    for (i = 0; i < MH_LOAD_MAX && tick(50, 0) != NULL; i++) {
        /* void */
    }

    ok(i > 5 && i < MH_LOAD_MAX, "it takes some ticks in time to recover");

    begin(95, 0);

    for (i = 0; i < 30; i++) {
        if (tick(700, 0) != NULL) {
            break;
        }
    }

    is_int(i, 30, "without a limit it is never late");
}


static void
test_cpu(void)
{
    begin(95, 500);
    ok(seconds(2, 100, 0) == NULL, "two seconds of all the core");
    ok(seconds(2, 100, 0) != NULL && load.cpu >= 99, "three are too much");
    ok(seconds(2, 50, 0) == NULL, "it recovers");
    ok(seconds(9, 90, 0) == NULL, "90 percent are below 95");

    begin(0, 500);
    ok(seconds(9, 100, 0) == NULL, "without a limit any will do");
}


static void
test_drops(void)
{
    begin(95, 500);
    ok(seconds(9, 20, 1) == NULL, "drops of an idle process are bursts");
    ok(seconds(4, 60, 1) != NULL, "those of a busy one are too much");
    ok(seconds(2, 60, 0) == NULL, "until they end");
}


int
main(void)
{
    test_late();
    test_cpu();
    test_drops();

    ok(mh_load_cpu() > 0, "the process has used some time");

    return done_testing();
}
