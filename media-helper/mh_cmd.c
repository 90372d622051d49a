
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
#include "mh_cmd_keys.h"
#include "mh_log.h"


enum {
    MH_CMD_LIST = 32            /* calls that "list" names by default */
};


typedef void (mh_cmd_run_h)(struct mh_cmd *cmd,
    const ngx_ims_ng_node_t *dict, ngx_ims_ng_writer_t *w);


struct mh_cmd_entry {
    const char    *name;
    mh_cmd_run_h  *run;
    unsigned       what;        /* enum mh_call_block, else 0 */
    bool           on;
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
static void mh_cmd_sdp(ngx_ims_ng_writer_t *w, const struct mh_signal *sig,
    const struct pl *out);
static void mh_cmd_block(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w, const struct mh_cmd_entry *entry);
static void mh_cmd_play(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w);
static struct mh_call *mh_cmd_call(struct mh_cmd *cmd,
    const ngx_ims_ng_node_t *dict, struct mh_signal *sig,
    ngx_ims_ng_writer_t *w);
static void mh_cmd_error(ngx_ims_ng_writer_t *w, const char *reason);
static bool mh_cmd_name(const struct pl *pl);
static const char *mh_cmd_signal(const ngx_ims_ng_node_t *dict,
    struct mh_signal *sig);


static const struct mh_cmd_entry  mh_cmd_table[] = {
    { "ping", mh_cmd_ping, 0, false },
    { "offer", mh_cmd_offer, 0, false },
    { "answer", mh_cmd_answer, 0, false },
    { "delete", mh_cmd_delete, 0, false },
    { "query", mh_cmd_query, 0, false },
    { "list", mh_cmd_list, 0, false },
    { "statistics", mh_cmd_statistics, 0, false },
    { "block media", NULL, MH_CALL_BLOCK_MEDIA, true },
    { "unblock media", NULL, MH_CALL_BLOCK_MEDIA, false },
    { "silence media", NULL, MH_CALL_BLOCK_AUDIO, true },
    { "unsilence media", NULL, MH_CALL_BLOCK_AUDIO, false },
    { "block DTMF", NULL, MH_CALL_BLOCK_DTMF, true },
    { "unblock DTMF", NULL, MH_CALL_BLOCK_DTMF, false },
    { "play DTMF", mh_cmd_play, 0, false },
    { NULL, NULL, 0, false }
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
        if (ngx_ims_ng_is_nocase(name, entry->name)) {
            break;
        }
    }

    if (entry->name == NULL) {
        mh_cmd_error(w, "Unrecognized command");

    } else if (entry->run != NULL) {
        entry->run(cmd, dict, w);

    } else {
        mh_cmd_block(cmd, dict, w, entry);
    }

    ngx_ims_ng_write_end(w);
}


static void
mh_cmd_ping(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    /* who does not ask for more gets rtpengine's reply to the letter */

    mh_cmd_ended(cmd, dict, w);
    ngx_ims_ng_write_key_word(w, "result", "pong");
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

    /* a client sees by it that this is another process */

    ngx_ims_ng_write_key_int(w, "started", cmd->started);

    if (part.lost) {
        ngx_ims_ng_write_key_int(w, "lost", 1);
    }
}


static void
mh_cmd_offer(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    int                err;
    struct pl          out;
    const char        *reason;
    struct mh_signal   sig;

    reason = mh_cmd_signal(dict, &sig);

    /* a fragment of trickle ICE: a lite agent has no use for candidates */

    if (reason == NULL && sig.fragment) {

        if (mh_call_find(cmd->calls, &sig.call_id) != NULL) {
            ngx_ims_ng_write_key_word(w, "result", "ok");
            return;
        }

        reason = "Unknown call-id";
    }

    err = 0;

    if (reason == NULL) {
        err = mh_call_offer(cmd->calls, &sig, &out, &reason);

        if (err == 0) {
            mh_cmd_sdp(w, &sig, &out);
            return;
        }
    }

    /* a client that knows this result tries elsewhere */

    if (err == EUSERS && sig.load_limit) {
        ngx_ims_ng_write_key_word(w, "result", "load limit");
        ngx_ims_ng_write_key_word(w, "message", reason);
        return;
    }

    mh_cmd_error(w, reason);
}


static void
mh_cmd_sdp(ngx_ims_ng_writer_t *w, const struct mh_signal *sig,
    const struct pl *out)
{
    ngx_ims_ng_write_key_str(w, "sdp", out->p, out->l);
    ngx_ims_ng_write_key_word(w, "result", "ok");

    if (sig->warning != NULL) {
        ngx_ims_ng_write_key_word(w, "warning", sig->warning);
    }
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
        mh_cmd_sdp(w, &sig, &out);
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

    mh_cmd_keys(dict, &sig);

    if (!pl_isset(&sig.call_id)) {
        mh_cmd_error(w, "No call-id in message");
        return;
    }

    call = mh_call_delete(cmd->calls, &sig, &kept);

    if (call == NULL && !kept) {

        if (sig.fatal) {
            mh_cmd_error(w, unknown);
            return;
        }

        ngx_ims_ng_write_key_word(w, "warning", unknown);
    }

    if (call != NULL) {

        if (!sig.fast) {
            mh_query_call(w, call, NULL);
        }

        mh_call_end(call, sig.delete_delay);
    }

    ngx_ims_ng_write_key_word(w, "result", "ok");
}


static void
mh_cmd_query(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    struct mh_call    *call;
    struct mh_signal   sig;

    call = mh_cmd_call(cmd, dict, &sig, w);

    if (call == NULL) {
        return;
    }

    mh_query_call(w, call, &sig);
    ngx_ims_ng_write_key_word(w, "result", "ok");
}


static void
mh_cmd_list(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    int                limit;
    struct le         *le;
    struct mh_call    *call;
    struct mh_signal   sig;

    mh_cmd_keys(dict, &sig);

    limit = (sig.limit == -1) ? MH_CMD_LIST : sig.limit;

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


/* media of one side, told by its tag or label, or of both */

static void
mh_cmd_block(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w, const struct mh_cmd_entry *entry)
{
    struct mh_call    *call;
    struct mh_signal   sig;

    call = mh_cmd_call(cmd, dict, &sig, w);

    if (call == NULL) {
        return;
    }

    if (mh_call_block(call, &sig, entry->what, entry->on) != 0) {
        mh_cmd_error(w, "From-tag given, but no such tag exists");
        return;
    }

    ngx_ims_ng_write_key_word(w, "result", "ok");
}


/* a tone into the audio of one side, or of both */

static void
mh_cmd_play(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w)
{
    const char        *reason;
    struct mh_call    *call;
    struct mh_signal   sig;

    call = mh_cmd_call(cmd, dict, &sig, w);

    if (call == NULL) {
        return;
    }

    if (!sig.all && !pl_isset(&sig.from_tag) && !pl_isset(&sig.label)) {
        mh_cmd_error(w, "No participant party specified");
        return;
    }

    if (sig.tone.code > 15) {
        mh_cmd_error(w, "Out of range 'code' specified");
        return;
    }

    if (mh_call_play(call, &sig, &reason) != 0) {
        mh_cmd_error(w, reason);
        return;
    }

    ngx_ims_ng_write_key_word(w, "result", "ok");
}


/* the call that a command names; NULL: an error was written */

static struct mh_call *
mh_cmd_call(struct mh_cmd *cmd, const ngx_ims_ng_node_t *dict,
    struct mh_signal *sig, ngx_ims_ng_writer_t *w)
{
    struct mh_call  *call;

    mh_cmd_keys(dict, sig);

    if (!pl_isset(&sig->call_id)) {
        mh_cmd_error(w, "No call-id in message");
        return NULL;
    }

    call = mh_call_find(cmd->calls, &sig->call_id);

    if (call == NULL) {
        mh_cmd_error(w, "Unknown call-id");
    }

    return call;
}


static void
mh_cmd_error(ngx_ims_ng_writer_t *w, const char *reason)
{
    ngx_ims_ng_write_key_word(w, "result", "error");
    ngx_ims_ng_write_key_word(w, "error-reason", reason);
}


/* returns NULL, or the text for what is missing */

static const char *
mh_cmd_signal(const ngx_ims_ng_node_t *dict, struct mh_signal *sig)
{
    mh_cmd_keys(dict, sig);

    if (!pl_isset(&sig->sdp)) {
        return "No SDP body in message";
    }

    if (!pl_isset(&sig->call_id)) {
        return "No call-id in message";
    }

    if (!pl_isset(&sig->from_tag)) {
        return "No from-tag in message";
    }

    if (!mh_cmd_name(&sig->call_id) || !mh_cmd_name(&sig->from_tag)
        || !mh_cmd_name(&sig->to_tag) || !mh_cmd_name(&sig->via_branch)
        || !mh_cmd_name(&sig->label))
    {
        return "Invalid NG data format";
    }

    return NULL;
}


/* SIP's are text: what is kept of one ends with NUL, and must be all of it */

static bool
mh_cmd_name(const struct pl *pl)
{
    return pl->l <= MH_CALL_ID
           && (pl->l == 0 || memchr(pl->p, '\0', pl->l) == NULL);
}
