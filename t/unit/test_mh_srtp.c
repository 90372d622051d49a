/*
 * Copyright (C) the IMS portal authors
 *
 * SRTP: every backend against every other and against libre's srtp_*;
 * rollover, loss, replays, forged and many SSRCs, malformed packets (ME-8).
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <re.h>

#include "mh_srtp.h"
#include "tap.h"


enum {
    PACKET_MAX = 1600,
    PAYLOAD = 160,
    CODECS = 3                      /* evp, libsrtp2, libre */
};


/* one way of protecting and unprotecting, so that all can be crossed */

struct codec {
    struct mh_srtp  *mh;
    struct srtp     *re;
};


static const char *const  names[CODECS] = { "evp", "libsrtp2", "libre" };


static const struct {
    unsigned         profile;
    enum srtp_suite  suite;
    const char      *name;
} profile_list[] = {
    { MH_SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_AES_CM_128_HMAC_SHA1_80, "CM_80" },
    { MH_SRTP_AES_CM_128_HMAC_SHA1_32, SRTP_AES_CM_128_HMAC_SHA1_32, "CM_32" },
    { MH_SRTP_AEAD_AES_128_GCM, SRTP_AES_128_GCM, "GCM_128" },
    { MH_SRTP_AEAD_AES_256_GCM, SRTP_AES_256_GCM, "GCM_256" },
    { MH_SRTP_AES_CM_256_HMAC_SHA1_80, SRTP_AES_256_CM_HMAC_SHA1_80,
      "CM_256_80" },
    { MH_SRTP_AES_CM_256_HMAC_SHA1_32, SRTP_AES_256_CM_HMAC_SHA1_32,
      "CM_256_32" }
};


static uint8_t  master[MH_SRTP_KEY_MAX + MH_SRTP_SALT_MAX];


static void
put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 24);
    p[1] = (uint8_t) (v >> 16);
    p[2] = (uint8_t) (v >> 8);
    p[3] = (uint8_t) v;
}


static size_t
rtp_make(uint8_t *buf, uint32_t ssrc, uint16_t seq, size_t payload)
{
    size_t  i;

    memset(buf, 0, 12);
    buf[0] = 0x80;
    buf[1] = 8;
    buf[2] = (uint8_t) (seq >> 8);
    buf[3] = (uint8_t) seq;
    put32(buf + 4, (uint32_t) seq * 160);
    put32(buf + 8, ssrc);

    for (i = 0; i < payload; i++) {
        buf[12 + i] = (uint8_t) (seq * 7 + i);
    }

    return 12 + payload;
}


/* a sender report with one report block */

static size_t
rtcp_make(uint8_t *buf, uint32_t ssrc, unsigned n)
{
    size_t  i;

    memset(buf, 0, 52);
    buf[0] = 0x81;
    buf[1] = 200;
    buf[3] = 12;
    put32(buf + 4, ssrc);

    for (i = 8; i < 52; i++) {
        buf[i] = (uint8_t) (n + i);
    }

    return 52;
}


static int
codec_open(struct codec *c, unsigned kind, unsigned p,
    enum mh_srtp_direction direction)
{
    size_t  k, s;

    memset(c, 0, sizeof(*c));

    if (mh_srtp_profile_lengths(profile_list[p].profile, &k, &s) != 0) {
        return EINVAL;
    }

    if (kind == 2) {
        return srtp_alloc(&c->re, profile_list[p].suite, master, k + s, 0);
    }

    if (mh_srtp_backend_set(names[kind]) != 0) {
        return EINVAL;
    }

    return mh_srtp_alloc(&c->mh, direction, profile_list[p].profile, master,
                         master + k);
}


static void
codec_close(struct codec *c)
{
    mem_deref(c->mh);
    mem_deref(c->re);
}


static int
codec_run(struct codec *c, int protect, int rtcp, uint8_t *buf, size_t *len)
{
    int           err;
    struct mbuf  *mb;

    if (c->mh != NULL) {
        if (protect) {
            return rtcp ? mh_srtp_protect_rtcp(c->mh, buf, len, PACKET_MAX)
                        : mh_srtp_protect(c->mh, buf, len, PACKET_MAX);
        }

        return rtcp ? mh_srtp_unprotect_rtcp(c->mh, buf, len)
                    : mh_srtp_unprotect(c->mh, buf, len);
    }

    mb = mbuf_alloc(PACKET_MAX);
    if (mb == NULL) {
        return ENOMEM;
    }

    (void) mbuf_write_mem(mb, buf, *len);
    mb->pos = 0;

    if (protect) {
        err = rtcp ? srtcp_encrypt(c->re, mb) : srtp_encrypt(c->re, mb);

    } else {
        err = rtcp ? srtcp_decrypt(c->re, mb) : srtp_decrypt(c->re, mb);
    }

    if (err == 0) {
        *len = mb->end;
        memcpy(buf, mb->buf, mb->end);
    }

    mem_deref(mb);

    return err;
}


/* one packet from tx to rx; @return 1 if it came out as it went in */

static int
trip(struct codec *tx, struct codec *rx, int rtcp, const uint8_t *pkt,
    size_t n)
{
    size_t   len;
    uint8_t  buf[PACKET_MAX];

    memcpy(buf, pkt, n);
    len = n;

    if (codec_run(tx, 1, rtcp, buf, &len) != 0 || len <= n
        || memcmp(buf + 12, pkt + 12, n - 12) == 0)
    {
        return 0;
    }

    return codec_run(rx, 0, rtcp, buf, &len) == 0
           && len == n && memcmp(buf, pkt, n) == 0;
}


/* 300 packets over the wrap with every fifth lost, RTCP between them */

static void
test_cross(unsigned tx_kind, unsigned rx_kind, unsigned p)
{
    int           good;
    size_t        n;
    uint8_t       pkt[PACKET_MAX];
    unsigned      i;
    struct codec  tx, rx;

    good = codec_open(&tx, tx_kind, p, MH_SRTP_PROTECT) == 0
           && codec_open(&rx, rx_kind, p, MH_SRTP_UNPROTECT) == 0;

    for (i = 0; good && i < 300; i++) {
        n = rtp_make(pkt, 0x11223344, (uint16_t) (65400 + i), PAYLOAD);

        if (i % 5 == 4) {
            good = codec_run(&tx, 1, 0, pkt, &n) == 0;
            continue;
        }

        good = trip(&tx, &rx, 0, pkt, n);

        /* libre 1.1.0 cuts the SRTCP tag to 32 bits in CM_32 as well */

        if ((p == 1 || p == 5) && (tx_kind == 2 || rx_kind == 2)) {
            continue;
        }

        if (good && i % 20 == 0) {
            n = rtcp_make(pkt, 0x11223344, i);
            good = trip(&tx, &rx, 1, pkt, n);
        }
    }

    ok(good, "%s to %s, %s: RTP and RTCP over the wrap with loss (%u)",
       names[tx_kind], names[rx_kind], profile_list[p].name, i);

    codec_close(&tx);
    codec_close(&rx);
}


/* CSRCs, header extension, padding, no payload at all */

static void
test_headers(unsigned tx_kind, unsigned rx_kind, unsigned p)
{
    int           good;
    size_t        n;
    uint8_t       pkt[PACKET_MAX];
    struct codec  tx, rx;

    good = codec_open(&tx, tx_kind, p, MH_SRTP_PROTECT) == 0
           && codec_open(&rx, rx_kind, p, MH_SRTP_UNPROTECT) == 0;

    n = rtp_make(pkt, 7, 40000, 60);
    pkt[0] = 0x92;
    pkt[20] = 0xbe;
    pkt[21] = 0xde;
    pkt[22] = 0;
    pkt[23] = 2;
    good = good && trip(&tx, &rx, 0, pkt, n);

    /* the same packet again is refused when sending already */

    if (tx_kind != 2) {
        good = good && codec_run(&tx, 1, 0, pkt, &n) == EALREADY;
    }

    n = rtp_make(pkt, 7, 40001, 33);
    pkt[0] = 0xa0;
    good = good && trip(&tx, &rx, 0, pkt, n);

    ok(good, "%s to %s, %s: CSRCs, extension, padding", names[tx_kind],
       names[rx_kind], profile_list[p].name);

    codec_close(&tx);
    codec_close(&rx);
}


static void
test_replay(unsigned kind, unsigned p)
{
    int           good, err;
    size_t        n, len;
    uint8_t       kept[200][PACKET_MAX], buf[PACKET_MAX], rtcp[PACKET_MAX];
    size_t        kept_len[200];
    unsigned      i;
    struct codec  tx, rx;

    (void) codec_open(&tx, 0, p, MH_SRTP_PROTECT);
    (void) codec_open(&rx, kind, p, MH_SRTP_UNPROTECT);

    for (i = 0; i < 200; i++) {
        kept_len[i] = rtp_make(kept[i], 9, (uint16_t) (65436 + i), 20);
        (void) codec_run(&tx, 1, 0, kept[i], &kept_len[i]);
    }

    good = 1;

    /* backwards in blocks of 50, so that up to 49 packets come late */

    for (i = 0; good && i < 200; i++) {
        n = i / 50 * 50 + 49 - i % 50;
        memcpy(buf, kept[n], kept_len[n]);
        len = kept_len[n];
        good = codec_run(&rx, 0, 0, buf, &len) == 0 && len == 32;
    }

    ok(good, "%s, %s: reordered by 50 around the wrap", names[kind],
       profile_list[p].name);

    good = 1;

    for (i = 0; i < 200; i++) {
        memcpy(buf, kept[i], kept_len[i]);
        len = kept_len[i];
        err = codec_run(&rx, 0, 0, buf, &len);
        good = good && err == EALREADY && len == kept_len[i];
    }

    ok(good, "%s, %s: 200 replays are EALREADY", names[kind],
       profile_list[p].name);

    n = rtcp_make(rtcp, 9, 1);
    (void) codec_run(&tx, 1, 1, rtcp, &n);
    memcpy(buf, rtcp, n);
    len = n;
    good = codec_run(&rx, 0, 1, buf, &len) == 0;
    memcpy(buf, rtcp, n);
    len = n;
    ok(good && codec_run(&rx, 0, 1, buf, &len) == EALREADY,
       "%s, %s: an RTCP replay is EALREADY", names[kind],
       profile_list[p].name);

    codec_close(&tx);
    codec_close(&rx);
}


static void
test_forged(unsigned kind, unsigned p)
{
    int           good;
    size_t        n;
    uint8_t       buf[PACKET_MAX];
    unsigned      i, before;
    struct codec  tx, rx;

    (void) codec_open(&tx, 0, p, MH_SRTP_PROTECT);
    (void) codec_open(&rx, kind, p, MH_SRTP_UNPROTECT);

    n = rtp_make(buf, 1, 100, PAYLOAD);
    good = trip(&tx, &rx, 0, buf, n);
    before = mh_srtp_streams(rx.mh);

    for (i = 0; i < 100; i++) {
        n = rtp_make(buf, 0xf0000000 + i, (uint16_t) i, PAYLOAD);
        good = good && codec_run(&rx, 0, 0, buf, &n) == EACCES;

        n = rtcp_make(buf, 0xe0000000 + i, i);
        memset(buf + n, 0xff, 14);
        n += 14;
        good = good && codec_run(&rx, 0, 1, buf, &n) == EACCES;
    }

    ok(good && before == 1 && mh_srtp_streams(rx.mh) == 1,
       "%s, %s: 100 forged SSRCs are EACCES and leave no state", names[kind],
       profile_list[p].name);

    n = rtp_make(buf, 1, 101, PAYLOAD);
    (void) codec_run(&tx, 1, 0, buf, &n);
    buf[n - 1] ^= 1;
    good = codec_run(&rx, 0, 0, buf, &n) == EACCES;

    /* a forged one far ahead must not move the window or the rollover */

    n = rtp_make(buf, 1, 30000, PAYLOAD);
    good = good && codec_run(&rx, 0, 0, buf, &n) == EACCES;

    n = rtp_make(buf, 1, 102, PAYLOAD);
    ok(good && trip(&tx, &rx, 0, buf, n),
       "%s, %s: a broken tag and a forged jump hurt nothing", names[kind],
       profile_list[p].name);

    codec_close(&tx);
    codec_close(&rx);
}


static void
test_ssrcs(unsigned tx_kind, unsigned rx_kind, unsigned p)
{
    int           good;
    size_t        n;
    uint8_t       buf[PACKET_MAX];
    unsigned      i, round;
    struct codec  tx, rx;

    (void) codec_open(&tx, tx_kind, p, MH_SRTP_PROTECT);
    (void) codec_open(&rx, rx_kind, p, MH_SRTP_UNPROTECT);

    good = 1;

    for (round = 0; round < 3; round++) {
        for (i = 0; i < 20; i++) {
            n = rtp_make(buf, 1000 + i,
                         (uint16_t) (65535 + round * (i % 2 ? 1 : 30000)),
                         20);
            good = good && trip(&tx, &rx, 0, buf, n);
        }
    }

    ok(good && mh_srtp_streams(rx.mh) == 20 && mh_srtp_streams(tx.mh) == 20,
       "%s to %s, %s: 20 SSRCs, each with its own rollover", names[tx_kind],
       names[rx_kind], profile_list[p].name);

    for (i = 0; i < 200; i++) {
        n = rtp_make(buf, 5000 + i, 1, 20);
        good = good && trip(&tx, &rx, 0, buf, n);

        n = rtcp_make(buf, 5000 + i, 1);
        good = good && trip(&tx, &rx, 1, buf, n);
    }

    ok(good && mh_srtp_streams(rx.mh) == 220 && mh_srtp_streams(tx.mh) == 220,
       "%s to %s, %s: 200 more, all are kept", names[tx_kind],
       names[rx_kind], profile_list[p].name);

    codec_close(&tx);
    codec_close(&rx);
}


/*
 * An SSRC that comes back after very many others goes on where it was: no
 * index is used twice under a key, no replay of it is taken; and what would
 * make it forgotten is refused.
 */

static void
test_return(unsigned kind, unsigned p)
{
    int           good;
    size_t        n, len, kept_len;
    uint8_t       buf[PACKET_MAX], kept[PACKET_MAX], first[PACKET_MAX];
    unsigned      i;
    struct codec  tx, rx;

    (void) codec_open(&tx, kind, p, MH_SRTP_PROTECT);
    (void) codec_open(&rx, kind, p, MH_SRTP_UNPROTECT);

    /* one round of its sequence number, then a packet to be replayed */

    good = 1;

    for (i = 0; i < 4; i++) {
        n = rtp_make(buf, 77, (uint16_t) (i * 20000), 20);
        good = good && trip(&tx, &rx, 0, buf, n);
    }

    kept_len = rtp_make(kept, 77, 10, 20);
    memcpy(first, kept, kept_len);
    good = good && codec_run(&tx, 1, 0, kept, &kept_len) == 0;
    memcpy(buf, kept, kept_len);
    len = kept_len;
    good = good && codec_run(&rx, 0, 0, buf, &len) == 0;

    for (i = 0; i < MH_SRTP_SSRC_MAX - 1; i++) {
        n = rtp_make(buf, 10000 + i, 1, 20);
        good = good && trip(&tx, &rx, 0, buf, n);
    }

    ok(good && mh_srtp_streams(tx.mh) == MH_SRTP_SSRC_MAX
       && mh_srtp_streams(rx.mh) == MH_SRTP_SSRC_MAX,
       "%s, %s: %u SSRCs", names[kind], profile_list[p].name,
       MH_SRTP_SSRC_MAX);

    len = rtp_make(buf, 77, 10, 20);
    good = codec_run(&tx, 1, 0, buf, &len) == EALREADY;

    memcpy(buf, kept, kept_len);
    len = kept_len;
    good = good && codec_run(&rx, 0, 0, buf, &len) == EALREADY;

    /* the same number a round later is another index */

    for (i = 1; i < 4; i++) {
        n = rtp_make(buf, 77, (uint16_t) (10 + i * 20000), 20);
        good = good && trip(&tx, &rx, 0, buf, n);
    }

    len = n = rtp_make(buf, 77, 10, 20);
    good = good && codec_run(&tx, 1, 0, buf, &len) == 0
           && len == kept_len && memcmp(buf + 12, kept + 12, n - 12) != 0
           && codec_run(&rx, 0, 0, buf, &len) == 0
           && memcmp(buf, first, n) == 0;

    ok(good, "%s, %s: one comes back, with its rollover, without replays",
       names[kind], profile_list[p].name);

    len = rtp_make(buf, 99, 1, 20);
    good = codec_run(&tx, 1, 0, buf, &len) == ENOSPC && len == 32;
    len = rtcp_make(buf, 98, 1);
    good = good && codec_run(&tx, 1, 1, buf, &len) == ENOSPC;

    codec_close(&tx);
    (void) codec_open(&tx, 1 - kind, p, MH_SRTP_PROTECT);

    len = rtp_make(buf, 97, 1, 20);
    good = good && codec_run(&tx, 1, 0, buf, &len) == 0
           && codec_run(&rx, 0, 0, buf, &len) == ENOSPC;

    ok(good && mh_srtp_streams(rx.mh) == MH_SRTP_SSRC_MAX,
       "%s, %s: one more is refused", names[kind], profile_list[p].name);

    codec_close(&tx);
    codec_close(&rx);
}


/* many rounds of the sequence number, with long gaps (RFC 3711 3.3.1) */

static void
test_rollover(unsigned tx_kind, unsigned rx_kind, unsigned p)
{
    int           good;
    size_t        n;
    uint8_t       buf[PACKET_MAX];
    uint32_t      i;
    struct codec  tx, rx;

    (void) codec_open(&tx, tx_kind, p, MH_SRTP_PROTECT);
    (void) codec_open(&rx, rx_kind, p, MH_SRTP_UNPROTECT);

    good = 1;

    for (i = 0; i < 40 && good; i++) {
        n = rtp_make(buf, 3, (uint16_t) (50000 + i * 30000), 20);
        good = trip(&tx, &rx, 0, buf, n);
    }

    ok(good, "%s to %s, %s: 18 rounds in steps of 30000", names[tx_kind],
       names[rx_kind], profile_list[p].name);

    /* no round before the first: a wide jump in it goes ahead */

    n = rtp_make(buf, 4, 100, 20);
    good = trip(&tx, &rx, 0, buf, n);
    n = rtp_make(buf, 4, 40000, 20);
    good = good && trip(&tx, &rx, 0, buf, n);
    n = rtp_make(buf, 4, 40001, 20);
    ok(good && trip(&tx, &rx, 0, buf, n), "%s to %s, %s: 100, then 40000",
       names[tx_kind], names[rx_kind], profile_list[p].name);

    codec_close(&tx);
    codec_close(&rx);
}


/* every length and every first octet; none may read too far or be taken */

static void
test_malformed(unsigned kind, unsigned p)
{
    int           good, err;
    size_t        n, len, full;
    uint8_t       buf[PACKET_MAX];
    unsigned      i;
    unsigned char *copy;
    struct codec  tx, rx;

    (void) codec_open(&tx, 0, p, MH_SRTP_PROTECT);
    (void) codec_open(&rx, kind, p, MH_SRTP_UNPROTECT);

    good = 1;

    for (i = 0; i < 2; i++) {
        full = i ? rtcp_make(buf, 5, 1) : rtp_make(buf, 5, 1, 20);
        (void) codec_run(&tx, 1, (int) i, buf, &full);

        for (n = 0; n < full; n++) {
            copy = guarded_copy(buf, n);
            len = n;
            err = codec_run(&rx, 0, (int) i, copy, &len);
            good = good && (err == EBADMSG || err == EACCES) && len == n;
            guarded_free(copy, n);
        }
    }

    for (i = 0; i < 256; i++) {
        n = rtp_make(buf, 5, 1, 20);
        buf[0] = (uint8_t) i;
        memset(buf + 12, 0xff, 20);
        copy = guarded_copy(buf, n);
        err = codec_run(&rx, 0, 0, copy, &n);
        good = good && (err == EBADMSG || err == EACCES);
        guarded_free(copy, n);
    }

    ok(good, "%s, %s: cut short or with a wild header it is refused",
       names[kind], profile_list[p].name);

    /* an authentic SRTCP packet cannot have its E bit cleared */

    n = rtcp_make(buf, 5, 2);
    (void) codec_run(&tx, 1, 1, buf, &n);
    buf[p < 2 || p > 3 ? n - 14 : n - 4] &= 0x7f;
    ok(codec_run(&rx, 0, 1, buf, &n) == EACCES,
       "%s, %s: no E bit, no packet", names[kind], profile_list[p].name);

    n = rtp_make(buf, 5, 900, 20);
    ok(mh_srtp_protect(tx.mh, buf, &n, n + 3) == EMSGSIZE && n == 32
       && mh_srtp_protect_rtcp(tx.mh, buf, &n, n + 13) == EMSGSIZE,
       "%s: no room for the tag is EMSGSIZE", profile_list[p].name);

    ok(mh_srtp_unprotect(tx.mh, buf, &n) == EBADMSG
       && mh_srtp_protect(rx.mh, buf, &n, PACKET_MAX) == EBADMSG,
       "%s: one object is one direction", profile_list[p].name);

    codec_close(&tx);
    codec_close(&rx);
}


static void
test_profile(unsigned p)
{
    unsigned  i, k;

    for (i = 0; i < CODECS; i++) {
        for (k = 0; k < CODECS; k++) {
            if (i == 2 && k == 2) {
                continue;
            }

            test_cross(i, k, p);

            /* libre 1.1.0 does not know CSRCs and extensions in GCM */

            if (i != 2 && k != 2) {
                test_headers(i, k, p);
                test_ssrcs(i, k, p);
            }
        }
    }

    for (i = 0; i < 2; i++) {
        test_replay(i, p);
        test_forged(i, p);
        test_malformed(i, p);
        test_return(i, p);
    }

    test_rollover(0, 1, p);
    test_rollover(1, 0, p);
}


int
main(void)
{
    size_t           i, k, s;
    struct mh_srtp  *sp;

    for (i = 0; i < sizeof(master); i++) {
        master[i] = (uint8_t) (i * 37 + 11);
    }

    for (i = 0; i < ARRAY_SIZE(profile_list); i++) {
        test_profile((unsigned) i);
    }

    ok(mh_srtp_backend_set("none") == ENOENT
       && mh_srtp_profile_lengths(2222, &k, &s) == ENOTSUP
       && mh_srtp_alloc(&sp, MH_SRTP_PROTECT, 5, master, master) == ENOTSUP,
       "unknown backends and profiles are refused");

    return done_testing();
}
