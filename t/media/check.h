/*
 * Copyright (C) the IMS portal authors
 *
 * The STUN messages of ICE, RFC 8445 and RFC 5389, by libre's codec.  A file
 * of its own: libre's and libsrtp2's headers do not meet.
 */

#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>


enum {
    CHECK_REQUEST = 1,           /* a check of the peer's; reply is set */
    CHECK_BAD = 2                /* neither */
};


enum check_mode {
    CHECK_NOMINATE = 0,         /* ICE-CONTROLLING and USE-CANDIDATE */
    CHECK_PLAIN,                /* ICE-CONTROLLING */
    CHECK_CONTROLLED            /* ICE-CONTROLLED */
};


/* a Binding request; @return its length */
size_t check_request(uint8_t *buf, unsigned tid, const char *username,
    const char *pwd, enum check_mode mode);


/*
 * Takes a STUN message.  A request is checked with pwd and answered in
 * reply (256 octets).  A success response is checked with peer_pwd.
 *
 * @return CHECK_REQUEST, CHECK_BAD, 200, or the error code of a response
 */
int check_take(const uint8_t *buf, size_t len, const struct sockaddr *from,
    const char *pwd, const char *peer_pwd, uint8_t *reply,
    size_t *reply_len);


#endif /* CHECK_H */
