/*
 * Sockets of ims-login: one poll loop.  A client gets IL_TIMEOUT for its
 * request and the answer, so that a slow one costs a slot and nothing else.
 */

/* Copyright (C) the IMS portal authors */


#define _GNU_SOURCE

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ims_login.h"


struct il_conn {
    int     fd;                 /* -1: free */
    long    deadline;           /* ms */
    size_t  len;                /* of the request so far */
    size_t  answer_len;         /* 0: still reading */
    size_t  sent;
    char    request[IL_MAX_HEAD + IL_MAX_BODY + 1];
    char    answer[IL_MAX_ANSWER];
};


static volatile sig_atomic_t  il_stop;


static void
il_on_signal(int signo)
{
    (void) signo;

    il_stop = 1;
}


static long
il_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
il_listen_unix(const char *path)
{
    int                 fd;
    struct stat         st;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(sun.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    strcpy(sun.sun_path, path);

    /* left by a killed one */
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        (void) unlink(path);
    }

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd != -1
        && (bind(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0
            || listen(fd, 64) != 0))
    {
        close(fd);
        return -1;
    }

    return fd;
}


static int
il_listen_inet(const char *addr)
{
    int               fd, one;
    char              host[256];
    size_t            len;
    const char       *colon, *name;
    struct addrinfo   hints, *ai;

    colon = strrchr(addr, ':');
    len = colon == NULL ? 0 : (size_t) (colon - addr);

    if (len == 0 || len >= sizeof(host)) {
        errno = EINVAL;
        return -1;
    }

    memcpy(host, addr, len);
    host[len] = '\0';
    name = host;

    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        name = host + 1;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;

    if (getaddrinfo(name, colon + 1, &hints, &ai) != 0) {
        errno = EINVAL;
        return -1;
    }

    one = 1;
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd != -1
        && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0
            || bind(fd, ai->ai_addr, ai->ai_addrlen) != 0
            || listen(fd, 64) != 0))
    {
        close(fd);
        fd = -1;
    }

    freeaddrinfo(ai);

    return fd;
}


static void
il_close(struct il_conn *c)
{
    close(c->fd);
    c->fd = -1;

    /* passwords and tokens were in there */
    explicit_bzero(c->request, sizeof(c->request));
    explicit_bzero(c->answer, sizeof(c->answer));
}


static void
il_accept(int fd, struct il_conn *conns)
{
    int     s;
    size_t  i;

    for (i = 0; i < IL_MAX_CONNS; i++) {

        if (conns[i].fd != -1) {
            continue;
        }

        s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (s == -1) {
            return;
        }

        conns[i].fd = s;
        conns[i].deadline = il_now() + IL_TIMEOUT;
        conns[i].len = 0;
        conns[i].answer_len = 0;
        conns[i].sent = 0;
    }
}


static void
il_write(struct il_conn *c)
{
    ssize_t  n;

    n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent,
             MSG_NOSIGNAL);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n > 0) {
        c->sent += (size_t) n;

        if (c->sent < c->answer_len) {
            return;
        }
    }

    il_close(c);
}


static void
il_read(const struct il_site *site, struct il_conn *c)
{
    ssize_t  n;

    n = recv(c->fd, c->request + c->len, sizeof(c->request) - 1 - c->len, 0);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0) {
        il_close(c);
        return;
    }

    c->len += (size_t) n;
    c->request[c->len] = '\0';

    if (!il_http_complete(c->request, c->len)
        && c->len < sizeof(c->request) - 1)
    {
        return;
    }

    c->answer_len = il_http_answer(site, c->request, c->len, c->answer);

    if (c->answer_len == 0) {
        il_close(c);
        return;
    }

    il_write(c);
}


/*
 * Fills the poll set: first the listener, while there is a free slot.
 * Returns how long to wait, in ms, -1 for ever.
 */

static int
il_prepare(int fd, struct il_conn *conns, struct pollfd *set)
{
    int     used;
    long    now, next;
    size_t  i;

    now = il_now();
    next = now + IL_TIMEOUT;
    used = 0;

    for (i = 0; i < IL_MAX_CONNS; i++) {

        if (conns[i].fd != -1 && conns[i].deadline <= now) {
            il_close(&conns[i]);
        }

        set[i + 1].fd = conns[i].fd;
        set[i + 1].events = conns[i].answer_len > 0 ? POLLOUT : POLLIN;
        set[i + 1].revents = 0;

        if (conns[i].fd != -1) {
            used++;

            if (conns[i].deadline < next) {
                next = conns[i].deadline;
            }
        }
    }

    set[0].fd = used < IL_MAX_CONNS ? fd : -1;
    set[0].events = POLLIN;
    set[0].revents = 0;

    return used == 0 ? -1 : (int) (next - now) + 1;
}


static void
il_loop(const struct il_site *site, int fd, struct il_conn *conns,
    const sigset_t *mask)
{
    int              wait;
    size_t           i;
    struct pollfd    set[IL_MAX_CONNS + 1];
    struct timespec  ts;

    while (!il_stop) {
        wait = il_prepare(fd, conns, set);

        ts.tv_sec = wait / 1000;
        ts.tv_nsec = (wait % 1000) * 1000000L;

        if (ppoll(set, IL_MAX_CONNS + 1, wait == -1 ? NULL : &ts, mask) < 1) {
            continue;
        }

        for (i = 0; i < IL_MAX_CONNS; i++) {

            if (set[i + 1].fd == -1 || set[i + 1].revents == 0) {
                continue;
            }

            if (conns[i].answer_len > 0) {
                il_write(&conns[i]);

            } else {
                il_read(site, &conns[i]);
            }
        }

        if (set[0].revents != 0) {
            il_accept(fd, conns);
        }
    }
}


int
il_serve(const struct il_site *site, const char *addr)
{
    int                fd;
    size_t             i;
    sigset_t           blocked, mask;
    const char        *path;
    struct sigaction   sa;
    struct il_conn    *conns;

    path = strncmp(addr, "unix:", 5) == 0 ? addr + 5 : NULL;

    fd = path != NULL ? il_listen_unix(path) : il_listen_inet(addr);
    conns = calloc(IL_MAX_CONNS, sizeof(*conns));

    if (fd == -1 || conns == NULL) {
        il_log("cannot listen on \"%s\": %s", addr, strerror(errno));
        free(conns);
        return 1;
    }

    for (i = 0; i < IL_MAX_CONNS; i++) {
        conns[i].fd = -1;
    }

    /* signals come in ppoll() only, so none is missed */

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = il_on_signal;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &mask);
    sigdelset(&mask, SIGTERM);
    sigdelset(&mask, SIGINT);

    il_log("demonstration login, not for production; listening on \"%s\"",
           addr);
    il_loop(site, fd, conns, &mask);

    for (i = 0; i < IL_MAX_CONNS; i++) {
        if (conns[i].fd != -1) {
            il_close(&conns[i]);
        }
    }

    close(fd);

    if (path != NULL) {
        (void) unlink(path);
    }

    free(conns);
    il_log("stopped");

    return 0;
}
