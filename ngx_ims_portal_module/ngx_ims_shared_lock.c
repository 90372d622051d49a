/*
 * Copyright (C) the IMS portal authors
 *
 * The lock of shared memory, which holds the pid of whoever has it.  No timers.
 */


#include "ngx_ims_shared.h"

#include <fcntl.h>


enum {
    NGX_IMS_SHARED_SPIN = 2048,          /* turns before others may run */
    NGX_IMS_SHARED_LOOK = 64             /* times of that until the holder's
                                            life is doubted */
};


static ngx_uint_t ngx_ims_shared_dead(ngx_atomic_uint_t pid);
static ngx_uint_t ngx_ims_shared_zombie(ngx_atomic_uint_t pid);


ngx_int_t
ngx_ims_shared_lock(ngx_atomic_t *lock)
{
    ngx_uint_t         i, n;
    ngx_atomic_uint_t  pid;

    for (n = 1; /* void */ ; n++) {

        for (i = 0; i < NGX_IMS_SHARED_SPIN; i++) {

            if (*lock == 0 && ngx_atomic_cmp_set(lock, 0, ngx_pid)) {
                return NGX_OK;
            }

            ngx_cpu_pause();
        }

        pid = *lock;

        if (pid != 0 && n % NGX_IMS_SHARED_LOOK == 0
            && ngx_ims_shared_dead(pid)
            && ngx_atomic_cmp_set(lock, pid, ngx_pid))
        {
            return NGX_DONE;
        }

        ngx_sched_yield();
    }
}


/* nobody takes it twice: who has it under our pid had the pid before us */

static ngx_uint_t
ngx_ims_shared_dead(ngx_atomic_uint_t pid)
{
    return pid == (ngx_atomic_uint_t) ngx_pid
           || (kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == ESRCH)
           || ngx_ims_shared_zombie(pid);
}


/*
 * A worker that was killed is there until its master has waited for it, and
 * that master may be the one that wants the lock.
 */

static ngx_uint_t
ngx_ims_shared_zombie(ngx_atomic_uint_t pid)
{
    char     path[64], text[512], *p;
    int      fd;
    ssize_t  n;

    *ngx_snprintf((u_char *) path, sizeof(path) - 1, "/proc/%ui/stat",
                  (ngx_uint_t) pid) = '\0';

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);

    (void) close(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';

    /* the state is behind the name, which may have parentheses of its own */

    p = strrchr(text, ')');

    return p != NULL && p + 2 < text + n && (p[2] == 'Z' || p[2] == 'X');
}
