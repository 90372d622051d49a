
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The keys and flags of a request, in each form that clients use: as keys
 * with strings, integers, lists and dictionaries, as words among "flags",
 * and in the one string "rtpp-flags".  A space, a hyphen and an underscore
 * are the same, and so are upper and lower case.
 *
 * What is not known is ignored: that is how versions mix.
 */


#ifndef MH_CMD_KEYS_H
#define MH_CMD_KEYS_H


#include "../ngx_ims_portal_module/ngx_ims_ng.h"
#include "mh_call.h"


/*
 * Reads all keys of a request.
 *
 * @param dict  the request
 * @param sig   out: wholly rewritten, spans point into the request
 */
void mh_cmd_keys(const ngx_ims_ng_node_t *dict, struct mh_signal *sig);


/* ----- mh_cmd_flags.c, mh_cmd_media.c, for mh_cmd_keys.c and back ----- */

/* masks of suites, and what else a list of SDES says */

struct mh_cmd_sdes {
    uint32_t  only;
    uint32_t  no;
    bool      off;
    bool      pad;
};

struct mh_cmd_keys {
    struct mh_signal    *sig;
    struct mh_cmd_sdes   sdes;
    bool                 flat;          /* now in "rtpp-flags" */
    bool                 webrtc;
    bool                 text;          /* a string, not in a list */
    int                  ice;           /* the sender by ICE, or -1 */
    struct pl            proto;         /* transport-protocol */
    unsigned             bits;          /* the same in single words */
    unsigned             directions;    /* so far */
    unsigned             item;          /* number in its list, from 0 */
};

typedef void (mh_cmd_key_h)(struct mh_cmd_keys *k, const struct pl *value);

struct mh_cmd_key_entry {
    const char    *name;
    mh_cmd_key_h  *set;         /* NULL: known, and nothing to do */
};

/* a key of a table, which ends with a NULL; false if it is not there */
bool mh_cmd_key_in(const struct mh_cmd_key_entry *e, struct mh_cmd_keys *k,
    const struct pl *key, const struct pl *value);

/* mh_cmd_media.c: one value of a key that tells what becomes of media */
bool mh_cmd_media(struct mh_cmd_keys *k, const struct pl *key,
    const struct pl *value);

/* one value of a key; false if there is no such key */
bool mh_cmd_key(struct mh_cmd_keys *k, struct pl key,
    const struct pl *value);

/* one word of "flags" */
void mh_cmd_flag(struct mh_cmd_keys *k, struct pl word);

/* the string "rtpp-flags" */
void mh_cmd_flat(struct mh_cmd_keys *k, struct pl text);

/* whether two words are the same, however spelled */
bool mh_cmd_same(const struct pl *word, const char *name);

/* takes a prefix off; false if the word has another beginning */
bool mh_cmd_prefix(struct pl *word, const char *prefix);


#endif /* MH_CMD_KEYS_H */
