
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What passes between the legs once an answer has settled it: payload
 * numbers, feedback, and what ng's "block" keeps back.  No timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_feedback.h"
#include "mh_local.h"
#include "mh_log.h"


static void mh_agree_table(struct mh_call *call, unsigned i);
static void mh_agree_feedback(const struct mh_call *call, unsigned i,
    const struct mh_sdp *web, const struct mh_sdp *ims);
static void mh_agree_codecs(const struct mh_sdp_map *map,
    enum mh_sdp_leg from, uint8_t codecs[128]);


void
mh_call_agree(struct mh_call *call, const struct mh_sdp *web,
    const struct mh_sdp *ims)
{
    uint8_t   from_ims[128], from_web[128];
    unsigned  i;

    for (i = 0; i < web->mediac; i++) {

        if (call->streams[i] == NULL) {
            continue;
        }

        mh_agree_table(call, i);
        mh_call_tones(call, i);

        mh_sdp_clocks(&call->maps[i], MH_SDP_IMS, from_ims);
        mh_sdp_clocks(&call->maps[i], MH_SDP_WEB, from_web);
        mh_stream_clocks(call->streams[i], MH_STREAM_IMS, from_ims);
        mh_stream_clocks(call->streams[i], MH_STREAM_WEB, from_web);

        if (web->media[i].kind == MH_SDP_VIDEO) {
            mh_agree_feedback(call, i, web, ims);

        } else {
            mh_stream_audio(call->streams[i]);
        }
    }
}


/* which payload numbers pass; all is done there that ng's block asks for */

static void
mh_agree_table(struct mh_call *call, unsigned i)
{
    uint8_t                  table[2][128];
    unsigned                 j, leg, blocked;
    const struct mh_sdp_pt  *pt;

    for (leg = 0; leg < MH_CALL_LEGS; leg++) {
        mh_sdp_table(&call->maps[i], (enum mh_sdp_leg) leg, table[leg]);
        blocked = call->blocked[leg];

        for (j = 0; j < call->maps[i].n; j++) {
            pt = &call->maps[i].pt[j];

            if ((blocked & MH_CALL_BLOCK_MEDIA)
                || ((blocked & MH_CALL_BLOCK_AUDIO)
                    && call->kinds[i] == MH_SDP_AUDIO)
                || ((blocked & MH_CALL_BLOCK_DTMF)
                    && pt->codec == MH_SDP_TELEPHONE_EVENT))
            {
                table[leg][pt->from[leg] & 0x7f] = MH_STREAM_DROP;
                table[leg][pt->to[leg] & 0x7f] = MH_STREAM_DROP;
            }
        }
    }

    mh_stream_tables(call->streams[i], table[MH_SDP_IMS],
                     table[MH_SDP_WEB]);
}


int
mh_call_block(struct mh_call *call, const struct mh_signal *sig,
    unsigned what, bool on)
{
    bool      found;
    unsigned  i;

    found = false;

    for (i = 0; i < MH_CALL_LEGS; i++) {

        if (mh_call_named(call, sig, (enum mh_sdp_leg) i)) {
            call->blocked[i] = on ? call->blocked[i] | what
                                  : call->blocked[i] & ~what;
            found = true;
        }
    }

    for (i = 0; i < call->mediac && call->answered; i++) {
        if (call->streams[i] != NULL) {
            mh_agree_table(call, i);
        }
    }

    return found ? 0 : ENOENT;
}


/*
 * What the peers understand of each other's feedback, and how much the
 * browser may send.  A browser has what it asked for: all of it was granted.
 */

static void
mh_agree_feedback(const struct mh_call *call, unsigned i,
    const struct mh_sdp *web, const struct mh_sdp *ims)
{
    uint8_t                     codecs[2][128];
    uint32_t                    cap, own;
    unsigned                    can[2];
    const struct mh_sdp_media  *w, *m;

    w = &web->media[i];
    m = &ims->media[i];

    can[MH_STREAM_WEB] = (w->nack ? MH_FEEDBACK_NACK : 0)
                         | (w->nack_pli ? MH_FEEDBACK_PLI : 0)
                         | (w->ccm_fir ? MH_FEEDBACK_FIR : 0)
                         | (w->goog_remb ? MH_FEEDBACK_REMB : 0)
                         | (w->ccm_tmmbr ? MH_FEEDBACK_TMMBR : 0);

    can[MH_STREAM_IMS] = 0;

    if (m->proto == MH_SDP_AVPF || m->proto == MH_SDP_SAVPF) {
        can[MH_STREAM_IMS] = (m->nack ? MH_FEEDBACK_NACK : 0)
                             | (m->nack_pli ? MH_FEEDBACK_PLI : 0)
                             | (m->ccm_fir ? MH_FEEDBACK_FIR : 0);
    }

    cap = m->tias ? m->tias : (m->as > UINT32_MAX / 1000 ? UINT32_MAX
                                                         : m->as * 1000);
    own = call->calls->conf.video_cap * 1000;

    if (own && (cap == 0 || own < cap)) {
        cap = own;
    }

    mh_agree_codecs(&call->maps[i], MH_SDP_IMS, codecs[MH_STREAM_IMS]);
    mh_agree_codecs(&call->maps[i], MH_SDP_WEB, codecs[MH_STREAM_WEB]);

    if (mh_stream_feedback(call->streams[i], can, codecs, cap) != 0) {
        mh_warn("call \"%s\" has video without feedback: out of memory",
                call->id);
    }
}


/* what tells a key frame, of the payload numbers that a leg sends with */

static void
mh_agree_codecs(const struct mh_sdp_map *map, enum mh_sdp_leg from,
    uint8_t codecs[128])
{
    uint8_t                  codec;
    unsigned                 j;
    const struct mh_sdp_pt  *pt;

    memset(codecs, MH_FEEDBACK_UNKNOWN, 128);

    for (j = 0; j < map->n; j++) {
        pt = &map->pt[j];

        codec = (pt->codec == MH_SDP_H264) ? MH_FEEDBACK_H264
                : (pt->codec == MH_SDP_VP8) ? MH_FEEDBACK_VP8
                : MH_FEEDBACK_UNKNOWN;

        codecs[pt->to[from] & 0x7f] = codec;
        codecs[pt->from[from] & 0x7f] = codec;
    }
}
