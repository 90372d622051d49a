
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * What mh_sdp_plan.c decides and mh_sdp_out.c writes; private to the two.
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
    enum mh_sdp_leg               src;
    unsigned                      n;
    struct mh_sdp_line_plan       line[MH_SDP_MAX_MEDIA];
};


/* writes a plan; returns 0 or EOVERFLOW; *len is written last */
int mh_sdp_write(struct mh_sdp_plan *plan, char *buf, size_t size,
    size_t *len);


#endif /* MH_SDP_PLAN_H */
