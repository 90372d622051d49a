/*
 * Copyright (C) the IMS portal authors
 *
 * Messages on their way from this worker to itself.  They wait for a posted
 * event, because the scratch buffers of the event of now are in use.
 *
 * No timers.
 */


#include "ngx_ims_loop.h"


#define NGX_IMS_LOOP_MAX   1024               /* messages on their way */
#define NGX_IMS_LOOP_PORT  5060


typedef struct {
    ngx_queue_t               queue;
    ngx_ims_core_t           *core;
    size_t                    len;
    /* the bytes follow */
} ngx_ims_loop_message_t;


static ngx_int_t ngx_ims_loop_send(ngx_ims_flow_t *flow, u_char *p,
    size_t len);
static void ngx_ims_loop_deliver(ngx_event_t *ev);


static ngx_queue_t  ngx_ims_loop_queue;
static ngx_uint_t   ngx_ims_loop_n;
static ngx_event_t  ngx_ims_loop_event;
static time_t       ngx_ims_loop_told;        /* s, when that was logged */


void
ngx_ims_loop_flow(ngx_ims_core_t *core, ngx_ims_flow_t *flow)
{
    ngx_memzero(flow, sizeof(ngx_ims_flow_t));

    flow->send = ngx_ims_loop_send;
    flow->data = core;
    flow->reliable = 1;
    flow->transport = NGX_IMS_LOCAL;

    /* what a Via says; nothing is sent there */

    flow->socklen = core->edge->family == AF_INET
                    ? sizeof(struct sockaddr_in)
                    : sizeof(struct sockaddr_in6);
    ngx_memcpy(&flow->sockaddr, core->edge->sockaddr, flow->socklen);
}


ngx_uint_t
ngx_ims_loop_self(ngx_ims_core_t *core, ngx_ims_str_t *uri)
{
    ngx_uint_t              i, port;
    ngx_ims_sip_uri_t       u;
    ngx_ims_core_listen_t  *lst;

    if (ngx_ims_sip_parse_uri(uri, &u) != NGX_IMS_OK || u.host.len == 0) {
        return 0;
    }

    port = u.port ? u.port : NGX_IMS_LOOP_PORT;
    lst = core->listens.elts;

    for (i = 0; i < core->listens.nelts; i++) {

        if (lst[i].port == port && lst[i].host.len == u.host.len
            && ngx_strncasecmp(lst[i].host.data, u.host.data, u.host.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_ims_loop_send(ngx_ims_flow_t *flow, u_char *p, size_t len)
{
    ngx_ims_core_t          *core;
    ngx_ims_loop_message_t  *message;

    core = flow->data;

    if (ngx_ims_loop_n == NGX_IMS_LOOP_MAX) {

        /* a line in a second, not one for each */

        if (ngx_ims_loop_told != ngx_time()) {
            ngx_ims_loop_told = ngx_time();
            ngx_log_error(NGX_LOG_ERR, core->log, 0,
                          "too many messages between users of ims core "
                          "\"%V\"", &core->name);
        }

        return NGX_ERROR;
    }

    message = ngx_alloc(sizeof(ngx_ims_loop_message_t) + len, core->log);
    if (message == NULL) {
        return NGX_ERROR;
    }

    message->core = core;
    message->len = len;
    ngx_memcpy((u_char *) message + sizeof(ngx_ims_loop_message_t), p, len);

    if (ngx_ims_loop_n++ == 0) {
        ngx_queue_init(&ngx_ims_loop_queue);
        ngx_ims_loop_event.handler = ngx_ims_loop_deliver;
        ngx_ims_loop_event.log = core->log;
    }

    ngx_queue_insert_tail(&ngx_ims_loop_queue, &message->queue);
    ngx_post_event(&ngx_ims_loop_event, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_ims_loop_deliver(ngx_event_t *ev)
{
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_ims_flow_t           flow;
    ngx_ims_core_t          *core;
    ngx_ims_loop_message_t  *message;

    /* those that are sent meanwhile have posted the event again */

    for (n = ngx_ims_loop_n; n > 0; n--) {
        q = ngx_queue_head(&ngx_ims_loop_queue);
        message = ngx_queue_data(q, ngx_ims_loop_message_t, queue);
        core = message->core;

        ngx_queue_remove(q);

        /* it counts until it is done: at zero, the queue is made anew */

        ngx_ims_loop_flow(core, &flow);
        core->handler(core, &flow,
                      (u_char *) message + sizeof(ngx_ims_loop_message_t),
                      message->len);

        ngx_ims_loop_n--;
        ngx_free(message);
    }
}
