
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Offers: what a description of one leg does to the call's transport and
 * streams, and what the other leg is told.  Streams get ports, a new ufrag
 * restarts ICE, the first IMS offer points the streams to its addresses; what
 * a later one changes waits for its answer.
 *
 * Nothing here depends on how often it is done: the same offer again gives
 * the same bytes.
 */


#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <re.h>

#include "mh_local.h"
#include "mh_log.h"
#include "mh_secure.h"


static bool mh_offer_own(const struct mh_calls *calls,
    const struct mh_signal *sig);
static void mh_offer_note(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from);
static int mh_offer_from(const struct mh_call *call, const struct mh_signal
    *sig, const struct mh_sdp *sdp);
static int mh_offer_apply(struct mh_call *call, const struct mh_signal *sig,
    struct pl *out, const char **reason);
static int mh_offer_peer(struct mh_call *call, enum mh_sdp_leg from,
    const char **reason);
static int mh_offer_keep(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from, const char **reason);
static int mh_offer_ice(struct mh_call *call, const struct mh_sdp *sdp);
static int mh_offer_ufrag(struct mh_transport *t, const struct pl *ufrag);
static int mh_offer_streams(struct mh_call *call, const struct mh_signal *sig,
    const char **reason);
static int mh_offer_ports(struct mh_call *call, const struct mh_signal *sig,
    const bool wants[MH_SDP_MAX_MEDIA], const char **reason);
static bool mh_offer_wanted(const struct mh_call *call,
    bool wants[MH_SDP_MAX_MEDIA]);
static int mh_offer_open(struct mh_call *call, const struct mh_signal *sig,
    unsigned i, const char **reason);
static int mh_offer_links(struct mh_call *call, const struct mh_signal *sig);
static int mh_offer_restart(struct mh_call *call);
static struct mh_port_pool *mh_offer_pool(const struct mh_call *call, const
    struct mh_signal *sig, const struct mh_sdp_media *m);
static void mh_offer_branch(struct mh_call *call, const struct pl *branch);


int
mh_call_offer(struct mh_calls *calls, const struct mh_signal *sig,
    struct pl *out, const char **reason)
{
    int              err;
    bool             fresh;
    struct mh_call  *call;

    if (sig->loop_protect && mh_offer_own(calls, sig)) {
        *out = sig->sdp;
        return 0;
    }

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
            return EUSERS;
        }

        if (calls->shed != NULL) {
            calls->stat.refused++;
            *reason = sig->load_limit ? calls->shed
                                      : "Parallel session limit reached";
            return EUSERS;
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


/* whether the description has been here already */

static bool
mh_offer_own(const struct mh_calls *calls, const struct mh_signal *sig)
{
    return memmem(sig->sdp.p, sig->sdp.l, calls->loop,
                  sizeof(calls->loop) - 1) != NULL;
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

    m = mh_local_first(sdp);

    return (m != NULL && pl_isset(&mh_sdp_transport(sdp, m)->ufrag))
           ? MH_SDP_WEB : MH_SDP_IMS;
}


static int
mh_offer_apply(struct mh_call *call, const struct mh_signal *sig,
    struct pl *out, const char **reason)
{
    int                 err;
    enum mh_sdp_leg     from, to;
    struct mh_scratch  *scratch;

    scratch = call->calls->scratch;
    from = mh_offer_from(call, sig, &scratch->a);
    to = (from == MH_SDP_WEB) ? MH_SDP_IMS : MH_SDP_WEB;

    if (from == MH_SDP_WEB) {
        err = mh_local_check_web(&scratch->a);
        if (err) {
            *reason = mh_sdp_error(err);
            return err;
        }
    }

    mh_offer_note(call, sig, from);
    mh_local_init(call, to, sig, false);

    err = mh_offer_streams(call, sig, reason);
    if (err) {
        return err;
    }

    err = (from == MH_SDP_IMS)
          ? mh_secure_offered(call, &scratch->a, sig)
          : mh_secure_text(call, sig, false);
    if (err) {
        *reason = "No keys for SRTP";
        return err;
    }

    err = mh_local_write(call, NULL, out);
    if (err) {
        *reason = "Error rewriting SDP";
        return err;
    }

    err = mh_offer_peer(call, from, reason);
    if (err) {
        return err;
    }

    return mh_offer_keep(call, sig, from, reason);
}


/* what the offer tells of who makes it */

static int
mh_offer_peer(struct mh_call *call, enum mh_sdp_leg from,
    const char **reason)
{
    int                   err;
    const struct mh_sdp  *sdp;

    sdp = &call->calls->scratch->a;

    if (from == MH_SDP_WEB) {
        err = mh_offer_ice(call, sdp);

        if (err) {
            *reason = mh_sdp_error(err);
        }

        return err;
    }

    /* it may be rejected: a call that goes on waits for the answer */

    if (call->answered) {
        return 0;
    }

    err = mh_local_peers(call, sdp);

    if (err == 0) {
        err = mh_secure_apply(call);
    }

    if (err) {
        *reason = "Unusable media address";
    }

    return err;
}


/* the text is kept: its answer will be read with it */

static int
mh_offer_keep(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from, const char **reason)
{
    char           *text;
    struct mh_leg  *leg;

    leg = &call->legs[from];
    text = mem_alloc(sig->sdp.l, NULL);

    if (text == NULL || mh_local_tag(leg, &sig->from_tag) != 0) {
        mem_deref(text);
        *reason = "Out of memory";
        return ENOMEM;
    }

    memcpy(text, sig->sdp.p, sig->sdp.l);
    mh_local_label(leg, &sig->label);

    mh_call_text_free(leg->in, leg->inlen);
    leg->in = text;
    leg->inlen = sig->sdp.l;

    call->offerer = from;
    call->delete_at = 0;
    call->signaled = time(NULL);
    mh_offer_branch(call, &sig->via_branch);

    return 0;
}


/* what the request says and a later one will need */

static void
mh_offer_note(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from)
{
    if (from == MH_SDP_IMS) {
        mh_local_source(call, sig);
        call->mux_reject = sig->mux_reject;

    } else {
        call->active = sig->reverse_active;
    }

    if (sig->tos != -1) {
        call->tos = sig->tos;
    }

    if (sig->delete_delay != -1) {
        call->delete_delay = sig->delete_delay;
    }

    call->reset = sig->reset;
}


/* a new ufrag is a restart (RFC 8839 4.4.1.1.1); keys are kept (P18) */

static int
mh_offer_ice(struct mh_call *call, const struct mh_sdp *sdp)
{
    int                         err;
    unsigned                    k;
    const struct mh_sdp_media  *m;

    for (k = 0; k < call->links.n; k++) {
        m = mh_links_media(sdp, call->links.next, k);

        if (m == NULL) {
            continue;
        }

        err = mh_offer_ufrag(call->links.v[k]->transport, &m->ufrag);
        if (err) {
            return err;
        }
    }

    return 0;
}


static int
mh_offer_ufrag(struct mh_transport *t, const struct pl *ufrag)
{
    int                   err;
    const struct mh_ice  *ice;

    ice = mh_transport_ice(t);

    /* without one a restart of ours, or the first offer, has no answer yet */

    if (pl_strcmp(ufrag, ice->rufrag) != 0
        && !mh_transport_ice_rollback(t, ufrag) && ice->rufrag[0] != '\0')
    {
        err = mh_transport_ice_restart(t);
        if (err) {
            return err;
        }
    }

    return mh_transport_remote(t, ufrag);
}


/*
 * Opens ports as the offer's m-lines want it.  All that may be wrong with it
 * is found before anything else changes: a former offer may wait for its
 * answer.
 */

static int
mh_offer_streams(struct mh_call *call, const struct mh_signal *sig,
    const char **reason)
{
    int                   err;
    bool                  wants[MH_SDP_MAX_MEDIA];
    unsigned              i;
    const struct mh_sdp  *sdp;

    sdp = &call->calls->scratch->a;

    if (!mh_offer_wanted(call, wants)) {
        *reason = "No usable media";
        return EPROTONOSUPPORT;
    }

    err = mh_call_maps(call, sdp->mediac);
    if (err) {
        *reason = "Out of memory";
        return err;
    }

    err = mh_offer_ports(call, sig, wants, reason);
    if (err) {
        return err;
    }

    for (i = 0; i < sdp->mediac; i++) {
        call->kinds[i] = (uint8_t) sdp->media[i].kind;
        call->dropped[i] = !wants[i];

        if (wants[i] && call->mediac <= i) {
            call->mediac = i + 1;
        }
    }

    /* there may not be fewer than before (RFC 3264 8); those are given up */

    for ( /* void */ ; i < call->mediac; i++) {
        call->dropped[i] = true;
    }

    err = mh_offer_links(call, sig);

    if (err) {
        *reason = "Out of memory";
    }

    return err;
}


/* all that are wanted, or none; and whether the peer's can be reached */

static int
mh_offer_ports(struct mh_call *call, const struct mh_signal *sig,
    const bool wants[MH_SDP_MAX_MEDIA], const char **reason)
{
    int                   err;
    bool                  skip[MH_SDP_MAX_MEDIA], fresh[MH_SDP_MAX_MEDIA];
    unsigned              i;
    const struct mh_sdp  *sdp;

    sdp = &call->calls->scratch->a;
    err = 0;

    memset(fresh, 0, sizeof(fresh));

    for (i = 0; i < sdp->mediac && err == 0; i++) {
        skip[i] = !wants[i];

        if (wants[i] && call->streams[i] == NULL) {
            err = mh_offer_open(call, sig, i, reason);
            fresh[i] = (err == 0);
        }
    }

    if (err == 0 && call->calls->scratch->local.leg == MH_SDP_WEB) {
        err = mh_local_reaches(call, sdp, call->mux, skip);

        if (err) {
            mh_info("call \"%s\" has an unusable media address: %s",
                    call->id, strerror(err));
            *reason = "Unusable media address";
        }
    }

    for (i = 0; i < sdp->mediac && err; i++) {
        if (fresh[i]) {
            mh_call_drop(call, i);
        }
    }

    return err;
}


/* which m-line uses which transport; then all of our end is known */

static int
mh_offer_links(struct mh_call *call, const struct mh_signal *sig)
{
    int                   err;
    unsigned              i;
    enum mh_sdp_leg       from;
    const struct mh_sdp  *sdp;

    sdp = &call->calls->scratch->a;
    from = (call->calls->scratch->local.leg == MH_SDP_WEB) ? MH_SDP_IMS
                                                            : MH_SDP_WEB;

    err = mh_links_plan(call, sdp, from, sig->bundle_only);

    if (err == 0 && sig->reset && from == MH_SDP_IMS) {
        err = mh_offer_restart(call);
    }

    if (err) {
        return err;
    }

    mh_local_ims(call, sig);

    for (i = 0; i < sdp->mediac; i++) {
        mh_local_port(call, i);
    }

    mh_local_links(call, sdp, call->links.next);

    return 0;
}


/*
 * Looked at first, because a call that goes on must not be hurt by an offer
 * that cannot be met.  All refused by the peer is no mistake.
 */

static bool
mh_offer_wanted(const struct mh_call *call, bool wants[MH_SDP_MAX_MEDIA])
{
    unsigned              i, open, wanted;
    const struct mh_sdp  *sdp;

    sdp = &call->calls->scratch->a;
    open = 0;
    wanted = 0;

    for (i = 0; i < sdp->mediac; i++) {
        wants[i] = mh_sdp_wanted(sdp, i, &call->calls->scratch->local);
        wanted += wants[i];
        open += !sdp->media[i].refused;
    }

    return open == 0 || wanted != 0;
}


static int
mh_offer_open(struct mh_call *call, const struct mh_signal *sig, unsigned i,
    const char **reason)
{
    int                         tos, err;
    struct mh_calls            *calls;
    struct mh_port_pool        *pool;
    const struct mh_sdp_media  *m;

    calls = call->calls;
    m = &calls->scratch->a.media[i];
    pool = mh_offer_pool(call, sig, m);

    tos = (m->kind == MH_SDP_VIDEO) ? calls->conf.tos_video : calls->conf.tos;

    if (call->tos != -1) {
        tos = call->tos;
    }

    err = mh_stream_alloc(&call->streams[i], calls->conf.io, pool, tos);

    if (err) {
        calls->stat.refused++;
        *reason = (err == ENOSPC || err == EMFILE) ? "Ran out of ports"
                                                   : "Cannot open a port";
        mh_warn("call \"%s\" gets no port: %s", call->id,
                err == ENOSPC ? "all are in use" : strerror(err));
    }

    return err;
}


/*
 * ICE anew, for who is in the browser's place now.  Not again before the
 * answer, which brings the ufrag: the same offer gives the same bytes.
 */

static int
mh_offer_restart(struct mh_call *call)
{
    int                   err;
    unsigned              k;
    struct mh_transport  *t;

    for (k = 0; k < call->links.n; k++) {
        t = call->links.v[k]->transport;

        if (mh_transport_ice(t)->rufrag[0] == '\0') {
            continue;
        }

        err = mh_transport_ice_restart(t);
        if (err) {
            return err;
        }
    }

    return 0;
}


static struct mh_port_pool *
mh_offer_pool(const struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp_media *m)
{
    /* an IMS offer tells its family; else the request may ask for one */

    return mh_local_pool(call, call->calls->scratch->local.leg == MH_SDP_WEB
                               ? m->af : sig->af);
}


static void
mh_offer_branch(struct mh_call *call, const struct pl *branch)
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
