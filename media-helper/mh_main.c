
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Options, order of the start, the loop, the end.
 *
 *     options -> sockets, certificate -> descriptors -> (daemon) -> no file
 *     system, no privileges -> system call filter -> loop
 *
 * One timer, MH_TICK ms: DTLS retransmissions; each MH_SECOND ticks: calls,
 * the cache of replies, memory that goes back.
 */


#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_cmd.h"
#include "mh_conf.h"
#include "mh_ctl.h"
#include "mh_daemon.h"
#include "mh_ice.h"
#include "mh_log.h"
#include "mh_metrics.h"
#include "mh_sandbox.h"
#include "mh_srtp.h"
#include "mh_watch.h"


enum {
    MH_TICK = MH_LOAD_TICK,     /* ms */
    MH_SECOND = 20,             /* ticks */
    MH_PROFILES = 2,
    MH_FILES_SPARE = 1024       /* descriptors besides those of streams */
};


struct mh_main {
    struct mh_conf       *conf;
    struct mh_ctl        *ctl;
    struct mh_io         *io;
    struct mh_web        *web;
    struct mh_port_pool  *pools[MH_WEB_SOCKS];
    struct mh_calls      *calls;
    struct mh_srtp       *srtp[MH_PROFILES];
    struct mh_cmd         cmd;
    struct mh_watch       watch;
    int                   timer;
    unsigned              ticks;
    uid_t                 uid;
    gid_t                 gid;
};


static int mh_main_user(struct mh_main *m);
static void mh_main_ignore(void);
static int mh_main_open(struct mh_main *m);
static int mh_main_open_web(struct mh_main *m);
static int mh_main_open_ims(struct mh_main *m);
static int mh_main_open_control(struct mh_main *m);
static int mh_main_srtp(struct mh_main *m);
static unsigned mh_main_files(struct mh_main *m);
static int mh_main_run(struct mh_main *m, unsigned files);
static int mh_main_loop(struct mh_main *m, unsigned files);
static int mh_main_calls(struct mh_main *m);
static int mh_main_timer(struct mh_main *m);
static void mh_main_tick_h(int flags, void *arg);
static void mh_main_trim(struct mh_main *m);
static void mh_main_signal_h(int sig);
static void mh_main_close(struct mh_main *m);


int
main(int argc, char **argv)
{
    int                    err;
    unsigned               files;
    static struct mh_conf  conf;
    static struct mh_main  m;

    switch (mh_conf_parse(&conf, argc, argv)) {

    case MH_CONF_RUN:
        break;

    case MH_CONF_DONE:
        return 0;

    default:
        return 2;
    }

    mh_log_init(false, conf.debug);

    m.conf = &conf;
    m.timer = -1;

    err = mh_main_user(&m);
    if (err) {
        return 1;
    }

    if (conf.test) {
        (void) fprintf(stderr, "media-helper: configuration ok\n");
        return 0;
    }

    mh_main_ignore();

    err = mh_main_open(&m);

    if (err == 0) {
        files = mh_main_files(&m);

        if (!conf.foreground) {
            err = mh_daemon(&conf);
        }

        if (err == 0) {
            err = mh_main_run(&m, files);
        }
    }

    mh_main_close(&m);

    return err ? 1 : 0;
}


static int
mh_main_user(struct mh_main *m)
{
    m->uid = geteuid();
    m->gid = getegid();

    if (m->uid != 0) {

        if (m->conf->user != NULL) {
            mh_warn("option \"-u\" is of use for root only");
        }

        return 0;
    }

    if (m->conf->user == NULL) {
        m->conf->user = "nobody";
    }

    if (mh_sandbox_user(m->conf->user, &m->uid, &m->gid) != 0) {
        mh_err("no user \"%s\"", m->conf->user);
        return ENOENT;
    }

    return 0;
}


/* what others are told to do by signals must not end calls here */

static void
mh_main_ignore(void)
{
    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGHUP, SIG_IGN);
    (void) signal(SIGUSR1, SIG_IGN);
    (void) signal(SIGUSR2, SIG_IGN);
}


/* all that needs a name, a file or a privilege */

static int
mh_main_open(struct mh_main *m)
{
    int  err;

    err = mh_main_srtp(m);
    if (err) {
        mh_err("srtp backend \"%s\": %s", m->conf->backend, strerror(err));
        return err;
    }

    err = mh_main_open_web(m);

    if (err == 0) {
        err = mh_main_open_ims(m);
    }

    if (err == 0) {
        err = mh_main_open_control(m);
    }

    return err;
}


static int
mh_main_open_web(struct mh_main *m)
{
    int              err;
    struct mh_conf  *conf;

    conf = m->conf;

    err = mh_web_alloc(&m->web, conf->web, conf->webc, conf->tos);
    if (err) {
        mh_err("browser side %s: %s", mh_log_sa(&conf->web[0]),
               strerror(err));
        return err;
    }

    if (conf->tos_video != conf->tos) {
        mh_web_mark_video(m->web, conf->web, conf->webc, conf->tos_video);
    }

    if (conf->tcp_port) {
        err = mh_web_tcp(m->web, conf->web, conf->webc, conf->tos,
                         conf->tcp_port);
        if (err) {
            mh_err("browser side, TCP port %u: %s", conf->tcp_port,
                   strerror(err));
            return err;
        }
    }

    err = mh_web_certificate(m->web);
    if (err) {
        mh_err("no certificate: %s", strerror(err));
    }

    return err;
}


static int
mh_main_open_ims(struct mh_main *m)
{
    int                  err;
    unsigned             i;
    struct mh_conf      *conf;
    struct mh_port_pair  pair;

    conf = m->conf;

    for (i = 0; i < conf->imsc; i++) {
        err = mh_port_pool_alloc(&m->pools[i], &conf->ims[i],
                                 conf->port_min, conf->port_max);
        if (err) {
            mh_err("port range: %s", strerror(err));
            return err;
        }

        /* better now than with each call */

        err = mh_port_open(m->pools[i], conf->tos, &pair);
        if (err) {
            sa_set_port(&conf->ims[i], conf->port_min);
            mh_err("IMS side %s: %s", mh_log_sa(&conf->ims[i]),
                   err == ENOSPC ? "all ports are in use" : strerror(err));
            return err;
        }

        mh_port_close(&pair);
    }

    return 0;
}


static int
mh_main_open_control(struct mh_main *m)
{
    int              err;
    unsigned         i;
    struct mh_conf  *conf;

    conf = m->conf;

    err = mh_ctl_alloc(&m->ctl);
    if (err) {
        return err;
    }

    for (i = 0; i < conf->controlc; i++) {
        err = mh_ctl_listen(m->ctl, conf->controls[i],
                            geteuid() == 0 ? m->uid : (uid_t) -1,
                            conf->group);
        if (err) {
            mh_err("control socket \"%s\": %s", conf->controls[i],
                   strerror(err));
            return err;
        }
    }

    for (i = 0; i < conf->peerc; i++) {
        (void) mh_ctl_allow(m->ctl, conf->peers[i]);
    }

    return 0;
}


/*
 * A library may load parts of itself with its first cipher, and unload them
 * with its last: so one of each is made now, while there is a file system,
 * and stays.
 */

static int
mh_main_srtp(struct mh_main *m)
{
    int      err;
    size_t   i;
    uint8_t  key[MH_SRTP_KEY_MAX], salt[MH_SRTP_SALT_MAX];

    static const unsigned  profiles[MH_PROFILES] = {
        MH_SRTP_AES_CM_128_HMAC_SHA1_80,
        MH_SRTP_AEAD_AES_128_GCM
    };

    err = mh_srtp_backend_set(m->conf->backend);

    memset(key, 0, sizeof(key));
    memset(salt, 0, sizeof(salt));

    for (i = 0; i < MH_PROFILES && err == 0; i++) {
        err = mh_srtp_alloc(&m->srtp[i], MH_SRTP_PROTECT, profiles[i], key,
                            salt);
    }

    return err;
}


/*
 * Descriptors for the whole port range and for TCP, or shares of what is
 * allowed.  Returns how many there may be.
 */

static unsigned
mh_main_files(struct mh_main *m)
{
    unsigned         i, files, tcp, want;
    struct mh_conf  *conf;

    conf = m->conf;

    tcp = 0;
    want = MH_FILES_SPARE;

    for (i = 0; i < conf->imsc; i++) {
        want += 2 * mh_port_total(m->pools[i]);
    }

    if (conf->tcp_port) {
        /* about one for each call, as far as that goes */
        tcp = MH_TCP_STRANGERS + (want - MH_FILES_SPARE) / 2;
        tcp = (tcp < MH_TCP_MAX) ? tcp : MH_TCP_MAX;
        want += tcp * conf->webc;
    }

    files = mh_sandbox_files(want);
    mh_watch_limits(conf, m->web, want);

    if (conf->tcp_port && files < want) {
        tcp = files / 4 / conf->webc;
    }

    mh_web_tcp_limit(m->web, tcp);

    if (files < want) {
        mh_warn("%u open files allowed, the port range needs %u", files,
                want);

        for (i = 0; i < conf->imsc; i++) {
            mh_port_limit(m->pools[i], files / 4 / conf->imsc);
        }
    }

    return files;
}


/* from here on without privileges and files */

static int
mh_main_run(struct mh_main *m, unsigned files)
{
    int          err;
    bool         filter;
    const char  *reach;

    err = mh_sandbox_drop(m->uid, m->gid, &reach);
    if (err) {
        mh_err("giving up privileges failed: %s", strerror(err));
        return err;
    }

    err = mh_sandbox_enter(&filter);
    if (err) {
        mh_err("sandbox failed: %s", strerror(err));
        return err;
    }

    mh_info("media-helper started, srtp \"%s\", system calls %s, files %s",
            m->conf->backend, filter ? "filtered" : "not filtered", reach);

    err = mh_main_loop(m, files);

    mh_log_tick(UINT64_MAX);
    mh_info("media-helper stopped");

    return err;
}


static int
mh_main_loop(struct mh_main *m, unsigned files)
{
    int  err;

    err = libre_init();
    if (err) {
        return err;
    }

    /* libre keeps a table of descriptors, and ours may have any number */

    err = fd_setsize(files);

    if (err == 0) {
        err = poll_method_set(METHOD_EPOLL);
    }

    if (err == 0) {
        err = mh_io_alloc(&m->io);
    }

    if (err == 0) {
        err = mh_io_start(m->io);
    }

    if (err == 0) {
        err = mh_web_start(m->web, m->io);
    }

    if (err == 0) {
        err = mh_main_calls(m);
    }

    if (err == 0) {
        err = mh_ctl_start(m->ctl, mh_cmd_h, mh_metrics_write,
                           &m->cmd);
    }

    if (err == 0) {
        err = mh_main_timer(m);
    }

    if (err) {
        mh_err("start failed: %s", strerror(err));
        return err;
    }

    return re_main(mh_main_signal_h);
}


/* not one of libre's: those follow the wall clock */

static int
mh_main_timer(struct mh_main *m)
{
    struct itimerspec  it;

    m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK|TFD_CLOEXEC);
    if (m->timer == -1) {
        return errno;
    }

    memset(&it, 0, sizeof(it));
    it.it_interval.tv_nsec = MH_TICK * 1000000l;
    it.it_value.tv_nsec = MH_TICK * 1000000l;

    if (timerfd_settime(m->timer, 0, &it, NULL) == -1) {
        return errno;
    }

    return fd_listen(m->timer, FD_READ, mh_main_tick_h, m);
}


static int
mh_main_calls(struct mh_main *m)
{
    int                   err;
    unsigned              i;
    struct mh_conf       *conf;
    struct mh_calls_conf  cc;

    conf = m->conf;

    memset(&cc, 0, sizeof(cc));

    cc.io = m->io;
    cc.web = m->web;
    cc.web_addrc = conf->webc;
    cc.tcp_port = conf->tcp_port;
    cc.poolc = conf->imsc;
    cc.max_calls = conf->max_calls;
    cc.media_timeout = conf->media_timeout;
    cc.offer_timeout = conf->offer_timeout;
    mh_ice_consent_set(conf->consent * 1000ull);
    cc.learn = conf->learn;
    cc.tos = conf->tos;
    cc.tos_video = conf->tos_video;
    cc.video_cap = conf->video_cap;

    for (i = 0; i < conf->webc; i++) {
        sa_cpy(&cc.web_addrs[i], &conf->web_public[i]);
    }

    for (i = 0; i < conf->imsc; i++) {
        cc.pools[i] = m->pools[i];
        cc.pool_af[i] = sa_af(&conf->ims[i]);
    }

    err = mh_calls_alloc(&m->calls, &cc);
    if (err) {
        return err;
    }

    m->cmd.calls = m->calls;
    m->cmd.io = m->io;
    m->cmd.web = m->web;
    m->cmd.load = &m->watch.load;

    mh_watch_init(&m->watch, conf, m->web, m->pools, m->calls);
    m->cmd.ctl = m->ctl;
    m->cmd.started = (int64_t) tmr_jiffies();    /* the wall clock */

    return 0;
}


static void
mh_main_tick_h(int flags, void *arg)
{
    uint64_t         now, ticks;
    struct mh_main  *m = arg;

    (void) flags;

    if (read(m->timer, &ticks, sizeof(ticks)) != sizeof(ticks)) {
        return;
    }

    now = mh_clock();

    mh_web_tick(m->web, now);

    mh_watch_tick(&m->watch, now);

    if (++m->ticks % MH_SECOND == 0) {
        mh_watch_second(&m->watch, now);
        mh_calls_tick(m->calls, now);
        mh_ctl_tick(m->ctl, now);
        mh_log_tick(now);
        mh_main_trim(m);
    }
}


/*
 * A burst of handshakes leaves holes between what stays: glibc gives their
 * pages back only if it is asked to.  That takes some 20 ms per 1000 calls,
 * in which no packet passes, so not while there are handshakes: their memory
 * fills the holes again anyway.
 */

static void
mh_main_trim(struct mh_main *m)
{
    if (mh_web_settled(m->web)) {
#ifdef __GLIBC__
        (void) malloc_trim(0);
#endif
    }
}


static void
mh_main_signal_h(int sig)
{
    (void) sig;

    re_cancel();
}


/* the order matters: calls hold transports, these hold the shared port */

static void
mh_main_close(struct mh_main *m)
{
    unsigned  i;

    if (m->timer != -1) {
        fd_close(m->timer);
        (void) close(m->timer);
    }

    mem_deref(m->ctl);
    mem_deref(m->calls);
    mem_deref(m->web);
    mem_deref(m->io);

    for (i = 0; i < MH_WEB_SOCKS; i++) {
        mem_deref(m->pools[i]);
    }

    for (i = 0; i < MH_PROFILES; i++) {
        mem_deref(m->srtp[i]);
    }

    libre_close();
}
