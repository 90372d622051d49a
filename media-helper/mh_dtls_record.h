/*
 * Copyright (C) the IMS portal authors
 *
 * What the headers of DTLS records tell (RFC 6347 4.1) before OpenSSL sees
 * them.  Pure.  Used by mh_dtls.c.
 */

#ifndef MH_DTLS_RECORD_H
#define MH_DTLS_RECORD_H

#include <stddef.h>
#include <stdint.h>


enum {
    MH_DTLS_MESSAGE_MAX = 16384,    /* octets of a handshake message */
    MH_DTLS_RECORD_MAX = 2048       /* octets of a datagram of which
                                       some is taken out: what is beyond
                                       is cut off */
};


/* @return 1 if a datagram begins with (a part of) a ClientHello, else 0 */
int mh_dtls_record_hello(const uint8_t *buf, size_t len);

/*
 * @return 1 if an encrypted handshake record is among them.  After the
 * handshake that can only be the client's Finished: it ends the flight that
 * asks for our last one.
 */
int mh_dtls_record_finished(const uint8_t *buf, size_t len);

/*
 * Takes out records of epoch 0 that anybody may have written and OpenSSL
 * would end a handshake for: alerts, and what cannot be of the peer's
 * handshake.  There each message has its one or two places (RFC 6347 4.2.2,
 * RFC 5246 7.3).
 *
 * @param bufp    in and out: the datagram; points to copy if there was any
 * @param len     its length
 * @param client  1 if the peer is the TLS client, 0 if it is the server
 * @param fatal   out: 1 if one of them was a fatal alert, else 0
 *
 * @return the length of what is left
 */
size_t mh_dtls_record_trusted(const uint8_t **bufp, size_t len, int client,
    uint8_t copy[MH_DTLS_RECORD_MAX], int *fatal);


/* @return 1 if a datagram that we send begins with a fatal alert in clear */
int mh_dtls_record_fatal(const uint8_t *buf, size_t len);


#endif /* MH_DTLS_RECORD_H */
