
/*
 * Copyright (C) the IMS portal authors
 */


/* The helper in the background. */


#ifndef MH_DAEMON_H
#define MH_DAEMON_H


#include "mh_conf.h"


/*
 * Goes on in a child, in a session of its own and with the log in syslog; the
 * parent writes the PID file, if there is one, and ends here.
 *
 * @param conf  pid_file and debug are looked at
 *
 * @return 0 in the child, or an errno value: in the parent, before there is a
 *         child, or in the child if it has no /dev/null
 */
int mh_daemon(const struct mh_conf *conf);


#endif /* MH_DAEMON_H */
