/*
 * Copyright (C) the IMS portal authors
 *
 * What a process can do no more once it is in the sandbox.  Each attempt is
 * a child of its own.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "tap.h"
#include "../../media-helper/mh_sandbox.c"


enum {
    FAILED = 100                /* exit codes of a child; else an errno */
};


static const char  *said;       /* what mh_sandbox_drop() told */


/* @return the errno that it left with, or minus the signal */

static int
attempt(int (*call)(void), int root, int filter)
{
    int    status;
    bool   on;
    pid_t  pid;

    pid = fork();

    if (pid == 0) {

        if (root && mh_sandbox_drop(65534, 65534, &said) != 0) {
            _exit(FAILED);
        }

        if (filter && (mh_sandbox_enter(&on) != 0 || !on)) {
            _exit(FAILED);
        }

        _exit(call() == -1 ? errno : 0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid) {
        return FAILED;
    }

    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}


static int
call_open(void)
{
    return open("/etc/passwd", O_RDONLY);
}


static int
call_create(void)
{
    return open("x", O_WRONLY|O_CREAT, 0600);
}


static int
call_unlink(void)
{
    return unlink("/tmp/none");
}


static int
call_exec(void)
{
    char *argv[] = { (char *) "/bin/true", NULL };

    return execve(argv[0], argv, argv + 1);
}


static int
call_fork(void)
{
    return fork();
}


static int
call_ptrace(void)
{
    return (int) syscall(SYS_ptrace, 0, 0, 0, 0);
}


static int
call_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}


static int
call_raw(void)
{
    return socket(AF_INET, SOCK_RAW, 17);
}


static int
call_tcp(void)
{
    return socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
}


static int
call_netlink(void)
{
    return socket(AF_NETLINK, SOCK_DGRAM, 0);
}


static int
call_udp(void)
{
    return socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
}


static int
call_code(void)
{
    return mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_EXEC,
                MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}


static int
call_memory(void)
{
    return mmap(NULL, 4096, PROT_READ|PROT_WRITE,
                MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}


static int
call_epoll(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}


static int
call_kill(void)
{
    return kill(getppid(), 0);
}


static int
call_in_reach(void)
{
    errno = 1;

    return strcmp(said, "in reach") == 0 ? -1 : 0;
}


static int
call_root_again(void)
{
    return setuid(0);
}


static void
test_filter(void)
{
    is_int(attempt(call_open, 0, 1), EPERM, "no file is opened");
    is_int(attempt(call_create, 0, 1), EPERM, "none is made");
    is_int(attempt(call_unlink, 0, 1), EPERM, "none is removed");
    is_int(attempt(call_kill, 0, 1), EPERM, "no signal is sent");
    is_int(attempt(call_unix, 0, 1), EPERM, "no Unix socket");
    is_int(attempt(call_tcp, 0, 1), EPERM, "no TCP socket");
    is_int(attempt(call_raw, 0, 1), EPERM, "no raw socket");
    is_int(attempt(call_netlink, 0, 1), EPERM, "no netlink socket");
    is_int(attempt(call_code, 0, 1), EPERM, "no memory to execute");

    is_int(attempt(call_udp, 0, 1), 0, "a UDP socket is");
    is_int(attempt(call_memory, 0, 1), 0, "and memory");
    is_int(attempt(call_epoll, 0, 1), 0, "and an epoll set");

    is_int(attempt(call_exec, 0, 1), -SIGSYS, "execve ends it");
    is_int(attempt(call_fork, 0, 1), -SIGSYS, "and fork");
    is_int(attempt(call_ptrace, 0, 1), -SIGSYS, "and ptrace");
    is_int(attempt(call_root_again, 0, 1), -SIGSYS, "and setuid");
}


/* without the filter: what is left of the file system */

static void
test_drop(void)
{
    int  got, reach;

    is_int(attempt(call_open, 0, 0), 0, "outside there are files");
    is_int(attempt(call_udp, 1, 1), 0, "all of it at once is no hindrance");

    got = attempt(call_root_again, 1, 0);
    ok(got == EPERM || got == EINVAL, "no way back to root (%d)", got);

    /* in a container there may be neither namespaces nor Landlock */

    got = attempt(call_open, 1, 0);
    reach = attempt(call_in_reach, 1, 0);
    ok(reach ? got == 0 : (got == ENOENT || got == EACCES),
       "files are as it says (%d)", got);

    got = attempt(call_create, 1, 0);
    ok(got == ENOENT || got == EACCES || got == EROFS,
       "no file can be made (%d)", got);
}


int
main(void)
{
    test_filter();
    test_drop();

    return done_testing();
}
