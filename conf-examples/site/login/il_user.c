/*
 * The users file of ims-login: one user a line, passwords as PBKDF2 hashes
 * (RFC 8018).  The file is read at each login, so that a change needs no
 * restart.
 */

/* Copyright (C) the IMS portal authors */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "ims_login.h"


enum {
    IL_SALT       = 16,
    IL_HASH       = 32,
    IL_ROUNDS     = 100000,     /* some 30 ms */
    IL_MAX_ROUNDS = 1000000
};


struct il_secret {
    int            rounds;
    unsigned char  salt[IL_SALT];
    unsigned char  hash[IL_HASH];
};


bool
il_user_valid(const char *user)
{
    size_t  len;

    len = strspn(user, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                 "0123456789._-");

    return len > 0 && len <= IL_MAX_USER && user[len] == '\0';
}


static int
il_hex_read(const char *text, unsigned char *out, size_t len)
{
    size_t    i;
    unsigned  byte;

    for (i = 0; i < len; i++) {
        if (strspn(text + 2 * i, "0123456789abcdef") < 2
            || sscanf(text + 2 * i, "%2x", &byte) != 1)
        {
            return -1;
        }

        out[i] = (unsigned char) byte;
    }

    return 0;
}


static void
il_hex_write(const unsigned char *in, size_t len, char *text)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        snprintf(text + 2 * i, 3, "%02x", in[i]);
    }
}


/* "pbkdf2-sha256$ROUNDS$SALT$HASH" */

static int
il_secret_parse(const char *text, struct il_secret *secret)
{
    int   end;
    char  salt[2 * IL_SALT + 1], hash[2 * IL_HASH + 1];

    end = 0;

    if (sscanf(text, "pbkdf2-sha256$%7d$%32[0-9a-f]$%64[0-9a-f]%n",
               &secret->rounds, salt, hash, &end)
            != 3
        || text[end] != '\0'
        || strlen(salt) != 2 * IL_SALT || strlen(hash) != 2 * IL_HASH
        || secret->rounds < 1 || secret->rounds > IL_MAX_ROUNDS)
    {
        return -1;
    }

    if (il_hex_read(salt, secret->salt, IL_SALT) != 0) {
        return -1;
    }

    return il_hex_read(hash, secret->hash, IL_HASH);
}


static int
il_secret_hash(const char *password, const struct il_secret *secret,
    unsigned char *hash)
{
    return PKCS5_PBKDF2_HMAC(password, (int) strlen(password), secret->salt,
                             IL_SALT, secret->rounds, EVP_sha256(), IL_HASH,
                             hash)
           == 1 ? 0 : -1;
}


static int
il_user_find(const char *path, const char *user, struct il_secret *secret)
{
    int     rc;
    char    line[IL_MAX_LINE];
    FILE   *f;
    size_t  len;

    rc = -1;

    f = fopen(path, "r");
    if (f == NULL) {
        il_log("cannot open \"%s\": %s", path, strerror(errno));
        return -1;
    }

    len = strlen(user);

    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';

        if (strncmp(line, user, len) == 0 && line[len] == ':') {
            rc = il_secret_parse(line + len + 1, secret);

            if (rc != 0) {
                il_log("the line of \"%s\" in \"%s\" is broken", user, path);
            }

            break;
        }
    }

    fclose(f);

    return rc;
}


bool
il_user_check(const char *path, const char *user, const char *password)
{
    bool              known;
    unsigned char     hash[IL_HASH];
    struct il_secret  secret;

    memset(&secret, 0, sizeof(secret));
    secret.rounds = IL_ROUNDS;

    known = il_user_valid(user) && il_user_find(path, user, &secret) == 0;

    if (il_secret_hash(password, &secret, hash) != 0) {
        return false;
    }

    return CRYPTO_memcmp(hash, secret.hash, IL_HASH) == 0 && known;
}


int
il_user_line(const char *user, const char *password, char *line)
{
    char              salt[2 * IL_SALT + 1], hash[2 * IL_HASH + 1];
    struct il_secret  secret;

    secret.rounds = IL_ROUNDS;

    if (!il_user_valid(user) || strlen(password) > IL_MAX_PASS
        || RAND_bytes(secret.salt, IL_SALT) != 1
        || il_secret_hash(password, &secret, secret.hash) != 0)
    {
        return -1;
    }

    il_hex_write(secret.salt, IL_SALT, salt);
    il_hex_write(secret.hash, IL_HASH, hash);

    snprintf(line, IL_MAX_LINE, "%s:pbkdf2-sha256$%d$%s$%s", user,
             secret.rounds, salt, hash);

    return 0;
}
