/*
 * Copyright (C) the IMS portal authors
 *
 * SDES: good and bad a=crypto lines; two ends that exchange them, with every
 * suite and both SRTP backends; keys that are renewed, forks, MKI.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <re.h>

#include "mh_keys.h"
#include "mh_srtp.h"
#include "tap.h"


#define KEY30  "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
#define KEY28  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw"
#define CM80   "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30


/* a line, what it is, its MKI */

static const struct {
    const char  *value;
    int          err;
    int          mki;       /* octets */
} lines[] = {
    { CM80, 0, 0 },
    { "999999999 aes_cm_128_hmac_sha1_80 INLINE:" KEY30, 0, 0 },
    { "0 AES_CM_128_HMAC_SHA1_32 inline:" KEY30, 0, 0 },
    { "1 AEAD_AES_128_GCM inline:" KEY28, 0, 0 },
    { "1 AEAD_AES_128_GCM inline:" KEY28 "==", 0, 0 },
    { "1 AEAD_AES_256_GCM inline:" KEY30 "AAAAAAAAAAAAAAAAAAA=", 0, 0 },
    { "1 AES_256_CM_HMAC_SHA1_80 inline:" KEY30 "AAAAAAAAAAAAAAAAAAAAAA==",
      0, 0 },
    { CM80 "|2^20", 0, 0 },
    { CM80 "|1048576", 0, 0 },
    { CM80 "|2^48", 0, 0 },
    { CM80 "|1:4", 0, 4 },
    { CM80 "|2^31|1:1", 0, 1 },
    { CM80 "|2^31|7:16", 0, 16 },
    { CM80 " WSH=64", 0, 0 },
    { CM80 " -FOO=1 WSH=512", 0, 0 },
    { "  1\tAES_CM_128_HMAC_SHA1_80   inline:" KEY30, 0, 0 },

    { "1 F8_128_HMAC_SHA1_80 inline:" KEY30, ENOTSUP, 0 },
    { "1 NULL_HMAC_SHA1_80 inline:" KEY30, ENOTSUP, 0 },
    { CM80 ";inline:" KEY30, ENOTSUP, 0 },
    { CM80 "|2^20|1:4;inline:" KEY30 "|2^20|2:4", ENOTSUP, 0 },
    { CM80 "|2^20|1:17", ENOTSUP, 0 },
    { CM80 "|2^20|1:128", ENOTSUP, 0 },
    { CM80 " UNENCRYPTED_SRTP", ENOTSUP, 0 },
    { CM80 " UNENCRYPTED_SRTCP", ENOTSUP, 0 },
    { CM80 " UNAUTHENTICATED_SRTP", ENOTSUP, 0 },
    { CM80 " KDR=1", ENOTSUP, 0 },
    { CM80 " FEC_ORDER=SRTP_FEC", ENOTSUP, 0 },
    { CM80 " WSH=64 FOO", ENOTSUP, 0 },
    { "1 AES_CM_128_HMAC_SHA1_80 ekt:" KEY30, ENOTSUP, 0 },

    { "", EBADMSG, 0 },
    { "1", EBADMSG, 0 },
    { "1 AES_CM_128_HMAC_SHA1_80", EBADMSG, 0 },
    { "x AES_CM_128_HMAC_SHA1_80 inline:" KEY30, EBADMSG, 0 },
    { "-1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30, EBADMSG, 0 },
    { "1000000000 AES_CM_128_HMAC_SHA1_80 inline:" KEY30, EBADMSG, 0 },
    { "1 AES_CM_128_HMAC_SHA1_80 inline:", EBADMSG, 0 },
    { "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "A", EBADMSG, 0 },
    { "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "====", EBADMSG, 0 },
    { "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY28, EBADMSG, 0 },
    { "1 AEAD_AES_128_GCM inline:" KEY30, EBADMSG, 0 },
    { "1 AEAD_AES_128_GCM inline:" KEY28 "=", EBADMSG, 0 },
    { "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cf"
      "HAwJS*j", EBADMSG, 0 },
    { CM80 "|", EBADMSG, 0 },
    { CM80 "|0", EBADMSG, 0 },
    { CM80 "|2^49", EBADMSG, 0 },
    { CM80 "|281474976710657", EBADMSG, 0 },
    { CM80 "|2^20|2^20", EBADMSG, 0 },
    { CM80 "|1:4|2^20", EBADMSG, 0 },
    { CM80 "|1:0", EBADMSG, 0 },
    { CM80 "|1:129", EBADMSG, 0 },
    { CM80 "|256:1", EBADMSG, 0 },
    { CM80 "|:4", EBADMSG, 0 },
    { CM80 "|x:4", EBADMSG, 0 },
};


/* one end; its SRTP backend is that which was chosen when it was made */

struct end {
    struct mh_keys  *keys;
    const char      *backend;
    char             text[MH_KEYS_TEXT];
    size_t           len;
};


static struct pl
span(const char *text)
{
    struct pl  pl;

    pl.p = text;
    pl.l = strlen(text);

    return pl;
}


/* the values of our own a=crypto lines */

static unsigned
values(const struct end *e, struct pl *v)
{
    unsigned     n;
    const char  *p, *end;

    n = 0;

    for (p = e->text; p < e->text + e->len; p = end + 2) {
        end = memmem(p, (size_t) (e->text + e->len - p), "\r\n", 2);
        v[n].p = p + strlen("a=crypto:");
        v[n].l = (size_t) (end - v[n].p);
        n++;
    }

    return n;
}


static void
test_lines(void)
{
    int                  err;
    char                 buf[MH_SDES_TEXT], cut[256], *copy;
    size_t               n, len;
    unsigned             i;
    struct pl            pl, back;
    struct mh_sdes_line  line, again;

    for (i = 0; i < ARRAY_SIZE(lines); i++) {
        pl = span(lines[i].value);
        memset(&line, 0, sizeof(line));
        err = mh_sdes_parse(&pl, &line);

        ok(err == lines[i].err && line.mki_len == lines[i].mki,
           "\"%s\" is %d", lines[i].value, lines[i].err);

        if (err) {
            continue;
        }

        line.mki_len = 0;
        memset(line.mki, 0, sizeof(line.mki));

        for (n = 0; n < 2; n++) {
            len = mh_sdes_print(&line, n == 1, buf, sizeof(buf));
            back.p = buf + strlen("a=crypto:");
            back.l = len - strlen("a=crypto:") - 2;

            if (len == 0 || mh_sdes_parse(&back, &again) != 0
                || memcmp(&line, &again, sizeof(line)) != 0
                || (n == 0 && buf[len - 3] == '='))
            {
                break;
            }
        }

        ok(n == 2, "it comes out as it went in");
        ok(mh_sdes_print(&line, true, buf, len) == 0, "no room is told");
    }

    /* no beginning of a line reads too far */

    pl = span(CM80 "|2^20|1:4 WSH=64");
    memcpy(cut, pl.p, pl.l);

    for (n = 0; n < pl.l; n++) {
        copy = (char *) guarded_copy((unsigned char *) cut, n);
        back.p = copy;
        back.l = n;
        (void) mh_sdes_parse(&back, &line);
        guarded_free((unsigned char *) copy, n);
    }

    ok(n == pl.l, "all beginnings of a line");
}


static void
end_open(struct end *e, const char *backend)
{
    memset(e, 0, sizeof(*e));
    e->backend = backend;
    (void) mh_keys_alloc(&e->keys);
}


/* a offers, b answers; 0 or the first error */

static int
exchange(struct end *a, struct end *b, uint32_t suites)
{
    int        err;
    unsigned   n;
    struct pl  v[MH_SDES_LINES];

    (void) mh_srtp_backend_set(a->backend);
    err = mh_keys_offer_text(a->keys, suites, false, a->text, &a->len);
    n = values(a, v);

    (void) mh_srtp_backend_set(b->backend);
    err = err ? err : mh_keys_offered(b->keys, v, n, MH_SDES_ALL);

    if (err) {
        return err;
    }

    b->len = mh_keys_answer_text(b->keys, true, b->text);
    err = mh_keys_accept(b->keys);

    (void) mh_srtp_backend_set(a->backend);
    n = values(b, v);

    return err ? err : mh_keys_answered(a->keys, v, n);
}


static size_t
packet(uint8_t *buf, int rtcp, uint16_t seq)
{
    memset(buf, 0, 1500);

    buf[0] = 0x80;
    buf[1] = rtcp ? 201 : 8;

    if (rtcp) {
        buf[3] = 1;
        buf[7] = 77;
        return 8;
    }

    buf[2] = (uint8_t) (seq >> 8);
    buf[3] = (uint8_t) seq;
    buf[11] = 77;
    memset(buf + 12, 0x55, 160);

    return 172;
}


/* 1 if a packet goes from a to b */

static int
trip(struct end *a, struct end *b, int rtcp, uint16_t seq)
{
    size_t   n, len;
    uint8_t  buf[1500], was[1500];

    n = len = packet(buf, rtcp, seq);
    memcpy(was, buf, n);

    return mh_keys_protect(a->keys, buf, &len, rtcp) == 0 && len > n
           && memcmp(buf + 12, was + 12, 100) != 0
           && mh_keys_unprotect(b->keys, buf, &len, rtcp) == 0
           && len == n && memcmp(buf, was, n) == 0;
}


static int
both(struct end *a, struct end *b, uint16_t seq)
{
    uint8_t  buf[1500];

    (void) packet(buf, 0, seq);

    return trip(a, b, 0, seq) && trip(b, a, 0, seq);
}


static void
test_suite(unsigned suite, const char *one, const char *two)
{
    int         good;
    char        text[MH_KEYS_TEXT];
    size_t      len;
    uint8_t     buf[1500];
    unsigned    i;
    struct end  a, b;

    end_open(&a, one);
    end_open(&b, two);

    len = packet(buf, 0, 1);
    good = mh_keys_protect(a.keys, buf, &len, false) == ENOTCONN
           && mh_keys_unprotect(a.keys, buf, &len, false) == EBADMSG
           && mh_keys_suite(a.keys)[0] == '\0'
           && exchange(&a, &b, 1u << suite) == 0
           && strcmp(mh_keys_suite(a.keys), mh_sdes_name(suite)) == 0
           && strcmp(mh_keys_suite(b.keys), mh_sdes_name(suite)) == 0;

    for (i = 0; good && i < 100; i++) {
        good = both(&a, &b, (uint16_t) (65500 + i));
    }

    /* RTCP's header alone has nothing to hide: only that it passes */

    len = packet(buf, 1, 0);
    good = good && mh_keys_protect(a.keys, buf, &len, true) == 0 && len > 8
           && mh_keys_unprotect(b.keys, buf, &len, true) == 0 && len == 8;

    ok(good, "%s, %s to %s: both ways over the wrap", mh_sdes_name(suite),
       one, two);

    /* the same offer again, and the same answer: all goes on */

    memcpy(text, a.text, a.len);
    len = a.len;

    good = exchange(&a, &b, 1u << suite) == 0 && a.len == len
           && memcmp(text, a.text, len) == 0 && both(&a, &b, 200);

    memcpy(text, b.text, b.len);
    len = b.len;

    ok(good && exchange(&a, &b, 1u << suite) == 0 && b.len == len
       && memcmp(text, b.text, len) == 0 && both(&a, &b, 201),
       "%s, %s to %s: keys and rollover stay", mh_sdes_name(suite), one, two);

    /* nothing in the clear, nothing twice, nothing broken */

    len = packet(buf, 0, 202);
    good = mh_keys_unprotect(b.keys, buf, &len, false) == EACCES;
    len = packet(buf, 0, 202);
    good = good && mh_keys_protect(a.keys, buf, &len, false) == 0;
    buf[len - 1] ^= 1;
    good = good && mh_keys_unprotect(b.keys, buf, &len, false) == EACCES;
    len = packet(buf, 0, 202);
    good = good && mh_keys_protect(a.keys, buf, &len, false) == EALREADY;

    ok(good && mh_keys_stat(b.keys)->auth_errors == 2
       && mh_keys_stat(a.keys)->send_errors == 2,
       "%s, %s to %s: clear, broken and repeated ones are refused",
       mh_sdes_name(suite), one, two);

    mem_deref(a.keys);
    mem_deref(b.keys);
}


/* the peer renews: a key of ours that was used is not begun again */

static void
test_renew(const char *backend)
{
    int         good;
    char        first[MH_SDES_TEXT];
    size_t      n, len;
    uint8_t     late[1500], buf[1500];
    struct end  a, b, c;

    end_open(&a, backend);
    end_open(&b, backend);
    end_open(&c, backend);

    good = exchange(&a, &b, 0) == 0 && both(&a, &b, 1);
    n = b.len;
    memcpy(first, b.text, n);

    len = packet(late, 0, 2);
    good = good && mh_keys_protect(a.keys, late, &len, false) == 0;

    /* c is the peer's new device */

    ok(good && exchange(&c, &b, 0) == 0
       && (b.len != n || memcmp(first, b.text, n) != 0),
       "%s: a new key of the peer gives a new one of ours", backend);

    memcpy(buf, late, len);
    n = len;
    good = mh_keys_unprotect(b.keys, buf, &n, false) == 0;

    ok(good && both(&c, &b, 60000) && both(&c, &b, 60001),
       "%s: the old key is good until the new one is heard", backend);

    len = packet(late, 0, 3);
    good = mh_keys_protect(a.keys, late, &len, false) == 0;
    ok(good && mh_keys_unprotect(b.keys, late, &len, false) == EACCES,
       "%s: then no longer", backend);

    mem_deref(a.keys);
    mem_deref(b.keys);
    mem_deref(c.keys);
}


/* a offers, b and c answer with keys of their own, b once more */

static void
test_fork(const char *backend)
{
    int         good;
    size_t      len, n;
    uint8_t     old[1500], buf[1500];
    unsigned    i;
    struct pl   v[MH_SDES_LINES], vb[MH_SDES_LINES];
    struct end  a, b, c;

    end_open(&a, backend);
    end_open(&b, backend);
    end_open(&c, backend);

    good = exchange(&a, &b, 0) == 0;
    i = values(&b, vb);

    for (n = 0; good && n < 4; n++) {
        good = both(&a, &b, (uint16_t) (n * 20000));
    }

    len = packet(old, 0, 60001);
    good = good && mh_keys_protect(b.keys, old, &len, false) == 0;
    memcpy(buf, old, len);
    n = len;
    good = good && mh_keys_unprotect(a.keys, buf, &n, false) == 0;

    n = values(&a, v);
    good = good && mh_keys_offered(c.keys, v, (unsigned) n, MH_SDES_ALL) == 0;
    c.len = mh_keys_answer_text(c.keys, false, c.text);
    good = good && mh_keys_accept(c.keys) == 0;
    n = values(&c, v);
    good = good && mh_keys_answered(a.keys, v, (unsigned) n) == 0
           && trip(&c, &a, 0, 7) && trip(&a, &c, 0, 60002);

    ok(good, "%s: another branch has its own key", backend);

    good = mh_keys_answered(a.keys, vb, i) == 0;

    for (n = 4; good && n < 5; n++) {
        good = both(&a, &b, (uint16_t) (n * 20000));
    }

    n = len;
    ok(good && mh_keys_unprotect(a.keys, old, &n, false) == EALREADY,
       "%s: the first comes back with its rollover, without replays",
       backend);

    for (i = 0; good && i < 10; i++) {
        mem_deref(c.keys);
        end_open(&c, backend);
        n = values(&a, v);
        good = mh_keys_offered(c.keys, v, (unsigned) n, MH_SDES_ALL) == 0;
        c.len = mh_keys_answer_text(c.keys, false, c.text);
        good = good && mh_keys_accept(c.keys) == 0;
        n = values(&c, v);
        good = good && mh_keys_answered(a.keys, v, (unsigned) n) == 0
               && trip(&c, &a, 0, 7);
    }

    ok(good, "%s: ten more branches", backend);

    mem_deref(a.keys);
    mem_deref(b.keys);
    mem_deref(c.keys);
}


/* puts an MKI where the RFCs have it, into a packet that has none */

static size_t
mki_in(uint8_t *buf, size_t len, const uint8_t *mki, size_t n, size_t tag)
{
    memmove(buf + len - tag + n, buf + len - tag, tag);
    memcpy(buf + len - tag, mki, n);

    return len + n;
}


static void
test_mki(unsigned suite)
{
    int                   good;
    char                  text[MH_SDES_TEXT + 16];
    size_t                n, len, tag;
    uint8_t               buf[1500];
    unsigned              i, rtcp;
    struct pl             v[MH_SDES_LINES];
    struct end            a, b;
    static const uint8_t  mki[] = { 0, 0, 1, 44 };

    end_open(&a, "evp");
    end_open(&b, "evp");

    (void) mh_keys_offer_text(a.keys, 1u << suite, false, a.text, &a.len);
    n = (size_t) snprintf(text, sizeof(text), "%.*s|2^31|300:4",
                          (int) a.len - 2 - 9, a.text + 9);
    v[0].p = text;
    v[0].l = n;

    good = mh_keys_offered(b.keys, v, 1, MH_SDES_ALL) == 0;
    b.len = mh_keys_answer_text(b.keys, false, b.text);
    good = good && memchr(b.text, '|', b.len) == NULL
           && mh_keys_accept(b.keys) == 0;
    i = values(&b, v);
    good = good && mh_keys_answered(a.keys, v, i) == 0;

    for (rtcp = 0; good && rtcp < 2; rtcp++) {
        tag = strstr(mh_sdes_name(suite), "GCM") ? 0
              : strstr(mh_sdes_name(suite), "32") && !rtcp ? 4 : 10;

        n = len = packet(buf, (int) rtcp, 9);
        good = mh_keys_protect(a.keys, buf, &len, rtcp) == 0;
        len = mki_in(buf, len, mki, 4, tag);
        good = good && mh_keys_unprotect(b.keys, buf, &len, rtcp) == 0
               && len == n;

        len = packet(buf, (int) rtcp, 10);
        good = good && mh_keys_protect(a.keys, buf, &len, rtcp) == 0;
        len = mki_in(buf, len, (const uint8_t *) "\1\2\3\4", 4, tag);
        good = good && mh_keys_unprotect(b.keys, buf, &len, rtcp) == EACCES;

        for (i = 0; i < 40; i++) {
            len = i;
            good = good && mh_keys_unprotect(b.keys, buf, &len, rtcp) != 0;
        }
    }

    ok(good && trip(&b, &a, 0, 5), "%s: the peer's MKI is taken out",
       mh_sdes_name(suite));

    mem_deref(a.keys);
    mem_deref(b.keys);
}


static void
test_answers(void)
{
    char        text[MH_SDES_TEXT];
    unsigned    i;
    struct pl   v[MH_SDES_LINES];
    struct end  a;

    static const char *const  bad[] = {
        "2 AES_CM_128_HMAC_SHA1_80 inline:" KEY30,
        "1 AEAD_AES_128_GCM inline:" KEY28,
        "5 AES_CM_128_HMAC_SHA1_32 inline:" KEY30,
        "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY28,
        CM80 " UNENCRYPTED_SRTP",
    };

    end_open(&a, "evp");

    v[0] = span(CM80);
    ok(mh_keys_answered(a.keys, v, 1) == EPROTO
       && mh_keys_accept(a.keys) == EINVAL, "an answer to nothing");

    (void) mh_keys_offer_text(a.keys, 0, false, a.text, &a.len);
    ok(values(&a, v) == 4, "four suites are offered");

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        v[0] = span(bad[i]);
        ok(mh_keys_answered(a.keys, v, 1) == EPROTO, "answer \"%s\"",
           bad[i]);
    }

    v[0] = v[1] = span(CM80);
    ok(mh_keys_answered(a.keys, v, 0) == EPROTO
       && mh_keys_answered(a.keys, v, 2) == EPROTO
       && mh_keys_answered(a.keys, v, 1) == 0, "one line, not none, not two");

    /* of an offer the first that we can do and may */

    v[0] = span("7 F8_128_HMAC_SHA1_80 inline:" KEY30);
    v[1] = span("8 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " KDR=3");
    v[2] = span("9 AEAD_AES_128_GCM inline:" KEY28);
    v[3] = span("10 AES_CM_128_HMAC_SHA1_80 inline:" KEY30);

    ok(mh_keys_offered(a.keys, v, 4, MH_SDES_ALL) == 0
       && mh_keys_answer_text(a.keys, false, text)
       && strncmp(text, "a=crypto:9 AEAD_AES_128_GCM inline:", 35) == 0,
       "the first that we can do, with its tag");
    ok(mh_keys_offered(a.keys, v, 4, 1) == 0
       && mh_keys_answer_text(a.keys, false, text)
       && strncmp(text, "a=crypto:10 AES_CM_128_HMAC_SHA1_80 inline:", 43)
          == 0, "the first that we may do");
    ok(mh_keys_offered(a.keys, v, 2, MH_SDES_ALL) == ENOTSUP
       && mh_keys_accept(a.keys) == EINVAL, "none is ENOTSUP");

    mem_deref(a.keys);
}


int
main(void)
{
    unsigned  suite, k;

    static const char *const  names[] = { "evp", "libsrtp2" };

    test_lines();
    test_answers();

    for (suite = 0; suite < MH_SDES_SUITES; suite++) {
        for (k = 0; k < 4; k++) {
            test_suite(suite, names[k & 1], names[k >> 1]);
        }

        test_mki(suite);
    }

    for (k = 0; k < 2; k++) {
        test_renew(names[k]);
        test_fork(names[k]);
    }

    return done_testing();
}
