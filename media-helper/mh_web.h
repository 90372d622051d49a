
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The browser side: the one WebRTC UDP port (a socket per address,
 * and a listener for ICE over TCP if that is wanted)
 * and the transports that share it.  A transport is an ICE-lite agent, a
 * DTLS association and a pair of SRTP contexts: one for all m-lines that the
 * browser bundles, see mh_link.h.
 *
 * What comes in is told apart by its first byte (RFC 7983), STUN by our
 * ufrag, all else by the 5-tuple, which must have passed an authenticated
 * check.  What goes up to the media handler is authenticated and decrypted.
 */


#ifndef MH_WEB_H
#define MH_WEB_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_dtls.h"
#include "mh_ice.h"
#include "mh_io.h"
#include "mh_tcp.h"


enum mh_web_limits {
    MH_WEB_SOCKS = 8,           /* addresses of the browser side */
    MH_WEB_PATHS = 8,           /* 5-tuples a transport may have at once */
    MH_WEB_RELEASE_MS = 200,    /* the SSL object lives on for that long */
    MH_WEB_HOLD_MS = 7000,      /* after a check the pair in use stays with
                                   its call: browsers repeat every 6 s */
    MH_WEB_BURST = 64,          /* SSL objects, see mh_web_settled() */
    MH_WEB_BUFFER = 4194304     /* bytes of socket buffer asked for */
};


struct mh_web;
struct mh_transport;


enum mh_transport_state {
    MH_TRANSPORT_NEW = 0,       /* no nominated pair yet */
    MH_TRANSPORT_PATH,          /* a pair, DTLS is on its way */
    MH_TRANSPORT_UP,            /* keys are there: media passes */
    MH_TRANSPORT_FAILED         /* wrong certificate, alert, no answer */
};


struct mh_transport_stat {
    uint64_t  auth_errors;      /* SRTP and SRTCP with a wrong tag */
    uint64_t  replays;
    uint64_t  bad;              /* no RTP, or before the keys */
    uint64_t  send_errors;      /* no pair or no keys yet, or SRTP refused */
    uint64_t  ssrcs_refused;    /* packets of SSRCs beyond
                                   MH_SRTP_SSRC_MAX, either way */
};


struct mh_web_stat {
    uint64_t  stun;
    uint64_t  stun_refused;     /* answered with an error, or dropped */
    uint64_t  dtls;
    uint64_t  media;
    uint64_t  foreign;          /* from a 5-tuple without a check: dropped */
    uint64_t  unknown;          /* a first byte that is nothing of ours */
    unsigned  transports;
};


/*
 * An RTP or RTCP packet of the browser's, decrypted.  It may be changed in
 * place and grow up to MH_IO_ROOM bytes.
 */
typedef void (mh_transport_media_h)(uint8_t *buf, size_t len, bool rtcp,
    void *arg);

/*
 * The transport came up (err 0) or failed (err as in mh_dtls.h); reason is
 * a text for a log line.  The transport must not be freed from here.
 */
typedef void (mh_transport_state_h)(int err, const char *reason, void *arg);


/*
 * Binds the sockets.  Before privileges are dropped and before any fork.
 *
 * @param wp     set on success; free it with mem_deref() after its
 *               transports
 * @param addrs  addresses with port
 * @param n      1 to MH_WEB_SOCKS
 * @param tos    value of IP_TOS, 0 to 252
 *
 * @return 0, EINVAL, ENOMEM, or what socket(2) or bind(2) said
 */
int mh_web_alloc(struct mh_web **wp, const struct sa *addrs, unsigned n,
    int tos);

/*
 * Gives RTP of video another mark than the rest, over UDP; a connection of
 * TCP has one for all.
 *
 * @param addrs  those of mh_web_alloc()
 * @param tos    value of IP_TOS, 0 to 252
 */
void mh_web_mark_video(struct mh_web *web, const struct sa *addrs,
    unsigned n, int tos);

/*
 * Listens on TCP as well (RFC 6544), on the same addresses.  Before
 * privileges are dropped.
 *
 * @param addrs  those of mh_web_alloc()
 * @param tos    as there
 * @param port   1 to 65535
 *
 * @return 0, ENOMEM, or what socket(2), bind(2) or listen(2) said
 */
int mh_web_tcp(struct mh_web *web, const struct sa *addrs, unsigned n,
    int tos, uint16_t port);

/* At most so many connections for each address, see mh_tcp.h */
void mh_web_tcp_limit(struct mh_web *web, unsigned max);

/* Sums over all addresses; zero without mh_web_tcp() */
void mh_web_tcp_stat(const struct mh_web *web, struct mh_tcp_stat *sum);

/* Makes the certificate: once, before the file system is given up */
int mh_web_certificate(struct mh_web *web);

/* Begins to hear the sockets */
int mh_web_start(struct mh_web *web, struct mh_io *io);

/*
 * DTLS retransmissions and releases that are due; every 50 ms or so.
 */
void mh_web_tick(struct mh_web *web, uint64_t now);

/*
 * @return whether a burst of handshakes is over: at least MH_WEB_BURST SSL
 *         objects were released since it said so last, and none is left
 */
bool mh_web_settled(struct mh_web *web);

/* @return "AB:CD:..." of sha-256; lives as long as web */
const char *mh_web_fingerprint(const struct mh_web *web);

const struct mh_web_stat *mh_web_stat(const struct mh_web *web);

/* @return its socket number i, below MH_WEB_SOCKS, or -1 */
int mh_web_fd(const struct mh_web *web, unsigned i);


/*
 * Makes a transport with an ICE agent; there is no DTLS role yet.
 *
 * @param tp      set on success; free it with mem_deref(), never from a
 *                handler
 * @param web     the shared port
 * @param mediah  for decrypted packets
 * @param stateh  for "up" and "failed"
 * @param arg     of both
 *
 * @return 0, ENOMEM, or what getrandom(2) said
 */
int mh_transport_alloc(struct mh_transport **tp, struct mh_web *web,
    mh_transport_media_h *mediah, mh_transport_state_h *stateh, void *arg);

/* our ufrag and password are in it: for the SDP */
const struct mh_ice *mh_transport_ice(const struct mh_transport *t);

/* Notes the browser's ufrag, see mh_ice_remote() */
int mh_transport_remote(struct mh_transport *t, const struct pl *ufrag);

/* @return whether the browser's ufrag is or was that one: no restart */
bool mh_transport_is(const struct mh_transport *t, const struct pl *ufrag);

/*
 * New ufrag and password (RFC 8839 4.4.1.1.1).  The pair in use, DTLS and
 * SRTP stay until a new pair is nominated; so do the former ufrag and
 * password, since the offer may still be rejected (RFC 8445 9).
 *
 * @return 0, or what getrandom(2) said
 */
int mh_transport_ice_restart(struct mh_transport *t);

/*
 * Takes a restart back, if ufrag is the one that the browser had before it.
 *
 * @return whether it was
 */
bool mh_transport_ice_rollback(struct mh_transport *t,
    const struct pl *ufrag);

/*
 * Settles the DTLS role and what certificates are accepted.  Called again
 * with the same role and a known fingerprint it changes nothing; a new role
 * or an unknown fingerprint is a new association (RFC 8842 4), and the old
 * keys serve until it is up.
 *
 * @param t      the transport
 * @param role   ours
 * @param hash   of the fingerprint, e.g. "sha-256"
 * @param value  hex with colons
 * @param anew   true: a new association in any case
 *
 * @return 0, ENOMEM, ENOTSUP or EBADMSG (fingerprint)
 */
int mh_transport_dtls(struct mh_transport *t, enum mh_dtls_role role,
    const char *hash, const char *value, bool anew);

/* Adds a further fingerprint to the association, see mh_dtls.h */
int mh_transport_fingerprint(struct mh_transport *t, const char *hash,
    const char *value);

/* Whether the association accepts that certificate already */
bool mh_transport_knows(const struct mh_transport *t, const char *hash,
    const char *value);

/*
 * Whether there is an association; its role goes to *role.  A browser that
 * we offered actpass to may begin before its answer has reached us, and
 * thereby decides.
 */
bool mh_transport_role(const struct mh_transport *t,
    enum mh_dtls_role *role);

/*
 * Protects a packet in place and sends it to the nominated pair, or before
 * there is one to that which DTLS came over.  Only from a receive handler of
 * mh_io, and only for the buffer it was given.
 *
 * @param t     the transport
 * @param buf   the packet; there must be MH_SRTP_OVERHEAD_MAX bytes of room
 *              behind it
 * @param len   its length
 * @param rtcp  whether it is RTCP
 *
 * @return 0, ENOTCONN, or what mh_srtp.h says
 */
int mh_transport_send(struct mh_transport *t, uint8_t *buf, size_t len,
    bool rtcp);

/*
 * The same for RTP of video, which may have a mark of its own; len in and
 * out: that of what is sent, which is then in buf
 */
int mh_transport_send_video(struct mh_transport *t, uint8_t *buf,
    size_t *len);

/* The same for any other buffer, from anywhere; it is protected in place */
int mh_transport_send_copy(struct mh_transport *t, uint8_t *buf, size_t len,
    bool rtcp);

/*
 * Sends protected RTP of video once more, to the pair that is in use now;
 * nothing without consent
 */
void mh_transport_resend_video(struct mh_transport *t, const uint8_t *buf,
    size_t len);

/*
 * Which keys packets are protected with: a number that a new key raises, and
 * that no other transport has; 0 = none yet
 */
unsigned mh_transport_keys(const struct mh_transport *t);

enum mh_transport_state mh_transport_state(const struct mh_transport *t);

/* whether consent is gone (RFC 7675 5.1), or never came for that long */
bool mh_transport_expired(const struct mh_transport *t, uint64_t now);

/* the nominated source; NULL if there is none */
const struct sa *mh_transport_peer(const struct mh_transport *t);

/* name of the SRTP profile in use, "" if there is none */
const char *mh_transport_suite(const struct mh_transport *t);

const struct mh_transport_stat *mh_transport_stat(
    const struct mh_transport *t);


#endif /* MH_WEB_H */
