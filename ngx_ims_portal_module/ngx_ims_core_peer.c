/*
 * Copyright (C) the IMS portal authors
 *
 * What a worker remembers of the addresses that it connects to: that TCP was
 * refused, and a TLS session to go on with.  No timers.
 */


#include "ngx_ims_core_priv.h"


static void ngx_ims_core_peer_free(ngx_ims_core_t *core,
    ngx_ims_core_peer_t *peer);


void
ngx_ims_core_peers_free(ngx_ims_core_t *core)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&core->peers)) {
        q = ngx_queue_head(&core->peers);
        ngx_ims_core_peer_free(core, ngx_queue_data(q, ngx_ims_core_peer_t,
                                                    queue));
    }
}


ngx_ims_core_peer_t *
ngx_ims_core_peer(ngx_ims_core_t *core, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen, ngx_uint_t create)
{
    ngx_queue_t          *q;
    ngx_ims_core_peer_t  *peer;

    for (q = ngx_queue_head(&core->peers);
         q != ngx_queue_sentinel(&core->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_ims_core_peer_t, queue);

        if (peer->transport == transport
            && ngx_cmp_sockaddr(&peer->sockaddr.sockaddr, peer->socklen, sa,
                                socklen, 1)
               == NGX_OK)
        {
            ngx_queue_remove(&peer->queue);
            ngx_queue_insert_head(&core->peers, &peer->queue);

            return peer;
        }
    }

    if (!create) {
        return NULL;
    }

    if (core->npeers >= NGX_IMS_CORE_PEERS) {
        q = ngx_queue_last(&core->peers);
        ngx_ims_core_peer_free(core,
                          ngx_queue_data(q, ngx_ims_core_peer_t, queue));
    }

    peer = ngx_calloc(sizeof(ngx_ims_core_peer_t), core->log);
    if (peer == NULL) {
        return NULL;
    }

    peer->transport = transport;
    ngx_memcpy(&peer->sockaddr, sa, socklen);
    peer->socklen = socklen;

    ngx_queue_insert_head(&core->peers, &peer->queue);
    core->npeers++;

    return peer;
}


static void
ngx_ims_core_peer_free(ngx_ims_core_t *core, ngx_ims_core_peer_t *peer)
{
    ngx_ims_core_tls_forget(peer);
    ngx_queue_remove(&peer->queue);
    core->npeers--;
    ngx_free(peer);
}


ngx_uint_t
ngx_ims_core_peer_refused(ngx_ims_core_t *core, struct sockaddr *sa,
    socklen_t socklen)
{
    time_t                  wait;
    ngx_uint_t              i;
    ngx_ims_core_peer_t    *peer;
    ngx_ims_core_server_t  *s;

    peer = ngx_ims_core_peer(core, NGX_IMS_TCP, sa, socklen, 0);

    if (peer == NULL || peer->refused == 0) {
        return 0;
    }

    wait = 10;
    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {
        if (s[i].addr.sockaddr != NULL
            && ngx_cmp_sockaddr(s[i].addr.sockaddr, s[i].addr.socklen, sa,
                                socklen, 1)
               == NGX_OK)
        {
            wait = s[i].fail_timeout;
        }
    }

    return ngx_time() - peer->refused <= wait;
}
