/*
 * Copyright (C) the IMS portal authors
 *
 * What a browser of the load tool says: its token, its HTTP requests, its SIP
 * requests, and their WebSocket frames.
 */


#ifndef _SIP_LOAD_H_INCLUDED_
#define _SIP_LOAD_H_INCLUDED_


#include <stddef.h>


enum {
    LOAD_MAX_OUT = 8192,                 /* bytes of anything written here */
    LOAD_MAX_IDENTITY = 128
};


/*
 * Files with a token of each user in a line, for load_lease() and for
 * load_upgrade(); NULL: an HS256 token is made for each.
 */
void load_tokens(const char *lease, const char *upgrade);

/*
 * Each writes to out, which has room for LOAD_MAX_OUT bytes, and returns the
 * length.  user is the number of a user, from 1.
 */

/* POST to the session API, which leases the user's identity */
size_t load_lease(char *out, unsigned user);

/* a GET as large as the handshake, which leaves a keep-alive connection */
size_t load_get(char *out, unsigned user);

/* the handshake of RFC 6455 and RFC 7118 with the token in a cookie */
size_t load_upgrade(char *out, unsigned user);

/* REGISTER and MESSAGE in a masked frame; seq makes them new ones */
size_t load_register(char *out, unsigned user, const char *identity,
    unsigned seq);
size_t load_message(char *out, unsigned user, const char *identity,
    unsigned seq);

/* what an answer to an INVITE said that requests of its call need */
struct load_call {
    unsigned  seq;                       /* of the INVITE; 0: no call */
    unsigned  cseq;
    char  to[256];                       /* To, with its tag */
    char  target[256];                   /* Contact URI */
    char  routes[1024];                  /* Route header lines */
};

/* an INVITE without SDP, so that no media helper has a part in it */
size_t load_invite(char *out, unsigned user, const char *identity,
    unsigned seq);

/* reads a 200 of that; seq: of the INVITE */
void load_answer(struct load_call *call, unsigned seq, const char *p,
    size_t len);

/* ACK, or INFO, BYE of such a call */
size_t load_within(char *out, const char *method, unsigned user,
    const char *identity, struct load_call *call);

/* a masked frame with no more than 125 bytes */
size_t load_control(char *out, unsigned opcode, const char *p, size_t len);


#endif /* _SIP_LOAD_H_INCLUDED_ */
