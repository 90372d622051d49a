/*
 * Copyright (C) the IMS portal authors
 *
 * Who waits for the answer of another server (the keys of a login, a lease in
 * Redis).  A function that cannot answer yet enters its caller here and returns
 * NGX_AGAIN; the caller is called once, later, and asks again.
 */


#ifndef _NGX_IMS_WAITER_H_INCLUDED_
#define _NGX_IMS_WAITER_H_INCLUDED_


#include "ngx_ims.h"


typedef void (*ngx_ims_wake_pt)(void *data);

typedef struct {
    ngx_queue_t               queue;
    ngx_ims_wake_pt           handler;
    void                     *data;
    void                    **slot;           /* the caller's, cleared first */
} ngx_ims_waiting_t;

/* how a caller is to be woken; made on its stack */
typedef struct {
    ngx_ims_wake_pt           handler;
    void                     *data;
    void                    **slot;           /* NULL in it: does not wait */
    ngx_log_t                *log;
} ngx_ims_waiter_t;


/*
 * Enters a caller into the queue of whoever will answer; *slot holds it from
 * then on.  Returns NGX_AGAIN, or NGX_ERROR: no memory, or it waits already.
 */
static ngx_inline ngx_int_t
ngx_ims_waiter_add(ngx_queue_t *queue, ngx_ims_waiter_t *waiter)
{
    ngx_ims_waiting_t  *waiting;

    if (*waiter->slot != NULL) {
        return NGX_ERROR;
    }

    waiting = ngx_alloc(sizeof(ngx_ims_waiting_t), waiter->log);
    if (waiting == NULL) {
        return NGX_ERROR;
    }

    waiting->handler = waiter->handler;
    waiting->data = waiter->data;
    waiting->slot = waiter->slot;

    *waiter->slot = waiting;
    ngx_queue_insert_tail(queue, &waiting->queue);

    return NGX_AGAIN;
}


/* a caller that ends does not want to be woken; *slot may be NULL */
static ngx_inline void
ngx_ims_waiter_cancel(void **slot)
{
    ngx_ims_waiting_t  *waiting;

    waiting = *slot;

    if (waiting != NULL) {
        *slot = NULL;
        ngx_queue_remove(&waiting->queue);
        ngx_free(waiting);
    }
}


/* wakes all that are in the queue now; they may wait again, or end others */
static ngx_inline void
ngx_ims_waiter_wake(ngx_queue_t *queue)
{
    void               *data;
    ngx_queue_t         now, *q;
    ngx_ims_wake_pt     handler;
    ngx_ims_waiting_t  *waiting;

    ngx_queue_init(&now);

    if (ngx_queue_empty(queue)) {
        return;
    }

    ngx_queue_add(&now, queue);
    ngx_queue_init(queue);

    while (!ngx_queue_empty(&now)) {
        q = ngx_queue_head(&now);
        waiting = ngx_queue_data(q, ngx_ims_waiting_t, queue);

        handler = waiting->handler;
        data = waiting->data;

        ngx_ims_waiter_cancel(waiting->slot);

        handler(data);
    }
}


#endif /* _NGX_IMS_WAITER_H_INCLUDED_ */
