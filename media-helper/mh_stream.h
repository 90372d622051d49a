
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * One m-line's media: a port pair towards the IMS, a share of the browser's
 * transport on the other side, and the packet path between the two.
 *
 *     browser  SRTP  mh_web -> mh_bundle -> mh_stream  send(2)  RTP   IMS
 *     browser  SRTP  mh_web <-------------- mh_stream  recvmmsg RTP   IMS
 *
 * Per packet: no allocation, no lock, no log.
 */


#ifndef MH_STREAM_H
#define MH_STREAM_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_dtmf.h"
#include "mh_half.h"
#include "mh_io.h"
#include "mh_keys.h"
#include "mh_port.h"
#include "mh_quality.h"
#include "mh_web.h"


enum {
    MH_STREAM_DROP = 0xff       /* in a payload table: no such number */
};


struct mh_stream;
struct mh_feedback_stat;


/* what was received of one kind on one leg */

struct mh_counter {
    uint64_t  packets;          /* good ones */
    uint64_t  bytes;            /* of these, UDP payload without SRTP */
    uint64_t  errors;           /* malformed, unknown payload number, or
                                   could not be sent on */
};


enum mh_stream_leg {
    MH_STREAM_IMS = 0,          /* as enum mh_sdp_leg */
    MH_STREAM_WEB = 1
};


struct mh_stream_stat {
    struct mh_counter  rtp[2];  /* index: the leg it came from */
    struct mh_counter  rtcp[2];
    uint64_t           last[2]; /* ms; last RTP or RTCP from that leg */
    uint32_t           ssrc[2]; /* the latest; 0 before the first */
    uint32_t           ssrcs[2]; /* how often it changed */
};


/*
 * Opens a port pair.  Nothing is heard on it before mh_stream_peer().
 *
 * @param sp    set on success; free it with mem_deref(), never from within a
 *              receive handler
 * @param io    the set of media sockets
 * @param pool  of the local address to use
 * @param tos   value of IP_TOS, 0 to 252
 *
 * @return 0, ENOSPC (ran out of ports), ENOMEM, or an errno of socket(2)
 */
int mh_stream_alloc(struct mh_stream **sp, struct mh_io *io,
    struct mh_port_pool *pool, int tos);

/* our address and RTP port on the IMS side */
const struct sa *mh_stream_local(const struct mh_stream *s);

/*
 * The IMS side's RTP address; NULL before it is known.
 *
 * @param signaled  that of its description, not the one learned since
 */
const struct sa *mh_stream_remote(const struct mh_stream *s, bool signaled);

/*
 * Points the IMS side to a peer: from now on only it is heard.  What came
 * in before from others is thrown away.  With the same addresses and mode as
 * before it does nothing.
 *
 * @param s      the stream
 * @param rtp    address and port for RTP
 * @param rtcp   for RTCP; the same as rtp: it goes from our RTP port, too
 *               (RFC 5761)
 * @param mode   whether the first RTP and RTCP packet may come from elsewhere
 *               and then sets the address, once (symmetric RTP, RFC 4961), or
 *               later ones, too
 *
 * @return 0, or what connect(2) or epoll_ctl(2) said
 */
int mh_stream_peer(struct mh_stream *s, const struct sa *rtp,
    const struct sa *rtcp, enum mh_half_mode mode);

/* Whether mh_stream_peer() could; returns 0 or what it would */
int mh_stream_reaches(const struct mh_stream *s, const struct sa *rtp,
    const struct sa *rtcp, enum mh_half_mode mode);

/* Forgets what was learned: the next mh_stream_peer() is as the first one */
void mh_stream_forget(struct mh_stream *s);

/*
 * The SDES keys of the IMS side, made at the first call; the stream's own.
 * NULL without memory.
 */
struct mh_keys *mh_stream_keys(struct mh_stream *s);

/*
 * Whether the IMS side is SRTP with these keys; not before mh_stream_keys().
 * Then nothing passes in the clear, in neither direction.
 */
void mh_stream_secure(struct mh_stream *s, bool on);

/* @return the keys if the IMS side is SRTP, else NULL */
const struct mh_keys *mh_stream_secured(const struct mh_stream *s);

/* where packets for the browser go; referenced */
void mh_stream_transport(struct mh_stream *s, struct mh_transport *t);

/*
 * Puts the mid into each packet for the browser (RFC 9143 15, RFC 8285 4.2).
 *
 * @param id   of the header extension, 1 to 14; else none is put there
 * @param mid  1 to 16 bytes; else none is put there
 */
void mh_stream_mid(struct mh_stream *s, uint8_t id, const struct pl *mid);

/*
 * Sets the payload numbers: number in a packet from that leg -> number for
 * the other, or MH_STREAM_DROP.  Before the first call all are dropped.
 */
void mh_stream_tables(struct mh_stream *s, const uint8_t from_ims[128],
    const uint8_t from_web[128]);

/* whether a packet of this number from the browser is for this stream */
bool mh_stream_has_pt(const struct mh_stream *s, uint8_t pt);

/*
 * Takes a decrypted packet of the browser's; mh_bundle has chosen the
 * stream.
 *
 * @param buf  changed in place; up to MH_IO_RECV bytes in MH_IO_ROOM
 * @param len  its length, at least 12 (RTP) or 8 (RTCP)
 */
void mh_stream_web_rtp(struct mh_stream *s, uint8_t *buf, size_t len);
void mh_stream_web_rtcp(struct mh_stream *s, uint8_t *buf, size_t len);

const struct mh_stream_stat *mh_stream_stat(const struct mh_stream *s);

/*
 * Tells the clocks of the payload numbers that come from a leg, in kHz; 0 =
 * the timestamps tell nothing of jitter (telephone-event, comfort noise, not
 * known).  Before the first call all are 0.
 */
void mh_stream_clocks(struct mh_stream *s, enum mh_stream_leg from,
    const uint8_t clocks[128]);

/* Whether one more tone can wait there; returns 0, ENOMEM, ENOSPC */
int mh_stream_play_room(struct mh_stream *s, enum mh_stream_leg from);

/*
 * Plays a tone into the audio of a leg, see mh_dtmf.h; only where there is
 * room.
 *
 * @param pt  numbers of telephone-event in what the other leg receives
 */
void mh_stream_play(struct mh_stream *s, enum mh_stream_leg from,
    const struct mh_dtmf_event *event, const uint8_t pt[MH_DTMF_CLOCKS]);

/* These numbers from now on, for what still waits */
void mh_stream_tones(struct mh_stream *s, enum mh_stream_leg from,
    const uint8_t pt[MH_DTMF_CLOCKS]);

/*
 * Makes it a stream of video, with feedback between its legs as an answer
 * has settled it: see mh_feedback_set(), enum mh_feedback_can and
 * enum mh_feedback_codec.  Both legs are asked for a key frame.
 *
 * @param can     what the peers of both legs understand
 * @param codecs  of the payload numbers that come from a leg
 * @param cap     bit/s that the browser may send; 0 = no limit known
 *
 * @return 0 or ENOMEM: then it stays as it was
 */
int mh_stream_feedback(struct mh_stream *s, const unsigned can[2],
    const uint8_t codecs[2][128], uint32_t cap);

/* Makes it one of audio, which it is at first: the m-line has changed */
void mh_stream_audio(struct mh_stream *s);

/* what feedback there was; NULL if it is no video */
const struct mh_feedback_stat *mh_stream_feedback_stat(
    const struct mh_stream *s);

/*
 * How well the media of that leg arrives here, up to date.
 *
 * @param leg  that it comes from
 *
 * @return the stream's own, valid as long as it
 */
const struct mh_quality *mh_stream_quality(struct mh_stream *s,
    enum mh_stream_leg leg);


#endif /* MH_STREAM_H */
