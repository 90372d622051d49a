/*
 * Copyright (C) the IMS portal authors
 *
 * Sequence numbers become packet indexes, replays are found, SSRCs come and
 * stay: RFC 3711 3.3.1, 3.3.2.  Pure arithmetic and one array; used by
 * mh_srtp_evp.c.
 */

#include <errno.h>
#include <string.h>
#include <stdint.h>
#include <re.h>

#include "mh_srtp.h"
#include "mh_srtp_stream.h"


enum {
    STREAMS_FIRST = 2
};


#define RTP_INDEX_MAX  ((uint64_t) 0xffffffffffff)


int
mh_srtp_table_init(struct mh_srtp_table *t)
{
    memset(t, 0, sizeof(*t));

    t->room = STREAMS_FIRST;
    t->v = mem_zalloc(t->room * sizeof(*t->v), NULL);

    return (t->v != NULL) ? 0 : ENOMEM;
}


void
mh_srtp_table_close(struct mh_srtp_table *t)
{
    t->v = mem_deref(t->v);
    t->n = 0;
}


/* RFC 3711 3.3.2: what lies left of the window counts as seen */

int
mh_srtp_window_check(const struct mh_srtp_window *w, uint64_t index)
{
    uint64_t  behind;

    if (!w->any || index > w->top) {
        return 0;
    }

    behind = w->top - index;

    if (behind >= MH_SRTP_WINDOW) {
        return EALREADY;
    }

    if (behind >= 64) {
        return (w->high >> (behind - 64) & 1) ? EALREADY : 0;
    }

    return (w->low >> behind & 1) ? EALREADY : 0;
}


void
mh_srtp_window_take(struct mh_srtp_window *w, uint64_t index)
{
    uint64_t  n;

    if (!w->any) {
        w->any = 1;
        w->top = index;
        w->low = 1;
        w->high = 0;
        return;
    }

    if (index <= w->top) {
        n = w->top - index;

        if (n >= 64) {
            w->high |= (uint64_t) 1 << (n - 64);

        } else {
            w->low |= (uint64_t) 1 << n;
        }

        return;
    }

    n = index - w->top;
    w->top = index;

    if (n >= MH_SRTP_WINDOW) {
        w->low = w->high = 0;

    } else if (n >= 64) {
        w->high = w->low << (n - 64);
        w->low = 0;

    } else {
        w->high = w->high << n | w->low >> (64 - n);
        w->low <<= n;
    }

    w->low |= 1;
}


/*
 * RFC 3711 3.3.1 and appendix A: the index that lies nearest to the highest
 * one so far.  There is no round before the first: what would be in it is a
 * jump ahead, as libsrtp takes it.
 */

int
mh_srtp_index_estimate(const struct mh_srtp_window *w, uint16_t seq,
    uint64_t *index)
{
    uint16_t  top;
    uint64_t  roc;

    if (!w->any) {
        *index = seq;
        return 0;
    }

    top = (uint16_t) w->top;
    roc = w->top >> 16;

    if (top < 0x8000) {
        if (seq > top && seq - top > 0x8000 && roc != 0) {
            roc--;
        }

    } else if (top - 0x8000 > seq) {
        roc++;
    }

    *index = roc << 16 | seq;

    return (*index > RTP_INDEX_MAX) ? EOVERFLOW : 0;
}


struct mh_srtp_stream *
mh_srtp_stream_find(struct mh_srtp_table *t, uint32_t ssrc)
{
    unsigned  i;

    if (t->last < t->n && t->v[t->last].ssrc == ssrc) {
        return &t->v[t->last];
    }

    for (i = 0; i < t->n; i++) {
        if (t->v[i].ssrc == ssrc) {
            t->last = i;
            return &t->v[i];
        }
    }

    return NULL;
}


/*
 * Room for one more, so that a packet that authenticates can be kept.  None
 * makes place for another: an SSRC that came back would begin again at
 * index 0 and use its key stream twice, or have its replays taken.
 */

int
mh_srtp_stream_reserve(struct mh_srtp_table *t)
{
    unsigned                room;
    struct mh_srtp_stream  *v;

    if (t->n < t->room) {
        return 0;
    }

    if (t->room == MH_SRTP_SSRC_MAX) {
        return ENOSPC;
    }

    room = t->room * 2;

    v = mem_realloc(t->v, room * sizeof(*v));
    if (v == NULL) {
        return ENOMEM;
    }

    t->v = v;
    t->room = room;

    return 0;
}


int
mh_srtp_stream_add(struct mh_srtp_table *t, uint32_t ssrc,
    struct mh_srtp_stream **stp)
{
    int  err;

    err = mh_srtp_stream_reserve(t);
    if (err) {
        return err;
    }

    t->last = t->n++;

    *stp = &t->v[t->last];
    memset(*stp, 0, sizeof(**stp));
    (*stp)->ssrc = ssrc;

    return 0;
}
