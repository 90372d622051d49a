/*
 * Copyright (C) the IMS portal authors
 *
 * Many calls through a media server that speaks ng: sets them up, each with
 * a browser's ICE and DTLS, then sends packets both ways at a rate, and says
 * what that cost the server.  The browsers' packets are made beforehand, so
 * that the tool does no SRTP while it measures.
 *
 * usage: media_load -c SOCKET -P PID -n CALLS -r RATE -s SECONDS [-w SECONDS]
 *
 *     -c  the server's ng, or relay:PORT:PORT, ports of relay.c on 127.0.0.1
 *     -r  packets per second and direction of each call; several, with a
 *         comma between them, are run one after the other
 *     -s  seconds that each rate is measured
 *     -w  seconds of rest after the set-ups, 14: a server keeps the state of
 *         a handshake for a while
 *
 * Prints lines of "name value".
 */


#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "check.h"


enum {
    PACKET = 172,
    SEALED = 192,
    WARM = 20,                  /* calls before the first look */
    BUCKETS = 4000,             /* of 25 us each */
    RATES = 8
};


struct one {
    int                      web;
    int                      ims;
    struct sockaddr_storage  to[2];     /* from the browser, from the IMS */
    socklen_t                len;
    uint8_t                 *sealed;    /* the browser's packets, SEALED
                                           octets for each */
    uint16_t                *size;
    double                  *sent[2];   /* when, by sequence number */
    unsigned                 next[2];
    unsigned                 from;      /* first number of this rate */
    uint8_t                  check[256];        /* a check of the browser's */
    size_t                   check_len;
};


static pid_t           server;
static unsigned        relay[2];            /* ports */
static unsigned        ncalls, seconds, total, rest;
static struct one     *ones;
static int             ep;
static unsigned long   sent, got[2];
static unsigned        delay[BUCKETS];


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


/* seconds that all threads of the server have had, the kernel's part too */

static double
cpu(void)
{
    DIR                *dir;
    FILE               *f;
    char                path[512];
    double              sum;
    struct dirent      *e;
    unsigned long long  ns;

    sum = 0;
    (void) snprintf(path, sizeof(path), "/proc/%d/task", (int) server);
    dir = opendir(path);

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        (void) snprintf(path, sizeof(path), "/proc/%d/task/%.200s/schedstat",
                        (int) server, e->d_name);
        f = (e->d_name[0] == '.') ? NULL : fopen(path, "r");

        if (f != NULL) {
            sum += (fscanf(f, "%llu", &ns) == 1) ? (double) ns / 1e9 : 0;
            fclose(f);
        }
    }

    if (dir == NULL) {
        fprintf(stderr, "media_load: the server is gone\n");
        exit(1);
    }

    closedir(dir);

    return sum;
}


/* KiB of its own memory */

static double
memory(void)
{
    FILE    *f;
    char     line[256];
    double   sum;
    unsigned n;

    (void) snprintf(line, sizeof(line), "/proc/%d/smaps_rollup",
                    (int) server);
    sum = 0;
    f = fopen(line, "r");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "Private_Dirty: %u", &n) == 1) {
            sum += n;
        }
    }

    if (f != NULL) {
        fclose(f);
    }

    return sum;
}


static void
rtp(uint8_t *buf, uint32_t ssrc, unsigned seq)
{
    memset(buf, 0x55, PACKET);
    memset(buf, 0, 12);
    buf[0] = 0x80;
    buf[1] = 8;
    buf[2] = (uint8_t) (seq >> 8);
    buf[3] = (uint8_t) seq;
    buf[9] = (uint8_t) (ssrc >> 16);
    buf[10] = (uint8_t) (ssrc >> 8);
    buf[11] = (uint8_t) ssrc;
}


static void
hear(int fd, unsigned i, unsigned direction)
{
    struct epoll_event  ev;

    ev.events = EPOLLIN;
    ev.data.u32 = i * 2 + direction;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0) {
        fprintf(stderr, "media_load: %s\n", strerror(errno));
        exit(1);
    }
}


static void
room(struct one *o)
{
    o->sealed = malloc((size_t) total * SEALED);
    o->size = calloc(total, sizeof(*o->size));
    o->sent[0] = calloc(total, sizeof(double));
    o->sent[1] = calloc(total, sizeof(double));

    if (o->sealed == NULL || o->size == NULL || o->sent[0] == NULL
        || o->sent[1] == NULL)
    {
        fprintf(stderr, "media_load: no memory\n");
        exit(1);
    }
}


/* one end of a call of the relay, which is told its number */

static int
end(struct sockaddr_storage *to, unsigned port, uint32_t i)
{
    int                  fd;
    struct sockaddr_in  *sin;

    sin = (struct sockaddr_in *) to;
    sin->sin_family = AF_INET;
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin->sin_port = htons((uint16_t) port);

    fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd == -1
        || sendto(fd, &i, sizeof(i), 0, (struct sockaddr *) sin, sizeof(*sin))
           != sizeof(i))
    {
        fprintf(stderr, "media_load: %s\n", strerror(errno));
        exit(1);
    }

    return fd;
}


static void
set_up_relay(unsigned i)
{
    unsigned     k;
    struct one  *o;

    o = &ones[i];
    o->len = sizeof(struct sockaddr_in);
    o->web = end(&o->to[0], relay[0], i);
    o->ims = end(&o->to[1], relay[1] + 2 * i, i);

    room(o);

    for (k = 0; k < total; k++) {
        rtp(o->sealed + (size_t) k * SEALED, i + 1, k + 1);
        o->size[k] = PACKET + 10;       /* as long as SRTP */
    }

    hear(o->web, i, DOWN);
    hear(o->ims, i, UP);
    usleep(100);
}


/* a call, of which only the sockets and the packets stay */

static void
set_up(struct ng *ng, unsigned i)
{
    char                 name[520];
    size_t               n;
    unsigned             k;
    uint8_t              buf[BROWSER_PACKET];
    struct one          *o;
    static struct call   c;

    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, CM_PROFILE);

    if (call_setup(&c, "actpass", "passive") != 1
        || !browser_connect(&c.web, 10000))
    {
        fprintf(stderr, "media_load: call %u is not set up\n", i);
        exit(1);
    }

    o = &ones[i];
    o->web = dup(c.web.fd);
    o->ims = dup(c.ims.fd[0]);
    o->to[0] = c.web.peer;
    o->to[1] = c.ims.peer[0];
    o->len = c.ims.len;

    room(o);

    for (k = 0; k < total; k++) {
        rtp(buf, i + 1, k + 1);
        n = browser_protect(&c.web, buf, PACKET);
        memcpy(o->sealed + (size_t) k * SEALED, buf, n);
        o->size[k] = (uint16_t) n;
    }

    (void) snprintf(name, sizeof(name), "%s:%s", c.web.peer_ufrag,
                    c.web.ufrag);
    n = check_request(buf, 1000, name, c.web.peer_pwd, CHECK_NOMINATE);
    o->check_len = (n < sizeof(o->check)) ? n : 0;
    memcpy(o->check, buf, o->check_len);

    hear(o->web, i, DOWN);
    hear(o->ims, i, UP);
    call_close(&c);
}


static void
send_one(unsigned i, unsigned direction)
{
    unsigned     k;
    uint8_t      buf[PACKET];
    struct one  *o;

    o = &ones[i];
    k = o->next[direction];

    if (k == total) {
        return;
    }

    o->next[direction]++;
    o->sent[direction][k] = now();
    sent++;

    if (direction == UP) {
        (void) sendto(o->web, o->sealed + (size_t) k * SEALED, o->size[k], 0,
                      (struct sockaddr *) &o->to[0], o->len);
        return;
    }

    rtp(buf, 0x10000 + i, k + 1);
    (void) sendto(o->ims, buf, PACKET, 0, (struct sockaddr *) &o->to[1],
                  o->len);
}


static void
receive(int ms)
{
    int                 n, j, fd;
    double              at;
    size_t              slot;
    ssize_t             len;
    uint8_t             buf[BROWSER_PACKET];
    unsigned            i, direction, seq;
    struct epoll_event  ev[256];

    n = epoll_wait(ep, ev, 256, ms);
    at = now();

    for (j = 0; j < n; j++) {
        i = ev[j].data.u32 / 2;
        direction = ev[j].data.u32 & 1;
        fd = (direction == UP) ? ones[i].ims : ones[i].web;

        while ((len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {

            if (len < PACKET || (buf[0] & 0xc0) != 0x80
                || (buf[1] & 0x7f) != 8)
            {
                continue;
            }

            seq = (unsigned) (buf[2] << 8 | buf[3]) - 1;

            if (seq < ones[i].from || seq >= ones[i].next[direction]) {
                continue;
            }

            got[direction]++;
            slot = (size_t) ((at - ones[i].sent[direction][seq]) * 40000);
            delay[slot < BUCKETS ? slot : BUCKETS - 1]++;
        }
    }
}


/* a server that hears no check for 30 seconds stops sending (RFC 7675) */

static void
consent(void)
{
    unsigned  i;

    for (i = 0; i < ncalls && relay[0] == 0; i++) {
        (void) sendto(ones[i].web, ones[i].check, ones[i].check_len, 0,
                      (struct sockaddr *) &ones[i].to[0], ones[i].len);

        if (i % 16 == 15) {
            usleep(2000);
            receive(0);
        }
    }

    sleep(1);
    receive(0);
}


static double
percentile(double part)
{
    unsigned       i;
    unsigned long  sum;

    sum = 0;

    for (i = 0; i < BUCKETS; i++) {
        sum += delay[i];

        if ((double) sum >= part * (double) (got[UP] + got[DOWN])) {
            break;
        }
    }

    return (i + 1) * 25.0;
}


static void
run(double rate)
{
    double         begin, end, used, wall;
    unsigned       i;
    unsigned long  due, all;

    all = (unsigned long) (rate * seconds) * 2 * ncalls;
    consent();
    sent = got[0] = got[1] = 0;
    memset(delay, 0, sizeof(delay));

    for (i = 0; i < ncalls; i++) {
        ones[i].from = ones[i].next[UP];
    }

    used = cpu();
    begin = now();

    while (sent < all) {
        due = (unsigned long) ((now() - begin) * rate * 2 * ncalls);
        due = (due > all) ? all : due;

        if (due == sent) {
            receive(0);
            usleep(50);
        }

        for (i = 0; sent < due; i++) {
            send_one((unsigned) (sent / 2 % ncalls), sent & 1);

            if (i % 16 == 15) {
                receive(0);
            }
        }
    }

    end = now();
    wall = end - begin;

    while (got[UP] + got[DOWN] < sent && now() < end + 1) {
        receive(20);
    }

    used = cpu() - used;

    printf("rate %.1f\n", rate);
    printf("offered_per_s %.0f\n", (double) sent / wall);
    printf("lost_percent %.2f\n",
           100.0 * (1 - (double) (got[UP] + got[DOWN]) / (double) sent));
    printf("us_per_packet %.2f\n",
           used * 1e6 / (double) (got[UP] + got[DOWN]));
    printf("delay_p50_us %.0f\ndelay_p99_us %.0f\n", percentile(0.5),
           percentile(0.99));
}


/* returns how many rates there are, or -1 */

static int
options(int argc, char **argv, double *rates)
{
    int    opt, nrates;
    char  *p;

    nrates = 0;
    seconds = 5;
    rest = 14;

    while ((opt = getopt(argc, argv, "c:P:n:r:s:w:")) != -1) {
        switch (opt) {

        case 'c':
            ng_spec = optarg;
            break;

        case 'P':
            server = (pid_t) atoi(optarg);
            break;

        case 'n':
            ncalls = (unsigned) atoi(optarg);
            break;

        case 'r':
            for (p = strtok(optarg, ","); p && nrates < RATES;
                 p = strtok(NULL, ","))
            {
                rates[nrates++] = atof(p);
            }

            break;

        case 'w':
            rest = (unsigned) atoi(optarg);
            break;

        case 's':
            seconds = (unsigned) atoi(optarg);
            break;

        default:
            return -1;
        }
    }

    return nrates;
}


/* the calls, and what they cost */

static void
set_up_all(struct ng *ng)
{
    double    used, before;
    unsigned  i;

    for (i = 0; i < WARM && relay[0] == 0; i++) {
        set_up(ng, ncalls + i);
    }

    used = cpu();
    before = memory();

    for (i = 0; i < ncalls; i++) {
        if (relay[0]) {
            set_up_relay(i);

        } else {
            set_up(ng, i);
        }
    }

    printf("setups_per_cpu_s %.0f\n", ncalls / (cpu() - used));

    sleep(rest);
    printf("kib_per_call %.1f\n", (memory() - before) / ncalls);
}


int
main(int argc, char **argv)
{
    int        i, nrates;
    double     rates[RATES];
    struct ng  ng;

    nrates = options(argc, argv, rates);

    if (nrates == -1) {
        return 2;
    }

    for (i = 0; i < nrates; i++) {
        total += (unsigned) (rates[i] * seconds);
    }

    ones = calloc(ncalls + WARM, sizeof(*ones));
    ep = epoll_create1(0);

    if (ng_spec == NULL || server == 0 || ncalls == 0 || total == 0
        || total > 65000 || ones == NULL
        || srtp_init() != srtp_err_status_ok
        || (sscanf(ng_spec, "relay:%u:%u", &relay[0], &relay[1]) != 2
            && ng_open(&ng, ng_spec) != 0))
    {
        fprintf(stderr, "usage: media_load -c SOCKET -P PID -n CALLS "
                "-r RATE[,RATE] -s SECONDS\n");
        return 2;
    }

    set_up_all(&ng);

    for (i = 0; i < nrates; i++) {
        run(rates[i]);
        fflush(stdout);
    }

    return 0;
}
