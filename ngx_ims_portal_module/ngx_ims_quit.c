/*
 * Copyright (C) the IMS portal authors
 *
 * nginx tells a module nothing of a graceful shutdown, but it tells idle
 * connections, and all connections when worker_shutdown_timeout is over; so
 * this is a connection that nothing ever comes from.
 *
 * Timers: one.  While the worker only waits for its browsers it asks once a
 * second whether others follow, cancelable; while it tidies up it keeps the
 * worker.  After worker_shutdown_timeout it gives what was sent last the time
 * to be answered, and then makes all timers of the portal cancelable.
 */


#include "ngx_ims_quit.h"
#include "ngx_ims_trunk.h"

#include <sys/eventfd.h>


enum {
    NGX_IMS_QUIT_ASK = 1000,             /* ms, do others follow? */
    NGX_IMS_QUIT_STEP = 20,              /* ms, between two parts of the work */
    NGX_IMS_QUIT_WAIT = 200,             /* ms, while only calls are left */
    NGX_IMS_QUIT_LAST = 500,             /* ms for what was sent last */
    NGX_IMS_QUIT_MOST = 1500             /* ms for what is left to send */
};


typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_connection_t         *connection;
    ngx_event_t               event;
    ngx_msec_t                struck;         /* when the timeout was over */
    unsigned                  begun:1;
    unsigned                  tidy:1;         /* nobody follows, in a pool */
} ngx_ims_quit_t;


static void ngx_ims_quit_told(ngx_event_t *rev);
static void ngx_ims_quit_timer(ngx_event_t *ev);
static ngx_uint_t ngx_ims_quit_orphans(ngx_ims_worker_t *w);
static void ngx_ims_quit_listen(ngx_ims_worker_t *w);
static void ngx_ims_quit_struck(ngx_ims_quit_t *quit);
static void ngx_ims_quit_release(ngx_ims_worker_t *w);
static void ngx_ims_quit_next(ngx_ims_quit_t *quit, ngx_msec_t msec,
    ngx_uint_t cancelable);


static ngx_ims_quit_t  ngx_ims_quit;          /* of this process */


ngx_int_t
ngx_ims_quit_init(ngx_ims_worker_t *w)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, w->log, ngx_errno, "eventfd() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(s, w->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NGX_ERROR;
    }

    ngx_memzero(&ngx_ims_quit, sizeof(ngx_ims_quit_t));

    ngx_ims_quit.worker = w;
    ngx_ims_quit.connection = c;

    c->data = &ngx_ims_quit;
    c->idle = 1;
    c->log = w->log;
    c->read->log = w->log;
    c->write->log = w->log;
    c->read->handler = ngx_ims_quit_told;
    c->write->handler = ngx_ims_quit_told;

    ngx_ims_quit.event.handler = ngx_ims_quit_timer;
    ngx_ims_quit.event.data = &ngx_ims_quit;
    ngx_ims_quit.event.log = w->cycle->log;

    return NGX_OK;
}


void
ngx_ims_quit_close(void)
{
    if (ngx_ims_quit.connection == NULL) {
        return;
    }

    if (ngx_ims_quit.event.timer_set) {
        ngx_del_timer(&ngx_ims_quit.event);
    }

    ngx_close_connection(ngx_ims_quit.connection);
    ngx_ims_quit.connection = NULL;
}


static void
ngx_ims_quit_told(ngx_event_t *rev)
{
    ngx_connection_t  *c;
    ngx_ims_quit_t    *quit;
    ngx_ims_worker_t  *w;

    c = rev->data;
    quit = c->data;
    w = quit->worker;

    if (!c->close) {
        return;
    }

    c->close = 0;
    c->idle = 0;

    if (!quit->begun) {
        quit->begun = 1;
        ngx_ims_workers_leave(w->workers);
    }

    if (c->error) {
        c->error = 0;
        w->struck = 1;
        quit->struck = ngx_current_msec;
    }

    ngx_ims_quit_timer(&quit->event);
}


static void
ngx_ims_quit_timer(ngx_event_t *ev)
{
    ngx_ims_quit_t  *quit;

    quit = ev->data;
    ev->timedout = 0;

    quit->tidy = quit->tidy || ngx_ims_quit_orphans(quit->worker);

    ngx_ims_quit_listen(quit->worker);

    if (quit->worker->struck) {
        ngx_ims_quit_struck(quit);
        return;
    }

    if (!quit->tidy) {
        ngx_ims_quit_next(quit, NGX_IMS_QUIT_ASK, 1);
        return;
    }

    quit->worker->tidying = ngx_ims_linger_quit(quit->worker);

    if (quit->worker->tidying || quit->worker->nsessions) {
        ngx_ims_quit_next(quit, quit->worker->tidying ? NGX_IMS_QUIT_STEP
                                                      : NGX_IMS_QUIT_WAIT, 0);
        return;
    }

    ngx_ims_trunk_quit(quit->worker);
}


static ngx_uint_t
ngx_ims_quit_orphans(ngx_ims_worker_t *w)
{
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {
        if (ngx_ims_workers_orphan(w->workers, pool[i])) {
            return 1;
        }
    }

    return 0;
}


/* what the core sends nobody else receives any more */

static void
ngx_ims_quit_listen(ngx_ims_worker_t *w)
{
    ngx_uint_t               i, n;
    ngx_ims_core_t         **core;
    ngx_ims_core_listen_t   *lst;

    core = w->cores->elts;

    for (i = 0; i < w->cores->nelts; i++) {
        lst = core[i]->listens.elts;

        for (n = 0; n < core[i]->listens.nelts; n++) {
            if (ngx_ims_workers_unheard(w->workers, core[i], &lst[n])) {
                ngx_ims_core_listen_alone(core[i], &lst[n]);
            }
        }
    }
}


static void
ngx_ims_quit_struck(ngx_ims_quit_t *quit)
{
    ngx_msec_t  since;
    ngx_uint_t  left;

    since = ngx_current_msec - quit->struck;
    left = 0;

    if (quit->tidy && since < NGX_IMS_QUIT_MOST) {
        left = ngx_ims_linger_quit(quit->worker);
    }

    if (left || since < NGX_IMS_QUIT_LAST) {
        ngx_ims_quit_next(quit, NGX_IMS_QUIT_STEP, 0);
        return;
    }

    ngx_ims_quit_release(quit->worker);

    /* once more, for what begins meanwhile */

    ngx_ims_quit_next(quit, NGX_IMS_QUIT_STEP, 1);
}


/*
 * All timers of transactions, requests and the like have the worker's own log,
 * by which they are known; those of media helpers and cores are told apart.
 */

static void
ngx_ims_quit_release(ngx_ims_worker_t *w)
{
    ngx_uint_t          i;
    ngx_event_t        *ev;
    ngx_ims_core_t    **core;
    ngx_rbtree_node_t  *node, *sentinel;

    sentinel = ngx_event_timer_rbtree.sentinel;

    if (ngx_event_timer_rbtree.root != sentinel) {

        for (node = ngx_rbtree_min(ngx_event_timer_rbtree.root, sentinel);
             node != NULL;
             node = ngx_rbtree_next(&ngx_event_timer_rbtree, node))
        {
            ev = ngx_rbtree_data(node, ngx_event_t, timer);

            if (ev->log == w->log) {
                ev->cancelable = 1;
            }
        }
    }

    if (w->media != NULL) {
        ngx_ims_media_release(w->media);
    }

    core = w->cores->elts;

    for (i = 0; i < w->cores->nelts; i++) {
        core[i]->drain.cancelable = 1;
    }
}


static void
ngx_ims_quit_next(ngx_ims_quit_t *quit, ngx_msec_t msec,
    ngx_uint_t cancelable)
{
    quit->event.cancelable = cancelable;
    ngx_add_timer(&quit->event, msec);
}
