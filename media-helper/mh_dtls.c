/*
 * Copyright (C) the IMS portal authors
 *
 * One DTLS association.  Called by the packet path (datagrams) and the call
 * (roles, fingerprints).
 *
 *     ICE path --> mh_dtls_recv() --> BIO read --+
 *                                                SSL --> exporter --> keys
 *     ICE path <-- send handler <--- BIO write --+
 *
 * The timers are OpenSSL's retransmission timer and that of an alert or a bad
 * message in the clear; mh_dtls_tick() drives both.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <re.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "mh_clock.h"
#include "mh_dtls.h"
#include "mh_dtls_bio.h"
#include "mh_dtls_ctx.h"
#include "mh_dtls_fp.h"
#include "mh_dtls_record.h"


enum {
    PARTING_MAX = 32                /* an alert is 15 octets */
};


enum dtls_state {
    STATE_NEW = 0,
    STATE_HANDSHAKE,
    STATE_CONNECTED,                /* waits for a fingerprint */
    STATE_ESTABLISHED,
    STATE_CLOSED
};


struct mh_dtls {
    struct mh_dtls_ctx       *ctx;
    enum mh_dtls_role         role;
    enum dtls_state           state;
    struct mh_dtls_handlers   h;
    void                     *arg;
    SSL                      *ssl;
    struct mh_dtls_bio        bio;
    int                       refused;    /* by the fingerprint */
    struct mh_dtls_fps        fps;        /* of the peer */
    uint8_t                  *flight;     /* length (2) and datagram, ... */
    size_t                    flight_len;
    unsigned                  repeats;
    uint64_t                  alert;      /* ms of mh_clock(): when it ends
                                             for an alert or a bad message,
                                             in the clear; or 0 */
    uint64_t                  again;      /* active: begins afresh then */
    const char               *bad;        /* what was wrong, or NULL */
    size_t                    parting_len;
    uint8_t                   parting[PARTING_MAX];   /* the alert about it,
                                             which would end the peer's */
};


/* keeps a datagram of what may become our last flight */

static void
flight_add(struct mh_dtls *d, const uint8_t *buf, size_t len)
{
    if (d->flight == NULL) {
        d->flight = mem_alloc(MH_DTLS_FLIGHT_MAX, NULL);
        if (d->flight == NULL) {
            return;
        }
    }

    if (len > MH_DTLS_FLIGHT_MAX - 2
        || d->flight_len > MH_DTLS_FLIGHT_MAX - 2 - len)
    {
        return;
    }

    d->flight[d->flight_len] = (uint8_t) (len >> 8);
    d->flight[d->flight_len + 1] = (uint8_t) len;
    memcpy(d->flight + d->flight_len + 2, buf, len);
    d->flight_len += 2 + len;
}


static void
flight_repeat(struct mh_dtls *d)
{
    size_t  pos, len;

    if (d->repeats == MH_DTLS_REPEATS) {
        return;
    }

    d->repeats++;

    for (pos = 0; pos < d->flight_len; pos += 2 + len) {
        len = (size_t) d->flight[pos] << 8 | d->flight[pos + 1];
        d->h.send(d->flight + pos + 2, len, d->arg);
    }
}


static void
dtls_write_h(const uint8_t *buf, size_t len, void *arg)
{
    struct mh_dtls  *d = arg;

    /* the peer's handshake goes on until ours is given up */

    if (d->state == STATE_HANDSHAKE && len <= PARTING_MAX
        && mh_dtls_record_fatal(buf, len))
    {
        memcpy(d->parting, buf, len);
        d->parting_len = len;
        return;
    }

    /* only the server's last flight can be asked for again (RFC 6347 4.2.4) */

    if (d->role == MH_DTLS_PASSIVE && d->state == STATE_HANDSHAKE) {
        flight_add(d, buf, len);
    }

    d->h.send(buf, len, d->arg);
}


int
mh_dtls_verify(X509_STORE_CTX *store, void *arg)
{
    SSL             *ssl;
    struct mh_dtls  *d;

    (void) arg;

    ssl = X509_STORE_CTX_get_ex_data(store,
                                     SSL_get_ex_data_X509_STORE_CTX_idx());
    d = SSL_get_app_data(ssl);

    if (d->fps.n != 0
        && !mh_dtls_fp_match(&d->fps, X509_STORE_CTX_get0_cert(store)))
    {
        /* the peer gets a bad_certificate alert */

        d->refused = 1;
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        return 0;
    }

    X509_STORE_CTX_set_error(store, X509_V_OK);

    return 1;
}


static void
dtls_close(struct mh_dtls *d, int err, const char *reason)
{
    if (d->state == STATE_CLOSED) {
        return;
    }

    d->state = STATE_CLOSED;
    d->flight = mem_deref(d->flight);
    d->flight_len = 0;

    SSL_free(d->ssl);
    d->ssl = NULL;

    if (d->parting_len != 0) {
        d->h.send(d->parting, d->parting_len, d->arg);
    }

    d->h.close(err, reason, d->arg);
}


/*
 * A bad message in the clear: anybody may have written it.  The handshake
 * begins once more, and has MH_DTLS_ALERT from the first of them.
 */

static void
dtls_afresh(struct mh_dtls *d, const char *reason)
{
    uint64_t  now;

    now = mh_clock();
    d->bad = reason;

    if (d->alert == 0) {
        d->alert = now + MH_DTLS_ALERT;

    } else if (now >= d->alert) {
        dtls_close(d, EPROTO, reason);
        return;
    }

    SSL_free(d->ssl);
    d->ssl = NULL;
    d->flight_len = 0;
    d->state = STATE_NEW;
    d->again = now + MH_DTLS_TIMEOUT_FIRST;
}


/* what an SSL function that returned ret < 1 means for the association */

static void
dtls_check(struct mh_dtls *d, int ret)
{
    int            reason;
    const char    *text;
    unsigned long  e;

    switch (SSL_get_error(d->ssl, ret)) {

    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return;

    case SSL_ERROR_ZERO_RETURN:
        dtls_close(d, ECONNRESET, "closed by the peer");
        return;

    default:
        break;
    }

    if (d->refused) {
        dtls_close(d, ECONNREFUSED,
                   "certificate does not match the fingerprint");
        return;
    }

    e = ERR_peek_last_error();
    reason = ERR_GET_REASON(e);
    text = ERR_reason_error_string(e);

    if (reason == SSL_R_READ_TIMEOUT_EXPIRED) {
        dtls_close(d, ETIMEDOUT, "no answer");

    } else if (reason > SSL_AD_REASON_OFFSET) {
        dtls_close(d, ECONNRESET, text ? text : "alert from the peer");

    } else if (d->state == STATE_HANDSHAKE) {
        dtls_afresh(d, text ? text : "handshake failed");

    } else {
        dtls_close(d, EPROTO, text ? text : "handshake failed");
    }
}


/* the handshake is done: is it the one we wait for? (ME-7, RFC 8122 5) */

static int
peer_match(const struct mh_dtls *d)
{
    int    match;
    X509  *cert;

    if (d->fps.n == 0) {
        return 0;
    }

    cert = SSL_get1_peer_certificate(d->ssl);
    match = mh_dtls_fp_match(&d->fps, cert);
    X509_free(cert);

    return match;
}


static void
dtls_establish(struct mh_dtls *d)
{
    int                  err;
    struct mh_dtls_keys  keys;

    err = mh_dtls_ctx_export(d->ssl, d->role, &keys);

    if (err) {
        dtls_close(d, err, "no common srtp profile");
        return;
    }

    d->state = STATE_ESTABLISHED;
    d->h.estab(&keys, d->arg);

    OPENSSL_cleanse(&keys, sizeof(keys));
}


static void
dtls_connected(struct mh_dtls *d)
{
    uint8_t  *flight;

    d->state = STATE_CONNECTED;
    d->parting_len = 0;

    if (d->flight != NULL) {
        flight = mem_realloc(d->flight, d->flight_len);
        if (flight != NULL) {
            d->flight = flight;
        }
    }

    /* mh_dtls_verify() has refused all that does not match */

    if (peer_match(d)) {
        dtls_establish(d);
    }
}


/* lets the SSL go on with what bio_read() has for it, if anything */

static void
dtls_run(struct mh_dtls *d)
{
    int   ret;
    char  ignored[64];

    ERR_clear_error();

    if (d->state == STATE_HANDSHAKE) {
        ret = SSL_do_handshake(d->ssl);

        if (ret == 1) {
            dtls_connected(d);

        } else {
            dtls_check(d, ret);
        }
    }

    /*
     * There is no application data in DTLS-SRTP: this is for alerts, and
     * for a Finished that the client repeats.  The SSL may be gone already.
     */

    while (d->ssl != NULL && d->state != STATE_HANDSHAKE) {
        ret = SSL_read(d->ssl, ignored, sizeof(ignored));

        if (ret <= 0) {
            dtls_check(d, ret);
            break;
        }
    }

    ERR_clear_error();
}


static unsigned
dtls_backoff(SSL *ssl, unsigned us)
{
    (void) ssl;

    if (us == 0) {
        return MH_DTLS_TIMEOUT_FIRST * 1000;
    }

    return (us < MH_DTLS_TIMEOUT_LAST * 1000 / 2)
           ? us * 2 : MH_DTLS_TIMEOUT_LAST * 1000;
}


static int
dtls_begin(struct mh_dtls *d)
{
    BIO  *bio;

    d->ssl = SSL_new(d->ctx->ssl_ctx);
    bio = mh_dtls_bio_new(d->ctx->method, &d->bio);

    if (d->ssl == NULL || bio == NULL) {
        SSL_free(d->ssl);
        d->ssl = NULL;
        BIO_free(bio);
        ERR_clear_error();
        return ENOMEM;
    }

    SSL_set_bio(d->ssl, bio, bio);
    SSL_set_app_data(d->ssl, d);
    SSL_set_mtu(d->ssl, MH_DTLS_MTU);
    SSL_set_max_cert_list(d->ssl, MH_DTLS_MESSAGE_MAX);
    DTLS_set_timer_cb(d->ssl, dtls_backoff);

    if (d->role == MH_DTLS_ACTIVE) {
        SSL_set_connect_state(d->ssl);

    } else {
        SSL_set_accept_state(d->ssl);
    }

    d->state = STATE_HANDSHAKE;

    return 0;
}


static void
dtls_destructor(void *arg)
{
    struct mh_dtls  *d = arg;

    SSL_free(d->ssl);
    mem_deref(d->flight);
    mem_deref(d->ctx);
}


int
mh_dtls_alloc(struct mh_dtls **dp, struct mh_dtls_ctx *ctx,
    enum mh_dtls_role role, const struct mh_dtls_handlers *h, void *arg)
{
    struct mh_dtls  *d;

    if (h->send == NULL || h->estab == NULL || h->close == NULL) {
        return EINVAL;
    }

    d = mem_zalloc(sizeof(*d), dtls_destructor);
    if (d == NULL) {
        return ENOMEM;
    }

    d->ctx = mem_ref(ctx);
    d->role = role;
    d->h = *h;
    d->arg = arg;
    d->bio.write = dtls_write_h;
    d->bio.arg = d;

    *dp = d;

    return 0;
}


int
mh_dtls_fingerprint_add(struct mh_dtls *d, const char *hash,
    const char *value)
{
    int  err;

    err = mh_dtls_fp_add(&d->fps, hash, value);
    if (err) {
        return err;
    }

    /* a mismatch is for the next tick: the SDP may have more of them */

    if (d->state == STATE_CONNECTED && peer_match(d)) {
        mem_ref(d);
        dtls_establish(d);
        mem_deref(d);
    }

    return 0;
}


int
mh_dtls_fingerprint_known(const struct mh_dtls *d, const char *hash,
    const char *value)
{
    return mh_dtls_fp_known(&d->fps, hash, value);
}


int
mh_dtls_start(struct mh_dtls *d)
{
    int  err;

    if (d->role != MH_DTLS_ACTIVE || d->state != STATE_NEW) {
        return 0;
    }

    err = dtls_begin(d);
    if (err) {
        return err;
    }

    mem_ref(d);
    dtls_run(d);
    mem_deref(d);

    return 0;
}


int
mh_dtls_recv(struct mh_dtls *d, const uint8_t *buf, size_t len)
{
    int      err, fatal;
    uint8_t  copy[MH_DTLS_RECORD_MAX];

    if (d->state == STATE_CLOSED) {
        return 0;
    }

    len = mh_dtls_record_trusted(&buf, len, d->role == MH_DTLS_PASSIVE,
                                 copy, &fatal);

    if (fatal && d->state == STATE_HANDSHAKE && d->alert == 0) {
        d->alert = mh_clock() + MH_DTLS_ALERT;
    }

    if (len == 0) {
        return 0;
    }

    if (d->state == STATE_NEW) {

        /* no 48 KiB for anything but a hello */

        if (d->role == MH_DTLS_ACTIVE || !mh_dtls_record_hello(buf, len)) {
            return 0;
        }

        err = dtls_begin(d);
        if (err) {
            return err;
        }
    }

    mem_ref(d);

    if (d->ssl != NULL) {
        d->flight_len = (d->state == STATE_HANDSHAKE) ? 0 : d->flight_len;
        d->bio.in = buf;
        d->bio.len = len;

        dtls_run(d);

        d->bio.len = 0;

    } else if (d->flight != NULL && mh_dtls_record_finished(buf, len)) {
        flight_repeat(d);
    }

    mem_deref(d);

    return 0;
}


/* a handshake with an alert or a bad message has had its time */

static int
dtls_over(const struct mh_dtls *d)
{
    return d->state <= STATE_HANDSHAKE && d->alert && mh_clock() >= d->alert;
}


void
mh_dtls_tick(struct mh_dtls *d)
{
    mem_ref(d);

    if (dtls_over(d)) {
        if (d->bad != NULL) {
            dtls_close(d, EPROTO, d->bad);

        } else {
            dtls_close(d, ECONNRESET, "alert from the peer");
        }

    } else if (d->state == STATE_NEW && d->bad != NULL) {
        if (mh_clock() >= d->again) {
            (void) mh_dtls_start(d);
        }

    } else if (d->state == STATE_HANDSHAKE) {
        ERR_clear_error();

        if (DTLSv1_handle_timeout(d->ssl) < 0) {
            dtls_check(d, -1);
        }

        ERR_clear_error();

    } else if (d->state == STATE_CONNECTED && d->fps.n != 0) {
        (void) SSL_shutdown(d->ssl);
        ERR_clear_error();
        dtls_close(d, ECONNREFUSED,
                   "certificate does not match the fingerprint");
    }

    mem_deref(d);
}


int
mh_dtls_timeout(const struct mh_dtls *d)
{
    uint64_t        now, next;
    struct timeval  tv;

    if (dtls_over(d)) {
        return 0;
    }

    if (d->state == STATE_NEW && d->bad != NULL) {
        next = (d->role == MH_DTLS_ACTIVE) ? d->again : d->alert;
        now = mh_clock();

        return (next > now) ? (int) (next - now) : 0;
    }

    if (d->state == STATE_CONNECTED && d->fps.n != 0) {
        return 0;
    }

    if (d->state != STATE_HANDSHAKE || DTLSv1_get_timeout(d->ssl, &tv) != 1) {
        return -1;
    }

    return (int) (tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
}


void
mh_dtls_release(struct mh_dtls *d)
{
    if (d->state != STATE_ESTABLISHED) {
        return;
    }

    SSL_free(d->ssl);
    d->ssl = NULL;
}


int
mh_dtls_established(const struct mh_dtls *d)
{
    return d->state == STATE_ESTABLISHED;
}
