
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What mh_offer.c, mh_answer.c and mh_agree.c share: our end of a leg.  All
 * work on call->calls->scratch, where "a" is the offer and "local" is ours.
 */


#ifndef MH_LOCAL_H
#define MH_LOCAL_H


#include "mh_call.h"


/*
 * Begins scratch->local for a leg; no m-line has a port yet.
 *
 * @param answer  whether the description will be an answer: it names the
 *                DTLS role, an offer is actpass (RFC 8842 5)
 */
void mh_local_init(struct mh_call *call, enum mh_sdp_leg leg,
    const struct mh_signal *sig, bool answer);

/*
 * Gives m-lines the ICE and DTLS attributes of their links; no-op for IMS.
 *
 * @param sdp  the offer, or the browser's description in an answer to it
 * @param via  as in mh_link.h
 */
void mh_local_links(struct mh_call *call, const struct mh_sdp *sdp,
    const uint8_t via[MH_SDP_MAX_MEDIA]);

/* Sets the address of the IMS side, once streams are open; no-op for web */
void mh_local_ims(struct mh_call *call, const struct mh_signal *sig);

/* The port pairs of a family, or of the first one; af: 0 = any */
struct mh_port_pool *mh_local_pool(const struct mh_call *call, int af);

/* Gives m-line i its port, if it has a stream */
void mh_local_port(struct mh_call *call, unsigned i);

/*
 * Writes the description for local->leg from scratch->a (and the answer).
 * The version goes up only if something else has changed (RFC 3264 8).
 *
 * @param answer  NULL for an offer
 * @param out     the text; the call's until the next one for that leg
 *
 * @return 0, ENOMEM, or an errno of mh_sdp.h
 */
int mh_local_write(struct mh_call *call, const struct mh_sdp *answer, struct pl
    *out);

/*
 * Whether a description of a browser's can be used, see mh_sdp_check_web();
 * each m-line needs a fingerprint that is as long as its hash.
 */
int mh_local_check_web(const struct mh_sdp *web);

/* Whether an m-line has one */
bool mh_local_fingerprint(const struct mh_sdp_media *m);

/*
 * Whether the IMS side's addresses can be used; changes nothing.
 *
 * @param mux   of each m-line: RTCP goes with RTP
 * @param skip  m-lines that are not looked at
 *
 * @return 0, or an errno if one of them cannot be used
 */
int mh_local_reaches(const struct mh_call *call, const struct mh_sdp *ims,
    const bool mux[MH_SDP_MAX_MEDIA], const bool skip[MH_SDP_MAX_MEDIA]);

/* Points the streams there; returns the same */
int mh_local_peers(struct mh_call *call, const struct mh_sdp *ims);

/*
 * Notes what a request with a description of the IMS says of where its media
 * comes from: the SIP message's source, and whether it may be elsewhere.
 */
void mh_local_source(struct mh_call *call, const struct mh_signal *sig);

/* Streams get what both descriptions have: payload numbers, feedback */
void mh_call_agree(struct mh_call *call, const struct mh_sdp *web,
    const struct mh_sdp *ims);

/* Notes a leg's label; an empty one changes nothing */
void mh_local_label(struct mh_leg *leg, const struct pl *label);

/* the first m-line that is in use, NULL if all are refused */
const struct mh_sdp_media *mh_local_first(const struct mh_sdp *sdp);

/* Notes a leg's tag; an empty one changes nothing.  Returns 0 or ENOMEM */
int mh_local_tag(struct mh_leg *leg, const struct pl *tag);


#endif /* MH_LOCAL_H */
