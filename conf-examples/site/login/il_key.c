/*
 * Keys of ims-login: made, read, and written as a JWK set.  All of OpenSSL's
 * key handling is here; signing is libjwt's.
 */

/* Copyright (C) the IMS portal authors */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "ims_login.h"


static const struct il_alg {
    const char  *name;
    jwt_alg_t    alg;
    const char  *kty;
    const char  *group;         /* EC: OpenSSL's name */
    const char  *crv;           /* EC: JWK's name */
    size_t       size;          /* EC: bytes of a coordinate; oct: of a key */
} il_algs[] = {
    { "HS256", JWT_ALG_HS256, "oct", NULL, NULL, 32 },
    { "HS384", JWT_ALG_HS384, "oct", NULL, NULL, 48 },
    { "HS512", JWT_ALG_HS512, "oct", NULL, NULL, 64 },
    { "RS256", JWT_ALG_RS256, "RSA", NULL, NULL, 0 },
    { "RS384", JWT_ALG_RS384, "RSA", NULL, NULL, 0 },
    { "RS512", JWT_ALG_RS512, "RSA", NULL, NULL, 0 },
    { "ES256", JWT_ALG_ES256, "EC", "P-256", "P-256", 32 },
    { "ES384", JWT_ALG_ES384, "EC", "P-384", "P-384", 48 },
    { "ES512", JWT_ALG_ES512, "EC", "P-521", "P-521", 66 },
};


static const struct il_alg *
il_alg_find(const char *name)
{
    size_t  i;

    for (i = 0; i < sizeof(il_algs) / sizeof(il_algs[0]); i++) {
        if (strcmp(il_algs[i].name, name) == 0) {
            return &il_algs[i];
        }
    }

    il_log("unknown algorithm \"%s\"", name);

    return NULL;
}


static char *
il_file_read(const char *path, size_t *lenp)
{
    char   *buf;
    FILE   *f;
    size_t  len;

    f = fopen(path, "rb");
    if (f == NULL) {
        il_log("cannot open \"%s\": %s", path, strerror(errno));
        return NULL;
    }

    buf = malloc(IL_MAX_KEY + 1);
    if (buf == NULL) {
        fclose(f);
        return NULL;
    }

    len = fread(buf, 1, IL_MAX_KEY, f);
    fclose(f);

    if (len == 0 || len == IL_MAX_KEY) {
        il_log("\"%s\" is no key", path);
        free(buf);
        return NULL;
    }

    buf[len] = '\0';
    *lenp = len;

    return buf;
}


/* the public half as PEM: what libjwt wants for reading */

static int
il_key_public(struct il_key *key, const struct il_alg *alg, const char *path)
{
    BIO         *in, *out;
    int          rc;
    char        *p;
    long         len;
    EVP_PKEY    *pkey;
    const char  *type;

    rc = -1;
    out = NULL;
    pkey = NULL;
    type = strcmp(alg->kty, "RSA") == 0 ? "RSA" : "EC";

    in = BIO_new_mem_buf(key->priv, (int) key->privlen);
    if (in == NULL) {
        goto done;
    }

    pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, "");
    if (pkey == NULL || !EVP_PKEY_is_a(pkey, type)) {
        il_log("\"%s\" is no private key for %s", path, alg->name);
        goto done;
    }

    out = BIO_new(BIO_s_mem());
    if (out == NULL || PEM_write_bio_PUBKEY(out, pkey) != 1) {
        goto done;
    }

    len = BIO_get_mem_data(out, &p);
    key->pub = malloc((size_t) len + 1);

    if (key->pub != NULL) {
        memcpy(key->pub, p, (size_t) len);
        key->pub[len] = '\0';
        key->publen = (size_t) len;
        rc = 0;
    }

done:

    EVP_PKEY_free(pkey);
    BIO_free(in);
    BIO_free(out);

    return rc;
}


int
il_key_read(struct il_key *key, const char *name, const char *path)
{
    const struct il_alg  *alg;

    memset(key, 0, sizeof(*key));

    alg = il_alg_find(name);
    if (alg == NULL) {
        return -1;
    }

    key->alg = alg->alg;
    key->priv = il_file_read(path, &key->privlen);

    if (key->priv == NULL) {
        return -1;
    }

    if (strcmp(alg->kty, "oct") == 0) {

        /* RFC 7518 section 3.2: as long as the hash, at least */

        if (key->privlen < alg->size) {
            il_log("\"%s\" is too short for %s", path, name);
            il_key_free(key);
            return -1;
        }

        key->pub = key->priv;
        key->publen = key->privlen;

        return 0;
    }

    if (il_key_public(key, alg, path) != 0) {
        il_key_free(key);
        return -1;
    }

    return 0;
}


void
il_key_free(struct il_key *key)
{
    if (key->pub != key->priv) {
        free(key->pub);
    }

    if (key->priv != NULL) {
        OPENSSL_cleanse(key->priv, key->privlen);
        free(key->priv);
    }

    memset(key, 0, sizeof(*key));
}


static FILE *
il_file_create(const char *path, mode_t mode)
{
    int    fd;
    FILE  *f;

    /* an old file would keep its mode */
    (void) unlink(path);

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    f = fd == -1 ? NULL : fdopen(fd, "wb");

    if (f == NULL) {
        il_log("cannot write \"%s\": %s", path, strerror(errno));
    }

    return f;
}


/* base64url without padding (RFC 7515 appendix C) */

static void
il_base64url(const unsigned char *in, size_t len, char *out)
{
    char  *p;

    EVP_EncodeBlock((unsigned char *) out, in, (int) len);

    for (p = out; *p != '\0'; p++) {
        switch (*p) {

        case '+':
            *p = '-';
            break;

        case '/':
            *p = '_';
            break;

        case '=':
            *p = '\0';
            return;
        }
    }
}


static int
il_jwk_bytes(json_t *jwk, const char *name, const unsigned char *in,
    size_t len)
{
    char  text[1024];

    if (len > 700) {
        return -1;
    }

    il_base64url(in, len, text);

    return json_object_set_new(jwk, name, json_string(text));
}


/* size 0: as long as the number is */

static int
il_jwk_number(json_t *jwk, const char *name, const EVP_PKEY *pkey,
    const char *param, size_t size)
{
    int            rc;
    BIGNUM        *bn;
    unsigned char  buf[700];

    bn = NULL;
    rc = -1;

    if (EVP_PKEY_get_bn_param(pkey, param, &bn) == 1) {

        if (size == 0) {
            size = (size_t) BN_num_bytes(bn);
        }

        if (size <= sizeof(buf)
            && BN_bn2binpad(bn, buf, (int) size) == (int) size)
        {
            rc = il_jwk_bytes(jwk, name, buf, size);
        }
    }

    BN_free(bn);

    return rc;
}


static int
il_key_make_secret(json_t *jwk, const struct il_alg *alg, FILE *f)
{
    unsigned char  buf[64];

    if (RAND_bytes(buf, (int) alg->size) != 1
        || fwrite(buf, 1, alg->size, f) != alg->size)
    {
        return -1;
    }

    return il_jwk_bytes(jwk, "k", buf, alg->size);
}


static int
il_key_make_pair(json_t *jwk, const struct il_alg *alg, FILE *f)
{
    int        rc;
    EVP_PKEY  *pkey;

    pkey = alg->group != NULL ? EVP_EC_gen(alg->group) : EVP_RSA_gen(2048);

    if (pkey == NULL
        || PEM_write_PKCS8PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL) != 1)
    {
        rc = -1;

    } else if (alg->group != NULL) {
        rc = json_object_set_new(jwk, "crv", json_string(alg->crv))
             || il_jwk_number(jwk, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X,
                              alg->size)
             || il_jwk_number(jwk, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y,
                              alg->size);

    } else {
        rc = il_jwk_number(jwk, "n", pkey, OSSL_PKEY_PARAM_RSA_N, 0)
             || il_jwk_number(jwk, "e", pkey, OSSL_PKEY_PARAM_RSA_E, 0);
    }

    EVP_PKEY_free(pkey);

    return rc == 0 ? 0 : -1;
}


int
il_key_make(const char *name, const char *path, const char *jwks,
    const char *kid)
{
    int                   rc;
    bool                  secret;
    FILE                 *f;
    json_t               *jwk, *set;
    const struct il_alg  *alg;

    alg = il_alg_find(name);
    if (alg == NULL) {
        return -1;
    }

    secret = strcmp(alg->kty, "oct") == 0;

    f = il_file_create(path, 0600);
    if (f == NULL) {
        return -1;
    }

    jwk = json_pack("{s:s, s:s, s:s, s:s*}", "kty", alg->kty, "alg", alg->name,
                    "use", "sig", "kid", kid);

    rc = jwk == NULL ? -1
         : secret ? il_key_make_secret(jwk, alg, f)
         : il_key_make_pair(jwk, alg, f);

    if (fclose(f) != 0 || rc != 0) {
        il_log("cannot make the key \"%s\"", path);
        json_decref(jwk);
        return -1;
    }

    set = json_pack("{s:[o]}", "keys", jwk);

    /* the set of an HS* key is as secret as the key */
    f = il_file_create(jwks, secret ? 0600 : 0644);
    rc = -1;

    if (set != NULL && f != NULL) {
        rc = json_dumpf(set, f, JSON_INDENT(2));
        fputc('\n', f);
    }

    if (f != NULL && fclose(f) != 0) {
        rc = -1;
    }

    json_decref(set);

    return rc;
}
