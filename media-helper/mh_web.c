
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the shared WebRTC sockets, the index of ufrags and that of 5-tuples;
 * tells datagrams apart.  A transport's own life is in mh_transport.c.
 *
 * Timers: none of its own.  mh_web_tick() walks over the transports that
 * are in a handshake or wait for the release of their SSL object.
 */


#include <errno.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <re.h>

#include "mh_transport.h"


enum {
    MH_WEB_BUCKETS = 4096
};


struct mh_web_found {
    struct mh_web        *web;
    struct mh_transport  *transport;
};


static void mh_web_destroy(void *data);
static int mh_web_bind(struct mh_web_sock *ws, const struct sa *addr,
    int tos);
static void mh_web_recv_h(uint8_t *buf, size_t len, const struct sa *src,
    void *arg);
static void mh_web_conn_h(struct mh_tcp_conn *conn, uint8_t *buf, size_t len,
    void *arg);
static void mh_web_lost_h(void *owner, void *arg);
static void mh_web_input(struct mh_web_sock *ws, struct mh_tcp_conn *conn,
    uint8_t *buf, size_t len, const struct sa *src);
static void mh_web_stun(struct mh_web_sock *ws, struct mh_tcp_conn *conn,
    uint8_t *buf, size_t len, const struct sa *src);
static struct mh_ice *mh_web_find_h(const struct pl *ufrag, void *arg);
static bool mh_web_ufrag_h(struct le *le, void *arg);
static struct mh_path *mh_web_path(struct mh_web_sock *ws,
    struct mh_tcp_conn *conn, const struct sa *src);


int
mh_web_alloc(struct mh_web **wp, const struct sa *addrs, unsigned n, int tos)
{
    int             err;
    unsigned        i;
    struct mh_web  *web;

    if (n == 0 || n > MH_WEB_SOCKS) {
        return EINVAL;
    }

    web = mem_zalloc(sizeof(*web), mh_web_destroy);
    if (web == NULL) {
        return ENOMEM;
    }

    for (i = 0; i < MH_WEB_SOCKS; i++) {
        web->socks[i].sock.fd = -1;
        web->socks[i].web = web;
    }

    err = hash_alloc(&web->ufrags, MH_WEB_BUCKETS);
    if (err) {
        goto out;
    }

    err = hash_alloc(&web->paths, MH_WEB_BUCKETS);
    if (err) {
        goto out;
    }

    for (i = 0; i < n; i++) {
        err = mh_web_bind(&web->socks[i], &addrs[i], tos);
        if (err) {
            goto out;
        }
    }

out:

    if (err) {
        mem_deref(web);

    } else {
        *wp = web;
    }

    return err;
}


int
mh_web_tcp(struct mh_web *web, const struct sa *addrs, unsigned n, int tos,
    uint16_t port)
{
    int        err;
    unsigned   i;
    struct sa  addr;

    for (i = 0; i < n; i++) {
        sa_cpy(&addr, &addrs[i]);
        sa_set_port(&addr, port);

        err = mh_tcp_alloc(&web->socks[i].tcp, &addr, tos, mh_web_conn_h,
                           mh_web_lost_h, &web->socks[i]);
        if (err) {
            return err;
        }
    }

    return 0;
}


void
mh_web_mark_video(struct mh_web *web, const struct sa *addrs, unsigned n,
    int tos)
{
    unsigned             i;
    struct mh_web_sock  *ws;

    for (i = 0; i < n; i++) {
        ws = &web->socks[i];
        mh_io_mark_set(&ws->video_mark, sa_af(&addrs[i]), tos);
        ws->video = &ws->video_mark;
    }
}


void
mh_web_tcp_limit(struct mh_web *web, unsigned max)
{
    unsigned  i;

    for (i = 0; i < MH_WEB_SOCKS; i++) {
        if (web->socks[i].tcp != NULL) {
            mh_tcp_limit(web->socks[i].tcp, max);
        }
    }
}


void
mh_web_tcp_stat(const struct mh_web *web, struct mh_tcp_stat *sum)
{
    unsigned                   i;
    const struct mh_tcp_stat  *stat;

    memset(sum, 0, sizeof(*sum));

    for (i = 0; i < MH_WEB_SOCKS; i++) {

        if (web->socks[i].tcp == NULL) {
            continue;
        }

        stat = mh_tcp_stat(web->socks[i].tcp);

        sum->accepted += stat->accepted;
        sum->refused += stat->refused;
        sum->broken += stat->broken;
        sum->dropped += stat->dropped;
        sum->current += stat->current;
        sum->strangers += stat->strangers;
    }
}


int
mh_web_certificate(struct mh_web *web)
{
    return mh_dtls_ctx_alloc(&web->dtls);
}


int
mh_web_start(struct mh_web *web, struct mh_io *io)
{
    int       err;
    unsigned  i;

    for (i = 0; i < MH_WEB_SOCKS; i++) {

        if (web->socks[i].sock.fd == -1) {
            continue;
        }

        err = mh_io_add(io, &web->socks[i].sock);

        if (err == 0 && web->socks[i].tcp != NULL) {
            err = mh_tcp_start(web->socks[i].tcp, io);
        }

        if (err) {
            return err;
        }
    }

    web->io = mem_ref(io);

    return 0;
}


void
mh_web_tick(struct mh_web *web, uint64_t now)
{
    unsigned              i;
    struct le            *le;
    struct mh_transport  *t;

    for (i = 0; i < MH_WEB_SOCKS; i++) {
        if (web->socks[i].tcp != NULL) {
            mh_tcp_tick(web->socks[i].tcp, now);
        }
    }

    le = list_head(&web->busy);

    while (le != NULL) {
        t = le->data;
        le = le->next;

        mh_transport_tick(t, now);
    }

    mh_io_flush(web->io);
}


bool
mh_web_settled(struct mh_web *web)
{
    if (web->released < MH_WEB_BURST || list_head(&web->busy) != NULL) {
        return false;
    }

    web->released = 0;

    return true;
}


const char *
mh_web_fingerprint(const struct mh_web *web)
{
    return mh_dtls_ctx_fingerprint(web->dtls);
}


const struct mh_web_stat *
mh_web_stat(const struct mh_web *web)
{
    return &web->stat;
}


int
mh_web_fd(const struct mh_web *web, unsigned i)
{
    return web->socks[i].sock.fd;
}


static void
mh_web_destroy(void *data)
{
    unsigned        i;
    struct mh_web  *web = data;

    for (i = 0; i < MH_WEB_SOCKS; i++) {

        mem_deref(web->socks[i].tcp);

        if (web->socks[i].sock.fd == -1) {
            continue;
        }

        if (web->io != NULL) {
            mh_io_del(web->io, &web->socks[i].sock);
        }

        (void) close(web->socks[i].sock.fd);
    }

    mem_deref(web->ufrags);
    mem_deref(web->paths);
    mem_deref(web->dtls);
    mem_deref(web->io);
}


static int
mh_web_bind(struct mh_web_sock *ws, const struct sa *addr, int tos)
{
    int  fd, af, on, size;

    af = sa_af(addr);

    fd = socket(af, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return errno;
    }

    ws->sock.fd = fd;
    ws->sock.named = true;
    ws->sock.batch = MH_IO_BATCH;
    ws->sock.recvh = mh_web_recv_h;
    ws->sock.arg = ws;

    on = 1;
    size = MH_WEB_BUFFER;

    if (af == AF_INET6) {
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }

    if (tos && af == AF_INET6) {
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));

    } else if (tos) {
        (void) setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    }

    /* as root the limit of the machine does not count, else it is cut */

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size))
        == -1)
    {
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size))
        == -1)
    {
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    }

    if (bind(fd, &addr->u.sa, addr->len) == -1) {
        return errno;
    }

    return 0;
}


static void
mh_web_recv_h(uint8_t *buf, size_t len, const struct sa *src, void *arg)
{
    mh_web_input(arg, NULL, buf, len, src);
}


static void
mh_web_conn_h(struct mh_tcp_conn *conn, uint8_t *buf, size_t len, void *arg)
{
    mh_web_input(arg, conn, buf, len, mh_tcp_peer(conn));
}


static void
mh_web_lost_h(void *owner, void *arg)
{
    struct mh_path  *path = owner;

    (void) arg;

    mh_transport_path_drop(path->transport, path);
}


static void
mh_web_input(struct mh_web_sock *ws, struct mh_tcp_conn *conn, uint8_t *buf,
    size_t len, const struct sa *src)
{
    struct mh_web   *web;
    struct mh_path  *path;

    web = ws->web;

    /* ME-2, RFC 7983 7 */

    if (buf[0] < 4) {
        mh_web_stun(ws, conn, buf, len, src);
        return;
    }

    if (buf[0] < 20 || buf[0] > 191 || (buf[0] > 63 && buf[0] < 128)) {
        web->stat.unknown++;
        return;
    }

    path = mh_web_path(ws, conn, src);

    if (path == NULL) {
        web->stat.foreign++;
        return;
    }

    if (buf[0] < 64) {
        web->stat.dtls++;
        mh_transport_dtls_recv(path->transport, path, buf, len);
        return;
    }

    web->stat.media++;
    mh_transport_media_recv(path->transport, path, buf, len);
}


static void
mh_web_stun(struct mh_web_sock *ws, struct mh_tcp_conn *conn, uint8_t *buf,
    size_t len, const struct sa *src)
{
    int                   err;
    size_t                n;
    uint8_t               out[MH_ICE_REPLY_MAX];
    struct mh_web        *web;
    struct mh_path       *path;
    struct mh_transport  *t;
    struct mh_ice_event   ev;
    struct mh_web_found   found;

    web = ws->web;
    web->stat.stun++;

    found.web = web;
    found.transport = NULL;

    err = mh_ice_input(buf, len, src, mh_io_now(web->io), mh_web_find_h,
                       &found, out, sizeof(out), &n, &ev);
    if (err) {
        web->stat.stun_refused++;
        return;
    }

    t = (ev.error || !ev.authentic || ev.ice == NULL) ? NULL
                                                      : found.transport;
    path = (t != NULL) ? mh_web_path(ws, conn, src) : NULL;

    if (path != NULL && path->transport != t
        && (conn != NULL
            || (path->transport->path == path
                && mh_io_now(web->io) < path->heard + MH_WEB_HOLD_MS)))
    {
        /*
         * With a forged source any caller could take another's media away;
         * a connection serves one call all its life.
         */

        web->stat.stun_refused++;
        return;
    }

    if (n && conn != NULL) {

        /* if half of it is out, the connection and its path are no more */

        if (!mh_tcp_send(conn, out, n)) {
            return;
        }

    } else if (n) {
        mh_io_send_copy(web->io, ws->sock.fd, src, out, n, NULL);
    }

    if (t == NULL) {
        web->stat.stun_refused++;
        return;
    }

    if (path == NULL || path->transport != t) {
        path = mh_transport_path_add(t, ws, conn, src, path);
        if (path == NULL) {
            return;
        }
    }

    path->heard = mh_io_now(web->io);

    if (ev.nominated && t->path != path) {
        mh_transport_nominated(t, path, t->former != NULL
                                        && ev.ice == &t->ice);
    }

    if (ev.nominated && ev.ice == &t->ice) {
        mh_transport_restarted(t);
    }
}


static struct mh_ice *
mh_web_find_h(const struct pl *ufrag, void *arg)
{
    struct le            *le;
    struct mh_web_found  *found = arg;
    struct mh_transport  *t;

    le = hash_lookup(found->web->ufrags, hash_joaat_pl(ufrag),
                     mh_web_ufrag_h, (void *) ufrag);
    if (le == NULL) {
        return NULL;
    }

    t = le->data;
    found->transport = t;

    return (le == &t->he) ? &t->ice : t->former;
}


static bool
mh_web_ufrag_h(struct le *le, void *arg)
{
    const struct pl      *ufrag = arg;
    struct mh_transport  *t = le->data;

    return pl_strcmp(ufrag, (le == &t->he) ? t->ice.ufrag : t->former->ufrag)
           == 0;
}


static struct mh_path *
mh_web_path(struct mh_web_sock *ws, struct mh_tcp_conn *conn,
    const struct sa *src)
{
    struct le       *le;
    struct mh_path  *path;

    le = list_head(hash_list(ws->web->paths, sa_hash(src, SA_ALL)));

    for ( /* void */ ; le != NULL; le = le->next) {
        path = le->data;

        if (path->ws == ws && path->conn == conn
            && sa_cmp(&path->addr, src, SA_ALL))
        {
            return path;
        }
    }

    return NULL;
}
