/*
 * Copyright (C) the IMS portal authors
 *
 * Browsers that bundle all, some or none of their m-lines (SD-9, RFC 9143);
 * see cases.h.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "check.h"
#include "result.h"


/* a call with video; second is what that comes over, or NULL */

static void
init(struct call *c, struct ng *ng, const char *addr, int offers,
    struct browser *second, int group)
{
    call_init(c, ng, addr, offers, ALL_PROFILES);
    c->web.video = 1;
    c->web.group = group;

    if (second == NULL) {
        return;
    }

    if (browser_open(second, addr, ALL_PROFILES) != 0) {
        fprintf(stderr, "no browser\n");
        exit(2);
    }

    c->web.second = second;
}


/* ICE and DTLS of the video line, with the role that the audio has */

static int
connect_second(struct call *c, struct browser *second)
{
    const char  *video;

    video = strstr(c->to_web.sdp, "m=video ");

    if (video == NULL || browser_remote(second, video) != 0) {
        return 0;
    }

    second->active = c->web.active;

    return browser_connect(second, 5000);
}


/* whether each m-line of two descriptions has the same ufrag */

static int
same_ufrags(const char *a, const char *b)
{
    size_t  n;

    for ( ;; ) {
        a = strstr(a, "a=ice-ufrag:");
        b = strstr(b, "a=ice-ufrag:");

        if (a == NULL || b == NULL) {
            return a == NULL && b == NULL;
        }

        n = strcspn(a, "\r\n");

        if (strncmp(a, b, n + 1) != 0) {
            return 0;
        }

        a += n;
        b += n;
    }
}


static int
pass_second(struct call *c, struct browser *second, int direction,
    uint16_t seq)
{
    int             same;
    struct browser  first;

    first = c->web;
    c->web = *second;
    same = pass_video(c, direction, 97, 97, seq);
    *second = c->web;
    c->web = first;

    return same;
}


/* packets that share a way say which m-line they belong to, RFC 9143 15 */

static int
named(const struct browser *b, const char *mid)
{
    if (strcmp(b->whose, mid) == 0) {
        return 1;
    }

    printf("# a packet of \"%s\", not \"%s\"\n", b->whose, mid);

    return 0;
}


static int
pass_all(struct call *c, struct browser *second, uint16_t seq)
{
    return pass_up(c, 1, 8, seq, 160) && pass_down(c, 2, 8, seq, 160)
           && named(&c->web, second ? "" : "0")
           && (second ? pass_second(c, second, UP, seq)
                        && pass_second(c, second, DOWN, seq)
                        && named(second, "")
                      : pass_video(c, UP, 97, 97, seq)
                        && pass_video(c, DOWN, 97, 97, seq)
                        && named(&c->web, "1"));
}


static unsigned
count(const char *sdp, const char *what)
{
    unsigned  n;

    for (n = 0; (sdp = strstr(sdp, what)) != NULL; n++) {
        sdp++;
    }

    return n;
}


static void
end(struct call *c, struct browser *second)
{
    ok(call_delete(c) == 1 && port_free(c->addr, c->ims.port)
       && port_free(c->addr, c->video.port), "deleted, the ports are free");
    call_close(c);

    if (second != NULL) {
        browser_close(second);
    }
}


/* no a=group at all: as old browsers, and applications that strip it */

void
test_bundle_none(struct ng *ng, const char *addr)
{
    char            ufrag[2][260];
    struct call     c;
    struct browser  video;

    init(&c, ng, addr, BROWSER_OFFERS, &video, GROUP_NONE);

    ok(call_setup(&c, "actpass", "passive") == 1
       && strstr(c.to_web.sdp, "a=group") == NULL
       && count(c.to_web.sdp, "a=ice-ufrag:") == 2
       && count(c.to_web.sdp, "a=fingerprint:") == 2,
       "without a group each m-line has ICE and DTLS");

    ok(browser_connect(&c.web, 5000) && connect_second(&c, &video)
       && strcmp(c.web.peer_ufrag, video.peer_ufrag) != 0
       && memcmp(&c.web.peer, &video.peer, c.web.len) == 0,
       "both connect to the one port, each with its own ufrag");
    ok(pass_all(&c, &video, 1), "and have their media");

    (void) snprintf(ufrag[0], sizeof(ufrag[0]), "%s", c.web.peer_ufrag);
    (void) snprintf(ufrag[1], sizeof(ufrag[1]), "%s", video.peer_ufrag);
    browser_restart(&video);

    ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
       && strcmp(ufrag[0], c.web.peer_ufrag) == 0
       && strstr(strstr(c.to_web.sdp, "m=video "), ufrag[1]) == NULL,
       "an ICE restart of one is none of the other");
    ok(pass_all(&c, &video, 2) && connect_second(&c, &video)
       && pass_all(&c, &video, 3), "media goes on, before and after it");

    end(&c, &video);
}


/* RFC 9143 7.3.3: the answerer may take an m-line out */

void
test_bundle_taken_out(struct ng *ng, const char *addr)
{
    struct call     c;
    struct browser  video;

    init(&c, ng, addr, IMS_OFFERS, &video, GROUP_FIRST);

    ok(call_offer(&c, "actpass", "sendrecv") == 1
       && strstr(c.to_web.sdp, "a=group:BUNDLE 0 1\r\n") != NULL
       && count(c.to_web.sdp, "a=ice-ufrag:") == 2,
       "a first offer bundles, but each m-line could go alone");
    ok(call_remote(&c, WEB) == 0
       && call_answer(&c, "8 101", "sendrecv", "active") == 1
       && call_remote(&c, IMS) == 0, "the answer takes video out");
    ok(browser_connect(&c.web, 5000) && connect_second(&c, &video)
       && pass_all(&c, &video, 1), "both have their media");

    ok(call_setup_again(&c, "active", "sendrecv", "passive") == 1
       && strstr(c.to_web.sdp, "a=group:BUNDLE 0\r\n") != NULL
       && strstr(strstr(c.to_web.sdp, "m=video "), video.peer_ufrag) != NULL
       && pass_all(&c, &video, 2), "the next offer leaves it so");

    end(&c, &video);
}


/* the answer that browsers give */

void
test_bundle_answered(struct ng *ng, const char *addr)
{
    char         first[NG_MAX];
    struct call  c;

    init(&c, ng, addr, IMS_OFFERS, NULL, GROUP_ALL);

    ok(call_setup(&c, "active", "passive") == 1
       && browser_connect(&c.web, 5000) && pass_all(&c, NULL, 1),
       "a bundle in the answer: all comes over the first");
    (void) snprintf(first, sizeof(first), "%s", c.to_web.sdp);
    ok(call_setup_again(&c, "active", "sendrecv", "passive") == 1
       && strstr(c.to_web.sdp, "a=group:BUNDLE 0 1\r\n") != NULL
       && count(c.to_web.sdp, "a=end-of-candidates") == 1
       && count(c.to_web.sdp, "a=ice-ufrag:") == 2
       && count(c.to_web.sdp, "a=fingerprint:") == 2
       && count(c.to_web.sdp, "a=setup:") == 2
       && strstr(c.to_web.sdp, c.web.peer_ufrag) != NULL
       && same_ufrags(c.to_web.sdp, first),
       "then only the first m-line has candidates, and no ufrag is another");

    (void) snprintf(first, sizeof(first), "%s", c.to_web.sdp);
    ok(call_setup_again(&c, "active", "sendrecv", "passive") == 1
       && strcmp(first, c.to_web.sdp) == 0 && pass_all(&c, NULL, 2),
       "and the same offer again gives the same");

    end(&c, NULL);
}


/* the m-line that named the transport goes; the transport stays */

void
test_bundle_tag(struct ng *ng, const char *addr)
{
    char         ufrag[260];
    struct call  c;

    init(&c, ng, addr, BROWSER_OFFERS, NULL, GROUP_ALL);

    ok(call_setup(&c, "actpass", "passive") == 1
       && browser_connect(&c.web, 5000) && pass_all(&c, NULL, 1),
       "audio and video bundled");
    (void) snprintf(ufrag, sizeof(ufrag), "%s", c.web.peer_ufrag);

    c.web.no_audio = 1;
    ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
       && strstr(c.to_web.sdp, "a=group:BUNDLE 1\r\n") != NULL
       && strcmp(ufrag, c.web.peer_ufrag) == 0
       && strstr(c.to_web.sdp, "m=audio 0 ") != NULL,
       "the browser gives up audio, video names the same transport");
    ok(pass_video(&c, UP, 97, 97, 2) && pass_video(&c, DOWN, 97, 97, 2)
       && browser_check(&c.web, NULL) == 200, "and has its media");

    end(&c, NULL);
}


/* one m-line leaves the bundle of a call that goes on */

void
test_bundle_left(struct ng *ng, const char *addr)
{
    char            ufrag[260];
    struct call     c;
    struct browser  video;

    init(&c, ng, addr, BROWSER_OFFERS, NULL, GROUP_ALL);

    ok(call_setup(&c, "actpass", "passive") == 1
       && browser_connect(&c.web, 5000) && pass_all(&c, NULL, 1),
       "audio and video bundled");
    (void) snprintf(ufrag, sizeof(ufrag), "%s", c.web.peer_ufrag);

    if (browser_open(&video, addr, ALL_PROFILES) != 0) {
        fprintf(stderr, "no browser\n");
        exit(2);
    }

    c.web.second = &video;
    c.web.group = GROUP_FIRST;

    ok(call_offer(&c, "actpass", "sendrecv") == 1 && pass_all(&c, NULL, 2),
       "video is to leave: until the answer it stays");
    ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
       && strcmp(ufrag, c.web.peer_ufrag) == 0
       && connect_second(&c, &video) && pass_all(&c, &video, 3),
       "then it has a transport of its own");

    /* and comes back */

    c.web.second = NULL;
    c.web.group = GROUP_ALL;

    ok(call_setup_again(&c, "actpass", "sendrecv", "passive") == 1
       && strcmp(ufrag, c.web.peer_ufrag) == 0
       && count(c.to_web.sdp, "a=end-of-candidates") == 1
       && pass_all(&c, NULL, 4),
       "and may come back into the bundle");

    end(&c, &video);
}
