/*
 * Copyright (C) the IMS portal authors
 *
 * The messages between workers: each begins with a head of its own, which any
 * worker of the same build reads.  No timers.
 */


#include "ngx_ims_handover.h"
#include "ngx_ims_loop.h"


enum {
    NGX_IMS_HANDOVER_MESSAGE = 1,        /* for the receiver */
    NGX_IMS_HANDOVER_MOVED,
    NGX_IMS_HANDOVER_RELAY,              /* for the core, by the receiver */
    NGX_IMS_HANDOVER_BROWSER             /* for a browser of the receiver */
};


typedef struct {
    uint32_t                  core;           /* crc32 of its name */
    uint32_t                  socklen;
    uint32_t                  transport;
    uint64_t                  connection;
    ngx_ims_owner_t           owner;
    ngx_sockaddr_t            sockaddr;
    u_char                    branch[NGX_IMS_BRANCH_LEN];  /* see w->again */
} ngx_ims_handover_head_t;


typedef struct {
    uint32_t                  pool;           /* crc32 of its name */
    ngx_ims_ref_t             ref;
} ngx_ims_handover_binding_t;


static ngx_int_t ngx_ims_handover_pass(ngx_ims_worker_t *w,
    ngx_ims_core_t *core, ngx_ims_owner_t *owner, ngx_uint_t type,
    ngx_ims_flow_t *flow, u_char *p, size_t len);
static void ngx_ims_handover_message(ngx_ims_worker_t *w, ngx_uint_t type,
    u_char *p, size_t len);
static void ngx_ims_handover_gone(ngx_ims_worker_t *w, u_char *p);
static void ngx_ims_handover_told(ngx_ims_worker_t *w, u_char *p, size_t len);
static ngx_ims_core_t *ngx_ims_handover_core(ngx_ims_worker_t *w,
    uint32_t crc);


static ngx_ims_handover_pt  ngx_ims_handover_handler;
static time_t               ngx_ims_handover_full;     /* s, when that was */


void
ngx_ims_handover_init(ngx_ims_handover_pt handler)
{
    ngx_ims_handover_handler = handler;
}


ngx_int_t
ngx_ims_handover_send(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_owner_t *owner, ngx_ims_flow_t *flow, ngx_ims_str_t *text)
{
    return ngx_ims_handover_pass(w, core, owner, NGX_IMS_HANDOVER_MESSAGE,
                                 flow, text->data, text->len);
}


ngx_int_t
ngx_ims_handover_relay(ngx_ims_core_t *core, ngx_ims_flow_t *flow, u_char *p,
    size_t len)
{
    return ngx_ims_handover_pass(core->data, core, &flow->owner,
                                 NGX_IMS_HANDOVER_RELAY, flow, p, len);
}


static ngx_int_t
ngx_ims_handover_pass(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_owner_t *owner, ngx_uint_t type, ngx_ims_flow_t *flow, u_char *p,
    size_t len)
{
    ngx_int_t                rc;
    struct iovec             iov[2];
    ngx_ims_handover_head_t  head;

    ngx_memzero(&head, sizeof(ngx_ims_handover_head_t));

    head.core = ngx_crc32_short(core->name.data, core->name.len);
    head.socklen = flow->socklen;
    head.transport = flow->transport;
    head.connection = flow->connection;
    head.owner = flow->owner;
    head.sockaddr = flow->sockaddr;

    if (flow->connection && flow->owner.pid == 0) {
        head.owner = w->self;
    }

    if (w->again != NULL) {
        ngx_memcpy(head.branch, w->again, NGX_IMS_BRANCH_LEN);
    }

    iov[0].iov_base = &head;
    iov[0].iov_len = sizeof(ngx_ims_handover_head_t);
    iov[1].iov_base = p;
    iov[1].iov_len = len;

    rc = ngx_ims_ipc_send(w->ipc, owner, type, iov, 2);

    if (rc == NGX_BUSY && ngx_ims_handover_full != ngx_time()) {

        /* a line in a second, not one for each */

        ngx_ims_handover_full = ngx_time();
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "too many messages wait for worker %uD", owner->pid);
    }

    return rc;
}


void
ngx_ims_handover_moved(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *before)
{
    struct iovec                iov;
    ngx_ims_handover_binding_t  moved;

    ngx_memzero(&moved, sizeof(ngx_ims_handover_binding_t));

    moved.pool = pool->crc;
    moved.ref = *ref;

    iov.iov_base = &moved;
    iov.iov_len = sizeof(ngx_ims_handover_binding_t);

    (void) ngx_ims_ipc_send(w->ipc, before, NGX_IMS_HANDOVER_MOVED, &iov, 1);
}


ngx_int_t
ngx_ims_handover_browser(ngx_ims_worker_t *w, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_ims_owner_t *owner, u_char *p, size_t len)
{
    struct iovec                iov[2];
    ngx_ims_handover_binding_t  head;

    ngx_memzero(&head, sizeof(ngx_ims_handover_binding_t));

    head.pool = pool->crc;
    head.ref = *ref;

    iov[0].iov_base = &head;
    iov[0].iov_len = sizeof(ngx_ims_handover_binding_t);
    iov[1].iov_base = p;
    iov[1].iov_len = len;

    return ngx_ims_ipc_send(w->ipc, owner, NGX_IMS_HANDOVER_BROWSER, iov, 2);
}


void
ngx_ims_handover_ipc(void *data, ngx_ims_owner_t *from, ngx_uint_t type,
    u_char *p, size_t len)
{
    if ((type == NGX_IMS_HANDOVER_MESSAGE || type == NGX_IMS_HANDOVER_RELAY)
        && len > sizeof(ngx_ims_handover_head_t))
    {
        ngx_ims_handover_message(data, type, p, len);
        return;
    }

    if (type == NGX_IMS_HANDOVER_MOVED
        && len == sizeof(ngx_ims_handover_binding_t))
    {
        ngx_ims_handover_gone(data, p);
        return;
    }

    if (type == NGX_IMS_HANDOVER_BROWSER
        && len > sizeof(ngx_ims_handover_binding_t))
    {
        ngx_ims_handover_told(data, p, len);
    }
}


static void
ngx_ims_handover_message(ngx_ims_worker_t *w, ngx_uint_t type, u_char *p,
    size_t len)
{
    ngx_ims_core_t           *core;
    ngx_ims_flow_t            flow;
    ngx_ims_handover_head_t   head;

    ngx_memcpy(&head, p, sizeof(ngx_ims_handover_head_t));
    p += sizeof(ngx_ims_handover_head_t);
    len -= sizeof(ngx_ims_handover_head_t);

    core = ngx_ims_handover_core(w, head.core);

    if (core != NULL && head.transport == NGX_IMS_LOCAL) {
        ngx_ims_loop_flow(core, &flow);
        w->again = head.branch[0] ? head.branch : NULL;
        ngx_ims_handover_handler(w, core, &flow, p, len);
        w->again = NULL;
        return;
    }

    if (core == NULL
        || ngx_ims_core_flow(core, head.transport, &head.sockaddr.sockaddr,
                             head.socklen, &flow)
           != NGX_OK)
    {
        return;
    }

    flow.connection = head.connection;

    if (!ngx_ims_owner_equal(&head.owner, &w->self)) {
        flow.owner = head.owner;
    }

    if (type == NGX_IMS_HANDOVER_RELAY) {

        /* of a connection that is gone the core finds another way */

        ngx_memzero(&flow.owner, sizeof(ngx_ims_owner_t));
        (void) flow.send(&flow, p, len);
        return;
    }

    w->again = head.branch[0] ? head.branch : NULL;
    ngx_ims_handover_handler(w, core, &flow, p, len);
    w->again = NULL;
}


static ngx_ims_core_t *
ngx_ims_handover_core(ngx_ims_worker_t *w, uint32_t crc)
{
    ngx_uint_t        i;
    ngx_ims_core_t  **core;

    core = w->cores->elts;

    for (i = 0; i < w->cores->nelts; i++) {
        if (ngx_crc32_short(core[i]->name.data, core[i]->name.len) == crc) {
            return core[i];
        }
    }

    return NULL;
}


/* a browser of ours has a new socket at another worker */

static void
ngx_ims_handover_gone(ngx_ims_worker_t *w, u_char *p)
{
    ngx_uint_t                   i;
    ngx_ims_pool_t             **pool;
    ngx_ims_owner_t              owner;
    ngx_ims_session_t           *s;
    ngx_ims_handover_binding_t   moved;

    ngx_memcpy(&moved, p, sizeof(ngx_ims_handover_binding_t));

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        if (pool[i]->crc != moved.pool) {
            continue;
        }

        s = ngx_ims_session_find(w, pool[i], &moved.ref);

        /* not when the browser has come back here since that was sent */

        if (s != NULL
            && !(ngx_ims_binding_owner(pool[i], &moved.ref, &owner) == NGX_OK
                 && ngx_ims_owner_equal(&owner, &w->self)))
        {
            ngx_ims_session_close(s, NGX_IMS_WS_REPLACED, "replaced",
                                  NGX_IMS_END_MOVED);
        }

        return;
    }
}


/* a message of the portal's own for a browser of ours */

static void
ngx_ims_handover_told(ngx_ims_worker_t *w, u_char *p, size_t len)
{
    ngx_uint_t                   i;
    ngx_ims_pool_t             **pool;
    ngx_ims_session_t           *s;
    ngx_ims_handover_binding_t   head;

    ngx_memcpy(&head, p, sizeof(ngx_ims_handover_binding_t));

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        if (pool[i]->crc != head.pool) {
            continue;
        }

        s = ngx_ims_session_find(w, pool[i], &head.ref);

        if (s != NULL) {
            (void) ngx_ims_session_send(
                                    s, p + sizeof(ngx_ims_handover_binding_t),
                                    len - sizeof(ngx_ims_handover_binding_t));
        }

        return;
    }
}
