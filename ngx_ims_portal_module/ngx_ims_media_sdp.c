/*
 * Copyright (C) the IMS portal authors
 *
 * The one thing that the media client does to SDP itself: video that a browser
 * may not have, for a helper that does not take it out.
 */


#include "ngx_ims_media_ng.h"


static u_char *ngx_ims_media_refuse(u_char *out, u_char *p, u_char *end);


size_t
ngx_ims_media_no_video(ngx_str_t *sdp, u_char *out)
{
    u_char      *p, *end, *last, *pos;
    ngx_uint_t   video;

    static const char  only[] = "a=bundle-only";
    static const char  kind[] = "m=video ";

    pos = out;
    last = sdp->data + sdp->len;
    video = 0;

    for (p = sdp->data; p != last; p = end) {

        end = ngx_strlchr(p, last, '\n');
        end = end ? end + 1 : last;

        if (end - p > 2 && p[0] == 'm' && p[1] == '=') {
            video = ((size_t) (end - p) > sizeof(kind) - 1
                     && ngx_strncmp(p, kind, sizeof(kind) - 1) == 0);

            if (video) {
                pos = ngx_ims_media_refuse(pos, p, end);
                continue;
            }
        }

        /* a port of 0 with this means something else (RFC 9143 6) */

        if (video && (size_t) (end - p) >= sizeof(only) - 1
            && ngx_strncmp(p, only, sizeof(only) - 1) == 0)
        {
            continue;
        }

        pos = ngx_cpymem(pos, p, end - p);
    }

    return pos - out;
}


/* an m-line with port 0 */

static u_char *
ngx_ims_media_refuse(u_char *out, u_char *p, u_char *end)
{
    u_char  *port, *rest;

    port = ngx_strlchr(p, end, ' ') + 1;
    rest = ngx_strlchr(port, end, ' ');

    if (rest == NULL || rest == port) {

        /* it is none, and refused elsewhere */

        return ngx_cpymem(out, p, end - p);
    }

    out = ngx_cpymem(out, p, port - p);
    *out++ = '0';

    return ngx_cpymem(out, rest, end - rest);
}
