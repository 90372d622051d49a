
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the epoll set of the media sockets, the buffers and the queue of
 * datagrams that wait for sendmmsg(2).  mh_web and mh_stream register their
 * sockets here.  No timer.
 */


#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_io.h"


enum {
    MH_IO_EVENTS = 256,
    MH_IO_ROUNDS = 4,           /* batches of one socket in one pass */
    MH_IO_REST = 300,           /* us, see mh_io_rest() */
    MH_IO_OFTEN = 500,          /* us between passes: packets come that often
                                   that a rest pays */
    MH_IO_MANY = 64             /* datagrams of a pass: behind already */
};


struct mh_io {
    int                 epfd;
    bool                started;
    uint64_t            now;
    uint64_t            passed; /* us; when the last pass ended */
    struct mh_io_stat   stat;

    unsigned            used;   /* input buffers that the queue refers to */
    unsigned            copied; /* output buffers in use */
    unsigned            queued;

    int                 fds[MH_IO_BATCH];
    struct mmsghdr      out[MH_IO_BATCH];
    struct iovec        outv[MH_IO_BATCH];
    struct sa           dst[MH_IO_BATCH];

    struct mmsghdr      in[MH_IO_BATCH];
    struct iovec        inv[MH_IO_BATCH];
    struct sa           src[MH_IO_BATCH];

    struct epoll_event  events[MH_IO_EVENTS];
    uint8_t             rx[MH_IO_BATCH][MH_IO_ROOM];
    uint8_t             tx[MH_IO_BATCH][MH_IO_ROOM];
};


static void mh_io_destroy(void *data);
static void mh_io_pass_h(int flags, void *arg);
static void mh_io_rest(struct mh_io *io, uint64_t received);
static uint64_t mh_io_us(void);
static void mh_io_read(struct mh_io *io, struct mh_io_sock *sock);
static int mh_io_batch(struct mh_io *io, struct mh_io_sock *sock,
    unsigned max);
static void mh_io_queue(struct mh_io *io, int fd, const struct sa *dst,
    uint8_t *buf, size_t len, struct mh_io_mark *mark);


int
mh_io_alloc(struct mh_io **iop)
{
    int            err;
    struct mh_io  *io;

    io = mem_zalloc(sizeof(*io), mh_io_destroy);
    if (io == NULL) {
        return ENOMEM;
    }

    io->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (io->epfd == -1) {
        err = errno;
        mem_deref(io);
        return err;
    }

    io->now = mh_clock();

    *iop = io;

    return 0;
}


int
mh_io_start(struct mh_io *io)
{
    int  err;

    err = fd_listen(io->epfd, FD_READ, mh_io_pass_h, io);
    if (err) {
        return err;
    }

    io->started = true;

    return 0;
}


uint64_t
mh_io_now(const struct mh_io *io)
{
    return io->now;
}


int
mh_io_add(struct mh_io *io, struct mh_io_sock *sock)
{
    struct epoll_event  ev;

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;
    ev.data.ptr = sock;

    return (epoll_ctl(io->epfd, EPOLL_CTL_ADD, sock->fd, &ev) == -1)
           ? errno : 0;
}


void
mh_io_del(struct mh_io *io, struct mh_io_sock *sock)
{
    (void) epoll_ctl(io->epfd, EPOLL_CTL_DEL, sock->fd, NULL);
}


int
mh_io_want(struct mh_io *io, struct mh_io_sock *sock, bool write)
{
    struct epoll_event  ev;

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN | (write ? EPOLLOUT : 0);
    ev.data.ptr = sock;

    return (epoll_ctl(io->epfd, EPOLL_CTL_MOD, sock->fd, &ev) == -1)
           ? errno : 0;
}


void
mh_io_mark_set(struct mh_io_mark *mark, int af, int tos)
{
    struct cmsghdr  *head;

    memset(mark, 0, sizeof(*mark));

    head = &mark->u.head;
    head->cmsg_level = (af == AF_INET6) ? IPPROTO_IPV6 : IPPROTO_IP;
    head->cmsg_type = (af == AF_INET6) ? IPV6_TCLASS : IP_TOS;
    head->cmsg_len = CMSG_LEN(sizeof(tos));

    memcpy(CMSG_DATA(head), &tos, sizeof(tos));
}


void
mh_io_send_ref(struct mh_io *io, int fd, const struct sa *dst, uint8_t *buf,
    size_t len, struct mh_io_mark *mark)
{
    mh_io_queue(io, fd, dst, buf, len, mark);
}


void
mh_io_send_copy(struct mh_io *io, int fd, const struct sa *dst,
    const uint8_t *buf, size_t len, struct mh_io_mark *mark)
{
    if (len > MH_IO_ROOM) {
        io->stat.send_errors++;
        return;
    }

    if (io->copied == MH_IO_BATCH || io->queued == MH_IO_BATCH) {
        mh_io_flush(io);
    }

    memcpy(io->tx[io->copied], buf, len);
    mh_io_queue(io, fd, dst, io->tx[io->copied], len, mark);
    io->copied++;
}


void
mh_io_flush(struct mh_io *io)
{
    int       n;
    unsigned  i, run;

    i = 0;

    while (i < io->queued) {

        for (run = 1; i + run < io->queued; run++) {
            if (io->fds[i + run] != io->fds[i]) {
                break;
            }
        }

        n = sendmmsg(io->fds[i], &io->out[i], run, MSG_DONTWAIT);

        if (n > 0) {
            io->stat.sent += n;
            i += n;
            continue;
        }

        if (n == -1 && errno == EINTR) {
            continue;
        }

        /* the first one of the run is lost, as on any full wire */

        io->stat.send_errors++;
        i++;
    }

    /*
     * io->used stays: the batch that is being handled may still queue
     * buffers of its own
     */

    io->queued = 0;
    io->copied = 0;
}


const struct mh_io_stat *
mh_io_stat(const struct mh_io *io)
{
    return &io->stat;
}


static void
mh_io_destroy(void *data)
{
    struct mh_io  *io = data;

    if (io->started) {
        fd_close(io->epfd);
    }

    if (io->epfd != -1) {
        (void) close(io->epfd);
    }
}


static void
mh_io_pass_h(int flags, void *arg)
{
    int                 i, n;
    uint64_t            before;
    struct mh_io       *io = arg;
    struct mh_io_sock  *sock;

    (void) flags;

    before = io->stat.received;

    n = epoll_wait(io->epfd, io->events, MH_IO_EVENTS, 0);

    io->now = mh_clock();

    for (i = 0; i < n; i++) {
        sock = io->events[i].data.ptr;

        if (sock->readyh != NULL) {
            sock->readyh(sock->arg);

        } else {
            mh_io_read(io, sock);
        }
    }

    mh_io_flush(io);
    io->used = 0;

    mh_io_rest(io, io->stat.received - before);
}


/*
 * With many calls a packet comes every few dozen microseconds, and being
 * woken for it costs more than the packet.  A short rest after each pass
 * lets some of them come together.  Not when packets are rare, where the
 * rest would only be a second time to be woken; not when a pass had so many
 * that no time is to be lost.  It delays a packet and a command by 300 us
 * and the timer's slack of 50 at most.
 */

static void
mh_io_rest(struct mh_io *io, uint64_t received)
{
    uint64_t         now, since;
    struct timespec  ts;

    now = mh_io_us();
    since = now - io->passed;
    io->passed = now;

    if (received == 0 || received >= MH_IO_MANY || since > MH_IO_OFTEN) {
        return;
    }

    ts.tv_sec = 0;
    ts.tv_nsec = MH_IO_REST * 1000;
    (void) nanosleep(&ts, NULL);

    io->passed += MH_IO_REST;
}


static uint64_t
mh_io_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static void
mh_io_read(struct mh_io *io, struct mh_io_sock *sock)
{
    int       n;
    unsigned  i, max;

    for (i = 0; i < MH_IO_ROUNDS; i++) {
        max = MH_IO_BATCH - io->used;

        if (max < sock->batch) {
            mh_io_flush(io);
            io->used = 0;
            max = MH_IO_BATCH;
        }

        if (max > sock->batch) {
            max = sock->batch;
        }

        n = mh_io_batch(io, sock, max);

        if (n < (int) max) {
            return;
        }
    }
}


static int
mh_io_batch(struct mh_io *io, struct mh_io_sock *sock, unsigned max)
{
    int             n;
    unsigned        i, k, base;
    struct msghdr  *h;

    base = io->used;

    for (i = 0; i < max; i++) {
        k = base + i;
        h = &io->in[k].msg_hdr;

        io->inv[k].iov_base = io->rx[k];
        io->inv[k].iov_len = MH_IO_RECV;

        h->msg_iov = &io->inv[k];
        h->msg_iovlen = 1;
        h->msg_control = NULL;
        h->msg_controllen = 0;
        h->msg_flags = 0;
        h->msg_name = sock->named ? &io->src[k].u : NULL;
        h->msg_namelen = sock->named ? sizeof(io->src[k].u) : 0;
    }

    /*
     * A connected socket tells here once that the peer's port is closed
     * (ECONNREFUSED); the next pass reads on.
     */

    n = recvmmsg(sock->fd, &io->in[base], max, MSG_DONTWAIT, NULL);
    if (n <= 0) {
        return 0;
    }

    /* the buffers are taken before a handler can queue or flush */

    io->used = base + n;
    io->stat.received += n;

    for (i = 0; i < (unsigned) n; i++) {
        k = base + i;
        h = &io->in[k].msg_hdr;

        if (h->msg_flags & MSG_TRUNC) {
            io->stat.truncated++;
            continue;
        }

        if (io->in[k].msg_len == 0) {
            continue;
        }

        io->src[k].len = h->msg_namelen;

        sock->recvh(io->rx[k], io->in[k].msg_len,
                    sock->named ? &io->src[k] : NULL, sock->arg);
    }

    if (io->queued == 0) {
        io->used = 0;
    }

    return n;
}


static void
mh_io_queue(struct mh_io *io, int fd, const struct sa *dst, uint8_t *buf,
    size_t len, struct mh_io_mark *mark)
{
    unsigned        i;
    struct msghdr  *h;

    if (io->queued == MH_IO_BATCH) {
        mh_io_flush(io);
    }

    i = io->queued++;
    h = &io->out[i].msg_hdr;

    io->fds[i] = fd;
    io->dst[i] = *dst;
    io->outv[i].iov_base = buf;
    io->outv[i].iov_len = len;

    h->msg_name = &io->dst[i].u;
    h->msg_namelen = dst->len;
    h->msg_iov = &io->outv[i];
    h->msg_iovlen = 1;
    h->msg_control = mark;
    h->msg_controllen = mark ? sizeof(*mark) : 0;
    h->msg_flags = 0;
}
