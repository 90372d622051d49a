/*
 * Copyright (C) the IMS portal authors
 *
 * What ICMP says of datagrams that we sent: a server whose port is closed, or
 * which cannot be reached, is known to be down at once.  Linux keeps such
 * reports in an error queue of the socket (ip(7), IP_RECVERR).
 *
 * Anybody can forge such a report, so it counts only when it quotes enough of
 * the message to have a branch of ours, whose random part was never on the
 * public side.
 *
 * No timers.
 */


#include "ngx_ims_core_priv.h"

#include <linux/errqueue.h>


enum {
    NGX_IMS_CORE_ICMP_BATCH = 64,        /* reports a turn */
    NGX_IMS_CORE_ICMP_QUOTE = 2048       /* bytes of a message */
};


static ngx_int_t ngx_ims_core_icmp_one(ngx_ims_core_t *core,
    ngx_socket_t fd);
static ngx_uint_t ngx_ims_core_icmp_ours(ngx_ims_core_t *core, u_char *p,
    size_t len);


void
ngx_ims_core_icmp_listen(ngx_ims_core_t *core, ngx_ims_core_listen_t *lst)
{
    int  on, level, name;

    on = 1;
    level = IPPROTO_IP;
    name = IP_RECVERR;

#if (NGX_HAVE_INET6)
    if (lst->family == AF_INET6) {
        level = IPPROTO_IPV6;
        name = IPV6_RECVERR;
    }
#endif

    if (setsockopt(lst->fd, level, name, &on, sizeof(int)) == -1) {
        ngx_log_error(NGX_LOG_WARN, core->log, ngx_socket_errno,
                      "setsockopt(IP_RECVERR) of ims core \"%V\" failed, "
                      "ignored", &core->name);
    }
}


ngx_uint_t
ngx_ims_core_icmp_error(ngx_err_t err)
{
    return err == NGX_ECONNREFUSED || err == NGX_EHOSTUNREACH
           || err == NGX_ENETUNREACH || err == NGX_EHOSTDOWN
           || err == EPROTO || err == EACCES || err == EMSGSIZE;
}


void
ngx_ims_core_icmp_read(ngx_ims_core_t *core, ngx_socket_t fd, ngx_err_t err)
{
    ngx_uint_t  i;

    /* the socket's own error may have gone to another worker, or to a send */

    for (i = 0; i < NGX_IMS_CORE_ICMP_BATCH; i++) {
        if (ngx_ims_core_icmp_one(core, fd) != NGX_OK) {
            break;
        }
    }

    if (err != NGX_EAGAIN && err != NGX_EINTR
        && !ngx_ims_core_icmp_error(err))
    {
        ngx_log_error(NGX_LOG_ERR, core->log, err,
                      "recvmmsg() of ims core \"%V\" failed", &core->name);
    }
}


static ngx_int_t
ngx_ims_core_icmp_one(ngx_ims_core_t *core, ngx_socket_t fd)
{
    ssize_t                   n;
    ngx_uint_t                down;
    struct iovec              iov;
    struct msghdr             msg;
    ngx_sockaddr_t            sa;
    ngx_ims_flow_t            flow;
    struct cmsghdr           *cmsg;
    struct sock_extended_err  ee;
    u_char                    buf[NGX_IMS_CORE_ICMP_QUOTE];

    union {
        struct cmsghdr        align;
        u_char                bytes[512];
    } control;

    ngx_memzero(&msg, sizeof(struct msghdr));

    iov.iov_base = buf;
    iov.iov_len = sizeof(buf);
    msg.msg_name = &sa;
    msg.msg_namelen = sizeof(ngx_sockaddr_t);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = &control;
    msg.msg_controllen = sizeof(control);

    n = recvmsg(fd, &msg, MSG_ERRQUEUE|MSG_DONTWAIT);

    if (n == -1) {
        return NGX_DECLINED;
    }

    down = 0;

    for (cmsg = CMSG_FIRSTHDR(&msg);
         cmsg != NULL;
         cmsg = CMSG_NXTHDR(&msg, cmsg))
    {
        if (cmsg->cmsg_len < CMSG_LEN(sizeof(ee))
            || !((cmsg->cmsg_level == IPPROTO_IP
                  && cmsg->cmsg_type == IP_RECVERR)
                 || (cmsg->cmsg_level == IPPROTO_IPV6
                     && cmsg->cmsg_type == IPV6_RECVERR)))
        {
            continue;
        }

        ngx_memcpy(&ee, CMSG_DATA(cmsg), sizeof(ee));

        down = ee.ee_errno == NGX_ECONNREFUSED
               || ee.ee_errno == NGX_EHOSTUNREACH
               || ee.ee_errno == NGX_ENETUNREACH;
    }

    /* the name is where the datagram had gone */

    if (down && msg.msg_namelen != 0
        && ngx_ims_core_icmp_ours(core, buf, n)
        && ngx_ims_core_flow(core, NGX_IMS_UDP, &sa.sockaddr,
                             msg.msg_namelen, &flow)
           == NGX_OK)
    {
        ngx_ims_core_dead(core, &flow);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_ims_core_icmp_ours(ngx_ims_core_t *core, u_char *p, size_t len)
{
    u_char  *last, branch[sizeof("branch=z9hG4bK") - 1 + 8];

    last = ngx_sprintf(branch, "branch=z9hG4bK%08xD", core->instance);

    return memmem(p, len, branch, last - branch) != NULL;
}
