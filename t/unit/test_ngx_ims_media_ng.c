/*
 * Copyright (C) the IMS portal authors
 *
 * The media client's commands, byte by byte as they leave, and the replies it
 * takes, cut everywhere.
 */


#include "tap.h"

#include "ngx_ims_media_ng.h"


static ngx_log_t          log_standin;
static ngx_ims_ng_node_t  nodes[NGX_IMS_MEDIA_NODES];


static void
set(ngx_str_t *s, const char *text)
{
    s->data = (u_char *) text;
    s->len = strlen(text);
}


static void
composed(ngx_ims_media_cmd_t *cmd, const char *expected, const char *name)
{
    size_t      len;
    u_char     *p;
    ngx_str_t   cookie = ngx_string("ab_1");

    p = ngx_ims_media_compose(cmd, &cookie, &len, &log_standin);

    if (ok(p != NULL, "%s fits", name)) {
        is_str(p, len, expected, name);
        ngx_free(p);
    }
}


static void
test_compose(void)
{
    size_t               len;
    ngx_str_t            cookie = ngx_string("ab_1");
    ngx_ims_media_cmd_t  cmd;

    memset(&cmd, 0, sizeof(cmd));

    cmd.command = NGX_IMS_MEDIA_PING;
    composed(&cmd, "ab_1 d7:command4:ping11:ended sincei0ee", "ping");

    cmd.command = NGX_IMS_MEDIA_DELETE;
    set(&cmd.call_id, "c");
    composed(&cmd, "ab_1 d7:command6:delete7:call-id1:c12:delete-delayi0e"
             "5:flagsl4:fastee", "delete of a whole call");

    cmd.figures = 1;
    composed(&cmd, "ab_1 d7:command6:delete7:call-id1:c12:delete-delayi0ee",
             "delete that asks for figures");

    cmd.command = NGX_IMS_MEDIA_OFFER;
    set(&cmd.from_tag, "f");
    set(&cmd.via_branch, "z9");
    set(&cmd.sdp, "v=0\r\n");
    composed(&cmd, "ab_1 d7:command5:offer7:call-id1:c8:from-tag1:f"
             "10:via-branch2:z93:sdp5:v=0\r\n"
             "8:supportsl10:load limite4:SDESl3:offe"
             "18:transport-protocol7:RTP/AVP3:ICE6:remove"
             "8:ICE-lite8:backward4:DTLS3:off"
             "7:replacel6:origin12:zero-addresse"
             "5:flagsl17:original-sendrecve8:rtcp-muxl5:demuxe"
             "9:directionl3:web3:imsee", "offer of a browser");

    cmd.srtp = 1;
    composed(&cmd, "ab_1 d7:command5:offer7:call-id1:c8:from-tag1:f"
             "10:via-branch2:z93:sdp5:v=0\r\n"
             "8:supportsl10:load limite"
             "18:transport-protocol8:RTP/SAVP3:ICE6:remove"
             "8:ICE-lite8:backward4:DTLS3:off"
             "7:replacel6:origin12:zero-addresse"
             "5:flagsl17:original-sendrecve8:rtcp-muxl5:demuxe"
             "9:directionl3:web3:imsee", "offer of a browser, to be SRTP");

    cmd.command = NGX_IMS_MEDIA_ANSWER;
    cmd.via_branch.len = 0;
    cmd.to_web = 1;
    set(&cmd.to_tag, "t");
    composed(&cmd, "ab_1 d7:command6:answer7:call-id1:c8:from-tag1:f"
             "6:to-tag1:t3:sdp5:v=0\r\n"
             "8:supportsl10:load limite4:SDESl3:offe"
             "18:transport-protocol17:UDP/TLS/RTP/SAVPF3:ICE5:force"
             "8:ICE-lite7:forward"
             "4:DTLS7:passive7:replacel6:origine"
             "8:rtcp-muxl5:offer7:requiree"
             "5:flagsl13:trust-address12:generate-mide"
             "9:directionl3:ims3:webee", "answer to a browser");

    standin_fail_after = 0;
    ok(ngx_ims_media_compose(&cmd, &cookie, &len, &log_standin) == NULL,
       "no memory");
    standin_fail_after = -1;
}


static void
reply(const char *text, ngx_int_t rc, const char *sdp, const char *reason)
{
    size_t                  i, n, len, used, more;
    u_char                 *p;
    ngx_int_t               r;
    ngx_str_t               cookie;
    ngx_ims_media_reply_t   out;

    len = strlen(text);
    p = guarded_copy(text, len);

    memset(&out, 0, sizeof(out));
    used = 0;

    is_int(ngx_ims_media_read_reply(p, len, nodes, &cookie, &out, &used),
           NGX_OK, text);
    is_int(out.rc, rc, "its outcome");
    is_int(used, len, "all of it");
    is_str(cookie.data, cookie.len, "ab_1", "cookie");
    is_str(out.sdp.data, out.sdp.len, sdp, "sdp");
    is_str(out.reason.data, out.reason.len, reason, "reason");

    guarded_free(p, len);

    more = 0;

    for (i = 1; i < len; i++) {
        p = guarded_copy(text, i);
        r = ngx_ims_media_read_reply(p, i, nodes, &cookie, &out, &n);
        more += (r == NGX_AGAIN);
        guarded_free(p, i);
    }

    is_int(more, len - 1, "cut anywhere, it is incomplete");
}


static void
invalid(const char *text)
{
    size_t                  used;
    ngx_str_t               cookie;
    ngx_ims_media_reply_t   out;

    is_int(ngx_ims_media_read_reply((u_char *) text, strlen(text), nodes,
                                    &cookie, &out, &used),
           NGX_ERROR, text);
}


static void
test_read(void)
{
    reply("ab_1 d6:result4:ponge", NGX_OK, "", "");
    reply("ab_1 d3:sdp5:v=0\r\n6:result2:oke", NGX_OK, "v=0\r\n", "");
    reply("ab_1 d6:result2:ok7:warning3:hume", NGX_OK, "", "hum");
    reply("ab_1 d6:result5:error12:error-reason15:Unknown call-ide",
          NGX_DECLINED, "", "Unknown call-id");
    reply("ab_1 d6:result5:error12:error-reason16:Ran out of portse",
          NGX_BUSY, "", "Ran out of ports");
    reply("ab_1 d6:result5:error12:error-reason"
          "30:Parallel session limit reachede",
          NGX_BUSY, "", "Parallel session limit reached");
    reply("ab_1 d6:result10:load limit7:message4:fulle", NGX_BUSY, "",
          "full");
    reply("ab_1 d6:result5:error3:sdp3:abce", NGX_DECLINED, "", "");
    reply("ab_1 de", NGX_DECLINED, "", "");

    invalid("ab_1 {\"result\":\"ok\"}");
    invalid("ab_1 4:spam");
    invalid("ab_1 l4:spame");
    invalid("\r\n d6:result2:oke");
}


static void
figures(const char *ssrc, const char *expected, const char *name)
{
    int                     n;
    char                    text[1024];
    size_t                  used;
    u_char                  out[NGX_IMS_MEDIA_FIGURES];
    ngx_str_t               cookie;
    ngx_ims_media_reply_t   r;

    n = snprintf(text, sizeof(text), "c d6:result2:ok%se", ssrc);

    is_int(ngx_ims_media_read_reply((u_char *) text, (size_t) n, nodes,
                                    &cookie, &r, &used),
           NGX_OK, name);
    used = ngx_ims_media_figures(r.ssrc, out);
    is_str(out, used, expected, name);
}


static void
test_figures(void)
{
    figures("", "", "a reply without figures");
    figures("4:SSRCde", "", "without sources");
    figures("4:SSRC3:all", "", "of another kind");
    figures("4:SSRCd1:1i7ee", "", "a source that is none");

    figures("4:SSRCd3:111d5:bytesi9e7:packetsi100e15:cumulative lossi2e"
            "6:jitteri3e11:average MOSd3:MOSi43e6:jitteri9ee"
            "10:lowest MOSd3:MOSi40eee"
            "3:222d7:packetsi50e15:cumulative lossi0e6:jitteri1e"
            "11:average MOSd3:MOSi44ee10:lowest MOSd3:MOSi41eeee",
            ", MOS 4.3, lowest 4.0, packets lost 2, received 150, "
            "jitter 3 ms",
            "both sides: the worse, and all packets");

    figures("4:SSRCd3:111d7:packetsi10e15:cumulative lossi0e6:jitteri0eee",
            ", packets lost 0, received 10, jitter 0 ms", "a short call");

    figures("4:SSRCd3:111d15:cumulative lossi-5e11:average MOSd3:MOSi9e"
            "6:jitteri4eeee", ", MOS 0.9, jitter 4 ms",
            "as another helper has it");

    figures("4:SSRCd3:111d7:packetsi9223372036854775807e"
            "15:cumulative lossi9223372036854775807e"
            "6:jitteri9223372036854775807e11:average MOS"
            "d3:MOSi9223372036854775807ee10:lowest MOS"
            "d3:MOSi9223372036854775807eeee",
            ", MOS 214748364.7, lowest 214748364.7, packets lost 2147483647, "
            "received 2147483647, jitter 2147483647 ms",
            "the largest there are");
}


static void
without(const char *text, const char *expected, const char *name)
{
    size_t      len;
    u_char     *p, *out;
    ngx_str_t   sdp;

    len = strlen(text);
    p = guarded_copy(text, len);
    out = guarded_copy(text, len);

    sdp.data = p;
    sdp.len = len;

    len = ngx_ims_media_no_video(&sdp, out);
    is_str(out, len, expected, name);

    guarded_free(p, sdp.len);
    guarded_free(out, sdp.len);
}


static void
test_no_video(void)
{
    without("v=0\r\nm=audio 9 RTP/AVP 8\r\na=mid:0\r\n"
            "m=video 9 RTP/AVP 99\r\na=mid:1\r\nm=audio 7 RTP/AVP 0\r\n",
            "v=0\r\nm=audio 9 RTP/AVP 8\r\na=mid:0\r\n"
            "m=video 0 RTP/AVP 99\r\na=mid:1\r\nm=audio 7 RTP/AVP 0\r\n",
            "video is refused");
    without("m=audio 0 A 8\na=bundle-only\nm=video 0 A 9\na=bundle-only\n"
            "a=mid:1", "m=audio 0 A 8\na=bundle-only\nm=video 0 A 9\na=mid:1",
            "bundle-only, too");
    without("m=video 4000/2 A 9", "m=video 0 A 9", "two ports, no line's end");
    without("m=audio 9 A 8\r\n", "m=audio 9 A 8\r\n", "none is there");
    without("m=video 9\r\nm=video \r\nm=video\r\nm=video  9 A 1\r\n",
            "m=video 9\r\nm=video \r\nm=video\r\nm=video  9 A 1\r\n",
            "what is no m-line");
    without("", "", "nothing at all");
}


int
main(void)
{
    test_no_video();
    test_compose();
    test_read();
    test_figures();

    is_int(standin_blocks, 0, "nothing leaks");
    is_int(log_standin.alerts, 0, "no alert");

    return done_testing();
}
