
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the connections of the control sockets and their buffers.  No timer
 * of its own: mh_conns_tick() ends those that are too slow.
 *
 * A seqpacket record is one message.  On a stream the end of a message is
 * the end of its dictionary; there a cookie may be absent (OpenSIPS), and
 * such a request is not cached.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_conn.h"
#include "mh_http.h"
#include "mh_log.h"


enum {
    MH_CONN_READ = 65536,
    MH_CONN_OUT = 4 * NGX_IMS_NG_MAX_MESSAGE
};


struct mh_conn {
    struct le            le;
    struct mh_conns     *conns;
    int                  fd;
    enum mh_conn_kind    kind;
    bool                 inet;
    struct mbuf         *in;        /* what came of a message so far */
    struct mbuf         *out;       /* what could not be written yet */
    bool                 closing;   /* after out is written */
    bool                 deaf;      /* nothing is read any more */
    bool                 waited;    /* "100 Continue" was sent */
    uint64_t             since;     /* the message in in begins */
    uint64_t             used;      /* a message ended, a reply moved */
};


struct mh_conns {
    struct list           list;
    unsigned              inetc;
    struct mh_requests   *requests;
    mh_conn_metrics_h    *metrics;
    void                 *arg;
    struct mh_conn_stat   stat;
    uint8_t               buf[NGX_IMS_NG_MAX_MESSAGE];
};


static void mh_conns_destroy(void *data);
static void mh_conn_destroy(void *data);
static void mh_conn_h(int flags, void *arg);
static bool mh_conn_read(struct mh_conn *c);
static bool mh_conn_end(struct mh_conn *c);
static bool mh_conn_record(struct mh_conn *c, size_t n);
static bool mh_conn_stream(struct mh_conn *c);
static int mh_conn_ng(struct mh_conn *c, size_t *pos);
static int mh_conn_http(struct mh_conn *c, size_t *pos);
static int mh_conn_http_do(struct mh_conn *c, const struct mh_http *http,
    const char *body);
static int mh_conn_http_ng(struct mh_conn *c, const struct mh_http *http,
    const char *body, bool plain);
static int mh_conn_http_reply(struct mh_conn *c, const struct mh_http *http,
    int status, const char *type, const char *allow, const struct pl *body);
static bool mh_conn_put(struct mh_conn *c, const char *p, size_t len);
static bool mh_conn_flush(struct mh_conn *c);


int
mh_conns_alloc(struct mh_conns **cp, struct mh_requests *requests)
{
    struct mh_conns  *conns;

    conns = mem_zalloc(sizeof(*conns), mh_conns_destroy);
    if (conns == NULL) {
        return ENOMEM;
    }

    conns->requests = mem_ref(requests);

    *cp = conns;

    return 0;
}


static void
mh_conns_destroy(void *data)
{
    struct mh_conns  *conns = data;

    list_flush(&conns->list);
    mem_deref(conns->requests);
}


void
mh_conns_metrics(struct mh_conns *conns, mh_conn_metrics_h *h, void *arg)
{
    conns->metrics = h;
    conns->arg = arg;
}


const struct mh_conn_stat *
mh_conns_stat(const struct mh_conns *conns)
{
    return &conns->stat;
}


void
mh_conn_refused(struct mh_conns *conns)
{
    conns->stat.refused++;
}


int
mh_conn_add(struct mh_conns *conns, int fd, enum mh_conn_kind kind,
    bool inet, uint64_t now)
{
    int              err;
    struct mh_conn  *c;

    if ((inet && conns->inetc >= MH_CONN_INET && !mh_conn_evict(conns))
        || (conns->stat.current >= MH_CONN_ALL && !mh_conn_evict(conns)))
    {
        conns->stat.refused++;
        (void) close(fd);
        return ENOSPC;
    }

    c = mem_zalloc(sizeof(*c), mh_conn_destroy);
    if (c == NULL) {
        conns->stat.refused++;
        (void) close(fd);
        return ENOMEM;
    }

    c->conns = conns;
    c->fd = fd;
    c->kind = kind;
    c->inet = inet;
    c->since = now;
    c->used = now;
    c->in = mbuf_alloc(0);
    c->out = mbuf_alloc(0);

    list_append(&conns->list, &c->le, c);
    conns->inetc += inet;
    conns->stat.current++;
    conns->stat.total++;

    err = (c->in == NULL || c->out == NULL)
          ? ENOMEM : fd_listen(fd, FD_READ, mh_conn_h, c);
    if (err) {
        mem_deref(c);
    }

    return err;
}


static void
mh_conn_destroy(void *data)
{
    struct mh_conn  *c = data;

    list_unlink(&c->le);
    c->conns->inetc -= c->inet;
    c->conns->stat.current--;

    fd_close(c->fd);
    (void) close(c->fd);

    mem_deref(c->in);
    mem_deref(c->out);
}


bool
mh_conn_evict(struct mh_conns *conns)
{
    struct le       *le;
    struct mh_conn  *c, *idle;

    idle = NULL;

    for (le = list_head(&conns->list); le; le = le->next) {
        c = le->data;

        if (c->inet && (idle == NULL || c->used < idle->used)) {
            idle = c;
        }
    }

    mem_deref(idle);

    return idle != NULL;
}


void
mh_conns_tick(struct mh_conns *conns, uint64_t now)
{
    bool             slow;
    struct le       *le;
    struct mh_conn  *c;

    le = list_head(&conns->list);

    while (le) {
        c = le->data;
        le = le->next;

        /* who is local and sends half a message is only in its own way */

        slow = mbuf_get_left(c->out) && now > c->used + MH_CONN_PATIENCE;
        slow |= c->inet && c->in->end && now > c->since + MH_CONN_PATIENCE;
        slow |= c->kind == MH_CONN_HTTP && now > c->used + MH_CONN_IDLE;

        if (slow) {
            conns->stat.expired++;
            mem_deref(c);
        }
    }
}


static void
mh_conn_h(int flags, void *arg)
{
    struct mh_conn  *c = arg;

    if ((flags & FD_WRITE) && !mh_conn_flush(c)) {
        mem_deref(c);
        return;
    }

    if ((flags & (FD_READ|FD_EXCEPT)) && !c->deaf && !mh_conn_read(c)) {
        mem_deref(c);
    }
}


/* returns false when the connection is at its end */

static bool
mh_conn_read(struct mh_conn *c)
{
    size_t   size;
    ssize_t  n;

    size = (c->kind == MH_CONN_RECORD) ? sizeof(c->conns->buf)
                                       : MH_CONN_READ;

    n = recv(c->fd, c->conns->buf, size, MSG_DONTWAIT);

    if (n == -1) {
        return errno == EAGAIN || errno == EINTR;
    }

    if (n == 0) {
        return mh_conn_end(c);
    }

    if (c->closing) {
        return true;
    }

    if (c->kind == MH_CONN_RECORD) {
        return mh_conn_record(c, n);
    }

    if (c->in->end == 0) {
        c->since = mh_clock();
    }

    if (mbuf_write_mem(c->in, c->conns->buf, n) != 0) {
        return false;
    }

    return mh_conn_stream(c);
}


/* who sends no more may still read */

static bool
mh_conn_end(struct mh_conn *c)
{
    if (mbuf_get_left(c->out) == 0) {
        return false;
    }

    c->closing = true;
    c->deaf = true;

    return fd_listen(c->fd, FD_WRITE, mh_conn_h, c) == 0;
}


static bool
mh_conn_record(struct mh_conn *c, size_t n)
{
    size_t     used;
    ssize_t    rc;
    struct pl  reply;

    (void) mh_request_do(c->conns->requests, c->conns->buf, n, true,
                         NGX_IMS_NG_MAX_MESSAGE, &used, &reply);

    if (reply.l == 0) {
        return true;
    }

    rc = send(c->fd, reply.p, reply.l, MSG_DONTWAIT|MSG_NOSIGNAL);

    /* a client that does not read loses its reply, as with UDP */

    return rc != -1 || errno == EAGAIN || errno == EMSGSIZE;
}


static bool
mh_conn_stream(struct mh_conn *c)
{
    int     rc;
    size_t  pos, begin;

    pos = 0;

    while (pos < c->in->end && !c->closing) {

        if (c->in->buf[pos] == '\n' || c->in->buf[pos] == '\r') {
            pos++;
            continue;
        }

        begin = pos;

        rc = (c->kind == MH_CONN_HTTP) ? mh_conn_http(c, &pos)
                                       : mh_conn_ng(c, &pos);

        if (rc == ENODATA) {
            break;
        }

        if (rc) {
            return false;
        }

        if (pos > begin) {
            c->used = mh_clock();
            c->since = c->used;
        }
    }

    memmove(c->in->buf, c->in->buf + pos, c->in->end - pos);
    c->in->end -= pos;
    c->in->pos = c->in->end;

    return !c->closing || mbuf_get_left(c->out) != 0;
}


/* one message at *pos; ENODATA if it is not all there */

static int
mh_conn_ng(struct mh_conn *c, size_t *pos)
{
    int        rc;
    size_t     used, left;
    struct pl  reply;

    left = c->in->end - *pos;

    rc = mh_request_do(c->conns->requests, c->in->buf + *pos, left, false,
                       NGX_IMS_NG_MAX_MESSAGE, &used, &reply);

    if (rc == NGX_IMS_NG_AGAIN) {
        return left > NGX_IMS_NG_MAX_MESSAGE ? EMSGSIZE : ENODATA;
    }

    /* without a valid dictionary the next message cannot be found */

    if (rc != NGX_IMS_NG_OK) {
        c->closing = true;
    }

    *pos += used;

    return (mh_conn_put(c, reply.p, reply.l)
            && (mh_conn_flush(c) || c->closing)) ? 0 : EPIPE;
}


static int
mh_conn_http(struct mh_conn *c, size_t *pos)
{
    int             rc;
    size_t          left;
    const char     *p;
    struct mh_http  http;

    static const char  go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    p = (const char *) c->in->buf + *pos;
    left = c->in->end - *pos;

    rc = mh_http_parse(&http, p, left, NGX_IMS_NG_MAX_MESSAGE);

    if (rc == -1) {
        return ENODATA;
    }

    if (rc) {
        http.keep = false;
        return mh_conn_http_reply(c, &http, rc, NULL, NULL, NULL);
    }

    if (left - http.size < http.body) {

        if (http.wait && http.v11 && !c->waited) {
            c->waited = true;

            return (mh_conn_put(c, go_on, sizeof(go_on) - 1)
                    && mh_conn_flush(c)) ? ENODATA : EPIPE;
        }

        return ENODATA;
    }

    c->waited = false;

    rc = mh_conn_http_do(c, &http, p + http.size);

    *pos += http.size + http.body;

    return rc;
}


static int
mh_conn_http_do(struct mh_conn *c, const struct mh_http *http,
    const char *body)
{
    bool              get;
    struct pl         text;
    struct mh_conns  *conns;

    conns = c->conns;

    get = pl_strcmp(&http->method, "GET") == 0
          || pl_strcmp(&http->method, "HEAD") == 0;

    if (pl_strcmp(&http->path, "/ping") == 0) {

        if (!get) {
            return mh_conn_http_reply(c, http, 405, NULL, "GET, HEAD", NULL);
        }

        pl_set_str(&text, "pong\n");

        return mh_conn_http_reply(c, http, 200, "text/plain", NULL, &text);
    }

    if (pl_strcmp(&http->path, "/metrics") == 0 && conns->metrics) {

        if (!get) {
            return mh_conn_http_reply(c, http, 405, NULL, "GET, HEAD", NULL);
        }

        text.p = (const char *) conns->buf;
        text.l = conns->metrics((char *) conns->buf, sizeof(conns->buf),
                                conns->arg);
        if (text.l == 0) {
            return mh_conn_http_reply(c, http, 500, NULL, NULL, NULL);
        }

        return mh_conn_http_reply(c, http, 200,
                                  "text/plain; version=0.0.4; charset=utf-8",
                                  NULL, &text);
    }

    if (pl_strcmp(&http->path, "/ng") == 0) {
        return mh_conn_http_ng(c, http, body, false);
    }

    if (pl_strcmp(&http->path, "/ng-plain") == 0) {
        return mh_conn_http_ng(c, http, body, true);
    }

    return mh_conn_http_reply(c, http, 404, NULL, NULL, NULL);
}


/*
 * The types are such as a page in a browser may not send to another site
 * unasked: ng has no authentication, and loopback is allowed.
 */

static int
mh_conn_http_ng(struct mh_conn *c, const struct mh_http *http,
    const char *body, bool plain)
{
    bool        bare;
    size_t      used, n, start;
    struct pl   reply;

    static const char  type[] = "application/x-rtpengine-ng";

    if (pl_strcmp(&http->method, "POST") != 0) {
        return mh_conn_http_reply(c, http, 405, NULL, "POST", NULL);
    }

    if (!http->length) {
        return mh_conn_http_reply(c, http, 411, NULL, NULL, NULL);
    }

    if (pl_strcasecmp(&http->type, type) != 0
        && (!plain || pl_strcasecmp(&http->type, "application/json") != 0))
    {
        return mh_conn_http_reply(c, http, 415, NULL, NULL, NULL);
    }

    bare = ngx_ims_ng_split((const u_char *) body, http->body, &n, &start)
           == NGX_IMS_NG_OK && start == 0;

    if (bare != plain) {
        return mh_conn_http_reply(c, http, 400, NULL, NULL, NULL);
    }

    (void) mh_request_do(c->conns->requests, (const uint8_t *) body,
                         http->body, true, NGX_IMS_NG_MAX_MESSAGE, &used,
                         &reply);

    if (reply.l == 0) {
        return mh_conn_http_reply(c, http, 400, NULL, NULL, NULL);
    }

    return mh_conn_http_reply(c, http, 200, type, NULL, &reply);
}


/* without a body that is the words of the status */

static int
mh_conn_http_reply(struct mh_conn *c, const struct mh_http *http, int status,
    const char *type, const char *allow, const struct pl *body)
{
    char       head[MH_HTTP_RESPONSE];
    size_t     n;
    struct pl  words;

    pl_set_str(&words, mh_http_reason(status));

    if (body == NULL) {
        type = "text/plain";
        body = &words;
    }

    n = mh_http_response(head, status, type, body->l, http->keep, allow);

    c->closing = !http->keep;

    if (n == 0 || !mh_conn_put(c, head, n)) {
        return EPIPE;
    }

    if (pl_strcmp(&http->method, "HEAD") != 0
        && !mh_conn_put(c, body->p, body->l))
    {
        return EPIPE;
    }

    return (mh_conn_flush(c) || c->closing) ? 0 : EPIPE;
}


/* who reads slowly must not let the written part grow for ever */

static bool
mh_conn_put(struct mh_conn *c, const char *p, size_t len)
{
    int           err;
    size_t        left, pos;
    struct mbuf  *mb;

    mb = c->out;
    left = mbuf_get_left(mb);

    if (left == 0) {
        c->used = mh_clock();
    }

    if (mb->pos >= NGX_IMS_NG_MAX_MESSAGE) {
        memmove(mb->buf, mbuf_buf(mb), left);
        mb->pos = 0;
        mb->end = left;
    }

    pos = mb->pos;
    mb->pos = mb->end;
    err = len ? mbuf_write_mem(mb, (const uint8_t *) p, len) : 0;
    mb->pos = pos;

    return err == 0 && mbuf_get_left(mb) <= MH_CONN_OUT;
}


static bool
mh_conn_flush(struct mh_conn *c)
{
    size_t   left;
    ssize_t  n;

    left = mbuf_get_left(c->out);

    if (left) {
        n = send(c->fd, mbuf_buf(c->out), left, MSG_DONTWAIT|MSG_NOSIGNAL);

        if (n == -1 && errno != EAGAIN && errno != EINTR) {
            return false;
        }

        if (n > 0) {
            mbuf_advance(c->out, n);
            c->used = mh_clock();
        }
    }

    if (mbuf_get_left(c->out)) {
        return fd_listen(c->fd, c->deaf ? FD_WRITE : FD_READ|FD_WRITE,
                         mh_conn_h, c) == 0;
    }

    if (left) {
        mbuf_rewind(c->out);

        if (fd_listen(c->fd, FD_READ, mh_conn_h, c) != 0) {
            return false;
        }
    }

    return !c->closing;
}
