
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Bencode and the framing of rtpengine's ng protocol.  See the header; this
 * file includes nothing but the C library, so that the module, the helper,
 * the unit tests and the fuzzer link it as it is.
 *
 * The reader is a loop with a stack of NGX_IMS_NG_MAX_DEPTH entries, never
 * recursive: nesting is the sender's choice.
 */


#include <string.h>

#include "ngx_ims_ng.h"


typedef struct {
    const u_char       *start;
    const u_char       *pos;
    const u_char       *end;
    ngx_ims_ng_node_t  *nodes;
    size_t              max;
    size_t              n;
    unsigned            depth;
    size_t              stack[NGX_IMS_NG_MAX_DEPTH];
} ngx_ims_ng_reader_t;


static int ngx_ims_ng_read_string(ngx_ims_ng_reader_t *r,
    ngx_ims_ng_node_t *node);
static int ngx_ims_ng_read_integer(ngx_ims_ng_reader_t *r,
    ngx_ims_ng_node_t *node);
static int ngx_ims_ng_read_open(ngx_ims_ng_reader_t *r,
    ngx_ims_ng_node_t *node);
static int ngx_ims_ng_read_close(ngx_ims_ng_reader_t *r);
static int ngx_ims_ng_read_value(ngx_ims_ng_reader_t *r);
static int ngx_ims_ng_digits(const u_char *p, size_t len, uint64_t max,
    uint64_t *value);
static int ngx_ims_ng_compare(const ngx_ims_ng_node_t *node,
    const char *word, int nocase);
static u_char *ngx_ims_ng_number(u_char *end, uint64_t value);


int
ngx_ims_ng_split(const u_char *buf, size_t len, size_t *cookie_len,
    size_t *body)
{
    size_t  i;

    *cookie_len = 0;
    *body = 0;

    /*
     * Without a cookie the first byte is the dictionary's, and the first key
     * is a string: "d7:command...".  A cookie may begin with "d7" as well,
     * but hardly with "d7:", and none begins with the "{" of JSON.
     */

    if (len > 0 && buf[0] == '{') {
        return NGX_IMS_NG_OK;
    }

    if (len > 0 && buf[0] == 'd') {

        for (i = 1; i < len && buf[i] >= '0' && buf[i] <= '9'; i++) {
            /* void */
        }

        if (i > 1 && i < len && buf[i] == ':') {
            return NGX_IMS_NG_OK;
        }
    }

    for (i = 0; i < len; i++) {

        if (buf[i] == ' ') {

            if (i == 0) {
                return NGX_IMS_NG_INVALID;
            }

            *cookie_len = i;
            *body = i + 1;

            return NGX_IMS_NG_OK;
        }

        if (buf[i] < 0x20 || buf[i] == 0x7f) {
            return NGX_IMS_NG_INVALID;
        }

        if (i == NGX_IMS_NG_MAX_COOKIE) {
            return NGX_IMS_NG_LIMIT;
        }
    }

    return NGX_IMS_NG_AGAIN;
}


int
ngx_ims_ng_parse(const u_char *buf, size_t len, ngx_ims_ng_node_t *nodes,
    size_t max, size_t *used)
{
    int                  rc;
    ngx_ims_ng_reader_t  r;

    r.start = buf;
    r.pos = buf;
    r.end = buf + len;
    r.nodes = nodes;
    r.max = max;
    r.n = 0;
    r.depth = 0;

    do {
        if ((size_t) (r.pos - r.start) > NGX_IMS_NG_MAX_MESSAGE) {
            rc = NGX_IMS_NG_LIMIT;
            break;
        }

        if (r.pos == r.end) {
            rc = NGX_IMS_NG_AGAIN;
            break;
        }

        if (*r.pos == 'e') {
            rc = ngx_ims_ng_read_close(&r);

        } else {
            rc = ngx_ims_ng_read_value(&r);
        }

    } while (rc == NGX_IMS_NG_OK && r.depth > 0);

    *used = (rc == NGX_IMS_NG_AGAIN) ? len : (size_t) (r.pos - r.start);

    return rc;
}


static int
ngx_ims_ng_read_value(ngx_ims_ng_reader_t *r)
{
    int                 rc;
    ngx_ims_ng_node_t  *node, *parent;

    parent = r->depth ? &r->nodes[r->stack[r->depth - 1]] : NULL;

    /* in a dictionary every second child is a key, and a key is a string */

    if (parent && parent->type == NGX_IMS_NG_DICT && parent->count % 2 == 0
        && (*r->pos < '0' || *r->pos > '9'))
    {
        return NGX_IMS_NG_INVALID;
    }

    if (r->n == r->max) {
        return NGX_IMS_NG_LIMIT;
    }

    node = &r->nodes[r->n];
    memset(node, 0, sizeof(ngx_ims_ng_node_t));
    node->skip = 1;

    switch (*r->pos) {

    case 'i':
        rc = ngx_ims_ng_read_integer(r, node);
        break;

    case 'l':
    case 'd':
        rc = ngx_ims_ng_read_open(r, node);
        break;

    default:
        rc = ngx_ims_ng_read_string(r, node);
    }

    if (rc != NGX_IMS_NG_OK) {
        return rc;
    }

    r->n++;

    if (parent) {
        parent->count++;
    }

    return NGX_IMS_NG_OK;
}


static int
ngx_ims_ng_read_string(ngx_ims_ng_reader_t *r, ngx_ims_ng_node_t *node)
{
    uint64_t       n;
    const u_char  *p;

    for (p = r->pos; p < r->end && *p >= '0' && *p <= '9'; p++) {

        /* more digits than NGX_IMS_NG_MAX_MESSAGE has */

        if (p - r->pos == 6) {
            return NGX_IMS_NG_LIMIT;
        }
    }

    if (p == r->pos || (p < r->end && *p != ':')) {
        return NGX_IMS_NG_INVALID;
    }

    if (*r->pos == '0' && p - r->pos > 1) {
        return NGX_IMS_NG_INVALID;
    }

    if (p == r->end) {
        return NGX_IMS_NG_AGAIN;
    }

    if (ngx_ims_ng_digits(r->pos, p - r->pos, NGX_IMS_NG_MAX_MESSAGE, &n)
        != NGX_IMS_NG_OK)
    {
        return NGX_IMS_NG_LIMIT;
    }

    p++;

    if ((size_t) (r->end - p) < n) {
        return NGX_IMS_NG_AGAIN;
    }

    node->type = NGX_IMS_NG_STRING;
    node->data = p;
    node->len = n;

    r->pos = p + n;

    return NGX_IMS_NG_OK;
}


static int
ngx_ims_ng_read_integer(ngx_ims_ng_reader_t *r, ngx_ims_ng_node_t *node)
{
    int            minus;
    uint64_t       n;
    const u_char  *p, *digits;

    p = r->pos + 1;
    minus = (p < r->end && *p == '-');
    p += minus;

    for (digits = p; p < r->end && *p >= '0' && *p <= '9'; p++) {

        if (p - digits == 19) {
            return NGX_IMS_NG_INVALID;
        }
    }

    if (p == r->end) {
        return (p > digits + 1 && *digits == '0') ? NGX_IMS_NG_INVALID
                                                  : NGX_IMS_NG_AGAIN;
    }

    if (*p != 'e' || p == digits
        || (*digits == '0' && (p - digits > 1 || minus)))
    {
        return NGX_IMS_NG_INVALID;
    }

    if (ngx_ims_ng_digits(digits, p - digits, (uint64_t) INT64_MAX + minus, &n)
        != NGX_IMS_NG_OK)
    {
        return NGX_IMS_NG_INVALID;
    }

    p++;

    node->type = NGX_IMS_NG_INTEGER;
    node->data = r->pos;
    node->len = p - r->pos;
    node->integer = minus ? (int64_t) (0 - n) : (int64_t) n;

    r->pos = p;

    return NGX_IMS_NG_OK;
}


static int
ngx_ims_ng_read_open(ngx_ims_ng_reader_t *r, ngx_ims_ng_node_t *node)
{
    if (r->depth == NGX_IMS_NG_MAX_DEPTH) {
        return NGX_IMS_NG_LIMIT;
    }

    node->type = (*r->pos == 'd') ? NGX_IMS_NG_DICT : NGX_IMS_NG_LIST;
    node->data = r->pos;

    r->stack[r->depth++] = r->n;
    r->pos++;

    return NGX_IMS_NG_OK;
}


static int
ngx_ims_ng_read_close(ngx_ims_ng_reader_t *r)
{
    size_t              i;
    ngx_ims_ng_node_t  *node;

    if (r->depth == 0) {
        return NGX_IMS_NG_INVALID;
    }

    i = r->stack[r->depth - 1];
    node = &r->nodes[i];

    if (node->type == NGX_IMS_NG_DICT && node->count % 2) {
        return NGX_IMS_NG_INVALID;
    }

    r->pos++;
    r->depth--;

    node->len = r->pos - node->data;
    node->skip = r->n - i;

    return NGX_IMS_NG_OK;
}


/* at most 19 digits, so that the product below cannot wrap */

static int
ngx_ims_ng_digits(const u_char *p, size_t len, uint64_t max, uint64_t *value)
{
    uint64_t  n;

    if (len == 0 || len > 19) {
        return NGX_IMS_NG_INVALID;
    }

    for (n = 0; len; len--, p++) {

        if (*p < '0' || *p > '9') {
            return NGX_IMS_NG_INVALID;
        }

        n = n * 10 + (*p - '0');
    }

    if (n > max) {
        return NGX_IMS_NG_INVALID;
    }

    *value = n;

    return NGX_IMS_NG_OK;
}


static int
ngx_ims_ng_compare(const ngx_ims_ng_node_t *node, const char *word,
    int nocase)
{
    size_t  i;
    u_char  a, b;

    if (node == NULL || node->type != NGX_IMS_NG_STRING) {
        return 0;
    }

    for (i = 0; i < node->len; i++) {
        a = node->data[i];
        b = word[i];

        if (b == '\0') {
            return 0;
        }

        if (a == '-' || a == '_') {
            a = ' ';
        }

        if (b == '-' || b == '_') {
            b = ' ';
        }

        if (nocase) {
            a = (a >= 'A' && a <= 'Z') ? a | 0x20 : a;
            b = (b >= 'A' && b <= 'Z') ? b | 0x20 : b;
        }

        if (a != b) {
            return 0;
        }
    }

    return word[i] == '\0';
}


int
ngx_ims_ng_is(const ngx_ims_ng_node_t *node, const char *word)
{
    return ngx_ims_ng_compare(node, word, 0);
}


int
ngx_ims_ng_is_nocase(const ngx_ims_ng_node_t *node, const char *word)
{
    return ngx_ims_ng_compare(node, word, 1);
}


void
ngx_ims_ng_iter(ngx_ims_ng_iter_t *it, const ngx_ims_ng_node_t *node)
{
    it->left = 0;
    it->node = NULL;

    if (node && (node->type == NGX_IMS_NG_LIST
                 || node->type == NGX_IMS_NG_DICT))
    {
        it->left = node->count;
        it->node = node + 1;
    }
}


const ngx_ims_ng_node_t *
ngx_ims_ng_next(ngx_ims_ng_iter_t *it)
{
    const ngx_ims_ng_node_t  *node;

    if (it->left == 0) {
        return NULL;
    }

    node = it->node;

    it->node += node->skip;
    it->left--;

    return node;
}


const ngx_ims_ng_node_t *
ngx_ims_ng_next_pair(ngx_ims_ng_iter_t *it, const ngx_ims_ng_node_t **key)
{
    if (it->left < 2) {
        *key = NULL;
        return NULL;
    }

    *key = ngx_ims_ng_next(it);

    return ngx_ims_ng_next(it);
}


const ngx_ims_ng_node_t *
ngx_ims_ng_get(const ngx_ims_ng_node_t *dict, const char *key)
{
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *name, *value;

    if (dict == NULL || dict->type != NGX_IMS_NG_DICT) {
        return NULL;
    }

    ngx_ims_ng_iter(&it, dict);

    while ((value = ngx_ims_ng_next_pair(&it, &name)) != NULL) {

        if (ngx_ims_ng_is(name, key)) {
            return value;
        }
    }

    return NULL;
}


const ngx_ims_ng_node_t *
ngx_ims_ng_get_str(const ngx_ims_ng_node_t *dict, const char *key)
{
    const ngx_ims_ng_node_t  *node;

    node = ngx_ims_ng_get(dict, key);

    return (node && node->type == NGX_IMS_NG_STRING) ? node : NULL;
}


int64_t
ngx_ims_ng_get_int(const ngx_ims_ng_node_t *dict, const char *key,
    int64_t missing)
{
    uint64_t                  n;
    const ngx_ims_ng_node_t  *node;

    node = ngx_ims_ng_get(dict, key);

    if (node == NULL) {
        return missing;
    }

    if (node->type == NGX_IMS_NG_INTEGER) {
        return node->integer;
    }

    if (node->type == NGX_IMS_NG_STRING
        && ngx_ims_ng_digits(node->data, node->len, INT64_MAX, &n)
           == NGX_IMS_NG_OK)
    {
        return (int64_t) n;
    }

    return missing;
}


int
ngx_ims_ng_has(const ngx_ims_ng_node_t *dict, const char *key,
    const char *word)
{
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *list, *node;

    list = ngx_ims_ng_get(dict, key);

    if (list == NULL || list->type == NGX_IMS_NG_DICT) {
        return 0;
    }

    if (list->type == NGX_IMS_NG_STRING) {
        return ngx_ims_ng_is(list, word);
    }

    ngx_ims_ng_iter(&it, list);

    while ((node = ngx_ims_ng_next(&it)) != NULL) {

        if (ngx_ims_ng_is(node, word)) {
            return 1;
        }
    }

    return 0;
}


void
ngx_ims_ng_write_init(ngx_ims_ng_writer_t *w, void *buf, size_t size)
{
    w->start = buf;
    w->pos = buf;
    w->end = w->start + size;
    w->depth = 0;
    w->overflow = 0;
}


void
ngx_ims_ng_write_raw(ngx_ims_ng_writer_t *w, const void *data, size_t len)
{
    if (w->overflow || (size_t) (w->end - w->pos) < len) {
        w->overflow = 1;
        return;
    }

    if (len) {
        memcpy(w->pos, data, len);
        w->pos += len;
    }
}


void
ngx_ims_ng_write_dict(ngx_ims_ng_writer_t *w)
{
    ngx_ims_ng_write_raw(w, "d", 1);
    w->depth++;
}


void
ngx_ims_ng_write_list(ngx_ims_ng_writer_t *w)
{
    ngx_ims_ng_write_raw(w, "l", 1);
    w->depth++;
}


void
ngx_ims_ng_write_end(ngx_ims_ng_writer_t *w)
{
    /* more ends than beginnings: what was written is not a message */

    if (w->depth == 0) {
        w->overflow = 1;
        return;
    }

    ngx_ims_ng_write_raw(w, "e", 1);
    w->depth--;
}


/* writes the digits right before end; 20 bytes are enough for 64 bits */

static u_char *
ngx_ims_ng_number(u_char *end, uint64_t value)
{
    do {
        *--end = '0' + value % 10;
        value /= 10;
    } while (value);

    return end;
}


void
ngx_ims_ng_write_str(ngx_ims_ng_writer_t *w, const void *data, size_t len)
{
    u_char  *p, digits[21];

    digits[20] = ':';
    p = ngx_ims_ng_number(digits + 20, len);

    ngx_ims_ng_write_raw(w, p, digits + 21 - p);
    ngx_ims_ng_write_raw(w, data, len);
}


void
ngx_ims_ng_write_word(ngx_ims_ng_writer_t *w, const char *word)
{
    ngx_ims_ng_write_str(w, word, strlen(word));
}


void
ngx_ims_ng_write_int(ngx_ims_ng_writer_t *w, int64_t value)
{
    u_char  *p, digits[23];

    digits[22] = 'e';

    if (value < 0) {
        p = ngx_ims_ng_number(digits + 22, 0 - (uint64_t) value);
        *--p = '-';

    } else {
        p = ngx_ims_ng_number(digits + 22, value);
    }

    *--p = 'i';

    ngx_ims_ng_write_raw(w, p, digits + 23 - p);
}


size_t
ngx_ims_ng_write_done(const ngx_ims_ng_writer_t *w)
{
    if (w->overflow || w->depth) {
        return 0;
    }

    return w->pos - w->start;
}
