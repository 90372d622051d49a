
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Writes as JSON what a bencoded reply says.  Owns nothing, no timer.
 */


#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "mh_json.h"
#include "../ngx_ims_portal_module/ngx_ims_str.h"


/* one list or dictionary that is open */

struct mh_json_open {
    bool      dict;
    unsigned  n;                /* values and names in it so far */
};

struct mh_json_out {
    const uint8_t        *p;
    const uint8_t        *end;
    uint8_t              *pos;
    uint8_t              *last;
    bool                  full;
    unsigned              depth;
    struct mh_json_open   open[NGX_IMS_NG_MAX_DEPTH];
};


static bool mh_json_step(struct mh_json_out *o);
static bool mh_json_before(struct mh_json_out *o, bool name);
static bool mh_json_int(struct mh_json_out *o);
static bool mh_json_bytes(struct mh_json_out *o);
static void mh_json_quote(struct mh_json_out *o, const uint8_t *p,
    const uint8_t *end);
static void mh_json_add(struct mh_json_out *o, const void *p, size_t len);


size_t
mh_json_write(const uint8_t *ben, size_t len, uint8_t *out, size_t size)
{
    struct mh_json_out  o;

    memset(&o, 0, sizeof(o));

    o.p = ben;
    o.end = ben + len;
    o.pos = out;
    o.last = out + size;

    do {
        if (!mh_json_step(&o)) {
            return 0;
        }

    } while (o.depth);

    return (o.full || o.p != o.end) ? 0 : (size_t) (o.pos - out);
}


/* one value, or the beginning or end of one */

static bool
mh_json_step(struct mh_json_out *o)
{
    uint8_t               c;
    struct mh_json_open  *top;

    if (o->p == o->end) {
        return false;
    }

    c = *o->p;

    if (c == 'e') {

        if (o->depth == 0) {
            return false;
        }

        top = &o->open[--o->depth];
        o->p++;
        mh_json_add(o, top->dict ? "}" : "]", 1);

        return !top->dict || top->n % 2 == 0;
    }

    if (!mh_json_before(o, c >= '0' && c <= '9')) {
        return false;
    }

    if (c == 'd' || c == 'l') {

        if (o->depth == NGX_IMS_NG_MAX_DEPTH) {
            return false;
        }

        o->open[o->depth].dict = (c == 'd');
        o->open[o->depth++].n = 0;
        o->p++;
        mh_json_add(o, c == 'd' ? "{" : "[", 1);

        return true;
    }

    return (c == 'i') ? mh_json_int(o) : mh_json_bytes(o);
}


/* a comma or a colon; a name must be a string */

static bool
mh_json_before(struct mh_json_out *o, bool string)
{
    struct mh_json_open  *top;

    if (o->depth == 0) {
        return true;
    }

    top = &o->open[o->depth - 1];

    if (top->dict && top->n % 2) {
        mh_json_add(o, ":", 1);

    } else {

        if (top->dict && !string) {
            return false;
        }

        if (top->n) {
            mh_json_add(o, ",", 1);
        }
    }

    top->n++;

    return true;
}


static bool
mh_json_int(struct mh_json_out *o)
{
    const uint8_t  *start, *digits;

    start = ++o->p;

    if (o->p < o->end && *o->p == '-') {
        o->p++;
    }

    digits = o->p;

    while (o->p < o->end && *o->p >= '0' && *o->p <= '9') {
        o->p++;
    }

    if (o->p == o->end || *o->p != 'e' || o->p == digits
        || (*digits == '0' && o->p - digits > 1))
    {
        return false;
    }

    mh_json_add(o, start, (size_t) (o->p - start));
    o->p++;

    return true;
}


static bool
mh_json_bytes(struct mh_json_out *o)
{
    size_t  n;

    for (n = 0; o->p < o->end && *o->p >= '0' && *o->p <= '9'; o->p++) {
        n = n * 10 + (size_t) (*o->p - '0');

        if (n > NGX_IMS_NG_MAX_MESSAGE) {
            return false;
        }
    }

    if (o->p == o->end || *o->p != ':' || (size_t) (o->end - o->p) <= n) {
        return false;
    }

    o->p++;
    mh_json_quote(o, o->p, o->p + n);
    o->p += n;

    return true;
}


static void
mh_json_quote(struct mh_json_out *o, const uint8_t *p, const uint8_t *end)
{
    char    text[8];
    size_t  n;

    mh_json_add(o, "\"", 1);

    while (p < end) {

        if (*p == '"' || *p == '\\') {
            text[0] = '\\';
            text[1] = (char) *p++;
            mh_json_add(o, text, 2);
            continue;
        }

        if (*p == '\r' || *p == '\n') {
            mh_json_add(o, *p++ == '\r' ? "\\r" : "\\n", 2);
            continue;
        }

        if (*p < 0x20 || *p == 0x7f) {
            n = (size_t) snprintf(text, sizeof(text), "\\u%04x", *p++);
            mh_json_add(o, text, n);
            continue;
        }

        n = (size_t) ngx_ims_utf8_char(p, (size_t) (end - p));

        if (n == 0) {
            mh_json_add(o, "\xef\xbf\xbd", 3);
            p++;

        } else {
            mh_json_add(o, p, n);
            p += n;
        }
    }

    mh_json_add(o, "\"", 1);
}


static void
mh_json_add(struct mh_json_out *o, const void *p, size_t len)
{
    if ((size_t) (o->last - o->pos) < len) {
        o->full = true;
        return;
    }

    memcpy(o->pos, p, len);
    o->pos += len;
}
