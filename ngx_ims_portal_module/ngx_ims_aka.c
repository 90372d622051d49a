/*
 * Copyright (C) the IMS portal authors
 *
 * Milenage: every function is E_K(rot(x, r) ^ c) ^ OPc of one block, with the
 * constants of TS 35.206 4.1.
 *
 * No timers.
 */


#include "ngx_ims_aka.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>


/*
 * How far SQN may jump ahead (TS 33.102 C.2.1: 2^28 of SEQ; five more bits are
 * IND).  A jump that large would use up the numbers.
 */

#define NGX_IMS_AKA_DELTA  ((uint64_t) 1 << (28 + 5))


static EVP_CIPHER_CTX *ngx_ims_aka_cipher(const unsigned char *k);
static int ngx_ims_aka_block(EVP_CIPHER_CTX *ctx, const unsigned char *in,
    unsigned char *out);
static int ngx_ims_aka_out(EVP_CIPHER_CTX *ctx, const unsigned char *x,
    const unsigned char *opc, unsigned rot, unsigned c, unsigned char *out);
static void ngx_ims_aka_xor(unsigned char *out, const unsigned char *a,
    const unsigned char *b, size_t len);
static void ngx_ims_aka_auts(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, const ngx_ims_aka_keys_t *keys, uint64_t seen,
    unsigned char *auts);


static EVP_CIPHER_CTX *
ngx_ims_aka_cipher(const unsigned char *k)
{
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NULL;
    }

    if (EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, k, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }

    (void) EVP_CIPHER_CTX_set_padding(ctx, 0);

    return ctx;
}


static int
ngx_ims_aka_block(EVP_CIPHER_CTX *ctx, const unsigned char *in,
    unsigned char *out)
{
    int  n;

    return EVP_EncryptUpdate(ctx, out, &n, in, NGX_IMS_AKA_KEY) == 1
           && n == NGX_IMS_AKA_KEY
           ? NGX_IMS_OK : NGX_IMS_INVALID;
}


static void
ngx_ims_aka_xor(unsigned char *out, const unsigned char *a,
    const unsigned char *b, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        out[i] = a[i] ^ b[i];
    }
}


/* E_K(rot(x ^ opc, rot bytes) ^ c) ^ opc, where c has one byte, the last */

static int
ngx_ims_aka_out(EVP_CIPHER_CTX *ctx, const unsigned char *x,
    const unsigned char *opc, unsigned rot, unsigned c, unsigned char *out)
{
    unsigned       i;
    unsigned char  t[NGX_IMS_AKA_KEY];

    for (i = 0; i < NGX_IMS_AKA_KEY; i++) {
        t[(i + NGX_IMS_AKA_KEY - rot) % NGX_IMS_AKA_KEY] = x[i] ^ opc[i];
    }

    t[NGX_IMS_AKA_KEY - 1] ^= c;

    if (ngx_ims_aka_block(ctx, t, out) != NGX_IMS_OK) {
        return NGX_IMS_INVALID;
    }

    ngx_ims_aka_xor(out, out, opc, NGX_IMS_AKA_KEY);
    OPENSSL_cleanse(t, sizeof(t));

    return NGX_IMS_OK;
}


int
ngx_ims_aka_opc(const unsigned char *k, const unsigned char *op,
    unsigned char *opc)
{
    int              rc;
    unsigned char    t[NGX_IMS_AKA_KEY];
    EVP_CIPHER_CTX  *ctx;

    ctx = ngx_ims_aka_cipher(k);
    if (ctx == NULL) {
        return NGX_IMS_INVALID;
    }

    rc = ngx_ims_aka_block(ctx, op, t);

    if (rc == NGX_IMS_OK) {
        ngx_ims_aka_xor(opc, t, op, NGX_IMS_AKA_KEY);
    }

    OPENSSL_cleanse(t, sizeof(t));
    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


int
ngx_ims_aka_f2345(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, ngx_ims_aka_keys_t *keys)
{
    int              rc;
    unsigned char    temp[NGX_IMS_AKA_KEY], t[NGX_IMS_AKA_KEY];
    EVP_CIPHER_CTX  *ctx;

    rc = NGX_IMS_INVALID;

    ctx = ngx_ims_aka_cipher(k);
    if (ctx == NULL) {
        return rc;
    }

    ngx_ims_aka_xor(t, rand, opc, NGX_IMS_AKA_KEY);

    if (ngx_ims_aka_block(ctx, t, temp) != NGX_IMS_OK
        || ngx_ims_aka_out(ctx, temp, opc, 0, 1, t) != NGX_IMS_OK)
    {
        goto done;
    }

    memcpy(keys->ak, t, NGX_IMS_AKA_SQN);
    memcpy(keys->res, t + 8, NGX_IMS_AKA_RES);

    if (ngx_ims_aka_out(ctx, temp, opc, 4, 2, keys->ck) != NGX_IMS_OK
        || ngx_ims_aka_out(ctx, temp, opc, 8, 4, keys->ik) != NGX_IMS_OK
        || ngx_ims_aka_out(ctx, temp, opc, 12, 8, t) != NGX_IMS_OK)
    {
        goto done;
    }

    memcpy(keys->ak_star, t, NGX_IMS_AKA_SQN);

    rc = NGX_IMS_OK;

done:

    OPENSSL_cleanse(temp, sizeof(temp));
    OPENSSL_cleanse(t, sizeof(t));
    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


int
ngx_ims_aka_f1(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, const unsigned char *sqn,
    const unsigned char *amf, unsigned char *mac_a, unsigned char *mac_s)
{
    int              i, rc;
    unsigned char    temp[NGX_IMS_AKA_KEY], in[NGX_IMS_AKA_KEY];
    unsigned char    t[NGX_IMS_AKA_KEY];
    EVP_CIPHER_CTX  *ctx;

    rc = NGX_IMS_INVALID;

    ctx = ngx_ims_aka_cipher(k);
    if (ctx == NULL) {
        return rc;
    }

    ngx_ims_aka_xor(t, rand, opc, NGX_IMS_AKA_KEY);

    if (ngx_ims_aka_block(ctx, t, temp) != NGX_IMS_OK) {
        goto done;
    }

    memcpy(in, sqn, NGX_IMS_AKA_SQN);
    memcpy(in + NGX_IMS_AKA_SQN, amf, NGX_IMS_AKA_AMF);
    memcpy(in + 8, in, 8);

    /* E_K(TEMP ^ rot(IN1 ^ OPc, 64)) ^ OPc */

    for (i = 0; i < NGX_IMS_AKA_KEY; i++) {
        t[(i + 8) % NGX_IMS_AKA_KEY] = in[i] ^ opc[i];
    }

    ngx_ims_aka_xor(t, t, temp, NGX_IMS_AKA_KEY);

    if (ngx_ims_aka_block(ctx, t, in) != NGX_IMS_OK) {
        goto done;
    }

    ngx_ims_aka_xor(t, in, opc, NGX_IMS_AKA_KEY);

    memcpy(mac_a, t, NGX_IMS_AKA_MAC);
    memcpy(mac_s, t + 8, NGX_IMS_AKA_MAC);

    rc = NGX_IMS_OK;

done:

    OPENSSL_cleanse(temp, sizeof(temp));
    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


int
ngx_ims_aka_check(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, const unsigned char *autn,
    ngx_ims_aka_sqn_t *sqn, unsigned char *auts)
{
    int                 i, rc;
    uint64_t            now, seen;
    unsigned char       bytes[NGX_IMS_AKA_SQN], mac_a[NGX_IMS_AKA_MAC];
    unsigned char       mac_s[NGX_IMS_AKA_MAC];
    ngx_ims_aka_keys_t  keys;

    rc = NGX_IMS_INVALID;

    if (ngx_ims_aka_f2345(k, opc, rand, &keys) != NGX_IMS_OK) {
        return rc;
    }

    ngx_ims_aka_xor(bytes, autn, keys.ak, NGX_IMS_AKA_SQN);

    if (ngx_ims_aka_f1(k, opc, rand, bytes, autn + NGX_IMS_AKA_SQN, mac_a,
                       mac_s)
        != NGX_IMS_OK
        || CRYPTO_memcmp(mac_a, autn + 8, NGX_IMS_AKA_MAC) != 0)
    {
        goto done;
    }

    for (now = 0, i = 0; i < NGX_IMS_AKA_SQN; i++) {
        now = now << 8 | bytes[i];
    }

    seen = __atomic_load_n(sqn, __ATOMIC_RELAXED);

    do {
        if (seen && (now <= seen || now - seen > NGX_IMS_AKA_DELTA)) {
            ngx_ims_aka_auts(k, opc, rand, &keys, seen, auts);
            rc = NGX_IMS_MORE;
            goto done;
        }

    } while (!__atomic_compare_exchange_n(sqn, &seen, now, 0,
                                          __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));

    rc = NGX_IMS_OK;

done:

    OPENSSL_cleanse(&keys, sizeof(keys));

    return rc;
}


/* TS 33.102 6.3.3: the MAC of AUTS is made with an AMF of zeros */

static void
ngx_ims_aka_auts(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, const ngx_ims_aka_keys_t *keys, uint64_t seen,
    unsigned char *auts)
{
    int            i;
    unsigned char  bytes[NGX_IMS_AKA_SQN], mac_a[NGX_IMS_AKA_MAC];

    static const unsigned char  amf[NGX_IMS_AKA_AMF] = { 0, 0 };

    for (i = NGX_IMS_AKA_SQN - 1; i >= 0; i--) {
        bytes[i] = (unsigned char) seen;
        seen >>= 8;
    }

    ngx_ims_aka_xor(auts, bytes, keys->ak_star, NGX_IMS_AKA_SQN);

    if (ngx_ims_aka_f1(k, opc, rand, bytes, amf, mac_a,
                       auts + NGX_IMS_AKA_SQN)
        != NGX_IMS_OK)
    {
        memset(auts, 0, NGX_IMS_AKA_AUTS);
    }
}
