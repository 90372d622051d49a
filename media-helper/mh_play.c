
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * ng's "play DTMF", and which sides a command like that is about.  No timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_call.h"


static struct mh_stream *mh_play_stream(const struct mh_call *call,
    enum mh_sdp_leg leg, uint8_t pt[MH_DTMF_CLOCKS]);
static bool mh_play_numbers(const struct mh_sdp_map *map, enum mh_sdp_leg to,
    uint8_t pt[MH_DTMF_CLOCKS]);


bool
mh_call_named(const struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg leg)
{
    const struct mh_leg  *l;

    l = &call->legs[leg];

    if (sig->all) {
        return true;
    }

    if (pl_isset(&sig->from_tag)) {
        return l->tag != NULL && pl_strcmp(&sig->from_tag, l->tag) == 0;
    }

    return !pl_isset(&sig->label)
           || (l->label != NULL && pl_strcmp(&sig->label, l->label) == 0);
}


int
mh_call_play(struct mh_call *call, const struct mh_signal *sig,
    const char **reason)
{
    int                err;
    uint8_t            pt[MH_CALL_LEGS][MH_DTMF_CLOCKS];
    unsigned           leg;
    struct mh_stream  *into[MH_CALL_LEGS];

    err = ENOENT;
    *reason = "From-tag given, but no such tag exists";

    /* both or none */

    for (leg = 0; leg < MH_CALL_LEGS; leg++) {
        into[leg] = NULL;

        if (!mh_call_named(call, sig, (enum mh_sdp_leg) leg)) {
            continue;
        }

        into[leg] = mh_play_stream(call, (enum mh_sdp_leg) leg, pt[leg]);

        if (into[leg] == NULL) {
            *reason = "There is no sink media capable of DTMF playback";
            return ENOTSUP;
        }

        err = mh_stream_play_room(into[leg], (enum mh_stream_leg) leg);
        if (err) {
            *reason = (err == ENOSPC) ? "Too many DTMF events are waiting"
                                      : "Out of memory";
            return err;
        }
    }

    for (leg = 0; leg < MH_CALL_LEGS; leg++) {

        if (into[leg] != NULL) {
            mh_stream_play(into[leg], (enum mh_stream_leg) leg, &sig->tone,
                           pt[leg]);
        }
    }

    return err;
}


void
mh_call_tones(struct mh_call *call, unsigned i)
{
    uint8_t  pt[MH_DTMF_CLOCKS];

    (void) mh_play_numbers(&call->maps[i], MH_SDP_IMS, pt);
    mh_stream_tones(call->streams[i], MH_STREAM_WEB, pt);

    (void) mh_play_numbers(&call->maps[i], MH_SDP_WEB, pt);
    mh_stream_tones(call->streams[i], MH_STREAM_IMS, pt);
}


/* the audio of a leg that the other one can hear tones in, and their numbers */

static struct mh_stream *
mh_play_stream(const struct mh_call *call, enum mh_sdp_leg leg,
    uint8_t pt[MH_DTMF_CLOCKS])
{
    unsigned         i;
    enum mh_sdp_leg  to;

    to = (leg == MH_SDP_WEB) ? MH_SDP_IMS : MH_SDP_WEB;

    for (i = 0; i < call->mediac && call->answered; i++) {

        if (call->streams[i] != NULL && call->kinds[i] == MH_SDP_AUDIO
            && mh_play_numbers(&call->maps[i], to, pt))
        {
            return call->streams[i];
        }
    }

    return NULL;
}


/* what telephone-event has in what a leg receives; false: nothing at all */

static bool
mh_play_numbers(const struct mh_sdp_map *map, enum mh_sdp_leg to,
    uint8_t pt[MH_DTMF_CLOCKS])
{
    bool                     any;
    unsigned                 j;
    const struct mh_sdp_pt  *p;

    any = false;
    memset(pt, MH_STREAM_DROP, MH_DTMF_CLOCKS);

    for (j = 0; j < map->n; j++) {
        p = &map->pt[j];

        if (p->codec != MH_SDP_TELEPHONE_EVENT || !p->chosen) {
            continue;
        }

        pt[p->clock == 48000 ? MH_DTMF_48
           : p->clock == 16000 ? MH_DTMF_16 : MH_DTMF_8] = p->to[to];
        any = true;
    }

    return any;
}
