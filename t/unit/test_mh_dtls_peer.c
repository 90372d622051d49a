/*
 * Copyright (C) the IMS portal authors
 *
 * DTLS: one association against a plain OpenSSL client, which fragments,
 * renegotiates, closes, or lacks what it should have.
 */

#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "dtls_wire.h"
#include "mh_dtls_bio.h"


/* a plain OpenSSL client towards b */

static struct mh_dtls_bio  pipe_bio;
static unsigned            client_sent;
static unsigned            first_flight;    /* datagrams of it */
static int                 client_long;
static const char         *client_suites;   /* NULL: OpenSSL's */


static void
client_write_h(const uint8_t *buf, size_t len, void *arg)
{
    (void) arg;

    client_sent++;
    wire_put(&a.out, buf, len);
}


/* as long as with the key share of ML-KEM, which no longer fits into one */

static int
long_add_h(SSL *ssl, unsigned type, unsigned context,
    const unsigned char **out, size_t *len, X509 *cert, size_t chain,
    int *alert, void *arg)
{
    static const unsigned char  share[1300];

    (void) ssl;
    (void) type;
    (void) context;
    (void) cert;
    (void) chain;
    (void) alert;
    (void) arg;

    *out = share;
    *len = sizeof(share);

    return 1;
}


static SSL *
client_open(BIO_METHOD *m, const char *srtp, int mtu, int rsa, int version)
{
    SSL       *ssl;
    X509      *cert;
    SSL_CTX   *c;
    EVP_PKEY  *key;

    c = SSL_CTX_new(DTLS_client_method());
    SSL_CTX_set_options(c, SSL_OP_NO_QUERY_MTU);

    if (client_long) {
        (void) SSL_CTX_add_custom_ext(c, 0xfe77, SSL_EXT_CLIENT_HELLO,
                                      long_add_h, NULL, NULL, NULL, NULL);
    }

    if (srtp != NULL) {
        (void) SSL_CTX_set_tlsext_use_srtp(c, srtp);
    }

    if (rsa >= 0) {
        key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
        cert = X509_new();
        X509_gmtime_adj(X509_getm_notBefore(cert), 0);
        X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
        X509_set_pubkey(cert, key);
        X509_sign(cert, key, EVP_sha256());
        SSL_CTX_use_certificate(c, cert);
        SSL_CTX_use_PrivateKey(c, key);
        X509_free(cert);
        EVP_PKEY_free(key);
    }

    if (version != 0) {
        SSL_CTX_set_cipher_list(c, "ALL:@SECLEVEL=0");
        SSL_CTX_set_max_proto_version(c, version);
    }

    if (client_suites != NULL) {
        (void) SSL_CTX_set_cipher_list(c, client_suites);
        (void) SSL_CTX_set1_groups_list(c, "P-256");
    }

    ssl = SSL_new(c);
    SSL_CTX_free(c);

    memset(&pipe_bio, 0, sizeof(pipe_bio));
    pipe_bio.write = client_write_h;
    SSL_set0_rbio(ssl, mh_dtls_bio_new(m, &pipe_bio));
    SSL_set0_wbio(ssl, mh_dtls_bio_new(m, &pipe_bio));
    SSL_set_mtu(ssl, mtu);
    SSL_set_connect_state(ssl);
    client_sent = 0;

    return ssl;
}


/* @return 1 if the client thinks it is connected; reverse: late fragments
 * of its first flight first */

static int
client_run(SSL *ssl, int reverse)
{
    int       i, done;
    uint8_t   buf[DATAGRAM_MAX];
    unsigned  n, k;

    done = 0;

    for (i = 0; i < 50; i++) {
        if (!done) {
            done = (SSL_do_handshake(ssl) == 1);

        } else {
            (void) SSL_read(ssl, buf, sizeof(buf));
        }

        first_flight = (i == 0) ? client_sent : first_flight;

        if (reverse && i == 0) {
            for (n = a.out.tail; n != a.out.head; n--) {
                k = (n - 1) % WIRE_MAX;
                (void) mh_dtls_recv(b.d, a.out.buf[k], a.out.len[k]);
            }

            a.out.head = a.out.tail;
        }

        while (step(&a, &b)) {
            /* void */
        }

        if (b.out.head != b.out.tail) {
            k = b.out.head++ % WIRE_MAX;
            pipe_bio.in = b.out.buf[k];
            pipe_bio.len = b.out.len[k];
        }
    }

    ERR_clear_error();

    return done;
}


static void
client_know(SSL *ssl)
{
    char            text[200];
    size_t          n;
    unsigned        i, len;
    unsigned char   md[EVP_MAX_MD_SIZE];

    X509_digest(SSL_get_certificate(ssl), EVP_sha512(), md, &len);

    for (i = 0, n = 0; i < len; i++) {
        n += (size_t) re_snprintf(text + n, sizeof(text) - n, "%s%02x",
                                  i ? ":" : "", md[i]);
    }

    (void) mh_dtls_fingerprint_add(b.d, "sha-512", text);
}


static void
test_long_hello(BIO_METHOD *m)
{
    int   reverse;
    SSL  *ssl;

    client_long = 1;

    for (reverse = 0; reverse < 2; reverse++) {
        side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
        memset(&a, 0, sizeof(a));
        ssl = client_open(m, "SRTP_AEAD_AES_128_GCM", 1200, 0, 0);

        client_know(ssl);
        ok(client_run(ssl, reverse) && b.estab == 1 && first_flight == 2,
           "a ClientHello of two datagrams, %s",
           reverse ? "the second one first" : "in order");
        SSL_free(ssl);
        b.d = mem_deref(b.d);
    }

    client_long = 0;
}


/*
 * What each browser has to have (RFC 8827 6.5) is enough; what is in the clear,
 * anonymous or without forward secrecy is not taken (ME-6).
 */

static void
test_suites(BIO_METHOD *m)
{
    SSL       *ssl;
    unsigned   i;

    static const char *const  weak[] = {
        "eNULL:@SECLEVEL=0", "aNULL:@SECLEVEL=0",
        "AES128-GCM-SHA256:AES128-SHA:@SECLEVEL=0",
        "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"
    };

    client_suites = "ECDHE-ECDSA-AES128-GCM-SHA256";
    side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
    memset(&a, 0, sizeof(a));
    ssl = client_open(m, "SRTP_AES128_CM_SHA1_80", 1200, 0, 0);
    client_know(ssl);
    ok(client_run(ssl, 0) && b.estab == 1,
       "ECDHE_ECDSA, AES_128_GCM, SHA256 and P-256 alone");
    SSL_free(ssl);
    b.d = mem_deref(b.d);

    for (i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        client_suites = weak[i];
        side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
        memset(&a, 0, sizeof(a));
        ssl = client_open(m, "SRTP_AES128_CM_SHA1_80", 1200, 0, 0);
        client_know(ssl);
        ok(!client_run(ssl, 0) && client_sent != 0 && b.estab == 0,
           "not %s", weak[i]);
        SSL_free(ssl);
        b.d = mem_deref(b.d);
    }

    client_suites = NULL;
}


/* a bad message, which anybody may have written, leaves some time */

static int
ends(void)
{
    int  t;

    for (t = 0; t < 10 * MH_DTLS_ALERT && b.closed == 0; t += 20) {
        usleep(20000);
        mh_dtls_tick(b.d);
    }

    return b.closed == 1;
}


static void
test_client(void)
{
    SSL         *ssl;
    uint8_t      out[60];
    BIO_METHOD  *m;

    m = mh_dtls_bio_method();

    test_long_hello(m);
    test_suites(m);

    side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
    memset(&a, 0, sizeof(a));
    ssl = client_open(m, "SRTP_AES128_CM_SHA1_80", 300, 0, 0);
    client_know(ssl);
    ok(client_run(ssl, 1) && b.estab == 1 && client_sent > 2,
       "a ClientHello in fragments, the last one first (P15)");
    SSL_export_keying_material(ssl, out, 60, "EXTRACTOR-dtls_srtp", 19,
                               NULL, 0, 0);
    ok(b.keys.profile == 1 && b.keys.salt_len == 14
       && memcmp(b.keys.remote_key, out, 16) == 0
       && memcmp(b.keys.local_key, out + 16, 16) == 0
       && memcmp(b.keys.remote_salt, out + 32, 14) == 0
       && memcmp(b.keys.local_salt, out + 46, 14) == 0,
       "AES_CM when the peer has nothing else, keys by RFC 5764 4.2");

    (void) SSL_shutdown(ssl);
    (void) client_run(ssl, 0);
    ok(b.closed == 1 && b.err == ECONNRESET, "the peer's close is told");
    SSL_free(ssl);
    b.d = mem_deref(b.d);

    /* OpenSSL's client gives up when it is told no */

    side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
    ssl = client_open(m, "SRTP_AEAD_AES_128_GCM", 1200, 0, 0);
    client_know(ssl);
    (void) client_run(ssl, 0);
    (void) SSL_renegotiate(ssl);
    (void) client_run(ssl, 0);
    ok(b.estab == 1 && b.closed == 1 && b.err == ECONNRESET,
       "no renegotiation (%s)", b.reason);
    SSL_free(ssl);
    b.d = mem_deref(b.d);

    side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
    ssl = client_open(m, "SRTP_AEAD_AES_128_GCM", 1200, 1, 0);
    client_know(ssl);
    ok(client_run(ssl, 0) && b.estab == 1, "an RSA certificate, sha-512");
    SSL_free(ssl);
    b.d = mem_deref(b.d);

    side_open(&b, ctx_b, MH_DTLS_PASSIVE, ctx_a);
    ssl = client_open(m, "SRTP_AEAD_AES_128_GCM", 1200, -1, 0);
    ok(!client_run(ssl, 0) && ends() && b.estab == 0
       && b.err == EPROTO, "no certificate, no media (%s)", b.reason);
    SSL_free(ssl);
    b.d = mem_deref(b.d);

    side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
    ssl = client_open(m, NULL, 1200, 0, 0);
    client_know(ssl);
    (void) client_run(ssl, 0);
    ok(b.estab == 0 && b.closed == 1 && b.err == EPROTO,
       "no use_srtp, no media (%s)", b.reason);
    SSL_free(ssl);
    b.d = mem_deref(b.d);

    side_open(&b, ctx_b, MH_DTLS_PASSIVE, NULL);
    ssl = client_open(m, "SRTP_AEAD_AES_128_GCM", 1200, 0, DTLS1_VERSION);
    client_know(ssl);
    ok(!client_run(ssl, 0) && ends() && b.estab == 0
       && b.err == EPROTO, "no DTLS 1.0 (%s)", b.reason);
    SSL_free(ssl);
    b.d = mem_deref(b.d);

    BIO_meth_free(m);
}


int
main(void)
{
    if (mh_dtls_ctx_alloc(&ctx_a) != 0 || mh_dtls_ctx_alloc(&ctx_b) != 0) {
        return 2;
    }

    test_client();

    mem_deref(ctx_a);
    mem_deref(ctx_b);

    return done_testing();
}
