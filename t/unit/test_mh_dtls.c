/*
 * Copyright (C) the IMS portal authors
 *
 * DTLS: two associations on a wire that loses, repeats and spoils
 * datagrams.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <re.h>

#include "dtls_wire.h"


static void
both_open(int know_a, int know_b)
{
    side_open(&a, ctx_a, MH_DTLS_ACTIVE, know_b ? ctx_b : NULL);
    side_open(&b, ctx_b, MH_DTLS_PASSIVE, know_a ? ctx_a : NULL);
}


static void
both_close(void)
{
    a.d = mem_deref(a.d);
    b.d = mem_deref(b.d);
}


static void
lose(struct side *s)
{
    s->out.head = s->out.tail;
}


static void
pump(void)
{
    while (step(&a, &b) + step(&b, &a)) {
        /* void */
    }
}


static void
tick_until(struct side *s, int ms)
{
    int  t;

    for (t = 0; t < ms && s->estab == 0; t += 20) {
        usleep(20000);

        if (a.d != NULL) {
            mh_dtls_tick(a.d);
        }

        if (b.d != NULL) {
            mh_dtls_tick(b.d);
        }

        pump();
    }
}


/* what a fatal alert in the clear leaves time for goes by */

static void
tick_closed(struct side *s)
{
    int  t;

    for (t = 0; t < 10 * MH_DTLS_ALERT && s->closed == 0; t += 20) {
        usleep(20000);
        mh_dtls_tick(s->d);
    }
}


static int
keys_agree(void)
{
    return a.keys.profile == b.keys.profile
           && a.keys.key_len == 16
           && memcmp(a.keys.local_key, b.keys.remote_key, 16) == 0
           && memcmp(b.keys.local_key, a.keys.remote_key, 16) == 0
           && memcmp(a.keys.local_salt, b.keys.remote_salt, 14) == 0
           && memcmp(b.keys.local_salt, a.keys.remote_salt, 14) == 0
           && memcmp(a.keys.local_key, b.keys.local_key, 16) != 0;
}


static void
test_plain(void)
{
    const char  *fp;

    fp = mh_dtls_ctx_fingerprint(ctx_a);
    ok(strlen(fp) == 95 && strspn(fp, "0123456789ABCDEF:") == 95
       && strcmp(fp, mh_dtls_ctx_fingerprint(ctx_b)) != 0,
       "a certificate and a fingerprint of its own per context");

    both_open(1, 1);
    ok(mh_dtls_timeout(a.d) == -1 && mh_dtls_start(b.d) == 0 && b.sent == 0,
       "nothing runs before the start, the passive side never starts");

    (void) mh_dtls_start(a.d);
    ok(a.sent == 1 && mh_dtls_timeout(a.d) > 0 && mh_dtls_timeout(a.d) <= 200,
       "a hello, and a timer of 200 ms");

    pump();
    ok(a.estab == 1 && b.estab == 1 && keys_agree(), "keys of both agree");
    ok(a.keys.profile == 7 && a.keys.salt_len == 12, "GCM is preferred");
    ok(a.largest <= MH_DTLS_MTU && b.largest <= MH_DTLS_MTU,
       "no datagram is larger than the MTU");
    ok(mh_dtls_established(a.d) && mh_dtls_timeout(a.d) == -1
       && mh_dtls_timeout(b.d) == -1, "no timer afterwards");

    mh_dtls_release(a.d);
    mh_dtls_release(b.d);
    both_close();
    ok(a.closed == 0 && b.closed == 0, "freeing tells nobody");
}


/* no media but with the signalled certificate (ME-7) */

static void
test_fingerprints(void)
{
    char         fp[MH_DTLS_FINGERPRINT_SIZE];
    size_t       i;
    const char  *other;

    other = mh_dtls_ctx_fingerprint(ctx_b);

    both_open(0, 1);
    (void) mh_dtls_fingerprint_add(b.d, "sha-256", other);
    (void) mh_dtls_start(a.d);
    pump();
    ok(b.estab == 0 && b.closed == 1 && b.err == ECONNREFUSED,
       "passive: a wrong fingerprint is refused (%s)", b.reason);
    ok(a.estab == 0 && a.closed == 0, "the alert is in the clear");
    tick_closed(&a);
    ok(a.closed == 1 && a.err == ECONNRESET,
       "so the peer believes it when nothing else comes (%s)", a.reason);
    both_close();

    both_open(1, 0);
    (void) mh_dtls_fingerprint_add(a.d, "SHA-256",
                                   mh_dtls_ctx_fingerprint(ctx_a));
    (void) mh_dtls_start(a.d);
    pump();
    ok(a.estab == 0 && a.closed == 1 && a.err == ECONNREFUSED && b.estab == 0,
       "active: a wrong fingerprint is refused");
    both_close();

    /* the peer began before its answer came */

    both_open(0, 1);
    (void) mh_dtls_start(a.d);
    pump();
    ok(b.estab == 0 && b.closed == 0 && a.estab == 1,
       "without a fingerprint the handshake ends, no key comes out");
    mh_dtls_tick(b.d);
    mh_dtls_release(b.d);
    (void) mh_dtls_fingerprint_add(b.d, "sha-256", other);
    ok(b.estab == 0 && b.closed == 0 && mh_dtls_timeout(b.d) == 0,
       "a late one that does not match waits for a second");
    (void) mh_dtls_fingerprint_add(b.d, "sha-256",
                                   mh_dtls_ctx_fingerprint(ctx_a));
    ok(b.estab == 1 && keys_agree(), "a late one that matches gives the keys");
    both_close();

    both_open(0, 1);
    (void) mh_dtls_start(a.d);
    pump();
    (void) mh_dtls_fingerprint_add(b.d, "sha-256", other);
    mh_dtls_tick(b.d);
    pump();
    ok(b.estab == 0 && b.closed == 1 && b.err == ECONNREFUSED
       && a.closed == 1, "a late one that does not match ends it");
    ok(a.err == ECONNRESET, "with an alert that is encrypted");
    both_close();

    both_open(0, 0);
    ok(mh_dtls_fingerprint_add(a.d, "sha-1", other) == ENOTSUP
       && mh_dtls_fingerprint_add(a.d, "md5", other) == ENOTSUP
       && mh_dtls_fingerprint_add(a.d, "sha-512", other) == EBADMSG
       && mh_dtls_fingerprint_add(a.d, "sha-256", "") == EBADMSG
       && mh_dtls_fingerprint_add(a.d, "sha-256", "AB:") == EBADMSG,
       "weak hashes and broken values are refused");

    for (i = 0; i < strlen(other); i++) {
        fp[i] = (other[i] >= 'A' && other[i] <= 'F')
                ? (char) (other[i] + 32) : other[i];
    }

    fp[i] = '\0';
    ok(mh_dtls_fingerprint_add(a.d, "Sha-256", fp) == 0
       && mh_dtls_fingerprint_known(a.d, "sha-256", other) == 1
       && mh_dtls_fingerprint_known(b.d, "sha-256", other) == 0,
       "case does not matter");
    fp[i - 1] = 'g';
    ok(mh_dtls_fingerprint_add(a.d, "sha-256", fp) == EBADMSG,
       "no hex, no fingerprint");
    both_close();
}


/* loses the n-th datagram of the whole handshake, for every n */

static void
test_loss(void)
{
    int       good, more;
    unsigned  n, seen;

    good = 1;

    for (n = 0; n < 6; n++) {
        both_open(1, 1);
        (void) mh_dtls_start(a.d);
        seen = 0;

        do {
            more = 0;

            if (a.out.head != a.out.tail) {
                more = 1;

                if (seen++ == n) {
                    a.out.head++;

                } else {
                    (void) step(&a, &b);
                }
            }

            if (b.out.head != b.out.tail) {
                more = 1;

                if (seen++ == n) {
                    b.out.head++;

                } else {
                    (void) step(&b, &a);
                }
            }

        } while (more);

        tick_until(&a, 1500);
        tick_until(&b, 100);

        if (a.estab != 1 || b.estab != 1 || !keys_agree()) {
            diag("datagram %u: estab %d %d", n, a.estab, b.estab);
            good = 0;
        }

        both_close();
    }

    ok(good, "any one datagram of the handshake may get lost");
}


/* the last flight is lost after the SSL object has gone */

static void
test_release(void)
{
    unsigned  i, before;

    both_open(1, 1);
    (void) mh_dtls_start(a.d);

    while (b.estab == 0) {
        (void) step(&a, &b);

        if (b.estab == 0) {
            (void) step(&b, &a);
        }
    }

    lose(&b);
    mh_dtls_release(b.d);
    ok(a.estab == 0, "the client waits for the last flight");

    for (i = 0; i < 40; i++) {
        (void) mh_dtls_recv(b.d, (const uint8_t *) "\x16\xfe\xfd", 3);
    }

    ok(b.sent != 0 && b.out.head == b.out.tail, "garbage gets no answer");

    tick_until(&a, 1500);
    ok(a.estab == 1 && keys_agree(), "it gets it again from what was kept");

    before = b.sent;

    for (i = 0; i < 200; i++) {
        (void) mh_dtls_recv(b.d, (const uint8_t *)
                            "\x16\xfe\xfd\0\1\0\0\0\0\0\0\0\0", 14);
    }

    ok(b.sent > before && b.sent - before <= MH_DTLS_REPEATS * 2,
       "but not for ever");
    both_close();
}


/* an alert in the clear before, behind and within everything */

static void
test_alerts(void)
{
    size_t    len;
    uint8_t   both[2 * DATAGRAM_MAX];
    unsigned  i, k;

    static const uint8_t  alert[] = {
        0x15, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40
    };

    both_open(1, 1);
    (void) mh_dtls_recv(b.d, alert, sizeof(alert));
    (void) mh_dtls_start(a.d);

    for (i = 0; i < 20; i++) {
        (void) mh_dtls_recv(a.d, alert, sizeof(alert));
        (void) mh_dtls_recv(b.d, alert, sizeof(alert));

        if (a.out.head != a.out.tail) {
            k = a.out.head++ % WIRE_MAX;
            len = a.out.len[k];
            memcpy(both, alert, sizeof(alert));
            memcpy(both + sizeof(alert), a.out.buf[k], len);
            memcpy(both + sizeof(alert) + len, alert, sizeof(alert));
            (void) mh_dtls_recv(b.d, both, len + 2 * sizeof(alert));
        }

        (void) step(&b, &a);
    }

    ok(a.estab == 1 && b.estab == 1 && a.closed + b.closed == 0
       && keys_agree(), "an alert in the clear ends no handshake that goes on");

    usleep((MH_DTLS_ALERT + 100) * 1000);
    mh_dtls_tick(a.d);
    mh_dtls_tick(b.d);
    ok(a.closed + b.closed == 0 && mh_dtls_timeout(a.d) == -1,
       "nor one that is over");
    both_close();
}


/*
 * A handshake message of 8 octets that cannot be read: with a header that is
 * right, or wrong in the one or the other way.
 */

static size_t
forge(uint8_t *p, unsigned type, unsigned seq, unsigned total)
{
    memset(p, 0xff, 33);
    memcpy(p, "\x16\xfe\xfd\0\0\0\0\0\0\1", 10);
    p[10] = (uint8_t) (type * 16 + seq);
    p[11] = 0;
    p[12] = 20;
    p[13] = (uint8_t) type;
    p[14] = (uint8_t) (total >> 16);
    p[15] = (uint8_t) (total >> 8);
    p[16] = (uint8_t) total;
    p[17] = 0;
    p[18] = (uint8_t) seq;
    memset(p + 19, 0, 6);
    p[24] = 8;

    return 33;
}


/* what the other one has not sent, before each of his datagrams */

static void
forge_all(struct side *s, int client)
{
    uint8_t   p[64];
    unsigned  type, seq;

    static const uint8_t  client_has[] = { 1, 11, 16, 15 };

    for (type = 0; type < 25; type++) {
        for (seq = 0; seq < 8; seq++) {

            /* but for what looks right; see test_afresh() */

            if (client ? seq < 4 && type == client_has[seq]
                       : (type >= 11 && type <= 14) || type == 2 || type == 3)
            {
                continue;
            }

            (void) mh_dtls_recv(s->d, p, forge(p, type, seq, 8));
        }
    }

    /* too long, beyond its end, change_cipher_spec, data in the clear */

    (void) mh_dtls_recv(s->d, p, forge(p, client ? 11 : 12, 1, 0xffffff));
    (void) mh_dtls_recv(s->d, p, forge(p, client ? 16 : 12, 2, 4));
    (void) forge(p, 1, 0, 8);
    p[0] = 20;
    (void) mh_dtls_recv(s->d, p, 33);
    p[0] = 23;
    (void) mh_dtls_recv(s->d, p, 33);
    p[0] = 22;
    p[12] = 3;
    (void) mh_dtls_recv(s->d, p, 16);
}


static void
test_forged(void)
{
    unsigned  i;

    both_open(1, 1);
    forge_all(&b, 1);
    ok(b.sent == 0 && b.closed == 0, "forged messages begin nothing");
    (void) mh_dtls_start(a.d);

    for (i = 0; i < 20; i++) {
        forge_all(&a, 0);
        forge_all(&b, 1);
        (void) step(&a, &b);
        forge_all(&b, 1);
        (void) step(&b, &a);
    }

    ok(a.estab == 1 && b.estab == 1 && a.closed + b.closed == 0
       && keys_agree(), "nor do they end a handshake");
    both_close();
}


/* what cannot be told from the peer's before it is read */

static void
test_afresh(void)
{
    uint8_t   p[64];
    unsigned  i;

    both_open(1, 1);
    (void) mh_dtls_recv(b.d, p, forge(p, 1, 0, 8));
    ok(b.closed == 0 && b.sent == 0,
       "a bad hello does not end it, and the peer is told of no alert");
    (void) mh_dtls_recv(b.d, p, forge(p, 1, 0, 8));
    (void) mh_dtls_start(a.d);
    pump();
    ok(a.estab == 1 && b.estab == 1 && keys_agree(),
       "the next one is the peer's");
    both_close();

    /* the active side's first hello has been lost, he answers the second */

    both_open(1, 1);
    (void) mh_dtls_start(a.d);
    a.out.head = a.out.tail;
    (void) mh_dtls_recv(a.d, p, forge(p, 2, 0, 8));
    ok(a.closed == 0, "a bad server hello does not end it");
    i = mh_dtls_timeout(a.d) >= 0;

    while (a.out.head == a.out.tail && a.closed == 0) {
        usleep(20000);
        mh_dtls_tick(a.d);
    }

    pump();
    ok(i && a.estab == 1 && b.estab == 1 && keys_agree(),
       "it says hello again");
    both_close();

    /* nothing but bad ones */

    both_open(1, 1);

    while (b.closed == 0) {
        (void) mh_dtls_recv(b.d, p, forge(p, 1, 0, 8));
        usleep(20000);
        mh_dtls_tick(b.d);
    }

    ok(b.err == EPROTO && b.sent == 1 && b.out.buf[0][0] == 21,
       "it ends in time when nothing good comes, with an alert (%s)",
       b.reason);
    both_close();
}


static void
test_repeat(void)
{
    unsigned  i;

    both_open(1, 1);
    (void) mh_dtls_start(a.d);

    /* everything twice */

    for (i = 0; i < 20; i++) {
        if (a.out.head != a.out.tail) {
            (void) step(&a, &b);
            a.out.head--;
            (void) step(&a, &b);
        }

        if (b.out.head != b.out.tail) {
            (void) step(&b, &a);
            b.out.head--;
            (void) step(&b, &a);
        }
    }

    ok(a.estab == 1 && b.estab == 1 && a.closed + b.closed == 0
       && keys_agree(), "every datagram may come twice");
    both_close();
}


static void
test_garbage(void)
{
    size_t    len;
    uint8_t   junk[DATAGRAM_MAX];
    unsigned  i, round;

    both_open(1, 1);

    for (round = 0; round < 3; round++) {
        for (i = 0; i < 500; i++) {
            len = 1 + (size_t) rand() % sizeof(junk);

            for (size_t k = 0; k < len; k++) {
                junk[k] = (uint8_t) rand();
            }

            /* record headers that are right, and bodies that are not */

            if (i % 2 && len > 13) {
                memcpy(junk, "\x17\xfe\xfd\0\1\0\0\0\0\0\0", 11);
                junk[11] = (uint8_t) ((len - 13) >> 8);
                junk[12] = (uint8_t) (len - 13);
            }

            (void) mh_dtls_recv(b.d, junk, len);
            (void) mh_dtls_recv(a.d, junk, len);
        }

        if (round == 0) {
            ok(b.sent == 0, "garbage before the handshake costs nothing");
            (void) mh_dtls_start(a.d);
            (void) step(&a, &b);
        }

        if (round == 1) {
            pump();
        }
    }

    ok(a.estab == 1 && b.estab == 1 && a.closed + b.closed == 0,
       "garbage before, in and after the handshake ends nothing");
    both_close();
}


static void
test_handlers(void)
{
    struct mh_dtls           *d;
    struct mh_dtls_handlers   none = { NULL, NULL, NULL };

    both_open(1, 1);
    a.drop_self = b.drop_self = 1;
    (void) mh_dtls_start(a.d);
    pump();
    ok(a.estab == 1 && b.estab == 1 && a.d == NULL && b.d == NULL,
       "a handler may free the association when it is up");

    both_open(0, 1);
    (void) mh_dtls_fingerprint_add(b.d, "sha-256",
                                   mh_dtls_ctx_fingerprint(ctx_b));
    a.drop_self = b.drop_self = 1;
    (void) mh_dtls_start(a.d);
    pump();
    tick_closed(&a);
    ok(a.closed == 1 && b.closed == 1 && a.d == NULL && b.d == NULL,
       "and when it ends");

    ok(mh_dtls_alloc(&d, ctx_a, MH_DTLS_ACTIVE, &none, NULL) == EINVAL,
       "without handlers there is none");
}


static int
repeats(void)
{
    int       t, good, last;
    unsigned  sent;

    both_open(1, 1);
    (void) mh_dtls_start(a.d);
    good = 1;
    last = 150;

    /* 200, 400, 800 */

    for (sent = 1; sent < 3; sent++) {
        t = mh_dtls_timeout(a.d);
        good = good && t > last && t <= (last + 50) * 2;
        mh_dtls_tick(a.d);
        good = good && a.sent == sent;
        usleep((unsigned) (t > 0 ? t : 0) * 1000 + 5000);
        mh_dtls_tick(a.d);
        good = good && a.sent == sent + 1;
        last = t;
    }

    good = good && a.sent == 3;
    both_close();

    return good;
}


/* a slow machine may be late, but not each time */

static void
test_timers(void)
{
    int  i, good;

    for (i = 0, good = 0; i < 10 && !good; i++) {
        good = repeats();
    }

    ok(good, "a hello is repeated at doubling intervals");
}


int
main(void)
{
    if (mh_dtls_ctx_alloc(&ctx_a) != 0 || mh_dtls_ctx_alloc(&ctx_b) != 0) {
        return 2;
    }

    test_plain();
    test_fingerprints();
    test_loss();
    test_release();
    test_alerts();
    test_forged();
    test_afresh();
    test_repeat();
    test_garbage();
    test_handlers();
    test_timers();

    mem_deref(ctx_a);
    mem_deref(ctx_b);

    return done_testing();
}
