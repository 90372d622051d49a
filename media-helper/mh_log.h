
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Log lines: to stderr in the foreground, to syslog as a daemon.  Never from
 * the packet path; never a key, a password or a body.
 *
 * Of one format MH_LOG_REPEAT lines a second are written, and then one that
 * tells how many more there were: a client or a stranger must not be able to
 * fill a disk.  The trace has no limit.
 */


#ifndef MH_LOG_H
#define MH_LOG_H


#include <stdbool.h>
#include <stdint.h>


enum {
    MH_LOG_REPEAT = 5
};


struct sa;


/*
 * Chooses where lines go.  Before the first call they go to stderr.
 *
 * @param to_syslog  true: syslog, facility daemon; the connection is opened
 *                   now, because later there is no file system
 * @param debug      true: mh_debug() lines are written as well
 */
void mh_log_init(bool to_syslog, bool debug);

/* once a second; now in ms of mh_clock() */
void mh_log_tick(uint64_t now);

/* our bug, or a resource of the machine is gone */
void mh_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* works, but the operator should look */
void mh_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* start, stop, and what happens at most once a call */
void mh_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* the trace */
void mh_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * An address and port as text.
 *
 * @return one of four static buffers, used in turn
 */
const char *mh_log_sa(const struct sa *sa);


#endif /* MH_LOG_H */
