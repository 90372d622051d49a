
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Reads requests of the ng protocol and writes their replies.  Unknown keys
 * and flags are ignored: that is how versions mix.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cmd.h"
#include "mh_log.h"


enum {
    MH_CMD_LIST = 32            /* calls that "list" names by default */
};


typedef void (mh_cmd_run_h)(struct mh_cmd *cmd,
    const ngx_ims_ng_node_t *dict, ngx_ims_ng_writer_t *w);


struct mh_cmd_entry {
    const char    *name;
    mh_cmd_run_h  *run;
};


/* masks of suites, and what else a list of SDES says */

struct mh_cmd_sdes {
    uint32_t  only;
    uint32_t  no;
    bool      off;
    bool      pad;
};


static void mh_cmd_ping(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_ended(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_offer(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_answer(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_delete(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_query(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_list(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_statistics(struct mh_cmd *cmd,
    const ngx_ims_ng_node_t *dict, ngx_ims_ng_writer_t *w);
static void mh_cmd_error(ngx_ims_ng_writer_t *w, const char *reason);
static void mh_cmd_str(const ngx_ims_ng_node_t *dict, const char *key,
    struct pl *pl);
static bool mh_cmd_holds(const struct pl *pl, const char *word);
static const char *mh_cmd_signal(const ngx_ims_ng_node_t *dict,
    struct mh_signal *sig);
static void mh_cmd_side(const ngx_ims_ng_node_t *dict,
    struct mh_signal *sig);
static void mh_cmd_flags(const ngx_ims_ng_node_t *dict,
    struct mh_signal *sig);
static void mh_cmd_sdes(const ngx_ims_ng_node_t *dict,
    struct mh_signal *sig);
static void mh_cmd_sdes_word(const ngx_ims_ng_node_t *node,
    const char *prefix, struct mh_cmd_sdes *sdes);
static bool mh_cmd_prefix(struct pl *word, const char *prefix);
static uint32_t mh_cmd_suite(const struct pl *name);
static void mh_cmd_codecs(const ngx_ims_ng_node_t *dict,
    struct mh_signal *sig);
static void mh_cmd_rules(const ngx_ims_ng_node_t *list, struct pl *rules,
    unsigned *n);


static const struct mh_cmd_entry  mh_cmd_table[] = {
    { "ping", mh_cmd_ping },
    { "offer", mh_cmd_offer },
    { "answer", mh_cmd_answer },
    { "delete", mh_cmd_delete },
    { "query", mh_cmd_query },
    { "list", mh_cmd_list },
    { "statistics", mh_cmd_statistics },
    { NULL, NULL }
};


void
mh_cmd_h(const ngx_ims_ng_node_t *dict, ngx_ims_ng_writer_t *w, void *arg)
{
    struct mh_cmd              *cmd = arg;
    const ngx_ims_ng_node_t    *name;
    const struct mh_cmd_entry  *entry;

    ngx_ims_ng_write_dict(w);

    name = ngx_ims_ng_get_str(dict, "command");

    if (name == NULL) {
        mh_cmd_error(w, "Dictionary contains no key \"command\"");
        ngx_ims_ng_write_end(w);
        return;
    }

    for (entry = mh_cmd_table; entry->name != NULL; entry++) {
        if (ngx_ims_ng_is(name, entry->name)) {
            break;
        }
    }

    if (entry->name == NULL) {
        mh_cmd_error(w, "Unrecognized command");

    } else {
        entry->run(cmd, dict, w);
    }

    ngx_ims_ng_write_end(w);
}


static void
mh_cmd_ping(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    /* it tells a client that this is another process */

    mh_cmd_ended(cmd, dict, w);
    ngx_ims_ng_write_key_word(w, "result", "pong");
    ngx_ims_ng_write_key_int(w, "started", cmd->started);
}


/* calls that ended by themselves, for a client that can be told */

static void
mh_cmd_ended(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    int64_t                 since;
    uint64_t                seq;
    const char             *call_id, *reason;
    struct mh_ended_part    part;
    const struct mh_ended  *ended;

    since = ngx_ims_ng_get_int(dict, "ended since", -1);

    if (since < 0) {
        return;
    }

    ended = mh_calls_ended(cmd->calls);
    mh_ended_since(ended, (uint64_t) since, &part);

    ngx_ims_ng_write_key_list(w, "ended");

    for (seq = part.first; seq < part.first + part.n; seq++) {
        call_id = mh_ended_get(ended, seq, &reason);

        ngx_ims_ng_write_dict(w);
        ngx_ims_ng_write_key_word(w, "call-id", call_id);
        ngx_ims_ng_write_key_word(w, "reason", reason);
        ngx_ims_ng_write_end(w);
    }

    ngx_ims_ng_write_end(w);

    ngx_ims_ng_write_key_int(w, "ended seq", (int64_t) part.seq);

    if (part.lost) {
        ngx_ims_ng_write_key_int(w, "lost", 1);
    }
}


static void
mh_cmd_offer(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    struct pl          out;
    const char        *reason;
    struct mh_signal   sig;

    reason = mh_cmd_signal(dict, &sig);

    /* a fragment of trickle ICE: a lite agent has no use for candidates */

    if (reason == NULL && ngx_ims_ng_has(dict, "flags", "fragment")
        && mh_call_find(cmd->calls, &sig.call_id) != NULL)
    {
        ngx_ims_ng_write_key_word(w, "result", "ok");
        return;
    }

    if (reason == NULL
        && mh_call_offer(cmd->calls, &sig, &out, &reason) == 0)
    {
        ngx_ims_ng_write_key_str(w, "sdp", out.p, out.l);
        ngx_ims_ng_write_key_word(w, "result", "ok");
        return;
    }

    mh_cmd_error(w, reason);
}


static void
mh_cmd_answer(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    struct pl          out;
    const char        *reason;
    struct mh_signal   sig;

    reason = mh_cmd_signal(dict, &sig);

    if (reason == NULL && !pl_isset(&sig.to_tag)) {
        reason = "No to-tag in message";
    }

    if (reason == NULL
        && mh_call_answer(cmd->calls, &sig, &out, &reason) == 0)
    {
        ngx_ims_ng_write_key_str(w, "sdp", out.p, out.l);
        ngx_ims_ng_write_key_word(w, "result", "ok");
        return;
    }

    mh_cmd_error(w, reason);
}


static void
mh_cmd_delete(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    bool               kept;
    struct mh_call    *call;
    struct mh_signal   sig;

    static const char  unknown[] = "Call-ID not found or tags didn't match";

    memset(&sig, 0, sizeof(sig));

    mh_cmd_str(dict, "call-id", &sig.call_id);
    mh_cmd_str(dict, "from-tag", &sig.from_tag);
    mh_cmd_str(dict, "to-tag", &sig.to_tag);
    mh_cmd_str(dict, "via-branch", &sig.via_branch);

    if (!pl_isset(&sig.call_id)) {
        mh_cmd_error(w, "No call-id in message");
        return;
    }

    sig.match_to_tag = ngx_ims_ng_has(dict, "flags", "to-tag");

    call = mh_call_delete(cmd->calls, &sig, &kept);

    if (call == NULL && !kept) {

        if (ngx_ims_ng_has(dict, "flags", "fatal")) {
            mh_cmd_error(w, unknown);
            return;
        }

        ngx_ims_ng_write_key_word(w, "warning", unknown);
    }

    if (call != NULL) {

        if (!ngx_ims_ng_has(dict, "flags", "fast")) {
            mh_query_call(w, call);
        }

        mh_debug("call \"%s\" deleted", call->id);
        mh_call_remove(call);
    }

    ngx_ims_ng_write_key_word(w, "result", "ok");
}


static void
mh_cmd_query(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    struct pl        id;
    struct mh_call  *call;

    mh_cmd_str(dict, "call-id", &id);

    if (!pl_isset(&id)) {
        mh_cmd_error(w, "No call-id in message");
        return;
    }

    call = mh_call_find(cmd->calls, &id);

    if (call == NULL) {
        mh_cmd_error(w, "Unknown call-id");
        return;
    }

    mh_query_call(w, call);
    ngx_ims_ng_write_key_word(w, "result", "ok");
}


static void
mh_cmd_list(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    int64_t          limit;
    struct le       *le;
    struct mh_call  *call;

    limit = ngx_ims_ng_get_int(dict, "limit", MH_CMD_LIST);

    ngx_ims_ng_write_key_word(w, "result", "ok");
    ngx_ims_ng_write_key_list(w, "calls");

    LIST_FOREACH(mh_calls_list(cmd->calls), le) {

        if (limit-- <= 0) {
            break;
        }

        call = le->data;
        ngx_ims_ng_write_word(w, call->id);
    }

    ngx_ims_ng_write_end(w);
}


static void
mh_cmd_statistics(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    (void) dict;

    ngx_ims_ng_write_key_word(w, "result", "ok");
    mh_query_statistics(w, cmd);
}


static void
mh_cmd_error(ngx_ims_ng_writer_t *w, const char *reason)
{
    ngx_ims_ng_write_key_word(w, "result", "error");
    ngx_ims_ng_write_key_word(w, "error-reason", reason);
}


static void
mh_cmd_str(const ngx_ims_ng_node_t *dict, const char *key, struct pl *pl)
{
    const ngx_ims_ng_node_t  *node;

    pl->p = NULL;
    pl->l = 0;

    node = ngx_ims_ng_get_str(dict, key);

    if (node != NULL && node->len) {
        pl->p = (const char *) node->data;
        pl->l = node->len;
    }
}


static bool
mh_cmd_holds(const struct pl *pl, const char *word)
{
    return memmem(pl->p, pl->l, word, strlen(word)) != NULL;
}


/* returns NULL, or the text for what is missing */

static const char *
mh_cmd_signal(const ngx_ims_ng_node_t *dict, struct mh_signal *sig)
{
    memset(sig, 0, sizeof(*sig));

    mh_cmd_str(dict, "sdp", &sig->sdp);
    mh_cmd_str(dict, "call-id", &sig->call_id);
    mh_cmd_str(dict, "from-tag", &sig->from_tag);
    mh_cmd_str(dict, "to-tag", &sig->to_tag);
    mh_cmd_str(dict, "via-branch", &sig->via_branch);
    mh_cmd_str(dict, "media-address", &sig->media_address);
    mh_cmd_str(dict, "label", &sig->label);

    if (!pl_isset(&sig->sdp)) {
        return "No SDP body in message";
    }

    if (!pl_isset(&sig->call_id)) {
        return "No call-id in message";
    }

    if (!pl_isset(&sig->from_tag)) {
        return "No from-tag in message";
    }

    if (sig->call_id.l > MH_CALL_ID || sig->from_tag.l > MH_CALL_ID
        || sig->to_tag.l > MH_CALL_ID || sig->via_branch.l > MH_CALL_ID)
    {
        return "Invalid NG data format";
    }

    mh_cmd_side(dict, sig);
    mh_cmd_flags(dict, sig);
    mh_cmd_sdes(dict, sig);
    mh_cmd_codecs(dict, sig);

    return NULL;
}


/* which leg the sender is, and what the other one wants */

static void
mh_cmd_side(const ngx_ims_ng_node_t *dict, struct mh_signal *sig)
{
    struct pl                 proto;
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *node;

    sig->from = -1;
    sig->feedback = true;

    mh_cmd_str(dict, "transport-protocol", &proto);

    if (pl_isset(&proto)) {

        if (mh_cmd_holds(&proto, "SAVP")) {
            sig->from = MH_SDP_IMS;
            sig->savp = !mh_cmd_holds(&proto, "TLS");

            if (sig->savp) {
                sig->avpf = mh_cmd_holds(&proto, "SAVPF");
                sig->feedback = sig->avpf;
            }

        } else if (mh_cmd_holds(&proto, "AVP")) {
            sig->from = MH_SDP_WEB;
            sig->avpf = mh_cmd_holds(&proto, "AVPF");
            sig->feedback = sig->avpf;
        }
    }

    node = ngx_ims_ng_get(dict, "ICE");

    if (sig->from == -1 && node != NULL) {

        if (ngx_ims_ng_is_nocase(node, "remove")) {
            sig->from = MH_SDP_WEB;

        } else if (ngx_ims_ng_is_nocase(node, "force")
                   || ngx_ims_ng_is_nocase(node, "force-relay"))
        {
            sig->from = MH_SDP_IMS;
        }
    }

    if (sig->from == -1 && ngx_ims_ng_has(dict, "flags", "WebRTC")) {
        sig->from = MH_SDP_IMS;
    }

    ngx_ims_ng_iter(&it, ngx_ims_ng_get(dict, "direction"));
    node = ngx_ims_ng_next(&it);

    if (ngx_ims_ng_is_nocase(node, "web")) {
        sig->from = MH_SDP_WEB;
        sig->certain = true;

    } else if (ngx_ims_ng_is_nocase(node, "ims")) {
        sig->from = MH_SDP_IMS;
        sig->certain = true;
    }
}


static void
mh_cmd_flags(const ngx_ims_ng_node_t *dict, struct mh_signal *sig)
{
    const ngx_ims_ng_node_t  *node;

    node = ngx_ims_ng_get(dict, "DTLS");

    if (node == NULL) {
        sig->active = false;

    } else if (node->type == NGX_IMS_NG_STRING) {
        sig->active = ngx_ims_ng_is_nocase(node, "active");

    } else {
        sig->active = ngx_ims_ng_has(dict, "DTLS", "active");
    }

    node = ngx_ims_ng_get(dict, "address-family");

    if (ngx_ims_ng_is_nocase(node, "IP4")
        || ngx_ims_ng_is_nocase(node, "inet"))
    {
        sig->af = AF_INET;

    } else if (ngx_ims_ng_is_nocase(node, "IP6")
               || ngx_ims_ng_is_nocase(node, "inet6"))
    {
        sig->af = AF_INET6;
    }

    sig->no_audio = ngx_ims_ng_has(dict, "sdp-media-remove", "audio");
    sig->no_video = ngx_ims_ng_has(dict, "sdp-media-remove", "video");

    sig->learn = ngx_ims_ng_has(dict, "flags", "port-latching")
                 || ngx_ims_ng_has(dict, "flags", "symmetric");
}


/*
 * rtpengine's list, and the same words among the flags.  The two suites with
 * a tag of 32 bits are taken, but offered only by "only-".
 */

static void
mh_cmd_sdes(const ngx_ims_ng_node_t *dict, struct mh_signal *sig)
{
    struct mh_cmd_sdes         sdes;
    ngx_ims_ng_iter_t          it;
    const ngx_ims_ng_node_t   *node;

    memset(&sdes, 0, sizeof(sdes));

    node = ngx_ims_ng_get(dict, "SDES");

    if (node != NULL && node->type == NGX_IMS_NG_STRING) {
        mh_cmd_sdes_word(node, "", &sdes);

    } else {
        ngx_ims_ng_iter(&it, node);

        while ((node = ngx_ims_ng_next(&it)) != NULL) {
            mh_cmd_sdes_word(node, "", &sdes);
        }
    }

    ngx_ims_ng_iter(&it, ngx_ims_ng_get(dict, "flags"));

    while ((node = ngx_ims_ng_next(&it)) != NULL) {
        mh_cmd_sdes_word(node, "SDES-", &sdes);
    }

    sig->no_sdes = sdes.off;
    sig->sdes_pad = sdes.pad;
    sig->suites = (sdes.only ? sdes.only : MH_SDES_ALL) & ~sdes.no;
    sig->sdes_offer = (sdes.only ? sdes.only : MH_SDES_OFFER) & ~sdes.no;
}


static void
mh_cmd_sdes_word(const ngx_ims_ng_node_t *node, const char *prefix,
    struct mh_cmd_sdes *sdes)
{
    struct pl  word;

    if (node->type != NGX_IMS_NG_STRING) {
        return;
    }

    word.p = (const char *) node->data;
    word.l = node->len;

    if (!mh_cmd_prefix(&word, prefix)) {
        return;
    }

    if (pl_strcasecmp(&word, "off") == 0 || pl_strcasecmp(&word, "no") == 0
        || pl_strcasecmp(&word, "disable") == 0)
    {
        sdes->off = true;

    } else if (pl_strcasecmp(&word, "pad") == 0) {
        sdes->pad = true;

    } else if (mh_cmd_prefix(&word, "only-")) {
        sdes->only |= mh_cmd_suite(&word);

    } else if (mh_cmd_prefix(&word, "no-")) {
        sdes->no |= mh_cmd_suite(&word);
    }
}


/* takes a prefix off; false if the word has another beginning */

static bool
mh_cmd_prefix(struct pl *word, const char *prefix)
{
    size_t  n;

    n = strlen(prefix);

    if (word->l < n || strncasecmp(word->p, prefix, n) != 0) {
        return false;
    }

    word->p += n;
    word->l -= n;

    return true;
}


static uint32_t
mh_cmd_suite(const struct pl *name)
{
    int  suite;

    suite = mh_sdes_find(name);

    return (suite == -1) ? 0 : 1u << suite;
}


static void
mh_cmd_codecs(const ngx_ims_ng_node_t *dict, struct mh_signal *sig)
{
    const ngx_ims_ng_node_t  *codec;

    codec = ngx_ims_ng_get(dict, "codec");

    if (codec == NULL || codec->type != NGX_IMS_NG_DICT) {
        return;
    }

    mh_cmd_rules(ngx_ims_ng_get(codec, "strip"), sig->strip, &sig->stripc);
    mh_cmd_rules(ngx_ims_ng_get(codec, "mask"), sig->strip, &sig->stripc);
    mh_cmd_rules(ngx_ims_ng_get(codec, "offer"), sig->offer, &sig->offerc);
    mh_cmd_rules(ngx_ims_ng_get(codec, "except"), sig->offer, &sig->offerc);
}


static void
mh_cmd_rules(const ngx_ims_ng_node_t *list, struct pl *rules, unsigned *n)
{
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *node;

    ngx_ims_ng_iter(&it, list);

    while ((node = ngx_ims_ng_next(&it)) != NULL) {

        if (node->type != NGX_IMS_NG_STRING
            || *n == MH_SDP_MAX_CODEC_RULES)
        {
            continue;
        }

        rules[*n].p = (const char *) node->data;
        rules[*n].l = node->len;
        (*n)++;
    }
}
