
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the links of a call: transports, and who uses which.  A link of the
 * browser's description is known again by its ufrag, whatever m-line names
 * it now; only what no ufrag tells goes by the m-line that it had (an ICE
 * restart).  No timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <re.h>

#include "mh_call.h"
#include "mh_log.h"
#include "mh_sdp_text.h"


static void mh_link_destroy(void *data);
static int mh_link_add(struct mh_call *call, uint8_t *k);
static int mh_link_free(struct mh_call *call, const bool *taken, uint8_t *k);
static void mh_links_name(struct mh_call *call, const struct mh_sdp *web,
    const uint8_t via[MH_SDP_MAX_MEDIA]);
static void mh_links_drop(struct mh_call *call);
static bool mh_links_wanted(const struct mh_call *call, unsigned i);
static int mh_links_plan_web(struct mh_call *call, const struct mh_sdp *sdp);
static int mh_links_plan_ims(struct mh_call *call, const struct mh_sdp *sdp,
    bool one);
static unsigned mh_links_now(const struct mh_links *links, unsigned i);
static unsigned mh_links_leader(const struct mh_call *call,
    const struct mh_sdp *sdp, unsigned i);
static uint8_t mh_links_known(const struct mh_call *call,
    const struct pl *ufrag, unsigned i, const bool *taken);
static void mh_link_media_h(uint8_t *buf, size_t len, bool rtcp, void *arg);
static void mh_link_state_h(int err, const char *reason, void *arg);


int
mh_links_init(struct mh_call *call)
{
    uint8_t  k;

    memset(call->links.via, MH_LINK_NONE, sizeof(call->links.via));
    memset(call->links.next, MH_LINK_NONE, sizeof(call->links.next));

    call->links.group = MH_LINK_NONE;

    return mh_link_add(call, &k);
}


int
mh_link_name(struct mh_link *link)
{
    uint8_t  bytes[MH_LINK_TLS / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
        return errno;
    }

    (void) re_snprintf(link->tls_id, sizeof(link->tls_id), "%w", bytes,
                       sizeof(bytes));

    return 0;
}


void
mh_links_free(struct mh_call *call)
{
    while (call->links.n) {
        mem_deref(call->links.v[--call->links.n]);
    }
}


int
mh_links_plan(struct mh_call *call, const struct mh_sdp *sdp,
    enum mh_sdp_leg from, bool one)
{
    return (from == MH_SDP_WEB) ? mh_links_plan_web(call, sdp)
                                : mh_links_plan_ims(call, sdp, one);
}


void
mh_links_resolve(const struct mh_call *call, const struct mh_sdp *web,
    const struct mh_sdp *ims, enum mh_sdp_leg from,
    uint8_t via[MH_SDP_MAX_MEDIA])
{
    unsigned                i, lead;
    const struct mh_links  *links;

    links = &call->links;

    memset(via, MH_LINK_NONE, MH_SDP_MAX_MEDIA);

    for (i = 0; i < web->mediac; i++) {

        if (links->next[i] == MH_LINK_NONE || web->media[i].refused
            || ims->media[i].refused)
        {
            continue;
        }

        via[i] = links->next[i];

        if (from == MH_SDP_WEB && web->media[i].bundled) {
            lead = (unsigned) (mh_sdp_transport(web, &web->media[i])
                               - web->media);

            if (links->next[lead] != MH_LINK_NONE) {
                via[i] = links->next[lead];
            }
        }
    }
}


void
mh_links_settle(struct mh_call *call, const struct mh_sdp *web,
    enum mh_sdp_leg from, const uint8_t via[MH_SDP_MAX_MEDIA])
{
    unsigned                    i, k;
    struct mh_link             *link;
    struct mh_links            *links;
    const struct mh_sdp_media  *m;

    static const struct pl  none = { NULL, 0 };

    links = &call->links;

    memcpy(links->via, via, sizeof(links->via));

    if (from == MH_SDP_WEB) {
        memcpy(links->next, via, sizeof(links->next));
    }

    links->group = MH_LINK_NONE;
    links->settled = true;

    for (k = 0; k < links->n; k++) {
        links->v[k]->bundle.mid_ext = 0;
    }

    for (i = 0; i < web->mediac; i++) {
        m = &web->media[i];

        for (k = 0; k < links->n; k++) {
            link = links->v[k];

            mh_bundle_set(&link->bundle, i,
                          via[i] == k ? call->streams[i] : NULL,
                          via[i] == k ? &m->mid : &none);

            if (via[i] == k && m->mid_ext) {
                link->bundle.mid_ext = m->mid_ext;
            }
        }

        if (via[i] != MH_LINK_NONE && m->bundled) {
            links->group = via[i];
        }

        if (call->streams[i] != NULL) {
            mh_stream_transport(call->streams[i],
                                via[i] == MH_LINK_NONE
                                ? NULL : links->v[via[i]]->transport);
        }
    }

    mh_links_name(call, web, via);
    mh_links_drop(call);
}


/*
 * Packets for a browser say whose they are, where several m-lines come the
 * same way and it has agreed; as mh_sdp_plan_mid_ext() offers and answers.
 */

static void
mh_links_name(struct mh_call *call, const struct mh_sdp *web,
    const uint8_t via[MH_SDP_MAX_MEDIA])
{
    unsigned                    i, j, n;
    const struct mh_sdp_media  *m;

    for (i = 0; i < web->mediac; i++) {
        m = &web->media[i];

        if (call->streams[i] == NULL) {
            continue;
        }

        n = 0;

        for (j = 0; j < web->mediac; j++) {
            n += (call->streams[j] != NULL && !web->media[j].refused
                  && web->media[j].bundled && via[j] == via[i]);
        }

        mh_stream_mid(call->streams[i], n > 1 && m->bundled ? m->mid_ext : 0,
                      &m->mid);
    }
}


const struct mh_sdp_media *
mh_links_media(const struct mh_sdp *web, const uint8_t via[MH_SDP_MAX_MEDIA],
    unsigned k)
{
    unsigned                    i;
    struct pl                   group, word;
    const struct mh_sdp_media  *m;

    group = web->group;

    while (mh_pl_word(&group, &word)) {

        for (i = 0; i < web->mediac; i++) {
            m = &web->media[i];

            if (via[i] == k && !m->refused && mh_pl_same(&m->mid, &word)) {

                /* in a later offer only the tagged one has them */

                return pl_isset(&m->ufrag) ? m : mh_sdp_transport(web, m);
            }
        }
    }

    for (i = 0; i < web->mediac; i++) {

        if (via[i] == k && !web->media[i].refused) {
            return &web->media[i];
        }
    }

    return NULL;
}


void
mh_links_forget(struct mh_call *call, unsigned i)
{
    unsigned  k;

    static const struct pl  none = { NULL, 0 };

    for (k = 0; k < call->links.n; k++) {
        mh_bundle_set(&call->links.v[k]->bundle, i, NULL, &none);
    }
}


bool
mh_links_expired(const struct mh_call *call, uint64_t now)
{
    bool                    used;
    unsigned                i;
    const struct mh_links  *links;

    links = &call->links;
    used = false;

    for (i = 0; i < MH_SDP_MAX_MEDIA; i++) {

        if (links->via[i] == MH_LINK_NONE) {
            continue;
        }

        if (!mh_transport_expired(links->v[links->via[i]]->transport, now)) {
            return false;
        }

        used = true;
    }

    return used || mh_transport_expired(links->v[0]->transport, now);
}


bool
mh_links_closed(const struct mh_call *call)
{
    bool                   closed;
    unsigned               k;
    const struct mh_link  *link;

    closed = false;

    for (k = 0; k < call->links.n; k++) {
        link = call->links.v[k];

        if (link->failed && !link->closed) {
            return false;
        }

        closed = closed || link->closed;
    }

    return closed;
}


struct mh_transport *
mh_call_transport(const struct mh_call *call, unsigned i)
{
    uint8_t  k;

    k = call->links.via[i];

    if (k == MH_LINK_NONE) {
        k = call->links.next[i];
    }

    return call->links.v[k == MH_LINK_NONE ? 0 : k]->transport;
}


static void
mh_link_destroy(void *data)
{
    struct mh_link  *link = data;

    mem_deref(link->transport);
    mem_deref(link->peer_tls_id);
}


static int
mh_link_add(struct mh_call *call, uint8_t *k)
{
    int               err;
    struct mh_link   *link;
    struct mh_links  *links;

    links = &call->links;

    link = mem_zalloc(sizeof(*link), mh_link_destroy);
    if (link == NULL) {
        return ENOMEM;
    }

    err = mh_link_name(link);

    if (err == 0) {
        err = mh_transport_alloc(&link->transport, call->calls->conf.web,
                                 mh_link_media_h, mh_link_state_h, link);
    }

    if (err) {
        mem_deref(link);
        return err;
    }

    link->call = call;
    links->v[links->n] = link;
    *k = (uint8_t) links->n++;

    return 0;
}


/* a link that no m-line has or is planned for, or else a new one */

static int
mh_link_free(struct mh_call *call, const bool *taken, uint8_t *k)
{
    unsigned          i, j;
    struct mh_links  *links;

    links = &call->links;

    for (i = 0; i < links->n; i++) {

        if (taken[i]) {
            continue;
        }

        for (j = 0; j < MH_SDP_MAX_MEDIA; j++) {
            if (links->via[j] == i) {
                break;
            }
        }

        if (j == MH_SDP_MAX_MEDIA) {
            *k = (uint8_t) i;
            return 0;
        }
    }

    if (links->n == MH_SDP_MAX_MEDIA) {
        return ENOSPC;
    }

    return mh_link_add(call, k);
}


/* frees what is neither in force nor planned; the first one only moves up */

static void
mh_links_drop(struct mh_call *call)
{
    bool              used;
    unsigned          i, k;
    struct mh_links  *links;

    links = &call->links;

    for (k = links->n; k-- > 0 && links->n > 1; /* void */ ) {
        used = false;

        for (i = 0; i < MH_SDP_MAX_MEDIA; i++) {
            used = used || links->via[i] == k || links->next[i] == k;
        }

        if (used) {
            continue;
        }

        mem_deref(links->v[k]);
        links->n--;

        memmove(&links->v[k], &links->v[k + 1],
                (links->n - k) * sizeof(links->v[0]));

        for (i = 0; i < MH_SDP_MAX_MEDIA; i++) {
            links->via[i] -= (links->via[i] != MH_LINK_NONE
                              && links->via[i] > k);
            links->next[i] -= (links->next[i] != MH_LINK_NONE
                               && links->next[i] > k);
        }

        if (links->group != MH_LINK_NONE && links->group > k) {
            links->group--;
        }
    }
}


static bool
mh_links_wanted(const struct mh_call *call, unsigned i)
{
    return call->streams[i] != NULL && !call->dropped[i];
}


/*
 * First what the ufrags tell, over all m-lines: one that leaves the bundle
 * must not get the link that the others stay on.
 */

static int
mh_links_plan_web(struct mh_call *call, const struct mh_sdp *sdp)
{
    int                         err;
    bool                        taken[MH_SDP_MAX_MEDIA];
    uint8_t                     k, next[MH_SDP_MAX_MEDIA];
    unsigned                    i, lead, turn;
    struct mh_links            *links;
    const struct mh_sdp_media  *m;

    links = &call->links;

    memset(taken, 0, sizeof(taken));
    memset(next, MH_LINK_NONE, sizeof(next));

    for (turn = 0; turn < 2; turn++) {

        for (i = 0; i < sdp->mediac; i++) {

            if (!mh_links_wanted(call, i)) {
                continue;
            }

            lead = mh_links_leader(call, sdp, i);

            if (next[lead] == MH_LINK_NONE && turn == 0) {
                m = &sdp->media[lead];
                m = pl_isset(&m->ufrag) ? m : mh_sdp_transport(sdp, m);

                next[lead] = mh_links_known(call, &m->ufrag, lead, taken);

            } else if (next[lead] == MH_LINK_NONE) {
                k = links->via[lead];

                if (k == MH_LINK_NONE || taken[k]) {
                    err = mh_link_free(call, taken, &k);
                    if (err) {
                        return err;
                    }
                }

                next[lead] = k;
            }

            if (next[lead] != MH_LINK_NONE) {
                taken[next[lead]] = true;
            }

            next[i] = next[lead];
        }
    }

    memcpy(links->next, next, sizeof(links->next));

    return 0;
}


/* what has a link keeps it; what has none joins the bundle if there is one */

static int
mh_links_plan_ims(struct mh_call *call, const struct mh_sdp *sdp, bool one)
{
    int               err;
    bool              taken[MH_SDP_MAX_MEDIA];
    uint8_t           first, next[MH_SDP_MAX_MEDIA];
    unsigned          i, k;
    struct mh_links  *links;

    links = &call->links;
    first = MH_LINK_NONE;
    one = one && !links->settled;

    memset(taken, 0, sizeof(taken));
    memset(next, MH_LINK_NONE, sizeof(next));

    for (i = 0; i < sdp->mediac; i++) {

        if (!mh_links_wanted(call, i)) {
            continue;
        }

        k = (one && first != MH_LINK_NONE) ? first : mh_links_now(links, i);

        if (k != MH_LINK_NONE) {
            next[i] = (uint8_t) k;
            taken[k] = true;
            first = next[i];
        }
    }

    for (i = 0; i < sdp->mediac; i++) {

        if (!mh_links_wanted(call, i) || next[i] != MH_LINK_NONE) {
            continue;
        }

        if (one && first != MH_LINK_NONE) {
            next[i] = first;
            continue;
        }

        err = mh_link_free(call, taken, &next[i]);
        if (err) {
            return err;
        }

        first = next[i];
        taken[first] = true;
    }

    memcpy(links->next, next, sizeof(links->next));

    return 0;
}


static unsigned
mh_links_now(const struct mh_links *links, unsigned i)
{
    if (!links->settled) {
        return links->next[i];
    }

    return links->via[i] == MH_LINK_NONE ? links->group : links->via[i];
}


/* the m-line that stands for i: the first of the bundle that we carry */

static unsigned
mh_links_leader(const struct mh_call *call, const struct mh_sdp *sdp,
    unsigned i)
{
    unsigned   k;
    struct pl  group, word;

    if (!sdp->media[i].bundled) {
        return i;
    }

    group = sdp->group;

    while (mh_pl_word(&group, &word)) {

        for (k = 0; k < sdp->mediac; k++) {

            if (mh_links_wanted(call, k) && !sdp->media[k].refused
                && mh_pl_same(&sdp->media[k].mid, &word))
            {
                return k;
            }
        }
    }

    return i;
}


/* the link with that ufrag; of several first the one that the m-line has */

static uint8_t
mh_links_known(const struct mh_call *call, const struct pl *ufrag,
    unsigned i, const bool *taken)
{
    uint8_t                 k, found;
    const struct mh_links  *links;

    links = &call->links;
    found = MH_LINK_NONE;

    for (k = 0; k < links->n; k++) {

        if (taken[k] || !mh_transport_is(links->v[k]->transport, ufrag)) {
            continue;
        }

        if (links->via[i] == k) {
            return k;
        }

        if (found == MH_LINK_NONE) {
            found = k;
        }
    }

    return found;
}


static void
mh_link_media_h(uint8_t *buf, size_t len, bool rtcp, void *arg)
{
    struct mh_link  *link = arg;

    mh_bundle_recv_h(buf, len, rtcp, &link->bundle);
}


static void
mh_link_state_h(int err, const char *reason, void *arg)
{
    unsigned         k;
    struct mh_link  *link = arg;
    struct mh_call  *call;

    call = link->call;
    link->failed = (err != 0);
    link->closed = (err == ECONNRESET);
    call->failed = false;

    for (k = 0; k < call->links.n; k++) {
        call->failed = call->failed || call->links.v[k]->failed;
    }

    if (err) {
        mh_info("call \"%s\" dtls ended: %s", call->id, reason);

        /* an alert takes back the consent (RFC 7675 5.2) */

        mh_ended_add(call->calls->ended, call->id,
                     err == ECONNRESET ? MH_ENDED_MEDIA_LOST
                                       : MH_ENDED_DTLS_FAILED);
        return;
    }

    mh_debug("call \"%s\" dtls up, %s", call->id,
             mh_transport_suite(link->transport));
}
