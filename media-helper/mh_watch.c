
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns what is known of the load and of losses inside the machine; the
 * once-a-minute lines about them.  No timer of its own.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <re.h>

#include "mh_limits.h"
#include "mh_log.h"
#include "mh_watch.h"


enum {
    MH_WATCH_MINUTE = 60000     /* ms */
};


static void mh_watch_dropped(struct mh_watch *w, uint64_t now);
static void mh_watch_audit(struct mh_watch *w);


void
mh_watch_limits(const struct mh_conf *conf, const struct mh_web *web,
    unsigned files)
{
    unsigned  i;

    for (i = 0; i < conf->webc; i++) {
        mh_limits_buffers(mh_web_fd(web, i), MH_WEB_BUFFER);
    }

    mh_limits_ports(conf->port_min, conf->port_max);
    mh_limits_memory(conf->max_calls ? conf->max_calls : files / 2);
}


void
mh_watch_init(struct mh_watch *w, const struct mh_conf *conf,
    const struct mh_web *web, struct mh_port_pool **pools,
    struct mh_calls *calls)
{
    memset(w, 0, sizeof(*w));

    w->web = web;
    w->webc = conf->webc;
    w->pools = pools;
    w->poolc = conf->imsc;
    w->calls = calls;
    w->load.cpu_max = conf->max_cpu;
    w->load.late_max = conf->max_late;
}


/* what new calls are told; a line when that begins, not more than a minute */

void
mh_watch_tick(struct mh_watch *w, uint64_t now)
{
    const char  *why;

    why = mh_load_tick(&w->load, now, mh_load_cpu(),
                       w->load.drops_web + w->load.drops_ims);

    if (why != NULL && w->load.why == NULL) {
        w->load.periods++;

        if (w->load.told == 0 || now >= w->load.told + MH_WATCH_MINUTE) {
            w->load.told = now;
            mh_warn("new calls are refused: %s, cpu %u percent, loop late "
                    "by %u ms", why, w->load.cpu, w->load.worst);
        }
    }

    w->load.why = why;
    mh_calls_shed(w->calls, why);
}


void
mh_watch_second(struct mh_watch *w, uint64_t now)
{
    mh_watch_dropped(w, now);
    mh_watch_audit(w);
}


/* what the kernel dropped: the browsers' side now, some of the IMS side's */

static void
mh_watch_dropped(struct mh_watch *w, uint64_t now)
{
    unsigned  i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < w->webc; i++) {
        sum += mh_limits_dropped(mh_web_fd(w->web, i));
    }

    w->load.drops_web = sum;
    sum = 0;

    for (i = 0; i < w->poolc; i++) {
        mh_port_poll(w->pools[i]);
        sum += mh_port_dropped(w->pools[i]);
    }

    w->load.drops_ims = sum;
    sum += w->load.drops_web;

    if (sum > w->dropped
        && (w->dropped_told == 0 || now >= w->dropped_told + MH_WATCH_MINUTE))
    {
        mh_warn("the kernel dropped %llu datagrams, socket buffers were full",
                (unsigned long long) (sum - w->dropped));
        w->dropped = sum;
        w->dropped_told = now;
    }
}


/* pairs in use are those of calls: anything else is a leak of ours */

static void
mh_watch_audit(struct mh_watch *w)
{
    unsigned         i, k, used;
    struct le       *le;
    struct mh_call  *call;

    used = 0;

    for (i = 0; i < w->poolc; i++) {
        used += mh_port_count(w->pools[i]);
    }

    LIST_FOREACH(mh_calls_list(w->calls), le) {
        call = le->data;

        for (k = 0; k < MH_SDP_MAX_MEDIA; k++) {
            used -= (call->streams[k] != NULL);
        }
    }

    if (used == 0 || w->audited) {
        return;
    }

    w->audited = true;
    mh_err("port audit: %d pairs too many are in use", (int) used);

#ifdef MH_SANITIZE
    abort();
#endif
}
