
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * RTCP on bytes: RFC 3550 A.2, what passes to plain AVP and to AVPF, SSRCs
 * in every place where one can stand, PLI and FIR as RFC 4585 and RFC 5104
 * draw them, and every truncation before a forbidden page.
 */


#include "tap.h"
#include "mh_rtcp.h"


#define BYTES(s)  (const uint8_t *) s, sizeof(s) - 1

#define SSRC_A    "\x11\x22\x33\x44"
#define SSRC_B    "\xaa\xbb\xcc\xdd"

#define BLOCK_B   SSRC_B "\x00\x00\x00\x00\x00\x00\x00\x01"              \
                  "\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04"
#define SR        "\x80\xc8\x00\x06" SSRC_A "ntp-ntp-rtp4pkts" "octs"
#define SR_B      "\x81\xc8\x00\x0c" SSRC_A "ntp-ntp-rtp4pkts" "octs" BLOCK_B
#define RR        "\x80\xc9\x00\x01" SSRC_A
#define RR_B      "\x81\xc9\x00\x07" SSRC_A BLOCK_B
#define SDES      "\x81\xca\x00\x03" SSRC_A "\x01\x04" "mary" "\x00\x00"
#define BYE       "\x81\xcb\x00\x01" SSRC_A
#define APP       "\x80\xcc\x00\x02" SSRC_A "name"
#define NACK      "\x81\xcd\x00\x03" SSRC_A SSRC_B "\x00\x07\x00\x00"
#define TWCC      "\x8f\xcd\x00\x03" SSRC_A SSRC_B "\x00\x07\x00\x00"
#define PLI       "\x81\xce\x00\x02" SSRC_A SSRC_B
#define FIR       "\x84\xce\x00\x04" SSRC_A "\0\0\0\0" SSRC_B "\x05\0\0\0"
#define REMB      "\x8f\xce\x00\x04" SSRC_A "\0\0\0\0" "REMB" "\x00\x01\x02\x03"
#define XR        "\x80\xcf\x00\x01" SSRC_A


static const struct {
    const char     *name;
    const uint8_t  *p;
    size_t          len;
    int             full;       /* mh_rtcp_check() as a compound */
    int             reduced;    /* and as reduced size */
}  samples[] = {
    { "SR, SDES", BYTES(SR SDES), 1, 1 },
    { "SR with a block, SDES, PLI", BYTES(SR_B SDES PLI), 1, 1 },
    { "RR, BYE", BYTES(RR BYE), 1, 1 },
    { "RR with a block, APP, XR", BYTES(RR_B APP XR), 1, 1 },
    { "PLI alone", BYTES(PLI), 0, 1 },
    { "TWCC, NACK", BYTES(TWCC NACK), 0, 1 },
    { "FIR, REMB", BYTES(FIR REMB), 0, 1 },
    { "version 1", BYTES("\x40\xc9\x00\x01" SSRC_A), 0, 0 },
    { "an RTP packet", BYTES("\x80\x08\x00\x01" SSRC_A), 0, 0 },
    { "longer than it is", BYTES("\x80\xc9\x00\x02" SSRC_A), 0, 0 },
    { "count without blocks", BYTES("\x81\xc9\x00\x01" SSRC_A), 0, 0 },
    { "31 blocks, none there", BYTES("\x9f\xc8\x00\x06" SSRC_A
                                     "ntp-ntp-rtp4pktsocts"), 0, 0 },
    { "SR too short", BYTES("\x80\xc8\x00\x01" SSRC_A), 0, 0 },
    { "padding in the first", BYTES("\xa0\xc9\x00\x02" SSRC_A
                                    "\x00\x00\x00\x04" BYE), 0, 0 },
    { "padding in the last", BYTES(RR "\xa1\xcb\x00\x02" SSRC_A
                                   "\x00\x00\x00\x04"), 1, 1 },
    { "padding longer than the packet", BYTES(RR "\xa0\xcb\x00\x00"), 0, 0 },
    { "padding of 3", BYTES(RR "\xa1\xcb\x00\x02" SSRC_A
                            "\x00\x00\x00\x03"), 0, 0 },
    { "a tail of two bytes", BYTES(RR "\x80\xc9"), 0, 0 },
    { "an empty BYE", BYTES(RR "\x80\xcb\x00\x00"), 1, 1 }
};


static void
test_check(void)
{
    int       bad;
    size_t    i, n;
    uint8_t  *copy;

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        copy = guarded_copy(samples[i].p, samples[i].len);
        ok((mh_rtcp_check(copy, samples[i].len, false) == 0)
           == samples[i].full
           && (mh_rtcp_check(copy, samples[i].len, true) == 0)
              == samples[i].reduced, "%s", samples[i].name);
        guarded_free(copy, samples[i].len);
    }

    ok(mh_rtcp_check((const uint8_t *) "", 0, true) != 0, "nothing");

    /* a truncation is good only where a packet ends */

    for (bad = 0, n = 0; n < sizeof(SR_B SDES PLI) - 1; n++) {
        copy = guarded_copy(SR_B SDES PLI, n);

        if ((mh_rtcp_check(copy, n, false) == 0)
            != (n == sizeof(SR_B) - 1 || n == sizeof(SR_B SDES) - 1))
        {
            bad++;
        }

        guarded_free(copy, n);
    }

    is_int(bad, 0, "every truncation");
}


static void
test_next(void)
{
    size_t              pos;
    struct mh_rtcp_pkt  pkt;
    static const char   data[] = SR_B PLI "\x80\xcb\x00\x00";

    pos = 0;
    is_int(mh_rtcp_next((const uint8_t *) data, sizeof(data) - 1, &pos, &pkt),
           0, "first");
    ok(pkt.type == MH_RTCP_SR && pkt.count == 1 && pkt.ssrc == 0x11223344
       && pkt.len == 52 && pos == 52, "is the SR");
    is_int(mh_rtcp_next((const uint8_t *) data, sizeof(data) - 1, &pos, &pkt),
           0, "second");
    ok(pkt.type == MH_RTCP_PSFB && pkt.count == MH_RTCP_FMT_PLI
       && pkt.media == 0xaabbccdd, "is the PLI with its media source");
    mh_rtcp_next((const uint8_t *) data, sizeof(data) - 1, &pos, &pkt);
    is_int(pkt.ssrc, 0, "an empty BYE has no sender");
    ok(mh_rtcp_next((const uint8_t *) data, sizeof(data) - 1, &pos, &pkt)
       != 0, "and no fourth");
}


static void
filtered(const char *name, const uint8_t *p, size_t len, unsigned flags,
    const uint8_t *expected, size_t n, struct mh_rtcp_seen *seen)
{
    uint8_t  buf[256];

    memcpy(buf, p, len);

    if (mh_rtcp_filter(buf, &len, sizeof(buf), flags, seen) != 0) {
        ok(0, "%s", name);
        return;
    }

    is_mem(buf, len, expected, n, name);

    if (len) {
        ok(mh_rtcp_check(buf, len, flags & MH_RTCP_TO_RSIZE) == 0,
           "and it is valid");
    }
}


static void
test_filter(void)
{
    int                  bad;
    size_t               len, i;
    uint8_t              buf[64], *copy;
    struct mh_rtcp_seen  seen;

    filtered("all of AVP passes", BYTES(SR_B SDES APP BYE), MH_RTCP_TO_AVP,
             BYTES(SR_B SDES APP BYE), &seen);
    ok(seen.sr && seen.bye && !seen.rr && !seen.pli && seen.dropped == 0
       && seen.ssrc == 0x11223344, "and was seen");

    filtered("feedback is absorbed", BYTES(RR SDES PLI NACK TWCC REMB XR),
             MH_RTCP_TO_AVP, BYTES(RR SDES), &seen);
    ok(seen.pli && seen.nack && seen.rr && !seen.fir && seen.dropped == 5
       && seen.media == 0xaabbccdd, "but seen");

    filtered("AVPF keeps NACK, PLI, FIR", BYTES(RR PLI TWCC NACK REMB FIR XR),
             MH_RTCP_TO_AVPF, BYTES(RR PLI NACK FIR), &seen);
    ok(seen.fir && seen.fir_seq == 5 && seen.dropped == 3, "FIR was seen");

    filtered("nothing is left", BYTES(TWCC), MH_RTCP_TO_AVPF, NULL, 0, &seen);
    filtered("a lone PLI gets an RR before it", BYTES(PLI), MH_RTCP_TO_AVPF,
             BYTES(RR PLI), &seen);
    filtered("not where reduced size is allowed", BYTES(PLI),
             MH_RTCP_TO_AVPF | MH_RTCP_TO_RSIZE, BYTES(PLI), &seen);
    filtered("SDES first gets one, too", BYTES(SDES PLI), MH_RTCP_TO_AVP,
             BYTES(RR SDES), &seen);

    memcpy(buf, PLI, 12);
    len = 12;
    ok(mh_rtcp_filter(buf, &len, 19, MH_RTCP_TO_AVPF, &seen) != 0 && len == 0,
       "no room for the RR");

    memcpy(buf, PLI "\x00", 13);
    len = 13;
    ok(mh_rtcp_filter(buf, &len, 64, MH_RTCP_TO_AVP, &seen) != 0 && len == 13,
       "a broken one stays as it is");

    for (bad = 0, i = 0; i < sizeof(RR_B PLI FIR) - 1; i++) {
        copy = guarded_copy(RR_B PLI FIR, i);
        len = i;
        (void) mh_rtcp_filter(copy, &len, i, MH_RTCP_TO_AVP, &seen);
        bad += (len > i);
        (void) mh_rtcp_ssrc_rewrite(copy, i, 0x11223344, 1);
        guarded_free(copy, i);
    }

    is_int(bad, 0, "every truncation");
}


static void
test_ssrc(void)
{
    uint8_t            buf[256];
    static const char  all[] = SR_B SDES BYE APP NACK PLI FIR;
    static const char  two[] =
        RR "\x82\xca\x00\x06" SSRC_A "\x01\x03" "abc" "\x00\x00\x00"
        SSRC_B "\x01\x05" "abcde" "\x00";

    memcpy(buf, all, sizeof(all));
    is_int(mh_rtcp_ssrc_rewrite(buf, sizeof(all) - 1, 0x11223344, 0x01020304),
           7, "a sender in seven places");
    is_int(mh_rtcp_ssrc_rewrite(buf, sizeof(all) - 1, 0xaabbccdd, 0x01020305),
           4, "a source in four: block, NACK, PLI, FIR");
    is_int(mh_rtcp_ssrc_rewrite(buf, sizeof(all) - 1, 0xaabbccdd, 1), 0,
           "now it is nowhere");
    mh_rtcp_ssrc_rewrite(buf, sizeof(all) - 1, 0x01020304, 0x11223344);
    mh_rtcp_ssrc_rewrite(buf, sizeof(all) - 1, 0x01020305, 0xaabbccdd);
    is_mem(buf, sizeof(all), all, sizeof(all), "and back");

    memcpy(buf, two, sizeof(two));
    is_int(mh_rtcp_check(buf, sizeof(two) - 1, false), 0, "two chunks");
    is_int(mh_rtcp_ssrc_rewrite(buf, sizeof(two) - 1, 0xaabbccdd, 7), 1,
           "the second one is found");
}


static void
test_write(void)
{
    uint8_t  buf[32];

    is_mem(buf, mh_rtcp_pli_write(buf, 32, 0x11223344, 0xaabbccdd),
           PLI, 12, "PLI");
    is_mem(buf, mh_rtcp_fir_write(buf, 32, 0x11223344, 0xaabbccdd, 5),
           FIR, 20, "FIR");
    is_mem(buf, mh_rtcp_rr_write(buf, 32, 0x11223344), RR, 8, "RR");
    is_int(mh_rtcp_pli_write(buf, 11, 1, 2), 0, "no room for a PLI");
    is_int(mh_rtcp_fir_write(buf, 19, 1, 2, 3), 0, "no room for a FIR");
    is_int(mh_rtcp_rr_write(buf, 7, 1), 0, "no room for an RR");
}


int
main(void)
{
    test_check();
    test_next();
    test_filter();
    test_ssrc();
    test_write();

    return done_testing();
}
