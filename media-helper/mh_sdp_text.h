
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Spans of SDP text: private to mh_sdp.c, mh_sdp_map.c and mh_sdp_out.c.
 * A span is libre's struct pl, but nothing of libre is linked.
 */


#ifndef MH_SDP_TEXT_H
#define MH_SDP_TEXT_H


#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <re.h>

#include "mh_sdp.h"


#define MH_SDP_MID_URI  "urn:ietf:params:rtp-hdrext:sdes:mid"


/* takes the next line off the text, without its LF or CRLF */

static inline bool
mh_pl_line(struct pl *text, struct pl *line)
{
    const char  *lf;

    if (text->l == 0) {
        return false;
    }

    line->p = text->p;

    lf = memchr(text->p, '\n', text->l);
    line->l = lf ? (size_t) (lf - text->p) : text->l;

    text->p += line->l + (lf != NULL);
    text->l -= line->l + (lf != NULL);

    if (line->l && line->p[line->l - 1] == '\r') {
        line->l--;
    }

    return true;
}


/* takes the next word off the text; words are set apart by spaces, tabs */

static inline bool
mh_pl_word(struct pl *text, struct pl *word)
{
    while (text->l && (*text->p == ' ' || *text->p == '\t')) {
        text->p++;
        text->l--;
    }

    word->p = text->p;
    word->l = 0;

    while (text->l && *text->p != ' ' && *text->p != '\t') {
        text->p++;
        text->l--;
        word->l++;
    }

    return word->l != 0;
}


/* takes what is before the separator; the whole rest if there is none */

static inline bool
mh_pl_part(struct pl *text, char separator, struct pl *part)
{
    const char  *p;

    if (text->l == 0) {
        part->p = text->p;
        part->l = 0;
        return false;
    }

    p = memchr(text->p, separator, text->l);

    part->p = text->p;
    part->l = p ? (size_t) (p - text->p) : text->l;

    text->p += part->l + (p != NULL);
    text->l -= part->l + (p != NULL);

    return true;
}


/* takes off leading and trailing blanks */

static inline void
mh_pl_trim(struct pl *text)
{
    while (text->l && (*text->p == ' ' || *text->p == '\t')) {
        text->p++;
        text->l--;
    }

    while (text->l && (text->p[text->l - 1] == ' '
                       || text->p[text->l - 1] == '\t'))
    {
        text->l--;
    }
}


static inline bool
mh_pl_is(const struct pl *text, const char *word)
{
    return strlen(word) == text->l && memcmp(text->p, word, text->l) == 0;
}


static inline bool
mh_pl_is_nocase(const struct pl *text, const char *word)
{
    return strlen(word) == text->l
           && strncasecmp(text->p, word, text->l) == 0;
}


static inline bool
mh_pl_same(const struct pl *a, const struct pl *b)
{
    return a->l == b->l && (a->l == 0 || memcmp(a->p, b->p, a->l) == 0);
}


/* nothing but digits, not more than max */

static inline bool
mh_pl_number(const struct pl *text, uint64_t max, uint64_t *value)
{
    size_t    i;
    uint64_t  n;

    if (text->l == 0 || text->l > 20) {
        return false;
    }

    for (n = 0, i = 0; i < text->l; i++) {

        if (text->p[i] < '0' || text->p[i] > '9') {
            return false;
        }

        if (n > (UINT64_MAX - (uint64_t) (text->p[i] - '0')) / 10) {
            return false;
        }

        n = n * 10 + (uint64_t) (text->p[i] - '0');
    }

    if (n > max) {
        return false;
    }

    *value = n;

    return true;
}


static inline int
mh_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    return -1;
}


/*
 * Finds "name=value" in a fmtp value ("a=1; b=2"); names are compared
 * without regard to case.
 */

static inline bool
mh_pl_param(const struct pl *fmtp, const char *name, struct pl *value)
{
    struct pl  rest, part, key;

    rest = *fmtp;

    while (mh_pl_part(&rest, ';', &part)) {
        mh_pl_part(&part, '=', &key);
        mh_pl_trim(&key);

        if (mh_pl_is_nocase(&key, name)) {
            mh_pl_trim(&part);
            *value = part;
            return true;
        }
    }

    return false;
}


/* between mh_sdp.c and mh_sdp_attr.c */

/* "not given", until the levels are merged */
#define MH_SDP_DIR_UNSET  4


struct mh_sdp_reader {
    struct mh_sdp        *sdp;
    struct mh_sdp_media  *m;        /* where attributes go now */
    struct mh_sdp_media   session;
    bool                  version;
    unsigned              lines;
};

/* the value of one a= line; returns 0 or EBADMSG */
int mh_sdp_attribute(struct mh_sdp_reader *r, struct pl value);

/* sets f->codec from name, clock and channels */
void mh_sdp_codec_set(struct mh_sdp_format *f);


/* defined in mh_sdp_map.c, used by mh_sdp_out.c */

/* whether a format of an offer may go to the other leg */
bool mh_sdp_passes(const struct mh_sdp *sdp, const struct mh_sdp_media *m,
    const struct mh_sdp_format *f, const struct mh_sdp_policy *policy);

/* whether the other leg is to hear nothing of an m-line of this kind */
bool mh_sdp_removed(const struct mh_sdp_media *m,
    const struct mh_sdp_policy *policy);

/* whether a codec carries media of its own (not tones, not silence) */
bool mh_sdp_is_media(unsigned codec);

/* as in an rtpmap: "PCMA/8000" without the clock */
const char *mh_sdp_codec_name(unsigned codec);

/*
 * Finds or makes the entry for format f of m-line i that src offers; seen
 * has a bit for each entry that this offer already used.  Returns NULL with
 * *err 0 if the map is full or the format says the same as an earlier one;
 * NULL with *err ENOMEM if no number is free.
 */
struct mh_sdp_pt *mh_sdp_map_offer(struct mh_sdp_map *maps, unsigned mapc,
    unsigned i, const struct mh_sdp_format *f, enum mh_sdp_leg src,
    uint32_t *seen, int *err);

/* finds the entry for a format in an answer; NULL if it was not offered */
struct mh_sdp_pt *mh_sdp_map_answer(struct mh_sdp_map *map,
    const struct mh_sdp_format *f, enum mh_sdp_leg answerer);

/*
 * A control character would come out again in a copied line, and a bare CR
 * is a line's end to some.
 */

static inline bool
mh_pl_is_clean(const struct pl *line)
{
    size_t  i;

    for (i = 0; i < line->l; i++) {

        if ((unsigned char) line->p[i] < 0x20 && line->p[i] != '\t') {
            return false;
        }
    }

    return true;
}


#endif /* MH_SDP_TEXT_H */
