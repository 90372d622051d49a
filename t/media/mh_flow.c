/*
 * Copyright (C) the IMS portal authors
 *
 * The media of one browser for as long as a test likes: its offer on standard
 * output, ended by a line with a dot, the answer on standard input, the same.
 * Then a packet goes out every 20 ms, and the other end is to send each back.
 * "now" on standard input is answered with a line of figures, which then begin
 * anew:
 *
 *     sent received run delay late
 *
 * run is the largest number of packets in a row that were lost, delay the
 * longest way there and back in ms, late the longest that this process itself
 * was kept from sending, ms.  A packet counts as lost when it is not back
 * within 200 ms.
 *
 * With "consent" the browser asks for consent once a second, as it should: what
 * comes while it waits for the reply is lost.  With "forged" its offer names
 * another certificate than the one it has.
 *
 *     mh_flow ADDR [consent | forged]
 */

#define _GNU_SOURCE

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "browser.h"
#include "call.h"


enum {
    EACH_MS = 20,
    CONSENT_MS = 1000,
    LOST_MS = 200,
    PACKETS = 65536
};


struct flow {
    double    sent[PACKETS];     /* ms, by sequence number */
    char      back[PACKETS];
    unsigned  first;             /* of these figures */
    unsigned  next;
    unsigned  received;
    double    delay;
    double    late;
};


static struct browser  web;
static struct flow     flow;


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec * 1000.0 + (double) ts.tv_nsec / 1e6;
}


static int
read_sdp(char *sdp)
{
    char    line[512];
    size_t  n;

    n = 0;
    sdp[0] = '\0';

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strcmp(line, ".\n") == 0) {
            return 0;
        }

        n += (size_t) snprintf(sdp + n, BROWSER_SDP - n, "%s", line);

        if (n >= BROWSER_SDP) {
            return -1;
        }
    }

    return -1;
}


static void
send_one(double due)
{
    uint8_t   pkt[BROWSER_PACKET];
    double    t;
    unsigned  seq;

    t = now();
    seq = flow.next++ % PACKETS;

    if (t - due > flow.late) {
        flow.late = t - due;
    }

    memset(pkt, 0, sizeof(pkt));
    pkt[0] = 0x80;
    pkt[1] = 8;
    pkt[2] = (uint8_t) (seq >> 8);
    pkt[3] = (uint8_t) seq;
    pkt[6] = (uint8_t) ((seq * 160) >> 8);
    pkt[7] = (uint8_t) (seq * 160);
    pkt[8] = 0x11;
    pkt[11] = 0x44;

    flow.sent[seq] = t;
    flow.back[seq] = 0;

    (void) browser_send(&web, pkt, 12 + 160);
}


static void
receive(double until)
{
    uint8_t   pkt[BROWSER_PACKET];
    double    t, delay;
    unsigned  seq;

    for (t = now(); t < until; t = now()) {

        if (browser_recv(&web, pkt, 0, 1) == 0) {
            continue;
        }

        seq = (unsigned) pkt[2] << 8 | pkt[3];
        delay = now() - flow.sent[seq];

        if (seq < flow.first || seq >= flow.next || flow.back[seq]
            || delay > LOST_MS)
        {
            continue;
        }

        flow.back[seq] = 1;
        flow.received++;

        if (delay > flow.delay) {
            flow.delay = delay;
        }
    }
}


static void
report(void)
{
    unsigned  seq, run, most;

    run = 0;
    most = 0;

    for (seq = flow.first; seq < flow.next; seq++) {
        run = flow.back[seq] ? 0 : run + 1;
        most = run > most ? run : most;
    }

    printf("%u %u %u %.0f %.0f\n", flow.next - flow.first, flow.received, most,
           flow.delay, flow.late);
    fflush(stdout);

    flow.first = flow.next;
    flow.received = 0;
    flow.delay = 0;
    flow.late = 0;
}


int
main(int argc, char **argv)
{
    char           sdp[BROWSER_SDP], line[16];
    char          *fp;
    double         due, check;
    const char    *what, *how;
    struct pollfd  in;

    how = (argc == 3) ? argv[2] : "";

    if (argc < 2 || argc > 3 || srtp_init() != srtp_err_status_ok
        || browser_open(&web, argv[1], ALL_PROFILES) != 0)
    {
        fprintf(stderr, "usage: mh_flow ADDR [consent | forged]\n");
        return 2;
    }

    browser_sdp(&web, sdp, "8 126", "actpass", "sendrecv", 1);

    if (strcmp(how, "forged") == 0) {
        fp = strstr(sdp, "a=fingerprint:sha-256 ") + 22;
        *fp = (*fp == 'A') ? 'B' : 'A';
    }

    printf("%s.\n", sdp);
    fflush(stdout);

    what = read_sdp(sdp) != 0 ? "no answer"
           : browser_remote(&web, sdp) != 0 ? "no candidate in the answer"
           : browser_check(&web, NULL) != 200 ? "no answer to a check"
           : browser_connect(&web, 5000) != 1 ? "no DTLS"
           : NULL;

    if (what != NULL) {
        printf("%s\n", what);
        return 1;
    }

    printf("connected\n");
    fflush(stdout);

    in.fd = 0;
    in.events = POLLIN;

    check = now() + CONSENT_MS;

    for (due = now(); flow.next < PACKETS - 1; due += EACH_MS) {
        send_one(due);

        if (now() > check && strcmp(how, "consent") == 0) {
            (void) browser_check(&web, NULL);
            check = now() + CONSENT_MS;
            due = now();
        }

        if (poll(&in, 1, 0) == 1) {

            if (read(0, line, sizeof(line)) <= 0) {
                break;
            }

            /* what is on its way gets its time */

            receive(now() + LOST_MS);
            report();
            due = now();
        }

        receive(due + EACH_MS);
    }

    browser_close(&web);

    return 0;
}
