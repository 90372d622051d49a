/*
 * Copyright (C) the IMS portal authors
 *
 * A DTLS association with a wire for what it sends, for test_mh_dtls*.c.
 * One header, included by one file per program.
 */

#ifndef DTLS_WIRE_H
#define DTLS_WIRE_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <re.h>

#include "mh_dtls.h"
#include "tap.h"


enum {
    WIRE_MAX = 256,
    DATAGRAM_MAX = 1500
};


struct wire {
    unsigned  head, tail;
    size_t    len[WIRE_MAX];
    uint8_t   buf[WIRE_MAX][DATAGRAM_MAX];
};


struct side {
    struct mh_dtls       *d;
    struct wire           out;
    struct mh_dtls_keys   keys;
    unsigned              sent;
    size_t                largest;
    int                   estab;
    int                   closed;
    int                   err;
    int                   drop_self;      /* free d in the estab handler */
    char                  reason[128];
};


static struct mh_dtls_ctx  *ctx_a, *ctx_b;
static struct side          a, b;


static void
wire_put(struct wire *w, const uint8_t *buf, size_t len)
{
    unsigned  i;

    i = w->tail++ % WIRE_MAX;
    w->len[i] = len;
    memcpy(w->buf[i], buf, len);
}


static void
send_h(const uint8_t *buf, size_t len, void *arg)
{
    struct side  *s = arg;

    s->sent++;
    s->largest = (len > s->largest) ? len : s->largest;

    if (len <= DATAGRAM_MAX) {
        wire_put(&s->out, buf, len);
    }
}


static void
estab_h(const struct mh_dtls_keys *keys, void *arg)
{
    struct side  *s = arg;

    s->estab++;
    s->keys = *keys;

    if (s->drop_self) {
        s->d = mem_deref(s->d);
    }
}


static void
close_h(int err, const char *reason, void *arg)
{
    struct side  *s = arg;

    s->closed++;
    s->err = err;
    (void) re_snprintf(s->reason, sizeof(s->reason), "%s", reason);

    if (s->drop_self) {
        s->d = mem_deref(s->d);
    }
}


static const struct mh_dtls_handlers  handlers = { send_h, estab_h, close_h };


static void
side_open(struct side *s, struct mh_dtls_ctx *ctx, enum mh_dtls_role role,
    const struct mh_dtls_ctx *peer)
{
    memset(s, 0, sizeof(*s));

    if (mh_dtls_alloc(&s->d, ctx, role, &handlers, s) != 0) {
        exit(2);
    }

    if (peer != NULL) {
        (void) mh_dtls_fingerprint_add(s->d, "sha-256",
                                       mh_dtls_ctx_fingerprint(peer));
    }
}


/* the oldest datagram from s to peer; @return 0 when there is none */

static int
step(struct side *s, struct side *peer)
{
    unsigned  i;

    if (s->out.head == s->out.tail) {
        return 0;
    }

    i = s->out.head++ % WIRE_MAX;

    if (peer->d != NULL) {
        (void) mh_dtls_recv(peer->d, s->out.buf[i], s->out.len[i]);
    }

    return 1;
}


#endif /* DTLS_WIRE_H */
