/*
 * Copyright (C) the IMS portal authors
 *
 * An OpenSSL BIO that keeps datagrams apart: a write goes to a handler, a
 * read takes the one datagram that is offered.  Used by mh_dtls.c.
 */

#include <stdint.h>
#include <string.h>
#include <openssl/bio.h>

#include "mh_dtls.h"
#include "mh_dtls_bio.h"


static int
bio_write(BIO *bio, const char *buf, int len)
{
    struct mh_dtls_bio  *b = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);

    if (len <= 0) {
        return 0;
    }

    b->write((const uint8_t *) buf, (size_t) len, b->arg);

    return len;
}


static int
bio_read(BIO *bio, char *buf, int len)
{
    size_t               n;
    struct mh_dtls_bio  *b = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);

    if (b->len == 0 || len <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }

    n = (b->len < (size_t) len) ? b->len : (size_t) len;
    memcpy(buf, b->in, n);

    /* as from a socket: what did not fit is gone */

    b->len = 0;

    return (int) n;
}


static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void) bio;
    (void) num;
    (void) ptr;

    switch (cmd) {

    case BIO_CTRL_FLUSH:
        return 1;

    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return MH_DTLS_MTU;

    default:
        return 0;
    }
}


static int
bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);

    return 1;
}


BIO_METHOD *
mh_dtls_bio_method(void)
{
    BIO_METHOD  *m;

    m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                     "datagram handlers");
    if (m == NULL) {
        return NULL;
    }

    if (BIO_meth_set_write(m, bio_write) != 1
        || BIO_meth_set_read(m, bio_read) != 1
        || BIO_meth_set_ctrl(m, bio_ctrl) != 1
        || BIO_meth_set_create(m, bio_create) != 1)
    {
        BIO_meth_free(m);
        return NULL;
    }

    return m;
}


BIO *
mh_dtls_bio_new(BIO_METHOD *m, struct mh_dtls_bio *b)
{
    BIO  *bio;

    bio = BIO_new(m);
    if (bio != NULL) {
        BIO_set_data(bio, b);
    }

    return bio;
}
