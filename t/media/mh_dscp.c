/*
 * Copyright (C) the IMS portal authors
 *
 * The code points of a call's packets as they arrive at both of its ends
 * (ME-14, RFC 8834 7.1, RFC 8837), of a helper with -q 46,34; dscp.t runs it.
 *
 *     mh_dscp -c CONTROL [-6]
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"
#include "result.h"


enum {
    EF = 46 << 2,
    AF41 = 34 << 2,
    CS3 = 24 << 2,
    WAIT_MS = 20000
};


static void
ask(int fd, int six)
{
    int  on;

    on = 1;

    if (setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
                   six ? IPV6_RECVTCLASS : IP_RECVTOS, &on, sizeof(on)) != 0)
    {
        perror("setsockopt");
    }
}


/* @return the octet of the next packet of RTP or RTCP, or -1 */

static int
mark(int fd)
{
    int              tos;
    ssize_t          n;
    uint8_t          buf[BROWSER_PACKET], control[128];
    struct iovec     iov;
    struct msghdr    msg;
    struct pollfd    pfd;
    struct cmsghdr  *c;

    pfd.fd = fd;
    pfd.events = POLLIN;

    while (poll(&pfd, 1, WAIT_MS) == 1) {
        iov.iov_base = buf;
        iov.iov_len = sizeof(buf);
        memset(&msg, 0, sizeof(msg));
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);

        n = recvmsg(fd, &msg, 0);

        if (n <= 0 || buf[0] >> 6 != 2) {
            continue;
        }

        for (c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {

            if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
                return *CMSG_DATA(c);
            }

            if (c->cmsg_level == IPPROTO_IPV6
                && c->cmsg_type == IPV6_TCLASS)
            {
                memcpy(&tos, CMSG_DATA(c), sizeof(tos));
                return tos;
            }
        }

        return -1;
    }

    return -1;
}


/* up: of packets to the IMS; up_video: of those of video */

static void
test_marks(struct ng *ng, const char *addr, const char *tos, int up,
    int up_video)
{
    int          six;
    size_t       n;
    uint8_t      buf[BROWSER_PACKET];
    struct call  c;

    six = (strchr(addr, ':') != NULL);
    call_init(&c, ng, addr, BROWSER_OFFERS, ALL_PROFILES);
    c.tos = tos;
    c.web.video = 1;

    if (ok(call_setup(&c, "actpass", "passive") == 1
           && browser_connect(&c.web, WAIT_MS), "%s, TOS %s", addr,
           tos ? tos : "by -q"))
    {
        ask(c.web.fd, six);
        ask(c.ims.fd[0], six);
        ask(c.ims.fd[1], six);
        ask(c.video.fd[0], six);

        n = rtp_make(buf, 2, 8, 1, 160);
        ims_raw(&c, 0, buf, n);
        is_int(mark(c.web.fd), EF, "RTP to the browser");

        n = rtcp_make(buf, 200, 2, 1);
        ims_raw(&c, 1, buf, n);
        is_int(mark(c.web.fd), EF, "RTCP to the browser");

        n = rtp_make(buf, 1, 8, 1, 160);
        (void) browser_send(&c.web, buf, n);
        is_int(mark(c.ims.fd[0]), up, "RTP to the IMS");

        n = rtcp_make(buf, 200, 1, 2);
        (void) browser_send_rtcp(&c.web, buf, n);
        is_int(mark(c.ims.fd[1]), up, "RTCP to the IMS");

        n = rtp_make(buf, 4, 97, 1, 200);
        (void) sendto(c.video.fd[0], buf, n, 0,
                      (struct sockaddr *) &c.video.peer[0], c.video.len);
        is_int(mark(c.web.fd), AF41, "video to the browser");

        n = rtp_make(buf, 3, 97, 1, 200);
        (void) browser_send(&c.web, buf, n);
        is_int(mark(c.video.fd[0]), up_video, "video to the IMS");

        n = rtp_make(buf, 2, 8, 2, 160);
        ims_raw(&c, 0, buf, n);
        is_int(mark(c.web.fd), EF, "and then RTP of audio again");
    }

    call_delete(&c);
    call_close(&c);
}


int
main(int argc, char **argv)
{
    int        opt, six;
    struct ng  ng;

    six = 0;

    while ((opt = getopt(argc, argv, "c:6")) != -1) {
        switch (opt) {

        case 'c':
            ng_spec = optarg;
            break;

        case '6':
            six = 1;
            break;

        default:
            return 2;
        }
    }

    if (ng_spec == NULL || srtp_init() != srtp_err_status_ok
        || ng_open(&ng, ng_spec) != 0)
    {
        fprintf(stderr, "usage: mh_dscp -c CONTROL [-6]\n");
        return 2;
    }

    test_marks(&ng, "127.0.0.1", NULL, EF, AF41);
    test_marks(&ng, "127.0.0.1", "96", CS3, CS3);

    if (six) {
        test_marks(&ng, "::1", NULL, EF, AF41);
        test_marks(&ng, "::1", "96", CS3, CS3);
    }

    ng_close(&ng);

    return done_testing();
}
