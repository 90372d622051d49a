
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Giving things up: descriptors beyond need, the file system, the user, the
 * system calls.  In this order, before the first byte from the network.
 */


#ifndef MH_SANDBOX_H
#define MH_SANDBOX_H


#include <stdbool.h>
#include <sys/types.h>


/*
 * Finds a user.
 *
 * @param name  of the user
 * @param uid   out
 * @param gid   out: its group
 *
 * @return 0, or ENOENT
 */
int mh_sandbox_user(const char *name, uid_t *uid, gid_t *gid);

/*
 * Raises the limit of open files.
 *
 * @param want  how many
 *
 * @return how many there are now: less than want if we may not
 */
unsigned mh_sandbox_files(unsigned want);

/*
 * As root: changes the root to an empty directory without a name and becomes
 * the user for good.  As any other user it only changes to "/".
 *
 * @return 0, or an errno
 */
int mh_sandbox_drop(uid_t uid, gid_t gid);

/*
 * No new privileges, no core with keys in it, and only the system calls
 * that the loop needs: others fail with EPERM.
 *
 * @param filter  out: whether system calls are filtered
 *
 * @return 0, or an errno
 */
int mh_sandbox_enter(bool *filter);


#endif /* MH_SANDBOX_H */
