/*
 * Copyright (C) the IMS portal authors
 *
 * hiredis' wishes, as events of nginx.  No timers.
 */


#include "ngx_ims_redis_int.h"


static void ngx_ims_redis_read(ngx_event_t *ev);
static void ngx_ims_redis_write(ngx_event_t *ev);
static void ngx_ims_redis_add_read(void *data);
static void ngx_ims_redis_del_read(void *data);
static void ngx_ims_redis_add_write(void *data);
static void ngx_ims_redis_del_write(void *data);
static void ngx_ims_redis_detach(void *data);


ngx_int_t
ngx_ims_redis_attach(ngx_ims_redis_t *redis)
{
    ngx_connection_t   *c;
    redisAsyncContext  *ac;

    ac = redis->ac;

    c = ngx_get_connection(ac->c.fd, redis->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = redis;
    c->log = redis->log;
    c->read->log = redis->log;
    c->write->log = redis->log;
    c->read->handler = ngx_ims_redis_read;
    c->write->handler = ngx_ims_redis_write;

    /* a graceful exit does not wait for it */

    c->read->channel = 1;
    c->write->channel = 1;

    redis->connection = c;

    ac->ev.data = redis;
    ac->ev.addRead = ngx_ims_redis_add_read;
    ac->ev.delRead = ngx_ims_redis_del_read;
    ac->ev.addWrite = ngx_ims_redis_add_write;
    ac->ev.delWrite = ngx_ims_redis_del_write;
    ac->ev.cleanup = ngx_ims_redis_detach;

    return NGX_OK;
}


/* events; the context and the connection may be gone when hiredis returns */

static void
ngx_ims_redis_read(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_ims_redis_t   *redis;

    c = ev->data;
    redis = c->data;

    if (redis->ac != NULL) {
        redisAsyncHandleRead(redis->ac);
    }
}


static void
ngx_ims_redis_write(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_ims_redis_t   *redis;

    c = ev->data;
    redis = c->data;

    if (redis->ac != NULL) {
        redisAsyncHandleWrite(redis->ac);
    }
}


static void
ngx_ims_redis_add_read(void *data)
{
    ngx_ims_redis_t  *redis;

    redis = data;

    if (redis->connection != NULL && !redis->connection->read->active) {
        (void) ngx_add_event(redis->connection->read, NGX_READ_EVENT,
                             NGX_LEVEL_EVENT);
    }
}


static void
ngx_ims_redis_del_read(void *data)
{
    ngx_ims_redis_t  *redis;

    redis = data;

    if (redis->connection != NULL && redis->connection->read->active) {
        (void) ngx_del_event(redis->connection->read, NGX_READ_EVENT, 0);
    }
}


static void
ngx_ims_redis_add_write(void *data)
{
    ngx_ims_redis_t  *redis;

    redis = data;

    if (redis->connection != NULL && !redis->connection->write->active) {
        (void) ngx_add_event(redis->connection->write, NGX_WRITE_EVENT,
                             NGX_LEVEL_EVENT);
    }
}


static void
ngx_ims_redis_del_write(void *data)
{
    ngx_ims_redis_t  *redis;

    redis = data;

    if (redis->connection != NULL && redis->connection->write->active) {
        (void) ngx_del_event(redis->connection->write, NGX_WRITE_EVENT, 0);
    }
}


/* hiredis is about to close the descriptor */

static void
ngx_ims_redis_detach(void *data)
{
    ngx_connection_t  *c;
    ngx_ims_redis_t   *redis;

    redis = data;
    c = redis->connection;

    if (c == NULL) {
        return;
    }

    ngx_ims_redis_del_read(redis);
    ngx_ims_redis_del_write(redis);

    redis->connection = NULL;

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}
