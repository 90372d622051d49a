
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * SDP between a browser and the IMS: a parser that keeps lines as spans and
 * two writers, one for each side.  Pure: no allocation, no clock, no socket,
 * no randomness; the same input and the same local parameters give the same
 * bytes.  What is passed on is on an allow list, line by line (SD-19); all
 * else, known or not, stays behind.
 *
 * Six files share this header: mh_sdp.c and mh_sdp_attr.c read,
 * mh_sdp_map.c decides which codecs pass and under which payload numbers,
 * mh_sdp_plan.c what each m-line becomes, mh_sdp_out.c and mh_sdp_refused.c
 * write.
 *
 * How a call uses it (leg A makes the offer, leg B answers):
 *
 *     offer:   mh_sdp_parse(a, text)
 *              mh_sdp_check_web(a)                if A is the browser
 *              for each i: mh_sdp_wanted(a, i, &local_b)  -> open a port
 *              mh_sdp_offer(out, a, &local_b, maps)
 *     answer:  mh_sdp_parse(a, A's offer, kept as text)
 *              mh_sdp_parse(b, B's answer)
 *              mh_sdp_check_web(b)                if B is the browser
 *              mh_sdp_answer(out, a, b, &local_a, maps)
 *              mh_sdp_table(&maps[i], leg, table) for the packet path
 *
 * struct mh_sdp is large (about 30 KiB): keep one as scratch or on the
 * stack while a message is worked on, keep the text per call.
 */


#ifndef MH_SDP_H
#define MH_SDP_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "mh_sdes.h"


enum {
    MH_SDP_MAX_SIZE = 65536,        /* bytes of one body (SD-19) */
    MH_SDP_MAX_LINES = 4096,
    MH_SDP_MAX_MEDIA = 16,          /* m-lines that may be in use */
    MH_SDP_MAX_SURPLUS = 240,       /* m-lines behind them, always refused */
    MH_SDP_MAX_FORMATS = 256,       /* formats of all m-lines together */
    MH_SDP_MAX_FINGERPRINTS = 4,    /* per m-line; more are ignored */
    MH_SDP_MAX_CODEC_RULES = 16,    /* per list of struct mh_sdp_policy */
    MH_SDP_MAX_MORE = 7,            /* candidates besides the first */
    MH_SDP_MAX_PT = 16,             /* codecs of one m-line that pass */
    MH_SDP_MAX_MID = 31,            /* bytes; RFC 9143 14 wants 1 to 3 */
    MH_SDP_SENT_MID = 16,           /* those that fit into the one-byte form */
    MH_SDP_MAX_EXT = 14             /* of a header extension, RFC 8285 4.2;
                                       and its highest id */
};


/* the two sides of a call; also the index of pt[] below */

enum mh_sdp_leg {
    MH_SDP_IMS = 0,
    MH_SDP_WEB = 1
};

enum mh_sdp_kind {
    MH_SDP_OTHER = 0,               /* application, message, image, text */
    MH_SDP_AUDIO,
    MH_SDP_VIDEO
};

enum mh_sdp_proto {
    MH_SDP_PROTO_OTHER = 0,
    MH_SDP_AVP,                     /* RTP/AVP */
    MH_SDP_AVPF,
    MH_SDP_SAVP,                    /* RTP/SAVP and UDP/TLS/RTP/SAVP */
    MH_SDP_SAVPF
};

/* bits, so that a direction can be intersected: bit 0 sends, 1 receives */

enum mh_sdp_dir {
    MH_SDP_INACTIVE = 0,
    MH_SDP_SENDONLY = 1,
    MH_SDP_RECVONLY = 2,
    MH_SDP_SENDRECV = 3
};

enum mh_sdp_setup {
    MH_SDP_SETUP_NONE = 0,          /* no such attribute */
    MH_SDP_ACTPASS,
    MH_SDP_ACTIVE,
    MH_SDP_PASSIVE,
    MH_SDP_HOLDCONN
};

/* codecs that we know by name; a set of them is a mask of 1 << codec */

enum mh_sdp_codec {
    MH_SDP_UNKNOWN = 0,
    MH_SDP_PCMU, MH_SDP_PCMA, MH_SDP_G722, MH_SDP_AMR, MH_SDP_AMR_WB,
    MH_SDP_OPUS, MH_SDP_TELEPHONE_EVENT, MH_SDP_CN,
    MH_SDP_H264, MH_SDP_VP8,
    MH_SDP_CODECS
};


/* one format of an m-line: a payload type number and what it means */

struct mh_sdp_format {
    struct pl          text;        /* as in the m-line */
    struct pl          name;        /* of rtpmap, or of the static number */
    struct pl          rtpmap;      /* "PCMA/8000", empty if not given */
    struct pl          fmtp;        /* after the number, empty if none */
    uint32_t           clock;       /* Hz */
    uint8_t            pt;          /* 0 to 127; 255 if it is no number */
    uint8_t            channels;    /* 1 unless given */
    enum mh_sdp_codec  codec;
};

struct mh_sdp_fingerprint {
    struct pl          hash;        /* "sha-256", as spelled */
    struct pl          value;       /* "AB:CD:..." */
};

/*
 * One m-line.  What may also stand at session level (address, direction,
 * ICE, DTLS) is already merged in: look here only.
 */

struct mh_sdp_media {
    enum mh_sdp_kind   kind;
    enum mh_sdp_proto  proto;
    struct pl          line;        /* the m-line's value */
    struct pl          lines;       /* what follows it, up to the next m= */
    struct pl          kind_text;
    struct pl          proto_text;
    struct pl          formats;     /* the list as text */
    uint16_t           port;        /* 0 = refused, or bundle-only */
    bool               refused;     /* port 0 and not bundle-only */

    unsigned           format;      /* index of its first in sdp->formats */
    unsigned           formatc;

    struct pl          addr;        /* c=, else the session's; may be empty */
    int                af;          /* AF_INET, AF_INET6; 0 if there is none
                                       or it is a name: cannot be used */
    bool               zero_addr;   /* 0.0.0.0 or :: */
    uint16_t           rtcp_port;   /* a=rtcp:, else port + 1; 0 if port 0 */
    struct pl          rtcp_addr;   /* a=rtcp: with an address; else empty */
    uint32_t           as;          /* b=AS in kbit/s, 0 = none */
    uint32_t           tias;        /* b=TIAS in bit/s, 0 = none */
    enum mh_sdp_dir    dir;         /* as written, sendrecv if not */

    bool               rtcp_mux;    /* also for rtcp-mux-only */
    bool               rtcp_rsize;
    bool               bundle_only;
    bool               bundled;     /* its mid is in the BUNDLE group */
    bool               nack;        /* an rtcp-fb line says so */
    bool               nack_pli;
    bool               ccm_fir;
    bool               ccm_tmmbr;
    bool               goog_remb;
    struct pl          mid;
    uint8_t            mid_ext;     /* extmap id of sdes:mid, 0 = none */

    struct pl          ufrag;
    struct pl          pwd;
    bool               end_of_candidates;
    unsigned           candidates;  /* usable ones; .local is not counted */

    struct mh_sdp_fingerprint fingerprints[MH_SDP_MAX_FINGERPRINTS];
    unsigned           fingerprintc;
    enum mh_sdp_setup  setup;
    struct pl          tls_id;
    bool               tls;         /* the profile's keys come by DTLS */
    struct pl          cryptos[MH_SDES_LINES];  /* values of a=crypto */
    unsigned           cryptoc;
    uint32_t           suites;      /* of these: mask of those we can do */
};

struct mh_sdp {
    struct pl          text;        /* all of it */
    struct pl          origin;      /* o= value */
    uint64_t           sess_id;     /* of o=, 0 if it is no number */
    uint64_t           sess_ver;
    struct pl          group;       /* mids of the first BUNDLE group */
    bool               ice_lite;    /* the peer is lite: refuse (two lites
                                       are not for the open internet) */
    bool               ice_trickle; /* ice-options has trickle */

    struct mh_sdp_media   media[MH_SDP_MAX_MEDIA];
    unsigned              mediac;
    struct pl             surplus;  /* from the m-line on that was one too */
    unsigned              surplusc; /* many; how many there are */
    struct mh_sdp_format  formats[MH_SDP_MAX_FORMATS];
    unsigned              formatc;
};


/*
 * A codec that passes, and its numbers.  "to" is the number that a leg wants
 * in what it receives, "from" the number in what it sends; they are the same
 * unless an answerer renumbered (RFC 3264 6.1 advises, does not require).
 */

struct mh_sdp_pt {
    uint8_t            codec;       /* enum mh_sdp_codec */
    uint8_t            channels;
    bool               chosen;      /* it is in the answer */
    uint8_t            to[2];       /* index: enum mh_sdp_leg */
    uint8_t            from[2];
    uint32_t           clock;       /* Hz */
    uint32_t           variant;     /* tells formats of one name apart by
                                       their fmtp (H264, AMR) */
};

/*
 * Of one m-line; all zero before the first offer; the call keeps it.  The
 * mid stays with the m-line as well, whoever makes the next offer.
 */

struct mh_sdp_map {
    char               mid[MH_SDP_MAX_MID + 1];     /* "" = none yet */
    uint8_t            mid_ext;     /* extmap id of sdes:mid, 0 = none */
    bool               answered;
    uint8_t            n;
    struct mh_sdp_pt   pt[MH_SDP_MAX_PT];
};


/*
 * What may pass, and how; from the configuration and the ng request.
 * mh_sdp_policy_init() sets the product's defaults.
 */

struct mh_sdp_policy {
    uint32_t           audio;       /* masks of 1 << enum mh_sdp_codec, for */
    uint32_t           video;       /* what is offered to that leg */
    bool               no_feedback; /* video as RTP/AVP, no rtcp-fb (IMS) */
    bool               avpf;        /* audio as RTP/AVPF too (IMS offer) */
    uint32_t           suites;      /* of SDES, that an IMS offer may have */
    bool               single_codec;    /* answers name one, and tones */
    bool               no_audio;    /* ng sdp-media-remove */
    bool               no_video;
    uint32_t           video_as;    /* kbit/s where the peer gave no b= */
    uint32_t           video_cap;   /* kbit/s that a browser may send at
                                       most; 0 = what the IMS's b= says */
    struct pl          h264_level;  /* "42e00c": written instead of the
                                       peer's profile-level-id; empty: keep */
    struct pl          strip[MH_SDP_MAX_CODEC_RULES];   /* ng codec strip
                                       and mask; "all" or names */
    unsigned           stripc;
    struct pl          offer[MH_SDP_MAX_CODEC_RULES];   /* ng codec offer
                                       and except: pass in spite of all */
    unsigned           offerc;
};

struct mh_sdp_local_media {
    uint16_t           port;        /* host order; 0 refuses the m-line */
    uint16_t           rtcp_port;   /* IMS: 0 or port + 1 writes no a=rtcp;
                                       that of RTP: there is no other */
    bool               rtcp_mux;    /* IMS only: write a=rtcp-mux */
    const char        *crypto;      /* IMS only: a=crypto lines to write, the
                                       profile then is SAVP; NULL: none */
    bool               osrtp;       /* with crypto: it is AVP in spite of it */
    const char        *ufrag;       /* web: of the transport that the m-line
                                       uses; NULL: those of mh_sdp_local */
    const char        *pwd;
    const char        *former_ufrag;    /* web: to write in their place where */
    const char        *former_pwd;      /* another m-line names the transport;
                                           NULL: those */
    const char        *tls_id;      /* as in mh_sdp_local; with ufrag */
    enum mh_sdp_setup  setup;       /* used with ufrag */
    bool               own;         /* our offer: has ICE and DTLS of its own
                                       in spite of the BUNDLE group */
    bool               alone;       /* our offer: not in that group */
};

/*
 * Our end of the leg that the text goes to.  Strings end with NUL and are
 * the caller's.
 */

struct mh_sdp_local {
    enum mh_sdp_leg    leg;
    struct mh_sdp_policy policy;
    const char        *addr;        /* for c=, m=, the first candidate */
    bool               ipv6;        /* its family */
    const char        *more[MH_SDP_MAX_MORE];   /* web: those of further
                                       candidates; same port */
    unsigned           morec;
    uint16_t           tcp_port;    /* web: of all for TCP, 0 = none */
    uint64_t           sess_id;     /* of o=: constant for the leg */
    uint64_t           sess_ver;    /* one up per change: mh_sdp_same() */

    const char        *ufrag;       /* from here on web only */
    const char        *pwd;
    const char        *fingerprint; /* "sha-256 AB:CD:..." */
    const char        *tls_id;      /* written in an answer only if the offer
                                       had one; NULL: never */
    enum mh_sdp_setup  setup;       /* actpass in an offer; else as chosen */
    bool               answer;      /* what will be written is one */
    bool               no_tls_id;   /* web: the caller gives none */
    bool               raise;       /* the caller raises sess_ver anyway */
    bool               bundle_only; /* web: new m-lines but the first are for */
    bool               bundle_zero; /* the bundle only; written with port 0 */
    bool               full_rtcp;   /* IMS: a=rtcp always, with the address */
    const char        *loop;        /* name of this helper to write, or NULL */

    struct mh_sdp_local_media media[MH_SDP_MAX_MEDIA];
};


/* ----- mh_sdp.c: reading ----- */

/*
 * Reads a session description (RFC 8866); lines end with CRLF or LF.
 *
 * @param sdp  out: wholly rewritten; spans point into p, which must stay
 * @param p    the body; need not end with NUL
 * @param len  its bytes
 *
 * @return 0; EBADMSG (malformed, a NUL byte, over a limit);
 *         ENODATA (no v=, o=, m=, or an accepted m-line without c=)
 */
int mh_sdp_parse(struct mh_sdp *sdp, const char *p, size_t len);

/*
 * Checks what every browser must send (SD-7): for each m-line that is not
 * refused a DTLS profile, a fingerprint and ICE credentials (of its own or
 * of the m-line that it is bundled with).
 *
 * @return 0; EPROTONOSUPPORT (no DTLS profile, or an ICE-lite peer);
 *         EKEYREJECTED (no fingerprint of SHA-256 or stronger); ENOKEY (no
 *         ICE credentials)
 */
int mh_sdp_check_web(const struct mh_sdp *sdp);

/*
 * The m-line that carries m's transport attributes: the first accepted one
 * of the BUNDLE group if m is in it (the tagged one), else m itself.  Look
 * there for ufrag, pwd, fingerprints, setup, tls_id.
 *
 * @return never NULL
 */
const struct mh_sdp_media *mh_sdp_transport(const struct mh_sdp *sdp,
    const struct mh_sdp_media *m);

/*
 * What the peer's m-line means for hold, whatever the way it is written:
 * on the IMS leg c=0.0.0.0 (RFC 2543's hold) takes away "receives"; on the
 * web leg 0.0.0.0 only means trickle and changes nothing.
 */
enum mh_sdp_dir mh_sdp_direction(const struct mh_sdp_media *m,
    enum mh_sdp_leg leg);

/*
 * Turns a fingerprint's hex into bytes.
 *
 * @param fp    from struct mh_sdp_media
 * @param out   room
 * @param size  its bytes; 64 is enough for every hash
 * @param n     out: bytes written
 *
 * @return 0, or EBADMSG
 */
int mh_sdp_fingerprint_bytes(const struct mh_sdp_fingerprint *fp,
    uint8_t *out, size_t size, size_t *n);

/*
 * The text for ng's error-reason: EBADMSG "Failed to parse SDP", ENODATA
 * "Incomplete SDP specification", and so on for every errno of this file.
 *
 * @return a constant string, never NULL
 */
const char *mh_sdp_error(int err);

/*
 * Whether two descriptions are the same but for their o= line: then the
 * version must not be raised (RFC 3264 8).
 */
bool mh_sdp_same(const char *a, size_t alen, const char *b, size_t blen);


/* ----- mh_sdp_map.c: codecs and payload numbers ----- */

/* the product's defaults for offers to that leg (SD-13, SD-14) */
void mh_sdp_policy_init(struct mh_sdp_policy *policy, enum mh_sdp_leg leg);

/*
 * Whether m-line i of an offer can be carried to the other leg: audio or
 * video over RTP, not refused, with at least one codec that may pass.  The
 * caller opens a port if so, else leaves local->media[i].port at 0.
 *
 * @param offer  the peer's
 * @param i      0 to offer->mediac - 1
 * @param local  of the leg that the offer goes to: leg and policy are used
 */
bool mh_sdp_wanted(const struct mh_sdp *offer, unsigned i,
    const struct mh_sdp_local *local);

/*
 * Fills a table for the packet path: payload number in a packet from that
 * leg -> number to write towards the other; 0xff = drop.  Before an answer
 * all codecs of the offer are in it, then those chosen.
 */
void mh_sdp_table(const struct mh_sdp_map *map, enum mh_sdp_leg from,
    uint8_t table[128]);

/*
 * The clock in kHz of the payload numbers in packets from that leg; 0 where
 * timestamps tell nothing of jitter (telephone-event, comfort noise).
 */
void mh_sdp_clocks(const struct mh_sdp_map *map, enum mh_sdp_leg from,
    uint8_t clocks[128]);


/* ----- mh_sdp_plan.c and mh_sdp_out.c: writing ----- */

/*
 * Writes the offer for local->leg, made from the other leg's.
 *
 * @param buf    room: MH_SDP_MAX_SIZE
 * @param size   its bytes
 * @param len    out, written last
 * @param offer  the peer's offer
 * @param local  our end on the leg that it goes to; its media[i].port say
 *               which m-lines are refused
 * @param maps   in and out, offer->mediac of them: numbers used before are
 *               kept (RFC 3264 8.3.2), new codecs are added
 *
 * @return 0; EOVERFLOW (it did not fit); ENOMEM (no payload number left)
 */
int mh_sdp_offer(char *buf, size_t size, size_t *len,
    const struct mh_sdp *offer, const struct mh_sdp_local *local,
    struct mh_sdp_map *maps);

/*
 * Whether an answer can be one: at least one m-line takes a codec of its
 * offer.  Nothing changes.
 *
 * @param offer     as parsed, and answer with as many m-lines
 * @param maps      what mh_sdp_offer() made of the offer
 * @param answerer  the leg of the answer
 */
bool mh_sdp_shares(const struct mh_sdp *offer, const struct mh_sdp *answer,
    struct mh_sdp_map *maps, enum mh_sdp_leg answerer);

/*
 * Writes the answer for local->leg: as many m-lines as its offer had, in
 * that order, with its payload numbers and the other leg's choice.
 *
 * @param offer   what local->leg had offered
 * @param answer  what the other leg answered to our offer
 * @param local   our end on the leg that the answer goes to; a port of 0
 *                refuses, and so does an answer that did
 * @param maps    in and out: what mh_sdp_offer() made; "chosen" and "to"
 *                are set from the answer
 *
 * @return 0; EPROTO (not the offer's m-lines); EOVERFLOW
 */
int mh_sdp_answer(char *buf, size_t size, size_t *len,
    const struct mh_sdp *offer, const struct mh_sdp *answer,
    const struct mh_sdp_local *local, struct mh_sdp_map *maps);


#endif /* MH_SDP_H */
