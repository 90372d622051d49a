
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the control sockets.  No timer of its own: mh_ctl_tick() ages what
 * is below, and hears again where accept() failed.
 *
 * A datagram is one message.  Connections are mh_conn's, what a message says
 * is mh_request's.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_ctl.h"
#include "mh_listen.h"
#include "mh_log.h"


enum {
    MH_CTL_ROUNDS = 32,         /* of one kind, then others have a turn */
    MH_CTL_DATAGRAM = 65507,    /* bytes of a reply over UDP, IPv4 */
    MH_CTL_QUIET = 60000        /* ms between two lines on one trouble */
};


struct mh_ctl_sock {
    struct mh_ctl       *ctl;
    struct mh_listen     listen;
    bool                 started;
    bool                 paused;    /* accept() failed; till the next tick */
};


struct mh_ctl {
    struct mh_ctl_sock    socks[MH_CTL_SOCKS];
    unsigned              sockc;
    struct sa             peers[MH_CTL_PEERS];
    unsigned              peerc;
    struct mh_requests   *requests;
    struct mh_conns      *conns;
    uint64_t              told;     /* ms, of the last trouble; 0 = never */
    uint8_t               buf[65536];
};


static void mh_ctl_destroy(void *data);
static int mh_ctl_hear(struct mh_ctl_sock *s);
static void mh_ctl_accept_h(int flags, void *arg);
static bool mh_ctl_accept(struct mh_ctl_sock *s);
static bool mh_ctl_untaken(struct mh_ctl_sock *s, int err);
static void mh_ctl_udp_h(int flags, void *arg);
static bool mh_ctl_allowed(const struct mh_ctl *ctl, const struct sa *src);
static bool mh_ctl_tell(struct mh_ctl *ctl);


int
mh_ctl_alloc(struct mh_ctl **cp)
{
    int             err;
    struct mh_ctl  *ctl;

    ctl = mem_zalloc(sizeof(*ctl), mh_ctl_destroy);
    if (ctl == NULL) {
        return ENOMEM;
    }

    err = mh_requests_alloc(&ctl->requests);

    if (err == 0) {
        err = mh_conns_alloc(&ctl->conns, ctl->requests);
    }

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
mh_ctl_start(struct mh_ctl *ctl, mh_request_h *handler,
    mh_conn_metrics_h *metrics, void *arg)
{
    int                  err;
    unsigned             i;
    struct mh_ctl_sock  *s;

    mh_requests_handler(ctl->requests, handler, arg);
    mh_conns_metrics(ctl->conns, metrics, arg);

    for (i = 0; i < ctl->sockc; i++) {
        s = &ctl->socks[i];

        err = mh_ctl_hear(s);
        if (err) {
            return err;
        }

        s->started = true;
    }

    return 0;
}


static int
mh_ctl_hear(struct mh_ctl_sock *s)
{
    return fd_listen(s->listen.fd, FD_READ,
                     s->listen.type == SOCK_DGRAM ? mh_ctl_udp_h
                                                  : mh_ctl_accept_h, s);
}


void
mh_ctl_tick(struct mh_ctl *ctl, uint64_t now)
{
    unsigned             i;
    struct mh_ctl_sock  *s;

    mh_requests_tick(ctl->requests, now);
    mh_conns_tick(ctl->conns, now);

    for (i = 0; i < ctl->sockc; i++) {
        s = &ctl->socks[i];

        if (s->paused && mh_ctl_hear(s) == 0) {
            s->paused = false;
        }
    }
}


void
mh_ctl_stat(const struct mh_ctl *ctl, struct mh_ctl_stat *stat)
{
    stat->requests = *mh_requests_stat(ctl->requests);
    stat->conns = *mh_conns_stat(ctl->conns);
}


static void
mh_ctl_destroy(void *data)
{
    unsigned             i;
    struct mh_ctl       *ctl = data;
    struct mh_ctl_sock  *s;

    mem_deref(ctl->conns);

    for (i = 0; i < ctl->sockc; i++) {
        s = &ctl->socks[i];

        if (s->started && !s->paused) {
            fd_close(s->listen.fd);
        }

        mh_listen_close(&s->listen);
    }

    mem_deref(ctl->requests);
}


static void
mh_ctl_accept_h(int flags, void *arg)
{
    int                  i;
    struct mh_ctl_sock  *s = arg;

    (void) flags;

    for (i = 0; i < MH_CTL_ROUNDS && mh_ctl_accept(s); i++) {
        /* void */
    }
}


/* returns false when there are no more */

static bool
mh_ctl_accept(struct mh_ctl_sock *s)
{
    int             fd, err;
    bool            inet;
    struct sa       src;
    struct mh_ctl  *ctl;

    ctl = s->ctl;

    sa_init(&src, AF_UNSPEC);
    src.len = sizeof(src.u);

    fd = accept4(s->listen.fd, &src.u.sa, &src.len,
                 SOCK_NONBLOCK|SOCK_CLOEXEC);

    if (fd == -1) {
        return mh_ctl_untaken(s, errno);
    }

    inet = sa_af(&src) == AF_INET || sa_af(&src) == AF_INET6;

    if (inet && !mh_ctl_allowed(ctl, &src)) {
        mh_debug("control connection from %s refused", mh_log_sa(&src));
        mh_conn_refused(ctl->conns);
        (void) close(fd);
        return true;
    }

    err = mh_conn_add(ctl->conns, fd, s->listen.kind, inet, mh_clock());

    if (err && mh_ctl_tell(ctl)) {
        mh_warn("control connection refused: %s",
                err == ENOSPC ? "too many" : strerror(err));
    }

    return true;
}


/* accept4() failed; returns false when there are no more */

static bool
mh_ctl_untaken(struct mh_ctl_sock *s, int err)
{
    if (err == EAGAIN) {
        return false;
    }

    if (err != EMFILE && err != ENFILE && err != ENOBUFS && err != ENOMEM) {
        return true;        /* of the one that was waiting */
    }

    /*
     * It waits and would be told again and again: not to hear of it for a
     * second is all that helps, if nobody can be let go.
     */

    if (mh_ctl_tell(s->ctl)) {
        mh_warn("control connections cannot be taken: %s", strerror(err));
    }

    if (!mh_conn_evict(s->ctl->conns)) {
        fd_close(s->listen.fd);
        s->paused = true;
    }

    return false;
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

    for (i = 0; i < MH_CTL_ROUNDS; i++) {
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

        if (!mh_request_named(ctl->requests, ctl->buf, n)) {
            mh_warn("control datagram from %s has no cookie",
                    mh_log_sa(&src));
            continue;
        }

        (void) mh_request_do(ctl->requests, ctl->buf, n, true,
                             MH_CTL_DATAGRAM, &used, &reply);

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


/* whether there may be a line in the log on connections that fail */

static bool
mh_ctl_tell(struct mh_ctl *ctl)
{
    uint64_t  now;

    now = mh_clock();

    if (ctl->told && now < ctl->told + MH_CTL_QUIET) {
        return false;
    }

    ctl->told = now;

    return true;
}
