
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * One of the two sockets of a stream's IMS side: who its peer is, and from
 * whom packets are taken.  The port pair owns the descriptor.
 *
 * A peer is where its description says (MH_HALF_STRICT: the socket is
 * connected, the kernel drops strangers' packets), or where the first packet
 * comes from (MH_HALF_LEARN: connected from then on), or may move on its own
 * (MH_HALF_MOVE, ng's media-handover): then somebody else is heard only when
 * the peer has been silent for a second, or at once if his packets are
 * authentic SRTP.  RTCP has no such pace: it comes from where RTP does.
 *
 * Per packet: no allocation, no log.
 */


#ifndef MH_HALF_H
#define MH_HALF_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_io.h"


enum {
    MH_HALF_HOLD_MS = 1000      /* silence before somebody else is the peer */
};


enum mh_half_mode {
    MH_HALF_STRICT = 0,
    MH_HALF_LEARN,
    MH_HALF_MOVE
};


struct mh_half {
    struct mh_io_sock  sock;
    struct sa          peer;        /* signaled, or learned */
    struct sa          signaled;
    bool               set;         /* peer is known, the socket is heard */
    bool               connected;   /* only peer is heard */
    bool               moves;       /* MH_HALF_MOVE */
    bool               learned;     /* peer is where a packet came from */
    uint64_t           heard;       /* ms; a packet that made it the peer */
};


/*
 * Names the peer.  With the same address as before only the mode may change,
 * and what was learned stays: a peer that was heard elsewhere is held to that
 * place, one that was not to the one that is named.
 *
 * @param io  the set that hears the socket from now on
 *
 * @return 0, or what connect(2) or epoll_ctl(2) said
 */
int mh_half_peer(struct mh_half *h, struct mh_io *io, const struct sa *peer,
    enum mh_half_mode mode);

/*
 * Whether mh_half_peer() could, without doing it.
 *
 * @param local  our address there; the port is not looked at
 *
 * @return 0, EAFNOSUPPORT, or what connect(2) said
 */
int mh_half_reaches(const struct mh_half *h, const struct sa *local,
    const struct sa *peer, enum mh_half_mode mode);

/*
 * Whether a packet of RTP is none of the peer's, before it is looked at.
 *
 * @param src     where it came from; NULL if the socket does not tell
 * @param secure  true: it will be authenticated
 * @param now     ms
 */
bool mh_half_foreign(const struct mh_half *h, const struct sa *src,
    bool secure, uint64_t now);

/* The same for a packet of RTCP on its own port; rtp is the other half */
bool mh_half_strange(const struct mh_half *h, const struct mh_half *rtp,
    const struct sa *src, bool secure);

/* @return whether src is the peer for sure: not before one is learned */
bool mh_half_known(const struct mh_half *h, const struct sa *src);

/*
 * A good packet came from there: now that is the peer.
 *
 * @return false if the socket cannot be connected to it
 */
bool mh_half_learn(struct mh_half *h, const struct sa *src, uint64_t now);

/* @return whether all of it was sent to the peer */
bool mh_half_send(struct mh_half *h, const uint8_t *buf, size_t len);


#endif /* MH_HALF_H */
