/*
 * Copyright (C) the IMS portal authors
 *
 * Hand-over between workers: this worker's own datagram socket, which others
 * find by its abstract name, and one connected socket for each peer, so that
 * the kernel says when a full peer can take more.
 *
 * Timers: one, cancelable, once a minute: peers that were not written to since
 * the last one are closed.
 */


#include "ngx_ims_ipc.h"


#define NGX_IMS_IPC_MAGIC  0x696d7301    /* "ims", version 1 */


enum {
    NGX_IMS_IPC_BATCH = 64,              /* messages read a turn */
    NGX_IMS_IPC_PIECES = 4,
    NGX_IMS_IPC_IDLE = 60000             /* ms */
};


typedef struct {
    uint32_t                  magic;
    uint32_t                  type;
    ngx_ims_owner_t           from;
} ngx_ims_ipc_head_t;


typedef struct {
    ngx_queue_t               link;
    size_t                    len;
    u_char                    data[];
} ngx_ims_ipc_item_t;


typedef struct {
    ngx_queue_t               link;           /* last used first */
    ngx_ims_ipc_t            *ipc;
    ngx_ims_owner_t           owner;
    ngx_connection_t         *connection;
    ngx_queue_t               items;          /* ngx_ims_ipc_item_t */
    ngx_uint_t                nitems;
    size_t                    bytes;          /* of these */
    unsigned                  used:1;         /* since the last sweep */
} ngx_ims_ipc_peer_t;


struct ngx_ims_ipc_s {
    ngx_log_t                *log;
    ngx_ims_owner_t           self;
    ngx_ims_ipc_handler_pt    handler;
    void                     *data;
    ngx_connection_t         *connection;
    ngx_event_t               sweep;
    ngx_queue_t               peers;
    ngx_uint_t                npeers;
    u_char                    buf[NGX_IMS_IPC_MAX_MESSAGE];
};


static ngx_connection_t *ngx_ims_ipc_socket(ngx_ims_ipc_t *ipc, void *data);
static void ngx_ims_ipc_read(ngx_event_t *ev);
static ngx_int_t ngx_ims_ipc_receive(ngx_ims_ipc_t *ipc);
static ngx_int_t ngx_ims_ipc_trusted(struct msghdr *msg);
static ngx_int_t ngx_ims_ipc_find(ngx_ims_ipc_t *ipc, ngx_ims_owner_t *to,
    ngx_ims_ipc_peer_t **out);
static ngx_int_t ngx_ims_ipc_connect(ngx_ims_ipc_t *ipc, ngx_ims_owner_t *to,
    ngx_ims_ipc_peer_t **out);
static ngx_int_t ngx_ims_ipc_enqueue(ngx_ims_ipc_peer_t *peer,
    struct iovec *iov, ngx_uint_t n);
static ngx_int_t ngx_ims_ipc_write(ngx_ims_ipc_peer_t *peer,
    struct iovec *iov, ngx_uint_t n);
static void ngx_ims_ipc_writable(ngx_event_t *ev);
static void ngx_ims_ipc_unused(ngx_event_t *ev);
static void ngx_ims_ipc_close_peer(ngx_ims_ipc_peer_t *peer);
static void ngx_ims_ipc_sweep(ngx_event_t *ev);


ngx_ims_ipc_t *
ngx_ims_ipc_open(ngx_cycle_t *cycle, ngx_ims_owner_t *self,
    ngx_ims_ipc_handler_pt handler, void *data)
{
    int                  on;
    socklen_t            socklen;
    ngx_ims_ipc_t       *ipc;
    ngx_connection_t    *c;
    struct sockaddr_un   sun;

    ipc = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_ipc_t));
    if (ipc == NULL) {
        return NULL;
    }

    ipc->log = cycle->log;
    ipc->self = *self;
    ipc->handler = handler;
    ipc->data = data;
    ngx_queue_init(&ipc->peers);

    c = ngx_ims_ipc_socket(ipc, ipc);
    if (c == NULL) {
        return NULL;
    }

    on = 1;

    if (setsockopt(c->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(int)) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ipc->log, ngx_socket_errno,
                      "setsockopt(SO_PASSCRED) failed");
        goto failed;
    }

    socklen = ngx_ims_ipc_name(self, &sun);

    if (bind(c->fd, (struct sockaddr *) &sun, socklen) == -1) {
        ngx_log_error(NGX_LOG_EMERG, ipc->log, ngx_socket_errno,
                      "bind() to hand-over socket \"@%s\" failed",
                      &sun.sun_path[1]);
        goto failed;
    }

    c->read->handler = ngx_ims_ipc_read;
    c->write->handler = ngx_ims_ipc_unused;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        goto failed;
    }

    ipc->connection = c;

    ipc->sweep.handler = ngx_ims_ipc_sweep;
    ipc->sweep.data = ipc;
    ipc->sweep.log = ipc->log;
    ipc->sweep.cancelable = 1;

    return ipc;

failed:

    ngx_close_connection(c);

    return NULL;
}


void
ngx_ims_ipc_close(ngx_ims_ipc_t *ipc)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&ipc->peers)) {
        q = ngx_queue_head(&ipc->peers);
        ngx_ims_ipc_close_peer(ngx_queue_data(q, ngx_ims_ipc_peer_t, link));
    }

    if (ipc->sweep.timer_set) {
        ngx_del_timer(&ipc->sweep);
    }

    if (ipc->connection != NULL) {
        ngx_close_connection(ipc->connection);
        ipc->connection = NULL;
    }
}


/* a datagram socket in a connection that a graceful exit does not mind */

static ngx_connection_t *
ngx_ims_ipc_socket(ngx_ims_ipc_t *ipc, void *data)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, ipc->log, ngx_socket_errno,
                      ngx_socket_n " of a hand-over socket failed");
        return NULL;
    }

    c = ngx_get_connection(s, ipc->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NULL;
    }

    c->data = data;
    c->log = ipc->log;
    c->read->log = ipc->log;
    c->write->log = ipc->log;
    c->read->channel = 1;
    c->write->channel = 1;

    return c;
}


socklen_t
ngx_ims_ipc_name(ngx_ims_owner_t *owner, struct sockaddr_un *sun)
{
    u_char  *p;

    ngx_memzero(sun, sizeof(struct sockaddr_un));
    sun->sun_family = AF_UNIX;

    p = ngx_sprintf((u_char *) &sun->sun_path[1], "ims-portal.%08xD.%08xD",
                    owner->instance, owner->pid);

    return p - (u_char *) sun;
}


static void
ngx_ims_ipc_read(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_ims_ipc_t     *ipc;
    ngx_connection_t  *c;

    c = ev->data;
    ipc = c->data;

    /* what is left comes in the next turn */

    for (i = 0; i < NGX_IMS_IPC_BATCH; i++) {

        if (ngx_ims_ipc_receive(ipc) != NGX_OK) {
            return;
        }
    }
}


/* NGX_DONE when there is no more */

static ngx_int_t
ngx_ims_ipc_receive(ngx_ims_ipc_t *ipc)
{
    ssize_t              n;
    ngx_err_t            err;
    struct iovec         iov;
    struct msghdr        msg;
    ngx_ims_ipc_head_t   head;

    union {
        struct cmsghdr   align;
        u_char           buf[CMSG_SPACE(sizeof(struct ucred))];
    } control;

    iov.iov_base = ipc->buf;
    iov.iov_len = NGX_IMS_IPC_MAX_MESSAGE;

    ngx_memzero(&msg, sizeof(struct msghdr));
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = &control;
    msg.msg_controllen = sizeof(control);

    n = recvmsg(ipc->connection->fd, &msg, MSG_DONTWAIT|MSG_CMSG_CLOEXEC);

    if (n == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            ngx_log_error(NGX_LOG_ERR, ipc->log, err,
                          "recvmsg() from hand-over socket failed");
        }

        return NGX_DONE;
    }

    if (ngx_ims_ipc_trusted(&msg) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ipc->log, 0,
                      "hand-over message from another user refused");
        return NGX_OK;
    }

    if ((msg.msg_flags & MSG_TRUNC) || n < (ssize_t) sizeof(head)) {
        ngx_log_error(NGX_LOG_ERR, ipc->log, 0,
                      "hand-over message of bad size %z", n);
        return NGX_OK;
    }

    ngx_memcpy(&head, ipc->buf, sizeof(head));

    if (head.magic != NGX_IMS_IPC_MAGIC || head.type == 0 || head.type > 255) {
        ngx_log_error(NGX_LOG_ERR, ipc->log, 0,
                      "hand-over message of another version refused");
        return NGX_OK;
    }

    ipc->handler(ipc->data, &head.from, head.type, ipc->buf + sizeof(head),
                 n - sizeof(head));

    /* the handler may have closed it */

    return ipc->connection != NULL ? NGX_OK : NGX_DONE;
}


/* anybody on this host can find the name, the kernel says who wrote */

static ngx_int_t
ngx_ims_ipc_trusted(struct msghdr *msg)
{
    struct ucred     cred;
    struct cmsghdr  *cmsg;

    for (cmsg = CMSG_FIRSTHDR(msg);
         cmsg != NULL;
         cmsg = CMSG_NXTHDR(msg, cmsg))
    {
        if (cmsg->cmsg_level == SOL_SOCKET
            && cmsg->cmsg_type == SCM_CREDENTIALS
            && cmsg->cmsg_len == CMSG_LEN(sizeof(struct ucred)))
        {
            ngx_memcpy(&cred, CMSG_DATA(cmsg), sizeof(struct ucred));

            return (cred.uid == geteuid()) ? NGX_OK : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_ims_ipc_send(ngx_ims_ipc_t *ipc, ngx_ims_owner_t *to, ngx_uint_t type,
    struct iovec *iov, ngx_uint_t n)
{
    size_t               len;
    ngx_int_t            rc;
    ngx_uint_t           i;
    struct iovec         all[NGX_IMS_IPC_PIECES + 1];
    ngx_ims_ipc_peer_t  *peer;
    ngx_ims_ipc_head_t   head;

    if (n > NGX_IMS_IPC_PIECES || type == 0 || type > 255) {
        return NGX_ERROR;
    }

    head.magic = NGX_IMS_IPC_MAGIC;
    head.type = type;
    head.from = ipc->self;

    all[0].iov_base = &head;
    all[0].iov_len = sizeof(head);
    len = sizeof(head);

    for (i = 0; i < n; i++) {
        all[i + 1] = iov[i];

        if (iov[i].iov_len > NGX_IMS_IPC_MAX_MESSAGE - len) {
            return NGX_ERROR;
        }

        len += iov[i].iov_len;
    }

    rc = ngx_ims_ipc_find(ipc, to, &peer);
    if (rc != NGX_OK) {
        return rc;
    }

    peer->used = 1;

    if (peer->nitems != 0) {
        return ngx_ims_ipc_enqueue(peer, all, n + 1);
    }

    rc = ngx_ims_ipc_write(peer, all, n + 1);

    if (rc == NGX_AGAIN) {
        return ngx_ims_ipc_enqueue(peer, all, n + 1);
    }

    if (rc == NGX_DECLINED) {
        ngx_ims_ipc_close_peer(peer);
    }

    return rc;
}


static ngx_int_t
ngx_ims_ipc_find(ngx_ims_ipc_t *ipc, ngx_ims_owner_t *to,
    ngx_ims_ipc_peer_t **out)
{
    ngx_queue_t         *q;
    ngx_ims_ipc_peer_t  *peer;

    for (q = ngx_queue_head(&ipc->peers);
         q != ngx_queue_sentinel(&ipc->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_ims_ipc_peer_t, link);

        if (ngx_ims_owner_equal(&peer->owner, to)) {
            ngx_queue_remove(q);
            ngx_queue_insert_head(&ipc->peers, q);

            *out = peer;
            return NGX_OK;
        }
    }

    return ngx_ims_ipc_connect(ipc, to, out);
}


static ngx_int_t
ngx_ims_ipc_connect(ngx_ims_ipc_t *ipc, ngx_ims_owner_t *to,
    ngx_ims_ipc_peer_t **out)
{
    socklen_t            socklen;
    ngx_err_t            err;
    ngx_queue_t         *q;
    ngx_connection_t    *c;
    struct sockaddr_un   sun;
    ngx_ims_ipc_peer_t  *peer;

    c = ngx_ims_ipc_socket(ipc, NULL);
    if (c == NULL) {
        return NGX_ERROR;
    }

    socklen = ngx_ims_ipc_name(to, &sun);

    if (connect(c->fd, (struct sockaddr *) &sun, socklen) == -1) {
        err = ngx_socket_errno;
        ngx_close_connection(c);

        if (err == NGX_ECONNREFUSED) {
            return NGX_DECLINED;
        }

        ngx_log_error(NGX_LOG_ERR, ipc->log, err,
                      "connect() to hand-over socket \"@%s\" failed",
                      &sun.sun_path[1]);
        return NGX_ERROR;
    }

    peer = ngx_alloc(sizeof(ngx_ims_ipc_peer_t), ipc->log);

    if (peer == NULL) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    if (ipc->npeers == NGX_IMS_IPC_MAX_PEERS) {
        q = ngx_queue_last(&ipc->peers);
        ngx_ims_ipc_close_peer(ngx_queue_data(q, ngx_ims_ipc_peer_t, link));
    }

    ngx_memzero(peer, sizeof(ngx_ims_ipc_peer_t));

    peer->ipc = ipc;
    peer->owner = *to;
    peer->connection = c;
    ngx_queue_init(&peer->items);

    c->data = peer;
    c->read->handler = ngx_ims_ipc_unused;
    c->write->handler = ngx_ims_ipc_writable;

    ngx_queue_insert_head(&ipc->peers, &peer->link);
    ipc->npeers++;

    if (!ipc->sweep.timer_set) {
        ngx_add_timer(&ipc->sweep, NGX_IMS_IPC_IDLE);
    }

    *out = peer;

    return NGX_OK;
}


static ngx_int_t
ngx_ims_ipc_enqueue(ngx_ims_ipc_peer_t *peer, struct iovec *iov, ngx_uint_t n)
{
    size_t               len;
    u_char              *p;
    ngx_uint_t           i;
    ngx_event_t         *wev;
    ngx_ims_ipc_item_t  *item;

    len = 0;

    for (i = 0; i < n; i++) {
        len += iov[i].iov_len;
    }

    if (peer->nitems >= NGX_IMS_IPC_MAX_QUEUE
        || peer->bytes + len > NGX_IMS_IPC_MAX_BYTES)
    {
        return NGX_BUSY;
    }

    item = ngx_alloc(sizeof(ngx_ims_ipc_item_t) + len, peer->ipc->log);
    if (item == NULL) {
        return NGX_ERROR;
    }

    item->len = len;
    p = item->data;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, iov[i].iov_base, iov[i].iov_len);
    }

    wev = peer->connection->write;

    if (!wev->active
        && ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) != NGX_OK)
    {
        ngx_free(item);
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&peer->items, &item->link);
    peer->nitems++;
    peer->bytes += len;

    return NGX_OK;
}


/* NGX_OK, NGX_AGAIN: full, NGX_DECLINED: the peer is dead, NGX_ERROR */

static ngx_int_t
ngx_ims_ipc_write(ngx_ims_ipc_peer_t *peer, struct iovec *iov, ngx_uint_t n)
{
    ssize_t        rc;
    ngx_err_t      err;
    struct msghdr  msg;

    ngx_memzero(&msg, sizeof(struct msghdr));
    msg.msg_iov = iov;
    msg.msg_iovlen = n;

    do {
        rc = sendmsg(peer->connection->fd, &msg, MSG_DONTWAIT|MSG_NOSIGNAL);
        err = (rc == -1) ? ngx_socket_errno : 0;

    } while (err == NGX_EINTR);

    switch (err) {

    case 0:
        return NGX_OK;

    case NGX_EAGAIN:
        return NGX_AGAIN;

    case NGX_ECONNREFUSED:
    case NGX_ECONNRESET:
    case NGX_ENOTCONN:
    case NGX_EPIPE:
        return NGX_DECLINED;

    default:
        ngx_log_error(NGX_LOG_ERR, peer->ipc->log, err,
                      "sendmsg() to worker %uD failed", peer->owner.pid);
        return NGX_ERROR;
    }
}


static void
ngx_ims_ipc_writable(ngx_event_t *ev)
{
    ngx_int_t            rc;
    ngx_queue_t         *q;
    struct iovec         iov;
    ngx_connection_t    *c;
    ngx_ims_ipc_item_t  *item;
    ngx_ims_ipc_peer_t  *peer;

    c = ev->data;
    peer = c->data;

    while (peer->nitems) {
        q = ngx_queue_head(&peer->items);
        item = ngx_queue_data(q, ngx_ims_ipc_item_t, link);

        iov.iov_base = item->data;
        iov.iov_len = item->len;

        rc = ngx_ims_ipc_write(peer, &iov, 1);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_DECLINED) {
            ngx_ims_ipc_close_peer(peer);
            return;
        }

        ngx_queue_remove(q);
        peer->nitems--;
        peer->bytes -= item->len;
        ngx_free(item);
    }

    if (ev->active) {
        (void) ngx_del_event(ev, NGX_WRITE_EVENT, 0);
    }
}


static void
ngx_ims_ipc_unused(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ev->log, 0, "ims ipc: unused event");
}


static void
ngx_ims_ipc_close_peer(ngx_ims_ipc_peer_t *peer)
{
    ngx_queue_t  *q;

    if (peer->nitems) {
        ngx_log_error(NGX_LOG_INFO, peer->ipc->log, 0,
                      "worker %uD is gone, and %ui hand-over messages for it",
                      peer->owner.pid, peer->nitems);
    }

    while (!ngx_queue_empty(&peer->items)) {
        q = ngx_queue_head(&peer->items);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_ims_ipc_item_t, link));
    }

    ngx_queue_remove(&peer->link);
    peer->ipc->npeers--;

    ngx_close_connection(peer->connection);
    ngx_free(peer);
}


static void
ngx_ims_ipc_sweep(ngx_event_t *ev)
{
    ngx_queue_t         *q, *next;
    ngx_ims_ipc_t       *ipc;
    ngx_ims_ipc_peer_t  *peer;

    ipc = ev->data;

    for (q = ngx_queue_head(&ipc->peers);
         q != ngx_queue_sentinel(&ipc->peers);
         q = next)
    {
        next = ngx_queue_next(q);
        peer = ngx_queue_data(q, ngx_ims_ipc_peer_t, link);

        if (!peer->used && peer->nitems == 0) {
            ngx_ims_ipc_close_peer(peer);
            continue;
        }

        peer->used = 0;
    }

    if (ipc->npeers) {
        ngx_add_timer(ev, NGX_IMS_IPC_IDLE);
    }
}
