/*
 * Copyright (C) the IMS portal authors
 *
 * What a browser's descriptions look like, and what it takes from those of
 * the other side; see browser.h.
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "browser.h"


static unsigned
port_of(const struct sockaddr_storage *ss)
{
    return ntohs(ss->ss_family == AF_INET6
                 ? ((const struct sockaddr_in6 *) ss)->sin6_port
                 : ((const struct sockaddr_in *) ss)->sin_port);
}


/* what the browser bundles: "a=group:BUNDLE 0 1" and its line end, or "" */

static void
group_line(const struct browser *b, char *line, size_t size)
{
    if (b->group == GROUP_NONE) {
        line[0] = '\0';
        return;
    }

    (void) snprintf(line, size, "a=group:BUNDLE%s%s%s\r\n",
                    b->no_audio ? "" : " ", b->no_audio ? "" : b->mid,
                    b->video && b->group == GROUP_ALL ? " 1" : "");
}


/* what Chromium says of each of the formats; returns the bytes */

static size_t
format_lines(char *sdp, size_t size, const char *formats)
{
    size_t       i, n, len;
    const char  *p;

    static const struct {
        const char  *pt;
        const char  *lines;
    } known[] = {
        { "111", "a=rtpmap:111 opus/48000/2\r\n"
                 "a=rtcp-fb:111 transport-cc\r\n"
                 "a=fmtp:111 minptime=10;useinbandfec=1\r\n" },
        { "0", "a=rtpmap:0 PCMU/8000\r\n" },
        { "8", "a=rtpmap:8 PCMA/8000\r\n" },
        { "126", "a=rtpmap:126 telephone-event/8000\r\n" }
    };

    n = 0;

    for (p = formats; *p != '\0'; p += strspn(p, " ")) {
        len = strcspn(p, " ");

        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (strlen(known[i].pt) == len
                && memcmp(known[i].pt, p, len) == 0)
            {
                n += (size_t) snprintf(sdp + n, size - n, "%s",
                                       known[i].lines);
            }
        }

        p += len;
    }

    return n;
}


static void
video_line(const struct browser *b, char *sdp, size_t size, const char *setup,
    const char *direction)
{
    const struct browser  *v;

    v = b->second ? b->second : b;

    (void) snprintf(sdp, size,
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\nc=IN IP4 0.0.0.0\r\n"
        "a=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n"
        "a=fingerprint:sha-256 %s\r\na=setup:%s\r\na=mid:1\r\n"
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
        "a=%s\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
        "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\n"
        "a=rtpmap:97 H264/90000\r\n%s"
        "a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;"
        "profile-level-id=42e01f\r\n"
        "a=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=97\r\n",
        v->ufrag, v->pwd, v->fingerprint, setup, direction, b->video_fb);
}


void
browser_sdp(struct browser *b, char *sdp, const char *formats,
    const char *setup, const char *direction, unsigned version)
{
    char         addr[INET6_ADDRSTRLEN], group[64];
    size_t       n;
    const char  *af;

    af = (b->self.ss_family == AF_INET6) ? "IP6" : "IP4";
    inet_ntop(b->self.ss_family, b->self.ss_family == AF_INET6
              ? (void *) &((struct sockaddr_in6 *) &b->self)->sin6_addr
              : (void *) &((struct sockaddr_in *) &b->self)->sin_addr,
              addr, sizeof(addr));

    group_line(b, group, sizeof(group));

    n = (size_t) snprintf(sdp, BROWSER_SDP,
        "v=0\r\no=- 4611731400430051336 %u IN IP4 127.0.0.1\r\ns=-\r\n"
        "t=0 0\r\n%sa=extmap-allow-mixed\r\n"
        "a=msid-semantic: WMS stream\r\n"
        "m=audio %u UDP/TLS/RTP/SAVPF %s\r\nc=IN %s %s\r\n"
        "a=rtcp:9 IN IP4 0.0.0.0\r\n"
        "a=candidate:1 1 udp 2113937151 7e1a.local 50000 typ host\r\n"
        "a=candidate:2 1 udp 2113937150 %s %u typ host generation 0\r\n"
        "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=ice-options:trickle\r\n"
        "a=fingerprint:%s %s\r\na=setup:%s\r\na=mid:%s\r\n"
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
        "a=%s\r\na=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n",
        version, group, b->no_audio ? 0 : port_of(&b->self), formats, af,
        addr, addr, port_of(&b->self), b->ufrag, b->pwd, b->hash,
        b->fingerprint, setup, b->mid, direction);

    n += format_lines(sdp + n, BROWSER_SDP - n, formats);

    n += (size_t) snprintf(sdp + n, BROWSER_SDP - n,
                           "a=ssrc:287454020 cname:mary\r\n");

    if (b->tls_id != NULL) {
        n += (size_t) snprintf(sdp + n, BROWSER_SDP - n, "a=tls-id:%s\r\n",
                               b->tls_id);
    }

    if (b->video) {
        video_line(b, sdp + n, BROWSER_SDP - n, setup, direction);
    }
}


static int
attribute(const char *sdp, const char *name, const char *format, void *out)
{
    const char  *p;

    p = strstr(sdp, name);

    return (p != NULL && sscanf(p + strlen(name), format, out) == 1) ? 0 : -1;
}


int
browser_remote(struct browser *b, const char *sdp)
{
    char                  addr[64], setup[16], proto[8];
    unsigned              port, skip;
    const char           *p;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    if (attribute(sdp, "a=ice-ufrag:", "%256[^\r\n]", b->peer_ufrag) != 0
        || attribute(sdp, "a=ice-pwd:", "%256[^\r\n]", b->peer_pwd) != 0
        || attribute(sdp, "a=setup:", "%15[a-z]", setup) != 0)
    {
        return -1;
    }

    (void) attribute(sdp, "a=mid:", "%16[^\r\n]", b->mid);

    skip = b->skip;
    memset(&b->peer, 0, sizeof(b->peer));
    b->peer.ss_family = b->self.ss_family;
    sin = (struct sockaddr_in *) &b->peer;
    sin6 = (struct sockaddr_in6 *) &b->peer;

    for (p = strstr(sdp, "a=candidate:"); p != NULL;
         p = strstr(p + 1, "a=candidate:"))
    {
        if (sscanf(p, "a=candidate:%*s 1 %7s %*u %63s %u", proto, addr, &port)
            != 3
            || (strcmp(proto, "tcp") == 0) != b->tcp)
        {
            continue;
        }

        if (inet_pton(b->peer.ss_family, addr,
                      b->peer.ss_family == AF_INET6
                      ? (void *) &sin6->sin6_addr
                      : (void *) &sin->sin_addr)
            == 1 && skip-- == 0)
        {
            sin->sin_port = htons((unsigned short) port);
            b->active = (strcmp(setup, "active") != 0);

            if (b->tcp && b->fd == -1) {
                b->fd = stream_open(&b->peer, b->len);
                b->in_len = 0;
                return (b->fd == -1
                        || getsockname(b->fd, (struct sockaddr *) &b->self,
                                       &b->len) != 0)
                       ? -1 : 0;
            }

            return 0;
        }
    }

    return -1;
}
