
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the log's destination.  Used by every file of the helper's upper
 * floors; it has no timer and allocates nothing.
 */


#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include <re.h>

#include "mh_log.h"


enum {
    MH_LOG_LINE = 1024,         /* bytes of one line, longer ones are cut */
    MH_LOG_SA = 64
};


static void mh_log_write(int level, const char *name, const char *fmt,
    va_list ap);


static bool  mh_log_syslog;
static bool  mh_log_debug;


void
mh_log_init(bool to_syslog, bool debug)
{
    mh_log_syslog = to_syslog;
    mh_log_debug = debug;

    if (to_syslog) {
        tzset();
        openlog("media-helper", LOG_PID|LOG_NDELAY, LOG_DAEMON);
    }
}


void
mh_err(const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    mh_log_write(LOG_ERR, "error", fmt, ap);
    va_end(ap);
}


void
mh_warn(const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    mh_log_write(LOG_WARNING, "warn", fmt, ap);
    va_end(ap);
}


void
mh_info(const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    mh_log_write(LOG_INFO, "info", fmt, ap);
    va_end(ap);
}


void
mh_debug(const char *fmt, ...)
{
    va_list  ap;

    if (!mh_log_debug) {
        return;
    }

    va_start(ap, fmt);
    mh_log_write(LOG_DEBUG, "debug", fmt, ap);
    va_end(ap);
}


const char *
mh_log_sa(const struct sa *sa)
{
    static unsigned  turn;
    static char      buf[4][MH_LOG_SA];

    char  *p, addr[MH_LOG_SA - 8];

    p = buf[turn++ % 4];

    if (sa_ntop(sa, addr, sizeof(addr)) != 0) {
        (void) snprintf(p, MH_LOG_SA, "-");
        return p;
    }

    (void) snprintf(p, MH_LOG_SA, sa_af(sa) == AF_INET6 ? "[%s]:%u" : "%s:%u",
                    addr, sa_port(sa));

    return p;
}


static void
mh_log_write(int level, const char *name, const char *fmt, va_list ap)
{
    char            *p, line[MH_LOG_LINE];
    struct tm        tm;
    struct timespec  ts;

    (void) vsnprintf(line, sizeof(line), fmt, ap);

    /* a call-id is the peer's: it must not make lines of its own */

    for (p = line; *p; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }

    if (mh_log_syslog) {
        syslog(level, "%s", line);
        return;
    }

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (gmtime_r(&ts.tv_sec, &tm) == NULL) {
        return;
    }

    (void) fprintf(stderr, "%02d:%02d:%02d.%03ldZ [%s] %s\n", tm.tm_hour,
                   tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000, name, line);
}
