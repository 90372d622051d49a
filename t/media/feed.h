/*
 * Copyright (C) the IMS portal authors
 *
 * Frames of video and compound packets of RTCP between the two ends of a call;
 * for mh_feed.
 */

#ifndef FEED_H
#define FEED_H

#include <stddef.h>
#include <stdint.h>

#include "call.h"


enum {
    WAIT_MS = 5000,
    MARY = 0x11110001,          /* sources of video */
    BOB = 0x22220001,
    VOICE = 0x33330001,         /* of the browser's audio */
    BOBS_VOICE = 0x44440001,
    IDR = 0x65,                 /* H.264: a key frame, and another */
    SLICE = 0x41,
    SR = 200,
    RR = 201,
    SDES = 202,
    BYE = 203,
    APP = 204,
    XR = 207,
    NACK = 205 << 8 | 1,        /* with a format */
    TMMBR = 205 << 8 | 3,
    TWCC = 205 << 8 | 15,
    PLI = 206 << 8 | 1,
    FIR = 206 << 8 | 4,
    REMB = 206 << 8 | 15
};


/* a compound packet */

struct rtcp {
    uint8_t  p[BROWSER_PACKET];
    size_t   len;
};


extern struct rtcp  got;        /* what came last */


void put32(uint8_t *p, uint32_t v);
uint32_t get32(const uint8_t *p);
long now_ms(void);

/* writes an H.264 packet, at most 256 bytes; @return its length */
size_t frame(uint8_t *p, uint32_t ssrc, uint16_t seq, uint8_t nal);

/* the plain ends, RTP or RTCP; @return the length, 0 after ms */
size_t ims_get(struct ims *ims, unsigned rtcp, uint8_t *p, int ms);
void ims_put(struct ims *ims, unsigned rtcp, const uint8_t *p, size_t len);

/* @return 1 if a frame comes out as it went in */
int up(struct call *c, uint32_t ssrc, uint16_t seq, uint8_t nal);
int down(struct call *c, uint32_t ssrc, uint16_t seq, uint8_t nal);

/* adds a packet to a compound; media is written for feedback and APP only */
void add(struct rtcp *r, unsigned kind, uint32_t sender, uint32_t media,
    const void *more, size_t len);

/* adds an SR or RR with blocks about a and b, where these are not 0 */
void report(struct rtcp *r, unsigned type, uint32_t sender, uint32_t a,
    uint32_t b);

/*
 * @return where in got one of that kind is; NULL if there is none, or if got
 *         is no good compound that begins with a report
 */
const uint8_t *find(unsigned kind);

void up_rtcp(struct call *c, const struct rtcp *r);

/* the next compound goes to got; @return 1, or 0 after WAIT_MS */
int web_next(struct call *c);
int ims_next(struct ims *ims);

/* waits for one with that kind in it; as find() */
const uint8_t *web_find(struct call *c, unsigned kind);
const uint8_t *ims_find(struct ims *ims, unsigned kind);

/*
 * Sends a report down that must come out, and counts packets of that kind
 * that come before it.  @return how many, or -1 if the report does not come
 */
int web_count(struct call *c, struct ims *ims, unsigned kind);

/* a call with video and these a=rtcp-fb lines; @return 1 if connected */
int begin(struct call *c, struct ng *ng, int offers, const char *web,
    const char *ims);
void end(struct call *c);

/*
 * A key frame of each side ends all requests for one; sources are known, MARY
 * is at 101, BOB at 201.  @return 1
 */
int settle(struct call *c);


/* ----- odd.c ----- */

void test_tones(struct ng *ng);
void test_headers(struct ng *ng);
void test_sources(struct ng *ng);
void test_quality(struct ng *ng);


#endif /* FEED_H */
