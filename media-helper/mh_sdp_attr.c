
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The attributes of SDP that mean something to us: one table, one handler
 * each.  A handler gets the value without leading and trailing blanks; it
 * returns 0, also for a value that it does not understand and nobody needs,
 * or EBADMSG for one that must not be misunderstood.
 */


#include <errno.h>

#include "mh_sdp.h"
#include "mh_sdp_text.h"


struct mh_sdp_attribute {
    const char           *name;
    int                 (*handler)(struct mh_sdp_reader *r, struct pl value);
};


static int mh_sdp_a_rtpmap(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_fmtp(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_rtcp_fb(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_rtcp(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_rtcp_mux(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_rtcp_rsize(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_sendrecv(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_sendonly(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_recvonly(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_inactive(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_mid(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_group(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_bundle_only(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_extmap(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_ice_ufrag(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_ice_pwd(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_ice_lite(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_ice_options(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_candidate(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_end_of_candidates(struct mh_sdp_reader *r,
    struct pl value);
static int mh_sdp_a_fingerprint(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_setup(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_tls_id(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_a_crypto(struct mh_sdp_reader *r, struct pl value);


static const struct mh_sdp_attribute  mh_sdp_attributes[] = {
    { "rtpmap", mh_sdp_a_rtpmap },
    { "fmtp", mh_sdp_a_fmtp },
    { "rtcp-fb", mh_sdp_a_rtcp_fb },
    { "rtcp", mh_sdp_a_rtcp },
    { "rtcp-mux", mh_sdp_a_rtcp_mux },
    { "rtcp-mux-only", mh_sdp_a_rtcp_mux },
    { "rtcp-rsize", mh_sdp_a_rtcp_rsize },
    { "sendrecv", mh_sdp_a_sendrecv },
    { "sendonly", mh_sdp_a_sendonly },
    { "recvonly", mh_sdp_a_recvonly },
    { "inactive", mh_sdp_a_inactive },
    { "mid", mh_sdp_a_mid },
    { "group", mh_sdp_a_group },
    { "bundle-only", mh_sdp_a_bundle_only },
    { "extmap", mh_sdp_a_extmap },
    { "ice-ufrag", mh_sdp_a_ice_ufrag },
    { "ice-pwd", mh_sdp_a_ice_pwd },
    { "ice-lite", mh_sdp_a_ice_lite },
    { "ice-options", mh_sdp_a_ice_options },
    { "candidate", mh_sdp_a_candidate },
    { "end-of-candidates", mh_sdp_a_end_of_candidates },
    { "fingerprint", mh_sdp_a_fingerprint },
    { "setup", mh_sdp_a_setup },
    { "tls-id", mh_sdp_a_tls_id },
    { "crypto", mh_sdp_a_crypto },
    { NULL, NULL }
};


int
mh_sdp_attribute(struct mh_sdp_reader *r, struct pl value)
{
    struct pl                       name;
    const struct mh_sdp_attribute  *a;

    mh_pl_part(&value, ':', &name);

    for (a = mh_sdp_attributes; a->name; a++) {

        if (mh_pl_is(&name, a->name)) {
            mh_pl_trim(&value);
            return a->handler(r, value);
        }
    }

    return 0;
}


/* takes "<payload type> " off; NULL if the m-line has no such number */

static struct mh_sdp_format *
mh_sdp_format_of(struct mh_sdp_reader *r, struct pl *value)
{
    unsigned   i;
    uint64_t   pt;
    struct pl  word;

    if (!mh_pl_word(value, &word) || !mh_pl_number(&word, 127, &pt)) {
        return NULL;
    }

    mh_pl_trim(value);

    for (i = r->m->format; i < r->m->format + r->m->formatc; i++) {

        if (r->sdp->formats[i].pt == pt) {
            return &r->sdp->formats[i];
        }
    }

    return NULL;
}


/* a=rtpmap:<pt> <name>/<clock>[/<channels>] */

static int
mh_sdp_a_rtpmap(struct mh_sdp_reader *r, struct pl value)
{
    uint64_t               n;
    struct pl              rest, part;
    struct mh_sdp_format  *f;

    f = mh_sdp_format_of(r, &value);

    if (f == NULL || f->rtpmap.l) {
        return 0;
    }

    f->rtpmap = value;
    f->codec = MH_SDP_UNKNOWN;
    f->clock = 0;

    rest = value;

    mh_pl_part(&rest, '/', &f->name);

    if (!mh_pl_part(&rest, '/', &part)
        || !mh_pl_number(&part, UINT32_MAX, &n))
    {
        return 0;
    }

    f->clock = (uint32_t) n;

    if (rest.l) {
        f->channels = mh_pl_number(&rest, 255, &n) ? (uint8_t) n : 0;
    }

    mh_sdp_codec_set(f);

    return 0;
}


static int
mh_sdp_a_fmtp(struct mh_sdp_reader *r, struct pl value)
{
    struct mh_sdp_format  *f;

    f = mh_sdp_format_of(r, &value);

    if (f && f->fmtp.l == 0) {
        f->fmtp = value;
    }

    return 0;
}


/* a=rtcp-fb:(<pt>|*) nack pli; the writer looks at the lines again */

static int
mh_sdp_a_rtcp_fb(struct mh_sdp_reader *r, struct pl value)
{
    struct pl  pt, type, param;

    mh_pl_word(&value, &pt);
    mh_pl_word(&value, &type);
    mh_pl_word(&value, &param);

    if (mh_pl_is(&type, "nack") && mh_pl_is(&param, "")) {
        r->m->nack = true;

    } else if (mh_pl_is(&type, "nack") && mh_pl_is(&param, "pli")) {
        r->m->nack_pli = true;

    } else if (mh_pl_is(&type, "goog-remb")) {
        r->m->goog_remb = true;

    } else if (mh_pl_is(&type, "ccm") && mh_pl_is(&param, "tmmbr")) {
        r->m->ccm_tmmbr = true;

    } else if (mh_pl_is(&type, "ccm") && mh_pl_is(&param, "fir")) {
        r->m->ccm_fir = true;
    }

    return 0;
}


/* a=rtcp:<port> [IN IP4 <address>] (RFC 3605) */

static int
mh_sdp_a_rtcp(struct mh_sdp_reader *r, struct pl value)
{
    uint64_t   n;
    struct pl  port, word;

    if (!mh_pl_word(&value, &port) || !mh_pl_number(&port, 65535, &n)) {
        return EBADMSG;
    }

    r->m->rtcp_port = (uint16_t) n;

    if (mh_pl_word(&value, &word) && mh_pl_word(&value, &word)
        && mh_pl_word(&value, &word))
    {
        r->m->rtcp_addr = word;
    }

    return 0;
}


static int
mh_sdp_a_rtcp_mux(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->rtcp_mux = true;

    return 0;
}


static int
mh_sdp_a_rtcp_rsize(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->rtcp_rsize = true;

    return 0;
}


static int
mh_sdp_a_sendrecv(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->dir = MH_SDP_SENDRECV;

    return 0;
}


static int
mh_sdp_a_sendonly(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->dir = MH_SDP_SENDONLY;

    return 0;
}


static int
mh_sdp_a_recvonly(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->dir = MH_SDP_RECVONLY;

    return 0;
}


static int
mh_sdp_a_inactive(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->dir = MH_SDP_INACTIVE;

    return 0;
}


static int
mh_sdp_a_mid(struct mh_sdp_reader *r, struct pl value)
{
    struct pl  mid;

    if (!mh_pl_word(&value, &mid) || mid.l > MH_SDP_MAX_MID) {
        return EBADMSG;
    }

    r->m->mid = mid;

    return 0;
}


/* a=group:BUNDLE <mid> ... (RFC 9143); the first group is ours */

static int
mh_sdp_a_group(struct mh_sdp_reader *r, struct pl value)
{
    struct pl  word;

    if (mh_pl_word(&value, &word) && mh_pl_is(&word, "BUNDLE")
        && r->sdp->group.l == 0 && r->sdp->mediac == 0)
    {
        mh_pl_trim(&value);
        r->sdp->group = value;
    }

    return 0;
}


static int
mh_sdp_a_bundle_only(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->bundle_only = true;

    return 0;
}


/* a=extmap:<id>[/<direction>] <uri> (RFC 8285) */

static int
mh_sdp_a_extmap(struct mh_sdp_reader *r, struct pl value)
{
    uint64_t   n;
    struct pl  word, id, uri;

    if (mh_pl_word(&value, &word) && mh_pl_word(&value, &uri)
        && mh_pl_is(&uri, MH_SDP_MID_URI)
        && mh_pl_part(&word, '/', &id) && mh_pl_number(&id, 255, &n))
    {
        r->m->mid_ext = (uint8_t) n;
    }

    return 0;
}


/* RFC 8839 5.4: 4 to 256, and 22 to 256 characters */

static int
mh_sdp_a_ice_ufrag(struct mh_sdp_reader *r, struct pl value)
{
    if (value.l < 4 || value.l > 256) {
        return EBADMSG;
    }

    r->m->ufrag = value;

    return 0;
}


static int
mh_sdp_a_ice_pwd(struct mh_sdp_reader *r, struct pl value)
{
    if (value.l < 22 || value.l > 256) {
        return EBADMSG;
    }

    r->m->pwd = value;

    return 0;
}


static int
mh_sdp_a_ice_lite(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->sdp->ice_lite = true;

    return 0;
}


static int
mh_sdp_a_ice_options(struct mh_sdp_reader *r, struct pl value)
{
    struct pl  word;

    while (mh_pl_word(&value, &word)) {

        if (mh_pl_is(&word, "trickle")) {
            r->sdp->ice_trickle = true;
        }
    }

    return 0;
}


/*
 * a=candidate:<foundation> <component> <transport> <priority> <address> ...
 * A lite agent checks nobody, so they are only counted; ".local" names
 * (mDNS) are of no use outside the browser's own network.
 */

static int
mh_sdp_a_candidate(struct mh_sdp_reader *r, struct pl value)
{
    unsigned   i;
    struct pl  word;

    for (i = 0; i < 5; i++) {

        if (!mh_pl_word(&value, &word)) {
            return 0;
        }
    }

    if (word.l < 6 || strncasecmp(word.p + word.l - 6, ".local", 6) != 0) {
        r->m->candidates++;
    }

    return 0;
}


static int
mh_sdp_a_end_of_candidates(struct mh_sdp_reader *r, struct pl value)
{
    (void) value;

    r->m->end_of_candidates = true;

    return 0;
}


/*
 * a=fingerprint:sha-256 AB:CD:... (RFC 8122 5).  One of a weaker hash is as
 * good as none: mh_dtls would not take it (RFC 8827 6.5).
 */

static int
mh_sdp_a_fingerprint(struct mh_sdp_reader *r, struct pl value)
{
    size_t                      n;
    uint8_t                     bytes[64];
    struct mh_sdp_fingerprint  *fp;

    if (r->m->fingerprintc == MH_SDP_MAX_FINGERPRINTS) {
        return 0;
    }

    fp = &r->m->fingerprints[r->m->fingerprintc];

    if (!mh_pl_word(&value, &fp->hash) || !mh_pl_word(&value, &fp->value)
        || mh_sdp_fingerprint_bytes(fp, bytes, sizeof(bytes), &n) != 0)
    {
        return EBADMSG;
    }

    if (!mh_pl_is_nocase(&fp->hash, "sha-256")
        && !mh_pl_is_nocase(&fp->hash, "sha-384")
        && !mh_pl_is_nocase(&fp->hash, "sha-512"))
    {
        return 0;
    }

    r->m->fingerprintc++;

    return 0;
}


static int
mh_sdp_a_setup(struct mh_sdp_reader *r, struct pl value)
{
    unsigned            i;
    static const char  *names[] = {
        "actpass", "active", "passive", "holdconn"
    };

    for (i = 0; i < 4; i++) {

        if (mh_pl_is_nocase(&value, names[i])) {
            r->m->setup = (enum mh_sdp_setup) (MH_SDP_ACTPASS + i);
            return 0;
        }
    }

    return EBADMSG;
}


static int
mh_sdp_a_tls_id(struct mh_sdp_reader *r, struct pl value)
{
    /* RFC 8842 4: up to 255 characters; a longer one says nothing */

    if (value.l <= 255) {
        r->m->tls_id = value;
    }

    return 0;
}


static int
mh_sdp_a_crypto(struct mh_sdp_reader *r, struct pl value)
{
    struct mh_sdes_line  line;

    if (r->m->cryptoc == MH_SDES_LINES) {
        return 0;
    }

    r->m->cryptos[r->m->cryptoc++] = value;

    /* one that we cannot do is as good as none (RFC 4568 5.1.2) */

    if (mh_sdes_parse(&value, &line) == 0) {
        r->m->suites |= 1u << line.suite;
        explicit_bzero(&line, sizeof(line));
    }

    return 0;
}
