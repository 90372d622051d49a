/*
 * ims-login: the demonstration site's login.
 *
 * Not a product: it keeps a few users in a file and gives them a token, so
 * that the portal in nginx has somebody to believe.  An enterprise has its
 * own login, which issues tokens in the same form.
 *
 *   ims_login.c   the commands and their options
 *   il_key.c      keys: made, read, written as a JWK set (OpenSSL)
 *   il_token.c    tokens: issued and, for /whoami, read (libjwt)
 *   il_user.c     the users file: PBKDF2 hashes
 *   il_http.c     one HTTP request in, one answer out; no sockets
 *   il_serve.c    sockets: a poll loop in which nobody waits for anybody
 */

/* Copyright (C) the IMS portal authors */


#ifndef IMS_LOGIN_H
#define IMS_LOGIN_H


#include <stddef.h>
#include <stdbool.h>
#include <jwt.h>


enum {
    IL_MAX_KEY     = 16384,     /* bytes of a key file */
    IL_MAX_TOKEN   = 3072,      /* so that it fits in a cookie */
    IL_MAX_CLAIMS  = 16,        /* -c options */
    IL_MAX_USER    = 64,        /* bytes of a user's name */
    IL_MAX_PASS    = 256,       /* bytes of a password */
    IL_MAX_LINE    = 512,       /* bytes of a line in the users file */
    IL_MAX_HEAD    = 16384,     /* bytes of a request's head */
    IL_MAX_BODY    = 4096,      /* bytes of a request's body */
    IL_MAX_ANSWER  = 6144,      /* bytes of an answer */
    IL_MAX_CONNS   = 256,       /* clients at a time */
    IL_TIMEOUT     = 10000      /* ms for a request and its answer */
};


/* a key and the one algorithm that it is for */
struct il_key {
    jwt_alg_t    alg;
    char        *priv;          /* PEM, or the secret's bytes */
    size_t       privlen;
    char        *pub;           /* PEM; the same as priv for HS* */
    size_t       publen;
};


/* what a token says */
struct il_claims {
    const char  *iss;
    const char  *aud;
    const char  *sub;
    const char  *kid;           /* NULL: no kid in the header */
    long         seconds;       /* until it ends; may be negative */
    const char  *more[IL_MAX_CLAIMS];   /* "name=text" or "name:=JSON" */
    size_t       nmore;
};


/* what the server needs to know */
struct il_site {
    const char        *users;   /* path */
    const char        *cookie;
    bool               secure;
    struct il_key      key;
    struct il_claims   claims;  /* sub is set for each login */
};


/*
 * Reads a private key (PEM for RS* and ES*, any bytes for HS*).
 *
 * @param key   filled; il_key_free() frees what it owns
 * @param alg   "HS256" ... "ES512"
 * @param path  the key file
 *
 * @return 0, or -1 after a message on stderr
 */
int il_key_read(struct il_key *key, const char *alg, const char *path);
void il_key_free(struct il_key *key);

/*
 * Makes a key and the JWK set that verifies it (RFC 7517, RFC 7518).
 *
 * @param alg   as above
 * @param path  for the private key or secret, made with mode 0600
 * @param jwks  for the JWK set
 * @param kid   NULL: none
 *
 * @return 0, or -1 after a message on stderr
 */
int il_key_make(const char *alg, const char *path, const char *jwks,
    const char *kid);

/*
 * Issues a token (RFC 7519).
 *
 * @return the token, to be freed with free(), or NULL after a message
 */
char *il_token_issue(const struct il_key *key, const struct il_claims *claims);

/*
 * Reads a token back: signature, algorithm, issuer, audience and end must be
 * right.
 *
 * @param user  the subject is written here, IL_MAX_USER + 1 bytes
 *
 * @return true if it is good
 */
bool il_token_read(const struct il_key *key, const struct il_claims *claims,
    const char *token, char *user);

/* is it 1 to IL_MAX_USER bytes of [A-Za-z0-9._-]? */
bool il_user_valid(const char *user);

/*
 * Does the password fit?  An unknown user costs as much time as a known one.
 *
 * @param path  users file: lines "user:pbkdf2-sha256$ROUNDS$SALT$HASH"
 */
bool il_user_check(const char *path, const char *user, const char *password);

/*
 * Makes a line for the users file.
 *
 * @param line  IL_MAX_LINE bytes
 *
 * @return 0, or -1
 */
int il_user_line(const char *user, const char *password, char *line);

/*
 * Is the request complete?
 *
 * @param buf  what came so far, NUL terminated
 * @param len  its length without the NUL
 *
 * @return 0: more is needed; 1: complete, or wrong enough to be answered
 */
int il_http_complete(const char *buf, size_t len);

/*
 * Answers a request.
 *
 * @param buf  the request, NUL terminated; changed while it is read
 * @param out  the answer, IL_MAX_ANSWER bytes
 *
 * @return length of the answer
 */
size_t il_http_answer(const struct il_site *site, char *buf, size_t len,
    char *out);

/*
 * Serves until SIGTERM or SIGINT.
 *
 * @param addr  "ADDR:PORT", "[ADDR6]:PORT" or "unix:PATH"
 *
 * @return exit status
 */
int il_serve(const struct il_site *site, const char *addr);

/* a message on stderr: "ims-login: ..." */
void il_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));


#endif /* IMS_LOGIN_H */
