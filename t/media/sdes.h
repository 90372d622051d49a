/*
 * Copyright (C) the IMS portal authors
 *
 * The IMS end with SDES-SRTP: a=crypto as RFC 4568 has it, packets by
 * libsrtp2.  Shares nothing with the helper.
 */

#ifndef SDES_H
#define SDES_H

#include <stddef.h>
#include <stdint.h>
#include <srtp2/srtp.h>


enum {
    SDES_TEXT = 2048
};


struct sdes {
    const char  *profile;       /* in the end's m-line */
    const char  *transport;     /* asked for towards the IMS */
    const char  *words;         /* of the list SDES, NULL = none */
    const char  *osrtp;         /* of the list OSRTP, NULL = none */
    const char  *suite;         /* that the end wants */
    const char  *before;        /* lines that its offer begins with, or NULL */
    const char  *after;         /* that are added to its own line, or NULL */
    int          none;          /* it writes no line at all */
    int          wrong_tag;     /* it answers with one that is not offered */
    unsigned     tag;
    char         key[80];       /* the end's own, in base64 */
    char         peer[80];      /* the server's */
    srtp_t       tx;
    srtp_t       rx;
};


/* with a key of its own and RTP/SAVP */
void sdes_open(struct sdes *s, const char *suite);
void sdes_close(struct sdes *s);

/* another key; taken into use with the next description of the server */
void sdes_renew(struct sdes *s);

/* @return bytes written: the end's a=crypto line */
size_t sdes_line(const struct sdes *s, int answer, char *buf, size_t size);

/* takes the server's key from its description; @return 0, or -1 without */
int sdes_remote(struct sdes *s, const char *sdp);

/* in place; @return the new length, 0 if it failed */
size_t sdes_protect(struct sdes *s, uint8_t *buf, size_t len, int rtcp);
size_t sdes_unprotect(struct sdes *s, uint8_t *buf, size_t len, int rtcp);


#endif /* SDES_H */
