
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the calls: the index by call-id, their timers and their end.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <re.h>

#include "mh_call.h"
#include "mh_clock.h"
#include "mh_log.h"


enum {
    MH_CALL_BUCKETS = 4096
};


static void mh_call_count(const struct mh_call *call,
    struct mh_calls_stat *stat);
static void mh_call_count_stream(struct mh_stream *s,
    struct mh_calls_stat *stat);
static int mh_calls_name(struct mh_calls *calls);
static void mh_calls_destroy(void *data);
static bool mh_call_id_h(struct le *le, void *arg);
static void mh_call_destroy(void *data);
static void mh_call_check(struct mh_call *call, uint64_t now);
static uint64_t mh_call_heard(const struct mh_call *call);
static bool mh_call_tags(const struct mh_call *call,
    const struct mh_signal *sig);
static bool mh_leg_is(const struct mh_leg *leg, const struct pl *tag);


int
mh_calls_alloc(struct mh_calls **cp, const struct mh_calls_conf *conf)
{
    int               err;
    unsigned          i;
    struct mh_calls  *calls;

    calls = mem_zalloc(sizeof(*calls), mh_calls_destroy);
    if (calls == NULL) {
        return ENOMEM;
    }

    calls->scratch = mem_alloc(sizeof(*calls->scratch), NULL);

    if (calls->scratch == NULL
        || mh_ended_alloc(&calls->ended) != 0
        || hash_alloc(&calls->index, MH_CALL_BUCKETS) != 0)
    {
        mem_deref(calls);
        return ENOMEM;
    }

    err = mh_calls_name(calls);
    if (err) {
        mem_deref(calls);
        return err;
    }

    calls->conf = *conf;
    mem_ref(conf->io);
    mem_ref(conf->web);

    for (i = 0; i < conf->poolc; i++) {
        mem_ref(conf->pools[i]);
    }

    *cp = calls;

    return 0;
}


void
mh_calls_tick(struct mh_calls *calls, uint64_t now)
{
    struct le       *le;
    struct mh_call  *call;

    le = list_head(&calls->list);

    while (le != NULL) {
        call = le->data;
        le = le->next;

        mh_call_check(call, now);
    }
}


void
mh_calls_stat(const struct mh_calls *calls, struct mh_calls_stat *stat)
{
    unsigned    i;
    struct le  *le;

    *stat = calls->stat;
    stat->ports_used = 0;
    stat->ports_total = 0;

    for (i = 0; i < calls->conf.poolc; i++) {
        stat->ports_used += mh_port_used(calls->conf.pools[i]);
        stat->ports_total += mh_port_total(calls->conf.pools[i]);
    }

    LIST_FOREACH(&calls->list, le) {
        mh_call_count(le->data, stat);
    }
}


/* adds what the streams of a call have counted */

static void
mh_call_count(const struct mh_call *call, struct mh_calls_stat *stat)
{
    unsigned  i;

    for (i = 0; i < call->mediac; i++) {
        if (call->streams[i] != NULL) {
            mh_call_count_stream(call->streams[i], stat);
        }
    }
}


static void
mh_call_count_stream(struct mh_stream *s, struct mh_calls_stat *stat)
{
    unsigned                      leg;
    const struct mh_stream_stat  *st;

    st = mh_stream_stat(s);

    for (leg = 0; leg < MH_CALL_LEGS; leg++) {
        stat->rtp[leg].packets += st->rtp[leg].packets;
        stat->rtp[leg].bytes += st->rtp[leg].bytes;
        stat->rtp[leg].errors += st->rtp[leg].errors;
        stat->rtcp[leg].packets += st->rtcp[leg].packets;
        stat->rtcp[leg].bytes += st->rtcp[leg].bytes;
        stat->rtcp[leg].errors += st->rtcp[leg].errors;
        stat->lost[leg] += mh_stream_quality(s, leg)->lost;
    }
}


void
mh_call_drop(struct mh_call *call, unsigned i)
{
    if (call->streams[i] != NULL) {
        mh_call_count_stream(call->streams[i], &call->calls->stat);
        call->streams[i] = mem_deref(call->streams[i]);
        call->mux[i] = false;
    }
}


const struct list *
mh_calls_list(const struct mh_calls *calls)
{
    return &calls->list;
}


const struct mh_ended *
mh_calls_ended(const struct mh_calls *calls)
{
    return calls->ended;
}


struct mh_call *
mh_call_find(const struct mh_calls *calls, const struct pl *id)
{
    struct le  *le;

    le = hash_lookup(calls->index, hash_joaat_pl(id), mh_call_id_h,
                     (void *) id);

    return le ? le->data : NULL;
}


void
mh_call_totals(const struct mh_call *call, enum mh_sdp_leg from, bool rtcp,
    struct mh_counter *sum)
{
    unsigned                      i;
    const struct mh_counter      *c;
    const struct mh_stream_stat  *stat;

    memset(sum, 0, sizeof(*sum));

    for (i = 0; i < call->mediac; i++) {

        if (call->streams[i] == NULL) {
            continue;
        }

        stat = mh_stream_stat(call->streams[i]);
        c = rtcp ? &stat->rtcp[from] : &stat->rtp[from];

        sum->packets += c->packets;
        sum->bytes += c->bytes;
        sum->errors += c->errors;
    }
}


struct mh_call *
mh_call_delete(struct mh_calls *calls, const struct mh_signal *sig,
    bool *kept)
{
    unsigned         i;
    struct mh_call  *call;

    *kept = false;

    call = mh_call_find(calls, &sig->call_id);

    if (call == NULL || !mh_call_tags(call, sig)) {
        return NULL;
    }

    if (!pl_isset(&sig->via_branch) || call->branchc == 0) {
        return call;
    }

    for (i = 0; i < call->branchc; i++) {

        if (pl_strcmp(&sig->via_branch, call->branches[i]) == 0) {
            mem_deref(call->branches[i]);
            call->branches[i] = call->branches[--call->branchc];
            break;
        }
    }

    if (call->branchc == 0) {
        return call;
    }

    *kept = true;

    return NULL;
}


void
mh_call_end(struct mh_call *call, int delay)
{
    uint64_t  at;

    if (delay == -1) {
        delay = call->delete_delay;
    }

    if (delay == 0) {
        mh_debug("call \"%s\" deleted", call->id);
        mh_call_remove(call);
        return;
    }

    at = mh_clock() + (uint64_t) delay * 1000;

    if (call->delete_at == 0 || at < call->delete_at) {
        call->delete_at = at;
    }
}


void
mh_calls_shed(struct mh_calls *calls, const char *why)
{
    calls->shed = why;
}


void
mh_call_remove(struct mh_call *call)
{
    mem_deref(call);
}


void
mh_call_text_free(char *text, size_t len)
{
    if (text != NULL) {
        explicit_bzero(text, len);
        mem_deref(text);
    }
}


int
mh_call_alloc(struct mh_call **cp, struct mh_calls *calls,
    const struct pl *id)
{
    int              err;
    unsigned         i;
    uint32_t         number;
    struct mh_call  *call;

    call = mem_zalloc(sizeof(*call), mh_call_destroy);
    if (call == NULL) {
        return ENOMEM;
    }

    err = pl_strdup(&call->id, id);
    if (err) {
        goto out;
    }

    call->calls = calls;
    call->tos = -1;
    calls->stat.current++;

    err = mh_links_init(call);
    if (err) {
        goto out;
    }

    for (i = 0; i < MH_CALL_LEGS; i++) {

        if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
            err = EIO;
            goto out;
        }

        call->legs[i].sess_id = (number & 0x7fffffff) + 1;
        call->legs[i].sess_ver = 1;
    }

    (void) gettimeofday(&call->created, NULL);
    call->signaled = call->created.tv_sec;
    call->started = mh_clock();

    calls->stat.total++;

    hash_append(calls->index, hash_joaat_pl(id), &call->he, call);
    list_append(&calls->list, &call->le, call);

out:

    if (err) {
        mem_deref(call);

    } else {
        *cp = call;
    }

    return err;
}


int
mh_call_maps(struct mh_call *call, unsigned n)
{
    struct mh_sdp_map  *maps;

    if (n <= call->mapc) {
        return 0;
    }

    maps = mem_zalloc(n * sizeof(*maps), NULL);
    if (maps == NULL) {
        return ENOMEM;
    }

    if (call->maps != NULL) {
        memcpy(maps, call->maps, call->mapc * sizeof(*maps));
        mem_deref(call->maps);
    }

    call->maps = maps;
    call->mapc = n;

    return 0;
}


/* a name that no other helper has */

static int
mh_calls_name(struct mh_calls *calls)
{
    uint8_t  bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
        return EIO;
    }

    (void) re_snprintf(calls->loop, sizeof(calls->loop), "%w", bytes,
                       sizeof(bytes));

    return 0;
}


static void
mh_calls_destroy(void *data)
{
    unsigned          i;
    struct mh_calls  *calls = data;

    list_flush(&calls->list);

    mem_deref(calls->index);
    mem_deref(calls->scratch);
    mem_deref(calls->ended);

    for (i = 0; i < calls->conf.poolc; i++) {
        mem_deref(calls->conf.pools[i]);
    }

    mem_deref(calls->conf.web);
    mem_deref(calls->conf.io);
}


static bool
mh_call_id_h(struct le *le, void *arg)
{
    const struct pl  *id = arg;
    struct mh_call   *call = le->data;

    return pl_strcmp(id, call->id) == 0;
}


static void
mh_call_destroy(void *data)
{
    unsigned         i;
    struct mh_call  *call = data;

    hash_unlink(&call->he);
    list_unlink(&call->le);

    for (i = 0; i < MH_SDP_MAX_MEDIA; i++) {
        mh_call_drop(call, i);
    }

    mh_links_free(call);

    for (i = 0; i < MH_CALL_LEGS; i++) {
        mem_deref(call->legs[i].tag);
        mem_deref(call->legs[i].label);
        mh_call_text_free(call->legs[i].in, call->legs[i].inlen);
        mh_call_text_free(call->legs[i].out, call->legs[i].outlen);
    }

    for (i = 0; i < call->branchc; i++) {
        mem_deref(call->branches[i]);
    }

    mem_deref(call->maps);
    mem_deref(call->id);

    if (call->calls != NULL) {
        call->calls->stat.current--;
    }
}


static void
mh_call_check(struct mh_call *call, uint64_t now)
{
    uint64_t               heard;
    struct mh_calls_conf  *conf;

    conf = &call->calls->conf;

    if (call->delete_at && now >= call->delete_at) {
        mh_debug("call \"%s\" deleted", call->id);
        mh_call_remove(call);
        return;
    }

    if (call->answered == 0) {

        if (conf->offer_timeout
            && now >= call->started + conf->offer_timeout * 1000ull)
        {
            mh_info("call \"%s\" removed, no answer in %u s", call->id,
                    conf->offer_timeout);
            call->calls->stat.timeouts++;
            mh_ended_add(call->calls->ended, call->id, MH_ENDED_NO_ANSWER);
            mh_call_remove(call);
        }

        return;
    }

    /* it may have rung for longer than consent lasts */

    if (now >= call->answered + mh_ice_consent_ms()
        && mh_links_expired(call, now))
    {

        if (!call->media_lost) {
            call->media_lost = true;
            mh_info("call \"%s\" lost its browser", call->id);
            mh_ended_add(call->calls->ended, call->id, MH_ENDED_MEDIA_LOST);
        }

    } else if (call->media_lost) {
        call->media_lost = false;
        mh_info("call \"%s\" has its browser again", call->id);
    }

    heard = mh_call_heard(call);

    if (conf->media_timeout && call->media_lost
        && now >= heard + conf->media_timeout * 1000ull)
    {
        mh_info("call \"%s\" removed, no media for %u s", call->id,
                conf->media_timeout);
        call->calls->stat.timeouts++;
        mh_ended_add(call->calls->ended, call->id, MH_ENDED_NO_MEDIA);
        mh_call_remove(call);
    }
}


/* when the last packet came, from anywhere, or else the answer */

static uint64_t
mh_call_heard(const struct mh_call *call)
{
    unsigned                      i, leg;
    uint64_t                      heard;
    const struct mh_stream_stat  *stat;

    heard = call->answered;

    for (i = 0; i < call->mediac; i++) {

        if (call->streams[i] == NULL) {
            continue;
        }

        stat = mh_stream_stat(call->streams[i]);

        for (leg = 0; leg < MH_CALL_LEGS; leg++) {
            if (stat->last[leg] > heard) {
                heard = stat->last[leg];
            }
        }
    }

    return heard;
}


/*
 * The from-tag may be either leg's: who hangs up sends it.  The to-tag only
 * counts with its flag.
 */

static bool
mh_call_tags(const struct mh_call *call, const struct mh_signal *sig)
{
    const struct mh_leg  *other;

    if (!pl_isset(&sig->from_tag)) {
        return true;
    }

    if (mh_leg_is(&call->legs[0], &sig->from_tag)) {
        other = &call->legs[1];

    } else if (mh_leg_is(&call->legs[1], &sig->from_tag)) {
        other = &call->legs[0];

    } else {
        return false;
    }

    return !sig->match_to_tag || !pl_isset(&sig->to_tag)
           || other->tag == NULL || mh_leg_is(other, &sig->to_tag);
}


static bool
mh_leg_is(const struct mh_leg *leg, const struct pl *tag)
{
    return leg->tag != NULL && pl_strcmp(tag, leg->tag) == 0;
}
