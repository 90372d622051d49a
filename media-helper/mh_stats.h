
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The helper's figures as one table: ng "statistics" and the text for
 * Prometheus walk the same rows, so that none of them lacks what the other
 * has.  A new figure is a row in mh_stats.c.
 */


#ifndef MH_STATS_H
#define MH_STATS_H


#include <stdint.h>


struct mh_cmd;


enum mh_stats_kind {
    MH_STATS_COUNTER,           /* only grows while the process lives */
    MH_STATS_GAUGE
};


/*
 * Takes one figure.
 *
 * @param name   words with single spaces, "calls total"; the same in every
 *               version
 * @param kind   of it
 * @param help   a sentence without a full stop
 * @param value  now
 * @param arg    of mh_stats_walk()
 */
typedef void (mh_stats_h)(const char *name, enum mh_stats_kind kind,
    const char *help, uint64_t value, void *arg);


/* Gives all figures, each name once, always in the same order */
void mh_stats_walk(const struct mh_cmd *cmd, mh_stats_h *h, void *arg);


#endif /* MH_STATS_H */
