
/* Copyright (C) the IMS portal authors */

/*
 * A far end for tests and the demo: a SIP user agent over UDP with plain RTP,
 * whose audio can be measured.  One process, one thread, no library but libc.
 *
 *     fe_main   options, the loop, the control socket
 *     fe_ctl    control commands and their JSON
 *     fe_call   calls: both sides of RFC 3261 13 to 15
 *     fe_tx     transactions
 *     fe_sip    messages: reading fields, writing requests and responses
 *     fe_rtp    RTP, RFC 4733 events
 *     fe_measure  what is heard: level and frequency
 *
 * All sizes are limits: what does not fit is refused.
 */

#ifndef FAREND_H
#define FAREND_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>


enum {
    FE_MAX_CALLS = 64,
    FE_MAX_TXS = 64,
    FE_MAX_SERVICES = 32,
    FE_MAX_ROUTES = 8,
    FE_MAX_MESSAGES = 32,
    FE_CACHE = 32,
    FE_STR = 256,
    FE_MSG = 16384,
    FE_RATE = 8000,              /* samples a second */
    FE_FRAME = 160,              /* samples a packet */
    FE_RING = 8192,              /* samples kept for measuring */
    FE_T1 = 500,                 /* ms, RFC 3261 17 */
    FE_T2 = 4000,
    FE_TIMEOUT = 32000
};


typedef enum {
    FE_ECHO = 0,                 /* sends back what it hears */
    FE_TONE,                     /* sends a tone */
    FE_SILENT,                   /* sends silence */
    FE_BUSY,                     /* answers 486 */
    FE_RING_ONLY,                /* rings until told otherwise */
    FE_CALLBACK                  /* answers, hangs up, then calls back */
} fe_mode_e;


typedef enum {
    FE_FREE = 0,
    FE_INCOMING,                 /* rings here */
    FE_CALLING,                  /* rings there */
    FE_ESTABLISHED,
    FE_ENDED
} fe_state_e;


/* one request or response as received; spans point into buf */
struct fe_msg {
    char                buf[FE_MSG];
    size_t              len;
    const char         *body;
    char                method[16];      /* of the request, or of CSeq */
    char                uri[FE_STR];
    int                 status;          /* 0: a request */
    uint32_t            cseq;
    char                call_id[FE_STR];
    char                branch[FE_STR];
    struct sockaddr_in  from;
};


struct fe_service {
    char                user[64];
    fe_mode_e           mode;
    double              freq;
};


struct fe_rtp {
    int                 fd;              /* RTP */
    int                 rtcp_fd;
    uint16_t            port;
    struct sockaddr_in  remote;
    struct sockaddr_in  rtcp_remote;
    int                 pt;              /* 0 PCMU, 8 PCMA */
    int                 te_pt;           /* telephone-event, -1: none */
    int                 send, receive;   /* direction agreed on */

    /* sending */
    fe_mode_e           mode;
    double              freq;
    double              phase;
    uint32_t            ssrc, ts;
    uint16_t            seq;
    double              next;            /* ms, next packet due */
    double              next_sr;
    uint32_t            sent, sent_octets;
    char                out[64];         /* digits to be sent */
    unsigned            out_step;
    uint32_t            out_ts;

    /* receiving */
    uint32_t            packets, bytes, lost_base, ssrcs, rtcp, bad;
    uint32_t            reordered, dup;
    uint32_t            base, highest;   /* extended sequence numbers */
    uint32_t            rssrc;
    int                 last_pt;
    double              last;            /* ms, last packet */
    double              max_gap;
    int16_t             ring[FE_RING];
    size_t              heard;           /* samples ever put in the ring */
    char                dtmf[128];
    uint32_t            dtmf_ts;
    int                 dtmf_any;
};


struct fe_call {
    int                 id;
    fe_state_e          state;
    int                 uac;
    char                number[64];      /* whom it was for */
    char                call_id[FE_STR];
    char                local[FE_STR];   /* From or To value with our tag */
    char                remote[FE_STR];  /* the same of the peer */
    char                remote_tag[FE_STR];
    char                target[FE_STR];
    char                routes[FE_MAX_ROUTES][FE_STR];
    int                 nroutes;
    uint32_t            cseq;            /* our last */
    uint32_t            invite_cseq;     /* of the INVITE in either way */
    uint32_t            rcseq;
    char                branch[FE_STR];  /* of our INVITE */
    int                 late;            /* our INVITE had no SDP */
    int                 answered;        /* final response sent */
    int                 status;          /* last final status */
    int                 reinvites;
    int                 cancelled;
    int                 timed_out;       /* no answer to our INVITE */
    unsigned            version;
    char                why[64];
    char                reason[FE_STR];  /* of the BYE that ended it */
    char                info[FE_STR];    /* last INFO body */

    struct fe_msg      *invite;          /* kept for its responses */
    char                resp[FE_MSG];    /* 200 until the ACK comes */
    size_t              resp_len;
    double              resp_next, resp_wait, resp_end;

    double              answer_at, hangup_at, callback_at;
    struct fe_rtp       rtp;
};


struct fe_tx {
    int                 used;
    char                method[16];
    char                branch[FE_STR];
    int                 call;            /* index, -1: none */
    int                 message;         /* index of a MESSAGE sent, -1 */
    struct sockaddr_in  to;
    char                buf[FE_MSG];
    size_t              len;
    double              next, wait, end;
    int                 provisional;
};


struct fe_message {
    int                 sent;            /* else received */
    int                 status;
    char                peer[FE_STR];
    char                type[64];
    char                body[1024];
};


struct fe_cached {
    char                branch[FE_STR];
    char                method[16];
    char                buf[2048];
    size_t              len;
};


struct fe {
    int                 sip_fd;
    char                host[64];
    uint16_t            port;
    char                core[64];
    struct sockaddr_in  core_addr;
    char                me[FE_STR];      /* our URI */
    uint16_t            rtp_min, rtp_max, rtp_next;
    int                 answer_delay;    /* ms of ringing */
    struct fe_service   services[FE_MAX_SERVICES];
    int                 nservices;
    struct fe_call      calls[FE_MAX_CALLS];
    int                 last_id;
    struct fe_tx        txs[FE_MAX_TXS];
    struct fe_cached    cache[FE_CACHE];
    unsigned            cache_next;
    struct fe_message   messages[FE_MAX_MESSAGES];
    int                 nmessages;
    unsigned            serial;
};


/* ms of a clock that never jumps */
double fe_now(void);

/* fe_sip: reading */

/* splits m->buf; 0, or -1 when this is no SIP message that we can use */
int fe_sip_parse(struct fe_msg *m);

/*
 * Copies the nth (from 0) value line of a header; 1 found, 0 not.  Compact
 * forms of the names used here are known.
 */
int fe_sip_header(const struct fe_msg *m, const char *name, int nth,
    char *out, size_t size);

/* copies the parameter, "" when it is not there */
void fe_sip_param(const char *value, const char *name, char *out,
    size_t size);

/* the URI inside a name-addr or addr-spec */
void fe_sip_uri(const char *value, char *out, size_t size);

/* the user part of a URI, "" when there is none */
void fe_sip_user(const char *uri, char *out, size_t size);

/* the host and port of a sip: URI with a numeric address; -1 otherwise */
int fe_sip_address(const char *uri, struct sockaddr_in *sin);

/* fe_sip: writing; both return the length, 0 when it does not fit */

size_t fe_sip_response(struct fe *fe, const struct fe_msg *m, int status,
    const char *reason, const char *tag, const char *extra, const char *sdp,
    char *out, size_t size);
size_t fe_sip_request(struct fe *fe, const struct fe_call *c,
    const char *method, uint32_t cseq, const char *branch,
    const char *extra, const char *type, const char *body, char *out,
    size_t size);

/* fe_tx */

void fe_tx_send(struct fe *fe, const struct sockaddr_in *to, const char *buf,
    size_t len);

/* answers a request other than INVITE; remembered for its repetitions */
void fe_tx_reply(struct fe *fe, const struct fe_msg *m, int status,
    const char *sdp);

/* 1: a request seen before, answered again */
int fe_tx_repeat(struct fe *fe, const struct fe_msg *m);

/* NULL: too many under way, or it does not fit */
struct fe_tx *fe_tx_request(struct fe *fe, struct fe_call *c,
    const char *method, uint32_t cseq, const char *extra, const char *type,
    const char *body);

/* branch: that of the INVITE when it failed, NULL after a 2xx */
void fe_tx_ack(struct fe *fe, struct fe_call *c, const char *branch,
    uint32_t cseq, const char *sdp);

/* responses to c->invite; a final one is repeated until its ACK */
void fe_tx_final(struct fe *fe, struct fe_call *c, int status,
    const char *sdp);
void fe_tx_provisional(struct fe *fe, struct fe_call *c, int status);
void fe_tx_tick(struct fe *fe, double now);

/* fe_call */

void fe_call_input(struct fe *fe, struct fe_msg *m);
void fe_call_tick(struct fe *fe, double now);
struct fe_call *fe_call_find(struct fe *fe, int id);      /* 0: the latest */
struct fe_call *fe_call_start(struct fe *fe, const char *uri,
    const char *from, fe_mode_e mode, double freq, int late);
int fe_call_answer(struct fe *fe, struct fe_call *c);
int fe_call_reject(struct fe *fe, struct fe_call *c, int status);
int fe_call_hangup(struct fe *fe, struct fe_call *c, const char *why);
int fe_call_reinvite(struct fe *fe, struct fe_call *c, int send, int receive);
int fe_call_request(struct fe *fe, struct fe_call *c, const char *method,
    const char *type, const char *body);
int fe_call_message(struct fe *fe, const char *uri, const char *text);

/* fe_rtp */

int fe_rtp_open(struct fe *fe, struct fe_rtp *r);
void fe_rtp_close(struct fe_rtp *r);
size_t fe_rtp_sdp(struct fe *fe, struct fe_call *c, int offer, char *out,
    size_t size);
int fe_rtp_remote(struct fe_rtp *r, const char *sdp);
void fe_rtp_input(struct fe_rtp *r);
void fe_rtp_rtcp_input(struct fe_rtp *r);
void fe_rtp_tick(struct fe_rtp *r, double now);
void fe_rtp_reset(struct fe_rtp *r);
uint32_t fe_rtp_lost(const struct fe_rtp *r);

/*
 * fe_measure: what was heard in the last second.  RMS in dB of full scale
 * (-100: nothing), the strongest frequency in Hz and its share of the power,
 * 0 to 1.
 */
void fe_rtp_measure(const struct fe_rtp *r, double *db, double *freq,
    double *share);

/* fe_ctl: one command line in, one line of JSON out */
void fe_ctl(struct fe *fe, char *line, char *out, size_t size);
int fe_ctl_service(struct fe *fe, const char *spec);
struct fe_service *fe_ctl_find_service(struct fe *fe, const char *user);

#endif /* FAREND_H */
