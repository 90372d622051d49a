/*
 * Copyright (C) the IMS portal authors
 *
 * URIs and addresses taken apart at the edge of a guarded page, the comparison
 * examples of RFC 3261 19.1.4 and RFC 3966, and what may go into a header.
 */


#include "ngx_ims_sip.h"
#include "tap.h"


static ngx_ims_str_t
guard(const char *s)
{
    ngx_ims_str_t  v;

    v.len = strlen(s);
    v.data = guarded_copy(s, v.len);

    return v;
}


static int
same(const ngx_ims_str_t *s, const char *expected)
{
    return s->len == strlen(expected)
           && (s->len == 0 || memcmp(s->data, expected, s->len) == 0);
}


static void
test_parts(void)
{
    size_t              i;
    ngx_ims_str_t       s;
    ngx_ims_sip_uri_t   u;

    static const struct {
        const char  *text, *scheme, *user, *password, *host;
        unsigned     port;
        const char  *params, *headers;
    } t[] = {
        { "sip:alice@example.com", "sip", "alice", "", "example.com", 0, "",
          "" },
        { "SIPS:a:pw@[2001:db8::1]:5061;transport=tcp;lr?x=y", "SIPS", "a",
          "pw", "[2001:db8::1]", 5061, "transport=tcp;lr", "x=y" },
        { "sip:example.com;lr", "sip", "", "", "example.com", 0, "lr", "" },
        { "sip:h?a=b&c=d", "sip", "", "", "h", 0, "", "a=b&c=d" },
        { "sip:a;b=c?d@h", "sip", "a;b=c?d", "", "h", 0, "", "" },
        { "tel:+1(555)01-00.2;ext=4", "tel", "+1(555)01-00.2", "", "", 0,
          "ext=4", "" },
        { "tel:*21#;phone-context=x.example", "tel", "*21#", "", "", 0,
          "phone-context=x.example", "" },
        { "urn:service:sos", "urn", "", "", "", 0, "", "" }
    };

    static const char *const  bad[] = {
        "", ":", "sip", "sip:", "sip:@h", "sip:a@", "sip:a@b@c", "sip:a b@c",
        "sip:a@b c", "sip:a@<b>", "sip:a%4@b", "sip:a%zz@b", "sip:a@b:0",
        "sip:a@b:", "sip:a@b:99999", "sip:a@[::1", "sip:a@[]", "sip:a@b/c",
        "1sip:a@b", "sip:a\"@b", "sip:a@b;x=\"y\"", "tel:", "tel:+", "tel:-.",
        "tel:+12a", "tel:x", "tel:+1 2", "sip:a@b;x=%", "sip:a\r\n@b"
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s = guard(t[i].text);

        ok(ngx_ims_sip_parse_uri(&s, &u) == NGX_IMS_OK
           && same(&u.text, t[i].text) && same(&u.scheme, t[i].scheme)
           && same(&u.user, t[i].user) && same(&u.password, t[i].password)
           && same(&u.host, t[i].host) && u.port == t[i].port
           && same(&u.params, t[i].params) && same(&u.headers, t[i].headers),
           "%s", t[i].text);

        guarded_free(s.data, s.len);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s = guard(bad[i]);
        is_int(ngx_ims_sip_parse_uri(&s, &u), NGX_IMS_INVALID, "no URI");
        guarded_free(s.data, s.len);
    }
}


static void
test_equal(void)
{
    size_t         i;
    ngx_ims_str_t  a, b;

    static const struct {
        int          equal;
        const char  *a, *b;
    } t[] = {
        { 1, "sip:%61lice@atlanta.com;transport=TCP",
             "sip:alice@AtLanTa.CoM;Transport=tcp" },
        { 1, "sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5" },
        { 1, "sip:carol@chicago.com", "sip:carol@chicago.com;security=on" },
        { 1, "sip:carol@chicago.com;newparam=5",
             "sip:carol@chicago.com;security=on" },
        { 1, "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40b.com",
             "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40b.com"
        },
        { 1, "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
             "sip:alice@atlanta.com?priority=urgent&subject=project%20x" },
        { 0, "SIP:ALICE@AtLanTa.CoM;Transport=udp",
             "sip:alice@AtLanTa.CoM;Transport=UDP" },
        { 0, "sip:bob@biloxi.com", "sip:bob@biloxi.com:5060" },
        { 0, "sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp" },
        { 0, "sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp" },
        { 0, "sip:carol@chicago.com",
             "sip:carol@chicago.com?Subject=next%20meeting" },
        { 0, "sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4" },
        { 0, "sip:carol@chicago.com;security=on",
             "sip:carol@chicago.com;security=off" },
        { 0, "sip:a@b", "sips:a@b" },
        { 0, "sip:a@b;user=phone", "sip:a@b" },
        { 0, "sip:a@b;maddr=c", "sip:a@b" },
        { 0, "sip:a:p@b", "sip:a@b" },
        { 0, "sip:a%3Bx@b", "sip:a;x@b" },
        { 1, "sip:a%3Bx@b", "sip:a%3bx@b" },
        { 0, "sip:a@b", "sip:b" },
        { 1, "tel:+1-201-555-0123", "TEL:+1(201)555.0123" },
        { 0, "tel:+12015550123", "tel:12015550123" },
        { 0, "tel:+12015550123", "tel:+1201555012" },
        { 1, "tel:7042;phone-context=example.com",
             "tel:70-42;Phone-Context=EXAMPLE.com" },
        { 0, "tel:7042;phone-context=example.com", "tel:7042" },
        { 1, "tel:+1;a=1;ext=2", "tel:+1;ext=2;a=1" },
        { 0, "tel:+1;ext=2", "tel:+1;ext=3" },
        { 1, "tel:1;phone-context=+1-555", "tel:1;phone-context=+1555" },
        { 0, "tel:+1555", "sip:+1555@b" },
        { 1, "urn:service:sos", "urn:service:sos" },
        { 0, "urn:service:sos", "urn:service:SOS" },
        { 0, "nothing", "nothing" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        a = guard(t[i].a);
        b = guard(t[i].b);

        ok(ngx_ims_sip_uri_equal(&a, &b) == t[i].equal
           && ngx_ims_sip_uri_equal(&b, &a) == t[i].equal,
           "%s %s %s", t[i].a, t[i].equal ? "=" : "!=", t[i].b);

        guarded_free(a.data, a.len);
        guarded_free(b.data, b.len);
    }
}


static void
test_safe(void)
{
    size_t         i;
    ngx_ims_str_t  s;

    static const struct {
        int          safe;
        const char  *text;
    } t[] = {
        { 1, "sip:mary@acme.example" },
        { 1, "sip:m\xc3\xa4ry@acme.example" },
        { 1, "sips:u001@acme.ims.operator.example:5061" },
        { 1, "tel:+15550100017" },
        { 0, "" },
        { 0, "mary@acme.example" },
        { 0, "sip:mary@acme.example\r\nX: y" },
        { 0, "sip:mary@acme.example>;tag=1" },
        { 0, "<sip:mary@acme.example>" },
        { 0, "sip:mary@acme.example;x" },
        { 0, "sip:mary@acme.example?x=y" },
        { 0, "sip:a,b@acme.example" },
        { 0, "sip:a\"b@acme.example" },
        { 0, "sip:a\\b@acme.example" },
        { 0, "sip:a b@acme.example" },
        { 0, "sip:a%00b@acme.example" },
        { 0, "sip:a\x7f@acme.example" },
        { 0, "sip:a\xff@acme.example" },
        { 0, "sip:a@evil.example@acme.example" },
        { 0, "http://acme.example/" },
        { 0, "urn:service:sos" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s = guard(t[i].text);
        is_int(ngx_ims_sip_uri_safe(&s), t[i].safe, "safe in a header");
        guarded_free(s.data, s.len);
    }

    s.len = 9;
    s.data = guarded_copy("sip:a\0@bc", 9);
    is_int(ngx_ims_sip_uri_safe(&s), 0, "a raw NUL");
    guarded_free(s.data, s.len);
}


static void
test_addr(void)
{
    size_t               i;
    ngx_ims_str_t        s, value;
    ngx_ims_sip_addr_t   a;

    static const struct {
        const char  *text, *display, *uri, *params, *tag;
    } t[] = {
        { "<sip:a@b>", "", "sip:a@b", "", "" },
        { " \"A \\\"B\" <sip:a@b;x=1> ; tag = t ;q", "\"A \\\"B\"",
          "sip:a@b;x=1", "tag = t ;q", "t" },
        { "A B C<sip:a@b?c=d>", "A B C", "sip:a@b?c=d", "", "" },
        { "sip:a@b;tag=t", "", "sip:a@b", "tag=t", "t" },
        { "sip:a@b ", "", "sip:a@b", "", "" },
        { "<tel:+1>;x=\"a;b,\\\"\";tag=t", "", "tel:+1",
          "x=\"a;b,\\\"\";tag=t", "t" },
        { "<sip:a@b>\r\n ;TAG=t", "", "sip:a@b", "TAG=t", "t" }
    };

    static const char *const  bad[] = {
        "", "*", "<>", "<sip:a@b", "sip:a@b>", "\"a", "\"a\"", "\"a\" sip:a@b",
        "<sip:a@b> x", "<sip:a@b>;", "<sip:a@b>;;", "<sip:a@b>;tag=",
        "<sip:a@b>;tag=\"", "<sip:a@b>,<sip:c@d>", "<sip:a@b>;a,b", "a:",
        "A(B) <sip:a@b>", "<sip:a@b>;=x", "\"\\"
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s = guard(t[i].text);
        ok(ngx_ims_sip_parse_addr(&s, &a) == NGX_IMS_OK
           && same(&a.display, t[i].display) && same(&a.uri, t[i].uri)
           && same(&a.params, t[i].params) && same(&a.tag, t[i].tag),
           "an address with tag \"%s\"", t[i].tag);
        guarded_free(s.data, s.len);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s = guard(bad[i]);
        is_int(ngx_ims_sip_parse_addr(&s, &a), NGX_IMS_INVALID, bad[i]);
        guarded_free(s.data, s.len);
    }

    s = guard("a;b=1;+sip.instance=\"<urn:uuid:1>\";c = 2;B=3;d=");
    is_int(ngx_ims_sip_param(&s, "a", &value), 1, "a is there");
    is_str(value.data, value.len, "", "without a value");
    is_int(ngx_ims_sip_param(&s, "B", &value), 1, "b is there");
    is_str(value.data, value.len, "1", "the first counts");
    is_int(ngx_ims_sip_param(&s, "+sip.instance", &value), 1, "instance");
    is_str(value.data, value.len, "\"<urn:uuid:1>\"", "keeps its quotes");
    is_int(ngx_ims_sip_param(&s, "c", NULL), 1, "no value wanted");
    is_int(ngx_ims_sip_param(&s, "x", &value), 0, "x is not there");
    guarded_free(s.data, s.len);
}


static void
test_number(void)
{
    size_t         i;
    uint64_t       n;
    ngx_ims_str_t  s;

    static const struct {
        const char  *text;
        uint64_t     max;
        int          rc;
        uint64_t     n;
    } t[] = {
        { "0", 10, 0, 0 }, { "10", 10, 0, 10 }, { "11", 10, -1, 0 },
        { "007", 10, 0, 7 }, { "", 10, -1, 0 }, { "-1", 10, -1, 0 },
        { "+1", 10, -1, 0 }, { "1 ", 10, -1, 0 }, { "5", 3, -1, 0 },
        { "0", 0, 0, 0 }, { "1", 0, -1, 0 }, { "100", 5, -1, 0 },
        { "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, -1, 0 },
        { "99999999999999999999", UINT64_MAX, -1, 0 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s = guard(t[i].text);
        n = 0;
        ok(ngx_ims_sip_number(&s, t[i].max, &n) == t[i].rc && n == t[i].n,
           "number \"%s\"", t[i].text);
        guarded_free(s.data, s.len);
    }
}


int
main(void)
{
    test_parts();
    test_equal();
    test_safe();
    test_addr();
    test_number();

    return done_testing();
}
