
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * m-lines that are refused: they repeat their formats, with port 0 (SD-10,
 * RFC 3264 6).  A description may have more of them than a call can use;
 * those behind are not looked at, but number and order have to stay.
 */


#include <errno.h>
#include <string.h>

#include "mh_sdp.h"
#include "mh_sdp_text.h"
#include "mh_sdp_plan.h"


int
mh_sdp_surplus(struct mh_sdp *sdp, const struct pl *line)
{
    bool       m;
    unsigned   i;
    struct pl  rest, word;

    m = (line->l > 2 && line->p[0] == 'm' && line->p[1] == '=');

    if (sdp->surplusc == 0 && !(m && sdp->mediac == MH_SDP_MAX_MEDIA)) {
        return ENOENT;
    }

    if (!mh_pl_is_clean(line)) {
        return EBADMSG;
    }

    if (m) {
        rest.p = line->p + 2;
        rest.l = line->l - 2;

        for (i = 0; i < 3; i++) {

            if (!mh_pl_word(&rest, &word)) {
                return EBADMSG;
            }
        }

        if (sdp->surplusc++ == MH_SDP_MAX_SURPLUS) {
            return EBADMSG;
        }
    }

    if (sdp->surplus.p == NULL) {
        sdp->surplus.p = line->p;
    }

    sdp->surplus.l = (size_t) (line->p + line->l - sdp->surplus.p);

    return 0;
}


void
mh_sdp_write_refused(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan,
    const struct mh_sdp_line_plan *line)
{
    const struct mh_sdp_media  *m;

    m = line->offer ? line->offer : line->from;

    mh_sdp_printf(w, "m=%.*s 0 ", (int) m->kind_text.l, m->kind_text.p);

    if (line->offer == NULL && m->kind != MH_SDP_OTHER
        && m->proto != MH_SDP_PROTO_OTHER)
    {
        mh_sdp_printf(w, "%s", mh_sdp_profile(plan, line));

    } else {
        mh_sdp_printf(w, "%.*s", (int) m->proto_text.l, m->proto_text.p);
    }

    if (m->formats.l) {
        mh_sdp_printf(w, " %.*s\r\n", (int) m->formats.l, m->formats.p);

    } else {
        mh_sdp_printf(w, " 0\r\n");
    }

    if (plan->local->leg == MH_SDP_IMS) {
        return;
    }

    /* a browser compares the mid of refused lines, too */

    mh_sdp_printf(w, "c=IN IP4 0.0.0.0\r\n");

    if (line->offer == NULL) {
        mh_sdp_printf(w, "a=mid:%s\r\n", line->map->mid);

    } else if (line->offer->mid.l) {
        mh_sdp_printf(w, "a=mid:%.*s\r\n", (int) line->offer->mid.l,
                      line->offer->mid.p);
    }
}


void
mh_sdp_write_surplus(struct mh_sdp_writer *w, const struct mh_sdp_plan *plan)
{
    bool       web, answer;
    unsigned   n;
    struct pl  text, line, kind, port, proto;

    web = (plan->local->leg == MH_SDP_WEB);
    answer = (plan->offer != NULL);
    text = plan->text->surplus;

    for (n = MH_SDP_MAX_MEDIA; mh_pl_line(&text, &line); /* void */ ) {

        if (line.l > 6 && web && answer && memcmp(line.p, "a=mid:", 6) == 0)
        {
            mh_sdp_printf(w, "%.*s\r\n", (int) line.l, line.p);
        }

        if (line.l < 2 || memcmp(line.p, "m=", 2) != 0) {
            continue;
        }

        line.p += 2;
        line.l -= 2;

        (void) mh_pl_word(&line, &kind);
        (void) mh_pl_word(&line, &port);
        (void) mh_pl_word(&line, &proto);
        mh_pl_trim(&line);

        mh_sdp_printf(w, "m=%.*s 0 %.*s %.*s\r\n", (int) kind.l, kind.p,
                      (int) proto.l, proto.p, line.l ? (int) line.l : 1,
                      line.l ? line.p : "0");

        if (web) {
            mh_sdp_printf(w, "c=IN IP4 0.0.0.0\r\n");
        }

        /* a name that no m-line of a browser's has */

        if (web && !answer) {
            mh_sdp_printf(w, "a=mid:surplus%u\r\n", n++);
        }
    }
}
