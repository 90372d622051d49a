/* Copyright (C) the IMS portal authors */
/* FUZZ_LIBS: -ljansson -lcrypto */


/*
 * Feeds the import of keys: a file's text (JWK, JWKS, PEM), a published set, a
 * secret, as the first byte says.  Whatever is accepted is bound to algorithms
 * of its kind, is not weak, and verifies nothing that nobody signed.
 */


#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_jws.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk_pem.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk_import.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwt.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwt_claim.c"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#define HMAC                                                                  \
    (ngx_ims_jwk_bit(HS256) | ngx_ims_jwk_bit(HS384) | ngx_ims_jwk_bit(HS512))


static void
check_key(const ngx_ims_jws_key_t *key, int published)
{
    int             alg;
    unsigned char   sig[512];
    ngx_ims_str_t   text = ngx_ims_str("e30.e30");

    need(key->algs != 0 && key->algs < 1U << NGX_IMS_JWS_N);

    if (key->pkey == NULL) {
        need(!published && (key->algs & ~HMAC) == 0);

    } else {
        need((key->algs & HMAC) == 0);
        need(!EVP_PKEY_is_a(key->pkey, "RSA")
             || (EVP_PKEY_get_bits(key->pkey) >= 2048
                 && (key->algs & ~NGX_IMS_JWK_RSA) == 0));
    }

    memset(sig, 0, sizeof(sig));

    for (alg = 0; alg < NGX_IMS_JWS_N; alg++) {

        if (!(key->algs & (1U << alg))) {
            need(key->mac[alg] == NULL && key->verify[alg] == NULL);
            continue;
        }

        need((key->mac[alg] != NULL) == (key->pkey == NULL));
        need((key->verify[alg] != NULL) == (key->pkey != NULL));

        /* the signatures of keys that are none: R neutral, S zero */

        for (sig[0] = 0; sig[0] < 2; sig[0]++) {
            need(ngx_ims_jws_key_verify(key, alg, &text, sig, 64)
                 != NGX_IMS_OK);
            need(ngx_ims_jws_key_verify(key, alg, &text, sig, 114)
                 != NGX_IMS_OK);
            need(ngx_ims_jws_key_verify(key, alg, &text, sig, 256)
                 != NGX_IMS_OK);
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                 err[128];
    unsigned             i;
    ngx_ims_str_t        text;
    ngx_ims_jwt_keys_t  *keys;

    if (size < 1) {
        return 0;
    }

    text.data = (unsigned char *) data + 1;
    text.len = size - 1;

    memset(err, 0, sizeof(err));

    switch (data[0]) {

    case 'p':
        keys = ngx_ims_jwt_keys_published(&text, err, sizeof(err));
        break;

    case 's':
        keys = ngx_ims_jwt_keys_secret(&text, err, sizeof(err));
        need((keys != NULL) == (text.len >= NGX_IMS_JWT_MIN_SECRET)
             || keys == NULL);
        break;

    default:
        keys = ngx_ims_jwt_keys_parse(&text, err, sizeof(err));
    }

    if (keys == NULL) {
        need(err[0] != 0 && memchr(err, 0, sizeof(err)) != NULL);

    } else {
        need(keys->n >= 1 && keys->n <= NGX_IMS_JWT_MAX_KEYS);

        for (i = 0; i < keys->n; i++) {
            ERR_set_mark();
            check_key(&keys->keys[i], data[0] == 'p');
            ERR_pop_to_mark();
        }

        ngx_ims_jwt_keys_free(keys);
    }

    need(ERR_peek_error() == 0);

    return 0;
}
