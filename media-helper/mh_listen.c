
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Opens and closes control sockets.  Used by mh_ctl before privileges are
 * given up, and by mh_conf to judge names.
 */


#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <re.h>

#include "mh_listen.h"


enum {
    MH_LISTEN_BACKLOG = 128
};


static int mh_listen_unix(struct mh_listen *l, const char *path, uid_t uid,
    gid_t gid);
static bool mh_listen_stale(const struct mh_listen *l);
static int mh_listen_inet(struct mh_listen *l, const char *addr);
static int mh_listen_tcp(struct mh_listen *l);
static int mh_listen_addr(struct sa *sa, const char *addr);


bool
mh_listen_valid(const char *name)
{
    struct sa           sa;
    struct sockaddr_un  un;

    if (strncmp(name, "unix:", 5) == 0) {
        return name[5] != '\0' && strlen(name + 5) < sizeof(un.sun_path);
    }

    if (strncmp(name, "seqpacket:", 10) == 0) {
        return name[10] != '\0' && strlen(name + 10) < sizeof(un.sun_path);
    }

    if (strncmp(name, "http:", 5) == 0) {
        return mh_listen_addr(&sa, name + 5) == 0;
    }

    return (strncmp(name, "udp:", 4) == 0 || strncmp(name, "tcp:", 4) == 0)
           && mh_listen_addr(&sa, name + 4) == 0;
}


int
mh_listen_open(struct mh_listen *l, const char *name, uid_t uid, gid_t gid)
{
    if (!mh_listen_valid(name)) {
        return EINVAL;
    }

    memset(l, 0, sizeof(*l));
    l->fd = -1;

    l->kind = MH_CONN_STREAM;

    if (name[0] == 's') {
        l->type = SOCK_SEQPACKET;
        l->kind = MH_CONN_RECORD;
        return mh_listen_unix(l, name + 10, uid, gid);
    }

    if (name[1] == 'n') {
        l->type = SOCK_STREAM;
        return mh_listen_unix(l, name + 5, uid, gid);
    }

    if (name[0] == 'h') {
        l->type = SOCK_STREAM;
        l->kind = MH_CONN_HTTP;
        return mh_listen_inet(l, name + 5);
    }

    l->type = (name[0] == 't') ? SOCK_STREAM : SOCK_DGRAM;

    return mh_listen_inet(l, name + 4);
}


void
mh_listen_close(struct mh_listen *l)
{
    /*
     * Out of reach once locked in; then the next start replaces it.  Before
     * the close, or it may be that of the next one already.
     */

    if (l->un.sun_family == AF_UNIX) {
        (void) unlink(l->un.sun_path);
    }

    (void) close(l->fd);
}


static int
mh_listen_unix(struct mh_listen *l, const char *path, uid_t uid, gid_t gid)
{
    int     err;
    mode_t  mask;

    l->un.sun_family = AF_UNIX;
    str_ncpy(l->un.sun_path, path, sizeof(l->un.sun_path));

    if (mh_listen_stale(l)) {
        (void) unlink(path);
    }

    l->fd = socket(AF_UNIX, l->type|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (l->fd == -1) {
        return errno;
    }

    mask = umask(0117);
    err = bind(l->fd, (struct sockaddr *) &l->un, sizeof(l->un)) ? errno : 0;
    (void) umask(mask);

    if (err) {
        (void) close(l->fd);
        return err;
    }

    if ((uid != (uid_t) -1 || gid != (gid_t) -1)
        && chown(path, uid, gid) == -1)
    {
        err = errno;

    } else if (listen(l->fd, MH_LISTEN_BACKLOG) == -1) {
        err = errno;
    }

    if (err) {
        (void) close(l->fd);
        (void) unlink(path);
    }

    return err;
}


/* a socket file whose owner is gone */

static bool
mh_listen_stale(const struct mh_listen *l)
{
    int          fd, rc, err;
    struct stat  st;

    if (lstat(l->un.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode)) {
        return false;
    }

    fd = socket(AF_UNIX, l->type|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);
    if (fd == -1) {
        return false;
    }

    rc = connect(fd, (const struct sockaddr *) &l->un, sizeof(l->un));
    err = errno;
    (void) close(fd);

    return rc == -1 && err == ECONNREFUSED;
}


static int
mh_listen_inet(struct mh_listen *l, const char *addr)
{
    int        err;
    struct sa  sa;

    err = mh_listen_addr(&sa, addr);
    if (err) {
        return err;
    }

    l->fd = socket(sa_af(&sa), l->type|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (l->fd == -1) {
        return errno;
    }

    err = (l->type == SOCK_STREAM) ? mh_listen_tcp(l) : 0;

    if (err == 0 && bind(l->fd, &sa.u.sa, sa.len) == -1) {
        err = errno;
    }

    if (err == 0 && l->type == SOCK_STREAM
        && listen(l->fd, MH_LISTEN_BACKLOG) == -1)
    {
        err = errno;
    }

    if (err) {
        (void) close(l->fd);
    }

    return err;
}


/*
 * What connections inherit: a peer that is gone without a word is found out
 * after some five minutes, and no reply waits for another one.
 */

static int
mh_listen_tcp(struct mh_listen *l)
{
    int  on, idle, interval, probes;

    on = 1;
    idle = 180;
    interval = 30;
    probes = 4;

    if (setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == -1
        || setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
        || setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle,
                      sizeof(idle)) == -1
        || setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
                      sizeof(interval)) == -1
        || setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes,
                      sizeof(probes)) == -1)
    {
        return errno;
    }

    return 0;
}


/* a reply must leave from where the request came to: no wildcard address */

static int
mh_listen_addr(struct sa *sa, const char *addr)
{
    memset(sa, 0, sizeof(*sa));

    if (sa_decode(sa, addr, strlen(addr)) != 0
        || sa_port(sa) == 0 || sa_is_any(sa))
    {
        return EINVAL;
    }

    return 0;
}
