/*
 * Copyright (C) the IMS portal authors
 *
 * How long the SIP codec takes for one message: an INVITE as a browser sends
 * it, parsed, and a REGISTER; beside it libre's decoder on the same bytes, so
 * that the figures can be compared over machines.
 *
 * usage: sip_parse [seconds per figure]
 */


#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <re.h>

#include "ngx_ims_sip.h"


#define ROUNDS  1000


static ngx_ims_sip_hdr_t  hdrs[NGX_IMS_SIP_MAX_HEADERS];
static ngx_ims_sip_msg_t  m;
static char               invite[4096];


static const char  head[] =
    "INVITE sip:+15550199@ims.operator.example;user=phone SIP/2.0\r\n"
    "Via: SIP/2.0/WSS k3v9f0a2b1.invalid;branch=z9hG4bK7512840\r\n"
    "Max-Forwards: 70\r\n"
    "To: <sip:+15550199@ims.operator.example;user=phone>\r\n"
    "From: \"Mary\" <sip:u017@acme.ims.operator.example>;tag=9p1cb7ql3e\r\n"
    "Call-ID: 3q0hd3l8a0p2ea1fjm8d\r\n"
    "CSeq: 4711 INVITE\r\n"
    "Route: <sip:edge.acme.example;transport=ws;lr>, "
        "<sip:orig@scscf.ims.operator.example:5060;lr>\r\n"
    "P-Preferred-Identity: <sip:u017@acme.ims.operator.example>\r\n"
    "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mmtel\r\n"
    "Accept-Contact: *;+g.3gpp.icsi-ref="
        "\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"\r\n"
    "Contact: <sip:u017@k3v9f0a2b1.invalid;transport=ws;ob>;"
        "+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"\r\n"
    "Content-Type: application/sdp\r\n"
    "Session-Expires: 1800;refresher=uac\r\n"
    "Min-SE: 90\r\n"
    "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY,"
        "PRACK\r\n"
    "Supported: timer,100rel,gruu,outbound\r\n"
    "Accept: application/sdp, application/dtmf-relay\r\n"
    "User-Agent: a browser's library 3.10\r\n";

static const char  body[] =
    "v=0\r\no=- 4107312 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS st\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n"
    "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1 1 udp 2113937151 192.0.2.17 54321 typ host\r\n"
    "a=ice-ufrag:Br0w\r\na=ice-pwd:0123456789abcdefghijklmn\r\n"
    "a=ice-options:trickle\r\na=fingerprint:sha-256 "
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n"
    "a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n"
    "a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n"
    "a=rtpmap:126 telephone-event/8000\r\na=ssrc:1 cname:aBcDeFgH\r\n";

static const char  registration[] =
    "REGISTER sip:ims.operator.example SIP/2.0\r\n"
    "Via: SIP/2.0/WSS k3v9f0a2b1.invalid;branch=z9hG4bK7512841;keep\r\n"
    "Max-Forwards: 70\r\n"
    "To: <sip:u017@acme.ims.operator.example>\r\n"
    "From: <sip:u017@acme.ims.operator.example>;tag=h9c1a0s7qd\r\n"
    "Call-ID: 8a0p2ea1fjm8d3q0hd3l\r\n"
    "CSeq: 1 REGISTER\r\n"
    "Contact: <sip:u017@k3v9f0a2b1.invalid;transport=ws>;reg-id=1;"
        "+sip.instance=\"<urn:uuid:0b3c1a52-7d1e-4c11-9a6e-3f0a5d2c9e10>\";"
        "expires=600\r\n"
    "Expires: 600\r\n"
    "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY,"
        "PRACK\r\n"
    "Supported: path,gruu,outbound\r\n"
    "User-Agent: a browser's library 3.10\r\n"
    "Content-Length: 0\r\n\r\n";


static void
ours(const char *text, size_t len)
{
    if (ngx_ims_sip_parse(&m, (unsigned char *) text, len, hdrs,
                          NGX_IMS_SIP_MAX_HEADERS, 0)
        != NGX_IMS_OK)
    {
        fprintf(stderr, "refused: %s\n", m.error);
        exit(1);
    }
}


static void
libre(const char *text, size_t len)
{
    struct mbuf     *mb;
    struct sip_msg  *msg;

    mb = mbuf_alloc(len);

    if (mb == NULL || mbuf_write_mem(mb, (const uint8_t *) text, len) != 0) {
        exit(1);
    }

    mb->pos = 0;

    if (sip_msg_decode(&msg, mb) != 0) {
        fprintf(stderr, "refused by libre\n");
        exit(1);
    }

    mem_deref(msg);
    mem_deref(mb);
}


/* us per call; the least of many rounds is what nobody disturbed */

static double
measure(void (*parse)(const char *, size_t), const char *text, double seconds)
{
    int              i;
    size_t           len;
    double           t, best, spent;
    struct timespec  a, b;

    len = strlen(text);
    best = 1e9;

    for (spent = 0; spent < seconds; spent += t) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

        for (i = 0; i < ROUNDS; i++) {
            parse(text, len);
        }

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);

        t = (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;

        if (t < best) {
            best = t;
        }
    }

    return best * 1e6 / ROUNDS;
}


int
main(int argc, char **argv)
{
    double  seconds, x, y;

    seconds = (argc > 1) ? atof(argv[1]) : 0.5;

    snprintf(invite, sizeof(invite), "%sContent-Length: %zu\r\n\r\n%s", head,
             sizeof(body) - 1, body);

    printf("%-32s %9s %9s %9s\n", "us of CPU to parse", "ours", "libre",
           "ratio");

    x = measure(ours, invite, seconds);
    y = measure(libre, invite, seconds);
    printf("INVITE, %zu bytes, %u headers %*s %9.2f %9.2f %9.0f\n",
           strlen(invite), m.nhdrs, 4, "", x, y, y / x);

    x = measure(ours, registration, seconds);
    y = measure(libre, registration, seconds);
    printf("REGISTER, %zu bytes, %u headers %*s %9.2f %9.2f %9.0f\n",
           strlen(registration), m.nhdrs, 3, "", x, y, y / x);

    return 0;
}
