/*
 * Copyright (C) the IMS portal authors
 *
 * libjwt as a second opinion on HS, RS and ES: its tokens are good for us and
 * ours for it, with the same claims, and what it refuses we refuse.  Where it
 * takes more than it should, that is listed, and must be all.
 */


#include <jwt.h>

#include "jwt_bench.h"


static const struct {
    const char  *name;
    jwt_alg_t    alg;
    int          key;
} both[] = {
    { "HS256", JWT_ALG_HS256, HMAC_KEY },
    { "HS384", JWT_ALG_HS384, HMAC_KEY },
    { "HS512", JWT_ALG_HS512, HMAC_KEY },
    { "RS256", JWT_ALG_RS256, RSA_KEY },
    { "RS384", JWT_ALG_RS384, RSA_KEY },
    { "RS512", JWT_ALG_RS512, RSA_KEY },
    { "ES256", JWT_ALG_ES256, P256 },
    { "ES384", JWT_ALG_ES384, P384 },
    { "ES512", JWT_ALG_ES512, P521 }
};

#define NBOTH  (sizeof(both) / sizeof(both[0]))


/* the key as libjwt takes it: a secret, or PEM; *pem is to be freed */

static const unsigned char *
their_key(int key, int private_half, char **pem, int *len)
{
    *pem = NULL;

    if (key == HMAC_KEY) {
        *len = sizeof(secret);
        return secret;
    }

    *pem = jwt_make_pem(keys[key].pkey, private_half);
    *len = strlen(*pem);

    return (unsigned char *) *pem;
}


/* 1 when libjwt takes the token; with *theirs, to be freed, if wanted */

static int
they_accept(const char *token, int key, jwt_t **theirs)
{
    int                   len, rc;
    char                 *pem;
    jwt_t                *j;
    const unsigned char  *k;

    j = NULL;
    k = their_key(key, 0, &pem, &len);

    rc = jwt_decode(&j, token, k, len);

    ERR_clear_error();
    free(pem);

    if (theirs != NULL) {
        *theirs = j;

    } else if (rc == 0) {
        jwt_free(j);
    }

    return rc == 0;
}


static char *
their_token(jwt_alg_t alg, int key)
{
    int                   len;
    char                 *pem, *token;
    jwt_t                *j;
    const unsigned char  *k;

    k = their_key(key, 1, &pem, &len);
    j = NULL;
    token = NULL;

    if (jwt_new(&j) == 0
        && jwt_add_grants_json(j, CLAIMS) == 0
        && jwt_set_alg(j, alg, k, len) == 0)
    {
        token = jwt_encode_str(j);
    }

    jwt_free(j);
    free(pem);
    ERR_clear_error();

    return token;
}


/* each takes what the other issues, and reads the same in it */

static void
test_each_other(void)
{
    char           *token;
    jwt_t          *j;
    size_t          i;
    ngx_ims_str_t   s;
    ngx_ims_jwt_t  *jwt;

    for (i = 0; i < NBOTH; i++) {
        token = their_token(both[i].alg, both[i].key);

        if (ok(token != NULL, "libjwt issues %s", both[i].name)) {
            is_result(verify_at(keys[both[i].key].keys, token, NOW, 0, &jwt),
                      NGX_IMS_JWT_OK, "which we accept");

            if (jwt != NULL) {
                s = ngx_ims_jwt_subject(jwt);
                is_str(s.data, s.len, "mary", "with its subject");
                is_int(ngx_ims_jwt_expires(jwt), 1800000600, "its end");
                ngx_ims_jwt_free(jwt);
            }

            free(token);
        }

        /* and the other way round */

        token = make(both[i].name, both[i].key, CLAIMS);

        if (ok(they_accept(token, both[i].key, &j), "libjwt accepts our %s",
               both[i].name))
        {
            is_int(jwt_get_alg(j), both[i].alg, "as that");
            is_str(jwt_get_grant(j, "sub"), strlen(jwt_get_grant(j, "sub")),
                   "mary", "with its subject");
            is_int(jwt_get_grant_int(j, "exp"), 1800000600, "its end");
            jwt_free(j);
        }

        free(token);
    }
}


/*
 * A changed character anywhere: what we take, libjwt takes.  It takes one more:
 * in the last character of a signature bits that mean nothing.
 */

static void
test_changes(void)
{
    int      k, us, them;
    char    *token, was;
    size_t   i, at, len, more, inside, last;

    static const int  step[] = { 1, 29, 31 };
    static const int  tried[] = { 0, 3, 6 };        /* of both[] */

    for (k = 0; k < 3; k++) {
        i = tried[k];
        token = make(both[i].name, both[i].key, CLAIMS);
        len = strlen(token);
        more = inside = last = 0;

        for (at = len; at-- > 0; at -= (at > len - 4) ? 0
                                    : at < (size_t) step[k] ? at
                                    : (size_t) step[k] - 1)
        {
            was = token[at];
            token[at] = (was == 'B') ? 'A' : (was == 'A') ? 'B' : was + 1;

            us = (verify(keys[both[i].key].keys, token) == NGX_IMS_JWT_OK);
            them = they_accept(token, both[i].key, NULL);

            more += (us && !them);
            inside += (them && !us && at != len - 1);
            last += (them && !us && at == len - 1);

            token[at] = was;
        }

        is_int(more, 0, "nothing is accepted that libjwt refuses");
        is_int(inside, 0, "libjwt accepts no more");
        ok(last <= 1, "but bits behind a signature: %zu", last);

        free(token);
    }
}


/* where we part: what it takes and should not, and what it does not know */

static void
test_known(void)
{
    char    *token, *pem, *bad, *dot;
    jwt_t   *j;
    size_t   i;

    static const struct {
        const char            *header;
        const char            *payload;
        int                    them;
        ngx_ims_jwt_result_e   us;
        const char            *name;
    } t[] = {
        { "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
          "{" "\"iss\":\"https://login.acme.example\",\"aud\":\"ims-portal\","
          "\"sub\":\"mary\",\"exp\":1}", 1, NGX_IMS_JWT_EXPIRED,
          "it does not look at exp" },
        { "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
          "{" "\"iss\":\"https://login.acme.example\",\"aud\":\"ims-portal\","
          "\"sub\":\"mary\"}", 1, NGX_IMS_JWT_NO_EXPIRY, "nor misses it" },
        { "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
          "{" "\"iss\":\"https://evil.example\",\"aud\":\"ims-portal\","
          "\"sub\":\"mary\",\"exp\":1800000600}", 1, NGX_IMS_JWT_ISSUER,
          "nor looks at iss" },
        { "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"x\"]}", CLAIMS, 1,
          NGX_IMS_JWT_MALFORMED, "nor at crit" },
        { "{\"alg\":\"hs256\",\"typ\":\"JWT\"}", CLAIMS, 1,
          NGX_IMS_JWT_ALGORITHM, "nor at the case of alg" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        token = jwt_make_token("HS256", t[i].header, t[i].payload, NULL,
                               secret, sizeof(secret));
        is_int(they_accept(token, HMAC_KEY, NULL), t[i].them, t[i].name);
        is_verified(keys[HMAC_KEY].keys, token, t[i].us, "we do");
    }

    /* the public key as a secret */

    pem = jwt_make_pem(keys[RSA_KEY].pkey, 0);
    token = jwt_make_token("HS256", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                           CLAIMS, NULL, pem, strlen(pem));
    is_int(they_accept(token, RSA_KEY, NULL), 1,
           "it takes HS256 by a public key");
    is_verified(keys[RSA_KEY].keys, token, NGX_IMS_JWT_ALGORITHM, "we do not");
    free(pem);

    /* no key at all: a signature is not looked at */

    token = make("RS256", RSA_KEY, CLAIMS);
    j = NULL;
    is_int(jwt_decode(&j, token, NULL, 0), 0, "it takes RS256 without a key");
    is_int(j ? (int) jwt_get_alg(j) : -1, JWT_ALG_NONE, "and calls it none");
    jwt_free(j);
    ERR_clear_error();
    is_verified(keys[HMAC_KEY].keys, token, NGX_IMS_JWT_ALGORITHM,
                "we have always keys");

    /* other texts for one token; of HS it compares the texts themselves */

    token = make("RS256", RSA_KEY, CLAIMS);
    bad = malloc(strlen(token) + 8);
    sprintf(bad, "%s=", token);
    is_int(they_accept(bad, RSA_KEY, NULL), 1, "it takes padding");
    is_result(verify(keys[RSA_KEY].keys, bad), NGX_IMS_JWT_MALFORMED,
              "we do not");

    dot = strrchr(token, '.');
    sprintf(bad, "%.*s.%s", (int) (dot - token), token, dot);
    is_int(they_accept(bad, RSA_KEY, NULL), 1, "it takes two dots for one");
    is_result(verify(keys[RSA_KEY].keys, bad), NGX_IMS_JWT_MALFORMED,
              "we do not");
    free(bad);
    free(token);

    /* what it does not know */

    token = make("PS256", RSA_KEY, CLAIMS);
    is_int(they_accept(token, RSA_KEY, NULL), 0, "it does not know PS256");
    is_verified(keys[RSA_KEY].keys, token, NGX_IMS_JWT_OK, "we do");

    token = make("EdDSA", ED, CLAIMS);
    is_int(they_accept(token, ED, NULL), 0, "it does not know EdDSA");
    is_verified(keys[ED].keys, token, NGX_IMS_JWT_OK, "we do");
}


int
main(void)
{
    make_keys();

    test_each_other();
    test_changes();
    test_known();

    free_keys();

    return done_testing();
}
