
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * SDP that must be refused, or survived: malformed, insecure, hostile, cut
 * anywhere, and written into too little room.
 */


#include <errno.h>

#include "tap.h"
#include "mh_sdp.h"
#include "sdp_samples.h"
#include "sdp_calls.h"


static void
test_refused(void)
{
    unsigned            i;
    static const struct {
        int             err;
        const char     *name;
        const char     *text;
    }  refused[] = {
        { EBADMSG, "no SDP", "hello" },
        { ENODATA, "nothing", "" },
        { EBADMSG, "not v=0", "v=1\r\n" },
        { EBADMSG, "o= first", "o=- 1 1 IN IP4 1.2.3.4\r\nv=0\r\n" },
        { EBADMSG, "o= too short", "v=0\r\no=- 1 1 IN IP4\r\n" },
        { EBADMSG, "v= twice", "v=0\r\nv=0\r\n" },
        { ENODATA, "no o=", "v=0\r\ns=-\r\nc=IN IP4 1.2.3.4\r\n"
                            "m=audio 1 RTP/AVP 0\r\n" },
        { ENODATA, "no m=", WEB_HEAD },
        { ENODATA, "no c=", WEB_HEAD "m=audio 4000 RTP/AVP 0\r\n" },
        { EBADMSG, "empty line within", "v=0\r\n\r\ns=-\r\n" },
        { EBADMSG, "bare CR", WEB_HEAD "c=IN IP4 1.2.3.4\r\n"
                              "m=audio 1 RTP/AVP 0\r\na=ptime:20\ra=x\r\n" },
        { EBADMSG, "port 65536", WEB_HEAD "m=audio 65536 RTP/AVP 0\r\n" },
        { EBADMSG, "port -1", WEB_HEAD "m=audio -1 RTP/AVP 0\r\n" },
        { EBADMSG, "huge port", WEB_HEAD "m=audio 99999999999999999999999 "
                                "RTP/AVP 0\r\n" },
        { EBADMSG, "format 128", WEB_HEAD "m=audio 1 RTP/AVP 128\r\n" },
        { EBADMSG, "no formats", WEB_HEAD "m=audio 1 RTP/AVP\r\n" },
        { EBADMSG, "c= cut", WEB_HEAD "c=IN IP4\r\n" },
        { EBADMSG, "short ufrag", WEB_HEAD "a=ice-ufrag:abc\r\n" },
        { EBADMSG, "short pwd", WEB_HEAD "a=ice-pwd:0123456789\r\n" },
        { EBADMSG, "bad fingerprint", WEB_HEAD
                                "a=fingerprint:sha-256 AB:CG\r\n" },
        { EBADMSG, "bad setup", WEB_HEAD "a=setup:maybe\r\n" },
        { EBADMSG, "mid of 32", WEB_HEAD "m=audio 0 RTP/AVP 0\r\na=mid:"
                                "01234567890123456789012345678901\r\n" }
    };

    /* SD-7 */

    static const struct {
        int             err;
        const char     *name;
        const char     *text;
    }  insecure[] = {
        { EKEYREJECTED, "no fingerprint", WEB_HEAD
          "m=audio 9 RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n"
          "a=ice-pwd:0123456789abcdefghijklmn\r\n" },
        { ENOKEY, "no ICE", WEB_HEAD
          "m=audio 9 UDP/TLS/RTP/SAVP 0\r\nc=IN IP4 0.0.0.0\r\n"
          "a=fingerprint:sha-256 AB:CD\r\n" },
        { ENOKEY, "no pwd", WEB_HEAD
          "m=audio 9 RTP/SAVP 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n"
          "a=fingerprint:SHA-512 AB:CD\r\n" },
        { EKEYREJECTED, "a weak fingerprint", WEB_HEAD
          "m=audio 9 RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n"
          "a=ice-pwd:0123456789abcdefghijklmn\r\n"
          "a=fingerprint:sha-1 AB:CD\r\n" },
        { EPROTONOSUPPORT, "plain RTP", WEB_HEAD
          "m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n" },
        { EPROTONOSUPPORT, "ice-lite", WEB_HEAD "a=ice-lite\r\n" WEB_AUDIO },
        { 0, "a refused line needs nothing", WEB_HEAD
          "m=audio 0 RTP/AVP 0\r\n" }
    };

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        is_int(parse(&a, refused[i].text), refused[i].err, refused[i].name);
    }

    for (i = 0; i < sizeof(insecure) / sizeof(insecure[0]); i++) {
        ok(parse(&a, insecure[i].text) == 0
           && mh_sdp_check_web(&a) == insecure[i].err, "%s",
           insecure[i].name);
    }

    ok(strcmp(mh_sdp_error(EBADMSG), "Failed to parse SDP") == 0
       && strcmp(mh_sdp_error(ENODATA), "Incomplete SDP specification") == 0
       && strcmp(mh_sdp_error(EOVERFLOW), "Error rewriting SDP") == 0,
       "texts of ng");
}


static void
test_hostile(void)
{
    char    *text;
    size_t   n, i;

    text = malloc(200000);

    n = sizeof(WEB_OFFER) - 1;
    memcpy(text, WEB_OFFER, n);
    text[n - 20] = '\0';
    is_int(mh_sdp_parse(&a, text, n), EBADMSG, "a NUL byte");

    n = (size_t) sprintf(text, "%s", WEB_HEAD);

    for (i = 0; i < 10000; i++) {
        n += (size_t) sprintf(text + n, "a=x\r\n");
    }

    is_int(mh_sdp_parse(&a, text, n), EBADMSG, "10,000 lines");

    memset(text, 'x', 70000);
    memcpy(text, "v=0\r\ns=", 7);
    is_int(mh_sdp_parse(&a, text, 70000), EBADMSG, "more than 64 KiB");

    n = (size_t) sprintf(text, WEB_HEAD "c=IN IP4 192.0.2.1\r\n");

    for (i = 0; i < 257; i++) {
        n += (size_t) sprintf(text + n, "m=audio 4000 RTP/AVP 0\r\n");
    }

    is_int(mh_sdp_parse(&a, text, n), EBADMSG, "257 m-lines");
    ok(mh_sdp_parse(&a, text, n - 24) == 0 && a.mediac == 16
       && a.surplusc == 240, "256 m-lines, 16 of use");
    ok(mh_sdp_parse(&a, text, n - 241 * 24) == 0 && a.surplusc == 0,
       "16 m-lines");

    n = (size_t) (n - 240 * 24);

    ok(mh_sdp_parse(&a, text, n) == 0 && a.surplusc == 1
       && a.surplus.l == 22 && memcmp(a.surplus.p, "m=audio 4000", 12) == 0,
       "17 m-lines");
    memcpy(text + n - 22, "m=audio 4000RTP/AVP    ", 22);
    is_int(mh_sdp_parse(&a, text, n), EBADMSG, "the 17th is malformed");
    memcpy(text + n - 22, "m=audio 4000 RTP/A\1VP 0", 22);
    is_int(mh_sdp_parse(&a, text, n), EBADMSG, "or no text");

    n = (size_t) sprintf(text, WEB_HEAD "c=IN IP4 192.0.2.1\r\n");

    for (i = 0; i < 3; i++) {
        size_t  pt;

        n += (size_t) sprintf(text + n, "m=audio 4000 RTP/AVP");

        for (pt = 0; pt < 128; pt++) {
            n += (size_t) sprintf(text + n, " %zu", pt);
        }

        n += (size_t) sprintf(text + n, "\r\n");
    }

    is_int(mh_sdp_parse(&a, text, n), EBADMSG, "384 formats");

    /* every number means telephone-event, which says nothing new */

    n = (size_t) sprintf(text, WEB_HEAD "c=IN IP4 192.0.2.1\r\n"
                         "m=audio 4000 RTP/AVP 8");

    for (i = 20; i < 128; i++) {
        n += (size_t) sprintf(text + n, " %zu", i);
    }

    n += (size_t) sprintf(text + n, "\r\n");

    for (i = 20; i < 128; i++) {
        n += (size_t) sprintf(text + n,
                              "a=rtpmap:%zu telephone-event/8000\r\n", i);
    }

    text[n] = '\0';
    is_int(offer_down(text), 0, "100 formats of one codec");
    ok(has("m=audio 31000 UDP/TLS/RTP/SAVPF 8 20"), "are one");

    is_int(offer_up(WEB_HEAD "a=group:BUNDLE 0\r\n" WEB_AUDIO
                    "a=rtpmap:8 PCMA/99999999999\r\n"
                    "a=rtpmap:777777777777 x/1\r\n"
                    "a=fmtp:\r\na=fmtp:8\r\na=rtpmap:\r\na=rtcp-fb:\r\n"
                    "a=:\r\na=candidate:\r\na=extmap:\r\na=group:\r\n"
                    "b=AS:99999999999999999999\r\nb=:\r\n"), 0,
           "empty values, huge numbers");
    ok(has("m=audio 30000 RTP/AVP 0 8 126"), "change nothing");

    free(text);
}


/* whatever is left of an offer, it is read and written within bounds */

static void
test_truncations(const char *name, const char *text)
{
    int                  bad;
    size_t               i, len;
    unsigned char       *copy;
    struct mh_sdp_local  ims, web;

    ims = ims_side();
    web = web_side(MH_SDP_ACTPASS);
    len = strlen(text);

    for (bad = 0, i = 0; i <= len; i++) {
        copy = guarded_copy(text, i);

        if (mh_sdp_parse(&a, (char *) copy, i) == 0) {
            memset(maps, 0, sizeof(maps));
            bad += mh_sdp_offer(out, sizeof(out), &outn, &a, &ims, maps) != 0;
            bad += mh_sdp_answer(out, sizeof(out), &outn, &a, &a, &web, maps)
                   != 0;
            memset(maps, 0, sizeof(maps));
            bad += mh_sdp_offer(out, sizeof(out), &outn, &a, &web, maps) != 0;
            bad += mh_sdp_answer(out, sizeof(out), &outn, &a, &a, &ims, maps)
                   != 0;
        }

        guarded_free(copy, i);
    }

    is_int(bad, 0, name);
}


/* a buffer that is too small is noticed at every size, and not left */

static void
test_overflow(void)
{
    int                  bad;
    size_t               i, full;
    unsigned char       *copy;
    struct mh_sdp_local  l;

    offer_up(chromium_offer);
    full = outn;
    l = ims_side();

    for (bad = 0, i = 0; i <= full; i++) {
        copy = guarded_copy(out, i);
        bad += mh_sdp_offer((char *) copy, i, &outn, &a, &l, maps)
               != EOVERFLOW;
        guarded_free(copy, i);
    }

    is_int(bad, 0, "every buffer that is too small");
    copy = guarded_copy(out, full + 1);
    is_int(mh_sdp_offer((char *) copy, full + 1, &outn, &a, &l, maps), 0,
           "the smallest that is not");
    guarded_free(copy, full + 1);
}


static void
test_fingerprint(void)
{
    size_t                     n;
    uint8_t                    bytes[64];
    struct mh_sdp_fingerprint  fp;

    parse(&a, WEB_OFFER);
    is_int(mh_sdp_fingerprint_bytes(&a.media[0].fingerprints[0], bytes,
                                    sizeof(bytes), &n), 0, "a fingerprint");
    ok(n == 32 && bytes[0] == 0x19 && bytes[31] == 0xa2, "in bytes");
    is_int(mh_sdp_fingerprint_bytes(&a.media[0].fingerprints[0], bytes, 31,
                                    &n), EBADMSG, "no room");
    fp = a.media[0].fingerprints[0];
    fp.value.l--;
    is_int(mh_sdp_fingerprint_bytes(&fp, bytes, 64, &n), EBADMSG, "half");
    fp.value.l = 0;
    is_int(mh_sdp_fingerprint_bytes(&fp, bytes, 64, &n), EBADMSG, "empty");
}


int
main(void)
{
    test_refused();
    test_hostile();
    test_truncations("truncations: Chromium", chromium_offer);
    test_truncations("truncations: Firefox", firefox_offer);
    test_truncations("truncations: handset", ims_offer);
    test_truncations("truncations: max-bundle", WEB_OFFER_AV WEB_DATA);
    test_overflow();
    test_fingerprint();

    return done_testing();
}
