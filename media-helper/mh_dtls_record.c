/*
 * Copyright (C) the IMS portal authors
 *
 * Headers of DTLS records.  Used by mh_dtls.c.  No timer.
 */

#include <string.h>

#include "mh_dtls_record.h"


enum {
    RECORD_HEADER = 13,
    RECORD_CCS = 20,
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    HANDSHAKE_HEADER = 12,
    HANDSHAKE_CLIENT_HELLO = 1,
    ALERT_FATAL = 2
};


/*
 * The messages of the peer's handshake that go in the clear, by their
 * sequence number.  A client is told no cookie and asked for a certificate;
 * a server may want a cookie first, and no certificate.
 */

static const struct {
    uint8_t  client;
    uint8_t  server[3];
} places[] = {
    { HANDSHAKE_CLIENT_HELLO, { 2, 3, 3 } },    /* hello, or verify request */
    { 11, { 11, 2, 2 } },                       /* certificate */
    { 16, { 12, 11, 11 } },                     /* key exchange */
    { 15, { 13, 12, 14 } },                     /* request, verify */
    { 0, { 14, 13, 13 } },                      /* hello done */
    { 0, { 14, 14, 14 } }
};


/* octets of the record that p begins with, no more than there are */

static size_t
record_len(const uint8_t *p, size_t left)
{
    size_t  n;

    n = RECORD_HEADER + ((size_t) p[11] << 8 | p[12]);

    return (n < left) ? n : left;
}


static int
record_clear(const uint8_t *p, unsigned type)
{
    return p[0] == type && (p[3] | p[4]) == 0;
}


static uint32_t
get24(const uint8_t *p)
{
    return (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
}


static int
place_has(unsigned seq, unsigned type, int client)
{
    if (seq >= sizeof(places) / sizeof(places[0])) {
        return 0;
    }

    if (client) {
        return type != 0 && type == places[seq].client;
    }

    return type == places[seq].server[0] || type == places[seq].server[1]
           || type == places[seq].server[2];
}


/* whether a record of epoch 0 can be of the peer's handshake */

static int
record_good(const uint8_t *p, size_t len, int client)
{
    uint32_t  total, offset, n;

    if (len < RECORD_HEADER + ((size_t) p[11] << 8 | p[12])) {
        return 0;
    }

    if (p[0] == RECORD_CCS) {
        return len == RECORD_HEADER + 1 && p[RECORD_HEADER] == 1;
    }

    if (p[0] != RECORD_HANDSHAKE) {
        return 0;
    }

    /* one or more messages, or fragments of such */

    p += RECORD_HEADER;
    len -= RECORD_HEADER;

    do {
        if (len < HANDSHAKE_HEADER) {
            return 0;
        }

        total = get24(p + 1);
        offset = get24(p + 6);
        n = get24(p + 9);

        if (total > MH_DTLS_MESSAGE_MAX || offset > total
            || n > total - offset || n > len - HANDSHAKE_HEADER
            || !place_has((unsigned) p[4] << 8 | p[5], p[0], client))
        {
            return 0;
        }

        p += HANDSHAKE_HEADER + n;
        len -= HANDSHAKE_HEADER + n;

    } while (len != 0);

    return 1;
}


int
mh_dtls_record_fatal(const uint8_t *buf, size_t len)
{
    return len > RECORD_HEADER && record_clear(buf, RECORD_ALERT)
           && buf[RECORD_HEADER] == ALERT_FATAL;
}


int
mh_dtls_record_hello(const uint8_t *buf, size_t len)
{
    return len > RECORD_HEADER
           && record_clear(buf, RECORD_HANDSHAKE)
           && buf[RECORD_HEADER] == HANDSHAKE_CLIENT_HELLO;
}


int
mh_dtls_record_finished(const uint8_t *buf, size_t len)
{
    size_t  n;

    for ( /* void */ ; len > RECORD_HEADER; len -= n, buf += n) {

        if (buf[0] == RECORD_HANDSHAKE && (buf[3] | buf[4]) != 0) {
            return 1;
        }

        n = record_len(buf, len);
    }

    return 0;
}


size_t
mh_dtls_record_trusted(const uint8_t **bufp, size_t len, int client,
    uint8_t copy[MH_DTLS_RECORD_MAX], int *fatal)
{
    int             found;
    size_t          n, left, kept;
    const uint8_t  *p;

    *fatal = 0;
    found = 0;
    kept = 0;
    p = *bufp;

    for (left = len; left > RECORD_HEADER; left -= n, p += n) {
        n = record_len(p, left);

        if ((p[3] | p[4]) == 0 && !record_good(p, n, client)) {
            found = 1;
            *fatal |= mh_dtls_record_fatal(p, n);

        } else if (kept + n <= MH_DTLS_RECORD_MAX) {
            memcpy(copy + kept, p, n);
            kept += n;
        }
    }

    if (!found) {
        return len;
    }

    *bufp = copy;

    return kept;
}
