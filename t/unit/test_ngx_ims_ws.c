/*
 * Copyright (C) the IMS portal authors
 *
 * WebSocket frames as RFC 6455 5 wants them: headers cut at every byte against
 * a guarded page, what a client must not send, masks in pieces, close codes,
 * and the handshake's key (4.2.2, with the RFC's own example).
 */


#include "ngx_ims_ws.h"
#include "tap.h"


#define MAX  65536


static int
read_at_edge(const char *bytes, size_t len, ngx_ims_ws_frame_t *f,
    unsigned *code)
{
    int             rc;
    unsigned char  *p;

    *code = 0;
    memset(f, 0, sizeof(*f));

    p = guarded_copy(bytes, len);
    rc = ngx_ims_ws_read(p, len, MAX, f, code);
    guarded_free(p, len);

    return rc;
}


static void
test_good(void)
{
    size_t              i, cut;
    unsigned            code;
    ngx_ims_ws_frame_t  f;

    static const struct {
        const char  *bytes;
        size_t       header;
        unsigned     opcode;
        unsigned     fin;
        uint64_t     length;
        const char  *name;
    } t[] = {
        { "\x81\x85\x37\xfa\x21\x3d", 6, NGX_IMS_WS_TEXT, 1, 5, "text" },
        { "\x01\x83""abcd", 6, NGX_IMS_WS_TEXT, 0, 3, "first fragment" },
        { "\x80\x80""abcd", 6, NGX_IMS_WS_CONTINUATION, 1, 0, "last, empty" },
        { "\x82\xfe\x00\x7e""abcd", 8, NGX_IMS_WS_BINARY, 1, 126, "126" },
        { "\x82\xfe\xff\xff""abcd", 8, NGX_IMS_WS_BINARY, 1, 65535, "65535" },
        { "\x82\xff\0\0\0\0\0\1\0\0""abcd", 14, NGX_IMS_WS_BINARY, 1, 65536,
          "65536" },
        { "\x88\x82""abcd", 6, NGX_IMS_WS_CLOSE, 1, 2, "close" },
        { "\x89\xfd""abcd", 6, NGX_IMS_WS_PING, 1, 125, "ping of 125" },
        { "\x8a\x80""abcd", 6, NGX_IMS_WS_PONG, 1, 0, "pong" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        for (cut = 0; cut < t[i].header; cut++) {

            if (read_at_edge(t[i].bytes, cut, &f, &code) != NGX_IMS_MORE) {
                break;
            }
        }

        is_int(cut, t[i].header, "every cut of a header wants more");

        ok(read_at_edge(t[i].bytes, t[i].header, &f, &code) == NGX_IMS_OK
           && f.opcode == t[i].opcode && f.fin == t[i].fin
           && f.length == t[i].length && f.header == t[i].header
           && memcmp(f.mask, t[i].bytes + t[i].header - 4, 4) == 0,
           "%s", t[i].name);
    }
}


static void
test_bad(void)
{
    size_t              i;
    unsigned            code;
    ngx_ims_ws_frame_t  f;

    static const struct {
        const char  *bytes;
        size_t       len;
        unsigned     code;
        const char  *name;
    } t[] = {
        { "\x81\x05", 2, 1002, "unmasked" },
        { "\xc1\x85", 2, 1002, "RSV1" },
        { "\xa1\x85", 2, 1002, "RSV2" },
        { "\x91\x85", 2, 1002, "RSV3" },
        { "\x83\x85", 2, 1002, "reserved opcode 3" },
        { "\x8b\x85", 2, 1002, "reserved opcode 11" },
        { "\x8f\x85", 2, 1002, "reserved opcode 15" },
        { "\x09\x85", 2, 1002, "fragmented ping" },
        { "\x08\x82", 2, 1002, "fragmented close" },
        { "\x89\xfe", 2, 1002, "ping over 125 bytes" },
        { "\x88\xff", 2, 1002, "close with a 64-bit length" },
        { "\x82\xfe\x00\x7d", 4, 1002, "16-bit length not minimal" },
        { "\x82\xff\0\0\0\0\0\0\xff\xff", 10, 1002, "64-bit not minimal" },
        { "\x82\xff\x80\0\0\0\0\0\0\0", 10, 1002, "top bit set" },
        { "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, 1002, "all ones" },
        { "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 1009, "2^63 - 1" },
        { "\x82\xff\0\0\0\0\0\1\0\1", 10, 1009, "one over the limit" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        ok(read_at_edge(t[i].bytes, t[i].len, &f, &code) == NGX_IMS_INVALID
           && code == t[i].code, "%s is refused with %u", t[i].name,
           t[i].code);
    }
}


static void
test_mask(void)
{
    size_t                      i, cut, len;
    unsigned char              *p, data[64];
    static const unsigned char  hello[] = "\x7f\x9f\x4d\x51\x58";
    static const unsigned char  mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

    p = guarded_copy(hello, 5);
    ngx_ims_ws_unmask(p, 5, mask, 0);
    is_str(p, 5, "Hello", "RFC 6455 5.7: a masked Hello");
    guarded_free(p, 5);

    for (len = 0; len <= 40; len++) {

        for (i = 0; i < len; i++) {
            data[i] = 'a' ^ mask[i & 3];
        }

        for (cut = 0; cut <= len; cut++) {
            p = guarded_copy(data, len);
            ngx_ims_ws_unmask(p, cut, mask, 0);
            ngx_ims_ws_unmask(p + cut, len - cut, mask, cut);

            for (i = 0; i < len && p[i] == 'a'; i++) { /* void */ }

            guarded_free(p, len);

            if (i != len) {
                ok(0, "unmask %zu bytes in two pieces, cut at %zu", len, cut);
                return;
            }
        }
    }

    ok(1, "up to 40 bytes unmasked in two pieces, any cut");
}


static void
test_write(void)
{
    size_t                 i, n;
    unsigned char          out[256];
    char                   reason[200];
    static const struct {
        uint64_t           length;
        const char        *bytes;
        size_t             n;
    } t[] = {
        { 0, "\x81\x00", 2 },
        { 125, "\x81\x7d", 2 },
        { 126, "\x81\x7e\x00\x7e", 4 },
        { 65535, "\x81\x7e\xff\xff", 4 },
        { 65536, "\x81\x7f\0\0\0\0\0\1\0\0", 10 },
        { 0x123456789aULL, "\x81\x7f\0\0\0\x12\x34\x56\x78\x9a", 10 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        n = ngx_ims_ws_header(out, NGX_IMS_WS_TEXT, t[i].length);
        is_mem(out, n, t[i].bytes, t[i].n, "header of a frame of ours");
    }

    n = ngx_ims_ws_close(out, NGX_IMS_WS_TOKEN_ENDED, "token ended");
    is_mem(out, n, "\x88\x0d\x11\x31token ended", 15, "close frame");

    n = ngx_ims_ws_close(out, NGX_IMS_WS_NORMAL, NULL);
    is_mem(out, n, "\x88\x02\x03\xe8", 4, "close frame without a reason");

    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';

    n = ngx_ims_ws_close(out, NGX_IMS_WS_NORMAL, reason);
    is_int(n, 127, "a long reason is cut");
    is_int(out[1], 125, "to 125 bytes of payload");
}


static int
close_at_edge(const char *bytes, size_t len, unsigned *code)
{
    int             rc;
    unsigned char  *p;

    p = guarded_copy(bytes, len);
    rc = ngx_ims_ws_close_code(p, len, code);
    guarded_free(p, len);

    return rc;
}


static void
test_close_code(void)
{
    char             p[2];
    size_t           i;
    unsigned         code;

    static const unsigned  good[] = {
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
        1014, 3000, 3999, 4000, 4401, 4999
    };
    static const unsigned  bad[] = {
        0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        p[0] = good[i] >> 8;
        p[1] = good[i];

        ok(close_at_edge(p, 2, &code) == NGX_IMS_OK && code == good[i],
           "close code %u", good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        p[0] = bad[i] >> 8;
        p[1] = bad[i];

        ok(close_at_edge(p, 2, &code) == NGX_IMS_INVALID && code == 1002,
           "close code %u is refused", bad[i]);
    }

    ok(close_at_edge("", 0, &code) == NGX_IMS_OK && code == 1005,
       "an empty close");
    ok(close_at_edge("\x03", 1, &code) == NGX_IMS_INVALID && code == 1002,
       "a close of one byte is refused");
    ok(close_at_edge("\x03\xe8""bye \xe2\x82\xac", 9, &code) == NGX_IMS_OK
       && code == 1000, "a reason in UTF-8");
    ok(close_at_edge("\x03\xe8""bye \xe2\x82", 8, &code) == NGX_IMS_INVALID
       && code == 1007, "a reason cut inside a character is refused");
}


static int
key_valid(const char *s)
{
    ngx_ims_str_t  key;

    key.len = strlen(s);
    key.data = (unsigned char *) s;

    return ngx_ims_ws_key_valid(&key);
}


static void
test_key(void)
{
    unsigned char               out[28];
    static const ngx_ims_str_t  key = ngx_ims_str("dGhlIHNhbXBsZSBub25jZQ==");

    ok(key_valid("dGhlIHNhbXBsZSBub25jZQ=="), "the key of RFC 6455 1.3");
    ok(key_valid("AAAAAAAAAAAAAAAAAAAAAA=="), "a key of zeros");
    ok(!key_valid(""), "no key");
    ok(!key_valid("dGhlIHNhbXBsZSBub25jZQ="), "one = missing");
    ok(!key_valid("dGhlIHNhbXBsZSBub25jZQ==="), "one = too many");
    ok(!key_valid("dGhlIHNhbXBsZSBub25jZR=="), "bits behind the end");
    ok(!key_valid("dGhlIHNhbXBsZSBub25j-Q=="), "base64url is not base64");
    ok(!key_valid("dGhlIHNhbXBsZSBub25j"), "15 bytes");
    ok(!key_valid("dGhlIHNhbXBsZSBub25jZTE="), "17 bytes");

    ngx_ims_ws_accept(&key, out);
    is_str(out, 28, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "accept of RFC 6455 1.3");
}


static void
test_utf8(void)
{
    size_t          i, len;
    unsigned char  *p;

    static const struct {
        const char  *s;
        int          good;
    } t[] = {
        { "", 1 },
        { "plain text of more than eight bytes", 1 },
        { "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x93\x9e", 1 },
        { "\xef\xbf\xbf", 1 },
        { "\xf4\x8f\xbf\xbf", 1 },
        { "\xc0\xaf", 0 },
        { "\xc1\xbf", 0 },
        { "\xe0\x9f\xbf", 0 },
        { "\xed\xa0\x80", 0 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "\xf4\x90\x80\x80", 0 },
        { "\xf5\x80\x80\x80", 0 },
        { "\x80", 0 },
        { "abc\xff", 0 },
        { "\xe2\x82", 0 },
        { "\xf0\x9f\x93", 0 },
        { "\xc3(", 0 },
        { "eight by\xe2\x28\xa1", 0 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        len = strlen(t[i].s);
        p = guarded_copy(t[i].s, len);

        is_int(ngx_ims_utf8(p, len), t[i].good, "UTF-8 (RFC 3629 4)");

        guarded_free(p, len);
    }
}


int
main(void)
{
    test_good();
    test_bad();
    test_mask();
    test_write();
    test_close_code();
    test_key();
    test_utf8();

    return done_testing();
}
