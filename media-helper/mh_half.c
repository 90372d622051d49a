
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns whom the sockets of the IMS side hear.  No timer: that a peer is
 * silent is seen when a packet of somebody else comes.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <re.h>

#include "mh_half.h"


enum {
    MH_HALF_DRAIN = 1024        /* datagrams thrown away at most */
};


static int mh_half_again(struct mh_half *h, enum mh_half_mode mode);
static int mh_half_connect(struct mh_half *h, const struct sa *peer);
static void mh_half_open(struct mh_half *h);
static void mh_half_drain(int fd);


int
mh_half_peer(struct mh_half *h, struct mh_io *io, const struct sa *peer,
    enum mh_half_mode mode)
{
    int  err;

    if (h->set && sa_cmp(&h->signaled, peer, SA_ALL)) {
        return mh_half_again(h, mode);
    }

    if (mode == MH_HALF_STRICT) {
        err = mh_half_connect(h, peer);
        if (err) {
            return err;
        }

    } else {
        mh_half_open(h);
    }

    h->moves = (mode == MH_HALF_MOVE);
    h->learned = false;
    h->heard = 0;

    sa_cpy(&h->peer, peer);
    sa_cpy(&h->signaled, peer);

    if (!h->set) {
        err = mh_io_add(io, &h->sock);
        if (err) {
            return err;
        }

        h->set = true;
    }

    return 0;
}


int
mh_half_reaches(const struct mh_half *h, const struct sa *local,
    const struct sa *peer, enum mh_half_mode mode)
{
    int        fd, err;
    struct sa  addr;

    if (mode != MH_HALF_STRICT
        || (h->set && sa_cmp(&h->signaled, peer, SA_ALL)))
    {
        return 0;
    }

    if (sa_af(local) != sa_af(peer)) {
        return EAFNOSUPPORT;
    }

    fd = socket(sa_af(local), SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    /* a want of descriptors says nothing of the peer */

    if (fd == -1) {
        return 0;
    }

    sa_cpy(&addr, local);
    sa_set_port(&addr, 0);
    err = 0;

    if (bind(fd, &addr.u.sa, addr.len) == 0
        && connect(fd, &peer->u.sa, peer->len) == -1)
    {
        err = errno;
    }

    (void) close(fd);

    return err;
}


bool
mh_half_foreign(const struct mh_half *h, const struct sa *src, bool secure,
    uint64_t now)
{
    if (src == NULL) {
        return false;
    }

    /*
     * What others sent before the socket was connected is still in its
     * queue, so it goes on to tell names; it must not leave a trace in
     * counters and sources.
     */

    if (h->connected) {
        return !sa_cmp(&h->peer, src, SA_ALL);
    }

    return h->moves && !secure && h->heard
           && now < h->heard + MH_HALF_HOLD_MS
           && !sa_cmp(&h->peer, src, SA_ALL);
}


bool
mh_half_strange(const struct mh_half *h, const struct mh_half *rtp,
    const struct sa *src, bool secure)
{
    if (src == NULL || h->connected) {
        return mh_half_foreign(h, src, secure, 0);
    }

    return h->moves && !secure && !sa_cmp(&h->peer, src, SA_ALL)
           && !sa_cmp(&rtp->peer, src, SA_ADDR);
}


bool
mh_half_known(const struct mh_half *h, const struct sa *src)
{
    return (h->connected || (h->moves && h->heard))
           && sa_cmp(&h->peer, src, SA_ALL);
}


/* who sends first is the peer */

bool
mh_half_learn(struct mh_half *h, const struct sa *src, uint64_t now)
{
    if (h->connected) {
        return true;
    }

    if (h->moves) {
        h->heard = now;

    } else {

        if (connect(h->sock.fd, &src->u.sa, src->len) == -1) {
            return false;
        }

        h->connected = true;
    }

    sa_cpy(&h->peer, src);
    h->learned = true;

    return true;
}


bool
mh_half_send(struct mh_half *h, const uint8_t *buf, size_t len)
{
    ssize_t  n;

    if (h->connected) {
        n = send(h->sock.fd, buf, len, MSG_DONTWAIT);

        /*
         * An earlier packet of ours met a closed port: the socket tells it
         * now, and this packet was not sent.
         */

        if (n == -1 && errno == ECONNREFUSED) {
            n = send(h->sock.fd, buf, len, MSG_DONTWAIT);
        }

    } else {
        n = sendto(h->sock.fd, buf, len, MSG_DONTWAIT, &h->peer.u.sa,
                   h->peer.len);
    }

    return n == (ssize_t) len;
}


/*
 * The peer of before: it may be allowed to move now, or to be elsewhere, or
 * no longer.  Where it was heard stays.
 */

static int
mh_half_again(struct mh_half *h, enum mh_half_mode mode)
{
    int  err;

    if (mode == MH_HALF_MOVE) {

        if (!h->moves) {
            mh_half_open(h);
            h->moves = true;
            h->heard = 0;
        }

        return 0;
    }

    if (mode == MH_HALF_LEARN && !h->learned) {

        if (h->connected) {
            mh_half_open(h);
        }

        h->moves = false;

        return 0;
    }

    if (h->connected) {
        return 0;
    }

    err = mh_half_connect(h, &h->peer);

    if (err == 0) {
        h->moves = false;
    }

    return err;
}


static int
mh_half_connect(struct mh_half *h, const struct sa *peer)
{
    if (connect(h->sock.fd, &peer->u.sa, peer->len) == -1) {
        return errno;
    }

    h->sock.named = false;
    h->connected = true;
    mh_half_drain(h->sock.fd);

    return 0;
}


/* a new peer may be learned anew: undoes the old one */

static void
mh_half_open(struct mh_half *h)
{
    struct sockaddr  none;

    h->sock.named = true;

    if (h->connected) {
        memset(&none, 0, sizeof(none));
        none.sa_family = AF_UNSPEC;
        (void) connect(h->sock.fd, &none, sizeof(none));
    }

    h->connected = false;
}


static void
mh_half_drain(int fd)
{
    int      i;
    uint8_t  byte;

    for (i = 0; i < MH_HALF_DRAIN; i++) {

        if (recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN) {
            return;
        }
    }
}
