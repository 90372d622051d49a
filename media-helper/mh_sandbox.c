
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
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(fcntl), SCMP_SYS(fstat),
    SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(getrandom),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday), SCMP_SYS(madvise), SCMP_SYS(mremap),
    SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(poll), SCMP_SYS(read),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(uname), SCMP_SYS(write), SCMP_SYS(writev)
};


/* these no library makes by chance: who makes one is not us any more */

static const int  mh_sandbox_never[] = {
    SCMP_SYS(bpf), SCMP_SYS(chroot), SCMP_SYS(clone), SCMP_SYS(execve),
    SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(init_module),
    SCMP_SYS(mount), SCMP_SYS(pidfd_getfd), SCMP_SYS(pivot_root),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(ptrace), SCMP_SYS(setns), SCMP_SYS(setuid), SCMP_SYS(unshare),
    SCMP_SYS(userfaultfd), SCMP_SYS(vfork)
};


static int mh_sandbox_rules(scmp_filter_ctx ctx);

#endif


#ifndef MH_SANITIZE

static int mh_sandbox_root(void);
static int mh_sandbox_powerless(void);
static int mh_sandbox_landlock(void);

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
mh_sandbox_drop(uid_t uid, gid_t gid, const char **files)
{
    int  err;

    *files = "in reach";

#ifdef MH_SANITIZE

    err = 0;

    if (geteuid() != 0) {
        return (chdir("/") == -1) ? errno : 0;
    }

#else

    if (geteuid() != 0) {

        /* a namespace of our own, in which we may change the root */

        err = (unshare(CLONE_NEWUSER) == -1) ? errno : mh_sandbox_root();

        if (err == 0) {
            *files = "none";
            return mh_sandbox_powerless();
        }

        if (chdir("/") == -1) {
            return errno;
        }

        if (mh_sandbox_landlock() == 0) {
            *files = "locked";
        }

        return mh_sandbox_powerless();
    }

    err = mh_sandbox_root();
    if (err) {
        return err;
    }

    *files = "none";

#endif

    if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1
        || setresuid(uid, uid, uid) == -1)
    {
        err = errno;
    }

    return err;
}


int
mh_sandbox_enter(bool *filter)
{
    struct rlimit    rl;
#ifdef MH_SECCOMP
    int              rc;
    scmp_filter_ctx  ctx;
#endif

    *filter = false;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
        return errno;
    }

    /* no core with keys in it */

    rl.rlim_cur = 0;
    rl.rlim_max = 0;

    if (setrlimit(RLIMIT_CORE, &rl) == -1) {
        return errno;
    }

#ifndef MH_SANITIZE

    /* and no child, even where there is no filter */

    if (setrlimit(RLIMIT_NPROC, &rl) == -1
        || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
    {
        return errno;
    }

#endif

#ifdef MH_SECCOMP

    ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (ctx == NULL) {
        return ENOMEM;
    }

    rc = mh_sandbox_rules(ctx);

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


#ifdef MH_SECCOMP

static int
mh_sandbox_rules(scmp_filter_ctx ctx)
{
    int       rc;
    size_t    i;
    uint64_t  flags;

    rc = 0;

    for (i = 0; i < sizeof(mh_sandbox_calls) / sizeof(int) && rc == 0; i++) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, mh_sandbox_calls[i], 0);
    }

    for (i = 0; i < sizeof(mh_sandbox_never) / sizeof(int) && rc == 0; i++) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS,
                              mh_sandbox_never[i], 0);
    }

    /* memory that is no code */

    if (rc == 0) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }

    if (rc == 0) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }

    /* the only sockets that are made later are those of port pairs */

    flags = SOCK_NONBLOCK|SOCK_CLOEXEC;

    if (rc == 0) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                              SCMP_A0(SCMP_CMP_EQ, AF_INET, 0),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, ~flags,
                                      SOCK_DGRAM));
    }

    if (rc == 0) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                              SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, ~flags,
                                      SOCK_DGRAM));
    }

    return rc;
}

#endif


#ifndef MH_SANITIZE

/* a directory that has lost its name takes no new file, even as root */

static int
mh_sandbox_root(void)
{
    char  dir[] = "/tmp/media-helper.XXXXXX";

    if (mkdtemp(dir) == NULL) {
        return errno;
    }

    if (chdir(dir) == -1) {
        return errno;
    }

    if (rmdir(dir) == -1 || chroot(".") == -1 || chdir("/") == -1) {
        return errno;
    }

    return 0;
}


/* a new namespace gives all capabilities within it: they go again */

static int
mh_sandbox_powerless(void)
{
    struct __user_cap_header_struct  header;
    struct __user_cap_data_struct    data[2];

    memset(&header, 0, sizeof(header));
    memset(data, 0, sizeof(data));
    header.version = _LINUX_CAPABILITY_VERSION_3;

    return (syscall(SYS_capset, &header, data) == -1) ? errno : 0;
}


/* where namespaces are not for everybody: a ruleset without any rule */

static int
mh_sandbox_landlock(void)
{
    int                            fd, err;
    struct landlock_ruleset_attr   attr;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
        return errno;
    }

    memset(&attr, 0, sizeof(attr));

    /* what the first version knows: all access to files and directories */

    attr.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

    fd = (int) syscall(SYS_landlock_create_ruleset, &attr,
                       sizeof(attr.handled_access_fs), 0);
    if (fd == -1) {
        return errno;
    }

    err = (syscall(SYS_landlock_restrict_self, fd, 0) == -1) ? errno : 0;
    (void) close(fd);

    return err;
}

#endif
