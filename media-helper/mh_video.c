
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns a stream's feedback and its buffer of sent packets.  No timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_nack.h"
#include "mh_stream.h"
#include "mh_video.h"


struct mh_video {
    struct mh_feedback  fb;
    struct mh_nack     *nack;       /* NULL: the browser cannot ask */
    bool                lost;       /* the last packet found no browser */
};


/* of one NACK that is being answered */

struct mh_video_resend {
    struct mh_video      *v;
    struct mh_transport  *t;
    uint64_t              now;
};


static void mh_video_destroy(void *data);
static bool mh_video_resend_h(uint32_t ssrc, uint16_t seq, void *arg);


int
mh_video_alloc(struct mh_video **vp)
{
    struct mh_video  *v;

    v = mem_zalloc(sizeof(*v), mh_video_destroy);
    if (v == NULL) {
        return ENOMEM;
    }

    v->fb.next = UINT64_MAX;
    *vp = v;

    return 0;
}


void
mh_video_set(struct mh_video *v, const unsigned can[2],
    const uint8_t codecs[2][128], uint32_t cap, uint64_t now)
{
    mh_feedback_set(&v->fb, can, codecs, cap, now);

    if ((can[MH_STREAM_WEB] & MH_FEEDBACK_NACK) == 0) {
        v->nack = mem_deref(v->nack);

    } else if (v->nack == NULL) {
        v->nack = mh_nack_alloc();
    }
}


void
mh_video_want(struct mh_video *v, unsigned from, uint64_t now)
{
    mh_feedback_want(&v->fb, from, now);
}


bool
mh_video_rtp(struct mh_video *v, unsigned from, const uint8_t *p, size_t len,
    uint64_t now)
{
    return mh_feedback_rtp(&v->fb, from, p, len, now);
}


int
mh_video_send(struct mh_video *v, struct mh_transport *t, uint8_t *buf,
    size_t len, uint64_t now)
{
    int  err;

    err = mh_transport_send_video(t, buf, &len);

    if (err) {
        v->lost = true;
        return err;
    }

    if (v->lost) {

        /* the picture's beginning met no browser: it needs another one */

        v->lost = false;
        mh_feedback_want(&v->fb, MH_STREAM_IMS, now);
    }

    if (v->nack != NULL) {
        mh_nack_put(v->nack, buf, len, mh_transport_keys(t), now);
    }

    return 0;
}


size_t
mh_video_write(struct mh_video *v, unsigned to, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf)
{
    return mh_feedback_write(&v->fb, to, sender, media, now, buf);
}


int
mh_video_pass(struct mh_video *v, struct mh_transport *t, unsigned to,
    uint8_t *p, size_t *len, size_t size, uint64_t now)
{
    struct mh_video_resend  resend;

    resend.v = v;
    resend.t = t;
    resend.now = now;

    return mh_feedback_pass(&v->fb, to, p, len, size, now,
                            (to == MH_STREAM_IMS && v->nack != NULL
                             && t != NULL) ? mh_video_resend_h : NULL,
                            &resend);
}


const struct mh_feedback_stat *
mh_video_stat(const struct mh_video *v)
{
    return &v->fb.stat;
}


static void
mh_video_destroy(void *data)
{
    struct mh_video  *v = data;

    mem_deref(v->nack);
}


static bool
mh_video_resend_h(uint32_t ssrc, uint16_t seq, void *arg)
{
    size_t                   len;
    const uint8_t           *p;
    struct mh_video_resend  *r = arg;

    switch (mh_nack_get(r->v->nack, ssrc, seq, mh_transport_keys(r->t),
                        r->now, &p, &len))
    {

    case MH_NACK_GIVEN:
        mh_transport_resend_video(r->t, p, len);
        r->v->fb.stat.resent++;
        return true;

    case MH_NACK_HELD:
        return true;

    default:
        return false;
    }
}
