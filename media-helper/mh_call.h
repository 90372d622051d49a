
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Calls: one browser, one IMS side, a transport for the first (or several,
 * if it does not bundle) and a stream per m-line for the second.  mh_call.c
 * finds, times and ends them, mh_link.c has the transports, mh_offer.c works
 * on offers, mh_answer.c on answers.
 *
 * Timers, all driven by mh_calls_tick() once a second:
 *   - an offer that is never answered ends after offer_timeout;
 *   - an answered call ends after media_timeout without a packet on either
 *     side and without a sign of life from the browser (RFC 7675 5.1);
 *   - media_lost is set when the browser's consent is gone.
 */


#ifndef MH_CALL_H
#define MH_CALL_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include <re.h>

#include "mh_dtmf.h"
#include "mh_ended.h"
#include "mh_io.h"
#include "mh_link.h"
#include "mh_port.h"
#include "mh_sdp.h"
#include "mh_stream.h"
#include "mh_web.h"


enum mh_call_limits {
    MH_CALL_ID = 1024,          /* bytes of a call-id or a tag */
    MH_CALL_BRANCHES = 16,      /* via-branches remembered */
    MH_CALL_DELAY = 86400,      /* seconds; most that a delete may wait */
    MH_CALL_LEGS = 2
};


struct mh_calls;


/* where the media engine is, and what the command line said */

struct mh_calls_conf {
    struct mh_io         *io;
    struct mh_web        *web;
    struct sa             web_addrs[MH_WEB_SOCKS];  /* as told to browsers */
    unsigned              web_addrc;
    uint16_t              tcp_port;         /* of ICE over TCP, 0 = none */
    struct mh_port_pool  *pools[MH_WEB_SOCKS];
    int                   pool_af[MH_WEB_SOCKS];
    unsigned              poolc;
    unsigned              max_calls;        /* 0 = no limit */
    unsigned              media_timeout;    /* seconds, 0 = never */
    unsigned              offer_timeout;    /* seconds, 0 = never */
    bool                  learn;            /* IMS side may be elsewhere,
                                               once */
    int                   tos;
    int                   tos_video;
    unsigned              video_cap;        /* kbit/s that browsers may send
                                               as video, 0 = the IMS's b= */
};


/* what an ng offer, answer or delete says; spans of the request */

struct mh_signal {
    struct pl          call_id;
    struct pl          from_tag;
    struct pl          to_tag;
    struct pl          via_branch;
    struct pl          sdp;
    struct pl          media_address;
    struct pl          label;
    int                from;        /* enum mh_sdp_leg of the sender, or -1
                                       if neither direction nor any other
                                       key tells */
    bool               certain;     /* from comes from "direction" */
    int                af;          /* AF_INET, AF_INET6, 0 = any */
    bool               active;      /* DTLS=active */
    bool               learn;
    bool               feedback;    /* to IMS: keep rtcp-fb of video */
    bool               avpf;        /* to IMS: audio as RTP/AVPF too */
    bool               no_audio;    /* m-lines that do not pass */
    bool               no_video;
    bool               match_to_tag;    /* delete: flag "to-tag" */
    struct pl          strip[MH_SDP_MAX_CODEC_RULES];
    unsigned           stripc;
    struct pl          offer[MH_SDP_MAX_CODEC_RULES];
    unsigned           offerc;
    bool               savp;        /* to IMS: RTP/SAVP or RTP/SAVPF, if it
                                       goes there */
    bool               osrtp;       /* the same under RTP/AVP, RFC 8643 */
    bool               no_sdes;     /* to IMS: no new a=crypto */
    bool               sdes_pad;    /* base64 of ours ends with "=" */
    uint32_t           suites;      /* masks: of an IMS offer may be taken, */
    uint32_t           sdes_offer;  /* may be offered */
    struct pl          received;    /* where the SIP message came from */
    bool               source_address;  /* and that is where its media is */
    bool               no_learn;    /* whatever the command line says */
    bool               handover;    /* the IMS side may move by itself */
    bool               reset;       /* offer: what its receiver could do is
                                       forgotten, ICE restarts */
    bool               no_tls_id;   /* to a browser: no a=tls-id */
    bool               raise;       /* o= version goes up in any case */
    bool               bundle_only; /* to a browser: new m-lines only in the */
    bool               bundle_zero; /* bundle; with port 0 */
    bool               reverse_active;  /* DTLS-reverse=active */
    bool               mux_offer;   /* to IMS: a=rtcp-mux */
    bool               mux_require; /* and no other port for RTCP */
    bool               mux_reject;  /* not, though the IMS offers it */
    bool               full_rtcp;   /* to IMS: a=rtcp with the address */
    bool               single_codec;
    bool               loop_protect;
    bool               fragment;    /* trickled candidates */
    bool               fatal;       /* delete: an unknown call is an error */
    bool               fast;        /* delete: no statistics */
    bool               all;         /* block: both sides */
    bool               load_limit;  /* the client knows that result */
    int                tos;         /* of the IMS side; -1 = not said */
    int                delete_delay;    /* seconds; -1 = not said */
    int                limit;       /* list: calls; -1 = not said */
    struct mh_dtmf_event  tone;     /* play DTMF; a code above 15: none said,
                                       or a wrong one */
    const char        *warning;     /* what cannot be done, or NULL */
};


/* what does not pass of a leg's media, by ng's commands; bits */

enum mh_call_block {
    MH_CALL_BLOCK_MEDIA = 1,
    MH_CALL_BLOCK_AUDIO = 2,    /* "silence" */
    MH_CALL_BLOCK_DTMF = 4
};


struct mh_leg {
    char      *tag;             /* NULL before it is known */
    char      *label;
    char      *in;              /* the offer that it made last */
    size_t     inlen;
    char      *out;             /* the description that it got last */
    size_t     outlen;
    uint64_t   sess_id;         /* of o= in out */
    uint64_t   sess_ver;
};


struct mh_call {
    struct le             he;           /* in the index of call-ids */
    struct le             le;           /* in the list of all */
    struct mh_calls      *calls;
    char                 *id;
    struct mh_leg         legs[MH_CALL_LEGS];   /* index: enum mh_sdp_leg */
    enum mh_sdp_leg       offerer;      /* who made the last offer */
    char                 *branches[MH_CALL_BRANCHES];
    unsigned              branchc;

    struct mh_links       links;        /* transports; see mh_link.h for
                                           which m-line uses which */
    struct mh_stream     *streams[MH_SDP_MAX_MEDIA];
    uint8_t               kinds[MH_SDP_MAX_MEDIA];  /* enum mh_sdp_kind */
    struct mh_sdp_map    *maps;         /* of the m-lines, mapc of them */
    unsigned              mapc;
    unsigned              mediac;
    bool                  dropped[MH_SDP_MAX_MEDIA];    /* by the offer:
                                           closed with its answer */
    enum mh_half_mode     mode;         /* of the IMS side, as asked for
                                           with its last description */

    struct timeval        created;
    time_t                signaled;     /* last offer or answer */
    uint64_t              started;      /* ms, as the next ones */
    uint64_t              answered;     /* 0 = not yet */
    bool                  media_lost;   /* consent is gone */
    bool                  failed;       /* DTLS failed, e.g. a certificate
                                           that was not signalled */
    bool                  secure[MH_SDP_MAX_MEDIA]; /* see mh_secure.c */
    bool                  osrtp[MH_SDP_MAX_MEDIA];  /* these, too */
    bool                  optional[MH_SDP_MAX_MEDIA];
    bool                  agreed[MH_SDP_MAX_MEDIA]; /* osrtp[] in force */

    unsigned              blocked[MH_CALL_LEGS];    /* what comes from it */
    bool                  mux[MH_SDP_MAX_MEDIA];    /* in force with the IMS */
    bool                  mux_offered;  /* to the IMS, by the last offer */
    bool                  reset;        /* said with the last offer */
    bool                  mux_required; /* without another port for RTCP */
    bool                  mux_reject;   /* said with the IMS's last offer */
    bool                  active;       /* DTLS-reverse said so */
    char                  received[64]; /* used for the IMS's address; "" =
                                           the one in its description is */
    int                   tos;          /* of the IMS side; -1 = not said */
    int                   delete_delay; /* seconds */
    uint64_t              delete_at;    /* ms, 0 = not deleted */
};


struct mh_calls_stat {
    unsigned  current;
    uint64_t  total;
    uint64_t  refused;          /* over max_calls, or no ports */
    uint64_t  timeouts;
    unsigned  ports_used;       /* pairs */
    unsigned  ports_total;
    struct mh_counter  rtp[MH_CALL_LEGS];   /* from that leg, of calls that */
    struct mh_counter  rtcp[MH_CALL_LEGS];  /* ended, and by */
    uint64_t  lost[MH_CALL_LEGS];           /* mh_calls_stat() of all */
};


/*
 * @param cp    set on success; free it with mem_deref(): ends all calls
 * @param conf  copied; io, web and pools are referenced
 *
 * @return 0 or ENOMEM
 */
int mh_calls_alloc(struct mh_calls **cp, const struct mh_calls_conf *conf);

/* once a second; now in ms of mh_clock() */
void mh_calls_tick(struct mh_calls *calls, uint64_t now);

void mh_calls_stat(const struct mh_calls *calls, struct mh_calls_stat *stat);

/* the list of all calls, the oldest first; le->data is a struct mh_call */
const struct list *mh_calls_list(const struct mh_calls *calls);

/* what ended by itself */
const struct mh_ended *mh_calls_ended(const struct mh_calls *calls);

/* @return the call, or NULL */
struct mh_call *mh_call_find(const struct mh_calls *calls,
    const struct pl *id);

/* @return bytes and packets of one kind from one leg, over all m-lines */
void mh_call_totals(const struct mh_call *call, enum mh_sdp_leg from,
    bool rtcp, struct mh_counter *sum);

/*
 * Works on an offer: makes or changes the call and gives the description for
 * the other leg.
 *
 * @param calls   all calls
 * @param sig     call_id, from_tag and sdp are there
 * @param out     the description; valid until the next call of this file
 * @param reason  on an error: a text for ng's error-reason
 *
 * @return 0 or an errno; EUSERS: there are too many calls
 */
int mh_call_offer(struct mh_calls *calls, const struct mh_signal *sig,
    struct pl *out, const char **reason);

/* The same for the answer to the last offer */
int mh_call_answer(struct mh_calls *calls, const struct mh_signal *sig,
    struct pl *out, const char **reason);

/*
 * Finds what a delete is for: the whole call, if the tags fit; a branch of a
 * fork is only forgotten.
 *
 * @param sig   call_id; from_tag, to_tag, via_branch may be empty
 * @param kept  true: a branch was forgotten, the call goes on
 *
 * @return the call to remove, or NULL
 */
struct mh_call *mh_call_delete(struct mh_calls *calls,
    const struct mh_signal *sig, bool *kept);

/*
 * Does a delete.
 *
 * @param delay  seconds; 0 = now; -1: as an offer has said, else now.  Until
 *               then media passes, and an offer revokes it; another delete
 *               can only bring it forward
 */
void mh_call_end(struct mh_call *call, int delay);

/*
 * Keeps a leg's media from the other one, or lets it pass again.
 *
 * @param sig   from_tag or label tell whose; without both, or with "all":
 *              of both
 * @param what  bits of enum mh_call_block
 *
 * @return 0, or ENOENT (no such tag)
 */
int mh_call_block(struct mh_call *call, const struct mh_signal *sig,
    unsigned what, bool on);

/*
 * Plays a tone, sig->tone, into the audio of one leg or of both, chosen in
 * the same way.  It is carried by the leg's own packets.
 *
 * @return 0; ENOENT; ENOTSUP (no telephone-event was agreed on); ENOSPC;
 *         ENOMEM; with a text for ng's error-reason
 */
int mh_call_play(struct mh_call *call, const struct mh_signal *sig,
    const char **reason);

/*
 * While there is a reason, new calls are refused with it (EUSERS); calls
 * that there are go on.
 *
 * @param why  a constant string for the reply, "Load limit exceeded"; NULL:
 *             calls are welcome again
 */
void mh_calls_shed(struct mh_calls *calls, const char *why);

/* Ends a call: frees its ports and all else at once */
void mh_call_remove(struct mh_call *call);


/* ----- for mh_offer.c ----- */

struct mh_scratch {
    struct mh_sdp        a;
    struct mh_sdp        b;
    struct mh_sdp        out;       /* what a browser has from us */
    struct mh_sdp_local  local;
    char                 ufrag[MH_SDP_MAX_MEDIA][MH_ICE_UFRAG_LEN + 1];
    char                 pwd[MH_SDP_MAX_MEDIA][MH_ICE_PWD_LEN + 1];
    char                 addr[64];
    char                 more[MH_WEB_SOCKS - 1][64];
    char                 fingerprint[128];
    char                 crypto[MH_SDP_MAX_MEDIA][MH_KEYS_TEXT];
    char                 buf[MH_SDP_MAX_SIZE];
};

struct mh_calls {
    struct mh_calls_conf  conf;
    struct hash          *index;
    struct list           list;
    struct mh_calls_stat  stat;
    struct mh_ended      *ended;
    struct mh_scratch    *scratch;  /* of the command being worked on */
    const char           *shed;     /* why new calls are refused, or NULL */
    char                  loop[33]; /* hex; tells our own descriptions */
};

/* whether a command is about that leg: by "all", tag, label, or none */
bool mh_call_named(const struct mh_call *call, const struct mh_signal *sig,
    enum mh_sdp_leg leg);

/* m-line i has a stream, and payload numbers have been agreed on */
void mh_call_tones(struct mh_call *call, unsigned i);

/* ends the stream of an m-line, if it has one; its figures stay */
void mh_call_drop(struct mh_call *call, unsigned i);

/* frees a description; there may be keys in it */
void mh_call_text_free(char *text, size_t len);

/* room for the payload maps of n m-lines; those there stay; 0 or ENOMEM */
int mh_call_maps(struct mh_call *call, unsigned n);

int mh_call_alloc(struct mh_call **cp, struct mh_calls *calls,
    const struct pl *id);


#endif /* MH_CALL_H */
