
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * ICE-lite (RFC 8445 2.5, 7.3, 8.2; RFC 7675), on libre's STUN codec.
 *
 * A lite agent never sends a check and has no timer: it answers Binding
 * requests, notes which source was nominated and when it was last heard.
 * mh_stream owns the one socket, finds the agent by the local ufrag through
 * a handler, sends the reply that is made here, and asks
 * mh_ice_expired() from its own tick.
 */


#ifndef MH_ICE_H
#define MH_ICE_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>


enum {
    MH_ICE_UFRAG_LEN = 8,           /* ours: 48 bits (RFC 8445 5.3: >= 24) */
    MH_ICE_PWD_LEN = 26,            /* ours: 156 bits (>= 128) */
    MH_ICE_UFRAG_MAX = 256,         /* theirs: RFC 8839 5.4 */
    MH_ICE_CONSENT_MS = 30000,      /* RFC 7675 5.1 */
    MH_ICE_REQUEST_MAX = 1500,      /* bytes: longer ones are dropped */
    MH_ICE_REPLY_MAX = 160,         /* bytes: no reply of ours is longer */
    MH_ICE_SEEN = 128               /* checks remembered, see below */
};


/*
 * One agent: the browser's side of one call.  No pointer in it, nothing to
 * free; all zero means "not started".
 */

struct mh_ice {
    char           ufrag[MH_ICE_UFRAG_LEN + 1];     /* ours */
    char           pwd[MH_ICE_PWD_LEN + 1];
    char           rufrag[MH_ICE_UFRAG_MAX + 1];    /* "" = not known yet */
    struct sa      peer;        /* nominated source, valid if selected */
    bool           selected;
    uint64_t       heard;       /* ms: last authenticated request from the
                                   peer, or from anyone before a selection;
                                   the start before the first one */
    uint32_t       priority;    /* of the nominated request */
    uint32_t       checks;      /* authenticated requests so far */
    uint32_t       refused;     /* replies with an error so far */
    uint32_t       seen_tid[MH_ICE_SEEN];   /* hashes of the latest checks: */
    uint16_t       seen_src[MH_ICE_SEEN];   /* integrity does not cover the
                                               source, so the same check from
                                               another one is a replay */
};


/* what one datagram meant */

struct mh_ice_event {
    struct mh_ice *ice;         /* the agent it was for, NULL if none */
    bool           authentic;   /* integrity held: the source may speak */
    bool           nominated;   /* it carried USE-CANDIDATE */
    bool           selected;    /* this set ice->peer */
    uint32_t       priority;
    uint16_t       error;       /* code in the reply, 0 = success */
};


/*
 * Finds the agent with this local ufrag.
 *
 * @param ufrag  part of USERNAME before the colon, not NUL-terminated
 * @param arg    what was given to mh_ice_input()
 *
 * @return the agent, or NULL
 */
typedef struct mh_ice *(mh_ice_find_h)(const struct pl *ufrag, void *arg);


/*
 * Starts an agent: zeroes it, makes ufrag and password from the kernel's
 * random source, notes the time.
 *
 * @param ice  the agent
 * @param now  ms of the caller's monotonic clock
 *
 * @return 0, or what getrandom(2) said: then the agent must not be used
 */
int mh_ice_start(struct mh_ice *ice, uint64_t now);

/*
 * Restarts it (RFC 8839 4.4.1.1.1): new ufrag and password, the remote
 * ufrag forgotten, the peer kept for media until a new pair is nominated, for
 * as long as consent lasts: a restart is none (RFC 7675 5.1).
 *
 * @return as mh_ice_start(); on an error the agent is as it was
 */
int mh_ice_restart(struct mh_ice *ice);

/*
 * Notes the ufrag from the peer's SDP; from now on requests under another
 * one are refused.  An offer to the browser is made before its ufrag is
 * known, so until then any is accepted (the password alone is ours).
 *
 * @return 0; EINVAL if it is empty or longer than MH_ICE_UFRAG_MAX
 */
int mh_ice_remote(struct mh_ice *ice, const struct pl *ufrag);

/*
 * Takes a datagram whose first byte is 0 to 3 (RFC 7983).
 *
 * Only a Binding request gets an answer:
 *   400  USERNAME or MESSAGE-INTEGRITY is missing, USERNAME has no colon
 *   401  no such ufrag, another remote ufrag, or the integrity is wrong
 *   420  a comprehension-required attribute is unknown
 *   487  ICE-CONTROLLED: we are lite, the other must control (RFC 8445 7.3)
 *        (signed: it comes after the integrity was checked)
 *   success  XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT
 * All replies carry FINGERPRINT; success and 487 also integrity.
 * Everything else (no or bad FINGERPRINT, indications, responses, other
 * methods) is dropped.
 *
 * @param p     datagram
 * @param len   its bytes
 * @param src   where it came from
 * @param now   ms of the caller's monotonic clock
 * @param find  gives the agent for a ufrag; called at most once
 * @param arg   for find
 * @param out   room for the reply, at least MH_ICE_REPLY_MAX bytes
 * @param size  its size
 * @param outn  out: bytes of the reply to send to src; 0 = none
 * @param ev    out: always written
 *
 * @return 0 if there is a reply (success or error, see ev->error);
 *         EBADMSG, ENOSYS, ENOMEM, EALREADY (one of the last MH_ICE_SEEN
 *         checks, from another source): drop it without a reply
 */
int mh_ice_input(const uint8_t *p, size_t len, const struct sa *src,
    uint64_t now, mh_ice_find_h *find, void *arg, uint8_t *out, size_t size,
    size_t *outn, struct mh_ice_event *ev);

/*
 * The caller follows a later nomination (RFC 8445 8.2, 12.1.1): from now on
 * src is the peer whose checks are consent.  The first one is followed by
 * mh_ice_input() itself.
 */
void mh_ice_select(struct mh_ice *ice, const struct sa *src, uint64_t now);

/*
 * Whether consent is gone: nothing authentic heard for mh_ice_consent_ms()
 * (RFC 7675 5.1).
 */
bool mh_ice_expired(const struct mh_ice *ice, uint64_t now);

/* How long consent lasts in this process; before the first agent is made */
void mh_ice_consent_set(uint64_t ms);

/* @return that, MH_ICE_CONSENT_MS unless it was set */
uint64_t mh_ice_consent_ms(void);

/*
 * Writes len random characters of the ICE alphabet (RFC 8839 5.4: letters,
 * digits, plus and slash; 6 bits each) and a NUL.
 *
 * @param buf  room for len + 1 bytes
 * @param len  1 to 256
 *
 * @return 0, EINVAL, or what getrandom(2) said
 */
int mh_ice_random(char *buf, size_t len);


#endif /* MH_ICE_H */
