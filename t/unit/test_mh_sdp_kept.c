
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What of one side's description the other one sees: nothing that is not on
 * the allow list, and what is on it to the letter.
 */


#include <errno.h>

#include "tap.h"
#include "mh_sdp.h"
#include "sdp_samples.h"
#include "sdp_calls.h"


#define IMS_HEAD                                                             \
    "v=0\r\no=ims 7 1 IN IP4 192.0.2.40\r\ns=-\r\nc=IN IP4 192.0.2.40\r\n"    \
    "t=0 0\r\n"
#define IMS_AUDIO   "m=audio 40500 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"


static char    text[8192];
static char    plain[MH_SDP_MAX_SIZE];
static size_t  plainn;


/* remembers what was written last */

static void
keep(void)
{
    memcpy(plain, out, outn);
    plainn = outn;
}


/* whether the same was written again */

static int
kept(void)
{
    return plainn == outn && memcmp(plain, out, outn) == 0;
}


/* WebRTC's own (SD-2), and what nobody knows (SD-19) */

static void
test_web_lines(void)
{
    unsigned  i;

    static const char *const  lines[] = {
        "a=candidate:1 1 udp 2113937151 192.0.2.15 50000 typ host",
        "a=end-of-candidates", "a=ice-options:ice2", "a=ice-pacing:50",
        "a=fingerprint:sha-512 AB:CD", "a=tls-id:abcdefghijklmnopqrst",
        "a=rtcp-mux", "a=rtcp-mux-only", "a=rtcp-rsize",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=extmap:9 urn:ietf:params:rtp-hdrext:toffset",
        "a=extmap-allow-mixed", "a=msid:stream track",
        "a=msid-semantic: WMS stream", "a=ssrc:1 cname:x",
        "a=ssrc-group:FID 1 2", "a=rid:h send", "a=simulcast:send h",
        "a=rtcp-fb:0 transport-cc", "a=rtcp-fb:0 goog-remb",
        "a=rtcp-fb:0 nack", "a=rtcp-fb:* ccm fir", "a=bundle-only",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
            "inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a=rtcp-xr:voip-metrics", "a=label:1", "a=framerate:30",
        "a=x-google-flag:conference", "a=no-such-thing", "i=words",
        "b=RS:800", "b=RR:2400", "b=CT:100", "b=X-MINE:1", "k=clear:x",
        "a=tra-contact:192.0.2.1", "a=tra-m-line:audio 4000 RTP/AVP 0",
        "a=tra-att:ptime:20", "a=tra-bw:AS:80", "a=tra-SCTP-association:1",
        "a=tra-media-line-number:1"
    };

    is_int(offer_up(WEB_OFFER), 0, "a browser's offer");
    keep();

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        snprintf(text, sizeof(text), WEB_OFFER "%s\r\n", lines[i]);
        ok(offer_up(text) == 0 && kept(), "does not go up: %s", lines[i]);

        snprintf(text, sizeof(text), WEB_HEAD "%s\r\na=group:BUNDLE 0\r\n"
                 WEB_AUDIO, lines[i]);
        ok(offer_up(text) == 0 && kept(), "nor from the session");
    }
}


/* media optimisation (SD-17) and other lines of networks, towards a browser */

static void
test_ims_lines(void)
{
    unsigned  i;

    static const char *const  lines[] = {
        "a=tra-contact:192.0.2.1", "a=tra-m-line:audio 4000 RTP/AVP 0",
        "a=tra-att:ptime:20", "a=tra-bw:AS:80", "a=tra-SCTP-association:1",
        "a=tra-media-line-number:1", "a=visited-realm:1 x IN IP4 192.0.2.1",
        "a=omr-m-att:1 rtpmap", "a=curr:qos local none",
        "a=des:qos mandatory local sendrecv", "a=conf:qos remote sendrecv",
        "a=3gpp-qos-hint:loss=0.01", "a=anbr", "a=no-such-thing", "i=words",
        "b=RS:800", "b=RR:2400", "b=AS:80", "a=rtcp:40501", "a=key-mgmt:x"
    };

    is_int(offer_down(IMS_HEAD IMS_AUDIO), 0, "an offer of the IMS");
    keep();

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        snprintf(text, sizeof(text), IMS_HEAD IMS_AUDIO "%s\r\n", lines[i]);
        ok(offer_down(text) == 0 && kept(), "does not come down: %s",
           lines[i]);

        snprintf(text, sizeof(text), IMS_HEAD "%s\r\n" IMS_AUDIO, lines[i]);
        ok(offer_down(text) == 0 && kept(), "nor from the session");
    }
}


static void
test_kept(void)
{
    unsigned  i;

    static const char *const  lines[] = {
        "a=ptime:40", "a=maxptime:60", "a=curr:qos local none",
        "a=des:qos mandatory local sendrecv", "a=conf:qos remote sendrecv",
        "a=fmtp:0 no=1;such=2"
    };

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        snprintf(text, sizeof(text), WEB_OFFER "%s\r\n", lines[i]);
        ok(offer_up(text) == 0 && has(lines[i]), "goes up: %s", lines[i]);
    }
}


/*
 * Without transcoding the parameters of AMR are the two ends' affair (P26,
 * ME-12): none may get lost, in neither direction, and two payload forms
 * (RFC 4867 8.3.1) stay two formats.
 */

static void
test_amr(void)
{
    unsigned  i;
    uint8_t   up[128], down[128];

    static const char *const  offered[] = {
        "a=rtpmap:104 AMR-WB/16000", "a=rtpmap:105 AMR-WB/16000",
        "a=rtpmap:102 AMR/8000", "a=rtpmap:103 AMR/8000",
        "a=fmtp:104 mode-change-capability=2;max-red=0;mode-set=0,1,2",
        "a=fmtp:105 octet-align=1;mode-change-capability=2",
        "a=fmtp:102 mode-set=0,2,4,7;mode-change-period=2;"
            "mode-change-neighbor=1",
        "a=fmtp:103 octet-align=1; crc=1; robust-sorting=1; interleaving=4"
    };

    snprintf(text, sizeof(text), "%s",
             IMS_HEAD "m=audio 40500 RTP/AVP 104 105 102 103\r\n");

    for (i = 0; i < sizeof(offered) / sizeof(offered[0]); i++) {
        strcat(text, offered[i]);
        strcat(text, "\r\n");
    }

    ok(offer_down(text) == 0
       && has("m=audio 31000 UDP/TLS/RTP/SAVPF 104 105 102 103"),
       "AMR-WB and AMR, bandwidth-efficient and octet-aligned");

    for (i = 0; i < sizeof(offered) / sizeof(offered[0]); i++) {
        ok(has(offered[i]), "as it was: %s", offered[i]);
    }

    /* the other end takes two of them, under numbers of its own */

    ok(answer_up(WEB_HEAD "a=group:BUNDLE 0\r\n"
                 "m=audio 9 UDP/TLS/RTP/SAVPF 120 121\r\n"
                 "c=IN IP4 0.0.0.0\r\na=mid:0\r\n" WEB_TRANSPORT
                 "a=rtpmap:120 AMR/8000\r\n"
                 "a=fmtp:120 octet-align=1;mode-set=7\r\n"
                 "a=rtpmap:121 AMR/8000\r\n"
                 "a=fmtp:121 mode-set=0,2,4,7;mode-change-period=2\r\n") == 0
       && has("m=audio 30000 RTP/AVP 103 102")
       && has("a=fmtp:103 octet-align=1;mode-set=7")
       && has("a=fmtp:102 mode-set=0,2,4,7;mode-change-period=2"),
       "an answer has the form of each");

    mh_sdp_table(&maps[0], MH_SDP_WEB, up);
    mh_sdp_table(&maps[0], MH_SDP_IMS, down);
    ok(up[120] == 103 && up[121] == 102 && down[103] == 120
       && down[102] == 121 && down[104] == 0xff,
       "and its packets its number");
}


/* spellings of a browser's profile (SD-3); its answer has the offer's */

static void
test_profiles(void)
{
    unsigned     i;
    char         line[64];
    const char  *rest;

    static const char *const  profiles[] = {
        "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP"
    };

    rest = strchr(strstr(WEB_OFFER, "UDP/TLS/RTP/SAVPF"), ' ');

    for (i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), WEB_HEAD "a=group:BUNDLE 0\r\n"
                 "m=audio 9 %s%s", profiles[i], rest);
        ok(offer_up(text) == 0 && has("m=audio 30000 RTP/AVP 0 8 126"),
           "%s goes up", profiles[i]);
        snprintf(line, sizeof(line), "m=audio 31000 %s 8 126", profiles[i]);
        ok(answer_down(ims_answer) == 0 && has(line), "and is answered so");
    }

    ok(offer_down(IMS_HEAD "m=audio 40500 RTP/AVPF 8\r\n") == 0
       && has("m=audio 31000 UDP/TLS/RTP/SAVPF 8"),
       "an offer to a browser has the one profile");
}


/*
 * Numbers that are made up: dynamic ones, then those below 64, never 64 to 95,
 * which RTCP would be taken for (SD-11, RFC 5761 4).
 */

static void
test_numbers(void)
{
    size_t               n;
    uint8_t              down[128];
    unsigned             i, wrong;
    struct mh_sdp_local  l;

    /* each m-line uses 96 to 105, in one bundle they cannot */

    n = (size_t) snprintf(text, sizeof(text), IMS_HEAD);

    for (i = 0; i < 5; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n,
            "m=audio %u RTP/AVP 96 97 98 99 100 101 102 103 104 105\r\n"
            "a=rtpmap:96 AMR/8000\r\na=rtpmap:97 AMR/8000\r\n"
            "a=fmtp:97 octet-align=1\r\na=rtpmap:98 AMR-WB/16000\r\n"
            "a=rtpmap:99 AMR-WB/16000\r\na=fmtp:99 octet-align=1\r\n"
            "a=rtpmap:100 telephone-event/8000\r\n"
            "a=rtpmap:101 telephone-event/16000\r\n"
            "a=rtpmap:102 CN/16000\r\na=rtpmap:103 opus/48000/2\r\n"
            "a=rtpmap:104 telephone-event/48000\r\n"
            "a=rtpmap:105 CN/8000\r\n", 40500 + 2 * i);
    }

    l = web_side(MH_SDP_ACTPASS);

    for (i = 0; i < 5; i++) {
        l.media[i].port = 31000;
    }

    memset(maps, 0, sizeof(maps));
    ok(parse(&a, text) == 0
       && mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps) == 0,
       "five lines with the same ten numbers");

    for (i = 0, wrong = 0; i < 50; i++) {
        mh_sdp_table(&maps[i / 10], MH_SDP_IMS, down);
        wrong += down[96 + i % 10] >= 64 && down[96 + i % 10] < 96;
        wrong += down[96 + i % 10] == 0xff;
    }

    is_int(wrong, 0, "each has a number, none of them one of RTCP's");
}


int
main(void)
{
    test_web_lines();
    test_ims_lines();
    test_kept();
    test_amr();
    test_profiles();
    test_numbers();

    return done_testing();
}
