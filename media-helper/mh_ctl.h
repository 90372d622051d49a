
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Control sockets: the ng protocol over Unix stream, Unix seqpacket, UDP,
 * TCP and HTTP.  What a request means is the handler's business.
 */


#ifndef MH_CTL_H
#define MH_CTL_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <re.h>

#include "mh_conn.h"
#include "mh_request.h"


enum mh_ctl_limits {
    MH_CTL_SOCKS = 8,           /* -c options */
    MH_CTL_PEERS = 32           /* addresses that may use UDP, TCP, HTTP */
};


struct mh_ctl;


struct mh_ctl_stat {
    struct mh_request_stat  requests;
    struct mh_conn_stat     conns;
};


/* @return 0 or ENOMEM; mem_deref() closes the sockets and unlinks them */
int mh_ctl_alloc(struct mh_ctl **cp);

/*
 * Opens a socket, see mh_listen_open().
 *
 * @return 0; ENOSPC (too many); or what that said
 */
int mh_ctl_listen(struct mh_ctl *ctl, const char *name, uid_t uid,
    gid_t gid);

/*
 * Lets an address use the sockets that are no Unix ones.  Without any,
 * loopback may.
 *
 * @return 0; EINVAL; ENOSPC
 */
int mh_ctl_allow(struct mh_ctl *ctl, const char *addr);

/*
 * Begins to hear, after libre_init().
 *
 * @param handler  does requests
 * @param metrics  writes the text for GET /metrics, or NULL
 * @param arg      of both
 */
int mh_ctl_start(struct mh_ctl *ctl, mh_request_h *handler,
    mh_conn_metrics_h *metrics, void *arg);

/* once a second; now in ms of mh_clock() */
void mh_ctl_tick(struct mh_ctl *ctl, uint64_t now);

void mh_ctl_stat(const struct mh_ctl *ctl, struct mh_ctl_stat *stat);


#endif /* MH_CTL_H */
