/*
 * Copyright (C) the IMS portal authors
 *
 * The lock of shared memory, which holds the pid of whoever has it.  No timers.
 */


#include "ngx_ims_shared.h"


enum {
    NGX_IMS_SHARED_SPIN = 2048,          /* turns before others may run */
    NGX_IMS_SHARED_LOOK = 64             /* times of that until the holder's
                                            life is doubted */
};


static ngx_uint_t ngx_ims_shared_dead(ngx_atomic_uint_t pid);


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
           || (kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == ESRCH);
}
