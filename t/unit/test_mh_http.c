
/*
 * Copyright (C) the IMS portal authors
 */


/* heads of HTTP: all spans, every prefix asks for more, what is refused */


#include <stdbool.h>
#include <stdint.h>

#include <re.h>

#include "mh_http.h"
#include "tap.h"


static const char  post[] =
    "POST http://h:1/ng-plain?x=/y HTTP/1.1\r\n"
    "Host: h\r\n"
    "content-TYPE:  application/json ; charset=utf-8 \r\n"
    "Content-Length: 7\r\n"
    "Connection: keep-alive, X\r\n"
    "Expect: 100-Continue\r\n"
    "X-Empty:\r\n"
    "\r\n";


static int
parse(struct mh_http *h, const char *text)
{
    return mh_http_parse(h, text, strlen(text), 100);
}


static void
test_post(void)
{
    int             bad;
    size_t          n, len;
    unsigned char  *copy;
    struct mh_http  h;

    len = sizeof(post) - 1;

    is_int(parse(&h, post), 0, "a head");
    ok(pl_strcmp(&h.method, "POST") == 0, "method");
    ok(pl_strcmp(&h.path, "/ng-plain") == 0, "path");
    ok(pl_strcmp(&h.type, "application/json") == 0, "type");
    is_int(h.size, len, "its size");
    is_int(h.body, 7, "the body's");
    ok(h.length && h.keep && h.wait && h.v11, "marks");

    bad = 0;

    for (n = 0; n < len; n++) {
        copy = guarded_copy(post, n);
        bad += (mh_http_parse(&h, (const char *) copy, n, 100) != -1);
        guarded_free(copy, n);
    }

    is_int(bad, 0, "every prefix asks for more");
}


static void
test_refused(void)
{
    size_t          i;
    struct mh_http  h;

    static const struct {
        const char  *text;
        int          status;
    } cases[] = {
        { "GET / HTTP/1.0\r\n\r\n", 0 },
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
        { "GET / HTTP/1.1\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.12\r\nHost: a\r\n\r\n", 400 },
        { "GET / http/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505 },
        { "G(T / HTTP/1.0\r\n\r\n", 400 },
        { " / HTTP/1.0\r\n\r\n", 400 },
        { "GET * HTTP/1.0\r\n\r\n", 400 },
        { "GET http://h HTTP/1.0\r\n\r\n", 400 },
        { "GET /\xc3\xa9 HTTP/1.0\r\n\r\n", 400 },
        { "\r\n", 400 },
        { "GET / HTTP/1.0\r\nA\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\n: a\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA : b\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA: b\r\n c\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA: b\rc\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 100\r\n\r\n", 0 },
        { "GET / HTTP/1.0\r\nContent-Length: 101\r\n\r\n", 413 },
        { "GET / HTTP/1.0\r\nContent-Length: 101\r\nA\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 1, 1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 0x1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length:\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 1\r\n"
          "Content-Length: 1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 501 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(parse(&h, cases[i].text), cases[i].status, cases[i].text);
    }
}


static void
test_limits(void)
{
    char            text[MH_HTTP_HEAD + 64], head[MH_HTTP_RESPONSE];
    size_t          n;
    struct mh_http  h;

    memset(text, 'a', sizeof(text));
    is_int(mh_http_parse(&h, text, MH_HTTP_HEAD - 1, 100), -1, "long");
    is_int(mh_http_parse(&h, text, MH_HTTP_HEAD, 100), 431, "too long");

    (void) parse(&h, "GET / HTTP/1.1\r\nHost: a\r\n"
                 "Connection: x ,\tCLOSE\r\n\r\n");
    ok(!h.keep, "close");

    n = mh_http_response(head, 405, "application/x-rtpengine-ng", 4294967295u,
                         false, "GET, HEAD");
    ok(n > 0 && n < sizeof(head), "the longest response fits");
    ok(strstr(head, "\r\nAllow: GET, HEAD\r\n") != NULL, "with methods");
    is_int(memcmp(head + n - 4, "\r\n\r\n", 4), 0, "and an end");
}


int
main(void)
{
    test_post();
    test_refused();
    test_limits();

    return done_testing();
}
