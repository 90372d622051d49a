
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
 * Changes the root to an empty directory without a name.  As root it becomes
 * the user for good; as any other user it needs a user namespace of its own
 * for that, and where it gets none it forbids itself all files by Landlock.
 *
 * @param files  out: "none" (in the new root), "locked" (by Landlock) or "in
 *               reach" (neither was to be had)
 *
 * @return 0, or an errno
 */
int mh_sandbox_drop(uid_t uid, gid_t gid, const char **files);

/*
 * No new privileges, no core with keys in it, no child, and only the system
 * calls that the loop needs.  Others fail with EPERM, since a library may
 * try one and do without; those by which an intruder would go on end the
 * process.
 *
 * @param filter  out: whether system calls are filtered
 *
 * @return 0, or an errno
 */
int mh_sandbox_enter(bool *filter);


#endif /* MH_SANDBOX_H */
