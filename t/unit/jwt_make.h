/*
 * Copyright (C) the IMS portal authors
 *
 * Makes keys and tokens for the tests, good ones and bad ones, with OpenSSL and
 * without any code of the verifier.  All that is returned is malloc()ed.
 */


#ifndef _JWT_MAKE_H_INCLUDED_
#define _JWT_MAKE_H_INCLUDED_


#include <stddef.h>
#include <openssl/evp.h>


/* base64url without padding, a terminated string */
char *jwt_base64url(const void *data, size_t len);

/* a new key: "RSA:2048", "EC:P-256", "ED25519" */
EVP_PKEY *jwt_make_key(const char *spec);

/* PEM of the public or private half, as OpenSSL writes it */
char *jwt_make_pem(EVP_PKEY *pkey, int private_half);

/* a JWK of the public half; extra is "" or members with a comma behind */
char *jwt_make_jwk(EVP_PKEY *pkey, const char *extra);

/* a JWK of a secret */
char *jwt_make_oct(const void *secret, size_t len, const char *extra);

/*
 * A token with this header and payload, signed as alg says: HS256 and its like
 * with the secret, RS256, PS256, ES256, EdDSA and theirs with the key.  For
 * "none" the signature is empty.
 */
char *jwt_make_token(const char *alg, const char *header, const char *payload,
    EVP_PKEY *pkey, const void *secret, size_t secret_len);


#endif /* _JWT_MAKE_H_INCLUDED_ */
