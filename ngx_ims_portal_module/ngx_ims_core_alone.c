/*
 * Copyright (C) the IMS portal authors
 *
 * A worker that shuts down and that nobody follows at a socket reads what the
 * core sends there: nginx has closed the listening sockets by then.  No timers.
 */


#include "ngx_ims_core_priv.h"


void
ngx_ims_core_listen_alone(ngx_ims_core_t *core, ngx_ims_core_listen_t *lst)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    if (lst->fd == (ngx_socket_t) -1 || lst->alone) {
        return;
    }

    lst->alone = 1;

    s = fcntl(lst->fd, F_DUPFD_CLOEXEC, 0);
    c = (s == (ngx_socket_t) -1) ? NULL : ngx_get_connection(s, core->log);

    if (c == NULL) {
        ngx_log_error(NGX_LOG_ALERT, core->log, ngx_socket_errno,
                      "no connection to hear ims core \"%V\"", &core->name);

        if (s != (ngx_socket_t) -1) {
            (void) ngx_close_socket(s);
        }

        return;
    }

    /* a channel, so that the shutdown does not mind it */

    c->listening = lst->listening;
    c->log = core->log;
    c->read->log = core->log;
    c->write->log = core->log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = ngx_ims_core_read;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_close_connection(c);
    }
}
