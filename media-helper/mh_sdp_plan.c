
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Plans an offer or an answer, m-line by m-line: refused or not, which
 * codecs under which numbers, which feedback.  This comes before writing
 * because the BUNDLE group stands above the m-lines that it names.
 */


#include <errno.h>
#include <stdio.h>

#include "mh_sdp.h"
#include "mh_sdp_text.h"
#include "mh_sdp_plan.h"


static int mh_sdp_plan_offer(struct mh_sdp_plan *plan,
    const struct mh_sdp *offer, struct mh_sdp_map *maps);
static int mh_sdp_plan_offered(struct mh_sdp_plan *plan,
    const struct mh_sdp *offer, unsigned i, struct mh_sdp_map *maps);
static void mh_sdp_plan_feedback(struct mh_sdp_codec_plan *c,
    const struct mh_sdp_media *m, const struct mh_sdp_local *local);
static int mh_sdp_plan_answer(struct mh_sdp_plan *plan,
    const struct mh_sdp *offer, const struct mh_sdp *answer,
    struct mh_sdp_map *maps);
static void mh_sdp_plan_answered(struct mh_sdp_plan *plan,
    const struct mh_sdp *offer, const struct mh_sdp *answer, unsigned i,
    struct mh_sdp_map *map);
static struct mh_sdp_pt *mh_sdp_plan_offered_pt(struct mh_sdp_map *map,
    const struct mh_sdp_format *f, const struct mh_sdp *offer,
    const struct mh_sdp_media *o, enum mh_sdp_leg answerer);
static void mh_sdp_plan_codecs(struct mh_sdp_line_plan *line,
    const struct mh_sdp_local *local, const struct mh_sdp *offer,
    const struct mh_sdp *answer, enum mh_sdp_leg src);
static void mh_sdp_plan_granted(struct mh_sdp_codec_plan *c,
    const struct mh_sdp_line_plan *line, const struct mh_sdp_local *local);
static void mh_sdp_plan_single(struct mh_sdp_line_plan *line);
static bool mh_sdp_plan_media(const struct mh_sdp_line_plan *line);
static void mh_sdp_mid_set(struct mh_sdp_map *map, const struct pl *mid);
static void mh_sdp_mid_make(struct mh_sdp_map *maps, unsigned n);
static bool mh_sdp_avpf(const struct mh_sdp_media *m);
static bool mh_sdp_limited(const struct mh_sdp_media *m,
    const struct mh_sdp_local *local);
static bool mh_sdp_feedback(const struct mh_sdp_media *m, unsigned pt,
    const char *type, const char *param);


int
mh_sdp_offer(char *buf, size_t size, size_t *len, const struct mh_sdp *offer,
    const struct mh_sdp_local *local, struct mh_sdp_map *maps)
{
    int                 err;
    struct mh_sdp_plan  plan;

    memset(&plan, 0, sizeof(plan));

    plan.local = local;
    plan.text = offer;
    plan.src = (local->leg == MH_SDP_IMS) ? MH_SDP_WEB : MH_SDP_IMS;

    err = mh_sdp_plan_offer(&plan, offer, maps);
    if (err) {
        return err;
    }

    return mh_sdp_write(&plan, buf, size, len);
}


int
mh_sdp_answer(char *buf, size_t size, size_t *len,
    const struct mh_sdp *offer, const struct mh_sdp *answer,
    const struct mh_sdp_local *local, struct mh_sdp_map *maps)
{
    int                 err;
    struct mh_sdp_plan  plan;

    memset(&plan, 0, sizeof(plan));

    plan.local = local;
    plan.offer = offer;
    plan.text = offer;
    plan.src = (local->leg == MH_SDP_IMS) ? MH_SDP_WEB : MH_SDP_IMS;

    err = mh_sdp_plan_answer(&plan, offer, answer, maps);
    if (err) {
        return err;
    }

    return mh_sdp_write(&plan, buf, size, len);
}


bool
mh_sdp_shares(const struct mh_sdp *offer, const struct mh_sdp *answer,
    struct mh_sdp_map *maps, enum mh_sdp_leg answerer)
{
    unsigned                     i, j;
    const struct mh_sdp_pt      *pt;
    const struct mh_sdp_media   *a;
    const struct mh_sdp_format  *f;

    for (i = 0; i < answer->mediac; i++) {
        a = &answer->media[i];

        if (a->refused || a->port == 0 || a->kind == MH_SDP_OTHER) {
            continue;
        }

        for (j = 0; j < a->formatc; j++) {
            f = &answer->formats[a->format + j];
            pt = mh_sdp_plan_offered_pt(&maps[i], f, offer, &offer->media[i],
                                        answerer);

            if (pt != NULL && mh_sdp_is_media(pt->codec)) {
                return true;
            }
        }
    }

    return false;
}


static int
mh_sdp_plan_offer(struct mh_sdp_plan *plan, const struct mh_sdp *offer,
    struct mh_sdp_map *maps)
{
    int                         err;
    bool                        web;
    unsigned                    i;
    struct mh_sdp_line_plan    *line;
    const struct mh_sdp_media  *m;

    web = (plan->local->leg == MH_SDP_WEB);
    plan->n = offer->mediac;

    for (i = 0; i < offer->mediac; i++) {
        m = &offer->media[i];
        line = &plan->line[i];

        line->from = m;
        line->local = &plan->local->media[i];
        line->map = &maps[i];
        line->accepted = line->local->port
                         && mh_sdp_wanted(offer, i, plan->local);
        line->bundled = web && line->accepted;

        if (!web) {
            mh_sdp_mid_set(line->map, &m->mid);
            line->map->mid_ext = m->mid_ext;
        }

        if (line->accepted) {
            err = mh_sdp_plan_offered(plan, offer, i, maps);
            if (err) {
                return err;
            }
        }
    }

    if (web) {
        mh_sdp_mid_make(maps, offer->mediac);
    }

    return 0;
}


/* the codecs of m-line i that pass, and what feedback they get */

static int
mh_sdp_plan_offered(struct mh_sdp_plan *plan, const struct mh_sdp *offer,
    unsigned i, struct mh_sdp_map *maps)
{
    int                          err;
    unsigned                     j;
    uint32_t                     seen;
    struct mh_sdp_pt            *pt;
    const struct mh_sdp_media   *m;
    struct mh_sdp_line_plan     *line;
    struct mh_sdp_codec_plan    *c;
    const struct mh_sdp_format  *f;

    m = &offer->media[i];
    line = &plan->line[i];
    seen = 0;

    for (j = 0; j < m->formatc; j++) {
        f = &offer->formats[m->format + j];

        if (!mh_sdp_passes(offer, m, f, &plan->local->policy)) {
            continue;
        }

        pt = mh_sdp_map_offer(maps, offer->mediac, i, f, plan->src, &seen,
                              &err);
        if (err) {
            return err;
        }

        if (pt == NULL) {
            continue;
        }

        c = &line->codec[line->n++];

        c->number = pt->from[plan->local->leg];
        c->pt = pt;
        c->f = f;

        if (m->kind == MH_SDP_VIDEO) {
            mh_sdp_plan_feedback(c, m, plan->local);
        }
    }

    return 0;
}


/*
 * A browser gets NACK, PLI and FIR even for a peer without feedback: the
 * helper answers, absorbs or translates them (SD-15, ME-11), and it tells a
 * limit of the peer's.
 */

static void
mh_sdp_plan_feedback(struct mh_sdp_codec_plan *c,
    const struct mh_sdp_media *m, const struct mh_sdp_local *local)
{
    if (local->leg == MH_SDP_WEB) {
        c->nack = c->pli = c->fir = true;
        c->remb = c->tmmbr = mh_sdp_limited(m, local);

    } else if (!local->policy.no_feedback) {
        c->nack = mh_sdp_feedback(m, c->f->pt, "nack", "");
        c->pli = mh_sdp_feedback(m, c->f->pt, "nack", "pli");
        c->fir = mh_sdp_feedback(m, c->f->pt, "ccm", "fir");
    }
}


static int
mh_sdp_plan_answer(struct mh_sdp_plan *plan, const struct mh_sdp *offer,
    const struct mh_sdp *answer, struct mh_sdp_map *maps)
{
    unsigned  i;

    if (answer->mediac != offer->mediac
        || answer->surplusc != offer->surplusc)
    {
        return EPROTO;
    }

    plan->n = offer->mediac;

    for (i = 0; i < offer->mediac; i++) {

        if (!mh_pl_same(&offer->media[i].kind_text,
                        &answer->media[i].kind_text))
        {
            return EPROTO;
        }
    }

    for (i = 0; i < offer->mediac; i++) {
        mh_sdp_plan_answered(plan, offer, answer, i, &maps[i]);
    }

    return 0;
}


static void
mh_sdp_plan_answered(struct mh_sdp_plan *plan, const struct mh_sdp *offer,
    const struct mh_sdp *answer, unsigned i, struct mh_sdp_map *map)
{
    unsigned                    j;
    struct mh_sdp_line_plan    *line;
    const struct mh_sdp_media  *a, *o, *web;

    o = &offer->media[i];
    a = &answer->media[i];
    line = &plan->line[i];
    web = (plan->local->leg == MH_SDP_WEB) ? o : a;

    line->from = a;
    line->offer = o;
    line->local = &plan->local->media[i];
    line->map = map;
    line->bundled = (plan->local->leg == MH_SDP_WEB) && o->bundled;

    mh_sdp_mid_set(map, &web->mid);
    map->mid_ext = web->mid_ext;
    map->answered = true;

    for (j = 0; j < map->n; j++) {
        map->pt[j].chosen = false;
    }

    if (o->refused || a->refused || a->port == 0 || line->local->port == 0
        || o->kind == MH_SDP_OTHER
        || mh_sdp_removed(o, &plan->local->policy))
    {
        return;
    }

    mh_sdp_plan_codecs(line, plan->local, offer, answer, plan->src);

    if (plan->local->policy.single_codec) {
        mh_sdp_plan_single(line);
    }

    line->accepted = mh_sdp_plan_media(line);
}


/* the codec of an answer, if m-line o of the offer has it */

static struct mh_sdp_pt *
mh_sdp_plan_offered_pt(struct mh_sdp_map *map, const struct mh_sdp_format *f,
    const struct mh_sdp *offer, const struct mh_sdp_media *o,
    enum mh_sdp_leg answerer)
{
    unsigned           k;
    enum mh_sdp_leg    offerer;
    struct mh_sdp_pt  *pt;

    offerer = (answerer == MH_SDP_IMS) ? MH_SDP_WEB : MH_SDP_IMS;
    pt = mh_sdp_map_answer(map, f, answerer);

    for (k = 0; pt != NULL && k < o->formatc; k++) {

        if (offer->formats[o->format + k].pt == pt->from[offerer]) {
            return pt;
        }
    }

    return NULL;
}


/* the answerer's codecs, in its order, with the offerer's numbers */

static void
mh_sdp_plan_codecs(struct mh_sdp_line_plan *line,
    const struct mh_sdp_local *local, const struct mh_sdp *offer,
    const struct mh_sdp *answer, enum mh_sdp_leg src)
{
    unsigned                     j;
    enum mh_sdp_leg              dst;
    struct mh_sdp_pt            *pt;
    const struct mh_sdp_media   *a, *o;
    struct mh_sdp_codec_plan    *c;
    const struct mh_sdp_format  *f;

    a = line->from;
    o = line->offer;
    dst = (src == MH_SDP_IMS) ? MH_SDP_WEB : MH_SDP_IMS;

    for (j = 0; j < a->formatc; j++) {
        f = &answer->formats[a->format + j];
        pt = mh_sdp_plan_offered_pt(line->map, f, offer, o, src);

        if (pt == NULL || pt->chosen) {
            continue;
        }

        pt->chosen = true;
        pt->to[src] = f->pt;

        c = &line->codec[line->n++];

        c->number = pt->from[dst];
        c->pt = pt;
        c->f = f;

        if (o->kind == MH_SDP_VIDEO) {
            mh_sdp_plan_granted(c, line, local);
        }
    }
}


/*
 * Only what was offered.  A browser gets NACK, PLI and FIR whatever the IMS
 * answered; the IMS gets what the browser answered too, and nothing under
 * RTP/AVP.
 */

static void
mh_sdp_plan_granted(struct mh_sdp_codec_plan *c,
    const struct mh_sdp_line_plan *line, const struct mh_sdp_local *local)
{
    bool                        ims;
    unsigned                    own, other;
    const struct mh_sdp_media  *a, *o;

    a = line->from;
    o = line->offer;
    own = c->number;
    other = c->f->pt;
    ims = (local->leg == MH_SDP_IMS);

    if (ims && !mh_sdp_avpf(o)) {
        return;
    }

    c->nack = mh_sdp_feedback(o, own, "nack", "")
              && (!ims || mh_sdp_feedback(a, other, "nack", ""));
    c->pli = mh_sdp_feedback(o, own, "nack", "pli")
             && (!ims || mh_sdp_feedback(a, other, "nack", "pli"));
    c->fir = mh_sdp_feedback(o, own, "ccm", "fir")
             && (!ims || mh_sdp_feedback(a, other, "ccm", "fir"));

    if (!ims && mh_sdp_limited(a, local)) {
        c->remb = mh_sdp_feedback(o, own, "goog-remb", "");
        c->tmmbr = mh_sdp_feedback(o, own, "ccm", "tmmbr");
    }
}


/* only the first codec stays, and what has its clock of tones and silence */

static void
mh_sdp_plan_single(struct mh_sdp_line_plan *line)
{
    unsigned                 j, n;
    const struct mh_sdp_pt  *first, *pt;

    first = NULL;

    for (j = 0; j < line->n && first == NULL; j++) {
        if (mh_sdp_is_media(line->codec[j].pt->codec)) {
            first = line->codec[j].pt;
        }
    }

    for (j = 0, n = 0; j < line->n && first != NULL; j++) {
        pt = line->codec[j].pt;

        if (pt == first
            || (!mh_sdp_is_media(pt->codec) && pt->clock == first->clock))
        {
            line->codec[n++] = line->codec[j];
            continue;
        }

        line->map->pt[pt - line->map->pt].chosen = false;
    }

    line->n = first ? n : line->n;
}


/* tones alone are no call; then nothing is chosen at all */

static bool
mh_sdp_plan_media(const struct mh_sdp_line_plan *line)
{
    unsigned  j;

    for (j = 0; j < line->n; j++) {

        if (mh_sdp_is_media(line->codec[j].pt->codec)) {
            return true;
        }
    }

    for (j = 0; j < line->map->n; j++) {
        line->map->pt[j].chosen = false;
    }

    return false;
}


static void
mh_sdp_mid_set(struct mh_sdp_map *map, const struct pl *mid)
{
    if (mid->l && mid->l <= MH_SDP_MAX_MID) {
        memcpy(map->mid, mid->p, mid->l);
        map->mid[mid->l] = '\0';
    }
}


/* gives a mid to each m-line that has none, unlike all the others */

static void
mh_sdp_mid_make(struct mh_sdp_map *maps, unsigned n)
{
    char      mid[MH_SDP_MAX_MID + 1];
    bool      taken;
    unsigned  i, j, number;

    for (i = 0; i < n; i++) {

        for (number = i; maps[i].mid[0] == '\0'; number++) {
            snprintf(mid, sizeof(mid), "%u", number);
            taken = false;

            for (j = 0; j < n; j++) {
                taken = taken || strcmp(maps[j].mid, mid) == 0;
            }

            if (!taken) {
                memcpy(maps[i].mid, mid, sizeof(mid));
            }
        }
    }
}


static bool
mh_sdp_avpf(const struct mh_sdp_media *m)
{
    return m->proto == MH_SDP_AVPF || m->proto == MH_SDP_SAVPF;
}


/* whether the browser's rate has a limit: the peer's, or our own */

static bool
mh_sdp_limited(const struct mh_sdp_media *m,
    const struct mh_sdp_local *local)
{
    return m->as || m->tias || local->policy.video_cap;
}


/* whether the m-line has a=rtcp-fb for that number, or for all */

static bool
mh_sdp_feedback(const struct mh_sdp_media *m, unsigned pt, const char *type,
    const char *param)
{
    uint64_t   n;
    struct pl  text, line, word;

    text = m->lines;

    while (mh_pl_line(&text, &line)) {

        if (line.l < 10 || memcmp(line.p, "a=rtcp-fb:", 10) != 0) {
            continue;
        }

        line.p += 10;
        line.l -= 10;

        if (!mh_pl_word(&line, &word)
            || (!mh_pl_is(&word, "*")
                && (!mh_pl_number(&word, 127, &n) || n != pt)))
        {
            continue;
        }

        if (!mh_pl_word(&line, &word) || !mh_pl_is(&word, type)) {
            continue;
        }

        (void) mh_pl_word(&line, &word);

        if (mh_pl_is(&word, param)) {
            return true;
        }
    }

    return false;
}


/*
 * RFC 9143 15: the id of the header extension with the mid, 1 to 14, or 0 for
 * none.  Where two m-lines share a transport each packet has it: Chromium,
 * once it gets no video, no longer finds an audio stream by its payload
 * number.  Ids stay as they are for the session (RFC 8285 6).
 */

unsigned
mh_sdp_plan_mid_ext(const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    size_t                          len;
    unsigned                        i, n, id;
    const struct mh_sdp_line_plan  *other;

    n = 0;
    id = 0;

    for (i = 0; i < plan->n; i++) {
        other = &plan->line[i];

        if (other->accepted && other->bundled && !other->local->alone) {
            n++;
        }

        if (id == 0) {
            id = other->map->mid_ext;
        }
    }

    if (line->offer) {
        id = line->offer->mid_ext;
        len = line->offer->mid.l;

    } else {
        id = id ? id : 1;
        len = strlen(line->map->mid);
    }

    return (n > 1 && line->bundled && !line->local->alone
            && id <= MH_SDP_MAX_EXT && len && len <= MH_SDP_SENT_MID)
           ? id : 0;
}
