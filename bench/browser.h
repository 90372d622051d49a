/*
 * Copyright (C) the IMS portal authors
 *
 * One browser of the load tool: its connection, its frames, and where it is in
 * what it was told to do.
 */


#ifndef _BROWSER_H_INCLUDED_
#define _BROWSER_H_INCLUDED_


#include "sip_load.h"

#include <netinet/in.h>
#include <openssl/ssl.h>


enum {
    MAX_IN = 4096                        /* of one answer */
};


enum state {
    NONE = 0,
    CONNECTING,
    HANDSHAKE,                           /* TLS */
    GETTING,                             /* an HTTP answer is awaited */
    UPGRADING,
    ASKING,                              /* a SIP answer is awaited */
    CALLING,                             /* ... to an INVITE */
    IDLE
};


enum task { LEASE, KEEP, OPEN, MESSAGE, CALL, HOLD, INFO, TASKS };


struct browser {
    int               fd;
    SSL              *ssl;
    enum state        state;
    unsigned          user;
    unsigned          seq;
    double            asked;             /* when, s */
    struct load_call  call;
    size_t            in_len;
    char              identity[LOAD_MAX_IDENTITY];
    char              in[MAX_IN];
};


/* what all browsers share; owned by browsers.c */

struct load {
    int                 epoll;
    int                 tls;
    unsigned            window;
    struct sockaddr_in  plain_addr;
    struct sockaddr_in  tls_addr;
    SSL_CTX            *ctx;
    struct browser     *browsers;
    unsigned            nbrowsers;

    enum task           task;            /* the command under way */
    unsigned            total;
    unsigned            begun;
    unsigned            done;
    unsigned            opened;          /* by all commands */
    unsigned            next;            /* round robin */
    float              *times;           /* s, of each that is done */
};

extern struct load  load;


/* ends the process with a message */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* monotonic, s */
double now(void);

/* connects for the task of now; what follows comes by browser_event() */
void browser_connect(struct browser *b);

/* an idle one asks what the task of now says */
void browser_ask(struct browser *b);

/* epoll has seen something on its descriptor */
void browser_event(struct browser *b, unsigned events);


#endif /* _BROWSER_H_INCLUDED_ */
