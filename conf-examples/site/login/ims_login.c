/*
 * The commands of ims-login and their options.
 */

/* Copyright (C) the IMS portal authors */


#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ims_login.h"


static const char il_usage[] =
    "ims-login: the login of the demonstration site; not for production\n"
    "\n"
    "  ims-login keygen -a ALG -o KEYFILE -j JWKSFILE [-K KID]\n"
    "  ims-login token  -k KEYFILE -a ALG -i ISS -A AUD -s SUB\n"
    "                   [-e SECONDS] [-K KID] [-c NAME=TEXT]...\n"
    "                   [-c NAME:=JSON]...\n"
    "  ims-login passwd USER < PASSWORD\n"
    "  ims-login serve  -l ADDR:PORT|unix:PATH -u USERSFILE -k KEYFILE\n"
    "                   -a ALG -i ISS -A AUD [-e SECONDS] [-K KID]\n"
    "                   [-c NAME=TEXT]... [-C COOKIE] [-S]\n"
    "\n"
    "  ALG: HS256 HS384 HS512 RS256 RS384 RS512 ES256 ES384 ES512\n"
    "  SECONDS until the token ends, 3600 by default\n"
    "  COOKIE: ims_session by default; -S marks it Secure\n";


struct il_options {
    const char       *alg;
    const char       *key;
    const char       *out;
    const char       *jwks;
    const char       *listen;
    struct il_site    site;
};


void
il_log(const char *fmt, ...)
{
    va_list  args;

    fputs("ims-login: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}


static int
il_seconds(const char *text, long *seconds)
{
    char  *end;

    errno = 0;
    *seconds = strtol(text, &end, 10);

    if (errno != 0 || *end != '\0' || end == text || *seconds > INT_MAX
        || *seconds < INT_MIN)
    {
        il_log("\"%s\" is no number of seconds", text);
        return -1;
    }

    return 0;
}


static int
il_option(struct il_options *o, int opt, char *arg)
{
    struct il_claims  *claims;

    claims = &o->site.claims;

    switch (opt) {

    case 'a':
        o->alg = arg;
        break;

    case 'k':
        o->key = arg;
        break;

    case 'o':
        o->out = arg;
        break;

    case 'j':
        o->jwks = arg;
        break;

    case 'l':
        o->listen = arg;
        break;

    case 'u':
        o->site.users = arg;
        break;

    case 'C':
        o->site.cookie = arg;
        break;

    case 'S':
        o->site.secure = true;
        break;

    case 'i':
        claims->iss = arg;
        break;

    case 'A':
        claims->aud = arg;
        break;

    case 's':
        claims->sub = arg;
        break;

    case 'K':
        claims->kid = arg;
        break;

    case 'e':
        return il_seconds(arg, &claims->seconds);

    case 'c':
        if (claims->nmore == IL_MAX_CLAIMS) {
            il_log("too many claims");
            return -1;
        }

        claims->more[claims->nmore++] = arg;
        break;

    default:
        return -1;
    }

    return 0;
}


static int
il_keygen(struct il_options *o)
{
    if (o->alg == NULL || o->out == NULL || o->jwks == NULL) {
        return -1;
    }

    return il_key_make(o->alg, o->out, o->jwks, o->site.claims.kid) != 0;
}


static int
il_token(struct il_options *o)
{
    char              *token;
    struct il_claims  *claims;

    claims = &o->site.claims;

    if (o->alg == NULL || o->key == NULL || claims->iss == NULL
        || claims->aud == NULL || claims->sub == NULL)
    {
        return -1;
    }

    if (il_key_read(&o->site.key, o->alg, o->key) != 0) {
        return 1;
    }

    token = il_token_issue(&o->site.key, claims);
    il_key_free(&o->site.key);

    if (token == NULL) {
        return 1;
    }

    puts(token);
    free(token);

    return 0;
}


static int
il_serve_site(struct il_options *o)
{
    int  rc;

    if (o->listen == NULL || o->site.users == NULL || o->key == NULL
        || o->alg == NULL || o->site.claims.iss == NULL
        || o->site.claims.aud == NULL || !il_user_valid(o->site.cookie))
    {
        return -1;
    }

    if (access(o->site.users, R_OK) != 0) {
        il_log("cannot open \"%s\": %s", o->site.users, strerror(errno));
        return 1;
    }

    if (il_key_read(&o->site.key, o->alg, o->key) != 0) {
        return 1;
    }

    rc = il_serve(&o->site, o->listen);
    il_key_free(&o->site.key);

    return rc;
}


static int
il_passwd(const char *user)
{
    char  password[IL_MAX_PASS + 2], line[IL_MAX_LINE];

    if (fgets(password, sizeof(password), stdin) == NULL) {
        il_log("no password on the standard input");
        return 1;
    }

    password[strcspn(password, "\r\n")] = '\0';

    if (password[0] == '\0' || il_user_line(user, password, line) != 0) {
        il_log("the user's name or the password cannot be used");
        return 1;
    }

    puts(line);

    return 0;
}


static const struct il_command {
    const char  *name;
    const char  *options;
    int        (*run)(struct il_options *o);
} il_commands[] = {
    { "keygen", "a:o:j:K:", il_keygen },
    { "token", "a:k:i:A:s:e:K:c:", il_token },
    { "serve", "a:k:i:A:e:K:c:l:u:C:S", il_serve_site },
};


int
main(int argc, char **argv)
{
    int                 opt, rc;
    size_t              i;
    struct il_options   o;

    memset(&o, 0, sizeof(o));
    o.site.cookie = "ims_session";
    o.site.claims.seconds = 3600;

    if (argc == 3 && strcmp(argv[1], "passwd") == 0) {
        return il_passwd(argv[2]);
    }

    rc = -1;

    for (i = 0; i < sizeof(il_commands) / sizeof(il_commands[0]); i++) {

        if (argc < 2 || strcmp(argv[1], il_commands[i].name) != 0) {
            continue;
        }

        argc--;
        argv++;
        rc = 0;

        while (rc == 0
               && (opt = getopt(argc, argv, il_commands[i].options)) != -1)
        {
            rc = il_option(&o, opt, optarg);
        }

        if (rc == 0) {
            rc = optind < argc ? -1 : il_commands[i].run(&o);
        }

        break;
    }

    if (rc == -1) {
        fputs(il_usage, stderr);
        return 2;
    }

    return rc;
}
