/*
 * Copyright (C) the IMS portal authors
 *
 * ICE that is slow, old or somebody else's; see cases.h.
 */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"
#include "check.h"
#include "result.h"


enum {
    REMEMBERED = 140            /* checks; more than the server keeps in mind */
};


static int
pass_all(struct call *c, uint16_t seq)
{
    return pass_up(c, 1, 8, seq, 160) && pass_down(c, 2, 8, seq, 160);
}


static int
connected(struct call *c, struct ng *ng, const char *addr)
{
    call_init(c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);

    return call_setup(c, "actpass", "passive") == 1
           && browser_connect(&c->web, 5000) && pass_all(c, 1);
}


static void
end(struct call *c)
{
    call_delete(c);
    call_close(c);
}


static int
check_is_answered(struct call *c, int fd, const uint8_t *check, size_t len)
{
    int             again;
    struct browser  other;

    other = c->web;
    other.fd = fd;
    other.stun_code = 0;
    browser_raw(&other, -1, check, len);
    again = browser_recv(&other, (uint8_t [BROWSER_PACKET]) { 0 }, 0, 500);

    return again == 0 && other.stun_code == 200;
}


/*
 * A nominating check that was captured long ago is good for an answer still,
 * there being no end to what would have to be remembered; but not for media.
 */

void
test_ice_replayed(struct ng *ng, const char *addr)
{
    int          i, fd, own, good;
    size_t       len;
    uint8_t      check[256];
    struct call  c;
    char         username[520];

    ok(connected(&c, ng, addr), "connected");

    (void) snprintf(username, sizeof(username), "%s:%s", c.web.peer_ufrag,
                    c.web.ufrag);
    len = check_request(check, ++c.web.tid, username, c.web.peer_pwd,
                        CHECK_NOMINATE);
    browser_raw(&c.web, -1, check, len);

    for (i = 0, good = 1; i < REMEMBERED; i++) {
        good = good && browser_check(&c.web, NULL) == 200;
    }

    ok(good, "checks of minutes");

    own = browser_move(&c.web, addr);
    fd = c.web.fd;
    c.web.fd = own;

    ok(check_is_answered(&c, fd, check, len),
       "the first one again, from elsewhere");
    ok(pass_down(&c, 2, 8, 2, 160) && pass_up(&c, 1, 8, 2, 160)
       && pass_down(&c, 2, 8, 3, 160), "media stays");
    ok(browser_check(&c.web, NULL) == 200 && pass_down(&c, 2, 8, 4, 160),
       "after the next check as well");

    close(fd);
    end(&c);
}


/* regular nomination may come late, and once only */

void
test_ice_late(struct ng *ng, const char *addr)
{
    struct call  c;

    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    ok(call_setup(&c, "actpass", "passive") == 1, "a call");

    c.web.check = CHECK_PLAIN;
    ok(browser_connect(&c.web, 5000) && pass_all(&c, 1),
       "DTLS and media over a pair that is checked, but not nominated");

    c.web.check = CHECK_NOMINATE;
    ok(browser_check(&c.web, NULL) == 200 && pass_all(&c, 2),
       "then it is nominated");

    c.web.check = CHECK_PLAIN;
    ok(browser_check(&c.web, NULL) == 200 && pass_all(&c, 3),
       "later checks need not do so again");

    end(&c);
}


/* a browser that only receives proves by RTCP where it is now */

void
test_ice_receives(struct ng *ng, const char *addr)
{
    int          old;
    struct call  c;

    ok(connected(&c, ng, addr), "connected");

    old = browser_move(&c.web, addr);
    ok(old != -1 && browser_check(&c.web, NULL) == 200
       && rtcp_up(&c, 201, 1, 2) && pass_down(&c, 2, 8, 2, 160),
       "a check and a receiver report from a new port take media there");

    close(old);
    end(&c);
}


/* an alert in the clear can be anybody's who can forge an address */

void
test_dtls_alerts(struct ng *ng, const char *addr)
{
    int          i;
    struct call  c;

    for (i = 0; i < 2; i++) {
        call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
        c.web.alert = 1;

        ok(call_setup(&c, "actpass", i ? "active" : "passive") == 1
           && browser_connect(&c.web, 5000) && pass_all(&c, 1),
           "forged alerts do not end a handshake, the browser is %s",
           i ? "passive" : "active");
        end(&c);
    }
}


/* a new certificate may come with another role (RFC 8842 4) */

void
test_dtls_roles(struct ng *ng, const char *addr)
{
    int          i;
    struct call  c;

    for (i = 0; i < 2; i++) {
        call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
        ok(call_setup(&c, "actpass", i ? "active" : "passive") == 1
           && browser_connect(&c.web, 5000) && pass_all(&c, 1), "connected");

        ok(browser_renew(&c.web) == 0
           && call_setup_again(&c, "actpass", "sendrecv",
                               i ? "passive" : "active") == 1
           && strstr(c.to_web.sdp, i ? "a=setup:passive" : "a=setup:active")
              != NULL,
           "another certificate, the browser becomes %s",
           i ? "active" : "passive");
        ok(browser_connect(&c.web, 5000) && pass_up(&c, 1, 8, 2, 160)
           && pass_down(&c, 2, 8, 2, 160), "and media goes on");
        end(&c);
    }
}


/* a second address of the family: its socket answers, DTLS too (P21) */

void
test_interfaces(struct ng *ng, const char *addr)
{
    int                  tcp;
    struct call          c;
    struct sockaddr_in  *peer;

    for (tcp = 0; tcp < 2; tcp++) {
        call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
        c.web.skip = 1;

        if (tcp) {
            close(browser_tcp(&c.web));
        }

        ok(call_setup(&c, "actpass", "passive") == 1, "a call");
        peer = (struct sockaddr_in *) &c.web.peer;
        ok(peer->sin_addr.s_addr == htonl(0x7f000003)
           && (tcp || connect(c.web.fd, (struct sockaddr *) peer,
                              sizeof(*peer)) == 0),
           "the second candidate is another address");

        /* a connected socket hears nobody else */

        ok(browser_connect(&c.web, 5000) && pass_all(&c, 1),
           "all comes from there over %s", tcp ? "TCP" : "UDP");
        end(&c);
    }
}
