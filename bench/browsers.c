/*
 * Copyright (C) the IMS portal authors
 *
 * Many browsers in one process, driven by commands on standard input; each is
 * answered by one line on standard output when it is done:
 *
 *   lease N        users 1..N get their identities, over plain HTTP
 *   idle N RATE    N more keep-alive connections that made one GET
 *   open N RATE    N more browsers: connect, upgrade, REGISTER, 200
 *   message N RATE N MESSAGEs, round robin, each awaits its 200
 *
 * "lease" comes first and says how many there will be at most.  RATE is how
 * many begin per second, 0: as many as the window admits.  Between commands all
 * are idle and answer pings.
 *
 * usage: browsers ADDRESS PLAIN_PORT TLS_PORT plain|tls WINDOW
 */


#include "sip_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


enum {
    MAX_IN = 4096,                       /* of one answer */
    EVENTS = 256,
    STALLED = 20                         /* s without any progress */
};


enum state {
    NONE = 0,
    CONNECTING,
    HANDSHAKE,                           /* TLS */
    GETTING,                             /* an HTTP answer is awaited */
    UPGRADING,
    ASKING,                              /* a SIP answer is awaited */
    IDLE
};


enum task { LEASE, KEEP, OPEN, MESSAGE };


struct browser {
    int         fd;
    SSL        *ssl;
    enum state  state;
    unsigned    user;
    unsigned    seq;
    size_t      in_len;
    char        identity[LOAD_MAX_IDENTITY];
    char        in[MAX_IN];
};


static struct {
    int                 epoll;
    int                 tls;
    unsigned            window;
    struct sockaddr_in  plain_addr;
    struct sockaddr_in  tls_addr;
    SSL_CTX            *ctx;
    struct browser     *browsers;
    unsigned            nbrowsers;

    enum task           task;            /* the command under way */
    unsigned            total;
    unsigned            begun;
    unsigned            done;
    unsigned            opened;          /* by all commands */
    unsigned            next;            /* round robin */
} load;


static void
die(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    fprintf(stderr, "browsers: ");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);

    exit(1);
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
browser_send(struct browser *b, const char *p, size_t len)
{
    ssize_t  n;

    n = b->ssl ? SSL_write(b->ssl, p, len) : write(b->fd, p, len);

    if (n != (ssize_t) len) {
        die("user %u: cannot send %zu bytes: %s", b->user, len,
            strerror(errno));
    }
}


static void
browser_done(struct browser *b)
{
    b->state = IDLE;
    load.done++;
}


static void
browser_close(struct browser *b)
{
    if (b->ssl) {
        SSL_free(b->ssl);
    }

    close(b->fd);
    b->ssl = NULL;
    b->state = NONE;
}


static void
browser_connect(struct browser *b)
{
    int                  on;
    struct epoll_event   ev;
    struct sockaddr_in  *sin;

    sin = load.tls && load.task != LEASE ? &load.tls_addr : &load.plain_addr;
    on = 1;

    b->in_len = 0;
    b->state = CONNECTING;
    b->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);

    if (b->fd == -1) {
        die("socket: %s", strerror(errno));
    }

    setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    if (connect(b->fd, (struct sockaddr *) sin, sizeof(*sin)) == -1
        && errno != EINPROGRESS)
    {
        die("connect: %s", strerror(errno));
    }

    ev.events = EPOLLIN|EPOLLOUT|EPOLLRDHUP|EPOLLET;
    ev.data.ptr = b;

    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, b->fd, &ev) == -1) {
        die("epoll_ctl: %s", strerror(errno));
    }
}


/* the connection stands */

static void
browser_up(struct browser *b)
{
    char    out[LOAD_MAX_OUT];
    size_t  n;

    switch (load.task) {

    case LEASE:
        n = load_lease(out, b->user);
        b->state = GETTING;
        break;

    case KEEP:
        n = load_get(out, b->user);
        b->state = GETTING;
        break;

    default:
        n = load_upgrade(out, b->user);
        b->state = UPGRADING;
        break;
    }

    browser_send(b, out, n);
}


static void
browser_handshake(struct browser *b)
{
    int        rc;
    int        err;
    socklen_t  len;

    if (b->state == CONNECTING) {
        err = 0;
        len = sizeof(err);

        if (getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1 || err) {
            die("connect: %s", strerror(err));
        }

        if (!load.tls || load.task == LEASE) {
            browser_up(b);
            return;
        }

        b->ssl = SSL_new(load.ctx);

        if (b->ssl == NULL || SSL_set_fd(b->ssl, b->fd) != 1) {
            die("no memory");
        }

        b->state = HANDSHAKE;
    }

    rc = SSL_connect(b->ssl);

    if (rc == 1) {
        browser_up(b);
        return;
    }

    rc = SSL_get_error(b->ssl, rc);

    if (rc != SSL_ERROR_WANT_READ && rc != SSL_ERROR_WANT_WRITE) {
        die("TLS handshake failed");
    }
}


/* what a registered browser asks next; awaits 200 */

static void
browser_ask(struct browser *b)
{
    char    out[LOAD_MAX_OUT];
    size_t  n;

    b->seq++;
    b->state = ASKING;

    n = load.task == MESSAGE ? load_message(out, b->user, b->identity, b->seq)
                             : load_register(out, b->user, b->identity,
                                             b->seq);
    browser_send(b, out, n);
}


static void
browser_http(struct browser *b)
{
    char   *p, *end;
    size_t  len;

    b->in[b->in_len] = '\0';

    end = strstr(b->in, "\r\n\r\n");

    if (end == NULL) {
        return;
    }

    if (b->state == UPGRADING) {

        if (strncmp(b->in, "HTTP/1.1 101", 12) != 0) {
            die("user %u: %.40s", b->user, b->in);
        }

        b->in_len = 0;
        browser_ask(b);
        return;
    }

    if (strncmp(b->in, "HTTP/1.1 20", 11) != 0) {
        die("user %u: %.40s", b->user, b->in);
    }

    if (load.task == KEEP) {
        b->in_len = 0;
        browser_done(b);
        return;
    }

    p = strstr(end, "\"identity\":\"");

    if (p == NULL || strchr(p, '}') == NULL) {
        return;
    }

    p += sizeof("\"identity\":\"") - 1;
    len = strcspn(p, "\"");

    if (len >= LOAD_MAX_IDENTITY) {
        die("identity too long");
    }

    memcpy(b->identity, p, len);
    b->identity[len] = '\0';

    browser_close(b);
    load.done++;
}


static void
browser_message(struct browser *b, unsigned opcode, const char *p, size_t len)
{
    char    out[LOAD_MAX_OUT];
    size_t  n;

    if (opcode == 0x9) {
        n = load_control(out, 0xa, p, len);
        browser_send(b, out, n);
        return;
    }

    if (opcode == 0x8) {
        die("user %u: closed by the server", b->user);
    }

    if (b->state != ASKING || len < 12 || memcmp(p, "SIP/2.0 1", 9) == 0) {
        return;
    }

    if (memcmp(p, "SIP/2.0 200", 11) != 0) {
        die("user %u: %.*s", b->user, (int) strcspn(p, "\r"), p);
    }

    browser_done(b);
}


/* whole frames of the server, which are not masked */

static void
browser_frames(struct browser *b)
{
    size_t          len, header;
    unsigned char  *p;

    p = (unsigned char *) b->in;

    while (b->in_len >= 2) {
        len = p[1];
        header = 2;

        if (len == 126) {
            if (b->in_len < 4) {
                return;
            }

            len = p[2] << 8 | p[3];
            header = 4;
        }

        if (len > MAX_IN - header - 1) {
            die("user %u: a frame of %zu bytes", b->user, len);
        }

        if (b->in_len < header + len) {
            return;
        }

        browser_message(b, p[0] & 0xf, b->in + header, len);

        b->in_len -= header + len;
        memmove(b->in, b->in + header + len, b->in_len);
    }
}


static void
browser_read(struct browser *b)
{
    int      err;
    ssize_t  n;
    size_t   room;

    for ( ;; ) {
        room = MAX_IN - 1 - b->in_len;

        if (b->ssl) {
            n = SSL_read(b->ssl, b->in + b->in_len, room);

            if (n <= 0) {
                err = SSL_get_error(b->ssl, n);

                if (err == SSL_ERROR_WANT_READ) {
                    return;
                }
            }

        } else {
            n = read(b->fd, b->in + b->in_len, room);

            if (n == -1 && errno == EAGAIN) {
                return;
            }
        }

        if (n <= 0) {
            die("user %u: connection lost", b->user);
        }

        b->in_len += n;

        if (b->state == GETTING || b->state == UPGRADING) {
            browser_http(b);

        } else {
            browser_frames(b);
        }

        if (b->state == NONE) {
            return;
        }
    }
}


static void
browser_event(struct browser *b, unsigned events)
{
    if (b->state == NONE) {
        return;
    }

    if (b->state == CONNECTING || b->state == HANDSHAKE) {

        if (b->state == CONNECTING && !(events & (EPOLLOUT|EPOLLERR))) {
            return;
        }

        browser_handshake(b);

        if (b->state == CONNECTING || b->state == HANDSHAKE) {
            return;
        }
    }

    browser_read(b);
}


/* the next of the command under way */

static void
load_begin(void)
{
    struct browser  *b;

    if (load.task == MESSAGE) {

        do {
            b = &load.browsers[load.next++ % load.nbrowsers];
        } while (b->state != IDLE);

        browser_ask(b);

    } else {
        b = &load.browsers[load.task == LEASE ? load.begun : load.opened++];
        b->user = b - load.browsers + 1;
        browser_connect(b);
    }

    load.begun++;
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

    printf("done %u %.3f\n", load.done, now() - start);
    fflush(stdout);
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
load_commands(void)
{
    int       i;
    char      line[256], name[16];
    double    rate;
    unsigned  n;

    static const char  *names[] = { "lease", "idle", "open", "message" };

    while (load_command(line, sizeof(line))) {
        rate = 0;

        if (sscanf(line, "%15s %u %lf", name, &n, &rate) < 2) {
            die("unknown command \"%s\"", line);
        }

        for (i = LEASE; i <= MESSAGE && strcmp(name, names[i]) != 0; i++) {
            /* void */
        }

        if (i > MESSAGE) {
            die("unknown command \"%s\"", name);
        }

        if (i == LEASE && load.browsers == NULL) {
            load.browsers = calloc(n, sizeof(struct browser));
            load.nbrowsers = n;
        }

        if (load.browsers == NULL
            || ((i == KEEP || i == OPEN) && load.opened + n > load.nbrowsers))
        {
            die("\"lease\" comes first, for all");
        }

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
