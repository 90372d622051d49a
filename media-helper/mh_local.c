
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Our end of a leg: what goes into the description that the leg is sent, and
 * what its own description says about where it is.
 */


#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <re.h>

#include "mh_local.h"
#include "mh_log.h"


static bool mh_local_muxes(const struct mh_call *call);
static void mh_local_web(struct mh_call *call, const struct mh_signal *sig);
static void mh_local_former(struct mh_call *call, unsigned i);
static bool mh_local_says(const struct mh_call *call, const struct mh_sdp
    *ims, unsigned i);
static bool mh_local_many(const struct sa *sa);
static int mh_local_address(const struct mh_call *call, const struct
    mh_sdp_media *m, bool mux, struct sa *rtp, struct sa *rtcp);


/* our end of the leg that a description is written for, but for its ports */

void
mh_local_init(struct mh_call *call, enum mh_sdp_leg leg,
    const struct mh_signal *sig, bool answer)
{
    struct mh_sdp_local   *local;
    struct mh_sdp_policy  *policy;

    local = &call->calls->scratch->local;
    policy = &local->policy;

    memset(local, 0, sizeof(*local));

    local->leg = leg;
    local->sess_id = call->legs[leg].sess_id;
    local->sess_ver = call->legs[leg].sess_ver;

    mh_sdp_policy_init(policy, leg);

    policy->no_feedback = (leg == MH_SDP_IMS && !sig->feedback);
    policy->avpf = sig->avpf;
    policy->suites = sig->suites;
    policy->no_audio = sig->no_audio;
    policy->no_video = sig->no_video;
    policy->video_cap = call->calls->conf.video_cap;

    memcpy(policy->strip, sig->strip, sizeof(policy->strip));
    policy->stripc = sig->stripc;
    memcpy(policy->offer, sig->offer, sizeof(policy->offer));
    policy->offerc = sig->offerc;

    policy->single_codec = sig->single_codec;
    local->full_rtcp = sig->full_rtcp;
    local->raise = sig->raise;
    local->no_tls_id = sig->no_tls_id;
    local->bundle_only = sig->bundle_only;
    local->bundle_zero = sig->bundle_zero;
    local->loop = sig->loop_protect ? call->calls->loop : NULL;

    if (leg == MH_SDP_WEB) {
        mh_local_web(call, sig);
        local->answer = answer;

    } else if (!answer) {
        call->mux_offered = sig->mux_offer
                            || (!sig->reset && mh_local_muxes(call));
        call->mux_required = sig->mux_require;
    }
}


/* whether some m-line has RTP and RTCP on one port */

static bool
mh_local_muxes(const struct mh_call *call)
{
    unsigned  i;

    for (i = 0; i < call->mediac; i++) {
        if (call->streams[i] != NULL && call->mux[i]) {
            return true;
        }
    }

    return false;
}


static void
mh_local_web(struct mh_call *call, const struct mh_signal *sig)
{
    unsigned                     i, k;
    struct mh_scratch           *scratch;
    struct mh_sdp_local         *local;
    const struct mh_calls_conf  *conf;

    conf = &call->calls->conf;
    scratch = call->calls->scratch;
    local = &scratch->local;

    k = 0;

    for (i = 0; sig->af && i < conf->web_addrc; i++) {
        if (sa_af(&conf->web_addrs[i]) == sig->af) {
            k = i;
            break;
        }
    }

    (void) sa_ntop(&conf->web_addrs[k], scratch->addr,
                   sizeof(scratch->addr));

    local->addr = scratch->addr;
    local->ipv6 = (sa_af(&conf->web_addrs[k]) == AF_INET6);

    for (i = 0; i < conf->web_addrc; i++) {

        if (i != k) {
            (void) sa_ntop(&conf->web_addrs[i], scratch->more[local->morec],
                           sizeof(scratch->more[0]));
            local->more[local->morec] = scratch->more[local->morec];
            local->morec++;
        }
    }

    (void) snprintf(scratch->fingerprint, sizeof(scratch->fingerprint),
                    "sha-256 %s", mh_web_fingerprint(conf->web));

    local->tcp_port = conf->tcp_port;
    local->fingerprint = scratch->fingerprint;
    local->setup = MH_SDP_ACTPASS;
}


void
mh_local_links(struct mh_call *call, const struct mh_sdp *sdp,
    const uint8_t via[MH_SDP_MAX_MEDIA])
{
    bool                        seen[MH_SDP_MAX_MEDIA];
    uint8_t                     k;
    unsigned                    i;
    enum mh_dtls_role           role;
    struct mh_transport        *t;
    const struct mh_ice        *ice;
    struct mh_sdp_local        *local;
    struct mh_sdp_local_media  *m;

    local = &call->calls->scratch->local;

    if (local->leg != MH_SDP_WEB) {
        return;
    }

    memset(seen, 0, sizeof(seen));

    for (i = 0; i < sdp->mediac; i++) {
        k = via[i];
        m = &local->media[i];

        if (k == MH_LINK_NONE || m->port == 0) {
            continue;
        }

        t = call->links.v[k]->transport;
        ice = mh_transport_ice(t);

        m->ufrag = ice->ufrag;
        m->pwd = ice->pwd;
        m->tls_id = local->no_tls_id ? NULL : call->links.v[k]->tls_id;
        m->own = !seen[k];
        m->alone = !local->answer && call->links.settled
                   && k != call->links.group;
        m->setup = local->answer && mh_transport_role(t, &role)
                   ? (role == MH_DTLS_ACTIVE ? MH_SDP_ACTIVE : MH_SDP_PASSIVE)
                   : local->setup;

        if (seen[k]) {
            mh_local_former(call, i);
        }

        seen[k] = true;
    }
}


/*
 * An m-line of a bundle keeps the ufrag and password that our first offer gave
 * it: another one is an ICE restart to Firefox, which refuses that for less
 * than all m-lines.  When there is a restart, all of them change.
 */

static void
mh_local_former(struct mh_call *call, unsigned i)
{
    bool                        same;
    unsigned                    j;
    const struct mh_leg        *leg;
    struct mh_scratch          *s;
    const struct mh_sdp_media  *former;
    struct mh_sdp_local_media  *m;

    s = call->calls->scratch;
    m = &s->local.media[i];
    leg = &call->legs[MH_SDP_WEB];

    if (leg->out == NULL || mh_sdp_parse(&s->out, leg->out, leg->outlen) != 0
        || i >= s->out.mediac)
    {
        return;
    }

    same = false;

    for (j = 0; j < i && j < s->out.mediac; j++) {
        same = same || pl_strcmp(&s->out.media[j].ufrag, m->ufrag) == 0;
    }

    former = &s->out.media[i];

    if (!same || former->refused || !pl_isset(&former->ufrag)
        || pl_strcpy(&former->ufrag, s->ufrag[i], sizeof(s->ufrag[i])) != 0
        || pl_strcpy(&former->pwd, s->pwd[i], sizeof(s->pwd[i])) != 0)
    {
        return;
    }

    m->former_ufrag = s->ufrag[i];
    m->former_pwd = s->pwd[i];
}


struct mh_port_pool *
mh_local_pool(const struct mh_call *call, int af)
{
    unsigned                     i;
    const struct mh_calls_conf  *conf;

    conf = &call->calls->conf;

    for (i = 0; i < conf->poolc; i++) {
        if (conf->pool_af[i] == af) {
            return conf->pools[i];
        }
    }

    return conf->pools[0];
}


/* the address on the IMS side: that of the first stream, if there is one */

void
mh_local_ims(struct mh_call *call, const struct mh_signal *sig)
{
    unsigned              i;
    const struct sa      *sa;
    struct mh_scratch    *scratch;
    struct mh_sdp_local  *local;

    scratch = call->calls->scratch;
    local = &scratch->local;

    if (local->leg != MH_SDP_IMS) {
        return;
    }

    sa = NULL;

    for (i = 0; i < call->mediac && sa == NULL; i++) {
        if (call->streams[i] != NULL) {
            sa = mh_stream_local(call->streams[i]);
        }
    }

    if (sa == NULL) {
        sa = mh_port_addr(mh_local_pool(call, sig->af));
    }

    (void) sa_ntop(sa, scratch->addr, sizeof(scratch->addr));
    local->ipv6 = (sa_af(sa) == AF_INET6);

    if (pl_isset(&sig->media_address)) {
        (void) pl_strcpy(&sig->media_address, scratch->addr,
                         sizeof(scratch->addr));
        local->ipv6 = (strchr(scratch->addr, ':') != NULL);
    }

    local->addr = scratch->addr;
}


void
mh_local_port(struct mh_call *call, unsigned i)
{
    struct mh_sdp_local  *local;

    local = &call->calls->scratch->local;

    if (call->streams[i] == NULL) {
        return;
    }

    if (local->leg == MH_SDP_WEB) {
        local->media[i].port = sa_port(&call->calls->conf.web_addrs[0]);
        return;
    }

    local->media[i].port = sa_port(mh_stream_local(call->streams[i]));
    local->media[i].rtcp_port = local->media[i].port + 1;
    local->media[i].rtcp_mux = call->mux_offered;

    /* where it is in force there is no other port to fall back to */

    if (call->mux_offered
        && (call->mux_required || (call->mux[i] && !call->reset)))
    {
        local->media[i].rtcp_port = local->media[i].port;
    }
}


/*
 * Writes the description for local->leg from scratch->a (and the answer).
 * The version goes up only if something else has changed (RFC 3264 8).
 */

int
mh_local_write(struct mh_call *call, const struct mh_sdp *answer,
    struct pl *out)
{
    int                   err;
    char                 *text;
    size_t                len;
    unsigned              turn;
    struct mh_leg        *leg;
    struct mh_scratch    *s;
    struct mh_sdp_local  *local;

    s = call->calls->scratch;
    local = &s->local;
    leg = &call->legs[local->leg];

    for (turn = 0; /* void */ ; turn++) {

        err = answer ? mh_sdp_answer(s->buf, sizeof(s->buf), &len, &s->a,
                                     answer, local, call->maps)
                     : mh_sdp_offer(s->buf, sizeof(s->buf), &len, &s->a,
                                    local, call->maps);
        if (err) {
            return err;
        }

        if (leg->out == NULL || turn == 1) {
            break;
        }

        if (!local->raise
            && mh_sdp_same(leg->out, leg->outlen, s->buf, len))
        {
            goto done;
        }

        local->sess_ver++;
    }

    text = mem_alloc(len, NULL);
    if (text == NULL) {
        return ENOMEM;
    }

    memcpy(text, s->buf, len);

    mh_call_text_free(leg->out, leg->outlen);
    leg->out = text;
    leg->outlen = len;
    leg->sess_ver = local->sess_ver;

done:

    out->p = leg->out;
    out->l = leg->outlen;

    return 0;
}


int
mh_local_check_web(const struct mh_sdp *web)
{
    int                         err;
    unsigned                    i;
    const struct mh_sdp_media  *m;

    err = mh_sdp_check_web(web);

    for (i = 0; i < web->mediac && err == 0; i++) {
        m = &web->media[i];

        if (!m->refused && m->kind != MH_SDP_OTHER
            && !mh_local_fingerprint(mh_sdp_transport(web, m)))
        {
            err = EKEYREJECTED;
        }
    }

    return err;
}


bool
mh_local_fingerprint(const struct mh_sdp_media *m)
{
    char      hash[16], value[256];
    unsigned  i;

    for (i = 0; i < m->fingerprintc; i++) {

        if (pl_strcpy(&m->fingerprints[i].hash, hash, sizeof(hash)) == 0
            && pl_strcpy(&m->fingerprints[i].value, value, sizeof(value)) == 0
            && mh_dtls_fingerprint_check(hash, value) == 0)
        {
            return true;
        }
    }

    return false;
}


int
mh_local_reaches(const struct mh_call *call, const struct mh_sdp *ims,
    const bool mux[MH_SDP_MAX_MEDIA], const bool skip[MH_SDP_MAX_MEDIA])
{
    int        err;
    unsigned   i;
    struct sa  rtp, rtcp;

    for (i = 0; i < ims->mediac; i++) {

        if (!mh_local_says(call, ims, i) || skip[i]) {
            continue;
        }

        err = mh_local_address(call, &ims->media[i], mux[i], &rtp, &rtcp);

        if (err == 0) {
            err = mh_stream_reaches(call->streams[i], &rtp, &rtcp,
                                    call->mode);
        }

        if (err) {
            return err;
        }
    }

    return 0;
}


int
mh_local_peers(struct mh_call *call, const struct mh_sdp *ims)
{
    int        err;
    unsigned   i;
    struct sa  rtp, rtcp;

    for (i = 0; i < ims->mediac; i++) {

        if (!mh_local_says(call, ims, i) || call->dropped[i]) {
            continue;
        }

        err = mh_local_address(call, &ims->media[i], call->mux[i], &rtp,
                               &rtcp);

        if (err == 0) {
            err = mh_stream_peer(call->streams[i], &rtp, &rtcp, call->mode);
        }

        if (err) {
            return err;
        }
    }

    return 0;
}


/* a held or refused line says nothing new about where it is */

static bool
mh_local_says(const struct mh_call *call, const struct mh_sdp *ims,
    unsigned i)
{
    return call->streams[i] != NULL && !ims->media[i].refused
           && !ims->media[i].zero_addr;
}


static int
mh_local_address(const struct mh_call *call, const struct mh_sdp_media *m,
    bool mux, struct sa *rtp, struct sa *rtcp)
{
    int               err;
    struct pl         source;
    const struct pl  *addr, *addr2;

    addr = &m->addr;
    addr2 = pl_isset(&m->rtcp_addr) ? &m->rtcp_addr : addr;

    if (call->received[0] != '\0') {
        pl_set_str(&source, call->received);
        addr = addr2 = &source;
    }

    /* libre leaves the flow and the scope of IPv6 as they are */

    memset(rtp, 0, sizeof(*rtp));
    memset(rtcp, 0, sizeof(*rtcp));

    err = sa_set(rtp, addr, m->port);

    if (err == 0) {
        err = mux ? sa_set(rtcp, addr, m->port)
                  : sa_set(rtcp, addr2, m->rtcp_port);
    }

    if (err == 0 && (mh_local_many(rtp) || mh_local_many(rtcp))) {
        return EADDRNOTAVAIL;
    }

    return err;
}


/* a call is between two: no group is sent anything */

static bool
mh_local_many(const struct sa *sa)
{
    return sa_af(sa) == AF_INET6
           ? IN6_IS_ADDR_MULTICAST(&sa->u.in6.sin6_addr)
           : IN_MULTICAST(ntohl(sa->u.in.sin_addr.s_addr));
}


void
mh_local_source(struct mh_call *call, const struct mh_signal *sig)
{
    call->mode = sig->handover ? MH_HALF_MOVE
                 : !sig->no_learn && (sig->learn || call->calls->conf.learn)
                 ? MH_HALF_LEARN : MH_HALF_STRICT;
    call->received[0] = '\0';

    if (sig->source_address && pl_isset(&sig->received)) {
        (void) pl_strcpy(&sig->received, call->received,
                         sizeof(call->received));
    }
}


/* the first m-line that is in use, NULL if all are refused */

const struct mh_sdp_media *
mh_local_first(const struct mh_sdp *sdp)
{
    unsigned  i;

    for (i = 0; i < sdp->mediac; i++) {
        if (!sdp->media[i].refused) {
            return &sdp->media[i];
        }
    }

    return NULL;
}


int
mh_local_tag(struct mh_leg *leg, const struct pl *tag)
{
    int    err;
    char  *copy;

    if (!pl_isset(tag)
        || (leg->tag != NULL && pl_strcmp(tag, leg->tag) == 0))
    {
        return 0;
    }

    err = pl_strdup(&copy, tag);
    if (err) {
        return err;
    }

    mem_deref(leg->tag);
    leg->tag = copy;

    return 0;
}


void
mh_local_label(struct mh_leg *leg, const struct pl *label)
{
    char  *copy;

    if (!pl_isset(label)
        || (leg->label != NULL && pl_strcmp(label, leg->label) == 0))
    {
        return;
    }

    /* a name for people: without memory the old one stays */

    if (pl_strdup(&copy, label) == 0) {
        mem_deref(leg->label);
        leg->label = copy;
    }
}
