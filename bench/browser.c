/*
 * Copyright (C) the IMS portal authors
 *
 * One browser of the load tool.  Whatever goes wrong ends the tool: a figure of
 * a run with errors would mean nothing.
 */


#include "browser.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


void
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


double
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

    if (load.times != NULL && b->asked) {
        load.times[load.done] = now() - b->asked;
    }

    b->asked = 0;
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


void
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

void
browser_ask(struct browser *b)
{
    char    out[LOAD_MAX_OUT];
    size_t  n;

    b->seq++;
    b->state = ASKING;
    b->asked = now();

    switch (load.task) {

    case MESSAGE:
        n = load_message(out, b->user, b->identity, b->seq);
        break;

    case CALL:
    case HOLD:
        n = load_invite(out, b->user, b->identity, b->seq);
        b->state = CALLING;
        break;

    case INFO:
        n = load_within(out, "INFO", b->user, b->identity, &b->call);
        break;

    default:
        n = load_register(out, b->user, b->identity, b->seq);
        break;
    }

    browser_send(b, out, n);
}


/* the call is answered: ACK, and BYE unless it is to stay */

static void
browser_answered(struct browser *b, const char *p, size_t len)
{
    char    out[LOAD_MAX_OUT];
    size_t  n;

    load_answer(&b->call, b->seq, p, len);

    n = load_within(out, "ACK", b->user, b->identity, &b->call);
    browser_send(b, out, n);

    if (load.task == HOLD) {
        browser_done(b);
        return;
    }

    b->state = ASKING;
    n = load_within(out, "BYE", b->user, b->identity, &b->call);
    b->call.seq = 0;
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

    if ((b->state != ASKING && b->state != CALLING) || len < 12
        || memcmp(p, "SIP/2.0 1", 9) == 0)
    {
        return;
    }

    if (memcmp(p, "SIP/2.0 200", 11) != 0) {
        die("user %u: %.*s", b->user, (int) strcspn(p, "\r"), p);
    }

    if (b->state == CALLING) {
        browser_answered(b, p, len);
        return;
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


void
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
