/*
 * HTTP of ims-login: bytes of one request in, bytes of one answer out.  It
 * stands behind nginx, so it knows little: Content-Length bodies, no
 * chunks, one request a connection.  No sockets and no clock in here.
 */

/* Copyright (C) the IMS portal authors */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "ims_login.h"


#define IL_PAGE                                                               \
    "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\">"               \
    "<title>Login</title><p>User and password do not match. "                 \
    "<a href=\"/\">Back</a></p></html>\n"


struct il_request {
    char        *method;
    char        *path;
    char        *headers;       /* lines, after the request line */
    char        *body;
    size_t       body_len;
};


struct il_login {
    char         user[IL_MAX_USER + 1];
    char         password[IL_MAX_PASS + 1];
};


/*
 * The value of a header, or NULL.  Lines end with LF or CRLF; the value goes
 * to the end of its line.
 */

static const char *
il_header(const char *headers, const char *name, size_t *lenp)
{
    size_t       len;
    const char  *p, *end;

    len = strlen(name);

    for (p = headers; *p != '\0' && *p != '\r' && *p != '\n'; p = end + 1) {
        end = strchr(p, '\n');
        if (end == NULL) {
            return NULL;
        }

        if (strncasecmp(p, name, len) == 0 && p[len] == ':') {
            p += len + 1;
            p += strspn(p, " \t");
            *lenp = strcspn(p, "\r\n");
            return p;
        }
    }

    return NULL;
}


/* where the head ends: behind the empty line, or NULL */

static const char *
il_head_end(const char *buf)
{
    const char  *crlf, *lf;

    crlf = strstr(buf, "\r\n\r\n");
    lf = strstr(buf, "\n\n");

    if (crlf != NULL && (lf == NULL || crlf < lf)) {
        return crlf + 4;
    }

    return lf == NULL ? NULL : lf + 2;
}


/* 0 without one, -1 for a bad or too large one */

static long
il_content_length(const char *headers)
{
    long         n;
    size_t       i, len;
    const char  *value;

    value = il_header(headers, "Content-Length", &len);
    if (value == NULL) {
        return 0;
    }

    n = 0;

    for (i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return -1;
        }

        n = n * 10 + (value[i] - '0');

        if (n > IL_MAX_BODY) {
            return -1;
        }
    }

    return len == 0 ? -1 : n;
}


int
il_http_complete(const char *buf, size_t len)
{
    long         body;
    const char  *end, *headers;

    /* a NUL ends the text early; no header may have one */
    end = il_head_end(buf);

    if (end == NULL) {
        return len >= IL_MAX_HEAD || strlen(buf) != len;
    }

    headers = strchr(buf, '\n') + 1;
    body = il_content_length(headers);

    return body < 0 || len - (size_t) (end - buf) >= (size_t) body;
}


static int
il_request_parse(struct il_request *r, char *buf, size_t len)
{
    long   body;
    char  *p, *end;

    end = (char *) il_head_end(buf);
    if (end == NULL || end - buf > IL_MAX_HEAD) {
        return 400;
    }

    p = strchr(buf, '\n');
    r->headers = p + 1;
    *p = '\0';

    r->method = buf;

    p = strchr(buf, ' ');
    if (p == NULL) {
        return 400;
    }

    *p++ = '\0';
    r->path = p;

    p = strchr(p, ' ');
    if (p == NULL || strncmp(p + 1, "HTTP/1.", 7) != 0) {
        return 400;
    }

    *p = '\0';
    r->path[strcspn(r->path, "?")] = '\0';

    body = il_content_length(r->headers);
    if (body < 0) {
        return 413;
    }

    r->body = end;
    r->body_len = (size_t) body;

    if (r->body_len > len - (size_t) (end - buf)) {
        return 400;
    }

    end[body] = '\0';

    return 0;
}


static const char *
il_reason(int status)
{
    switch (status) {

    case 200:
        return "OK";

    case 204:
        return "No Content";

    case 303:
        return "See Other";

    case 400:
        return "Bad Request";

    case 401:
        return "Unauthorized";

    case 403:
        return "Forbidden";

    case 404:
        return "Not Found";

    case 405:
        return "Method Not Allowed";

    case 413:
        return "Content Too Large";

    case 415:
        return "Unsupported Media Type";

    default:
        return "Internal Server Error";
    }
}


/* head and body; extra: header lines, each with its CRLF */

static size_t
il_answer(char *out, int status, const char *type, const char *body,
    const char *extra)
{
    int   n;
    char  head[128];

    head[0] = '\0';

    if (status != 204) {
        snprintf(head, sizeof(head),
                 "Content-Type: %s\r\nContent-Length: %zu\r\n", type,
                 strlen(body));
    }

    n = snprintf(out, IL_MAX_ANSWER,
                 "HTTP/1.1 %d %s\r\n"
                 "Connection: close\r\n"
                 "Cache-Control: no-store\r\n"
                 "X-Content-Type-Options: nosniff\r\n"
                 "%s%s\r\n%s",
                 status, il_reason(status), head, extra, body);

    return n < 0 || n >= IL_MAX_ANSWER ? 0 : (size_t) n;
}


/* RFC 9457 */

static size_t
il_problem(char *out, int status, const char *extra)
{
    char  body[128];

    snprintf(body, sizeof(body),
             "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d}\n",
             il_reason(status), status);

    return il_answer(out, status, "application/problem+json", body, extra);
}


static bool
il_is(const char *value, size_t len, const char *name)
{
    size_t  n;

    n = strlen(name);

    return value != NULL && len >= n && strncasecmp(value, name, n) == 0
           && (len == n || value[n] == ';' || value[n] == ' ');
}


static int
il_hex(char c)
{
    const char  *p, *digits = "0123456789abcdef";

    p = c == '\0' ? NULL : strchr(digits, c | 0x20);

    return p == NULL ? -1 : (int) (p - digits);
}


/* one value of a form; -1: bad escape, NUL inside, or too long */

static int
il_form_value(const char *p, const char *end, char *out, size_t size)
{
    char    c;
    size_t  n;

    for (n = 0; p < end; p++) {
        c = *p == '+' ? ' ' : *p;

        if (c == '%') {
            if (end - p < 3 || il_hex(p[1]) < 0 || il_hex(p[2]) < 0) {
                return -1;
            }

            c = (char) (il_hex(p[1]) << 4 | il_hex(p[2]));
            p += 2;
        }

        if (c == '\0' || n + 1 >= size) {
            return -1;
        }

        out[n++] = c;
    }

    out[n] = '\0';

    return 0;
}


static int
il_form_read(const char *body, size_t len, struct il_login *login)
{
    int          rc;
    const char  *p, *eq, *amp, *end;

    rc = 0;
    end = body + len;

    for (p = body; p < end && rc == 0; p = amp + 1) {
        amp = memchr(p, '&', (size_t) (end - p));
        amp = amp == NULL ? end : amp;

        eq = memchr(p, '=', (size_t) (amp - p));
        if (eq == NULL) {
            continue;
        }

        if (eq - p == 4 && memcmp(p, "user", 4) == 0) {
            rc = il_form_value(eq + 1, amp, login->user,
                               sizeof(login->user));

        } else if (eq - p == 8 && memcmp(p, "password", 8) == 0) {
            rc = il_form_value(eq + 1, amp, login->password,
                               sizeof(login->password));
        }
    }

    return rc;
}


static int
il_json_read(const char *body, size_t len, struct il_login *login)
{
    int          rc;
    json_t      *root;
    const char  *user, *password;

    rc = -1;

    root = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    user = json_string_value(json_object_get(root, "user"));
    password = json_string_value(json_object_get(root, "password"));

    if (user != NULL && strlen(user) < sizeof(login->user)
        && password != NULL && strlen(password) < sizeof(login->password))
    {
        strcpy(login->user, user);
        strcpy(login->password, password);
        rc = 0;
    }

    json_decref(root);

    return rc;
}


static size_t
il_set_cookie(const struct il_site *site, const char *token, bool json,
    char *out)
{
    char  extra[IL_MAX_TOKEN + 512];

    snprintf(extra, sizeof(extra),
             "%sSet-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Lax; "
             "Max-Age=%ld%s\r\n",
             json ? "" : "Location: /\r\n", site->cookie, token,
             token[0] == '\0' ? 0L : site->claims.seconds,
             site->secure ? "; Secure" : "");

    return il_answer(out, json ? 204 : 303, "text/plain", "", extra);
}


/* a fresh token for a user */

static size_t
il_welcome(const struct il_site *site, const char *user, bool json, char *out)
{
    char              *token;
    size_t             len;
    struct il_claims   claims;

    claims = site->claims;
    claims.sub = user;

    token = il_token_issue(&site->key, &claims);

    if (token == NULL || strlen(token) > IL_MAX_TOKEN) {
        free(token);
        return il_problem(out, 500, "");
    }

    len = il_set_cookie(site, token, json, out);
    free(token);

    return len;
}


static size_t
il_log_in(const struct il_site *site, struct il_request *r, char *out)
{
    int               rc;
    bool              json, good;
    size_t            len;
    const char       *type;
    struct il_login   login;

    memset(&login, 0, sizeof(login));

    type = il_header(r->headers, "Content-Type", &len);
    json = il_is(type, len, "application/json");

    if (json) {
        rc = il_json_read(r->body, r->body_len, &login);

    } else if (il_is(type, len, "application/x-www-form-urlencoded")) {
        rc = il_form_read(r->body, r->body_len, &login);

    } else {
        return il_problem(out, 415, "");
    }

    if (rc != 0) {
        return il_problem(out, 400, "");
    }

    good = il_user_check(site->users, login.user, login.password);
    OPENSSL_cleanse(login.password, sizeof(login.password));

    if (!good) {
        il_log("login refused for \"%s\"",
               il_user_valid(login.user) ? login.user : "?");

        return json ? il_problem(out, 401, "")
                    : il_answer(out, 401, "text/html; charset=utf-8", IL_PAGE,
                                "");
    }

    il_log("user \"%s\" logged in", login.user);

    return il_welcome(site, login.user, json, out);
}


static size_t
il_log_out(const struct il_site *site, struct il_request *r, char *out)
{
    size_t       len;
    const char  *type;

    type = il_header(r->headers, "Content-Type", &len);

    return il_set_cookie(site, "", il_is(type, len, "application/json"), out);
}


/* whose token is in the cookie; user has IL_MAX_USER + 1 bytes */

static bool
il_visitor(const struct il_site *site, struct il_request *r, char *user)
{
    char         token[IL_MAX_TOKEN + 1];
    size_t       len, n, name;
    const char  *p, *end;

    name = strlen(site->cookie);
    p = il_header(r->headers, "Cookie", &len);
    end = p == NULL ? NULL : p + len;

    /* RFC 6265: pairs with "; " between them */

    for ( /* void */ ; p != NULL && p < end; p += n + strspn(p + n, "; ")) {
        n = strcspn(p, ";\r\n");

        if (n <= name || p[name] != '=' || strncmp(p, site->cookie, name) != 0
            || n - name - 1 > IL_MAX_TOKEN)
        {
            continue;
        }

        memcpy(token, p + name + 1, n - name - 1);
        token[n - name - 1] = '\0';

        if (il_token_read(&site->key, &site->claims, token, user)) {
            return true;
        }
    }

    return false;
}


static size_t
il_who_am_i(const struct il_site *site, struct il_request *r, char *out)
{
    char  user[IL_MAX_USER + 1];
    char  body[IL_MAX_USER + 32];

    if (!il_visitor(site, r, user)) {
        return il_problem(out, 401, "");
    }

    snprintf(body, sizeof(body), "{\"user\":\"%s\"}\n", user);

    return il_answer(out, 200, "application/json", body, "");
}


/* a visitor who is logged in gets a token that lasts longer */

static size_t
il_renew(const struct il_site *site, struct il_request *r, char *out)
{
    char    user[IL_MAX_USER + 1];
    size_t  len;

    if (!il_visitor(site, r, user)) {
        return il_problem(out, 401, "");
    }

    len = il_welcome(site, user, true, out);

    il_log("login of \"%s\" is renewed", user);

    return len;
}


static const struct il_route {
    const char  *path;
    const char  *method;
    size_t     (*handler)(const struct il_site *site, struct il_request *r,
                          char *out);
} il_routes[] = {
    { "/login", "POST", il_log_in },
    { "/logout", "POST", il_log_out },
    { "/renew", "POST", il_renew },
    { "/whoami", "GET", il_who_am_i },
};


size_t
il_http_answer(const struct il_site *site, char *buf, size_t len, char *out)
{
    int                     rc;
    char                    allow[32];
    size_t                  i, n;
    const char             *from;
    struct il_request       r;
    const struct il_route  *route;

    rc = il_request_parse(&r, buf, len);
    if (rc != 0) {
        return il_problem(out, rc, "");
    }

    if (il_header(r.headers, "Transfer-Encoding", &n) != NULL) {
        return il_problem(out, 400, "");
    }

    for (i = 0; i < sizeof(il_routes) / sizeof(il_routes[0]); i++) {
        route = &il_routes[i];

        if (strcmp(r.path, route->path) != 0) {
            continue;
        }

        if (strcmp(r.method, route->method) != 0) {
            snprintf(allow, sizeof(allow), "Allow: %s\r\n", route->method);
            return il_problem(out, 405, allow);
        }

        /* another site may not log a visitor in or out */

        from = il_header(r.headers, "Sec-Fetch-Site", &n);

        if (r.method[0] == 'P' && il_is(from, n, "cross-site")) {
            return il_problem(out, 403, "");
        }

        return route->handler(site, &r, out);
    }

    return il_problem(out, 404, "");
}
