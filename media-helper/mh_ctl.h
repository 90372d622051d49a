
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Control sockets: the ng protocol's framing over Unix stream, Unix
 * seqpacket and UDP.  What a request means is the handler's business.
 */


#ifndef MH_CTL_H
#define MH_CTL_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <re.h>

#include "../ngx_ims_portal_module/ngx_ims_ng.h"


enum mh_ctl_limits {
    MH_CTL_SOCKS = 8,           /* -c options */
    MH_CTL_PEERS = 32,          /* addresses that may use UDP */
    MH_CTL_CONNS = 512          /* connections at once */
};


struct mh_ctl;


/*
 * Does one request.
 *
 * @param dict  the request, a dictionary; its bytes live until the return
 * @param w     for the reply: one dictionary, from its opening to its end
 * @param arg   of mh_ctl_start()
 */
typedef void (mh_ctl_h)(const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w, void *arg);


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
 * Lets an address use the UDP sockets.  Without any, loopback may.
 *
 * @return 0; EINVAL; ENOSPC
 */
int mh_ctl_allow(struct mh_ctl *ctl, const char *addr);

/* Begins to hear, after libre_init() */
int mh_ctl_start(struct mh_ctl *ctl, mh_ctl_h *handler, void *arg);

/* once a second; now in ms of mh_clock() */
void mh_ctl_tick(struct mh_ctl *ctl, uint64_t now);


#endif /* MH_CTL_H */
