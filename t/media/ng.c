/*
 * Copyright (C) the IMS portal authors
 *
 * The ng protocol as proxies speak it: "COOKIE BENCODE", over UDP or over a
 * Unix socket.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ng.h"


enum {
    REPLY_MS = 3000,
    DEPTH = 32
};


static int
open_unix(const char *path, int type)
{
    int                 fd;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);

    fd = socket(AF_UNIX, type, 0);

    if (connect(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0) {
        close(fd);
        return -1;
    }

    return fd;
}


static int
open_udp(const char *spec)
{
    int                  fd;
    char                 host[64];
    const char          *port;
    struct sockaddr_in   sin;

    port = strrchr(spec, ':');
    if (port == NULL || (size_t) (port - spec) >= sizeof(host)) {
        return -1;
    }

    memcpy(host, spec, (size_t) (port - spec));
    host[port - spec] = '\0';

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((unsigned short) atoi(port + 1));

    if (inet_pton(AF_INET, host, &sin.sin_addr) != 1) {
        return -1;
    }

    fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0) {
        close(fd);
        return -1;
    }

    return fd;
}


int
ng_open(struct ng *ng, const char *spec)
{
    memset(ng, 0, sizeof(*ng));

    if (strncmp(spec, "unix:", 5) == 0) {
        ng->fd = open_unix(spec + 5, SOCK_STREAM);

    } else if (strncmp(spec, "seqpacket:", 10) == 0) {
        ng->fd = open_unix(spec + 10, SOCK_SEQPACKET);

    } else if (strncmp(spec, "udp:", 4) == 0) {
        ng->fd = open_udp(spec + 4);

    } else {
        ng->fd = -1;
    }

    return (ng->fd == -1) ? -1 : 0;
}


void
ng_close(struct ng *ng)
{
    close(ng->fd);
    ng->fd = -1;
}


static void
put(struct ng *ng, const char *data, size_t len)
{
    if (len <= sizeof(ng->out) - ng->out_len) {
        memcpy(ng->out + ng->out_len, data, len);
        ng->out_len += len;
    }
}


static void
put_string(struct ng *ng, const char *s, size_t len)
{
    char  head[24];

    put(ng, head, (size_t) snprintf(head, sizeof(head), "%zu:", len));
    put(ng, s, len);
}


void
ng_begin(struct ng *ng, const char *command)
{
    char             head[48];
    static unsigned  serial;

    /* a server keeps replies by the cookie alone, whatever socket it is */

    ng->out_len = 0;
    put(ng, head, (size_t) snprintf(head, sizeof(head), "%d_%u d",
                                    (int) getpid(), ++serial));
    ng_str(ng, "command", command);
}


void
ng_str(struct ng *ng, const char *key, const char *value)
{
    put_string(ng, key, strlen(key));
    put_string(ng, value, strlen(value));
}


void
ng_list(struct ng *ng, const char *key, const char *words)
{
    size_t  n;

    put_string(ng, key, strlen(key));
    put(ng, "l", 1);

    while (*words != '\0') {
        n = strcspn(words, " ");
        put_string(ng, words, n);
        words += n;
        words += strspn(words, " ");
    }

    put(ng, "e", 1);
}


/* @return what follows the value at p, or NULL if it is cut off or bad */

static const char *
skip(const char *p, const char *end, int depth)
{
    char           *after;
    unsigned long   n;

    if (p == NULL || p >= end || depth > DEPTH) {
        return NULL;
    }

    if (*p == 'i') {
        p = memchr(p, 'e', (size_t) (end - p));
        return p ? p + 1 : NULL;
    }

    if (*p == 'l' || *p == 'd') {
        for (p++; p < end && *p != 'e'; ) {
            p = skip(p, end, depth + 1);
            if (p == NULL) {
                return NULL;
            }
        }

        return (p < end) ? p + 1 : NULL;
    }

    if (memchr(p, ':', (size_t) (end - p)) == NULL) {
        return NULL;
    }

    n = strtoul(p, &after, 10);

    if (*after != ':' || n > (unsigned long) (end - after - 1)) {
        return NULL;
    }

    return after + 1 + n;
}


/* reads until the value after the cookie is whole */

static int
receive(struct ng *ng, int ms)
{
    char           *sp;
    ssize_t         n;
    struct pollfd   pfd;

    ng->in_len = 0;

    for ( ;; ) {
        pfd.fd = ng->fd;
        pfd.events = POLLIN;

        if (poll(&pfd, 1, ms) != 1) {
            return -1;
        }

        n = recv(ng->fd, ng->in + ng->in_len,
                 sizeof(ng->in) - 1 - ng->in_len, 0);
        if (n <= 0) {
            return -1;
        }

        ng->in_len += (size_t) n;
        ng->in[ng->in_len] = '\0';
        sp = memchr(ng->in, ' ', ng->in_len);

        if (sp != NULL && skip(sp + 1, ng->in + ng->in_len, 0) != NULL) {
            break;
        }
    }

    n = sp - ng->in;

    if ((size_t) n < ng->out_len && memcmp(ng->in, ng->out, (size_t) n + 1)) {
        return receive(ng, ms);
    }

    ng->in_len -= (size_t) n + 1;
    memmove(ng->in, sp + 1, ng->in_len + 1);

    return 0;
}


static int
result(struct ng *ng)
{
    const char  *text;

    if (receive(ng, REPLY_MS) == -1) {
        return -1;
    }

    text = ng_get(ng, "result");

    return strcmp(text, "ok") == 0 || strcmp(text, "pong") == 0;
}


int
ng_again(struct ng *ng)
{
    if (send(ng->fd, ng->out, ng->out_len, MSG_NOSIGNAL) == -1) {
        return -1;
    }

    return result(ng);
}


int
ng_send_pieces(struct ng *ng)
{
    size_t  i;

    put(ng, "e", 1);

    for (i = 0; i < ng->out_len; i++) {
        if (send(ng->fd, ng->out + i, 1, MSG_NOSIGNAL) == -1) {
            return -1;
        }

        usleep(200);
    }

    return result(ng);
}


int
ng_send(struct ng *ng)
{
    put(ng, "e", 1);

    return ng_again(ng);
}


void
ng_raw(struct ng *ng, const void *data, size_t len)
{
    ng->out_len = 0;

    if (len != 0) {
        (void) send(ng->fd, data, len, MSG_NOSIGNAL);
    }

    (void) receive(ng, 200);
}


const char *
ng_get(struct ng *ng, const char *key)
{
    size_t       n;
    const char  *p, *end, *value, *next;

    static char  found[NG_MAX];

    found[0] = '\0';
    p = ng->in;
    end = ng->in + ng->in_len;

    if (p == end || *p++ != 'd') {
        return found;
    }

    while (p < end && *p != 'e') {
        value = skip(p, end, 0);
        next = skip(value, end, 0);
        n = strlen(key);

        if (value == NULL || next == NULL) {
            break;
        }

        if ((size_t) (value - p) > n && memcmp(value - n, key, n) == 0
            && value[-(ssize_t) n - 1] == ':')
        {
            if (*value >= '0' && *value <= '9') {
                value = strchr(value, ':') + 1;
            }

            memcpy(found, value, (size_t) (next - value));
            found[next - value] = '\0';
            break;
        }

        p = next;
    }

    return found;
}
