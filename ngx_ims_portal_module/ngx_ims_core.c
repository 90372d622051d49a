/*
 * Copyright (C) the IMS portal authors
 *
 * The sockets towards the operator's IMS, shared by all workers, and who may
 * send to them.  The upper floor registers the handler that gets each message;
 * which server is next is in ngx_ims_core_server.c, connections are in
 * ngx_ims_core_stream.c.
 *
 * The sockets are nginx's own listening sockets, so they survive a reload and
 * a binary upgrade; only the read event of datagrams is ours: one datagram is
 * one message here, and needs no connection.  A worker sends through a dup,
 * which stays open when a graceful exit closes the listeners.
 *
 * No timers.
 */


#include "ngx_ims_core_priv.h"


enum {
    NGX_IMS_CORE_BATCH = 64,             /* datagrams a turn */
    NGX_IMS_CORE_GONE = 64               /* s that a server is still heard */
};


/* where one batch is received; one for all cores of a worker */

typedef struct {
    struct mmsghdr    msgs[NGX_IMS_CORE_BATCH];
    struct iovec      iovs[NGX_IMS_CORE_BATCH];
    ngx_sockaddr_t    sockaddrs[NGX_IMS_CORE_BATCH];
    u_char            bufs[NGX_IMS_CORE_BATCH][NGX_IMS_MAX_DATAGRAM];
    u_char            message[NGX_IMS_MAX_DATAGRAM];    /* rewritten */
} ngx_ims_core_batch_t;


static ngx_int_t ngx_ims_core_local_host(ngx_conf_t *cf, ngx_addr_t *addr,
    ngx_str_t *host);
static void ngx_ims_core_accept(ngx_connection_t *c);
static ngx_int_t ngx_ims_core_take_listen(ngx_cycle_t *cycle,
    ngx_ims_core_t *core, ngx_ims_core_listen_t *lst);
static void ngx_ims_core_datagram(ngx_ims_core_t *core, struct msghdr *msg,
    size_t len);
static ngx_int_t ngx_ims_core_send(ngx_ims_flow_t *flow, u_char *p,
    size_t len);
static ngx_int_t ngx_ims_core_send_grown(ngx_ims_flow_t *flow, u_char *p,
    size_t len);
static ngx_int_t ngx_ims_core_send_datagram(ngx_ims_flow_t *flow, u_char *p,
    size_t len);


static ngx_ims_core_batch_t  *ngx_ims_core_batch;


ngx_int_t
ngx_ims_core_add_listen(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_addr_t *addr, ngx_uint_t transport, ngx_str_t *host)
{
    int                     type;
    ngx_uint_t              i;
    ngx_listening_t        *ls;
    ngx_ims_core_listen_t  *lst;

    ls = cf->cycle->listening.elts;
    type = (transport == NGX_IMS_UDP) ? SOCK_DGRAM : SOCK_STREAM;

    for (i = 0; i < cf->cycle->listening.nelts; i++) {

        if (ls[i].type == type
            && ngx_cmp_sockaddr(ls[i].sockaddr, ls[i].socklen,
                                addr->sockaddr, addr->socklen, 1)
               == NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"listen\" address \"%V\"",
                               &addr->name);
            return NGX_ERROR;
        }
    }

    lst = ngx_array_push(&core->listens);
    if (lst == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(lst, sizeof(ngx_ims_core_listen_t));

    lst->fd = (ngx_socket_t) -1;
    lst->family = addr->sockaddr->sa_family;
    lst->transport = transport;
    lst->port = ngx_inet_get_port(addr->sockaddr);

    if (host != NULL && host->len) {
        lst->host = *host;

    } else if (ngx_ims_core_local_host(cf, addr, &lst->host) != NGX_OK) {
        return NGX_ERROR;
    }

    ls = ngx_create_listening(cf, addr->sockaddr, addr->socklen);
    if (ls == NULL) {
        return NGX_ERROR;
    }

    lst->sockaddr = ls->sockaddr;

    ls->type = type;
    ls->handler = (type == SOCK_DGRAM) ? ngx_ims_core_accept
                                       : ngx_ims_core_stream_accept;
    ls->servers = core;
    ls->pool_size = 256;
    ls->logp = &cf->cycle->new_log;
    ls->log.data = &ls->addr_text;
    ls->log.handler = ngx_accept_log_error;
    ls->addr_ntop = 1;

#if (NGX_HAVE_INET6)
    ls->ipv6only = 1;
#endif

    return NGX_OK;
}


/* the address itself, as it stands in a URI */

static ngx_int_t
ngx_ims_core_local_host(ngx_conf_t *cf, ngx_addr_t *addr, ngx_str_t *host)
{
    u_char  *p;

    if (ngx_inet_wildcard(addr->sockaddr)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"listen\" on \"%V\" needs a host name or "
                           "address to advertise", &addr->name);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, NGX_SOCKADDR_STRLEN + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    host->data = p;

    if (addr->sockaddr->sa_family == AF_INET6) {
        *p++ = '[';
    }

    p += ngx_sock_ntop(addr->sockaddr, addr->socklen, p, NGX_SOCKADDR_STRLEN,
                       0);

    if (addr->sockaddr->sa_family == AF_INET6) {
        *p++ = ']';
    }

    host->len = p - host->data;

    return NGX_OK;
}


/*
 * Marks the listening sockets as ours.  It is called only for a datagram that
 * nginx itself has received, which ends with the worker's start.
 */

static void
ngx_ims_core_accept(ngx_connection_t *c)
{
    ngx_ims_core_close_accepted(c);
}


ngx_int_t
ngx_ims_core_init_worker(ngx_cycle_t *cycle, ngx_ims_core_t *core,
    ngx_ims_core_handler_pt handler, void *data)
{
    ngx_uint_t              i;
    ngx_ims_core_listen_t  *lst;

    core->log = cycle->log;
    core->handler = handler;
    core->data = data;

    ngx_ims_core_stream_init(core);

    if (ngx_ims_core_batch == NULL) {

        /* only the pages that datagrams have reached take memory */

        ngx_ims_core_batch = ngx_alloc(sizeof(ngx_ims_core_batch_t),
                                       cycle->log);
        if (ngx_ims_core_batch == NULL) {
            return NGX_ERROR;
        }
    }

    lst = core->listens.elts;

    for (i = 0; i < core->listens.nelts; i++) {

        if (ngx_ims_core_take_listen(cycle, core, &lst[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_core_take_listen(ngx_cycle_t *cycle, ngx_ims_core_t *core,
    ngx_ims_core_listen_t *lst)
{
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    /* the array may have moved since the configuration was read */

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ls[i].sockaddr == lst->sockaddr) {
            goto found;
        }
    }

    ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                  "no socket for \"listen\" of ims core \"%V\"", &core->name);

    return NGX_ERROR;

found:

    lst->listening = &ls[i];

    if (lst->transport != NGX_IMS_UDP) {
        return NGX_OK;
    }

    if (ls[i].connection != NULL) {
        ls[i].connection->read->handler = ngx_ims_core_read;
    }

    lst->fd = fcntl(ls[i].fd, F_DUPFD_CLOEXEC, 0);

    if (lst->fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                      "fcntl(F_DUPFD_CLOEXEC) of %V failed",
                      &ls[i].addr_text);
        return NGX_ERROR;
    }

    ngx_ims_core_icmp_listen(core, lst);

    return NGX_OK;
}


void
ngx_ims_core_close(ngx_ims_core_t *core)
{
    ngx_uint_t              i;
    ngx_ims_core_listen_t  *lst;

    ngx_ims_core_stream_exit(core);

    lst = core->listens.elts;

    for (i = 0; i < core->listens.nelts; i++) {

        if (lst[i].fd == (ngx_socket_t) -1) {
            continue;
        }

        if (ngx_close_socket(lst[i].fd) == -1) {
            ngx_log_error(NGX_LOG_ALERT, core->log, ngx_socket_errno,
                          ngx_close_socket_n " of ims core \"%V\" failed",
                          &core->name);
        }

        lst[i].fd = (ngx_socket_t) -1;
    }

    if (ngx_ims_core_batch != NULL) {
        ngx_free(ngx_ims_core_batch);
        ngx_ims_core_batch = NULL;
    }
}


void
ngx_ims_core_read(ngx_event_t *ev)
{
    int                    n;
    ngx_int_t              i;
    ngx_connection_t      *c;
    ngx_ims_core_t        *core;
    ngx_ims_core_batch_t  *b;

    c = ev->data;
    core = c->listening->servers;
    b = ngx_ims_core_batch;

    for (i = 0; i < NGX_IMS_CORE_BATCH; i++) {
        b->iovs[i].iov_base = b->bufs[i];
        b->iovs[i].iov_len = NGX_IMS_MAX_DATAGRAM;

        ngx_memzero(&b->msgs[i], sizeof(struct mmsghdr));

        b->msgs[i].msg_hdr.msg_name = &b->sockaddrs[i];
        b->msgs[i].msg_hdr.msg_namelen = sizeof(ngx_sockaddr_t);
        b->msgs[i].msg_hdr.msg_iov = &b->iovs[i];
        b->msgs[i].msg_hdr.msg_iovlen = 1;
    }

    /* the event is level-triggered: what is left comes in the next turn */

    n = recvmmsg(c->fd, b->msgs, NGX_IMS_CORE_BATCH, MSG_DONTWAIT, NULL);

    if (n == -1) {
        ngx_ims_core_icmp_read(core, c->fd, ngx_socket_errno);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, core->log, 0,
                   "ims core: %d datagrams", n);

    for (i = 0; i < n; i++) {
        ngx_ims_core_datagram(core, &b->msgs[i].msg_hdr, b->msgs[i].msg_len);
    }
}


static void
ngx_ims_core_datagram(ngx_ims_core_t *core, struct msghdr *msg, size_t len)
{
    size_t            i;
    u_char           *p;
    ngx_ims_flow_t    flow;
    struct sockaddr  *sa;

    sa = msg->msg_name;
    p = msg->msg_iov->iov_base;

    if (msg->msg_flags & MSG_TRUNC) {
        return;
    }

    if (!ngx_ims_core_allowed(core, sa)) {
        ngx_ims_core_refuse(core, sa, msg->msg_namelen);
        return;
    }

    /* RFC 5626 4.4.1 and habit: CRLF or NUL bytes keep a NAT open */

    for (i = 0; i < len; i++) {
        if (p[i] != CR && p[i] != LF && p[i] != '\0') {
            break;
        }
    }

    if (i == len) {
        return;
    }

    if (ngx_ims_core_flow(core, NGX_IMS_UDP, sa, msg->msg_namelen, &flow)
        == NGX_OK)
    {
        ngx_ims_core_deliver(core, &flow, p, len);
    }
}


void
ngx_ims_core_deliver(ngx_ims_core_t *core, ngx_ims_flow_t *flow, u_char *p,
    size_t len)
{
    p = ngx_ims_core_via_received(flow, p, &len, ngx_ims_core_batch->message,
                                  NGX_IMS_MAX_DATAGRAM);

    core->handler(core, flow, p, len);
}


ngx_uint_t
ngx_ims_core_log_now(time_t *last)
{
    time_t  now;

    now = ngx_time();

    if (*last != 0 && now - *last < NGX_IMS_CORE_LOG_INTERVAL) {
        return 0;
    }

    *last = now;

    return 1;
}


/* counts each, logs some: anybody may send us anything */

void
ngx_ims_core_refuse(ngx_ims_core_t *core, struct sockaddr *sa,
    socklen_t socklen)
{
    ngx_str_t  text;
    u_char     buf[NGX_SOCKADDR_STRLEN];

    core->own.refused++;

    if (core->counts != &core->own) {
        (void) ngx_atomic_fetch_add(&core->counts->refused, 1);
    }

    if (!ngx_ims_core_log_now(&core->refused_time)) {
        return;
    }

    text.data = buf;
    text.len = ngx_sock_ntop(sa, socklen, buf, NGX_SOCKADDR_STRLEN, 1);

    ngx_log_error(NGX_LOG_WARN, core->log, 0,
                  "ims core \"%V\" refused %uA datagrams or connections from "
                  "addresses that are not listed, last from %V", &core->name,
                  core->own.refused - core->refused_logged, &text);

    core->refused_logged = core->own.refused;
}


ngx_uint_t
ngx_ims_core_allowed(ngx_ims_core_t *core, struct sockaddr *sa)
{
    socklen_t               socklen;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s;

    switch (sa->sa_family) {

    case AF_INET:
        socklen = sizeof(struct sockaddr_in);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        socklen = sizeof(struct sockaddr_in6);
        break;
#endif

    default:
        return 0;
    }

    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {

        /* a name's former address may still have something to answer */

        if (s[i].off && ngx_time() - s[i].gone > NGX_IMS_CORE_GONE) {
            continue;
        }

        if (ngx_cmp_sockaddr(sa, socklen, s[i].addr.sockaddr,
                             s[i].addr.socklen, 0)
            == NGX_OK)
        {
            return 1;
        }
    }

    if (core->allow.nelts == 0) {
        return 0;
    }

    return ngx_cidr_match(sa, &core->allow) == NGX_OK;
}


ngx_ims_core_listen_t *
ngx_ims_core_local(ngx_ims_core_t *core, ngx_uint_t transport, int family)
{
    ngx_uint_t              i;
    ngx_ims_core_listen_t  *lst, *other;

    lst = core->listens.elts;
    other = NULL;

    for (i = 0; i < core->listens.nelts; i++) {

        if (lst[i].family != family) {
            continue;
        }

        if (lst[i].transport == transport) {
            return &lst[i];
        }

        if (other == NULL) {
            other = &lst[i];
        }
    }

    return other;
}


ngx_str_t *
ngx_ims_core_transport(ngx_uint_t transport)
{
    static ngx_str_t  names[] = {
        ngx_string("UDP"),
        ngx_string("TCP"),
        ngx_string("TLS"),
        ngx_string("WS"),
        ngx_string("LOCAL")
    };

    return &names[transport];
}


ngx_int_t
ngx_ims_core_flow(ngx_ims_core_t *core, ngx_uint_t transport,
    struct sockaddr *sa, socklen_t socklen, ngx_ims_flow_t *flow)
{
    if (socklen > sizeof(ngx_sockaddr_t)
        || ngx_ims_core_local(core, transport, sa->sa_family) == NULL)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(flow, sizeof(ngx_ims_flow_t));

    flow->send = ngx_ims_core_send;
    flow->data = core;
    flow->transport = transport;
    flow->reliable = (transport != NGX_IMS_UDP);
    flow->socklen = socklen;
    ngx_memcpy(&flow->sockaddr, sa, socklen);

    return NGX_OK;
}


static ngx_int_t
ngx_ims_core_send(ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    ngx_str_t        text;
    ngx_ims_core_t  *core;

    core = flow->data;

    if (flow->grown) {
        return ngx_ims_core_send_grown(flow, p, len);
    }

    if (flow->transport != NGX_IMS_UDP) {
        text.data = p;
        text.len = len;

        return ngx_ims_core_stream_send(flow, &text, 1);
    }

    if (core->udp_max && len > core->udp_max
        && ngx_ims_core_sends(core, NGX_IMS_TCP,
                              flow->sockaddr.sockaddr.sa_family)
        && !ngx_ims_core_peer_refused(core, &flow->sockaddr.sockaddr,
                                      flow->socklen)
        && ngx_ims_core_send_grown(flow, p, len) == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_ims_core_send_datagram(flow, p, len);
}


/*
 * RFC 3261 18.1.1: a request that a datagram should not hold goes by TCP, and
 * its Via says so; what belongs to it, ACK and CANCEL, goes the same way.
 */

static ngx_int_t
ngx_ims_core_send_grown(ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    ngx_int_t               rc;
    ngx_str_t               parts[3], text;
    ngx_ims_core_t         *core;
    ngx_ims_flow_t          grown;
    ngx_ims_core_listen_t  *lst;
    u_char                  via[NGX_IMS_CORE_VIA_MAX];

    core = flow->data;

    text.data = p;
    text.len = len;

    lst = ngx_ims_core_local(core, NGX_IMS_TCP,
                             flow->sockaddr.sockaddr.sa_family);

    if (lst == NULL
        || ngx_ims_core_via_split(&text, &parts[0], &parts[2]) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    parts[1].data = via;
    parts[1].len = ngx_snprintf(via, sizeof(via), "SIP/2.0/TCP %V:%ui",
                                &lst->host, (ngx_uint_t) lst->port)
                   - via;

    grown = *flow;
    grown.transport = NGX_IMS_TCP;
    grown.reliable = 1;
    grown.grown = 1;

    rc = ngx_ims_core_stream_send(&grown, parts, 3);

    if (rc == NGX_OK) {
        *flow = grown;
    }

    return rc;
}


static ngx_int_t
ngx_ims_core_send_datagram(ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    ssize_t                 n;
    ngx_err_t               err;
    ngx_str_t               text;
    ngx_uint_t              again;
    ngx_ims_core_t         *core;
    ngx_ims_core_listen_t  *lst;
    u_char                  buf[NGX_SOCKADDR_STRLEN];

    core = flow->data;
    again = 0;

    lst = ngx_ims_core_local(core, flow->transport,
                             flow->sockaddr.sockaddr.sa_family);

    if (lst == NULL || lst->fd == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    do {
        n = sendto(lst->fd, p, len, MSG_DONTWAIT|MSG_NOSIGNAL,
                   &flow->sockaddr.sockaddr, flow->socklen);

        err = (n == -1) ? ngx_socket_errno : 0;

        /* what is reported may be of another datagram, sent before */

    } while (err == NGX_EINTR
             || (ngx_ims_core_icmp_error(err) && again++ < 2));

    if (n != -1) {
        return NGX_OK;
    }

    text.data = buf;
    text.len = ngx_sock_ntop(&flow->sockaddr.sockaddr, flow->socklen, buf,
                             NGX_SOCKADDR_STRLEN, 1);

    if (err == NGX_EAGAIN || err == ENOBUFS) {

        /* lost on the way, as any datagram may be: it will be repeated */

        ngx_log_error(NGX_LOG_INFO, core->log, err,
                      "sendto() %V dropped a datagram", &text);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, core->log, err, "sendto() %V failed", &text);

    if (err != EMSGSIZE) {
        ngx_ims_core_dead(core, flow);
    }

    return NGX_ERROR;
}
