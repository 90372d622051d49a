/*
 * Copyright (C) the IMS portal authors
 *
 * Finds the end of a SIP message in a byte stream (RFC 3261 18.3): the head up
 * to its empty line, then as many bytes as Content-Length says.  Nothing else
 * is judged here, that is the parser's business.
 */


#include "ngx_ims_sip_int.h"


static const unsigned char *ngx_ims_sip_frame_head(const unsigned char *p,
    const unsigned char *end);
static int ngx_ims_sip_frame_length(const unsigned char *p,
    const unsigned char *end, uint64_t *n);


int
ngx_ims_sip_frame(const unsigned char *p, size_t len, size_t max,
    size_t *size)
{
    size_t                head;
    uint64_t              n;
    const unsigned char  *body;

    body = ngx_ims_sip_frame_head(p, p + ((len < max) ? len : max));

    if (body == NULL) {
        return (len < max) ? NGX_IMS_MORE : NGX_IMS_INVALID;
    }

    head = body - p;

    if (ngx_ims_sip_frame_length(p, body, &n) != NGX_IMS_OK
        || n > max - head)
    {
        return NGX_IMS_INVALID;
    }

    if (n > len - head) {
        return NGX_IMS_MORE;
    }

    *size = head + n;

    return NGX_IMS_OK;
}


/* the byte behind the first empty line, or NULL */

static const unsigned char *
ngx_ims_sip_frame_head(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= 4) {
        p = memchr(p, '\r', end - p - 3);

        if (p == NULL) {
            return NULL;
        }

        if (p[1] == '\n' && p[2] == '\r' && p[3] == '\n') {
            return p + 4;
        }

        p++;
    }

    return NULL;
}


/* Content-Length of a whole head; the same number when it is repeated */

static int
ngx_ims_sip_frame_length(const unsigned char *p, const unsigned char *end,
    uint64_t *n)
{
    int                   found;
    uint64_t              v;
    ngx_ims_str_t         name, value;
    const unsigned char  *colon, *eol;

    found = 0;
    *n = 0;

    /* a head ends in an empty line, so a line end is always found */

    for ( /* void */ ; end - p > 2; p = eol + 1) {
        eol = p;

        do {
            eol = memchr(eol, '\n', end - eol);
            eol++;
        } while (end - eol > 2 && (*eol == ' ' || *eol == '\t'));

        eol--;

        name.data = (unsigned char *) p;
        colon = ngx_ims_sip_skip(name.data, (unsigned char *) eol,
                                 NGX_IMS_C_TOKEN);
        name.len = colon - p;

        if (ngx_ims_sip_hdr_id(&name) != NGX_IMS_HDR_CONTENT_LENGTH) {
            continue;
        }

        while (colon < eol && (*colon == ' ' || *colon == '\t')) {
            colon++;
        }

        if (*colon != ':') {
            return NGX_IMS_INVALID;
        }

        value = ngx_ims_sip_trim((unsigned char *) colon + 1,
                                 (unsigned char *) eol);

        if (ngx_ims_sip_number(&value, INT32_MAX, &v) != 0
            || (found && v != *n))
        {
            return NGX_IMS_INVALID;
        }

        found = 1;
        *n = v;
    }

    return found ? NGX_IMS_OK : NGX_IMS_INVALID;
}
