
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What mh_web.c, mh_transport.c and mh_path.c share; private to these.
 */


#ifndef MH_TRANSPORT_H
#define MH_TRANSPORT_H


#include "mh_srtp.h"
#include "mh_tcp.h"
#include "mh_web.h"


struct mh_web_sock {
    struct mh_io_sock   sock;
    struct mh_web      *web;
    struct mh_tcp      *tcp;        /* of the same address, or NULL */
    struct mh_io_mark  *video;      /* of packets of video, NULL = the
                                       socket's */
    struct mh_io_mark   video_mark;
};


struct mh_web {
    struct mh_web_sock   socks[MH_WEB_SOCKS];
    struct mh_dtls_ctx  *dtls;
    struct mh_io        *io;        /* NULL before the start */
    struct hash         *ufrags;    /* of struct mh_transport */
    struct hash         *paths;     /* of struct mh_path */
    struct list          busy;      /* transports that want the tick */
    struct mh_web_stat   stat;
    unsigned             released;  /* see mh_web_settled() */
    unsigned             keys;      /* sets of them that there were */
};


/* a 5-tuple that passed an authenticated check; it owns its connection */

struct mh_path {
    struct le             he;       /* in web->paths */
    struct le             le;       /* in transport->paths */
    struct mh_transport  *transport;
    struct mh_web_sock   *ws;
    struct mh_tcp_conn   *conn;     /* NULL: UDP */
    struct sa             addr;
    uint64_t              heard;
};


struct mh_transport {
    struct mh_web             *web;
    struct mh_ice              ice;
    struct mh_ice             *former;      /* what a restart replaced, or
                                               NULL */
    struct le                  he;          /* in web->ufrags */
    struct le                  former_he;   /* there, too */
    struct le                  busy_le;     /* in web->busy */
    struct list                paths;
    struct mh_path            *path;        /* the nominated one, or NULL */
    struct mh_path            *wanted;      /* nominated later, but nothing
                                               authentic came from there */
    struct mh_path            *dtls_path;   /* where DTLS last came from */

    struct mh_dtls            *dtls;
    enum mh_dtls_role          role;
    enum mh_transport_state    state;
    uint64_t                   release_at;  /* ms; 0 = nothing to do */

    struct mh_srtp            *rx;
    struct mh_srtp            *tx;
    unsigned                   keys;        /* which; no other has them */
    unsigned                   profile;

    struct mh_transport_stat   stat;
    mh_transport_media_h      *mediah;
    mh_transport_state_h      *stateh;
    void                      *arg;
};


/*
 * Gives the transport a 5-tuple; old is the entry that it has now, which
 * belongs to another transport, or NULL.  Returns NULL without memory.
 */
struct mh_path *mh_transport_path_add(struct mh_transport *t,
    struct mh_web_sock *ws, struct mh_tcp_conn *conn, const struct sa *src,
    struct mh_path *old);

/* The 5-tuple is gone, and its connection with it */
void mh_transport_path_drop(struct mh_transport *t, struct mh_path *path);

/* As mh_io_send_ref() and mh_io_send_copy() have it, or over TCP */
void mh_path_send_ref(struct mh_path *path, uint8_t *buf, size_t len,
    struct mh_io_mark *mark);
void mh_path_send(struct mh_path *path, const uint8_t *buf, size_t len,
    struct mh_io_mark *mark);

/*
 * The browser nominates a 5-tuple.  A call that has one which is alive, and
 * keys, moves only with the first SRTP or SRTCP packet that comes from the
 * new one: a check may be an old one, captured and sent from elsewhere, a
 * packet cannot be, because of the replay window.
 *
 * sure: under credentials that were never used before (an ICE restart)
 */
void mh_transport_nominated(struct mh_transport *t, struct mh_path *path,
    bool sure);

/* The restart is complete: the former credentials are no longer good */
void mh_transport_restarted(struct mh_transport *t);

void mh_transport_dtls_recv(struct mh_transport *t, struct mh_path *path,
    const uint8_t *buf, size_t len);
void mh_transport_media_recv(struct mh_transport *t, struct mh_path *path,
    uint8_t *buf, size_t len);
void mh_transport_tick(struct mh_transport *t, uint64_t now);


#endif /* MH_TRANSPORT_H */
