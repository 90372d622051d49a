
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The helper's figures as text for Prometheus (exposition format 0.0.4).
 */


#ifndef MH_METRICS_H
#define MH_METRICS_H


#include <stddef.h>


/*
 * Writes all rows of mh_stats_walk(), named "media_helper_" and the words
 * with underscores, counters with "_total" at the end; then calls by their
 * state.
 *
 * @param arg  a struct mh_cmd
 *
 * @return bytes, 0 if they do not fit
 */
size_t mh_metrics_write(char *buf, size_t size, void *arg);


#endif /* MH_METRICS_H */
