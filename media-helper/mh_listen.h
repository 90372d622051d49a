
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * One control socket, before anybody uses it.
 */


#ifndef MH_LISTEN_H
#define MH_LISTEN_H


#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "mh_conn.h"


struct mh_listen {
    int                  fd;        /* non-blocking */
    int                  type;      /* SOCK_STREAM, _SEQPACKET, _DGRAM */
    enum mh_conn_kind    kind;      /* of its connections */
    struct sockaddr_un   un;        /* of a Unix socket */
};


/* whether mh_listen_open() would understand a name */
bool mh_listen_valid(const char *name);

/*
 * Opens a socket.  A socket file that nobody listens on is replaced.
 *
 * @param l     out, on success
 * @param name  "unix:PATH" (stream), "seqpacket:PATH", "udp:ADDR:PORT",
 *              "tcp:ADDR:PORT" or "http:ADDR:PORT" (IPv6: "udp:[ADDR]:PORT")
 * @param uid   owner of a socket file, -1 = as it is
 * @param gid   its group, -1 = as it is
 *
 * @return 0; EINVAL (name); or an errno of the system
 */
int mh_listen_open(struct mh_listen *l, const char *name, uid_t uid,
    gid_t gid);

/* Closes it and takes the socket file away */
void mh_listen_close(struct mh_listen *l);


#endif /* MH_LISTEN_H */
