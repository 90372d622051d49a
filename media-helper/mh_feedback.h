
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Feedback about video (RFC 4585, 5104) between two legs that may understand
 * different kinds of it: what one says is put into the other's words, and
 * what neither side can say is said by us: key frames when a picture comes
 * up or is broken for a peer that cannot ask, lost packets of the browser's,
 * and the rate that the IMS has room for.
 *
 * Pure: no allocation, no clock, no socket.  Nothing has a timer: all that
 * is due goes with the video packets that it is about.
 */


#ifndef MH_FEEDBACK_H
#define MH_FEEDBACK_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


enum mh_feedback_limits {
    MH_FEEDBACK_SIZE = 384,     /* bytes that mh_feedback_write() needs */
    MH_FEEDBACK_PAUSE = 500,    /* ms between two key frame requests that
                                   we make, also from other requests */
    MH_FEEDBACK_LOSS_PAUSE = 2000,  /* ms; the same, after a loss that the
                                       IMS's peer has no words for */
    MH_FEEDBACK_TRIES = 3,      /* until a key frame is seen */
    MH_FEEDBACK_GAPS = 32,      /* lost packets that are asked for at once */
    MH_FEEDBACK_GAP_PAUSE = 60, /* ms until it is asked for again */
    MH_FEEDBACK_GAP_TRIES = 3,
    MH_FEEDBACK_RATE_PERIOD = 1000  /* ms; a browser forgets no limit, but
                                       one may get lost */
};


/* what a leg's peer understands, by its a=rtcp-fb */

enum mh_feedback_can {
    MH_FEEDBACK_NACK = 1 << 0,
    MH_FEEDBACK_PLI = 1 << 1,
    MH_FEEDBACK_FIR = 1 << 2,
    MH_FEEDBACK_REMB = 1 << 3,
    MH_FEEDBACK_TMMBR = 1 << 4
};


/* how a key frame is told from others */

enum mh_feedback_codec {
    MH_FEEDBACK_UNKNOWN = 0,
    MH_FEEDBACK_H264,           /* RFC 6184 */
    MH_FEEDBACK_VP8             /* RFC 7741 */
};


struct mh_feedback_stat {
    uint64_t  keys;             /* key frames asked for by ourselves */
    uint64_t  translated;       /* PLI to FIR or back */
    uint64_t  absorbed;         /* feedback that the peer does not know */
    uint64_t  resent;           /* packets sent again from our buffer */
    uint64_t  nacked;           /* asked for again by ourselves */
};


/* key frames of one leg */

struct mh_feedback_key {
    uint64_t  due;              /* ms; 0 = nothing to ask for */
    uint64_t  asked;            /* ms; 0 = never */
    unsigned  tries;            /* left */
    uint8_t   seq;              /* of our last FIR */
};


struct mh_feedback_gap {
    uint64_t  due;              /* ms */
    uint16_t  seq;
    uint8_t   tries;            /* left */
};


struct mh_feedback {
    unsigned                 can[2];    /* index, also below: MH_STREAM_IMS
                                           or MH_STREAM_WEB */
    uint8_t                  codecs[2][128];
    uint32_t                 cap;       /* bit/s that the browser may send;
                                           0 = no limit known */
    uint64_t                 next;      /* ms; when something is due for the
                                           browser, UINT64_MAX = nothing */
    struct mh_feedback_key   key[2];
    uint64_t                 rate_due;
    uint32_t                 ssrc;      /* of the browser's video */
    uint16_t                 top;
    bool                     any;
    unsigned                 gapc;
    struct mh_feedback_gap   gaps[MH_FEEDBACK_GAPS];
    struct mh_feedback_stat  stat;
};


/*
 * A NACK of the browser's asks for this packet of the IMS's.
 *
 * @return whether it was answered, or need not be
 */
typedef bool (mh_feedback_resend_h)(uint32_t ssrc, uint16_t seq, void *arg);


/*
 * Settles what the legs understand; called for each answer.  A key frame is
 * wanted from both.
 *
 * @param can     of the peers of both legs, enum mh_feedback_can
 * @param codecs  of the payload numbers that come from a leg
 * @param cap     bit/s, 0 = none
 */
void mh_feedback_set(struct mh_feedback *fb, const unsigned can[2],
    const uint8_t codecs[2][128], uint32_t cap, uint64_t now);

/* A key frame is wanted from that leg: its receiver is new, or lost it */
void mh_feedback_want(struct mh_feedback *fb, unsigned from, uint64_t now);

/*
 * Takes note of a video packet that passed.
 *
 * @param from  leg
 * @param p     with its payload number of that leg
 * @param len   at least 12
 *
 * @return whether something is due for that leg: mh_feedback_write()
 */
bool mh_feedback_rtp(struct mh_feedback *fb, unsigned from, const uint8_t *p,
    size_t len, uint64_t now);

/*
 * Writes what is due for that leg: a compound packet that begins with an
 * empty RR.
 *
 * @param to      leg
 * @param sender  our SSRC there
 * @param media   the video source of that leg
 * @param buf     MH_FEEDBACK_SIZE bytes
 *
 * @return its length; 0 if there is nothing
 */
size_t mh_feedback_write(struct mh_feedback *fb, unsigned to, uint32_t sender,
    uint32_t media, uint64_t now, uint8_t *buf);

/*
 * Rewrites a compound packet on its way: PLI and FIR become what the leg
 * understands, NACKs of the browser's are answered as far as possible, other
 * feedback and XR end here.
 *
 * @param to      leg
 * @param p       mh_rtcp_check() accepted it; changed in place
 * @param len     in and out; 0 if nothing is left to send
 * @param size    room at p
 * @param resend  for NACKs towards the IMS; NULL: none is answered
 *
 * @return 0, EBADMSG, EOVERFLOW
 */
int mh_feedback_pass(struct mh_feedback *fb, unsigned to, uint8_t *p,
    size_t *len, size_t size, uint64_t now, mh_feedback_resend_h *resend,
    void *arg);

/* @return whether the packet begins or is part of a key frame's first bytes */
bool mh_feedback_is_key(enum mh_feedback_codec codec, const uint8_t *p,
    size_t len);


#endif /* MH_FEEDBACK_H */
