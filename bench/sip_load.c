/*
 * Copyright (C) the IMS portal authors
 */


#define _GNU_SOURCE                      /* memmem() */

#include "sip_load.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


/* the same as in the login.jwks of bench/run */

#define LOAD_SECRET   "a secret of thirty-two bytes ..."
#define LOAD_ISSUER   "https://login.acme.example"
#define LOAD_AUDIENCE "ims-portal"
#define LOAD_TO       "sip:bob@ims.operator.example"


/* tokens from a file, one in a line; NULL: they are made here */

struct load_tokens {
    char      **lines;
    unsigned    n;
};


static struct load_tokens  load_lease_tokens, load_upgrade_tokens;


static void
load_tokens_of(struct load_tokens *t, const char *path)
{
    FILE    *f;
    char     line[4096];

    f = path ? fopen(path, "r") : NULL;

    if (f == NULL) {
        return;
    }

    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';

        if (t->n % 1024 == 0) {
            t->lines = realloc(t->lines, (t->n + 1024) * sizeof(char *));
        }

        t->lines[t->n++] = strdup(line);
    }

    fclose(f);
}


void
load_tokens(const char *lease, const char *upgrade)
{
    load_tokens_of(&load_lease_tokens, lease);
    load_tokens_of(&load_upgrade_tokens, upgrade);
}


static size_t
load_base64url(char *out, const void *p, size_t len)
{
    char   *c;
    size_t  n;

    n = EVP_EncodeBlock((unsigned char *) out, p, len);

    while (n > 0 && out[n - 1] == '=') {
        n--;
    }

    out[n] = '\0';

    for (c = out; *c != '\0'; c++) {
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    }

    return n;
}


/* a token of the user (RFC 7519), HS256, for an hour */

static size_t
load_token(char *out, unsigned user)
{
    int            n;
    char           claims[512], *p;
    unsigned       len;
    unsigned char  mac[EVP_MAX_MD_SIZE];

    static const char  header[] =
        "{\"alg\":\"HS256\",\"kid\":\"bench\",\"typ\":\"JWT\"}";

    n = snprintf(claims, sizeof(claims),
                 "{\"iss\":\"" LOAD_ISSUER "\",\"aud\":\"" LOAD_AUDIENCE "\","
                 "\"sub\":\"user-%06u@acme.example\",\"iat\":%ld,\"exp\":%ld}",
                 user, (long) time(NULL), (long) time(NULL) + 3600);

    p = out + load_base64url(out, header, sizeof(header) - 1);
    *p++ = '.';
    p += load_base64url(p, claims, n);

    HMAC(EVP_sha256(), LOAD_SECRET, sizeof(LOAD_SECRET) - 1,
         (unsigned char *) out, p - out, mac, &len);

    *p++ = '.';
    p += load_base64url(p, mac, len);

    return p - out;
}


/* what a browser sends along: more than the first header buffer holds */

static size_t
load_request(char *out, const char *line, unsigned user,
    const struct load_tokens *tokens, const char *more)
{
    char  token[4096], site[601];

    if (tokens != NULL && user <= tokens->n) {
        strcpy(token, tokens->lines[user - 1]);

    } else {
        load_token(token, user);
    }

    memset(site, 'c', sizeof(site) - 1);
    site[sizeof(site) - 1] = '\0';

    return snprintf(out, LOAD_MAX_OUT,
                    "%s HTTP/1.1\r\n"
                    "Host: acme.example\r\n"
                    "Pragma: no-cache\r\n"
                    "Cache-Control: no-cache\r\n"
                    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) "
                    "AppleWebKit/537.36 (KHTML, like Gecko) "
                    "Chrome/140.0.0.0 Safari/537.36\r\n"
                    "Origin: https://acme.example\r\n"
                    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                    "Accept-Language: en-US,en;q=0.9\r\n"
                    "Cookie: site=%s; ims_session=%s\r\n"
                    "%s\r\n",
                    line, site, token, more);
}


size_t
load_lease(char *out, unsigned user)
{
    return load_request(out, "POST /ims/session", user, &load_lease_tokens,
                        "Content-Length: 0\r\n");
}


size_t
load_get(char *out, unsigned user)
{
    return load_request(out, "GET /idle", user, NULL, "");
}


size_t
load_upgrade(char *out, unsigned user)
{
    return load_request(out, "GET /ims/sip", user, &load_upgrade_tokens,
                        "Connection: Upgrade\r\n"
                        "Upgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Extensions: permessage-deflate; "
                        "client_max_window_bits\r\n"
                        "Sec-WebSocket-Protocol: sip\r\n");
}


/* masks in place what stands behind room for the header; the whole length */

static size_t
load_frame(char *out, unsigned opcode, char *p, size_t len)
{
    char    mask[] = { 0x37, 0x5a, 0x21, 0x3d };
    char   *h;
    size_t  i;

    for (i = 0; i < len; i++) {
        p[i] ^= mask[i % 4];
    }

    h = out;
    *h++ = (char) (0x80 | opcode);

    if (len < 126) {
        *h++ = (char) (0x80 | len);

    } else {
        *h++ = (char) (0x80 | 126);
        *h++ = (char) (len >> 8);
        *h++ = (char) len;
    }

    memcpy(h, mask, 4);
    memmove(h + 4, p, len);

    return h + 4 - out + len;
}


size_t
load_control(char *out, unsigned opcode, const char *p, size_t len)
{
    memmove(out + 8, p, len);

    return load_frame(out, opcode, out + 8, len);
}


size_t
load_register(char *out, unsigned user, const char *identity, unsigned seq)
{
    int  n;

    n = snprintf(out + 8, LOAD_MAX_OUT - 8,
                 "REGISTER sip:ims.operator.example SIP/2.0\r\n"
                 "Via: SIP/2.0/WSS df7jal23l%06u.invalid;"
                 "branch=z9hG4bK%06u%08u\r\n"
                 "Max-Forwards: 69\r\n"
                 "To: <%s>\r\n"
                 "From: <%s>;tag=t%06u\r\n"
                 "Call-ID: fiu3e9a6bh%06uo0hp1qh\r\n"
                 "CSeq: %u REGISTER\r\n"
                 "Contact: <sip:6qvpl7tl@df7jal23l%06u.invalid;"
                 "transport=wss>;+sip.ice;reg-id=1;+sip.instance="
                 "\"<urn:uuid:8f0b1c1e-43f1-4e29-9f52-ad3aa8%06u>\";"
                 "expires=600\r\n"
                 "Expires: 600\r\n"
                 "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,"
                 "INFO,NOTIFY\r\n"
                 "Supported: path,gruu,outbound\r\n"
                 "User-Agent: bench\r\n"
                 "Content-Length: 0\r\n\r\n",
                 user, user, seq, identity, identity, user, user, seq, user,
                 user);

    return load_frame(out, 1, out + 8, n);
}


size_t
load_message(char *out, unsigned user, const char *identity, unsigned seq)
{
    int  n;

    n = snprintf(out + 8, LOAD_MAX_OUT - 8,
                 "MESSAGE " LOAD_TO " SIP/2.0\r\n"
                 "Via: SIP/2.0/WSS df7jal23l%06u.invalid;"
                 "branch=z9hG4bKm%06u%08u\r\n"
                 "Max-Forwards: 69\r\n"
                 "To: <" LOAD_TO ">\r\n"
                 "From: <%s>;tag=m%08u\r\n"
                 "Call-ID: m%06u%08u\r\n"
                 "CSeq: 1 MESSAGE\r\n"
                 "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,"
                 "INFO,NOTIFY\r\n"
                 "Supported: outbound\r\n"
                 "User-Agent: bench\r\n"
                 "Content-Type: text/plain\r\n"
                 "Content-Length: 30\r\n\r\n"
                 "see you at the station at ten.",
                 user, user, seq, identity, seq, user, seq);

    return load_frame(out, 1, out + 8, n);
}


size_t
load_invite(char *out, unsigned user, const char *identity, unsigned seq)
{
    int  n;

    n = snprintf(out + 8, LOAD_MAX_OUT - 8,
                 "INVITE " LOAD_TO " SIP/2.0\r\n"
                 "Via: SIP/2.0/WSS df7jal23l%06u.invalid;"
                 "branch=z9hG4bKi%06u%08u\r\n"
                 "Max-Forwards: 69\r\n"
                 "To: <" LOAD_TO ">\r\n"
                 "From: <%s>;tag=i%08u\r\n"
                 "Call-ID: i%06u%08u\r\n"
                 "CSeq: 1 INVITE\r\n"
                 "Contact: <sip:6qvpl7tl@df7jal23l%06u.invalid;"
                 "transport=wss;ob>\r\n"
                 "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,"
                 "INFO,NOTIFY\r\n"
                 "Supported: outbound\r\n"
                 "User-Agent: bench\r\n"
                 "Content-Length: 0\r\n\r\n",
                 user, user, seq, identity, seq, user, seq, user);

    return load_frame(out, 1, out + 8, n);
}


/* Record-Route values come in the order of a server; a client reverses it */

static void
load_routes(struct load_call *call, const char *p, const char *end)
{
    char         before[sizeof(call->routes)];
    const char  *start, *last;

    while (p < end && (start = memchr(p, '<', end - p)) != NULL) {
        last = memchr(start, '>', end - start);

        if (last == NULL) {
            return;
        }

        memcpy(before, call->routes, sizeof(before));

        if (snprintf(call->routes, sizeof(call->routes), "Route: %.*s\r\n%s",
                     (int) (last - start + 1), start, before)
            >= (int) sizeof(call->routes))
        {
            return;
        }

        p = last;
    }
}


void
load_answer(struct load_call *call, unsigned seq, const char *p, size_t len)
{
    const char  *eol, *end, *uri;

    memset(call, 0, sizeof(struct load_call));

    call->seq = seq;
    call->cseq = 1;

    end = p + len;

    for ( /* void */ ; p < end; p = eol + 2) {
        eol = memmem(p, end - p, "\r\n", 2);

        if (eol == NULL || eol == p) {
            return;
        }

        if (strncmp(p, "To: ", 4) == 0) {
            snprintf(call->to, sizeof(call->to), "%.*s", (int) (eol - p), p);

        } else if (strncmp(p, "Record-Route: ", 14) == 0) {
            load_routes(call, p, eol);

        } else if (strncmp(p, "Contact: <", 10) == 0
                   && (uri = memchr(p, '>', eol - p)) != NULL)
        {
            snprintf(call->target, sizeof(call->target), "%.*s",
                     (int) (uri - p - 10), p + 10);
        }
    }
}


size_t
load_within(char *out, const char *method, unsigned user,
    const char *identity, struct load_call *call)
{
    int  n;

    if (*method != 'A') {
        call->cseq++;
    }

    n = snprintf(out + 8, LOAD_MAX_OUT - 8,
                 "%s %s SIP/2.0\r\n"
                 "Via: SIP/2.0/WSS df7jal23l%06u.invalid;"
                 "branch=z9hG4bK%c%06u%08u%u\r\n"
                 "%s"
                 "Max-Forwards: 69\r\n"
                 "%s\r\n"
                 "From: <%s>;tag=i%08u\r\n"
                 "Call-ID: i%06u%08u\r\n"
                 "CSeq: %u %s\r\n"
                 "User-Agent: bench\r\n"
                 "Content-Length: 0\r\n\r\n",
                 method, call->target, user, *method, user, call->seq,
                 call->cseq, call->routes, call->to, identity, call->seq, user,
                 call->seq, call->cseq, method);

    return load_frame(out, 1, out + 8, n);
}
