
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Writes what mh_sdp_plan.c decided, for either leg.  Nothing is taken over
 * from the peer's text but codec parameters and what mh_sdp_kept[] lists.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "mh_sdp.h"
#include "mh_sdp_text.h"
#include "mh_sdp_plan.h"


static void mh_sdp_write_session(struct mh_sdp_writer *w,
    struct mh_sdp_plan *plan);
static void mh_sdp_write_group(struct mh_sdp_writer *w,
    struct mh_sdp_plan *plan);
static void mh_sdp_write_media(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line);
static void mh_sdp_write_bandwidth(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line);
static void mh_sdp_write_ims(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line);
static void mh_sdp_write_web(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line);
static void mh_sdp_write_transport(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line);
static void mh_sdp_write_candidates(struct mh_sdp_writer *w,
    const struct mh_sdp_local *local, unsigned port);
static void mh_sdp_write_codec(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_codec_plan *c);
static void mh_sdp_write_h264(struct mh_sdp_writer *w,
    const struct mh_sdp_policy *policy, const struct mh_sdp_codec_plan *c);
static void mh_sdp_write_kept(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line);
static enum mh_sdp_dir mh_sdp_write_dir(const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line);


/* the allow list of lines that are copied (SD-19) */

static const struct {
    const char  *name;
    bool         web;       /* to a browser as well */
}  mh_sdp_kept[] = {
    { "ptime", true },
    { "maxptime", true },
    { "curr", false },      /* RFC 3312: preconditions */
    { "des", false },
    { "conf", false },
    { NULL, false }
};


static const char  *mh_sdp_dirs[] = {
    "inactive", "sendonly", "recvonly", "sendrecv"
};


int
mh_sdp_write(struct mh_sdp_plan *plan, char *buf, size_t size, size_t *len)
{
    unsigned              i;
    struct mh_sdp_writer  w;

    w.p = buf;
    w.size = size;
    w.n = 0;
    w.overflow = false;

    mh_sdp_write_session(&w, plan);

    for (i = 0; i < plan->n; i++) {

        if (plan->line[i].accepted) {
            mh_sdp_write_media(&w, plan, &plan->line[i]);

        } else {
            mh_sdp_write_refused(&w, plan, &plan->line[i]);
        }
    }

    mh_sdp_write_surplus(&w, plan);

    if (w.overflow) {
        return EOVERFLOW;
    }

    *len = w.n;

    return 0;
}


static void
mh_sdp_write_session(struct mh_sdp_writer *w, struct mh_sdp_plan *plan)
{
    const char                 *ip;
    const struct mh_sdp_local  *local;

    local = plan->local;
    ip = local->ipv6 ? "IP6" : "IP4";

    mh_sdp_printf(w, "v=0\r\no=- %llu %llu IN %s %s\r\ns=-\r\n",
                  (unsigned long long) local->sess_id,
                  (unsigned long long) local->sess_ver, ip, local->addr);

    if (local->leg == MH_SDP_IMS) {
        mh_sdp_printf(w, "c=IN %s %s\r\nt=0 0\r\n", ip, local->addr);

    } else {
        mh_sdp_printf(w, "t=0 0\r\na=ice-lite\r\na=ice-options:ice2\r\n");
        mh_sdp_write_group(w, plan);
    }

    if (local->loop) {
        mh_sdp_printf(w, "a=media-helper:%s\r\n", local->loop);
    }
}


/*
 * BUNDLE (RFC 9143): all accepted m-lines in our offer; in our answer those
 * of the offer's group that are accepted, in its order.  The first one named
 * is the tagged one: it carries ICE and DTLS for all.
 */

static void
mh_sdp_write_group(struct mh_sdp_writer *w, struct mh_sdp_plan *plan)
{
    bool                      first;
    unsigned                  i;
    struct pl                 group, word;
    struct mh_sdp_line_plan  *line;

    first = true;

    line = plan->line;

    for (i = 0; i < plan->n; i++) {
        line[i].transport = !line[i].bundled;
    }

    if (plan->offer == NULL) {

        for (i = 0; i < plan->n; i++) {

            if (line[i].accepted && line[i].local->alone) {
                line[i].transport = true;

            } else if (line[i].accepted) {
                mh_sdp_printf(w, "%s %s", first ? "a=group:BUNDLE" : "",
                              line[i].map->mid);
                line[i].transport = first || line[i].local->own;
                first = false;
            }
        }

    } else {
        group = plan->offer->group;

        while (mh_pl_word(&group, &word)) {

            for (i = 0; i < plan->n; i++) {

                if (!line[i].accepted
                    || !mh_pl_same(&line[i].offer->mid, &word))
                {
                    continue;
                }

                mh_sdp_printf(w, "%s %.*s", first ? "a=group:BUNDLE" : "",
                              (int) word.l, word.p);
                line[i].transport = first;
                first = false;
                break;
            }
        }
    }

    if (!first) {
        mh_sdp_printf(w, "\r\n");
    }
}


static void
mh_sdp_write_media(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    bool                        only;
    unsigned                    j;
    const struct mh_sdp_media  *m;

    m = line->from;

    only = plan->local->bundle_only && line->bundled && !line->transport
           && line->offer == NULL && !line->map->answered;

    mh_sdp_printf(w, "m=%s %u ",
                  m->kind == MH_SDP_AUDIO ? "audio" : "video",
                  only && plan->local->bundle_zero ? 0 : line->local->port);

    if (line->offer) {
        mh_sdp_printf(w, "%.*s", (int) line->offer->proto_text.l,
                      line->offer->proto_text.p);

    } else {
        mh_sdp_printf(w, "%s", mh_sdp_profile(plan, line));
    }

    for (j = 0; j < line->n; j++) {
        mh_sdp_printf(w, " %u", line->codec[j].number);
    }

    mh_sdp_printf(w, "\r\n");

    if (plan->local->leg == MH_SDP_IMS) {
        mh_sdp_write_bandwidth(w, plan, line);
        mh_sdp_write_ims(w, plan, line);

    } else {
        mh_sdp_printf(w, "c=IN %s %s\r\n", plan->local->ipv6 ? "IP6" : "IP4",
                      plan->local->addr);
        mh_sdp_write_bandwidth(w, plan, line);
        mh_sdp_write_web(w, plan, line);

        if (only) {
            mh_sdp_printf(w, "a=bundle-only\r\n");

        } else {
            mh_sdp_write_transport(w, plan, line);
        }
    }

    for (j = 0; j < line->n; j++) {
        mh_sdp_write_codec(w, plan, &line->codec[j]);
    }

    mh_sdp_write_kept(w, plan, line);

    mh_sdp_printf(w, "a=%s\r\n", mh_sdp_dirs[mh_sdp_write_dir(plan, line)]);
}


/* SD-3; for our offers, an answer repeats the offer's */

const char *
mh_sdp_profile(const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    bool      savp;
    unsigned  j;

    if (plan->local->leg == MH_SDP_WEB) {
        return "UDP/TLS/RTP/SAVPF";
    }

    savp = line->local->crypto != NULL && !line->local->osrtp;

    if (plan->local->policy.avpf) {
        return savp ? "RTP/SAVPF" : "RTP/AVPF";
    }

    for (j = 0; j < line->n; j++) {

        if (line->codec[j].nack || line->codec[j].pli || line->codec[j].fir) {
            return savp ? "RTP/SAVPF" : "RTP/AVPF";
        }
    }

    return savp ? "RTP/SAVP" : "RTP/AVP";
}


/*
 * To the IMS always (SD-12): kbit/s with the headers of IP, UDP and RTP at
 * 20 ms (TS 26.114 6.2.5: 40 or 60 bytes, 50 times a second).  To a browser
 * a video limit of the peer is passed on.
 */

static void
mh_sdp_write_bandwidth(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line)
{
    unsigned                 j;
    uint32_t                 as, rate;
    static const uint32_t    rates[MH_SDP_CODECS] = {
        0, 64, 64, 64, 14, 26, 64, 0, 0, 0, 0
    };

    as = 0;

    if (line->from->kind == MH_SDP_VIDEO) {
        as = line->from->as;

        if (as == 0 && line->from->tias) {
            as = line->from->tias / 1000 + line->from->tias / 20000 + 1;
        }

        if (as == 0 && plan->local->leg == MH_SDP_IMS) {
            as = plan->local->policy.video_as;
        }

        if (plan->local->leg == MH_SDP_WEB && plan->local->policy.video_cap
            && (as == 0 || as > plan->local->policy.video_cap))
        {
            as = plan->local->policy.video_cap;
        }

    } else if (plan->local->leg == MH_SDP_IMS) {

        for (j = 0; j < line->n; j++) {
            rate = rates[line->codec[j].pt->codec];
            as = rate > as ? rate : as;
        }

        as += plan->local->ipv6 ? 24 : 16;
    }

    if (as) {
        mh_sdp_printf(w, "b=AS:%u\r\n", as);
    }
}


static void
mh_sdp_write_ims(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    unsigned  port;

    port = line->local->rtcp_port;

    if (line->local->rtcp_mux) {
        mh_sdp_printf(w, "a=rtcp-mux\r\n");

        /* in an answer there is no other port any more */

        port = line->offer ? line->local->port : port;
    }

    if (plan->local->full_rtcp) {
        mh_sdp_printf(w, "a=rtcp:%u IN %s %s\r\n",
                      port ? port : line->local->port + 1u,
                      plan->local->ipv6 ? "IP6" : "IP4", plan->local->addr);

    } else if ((line->offer == NULL || !line->local->rtcp_mux) && port
               && port != line->local->port + 1u)
    {
        mh_sdp_printf(w, "a=rtcp:%u\r\n", port);
    }

    if (line->local->crypto) {
        mh_sdp_printf(w, "%s", line->local->crypto);
    }
}


static void
mh_sdp_write_web(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    unsigned  ext;

    if (line->offer == NULL) {
        mh_sdp_printf(w, "a=mid:%s\r\n", line->map->mid);

    } else if (line->offer->mid.l) {
        mh_sdp_printf(w, "a=mid:%.*s\r\n", (int) line->offer->mid.l,
                      line->offer->mid.p);
    }

    ext = mh_sdp_plan_mid_ext(plan, line);

    if (ext) {
        mh_sdp_printf(w, "a=extmap:%u " MH_SDP_MID_URI "\r\n", ext);
    }

    /* SD-8; browsers refuse a bundle in which one m-line lacks it */

    if (line->offer == NULL || line->offer->rtcp_mux) {
        mh_sdp_printf(w, "a=rtcp-mux\r\n");
    }
}


/*
 * ICE and DTLS.  Of a bundle each m-line has them, although RFC 9143 7.1.3
 * wants them in the tagged one only: Firefox 153 refuses an offer without a
 * ufrag in each, and dies of an answer without a fingerprint in each.
 */

static void
mh_sdp_write_transport(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    bool                        own;
    const char                 *ufrag, *pwd, *tls_id;
    enum mh_sdp_setup           setup;
    const struct mh_sdp_local  *local;
    static const char          *names[] = {
        "", "actpass", "active", "passive", "holdconn"
    };

    local = plan->local;
    own = (line->local->ufrag != NULL);

    ufrag = own ? line->local->ufrag : local->ufrag;
    pwd = own ? line->local->pwd : local->pwd;

    if (!line->transport && line->local->former_ufrag) {
        ufrag = line->local->former_ufrag;
        pwd = line->local->former_pwd;
    }

    mh_sdp_printf(w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", ufrag, pwd);

    if (line->transport) {
        mh_sdp_write_candidates(w, local, line->local->port);
        mh_sdp_printf(w, "a=end-of-candidates\r\n");
    }

    mh_sdp_printf(w, "a=fingerprint:%s\r\n", local->fingerprint);

    setup = own ? line->local->setup : local->setup;

    if (setup == MH_SDP_SETUP_NONE) {
        setup = line->offer ? MH_SDP_PASSIVE : MH_SDP_ACTPASS;
    }

    mh_sdp_printf(w, "a=setup:%s\r\n", names[setup]);

    if (!line->transport) {
        return;
    }

    tls_id = own ? line->local->tls_id : local->tls_id;

    if (tls_id && (line->offer == NULL || line->offer->tls_id.l)) {
        mh_sdp_printf(w, "a=tls-id:%s\r\n", tls_id);
    }
}


/*
 * UDP (RFC 8445 5.1.2.1): type preference 126, local preference from 65535
 * downward.  TCP (RFC 6544 4.2): type preference 90, as browsers have it, so
 * below UDP; direction 4 (passive), other preference from 8191 downward.
 */

static void
mh_sdp_write_candidates(struct mh_sdp_writer *w,
    const struct mh_sdp_local *local, unsigned port)
{
    unsigned  i, n;

    n = 1 + local->morec;

    for (i = 0; i < n; i++) {
        mh_sdp_printf(w, "a=candidate:%u 1 udp %u %s %u typ host\r\n", i + 1,
                      126u << 24 | (65535 - i) << 8 | 255,
                      i ? local->more[i - 1] : local->addr, port);
    }

    for (i = 0; i < n && local->tcp_port; i++) {
        mh_sdp_printf(w, "a=candidate:%u 1 tcp %u %s %u typ host "
                      "tcptype passive\r\n", n + i + 1,
                      90u << 24 | (4u << 13 | (8191 - i)) << 8 | 255,
                      i ? local->more[i - 1] : local->addr, local->tcp_port);
    }
}


static void
mh_sdp_write_codec(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan,
    const struct mh_sdp_codec_plan *c)
{
    mh_sdp_printf(w, "a=rtpmap:%u %s/%u", c->number,
                  mh_sdp_codec_name(c->pt->codec), c->pt->clock);

    if (c->pt->channels > 1) {
        mh_sdp_printf(w, "/%u", c->pt->channels);
    }

    mh_sdp_printf(w, "\r\n");

    if (c->pt->codec == MH_SDP_H264 && c->f->fmtp.l) {
        mh_sdp_write_h264(w, &plan->local->policy, c);

    } else if (c->f->fmtp.l) {
        mh_sdp_printf(w, "a=fmtp:%u %.*s\r\n", c->number, (int) c->f->fmtp.l,
                      c->f->fmtp.p);

    } else if (c->pt->codec == MH_SDP_TELEPHONE_EVENT) {

        /* what no fmtp means (RFC 4733 2.4.1), for those who want it said */

        mh_sdp_printf(w, "a=fmtp:%u 0-15\r\n", c->number);
    }

    if (c->nack) {
        mh_sdp_printf(w, "a=rtcp-fb:%u nack\r\n", c->number);
    }

    if (c->pli) {
        mh_sdp_printf(w, "a=rtcp-fb:%u nack pli\r\n", c->number);
    }

    if (c->fir) {
        mh_sdp_printf(w, "a=rtcp-fb:%u ccm fir\r\n", c->number);
    }

    if (c->remb) {
        mh_sdp_printf(w, "a=rtcp-fb:%u goog-remb\r\n", c->number);
    }

    if (c->tmmbr) {
        mh_sdp_printf(w, "a=rtcp-fb:%u ccm tmmbr\r\n", c->number);
    }
}


/*
 * With a limit the level (the last two hex digits) is lowered to it, and
 * level-asymmetry-allowed, which would undo that, is left out.
 */

static void
mh_sdp_write_h264(struct mh_sdp_writer *w, const struct mh_sdp_policy *policy,
    const struct mh_sdp_codec_plan *c)
{
    bool              first;
    struct pl         rest, part, whole, key;
    const struct pl  *limit;

    limit = &policy->h264_level;

    if (limit->l != 6) {
        mh_sdp_printf(w, "a=fmtp:%u %.*s\r\n", c->number, (int) c->f->fmtp.l,
                      c->f->fmtp.p);
        return;
    }

    mh_sdp_printf(w, "a=fmtp:%u ", c->number);

    rest = c->f->fmtp;
    first = true;

    while (mh_pl_part(&rest, ';', &part)) {
        mh_pl_trim(&part);
        whole = part;
        mh_pl_part(&part, '=', &key);

        if (mh_pl_is_nocase(&key, "level-asymmetry-allowed")
            || whole.l == 0)
        {
            continue;
        }

        mh_sdp_printf(w, "%s", first ? "" : ";");
        first = false;

        if (mh_pl_is_nocase(&key, "profile-level-id") && part.l == 6
            && strncasecmp(part.p + 4, limit->p + 4, 2) > 0)
        {
            mh_sdp_printf(w, "profile-level-id=%.4s%.2s", part.p,
                          limit->p + 4);

        } else {
            mh_sdp_printf(w, "%.*s", (int) whole.l, whole.p);
        }
    }

    mh_sdp_printf(w, "\r\n");
}


/* the lines of the allow list; an audio line to the IMS gets its ptime */

static void
mh_sdp_write_kept(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    bool       ptime;
    unsigned   i;
    struct pl  text, copy, rest, name;

    ptime = false;
    text = line->from->lines;

    while (mh_pl_line(&text, &copy)) {

        if (copy.l < 3 || memcmp(copy.p, "a=", 2) != 0) {
            continue;
        }

        rest.p = copy.p + 2;
        rest.l = copy.l - 2;

        mh_pl_part(&rest, ':', &name);

        for (i = 0; mh_sdp_kept[i].name; i++) {

            if (rest.l && mh_pl_is(&name, mh_sdp_kept[i].name)
                && (mh_sdp_kept[i].web || plan->local->leg == MH_SDP_IMS))
            {
                mh_sdp_printf(w, "%.*s\r\n", (int) copy.l, copy.p);
                ptime = ptime || i == 0;
            }
        }
    }

    if (!ptime && line->from->kind == MH_SDP_AUDIO
        && plan->local->leg == MH_SDP_IMS)
    {
        mh_sdp_printf(w, "a=ptime:20\r\n");
    }
}


/* an answer never goes beyond the offer (RFC 3264 6.1) */

static enum mh_sdp_dir
mh_sdp_write_dir(const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    unsigned  dir, offered;

    dir = mh_sdp_direction(line->from, plan->src);

    if (line->offer) {
        offered = line->offer->dir;
        dir &= (offered & MH_SDP_SENDONLY ? MH_SDP_RECVONLY : 0)
               | (offered & MH_SDP_RECVONLY ? MH_SDP_SENDONLY : 0);
    }

    return (enum mh_sdp_dir) dir;
}


void
mh_sdp_printf(struct mh_sdp_writer *w, const char *fmt, ...)
{
    int      n;
    va_list  args;

    if (w->overflow) {
        return;
    }

    va_start(args, fmt);
    n = vsnprintf(w->p + w->n, w->size - w->n, fmt, args);
    va_end(args);

    if (n < 0 || (size_t) n >= w->size - w->n) {
        w->overflow = true;
        return;
    }

    w->n += (size_t) n;
}
