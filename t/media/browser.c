/*
 * Copyright (C) the IMS portal authors
 *
 * The browser's ICE, DTLS and SRTP; see browser.h.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "browser.h"
#include "check.h"


enum {
    CHECK_MS = 300,
    TICK_MS = 20
};


static long
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
any_certificate(X509_STORE_CTX *store, void *arg)
{
    (void) store;
    (void) arg;

    return 1;
}


static int
make_certificate(struct browser *b)
{
    X509           *cert;
    size_t          n;
    unsigned        i, len;
    EVP_PKEY       *key;
    unsigned char   md[EVP_MAX_MD_SIZE];

    key = EVP_EC_gen("P-256");
    cert = X509_new();

    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);

    if (X509_sign(cert, key, EVP_sha256()) == 0
        || SSL_CTX_use_certificate(b->ctx, cert) != 1
        || SSL_CTX_use_PrivateKey(b->ctx, key) != 1
        || X509_digest(cert, EVP_sha256(), md, &len) != 1)
    {
        return -1;
    }

    for (i = 0, n = 0; i < len; i++) {
        n += (size_t) snprintf(b->fingerprint + n,
                               sizeof(b->fingerprint) - n, "%s%02X",
                               i ? ":" : "", md[i]);
    }

    X509_free(cert);
    EVP_PKEY_free(key);

    return 0;
}


static int
bind_any(const char *addr, struct sockaddr_storage *ss, socklen_t *len)
{
    int                   fd;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    memset(ss, 0, sizeof(*ss));
    sin = (struct sockaddr_in *) ss;
    sin6 = (struct sockaddr_in6 *) ss;

    if (inet_pton(AF_INET, addr, &sin->sin_addr) == 1) {
        ss->ss_family = AF_INET;
        *len = sizeof(*sin);

    } else if (inet_pton(AF_INET6, addr, &sin6->sin6_addr) == 1) {
        ss->ss_family = AF_INET6;
        *len = sizeof(*sin6);

    } else {
        return -1;
    }

    fd = socket(ss->ss_family, SOCK_DGRAM, 0);

    if (bind(fd, (struct sockaddr *) ss, *len) != 0
        || getsockname(fd, (struct sockaddr *) ss, len) != 0)
    {
        close(fd);
        return -1;
    }

    return fd;
}


static void
random_text(char *s, size_t n)
{
    size_t  i;

    static const char  alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    RAND_bytes((unsigned char *) s, (int) n);

    for (i = 0; i < n; i++) {
        s[i] = alphabet[(unsigned char) s[i] % 36];
    }

    s[n] = '\0';
}


int
browser_open(struct browser *b, const char *addr, const char *profiles)
{
    memset(b, 0, sizeof(*b));

    b->fd = bind_any(addr, &b->self, &b->len);
    if (b->fd == -1) {
        return -1;
    }

    b->mid[0] = '0';
    b->hash = "sha-256";
    random_text(b->ufrag, 8);
    random_text(b->pwd, 24);

    b->ctx = SSL_CTX_new(DTLS_method());
    SSL_CTX_set_options(b->ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
    SSL_CTX_set_min_proto_version(b->ctx, DTLS1_2_VERSION);
    SSL_CTX_set_tlsext_use_srtp(b->ctx, profiles);
    SSL_CTX_set_verify(b->ctx, SSL_VERIFY_PEER
                               | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(b->ctx, any_certificate, NULL);

    return make_certificate(b);
}


int
browser_renew(struct browser *b)
{
    browser_again(b);

    return make_certificate(b);
}


void
browser_again(struct browser *b)
{
    SSL_free(b->ssl);
    b->ssl = NULL;
    b->connected = 0;

    if (b->tx != NULL) {
        srtp_dealloc(b->tx);
        srtp_dealloc(b->rx);
    }

    b->tx = NULL;
    b->rx = NULL;
}


void
browser_restart(struct browser *b)
{
    random_text(b->ufrag, 8);
    random_text(b->pwd, 24);
}


int
browser_move(struct browser *b, const char *addr)
{
    int  fd, old;

    fd = bind_any(addr, &b->self, &b->len);
    if (fd == -1) {
        return -1;
    }

    old = b->fd;
    b->fd = fd;

    return old;
}


void
browser_close(struct browser *b)
{
    close(b->fd);
    SSL_free(b->ssl);
    SSL_CTX_free(b->ctx);

    if (b->tx != NULL) {
        srtp_dealloc(b->tx);
    }

    if (b->rx != NULL) {
        srtp_dealloc(b->rx);
    }
}


void
browser_raw(struct browser *b, int fd, const void *data, size_t len)
{
    if (b->tcp) {
        (void) stream_send(fd == -1 ? b->fd : fd, data, len, b->pieces);
        return;
    }

    (void) sendto(fd == -1 ? b->fd : fd, data, len, 0,
                  (struct sockaddr *) &b->peer, b->len);
}


static void
flush_dtls(struct browser *b)
{
    int      n, lost;
    uint8_t  buf[BROWSER_PACKET * 4];

    static const uint8_t  alert[] = {
        0x15, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40
    };

    if (b->alert) {
        browser_raw(b, -1, alert, sizeof(alert));
    }

    n = BIO_read(b->out, buf, sizeof(buf));

    if (n <= 0) {
        return;
    }

    lost = b->lose_sent & 1;
    b->lose_sent >>= 1;

    if (!lost) {
        browser_raw(b, -1, buf, (size_t) n);
    }
}


static int
srtp_open(srtp_t *s, unsigned profile, const uint8_t *key,
    const uint8_t *salt, srtp_ssrc_type_t type)
{
    uint8_t         both[30];
    srtp_policy_t   policy;
    srtp_profile_t  p;

    p = (profile == 7) ? srtp_profile_aead_aes_128_gcm
                       : srtp_profile_aes128_cm_sha1_80;

    memset(&policy, 0, sizeof(policy));
    memcpy(both, key, 16);
    memcpy(both + 16, salt, profile == 7 ? 12 : 14);
    srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, p);
    srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, p);
    policy.key = both;
    policy.ssrc.type = type;
    policy.window_size = 128;

    return srtp_create(s, &policy) == srtp_err_status_ok ? 0 : -1;
}


static void
dtls_done(struct browser *b)
{
    int                       me;
    size_t                    s;
    uint8_t                   out[60];
    SRTP_PROTECTION_PROFILE  *p;

    p = SSL_get_selected_srtp_profile(b->ssl);

    if (p == NULL) {
        b->connected = -1;
        return;
    }

    b->profile = (unsigned) p->id;
    s = (b->profile == 7) ? 12 : 14;
    me = b->active ? 0 : 1;

    SSL_export_keying_material(b->ssl, out, 32 + 2 * s,
                               "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0);

    if (srtp_open(&b->tx, b->profile, out + 16 * me,
                  out + 32 + s * (size_t) me, ssrc_any_outbound) != 0
        || srtp_open(&b->rx, b->profile, out + 16 * !me,
                     out + 32 + s * (size_t) !me, ssrc_any_inbound) != 0)
    {
        b->connected = -1;
        return;
    }

    b->connected = 1;
}


static void
dtls_run(struct browser *b)
{
    int   r;
    char  buf[64];

    ERR_clear_error();

    if (b->connected == 0) {
        r = SSL_do_handshake(b->ssl);

        if (r == 1) {
            dtls_done(b);

        } else if (SSL_get_error(b->ssl, r) == SSL_ERROR_SSL) {
            b->connected = -1;
        }

    } else {
        r = SSL_read(b->ssl, buf, sizeof(buf));

        if (r <= 0 && SSL_get_error(b->ssl, r) != SSL_ERROR_WANT_READ) {
            b->connected = -1;
        }
    }

    flush_dtls(b);
}


static void
dtls_start(struct browser *b)
{
    b->ssl = SSL_new(b->ctx);
    b->in = BIO_new(BIO_s_mem());
    b->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(b->in, -1);
    BIO_set_mem_eof_return(b->out, -1);
    SSL_set_bio(b->ssl, b->in, b->out);
    SSL_set_mtu(b->ssl, 1200);

    if (b->active) {
        SSL_set_connect_state(b->ssl);

    } else {
        SSL_set_accept_state(b->ssl);
    }

    dtls_run(b);
}


/*
 * Notes the mid of a packet and takes it out, if a header extension has that
 * alone (RFC 8285 4.2); any other one stays, and is not what was expected.
 */

static void
take_mid(struct browser *b, uint8_t *buf, int *n)
{
    size_t  head, ext, len;

    b->whose[0] = '\0';
    b->whose_id = 0;
    head = 12 + 4 * (size_t) (buf[0] & 0x0f);

    if ((buf[0] & 0x10) == 0 || (size_t) *n < head + 8
        || buf[head] != 0xbe || buf[head + 1] != 0xde)
    {
        return;
    }

    ext = 4 + 4 * ((size_t) buf[head + 2] << 8 | buf[head + 3]);
    len = (buf[head + 4] & 0x0f) + 1u;

    if ((size_t) *n < head + ext || 5 + len > ext || ext > 5 + len + 3) {
        return;
    }

    b->whose_id = buf[head + 4] >> 4;
    memcpy(b->whose, buf + head + 5, len);
    b->whose[len] = '\0';

    memmove(buf + head, buf + head + ext, (size_t) *n - head - ext);
    buf[0] &= (uint8_t) ~0x10;
    *n -= (int) ext;
}


/* one datagram; @return its length if it is media, decrypted, else 0 */

static size_t
take(struct browser *b, uint8_t *buf, size_t len, int *rtcp,
    const struct sockaddr_storage *from)
{
    int      n, code, lost;
    size_t   reply_len;
    uint8_t  reply[256];

    if (buf[0] < 4) {
        code = check_take(buf, len, (const struct sockaddr *) from, b->pwd,
                         b->peer_pwd, reply, &reply_len);

        if (code == CHECK_REQUEST) {
            b->checks++;
            if (b->tcp) {
                browser_raw(b, -1, reply, reply_len);

            } else {
                (void) sendto(b->fd, reply, reply_len, 0,
                              (const struct sockaddr *) from, b->len);
            }

        } else {
            b->stun_code = code;
        }

        return 0;
    }

    if (buf[0] >= 20 && buf[0] <= 63) {
        lost = b->lose & 1;
        b->lose >>= 1;

        if (b->ssl != NULL && !lost) {
            BIO_write(b->in, buf, (int) len);
            dtls_run(b);
        }

        return 0;
    }

    if (b->connected != 1) {
        b->ignored++;
        return 0;
    }

    n = (int) len;
    *rtcp = (buf[1] >= 192 && buf[1] <= 223);

    if ((*rtcp ? srtp_unprotect_rtcp(b->rx, buf, &n)
               : srtp_unprotect(b->rx, buf, &n))
        != srtp_err_status_ok)
    {
        b->ignored++;
        return 0;
    }

    if (!*rtcp) {
        take_mid(b, buf, &n);
    }

    return (size_t) n;
}


static size_t
once(struct browser *b, uint8_t *buf, int *rtcp, int ms)
{
    ssize_t                  n;
    socklen_t                len;
    struct pollfd            pfd;
    struct sockaddr_storage  from;

    if (b->tcp) {
        n = stream_recv(b, buf, ms);
        from = b->self;

        if (n > 0) {
            return take(b, buf, (size_t) n, rtcp, &from);
        }
    }

    pfd.fd = b->fd;
    pfd.events = POLLIN;

    if (b->tcp || poll(&pfd, 1, ms) != 1) {
        if (b->ssl != NULL && b->connected == 0) {
            (void) DTLSv1_handle_timeout(b->ssl);
            flush_dtls(b);
        }

        return 0;
    }

    len = sizeof(from);
    n = recvfrom(b->fd, buf, BROWSER_PACKET, 0, (struct sockaddr *) &from,
                 &len);

    return (n > 0) ? take(b, buf, (size_t) n, rtcp, &from) : 0;
}


int
browser_check(struct browser *b, const char *pwd)
{
    int      rtcp;
    long     end;
    size_t   len;
    uint8_t  buf[BROWSER_PACKET];
    char     username[520];

    (void) snprintf(username, sizeof(username), "%s:%s", b->peer_ufrag,
                    b->ufrag);

    len = check_request(buf, ++b->tid, username,
                        pwd ? pwd : b->peer_pwd, b->check);
    b->stun_code = 0;
    browser_raw(b, -1, buf, len);

    for (end = now_ms() + CHECK_MS; now_ms() < end && b->stun_code == 0; ) {
        (void) once(b, buf, &rtcp, TICK_MS);
    }

    return b->stun_code;
}


int
browser_connect(struct browser *b, int ms)
{
    int      rtcp;
    long     end;
    uint8_t  buf[BROWSER_PACKET];

    end = now_ms() + ms;

    while (browser_check(b, NULL) != 200) {
        if (now_ms() >= end) {
            return 0;
        }
    }

    if (b->ssl == NULL) {
        dtls_start(b);
    }

    while (b->connected == 0 && now_ms() < end) {
        (void) once(b, buf, &rtcp, TICK_MS);
    }

    return b->connected == 1;
}


size_t
browser_protect(struct browser *b, uint8_t *pkt, size_t len)
{
    int  n;

    n = (int) len;

    return srtp_protect(b->tx, pkt, &n) == srtp_err_status_ok
           ? (size_t) n : 0;
}


size_t
browser_send(struct browser *b, const uint8_t *pkt, size_t len)
{
    uint8_t  buf[BROWSER_PACKET + 64];

    memcpy(buf, pkt, len);
    len = browser_protect(b, buf, len);
    browser_raw(b, -1, buf, len);

    return len;
}


void
browser_send_if(struct browser *b)
{
    static const uint8_t  pkt[172] = { 0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 9 };

    if (b->connected == 1 && b->tx != NULL) {
        (void) browser_send(b, pkt, sizeof(pkt));
    }
}


size_t
browser_send_rtcp(struct browser *b, const uint8_t *pkt, size_t len)
{
    int      n;
    uint8_t  buf[BROWSER_PACKET + 64];

    memcpy(buf, pkt, len);
    n = (int) len;

    if (srtp_protect_rtcp(b->tx, buf, &n) != srtp_err_status_ok) {
        return 0;
    }

    browser_raw(b, -1, buf, (size_t) n);

    return (size_t) n;
}


size_t
browser_recv(struct browser *b, uint8_t *pkt, int rtcp, int ms)
{
    int     what;
    long    end;
    size_t  n;

    end = now_ms() + ms;

    do {
        n = once(b, pkt, &what, ms < TICK_MS ? ms : TICK_MS);

        if (n != 0 && (rtcp == -1 || what == rtcp)) {
            return n;
        }

    } while (n != 0 || now_ms() < end);

    return 0;
}
