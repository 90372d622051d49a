
/* Copyright (C) the IMS portal authors */

/*
 * SIP messages of the far end, RFC 3261 7 and 20: a message is complete (one
 * datagram), so fields are looked up when they are asked for.
 */

#define _GNU_SOURCE

#include "farend.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>


static const char *
compact(const char *name)
{
    static const char *names[][2] = {
        { "Via", "v" }, { "From", "f" }, { "To", "t" }, { "Call-ID", "i" },
        { "Contact", "m" }, { "Content-Length", "l" },
        { "Content-Type", "c" }, { "Supported", "k" }
    };

    size_t  i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(names[i][0], name) == 0) {
            return names[i][1];
        }
    }

    return "";
}


static int
same_name(const char *p, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(p, name, len) == 0;
}


int
fe_sip_header(const struct fe_msg *m, const char *name, int nth, char *out,
    size_t size)
{
    const char  *p, *end, *eol, *colon, *v, *short_name;
    size_t       len;

    short_name = compact(name);
    end = m->body ? m->body : m->buf + m->len;
    out[0] = '\0';

    p = memchr(m->buf, '\n', m->len);

    while (p && ++p < end) {
        eol = memchr(p, '\n', (size_t) (end - p));

        if (eol == NULL || eol <= p + 1) {
            return 0;
        }

        colon = memchr(p, ':', (size_t) (eol - p));

        if (colon) {
            for (len = (size_t) (colon - p); len && p[len - 1] == ' '; len--);

            if ((same_name(p, len, name) || same_name(p, len, short_name))
                && nth-- == 0)
            {
                for (v = colon + 1; v < eol && isspace((u_char) *v); v++);
                for (len = (size_t) (eol - v);
                     len && isspace((u_char) v[len - 1]);
                     len--);

                snprintf(out, size, "%.*s", (int) len, v);
                return 1;
            }
        }

        p = eol;
    }

    return 0;
}


void
fe_sip_param(const char *value, const char *name, char *out, size_t size)
{
    const char  *p;
    size_t       n, len;

    out[0] = '\0';
    len = strlen(name);

    /* parameters of the header, not those of a URI in angle brackets */
    p = strchr(value, '>');

    for (p = strchr(p ? p : value, ';'); p; p = strchr(p, ';')) {
        p++;

        if (strncasecmp(p, name, len) == 0 && p[len] == '=') {
            p += len + 1;
            n = strcspn(p, ";, \t\r\n");
            snprintf(out, size, "%.*s", (int) n, p);
            return;
        }
    }
}


void
fe_sip_uri(const char *value, char *out, size_t size)
{
    const char  *p;
    size_t       n;

    p = strchr(value, '<');

    if (p) {
        p++;
        n = strcspn(p, ">");

    } else {
        p = value;
        n = strcspn(p, "; \t,");
    }

    snprintf(out, size, "%.*s", (int) n, p);
}


void
fe_sip_user(const char *uri, char *out, size_t size)
{
    const char  *p, *at;

    out[0] = '\0';
    p = strchr(uri, ':');

    if (p == NULL) {
        return;
    }

    p++;
    at = strchr(p, '@');

    if (at) {
        snprintf(out, size, "%.*s", (int) (at - p), p);

    } else if (strncasecmp(uri, "tel:", 4) == 0) {
        snprintf(out, size, "%.*s", (int) strcspn(p, ";"), p);
    }
}


int
fe_sip_address(const char *uri, struct sockaddr_in *sin)
{
    const char  *p, *at;
    char         host[64];
    size_t       n;

    p = strncasecmp(uri, "sip:", 4) == 0 ? uri + 4 : uri;
    at = strchr(p, '@');
    p = at ? at + 1 : p;
    n = strcspn(p, ":;>? \t,");

    if (n == 0 || n >= sizeof(host)) {
        return -1;
    }

    memcpy(host, p, n);
    host[n] = '\0';

    memset(sin, 0, sizeof(*sin));
    sin->sin_family = AF_INET;
    sin->sin_port = htons(p[n] == ':' ? (uint16_t) atoi(p + n + 1) : 5060);

    return inet_pton(AF_INET, host, &sin->sin_addr) == 1 ? 0 : -1;
}


int
fe_sip_parse(struct fe_msg *m)
{
    char   value[FE_STR];
    char  *end;

    m->buf[m->len] = '\0';
    m->body = NULL;
    m->status = 0;
    m->uri[0] = '\0';

    end = strstr(m->buf, "\r\n\r\n");

    if (end == NULL) {
        return -1;
    }

    m->body = end + 4;

    if (strncmp(m->buf, "SIP/2.0 ", 8) == 0) {
        m->status = atoi(m->buf + 8);

        if (m->status < 100 || m->status > 699) {
            return -1;
        }

    } else if (sscanf(m->buf, "%15[A-Z] %255s SIP/2.0", m->method, m->uri)
               != 2)
    {
        return -1;
    }

    if (!fe_sip_header(m, "CSeq", 0, value, sizeof(value))
        || sscanf(value, "%u %15[A-Z]", &m->cseq, m->method) != 2
        || !fe_sip_header(m, "Call-ID", 0, m->call_id, sizeof(m->call_id))
        || !fe_sip_header(m, "Via", 0, value, sizeof(value)))
    {
        return -1;
    }

    fe_sip_param(value, "branch", m->branch, sizeof(m->branch));

    return 0;
}


/* printf at the end of a string; *len grows past size when it does not fit */
static void __attribute__((format(printf, 4, 5)))
add(char *out, size_t size, size_t *len, const char *fmt, ...)
{
    int      n;
    va_list  args;

    if (*len >= size) {
        return;
    }

    va_start(args, fmt);
    n = vsnprintf(out + *len, size - *len, fmt, args);
    va_end(args);

    *len += (size_t) n;
}


static size_t
finish(char *out, size_t size, size_t len, const char *type,
    const char *body)
{
    if (body && body[0]) {
        add(out, size, &len, "Content-Type: %s\r\n", type);
    }

    add(out, size, &len, "Content-Length: %zu\r\n\r\n%s",
        body ? strlen(body) : 0, body ? body : "");

    return len < size ? len : 0;
}


size_t
fe_sip_response(struct fe *fe, const struct fe_msg *m, int status,
    const char *reason, const char *tag, const char *extra, const char *sdp,
    char *out, size_t size)
{
    int     i;
    char    value[1024], have[FE_STR];
    size_t  len;

    len = 0;
    add(out, size, &len, "SIP/2.0 %d %s\r\n", status, reason);

    for (i = 0; fe_sip_header(m, "Via", i, value, sizeof(value)); i++) {
        add(out, size, &len, "Via: %s\r\n", value);
    }

    for (i = 0; status > 100 && status < 300
         && fe_sip_header(m, "Record-Route", i, value, sizeof(value)); i++)
    {
        add(out, size, &len, "Record-Route: %s\r\n", value);
    }

    fe_sip_header(m, "From", 0, value, sizeof(value));
    add(out, size, &len, "From: %s\r\n", value);

    fe_sip_header(m, "To", 0, value, sizeof(value));
    fe_sip_param(value, "tag", have, sizeof(have));

    if (have[0] == '\0' && status > 100 && tag && tag[0]) {
        add(out, size, &len, "To: %s;tag=%s\r\n", value, tag);

    } else {
        add(out, size, &len, "To: %s\r\n", value);
    }

    add(out, size, &len, "Call-ID: %s\r\nCSeq: %u %s\r\n", m->call_id,
        m->cseq, m->method);

    if (status > 100 && strcmp(m->method, "INVITE") == 0) {
        add(out, size, &len, "Contact: <sip:farend@%s:%u>\r\n", fe->host,
            fe->port);
    }

    add(out, size, &len, "%s", extra ? extra : "");

    return finish(out, size, len, "application/sdp", sdp);
}


size_t
fe_sip_request(struct fe *fe, const struct fe_call *c, const char *method,
    uint32_t cseq, const char *branch, const char *extra, const char *type,
    const char *body, char *out, size_t size)
{
    int     i;
    size_t  len;

    len = 0;
    add(out, size, &len, "%s %s SIP/2.0\r\n"
        "Via: SIP/2.0/UDP %s:%u;branch=%s\r\n"
        "Max-Forwards: 70\r\n", method, c->target, fe->host, fe->port,
        branch);

    for (i = 0; i < c->nroutes; i++) {
        add(out, size, &len, "Route: %s\r\n", c->routes[i]);
    }

    add(out, size, &len, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
        "CSeq: %u %s\r\n", c->local, c->remote, c->call_id, cseq, method);

    if (strcmp(method, "INVITE") == 0) {
        add(out, size, &len, "Contact: <sip:farend@%s:%u>\r\n"
            "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, "
            "MESSAGE\r\n", fe->host, fe->port);
    }

    add(out, size, &len, "%s", extra ? extra : "");

    return finish(out, size, len, type, body);
}
