
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Watches the process while it runs: load, datagrams that the kernel drops,
 * ports that belong to no call.
 */


#ifndef MH_WATCH_H
#define MH_WATCH_H


#include <stdbool.h>
#include <stdint.h>

#include "mh_call.h"
#include "mh_conf.h"
#include "mh_load.h"


struct mh_watch {
    struct mh_load         load;
    const struct mh_web   *web;
    unsigned               webc;
    struct mh_port_pool  **pools;
    unsigned               poolc;
    struct mh_calls       *calls;
    uint64_t               dropped;         /* as the log has told */
    uint64_t               dropped_told;    /* ms */
    bool                   audited;         /* it has failed: told once */
};


/*
 * Warns of what the machine does not allow, see mh_limits.h.  At the start,
 * while there is a file system.
 *
 * @param files  descriptors that streams need, two each
 */
void mh_watch_limits(const struct mh_conf *conf, const struct mh_web *web,
    unsigned files);

/*
 * @param w      zeroed and filled
 * @param pools  conf->imsc of them; all must live as long as w is in use
 */
void mh_watch_init(struct mh_watch *w, const struct mh_conf *conf,
    const struct mh_web *web, struct mh_port_pool **pools,
    struct mh_calls *calls);

/* every MH_LOAD_TICK ms; now in ms of mh_clock() */
void mh_watch_tick(struct mh_watch *w, uint64_t now);

/* every second */
void mh_watch_second(struct mh_watch *w, uint64_t now);


#endif /* MH_WATCH_H */
