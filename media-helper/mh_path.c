
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the 5-tuples of a transport that passed a check, UDP and TCP.  No
 * timer.
 */


#include <stdint.h>

#include <re.h>

#include "mh_transport.h"


static void mh_path_destroy(void *data);


struct mh_path *
mh_transport_path_add(struct mh_transport *t, struct mh_web_sock *ws,
    struct mh_tcp_conn *conn, const struct sa *src, struct mh_path *old)
{
    struct le       *le;
    struct mh_path  *path, *stale;

    if (old != NULL) {
        /* the browser's port serves another call of its now */
        mh_transport_path_drop(old->transport, old);
    }

    if (list_count(&t->paths) >= MH_WEB_PATHS) {
        stale = NULL;

        LIST_FOREACH(&t->paths, le) {
            path = le->data;

            if (path != t->path
                && (stale == NULL || path->heard < stale->heard))
            {
                stale = path;
            }
        }

        mh_transport_path_drop(t, stale);
    }

    path = mem_zalloc(sizeof(*path), mh_path_destroy);
    if (path == NULL) {
        return NULL;
    }

    path->transport = t;
    path->ws = ws;
    path->conn = conn;
    sa_cpy(&path->addr, src);

    hash_append(t->web->paths, sa_hash(src, SA_ALL), &path->he, path);
    list_append(&t->paths, &path->le, path);

    if (conn != NULL) {
        mh_tcp_own(conn, path);
    }

    return path;
}


void
mh_transport_path_drop(struct mh_transport *t, struct mh_path *path)
{
    if (t->wanted == path) {
        t->wanted = NULL;
    }

    if (t->path == path) {
        t->path = NULL;
    }

    if (t->dtls_path == path) {
        t->dtls_path = NULL;
    }

    mem_deref(path);
}


void
mh_path_send_ref(struct mh_path *path, uint8_t *buf, size_t len,
    struct mh_io_mark *mark)
{
    if (path->conn != NULL) {
        (void) mh_tcp_send(path->conn, buf, len);
        return;
    }

    mh_io_send_ref(path->ws->web->io, path->ws->sock.fd, &path->addr, buf,
                   len, mark);
}


void
mh_path_send(struct mh_path *path, const uint8_t *buf, size_t len,
    struct mh_io_mark *mark)
{
    if (path->conn != NULL) {
        (void) mh_tcp_send(path->conn, buf, len);
        return;
    }

    mh_io_send_copy(path->ws->web->io, path->ws->sock.fd, &path->addr, buf,
                    len, mark);
}


static void
mh_path_destroy(void *data)
{
    struct mh_path  *path = data;

    hash_unlink(&path->he);
    list_unlink(&path->le);

    if (path->conn != NULL) {
        mh_tcp_drop(path->conn);
    }
}
