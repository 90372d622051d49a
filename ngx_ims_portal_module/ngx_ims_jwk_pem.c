/*
 * Copyright (C) the IMS portal authors
 *
 * Import of PEM public keys and certificates, several of which may follow one
 * another with any text between them (RFC 7468).
 */


#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "ngx_ims_jwt_int.h"


static EVP_PKEY *ngx_ims_jwk_pem_key(const char *name,
    const unsigned char *data, long len);


int
ngx_ims_jwk_pem(ngx_ims_jwk_import_t *im, const ngx_ims_str_t *text)
{
    int             rc;
    BIO            *bio;
    char           *name, *header;
    long            len;
    EVP_PKEY       *pkey;
    unsigned char  *data;

    bio = BIO_new_mem_buf(text->data, text->len);

    if (bio == NULL) {
        return ngx_ims_jwk_fail(im, "no memory for the key set");
    }

    rc = NGX_IMS_OK;

    while (rc == NGX_IMS_OK
           && PEM_read_bio(bio, &name, &header, &data, &len) == 1)
    {
        if (strstr(name, "PRIVATE KEY") != NULL) {
            rc = ngx_ims_jwk_fail(im, "a private key stands where public ones "
                                  "are wanted");

        } else {
            pkey = ngx_ims_jwk_pem_key(name, data, len);
            rc = ngx_ims_jwk_add_pkey(im, NULL, pkey, ~0U);
        }

        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, len);
    }

    /* the end of the text is "no start line", all else is damage */

    if (rc == NGX_IMS_OK
        && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    {
        rc = ngx_ims_jwk_fail(im, "PEM text is not well formed");
    }

    BIO_free(bio);

    return rc;
}


static EVP_PKEY *
ngx_ims_jwk_pem_key(const char *name, const unsigned char *data, long len)
{
    X509                 *x509;
    EVP_PKEY             *pkey;
    const unsigned char  *p;

    p = data;
    pkey = NULL;

    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        pkey = d2i_PUBKEY(NULL, &p, len);

    } else if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0) {
        pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, len);

    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        x509 = d2i_X509(NULL, &p, len);

        if (x509 != NULL) {
            pkey = X509_get_pubkey(x509);
            X509_free(x509);
        }
    }

    return pkey;
}
