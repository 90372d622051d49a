/*
 * Copyright (C) the IMS portal authors
 *
 * The datagram BIO.  Private to mh_dtls*.c.
 */

#ifndef MH_DTLS_BIO_H
#define MH_DTLS_BIO_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/bio.h>


struct mh_dtls_bio {
    const uint8_t  *in;         /* the datagram the SSL is to read */
    size_t          len;        /* 0: none */
    void          (*write)(const uint8_t *buf, size_t len, void *arg);
    void           *arg;
};


/* @return the method for mh_dtls_bio_new(), or NULL; BIO_meth_free() it */
BIO_METHOD *mh_dtls_bio_method(void);


/* @return a BIO on b, which has to outlive it, or NULL */
BIO *mh_dtls_bio_new(BIO_METHOD *m, struct mh_dtls_bio *b);


#endif /* MH_DTLS_BIO_H */
