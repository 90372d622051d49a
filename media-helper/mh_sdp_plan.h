
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What mh_sdp_plan.c decides, mh_sdp_out.c and mh_sdp_refused.c write; private
 * to these.
 */


#ifndef MH_SDP_PLAN_H
#define MH_SDP_PLAN_H


#include "mh_sdp.h"


struct mh_sdp_codec_plan {
    uint8_t                       number;
    const struct mh_sdp_pt       *pt;
    const struct mh_sdp_format   *f;        /* whose fmtp is written */
    bool                          nack;
    bool                          pli;
    bool                          fir;
    bool                          remb;
    bool                          tmmbr;
};

/* one m-line of what will be written */

struct mh_sdp_line_plan {
    bool                          accepted;
    bool                          bundled;
    bool                          transport;    /* writes ICE and DTLS */
    unsigned                      n;
    struct mh_sdp_codec_plan      codec[MH_SDP_MAX_PT];
    const struct mh_sdp_media    *from;     /* the other leg's m-line */
    const struct mh_sdp_media    *offer;    /* what is answered, or NULL */
    const struct mh_sdp_local_media *local;
    struct mh_sdp_map            *map;
};

struct mh_sdp_plan {
    const struct mh_sdp_local    *local;
    const struct mh_sdp          *offer;    /* what is answered, or NULL */
    const struct mh_sdp          *text;     /* the offer in any case */
    enum mh_sdp_leg               src;
    unsigned                      n;
    struct mh_sdp_line_plan       line[MH_SDP_MAX_MEDIA];
};


struct mh_sdp_writer {
    char                         *p;
    size_t                        size;
    size_t                        n;
    bool                          overflow;
};


/*
 * A line of a description that has more m-lines than we use; mh_sdp_refused.c
 *
 * @return 0; ENOENT (there were not too many so far); EBADMSG
 */
int mh_sdp_surplus(struct mh_sdp *sdp, const struct pl *line);

void mh_sdp_write_refused(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan, const struct mh_sdp_line_plan *line);
void mh_sdp_write_surplus(struct mh_sdp_writer *w,
    const struct mh_sdp_plan *plan);

/* the profile of an m-line of our offer */
const char *mh_sdp_profile(const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line);

__attribute__((format(printf, 2, 3))) void
    mh_sdp_printf(struct mh_sdp_writer *w, const char *fmt, ...);

/* writes a plan; returns 0 or EOVERFLOW; *len is written last */
int mh_sdp_write(struct mh_sdp_plan *plan, char *buf, size_t size,
    size_t *len);

/* the id of MH_SDP_MID_URI in an m-line for a browser, 0 = none */
unsigned mh_sdp_plan_mid_ext(const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line);


#endif /* MH_SDP_PLAN_H */
