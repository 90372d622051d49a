/*
 * Copyright (C) the IMS portal authors
 *
 * Hand-over between workers (design D5): one datagram socket per worker with an
 * abstract Unix name made of (instance, pid).  A worker of any generation, and
 * of another master during a binary upgrade, can be reached while it lives.
 * Senders are checked by their credentials: only our own user is heard.
 */


#ifndef _NGX_IMS_IPC_H_INCLUDED_
#define _NGX_IMS_IPC_H_INCLUDED_


#include "ngx_ims.h"


enum {
    NGX_IMS_IPC_MAX_QUEUE = 256,         /* messages waiting for one peer */
    NGX_IMS_IPC_MAX_BYTES = 1048576,     /* ... and of these */
    NGX_IMS_IPC_MAX_PEERS = 128,         /* peers remembered; oldest goes */
    NGX_IMS_IPC_MAX_MESSAGE = 65535 + 512
};


typedef struct ngx_ims_ipc_s  ngx_ims_ipc_t;

/* a message from another worker; p is valid during the call only */
typedef void (*ngx_ims_ipc_handler_pt)(void *data, ngx_ims_owner_t *from,
    ngx_uint_t type, u_char *p, size_t len);


/*
 * Opens this worker's socket; call in init_process.  The object lives in
 * cycle->pool; its events are channel events, so that neither the leak check
 * nor a graceful exit minds them.  Returns NULL on failure (logged).
 */
ngx_ims_ipc_t *ngx_ims_ipc_open(ngx_cycle_t *cycle, ngx_ims_owner_t *self,
    ngx_ims_ipc_handler_pt handler, void *data);

/* closes it and all peers; queued messages are lost; call in exit_process */
void ngx_ims_ipc_close(ngx_ims_ipc_t *ipc);

/*
 * Sends one message to another worker.
 *
 * type      1..255, the caller's; iov: up to 4 pieces, sent as one datagram
 *
 * Returns NGX_OK (sent or queued), NGX_BUSY (the peer's queue is full),
 * NGX_DECLINED (nobody has that name: the worker is dead), NGX_ERROR (logged:
 * no descriptor, no memory; the worker may be well).
 *
 * What one sends to another arrives in that order, and once.  A peer that dies
 * with messages queued loses them (logged).
 */
ngx_int_t ngx_ims_ipc_send(ngx_ims_ipc_t *ipc, ngx_ims_owner_t *to,
    ngx_uint_t type, struct iovec *iov, ngx_uint_t n);

/*
 * 1 while a worker lives: while its hand-over socket does, for pids are used
 * again.  0: nobody has that name.  When the kernel cannot say, it lives.
 */
ngx_uint_t ngx_ims_ipc_alive(ngx_ims_owner_t *owner, ngx_log_t *log);

/* the abstract address of a worker's socket; its length */
socklen_t ngx_ims_ipc_name(ngx_ims_owner_t *owner, struct sockaddr_un *sun);


#endif /* _NGX_IMS_IPC_H_INCLUDED_ */
