
/*
 * Copyright (C) the IMS portal authors
 */


/* Leaves the terminal and writes the PID file.  Owns nothing, no timer. */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mh_daemon.h"
#include "mh_log.h"


int
mh_daemon(const struct mh_conf *conf)
{
    int    err, fd, null;
    char   buf[32];
    pid_t  pid;

    fd = -1;

    if (conf->pid_file != NULL) {
        fd = open(conf->pid_file, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644);
        if (fd == -1) {
            err = errno;
            mh_err("pid file \"%s\": %s", conf->pid_file, strerror(err));
            return err;
        }
    }

    pid = fork();
    if (pid == -1) {
        err = errno;
        mh_err("no process of its own: %s", strerror(err));
        return err;
    }

    if (pid > 0) {

        if (fd != -1) {
            (void) snprintf(buf, sizeof(buf), "%ld\n", (long) pid);

            if (write(fd, buf, strlen(buf)) == -1) {
                mh_err("pid file \"%s\": %s", conf->pid_file,
                       strerror(errno));
            }
        }

        /* the sockets are the child's now: nothing is to be cleaned up */

        _exit(0);
    }

    if (fd != -1) {
        (void) close(fd);
    }

    (void) setsid();

    mh_log_init(true, conf->debug);

    null = open("/dev/null", O_RDWR);
    if (null == -1) {
        err = errno;
        mh_err("/dev/null: %s", strerror(err));
        return err;
    }

    (void) dup2(null, STDIN_FILENO);
    (void) dup2(null, STDOUT_FILENO);
    (void) dup2(null, STDERR_FILENO);

    if (null > STDERR_FILENO) {
        (void) close(null);
    }

    return 0;
}
