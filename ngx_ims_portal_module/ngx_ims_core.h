/*
 * Copyright (C) the IMS portal authors
 *
 * The operator's IMS as seen from here: the sockets we listen on (design D2),
 * the servers we send to, the addresses we hear.  Nothing here knows a session.
 */


#ifndef _NGX_IMS_CORE_H_INCLUDED_
#define _NGX_IMS_CORE_H_INCLUDED_


#include "ngx_ims.h"
#include "ngx_ims_dial.h"
#include "ngx_ims_health.h"


typedef struct ngx_ims_core_s       ngx_ims_core_t;
typedef struct ngx_ims_core_name_s  ngx_ims_core_name_t;


/* no transport is said: it follows from what is found (RFC 3263 4.1) */
#define NGX_IMS_ANY  ((ngx_uint_t) -1)


typedef struct {
    ngx_addr_t                addr;           /* where; addr.name is its text */
    ngx_uint_t                transport;      /* ngx_ims_transport_e */
    ngx_uint_t                weight;
    ngx_uint_t                max_fails;      /* 0: never considered down */
    time_t                    fail_timeout;   /* s */
    unsigned                  backup:1;
    unsigned                  off:1;          /* its name led here once */

    ngx_ims_health_hop_t     *health;         /* of all workers; NULL: own */
    ngx_ims_health_hop_t      own;
    ngx_int_t                 current;        /* smooth weighted round robin */
    ngx_msec_t                probed;         /* ms, by this worker */
    unsigned                  probing:1;

    /* of a name, as it was resolved */
    ngx_ims_core_name_t      *name;           /* NULL: an address */
    ngx_uint_t                priority;       /* of SRV, lower comes first */
    ngx_uint_t                share;          /* the weight of SRV */
    time_t                    gone;           /* s, off since */
    ngx_sockaddr_t            sockaddr;
    u_char                    text[NGX_SOCKADDR_STRLEN];
} ngx_ims_core_server_t;


typedef struct {
    ngx_listening_t          *listening;
    ngx_str_t                 host;           /* what Via, Path, Contact say */
    in_port_t                 port;
    int                       family;
    ngx_uint_t                transport;
    ngx_socket_t              fd;             /* a dup, for sending */
    struct sockaddr          *sockaddr;       /* the listening socket's */
    unsigned                  alone:1;        /* read beyond nginx's own */
} ngx_ims_core_listen_t;


/*
 * One whole message from a listed address; flow leads back to where it came
 * from; p may be written to during the call.
 */
typedef void (*ngx_ims_core_handler_pt)(ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len);


/* where emergency requests go (spec SE-18) */
typedef struct {
    ngx_uint_t                set;            /* there was such a line */
    ngx_str_t                 route;          /* "<sip:...;lr>"; empty: 380 */
    ngx_addr_t                addr;           /* its next hop */
    ngx_uint_t                transport;
    ngx_uint_t                no_location;    /* the browser's is not sent */
    ngx_str_t                 location;       /* but this one; may be empty */
} ngx_ims_core_sos_t;


/*
 * A connection of ours is gone, not one of the core's.  flow names it and its
 * other end; refused: it never came about.  What waits for an answer on it will
 * not get one.
 */
typedef void (*ngx_ims_core_lost_pt)(ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_uint_t refused);

/*
 * Sends a message on a connection of another worker, which flow->owner names.
 * NGX_OK; NGX_DECLINED: that worker is dead; NGX_BUSY or NGX_ERROR.
 */
typedef ngx_int_t (*ngx_ims_core_relay_pt)(ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, u_char *p, size_t len);

/* 1 while this worker has something that may need the core's connections */
typedef ngx_uint_t (*ngx_ims_core_busy_pt)(ngx_ims_core_t *core);


/* lines ssl_*; both contexts are made when the block ends */
typedef struct {
    ngx_str_t                 certificate;
    ngx_str_t                 key;
    ngx_str_t                 trusted;
    ngx_str_t                 crl;
    ngx_str_t                 ciphers;
    ngx_str_t                 name;           /* SNI and name to check */
    ngx_uint_t                protocols;
    ngx_uint_t                depth;
    ngx_uint_t                verify;

    void                     *in;             /* ngx_ssl_t: we accept */
    void                     *out;            /* ngx_ssl_t: we connect */
} ngx_ims_core_tls_t;


typedef struct {
    size_t                    buffer;         /* bytes unsent on one */
    ngx_uint_t                max;            /* accepted; opened, too */
    ngx_msec_t                idle;           /* ms without a message */
    ngx_msec_t                keepalive;      /* ms between pings; 0: none */
} ngx_ims_core_stream_t;


struct ngx_ims_core_s {
    ngx_str_t                 name;
    ngx_array_t               listens;        /* ngx_ims_core_listen_t */
    ngx_array_t               servers;        /* ngx_ims_core_server_t */
    ngx_array_t               names;          /* ngx_ims_core_name_t * */
    ngx_uint_t                nslots;         /* room for servers */
    ngx_array_t               allow;          /* ngx_cidr_t, beside servers */
    ngx_str_t                 home_domain;
    ngx_str_t                 visited_network;
    ngx_str_t                 access;         /* P-Access-Network-Info, or "" */
    ngx_str_t                 flag;           /* integrity-protected, or "" */
    ngx_str_t                 waf;            /* ', name="value"', or "" */
    struct ngx_ims_secrets_s *secrets;        /* NULL: none to answer with */
    ngx_str_t                 realm;          /* of these; "": home_domain */
    unsigned                  register_set:1; /* there was such a line */
    unsigned                  digest:1;       /* nobody is vouched for */
    unsigned                  reg_event:1;    /* SUBSCRIBE to it */
    unsigned                  reg_event_set:1;
    ngx_msec_t                t1;             /* ms */
    ngx_msec_t                timer_c;        /* ms, RFC 3261 16.6 */
    ngx_uint_t                no_prack;       /* none for a browser */
    ngx_msec_t                timeout;        /* ms without any answer, then
                                                 the next server is tried */
    ngx_uint_t                max_requests;   /* of browsers under way, of a
                                                 worker; 0: any */
    ngx_msec_t                probe;          /* ms between two, 0: off */
    ngx_msec_t                probe_timeout;  /* ms */
    ngx_uint_t                probe_fails;
    ngx_uint_t                reregister;     /* a second and worker; 0: off */
    ngx_resolver_t           *resolver;
    ngx_msec_t                resolver_timeout;
    ngx_ims_health_t         *health;
    size_t                    udp_max;        /* bytes; 0: all by UDP */
    ngx_ims_core_stream_t     stream;
    ngx_ims_core_tls_t        tls;
    ngx_ims_dial_plan_t       dial;
    ngx_ims_core_sos_t        sos;
    ngx_ims_core_listen_t    *edge;           /* Path, Contact, Record-Route
                                                 name it, whatever the flow */

    u_char                   *file;           /* where it was defined */
    ngx_uint_t                line;

    /* of a worker, set by ngx_ims_core_init_worker() */
    ngx_log_t                *log;
    uint32_t                  crc;            /* of its name */
    uint32_t                  instance;       /* of our branches */
    void                     *cache;          /* of names in routes */
    ngx_ims_core_handler_pt   handler;
    void                     *data;           /* the upper floor's */

    /* of the upper floor, too, which sets them before that; may be NULL */
    ngx_ims_core_lost_pt      lost;
    ngx_ims_core_relay_pt     relay;
    ngx_ims_core_busy_pt      busy;

    ngx_queue_t               conns;          /* ngx_ims_core_conn_t */
    ngx_uint_t                nin;            /* of them, accepted */
    ngx_uint_t                nout;           /* of them, opened */
    ngx_queue_t               peers;          /* ngx_ims_core_peer_t */
    ngx_uint_t                npeers;
    ngx_event_t               drain;          /* before a graceful exit */
    time_t                    full_time;      /* s, when that was logged */
    time_t                    overflow_time;  /* s, when that was logged */

    ngx_ims_health_core_t    *counts;         /* of all workers, or own */
    ngx_ims_health_core_t     own;            /* of this one, for the log */
    ngx_uint_t                requests;       /* of browsers under way */
    time_t                    requests_time;  /* s, when too many was logged */
    ngx_uint_t                refused_logged; /* of them, when last logged */
    time_t                    refused_time;   /* s, when that was */
};


/*
 * Adds a listening socket for a core at configuration time: ngx_parse_url was
 * done by the caller, a wildcard needs host to be given.  No reuseport.
 * transport: NGX_IMS_UDP, NGX_IMS_TCP or NGX_IMS_TLS.
 * Returns NGX_OK or NGX_ERROR (logged with the directive's name).
 */
ngx_int_t ngx_ims_core_add_listen(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_addr_t *addr, ngx_uint_t transport, ngx_str_t *host);

/*
 * At the end of the block: checks the lines ssl_* and makes the contexts that
 * listening sockets and servers need.  NGX_OK or NGX_ERROR (logged).
 */
ngx_int_t ngx_ims_core_tls_init(ngx_conf_t *cf, ngx_ims_core_t *core);

/*
 * In init_process: takes over the read events of the core's listening sockets
 * (own recvmmsg handler, at most 64 datagrams a turn) and dups the descriptors,
 * so that an old worker can go on sending after it has closed its listeners.
 */
ngx_int_t ngx_ims_core_init_worker(ngx_cycle_t *cycle, ngx_ims_core_t *core,
    ngx_ims_core_handler_pt handler, void *data);

/*
 * In a worker that shuts down, when nobody after it does: goes on to read what
 * comes by UDP to this socket.
 */
void ngx_ims_core_listen_alone(ngx_ims_core_t *core,
    ngx_ims_core_listen_t *lst);

/* closes the dups and all connections, in exit_process */
void ngx_ims_core_close(ngx_ims_core_t *core);

/* 1 when this address may send to us: a server or in allow */
ngx_uint_t ngx_ims_core_allowed(ngx_ims_core_t *core, struct sockaddr *sa);

/*
 * A flow to the server to try next: smooth weighted round robin over those that
 * are not down, then the backups, then (all down) the one that was down
 * longest.
 *
 * tried     servers tried before for this request, a bitmap by index that gets
 *           the bit of the one that is taken (64 at most are configured)
 *
 * NGX_OK, or NGX_DECLINED: all were tried.
 */
ngx_int_t ngx_ims_core_next(ngx_ims_core_t *core, uint64_t *tried,
    ngx_ims_flow_t *flow);

/*
 * The same for a request with a route: to the host of the URI (may be empty),
 * when that is an allowed address, or a name that leads to some and was looked
 * up before.  A host that is a server itself gives way to another when it is
 * known to be down.  Called again with the same tried, another address of that
 * name or another server is taken.
 *
 * NGX_OK, or NGX_DECLINED: nobody is left.
 */
ngx_int_t ngx_ims_core_hop(ngx_ims_core_t *core, ngx_ims_str_t *uri,
    uint64_t *tried, ngx_ims_flow_t *flow);

/* looks the host of a route URI up for later, when it is a name */
void ngx_ims_core_prefetch(ngx_ims_core_t *core, ngx_ims_str_t *uri);

/*
 * The outcome of a request on a flow; ok = 0: it timed out or was refused.  All
 * workers are told.
 */
void ngx_ims_core_result(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_uint_t ok);

/* the same from an answer: 503 is none, and its Retry-After is kept to */
void ngx_ims_core_answered(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_ims_sip_msg_t *m);

/*
 * How long to wait yet for a first answer to a request.
 *
 * tried     as ngx_ims_core_next() left it
 * invite    a 100 is due at once
 * sent      ms, when that was
 *
 * Returns ms, after which to ask again; 0: the next server is to be tried,
 * because "timeout" is over or somebody has found this one dead.
 */
ngx_msec_t ngx_ims_core_patience(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    uint64_t tried, ngx_uint_t invite, ngx_msec_t sent);

/* its socket is closed, or probes go unanswered: down whatever max_fails is */
void ngx_ims_core_dead(ngx_ims_core_t *core, ngx_ims_flow_t *flow);

/* a 503 with Retry-After, in s, of which five minutes count at most */
void ngx_ims_core_busy(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    time_t seconds);

/* 1 when it has answered anything, to any worker, since then (ms) */
ngx_uint_t ngx_ims_core_heard(ngx_ims_core_t *core, ngx_ims_flow_t *flow,
    ngx_msec_t since);

/*
 * When one of the servers was back after it had been down, s; 0: none ever was.
 * What was registered before may be forgotten there.
 */
time_t ngx_ims_core_back(ngx_ims_core_t *core);

/* 1 when what is at the end of the flow is known to be down */
ngx_uint_t ngx_ims_core_known_down(ngx_ims_core_t *core,
    ngx_ims_flow_t *flow);

/*
 * 1 when somebody is left that is not down and was not tried; and when anybody
 * is left, as a last resort
 */
ngx_uint_t ngx_ims_core_others(ngx_ims_core_t *core, uint64_t tried);
ngx_uint_t ngx_ims_core_left(ngx_ims_core_t *core, uint64_t tried);

/* the server at an address, or NULL; and whether it is down at this time */
ngx_ims_core_server_t *ngx_ims_core_server(ngx_ims_core_t *core,
    ngx_uint_t transport, struct sockaddr *sa, socklen_t socklen);
ngx_uint_t ngx_ims_core_down(ngx_ims_core_t *core, ngx_ims_core_server_t *s,
    time_t now);

/* 1 when requests can be sent by this transport and family */
ngx_uint_t ngx_ims_core_sends(ngx_ims_core_t *core, ngx_uint_t transport,
    int family);

/*
 * At configuration time: a server that is a name, all else as in line, whose
 * addresses come from the core's resolver once a worker runs.  port 0: by SRV.
 * NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_ims_core_add_name(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_str_t *host, in_port_t port, ngx_uint_t transport,
    ngx_ims_core_server_t *line);

/*
 * In init_process: finds the servers in the shared zone and begins to resolve
 * names.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_ims_core_resolve_init(ngx_cycle_t *cycle, ngx_ims_core_t *core);

/*
 * The listening socket of this transport and family, else the first of that
 * family: what a Via says.  NULL: none of the family.
 */
ngx_ims_core_listen_t *ngx_ims_core_local(ngx_ims_core_t *core,
    ngx_uint_t transport, int family);

/*
 * Fills a flow to an address.  NGX_OK, or NGX_DECLINED: no socket of that
 * family.  flow->data is the core.
 *
 * Sending on it: UDP sends the datagram, but a request longer than udp_max goes
 * by TCP with its Via changed (RFC 3261 18.1.1), unless that was refused of
 * late; the flow then says so (grown).  TCP and TLS use the connection that the
 * flow names, else one that leads there, else open one; the flow then names it.
 * A response whose connection is gone goes where its Via says (18.2.2).
 */
ngx_int_t ngx_ims_core_flow(ngx_ims_core_t *core, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen, ngx_ims_flow_t *flow);

/* "UDP", "TCP", "TLS" or "LOCAL" for a Via */
ngx_str_t *ngx_ims_core_transport(ngx_uint_t transport);

/*
 * The next hop of a route URI: its host when that is allowed and an address, or
 * a name that was looked up before; NGX_DECLINED for a stranger, for a name
 * that is not known yet (it is looked up for the next time), or when another
 * server is to stand in: the caller then takes one (outbound proxy).
 */
ngx_int_t ngx_ims_core_next_hop(ngx_ims_core_t *core, ngx_ims_str_t *uri,
    ngx_ims_flow_t *flow);


#endif /* _NGX_IMS_CORE_H_INCLUDED_ */
