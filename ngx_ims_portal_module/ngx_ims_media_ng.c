/*
 * Copyright (C) the IMS portal authors
 *
 * The ng commands that the portal gives and the replies it understands, on top
 * of the codec in ngx_ims_ng.c.  The words are those of rtpengine, so that it
 * can stand in for the helper.
 */


#include "ngx_ims_media_ng.h"


enum {
    NGX_IMS_MEDIA_HEAD = 1024            /* bytes beside the strings */
};


static void ngx_ims_media_compose_call(ngx_ims_ng_writer_t *w,
    ngx_ims_media_cmd_t *cmd);
static void ngx_ims_media_compose_sdp(ngx_ims_ng_writer_t *w,
    ngx_ims_media_cmd_t *cmd);
static void ngx_ims_media_compose_words(ngx_ims_ng_writer_t *w, char *key,
    char *word, ...);
static ngx_int_t ngx_ims_media_result(ngx_ims_ng_node_t *dict,
    ngx_str_t *sdp, ngx_str_t *reason);
static int64_t ngx_ims_media_figure(const ngx_ims_ng_node_t *dict,
    const char *key);
static void ngx_ims_media_state_of(ngx_ims_ng_node_t *dict,
    ngx_str_t *reason);
static void ngx_ims_media_span(const ngx_ims_ng_node_t *node, ngx_str_t *s);


static char  *ngx_ims_media_commands[] = {
    NULL,
    "offer",
    "answer",
    "delete",
    "ping",
    "query"
};


u_char *
ngx_ims_media_compose(ngx_ims_media_cmd_t *cmd, ngx_str_t *cookie,
    size_t *len, ngx_log_t *log)
{
    size_t                size;
    u_char               *buf;
    ngx_ims_ng_writer_t   w;

    size = NGX_IMS_MEDIA_HEAD + cookie->len + cmd->call_id.len
           + cmd->from_tag.len + cmd->to_tag.len + cmd->via_branch.len
           + cmd->sdp.len;

    buf = ngx_alloc(size, log);
    if (buf == NULL) {
        return NULL;
    }

    ngx_ims_ng_write_init(&w, buf, size);
    ngx_ims_ng_write_raw(&w, cookie->data, cookie->len);
    ngx_ims_ng_write_raw(&w, " ", 1);

    ngx_ims_ng_write_dict(&w);
    ngx_ims_ng_write_key_word(&w, "command",
                              ngx_ims_media_commands[cmd->command]);

    if (cmd->command != NGX_IMS_MEDIA_PING) {
        ngx_ims_media_compose_call(&w, cmd);

    } else {
        ngx_ims_ng_write_key_int(&w, "ended since", cmd->since);
    }

    if (cmd->command == NGX_IMS_MEDIA_OFFER
        || cmd->command == NGX_IMS_MEDIA_ANSWER)
    {
        ngx_ims_media_compose_sdp(&w, cmd);
    }

    if (cmd->command == NGX_IMS_MEDIA_DELETE) {

        /* ports are wanted back at once */

        ngx_ims_ng_write_key_int(&w, "delete-delay", 0);

        if (!cmd->figures) {
            ngx_ims_media_compose_words(&w, "flags", "fast", NULL);
        }
    }

    ngx_ims_ng_write_end(&w);

    *len = ngx_ims_ng_write_done(&w);

    if (*len == 0) {
        ngx_log_error(NGX_LOG_ALERT, log, 0, "ng command does not fit");
        ngx_free(buf);
        return NULL;
    }

    return buf;
}


static void
ngx_ims_media_compose_call(ngx_ims_ng_writer_t *w, ngx_ims_media_cmd_t *cmd)
{
    ngx_ims_ng_write_key_str(w, "call-id", cmd->call_id.data,
                             cmd->call_id.len);

    /* a delete without tags ends the whole call */

    if (cmd->from_tag.len) {
        ngx_ims_ng_write_key_str(w, "from-tag", cmd->from_tag.data,
                                 cmd->from_tag.len);
    }

    if (cmd->to_tag.len) {
        ngx_ims_ng_write_key_str(w, "to-tag", cmd->to_tag.data,
                                 cmd->to_tag.len);
    }

    if (cmd->via_branch.len) {
        ngx_ims_ng_write_key_str(w, "via-branch", cmd->via_branch.data,
                                 cmd->via_branch.len);
    }
}


static void
ngx_ims_media_compose_sdp(ngx_ims_ng_writer_t *w, ngx_ims_media_cmd_t *cmd)
{
    ngx_ims_ng_write_key_str(w, "sdp", cmd->sdp.data, cmd->sdp.len);

    ngx_ims_media_compose_words(w, "supports", "load limit", NULL);

    if (cmd->to_web || !cmd->srtp) {
        ngx_ims_media_compose_words(w, "SDES", "off", NULL);
    }

    if (cmd->no_video) {
        ngx_ims_media_compose_words(w, "sdp-media-remove", "video", NULL);
    }

    if (cmd->to_web) {
        ngx_ims_ng_write_key_word(w, "transport-protocol",
                                  "UDP/TLS/RTP/SAVPF");
        ngx_ims_ng_write_key_word(w, "ICE", "force");
        ngx_ims_ng_write_key_word(w, "ICE-lite", "forward");
        ngx_ims_ng_write_key_word(w, "DTLS", "passive");

        ngx_ims_media_compose_words(w, "replace", "origin", NULL);
        ngx_ims_media_compose_words(w, "rtcp-mux", "offer", "require", NULL);
        ngx_ims_media_compose_words(w, "flags", "trust-address",
                                    "generate-mid", NULL);
        ngx_ims_media_compose_words(w, "direction", "ims", "web", NULL);
        return;
    }

    /* an answer has the profile of its offer, whatever this says */

    ngx_ims_ng_write_key_word(w, "transport-protocol",
                              cmd->srtp ? "RTP/SAVP" : "RTP/AVP");
    ngx_ims_ng_write_key_word(w, "ICE", "remove");
    ngx_ims_ng_write_key_word(w, "ICE-lite", "backward");
    ngx_ims_ng_write_key_word(w, "DTLS", "off");

    /*
     * A browser without a default candidate writes 0.0.0.0, which means hold
     * to rtpengine unless it is told otherwise (RFC 8829 5.2.1).
     */

    ngx_ims_media_compose_words(w, "replace", "origin", "zero-address", NULL);
    ngx_ims_media_compose_words(w, "flags", "original-sendrecv", NULL);
    ngx_ims_media_compose_words(w, "rtcp-mux", "demux", NULL);
    ngx_ims_media_compose_words(w, "direction", "web", "ims", NULL);
}


/* a list of words under a key; NULL ends them */

static void
ngx_ims_media_compose_words(ngx_ims_ng_writer_t *w, char *key, char *word, ...)
{
    va_list  args;

    ngx_ims_ng_write_key_list(w, key);

    va_start(args, word);

    for ( /* void */ ; word != NULL; word = va_arg(args, char *)) {
        ngx_ims_ng_write_word(w, word);
    }

    va_end(args);

    ngx_ims_ng_write_end(w);
}


ngx_int_t
ngx_ims_media_read_reply(u_char *p, size_t len, ngx_ims_ng_node_t *nodes,
    ngx_str_t *cookie, ngx_ims_media_reply_t *reply, size_t *used)
{
    size_t  cookie_len, body, n;

    switch (ngx_ims_ng_split(p, len, &cookie_len, &body)) {

    case NGX_IMS_NG_OK:
        break;

    case NGX_IMS_NG_AGAIN:
        return NGX_AGAIN;

    default:
        return NGX_ERROR;
    }

    switch (ngx_ims_ng_parse(p + body, len - body, nodes,
                             NGX_IMS_MEDIA_NODES, &n))
    {
    case NGX_IMS_NG_OK:
        break;

    case NGX_IMS_NG_AGAIN:
        return NGX_AGAIN;

    default:
        return NGX_ERROR;
    }

    if (nodes[0].type != NGX_IMS_NG_DICT) {
        return NGX_ERROR;
    }

    *used = body + n;

    cookie->data = p;
    cookie->len = cookie_len;

    reply->rc = ngx_ims_media_result(nodes, &reply->sdp, &reply->reason);

    if (reply->rc == NGX_OK) {
        ngx_ims_media_state_of(nodes, &reply->reason);
    }

    reply->pong = ngx_ims_ng_is(ngx_ims_ng_get_str(nodes, "result"), "pong");
    reply->started = ngx_ims_ng_get_int(nodes, "started", 0);
    reply->ended_seq = ngx_ims_ng_get_int(nodes, "ended seq", 0);
    reply->ended_lost = (ngx_ims_ng_get_int(nodes, "lost", 0) != 0);
    reply->ssrc = ngx_ims_ng_get(nodes, "SSRC");
    reply->ended = ngx_ims_ng_get(nodes, "ended");

    if (reply->ended != NULL && reply->ended->type != NGX_IMS_NG_LIST) {
        reply->ended = NULL;
    }

    return NGX_OK;
}


size_t
ngx_ims_media_figures(const ngx_ims_ng_node_t *ssrc, u_char *buf)
{
    u_char                   *p, *last;
    int64_t                   n, mos, lowest, lost, packets, jitter;
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *one, *key, *average;

    mos = lowest = lost = packets = jitter = -1;

    ngx_ims_ng_iter(&it, ssrc);

    while ((one = ngx_ims_ng_next_pair(&it, &key)) != NULL) {

        average = ngx_ims_ng_get(one, "average MOS");

        n = ngx_ims_media_figure(average, "MOS");
        mos = (n >= 0 && (mos < 0 || n < mos)) ? n : mos;

        n = ngx_ims_media_figure(ngx_ims_ng_get(one, "lowest MOS"), "MOS");
        lowest = (n >= 0 && (lowest < 0 || n < lowest)) ? n : lowest;

        n = ngx_ims_media_figure(one, "jitter");
        jitter = ngx_max(jitter, n);

        if (n < 0) {
            n = ngx_ims_media_figure(average, "jitter");
            jitter = ngx_max(jitter, n);
        }

        n = ngx_ims_media_figure(one, "cumulative loss");
        lost = (n >= 0) ? ngx_max(lost, 0) + n : lost;

        n = ngx_ims_media_figure(one, "packets");
        packets = (n >= 0) ? ngx_max(packets, 0) + n : packets;
    }

    p = buf;
    last = buf + NGX_IMS_MEDIA_FIGURES;

    if (mos >= 0) {
        p = ngx_slprintf(p, last, ", MOS %L.%L", mos / 10, mos % 10);
    }

    if (lowest >= 0) {
        p = ngx_slprintf(p, last, ", lowest %L.%L", lowest / 10, lowest % 10);
    }

    if (lost >= 0) {
        p = ngx_slprintf(p, last, ", packets lost %L", lost);
    }

    if (packets >= 0) {
        p = ngx_slprintf(p, last, ", received %L", packets);
    }

    if (jitter >= 0) {
        p = ngx_slprintf(p, last, ", jitter %L ms", jitter);
    }

    return p - buf;
}


/* 31 bits, so that sums fit; -1: there is none */

static int64_t
ngx_ims_media_figure(const ngx_ims_ng_node_t *dict, const char *key)
{
    int64_t  n;

    n = ngx_ims_ng_get_int(dict, key, -1);

    return (n < 0) ? -1 : ngx_min(n, 0x7fffffff);
}


/* of a query: why its browser has no media */

static void
ngx_ims_media_state_of(ngx_ims_ng_node_t *dict, ngx_str_t *reason)
{
    const ngx_ims_ng_node_t  *web;

    web = ngx_ims_ng_get(dict, "web");

    if (ngx_ims_ng_is(ngx_ims_ng_get_str(web, "state"), "failed")) {
        ngx_str_set(reason, "dtls failed");

    } else if (ngx_ims_ng_get_int(web, "media lost", 0)) {
        ngx_str_set(reason, "media lost");
    }
}


static ngx_int_t
ngx_ims_media_result(ngx_ims_ng_node_t *dict, ngx_str_t *sdp,
    ngx_str_t *reason)
{
    const ngx_ims_ng_node_t  *result, *why;

    ngx_str_null(reason);

    ngx_ims_media_span(ngx_ims_ng_get_str(dict, "sdp"), sdp);

    result = ngx_ims_ng_get_str(dict, "result");

    if (ngx_ims_ng_is(result, "ok") || ngx_ims_ng_is(result, "pong")) {
        ngx_ims_media_span(ngx_ims_ng_get_str(dict, "warning"), reason);
        return NGX_OK;
    }

    ngx_str_null(sdp);

    if (ngx_ims_ng_is(result, "load limit")) {
        ngx_ims_media_span(ngx_ims_ng_get_str(dict, "message"), reason);
        return NGX_BUSY;
    }

    why = ngx_ims_ng_get_str(dict, "error-reason");
    ngx_ims_media_span(why, reason);

    /* the two texts that mean "try another" to every client of ng */

    if (ngx_ims_ng_is_nocase(why, "Parallel session limit reached")
        || ngx_ims_ng_is_nocase(why, "Ran out of ports"))
    {
        return NGX_BUSY;
    }

    return NGX_DECLINED;
}


static void
ngx_ims_media_span(const ngx_ims_ng_node_t *node, ngx_str_t *s)
{
    if (node == NULL) {
        ngx_str_null(s);
        return;
    }

    s->data = (u_char *) node->data;
    s->len = node->len;
}
