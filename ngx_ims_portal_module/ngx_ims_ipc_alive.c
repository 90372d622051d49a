/*
 * Copyright (C) the IMS portal authors
 *
 * Whether a worker lives, by its hand-over socket: the kernel frees the name
 * with the process, however that ended.  No timers.
 */


#include "ngx_ims_ipc.h"


ngx_uint_t
ngx_ims_ipc_alive(ngx_ims_owner_t *owner, ngx_log_t *log)
{
    int                 rc;
    ngx_err_t           err;
    socklen_t           socklen;
    ngx_socket_t        s;
    struct sockaddr_un  sun;

    s = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      ngx_socket_n " of a hand-over socket failed");
        return 1;
    }

    socklen = ngx_ims_ipc_name(owner, &sun);

    rc = connect(s, (struct sockaddr *) &sun, socklen);
    err = (rc == -1) ? ngx_socket_errno : 0;

    (void) ngx_close_socket(s);

    return err != NGX_ECONNREFUSED;
}
