
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Keys and flags of ng requests: what is read of them, in each form, and that
 * nothing odd in them is read beyond its end.
 */


#include <stdio.h>
#include <string.h>

#include "tap.h"
#include "mh_cmd_keys.h"


static struct mh_signal   sig;
static ngx_ims_ng_node_t  nodes[NGX_IMS_NG_NODES];


/* reads a dictionary; it has to be valid */

static int
keys(const char *text)
{
    size_t  used;

    if (ngx_ims_ng_parse((const u_char *) text, strlen(text), nodes,
                         NGX_IMS_NG_NODES, &used) != NGX_IMS_NG_OK
        || used != strlen(text))
    {
        diag("no dictionary: %s", text);
        return 0;
    }

    mh_cmd_keys(nodes, &sig);

    return 1;
}


/* the same with one string as "rtpp-flags", at the end of a page */

static void
flat(const char *text, size_t len)
{
    static u_char         dict[1024];
    int                   n;
    unsigned char        *copy;
    size_t                used;

    n = snprintf((char *) dict, sizeof(dict), "d10:rtpp-flags%zu:", len);
    memcpy(dict + n, text, len);
    dict[n + len] = 'e';

    if (ngx_ims_ng_parse(dict, (size_t) n + len + 1, nodes,
                         NGX_IMS_NG_NODES, &used) != NGX_IMS_NG_OK)
    {
        diag("no dictionary");
        return;
    }

    copy = guarded_copy(text, len);
    nodes[2].data = copy;
    mh_cmd_keys(nodes, &sig);
    guarded_free(copy, len);
}


static int
is_pl(const struct pl *pl, const char *text)
{
    return pl->l == strlen(text) && memcmp(pl->p, text, pl->l) == 0;
}


static void
test_forms(void)
{
    ok(keys("de") && sig.from == -1 && sig.tos == -1 && sig.limit == -1
       && sig.delete_delay == -1 && sig.warning == NULL && !sig.no_sdes
       && sig.suites == MH_SDES_ALL, "what an empty request means");

    ok(keys("d3:TOSi184e12:delete delay2:305:limiti7ee")
       && sig.tos == 184 && sig.delete_delay == 30 && sig.limit == 7,
       "numbers, as such and as strings");
    ok(keys("d3:TOSi256e12:delete_delayi-1e5:limit1:xe")
       && sig.tos == -1 && sig.delete_delay == -1 && sig.limit == -1,
       "and what is none");

    ok(keys("d7:CALL-ID1:c8:From_Tag1:a6:to tag1:b10:via branch1:ve")
       && is_pl(&sig.call_id, "c") && is_pl(&sig.from_tag, "a")
       && is_pl(&sig.to_tag, "b") && is_pl(&sig.via_branch, "v")
       && !sig.match_to_tag, "tags");

    ok(keys("d5:flagsl6:to-tag5:FATAL4:fast3:all8:fragmentee")
       && sig.match_to_tag && sig.fatal && sig.fast && sig.all
       && sig.fragment, "flags");
    ok(keys("d5:flags4:faste") && sig.fast, "one flag without a list");

    ok(keys("d8:from-tag1:a10:rtpp-flags21:from-tag=x to-tag=y ae")
       && is_pl(&sig.from_tag, "x") && is_pl(&sig.to_tag, "y")
       && sig.match_to_tag, "tags in rtpp-flags come first");
    ok(keys("d10:rtpp-flags10:from-tag=x8:from-tag1:ae")
       && is_pl(&sig.from_tag, "x"), "whatever the order");
    ok(keys("d10:rtpp-flags23:call-id=x sdp=y a-b c=de")
       && sig.call_id.l == 0 && sig.sdp.l == 0,
       "but neither call-id nor sdp");
}


static void
test_lists(void)
{
    static const char  many[] = "codec=[strip=[a b c d e f g h i j k l m n o "
                                "p q r s t] offer=[x y]] fast";

    flat(many, sizeof(many) - 1);
    ok(sig.stripc == MH_SDP_MAX_CODEC_RULES && sig.offerc == 2 && sig.fast,
       "lists of codecs have an end");

    ok(keys("d5:codecd5:stripl4:opus9:G722/8000e6:exceptl4:PCMAeee")
       && sig.stripc == 2 && is_pl(&sig.strip[1], "G722/8000")
       && sig.offerc == 1, "a dictionary");
    ok(keys("d5:codecd5:strip4:opusee") && sig.stripc == 1,
       "a string in place of a list");
    ok(keys("d5:codecd5:stripd1:al1:beee5:flagsl12:codec-strip-ee")
       && sig.stripc == 0, "nor is nonsense a codec");
    ok(keys("d4:SDESl7:only-XX4:no-Yee") && sig.suites == MH_SDES_ALL,
       "unknown suites");
    ok(keys("d4:SDESl28:only-AES_CM_128_HMAC_SHA1_803:padee")
       && sig.sdes_pad && sig.suites == sig.sdes_offer
       && sig.suites != MH_SDES_ALL, "SDES as a list");
    ok(keys("d5:flagsl8:SDES-off31:SDES-no-AES_CM_128_HMAC_SHA1_80ee")
       && sig.no_sdes && sig.suites != MH_SDES_ALL, "SDES as flags");

    ok(keys("d13:received-froml3:IP49:192.0.2.1ee")
       && is_pl(&sig.received, "192.0.2.1") && !sig.source_address,
       "received-from");
    ok(keys("d13:media-address9:192.0.2.1e")
       && is_pl(&sig.media_address, "192.0.2.1"), "media-address");
    ok(keys("d13:media-address4:hoste") && sig.media_address.l == 0
       && sig.warning != NULL, "which is no name");
}


static void
test_side(void)
{
    unsigned  i;

    static const struct {
        const char  *text;
        int          from;
        bool         certain;
    }  rows[] = {
        { "direction=web direction=ims", MH_SDP_WEB, true },
        { "direction=ims direction=web", MH_SDP_IMS, true },
        { "direction=[ims web]", MH_SDP_IMS, true },
        { "direction=[x web]", MH_SDP_IMS, true },
        { "direction=[x y]", -1, false },
        { "RTP/AVP", MH_SDP_WEB, false },
        { "RTP/SAVPF", MH_SDP_IMS, false },
        { "UDP/TLS/RTP/SAVP", MH_SDP_IMS, false },
        { "transport-protocol=udp/tls/rtp/savpf", MH_SDP_IMS, false },
        { "transport-protocol=accept", -1, false },
        { "RTP/SAVP transport-protocol=accept", MH_SDP_IMS, false },
        { "ICE=force", MH_SDP_IMS, false },
        { "ICE=remove", MH_SDP_WEB, false },
        { "ICE=default", -1, false },
        { "ICE=force RTP/AVP", MH_SDP_WEB, false },
        { "WebRTC ICE=remove", MH_SDP_WEB, false },
        { "WebRTC", MH_SDP_IMS, false },
        { "WebRTC direction=web", MH_SDP_WEB, true },
        { "SRTP AVPF", MH_SDP_IMS, false },
        { "RTP AVPF", MH_SDP_WEB, false },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        flat(rows[i].text, strlen(rows[i].text));
        ok(sig.from == rows[i].from && sig.certain == rows[i].certain, "%s",
           rows[i].text);
    }

    flat("RTP/SAVPF", 9);
    ok(sig.savp && sig.avpf && sig.feedback, "SDES with feedback");
    flat("RTP/AVP", 7);
    ok(!sig.savp && !sig.avpf && !sig.feedback, "no feedback");
    flat("UDP/TLS/RTP/SAVP", 16);
    ok(!sig.savp, "DTLS is no SDES");
}


/* what changes how a call goes on */

static void
test_flags(void)
{
    static const char  words[] =
        "bundle=[accept strict] replace-force-increment-sdp-ver OSRTP-offer "
        "reset media-handover no-tls-id rtcp-mux-require ICE-lite=off";

    flat(words, sizeof(words) - 1);
    ok(sig.bundle_only && sig.bundle_zero && sig.raise && sig.osrtp
       && sig.reset && sig.handover && sig.no_tls_id && sig.mux_offer
       && sig.mux_require && sig.warning != NULL, "in one string");

    ok(keys("d5:flagsl14:bundle-require9:OSRTP-RFC14:rtcp-mux-offeree")
       && sig.bundle_only && !sig.bundle_zero && !sig.osrtp && sig.mux_offer
       && !sig.mux_require && sig.warning == NULL, "as flags, the others");

    ok(keys("d17:endpoint-learning0:13:media-address0:16:DTLS-fingerprint0:"
            "9:transcode0:4:code0:e")
       && !sig.learn && sig.warning == NULL && sig.tone.code > 15,
       "what is empty says nothing");
}


static void
test_tone(void)
{
    ok(keys("d4:code1:*e") && sig.tone.code == 10 && sig.tone.volume == 8
       && sig.tone.duration == 250 && sig.tone.pause == 100, "a tone");
    ok(keys("d5:digiti15e6:volumei-70e8:durationi99e5:pausei100000ee")
       && sig.tone.code == 15 && sig.tone.volume == 63
       && sig.tone.duration == 100 && sig.tone.pause == 5000, "in range");
    ok(keys("d4:code2:01e"), "a number");
    is_int(sig.tone.code, 1, "with a zero before it");
    ok(keys("d4:code2:16e") && sig.tone.code > 15, "not 16");
    ok(keys("d4:code1:Ee") && sig.tone.code > 15, "nor E");
    ok(keys("d4:code1:d8:duration1:0e") && sig.tone.code == 15
       && sig.tone.duration == 250, "0 is the default");
}


/* each beginning of a string, and strings in which octets are others */

static void
test_odd(void)
{
    size_t    i, n, len;
    char      text[256];
    uint32_t  seed;

    static const char  words[] =
        "replace-origin via-branch=auto-next strict-source label=callee "
        "OSRTP=[accept] codec=[transcode=[PCMA PCMU] accept=[AMR-WB AMR] "
        "strip=[EVS]] direction=[web ims] SDES-only-AES_CM_128_HMAC_SHA1_80 "
        "rtcp-mux=[offer require] TOS=184";
    static const char  odd[] = "[]= -_/\t\n\r\0\377a=[";

    len = sizeof(words) - 1;

    for (n = 0; n <= len; n++) {
        flat(words, n);
    }

    ok(sig.mux_offer && sig.tos == 184 && sig.stripc == 1,
       "each beginning of a string is read within it");

    for (seed = 1, i = 0; i < 20000; i++) {
        memcpy(text, words, len);

        for (n = 0; n < 6; n++) {
            seed = seed * 1664525 + 1013904223;
            text[(seed >> 8) % len] = odd[(seed >> 24) % (sizeof(odd) - 1)];
        }

        seed = seed * 1664525 + 1013904223;
        flat(text, (seed >> 8) % len);
    }

    ok(sig.stripc <= MH_SDP_MAX_CODEC_RULES
       && sig.offerc <= MH_SDP_MAX_CODEC_RULES, "and so is nonsense");
}


int
main(void)
{
    test_forms();
    test_lists();
    test_side();
    test_flags();
    test_tone();
    test_odd();

    return done_testing();
}
