/* Copyright (C) the IMS portal authors */
/* FUZZ_CFLAGS: -DHAVE_STDBOOL_H -I/usr/include/re */


/*
 * Feeds the SDP reader and both writers.  What is written must be readable,
 * have the m-lines of its source, be the same when written again, and hold
 * nothing of WebRTC on the way up.  A byte 1 splits offer from answer.
 */


#include <stdlib.h>

#include "../../media-helper/mh_sdp.c"
#include "../../media-helper/mh_sdp_attr.c"
#include "../../media-helper/mh_sdp_map.c"
#include "../../media-helper/mh_sdp_plan.c"
#include "../../media-helper/mh_sdp_out.c"
#include "../../media-helper/mh_sdp_refused.c"
#include "../../media-helper/mh_sdes.c"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static struct mh_sdp  a, b, c;
static char           out[MH_SDP_MAX_SIZE * 2], again[MH_SDP_MAX_SIZE * 2];


static void
local_of(struct mh_sdp_local *l, enum mh_sdp_leg leg)
{
    unsigned  i;

    memset(l, 0, sizeof(*l));

    l->leg = leg;
    mh_sdp_policy_init(&l->policy, leg);
    l->policy.h264_level.p = "42e00c";
    l->policy.h264_level.l = 6;
    l->addr = "192.0.2.1";
    l->ufrag = "portalXY";
    l->pwd = "abcdefghijklmnopqrstuvwxyz";
    l->fingerprint = "sha-256 AB:CD";

    for (i = 0; i < MH_SDP_MAX_MEDIA; i++) {
        l->media[i].port = (uint16_t) (30000 + 2 * i);

        if (leg == MH_SDP_IMS && i % 2) {
            l->media[i].crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
                "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
        }
    }
}


/* a line may begin so only if the peer's fmtp or kept line did not bring it */

static void
check(const char *text, size_t len, unsigned mediac, enum mh_sdp_leg leg)
{
    unsigned  i;

    /* a refused line of another kind may say anything that fits a word */

    if (len > MH_SDP_MAX_SIZE || mh_sdp_parse(&c, text, len) != 0) {

        if (len <= MH_SDP_MAX_SIZE) {
            abort();
        }

        return;
    }

    if (c.mediac != mediac) {
        abort();
    }

    for (i = 0; leg == MH_SDP_IMS && i < c.mediac; i++) {

        if (c.media[i].ufrag.l || c.media[i].mid.l || c.media[i].fingerprintc
            || c.media[i].candidates || c.media[i].rtcp_mux || c.group.l
            || c.media[i].mid_ext)
        {
            abort();
        }
    }
}


static void
both(enum mh_sdp_leg to)
{
    int                  err, err2;
    size_t               n, n2;
    uint8_t              table[128];
    struct mh_sdp_local  l;
    struct mh_sdp_map    maps[MH_SDP_MAX_MEDIA];

    memset(maps, 0, sizeof(maps));
    local_of(&l, to);

    err = mh_sdp_offer(out, sizeof(out), &n, &a, &l, maps);

    if (err == 0) {
        check(out, n, a.mediac, to);

        err2 = mh_sdp_offer(again, sizeof(again), &n2, &a, &l, maps);

        if (err2 || n2 != n || memcmp(out, again, n) != 0) {
            abort();
        }
    }

    to = (to == MH_SDP_IMS) ? MH_SDP_WEB : MH_SDP_IMS;
    local_of(&l, to);

    err = mh_sdp_answer(out, sizeof(out), &n, &a, &b, &l, maps);

    if (err == 0) {
        check(out, n, a.mediac, to);
        mh_sdp_table(&maps[0], MH_SDP_WEB, table);
        mh_sdp_table(&maps[0], MH_SDP_IMS, table);

        err2 = mh_sdp_answer(again, sizeof(again), &n2, &a, &b, &l, maps);

        if (err2 || n2 != n || memcmp(out, again, n) != 0) {
            abort();
        }

    } else if (err != EPROTO && err != EOVERFLOW) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char           *first, *second;
    size_t          n, m;
    const uint8_t  *split;

    split = size ? memchr(data, 1, size) : NULL;
    n = split ? (size_t) (split - data) : size;
    m = split ? size - n - 1 : n;

    first = malloc(n ? n : 1);
    second = malloc(m ? m : 1);

    memcpy(first, data, n);
    memcpy(second, split ? split + 1 : data, m);

    if (mh_sdp_parse(&a, first, n) == 0
        && mh_sdp_parse(&b, second, m) == 0)
    {
        (void) mh_sdp_check_web(&a);
        both(MH_SDP_IMS);
        both(MH_SDP_WEB);
        (void) mh_sdp_same(first, n, second, m);
    }

    free(first);
    free(second);

    return 0;
}
