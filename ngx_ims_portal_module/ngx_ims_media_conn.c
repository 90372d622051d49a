/*
 * Copyright (C) the IMS portal authors
 *
 * One media helper's socket: a Unix or TCP stream, on which replies are found
 * by parsing them, or a connected UDP socket, where one datagram is one reply.
 * Whoever owns the helper is told of replies and of a lost stream through
 * its handlers.  No timers.
 *
 * The sockets count as channels, so that a graceful exit minds them not.
 */


#include "ngx_ims_media_priv.h"


enum {
    NGX_IMS_MEDIA_BUF = 16384,           /* bytes, at first */
    NGX_IMS_MEDIA_MAX_IN = NGX_IMS_NG_MAX_MESSAGE,
    NGX_IMS_MEDIA_MAX_OUT = 8 * 1024 * 1024,
    NGX_IMS_MEDIA_BATCH = 32             /* reads a turn */
};


static ngx_int_t ngx_ims_media_conn_add(ngx_ims_media_helper_t *h,
    ngx_socket_t s);
static void ngx_ims_media_conn_send_stream(ngx_ims_media_helper_t *h,
    u_char *p, size_t len);
static ngx_int_t ngx_ims_media_conn_flush(ngx_ims_media_helper_t *h);
static void ngx_ims_media_conn_broken(ngx_ims_media_helper_t *h, char *what,
    ngx_err_t err);
static void ngx_ims_media_conn_read_stream(ngx_event_t *ev);
static ngx_int_t ngx_ims_media_conn_replies(ngx_ims_media_helper_t *h);
static void ngx_ims_media_conn_read_datagram(ngx_event_t *ev);
static void ngx_ims_media_conn_write(ngx_event_t *ev);
static ngx_int_t ngx_ims_media_buf_room(ngx_ims_media_buf_t *b, size_t room,
    size_t max, ngx_log_t *log);


ngx_int_t
ngx_ims_media_conn_open(ngx_ims_media_helper_t *h)
{
    int           on;
    ngx_err_t     err;
    ngx_socket_t  s;

    on = 1;

    if (h->nodes == NULL) {
        h->nodes = ngx_alloc(NGX_IMS_MEDIA_NODES * sizeof(ngx_ims_ng_node_t),
                             h->log);
        if (h->nodes == NULL) {
            return NGX_ERROR;
        }
    }

    s = socket(h->addr.sockaddr->sa_family,
               (h->stream ? SOCK_STREAM : SOCK_DGRAM)
               |SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, h->log, ngx_socket_errno,
                      ngx_socket_n " for media helper failed");
        return NGX_ERROR;
    }

    if (h->tcp
        && setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int)) == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, h->log, ngx_socket_errno,
                      "setsockopt(TCP_NODELAY) for media helper failed");
    }

    /*
     * A Unix stream connects at once or not at all.  Over TCP what is sent
     * waits until it does; that it does not is read.
     */

    if (connect(s, h->addr.sockaddr, h->addr.socklen) == -1
        && !(h->tcp && ngx_socket_errno == NGX_EINPROGRESS))
    {
        err = ngx_socket_errno;

        if (!h->down) {
            ngx_log_error(NGX_LOG_ERR, h->log, err,
                          "connect() to media helper \"%V\" failed",
                          &h->addr.name);
        }

        (void) ngx_close_socket(s);
        return NGX_ERROR;
    }

    return ngx_ims_media_conn_add(h, s);
}


static ngx_int_t
ngx_ims_media_conn_add(ngx_ims_media_helper_t *h, ngx_socket_t s)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(s, h->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NGX_ERROR;
    }

    c->data = h;
    c->log = h->log;
    c->read->log = h->log;
    c->write->log = h->log;
    c->read->channel = 1;
    c->write->channel = 1;

    c->read->handler = h->stream ? ngx_ims_media_conn_read_stream
                                 : ngx_ims_media_conn_read_datagram;
    c->write->handler = ngx_ims_media_conn_write;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    h->connection = c;
    h->in.pos = 0;
    h->in.len = 0;
    h->out.pos = 0;
    h->out.len = 0;

    return NGX_OK;
}


void
ngx_ims_media_conn_close(ngx_ims_media_helper_t *h)
{
    if (h->connection != NULL) {
        ngx_close_connection(h->connection);
        h->connection = NULL;
    }
}


void
ngx_ims_media_conn_free(ngx_ims_media_helper_t *h)
{
    if (h->in.data != NULL) {
        ngx_free(h->in.data);
    }

    if (h->out.data != NULL) {
        ngx_free(h->out.data);
    }

    if (h->nodes != NULL) {
        ngx_free(h->nodes);
    }

    ngx_memzero(&h->in, sizeof(ngx_ims_media_buf_t));
    ngx_memzero(&h->out, sizeof(ngx_ims_media_buf_t));
    h->nodes = NULL;
}


void
ngx_ims_media_conn_send(ngx_ims_media_helper_t *h, u_char *p, size_t len)
{
    ssize_t     n;
    ngx_err_t   err;
    ngx_uint_t  level;

    if (h->stream) {
        ngx_ims_media_conn_send_stream(h, p, len);
        return;
    }

    n = send(h->connection->fd, p, len, MSG_DONTWAIT|MSG_NOSIGNAL);

    if (n == -1) {
        err = ngx_socket_errno;

        /* refused: nobody listened to the one before; all are repeated */

        if (err == NGX_ECONNREFUSED) {
            ngx_ims_media_refused(h);
        }

        level = (err == NGX_ECONNREFUSED || err == NGX_EAGAIN) ? NGX_LOG_INFO
                                                               : NGX_LOG_ERR;

        ngx_log_error(level, h->log, err,
                      "send() to media helper \"%V\" failed",
                      &h->addr.name);
    }
}


static void
ngx_ims_media_conn_send_stream(ngx_ims_media_helper_t *h, u_char *p,
    size_t len)
{
    if (ngx_ims_media_buf_room(&h->out, len, NGX_IMS_MEDIA_MAX_OUT, h->log)
        != NGX_OK)
    {
        ngx_ims_media_conn_broken(h, "does not read", 0);
        return;
    }

    ngx_memcpy(h->out.data + h->out.pos + h->out.len, p, len);
    h->out.len += len;

    if (h->connection->write->active) {
        return;
    }

    if (ngx_ims_media_conn_flush(h) != NGX_AGAIN) {
        return;
    }

    if (ngx_add_event(h->connection->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT)
        != NGX_OK)
    {
        ngx_ims_media_conn_broken(h, "cannot be waited for", 0);
    }
}


/* NGX_OK: all is sent; NGX_AGAIN; NGX_ERROR: it broke and was given up */

static ngx_int_t
ngx_ims_media_conn_flush(ngx_ims_media_helper_t *h)
{
    ssize_t    n;
    ngx_err_t  err;

    while (h->out.len) {

        n = send(h->connection->fd, h->out.data + h->out.pos, h->out.len,
                 MSG_DONTWAIT|MSG_NOSIGNAL);

        if (n == -1) {
            err = ngx_socket_errno;

            if (err == NGX_EINTR) {
                continue;
            }

            if (err == NGX_EAGAIN) {
                return NGX_AGAIN;
            }

            ngx_ims_media_conn_broken(h, "closed its connection", err);
            return NGX_ERROR;
        }

        h->out.pos += n;
        h->out.len -= n;
    }

    h->out.pos = 0;

    return NGX_OK;
}


static void
ngx_ims_media_conn_broken(ngx_ims_media_helper_t *h, char *what,
    ngx_err_t err)
{
    if (!h->down) {
        ngx_log_error(NGX_LOG_ERR, h->log, err, "media helper \"%V\" %s",
                      &h->addr.name, what);
    }

    h->lost(h);
}


static void
ngx_ims_media_conn_write(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_ims_media_helper_t  *h;

    c = ev->data;
    h = c->data;

    if (ngx_ims_media_conn_flush(h) == NGX_OK && ev->active) {
        (void) ngx_del_event(ev, NGX_WRITE_EVENT, 0);
    }
}


static void
ngx_ims_media_conn_read_stream(ngx_event_t *ev)
{
    ssize_t                  n;
    ngx_err_t                err;
    ngx_connection_t        *c;
    ngx_ims_media_buf_t     *in;
    ngx_ims_media_helper_t  *h;

    c = ev->data;
    h = c->data;
    in = &h->in;

    if (ngx_ims_media_buf_room(in, NGX_IMS_MEDIA_BUF / 2,
                               2 * NGX_IMS_MEDIA_MAX_IN, h->log)
        != NGX_OK)
    {
        ngx_ims_media_conn_broken(h, "sent too long a reply", 0);
        return;
    }

    n = recv(c->fd, in->data + in->pos + in->len,
             in->size - in->pos - in->len, MSG_DONTWAIT);

    if (n == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            ngx_ims_media_conn_broken(h, "closed its connection", err);
        }

        return;
    }

    if (n == 0) {
        ngx_ims_media_conn_broken(h, "closed its connection", 0);
        return;
    }

    in->len += n;

    if (ngx_ims_media_conn_replies(h) == NGX_ERROR) {
        ngx_ims_media_conn_broken(h, "sent an invalid reply", 0);
    }
}


/*
 * All whole replies of the buffer.  A handler may send, and a send may close
 * the connection, but never open another one: that takes a while at least.
 * So the spans it was given stay what they are.
 */

static ngx_int_t
ngx_ims_media_conn_replies(ngx_ims_media_helper_t *h)
{
    size_t                  used;
    ngx_int_t               rc;
    ngx_str_t               cookie;
    ngx_ims_media_buf_t    *in;
    ngx_ims_media_reply_t   reply;

    in = &h->in;

    while (in->len) {

        rc = ngx_ims_media_read_reply(in->data + in->pos, in->len, h->nodes,
                                      &cookie, &reply, &used);

        if (rc == NGX_AGAIN) {
            return (in->len > NGX_IMS_MEDIA_MAX_IN) ? NGX_ERROR : NGX_OK;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        in->pos += used;
        in->len -= used;

        h->reply(h, &cookie, &reply);

        if (h->connection == NULL) {
            return NGX_OK;
        }
    }

    in->pos = 0;

    return NGX_OK;
}


static void
ngx_ims_media_conn_read_datagram(ngx_event_t *ev)
{
    size_t                   used;
    ssize_t                  n;
    ngx_str_t                cookie;
    ngx_uint_t               i;
    ngx_connection_t        *c;
    ngx_ims_media_reply_t    reply;
    ngx_ims_media_helper_t  *h;

    c = ev->data;
    h = c->data;

    if (ngx_ims_media_buf_room(&h->in, NGX_IMS_MAX_DATAGRAM,
                               NGX_IMS_MEDIA_MAX_IN, h->log)
        != NGX_OK)
    {
        return;
    }

    for (i = 0; i < NGX_IMS_MEDIA_BATCH; i++) {

        n = recv(c->fd, h->in.data, NGX_IMS_MAX_DATAGRAM, MSG_DONTWAIT);

        if (n == -1) {

            /* one refusal for each send that nobody heard; missed anyway */

            if (ngx_socket_errno == NGX_ECONNREFUSED) {
                ngx_ims_media_refused(h);
                continue;
            }

            return;
        }

        if (ngx_ims_media_read_reply(h->in.data, n, h->nodes, &cookie, &reply,
                                     &used)
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, h->log, 0,
                          "media helper \"%V\" sent an invalid reply",
                          &h->addr.name);
            continue;
        }

        h->reply(h, &cookie, &reply);

        if (h->connection == NULL) {
            return;
        }
    }
}


/* room behind the bytes; those move to the front, and the buffer may grow */

static ngx_int_t
ngx_ims_media_buf_room(ngx_ims_media_buf_t *b, size_t room, size_t max,
    ngx_log_t *log)
{
    size_t   size;
    u_char  *p;

    if (b->data != NULL && b->size - b->pos - b->len >= room) {
        return NGX_OK;
    }

    if (b->len > max || room > max - b->len) {
        return NGX_ERROR;
    }

    size = b->size ? b->size : NGX_IMS_MEDIA_BUF;

    while (size - b->len < room) {
        size *= 2;
    }

    p = b->data;

    if (size != b->size) {
        p = ngx_alloc(size, log);
        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    if (b->len) {
        ngx_memmove(p, b->data + b->pos, b->len);
    }

    if (p != b->data && b->data != NULL) {
        ngx_free(b->data);
    }

    b->data = p;
    b->size = size;
    b->pos = 0;

    return NGX_OK;
}
