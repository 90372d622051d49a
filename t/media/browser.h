/*
 * Copyright (C) the IMS portal authors
 *
 * The media half of a browser: a full ICE agent with one host candidate,
 * DTLS, SRTP.  It shares no code with the helper: STUN is libre's, DTLS
 * plain OpenSSL, SRTP libsrtp2.
 */

#ifndef BROWSER_H
#define BROWSER_H

#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <srtp2/srtp.h>


enum {
    BROWSER_PACKET = 2048,
    BROWSER_SDP = 8192
};


struct browser {
    int                      fd;
    struct sockaddr_storage  self;
    struct sockaddr_storage  peer;
    socklen_t                len;
    char                     ufrag[9];
    char                     pwd[25];
    char                     fingerprint[128];
    const char              *hash;          /* of the fingerprint's line */
    char                     mid[17];       /* that of the offer */
    char                     peer_ufrag[257];
    char                     peer_pwd[257];

    SSL_CTX                 *ctx;
    SSL                     *ssl;
    BIO                     *in;
    BIO                     *out;
    int                      active;
    int                      connected;     /* 1, or -1 when it failed */
    unsigned                 profile;

    srtp_t                   tx;
    srtp_t                   rx;

    int                      stun_code;     /* of the last reply; 0 none,
                                               200 success */
    unsigned                 checks;        /* requests it got */
    unsigned                 ignored;       /* what srtp_unprotect refused */
    char                     whose[17];     /* mid of the last packet, or "" */
    unsigned                 whose_id;      /* of its header extension */
    unsigned                 tid;
    int                      check;         /* enum check_mode */
    unsigned                 lose;          /* DTLS datagrams to lose, a bit
                                               for each, the next one first */
    int                      alert;         /* somebody forges alerts in its
                                               name, all the time */
    unsigned                 lose_sent;     /* DTLS of its own to lose, as in
                                               lose */
    int                      video;         /* its SDP has video, too */
    const char              *video_fb;      /* then: a=rtcp-fb lines of 97 */
    int                      no_audio;      /* and has given audio up */
    const char              *tls_id;        /* in its SDP, or NULL */
    int                      group;         /* enum group_mode */
    unsigned                 skip;          /* candidates of its family that
                                               it does not take */
    int                      tcp;           /* fd is a stream, or will be */
    int                      pieces;        /* sent octet by octet */
    uint8_t                  in_stream[2 * BROWSER_PACKET];
    size_t                   in_len;
    struct browser          *second;        /* what video comes over if it is
                                               not bundled, or NULL */
};


enum group_mode {
    GROUP_ALL = 0,
    GROUP_FIRST,                            /* video is not in it */
    GROUP_NONE                              /* no such line at all */
};


/*
 * addr: its own address; profiles: for use_srtp, as OpenSSL writes them.
 *
 * @return 0 or -1
 */
int browser_open(struct browser *b, const char *addr, const char *profiles);
void browser_close(struct browser *b);

/*
 * Writes an SDP of the browser's, one audio m-line with the given formats
 * ("111 8 126"), as Chromium does.
 *
 * setup: actpass, active, passive; direction: sendrecv, ...
 */
void browser_sdp(struct browser *b, char *sdp, const char *formats,
    const char *setup, const char *direction, unsigned version);

/*
 * Takes candidate, ufrag, password and setup from the other's SDP.
 *
 * @return 0 or -1 if one of them is missing
 */
int browser_remote(struct browser *b, const char *sdp);

/*
 * Goes on over TCP (RFC 6544): the next browser_remote() takes the server's
 * passive candidate and connects.  @return the old socket
 */
int browser_tcp(struct browser *b);

/* one frame of RFC 4571; @return whether it was written */
int stream_send(int fd, const void *data, size_t len, int pieces);

/*
 * @return the length of the next frame within ms; 0: none, -1: the stream
 * has ended
 */
int stream_recv(struct browser *b, uint8_t *buf, int ms);

/* @return a connected stream, or -1 */
int stream_open(const struct sockaddr_storage *to, socklen_t len);

/*
 * Sends a check with USE-CANDIDATE and waits for its reply.
 *
 * pwd: NULL for the right one; @return the code, 200, or 0 for none
 */
int browser_check(struct browser *b, const char *pwd);

/* another certificate, for a new DTLS association; @return 0 or -1 */
int browser_renew(struct browser *b);

/* a new DTLS association with the same one */
void browser_again(struct browser *b);

/* a new ufrag and password for the next SDP */
void browser_restart(struct browser *b);

/* goes on from a new socket; @return the old one, or -1 */
int browser_move(struct browser *b, const char *addr);

/* runs ICE and DTLS; @return 1 when connected, else 0, after ms */
int browser_connect(struct browser *b, int ms);

/* protects and sends; @return the SRTP length */
size_t browser_send(struct browser *b, const uint8_t *pkt, size_t len);
size_t browser_send_rtcp(struct browser *b, const uint8_t *pkt, size_t len);

/* sends some packet if it has keys */
void browser_send_if(struct browser *b);

/* protects only, in place, room for 64 more octets */
size_t browser_protect(struct browser *b, uint8_t *pkt, size_t len);

/* sends as it is, from fd if that is not -1 */
void browser_raw(struct browser *b, int fd, const void *data, size_t len);

/*
 * The next RTP (rtcp = 0) or RTCP packet, or either (-1), decrypted; STUN and
 * DTLS are answered meanwhile.
 *
 * @return its length, or 0 after ms
 */
size_t browser_recv(struct browser *b, uint8_t *pkt, int rtcp, int ms);


#endif /* BROWSER_H */
