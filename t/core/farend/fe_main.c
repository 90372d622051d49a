
/* Copyright (C) the IMS portal authors */

/*
 * Far end: options and the loop.
 *
 *     farend -l ADDR:PORT -x CORE:PORT -c SOCKET [-m URI] [-p MIN-MAX]
 *            [-r MS] -s USER=BEHAVIOUR ...
 *     farend -C SOCKET COMMAND ...
 *
 * -l SIP over UDP (and the address of RTP), -x next hop of new requests,
 * -c control socket (commands: fe_ctl.c), -m who calls, -p RTP ports,
 * -r how long it rings before it answers.
 */

#define _GNU_SOURCE

#include "farend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>


enum {
    MAX_CTL = 8,
    MAX_LINE = 4096,
    MAX_REPLY = 65536,
    TICK = 5                     /* ms */
};


struct ctl {
    int     fd;
    char    line[MAX_LINE];
    size_t  len;
};


static struct fe    fe;
static struct ctl   ctls[MAX_CTL];
static const char  *ctl_path;


double
fe_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec * 1000.0 + (double) ts.tv_nsec / 1e6;
}


static void
fatal(const char *what)
{
    fprintf(stderr, "farend: %s: %s\n", what, strerror(errno));
    exit(1);
}


static void
on_signal(int sig)
{
    (void) sig;

    if (ctl_path) {
        unlink(ctl_path);
    }

    _exit(0);
}


static int
open_sip(const char *where)
{
    int                 fd;
    struct sockaddr_in  sin;

    if (fe_sip_address(where, &sin) == -1) {
        errno = EINVAL;
        fatal(where);
    }

    inet_ntop(AF_INET, &sin.sin_addr, fe.host, sizeof(fe.host));
    fe.port = ntohs(sin.sin_port);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        fatal(where);
    }

    return fd;
}


static int
open_ctl(const char *path)
{
    int                 fd;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(sun.sun_path)) {
        errno = ENAMETOOLONG;
        fatal(path);
    }

    strcpy(sun.sun_path, path);
    unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *) &sun, sizeof(sun)) == -1
        || listen(fd, MAX_CTL) == -1)
    {
        fatal(path);
    }

    ctl_path = path;

    return fd;
}


static void
accept_ctl(int listener)
{
    int     fd;
    size_t  i;

    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    for (i = 0; fd != -1 && i < MAX_CTL; i++) {
        if (ctls[i].fd == -1) {
            ctls[i].fd = fd;
            ctls[i].len = 0;
            return;
        }
    }

    if (fd != -1) {
        close(fd);
    }
}


static void
read_ctl(struct ctl *ctl)
{
    char        *nl;
    size_t       used;
    ssize_t      n;
    static char  reply[MAX_REPLY];

    n = read(ctl->fd, ctl->line + ctl->len, MAX_LINE - 1 - ctl->len);

    if (n <= 0) {
        close(ctl->fd);
        ctl->fd = -1;
        return;
    }

    ctl->len += (size_t) n;
    ctl->line[ctl->len] = '\0';

    while ((nl = strchr(ctl->line, '\n')) != NULL) {
        used = (size_t) (nl - ctl->line) + 1;
        *nl = '\0';
        fe_ctl(&fe, ctl->line, reply, sizeof(reply) - 1);
        strcat(reply, "\n");

        if (write(ctl->fd, reply, strlen(reply)) < 0) {
            close(ctl->fd);
            ctl->fd = -1;
            return;
        }

        memmove(ctl->line, ctl->line + used, ctl->len - used + 1);
        ctl->len -= used;
    }
}


static void
read_sip(void)
{
    ssize_t               n;
    socklen_t             len;
    static struct fe_msg  m;

    for ( ;; ) {
        len = sizeof(m.from);
        n = recvfrom(fe.sip_fd, m.buf, sizeof(m.buf) - 1, 0,
                     (struct sockaddr *) &m.from, &len);

        if (n < 0) {
            return;
        }

        m.len = (size_t) n;
        fe_call_input(&fe, &m);
    }
}


static void
turn(int ctl_fd)
{
    size_t           i;
    nfds_t           n;
    struct pollfd    p[2 + MAX_CTL + FE_MAX_CALLS];
    struct fe_call  *c;

    p[0] = (struct pollfd) { .fd = fe.sip_fd, .events = POLLIN };
    p[1] = (struct pollfd) { .fd = ctl_fd, .events = POLLIN };

    for (n = 2, i = 0; i < MAX_CTL; i++, n++) {
        p[n] = (struct pollfd) { .fd = ctls[i].fd, .events = POLLIN };
    }

    for (i = 0; i < FE_MAX_CALLS; i++) {
        c = &fe.calls[i];

        if (c->state != FE_FREE && c->rtp.fd != -1) {
            p[n++] = (struct pollfd) { .fd = c->rtp.fd, .events = POLLIN };
        }
    }

    poll(p, n, TICK);

    if (p[0].revents) {
        read_sip();
    }

    if (p[1].revents) {
        accept_ctl(ctl_fd);
    }

    for (i = 0; i < MAX_CTL; i++) {
        if (p[2 + i].revents && ctls[i].fd != -1) {
            read_ctl(&ctls[i]);
        }
    }

    for (i = 0; i < FE_MAX_CALLS; i++) {
        c = &fe.calls[i];

        if (c->state != FE_FREE && c->rtp.fd != -1) {
            fe_rtp_input(&c->rtp);
            fe_rtp_rtcp_input(&c->rtp);
        }
    }

    fe_call_tick(&fe, fe_now());
}


/* farend -C SOCKET WORD ...: says the command, prints the answer */

static int
client(int argc, char **argv)
{
    int                 fd, i;
    char                line[MAX_LINE];
    size_t              len;
    ssize_t             n;
    static char         reply[MAX_REPLY];
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    strncpy(sun.sun_path, argv[2], sizeof(sun.sun_path) - 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *) &sun, sizeof(sun)) == -1)
    {
        fatal(argv[2]);
    }

    for (i = 3, len = 0; i < argc && len < sizeof(line) - 2; i++) {
        len += (size_t) snprintf(line + len, sizeof(line) - 2 - len, "%s%s",
                                 i > 3 ? " " : "", argv[i]);
    }

    strcpy(line + (len < sizeof(line) - 2 ? len : sizeof(line) - 2), "\n");

    if (write(fd, line, strlen(line)) < 0) {
        fatal(argv[2]);
    }

    for (len = 0; len < sizeof(reply) - 1; len += (size_t) n) {
        n = read(fd, reply + len, sizeof(reply) - 1 - len);

        if (n <= 0 || memchr(reply + len, '\n', (size_t) n)) {
            break;
        }
    }

    fputs(reply, stdout);

    return strncmp(reply, "{\"error\"", 8) == 0;
}


int
main(int argc, char **argv)
{
    int          c, ctl_fd, i, min, max;
    const char  *listen_at, *path;

    if (argc > 3 && strcmp(argv[1], "-C") == 0) {
        return client(argc, argv);
    }

    min = 20000;
    max = 20999;
    listen_at = path = NULL;
    fe.answer_delay = 300;
    snprintf(fe.me, sizeof(fe.me), "sip:alice@ims.operator.example");

    while ((c = getopt(argc, argv, "l:x:c:m:p:r:s:")) != -1) {
        switch (c) {
        case 'l': listen_at = optarg; break;
        case 'x': snprintf(fe.core, sizeof(fe.core), "%s", optarg); break;
        case 'c': path = optarg; break;
        case 'm': snprintf(fe.me, sizeof(fe.me), "%s", optarg); break;
        case 'r': fe.answer_delay = atoi(optarg); break;
        case 'p':
            if (sscanf(optarg, "%d-%d", &min, &max) == 2 && min < max) {
                break;
            }

            /* fall through */

        case 's':
            if (c == 's' && fe_ctl_service(&fe, optarg) == 0) {
                break;
            }

            /* fall through */

        default:
            fprintf(stderr, "farend: bad option or value, see fe_main.c\n");
            return 2;
        }
    }

    if (!listen_at || !path || fe_sip_address(fe.core, &fe.core_addr) == -1)
    {
        fprintf(stderr, "farend: -l, -x and -c are needed\n");
        return 2;
    }

    for (i = 0; i < MAX_CTL; i++) {
        ctls[i].fd = -1;
    }

    srandom((unsigned) (getpid() ^ time(NULL)));
    fe.rtp_min = fe.rtp_next = (uint16_t) min;
    fe.rtp_max = (uint16_t) max;
    fe.sip_fd = open_sip(listen_at);
    ctl_fd = open_ctl(path);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);

    for ( ;; ) {
        turn(ctl_fd);
    }
}
