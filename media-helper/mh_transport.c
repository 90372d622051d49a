
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns one browser's transport: pairs, DTLS, SRTP.
 *
 *     check passed -> path -> nominated -> DTLS -> fingerprint -> keys
 *
 * Nothing of the media passes before the last step.  The SSL object is
 * released MH_WEB_RELEASE_MS after it; see mh_web.c for the tick.
 */


#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_clock.h"
#include "mh_transport.h"


static void mh_transport_destroy(void *data);
static void mh_transport_dtls_set(struct mh_transport *t,
    enum mh_dtls_role role, struct mh_dtls *dtls);
static void mh_transport_move(struct mh_transport *t, struct mh_path *path);
static void mh_transport_dtls_start(struct mh_transport *t);
static int mh_transport_protect(struct mh_transport *t, uint8_t *buf,
    size_t *len, bool rtcp, struct mh_path **pathp);
static void mh_transport_send_h(const uint8_t *buf, size_t len, void *arg);
static void mh_transport_estab_h(const struct mh_dtls_keys *keys, void *arg);
static void mh_transport_close_h(int err, const char *reason, void *arg);


static const struct mh_dtls_handlers  mh_transport_dtls_handlers = {
    mh_transport_send_h,
    mh_transport_estab_h,
    mh_transport_close_h
};


int
mh_transport_alloc(struct mh_transport **tp, struct mh_web *web,
    mh_transport_media_h *mediah, mh_transport_state_h *stateh, void *arg)
{
    int                   err;
    struct mh_transport  *t;

    t = mem_zalloc(sizeof(*t), mh_transport_destroy);
    if (t == NULL) {
        return ENOMEM;
    }

    err = mh_ice_start(&t->ice, mh_clock());
    if (err) {
        mem_deref(t);
        return err;
    }

    t->web = mem_ref(web);
    t->mediah = mediah;
    t->stateh = stateh;
    t->arg = arg;

    hash_append(web->ufrags, hash_joaat_str(t->ice.ufrag), &t->he, t);
    web->stat.transports++;

    *tp = t;

    return 0;
}


const struct mh_ice *
mh_transport_ice(const struct mh_transport *t)
{
    return &t->ice;
}


int
mh_transport_remote(struct mh_transport *t, const struct pl *ufrag)
{
    return mh_ice_remote(&t->ice, ufrag);
}


bool
mh_transport_is(const struct mh_transport *t, const struct pl *ufrag)
{
    return pl_strcmp(ufrag, t->ice.rufrag) == 0
           || (t->former != NULL
               && pl_strcmp(ufrag, t->former->rufrag) == 0);
}


int
mh_transport_ice_restart(struct mh_transport *t)
{
    int             err;
    struct mh_ice  *former;

    former = mem_alloc(sizeof(*former), NULL);
    if (former == NULL) {
        return ENOMEM;
    }

    *former = t->ice;

    err = mh_ice_restart(&t->ice);
    if (err) {
        mem_deref(former);
        return err;
    }

    hash_unlink(&t->he);
    hash_append(t->web->ufrags, hash_joaat_str(t->ice.ufrag), &t->he, t);

    /* of several restarts in a row the pair in use belongs to the first */

    if (t->former != NULL) {
        mem_deref(former);
        return 0;
    }

    t->former = former;
    hash_append(t->web->ufrags, hash_joaat_str(former->ufrag), &t->former_he,
                t);

    return 0;
}


bool
mh_transport_ice_rollback(struct mh_transport *t, const struct pl *ufrag)
{
    if (t->former == NULL || pl_strcmp(ufrag, t->former->rufrag) != 0) {
        return false;
    }

    t->ice = *t->former;
    mh_transport_restarted(t);

    hash_unlink(&t->he);
    hash_append(t->web->ufrags, hash_joaat_str(t->ice.ufrag), &t->he, t);

    return true;
}


void
mh_transport_restarted(struct mh_transport *t)
{
    hash_unlink(&t->former_he);
    t->former = mem_deref(t->former);
}


int
mh_transport_dtls(struct mh_transport *t, enum mh_dtls_role role,
    const char *hash, const char *value, bool anew)
{
    int              err;
    struct mh_dtls  *dtls;

    if (t->dtls != NULL && t->role == role && !anew) {

        if (mh_dtls_fingerprint_known(t->dtls, hash, value)) {
            return 0;
        }

        if (!mh_dtls_established(t->dtls)
            && t->state != MH_TRANSPORT_FAILED)
        {
            /* it began before the answer came: now we know whom to expect */

            return mh_dtls_fingerprint_add(t->dtls, hash, value);
        }
    }

    /* the one we have stays if the new one cannot be */

    err = mh_dtls_alloc(&dtls, t->web->dtls, role,
                        &mh_transport_dtls_handlers, t);
    if (err) {
        return err;
    }

    err = mh_dtls_fingerprint_add(dtls, hash, value);
    if (err) {
        mem_deref(dtls);
        return err;
    }

    mh_transport_dtls_set(t, role, dtls);

    if (t->path != NULL) {
        t->state = t->rx ? MH_TRANSPORT_UP : MH_TRANSPORT_PATH;

    } else {
        t->state = MH_TRANSPORT_NEW;
    }

    mh_transport_dtls_start(t);
    mh_io_flush(t->web->io);

    return 0;
}


int
mh_transport_fingerprint(struct mh_transport *t, const char *hash,
    const char *value)
{
    if (t->dtls == NULL) {
        return ENOTCONN;
    }

    return mh_dtls_fingerprint_add(t->dtls, hash, value);
}


bool
mh_transport_knows(const struct mh_transport *t, const char *hash,
    const char *value)
{
    return t->dtls != NULL && mh_dtls_fingerprint_known(t->dtls, hash, value);
}


bool
mh_transport_role(const struct mh_transport *t, enum mh_dtls_role *role)
{
    if (t->dtls == NULL) {
        return false;
    }

    *role = t->role;

    return true;
}


int
mh_transport_send(struct mh_transport *t, uint8_t *buf, size_t len,
    bool rtcp)
{
    int              err;
    struct mh_path  *path;

    err = mh_transport_protect(t, buf, &len, rtcp, &path);

    if (err == 0) {
        mh_path_send_ref(path, buf, len, NULL);
    }

    return err;
}


int
mh_transport_send_video(struct mh_transport *t, uint8_t *buf, size_t *len)
{
    int              err;
    struct mh_path  *path;

    err = mh_transport_protect(t, buf, len, false, &path);

    if (err == 0) {
        mh_path_send_ref(path, buf, *len, path->ws->video);
    }

    return err;
}


int
mh_transport_send_copy(struct mh_transport *t, uint8_t *buf, size_t len,
    bool rtcp)
{
    int              err;
    struct mh_path  *path;

    err = mh_transport_protect(t, buf, &len, rtcp, &path);

    if (err == 0) {
        mh_path_send(path, buf, len, NULL);
    }

    return err;
}


void
mh_transport_resend_video(struct mh_transport *t, const uint8_t *buf,
    size_t len)
{
    struct mh_path  *path;

    path = t->path ? t->path : t->dtls_path;

    /* it needs consent as the first time (RFC 7675 5.1) */

    if (path != NULL && t->tx != NULL
        && !mh_transport_expired(t, mh_io_now(t->web->io)))
    {
        mh_path_send(path, buf, len, path->ws->video);
    }
}


unsigned
mh_transport_keys(const struct mh_transport *t)
{
    return t->keys;
}


static int
mh_transport_protect(struct mh_transport *t, uint8_t *buf, size_t *len,
    bool rtcp, struct mh_path **pathp)
{
    int     err;
    size_t  size;

    /*
     * Before the nomination there may be a pair that was checked and that
     * the browser already speaks DTLS on: good enough for the first packets.
     */

    *pathp = t->path ? t->path : t->dtls_path;

    /* without consent nothing may be sent (RFC 7675 5.1) */

    if (*pathp == NULL || t->tx == NULL
        || mh_transport_expired(t, mh_io_now(t->web->io)))
    {
        t->stat.send_errors++;
        return ENOTCONN;
    }

    size = *len + MH_SRTP_OVERHEAD_MAX;

    err = rtcp ? mh_srtp_protect_rtcp(t->tx, buf, len, size)
               : mh_srtp_protect(t->tx, buf, len, size);
    if (err) {
        t->stat.send_errors++;
    }

    return err;
}


enum mh_transport_state
mh_transport_state(const struct mh_transport *t)
{
    return t->state;
}


bool
mh_transport_expired(const struct mh_transport *t, uint64_t now)
{
    return mh_ice_expired(&t->ice, now)
           && (t->former == NULL || mh_ice_expired(t->former, now));
}


const struct sa *
mh_transport_peer(const struct mh_transport *t)
{
    return t->path ? &t->path->addr : NULL;
}


const char *
mh_transport_suite(const struct mh_transport *t)
{
    if (t->rx == NULL) {
        return "";
    }

    switch (t->profile) {

    case MH_SRTP_AES_CM_128_HMAC_SHA1_80:
        return "AES_CM_128_HMAC_SHA1_80";

    case MH_SRTP_AES_CM_128_HMAC_SHA1_32:
        return "AES_CM_128_HMAC_SHA1_32";

    case MH_SRTP_AEAD_AES_128_GCM:
        return "AEAD_AES_128_GCM";

    case MH_SRTP_AEAD_AES_256_GCM:
        return "AEAD_AES_256_GCM";
    }

    return "";
}


const struct mh_transport_stat *
mh_transport_stat(const struct mh_transport *t)
{
    return &t->stat;
}


void
mh_transport_nominated(struct mh_transport *t, struct mh_path *path,
    bool sure)
{
    if (t->path != NULL && t->state == MH_TRANSPORT_UP && !sure
        && mh_io_now(t->web->io) < t->path->heard + MH_WEB_HOLD_MS)
    {
        t->wanted = path;
        return;
    }

    mh_transport_move(t, path);
}


static void
mh_transport_move(struct mh_transport *t, struct mh_path *path)
{
    t->path = path;
    t->wanted = NULL;

    mh_ice_select(&t->ice, &path->addr, mh_io_now(t->web->io));

    if (t->former != NULL) {
        mh_ice_select(t->former, &path->addr, mh_io_now(t->web->io));
    }

    if (t->state == MH_TRANSPORT_NEW) {
        t->state = MH_TRANSPORT_PATH;
    }

    if (t->dtls != NULL) {
        mh_transport_dtls_start(t);
    }
}


void
mh_transport_dtls_recv(struct mh_transport *t, struct mh_path *path,
    const uint8_t *buf, size_t len)
{
    struct mh_dtls  *dtls;

    if (t->dtls == NULL) {

        /*
         * We offered actpass and the answer is still on its way: who sends
         * a ClientHello has chosen to be active (RFC 5763 5).
         */

        if (mh_dtls_alloc(&dtls, t->web->dtls, MH_DTLS_PASSIVE,
                          &mh_transport_dtls_handlers, t)
            != 0)
        {
            return;
        }

        mh_transport_dtls_set(t, MH_DTLS_PASSIVE, dtls);
    }

    t->dtls_path = path;

    (void) mh_dtls_recv(t->dtls, buf, len);
}


void
mh_transport_media_recv(struct mh_transport *t, struct mh_path *path,
    uint8_t *buf, size_t len)
{
    int   err;
    bool  rtcp;

    if (t->rx == NULL || len < 12) {
        t->stat.bad++;
        return;
    }

    /* RFC 5761 4 */

    rtcp = (buf[1] >= 192 && buf[1] <= 223);

    err = rtcp ? mh_srtp_unprotect_rtcp(t->rx, buf, &len)
               : mh_srtp_unprotect(t->rx, buf, &len);

    switch (err) {

    case 0:

        if (path == t->wanted) {
            mh_transport_move(t, path);
        }

        t->mediah(buf, len, rtcp, t->arg);
        return;

    case EACCES:
        t->stat.auth_errors++;
        return;

    case EALREADY:
        t->stat.replays++;
        return;

    case ENOSPC:
        t->stat.ssrcs_refused++;
        return;

    default:
        t->stat.bad++;
    }
}


void
mh_transport_tick(struct mh_transport *t, uint64_t now)
{
    if (t->release_at) {

        if (now < t->release_at) {
            return;
        }

        t->release_at = 0;
        mh_dtls_release(t->dtls);
        t->web->released++;
        list_unlink(&t->busy_le);

        return;
    }

    if (mh_dtls_timeout(t->dtls) == 0) {
        mh_dtls_tick(t->dtls);
    }
}


static void
mh_transport_destroy(void *data)
{
    struct mh_transport  *t = data;

    if (t->web == NULL) {
        return;
    }

    t->path = NULL;
    t->wanted = NULL;
    t->dtls_path = NULL;

    list_flush(&t->paths);
    list_unlink(&t->busy_le);
    hash_unlink(&t->he);
    hash_unlink(&t->former_he);

    mem_deref(t->former);
    mem_deref(t->dtls);
    mem_deref(t->rx);
    mem_deref(t->tx);

    t->web->stat.transports--;
    mem_deref(t->web);
}


static void
mh_transport_dtls_set(struct mh_transport *t, enum mh_dtls_role role,
    struct mh_dtls *dtls)
{
    mem_deref(t->dtls);

    t->dtls = dtls;
    t->role = role;
    t->release_at = 0;
    t->dtls_path = NULL;

    if (t->busy_le.list == NULL) {
        list_append(&t->web->busy, &t->busy_le, t);
    }
}


static void
mh_transport_dtls_start(struct mh_transport *t)
{
    if (t->role == MH_DTLS_ACTIVE && t->path != NULL) {
        (void) mh_dtls_start(t->dtls);
    }
}


static void
mh_transport_send_h(const uint8_t *buf, size_t len, void *arg)
{
    struct mh_path       *path;
    struct mh_transport  *t = arg;

    /* back to where the peer's DTLS comes from, checked as that pair is */

    path = t->dtls_path ? t->dtls_path : t->path;

    if (path == NULL) {
        return;
    }

    mh_path_send(path, buf, len, NULL);
}


static void
mh_transport_estab_h(const struct mh_dtls_keys *keys, void *arg)
{
    int                   err;
    struct mh_srtp       *rx, *tx;
    struct mh_transport  *t = arg;

    tx = NULL;
    t->release_at = mh_clock() + MH_WEB_RELEASE_MS;

    err = mh_srtp_alloc(&rx, MH_SRTP_UNPROTECT, keys->profile,
                        keys->remote_key, keys->remote_salt);
    if (err) {
        goto failed;
    }

    err = mh_srtp_alloc(&tx, MH_SRTP_PROTECT, keys->profile,
                        keys->local_key, keys->local_salt);
    if (err) {
        mem_deref(rx);
        goto failed;
    }

    mem_deref(t->rx);
    mem_deref(t->tx);

    t->rx = rx;
    t->tx = tx;
    t->keys = ++t->web->keys;
    t->profile = keys->profile;
    t->state = MH_TRANSPORT_UP;

    t->stateh(0, "", t->arg);

    return;

failed:

    /* the peer has the new keys and takes nothing under the old ones */

    t->rx = mem_deref(t->rx);
    t->tx = mem_deref(t->tx);
    t->state = MH_TRANSPORT_FAILED;
    t->stateh(err, "no srtp context", t->arg);
}


static void
mh_transport_close_h(int err, const char *reason, void *arg)
{
    struct mh_transport  *t = arg;

    /* torn down at once (RFC 5763 5): neither direction passes any more */

    t->rx = mem_deref(t->rx);
    t->tx = mem_deref(t->tx);
    t->state = MH_TRANSPORT_FAILED;
    t->release_at = 0;

    list_unlink(&t->busy_le);

    t->stateh(err, reason, t->arg);
}
