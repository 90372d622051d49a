/*
 * Tokens of ims-login: libjwt issues them, and reads them for /whoami.
 *
 * The portal does not trust libjwt with verification, because 1.10.2 takes
 * the algorithm from the token.  Here the algorithm is compared afterwards,
 * and nothing but a user's own name depends on it.
 */

/* Copyright (C) the IMS portal authors */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <openssl/rand.h>

#include "ims_login.h"


/* "name=text" or "name:=JSON"; takes the place of a claim of that name */

static int
il_token_claim(jwt_t *jwt, const char *text)
{
    int          rc;
    bool         json;
    char         name[64], *dump;
    json_t      *value, *object;
    size_t       len;
    const char  *p;

    p = strchr(text, '=');
    if (p == NULL || p == text) {
        goto invalid;
    }

    json = p[-1] == ':';
    len = (size_t) (p - text) - (json ? 1 : 0);

    if (len == 0 || len >= sizeof(name)) {
        goto invalid;
    }

    memcpy(name, text, len);
    name[len] = '\0';

    value = json ? json_loads(p + 1, JSON_DECODE_ANY, NULL)
                 : json_string(p + 1);
    if (value == NULL) {
        goto invalid;
    }

    object = json_pack("{s:o}", name, value);
    dump = json_dumps(object, JSON_COMPACT);

    (void) jwt_del_grants(jwt, name);
    rc = dump == NULL ? -1 : jwt_add_grants_json(jwt, dump);

    free(dump);
    json_decref(object);

    return rc;

invalid:

    il_log("claim \"%s\" is not name=text or name:=JSON", text);

    return -1;
}


/* a name of its own for each token, so that one can be revoked */

static int
il_token_jti(jwt_t *jwt)
{
    char           text[33];
    size_t         i;
    unsigned char  id[16];

    if (RAND_bytes(id, sizeof(id)) != 1) {
        return -1;
    }

    for (i = 0; i < sizeof(id); i++) {
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    }

    return jwt_add_grant(jwt, "jti", text);
}


char *
il_token_issue(const struct il_key *key, const struct il_claims *claims)
{
    long    now;
    char   *text, *token;
    jwt_t  *jwt;
    size_t  i;

    token = NULL;
    now = (long) time(NULL);

    if (jwt_new(&jwt) != 0) {
        return NULL;
    }

    if (jwt_add_grant(jwt, "iss", claims->iss) != 0
        || jwt_add_grant(jwt, "aud", claims->aud) != 0
        || jwt_add_grant(jwt, "sub", claims->sub) != 0
        || jwt_add_grant_int(jwt, "iat", now) != 0
        || jwt_add_grant_int(jwt, "exp", now + claims->seconds) != 0
        || il_token_jti(jwt) != 0
        || (claims->kid != NULL
            && jwt_add_header(jwt, "kid", claims->kid) != 0))
    {
        goto done;
    }

    for (i = 0; i < claims->nmore; i++) {
        if (il_token_claim(jwt, claims->more[i]) != 0) {
            goto done;
        }
    }

    if (jwt_set_alg(jwt, key->alg, (unsigned char *) key->priv,
                    (int) key->privlen)
        != 0)
    {
        goto done;
    }

    text = jwt_encode_str(jwt);

    if (text != NULL) {
        token = strdup(text);
        free(text);
    }

done:

    if (token == NULL) {
        il_log("cannot issue a token");
    }

    jwt_free(jwt);

    return token;
}


static bool
il_token_says(jwt_t *jwt, const char *name, const char *value)
{
    const char  *s;

    s = jwt_get_grant(jwt, name);

    return s != NULL && strcmp(s, value) == 0;
}


bool
il_token_read(const struct il_key *key, const struct il_claims *claims,
    const char *token, char *user)
{
    bool         good;
    jwt_t       *jwt;
    const char  *sub;

    if (jwt_decode(&jwt, token, (unsigned char *) key->pub,
                   (int) key->publen)
        != 0)
    {
        return false;
    }

    sub = jwt_get_grant(jwt, "sub");

    good = jwt_get_alg(jwt) == key->alg
           && il_token_says(jwt, "iss", claims->iss)
           && il_token_says(jwt, "aud", claims->aud)
           && jwt_get_grant_int(jwt, "exp") > (long) time(NULL)
           && sub != NULL && il_user_valid(sub);

    if (good) {
        snprintf(user, IL_MAX_USER + 1, "%s", sub);
    }

    jwt_free(jwt);

    return good;
}
