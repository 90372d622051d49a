
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * ICE-lite.  One function takes a Binding request from the wire to a reply;
 * no timer, no socket.  libre decodes, checks and encodes STUN; what a lite
 * agent has to decide (RFC 8445 7.3) is here.
 *
 *     datagram -> FINGERPRINT -> request? -> USERNAME, INTEGRITY there?
 *              -> ufrag known? -> integrity right? -> unknown attributes?
 *              -> role conflict? -> success, consent, nomination
 */


#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "mh_ice.h"


enum {
    MH_ICE_INTEGRITY_SHA256 = 0x001c    /* RFC 8489 14.6 */
};


static int mh_ice_request(struct stun_msg *msg,
    const struct stun_unknown_attr *unknown, const struct sa *src,
    uint64_t now, mh_ice_find_h *find, void *arg, struct mbuf *mb,
    struct mh_ice_event *ev);
static bool mh_ice_covered(const uint8_t *p, size_t len);
static bool mh_ice_replayed(struct mh_ice *ice, const uint8_t *tid,
    const struct sa *src);
static struct mh_ice *mh_ice_find(const char *username, mh_ice_find_h *find,
    void *arg);
static int mh_ice_error(struct mbuf *mb, const struct stun_msg *msg,
    uint16_t code, const char *reason, const struct mh_ice *ice,
    const struct stun_unknown_attr *unknown, struct mh_ice_event *ev);
static void mh_ice_consent(struct mh_ice *ice, const struct sa *src,
    uint64_t now, struct mh_ice_event *ev);


static uint64_t  mh_ice_lasts = MH_ICE_CONSENT_MS;


int
mh_ice_random(char *buf, size_t len)
{
    size_t             i;
    uint8_t            bytes[256];
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    if (len < 1 || len > sizeof(bytes)) {
        return EINVAL;
    }

    /* up to 256 bytes come whole and are not interrupted (random(4)) */

    if (getrandom(bytes, len, 0) != (ssize_t) len) {
        return errno ? errno : EIO;
    }

    for (i = 0; i < len; i++) {
        buf[i] = alphabet[bytes[i] & 0x3f];
    }

    buf[len] = '\0';

    return 0;
}


int
mh_ice_start(struct mh_ice *ice, uint64_t now)
{
    int  err;

    memset(ice, 0, sizeof(*ice));

    err = mh_ice_random(ice->ufrag, MH_ICE_UFRAG_LEN);
    if (err) {
        return err;
    }

    err = mh_ice_random(ice->pwd, MH_ICE_PWD_LEN);
    if (err) {
        return err;
    }

    ice->heard = now;

    return 0;
}


int
mh_ice_restart(struct mh_ice *ice)
{
    int   err;
    char  ufrag[MH_ICE_UFRAG_LEN + 1], pwd[MH_ICE_PWD_LEN + 1];

    err = mh_ice_random(ufrag, MH_ICE_UFRAG_LEN);
    if (err) {
        return err;
    }

    err = mh_ice_random(pwd, MH_ICE_PWD_LEN);
    if (err) {
        return err;
    }

    memcpy(ice->ufrag, ufrag, sizeof(ufrag));
    memcpy(ice->pwd, pwd, sizeof(pwd));

    ice->rufrag[0] = '\0';

    return 0;
}


int
mh_ice_remote(struct mh_ice *ice, const struct pl *ufrag)
{
    if (ufrag->l == 0 || ufrag->l > MH_ICE_UFRAG_MAX) {
        return EINVAL;
    }

    memcpy(ice->rufrag, ufrag->p, ufrag->l);
    ice->rufrag[ufrag->l] = '\0';

    return 0;
}


int
mh_ice_input(const uint8_t *p, size_t len, const struct sa *src,
    uint64_t now, mh_ice_find_h *find, void *arg, uint8_t *out, size_t size,
    size_t *outn, struct mh_ice_event *ev)
{
    int                       err;
    struct mbuf              *mb, *reply;
    struct stun_msg          *msg;
    struct stun_unknown_attr  unknown;

    *outn = 0;
    memset(ev, 0, sizeof(*ev));

    mb = NULL;
    msg = NULL;
    reply = NULL;

    /*
     * Cheaper than an allocation, and most of what is not STUN ends here.
     * libre's decoder would accept bytes behind the message.
     */

    if (len < STUN_HEADER_SIZE || len > MH_ICE_REQUEST_MAX || p[0] > 3
        || (size_t) (p[2] << 8 | p[3]) != len - STUN_HEADER_SIZE
        || len % 4)
    {
        return EBADMSG;
    }

    mb = mbuf_alloc(len);
    reply = mbuf_alloc(MH_ICE_REPLY_MAX);

    if (mb == NULL || reply == NULL) {
        err = ENOMEM;
        goto out;
    }

    err = mbuf_write_mem(mb, p, len);
    if (err) {
        goto out;
    }

    mb->pos = 0;

    err = stun_msg_decode(&msg, mb, &unknown);
    if (err) {
        err = (err == ENOMEM) ? ENOMEM : EBADMSG;
        goto out;
    }

    if (!stun_msg_mcookie(msg) || stun_msg_chk_fingerprint(msg) != 0
        || !mh_ice_covered(p, len))
    {
        err = EBADMSG;
        goto out;
    }

    if (stun_msg_method(msg) != STUN_METHOD_BINDING
        || stun_msg_class(msg) != STUN_CLASS_REQUEST)
    {
        err = ENOSYS;
        goto out;
    }

    err = mh_ice_request(msg, &unknown, src, now, find, arg, reply, ev);
    if (err) {
        goto out;
    }

    if (reply->end > size) {
        err = ENOMEM;
        goto out;
    }

    memcpy(out, reply->buf, reply->end);
    *outn = reply->end;

out:

    mem_deref(msg);
    mem_deref(mb);
    mem_deref(reply);

    return err;
}


/*
 * What stands behind MESSAGE-INTEGRITY is not covered by it, but for libre
 * an attribute is an attribute: a stranger could put USE-CANDIDATE there.
 * Only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT belong there (RFC 8489
 * 14.5); nobody sends more.
 */

static bool
mh_ice_covered(const uint8_t *p, size_t len)
{
    bool      signed_;
    size_t    pos;
    uint16_t  type;

    signed_ = false;

    for (pos = STUN_HEADER_SIZE; pos + 4 <= len;
         pos += 4 + (((size_t) p[pos + 2] << 8 | p[pos + 3]) + 3) / 4 * 4)
    {
        type = (uint16_t) (p[pos] << 8 | p[pos + 1]);

        if (signed_ && type != STUN_ATTR_FINGERPRINT
            && type != MH_ICE_INTEGRITY_SHA256)
        {
            return false;
        }

        if (type == STUN_ATTR_MSG_INTEGRITY) {
            signed_ = true;
        }
    }

    return true;
}


/* ME-3, RFC 8445 7.3, RFC 8489 9.1.3 and 6.3.1 */

static int
mh_ice_request(struct stun_msg *msg, const struct stun_unknown_attr *unknown,
    const struct sa *src, uint64_t now, mh_ice_find_h *find, void *arg,
    struct mbuf *mb, struct mh_ice_event *ev)
{
    const char        *username, *colon;
    struct mh_ice     *ice;
    struct stun_attr  *attr;

    attr = stun_msg_attr(msg, STUN_ATTR_USERNAME);
    username = attr ? attr->v.username : NULL;
    colon = username ? strchr(username, ':') : NULL;

    if (colon == NULL || stun_msg_attr(msg, STUN_ATTR_MSG_INTEGRITY) == NULL) {
        return mh_ice_error(mb, msg, 400, "Bad Request", NULL, NULL, ev);
    }

    ice = mh_ice_find(username, find, arg);

    /*
     * The same answer whether the ufrag or the password is wrong; it is not
     * signed, there being no key that both know (RFC 8489 9.1.3).
     */

    if (ice == NULL
        || stun_msg_chk_mi(msg, (const uint8_t *) ice->pwd,
                           strlen(ice->pwd)) != 0
        || (ice->rufrag[0] && strcmp(colon + 1, ice->rufrag) != 0))
    {
        if (ice) {
            ice->refused++;
        }

        return mh_ice_error(mb, msg, 401, "Unauthorized", NULL, NULL, ev);
    }

    ev->ice = ice;

    if (unknown->typec) {
        ice->refused++;
        return mh_ice_error(mb, msg, 420, "Unknown Attribute", ice, unknown,
                            ev);
    }

    if (stun_msg_attr(msg, STUN_ATTR_CONTROLLED)) {
        ice->refused++;
        return mh_ice_error(mb, msg, 487, "Role Conflict", ice, NULL, ev);
    }

    if (mh_ice_replayed(ice, stun_msg_tid(msg), src)) {
        ice->refused++;
        return EALREADY;
    }

    attr = stun_msg_attr(msg, STUN_ATTR_PRIORITY);

    ev->priority = attr ? attr->v.priority : 0;
    ev->nominated = (stun_msg_attr(msg, STUN_ATTR_USE_CAND) != NULL);
    ev->authentic = true;

    mh_ice_consent(ice, src, now, ev);

    return stun_msg_encode(mb, STUN_METHOD_BINDING, STUN_CLASS_SUCCESS_RESP,
                           stun_msg_tid(msg), NULL,
                           (const uint8_t *) ice->pwd, strlen(ice->pwd),
                           true, 0, 1, STUN_ATTR_XOR_MAPPED_ADDR, src);
}


/*
 * A check that somebody captured and sends from his own address would take
 * the media there.  A retransmission comes from where the first one came
 * from (RFC 8489 6.2.1).
 */

static bool
mh_ice_replayed(struct mh_ice *ice, const uint8_t *tid, const struct sa *src)
{
    uint32_t  hash, from;
    unsigned  i;

    hash = hash_joaat(tid, STUN_TID_SIZE);
    from = sa_hash(src, SA_ALL);
    from = (uint16_t) (from ^ from >> 16);

    for (i = 0; i < MH_ICE_SEEN && i < ice->checks; i++) {

        if (ice->seen_tid[i] == hash) {
            return ice->seen_src[i] != from;
        }
    }

    i = ice->checks % MH_ICE_SEEN;
    ice->seen_tid[i] = hash;
    ice->seen_src[i] = (uint16_t) from;

    return false;
}


/* the handler sees nothing that is no ufrag */

static struct mh_ice *
mh_ice_find(const char *username, mh_ice_find_h *find, void *arg)
{
    struct pl  ufrag;

    ufrag.p = username;
    ufrag.l = strcspn(username, ":");

    if (ufrag.l == 0 || ufrag.l > MH_ICE_UFRAG_MAX) {
        return NULL;
    }

    return find(&ufrag, arg);
}


/* signed if ice is given; unknown are the attributes to name (420) */

static int
mh_ice_error(struct mbuf *mb, const struct stun_msg *msg, uint16_t code,
    const char *reason, const struct mh_ice *ice,
    const struct stun_unknown_attr *unknown, struct mh_ice_event *ev)
{
    size_t               keylen;
    const uint8_t       *key;
    struct stun_errcode  ec;

    ev->error = code;

    ec.code = code;
    ec.reason = (char *) reason;

    key = ice ? (const uint8_t *) ice->pwd : NULL;
    keylen = ice ? strlen(ice->pwd) : 0;

    return stun_msg_encode(mb, STUN_METHOD_BINDING, STUN_CLASS_ERROR_RESP,
                           stun_msg_tid(msg), &ec, key, keylen, true, 0,
                           1, STUN_ATTR_UNKNOWN_ATTR, unknown);
}


/*
 * RFC 7675 5.1: an authenticated request from the peer renews consent.
 * Before a selection any source counts, and after it the peer's own; whether
 * one that is nominated later becomes the peer is for the caller to say.
 */

static void
mh_ice_consent(struct mh_ice *ice, const struct sa *src, uint64_t now,
    struct mh_ice_event *ev)
{
    bool  same;

    ice->checks++;

    same = ice->selected && sa_cmp(&ice->peer, src, SA_ALL);

    if (ev->nominated && !ice->selected) {
        sa_cpy(&ice->peer, src);

        ice->selected = true;
        ice->priority = ev->priority;

        ev->selected = true;
        same = true;
    }

    if (same || !ice->selected) {
        ice->heard = now;
    }
}


void
mh_ice_select(struct mh_ice *ice, const struct sa *src, uint64_t now)
{
    sa_cpy(&ice->peer, src);

    ice->selected = true;
    ice->heard = now;
}


bool
mh_ice_expired(const struct mh_ice *ice, uint64_t now)
{
    return now > ice->heard && now - ice->heard > mh_ice_lasts;
}


void
mh_ice_consent_set(uint64_t ms)
{
    mh_ice_lasts = ms;
}


uint64_t
mh_ice_consent_ms(void)
{
    return mh_ice_lasts;
}
