
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * ICE over TCP, passive (RFC 6544 4.1, 6.1): a listener, its connections, and
 * the frames in which they carry what else are datagrams (RFC 4571 2).  For
 * browsers in networks that let no UDP out.
 *
 * A connection is a stranger's until its first check has passed: until then
 * nothing but STUN may come, there are MH_TCP_STRANGERS of them at most, and
 * MH_TCP_PER_ADDR from one address (the oldest makes room), and each has
 * MH_TCP_STRANGER_MS.  Writing never waits:
 * what does not fit is dropped, as on any full wire.
 *
 * Timers: strangers and silent connections end in mh_tcp_tick().
 */


#ifndef MH_TCP_H
#define MH_TCP_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_io.h"


enum mh_tcp_limits {
    MH_TCP_MAX = 4096,          /* connections of one listener */
    MH_TCP_STRANGERS = 256,
    MH_TCP_PER_ADDR = 64,       /* of these from one address */
    MH_TCP_STRANGER_MS = 5000,
    MH_TCP_SILENT_MS = 60000,   /* browsers check every few seconds */
    MH_TCP_BACKLOG = 512,
    MH_TCP_OUT = 16384,         /* bytes that wait for the kernel */
    MH_TCP_UNSENT = 16384       /* bytes that the kernel holds unsent: more
                                   would only be old when it arrives */
};


struct mh_tcp;
struct mh_tcp_conn;


struct mh_tcp_stat {
    uint64_t  accepted;
    uint64_t  refused;          /* strangers: too many, too slow, no STUN */
    uint64_t  broken;           /* a frame that is too long */
    uint64_t  dropped;          /* frames that did not fit */
    unsigned  current;
    unsigned  strangers;
};


/*
 * One frame.  The buffer is MH_IO_ROOM bytes long and may be changed in
 * place.  The connection may be dropped from here.
 */
typedef void (mh_tcp_recv_h)(struct mh_tcp_conn *conn, uint8_t *buf,
    size_t len, void *arg);

/* A connection with an owner is gone, see mh_tcp_own() */
typedef void (mh_tcp_lost_h)(void *owner, void *arg);


/*
 * Binds a listener.  Before privileges are dropped.
 *
 * @param tp     set on success; free it with mem_deref(), which closes all
 *               connections; not from a handler
 * @param addr   with the port
 * @param tos    value of IP_TOS, 0 to 252
 *
 * @return 0, ENOMEM, or what socket(2), bind(2) or listen(2) said
 */
int mh_tcp_alloc(struct mh_tcp **tp, const struct sa *addr, int tos,
    mh_tcp_recv_h *recvh, mh_tcp_lost_h *losth, void *arg);

/* Begins to accept; returns 0 or what mh_io_add() said */
int mh_tcp_start(struct mh_tcp *tcp, struct mh_io *io);

/* Ends what is due; every 50 ms or so, not from a handler */
void mh_tcp_tick(struct mh_tcp *tcp, uint64_t now);

/* Fewer connections than MH_TCP_MAX, where descriptors are few */
void mh_tcp_limit(struct mh_tcp *tcp, unsigned max);

const struct mh_tcp_stat *mh_tcp_stat(const struct mh_tcp *tcp);

/* where the connection comes from */
const struct sa *mh_tcp_peer(const struct mh_tcp_conn *conn);

/*
 * A check has passed: the connection is a stranger's no more, and the lost
 * handler gets owner.  NULL: it has none any more, and is to be closed.
 */
void mh_tcp_own(struct mh_tcp_conn *conn, void *owner);

/*
 * Sends a frame, or drops it.
 *
 * @param buf  copied
 * @param len  1 to 65535
 *
 * @return whether it was taken
 */
bool mh_tcp_send(struct mh_tcp_conn *conn, const uint8_t *buf, size_t len);

/* Closes a connection; the lost handler is not called */
void mh_tcp_drop(struct mh_tcp_conn *conn);


#endif /* MH_TCP_H */
