
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Heads of HTTP requests and responses.  Owns nothing.
 *
 * What two readers may understand in two ways (a fold, a bare CR, a space
 * before a colon, two lengths) is refused, not repaired.
 */


#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_http.h"


static int mh_http_line(struct mh_http *h, const char *p, const char *end);
static int mh_http_target(struct mh_http *h, const char *p, const char *end);
static int mh_http_field(struct mh_http *h, const char *p, const char *end,
    size_t max, bool *host);
static int mh_http_known(struct mh_http *h, const struct pl *name,
    const struct pl *value, size_t max, bool *host);
static int mh_http_length(struct mh_http *h, const struct pl *value,
    size_t max);
static bool mh_http_token(const char *p, const char *end);
static bool mh_http_listed(const struct pl *value, const char *word);


int
mh_http_parse(struct mh_http *h, const char *p, size_t len, size_t max)
{
    int          rc, bad;
    bool         host;
    const char  *end, *eol, *line;

    memset(h, 0, sizeof(*h));

    end = p + len;
    host = false;
    bad = 0;

    for (line = p; /* void */; line = eol + 1) {

        eol = memchr(line, '\n', end - line);

        if ((size_t) ((eol ? eol : end) - p) >= MH_HTTP_HEAD) {
            return 431;
        }

        if (eol == NULL) {
            return -1;
        }

        if (eol == line || eol[-1] != '\r') {
            return 400;
        }

        if (eol == line + 1) {
            break;
        }

        rc = (line == p) ? mh_http_line(h, line, eol - 1)
                         : mh_http_field(h, line, eol - 1, max, &host);

        if (rc && (line == p || rc == 400)) {
            return rc;
        }

        bad = bad ? bad : rc;
    }

    if (line == p || (!host && h->v11)) {
        return 400;
    }

    h->size = eol + 1 - p;

    return bad;
}


static int
mh_http_line(struct mh_http *h, const char *p, const char *end)
{
    int          rc;
    const char  *sp, *sp2;

    sp = memchr(p, ' ', end - p);
    sp2 = sp ? memchr(sp + 1, ' ', end - sp - 1) : NULL;

    if (sp2 == NULL || !mh_http_token(p, sp)) {
        return 400;
    }

    h->method.p = p;
    h->method.l = sp - p;

    rc = mh_http_target(h, sp + 1, sp2);
    if (rc) {
        return rc;
    }

    p = sp2 + 1;

    if (end - p != 8 || memcmp(p, "HTTP/", 5) != 0 || p[6] != '.'
        || p[5] < '0' || p[5] > '9' || p[7] < '0' || p[7] > '9')
    {
        return 400;
    }

    if (p[5] != '1') {
        return 505;
    }

    h->v11 = (p[7] != '0');
    h->keep = h->v11;

    return 0;
}


static int
mh_http_target(struct mh_http *h, const char *p, const char *end)
{
    const char  *s;

    for (s = p; s < end; s++) {

        if ((unsigned char) *s <= 0x20 || (unsigned char) *s >= 0x7f) {
            return 400;
        }
    }

    if (end - p > 7 && memcmp(p, "http://", 7) == 0) {
        p = memchr(p + 7, '/', end - p - 7);
    }

    if (p == NULL || p == end || *p != '/') {
        return 400;
    }

    s = memchr(p, '?', end - p);

    h->path.p = p;
    h->path.l = (s ? s : end) - p;

    return 0;
}


static int
mh_http_field(struct mh_http *h, const char *p, const char *end, size_t max,
    bool *host)
{
    struct pl    name, value;
    const char  *s, *colon;

    colon = memchr(p, ':', end - p);

    if (colon == NULL || !mh_http_token(p, colon)) {
        return 400;
    }

    for (s = colon + 1; s < end; s++) {

        if (((unsigned char) *s < 0x20 && *s != '\t') || *s == 0x7f) {
            return 400;
        }
    }

    name.p = p;
    name.l = colon - p;

    for (s = colon + 1; s < end && (*s == ' ' || *s == '\t'); s++) {
        /* void */
    }

    while (end > s && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    value.p = s;
    value.l = end - s;

    return mh_http_known(h, &name, &value, max, host);
}


/* what a field means here; most mean nothing */

static int
mh_http_known(struct mh_http *h, const struct pl *name,
    const struct pl *value, size_t max, bool *host)
{
    const char  *s;

    if (pl_strcasecmp(name, "host") == 0) {

        if (*host) {
            return 400;
        }

        *host = true;

    } else if (pl_strcasecmp(name, "content-length") == 0) {
        return mh_http_length(h, value, max);

    } else if (pl_strcasecmp(name, "transfer-encoding") == 0) {
        return 501;

    } else if (pl_strcasecmp(name, "content-type") == 0) {
        s = memchr(value->p, ';', value->l);
        h->type.p = value->p;
        h->type.l = s ? (size_t) (s - value->p) : value->l;

        while (h->type.l && h->type.p[h->type.l - 1] == ' ') {
            h->type.l--;
        }

    } else if (pl_strcasecmp(name, "connection") == 0) {

        if (mh_http_listed(value, "close")) {
            h->keep = false;
        }

    } else if (pl_strcasecmp(name, "expect") == 0) {
        h->wait = (pl_strcasecmp(value, "100-continue") == 0);
    }

    return 0;
}


static int
mh_http_length(struct mh_http *h, const struct pl *value, size_t max)
{
    size_t  i, n;

    n = 0;

    if (value->l == 0 || h->length) {
        return 400;
    }

    for (i = 0; i < value->l; i++) {

        if (value->p[i] < '0' || value->p[i] > '9') {
            return 400;
        }

        if (n <= max) {
            n = n * 10 + (value->p[i] - '0');
        }
    }

    h->length = true;
    h->body = n;

    return (n > max) ? 413 : 0;
}


static bool
mh_http_token(const char *p, const char *end)
{
    if (p == end) {
        return false;
    }

    for ( ; p < end; p++) {

        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9')
              || (*p && strchr("!#$%&'*+-.^_`|~", *p) != NULL)))
        {
            return false;
        }
    }

    return true;
}


/* whether a comma-separated list has a word */

static bool
mh_http_listed(const struct pl *value, const char *word)
{
    struct pl    item;
    const char  *p, *end, *comma;

    p = value->p;
    end = p + value->l;

    while (p < end) {
        comma = memchr(p, ',', end - p);
        item.p = p;
        item.l = (comma ? comma : end) - p;
        p += item.l + 1;

        while (item.l && (*item.p == ' ' || *item.p == '\t')) {
            item.p++;
            item.l--;
        }

        while (item.l && (item.p[item.l - 1] == ' '
                          || item.p[item.l - 1] == '\t'))
        {
            item.l--;
        }

        if (pl_strcasecmp(&item, word) == 0) {
            return true;
        }
    }

    return false;
}


size_t
mh_http_response(char *buf, int status, const char *type, size_t body,
    bool keep, const char *allow)
{
    int  n;

    n = re_snprintf(buf, MH_HTTP_RESPONSE,
                    "HTTP/1.1 %d %s\r\n"
                    "Content-Type: %s\r\n"
                    "Content-Length: %zu\r\n"
                    "Cache-Control: no-store\r\n"
                    "X-Content-Type-Options: nosniff\r\n"
                    "%s%s%s%s\r\n",
                    status, mh_http_reason(status), type, body,
                    allow ? "Allow: " : "", allow ? allow : "",
                    allow ? "\r\n" : "",
                    keep ? "" : "Connection: close\r\n");

    return n < 0 ? 0 : (size_t) n;
}


const char *
mh_http_reason(int status)
{
    switch (status) {

    case 200:
        return "OK";

    case 404:
        return "Not Found";

    case 405:
        return "Method Not Allowed";

    case 408:
        return "Request Timeout";

    case 411:
        return "Length Required";

    case 413:
        return "Content Too Large";

    case 415:
        return "Unsupported Media Type";

    case 431:
        return "Request Header Fields Too Large";

    case 500:
        return "Internal Server Error";

    case 501:
        return "Not Implemented";

    case 505:
        return "HTTP Version Not Supported";

    default:
        return "Bad Request";
    }
}
