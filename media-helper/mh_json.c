
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Reads JSON into nodes, one recursive function per kind of value; how deep
 * is bounded.  Owns nothing, no timer.
 */


#include <stdbool.h>
#include <string.h>

#include "mh_json.h"


struct mh_json {
    const uint8_t      *start;
    const uint8_t      *p;
    const uint8_t      *end;
    uint8_t            *room;
    ngx_ims_ng_node_t  *nodes;
    size_t              max;
    size_t              n;
    unsigned            depth;
};


static int mh_json_value(struct mh_json *j);
static int mh_json_many(struct mh_json *j, bool dict);
static int mh_json_members(struct mh_json *j, bool dict, uint8_t close,
    unsigned *count);
static int mh_json_name(struct mh_json *j);
static int mh_json_string(struct mh_json *j);
static int mh_json_escape(struct mh_json *j);
static int mh_json_unit(struct mh_json *j);
static int mh_json_hex(struct mh_json *j, uint32_t *unit);
static int mh_json_number(struct mh_json *j);
static int mh_json_digits(struct mh_json *j);
static int mh_json_word(struct mh_json *j);
static int mh_json_node(struct mh_json *j, unsigned type,
    ngx_ims_ng_node_t **node);
static void mh_json_space(struct mh_json *j);
static void mh_json_put(struct mh_json *j, uint32_t c);


int
mh_json_parse(const uint8_t *buf, size_t len, ngx_ims_ng_node_t *nodes,
    size_t max, uint8_t *room, size_t *used)
{
    int             rc;
    struct mh_json  j;

    memset(&j, 0, sizeof(j));

    j.start = buf;
    j.p = buf;
    j.end = buf + len;
    j.room = room;
    j.nodes = nodes;
    j.max = max;

    rc = mh_json_value(&j);

    *used = (rc == NGX_IMS_NG_AGAIN) ? len : (size_t) (j.p - buf);

    return rc;
}


static int
mh_json_value(struct mh_json *j)
{
    mh_json_space(j);

    if (j->p == j->end) {
        return NGX_IMS_NG_AGAIN;
    }

    switch (*j->p) {

    case '{':
        return mh_json_many(j, true);

    case '[':
        return mh_json_many(j, false);

    case '"':
        return mh_json_string(j);

    case 't':
    case 'f':
    case 'n':
        return mh_json_word(j);

    default:
        return mh_json_number(j);
    }
}


/* an object or an array */

static int
mh_json_many(struct mh_json *j, bool dict)
{
    int                 rc;
    size_t              at;
    uint8_t             close;
    const uint8_t      *start;
    ngx_ims_ng_node_t  *node;

    if (++j->depth > NGX_IMS_NG_MAX_DEPTH) {
        return NGX_IMS_NG_LIMIT;
    }

    at = j->n;
    start = j->p;
    close = dict ? '}' : ']';

    rc = mh_json_node(j, dict ? NGX_IMS_NG_DICT : NGX_IMS_NG_LIST, &node);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    j->p++;
    mh_json_space(j);

    if (j->p == j->end || *j->p != close) {

        rc = mh_json_members(j, dict, close, &node->count);
        if (rc != NGX_IMS_NG_OK) {
            return rc;
        }
    }

    j->p++;
    j->depth--;

    node->skip = (unsigned) (j->n - at);
    node->data = start;
    node->len = (size_t) (j->p - start);

    return NGX_IMS_NG_OK;
}


/* one or more, up to the closing bracket; names are counted, too */

static int
mh_json_members(struct mh_json *j, bool dict, uint8_t close, unsigned *count)
{
    int  rc;

    for ( ;; ) {

        if (dict) {
            rc = mh_json_name(j);
            if (rc != NGX_IMS_NG_OK) {
                return rc;
            }

            (*count)++;
        }

        rc = mh_json_value(j);
        if (rc != NGX_IMS_NG_OK) {
            return rc;
        }

        (*count)++;
        mh_json_space(j);

        if (j->p == j->end) {
            return NGX_IMS_NG_AGAIN;
        }

        if (*j->p == close) {
            return NGX_IMS_NG_OK;
        }

        if (*j->p != ',') {
            return NGX_IMS_NG_INVALID;
        }

        j->p++;
    }
}


/* with the colon behind it */

static int
mh_json_name(struct mh_json *j)
{
    int  rc;

    mh_json_space(j);

    if (j->p == j->end) {
        return NGX_IMS_NG_AGAIN;
    }

    if (*j->p != '"') {
        return NGX_IMS_NG_INVALID;
    }

    rc = mh_json_string(j);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    mh_json_space(j);

    if (j->p == j->end) {
        return NGX_IMS_NG_AGAIN;
    }

    if (*j->p != ':') {
        return NGX_IMS_NG_INVALID;
    }

    j->p++;

    return NGX_IMS_NG_OK;
}


static int
mh_json_string(struct mh_json *j)
{
    int                 rc;
    uint8_t            *room;
    const uint8_t      *start;
    ngx_ims_ng_node_t  *node;

    rc = mh_json_node(j, NGX_IMS_NG_STRING, &node);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    start = ++j->p;
    room = NULL;

    for ( /* void */ ; j->p < j->end && *j->p != '"'; j->p++) {

        if (*j->p < 0x20) {
            return NGX_IMS_NG_INVALID;
        }

        if (*j->p != '\\') {

            if (room != NULL) {
                *j->room++ = *j->p;
            }

            continue;
        }

        if (room == NULL) {
            room = j->room;
            memcpy(room, start, (size_t) (j->p - start));
            j->room += j->p - start;
        }

        rc = mh_json_escape(j);
        if (rc != NGX_IMS_NG_OK) {
            return rc;
        }
    }

    if (j->p == j->end) {
        return NGX_IMS_NG_AGAIN;
    }

    node->data = room ? room : start;
    node->len = (size_t) (room ? j->room - room : j->p - start);

    j->p++;

    return NGX_IMS_NG_OK;
}


/* from the backslash to the last byte of an escape */

static int
mh_json_escape(struct mh_json *j)
{
    const char  *known;

    static const char  names[] = "\"\\/bfnrt";
    static const char  bytes[] = "\"\\/\b\f\n\r\t";

    if (++j->p == j->end) {
        return NGX_IMS_NG_AGAIN;
    }

    if (*j->p == 'u') {
        return mh_json_unit(j);
    }

    known = *j->p ? strchr(names, *j->p) : NULL;

    if (known == NULL) {
        return NGX_IMS_NG_INVALID;
    }

    *j->room++ = (uint8_t) bytes[known - names];

    return NGX_IMS_NG_OK;
}


/* from the "u" to the last digit: a character of one unit of UTF-16 or two */

static int
mh_json_unit(struct mh_json *j)
{
    int       rc;
    uint32_t  high, low;

    rc = mh_json_hex(j, &high);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    if (high == 0 || (high >= 0xdc00 && high <= 0xdfff)) {
        return NGX_IMS_NG_INVALID;
    }

    if (high < 0xd800 || high > 0xdbff) {
        mh_json_put(j, high);
        return NGX_IMS_NG_OK;
    }

    if (j->end - j->p < 3) {
        return NGX_IMS_NG_AGAIN;
    }

    if (j->p[1] != '\\' || j->p[2] != 'u') {
        return NGX_IMS_NG_INVALID;
    }

    j->p += 2;

    rc = mh_json_hex(j, &low);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    if (low < 0xdc00 || low > 0xdfff) {
        return NGX_IMS_NG_INVALID;
    }

    mh_json_put(j, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));

    return NGX_IMS_NG_OK;
}


/* from the "u" to the last of four digits */

static int
mh_json_hex(struct mh_json *j, uint32_t *unit)
{
    int      i;
    uint8_t  c;

    *unit = 0;

    for (i = 0; i < 4; i++) {

        if (++j->p == j->end) {
            return NGX_IMS_NG_AGAIN;
        }

        c = *j->p | 0x20;

        if (*j->p >= '0' && *j->p <= '9') {
            *unit = *unit << 4 | (uint32_t) (*j->p - '0');

        } else if (c >= 'a' && c <= 'f') {
            *unit = *unit << 4 | (uint32_t) (c - 'a' + 10);

        } else {
            return NGX_IMS_NG_INVALID;
        }
    }

    return NGX_IMS_NG_OK;
}


static int
mh_json_number(struct mh_json *j)
{
    int                 rc;
    bool                minus;
    uint64_t            value, limit;
    const uint8_t      *start, *p;
    ngx_ims_ng_node_t  *node;

    rc = mh_json_node(j, NGX_IMS_NG_INTEGER, &node);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    start = j->p;
    minus = (*j->p == '-');
    j->p += minus;
    p = j->p;

    rc = mh_json_digits(j);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    if (*p == '0' && j->p - p > 1) {
        return NGX_IMS_NG_INVALID;
    }

    limit = (uint64_t) INT64_MAX + minus;

    for (value = 0; p < j->p; p++) {

        if (value > (limit - (uint64_t) (*p - '0')) / 10) {
            return NGX_IMS_NG_LIMIT;
        }

        value = value * 10 + (uint64_t) (*p - '0');
    }

    node->integer = minus ? (int64_t) (0 - value) : (int64_t) value;

    if (j->p < j->end && *j->p == '.') {
        j->p++;

        rc = mh_json_digits(j);
        if (rc != NGX_IMS_NG_OK) {
            return rc;
        }
    }

    /* an exponent: nobody writes a count, a port or a time so */

    if (j->p < j->end && (*j->p == 'e' || *j->p == 'E')) {
        return NGX_IMS_NG_INVALID;
    }

    node->data = start;
    node->len = (size_t) (j->p - start);

    return NGX_IMS_NG_OK;
}


static int
mh_json_digits(struct mh_json *j)
{
    const uint8_t  *start;

    start = j->p;

    while (j->p < j->end && *j->p >= '0' && *j->p <= '9') {
        j->p++;
    }

    /* there may be more of them yet */

    if (j->p == j->end) {
        return NGX_IMS_NG_AGAIN;
    }

    return (j->p == start) ? NGX_IMS_NG_INVALID : NGX_IMS_NG_OK;
}


static int
mh_json_word(struct mh_json *j)
{
    int                 rc;
    size_t              i, len;
    const char         *word;
    ngx_ims_ng_node_t  *node;

    word = (*j->p == 't') ? "true" : (*j->p == 'f') ? "false" : "null";
    len = strlen(word);

    rc = mh_json_node(j, *j->p == 'n' ? NGX_IMS_NG_STRING
                                      : NGX_IMS_NG_INTEGER, &node);
    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    node->data = j->p;
    node->len = (*j->p == 'n') ? 0 : len;
    node->integer = (*j->p == 't');

    for (i = 0; i < len; i++, j->p++) {

        if (j->p == j->end) {
            return NGX_IMS_NG_AGAIN;
        }

        if (*j->p != (uint8_t) word[i]) {
            return NGX_IMS_NG_INVALID;
        }
    }

    return NGX_IMS_NG_OK;
}


static int
mh_json_node(struct mh_json *j, unsigned type, ngx_ims_ng_node_t **node)
{
    if (j->n == j->max) {
        return NGX_IMS_NG_LIMIT;
    }

    *node = &j->nodes[j->n++];

    memset(*node, 0, sizeof(**node));
    (*node)->type = type;
    (*node)->skip = 1;

    return NGX_IMS_NG_OK;
}


static void
mh_json_space(struct mh_json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n'
                             || *j->p == '\r'))
    {
        j->p++;
    }
}


/* as UTF-8, which is shorter than any escape */

static void
mh_json_put(struct mh_json *j, uint32_t c)
{
    if (c < 0x80) {
        *j->room++ = (uint8_t) c;
        return;
    }

    if (c < 0x800) {
        *j->room++ = (uint8_t) (0xc0 | c >> 6);

    } else {

        if (c < 0x10000) {
            *j->room++ = (uint8_t) (0xe0 | c >> 12);

        } else {
            *j->room++ = (uint8_t) (0xf0 | c >> 18);
            *j->room++ = (uint8_t) (0x80 | (c >> 12 & 0x3f));
        }

        *j->room++ = (uint8_t) (0x80 | (c >> 6 & 0x3f));
    }

    *j->room++ = (uint8_t) (0x80 | (c & 0x3f));
}
