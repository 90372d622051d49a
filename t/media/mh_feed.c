/*
 * Copyright (C) the IMS portal authors
 *
 * What a media server does with RTCP (ME-10) and feedback of video (ME-11,
 * P27), and with what is odd in RTP: plays the proxy, a browser and an RTP
 * end, and prints TAP.
 *
 *     mh_feed -c SOCKET
 *
 * Nothing is proven by waiting in vain: behind what must not come out
 * something is sent that must, and then only that may have come.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "feed.h"
#include "result.h"


static void
test_translation(struct ng *ng)
{
    uint8_t         seq;
    struct call     c;
    struct rtcp     r;
    const uint8_t  *p;

    static const uint8_t  fir[8] = { 0x11, 0x11, 0, 1, 7, 0, 0, 0 };

    if (begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack pli\r\n"
              "a=rtcp-fb:97 ccm fir\r\n", "a=rtcp-fb:97 ccm fir\r\n")
        && ok(settle(&c), "video"))
    {
        /* its own request for BOB's first frames was one, too */

        p = ims_find(&c.video, FIR);
        seq = p ? p[16] : 0;
        ok(p != NULL && get32(p + 12) == BOB, "it asks by FIR");
        usleep(600000);

        r.len = 0;
        report(&r, RR, MARY, BOB, 0);
        add(&r, PLI, MARY, BOB, NULL, 0);
        up_rtcp(&c, &r);

        p = ims_find(&c.video, FIR);
        ok(p != NULL && p[16] == (uint8_t) (seq + 1),
           "PLI reaches a peer with FIR as that, with the next number");
        ok(p != NULL && get32(p + 4) == MARY && get32(p + 12) == BOB
           && find(PLI) == NULL, "in the name of who sent it");
    }

    end(&c);

    if (begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack pli\r\n",
              "a=rtcp-fb:97 nack pli\r\na=rtcp-fb:97 ccm fir\r\n")
        && ok(settle(&c), "video"))
    {
        usleep(600000);

        r.len = 0;
        report(&r, RR, BOB, MARY, 0);
        add(&r, FIR, BOB, 0, fir, 8);
        ims_put(&c.video, 1, r.p, r.len);
        p = web_find(&c, PLI);
        ok(p != NULL && get32(p + 4) == BOB && get32(p + 8) == MARY
           && find(FIR) == NULL, "FIR reaches a browser with PLI as that");

        r.len = 0;
        add(&r, PLI, MARY, BOB, NULL, 0);
        up_rtcp(&c, &r);

        p = ims_find(&c.video, PLI);
        ok(p != NULL && got.p[1] == RR && get32(p + 8) == BOB,
           "PLI of reduced size gets an RR before it");
    }

    end(&c);
}


static void
test_plain(struct ng *ng)
{
    int          n;
    struct call  c;
    struct rtcp  r;

    static const uint8_t  fci[8] = { 0x22, 0x22, 0, 1, 9, 9, 0, 0 };

    if (begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack\r\n"
              "a=rtcp-fb:97 nack pli\r\na=rtcp-fb:97 ccm fir\r\n", NULL)
        && ok(settle(&c), "video to a peer with plain AVP"))
    {
        ok(strstr(c.to_web.sdp, "a=rtcp-fb:97 nack\r\n") != NULL
           && strstr(c.to_web.sdp, "a=rtcp-fb:97 nack pli\r\n") != NULL
           && strstr(c.to_web.sdp, "a=rtcp-fb:97 ccm fir\r\n") != NULL,
           "the browser has its feedback all the same");

        r.len = 0;
        report(&r, RR, MARY, BOB, 0);
        add(&r, PLI, MARY, BOB, NULL, 0);
        add(&r, FIR, MARY, 0, fci, 8);
        add(&r, NACK, MARY, BOB, fci + 4, 4);
        add(&r, REMB, MARY, 0, "REMB\0\0\0\0", 8);
        add(&r, TWCC, MARY, BOB, fci, 8);
        add(&r, XR, MARY, 0, NULL, 0);
        up_rtcp(&c, &r);

        n = ims_next(&c.video);
        ok(n && got.len == 32 && got.p[1] == RR && get32(got.p + 8) == BOB,
           "of PLI, FIR, NACK, REMB, twcc and XR only the RR before it "
           "passes");

        r.len = 0;
        add(&r, PLI, MARY, BOB, NULL, 0);
        up_rtcp(&c, &r);
        r.len = 0;
        report(&r, RR, MARY, BOB, 0);
        up_rtcp(&c, &r);
        n = ims_next(&c.video);
        ok(n && got.len == 32, "feedback alone: nothing comes at all");

        ng_begin(ng, "query");
        ng_str(ng, "call-id", c.id);
        ok(ng_send(ng) == 1 && strstr(ng_get(ng, "tags"),
               "8:feedbackd16:key frames askedi1e10:translatedi0e"
               "8:absorbedi6e10:sent againi0e11:asked againi0ee") != NULL,
           "query counts it");
    }

    end(&c);
}


/* the helper asks for key frames itself */

static void
test_keys(struct ng *ng)
{
    const uint8_t  *p;
    struct call     c;

    if (begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack pli\r\n", NULL)) {
        ok(up(&c, MARY, 1, SLICE), "a first packet of video");
        p = web_find(&c, PLI);
        ok(p != NULL && get32(p + 8) == MARY, "a PLI comes back");
        usleep(600000);
        ok(up(&c, MARY, 2, SLICE) && web_find(&c, PLI) != NULL,
           "no key frame: another");
        usleep(600000);
        ok(up(&c, MARY, 3, IDR) && up(&c, MARY, 4, SLICE)
           && down(&c, BOB, 1, SLICE)
           && web_count(&c, &c.video, PLI) == 0, "a key frame: no more");

        ok(up(&c, MARY + 1, 9, SLICE), "a new source");
        p = web_find(&c, PLI);
        ok(p != NULL && get32(p + 8) == MARY + 1, "is asked, too");
        (void) up(&c, MARY + 1, 10, IDR);
        usleep(600000);

        ok(call_setup_again(&c, "actpass", "inactive", "passive") == 1
           && call_setup_again(&c, "actpass", "sendrecv", "passive") == 1,
           "hold and resume");
        ok(up(&c, MARY + 1, 11, SLICE) && web_find(&c, PLI) != NULL,
           "asked again");
    }

    end(&c);

    if (begin(&c, ng, IMS_OFFERS, "a=rtcp-fb:97 nack pli\r\n",
              "a=rtcp-fb:97 nack pli\r\n"))
    {
        ok(down(&c, BOB, 1, SLICE), "the IMS sends video");
        p = ims_next(&c.video) ? find(PLI) : NULL;
        ok(p != NULL && get32(p + 8) == BOB, "and is asked for a key frame");
    }

    end(&c);
}


/* an SRTP packet as it comes; @return its length, 0 without */

static size_t
web_raw(struct call *c, uint8_t *p)
{
    long           until;
    ssize_t        n;
    struct pollfd  pfd;

    until = now_ms() + WAIT_MS;

    do {
        pfd.fd = c->web.fd;
        pfd.events = POLLIN;

        if (poll(&pfd, 1, 100) == 1) {
            n = recv(pfd.fd, p, BROWSER_PACKET, 0);

            if (n > 12 && (p[1] & 0x7f) == 97) {
                return (size_t) n;
            }
        }
    } while (now_ms() < until);

    return 0;
}


static void
nack(struct call *c, uint16_t pid, uint16_t blp)
{
    uint8_t      fci[4];
    struct rtcp  r;

    fci[0] = (uint8_t) (pid >> 8);
    fci[1] = (uint8_t) pid;
    fci[2] = (uint8_t) (blp >> 8);
    fci[3] = (uint8_t) blp;

    r.len = 0;
    report(&r, RR, MARY, 0, 0);
    add(&r, NACK, MARY, BOB, fci, 4);
    up_rtcp(c, &r);
}


static void
test_buffer(struct ng *ng, const char *ims)
{
    int             good;
    size_t          n[12], m;
    uint8_t         p[256], q[BROWSER_PACKET];
    unsigned        i, out;
    struct call     c;
    const uint8_t  *f;

    static uint8_t  sent[12][BROWSER_PACKET];

    if (!begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack\r\n"
               "a=rtcp-fb:97 nack pli\r\n", ims)
        || !ok(settle(&c), "video"))
    {
        end(&c);
        return;
    }

    good = 1;

    /* the browser's end loses them: it never decrypts them */

    for (i = 0; i < 12; i++) {
        m = frame(p, BOB, (uint16_t) (65530 + i), SLICE);
        ims_put(&c.video, 0, p, m);
        n[i] = web_raw(&c, sent[i]);
        good = good && n[i] > m;
    }

    ok(good, "twelve packets, over the wrap");

    nack(&c, 65533, 0x0005);
    good = 1;

    for (i = 3; i < 7; i += (i == 3) ? 1 : 2) {
        m = web_raw(&c, q);
        good = good && m == n[i] && memcmp(q, sent[i], m) == 0;
    }

    ok(good, "the three that are asked for come again, to the bit");

    /* what nobody has kept */

    nack(&c, 30000, 1);
    nack(&c, 65531, 0);
    m = web_raw(&c, q);
    ok(m == n[1] && memcmp(q, sent[1], m) == 0, "of others nothing comes");

    if (ims != NULL) {
        f = ims_find(&c.video, NACK);
        ok(f != NULL && get32(f + 8) == BOB && f[3] == 3
           && get32(f + 12) == (30000u << 16 | 1),
           "they are asked for at the IMS");
    }

    /* a flood: four times each at most */

    for (i = 0; i < 500; i++) {
        nack(&c, 65530, 0);

        if (i % 100 == 50) {
            usleep(15000);
        }
    }

    m = frame(p, BOB, 6, SLICE);
    ims_put(&c.video, 0, p, m);

    for (out = 0; (m = web_raw(&c, q)) != 0; out++) {
        if (q[2] == 0 && q[3] == 6) {
            break;
        }
    }

    ok(m && out >= 1 && out <= 4, "a flood of NACKs: %u packets", out);

    end(&c);
}


/* @return 1 if that number is in the NACK */

static unsigned
wants(const uint8_t *p, uint16_t seq)
{
    unsigned  off, end, step;

    end = 4 * (((unsigned) p[2] << 8 | p[3]) + 1);

    for (off = 12; off < end; off += 4) {
        step = (uint16_t) (seq - (p[off] << 8 | p[off + 1]));

        if (step == 0 || (step <= 16
                          && (get32(p + off) >> (step - 1) & 1)))
        {
            return 1;
        }
    }

    return 0;
}


/* what got lost on its way from the browser */

static void
test_gaps(struct ng *ng)
{
    int             good;
    uint16_t        seq;
    unsigned        asked;
    struct call     c;
    const uint8_t  *f;

    if (!begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack\r\n"
               "a=rtcp-fb:97 nack pli\r\n", NULL)
        || !ok(settle(&c), "video"))
    {
        end(&c);
        return;
    }

    good = up(&c, MARY, 103, SLICE);
    usleep(20000);
    good = good && up(&c, MARY, 106, SLICE) && up(&c, MARY, 107, SLICE);
    usleep(20000);
    good = good && up(&c, MARY, 108, SLICE);

    for (asked = 0; asked != 7; /* void */ ) {
        f = web_find(&c, NACK);

        if (f == NULL || get32(f + 8) != MARY) {
            break;
        }

        asked |= wants(f, 102) | wants(f, 104) << 1 | wants(f, 105) << 2;
        good = good && !wants(f, 101) && !wants(f, 103) && !wants(f, 106);
    }

    ok(good && asked == 7, "102, 104 and 105 are asked for, no others");

    /* they come late, but come out */

    good = 1;

    for (seq = 102; seq < 106; seq++) {
        good = good && (seq == 103 || up(&c, MARY, seq, SLICE));
    }

    ok(good, "and pass when they come");

    (void) web_count(&c, &c.video, NACK);
    usleep(100000);
    ok(up(&c, MARY, 109, SLICE) && web_count(&c, &c.video, NACK) == 0,
       "then they are not asked for again");

    /* one that never comes: the peer cannot ask for a key frame, we do */

    good = 1;

    for (seq = 111; good && seq < 200; seq++) {
        good = up(&c, MARY, seq, SLICE);
        usleep(50000);

        if (browser_recv(&c.web, got.p, 1, 0) == 0) {
            continue;
        }

        got.len = 20;

        if (find(PLI) != NULL) {
            break;
        }
    }

    ok(good && seq < 200, "a picture that stays broken is asked for anew");

    end(&c);
}


static void
test_rate(struct ng *ng)
{
    const uint8_t  *p;
    struct call     c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);
    c.web.video = 1;
    c.web.video_fb = "a=rtcp-fb:97 nack pli\r\na=rtcp-fb:97 goog-remb\r\n";
    c.video_b = "b=AS:512\r\n";

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, WAIT_MS), "connected"))
    {
        ok(strstr(c.to_web.sdp, "a=rtcp-fb:97 goog-remb\r\n") != NULL
           && strstr(c.to_web.sdp, "b=AS:512\r\n") != NULL,
           "the browser is told of the IMS's limit");
        ok(up(&c, MARY, 1, IDR), "it sends video");
        p = web_find(&c, REMB);
        ok(p != NULL && memcmp(p + 12, "REMB", 4) == 0
           && get32(p + 20) == MARY
           && (get32(p + 16) & 0x3ffff) << (p[17] >> 2) == 512000,
           "REMB says 512 kbit/s");
        usleep(1100000);
        ok(up(&c, MARY, 2, IDR) && web_find(&c, REMB) != NULL,
           "once a second");
    }

    end(&c);

    call_init(&c, ng, "127.0.0.1", IMS_OFFERS, ALL_PROFILES);
    c.web.video = 1;
    c.web.video_fb = "a=rtcp-fb:97 nack pli\r\na=rtcp-fb:97 ccm tmmbr\r\n";
    c.video_b = "b=TIAS:300000\r\n";

    if (ok(call_setup(&c, "active", "passive") == 1
           && browser_connect(&c.web, WAIT_MS), "connected"))
    {
        ok(strstr(c.to_web.sdp, " goog-remb\r\n") != NULL
           && strstr(c.to_web.sdp, " ccm tmmbr\r\n") != NULL,
           "an offer has both words for a limit");
        (void) up(&c, MARY, 1, IDR);
        p = web_find(&c, TMMBR);
        ok(p != NULL && get32(p + 12) == MARY
           && (get32(p + 16) >> 9 & 0x1ffff) << (p[16] >> 2) >= 299990
           && (get32(p + 16) >> 9 & 0x1ffff) << (p[16] >> 2) <= 300000,
           "TMMBR says 300 kbit/s");
    }

    end(&c);

    /* no limit of the IMS's: that of option -B */

    if (begin(&c, ng, IMS_OFFERS, "a=rtcp-fb:97 goog-remb\r\n", NULL)) {
        ok(strstr(c.to_web.sdp, "b=AS:4000\r\n") != NULL,
           "the browser is told of our own limit");
        (void) up(&c, MARY, 1, IDR);
        p = web_find(&c, REMB);
        ok(p != NULL && (get32(p + 16) & 0x3ffff) << (p[17] >> 2) == 4000000,
           "REMB says 4 Mbit/s");
    }

    end(&c);
}


/* one compound about audio and video */

static void
test_split(struct ng *ng)
{
    uint8_t         voice[172] = { 0x80, 8, 0, 1 }, q[BROWSER_PACKET];
    struct call     c;
    struct rtcp     r;
    const uint8_t  *p;

    static const uint8_t  names[16] = { 1, 2, 'm', 'a', 0, 0, 0, 0,
                                        0x11, 0x11, 0, 1, 1, 1, 'v', 0 };

    if (!begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack pli\r\n",
               "a=rtcp-fb:97 nack pli\r\n"))
    {
        end(&c);
        return;
    }

    put32(voice + 8, VOICE);
    (void) browser_send(&c.web, voice, sizeof(voice));
    ok(ims_get(&c.ims, 0, q, WAIT_MS) == sizeof(voice), "audio goes up");
    put32(voice + 8, BOBS_VOICE);
    ims_put(&c.ims, 0, voice, sizeof(voice));
    ok(browser_recv(&c.web, q, 0, WAIT_MS) == sizeof(voice), "and down");
    ok(settle(&c), "and video");

    while (ims_get(&c.video, 1, q, 100) != 0) { /* void */ }

    r.len = 0;
    report(&r, SR, VOICE, BOBS_VOICE, BOB);
    add(&r, SDES, VOICE, 0, names, 16);
    r.p[r.len - 24] = 0x82;
    add(&r, PLI, VOICE, BOB, NULL, 0);
    up_rtcp(&c, &r);

    ok(ims_next(&c.ims) && got.p[1] == SR && get32(got.p + 4) == VOICE
       && (got.p[0] & 0x1f) == 1 && get32(got.p + 28) == BOBS_VOICE
       && (p = find(SDES)) != NULL && (p[0] & 0x1f) == 1
       && get32(p + 4) == VOICE && find(PLI) == NULL,
       "the audio's port gets its SR, block and name");

    do {
        p = ims_next(&c.video) ? find(RR) : NULL;
    } while (got.len && (p == NULL || get32(got.p + 4) != VOICE));

    ok(p != NULL && (p[0] & 0x1f) == 1 && get32(p + 8) == BOB
       && find(SR) == NULL && find(PLI) != NULL
       && (p = find(SDES)) != NULL,
       "the video's port an RR with its block, its name and the PLI");

    r.len = 0;
    report(&r, RR, MARY, 0, 0);
    add(&r, BYE, MARY, 0, NULL, 0);
    r.p[r.len - 8] = 0x81;
    up_rtcp(&c, &r);

    p = ims_find(&c.video, BYE);
    ok(p != NULL && get32(p + 4) == MARY, "a BYE goes where its source is");

    end(&c);
}


/* each compound once cut or bent, then a good one: that alone comes out */

static void
test_malformed(struct ng *ng)
{
    int             good;
    size_t          i, n;
    uint8_t         p[256], q[BROWSER_PACKET];
    struct call     c;
    struct rtcp     r;
    const uint8_t  *f;

    if (!begin(&c, ng, BROWSER_OFFERS, "a=rtcp-fb:97 nack pli\r\n", NULL)
        || !ok(settle(&c), "video"))
    {
        end(&c);
        return;
    }

    r.len = 0;
    report(&r, SR, BOB, MARY, 0);
    add(&r, SDES, BOB, 0, "\1\3bob\0\0\0", 8);
    r.p[r.len - 16] = 0x81;
    n = r.len;

    for (i = 1; i < n; i++) {
        if (i != 52) {
            ims_put(&c.video, 1, r.p, i);
        }
    }

    for (i = 0; i < 4; i++) {
        memcpy(p, r.p, n);

        switch (i) {
        case 0: p[0] = 0x41; break;             /* version */
        case 1: p[0] = 0x9f; break;             /* count */
        case 2: p[0] |= 0x20; break;            /* padding in the first */
        case 3: p[3]++; break;                  /* length */
        }

        ims_put(&c.video, 1, p, n);
    }

    ims_put(&c.video, 1, r.p, n);
    ok(web_next(&c) && got.len == n && memcmp(got.p, r.p, n) == 0,
       "down: of 70 compounds cut or bent only the whole one passes");

    r.len = 0;
    report(&r, SR, MARY, BOB, 0);
    n = r.len;

    for (i = 8; i < n; i++) {
        (void) browser_send_rtcp(&c.web, r.p, i);
    }

    up_rtcp(&c, &r);
    good = ims_next(&c.video);
    ok(good && got.len == n && memcmp(got.p, r.p, n) == 0, "up, too");

    /* on the RTP port, as a peer that muxes sends it (RFC 5761) */

    r.len = 0;
    report(&r, SR, BOB, MARY, 0);
    ims_put(&c.video, 0, r.p, r.len);
    f = web_find(&c, SR);
    ok(f != NULL && get32(f + 4) == BOB, "RTCP on the RTP port passes");

    ok(down(&c, BOB, 202, IDR), "and media goes on");

    /* a peer that never sends RTCP: nothing is missing */

    ok(up(&c, MARY, 102, IDR) && ims_get(&c.video, 0, q, 0) == 0,
       "nor does more come out than went in");

    end(&c);
}


int
main(int argc, char **argv)
{
    struct ng  ng;

    if (argc != 3 || strcmp(argv[1], "-c") != 0
        || srtp_init() != srtp_err_status_ok || ng_open(&ng, argv[2]) != 0)
    {
        fprintf(stderr, "usage: mh_feed -c SOCKET\n");
        return 2;
    }

    ng_spec = argv[2];

    test_translation(&ng);
    test_plain(&ng);
    test_keys(&ng);
    test_buffer(&ng, NULL);
    test_buffer(&ng, "a=rtcp-fb:97 nack\r\na=rtcp-fb:97 nack pli\r\n");
    test_gaps(&ng);
    test_rate(&ng);
    test_split(&ng);
    test_malformed(&ng);
    test_tones(&ng);
    test_headers(&ng);
    test_sources(&ng);
    test_quality(&ng);

    ng_close(&ng);

    return done_testing();
}
