/*
 * Copyright (C) the IMS portal authors
 *
 * The signaling of a call and its plain RTP end; see call.h.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"


const char  *ng_spec;


static socklen_t
sockaddr_of(struct sockaddr_storage *ss, const char *addr, unsigned port)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    memset(ss, 0, sizeof(*ss));
    sin = (struct sockaddr_in *) ss;
    sin6 = (struct sockaddr_in6 *) ss;
    sin->sin_port = htons((unsigned short) port);

    if (inet_pton(AF_INET6, addr, &sin6->sin6_addr) == 1) {
        ss->ss_family = AF_INET6;
        return sizeof(*sin6);
    }

    (void) inet_pton(AF_INET, addr, &sin->sin_addr);
    ss->ss_family = AF_INET;

    return sizeof(*sin);
}


static int
socket_at(const char *addr, unsigned port)
{
    int                      fd;
    socklen_t                len;
    struct sockaddr_storage  ss;

    len = sockaddr_of(&ss, addr, port);
    fd = socket(ss.ss_family, SOCK_DGRAM, 0);

    if (bind(fd, (struct sockaddr *) &ss, len) != 0) {
        close(fd);
        return -1;
    }

    return fd;
}


int
port_free(const char *addr, unsigned port)
{
    int  fd;

    fd = socket_at(addr, port);
    if (fd == -1) {
        return 0;
    }

    close(fd);

    return 1;
}


unsigned
ports_open(unsigned min, unsigned max)
{
    FILE        *f;
    char         line[512];
    unsigned     i, n, port;

    static const char *const  tables[] = { "/proc/net/udp",
                                           "/proc/net/udp6" };

    for (i = 0, n = 0; i < 2; i++) {
        f = fopen(tables[i], "r");
        if (f == NULL) {
            continue;
        }

        while (fgets(line, sizeof(line), f) != NULL) {
            if (sscanf(line, " %*u: %*[0-9A-F]:%x", &port) == 1
                && port >= min && port <= max)
            {
                n++;
            }
        }

        fclose(f);
    }

    return n;
}


/* an even port and the odd one above it */

static void
ims_open(struct ims *ims, const char *addr)
{
    unsigned         tries;
    static unsigned  next;

    if (next == 0) {
        next = 20000 + (unsigned) getpid() % 4000 * 2;
    }

    for (tries = 0; tries < 500; tries++) {
        ims->own = next;
        next = (next >= 29998) ? 20000 : next + 2;
        ims->fd[0] = socket_at(addr, ims->own);
        ims->fd[1] = socket_at(addr, ims->own + 1);

        if (ims->fd[0] != -1 && ims->fd[1] != -1) {
            return;
        }

        close(ims->fd[0]);
        close(ims->fd[1]);
    }

    fprintf(stderr, "no free ports\n");
    exit(2);
}


static void
init(struct call *c, struct ng *ng, const char *web, const char *addr,
    int offers, const char *profiles)
{
    static unsigned  serial;

    memset(c, 0, sizeof(*c));
    c->ng = ng;
    c->addr = addr;
    c->af = strchr(addr, ':') ? "IP6" : "IP4";
    c->web_af = strchr(web, ':') ? "IP6" : "IP4";
    c->ims_tag = "ims";
    c->offers = offers;
    (void) snprintf(c->id, sizeof(c->id), "media-%d-%u", (int) getpid(),
                    ++serial);

    if (browser_open(&c->web, web, profiles) != 0) {
        fprintf(stderr, "no browser\n");
        exit(2);
    }

    c->web.video_fb = "a=rtcp-fb:97 nack pli\r\n";

    ims_open(&c->ims, addr);
    ims_open(&c->video, addr);
}


void
call_init(struct call *c, struct ng *ng, const char *addr, int offers,
    const char *profiles)
{
    init(c, ng, addr, addr, offers, profiles);
}


void
call_init_mixed(struct call *c, struct ng *ng, const char *web,
    const char *ims, int offers)
{
    init(c, ng, web, ims, offers, ALL_PROFILES);
}


void
call_new_ims(struct call *c)
{
    struct ims  old;

    old = c->ims;
    ims_open(&c->ims, c->addr);
    c->ims.port = old.port;
    memcpy(c->ims.peer, old.peer, sizeof(old.peer));
    c->ims.len = old.len;
}


void
call_close(struct call *c)
{
    browser_close(&c->web);
    close(c->ims.fd[0]);
    close(c->ims.fd[1]);
    close(c->video.fd[0]);
    close(c->video.fd[1]);
}


static void
ims_sdp(struct call *c, char *sdp, const char *formats, const char *direction)
{
    size_t  n;
    char    crypto[SDES_TEXT];

    crypto[0] = '\0';

    if (c->sdes != NULL) {
        (void) sdes_line(c->sdes, c->offers == BROWSER_OFFERS, crypto,
                         sizeof(crypto));
    }

    n = (size_t) snprintf(sdp, BROWSER_SDP,
        "v=0\r\no=ims 7 %u IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n"
        "m=audio %u %s %s\r\na=rtpmap:8 PCMA/8000\r\n%s",
        c->version, c->af, c->addr, c->af, c->addr,
        c->web.no_audio ? 0 : c->ims.own,
        c->sdes != NULL ? c->sdes->profile : "RTP/AVP", formats, crypto);

    if (strstr(formats, "101") != NULL) {
        n += (size_t) snprintf(sdp + n, BROWSER_SDP - n,
                               "a=rtpmap:101 telephone-event/8000\r\n"
                               "a=fmtp:101 0-15\r\n");
    }

    if (strstr(formats, "126") != NULL) {
        n += (size_t) snprintf(sdp + n, BROWSER_SDP - n,
                               "a=rtpmap:126 telephone-event/8000\r\n");
    }

    n += (size_t) snprintf(sdp + n, BROWSER_SDP - n,
                           "a=%s\r\na=ptime:20\r\n", direction);

    if (c->web.video) {
        crypto[0] = '\0';

        if (c->sdes_video != NULL) {
            (void) sdes_line(c->sdes_video, c->offers == BROWSER_OFFERS,
                             crypto, sizeof(crypto));
        }

        (void) snprintf(sdp + n, BROWSER_SDP - n,
                        "m=video %u RTP/%s%s 97\r\n%s%s"
                        "a=rtpmap:97 H264/90000\r\n"
                        "a=fmtp:97 profile-level-id=42e01f;"
                        "packetization-mode=1\r\na=%s\r\n%s",
                        c->video.own, c->sdes_video ? "S" : "",
                        c->video_fb ? "AVPF" : "AVP", crypto,
                        c->video_b ? c->video_b : "", direction,
                        c->video_fb ? c->video_fb : "");
    }
}


/* the commands as a proxy's recipes have them, towards one side */

static int
command(struct call *c, const char *name, int to, const char *sdp,
    const char *dtls)
{
    int           r;
    char          flags[128];
    struct told  *told;

    ng_begin(c->ng, name);
    ng_str(c->ng, "call-id", c->id);
    ng_str(c->ng, "from-tag", c->offers == BROWSER_OFFERS ? "web"
                                                         : c->ims_tag);

    if (strcmp(name, "answer") == 0 || c->version > 1) {
        ng_str(c->ng, "to-tag", c->offers == BROWSER_OFFERS ? c->ims_tag
                                                           : "web");
    }

    ng_str(c->ng, "sdp", sdp);
    ng_list(c->ng, "replace", "origin");

    if (c->sdes == NULL) {
        ng_list(c->ng, "SDES", "off");

    } else if (c->sdes->words != NULL) {
        ng_list(c->ng, "SDES", c->sdes->words);
    }

    if (c->sdes != NULL && c->sdes->osrtp != NULL) {
        ng_list(c->ng, "OSRTP", c->sdes->osrtp);
    }

    ng_str(c->ng, "ICE-lite", "both");

    if (strcmp(c->af, "IP6") == 0 || strcmp(c->web_af, "IP6") == 0) {
        ng_str(c->ng, "address-family", to == IMS ? c->af : c->web_af);
    }

    if (to == IMS) {
        ng_str(c->ng, "transport-protocol",
               c->sdes != NULL ? c->sdes->transport
                               : c->video_fb ? "RTP/AVPF" : "RTP/AVP");
        ng_str(c->ng, "ICE", "remove");
        ng_str(c->ng, "DTLS", dtls ? dtls : "off");
        ng_list(c->ng, "rtcp-mux", "demux");
        ng_list(c->ng, "direction", "web ims");

        if (c->up_flags != NULL) {
            ng_list(c->ng, "flags", c->up_flags);
        }

        if (c->tos != NULL) {
            ng_str(c->ng, "TOS", c->tos);
        }

    } else {
        ng_str(c->ng, "transport-protocol", "UDP/TLS/RTP/SAVPF");
        ng_str(c->ng, "ICE", "force");
        ng_str(c->ng, "DTLS", dtls ? dtls : "passive");
        ng_list(c->ng, "rtcp-mux", "offer require");
        (void) snprintf(flags, sizeof(flags), "generate-mid%s%s",
                        c->flags ? " " : "", c->flags ? c->flags : "");
        ng_list(c->ng, "flags", flags);
        ng_list(c->ng, "direction", "ims web");
    }

    r = ng_send(c->ng);

    if (r == 1) {
        told = (to == IMS) ? &c->to_ims : &c->to_web;
        (void) snprintf(told->sdp, sizeof(told->sdp), "%s",
                        ng_get(c->ng, "sdp"));
    }

    return r;
}


int
call_offer(struct call *c, const char *setup, const char *direction)
{
    char  sdp[BROWSER_SDP];

    c->version++;

    if (c->offers == BROWSER_OFFERS) {
        browser_sdp(&c->web, sdp, "111 0 8 13 126", setup, direction,
                    c->version);
        return command(c, "offer", IMS, sdp, NULL);
    }

    ims_sdp(c, sdp, "8 101", direction);

    return command(c, "offer", WEB, sdp, NULL);
}


int
call_answer(struct call *c, const char *formats, const char *direction,
    const char *what)
{
    char  sdp[BROWSER_SDP];

    if (c->offers == BROWSER_OFFERS) {
        ims_sdp(c, sdp, formats, direction);
        return command(c, "answer", WEB, sdp, what);
    }

    c->web.active = (strcmp(what, "active") == 0);
    browser_sdp(&c->web, sdp, formats, what, direction, c->version);

    return command(c, "answer", IMS, sdp, NULL);
}


int
call_delete(struct call *c)
{
    ng_begin(c->ng, "delete");
    ng_str(c->ng, "call-id", c->id);
    ng_str(c->ng, "from-tag", c->offers == BROWSER_OFFERS ? "web"
                                                         : c->ims_tag);

    return ng_send(c->ng);
}


static int
ims_remote(struct ims *ims, const char *sdp, const char *line)
{
    char         addr[64];
    unsigned     rtcp;
    const char  *p, *c;

    p = strstr(sdp, line);

    if (p == NULL || sscanf(p + strlen(line), "%u", &ims->port) != 1) {
        return -1;
    }

    /* the line's own address, or that of the session */

    c = strstr(p, "c=IN IP");
    c = (c != NULL) ? c : strstr(sdp, "c=IN IP");

    if (c == NULL || sscanf(c, "c=IN IP%*c %63[^\r\n]", addr) != 1) {
        return -1;
    }

    rtcp = ims->port + 1;
    p = strstr(p, "a=rtcp:");

    if (p != NULL) {
        (void) sscanf(p, "a=rtcp:%u", &rtcp);
    }

    ims->len = sockaddr_of(&ims->peer[0], addr, ims->port);
    (void) sockaddr_of(&ims->peer[1], addr, rtcp);

    return 0;
}


int
call_remote(struct call *c, int side)
{
    if (side == WEB) {
        return browser_remote(&c->web, c->to_web.sdp);
    }

    if (c->web.video
        && ims_remote(&c->video, c->to_ims.sdp, "m=video ") != 0)
    {
        return -1;
    }

    if (c->sdes != NULL && sdes_remote(c->sdes, c->to_ims.sdp) != 0) {
        return -1;
    }

    if (c->sdes_video != NULL
        && sdes_remote(c->sdes_video, strstr(c->to_ims.sdp, "m=video "))
           != 0)
    {
        return -1;
    }

    return ims_remote(&c->ims, c->to_ims.sdp, "m=audio ");
}


int
call_setup_again(struct call *c, const char *setup, const char *direction,
    const char *dtls)
{
    int  first, r;

    first = (c->offers == BROWSER_OFFERS) ? IMS : WEB;

    r = call_offer(c, setup, direction);
    if (r != 1) {
        return r;
    }

    if (call_remote(c, first) != 0) {
        return -2;
    }

    r = (first == IMS) ? call_answer(c, "8 126", direction, dtls)
                       : call_answer(c, "8 101", direction, setup);
    if (r != 1) {
        return r;
    }

    return call_remote(c, first == IMS ? WEB : IMS) == 0 ? 1 : -2;
}


int
call_setup(struct call *c, const char *setup, const char *dtls)
{
    return call_setup_again(c, setup, "sendrecv", dtls);
}


int
call_reverse(struct call *c)
{
    int  r;

    c->offers = (c->offers == BROWSER_OFFERS) ? IMS_OFFERS : BROWSER_OFFERS;

    /* the browser keeps the role that it has */

    r = call_setup_again(c, c->web.active ? "active" : "passive", "sendrecv",
                         "passive");

    c->offers = (c->offers == BROWSER_OFFERS) ? IMS_OFFERS : BROWSER_OFFERS;

    return r;
}


unsigned
call_web_port(const struct call *c)
{
    return ntohs(((const struct sockaddr_in *) &c->web.peer)->sin_port);
}


void
call_fingerprint(const struct call *c, char fp[128])
{
    const char  *p;

    fp[0] = '\0';
    p = strstr(c->to_web.sdp, "a=fingerprint:");

    if (p != NULL) {
        (void) sscanf(p, "a=fingerprint:%127[^\r\n]", fp);
    }
}


int
call_dtls_answers(struct call *c)
{
    int            n;
    SSL           *ssl;
    BIO           *in, *out;
    uint8_t        buf[BROWSER_PACKET];
    struct pollfd  pfd;

    ssl = SSL_new(c->web.ctx);
    in = BIO_new(BIO_s_mem());
    out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_mtu(ssl, 1200);
    SSL_set_connect_state(ssl);
    (void) SSL_do_handshake(ssl);
    n = BIO_read(out, buf, sizeof(buf));
    browser_raw(&c->web, -1, buf, (size_t) n);
    SSL_free(ssl);

    pfd.fd = c->web.fd;
    pfd.events = POLLIN;

    return poll(&pfd, 1, 150) == 1;
}
