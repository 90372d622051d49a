
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * A call's two descriptions, our two ends, and the steps between them; for
 * test_mh_sdp.c and test_mh_sdp_bad.c.
 */


#ifndef _SDP_CALLS_H_INCLUDED_
#define _SDP_CALLS_H_INCLUDED_


#include "tap.h"
#include "mh_sdp.h"


static struct mh_sdp      a, b;
static struct mh_sdp_map  maps[MH_SDP_MAX_MEDIA];
static char               out[MH_SDP_MAX_SIZE];
static size_t             outn;


/* our two ends; ports for two m-lines */

static __attribute__((unused)) struct mh_sdp_local
ims_side(void)
{
    struct mh_sdp_local  l;

    memset(&l, 0, sizeof(l));

    l.leg = MH_SDP_IMS;
    mh_sdp_policy_init(&l.policy, l.leg);
    l.addr = "198.51.100.20";
    l.sess_id = 7001;
    l.sess_ver = 1;
    l.media[0].port = 30000;
    l.media[0].rtcp_port = 30001;
    l.media[1].port = 30002;
    l.media[1].rtcp_port = 30003;

    return l;
}


static __attribute__((unused)) struct mh_sdp_local
web_side(enum mh_sdp_setup setup)
{
    struct mh_sdp_local  l;

    memset(&l, 0, sizeof(l));

    l.leg = MH_SDP_WEB;
    mh_sdp_policy_init(&l.policy, l.leg);
    l.addr = "203.0.113.10";
    l.sess_id = 7002;
    l.sess_ver = 1;
    l.ufrag = "Pt1x";
    l.pwd = "zyxwvutsrqponmlkjihgfedc";
    l.fingerprint = "sha-256 AA:BB";
    l.setup = setup;
    l.media[0].port = 31000;
    l.media[1].port = 31000;

    return l;
}


static __attribute__((unused)) int
parse(struct mh_sdp *sdp, const char *text)
{
    return mh_sdp_parse(sdp, text, strlen(text));
}


/* whether what was written has this line, once */

static __attribute__((unused)) int
has(const char *line)
{
    int          n;
    size_t       len;
    const char  *p;

    len = strlen(line);
    out[outn] = '\0';

    for (n = 0, p = out; (p = strstr(p, line)) != NULL; p += len) {
        n += (p == out || p[-1] == '\n') && p[len] == '\r';
    }

    return n == 1;
}


static __attribute__((unused)) int
contains(const char *text)
{
    out[outn] = '\0';
    return strstr(out, text) != NULL;
}


static __attribute__((unused)) int
offer_up(const char *text)
{
    int                  err;
    struct mh_sdp_local  l;

    memset(maps, 0, sizeof(maps));
    l = ims_side();

    err = parse(&a, text);

    if (err == 0) {
        err = mh_sdp_check_web(&a);
    }

    return err ? err
               : mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
}


static __attribute__((unused)) int
answer_down(const char *text)
{
    int                  err;
    struct mh_sdp_local  l;

    l = web_side(MH_SDP_PASSIVE);

    err = parse(&b, text);

    return err ? err
               : mh_sdp_answer(out, sizeof(out), &outn, &a, &b, &l, maps);
}


static __attribute__((unused)) int
offer_down(const char *text)
{
    int                  err;
    struct mh_sdp_local  l;

    memset(maps, 0, sizeof(maps));
    l = web_side(MH_SDP_ACTPASS);

    err = parse(&a, text);

    return err ? err
               : mh_sdp_offer(out, sizeof(out), &outn, &a, &l, maps);
}


static __attribute__((unused)) int
answer_up(const char *text)
{
    int                  err;
    struct mh_sdp_local  l;

    l = ims_side();

    err = parse(&b, text);

    if (err == 0) {
        err = mh_sdp_check_web(&b);
    }

    return err ? err
               : mh_sdp_answer(out, sizeof(out), &outn, &a, &b, &l, maps);
}


#endif /* _SDP_CALLS_H_INCLUDED_ */
