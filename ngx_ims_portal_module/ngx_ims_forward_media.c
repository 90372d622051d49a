/*
 * Copyright (C) the IMS portal authors
 *
 * What the media helper is told of a request and its answers, and who tells it
 * that the call is over: the request, or the record of its dialog.
 *
 * No timers.
 */


#include "ngx_ims_forward.h"


static ngx_uint_t ngx_ims_forward_plain(ngx_ims_forward_t *fw,
    ngx_ims_media_command_e command, ngx_str_t *sdp, ngx_uint_t to_web);
static void ngx_ims_forward_holds(ngx_ims_forward_t *fw);


void
ngx_ims_forward_drop_media(ngx_ims_forward_t *fw)
{
    if (fw->media) {
        fw->media = 0;

        if (fw->command != NULL) {
            fw->helper = ngx_ims_media_at(fw->command);
        }

        ngx_ims_call_media_delete(fw->worker, &fw->call_id,
                                  &fw->binding, fw->originated, fw->helper);
    }
}


ngx_uint_t
ngx_ims_forward_has_sdp(ngx_ims_sip_msg_t *m)
{
    ngx_ims_sip_hdr_t  *h;

    static const char  sdp[] = "application/sdp";

    if (m->body.len == 0 || m->first[NGX_IMS_HDR_CONTENT_ENCODING]) {
        return 0;
    }

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_CONTENT_TYPE);

    return h != NULL && h->value.len >= sizeof(sdp) - 1
           && ngx_strncasecmp(h->value.data, (u_char *) sdp, sizeof(sdp) - 1)
              == 0
           && (h->value.len == sizeof(sdp) - 1
               || ngx_strchr(" \t;", h->value.data[sizeof(sdp) - 1]) != NULL);
}


ngx_int_t
ngx_ims_forward_media(ngx_ims_forward_t *fw, ngx_ims_media_command_e command,
    ngx_str_t *sdp, ngx_ims_str_t *from_tag, ngx_ims_str_t *to_tag,
    ngx_uint_t to_web, ngx_ims_media_handler_pt handler)
{
    u_char               id[NGX_IMS_FORWARD_MAX_ID + 16];
    ngx_ims_media_cmd_t  cmd;

    if (fw->worker->media == NULL || fw->session == NULL
        || fw->command != NULL)
    {
        return NGX_ERROR;
    }

    if (fw->in_dialog
        && ngx_ims_dialog_media(fw->pool, &fw->dialog, -1, 0) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&cmd, sizeof(ngx_ims_media_cmd_t));

    cmd.command = command;
    cmd.from_tag = *from_tag;
    cmd.to_tag = *to_tag;
    cmd.sdp = *sdp;
    cmd.to_web = to_web;
    cmd.no_video = fw->session->grant->no_video;

    fw->plain = ngx_ims_forward_plain(fw, command, sdp, to_web);
    cmd.plain = fw->plain;

    cmd.helper = fw->helper;

    ngx_ims_call_media_id(&fw->call_id, &fw->binding,
                          fw->originated, id, &cmd.call_id);

    fw->command = ngx_ims_media_send(fw->worker->media, &cmd, handler, fw);

    if (fw->command == NULL) {
        return NGX_ERROR;
    }

    fw->refs++;
    fw->helper = cmd.helper;

    if (command == NGX_IMS_MEDIA_OFFER) {
        ngx_ims_forward_holds(fw);
    }

    if (to_web) {
        fw->session->down_busy = 1;

    } else {
        fw->session->up_busy = 1;
    }

    return NGX_OK;
}


/* where SRTP is only preferred: not against what the core has said */

static ngx_uint_t
ngx_ims_forward_plain(ngx_ims_forward_t *fw, ngx_ims_media_command_e command,
    ngx_str_t *sdp, ngx_uint_t to_web)
{
    ngx_str_t  rest, line;

    if (!ngx_ims_media_prefers(fw->worker->media)) {
        return 0;
    }

    if (fw->in_dialog) {
        return ngx_ims_dialog_plain(fw->pool, &fw->dialog);
    }

    if (command != NGX_IMS_MEDIA_OFFER) {
        return fw->plain;
    }

    if (!to_web) {

        /* an offer in an answer could not be refused and made again */

        return fw->plain || !fw->up;
    }

    rest = *sdp;

    while (ngx_ims_forward_media_line(&rest, &line) == NGX_OK) {

        if (ngx_strlcasestrn(line.data, line.data + line.len,
                             (u_char *) " RTP/SAVP", 9 - 1)
            != NULL)
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_ims_forward_media_line(ngx_str_t *sdp, ngx_str_t *line)
{
    u_char  *p, *last, *end;

    p = sdp->data;
    last = sdp->data + sdp->len;

    for ( /* void */ ; p != last; p = end) {

        end = ngx_strlchr(p, last, LF);
        end = end ? end + 1 : last;

        if (end - p > 2 && p[0] == 'm' && p[1] == '=') {
            line->data = p + 2;
            line->len = end - line->data;

            sdp->data = end;
            sdp->len = last - end;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


void
ngx_ims_forward_media_back(ngx_ims_forward_t *fw)
{
    ngx_int_t            helper;
    ngx_ims_forward_t   *invite;

    if (fw->command == NULL) {
        return;
    }

    helper = ngx_ims_media_at(fw->command);
    fw->command = NULL;

    if (helper == fw->helper) {
        return;
    }

    fw->helper = helper;

    if (!fw->in_dialog) {
        return;
    }

    /* the first SDP of a call came in an UPDATE: who holds it, see below */

    invite = fw->session ? ngx_ims_forward_invite(fw->session, &fw->call_id,
                                                  fw->originated)
                         : NULL;

    if (invite != NULL && !invite->answered) {
        invite->helper = helper;
        return;
    }

    if (ngx_ims_dialog_media(fw->pool, &fw->dialog, helper, 1) != NGX_OK) {

        /* the call is over, and another helper was told so */

        ngx_ims_call_media_delete(fw->worker, &fw->call_id, &fw->binding,
                                  fw->originated, helper);
    }
}


/*
 * The helper holds the call from now on: whoever ends it has to know.  The
 * first SDP of a call may come in an UPDATE.
 */

static void
ngx_ims_forward_holds(ngx_ims_forward_t *fw)
{
    ngx_ims_forward_t  *invite;

    invite = fw;

    if (fw->in_dialog) {
        invite = ngx_ims_forward_invite(fw->session, &fw->call_id,
                                        fw->originated);

        if (invite == NULL || invite->answered) {
            (void) ngx_ims_dialog_media(fw->pool, &fw->dialog, fw->helper, 1);
            return;
        }
    }

    invite->media = 1;
    invite->helper = fw->helper;
}


void
ngx_ims_forward_media_lost(ngx_ims_session_t *s, ngx_int_t helper)
{
    ngx_queue_t        *q, *next;
    ngx_ims_forward_t  *fw;

    for (q = ngx_queue_head(&s->requests);
         q != ngx_queue_sentinel(&s->requests);
         q = next)
    {
        next = ngx_queue_next(q);
        fw = ngx_queue_data(q, ngx_ims_forward_t, queue);

        if (fw->helper == helper) {
            (void) ngx_ims_forward_media_failed(fw, 503, NGX_IMS_REASON_MEDIA);
        }
    }
}


ngx_int_t
ngx_ims_forward_media_failed(ngx_ims_forward_t *fw, ngx_uint_t status,
    const char *reason)
{
    ngx_str_t  line;
    u_char     buf[256];

    /* a command that is under way fails by itself */

    if (!fw->initial || !fw->media || fw->answered || fw->command != NULL
        || fw->client == NULL)
    {
        return NGX_DECLINED;
    }

    line.data = buf;
    line.len = ngx_slprintf(buf, buf + 128, "Reason: %s" CRLF, reason) - buf;

    fw->canceled = 1;
    ngx_ims_txn_cancel(fw->client, &line);

    *ngx_slprintf(buf, buf + sizeof(buf) - 1, "%sReason: %s" CRLF,
                  status == 503 ? "Retry-After: 5" CRLF : "", reason)
        = '\0';

    ngx_ims_forward_local(fw, status, (char *) buf);

    return NGX_OK;
}
