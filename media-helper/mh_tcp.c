
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the connections of a listener.  One that ends in a handler is closed
 * at once, but freed with the next tick: the pass that is under way may still
 * have its event.
 */


#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <re.h>

#include "mh_tcp.h"


enum {
    MH_TCP_HEAD = 2,            /* bytes of a frame's length */
    MH_TCP_READ = 16384,
    MH_TCP_ROUNDS = 4,          /* reads of one connection in one pass */
    MH_TCP_ACCEPTS = 64         /* connections taken in one pass */
};


struct mh_tcp {
    struct mh_io_sock    sock;
    struct mh_io        *io;        /* NULL before the start */
    bool                 paused;    /* no descriptor was left */
    unsigned             max;
    uint64_t             checked;   /* when ends were looked for last */
    struct list          strangers; /* the oldest first */
    struct list          known;
    struct list          dead;
    struct mh_tcp_stat   stat;
    mh_tcp_recv_h       *recvh;
    mh_tcp_lost_h       *losth;
    void                *arg;
    uint8_t              buf[MH_TCP_READ];
};


struct mh_tcp_conn {
    struct mh_io_sock    sock;
    struct le            le;        /* in one of the three lists */
    struct mh_tcp       *tcp;
    struct sa            peer;
    void                *owner;     /* NULL: a stranger's */
    uint64_t             heard;     /* ms; the start of a stranger's */
    bool                 dead;
    bool                 waiting;   /* out is not empty */
    size_t               have;      /* bytes of head and frame */
    size_t               len;       /* of the frame, once its head is there */
    uint8_t              head[MH_TCP_HEAD];
    uint8_t             *out;       /* MH_TCP_OUT bytes, or NULL */
    size_t               outn;
    uint8_t              frame[MH_IO_ROOM];
};


static void mh_tcp_destroy(void *data);
static void mh_tcp_conn_destroy(void *data);
static void mh_tcp_accept_h(void *arg);
static bool mh_tcp_conn_add(struct mh_tcp *tcp, int fd, const struct sa *peer);
static void mh_tcp_room(struct mh_tcp *tcp, const struct sa *peer);
static void mh_tcp_ready_h(void *arg);
static void mh_tcp_take(struct mh_tcp_conn *conn, const uint8_t *p, size_t n);
static bool mh_tcp_frame(struct mh_tcp_conn *conn);
static void mh_tcp_lost(struct mh_tcp_conn *conn);
static void mh_tcp_flush(struct mh_tcp_conn *conn);
static bool mh_tcp_keep(struct mh_tcp_conn *conn, const struct iovec *iov,
    size_t skip);
static void mh_tcp_set(int fd, int level, int name, int value);


int
mh_tcp_alloc(struct mh_tcp **tp, const struct sa *addr, int tos,
    mh_tcp_recv_h *recvh, mh_tcp_lost_h *losth, void *arg)
{
    int             err, fd;
    struct mh_tcp  *tcp;

    tcp = mem_zalloc(sizeof(*tcp), mh_tcp_destroy);
    if (tcp == NULL) {
        return ENOMEM;
    }

    fd = socket(sa_af(addr), SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    tcp->sock.fd = fd;
    tcp->sock.readyh = mh_tcp_accept_h;
    tcp->sock.arg = tcp;
    tcp->max = MH_TCP_MAX;
    tcp->recvh = recvh;
    tcp->losth = losth;
    tcp->arg = arg;

    if (fd == -1) {
        goto failed;
    }

    mh_tcp_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (sa_af(addr) == AF_INET6) {
        mh_tcp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }

    /* what accept(2) gives has these, too */

    if (tos && sa_af(addr) == AF_INET6) {
        mh_tcp_set(fd, IPPROTO_IPV6, IPV6_TCLASS, tos);

    } else if (tos) {
        mh_tcp_set(fd, IPPROTO_IP, IP_TOS, tos);
    }

    if (bind(fd, &addr->u.sa, addr->len) == -1
        || listen(fd, MH_TCP_BACKLOG) == -1)
    {
        goto failed;
    }

    *tp = tcp;

    return 0;

failed:

    err = errno;
    mem_deref(tcp);

    return err;
}


int
mh_tcp_start(struct mh_tcp *tcp, struct mh_io *io)
{
    int  err;

    err = mh_io_add(io, &tcp->sock);

    if (err == 0) {
        tcp->io = mem_ref(io);
    }

    return err;
}


void
mh_tcp_limit(struct mh_tcp *tcp, unsigned max)
{
    if (max < tcp->max) {
        tcp->max = max;
    }
}


void
mh_tcp_tick(struct mh_tcp *tcp, uint64_t now)
{
    struct le           *le;
    struct mh_tcp_conn  *conn;

    list_flush(&tcp->dead);

    if (now < tcp->checked + 1000) {
        return;
    }

    tcp->checked = now;

    if (tcp->paused && mh_io_add(tcp->io, &tcp->sock) == 0) {
        tcp->paused = false;
    }

    while ((le = list_head(&tcp->strangers)) != NULL) {
        conn = le->data;

        if (now < conn->heard + MH_TCP_STRANGER_MS) {
            break;
        }

        tcp->stat.refused++;
        mh_tcp_drop(conn);
    }

    for (le = list_head(&tcp->known); le != NULL; /* void */ ) {
        conn = le->data;
        le = le->next;

        if (now >= conn->heard + MH_TCP_SILENT_MS) {
            mh_tcp_lost(conn);
        }
    }

    list_flush(&tcp->dead);
}


const struct mh_tcp_stat *
mh_tcp_stat(const struct mh_tcp *tcp)
{
    return &tcp->stat;
}


const struct sa *
mh_tcp_peer(const struct mh_tcp_conn *conn)
{
    return &conn->peer;
}


void
mh_tcp_own(struct mh_tcp_conn *conn, void *owner)
{
    if (conn->dead) {
        return;
    }

    if (owner == NULL) {
        mh_tcp_drop(conn);
        return;
    }

    if (conn->owner == NULL) {
        list_unlink(&conn->le);
        list_append(&conn->tcp->known, &conn->le, conn);
        conn->tcp->stat.strangers--;
    }

    conn->owner = owner;
}


void
mh_tcp_drop(struct mh_tcp_conn *conn)
{
    struct mh_tcp  *tcp;

    if (conn->dead) {
        return;
    }

    tcp = conn->tcp;

    if (conn->owner == NULL) {
        tcp->stat.strangers--;
    }

    tcp->stat.current--;

    mh_io_del(tcp->io, &conn->sock);
    (void) close(conn->sock.fd);

    conn->sock.fd = -1;
    conn->owner = NULL;
    conn->dead = true;

    list_unlink(&conn->le);
    list_append(&tcp->dead, &conn->le, conn);
}


bool
mh_tcp_send(struct mh_tcp_conn *conn, const uint8_t *buf, size_t len)
{
    ssize_t        n;
    uint8_t        head[MH_TCP_HEAD];
    struct iovec   iov[2];
    struct msghdr  msg;

    if (conn->dead) {
        return false;
    }

    head[0] = (uint8_t) (len >> 8);
    head[1] = (uint8_t) len;

    iov[0].iov_base = head;
    iov[0].iov_len = MH_TCP_HEAD;
    iov[1].iov_base = (uint8_t *) buf;
    iov[1].iov_len = len;

    n = 0;

    if (!conn->waiting) {
        memset(&msg, 0, sizeof(msg));
        msg.msg_iov = iov;
        msg.msg_iovlen = 2;

        n = sendmsg(conn->sock.fd, &msg, MSG_DONTWAIT|MSG_NOSIGNAL);

        if (n == (ssize_t) (MH_TCP_HEAD + len)) {
            return true;
        }

        /* an error is told by the next read, too: there it ends */

        n = (n == -1) ? 0 : n;
    }

    if (mh_tcp_keep(conn, iov, (size_t) n)) {
        return true;
    }

    conn->tcp->stat.dropped++;

    if (n > 0) {
        /* half a frame is out: nothing can follow it */
        mh_tcp_lost(conn);
    }

    return false;
}


static void
mh_tcp_destroy(void *data)
{
    struct mh_tcp       *tcp = data;
    struct list         *lists[2];
    struct mh_tcp_conn  *conn;
    unsigned             i;

    lists[0] = &tcp->strangers;
    lists[1] = &tcp->known;

    for (i = 0; i < 2; i++) {
        while (list_head(lists[i]) != NULL) {
            conn = list_head(lists[i])->data;
            mh_tcp_drop(conn);
        }
    }

    list_flush(&tcp->dead);

    if (tcp->io != NULL) {
        mh_io_del(tcp->io, &tcp->sock);
    }

    if (tcp->sock.fd != -1) {
        (void) close(tcp->sock.fd);
    }

    mem_deref(tcp->io);
}


static void
mh_tcp_conn_destroy(void *data)
{
    struct mh_tcp_conn  *conn = data;

    list_unlink(&conn->le);
    mem_deref(conn->out);
}


static void
mh_tcp_accept_h(void *arg)
{
    int             fd;
    unsigned        i;
    struct sa       peer;
    struct mh_tcp  *tcp = arg;

    for (i = 0; i < MH_TCP_ACCEPTS; i++) {

        memset(&peer, 0, sizeof(peer));
        peer.len = sizeof(peer.u);

        fd = accept4(tcp->sock.fd, &peer.u.sa, &peer.len,
                     SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (fd == -1 && (errno == ECONNABORTED || errno == EINTR)) {
            continue;
        }

        if (fd == -1) {

            if (errno != EAGAIN) {
                /* no descriptors: it would be told again and again */
                mh_io_del(tcp->io, &tcp->sock);
                tcp->paused = true;
            }

            return;
        }

        tcp->stat.accepted++;
        mh_tcp_room(tcp, &peer);

        if (!mh_tcp_conn_add(tcp, fd, &peer)) {
            tcp->stat.refused++;
            (void) close(fd);
        }
    }
}


/* the oldest stranger goes: a browser's first check comes at once */

static void
mh_tcp_room(struct mh_tcp *tcp, const struct sa *peer)
{
    unsigned             n;
    struct le           *le;
    struct mh_tcp_conn  *conn, *oldest;

    n = 0;
    oldest = NULL;

    LIST_FOREACH(&tcp->strangers, le) {
        conn = le->data;

        if (sa_cmp(&conn->peer, peer, SA_ADDR)) {
            oldest = oldest ? oldest : conn;
            n++;
        }
    }

    if (n < MH_TCP_PER_ADDR) {
        le = list_head(&tcp->strangers);
        oldest = le ? le->data : NULL;

        if (tcp->stat.strangers < MH_TCP_STRANGERS
            && tcp->stat.current < tcp->max)
        {
            return;
        }
    }

    if (oldest != NULL) {
        tcp->stat.refused++;
        mh_tcp_drop(oldest);
    }
}


static bool
mh_tcp_conn_add(struct mh_tcp *tcp, int fd, const struct sa *peer)
{
    struct mh_tcp_conn  *conn;

    if (tcp->stat.current >= tcp->max) {
        return false;
    }

    conn = mem_zalloc(sizeof(*conn), mh_tcp_conn_destroy);
    if (conn == NULL) {
        return false;
    }

    mh_tcp_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    mh_tcp_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, MH_TCP_UNSENT);

    conn->sock.fd = fd;
    conn->sock.readyh = mh_tcp_ready_h;
    conn->sock.arg = conn;
    conn->tcp = tcp;
    conn->heard = mh_io_now(tcp->io);
    sa_cpy(&conn->peer, peer);

    if (mh_io_add(tcp->io, &conn->sock) != 0) {
        mem_deref(conn);
        return false;
    }

    list_append(&tcp->strangers, &conn->le, conn);
    tcp->stat.current++;
    tcp->stat.strangers++;

    return true;
}


static void
mh_tcp_ready_h(void *arg)
{
    ssize_t              n;
    unsigned             i;
    struct mh_tcp       *tcp;
    struct mh_tcp_conn  *conn = arg;

    tcp = conn->tcp;

    if (conn->waiting) {
        mh_tcp_flush(conn);
    }

    for (i = 0; i < MH_TCP_ROUNDS && !conn->dead; i++) {

        n = recv(conn->sock.fd, tcp->buf, sizeof(tcp->buf), MSG_DONTWAIT);

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }

        if (n <= 0) {
            mh_tcp_lost(conn);
            return;
        }

        if (conn->owner != NULL) {
            conn->heard = mh_io_now(tcp->io);
        }

        mh_tcp_take(conn, tcp->buf, (size_t) n);

        if ((size_t) n < sizeof(tcp->buf)) {
            return;
        }
    }
}


/* bytes of the stream, cut anywhere */

static void
mh_tcp_take(struct mh_tcp_conn *conn, const uint8_t *p, size_t n)
{
    size_t  part;

    while (n && !conn->dead) {

        if (conn->have < MH_TCP_HEAD) {
            conn->head[conn->have++] = *p++;
            n--;

            if (conn->have < MH_TCP_HEAD) {
                continue;
            }

            conn->len = (size_t) conn->head[0] << 8 | conn->head[1];

            if (conn->len > MH_IO_RECV) {
                conn->tcp->stat.broken++;
                mh_tcp_lost(conn);
                return;
            }
        }

        part = conn->len - (conn->have - MH_TCP_HEAD);
        part = (part < n) ? part : n;

        memcpy(conn->frame + conn->have - MH_TCP_HEAD, p, part);
        conn->have += part;
        p += part;
        n -= part;

        if (conn->have == MH_TCP_HEAD + conn->len && !mh_tcp_frame(conn)) {
            return;
        }
    }
}


static bool
mh_tcp_frame(struct mh_tcp_conn *conn)
{
    size_t  len;

    len = conn->len;
    conn->have = 0;
    conn->len = 0;

    if (len == 0) {
        return true;
    }

    if (conn->owner == NULL && conn->frame[0] > 3) {
        conn->tcp->stat.refused++;
        mh_tcp_drop(conn);
        return false;
    }

    conn->tcp->recvh(conn, conn->frame, len, conn->tcp->arg);

    return !conn->dead;
}


static void
mh_tcp_lost(struct mh_tcp_conn *conn)
{
    void  *owner;

    owner = conn->owner;

    mh_tcp_drop(conn);

    if (owner != NULL) {
        conn->tcp->losth(owner, conn->tcp->arg);
    }
}


static void
mh_tcp_flush(struct mh_tcp_conn *conn)
{
    ssize_t  n;

    n = send(conn->sock.fd, conn->out, conn->outn, MSG_DONTWAIT|MSG_NOSIGNAL);

    if (n <= 0) {
        return;
    }

    conn->outn -= (size_t) n;
    memmove(conn->out, conn->out + n, conn->outn);

    if (conn->outn == 0) {
        conn->waiting = false;
        conn->out = mem_deref(conn->out);
        (void) mh_io_want(conn->tcp->io, &conn->sock, false);
    }
}


/* keeps what of a frame the kernel did not take; only as a whole */

static bool
mh_tcp_keep(struct mh_tcp_conn *conn, const struct iovec *iov, size_t skip)
{
    size_t  i, n;

    if (conn->outn + iov[0].iov_len + iov[1].iov_len > MH_TCP_OUT) {
        return false;
    }

    if (conn->out == NULL) {
        conn->out = mem_alloc(MH_TCP_OUT, NULL);
        if (conn->out == NULL) {
            return false;
        }
    }

    for (i = 0; i < 2; i++) {
        n = (skip < iov[i].iov_len) ? skip : iov[i].iov_len;

        memcpy(conn->out + conn->outn, (uint8_t *) iov[i].iov_base + n,
               iov[i].iov_len - n);
        conn->outn += iov[i].iov_len - n;
        skip -= n;
    }

    if (!conn->waiting) {
        conn->waiting = true;
        (void) mh_io_want(conn->tcp->io, &conn->sock, true);
    }

    return true;
}


static void
mh_tcp_set(int fd, int level, int name, int value)
{
    (void) setsockopt(fd, level, name, &value, sizeof(value));
}
