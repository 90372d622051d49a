/*
 * Copyright (C) the IMS portal authors
 *
 * One call: the proxy's ng commands, a browser, a plain RTP end, and the
 * packets between them.
 */

#ifndef CALL_H
#define CALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "browser.h"
#include "ng.h"
#include "sdes.h"


#define CM_PROFILE    "SRTP_AES128_CM_SHA1_80"
#define ALL_PROFILES  "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"


enum {
    BROWSER_OFFERS = 0,
    IMS_OFFERS,
    WEB = 0,                    /* sides */
    IMS,
    UP = 0,                     /* directions */
    DOWN
};


struct ims {
    int                      fd[2];         /* RTP, RTCP */
    unsigned                 own;           /* port of fd[0] */
    unsigned                 port;          /* the server's */
    struct sockaddr_storage  peer[2];
    socklen_t                len;
};


struct told {
    char  sdp[NG_MAX];
};


struct call {
    struct ng       *ng;
    const char      *addr;
    const char      *web_af;    /* "IP4" or "IP6" */
    const char      *af;        /* the same at the IMS */
    int              offers;
    char             id[64];
    const char      *ims_tag;
    const char      *flags;     /* more of them with what the IMS says */
    const char      *up_flags;  /* and with what the browser says */
    const char      *tos;       /* TOS of what goes to the IMS, or NULL */
    unsigned         version;
    struct browser   web;
    struct ims       ims;
    struct ims       video;     /* used if web.video is set */
    const char      *video_b;   /* b= line of the IMS's video, or NULL */
    const char      *video_fb;  /* its a=rtcp-fb lines: it is RTP/AVPF then */
    struct sdes     *sdes;      /* of the IMS end's audio; NULL: plain RTP */
    struct sdes     *sdes_video;    /* and of its video */
    struct told      to_web;    /* what the server said last */
    struct told      to_ims;
};


extern const char  *ng_spec;

/* how long what has to come may take; more where it comes in any case */
extern int  pass_wait_ms;


/* addr is that of both ends */
void call_init(struct call *c, struct ng *ng, const char *addr, int offers,
    const char *profiles);

/* the browser has another one */
void call_init_mixed(struct call *c, struct ng *ng, const char *web,
    const char *ims, int offers);

void call_close(struct call *c);

/* commands; they return as ng_send() */
int call_offer(struct call *c, const char *setup, const char *direction);
int call_answer(struct call *c, const char *formats, const char *direction,
    const char *dtls);
int call_delete(struct call *c);

/* takes the address from what the server said to this side; @return 0, -1 */
int call_remote(struct call *c, int side);

/*
 * Offer and answer by c->offers.  setup is what the browser says, dtls the
 * flag towards it.  @return 1, or what failed
 */
int call_setup(struct call *c, const char *setup, const char *dtls);

/* the same once more, with another direction, from the same offerer */
int call_setup_again(struct call *c, const char *setup,
    const char *direction, const char *dtls);

/* an offer of the other side */
int call_reverse(struct call *c);

/* another phone at the IMS end; the caller has kept the old one */
void call_new_ims(struct call *c);

unsigned call_web_port(const struct call *c);
void call_fingerprint(const struct call *c, char fp[128]);

/* @return 1 if a ClientHello gets an answer */
int call_dtls_answers(struct call *c);


/* an RTP packet; a report with one block and the SDES that goes with it */
size_t rtp_make(uint8_t *buf, uint32_t ssrc, unsigned pt, uint16_t seq,
    size_t payload);
size_t rtcp_make(uint8_t *buf, unsigned type, uint32_t from, uint32_t about);

/* @return 1 if the packet comes out as it went in */
int pass_up(struct call *c, uint32_t ssrc, unsigned pt, uint16_t seq,
    size_t payload);
int pass_down(struct call *c, uint32_t ssrc, unsigned pt, uint16_t seq,
    size_t payload);

/* @return 1 if in comes out as out, and nothing else changed */
int pass_pt(struct call *c, int direction, unsigned in, unsigned out,
    uint16_t seq);

/* the same on the video line */
int pass_video(struct call *c, int direction, unsigned in, unsigned out,
    uint16_t seq);

/* @return 1 if the extension is gone and the payload is not */
int pass_extension(struct call *c, uint16_t seq);

/* uses a sequence number without sending it */
void skip_up(struct call *c, uint32_t ssrc, uint16_t seq);
void forge_up(struct call *c, uint32_t ssrc, uint16_t seq);

/* @return how many packets came out */
unsigned replay_up(struct call *c, uint32_t ssrc, uint16_t seq);
unsigned readdress_up(struct call *c, uint32_t ssrc, uint16_t seq);
unsigned stranger_down(struct call *c, uint32_t ssrc);
unsigned stranger_rtcp(struct call *c, uint32_t ssrc);
unsigned count_ims(struct call *c, int ms);
void drain_web(struct call *c, int ms);
void ims_raw(struct call *c, unsigned rtcp, const void *data, size_t len);

/* the same for a packet that is SRTP already, or is not to be */
void ims_sealed(struct call *c, unsigned rtcp, const void *data, size_t len);

/* @return 1 if the report comes out with its SSRCs and its numbers */
int rtcp_up(struct call *c, unsigned type, uint32_t from, uint32_t about);
int rtcp_down(struct call *c, unsigned type, uint32_t from, uint32_t about);

/* @return 1 if a UDP socket can be bound there */
int port_free(const char *addr, unsigned port);

/* @return how many UDP sockets of the system have a port from min to max */
unsigned ports_open(unsigned min, unsigned max);


#endif /* CALL_H */
