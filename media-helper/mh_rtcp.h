
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * RTCP as bytes: checks a compound packet (RFC 3550 A.2), walks over it,
 * takes out what the other leg must not see, makes PLI and FIR, rewrites
 * SSRCs.  Pure and in place: no allocation, no clock, no socket, no secret;
 * SRTCP is undone before and done after.
 */


#ifndef MH_RTCP_H
#define MH_RTCP_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


enum mh_rtcp_type {
    MH_RTCP_SR = 200,       /* RFC 3550 6.4.1 */
    MH_RTCP_RR = 201,
    MH_RTCP_SDES = 202,
    MH_RTCP_BYE = 203,
    MH_RTCP_APP = 204,
    MH_RTCP_RTPFB = 205,    /* RFC 4585 6.2: NACK 1, TMMBR 3, twcc 15 */
    MH_RTCP_PSFB = 206,     /* RFC 4585 6.3: PLI 1, FIR 4, REMB 15 */
    MH_RTCP_XR = 207        /* RFC 3611 */
};

enum mh_rtcp_fmt {
    MH_RTCP_FMT_NACK = 1,   /* of RTPFB */
    MH_RTCP_FMT_TMMBR = 3,  /* of RTPFB, RFC 5104 4.2.1 */
    MH_RTCP_FMT_PLI = 1,    /* of PSFB */
    MH_RTCP_FMT_FIR = 4,    /* of PSFB, RFC 5104 4.3.1 */
    MH_RTCP_FMT_AFB = 15    /* of PSFB: REMB */
};

enum {
    MH_RTCP_PLI_SIZE = 12,  /* bytes */
    MH_RTCP_FIR_SIZE = 20,
    MH_RTCP_REMB_SIZE = 24,
    MH_RTCP_TMMBR_SIZE = 20,
    MH_RTCP_TMMBR_OVERHEAD = 40,    /* bytes of IPv4, UDP and RTP */
    MH_RTCP_RR_SIZE = 8,    /* an empty receiver report */
    MH_RTCP_MAX_PACKETS = 64    /* in one compound; more is an attack */
};


/* one packet of a compound; p points into the caller's bytes */

struct mh_rtcp_pkt {
    const uint8_t *p;
    size_t         len;     /* with header and padding */
    uint8_t        type;    /* enum mh_rtcp_type or another, 192 to 223 */
    uint8_t        count;   /* RC, SC, subtype or FMT: 0 to 31 */
    uint32_t       ssrc;    /* the sender's; 0 if it has none (empty BYE) */
    uint32_t       media;   /* RTPFB and PSFB: the media source; else 0 */
};


/* what a filter saw on its way, and what it left */

struct mh_rtcp_seen {
    bool           sr;
    bool           rr;
    bool           bye;
    bool           pli;
    bool           fir;
    bool           nack;
    uint32_t       ssrc;    /* the first packet's sender */
    uint32_t       media;   /* media source of the last PLI, FIR or NACK */
    uint8_t        fir_seq; /* of the last FIR */
    unsigned       dropped; /* packets taken out */
};


/* what the receiving leg understands; flags of mh_rtcp_filter() */

enum mh_rtcp_flags {
    MH_RTCP_TO_AVP = 0,             /* plain AVP: no feedback at all */
    MH_RTCP_TO_AVPF = 1 << 0,       /* RTPFB and PSFB pass: nack, pli, fir */
    MH_RTCP_TO_RSIZE = 1 << 1       /* reduced size (RFC 5506) is allowed */
};


/*
 * Checks a whole datagram: version 2 in every packet, lengths that add up
 * to len exactly, padding only in the last one and within it, report and
 * source counts that fit, first packet SR or RR (RFC 3550 A.2) unless
 * reduced is true (RFC 5506, what a browser may send).
 *
 * @param p        bytes after SRTCP was undone
 * @param len      their number
 * @param reduced  whether a first packet of another type is accepted
 *
 * @return 0, or EBADMSG
 */
int mh_rtcp_check(const uint8_t *p, size_t len, bool reduced);

/*
 * Gives the packet at *pos and moves *pos behind it.
 *
 * @param p    a datagram; safe also if mh_rtcp_check() never saw it
 * @param len  its length
 * @param pos  in and out; begin with 0
 * @param pkt  out
 *
 * @return 0; ENOENT at the end; EBADMSG if the rest is no RTCP packet
 */
int mh_rtcp_next(const uint8_t *p, size_t len, size_t *pos,
    struct mh_rtcp_pkt *pkt);

/*
 * Takes out of a datagram what the receiving leg does not understand, in
 * place.  SR, RR, SDES, BYE and APP pass; RTPFB and PSFB pass with
 * MH_RTCP_TO_AVPF if they are NACK, PLI or FIR (others, such as REMB and
 * transport-cc, speak of what stays at the edge: RFC 8888, TS 23.228
 * U.1.1); XR and unknown types do not pass.  If a compound is due and what
 * is left does not begin with SR or RR, an empty RR is put before it.
 *
 * @param p      the datagram; mh_rtcp_check() accepted it
 * @param len    in and out: its length; 0 if nothing is left to send
 * @param size   room at p (>= *len + MH_RTCP_RR_SIZE where an RR may come)
 * @param flags  enum mh_rtcp_flags of the receiving leg
 * @param seen   out: zeroed first
 *
 * @return 0; EBADMSG (nothing changed); EOVERFLOW if the RR did not fit
 */
int mh_rtcp_filter(uint8_t *p, size_t *len, size_t size, unsigned flags,
    struct mh_rtcp_seen *seen);

/*
 * Replaces an SSRC wherever it names a source: sender, report blocks, SDES
 * chunks, BYE, the media source and the FIR entries of feedback.
 *
 * @param p     the datagram, changed in place; mh_rtcp_check() accepted it
 * @param len   its length
 * @param from  the SSRC to replace
 * @param to    the one to write
 *
 * @return how many were replaced
 */
unsigned mh_rtcp_ssrc_rewrite(uint8_t *p, size_t len, uint32_t from,
    uint32_t to);

/*
 * Writes a picture loss indication (RFC 4585 6.3.1) or a full intra request
 * (RFC 5104 4.3.1) for one source.  Behind a leg that does not allow
 * reduced size, write an empty RR before it: mh_rtcp_rr_write().
 *
 * @param buf     room
 * @param size    its bytes
 * @param sender  our SSRC on that leg
 * @param media   the source that shall send a key frame
 * @param seq     FIR only: raised by the caller for each new request
 *
 * @return bytes written, or 0 if they do not fit
 */
size_t mh_rtcp_pli_write(uint8_t *buf, size_t size, uint32_t sender,
    uint32_t media);
size_t mh_rtcp_fir_write(uint8_t *buf, size_t size, uint32_t sender,
    uint32_t media, uint8_t seq);
size_t mh_rtcp_rr_write(uint8_t *buf, size_t size, uint32_t sender);

/*
 * Writes how much a source may send: as REMB (draft-alvestrand-rmcat-remb,
 * what browsers know) or TMMBR (RFC 5104 4.2.1).
 *
 * @param rate  bit/s
 *
 * @return bytes written, or 0 if they do not fit
 */
size_t mh_rtcp_remb_write(uint8_t *buf, size_t size, uint32_t sender,
    uint32_t media, uint32_t rate);
size_t mh_rtcp_tmmbr_write(uint8_t *buf, size_t size, uint32_t sender,
    uint32_t media, uint32_t rate);


/* a generic NACK (RFC 4585 6.2.1) that is being written */

struct mh_rtcp_nack {
    uint8_t  *p;
    size_t    len;
    size_t    size;
};

/*
 * Begins one, adds a sequence number, ends it.  Numbers should come in
 * order: then those of a run share an entry.  What does not fit is left out.
 *
 * @return (end) bytes written; 0 if there is no number in it
 */
void mh_rtcp_nack_init(struct mh_rtcp_nack *nack, uint8_t *buf, size_t size,
    uint32_t sender, uint32_t media);
void mh_rtcp_nack_add(struct mh_rtcp_nack *nack, uint16_t seq);
size_t mh_rtcp_nack_end(struct mh_rtcp_nack *nack);


#endif /* MH_RTCP_H */
