/*
 * Copyright (C) the IMS portal authors
 *
 * A core that says yes: each SIP request that comes by UDP is answered 200 at
 * once, a REGISTER as an S-CSCF does it, with the Contact and the Path that
 * came, a Service-Route and the associated identity.
 *
 * With "ws" it speaks SIP over WebSocket instead, unmasked and without any
 * check: what stands behind an nginx that only passes bytes on.
 *
 * usage: core ADDRESS PORT [ws]
 */


#define _GNU_SOURCE                      /* memmem() */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


/* copied from the request, in the order they have there */

static const char  *kept[] = {
    "Via:", "From:", "To:", "Call-ID:", "CSeq:", "Path:", "Record-Route:",
    "Contact:", NULL
};


/* one line of the request into the answer; the new end */

static char *
core_line(char *p, const char *line, size_t len, int reg, const char *own)
{
    const char  *uri, *end;
    const char **name;

    for (name = kept; *name != NULL; name++) {
        if (strncasecmp(line, *name, strlen(*name)) == 0) {
            break;
        }
    }

    if (*name == NULL || (!reg && **name == 'C' && (*name)[1] == 'o')) {
        return p;
    }

    memcpy(p, line, len);
    p += len;

    if (strcmp(*name, "To:") != 0) {
        return p + sprintf(p, "\r\n");
    }

    p += sprintf(p, memmem(line, len, ";tag=", 5) ? "\r\n"
                                                 : ";tag=core\r\n");

    uri = memchr(line, '<', len);
    end = memchr(line, '>', len);

    if (reg && uri != NULL && end != NULL) {
        p += sprintf(p, "P-Associated-URI: %.*s\r\n"
                     "Service-Route: <sip:orig@%s;lr>\r\n",
                     (int) (end - uri + 1), uri, own);
    }

    return p;
}


/* the answer to a request; its length, 0: none */

static size_t
core_answer(char *in, char *out, const char *own)
{
    int    reg;
    char  *p, *line, *end;

    reg = (strncmp(in, "REGISTER ", 9) == 0);

    if (strncmp(in, "SIP/2.0 ", 8) == 0 || strncmp(in, "ACK ", 4) == 0) {
        return 0;
    }

    line = strstr(in, "\r\n");
    p = out + sprintf(out, "SIP/2.0 200 OK\r\n");

    while (line != NULL) {
        line += 2;
        end = strstr(line, "\r\n");

        if (end == NULL || end == line) {
            break;
        }

        p = core_line(p, line, end - line, reg, own);
        line = end;
    }

    if (strncmp(in, "INVITE ", 7) == 0) {
        p += sprintf(p, "Contact: <sip:far@%s>\r\n", own);
    }

    p += sprintf(p, "Content-Length: 0\r\n\r\n");

    return p - out;
}


/* one connection of "ws" */
struct peer {
    int     fd;
    int     open;                        /* the handshake is done */
    size_t  len;
    char    in[16384];
};


static const char  core_upgraded[] =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Protocol: sip\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";


/* the first masked frame of the browser is answered; the bytes that it took */

static size_t
core_frame(struct peer *peer, const char *own)
{
    size_t          i, len, head;
    unsigned char  *p;

    static char  text[65536], out[2 * 65536];

    p = (unsigned char *) peer->in;
    head = 6;
    len = peer->len >= 4 ? p[1] & 0x7f : 0;

    if (len == 126) {
        len = p[2] << 8 | p[3];
        head = 8;
    }

    if (peer->len < 4 || peer->len < head + len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        text[i] = p[head + i] ^ p[head - 4 + i % 4];
    }

    text[len] = '\0';

    i = (p[0] & 0xf) < 3 ? core_answer(text, out + 4, own) : 0;

    if (i > 0) {
        out[0] = (char) 0x81;
        out[1] = 126;
        out[2] = (char) (i >> 8);
        out[3] = (char) i;

        (void) send(peer->fd, out, 4 + i, MSG_NOSIGNAL);
    }

    return head + len;
}


static void
core_read(struct peer *peer, const char *own)
{
    size_t   used;
    ssize_t  n;

    n = recv(peer->fd, peer->in + peer->len, sizeof(peer->in) - peer->len - 1,
             0);

    if (n <= 0) {
        close(peer->fd);
        free(peer);
        return;
    }

    peer->len += n;

    if (!peer->open) {
        peer->in[peer->len] = '\0';

        if (strstr(peer->in, "\r\n\r\n") != NULL) {
            peer->open = 1;
            peer->len = 0;
            (void) send(peer->fd, core_upgraded, sizeof(core_upgraded) - 1,
                        MSG_NOSIGNAL);
        }

        return;
    }

    while ((used = core_frame(peer, own)) > 0) {
        peer->len -= used;
        memmove(peer->in, peer->in + used, peer->len);
    }
}


static void
core_ws(int fd, const char *own)
{
    int                 n, on, epoll;
    struct peer        *peer;
    struct epoll_event  ev, events[64];

    on = 1;
    epoll = epoll_create1(0);
    ev.events = EPOLLIN;
    ev.data.ptr = NULL;

    if (listen(fd, 4096) == -1
        || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
    {
        perror("core");
        return;
    }

    for ( ;; ) {
        n = epoll_wait(epoll, events, 64, -1);

        while (n-- > 0) {

            if (events[n].data.ptr != NULL) {
                core_read(events[n].data.ptr, own);
                continue;
            }

            peer = calloc(1, sizeof(struct peer));

            if (peer == NULL) {
                return;
            }

            peer->fd = accept(fd, NULL, NULL);
            ev.data.ptr = peer;

            setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &ev);
        }
    }
}


int
main(int argc, char **argv)
{
    int                 fd, size, ws;
    char                own[64];
    ssize_t             n;
    socklen_t           len;
    struct sockaddr_in  sin;

    static char  in[65536], out[2 * 65536];

    ws = (argc == 4 && strcmp(argv[3], "ws") == 0);

    if (argc != 3 && !ws) {
        fprintf(stderr, "usage: core ADDRESS PORT [ws]\n");
        return 2;
    }

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(atoi(argv[2]));

    fd = socket(AF_INET, ws ? SOCK_STREAM : SOCK_DGRAM, 0);
    size = 4 * 1024 * 1024;

    if (fd == -1
        || inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1
        || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        perror("core");
        return 1;
    }

    snprintf(own, sizeof(own), "%.40s:%.6s", argv[1], argv[2]);

    if (ws) {
        core_ws(fd, own);
        return 1;
    }

    for ( ;; ) {
        len = sizeof(sin);
        n = recvfrom(fd, in, sizeof(in) - 1, 0, (struct sockaddr *) &sin,
                     &len);

        if (n <= 0) {
            continue;
        }

        in[n] = '\0';
        n = core_answer(in, out, own);

        if (n > 0) {
            (void) sendto(fd, out, n, 0, (struct sockaddr *) &sin, len);
        }
    }
}
