
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Keys that tell what becomes of media: ICE, DTLS, SDES, addresses, codecs.
 * No state, no timer.
 */


#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cmd_keys.h"
#include "mh_sdp_text.h"


static void mh_cmd_rule(struct pl *rules, unsigned *n,
    const struct pl *value);
static void mh_cmd_time(uint16_t *ms, const struct pl *value);
static uint32_t mh_cmd_suite(const struct pl *name);

static mh_cmd_key_h  mh_cmd_key_address, mh_cmd_key_bundle, mh_cmd_key_code,
    mh_cmd_key_dtls, mh_cmd_key_duration, mh_cmd_key_family,
    mh_cmd_key_fingerprint, mh_cmd_key_ice, mh_cmd_key_learning,
    mh_cmd_key_lite, mh_cmd_key_mux, mh_cmd_key_offer, mh_cmd_key_osrtp,
    mh_cmd_key_pause, mh_cmd_key_received, mh_cmd_key_remove,
    mh_cmd_key_replace, mh_cmd_key_reverse, mh_cmd_key_sdes, mh_cmd_key_strip,
    mh_cmd_key_tos, mh_cmd_key_transcode, mh_cmd_key_volume;


static const struct mh_cmd_key_entry  mh_cmd_media_table[] = {

    { "ICE", mh_cmd_key_ice },
    { "DTLS", mh_cmd_key_dtls },
    { "DTLS-reverse", mh_cmd_key_reverse },
    { "DTLS-fingerprint", mh_cmd_key_fingerprint },
    { "SDES", mh_cmd_key_sdes },
    { "OSRTP", mh_cmd_key_osrtp },
    { "rtcp-mux", mh_cmd_key_mux },
    { "bundle", mh_cmd_key_bundle },
    { "replace", mh_cmd_key_replace },
    { "ICE-lite", mh_cmd_key_lite },
    { "received-from", mh_cmd_key_received },
    { "address-family", mh_cmd_key_family },
    { "media-address", mh_cmd_key_address },
    { "endpoint-learning", mh_cmd_key_learning },
    { "sdp-media-remove", mh_cmd_key_remove },
    { "codec-strip", mh_cmd_key_strip },
    { "codec-mask", mh_cmd_key_strip },
    { "codec-consume", mh_cmd_key_strip },
    { "codec-offer", mh_cmd_key_offer },
    { "codec-except", mh_cmd_key_offer },
    { "codec-transcode", mh_cmd_key_transcode },
    { "transcode", mh_cmd_key_transcode },
    { "TOS", mh_cmd_key_tos },

    { "code", mh_cmd_key_code },
    { "digit", mh_cmd_key_code },
    { "duration", mh_cmd_key_duration },
    { "pause", mh_cmd_key_pause },
    { "volume", mh_cmd_key_volume },

    { NULL, NULL }
};


bool
mh_cmd_media(struct mh_cmd_keys *k, const struct pl *key,
    const struct pl *value)
{
    return mh_cmd_key_in(mh_cmd_media_table, k, key, value);
}


static void
mh_cmd_key_ice(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "remove")) {
        k->ice = MH_SDP_WEB;

    } else if (mh_cmd_same(value, "force")
               || mh_cmd_same(value, "force-relay"))
    {
        k->ice = MH_SDP_IMS;
    }
}


static void
mh_cmd_key_lite(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "off")) {
        k->sig->warning = "The ICE agent is always lite";
    }
}


static void
mh_cmd_key_dtls(struct mh_cmd_keys *k, const struct pl *value)
{
    k->sig->active = mh_cmd_same(value, "active");
}


static void
mh_cmd_key_reverse(struct mh_cmd_keys *k, const struct pl *value)
{
    k->sig->reverse_active = mh_cmd_same(value, "active");
}


static void
mh_cmd_key_fingerprint(struct mh_cmd_keys *k, const struct pl *value)
{
    if (!mh_cmd_same(value, "sha-256") && !mh_cmd_same(value, "sha256")) {
        k->sig->warning = "The DTLS fingerprint is of SHA-256";
    }
}


static void
mh_cmd_key_sdes(struct mh_cmd_keys *k, const struct pl *value)
{
    struct pl  word;

    word = *value;

    if (mh_cmd_same(&word, "off") || mh_cmd_same(&word, "no")
        || mh_cmd_same(&word, "disable") || mh_cmd_same(&word, "disabled"))
    {
        k->sdes.off = true;

    } else if (mh_cmd_same(&word, "pad")) {
        k->sdes.pad = true;

    } else if (mh_cmd_prefix(&word, "only-")) {
        k->sdes.only |= mh_cmd_suite(&word);

    } else if (mh_cmd_prefix(&word, "no-")) {
        k->sdes.no |= mh_cmd_suite(&word);
    }
}


/* what is offered so by the other side is taken anyway */

static void
mh_cmd_key_osrtp(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "offer") || mh_cmd_same(value, "offer-RFC")) {
        k->sig->osrtp = true;
    }
}


static uint32_t
mh_cmd_suite(const struct pl *name)
{
    int  suite;

    suite = mh_sdes_find(name);

    return (suite == -1) ? 0 : 1u << suite;
}


static void
mh_cmd_key_mux(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "offer")) {
        k->sig->mux_offer = true;

    } else if (mh_cmd_same(value, "require")) {
        k->sig->mux_offer = true;
        k->sig->mux_require = true;

    } else if (mh_cmd_same(value, "reject")) {
        k->sig->mux_reject = true;
    }
}


static void
mh_cmd_key_bundle(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "strict")) {
        k->sig->bundle_only = true;
        k->sig->bundle_zero = true;

    } else if (mh_cmd_same(value, "require")) {
        k->sig->bundle_only = true;
    }
}


/* all else that it asks for is always done */

static void
mh_cmd_key_replace(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "force-increment-sdp-ver")) {
        k->sig->raise = true;
    }
}


/* ["IP4", "192.0.2.1"], or the address alone */

static void
mh_cmd_key_received(struct mh_cmd_keys *k, const struct pl *value)
{
    if (value->l > 3 && value->l < 64) {
        k->sig->received = *value;
    }
}


static void
mh_cmd_key_family(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "IP4") || mh_cmd_same(value, "IPv4")
        || mh_cmd_same(value, "inet"))
    {
        k->sig->af = AF_INET;

    } else if (mh_cmd_same(value, "IP6") || mh_cmd_same(value, "IPv6")
               || mh_cmd_same(value, "inet6"))
    {
        k->sig->af = AF_INET6;
    }
}


/* it goes into a description: only what is an address */

static void
mh_cmd_key_address(struct mh_cmd_keys *k, const struct pl *value)
{
    struct sa  sa;

    memset(&sa, 0, sizeof(sa));

    if (value->l < 64 && sa_set(&sa, value, 0) == 0) {
        k->sig->media_address = *value;

    } else {
        k->sig->warning = "The media address is no address";
    }
}


static void
mh_cmd_key_learning(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "off")) {
        k->sig->no_learn = true;

    } else {
        k->sig->learn = true;
    }
}


static void
mh_cmd_key_remove(struct mh_cmd_keys *k, const struct pl *value)
{
    if (mh_cmd_same(value, "audio")) {
        k->sig->no_audio = true;

    } else if (mh_cmd_same(value, "video")) {
        k->sig->no_video = true;
    }
}


static void
mh_cmd_key_strip(struct mh_cmd_keys *k, const struct pl *value)
{
    mh_cmd_rule(k->sig->strip, &k->sig->stripc, value);
}


static void
mh_cmd_key_offer(struct mh_cmd_keys *k, const struct pl *value)
{
    mh_cmd_rule(k->sig->offer, &k->sig->offerc, value);
}


static void
mh_cmd_rule(struct pl *rules, unsigned *n, const struct pl *value)
{
    if (*n < MH_SDP_MAX_CODEC_RULES) {
        rules[(*n)++] = *value;
    }
}


static void
mh_cmd_key_transcode(struct mh_cmd_keys *k, const struct pl *value)
{
    (void) value;

    k->sig->warning = "No transcoding here";
}


static void
mh_cmd_key_tos(struct mh_cmd_keys *k, const struct pl *value)
{
    uint64_t  tos;

    if (mh_pl_number(value, 255, &tos)) {
        k->sig->tos = (int) tos;
    }
}


/* of "play DTMF": one of 0-9, *, #, A-D, or a number from 0 to 15 */

static void
mh_cmd_key_code(struct mh_cmd_keys *k, const struct pl *value)
{
    char         c;
    uint64_t     code;
    const char  *p;

    static const char  names[] = "0123456789*#ABCD";

    k->sig->tone.code = UINT8_MAX;

    if (value->l == 1) {
        c = value->p[0];
        c = (c >= 'a' && c <= 'z') ? (char) (c & ~0x20) : c;
        p = memchr(names, c, sizeof(names) - 1);

        if (p != NULL) {
            k->sig->tone.code = (uint8_t) (p - names);
        }

    } else if (mh_pl_number(value, 15, &code)) {
        k->sig->tone.code = (uint8_t) code;
    }
}


static void
mh_cmd_key_duration(struct mh_cmd_keys *k, const struct pl *value)
{
    mh_cmd_time(&k->sig->tone.duration, value);
}


static void
mh_cmd_key_pause(struct mh_cmd_keys *k, const struct pl *value)
{
    mh_cmd_time(&k->sig->tone.pause, value);
}


/* what is out of range is the next that is not */

static void
mh_cmd_time(uint16_t *ms, const struct pl *value)
{
    uint64_t  n;

    if (mh_pl_number(value, UINT64_MAX, &n) && n) {
        *ms = (uint16_t) (n < 100 ? 100 : n > 5000 ? 5000 : n);
    }
}


/* dB below the loudest, with a sign or without */

static void
mh_cmd_key_volume(struct mh_cmd_keys *k, const struct pl *value)
{
    uint64_t   n;
    struct pl  number;

    number = *value;

    if (number.l && number.p[0] == '-') {
        pl_advance(&number, 1);
    }

    if (mh_pl_number(&number, UINT64_MAX, &n)) {
        k->sig->tone.volume = (uint8_t) (n > 63 ? 63 : n);
    }
}
