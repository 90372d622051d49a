
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Which m-line of a call goes over which transport.  A link is a transport
 * and the m-lines on it: one link for all that the browser bundles (RFC
 * 9143), one for each m-line that it does not.
 *
 * An offer plans (next), its answer settles (via); a rejected offer leaves
 * what is in force alone.  Links that neither names are freed.
 */


#ifndef MH_LINK_H
#define MH_LINK_H


#include <stdbool.h>
#include <stdint.h>

#include <re.h>

#include "mh_bundle.h"
#include "mh_sdp.h"
#include "mh_web.h"


enum {
    MH_LINK_NONE = 0xff,        /* in place of an index */
    MH_LINK_TLS = 32            /* characters of our a=tls-id */
};


struct mh_call;


struct mh_link {
    struct mh_call       *call;
    struct mh_transport  *transport;
    struct mh_bundle      bundle;
    bool                  failed;       /* DTLS */
    bool                  closed;       /* ... because the browser closed it */
    char                  tls_id[MH_LINK_TLS + 1];  /* ours, RFC 8842 4 */
    char                 *peer_tls_id;  /* NULL: it has never said one */
    bool                  answered;     /* an association was agreed on */
};


/* embedded in a call; there is at least one link, the first */

struct mh_links {
    struct mh_link  *v[MH_SDP_MAX_MEDIA];
    unsigned         n;
    uint8_t          via[MH_SDP_MAX_MEDIA];     /* of an m-line: index in v */
    uint8_t          next[MH_SDP_MAX_MEDIA];    /* by the last offer */
    uint8_t          group;         /* the link of the browser's BUNDLE */
    bool             settled;       /* the browser has told what it bundles */
};


/* Makes the first link.  Returns 0 or an errno of mh_transport_alloc() */
int mh_links_init(struct mh_call *call);

/* Another tls-id, for another association.  Returns 0 or an errno */
int mh_link_name(struct mh_link *link);

/* Frees all; the call's streams are gone already */
void mh_links_free(struct mh_call *call);

/*
 * Plans the m-lines of an offer that have a stream and stay; makes links.
 *
 * @param call  its streams and dropped[] are those of the offer
 * @param sdp   the offer
 * @param from  who makes it.  A browser's tells what is bundled; to one that
 *              has not spoken yet each m-line is offered with a transport of
 *              its own, so that it may take any out of the bundle
 * @param one   false: that; true: all of them on one
 *
 * @return 0, or an errno of mh_transport_alloc()
 */
int mh_links_plan(struct mh_call *call, const struct mh_sdp *sdp,
    enum mh_sdp_leg from, bool one);

/*
 * What an answer makes of the plan; changes nothing.
 *
 * @param web   the browser's description
 * @param ims   the other one
 * @param from  who answers
 * @param via   out, one for each m-line; MH_LINK_NONE: refused
 */
void mh_links_resolve(const struct mh_call *call, const struct mh_sdp *web,
    const struct mh_sdp *ims, enum mh_sdp_leg from,
    uint8_t via[MH_SDP_MAX_MEDIA]);

/* Puts it in force: streams get their transports, links of no use end */
void mh_links_settle(struct mh_call *call, const struct mh_sdp *web,
    enum mh_sdp_leg from, const uint8_t via[MH_SDP_MAX_MEDIA]);

/*
 * The m-line whose ICE and DTLS attributes are those of link k: the first
 * of the BUNDLE group that uses it, or the only one; NULL if none does.
 *
 * @param via  as in mh_links_resolve(), or links->next
 */
const struct mh_sdp_media *mh_links_media(const struct mh_sdp *web,
    const uint8_t via[MH_SDP_MAX_MEDIA], unsigned k);

/* No link hands packets to m-line i's stream any more */
void mh_links_forget(struct mh_call *call, unsigned i);

/* @return whether consent is gone for all links in use (RFC 7675 5.1) */
bool mh_links_expired(const struct mh_call *call, uint64_t now);

/* @return whether DTLS is no more, and all that is not was closed from there */
bool mh_links_closed(const struct mh_call *call);

/* @return the transport of m-line i, or the first one; never NULL */
struct mh_transport *mh_call_transport(const struct mh_call *call,
    unsigned i);


#endif /* MH_LINK_H */
