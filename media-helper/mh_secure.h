
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * SDES-SRTP on the IMS side of a call (TS 33.328, RFC 4568, RFC 8643): when
 * offers and answers bring and take keys.  The keys are in mh_keys.c, one
 * set for each stream.
 */


#ifndef MH_SECURE_H
#define MH_SECURE_H


#include "mh_call.h"


/*
 * An offer of the IMS side: chooses from its a=crypto lines.  Streams are
 * there already.
 *
 * @return 0, ENOMEM, ENOTSUP, or an errno of getrandom(2)
 */
int mh_secure_offered(struct mh_call *call, const struct mh_sdp *sdp,
    const struct mh_signal *sig);

/* Takes into use what that offer brought */
int mh_secure_apply(struct mh_call *call);

/*
 * Writes our a=crypto lines into scratch->local, for an offer or an answer
 * to the IMS side; a stream that is SRTP once is always offered so, unless
 * the request says "reset".
 *
 * @return 0, ENOMEM, or an errno of getrandom(2)
 */
int mh_secure_text(struct mh_call *call, const struct mh_signal *sig,
    bool answer);

/*
 * Whether an answer of the IMS side can be used; changes nothing.
 *
 * @return 0; EPROTO (not the profile that was offered); ENOKEY (no a=crypto
 *         that fits); ENOMEM
 */
int mh_secure_fits(const struct mh_call *call, const struct mh_sdp *sdp);

/* Takes its keys into use; returns the same */
int mh_secure_answered(struct mh_call *call, const struct mh_sdp *sdp);


#endif /* MH_SECURE_H */
