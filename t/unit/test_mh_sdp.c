
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * SDP between browser and IMS: the examples of a first call in full, real
 * offers of Chromium and Firefox, a handset's offer, bundle, hold, late
 * offers, renumbered payload types.
 */


#include <errno.h>

#include "tap.h"
#include "mh_sdp.h"
#include "sdp_samples.h"
#include "sdp_calls.h"


#define MID  "urn:ietf:params:rtp-hdrext:sdes:mid"


/* how many m-lines of the text have this extension; -1 if one has another */

static int
extensions(const char *line)
{
    int          n;
    const char  *p;

    n = 0;

    for (p = strstr(out, "a=extmap"); p; p = strstr(p + 1, "a=extmap")) {

        if (strncmp(p, line, strlen(line)) != 0) {
            return -1;
        }

        n++;
    }

    return n;
}


static void
test_audio(void)
{
    uint8_t             table[128];
    static const char   up[] =
        "v=0\r\n"
        "o=- 7001 1 IN IP4 198.51.100.20\r\n"
        "s=-\r\n"
        "c=IN IP4 198.51.100.20\r\n"
        "t=0 0\r\n"
        "m=audio 30000 RTP/AVP 0 8 126\r\n"
        "b=AS:80\r\n"
        "a=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:126 telephone-event/8000\r\n"
        "a=fmtp:126 0-15\r\n"
        "a=ptime:20\r\n"
        "a=sendrecv\r\n";
    static const char   down[] =
        "v=0\r\n"
        "o=- 7002 1 IN IP4 203.0.113.10\r\n"
        "s=-\r\n"
        "t=0 0\r\n"
        "a=ice-lite\r\n"
        "a=ice-options:ice2\r\n"
        "a=group:BUNDLE 0\r\n"
        "m=audio 31000 UDP/TLS/RTP/SAVPF 8 126\r\n"
        "c=IN IP4 203.0.113.10\r\n"
        "a=mid:0\r\n"
        "a=rtcp-mux\r\n"
        "a=ice-ufrag:Pt1x\r\n"
        "a=ice-pwd:zyxwvutsrqponmlkjihgfedc\r\n"
        "a=candidate:1 1 udp 2130706431 203.0.113.10 31000 typ host\r\n"
        "a=end-of-candidates\r\n"
        "a=fingerprint:sha-256 AA:BB\r\n"
        "a=setup:passive\r\n"
        "a=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:126 telephone-event/8000\r\n"
        "a=fmtp:126 0-15\r\n"
        "a=ptime:20\r\n"
        "a=sendrecv\r\n";

    is_int(offer_up(WEB_OFFER), 0, "a browser's audio offer");
    is_str(out, outn, up, "goes up as plain RTP");

    mh_sdp_table(&maps[0], MH_SDP_WEB, table);
    ok(table[0] == 0 && table[8] == 8 && table[126] == 126
       && table[111] == 0xff && table[110] == 0xff,
       "before the answer all that was offered passes");

    is_int(answer_down(ims_answer), 0, "an answer");
    is_str(out, outn, down, "comes down with ICE-lite and DTLS");

    mh_sdp_table(&maps[0], MH_SDP_IMS, table);
    ok(table[8] == 8 && table[126] == 126 && table[0] == 0xff,
       "then what was chosen");

    is_int(a.media[0].port, 9, "port 9 is no refusal");
    ok(!a.media[0].refused && a.ice_trickle && a.media[0].candidates == 0,
       "nor is the lack of candidates");
    is_int(a.sess_id, 410, "o= session id");
    is_int(a.sess_ver, 2, "o= version");
}


static void
test_video(void)
{
    struct mh_sdp_local  l;

    memset(maps, 0, sizeof(maps));
    l = ims_side();
    l.policy.h264_level = (struct pl) PL("42e00c");

    is_int(parse(&a, WEB_OFFER_AV), 0, "audio and video with max-bundle");
    is_int(mh_sdp_check_web(&a), 0, "one transport for both is enough");
    ok(!a.media[1].refused && a.media[1].bundled && a.media[1].bundle_only,
       "bundle-only is no refusal");
    ok(mh_sdp_transport(&a, &a.media[1]) == &a.media[0],
       "its transport is the tagged line's");
    is_int(mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps), 0, "up");
    ok(contains("m=video 30002 RTP/AVPF 102\r\n"
                "b=AS:512\r\n"
                "a=rtpmap:102 H264/90000\r\n"
                "a=fmtp:102 packetization-mode=1;profile-level-id=42e00c\r\n"
                "a=rtcp-fb:102 nack pli\r\n"
                "a=sendrecv\r\n"),
       "H264 alone, on its own port, with feedback, level lowered");
    ok(!contains("BUNDLE") && !contains("mid") && !contains("bundle-only"),
       "no bundle enters the IMS");

    is_int(answer_down(ims_answer_av), 0, "answered");
    ok(has("a=group:BUNDLE 0 1"), "the group is kept");
    ok(contains("m=video 31000 UDP/TLS/RTP/SAVPF 102\r\n"
                "c=IN IP4 203.0.113.10\r\n"
                "a=mid:1\r\n"
                "a=ice-ufrag:Pt1x\r\n"
                "a=ice-pwd:zyxwvutsrqponmlkjihgfedc\r\n"
                "a=fingerprint:sha-256 AA:BB\r\n"
                "a=setup:passive\r\n"
                "a=rtpmap:102 H264/90000\r\n"
                "a=fmtp:102 packetization-mode=1;profile-level-id=42e00c\r\n"
                "a=rtcp-fb:102 nack pli\r\n"
                "a=sendrecv\r\n"),
       "video shares the port, candidates are not repeated");

    offer_up(WEB_OFFER_AV);
    is_int(answer_down("v=0\r\no=i 1 1 IN IP4 192.0.2.40\r\ns=-\r\n"
                       "c=IN IP4 192.0.2.40\r\nt=0 0\r\n"
                       "m=audio 40500 RTP/AVP 0\r\n"
                       "m=video 0 RTP/AVPF 102\r\n"), 0, "video refused");
    ok(has("a=group:BUNDLE 0"), "leaves the group");
    ok(has("m=video 0 UDP/TLS/RTP/SAVPF 96 97 102") && has("a=mid:1"),
       "keeps its place and its mid");

    ok(mh_sdp_wanted(&a, 1, &l), "the line is wanted");
    l.policy.video = 0;
    ok(!mh_sdp_wanted(&a, 1, &l), "unless there is no codec in common");
    memset(maps, 0, sizeof(maps));
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(has("m=video 0 RTP/AVP 96 97 102") && has("m=audio 30000 RTP/AVP 0 8"
                                                 " 126"),
       "then video is refused and audio goes on");

    l.policy.video = 1u << MH_SDP_VP8;
    memset(maps, 0, sizeof(maps));
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(has("m=video 30002 RTP/AVP 96"), "VP8 by policy");
}


static void
test_chromium(void)
{
    const char                 *leak;
    unsigned                    i;
    const struct mh_sdp_media  *m;
    static const char          *leaks[] = {
        "ice-", "candidate", "fingerprint", "setup", "rtcp-mux", "rsize",
        "extmap", "msid", "ssrc", "transport-cc", "goog-remb", "rtx", "red/",
        "ulpfec", "AV1", "VP8", "apt=", "opus", "48000", "4d001f", "mid",
        "group", "192.0.2.15", NULL
    };

    is_int(offer_up(chromium_offer), 0, "Chromium");
    m = &a.media[0];
    is_int(m->candidates, 2, ".local is not counted");
    is_int(m->mid_ext, 4, "extension id of the mid");
    ok(m->nack_pli == false && a.media[1].nack_pli && a.media[1].ccm_fir,
       "feedback of video");

    for (leak = NULL, i = 0; leaks[i]; i++) {
        leak = contains(leaks[i]) ? leaks[i] : leak;
    }

    ok(leak == NULL, "nothing of WebRTC goes up%s%s", leak ? ": " : "",
       leak ? leak : "");
    ok(has("m=audio 30000 RTP/AVP 9 0 8 13 126"), "audio as browsers have it");
    ok(has("m=video 30002 RTP/AVPF 103 107 109"), "baseline H264 alone");
    ok(has("a=rtcp-fb:103 nack") && has("a=rtcp-fb:103 nack pli")
       && has("a=rtcp-fb:103 ccm fir") && has("a=rtcp-fb:109 nack pli")
       && !contains("a=rtcp-fb:107"), "its feedback");

    /* the answer picks constrained baseline and lowers the constraint */

    is_int(answer_down("v=0\r\no=i 1 1 IN IP4 192.0.2.40\r\ns=-\r\n"
                       "c=IN IP4 192.0.2.40\r\nt=0 0\r\n"
                       "m=audio 40500 RTP/AVP 8 126\r\n"
                       "a=rtpmap:126 telephone-event/8000\r\n"
                       "m=video 40502 RTP/AVP 109\r\n"
                       "b=TIAS:256000\r\n"
                       "a=rtpmap:109 H264/90000\r\n"
                       "a=fmtp:109 profile-level-id=42c00c;"
                       "packetization-mode=1\r\n"), 0, "answered");
    ok(has("m=video 31000 UDP/TLS/RTP/SAVPF 109"), "with Chromium's number");
    ok(has("a=rtcp-fb:109 nack pli") && !contains("ccm fir")
       && !has("a=rtcp-fb:109 nack"),
       "PLI for a peer without feedback, what was offered of it");
    ok(has("b=AS:269"), "TIAS becomes AS");
    ok(has("a=mid:1") && has("a=mid:0"), "mids");
    ok(extensions("a=extmap:4 " MID "\r\n") == 2,
       "of the extensions the mid's, with the browser's id");
}


static void
test_firefox(void)
{
    is_int(offer_up(firefox_offer), 0, "Firefox");
    ok(has("m=audio 30000 RTP/AVP 9 0 8 101")
       && has("a=rtpmap:9 G722/8000")
       && has("a=rtpmap:101 telephone-event/8000")
       && has("a=fmtp:101 0-15"), "one channel said or not is the same");
    is_int(a.media[0].fingerprintc, 1, "fingerprint of the session");
    is_int(a.media[0].setup, MH_SDP_ACTPASS, "setup of the m-line");
    is_int(a.media[0].ufrag.l, 8, "ufrag");

    is_int(answer_down("v=0\r\no=i 1 1 IN IP4 192.0.2.40\r\ns=-\r\n"
                       "c=IN IP4 192.0.2.40\r\nt=0 0\r\n"
                       "m=audio 40500 RTP/AVP 0 101\r\n"
                       "a=rtpmap:101 telephone-event/8000\r\n"
                       "a=sendrecv\r\n"), 0, "answered");
    ok(has("m=audio 31000 UDP/TLS/RTP/SAVPF 0 101"), "in the peer's order");
}


/* what a browser needs is added (SD-15), with a limit of the IMS's (SD-12) */

static void
test_handset(void)
{
    uint8_t  up[128], down[128];

    is_int(offer_down(ims_offer), 0, "a handset's offer, LF only");
    ok(has("a=group:BUNDLE 0 1") && has("a=mid:0") && has("a=mid:1"),
       "mids and a bundle are made");
    ok(has("m=audio 31000 UDP/TLS/RTP/SAVPF 104 105 8 96 97"),
       "audio codecs in their order");
    ok(has("m=video 31000 UDP/TLS/RTP/SAVPF 98"),
       "97 is taken in the bundle: renumbered; H263 is gone");
    ok(has("a=rtcp-fb:98 nack pli") && has("a=rtcp-fb:98 ccm fir")
       && has("a=rtcp-fb:98 nack"), "NACK, PLI and FIR for RTP/AVP");
    ok(has("a=rtcp-fb:98 goog-remb") && has("a=rtcp-fb:98 ccm tmmbr"),
       "and words for its limit");
    ok(contains("a=setup:actpass\r\n") && !contains("a=setup:passive"),
       "actpass");
    ok(has("b=AS:384"), "its limit of video");
    ok(!contains("tra-") && !contains("curr") && !contains("des:qos")
       && !contains("RS:") && !contains("AS:49"), "nothing else");
    ok(has("a=maxptime:240") && has("a=ptime:20"), "ptime and maxptime");
    ok(extensions("a=extmap:1 " MID "\r\n") == 2, "the mid's extension");

    /* the browser answers, video under a number of its own */

    is_int(answer_up(web_answer), 0, "the browser's answer");
    ok(has("m=audio 30000 RTP/AVP 8 97"), "goes up with the offer's numbers");
    ok(has("m=video 30002 RTP/AVP 97"), "of each m-line");
    ok(!contains("rtcp-fb"), "no feedback under RTP/AVP");
    ok(contains("a=sendrecv\r\nm=video") && has("a=recvonly"), "directions");
    ok(has("b=AS:80") && has("b=AS:512"), "bandwidth");

    mh_sdp_table(&maps[1], MH_SDP_IMS, down);
    mh_sdp_table(&maps[1], MH_SDP_WEB, up);
    ok(down[97] == 96 && up[98] == 97 && up[96] == 97,
       "a browser that renumbered is understood both ways");
    mh_sdp_table(&maps[0], MH_SDP_IMS, down);
    ok(down[97] == 97 && down[8] == 8 && down[104] == 0xff, "audio");
}


static void
test_reoffer(void)
{
    char                 first[4096];
    size_t               n;
    struct mh_sdp_local  l;

    offer_up(WEB_OFFER);
    memcpy(first, out, outn);
    n = outn;

    l = ims_side();
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    is_mem(out, outn, first, n, "the same in, the same out");

    l.sess_ver = 2;
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(outn == n && memcmp(out, first, n) != 0
       && mh_sdp_same(out, outn, first, n), "same but for o=");

    l.media[0].port = 30010;
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(!mh_sdp_same(out, outn, first, n), "not the same");

    /* now the IMS makes an offer: numbers and mid of the browser stay */

    offer_up(chromium_offer);
    answer_down(ims_answer);
    l = web_side(MH_SDP_ACTPASS);
    parse(&b, "v=0\r\no=i 1 2 IN IP4 192.0.2.40\r\ns=-\r\n"
              "c=IN IP4 192.0.2.40\r\nt=0 0\r\n"
              "m=audio 40500 RTP/AVP 8 101\r\n"
              "a=rtpmap:101 telephone-event/8000\r\n");
    is_int(mh_sdp_offer(out, sizeof(out), &outn, &b, &l, maps), 0,
           "an offer the other way");
    ok(has("m=audio 31000 UDP/TLS/RTP/SAVPF 8 126")
       && has("a=rtpmap:126 telephone-event/8000"),
       "the browser keeps its number for the codec");
    ok(has("a=mid:0") && !contains("a=extmap"), "and its mid");
}


static void
test_hold(void)
{
    unsigned            i;
    char                offer[300], text[1500];
    static const struct {
        const char     *addr;
        const char     *dir;
        const char     *seen;       /* by the browser */
        const char     *answer;     /* of the browser */
        const char     *back;       /* to the IMS */
    }  holds[] = {
        { "192.0.2.40", "sendonly", "sendonly", "recvonly", "recvonly" },
        { "192.0.2.40", "inactive", "inactive", "inactive", "inactive" },
        { "192.0.2.40", "recvonly", "recvonly", "sendonly", "sendonly" },
        { "0.0.0.0", "sendrecv", "sendonly", "recvonly", "recvonly" },
        { "0.0.0.0", "recvonly", "inactive", "inactive", "inactive" },
        { "192.0.2.40", "sendonly", "sendonly", "sendrecv", "recvonly" }
    };

    for (i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
        snprintf(offer, sizeof(offer), "v=0\r\no=i 1 1 IN IP4 192.0.2.40\r\n"
                 "s=-\r\nc=IN IP4 %s\r\nt=0 0\r\na=%s\r\n"
                 "m=audio 40500 RTP/AVP 8\r\n", holds[i].addr, holds[i].dir);
        offer_down(offer);
        snprintf(text, sizeof(text), "a=%s", holds[i].seen);
        ok(has(text), "%s with %s is %s", holds[i].dir, holds[i].addr,
           holds[i].seen);

        snprintf(text, sizeof(text), WEB_HEAD "a=group:BUNDLE 0\r\n"
                 "m=audio 9 UDP/TLS/RTP/SAVPF 8\r\nc=IN IP4 0.0.0.0\r\n"
                 "a=mid:0\r\na=%s\r\n" WEB_TRANSPORT, holds[i].answer);
        answer_up(text);
        snprintf(text, sizeof(text), "a=%s", holds[i].back);
        ok(has(text), "answered %s: %s", holds[i].answer, holds[i].back);
    }

    offer_up(WEB_OFFER);
    ok(has("a=sendrecv"), "0.0.0.0 of a browser is no hold");
}


/* INVITE without SDP: the browser offers in the 200, the ACK answers */

static void
test_late(void)
{
    static const char  ack[] =
        "v=0\r\no=i 1 1 IN IP4 192.0.2.40\r\ns=-\r\nc=IN IP4 192.0.2.40\r\n"
        "t=0 0\r\nm=audio 40500 RTP/AVP 0\r\n";

    is_int(offer_up(WEB_OFFER_AV WEB_DATA), 0, "a late offer with data");
    ok(has("m=application 0 UDP/DTLS/SCTP webrtc-datachannel"),
       "a data channel is refused, in its place");
    is_int(answer_down(ack), EPROTO, "an answer with fewer m-lines");

    is_int(offer_up(WEB_OFFER), 0, "a late offer");
    is_int(answer_down(ack), 0, "answered by the ACK");
    ok(has("m=audio 31000 UDP/TLS/RTP/SAVPF 0"), "with its choice");

    offer_up(WEB_OFFER);
    is_int(answer_down("v=0\r\no=i 1 1 IN IP4 192.0.2.40\r\ns=-\r\n"
                       "c=IN IP4 192.0.2.40\r\nt=0 0\r\n"
                       "m=image 40500 udptl t38\r\n"), EPROTO,
           "another kind of media");
    is_int(answer_down("v=0\r\no=i 1 1 IN IP4 192.0.2.40\r\ns=-\r\n"
                       "c=IN IP4 192.0.2.40\r\nt=0 0\r\n"
                       "m=audio 40500 RTP/AVP 18\r\n"), 0,
           "a codec that was not offered");
    ok(has("m=audio 0 UDP/TLS/RTP/SAVPF 111 0 8 110 126")
       && !contains("BUNDLE"), "is no answer: refused");
}


static void
test_policy(void)
{
    struct mh_sdp_local  l;

    parse(&a, chromium_offer);
    l = ims_side();
    l.policy.strip[0] = (struct pl) PL("PCMU");
    l.policy.strip[1] = (struct pl) PL("g722");
    l.policy.stripc = 2;
    l.policy.offer[0] = (struct pl) PL("opus");
    l.policy.offerc = 1;
    memset(maps, 0, sizeof(maps));
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(has("m=audio 30000 RTP/AVP 111 8 13 110 126"),
       "strip takes away, offer adds, events follow their clock");
    ok(has("a=rtpmap:111 opus/48000/2")
       && has("a=fmtp:111 minptime=10;useinbandfec=1"), "opus with its fmtp");

    l = ims_side();
    l.policy.strip[0] = (struct pl) PL("all");
    l.policy.stripc = 1;
    l.policy.offer[0] = (struct pl) PL("PCMA");
    l.policy.offerc = 1;
    memset(maps, 0, sizeof(maps));
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(has("m=audio 30000 RTP/AVP 8"), "all but one");

    l.policy.offerc = 0;
    ok(!mh_sdp_wanted(&a, 0, &l), "all is nothing");

    l = ims_side();
    l.policy.no_feedback = true;
    l.media[0].rtcp_port = 35001;
    l.media[1].rtcp_mux = true;
    l.ipv6 = true;
    l.addr = "2001:db8::1";
    memset(maps, 0, sizeof(maps));
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(contains("m=video 30002 RTP/AVP ") && !contains("rtcp-fb"),
       "no feedback");
    ok(has("a=rtcp:35001") && has("a=rtcp-mux"), "rtcp as told");
    ok(has("c=IN IP6 2001:db8::1")
       && has("o=- 7001 1 IN IP6 2001:db8::1") && has("b=AS:88"), "IPv6");

    l = web_side(MH_SDP_ACTPASS);
    l.more[0] = "2001:db8::2";
    l.more[1] = "192.0.2.77";
    l.morec = 2;
    l.tcp_port = 443;
    l.tls_id = "portal1";
    parse(&a, ims_offer);
    memset(maps, 0, sizeof(maps));
    mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
    ok(has("a=candidate:2 1 udp 2130706175 2001:db8::2 31000 typ host"),
       "a candidate per address");
    ok(has("a=candidate:3 1 udp 2130705919 192.0.2.77 31000 typ host")
       && has("a=candidate:5 1 tcp 1520434943 2001:db8::2 443 typ host "
              "tcptype passive")
       && has("a=candidate:6 1 tcp 1520434687 192.0.2.77 443 typ host "
              "tcptype passive"), "and for TCP");
    ok(has("a=tls-id:portal1"), "tls-id in an offer");
}


int
main(void)
{
    test_audio();
    test_video();
    test_chromium();
    test_firefox();
    test_handset();
    test_reoffer();
    test_hold();
    test_late();
    test_policy();

    return done_testing();
}
