/*
 * Copyright (C) the IMS portal authors
 *
 * Headers of DTLS records.  Used by mh_dtls.c.  No timer.
 */

#include <string.h>

#include "mh_dtls_record.h"


enum {
    RECORD_HEADER = 13,
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    HANDSHAKE_CLIENT_HELLO = 1,
    ALERT_FATAL = 2
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
mh_dtls_record_trusted(const uint8_t **bufp, size_t len,
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

        if (record_clear(p, RECORD_ALERT)) {
            found = 1;
            *fatal |= (p[RECORD_HEADER] == ALERT_FATAL);

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
