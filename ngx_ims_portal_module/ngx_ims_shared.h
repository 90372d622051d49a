/*
 * Copyright (C) the IMS portal authors
 *
 * Memory that outlives workers, and masters (design D4, D7): a file that is
 * mapped, or, without a path, an anonymous one of the kernel's (memfd) that a
 * binary upgrade inherits.  Processes of two masters use the same bytes, so a
 * binary upgrade has one truth, and a restart finds a file as it was left.
 *
 * The kernel tells whether somebody is using a file: each master holds a shared
 * flock(), which its workers inherit and which goes with the last of them.
 */


#ifndef _NGX_IMS_SHARED_H_INCLUDED_
#define _NGX_IMS_SHARED_H_INCLUDED_


#include "ngx_ims.h"


typedef struct {
    u_char                   *addr;
    size_t                    size;           /* bytes, as they are: may be
                                                 others than were asked for */
    ngx_fd_t                  fd;             /* of a replacement */
    unsigned                  fresh:1;        /* nobody else has it: who is
                                                 named in it is dead */
    unsigned                  created:1;      /* all zero */
    unsigned                  opened:1;       /* by this call, not before */
    unsigned                  test:1;         /* of the configuration */
    unsigned                  inherits:1;     /* this is a binary upgrade */
    u_char                    self[16];       /* which nginx this is: its host,
                                                 prefix and configuration */
} ngx_ims_shared_t;


/*
 * Maps the memory of a name, in the master, or in a single process.
 *
 * name    of the zone
 * path    of its file, empty: none
 * size    bytes of a new one
 *
 * The mapping stays for the life of the process: what is opened again is the
 * same, and neither fresh nor created.  A test of the configuration gets bytes
 * of its own, which begin as a copy of the file, and changes nothing.
 *
 * Returns NGX_OK, or NGX_ERROR (logged): the file cannot be opened, is no
 * regular file, or the disk is full.
 */
ngx_int_t ngx_ims_shared_open(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log);

/*
 * Memory of another size for a fresh file: all zero, under a name of its own
 * until ngx_ims_shared_replaced().  The former bytes stay mapped until then.
 * NGX_OK, or NGX_ERROR (logged); the file is as it was.
 */
ngx_int_t ngx_ims_shared_replace(ngx_str_t *name, ngx_str_t *path,
    size_t size, ngx_ims_shared_t *shared, ngx_log_t *log);

/*
 * The new memory has what it needs and takes the place of the former, which is
 * unmapped.  NGX_OK, or NGX_ERROR (logged).
 */
ngx_int_t ngx_ims_shared_replaced(ngx_str_t *name, ngx_str_t *path,
    ngx_ims_shared_t *former, ngx_ims_shared_t *shared, ngx_log_t *log);

/*
 * What was opened is of no use: as if it had not been.
 */
void ngx_ims_shared_drop(ngx_str_t *name);

/*
 * A fresh one is in order: from now on others may use it, too.
 */
void ngx_ims_shared_ready(ngx_str_t *name);

/*
 * A lock in shared memory that survives its holder: lock is 0, or the pid of
 * whoever has it.  Waits for it.  NGX_OK, or NGX_DONE: it was taken from
 * a process that died with it, and what it guards has to be put in order.
 */
ngx_int_t ngx_ims_shared_lock(ngx_atomic_t *lock);

#define ngx_ims_shared_unlock(lock)                                           \
    (void) ngx_atomic_cmp_set(lock, ngx_pid, 0)


#endif /* _NGX_IMS_SHARED_H_INCLUDED_ */
