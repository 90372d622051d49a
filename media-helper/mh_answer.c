
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Answers: the DTLS role is settled, streams get their payload numbers
 * (mh_agree.c), an IMS answer points them to its addresses.  One that is
 * refused leaves the call as it was.  A forked answer only points the
 * streams elsewhere: port, ufrag, certificate and role of the browser's side
 * stay as they are.
 */


#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_local.h"
#include "mh_log.h"
#include "mh_secure.h"


static int mh_answer_apply(struct mh_call *call, const struct mh_signal *sig,
    struct pl *out, const char **reason);
static int mh_answer_check(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from, const struct mh_sdp *web, const struct mh_sdp *ims,
    const bool mux[MH_SDP_MAX_MEDIA], uint8_t via[MH_SDP_MAX_MEDIA],
    const char **reason);
static int mh_answer_fits(const struct mh_sdp *offer, const struct mh_sdp
    *answer);
static int mh_answer_fingerprints(const struct mh_call *call,
    const struct mh_sdp *web, const uint8_t via[MH_SDP_MAX_MEDIA]);
static void mh_answer_local(struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp *web, const uint8_t via[MH_SDP_MAX_MEDIA]);
static int mh_answer_peers(struct mh_call *call, enum mh_sdp_leg from,
    const struct mh_sdp *ims);
static int mh_answer_note(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from);
static void mh_answer_mux(const struct mh_call *call, const struct mh_sdp
    *ims, bool mux[MH_SDP_MAX_MEDIA]);
static int mh_answer_dtls(struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp *web, const uint8_t via[MH_SDP_MAX_MEDIA]);
static int mh_answer_link(struct mh_link *link, bool active,
    const struct mh_sdp_media *m);
static int mh_answer_associate(struct mh_link *link, bool active,
    const struct mh_sdp_media *m, bool anew);
static bool mh_answer_known(const struct mh_transport *t,
    const struct mh_sdp_media *m);
static enum mh_dtls_role mh_answer_role(bool active,
    const struct mh_sdp_media *m);
static void mh_answer_drop(struct mh_call *call);


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


static int
mh_answer_apply(struct mh_call *call, const struct mh_signal *sig,
    struct pl *out, const char **reason)
{
    int                   err;
    bool                  mux[MH_SDP_MAX_MEDIA];
    uint8_t               via[MH_SDP_MAX_MEDIA];
    enum mh_sdp_leg       from;
    const struct mh_sdp  *web, *ims;
    struct mh_scratch    *scratch;

    scratch = call->calls->scratch;
    from = (call->offerer == MH_SDP_WEB) ? MH_SDP_IMS : MH_SDP_WEB;
    web = (from == MH_SDP_WEB) ? &scratch->b : &scratch->a;
    ims = (from == MH_SDP_WEB) ? &scratch->a : &scratch->b;

    mh_answer_mux(call, ims, mux);

    err = mh_answer_check(call, sig, from, web, ims, mux, via, reason);
    if (err) {
        return err;
    }

    /* now it holds; only a want of memory can end this half way */

    memcpy(call->mux, mux, sizeof(call->mux));
    *reason = "Out of memory";

    /* the role is settled first, because the answer has to name it */

    err = mh_answer_dtls(call, sig, web, via);
    if (err) {
        return err;
    }

    mh_answer_local(call, sig, web, via);

    err = (from == MH_SDP_IMS) ? mh_secure_answered(call, ims)
                               : mh_secure_text(call, sig, true);
    if (err) {
        return err;
    }

    err = mh_local_write(call, &scratch->b, out);
    if (err) {
        *reason = "Error rewriting SDP";
        return err;
    }

    err = mh_answer_peers(call, from, ims);
    if (err) {
        *reason = "Unusable media address";
        return err;
    }

    mh_answer_drop(call);
    mh_links_settle(call, web, from, via);
    mh_call_agree(call, web, ims);

    return mh_answer_note(call, sig, from);
}


/* all that may be wrong is found here, where nothing has changed */

static int
mh_answer_check(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from, const struct mh_sdp *web, const struct mh_sdp *ims,
    const bool mux[MH_SDP_MAX_MEDIA], uint8_t via[MH_SDP_MAX_MEDIA],
    const char **reason)
{
    int                       err;
    const struct mh_scratch  *scratch;

    scratch = call->calls->scratch;

    err = mh_answer_fits(&scratch->a, &scratch->b);

    /*
     * A browser answers an offer of AMR alone by refusing the m-line, others
     * by a codec that was not offered: a call that nobody would hear must not
     * come about (ME-12).  Later on all may be refused.
     */

    if (err == 0 && call->answered == 0
        && !mh_sdp_shares(&scratch->a, &scratch->b, call->maps, from))
    {
        *reason = "No usable media";
        return EPROTONOSUPPORT;
    }

    if (err == 0 && from == MH_SDP_WEB) {
        err = mh_local_check_web(web);
    }

    if (err == 0) {
        mh_links_resolve(call, web, ims, from, via);
        err = mh_answer_fingerprints(call, web, via);
    }

    if (err == 0 && from == MH_SDP_IMS) {
        err = mh_secure_fits(call, ims);

        if (err == ENOKEY) {
            *reason = "SDP answer without usable a=crypto";
            return err;
        }
    }

    if (err) {
        *reason = mh_sdp_error(err);
        return err;
    }

    if (from == MH_SDP_IMS) {
        mh_local_source(call, sig);
    }

    err = mh_local_reaches(call, ims, mux, call->dropped);

    if (err) {
        mh_info("call \"%s\" has an unusable media address: %s", call->id,
                strerror(err));
        *reason = "Unusable media address";
    }

    return err;
}


static int
mh_answer_fits(const struct mh_sdp *offer, const struct mh_sdp *answer)
{
    unsigned  i;

    if (offer->mediac != answer->mediac
        || offer->surplusc != answer->surplusc)
    {
        return EPROTO;
    }

    for (i = 0; i < offer->mediac; i++) {

        if (pl_cmp(&offer->media[i].kind_text, &answer->media[i].kind_text)
            != 0)
        {
            return EPROTO;
        }
    }

    return 0;
}


static int
mh_answer_fingerprints(const struct mh_call *call, const struct mh_sdp *web,
    const uint8_t via[MH_SDP_MAX_MEDIA])
{
    unsigned                    k;
    const struct mh_sdp_media  *m;

    for (k = 0; k < call->links.n; k++) {
        m = mh_links_media(web, via, k);

        if (m != NULL && !mh_local_fingerprint(m)) {
            return EKEYREJECTED;
        }
    }

    return 0;
}


/* our end of the leg that the answer goes to */

static void
mh_answer_local(struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp *web, const uint8_t via[MH_SDP_MAX_MEDIA])
{
    unsigned                    i;
    struct mh_scratch          *scratch;
    struct mh_sdp_local_media  *m;

    scratch = call->calls->scratch;

    mh_local_init(call, call->offerer, sig, true);
    mh_local_ims(call, sig);

    for (i = 0; i < scratch->a.mediac; i++) {

        if (!scratch->b.media[i].refused && !call->dropped[i]) {
            mh_local_port(call, i);

            m = &scratch->local.media[i];
            m->rtcp_mux = call->mux[i];
            m->rtcp_port = (uint16_t) (m->port + 1);
        }
    }

    mh_local_links(call, web, via);
}


/* where the IMS side is, and whether it is SRTP from now on */

static int
mh_answer_peers(struct mh_call *call, enum mh_sdp_leg from,
    const struct mh_sdp *ims)
{
    int       err;
    unsigned  i;

    for (i = 0; i < call->mediac && call->reset && from == MH_SDP_IMS; i++) {

        if (call->streams[i] != NULL) {
            mh_stream_forget(call->streams[i]);
        }
    }

    call->reset = false;

    err = mh_local_peers(call, ims);

    if (err == 0 && from == MH_SDP_WEB) {
        err = mh_secure_apply(call);
    }

    return err;
}


static int
mh_answer_note(struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg from)
{
    if (mh_local_tag(&call->legs[from], &sig->to_tag) != 0) {
        return ENOMEM;
    }

    mh_local_label(&call->legs[from], &sig->label);

    if (call->answered == 0) {
        call->answered = mh_clock();
    }

    call->signaled = time(NULL);

    return 0;
}


/* RTP and RTCP on one port: both sides of the IMS leg have to say so */

static void
mh_answer_mux(const struct mh_call *call, const struct mh_sdp *ims,
    bool mux[MH_SDP_MAX_MEDIA])
{
    bool      ours;
    unsigned  i;

    ours = (call->offerer == MH_SDP_IMS) ? !call->mux_reject
                                         : call->mux_offered;

    for (i = 0; i < MH_SDP_MAX_MEDIA; i++) {
        mux[i] = ours && i < ims->mediac && ims->media[i].rtcp_mux
                 && call->streams[i] != NULL;
    }
}


static int
mh_answer_dtls(struct mh_call *call, const struct mh_signal *sig,
    const struct mh_sdp *web, const uint8_t via[MH_SDP_MAX_MEDIA])
{
    int                         err;
    unsigned                    k;
    const struct mh_sdp_media  *m;

    for (k = 0; k < call->links.n; k++) {
        m = mh_links_media(web, via, k);

        if (m == NULL) {
            continue;
        }

        /* of a bundle it is known only now whose attributes count */

        (void) mh_transport_remote(call->links.v[k]->transport, &m->ufrag);

        err = mh_answer_link(call->links.v[k], sig->active || call->active,
                             m);
        if (err) {
            return err;
        }
    }

    return 0;
}


/*
 * The same certificate is the same association, unless a tls-id says that it
 * is another one (RFC 8842 4).  In an answer of ours it gets another one of
 * ours; in an offer it had that already.
 */

static int
mh_answer_link(struct mh_link *link, bool active,
    const struct mh_sdp_media *m)
{
    int    err;
    bool   anew;
    char  *tls_id;

    anew = link->peer_tls_id != NULL && pl_isset(&m->tls_id)
           && pl_strcmp(&m->tls_id, link->peer_tls_id) != 0;

    if (!anew && mh_answer_known(link->transport, m)) {
        link->answered = true;

    } else {
        err = mh_answer_associate(link, active, m, anew);

        if (err == 0 && link->answered
            && link->call->offerer == MH_SDP_WEB)
        {
            err = mh_link_name(link);
        }

        if (err) {
            return err;
        }

        link->answered = true;
    }

    if (!pl_isset(&m->tls_id) || (link->peer_tls_id != NULL && !anew)) {
        return 0;
    }

    err = pl_strdup(&tls_id, &m->tls_id);
    if (err) {
        return err;
    }

    mem_deref(link->peer_tls_id);
    link->peer_tls_id = tls_id;

    return 0;
}


static int
mh_answer_associate(struct mh_link *link, bool active,
    const struct mh_sdp_media *m, bool anew)
{
    int                               err, ok;
    char                              hash[16], value[256];
    unsigned                          i;
    enum mh_dtls_role                 role;
    struct mh_transport              *t;
    const struct mh_sdp_fingerprint  *fp;

    t = link->transport;
    role = mh_answer_role(active, m);
    ok = EKEYREJECTED;

    for (i = 0; i < m->fingerprintc; i++) {
        fp = &m->fingerprints[i];

        if (pl_strcpy(&fp->hash, hash, sizeof(hash)) != 0
            || pl_strcpy(&fp->value, value, sizeof(value)) != 0)
        {
            continue;
        }

        err = (ok == 0)
              ? mh_transport_fingerprint(t, hash, value)
              : mh_transport_dtls(t, role, hash, value, anew);

        if (err == ENOMEM) {
            return err;
        }

        if (err == 0) {
            ok = 0;
        }
    }

    return ok;
}


/* the same certificate again: association and role stay (SD-16, P17) */

static bool
mh_answer_known(const struct mh_transport *t, const struct mh_sdp_media *m)
{
    char                              hash[16], value[256];
    unsigned                          i;
    const struct mh_sdp_fingerprint  *fp;

    for (i = 0; i < m->fingerprintc; i++) {
        fp = &m->fingerprints[i];

        if (pl_strcpy(&fp->hash, hash, sizeof(hash)) == 0
            && pl_strcpy(&fp->value, value, sizeof(value)) == 0
            && mh_transport_knows(t, hash, value))
        {
            return true;
        }
    }

    return false;
}


/* SD-6: what a=setup leaves us; with actpass what the request asks for */

static enum mh_dtls_role
mh_answer_role(bool active, const struct mh_sdp_media *m)
{
    switch (m->setup) {

    case MH_SDP_ACTIVE:
        return MH_DTLS_PASSIVE;

    case MH_SDP_PASSIVE:
        return MH_DTLS_ACTIVE;

    default:
        return active ? MH_DTLS_ACTIVE : MH_DTLS_PASSIVE;
    }
}


/* now the offer holds: what it no longer had is closed */

static void
mh_answer_drop(struct mh_call *call)
{
    unsigned  i;

    for (i = 0; i < call->mediac; i++) {

        if (!call->dropped[i] || call->streams[i] == NULL) {
            continue;
        }

        mh_links_forget(call, i);
        mh_call_drop(call, i);
    }
}
