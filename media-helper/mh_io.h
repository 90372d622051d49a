
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Datagram input and output in batches (P30).
 *
 * All media sockets live in one epoll set of our own; that set is one
 * descriptor in libre's loop.  So there is a beginning and an end of each
 * pass: what the pass wants to send from the shared WebRTC sockets is
 * gathered and leaves with sendmmsg(2) at its end (or when 64 are waiting).
 *
 * A received packet is handled where it lies: the receive handler may change
 * it, let it grow into the room behind it, and send it on without a copy.
 *
 * Receive handlers must not add, delete or free a socket; one that reads
 * itself may be added and deleted, but freed only outside of the pass.
 */


#ifndef MH_IO_H
#define MH_IO_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <re.h>


enum {
    MH_IO_ROOM = 2048,          /* bytes of a buffer */
    MH_IO_RECV = 1984,          /* longest datagram; longer ones are dropped */
    MH_IO_BATCH = 64            /* buffers for input, and again for output */
};


struct mh_io;


/*
 * @param buf   the datagram
 * @param len   1 to MH_IO_RECV
 * @param src   where it came from; NULL on a socket with named = false
 * @param arg   of the socket
 */
typedef void (mh_io_recv_h)(uint8_t *buf, size_t len, const struct sa *src,
    void *arg);


/* a socket that reads itself is ready: to be read, written, or both */

typedef void (mh_io_ready_h)(void *arg);


struct mh_io_sock {
    int            fd;
    bool           named;       /* the handler wants the source address */
    unsigned       batch;       /* datagrams asked for at once, 1 to 64 */
    mh_io_recv_h  *recvh;
    void          *arg;
    mh_io_ready_h *readyh;      /* a stream's: instead of recvh, batch and
                                   named; NULL for datagrams */
};


/* a control message, as sendmsg(2) wants it */

struct mh_io_mark {
    union {
        struct cmsghdr  head;
        uint8_t         bytes[CMSG_SPACE(sizeof(int))];
    } u;
};


struct mh_io_stat {
    uint64_t  received;
    uint64_t  sent;             /* from shared sockets */
    uint64_t  send_errors;
    uint64_t  truncated;        /* dropped, longer than MH_IO_RECV */
};


/*
 * @param iop  set on success; free it with mem_deref()
 *
 * @return 0, ENOMEM, or what epoll_create1(2) said
 */
int mh_io_alloc(struct mh_io **iop);

/* Puts the set into libre's loop: after libre_init() and any fork */
int mh_io_start(struct mh_io *io);

/* The milliseconds of mh_clock(), read once at the start of a pass */
uint64_t mh_io_now(const struct mh_io *io);

/*
 * Begins to hear a socket.  The struct must live until mh_io_del().
 *
 * @return 0, or what epoll_ctl(2) said
 */
int mh_io_add(struct mh_io *io, struct mh_io_sock *sock);
void mh_io_del(struct mh_io *io, struct mh_io_sock *sock);

/* Whether readyh is also called when the socket can be written to */
int mh_io_want(struct mh_io *io, struct mh_io_sock *sock, bool write);

/*
 * Makes the mark of datagrams that are not to have their socket's one.
 *
 * @param mark  set
 * @param af    AF_INET or AF_INET6, of the socket
 * @param tos   value of IP_TOS (DSCP << 2), 0 to 252
 */
void mh_io_mark_set(struct mh_io_mark *mark, int af, int tos);

/*
 * Queues a datagram for an unconnected socket.  Only from within a receive
 * handler and only for the buffer that it was given: it stays as it is until
 * the end of the pass.  mark must live as long; NULL = the socket's.
 */
void mh_io_send_ref(struct mh_io *io, int fd, const struct sa *dst,
    uint8_t *buf, size_t len, struct mh_io_mark *mark);

/* The same for any other bytes, from anywhere, at most MH_IO_ROOM of them */
void mh_io_send_copy(struct mh_io *io, int fd, const struct sa *dst,
    const uint8_t *buf, size_t len, struct mh_io_mark *mark);

/* Sends what is queued: after mh_io_send_copy() outside of a handler */
void mh_io_flush(struct mh_io *io);

const struct mh_io_stat *mh_io_stat(const struct mh_io *io);


#endif /* MH_IO_H */
