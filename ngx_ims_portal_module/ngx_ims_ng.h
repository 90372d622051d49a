
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The ng protocol's wire form: "<cookie> SP <bencoded dictionary>".
 *
 * A pure codec: bytes in, spans out, no allocation, no clock, no nginx and
 * no libre, because both the module (the client) and the media helper (the
 * server) link it.  The reader fills a flat array of nodes that the caller
 * owns; strings point into the caller's bytes, which must outlive the nodes.
 * The writer fills a buffer that the caller owns and remembers an overflow,
 * so that only the end needs a check.
 *
 * Bencode: "4:spam" is a byte string, "i-3e" an integer, "l...e" a list,
 * "d<key><value>...e" a dictionary.  On the ng wire keys are not sorted, and
 * a space, a hyphen and an underscore in a key or a flag are the same.
 */


#ifndef _NGX_IMS_NG_H_INCLUDED_
#define _NGX_IMS_NG_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


/* what a reader returns */

#define NGX_IMS_NG_OK        0
#define NGX_IMS_NG_INVALID  -1    /* never becomes valid with more bytes */
#define NGX_IMS_NG_AGAIN    -2    /* a prefix of something valid */
#define NGX_IMS_NG_LIMIT    -3    /* too deep, too many nodes, too long */


enum {
    NGX_IMS_NG_MAX_COOKIE = 255,      /* bytes */
    NGX_IMS_NG_MAX_DEPTH = 16,        /* lists and dictionaries in another */
    NGX_IMS_NG_MAX_MESSAGE = 262144,  /* bytes of one message */
    NGX_IMS_NG_NODES = 512            /* enough for every request we know */
};


typedef enum {
    NGX_IMS_NG_STRING = 1,
    NGX_IMS_NG_INTEGER,
    NGX_IMS_NG_LIST,
    NGX_IMS_NG_DICT
} ngx_ims_ng_type_e;


/*
 * One value.  Nodes lie in the order of the text: the first child of a list
 * or dictionary is the node right after it; "skip" leads over a node and all
 * that it holds.  A dictionary's children are key, value, key, value.
 */

typedef struct {
    unsigned       type;      /* ngx_ims_ng_type_e */
    unsigned       count;     /* children (a pair in a dictionary is two) */
    unsigned       skip;      /* distance to the node after this one, >= 1 */
    size_t         len;       /* STRING: bytes; others: bytes of encoding */
    const u_char  *data;      /* STRING: its bytes; others: the encoding */
    int64_t        integer;   /* INTEGER only */
} ngx_ims_ng_node_t;


typedef struct {
    unsigned                  left;   /* children not yet given */
    const ngx_ims_ng_node_t  *node;   /* the next one */
} ngx_ims_ng_iter_t;


typedef struct {
    u_char        *start;
    u_char        *pos;
    u_char        *end;
    unsigned       depth;         /* dictionaries and lists still open */
    unsigned       overflow:1;    /* something did not fit */
} ngx_ims_ng_writer_t;


/*
 * Splits a message into cookie and payload.
 *
 * buf, len    the bytes received so far, from a message's first byte
 * cookie_len  out: length of the cookie, which begins at buf; 0 if the
 *             message has none ("d" and a string's length right at the
 *             start: OpenSIPS does so on a stream socket; or "{")
 * body        out: offset of the dictionary
 *
 * Returns NGX_IMS_NG_OK; NGX_IMS_NG_AGAIN if no space was seen yet;
 * NGX_IMS_NG_INVALID if the cookie is empty or holds a control character;
 * NGX_IMS_NG_LIMIT if it is longer than NGX_IMS_NG_MAX_COOKIE.
 *
 * The dictionary's first byte is not judged here: "d" is bencode, "{" is
 * JSON, which only the helper speaks.
 */
int ngx_ims_ng_split(const u_char *buf, size_t len, size_t *cookie_len,
    size_t *body);


/*
 * Reads one bencoded value (of any type) from the start of buf.
 *
 * nodes, max  the caller's array and its size; nodes[0] is the value
 * used        out: on OK the bytes that the value took (the rest of buf may
 *             be the next message of a stream); on INVALID and LIMIT the
 *             offset of the offending byte; on AGAIN len
 *
 * Returns NGX_IMS_NG_OK, _AGAIN, _INVALID or _LIMIT.  Refused: leading
 * zeros, "-0", integers outside 64 bits, dictionary keys that are not
 * strings, a key without value.  A key given twice is accepted: look-ups
 * find the first.
 */
int ngx_ims_ng_parse(const u_char *buf, size_t len, ngx_ims_ng_node_t *nodes,
    size_t max, size_t *used);


/*
 * Compares a string node with a word; space, hyphen and underscore are the
 * same; upper and lower case are not.  word ends with NUL.
 *
 * Returns 1 if equal, 0 if not or if node is NULL or not a string.
 */
int ngx_ims_ng_is(const ngx_ims_ng_node_t *node, const char *word);


/* the same without regard to upper and lower case (values like "Force") */
int ngx_ims_ng_is_nocase(const ngx_ims_ng_node_t *node, const char *word);


/*
 * Finds a value in a dictionary by its key (compared as ngx_ims_ng_is()
 * does).  Returns NULL if dict is NULL, not a dictionary, or lacks the key.
 */
const ngx_ims_ng_node_t *ngx_ims_ng_get(const ngx_ims_ng_node_t *dict,
    const char *key);


/* the same, and NULL unless the value is a string */
const ngx_ims_ng_node_t *ngx_ims_ng_get_str(const ngx_ims_ng_node_t *dict,
    const char *key);


/*
 * The same for an integer.  A string of decimal digits serves as well, as
 * some clients send numbers so.  Returns missing if there is none.
 */
int64_t ngx_ims_ng_get_int(const ngx_ims_ng_node_t *dict, const char *key,
    int64_t missing);


/*
 * Whether the list (or the one string) under the key holds the word:
 * ngx_ims_ng_has(dict, "flags", "trust address").  Returns 1 or 0.
 */
int ngx_ims_ng_has(const ngx_ims_ng_node_t *dict, const char *key,
    const char *word);


/*
 * Walks over a list's values or a dictionary's pairs:
 *
 *     ngx_ims_ng_iter(&it, list);
 *     while ((node = ngx_ims_ng_next(&it)) != NULL) { ... }
 *
 *     ngx_ims_ng_iter(&it, dict);
 *     while ((value = ngx_ims_ng_next_pair(&it, &key)) != NULL) { ... }
 *
 * A NULL node or one that is a string or an integer has no children.
 */
void ngx_ims_ng_iter(ngx_ims_ng_iter_t *it, const ngx_ims_ng_node_t *node);
const ngx_ims_ng_node_t *ngx_ims_ng_next(ngx_ims_ng_iter_t *it);
const ngx_ims_ng_node_t *ngx_ims_ng_next_pair(ngx_ims_ng_iter_t *it,
    const ngx_ims_ng_node_t **key);


/* starts writing at buf, at most size bytes */
void ngx_ims_ng_write_init(ngx_ims_ng_writer_t *w, void *buf, size_t size);

/* bytes as they are: the cookie and its space */
void ngx_ims_ng_write_raw(ngx_ims_ng_writer_t *w, const void *data,
    size_t len);

/* opens a dictionary or a list; each needs its ngx_ims_ng_write_end() */
void ngx_ims_ng_write_dict(ngx_ims_ng_writer_t *w);
void ngx_ims_ng_write_list(ngx_ims_ng_writer_t *w);
void ngx_ims_ng_write_end(ngx_ims_ng_writer_t *w);

/* a value in a list, or a key by hand; word ends with NUL */
void ngx_ims_ng_write_str(ngx_ims_ng_writer_t *w, const void *data,
    size_t len);
void ngx_ims_ng_write_word(ngx_ims_ng_writer_t *w, const char *word);
void ngx_ims_ng_write_int(ngx_ims_ng_writer_t *w, int64_t value);

/*
 * The bytes written, or 0 if they did not fit or if a dictionary or list is
 * still open.
 */
size_t ngx_ims_ng_write_done(const ngx_ims_ng_writer_t *w);


/* a key (it ends with NUL) and its value, or its value's beginning */

static inline void
ngx_ims_ng_write_key_str(ngx_ims_ng_writer_t *w, const char *key,
    const void *data, size_t len)
{
    ngx_ims_ng_write_word(w, key);
    ngx_ims_ng_write_str(w, data, len);
}


static inline void
ngx_ims_ng_write_key_word(ngx_ims_ng_writer_t *w, const char *key,
    const char *word)
{
    ngx_ims_ng_write_word(w, key);
    ngx_ims_ng_write_word(w, word);
}


static inline void
ngx_ims_ng_write_key_int(ngx_ims_ng_writer_t *w, const char *key,
    int64_t value)
{
    ngx_ims_ng_write_word(w, key);
    ngx_ims_ng_write_int(w, value);
}


static inline void
ngx_ims_ng_write_key_dict(ngx_ims_ng_writer_t *w, const char *key)
{
    ngx_ims_ng_write_word(w, key);
    ngx_ims_ng_write_dict(w);
}


static inline void
ngx_ims_ng_write_key_list(ngx_ims_ng_writer_t *w, const char *key)
{
    ngx_ims_ng_write_word(w, key);
    ngx_ims_ng_write_list(w);
}


#endif /* _NGX_IMS_NG_H_INCLUDED_ */
