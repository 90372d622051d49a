/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the core share: ngx_ims_core.c owns listening sockets and
 * datagrams, ngx_ims_core_connect.c the beginning of a connection,
 * ngx_ims_core_stream.c its life, ngx_ims_core_stream_io.c its bytes,
 * ngx_ims_core_tls.c its TLS, ngx_ims_core_peer.c what is remembered of its
 * other end, ngx_ims_core_via.c the top Via.  Nobody else includes this.
 */


#ifndef _NGX_IMS_CORE_PRIV_H_INCLUDED_
#define _NGX_IMS_CORE_PRIV_H_INCLUDED_


#include "ngx_ims_core.h"

#include <ngx_event_connect.h>


enum {
    NGX_IMS_CORE_LOG_INTERVAL = 10,      /* s between two log lines */
    NGX_IMS_CORE_PEERS = 64,             /* remembered for a core */
    NGX_IMS_CORE_VIA_MAX = 320,          /* of ours, up to its sent-by */
    NGX_IMS_CORE_VIA_ROOM = 128          /* bytes that a Via may grow by */
};


typedef enum {
    NGX_IMS_CORE_CONNECTING = 0,
    NGX_IMS_CORE_HANDSHAKE,
    NGX_IMS_CORE_OPEN,
    NGX_IMS_CORE_SHUT,                   /* only read from, we go away */
    NGX_IMS_CORE_CLOSING,                /* closed when all is sent */
    NGX_IMS_CORE_FAILED                  /* no connection any more */
} ngx_ims_core_state_e;


typedef struct ngx_ims_core_out_s   ngx_ims_core_out_t;
typedef struct ngx_ims_core_conn_s  ngx_ims_core_conn_t;

struct ngx_ims_core_out_s {
    ngx_ims_core_out_t       *next;
    u_char                   *pos;
    u_char                   *last;
    /* bytes follow */
};


struct ngx_ims_core_conn_s {
    ngx_queue_t               queue;          /* of the core's */
    ngx_connection_t         *connection;     /* NULL when it has failed */
    ngx_ims_core_t           *core;

    uint64_t                  id;             /* unique in this worker */
    ngx_uint_t                state;          /* ngx_ims_core_state_e */
    ngx_uint_t                transport;      /* NGX_IMS_TCP, NGX_IMS_TLS */
    ngx_sockaddr_t            sockaddr;       /* the other end */
    socklen_t                 socklen;
    ngx_log_t                 log;
    u_char                    name[NGX_SOCKADDR_STRLEN + 2];

    u_char                   *in;             /* NULL: nothing is waiting */
    size_t                    in_len;
    size_t                    in_size;

    ngx_ims_core_out_t       *out;
    ngx_ims_core_out_t      **out_last;
    size_t                    out_bytes;

    ngx_event_t               timer;          /* cancelable */
    ngx_event_t               gone;           /* posted, to be freed */
    ngx_msec_t                began;          /* ms, this state */
    ngx_msec_t                active;         /* ms, the last message */
    ngx_msec_t                progress;       /* ms, when bytes were taken */
    ngx_msec_t                ping;           /* ms, when we sent one */

    ngx_uint_t                newlines;       /* in a row, not answered */

    unsigned                  inbound:1;
    unsigned                  was_open:1;
    unsigned                  pinged:1;       /* not answered yet */
    unsigned                  ponged:1;       /* it answers pings */
};


/* what is remembered of an address that we connect to */

typedef struct {
    ngx_queue_t               queue;
    ngx_sockaddr_t            sockaddr;
    socklen_t                 socklen;
    ngx_uint_t                transport;
    time_t                    refused;        /* s; 0: it was not */
    void                     *session;        /* SSL_SESSION, may be NULL */
} ngx_ims_core_peer_t;


/* says now and then how many strangers were refused */
void ngx_ims_core_refuse(ngx_ims_core_t *core, struct sockaddr *sa,
    socklen_t socklen);

/* closes what nginx has accepted, and counted, for us */
void ngx_ims_core_close_accepted(ngx_connection_t *c);

/* 1 when the interval since *last is over, which then begins anew */
ngx_uint_t ngx_ims_core_log_now(time_t *last);


/* a message of a listed address goes up, with what its Via lacks */
void ngx_ims_core_deliver(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    u_char *p, size_t len);


/* in init_process, and in exit_process, when connections are closed at once */
void ngx_ims_core_stream_init(ngx_ims_core_t *core);
void ngx_ims_core_stream_exit(ngx_ims_core_t *core);

/* nginx's handler of a listening socket for connections */
void ngx_ims_core_stream_accept(ngx_connection_t *c);

/* an entry for a connection, which it has none of yet; NULL: no memory */
ngx_ims_core_conn_t *ngx_ims_core_stream_create(ngx_ims_core_t *core,
    ngx_uint_t transport, struct sockaddr *sa, socklen_t socklen,
    ngx_uint_t inbound);

/* the one that the flow names, else one of ours that leads there, or NULL */
ngx_ims_core_conn_t *ngx_ims_core_stream_find(ngx_ims_core_t *core,
    ngx_ims_flow_t *flow);

/*
 * A connection to where the flow leads, for that message; it may fail yet.
 * NULL: there are too many, or no memory.
 */
ngx_ims_core_conn_t *ngx_ims_core_stream_connect(ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_str_t *text);

/* sends one message that is given in n pieces; else as a flow's send */
ngx_int_t ngx_ims_core_stream_send(ngx_ims_flow_t *flow, ngx_str_t *parts,
    ngx_uint_t n);

/* the connection can be used from now on: what waits is sent */
void ngx_ims_core_stream_opened(ngx_ims_core_conn_t *conn);

/*
 * Ends a connection, at once; conn itself lives until a posted event, which
 * tells the upper floor.  what is NULL: nothing needs to be said.
 */
void ngx_ims_core_stream_fail(ngx_ims_core_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *what);

/* from now on it is in that state; the timer is set right */
void ngx_ims_core_stream_state(ngx_ims_core_conn_t *conn, ngx_uint_t state);
void ngx_ims_core_stream_timer(ngx_ims_core_conn_t *conn);

/* the datagrams of a listening socket */
void ngx_ims_core_read(ngx_event_t *ev);

/* nginx wants the worker to end (c->close) */
void ngx_ims_core_stream_drain(ngx_ims_core_t *core);

/* what is known of an address; made when create is set; else may be NULL */
ngx_ims_core_peer_t *ngx_ims_core_peer(ngx_ims_core_t *core,
    ngx_uint_t transport, struct sockaddr *sa, socklen_t socklen,
    ngx_uint_t create);

/* all of a core, in exit_process */
void ngx_ims_core_peers_free(ngx_ims_core_t *core);

/* 1 when TCP to that address has been refused of late */
ngx_uint_t ngx_ims_core_peer_refused(ngx_ims_core_t *core,
    struct sockaddr *sa, socklen_t socklen);


/* queues or sends; NGX_OK or NGX_ERROR: failed, or too much is waiting */
ngx_int_t ngx_ims_core_stream_write(ngx_ims_core_conn_t *conn,
    ngx_str_t *parts, ngx_uint_t n);

/* NGX_OK: nothing is waiting; NGX_AGAIN; NGX_ERROR: it has failed */
ngx_int_t ngx_ims_core_stream_flush(ngx_ims_core_conn_t *conn);

/* handlers of an open connection's events */
void ngx_ims_core_stream_reader(ngx_event_t *ev);
void ngx_ims_core_stream_writer(ngx_event_t *ev);

/* gives the buffers back */
void ngx_ims_core_stream_buffers(ngx_ims_core_conn_t *conn);


/* begins the handshake of a connection, which ends in opened() or fail() */
void ngx_ims_core_tls_start(ngx_ims_core_conn_t *conn);

/* close_notify where it can be sent at once; TLS is over when it returns */
void ngx_ims_core_tls_close(ngx_connection_t *c);

/* close_notify only: the other end may still send */
void ngx_ims_core_tls_shut(ngx_connection_t *c);

void ngx_ims_core_tls_forget(ngx_ims_core_peer_t *peer);


/*
 * The head of a request up to its top Via's sent-by, and what is behind.
 * NGX_OK, or NGX_DECLINED: it is a response, or there is no such Via.
 */
ngx_int_t ngx_ims_core_via_split(ngx_str_t *text, ngx_str_t *head,
    ngx_str_t *tail);

/*
 * What RFC 3261 18.2.1 and RFC 3581 ask of who gets a request: received and
 * rport in its top Via, and where a datagram's answer goes.  Returns the
 * message, which is *p or a copy of it in buf.
 */
u_char *ngx_ims_core_via_received(ngx_ims_flow_t *flow, u_char *p,
    size_t *len, u_char *buf, size_t size);

/* the port of the top Via's sent-by (0: none) of a response; or -1 */
ngx_int_t ngx_ims_core_via_port(u_char *p, size_t len);


/*
 * ICMP about datagrams that were sent: asks for it; 1 for errors that stem from
 * it; reads what there is, err being that of a failed receive.
 */
void ngx_ims_core_icmp_listen(ngx_ims_core_t *core,
    ngx_ims_core_listen_t *lst);
ngx_uint_t ngx_ims_core_icmp_error(ngx_err_t err);
void ngx_ims_core_icmp_read(ngx_ims_core_t *core, ngx_socket_t fd,
    ngx_err_t err);


#endif /* _NGX_IMS_CORE_PRIV_H_INCLUDED_ */
