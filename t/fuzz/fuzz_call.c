/* Copyright (C) the IMS portal authors */
/* FUZZ_CFLAGS: -D_GNU_SOURCE -DHAVE_STDBOOL_H -DHAVE_INET6 -I/usr/include/re */
/* FUZZ_LIBS: build/helper.a -lre -lssl -lcrypto -lm */


/*
 * Feeds whole calls: ng requests in, then what arrives on their sockets.  An
 * input is a list of steps with "\n\1\n" between; the first byte of a step
 * tells what the rest is:
 *
 *   N        an ng message, bencode or JSON
 *   O A o a  SDP alone: an offer or answer, of the browser's or (o, a) the
 *            IMS's; all of one call
 *   P p      RTP or RTCP of the browser's, decrypted
 *   R r      RTP or RTCP of the IMS's
 *   W F      a datagram on the web port, from a pair that passed ICE or not
 *   C        bytes of a TCP connection, the first two tell how it is cut
 *   K        nothing: the browser's pair is nominated, and SRTP has keys
 *   T        a number of seconds passes
 *
 * Nothing is sent to anybody.  Whatever comes, no port may stay open, and a
 * reply is one whole dictionary.
 */


#include <stdlib.h>

#include "../../media-helper/mh_stream.c"
#include "../../media-helper/mh_tcp.c"
#include "../../media-helper/mh_clock.h"
#include "../../media-helper/mh_cmd.h"
#include "../../media-helper/mh_ctl.h"
#include "../../media-helper/mh_log.h"
#include "../../media-helper/mh_srtp.h"
#include "../../media-helper/mh_transport.h"


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static struct mh_io          *io;
static struct mh_web         *web;
static struct mh_port_pool   *pool;
static struct mh_ctl         *ctl;
static struct mh_load         load;
static struct mh_calls_conf   conf;
static struct mh_cmd          cmd;
static struct mh_requests    *requests;
static struct mh_tcp_conn    *conn;
static uint64_t               now;
static struct sa              known, foreign;


/* nothing leaves this process */

ssize_t
send(int fd, const void *buf, size_t len, int flags)
{
    (void) fd;
    (void) buf;
    (void) flags;

    return (ssize_t) len;
}


int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
    (void) fd;
    (void) msgs;
    (void) flags;

    return (int) n;
}


int
connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    (void) fd;
    (void) addr;
    (void) len;

    return 0;
}


static void
must(int err)
{
    if (err) {
        (void) fprintf(stderr, "start: %s\n", strerror(err));
        abort();
    }
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct sa  addr;

    (void) argc;
    (void) argv;

    must(libre_init());
    must(poll_method_set(METHOD_EPOLL));
    must(mh_srtp_backend_set("evp"));

    must(sa_set_str(&addr, "127.0.0.1", 0));
    must(sa_set_str(&known, "192.0.2.9", 50000));
    must(sa_set_str(&foreign, "192.0.2.66", 50000));

    must(mh_io_alloc(&io));
    must(mh_io_start(io));
    must(mh_web_alloc(&web, &addr, 1, 0));
    must(mh_web_tcp(web, &addr, 1, 0, 0));
    must(mh_web_certificate(web));
    must(mh_web_start(web, io));
    must(mh_port_pool_alloc(&pool, &addr, 30000, 30127));
    must(mh_ctl_alloc(&ctl));
    must(mh_requests_alloc(&requests));

    conf.io = io;
    conf.web = web;
    conf.web_addrc = 1;
    conf.tcp_port = 3478;
    conf.pools[0] = pool;
    conf.pool_af[0] = AF_INET;
    conf.poolc = 1;
    conf.max_calls = 8;
    conf.media_timeout = 60;
    conf.offer_timeout = 60;
    conf.learn = true;
    must(sa_set_str(&conf.web_addrs[0], "192.0.2.1", 3478));

    cmd.io = io;
    cmd.web = web;
    cmd.ctl = ctl;
    cmd.load = &load;

    mh_requests_handler(requests, mh_cmd_h, &cmd);

    return 0;
}


static struct mh_link *
first_link(void)
{
    struct le       *le;
    struct mh_call  *call;

    le = list_head(mh_calls_list(cmd.calls));

    if (le == NULL) {
        return NULL;
    }

    call = le->data;

    return call->links.v[0];
}


static void
request(const uint8_t *p, size_t len)
{
    int                 rc;
    size_t              used;
    struct pl           reply;
    ngx_ims_ng_node_t   nodes[NGX_IMS_NG_NODES];
    const char         *body;

    rc = mh_request_do(requests, p, len, true, NGX_IMS_NG_MAX_MESSAGE, &used,
                       &reply);

    if (rc != NGX_IMS_NG_OK || reply.l == 0) {
        return;
    }

    body = memchr(reply.p, ' ', reply.l);

    if (body == NULL || body + 1 == reply.p + reply.l) {
        abort();
    }

    body++;

    if (*body == 'd'
        && (ngx_ims_ng_parse((const u_char *) body,
                             (size_t) (reply.p + reply.l - body), nodes,
                             NGX_IMS_NG_NODES, &used) != NGX_IMS_NG_OK
            || body + used != reply.p + reply.l))
    {
        abort();
    }
}


static void
sdp(char op, const uint8_t *p, size_t len)
{
    int              n;
    char            *buf;
    size_t           room;
    const char      *command, *from;
    static unsigned  cookie;

    command = (op == 'O' || op == 'o') ? "5:offer" : "6:answer";
    from = (op == 'O' || op == 'a') ? "l3:web3:imse" : "l3:ims3:webe";

    room = len + 256;
    buf = malloc(room);

    n = snprintf(buf, room, "%u d7:call-id1:c7:command%s9:direction%s"
                 "8:from-tag1:%s%s3:sdp%zu:", cookie++, command, from,
                 (op == 'O' || op == 'A') ? "w" : "i",
                 (op == 'A') ? "6:to-tag1:i" : (op == 'a') ? "6:to-tag1:w"
                                                          : "", len);
    memcpy(buf + n, p, len);
    buf[n + len] = 'e';

    request((uint8_t *) buf, n + len + 1);

    free(buf);
}


static void
keys(void)
{
    struct mh_link       *link;
    struct mh_path       *path;
    struct mh_transport  *t;

    static const uint8_t  zero[64];

    link = first_link();

    if (link == NULL || link->transport->path != NULL) {
        return;
    }

    t = link->transport;
    path = mh_transport_path_add(t, &web->socks[0], NULL, &known, NULL);

    if (path == NULL) {
        abort();
    }

    path->heard = mh_io_now(io);
    mh_transport_nominated(t, path, false);

    t->rx = mem_deref(t->rx);
    t->tx = mem_deref(t->tx);

    must(mh_srtp_alloc(&t->rx, MH_SRTP_UNPROTECT,
                       MH_SRTP_AES_CM_128_HMAC_SHA1_80, zero, zero));
    must(mh_srtp_alloc(&t->tx, MH_SRTP_PROTECT,
                       MH_SRTP_AES_CM_128_HMAC_SHA1_80, zero, zero));
    t->keys++;
    t->state = MH_TRANSPORT_UP;
}


/* a packet lies in a buffer with room behind it, as mh_io has it */

static void
packet(char op, const uint8_t *p, size_t len)
{
    uint8_t           *buf;
    struct le         *le;
    struct mh_call    *call;
    struct mh_link    *link;
    struct mh_stream  *s;

    link = first_link();
    le = list_head(mh_calls_list(cmd.calls));

    if (len == 0 || len > MH_IO_RECV) {
        return;
    }

    buf = malloc(MH_IO_ROOM);
    memcpy(buf, p, len);

    switch (op) {

    case 'W':
    case 'F':
        web->socks[0].sock.recvh(buf, len, op == 'W' ? &known : &foreign,
                                 web->socks[0].sock.arg);
        break;

    case 'P':
    case 'p':
        if (link != NULL && len >= (op == 'P' ? 12 : 8)) {
            mh_bundle_recv_h(buf, len, op == 'p', &link->bundle);
        }

        break;

    default:
        call = le ? le->data : NULL;
        s = call && call->mediac ? call->streams[p[0] % call->mediac] : NULL;

        if (s == NULL) {
            break;
        }

        buf[0] = (uint8_t) ((buf[0] & 0x3f) | 0x80);

        if (op == 'R' && s->rtp.set) {
            mh_stream_rtp_h(buf, len, &s->rtp.peer, s);
        }

        if (op == 'r' && s->rtcp.set) {
            mh_stream_rtcp_h(buf, len, &s->rtcp.peer, s);
        }
    }

    /* while the buffer is there: what is queued refers to it */

    mh_io_flush(io);
    free(buf);
}


static void
stream_of_tcp(const uint8_t *p, size_t len)
{
    int       fd[2];
    size_t    n, step;
    uint8_t  *part;

    if (len < 2) {
        return;
    }

    if (conn == NULL) {

        if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0, fd) == -1) {
            abort();
        }

        (void) close(fd[1]);

        if (!mh_tcp_conn_add(web->socks[0].tcp, fd[0], &known)) {
            abort();
        }

        conn = list_tail(&web->socks[0].tcp->strangers)->data;
        mem_ref(conn);
    }

    step = 1 + p[0] + (size_t) p[1] * 8;

    for (p += 2, len -= 2; len && !conn->dead; p += n, len -= n) {
        n = (step < len) ? step : len;

        part = malloc(n);
        memcpy(part, p, n);
        mh_tcp_take(conn, part, n);
        free(part);
    }

    mh_io_flush(io);
}


static void
seconds(const uint8_t *p, size_t len)
{
    unsigned  n;

    for (n = len ? p[0] % 96 : 1; n; n--) {
        now += 1000;
        mh_web_tick(web, now);
        mh_calls_tick(cmd.calls, now);
        mh_requests_tick(requests, now);
    }
}


static void
step(const uint8_t *p, size_t len)
{
    if (len == 0) {
        return;
    }

    switch (p[0]) {

    case 'N':
        request(p + 1, len - 1);
        break;

    case 'O':
    case 'A':
    case 'o':
    case 'a':
        sdp((char) p[0], p + 1, len - 1);
        break;

    case 'K':
        keys();
        break;

    case 'T':
        seconds(p + 1, len - 1);
        break;

    case 'C':
        stream_of_tcp(p + 1, len - 1);
        break;

    default:
        packet((char) p[0], p + 1, len - 1);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned        n;
    const uint8_t  *end, *p;

    now = mh_clock();

    must(mh_calls_alloc(&cmd.calls, &conf));

    for (n = 0; n < 32; n++) {
        p = size ? memmem(data, size, "\n\1\n", 3) : NULL;
        end = p ? p : data + size;

        step(data, (size_t) (end - data));

        if (p == NULL) {
            break;
        }

        size -= (size_t) (p + 3 - data);
        data = p + 3;
    }

    if (conn != NULL) {

        if (!conn->dead) {
            mh_tcp_drop(conn);
        }

        conn = mem_deref(conn);
    }

    cmd.calls = mem_deref(cmd.calls);

    now += 120000;
    mh_web_tick(web, now);
    mh_requests_tick(requests, now);

    if (mh_port_used(pool) || mh_port_count(pool)) {
        abort();
    }

    return 0;
}
