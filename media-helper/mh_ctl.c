
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the control sockets, their connections and the cache of replies.  No
 * timer of its own: mh_ctl_tick() ages the cache.
 *
 * A datagram or a seqpacket record is one message.  On a stream the end of a
 * message is the end of its dictionary; there a cookie may be absent
 * (OpenSIPS), and such a request is not cached.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <re.h>

#include "mh_cache.h"
#include "mh_clock.h"
#include "mh_ctl.h"
#include "mh_listen.h"
#include "mh_log.h"


enum {
    MH_CTL_BACKLOG = 128,
    MH_CTL_READ = 65536,
    MH_CTL_UDP_ROUNDS = 32
};


struct mh_ctl_sock {
    struct mh_ctl       *ctl;
    struct mh_listen     listen;
    bool                 started;
};


struct mh_ctl_conn {
    struct le            le;
    struct mh_ctl       *ctl;
    int                  fd;
    int                  type;
    struct mbuf         *in;        /* what came of a message so far */
    struct mbuf         *out;       /* what could not be written yet */
    bool                 closing;   /* after out is written */
};


struct mh_ctl {
    struct mh_ctl_sock   socks[MH_CTL_SOCKS];
    unsigned             sockc;
    struct sa            peers[MH_CTL_PEERS];
    unsigned             peerc;
    struct list          conns;
    struct mh_cache     *cache;
    mh_ctl_h            *handler;
    void                *arg;
    ngx_ims_ng_node_t    nodes[NGX_IMS_NG_NODES];
    uint8_t              buf[NGX_IMS_NG_MAX_MESSAGE];
    uint8_t              reply[NGX_IMS_NG_MAX_MESSAGE];
};


static void mh_ctl_destroy(void *data);
static void mh_ctl_accept_h(int flags, void *arg);
static void mh_ctl_udp_h(int flags, void *arg);
static bool mh_ctl_allowed(const struct mh_ctl *ctl, const struct sa *src);
static void mh_conn_destroy(void *data);
static void mh_conn_h(int flags, void *arg);
static bool mh_conn_read(struct mh_ctl_conn *c);
static bool mh_conn_record(struct mh_ctl_conn *c, size_t n);
static bool mh_conn_stream(struct mh_ctl_conn *c);
static bool mh_conn_send(struct mh_ctl_conn *c, const struct pl *reply);
static void mh_conn_compact(struct mbuf *mb);
static bool mh_conn_flush(struct mh_ctl_conn *c);
static int mh_ctl_message(struct mh_ctl *ctl, const uint8_t *p, size_t len,
    size_t *used, struct pl *reply);
static void mh_ctl_reply(struct mh_ctl *ctl, const struct pl *cookie,
    const char *reason, struct pl *reply);


int
mh_ctl_alloc(struct mh_ctl **cp)
{
    int             err;
    struct mh_ctl  *ctl;

    ctl = mem_zalloc(sizeof(*ctl), mh_ctl_destroy);
    if (ctl == NULL) {
        return ENOMEM;
    }

    err = mh_cache_alloc(&ctl->cache);
    if (err) {
        mem_deref(ctl);
        return err;
    }

    *cp = ctl;

    return 0;
}


int
mh_ctl_listen(struct mh_ctl *ctl, const char *name, uid_t uid, gid_t gid)
{
    int                  err;
    struct mh_ctl_sock  *s;

    if (ctl->sockc == MH_CTL_SOCKS) {
        return ENOSPC;
    }

    s = &ctl->socks[ctl->sockc];

    err = mh_listen_open(&s->listen, name, uid, gid);
    if (err) {
        return err;
    }

    s->ctl = ctl;
    ctl->sockc++;

    return 0;
}


int
mh_ctl_allow(struct mh_ctl *ctl, const char *addr)
{
    if (ctl->peerc == MH_CTL_PEERS) {
        return ENOSPC;
    }

    if (sa_set_str(&ctl->peers[ctl->peerc], addr, 0) != 0) {
        return EINVAL;
    }

    ctl->peerc++;

    return 0;
}


int
mh_ctl_start(struct mh_ctl *ctl, mh_ctl_h *handler, void *arg)
{
    int                  err;
    unsigned             i;
    struct mh_ctl_sock  *s;

    ctl->handler = handler;
    ctl->arg = arg;

    for (i = 0; i < ctl->sockc; i++) {
        s = &ctl->socks[i];

        err = fd_listen(s->listen.fd, FD_READ,
                        s->listen.type == SOCK_DGRAM ? mh_ctl_udp_h
                                                     : mh_ctl_accept_h, s);
        if (err) {
            return err;
        }

        s->started = true;
    }

    return 0;
}


void
mh_ctl_tick(struct mh_ctl *ctl, uint64_t now)
{
    mh_cache_tick(ctl->cache, now);
}


static void
mh_ctl_destroy(void *data)
{
    unsigned             i;
    struct mh_ctl       *ctl = data;
    struct mh_ctl_sock  *s;

    list_flush(&ctl->conns);

    for (i = 0; i < ctl->sockc; i++) {
        s = &ctl->socks[i];

        if (s->started) {
            fd_close(s->listen.fd);
        }

        mh_listen_close(&s->listen);
    }

    mem_deref(ctl->cache);
}


static void
mh_ctl_accept_h(int flags, void *arg)
{
    int                  fd;
    struct mh_ctl       *ctl;
    struct mh_ctl_conn  *c;
    struct mh_ctl_sock  *s = arg;

    (void) flags;

    ctl = s->ctl;

    fd = accept4(s->listen.fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);
    if (fd == -1) {
        return;
    }

    if (list_count(&ctl->conns) >= MH_CTL_CONNS) {
        mh_warn("too many control connections");
        (void) close(fd);
        return;
    }

    c = mem_zalloc(sizeof(*c), mh_conn_destroy);
    if (c == NULL) {
        (void) close(fd);
        return;
    }

    c->ctl = ctl;
    c->fd = fd;
    c->type = s->listen.type;
    c->in = mbuf_alloc(0);
    c->out = mbuf_alloc(0);
    list_append(&ctl->conns, &c->le, c);

    if (c->in == NULL || c->out == NULL
        || fd_listen(fd, FD_READ, mh_conn_h, c) != 0)
    {
        mem_deref(c);
    }
}


static void
mh_ctl_udp_h(int flags, void *arg)
{
    int                  i;
    size_t               used;
    ssize_t              n;
    struct pl            reply;
    struct sa            src;
    struct mh_ctl       *ctl;
    struct mh_ctl_sock  *s = arg;

    (void) flags;

    ctl = s->ctl;

    for (i = 0; i < MH_CTL_UDP_ROUNDS; i++) {
        sa_init(&src, AF_UNSPEC);
        src.len = sizeof(src.u);

        n = recvfrom(s->listen.fd, ctl->buf, sizeof(ctl->buf), MSG_DONTWAIT,
                     &src.u.sa, &src.len);
        if (n == -1) {
            return;
        }

        if (!mh_ctl_allowed(ctl, &src)) {
            mh_debug("control datagram from %s refused", mh_log_sa(&src));
            continue;
        }

        (void) mh_ctl_message(ctl, ctl->buf, n, &used, &reply);

        if (reply.l) {
            (void) sendto(s->listen.fd, reply.p, reply.l, MSG_DONTWAIT,
                          &src.u.sa, src.len);
        }
    }
}


static bool
mh_ctl_allowed(const struct mh_ctl *ctl, const struct sa *src)
{
    unsigned  i;

    if (ctl->peerc == 0) {
        return sa_is_loopback(src);
    }

    for (i = 0; i < ctl->peerc; i++) {
        if (sa_cmp(&ctl->peers[i], src, SA_ADDR)) {
            return true;
        }
    }

    return false;
}


static void
mh_conn_destroy(void *data)
{
    struct mh_ctl_conn  *c = data;

    list_unlink(&c->le);

    fd_close(c->fd);
    (void) close(c->fd);

    mem_deref(c->in);
    mem_deref(c->out);
}


static void
mh_conn_h(int flags, void *arg)
{
    struct mh_ctl_conn  *c = arg;

    if ((flags & FD_WRITE) && !mh_conn_flush(c)) {
        mem_deref(c);
        return;
    }

    if ((flags & (FD_READ|FD_EXCEPT)) && !mh_conn_read(c)) {
        mem_deref(c);
    }
}


/* returns false when the connection is at its end */

static bool
mh_conn_read(struct mh_ctl_conn *c)
{
    size_t   size;
    ssize_t  n;

    size = (c->type == SOCK_SEQPACKET) ? sizeof(c->ctl->buf) : MH_CTL_READ;

    n = recv(c->fd, c->ctl->buf, size, MSG_DONTWAIT);

    if (n == -1) {
        return errno == EAGAIN || errno == EINTR;
    }

    if (n == 0) {
        return false;
    }

    if (c->closing) {
        return true;
    }

    if (c->type == SOCK_SEQPACKET) {
        return mh_conn_record(c, n);
    }

    if (mbuf_write_mem(c->in, c->ctl->buf, n) != 0) {
        return false;
    }

    return mh_conn_stream(c);
}


static bool
mh_conn_record(struct mh_ctl_conn *c, size_t n)
{
    size_t     used;
    struct pl  reply;

    (void) mh_ctl_message(c->ctl, c->ctl->buf, n, &used, &reply);

    return mh_conn_send(c, &reply);
}


static bool
mh_conn_stream(struct mh_ctl_conn *c)
{
    int        rc;
    size_t     pos, used;
    struct pl  reply;

    pos = 0;

    while (pos < c->in->end) {

        if (c->in->buf[pos] == '\n' || c->in->buf[pos] == '\r') {
            pos++;
            continue;
        }

        rc = mh_ctl_message(c->ctl, c->in->buf + pos, c->in->end - pos,
                            &used, &reply);

        if (rc == NGX_IMS_NG_AGAIN) {

            if (c->in->end - pos > NGX_IMS_NG_MAX_MESSAGE) {
                return false;
            }

            break;
        }

        /* without a valid dictionary the next message cannot be found */

        if (rc != NGX_IMS_NG_OK) {
            c->closing = true;
        }

        if (!mh_conn_send(c, &reply)) {
            return false;
        }

        if (rc != NGX_IMS_NG_OK) {
            return mbuf_get_left(c->out) != 0;
        }

        pos += used;
    }

    memmove(c->in->buf, c->in->buf + pos, c->in->end - pos);
    c->in->end -= pos;
    c->in->pos = c->in->end;

    return true;
}


static bool
mh_conn_send(struct mh_ctl_conn *c, const struct pl *reply)
{
    int      err;
    size_t   pos;
    ssize_t  n;

    if (reply->l == 0) {
        return true;
    }

    if (c->type == SOCK_SEQPACKET) {
        n = send(c->fd, reply->p, reply->l, MSG_DONTWAIT|MSG_NOSIGNAL);

        /* a client that does not read loses its reply, as with UDP */

        return n != -1 || errno == EAGAIN || errno == EMSGSIZE;
    }

    /* who reads slowly must not let the written part grow for ever */

    mh_conn_compact(c->out);

    pos = c->out->pos;
    c->out->pos = c->out->end;
    err = mbuf_write_mem(c->out, (const uint8_t *) reply->p, reply->l);
    c->out->pos = pos;

    if (err || mbuf_get_left(c->out) > 4 * NGX_IMS_NG_MAX_MESSAGE) {
        return false;
    }

    return mh_conn_flush(c);
}


static void
mh_conn_compact(struct mbuf *mb)
{
    size_t  left;

    if (mb->pos < NGX_IMS_NG_MAX_MESSAGE) {
        return;
    }

    left = mbuf_get_left(mb);

    memmove(mb->buf, mbuf_buf(mb), left);
    mb->pos = 0;
    mb->end = left;
}


static bool
mh_conn_flush(struct mh_ctl_conn *c)
{
    size_t   left;
    ssize_t  n;

    left = mbuf_get_left(c->out);

    if (left) {
        n = send(c->fd, mbuf_buf(c->out), left, MSG_DONTWAIT|MSG_NOSIGNAL);

        if (n == -1 && errno != EAGAIN && errno != EINTR) {
            return false;
        }

        if (n > 0) {
            mbuf_advance(c->out, n);
        }
    }

    if (mbuf_get_left(c->out)) {
        return fd_listen(c->fd, FD_READ|FD_WRITE, mh_conn_h, c) == 0;
    }

    if (left) {
        mbuf_rewind(c->out);

        if (fd_listen(c->fd, FD_READ, mh_conn_h, c) != 0) {
            return false;
        }
    }

    return !c->closing;
}


/*
 * Does the message at p and gives the reply, which may be empty.  Returns
 * what the codec said, OK if *used is where the next message begins.
 */

static int
mh_ctl_message(struct mh_ctl *ctl, const uint8_t *p, size_t len,
    size_t *used, struct pl *reply)
{
    int        rc;
    size_t     n, body;
    struct pl  cookie;

    reply->p = NULL;
    reply->l = 0;

    rc = ngx_ims_ng_split(p, len, &n, &body);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    cookie.p = (const char *) p;
    cookie.l = n;

    if (body < len && p[body] == '{') {
        mh_ctl_reply(ctl, &cookie, "Could not decode bencode dictionary",
                     reply);
        return NGX_IMS_NG_INVALID;
    }

    rc = ngx_ims_ng_parse(p + body, len - body, ctl->nodes,
                          NGX_IMS_NG_NODES, used);

    if (rc != NGX_IMS_NG_OK) {
        mh_ctl_reply(ctl, &cookie,
                     body == len ? "Invalid data (no payload)"
                                 : "Could not decode bencode dictionary",
                     reply);
        return rc;
    }

    *used += body;

    if (ctl->nodes[0].type != NGX_IMS_NG_DICT) {
        mh_ctl_reply(ctl, &cookie, "Could not decode bencode dictionary",
                     reply);
        return NGX_IMS_NG_OK;
    }

    if (cookie.l == 0 || !mh_cache_find(ctl->cache, &cookie, reply)) {
        mh_ctl_reply(ctl, &cookie, NULL, reply);

        if (cookie.l) {
            mh_cache_add(ctl->cache, &cookie, reply->p, reply->l,
                         mh_clock());
        }
    }

    return NGX_IMS_NG_OK;
}


/* writes an error, or lets the handler do the request */

static void
mh_ctl_reply(struct mh_ctl *ctl, const struct pl *cookie, const char *reason,
    struct pl *reply)
{
    ngx_ims_ng_writer_t  w;

    ngx_ims_ng_write_init(&w, ctl->reply, sizeof(ctl->reply));

    if (cookie->l) {
        ngx_ims_ng_write_raw(&w, cookie->p, cookie->l);
        ngx_ims_ng_write_raw(&w, " ", 1);
    }

    if (reason == NULL) {
        ctl->handler(ctl->nodes, &w, ctl->arg);

    } else {
        ngx_ims_ng_write_dict(&w);
        ngx_ims_ng_write_key_word(&w, "result", "error");
        ngx_ims_ng_write_key_word(&w, "error-reason", reason);
        ngx_ims_ng_write_end(&w);
    }

    reply->p = (const char *) ctl->reply;
    reply->l = ngx_ims_ng_write_done(&w);

    if (reply->l == 0) {
        mh_err("reply too long for the control socket");

        if (reason == NULL) {
            mh_ctl_reply(ctl, cookie, "Reply too long", reply);
        }
    }
}
