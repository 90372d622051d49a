
/* Copyright (C) the IMS portal authors */

/*
 * Media of the far end: G.711 in 20 ms packets, telephone-events both ways
 * (RFC 4733), and a sender report now and then.  Timers: one packet each
 * 20 ms and one report each 5 s per call.
 */

#define _GNU_SOURCE

#include "farend.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>


/* ITU-T G.711 */

static int16_t
alaw_decode(uint8_t a)
{
    int  t, seg;

    a ^= 0x55;
    t = (a & 0x0f) << 4;
    seg = (a & 0x70) >> 4;

    t += seg ? 0x108 : 8;

    if (seg > 1) {
        t <<= seg - 1;
    }

    return (int16_t) (a & 0x80 ? t : -t);
}


static uint8_t
alaw_encode(int16_t s)
{
    int  v, seg, mask;

    mask = s >= 0 ? 0xd5 : 0x55;
    v = s >= 0 ? s : -s - 1;
    v >>= 3;

    for (seg = 0; seg < 7 && v > (0x20 << seg) - 1; seg++);

    v = (seg << 4) | ((v >> (seg < 2 ? 1 : seg)) & 0x0f);

    return (uint8_t) (v ^ mask);
}


static int16_t
ulaw_decode(uint8_t u)
{
    int  t;

    u = (uint8_t) ~u;
    t = ((u & 0x0f) << 3) + 0x84;
    t <<= (u & 0x70) >> 4;

    return (int16_t) (u & 0x80 ? 0x84 - t : t - 0x84);
}


static uint8_t
ulaw_encode(int16_t s)
{
    int  v, seg, mask;

    mask = s >= 0 ? 0xff : 0x7f;
    v = s >= 0 ? s : -s;
    v = (v > 32635 ? 32635 : v) + 0x84;

    for (seg = 0; seg < 7 && v >= (0x100 << seg); seg++);

    return (uint8_t) (((seg << 4) | ((v >> (seg + 3)) & 0x0f)) ^ mask);
}


static int
bind_port(struct fe *fe, uint16_t port)
{
    int                 fd;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    inet_pton(AF_INET, fe->host, &sin.sin_addr);

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        close(fd);
        return -1;
    }

    return fd;
}


int
fe_rtp_open(struct fe *fe, struct fe_rtp *r)
{
    int       tries;
    uint16_t  port;

    for (tries = (fe->rtp_max - fe->rtp_min) / 2; tries > 0; tries--) {
        port = fe->rtp_next;
        fe->rtp_next = (uint16_t) (port + 2);

        if (fe->rtp_next + 1 > fe->rtp_max) {
            fe->rtp_next = fe->rtp_min;
        }

        r->fd = bind_port(fe, port);

        if (r->fd == -1) {
            continue;
        }

        r->rtcp_fd = bind_port(fe, (uint16_t) (port + 1));

        if (r->rtcp_fd == -1) {
            close(r->fd);
            r->fd = -1;
            continue;
        }

        r->port = port;
        r->pt = 8;
        r->te_pt = 101;
        r->ssrc = (uint32_t) random();
        r->ts = (uint32_t) random();
        r->seq = (uint16_t) random();
        r->send = 1;
        r->receive = 1;
        fe_rtp_reset(r);
        return 0;
    }

    return -1;
}


void
fe_rtp_close(struct fe_rtp *r)
{
    if (r->fd != -1) {
        close(r->fd);
        close(r->rtcp_fd);
    }

    r->fd = -1;
    r->rtcp_fd = -1;
}


void
fe_rtp_reset(struct fe_rtp *r)
{
    r->packets = 0;
    r->bytes = 0;
    r->reordered = 0;
    r->dup = 0;
    r->bad = 0;
    r->base = r->highest;
    r->max_gap = 0;
    r->sent = 0;
    r->rtcp = 0;
    r->lost_base = 1;
}


uint32_t
fe_rtp_lost(const struct fe_rtp *r)
{
    uint32_t  expected, got;

    if (r->packets == 0) {
        return 0;
    }

    expected = r->highest - r->base + 1;
    got = r->packets - r->dup;

    return expected > got ? expected - got : 0;
}


static const char *
direction(const struct fe_rtp *r)
{
    return r->send ? (r->receive ? "sendrecv" : "sendonly")
                   : (r->receive ? "recvonly" : "inactive");
}


size_t
fe_rtp_sdp(struct fe *fe, struct fe_call *c, int offer, char *out,
    size_t size)
{
    int             n;
    struct fe_rtp  *r;
    char            formats[32], te[96];

    r = &c->rtp;
    te[0] = '\0';

    if (offer) {
        snprintf(formats, sizeof(formats), "8 0 %d",
                 r->te_pt < 0 ? 101 : r->te_pt);

    } else if (r->te_pt >= 0) {
        snprintf(formats, sizeof(formats), "%d %d", r->pt, r->te_pt);

    } else {
        snprintf(formats, sizeof(formats), "%d", r->pt);
    }

    if (offer || r->te_pt >= 0) {
        n = r->te_pt < 0 ? 101 : r->te_pt;
        snprintf(te, sizeof(te), "a=rtpmap:%d telephone-event/8000\r\n"
                 "a=fmtp:%d 0-15\r\n", n, n);
    }

    n = snprintf(out, size, "v=0\r\no=farend %u %u IN IP4 %s\r\ns=-\r\n"
                 "c=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/AVP %s\r\n"
                 "%s%s%sa=ptime:20\r\na=%s\r\n", r->ssrc, ++c->version,
                 fe->host, fe->host, r->port, formats,
                 offer || r->pt == 8 ? "a=rtpmap:8 PCMA/8000\r\n" : "",
                 offer || r->pt == 0 ? "a=rtpmap:0 PCMU/8000\r\n" : "",
                 te, direction(r));

    return n > 0 && (size_t) n < size ? (size_t) n : 0;
}


/* takes what the peer's SDP says of the first audio line; -1: unusable */

int
fe_rtp_remote(struct fe_rtp *r, const char *sdp)
{
    int          port, rtcp, pt, rate, send, receive, in_audio;
    char         addr[64], rest[128], name[32], *f, *save;
    const char  *p;

    addr[0] = '\0';
    rest[0] = '\0';
    port = rtcp = -1;
    send = receive = 1;
    in_audio = 0;
    r->te_pt = -1;

    for (p = sdp; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        if (p[0] == 'm') {
            in_audio = port < 0
                && sscanf(p, "m=audio %d RTP/AVP %127[0-9 ]", &port, rest)
                   == 2;

        } else if (p[0] == 'c' && (in_audio || port < 0)) {
            sscanf(p, "c=IN IP4 %63[0-9.]", addr);

        } else if (in_audio || port < 0) {
            if (sscanf(p, "a=rtpmap:%d %31[^/]/%d", &pt, name, &rate) == 3
                && rate == FE_RATE
                && strcasecmp(name, "telephone-event") == 0)
            {
                r->te_pt = pt;
            }

            if (strncmp(p, "a=rtcp:", 7) == 0) {
                rtcp = atoi(p + 7);
            }

            /* seen from our side */
            if (strncmp(p, "a=sendonly", 10) == 0) {
                send = 0;

            } else if (strncmp(p, "a=recvonly", 10) == 0) {
                receive = 0;

            } else if (strncmp(p, "a=inactive", 10) == 0) {
                send = receive = 0;
            }
        }
    }

    if (port <= 0 || addr[0] == '\0') {
        return -1;
    }

    r->pt = -1;

    for (f = strtok_r(rest, " ", &save); f; f = strtok_r(NULL, " ", &save)) {
        pt = atoi(f);

        if (r->pt < 0 && (pt == 0 || pt == 8)) {
            r->pt = pt;
        }
    }

    if (r->pt < 0) {
        return -1;
    }

    r->remote.sin_family = AF_INET;
    r->remote.sin_port = htons((uint16_t) port);
    inet_pton(AF_INET, addr, &r->remote.sin_addr);
    r->rtcp_remote = r->remote;
    r->rtcp_remote.sin_port = htons((uint16_t) (rtcp > 0 ? rtcp : port + 1));

    if (strcmp(addr, "0.0.0.0") == 0) {
        send = 0;
    }

    r->send = send;
    r->receive = receive;

    return 0;
}


static void
send_packet(struct fe_rtp *r, int pt, int marker, uint32_t ts,
    const uint8_t *payload, size_t len)
{
    uint8_t   b[12 + FE_RATE / 10];
    uint32_t  v;

    if (len > sizeof(b) - 12 || r->remote.sin_port == 0) {
        return;
    }

    b[0] = 0x80;
    b[1] = (uint8_t) ((marker ? 0x80 : 0) | pt);
    b[2] = (uint8_t) (r->seq >> 8);
    b[3] = (uint8_t) r->seq++;
    v = htonl(ts);
    memcpy(b + 4, &v, 4);
    v = htonl(r->ssrc);
    memcpy(b + 8, &v, 4);
    memcpy(b + 12, payload, len);

    if (sendto(r->fd, b, 12 + len, MSG_DONTWAIT,
               (struct sockaddr *) &r->remote, sizeof(r->remote)) > 0)
    {
        r->sent++;
        r->sent_octets += (uint32_t) len;
    }
}


static void
hear(struct fe_rtp *r, int pt, const uint8_t *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        r->ring[r->heard++ % FE_RING] = pt == 8 ? alaw_decode(p[i])
                                                : ulaw_decode(p[i]);
    }
}


/* RFC 4733 2.3: one digit per timestamp, however often it is repeated */

static void
hear_event(struct fe_rtp *r, uint32_t ts, const uint8_t *p, size_t len)
{
    size_t  n;

    if (len < 4 || p[0] > 15 || (r->dtmf_any && ts == r->dtmf_ts)) {
        return;
    }

    r->dtmf_any = 1;
    r->dtmf_ts = ts;
    n = strlen(r->dtmf);

    if (n + 1 < sizeof(r->dtmf)) {
        r->dtmf[n] = "0123456789*#ABCD"[p[0]];
        r->dtmf[n + 1] = '\0';
    }
}


static void
count(struct fe_rtp *r, uint32_t ssrc, uint16_t seq, double now)
{
    int16_t   delta;
    uint32_t  ext, span;

    if (r->ssrcs == 0 || ssrc != r->rssrc) {
        span = r->lost_base ? 0 : r->highest - r->base + 1;
        r->rssrc = ssrc;
        r->ssrcs++;
        r->highest = 0x10000u + seq;
        r->base = r->highest - span;
        r->lost_base = 0;

    } else {
        delta = (int16_t) (seq - (uint16_t) r->highest);
        ext = r->highest + (uint32_t) delta;

        if (delta > 0) {
            r->highest = ext;

        } else if (delta == 0) {
            r->dup++;

        } else {
            r->reordered++;
        }

        if (r->lost_base) {
            r->base = ext;
            r->lost_base = 0;
        }
    }

    r->packets++;

    if (r->last != 0 && now - r->last > r->max_gap) {
        r->max_gap = now - r->last;
    }

    r->last = now;
}


void
fe_rtp_input(struct fe_rtp *r)
{
    int       pt;
    size_t    off, len;
    double    now;
    ssize_t   n;
    uint8_t   b[2048];
    uint32_t  ts, ssrc;

    while ((n = recv(r->fd, b, sizeof(b), 0)) > 0) {
        off = 12 + 4 * (size_t) (b[0] & 0x0f);

        if (n < 12 || b[0] >> 6 != 2 || (size_t) n < off || (b[0] & 0x10)) {
            r->bad++;
            continue;
        }

        now = fe_now();
        pt = b[1] & 0x7f;
        len = (size_t) n - off;
        memcpy(&ts, b + 4, 4);
        memcpy(&ssrc, b + 8, 4);
        ts = ntohl(ts);

        count(r, ntohl(ssrc), (uint16_t) (b[2] << 8 | b[3]), now);
        r->bytes += (uint32_t) n;

        if (pt == r->te_pt) {
            hear_event(r, ts, b + off, len);
            continue;
        }

        if (pt != 0 && pt != 8) {
            r->bad++;
            continue;
        }

        r->last_pt = pt;
        hear(r, pt, b + off, len);

        if (r->mode == FE_ECHO && r->send && r->out[0] == '\0') {
            send_packet(r, pt, b[1] >> 7, ts, b + off, len);
            r->ts = ts + (uint32_t) len;
        }
    }
}


void
fe_rtp_rtcp_input(struct fe_rtp *r)
{
    ssize_t  n;
    uint8_t  b[2048];

    while ((n = recv(r->rtcp_fd, b, sizeof(b), 0)) > 0) {
        if (n >= 8 && b[0] >> 6 == 2 && b[1] >= 200 && b[1] <= 207) {
            r->rtcp++;

        } else {
            r->bad++;
        }
    }
}


/* one step of 20 ms of the digit at out[0]: 8 of sound, 3 ends, 4 of rest */

static void
send_event(struct fe_rtp *r)
{
    uint8_t      e[4];
    unsigned     step, duration;
    const char  *d;

    step = r->out_step++;

    if (step == 0) {
        r->out_ts = r->ts;
    }

    if (step >= 15) {
        memmove(r->out, r->out + 1, strlen(r->out));
        r->out_step = 0;
        return;
    }

    if (step >= 11) {
        return;
    }

    d = strchr("0123456789*#ABCD", r->out[0]);
    duration = (step < 8 ? step + 1 : 8) * FE_FRAME;
    e[0] = (uint8_t) (d ? d - "0123456789*#ABCD" : 0);
    e[1] = (uint8_t) ((step >= 8 ? 0x80 : 0) | 10);
    e[2] = (uint8_t) (duration >> 8);
    e[3] = (uint8_t) duration;

    send_packet(r, r->te_pt, step == 0, r->out_ts, e, sizeof(e));
}


static void
send_audio(struct fe_rtp *r)
{
    int      i;
    uint8_t  b[FE_FRAME];
    int16_t  s;

    for (i = 0; i < FE_FRAME; i++) {
        s = 0;

        if (r->mode == FE_TONE || r->mode == FE_CALLBACK) {
            s = (int16_t) (8000.0 * sin(r->phase));
            r->phase += 2 * M_PI * r->freq / FE_RATE;
        }

        b[i] = r->pt == 8 ? alaw_encode(s) : ulaw_encode(s);
    }

    r->phase = fmod(r->phase, 2 * M_PI);
    send_packet(r, r->pt, r->sent == 0, r->ts, b, sizeof(b));
}


/* RFC 3550 6.4.1, without report blocks; and who we are */

static void
send_report(struct fe_rtp *r, double now)
{
    double    unix_time;
    uint8_t   b[28 + 20];
    uint32_t  w[7];

    unix_time = now / 1000.0;
    w[0] = htonl(0x80c80006u);
    w[1] = htonl(r->ssrc);
    w[2] = htonl((uint32_t) (unix_time + 2208988800.0));
    w[3] = htonl((uint32_t) (fmod(unix_time, 1.0) * 4294967295.0));
    w[4] = htonl(r->ts);
    w[5] = htonl(r->sent);
    w[6] = htonl(r->sent_octets);
    memcpy(b, w, 28);

    w[0] = htonl(0x81ca0004u);
    memcpy(b + 28, w, 4);
    memcpy(b + 32, &w[1], 4);
    memcpy(b + 36, "\x01\x06" "farend" "\0\0\0\0", 12);

    (void) sendto(r->rtcp_fd, b, sizeof(b), MSG_DONTWAIT,
                  (struct sockaddr *) &r->rtcp_remote,
                  sizeof(r->rtcp_remote));
}


void
fe_rtp_tick(struct fe_rtp *r, double now)
{
    if (r->fd == -1 || r->remote.sin_port == 0) {
        return;
    }

    if (r->next == 0) {
        r->next = now;
        r->next_sr = now + 1000;
    }

    while (now >= r->next) {
        r->next += 20;

        if (r->send && r->out[0] && r->te_pt >= 0) {
            send_event(r);

        } else if (r->send && r->mode != FE_ECHO) {
            send_audio(r);
        }

        if (r->mode != FE_ECHO) {
            r->ts += FE_FRAME;
        }
    }

    if (now >= r->next_sr && r->send) {
        r->next_sr = now + 5000;
        send_report(r, now);
    }
}
