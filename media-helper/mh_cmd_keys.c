
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Keys and their values; those of media are in mh_cmd_media.c.  No state, no
 * timer.
 */


#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cmd_keys.h"
#include "mh_log.h"
#include "mh_sdp_text.h"


static void mh_cmd_value(struct mh_cmd_keys *k, struct pl key,
    const ngx_ims_ng_node_t *node, unsigned depth);
static void mh_cmd_list(struct mh_cmd_keys *k, struct pl key,
    const ngx_ims_ng_node_t *node, unsigned depth);
static void mh_cmd_dict(struct mh_cmd_keys *k, struct pl key,
    const ngx_ims_ng_node_t *node);
static void mh_cmd_side(struct mh_cmd_keys *k);
static bool mh_cmd_holds(const struct pl *pl, const char *word);
static int mh_cmd_interface(const struct pl *name);

static mh_cmd_key_h  mh_cmd_key_branch, mh_cmd_key_call_id,
    mh_cmd_key_delay, mh_cmd_key_direction, mh_cmd_key_flags,
    mh_cmd_key_from, mh_cmd_key_from_tag, mh_cmd_key_label,
    mh_cmd_key_limit, mh_cmd_key_rtpp, mh_cmd_key_sdp, mh_cmd_key_supports,
    mh_cmd_key_to, mh_cmd_key_to_tag, mh_cmd_key_transport;


static const struct mh_cmd_key_entry  mh_cmd_key_table[] = {

    { "flags", mh_cmd_key_flags },
    { "rtpp-flags", mh_cmd_key_rtpp },
    { "call-id", mh_cmd_key_call_id },
    { "sdp", mh_cmd_key_sdp },
    { "via-branch", mh_cmd_key_branch },
    { "from-tag", mh_cmd_key_from_tag },
    { "to-tag", mh_cmd_key_to_tag },
    { "label", mh_cmd_key_label },
    { "set-label", mh_cmd_key_label },
    { "from-label", mh_cmd_key_label },
    { "direction", mh_cmd_key_direction },
    { "from-interface", mh_cmd_key_from },
    { "to-interface", mh_cmd_key_to },
    { "interface", mh_cmd_key_to },
    { "transport-protocol", mh_cmd_key_transport },
    { "delete-delay", mh_cmd_key_delay },
    { "supports", mh_cmd_key_supports },
    { "limit", mh_cmd_key_limit },

    { "command", NULL },            /* read by mh_cmd.c */
    { "ended-since", NULL },

    { "codec-accept", NULL },       /* known, see docs/media-helper.md */
    { "codec-ignore", NULL },
    { "codec-set", NULL },
    { "T38", NULL },
    { "T.38", NULL },
    { "ptime", NULL },
    { "ptime-reverse", NULL },
    { "sip-message-type", NULL },
    { "sip-code", NULL },
    { "metadata", NULL },
    { "record-call", NULL },
    { "xmlrpc-callback", NULL },

    { NULL, NULL }
};


void
mh_cmd_keys(const ngx_ims_ng_node_t *dict, struct mh_signal *sig)
{
    struct pl                 name;
    struct mh_cmd_keys        k;
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *key, *value;

    memset(sig, 0, sizeof(*sig));
    memset(&k, 0, sizeof(k));

    sig->from = -1;
    sig->tos = -1;
    sig->delete_delay = -1;
    sig->limit = -1;
    sig->tone.code = UINT8_MAX;
    sig->tone.volume = 8;
    sig->tone.duration = 250;
    sig->tone.pause = 100;

    k.sig = sig;
    k.ice = -1;

    ngx_ims_ng_iter(&it, dict);

    while ((value = ngx_ims_ng_next_pair(&it, &key)) != NULL) {
        name.p = (const char *) key->data;
        name.l = key->len;

        mh_cmd_value(&k, name, value, 0);
    }

    mh_cmd_side(&k);

    sig->no_sdes = k.sdes.off;
    sig->sdes_pad = k.sdes.pad;
    sig->suites = (k.sdes.only ? k.sdes.only : MH_SDES_ALL) & ~k.sdes.no;
    sig->sdes_offer = (k.sdes.only ? k.sdes.only : MH_SDES_OFFER)
                      & ~k.sdes.no;
}


bool
mh_cmd_key(struct mh_cmd_keys *k, struct pl key, const struct pl *value)
{
    /* nothing said, as by JSON's null, is as good as no such key */

    return value->l == 0
           || mh_cmd_key_in(mh_cmd_key_table, k, &key, value)
           || mh_cmd_media(k, &key, value);
}


bool
mh_cmd_key_in(const struct mh_cmd_key_entry *e, struct mh_cmd_keys *k,
    const struct pl *key, const struct pl *value)
{
    for ( /* void */ ; e->name != NULL; e++) {

        if (mh_cmd_same(key, e->name)) {

            if (e->set != NULL) {
                e->set(k, value);
            }

            return true;
        }
    }

    return false;
}


/* each string or integer in a value; "codec" {"strip"} is "codec-strip" */

static void
mh_cmd_value(struct mh_cmd_keys *k, struct pl key,
    const ngx_ims_ng_node_t *node, unsigned depth)
{
    struct pl  value;

    if (node->type == NGX_IMS_NG_LIST) {
        mh_cmd_list(k, key, node, depth);
        return;
    }

    if (node->type == NGX_IMS_NG_DICT) {

        if (depth == 0) {
            mh_cmd_dict(k, key, node);
        }

        return;
    }

    value.p = (const char *) node->data;
    value.l = node->len;

    /* without bencode's "i" and "e" */

    if (node->type == NGX_IMS_NG_INTEGER && value.l > 2 && value.p[0] == 'i')
    {
        value.p++;
        value.l -= 2;
    }

    if (depth == 0) {
        k->item = 0;
    }

    k->text = depth == 0 && node->type == NGX_IMS_NG_STRING;

    if (!mh_cmd_key(k, key, &value)) {
        mh_debug("key \"%.*s\" ignored", (int) (key.l < 64 ? key.l : 64),
                 key.p);
    }
}


static void
mh_cmd_list(struct mh_cmd_keys *k, struct pl key,
    const ngx_ims_ng_node_t *node, unsigned depth)
{
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *sub;

    ngx_ims_ng_iter(&it, node);

    for (k->item = 0; (sub = ngx_ims_ng_next(&it)) != NULL; k->item++) {

        /* a list in a list is nothing that we know */

        if (sub->type == NGX_IMS_NG_STRING
            || sub->type == NGX_IMS_NG_INTEGER)
        {
            mh_cmd_value(k, key, sub, depth + 1);
        }
    }
}


static void
mh_cmd_dict(struct mh_cmd_keys *k, struct pl key,
    const ngx_ims_ng_node_t *node)
{
    char                      buf[64];
    struct pl                 value;
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *sub, *name;

    ngx_ims_ng_iter(&it, node);

    while ((sub = ngx_ims_ng_next_pair(&it, &name)) != NULL) {
        value.p = (const char *) name->data;
        value.l = name->len;

        if (key.l + value.l + 1 < sizeof(buf)) {
            (void) re_snprintf(buf, sizeof(buf), "%r-%r", &key, &value);
            pl_set_str(&value, buf);
            k->item = 0;
            mh_cmd_value(k, value, sub, 1);
        }
    }
}


/* which leg the sender is, and what the other one wants */

static void
mh_cmd_side(struct mh_cmd_keys *k)
{
    struct mh_signal  *sig;

    sig = k->sig;
    sig->feedback = true;

    if (sig->certain) {
        k->ice = sig->from;
    }

    if (mh_cmd_holds(&k->proto, "SAVP")) {
        sig->savp = !mh_cmd_holds(&k->proto, "TLS");

        if (sig->savp) {
            sig->avpf = mh_cmd_holds(&k->proto, "SAVPF");
            sig->feedback = sig->avpf;
        }

        sig->from = MH_SDP_IMS;

    } else if (mh_cmd_holds(&k->proto, "AVP")) {
        sig->avpf = mh_cmd_holds(&k->proto, "AVPF");
        sig->feedback = sig->avpf;
        sig->from = MH_SDP_WEB;

    } else {
        sig->from = k->ice;

        if (sig->from == -1 && k->webrtc) {
            sig->from = MH_SDP_IMS;
        }
    }

    if (sig->certain) {
        sig->from = k->ice;
    }
}


static void
mh_cmd_key_flags(struct mh_cmd_keys *k, const struct pl *value)
{
    mh_cmd_flag(k, *value);
}


/* one string for all: not again from within itself */

static void
mh_cmd_key_rtpp(struct mh_cmd_keys *k, const struct pl *value)
{
    if (!k->flat) {
        mh_cmd_flat(k, *value);
    }
}


static void
mh_cmd_key_call_id(struct mh_cmd_keys *k, const struct pl *value)
{
    if (k->text && !k->flat) {
        k->sig->call_id = *value;
    }
}


static void
mh_cmd_key_sdp(struct mh_cmd_keys *k, const struct pl *value)
{
    if (k->text && !k->flat) {
        k->sig->sdp = *value;
    }
}


/* a proxy that sends one string sends the branch as a key as well */

static void
mh_cmd_key_branch(struct mh_cmd_keys *k, const struct pl *value)
{
    if (k->text && !k->flat) {
        k->sig->via_branch = *value;
    }
}


/* in "rtpp-flags" a tag takes the place of the one that is a key */

static void
mh_cmd_key_from_tag(struct mh_cmd_keys *k, const struct pl *value)
{
    if (k->text && (k->flat || !pl_isset(&k->sig->from_tag))) {
        k->sig->from_tag = *value;
    }
}


static void
mh_cmd_key_to_tag(struct mh_cmd_keys *k, const struct pl *value)
{
    if (k->text && (k->flat || !pl_isset(&k->sig->to_tag))) {
        k->sig->to_tag = *value;
        k->sig->match_to_tag = k->sig->match_to_tag || k->flat;
    }
}


static void
mh_cmd_key_label(struct mh_cmd_keys *k, const struct pl *value)
{
    k->sig->label = *value;
}


/* "web" or "ims"; the other of the two may have any name */

static void
mh_cmd_key_direction(struct mh_cmd_keys *k, const struct pl *value)
{
    unsigned  n;

    n = k->flat ? k->directions : k->item;

    if (k->flat) {
        k->directions++;
    }

    if (n == 0) {
        mh_cmd_key_from(k, value);

    } else if (n == 1) {
        mh_cmd_key_to(k, value);
    }
}


static void
mh_cmd_key_from(struct mh_cmd_keys *k, const struct pl *value)
{
    int  leg;

    leg = mh_cmd_interface(value);

    if (leg != -1) {
        k->sig->from = leg;
        k->sig->certain = true;
    }
}


static void
mh_cmd_key_to(struct mh_cmd_keys *k, const struct pl *value)
{
    int  leg;

    leg = mh_cmd_interface(value);

    if (leg != -1 && !k->sig->certain) {
        k->sig->from = (leg == MH_SDP_WEB) ? MH_SDP_IMS : MH_SDP_WEB;
        k->sig->certain = true;
    }
}


static int
mh_cmd_interface(const struct pl *name)
{
    if (mh_cmd_same(name, "web")) {
        return MH_SDP_WEB;
    }

    return mh_cmd_same(name, "ims") ? MH_SDP_IMS : -1;
}


static void
mh_cmd_key_transport(struct mh_cmd_keys *k, const struct pl *value)
{
    /* an answer has the offer's profile anyway */

    if (!mh_cmd_same(value, "accept")) {
        k->proto = *value;
    }
}


static void
mh_cmd_key_delay(struct mh_cmd_keys *k, const struct pl *value)
{
    uint64_t  delay;

    if (mh_pl_number(value, MH_CALL_DELAY, &delay)) {
        k->sig->delete_delay = (int) delay;
    }
}


static void
mh_cmd_key_supports(struct mh_cmd_keys *k, const struct pl *value)
{
    k->sig->load_limit = k->sig->load_limit
                         || mh_cmd_same(value, "load-limit");
}


static void
mh_cmd_key_limit(struct mh_cmd_keys *k, const struct pl *value)
{
    uint64_t  limit;

    if (mh_pl_number(value, INT32_MAX, &limit)) {
        k->sig->limit = (int) limit;
    }
}


static bool
mh_cmd_holds(const struct pl *pl, const char *word)
{
    size_t     i;
    struct pl  rest;

    for (i = 0; i < pl->l; i++) {
        rest.p = pl->p + i;
        rest.l = pl->l - i;

        if (mh_cmd_prefix(&rest, word)) {
            return true;
        }
    }

    return false;
}
