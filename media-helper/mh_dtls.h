/*
 * Copyright (C) the IMS portal authors
 *
 * DTLS 1.2 for DTLS-SRTP (RFC 5763, RFC 5764, RFC 6347, RFC 8827 6.5).
 *
 * A struct mh_dtls_ctx is made once per process and holds its certificate.
 * A struct mh_dtls is the association of one media transport.  It knows no
 * socket and no address: datagrams come in by mh_dtls_recv(), go
 * out by the send handler, and mh_dtls_tick() is to be called now and then
 * while mh_dtls_timeout() says so.  A change of the ICE path or an ICE
 * restart is none of its business.
 *
 * The life of an association:
 *
 *     mh_dtls_alloc()              nothing big is allocated yet
 *     mh_dtls_fingerprint_add()    from the peer's SDP, now or later
 *     mh_dtls_start()              active role only: sends the ClientHello
 *     mh_dtls_recv() ...           every datagram with first octet 20..63
 *       -> established handler     once; handshake done AND the certificate
 *                                  has a signalled fingerprint
 *     mh_dtls_release()            a moment later: frees the 48 KiB of
 *                                  the SSL object, keeps the last flight
 *     mem_deref()
 *
 * The peer's certificate is demanded in both roles.  A peer may begin before
 * its SDP answer has come: then the handshake goes on, and the established
 * handler waits for the fingerprint.  No key is given away before.
 *
 * All handlers are called from within mh_dtls_start(), _recv(), _tick() or
 * _fingerprint_add().  A handler may mem_deref() the association.
 */

#ifndef MH_DTLS_H
#define MH_DTLS_H

#include <stddef.h>
#include <stdint.h>


enum mh_dtls_limits {
    MH_DTLS_MTU = 1200,             /* octets of UDP payload we send at most */
    MH_DTLS_KEY_MAX = 32,
    MH_DTLS_SALT_MAX = 14,
    MH_DTLS_FINGERPRINT_SIZE = 96,  /* "AB:..." of sha-256 and a NUL */
    MH_DTLS_FINGERPRINTS = 8,       /* kept per association */
    MH_DTLS_TIMEOUT_FIRST = 200,    /* ms to the first retransmission ... */
    MH_DTLS_TIMEOUT_LAST = 3200,    /* ... doubling up to this; after 12 the
                                       association fails, about 30 s */
    MH_DTLS_FLIGHT_MAX = 2048,      /* octets of a last flight we keep */
    MH_DTLS_REPEATS = 32,           /* times we answer a repeated flight */
    MH_DTLS_ALERT = 3000            /* ms that a handshake has left after a
                                       fatal alert or a bad message in the
                                       clear */
};


enum mh_dtls_role {
    MH_DTLS_PASSIVE = 0,            /* a=setup:passive, the TLS server */
    MH_DTLS_ACTIVE                  /* a=setup:active, the TLS client */
};


/* SRTP master keys of both directions, RFC 5764 4.2 */

struct mh_dtls_keys {
    unsigned  profile;              /* IANA's number, as in mh_srtp.h */
    size_t    key_len;              /* octets that count of the keys */
    size_t    salt_len;             /* and of the salts */
    uint8_t   local_key[MH_DTLS_KEY_MAX];     /* for what we send */
    uint8_t   local_salt[MH_DTLS_SALT_MAX];
    uint8_t   remote_key[MH_DTLS_KEY_MAX];    /* for what the peer sends */
    uint8_t   remote_salt[MH_DTLS_SALT_MAX];
};


struct mh_dtls_ctx;
struct mh_dtls;


/*
 * A datagram to send to the peer, at most MH_DTLS_MTU octets.
 * It is dropped for good if it cannot be sent: DTLS will repeat it.
 */
typedef void (mh_dtls_send_h)(const uint8_t *buf, size_t len, void *arg);


/*
 * The association is up and the peer is who the SDP says.  Called once.
 * The keys are cleansed when the handler returns.
 */
typedef void (mh_dtls_estab_h)(const struct mh_dtls_keys *keys, void *arg);


/*
 * The association failed or ended; at most one call, none for mem_deref().
 * After it the object only swallows datagrams.
 *
 * err:  ECONNREFUSED  the certificate has none of the signalled fingerprints
 *       ECONNRESET    the peer closed it, or sent a fatal alert.  One in
 *                     the clear anybody can write who can forge an address:
 *                     it only ends a handshake that is not complete
 *                     MH_DTLS_ALERT later
 *       ETIMEDOUT     no answer to our retransmissions
 *       EPROTO        anything else in the handshake, e.g. no common SRTP
 *                     profile.  A bad message in the clear lets it begin
 *                     afresh, and ends it MH_DTLS_ALERT later
 *       ENOMEM
 *
 * reason: a short text for a log line, lower case, no full stop.
 */
typedef void (mh_dtls_close_h)(int err, const char *reason, void *arg);


struct mh_dtls_handlers {
    mh_dtls_send_h   *send;
    mh_dtls_estab_h  *estab;
    mh_dtls_close_h  *close;
};


/*
 * Makes a P-256 key, a self-signed certificate and the TLS settings.  Once
 * per process, before privileges are dropped (it reads random numbers and
 * OpenSSL's configuration).  Free it with mem_deref(); associations hold a
 * reference.
 *
 * @param ctxp  set on success
 *
 * @return 0 or ENOMEM
 */
int mh_dtls_ctx_alloc(struct mh_dtls_ctx **ctxp);


/*
 * The value for "a=fingerprint:sha-256 " (RFC 8122 5): 95 characters of
 * upper-case hex with colons.
 *
 * @return a string that lives as long as ctx
 */
const char *mh_dtls_ctx_fingerprint(const struct mh_dtls_ctx *ctx);


/*
 * Allocates an association.  Free it with mem_deref(); that sends nothing.
 *
 * @param dp    set on success
 * @param ctx   the process's certificate; referenced
 * @param role  fixed for its life: a change of role is a new association
 * @param h     the handlers, all three; copied
 * @param arg   their last argument
 *
 * @return 0, EINVAL (a handler is missing), ENOMEM
 */
int mh_dtls_alloc(struct mh_dtls **dp, struct mh_dtls_ctx *ctx,
    enum mh_dtls_role role, const struct mh_dtls_handlers *h, void *arg);


/*
 * Adds a fingerprint from the peer's SDP.  With several, those of the
 * strongest hash count and one of them must match (RFC 8122 5).  sha-256,
 * sha-384 and sha-512 are accepted; sha-1, sha-224 and the MDs are not:
 * every browser has sha-256 (RFC 8827 6.5).  If the handshake is waiting
 * for it, the established or the close handler is called from here.
 * Adding one that is there already is no error.
 *
 * @param d      the association
 * @param hash   name of the hash, in any case, zero-terminated
 * @param value  hex with colons, in any case, zero-terminated
 *
 * @return 0, ENOTSUP (hash), EBADMSG (value), ENOSPC (too many)
 */
int mh_dtls_fingerprint_add(struct mh_dtls *d, const char *hash,
    const char *value);


/* Whether that could take it: 0, ENOTSUP, EBADMSG */
int mh_dtls_fingerprint_check(const char *hash, const char *value);


/*
 * @return 1 if the association has this fingerprint already, else 0: tells
 * a repeated offer from one of another peer (RFC 8842 4)
 */
int mh_dtls_fingerprint_known(const struct mh_dtls *d, const char *hash,
    const char *value);


/*
 * Begins the handshake in the active role, once there is a path to the
 * peer.  Does nothing in the passive role, or if it has begun already.
 *
 * @return 0, ENOMEM
 */
int mh_dtls_start(struct mh_dtls *d);


/*
 * Takes one datagram of the peer's.  Garbage is ignored as RFC 6347
 * 4.1.2.7 wants it; whatever is wrong is told by the close handler.
 *
 * @param d    the association
 * @param buf  the datagram, not changed
 * @param len  1..65535
 *
 * @return 0, or ENOMEM
 */
int mh_dtls_recv(struct mh_dtls *d, const uint8_t *buf, size_t len);


/*
 * Retransmits what is due.  Calling it too often is harmless.
 */
void mh_dtls_tick(struct mh_dtls *d);


/*
 * @return milliseconds until mh_dtls_tick() has something to do (0: now), or
 * -1: no tick needed until the next datagram
 */
int mh_dtls_timeout(const struct mh_dtls *d);


/*
 * Frees the SSL object of an established association (no effect on others).
 * A peer that has lost our last flight and repeats its own still gets it
 * again, as long as the object lives.  The peer's close alerts are no longer
 * understood: consent (RFC 7675) tells of its end.
 */
void mh_dtls_release(struct mh_dtls *d);


/* @return 1 once the established handler has been called, else 0 */
int mh_dtls_established(const struct mh_dtls *d);


#endif /* MH_DTLS_H */
