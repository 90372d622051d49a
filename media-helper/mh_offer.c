
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Offers and answers: what a description of one leg does to the call's
 * transport and streams, and what the other leg is told.
 *
 *     offer    streams get ports, a new ufrag restarts ICE, an IMS offer
 *              points the streams to its addresses
 *     answer   the DTLS role is settled, streams get their payload numbers,
 *              an IMS answer points them to its addresses
 *
 * Nothing here depends on how often it is done: the same description again
 * gives the same bytes.  A forked answer only points the streams elsewhere:
 * port, ufrag and certificate of the browser's side stay.
 */


#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <re.h>

#include "mh_call.h"
#include "mh_log.h"


static int mh_offer_from(const struct mh_call *call,
    const struct mh_signal *sig, const struct mh_sdp *sdp);
static int mh_offer_apply(struct mh_call *call, const struct mh_signal *sig,
    struct pl *out, const char **reason);
static int mh_offer_ice(struct mh_call *call, const struct mh_sdp *sdp);
static int mh_offer_streams(struct mh_call *call,
    const struct mh_signal *sig, const char **reason);
static struct mh_port_pool *mh_offer_pool(const struct mh_call *call,
    const struct mh_signal *sig, const struct mh_sdp_media *m);
static void mh_stream_drop(struct mh_call *call, unsigned i);
static int mh_answer_apply(struct mh_call *call,
    const struct mh_signal *sig, struct pl *out, const char **reason);
static int mh_answer_dtls(struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp *web);
static enum mh_dtls_role mh_answer_role(const struct mh_call *call,
    const struct mh_signal *sig, const struct mh_sdp_media *m);
static void mh_answer_streams(struct mh_call *call, const struct mh_sdp *web,
    const struct mh_sdp *ims);
static int mh_local_init(struct mh_call *call, enum mh_sdp_leg leg,
    const struct mh_signal *sig);
static void mh_local_web(struct mh_call *call, const struct mh_signal *sig);
static void mh_local_ims(struct mh_call *call, const struct mh_signal *sig);
static void mh_local_port(struct mh_call *call, unsigned i);
static int mh_sdp_write(struct mh_call *call, const struct mh_sdp *answer,
    struct pl *out);
static int mh_call_peers(struct mh_call *call, const struct mh_sdp *ims,
    bool learn);
static const struct mh_sdp_media *mh_sdp_first(const struct mh_sdp *sdp);
static int mh_call_tag(struct mh_leg *leg, const struct pl *tag);
static void mh_call_branch(struct mh_call *call, const struct pl *branch);


int
mh_call_offer(struct mh_calls *calls, const struct mh_signal *sig,
    struct pl *out, const char **reason)
{
    int              err;
    bool             fresh;
    struct mh_call  *call;

    err = mh_sdp_parse(&calls->scratch->a, sig->sdp.p, sig->sdp.l);
    if (err) {
        *reason = mh_sdp_error(err);
        return err;
    }

    call = mh_call_find(calls, &sig->call_id);
    fresh = (call == NULL);

    if (fresh) {

        if (calls->conf.max_calls
            && calls->stat.current >= calls->conf.max_calls)
        {
            calls->stat.refused++;
            *reason = "Parallel session limit reached";
            return ENOSPC;
        }

        err = mh_call_alloc(&call, calls, &sig->call_id);
        if (err) {
            *reason = "Out of memory";
            return err;
        }
    }

    err = mh_offer_apply(call, sig, out, reason);

    if (err && fresh) {
        mh_call_remove(call);
    }

    return err;
}


int
mh_call_answer(struct mh_calls *calls, const struct mh_signal *sig,
    struct pl *out, const char **reason)
{
    int                  err;
    struct mh_leg       *leg;
    struct mh_call      *call;
    struct mh_scratch   *scratch;

    call = mh_call_find(calls, &sig->call_id);

    if (call == NULL) {
        *reason = "Unknown call-id";
        return ENOENT;
    }

    leg = &call->legs[call->offerer];
    scratch = calls->scratch;

    if (leg->tag != NULL && pl_strcmp(&sig->from_tag, leg->tag) != 0) {
        *reason = "Invalid dialogue association";
        return EPROTO;
    }

    err = mh_sdp_parse(&scratch->b, sig->sdp.p, sig->sdp.l);

    if (err == 0) {
        err = mh_sdp_parse(&scratch->a, leg->in, leg->inlen);
    }

    if (err) {
        *reason = mh_sdp_error(err);
        return err;
    }

    return mh_answer_apply(call, sig, out, reason);
}


/*
 * Which side makes this offer: "direction" says it, or the tag of a known
 * leg, or what the other keys ask for, or the offer itself.
 */

static int
mh_offer_from(const struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp *sdp)
{
    int                         i;
    const struct mh_sdp_media  *m;

    if (sig->certain) {
        return sig->from;
    }

    for (i = 0; i < MH_CALL_LEGS; i++) {
        if (call->legs[i].tag != NULL
            && pl_strcmp(&sig->from_tag, call->legs[i].tag) == 0)
        {
            return i;
        }
    }

    if (sig->from != -1) {
        return sig->from;
    }

    m = mh_sdp_first(sdp);

    return (m != NULL && pl_isset(&mh_sdp_transport(sdp, m)->ufrag))
           ? MH_SDP_WEB : MH_SDP_IMS;
}


static int
mh_offer_apply(struct mh_call *call, const struct mh_signal *sig,
    struct pl *out, const char **reason)
{
    int                 err;
    char               *text;
    enum mh_sdp_leg     from, to;
    struct mh_scratch  *scratch;

    scratch = call->calls->scratch;
    from = mh_offer_from(call, sig, &scratch->a);
    to = (from == MH_SDP_WEB) ? MH_SDP_IMS : MH_SDP_WEB;

    if (from == MH_SDP_WEB) {
        err = mh_sdp_check_web(&scratch->a);

        if (err == 0) {
            err = mh_offer_ice(call, &scratch->a);
        }

        if (err) {
            *reason = mh_sdp_error(err);
            return err;
        }
    }

    err = mh_local_init(call, to, sig);

    if (err == 0) {
        err = mh_offer_streams(call, sig, reason);
        if (err) {
            return err;
        }

        err = mh_sdp_write(call, NULL, out);
    }

    if (err) {
        *reason = "Error rewriting SDP";
        return err;
    }

    if (from == MH_SDP_IMS) {
        err = mh_call_peers(call, &scratch->a, sig->learn);
        if (err) {
            *reason = "Unusable media address";
            return err;
        }
    }

    text = mem_alloc(sig->sdp.l, NULL);

    if (text == NULL || mh_call_tag(&call->legs[from], &sig->from_tag) != 0) {
        mem_deref(text);
        *reason = "Out of memory";
        return ENOMEM;
    }

    memcpy(text, sig->sdp.p, sig->sdp.l);

    mem_deref(call->legs[from].in);
    call->legs[from].in = text;
    call->legs[from].inlen = sig->sdp.l;

    call->offerer = from;
    call->signaled = time(NULL);
    mh_call_branch(call, &sig->via_branch);

    return 0;
}


/* a new ufrag is a restart (RFC 8839 4.4.1.1.1); keys are kept (P18) */

static int
mh_offer_ice(struct mh_call *call, const struct mh_sdp *sdp)
{
    int                         err;
    const struct pl            *ufrag;
    const struct mh_ice        *ice;
    const struct mh_sdp_media  *m;

    m = mh_sdp_first(sdp);

    if (m == NULL) {
        return ENODATA;
    }

    ufrag = &mh_sdp_transport(sdp, m)->ufrag;
    ice = mh_transport_ice(call->transport);

    if (ice->rufrag[0] != '\0' && pl_strcmp(ufrag, ice->rufrag) != 0) {
        err = mh_transport_ice_restart(call->transport);
        if (err) {
            return err;
        }
    }

    return mh_transport_remote(call->transport, ufrag);
}


/* opens and closes ports as the offer's m-lines want it */

static int
mh_offer_streams(struct mh_call *call, const struct mh_signal *sig,
    const char **reason)
{
    int                   err;
    unsigned              i;
    const struct mh_sdp  *sdp;
    struct mh_calls      *calls;
    struct mh_port_pool  *pool;

    calls = call->calls;
    sdp = &calls->scratch->a;

    for (i = 0; i < sdp->mediac; i++) {
        call->kinds[i] = (uint8_t) sdp->media[i].kind;

        if (!mh_sdp_wanted(sdp, i, &calls->scratch->local)) {
            mh_stream_drop(call, i);
            continue;
        }

        if (call->streams[i] == NULL) {
            pool = mh_offer_pool(call, sig, &sdp->media[i]);

            err = mh_stream_alloc(&call->streams[i], calls->conf.io, pool,
                                  calls->conf.tos);
            if (err) {
                calls->stat.refused++;
                *reason = (err == ENOSPC || err == EMFILE)
                          ? "Ran out of ports" : "Cannot open a port";
                mh_warn("call \"%s\" gets no port: %s", call->id,
                        strerror(err));
                return err;
            }

            mh_stream_transport(call->streams[i], call->transport);
        }

        if (call->mediac <= i) {
            call->mediac = i + 1;
        }
    }

    mh_local_ims(call, sig);

    for (i = 0; i < sdp->mediac; i++) {
        mh_local_port(call, i);
    }

    return 0;
}


static struct mh_port_pool *
mh_offer_pool(const struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp_media *m)
{
    int                          af;
    unsigned                     i;
    const struct mh_calls_conf  *conf;

    conf = &call->calls->conf;

    /* an IMS offer tells its family; else the request may ask for one */

    af = (call->calls->scratch->local.leg == MH_SDP_WEB) ? m->af : sig->af;

    for (i = 0; i < conf->poolc; i++) {
        if (conf->pool_af[i] == af) {
            return conf->pools[i];
        }
    }

    return conf->pools[0];
}


static void
mh_stream_drop(struct mh_call *call, unsigned i)
{
    static const struct pl  none = { NULL, 0 };

    if (call->streams[i] == NULL) {
        return;
    }

    mh_bundle_set(&call->bundle, i, NULL, &none);
    call->streams[i] = mem_deref(call->streams[i]);
}


static int
mh_answer_apply(struct mh_call *call, const struct mh_signal *sig,
    struct pl *out, const char **reason)
{
    int                   err;
    unsigned              i;
    enum mh_sdp_leg       to, from;
    const struct mh_sdp  *web, *ims;
    struct mh_scratch    *scratch;

    scratch = call->calls->scratch;
    to = call->offerer;
    from = (to == MH_SDP_WEB) ? MH_SDP_IMS : MH_SDP_WEB;

    web = (to == MH_SDP_WEB) ? &scratch->a : &scratch->b;
    ims = (to == MH_SDP_WEB) ? &scratch->b : &scratch->a;

    if (scratch->a.mediac != scratch->b.mediac) {
        *reason = mh_sdp_error(EPROTO);
        return EPROTO;
    }

    if (from == MH_SDP_WEB) {
        err = mh_sdp_check_web(web);
        if (err) {
            *reason = mh_sdp_error(err);
            return err;
        }

        if (mh_sdp_first(web) != NULL) {
            (void) mh_transport_remote(call->transport,
                          &mh_sdp_transport(web, mh_sdp_first(web))->ufrag);
        }
    }

    /* the role is settled here, because the answer has to name it */

    err = mh_answer_dtls(call, sig, web);
    if (err) {
        *reason = mh_sdp_error(EKEYREJECTED);
        return err;
    }

    err = mh_local_init(call, to, sig);

    if (err == 0) {
        mh_local_ims(call, sig);

        for (i = 0; i < scratch->a.mediac; i++) {
            if (!scratch->b.media[i].refused) {
                mh_local_port(call, i);
            }
        }

        err = mh_sdp_write(call, &scratch->b, out);
    }

    if (err) {
        *reason = "Error rewriting SDP";
        return err;
    }

    if (from == MH_SDP_IMS) {
        err = mh_call_peers(call, ims, sig->learn);
        if (err) {
            *reason = "Unusable media address";
            return err;
        }
    }

    mh_answer_streams(call, web, ims);

    if (mh_call_tag(&call->legs[from], &sig->to_tag) != 0) {
        *reason = "Out of memory";
        return ENOMEM;
    }

    if (call->answered == 0) {
        call->answered = tmr_jiffies();
    }

    call->signaled = time(NULL);

    return 0;
}


static int
mh_answer_dtls(struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp *web)
{
    int                               err, ok;
    char                              hash[16], value[256];
    unsigned                          i;
    enum mh_dtls_role                 role;
    const struct mh_sdp_media        *m;
    const struct mh_sdp_fingerprint  *fp;

    m = mh_sdp_first(web);

    if (m == NULL) {
        /* all refused: there is no transport to settle */
        return 0;
    }

    m = mh_sdp_transport(web, m);
    role = mh_answer_role(call, sig, m);
    ok = EKEYREJECTED;

    for (i = 0; i < m->fingerprintc; i++) {
        fp = &m->fingerprints[i];

        if (pl_strcpy(&fp->hash, hash, sizeof(hash)) != 0
            || pl_strcpy(&fp->value, value, sizeof(value)) != 0)
        {
            continue;
        }

        err = (ok == 0)
              ? mh_transport_fingerprint(call->transport, hash, value)
              : mh_transport_dtls(call->transport, role, hash, value);

        if (err == ENOMEM) {
            return err;
        }

        if (err == 0) {
            ok = 0;
        }
    }

    return ok;
}


/*
 * Our role: as it is while the certificate stays (P17); else what the
 * browser's a=setup leaves, and with actpass what the request asks for.
 */

static enum mh_dtls_role
mh_answer_role(const struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp_media *m)
{
    char               hash[16], value[256];
    unsigned           i;
    enum mh_dtls_role  role;

    for (i = 0; i < m->fingerprintc; i++) {

        if (pl_strcpy(&m->fingerprints[i].hash, hash, sizeof(hash)) == 0
            && pl_strcpy(&m->fingerprints[i].value, value, sizeof(value))
               == 0
            && mh_transport_knows(call->transport, hash, value)
            && mh_transport_role(call->transport, &role))
        {
            return role;
        }
    }

    switch (m->setup) {

    case MH_SDP_SETUP_ACTIVE:
        return MH_DTLS_PASSIVE;

    case MH_SDP_SETUP_PASSIVE:
        return MH_DTLS_ACTIVE;

    default:
        return sig->active ? MH_DTLS_ACTIVE : MH_DTLS_PASSIVE;
    }
}


/* payload numbers, feedback, and what of the bundle is whose */

static void
mh_answer_streams(struct mh_call *call, const struct mh_sdp *web,
    const struct mh_sdp *ims)
{
    bool      avpf;
    uint8_t   from_ims[128], from_web[128];
    unsigned  i;

    call->bundle.mid_ext = 0;

    for (i = 0; i < web->mediac; i++) {

        mh_bundle_set(&call->bundle, i, call->streams[i],
                      &web->media[i].mid);

        if (web->media[i].mid_ext) {
            call->bundle.mid_ext = web->media[i].mid_ext;
        }

        if (call->streams[i] == NULL) {
            continue;
        }

        mh_sdp_table(&call->maps[i], MH_SDP_IMS, from_ims);
        mh_sdp_table(&call->maps[i], MH_SDP_WEB, from_web);

        avpf = (ims->media[i].proto == MH_SDP_AVPF
                || ims->media[i].proto == MH_SDP_SAVPF);

        mh_stream_tables(call->streams[i], from_ims, from_web, avpf);
    }
}


/* our end of the leg that a description is written for, but for its ports */

static int
mh_local_init(struct mh_call *call, enum mh_sdp_leg leg,
    const struct mh_signal *sig)
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

    memcpy(policy->strip, sig->strip, sizeof(policy->strip));
    policy->stripc = sig->stripc;
    memcpy(policy->offer, sig->offer, sizeof(policy->offer));
    policy->offerc = sig->offerc;

    if (leg == MH_SDP_WEB) {
        mh_local_web(call, sig);
    }

    return 0;
}


static void
mh_local_web(struct mh_call *call, const struct mh_signal *sig)
{
    unsigned                     i, k;
    enum mh_dtls_role            role;
    struct mh_scratch           *scratch;
    const struct mh_ice         *ice;
    struct mh_sdp_local         *local;
    const struct mh_calls_conf  *conf;

    conf = &call->calls->conf;
    scratch = call->calls->scratch;
    local = &scratch->local;
    ice = mh_transport_ice(call->transport);

    k = (conf->web_addrc > 1 && sig->af
         && sa_af(&conf->web_addrs[0]) != sig->af) ? 1 : 0;

    (void) sa_ntop(&conf->web_addrs[k], scratch->addr,
                   sizeof(scratch->addr));

    local->addr = scratch->addr;
    local->ipv6 = (sa_af(&conf->web_addrs[k]) == AF_INET6);

    if (conf->web_addrc > 1) {
        i = 1 - k;
        (void) sa_ntop(&conf->web_addrs[i], scratch->addr2,
                       sizeof(scratch->addr2));
        local->addr2 = scratch->addr2;
    }

    (void) snprintf(scratch->fingerprint, sizeof(scratch->fingerprint),
                    "sha-256 %s", mh_web_fingerprint(conf->web));

    local->ufrag = ice->ufrag;
    local->pwd = ice->pwd;
    local->fingerprint = scratch->fingerprint;
    local->setup = MH_SDP_SETUP_ACTPASS;

    if (call->offerer == MH_SDP_WEB
        && mh_transport_role(call->transport, &role))
    {
        local->setup = (role == MH_DTLS_ACTIVE) ? MH_SDP_SETUP_ACTIVE
                                                : MH_SDP_SETUP_PASSIVE;
    }
}


/* the address on the IMS side: that of the first stream */

static void
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

    (void) snprintf(scratch->addr, sizeof(scratch->addr), "0.0.0.0");

    if (sa != NULL) {
        (void) sa_ntop(sa, scratch->addr, sizeof(scratch->addr));
        local->ipv6 = (sa_af(sa) == AF_INET6);
    }

    if (pl_isset(&sig->media_address)) {
        (void) pl_strcpy(&sig->media_address, scratch->addr,
                         sizeof(scratch->addr));
        local->ipv6 = (strchr(scratch->addr, ':') != NULL);
    }

    local->addr = scratch->addr;
}


static void
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
}


/*
 * Writes the description for local->leg from scratch->a (and the answer).
 * The version goes up only if something else has changed (RFC 3264 8).
 */

static int
mh_sdp_write(struct mh_call *call, const struct mh_sdp *answer,
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

    for (turn = 0; turn < 2; turn++) {

        err = answer ? mh_sdp_answer(s->buf, sizeof(s->buf), &len, &s->a,
                                     answer, local, call->maps)
                     : mh_sdp_offer(s->buf, sizeof(s->buf), &len, &s->a,
                                    local, call->maps);
        if (err) {
            return err;
        }

        if (leg->out == NULL) {
            break;
        }

        if (turn == 0) {

            if (mh_sdp_same(leg->out, leg->outlen, s->buf, len)) {
                goto done;
            }

            local->sess_ver++;
        }
    }

    text = mem_alloc(len, NULL);
    if (text == NULL) {
        return ENOMEM;
    }

    memcpy(text, s->buf, len);

    mem_deref(leg->out);
    leg->out = text;
    leg->outlen = len;
    leg->sess_ver = local->sess_ver;

done:

    out->p = leg->out;
    out->l = leg->outlen;

    return 0;
}


/* points the streams to the IMS side's addresses */

static int
mh_call_peers(struct mh_call *call, const struct mh_sdp *ims, bool learn)
{
    int                         err;
    unsigned                    i;
    struct sa                   rtp, rtcp;
    const struct pl            *addr;
    const struct mh_sdp_media  *m;

    for (i = 0; i < ims->mediac; i++) {
        m = &ims->media[i];

        /* a held or refused line says nothing new about where it is */

        if (call->streams[i] == NULL || m->refused || m->zero_addr) {
            continue;
        }

        addr = pl_isset(&m->rtcp_addr) ? &m->rtcp_addr : &m->addr;

        err = sa_set(&rtp, &m->addr, m->port);

        if (err == 0) {
            err = sa_set(&rtcp, addr, m->rtcp_port);
        }

        if (err == 0) {
            err = mh_stream_peer(call->streams[i], &rtp, &rtcp,
                                 learn || call->calls->conf.learn);
        }

        if (err) {
            mh_info("call \"%s\" has an unusable media address: %s",
                    call->id, strerror(err));
            return err;
        }
    }

    return 0;
}


/* the first m-line that is in use, NULL if all are refused */

static const struct mh_sdp_media *
mh_sdp_first(const struct mh_sdp *sdp)
{
    unsigned  i;

    for (i = 0; i < sdp->mediac; i++) {
        if (!sdp->media[i].refused) {
            return &sdp->media[i];
        }
    }

    return NULL;
}


static int
mh_call_tag(struct mh_leg *leg, const struct pl *tag)
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


static void
mh_call_branch(struct mh_call *call, const struct pl *branch)
{
    unsigned  i;

    if (!pl_isset(branch) || call->branchc == MH_CALL_BRANCHES) {
        return;
    }

    for (i = 0; i < call->branchc; i++) {
        if (pl_strcmp(branch, call->branches[i]) == 0) {
            return;
        }
    }

    if (pl_strdup(&call->branches[i], branch) == 0) {
        call->branchc++;
    }
}
