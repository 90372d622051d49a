
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Connections to the control sockets: ng on a stream, ng in records, HTTP.
 */


#ifndef MH_CONN_H
#define MH_CONN_H


#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_request.h"


enum mh_conn_limits {
    MH_CONN_ALL = 512,          /* connections at once; */
    MH_CONN_INET = 256,         /* of them not by a Unix socket, whose
                                   clients so find room always */
    MH_CONN_PATIENCE = 10000,   /* ms that a request may take to come, a
                                   reply to be fetched */
    MH_CONN_IDLE = 75000        /* ms between two requests of HTTP */
};


enum mh_conn_kind {
    MH_CONN_STREAM,
    MH_CONN_RECORD,             /* a seqpacket socket */
    MH_CONN_HTTP
};


struct mh_conns;


struct mh_conn_stat {
    unsigned  current;
    uint64_t  total;
    uint64_t  refused;          /* no room, or from a stranger */
    uint64_t  expired;          /* too slow */
};


/*
 * Writes the text for GET /metrics.
 *
 * @return bytes, 0 if they do not fit
 */
typedef size_t (mh_conn_metrics_h)(char *buf, size_t size, void *arg);


/*
 * @param requests  does them; referenced
 *
 * @return 0 or ENOMEM; mem_deref() closes all
 */
int mh_conns_alloc(struct mh_conns **cp, struct mh_requests *requests);

/* Who writes the metrics; without, there are none */
void mh_conns_metrics(struct mh_conns *conns, mh_conn_metrics_h *h,
    void *arg);

/*
 * Takes a connection, after libre_init().  Where there is no room for one
 * that is not local, the one that was idle longest makes place.
 *
 * @param fd    non-blocking; closed in any case
 * @param kind  of it
 * @param inet  it is not by a Unix socket
 * @param now   ms of mh_clock()
 *
 * @return 0, ENOMEM, ENOSPC, or what the loop said
 */
int mh_conn_add(struct mh_conns *conns, int fd, enum mh_conn_kind kind,
    bool inet, uint64_t now);

/*
 * Closes the connection that was idle longest, of those not by a Unix
 * socket.
 *
 * @return whether there was one
 */
bool mh_conn_evict(struct mh_conns *conns);

/* once a second: closes those that are too slow */
void mh_conns_tick(struct mh_conns *conns, uint64_t now);

/* counts one that was not even taken */
void mh_conn_refused(struct mh_conns *conns);

const struct mh_conn_stat *mh_conns_stat(const struct mh_conns *conns);


#endif /* MH_CONN_H */
