
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the process's privileges on their way down.  Built without
 * libseccomp there is no filter of system calls.  Built with a sanitizer
 * (MH_SANITIZE) there is neither that nor a new root, because its leak check
 * reads /proc and traces the process.
 */


#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef MH_SECCOMP
#include <seccomp.h>
#endif

#include "mh_sandbox.h"


#ifdef MH_SECCOMP

static const int  mh_sandbox_calls[] = {
    SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(brk),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(close),
    SCMP_SYS(connect), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait),
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(fcntl), SCMP_SYS(fstat),
    SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(getrandom),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday), SCMP_SYS(lseek), SCMP_SYS(madvise),
    SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap),
    SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(newfstatat),
    SCMP_SYS(poll), SCMP_SYS(read), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg), SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_yield), SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown), SCMP_SYS(socket), SCMP_SYS(time),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(uname), SCMP_SYS(unlink), SCMP_SYS(write), SCMP_SYS(writev)
};

#endif


int
mh_sandbox_user(const char *name, uid_t *uid, gid_t *gid)
{
    struct passwd  *pw;

    pw = getpwnam(name);
    if (pw == NULL) {
        return ENOENT;
    }

    *uid = pw->pw_uid;
    *gid = pw->pw_gid;

    return 0;
}


unsigned
mh_sandbox_files(unsigned want)
{
    struct rlimit  rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) == -1) {
        return 0;
    }

    if (rl.rlim_cur < want) {
        rl.rlim_cur = want;

        if (rl.rlim_max < want) {
            rl.rlim_max = want;

            if (setrlimit(RLIMIT_NOFILE, &rl) == 0) {
                return want;
            }

            (void) getrlimit(RLIMIT_NOFILE, &rl);
            rl.rlim_cur = rl.rlim_max;
        }

        (void) setrlimit(RLIMIT_NOFILE, &rl);
        (void) getrlimit(RLIMIT_NOFILE, &rl);
    }

    return rl.rlim_cur > want ? want : (unsigned) rl.rlim_cur;
}


int
mh_sandbox_drop(uid_t uid, gid_t gid)
{
#ifndef MH_SANITIZE
    char  dir[] = "/tmp/media-helper.XXXXXX";
#endif

    if (geteuid() != 0) {
        return (chdir("/") == -1) ? errno : 0;
    }

#ifndef MH_SANITIZE

    /* a directory that has lost its name takes no new file, even as root */

    if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
        return errno;
    }

    if (rmdir(dir) == -1 || chroot(".") == -1 || chdir("/") == -1) {
        return errno;
    }

#endif

    if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1
        || setresuid(uid, uid, uid) == -1)
    {
        return errno;
    }

    return 0;
}


int
mh_sandbox_enter(bool *filter)
{
#ifdef MH_SECCOMP
    int              rc;
    size_t           i;
    scmp_filter_ctx  ctx;
#endif

    *filter = false;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
        return errno;
    }

#ifndef MH_SANITIZE

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) {
        return errno;
    }

#endif

#ifdef MH_SECCOMP

    ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (ctx == NULL) {
        return ENOMEM;
    }

    rc = 0;

    for (i = 0; i < sizeof(mh_sandbox_calls) / sizeof(int); i++) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, mh_sandbox_calls[i], 0);
        if (rc) {
            break;
        }
    }

    if (rc == 0) {
        rc = seccomp_load(ctx);
    }

    seccomp_release(ctx);

    if (rc) {
        return -rc;
    }

    *filter = true;

#endif

    return 0;
}
