
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Words of "flags" and the string "rtpp-flags".  No state but the caller's,
 * no timer.
 */


#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cmd_keys.h"
#include "mh_log.h"


/* transport-protocol in single words: "SRTP AVPF" */

enum {
    MH_FLAG_S = 1,
    MH_FLAG_F = 2,
    MH_FLAG_TLS = 4,
    MH_FLAG_SET = 8
};


struct mh_cmd_word {
    const char  *name;
    size_t       field;         /* of struct mh_signal, a bool */
};


#define MH_FLAG(field)  offsetof(struct mh_signal, field)
#define MH_FLAG_NONE    SIZE_MAX


static char mh_cmd_fold(char c);
static bool mh_cmd_transport(struct mh_cmd_keys *k, const struct pl *word);
static bool mh_cmd_as_key(struct mh_cmd_keys *k, const struct pl *word);
static void mh_cmd_flat_list(struct mh_cmd_keys *k, const struct pl *key,
    struct pl *text, unsigned depth);
static bool mh_cmd_flat_word(struct pl *text, struct pl *word);
static void mh_cmd_flat_value(struct mh_cmd_keys *k, const struct pl *key,
    struct pl *text);


/*
 * Those without a field say what is always so here, or what has no meaning
 * for this helper: docs/media-helper.md tells which.
 */

static const struct mh_cmd_word  mh_cmd_words[] = {

    { "symmetric", MH_FLAG(learn) },
    { "port-latching", MH_FLAG(learn) },
    { "asymmetric", MH_FLAG(no_learn) },
    { "no-port-latching", MH_FLAG(no_learn) },
    { "media-handover", MH_FLAG(handover) },
    { "reset", MH_FLAG(reset) },
    { "SIP-source-address", MH_FLAG(source_address) },
    { "loop-protect", MH_FLAG(loop_protect) },
    { "full-rtcp-attribute", MH_FLAG(full_rtcp) },
    { "single-codec", MH_FLAG(single_codec) },
    { "no-tls-id", MH_FLAG(no_tls_id) },
    { "fragment", MH_FLAG(fragment) },
    { "to-tag", MH_FLAG(match_to_tag) },
    { "fatal", MH_FLAG(fatal) },
    { "fast", MH_FLAG(fast) },
    { "all", MH_FLAG(all) },

    { "allow-no-codec-media", MH_FLAG_NONE },
    { "bidirectional", MH_FLAG_NONE },
    { "debug", MH_FLAG_NONE },
    { "directional", MH_FLAG_NONE },
    { "early-media", MH_FLAG_NONE },
    { "generate-mid", MH_FLAG_NONE },
    { "generate-RTCP", MH_FLAG_NONE },
    { "inject-DTMF", MH_FLAG_NONE },
    { "NAT-wait", MH_FLAG_NONE },
    { "no-redis-update", MH_FLAG_NONE },
    { "no-rtcp-attribute", MH_FLAG_NONE },
    { "original-sendrecv", MH_FLAG_NONE },
    { "pierce-NAT", MH_FLAG_NONE },
    { "provisional", MH_FLAG_NONE },
    { "record-call", MH_FLAG_NONE },
    { "reject-ICE", MH_FLAG_NONE },
    { "ICE-reject", MH_FLAG_NONE },
    { "strict-source", MH_FLAG_NONE },
    { "strip-extmap", MH_FLAG_NONE },
    { "symmetric-codecs", MH_FLAG_NONE },
    { "trickle-ICE", MH_FLAG_NONE },
    { "unidirectional", MH_FLAG_NONE },

    { NULL, MH_FLAG_NONE }
};


/* of flags that are a key and its value in one word: "rtcp-mux-offer" */

static const char *const  mh_cmd_compound[] = {
    "replace-", "rtcp-mux-", "bundle-", "codec-strip-", "codec-mask-",
    "codec-offer-", "codec-except-", "codec-accept-", "codec-consume-",
    "codec-ignore-", "codec-set-", "codec-transcode-", "transcode-",
    "SDES-", "OSRTP-", "endpoint-learning-", "ICE-lite-", "ICE-",
    "DTLS-reverse-", "DTLS-fingerprint-", "DTLS-", "T38-", "T.38-",
    "sdp-media-remove-", "sdp-attr-add-", "sdp-attr-remove-",
    "sdp-attr-substitute-", NULL
};


bool
mh_cmd_same(const struct pl *word, const char *name)
{
    struct pl  copy;

    copy = *word;

    return mh_cmd_prefix(&copy, name) && copy.l == 0;
}


bool
mh_cmd_prefix(struct pl *word, const char *prefix)
{
    size_t  i;

    for (i = 0; prefix[i] != '\0'; i++) {

        if (i == word->l
            || mh_cmd_fold(word->p[i]) != mh_cmd_fold(prefix[i]))
        {
            return false;
        }
    }

    word->p += i;
    word->l -= i;

    return true;
}


void
mh_cmd_flag(struct mh_cmd_keys *k, struct pl word)
{
    const struct mh_cmd_word  *w;

    for (w = mh_cmd_words; w->name != NULL; w++) {

        if (!mh_cmd_same(&word, w->name)) {
            continue;
        }

        if (w->field != MH_FLAG_NONE) {
            *(bool *) ((uint8_t *) k->sig + w->field) = true;
        }

        return;
    }

    if (mh_cmd_same(&word, "WebRTC")) {
        k->webrtc = true;
        return;
    }

    /* the last of the two counts, as with other servers */

    if (mh_cmd_same(&word, "trust-address")) {
        k->sig->source_address = false;
        return;
    }

    if (k->flat && mh_cmd_transport(k, &word)) {
        return;
    }

    if (!mh_cmd_as_key(k, &word)) {
        mh_debug("flag \"%.*s\" ignored", (int) (word.l < 64 ? word.l : 64),
                 word.p);
    }
}


void
mh_cmd_flat(struct mh_cmd_keys *k, struct pl text)
{
    const char  *proto;
    struct pl    word;

    static const char *const  protos[] = {
        "RTP/AVP", "RTP/SAVP", "RTP/AVPF", "RTP/SAVPF",
        "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVP",
        "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVPF"
    };

    k->flat = true;
    k->bits = 0;

    while (mh_cmd_flat_word(&text, &word)) {

        if (text.l && text.p[0] == '=') {
            pl_advance(&text, 1);
            mh_cmd_flat_value(k, &word, &text);

        } else {
            mh_cmd_flag(k, word);
        }
    }

    if (k->bits) {
        proto = protos[k->bits & 7];
        k->proto.p = proto;
        k->proto.l = strlen(proto);
    }

    k->flat = false;
}


static char
mh_cmd_fold(char c)
{
    if (c == '-' || c == '_') {
        return ' ';
    }

    return (c >= 'A' && c <= 'Z') ? (char) (c | 0x20) : c;
}


static bool
mh_cmd_transport(struct mh_cmd_keys *k, const struct pl *word)
{
    if (mh_cmd_same(word, "RTP")) {
        k->bits = (k->bits | MH_FLAG_SET) & ~(unsigned) MH_FLAG_S;

    } else if (mh_cmd_same(word, "AVP")) {
        k->bits = (k->bits | MH_FLAG_SET) & ~(unsigned) MH_FLAG_F;

    } else if (mh_cmd_same(word, "SRTP")) {
        k->bits |= MH_FLAG_SET | MH_FLAG_S;

    } else if (mh_cmd_same(word, "AVPF")) {
        k->bits |= MH_FLAG_SET | MH_FLAG_F;

    } else if (mh_cmd_same(word, "DTLS")) {
        k->bits |= MH_FLAG_SET | MH_FLAG_TLS;

    } else if (memchr(word->p, '/', word->l) != NULL) {
        k->bits = 0;
        k->proto = *word;

    } else {
        return false;
    }

    return true;
}


static bool
mh_cmd_as_key(struct mh_cmd_keys *k, const struct pl *word)
{
    struct pl           key, value;
    const char *const  *name;

    k->item = 0;

    for (name = mh_cmd_compound; *name != NULL; name++) {
        value = *word;

        if (!mh_cmd_prefix(&value, *name) || value.l == 0) {
            continue;
        }

        key.p = word->p;
        key.l = word->l - value.l - 1;

        return mh_cmd_key(k, key, &value);
    }

    return false;
}


/* the next word; it ends before a space, "=", "[" or "]" */

static bool
mh_cmd_flat_word(struct pl *text, struct pl *word)
{
    size_t  n;

    while (text->l && memchr(" \t\r\n[]=", text->p[0], 8) != NULL) {
        pl_advance(text, 1);
    }

    for (n = 0; n < text->l; n++) {
        if (memchr(" \t\r\n[]=", text->p[n], 8) != NULL) {
            break;
        }
    }

    word->p = text->p;
    word->l = n;

    pl_advance(text, (ssize_t) n);

    return n != 0;
}


/* what follows "key=" */

static void
mh_cmd_flat_value(struct mh_cmd_keys *k, const struct pl *key,
    struct pl *text)
{
    size_t     n;
    struct pl  value;

    if (text->l && text->p[0] == '[') {
        pl_advance(text, 1);
        mh_cmd_flat_list(k, key, text, 0);
        return;
    }

    for (n = 0; n < text->l && text->p[n] != ' ' && text->p[n] != ']'; n++) {
        /* void */
    }

    value.p = text->p;
    value.l = n;

    pl_advance(text, (ssize_t) n);

    k->item = 0;

    if (n && !mh_cmd_key(k, *key, &value)) {
        mh_debug("key \"%.*s\" ignored", (int) (key->l < 64 ? key->l : 64),
                 key->p);
    }
}


/*
 * A list, or a dictionary of lists, up to its "]": "strip=[opus G722]" in
 * "codec=[...]" is the key "codec-strip".
 */

static void
mh_cmd_flat_list(struct mh_cmd_keys *k, const struct pl *key,
    struct pl *text, unsigned depth)
{
    char       name[64];
    size_t     n;
    unsigned   item;
    struct pl  word, sub;

    for (item = 0; text->l; /* void */ ) {

        if (text->p[0] == ']') {
            pl_advance(text, 1);
            return;
        }

        if (memchr(" \t\r\n[=", text->p[0], 6) != NULL) {
            pl_advance(text, 1);
            continue;
        }

        /* a value may hold "=", as in "AMR/8000/1/mode-set=7" */

        for (n = 0; n < text->l; n++) {
            if (text->p[n] == ' ' || text->p[n] == ']'
                || (text->p[n] == '=' && n + 1 < text->l
                    && text->p[n + 1] == '['))
            {
                break;
            }
        }

        word.p = text->p;
        word.l = n;

        pl_advance(text, (ssize_t) n);

        if (text->l && text->p[0] == '=' && depth == 0) {
            pl_advance(text, 2);

            sub.p = name;
            sub.l = (size_t) re_snprintf(name, sizeof(name), "%r-%r", key,
                                         &word);
            if (sub.l < sizeof(name)) {
                mh_cmd_flat_list(k, &sub, text, depth + 1);
            }

            continue;
        }

        k->item = item++;
        (void) mh_cmd_key(k, *key, &word);
    }
}
