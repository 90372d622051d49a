
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What the replies to query, delete and statistics tell.  The keys are those
 * that clients of the ng protocol read: "tags" with their medias and
 * streams, "totals".
 */


#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_feedback.h"
#include "mh_cmd.h"
#include "mh_sdp_text.h"
#include "mh_stats.h"


static void mh_query_figure_h(const char *name, enum mh_stats_kind kind,
    const char *help, uint64_t value, void *arg);
static void mh_query_leg(ngx_ims_ng_writer_t *w, const struct mh_call *call,
    enum mh_sdp_leg leg, const struct mh_signal *sig);
static void mh_query_subscription(ngx_ims_ng_writer_t *w, const char *key,
    const char *tag);
static const char *mh_query_codec(const struct mh_sdp_map *map);
static void mh_query_media_flags(ngx_ims_ng_writer_t *w,
    const struct mh_call *call, enum mh_sdp_leg leg, unsigned i);
static void mh_query_ssrc(ngx_ims_ng_writer_t *w, struct mh_stream *s,
    enum mh_stream_leg leg);
static void mh_query_mos(ngx_ims_ng_writer_t *w, const char *key,
    const struct mh_quality_figure *f, unsigned samples);
static bool mh_query_asked(const struct mh_leg *leg,
    const struct mh_signal *sig);
static void mh_query_media(ngx_ims_ng_writer_t *w,
    const struct mh_call *call, enum mh_sdp_leg leg, unsigned i);
static void mh_query_feedback(ngx_ims_ng_writer_t *w,
    const struct mh_stream *s);
static void mh_query_stream(ngx_ims_ng_writer_t *w,
    const struct mh_call *call, enum mh_sdp_leg leg, unsigned i, bool rtcp);
static void mh_query_endpoint(ngx_ims_ng_writer_t *w, const char *key,
    const struct sa *sa, unsigned shift);
static void mh_query_heard(ngx_ims_ng_writer_t *w,
    const struct mh_stream_stat *stat, enum mh_sdp_leg leg, bool rtcp,
    bool filled);
static void mh_query_keys(ngx_ims_ng_writer_t *w,
    const struct mh_keys_stat *stat);
static void mh_query_counter(ngx_ims_ng_writer_t *w, const char *key,
    const struct mh_counter *c);
static void mh_query_totals(ngx_ims_ng_writer_t *w, const char *key,
    const struct mh_call *call, bool rtcp);
static unsigned mh_query_state(const struct mh_call *call);
static void mh_query_transport(ngx_ims_ng_writer_t *w,
    const struct mh_call *call);


void
mh_query_call(ngx_ims_ng_writer_t *w, const struct mh_call *call,
    const struct mh_signal *sig)
{
    unsigned  i;

    ngx_ims_ng_write_key_int(w, "created", call->created.tv_sec);
    ngx_ims_ng_write_key_int(w, "created_us", call->created.tv_usec);
    ngx_ims_ng_write_key_int(w, "last signal", call->signaled);

    ngx_ims_ng_write_key_dict(w, "tags");
    mh_query_leg(w, call, MH_SDP_WEB, sig);
    mh_query_leg(w, call, MH_SDP_IMS, sig);
    ngx_ims_ng_write_end(w);

    ngx_ims_ng_write_key_dict(w, "SSRC");

    for (i = 0; i < call->mediac; i++) {
        if (call->streams[i] != NULL) {
            mh_query_ssrc(w, call->streams[i], MH_STREAM_IMS);
            mh_query_ssrc(w, call->streams[i], MH_STREAM_WEB);
        }
    }

    ngx_ims_ng_write_end(w);

    ngx_ims_ng_write_key_dict(w, "totals");
    mh_query_totals(w, "RTP", call, false);
    mh_query_totals(w, "RTCP", call, true);
    ngx_ims_ng_write_end(w);

    mh_query_transport(w, call);
}


void
mh_query_statistics(ngx_ims_ng_writer_t *w, const struct mh_cmd *cmd)
{
    ngx_ims_ng_write_key_dict(w, "statistics");
    mh_stats_walk(cmd, mh_query_figure_h, w);
    ngx_ims_ng_write_end(w);
}


static void
mh_query_figure_h(const char *name, enum mh_stats_kind kind,
    const char *help, uint64_t value, void *arg)
{
    (void) kind;
    (void) help;

    ngx_ims_ng_write_key_int(arg, name, (int64_t) value);
}


static void
mh_query_leg(ngx_ims_ng_writer_t *w, const struct mh_call *call,
    enum mh_sdp_leg leg, const struct mh_signal *sig)
{
    unsigned              i;
    const struct mh_leg  *this, *other;

    this = &call->legs[leg];
    other = &call->legs[leg == MH_SDP_WEB ? MH_SDP_IMS : MH_SDP_WEB];

    if (this->tag == NULL || !mh_query_asked(this, sig)) {
        return;
    }

    ngx_ims_ng_write_key_dict(w, this->tag);
    ngx_ims_ng_write_key_word(w, "tag", this->tag);
    ngx_ims_ng_write_key_word(w, "label",
                              this->label != NULL ? this->label
                              : leg == MH_SDP_WEB ? "web" : "ims");
    ngx_ims_ng_write_key_int(w, "created", call->created.tv_sec);

    if (other->tag != NULL) {
        ngx_ims_ng_write_key_word(w, "in dialogue with", other->tag);
        mh_query_subscription(w, "subscriptions", other->tag);
        mh_query_subscription(w, "subscribers", other->tag);
    }

    ngx_ims_ng_write_key_list(w, "medias");

    for (i = 0; i < call->mediac; i++) {
        if (call->streams[i] != NULL) {
            mh_query_media(w, call, leg, i);
        }
    }

    ngx_ims_ng_write_end(w);
    ngx_ims_ng_write_end(w);
}


/* the newer way to say who is in dialogue with whom */

static void
mh_query_subscription(ngx_ims_ng_writer_t *w, const char *key,
    const char *tag)
{
    ngx_ims_ng_write_key_list(w, key);
    ngx_ims_ng_write_dict(w);
    ngx_ims_ng_write_key_word(w, "tag", tag);
    ngx_ims_ng_write_key_word(w, "type", "offer/answer");
    ngx_ims_ng_write_end(w);
    ngx_ims_ng_write_end(w);
}


/* whether a query asks for that leg */

static bool
mh_query_asked(const struct mh_leg *leg, const struct mh_signal *sig)
{
    if (sig == NULL
        || !(pl_isset(&sig->from_tag) || pl_isset(&sig->to_tag)))
    {
        return true;
    }

    return (pl_isset(&sig->from_tag)
            && pl_strcmp(&sig->from_tag, leg->tag) == 0)
           || (pl_isset(&sig->to_tag)
               && pl_strcmp(&sig->to_tag, leg->tag) == 0);
}


static void
mh_query_media(ngx_ims_ng_writer_t *w, const struct mh_call *call,
    enum mh_sdp_leg leg, unsigned i)
{
    const char  *codec;

    ngx_ims_ng_write_dict(w);
    ngx_ims_ng_write_key_int(w, "index", i + 1);
    ngx_ims_ng_write_key_word(w, "type", call->kinds[i] == MH_SDP_VIDEO
                                         ? "video" : "audio");
    ngx_ims_ng_write_key_word(w, "protocol", leg == MH_SDP_WEB
                                ? "UDP/TLS/RTP/SAVPF"
                                : mh_stream_secured(call->streams[i]) != NULL
                                  && !call->osrtp[i]
                                  ? "RTP/SAVP" : "RTP/AVP");
    codec = mh_query_codec(&call->maps[i]);

    if (codec != NULL) {
        ngx_ims_ng_write_key_word(w, "codec", codec);
    }

    mh_query_media_flags(w, call, leg, i);

    ngx_ims_ng_write_key_list(w, "streams");
    mh_query_stream(w, call, leg, i, false);
    mh_query_stream(w, call, leg, i, true);
    ngx_ims_ng_write_end(w);

    if (leg == MH_SDP_WEB) {
        mh_query_feedback(w, call->streams[i]);
    }

    ngx_ims_ng_write_end(w);
}


/* the first one that was answered; NULL before */

static const char *
mh_query_codec(const struct mh_sdp_map *map)
{
    unsigned  j;

    for (j = 0; j < map->n; j++) {
        if (map->pt[j].chosen && mh_sdp_is_media(map->pt[j].codec)) {
            return mh_sdp_codec_name(map->pt[j].codec);
        }
    }

    return NULL;
}


static void
mh_query_media_flags(ngx_ims_ng_writer_t *w, const struct mh_call *call,
    enum mh_sdp_leg leg, unsigned i)
{
    ngx_ims_ng_write_key_list(w, "flags");

    if (call->answered) {
        ngx_ims_ng_write_word(w, "initialized");
    }

    if (leg == MH_SDP_WEB || call->mux[i]) {
        ngx_ims_ng_write_word(w, "rtcp-mux");
    }

    if (leg == MH_SDP_WEB) {
        ngx_ims_ng_write_word(w, "DTLS-SRTP");
        ngx_ims_ng_write_word(w, "ICE");

    } else if (mh_stream_secured(call->streams[i]) != NULL) {
        ngx_ims_ng_write_word(w, "SDES");
    }

    if (call->blocked[leg] & MH_CALL_BLOCK_MEDIA) {
        ngx_ims_ng_write_word(w, "block media");
    }

    if (call->blocked[leg] & MH_CALL_BLOCK_AUDIO) {
        ngx_ims_ng_write_word(w, "silence media");
    }

    if (call->blocked[leg] & MH_CALL_BLOCK_DTMF) {
        ngx_ims_ng_write_word(w, "block DTMF");
    }

    ngx_ims_ng_write_end(w);
}


/* how well the latest source of a leg is received */

static void
mh_query_ssrc(ngx_ims_ng_writer_t *w, struct mh_stream *s,
    enum mh_stream_leg leg)
{
    char                           name[16];
    const struct mh_quality       *q;
    struct mh_quality_figure       average;
    const struct mh_stream_stat   *stat;

    stat = mh_stream_stat(s);

    if (stat->ssrc[leg] == 0) {
        return;
    }

    q = mh_stream_quality(s, leg);

    (void) snprintf(name, sizeof(name), "%u", stat->ssrc[leg]);

    ngx_ims_ng_write_key_dict(w, name);
    ngx_ims_ng_write_key_int(w, "bytes", stat->rtp[leg].bytes);
    ngx_ims_ng_write_key_int(w, "packets", stat->rtp[leg].packets);
    ngx_ims_ng_write_key_int(w, "cumulative loss", q->lost);
    ngx_ims_ng_write_key_int(w, "jitter", q->jitter);

    if (q->rtt) {
        ngx_ims_ng_write_key_int(w, "round-trip time leg", q->rtt * 1000ll);
    }

    if (q->samples) {
        mh_quality_average(q, &average);
        mh_query_mos(w, "average MOS", &average, q->samples);
        mh_query_mos(w, "lowest MOS", &q->lowest, 0);
        mh_query_mos(w, "highest MOS", &q->highest, 0);
    }

    ngx_ims_ng_write_end(w);
}


/* MOS is times ten, times in microseconds, jitter in ms, loss in percent */

static void
mh_query_mos(ngx_ims_ng_writer_t *w, const char *key,
    const struct mh_quality_figure *f, unsigned samples)
{
    ngx_ims_ng_write_key_dict(w, key);
    ngx_ims_ng_write_key_int(w, "MOS", f->mos);
    ngx_ims_ng_write_key_int(w, "round-trip time", f->rtt * 1000ll);
    ngx_ims_ng_write_key_int(w, "round-trip time leg", f->rtt_leg * 1000ll);
    ngx_ims_ng_write_key_int(w, "jitter", f->jitter);
    ngx_ims_ng_write_key_int(w, "packet loss", f->loss);

    if (samples) {
        ngx_ims_ng_write_key_int(w, "samples", samples);

    } else {
        ngx_ims_ng_write_key_int(w, "reported at", time(NULL)
                                 - (int64_t) (mh_clock() - f->at) / 1000);
    }

    ngx_ims_ng_write_end(w);
}


/* ours alone: what was done about the feedback of video */

static void
mh_query_feedback(ngx_ims_ng_writer_t *w, const struct mh_stream *s)
{
    const struct mh_feedback_stat  *stat;

    stat = mh_stream_feedback_stat(s);

    if (stat == NULL) {
        return;
    }

    ngx_ims_ng_write_key_dict(w, "feedback");
    ngx_ims_ng_write_key_int(w, "key frames asked", stat->keys);
    ngx_ims_ng_write_key_int(w, "translated", stat->translated);
    ngx_ims_ng_write_key_int(w, "absorbed", stat->absorbed);
    ngx_ims_ng_write_key_int(w, "sent again", stat->resent);
    ngx_ims_ng_write_key_int(w, "asked again", stat->nacked);
    ngx_ims_ng_write_end(w);
}


static void
mh_query_stream(ngx_ims_ng_writer_t *w, const struct mh_call *call,
    enum mh_sdp_leg leg, unsigned i, bool rtcp)
{
    unsigned                      shift;
    struct mh_stream             *s;
    const struct sa              *local, *remote;
    const struct mh_stream_stat  *stat;

    s = call->streams[i];
    stat = mh_stream_stat(s);

    if (leg == MH_SDP_WEB) {
        local = &call->calls->conf.web_addrs[0];
        remote = mh_transport_peer(mh_call_transport(call, i));

    } else {
        local = mh_stream_local(s);
        remote = mh_stream_remote(s, false);
    }

    ngx_ims_ng_write_dict(w);
    ngx_ims_ng_write_key_int(w, "local port",
                             sa_port(local) + (leg == MH_SDP_IMS && rtcp
                                               && !call->mux[i]));

    if (remote != NULL) {
        shift = (leg == MH_SDP_IMS && rtcp && !call->mux[i]);

        mh_query_endpoint(w, "endpoint", remote, shift);
        mh_query_endpoint(w, "advertised endpoint", leg == MH_SDP_IMS
                          ? mh_stream_remote(s, true) : remote, shift);
    }

    if (leg == MH_SDP_WEB) {
        ngx_ims_ng_write_key_word(w, "crypto suite",
                            mh_transport_suite(mh_call_transport(call, i)));

    } else if (mh_stream_secured(s) != NULL) {
        ngx_ims_ng_write_key_word(w, "crypto suite",
                                  mh_keys_suite(mh_stream_secured(s)));
        mh_query_keys(w, mh_keys_stat(mh_stream_secured(s)));
    }

    mh_query_heard(w, stat, leg, rtcp, remote != NULL);
    ngx_ims_ng_write_end(w);
}


/* what came from a leg */

static void
mh_query_heard(ngx_ims_ng_writer_t *w, const struct mh_stream_stat *stat,
    enum mh_sdp_leg leg, bool rtcp, bool filled)
{
    uint64_t                  now;
    const struct mh_counter  *c;

    c = rtcp ? &stat->rtcp[leg] : &stat->rtp[leg];

    if (!rtcp && stat->last[leg]) {
        now = mh_clock();
        ngx_ims_ng_write_key_int(w, "last packet",
                   time(NULL) - (int64_t) (now - stat->last[leg]) / 1000);
        ngx_ims_ng_write_key_int(w, "SSRC", stat->ssrc[leg]);
    }

    ngx_ims_ng_write_key_list(w, "flags");
    ngx_ims_ng_write_word(w, rtcp ? "RTCP" : "RTP");

    if (filled) {
        ngx_ims_ng_write_word(w, "filled");
    }

    if (c->packets) {
        ngx_ims_ng_write_word(w, "confirmed");
    }

    ngx_ims_ng_write_end(w);

    mh_query_counter(w, "stats", c);
}


/* what the SRTP of the IMS side refused; never a key */

static void
mh_query_keys(ngx_ims_ng_writer_t *w, const struct mh_keys_stat *stat)
{
    ngx_ims_ng_write_key_dict(w, "srtp");
    ngx_ims_ng_write_key_int(w, "auth errors", stat->auth_errors);
    ngx_ims_ng_write_key_int(w, "replays", stat->replays);
    ngx_ims_ng_write_key_int(w, "bad", stat->bad);
    ngx_ims_ng_write_key_int(w, "send errors", stat->send_errors);
    ngx_ims_ng_write_key_int(w, "ssrcs refused", stat->ssrcs_refused);
    ngx_ims_ng_write_end(w);
}


static void
mh_query_endpoint(ngx_ims_ng_writer_t *w, const char *key,
    const struct sa *sa, unsigned shift)
{
    char  addr[64];

    if (sa_ntop(sa, addr, sizeof(addr)) != 0) {
        return;
    }

    ngx_ims_ng_write_key_dict(w, key);
    ngx_ims_ng_write_key_word(w, "family", sa_af(sa) == AF_INET6
                                           ? "IPv6" : "IPv4");
    ngx_ims_ng_write_key_word(w, "address", addr);
    ngx_ims_ng_write_key_int(w, "port", sa_port(sa) + shift);
    ngx_ims_ng_write_end(w);
}


static void
mh_query_counter(ngx_ims_ng_writer_t *w, const char *key,
    const struct mh_counter *c)
{
    ngx_ims_ng_write_key_dict(w, key);
    ngx_ims_ng_write_key_int(w, "packets", c->packets);
    ngx_ims_ng_write_key_int(w, "bytes", c->bytes);
    ngx_ims_ng_write_key_int(w, "errors", c->errors);
    ngx_ims_ng_write_end(w);
}


static void
mh_query_totals(ngx_ims_ng_writer_t *w, const char *key,
    const struct mh_call *call, bool rtcp)
{
    struct mh_counter  sum, web;

    mh_call_totals(call, MH_SDP_IMS, rtcp, &sum);
    mh_call_totals(call, MH_SDP_WEB, rtcp, &web);

    sum.packets += web.packets;
    sum.bytes += web.bytes;
    sum.errors += web.errors;

    mh_query_counter(w, key, &sum);
}


/* ours alone: how the browser's side is */

/* one that failed tells, where there are several */

static unsigned
mh_query_state(const struct mh_call *call)
{
    unsigned                    i, state;
    const struct mh_transport  *t;

    t = mh_call_transport(call, 0);
    state = mh_transport_state(t);

    for (i = 1; i < call->mediac && state != MH_TRANSPORT_FAILED; i++) {
        t = mh_call_transport(call, i);

        if (mh_transport_state(t) == MH_TRANSPORT_FAILED) {
            state = MH_TRANSPORT_FAILED;
        }
    }

    return state;
}


static void
mh_query_transport(ngx_ims_ng_writer_t *w, const struct mh_call *call)
{
    bool                             closed;
    const struct mh_transport_stat  *stat;

    static const char *const  states[] = { "new", "path", "up", "failed" };

    stat = mh_transport_stat(mh_call_transport(call, 0));

    /* what the browser ended has not failed */

    closed = mh_links_closed(call);

    ngx_ims_ng_write_key_dict(w, "web");
    ngx_ims_ng_write_key_word(w, "state", closed ? "closed"
                                          : states[mh_query_state(call)]);
    ngx_ims_ng_write_key_int(w, "media lost", call->media_lost || closed);
    ngx_ims_ng_write_key_int(w, "auth errors", stat->auth_errors);
    ngx_ims_ng_write_key_int(w, "replays", stat->replays);
    ngx_ims_ng_write_key_int(w, "bad", stat->bad);
    ngx_ims_ng_write_key_int(w, "send errors", stat->send_errors);
    ngx_ims_ng_write_key_int(w, "ssrcs refused", stat->ssrcs_refused);
    ngx_ims_ng_write_end(w);
}
