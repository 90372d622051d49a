/*
 * Copyright (C) the IMS portal authors
 *
 * The floor of the media helper: a relay with its layout of sockets and its
 * way of resting, which does nothing to the packets.  One port for all
 * browsers, a connected socket per call towards the IMS.
 *
 * usage: relay -a ADDRESS -w PORT -i PORT -n CALLS [-r US]
 *
 *     -w  the browsers' port; call number K has port -i + 2 * K
 *     -r  microseconds of rest after a pass, 300
 *
 * The first datagram from either side of a call is its number, four octets
 * of the machine's order; it is remembered where that came from.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


enum {
    BATCH = 64,
    ROOM = 2048,
    CALLS = 8192,
    OFTEN = 500,                /* us between passes: a rest pays */
    MANY = 64                   /* packets of a pass: no rest */
};


static int                 web, ims[CALLS];
static unsigned            ncalls, rest = 300;
static uint16_t            of_port[65536];      /* call + 1 */
static struct sockaddr_in  browser[CALLS];

static uint8_t             rx[BATCH][ROOM], tx[BATCH][ROOM];
static struct mmsghdr      in[BATCH], out[BATCH];
static struct iovec        inv[BATCH], outv[BATCH];
static struct sockaddr_in  src[BATCH];
static unsigned            queued;


static uint64_t
us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static int
udp(struct in_addr addr, unsigned port)
{
    int                 fd, size;
    struct sockaddr_in  sin;

    size = 4 << 20;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = addr;
    sin.sin_port = htons((uint16_t) port);

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0) {
        perror("relay");
        exit(1);
    }

    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));

    return fd;
}


static void
flush(void)
{
    int       n;
    unsigned  i;

    for (i = 0; i < queued; i += (n > 0) ? (unsigned) n : 1) {
        n = sendmmsg(web, &out[i], queued - i, MSG_DONTWAIT);
    }

    queued = 0;
}


static unsigned
from_web(void)
{
    int       n, i;
    uint32_t  k;

    for (i = 0; i < BATCH; i++) {
        in[i].msg_hdr.msg_name = &src[i];
        in[i].msg_hdr.msg_namelen = sizeof(src[i]);
    }

    n = recvmmsg(web, in, BATCH, MSG_DONTWAIT, NULL);

    for (i = 0; i < n; i++) {

        if (in[i].msg_len == sizeof(k)) {
            memcpy(&k, rx[i], sizeof(k));

            if (k < ncalls) {
                of_port[ntohs(src[i].sin_port)] = (uint16_t) (k + 1);
                browser[k] = src[i];
            }

            continue;
        }

        k = of_port[ntohs(src[i].sin_port)];

        if (k != 0) {
            (void) send(ims[k - 1], rx[i], in[i].msg_len, MSG_DONTWAIT);
        }
    }

    return (n > 0) ? (unsigned) n : 0;
}


static unsigned
from_ims(unsigned k)
{
    ssize_t         n;
    socklen_t       len;
    struct msghdr  *h;

    if (queued == BATCH) {
        flush();
    }

    len = sizeof(src[0]);
    n = recvfrom(ims[k], tx[queued], ROOM, MSG_DONTWAIT,
                 (struct sockaddr *) &src[0], &len);

    if (n == sizeof(uint32_t)) {
        (void) connect(ims[k], (struct sockaddr *) &src[0], len);
        return 1;
    }

    if (n <= 0) {
        return 0;
    }

    h = &out[queued].msg_hdr;
    h->msg_name = &browser[k];
    h->msg_namelen = sizeof(browser[k]);
    outv[queued++].iov_len = (size_t) n;

    return 1;
}


static void
loop(int ep)
{
    int                 n, i;
    uint64_t            now, passed;
    unsigned            received;
    struct timespec     ts;
    struct epoll_event  ev[256];

    passed = 0;

    for ( ;; ) {
        n = epoll_wait(ep, ev, 256, -1);
        received = 0;

        for (i = 0; i < n; i++) {
            received += (ev[i].data.u32 == CALLS) ? from_web()
                                                  : from_ims(ev[i].data.u32);
        }

        flush();
        now = us();

        if (rest && received < MANY && now - passed <= OFTEN) {
            ts.tv_sec = 0;
            ts.tv_nsec = rest * 1000;
            (void) nanosleep(&ts, NULL);
            now += rest;
        }

        passed = now;
    }
}


int
main(int argc, char **argv)
{
    int                 opt, ep, port, first;
    unsigned            i;
    struct in_addr      addr;
    struct epoll_event  ev;

    addr.s_addr = 0;
    port = first = 0;

    while ((opt = getopt(argc, argv, "a:w:i:n:r:")) != -1) {
        switch (opt) {

        case 'a':
            (void) inet_pton(AF_INET, optarg, &addr);
            break;

        case 'w':
            port = atoi(optarg);
            break;

        case 'i':
            first = atoi(optarg);
            break;

        case 'n':
            ncalls = (unsigned) atoi(optarg);
            break;

        case 'r':
            rest = (unsigned) atoi(optarg);
            break;

        default:
            return 2;
        }
    }

    if (addr.s_addr == 0 || port == 0 || first == 0 || ncalls == 0
        || ncalls > CALLS)
    {
        fprintf(stderr, "usage: relay -a ADDRESS -w PORT -i PORT -n CALLS "
                "[-r US]\n");
        return 2;
    }

    for (i = 0; i < BATCH; i++) {
        inv[i].iov_base = rx[i];
        inv[i].iov_len = ROOM;
        in[i].msg_hdr.msg_iov = &inv[i];
        in[i].msg_hdr.msg_iovlen = 1;
        outv[i].iov_base = tx[i];
        out[i].msg_hdr.msg_iov = &outv[i];
        out[i].msg_hdr.msg_iovlen = 1;
    }

    ep = epoll_create1(0);
    ev.events = EPOLLIN;
    ev.data.u32 = CALLS;
    web = udp(addr, (unsigned) port);
    (void) epoll_ctl(ep, EPOLL_CTL_ADD, web, &ev);

    for (i = 0; i < ncalls; i++) {
        ev.data.u32 = i;
        ims[i] = udp(addr, (unsigned) first + 2 * i);
        (void) epoll_ctl(ep, EPOLL_CTL_ADD, ims[i], &ev);
    }

    loop(ep);

    return 0;
}
