/*
 * Copyright (C) the IMS portal authors
 *
 * The client's side of Digest authentication in SIP: a challenge is chosen,
 * kept for as long as its nonce serves, and answered (RFC 2617, RFC 7616,
 * RFC 8760; with AKA: RFC 3310, RFC 4169).  MD5, SHA-256, SHA-512-256, qop
 * "auth" or none.  Pure, beside libcrypto.
 */


#ifndef _NGX_IMS_DIGEST_H_INCLUDED_
#define _NGX_IMS_DIGEST_H_INCLUDED_


#include "ngx_ims_sip.h"
#include "ngx_ims_aka.h"


/* results; the values are those of NGX_OK, NGX_ERROR and NGX_DECLINED */
enum {
    NGX_IMS_DIGEST_OK = 0,
    NGX_IMS_DIGEST_ERROR = -1,           /* no space, or libcrypto failed */
    NGX_IMS_DIGEST_DECLINED = -5         /* no challenge that we can answer */
};


enum {
    NGX_IMS_DIGEST_TEXT = 1024,          /* realm, nonce, opaque: together */
    NGX_IMS_DIGEST_CNONCE = 32,          /* bytes of one that is made here */
    NGX_IMS_DIGEST_LINE = 3072           /* room for any line that is made */
};


typedef enum {
    NGX_IMS_SECRET_PASSWORD = 0,
    NGX_IMS_SECRET_HA1,                  /* 32 hex digits MD5, 64 SHA-256 */
    NGX_IMS_SECRET_AKA
} ngx_ims_secret_kind_e;


/* what proves an IMPI; all that it points at is the owner's */
typedef struct {
    ngx_ims_secret_kind_e  kind;
    ngx_ims_str_t          value;        /* password, or HA1 in lower case */
    const unsigned char   *k;            /* AKA: NGX_IMS_AKA_KEY bytes */
    const unsigned char   *opc;
    ngx_ims_aka_sqn_t     *sqn;          /* highest accepted, is updated */
} ngx_ims_secret_t;


typedef enum {
    NGX_IMS_DIGEST_NONE = 0,             /* no challenge is kept */
    NGX_IMS_DIGEST_MD5,                  /* in rising strength */
    NGX_IMS_DIGEST_SHA256,
    NGX_IMS_DIGEST_SHA512_256
} ngx_ims_digest_hash_e;


/*
 * A challenge and how often it was answered: the nonce-count state.  Zeroed:
 * none.  It holds nothing secret and no pointers, so it may be copied;
 * ngx_ims_digest_size() bytes of it suffice.
 */
typedef struct {
    unsigned char        hash;           /* ngx_ims_digest_hash_e */
    unsigned char        aka;            /* version: 0, 1, 2 */
    unsigned             proxy:1;        /* Proxy-Authenticate */
    unsigned             named:1;        /* the challenge named an algorithm */
    unsigned             qop:1;
    unsigned             opaque:1;       /* there was one, maybe empty */
    unsigned             stale:1;
    unsigned             sync:1;         /* AKA: auts is to be sent */
    uint32_t             nc;             /* answers given with this nonce */
    uint16_t             realm_len;
    uint16_t             nonce_len;
    uint16_t             opaque_len;
    unsigned char        auts[NGX_IMS_AKA_AUTS];
    unsigned char        text[NGX_IMS_DIGEST_TEXT];
} ngx_ims_digest_t;


#define ngx_ims_digest_size(d)                                                \
    (offsetof(ngx_ims_digest_t, text) + (d)->realm_len + (d)->nonce_len       \
     + (d)->opaque_len)


/* the request that is answered for */
typedef struct {
    ngx_ims_str_t        method;         /* "INVITE" */
    ngx_ims_str_t        uri;            /* digest-uri: the Request-URI */
    ngx_ims_str_t        impi;           /* username */
    ngx_ims_str_t        cnonce;         /* empty: a random one */
} ngx_ims_digest_request_t;


/*
 * Reads the challenges of a 401 or 407 and keeps the strongest that the secret
 * can answer, with nc = 0.  With AKA this is the moment at which AUTN is
 * checked and its SQN taken; one that is not fresh is OK with d->sync set: the
 * answer asks the network to synchronize.
 *
 * m        the response; WWW-Authenticate counts in a 401, Proxy-Authenticate
 *          in a 407, the other when that is absent
 * realm    challenges of others are not answered; NULL or empty: of any
 *
 * Returns OK; DECLINED: none, none known (-sess, auth-int only), or AUTN is not
 * of who knows K; then d is zeroed.
 */
int ngx_ims_digest_challenge(ngx_ims_digest_t *d, const ngx_ims_sip_msg_t *m,
    const ngx_ims_secret_t *secret, const ngx_ims_str_t *realm);

/*
 * Writes "Authorization: Digest ..." or "Proxy-Authorization: Digest ..." with
 * its CRLF for a kept challenge, and raises nc.
 *
 * out      NGX_IMS_DIGEST_LINE bytes suit all but URIs of 1 KiB and more
 *
 * Returns OK with *len set; DECLINED: no challenge is kept, or the secret does
 * not fit it; ERROR: no room, or impi or uri cannot stand between quotes.
 */
int ngx_ims_digest_credentials(ngx_ims_digest_t *d,
    const ngx_ims_secret_t *secret, const ngx_ims_digest_request_t *r,
    unsigned char *out, size_t size, size_t *len);

/*
 * Both at once: answers the challenge of a response.  d keeps it, so that later
 * requests to the same realm may be answered before they are challenged.
 */
int ngx_ims_digest_answer(ngx_ims_digest_t *d, const ngx_ims_sip_msg_t *m,
    const ngx_ims_secret_t *secret, const ngx_ims_str_t *realm,
    const ngx_ims_digest_request_t *r, unsigned char *out, size_t size,
    size_t *len);

/*
 * A 2xx: takes the next nonce of its Authentication-Info or
 * Proxy-Authentication-Info, if there is one (RFC 7616 3.5).
 */
void ngx_ims_digest_next(ngx_ims_digest_t *d, const ngx_ims_sip_msg_t *m);


#endif /* _NGX_IMS_DIGEST_H_INCLUDED_ */
