
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the SDES keys of one stream and their SRTP objects.  No timer.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <re.h>
#include <openssl/crypto.h>

#include "mh_io.h"
#include "mh_keys.h"
#include "mh_srtp.h"


enum {
    MH_KEYS_PEERS = 4           /* of the peer that are remembered */
};


struct mh_keys_own {
    bool             set;
    uint8_t          key[MH_SDES_KEY];
    struct mh_srtp  *srtp;      /* NULL before the first use */
};


struct mh_keys_peer {
    struct mh_sdes_line  line;
    struct mh_srtp      *srtp;  /* NULL: this place is free */
    uint64_t             used;  /* when it was made current */
};


struct mh_keys {
    struct mh_keys_own    own[MH_SDES_SUITES];
    struct mh_keys_own    fresh;        /* for the answer, with a new key */
    struct mh_sdes_line   chosen;       /* of the peer's offer */
    bool                  pending;      /* chosen is set */
    struct mh_keys_peer   peers[MH_KEYS_PEERS];
    struct mh_keys_peer  *now;          /* whose packets are taken; NULL
                                           before the first key */
    struct mh_keys_peer  *before;       /* theirs too, until now has been
                                           heard; or NULL */
    struct mh_srtp       *tx;           /* one of own[] */
    unsigned              suite;        /* in use */
    uint64_t              clock;
    uint32_t              offered;      /* suites of our last offer */
    struct mh_keys_stat   stat;
};


static void mh_keys_destroy(void *data);
static int mh_keys_random(struct mh_keys_own *own);
static int mh_keys_use(struct mh_keys *k, const struct mh_sdes_line *line);
static struct mh_keys_peer *mh_keys_peer(struct mh_keys *k,
    const struct mh_sdes_line *line);
static struct mh_keys_peer *mh_keys_place(struct mh_keys *k);
static int mh_keys_open(const struct mh_keys_peer *peer, uint8_t *buf,
    size_t *len, bool rtcp);
static bool mh_keys_mki(const struct mh_sdes_line *line, uint8_t *buf,
    size_t *len, bool rtcp);
static int mh_keys_count(struct mh_keys *k, int err);


int
mh_keys_alloc(struct mh_keys **kp)
{
    struct mh_keys  *k;

    k = mem_zalloc(sizeof(*k), mh_keys_destroy);
    if (k == NULL) {
        return ENOMEM;
    }

    *kp = k;

    return 0;
}


int
mh_keys_offered(struct mh_keys *k, const struct pl *values, unsigned n,
    uint32_t suites)
{
    int                  err;
    unsigned             i;
    struct mh_sdes_line  line;

    k->pending = false;
    mem_deref(k->fresh.srtp);
    OPENSSL_cleanse(&k->fresh, sizeof(k->fresh));

    for (i = 0; i < n; i++) {

        if (mh_sdes_parse(&values[i], &line) == 0
            && (suites & 1u << line.suite))
        {
            break;
        }
    }

    if (i == n) {
        return ENOTSUP;
    }

    k->chosen = line;
    k->pending = true;
    err = 0;

    /* it has another key than before, so ours is made anew */

    if (k->now != NULL
        && (k->now->line.suite != line.suite
            || CRYPTO_memcmp(k->now->line.key, line.key,
                             mh_sdes_key_salt_len(line.suite)) != 0))
    {
        err = mh_keys_random(&k->fresh);

    } else if (!k->own[line.suite].set) {
        err = mh_keys_random(&k->own[line.suite]);
    }

    OPENSSL_cleanse(&line, sizeof(line));

    return err;
}


size_t
mh_keys_answer_text(const struct mh_keys *k, bool pad, char *buf)
{
    size_t               n;
    struct mh_sdes_line  line;

    memset(&line, 0, sizeof(line));
    line.tag = k->chosen.tag;
    line.suite = k->chosen.suite;

    memcpy(line.key, k->fresh.set ? k->fresh.key : k->own[line.suite].key,
           sizeof(line.key));

    n = mh_sdes_print(&line, pad, buf, MH_SDES_TEXT);

    OPENSSL_cleanse(&line, sizeof(line));

    return n;
}


int
mh_keys_accept(struct mh_keys *k)
{
    struct mh_keys_own  *own;

    if (!k->pending) {
        return EINVAL;
    }

    own = &k->own[k->chosen.suite];

    if (k->fresh.set) {

        /* the object of the old key goes with it */

        if (k->tx == own->srtp) {
            k->tx = NULL;
        }

        mem_deref(own->srtp);
        *own = k->fresh;
        OPENSSL_cleanse(&k->fresh, sizeof(k->fresh));
    }

    return mh_keys_use(k, &k->chosen);
}


int
mh_keys_offer_text(struct mh_keys *k, uint32_t suites, bool pad, char *buf,
    size_t *len)
{
    int                  err;
    size_t               n;
    unsigned             i;
    struct mh_sdes_line  line;

    if (k->tx != NULL) {
        suites |= 1u << k->suite;
    }

    if ((suites & MH_SDES_ALL) == 0) {
        suites = MH_SDES_OFFER;
    }

    memset(&line, 0, sizeof(line));
    k->offered = 0;
    n = 0;
    err = 0;

    for (i = 0; i < MH_SDES_SUITES && err == 0; i++) {

        if ((suites & 1u << i) == 0) {
            continue;
        }

        if (!k->own[i].set) {
            err = mh_keys_random(&k->own[i]);
        }

        line.tag = i + 1;
        line.suite = i;
        memcpy(line.key, k->own[i].key, sizeof(line.key));

        n += mh_sdes_print(&line, pad, buf + n, MH_KEYS_TEXT - n);
        k->offered |= 1u << i;
    }

    OPENSSL_cleanse(&line, sizeof(line));
    *len = n;

    return err;
}


int
mh_keys_fits(const struct mh_keys *k, const struct pl *values, unsigned n)
{
    int                  err;
    struct mh_sdes_line  line;

    /* one line, with the tag and the suite of one of ours (5.1.3) */

    if (n != 1 || mh_sdes_parse(&values[0], &line) != 0) {
        return EPROTO;
    }

    err = (line.tag == line.suite + 1 && (k->offered & 1u << line.suite))
          ? 0 : EPROTO;

    OPENSSL_cleanse(&line, sizeof(line));

    return err;
}


int
mh_keys_answered(struct mh_keys *k, const struct pl *values, unsigned n)
{
    int                  err;
    struct mh_sdes_line  line;

    err = mh_keys_fits(k, values, n);

    if (err == 0) {
        err = mh_sdes_parse(&values[0], &line);
    }

    if (err) {
        return EPROTO;
    }

    err = mh_keys_use(k, &line);

    OPENSSL_cleanse(&line, sizeof(line));

    return err;
}


int
mh_keys_protect(struct mh_keys *k, uint8_t *buf, size_t *len, bool rtcp)
{
    int  err;

    if (k->tx == NULL) {
        k->stat.send_errors++;
        return ENOTCONN;
    }

    err = rtcp ? mh_srtp_protect_rtcp(k->tx, buf, len, *len + MH_KEYS_ROOM)
               : mh_srtp_protect(k->tx, buf, len, *len + MH_KEYS_ROOM);
    if (err) {
        k->stat.send_errors++;
        k->stat.ssrcs_refused += (err == ENOSPC);
    }

    return err;
}


int
mh_keys_unprotect(struct mh_keys *k, uint8_t *buf, size_t *len, bool rtcp)
{
    int      err;
    size_t   n;
    uint8_t  copy[MH_IO_RECV];

    if (k->now == NULL || *len > sizeof(copy)) {
        return mh_keys_count(k, EBADMSG);
    }

    n = *len;

    if (k->before != NULL) {
        memcpy(copy, buf, n);
    }

    err = mh_keys_open(k->now, buf, len, rtcp);

    if (k->before == NULL) {
        return err ? mh_keys_count(k, err) : 0;
    }

    if (err != EACCES) {

        if (err == 0) {
            k->before = NULL;
        }

        return err ? mh_keys_count(k, err) : 0;
    }

    memcpy(buf, copy, n);
    *len = n;

    err = mh_keys_open(k->before, buf, len, rtcp);

    return err ? mh_keys_count(k, err) : 0;
}


const char *
mh_keys_suite(const struct mh_keys *k)
{
    return (k->tx != NULL) ? mh_sdes_name(k->suite) : "";
}


const struct mh_keys_stat *
mh_keys_stat(const struct mh_keys *k)
{
    return &k->stat;
}


static void
mh_keys_destroy(void *data)
{
    unsigned         i;
    struct mh_keys  *k = data;

    for (i = 0; i < MH_SDES_SUITES; i++) {
        mem_deref(k->own[i].srtp);
    }

    for (i = 0; i < MH_KEYS_PEERS; i++) {
        mem_deref(k->peers[i].srtp);
    }

    mem_deref(k->fresh.srtp);
    OPENSSL_cleanse(k, sizeof(*k));
}


static int
mh_keys_random(struct mh_keys_own *own)
{
    memset(own, 0, sizeof(*own));

    if (getrandom(own->key, sizeof(own->key), 0)
        != (ssize_t) sizeof(own->key))
    {
        return EIO;
    }

    own->set = true;

    return 0;
}


/* from now on: our key of that suite, and the peer's */

static int
mh_keys_use(struct mh_keys *k, const struct mh_sdes_line *line)
{
    int                   err;
    struct mh_keys_own   *own;
    struct mh_keys_peer  *peer;

    own = &k->own[line->suite];

    if (own->srtp == NULL) {
        err = mh_srtp_alloc(&own->srtp, MH_SRTP_PROTECT,
                            mh_sdes_profile(line->suite), own->key,
                            own->key + mh_sdes_key_len(line->suite));
        if (err) {
            return err;
        }
    }

    peer = mh_keys_peer(k, line);

    if (peer == NULL) {
        return ENOMEM;
    }

    if (peer != k->now) {
        k->before = k->now;
        k->now = peer;
        peer->used = ++k->clock;
    }

    k->tx = own->srtp;
    k->suite = line->suite;

    return 0;
}


/* the peer's key with its SRTP object, old or new; NULL without memory */

static struct mh_keys_peer *
mh_keys_peer(struct mh_keys *k, const struct mh_sdes_line *line)
{
    unsigned              i;
    struct mh_keys_peer  *p;

    for (i = 0; i < MH_KEYS_PEERS; i++) {
        p = &k->peers[i];

        if (p->srtp != NULL && p->line.suite == line->suite
            && CRYPTO_memcmp(p->line.key, line->key, sizeof(p->line.key))
               == 0)
        {
            p->line = *line;
            return p;
        }
    }

    p = mh_keys_place(k);

    if (p == k->before) {
        k->before = NULL;
    }

    p->srtp = mem_deref(p->srtp);

    if (mh_srtp_alloc(&p->srtp, MH_SRTP_UNPROTECT,
                      mh_sdes_profile(line->suite), line->key,
                      line->key + mh_sdes_key_len(line->suite)) != 0)
    {
        return NULL;
    }

    p->line = *line;

    return p;
}


/* a free place, else that of the oldest but the current one */

static struct mh_keys_peer *
mh_keys_place(struct mh_keys *k)
{
    unsigned              i;
    struct mh_keys_peer  *p, *oldest;

    oldest = NULL;

    for (i = 0; i < MH_KEYS_PEERS; i++) {
        p = &k->peers[i];

        if (p->srtp == NULL) {
            return p;
        }

        if (p != k->now && (oldest == NULL || p->used < oldest->used)) {
            oldest = p;
        }
    }

    return oldest;
}


static int
mh_keys_open(const struct mh_keys_peer *peer, uint8_t *buf, size_t *len,
    bool rtcp)
{
    int     err;
    size_t  n;

    n = *len;

    if (peer->line.mki_len && !mh_keys_mki(&peer->line, buf, &n, rtcp)) {
        return EACCES;
    }

    err = rtcp ? mh_srtp_unprotect_rtcp(peer->srtp, buf, &n)
               : mh_srtp_unprotect(peer->srtp, buf, &n);

    if (err == 0) {
        *len = n;
    }

    return err;
}


/*
 * Takes the MKI out, which no tag covers: it stands before the tag of HMAC
 * (RFC 3711 3.1, 3.4), at the end with AEAD (RFC 7714 8.2, 9.2).
 */

static bool
mh_keys_mki(const struct mh_sdes_line *line, uint8_t *buf, size_t *len,
    bool rtcp)
{
    size_t  tag;

    switch (mh_sdes_profile(line->suite)) {

    case MH_SRTP_AEAD_AES_128_GCM:
    case MH_SRTP_AEAD_AES_256_GCM:
        tag = 0;
        break;

    case MH_SRTP_AES_CM_128_HMAC_SHA1_32:
    case MH_SRTP_AES_CM_256_HMAC_SHA1_32:
        tag = rtcp ? 10 : 4;
        break;

    default:
        tag = 10;
    }

    if (*len < tag + line->mki_len) {
        return false;
    }

    *len -= line->mki_len;

    if (memcmp(buf + *len - tag, line->mki, line->mki_len) != 0) {
        return false;
    }

    memmove(buf + *len - tag, buf + *len - tag + line->mki_len, tag);

    return true;
}


static int
mh_keys_count(struct mh_keys *k, int err)
{
    switch (err) {

    case EACCES:
        k->stat.auth_errors++;
        break;

    case EALREADY:
        k->stat.replays++;
        break;

    case ENOSPC:
        k->stat.ssrcs_refused++;
        break;

    default:
        k->stat.bad++;
    }

    return err;
}
