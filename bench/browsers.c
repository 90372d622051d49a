/*
 * Copyright (C) the IMS portal authors
 *
 * Many browsers in one process, driven by commands on standard input; each is
 * answered by one line on standard output when it is done:
 *
 *   lease N        users 1..N get their identities, over plain HTTP
 *   users N        the same without asking anybody: u00001, u00002, ...
 *   idle N RATE    N more keep-alive connections that made one GET
 *   open N RATE    N more browsers: connect, upgrade, REGISTER, 200
 *   message N RATE N MESSAGEs, round robin, each awaits its 200
 *   call N RATE    N calls: INVITE, 200, ACK, BYE, 200
 *   hold N RATE    N calls that stay up
 *   info N RATE    N INFOs in those, round robin; not with fewer of them than
 *                  the window
 *
 * An answer is "done N SECONDS P50 P99": how long all took, and, in ms, how
 * long one took at the median and at the 99th percentile.
 *
 * "lease" comes first and says how many there will be at most.  RATE is how
 * many begin per second, 0: as many as the window admits.  Between commands all
 * are idle and answer pings.
 *
 * usage: browsers ADDRESS PLAIN_PORT TLS_PORT plain|tls WINDOW
 *
 * LEASE_TOKENS and UPGRADE_TOKENS in the environment name files with tokens, a
 * line each, for "lease" and for "open"; else they are made here, with HS256.
 */


#include "browser.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>


enum {
    EVENTS = 256,
    STALLED = 20                         /* s without any progress */
};


struct load  load;


/* the next of the command under way */

static void
load_begin(void)
{
    struct browser  *b;

    if (load.task >= MESSAGE) {

        do {
            b = &load.browsers[load.next++ % load.nbrowsers];
        } while (b->state != IDLE || (load.task == INFO && b->call.seq == 0));

        browser_ask(b);

    } else {
        b = &load.browsers[load.task == LEASE ? load.begun : load.opened++];
        b->user = b - load.browsers + 1;
        browser_connect(b);
    }

    load.begun++;
}


static int
load_compare(const void *a, const void *b)
{
    float  x, y;

    x = *(const float *) a;
    y = *(const float *) b;

    return (x > y) - (x < y);
}


/* "done N SECONDS P50 P99", the latter two in ms */

static void
load_report(double seconds)
{
    qsort(load.times, load.done, sizeof(float), load_compare);

    printf("done %u %.3f %.3f %.3f\n", load.done, seconds,
           1000 * load.times[load.done / 2],
           1000 * load.times[load.done * 99ULL / 100]);
    fflush(stdout);
}


/* runs a command to its end */

static void
load_run(double rate)
{
    int                 n, i;
    double              start, last;
    unsigned            before, due;
    struct epoll_event  events[EVENTS];

    start = last = now();

    while (load.done < load.total) {
        due = load.total;

        if (rate > 0 && (now() - start) * rate < due) {
            due = (now() - start) * rate + 1;
        }

        while (load.begun < due && load.begun - load.done < load.window) {
            load_begin();
        }

        before = load.done;
        n = epoll_wait(load.epoll, events, EVENTS, rate > 0 ? 1 : 100);

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr != NULL) {
                browser_event(events[i].data.ptr, events[i].events);
            }
        }

        if (load.done != before) {
            last = now();

        } else if (now() - last > STALLED) {
            die("stalled: %u of %u done", load.done, load.total);
        }
    }

    load_report(now() - start);
}


/* waits for a command, while the browsers idle */

static int
load_command(char *line, size_t size)
{
    int                 n, i, input;
    ssize_t             len;
    struct epoll_event  events[EVENTS];

    input = 0;

    while (!input) {
        n = epoll_wait(load.epoll, events, EVENTS, -1);

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                input = 1;

            } else {
                browser_event(events[i].data.ptr, events[i].events);
            }
        }
    }

    len = read(STDIN_FILENO, line, size - 1);
    line[len > 0 ? len : 0] = '\0';

    return len > 0;
}


static void
load_users(void)
{
    unsigned  i;

    for (i = 0; i < load.nbrowsers; i++) {
        snprintf(load.browsers[i].identity, LOAD_MAX_IDENTITY,
                 "sip:u%05u@acme.ims.operator.example", i + 1);
    }

    printf("done %u\n", load.nbrowsers);
    fflush(stdout);
}


static void
load_commands(void)
{
    int       i, users;
    char      line[256], name[16];
    double    rate;
    unsigned  n;

    static const char  *names[TASKS] = {
        "lease", "idle", "open", "message", "call", "hold", "info"
    };

    while (load_command(line, sizeof(line))) {
        rate = 0;

        if (sscanf(line, "%15s %u %lf", name, &n, &rate) < 2) {
            die("unknown command \"%s\"", line);
        }

        for (i = LEASE; i < TASKS && strcmp(name, names[i]) != 0; i++) {
            /* void */
        }

        users = (strcmp(name, "users") == 0);

        if (i == TASKS && !users) {
            die("unknown command \"%s\"", name);
        }

        if ((i == LEASE || users) && load.browsers == NULL) {
            load.browsers = calloc(n, sizeof(struct browser));
            load.nbrowsers = n;
        }

        if (users) {
            load_users();
            continue;
        }

        if (load.browsers == NULL
            || ((i == KEEP || i == OPEN) && load.opened + n > load.nbrowsers))
        {
            die("\"lease\" or \"users\" comes first, for all");
        }

        free(load.times);

        load.times = calloc(n ? n : 1, sizeof(float));
        load.task = i;
        load.total = n;
        load.begun = load.done = load.next = 0;

        load_run(rate);
    }
}


static void
load_address(struct sockaddr_in *sin, const char *addr, const char *port)
{
    memset(sin, 0, sizeof(*sin));
    sin->sin_family = AF_INET;
    sin->sin_port = htons(atoi(port));

    if (inet_pton(AF_INET, addr, &sin->sin_addr) != 1) {
        die("bad address \"%s\"", addr);
    }
}


int
main(int argc, char **argv)
{
    struct rlimit       limit;
    struct epoll_event  ev;

    if (argc != 6) {
        fprintf(stderr, "usage: browsers ADDRESS PLAIN_PORT TLS_PORT plain|tls "
                "WINDOW\n");
        return 2;
    }

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    load_tokens(getenv("LEASE_TOKENS"), getenv("UPGRADE_TOKENS"));

    load_address(&load.plain_addr, argv[1], argv[2]);
    load_address(&load.tls_addr, argv[1], argv[3]);
    load.tls = (strcmp(argv[4], "tls") == 0);
    load.window = atoi(argv[5]);

    load.ctx = SSL_CTX_new(TLS_client_method());
    load.epoll = epoll_create1(0);

    if (load.ctx == NULL || load.epoll == -1) {
        die("no memory");
    }

    SSL_CTX_set_mode(load.ctx, SSL_MODE_RELEASE_BUFFERS);

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;

    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == -1) {
        die("epoll_ctl: %s", strerror(errno));
    }

    load_commands();

    return 0;
}
