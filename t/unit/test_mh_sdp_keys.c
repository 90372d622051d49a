
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What keys and flags of ng do to a description, and codecs of several
 * clocks and profiles.
 */


#include <errno.h>

#include "tap.h"
#include "mh_sdp.h"
#include "sdp_samples.h"
#include "sdp_calls.h"


#define RULE(list, text)                                                     \
    (l.policy.list[l.policy.list ## c++] = (struct pl) PL(text))


static int
offer(const struct mh_sdp_local *l)
{
    memset(maps, 0, sizeof(maps));
    return mh_sdp_offer(out, sizeof(out), &outn, &a, l, maps);
}


static void
test_rules(void)
{
    struct mh_sdp_local  l;

    is_int(parse(&a, WEB_OFFER_AV), 0, "an offer");

    l = ims_side();
    RULE(strip, "telephone-event/48000");
    ok(offer(&l) == 0 && has("a=rtpmap:126 telephone-event/8000"),
       "a rule with another clock does not fit");

    l = ims_side();
    RULE(strip, "pcmu/8000/1");
    ok(offer(&l) == 0 && !contains("PCMU") && contains("PCMA"),
       "clock and channels fit");

    l = ims_side();
    RULE(strip, "PCMU/8000/2");
    ok(offer(&l) == 0 && contains("PCMU"), "other channels do not");

    l = ims_side();
    RULE(offer, "opus/48000/2/64000");
    ok(offer(&l) == 0 && has("a=rtpmap:111 opus/48000/2")
       && has("a=rtpmap:110 telephone-event/48000"),
       "Opus by rule, with the tones of its clock");

    l = ims_side();
    RULE(offer, "VP8");
    ok(offer(&l) == 0 && has("a=rtpmap:96 VP8/90000"), "VP8 by rule");

    l = ims_side();
    RULE(strip, "all");
    RULE(offer, "PCMA");
    ok(offer(&l) == 0 && contains("m=audio 30000 RTP/AVP 8\r\n")
       && contains("m=video 0 "), "all but one");
}


static void
test_single(void)
{
    uint8_t              table[128];
    struct mh_sdp_local  l;

    static const char  answer[] =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\n"
        "t=0 0\r\nm=audio 40500 RTP/AVP 126 8 0\r\n"
        "a=rtpmap:126 telephone-event/8000\r\n";

    is_int(offer_up(WEB_OFFER), 0, "an offer");
    is_int(parse(&b, answer), 0, "an answer with tones and two codecs");

    l = web_side(MH_SDP_PASSIVE);
    l.policy.single_codec = true;
    is_int(mh_sdp_answer(out, sizeof(out), &outn, &a, &b, &l, maps), 0,
           "becomes");
    ok(contains("m=audio 31000 UDP/TLS/RTP/SAVPF 126 8\r\n"),
       "one with a single codec");

    mh_sdp_table(&maps[0], MH_SDP_IMS, table);
    ok(table[8] == 8 && table[126] == 126 && table[0] == 0xff,
       "and only that passes");
}


static void
test_rtcp(void)
{
    struct mh_sdp_local  l;

    is_int(parse(&a, WEB_OFFER), 0, "an offer");

    l = ims_side();
    l.full_rtcp = true;
    ok(offer(&l) == 0 && has("a=rtcp:30001 IN IP4 198.51.100.20"),
       "full-rtcp-attribute");

    l.ipv6 = true;
    l.addr = "2001:db8::1";
    ok(offer(&l) == 0 && has("a=rtcp:30001 IN IP6 2001:db8::1")
       && has("c=IN IP6 2001:db8::1") && has("b=AS:88"), "with IPv6");

    l = ims_side();
    l.media[0].rtcp_mux = true;
    ok(offer(&l) == 0 && has("a=rtcp-mux") && !contains("a=rtcp:"),
       "rtcp-mux is offered");

    l = ims_side();
    l.loop = "0123456789abcdef";
    ok(offer(&l) == 0 && has("a=media-helper:0123456789abcdef"),
       "our own name");
}


static void
test_codecs(void)
{
    struct mh_sdp_local  l;

    static const char  profiles[] =
        WEB_HEAD "a=group:BUNDLE 0\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 98 99 100 101\r\n"
        "c=IN IP4 0.0.0.0\r\na=mid:0\r\n" WEB_TRANSPORT
        "a=rtpmap:98 H264/90000\r\n"
        "a=fmtp:98 profile-level-id=640c1f;packetization-mode=1\r\n"
        "a=rtpmap:99 H264/90000\r\n"
        "a=fmtp:99 profile-level-id=42e01f;packetization-mode=0\r\n"
        "a=rtpmap:100 H264/90000\r\n"
        "a=fmtp:100 profile-level-id=42001f;packetization-mode=1\r\n"
        "a=rtpmap:101 H264/90000\r\n"
        "a=fmtp:101 profile-level-id=4d001f;packetization-mode=1\r\n";
    static const char  wide[] =
        "v=0\r\no=- 1 1 IN IP6 2001:db8::9\r\ns=-\r\n"
        "c=IN IP6 2001:db8::9\r\nt=0 0\r\n"
        "m=audio 40500 RTP/AVP 96 97 98 13 105\r\nb=AS:49\r\nb=RS:0\r\n"
        "b=RR:2000\r\na=rtpmap:96 AMR-WB/16000/1\r\n"
        "a=rtpmap:97 telephone-event/16000\r\n"
        "a=rtpmap:98 telephone-event/8000\r\na=rtpmap:105 CN/16000\r\n"
        "a=ptime:20\r\na=maxptime:240\r\na=tra-contact:x\r\n";

    is_int(parse(&a, profiles), 0, "H.264 of four profiles");
    l = ims_side();
    ok(offer(&l) == 0 && contains("m=video 30000 RTP/AVP 99 100\r\n")
       && contains("packetization-mode=0") && !contains("640c1f")
       && !contains("4d001f"), "the baseline ones go to the IMS, both modes");

    is_int(offer_down(wide), 0, "an offer of a handset with AMR-WB");
    ok(has("a=rtpmap:96 AMR-WB/16000")
       && has("a=rtpmap:97 telephone-event/16000")
       && has("a=rtpmap:105 CN/16000"), "tones and noise of its clock");
    ok(!contains("telephone-event/8000") && !contains("CN/8000"),
       "and no other, without a codec that has it");
    ok(!contains("b=R") && !contains("tra-") && has("a=maxptime:240"),
       "no b=RS, b=RR, no optimisation attributes");
}


int
main(void)
{
    test_rules();
    test_single();
    test_rtcp();
    test_codecs();

    return done_testing();
}
