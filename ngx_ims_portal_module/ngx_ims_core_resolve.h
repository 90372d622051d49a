/*
 * Copyright (C) the IMS portal authors
 *
 * Names of the core's servers and of route URIs, resolved at run time by
 * nginx's resolver.  What ngx_ims_core_server.c and ngx_ims_core_resolve.c
 * share; others include ngx_ims_core.h.
 */


#ifndef _NGX_IMS_CORE_RESOLVE_H_INCLUDED_
#define _NGX_IMS_CORE_RESOLVE_H_INCLUDED_


#include "ngx_ims_core.h"


enum {
    NGX_IMS_CORE_SIP_PORT = 5060,
    NGX_IMS_CORE_SIPS_PORT = 5061,

    NGX_IMS_CORE_ADDRS = 16,             /* addresses of one name */
    NGX_IMS_CORE_NAMES = 256             /* names from routes, of a worker */
};


/* in "tried": the host of a route itself, which may have other addresses */
#define NGX_IMS_CORE_ITSELF  ((uint64_t) 1 << 63)


typedef struct {
    ngx_sockaddr_t            sockaddr;
    socklen_t                 socklen;
    ngx_uint_t                transport;      /* ngx_ims_transport_e */
    ngx_uint_t                priority;       /* of SRV, lower comes first */
    ngx_uint_t                share;          /* the weight of SRV */
    ngx_ims_health_hop_t     *health;         /* or NULL: not known */
} ngx_ims_core_addr_t;


struct ngx_ims_core_name_s {
    ngx_ims_core_t           *core;
    ngx_str_t                 host;           /* as written */
    in_port_t                 port;           /* 0: SRV comes first */
    ngx_uint_t                transport;      /* NGX_IMS_ANY, or this one */
    ngx_ims_core_server_t    *line;           /* what a server line says; NULL:
                                                 the name is a route's */

    /* the look-up */
    ngx_resolver_ctx_t       *ctx;            /* under way */
    ngx_uint_t                step;
    time_t                    valid;          /* s, until then; 0: never was */
    time_t                    pause;          /* s, after a failure */
    ngx_event_t               event;
    unsigned                  failed:1;       /* and that was logged */

    /* what it gave */
    ngx_uint_t                naddrs;
    ngx_ims_core_addr_t       addrs[NGX_IMS_CORE_ADDRS];

    time_t                    touched;        /* s, the addresses' health was
                                                 looked up */

    /* of a route's name */
    time_t                    used;           /* s */
    ngx_uint_t                turn;

    /* while a server is chosen */
    ngx_uint_t                best;           /* priority whose turn it is */
    ngx_uint_t                total;          /* of shares */
    ngx_uint_t                count;
};


/*
 * A server line's name has new addresses: they become servers, those that are
 * gone are taken off.
 */
void ngx_ims_core_update(ngx_ims_core_name_t *name);

/*
 * The name of a route in this worker's cache.  NULL: it is not there, or has no
 * address yet; a look-up has been started for the next time.
 */
ngx_ims_core_name_t *ngx_ims_core_lookup(ngx_ims_core_t *core,
    ngx_ims_str_t *host, in_port_t port, ngx_uint_t transport);

/* what is known of an address that is in the cache but no server; or NULL */
ngx_ims_health_hop_t *ngx_ims_core_route_health(ngx_ims_core_t *core,
    ngx_uint_t transport, struct sockaddr *sa, socklen_t socklen);


#endif /* _NGX_IMS_CORE_RESOLVE_H_INCLUDED_ */
