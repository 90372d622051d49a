
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Which codecs pass from one leg's offer to the other leg, and under which
 * payload type numbers.  Numbers of the offer are kept where they can be;
 * one that is taken, or that the other leg should not see, is replaced, and
 * the packet path maps it back and forth (RFC 3264 6.1 and 8.3.2, SD-11).
 */


#include <errno.h>

#include "mh_sdp.h"
#include "mh_sdp_text.h"


#define MH_SDP_BIT(codec)  (1u << (codec))


static const char  *mh_sdp_codec_names[MH_SDP_CODECS] = {
    "", "PCMU", "PCMA", "G722", "AMR", "AMR-WB", "opus", "telephone-event",
    "CN", "H264", "VP8"
};


static bool mh_sdp_rule(const struct pl *rules, unsigned n,
    const struct mh_sdp_format *f);
static bool mh_sdp_h264_baseline(const struct mh_sdp_format *f);
static bool mh_sdp_has_baseline(const struct mh_sdp *sdp,
    const struct mh_sdp_media *m);
static struct mh_sdp_pt *mh_sdp_map_known(struct mh_sdp_map *map,
    const struct mh_sdp_format *f);
static uint32_t mh_sdp_variant(const struct mh_sdp_format *f);
static uint8_t mh_sdp_pt_new(const struct mh_sdp_map *maps, unsigned mapc,
    unsigned i, const struct mh_sdp_format *f, enum mh_sdp_leg leg);
static bool mh_sdp_pt_used(const struct mh_sdp_map *maps, unsigned mapc,
    unsigned i, unsigned pt, enum mh_sdp_leg leg);


void
mh_sdp_policy_init(struct mh_sdp_policy *policy, enum mh_sdp_leg leg)
{
    memset(policy, 0, sizeof(*policy));

    policy->audio = MH_SDP_BIT(MH_SDP_PCMU) | MH_SDP_BIT(MH_SDP_PCMA)
                    | MH_SDP_BIT(MH_SDP_G722) | MH_SDP_BIT(MH_SDP_AMR)
                    | MH_SDP_BIT(MH_SDP_AMR_WB) | MH_SDP_BIT(MH_SDP_CN)
                    | MH_SDP_BIT(MH_SDP_TELEPHONE_EVENT);

    policy->video = MH_SDP_BIT(MH_SDP_H264);
    policy->video_as = 512;
    policy->suites = MH_SDES_ALL;

    if (leg == MH_SDP_WEB) {
        policy->audio |= MH_SDP_BIT(MH_SDP_OPUS);
        policy->video |= MH_SDP_BIT(MH_SDP_VP8);
    }
}


const char *
mh_sdp_codec_name(unsigned codec)
{
    return (codec < MH_SDP_CODECS) ? mh_sdp_codec_names[codec] : "";
}


bool
mh_sdp_is_media(unsigned codec)
{
    return codec != MH_SDP_UNKNOWN && codec != MH_SDP_TELEPHONE_EVENT
           && codec != MH_SDP_CN;
}


/*
 * A rule is "opus", "opus/48000", "opus/48000/2", or "all"; what stands
 * behind the channels (bit rate, format parameters) is for transcoders.
 */

static bool
mh_sdp_rule(const struct pl *rules, unsigned n,
    const struct mh_sdp_format *f)
{
    unsigned   i;
    uint64_t   clock, channels;
    struct pl  rest, word, number;

    for (i = 0; i < n && i < MH_SDP_MAX_CODEC_RULES; i++) {
        rest = rules[i];
        mh_pl_part(&rest, '/', &word);

        if (mh_pl_is_nocase(&word, "all") || mh_pl_is_nocase(&word, "full")) {
            return true;
        }

        if (word.l != f->name.l || word.l == 0
            || strncasecmp(word.p, f->name.p, word.l) != 0)
        {
            continue;
        }

        mh_pl_part(&rest, '/', &number);

        if (mh_pl_number(&number, UINT32_MAX, &clock) && clock != f->clock) {
            continue;
        }

        mh_pl_part(&rest, '/', &number);

        if (!mh_pl_number(&number, 255, &channels)
            || channels == f->channels)
        {
            return true;
        }
    }

    return false;
}


/* RFC 6184 8.1: no profile-level-id means baseline, level 1 */

static bool
mh_sdp_h264_baseline(const struct mh_sdp_format *f)
{
    struct pl  level;

    if (!mh_pl_param(&f->fmtp, "profile-level-id", &level)) {
        return true;
    }

    return level.l == 6 && level.p[0] == '4' && level.p[1] == '2';
}


bool
mh_sdp_removed(const struct mh_sdp_media *m,
    const struct mh_sdp_policy *policy)
{
    return (m->kind == MH_SDP_AUDIO && policy->no_audio)
           || (m->kind == MH_SDP_VIDEO && policy->no_video);
}


bool
mh_sdp_passes(const struct mh_sdp *sdp, const struct mh_sdp_media *m,
    const struct mh_sdp_format *f, const struct mh_sdp_policy *policy)
{
    uint32_t                     mask;
    const struct mh_sdp_format  *other, *end;

    if (f->codec == MH_SDP_UNKNOWN) {
        return false;
    }

    mask = (m->kind == MH_SDP_AUDIO) ? policy->audio : policy->video;

    if (!mh_sdp_rule(policy->offer, policy->offerc, f)
        && (!(mask & MH_SDP_BIT(f->codec))
            || mh_sdp_rule(policy->strip, policy->stripc, f)))
    {
        return false;
    }

    if (mh_sdp_is_media(f->codec) && f->codec != MH_SDP_H264) {
        return true;
    }

    other = &sdp->formats[m->format];
    end = other + m->formatc;

    if (f->codec == MH_SDP_H264) {
        return mh_sdp_h264_baseline(f) || !mh_sdp_has_baseline(sdp, m);
    }

    /*
     * Tones and silence have the clock of the codec they go with (RFC 4733
     * 2.1, RFC 3389): without one they would stand alone.
     */

    for ( /* void */ ; other < end; other++) {

        if (mh_sdp_is_media(other->codec) && other->clock == f->clock
            && mh_sdp_passes(sdp, m, other, policy))
        {
            return true;
        }
    }

    return false;
}


/* SD-14: baseline is what the IMS has; other profiles only without it */

static bool
mh_sdp_has_baseline(const struct mh_sdp *sdp, const struct mh_sdp_media *m)
{
    unsigned                     j;
    const struct mh_sdp_format  *f;

    for (j = 0; j < m->formatc; j++) {
        f = &sdp->formats[m->format + j];

        if (f->codec == MH_SDP_H264 && mh_sdp_h264_baseline(f)) {
            return true;
        }
    }

    return false;
}


bool
mh_sdp_wanted(const struct mh_sdp *offer, unsigned i,
    const struct mh_sdp_local *local)
{
    unsigned                     j;
    const struct mh_sdp_media   *m;
    const struct mh_sdp_format  *f;

    if (i >= offer->mediac) {
        return false;
    }

    m = &offer->media[i];

    if (m->refused || m->kind == MH_SDP_OTHER
        || mh_sdp_removed(m, &local->policy))
    {
        return false;
    }

    if (local->leg == MH_SDP_IMS) {

        if (m->proto != MH_SDP_SAVP && m->proto != MH_SDP_SAVPF) {
            return false;
        }

    } else if (m->af == 0 || m->tls || m->proto == MH_SDP_PROTO_OTHER) {
        return false;

    } else if ((m->proto == MH_SDP_SAVP || m->proto == MH_SDP_SAVPF)
               && (m->suites & local->policy.suites) == 0)
    {
        return false;
    }

    for (j = 0; j < m->formatc; j++) {
        f = &offer->formats[m->format + j];

        if (mh_sdp_is_media(f->codec)
            && mh_sdp_passes(offer, m, f, &local->policy))
        {
            return true;
        }
    }

    return false;
}


/*
 * What makes two formats of one name incompatible: for H264 the profile
 * (not the level) and the packetization mode (RFC 6184 8.2.2), for AMR the
 * payload form (RFC 4867 8.3.1).
 */

static uint32_t
mh_sdp_variant(const struct mh_sdp_format *f)
{
    int        digit;
    unsigned   i;
    uint32_t   variant;
    struct pl  value;

    switch (f->codec) {

    case MH_SDP_H264:
        variant = 0x4200;

        if (mh_pl_param(&f->fmtp, "profile-level-id", &value)
            && value.l == 6)
        {
            for (variant = 0, i = 0; i < 4; i++) {
                digit = mh_hex_digit(value.p[i]);
                variant = variant << 4 | (uint32_t) (digit & 0xf);
            }
        }

        if (mh_pl_param(&f->fmtp, "packetization-mode", &value)
            && value.l == 1)
        {
            variant |= (uint32_t) (unsigned char) (value.p[0] - '0') << 16;
        }

        return variant;

    case MH_SDP_AMR:
    case MH_SDP_AMR_WB:
        return mh_pl_param(&f->fmtp, "octet-align", &value)
               && mh_pl_is(&value, "1");

    default:
        return 0;
    }
}


static bool
mh_sdp_pt_used(const struct mh_sdp_map *maps, unsigned mapc, unsigned i,
    unsigned pt, enum mh_sdp_leg leg)
{
    unsigned  j, k;

    for (k = 0; k < mapc; k++) {

        /* bundled m-lines share one space of numbers (RFC 9143 9.1) */

        if (leg == MH_SDP_IMS && k != i) {
            continue;
        }

        for (j = 0; j < maps[k].n; j++) {

            if (maps[k].pt[j].from[leg] == pt
                || maps[k].pt[j].to[leg] == pt)
            {
                return true;
            }
        }
    }

    return false;
}


/*
 * A number for a format on the leg that the offer goes to: its own, else a
 * free dynamic one.  64 to 95 collide with RTCP under rtcp-mux (RFC 5761 4);
 * 35 to 63 are used by browsers and are strange to IMS equipment, so there
 * they are the last resort.
 */

static uint8_t
mh_sdp_pt_new(const struct mh_sdp_map *maps, unsigned mapc, unsigned i,
    const struct mh_sdp_format *f, enum mh_sdp_leg leg)
{
    unsigned  pt;

    pt = f->pt;

    if ((pt < 35 || pt > 95 || (leg == MH_SDP_WEB && pt < 64))
        && !mh_sdp_pt_used(maps, mapc, i, pt, leg))
    {
        return (uint8_t) pt;
    }

    for (pt = 96; pt < 128; pt++) {

        if (!mh_sdp_pt_used(maps, mapc, i, pt, leg)) {
            return (uint8_t) pt;
        }
    }

    for (pt = 35; pt < 64; pt++) {

        if (!mh_sdp_pt_used(maps, mapc, i, pt, leg)) {
            return (uint8_t) pt;
        }
    }

    return 0xff;
}


struct mh_sdp_pt *
mh_sdp_map_offer(struct mh_sdp_map *maps, unsigned mapc, unsigned i,
    const struct mh_sdp_format *f, enum mh_sdp_leg src,
    uint32_t *seen, int *err)
{
    uint8_t            number;
    unsigned           j;
    enum mh_sdp_leg    dst;
    struct mh_sdp_pt  *pt;

    *err = 0;
    dst = (src == MH_SDP_IMS) ? MH_SDP_WEB : MH_SDP_IMS;
    pt = mh_sdp_map_known(&maps[i], f);

    if (pt != NULL) {
        j = (unsigned) (pt - maps[i].pt);

        if (*seen & MH_SDP_BIT(j)) {
            return NULL;
        }

        *seen |= MH_SDP_BIT(j);

        pt->to[src] = f->pt;
        pt->from[src] = f->pt;

        return pt;
    }

    if (maps[i].n == MH_SDP_MAX_PT) {
        return NULL;
    }

    number = mh_sdp_pt_new(maps, mapc, i, f, dst);

    if (number == 0xff) {
        *err = ENOMEM;
        return NULL;
    }

    *seen |= MH_SDP_BIT(maps[i].n);

    pt = &maps[i].pt[maps[i].n++];

    memset(pt, 0, sizeof(*pt));

    pt->codec = (uint8_t) f->codec;
    pt->channels = f->channels;
    pt->clock = f->clock;
    pt->variant = mh_sdp_variant(f);
    pt->to[src] = f->pt;
    pt->from[src] = f->pt;
    pt->to[dst] = number;
    pt->from[dst] = number;

    return pt;
}


static struct mh_sdp_pt *
mh_sdp_map_known(struct mh_sdp_map *map, const struct mh_sdp_format *f)
{
    unsigned           j;
    uint32_t           variant;
    struct mh_sdp_pt  *pt;

    variant = mh_sdp_variant(f);

    for (j = 0; j < map->n; j++) {
        pt = &map->pt[j];

        if (pt->codec == f->codec && pt->clock == f->clock
            && pt->channels == f->channels && pt->variant == variant)
        {
            return pt;
        }
    }

    return NULL;
}


/*
 * An answerer should keep the numbers, so look for those first; the variant
 * then need not be the same (a lower H264 constraint, a level).
 */

struct mh_sdp_pt *
mh_sdp_map_answer(struct mh_sdp_map *map, const struct mh_sdp_format *f,
    enum mh_sdp_leg answerer)
{
    unsigned           j, pass;
    uint32_t           variant;
    struct mh_sdp_pt  *pt;

    if (f->codec == MH_SDP_UNKNOWN) {
        return NULL;
    }

    variant = mh_sdp_variant(f);

    for (pass = 0; pass < 3; pass++) {

        for (j = 0; j < map->n; j++) {
            pt = &map->pt[j];

            if (pt->codec != f->codec || pt->clock != f->clock
                || pt->channels != f->channels)
            {
                continue;
            }

            if ((pass == 0 && pt->from[answerer] == f->pt)
                || (pass == 1 && pt->variant == variant)
                || pass == 2)
            {
                return pt;
            }
        }
    }

    return NULL;
}


void
mh_sdp_table(const struct mh_sdp_map *map, enum mh_sdp_leg from,
    uint8_t table[128])
{
    unsigned                 j;
    enum mh_sdp_leg          to;
    const struct mh_sdp_pt  *pt;

    memset(table, 0xff, 128);
    to = (from == MH_SDP_IMS) ? MH_SDP_WEB : MH_SDP_IMS;

    for (j = 0; j < map->n; j++) {
        pt = &map->pt[j];

        if (pt->chosen || !map->answered) {
            table[pt->from[from] & 0x7f] = pt->to[to];
        }
    }

    /* a peer that renumbered may also send with its own numbers */

    for (j = 0; j < map->n; j++) {
        pt = &map->pt[j];

        if ((pt->chosen || !map->answered)
            && table[pt->to[from] & 0x7f] == 0xff)
        {
            table[pt->to[from] & 0x7f] = pt->to[to];
        }
    }
}


void
mh_sdp_clocks(const struct mh_sdp_map *map, enum mh_sdp_leg from,
    uint8_t clocks[128])
{
    uint8_t                  khz;
    unsigned                 j;
    const struct mh_sdp_pt  *pt;

    memset(clocks, 0, 128);

    for (j = 0; j < map->n; j++) {
        pt = &map->pt[j];

        if (pt->codec == MH_SDP_TELEPHONE_EVENT || pt->codec == MH_SDP_CN
            || (map->answered && !pt->chosen))
        {
            continue;
        }

        khz = (uint8_t) (pt->clock / 1000);
        clocks[pt->from[from] & 0x7f] = khz;

        if (clocks[pt->to[from] & 0x7f] == 0) {
            clocks[pt->to[from] & 0x7f] = khz;
        }
    }
}
