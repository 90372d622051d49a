/*
 * Copyright (C) the IMS portal authors
 *
 * The browser's half of ICE over TCP: an active candidate (RFC 6544) and
 * frames (RFC 4571); see browser.h.
 */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "browser.h"


int
browser_tcp(struct browser *b)
{
    int  old;

    old = b->fd;
    b->fd = -1;
    b->tcp = 1;
    b->in_len = 0;

    return old;
}


int
stream_open(const struct sockaddr_storage *to, socklen_t len)
{
    int  fd, on;

    on = 1;
    fd = socket(to->ss_family, SOCK_STREAM, 0);

    if (connect(fd, (const struct sockaddr *) to, len) != 0) {
        close(fd);
        return -1;
    }

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    return fd;
}


int
stream_send(int fd, const void *data, size_t len, int pieces)
{
    size_t   i, n;
    uint8_t  buf[2 + 65535];

    buf[0] = (uint8_t) (len >> 8);
    buf[1] = (uint8_t) len;
    memcpy(buf + 2, data, len);
    len += 2;

    for (i = 0; i < len; i += n) {
        n = pieces ? 1 : len - i;

        if (send(fd, buf + i, n, MSG_NOSIGNAL) != (ssize_t) n) {
            return 0;
        }
    }

    return 1;
}


int
stream_recv(struct browser *b, uint8_t *buf, int ms)
{
    size_t         len;
    ssize_t        n;
    struct pollfd  pfd;

    for ( ;; ) {
        len = (size_t) b->in_stream[0] << 8 | b->in_stream[1];

        if (b->in_len >= 2 && len <= BROWSER_PACKET && b->in_len >= 2 + len) {
            memcpy(buf, b->in_stream + 2, len);
            b->in_len -= 2 + len;
            memmove(b->in_stream, b->in_stream + 2 + len, b->in_len);

            return (int) len;
        }

        pfd.fd = b->fd;
        pfd.events = POLLIN;

        if (poll(&pfd, 1, ms) != 1) {
            return 0;
        }

        n = recv(b->fd, b->in_stream + b->in_len,
                 sizeof(b->in_stream) - b->in_len, 0);

        if (n <= 0) {
            return -1;
        }

        b->in_len += (size_t) n;
    }
}
