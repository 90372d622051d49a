
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the log's destination, and how often a line may be repeated.  Used by
 * every file of the helper's upper floors; it allocates nothing.
 *
 * Timer: mh_log_tick() tells what was left out.
 */


#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_log.h"


enum {
    MH_LOG_LINE = 1024,         /* bytes of one line, longer ones are cut */
    MH_LOG_LAST = 160,          /* and of one that is only quoted */
    MH_LOG_KINDS = 64,          /* formats; more than there are */
    MH_LOG_PERIOD = 1000,       /* ms */
    MH_LOG_SA = 64
};


/* lines of one format: who can cause one can mostly cause a million */

struct mh_log_kind {
    const char  *fmt;           /* NULL: this one is free */
    int          level;
    const char  *name;
    uint64_t     start;         /* ms, of the period */
    unsigned     lines;         /* written in it */
    unsigned     more;          /* and left out */
    char         last[MH_LOG_LAST];     /* of these */
};


static void mh_log_limited(int level, const char *name, const char *fmt,
    va_list ap) __attribute__((format(printf, 3, 0)));
static struct mh_log_kind *mh_log_find(const char *fmt);
static void mh_log_more(struct mh_log_kind *k);
static void mh_log_text(int level, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void mh_log_write(int level, const char *name, const char *fmt,
    va_list ap);


static bool  mh_log_syslog;
static bool  mh_log_debug;

static struct mh_log_kind  mh_log_kinds[MH_LOG_KINDS];


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
    mh_log_limited(LOG_ERR, "error", fmt, ap);
    va_end(ap);
}


void
mh_warn(const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    mh_log_limited(LOG_WARNING, "warn", fmt, ap);
    va_end(ap);
}


void
mh_info(const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    mh_log_limited(LOG_INFO, "info", fmt, ap);
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


void
mh_log_tick(uint64_t now)
{
    unsigned             i;
    struct mh_log_kind  *k;

    for (i = 0; i < MH_LOG_KINDS && mh_log_kinds[i].fmt != NULL; i++) {
        k = &mh_log_kinds[i];

        if (k->more && now >= k->start + MH_LOG_PERIOD) {
            mh_log_more(k);
        }
    }
}


static void
mh_log_limited(int level, const char *name, const char *fmt, va_list ap)
{
    uint64_t             now;
    struct mh_log_kind  *k;

    k = mh_log_find(fmt);

    if (k == NULL) {
        mh_log_write(level, name, fmt, ap);
        return;
    }

    now = mh_clock();

    if (k->lines && now >= k->start + MH_LOG_PERIOD) {

        if (k->more) {
            mh_log_more(k);
        }

        k->lines = 0;
    }

    if (k->lines == 0) {
        k->start = now;
    }

    if (k->lines < MH_LOG_REPEAT) {
        k->lines++;
        mh_log_write(level, name, fmt, ap);
        return;
    }

    k->more++;
    k->level = level;
    k->name = name;
    (void) vsnprintf(k->last, sizeof(k->last), fmt, ap);
}


/* formats are constants: the same one is at the same place */

static struct mh_log_kind *
mh_log_find(const char *fmt)
{
    unsigned  i;

    for (i = 0; i < MH_LOG_KINDS; i++) {

        if (mh_log_kinds[i].fmt == NULL) {
            mh_log_kinds[i].fmt = fmt;
        }

        if (mh_log_kinds[i].fmt == fmt) {
            return &mh_log_kinds[i];
        }
    }

    return NULL;
}


static void
mh_log_more(struct mh_log_kind *k)
{
    mh_log_text(k->level, k->name, "%u more like: %s", k->more, k->last);
    k->more = 0;
}


static void
mh_log_text(int level, const char *name, const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    mh_log_write(level, name, fmt, ap);
    va_end(ap);
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
