
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Joins descriptions and keys.  Owns call->secure[], which says of each
 * m-line whether the last offer, whoever made it, means SRTP on the IMS
 * side; call->osrtp[], whether under RTP/AVP (RFC 8643), and optional[],
 * whether its answer may do without; agreed[] is osrtp[] of what was answered
 * last.  No timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_secure.h"


static void mh_secure_want(struct mh_call *call, const struct mh_signal *sig,
    unsigned i);
static void mh_secure_set(struct mh_call *call, unsigned i, bool secure);
static bool mh_secure_taken(const struct mh_call *call,
    const struct mh_sdp_media *m, unsigned i);
static bool mh_secure_profile(const struct mh_sdp_media *m);


int
mh_secure_offered(struct mh_call *call, const struct mh_sdp *sdp,
    const struct mh_signal *sig)
{
    int                         err;
    unsigned                    i;
    struct mh_keys             *keys;
    const struct mh_sdp_media  *m;

    for (i = 0; i < sdp->mediac; i++) {
        m = &sdp->media[i];
        call->secure[i] = false;

        /* under RTP/AVP it is an offer of RFC 8643, which may be declined */

        if (call->streams[i] == NULL || call->dropped[i]
            || (m->suites & sig->suites) == 0)
        {
            continue;
        }

        keys = mh_stream_keys(call->streams[i]);

        if (keys == NULL) {
            return ENOMEM;
        }

        err = mh_keys_offered(keys, m->cryptos, m->cryptoc, sig->suites);
        if (err) {
            return err;
        }

        call->secure[i] = true;
        call->osrtp[i] = !mh_secure_profile(m);
        call->optional[i] = false;
    }

    return 0;
}


int
mh_secure_apply(struct mh_call *call)
{
    int       err;
    unsigned  i;

    for (i = 0; i < call->mediac; i++) {

        if (call->streams[i] == NULL || call->dropped[i]) {
            continue;
        }

        if (call->secure[i]) {
            err = mh_keys_accept(mh_stream_keys(call->streams[i]));
            if (err) {
                return err;
            }
        }

        mh_secure_set(call, i, call->secure[i]);
    }

    return 0;
}


int
mh_secure_text(struct mh_call *call, const struct mh_signal *sig,
    bool answer)
{
    int                   err;
    size_t                len;
    unsigned              i;
    struct mh_keys       *keys;
    struct mh_scratch    *scratch;
    struct mh_sdp_local  *local;

    scratch = call->calls->scratch;
    local = &scratch->local;

    if (local->leg != MH_SDP_IMS) {
        return 0;
    }

    for (i = 0; i < call->mediac; i++) {

        if (!answer) {
            mh_secure_want(call, sig, i);
        }

        if (!call->secure[i] || local->media[i].port == 0) {
            continue;
        }

        keys = mh_stream_keys(call->streams[i]);

        if (keys == NULL) {
            return ENOMEM;
        }

        if (answer) {
            len = mh_keys_answer_text(keys, sig->sdes_pad,
                                      scratch->crypto[i]);

        } else {
            err = mh_keys_offer_text(keys, sig->sdes_offer, sig->sdes_pad,
                                     scratch->crypto[i], &len);
            if (err) {
                return err;
            }
        }

        if (len == 0) {
            return ENOMEM;
        }

        local->media[i].crypto = scratch->crypto[i];
        local->media[i].osrtp = call->osrtp[i];
    }

    return 0;
}


/*
 * What the IMS is offered on m-line i.  A stream that is SRTP stays so, in
 * the way in which it was agreed on unless SAVP is asked for.
 */

static void
mh_secure_want(struct mh_call *call, const struct mh_signal *sig, unsigned i)
{
    bool  savp, now;

    if (call->streams[i] == NULL) {
        call->secure[i] = false;
        return;
    }

    savp = sig->savp && !sig->no_sdes;
    now = !sig->reset && mh_stream_secured(call->streams[i]) != NULL;

    call->secure[i] = savp || now || (sig->osrtp && !sig->no_sdes);
    call->osrtp[i] = !savp && (!now || call->agreed[i]);
    call->optional[i] = call->osrtp[i] && !now;
}


int
mh_secure_fits(const struct mh_call *call, const struct mh_sdp *sdp)
{
    bool                        secure;
    unsigned                    i;
    struct mh_keys             *keys;
    const struct mh_sdp_media  *m;

    for (i = 0; i < sdp->mediac && i < call->mediac; i++) {
        m = &sdp->media[i];

        if (call->streams[i] == NULL || call->dropped[i] || m->refused) {
            continue;
        }

        secure = mh_secure_taken(call, m, i);

        if (mh_secure_profile(m) != (secure && !call->osrtp[i])) {
            return EPROTO;
        }

        if (!secure) {
            continue;
        }

        keys = mh_stream_keys(call->streams[i]);

        if (keys == NULL) {
            return ENOMEM;
        }

        if (mh_keys_fits(keys, m->cryptos, m->cryptoc) != 0) {
            return ENOKEY;
        }
    }

    return 0;
}


int
mh_secure_answered(struct mh_call *call, const struct mh_sdp *sdp)
{
    int                         err;
    bool                        secure;
    unsigned                    i;
    const struct mh_sdp_media  *m;

    err = mh_secure_fits(call, sdp);

    for (i = 0; i < sdp->mediac && i < call->mediac && err == 0; i++) {
        m = &sdp->media[i];

        if (call->streams[i] == NULL || call->dropped[i] || m->refused) {
            continue;
        }

        secure = mh_secure_taken(call, m, i);

        if (secure) {
            err = mh_keys_answered(mh_stream_keys(call->streams[i]),
                                   m->cryptos, m->cryptoc);
        }

        if (err == 0) {
            mh_secure_set(call, i, secure);
        }
    }

    return err;
}


static void
mh_secure_set(struct mh_call *call, unsigned i, bool secure)
{
    mh_stream_secure(call->streams[i], secure);
    call->agreed[i] = call->osrtp[i];
}


/* what was offered as optional may be declined (RFC 8643) */

static bool
mh_secure_taken(const struct mh_call *call, const struct mh_sdp_media *m,
    unsigned i)
{
    return call->secure[i] && !(call->optional[i] && m->cryptoc == 0);
}


static bool
mh_secure_profile(const struct mh_sdp_media *m)
{
    return m->proto == MH_SDP_SAVP || m->proto == MH_SDP_SAVPF;
}
