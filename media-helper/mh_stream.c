
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the packet path of one m-line.  Payload numbers are mapped, header
 * extensions stay on the leg that negotiated them, SSRC, sequence numbers
 * and timestamps pass unchanged, so that SR and RR match without more ado.
 * No timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_half.h"
#include "mh_rtcp.h"
#include "mh_stream.h"
#include "mh_video.h"


enum {
    MH_STREAM_RTP = 12,         /* bytes of the fixed header, RFC 3550 5.1 */
    MH_STREAM_BATCH = 4,
    MH_STREAM_MID = 16,         /* bytes of a mid that is sent */
    MH_STREAM_EXT_ID = 14,      /* highest id of the one-byte form */
    MH_STREAM_EXT = 24
};


struct mh_stream {
    struct mh_io          *io;
    struct mh_port_pair    pair;
    struct mh_half         rtp;
    struct mh_half         rtcp;
    struct mh_transport   *transport;
    struct mh_keys        *keys;            /* of the IMS side, or NULL */
    bool                   secure;          /* it is SRTP with these */
    uint8_t                table[2][128];   /* index: the leg it comes from */
    uint8_t                clocks[2][128];  /* kHz; the same index */
    bool                   mux;             /* RTCP goes with RTP (IMS) */
    struct mh_stream_stat  stat;
    struct mh_quality      quality[2];      /* of what comes from that leg */
    struct mh_video       *video;           /* NULL for audio */
    struct mh_dtmf        *dtmf[2];         /* into what comes from there;
                                               NULL before the first tone */
    bool                   due[2];          /* feedback for that leg */
    uint8_t                mid[MH_STREAM_EXT];  /* header extension for */
    size_t                 midlen;          /* the browser; 0 = none */
};


static void mh_stream_destroy(void *data);
static bool mh_stream_send(struct mh_stream *s, struct mh_half *h,
    uint8_t *buf, size_t len);
static void mh_stream_rtp_h(uint8_t *buf, size_t len, const struct sa *src,
    void *arg);
static void mh_stream_rtcp_h(uint8_t *buf, size_t len, const struct sa *src,
    void *arg);
static bool mh_stream_rtp(struct mh_stream *s, enum mh_stream_leg from,
    uint8_t **bufp, size_t *len);
static bool mh_stream_rtcp(struct mh_stream *s, enum mh_stream_leg from,
    uint8_t *buf, size_t *len);
static void mh_stream_ask(struct mh_stream *s, enum mh_stream_leg to);
static bool mh_stream_strip(uint8_t **bufp, size_t *len);
static void mh_stream_name(const struct mh_stream *s, uint8_t *buf,
    size_t *len);


int
mh_stream_alloc(struct mh_stream **sp, struct mh_io *io,
    struct mh_port_pool *pool, int tos)
{
    int                err;
    struct mh_stream  *s;

    s = mem_zalloc(sizeof(*s), mh_stream_destroy);
    if (s == NULL) {
        return ENOMEM;
    }

    memset(s->table, MH_STREAM_DROP, sizeof(s->table));

    err = mh_port_open(pool, tos, &s->pair);
    if (err) {
        mem_deref(s);
        return err;
    }

    s->io = mem_ref(io);

    s->rtp.sock.fd = s->pair.rtp;
    s->rtp.sock.batch = MH_STREAM_BATCH;
    s->rtp.sock.recvh = mh_stream_rtp_h;
    s->rtp.sock.arg = s;

    s->rtcp.sock.fd = s->pair.rtcp;
    s->rtcp.sock.batch = MH_STREAM_BATCH;
    s->rtcp.sock.recvh = mh_stream_rtcp_h;
    s->rtcp.sock.arg = s;

    *sp = s;

    return 0;
}


const struct sa *
mh_stream_local(const struct mh_stream *s)
{
    return &s->pair.local;
}


const struct sa *
mh_stream_remote(const struct mh_stream *s, bool signaled)
{
    return !s->rtp.set ? NULL : signaled ? &s->rtp.signaled : &s->rtp.peer;
}


int
mh_stream_peer(struct mh_stream *s, const struct sa *rtp,
    const struct sa *rtcp, enum mh_half_mode mode)
{
    int  err;

    s->mux = sa_cmp(rtp, rtcp, SA_ALL);

    err = mh_half_peer(&s->rtp, s->io, rtp, mode);
    if (err) {
        return err;
    }

    return mh_half_peer(&s->rtcp, s->io, rtcp, mode);
}


int
mh_stream_reaches(const struct mh_stream *s, const struct sa *rtp,
    const struct sa *rtcp, enum mh_half_mode mode)
{
    int  err;

    err = mh_half_reaches(&s->rtp, &s->pair.local, rtp, mode);

    if (err == 0) {
        err = mh_half_reaches(&s->rtcp, &s->pair.local, rtcp, mode);
    }

    return err;
}


void
mh_stream_forget(struct mh_stream *s)
{
    sa_init(&s->rtp.signaled, AF_UNSPEC);
    sa_init(&s->rtcp.signaled, AF_UNSPEC);
}


void
mh_stream_transport(struct mh_stream *s, struct mh_transport *t)
{
    mem_ref(t);
    mem_deref(s->transport);
    s->transport = t;
}


void
mh_stream_tables(struct mh_stream *s, const uint8_t from_ims[128],
    const uint8_t from_web[128])
{
    memcpy(s->table[MH_STREAM_IMS], from_ims, 128);
    memcpy(s->table[MH_STREAM_WEB], from_web, 128);
}


void
mh_stream_clocks(struct mh_stream *s, enum mh_stream_leg from,
    const uint8_t clocks[128])
{
    memcpy(s->clocks[from], clocks, 128);
}


void
mh_stream_mid(struct mh_stream *s, uint8_t id, const struct pl *mid)
{
    s->midlen = 0;

    if (id == 0 || id > MH_STREAM_EXT_ID || mid->l == 0
        || mid->l > MH_STREAM_MID)
    {
        return;
    }

    /* one element, then zeros up to a whole word */

    memset(s->mid, 0, sizeof(s->mid));

    s->mid[0] = 0xbe;
    s->mid[1] = 0xde;
    s->mid[3] = (uint8_t) ((1 + mid->l + 3) / 4);
    s->mid[4] = (uint8_t) (id << 4 | (mid->l - 1));
    memcpy(&s->mid[5], mid->p, mid->l);

    s->midlen = 4 + 4 * (size_t) s->mid[3];
}


int
mh_stream_play_room(struct mh_stream *s, enum mh_stream_leg from)
{
    if (s->dtmf[from] == NULL) {
        return mh_dtmf_alloc(&s->dtmf[from]);
    }

    return mh_dtmf_full(s->dtmf[from]) ? ENOSPC : 0;
}


void
mh_stream_play(struct mh_stream *s, enum mh_stream_leg from,
    const struct mh_dtmf_event *event, const uint8_t pt[MH_DTMF_CLOCKS])
{
    mh_dtmf_numbers(s->dtmf[from], pt);
    (void) mh_dtmf_add(s->dtmf[from], event, mh_io_now(s->io));
}


void
mh_stream_tones(struct mh_stream *s, enum mh_stream_leg from,
    const uint8_t pt[MH_DTMF_CLOCKS])
{
    if (s->dtmf[from] != NULL) {
        mh_dtmf_numbers(s->dtmf[from], pt);
    }
}


int
mh_stream_feedback(struct mh_stream *s, const unsigned can[2],
    const uint8_t codecs[2][128], uint32_t cap)
{
    int  err;

    if (s->video == NULL) {
        err = mh_video_alloc(&s->video);
        if (err) {
            return err;
        }
    }

    mh_video_set(s->video, can, codecs, cap, mh_io_now(s->io));

    return 0;
}


void
mh_stream_audio(struct mh_stream *s)
{
    s->video = mem_deref(s->video);
    s->due[MH_STREAM_IMS] = false;
    s->due[MH_STREAM_WEB] = false;
}


const struct mh_feedback_stat *
mh_stream_feedback_stat(const struct mh_stream *s)
{
    return s->video ? mh_video_stat(s->video) : NULL;
}


struct mh_keys *
mh_stream_keys(struct mh_stream *s)
{
    if (s->keys == NULL) {
        (void) mh_keys_alloc(&s->keys);
    }

    return s->keys;
}


void
mh_stream_secure(struct mh_stream *s, bool on)
{
    s->secure = on;
}


const struct mh_keys *
mh_stream_secured(const struct mh_stream *s)
{
    return s->secure ? s->keys : NULL;
}


bool
mh_stream_has_pt(const struct mh_stream *s, uint8_t pt)
{
    return s->table[MH_STREAM_WEB][pt & 0x7f] != MH_STREAM_DROP;
}


void
mh_stream_web_rtp(struct mh_stream *s, uint8_t *buf, size_t len)
{
    if (!mh_stream_rtp(s, MH_STREAM_WEB, &buf, &len)) {
        return;
    }

    if (!mh_stream_send(s, &s->rtp, buf, len)) {
        s->stat.rtp[MH_STREAM_WEB].errors++;
    }

    if (s->due[MH_STREAM_WEB]) {
        mh_stream_ask(s, MH_STREAM_WEB);
    }
}


void
mh_stream_web_rtcp(struct mh_stream *s, uint8_t *buf, size_t len)
{
    if (!mh_stream_rtcp(s, MH_STREAM_WEB, buf, &len)) {
        return;
    }

    if (!mh_stream_send(s, &s->rtcp, buf, len)) {
        s->stat.rtcp[MH_STREAM_WEB].errors++;
    }
}


const struct mh_stream_stat *
mh_stream_stat(const struct mh_stream *s)
{
    return &s->stat;
}


const struct mh_quality *
mh_stream_quality(struct mh_stream *s, enum mh_stream_leg leg)
{
    mh_quality_update(&s->quality[leg], s->quality[!leg].rtt,
                      mh_io_now(s->io));

    return &s->quality[leg];
}


static void
mh_stream_destroy(void *data)
{
    struct mh_stream  *s = data;

    if (s->rtp.set) {
        mh_io_del(s->io, &s->rtp.sock);
    }

    if (s->rtcp.set) {
        mh_io_del(s->io, &s->rtcp.sock);
    }

    mh_port_close(&s->pair);
    mem_deref(s->dtmf[MH_STREAM_IMS]);
    mem_deref(s->dtmf[MH_STREAM_WEB]);
    mem_deref(s->video);
    mem_deref(s->keys);
    mem_deref(s->transport);
    mem_deref(s->io);
}


/* behind the packet there is room for MH_KEYS_ROOM bytes more */

static bool
mh_stream_send(struct mh_stream *s, struct mh_half *h, uint8_t *buf,
    size_t len)
{
    if (!h->set) {
        return false;
    }

    if (s->secure
        && mh_keys_protect(s->keys, buf, &len, h == &s->rtcp) != 0)
    {
        return false;
    }

    return mh_half_send(s->mux ? &s->rtp : h, buf, len);
}


static void
mh_stream_rtp_h(uint8_t *buf, size_t len, const struct sa *src, void *arg)
{
    struct mh_stream  *s = arg;

    if (len >= 8 && buf[1] >= 192 && buf[1] <= 223) {
        /* the peer muxes without having been asked (RFC 5761 4) */

        if (src != NULL && !mh_half_known(&s->rtp, src)) {
            s->stat.rtcp[MH_STREAM_IMS].errors++;
            return;
        }

        mh_stream_rtcp_h(buf, len, NULL, arg);
        return;
    }

    if (mh_half_foreign(&s->rtp, src, s->secure, mh_io_now(s->io))
        || (s->secure && mh_keys_unprotect(s->keys, buf, &len, false) != 0))
    {
        s->stat.rtp[MH_STREAM_IMS].errors++;
        return;
    }

    if (!mh_stream_rtp(s, MH_STREAM_IMS, &buf, &len)) {
        return;
    }

    if (src != NULL && !mh_half_learn(&s->rtp, src, mh_io_now(s->io))) {
        s->stat.rtp[MH_STREAM_IMS].errors++;
        return;
    }

    if (s->midlen) {
        mh_stream_name(s, buf, &len);
    }

    if (s->transport == NULL
        || (s->video ? mh_video_send(s->video, s->transport, buf, len,
                                     mh_io_now(s->io))
                     : mh_transport_send(s->transport, buf, len, false)) != 0)
    {
        s->stat.rtp[MH_STREAM_IMS].errors++;
        return;
    }

    if (s->due[MH_STREAM_IMS]) {
        mh_stream_ask(s, MH_STREAM_IMS);
    }
}


static void
mh_stream_rtcp_h(uint8_t *buf, size_t len, const struct sa *src, void *arg)
{
    struct mh_stream  *s = arg;

    if (mh_half_strange(&s->rtcp, &s->rtp, src, s->secure)
        || (s->secure && mh_keys_unprotect(s->keys, buf, &len, true) != 0))
    {
        s->stat.rtcp[MH_STREAM_IMS].errors++;
        return;
    }

    if (!mh_stream_rtcp(s, MH_STREAM_IMS, buf, &len)) {
        return;
    }

    if (src != NULL && !mh_half_learn(&s->rtcp, src, mh_io_now(s->io))) {
        s->stat.rtcp[MH_STREAM_IMS].errors++;
        return;
    }

    if (s->transport == NULL
        || mh_transport_send(s->transport, buf, len, true) != 0)
    {
        s->stat.rtcp[MH_STREAM_IMS].errors++;
    }
}


/*
 * Checks a packet, counts it and makes it fit for the other leg.  Returns
 * false if it must not go there.
 */

static bool
mh_stream_rtp(struct mh_stream *s, enum mh_stream_leg from, uint8_t **bufp,
    size_t *len)
{
    size_t              bytes;
    uint8_t             pt, khz, *p;
    uint32_t            ssrc;
    struct mh_counter  *c;

    p = *bufp;
    c = &s->stat.rtp[from];

    if (*len < MH_STREAM_RTP || (p[0] & 0xc0) != 0x80) {
        c->errors++;
        return false;
    }

    pt = s->table[from][p[1] & 0x7f];
    bytes = *len;

    if (pt == MH_STREAM_DROP || !mh_stream_strip(bufp, len)) {
        c->errors++;
        return false;
    }

    p = *bufp;

    c->packets++;
    c->bytes += bytes;
    s->stat.last[from] = mh_io_now(s->io);

    ssrc = (uint32_t) p[8] << 24 | (uint32_t) p[9] << 16
           | (uint32_t) p[10] << 8 | p[11];

    if (ssrc != s->stat.ssrc[from]) {
        s->stat.ssrc[from] = ssrc;
        s->stat.ssrcs[from]++;
    }

    khz = s->clocks[from][p[1] & 0x7f];

    mh_quality_rtp(&s->quality[from], p, khz, s->quality[!from].rtt,
                   s->stat.last[from]);

    if (s->video != NULL) {
        s->due[from] = mh_video_rtp(s->video, from, p, *len,
                                    s->stat.last[from]);
    }

    p[1] = (uint8_t) ((p[1] & 0x80) | pt);

    if (s->dtmf[from] != NULL) {
        mh_dtmf_packet(s->dtmf[from], p, len, khz, s->stat.last[from]);
    }

    return true;
}


static bool
mh_stream_rtcp(struct mh_stream *s, enum mh_stream_leg from, uint8_t *buf,
    size_t *len)
{
    int                  err;
    struct mh_counter   *c;
    struct mh_rtcp_seen  seen;

    c = &s->stat.rtcp[from];

    if (mh_rtcp_check(buf, *len, from == MH_STREAM_WEB) != 0) {
        c->errors++;
        return false;
    }

    c->packets++;
    c->bytes += *len;
    s->stat.last[from] = mh_io_now(s->io);

    mh_quality_heard(&s->quality[from], buf, *len, s->stat.last[from]);
    mh_quality_sent(&s->quality[!from], buf, *len, s->stat.last[from]);

    if (s->video != NULL) {
        err = mh_video_pass(s->video, s->transport, !from, buf, len,
                            MH_IO_RECV, s->stat.last[from]);

    } else {
        /* feedback is granted to no m-line of audio */

        err = mh_rtcp_filter(buf, len, MH_IO_RECV, MH_RTCP_TO_AVP, &seen);
    }

    if (err) {
        c->errors++;
        return false;
    }

    return *len != 0;
}


/*
 * Sends what is due for a leg, in the name of the other one's source: that is
 * whom it gets other feedback from.
 */

static void
mh_stream_ask(struct mh_stream *s, enum mh_stream_leg to)
{
    size_t   n;
    uint8_t  buf[MH_FEEDBACK_SIZE + MH_IO_ROOM - MH_IO_RECV];

    n = mh_video_write(s->video, to, s->stat.ssrc[!to] ? s->stat.ssrc[!to]
                                                       : 1,
                       s->stat.ssrc[to], mh_io_now(s->io), buf);
    if (n == 0) {
        return;
    }

    if (to == MH_STREAM_IMS) {
        (void) mh_stream_send(s, &s->rtcp, buf, n);

    } else if (s->transport != NULL) {
        (void) mh_transport_send_copy(s->transport, buf, n, true);
    }
}


/*
 * Takes out the header extension (RFC 3550 5.3.1): its meaning was not
 * negotiated with the other leg.  The header moves, not the payload.
 */

static bool
mh_stream_strip(uint8_t **bufp, size_t *len)
{
    size_t    head, ext;
    uint8_t  *p;

    p = *bufp;
    head = MH_STREAM_RTP + 4 * (size_t) (p[0] & 0x0f);

    if (*len < head) {
        return false;
    }

    /* padding counts itself and is part of the payload */

    if ((p[0] & 0x20)
        && (p[*len - 1] == 0 || p[*len - 1] > *len - head))
    {
        return false;
    }

    if ((p[0] & 0x10) == 0) {
        return true;
    }

    if (*len < head + 4) {
        return false;
    }

    ext = 4 + 4 * ((size_t) p[head + 2] << 8 | p[head + 3]);

    if (*len - head < ext) {
        return false;
    }

    p[0] &= (uint8_t) ~0x10;
    memmove(p + ext, p, head);

    *bufp = p + ext;
    *len -= ext;

    return true;
}


/* there is no other extension: mh_stream_strip() took it out */

static void
mh_stream_name(const struct mh_stream *s, uint8_t *buf, size_t *len)
{
    size_t  head;

    if (*len + s->midlen > MH_IO_RECV) {
        return;
    }

    head = MH_STREAM_RTP + 4 * (size_t) (buf[0] & 0x0f);

    memmove(buf + head + s->midlen, buf + head, *len - head);
    memcpy(buf + head, s->mid, s->midlen);

    buf[0] |= 0x10;
    *len += s->midlen;
}
