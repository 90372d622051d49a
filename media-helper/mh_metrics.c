
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Text for Prometheus, out of the table of statistics.  Owns nothing.
 */


#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cmd.h"
#include "mh_metrics.h"
#include "mh_stats.h"


struct mh_metrics {
    char    *buf;
    size_t   size;
    size_t   len;
    bool     full;
};


enum mh_metrics_state {
    MH_METRICS_OFFERED,
    MH_METRICS_ANSWERED,
    MH_METRICS_LOST,
    MH_METRICS_FAILED,
    MH_METRICS_STATES
};


static void mh_metrics_figure_h(const char *name, enum mh_stats_kind kind,
    const char *help, uint64_t value, void *arg);
static void mh_metrics_states(struct mh_metrics *m,
    const struct mh_calls *calls);
static void mh_metrics_print(struct mh_metrics *m, const char *fmt, ...);


size_t
mh_metrics_write(char *buf, size_t size, void *arg)
{
    struct mh_metrics     m;
    const struct mh_cmd  *cmd = arg;

    m.buf = buf;
    m.size = size;
    m.len = 0;
    m.full = false;

    mh_stats_walk(cmd, mh_metrics_figure_h, &m);
    mh_metrics_states(&m, cmd->calls);

    return m.full ? 0 : m.len;
}


static void
mh_metrics_figure_h(const char *name, enum mh_stats_kind kind,
    const char *help, uint64_t value, void *arg)
{
    char                full[96];
    size_t              i, n;
    struct mh_metrics  *m = arg;

    n = strlen(name);

    (void) re_snprintf(full, sizeof(full), "media_helper_%s%s", name,
                       kind == MH_STATS_COUNTER
                       && (n < 6 || strcmp(name + n - 6, " total") != 0)
                       ? "_total" : "");

    for (i = 0; full[i] != '\0'; i++) {

        if (full[i] == ' ' || full[i] == '-') {
            full[i] = '_';
        }
    }

    mh_metrics_print(m, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", full, help,
                     full, kind == MH_STATS_COUNTER ? "counter" : "gauge",
                     full, (unsigned long long) value);
}


static void
mh_metrics_states(struct mh_metrics *m, const struct mh_calls *calls)
{
    unsigned               i, states[MH_METRICS_STATES];
    struct le             *le;
    const struct mh_call  *call;

    static const char *const  names[MH_METRICS_STATES] = {
        "offered", "answered", "media_lost", "failed"
    };

    memset(states, 0, sizeof(states));

    for (le = list_head(mh_calls_list(calls)); le; le = le->next) {
        call = le->data;

        states[call->failed ? MH_METRICS_FAILED
               : call->media_lost ? MH_METRICS_LOST
               : call->answered ? MH_METRICS_ANSWERED
               : MH_METRICS_OFFERED]++;
    }

    mh_metrics_print(m, "# HELP media_helper_calls_by_state Calls now\n"
                     "# TYPE media_helper_calls_by_state gauge\n");

    for (i = 0; i < MH_METRICS_STATES; i++) {
        mh_metrics_print(m, "media_helper_calls_by_state{state=\"%s\"} %u\n",
                         names[i], states[i]);
    }
}


static void
mh_metrics_print(struct mh_metrics *m, const char *fmt, ...)
{
    int      n;
    va_list  ap;

    if (m->full) {
        return;
    }

    va_start(ap, fmt);
    n = re_vsnprintf(m->buf + m->len, m->size - m->len, fmt, ap);
    va_end(ap);

    if (n < 0 || (size_t) n >= m->size - m->len) {
        m->full = true;
        return;
    }

    m->len += n;
}
