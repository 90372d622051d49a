
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What a video stream has more than one of audio: feedback between its two
 * legs (mh_feedback.h) and a buffer of what went to the browser (mh_nack.h),
 * brought together with the transport that both use.  No timer.
 */


#ifndef MH_VIDEO_H
#define MH_VIDEO_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mh_feedback.h"
#include "mh_web.h"


struct mh_video;


/*
 * @param vp  set on success; free it with mem_deref()
 *
 * @return 0 or ENOMEM
 */
int mh_video_alloc(struct mh_video **vp);

/*
 * Settles what the legs understand, see mh_feedback_set().  The buffer is
 * there as long as the browser can ask for packets; without memory for it
 * all else goes on.
 */
void mh_video_set(struct mh_video *v, const unsigned can[2],
    const uint8_t codecs[2][128], uint32_t cap, uint64_t now);

/* A key frame is wanted from that leg (enum mh_stream_leg) */
void mh_video_want(struct mh_video *v, unsigned from, uint64_t now);

/* Takes note of a packet that passes, see mh_feedback_rtp() */
bool mh_video_rtp(struct mh_video *v, unsigned from, const uint8_t *p,
    size_t len, uint64_t now);

/* Sends a packet to the browser and keeps it; as mh_transport_send() */
int mh_video_send(struct mh_video *v, struct mh_transport *t, uint8_t *buf,
    size_t len, uint64_t now);

/* Writes what is due for a leg, see mh_feedback_write() */
size_t mh_video_write(struct mh_video *v, unsigned to, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf);

/*
 * Makes a compound packet fit for a leg, see mh_feedback_pass(); what a NACK
 * of the browser's asks for is sent at once.
 *
 * @param t  of the browser; may be NULL
 */
int mh_video_pass(struct mh_video *v, struct mh_transport *t, unsigned to,
    uint8_t *p, size_t *len, size_t size, uint64_t now);

const struct mh_feedback_stat *mh_video_stat(const struct mh_video *v);


#endif /* MH_VIDEO_H */
